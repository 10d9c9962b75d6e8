"""The emulator's functions that we replace, pinned by their source.

A mend is written against what a function did on the day it was written. When
the emulator changes it, the mend may hide a correct answer or stop mattering,
so the server refuses to start until somebody has looked.

``python -m cordon_local.pins`` prints the table as it should be now.
"""

import functools
import hashlib
import importlib
import inspect
import sys
from typing import Callable

SOURCES: dict[str, str] = {
}


class Changed(Exception):
    """The emulator is not the one the extension was written for."""


def locate(name: str) -> tuple[object, str]:
    """Find ``package.module:attribute``; a dotted attribute is a method."""
    module_name, _, attribute = name.partition(":")
    owner: object = importlib.import_module(module_name)
    *path, last = attribute.split(".")
    for part in path:
        owner = getattr(owner, part)
    return owner, last


def digest(name: str) -> str:
    """The digest of a function's source, comments included."""
    owner, attribute = locate(name)
    source = inspect.getsource(inspect.unwrap(getattr(owner, attribute)))
    return hashlib.sha256(source.encode()).hexdigest()


def original(name: str) -> Callable:
    """The emulator's function, if its source is the pinned one."""
    owner, attribute = locate(name)
    if not hasattr(owner, attribute):
        raise Changed(f"the emulator has no `{name}` any more")
    found = digest(name)
    if SOURCES.get(name) != found:
        raise Changed(f"the emulator's `{name}` has changed: its source has digest `{found}`")
    return getattr(owner, attribute)


def replace(name: str, replacement: Callable) -> None:
    """Put ``replacement`` in the function's place; it gets the original as its first argument."""
    pinned = original(name)
    owner, attribute = locate(name)
    if inspect.iscoroutinefunction(pinned):

        @functools.wraps(pinned)
        async def wrapper(*args, **kwargs):
            return await replacement(pinned, *args, **kwargs)
    else:

        @functools.wraps(pinned)
        def wrapper(*args, **kwargs):
            return replacement(pinned, *args, **kwargs)

    setattr(owner, attribute, wrapper)


def main() -> None:
    """Print the table of pins for the emulator that is installed."""
    for name in sorted(SOURCES):
        sys.stdout.write(f'    "{name}":\n        "{digest(name)}",\n')


if __name__ == "__main__":
    main()
