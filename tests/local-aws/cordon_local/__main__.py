"""Start the local AWS: ``python -m cordon_local --port 4566``."""

import argparse
import os
import socket
import sys
import tempfile
from pathlib import Path

from cordon_local import REGION, SECURITY_ACCOUNT

# What a process needs to run at all. Everything else that we were started with
# stays outside: Lambda functions are our children, and see only what AWS gives.
INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "LD_LIBRARY_PATH")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cordon_local", description="A local AWS for tests and demos.")
    parser.add_argument("--port", type=int, default=4566, help="port on 127.0.0.1 (default: %(default)s)")
    parser.add_argument("--dir", type=Path, help="where to unpack function code (default: a temporary folder)")
    parser.add_argument(
        "--until-stdin-closes",
        action="store_true",
        help="end when standard input does, so as not to outlive whoever started it",
    )
    parser.add_argument("--log-level", default="WARNING", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    return parser.parse_args()


def listen(port: int) -> socket.socket:
    """Take the port before the slow part of starting, so that a conflict shows at once."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        sys.exit(f"cannot listen on `127.0.0.1:{port}`: {error.strerror}")
    return listener


def environment(port: int, folder: Path, log_level: str) -> dict[str, str]:
    """The emulator reads its settings from the environment, most of them while it is imported."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | {
        "AUTH": "true",
        # `LocalMachine` names no account of ours: a client that forgot its
        # credentials must not turn into somebody's root.
        "AWS_ACCESS_KEY_ID": "LocalMachine",
        "AWS_SECRET_ACCESS_KEY": "LocalMachine",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "GATEWAY_PORT": str(port),
        "HOME": str(folder),
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        "LOG_LEVEL": log_level,
        "MINISTACK_ACCOUNT_ID": SECURITY_ACCOUNT,
        "MINISTACK_REGION": REGION,
        "PERSIST_STATE": "0",
        "S3_DATA_DIR": str(folder / "s3"),
        "S3_PERSIST": "0",
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(folder / "state"),
        "TMPDIR": str(folder),
    }


def run(listener: socket.socket, folder: Path, options: argparse.Namespace) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    settings = environment(options.port, folder.resolve(), options.log_level)
    os.environ.clear()
    os.environ.update(settings)
    tempfile.tempdir = settings["TMPDIR"]

    # Only now: the emulator has read its settings once it is imported.
    from cordon_local import pins, server

    try:
        server.install()
    except pins.Changed as error:
        sys.exit(str(error))
    server.serve(listener, options.until_stdin_closes)


def main() -> None:
    options = arguments()
    listener = listen(options.port)
    if options.dir:
        run(listener, options.dir, options)
    else:
        with tempfile.TemporaryDirectory(prefix="cordon-local-") as folder:
            run(listener, Path(folder), options)


if __name__ == "__main__":
    main()
