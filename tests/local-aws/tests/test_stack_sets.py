"""Service-managed StackSets."""

import json

from local_aws import MANAGEMENT, MEMBER, OTHER_MEMBER, SECURITY, LocalAwsTest, until

TRUST = {"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole",
}]}


def template(name: str, role: str, **changes) -> str:
    body = {"Resources": {"Role": {
        "Type": "AWS::IAM::Role", "Properties": {"RoleName": role, "AssumeRolePolicyDocument": TRUST},
    }}}
    targets = {
        "OrganizationalUnitIds": ["ou-cord-security", "ou-cord-payments", "ou-cord-research"],
        "AccountFilterType": "DIFFERENCE",
        "Accounts": [SECURITY],
    }
    properties = {
        "StackSetName": name,
        "PermissionModel": "SERVICE_MANAGED",
        "CallAs": "DELEGATED_ADMIN",
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "OperationPreferences": {"FailureTolerancePercentage": 10},
        "StackInstancesGroup": [{"DeploymentTargets": targets, "Regions": ["us-east-1"]}],
        "TemplateBody": json.dumps(body),
        **changes,
    }
    return json.dumps({"Resources": {"Set": {"Type": "AWS::CloudFormation::StackSet", "Properties": properties}}})


class StackSets(LocalAwsTest):
    def end_of(self, name: str, account: str = SECURITY) -> str:
        stacks = self.aws.root("cloudformation", account)

        def status():
            found = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
            return None if found.endswith("_IN_PROGRESS") else found

        return until(status, f"the stack {name} ends")

    def deploy(self, name: str, body: str, account: str = SECURITY) -> str:
        self.aws.root("cloudformation", account).create_stack(StackName=name, TemplateBody=body)
        return self.end_of(name, account)

    def has(self, account: str, role: str) -> bool:
        iam = self.aws.root("iam", account)
        try:
            return iam.get_role(RoleName=role)["Role"]["Arn"] == f"arn:aws:iam::{account}:role/{role}"
        except iam.exceptions.NoSuchEntityException:
            return False

    def test_each_account_of_the_units_gets_the_template_but_for_those_left_out(self):
        """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/account-level-targets.html"""
        self.assertEqual(self.deploy("whole", template("whole", "of-whole")), "CREATE_COMPLETE")
        for account, there in {MEMBER: True, OTHER_MEMBER: True, SECURITY: False, MANAGEMENT: False}.items():
            self.assertEqual(self.has(account, "of-whole"), there, account)

        stacks = self.aws.root("cloudformation", SECURITY)
        stacks.update_stack(StackName="whole", TemplateBody=template("whole", "renamed"))
        self.assertEqual(self.end_of("whole"), "UPDATE_COMPLETE")
        self.assertEqual([self.has(MEMBER, name) for name in ("of-whole", "renamed")], [False, True])

        stacks.delete_stack(StackName="whole")
        until(lambda: not self.has(MEMBER, "renamed") and not self.has(OTHER_MEMBER, "renamed"), "the roles go")

    def test_it_is_called_as_who_it_is(self):
        """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-delegated-admin.html"""
        self.assertEqual(self.deploy("posing", template("posing", "posing", CallAs="SELF")), "ROLLBACK_COMPLETE")
        body = template("managed", "managed", CallAs="SELF")
        self.assertEqual(self.deploy("managed", body, MANAGEMENT), "CREATE_COMPLETE")
        self.assertTrue(self.has(MEMBER, "managed"))
        self.assertFalse(self.has(MANAGEMENT, "managed"))

    def test_more_failures_than_are_tolerated_fail_it(self):
        """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stackset-ops-options.html"""
        failing = json.dumps({
            "Conditions": {"Here": {"Fn::Equals": [{"Ref": "AWS::AccountId"}, MEMBER]}},
            "Resources": {
                "Broken": {"Type": "AWS::Not::Known", "Condition": "Here"},
                "Whole": {
                    "Type": "AWS::IAM::Role",
                    "Properties": {"RoleName": "half", "AssumeRolePolicyDocument": TRUST},
                },
            },
        })
        self.assertEqual(self.deploy("strict", template("strict", "", TemplateBody=failing)), "ROLLBACK_COMPLETE")
        half = {"FailureTolerancePercentage": 50}
        lenient = template("lenient", "", TemplateBody=failing, OperationPreferences=half)
        self.assertEqual(self.deploy("lenient", lenient), "CREATE_COMPLETE")
        self.assertEqual([self.has(account, "half") for account in (MEMBER, OTHER_MEMBER)], [False, True])

    def test_trusted_access_is_told_to_those_who_run_them(self):
        """https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeOrganizationsAccess.html"""
        for account, call_as in {MANAGEMENT: "SELF", SECURITY: "DELEGATED_ADMIN"}.items():
            asked = self.aws.root("cloudformation", account).describe_organizations_access(CallAs=call_as)
            self.assertEqual(asked["Status"], "ENABLED")
        for account in (MEMBER, SECURITY):
            self.refused("ValidationError", self.aws.root("cloudformation", account).describe_organizations_access)
