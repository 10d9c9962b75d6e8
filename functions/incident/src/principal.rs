use serde::{Deserialize, Serialize};

use crate::{AccountId, Failure};

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
    /// The unique id (`AIDA…`, `AROA…`) that the finding gives, where it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    /// Set where the principal is not to be contained, but only its access keys that
    /// were not used for so many days are to be made inactive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unused_days: Option<u16>,
    /// Whether nobody said that it is so many days: then a key may be accused that is unused
    /// for a shorter time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub days_assumed: bool,
    /// Whether an answered finding did not name it when it was answered: no case is about it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newly: bool,
    /// Whether people were told of it, as left to them, by the answer that the finding bears,
    /// and it is no worse since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
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

    /// That a person has to find the one of a unique id, whatever its name. The report has
    /// the command for it.
    #[must_use]
    pub fn search(self, id: &str) -> String {
        format!("find the {} of the id `{id}`", self.noun())
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
    /// The permissions boundary that it had when the incident first reached it, or another
    /// than `AWSDenyAll` that a later pass found in its place.
    pub boundary: Option<String>,
    /// The deny that stood already when the incident first reached it.
    pub denied_before: Option<DenyBy>,
    /// The access keys of a user, by which it is found again under another name.
    #[serde(default)]
    pub access_keys: Vec<String>,
}

impl Principal {
    /// The failure that this principal is not to be found under its name, where somebody
    /// of another id is, if anybody.
    #[must_use]
    pub fn vanished(&self, other: Option<&str>) -> Failure {
        let Self { kind, name, id, .. } = self;
        let now = match other {
            Some(other) => {
                format!("the name is that of the id `{other}` now, which may be under the deny")
            }
            None => "nobody has the name now".to_owned(),
        };
        let (noun, search) = (kind.noun(), kind.search(id));
        Failure::PrincipalVanished(format!(
            "the {noun} `{name}` vanished after it was identified by the id `{id}`: {now}; {search}"
        ))
    }

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
    /// `AWSDenyAll` is the permissions boundary, and could not be attached too.
    Boundary,
}

impl DenyBy {
    /// As a failure's words begin that is about a principal on which a deny stands; a failure's
    /// error is the only way out of a step that fails.
    pub(crate) fn begins(denied: Option<Self>) -> &'static str {
        match denied {
            Some(Self::Policy) => "AWSDenyAll is attached to it, and ",
            Some(Self::Boundary) => "AWSDenyAll is its permissions boundary, and ",
            None => "",
        }
    }

    /// The deny that stands on whom such a failure is about.
    #[must_use]
    pub fn in_words(words: &str) -> Option<Self> {
        [Self::Policy, Self::Boundary]
            .into_iter()
            .find(|deny| words.starts_with(Self::begins(Some(*deny))))
    }
}

/// What Quarantine did. The deny that keeps the attacker out is one thing; that it is
/// the permissions boundary is another, on which hangs whether policies may be taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Denial {
    /// Where the deny stands; nowhere yet, where no more policies fit and a boundary of
    /// the customer's is to be preserved before it is replaced.
    pub by: Option<DenyBy>,
    /// Whether it stood there before the incident; then it is not ours to remove.
    pub already: bool,
    /// Whether `AWSDenyAll` is the permissions boundary.
    pub boundary: bool,
    /// Why IAM refuses `AWSDenyAll` as permissions boundary, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
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

/// Whether `text` matches `pattern`, in which `*` is any run of characters and `?`
/// any one; letters match regardless of case.
#[must_use]
pub fn matches_pattern(pattern: &str, text: &str) -> bool {
    matches_exactly(&pattern.to_lowercase(), &text.to_lowercase())
}

/// The same, but letters match their own case alone, as in a policy's `Resource`.
pub(crate) fn matches_exactly(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
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
    use crate::Failure;

    #[test]
    fn a_failure_says_which_deny_stands_whatever_it_is_about() {
        for denied in [None, Some(DenyBy::Policy), Some(DenyBy::Boundary)] {
            let arn = "AWSDenyAll is attached to it, and ".to_owned();
            let (pattern, note, reason) = (arn.clone(), arn.clone(), arn.clone());
            for failure in [
                Failure::PrincipalExempt { arn: arn.clone(), pattern, note, denied },
                Failure::PrincipalProtected { arn: arn.clone(), reason: reason.clone(), denied },
                Failure::PrincipalMayBeImpostor { arn: arn.clone(), reason, denied },
            ] {
                assert_eq!(DenyBy::in_words(&failure.chain()), denied, "{failure}");
            }
        }
    }

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
            access_keys: Vec::new(),
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
    fn what_is_not_refused_is_not_said() {
        let denial = Denial { by: None, already: false, boundary: false, refused: None };
        let text = serde_json::to_string(&denial).unwrap();
        assert_eq!(text, r#"{"by":null,"already":false,"boundary":false}"#);
        let refused = Denial { refused: Some("r".into()), ..denial };
        let text = serde_json::to_string(&refused).unwrap();
        assert_eq!(serde_json::from_str::<Denial>(&text).unwrap(), refused);
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
