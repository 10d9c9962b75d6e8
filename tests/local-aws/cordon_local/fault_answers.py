"""Error answers, as each service writes them on the wire.

https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

import functools
import json
from dataclasses import dataclass
from uuid import uuid4
from xml.sax.saxutils import escape

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import Shape

Answer = tuple[int, dict[str, str], bytes]

# The models' names of services that IAM knows under another one.
_MODEL_NAMES = {"states": "stepfunctions"}

# How services spell what every service can answer; the first word is that of all others.
_SPELLINGS = {
    "throttled": ("Throttling", {
        "dynamodb": "ThrottlingException", "lambda": "TooManyRequestsException", "s3": "SlowDown",
        "securityhub": "TooManyRequestsException", "sns": "Throttled", "ssm": "ThrottlingException"}),
    "internalFailure": ("InternalFailure", {
        "dynamodb": "InternalServerError", "iam": "ServiceFailure", "lambda": "ServiceException",
        "s3": "InternalError", "securityhub": "InternalException", "sns": "InternalError",
        "ssm": "InternalServerError"}),
    "unavailable": ("ServiceUnavailable", {}),
    "denied": ("AccessDeniedException", {
        "iam": "AccessDenied", "s3": "AccessDenied", "sns": "AuthorizationError", "sts": "AccessDenied"}),
}  # fmt: skip
SPELLED = tuple(_SPELLINGS)

# What the models leave out: errors that all operations share, and most of S3's.
_STATUSES = {
    "AccessDenied": 403, "AccessDeniedException": 400, "ConditionalRequestConflict": 409, "ExpiredToken": 403,
    "InternalError": 500, "InternalFailure": 500, "InvalidClientTokenId": 403, "OperationAborted": 409,
    "PreconditionFailed": 412, "RequestExpired": 400, "RequestTimeout": 400, "ServiceUnavailable": 503,
    "SlowDown": 503, "Throttling": 400, "ThrottlingException": 400, "TooManyRequestsException": 429,
    "ValidationError": 400, "ValidationException": 400,
}  # fmt: skip
_MESSAGES = {
    "SlowDown": "Please reduce your request rate.",
    **dict.fromkeys(("Throttling", "ThrottlingException", "Throttled", "TooManyRequestsException"), "Rate exceeded"),
}


@dataclass(frozen=True)
class Error:
    """An error that a service can answer with."""

    code: str
    status: int
    message: str


def spelled(service: str, meaning: str) -> str:
    """The code by which a service says what all of them can say."""
    default, own = _SPELLINGS[meaning]
    return own.get(service, default)


def error(service: str, code: str, status: int | None, message: str | None) -> Error | None:
    """A service's error, completed as its model says; None if nothing tells the status."""
    if status is None:
        shape = modelled(service, code)
        status = _status(shape) if shape is not None else _STATUSES.get(code)
    if status is None:
        return None
    return Error(code, status, message or _MESSAGES.get(code, "a test asked for this answer"))


def modelled(service: str, code: str) -> Shape | None:
    """The model's description of an error, if the model has it."""
    model = _model(service)
    if model is None:
        return None
    return next((shape for shape in model.error_shapes if code in (shape.name, shape.error_code)), None)


@functools.cache
def _model(service: str):
    try:
        return botocore.session.Session().get_service_model(_MODEL_NAMES.get(service, service))
    except UnknownServiceError:
        return None


def _status(shape: Shape) -> int:
    """The status that the model states or else, in the JSON protocols, whose fault it is.

    https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
    """
    stated = shape.metadata.get("error", {}).get("httpStatusCode")
    return stated or (500 if shape.metadata.get("fault") else 400)


def written(service: str, failure: Error) -> Answer:
    """The answer on the wire, in the service's own protocol."""
    model = _model(service)
    protocol = model.metadata["protocol"] if model else "json"
    if protocol == "rest-xml":
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{failure.code}</Code>'
            f"<Message>{escape(failure.message)}</Message><RequestId>{uuid4()}</RequestId></Error>"
        )
        return failure.status, {"Content-Type": "application/xml"}, body.encode()
    if protocol == "query":
        at_fault = "Receiver" if failure.status >= 500 else "Sender"
        body = (
            f'<ErrorResponse xmlns="{model.metadata["xmlNamespace"]}"><Error><Type>{at_fault}</Type>'
            f"<Code>{failure.code}</Code><Message>{escape(failure.message)}</Message></Error>"
            f"<RequestId>{uuid4()}</RequestId></ErrorResponse>"
        )
        return failure.status, {"Content-Type": "text/xml"}, body.encode()
    if protocol == "rest-json":
        headers = {"Content-Type": "application/json", "x-amzn-errortype": failure.code}
        return failure.status, headers, json.dumps({"message": failure.message}).encode()
    headers = {"Content-Type": f"application/x-amz-json-{model.metadata['jsonVersion'] if model else '1.1'}"}
    return failure.status, headers, json.dumps({"__type": failure.code, "message": failure.message}).encode()
