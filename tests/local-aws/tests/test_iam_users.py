"""Users and what they hold: limits, pages, errors.

Quotas: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

import json

from local_aws import MEMBER, SECURITY, LocalAwsTest, allow, role_with, user_with

MANAGED = "arn:aws:iam::aws:policy/"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB{}\n-----END CERTIFICATE-----"


class IamTest(LocalAwsTest):
    def setUp(self) -> None:
        self.iam = self.aws.root("iam")

    def user(self, name: str, **more) -> dict:
        return self.iam.create_user(UserName=name, **more)["User"]

    def pages(self, operation: str, key: str, **arguments) -> list[int]:
        """How many items each page has, asked for two at a time."""
        pages = self.iam.get_paginator(operation).paginate(PaginationConfig={"PageSize": 2}, **arguments)
        return [len(page[key]) for page in pages]


class Names(IamTest):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html"""

    def test_case_does_not_distinguish_names(self):
        self.user("Alice")
        self.refused("EntityAlreadyExists", self.iam.create_user, UserName="alice")
        self.assertEqual(self.iam.get_user(UserName="ALICE")["User"]["UserName"], "Alice")

    def test_a_path_has_any_printable_ascii_and_comes_back_as_it_was(self):
        path = "/" + "".join(chr(code) for code in range(0x21, 0x7F)) + "/"
        user = self.user("pathfinder", Path=path)
        self.assertEqual(user["Path"], path)
        self.assertEqual(user["Arn"], f"arn:aws:iam::{MEMBER}:user{path}pathfinder")
        self.assertEqual(self.iam.get_user(UserName="pathfinder")["User"]["Arn"], user["Arn"])

    def test_a_path_has_at_most_512_characters(self):
        self.user("longest", Path="/" + "x" * 510 + "/")
        self.refused("ValidationError", self.iam.create_user, UserName="longer", Path="/" + "x" * 511 + "/")

    def test_names_and_paths_have_a_grammar(self):
        self.refused("ValidationError", self.iam.create_user, UserName="with space")
        self.refused("ValidationError", self.iam.create_user, UserName="u" * 65)
        self.refused("ValidationError", self.iam.create_user, UserName="pathless", Path="/no-end")

    def test_paths_of_aws_take_no_role_but_aws_s(self):
        """https://github.com/tilfin/aws-iam-policy-tool/pull/9"""
        trust = {"Effect": "Allow", "Principal": {"AWS": MEMBER}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        for path in ("/aws-service-role/x/", "/AWS-Service-Role/x/", "/aws-reserved/", "/AWS-Reserved/x/"):
            create = self.iam.create_role
            self.refused("InvalidInput", create, RoleName="linked", Path=path, AssumeRolePolicyDocument=document)
        role_with(self.aws, "linked", trust, path="/mine/aws-reserved/")
        moved = {"account": MEMBER, "roleName": "linked", "path": "/aws-reserved/x/"}
        self.aws.post("/_local/iam/service-role", moved)
        arn = self.iam.get_role(RoleName="linked")["Role"]["Arn"]
        self.assertEqual(arn, f"arn:aws:iam::{MEMBER}:role/aws-reserved/x/linked")

    def test_a_user_made_again_is_another_user(self):
        first = self.user("phoenix")
        self.iam.delete_user(UserName="phoenix")
        self.assertNotEqual(self.user("phoenix")["UserId"], first["UserId"])

    def test_a_renamed_user_keeps_its_id_and_all_it_has(self):
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html"""
        key = user_with(self.aws, "maiden", allow("iam:GetUser"))
        self.iam.create_group(GroupName="family")
        self.iam.add_user_to_group(GroupName="family", UserName="maiden")
        before = self.iam.get_user(UserName="maiden")["User"]
        self.iam.update_user(UserName="maiden", NewUserName="married", NewPath="/moved/")
        after = self.aws.client("iam", key).get_user()["User"]
        self.assertEqual(after["Arn"], f"arn:aws:iam::{MEMBER}:user/moved/married")
        self.assertEqual(after["UserId"], before["UserId"])
        self.assertEqual(self.iam.list_user_policies(UserName="married")["PolicyNames"], ["policy-0"])
        self.assertEqual(len(self.iam.list_groups_for_user(UserName="married")["Groups"]), 1)
        self.refused("NoSuchEntity", self.iam.get_user, UserName="maiden")

    def test_a_user_that_holds_something_is_not_deleted(self):
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html"""
        self.user("holder")
        self.iam.create_login_profile(UserName="holder", Password="Long-enough-1")
        self.refused("DeleteConflict", self.iam.delete_user, UserName="holder")

    def test_an_unknown_user_is_no_such_entity_with_404(self):
        error = self.refused("NoSuchEntity", self.iam.get_user, UserName="nobody")
        self.assertEqual(error.response["ResponseMetadata"]["HTTPStatusCode"], 404)

    def test_without_a_name_the_caller_is_meant(self):
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html"""
        iam = self.aws.client("iam", user_with(self.aws, "selfish", allow("iam:*")))
        self.assertEqual(iam.get_user()["User"]["UserName"], "selfish")
        self.assertEqual(len(iam.list_access_keys()["AccessKeyMetadata"]), 1)

    def test_a_role_must_say_whom_it_means(self):
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{MEMBER}:root"}, "Action": "sts:AssumeRole"}
        role = role_with(self.aws, "nameless", trust, allow("iam:*"))
        session = self.aws.root("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
        self.refused("ValidationError", self.aws.client("iam", session).list_access_keys)


class Policies(IamTest):
    def test_ten_managed_policies_and_no_more(self):
        names = [policy["PolicyName"] for policy in self._aws_managed()][:10]
        self.user("full")
        for name in names:
            self.iam.attach_user_policy(UserName="full", PolicyArn=MANAGED + name)
        eleventh = {"UserName": "full", "PolicyArn": MANAGED + "AWSDenyAll"}
        error = self.refused("LimitExceeded", self.iam.attach_user_policy, **eleventh)
        self.assertEqual(error.response["ResponseMetadata"]["HTTPStatusCode"], 409)
        self.iam.attach_user_policy(UserName="full", PolicyArn=MANAGED + names[0])
        self.assertEqual(self.pages("list_attached_user_policies", "AttachedPolicies", UserName="full"), [2] * 5)

    def _aws_managed(self) -> list[dict]:
        policies = self.iam.list_policies(Scope="AWS")["Policies"]
        return [policy for policy in policies if policy["Path"] == "/" and policy["PolicyName"] != "AWSDenyAll"]

    def test_policies_of_incident_response_and_of_job_functions_exist(self):
        """https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html"""
        for name in (
            "AWSDenyAll", "AWSCompromisedKeyQuarantine", "AWSCompromisedKeyQuarantineV2",
            "AWSCompromisedKeyQuarantineV3", "AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess", "SecurityAudit", "job-function/ViewOnlyAccess",
            "job-function/Billing", "AmazonS3FullAccess", "IAMFullAccess", "AWSLambda_FullAccess",
        ):  # fmt: skip
            self.assertEqual(self.iam.get_policy(PolicyArn=MANAGED + name)["Policy"]["Arn"], MANAGED + name)

    def test_an_unknown_policy_is_not_attached(self):
        self.user("hopeful")
        self.refused(
            "NoSuchEntity", self.iam.attach_user_policy, UserName="hopeful", PolicyArn=MANAGED + "NoSuchPolicy"
        )

    def test_detaching_what_is_not_attached_is_no_such_entity(self):
        self.user("bare")
        self.refused("NoSuchEntity", self.iam.detach_user_policy, UserName="bare", PolicyArn=MANAGED + "AWSDenyAll")

    def test_inline_policies_have_2048_characters_in_all_without_white_space(self):
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length"""
        self.user("writer")
        document = allow(["s3:" + "G" * 1900])
        self.iam.put_user_policy(UserName="writer", PolicyName="one", PolicyDocument=document + " " * 4000)
        self.refused(
            "LimitExceeded", self.iam.put_user_policy, UserName="writer", PolicyName="two", PolicyDocument=document
        )
        self.iam.put_user_policy(UserName="writer", PolicyName="one", PolicyDocument=document)

    def test_inline_policies_come_in_pages_and_as_they_were(self):
        self.user("inliner")
        documents = {f"policy-{number}": allow(f"s3:Get{number}") for number in range(5)}
        for name, document in documents.items():
            self.iam.put_user_policy(UserName="inliner", PolicyName=name, PolicyDocument=document)
        self.assertEqual(self.pages("list_user_policies", "PolicyNames", UserName="inliner"), [2, 2, 1])
        kept = self.iam.get_user_policy(UserName="inliner", PolicyName="policy-3")["PolicyDocument"]
        self.assertEqual(kept["Statement"][0]["Action"], "s3:Get3")

    def test_a_malformed_document_is_refused(self):
        self.user("clumsy")
        put = {"UserName": "clumsy", "PolicyName": "bad", "PolicyDocument": "{}"}
        self.refused("MalformedPolicyDocument", self.iam.put_user_policy, **put)

    def test_groups_have_their_policies_in_pages_too(self):
        self.iam.create_group(GroupName="readers")
        for name in ("ReadOnlyAccess", "SecurityAudit", "IAMReadOnlyAccess"):
            self.iam.attach_group_policy(GroupName="readers", PolicyArn=MANAGED + name)
        self.assertEqual(self.pages("list_attached_group_policies", "AttachedPolicies", GroupName="readers"), [2, 1])


class Groups(IamTest):
    def test_ten_groups_and_no_more(self):
        self.user("joiner")
        for number in range(11):
            self.iam.create_group(GroupName=f"group-{number}", Path="/odd&<path>/")
        for number in range(10):
            self.iam.add_user_to_group(GroupName=f"group-{number}", UserName="joiner")
        self.refused("LimitExceeded", self.iam.add_user_to_group, GroupName="group-10", UserName="joiner")
        self.assertEqual(self.pages("list_groups_for_user", "Groups", UserName="joiner"), [2] * 5)

    def test_leaving_a_group_twice_is_no_such_entity(self):
        self.user("loner")
        self.iam.create_group(GroupName="empty")
        self.refused("NoSuchEntity", self.iam.remove_user_from_group, GroupName="empty", UserName="loner")


class Tags(IamTest):
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html"""

    def tag(self, name: str, *tags: tuple[str, str]) -> None:
        self.iam.tag_user(UserName=name, Tags=[{"Key": key, "Value": value} for key, value in tags])

    def tags(self, name: str) -> dict:
        return {tag["Key"]: tag["Value"] for tag in self.iam.list_user_tags(UserName=name)["Tags"]}

    def test_one_bad_tag_fails_them_all(self):
        self.user("half")
        for bad in ("no#hash", "", "k" * 129):
            with self.assertRaises(self.iam.exceptions.ClientError):
                self.tag("half", ("good", "1"), (bad, "1"))
        with self.assertRaises(self.iam.exceptions.ClientError):
            self.tag("half", ("good", "1"), ("long", "v" * 257))
        self.assertEqual(self.tags("half"), {})

    def test_values_may_have_letters_of_any_script(self):
        self.user("polyglot")
        self.tag("polyglot", ("größe", "äöü ß 漢字 _.:/=+-@"))
        self.assertEqual(self.tags("polyglot"), {"größe": "äöü ß 漢字 _.:/=+-@"})

    def test_keys_are_told_apart_regardless_of_case(self):
        self.user("twice")
        with self.assertRaises(self.iam.exceptions.InvalidInputException):
            self.tag("twice", ("Team", "a"), ("team", "b"))
        self.tag("twice", ("Team", "a"))
        self.tag("twice", ("team", "b"))
        self.assertEqual(self.tags("twice"), {"team": "b"})

    def test_fifty_tags_and_no_more(self):
        self.user("tagged")
        self.tag("tagged", *((f"key-{number}", "") for number in range(50)))
        with self.assertRaises(self.iam.exceptions.LimitExceededException):
            self.tag("tagged", ("one-more", ""))
        self.tag("tagged", ("key-0", "changed"))
        self.assertEqual(self.pages("list_user_tags", "Tags", UserName="tagged"), [2] * 25)


class Credentials(IamTest):
    def test_two_access_keys_and_no_more(self):
        self.user("keys")
        for _ in range(2):
            self.iam.create_access_key(UserName="keys")
        self.refused("LimitExceeded", self.iam.create_access_key, UserName="keys")

    def test_a_key_is_changed_under_its_own_user_only(self):
        key_id = user_with(self.aws, "owner")["AccessKeyId"]
        self.user("other")
        wrong = {"UserName": "other", "AccessKeyId": key_id, "Status": "Inactive"}
        self.refused("NoSuchEntity", self.iam.update_access_key, **wrong)
        self.iam.update_access_key(**{**wrong, "UserName": "owner"})
        self.assertEqual(self.iam.list_access_keys(UserName="owner")["AccessKeyMetadata"][0]["Status"], "Inactive")

    def test_a_key_leads_to_its_owner_and_its_last_use(self):
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html"""
        key = user_with(self.aws, "used", allow("ssm:*"))
        last_used = self.iam.get_access_key_last_used
        never = last_used(AccessKeyId=key["AccessKeyId"])
        self.assertEqual(never["UserName"], "used")
        self.assertEqual(never["AccessKeyLastUsed"], {"ServiceName": "N/A", "Region": "N/A"})
        self.aws.client("ssm", key).describe_parameters()
        used = last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
        self.assertEqual((used["ServiceName"], used["Region"]), ("ssm", "us-east-1"))
        self.assertIn("LastUsedDate", used)

    def test_keys_and_password_grow_older_on_request(self):
        """As if days had passed: no client can set these dates."""
        key = user_with(self.aws, "elder", allow("iam:GetUser"))
        self.aws.client("iam", key).get_user()
        self.iam.create_login_profile(UserName="elder", Password="Correct-horse-1")
        young = self.iam.list_access_keys(UserName="elder")["AccessKeyMetadata"][0]["CreateDate"]
        self.aws.post("/_local/iam/age", {"account": MEMBER, "userName": "elder", "days": 100})
        old = self.iam.list_access_keys(UserName="elder")["AccessKeyMetadata"][0]["CreateDate"]
        used = self.iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]["LastUsedDate"]
        password = self.iam.get_login_profile(UserName="elder")["LoginProfile"]["CreateDate"]
        self.assertEqual((young - old).days, 100)
        self.assertLess(used, young)
        self.assertLess(password, young)

    def test_a_service_specific_credential_expires(self):
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html"""
        self.user("brief")
        create = self.iam.create_service_specific_credential
        create(UserName="brief", ServiceName="bedrock.amazonaws.com", CredentialAgeDays=1)
        create(UserName="brief", ServiceName="codecommit.amazonaws.com")

        def statuses() -> dict[str, str]:
            listed = self.iam.list_service_specific_credentials(UserName="brief")["ServiceSpecificCredentials"]
            return {each["ServiceName"].partition(".")[0]: each["Status"] for each in listed}

        self.assertEqual(statuses(), {"bedrock": "Active", "codecommit": "Active"})
        self.aws.post("/_local/iam/age", {"account": MEMBER, "userName": "brief", "days": 1})
        self.assertEqual(statuses(), {"bedrock": "Expired", "codecommit": "Active"})

    def test_a_key_of_nobody_here_is_access_denied(self):
        foreign = user_with(self.aws, "foreign", account=SECURITY)["AccessKeyId"]
        for key_id in ("AKIAIOSFODNN7EXAMPLE", foreign):
            self.refused("AccessDenied", self.iam.get_access_key_last_used, AccessKeyId=key_id)

    def test_ssh_keys(self):
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadSSHPublicKey.html"""
        self.user("committer")
        upload = self.iam.upload_ssh_public_key
        keys = [upload(UserName="committer", SSHPublicKeyBody=f"ssh-rsa AAAA{n}")["SSHPublicKey"] for n in range(5)]
        self.refused("LimitExceeded", upload, UserName="committer", SSHPublicKeyBody="ssh-rsa AAAA5")
        self.refused("UnrecognizedPublicKeyEncoding", upload, UserName="committer", SSHPublicKeyBody="nonsense")
        self.assertEqual(self.pages("list_ssh_public_keys", "SSHPublicKeys", UserName="committer"), [2, 2, 1])
        changed = {"UserName": "committer", "SSHPublicKeyId": keys[0]["SSHPublicKeyId"], "Status": "Inactive"}
        self.iam.update_ssh_public_key(**changed)
        del changed["Status"]
        self.assertEqual(self.iam.get_ssh_public_key(Encoding="SSH", **changed)["SSHPublicKey"]["Status"], "Inactive")
        self.iam.delete_ssh_public_key(**changed)
        self.refused("NoSuchEntity", self.iam.get_ssh_public_key, Encoding="SSH", **changed)

    def test_signing_certificates(self):
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadSigningCertificate.html"""
        self.user("signer")
        upload = self.iam.upload_signing_certificate
        first = upload(UserName="signer", CertificateBody=CERTIFICATE.format(1))["Certificate"]
        upload(UserName="signer", CertificateBody=CERTIFICATE.format(2))
        self.refused("LimitExceeded", upload, UserName="signer", CertificateBody=CERTIFICATE.format(3))
        self.refused("MalformedCertificate", upload, UserName="signer", CertificateBody="nonsense")
        named = {"UserName": "signer", "CertificateId": first["CertificateId"]}
        self.iam.update_signing_certificate(Status="Inactive", **named)
        statuses = [each["Status"] for each in self.iam.list_signing_certificates(UserName="signer")["Certificates"]]
        self.assertEqual(statuses, ["Inactive", "Active"])
        self.iam.delete_signing_certificate(**named)

    def test_service_specific_credentials(self):
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceSpecificCredential.html"""
        self.user("specific")
        create = self.iam.create_service_specific_credential
        made = [
            create(UserName="specific", ServiceName=service)["ServiceSpecificCredential"]
            for service in ("codecommit.amazonaws.com", "codecommit.amazonaws.com", "cassandra.amazonaws.com")
        ]
        self.refused("LimitExceeded", create, UserName="specific", ServiceName="codecommit.amazonaws.com")
        self.refused("NotSupportedService", create, UserName="specific", ServiceName="nonsense.amazonaws.com")
        named = {"UserName": "specific", "ServiceSpecificCredentialId": made[0]["ServiceSpecificCredentialId"]}
        self.iam.update_service_specific_credential(Status="Inactive", **named)
        listed = self.iam.list_service_specific_credentials(UserName="specific")["ServiceSpecificCredentials"]
        self.assertEqual([each["Status"] for each in listed], ["Inactive", "Active", "Active"])
        self.assertNotIn("ServicePassword", listed[0])
        self.iam.delete_service_specific_credential(**named)

    def test_a_password_and_a_device(self):
        """https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetLoginProfile.html"""
        self.user("console")
        self.refused("NoSuchEntity", self.iam.get_login_profile, UserName="console")
        self.iam.create_login_profile(UserName="console", Password="Long-enough-1")
        self.assertEqual(self.iam.get_login_profile(UserName="console")["LoginProfile"]["UserName"], "console")
        serial = self.iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]["SerialNumber"]
        codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
        self.iam.enable_mfa_device(UserName="console", SerialNumber=serial, **codes)
        self.assertEqual(self.iam.list_mfa_devices(UserName="console")["MFADevices"][0]["SerialNumber"], serial)
        self.iam.delete_login_profile(UserName="console")
        self.refused("NoSuchEntity", self.iam.delete_login_profile, UserName="console")
