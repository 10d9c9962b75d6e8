"""One write of an item at a time: DynamoDB's conditions hold although many write at once.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html

Calls by network come one after the other, but each execution writes from a thread of its own.
"""

import threading

from cordon_local import pins

_writing = threading.Lock()


def install() -> None:
    for write in ("put", "update", "delete"):
        pins.replace(f"ministack.services.dynamodb:_{write}_item", _alone)


def _alone(original, data):
    with _writing:
        return original(data)
