"""Step Functions with redrive, checkpoints, and the failures that AWS documents.

The emulator keeps its API, its records and its leaves: JSONPath, Pass, Wait, the calls of other
services. This module replaces what walks through a definition. Each top level, branch and
iteration is a `Frame`, which knows where it stands, so that a redrive continues there.

AWS documentation, all under https://docs.aws.amazon.com/step-functions/latest/dg/:
redrive-executions.html, concepts-error-handling.html, transforming-data.html,
workflow-variables.html, input-output-contextobject.html, eventbridge-integration.html,
service-quotas.html
"""

import contextvars
import json
import logging
import random
import threading
import time
from collections import ChainMap, deque
from dataclasses import dataclass, field, replace
from typing import Any

import jsonata
from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, now_iso
from ministack.services import eventbridge, kms, sns
from ministack.services import stepfunctions as sfn

from cordon_local import pins

ExecutionError = sfn._ExecutionError
PAYLOAD_LIMIT = 256 * 1024
ERROR_LIMIT, CAUSE_LIMIT = 256, 32768
HISTORY_LIMIT = 24_999
# The quota is one second; 200 executions on a small machine share its processors, so wall-clock time says little.
EVALUATION_LIMIT_MS = 20_000
CLIENT_TOKENS, CLIENT_TOKEN_SECONDS = 10, 15 * 60

logger = logging.getLogger("states")

# The frame whose thread this is, so that a leaf of the emulator that sleeps can be woken.
FRAME = contextvars.ContextVar("frame", default=None)
# The execution for which a task calls an AWS service.
CALLER = contextvars.ContextVar("caller", default=None)


class Stopped(Exception):
    """The frame was told to stop: a sibling failed, or the execution ended."""


def encode(value):
    """The JSON text of a payload, which may have 256 KiB (service-quotas.html)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if len(text.encode("utf-8", "surrogatepass")) > PAYLOAD_LIMIT:
        raise ExecutionError("States.DataLimitExceeded", f"a payload exceeds {PAYLOAD_LIMIT} bytes")
    return text


def spawn(target, *arguments):
    """Runs `target` in a thread that acts in this one's account and region."""
    threading.Thread(target=contextvars.copy_context().run, args=(target, *arguments), daemon=True).start()


class Variables(ChainMap):
    """The variables that a state sees: what it assigns, its frame's own, the enclosing frames'."""

    def __setitem__(self, name, value):
        if any(name in scope for scope in self.maps[2:]):
            raise ExecutionError("States.Runtime", f"variable `{name}` belongs to an outer scope")
        super().__setitem__(name, value)


class Run:
    """An execution, with its definition of the start, its history, and its frames."""

    def __init__(self, execution):
        machine = sfn._state_machines[execution["stateMachineArn"]]
        self.execution = execution
        self.machine_name = machine["name"]
        self.definition = machine["definition"]
        body = json.loads(self.definition)
        self.language = body.get("QueryLanguage", "JSONPath")
        self.timeout = body.get("TimeoutSeconds")
        self.input = json.loads(execution["input"])
        # Guards the history and every frame, and wakes whoever waits for one of them.
        self.changed = threading.Condition()
        self.tokens = deque(maxlen=CLIENT_TOKENS)
        execution.update(redriveCount=0, roleArn=machine["roleArn"])
        execution["events"][0]["previousEventId"] = 0
        self.top = Frame(self, body, body["StartAt"], self.input, [])

    def drive(self):
        """Runs the frames to their end, in this thread."""
        top = self.top
        if self.timeout is not None:
            timer = threading.Timer(
                self.timeout, contextvars.copy_context().run, (self.end, top, "TIMED_OUT", "States.Timeout"))
            timer.daemon = True
            timer.start()
        top.drive()
        if self.timeout is not None:
            timer.cancel()
        if top.ended and top.failure:
            self.end(top, "FAILED", top.failure.error, top.failure.cause)
        elif top.ended:
            self.end(top, "SUCCEEDED", output=encode(top.input))

    def append(self, kind, previous, details):
        events = self.execution["events"]
        events.append(
            {"id": len(events) + 1, "previousEventId": previous, "type": kind, "timestamp": now_iso(), **details})
        return len(events)

    def end(self, top, status, error=None, cause=None, output=None):
        """Ends the execution, unless something else did before; `top` says which attempt is meant."""
        name = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "ABORTED": "Aborted", "TIMED_OUT": "TimedOut"}[status]
        outcome = {"output": output} if status == "SUCCEEDED" else failure_details(error, cause)
        with self.changed:
            if self.execution["status"] != "RUNNING" or self.top is not top:
                return
            top.stop()
            self.append(f"Execution{name}", top.last, {f"execution{name}EventDetails": outcome})
            self.execution.update(outcome, status=status, stopDate=now_iso())
            self.changed.notify_all()
        sfn._emit_execution_status_event(self.execution)

    def redrive(self):
        """Makes the execution run again from its unsuccessful states; `drive` has to follow."""
        execution = self.execution
        count, date = execution["redriveCount"] + 1, now_iso()
        last = self.append(
            "ExecutionRedriven", len(execution["events"]), {"executionRedrivenEventDetails": {"redriveCount": count}})
        # A mended role helps a redrive, so it is the machine's role of today.
        role = sfn._state_machines[execution["stateMachineArn"]]["roleArn"]
        execution.update(
            status="RUNNING", stopDate=None, output=None, error=None, cause=None,
            redriveCount=count, redriveDate=date, roleArn=role)
        self.top = replace(self.top.revived(), last=last)
        return date

    def context(self):
        """The part of the context object that is the same in every state (input-output-contextobject.html)."""
        execution = self.execution
        about = {
            "Id": execution["executionArn"],
            "Input": self.input,
            "Name": execution["name"],
            "RoleArn": execution["roleArn"],
            "StartTime": execution["startDate"],
            "RedriveCount": execution["redriveCount"],
        }
        if execution["redriveCount"]:
            about["RedriveTime"] = execution["redriveDate"]
        return {"Execution": about, "StateMachine": {"Id": execution["stateMachineArn"], "Name": self.machine_name}}


@dataclass(eq=False)
class Frame:
    """Where the top level, a branch or an iteration stands."""

    run: Run
    body: dict
    state: str | None  # the state that is to run, or runs; None when the frame is done
    input: Any  # of that state; the frame's output when it is done
    outer: list  # the variables of the enclosing frames, innermost first
    iteration: dict | None = None
    entered: str | None = None  # when the state was entered
    children: list | None = None  # the frames of the Parallel or Map state that was entered
    last: int = 0  # the frame's latest event
    stopped: bool = False
    ended: bool = False
    failure: Any = None
    variables: dict = field(default_factory=dict)

    def revived(self):
        """This frame as a redrive finds it: what is done stays done, the rest goes on from its checkpoint."""
        if self.state is None:
            return self
        children = self.children and [child.revived() for child in self.children]
        return replace(self, children=children, last=0, stopped=False, ended=False, failure=None)

    def drive(self):
        """The frame's thread."""
        FRAME.set(self)
        try:
            try:
                self.walk()
                outcome = "Succeeded"
            except ExecutionError as failure:
                self.failure, outcome = failure, "Failed"
            except Stopped:
                raise
            except Exception as failure:
                logger.exception("%s: state `%s`", self.run.execution["executionArn"], self.state)
                self.failure, outcome = ExecutionError("States.Runtime", str(failure)), "Failed"
            with self.run.changed:
                if self.stopped:
                    raise Stopped
                if self.iteration:
                    self.record(f"MapIteration{outcome}", self.iteration)
                self.ended = True
                self.run.changed.notify_all()
        except Stopped:
            logger.debug("%s: stopped in `%s`", self.run.execution["executionArn"], self.state)

    def walk(self):
        while self.state is not None:
            state = self.body["States"].get(self.state)
            if state is None:
                raise ExecutionError("States.Runtime", f"there is no state `{self.state}`")
            kind = state["Type"]
            if self.entered is None:
                self.entered = now_iso()
                self.record(f"{kind}StateEntered", {"name": self.state, "input": encode(self.input)}, "stateEntered")
            output, following, assigned = self.perform(kind, state)
            exited = {"name": self.state, "output": output}
            if assigned:
                exited["assignedVariables"] = {name: encode(value) for name, value in assigned.items()}
            with self.run.changed:
                self.record(f"{kind}StateExited", exited, "stateExited")
                self.variables.update(assigned)
                self.state, self.input, self.entered, self.children = following, json.loads(output), None, None

    def perform(self, kind, state):
        """Runs the state with its Retry and Catch: the output's text, the next state, the assigned variables."""
        fallible = state if kind in ("Task", "Parallel", "Map") else {}
        retries = {}
        while True:
            ctx = self.context(state, sum(retries.values()))
            try:
                output, following = self.attempt(kind, state, ctx)
                return encode(output), following, ctx["variables"].maps[0]
            except ExecutionError as failure:
                failure.error, failure.cause = failure.error[:ERROR_LIMIT], failure.cause[:CAUSE_LIMIT]
                if failure.error == "States.QueryEvaluationError":
                    self.record("EvaluationFailed", {**failure_details(failure.error, failure.cause), "state": self.state})
                retrier, index = sfn._find_matching_retrier(fallible.get("Retry", []), failure.error, retries)
                catcher = sfn._find_matching_catcher(fallible.get("Catch", []), failure.error)
                if retrier or catcher or failure.error == "States.DataLimitExceeded":
                    self.children = None
                if retrier:
                    done = retries.get(index, 0)
                    self.wait(lambda: False, delay(retrier, done) * sfn._SFN_WAIT_SCALE)
                    retries[index] = done + 1
                elif catcher:
                    ctx = self.context(state, sum(retries.values()))
                    output = sfn._apply_catcher(
                        catcher, self.input, ctx, ctx["QueryLanguage"], {"Error": failure.error, "Cause": failure.cause})
                    return encode(output), catcher["Next"], ctx["variables"].maps[0]
                else:
                    raise

    def attempt(self, kind, state, ctx):
        following = sfn._next_or_end(state)
        match kind:
            case "Task":
                return self.shaped(state, ctx, self.task(state, ctx)), following
            case "Parallel":
                return self.shaped(state, ctx, self.parallel(state, ctx)), following
            case "Map":
                return self.shaped(state, ctx, self.map(state, ctx)), following
            case "Choice" if ctx["QueryLanguage"] == "JSONata":
                return self.choice(state, ctx)
            case "Choice":
                return sfn._execute_choice(state, self.input, ctx)
            case "Pass":
                return sfn._execute_pass(state, self.input, ctx)
            case "Wait":
                return sfn._execute_wait(state, self.input, ctx)
            case "Succeed" if ctx["QueryLanguage"] == "JSONata":
                return sfn._apply_jsonata_output(state, self.input, ctx, default=self.input), None
            case "Succeed":
                return sfn._apply_output_path(state, sfn._apply_input_path(state, self.input, ctx), ctx), None
            case "Fail":
                raise ExecutionError(*sfn._fail_state_error(state, self.input, ctx))
        raise ExecutionError("States.Runtime", f"there is no state type `{kind}`")

    def arguments(self, state, ctx):
        if ctx["QueryLanguage"] == "JSONata":
            return sfn._apply_jsonata_arguments(state, self.input, ctx)
        return sfn._apply_parameters(state, sfn._apply_input_path(state, self.input, ctx), ctx)

    def shaped(self, state, ctx, result):
        """The state's output, made from what its task or its children gave; assigns its variables."""
        encode(result)
        if ctx["QueryLanguage"] == "JSONata":
            seen = jsonata.utils.Utils.NULL_VALUE if result is None else result
            output = sfn._apply_jsonata_output(state, self.input, ctx, result=seen, default=result)
            sfn._apply_state_assign(state, self.input, ctx, result=seen)
            return output
        result = sfn._apply_result_path(state, self.input, sfn._apply_result_selector(state, result))
        return sfn._apply_output_path(state, result, ctx)

    def choice(self, state, ctx):
        default = state if "Default" in state else None
        chosen = next(
            (rule for rule in state["Choices"]
             if sfn._jsonata_state_field(rule, "Condition", "boolean", self.input, ctx)), default)
        if chosen is None:
            raise ExecutionError("States.NoChoiceMatched", f"no rule of `{self.state}` matched and it has no Default")
        output = sfn._apply_jsonata_output(chosen, self.input, ctx, default=self.input)
        sfn._apply_state_assign(chosen, self.input, ctx)
        return output, state["Default"] if chosen is state else chosen["Next"]

    def task(self, state, ctx):
        resource = state["Resource"]
        timeout = state.get("TimeoutSeconds")
        if isinstance(timeout, str):
            timeout = sfn._jsonata_state_field(state, "TimeoutSeconds", "number", self.input, ctx)
        if ".waitForTaskToken" in resource:
            ctx["Task"] = {"Token": sfn.new_uuid()}
        arguments = self.arguments(state, ctx)

        if ":function:" in resource:
            family, about = "LambdaFunction", {}
            scheduled = {"resource": resource, "input": encode(arguments)}
        else:
            kind, _, action = resource.partition(":states:::")[2].rpartition(":")
            family, about = "Task", {"resourceType": kind or "activity", "resource": action or resource}
            scheduled = {**about, "region": get_region(), "parameters": encode(arguments)}
        if timeout is not None:
            scheduled["timeoutInSeconds"] = int(timeout)
        self.record(f"{family}Scheduled", scheduled)
        self.record(f"{family}Started", about)

        answer = []

        def call():
            try:
                result = perform_task(self.run, state, arguments, ctx)
                outcome = (result, None)
            except ExecutionError as failure:
                outcome = (None, failure)
            except Exception as failure:
                logger.exception("%s: task `%s`", self.run.execution["executionArn"], resource)
                outcome = (None, ExecutionError("States.Runtime", str(failure)))
            with self.run.changed:
                answer.append(outcome)
                self.run.changed.notify_all()

        spawn(call)
        if not self.wait(lambda: answer, timeout):
            failure = ExecutionError("States.Timeout", f"the task took longer than {timeout} seconds")
            self.record(f"{family}TimedOut", {**about, **failure_details(failure.error, failure.cause)})
            raise failure
        result, failure = answer[0]
        if failure:
            self.record(f"{family}Failed", {**about, **failure_details(failure.error, failure.cause)})
            raise failure
        self.record(f"{family}Succeeded", {**about, "output": encode(result)})
        return result

    def parallel(self, state, ctx):
        if self.children is None:
            argument = self.arguments(state, ctx)
            encode(argument)
            self.children = [self.child(branch, argument) for branch in state["Branches"]]
        self.record("ParallelStateStarted")
        return self.run_children("Parallel", len(self.children))

    def map(self, state, ctx):
        is_jsonata = ctx["QueryLanguage"] == "JSONata"
        limit = state.get("MaxConcurrency", 0)
        if isinstance(limit, str):
            limit = sfn._jsonata_state_field(state, "MaxConcurrency", "number", self.input, ctx)
        if self.children is None:
            processor = state.get("ItemProcessor") or state["Iterator"]
            if processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
                raise ExecutionError("States.Runtime", f"`{self.state}`: the local AWS runs inline maps only")
            effective = sfn._apply_input_path(state, self.input, ctx)
            if is_jsonata and "Items" in state:
                items = sfn._jsonata_state_field(state, "Items", "array", self.input, ctx)
            else:
                items = sfn._resolve_path_or_ctx(state.get("ItemsPath", "$"), effective, ctx)
            if not isinstance(items, list):
                raise ExecutionError("States.Runtime", f"the items of `{self.state}` are no array")
            selector = state.get("ItemSelector") or state.get("Parameters")

            def iteration(index, item):
                item_ctx = {**ctx, "Map": {"Item": {"Index": index, "Value": item}}}
                if selector and is_jsonata:
                    item = sfn._apply_jsonata_template(selector, self.input, item_ctx)
                elif selector:
                    item = sfn._resolve_params_obj(selector, effective, item_ctx)
                return self.child(processor, item, {"name": self.state, "index": index})

            self.children = [iteration(index, item) for index, item in enumerate(items)]
        self.record("MapStateStarted", {"length": len(self.children)})
        return self.run_children("Map", int(limit) or len(self.children))

    def child(self, body, argument, iteration=None):
        return Frame(self.run, body, body["StartAt"], argument, [self.variables, *self.outer], iteration)

    def run_children(self, kind, limit):
        """Runs the children that are not done, at most `limit` at once; one's failure stops the others."""
        started = self.last
        waiting = deque(child for child in self.children if child.state is not None)
        running = []
        while waiting or running:
            while waiting and len(running) < limit:
                child = waiting.popleft()
                child.last = started
                if child.iteration:
                    child.record("MapIterationStarted", child.iteration)
                running.append(child)
                spawn(child.drive)
            self.wait(lambda: any(child.ended for child in running))
            failed = next((child for child in running if child.failure and child.ended), None)
            if failed:
                with self.run.changed:
                    for child in self.children:
                        child.stop()
                    self.last = failed.last
                    self.record(f"{kind}StateFailed")
                    self.run.changed.notify_all()
                raise ExecutionError(failed.failure.error, failed.failure.cause)
            running = [child for child in running if not child.ended]
        self.last = max([self.last, *(child.last for child in self.children)])
        self.record(f"{kind}StateSucceeded")
        return [child.input for child in self.children]

    def stop(self):
        """Stops the frame and those within, and says so in the history. The caller holds the run's lock."""
        if self.stopped or self.ended:
            return
        for child in self.children or ():
            child.stop()
        kind = self.body["States"].get(self.state, {}).get("Type")
        if self.entered and kind in ("Task", "Wait", "Parallel", "Map"):
            self.record(f"{kind}StateAborted")
        if self.iteration and self.last:
            self.record("MapIterationAborted", self.iteration)
        self.stopped = True

    def wait(self, done, seconds=None):
        """Waits until `done()`, or for `seconds`; says which."""
        with self.run.changed:
            self.run.changed.wait_for(lambda: self.stopped or done(), seconds)
            if self.stopped:
                raise Stopped
            return done()

    def record(self, kind, details=None, family=None):
        name = family or kind[0].lower() + kind[1:]
        with self.run.changed:
            if self.stopped:
                raise Stopped
            self.last = self.run.append(kind, self.last, {f"{name}EventDetails": details} if details else {})

    def context(self, state, retries):
        """What the emulator's leaves are given: the context object, and what they need besides."""
        return {
            **self.run.context(),
            "State": {"EnteredTime": self.entered, "Name": self.state, "RetryCount": retries},
            "QueryLanguage": state.get("QueryLanguage", self.run.language),
            "variables": Variables({}, self.variables, *self.outer),
        }


def failure_details(error, cause):
    details = {"error": error and error[:ERROR_LIMIT], "cause": cause and cause[:CAUSE_LIMIT]}
    return {name: value for name, value in details.items() if value is not None}


def delay(retrier, retries):
    """Seconds to wait before the next attempt (concepts-error-handling.html)."""
    seconds = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retries
    seconds = min(seconds, retrier.get("MaxDelaySeconds", seconds))
    return random.uniform(0, seconds) if retrier.get("JitterStrategy") == "FULL" else seconds


def error_matches(_original, error_equals, error):
    """Whether a Retry or Catch is meant (concepts-error-handling.html): States.Runtime always fails the
    execution, and States.DataLimitExceeded has to be named."""
    if error == "States.Runtime":
        return False
    if error in error_equals:
        return True
    if error == "States.DataLimitExceeded":
        return False
    return "States.ALL" in error_equals or ("States.TaskFailed" in error_equals and error != "States.Timeout")


def pause(original, seconds):
    """Sleeps in a Wait state, until the execution ends."""
    frame = FRAME.get()
    if frame:
        frame.wait(lambda: False, max(0, seconds * sfn._SFN_WAIT_SCALE))
    else:
        original(seconds)


# JSONata


def evaluate(_original, expression, raw_input, ctx=None, result=None, error_output=None):
    """An expression's value. `$states` has a `result` only after a task or sub-workflow, an `errorOutput` only
    in a Catch, and the documented context object (transforming-data.html)."""
    ctx = ctx or {}
    states = {
        "input": raw_input,
        "context": {
            name: ctx[name] for name in ("Execution", "State", "StateMachine", "Task", "Map") if name in ctx},
    }
    if result is not None:
        states["result"] = result
    if error_output is not None:
        states["errorOutput"] = error_output
    null = jsonata.utils.Utils.NULL_VALUE
    bindings = {name: null if value is None else value for name, value in ctx.get("variables", {}).items()}
    # An undefined value leaves the member out, which tells it from null. `$eval` is the one function that AWS lacks.
    try:
        compiled = jsonata.Jsonata.jsonata('{"value": (' + expression + "\n)}", timeout=EVALUATION_LIMIT_MS)
        sfn._register_sfn_jsonata_functions(compiled)
        found = compiled.evaluate(None, {**bindings, "states": states, "eval": None})
        found = json.loads(json.dumps(found, allow_nan=False))
    except Exception as failure:
        code = getattr(failure, "error", None)
        raise ExecutionError(
            "States.QueryEvaluationError", f"{code}: {failure}" if isinstance(code, str) else str(failure)) from failure
    if "value" not in found:
        raise ExecutionError("States.QueryEvaluationError", f"the expression `{expression}` returned nothing")
    return found["value"]


def assign(_original, state, raw_input, ctx, result=None, error_output=None):
    """Assigns a state's variables, all computed from the values before (workflow-variables.html)."""
    if ctx["QueryLanguage"] != "JSONata":
        return
    values = {
        name: sfn._apply_jsonata_template(template, raw_input, ctx, result, error_output)
        for name, template in state.get("Assign", {}).items()
    }
    encode(values)
    ctx["variables"].update(values)


# Calls of other services


def perform_task(run, state, arguments, ctx):
    """Calls what the task names, with the rights of the machine's role."""
    resource = state["Resource"]
    integration = resource.partition(":states:::")[2].removesuffix(".waitForTaskToken").removesuffix(".sync")
    if ":function:" in resource:
        require(run, "lambda:InvokeFunction", resource, "Lambda.AWSLambdaException")
    elif integration in OPTIMIZED:
        action, target, error = OPTIMIZED[integration]
        require(run, action, target(arguments), error)
        if integration == "sns:publish":
            require_topic_key(run, arguments)
    elif not integration.startswith("aws-sdk:") and ":activity:" not in resource:
        raise ExecutionError("States.Runtime", f"the local AWS does not know which permission `{resource}` needs")
    if integration.startswith("aws-sdk:"):
        CALLER.set(run)
    if "Task" in ctx:
        return sfn._invoke_with_callback(resource, arguments, ctx["Task"]["Token"], state)
    return sfn._invoke_resource(resource, arguments)


def local_arn(service, resource):
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"


def function_arn(arguments):
    name = arguments["FunctionName"]
    return name if name.startswith("arn:") else local_arn("lambda", f"function:{name}")


def table_arn(arguments):
    return local_arn("dynamodb", f"table/{arguments['TableName']}")


# The optimized integrations: the action, the resource, and the error of a role that lacks the permission.
OPTIMIZED = {
    "lambda:invoke": ("lambda:InvokeFunction", function_arn, "Lambda.AWSLambdaException"),
    "sns:publish": ("sns:Publish", lambda arguments: arguments["TopicArn"], "SNS.AuthorizationErrorException"),
    "sqs:sendMessage": (
        "sqs:SendMessage",
        lambda arguments: local_arn("sqs", arguments["QueueUrl"].rsplit("/", 1)[-1]),
        "SQS.AmazonSQSException",
    ),
    **{
        f"dynamodb:{name[0].lower()}{name[1:]}": (f"dynamodb:{name}", table_arn, "DynamoDB.AmazonDynamoDBException")
        for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem")
    },
}


def denial(run, action, resource):
    """Why the machine's role may not do this, or None."""
    role = run.execution["roleArn"]
    account = role.split(":")[4]
    name = role.rsplit("/", 1)[-1]
    caller = f"arn:aws:sts::{account}:assumed-role/{name}/{run.execution['name']}"
    credential = iam_evaluator.ResolvedCredential(
        access_key_id="", secret_access_key="", account_id=account, principal_arn=caller,
        principal_id=f"{name}:{run.execution['name']}", principal_type="AssumedRole")
    principal = iam_evaluator.resolve_principal("", account, credential)
    request = iam_evaluator.EvalContext(
        principal_arn=caller, principal_type=principal.type, principal_account=account, action=action,
        resource_arn=resource, region=get_region(), service_context={"aws:tagkeys": None},
        principal_keys=principal.keys)
    service = action.split(":")[0]
    result = iam_evaluator.evaluate(request, principal.policies, *principal.limits)
    policy = iam_evaluator._resource_policy(service, resource)
    if policy:
        result = iam_evaluator.combine_resource_policy(
            result, request, *policy, required=service in iam_evaluator._POLICY_REQUIRED, limits=principal.limits)
    if result.decision == "Allow":
        return None
    return iam_actions.identity_denial_message(action, caller, resource, result.decision == "Deny")


def require(run, action, resource, error):
    reason = denial(run, action, resource)
    if reason:
        raise ExecutionError(error, reason)


def require_topic_key(run, arguments):
    """Whoever publishes to an encrypted topic needs its key
    (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html)."""
    attributes = sns._topics.get(arguments["TopicArn"], {}).get("attributes", {})
    key = kms._resolve_key(attributes.get("KmsMasterKeyId"))
    if key:
        for action in ("kms:GenerateDataKey", "kms:Decrypt"):
            require(run, action, key["Arn"], "SNS.KMSAccessDeniedException")


def call_service(original, handler, method, path, headers, body, query, timeout=None):
    """Checks the role of a task that calls an AWS service, with what it sends, as the service would."""
    run = CALLER.get()
    if run is None:
        return original(handler, method, path, headers, body, query, timeout)
    service = headers["authorization"].split("/")[3]
    query = app._routing_params(method, path, headers, body, query)
    action = iam_actions.extract_iam_action(service, method, path, headers, body, query)
    resource = iam_actions.extract_resource_arn(
        service, method, path, headers, body, query, get_region(), get_account_id())
    require(run, action, resource, "AccessDenied")
    # What the service does then, it does on its own behalf.
    outside = contextvars.copy_context()
    outside.run(CALLER.set, None)
    return outside.run(original, handler, method, path, headers, body, query, timeout)


def call_sdk(original, resource, arguments):
    """Errors of an AWS SDK integration have the names of the SDK for Java 2.x, whose exceptions all end in
    `Exception`, and which knows only those that the operation's model lists
    (supported-services-awssdk.html)."""
    try:
        return original(resource, arguments)
    except ExecutionError as failure:
        raise ExecutionError(sdk_error(resource, failure.error), failure.cause) from failure


def sdk_error(resource, error):
    service, action = resource.removesuffix(".waitForTaskToken").split(":")[-2:]
    prefix, code = sfn._AWS_SDK_ERROR_PREFIX.get(service.lower(), service.capitalize()), error.rpartition(".")[2]
    if error.startswith("States."):
        return error
    model = sfn._service_model(sfn._AWS_SDK_SERVICE_MAP[service.lower()].get("service_key", service.lower()))
    for shape in model.operation_model(action[0].upper() + action[1:]).error_shapes:
        if code in (shape.name, shape.metadata.get("error", {}).get("code")):
            return f"{prefix}.{shape.name.removesuffix('Fault').removesuffix('Exception')}Exception"
    return f"{prefix}.{prefix}Exception"


# The API

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
    return json_response({**json.loads(body), **{name: value for name, value in details.items() if value is not None}})


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


def install():
    """Puts this module in the place of the emulator's functions."""
    states = "ministack.services.stepfunctions"
    pins.replace("ministack.app:call_service_handler_sync", call_service)
    pins.replace(f"{states}:_apply_state_assign", assign)
    pins.replace(f"{states}:_describe_execution", describe_execution)
    pins.replace(f"{states}:_describe_state_machine_for_execution", describe_state_machine_for_execution)
    pins.replace(f"{states}:_emit_execution_status_event", emit_status)
    pins.replace(f"{states}:_error_matches", error_matches)
    pins.replace(f"{states}:_evaluate_jsonata", evaluate)
    pins.replace(f"{states}:_invoke_aws_sdk_integration", call_sdk)
    pins.replace(f"{states}:_run_execution", run_execution)
    pins.replace(f"{states}:_scaled_sleep", pause)
    pins.replace(f"{states}:_stop_execution", stop_execution)
    pins.replace(f"{states}:handle_request", handle_request)
