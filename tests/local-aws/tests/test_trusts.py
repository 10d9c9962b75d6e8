"""Trust policies are about the principals of the day on which they were saved.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles
"""

import json

from local_aws import MEMBER, SECURITY, LocalAwsTest, allow, role_with, until, user_with

ROOT = f"arn:aws:iam::{SECURITY}:root"
ENTER = allow("sts:AssumeRole")


def trust(principal, **condition) -> dict:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return {**statement, "Condition": condition} if condition else statement


def document(statement: dict) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Trusts(LocalAwsTest):
    def function_role(self, name: str) -> str:
        return role_with(self.aws, name, trust(ROOT), ENTER, account=SECURITY, path="/cordon/")

    def made_again(self, name: str) -> str:
        iam = self.aws.root("iam", SECURITY)
        iam.delete_role_policy(RoleName=name, PolicyName="policy-0")
        iam.delete_role(RoleName=name)
        return self.function_role(name)

    def enter(self, function_role: str, role: str):
        """A call with which the function's role would enter the member's."""
        starter = self.aws.root("sts", SECURITY)
        session = starter.assume_role(RoleArn=function_role, RoleSessionName="function")["Credentials"]
        sts = self.aws.client("sts", session)
        return lambda: sts.assume_role(RoleArn=role, RoleSessionName="step")

    def shown(self, name: str, account: str = MEMBER):
        """The principal that a role's trust policy shows."""
        role = self.aws.root("iam", account).get_role(RoleName=name)["Role"]
        return role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]

    def deploy(self, stack: str, statement: dict) -> dict:
        """Makes a stack with a role that has this trust, and says what became of it."""
        properties = {"RoleName": stack, "AssumeRolePolicyDocument": json.loads(document(statement))}
        template = {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": properties}}}
        cloudformation = self.aws.root("cloudformation")
        cloudformation.create_stack(
            StackName=stack, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
        )

        def ended():
            [found] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
            return None if found["StackStatus"].endswith("IN_PROGRESS") else found

        return until(ended, f"the stack {stack} ends")

    def test_a_trusted_role_that_is_made_again_is_locked_out(self):
        function_role = self.function_role("Recreated")
        role = role_with(self.aws, "Remembering", trust(function_role))
        self.enter(function_role, role)()
        self.assertEqual(self.shown("Remembering"), function_role)
        unique_id = self.aws.root("iam", SECURITY).get_role(RoleName="Recreated")["Role"]["RoleId"]
        self.made_again("Recreated")
        self.refused("AccessDenied", self.enter(function_role, role))
        self.assertEqual(self.shown("Remembering"), unique_id)
        # Saved again, the ARN is the new role's.
        iam = self.aws.root("iam")
        iam.update_assume_role_policy(RoleName="Remembering", PolicyDocument=document(trust(function_role)))
        self.enter(function_role, role)()

    def test_one_that_its_account_and_arn_admit_is_not(self):
        function_role, other = self.function_role("Lasting"), self.function_role("Other")
        only = {"ArnEquals": {"aws:PrincipalArn": function_role}}
        role = role_with(self.aws, "Admitting", trust(ROOT, **only))
        self.enter(function_role, role)()
        self.made_again("Lasting")
        self.enter(function_role, role)()
        self.refused("AccessDenied", self.enter(other, role))

    def test_no_trust_names_a_principal_that_does_not_exist(self):
        missing = f"arn:aws:iam::{SECURITY}:role/cordon/Missing"
        iam = self.aws.root("iam")
        error = self.refused(
            "MalformedPolicyDocument",
            iam.create_role,
            RoleName="Early",
            AssumeRolePolicyDocument=document(trust(missing)),
        )
        self.assertIn(f'Invalid principal in policy: "AWS":"{missing}"', str(error))
        role_with(self.aws, "Open", trust(ROOT))
        for principal in (missing, [ROOT, missing], "AROAQQQQQQQQQQQQQQQQQ"):
            self.refused(
                "MalformedPolicyDocument",
                iam.update_assume_role_policy,
                RoleName="Open",
                PolicyDocument=document(trust(principal)),
            )
        self.assertEqual(self.shown("Open"), ROOT)

    def test_a_condition_may_name_whom_it_likes(self):
        missing = f"arn:aws:iam::{SECURITY}:role/cordon/Missing"
        role_with(self.aws, "Patient", trust(ROOT, ArnEquals={"aws:PrincipalArn": missing}))

    def test_a_trusted_user_that_is_made_again_is_locked_out(self):
        user_with(self.aws, "recreated", ENTER, account=SECURITY)
        arn = f"arn:aws:iam::{SECURITY}:user/recreated"
        role = role_with(self.aws, "RememberingUser", trust(arn))
        iam = self.aws.root("iam", SECURITY)
        [key] = iam.list_access_keys(UserName="recreated")["AccessKeyMetadata"]
        iam.delete_access_key(UserName="recreated", AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName="recreated", PolicyName="policy-0")
        iam.delete_user(UserName="recreated")
        key = user_with(self.aws, "recreated", ENTER, account=SECURITY)
        sts = self.aws.client("sts", key)
        self.refused("AccessDenied", sts.assume_role, RoleArn=role, RoleSessionName="step")

    def test_a_template_s_trust_is_saved_likewise(self):
        function_role = self.function_role("Templated")
        stack = self.deploy("FromTemplate", trust(function_role))
        self.assertEqual(stack["StackStatus"], "CREATE_COMPLETE")
        role = f"arn:aws:iam::{MEMBER}:role/FromTemplate"
        self.enter(function_role, role)()
        self.made_again("Templated")
        self.refused("AccessDenied", self.enter(function_role, role))

    def test_a_template_s_trust_names_nobody_who_does_not_exist(self):
        stack = self.deploy("TooEarly", trust(f"arn:aws:iam::{SECURITY}:role/cordon/Missing"))
        self.assertEqual(stack["StackStatus"], "ROLLBACK_COMPLETE")
        events = self.aws.root("cloudformation").describe_stack_events(StackName="TooEarly")["StackEvents"]
        reasons = [event.get("ResourceStatusReason", "") for event in events]
        self.assertTrue(any("Invalid principal in policy" in reason for reason in reasons), reasons)
