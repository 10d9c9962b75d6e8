"""Which process of a Lambda function makes a call, and the end of that process.

Every process has credentials of its own, and those that it gets by assuming a role lead back
to it.
"""

import threading
from dataclasses import dataclass
from uuid import uuid4

from ministack.core import lambda_runtime
from ministack.services import sts

from cordon_local import calls, pins

_CALLED_BY = "CalledBy"

# The faults that end a process, with what Lambda then reports.
# https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
ENDS = {
    "killed": ("Runtime.ExitError", "Runtime exited with error: signal: killed"),
    "outOfMemory": ("Runtime.OutOfMemory", "Runtime exited with error: signal: killed"),
    "outOfTime": ("Sandbox.Timedout", "Task timed out after {Timeout}.00 seconds"),
}


@dataclass(frozen=True)
class Process:
    """A process of a function, by the port at which it asks for its invocations."""

    function: str
    port: int


_processes: dict[str, Process] = {}
# The workers whose process was ended by a fault, with the fault, until the invocation has failed by it.
_ended: dict[int, str] = {}
_lock = threading.Lock()


def install() -> None:
    pins.replace("ministack.services.lambda_svc:_provided_worker_env", _environment)
    pins.replace("ministack.services.sts:register_session", _register_session)
    pins.replace("ministack.core.lambda_runtime:ProvidedWorker.invoke", _invoke)


def of_caller(access_key_id: str | None) -> Process | None:
    """The process that signed a call with this key, whichever role it had assumed for it."""
    while access_key_id and access_key_id not in _processes:
        access_key_id = (sts._sessions.get(access_key_id) or {}).get(_CALLED_BY)
    return _processes.get(access_key_id)


def end(process: Process, fault: str) -> None:
    """End a process in the midst of its invocation: it crashes, or has no memory or time left."""
    with lambda_runtime._lock:
        workers = [worker for entries in lambda_runtime._workers.values() for worker in entries]
    for worker in workers:
        server = getattr(worker, "_server", None)
        if server is not None and server.server_address[1] == process.port:
            with _lock:
                _ended[id(worker)] = fault
            kill(worker)


def kill(worker) -> None:
    """End the process of a worker, if it has one; the next invocation starts another."""
    process = worker._proc
    if process is not None:
        process.kill()
        process.wait()


def failed(worker, fault: str) -> dict:
    """The result of an invocation that its process did not live to answer."""
    kind, message = ENDS[fault]
    message = message.format_map(worker.config)
    payload = {"errorType": kind, "errorMessage": message}
    return {"status": "error", "error": message, "error_payload": payload, "cold_start": False, "log": ""}


def _environment(original, config, code_dir, port):
    """The emulator gives all processes of a function the same credentials."""
    environment = original(config, code_dir, port)
    shared = sts._sessions[environment["AWS_ACCESS_KEY_ID"]]
    own = {"SecretAccessKey": uuid4().hex, "SessionToken": uuid4().hex}
    access_key_id = f"ASIA{uuid4().hex[:16].upper()}"
    sts.register_session(access_key_id, {**shared, **own})
    _processes[access_key_id] = Process(config["FunctionName"], port)
    return environment | {
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": own["SecretAccessKey"],
        "AWS_SESSION_TOKEN": own["SessionToken"],
    }


def _register_session(original, access_key_id, session):
    call = calls.current()
    if call is not None and call.action == "AssumeRole":
        session[_CALLED_BY] = call.accessKeyId
    return original(access_key_id, session)


def _invoke(original, worker, event, request_id, **context):
    result = original(worker, event, request_id, **context)
    with _lock:
        fault = _ended.pop(id(worker), None)
    return result if fault is None else {**failed(worker, fault), "log": result["log"]}
