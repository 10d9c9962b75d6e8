"""Faults on request: an AWS call that fails, hangs, gets lost, or ends the function that makes it.

A fault strikes between caller and service, after the call was authorised; but for the one that
is about authorisation itself. A rule says which calls are meant, what becomes of them, and how
often.
"""

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, fields
from itertools import count
from urllib.parse import unquote_plus

from hypercorn.protocol.events import StreamClosed
from ministack import app as emulator
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id

from cordon_local import calls, fault_answers, function_processes, local_paths, pins
from cordon_local.calls import Call
from cordon_local.local_paths import Answer

# Faults that end the process of a function: of the one that makes the call or, on
# `lambda:InvokeFunction`, of the one that is called.
OF_PROCESSES = tuple(function_processes.ENDS)
# A function that is called answers something else than it would have.
ANSWERED = "answered"
# Faults after which the caller has no answer.
SILENT = ("timedOut", "dropped", *OF_PROCESSES)
# The call is authorised as if the user or role had no permissions boundary.
UNBOUNDED = "unbounded"
# The call goes through, later.
HELD = "held"
# Faults that fail no call by themselves.
MILD = ("stale", UNBOUNDED, HELD)
FAULTS = ("error", *fault_answers.SPELLED, *SILENT, ANSWERED, *MILD)
INVOKE = "lambda:InvokeFunction"
# The caller that every function is.
ANY_FUNCTION = "lambda.amazonaws.com"


# Calls for which IAM looks at the boundary that the user or role has.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_identityandaccessmanagement.html
_BY_BOUNDARY = re.compile(r"iam:(Attach|Detach|Put|Delete)(User|Role)Policy")


class Unusable(Exception):
    """A rule that could never strike, or not as it says."""


@dataclass
class Rule:
    """Which calls are struck, and how."""

    action: str
    fault: str
    account: str | None = None
    caller: str | None = None
    about: str | None = None
    code: str | None = None
    status: int | None = None
    message: str | None = None
    milliseconds: int | None = None
    answer: str | None = None
    takesEffect: bool = False
    times: int | str = 1
    after: int = 0

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not isinstance(value, each.type) or (isinstance(value, bool) and each.type is not bool):
                raise Unusable(f"`{each.name}` can't be `{value}`")
        service, colon, operation = self.action.partition(":")
        if self.action != "*" and not (service and colon and operation):
            raise Unusable(f"`action` is like `iam:GetUser`, `iam:*` or `*`, not `{self.action}`")
        if self.fault not in FAULTS:
            raise Unusable(f"there is no fault `{self.fault}`, but `{'`, `'.join(FAULTS)}`")
        if isinstance(self.times, str) and self.times != "always":
            raise Unusable(f"`times` is a number or `always`, not `{self.times}`")
        if (self.fault == "error") != (self.code is not None):
            raise Unusable("the fault `error` has a `code`, and no other fault has one")
        if self.fault == "error" and not (self.status if service == "*" else self.error(service)):
            raise Unusable(f"`{service}` has no error `{self.code}` with a status of its own: name the `status`")
        if self.fault == "stale" and self.takesEffect:
            raise Unusable("a stale read has no effect")
        if self.fault == HELD and self.takesEffect:
            raise Unusable("a call that is held takes effect anyway")
        if (self.fault == HELD) != (self.milliseconds is not None) or (self.milliseconds or 0) < 0:
            raise Unusable("the fault `held` has `milliseconds` from 0 on, and no other fault has any")
        if (self.fault == ANSWERED) != (self.answer is not None) or self.answer and self.action != INVOKE:
            raise Unusable(f"the fault `{ANSWERED}`, of `{INVOKE}` alone, has an `answer`, and no other fault has one")
        if self.fault == UNBOUNDED and (self.takesEffect or not _BY_BOUNDARY.fullmatch(self.action)):
            raise Unusable(f"no boundary that stands decides whether `{self.action}` may take effect")
        self.struck = self.passed = 0
        self.lifted = threading.Event()
        self.reads: dict[tuple, _Read] = {}
        # A name is not meant by a longer one that contains it.
        self._about = self.about and re.compile(rf"(?<![\w-]){re.escape(self.about)}(?![\w-])")

    def error(self, service: str) -> fault_answers.Error | None:
        """What a service answers when it is struck; None if that takes a status that nobody knows."""
        code = self.code or fault_answers.spelled(service, self.fault)
        return fault_answers.error(service, code, self.status, self.message)

    def concerns(self, call: "Heard") -> bool:
        """Whether a call is what the rule is about, whoever makes it."""
        service = call.action.partition(":")[0]
        return (
            self.action in (call.action, f"{service}:*", "*")
            and self.account in (call.account, None)
            and (self._about is None or self._about.search(call.text()) is not None)
        )

    def means(self, call: "Heard") -> bool:
        return (self.caller is None or self.caller in call.names()) and self.concerns(call)


@dataclass
class Heard:
    """A call, as rules see it."""

    account: str
    action: str
    names: Callable[[], tuple[str, ...]]
    text: Callable[[], str]


@dataclass
class _Read:
    """What a read was answered, each answer unlike the one before."""

    request: tuple
    answers: list[tuple] = field(default_factory=list)

    def add(self, answer: fault_answers.Answer) -> None:
        if not self.answers or _content(self.answers[-1]) != _content(answer):
            self.answers.append((answer[0], dict(answer[1]), answer[2]))


class _Request:
    """A request on its way, and what becomes of the connection that it came on."""

    def __init__(self, send):
        self._send = send
        self.decided = False
        self.silent: str | None = None

    async def send(self, message) -> None:
        if self.silent is None:
            await self._send(message)

    async def finish(self, receive) -> None:
        if self.silent is None:
            return
        try:
            if self.silent == "timedOut":
                while (await receive())["type"] != "http.disconnect":
                    pass
        finally:
            # The server knows no other way to end a connection without an answer.
            stream = self._send.__self__
            await stream.send(StreamClosed(stream_id=stream.stream_id))


_request: ContextVar[_Request] = ContextVar("faults_request")
# Replaced whole at each change, so that it can be read without the lock.
_rules: dict[str, Rule] = {}
_lock = threading.Lock()
_numbers = count(1)


def install() -> None:
    function_processes.install()
    pins.replace("ministack.core.lambda_runtime:ProvidedWorker.invoke", _invoke)
    pins.replace("ministack.core.iam_evaluator:enforce", _enforce)
    for service, handler in emulator.SERVICE_HANDLERS.items():
        emulator.SERVICE_HANDLERS[service] = _guarded(service, handler)
    local_paths.add("GET", "/_local/faults", _list)
    local_paths.add("POST", "/_local/faults", _add)
    local_paths.add("DELETE", "/_local/faults", _lift_all)
    local_paths.add("DELETE", "/_local/faults/{id}", _lift)


def strike(call: Heard, eligible: Callable[[Rule], bool]) -> Rule | None:
    """The first rule that strikes a call, which is counted."""
    for rule in _rules.values():
        if eligible(rule) and rule.means(call) and _counted(rule):
            return rule
    return None


def _counted(rule: Rule) -> bool:
    with _lock:
        if rule.times != "always" and rule.struck >= rule.times:
            return False
        if rule.passed < rule.after:
            rule.passed += 1
            return False
        rule.struck += 1
        return True


def standing() -> bool:
    """Whether there is any rule at all: nearly always there is none."""
    return bool(_rules)


async def between(application, scope, receive, send) -> None:
    """Pass a request on, and its answer back, unless a fault decides otherwise."""
    request = _Request(send)
    token = _request.set(request)
    try:
        await application(scope, receive, request.send)
        await request.finish(receive)
    finally:
        _request.reset(token)


def _guarded(service: str, handler):
    namespace = iam_actions.SERVICE_TO_IAM_NAMESPACE.get(service, service)

    async def guarded(method, path, headers, body, query):
        request = _request.get(None)
        call = calls.current()
        # What a service does then on its own behalf is no call of the client's.
        if not _rules or request is None or request.decided or call is None or call.service != namespace:
            return await handler(method, path, headers, body, query)
        request.decided = True
        return await _answered(call, request, handler, (method, path, headers, body, query))

    return guarded


async def _answered(call: Call, request: _Request, handler, sent: tuple) -> fault_answers.Answer:
    process = function_processes.of_caller(call.accessKeyId)
    heard = _heard(call, process, sent)
    if (held := strike(heard, lambda rule: rule.fault == HELD)) is not None:
        await _released(held)

    def eligible(rule: Rule) -> bool:
        if rule.fault in OF_PROCESSES:
            return process is not None and heard.action != INVOKE
        return rule.fault not in (ANSWERED, *MILD)

    rule = strike(heard, eligible)
    if rule is None and call.readOnly:
        return _perhaps_stale(call, heard, (handler, sent), await handler(*sent))
    answer = None
    if rule is None or rule.takesEffect:
        await _read_again_before(call)
        answer = await handler(*sent)
    if rule is None:
        return answer
    if rule.fault not in SILENT:
        return fault_answers.written(call.service, rule.error(call.service))
    request.silent = rule.fault
    if rule.fault in OF_PROCESSES:
        await asyncio.to_thread(function_processes.end, process, rule.fault)
    # Nobody gets this; but the record of calls shows it.
    return answer or (500, {"x-amzn-errortype": rule.fault}, b"")


async def _released(held: Rule) -> None:
    """Waits as long as the rule says, or until it is lifted."""
    until = time.monotonic() + held.milliseconds / 1000
    while (left := until - time.monotonic()) > 0 and not held.lifted.is_set():
        await asyncio.sleep(min(left, 0.02))


def _enforce(original, access_key_id, action, service, region, resource_arn="*", service_context=None):
    """IAM goes by a new boundary some time after it shows it.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    """
    if _rules and _BY_BOUNDARY.fullmatch(action) and "iam:PermissionsBoundary" in (service_context or {}):
        credential = iam_evaluator.resolve_credential(access_key_id)
        process = function_processes.of_caller(access_key_id)
        principal = getattr(credential, "principal_arn", "")
        heard = Heard(get_account_id(), action, lambda: _names(principal, process), lambda: resource_arn)
        if strike(heard, lambda rule: rule.fault == UNBOUNDED) is not None:
            service_context = {k: value for k, value in service_context.items() if k != "iam:PermissionsBoundary"}
    return original(access_key_id, action, service, region, resource_arn, service_context)


def _names(principal: str, process) -> tuple[str, ...]:
    own = (principal, *re.split("[:/]", principal))
    return (*own, process.function, ANY_FUNCTION) if process else own


def _heard(call: Call, process, sent: tuple) -> Heard:
    _method, path, _headers, body, query = sent

    def text() -> str:
        values = [value for each in query.values() for value in (each if isinstance(each, list) else [each])]
        return " ".join((call.resource, path, *values, unquote_plus(_text(body))))

    return Heard(call.account, f"{call.service}:{call.action}", lambda: _names(call.principal, process), text)


def _text(body: bytes | str) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else body


def _perhaps_stale(call: Call, heard: Heard, request: tuple, answer: fault_answers.Answer) -> fault_answers.Answer:
    """The answer of before the last change, if a rule asks for it and knows it.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    """
    given = answer
    _, path, _, body, query = request[1]
    key = (call.account, call.service, call.action, path, str(query), *sorted(_text(body).split("&")))
    for rule in _rules.values():
        if rule.fault == "stale" and rule.concerns(heard):
            read = rule.reads.setdefault(key, _Read(request))
            read.add(answer)
            if given is answer and len(read.answers) > 1 and rule.means(heard) and _counted(rule):
                status, headers, body = read.answers[-2]
                given = (status, dict(headers), body)
    return given


async def _read_again_before(call: Call) -> None:
    """Before a change, the reads that rules have seen are made again: their answers are about to be old."""
    for rule in _rules.values():
        for key, read in list(rule.reads.items()):
            if key[:2] == (call.account, call.service):
                handler, sent = read.request
                read.add(await handler(*sent))


_REQUEST_ID = re.compile(rb"<RequestId>[^<]*</RequestId>")


def _content(answer: fault_answers.Answer) -> tuple[int, bytes]:
    """What two answers that say the same have in common."""
    return answer[0], _REQUEST_ID.sub(b"", answer[2] if isinstance(answer[2], bytes) else answer[2].encode())


def _invoke(original, worker, event, request_id, **context):
    """Invocations whose process ends before it does anything, or after all but the answer; or that answer nonsense."""
    rule = strike(_invocation(worker.config, event), _of_invocations) if _rules else None
    if rule is None:
        return original(worker, event, request_id, **context)
    if rule.takesEffect:
        original(worker, event, request_id, **context)
    if rule.fault == ANSWERED:
        return {"status": "ok", "result": json.loads(rule.answer), "cold_start": False, "log": ""}
    function_processes.kill(worker)
    return function_processes.failed(worker, rule.fault)


def _of_invocations(rule: Rule) -> bool:
    return rule.fault in (ANSWERED, *OF_PROCESSES) and rule.action == INVOKE


def _invocation(function: dict, event) -> Heard:
    arn = function["FunctionArn"]
    return Heard(arn.split(":")[4], INVOKE, lambda: (function["FunctionName"],), lambda: f"{arn} {json.dumps(event)}")


async def _list(_query: dict[str, str], _body: object) -> Answer:
    return 200, {"faults": [_shown(number, rule) for number, rule in _rules.items()]}


def _shown(number: str, rule: Rule) -> dict:
    return {"id": number, **{name: value for name, value in asdict(rule).items() if value is not None},
            "struck": rule.struck}  # fmt: skip


async def _add(_query: dict[str, str], body: object) -> Answer:
    try:
        rule = _rule(body)
    except Unusable as error:
        return 400, {"message": str(error)}
    number = str(next(_numbers))
    _replace({**_rules, number: rule})
    return 200, {"id": number}


def _rule(body: object) -> Rule:
    if not isinstance(body, dict):
        raise Unusable("a rule is a JSON object")
    unknown = body.keys() - {each.name for each in fields(Rule)}
    if unknown:
        raise Unusable(f"a rule has no `{'`, `'.join(sorted(unknown))}`")
    missing = {"action", "fault"} - body.keys()
    if missing:
        raise Unusable(f"a rule has `{'`, `'.join(sorted(missing))}`")
    return Rule(**body)


async def _lift(query: dict[str, str], _body: object) -> Answer:
    rule = _rules.get(query["id"])
    if rule is None:
        return 404, {"message": f"no such fault: `{query['id']}`"}
    _replace({number: each for number, each in _rules.items() if each is not rule})
    return 200, _shown(query["id"], rule)


async def _lift_all(_query: dict[str, str], _body: object) -> Answer:
    lifted = [_shown(number, rule) for number, rule in _rules.items()]
    _replace({})
    return 200, {"faults": lifted}


def _replace(rules: dict[str, Rule]) -> None:
    global _rules
    gone = [rule for number, rule in _rules.items() if number not in rules]
    _rules = rules
    for rule in gone:
        rule.lifted.set()
