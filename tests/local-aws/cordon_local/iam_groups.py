"""Groups and their members."""

from ministack.core.responses import get_account_id
from ministack.services import iam

from cordon_local.api_model import Refused
from cordon_local.iam_operations import limited, now, operation, unique_id
from cordon_local.iam_users import shown as shown_user
from cordon_local.identities import GROUPS, USERS, existing, found

GROUPS_PER_USER = 10


def _shown(group: dict) -> dict:
    return {name: group[name] for name in ("Path", "GroupName", "GroupId", "Arn", "CreateDate")}


def _of(user: dict) -> list[dict]:
    return [group for group in iam._groups.values() if user["UserName"] in group["Users"]]


@operation("CreateGroup")
def create_group(given: dict) -> dict:
    name, path = given["GroupName"], given.get("Path", "/")
    if found(GROUPS, name):
        raise Refused("EntityAlreadyExists", f"Group with name {name} already exists.", 409)
    iam._groups[name] = {
        "Path": path,
        "GroupName": name,
        "GroupId": unique_id("AGPA"),
        "Arn": f"arn:aws:iam::{get_account_id()}:group{path}{name}",
        "CreateDate": now(),
        "Users": [],
        "AttachedPolicies": [],
    }
    return {"Group": _shown(iam._groups[name])}


@operation("GetGroup")
def get_group(given: dict) -> dict:
    group = existing(GROUPS, given["GroupName"])
    return {"Group": _shown(group), "Users": [shown_user(iam._users[name], whole=False) for name in group["Users"]]}


@operation("AddUserToGroup")
def add_user_to_group(given: dict) -> None:
    group, user = existing(GROUPS, given["GroupName"]), existing(USERS, given["UserName"])
    if user["UserName"] not in group["Users"]:
        limited(len(_of(user)), "GroupsPerUser", GROUPS_PER_USER)
        group["Users"].append(user["UserName"])


@operation("RemoveUserFromGroup")
def remove_user_from_group(given: dict) -> None:
    group, user = existing(GROUPS, given["GroupName"]), existing(USERS, given["UserName"])
    if user["UserName"] not in group["Users"]:
        message = f"User {user['UserName']} is not a member of group {group['GroupName']}."
        raise Refused("NoSuchEntity", message, 404)
    group["Users"].remove(user["UserName"])


@operation("ListGroupsForUser")
def list_groups_for_user(given: dict) -> dict:
    return {"Groups": [_shown(group) for group in _of(existing(USERS, given["UserName"]))]}


@operation("ListGroups")
def list_groups(given: dict) -> dict:
    prefix = given.get("PathPrefix", "/")
    return {"Groups": [_shown(group) for group in iam._groups.values() if group["Path"].startswith(prefix)]}
