"""Faults of the calls that Step Functions makes for a task, under the names that it reports.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

import json
import re
import time

from ministack.services import stepfunctions as sfn

from cordon_local import calls, fault_answers, faults, task_role
from cordon_local.calls import Call
from cordon_local.expressions import ExecutionError
from cordon_local.faults import Heard, Rule

# Longer than any task may take: who waits for an answer gives up before.
HOLD_SECONDS = 120

# How errors of the optimized integrations begin, and what those are called that the service's model does not
# name. The names are those of the SDK for Java 1.x.
OPTIMIZED = {
    "dynamodb": ("DynamoDB", "AmazonDynamoDBException"),
    "lambda": ("Lambda", "AWSLambdaException"),
    "sns": ("SNS", "AmazonSNSException"),
    "sqs": ("SQS", "AmazonSQSException"),
}


def perform_task(run, state, arguments, ctx):
    """Calls what the task names, unless a fault strikes that call."""
    resource = state["Resource"]
    if not faults.standing() or ":activity:" in resource:
        return task_role.perform_task(run, state, arguments, ctx)
    service, action = _called(resource)
    heard = _heard(run, resource, f"{service}:{action}", arguments)
    if (held := faults.strike(heard, lambda rule: rule.fault == faults.HELD)) is not None:
        held.lifted.wait(held.milliseconds / 1000)
    rule = faults.strike(heard, _eligible)
    if rule is None:
        return task_role.perform_task(run, state, arguments, ctx)
    if rule.takesEffect:
        task_role.perform_task(run, state, arguments, ctx)
    failure = _silence(rule, service, resource) if rule.fault in faults.SILENT else _error(rule, service, resource)
    calls.note(_record(run, service, action, failure))
    if rule.fault == "timedOut":
        rule.lifted.wait(HOLD_SECONDS)
    raise failure


def _called(resource: str) -> tuple[str, str]:
    """The service and the action, as IAM names them."""
    if ":function:" in resource:
        return "lambda", "InvokeFunction"
    integration = resource.partition(":states:::")[2].removesuffix(".waitForTaskToken").removesuffix(".sync")
    if integration in task_role.OPTIMIZED:
        service, _, action = task_role.OPTIMIZED[integration][0].partition(":")
        return service, action
    service, action = integration.split(":")[-2:]
    return service, action[0].upper() + action[1:]


def _eligible(rule: Rule) -> bool:
    """A machine has no process; and of the reads that it makes, the local AWS keeps nothing."""
    return rule.fault not in (*faults.OF_PROCESSES, faults.ANSWERED, *faults.MILD)


def _heard(run, resource: str, action: str, arguments) -> Heard:
    principal = task_role.principal(run)
    return Heard(
        account=principal.split(":")[4],
        action=action,
        names=lambda: (principal, run.machine_name, *re.split("[:/]", principal)),
        text=lambda: f"{resource} {json.dumps(arguments)}",
    )


def _error(rule: Rule, service: str, resource: str) -> ExecutionError:
    answer = rule.error(service)
    if ":aws-sdk:" in resource:
        return ExecutionError(task_role.sdk_error(resource, answer.code), answer.message)
    prefix, base = OPTIMIZED[service]
    shape = fault_answers.modelled(service, answer.code)
    name = f"{shape.name.removesuffix('Exception')}Exception" if shape is not None else base
    return ExecutionError(f"{prefix}.{name}", answer.message)


def _silence(rule: Rule, service: str, resource: str) -> ExecutionError:
    """What the client makes of a call without an answer, in the end.

    https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
    """
    sdk = ":aws-sdk:" in resource
    prefix = sfn._AWS_SDK_ERROR_PREFIX.get(service, service.capitalize()) if sdk else OPTIMIZED[service][0]
    return ExecutionError(f"{prefix}.SdkClientException", "Unable to execute HTTP request")


def _record(run, service: str, action: str, failure: ExecutionError) -> Call:
    principal = task_role.principal(run)
    return Call(
        time=time.time(), account=principal.split(":")[4], principal=principal, principalId="",
        principalType="AssumedRole", accessKeyId="", sourceIdentity=None, service=service, action=action,
        resource="*", readOnly=False, error=failure.error)  # fmt: skip
