use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{AccountId, Credential, Denial, DenyBy, Kind, Principal, Reach};

/// What became of a principal, by what is known of it: what steps did or failed with, and
/// what was read back. The state machine puts it together, one for each principal of a
/// finding; `classify` does for what no machine acts on. At most 5 KiB as JSON, however much
/// there is to tell, and at most 7.5 KiB where ids, paths and what the finding calls it are as
/// long as IAM lets them be, and of nothing but what JSON escapes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// What the finding calls it.
    pub resource: String,
    /// The member account.
    pub account: AccountId,
    /// How it ended.
    pub verdict: Verdict,
    /// Who it is, where it was identified, by this execution or an earlier pass of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<Identity>,
    /// By what it was identified in this pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identified_by: Option<String>,
    /// When the incident reached it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// What Quarantine did, by its own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<Denial>,
    /// Where the evidence lies, and what the principal had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Proof>,
    /// Where only observed: `s3://bucket/key` of the original that an earlier pass stored. What
    /// that pass did is not undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier_evidence: Option<String>,
    /// What Verify read; nothing, where it never answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_back: Option<ReadBack>,
    /// Whether it carries the tags; nothing, where Tag never answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tagged: Option<bool>,
    /// For how many days credentials are unused that were to be made inactive; nothing,
    /// where the principal was to be contained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unused_days: Option<u16>,
    /// Whether the machine failed as a whole while an earlier pass, or this one, dealt with it:
    /// what was done then, nobody has said.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// What failed, and why it is left to people, in the order in which it came.
    #[serde(default)]
    pub failures: Vec<Failed>,
    /// Whether an earlier execution has told people of it, of the same finding, and it is no
    /// worse since: nobody is told of it again but beside others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
    /// The number of redrives of the pass that came to this.
    pub pass: u32,
}

/// How it ended for a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Read back, and contained.
    Contained,
    /// Read back: no access key is active that is unused for so long.
    Retired,
    /// Nobody was touched, since the response policy says so.
    Observed,
    /// It is left to people, for good.
    Escalated,
    /// A step failed: it is left to people, and to a redrive.
    Pending,
}

/// A principal that was identified, as far as an outcome names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Its ARN. Of a very long path stands `...` in its place: the name alone is unique.
    pub arn: String,
    /// A user or a role.
    pub kind: Kind,
    /// Its name, as IAM spells it.
    pub name: String,
    /// Its unique id.
    pub id: String,
    /// The access keys of a user, by which it is found again under another name.
    #[serde(default)]
    pub access_keys: Vec<String>,
    /// The deny that stood before the incident.
    #[serde(default)]
    pub denied_before: Option<DenyBy>,
    /// The deny that stood when it was identified last, by whomever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied_by: Option<DenyBy>,
}

impl Identity {
    /// The identity of a principal on which such a deny stands now.
    #[must_use]
    pub fn of(principal: &Principal, denied_by: Option<DenyBy>) -> Self {
        let Principal { arn, path, kind, name, id, access_keys, denied_before, .. } = principal;
        let long = serde_json::to_string(path).map_or(true, |json| json.len() > LONGEST_PATH);
        let arn = if long { arn.replacen(path.as_str(), "/.../", 1) } else { arn.clone() };
        Self {
            arn,
            kind: *kind,
            name: name.clone(),
            id: id.clone(),
            access_keys: access_keys.clone(),
            denied_before: *denied_before,
            denied_by,
        }
    }
}

/// Where the evidence of a principal lies, as far as an outcome names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The number of the case; none, where nobody is contained.
    pub case: Option<String>,
    /// `s3://bucket/key` of the original.
    pub original: String,
    /// SHA-256 of the original, in hexadecimal digits.
    pub sha256: String,
    /// `s3://bucket/key` of this incident's snapshot; the original's, where it is that.
    pub snapshot: String,
    /// SHA-256 of the snapshot.
    pub snapshot_sha256: String,
    /// Whether the snapshot has nothing that a containment takes away.
    #[serde(default)]
    pub bare: bool,
    /// Whether the user has a console password, which a containment does not take away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub console_password: bool,
    /// What the execution has found, cut; nothing in an outcome that was read back, which tells
    /// what of it is done and what is left.
    #[serde(default)]
    pub had: Option<Holdings>,
    /// What had been done with it before the execution; nothing, where nothing is known of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
    /// ARN patterns of roles that the principal could assume, cut.
    pub assumable_roles: Names,
    /// What people have to know of the evidence.
    pub told: Vec<String>,
    /// Of an observation, whether another execution has people told of the principal on the
    /// same day.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told_today: bool,
}

/// What had been done with a principal before an execution reached it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Before {
    /// Another execution had opened the case.
    Joined {
        /// How much of what the original holds was gone already.
        gone: usize,
        /// Whether it had something again after it was read back, and found contained.
        regained: bool,
    },
    /// What the case before had taken was given back from its evidence.
    Restored,
}

/// What Verify read of a principal, cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadBack {
    /// Whether what was to be done is done.
    pub contained: bool,
    /// Where the deny stands.
    pub denied_by: Option<DenyBy>,
    /// The permissions boundary.
    pub boundary: Option<String>,
    /// What the principal had by the evidence and has no more.
    pub done: Holdings,
    /// What it has still that was to be taken away.
    pub left: Holdings,
    /// Whether the user has a console password that is as unused as its keys.
    pub unused_password: bool,
    /// Whether a key is active still that the finding accuses of being unused, though it is
    /// not unused for as many days as were measured.
    #[serde(default)]
    pub key_still_active: bool,
}

/// What a principal has that a containment takes away, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holdings {
    /// Active credentials.
    pub credentials: Names<Credential>,
    /// ARNs of attached managed policies, but for those that stay.
    pub policies: Names,
    /// Names of inline policies.
    pub inline_policies: Names,
    /// Names of groups.
    pub groups: Names,
}

/// So many bytes of JSON a path may have in an outcome.
const LONGEST_PATH: usize = 100;

/// How many bytes of JSON [`Holdings::cut`] leaves where a finding names so many principals:
/// an execution carries the outcomes of all of them at once.
#[must_use]
pub fn room(principals: usize) -> usize {
    (11_200 / principals.max(1)).clamp(LEAST_ROOM, 760)
}

/// So many bytes of JSON are enough for a name or two.
const LEAST_ROOM: usize = 350;

impl Holdings {
    /// What of this is not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self {
            credentials: self.credentials.without(&other.credentials),
            policies: self.policies.without(&other.policies),
            inline_policies: self.inline_policies.without(&other.inline_policies),
            groups: self.groups.without(&other.groups),
        }
    }

    /// The same in so many bytes ([`room`]), whatever names there are: credentials first,
    /// since people act on them first.
    #[must_use]
    pub fn cut(self, room: usize) -> Self {
        let mut room =
            room - "{}".len() - 4 * r#""inlinePolicies":{"first":[],"more":1234},"#.len();
        Self {
            credentials: self.credentials.cut(&mut room),
            groups: self.groups.cut(&mut room),
            policies: self.policies.cut(&mut room),
            inline_policies: self.inline_policies.cut(&mut room),
        }
    }

    /// How many bytes of `room` are left beside these names, and no fewer than for one or two.
    #[must_use]
    pub fn beside(&self, room: usize) -> usize {
        let size = |one: &Self| serde_json::to_string(one).map_or(0, |json| json.len());
        let names = size(self).saturating_sub(size(&Self::default()));
        room.saturating_sub(names).max(LEAST_ROOM)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let Self { credentials, policies, inline_policies, groups } = self;
        credentials.len() + policies.len() + inline_policies.len() + groups.len()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.credentials.is_empty()
            && self.policies.is_empty()
            && self.inline_policies.is_empty()
            && self.groups.is_empty()
    }
}

/// A list of names, of which the first are given and the others counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names<T = String> {
    /// The first of them.
    pub first: Vec<T>,
    /// How many more there are.
    #[serde(default)]
    pub more: usize,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { first: Vec::new(), more: 0 }
    }
}

impl<T: Ord> FromIterator<T> for Names<T> {
    /// All of them, each once, in order.
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        let names: BTreeSet<T> = names.into_iter().collect();
        Self { first: names.into_iter().collect(), more: 0 }
    }
}

impl<T: PartialEq + Clone> Names<T> {
    fn without(&self, other: &Self) -> Self {
        let left = self.first.iter().filter(|name| !other.first.contains(name));
        Self { first: left.cloned().collect(), more: 0 }
    }
}

impl<T> Names<T> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.first.len() + self.more
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.more == 0
    }
}

impl<T: Serialize> Names<T> {
    /// As many of the first as there is `room` for, in bytes of JSON; the others are counted.
    #[must_use]
    pub fn cut(self, room: &mut usize) -> Self {
        let all = self.len();
        let fits = |name: &T| {
            let size = serde_json::to_string(name).map_or(usize::MAX, |json| json.len() + 1);
            let left = room.checked_sub(size);
            *room = left.unwrap_or(*room);
            left.is_some()
        };
        let first: Vec<T> = self.first.into_iter().take_while(fits).collect();
        Self { more: all - first.len(), first }
    }
}

/// A step that failed, as its Catch keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The state.
    pub state: String,
    /// The error's name.
    pub error: String,
    /// The first of its cause, as Step Functions has it: of a function a JSON text, which
    /// may be cut.
    pub cause: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CredentialKind;

    fn holdings(names: &[&str]) -> Holdings {
        let names = || names.iter().map(|name| (*name).to_owned());
        Holdings {
            credentials: names()
                .map(|id| Credential { kind: CredentialKind::AccessKey, id })
                .collect(),
            policies: names().collect(),
            inline_policies: names().collect(),
            groups: names().collect(),
        }
    }

    #[test]
    fn what_was_done_is_what_was_had_and_is_no_more() {
        let done = holdings(&["a", "b", "c"]).without(&holdings(&["b", "d"]));
        assert_eq!(done, holdings(&["a", "c"]));
        assert!(holdings(&["a"]).without(&holdings(&["a"])).is_empty());
    }

    #[test]
    fn a_path_that_is_too_long_is_left_out_of_the_arn() {
        let of = |path: &str| {
            let principal = Principal {
                arn: format!("arn:aws:iam::222222222222:user{path}eve"),
                account: AccountId::try_from("222222222222".to_owned()).unwrap(),
                kind: Kind::User,
                name: "eve".into(),
                path: path.to_owned(),
                id: "AIDA".into(),
                boundary: None,
                denied_before: None,
                access_keys: Vec::new(),
            };
            Identity::of(&principal, None).arn
        };
        assert_eq!(of("/"), "arn:aws:iam::222222222222:user/eve");
        assert_eq!(of("/team/a/"), "arn:aws:iam::222222222222:user/team/a/eve");
        let long = format!("/{}/", "\"".repeat(60));
        assert_eq!(of(&long), "arn:aws:iam::222222222222:user/.../eve");
    }

    #[test]
    fn holdings_are_cut_to_the_first_and_a_count_whatever_the_names() {
        let long = "\"".repeat(512);
        for names in [vec![], vec!["a"; 1], vec![long.as_str()], vec!["name"; 1]] {
            let names: Vec<String> = (0..300)
                .flat_map(|n| names.iter().map(move |name| format!("{n:03}{name}")))
                .collect();
            let all: Vec<&str> = names.iter().map(String::as_str).collect();
            for principals in [0, 1, 5, 32, 100] {
                let cut = holdings(&all).cut(room(principals));
                let json = serde_json::to_string(&cut).unwrap();
                assert!(json.len() <= room(principals), "{} bytes: {json}", json.len());
                assert_eq!(cut.groups.first.len() + cut.groups.more, names.len());
                assert_eq!(cut.is_empty(), names.is_empty());
            }
        }
        let few = holdings(&["a", "b"]);
        assert_eq!(few.clone().cut(room(32)), few);
        assert_eq!(Holdings::default().beside(800), 800);
        assert!((500..800).contains(&few.beside(800)), "{}", few.beside(800));
        assert_eq!(few.beside(10), LEAST_ROOM);
    }
}
