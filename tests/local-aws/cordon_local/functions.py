"""Lambda functions see what AWS shows them, and nothing of the server.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
"""

import os

from ministack.core.lambda_runtime import ProvidedRuntimeError

from cordon_local import pins
from cordon_local.service_roles import may_assume

# AWS has its own values for the first two; a process on this machine needs ours.
OF_THE_MACHINE = ("PATH", "LD_LIBRARY_PATH", "LANG", "TZ")
OF_LAMBDA = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_TASK_ROOT", "_HANDLER",
)  # fmt: skip


def install() -> None:
    pins.replace("ministack.services.lambda_svc:_provided_worker_env", _environment)


def _environment(original, config, code_dir, port):
    """What a new process starts with: nothing, if Lambda cannot assume the function's role.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    """
    if not may_assume("lambda.amazonaws.com", config["Role"], config["FunctionArn"]):
        message = "The role defined for the function cannot be assumed by Lambda."
        raise ProvidedRuntimeError(message, "AccessDeniedException")
    everything = original(config, code_dir, port)
    own = config.get("Environment", {}).get("Variables", {})
    shown = (*OF_THE_MACHINE, *OF_LAMBDA, *own)
    return {
        **{variable: everything[variable] for variable in shown if variable in everything},
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{config['FunctionName']}",
        # Not on AWS: how the SDKs find the local AWS.
        "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
    }
