"""Parameter Store's tiers, which bound a value's size; and it tells EventBridge of each change.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html
https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-systems-manager-event-examples.html
"""

import json

from ministack.services import eventbridge, ssm

from cordon_local import pins

_SSM = "ministack.services.ssm"
_MOST_BYTES = {"Standard": 4_096, "Advanced": 8_192}


def install() -> None:
    pins.replace(f"{_SSM}:_put_parameter", _put)
    pins.replace(f"{_SSM}:_delete_parameter", _delete)
    pins.replace(f"{_SSM}:_delete_parameters", _delete_several)


def _put(original, data):
    before = ssm._parameters.get(data.get("Name"))
    tier = _tier(data, before)
    size = len(data.get("Value", "").encode())
    if size > _MOST_BYTES[tier]:
        message = (
            f"{tier} tier parameters support a maximum parameter value of {_MOST_BYTES[tier]} characters. "
            "To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. "
            "For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/"
            "parameter-store-advanced-parameters.html"
        )
        return ssm.error_response_json("ValidationException", message, 400)
    answer = original({**data, "Tier": tier})
    if answer[0] == 200:
        _tell("Update" if before else "Create", ssm._parameters[data["Name"]])
    return answer


def _tier(data: dict, before: dict | None) -> str:
    """The tier of the parameter to be: an advanced one stays so, and intelligent tiering takes the one that fits."""
    wanted = data.get("Tier", "Standard")
    if (before or {}).get("Tier") == "Advanced":
        return "Advanced"
    if wanted == "Intelligent-Tiering":
        return "Advanced" if len(data.get("Value", "").encode()) > _MOST_BYTES["Standard"] else "Standard"
    return wanted


def _delete(original, data):
    _, before = ssm._lookup_parameter(data.get("Name") or "")
    answer = original(data)
    if answer[0] == 200:
        _tell("Delete", before)
    return answer


def _delete_several(original, data):
    before = {name: ssm._lookup_parameter(name)[1] for name in data.get("Names", [])}
    answer = original(data)
    for name in json.loads(answer[2]).get("DeletedParameters", []):
        _tell("Delete", before[name])
    return answer


def _tell(operation: str, parameter: dict) -> None:
    detail = {
        "operation": operation,
        "name": parameter["Name"],
        "type": parameter["Type"],
        "description": parameter["Description"],
    }
    eventbridge._put_events(
        {"Entries": [{
            "Source": "aws.ssm",
            "DetailType": "Parameter Store Change",
            "Detail": json.dumps(detail),
            "Resources": [parameter["ARN"]],
        }]},
        allow_aws_source=True,
    )
