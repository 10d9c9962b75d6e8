use serde::{Deserialize, Serialize};

use crate::AccountId;

/// A principal as a finding names it: a claim, until it is identified in its account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accused {
    /// What the finding calls it, an ARN or an access key. Tells the principals of one
    /// finding apart.
    pub resource: String,
    /// The member account; equals the finding's `AwsAccountId`.
    pub account: AccountId,
    /// A user or a role.
    pub kind: Kind,
    /// The name that the finding gives, where it gives one.
    pub name: Option<String>,
    /// The long-term access key that the finding is about, whose true owner is meant.
    pub access_key: Option<String>,
    /// Set where the principal is not to be contained, but only its access keys that
    /// were not used for so many days are to be made inactive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unused_days: Option<u16>,
}

/// What kind of principal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// An IAM user.
    User,
    /// An IAM role.
    Role,
}

impl Kind {
    /// What people call one.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
        }
    }
}

/// A principal as its account knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// Its true ARN, with its path.
    pub arn: String,
    /// The member account.
    pub account: AccountId,
    /// A user or a role.
    pub kind: Kind,
    /// Its name, as IAM spells it.
    pub name: String,
    /// Its path, with slashes at both ends.
    pub path: String,
    /// Its unique id (`AIDA…`, `AROA…`), which a namesake made later does not share.
    pub id: String,
    /// The permissions boundary that it had when the incident first reached it.
    pub boundary: Option<String>,
    /// The deny that stood already when the incident first reached it.
    pub denied_before: Option<DenyBy>,
}

impl Principal {
    /// ARN patterns for the `Resource` of a policy that mean this principal and no
    /// other, whatever its path holds.
    ///
    /// A path may contain `*`, `?` and `$`, and escaped (`${*}`) the longest one
    /// would not fit a session policy. Names have no such characters and are unique
    /// in the account whatever the path, so `user/name` and `user/*/name` are exact
    /// together, and stay so when the principal is moved to another path meanwhile.
    ///
    /// Sources: IAM User Guide, "IAM identifiers" and "IAM and AWS STS quotas".
    #[must_use]
    pub fn resources(&self, partition: &str) -> Vec<String> {
        let kind = format!("arn:{partition}:iam::{}:{}", self.account, self.kind.noun());
        vec![format!("{kind}/{}", self.name), format!("{kind}/*/{}", self.name)]
    }
}

/// Where the deny stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DenyBy {
    /// `AWSDenyAll` is attached.
    Policy,
    /// `AWSDenyAll` is the permissions boundary, because no more policies fit.
    Boundary,
}

/// What Quarantine did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Denial {
    /// Where the deny stands.
    pub by: DenyBy,
    /// Whether it stood there before the incident; then it is not ours to remove.
    pub already: bool,
}

/// What a snapshot holds of what later steps take away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// ARNs of attached managed policies.
    pub managed_policies: Vec<String>,
    /// Inline policies.
    pub inline_policies: Vec<InlinePolicy>,
    /// Names of groups.
    pub groups: Vec<String>,
}

/// How much a principal had that a containment takes away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Active credentials.
    pub credentials: usize,
    /// Attached managed policies, but for those that stay.
    pub policies: usize,
    /// Inline policies.
    pub inline_policies: usize,
    /// Groups.
    pub groups: usize,
}

/// An inline policy, by name and document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InlinePolicy {
    /// The policy's name.
    pub name: String,
    /// SHA-256 of the document as IAM returns it, in hexadecimal digits.
    pub sha256: String,
}

/// The AWS managed policy that denies everything.
///
/// Source: AWS Managed Policy Reference, `AWSDenyAll`.
#[must_use]
pub fn deny_policy(partition: &str) -> String {
    format!("arn:{partition}:iam::aws:policy/AWSDenyAll")
}

/// Whether a policy stays attached: our deny, and the policies by which AWS itself
/// restricts users whose keys leaked ("do not remove").
///
/// Source: AWS Managed Policy Reference, `AWSCompromisedKeyQuarantineV2`, `…V3`.
#[must_use]
pub fn is_kept(partition: &str, policy: &str) -> bool {
    policy == deny_policy(partition)
        || policy
            .starts_with(&format!("arn:{partition}:iam::aws:policy/AWSCompromisedKeyQuarantine"))
}

/// Why no machine is to contain this principal, where that is so: AWS or the
/// organisation can't be operated without it, or it is Cordon's own.
///
/// Sources: IAM User Guide, "Service-linked roles"; IAM Identity Center User Guide,
/// "IAM roles created by IAM Identity Center"; AWS Control Tower User Guide, "Roles and
/// accounts"; AWS Organizations User Guide, "Accessing member accounts"; CloudFormation
/// User Guide, "Grant self-managed permissions" and StackSets' service-managed roles.
#[must_use]
pub fn protected(kind: Kind, path: &str, name: &str) -> Option<&'static str> {
    let (path, name) = (path.to_ascii_lowercase(), name.to_ascii_lowercase());
    if path.starts_with("/cordon/") {
        return Some("it is Cordon's own");
    }
    if kind == Kind::User {
        return None;
    }
    if path.starts_with("/aws-service-role/") {
        return Some("it is linked to an AWS service, which alone can change it");
    }
    if path.starts_with("/aws-reserved/") || name.starts_with("awsreservedsso_") {
        return Some(
            "IAM Identity Center manages it: take the permission set's assignment away there",
        );
    }
    match name.as_str() {
        "awscontroltowerexecution" => Some("AWS Control Tower governs the account through it"),
        "organizationaccountaccessrole" => {
            Some("the organisation's management account enters through it")
        }
        name if name.starts_with("stacksets-exec-")
            || name == "awscloudformationstacksetexecutionrole" =>
        {
            Some("CloudFormation StackSets deploy through it")
        }
        _ => None,
    }
}

/// Whether `text` matches `pattern`, in which `*` is any run of characters and `?`
/// any one; letters match regardless of case.
#[must_use]
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_resources_mean_one_user_wherever_it_is_moved() {
        let user = Principal {
            arn: String::new(),
            account: AccountId::try_from("222222222222".to_owned()).unwrap(),
            kind: Kind::User,
            name: "eve".into(),
            path: format!("/{}/", "*${?}\"\\".repeat(72)),
            id: "AIDA".into(),
            boundary: None,
            denied_before: None,
        };
        assert_eq!(
            user.resources("aws"),
            ["arn:aws:iam::222222222222:user/eve", "arn:aws:iam::222222222222:user/*/eve"]
        );
    }

    #[test]
    fn the_deny_and_the_quarantine_of_aws_are_kept() {
        assert!(is_kept("aws", "arn:aws:iam::aws:policy/AWSDenyAll"));
        assert!(is_kept("aws", "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"));
        assert!(!is_kept("aws", "arn:aws:iam::222222222222:policy/AWSDenyAll"));
        assert!(!is_kept("aws", "arn:aws:iam::aws:policy/AdministratorAccess"));
    }

    #[test]
    fn what_aws_and_the_organisation_live_by_is_protected() {
        for (kind, path, name, is) in [
            (Kind::User, "/", "OrganizationAccountAccessRole", false),
            (Kind::User, "/Cordon/x/", "eve", true),
            (Kind::Role, "/", "app", false),
            (Kind::Role, "/", "OrganizationAccountAccessRole", true),
            (Kind::Role, "/", "AWSControlTowerExecution", true),
            (Kind::Role, "/", "stacksets-exec-0a1b", true),
            (
                Kind::Role,
                "/aws-service-role/autoscaling.amazonaws.com/",
                "AWSServiceRoleForAutoScaling",
                true,
            ),
            (Kind::Role, "/aws-reserved/sso.amazonaws.com/", "AWSReservedSSO_Admin_1", true),
            (Kind::Role, "/cordon/", "SecurityRemediation-Verify", true),
            (Kind::Role, "/", "awsreservedsso_Admin_1", true),
            (Kind::Role, "/", "AWSCloudFormationStackSetExecutionRole", true),
            // Names and paths that only look like theirs.
            (Kind::User, "/", "AWSReservedSSO_Admin_1", false),
            (Kind::User, "/aws-service-role/x/", "eve", false),
            (Kind::Role, "/", "AWSServiceRoleForNobody", false),
            (Kind::Role, "/app/aws-service-role/", "eve", false),
            (Kind::Role, "/", "my-stacksets-exec-0a1b", false),
            (Kind::Role, "/", "OrganizationAccountAccessRole2", false),
            (Kind::User, "/cordonbleu/", "eve", false),
        ] {
            assert_eq!(protected(kind, path, name).is_some(), is, "{path}{name}");
        }
    }

    #[test]
    fn patterns_match_regardless_of_case() {
        for (pattern, text, matches) in [
            ("*", "", true),
            (
                "arn:aws:iam::*:user/break-glass*",
                "arn:aws:iam::222222222222:user/Break-Glass-1",
                true,
            ),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3", false),
            ("*ab", "aab", true),
            ("**", "", true),
            ("?", "", false),
            ("?", "😀", true),
            ("", "", true),
            ("", "x", false),
            // Nothing but `*` and `?` is special.
            ("a.c", "abc", false),
            ("[ab]", "a", false),
            ("a\\*", "a\\b", true),
            // The whole text has to match.
            ("user/eve", "user/eve2", false),
            ("user/eve", "arn:aws:iam::222222222222:user/eve", false),
        ] {
            assert_eq!(matches_pattern(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_exponential_time() {
        assert!(!matches_pattern(&"*a".repeat(30), &format!("{}b", "a".repeat(10_000))));
    }
}
