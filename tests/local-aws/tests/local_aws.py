"""What the tests of the local AWS share: one real server for a module, and clients of it."""

import json
import os
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import botocore.config
import botocore.session
from botocore.exceptions import ClientError

SECURITY, MEMBER, OTHER_MEMBER = "111111111111", "222222222222", "333333333333"
MANAGEMENT = "999999999999"
SESSION = botocore.session.Session()
PACKAGE = Path(__file__).parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LocalAws:
    """A server of our own, ended with the block."""

    def __init__(self, **environment: str):
        self._environment = {"PATH": os.environ["PATH"], **environment}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "LocalAws":
        command = [sys.executable, "-m", "cordon_local", "--port", str(self.port), "--until-stdin-closes"]
        self.process = subprocess.Popen(command, cwd=PACKAGE, stdin=subprocess.PIPE, env=self._environment)
        until(lambda: self._is_ready(), "the local AWS answers")
        return self

    def __exit__(self, *_exception) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)

    def _is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the local AWS ended with status {self.process.returncode}")
        try:
            return self.get("/_local/health") == {"status": "ready"}
        except urllib.error.URLError:
            return False

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path) as answer:
            return json.load(answer)

    def post(self, path: str, body: object):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def root(self, service: str, account: str = MEMBER):
        """A client with an account's root credentials."""
        return self.client(service, {"AccessKeyId": account, "SecretAccessKey": "any"})

    def client(self, service: str, credentials: dict, attempts: int = 1):
        config = botocore.config.Config(
            retries={"total_max_attempts": attempts}, s3={"addressing_style": "path"}, parameter_validation=False
        )
        return SESSION.create_client(
            service,
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials.get("SessionToken"),
            config=config,
        )


def until(condition, what: str, seconds: float = 10):
    """Wait for a condition; its first true value is the result."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still waiting after {seconds} s: {what}")
        time.sleep(0.02)
    return value


class LocalAwsTest(unittest.TestCase):
    """Tests against a server that all the classes of a module share."""

    aws: LocalAws
    _servers: dict[str, LocalAws] = {}

    @classmethod
    def setUpClass(cls) -> None:
        if cls.__module__ not in cls._servers:
            server = cls._servers[cls.__module__] = LocalAws().__enter__()
            unittest.addModuleCleanup(server.__exit__)
        cls.aws = cls._servers[cls.__module__]

    def refused(self, code: str, call, **arguments) -> ClientError:
        """The call must fail with this error code."""
        with self.assertRaises(ClientError) as raised:
            call(**arguments)
        self.assertEqual(raised.exception.response["Error"]["Code"], code, raised.exception)
        return raised.exception


def allow(action, resource="*", **more) -> str:
    return policy("Allow", action, resource, **more)


def policy(effect: str, action, resource="*", **more) -> str:
    statement = {"Effect": effect, "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def user_with(aws: LocalAws, name: str, *policies: str, account: str = MEMBER, path: str = "/") -> dict:
    """A new user, its inline policies, and the credentials of its only access key."""
    iam = aws.root("iam", account)
    iam.create_user(UserName=name, Path=path)
    for number, document in enumerate(policies):
        iam.put_user_policy(UserName=name, PolicyName=f"policy-{number}", PolicyDocument=document)
    return iam.create_access_key(UserName=name)["AccessKey"]


def role_with(aws: LocalAws, name: str, trust, *policies: str, account: str = MEMBER, path: str = "/", **more) -> str:
    """A new role with its inline policies; its ARN."""
    iam = aws.root("iam", account)
    statement = trust if isinstance(trust, list) else [trust]
    document = json.dumps({"Version": "2012-10-17", "Statement": statement})
    arn = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document, **more)["Role"]["Arn"]
    for number, text in enumerate(policies):
        iam.put_role_policy(RoleName=name, PolicyName=f"policy-{number}", PolicyDocument=text)
    return arn
