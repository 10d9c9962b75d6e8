use serde::{Deserialize, Serialize};

use crate::{DenyBy, Held, Holdings, Proof};

/// When an incident reached a principal, and what stood on it at that moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// The principal's unique id.
    pub id: String,
    /// When the state was entered that read this (RFC 3339, by Step Functions' clock, as
    /// all times are that cases are told apart by).
    pub since: String,
    /// The deny that stood already.
    pub denied_before: Option<DenyBy>,
    /// Its permissions boundary.
    pub boundary: Option<String>,
}

impl Reach {
    /// The reach of an execution that has reached a principal before, `earlier`, and reads
    /// it again now: the earlier one for as long as a deny stands on that very principal, and
    /// in any case within one pass (`again`), in which nobody gives anything back. Where none
    /// stands in a later pass, the principal was given back or never taken: it is reached anew.
    /// Another boundary that the customer has set since is the customer's, too.
    #[must_use]
    pub fn after(self, earlier: Option<Self>, again: bool) -> Self {
        let deny = ":aws:policy/AWSDenyAll";
        match earlier {
            Some(earlier) if earlier.id == self.id && (again || self.denied_before.is_some()) => {
                Self {
                    boundary: self.boundary.filter(|now| !now.ends_with(deny)).or(earlier.boundary),
                    ..earlier
                }
            }
            _ => self,
        }
    }
}

/// An object in the evidence bucket. The execution's history, which has it too, is the
/// authority for what it was when it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// `s3://bucket/key`.
    pub uri: String,
    /// S3's id of this version of the object; none, where the bucket has no versions.
    pub version: Option<String>,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
}

/// Where the principal's evidence lies, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The number of the case, `0001` and on; none, where nobody is contained.
    pub case: Option<String>,
    /// The principal as the first incident of the case found it.
    pub original: Stored,
    /// The principal as this pass found it; the original, where this pass opened the case.
    pub snapshot: Stored,
    /// What the snapshot holds, and later steps may therefore take away.
    pub held: Held,
    /// What the execution has found, by the snapshots of all its passes, whole: what a contained
    /// principal has lost by it.
    pub had: Holdings,
    /// The same for people, cut.
    pub proof: Proof,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(id: &str, since: &str, denied_before: Option<DenyBy>) -> Reach {
        Reach { id: id.to_owned(), since: since.to_owned(), denied_before, boundary: None }
    }

    #[test]
    fn an_execution_keeps_its_reach_while_a_deny_stands_on_that_very_principal() {
        let first = reach("AIDA1", "first", None);
        let (denied, again) = (Some(DenyBy::Policy), "again");
        for (now, earlier, kept) in [
            (reach("AIDA1", again, denied), Some(first.clone()), true),
            // Given back in between, or never denied.
            (reach("AIDA1", again, None), Some(first.clone()), false),
            // A namesake, made anew.
            (reach("AIDA2", again, denied), Some(first.clone()), false),
            (reach("AIDA1", again, denied), None, false),
        ] {
            let expected = if kept { first.clone() } else { now.clone() };
            assert_eq!(now.after(earlier, false), expected);
        }
    }

    #[test]
    fn within_a_pass_it_is_kept_though_the_deny_is_gone_or_not_shown() {
        let first = reach("AIDA1", "first", None);
        let now = reach("AIDA1", "again", None);
        assert_eq!(now.clone().after(Some(first.clone()), true), first);
        let other = reach("AIDA2", "again", None);
        assert_eq!(other.clone().after(Some(first), true), other);
        assert_eq!(now.clone().after(None, true), now);
    }

    #[test]
    fn another_boundary_of_the_customers_is_kept_and_the_deny_is_none() {
        let deny = Some("arn:aws-us-gov:iam::aws:policy/AWSDenyAll");
        let (first, other) =
            (Some("arn:aws:iam::222222222222:policy/b"), Some("arn:aws:iam::aws:policy/c"));
        for (before, now, kept) in [
            (None, None, None),
            (None, deny, None),
            (None, other, other),
            (first, None, first),
            (first, deny, first),
            (first, other, other),
            (deny, deny, deny),
        ] {
            let of = |boundary: Option<&str>| Reach {
                boundary: boundary.map(str::to_owned),
                ..reach("AIDA1", "first", Some(DenyBy::Policy))
            };
            let expected = of(kept);
            let after = of(now).after(Some(of(before)), false);
            assert_eq!(after, expected, "{before:?}, then {now:?}");
        }
    }
}
