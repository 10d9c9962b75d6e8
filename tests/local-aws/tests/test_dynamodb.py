"""Writes of items."""

import json
import sys
import unittest
from concurrent.futures import ThreadPoolExecutor

from local_aws import PACKAGE

sys.path.insert(0, str(PACKAGE))
from cordon_local import dynamodb
from ministack.services import dynamodb as emulator


class Writes(unittest.TestCase):
    def test_a_condition_holds_although_many_write_at_once(self):
        # "Conditional writes ... are useful in cases where multiple users attempt to modify the same item":
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html
        dynamodb.install()
        status, _, answer = emulator._create_table({
            "TableName": "raced", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}]})
        self.assertEqual(status, 200, answer)

        def add(element: int) -> bool:
            status, _, answer = emulator._update_item({
                "TableName": "raced", "Key": {"k": {"S": "hour"}}, "UpdateExpression": "ADD members :members",
                "ConditionExpression": "attribute_not_exists(members) OR size(members) < :most",
                "ExpressionAttributeValues": {":members": {"SS": [str(element)]}, ":most": {"N": "20"}}})
            if status != 200:
                self.assertIn("ConditionalCheckFailedException", json.loads(answer)["__type"])
            return status == 200

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        self.addCleanup(sys.setswitchinterval, interval)
        with ThreadPoolExecutor(16) as threads:
            added = sum(threads.map(add, range(200)))
        self.assertEqual(added, 20)
