"""Every secret that this local AWS has given out, for the test that looks for them where none may be.

Access keys that were deleted and sessions that have expired are not among them.
"""

from ministack.services import iam, sts

from cordon_local import local_paths
from cordon_local.local_paths import Answer


def install() -> None:
    local_paths.add("GET", "/_local/secrets", _list)


async def _list(_query: dict[str, str], _body: object) -> Answer:
    keys = [key["SecretAccessKey"] for key in iam._access_keys._data.values()]
    held = list(sts._sessions.values())
    sessions = [session[part] for session in held for part in ("SecretAccessKey", "SessionToken")]
    return 200, {"secrets": keys + sessions}
