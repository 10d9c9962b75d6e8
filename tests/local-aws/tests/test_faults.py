"""Faults on request: what a client sees of each, what took effect, and what the record says."""

import io
import json
import sys
import time
import unittest
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
            ({"action": "GetUser", "fault": "dropped"}, "`action` is like `iam:GetUser`, `iam:*` or `*`, not `GetUser`"),
            ({"action": "iam:GetUser", "fault": "broken"}, "there is no fault `broken`"),
            ({"action": "iam:GetUser", "fault": "dropped", "time": 3}, "a rule has no `time`"),
            ({"action": "iam:GetUser", "fault": "dropped", "times": "ever"}, "not `ever`"),
            ({"action": "iam:GetUser", "fault": "dropped", "times": True}, "`times` can't be `True`"),
            ({"action": "iam:GetUser", "fault": "dropped", "account": 222222222222}, "`account` can't be"),
            ({"action": "iam:GetUser", "fault": "error"}, "the fault `error` has a `code`"),
            ({"action": "iam:GetUser", "fault": "error", "code": "Unheard"}, "`iam` has no error `Unheard`"),
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
