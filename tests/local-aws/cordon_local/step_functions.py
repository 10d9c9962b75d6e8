"""Step Functions: redrive, and the status of executions as AWS tells it.

The emulator keeps its API, its records, and the leaves that do a state's work. What walks
through a definition is ours: `executions`, with `expressions` and `task_role`.
"""

import json
import logging
import threading
import time

from ministack.core.responses import error_response_json, json_response
from ministack.services import eventbridge
from ministack.services import stepfunctions as sfn

from cordon_local import executions, expressions, pins, task_role
from cordon_local.executions import Run, spawn
from cordon_local.expressions import ExecutionError, encode

HISTORY_LIMIT = 24_999
CLIENT_TOKEN_SECONDS = 15 * 60

logger = logging.getLogger("states")


def install():
    """Puts this module in the place of the emulator's functions."""
    for module in (executions, expressions, task_role):
        module.install()
    states = "ministack.services.stepfunctions"
    pins.replace(f"{states}:_describe_execution", describe_execution)
    pins.replace(f"{states}:_describe_state_machine_for_execution", describe_state_machine_for_execution)
    pins.replace(f"{states}:_emit_execution_status_event", emit_status)
    pins.replace(f"{states}:_run_execution", run_execution)
    pins.replace(f"{states}:_start_execution", start_execution)
    pins.replace(f"{states}:_stop_execution", stop_execution)
    pins.replace(f"{states}:_validate_definition_jsonata", definition_error)
    pins.replace(f"{states}:handle_request", handle_request)


# The runs of the emulator's records, by ARN.
RUNS = {}
RUNS_LOCK = threading.Lock()


def run_of(execution):
    with RUNS_LOCK:
        run = RUNS.get(execution["executionArn"])
        if run is None or run.execution is not execution:
            run = RUNS[execution["executionArn"]] = Run(execution)
        return run


def run_execution(_original, arn):
    run_of(sfn._executions[arn]).drive()


async def handle_request(original, method, path, headers, body, query):
    if headers.get("x-amz-target") == "AWSStepFunctions.RedriveExecution":
        return sfn._finalize_response(redrive_execution(json.loads(body)))
    return await original(method, path, headers, body, query)


def definition_error(original, definition):
    """Why AWS refuses a definition, as far as an execution could not even begin
    (https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html)."""
    if definition is None:  # an update of something else
        return None
    try:
        body = json.loads(definition)
    except ValueError as error:
        return f"INVALID_JSON_DESCRIPTION: {error}"
    if body.get("StartAt") not in body.get("States", {}):
        return f"MISSING_TRANSITION_TARGET: there is no state `{body.get('StartAt')}` to start at"
    return original(definition)


def start_execution(original, request):
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html"""
    given = request.get("input", "{}")
    try:
        encode(json.loads(given))
    except (ExecutionError, ValueError) as error:
        return error_response_json("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'", 400)
    machine = sfn._state_machines.get(sfn._resolve_state_machine_arn(request.get("stateMachineArn", "")))
    if machine and "name" in request:
        arn = f"{machine['stateMachineArn'].replace(':stateMachine:', ':execution:')}:{request['name']}"
        running = sfn._executions.get(arn)
        if running and running["status"] == "RUNNING" and running["input"] == given:
            return json_response({"executionArn": arn, "startDate": running["startDate"]})
    return original(request)


def redrive_execution(request):
    """https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html"""
    arn, token = request.get("executionArn", ""), request.get("clientToken")
    if ":execution:" not in arn:
        return error_response_json("InvalidArn", f"Invalid Arn: '{arn}'", 400)
    execution = sfn._executions.get(arn)
    if execution is None:
        return error_response_json("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'", 400)
    run = run_of(execution)
    with run.changed:
        for used, date, until in run.tokens:
            if token == used and time.monotonic() < until:
                return json_response({"redriveDate": date})
        reason = not_redrivable(execution)
        if reason:
            return error_response_json("ExecutionNotRedrivable", reason, 400)
        date = run.redrive()
        if token:
            run.tokens.append((token, date, time.monotonic() + CLIENT_TOKEN_SECONDS))
    sfn._emit_execution_status_event(execution)
    spawn(run.drive)
    return json_response({"redriveDate": date})


def not_redrivable(execution):
    """Why the execution can't be redriven, or None
    (https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html)."""
    if execution["stateMachineArn"] not in sfn._state_machines:
        return "State machine is in DELETING status"
    if execution["status"] in ("RUNNING", "SUCCEEDED"):
        return f"Execution is {execution['status']} and cannot be redriven"
    if len(execution["events"]) >= HISTORY_LIMIT:
        return "Execution history event limit exceeded"
    return None


def redrive_details(execution):
    reason = not_redrivable(execution)
    return {
        "redriveCount": execution.get("redriveCount", 0),
        "redriveDate": execution.get("redriveDate"),
        "redriveStatus": "NOT_REDRIVABLE" if reason else "REDRIVABLE",
        "redriveStatusReason": reason,
    }


def stop_execution(original, request):
    execution = sfn._executions.get(request.get("executionArn"))
    if execution is None or execution["status"] != "RUNNING":
        return original(request)
    run = run_of(execution)
    run.end(run.top, "ABORTED", request.get("error"), request.get("cause"))
    return json_response({"stopDate": execution["stopDate"]})


def describe_execution(original, request):
    status, headers, body = original(request)
    if status != 200:
        return status, headers, body
    details = redrive_details(sfn._executions[request["executionArn"]])
    present = {name: value for name, value in details.items() if value is not None}
    return json_response({**json.loads(body), **present})


def describe_state_machine_for_execution(original, request):
    status, headers, body = original(request)
    if status != 200:
        return status, headers, body
    run = run_of(sfn._executions[request["executionArn"]])
    return json_response({**json.loads(body), "definition": run.definition})


def emit_status(_original, execution):
    """The event of a status change (eventbridge-integration.html)."""
    if execution.get("sync"):
        return
    status = execution["status"]
    redrive = redrive_details(execution)
    detail = {
        **{name: execution[name] for name in ("executionArn", "stateMachineArn", "name", "status")},
        "startDate": sfn._iso_to_epoch_ms(execution["startDate"]),
        "stopDate": sfn._iso_to_epoch_ms(execution["stopDate"]),
        **payload("input", execution["input"]),
        **payload("output", execution["output"]),
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        **redrive,
        "redriveDate": sfn._iso_to_epoch_ms(redrive["redriveDate"]),
        "error": execution.get("error"),
        "cause": execution.get("cause"),
    }
    eventbridge._put_events(
        {"Entries": [{
            "Source": "aws.states",
            "DetailType": "Step Functions Execution Status Change",
            "Detail": json.dumps(detail),
            "Resources": [execution["executionArn"]],
        }]},
        allow_aws_source=True,
    )
    logger.info("%s: %s", execution["executionArn"], status)


def payload(name, text):
    """A payload as far as an event has room for it."""
    included = text is not None and len(json.dumps(text)) <= sfn._STATUS_EVENT_PAYLOAD_CAP
    return {name: text if included else None, f"{name}Details": None if text is None else {"included": included}}
