"""Roles that an AWS service assumes on its own: whether they trust the service.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-service.html
"""

import json

from ministack.core.iam_evaluator import EvalContext, evaluate_resource_policy
from ministack.core.responses import get_region
from ministack.services import iam


def may_assume(principal: str, role_arn: str, source_arn: str) -> bool:
    """Whether a service may assume a role for one of its resources, in the role's account.

    The trust may be bound to the resource or its account:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    role = iam._roles.get_scoped(account, None, name)
    if role is None or role["Arn"] != role_arn:
        return False
    context = EvalContext(
        principal_arn=principal,
        principal_type="Service",
        principal_account="",
        action="sts:AssumeRole",
        resource_arn=role_arn,
        region=get_region(),
        service_context={"aws:sourcearn": source_arn, "aws:sourceaccount": account},
    )
    trust = _on_any_resource(json.loads(role["AssumeRolePolicyDocument"]))
    return evaluate_resource_policy(trust, context, service=principal).decision == "Allow"


def _on_any_resource(trust_policy: dict) -> dict:
    """A trust policy names no resource: it is about its own role."""
    statements = trust_policy["Statement"]
    statements = statements if isinstance(statements, list) else [statements]
    return {"Statement": [{**statement, "Resource": "*"} for statement in statements]}
