"""Targets that cannot be reached, permissions of targets, and paths into lists.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

import json
import re
from contextvars import ContextVar

from ministack.core.iam_evaluator import (
    EvalContext,
    ResolvedCredential,
    evaluate,
    evaluate_resource_policy,
    resolve_principal,
)
from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, iam, kms, lambda_svc, sns, sqs, stepfunctions

from cordon_local import pins
from cordon_local.service_roles import may_assume

PRINCIPAL = "events.amazonaws.com"
# What went wrong below, where the emulator would catch it.
_refusals: ContextVar[list["Undeliverable"]] = ContextVar("refusals")


def install() -> None:
    pins.replace("ministack.services.eventbridge:_invoke_target", _invoke_target)
    pins.replace("ministack.services.eventbridge:_apply_input_transformer", _apply_input_transformer)
    pins.replace("ministack.services.eventbridge:_dispatch_to_stepfunctions", _start_execution)
    pins.replace("ministack.services.eventbridge:_dispatch_to_sns", _publish)


class Undeliverable(Exception):
    """The target did not take the event, for a reason that EventBridge has a code for.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-event-delivery.html
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


def _invoke_target(original, target, event, rule, view=None):
    view = view or eventbridge._pattern_event_view(event)
    if "InputPath" in target:
        target = {**target, "Input": json.dumps(_at(target["InputPath"], view.event_with_detail()))}
        del target["InputPath"]
    token = _refusals.set([])
    try:
        _check_permission(target, rule)
        original(target, event, rule, view)
        refusals = _refusals.get()
    except Undeliverable as error:
        refusals = [error]
    finally:
        _refusals.reset(token)
    for refusal in refusals:
        _to_dead_letter_queue(target, rule, view.event_with_detail(), refusal)


def _check_permission(target: dict, rule: dict) -> None:
    """A role for Step Functions, the target's own policy for the others.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
    """
    arn = target["Arn"]
    service = arn.split(":")[2]
    if service == "states":
        _check_role(target.get("RoleArn", ""), arn, rule)
    elif service in _TARGETS:
        action, policy_of = _TARGETS[service]
        _check_policy(policy_of(arn), action, arn, rule)
        if service == "sns":
            _check_topic_key(arn, rule)


_TARGETS = {
    "lambda": ("lambda:InvokeFunction", lambda_svc.function_policy_for_arn),
    "sns": ("sns:Publish", sns.topic_policy_for_arn),
    "sqs": ("sqs:SendMessage", sqs.queue_policy_for_arn),
}


def _check_policy(found: tuple | None, action: str, arn: str, rule: dict, **keys: str) -> None:
    if found is None:
        raise Undeliverable("NO_RESOURCE", f"no such target: {arn}")
    context = EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action=action,
        resource_arn=arn,
        region=get_region(),
        # Services call each other over TLS, whatever request began it.
        secure_transport=True,
        service_context={"aws:sourcearn": rule["Arn"], "aws:sourceaccount": get_account_id(), **keys},
    )
    if evaluate_resource_policy(found[0], context, service=PRINCIPAL).decision != "Allow":
        raise Undeliverable("NO_PERMISSIONS", f"{PRINCIPAL} is not authorized to perform: {action} on resource: {arn}")


def _check_topic_key(topic_arn: str, rule: dict) -> None:
    """An encrypted topic needs a key whose policy admits EventBridge.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
    """
    topic = sns._topic_by_arn_any_scope(topic_arn)
    key = kms._resolve_key(topic["attributes"].get("KmsMasterKeyId"))
    if key:
        for action in ("kms:GenerateDataKey", "kms:Decrypt"):
            # "aws:SourceArn and aws:SourceAccount are not supported for EventBridge-to-encrypted topics".
            _check_policy((key["Policy"],), action, key["Arn"], {"Arn": None}, **{"aws:sourceaccount": None})


def _check_role(role_arn: str, target_arn: str, rule: dict) -> None:
    """The rule's role, whose trust may be bound to the rule and its account.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html
    """
    if not role_arn or not may_assume(PRINCIPAL, role_arn, rule["Arn"]):
        raise Undeliverable("FAILED_TO_ASSUME_ROLE", f"{PRINCIPAL} cannot assume role: {role_arn}")
    account, name = get_account_id(), role_arn.rsplit("/", 1)[-1]
    session = f"arn:aws:sts::{account}:assumed-role/{name}/events"
    credential = ResolvedCredential("", "", account, session, f"{iam._roles[name]['RoleId']}:events", "AssumedRole")
    principal = resolve_principal("", account, credential)
    context = EvalContext(
        principal_arn=session,
        principal_type="AssumedRole",
        principal_account=account,
        action="states:StartExecution",
        resource_arn=target_arn,
        region=get_region(),
        principal_keys=principal.keys,
    )
    if evaluate(context, principal.policies, *principal.limits).decision != "Allow":
        reason = f"{session} is not authorized to perform: states:StartExecution on resource: {target_arn}"
        raise Undeliverable("NO_PERMISSIONS", reason)


def _start_execution(_original, arn, payload):
    """Start the machine, and keep the reason if it does not start."""
    status, _headers, body = stepfunctions._start_execution({"stateMachineArn": arn, "input": payload})
    if status != 200:
        answer = json.loads(body)
        missing = answer.get("__type", "").endswith("StateMachineDoesNotExist")
        code = "NO_RESOURCE" if missing else "ERROR_FROM_TARGET"
        _refusals.get().append(Undeliverable(code, answer.get("message", "")))


def _publish(_original, arn, payload):
    """EventBridge gives no subject; and keep the reason if the topic does not take the message.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instance-state-changes.html
    """
    try:
        sns.publish_internal(arn, payload)
    except sns.SnsPublishError as error:
        _refusals.get().append(Undeliverable("ERROR_FROM_TARGET", str(error)))


def _to_dead_letter_queue(target: dict, rule: dict, event: dict, refusal: Undeliverable) -> None:
    """The event as it was, and why it was not delivered.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    """
    arn = target.get("DeadLetterConfig", {}).get("Arn")
    queue = sqs._queue_by_arn(arn) if arn else None
    if queue is None:
        eventbridge.logger.warning("event not delivered to %s: %s: %s", target["Arn"], refusal.code, refusal.message)
        return
    try:
        _check_policy(sqs.queue_policy_for_arn(arn), "sqs:SendMessage", arn, rule)
    except Undeliverable as error:
        eventbridge.logger.warning("event lost, its dead-letter queue refused it: %s", error.message)
        return
    attributes = {
        "RULE_ARN": rule["Arn"],
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": refusal.code,
        "ERROR_MESSAGE": refusal.message,
    }
    sqs._act_send_message(
        {
            "QueueUrl": queue["url"],
            "MessageBody": json.dumps(event),
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()
            },
        },
        queue["url"],
    )


def _apply_input_transformer(_original, transformer, rule, view):
    """Paths may have list indexes, like `$.detail.findings[0].Id`.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    event = view.event_with_detail()
    values = {name: _at(path, event) for name, path in transformer.get("InputPathsMap", {}).items()}
    reserved = {
        "aws.events.rule-arn": rule["Arn"],
        "aws.events.rule-name": rule["Name"],
        "aws.events.event.json": event,
        "aws.events.event": view.envelope(),
        "aws.events.event.ingestion-time": event["time"],
    }
    values = {name: "" if value is None else value for name, value in values.items()}
    return eventbridge._render_input_template(transformer["InputTemplate"], {**values, **reserved})


def _at(path: str, event: dict):
    """What a JSON path of names and indexes leads to, or None."""
    value = event
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path):
        try:
            value = value[int(index)] if index else value[name]
        except (KeyError, IndexError, TypeError):
            return None
    return value
