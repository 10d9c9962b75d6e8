"""Starting and ending."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.error
from unittest import mock

from local_aws import PACKAGE, LocalAws, until
from test_functions import deploy, invoke

sys.path.insert(0, str(PACKAGE))
from cordon_local import pins


class Server(unittest.TestCase):
    def test_a_port_that_is_taken_is_one_clear_line(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            command = [sys.executable, "-m", "cordon_local", "--port", str(port)]
            ended = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, check=False)
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(ended.stderr.splitlines(), [f"cannot listen on `127.0.0.1:{port}`: Address already in use"])
        self.assertEqual(ended.stdout, "")

    def test_it_ends_when_its_standard_input_does(self):
        with LocalAws() as aws:
            aws.process.stdin.close()
            self.assertEqual(aws.process.wait(timeout=5), 0)

    def test_sigterm_ends_it_at_once_with_its_functions_and_leaves_nothing_behind(self):
        with tempfile.TemporaryDirectory() as folder, LocalAws(TMPDIR=folder) as aws:
            deploy(aws)
            _, environment = invoke(aws)
            aws.root("s3").create_bucket(Bucket="kept-in-memory")
            self.assertNotEqual(os.listdir(folder), [])
            aws.process.send_signal(signal.SIGTERM)
            self.assertEqual(aws.process.wait(timeout=5), 0)
            until(lambda: not is_running(environment["PID"]), "the function's process has ended")
            self.assertEqual(os.listdir(folder), [])

    def test_root_is_an_account_number_and_nothing_else(self):
        with LocalAws() as aws:
            for key_id in ("test", "LocalMachine", "AKIAIOSFODNN7EXAMPLE"):
                for service, call in (("iam", "list_users"), ("s3", "list_buckets"), ("ssm", "describe_parameters")):
                    client = aws.client(service, {"AccessKeyId": key_id, "SecretAccessKey": "test"})
                    with self.assertRaises(client.exceptions.ClientError):
                        getattr(client, call)()
            for path in ("/", "/bucket"):
                with self.assertRaises(urllib.error.HTTPError) as raised:
                    aws.get(path)
                self.assertEqual(raised.exception.code, 403)
                raised.exception.close()


class Pins(unittest.TestCase):
    NAME = "ministack.services.iam:handle_request"

    def test_a_changed_function_is_not_replaced(self):
        with mock.patch.dict(pins.SOURCES, {self.NAME: "0" * 64}), self.assertRaises(pins.Changed) as raised:
            pins.replace(self.NAME, print)
        self.assertIn(self.NAME, str(raised.exception))

    def test_an_unpinned_function_is_not_replaced(self):
        with self.assertRaises(pins.Changed):
            pins.replace("ministack.services.iam:_list_roles", print)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
