"""What a topic accepts, and what each of its subscribers gets.

Pages without an address are under https://docs.aws.amazon.com/sns/latest/dg/.
"""

import json

from local_aws import SECURITY, LocalAwsTest, until

TOPIC = f"arn:aws:sns:us-east-1:{SECURITY}:"
COPIES = {"default": "for all", "email": "a mail", "sms": "short", "https": '{"for": "https"}', "sqs": '{"for": "sqs"}'}
SEVERITY = {"severity": {"DataType": "String", "StringValue": "CRITICAL"}}


class SnsTest(LocalAwsTest):
    def setUp(self) -> None:
        self.sns, self.sqs = self.aws.root("sns", SECURITY), self.aws.root("sqs", SECURITY)
        self.name = self._testMethodName.removeprefix("test_")
        self.topic = self.sns.create_topic(Name=self.name, Attributes={"DisplayName": "Cordon"})["TopicArn"]

    def subscribe(self, protocol: str, endpoint: str, **attributes: str) -> None:
        self.sns.subscribe(TopicArn=self.topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes)

    def queue(self, name: str, **attributes: str) -> str:
        """A queue that the topic may send to and is subscribed to; its URL."""
        arn = f"arn:aws:sqs:us-east-1:{SECURITY}:{name}"
        admit = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
                 "Resource": arn}
        rights = json.dumps({"Version": "2012-10-17", "Statement": [admit]})
        self.subscribe("sqs", arn, **attributes)
        return self.sqs.create_queue(QueueName=name, Attributes={"Policy": rights})["QueueUrl"]

    def received(self, url: str) -> dict:
        ask = {"QueueUrl": url, "MessageAttributeNames": ["All"]}
        return until(lambda: self.sqs.receive_message(**ask).get("Messages"), "the message")[0]

    def publish(self, message, **more) -> str:
        return self.sns.publish(TopicArn=self.topic, Message=message, **more)["MessageId"]

    def delivered(self, protocol: str | None = None) -> list[dict]:
        """What was delivered to the subscribers of the topic, in this form."""
        all_of_them = self.aws.get("/_local/sns/deliveries")["deliveries"]
        mine = [one for one in all_of_them if one["topic"] == self.topic]
        return [one for one in mine if protocol in (None, one["protocol"])]

    def only(self, protocol: str) -> dict:
        (delivery,) = self.delivered(protocol)
        return delivery


class Deliveries(SnsTest):
    def test_a_mail_is_text_below_its_subject(self):
        """sns-email-notifications.html"""
        self.subscribe("email", "on-call@example.com")
        self.publish("first line\nsecond line", Subject="[CRITICAL] contained: user/bob")
        mail = self.only("email")
        self.assertEqual(mail["endpoint"], "on-call@example.com")
        self.assertEqual(mail["subject"], "[CRITICAL] contained: user/bob")
        self.assertEqual(mail["body"], "first line\nsecond line")

    def test_a_mail_without_a_subject_has_the_one_of_sns(self):
        """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html"""
        self.subscribe("email", "on-call@example.com")
        self.publish("text")
        self.assertEqual(self.only("email")["subject"], "AWS Notification Message")

    def test_a_mail_in_json_is_the_envelope(self):
        self.subscribe("email-json", "robot@example.com")
        number = self.publish("text", Subject="subject", MessageAttributes=SEVERITY)
        envelope = json.loads(self.only("email-json")["body"])
        self.assertEqual((envelope["Type"], envelope["MessageId"]), ("Notification", number))
        self.assertEqual((envelope["Subject"], envelope["Message"]), ("subject", "text"))

    def test_a_text_message_bears_the_topic_s_display_name_and_no_subject(self):
        """sms_publish-to-topic.html: the name in upper case, a right angle bracket and a space"""
        self.subscribe("sms", "+15555550100")
        self.publish("user/bob is contained", Subject="subject")
        text = self.only("sms")
        self.assertEqual((text["subject"], text["body"]), (None, "CORDON> user/bob is contained"))

    def test_a_text_message_has_at_most_1600_characters(self):
        """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
        self.subscribe("sms", "+15555550100")
        self.publish("x" * (1600 - len("CORDON> ")))
        self.publish("y" * (1601 - len("CORDON> ")))
        self.assertEqual(len(self.only("sms")["body"]), 1600)

    def test_https_gets_the_envelope_with_its_attributes(self):
        """http-notification-json.html"""
        self.subscribe("https", "https://hooks.example.com/cordon")
        self.publish("text", Subject="subject", MessageAttributes=SEVERITY)
        envelope = json.loads(self.only("https")["body"])
        self.assertEqual((envelope["Type"], envelope["TopicArn"]), ("Notification", self.topic))
        self.assertEqual((envelope["Subject"], envelope["Message"]), ("subject", "text"))
        self.assertEqual(envelope["MessageAttributes"], {"severity": {"Type": "String", "Value": "CRITICAL"}})

    def test_https_gets_the_message_alone_if_it_asks_for_that(self):
        """sns-large-payload-raw-message-delivery.html: and no attributes"""
        self.subscribe("https", "https://hooks.example.com/cordon", RawMessageDelivery="true")
        self.publish("text", MessageAttributes=SEVERITY)
        self.assertEqual(self.only("https")["body"], "text")

    def test_a_queue_gets_the_envelope_with_its_attributes(self):
        """sns-sqs-as-subscriber.html"""
        url = self.queue("envelopes")
        self.publish("text", Subject="subject", MessageAttributes=SEVERITY)
        message = self.received(url)
        self.assertEqual(message["Body"], self.only("sqs")["body"])
        envelope = json.loads(message["Body"])
        self.assertEqual((envelope["Subject"], envelope["Message"]), ("subject", "text"))
        self.assertEqual(envelope["MessageAttributes"], {"severity": {"Type": "String", "Value": "CRITICAL"}})

    def test_a_queue_gets_message_and_attributes_raw_if_it_asks_for_that(self):
        """sns-large-payload-raw-message-delivery.html"""
        url = self.queue("raw", RawMessageDelivery="true")
        self.publish("text", MessageAttributes=SEVERITY)
        message = self.received(url)
        self.assertEqual(message["Body"], "text")
        self.assertEqual(message["MessageAttributes"]["severity"]["StringValue"], "CRITICAL")

    def test_each_protocol_gets_the_copy_that_is_for_it(self):
        """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: `MessageStructure`"""
        for protocol, endpoint in (("email", "a@example.com"), ("email-json", "b@example.com"),
                                   ("sms", "+15555550100"), ("https", "https://hooks.example.com")):
            self.subscribe(protocol, endpoint)
        url = self.queue("copies")
        self.publish(json.dumps(COPIES), MessageStructure="json")
        self.assertEqual(self.only("email")["body"], "a mail")
        self.assertEqual(self.only("sms")["body"], "CORDON> short")
        self.assertEqual(json.loads(self.only("https")["body"])["Message"], '{"for": "https"}')
        self.assertEqual(json.loads(self.received(url)["Body"])["Message"], '{"for": "sqs"}')
        self.assertEqual(json.loads(self.only("email-json")["body"])["Message"], "for all")

    def test_a_copy_that_is_no_string_is_ignored(self):
        """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: "Non-string values will cause the key to be
        ignored"."""
        self.subscribe("email", "on-call@example.com")
        self.publish(json.dumps({"default": "for all", "email": {"no": "string"}}), MessageStructure="json")
        self.assertEqual(self.only("email")["body"], "for all")

    def test_copies_of_their_own_bear_no_attributes(self):
        """sns-message-attributes.html: "Message attributes are sent only when the message structure is String, not
        JSON"; seen in https://github.com/boto/boto3/issues/1513."""
        self.subscribe("https", "https://hooks.example.com")
        self.publish(json.dumps(COPIES), MessageStructure="json", MessageAttributes=SEVERITY)
        delivery = self.only("https")
        self.assertNotIn("MessageAttributes", json.loads(delivery["body"]))
        self.assertEqual(delivery["attributes"], {"severity": "CRITICAL"})

    def test_a_filter_lets_through_what_has_the_attributes(self):
        """sns-subscription-filter-policies.html"""
        wanted = {"severity": ["HIGH", {"prefix": "CRIT"}], "verdict": [{"anything-but": ["ignored"]}]}
        self.subscribe("email", "on-call@example.com", FilterPolicy=json.dumps(wanted))
        self.subscribe("email", "everything@example.com")
        for number, (severity, verdict) in enumerate(
            (("CRITICAL", "contained"), ("LOW", "contained"), ("HIGH", "ignored"), ("HIGH", "failed"))
        ):
            attributes = {"severity": severity, "verdict": verdict}
            typed = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
            self.publish(f"number {number}", MessageAttributes=typed)
        self.publish("number 4")
        filtered = [mail["body"] for mail in self.delivered() if mail["endpoint"] == "on-call@example.com"]
        self.assertEqual(filtered, ["number 0", "number 3"])
        self.assertEqual(len(self.delivered()), 7)

    def test_what_is_refused_by_its_queue_is_not_delivered(self):
        """subscribe-sqs-queue-to-sns-topic.html"""
        self.subscribe("sqs", f"arn:aws:sqs:us-east-1:{SECURITY}:closed")
        self.sqs.create_queue(QueueName="closed")
        self.publish("text")
        self.assertEqual(self.delivered(), [])

    def test_deliveries_are_asked_for_from_a_number_on(self):
        self.subscribe("email", "on-call@example.com")
        self.publish("first")
        last = self.only("email")["number"]
        self.assertEqual(self.aws.get(f"/_local/sns/deliveries?after={last}&wait=0.1"), {"deliveries": []})
        self.publish("second")
        (after,) = self.aws.get(f"/_local/sns/deliveries?after={last}&wait=30")["deliveries"]
        self.assertEqual(after["body"], "second")


class Confirmations(SnsTest):
    def test_what_is_not_confirmed_has_no_arn_yet(self):
        """sns-create-subscribe-endpoint-to-topic.html"""
        self.subscribe("email", "on-call@example.com")
        self.subscribe("https", "https://example.com/hook")
        listed = self.sns.list_subscriptions_by_topic(TopicArn=self.topic)["Subscriptions"]
        pending = {one["Protocol"]: one["SubscriptionArn"] == "PendingConfirmation" for one in listed}
        self.assertEqual(pending, {"email": False, "https": True})


class Refusals(SnsTest):
    """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html; the messages are those that localstack recorded
    from AWS, tests/aws/services/sns/test_sns.snapshot.json."""

    def invalid(self, what: str, **arguments) -> None:
        self.subscribe("email", "on-call@example.com")
        error = self.refused("InvalidParameter", self.publish, **arguments)
        self.assertEqual(error.response["Error"]["Message"], f"Invalid parameter: {what}")
        self.assertEqual(self.delivered(), [])

    def test_copies_without_one_for_all(self):
        message = json.dumps({"email": "a mail"})
        no_default = "Message Structure - No default entry in JSON message body"
        self.invalid(no_default, message=message, MessageStructure="json")

    def test_one_for_all_that_is_no_string(self):
        message = json.dumps({"default": {"no": "string"}})
        no_default = "Message Structure - No default entry in JSON message body"
        self.invalid(no_default, message=message, MessageStructure="json")

    def test_copies_that_are_no_json(self):
        for message in ('{"default": "text"} }', '["default"]'):
            self.invalid("Message Structure - JSON message body failed to parse", message=message,
                         MessageStructure="json")

    def test_a_structure_that_does_not_exist(self):
        self.invalid("MessageStructure", message="{}", MessageStructure="yaml")

    def test_a_subject_that_no_mail_may_have(self):
        for subject in ("x" * 100, "two\nlines", "a\ttab", " begins with a space", "\u00fcber"):
            with self.subTest(subject):
                self.invalid("Subject", message="text", Subject=subject)

    def test_a_message_that_is_too_long_with_its_attributes(self):
        attributes = {"a": {"DataType": "String", "StringValue": "b"}}
        most = 262_144 - len("a" + "String" + "b")
        self.invalid("Message too long", message="x" * (most + 1), MessageAttributes=attributes)
        self.publish("\u00fc" * (most // 2), MessageAttributes=attributes)

    def test_an_empty_message(self):
        self.invalid("Empty message", message="")
