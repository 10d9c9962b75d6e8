"""What a topic accepts, and the copy of a message that each subscriber gets, in the form of its protocol.

Nothing leaves this machine and nobody is asked to confirm a subscription: what mail servers, phones and web
servers would get is kept for ``GET /_local/sns/deliveries``. Queues and functions get theirs as well.

Pages without an address are under https://docs.aws.amazon.com/sns/latest/dg/.
"""

import asyncio
import contextvars
import json
import re
import threading
import time

from ministack.core.responses import request_scope
from ministack.services import sns, sqs

from cordon_local import local_paths, pins

# API_Publish.html has allowed more than ASCII for a while; what it did allow at first every mail server takes.
SUBJECT = re.compile(r"[!-~][ -~]{0,98}")
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html
NO_SUBJECT = "AWS Notification Message"
TEXT_MESSAGE_CHARACTERS = 1600
# Raw delivery is for these (sns-large-payload-raw-message-delivery.html).
RAW = ("http", "https", "sqs")
GLANCE_SECONDS = 0.02

_deliveries: list[dict] = []
_counting = threading.Lock()


def install() -> None:
    pins.replace("ministack.services.sns:_publish", publish)
    pins.replace("ministack.services.sns:_fanout", _fan_out)
    pins.replace("ministack.services.sns:_send_subscription_confirmation", _confirm)
    pins.replace("ministack.services.sns:_list_subscriptions_by_topic", _list_by_topic)
    local_paths.add("GET", "/_local/sns/deliveries", _read)


def publish(original, params):
    """https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
    reason = _why_invalid(params)
    if reason:
        return sns._error("InvalidParameter", f"Invalid parameter: {reason}", 400)
    return original(params)


def _why_invalid(params) -> str | None:
    message, subject = sns._p(params, "Message"), sns._p(params, "Subject", None)
    if not message:
        return "Empty message"
    if subject is not None and not SUBJECT.fullmatch(subject):
        return "Subject"
    if sns._message_payload_size(message, sns._parse_message_attributes(params)) > sns._SNS_MAX_PAYLOAD_BYTES:
        return "Message too long"
    structure = sns._p(params, "MessageStructure")
    if structure not in ("", "json"):
        return "MessageStructure"
    return _why_no_copies(message) if structure else None


def _why_no_copies(message: str) -> str | None:
    try:
        copies = json.loads(message)
    except ValueError:
        copies = None
    if not isinstance(copies, dict):
        return "Message Structure - JSON message body failed to parse"
    if not isinstance(copies.get("default"), str):
        return "Message Structure - No default entry in JSON message body"
    return None


def _fan_out(_original, topic_arn, message_id, message, subject, message_structure="", message_attributes=None,
             message_group_id="", message_dedup_id=""):
    topic = sns._topic_by_arn_any_scope(topic_arn)
    attributes = message_attributes or {}
    # "Message attributes are sent only when the message structure is String, not JSON" (sns-message-attributes.html).
    sent = {} if message_structure == "json" else attributes
    for subscription in list(topic["subscriptions"] if topic else ()):
        protocol, endpoint = subscription["protocol"], subscription["endpoint"]
        text = _copy_for(protocol, message) if message_structure == "json" else message
        if not sns._matches_filter_policy(subscription, attributes, text):
            continue
        raw = protocol in RAW and subscription["attributes"].get("RawMessageDelivery") == "true"
        body = sns._build_envelope(topic_arn, message_id, text, subject, sent, raw)
        if protocol in ("email", "application"):
            body = text
        elif protocol == "sms":
            body = _text_message(topic, text)
            if len(body) > TEXT_MESSAGE_CHARACTERS:
                sns.logger.warning("no text message to %s: it has %s characters", endpoint, len(body))
                continue
        elif protocol == "sqs":
            if not _admitted(endpoint, topic):
                sns.logger.warning("%s does not admit %s", endpoint, topic_arn)
                continue
            sns._deliver_to_sqs(endpoint, body, raw, text, message_group_id=message_group_id,
                                message_dedup_id=message_dedup_id, message_attributes=sent, topic_arn=topic_arn)
        elif protocol == "lambda":
            _call(topic, sns._deliver_to_lambda, endpoint, body, topic_arn, subscription["arn"], message_id, text, sent)
        _keep(topic_arn, protocol, endpoint, subject, body, attributes)


def _copy_for(protocol: str, message: str) -> str:
    copies = json.loads(message)
    copy = copies.get(protocol)
    return copy if isinstance(copy, str) else copies["default"]


def _text_message(topic: dict, text: str) -> str:
    """sms_publish-to-topic.html"""
    name = topic["attributes"].get("DisplayName")
    return f"{name.upper()}> {text}" if name else text


def _admitted(queue_arn: str, topic: dict) -> bool:
    return sqs._queue_by_arn(queue_arn) is not None and sqs.queue_policy_allows(
        queue_arn, "sns.amazonaws.com", topic["arn"], sns._topic_owner(topic))


def _call(topic: dict, deliver, *arguments) -> None:
    """Whoever publishes does not wait for a function; it is called in the account of the topic."""
    with request_scope(sns._topic_owner(topic), topic["arn"].split(":")[3]):
        context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(deliver, *arguments), daemon=True).start()


def _keep(topic_arn: str, protocol: str, endpoint: str, subject: str, body: str, attributes: dict) -> None:
    with _counting:
        _deliveries.append({
            "number": len(_deliveries) + 1,
            "time": time.time(),
            "topic": topic_arn,
            "protocol": protocol,
            "endpoint": endpoint,
            "subject": (subject or NO_SUBJECT) if protocol.startswith("email") else None,
            "body": body,
            "attributes": {name: attribute.get("StringValue") for name, attribute in attributes.items()},
        })


async def _read(query: dict[str, str], _body: object) -> local_paths.Answer:
    """The deliveries after a number; if there are none, those that come within some seconds."""
    after, until = int(query.get("after", 0)), time.monotonic() + float(query.get("wait", 0))
    while len(_deliveries) <= after and time.monotonic() < until:
        await asyncio.sleep(GLANCE_SECONDS)
    return 200, {"deliveries": _deliveries[after:]}


def _list_by_topic(original, params):
    """What is not confirmed has no ARN yet (sns-create-subscribe-endpoint-to-topic.html)."""
    status, headers, body = original(params)
    topic = sns._topic_by_arn_any_scope(sns._p(params, "TopicArn"))
    for subscription in topic["subscriptions"] if topic else ():
        if not subscription["confirmed"]:
            arn = f"<SubscriptionArn>{subscription['arn']}</SubscriptionArn>"
            body = body.replace(arn.encode(), b"<SubscriptionArn>PendingConfirmation</SubscriptionArn>")
    return status, headers, body


async def _confirm(_original, _topic_arn, _subscription) -> None:
    """Nobody is asked."""
