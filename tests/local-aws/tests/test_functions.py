"""Lambda functions: real binaries, with their role's credentials and nothing of ours."""

import io
import json
import sys
import zipfile

from local_aws import MEMBER, LocalAws, LocalAwsTest, allow, role_with, until

# A runtime in a few lines: it does what the event asks for.
BOOTSTRAP = f"""#!{sys.executable}
import json, os, sys, time, urllib.request
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
while True:
    with urllib.request.urlopen(api + "next") as call:
        request, event = call.headers["Lambda-Runtime-Aws-Request-Id"], json.load(call)
    print(json.dumps({{"said": event.get("say", event)}}), flush=True)
    if event.get("exit"):
        sys.exit(3)
    time.sleep(event.get("sleep", 0))
    fails = event.get("fail")
    result = {{"errorType": fails, "errorMessage": "as asked"}} if fails else {{**os.environ, "PID": os.getpid()}}
    data = json.dumps(result).encode()
    urllib.request.urlopen(api + request + ("/error" if fails else "/response"), data).close()
"""
TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def package() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as folder:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        folder.writestr(entry, BOOTSTRAP)
    return archive.getvalue()


def deploy(aws: LocalAws) -> None:
    """Make the function `probe`."""
    make(aws, "probe", role_with(aws, "function", TRUST, allow(["ssm:DescribeParameters", "logs:*"]), path="/cordon/"))


def make(aws: LocalAws, name: str, role: str) -> None:
    aws.root("lambda").create_function(
        FunctionName=name,
        Runtime="provided.al2023",
        Role=role,
        Handler="bootstrap",
        Timeout=1,
        Environment={"Variables": {"OWN": "value"}},
        Code={"ZipFile": package()},
    )


def invoke(aws: LocalAws, function: str = "probe", **event) -> tuple[str | None, dict]:
    """The kind of error, if any, and what came back."""
    answer = aws.root("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    return answer.get("FunctionError"), json.load(answer["Payload"])


class Functions(LocalAwsTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        deploy(cls.aws)

    def invoke(self, **event) -> tuple[str | None, dict]:
        return invoke(self.aws, **event)

    def environment(self) -> dict:
        error, environment = self.invoke()
        self.assertIsNone(error, environment)
        return environment

    def test_the_environment_is_aws_s_and_the_functions_own(self):
        """https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
        environment = self.environment()
        self.assertEqual(environment["OWN"], "value")
        self.assertEqual(environment["AWS_REGION"], "us-east-1")
        self.assertEqual(environment["AWS_LAMBDA_FUNCTION_NAME"], "probe")
        self.assertEqual(environment["AWS_LAMBDA_LOG_GROUP_NAME"], "/aws/lambda/probe")
        self.assertEqual(environment["AWS_ENDPOINT_URL"], self.aws.url)
        for foreign in ("AUTH", "HOME", "GATEWAY_PORT", "PERSIST_STATE", "MINISTACK_REGION", "TMPDIR"):
            self.assertNotIn(foreign, environment)

    def test_the_credentials_are_the_roles(self):
        """https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html"""
        environment = self.environment()
        credentials = {
            "AccessKeyId": environment["AWS_ACCESS_KEY_ID"],
            "SecretAccessKey": environment["AWS_SECRET_ACCESS_KEY"],
            "SessionToken": environment["AWS_SESSION_TOKEN"],
        }
        identity = self.aws.client("sts", credentials).get_caller_identity()
        self.assertEqual(identity["Arn"], f"arn:aws:sts::{MEMBER}:assumed-role/function/probe")
        role_id = self.aws.root("iam").get_role(RoleName="function")["Role"]["RoleId"]
        self.assertEqual(identity["UserId"], f"{role_id}:probe")
        self.aws.client("ssm", credentials).describe_parameters()
        self.refused("AccessDenied", self.aws.client("iam", credentials).list_users)

    def test_a_role_that_does_not_trust_lambda_runs_nothing(self):
        """https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html"""
        trust = {**TRUST, "Principal": {"Service": "states.amazonaws.com"}}
        make(self.aws, "untrusted", role_with(self.aws, "untrusting", trust))
        error, payload = invoke(self.aws, "untrusted")
        self.assertEqual((error, payload["errorType"]), ("Unhandled", "AccessDeniedException"))

    def test_an_error_arrives_under_its_own_name(self):
        """https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html"""
        error, payload = self.invoke(fail="PrincipalNotFound")
        self.assertEqual((error, payload["errorType"]), ("Unhandled", "PrincipalNotFound"))

    def test_a_process_that_ends_is_an_exit_error(self):
        """https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html"""
        error, payload = self.invoke(exit=True)
        self.assertEqual((error, payload["errorType"]), ("Unhandled", "Runtime.ExitError"))
        self.environment()

    def test_a_call_that_takes_too_long_is_a_time_out(self):
        """https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html"""
        error, payload = self.invoke(sleep=5)
        self.assertEqual((error, payload["errorType"]), ("Unhandled", "Sandbox.Timedout"))
        self.environment()

    def test_a_topic_calls_it_with_the_copy_that_is_for_it(self):
        """https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html"""
        sns = self.aws.root("sns")
        topic = sns.create_topic(Name="calling")["TopicArn"]
        function = f"arn:aws:lambda:us-east-1:{MEMBER}:function:probe"
        sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
        copies = {"default": "for all", "lambda": "for a function"}
        sns.publish(TopicArn=topic, Message=json.dumps(copies), MessageStructure="json")
        line = until(lambda: self.printed("for a function"), "the line")[0]
        self.assertEqual(json.loads(line)["said"]["Records"][0]["Sns"]["TopicArn"], topic)

    def printed(self, text: str) -> list[str]:
        found = self.aws.root("logs").filter_log_events(logGroupName="/aws/lambda/probe")["events"]
        return [event["message"] for event in found if text in event["message"]]

    def test_what_it_prints_is_in_its_log_group(self):
        """https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html"""
        self.invoke(say="something to be found")
        logs = self.aws.root("logs")
        line = until(lambda: self.printed("something to be found"), "the line")[0]
        self.assertEqual(json.loads(line), {"said": "something to be found"})
        stream = logs.describe_log_streams(logGroupName="/aws/lambda/probe")["logStreams"][0]["logStreamName"]
        events = logs.get_log_events(logGroupName="/aws/lambda/probe", logStreamName=stream)["events"]
        self.assertTrue(events)
