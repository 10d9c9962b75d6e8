use incident::{Credential, CredentialKind, Execution, Holdings, Kind, deny_policy};
use serde_json::{Value, json};

use crate::facts::{Facts, Named};
use crate::shell::Command;

/// How many commands of one kind are told at most: beyond it a person lists and decides.
const MOST: usize = 6;

/// The commands of the AWS CLI about one principal.
///
/// Source: AWS CLI Command Reference, `iam`, `cloudtrail`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) region: &'a str,
    pub(crate) partition: &'a str,
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
}

impl<'a> About<'a> {
    pub(crate) fn of(facts: Facts<'a>, named: &'a Named) -> Self {
        Self::named(facts.execution(), named.kind, &named.name)
    }

    pub(crate) fn named(execution: &'a Execution, kind: Kind, name: &'a str) -> Self {
        Self { region: execution.region(), partition: execution.partition(), kind, name }
    }

    fn iam(self, verb: &str, what: &str) -> Command {
        let noun = self.kind.noun();
        let operation = match what {
            "" => format!("iam {verb}-{noun}"),
            _ => format!("iam {verb}-{noun}-{what}"),
        };
        Command::aws(&operation, self.region).with(&format!("--{noun}-name"), self.name)
    }

    /// Who it is, and its permissions boundary.
    pub(crate) fn get(self) -> Command {
        self.iam("get", "")
    }

    /// What is attached to it.
    pub(crate) fn list_attached(self) -> Command {
        let noun = self.kind.noun();
        let operation = format!("iam list-attached-{noun}-policies");
        Command::aws(&operation, self.region).with(&format!("--{noun}-name"), self.name)
    }

    /// Puts it under the deny, as Cordon would: attached, and as permissions boundary.
    pub(crate) fn deny(self) -> Vec<Command> {
        let deny = deny_policy(self.partition);
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

    /// Ends the role's sessions that began before `now`. The policy's name has the time in it: one of
    /// an earlier time is not to take the place of a later one.
    ///
    /// Source: IAM User Guide, "Revoke IAM role temporary security credentials".
    pub(crate) fn revoke(self, now: &str) -> Command {
        let before = json!({ "DateLessThan": { "aws:TokenIssueTime": now } });
        let document = json!({
            "Statement": [{
                "Action": "*", "Condition": before, "Effect": "Deny", "Resource": "*",
            }],
            "Version": "2012-10-17",
        });
        let digits: String = now.chars().filter(char::is_ascii_digit).take(14).collect();
        self.iam("put", "policy")
            .with("--policy-name", &format!("AWSRevokeOlderSessions-{digits}"))
            .with("--policy-document", &document.to_string())
    }

    /// Its access keys, where it is a user.
    pub(crate) fn list_keys(self) -> Option<Command> {
        let operation = "iam list-access-keys";
        (self.kind == Kind::User)
            .then(|| Command::aws(operation, self.region).with("--user-name", self.name))
    }

    /// Makes the first of a user's active access keys inactive, whatever its id.
    ///
    /// Source: AWS CLI User Guide, "Filtering output" (`--query`).
    pub(crate) fn deactivate_first_key(self) -> Option<Command> {
        let first = "AccessKeyMetadata[?Status=='Active'].AccessKeyId | [0]";
        let list = self.list_keys()?.with("--query", first).with("--output", "text");
        let set = Command::aws("iam update-access-key", self.region)
            .with("--user-name", self.name)
            .with("--status", "Inactive");
        Some(set.flag("--access-key-id").flag(&format!("\"$({})\"", list.line()?)))
    }

    /// Sets another console password, which its owner has to replace: what stands in its place
    /// is too short for IAM.
    ///
    /// Source: IAM API Reference, `UpdateLoginProfile`, `UpdateAccountPasswordPolicy`.
    pub(crate) fn set_password(self) -> Command {
        Command::aws("iam update-login-profile", self.region)
            .with("--user-name", self.name)
            .flag("--password-reset-required")
            .with("--password", "<new>")
    }

    pub(crate) fn delete_password(self) -> Command {
        Command::aws("iam delete-login-profile", self.region).with("--user-name", self.name)
    }

    /// Sets the status of a credential.
    pub(crate) fn set(self, credential: &Credential, status: &str) -> Command {
        self.credential("update", credential).with("--status", status)
    }

    /// Deletes a credential for good.
    pub(crate) fn delete(self, credential: &Credential) -> Command {
        self.credential("delete", credential)
    }

    fn credential(self, verb: &str, credential: &Credential) -> Command {
        let (noun, option) = match credential.kind {
            CredentialKind::AccessKey => ("access-key", "--access-key-id"),
            CredentialKind::SshPublicKey => ("ssh-public-key", "--ssh-public-key-id"),
            CredentialKind::SigningCertificate => ("signing-certificate", "--certificate-id"),
            CredentialKind::ServiceSpecific => {
                ("service-specific-credential", "--service-specific-credential-id")
            }
        };
        Command::aws(&format!("iam {verb}-{noun}"), self.region)
            .with("--user-name", self.name)
            .with(option, &credential.id)
    }

    /// Takes an MFA device from a user.
    pub(crate) fn deactivate_mfa(self, serial: &str) -> Command {
        Command::aws("iam deactivate-mfa-device", self.region)
            .with("--user-name", self.name)
            .with("--serial-number", serial)
    }

    /// Takes a role out of an instance profile, whose ARN ends with its name.
    pub(crate) fn leave_instance_profile(self, arn: &str) -> Command {
        let (_, profile) = arn.rsplit_once('/').unwrap_or(("", arn));
        Command::aws("iam remove-role-from-instance-profile", self.region)
            .with("--instance-profile-name", profile)
            .with("--role-name", self.name)
    }

    /// Puts a user into a group, or takes it out.
    pub(crate) fn group(self, name: &str, is_in: bool) -> Command {
        let operation = if is_in { "iam add-user-to-group" } else { "iam remove-user-from-group" };
        Command::aws(operation, self.region)
            .with("--user-name", self.name)
            .with("--group-name", name)
    }

    /// Attaches a managed policy, or detaches it.
    pub(crate) fn policy(self, arn: &str, is_attached: bool) -> Command {
        let verb = if is_attached { "attach" } else { "detach" };
        self.iam(verb, "policy").with("--policy-arn", arn)
    }

    /// Puts an inline policy there, byte for byte, or deletes it.
    pub(crate) fn inline(self, name: &str, document: Option<&str>) -> Command {
        let Some(document) = document else {
            return self.iam("delete", "policy").with("--policy-name", name);
        };
        let noun = self.kind.noun();
        let owner = format!("--{noun}-name");
        Command::exact(
            &format!("iam put-{noun}-policy"),
            self.region,
            &[(&owner, self.name), ("--policy-name", name), ("--policy-document", document)],
        )
    }

    /// Has a role trust whom the document says, byte for byte.
    pub(crate) fn trust(self, document: &str) -> Command {
        Command::exact(
            "iam update-assume-role-policy",
            self.region,
            &[("--role-name", self.name), ("--policy-document", document)],
        )
    }

    /// Sets the permissions boundary, or deletes it.
    pub(crate) fn boundary(self, arn: Option<&str>) -> Command {
        match arn {
            Some(arn) => {
                self.iam("put", "permissions-boundary").with("--permissions-boundary", arn)
            }
            None => self.iam("delete", "permissions-boundary"),
        }
    }

    /// Sets tags, by key and value.
    pub(crate) fn tag(self, tags: &[(&str, &str)]) -> Command {
        let tags: Vec<Value> =
            tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        let operation = format!("iam tag-{}", self.kind.noun());
        Command::aws(&operation, self.region)
            .with(&format!("--{}-name", self.kind.noun()), self.name)
            .with_json("--tags", &Value::from(tags))
    }

    /// Takes tags away.
    pub(crate) fn untag(self, keys: &[&str]) -> Command {
        let operation = format!("iam untag-{}", self.kind.noun());
        Command::aws(&operation, self.region)
            .with(&format!("--{}-name", self.kind.noun()), self.name)
            .with_json("--tag-keys", &Value::from(keys.to_vec()))
    }

    /// What shows all that a restore gives back.
    pub(crate) fn look(self) -> Vec<Command> {
        let noun = self.kind.noun();
        let list = |operation: &str| {
            Command::aws(operation, self.region).with(&format!("--{noun}-name"), self.name)
        };
        let of_a_user = || vec![list("iam list-groups-for-user"), list("iam list-access-keys")];
        let mut commands = match self.kind {
            Kind::User => of_a_user(),
            Kind::Role => Vec::new(),
        };
        let policies = list(&format!("iam list-{noun}-policies"));
        commands.extend([self.get(), self.list_attached(), policies]);
        commands
    }

    /// Takes away what is left of it, by name: where no evidence holds it, only what can be
    /// given back as it was. What the texts of inline policies say is printed first.
    pub(crate) fn take(self, left: &Holdings, is_preserved: bool) -> Vec<Command> {
        let kept = Holdings { credentials: left.credentials.clone(), ..Holdings::default() };
        let left = if is_preserved { left } else { &kept };
        let credentials = left.credentials.first.iter().map(|one| self.set(one, "Inactive"));
        let policies = left.policies.first.iter();
        let policies = policies.map(|arn| self.policy(arn, false));
        let inline = left.inline_policies.first.iter().take(MOST);
        let shown =
            inline.clone().map(|name| self.iam("get", "policy").with("--policy-name", name));
        let inline = inline.map(|name| self.inline(name, None));
        let groups = left.groups.first.iter().map(|group| self.group(group, false));
        let (credentials, policies) = (credentials.take(MOST), policies.take(MOST));
        let taken = credentials.chain(policies).chain(inline).chain(groups.take(MOST));
        shown.chain(taken).collect()
    }
}

/// How much of what is left [`About::take`] takes away where evidence holds it.
pub(crate) fn taken(left: &Holdings) -> usize {
    let Holdings { credentials, policies, inline_policies, groups } = left;
    let names = [policies, inline_policies, groups].map(|names| names.first.len().min(MOST));
    credentials.first.len().min(MOST) + names.iter().sum::<usize>()
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
