"""The users, roles and groups that the emulator keeps, found the way IAM finds them."""

from dataclasses import dataclass

from ministack.core import iam_evaluator
from ministack.core.responses import AccountScopedDict, get_account_id
from ministack.services import iam, sts

from cordon_local.api_model import Refused

ROOT = "<root_account>"


@dataclass(frozen=True)
class Kind:
    """What differs between users, roles and groups.

    Quotas: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """

    noun: str
    store: AccountScopedDict
    inline_policy_characters: int

    @property
    def title(self) -> str:
        return self.noun.capitalize()

    @property
    def parameter(self) -> str:
        return f"{self.title}Name"


USERS = Kind("user", iam._users, 2_048)
ROLES = Kind("role", iam._roles, 10_240)
GROUPS = Kind("group", iam._groups, 5_120)


def found(kind: Kind, name: str) -> dict | None:
    """The record of a name, whatever its case: "names are not distinguished by case".

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-names
    """
    exact = kind.store.get(name)
    if exact:
        return exact
    return next((record for stored, record in kind.store.items() if stored.lower() == name.lower()), None)


def existing(kind: Kind, name: str) -> dict:
    record = found(kind, name)
    if record is None:
        raise Refused("NoSuchEntity", f"The {kind.noun} with name {name} cannot be found.", 404)
    return record


def inline_policies(kind: Kind, record: dict) -> dict[str, str]:
    """The inline policies of an identity, by name; changes to the result are kept."""
    if kind is ROLES:
        return record.setdefault("InlinePolicies", {})
    store = iam._user_inline_policies if kind is USERS else iam._group_inline_policies
    name = record[kind.parameter]
    if name not in store:
        store[name] = {}
    return store[name]


def caller_name(access_key_id: str) -> str | None:
    """The user whose credentials sign the request; None if root signs, or a role."""
    credential = iam_evaluator.resolve_credential(access_key_id, get_account_id())
    if isinstance(credential, iam_evaluator.CredentialResolutionError) or credential.principal_type != "User":
        return None
    return credential.principal_name


def is_role_session(access_key_id: str) -> bool:
    return (sts._sessions.get(access_key_id) or {}).get("PrincipalType") == "AssumedRole"
