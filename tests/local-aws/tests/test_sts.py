"""Sessions across accounts: trust, source identity, session policies, limits.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

import json

from local_aws import MEMBER, OTHER_MEMBER, SECURITY, LocalAwsTest, allow, policy, role_with, user_with

IDENTITY = "cordon-0123456789"
ENTER = allow(["sts:AssumeRole", "sts:SetSourceIdentity"])


def trust(principal: str, actions=("sts:AssumeRole", "sts:SetSourceIdentity"), **condition) -> dict:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": list(actions)}
    return {**statement, "Condition": condition} if condition else statement


class AcrossAccounts(LocalAwsTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.function_role = f"arn:aws:iam::{SECURITY}:role/cordon/Cordon-Step"
        if not cls._roles_made:
            entry = trust(f"arn:aws:iam::{SECURITY}:root", ["sts:AssumeRole"])
            for name in ("Cordon-Step", "Cordon-Other"):
                role_with(cls.aws, name, entry, ENTER, account=SECURITY, path="/cordon/")
            AcrossAccounts._roles_made = True

    _roles_made = False

    def session_of(self, name: str) -> dict:
        """Credentials of a role of the security account, as a function has them."""
        arn = f"arn:aws:iam::{SECURITY}:role/cordon/{name}"
        starter = self.aws.root("sts", SECURITY)
        return starter.assume_role(RoleArn=arn, RoleSessionName="function")["Credentials"]

    def sts(self, name: str = "Cordon-Step"):
        return self.aws.client("sts", self.session_of(name))

    def member_role(self, name: str, *policies: str, **conditions) -> str:
        return role_with(self.aws, name, trust(self.function_role, **conditions), *policies, path="/cordon/")

    def test_only_the_trusted_role_enters(self):
        role = self.member_role("Trusting")
        self.sts().assume_role(RoleArn=role, RoleSessionName="step")
        self.refused("AccessDenied", self.sts("Cordon-Other").assume_role, RoleArn=role, RoleSessionName="step")

    def test_a_trusted_role_is_named_with_its_path(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html"""
        pathless = f"arn:aws:iam::{SECURITY}:role/Cordon-Step"
        entry = trust(f"arn:aws:iam::{SECURITY}:root", ArnEquals={"aws:PrincipalArn": pathless})
        role = role_with(self.aws, "Imprecise", entry, path="/cordon/")
        self.refused("AccessDenied", self.sts().assume_role, RoleArn=role, RoleSessionName="step")
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust(pathless)]})
        create = self.aws.root("iam").create_role
        self.refused("MalformedPolicyDocument", create, RoleName="Wrong", AssumeRolePolicyDocument=policy)

    def test_a_role_for_a_service_is_nobody_elses(self):
        entry = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = role_with(self.aws, "Serving", entry)
        self.refused("AccessDenied", self.aws.root("sts").assume_role, RoleArn=role, RoleSessionName="root")

    def test_a_role_of_the_same_name_in_another_account_does_not_enter(self):
        entry = trust(f"arn:aws:iam::{OTHER_MEMBER}:root", ["sts:AssumeRole"])
        twin = role_with(self.aws, "Cordon-Step", entry, ENTER, account=OTHER_MEMBER, path="/cordon/")
        stranger = self.aws.root("sts", OTHER_MEMBER).assume_role(RoleArn=twin, RoleSessionName="twin")["Credentials"]
        role = self.member_role("Wary")
        self.refused("AccessDenied", self.aws.client("sts", stranger).assume_role, RoleArn=role, RoleSessionName="step")

    def test_the_callers_own_policies_must_allow_it_too(self):
        entry = trust(f"arn:aws:iam::{SECURITY}:root", ["sts:AssumeRole"])
        role_with(self.aws, "Powerless", entry, account=SECURITY, path="/cordon/")
        powerless = f"arn:aws:iam::{SECURITY}:role/cordon/Powerless"
        role = role_with(self.aws, "Inviting", trust(powerless), path="/cordon/")
        self.refused("AccessDenied", self.sts("Powerless").assume_role, RoleArn=role, RoleSessionName="step")

    def test_the_external_id_must_be_right(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html"""
        role = self.member_role("External", StringEquals={"sts:ExternalId": "right"})
        enter = self.sts().assume_role
        self.refused("AccessDenied", enter, RoleArn=role, RoleSessionName="step")
        self.refused("AccessDenied", enter, RoleArn=role, RoleSessionName="step", ExternalId="wrong")
        enter(RoleArn=role, RoleSessionName="step", ExternalId="right")

    def test_the_organisation_must_be_right(self):
        other = self.member_role("Elsewhere", StringEquals={"aws:PrincipalOrgID": "o-other"})
        ours = self.member_role("Ours", StringEquals={"aws:PrincipalOrgID": "o-cordonlocal"})
        self.refused("AccessDenied", self.sts().assume_role, RoleArn=other, RoleSessionName="step")
        self.sts().assume_role(RoleArn=ours, RoleSessionName="step")

    def test_the_session_name_can_be_asked_for(self):
        role = self.member_role("Named", StringLike={"sts:RoleSessionName": "cordon-*"})
        self.refused("AccessDenied", self.sts().assume_role, RoleArn=role, RoleSessionName="step")
        self.sts().assume_role(RoleArn=role, RoleSessionName="cordon-1")

    def test_a_source_identity_stays_with_the_session(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_monitor.html"""
        only = allow("iam:ListUsers", Condition={"StringEquals": {"aws:SourceIdentity": IDENTITY}})
        role = self.member_role("Identified", only)
        answer = self.sts().assume_role(RoleArn=role, RoleSessionName="step", SourceIdentity=IDENTITY)
        self.assertEqual(answer["SourceIdentity"], IDENTITY)
        self.aws.client("iam", answer["Credentials"]).list_users()
        nameless = self.sts().assume_role(RoleArn=role, RoleSessionName="step")["Credentials"]
        self.refused("AccessDenied", self.aws.client("iam", nameless).list_users)

    def test_a_trust_policy_can_ask_for_a_source_identity(self):
        role = self.member_role("Asking", StringLike={"sts:SourceIdentity": "cordon-*"})
        enter = self.sts().assume_role
        self.refused("AccessDenied", enter, RoleArn=role, RoleSessionName="step")
        self.refused("AccessDenied", enter, RoleArn=role, RoleSessionName="step", SourceIdentity="mallory")
        enter(RoleArn=role, RoleSessionName="step", SourceIdentity=IDENTITY)

    def test_a_role_must_let_itself_be_given_a_source_identity(self):
        role = role_with(self.aws, "Anonymous", trust(self.function_role, ["sts:AssumeRole"]), path="/cordon/")
        enter = self.sts().assume_role
        enter(RoleArn=role, RoleSessionName="step")
        error = self.refused("AccessDenied", enter, RoleArn=role, RoleSessionName="step", SourceIdentity=IDENTITY)
        self.assertIn("sts:SetSourceIdentity", str(error))

    def test_the_caller_must_be_allowed_to_set_a_source_identity(self):
        entry = trust(f"arn:aws:iam::{SECURITY}:root", ["sts:AssumeRole"])
        role_with(self.aws, "Plain", entry, allow("sts:AssumeRole"), account=SECURITY, path="/cordon/")
        role = role_with(self.aws, "Open", trust(f"arn:aws:iam::{SECURITY}:role/cordon/Plain"), path="/cordon/")
        enter = self.sts("Plain").assume_role
        self.refused("AccessDenied", enter, RoleArn=role, RoleSessionName="step", SourceIdentity=IDENTITY)

    def test_a_source_identity_is_handed_on_and_cannot_be_changed(self):
        first = self.member_role("First", ENTER)
        second = role_with(self.aws, "Second", trust(first), path="/cordon/")
        session = self.sts().assume_role(RoleArn=first, RoleSessionName="one", SourceIdentity=IDENTITY)["Credentials"]
        chained = self.aws.client("sts", session)
        self.assertEqual(chained.assume_role(RoleArn=second, RoleSessionName="two")["SourceIdentity"], IDENTITY)
        self.refused("AccessDenied", chained.assume_role, RoleArn=second, RoleSessionName="two", SourceIdentity="other")

    def test_a_session_policy_only_takes_away(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session"""
        role = self.member_role("Wide", allow(["iam:ListUsers", "iam:ListGroups"]))
        narrow = allow(["iam:ListUsers", "iam:ListRoles"])
        session = self.sts().assume_role(RoleArn=role, RoleSessionName="step", Policy=narrow)["Credentials"]
        iam = self.aws.client("iam", session)
        iam.list_users()
        self.refused("AccessDenied", iam.list_groups)
        self.refused("AccessDenied", iam.list_roles)

    def test_a_session_policy_has_at_most_2048_characters(self):
        role = self.member_role("Longwinded")
        document = json.loads(allow("iam:ListUsers"))
        document["Statement"][0]["Sid"] = "S" * (2048 - len(json.dumps(document)) - len(', "Sid": ""'))
        longest = json.dumps(document)
        self.assertEqual(len(longest), 2048)
        self.sts().assume_role(RoleArn=role, RoleSessionName="step", Policy=longest)
        longer = longest + " "
        self.refused("ValidationError", self.sts().assume_role, RoleArn=role, RoleSessionName="step", Policy=longer)

    def test_a_chained_session_lasts_an_hour_at_most(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining"""
        role = role_with(self.aws, "Lasting", trust(self.function_role), path="/cordon/", MaxSessionDuration=7200)
        enter = self.sts().assume_role
        enter(RoleArn=role, RoleSessionName="step", DurationSeconds=3600)
        self.refused("ValidationError", enter, RoleArn=role, RoleSessionName="step", DurationSeconds=3601)
        self.refused("ValidationError", enter, RoleArn=role, RoleSessionName="step", DurationSeconds=899)

    def test_session_names_have_sts_s_own_grammar(self):
        role = self.member_role("Strict")
        for name in ("x", "a" * 65, "with space", "with/slash", "with:colon"):
            self.refused("ValidationError", self.sts().assume_role, RoleArn=role, RoleSessionName=name)

    def test_what_is_no_role_is_refused(self):
        for arn in ("nonsense-of-twenty-characters", f"arn:aws:iam::{MEMBER}:user/mallory", "arn:aws:iam::x:role/y"):
            self.refused("ValidationError", self.sts().assume_role, RoleArn=arn, RoleSessionName="step")

    def test_a_missing_role_and_a_refusing_role_look_the_same(self):
        missing = f"arn:aws:iam::{MEMBER}:role/cordon/Missing"
        self.refused("AccessDenied", self.sts().assume_role, RoleArn=missing, RoleSessionName="step")

    def test_deny_all_on_a_role_ends_its_sessions(self):
        role = self.member_role("Ended", allow("*"))
        iam = self.aws.client("iam", self.sts().assume_role(RoleArn=role, RoleSessionName="step")["Credentials"])
        iam.list_users()
        self.aws.root("iam").put_role_policy(RoleName="Ended", PolicyName="stop", PolicyDocument=policy("Deny", "*"))
        self.refused("AccessDenied", iam.list_users)


class Users(LocalAwsTest):
    def test_a_wrong_secret_or_token_is_nobody(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""
        key = user_with(self.aws, "known", allow("*"))
        session = self.aws.client("sts", key).get_session_token()["Credentials"]
        forged = self.aws.client("sts", {**key, "SecretAccessKey": "wrong"})
        self.refused("SignatureDoesNotMatch", forged.get_caller_identity)
        tokenless = self.aws.client("sts", {**session, "SessionToken": "wrong"})
        self.refused("InvalidClientTokenId", tokenless.get_caller_identity)

    def test_a_session_token_cannot_beget_another(self):
        """https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html"""
        key = user_with(self.aws, "single", allow("*"))
        session = self.aws.client("sts", key).get_session_token()["Credentials"]
        self.refused("InvalidClientTokenId", self.aws.client("sts", session).get_session_token)
