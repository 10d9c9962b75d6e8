"""The table of the IAM operations that are ours, and what they share."""

import importlib
import secrets
import string
from collections.abc import Callable
from datetime import datetime, timezone

from cordon_local.api_model import Refused

Operation = Callable[[dict], dict | None]
OPERATIONS: dict[str, Operation] = {}


def operation(name: str) -> Callable[[Operation], Operation]:
    """Enter a handler in the table; it gets the checked input and returns the output."""

    def enter(handler: Operation) -> Operation:
        OPERATIONS[name] = handler
        return handler

    return enter


def load() -> None:
    """Import the modules that fill the table."""
    for name in ("iam_users", "iam_groups", "iam_policies", "iam_credentials"):
        importlib.import_module(f"cordon_local.{name}")


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def unique_id(prefix: str, characters: int = 17) -> str:
    """A unique id, never given twice.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
    """
    return prefix + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(characters))


def secret(characters: int = 40) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(characters))


def limited(count: int, quota: str, limit: int) -> None:
    """Refuse one more than the quota allows."""
    if count >= limit:
        raise Refused("LimitExceeded", f"Cannot exceed quota for {quota}: {limit}", 409)


def without(record: dict, *fields: str) -> dict:
    return {name: value for name, value in record.items() if name not in fields}
