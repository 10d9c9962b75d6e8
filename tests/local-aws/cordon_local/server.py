"""The server itself: the emulator's application, and the paths of our own before it."""

import asyncio
import importlib
import logging
import os
import signal
import socket
import threading

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from ministack import app as emulator
from ministack.core import lambda_runtime

from cordon_local import calls, faults, local_paths, pins

# In this order: of two that replace the same function, the later one is asked first.
MODULES = (
    "authorization",
    "iam",
    "trusts",
    "role_paths",
    "aws_managed_policies",
    "sts",
    "calls",
    "credentials",
    "security_hub",
    "eventbridge",
    "sns",
    "parameters",
    "dynamodb",
    "organizations",
    "log_groups",
    "stack_sets",
    "functions",
    "step_functions",
    "faults",
)


def install() -> None:
    """Mend the emulator. Must run before the first request."""
    # It would ask for a package that only asymmetric keys need.
    logging.getLogger("kms").setLevel(logging.ERROR)
    for name in MODULES:
        importlib.import_module(f"cordon_local.{name}").install()
    pins.check_all_used()


async def application(scope, receive, send) -> None:
    """Answer what AWS has no path for; the emulator answers the rest."""
    if scope["type"] == "http" and scope["path"].startswith(local_paths.PREFIX):
        await local_paths.answer(scope, receive, send)
    else:
        await faults.between(_recorded, scope, receive, send)


async def _recorded(scope, receive, send) -> None:
    await calls.recorded(emulator.app, scope, receive, send)


def serve(listener: socket.socket, until_stdin_closes: bool) -> None:
    """Serve until SIGTERM, SIGINT or the end of input, then end at once, with the Lambda processes."""
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 0
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    asyncio.run(_serve(config, until_stdin_closes))


async def _serve(config: Config, until_stdin_closes: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        threading.Thread(target=_wait_for_end_of_input, args=(loop, stop), daemon=True).start()

    async def stopped() -> None:
        await stop.wait()
        # Open connections are cut off, on purpose: no news for anybody.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        # A call that waits for its function would keep us waiting too.
        lambda_runtime.reset()

    await hypercorn_serve(application, config, shutdown_trigger=stopped)


def _wait_for_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not through `sys.stdin`: its lock, held while it waits, would stop the interpreter from ending.
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stop.set)
