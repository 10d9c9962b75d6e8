"""Faults on request: what a client sees of each, what took effect, and what the record says."""

import io
import json
import sys
import time
import urllib.error
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor

import botocore.config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from local_aws import MEMBER, SECURITY, SESSION, LocalAws, LocalAwsTest, allow, role_with, until, user_with
from test_step_functions import StepFunctionsTest, echo, service, trust


class FaultsTest(LocalAwsTest):
    """Every rule of a test is lifted with it."""

    def fault(self, action: str, fault: str, **rule) -> str:
        number = self.aws.post("/_local/faults", {"action": action, "fault": fault, **rule})["id"]
        self.addCleanup(self.lift, number)
        return number

    def lift(self, number: str) -> None:
        request = urllib.request.Request(f"{self.aws.url}/_local/faults/{number}", method="DELETE")
        try:
            urllib.request.urlopen(request).close()
        except urllib.error.HTTPError as error:
            self.assertEqual(error.code, 404)

    def struck(self, number: str) -> int:
        rules = self.aws.get("/_local/faults")["faults"]
        return next(rule["struck"] for rule in rules if rule["id"] == number)

    def calls(self, action: str, resource: str) -> list[str | None]:
        """The errors of all calls about something."""
        calls = self.aws.get(f"/_local/calls?action={action}")["calls"]
        return [call["error"] for call in calls if resource in call["resource"]]

    def user(self, name: str) -> str:
        self.aws.root("iam").create_user(UserName=name)
        return name

    def hasty(self, service: str):
        """A client that waits for half a second."""
        config = botocore.config.Config(retries={"max_attempts": 0}, read_timeout=0.5)
        return SESSION.create_client(
            service, region_name="us-east-1", endpoint_url=self.aws.url, config=config,
            aws_access_key_id=MEMBER, aws_secret_access_key="any")  # fmt: skip


class Errors(FaultsTest):
    def answered(self, call, **arguments) -> tuple[str, int, str]:
        with self.assertRaises(ClientError) as raised:
            call(**arguments)
        answer = raised.exception.response
        return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"].get("Message")

    def test_an_error_has_the_status_that_the_model_of_the_service_gives_it(self):
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachUserPolicy.html"""
        iam = self.aws.root("iam")
        for code, status in (
            ("ServiceFailure", 500), ("LimitExceeded", 409), ("NoSuchEntity", 404), ("InvalidInput", 400),
            ("ConcurrentModification", 409), ("EntityTemporarilyUnmodifiable", 409), ("AccessDenied", 403),
            ("Throttling", 400), ("ServiceUnavailable", 503),
        ):  # fmt: skip
            self.fault("iam:ListUsers", "error", code=code)
            self.assertEqual(self.answered(iam.list_users)[:2], (code, status))
        iam.list_users()

    def test_a_code_status_and_message_of_ones_own(self):
        self.fault("iam:ListUsers", "error", code="Odd", status=418, message="a <teapot>")
        self.assertEqual(self.answered(self.aws.root("iam").list_users), ("Odd", 418, "a <teapot>"))

    def test_each_service_says_in_its_own_words_that_it_is_too_much(self):
        """Throttling errors: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""
        self.aws.root("s3").create_bucket(Bucket="bucket")
        about_nothing = {"FindingIdentifiers": [{"Id": "a", "ProductArn": "b"}]}
        for action, client, call, arguments, wanted in (
            ("iam:ListUsers", "iam", "list_users", {}, ("Throttling", 400, "Rate exceeded")),
            ("sts:AssumeRole", "sts", "assume_role",
             {"RoleArn": f"arn:aws:iam::{MEMBER}:role/r", "RoleSessionName": "name"},
             ("Throttling", 400, "Rate exceeded")),
            ("s3:PutObject", "s3", "put_object", {"Bucket": "bucket", "Key": "k", "Body": b"x"},
             ("SlowDown", 503, "Please reduce your request rate.")),
            ("sns:Publish", "sns", "publish", {"TopicArn": f"arn:aws:sns:us-east-1:{MEMBER}:t", "Message": "m"},
             ("Throttled", 429, "Rate exceeded")),
            ("ssm:GetParameter", "ssm", "get_parameter", {"Name": "/p"}, ("ThrottlingException", 400, "Rate exceeded")),
            ("dynamodb:UpdateItem", "dynamodb", "update_item", {"TableName": "t", "Key": {"k": {"S": "v"}}},
             ("ThrottlingException", 400, "Rate exceeded")),
            ("lambda:InvokeFunction", "lambda", "invoke", {"FunctionName": "f"},
             ("TooManyRequestsException", 429, "Rate exceeded")),
            ("securityhub:BatchUpdateFindings", "securityhub", "batch_update_findings", about_nothing,
             ("TooManyRequestsException", 429, "Rate exceeded")),
        ):  # fmt: skip
            with self.subTest(action):
                number = self.fault(action, "throttled")
                self.assertEqual(self.answered(getattr(self.aws.root(client), call), **arguments), wanted)
                self.assertEqual(self.struck(number), 1)

    def test_it_is_recorded_and_nothing_happened(self):
        name = self.user("recorded")
        self.fault("iam:DeleteUser", "internalFailure", about=name)
        self.refused("ServiceFailure", self.aws.root("iam").delete_user, UserName=name)
        self.assertEqual(self.calls("DeleteUser", name), ["ServiceFailure"])
        self.aws.root("iam").get_user(UserName=name)

    def test_an_error_can_come_after_the_call_took_effect(self):
        name = self.user("gone")
        self.fault("iam:DeleteUser", "internalFailure", about=name, takesEffect=True)
        self.refused("ServiceFailure", self.aws.root("iam").delete_user, UserName=name)
        self.refused("NoSuchEntity", self.aws.root("iam").get_user, UserName=name)

    def test_a_head_request_has_the_status_alone(self):
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html"""
        self.aws.root("s3").create_bucket(Bucket="headless")
        self.fault("s3:GetObject", "unavailable", about="headless")
        self.refused("503", self.aws.root("s3").head_object, Bucket="headless", Key="k")


class Rules(FaultsTest):
    def outcomes(self, call, times: int, **arguments) -> list[bool]:
        """Which of some calls succeeded."""
        outcomes = []
        for _ in range(times):
            try:
                call(**arguments)
                outcomes.append(True)
            except ClientError:
                outcomes.append(False)
        return outcomes

    def test_once_so_often_or_always(self):
        list_users = self.aws.root("iam").list_users
        self.fault("iam:ListUsers", "throttled")
        self.assertEqual(self.outcomes(list_users, 2), [False, True])
        number = self.fault("iam:ListUsers", "throttled", times=2, after=1)
        self.assertEqual(self.outcomes(list_users, 4), [True, False, False, True])
        self.assertEqual(self.struck(number), 2)
        number = self.fault("iam:ListUsers", "throttled", times="always")
        self.assertEqual(self.outcomes(list_users, 3), [False, False, False])
        self.lift(number)
        self.assertEqual(self.outcomes(list_users, 1), [True])

    def test_only_calls_that_are_meant(self):
        iam, other = self.aws.root("iam"), self.aws.root("iam", SECURITY)
        for name in ("meant-1", "meant-12"):
            self.user(name)
        self.fault("iam:GetUser", "throttled", about="meant-1", account=MEMBER, times="always")
        self.assertEqual(self.outcomes(iam.get_user, 1, UserName="meant-1"), [False])
        self.assertEqual(self.outcomes(iam.get_user, 1, UserName="meant-12"), [True])
        self.assertEqual(self.outcomes(iam.list_groups_for_user, 1, UserName="meant-1"), [True])
        other.create_user(UserName="meant-1")
        self.assertEqual(self.outcomes(other.get_user, 1, UserName="meant-1"), [True])

    def test_only_callers_that_are_meant(self):
        first, second = (
            self.aws.client("iam", user_with(self.aws, name, allow("iam:*"))) for name in ("caller-a", "caller-b")
        )
        self.fault("iam:*", "throttled", caller="caller-a", times="always")
        self.assertEqual(self.outcomes(first.list_users, 2), [False, False])
        self.assertEqual(self.outcomes(first.list_roles, 1), [False])
        self.assertEqual(self.outcomes(second.list_users, 1), [True])

    def test_what_is_not_allowed_is_denied_first(self):
        """A fault strikes between caller and service: a call that IAM refuses does not get there."""
        iam = self.aws.client("iam", user_with(self.aws, "powerless"))
        number = self.fault("iam:ListUsers", "throttled", caller="powerless")
        self.refused("AccessDenied", iam.list_users)
        self.assertEqual(self.struck(number), 0)

    def test_the_request_counts_as_what_a_call_is_about(self):
        s3 = self.aws.root("s3")
        s3.create_bucket(Bucket="content")
        self.fault("s3:PutObject", "throttled", about="somebody", times="always")
        put = {"Bucket": "content", "Key": "k"}
        self.assertEqual(self.outcomes(s3.put_object, 1, **put, Body=b'{"name": "somebody"}'), [False])
        self.assertEqual(self.outcomes(s3.put_object, 1, **put, Body=b'{"name": "nobody"}'), [True])

    def test_at_once_each_strike_counts_once(self):
        number = self.fault("iam:ListUsers", "throttled", times=50)
        with ThreadPoolExecutor(20) as pool:
            made = pool.map(lambda _: self.outcomes(self.aws.root("iam").list_users, 5), range(20))
            self.assertEqual([outcome for outcomes in made for outcome in outcomes].count(False), 50)
        self.assertEqual(self.struck(number), 50)

    def test_a_rule_that_makes_no_sense_is_refused(self):
        for rule, reason in (
            ([], "a rule is a JSON object"),
            ({"action": "iam:GetUser"}, "a rule has `fault`"),
            ({"action": "GetUser", "fault": "dropped"}, "`iam:*` or `*`, not `GetUser`"),
            ({"action": "*", "fault": "error", "code": "AccessDenied"}, "name the `status`"),
            ({"action": "iam:GetUser", "fault": "broken"}, "there is no fault `broken`"),
            ({"action": "iam:GetUser", "fault": "dropped", "time": 3}, "a rule has no `time`"),
            ({"action": "iam:GetUser", "fault": "dropped", "times": "ever"}, "not `ever`"),
            ({"action": "iam:GetUser", "fault": "dropped", "times": True}, "`times` can't be `True`"),
            ({"action": "iam:GetUser", "fault": "dropped", "account": 222222222222}, "`account` can't be"),
            ({"action": "iam:GetUser", "fault": "error"}, "the fault `error` has a `code`"),
            ({"action": "iam:GetUser", "fault": "error", "code": "Unheard"}, "`iam` has no error `Unheard`"),
            ({"action": "iam:GetUser", "fault": "held"}, "the fault `held` has `milliseconds`"),
            ({"action": "iam:GetUser", "fault": "held", "milliseconds": -1}, "`milliseconds` from 0 on"),
            ({"action": "iam:GetUser", "fault": "dropped", "milliseconds": 1}, "no other fault has any"),
            ({"action": "lambda:InvokeFunction", "fault": "answered"}, "has an `answer`"),
            ({"action": "iam:GetUser", "fault": "answered", "answer": "{}"}, "of `lambda:InvokeFunction` alone"),
            ({"action": "iam:GetUser", "fault": "held", "milliseconds": 1, "takesEffect": True}, "effect anyway"),
        ):
            with self.subTest(reason), self.assertRaises(urllib.error.HTTPError) as raised:
                self.aws.post("/_local/faults", rule)
            self.assertEqual(raised.exception.code, 400)
            self.assertIn(reason, json.load(raised.exception)["message"])

    def test_rules_are_shown_and_lifted(self):
        number = self.fault("iam:GetUser", "dropped", about="nobody")
        (shown,) = [rule for rule in self.aws.get("/_local/faults")["faults"] if rule["id"] == number]
        self.assertEqual(shown, {
            "id": number, "action": "iam:GetUser", "fault": "dropped", "about": "nobody", "takesEffect": False,
            "times": 1, "after": 0, "struck": 0})  # fmt: skip
        urllib.request.urlopen(urllib.request.Request(f"{self.aws.url}/_local/faults", method="DELETE")).close()
        self.assertEqual(self.aws.get("/_local/faults"), {"faults": []})


class Silence(FaultsTest):
    def test_no_answer_until_the_client_gives_up(self):
        name = self.user("patient")
        self.fault("iam:DeleteUser", "timedOut", about=name)
        with self.assertRaises(ReadTimeoutError):
            self.hasty("iam").delete_user(UserName=name)
        self.aws.root("iam").get_user(UserName=name)
        self.assertEqual(self.calls("DeleteUser", name), ["timedOut"])

    def test_a_dropped_connection(self):
        name = self.user("dropped")
        self.fault("iam:DeleteUser", "dropped", about=name)
        with self.assertRaises(ConnectionClosedError):
            self.aws.root("iam").delete_user(UserName=name)
        self.aws.root("iam").get_user(UserName=name)
        self.assertEqual(self.calls("DeleteUser", name), ["dropped"])

    def test_an_answer_lost_after_the_call_took_effect(self):
        for fault, error in (("dropped", ConnectionClosedError), ("timedOut", ReadTimeoutError)):
            with self.subTest(fault):
                name = self.user(f"lost-{fault}")
                self.fault("iam:DeleteUser", fault, about=name, takesEffect=True)
                with self.assertRaises(error):
                    self.hasty("iam").delete_user(UserName=name)
                self.refused("NoSuchEntity", self.aws.root("iam").get_user, UserName=name)
                self.assertEqual(self.calls("DeleteUser", name), [None])

    def test_objects_are_lost_and_stored_likewise(self):
        s3 = self.aws.root("s3")
        s3.create_bucket(Bucket="lossy")
        for key, stored in (("before", False), ("after", True)):
            self.fault("s3:PutObject", "dropped", about=f"lossy/{key}", takesEffect=stored)
            with self.assertRaises(ConnectionClosedError):
                s3.put_object(Bucket="lossy", Key=key, Body=b"{}")
        self.assertEqual([each["Key"] for each in s3.list_objects_v2(Bucket="lossy")["Contents"]], ["after"])

    def test_hanging_calls_hold_up_neither_others_nor_the_end_of_the_server(self):
        with LocalAws() as aws, ThreadPoolExecutor(1) as pool:
            aws.post("/_local/faults", {"action": "iam:ListUsers", "fault": "timedOut"})
            hanging = pool.submit(aws.root("iam").list_users)
            until(lambda: aws.get("/_local/faults")["faults"][0]["struck"], "the call hangs")
            aws.root("iam").list_users()
            aws.process.terminate()
            self.assertEqual(aws.process.wait(timeout=5), 0)
            with self.assertRaises(ConnectionClosedError):
                hanging.result()


class Held(FaultsTest):
    def took(self, action: str, resource: str) -> list[tuple[str | None, float]]:
        """The errors of all calls about something, and the seconds from authorisation to answer."""
        calls = self.aws.get(f"/_local/calls?action={action}")["calls"]
        return [(call["error"], call["answered"] - call["time"]) for call in calls if resource in call["resource"]]

    def test_a_held_call_goes_through_later_and_others_do_not_wait_for_it(self):
        slow, quick = self.user("held"), self.user("spared-meanwhile")
        number = self.fault("iam:DeleteUser", "held", about=slow, milliseconds=1000, times="always")
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(self.aws.root("iam").delete_user, UserName=slow)
            until(lambda: self.struck(number), "the call is held")
            self.aws.root("iam").delete_user(UserName=quick)
            self.assertFalse(held.done())
            held.result()
        self.refused("NoSuchEntity", self.aws.root("iam").get_user, UserName=slow)
        ((error, seconds),) = self.took("DeleteUser", slow)
        self.assertIsNone(error)
        self.assertGreaterEqual(seconds, 1)

    def test_it_goes_through_once_the_rule_is_lifted(self):
        name = self.user("released")
        number = self.fault("iam:DeleteUser", "held", about=name, milliseconds=60_000)
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(self.aws.root("iam").delete_user, UserName=name)
            until(lambda: self.struck(number), "the call is held")
            self.lift(number)
            held.result()
        ((error, seconds),) = self.took("DeleteUser", name)
        self.assertIsNone(error)
        self.assertLess(seconds, 60)

    def test_another_fault_may_strike_it_too(self):
        name = self.user("held-and-failed")
        self.fault("iam:DeleteUser", "held", about=name, milliseconds=50)
        self.fault("iam:DeleteUser", "throttled", about=name)
        self.refused("Throttling", self.aws.root("iam").delete_user, UserName=name)
        ((error, seconds),) = self.took("DeleteUser", name)
        self.assertEqual(error, "Throttling")
        self.assertGreaterEqual(seconds, 0.05)


class StaleReads(FaultsTest):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency"""

    def attached(self, name: str) -> int:
        return len(self.aws.root("iam").list_attached_user_policies(UserName=name)["AttachedPolicies"])

    def attach(self, name: str, policy: str) -> None:
        self.aws.root("iam").attach_user_policy(UserName=name, PolicyArn=f"arn:aws:iam::aws:policy/{policy}")

    def test_a_read_can_be_as_it_was_before_the_last_change(self):
        name = self.user("stale")
        number = self.fault("iam:ListAttachedUserPolicies", "stale", about=name, times=2)
        self.assertEqual(self.attached(name), 0)
        self.attach(name, "ReadOnlyAccess")
        self.attach(name, "SecurityAudit")
        self.user("another-that-changes-meanwhile")
        self.assertEqual([self.attached(name) for _ in range(3)], [1, 1, 2])
        self.assertEqual(self.struck(number), 2)

    def test_what_others_read_is_known_too(self):
        name = self.user("seen")
        reader = self.aws.client("iam", user_with(self.aws, "stale-reader", allow("iam:*")))
        self.fault("iam:GetUser", "stale", about=name, caller="stale-reader", times="always")
        self.aws.root("iam").get_user(UserName=name)
        self.aws.root("iam").tag_user(UserName=name, Tags=[{"Key": "a", "Value": "b"}])
        self.assertNotIn("Tags", reader.get_user(UserName=name)["User"])
        self.assertIn("Tags", self.aws.root("iam").get_user(UserName=name)["User"])

    def test_a_read_that_never_was_is_fresh(self):
        name = self.user("fresh")
        self.attach(name, "ReadOnlyAccess")
        number = self.fault("iam:ListAttachedUserPolicies", "stale", about=name)
        self.assertEqual(self.attached(name), 1)
        self.assertEqual(self.struck(number), 0)


# A function that enters a role, if it is told to, and attaches a policy.
BOOTSTRAP = f"""#!{sys.executable}
import sys
sys.path[:] = {sys.path!r}
import json, os, urllib.request
import botocore.config, botocore.session
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/invocation/"
config = botocore.config.Config(retries={{"max_attempts": 0}})
session = botocore.session.Session()
def client(service, credentials={{}}):
    return session.create_client(
        service, config=config, aws_access_key_id=credentials.get("AccessKeyId"),
        aws_secret_access_key=credentials.get("SecretAccessKey"), aws_session_token=credentials.get("SessionToken"))
while True:
    with urllib.request.urlopen(api + "next") as call:
        request, event = call.headers["Lambda-Runtime-Aws-Request-Id"], json.load(call)
    path, answer = "/response", {{"pid": os.getpid()}}
    try:
        role = client("sts").assume_role(RoleArn=event["role"], RoleSessionName="incident")["Credentials"]
        client("iam", role).attach_user_policy(
            UserName=event["user"], PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    except Exception as error:
        path, answer = "/error", {{"errorType": type(error).__name__, "errorMessage": str(error)}}
    urllib.request.urlopen(api + request + path, json.dumps(answer).encode()).close()
"""


def deploy(aws: LocalAws) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as folder:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        folder.writestr(entry, BOOTSTRAP)
    role = role_with(aws, "Attacher", trust("lambda"), allow("sts:AssumeRole"), account=SECURITY)
    assume = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "sts:AssumeRole"}
    role_with(aws, "Remediation", assume, allow("iam:*"))
    aws.root("lambda", SECURITY).create_function(
        FunctionName="attacher", Runtime="provided.al2023", Handler="bootstrap", Role=role, Timeout=7,
        Code={"ZipFile": archive.getvalue()})  # fmt: skip


class Unbounded(FaultsTest):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#ck_PermissionsBoundary"""

    DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"
    ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"

    def setUp(self) -> None:
        self.name = f"bounded-{self._testMethodName.replace('_', '-')}"[:64]
        root = self.aws.root("iam")
        root.create_user(UserName=self.name, PermissionsBoundary=self.DENY_ALL)
        root.attach_user_policy(UserName=self.name, PolicyArn=self.ADMINISTRATOR)
        under_the_deny = {"ArnEquals": {"iam:PermissionsBoundary": self.DENY_ALL}}
        only = allow("iam:DetachUserPolicy", Condition=under_the_deny)
        self.detacher = f"d-{self.name}"[:64]
        self.iam = self.aws.client("iam", user_with(self.aws, self.detacher, only))

    def detach(self) -> None:
        self.iam.detach_user_policy(UserName=self.name, PolicyArn=self.ADMINISTRATOR)

    def test_a_new_boundary_is_shown_before_it_decides(self):
        number = self.fault("iam:DetachUserPolicy", "unbounded", about=self.name, times=2)
        user = self.aws.root("iam").get_user(UserName=self.name)["User"]
        self.assertEqual(user["PermissionsBoundary"]["PermissionsBoundaryArn"], self.DENY_ALL)
        for _ in range(2):
            with self.assertRaises(ClientError) as raised:
                self.detach()
            self.assertEqual(raised.exception.response["Error"]["Code"], "AccessDenied")
        self.detach()
        self.assertEqual(self.struck(number), 2)
        self.assertEqual(self.calls("DetachUserPolicy", self.name), ["AccessDenied", "AccessDenied", None])

    def test_others_are_spared(self):
        number = self.fault("iam:DetachUserPolicy", "unbounded", caller="somebody", times="always")
        self.fault("iam:DetachUserPolicy", "unbounded", about="somebody", times="always")
        self.detach()
        self.assertEqual(self.struck(number), 0)

    def test_a_boundary_decides_only_about_policies(self):
        for action in ("iam:GetUser", "iam:PutUserPermissionsBoundary", "iam:*", "*"):
            with self.assertRaises(urllib.error.HTTPError) as raised:
                self.fault(action, "unbounded")
            self.assertEqual(raised.exception.code, 400)
            raised.exception.close()


class FunctionsThatEnd(FaultsTest):
    """https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html"""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        deploy(cls.aws)

    def attach(self, name: str) -> str | None:
        """Let the function attach a policy to a user; its error, if any."""
        event = {"user": name, "role": f"arn:aws:iam::{MEMBER}:role/Remediation"}
        answer = self.aws.root("lambda", SECURITY).invoke(FunctionName="attacher", Payload=json.dumps(event))
        payload = json.load(answer["Payload"])
        return payload["errorType"] if "FunctionError" in answer else None

    def attached(self, name: str) -> bool:
        return bool(self.aws.root("iam").list_attached_user_policies(UserName=name)["AttachedPolicies"])

    def ends(self, action: str, fault: str, error: str, takes_effect: bool, attached: bool, **rule) -> None:
        """With the fault, the function fails and leaves the user so; then it does its work."""
        name = self.user(f"user-{time.monotonic_ns()}")
        number = self.fault(action, fault, takesEffect=takes_effect, **rule)
        started = time.monotonic()
        self.assertEqual(self.attach(name), error)
        self.assertLess(time.monotonic() - started, 4)
        self.assertEqual(self.attached(name), attached)
        self.assertEqual(self.struck(number), 1)
        self.assertIsNone(self.attach(name))
        self.assertTrue(self.attached(name))

    def test_killed_in_mid_call(self):
        for takes_effect in (False, True):
            with self.subTest(takes_effect=takes_effect):
                self.ends("iam:AttachUserPolicy", "killed", "Runtime.ExitError", takes_effect, takes_effect)

    def test_killed_at_the_nth_call_whichever_it_is(self):
        self.ends("*", "killed", "Runtime.ExitError", True, False, caller="attacher", after=0)
        self.ends("*", "killed", "Runtime.ExitError", True, True, caller="attacher", after=1)

    def test_out_of_time_in_mid_call(self):
        """The wait is left out."""
        for takes_effect in (False, True):
            with self.subTest(takes_effect=takes_effect):
                self.ends("iam:AttachUserPolicy", "outOfTime", "Sandbox.Timedout", takes_effect, takes_effect)

    def test_out_of_memory_in_mid_call(self):
        self.ends("iam:AttachUserPolicy", "outOfMemory", "Runtime.OutOfMemory", False, False)

    def test_killed_before_it_does_anything_or_after_all_of_it(self):
        for takes_effect in (False, True):
            for fault, error in (
                ("killed", "Runtime.ExitError"),
                ("outOfMemory", "Runtime.OutOfMemory"),
                ("outOfTime", "Sandbox.Timedout"),
            ):
                with self.subTest(fault, takes_effect=takes_effect):
                    self.ends("lambda:InvokeFunction", fault, error, takes_effect, takes_effect, caller="attacher")

    def test_an_invocation_is_about_its_event(self):
        spared, hit = self.user("spared"), self.user("hit")
        self.fault("lambda:InvokeFunction", "killed", about="hit")
        self.assertIsNone(self.attach(spared))
        self.assertEqual(self.attach(hit), "Runtime.ExitError")

    def test_the_caller_may_be_the_function_or_the_role_that_it_entered(self):
        for caller in ("attacher", "Remediation", "incident"):
            with self.subTest(caller):
                self.fault("iam:AttachUserPolicy", "throttled", caller=caller)
                self.assertEqual(self.attach(self.user(f"attached-as-{caller}")), "ClientError")

    def test_a_caller_may_be_any_function(self):
        name = self.user("attached-by-a-function")
        number = self.fault("*", "held", caller="lambda.amazonaws.com", milliseconds=1, times="always")
        self.assertIsNone(self.attach(name))
        # It enters the member account and attaches; creating the user was root's.
        self.assertEqual(self.struck(number), 2)

    def test_only_the_process_that_makes_the_call_is_killed(self):
        names = [self.user(f"concurrent-{number}") for number in range(8)]
        self.fault("iam:AttachUserPolicy", "killed", about=names[3])
        with ThreadPoolExecutor(8) as pool:
            errors = list(pool.map(self.attach, names))
        self.assertEqual([error for error in errors if error], ["Runtime.ExitError"])
        self.assertEqual(errors[3], "Runtime.ExitError")

    def test_calls_of_others_are_no_function_s(self):
        name = self.user("by-root")
        number = self.fault("iam:TagUser", "killed", about=name)
        self.aws.root("iam").tag_user(UserName=name, Tags=[{"Key": "a", "Value": "b"}])
        self.assertEqual(self.struck(number), 0)


class Tasks(StepFunctionsTest, FaultsTest):
    """The names under which Step Functions reports that a service failed.

    https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
    """

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.grant("tasks", ["sns:Publish", "ssm:GetParameter", "securityhub:GetFindings", "dynamodb:UpdateItem"])
        cls.topic = cls.aws.root("sns", SECURITY).create_topic(Name="struck")["TopicArn"]
        cls.aws.root("ssm", SECURITY).put_parameter(Name="/struck", Value="v", Type="String")
        cls.aws.root("dynamodb", SECURITY).create_table(
            TableName="struck", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}])  # fmt: skip

    def tasks(self) -> dict[str, dict]:
        update = {"TableName": "struck", "Key": {"k": {"S": "v"}}, "UpdateExpression": "ADD n :one",
                  "ExpressionAttributeValues": {":one": {"N": "1"}}}  # fmt: skip
        return {
            "lambda:InvokeFunction": echo(),
            "sns:Publish": service("sns:publish", {"TopicArn": self.topic, "Message": "text"}),
            "ssm:GetParameter": service("aws-sdk:ssm:getParameter", {"Name": "/struck"}),
            "securityhub:GetFindings": service("aws-sdk:securityhub:getFindings", {"MaxResults": 1}),
            "dynamodb:UpdateItem": service("dynamodb:updateItem", update),
        }

    def test_each_error_has_its_name(self):
        for action, rule, name in (
            ("lambda:InvokeFunction", {"fault": "throttled"}, "Lambda.TooManyRequestsException"),
            ("lambda:InvokeFunction", {"fault": "internalFailure"}, "Lambda.ServiceException"),
            ("lambda:InvokeFunction", {"fault": "denied"}, "Lambda.AWSLambdaException"),
            ("lambda:InvokeFunction", {"fault": "dropped"}, "Lambda.SdkClientException"),
            ("sns:Publish", {"fault": "throttled"}, "SNS.ThrottledException"),
            ("sns:Publish", {"fault": "internalFailure"}, "SNS.InternalErrorException"),
            ("sns:Publish", {"fault": "denied"}, "SNS.AuthorizationErrorException"),
            ("sns:Publish", {"fault": "unavailable"}, "SNS.AmazonSNSException"),
            ("sns:Publish", {"fault": "dropped"}, "SNS.SdkClientException"),
            ("ssm:GetParameter", {"fault": "throttled"}, "Ssm.SsmException"),
            ("ssm:GetParameter", {"fault": "internalFailure"}, "Ssm.InternalServerErrorException"),
            ("ssm:GetParameter", {"fault": "error", "code": "ParameterNotFound"}, "Ssm.ParameterNotFoundException"),
            ("ssm:GetParameter", {"fault": "dropped"}, "Ssm.SdkClientException"),
            ("securityhub:GetFindings", {"fault": "throttled"}, "SecurityHub.SecurityHubException"),
            ("securityhub:GetFindings", {"fault": "internalFailure"}, "SecurityHub.InternalException"),
            ("securityhub:GetFindings", {"fault": "error", "code": "InvalidAccessException"},
             "SecurityHub.InvalidAccessException"),
            ("securityhub:GetFindings", {"fault": "dropped"}, "SecurityHub.SdkClientException"),
            ("dynamodb:UpdateItem", {"fault": "throttled"}, "DynamoDB.ThrottlingException"),
            ("dynamodb:UpdateItem", {"fault": "internalFailure"}, "DynamoDB.InternalServerErrorException"),
            ("dynamodb:UpdateItem", {"fault": "error", "code": "ProvisionedThroughputExceededException"},
             "DynamoDB.ProvisionedThroughputExceededException"),
            ("dynamodb:UpdateItem", {"fault": "denied"}, "DynamoDB.AmazonDynamoDBException"),
            ("dynamodb:UpdateItem", {"fault": "dropped"}, "DynamoDB.SdkClientException"),
        ):  # fmt: skip
            with self.subTest(action, **rule):
                number = self.fault(action, **rule)
                self.assertEqual(self.error({"Call": self.tasks()[action]}), name)
                self.assertEqual(self.struck(number), 1)

    def test_no_answer_is_the_task_s_time_out(self):
        for action, task in self.tasks().items():
            with self.subTest(action):
                self.fault(action, "timedOut")
                self.assertEqual(self.error({"Call": {**task, "TimeoutSeconds": 1}}), "States.Timeout")

    def test_an_answer_may_be_lost_after_the_call_took_effect(self):
        def counted() -> int:
            item = self.aws.root("dynamodb", SECURITY).get_item(TableName="struck", Key={"k": {"S": "v"}}).get("Item")
            return int(item["n"]["N"]) if item else 0

        for takes_effect in (False, True):
            before = counted()
            self.fault("dynamodb:UpdateItem", "dropped", takesEffect=takes_effect)
            self.error({"Call": self.tasks()["dynamodb:UpdateItem"]})
            self.assertEqual(counted() - before, int(takes_effect))

    def test_a_function_that_ends_fails_its_task_under_its_own_name(self):
        for fault, name in (("killed", "Runtime.ExitError"), ("outOfTime", "Sandbox.Timedout")):
            with self.subTest(fault):
                self.fault("lambda:InvokeFunction", fault, about="somebody")
                self.assertEqual(self.error({"Call": echo()}, {"name": "somebody"}), name)

    def test_a_function_may_answer_something_else(self):
        for answer in (None, "nonsense", [], {"subject": 7}):
            with self.subTest(answer):
                number = self.fault("lambda:InvokeFunction", "answered", about="somebody", answer=json.dumps(answer))
                output = self.output({"Call": echo()}, {"name": "somebody"})
                self.assertEqual(output["Payload"], answer)
                self.assertEqual(self.struck(number), 1)

    def test_a_retry_finds_the_fault_gone(self):
        retry = [{"ErrorEquals": ["SNS.ThrottledException"], "IntervalSeconds": 1, "MaxAttempts": 2}]
        number = self.fault("sns:Publish", "throttled", about="struck")
        self.output({"Call": {**self.tasks()["sns:Publish"], "Retry": retry}})
        self.assertEqual(self.struck(number), 1)

    def test_a_machine_s_struck_call_is_in_the_record(self):
        self.fault("ssm:GetParameter", "internalFailure", caller=self.role_name)
        execution = self.run_states({"Call": self.tasks()["ssm:GetParameter"]})
        calls = self.aws.get("/_local/calls?action=GetParameter")["calls"]
        (call,) = [call for call in calls if call["principal"].endswith(f"/{execution['name']}")]
        self.assertEqual((call["service"], call["error"]), ("ssm", "Ssm.InternalServerErrorException"))

    def test_what_a_task_is_about_are_its_arguments(self):
        number = self.fault("lambda:InvokeFunction", "throttled", about="somebody")
        self.output({"Call": echo()}, {"name": "nobody"})
        self.assertEqual(self.error({"Call": echo()}, {"name": "somebody"}), "Lambda.TooManyRequestsException")
        self.assertEqual(self.struck(number), 1)
