"""Executions that know where they stand.

Each top level, branch and iteration is a `Frame`: its state, its input, its variables, and the
frames within. A redrive goes on from there. The emulator's leaves do the work of a state.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

import contextvars
import json
import logging
import random
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from ministack.core.responses import get_region, now_iso
from ministack.services import stepfunctions as sfn

from cordon_local import pins
from cordon_local.expressions import NULL, ExecutionError, Variables, encode
from cordon_local.task_faults import perform_task

ERROR_LIMIT, CAUSE_LIMIT = 256, 32768
CLIENT_TOKENS = 10
# AWS has as many machines as it takes; this is one. A task that waits for its turn has not begun, so its time
# does not run.
TASKS_AT_ONCE = threading.BoundedSemaphore(24)

logger = logging.getLogger("states")

# The frame whose thread this is, so that a leaf of the emulator that sleeps can be woken.
FRAME = contextvars.ContextVar("frame", default=None)


def install() -> None:
    states = "ministack.services.stepfunctions"
    pins.replace(f"{states}:_error_matches", error_matches)
    pins.replace(f"{states}:_scaled_sleep", pause)


class Stopped(Exception):
    """The frame was told to stop: a sibling failed, or the execution ended."""


def spawn(target, *arguments):
    """Runs `target` in a thread that acts in this one's account and region."""
    threading.Thread(target=contextvars.copy_context().run, args=(target, *arguments), daemon=True).start()


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
                    details = failure_details(failure.error, failure.cause)
                    self.record("EvaluationFailed", {**details, "state": self.state})
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
                    error_output = {"Error": failure.error, "Cause": failure.cause}
                    output = sfn._apply_catcher(catcher, self.input, ctx, ctx["QueryLanguage"], error_output)
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
            seen = NULL if result is None else result
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

        with TASKS_AT_ONCE:
            spawn(call)
            answered = self.wait(lambda: answer, timeout)
        if not answered:
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
