"""Every policy file against the Service Authorization Reference, and against a linter's risks."""

import json
import re
import unittest
from fnmatch import fnmatchcase
from pathlib import Path

from cloudsplaining.scan.policy_document import PolicyDocument
from policy_sentry.querying.actions import get_action_data
from policy_sentry.querying.all import get_all_actions
from policy_sentry.querying.conditions import is_condition_key_match
from policy_sentry.util.arns import does_arn_match

REPOSITORY = Path(__file__).parents[2]

README = REPOSITORY / "infra" / "README.md"

FILES = sorted(
    path
    for folder in ("functions", "statemachine")
    for path in (REPOSITORY / folder).rglob("*.json")
    if path.name.endswith("policy.json") or "-policy-" in path.name
    if "cases" not in path.parts
)

ACCOUNT = "eu-central-1:111111111111"

# One of each of what the placeholders become.
PLACEHOLDERS = {
    "AWS::Partition": "aws",
    "AWS::AccountId": "111111111111",
    "AWS::Region": "eu-central-1",
    "AlertTopicArn": f"arn:aws:sns:{ACCOUNT}:Responders",
    "ContainmentsTableArn": f"arn:aws:dynamodb:{ACCOUNT}:table/cordon-containments",
    "EvidenceBucketArn": "arn:aws:s3:::evidence",
    "HubArn": f"arn:aws:securityhub:{ACCOUNT}:hub/default",
    "IncidentResponseArn": f"arn:aws:states:{ACCOUNT}:stateMachine:cordon-incident-response",
    "LogGroupArn": f"arn:aws:logs:{ACCOUNT}:log-group:cordon",
    "OperationsTopicArn": f"arn:aws:sns:{ACCOUNT}:Operations",
    "ProtectedArns": "arn:aws:iam::111111111111:role/protected",
    "ResponsePolicyParameterArn": f"arn:aws:ssm:{ACCOUNT}:parameter/cordon/response-policy",
    "RestoreArn": f"arn:aws:states:{ACCOUNT}:stateMachine:cordon-restore",
    "TopicKeyArn": f"arn:aws:kms:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
}


def filled(path):
    """The policy as it is deployed somewhere."""

    def value(match):
        name = match[1]
        if name.endswith("FunctionArn"):
            return f"arn:aws:lambda:{ACCOUNT}:function:cordon"
        return PLACEHOLDERS[name]

    return json.loads(re.sub(r"\$\{([A-Za-z:]+)\}", value, path.read_text()))


def listed(value):
    return value if isinstance(value, list) else [value]


def matching(action):
    """The actions that it names, as the reference spells them."""
    pattern = re.escape(action).replace(r"\*", ".*").replace(r"\?", ".")
    return [name for name in get_all_actions() if re.fullmatch(pattern, name, re.IGNORECASE)]


def rows(action):
    """A row for each type of resource, `*` for none, with the condition keys that go with it."""
    service, name = action.split(":")
    return get_action_data(service, name)[service]


def fits(resource, row):
    arn = row["resource_arn_format"]
    if "*" in (resource, arn):
        return arn == resource
    if ":log-group:" in resource:
        # In a policy, a log group's ARN ends in `:*`, which fits its streams, too.
        group = resource.removesuffix(":*")
        return does_arn_match(group, arn) or does_arn_match(f"{group}:log-stream:*", arn)
    return does_arn_match(resource, arn)


def mistakes(statement):
    """What the reference does not know of a statement."""
    resources = listed(statement["Resource"])
    keys = [key for operator in statement.get("Condition", {}).values() for key in operator]
    unused = set(resources)
    for action in listed(statement["Action"]):
        names = matching(action)
        if not names:
            yield f"{action} is no action"
        for name in names:
            of_action = rows(name)
            used = {one for one in resources for row in of_action if fits(one, row)}
            unused -= used
            if not used and "*" not in action and statement["Effect"] == "Allow":
                yield f"{name} applies to none of {resources}"
            for key in keys:
                known = (known for row in of_action for known in row["condition_keys"])
                if not any(is_condition_key_match(one, key) for one in known):
                    yield f"{name} has no condition key {key}"
    if statement["Effect"] == "Allow":
        yield from (f"{one} is a resource of no action of its" for one in sorted(unused))


class PolicyFiles(unittest.TestCase):
    def test_actions_resources_and_condition_keys_are_those_of_the_reference(self):
        self.assertGreater(len(FILES), 20)
        for path in FILES:
            for statement in filled(path)["Statement"]:
                with self.subTest(path=path.relative_to(REPOSITORY), sid=statement["Sid"]):
                    self.assertEqual(list(mistakes(statement)), [])

    def test_what_the_reference_does_not_know_is_found(self):
        user = "arn:aws:iam::111111111111:user/*"
        for statement, found in [
            (("iam:DetachUserPolicys", user, None), "is no action"),
            (("iam:DetachUserPolicy", "arn:aws:iam::111111111111:group/*", None), "applies to none"),
            (("iam:ListUsers", user, "iam:PolicyArn"), "has no condition key iam:PolicyArn"),
            (("iam:ListUsers", "arn:aws:s3:::evidence", None), "applies to none"),
            (("s3:GetObject", "arn:aws:s3:::evidence", None), "applies to none"),
        ]:
            action, resource, key = statement
            condition = {"Condition": {"Null": {key: "true"}}} if key else {}
            statement = {"Effect": "Allow", "Action": action, "Resource": resource, **condition}
            self.assertIn(found, "; ".join(mistakes(statement)))

    def test_no_policy_has_a_risk_that_the_linter_knows(self):
        for path in FILES:
            policy = PolicyDocument(filled(path))
            with self.subTest(path=path.relative_to(REPOSITORY)):
                self.assertEqual(risks(policy), {})

    def test_a_risk_is_found(self):
        statement = {"Effect": "Allow", "Action": "iam:PutUserPolicy", "Resource": "*"}
        policy = PolicyDocument({"Version": "2012-10-17", "Statement": [statement]})
        self.assertIn("allows_privilege_escalation", risks(policy))


class ServiceControlPolicy(unittest.TestCase):
    """The README's, which reserves what Cordon is."""

    def setUp(self):
        blocks = re.findall(r"```json\n(.*?)```", README.read_text(), re.DOTALL)
        (self.text,) = (block for block in blocks if "ArnNotLike" in block)
        self.statements = json.loads(self.text)["Statement"]

    def test_actions_and_resources_are_those_of_the_reference(self):
        for statement in self.statements:
            # A deny is held to what an allow is, but for the keys that all services have.
            held = {"Effect": "Allow", **{key: statement[key] for key in ("Action", "Resource")}}
            with self.subTest(sid=statement["Sid"]):
                self.assertEqual(list(mistakes(held)), [])
                self.assertEqual(list(statement["Condition"]["ArnNotLike"]), ["aws:PrincipalArn"])

    def test_it_is_as_large_as_organizations_takes(self):
        # AWS Organizations User Guide, "Quotas": with its white space, as the CLI sends it.
        self.assertLess(len(self.text), 5_120)

    def test_nobody_acts_through_cordon_but_who_deploys_it_and_itself(self):
        account = "111111111111"
        thief = f"arn:aws:iam::{account}:role/pipeline"
        machine = f"arn:aws:iam::{account}:role/cordon/Cordon-IncidentResponse"
        deploys = f"arn:aws:iam::{account}:role/cdk-hnb659fds-cfn-exec-role-{account}-eu-central-1"
        stack_sets = "arn:aws:iam::222222222222:role/stacksets-exec-0123456789abcdef"
        role = f"arn:aws:iam::{account}:role/cordon/Cordon-Quarantine"
        function = f"arn:aws:lambda:eu-central-1:{account}:function:cordon-quarantine"
        stack = f"arn:aws:cloudformation:eu-central-1:{account}:stack/CordonSecurity/0123"
        rule = f"arn:aws:events:eu-central-1:{account}:rule/cordon-findings"
        for action, resource, exempt in [
            ("iam:PutRolePolicy", role, (deploys, stack_sets)),
            ("iam:PassRole", role, (deploys,)),
            ("lambda:UpdateFunctionCode", function, (deploys,)),
            ("lambda:InvokeFunction", function, (machine,)),
            ("events:DisableRule", rule, (deploys,)),
            ("iam:PassRole", deploys, ()),
            ("sts:AssumeRole", deploys.replace("cfn-exec", "deploy"), ()),
            ("cloudformation:UpdateStack", stack, (deploys.replace("cfn-exec", "deploy"),)),
        ]:
            with self.subTest(action=action, resource=resource):
                self.assertTrue(self.denies(thief, action, resource))
                for principal in exempt:
                    self.assertFalse(self.denies(principal, action, resource), principal)

    def test_nobody_else_makes_whom_it_exempts(self):
        reserved = self.statements[0]["Resource"]
        for statement in self.statements:
            for exempt in statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"]:
                found = [one for one in reserved if fnmatchcase(exempt, one)]
                self.assertTrue(found, exempt)

    def denies(self, principal, action, resource):
        return any(
            action in listed(statement["Action"])
            and any(fnmatchcase(resource, one) for one in listed(statement["Resource"]))
            and not any(
                fnmatchcase(principal, one)
                for one in statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
            )
            for statement in self.statements
        )


def risks(policy):
    """What cloudsplaining calls a risk of a policy."""
    named = (
        "allows_privilege_escalation",
        "allows_data_exfiltration_actions",
        "credentials_exposure",
        "infrastructure_modification",
        "permissions_management_without_constraints",
        "service_wildcard",
        "contains_statement_using_not_action",
    )
    return {name: found for name in named if (found := getattr(policy, name))}


if __name__ == "__main__":
    unittest.main()
