"""How IAM decides, where the emulator alone decides otherwise."""

from local_aws import MEMBER, OTHER_MEMBER, LocalAwsTest, allow, policy, role_with, user_with

DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
WORST_PATH = "/" + "*?$&<>\"'{}~" * 40 + "/"


class Conditions(LocalAwsTest):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html"""

    def test_only_the_named_policy_may_be_attached(self):
        only = allow("iam:AttachUserPolicy", Condition={"ArnEquals": {"iam:PolicyARN": DENY_ALL}})
        iam = self.aws.client("iam", user_with(self.aws, "attacher", only))
        iam.attach_user_policy(UserName="attacher", PolicyArn=DENY_ALL)

    def test_another_policy_than_the_named_one_may_not_be_attached(self):
        only = allow("iam:AttachUserPolicy", Condition={"ArnEquals": {"iam:PolicyARN": DENY_ALL}})
        iam = self.aws.client("iam", user_with(self.aws, "escalator", only))
        self.refused("AccessDenied", iam.attach_user_policy, UserName="escalator", PolicyArn=ADMINISTRATOR)

    def test_a_deny_of_a_named_policy_holds_for_it_alone(self):
        deny = policy("Deny", "iam:DetachUserPolicy", Condition={"ArnEquals": {"iam:PolicyARN": DENY_ALL}})
        iam = self.aws.client("iam", user_with(self.aws, "detacher", allow("iam:*"), deny))
        root = self.aws.root("iam")
        root.create_user(UserName="detached")
        for arn in (DENY_ALL, ADMINISTRATOR):
            root.attach_user_policy(UserName="detached", PolicyArn=arn)
        iam.detach_user_policy(UserName="detached", PolicyArn=ADMINISTRATOR)
        self.refused("AccessDenied", iam.detach_user_policy, UserName="detached", PolicyArn=DENY_ALL)

    def test_only_the_named_boundary_may_be_set(self):
        condition = {"ArnEquals": {"iam:PermissionsBoundary": DENY_ALL}}
        iam = self.aws.client(
            "iam", user_with(self.aws, "fencer", allow("iam:PutUserPermissionsBoundary", Condition=condition))
        )
        self.aws.root("iam").create_user(UserName="fenced")
        self.refused(
            "AccessDenied", iam.put_user_permissions_boundary, UserName="fenced", PermissionsBoundary=ADMINISTRATOR
        )
        iam.put_user_permissions_boundary(UserName="fenced", PermissionsBoundary=DENY_ALL)

    def test_policies_may_be_taken_away_under_the_named_boundary_alone(self):
        """https://docs.aws.amazon.com/service-authorization/latest/reference/list_identityandaccessmanagement.html"""
        actions = [f"iam:{verb}{kind}Policy" for verb in ("Detach", "Delete") for kind in ("User", "Role")]
        only = allow(actions, Condition={"ArnEquals": {"iam:PermissionsBoundary": DENY_ALL}})
        iam = self.aws.client("iam", user_with(self.aws, "stripper", only))
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{MEMBER}:root"}, "Action": "sts:AssumeRole"}
        root = self.aws.root("iam")
        user_with(self.aws, "stripped", allow("*"))
        role_with(self.aws, "stripped", trust, allow("*"))
        takes = []
        for kind in ("user", "role"):
            name = {f"{kind.title()}Name": "stripped"}
            getattr(root, f"attach_{kind}_policy")(**name, PolicyArn=ADMINISTRATOR)
            takes.append((getattr(iam, f"detach_{kind}_policy"), name | {"PolicyArn": ADMINISTRATOR}))
            takes.append((getattr(iam, f"delete_{kind}_policy"), name | {"PolicyName": "policy-0"}))
        for boundary in (None, ADMINISTRATOR):
            for kind in ("user", "role") if boundary else ():
                put = getattr(root, f"put_{kind}_permissions_boundary")
                put(**{f"{kind.title()}Name": "stripped"}, PermissionsBoundary=boundary)
            for take, given in takes:
                self.refused("AccessDenied", take, **given)
        root.put_user_permissions_boundary(UserName="stripped", PermissionsBoundary=DENY_ALL)
        root.put_role_permissions_boundary(RoleName="stripped", PermissionsBoundary=DENY_ALL)
        for take, given in takes:
            take(**given)

    def test_only_named_tag_keys_may_be_set(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html#access_tags_control-tag-keys"""
        condition = {"ForAllValues:StringEquals": {"aws:TagKeys": ["incident", "time"]}}
        iam = self.aws.client("iam", user_with(self.aws, "tagger", allow("iam:TagUser", Condition=condition)))
        iam.tag_user(UserName="tagger", Tags=[{"Key": "incident", "Value": "1"}])
        both = [{"Key": "incident", "Value": "1"}, {"Key": "team", "Value": "x"}]
        self.refused("AccessDenied", iam.tag_user, UserName="tagger", Tags=both)

    def test_tags_of_a_user_and_of_a_role_decide(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html#access_tags_control-resources"""
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{MEMBER}:root"}, "Action": "sts:AssumeRole"}
        root = self.aws.root("iam")
        for key in ("aws:ResourceTag/Incident", "iam:ResourceTag/incident"):
            name = key.replace("/", ".").replace(":", ".")
            for tagged, value in ((f"{name}.yes", "true"), (f"{name}.no", "false"), (f"{name}.none", None)):
                user_with(self.aws, tagged)
                role_with(self.aws, tagged, trust)
                if value:
                    tags = [{"Key": "Incident", "Value": value}]
                    root.tag_user(UserName=tagged, Tags=tags)
                    root.tag_role(RoleName=tagged, Tags=tags)
            condition = {"StringEquals": {key: "true"}}
            actions = ["iam:AttachUserPolicy", "iam:AttachRolePolicy", "iam:UntagUser", "iam:AddUserToGroup"]
            iam = self.aws.client("iam", user_with(self.aws, f"{name}.giver", allow(actions, Condition=condition)))
            for other in ("no", "none"):
                given = {"PolicyArn": ADMINISTRATOR}
                self.refused("AccessDenied", iam.attach_user_policy, UserName=f"{name}.{other}", **given)
                self.refused("AccessDenied", iam.attach_role_policy, RoleName=f"{name}.{other}", **given)
            iam.attach_user_policy(UserName=f"{name}.yes", PolicyArn=ADMINISTRATOR)
            iam.attach_role_policy(RoleName=f"{name}.yes", PolicyArn=ADMINISTRATOR)
            root.create_group(GroupName=f"{name}.group")
            joins = {"UserName": f"{name}.yes", "GroupName": f"{name}.group"}
            self.refused("AccessDenied", iam.add_user_to_group, **joins)
            iam.untag_user(UserName=f"{name}.yes", TagKeys=["Incident"])
            self.refused("AccessDenied", iam.untag_user, UserName=f"{name}.yes", TagKeys=["Incident"])

    def test_that_a_tag_is_there_at_all_decides(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"""
        condition = {
            "Null": {"aws:ResourceTag/Retired": "false", "aws:TagKeys": "false"},
            "ForAllValues:StringEquals": {"aws:TagKeys": "Retired"},
        }
        iam = self.aws.client("iam", user_with(self.aws, "unmarker", allow("iam:UntagUser", Condition=condition)))
        root = self.aws.root("iam")
        for name, tags in (("marked", ("Retired", "Owner")), ("unmarked", ("Owner",))):
            root.create_user(UserName=name, Tags=[{"Key": key, "Value": "x"} for key in tags])
        self.refused("AccessDenied", iam.untag_user, UserName="unmarked", TagKeys=["Retired"])
        for keys in (["Owner"], ["Retired", "Owner"]):
            self.refused("AccessDenied", iam.untag_user, UserName="marked", TagKeys=keys)
        iam.untag_user(UserName="marked", TagKeys=["Retired"])
        self.assertEqual(root.list_user_tags(UserName="marked")["Tags"], [{"Key": "Owner", "Value": "x"}])

    def test_a_tag_that_nobody_may_set_is_denied_in_any_case_and_among_others(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html#access_tags_control-tag-keys"""
        marks = {"ForAnyValue:StringEqualsIgnoreCase": {"aws:TagKeys": ["Incident"]}}
        deny = policy("Deny", "iam:TagUser", Condition=marks)
        iam = self.aws.client("iam", user_with(self.aws, "never-marks", allow("iam:TagUser"), deny))
        owner = {"Key": "Owner", "Value": "x"}
        for key in ("Incident", "iNCIDENT"):
            tags = [owner, {"Key": key, "Value": "true"}]
            self.refused("AccessDenied", iam.tag_user, UserName="never-marks", Tags=tags)
        iam.tag_user(UserName="never-marks", Tags=[owner])

    def test_the_organisation_is_known_and_the_same_for_all_accounts(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalorgid"""
        condition = {"StringEquals": {"aws:PrincipalOrgID": "o-cordonlocal"}}
        for account in (MEMBER, OTHER_MEMBER):
            user = user_with(self.aws, "organised", allow("iam:ListUsers", Condition=condition), account=account)
            self.aws.client("iam", user).list_users()


class Resources(LocalAwsTest):
    """https://docs.aws.amazon.com/service-authorization/latest/reference/list_identityandaccessmanagement.html"""

    def test_a_user_is_authorised_with_its_path(self):
        only = allow("iam:GetUser", f"arn:aws:iam::{MEMBER}:user/team/*")
        iam = self.aws.client("iam", user_with(self.aws, "reader", only))
        root = self.aws.root("iam")
        root.create_user(UserName="inside", Path="/team/")
        root.create_user(UserName="outside")
        iam.get_user(UserName="inside")
        self.refused("AccessDenied", iam.get_user, UserName="outside")

    def test_a_refusal_names_the_resource(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""
        iam = self.aws.client("iam", user_with(self.aws, "refused"))
        error = self.refused("AccessDenied", iam.get_group, GroupName="secret")
        self.assertIn(f"on resource: arn:aws:iam::{MEMBER}:group/secret because no identity-based policy", str(error))

    def test_leaving_a_group_is_authorised_on_the_group(self):
        only = allow("iam:RemoveUserFromGroup", f"arn:aws:iam::{MEMBER}:group/admins")
        iam = self.aws.client("iam", user_with(self.aws, "remover", only))
        root = self.aws.root("iam")
        root.create_user(UserName="leaver")
        for group in ("admins", "others"):
            root.create_group(GroupName=group)
            root.add_user_to_group(GroupName=group, UserName="leaver")
        iam.remove_user_from_group(GroupName="admins", UserName="leaver")
        self.refused("AccessDenied", iam.remove_user_from_group, GroupName="others", UserName="leaver")

    def test_wildcards_in_a_path_mean_themselves_when_escaped(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars"""
        root = self.aws.root("iam")
        arn = root.create_user(UserName="worst", Path=WORST_PATH)["User"]["Arn"]
        root.create_user(UserName="decoy", Path=WORST_PATH.replace("*", "anything").replace("?", "x")[:500] + "/")
        escaped = "".join(f"${{{character}}}" if character in "*?$" else character for character in arn)
        only = allow("iam:GetUser", escaped.removesuffix("worst") + "*")
        iam = self.aws.client("iam", user_with(self.aws, "careful", only))
        self.assertEqual(iam.get_user(UserName="worst")["User"]["Path"], WORST_PATH)
        self.refused("AccessDenied", iam.get_user, UserName="decoy")

    def test_policy_variables_stand_for_the_callers_values(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html"""
        own = allow("iam:GetUser", f"arn:aws:iam::{MEMBER}:user/${{aws:username}}")
        iam = self.aws.client("iam", user_with(self.aws, "narcissus", own))
        iam.get_user(UserName="narcissus")
        self.refused("AccessDenied", iam.get_user, UserName="echo")

    def test_a_statement_with_a_variable_without_value_matches_nothing(self):
        own = allow("iam:GetUser", f"arn:aws:iam::{MEMBER}:user/${{aws:PrincipalTag/absent}}*")
        iam = self.aws.client("iam", user_with(self.aws, "untagged", own))
        self.refused("AccessDenied", iam.get_user, UserName="untagged")


class Denies(LocalAwsTest):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html"""

    def test_a_deny_on_the_user_ends_keys_and_sessions_at_once(self):
        key = user_with(self.aws, "intruder", allow("*"))
        token = self.aws.client("sts", key).get_session_token()["Credentials"]
        federated = self.aws.client("sts", key).get_federation_token(Name="bob", Policy=allow("*"))["Credentials"]
        ssm = [self.aws.client("ssm", credentials) for credentials in (key, token, federated)]
        for client in ssm:
            client.describe_parameters()
        self.aws.root("iam").attach_user_policy(UserName="intruder", PolicyArn=DENY_ALL)
        for client in ssm:
            self.refused("AccessDeniedException", client.describe_parameters)

    def test_a_boundary_denies_too(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html"""
        ssm = self.aws.client("ssm", user_with(self.aws, "bounded", allow("*")))
        self.aws.root("iam").put_user_permissions_boundary(UserName="bounded", PermissionsBoundary=DENY_ALL)
        self.refused("AccessDeniedException", ssm.describe_parameters)

    def test_deactivating_a_key_leaves_its_sessions_alive(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_disable-perms.html"""
        key = user_with(self.aws, "survivor", allow("*"))
        token = self.aws.client("sts", key).get_session_token()["Credentials"]
        self.aws.root("iam").update_access_key(UserName="survivor", AccessKeyId=key["AccessKeyId"], Status="Inactive")
        self.refused("UnrecognizedClientException", self.aws.client("ssm", key).describe_parameters)
        self.aws.client("ssm", token).describe_parameters()

    def test_a_session_without_mfa_cannot_call_iam(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_sts-comparison.html"""
        key = user_with(self.aws, "no-mfa", allow("*"))
        token = self.aws.client("sts", key).get_session_token()["Credentials"]
        self.refused("InvalidClientTokenId", self.aws.client("iam", token).list_users)
        self.aws.client("sts", token).get_caller_identity()


class Roles(LocalAwsTest):
    def test_the_principal_of_a_role_session_is_the_role_with_its_path(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalarn"""
        arn = f"arn:aws:iam::{MEMBER}:role/cordon/Worker"
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{MEMBER}:root"}, "Action": "sts:AssumeRole"}
        only = allow("iam:ListUsers", Condition={"ArnEquals": {"aws:PrincipalArn": arn}})
        role_with(self.aws, "Worker", trust, only, path="/cordon/")
        key = user_with(self.aws, "assumer", allow("sts:AssumeRole"))
        session = self.aws.client("sts", key).assume_role(RoleArn=arn, RoleSessionName="work")["Credentials"]
        self.aws.client("iam", session).list_users()
