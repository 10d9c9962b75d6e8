"""IAM's decision: on which resource, under which conditions, with which variables."""

import functools
import re
from dataclasses import replace

from ministack.core import iam_actions, iam_evaluator
from ministack.core.router import extract_access_key_id
from ministack.services import iam, sts

from cordon_local import ACCOUNTS, ORGANIZATION_ID, pins
from cordon_local.api_model import query_parameters
from cordon_local.identities import GROUPS, ROLES, USERS, caller_name, found
from cordon_local.sts import requested_source_identity

_ACTIONS = "ministack.core.iam_actions"
_EVALUATOR = "ministack.core.iam_evaluator"


def install() -> None:
    pins.replace(f"{_ACTIONS}:extract_resource_arn", _resource)
    pins.replace(f"{_ACTIONS}:request_tag_context", _request_context)
    pins.replace(f"{_ACTIONS}:s3_service_context", _s3_context)
    pins.replace(f"{_ACTIONS}:access_denied_response", _access_denied)
    pins.replace(f"{_EVALUATOR}:enforce", _enforce)
    pins.replace(f"{_EVALUATOR}:evaluate_trust_policy", _evaluate_trust_policy)
    pins.replace(f"{_EVALUATOR}:_first_match", _first_match)
    pins.replace(f"{_EVALUATOR}:_principal_keys", _principal_keys)
    pins.replace(f"{_EVALUATOR}:_principal_matches", _principal_matches)
    pins.replace(f"{_EVALUATOR}:_principal_org_id", _organization)
    pins.replace(f"{_EVALUATOR}:_resolve_condition_key", _condition_key)
    pins.replace(f"{_EVALUATOR}:fnmatch_iam_cs", _matches)
    pins.replace("ministack.app:pin_request_origin", _pin_request_origin)
    pins.replace(f"{_EVALUATOR}:is_root_access_key", _is_root)
    # The STS module took its own names for these when it was imported.
    sts._principal_keys = iam_evaluator._principal_keys
    sts.is_root_access_key = iam_evaluator.is_root_access_key


# Actions whose resource is a group although the request also names a user.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_identityandaccessmanagement.html
_ON_GROUP = ("AddUserToGroup", "RemoveUserFromGroup")


def _resource(original, service, method, path, headers, body, query, region, account):
    """The ARN with its path, as IAM stores it: a policy may allow or deny by path.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """
    if service != "iam":
        arn = original(service, method, path, headers, body, query, region, account)
        # A rule of the default bus is named without it.
        # https://docs.aws.amazon.com/service-authorization/latest/reference/list_eventbridge.html
        return arn.replace(":rule/default/", ":rule/", 1) if service == "events" else arn
    given = query_parameters(b"", query)
    action = given.get("Action", "")
    if action == "GetAccessKeyLastUsed":
        key_id = given.get("AccessKeyId", "")
        owner = (iam._access_keys.get(key_id) or {}).get("UserName", "")
        return _identity_arn(USERS, {"UserName": owner}, account) if owner else f"access key {key_id}"
    if action in _ON_GROUP:
        return _identity_arn(GROUPS, given, account)
    for kind in (ROLES, USERS, GROUPS):
        if kind.parameter in given:
            return _identity_arn(kind, given, account)
    if action in _OF_CALLER:
        name = caller_name(extract_access_key_id(headers))
        return _identity_arn(USERS, {"UserName": name}, account) if name else f"arn:aws:iam::{account}:root"
    if action == "CreatePolicy":
        return f"arn:aws:iam::{account}:policy{given.get('Path', '/')}{given.get('PolicyName', '')}"
    return original(service, method, path, headers, body, query, region, account)


# Actions that are about the caller when they name nobody.
_OF_CALLER = (
    "CreateAccessKey", "DeleteAccessKey", "GetUser", "ListAccessKeys", "ListMFADevices", "ListSSHPublicKeys",
    "ListServiceSpecificCredentials", "ListSigningCertificates", "UpdateAccessKey", "UpdateSigningCertificate",
    "UploadSigningCertificate", "DeleteSigningCertificate", "CreateServiceSpecificCredential",
    "UpdateServiceSpecificCredential", "DeleteServiceSpecificCredential", "GetLoginProfile",
)  # fmt: skip


def _identity_arn(kind, given: dict, account: str) -> str:
    name = given[kind.parameter]
    stored = found(kind, name)
    if stored:
        return stored["Arn"]
    return f"arn:aws:iam::{account}:{kind.noun}{given.get('Path', '/')}{name}"


def _request_context(original, service, action, body, query):
    """Condition keys that describe the request.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
    """
    context = original(service, action, body, query)
    if service not in ("iam", "sts"):
        return context
    given = query_parameters(b"", query)
    if service == "iam":
        context |= _present({"iam:PermissionsBoundary": _boundary(action, given)})
        if action.partition(":")[2] in _NAMES_POLICY:
            context |= _present({"iam:PolicyARN": given.get("PolicyArn")})
        if action.partition(":")[2] not in _ON_GROUP:
            context |= _resource_tags(given)
    else:
        context |= _present(
            {
                "sts:ExternalId": given.get("ExternalId"),
                "sts:RoleSessionName": given.get("RoleSessionName"),
                "sts:SourceIdentity": given.get("SourceIdentity"),
            }
        )
    return context


def _resource_tags(given: dict) -> dict:
    """The tags of the user or role that a call is about, under IAM's own name for them, too.

    Groups have none, and a call about a group is not about the user whom it names too.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html#access_tags_control-resources
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_identityandaccessmanagement.html
    """
    records = (found(kind, given.get(kind.parameter, "")) or {} for kind in (ROLES, USERS))
    tags = [tag for record in records for tag in record.get("Tags", ())]
    return {f"iam:ResourceTag/{tag['Key']}": tag["Value"] for tag in tags}


def _s3_context(original, iam_action, query_params, path="", headers=None):
    """A write says under which condition it is made, so that a bucket's policy can insist on one.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    """
    context = original(iam_action, query_params, path, headers)
    if iam_action == "s3:PutObject":
        given = headers or {}
        context |= _present({f"s3:{name}": given.get(name) for name in ("if-none-match", "if-match")})
    return context


_NAMES_POLICY = tuple(f"{verb}{kind}Policy" for verb in ("Attach", "Detach") for kind in ("User", "Role", "Group"))


def _boundary(action: str, given: dict) -> str | None:
    """The boundary that the request sets or, for other changes of an identity's policies, the one it has.

    "Checks that the specified policy is attached as permissions boundary on
    the IAM principal resource":
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#ck_PermissionsBoundary
    """
    if "PermissionsBoundary" in given:
        return given["PermissionsBoundary"]
    for kind in (ROLES, USERS):
        if re.fullmatch(rf"iam:(Attach|Detach|Put|Delete){kind.title}(Policy|PermissionsBoundary)", action):
            return (found(kind, given.get(kind.parameter, "")) or {}).get("PermissionsBoundary")
    return None


def _present(keys: dict) -> dict:
    return {key: value for key, value in keys.items() if value}


def _access_denied(original, service, action, principal_arn, request_id, **details):
    """A refusal names the resource: "User: … is not authorized to perform: … on resource: …".

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    """
    by_identity = not any(details.get(each) for each in ("message", "error_code", "resource_policy_arn"))
    if by_identity:
        resource, explicit = details.get("resource_arn", "*"), details.get("explicit_deny", False)
        details["message"] = iam_actions.identity_denial_message(action, principal_arn, resource, explicit)
    return original(service, action, principal_arn, request_id, **details)


def _is_root(_original, access_key_id):
    """Twelve digits are an account's root. The emulator's other keys are nobody's here, nor is no key at all."""
    return re.fullmatch(r"\d{12}", access_key_id or "", re.ASCII) is not None


def _enforce(original, access_key_id, action, service, region, resource_arn="*", service_context=None):
    """Refuse what temporary credentials of a user may not call, whatever the policies say.

    GetSessionToken without MFA: no IAM call, of STS only AssumeRole and
    GetCallerIdentity. GetFederationToken: no IAM call, of STS only
    GetCallerIdentity.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html
    """
    session = sts._sessions.get(access_key_id) or {}
    kind = session.get("PrincipalType")
    allowed = {"User": ("sts:AssumeRole", "sts:GetCallerIdentity"), "FederatedUser": ("sts:GetCallerIdentity",)}
    if kind in allowed and service in ("iam", "sts") and action not in allowed[kind]:
        denied = original(access_key_id, "sts:GetCallerIdentity", "sts", region)
        message = "The security token included in the request is invalid"
        return denied or iam_evaluator.AuthError("InvalidClientTokenId", message)
    return original(access_key_id, action, service, region, resource_arn, service_context)


def _evaluate_trust_policy(original, trust_policy, caller_arn, context=None):
    """A trust policy may ask for the source identity of the session to be.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html
    """
    wanted = requested_source_identity.get()
    if context is not None and wanted:
        context = replace(context, service_context={**context.service_context, "sts:sourceidentity": wanted})
    return original(trust_policy, caller_arn, context)


def _principal_matches(_original, principal, caller_arn):
    """A principal is named whole: no wildcards, the role with its path, the account by number or root.

    Trust policies have its unique id.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    """
    named = principal.get("AWS", []) if isinstance(principal, dict) else principal
    caller_account = caller_arn.split(":")[4] if caller_arn.startswith("arn:") else None
    caller_names = {caller_arn, caller_account, f"arn:aws:iam::{caller_account}:root"}
    if ":assumed-role/" in caller_arn:
        role = iam._roles.get_scoped(caller_account, None, caller_arn.split("/")[1])
        caller_names |= {(role or {}).get(field) for field in ("Arn", "RoleId")}
    elif ":user/" in caller_arn:
        user = iam._users.get_scoped(caller_account, None, caller_arn.rsplit("/", 1)[-1])
        caller_names.add((user or {}).get("UserId"))
    return any(each == "*" or each in caller_names for each in ([named] if isinstance(named, str) else named))


def _principal_keys(original, credential):
    """Keys of the caller that the emulator does not set.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
    """
    keys = original(credential)
    session = sts._sessions.get(credential.access_key_id) or {}
    if session.get("SourceIdentity"):
        keys["aws:sourceidentity"] = session["SourceIdentity"]
    keys["aws:viaawsservice"] = "false"
    return keys


def _organization(original, account):
    """All accounts are of one organisation, always.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalorgid
    """
    return ORGANIZATION_ID if account in ACCOUNTS else None


def _condition_key(original, key, context):
    """aws:PrincipalArn of a role session is the role's ARN, with its path.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn
    """
    if key.lower() == "aws:principalarn" and ":assumed-role/" in context.principal_arn:
        name = context.principal_arn.split("/")[1]
        role = iam._roles.get_scoped(context.principal_account, None, name)
        return role["Arn"] if role else context.principal_arn
    return original(key, context)


def _pin_request_origin(original, source_ip, _secure_transport):
    """A connection within the machine counts as TLS: buckets that deny everything else must work.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport
    """
    return original(source_ip, True)


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = ("*", "?", "$")


class _Unresolved(Exception):
    pass


def _first_match(original, context, statements, effect):
    """Fill in policy variables; a statement with a variable that has no value matches nothing."""
    filled = []
    for statement in statements:
        try:
            filled.append(_fill_in(statement, context))
        except _Unresolved:
            continue
    return original(context, filled, effect)


def _fill_in(statement, context):
    if not any("${" in str(part) for part in (statement.resources, statement.not_resources, statement.conditions)):
        return statement
    return replace(
        statement,
        resources=[_expanded(pattern, context) for pattern in statement.resources],
        not_resources=[_expanded(pattern, context) for pattern in statement.not_resources],
        conditions={
            operator: {key: _expanded_values(operator, values, context) for key, values in block.items()}
            for operator, block in statement.conditions.items()
        },
    )


def _expanded_values(operator: str, values, context):
    wildcards = "like" in operator.lower() or "arn" in operator.lower()
    expanded = [_expanded(str(value), context) for value in (values if isinstance(values, list) else [values])]
    if wildcards:
        return expanded
    return [_VARIABLE.sub(lambda match: match[1], value) for value in expanded]


def _expanded(pattern: str, context) -> str:
    def value_of(match: re.Match) -> str:
        name, _, default = match[1].partition(",")
        if name in _LITERALS:
            return match[0]
        value = iam_evaluator._resolve_condition_key(name.strip(), context)
        if value is None and default:
            value = default.strip().strip("'")
        if value is None or isinstance(value, list):
            raise _Unresolved(name)
        # A value is text: its own wildcards have no meaning.
        return re.sub(r"[*?$]", lambda special: f"${{{special[0]}}}", value)

    return _VARIABLE.sub(value_of, pattern)


def _matches(original, value, pattern):
    """Match with wildcards, where `${*}`, `${?}` and `${$}` stand for the characters themselves.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
    """
    return pattern == "*" or _regex(pattern).fullmatch(value) is not None


@functools.lru_cache(maxsize=4096)
def _regex(pattern: str) -> re.Pattern:
    regex = ""
    for part in re.split(r"(\$\{[*?$]\}|\*|\?)", pattern):
        if part == "*":
            regex += ".*"
        elif part == "?":
            regex += "."
        elif part.startswith("${") and part[2:-1] in _LITERALS:
            regex += re.escape(part[2:-1])
        else:
            regex += re.escape(part)
    return re.compile(regex, re.DOTALL)
