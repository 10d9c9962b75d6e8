"""Paths in which AWS alone makes roles.

"Path prefix '/aws-service-role/' can only be used for AWS Service linked Roles", says IAM (seen in
https://github.com/tilfin/aws-iam-policy-tool/pull/9). Of IAM Identity Center's, and of other cases, it is a claim.
"""

from ministack.core.responses import get_account_id, request_scope
from ministack.services import iam

from cordon_local import REGION, local_paths

_SERVICES = ("/aws-service-role/", "/aws-reserved/")


def install() -> None:
    # Whoever asks by the API; the table has what checks its trust by now.
    create = iam._IAM_HANDLERS["CreateRole"]
    iam._IAM_HANDLERS["CreateRole"] = lambda parameters: _refusal(parameters) or create(parameters)


def _refusal(parameters):
    path = (iam._p(parameters, "Path") or "/").lower()
    for prefix in _SERVICES:
        if path.startswith(prefix):
            message = f"Path prefix '{prefix}' can only be used for AWS Service linked Roles"
            return iam._error(400, "InvalidInput", message, ns="iam")
    return None


async def _of_a_service(_query: dict[str, str], request: object) -> local_paths.Answer:
    """As if an AWS service had made the role."""
    match request:
        case {"account": str(account), "roleName": str(name), "path": str(path)}:
            with request_scope(account, REGION):
                role = iam._roles[name]
                role.update(Path=path, Arn=f"arn:aws:iam::{get_account_id()}:role{path}{name}")
            return 200, {"arn": role["Arn"]}
    return 400, {"message": "the body must have `account`, `roleName` and `path`"}


local_paths.add("POST", "/_local/iam/service-role", _of_a_service)
