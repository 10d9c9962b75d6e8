"""What a machine's role must be allowed to do for each task, and the error when it is not.

https://docs.aws.amazon.com/step-functions/latest/dg/integrate-services.html
"""

import contextvars
import json
from xml.etree import ElementTree

from botocore.serialize import create_serializer
from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import kms, sns
from ministack.services import stepfunctions as sfn

from cordon_local import api_model, pins
from cordon_local.expressions import ExecutionError

# The execution for which a task calls an AWS service.
CALLER = contextvars.ContextVar("caller", default=None)


def install() -> None:
    pins.replace("ministack.app:call_service_handler_sync", call_service)
    pins.replace("ministack.services.stepfunctions:_invoke_aws_sdk_integration", call_sdk)
    pins.replace("ministack.services.stepfunctions:_invoke_sns_publish", publish)
    sfn._AWS_SDK_SERVICE_MAP["organizations"] = {"target_prefix": "AWSOrganizationsV20161128", "protocol": "json"}
    sfn._AWS_SDK_ERROR_PREFIX["organizations"] = "Organizations"
    for service, prefix in REST_JSON.items():
        sfn._AWS_SDK_SERVICE_MAP[service] = {"protocol": "rest-json"}
        sfn._AWS_SDK_ERROR_PREFIX[service] = prefix
    # The table took its own name for the function when it was made.
    sfn._SERVICE_DISPATCH["arn:aws:states:::sns:publish"] = sfn._invoke_sns_publish


def perform_task(run, state, arguments, ctx):
    """Calls what the task names, with the rights of the machine's role."""
    # Services call each other over TLS, whatever began the execution.
    iam_evaluator.pin_request_origin("127.0.0.1", True)
    resource = state["Resource"]
    integration = resource.partition(":states:::")[2].removesuffix(".waitForTaskToken").removesuffix(".sync")
    if ":function:" in resource:
        require(run, "lambda:InvokeFunction", resource, "Lambda.AWSLambdaException")
    elif integration in OPTIMIZED:
        action, target, error = OPTIMIZED[integration]
        require(run, action, target(arguments), error)
        if integration == "sns:publish":
            require_topic_key(run, arguments)
    elif not integration.startswith("aws-sdk:") and ":activity:" not in resource:
        raise ExecutionError("States.Runtime", f"the local AWS does not know which permission `{resource}` needs")
    if integration.startswith("aws-sdk:"):
        CALLER.set(run)
    if "Task" in ctx:
        return sfn._invoke_with_callback(resource, arguments, ctx["Task"]["Token"], state)
    return sfn._invoke_resource(resource, arguments)


def local_arn(service, resource):
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"


def function_arn(arguments):
    name = arguments["FunctionName"]
    return name if name.startswith("arn:") else local_arn("lambda", f"function:{name}")


def table_arn(arguments):
    return local_arn("dynamodb", f"table/{arguments['TableName']}")


# The optimized integrations: the action, the resource, and the error of a role that lacks the permission.
OPTIMIZED = {
    "lambda:invoke": ("lambda:InvokeFunction", function_arn, "Lambda.AWSLambdaException"),
    "sns:publish": ("sns:Publish", lambda arguments: arguments["TopicArn"], "SNS.AuthorizationErrorException"),
    "sqs:sendMessage": (
        "sqs:SendMessage",
        lambda arguments: local_arn("sqs", arguments["QueueUrl"].rsplit("/", 1)[-1]),
        "SQS.AmazonSQSException",
    ),
    **{
        f"dynamodb:{name[0].lower()}{name[1:]}": (f"dynamodb:{name}", table_arn, "DynamoDB.AmazonDynamoDBException")
        for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem")
    },
}


def principal(run):
    """Who calls for the execution's tasks: a session of the machine's role."""
    role = run.execution["roleArn"]
    return f"arn:aws:sts::{role.split(':')[4]}:assumed-role/{role.rsplit('/', 1)[-1]}/{run.execution['name']}"


def denial(run, action, resource):
    """Why the machine's role may not do this, or None."""
    caller = principal(run)
    account, name = caller.split(":")[4], caller.split("/")[1]
    credential = iam_evaluator.ResolvedCredential(
        access_key_id="", secret_access_key="", account_id=account, principal_arn=caller,
        principal_id=f"{name}:{run.execution['name']}", principal_type="AssumedRole")
    resolved = iam_evaluator.resolve_principal("", account, credential)
    request = iam_evaluator.EvalContext(
        principal_arn=caller, principal_type=resolved.type, principal_account=account, action=action,
        resource_arn=resource, region=get_region(), service_context={"aws:tagkeys": None},
        principal_keys=resolved.keys)
    service = action.split(":")[0]
    result = iam_evaluator.evaluate(request, resolved.policies, *resolved.limits)
    policy = iam_evaluator._resource_policy(service, resource)
    if policy:
        result = iam_evaluator.combine_resource_policy(
            result, request, *policy, required=service in iam_evaluator._POLICY_REQUIRED, limits=resolved.limits)
    if result.decision == "Allow":
        return None
    return iam_actions.identity_denial_message(action, caller, resource, result.decision == "Deny")


def require(run, action, resource, error):
    reason = denial(run, action, resource)
    if reason:
        raise ExecutionError(error, reason)


def require_topic_key(run, arguments):
    """Whoever publishes to an encrypted topic needs its key
    (https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html)."""
    attributes = sns._topics.get(arguments["TopicArn"], {}).get("attributes", {})
    key = kms._resolve_key(attributes.get("KmsMasterKeyId"))
    if key:
        for action in ("kms:GenerateDataKey", "kms:Decrypt"):
            require(run, action, key["Arn"], "SNS.KMSAccessDeniedException")


QUERY = create_serializer("query", include_validation=False)


def publish(original, resource, arguments):
    """The request with all that the task says (connect-sns.html), and SNS's own errors, as the optimized
    integration names them: the code, and `Exception`."""
    request = QUERY.serialize_to_request(arguments, api_model.operation("sns", "Publish"))
    try:
        return original(resource, request["body"])
    except ExecutionError as failure:
        refusal = ElementTree.fromstring(failure.cause)
        code, message = refusal.findtext(".//{*}Code"), refusal.findtext(".//{*}Message")
        raise ExecutionError(f"SNS.{code}Exception", message) from failure


# How a service calls a denial, where it is not an AccessDeniedException.
DENIED = {"sns": "AuthorizationError"}


def call_service(original, handler, method, path, headers, body, query, timeout=None):
    """Checks the role of a task that calls an AWS service, with what it sends, as the service would."""
    run = CALLER.get()
    if run is None:
        return original(handler, method, path, headers, body, query, timeout)
    service = headers["authorization"].split("/")[3]
    query = app._routing_params(method, path, headers, body, query)
    action = iam_actions.extract_iam_action(service, method, path, headers, body, query)
    resource = iam_actions.extract_resource_arn(
        service, method, path, headers, body, query, get_region(), get_account_id())
    require(run, action, resource, DENIED.get(service, "AccessDeniedException"))
    # What the service does then, it does on its own behalf.
    outside = contextvars.copy_context()
    outside.run(CALLER.set, None)
    return outside.run(original, handler, method, path, headers, body, query, timeout)


def call_sdk(original, resource, arguments):
    """Errors of an AWS SDK integration have the names of the SDK for Java 2.x, whose exceptions all end in
    `Exception`, and which knows only those that the operation's model lists
    (supported-services-awssdk.html)."""
    service, action = resource.removesuffix(".waitForTaskToken").split(":")[-2:]
    try:
        if service in REST_JSON:
            return call_rest_json(service, action, arguments)
        return original(resource, arguments)
    except ExecutionError as failure:
        raise ExecutionError(sdk_error(resource, failure.error), failure.cause) from failure


# AWS SDK integrations of services with a REST API whose members are spelled on the wire as in a definition, all
# of them in the body, or of a GET in the query; and how their errors begin: as the client of the SDK for Java 2.x is named.
REST_JSON = {"securityhub": "SecurityHub"}


def call_rest_json(service, action, arguments):
    """https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html"""
    http = sfn._service_model(service).operation_model(action[0].upper() + action[1:]).http
    headers = {
        "content-type": "application/json",
        "host": f"{service}.{get_region()}.amazonaws.com",
        "authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{get_region()}/{service}/aws4_request",
    }
    body, query = json.dumps(arguments).encode(), {}
    if http["method"] == "GET":
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in arguments.items()}
        body, query = b"", {name: [text] for name, text in texts.items()}
    handler = app.SERVICE_HANDLERS[service]
    status, headers, body = app.call_service_handler_sync(
        handler, http["method"], http["requestUri"], headers, body, query)
    answer = json.loads(body or b"{}")
    if status >= 400:
        raise ExecutionError(headers["x-amzn-errortype"], answer.get("Message", ""))
    return answer


def sdk_error(resource, error):
    service, action = resource.removesuffix(".waitForTaskToken").split(":")[-2:]
    prefix, code = sfn._AWS_SDK_ERROR_PREFIX.get(service.lower(), service.capitalize()), error.rpartition(".")[2]
    if error.startswith("States."):
        return error
    model = sfn._service_model(sfn._AWS_SDK_SERVICE_MAP[service.lower()].get("service_key", service.lower()))
    for shape in model.operation_model(action[0].upper() + action[1:]).error_shapes:
        if code in (shape.name, shape.metadata.get("error", {}).get("code")):
            return f"{prefix}.{shape.name.removesuffix('Fault').removesuffix('Exception')}Exception"
    return f"{prefix}.{prefix}Exception"
