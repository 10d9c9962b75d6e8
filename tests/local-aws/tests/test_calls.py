"""What CloudTrail and the list of calls know.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

import json

from local_aws import MEMBER, SECURITY, LocalAwsTest, allow, role_with, user_with


class Calls(LocalAwsTest):
    def trail(self, name: str, account: str = MEMBER) -> list[dict]:
        lookup = {"AttributeKey": "EventName", "AttributeValue": name}
        found = self.aws.root("cloudtrail", account).lookup_events(LookupAttributes=[lookup])["Events"]
        return [json.loads(event["CloudTrailEvent"]) for event in found]

    def calls_by(self, principal: str, account: str = MEMBER) -> list[dict]:
        calls = self.aws.get(f"/_local/calls?account={account}")["calls"]
        return [call for call in calls if call["principal"].endswith(principal)]

    def test_a_refused_call_is_recorded_with_its_error(self):
        iam = self.aws.client("iam", user_with(self.aws, "curious"))
        self.refused("AccessDenied", iam.create_user, UserName="child")
        (event,) = [each for each in self.trail("CreateUser") if each["userIdentity"].get("userName") == "curious"]
        self.assertEqual((event["eventSource"], event["errorCode"]), ("iam.amazonaws.com", "AccessDenied"))
        (call,) = self.calls_by("user/curious")
        self.assertEqual((call["action"], call["error"], call["readOnly"]), ("CreateUser", "AccessDenied", False))

    def test_a_failed_call_is_recorded_with_its_error(self):
        iam = self.aws.client("iam", user_with(self.aws, "seeker", allow("iam:*")))
        self.refused("NoSuchEntity", iam.get_user, UserName="nobody")
        (call,) = self.calls_by("user/seeker")
        self.assertEqual((call["error"], call["readOnly"]), ("NoSuchEntity", True))

    def test_a_change_is_recorded_with_what_it_was_asked_for_but_no_password(self):
        root = self.aws.root("iam")
        root.create_user(UserName="asked-for", Tags=[{"Key": "team", "Value": ""}])
        root.create_login_profile(UserName="asked-for", Password="Correct-horse-1")
        named = [call for call in self.calls_by(":root") if call["parameters"].get("UserName") == "asked-for"]
        made, profile = [call["parameters"] for call in named]
        self.assertEqual((made["Tags.member.1.Key"], made["Tags.member.1.Value"]), ("team", ""))
        self.assertNotIn("horse", json.dumps(profile))

    def test_attempts_at_one_call_are_told_from_two_calls(self):
        iam = self.aws.client("iam", user_with(self.aws, "stubborn", allow("iam:*")), attempts=2)
        fault = {"action": "iam:GetUser", "fault": "error", "code": "ServiceFailure", "about": "stubborn"}
        self.aws.post("/_local/faults", fault)
        iam.get_user()
        iam.get_user()
        first, again, other = self.calls_by("user/stubborn")
        self.assertEqual((first["error"], again["error"]), ("ServiceFailure", None))
        self.assertIsNotNone(first["sdkInvocationId"])
        self.assertEqual(first["sdkInvocationId"], again["sdkInvocationId"])
        self.assertNotEqual(other["sdkInvocationId"], again["sdkInvocationId"])

    def test_a_session_is_recorded_with_its_role_and_source_identity(self):
        """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html"""
        actions = ["sts:AssumeRole", "sts:SetSourceIdentity"]
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{SECURITY}:root"}, "Action": actions}
        role = role_with(self.aws, "Worker", trust, allow("iam:*"), path="/cordon/")
        sts = self.aws.client("sts", user_with(self.aws, "starter", allow(actions), account=SECURITY))
        assumed = sts.assume_role(RoleArn=role, RoleSessionName="incident", SourceIdentity="cordon-1")
        self.aws.client("iam", assumed["Credentials"]).create_group(GroupName="made")
        identity = self.trail("CreateGroup")[0]["userIdentity"]
        self.assertEqual(identity["type"], "AssumedRole")
        self.assertEqual(identity["arn"], f"arn:aws:sts::{MEMBER}:assumed-role/Worker/incident")
        self.assertEqual(identity["sessionContext"]["sourceIdentity"], "cordon-1")
        self.assertEqual(identity["sessionContext"]["sessionIssuer"]["arn"], role)
        (call,) = self.calls_by("assumed-role/Worker/incident")
        self.assertEqual((call["action"], call["sourceIdentity"], call["error"]), ("CreateGroup", "cordon-1", None))
        of_the_incident = self.aws.get("/_local/calls?sourceIdentity=cordon-1&action=CreateGroup")["calls"]
        self.assertEqual(of_the_incident, [call])

    def test_entering_another_account_is_recorded_in_both(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html"""
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{SECURITY}:root"}, "Action": "sts:AssumeRole"}
        role = role_with(self.aws, "Entered", trust)
        sts = self.aws.client("sts", user_with(self.aws, "visitor", allow("sts:AssumeRole"), account=SECURITY))
        sts.assume_role(RoleArn=role, RoleSessionName="visit")
        for account in (SECURITY, MEMBER):
            entered = [event["resources"][0]["ARN"] for event in self.trail("AssumeRole", account)]
            self.assertIn(role, entered)
