"""AWS managed policies that the emulator does not have.

The deny of ``AWSDenyAll`` is complete, as are the names and paths; most of
the others are abridged, since tests attach them and do not live by them.
https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
"""

import json
from pathlib import Path

from ministack.services import iam


def install() -> None:
    documents = json.loads(Path(__file__).with_suffix(".json").read_text())
    for name, document in documents.items():
        policy = iam._make_aws_managed_record(name, json.dumps(document))
        iam._aws_managed_policies.setdefault(policy["Arn"], policy)
