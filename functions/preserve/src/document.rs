//! What is stored: `cordon/evidence/2` and `cordon/left/2`, as `evidence.schema.json` has
//! them, which has `cordon/told/1`, too.

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use incident::{
    Denial, DenyBy, Execution, Failure, Holdings, Principal, Reach, deny_policy, tag_value,
};
use member::credential::Credential;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::snapshot::{Snapshot, holdings};
use bucket::{Object, unreadable};

const EVIDENCE: &str = "cordon/evidence/2";
const LEFT: &str = "cordon/left/2";
const RESTORED: &str = "cordon/restored/1";

/// The tags that a containment leaves on its principal.
const OUR_TAGS: [&str; 6] = [
    "CordonEvidence",
    "CordonEvidenceSha256",
    "CordonExecution",
    "FindingId",
    "RemediationDate",
    "SecurityIncident",
];

/// A principal as one pass of an execution found it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document<'a> {
    schema: &'static str,
    incident: Incident,
    case: Option<String>,
    finding: &'a Value,
    principal: &'a Snapshot,
    /// What of `principal` its case has added. All else was there before.
    added: Added,
    boundary_before: Option<String>,
    denied_before: Option<DenyBy>,
    quarantine: Option<&'a Denial>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<&'a Observed>,
}

/// Why a principal was observed, and what would be done with it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Observed {
    /// The rules by which the finding counts; none, where a person chose it.
    rules: Vec<String>,
    /// For how many days keys are unused that would be made inactive; nothing, where the
    /// principal would be contained.
    pub(crate) unused_days: Option<u16>,
    /// What a containment would take away, whole; of a retirement the active keys, of which it
    /// takes the unused ones.
    would_take: Holdings,
}

impl Observed {
    pub(crate) fn new(
        rules: Vec<String>,
        unused_days: Option<u16>,
        principal: &Snapshot,
        partition: &str,
    ) -> Self {
        let has = holdings([principal], partition);
        let would_take = match unused_days {
            Some(_) => Holdings { credentials: has.credentials, ..Holdings::default() },
            None => has,
        };
        Self { rules, unused_days, would_take }
    }
}

/// Of which pass of which execution a document is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Incident {
    pub(crate) execution: Execution,
    pub(crate) pass: u32,
    /// When the execution started.
    pub(crate) started: String,
    /// When the state was entered that stored the document.
    pub(crate) entered: String,
    /// What this incident met.
    pub(crate) reach: Reach,
}

impl Incident {
    /// What its objects are called.
    pub(crate) fn name(&self) -> String {
        let name = self.execution.name();
        match self.pass {
            0 => name.to_owned(),
            pass => format!("{name}-{pass}"),
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Added {
    /// ARNs of attached policies: the deny.
    policies: Vec<String>,
    /// Whether the permissions boundary is the deny.
    boundary: bool,
    /// Keys of tags.
    tags: Vec<String>,
}

/// A stored [`Document`], as far as others build on it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Read {
    schema: String,
    pub(crate) incident: Incident,
    pub(crate) principal: Snapshot,
    boundary_before: Option<String>,
    denied_before: Option<DenyBy>,
    quarantine: Value,
}

impl Read {
    /// The document in an object; [`Failure::EvidenceUnreadable`] where it is none of this
    /// principal.
    pub(crate) fn of(object: &Object, principal: &Principal) -> Result<Self, Failure> {
        let document: Self = object.document()?;
        let (schema, id) = (document.schema.as_str(), &document.principal.id);
        if schema != EVIDENCE || *id != principal.id {
            let why = format!("it is `{schema}` of `{id}`");
            return Err(unreadable(&object.stored.uri, why));
        }
        Ok(document)
    }

    /// Whether this very pass of the execution has stored it.
    pub(crate) fn is_of(&self, incident: &Incident) -> bool {
        self.incident.execution == incident.execution && self.incident.pass == incident.pass
    }

    /// Whether Quarantine had put the principal under the deny. It may also have found no room
    /// for one beside a boundary of the customer's, which was to be preserved first.
    pub(crate) fn denied(&self) -> bool {
        has_denied(&self.quarantine)
    }
}

fn has_denied(quarantine: &Value) -> bool {
    quarantine.get("by").is_some_and(|by| !by.is_null())
}

/// The case that a document belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// It opens the case of this number.
    Opens(&'a str),
    /// It joins the case of this number, with this original at this URI.
    Joins(&'a str, &'a Read, &'a str),
    /// None, since nobody is contained.
    NoCase,
}

impl<'a> Document<'a> {
    /// The document. What stood on the principal before its case is what the incident says
    /// that reached it first: of two incidents at once the later one meets the deny of the
    /// earlier, and must not take it for the customer's.
    pub(crate) fn new(
        incident: Incident,
        place: Place<'_>,
        finding: &'a Value,
        principal: &'a Snapshot,
        quarantine: Option<&'a Denial>,
    ) -> Result<Self, Failure> {
        let reach = &incident.reach;
        let (boundary_before, denied_before) = match place {
            Place::Joins(_, original, _)
                if time(&original.incident.reach.since)? <= time(&reach.since)? =>
            {
                (original.boundary_before.clone(), original.denied_before)
            }
            _ => (reach.boundary.clone(), reach.denied_before),
        };
        let deny = deny_policy(incident.execution.partition());
        let added = match place {
            Place::NoCase => Added::default(),
            _ => Added {
                policies: match denied_before {
                    Some(DenyBy::Policy) => Vec::new(),
                    _ => principal
                        .attached_policies
                        .iter()
                        .filter(|one| **one == deny)
                        .cloned()
                        .collect(),
                },
                boundary: principal.boundary.as_ref() == Some(&deny)
                    && boundary_before.as_ref() != Some(&deny),
                tags: match place {
                    Place::Joins(_, _, uri) => tags_of(principal, uri),
                    _ => Vec::new(),
                },
            },
        };
        let case = match place {
            Place::Opens(case) | Place::Joins(case, ..) => Some(case.to_owned()),
            Place::NoCase => None,
        };
        Ok(Self {
            schema: EVIDENCE,
            incident,
            case,
            finding,
            principal,
            added,
            boundary_before,
            denied_before,
            quarantine,
            observed: None,
        })
    }

    /// The same, of a principal that was only observed.
    pub(crate) fn observed(self, observed: Option<&'a Observed>) -> Self {
        Self { observed, ..self }
    }
}

/// Our tags, if they are those of the case with this original: others are left over from an
/// earlier case, or made to look like ours.
fn tags_of(principal: &Snapshot, original: &str) -> Vec<String> {
    let value = tag_value(original);
    if principal.tags.get("CordonEvidence") != Some(&value) {
        return Vec::new();
    }
    let present = OUR_TAGS.into_iter().filter(|key| principal.tags.contains_key(*key));
    present.map(str::to_owned).collect()
}

/// What Verify read when it was content.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verified {
    /// When Verify was entered.
    at: String,
    denied_by: Option<DenyBy>,
    boundary: Option<String>,
    kept_policies: Vec<String>,
    credentials: Vec<Credential>,
}

/// How a case was left.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeftBehind<'a> {
    schema: &'static str,
    case: &'a str,
    execution: &'a Execution,
    pass: u32,
    arn: &'a str,
    id: &'a str,
    #[serde(flatten)]
    verified: &'a Verified,
}

impl<'a> LeftBehind<'a> {
    pub(crate) fn new(
        case: &'a str,
        execution: &'a Execution,
        pass: u32,
        principal: &'a Principal,
        verified: &'a Verified,
    ) -> Self {
        let (arn, id) = (&principal.arn, &principal.id);
        Self { schema: LEFT, case, execution, pass, arn, id, verified }
    }
}

/// When a case was left, by its `left.json`; [`Failure::EvidenceUnreadable`] where that is
/// another's.
pub(crate) fn left_at(object: &Object, id: &str, case: u16) -> Result<DateTime, Failure> {
    #[derive(Deserialize)]
    struct Time {
        at: String,
    }
    let Time { at } = of_the_case(object, LEFT, id, case)?;
    time(&at).map_err(|failure| unreadable(&object.stored.uri, failure))
}

/// Fails with [`Failure::EvidenceUnreadable`] where this is no record of the case's restore.
pub(crate) fn is_restored(object: &Object, id: &str, case: u16) -> Result<(), Failure> {
    of_the_case::<serde::de::IgnoredAny>(object, RESTORED, id, case).map(drop)
}

fn of_the_case<T: DeserializeOwned>(
    object: &Object,
    wanted: &str,
    id: &str,
    case: u16,
) -> Result<T, Failure> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
        id: String,
        case: Option<String>,
    }
    let head: Head = object.document()?;
    let said = head.case.as_deref().unwrap_or_default();
    if head.schema != wanted || head.id != id || said != format!("{case:04}") {
        let why = format!("it is `{}` of `{}`, case `{said}`", head.schema, head.id);
        return Err(unreadable(&object.stored.uri, why));
    }
    object.document()
}

/// A time of Step Functions'.
pub(crate) fn time(text: &str) -> Result<DateTime, Failure> {
    DateTime::from_str(text, DateTimeFormat::DateTime)
        .map_err(|error| Failure::InvalidInput(format!("`{text}` is no time: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quarantine_has_denied_where_a_deny_stands_and_not_where_there_was_no_room_for_one() {
        for (quarantine, denied) in [
            (json!({ "by": "policy", "already": false, "boundary": false }), true),
            (json!({ "by": "boundary", "already": false, "boundary": true }), true),
            (json!({ "by": null, "already": false, "boundary": false }), false),
            (json!({}), false),
            (json!(null), false),
        ] {
            assert_eq!(has_denied(&quarantine), denied, "{quarantine}");
        }
    }
}
