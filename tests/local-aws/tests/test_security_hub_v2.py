"""Security Hub without CSPM: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindingsV2.html"""

import json

from local_aws import MEMBER, OTHER_MEMBER, SECURITY, LocalAwsTest, allow, until, user_with

GUARDDUTY = "arn:aws:securityhub:us-east-1::productv2/aws/guardduty"
PATTERN = {"source": ["aws.securityhub"], "detail-type": ["Findings Imported V2"]}


def finding(identifier: str, account: str = MEMBER, **more) -> dict:
    return {
        "class_uid": 2004,
        "finding_info": {"uid": identifier, "title": "a title", "types": ["Stealth:IAMUser/LogsDisabled"]},
        "metadata": {"product": {"uid": GUARDDUTY}},
        "cloud": {"account": {"uid": account}},
        "resources": [{"type": "AWS::IAM::AccessKey", "uid": "AKIAIOSFODNN7EXAMPLE"}],
        "severity_id": 4,
        **more,
    }


class SecurityHubV2Test(LocalAwsTest):
    def setUp(self) -> None:
        self.hub = self.aws.root("securityhub", SECURITY)

    def sent(self, identifier: str, query: str = "", **more) -> str:
        answer = self.aws.post(f"/_local/securityhub/finding-v2{query}", finding(identifier, **more))
        return answer["metadata"]["uid"]

    def read(self, uid: str, hub=None) -> list[dict]:
        of_uid = {"FieldName": "metadata.uid", "Filter": {"Value": uid, "Comparison": "EQUALS"}}
        filters = {"CompositeFilters": [{"StringFilters": [of_uid], "Operator": "AND"}]}
        return (hub or self.hub).get_findings_v2(Filters=filters)["Findings"]

    def test_a_finding_is_new_until_a_customer_says_otherwise_and_keeps_what_that_one_said(self) -> None:
        uid = self.sent("v2-kept")
        [new] = self.read(uid)
        self.assertEqual((new["status_id"], new["status"], new["severity"]), (1, "New", "High"))
        self.hub.batch_update_findings_v2(MetadataUids=[uid], StatusId=4, Comment="done")
        self.assertEqual(self.sent("v2-kept"), uid)
        [kept] = self.read(uid)
        self.assertEqual((kept["status_id"], kept["status"], kept["comment"]), (4, "Resolved", "done"))

    def test_each_import_and_each_update_is_an_event(self) -> None:
        sqs, events = self.aws.root("sqs", SECURITY), self.aws.root("events", SECURITY)
        queue = sqs.create_queue(QueueName="v2-events")["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{SECURITY}:v2-events"
        events.put_rule(Name="v2-events", EventPattern=json.dumps(PATTERN))
        sender = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [{**sender, "Resource": arn}]})
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document})
        events.put_targets(Rule="v2-events", Targets=[{"Id": "queue", "Arn": arn}])
        uid = self.sent("v2-told")
        self.sent("v2-untold", "?unsent=true")
        self.hub.batch_update_findings_v2(MetadataUids=[uid], StatusId=2)
        told = []

        def both() -> bool:
            for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
                told.append(json.loads(message["Body"]))
            return len(told) == 2

        until(both, "two events")
        told.sort(key=lambda event: event["detail"]["findings"][0]["status_id"])
        self.assertEqual([each["resources"] for each in told], [[uid], [uid]])
        self.assertEqual([each["detail"]["findings"][0]["status_id"] for each in told], [1, 2])

    def test_an_update_names_findings_in_one_way_and_says_which_it_left_out(self) -> None:
        uid = self.sent("v2-named")
        other = {"CloudAccountUid": MEMBER, "FindingInfoUid": "v2-named", "MetadataProductUid": GUARDDUTY}
        answer = self.hub.batch_update_findings_v2(FindingIdentifiers=[other], Comment="seen")
        self.assertEqual(answer["ProcessedFindings"], [{"FindingIdentifier": other}])
        answer = self.hub.batch_update_findings_v2(MetadataUids=[uid, "none"], StatusId=2)
        self.assertEqual(answer["ProcessedFindings"], [{"MetadataUid": uid}])
        [left_out] = answer["UnprocessedFindings"]
        self.assertEqual((left_out["MetadataUid"], left_out["ErrorCode"]), ("none", "ResourceNotFoundException"))
        for refused in (
            {"StatusId": 4},
            {"MetadataUids": [uid], "FindingIdentifiers": [other], "StatusId": 4},
            {"MetadataUids": [uid], "StatusId": 7},
            {"MetadataUids": [uid], "Comment": "x" * 513},
            {"MetadataUids": [uid]},
        ):
            self.refused("ValidationException", self.hub.batch_update_findings_v2, **refused)

    def test_iam_asks_for_the_action_of_cspm_on_a_hub_of_its_own_and_for_the_fields(self) -> None:
        uid = self.sent("v2-authorized")
        hub = f"arn:aws:securityhub:us-east-1:{SECURITY}:hubv2/*"
        status = {"StringEquals": {"securityhub:OCSFSyntaxPath/StatusId": ["2", "4"]}}
        severity = {"Null": {"securityhub:OCSFSyntaxPath/SeverityId": "true"}}
        may = allow("securityhub:BatchUpdateFindings", hub, Condition={**status, **severity})
        key = user_with(self.aws, "v2-caller", allow("securityhub:GetFindings", hub), may, account=SECURITY)
        caller = self.aws.client("securityhub", key)
        self.assertEqual(len(self.read(uid, caller)), 1)
        caller.batch_update_findings_v2(MetadataUids=[uid], StatusId=2, Comment="seen")
        for refused in ({"StatusId": 3}, {"StatusId": 4, "SeverityId": 1}, {"Comment": "alone"}):
            self.refused("AccessDeniedException", caller.batch_update_findings_v2, MetadataUids=[uid], **refused)
        self.refused("AccessDeniedException", caller.get_findings)

    def test_a_member_sees_its_own_findings(self) -> None:
        uid = self.sent("v2-seen")
        self.assertEqual(len(self.read(uid, self.aws.root("securityhub", MEMBER))), 1)
        self.assertEqual(self.read(uid, self.aws.root("securityhub", OTHER_MEMBER)), [])
        self.assertIn("v2-seen", json.dumps(self.read(uid)))
