use incident::{Credential, CredentialKind, Holdings, Kind, deny_policy};
use serde_json::json;

use crate::facts::{Facts, Named};
use crate::shell::Command;

/// How many commands of one kind are told at most: beyond it a person lists and decides.
const MOST: usize = 6;

/// The commands of the AWS CLI about one principal.
///
/// Source: AWS CLI Command Reference, `iam`, `cloudtrail`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) facts: Facts<'a>,
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
}

impl<'a> About<'a> {
    pub(crate) fn of(facts: Facts<'a>, named: &'a Named) -> Self {
        Self { facts, kind: named.kind, name: &named.name }
    }

    fn iam(self, verb: &str, what: &str) -> Command {
        let noun = self.kind.noun();
        let operation = match what {
            "" => format!("iam {verb}-{noun}"),
            _ => format!("iam {verb}-{noun}-{what}"),
        };
        Command::aws(&operation, self.facts.region()).with(&format!("--{noun}-name"), self.name)
    }

    /// Who it is, and its permissions boundary.
    pub(crate) fn get(self) -> Command {
        self.iam("get", "")
    }

    /// What is attached to it.
    pub(crate) fn list_attached(self) -> Command {
        let noun = self.kind.noun();
        let operation = format!("iam list-attached-{noun}-policies");
        Command::aws(&operation, self.facts.region()).with(&format!("--{noun}-name"), self.name)
    }

    /// Puts it under the deny, as Cordon would: attached, and as permissions boundary.
    pub(crate) fn deny(self) -> Vec<Command> {
        let deny = deny_policy(self.facts.execution().partition());
        vec![
            self.iam("attach", "policy").with("--policy-arn", &deny),
            self.iam("put", "permissions-boundary").with("--permissions-boundary", &deny),
        ]
    }

    /// The same where there is no `AWSDenyAll`.
    pub(crate) fn deny_inline(self) -> Command {
        let document = json!({
            "Statement": [{ "Action": "*", "Effect": "Deny", "Resource": "*" }],
            "Version": "2012-10-17",
        });
        self.iam("put", "policy")
            .with("--policy-name", "DenyAll")
            .with("--policy-document", &document.to_string())
    }

    /// Ends the role's sessions that began before now.
    ///
    /// Source: IAM User Guide, "Revoke IAM role temporary security credentials".
    pub(crate) fn revoke(self) -> Command {
        let before = json!({ "DateLessThan": { "aws:TokenIssueTime": self.facts.input.now } });
        let document = json!({
            "Statement": [{
                "Action": "*", "Condition": before, "Effect": "Deny", "Resource": "*",
            }],
            "Version": "2012-10-17",
        });
        self.iam("put", "policy")
            .with("--policy-name", "AWSRevokeOlderSessions")
            .with("--policy-document", &document.to_string())
    }

    /// Its access keys, where it is a user.
    pub(crate) fn list_keys(self) -> Option<Command> {
        let operation = "iam list-access-keys";
        (self.kind == Kind::User)
            .then(|| Command::aws(operation, self.facts.region()).with("--user-name", self.name))
    }

    pub(crate) fn delete_password(self) -> Command {
        Command::aws("iam delete-login-profile", self.facts.region()).with("--user-name", self.name)
    }

    /// Sets the status of a credential.
    pub(crate) fn set(self, credential: &Credential, status: &str) -> Command {
        let (operation, option) = match credential.kind {
            CredentialKind::AccessKey => ("iam update-access-key", "--access-key-id"),
            CredentialKind::SshPublicKey => ("iam update-ssh-public-key", "--ssh-public-key-id"),
            CredentialKind::SigningCertificate => {
                ("iam update-signing-certificate", "--certificate-id")
            }
            CredentialKind::ServiceSpecific => {
                ("iam update-service-specific-credential", "--service-specific-credential-id")
            }
        };
        Command::aws(operation, self.facts.region())
            .with("--user-name", self.name)
            .with(option, &credential.id)
            .with("--status", status)
    }

    /// Takes away what is left of it, by name: where no evidence holds it, only what can be
    /// given back as it was.
    pub(crate) fn take(self, left: &Holdings, is_preserved: bool) -> Vec<Command> {
        let kept = Holdings { credentials: left.credentials.clone(), ..Holdings::default() };
        let left = if is_preserved { left } else { &kept };
        let credentials = left.credentials.first.iter().map(|one| self.set(one, "Inactive"));
        let policies = left.policies.first.iter();
        let policies = policies.map(|arn| self.iam("detach", "policy").with("--policy-arn", arn));
        let inline = left.inline_policies.first.iter();
        let inline = inline.map(|name| self.iam("delete", "policy").with("--policy-name", name));
        let groups = left.groups.first.iter().map(|group| {
            Command::aws("iam remove-user-from-group", self.facts.region())
                .with("--user-name", self.name)
                .with("--group-name", group)
        });
        let (credentials, policies) = (credentials.take(MOST), policies.take(MOST));
        credentials.chain(policies).chain(inline.take(MOST)).chain(groups.take(MOST)).collect()
    }
}

/// What CloudTrail recorded of the last 90 days, by one attribute, in one Region.
///
/// Source: CloudTrail API Reference, `LookupEvents`.
pub(crate) fn events(region: &str, attribute: &str, value: &str) -> Command {
    let by = json!([{ "AttributeKey": attribute, "AttributeValue": value }]);
    Command::aws("cloudtrail lookup-events", region).with("--lookup-attributes", &by.to_string())
}

/// The principals of a unique id, whatever their names.
///
/// Source: AWS CLI User Guide, "Filtering output" (`--query`).
pub(crate) fn search(region: &str, id: &str) -> Command {
    if id.starts_with("AROA") {
        let query = format!("Roles[?RoleId=='{id}']");
        return Command::aws("iam list-roles", region).with("--query", &query);
    }
    let query = format!("Users[?UserId=='{id}']");
    Command::aws("iam list-users", region).with("--query", &query)
}
