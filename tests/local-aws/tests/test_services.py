"""What the product needs of other services, with IAM enforced. The emulator does these; the tests keep it so."""

import json

from local_aws import MANAGEMENT, MEMBER, OTHER_MEMBER, SECURITY, LocalAwsTest, allow, until, user_with

TLS_ONLY = {
    "Sid": "TlsOnly",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::guarded", "arn:aws:s3:::guarded/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}

ONCE = {
    "Sid": "WrittenOnce",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:PutObject",
    "Resource": "arn:aws:s3:::insisting/*",
    "Condition": {"Null": {"s3:if-none-match": "true"}},
}


class Evidence(LocalAwsTest):
    def setUp(self) -> None:
        self.root = self.aws.root("s3", SECURITY)

    def writer(self, name: str, *policies: str):
        return self.aws.client("s3", user_with(self.aws, name, *policies, account=SECURITY))

    def test_an_object_is_written_once_when_asked_so(self):
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""
        self.root.create_bucket(Bucket="once")
        put = {"Bucket": "once", "Key": "evidence/original.json", "IfNoneMatch": "*"}
        self.root.put_object(**put, Body=b"first")
        error = self.refused("PreconditionFailed", self.root.put_object, **put, Body=b"second")
        self.assertEqual(error.response["ResponseMetadata"]["HTTPStatusCode"], 412)
        self.assertEqual(self.root.get_object(Bucket="once", Key=put["Key"])["Body"].read(), b"first")

    def test_a_bucket_can_insist_on_being_written_once(self):
        """Whatever another condition says; copies and uploads in parts lack the condition, and are refused.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
        """
        self.root.create_bucket(Bucket="insisting")
        self.root.put_bucket_policy(Bucket="insisting", Policy=json.dumps({"Version": "2012-10-17", "Statement": [ONCE]}))
        s3 = self.writer("insisting-writer", allow("s3:*", "*"))
        put = {"Bucket": "insisting", "Key": "evidence/original.json"}
        self.refused("AccessDenied", s3.put_object, **put, Body=b"first")
        etag = s3.put_object(**put, Body=b"first", IfNoneMatch="*")["ETag"]
        self.refused("PreconditionFailed", s3.put_object, **put, Body=b"second", IfNoneMatch="*")
        self.refused("AccessDenied", s3.put_object, **put, Body=b"second", IfMatch=etag)
        self.refused("AccessDenied", s3.copy_object, **put, CopySource="insisting/evidence/original.json")
        self.refused("AccessDenied", s3.create_multipart_upload, **put)
        self.assertEqual(s3.get_object(**put)["Body"].read(), b"first")

    def test_a_version_is_named_when_it_is_written_and_when_it_is_read(self):
        """https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html"""
        self.root.create_bucket(Bucket="versioned")
        self.root.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
        written = self.root.put_object(Bucket="versioned", Key="a", Body=b"1", IfNoneMatch="*")["VersionId"]
        self.assertEqual(self.root.get_object(Bucket="versioned", Key="a")["VersionId"], written)

    def test_keys_are_listed_below_a_prefix_alone(self):
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html"""
        self.root.create_bucket(Bucket="listed")
        for key in ("evidence/1/a", "evidence/2/a", "evidence/2/b", "other/a"):
            self.root.put_object(Bucket="listed", Key=key, Body=b"")
        below = {"StringLike": {"s3:prefix": ["evidence/*"]}}
        s3 = self.writer("lister", allow("s3:ListBucket", "arn:aws:s3:::listed", Condition=below))
        page = s3.list_objects_v2(Bucket="listed", Prefix="evidence/", MaxKeys=2)
        self.assertTrue(page["IsTruncated"])
        more = s3.list_objects_v2(
            Bucket="listed", Prefix="evidence/", MaxKeys=2, ContinuationToken=page["NextContinuationToken"]
        )
        keys = [each["Key"] for each in (*page["Contents"], *more["Contents"])]
        self.assertEqual(keys, ["evidence/1/a", "evidence/2/a", "evidence/2/b"])
        for elsewhere in ("other/", "", "evidence"):
            self.refused("AccessDenied", s3.list_objects_v2, Bucket="listed", Prefix=elsewhere)
        self.refused("AccessDenied", s3.list_objects_v2, Bucket="listed")

    def test_objects_are_authorised_by_key(self):
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/security_iam_service-with-iam.html"""
        self.root.create_bucket(Bucket="keyed")
        s3 = self.writer("keyed-writer", allow("s3:PutObject", "arn:aws:s3:::keyed/evidence/*"))
        s3.put_object(Bucket="keyed", Key="evidence/a.json", Body=b"{}")
        self.refused("AccessDenied", s3.put_object, Bucket="keyed", Key="elsewhere/a.json", Body=b"{}")
        self.refused("AccessDenied", s3.get_object, Bucket="keyed", Key="evidence/a.json")

    def test_versions_and_locks_keep_evidence(self):
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html"""
        self.root.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
        rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
        configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        self.root.put_object_lock_configuration(Bucket="locked", ObjectLockConfiguration=configuration)
        version = self.root.put_object(Bucket="locked", Key="a", Body=b"1", ContentMD5="xMpCOKC5I4INzFCab3WEmw==")[
            "VersionId"
        ]
        self.refused("AccessDenied", self.root.delete_object, Bucket="locked", Key="a", VersionId=version)

    def test_a_bucket_for_tls_alone_still_serves_the_local_machine(self):
        """A local connection counts as secure, as the only one there is.

        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-securetransport
        """
        self.root.create_bucket(Bucket="guarded")
        self.root.put_bucket_policy(
            Bucket="guarded", Policy=json.dumps({"Version": "2012-10-17", "Statement": [TLS_ONLY]})
        )
        s3 = self.writer("guarded-writer", allow("s3:*"))
        s3.put_object(Bucket="guarded", Key="a", Body=b"1")


class Messages(LocalAwsTest):
    def test_a_topic_reaches_a_queue_that_admits_it(self):
        """https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html"""
        sns, sqs = self.aws.root("sns", SECURITY), self.aws.root("sqs", SECURITY)
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        queue = f"arn:aws:sqs:us-east-1:{SECURITY}:mail"
        admit = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        rights = json.dumps({"Version": "2012-10-17", "Statement": [admit]})
        url = sqs.create_queue(QueueName="mail", Attributes={"Policy": rights})["QueueUrl"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        publisher = self.aws.client(
            "sns", user_with(self.aws, "publisher", allow("sns:Publish", topic), account=SECURITY)
        )
        publisher.publish(TopicArn=topic, Subject="subject", Message="text")
        message = until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), "the message")[0]
        self.assertEqual(json.loads(message["Body"])["Message"], "text")
        other = self.aws.client("sns", user_with(self.aws, "silent", account=SECURITY))
        self.refused("AuthorizationError", other.publish, TopicArn=topic, Message="text")

    def test_a_parameter_is_read_by_whoever_may(self):
        """https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-access.html"""
        self.aws.root("ssm", SECURITY).put_parameter(Name="/cordon/policy", Type="String", Value="{}")
        name = f"arn:aws:ssm:us-east-1:{SECURITY}:parameter/cordon/policy"
        may = self.aws.client("ssm", user_with(self.aws, "reader", allow("ssm:GetParameter", name), account=SECURITY))
        self.assertEqual(may.get_parameter(Name="/cordon/policy")["Parameter"]["Value"], "{}")
        may_not = self.aws.client("ssm", user_with(self.aws, "no-reader", allow("ssm:GetParameters"), account=SECURITY))
        self.refused("AccessDeniedException", may_not.get_parameter, Name="/cordon/policy")


class Organization(LocalAwsTest):
    def test_its_accounts_are_listed_in_pages_to_the_administrator(self):
        """https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html"""
        organizations = self.aws.root("organizations", SECURITY)
        first = organizations.list_accounts(MaxResults=3)
        second = organizations.list_accounts(NextToken=first["NextToken"])
        accounts = [(one["Id"], one["Status"]) for one in first["Accounts"] + second["Accounts"]]
        self.assertEqual(accounts, [(account, "ACTIVE") for account in (SECURITY, MEMBER, OTHER_MEMBER, MANAGEMENT)])
        self.assertNotIn("NextToken", second)
        self.refused("AccessDeniedException", self.aws.root("organizations", MEMBER).list_accounts)

    def test_every_account_knows_which_it_is_and_some_who_administers_what(self):
        """https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListDelegatedAdministrators.html"""
        for account in (SECURITY, MEMBER, MANAGEMENT):
            described = self.aws.root("organizations", account).describe_organization()["Organization"]
            self.assertEqual((described["Id"], described["MasterAccountId"]), ("o-cordonlocal", MANAGEMENT))

        def delegates(account: str, service: str) -> list[str]:
            listed = self.aws.root("organizations", account).list_delegated_administrators(ServicePrincipal=service)
            return [one["Id"] for one in listed["DelegatedAdministrators"]]

        for account in (SECURITY, MANAGEMENT):
            self.assertEqual(delegates(account, "securityhub.amazonaws.com"), [SECURITY])
            self.assertEqual(delegates(account, "member.org.stacksets.cloudformation.amazonaws.com"), [SECURITY])
            self.assertEqual(delegates(account, "guardduty.amazonaws.com"), [])
        asked = self.aws.root("organizations", MEMBER).list_delegated_administrators
        self.refused("AccessDeniedException", asked)


class Parameters(LocalAwsTest):
    """https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html"""

    def put(self, name: str, characters: int, **more):
        ssm = self.aws.root("ssm", SECURITY)
        return ssm.put_parameter(Name=name, Type="String", Value="x" * characters, Overwrite=True, **more)["Tier"]

    def test_a_standard_parameter_has_4_kib(self):
        self.assertEqual(self.put("/standard", 4_096), "Standard")
        self.refused("ValidationException", self.put, name="/standard", characters=4_097)

    def test_intelligent_tiering_takes_the_tier_that_fits_and_never_goes_back(self):
        tiering = {"Tier": "Intelligent-Tiering"}
        self.assertEqual(self.put("/tiered", 4_096, **tiering), "Standard")
        self.assertEqual(self.put("/tiered", 4_097, **tiering), "Advanced")
        self.assertEqual(self.put("/tiered", 1, **tiering), "Advanced")
        self.refused("ValidationException", self.put, name="/tiered", characters=8_193, **tiering)


class LogGroups(LocalAwsTest):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html"""

    TEMPLATE = json.dumps({
        "Resources": {
            "Logs": {
                "Type": "AWS::Logs::LogGroup",
                "DeletionPolicy": "RetainExceptOnCreate",
                "Properties": {"LogGroupName": "/kept", "RetentionInDays": 365},
            }
        }
    })  # fmt: skip

    def test_one_that_a_stack_has_left_keeps_another_from_being_made_but_can_be_taken_up(self):
        cloudformation = self.aws.root("cloudformation")

        def status(stack: str) -> str:
            stacks = cloudformation.describe_stacks()["Stacks"]
            return next((each["StackStatus"] for each in stacks if each["StackName"] == stack), "DELETE_COMPLETE")

        def becomes(stack: str, wanted: str) -> None:
            until(lambda: status(stack) == wanted, f"the stack {stack} becomes {wanted}")

        cloudformation.create_stack(StackName="former", TemplateBody=self.TEMPLATE)
        becomes("former", "CREATE_COMPLETE")
        logs = self.aws.root("logs")
        logs.create_log_stream(logGroupName="/kept", logStreamName="former")
        cloudformation.delete_stack(StackName="former")
        becomes("former", "DELETE_COMPLETE")
        cloudformation.create_stack(StackName="another", TemplateBody=self.TEMPLATE)
        becomes("another", "ROLLBACK_COMPLETE")
        change = {"StackName": "next", "ChangeSetName": "adopting"}
        cloudformation.create_change_set(
            **change, ChangeSetType="CREATE", ImportExistingResources=True, TemplateBody=self.TEMPLATE
        )
        described = until(
            lambda: (
                (found := cloudformation.describe_change_set(**change))["Status"] == "CREATE_COMPLETE" and found
            ),
            "the change set is there",
        )
        self.assertEqual([each["ResourceChange"]["Action"] for each in described["Changes"]], ["Import"])
        cloudformation.execute_change_set(**change)
        becomes("next", "CREATE_COMPLETE")
        [stream] = logs.describe_log_streams(logGroupName="/kept")["logStreams"]
        self.assertEqual(stream["logStreamName"], "former")
