//! Whether a finding that Cordon has answered says more than it did then. The finding bears
//! our mark: the user-defined fields that the answer has set.

use std::collections::{BTreeMap, BTreeSet};

use incident::{Execution, Severity, hex_digest, matches_pattern};
use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::finding::{Finding, MOST_RESOURCES};
use crate::subject::Subject;

/// The fields that are a mark. `CordonEvidence2` and so on are further principals'.
const EXECUTION: &str = "CordonExecution";
const SEEN: &str = "CordonSeen";
const NAMED: &str = "CordonNamed";
const LEFT: &str = "CordonLeft";
const SEVERITY: &str = "CordonSeverity";
const EVIDENCE: &str = "CordonEvidence";

/// Characters of an evidence address at most.
const MOST_OF_AN_ADDRESS: usize = 300;

/// So many hexadecimal digits tell one state of a finding from others.
const DIGITS: usize = 16;

/// So many tell one of whom a finding names from others.
const DIGITS_OF_ONE: usize = 6;

/// Where `GuardDuty` says when it last saw what the finding is about.
///
/// Source: GuardDuty API Reference, `Service` (`eventLastSeen`).
const LAST_SEEN: &str = "aws/guardduty/service/eventLastSeen";

/// What of a finding's product fields `GuardDuty` has set, and Security Hub has not.
const OF_GUARDDUTY: &str = "aws/guardduty/";

/// An answered finding that says more by now. Whether the attacker is back, the account
/// says: the deny, and how the case was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recurrence {
    /// The execution that answered the finding, by its mark. Hostile.
    pub execution: Execution,
    /// The originals of its cases, by its mark: at most eight addresses. Hostile.
    pub evidence: Vec<String>,
    /// When the provider last saw activity (RFC 3339, UTC), where it says so.
    pub last_seen: Option<String>,
    /// Whether people were told already of what was left to them, and it is no worse since.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub told: bool,
}

/// What an import is beside a first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Again {
    /// It is none of an answered finding that may recur.
    No,
    /// Nobody is to be told anything, and why.
    Silent(String),
    /// It was left to people, and is worse by now.
    Risen(String),
    /// It was contained, and says more by now.
    Recurs(Recurrence),
}

impl Finding<'_> {
    /// Whether the import is an update of a finding that Cordon has answered, and says more
    /// than it did then. `GuardDuty` alone updates one finding while the attacker comes
    /// back; `came_as` is the `Workflow.Status` with which the event came.
    ///
    /// Source: GuardDuty User Guide, "Setting the frequency for exporting updated active
    /// findings".
    pub(crate) fn again(&self, execution: &Execution, came_as: &str, redriven: bool) -> Again {
        if !self.is_of_guardduty(execution) || !["RESOLVED", "NOTIFIED"].contains(&came_as) {
            return Again::No;
        }
        let Some(marked) = self.marked_by(execution) else { return Again::No };
        let evidence = self.evidence();
        let noted = serde_json::from_value::<Severity>(json!(self.field(SEVERITY))).ok();
        let risen = noted.filter(|noted| self.severity > *noted && self.severity >= Severity::High);
        if let Some(noted) = risen
            && evidence.is_empty()
        {
            let (noted, now) = (noted.label(), self.severity.label());
            return Again::Risen(format!(
                "its severity has risen from {noted} to {now} since people were told"
            ));
        }
        if !redriven && self.seen().is_some_and(|seen| seen == self.field(SEEN)) {
            return Again::Silent("the finding says nothing new since Cordon answered".to_owned());
        }
        if evidence.is_empty() && !self.newly_named().is_empty() {
            return Again::Risen("it names whom it did not name when people were told".to_owned());
        }
        if evidence.is_empty() {
            return Again::Silent("people were told, and it has not become worse".to_owned());
        }
        let told = came_as == "NOTIFIED" && risen.is_none();
        Again::Recurs(Recurrence { execution: marked, evidence, last_seen: self.last_seen(), told })
    }

    /// Whom it did not name when Cordon answered it, as it calls them; nobody, where its mark
    /// does not say whom it named.
    pub(crate) fn newly_named(&self) -> Vec<String> {
        let known: Vec<&str> = self.field(NAMED).split(',').filter(|one| !one.is_empty()).collect();
        let newly = self.subjects().filter(|one| one.kind.is_somebody());
        let newly = newly.filter(|one| !known.is_empty() && !known.contains(&&*digits_of(one)));
        newly.map(|one| one.label()).collect()
    }

    /// Whether its answer has left what it calls so to people; anybody, where its mark does not
    /// say whom.
    pub(crate) fn was_left(&self, resource: &str) -> bool {
        let left = self.field(LEFT);
        let who = self.brief.who.get(resource);
        left.is_empty() || who.is_some_and(|who| left.split(',').any(|one| one == who))
    }

    /// What tells each of whom it names from others, by what it calls them; of findings that may
    /// recur.
    pub(crate) fn who(&self) -> BTreeMap<String, String> {
        let subjects = self.seen().map(|_| self.subjects().take(MOST_RESOURCES));
        subjects.into_iter().flatten().map(|one| (one.label(), digits_of(&one))).collect()
    }

    /// Whom it names, for its mark; of findings that may recur.
    pub(crate) fn named(&self) -> Option<String> {
        self.seen()?;
        let subjects = self.subjects().filter(|one| one.kind.is_somebody());
        let named: BTreeSet<String> = subjects.map(|one| digits_of(&one)).collect();
        let named: Vec<String> = named.into_iter().take(MOST_RESOURCES).collect();
        Some(named.join(",")).filter(|named| !named.is_empty())
    }

    fn field(&self, name: &str) -> &str {
        self.text(&format!("/UserDefinedFields/{name}"))
    }

    fn product_fields(&self) -> Option<&Map<String, Value>> {
        self.raw.get("ProductFields").and_then(Value::as_object)
    }

    /// Whether it bears a mark of this state machine.
    pub(crate) fn is_marked(&self, execution: &Execution) -> bool {
        self.marked_by(execution).is_some()
    }

    /// The execution of this state machine that has answered it.
    fn marked_by(&self, execution: &Execution) -> Option<Execution> {
        let marked = self.field(EXECUTION);
        let marked = Some(marked).filter(|marked| is_address(marked))?;
        let marked = Execution::try_from(marked.to_owned()).ok()?;
        let machine = |one: &Execution| one.arn().rsplit_once(':').map(|(it, _)| it.to_owned());
        (machine(&marked) == machine(execution)).then_some(marked)
    }

    fn evidence(&self) -> Vec<String> {
        let fields = (1..=8).map(|n| match n {
            1 => EVIDENCE.to_owned(),
            _ => format!("{EVIDENCE}{n}"),
        });
        let addresses = fields.map(|field| self.field(&field).to_owned());
        addresses.filter(|one| one.starts_with("s3://") && is_address(one)).collect()
    }

    fn last_seen(&self) -> Option<String> {
        let at = self.product_fields()?.get(LAST_SEEN).and_then(Value::as_str)?;
        let is_time = at.ends_with('Z') && OffsetDateTime::parse(at, &Rfc3339).is_ok();
        is_time.then(|| at.to_owned())
    }

    /// What tells the finding as `GuardDuty` last sent it from what it sent before: none of
    /// it is changed by an answer.
    ///
    /// Source: Security Hub User Guide, "`BatchUpdateFindings` for customers" (what it
    /// changes, and that `UpdatedAt` stays).
    pub(crate) fn seen(&self) -> Option<String> {
        if !matches_pattern("arn:*:securityhub:*::product*/aws/guardduty", &self.brief.product_arn)
        {
            return None;
        }
        let fields = self.product_fields().into_iter().flatten();
        let own = fields.filter(|(field, _)| field.starts_with(OF_GUARDDUTY));
        let ids: Vec<Option<&Value>> = self.resources().map(|one| one.get("Id")).collect();
        let seen = json!([self.text("/UpdatedAt"), own.collect::<BTreeMap<_, _>>(), ids]);
        let digest = hex_digest(seen.to_string().as_bytes());
        Some(digest.chars().take(DIGITS).collect())
    }
}

fn digits_of(subject: &Subject<'_>) -> String {
    hex_digest(subject.who().as_bytes()).chars().take(DIGITS_OF_ONE).collect()
}

fn is_address(text: &str) -> bool {
    text.len() <= MOST_OF_AN_ADDRESS
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
}
