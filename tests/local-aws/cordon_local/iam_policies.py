"""Managed and inline policies of users, roles and groups: the same nine operations for each."""

import re
from urllib.parse import quote

from ministack.core.iam_evaluator import validate_policy_document
from ministack.services import iam

from cordon_local.api_model import Refused
from cordon_local.iam_operations import limited, operation
from cordon_local.identities import GROUPS, ROLES, USERS, Kind, existing, inline_policies

ATTACHED_POLICIES = 10


def _define(kind: Kind) -> None:
    title, parameter = kind.title, kind.parameter

    def entity(given: dict) -> dict:
        return existing(kind, given[parameter])

    @operation(f"Attach{title}Policy")
    def attach(given: dict) -> None:
        record, arn = entity(given), given["PolicyArn"]
        if not iam._policy_exists(arn):
            raise Refused("NoSuchEntity", f"Policy {arn} does not exist or is not attachable.", 404)
        if arn not in record["AttachedPolicies"]:
            limited(len(record["AttachedPolicies"]), f"PoliciesPer{title}", ATTACHED_POLICIES)
            iam.attach_managed_policy(record, arn)

    @operation(f"Detach{title}Policy")
    def detach(given: dict) -> None:
        record, arn = entity(given), given["PolicyArn"]
        if arn not in record["AttachedPolicies"]:
            raise Refused("NoSuchEntity", f"Policy {arn} was not found.", 404)
        iam.detach_managed_policy(record, arn)

    @operation(f"ListAttached{title}Policies")
    def list_attached(given: dict) -> dict:
        attached = [iam._lookup_policy(arn) for arn in entity(given)["AttachedPolicies"]]
        prefix = given.get("PathPrefix", "/")
        return {
            "AttachedPolicies": [
                {"PolicyName": policy["PolicyName"], "PolicyArn": policy["Arn"]}
                for policy in attached
                if policy["Path"].startswith(prefix)
            ]
        }

    @operation(f"Put{title}Policy")
    def put_inline(given: dict) -> None:
        record, document = entity(given), given["PolicyDocument"]
        malformed = validate_policy_document(document)
        if malformed:
            raise Refused("MalformedPolicyDocument", malformed)
        policies = inline_policies(kind, record)
        others = (text for name, text in policies.items() if name != given["PolicyName"])
        if sum(map(_characters, (document, *others))) > kind.inline_policy_characters:
            limit = f"Maximum policy size of {kind.inline_policy_characters} bytes exceeded"
            raise Refused("LimitExceeded", f"{limit} for {kind.noun} {record[parameter]}", 409)
        policies[given["PolicyName"]] = document

    @operation(f"Get{title}Policy")
    def get_inline(given: dict) -> dict:
        record = entity(given)
        document = _inline(kind, record, given["PolicyName"])
        return {parameter: record[parameter], "PolicyName": given["PolicyName"], "PolicyDocument": quote(document, "")}

    @operation(f"Delete{title}Policy")
    def delete_inline(given: dict) -> None:
        record = entity(given)
        _inline(kind, record, given["PolicyName"])
        del inline_policies(kind, record)[given["PolicyName"]]

    @operation(f"List{title}Policies")
    def list_inline(given: dict) -> dict:
        return {"PolicyNames": list(inline_policies(kind, entity(given)))}


def _inline(kind: Kind, record: dict, name: str) -> str:
    policies = inline_policies(kind, record)
    if name not in policies:
        raise Refused("NoSuchEntity", f"The {kind.noun} policy with name {name} cannot be found.", 404)
    return policies[name]


def _characters(document: str) -> int:
    """ "IAM does not count white space when calculating the size of a policy"

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length
    """
    return len(re.sub(r"\s", "", document))


for each in (USERS, ROLES, GROUPS):
    _define(each)
