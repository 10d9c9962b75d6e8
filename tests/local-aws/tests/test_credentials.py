"""Which secrets the local AWS knows of."""

from local_aws import LocalAwsTest, allow, user_with


class Secrets(LocalAwsTest):
    def test_those_of_keys_and_of_sessions_are_listed(self):
        key = user_with(self.aws, "owner", allow("*"))
        session = self.aws.client("sts", key).get_session_token()["Credentials"]
        listed = self.aws.get("/_local/secrets")["secrets"]
        for secret in (key["SecretAccessKey"], session["SecretAccessKey"], session["SessionToken"]):
            self.assertIn(secret, listed)
