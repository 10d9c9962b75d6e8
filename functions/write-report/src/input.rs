use std::collections::BTreeMap;

use incident::{Execution, Failed, Mode, Outcome, Session};
use serde::Deserialize;

/// The step's input: what the state machine knows of the incident.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// What is to be told.
    pub kind: Kind,
    /// The execution.
    pub execution: Execution,
    /// How often it was redriven; an outcome with a smaller `pass` was read back before that.
    pub redrives: u32,
    /// When Security Hub sent the finding (RFC 3339).
    pub sent: String,
    /// When the state was entered that asks for the report (RFC 3339).
    pub now: String,
    /// The address of the partition's console.
    pub console: String,
    /// The finding in brief.
    pub finding: Finding,
    /// The response policy's mode, where the policy was read.
    pub mode: Option<Mode>,
    /// What `classify` says, where it did.
    pub verdict: Option<Judged>,
    /// What became of each principal, in this pass and in earlier ones.
    pub outcomes: Vec<Outcome>,
    /// Who holds the policies that the finding is about, as it was read.
    pub holders: Vec<String>,
    /// The top-level step that failed.
    pub failure: Option<Failed>,
}

/// What is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// All principals are dealt with; the finding becomes RESOLVED before it is told.
    Contained,
    /// People have to decide about some; the finding becomes NOTIFIED after it is told.
    Escalated,
    /// The same, beyond the hour's limit of mails: the one mail that says so.
    Overflow,
    /// What would have been done.
    Observed,
    /// People asked for something that is not done.
    Abandoned,
    /// Something failed.
    Failed,
}

/// The finding in brief: `classify`'s, or what the state machine cleaned itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `Id` on one line.
    pub label: String,
    /// `Title` on one line. Hostile.
    pub title: String,
    /// The severity's label, or anything.
    pub severity: String,
    /// The account's id, or anything.
    pub account: String,
    /// What the finding names, by its own word, where it was not judged. Hostile.
    #[serde(default)]
    pub names: Option<String>,
    /// `ProductArn`, where it was judged.
    #[serde(default)]
    pub product_arn: String,
    /// Where GuardDuty shows the finding.
    #[serde(default)]
    pub source_url: Option<String>,
    /// What tells the finding from what its provider sends later, where it may recur.
    #[serde(default)]
    pub seen: Option<String>,
    /// What tells whom it names from whom it names later.
    #[serde(default)]
    pub named: Option<String>,
    /// By what it calls them, what tells each of them from others.
    #[serde(default)]
    pub who: BTreeMap<String, String>,
    /// The sessions that it is about.
    #[serde(default)]
    pub sessions: Vec<Session>,
}

/// What `classify` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// Why, for a person.
    #[serde(default)]
    pub reason: String,
    /// What the person is to do, by the rule.
    #[serde(default)]
    pub instruction: Option<String>,
    /// Whose word the finding is.
    #[serde(default)]
    pub source: Option<Source>,
    /// Set where Cordon had contained whom the finding accuses, and the finding says more.
    #[serde(default)]
    pub recurrence: Option<Recurrence>,
    /// What people are told beyond the limit of mails.
    #[serde(default)]
    pub beyond: String,
}

/// What an answered finding says beyond its answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recurrence {
    /// The execution that had answered it.
    pub execution: Execution,
    /// The originals of its cases, by its mark. Hostile.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// When the provider last saw activity (RFC 3339), where it says so.
    #[serde(default)]
    pub last_seen: Option<String>,
}

/// Whose word a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// An AWS service's.
    Service,
    /// A custom product's.
    Custom,
    /// A person's, by custom action.
    Person,
}
