"""EventBridge's targets, and its patterns and paths over lists."""

import json

from local_aws import SECURITY, LocalAwsTest, allow, role_with, until, user_with

PASS = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Pass", "End": True}}})
QUEUE = f"arn:aws:sqs:us-east-1:{SECURITY}:"
TOPIC = f"arn:aws:sns:us-east-1:{SECURITY}:"


def grant(principal: str, action, resource: str, **more) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class EventBridgeTest(LocalAwsTest):
    def setUp(self) -> None:
        self.events = self.aws.root("events", SECURITY)
        self.sqs = self.aws.root("sqs", SECURITY)

    def queue(self, name: str, principal: str = "events.amazonaws.com") -> str:
        rights = grant(principal, "sqs:SendMessage", QUEUE + name)
        self.sqs.create_queue(QueueName=name, Attributes={"Policy": rights})
        return QUEUE + name

    def received(self, name: str) -> dict:
        url = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        take = {"QueueUrl": url, "MessageAttributeNames": ["All"]}
        return until(lambda: self.sqs.receive_message(**take).get("Messages"), f"a message in {name}")[0]

    def is_empty(self, name: str) -> bool:
        url = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        return not self.sqs.receive_message(QueueUrl=url).get("Messages")

    def rule(self, name: str, pattern: dict, **target) -> None:
        self.events.put_rule(Name=name, EventPattern=json.dumps({"source": [name], **pattern}))
        self.events.put_targets(Rule=name, Targets=[{"Id": "target", **target}])

    def send(self, source: str, detail: dict) -> None:
        entry = {"Source": source, "DetailType": "test", "Detail": json.dumps(detail)}
        self.assertEqual(self.events.put_events(Entries=[entry])["FailedEntryCount"], 0)


class DeadLetters(EventBridgeTest):
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html"""

    def dead_letter(self, name: str, **target) -> dict:
        dead_letters = self.queue(f"{name}-dead-letters")
        self.rule(name, {}, DeadLetterConfig={"Arn": dead_letters}, **target)
        self.send(name, {"of": name})
        message = self.received(f"{name}-dead-letters")
        self.assertEqual(json.loads(message["Body"])["detail"], {"of": name})
        return {key: value["StringValue"] for key, value in message["MessageAttributes"].items()}

    def machine(self, name: str) -> str:
        role = role_with(self.aws, f"{name}-machine", self.trust("states"), account=SECURITY)
        make = self.aws.root("stepfunctions", SECURITY).create_state_machine
        return make(name=name, definition=PASS, roleArn=role)["stateMachineArn"]

    def trust(self, service: str) -> dict:
        return {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}

    def test_a_policy_names_a_rule_of_the_default_bus_without_the_bus(self):
        self.events.put_rule(Name="named", EventPattern=json.dumps({"source": ["named"]}))
        arn = f"arn:aws:events:us-east-1:{SECURITY}:rule/"
        for name, rule, status in (("reader", "named", 200), ("stranger", "default/named", 400)):
            may = allow("events:DescribeRule", arn + rule)
            events = self.aws.client("events", user_with(self.aws, name, may, account=SECURITY))
            with self.subTest(name):
                try:
                    answered = events.describe_rule(Name="named")["ResponseMetadata"]["HTTPStatusCode"]
                except events.exceptions.ClientError as error:
                    answered = error.response["ResponseMetadata"]["HTTPStatusCode"]
                self.assertEqual(answered // 100, status // 100)

    def test_a_machine_that_does_not_exist(self):
        role = role_with(self.aws, "starter", self.trust("events"), allow("states:StartExecution"), account=SECURITY)
        missing = f"arn:aws:states:us-east-1:{SECURITY}:stateMachine:missing"
        attributes = self.dead_letter("no-machine", Arn=missing, RoleArn=role)
        self.assertEqual(attributes["ERROR_CODE"], "NO_RESOURCE")
        self.assertEqual(attributes["TARGET_ARN"], missing)
        self.assertEqual(attributes["RULE_ARN"], f"arn:aws:events:us-east-1:{SECURITY}:rule/no-machine")
        self.assertIn("ERROR_MESSAGE", attributes)

    def test_a_role_that_may_not_start_the_machine(self):
        role = role_with(self.aws, "idler", self.trust("events"), account=SECURITY)
        attributes = self.dead_letter("no-permission", Arn=self.machine("unstarted"), RoleArn=role)
        self.assertEqual(attributes["ERROR_CODE"], "NO_PERMISSIONS")

    def test_a_role_that_does_not_trust_eventbridge(self):
        role = role_with(self.aws, "stranger", self.trust("lambda"), allow("states:*"), account=SECURITY)
        attributes = self.dead_letter("no-trust", Arn=self.machine("untrusted"), RoleArn=role)
        self.assertEqual(attributes["ERROR_CODE"], "FAILED_TO_ASSUME_ROLE")

    def test_a_role_that_is_bound_to_another_rule(self):
        """https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html"""
        rule = f"arn:aws:events:us-east-1:{SECURITY}:rule/another"
        bound = {**self.trust("events"), "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}
        role = role_with(self.aws, "bound", bound, allow("states:*"), account=SECURITY)
        attributes = self.dead_letter("not-another", Arn=self.machine("unbound"), RoleArn=role)
        self.assertEqual(attributes["ERROR_CODE"], "FAILED_TO_ASSUME_ROLE")

    def test_a_role_that_may_starts_the_machine(self):
        machine = self.machine("started")
        role = role_with(
            self.aws, "may-start", self.trust("events"), allow("states:StartExecution", machine), account=SECURITY
        )
        self.rule("start", {}, Arn=machine, RoleArn=role)
        self.send("start", {"of": "start"})
        states = self.aws.root("stepfunctions", SECURITY)
        until(lambda: states.list_executions(stateMachineArn=machine)["executions"], "an execution")

    def test_a_queue_whose_policy_does_not_admit_eventbridge(self):
        closed = self.queue("closed", "sns.amazonaws.com")
        self.assertEqual(self.dead_letter("closed-rule", Arn=closed)["ERROR_CODE"], "NO_PERMISSIONS")
        self.assertTrue(self.is_empty("closed"))

    def test_a_function_whose_policy_does_not_admit_eventbridge(self):
        missing = f"arn:aws:lambda:us-east-1:{SECURITY}:function:missing"
        self.assertEqual(self.dead_letter("no-function", Arn=missing)["ERROR_CODE"], "NO_RESOURCE")


class Topics(EventBridgeTest):
    def topic(self, name: str, key: str | None = None) -> str:
        sns = self.aws.root("sns", SECURITY)
        rights = grant("events.amazonaws.com", "sns:Publish", TOPIC + name)
        attributes = {"Policy": rights, **({"KmsMasterKeyId": key} if key else {})}
        sns.create_topic(Name=name, Attributes=attributes)
        sns.subscribe(TopicArn=TOPIC + name, Protocol="sqs", Endpoint=self.queue(f"{name}-mail", "sns.amazonaws.com"))
        return TOPIC + name

    def key(self, principal: str, **more) -> str:
        rights = json.loads(grant(principal, ["kms:GenerateDataKey*", "kms:Decrypt"], "*", **more))
        owner = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{SECURITY}:root"},
            "Action": "kms:*",
            "Resource": "*",
        }
        rights["Statement"].append(owner)
        return self.aws.root("kms", SECURITY).create_key(Policy=json.dumps(rights))["KeyMetadata"]["Arn"]

    def test_an_event_reaches_the_queue_behind_an_encrypted_topic(self):
        topic = self.topic("encrypted", self.key("events.amazonaws.com"))
        self.rule("to-encrypted", {}, Arn=topic)
        self.send("to-encrypted", {"a": 1})
        body = json.loads(self.received("encrypted-mail")["Body"])
        self.assertEqual(json.loads(body["Message"])["detail"], {"a": 1})

    def test_a_mail_about_an_event_has_no_subject_of_its_own(self):
        """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html"""
        topic = self.topic("mailed")
        self.aws.root("sns", SECURITY).subscribe(TopicArn=topic, Protocol="email", Endpoint="on-call@example.com")
        self.rule("to-mailed", {}, Arn=topic)
        self.send("to-mailed", {"a": 1})
        self.assertNotIn("Subject", json.loads(self.received("mailed-mail")["Body"]))
        mail = until(lambda: self.mails(topic), "the mail")[0]
        self.assertEqual((mail["subject"], json.loads(mail["body"])["detail"]), ("AWS Notification Message", {"a": 1}))

    def mails(self, topic: str) -> list[dict]:
        deliveries = self.aws.get("/_local/sns/deliveries")["deliveries"]
        return [one for one in deliveries if (one["topic"], one["protocol"]) == (topic, "email")]

    def test_a_message_that_is_too_long_goes_to_the_dead_letter_queue(self):
        """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html"""
        twice = {"InputPathsMap": {"long": "$.detail.long"}, "InputTemplate": '"<long><long>"'}
        dead_letters = {"Arn": self.queue("brief-dead-letters")}
        self.rule("to-brief", {}, Arn=self.topic("brief"), InputTransformer=twice, DeadLetterConfig=dead_letters)
        self.send("to-brief", {"long": 140_000 * "x"})
        reason = self.received("brief-dead-letters")["MessageAttributes"]
        self.assertEqual(reason["ERROR_CODE"]["StringValue"], "ERROR_FROM_TARGET")
        self.assertIn("Message too long", reason["ERROR_MESSAGE"]["StringValue"])
        self.assertTrue(self.is_empty("brief-mail"))

    def test_a_key_that_does_not_admit_eventbridge_stops_it(self):
        """https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services"""
        topic = self.topic("locked", self.key("lambda.amazonaws.com"))
        self.rule("to-locked", {}, Arn=topic)
        self.send("to-locked", {"a": 1})
        self.assertTrue(self.is_empty("locked-mail"))

    def test_a_key_must_not_ask_eventbridge_for_a_source(self):
        condition = {"StringEquals": {"aws:SourceAccount": SECURITY}}
        topic = self.topic("conditional", self.key("events.amazonaws.com", Condition=condition))
        self.rule("to-conditional", {}, Arn=topic)
        self.send("to-conditional", {"a": 1})
        self.assertTrue(self.is_empty("conditional-mail"))


class Inputs(EventBridgeTest):
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html"""

    FINDINGS = {"findings": [{"Id": "first", "Severity": {"Label": "HIGH"}}, {"Id": "second"}]}

    def test_paths_have_indexes(self):
        transformer = {
            "InputPathsMap": {
                "id": "$.detail.findings[0].Id",
                "all": "$.detail.findings",
                "none": "$.detail.nothing[3]",
            },
            "InputTemplate": '{"id": <id>, "all": <all>, "none": "<none>"}',
        }
        self.rule("transformed", {}, Arn=self.queue("transformed"), InputTransformer=transformer)
        self.send("transformed", self.FINDINGS)
        body = json.loads(self.received("transformed")["Body"])
        self.assertEqual(body, {"id": "first", "all": self.FINDINGS["findings"], "none": ""})

    def test_an_input_path_has_indexes(self):
        self.rule("pathed", {}, Arn=self.queue("pathed"), InputPath="$.detail.findings[1]")
        self.send("pathed", self.FINDINGS)
        self.assertEqual(json.loads(self.received("pathed")["Body"]), {"Id": "second"})


class Patterns(EventBridgeTest):
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html"""

    def assert_matches(self, pattern: dict, detail: dict, expected: bool = True) -> None:
        event = {"id": "1", "account": SECURITY, "source": "test", "time": "2026-01-01T00:00:00Z", "region": "us-east-1",
                 "resources": [], "detail-type": "test", "detail": detail}  # fmt: skip
        tested = self.events.test_event_pattern(EventPattern=json.dumps({"detail": pattern}), Event=json.dumps(event))
        self.assertEqual(tested["Result"], expected, (pattern, detail))

    def test_operators(self):
        self.assert_matches({"status": [{"anything-but": ["SUCCEEDED"]}]}, {"status": "FAILED"})
        self.assert_matches({"status": [{"anything-but": ["FAILED"]}]}, {"status": "FAILED"}, False)
        self.assert_matches({"error": [{"exists": False}]}, {"status": "FAILED"})
        self.assert_matches({"id": [{"prefix": "arn:"}]}, {"id": "arn:aws"})
        self.assert_matches({"id": [{"equals-ignore-case": "ABC"}]}, {"id": "abc"})
        self.assert_matches({"$or": [{"a": [1]}, {"b": [2]}]}, {"b": 2})
        self.assert_matches({"$or": [{"a": [1]}, {"b": [2]}]}, {"a": 2, "b": 1}, False)

    def test_one_element_of_a_list_must_match_all_conditions_on_it(self):
        """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html"""
        both = {"findings": {"Severity": {"Label": ["HIGH"]}, "Workflow": {"Status": ["NEW"]}}}
        new, high = {"Status": "NEW"}, {"Label": "HIGH"}
        self.assert_matches(both, {"findings": [{"Severity": high, "Workflow": new}]})
        apart = [
            {"Severity": high, "Workflow": {"Status": "RESOLVED"}},
            {"Severity": {"Label": "LOW"}, "Workflow": new},
        ]
        self.assert_matches(both, {"findings": apart}, False)

    def test_lists_within_lists(self):
        users = {"findings": {"Resources": {"Type": ["AwsIamUser"]}}}
        self.assert_matches(users, {"findings": [{"Resources": [{"Type": "Other"}, {"Type": "AwsIamUser"}]}]})
        self.assert_matches(users, {"findings": [{"Resources": [{"Type": "Other"}]}]}, False)


class Parameters(EventBridgeTest):
    """https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html"""

    def test_each_change_of_a_parameter_is_told(self):
        ssm = self.aws.root("ssm", SECURITY)
        queue = self.queue("parameter-changes")
        pattern = json.dumps({"source": ["aws.ssm"], "detail": {"name": ["/watched"]}})
        self.events.put_rule(Name="parameter-changes", EventPattern=pattern)
        self.events.put_targets(Rule="parameter-changes", Targets=[{"Id": "queue", "Arn": queue}])
        changes = {
            "Create": lambda: ssm.put_parameter(Name="/watched", Value="1", Type="String", Description="d"),
            "Update": lambda: ssm.put_parameter(Name="/watched", Value="2", Overwrite=True),
            "Delete": lambda: ssm.delete_parameter(Name="/watched"),
        }
        for operation, change in changes.items():
            change()
            ssm.put_parameter(Name="/another", Value="1", Type="String", Overwrite=True)
            message = self.received("parameter-changes")
            event = json.loads(message["Body"])
            self.assertEqual(event["detail-type"], "Parameter Store Change")
            told = {"operation": operation, "name": "/watched", "type": "String", "description": "d"}
            self.assertEqual(event["detail"], told)
            self.assertEqual(event["resources"], [f"arn:aws:ssm:us-east-1:{SECURITY}:parameter/watched"])
            url = self.sqs.get_queue_url(QueueName="parameter-changes")["QueueUrl"]
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            self.assertTrue(self.is_empty("parameter-changes"))
