"""The organization, its accounts in pages, and its delegated administrators, to those who may ask.

https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListDelegatedAdministrators.html
"""

import json

from ministack.core.responses import error_response_json, get_account_id
from ministack.services import organizations

from cordon_local import ACCOUNTS, MANAGEMENT_ACCOUNT, ORGANIZATION_ID, SECURITY_ACCOUNT, pins

MOST = 20
DELEGATED = ("securityhub.amazonaws.com", "member.org.stacksets.cloudformation.amazonaws.com")


def install() -> None:
    if "ListDelegatedAdministrators" in organizations._DISPATCH:
        raise RuntimeError("the emulator knows delegated administrators by now")
    pins.replace("ministack.services.organizations:_describe_organization", describe_organization)
    pins.replace("ministack.services.organizations:_list_accounts", list_accounts)
    # The table took its own names for the functions when it was made.
    organizations._DISPATCH |= {
        "DescribeOrganization": organizations._describe_organization,
        "ListAccounts": organizations._list_accounts,
        "ListDelegatedAdministrators": list_delegated_administrators,
    }


def describe_organization(original, payload):
    """https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html"""
    status, headers, body = original(payload)
    arn = f"arn:aws:organizations::{MANAGEMENT_ACCOUNT}:organization/{ORGANIZATION_ID}"
    ours = {
        "Id": ORGANIZATION_ID,
        "Arn": arn,
        "MasterAccountId": MANAGEMENT_ACCOUNT,
        "MasterAccountArn": account(MANAGEMENT_ACCOUNT)["Arn"],
        "MasterAccountEmail": account(MANAGEMENT_ACCOUNT)["Email"],
    }
    return organizations._json(status, {"Organization": json.loads(body)["Organization"] | ours})


def list_delegated_administrators(payload):
    if get_account_id() not in (SECURITY_ACCOUNT, MANAGEMENT_ACCOUNT):
        return refusal()
    service = payload.get("ServicePrincipal")
    delegates = [account(SECURITY_ACCOUNT)] if service is None or service in DELEGATED else []
    return organizations._json(200, {"DelegatedAdministrators": delegates})


def list_accounts(_original, payload):
    if get_account_id() != SECURITY_ACCOUNT:
        return refusal()
    accounts = [account(one) for one in ACCOUNTS]
    start = int(payload.get("NextToken", 0))
    end = start + min(int(payload.get("MaxResults", MOST)), MOST)
    more = {"NextToken": str(end)} if end < len(accounts) else {}
    return organizations._json(200, {"Accounts": accounts[start:end], **more})


def refusal():
    return error_response_json("AccessDeniedException", "You don't have permissions to access this resource.", 400)


def account(identifier):
    return {
        "Id": identifier,
        "Arn": f"arn:aws:organizations::{MANAGEMENT_ACCOUNT}:account/{ORGANIZATION_ID}/{identifier}",
        "Email": f"{identifier}@example.com",
        "Name": identifier,
        "Status": "ACTIVE",
        "State": "ACTIVE",
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": 1704067200,
    }
