"""The organization's accounts, in pages, as a delegated administrator lists them.

https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
"""

from ministack.core.responses import error_response_json, get_account_id
from ministack.services import organizations

from cordon_local import ACCOUNTS, MANAGEMENT_ACCOUNT, ORGANIZATION_ID, SECURITY_ACCOUNT, pins

MOST = 20


def install() -> None:
    pins.replace("ministack.services.organizations:_list_accounts", list_accounts)
    # The table took its own name for the function when it was made.
    organizations._DISPATCH["ListAccounts"] = organizations._list_accounts


def list_accounts(_original, payload):
    if get_account_id() != SECURITY_ACCOUNT:
        message = "You don't have permissions to access this resource."
        return error_response_json("AccessDeniedException", message, 400)
    accounts = [account(one) for one in ACCOUNTS]
    start = int(payload.get("NextToken", 0))
    end = start + min(int(payload.get("MaxResults", MOST)), MOST)
    more = {"NextToken": str(end)} if end < len(accounts) else {}
    return organizations._json(200, {"Accounts": accounts[start:end], **more})


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
