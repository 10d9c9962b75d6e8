"""Users, their tags and their permissions boundaries."""

from ministack.core.responses import get_account_id
from ministack.services import iam

from cordon_local.api_model import Refused
from cordon_local.iam_credentials import held
from cordon_local.iam_operations import limited, now, operation, unique_id
from cordon_local.identities import ROOT, USERS, existing, found, inline_policies

TAGS_PER_USER = 50


def shown(user: dict, *, whole: bool = True) -> dict:
    """A user as answers show it; lists leave tags and boundary out."""
    answer = {name: user[name] for name in ("Path", "UserName", "UserId", "Arn", "CreateDate")}
    if whole and user.get("Tags"):
        answer["Tags"] = user["Tags"]
    if whole and user.get("PermissionsBoundary"):
        answer["PermissionsBoundary"] = {
            "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
            "PermissionsBoundaryArn": user["PermissionsBoundary"],
        }
    return answer


@operation("CreateUser")
def create_user(given: dict) -> dict:
    name, path = given["UserName"], given.get("Path", "/")
    if found(USERS, name):
        raise Refused("EntityAlreadyExists", f"User with name {name} already exists.", 409)
    user = {
        "Path": path,
        "UserName": name,
        "UserId": unique_id("AIDA"),
        "Arn": f"arn:aws:iam::{get_account_id()}:user{path}{name}",
        "CreateDate": now(),
        "PermissionsBoundary": _boundary(given) if "PermissionsBoundary" in given else None,
        "AttachedPolicies": [],
        "Tags": _merged([], given.get("Tags", [])),
    }
    iam._users[name] = user
    return {"User": shown(user)}


@operation("GetUser")
def get_user(given: dict) -> dict:
    if given["UserName"] == ROOT:
        account = get_account_id()
        return {"User": {"Path": "/", "UserId": account, "Arn": f"arn:aws:iam::{account}:root", "CreateDate": now()}}
    return {"User": shown(existing(USERS, given["UserName"]))}


@operation("ListUsers")
def list_users(given: dict) -> dict:
    prefix = given.get("PathPrefix", "/")
    users = sorted(iam._users.values(), key=lambda user: user["UserName"])
    return {"Users": [shown(user, whole=False) for user in users if user["Path"].startswith(prefix)]}


@operation("UpdateUser")
def update_user(given: dict) -> None:
    """Renames a user or moves it to another path: its unique id stays.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html
    """
    user = existing(USERS, given["UserName"])
    old, new = user["UserName"], given.get("NewUserName", user["UserName"])
    if found(USERS, new) not in (None, user):
        raise Refused("EntityAlreadyExists", f"User with name {new} already exists.", 409)
    user["Path"] = given.get("NewPath", user["Path"])
    user["UserName"] = new
    user["Arn"] = f"arn:aws:iam::{get_account_id()}:user{user['Path']}{new}"
    if new == old:
        return
    for store in (iam._users, iam._user_inline_policies, iam._login_profiles):
        if old in store:
            store[new] = store.pop(old)
    if new in iam._login_profiles:
        iam._login_profiles[new]["UserName"] = new
    for group in iam._groups.values():
        group["Users"] = [new if name == old else name for name in group["Users"]]
    for credential in (each for kind in held(old).values() for each in kind):
        credential["User" if "User" in credential else "UserName"] = new


@operation("DeleteUser")
def delete_user(given: dict) -> None:
    """ "You must delete the items attached to the user manually, or the deletion fails"

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html
    """
    user = existing(USERS, given["UserName"])
    name = user["UserName"]
    obstacles = {
        "detach all policies": user["AttachedPolicies"],
        "delete policies": inline_policies(USERS, user),
        "remove users from group": [group for group in iam._groups.values() if name in group["Users"]],
        "delete login profile": name in iam._login_profiles,
        **{f"delete {noun}": credentials for noun, credentials in held(name).items()},
    }
    for remedy, obstacle in obstacles.items():
        if obstacle:
            raise Refused("DeleteConflict", f"Cannot delete entity, must {remedy} first.", 409)
    iam._user_inline_policies.pop(name, None)
    iam._users.pop(name)


@operation("PutUserPermissionsBoundary")
def put_permissions_boundary(given: dict) -> None:
    existing(USERS, given["UserName"])["PermissionsBoundary"] = _boundary(given)


@operation("DeleteUserPermissionsBoundary")
def delete_permissions_boundary(given: dict) -> None:
    user = existing(USERS, given["UserName"])
    if not user["PermissionsBoundary"]:
        raise Refused("NoSuchEntity", f"Principal {user['UserId']} does not have scope", 404)
    user["PermissionsBoundary"] = None


def _boundary(given: dict) -> str:
    arn = given["PermissionsBoundary"]
    if not iam._policy_exists(arn):
        raise Refused("NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.", 404)
    return arn


@operation("TagUser")
def tag_user(given: dict) -> None:
    user = existing(USERS, given["UserName"])
    user["Tags"] = _merged(user["Tags"], given["Tags"])


@operation("UntagUser")
def untag_user(given: dict) -> None:
    user = existing(USERS, given["UserName"])
    removed = {key.lower() for key in given["TagKeys"]}
    user["Tags"] = [tag for tag in user["Tags"] if tag["Key"].lower() not in removed]


@operation("ListUserTags")
def list_user_tags(given: dict) -> dict:
    return {"Tags": existing(USERS, given["UserName"])["Tags"]}


def _merged(present: list[dict], new: list[dict]) -> list[dict]:
    """All tags or none: one bad tag fails the whole request.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html
    """
    keys = [tag["Key"].lower() for tag in new]
    if len(set(keys)) < len(keys):
        raise Refused("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    if any(key.startswith("aws:") for key in keys):
        raise Refused("InvalidInput", "Tag keys with the prefix aws: are reserved.")
    merged = {tag["Key"].lower(): tag for tag in present}
    merged |= {tag["Key"].lower(): {"Key": tag["Key"], "Value": tag.get("Value", "")} for tag in new}
    limited(len(merged) - 1, "TagsPerUser", TAGS_PER_USER)
    return list(merged.values())
