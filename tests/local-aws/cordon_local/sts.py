"""Source identities, and the limits that STS puts on sessions."""

import re
import threading
import time
from contextvars import ContextVar

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.core.router import extract_access_key_id
from ministack.services import iam, sts

from cordon_local import api_model, pins
from cordon_local.api_model import Refused

# The source identity that the session being made will have.
requested_source_identity: ContextVar[str | None] = ContextVar("requested_source_identity", default=None)

CHAINED_SESSION_SECONDS = 3600
# The emulator looks for expired sessions at each new one, of which there are thousands in a test run.
SECONDS_BETWEEN_EVICTIONS = 60
_evicted = time.monotonic()
# Functions start in threads.
_registering = threading.Lock()
# Whatever else stands for a role, the emulator refuses.
_ROLE_ARN = re.compile(r"arn:[^:]*:iam::\d{12}:role/")


def install() -> None:
    pins.replace("ministack.services.sts:handle_request", _answer)
    pins.replace("ministack.services.sts:register_session", _register_session)
    pins.replace("ministack.services.sts:_evict_expired_sessions", _evict)


async def _answer(original, method, path, headers, body, query):
    parameters = api_model.query_parameters(body, query)
    action = parameters.get("Action", "")
    if action not in ("AssumeRole", "GetSessionToken", "GetFederationToken"):
        return await original(method, path, headers, body, query)
    model = api_model.operation("sts", action)
    try:
        given = api_model.read_query(model, parameters)
        identity = None
        if action == "AssumeRole" and _ROLE_ARN.match(given["RoleArn"]):
            caller = extract_access_key_id(headers, query)
            _check_duration(given, caller)
            identity = _source_identity(given, caller)
    except Refused as error:
        return error.status, {"Content-Type": "text/xml"}, api_model.write_query_error(model, error)
    token = requested_source_identity.set(identity)
    try:
        status, answer_headers, answer = await original(method, path, headers, body, query)
    finally:
        requested_source_identity.reset(token)
    if status == 200 and identity:
        shown = f"<SourceIdentity>{identity}</SourceIdentity></AssumeRoleResult>".encode()
        answer = answer.replace(b"</AssumeRoleResult>", shown)
    return status, answer_headers, answer


def _check_duration(given: dict, caller: str) -> None:
    """A role's own maximum; one hour if a role assumes the role.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    """
    duration = given.get("DurationSeconds", CHAINED_SESSION_SECONDS)
    chained = (sts._sessions.get(caller) or {}).get("PrincipalType") == "AssumedRole"
    if chained and duration > CHAINED_SESSION_SECONDS:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        raise Refused("ValidationError", message)
    account, role_name = given["RoleArn"].split(":")[4], given["RoleArn"].rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, role_name)
    if role and duration > role.get("MaxSessionDuration", CHAINED_SESSION_SECONDS):
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise Refused("ValidationError", message)


def _source_identity(given: dict, caller: str) -> str | None:
    """The identity of the new session, if both the caller's and the role's policies allow setting it.

    A session that has one hands it on; it "cannot be changed".
    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html
    """
    present = (sts._sessions.get(caller) or {}).get("SourceIdentity")
    identity = given.get("SourceIdentity", present)
    if identity is None:
        return None
    role_arn = given["RoleArn"]
    arn = iam_evaluator.caller_arn()
    refusal = Refused(
        "AccessDenied",
        f"User: {arn} is not authorized to perform: sts:SetSourceIdentity on resource: {role_arn}",
        403,
    )
    if present and identity != present:
        raise refusal
    keys = {"sts:SourceIdentity": identity, "sts:RoleSessionName": given["RoleSessionName"]}
    if "ExternalId" in given:
        keys["sts:ExternalId"] = given["ExternalId"]
    if iam_evaluator.enforce(caller, "sts:SetSourceIdentity", "sts", get_region(), role_arn, keys):
        raise refusal
    account, role_name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, role_name)
    if role and not _trusted(role, arn, caller, keys):
        raise refusal
    return identity


def _trusted(role: dict, arn: str, access_key_id: str, keys: dict) -> bool:
    credential = iam_evaluator.resolve_credential(access_key_id)
    context = iam_evaluator.EvalContext(
        principal_arn=arn,
        principal_type=credential.principal_type,
        principal_account=credential.account_id,
        action="sts:SetSourceIdentity",
        resource_arn=role["Arn"],
        region=get_region(),
        service_context={key.lower(): value for key, value in keys.items()},
        principal_keys=iam_evaluator._principal_keys(credential),
    )
    return iam_evaluator.evaluate_trust_policy(role["AssumeRolePolicyDocument"], arn, context)


def _evict(original) -> None:
    """Forget expired sessions now and then; whoever uses one is refused all the same."""
    global _evicted
    if time.monotonic() - _evicted > SECONDS_BETWEEN_EVICTIONS:
        _evicted = time.monotonic()
        original()


def _register_session(original, access_key_id, session):
    """Complete the record: the emulator leaves gaps in the sessions that it gives to Lambda functions."""
    arn = session["Arn"]
    if ":assumed-role/" in arn:
        _, role_name, session_name = arn.split("/", 2)
        account = arn.split(":")[4]
        role = iam._roles.get_scoped(account, None, role_name)
        session |= {"PrincipalType": "AssumedRole", "AccountId": account}
        if role:
            session["UserId"] = f"{role['RoleId']}:{session_name}"
    identity = requested_source_identity.get()
    if identity:
        session["SourceIdentity"] = identity
    with _registering:
        return original(access_key_id, session)
