"""Who called what: CloudTrail's event history, and when an access key was used last.

Unlike the emulator's own recording, refused calls are in it too, under the
operation's name and with the caller's identity.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

import json
import re
import threading
import time
from collections import defaultdict, deque
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.parse import parse_qsl
from uuid import uuid4

from ministack import app as emulator
from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, request_scope
from ministack.services import cloudtrail, iam, sts

from cordon_local import REGION, iam_credentials, local_paths, pins
from cordon_local.local_paths import Answer

MOST_CALLS = 100_000

# What CloudTrail marks as read-only; of STS, all that matters here.
_READS = ("Get", "List", "Describe", "Head", "Lookup", "BatchGet", "Query", "Filter", "Decrypt", "AssumeRole")
_EVENT_SOURCES = {"cloudwatch": "monitoring"}


@dataclass
class Call:
    """One call of an API, as it was decided and answered."""

    time: float
    account: str
    principal: str
    principalId: str
    principalType: str
    accessKeyId: str
    sourceIdentity: str | None
    service: str
    action: str
    resource: str
    readOnly: bool
    error: str | None = None
    answered: float | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    # The same in each attempt that an SDK makes at one call of its caller.
    sdkInvocationId: str | None = None


# The call that is being answered; empty until it is authorised or refused.
_current: ContextVar[list[Call]] = ContextVar("current_call")
_calls: deque[Call] = deque()
# The same calls by source identity, which is how those of an incident are found.
_by_identity: defaultdict[str | None, deque[Call]] = defaultdict(deque)
_noting = threading.Lock()


def install() -> None:
    pins.replace("ministack.core.iam_evaluator:enforce", _enforce)
    emulator.SERVICE_HANDLERS["iam"] = _with_parameters(emulator.SERVICE_HANDLERS["iam"])
    local_paths.add("GET", "/_local/calls", _list)


def _enforce(original, access_key_id, action, service, region, resource_arn="*", service_context=None):
    decision = original(access_key_id, action, service, region, resource_arn, service_context)
    noted = _current.get(None)
    # Only the first decision of a request is about the operation itself.
    if noted == [] and not isinstance(decision, iam_evaluator.AuthError):
        namespace, _, operation = action.partition(":")
        credential = iam_evaluator.resolve_credential(access_key_id)
        if isinstance(credential, iam_evaluator.ResolvedCredential):
            noted.append(Call(
                time=time.time(),
                account=get_account_id(),
                principal=credential.principal_arn,
                principalId=credential.principal_id,
                principalType=credential.principal_type,
                accessKeyId=access_key_id,
                sourceIdentity=(sts._sessions.get(access_key_id) or {}).get("SourceIdentity"),
                service=namespace,
                action=operation,
                resource=resource_arn,
                readOnly=operation.startswith(_READS),
            ))  # fmt: skip
            iam_credentials.note_use(access_key_id, namespace, region)
    return decision


def _with_parameters(handler):
    """Notes with what a change was asked for, but for what CloudTrail hides.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """

    async def noting(method, path, headers, body, query):
        call = current()
        if call is not None and not call.readOnly:
            form = body.decode(errors="replace") if isinstance(body, bytes) else body
            asked = dict(parse_qsl(form, keep_blank_values=True))
            call.parameters = {name: value for name, value in asked.items() if "Password" not in name}
        return await handler(method, path, headers, body, query)

    return noting


def current() -> Call | None:
    """The call that is being answered, once it is authorised or refused."""
    noted = _current.get(None)
    return noted[0] if noted else None


async def recorded(application, scope, receive, send) -> None:
    """Pass a request on, and note what became of it."""
    noted: list[Call] = []
    token = _current.set(noted)
    answer = _Answer(send)
    try:
        await application(scope, receive, answer.send)
    finally:
        _current.reset(token)
    invocation = dict(scope.get("headers", [])).get(b"amz-sdk-invocation-id")
    for call in noted:
        call.error = answer.error()
        call.answered = answer.begun
        call.sdkInvocationId = invocation.decode() if invocation else None
        note(call)
        _write_trails(call)


def note(call: Call) -> None:
    """Keep a call in the record of calls."""
    with _noting:
        if len(_calls) == MOST_CALLS:
            _by_identity[_calls.popleft().sourceIdentity].popleft()
        _calls.append(call)
        _by_identity[call.sourceIdentity].append(call)


class _Answer:
    """Looks into an answer on its way out."""

    def __init__(self, send):
        self._send = send
        self._status = 0
        self._headers: dict[bytes, bytes] = {}
        self._body = b""
        self.begun: float | None = None

    async def send(self, message) -> None:
        if message["type"] == "http.response.start":
            # Now and not when all is sent: by then the caller may have made its next call.
            self.begun = time.time()
            self._status = message["status"]
            self._headers = dict(message.get("headers", []))
        elif self._status >= 400:
            self._body += message.get("body", b"")
        await self._send(message)

    def error(self) -> str | None:
        if self._status < 400:
            return None
        named = {name.lower(): value for name, value in self._headers.items()}.get(b"x-amzn-errortype")
        if named:
            return named.decode().partition(":")[0]
        found = re.search(rb'<Code>([^<]+)</Code>|"(?:__type|code)"\s*:\s*"(?:[^"#]*#)?([^"]+)"', self._body)
        return next(group for group in found.groups() if group).decode() if found else str(self._status)


async def _list(query: dict[str, str], _body: object) -> Answer:
    """All calls, or those in which each field that the query names is as it says, such as `account`."""
    identity = query.get("sourceIdentity")
    # Copied: while they are looked through, functions and machines go on calling.
    with _noting:
        calls = tuple(_by_identity.get(identity, ()) if identity else _calls)
    return 200, {"calls": [call for call in map(vars, calls) if query.items() <= call.items()]}


def _write_trails(call: Call) -> None:
    """The caller's account has the event; for AssumeRole, the role's account too.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
    """
    accounts = {call.account}
    if call.action == "AssumeRole" and (role := re.match(r"arn:[^:]*:iam::(\d{12}):", call.resource)):
        accounts.add(role[1])
    for account in accounts:
        with request_scope(account, REGION):
            cloudtrail._get_event_queue().append(_event(call, account))


def _event(call: Call, account: str) -> dict:
    event_id = str(uuid4())
    source = f"{_EVENT_SOURCES.get(call.service, call.service)}.amazonaws.com"
    record = {
        "eventVersion": "1.11",
        "userIdentity": _identity(call),
        "eventTime": datetime.fromtimestamp(call.time, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": source,
        "eventName": call.action,
        "awsRegion": REGION,
        "sourceIPAddress": "127.0.0.1",
        "resources": [{"ARN": call.resource}] if call.resource != "*" else [],
        "eventID": event_id,
        "readOnly": call.readOnly,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
    }
    if call.error:
        record["errorCode"] = call.error
    return {
        "EventId": event_id,
        "EventName": call.action,
        "EventSource": source,
        "EventTime": call.time,
        "Username": call.principal.rsplit("/", 1)[-1],
        "AccessKeyId": call.accessKeyId,
        "ReadOnly": str(call.readOnly).lower(),
        "Resources": [{"ResourceName": call.resource}] if call.resource != "*" else [],
        "CloudTrailEvent": json.dumps(record),
    }


def _identity(call: Call) -> dict:
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html"""
    identity = {
        "type": {"User": "IAMUser"}.get(call.principalType, call.principalType),
        "principalId": call.principalId,
        "arn": call.principal,
        "accountId": call.account,
        "accessKeyId": call.accessKeyId,
    }
    if call.principalType == "User":
        identity["userName"] = call.principal.rsplit("/", 1)[-1]
    if call.principalType == "AssumedRole":
        name = call.principal.split("/")[1]
        role = iam._roles.get_scoped(call.account, None, name) or {}
        issuer = {"type": "Role", "principalId": call.principalId.partition(":")[0], "arn": role.get("Arn"),
                  "accountId": call.account, "userName": name}  # fmt: skip
        identity["sessionContext"] = {"sessionIssuer": issuer, "attributes": {"mfaAuthenticated": "false"}}
        if call.sourceIdentity:
            identity["sessionContext"]["sourceIdentity"] = call.sourceIdentity
    return identity
