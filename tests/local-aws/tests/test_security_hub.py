"""Security Hub: https://docs.aws.amazon.com/securityhub/1.0/APIReference/Welcome.html"""

import json
import urllib.error

from local_aws import MANAGEMENT, MEMBER, OTHER_MEMBER, SECURITY, LocalAwsTest, allow, policy, until, user_with

GUARDDUTY = "arn:aws:securityhub:us-east-1::product/aws/guardduty"
CONTROLS = "arn:aws:securityhub:us-east-1::product/aws/securityhub"
PATTERN = {"source": ["aws.securityhub"], "detail": {"findings": {"Severity": {"Label": ["CRITICAL", "HIGH"]}}}}


def default_product(account: str) -> str:
    return f"arn:aws:securityhub:us-east-1:{account}:product/{account}/default"


def finding(identifier: str, account: str = MEMBER, **more) -> dict:
    return {
        "SchemaVersion": "2018-10-08",
        "Id": identifier,
        "ProductArn": default_product(account),
        "GeneratorId": "test",
        "AwsAccountId": account,
        "CreatedAt": "2026-01-01T00:00:00Z",
        "UpdatedAt": "2026-01-01T00:00:00Z",
        "Title": "a title",
        "Description": "a description",
        "Resources": [{"Type": "AwsIamUser", "Id": f"arn:aws:iam::{account}:user/mallory"}],
        "Severity": {"Label": "CRITICAL"},
        "Types": ["TTPs/Initial Access"],
        **more,
    }


def identifier_of(imported: dict) -> dict:
    return {"Id": imported["Id"], "ProductArn": imported["ProductArn"]}


class SecurityHubTest(LocalAwsTest):
    def setUp(self) -> None:
        self.member = self.aws.root("securityhub", MEMBER)
        self.administrator = self.aws.root("securityhub", SECURITY)

    def imported(self, identifier: str, **more) -> dict:
        given = finding(identifier, **more)
        if given["ProductArn"] == default_product(MEMBER):
            self.assertEqual(self.member.batch_import_findings(Findings=[given])["FailedFindings"], [])
        else:
            self.aws.post("/_local/securityhub/finding", given)
        return given

    def updated(self, imported: dict, **update) -> None:
        answer = self.administrator.batch_update_findings(FindingIdentifiers=[identifier_of(imported)], **update)
        self.assertEqual(answer["UnprocessedFindings"], [])

    def read(self, imported: dict, hub=None) -> dict:
        filters = {
            "Id": [{"Value": imported["Id"], "Comparison": "EQUALS"}],
            "ProductArn": [{"Value": imported["ProductArn"], "Comparison": "EQUALS"}],
        }
        (found,) = (hub or self.administrator).get_findings(Filters=filters)["Findings"]
        return found


class Imports(SecurityHubTest):
    """https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html"""

    def refusal(self, **more) -> str:
        given = {name: value for name, value in finding("refused", **more).items() if value is not None}
        answer = self.member.batch_import_findings(Findings=[given, finding("accepted")])
        self.assertEqual((answer["FailedCount"], answer["SuccessCount"]), (1, 1))
        self.assertEqual(answer["FailedFindings"][0]["ErrorCode"], "InvalidInput")
        return answer["FailedFindings"][0]["ErrorMessage"]

    def test_required_fields_are_required(self):
        """https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html"""
        for field in ("SchemaVersion", "Id", "GeneratorId", "AwsAccountId", "CreatedAt", "UpdatedAt", "Title",
                      "Description", "Resources", "Severity", "Types"):  # fmt: skip
            self.assertIn(f"'{field}'", self.refusal(**{field: None}))

    def test_lengths_and_formats_are_checked(self):
        self.refusal(Id="i" * 513)
        self.refusal(Title="t" * 257)
        self.refusal(Description="d" * 1025)
        self.refusal(CreatedAt="yesterday")
        self.refusal(Resources=[])
        self.refusal(Resources=[{"Type": "Other", "Id": str(number)} for number in range(33)])
        self.refusal(Severity={"Label": "AWFUL"})

    def test_a_finding_has_240_kb_at_most(self):
        self.refusal(ProductFields={"large": "x" * 240 * 1024})

    def test_the_default_product_speaks_for_its_own_account_only(self):
        self.refusal(AwsAccountId=OTHER_MEMBER)

    def test_nobody_imports_as_an_aws_service(self):
        pretended = finding("pretended", ProductArn=GUARDDUTY)
        self.refused("AccessDeniedException", self.member.batch_import_findings, Findings=[pretended])

    def test_a_hundred_findings_at_most(self):
        many = [finding(f"many-{number}") for number in range(101)]
        self.refused("InvalidInputException", self.member.batch_import_findings, Findings=many)

    def test_what_is_no_finding_is_refused(self):
        self.refused("InvalidInputException", self.member.batch_import_findings)
        self.refused("InvalidInputException", self.member.batch_import_findings, Findings=[])

    def test_what_aws_fills_in(self):
        read = self.read(self.imported("filled", Severity={"Normalized": 75}))
        self.assertEqual(read["Severity"], {"Label": "HIGH", "Normalized": 75})
        self.assertEqual((read["RecordState"], read["WorkflowState"]), ("ACTIVE", "NEW"))
        self.assertEqual(read["Workflow"], {"Status": "NEW"})
        self.assertEqual(read["Region"], "us-east-1")
        self.assertEqual(read["FindingProviderFields"]["Severity"], {"Label": "HIGH"})
        self.assertIn("ProcessedAt", read)

    def test_a_provider_sends_again_and_customers_keep_what_is_theirs(self):
        imported = self.imported("again")
        note = {"Text": "seen", "UpdatedBy": "responder"}
        self.updated(imported, Note=note, Workflow={"Status": "SUPPRESSED"}, Severity={"Label": "LOW"},
                     UserDefinedFields={"ticket": "1"})  # fmt: skip
        self.imported("again", Title="another title", Severity={"Label": "HIGH"}, UpdatedAt="2026-01-02T00:00:00Z")
        read = self.read(imported)
        self.assertEqual(read["Title"], "another title")
        self.assertEqual(read["Note"]["Text"], "seen")
        self.assertEqual(read["UserDefinedFields"], {"ticket": "1"})
        self.assertEqual(read["Workflow"], {"Status": "SUPPRESSED"})
        self.assertEqual(read["Severity"]["Label"], "LOW")

    def test_local_path_speaks_as_the_service_that_the_product_names(self):
        imported = self.imported("from-guardduty", ProductArn=GUARDDUTY)
        self.assertEqual(self.read(imported)["ProductName"], "GuardDuty")

    def test_local_path_refuses_what_is_no_finding(self):
        with self.assertRaises(urllib.error.HTTPError) as raised:
            self.aws.post("/_local/securityhub/finding", {"Id": "no"})
        self.assertEqual(raised.exception.code, 400)
        raised.exception.close()


class Updates(SecurityHubTest):
    """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html"""

    def test_the_administrator_updates_its_members_findings(self):
        imported = self.imported("updated")
        self.updated(imported, Note={"Text": "done", "UpdatedBy": "cordon"}, Workflow={"Status": "RESOLVED"})
        read = self.read(imported, self.member)
        self.assertEqual((read["Note"]["Text"], read["Workflow"]["Status"]), ("done", "RESOLVED"))
        self.assertEqual(read["UpdatedAt"], imported["UpdatedAt"])

    def test_a_member_does_not_reach_another_members_findings(self):
        imported = self.imported("private")
        other = self.aws.root("securityhub", OTHER_MEMBER)
        answer = other.batch_update_findings(
            FindingIdentifiers=[identifier_of(imported)], Workflow={"Status": "RESOLVED"}
        )
        self.assertEqual(answer["UnprocessedFindings"][0]["ErrorCode"], "FindingNotFound")
        self.assertEqual(self.read(imported)["Workflow"]["Status"], "NEW")

    def test_unknown_and_repeated_identifiers_come_back_unprocessed(self):
        imported = identifier_of(self.imported("repeated"))
        unknown = {**imported, "Id": "unknown"}
        answer = self.administrator.batch_update_findings(
            FindingIdentifiers=[imported, imported, unknown], Workflow={"Status": "NOTIFIED"}
        )
        codes = [each["ErrorCode"] for each in answer["UnprocessedFindings"]]
        self.assertEqual(codes, ["DuplicatedFindingIdentifier", "FindingNotFound"])
        self.assertEqual(answer["ProcessedFindings"], [imported])

    def test_notes_and_fields_have_limits(self):
        update = self.administrator.batch_update_findings
        named = {"FindingIdentifiers": [identifier_of(self.imported("limited"))]}
        for wrong in (
            {"Note": {"Text": "", "UpdatedBy": "x"}},
            {"Note": {"Text": "t" * 513, "UpdatedBy": "x"}},
            {"UserDefinedFields": {f"field-{number}": "x" for number in range(51)}},
            {"UserDefinedFields": {"n" * 129: "x"}},
            {"UserDefinedFields": {"n": "x" * 1025}},
            {"Workflow": {"Status": "DONE"}},
        ):
            self.refused("InvalidInputException", update, **named, **wrong)
        self.updated(named["FindingIdentifiers"][0], Note={"Text": "t" * 512, "UpdatedBy": "x"})

    def test_a_hundred_identifiers_at_most(self):
        many = [{"Id": str(number), "ProductArn": GUARDDUTY} for number in range(101)]
        self.refused("InvalidInputException", self.administrator.batch_update_findings, FindingIdentifiers=many)


class Workflow(SecurityHubTest):
    """https://docs.aws.amazon.com/securityhub/latest/userguide/findings-workflow-status.html"""

    def status_after(self, name: str, before: dict, after: dict) -> str:
        imported = self.imported(name, ProductArn=CONTROLS, **before)
        self.updated(imported, Workflow={"Status": "RESOLVED"})
        self.imported(name, ProductArn=CONTROLS, **after)
        return self.read(imported)["Workflow"]["Status"]

    def test_resolved_goes_back_to_new_when_a_control_fails_again(self):
        passed, failed = ({"Compliance": {"Status": status}} for status in ("PASSED", "FAILED"))
        self.assertEqual(self.status_after("failing-again", passed, failed), "NEW")

    def test_resolved_stays_while_a_control_keeps_failing(self):
        failed = {"Compliance": {"Status": "FAILED"}}
        self.assertEqual(self.status_after("still-failing", failed, failed), "RESOLVED")

    def test_resolved_goes_back_to_new_when_an_archived_finding_is_active_again(self):
        self.assertEqual(self.status_after("back", {"RecordState": "ARCHIVED"}, {"RecordState": "ACTIVE"}), "NEW")

    def test_a_control_that_passes_resolves_its_finding(self):
        imported = self.imported("passing", ProductArn=CONTROLS, Compliance={"Status": "FAILED"})
        self.imported("passing", ProductArn=CONTROLS, Compliance={"Status": "PASSED"})
        self.assertEqual(self.read(imported)["Workflow"]["Status"], "RESOLVED")


class Reads(SecurityHubTest):
    """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html"""

    def test_pages(self):
        for number in range(5):
            self.imported(f"page-{number}")
        ours = {"Id": [{"Value": "page-", "Comparison": "PREFIX"}]}
        pages = self.administrator.get_paginator("get_findings").paginate(
            Filters=ours, PaginationConfig={"PageSize": 2}
        )
        self.assertEqual([len(page["Findings"]) for page in pages], [2, 2, 1])

    def test_filters_are_all_met(self):
        self.imported("filtered")
        filters = {
            "Id": [{"Value": "filtered", "Comparison": "EQUALS"}],
            "WorkflowStatus": [{"Value": "RESOLVED", "Comparison": "EQUALS"}],
        }
        self.assertEqual(self.administrator.get_findings(Filters=filters)["Findings"], [])
        filters["WorkflowStatus"][0]["Comparison"] = "NOT_EQUALS"
        self.assertEqual(len(self.administrator.get_findings(Filters=filters)["Findings"]), 1)

    def test_a_filter_that_the_local_aws_lacks_is_refused_instead_of_ignored(self):
        filters = {"Keyword": [{"Value": "x"}]}
        self.refused("InvalidInputException", self.administrator.get_findings, Filters=filters)

    def test_a_member_sees_its_own_findings_only(self):
        self.imported("hidden")
        ours = {"Id": [{"Value": "hidden", "Comparison": "EQUALS"}]}
        self.assertEqual(self.aws.root("securityhub", OTHER_MEMBER).get_findings(Filters=ours)["Findings"], [])


class Permissions(SecurityHubTest):
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecurityhub.html"""

    def hub_of(self, name: str, *policies: str, account: str = SECURITY):
        return self.aws.client("securityhub", user_with(self.aws, name, *policies, account=account))

    def test_updates_are_authorised_on_the_hub(self):
        named = {"FindingIdentifiers": [identifier_of(self.imported("guarded"))], "Workflow": {"Status": "NOTIFIED"}}
        hub = f"arn:aws:securityhub:us-east-1:{SECURITY}:hub/default"
        self.hub_of("updater", allow("securityhub:BatchUpdateFindings", hub)).batch_update_findings(**named)
        elsewhere = self.hub_of("misled", allow("securityhub:BatchUpdateFindings", hub.replace(SECURITY, MEMBER)))
        self.refused("AccessDeniedException", elsewhere.batch_update_findings, **named)

    def test_imports_are_authorised_on_the_product(self):
        only = allow("securityhub:BatchImportFindings", default_product(MEMBER))
        self.hub_of("importer", only, account=MEMBER).batch_import_findings(Findings=[finding("by-importer")])
        other = self.hub_of("no-importer", allow("securityhub:BatchImportFindings", GUARDDUTY), account=MEMBER)
        self.refused("AccessDeniedException", other.batch_import_findings, Findings=[finding("by-other")])

    def test_a_policy_can_forbid_a_field_or_a_value(self):
        """https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchupdatefindings.html"""
        condition = {"StringEquals": {"securityhub:ASFFSyntaxPath/Workflow.Status": "SUPPRESSED"}}
        deny = policy("Deny", "securityhub:BatchUpdateFindings", Condition=condition)
        hub = self.hub_of("no-suppressor", allow("securityhub:*"), deny)
        named = {"FindingIdentifiers": [identifier_of(self.imported("suppressed"))]}
        hub.batch_update_findings(**named, Workflow={"Status": "NOTIFIED"})
        self.refused("AccessDeniedException", hub.batch_update_findings, **named, Workflow={"Status": "SUPPRESSED"})


class Hub(SecurityHubTest):
    def test_every_account_has_it_from_the_start(self):
        """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_EnableSecurityHub.html"""
        arn = self.member.describe_hub()["HubArn"]
        self.assertEqual(arn, f"arn:aws:securityhub:us-east-1:{MEMBER}:hub/default")
        self.refused("ResourceConflictException", self.member.enable_security_hub)

    def test_the_administrator_lists_its_members_in_pages(self):
        """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_ListMembers.html"""
        hub = self.aws.root("securityhub", SECURITY)
        first = hub.list_members(OnlyAssociated=True, MaxResults=2)
        second = hub.list_members(NextToken=first["NextToken"])
        members = [(one["AccountId"], one["MemberStatus"]) for one in first["Members"] + second["Members"]]
        self.assertEqual(members, [(one, "Enabled") for one in (MEMBER, OTHER_MEMBER, MANAGEMENT)])
        self.assertNotIn("NextToken", second)
        self.refused("InvalidAccessException", self.member.list_members)

    def test_both_are_on_and_aggregate_here(self):
        """https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindingAggregator.html"""
        hub = self.aws.root("securityhub", SECURITY)
        self.assertIn(":hubv2/", hub.describe_security_hub_v2()["HubV2Arn"])
        (one,) = hub.list_finding_aggregators()["FindingAggregators"]
        self.assertEqual(hub.get_finding_aggregator(**one)["FindingAggregationRegion"], "us-east-1")
        (one,) = hub.list_aggregators_v2()["AggregatorsV2"]
        self.assertEqual(hub.get_aggregator_v2(**one)["AggregationRegion"], "us-east-1")


class Events(SecurityHubTest):
    """https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html"""

    def listen(self, name: str, pattern: dict, account: str = SECURITY):
        """A function that returns the events that a new rule has matched so far."""
        sqs, events = self.aws.root("sqs", account), self.aws.root("events", account)
        queue = f"arn:aws:sqs:us-east-1:{account}:{name}"
        send = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
        }
        url = sqs.create_queue(
            QueueName=name, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [send]})}
        )["QueueUrl"]
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": queue}])
        received: list[dict] = []

        def so_far() -> list[dict]:
            for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                received.append(json.loads(message["Body"]))
            return received

        return so_far

    def of(self, identifier: str) -> dict:
        return {"source": ["aws.securityhub"], "detail": {"findings": {"Id": [identifier]}}}

    def test_an_import_and_an_update_send_one_event_each_with_the_whole_finding(self):
        events = self.listen("both", self.of("told"))
        imported = self.imported("told")
        self.updated(imported, Workflow={"Status": "NOTIFIED"})
        first, second = until(lambda: len(events()) == 2 and events(), "two events")
        self.assertEqual(first["account"], SECURITY)
        self.assertEqual(first["detail-type"], "Security Hub Findings - Imported")
        self.assertEqual(first["resources"], [f"{imported['ProductArn']}/told"])
        self.assertEqual(len(first["detail"]["findings"]), 1)
        self.assertEqual(second["detail"]["findings"][0]["Workflow"], {"Status": "NOTIFIED"})

    def test_what_a_local_path_only_stores_is_not_sent(self):
        events = self.listen("stored", self.of("stored"))
        given = finding("stored", ProductArn=GUARDDUTY)
        self.aws.post("/_local/securityhub/finding?unsent=true", given)
        self.assertEqual(self.read(given)["Workflow"], {"Status": "NEW"})
        self.updated(given, Workflow={"Status": "NOTIFIED"})
        (event,) = until(events, "the update's event")
        self.assertEqual(event["detail"]["findings"][0]["Workflow"], {"Status": "NOTIFIED"})

    def test_a_pattern_looks_into_the_list_of_findings(self):
        events = self.listen(
            "severe",
            {**PATTERN, "detail": {"findings": {**PATTERN["detail"]["findings"], "Id": [{"prefix": "severe-"}]}}},
        )
        self.imported("severe-no", Severity={"Label": "LOW"})
        self.imported("severe-yes")
        (event,) = until(events, "the severe finding's event")
        self.assertEqual(event["detail"]["findings"][0]["Id"], "severe-yes")

    def test_the_members_own_bus_has_the_event_too(self):
        events = self.listen("own", self.of("own"), account=MEMBER)
        self.imported("own")
        (event,) = until(events, "the event in the member's account")
        self.assertEqual(event["account"], MEMBER)

    def test_a_custom_action_sends_one_event_for_each_selected_finding(self):
        action = f"arn:aws:securityhub:us-east-1:{SECURITY}:action/custom/Contain"
        events = self.listen("chosen", {"source": ["aws.securityhub"], "resources": [action]})
        chosen = [identifier_of(self.imported(f"chosen-{number}")) for number in range(2)]
        self.aws.post("/_local/securityhub/custom-action", {"actionArn": action, "findings": chosen})
        sent = until(lambda: len(events()) == 2 and events(), "two events")
        self.assertEqual({event["detail-type"] for event in sent}, {"Security Hub Findings - Custom Action"})
        self.assertEqual({event["detail"]["actionName"] for event in sent}, {"Contain"})
        self.assertEqual([len(event["detail"]["findings"]) for event in sent], [1, 1])

    def test_an_insight_is_sent_to_a_custom_action_without_findings(self):
        """https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html"""
        action = f"arn:aws:securityhub:us-east-1:{SECURITY}:action/custom/Insight"
        events = self.listen("insight", {"source": ["aws.securityhub"], "resources": [action]})
        insight = {"insightName": "users", "insightResults": [{"eve": 5}]}
        self.aws.post("/_local/securityhub/custom-action", {"actionArn": action, "insight": insight})
        (sent,) = until(lambda: len(events()) == 1 and events(), "an event")
        self.assertEqual(sent["detail-type"], "Security Hub Insight Results")
        self.assertEqual(sent["detail"]["insightName"], "users")
        self.assertEqual(sent["detail"]["actionName"], "Insight")

    def test_nobody_else_sends_events_as_an_aws_service(self):
        """https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html"""
        entry = {"Source": "aws.securityhub", "DetailType": "Security Hub Findings - Imported", "Detail": "{}"}
        answer = self.aws.root("events", SECURITY).put_events(Entries=[entry])
        self.assertEqual(answer["Entries"][0]["ErrorCode"], "NotAuthorizedForSourceException")

    def test_a_hundred_findings_are_a_hundred_events(self):
        events = self.listen(
            "flood", {"source": ["aws.securityhub"], "detail": {"findings": {"Id": [{"prefix": "flood-"}]}}}
        )
        self.member.batch_import_findings(Findings=[finding(f"flood-{number}") for number in range(100)])
        until(lambda: len(events()) == 100, "a hundred events")
