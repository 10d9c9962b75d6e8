"""Whether each command in the mails is one of AWS's own CLI, with arguments that it takes.

The mails are the cases of `functions/write-report`. Nothing is called: each request is answered as
soon as the CLI has checked it.
"""

import contextlib
import io
import os
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

from awscli.clidriver import create_clidriver

WORDS = Path(__file__).parent.parent / "functions/write-report"


def commands():
    """Each command, once, with a mail that has it."""
    found = {}
    for mail in sorted(WORDS.glob("*/*/email.txt")):
        for line in mail.read_text().splitlines():
            if line.strip().startswith("aws "):
                found.setdefault(line.strip(), mail.parent.name)
    return found


def refusal(command):
    """Why the CLI does not take the command; nothing, if it does."""
    said = io.StringIO()
    driver = create_clidriver()
    requests = []

    def answer(params, **_):
        requests.append(params)
        return SimpleNamespace(status_code=200), {}

    driver.session.register("before-call", answer)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            status = driver.main(shlex.split(command)[1:])
        except SystemExit as exit:
            status = exit.code
    return said.getvalue() if status or not requests else None


def main():
    keys = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    os.environ.update(keys, AWS_CONFIG_FILE=os.devnull, AWS_PAGER="")
    found = commands()
    refused = {command: why for command in found if (why := refusal(command)) is not None}
    for command, why in refused.items():
        print(f"in `{found[command]}`: {command}\n{why}", file=sys.stderr)
    print(f"{len(found)} commands, {len(refused)} refused")
    return 1 if refused or len(found) < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
