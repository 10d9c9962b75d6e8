"""IAM operations on users and on whatever users hold.

What the emulator has of them differs from AWS in limits, errors, pages and
escaping, so these are written anew over its stores; it keeps all the others.
Operations: https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html
Quotas: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

import base64

from ministack.core.router import extract_access_key_id

from cordon_local import api_model, pins, trusts
from cordon_local.api_model import Refused
from cordon_local.iam_operations import OPERATIONS, load
from cordon_local.identities import ROOT, caller_name, is_role_session

PAGE = 100


def install() -> None:
    load()
    pins.replace("ministack.services.iam:handle_request", _answer)


async def _answer(original, method, path, headers, body, query):
    parameters = api_model.query_parameters(body, query)
    action = parameters.get("Action", "")
    if action not in OPERATIONS:
        status, answer_headers, answer = await original(method, path, headers, body, query)
        return status, answer_headers, trusts.shown(answer)
    model = api_model.operation("iam", action)
    try:
        given = api_model.read_query(model, parameters)
        _name_the_caller(model, given, extract_access_key_id(headers, query))
        answer = _page(model, given, OPERATIONS[action](given))
    except Refused as error:
        return error.status, {"Content-Type": "text/xml"}, api_model.write_query_error(model, error)
    return 200, {"Content-Type": "text/xml"}, api_model.write_query(model, answer)


def _name_the_caller(model, given: dict, access_key_id: str) -> None:
    """If absent: "If you do not specify a user name, IAM determines the user name implicitly"

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html
    """
    if "UserName" in given or "UserName" not in model.input_shape.members or given.get("AllUsers"):
        return
    if is_role_session(access_key_id):
        raise Refused("ValidationError", "Must specify userName when calling with non-User credentials")
    given["UserName"] = caller_name(access_key_id) or ROOT


def _page(model, given: dict, answer: dict | None) -> dict | None:
    """Cut a list into pages: "IAM might return fewer than the MaxItems number of results".

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedUserPolicies.html
    """
    if model.output_shape is None or "IsTruncated" not in model.output_shape.members:
        return answer
    listed = next(name for name, shape in model.output_shape.members.items() if shape.type_name == "list")
    start = _start(given.get("Marker"))
    end = start + given.get("MaxItems", PAGE)
    truncated = end < len(answer[listed])
    page = {**answer, listed: answer[listed][start:end], "IsTruncated": truncated}
    if truncated:
        page["Marker"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return page


def _start(marker: str | None) -> int:
    if marker is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(marker))
    except ValueError as error:
        raise Refused("ValidationError", f"Invalid Marker: {marker}") from error
