"""Principals in roles' trust policies: kept by their unique ids, shown by their ARNs.

"If your Principal element in a role trust policy contains an ARN that points
to a specific IAM role, then that ARN transforms to the role unique principal
ID when you save the policy." Who is deleted and made again has another id, so
the trust is of nobody any more, and shows the id that it was of.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles
"""

import json
import re
from urllib.parse import quote, unquote

from ministack.services import iam
from ministack.services.cloudformation import provisioners

from cordon_local import pins
from cordon_local.identities import ROLES, USERS

_PRINCIPAL = re.compile(r"arn:aws:iam::(\d{12}):(user|role)/(?:.*/)?([^/]+)")
_UNIQUE_ID = re.compile(r"(?:AROA|AIDA)\w+")
_SHOWN = re.compile(rb"(<AssumeRolePolicyDocument>)([^<]*)")
_KINDS = {"user": (USERS, "UserId"), "role": (ROLES, "RoleId")}
_IAM = "ministack.services.iam"
_PROVISIONERS = "ministack.services.cloudformation.provisioners"


class Unknown(ValueError):
    """A trust policy names a principal that does not exist."""

    def __init__(self, principal: str):
        super().__init__(f'Invalid principal in policy: "AWS":"{principal}"')


def install() -> None:
    pins.replace(f"{_IAM}:_create_role", _by_api("AssumeRolePolicyDocument"))
    pins.replace(f"{_IAM}:_update_assume_role_policy", _by_api("PolicyDocument"))
    pins.replace(f"{_PROVISIONERS}:_iam_role_create", _create_by_template)
    pins.replace(f"{_PROVISIONERS}:_iam_role_update", _update_by_template)
    # Both tables took the functions when they were made.
    iam._IAM_HANDLERS |= {
        "CreateRole": iam._create_role,
        "UpdateAssumeRolePolicy": iam._update_assume_role_policy,
    }
    provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"] |= {
        "create": provisioners._iam_role_create,
        "update": provisioners._iam_role_update,
    }


def _by_api(field: str):
    def save(original, parameters):
        document = iam._p(parameters, field)
        try:
            return original({**parameters, field: kept(document)})
        except Unknown as error:
            return iam._error(400, "MalformedPolicyDocument", str(error), ns="iam")

    return save


def _create_by_template(original, logical_id, properties, stack):
    return original(logical_id, _kept_properties(properties), stack)


def _update_by_template(original, physical_id, before, after, stack, logical_id=None):
    return original(physical_id, before, _kept_properties(after), stack, logical_id)


def _kept_properties(properties: dict) -> dict:
    document = properties.get("AssumeRolePolicyDocument")
    return {**properties, "AssumeRolePolicyDocument": kept(document)} if document else properties


def kept(document: str | dict) -> str:
    """The trust policy as IAM keeps it."""
    try:
        policy = json.loads(document) if isinstance(document, str) else document
    except ValueError:
        return document
    return json.dumps(_with_principals(policy, _id_of))


def shown(answer: bytes) -> bytes:
    """An answer of IAM's, with its trust policies as IAM shows them."""

    def show(match: re.Match) -> bytes:
        policy = json.loads(unquote(match[2].decode()))
        return match[1] + quote(json.dumps(_with_principals(policy, _name_of)), safe="").encode()

    return _SHOWN.sub(show, answer)


def _with_principals(policy: dict, changed) -> dict:
    statements = policy.get("Statement", [])
    statements = statements if isinstance(statements, list) else [statements]
    return {**policy, "Statement": [_with_principal(statement, changed) for statement in statements]}


def _with_principal(statement: dict, changed) -> dict:
    principal = statement.get("Principal")
    if not isinstance(principal, dict) or "AWS" not in principal:
        return statement
    named = principal["AWS"]
    named = [changed(each) for each in named] if isinstance(named, list) else changed(named)
    return {**statement, "Principal": {**principal, "AWS": named}}


def _id_of(principal: str) -> str:
    if _UNIQUE_ID.fullmatch(principal):
        if _name_of(principal) == principal:
            raise Unknown(principal)
        return principal
    match = _PRINCIPAL.fullmatch(principal)
    if match is None:
        return principal
    account, noun, name = match.groups()
    kind, unique_id = _KINDS[noun]
    record = kind.store.get_scoped(account, None, name)
    if record is None or record["Arn"] != principal:
        raise Unknown(principal)
    return record[unique_id]


def _name_of(principal: str) -> str:
    for kind, unique_id in _KINDS.values():
        for record in kind.store.to_dict().values():
            if record.get(unique_id) == principal:
                return record["Arn"]
    return principal
