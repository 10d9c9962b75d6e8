"""A template's log group is a new one: CloudFormation refuses to make one that is there.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
"""

import json

from ministack.services import cloudwatch_logs
from ministack.services.cloudformation import provisioners

from cordon_local import pins


def install() -> None:
    pins.replace("ministack.services.cloudformation.provisioners:_cwlogs_create", _create)
    # The table took the function when it was made.
    provisioners._RESOURCE_HANDLERS["AWS::Logs::LogGroup"]["create"] = provisioners._cwlogs_create


def _create(original, logical_id, properties, stack):
    name = properties.get("LogGroupName")
    if name in cloudwatch_logs._log_groups:
        identifier = json.dumps({"/properties/LogGroupName": name}, separators=(",", ":"))
        raise ValueError(f"Resource of type 'AWS::Logs::LogGroup' with identifier '{identifier}' already exists.")
    return original(logical_id, properties, stack)
