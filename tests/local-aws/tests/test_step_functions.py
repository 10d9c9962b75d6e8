"""Executions, against the pages of AWS that say how they behave.

Pages without an address are under https://docs.aws.amazon.com/step-functions/latest/dg/.
"""

import functools
import io
import json
import time
import zipfile

from local_aws import MEMBER, SECURITY, LocalAwsTest, allow, policy, role_with, until, user_with

LIMIT = 256 * 1024
ECHO = "arn:aws:lambda:us-east-1:111111111111:function:echo"
REDRIVEN = {"Condition": "{% $states.context.Execution.RedriveCount > $seen %}", "Next": "Done"}
REMEMBER = {
    "Type": "Pass",
    "Assign": {"seen": "{% $states.context.Execution.RedriveCount %}"},
    "Next": "WaitForPeopleToRedrive",
}
AWAIT_REDRIVE = {"Type": "Choice", "Choices": [REDRIVEN]}
DONE = {"Type": "Succeed"}
FAIL = {"Type": "Fail", "Error": "Broken", "Cause": "on purpose"}

# A runtime of its own, as compiled functions have one: what it reports arrives as it is.
BOOTSTRAP = """#!/usr/bin/env python3
import json, os, time, urllib.request
api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
while True:
    with urllib.request.urlopen(f"{api}/next") as invocation:
        request, event = invocation.headers["Lambda-Runtime-Aws-Request-Id"], json.load(invocation)
    if event.get("do") == "exit":
        os._exit(1)
    time.sleep(event.get("seconds", 0))
    answer, body = "response", {"got": event, "large": "x" * event.get("size", 0)}
    if event.get("do") == "fail":
        answer, body = "error", {"errorType": event["type"], "errorMessage": event["message"]}
    post = urllib.request.Request(f"{api}/{request}/{answer}", json.dumps(body).encode(), method="POST")
    urllib.request.urlopen(post).read()
"""



@functools.cache
def create_echo(aws) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        package.writestr(entry, BOOTSTRAP)
    role = role_with(aws, "echo", trust("lambda"), account=SECURITY)
    aws.root("lambda", SECURITY).create_function(
        FunctionName="echo", Runtime="provided.al2023", Handler="bootstrap", Timeout=1, Role=role,
        Code={"ZipFile": archive.getvalue()})


def trust(service: str) -> dict:
    return {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}


class StepFunctionsTest(LocalAwsTest):
    """Machines with a role for each class of tests."""

    machines = 0

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        create_echo(cls.aws)
        cls.sfn = cls.aws.root("stepfunctions", SECURITY)
        cls.iam = cls.aws.root("iam", SECURITY)
        cls.role_name = f"machine-{cls.__name__}"
        cls.role = role_with(cls.aws, cls.role_name, trust("states"), account=SECURITY, path="/cordon/")
        cls.grant("function", "lambda:InvokeFunction", ECHO)

    @classmethod
    def grant(cls, name: str, action, resource="*") -> None:
        cls.iam.put_role_policy(RoleName=cls.role_name, PolicyName=name, PolicyDocument=allow(action, resource))

    def revoke(self, name: str) -> None:
        self.iam.delete_role_policy(RoleName=self.role_name, PolicyName=name)

    def machine(self, definition: dict) -> str:
        StepFunctionsTest.machines += 1
        definition = {"QueryLanguage": "JSONata", **definition}
        return self.sfn.create_state_machine(
            name=f"machine-{self.machines}", definition=json.dumps(definition), roleArn=self.role)["stateMachineArn"]

    def start(self, states: dict, given=None, **top) -> str:
        machine = self.machine({"StartAt": next(iter(states)), "States": states, **top})
        return self.sfn.start_execution(stateMachineArn=machine, input=json.dumps(given or {}))["executionArn"]

    def ended(self, arn: str) -> dict:
        def over():
            execution = self.sfn.describe_execution(executionArn=arn)
            return execution if execution["status"] != "RUNNING" else None

        return until(over, f"`{arn}` ends")

    def run_states(self, states: dict, given=None, **top) -> dict:
        return self.ended(self.start(states, given, **top))

    def redrive(self, execution: dict) -> dict:
        self.sfn.redrive_execution(executionArn=execution["executionArn"])
        return self.ended(execution["executionArn"])

    def output(self, states: dict, given=None, **top):
        execution = self.run_states(states, given, **top)
        self.assertEqual(execution["status"], "SUCCEEDED", execution)
        return json.loads(execution["output"])

    def error(self, states: dict, given=None, **top) -> str:
        return self.run_states(states, given, **top)["error"]

    def value(self, expression: str, given=None):
        return self.output({"Say": {"Type": "Pass", "Output": f"{{% {expression} %}}", "End": True}}, given)

    def history(self, execution: dict) -> list[dict]:
        return self.sfn.get_execution_history(executionArn=execution["executionArn"], maxResults=1000)["events"]

    def kinds(self, execution: dict) -> list[str]:
        return [event["type"] for event in self.history(execution)]


def echo(**fields) -> dict:
    """A Task that calls the function with the state's input."""
    arguments = {"FunctionName": "echo", "Payload": "{% $states.input %}"}
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": arguments, **fields}
    return state if "Next" in state else {**state, "End": True}


def service(resource: str, arguments: dict, **fields) -> dict:
    return {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments, "End": True, **fields}


def branch(**states) -> dict:
    return {"StartAt": next(iter(states)), "States": states}


def parallel(*branches, **fields) -> dict:
    state = {"Type": "Parallel", "Branches": list(branches), **fields}
    return state if "Next" in state else {**state, "End": True}


def say(output, **fields) -> dict:
    state = {"Type": "Pass", "Output": output, **fields}
    return state if "Next" in state else {**state, "End": True}


class Redrive(StepFunctionsTest):
    """redrive-executions.html, API_RedriveExecution.html, API_DescribeExecution.html"""

    def failed(self) -> dict:
        return self.run_states({"Remember": REMEMBER, "WaitForPeopleToRedrive": AWAIT_REDRIVE, "Done": DONE})

    def test_a_choice_evaluates_its_rules_again_and_sees_the_raised_count(self):
        execution = self.failed()
        self.assertEqual((execution["status"], execution["error"]), ("FAILED", "States.NoChoiceMatched"))
        self.assertEqual(self.redrive(execution)["status"], "SUCCEEDED")

    def test_describe_says_whether_and_when(self):
        execution = self.failed()
        self.assertEqual((execution["redriveCount"], execution["redriveStatus"]), (0, "REDRIVABLE"))
        self.assertNotIn("redriveDate", execution)
        answered = self.sfn.redrive_execution(executionArn=execution["executionArn"])
        execution = self.ended(execution["executionArn"])
        self.assertEqual(execution["redriveDate"], answered["redriveDate"])
        self.assertEqual((execution["redriveCount"], execution["redriveStatus"]), (1, "NOT_REDRIVABLE"))
        self.assertEqual(execution["redriveStatusReason"], "Execution is SUCCEEDED and cannot be redriven")

    def test_the_history_goes_on(self):
        execution = self.failed()
        before = self.history(execution)
        after = self.history(self.redrive(execution))
        self.assertEqual(after[: len(before)], before)
        redriven = after[len(before)]
        self.assertEqual(redriven["type"], "ExecutionRedriven")
        self.assertEqual(redriven["executionRedrivenEventDetails"], {"redriveCount": 1})
        # "a state is unsuccessful if there is no Exited event for its Entered": it stays entered.
        self.assertEqual([event["type"] for event in after[len(before) + 1:]],
                         ["ChoiceStateExited", "SucceedStateEntered", "SucceedStateExited", "ExecutionSucceeded"])

    def test_refusals(self):
        done = self.run_states({"Done": DONE})
        refused = self.refused("ExecutionNotRedrivable", self.sfn.redrive_execution, executionArn=done["executionArn"])
        self.assertIn("SUCCEEDED", str(refused))
        running = self.start({"Wait": {"Type": "Wait", "Seconds": 60, "Next": "Done"}, "Done": DONE})
        self.refused("ExecutionNotRedrivable", self.sfn.redrive_execution, executionArn=running)
        self.sfn.stop_execution(executionArn=running)
        missing = done["executionArn"] + "x"
        self.refused("ExecutionDoesNotExist", self.sfn.redrive_execution, executionArn=missing)
        self.refused("InvalidArn", self.sfn.redrive_execution, executionArn="nothing")

    def test_a_client_token_is_used_once(self):
        execution = self.run_states({"Fail": FAIL})
        redrive = {"executionArn": execution["executionArn"], "clientToken": "token"}
        first = self.sfn.redrive_execution(**redrive)
        self.ended(execution["executionArn"])
        self.assertEqual(self.sfn.redrive_execution(**redrive)["redriveDate"], first["redriveDate"])
        self.assertEqual(self.ended(execution["executionArn"])["redriveCount"], 1)

    def test_callers_need_the_permission(self):
        execution = self.failed()
        arn = execution["executionArn"]
        nobody = user_with(self.aws, "nobody", account=SECURITY)
        refused = self.aws.client("stepfunctions", nobody)
        self.refused("AccessDeniedException", refused.redrive_execution, executionArn=arn)
        somebody = user_with(self.aws, "somebody", allow("states:RedriveExecution", arn), account=SECURITY)
        self.aws.client("stepfunctions", somebody).redrive_execution(executionArn=arn)
        self.assertEqual(self.ended(arn)["status"], "SUCCEEDED")

    def test_the_definition_is_the_one_of_the_start(self):
        execution = self.failed()
        changed = json.dumps({"StartAt": "Fail", "States": {"Fail": FAIL}})
        self.sfn.update_state_machine(stateMachineArn=execution["stateMachineArn"], definition=changed)
        self.assertEqual(self.redrive(execution)["status"], "SUCCEEDED")
        described = self.sfn.describe_state_machine_for_execution(executionArn=execution["executionArn"])
        self.assertIn("WaitForPeopleToRedrive", described["definition"])

    def test_a_fail_state_fails_again(self):
        execution = self.redrive(self.run_states({"Fail": FAIL}))
        self.assertEqual((execution["status"], execution["error"], execution["redriveCount"]), ("FAILED", "Broken", 1))

    def test_a_task_runs_again_with_its_input_and_the_mended_role(self):
        self.revoke("function")
        execution = self.run_states({"Before": say({"a": 1}, Next="Call"), "Call": echo()})
        self.assertEqual(execution["error"], "Lambda.AWSLambdaException")
        self.grant("function", "lambda:InvokeFunction", ECHO)
        output = json.loads(self.redrive(execution)["output"])
        self.assertEqual(output["Payload"]["got"], {"a": 1})

    def test_retries_start_at_zero(self):
        retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 0, "MaxAttempts": 2}]
        execution = self.run_states({"Call": echo(Retry=retry)}, {"do": "fail", "type": "Busy", "message": "later"})
        self.assertEqual(self.kinds(execution).count("TaskFailed"), 3)
        self.assertEqual(self.kinds(self.redrive(execution)).count("TaskFailed"), 6)

    def test_a_wait_whose_time_is_past_ends_at_once(self):
        until_soon = {"Type": "Wait", "Timestamp": "{% $states.input.then %}", "Next": "Done"}
        then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
        arn = self.start({"Wait": until_soon, "Done": DONE}, {"then": then})
        self.sfn.stop_execution(executionArn=arn)
        time.sleep(2)
        started = time.monotonic()
        self.assertEqual(self.redrive(self.ended(arn))["status"], "SUCCEEDED")
        self.assertLess(time.monotonic() - started, 2)

    def test_only_unsuccessful_branches_run_again(self):
        good = branch(Good=say("{% $uuid() %}"))
        bad = branch(Remember=REMEMBER, WaitForPeopleToRedrive=AWAIT_REDRIVE, Done=DONE)
        pending = branch(Slow={"Type": "Wait", "Seconds": 1, "End": True})
        execution = self.redrive(self.run_states({"Both": parallel(good, bad, pending)}))
        self.assertEqual(execution["status"], "SUCCEEDED")
        exits = [event["stateExitedEventDetails"] for event in self.history(execution)
                 if event["type"] == "PassStateExited"]
        first = [json.loads(exit["output"]) for exit in exits if exit["name"] == "Good"]
        self.assertEqual(first, json.loads(execution["output"])[:1])
        self.assertEqual(self.kinds(execution).count("WaitStateExited"), 1)

    def test_only_unsuccessful_iterations_run_again(self):
        choice = {"Type": "Choice", "Choices": [
            {"Condition": "{% $states.input != 2 or $states.context.Execution.RedriveCount > 0 %}", "Next": "Say"}]}
        each = {"Type": "Map", "Items": [1, 2, 3], "MaxConcurrency": 1, "End": True,
                "ItemProcessor": branch(Judge=choice, Say=say("{% $states.input * 10 %}"))}
        execution = self.run_states({"Each": each})
        kinds = self.kinds(execution)
        self.assertEqual((kinds.count("MapIterationStarted"), kinds.count("MapIterationFailed")), (2, 1))
        execution = self.redrive(execution)
        self.assertEqual(json.loads(execution["output"]), [10, 20, 30])
        entered = [event["stateEnteredEventDetails"]["name"] for event in self.history(execution)
                   if event["type"].endswith("StateEntered")]
        self.assertEqual(entered.count("Say"), 3)

    def test_a_map_within_a_parallel_within_a_map_goes_on_where_it_stood(self):
        inner = {"Type": "Map", "Items": [1, 2], "End": True,
                 "ItemProcessor": branch(Judge={"Type": "Choice", "Choices": [
                     {"Condition": "{% $states.input = 1 or $states.context.Execution.RedriveCount > 1 %}",
                      "Next": "Say"}]}, Say=say("{% $states.input %}"))}
        outer = {"Type": "Map", "Items": ["a", "b"], "End": True,
                 "ItemProcessor": branch(Both=parallel(branch(Inner=inner), branch(Say=say("fine"))))}
        execution = self.run_states({"Outer": outer})
        self.assertEqual(self.redrive(execution)["status"], "FAILED")
        self.assertEqual(json.loads(self.redrive(execution)["output"]), [[[1, 2], "fine"]] * 2)

    def test_variables_are_as_they_were(self):
        states = {
            "One": say(None, Assign={"seen": 0, "x": "kept"}, Next="WaitForPeopleToRedrive"),
            "WaitForPeopleToRedrive": AWAIT_REDRIVE,
            "Done": {"Type": "Succeed", "Output": "{% $x %}"},
        }
        self.assertEqual(json.loads(self.redrive(self.run_states(states))["output"]), "kept")

    def test_after_too_much_data_the_whole_parallel_runs_again(self):
        half = "{% $join($map([1..14000], function($v) { '0123456789' })) %}"
        execution = self.run_states({"Both": parallel(branch(A=say(half)), branch(B=say(half)))})
        self.assertEqual(execution["error"], "States.DataLimitExceeded")
        self.assertEqual(self.kinds(self.redrive(execution)).count("PassStateExited"), 4)

    def test_aborted_and_timed_out_executions_can_be_redriven(self):
        wait = {"Wait": {"Type": "Wait", "Seconds": 1, "Next": "Done"}, "Done": DONE}
        arn = self.start(wait)
        self.sfn.stop_execution(executionArn=arn)
        self.assertEqual(self.redrive(self.ended(arn))["status"], "SUCCEEDED")

    def test_the_time_out_of_the_execution_starts_anew(self):
        states = {"First": {"Type": "Wait", "Seconds": 1, "Next": "Second"},
                  "Second": {"Type": "Wait", "Timestamp": "{% $states.input.then %}", "Next": "Done"}, "Done": DONE}
        then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 4))
        execution = self.run_states(states, {"then": then}, TimeoutSeconds=2)
        self.assertEqual((execution["status"], execution["error"]), ("TIMED_OUT", "States.Timeout"))
        time.sleep(1)
        self.assertEqual(self.redrive(execution)["status"], "SUCCEEDED")

    def test_a_full_history_cannot_be_redriven(self):
        count = {"Type": "Choice", "Default": "Fail", "Choices": [
            {"Condition": "{% $states.input < 12500 %}", "Output": "{% $states.input + 1 %}", "Next": "Count"}]}
        arn = self.start({"Zero": say(0, Next="Count"), "Count": count, "Fail": FAIL})
        until(lambda: self.sfn.describe_execution(executionArn=arn)["status"] == "FAILED", "a long loop ends", 60)
        refused = self.refused("ExecutionNotRedrivable", self.sfn.redrive_execution, executionArn=arn)
        self.assertIn("history event limit", str(refused))


class ContextObject(StepFunctionsTest):
    """input-output-contextobject.html"""

    def test_what_it_holds(self):
        context = self.value("$states.context", {"given": 1})
        self.assertEqual(set(context), {"Execution", "State", "StateMachine"})
        self.assertEqual(set(context["Execution"]), {"Id", "Input", "Name", "RedriveCount", "RoleArn", "StartTime"})
        self.assertEqual(set(context["State"]), {"EnteredTime", "Name", "RetryCount"})
        self.assertEqual(set(context["StateMachine"]), {"Id", "Name"})
        self.assertEqual(context["Execution"]["Input"], {"given": 1})
        self.assertEqual(context["Execution"]["RoleArn"], self.role)
        self.assertEqual((context["Execution"]["RedriveCount"], context["State"]["Name"]), (0, "Say"))

    def test_the_time_of_the_redrive_is_there_after_one(self):
        states = {"Remember": REMEMBER, "WaitForPeopleToRedrive": AWAIT_REDRIVE,
                  "Done": {"Type": "Succeed", "Output": "{% $states.context.Execution %}"}}
        execution = json.loads(self.redrive(self.run_states(states))["output"])
        self.assertEqual(execution["RedriveCount"], 1)
        self.assertGreater(execution["RedriveTime"], execution["StartTime"])

    def test_the_item_is_there_in_the_selector_only(self):
        select = {"item": "{% $states.context.Map.Item.Value %}", "index": "{% $states.context.Map.Item.Index %}"}
        each = {"Type": "Map", "Items": ["a"], "ItemSelector": select, "End": True,
                "ItemProcessor": branch(Say=say("{% [$states.input, $exists($states.context.Map)] %}"))}
        self.assertEqual(self.output({"Each": each}), [[{"item": "a", "index": 0}, False]])

    def test_a_retry_is_counted(self):
        arguments = {"FunctionName": "echo", "Payload": {
            "do": "{% $states.context.State.RetryCount < 2 ? 'fail' : 'answer' %}", "type": "Busy", "message": "m",
            "retries": "{% $states.context.State.RetryCount %}"}}
        retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 0}]
        output = self.output({"Call": echo(Arguments=arguments, Retry=retry)})
        self.assertEqual(output["Payload"]["got"]["retries"], 2)

    def test_a_task_token_is_there_when_the_task_waits_for_it(self):
        queue = self.aws.root("sqs", SECURITY)
        url = queue.create_queue(QueueName="work")["QueueUrl"]
        self.grant("queue", "sqs:SendMessage", "arn:aws:sqs:us-east-1:111111111111:work")
        arguments = {"QueueUrl": url, "MessageBody": {"token": "{% $states.context.Task.Token %}"}}
        arn = self.start({"Ask": service("sqs:sendMessage.waitForTaskToken", arguments)})
        message = until(lambda: queue.receive_message(QueueUrl=url).get("Messages"), "the token arrives")[0]
        self.sfn.send_task_success(taskToken=json.loads(message["Body"])["token"], output='{"done":true}')
        self.assertEqual(json.loads(self.ended(arn)["output"]), {"done": True})


class Branches(StepFunctionsTest):
    """state-parallel.html, state-map.html, state-map-inline.html, workflow-variables.html"""

    def test_an_uncaught_error_stops_the_other_branches(self):
        started = time.monotonic()
        slow = branch(Slow={"Type": "Wait", "Seconds": 30, "Next": "Done"}, Done=DONE)
        call = branch(Call=echo(TimeoutSeconds=20))
        execution = self.run_states({"All": parallel(slow, call, branch(Fail=FAIL))}, {"seconds": 0.5})
        self.assertLess(time.monotonic() - started, 5)
        self.assertEqual((execution["error"], execution["cause"]), ("Broken", "on purpose"))
        kinds = self.kinds(execution)
        self.assertIn("WaitStateAborted", kinds)
        self.assertEqual(kinds[-2:], ["ParallelStateFailed", "ExecutionFailed"])
        time.sleep(1)
        self.assertEqual(self.kinds(execution), kinds)

    def test_a_caught_error_exits_the_parallel(self):
        catch = [{"ErrorEquals": ["Broken"], "Next": "After", "Assign": {"why": "{% $states.errorOutput.Cause %}"},
                  "Output": {"error": "{% $states.errorOutput %}", "input": "{% $states.input %}"}}]
        states = {"All": parallel(branch(Fail=FAIL), Catch=catch),
                  "After": say({"seen": "{% $states.input %}", "why": "{% $why %}"})}
        error = {"Error": "Broken", "Cause": "on purpose"}
        output = self.output(states, {"a": 1})
        self.assertEqual(output, {"seen": {"error": error, "input": {"a": 1}}, "why": "on purpose"})

    def test_a_map_catches_too(self):
        each = {"Type": "Map", "Items": [1], "ItemProcessor": branch(Fail=FAIL), "End": True,
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]}
        execution = self.run_states({"Each": each, "Done": DONE})
        self.assertEqual(json.loads(execution["output"]), {"Error": "Broken", "Cause": "on purpose"})
        kinds = self.kinds(execution)
        self.assertEqual(kinds[4:8], ["FailStateEntered", "MapIterationFailed", "MapStateFailed", "MapStateExited"])

    def test_a_retried_parallel_runs_whole(self):
        retry = [{"ErrorEquals": ["Broken"], "IntervalSeconds": 0, "MaxAttempts": 1}]
        execution = self.run_states({"All": parallel(branch(Say=say(1)), branch(Fail=FAIL), Retry=retry)})
        self.assertEqual(self.kinds(execution).count("FailStateEntered"), 2)

    def test_arguments_output_and_assign(self):
        both = parallel(branch(A=say("{% $states.input.n + 1 %}")), branch(B=say("{% $states.input.n + 2 %}")),
                        Arguments={"n": "{% $states.input.a * 10 %}"}, Output="{% $sum($states.result) %}",
                        Assign={"all": "{% $states.result %}"}, Next="Say")
        output = self.output({"Both": both, "Say": say({"sum": "{% $states.input %}", "all": "{% $all %}"})}, {"a": 1})
        self.assertEqual(output, {"sum": 23, "all": [11, 12]})

    def test_a_branch_reads_outer_variables_and_keeps_its_own(self):
        inner = branch(One=say(None, Assign={"mine": "{% $outer & '!' %}"}, Next="Two"), Two=say("{% $mine %}"))
        states = {"Zero": say(None, Assign={"outer": "o"}, Next="Both"), "Both": parallel(inner, inner, Next="After"),
                  "After": say({"results": "{% $states.input %}", "leaked": "{% $exists($mine) %}"})}
        self.assertEqual(self.output(states), {"results": ["o!", "o!"], "leaked": False})

    def test_a_branch_cannot_assign_an_outer_variable(self):
        inner = branch(One=say(None, Assign={"outer": 1}))
        states = {"Zero": say(None, Assign={"outer": 0}, Next="Both"), "Both": parallel(inner)}
        self.assertEqual(self.error(states), "States.Runtime")

    def test_assignments_see_the_values_before(self):
        states = {"One": say(None, Assign={"a": 1, "b": 2}, Next="Swap"),
                  "Swap": say(None, Assign={"a": "{% $b %}", "b": "{% $a %}"}, Next="Say"),
                  "Say": say("{% [$a, $b] %}")}
        self.assertEqual(self.output(states), [2, 1])

    def test_concurrency_is_limited(self):
        each = {"Type": "Map", "Items": [1, 2, 3, 4], "MaxConcurrency": 2, "End": True,
                "ItemProcessor": branch(Wait={"Type": "Wait", "Seconds": 1, "End": True})}
        execution = self.run_states({"Each": each})
        took = execution["stopDate"] - execution["startDate"]
        self.assertGreater(took.total_seconds(), 1.9)
        self.assertLess(took.total_seconds(), 3.5)
        at_once, most = 0, 0
        for kind in self.kinds(execution):
            at_once += (kind == "MapIterationStarted") - (kind == "MapIterationSucceeded")
            most = max(most, at_once)
        self.assertEqual(most, 2)

    def test_an_empty_map_is_done(self):
        each = {"Type": "Map", "Items": "{% [] %}", "ItemProcessor": branch(Say=say(1)), "End": True}
        self.assertEqual(self.output({"Each": each}), [])


class Retry(StepFunctionsTest):
    """concepts-error-handling.html"""

    def waits(self, retry: dict) -> list[float]:
        retry = [{"ErrorEquals": ["Busy"], "MaxAttempts": 2, **retry}]
        execution = self.run_states({"Call": echo(Retry=retry)}, {"do": "fail", "type": "Busy", "message": "later"})
        events = self.history(execution)
        failures = [event["timestamp"] for event in events if event["type"] == "TaskFailed"]
        attempts = [event["timestamp"] for event in events if event["type"] == "TaskScheduled"]
        return [(again - failed).total_seconds() for failed, again in zip(failures, attempts[1:])]

    def test_the_delay_has_a_maximum(self):
        first, second = self.waits({"IntervalSeconds": 1, "BackoffRate": 10, "MaxDelaySeconds": 2})
        self.assertAlmostEqual(first, 1, delta=0.9)
        self.assertAlmostEqual(second, 2, delta=0.9)

    def test_full_jitter_waits_between_nothing_and_the_delay(self):
        waits = self.waits({"IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 6, "JitterStrategy": "FULL"})
        self.assertEqual(len(waits), 6)
        self.assertLess(sum(waits), 5.9)

    def test_what_states_all_leaves_out(self):
        catch = [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]
        states = {"Call": echo(Catch=catch), "Done": DONE}
        self.assertEqual(self.error(states, {"size": LIMIT}), "States.DataLimitExceeded")
        unknown = {"Call": service("nothing:atAll", {}, Catch=catch), "Done": DONE}
        self.assertEqual(self.error(unknown), "States.Runtime")

    def test_too_much_data_can_be_caught_by_name(self):
        catch = [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "Done"}]
        caught = self.output({"Call": echo(Catch=catch), "Done": DONE}, {"size": LIMIT})
        self.assertEqual(caught["Error"], "States.DataLimitExceeded")

    def test_task_failed_is_everything_but_a_time_out(self):
        catch = [{"ErrorEquals": ["States.TaskFailed"], "Next": "Done"}]
        self.output({"Call": echo(Catch=catch), "Done": DONE}, {"do": "fail", "type": "Any", "message": "m"})
        slow = {"Call": echo(Catch=catch, TimeoutSeconds=1), "Done": DONE}
        function = {"FunctionName": "echo", "Timeout": 5}
        self.aws.root("lambda", SECURITY).update_function_configuration(**function)
        self.addCleanup(self.aws.root("lambda", SECURITY).update_function_configuration, FunctionName="echo", Timeout=1)
        execution = self.run_states(slow, {"seconds": 2})
        self.assertEqual(execution["error"], "States.Timeout")
        self.assertIn("TaskTimedOut", self.kinds(execution))

    def test_a_failing_expression_can_be_caught(self):
        catch = [{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "Done", "Output": "caught"}]
        execution = self.run_states({"Call": echo(Arguments="{% $states.input.nothing %}", Catch=catch), "Done": DONE})
        self.assertEqual(json.loads(execution["output"]), "caught")
        failed = next(event for event in self.history(execution) if event["type"] == "EvaluationFailed")
        self.assertEqual(failed["evaluationFailedEventDetails"]["state"], "Call")

    def test_a_catch_sees_the_error_and_the_input(self):
        catch = [{"ErrorEquals": ["Busy"], "Next": "Say", "Assign": {"error": "{% $states.errorOutput.Error %}"},
                  "Output": {"given": "{% $states.input.type %}"}}]
        states = {"Call": echo(Catch=catch), "Say": say("{% [$error, $states.input.given] %}")}
        self.assertEqual(self.output(states, {"do": "fail", "type": "Busy", "message": "m"}), ["Busy", "Busy"])


class Functions(StepFunctionsTest):
    """https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, connect-lambda.html"""

    def failure(self, given: dict) -> tuple[str, dict]:
        execution = self.run_states({"Call": echo()}, given)
        return execution["error"], json.loads(execution["cause"])

    def test_an_error_arrives_as_the_function_named_it(self):
        error, cause = self.failure({"do": "fail", "type": "PrincipalNotFound", "message": "gone"})
        self.assertEqual(error, "PrincipalNotFound")
        self.assertEqual(cause, {"errorType": "PrincipalNotFound", "errorMessage": "gone"})

    def test_a_process_that_ends(self):
        error, cause = self.failure({"do": "exit"})
        self.assertEqual((error, cause["errorType"]), ("Runtime.ExitError", "Runtime.ExitError"))

    def test_a_function_that_runs_into_its_time_out(self):
        error, cause = self.failure({"seconds": 3})
        self.assertEqual((error, cause["errorType"]), ("Sandbox.Timedout", "Sandbox.Timedout"))

    def test_error_and_cause_are_cut(self):
        execution = self.run_states({"Call": echo()}, {"do": "fail", "type": "E" * 300, "message": "m" * 40_000})
        self.assertEqual((len(execution["error"]), len(execution["cause"])), (256, 32_768))

    def test_the_history_shows_the_data(self):
        keep = {"kept": "{% $states.result.Payload %}"}
        execution = self.run_states({"Call": echo(Assign=keep)}, {"secret": "s3cr3t"})
        events = {event["type"]: event for event in self.history(execution)}
        for kind, details, field in (
            ("ExecutionStarted", "executionStartedEventDetails", "input"),
            ("TaskStateEntered", "stateEnteredEventDetails", "input"),
            ("TaskScheduled", "taskScheduledEventDetails", "parameters"),
            ("TaskSucceeded", "taskSucceededEventDetails", "output"),
            ("TaskStateExited", "stateExitedEventDetails", "output"),
            ("ExecutionSucceeded", "executionSucceededEventDetails", "output"),
        ):
            self.assertIn("s3cr3t", events[kind][details][field])
        assigned = events["TaskStateExited"]["stateExitedEventDetails"]["assignedVariables"]
        self.assertIn("s3cr3t", assigned["kept"])

    def test_a_function_can_be_the_resource_itself(self):
        execution = self.run_states({"Call": {"Type": "Task", "Resource": ECHO, "End": True}}, {"a": 1})
        self.assertEqual(json.loads(execution["output"])["got"], {"a": 1})
        self.assertIn("LambdaFunctionSucceeded", self.kinds(execution))


class Role(StepFunctionsTest):
    """procedure-create-iam-role.html, supported-services-awssdk.html"""

    def refused_then_allowed(self, state: dict, error: str, action, resource) -> None:
        self.assertEqual(self.error({"Call": state}), error)
        self.grant("tried", action, resource)
        try:
            self.output({"Call": state})
        finally:
            self.revoke("tried")

    def test_a_function(self):
        # The error and its cause: https://github.com/awslabs/aws-deployment-framework/issues/460
        self.revoke("function")
        self.addCleanup(self.grant, "function", "lambda:InvokeFunction", ECHO)
        self.refused_then_allowed(echo(), "Lambda.AWSLambdaException", "lambda:InvokeFunction", ECHO)

    def test_an_explicit_deny(self):
        deny = policy("Deny", "lambda:InvokeFunction")
        self.iam.put_role_policy(RoleName=self.role_name, PolicyName="deny", PolicyDocument=deny)
        self.addCleanup(self.revoke, "deny")
        execution = self.run_states({"Call": echo()})
        self.assertEqual(execution["error"], "Lambda.AWSLambdaException")
        self.assertIn(f":assumed-role/{self.role_name}/", execution["cause"])

    def test_a_topic(self):
        arn = self.aws.root("sns", SECURITY).create_topic(Name="topic")["TopicArn"]
        message = {"TopicArn": arn, "Message": "m"}
        self.refused_then_allowed(
            service("sns:publish", message), "SNS.AuthorizationErrorException", "sns:Publish", arn)
        self.refused_then_allowed(
            service("aws-sdk:sns:publish", message), "Sns.AuthorizationErrorException", "sns:Publish", arn)

    def test_the_key_of_an_encrypted_topic(self):
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        key = self.aws.root("kms", SECURITY).create_key()["KeyMetadata"]["Arn"]
        arn = self.aws.root("sns", SECURITY).create_topic(
            Name="encrypted", Attributes={"KmsMasterKeyId": key})["TopicArn"]
        self.grant("publish", "sns:Publish", arn)
        self.addCleanup(self.revoke, "publish")
        publish = service("sns:publish", {"TopicArn": arn, "Message": "m"})
        self.refused_then_allowed(
            publish, "SNS.KMSAccessDeniedException", ["kms:GenerateDataKey", "kms:Decrypt"], key)

    def test_a_parameter(self):
        self.aws.root("ssm", SECURITY).put_parameter(Name="/a/b", Value="v", Type="String")
        self.refused_then_allowed(
            service("aws-sdk:ssm:getParameter", {"Name": "/a/b"}), "Ssm.SsmException", "ssm:GetParameter",
            "arn:aws:ssm:us-east-1:111111111111:parameter/a/b")

    def test_a_finding(self):
        # https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html
        product = "arn:aws:securityhub:us-east-1:222222222222:product/222222222222/default"
        finding = {
            "SchemaVersion": "2018-10-08", "Id": "read-by-a-machine", "ProductArn": product, "GeneratorId": "g",
            "AwsAccountId": "222222222222", "Types": ["Effects"], "CreatedAt": "2026-01-01T00:00:00Z",
            "UpdatedAt": "2026-01-01T00:00:00Z", "Severity": {"Label": "LOW"}, "Title": "t", "Description": "d",
            "Resources": [{"Type": "AwsIamUser", "Id": "arn:aws:iam::222222222222:user/eve"}]}  # fmt: skip
        self.aws.root("securityhub", "222222222222").batch_import_findings(Findings=[finding])
        read = service("aws-sdk:securityhub:getFindings", {
            "Filters": {"Id": [{"Value": "read-by-a-machine", "Comparison": "EQUALS"}]}, "MaxResults": 1})
        self.refused_then_allowed(
            read, "SecurityHub.SecurityHubException", "securityhub:GetFindings",
            "arn:aws:securityhub:us-east-1:111111111111:hub/default")
        self.grant("findings", "securityhub:GetFindings")
        self.addCleanup(self.revoke, "findings")
        (found,) = self.output({"Call": read})["Findings"]
        self.assertEqual((found["Id"], found["Resources"][0]["Id"]), (finding["Id"], finding["Resources"][0]["Id"]))
        refused = service("aws-sdk:securityhub:getFindings", {"Filters": {"Nothing": []}})
        self.assertEqual(self.error({"Call": refused}), "SecurityHub.InvalidInputException")

    def test_a_set_that_is_counted(self):
        # "size ... if the attribute is a Set, size returns the number of elements":
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
        self.aws.root("dynamodb", SECURITY).create_table(
            TableName="sets", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])
        self.grant("sets", "dynamodb:UpdateItem")
        self.addCleanup(self.revoke, "sets")

        def add(key: str, element: str, most: int) -> str | None:
            first = "attribute_not_exists(members) OR " if most else ""
            call = service("dynamodb:updateItem", {
                "TableName": "sets", "Key": {"k": {"S": key}}, "UpdateExpression": "ADD members :members",
                "ConditionExpression": f"{first}contains(members, :member) OR size(members) < :most",
                "ExpressionAttributeValues": {
                    ":members": {"SS": [element]}, ":member": {"S": element}, ":most": {"N": str(most)}}})
            return self.run_states({"Call": call}).get("error")

        refused = "DynamoDB.ConditionalCheckFailedException"
        steps = (("a", 2, None), ("a", 2, None), ("b", 2, None), ("c", 2, refused), ("b", 1, None), ("a", 0, None))
        for element, most, error in steps:
            self.assertEqual(add("hour", element, most), error, (element, most))
        self.assertEqual(add("another", "a", 0), refused)

    def test_an_error_of_the_service_has_the_name_of_the_java_sdk(self):
        self.grant("parameters", "ssm:GetParameter")
        self.addCleanup(self.revoke, "parameters")
        missing = service("aws-sdk:ssm:getParameter", {"Name": "/nothing"})
        self.assertEqual(self.error({"Call": missing}), "Ssm.ParameterNotFoundException")

    def test_an_error_of_a_topic(self):
        # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
        self.grant("publish", "sns:Publish")
        self.addCleanup(self.revoke, "publish")
        missing = {"TopicArn": "arn:aws:sns:us-east-1:111111111111:missing", "Message": "m"}
        self.assertEqual(self.error({"Call": service("sns:publish", missing)}), "SNS.NotFoundException")

    def test_a_message_has_its_attributes_and_copies(self):
        # connect-sns.html
        sns = self.aws.root("sns", SECURITY)
        topic = sns.create_topic(Name="told")["TopicArn"]
        self.grant("publish", "sns:Publish", topic)
        self.addCleanup(self.revoke, "publish")
        urgent = json.dumps({"severity": ["CRITICAL"]})
        for protocol, endpoint, filtered in (
            ("https", "https://urgent.example.com", urgent),
            ("https", "https://lazy.example.com", json.dumps({"severity": ["LOW"]})),
            ("email", "on-call@example.com", urgent),
        ):
            sns.subscribe(
                TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes={"FilterPolicy": filtered})
        message = {
            "TopicArn": topic,
            "Subject": "{% $states.input.subject %}",
            "Message": "{% $states.input.text %}",
            "MessageAttributes": {
                "severity": {"DataType": "String", "StringValue": "{% $states.input.severity %}"},
                "count": {"DataType": "Number", "StringValue": "2"},
            },
        }
        given = {"subject": "[CRITICAL] contained", "text": "text", "severity": "CRITICAL"}
        answer = self.output({"Call": service("sns:publish", message)}, given)
        copies = {"default": "for all", "https": json.dumps({"facts": 1})}
        message = {**message, "Message": "{% $string($states.input.copies) %}", "MessageStructure": "json"}
        self.output({"Call": service("sns:publish", message)}, {**given, "copies": copies})

        deliveries = self.aws.get("/_local/sns/deliveries")["deliveries"]
        mine = [one for one in deliveries if one["topic"] == topic]
        self.assertEqual(
            [(one["endpoint"], one["subject"]) for one in mine],
            2 * [("https://urgent.example.com", None), ("on-call@example.com", "[CRITICAL] contained")])
        self.assertEqual(
            [one["attributes"] for one in mine], 4 * [{"severity": "CRITICAL", "count": "2"}])
        plain, structured = (json.loads(one["body"]) for one in mine[::2])
        self.assertEqual((plain["MessageId"], plain["Message"]), (answer["MessageId"], "text"))
        self.assertEqual(plain["MessageAttributes"]["count"], {"Type": "Number", "Value": "2"})
        self.assertEqual(structured["Message"], copies["https"])
        self.assertEqual(mine[3]["body"], "for all")

    def test_a_message_that_no_topic_takes(self):
        # https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
        topic = self.aws.root("sns", SECURITY).create_topic(Name="strict")["TopicArn"]
        self.grant("publish", "sns:Publish", topic)
        self.addCleanup(self.revoke, "publish")
        for invalid in ({"Subject": ""}, {"Message": '{"email": "text"}', "MessageStructure": "json"}):
            message = {"TopicArn": topic, "Message": "text", **invalid}
            self.assertEqual(
                self.error({"Call": service("sns:publish", message)}), "SNS.InvalidParameterException", invalid)

    def test_a_table(self):
        self.aws.root("dynamodb", SECURITY).create_table(
            TableName="table", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}])
        arn = "arn:aws:dynamodb:us-east-1:111111111111:table/table"
        update = {"TableName": "table", "Key": {"id": {"S": "1"}}}
        self.refused_then_allowed(
            service("dynamodb:updateItem", update), "DynamoDB.AmazonDynamoDBException", "dynamodb:UpdateItem", arn)
        self.refused_then_allowed(
            service("aws-sdk:dynamodb:updateItem", update), "DynamoDb.DynamoDbException", "dynamodb:UpdateItem", arn)


class Starts(StepFunctionsTest):
    """API_CreateStateMachine.html, API_StartExecution.html"""

    def test_a_definition_that_cannot_start_is_refused(self):
        for definition in ("nothing", "{}", json.dumps({"StartAt": "A", "States": {"B": DONE}})):
            self.refused("InvalidDefinition", self.sfn.create_state_machine, name="none", definition=definition,
                         roleArn=self.role)

    def test_an_input_is_json_of_at_most_256_kib(self):
        machine = self.machine({"StartAt": "Done", "States": {"Done": DONE}})
        for given in ("{", json.dumps("x" * LIMIT)):
            self.refused("InvalidExecutionInput", self.sfn.start_execution, stateMachineArn=machine, input=given)

    def test_a_running_execution_with_the_same_name_and_input_is_the_answer(self):
        machine = self.machine({"StartAt": "Wait", "States": Endings.WAIT})
        start = {"stateMachineArn": machine, "name": "once"}
        first = self.sfn.start_execution(**start, input="{}")
        self.assertEqual(self.sfn.start_execution(**start, input="{}")["startDate"], first["startDate"])
        self.refused("ExecutionAlreadyExists", self.sfn.start_execution, **start, input='{"other":1}')
        self.sfn.stop_execution(executionArn=first["executionArn"])
        self.refused("ExecutionAlreadyExists", self.sfn.start_execution, **start, input="{}")


class Endings(StepFunctionsTest):
    """statemachine-structure.html, API_StopExecution.html"""

    WAIT = {"Wait": {"Type": "Wait", "Seconds": 60, "Next": "Done"}, "Done": DONE}

    def test_an_execution_has_a_time_out(self):
        execution = self.run_states(self.WAIT, TimeoutSeconds=1)
        self.assertEqual(execution["status"], "TIMED_OUT")
        self.assertEqual(self.kinds(execution)[-2:], ["WaitStateAborted", "ExecutionTimedOut"])

    def test_a_stopped_execution_ends_at_once(self):
        arn = self.start({"Both": parallel(branch(**self.WAIT), branch(**self.WAIT))})
        until(lambda: self.kinds({"executionArn": arn}).count("WaitStateEntered") == 2, "both branches wait")
        self.sfn.stop_execution(executionArn=arn, error="Enough", cause="of it")
        execution = self.sfn.describe_execution(executionArn=arn)
        self.assertEqual([execution[name] for name in ("status", "error", "cause")], ["ABORTED", "Enough", "of it"])
        self.assertEqual(self.kinds(execution)[-1], "ExecutionAborted")

    def test_the_status_is_told_to_the_bus(self):
        # eventbridge-integration.html
        queue = self.aws.root("sqs", SECURITY)
        admits = allow("sqs:SendMessage", Principal={"Service": "events.amazonaws.com"})
        url = queue.create_queue(QueueName="told", Attributes={"Policy": admits})["QueueUrl"]
        events = self.aws.root("events", SECURITY)
        events.put_rule(Name="told", EventPattern=json.dumps({"source": ["aws.states"]}))
        events.put_targets(Rule="told", Targets=[{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:111111111111:told"}])
        self.addCleanup(events.remove_targets, Rule="told", Ids=["q"])

        def told(execution: dict, number: int) -> list[dict]:
            found = []

            def enough():
                for message in queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                    queue.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                    event = json.loads(message["Body"])
                    if event["resources"] == [execution["executionArn"]]:
                        found.append(event)
                return len(found) >= number

            until(enough, f"{number} events of `{execution['executionArn']}`")
            self.assertTrue(all(
                event["detail-type"] == "Step Functions Execution Status Change" for event in found))
            return sorted((event["detail"] for event in found), key=lambda detail: detail["stopDate"] or 0)

        failed = self.run_states({"Remember": REMEMBER, "WaitForPeopleToRedrive": AWAIT_REDRIVE, "Done": DONE}, {"a": 1})
        running, ended = told(failed, 2)
        self.assertEqual((running["status"], running["redriveStatus"], running["input"]),
                         ("RUNNING", "NOT_REDRIVABLE", '{"a": 1}'))
        self.assertEqual(running["redriveStatusReason"], "Execution is RUNNING and cannot be redriven")
        self.assertEqual((ended["status"], ended["error"], ended["redriveStatus"], ended["redriveStatusReason"]),
                         ("FAILED", "States.NoChoiceMatched", "REDRIVABLE", None))
        self.assertEqual((ended["cause"], ended["output"], ended["redriveCount"], ended["redriveDate"]),
                         (failed["cause"], None, 0, None))
        redriven = self.redrive(failed)
        running, ended = told(redriven, 2)
        self.assertEqual((running["status"], running["redriveCount"], running["error"]), ("RUNNING", 1, None))
        self.assertEqual(running["redriveDate"], round(redriven["redriveDate"].timestamp() * 1000))
        self.assertEqual((ended["status"], ended["output"]), ("SUCCEEDED", redriven["output"]))
        timed_out = self.run_states(self.WAIT, TimeoutSeconds=1)
        self.assertEqual(told(timed_out, 2)[1]["status"], "TIMED_OUT")
        arn = self.start(self.WAIT)
        self.sfn.stop_execution(executionArn=arn, error="Enough")
        ended = told(self.ended(arn), 2)[1]
        self.assertEqual((ended["status"], ended["error"]), ("ABORTED", "Enough"))

    def test_many_at_once(self):
        states = {"Wait": {"Type": "Wait", "Seconds": 1, "Next": "Both"},
                  "Both": parallel(branch(A=say("{% $states.input.a %}")), branch(B=say("{% $states.input.a %}")))}
        machine = self.machine({"StartAt": "Wait", "States": states})
        started = time.monotonic()
        arns = [self.sfn.start_execution(stateMachineArn=machine, input=json.dumps({"a": n}))["executionArn"]
                for n in range(200)]
        self.assertEqual([json.loads(self.ended(arn)["output"]) for arn in arns], [[n, n] for n in range(200)])
        self.assertLess(time.monotonic() - started, 60)


class Expressions(StepFunctionsTest):
    """transforming-data.html"""

    def test_the_functions_that_step_functions_adds(self):
        self.assertEqual(self.value("$partition([1,2,3,4,5], 2)"), [[1, 2], [3, 4], [5]])
        self.assertEqual(self.value("$range(0, 10, 5)"), [0, 5, 10])
        self.assertEqual(self.value("$hash('a', 'MD5')"), "0cc175b9c0f1b6a831c399e269772661")
        self.assertEqual(self.value("$random(1) = $random(1)"), True)
        self.assertRegex(self.value("$uuid()"), r"^[0-9a-f]{8}-[0-9a-f]{4}-4")
        self.assertEqual(self.value("$parse('{\"a\": [1]}')"), {"a": [1]})

    def refuses(self, expression: str) -> None:
        state = {"Type": "Pass", "Output": f"{{% {expression} %}}", "End": True}
        self.assertEqual(self.error({"Say": state}), "States.QueryEvaluationError", expression)

    def test_eval_is_absent(self):
        self.refuses("$eval('1 + 1')")

    def test_an_undefined_value_is_an_error_and_null_is_not(self):
        self.refuses("$states.input.nothing")
        self.refuses("$nothing")
        self.assertIsNone(self.value("$states.input.given", {"given": None}))
        self.assertEqual(self.value("$exists($states.input.given)", {"given": None}), True)

    def test_a_result_is_there_after_a_task_only(self):
        self.refuses("$states.result")
        self.assertEqual(self.error({"Call": echo(Arguments="{% $states.result %}")}), "States.QueryEvaluationError")

    def test_an_error_output_is_there_in_a_catch_only(self):
        self.refuses("$states.errorOutput")

    def test_a_condition_must_be_boolean(self):
        # state-choice.html
        choice = {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.n %}", "Next": "Done"}]}
        self.assertEqual(self.error({"Choose": choice, "Done": DONE}, {"n": 1}), "States.QueryEvaluationError")
        self.assertEqual(self.error({"Choose": choice, "Done": DONE}, {"n": False}), "States.NoChoiceMatched")

    def test_rules_and_default_may_assign_and_shape_the_output(self):
        # state-choice.html
        rule = {"Condition": "{% $states.input.n = 1 %}", "Assign": {"by": "rule"}, "Output": "one", "Next": "Say"}
        choice = {"Type": "Choice", "Choices": [rule], "Default": "Say", "Assign": {"by": "default"}, "Output": "other"}
        states = {"Choose": choice, "Say": say("{% [$by, $states.input] %}")}
        self.assertEqual(self.output(states, {"n": 1}), ["rule", "one"])
        self.assertEqual(self.output(states, {"n": 2}), ["default", "other"])

    def test_payloads_and_variables_have_256_kib(self):
        # service-quotas.html
        large = f"{{% $pad('', {LIMIT}, 'x') %}}"
        call = echo(Arguments={"FunctionName": "echo", "Payload": large})
        both = parallel(branch(Say=say(1)), Arguments=large)
        for state in (say(large), say(None, Assign={"v": large}), call, both):
            self.assertEqual(self.error({"Try": state}), "States.DataLimitExceeded")
        self.assertEqual(len(self.value(f"$pad('', {LIMIT - 2}, 'x')")), LIMIT - 2)


class History(StepFunctionsTest):
    """API_GetExecutionHistory.html, API_HistoryEvent.html"""

    def test_every_event_names_the_one_before_it(self):
        execution = self.run_states({"Both": parallel(branch(A=say(1)), branch(B=say(2)), Next="Done"), "Done": DONE})
        events = {event["id"]: event for event in self.history(execution)}
        self.assertEqual([events[number]["previousEventId"] for number in (1, 2, 3)], [0, 0, 2])
        for event in events.values():
            before = events.get(event["previousEventId"])
            if event["type"] == "PassStateEntered":
                self.assertEqual(before["type"], "ParallelStateStarted")
            elif event["type"] == "PassStateExited":
                self.assertEqual(before["stateEnteredEventDetails"]["name"], event["stateExitedEventDetails"]["name"])

    def test_pages_and_reverse_order(self):
        execution = self.run_states({"A": say(1, Next="B"), "B": say(2, Next="Done"), "Done": DONE})
        whole = self.history(execution)
        for reverse, expected in ((False, whole), (True, whole[::-1])):
            found, page = [], {"nextToken": None}
            while "nextToken" in page:
                token = {"nextToken": page["nextToken"]} if page["nextToken"] else {}
                page = self.sfn.get_execution_history(
                    executionArn=execution["executionArn"], maxResults=3, reverseOrder=reverse, **token)
                found += page["events"]
            self.assertEqual(found, expected)

    def test_accounts_keep_their_executions_apart(self):
        execution = self.run_states({"Done": DONE})
        other = self.aws.root("stepfunctions", MEMBER)
        self.refused("ExecutionDoesNotExist", other.redrive_execution, executionArn=execution["executionArn"])
