"""``AWS::CloudFormation::StackSet`` with service-managed permissions, as far as one deployment of it goes.

Each account of the OUs gets the template as a stack of its own, at once, and never the management account. Nothing
follows an account that joins or leaves an OU.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-stackset.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-cloudformation-stackset-deploymenttargets.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-associate-stackset-with-org.html
"""

import asyncio
import contextvars
import threading
import uuid
from collections.abc import Iterator

from ministack.core import responses
from ministack.services import cloudformation
from ministack.services.cloudformation import handlers, provisioners

from cordon_local import MANAGEMENT_ACCOUNT, ORGANIZATIONAL_UNITS, SECURITY_ACCOUNT, pins

TYPE = "AWS::CloudFormation::StackSet"
MOST_BYTES = 51_200

# The stack instances of each StackSet, by its id: account -> stack name.
_instances: dict[str, dict[str, str]] = {}


def install() -> None:
    if TYPE in provisioners._RESOURCE_HANDLERS:
        raise RuntimeError(f"the emulator knows `{TYPE}` by now")
    provisioners._RESOURCE_HANDLERS[TYPE] = {"create": _create, "update": _update, "delete": _delete}
    for module in ("handlers", "stacks"):
        pins.replace(f"ministack.services.cloudformation.{module}:_evaluate_conditions", _evaluate_conditions)
    if "DescribeOrganizationsAccess" in handlers._ACTION_HANDLERS:
        raise RuntimeError("the emulator knows the access to organizations by now")
    handlers._ACTION_HANDLERS["DescribeOrganizationsAccess"] = _describe_organizations_access


def _describe_organizations_access(parameters: dict):
    """Trusted access is on from the start.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeOrganizationsAccess.html
    """
    if refusal := _refusal_of_caller(handlers._p(parameters, "CallAs", "SELF")):
        return handlers._error("ValidationError", refusal)
    result = "<DescribeOrganizationsAccessResult><Status>ENABLED</Status></DescribeOrganizationsAccessResult>"
    return handlers._xml(200, "DescribeOrganizationsAccessResponse", result)


def _evaluate_conditions(original, template: dict, parameters: dict) -> dict:
    """Conditions know in whose account they are.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/pseudo-parameter-reference.html
    """
    return original(template, parameters | {"AWS::AccountId": {"Value": responses.get_account_id()}})


def _create(_logical_id: str, properties: dict, _stack_name: str) -> tuple[str, dict]:
    name = properties["StackSetName"]
    stack_set = f"{name}:{uuid.uuid4()}"
    _instances[stack_set] = {}
    _deploy(stack_set, properties)
    return stack_set, {"StackSetId": stack_set}


def _update(stack_set: str, _old: dict, properties: dict, _stack_name: str) -> tuple[str, dict]:
    _deploy(stack_set, properties)
    return stack_set, {"StackSetId": stack_set}


def _delete(stack_set: str, _properties: dict) -> None:
    for account, stack in _instances.pop(stack_set, {}).items():
        _call(account, handlers._delete_stack, {"StackName": stack})


def _deploy(stack_set: str, properties: dict) -> None:
    _refuse_what_aws_refuses(properties)
    instances, targets = _instances[stack_set], set(_targets(properties))
    for account in instances.keys() - targets:
        _call(account, handlers._delete_stack, {"StackName": instances.pop(account)})
    failed = []
    for account in sorted(targets):
        create = account not in instances
        stack = instances.setdefault(account, f"StackSet-{stack_set.replace(':', '-')}")
        parameters = {"StackName": stack, "TemplateBody": properties["TemplateBody"]}
        parameters |= {
            f"Capabilities.member.{n}": capability for n, capability in enumerate(properties["Capabilities"], 1)
        }
        status = _call(account, handlers._create_stack if create else handlers._update_stack, parameters)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            failed.append(f"{account}: {status}")
    tolerated = len(targets) * int(properties["OperationPreferences"].get("FailureTolerancePercentage", 0)) // 100
    if len(failed) > tolerated:
        raise ValueError(f"the StackSet failed in {', '.join(failed)}")


def _refuse_what_aws_refuses(properties: dict) -> None:
    if properties["PermissionModel"] != "SERVICE_MANAGED":
        raise ValueError("only service-managed StackSets are known here")
    if refusal := _refusal_of_caller(properties.get("CallAs", "SELF")):
        raise ValueError(refusal)
    if len(properties["TemplateBody"].encode()) > MOST_BYTES:
        raise ValueError(f"a template body has at most {MOST_BYTES} bytes")


def _refusal_of_caller(call_as: str) -> str | None:
    account = responses.get_account_id()
    allowed = {MANAGEMENT_ACCOUNT: "SELF", SECURITY_ACCOUNT: "DELEGATED_ADMIN"}
    return None if allowed.get(account) == call_as else f"the account {account} does not call as {call_as}"


def _targets(properties: dict) -> Iterator[str]:
    for group in properties["StackInstancesGroup"]:
        targets = group["DeploymentTargets"]
        units = targets["OrganizationalUnitIds"]
        if unknown := set(units) - ORGANIZATIONAL_UNITS.keys():
            raise ValueError(f"there are no OUs {sorted(unknown)}")
        named = targets.get("Accounts", [])
        if named and targets.get("AccountFilterType") != "DIFFERENCE":
            raise ValueError("accounts are only known here as those that are left out")
        yield from (account for unit in units for account in ORGANIZATIONAL_UNITS[unit] if account not in named)


def _call(account: str, operation, parameters: dict) -> str:
    """An operation of CloudFormation's in another account, to its end; the status of its stack."""
    statuses: list[str] = []

    async def to_its_end() -> None:
        answer = operation(parameters)
        if answer[0] != 200:
            statuses.append(answer[2].decode())
            return
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))
        statuses.append(cloudformation._stacks[parameters["StackName"]]["StackStatus"])

    def there() -> None:
        responses.set_request_account_id(account)
        asyncio.run(to_its_end())

    # A loop of its own: ours waits for the resource.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(there,))
    thread.start()
    thread.join()
    return statuses[0]
