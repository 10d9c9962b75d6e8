//! What an execution of the incident machine did, by its own history: the authority for what was
//! stored, and about whom.

use std::collections::BTreeMap;

use aws_calls::{Answer, all};
use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::{ExecutionRedriveStatus, ExecutionStatus, HistoryEvent};
use incident::restore::{Finding, Tagging};
use incident::{Denial, Evidence, Execution, Failure, Principal, Reach, Stored, cut};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What an execution did.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) execution: Execution,
    /// The finding, as it was last judged; nothing, where it never was.
    pub(crate) finding: Option<Finding>,
    /// Those whose evidence was stored, since they were to be contained or retired.
    pub(crate) preserved: Vec<Preserved>,
    /// By the principals' ids, how each was met.
    met: BTreeMap<String, Met>,
}

/// How an execution met a principal, before it has stored any evidence of it.
#[derive(Debug)]
struct Met {
    /// As it was when it was identified first.
    reach: Reach,
    /// Whether the execution put the deny there then.
    denied: bool,
}

/// A principal whose evidence an execution has stored.
#[derive(Debug)]
pub(crate) struct Preserved {
    /// As the last pass identified it.
    pub(crate) principal: Principal,
    /// What the last pass stored.
    pub(crate) evidence: Evidence,
    /// All that its passes stored or found stored in that case.
    pub(crate) stored: Vec<Stored>,
    /// What was read back of the case.
    pub(crate) left: Option<Stored>,
    /// With what it was tagged.
    pub(crate) tagged: Option<Tagging>,
}

/// Of an execution that runs, or waits for a redrive, its status in words.
pub(crate) async fn pending(
    states: &Client,
    execution: &Execution,
) -> Result<Option<String>, Failure> {
    let call = "states:DescribeExecution";
    let described = states.describe_execution().execution_arn(execution.arn()).send().await;
    Ok(waits(&described.to(call)?))
}

/// The same of one that was described.
pub(crate) fn waits(described: &DescribeExecutionOutput) -> Option<String> {
    match (&described.status, &described.redrive_status) {
        (ExecutionStatus::Running | ExecutionStatus::PendingRedrive, _) => {
            Some(described.status.to_string())
        }
        (ended, Some(ExecutionRedriveStatus::Redrivable)) => {
            Some(format!("{ended}, can be redriven"))
        }
        _ => None,
    }
}

/// Reads an execution's history to its last page. Fails with [`Failure::NotFound`] where it is
/// gone: Step Functions keeps it for 90 days.
pub(crate) async fn read(states: &Client, execution: &Execution) -> Result<History, Failure> {
    let pages = states
        .get_execution_history()
        .execution_arn(execution.arn())
        .include_execution_data(true)
        .max_results(1_000)
        .into_paginator()
        .items();
    let events = all("states:GetExecutionHistory", pages.send()).await?;
    let mut history = History {
        execution: execution.clone(),
        finding: None,
        preserved: Vec::new(),
        met: BTreeMap::new(),
    };
    for done in answers(&events) {
        history.take(&done)?;
    }
    Ok(history)
}

/// What a state's function was called with, and what it answered.
struct Done<'a> {
    state: &'a str,
    asked: Value,
    answered: Value,
}

/// The calls of functions that were answered, in their order.
fn answers(events: &[HistoryEvent]) -> Vec<Done<'_>> {
    let by_id: BTreeMap<i64, &HistoryEvent> = events.iter().map(|one| (one.id, one)).collect();
    let done = events.iter().filter_map(|event| {
        let output = event.task_succeeded_event_details.as_ref()?.output.as_deref()?;
        let mut before = std::iter::successors(by_id.get(&event.previous_event_id), |one| {
            by_id.get(&one.previous_event_id)
        });
        let scheduled = before.find_map(|one| one.task_scheduled_event_details.as_ref())?;
        let entered = before.find_map(|one| one.state_entered_event_details.as_ref())?;
        let payload = |text: &str| {
            let mut call: Value = serde_json::from_str(text).ok()?;
            Some(call.get_mut("Payload")?.take())
        };
        let (asked, answered) = (payload(&scheduled.parameters)?, payload(output)?);
        Some(Done { state: &entered.name, asked, answered })
    });
    done.collect()
}

#[derive(Deserialize)]
struct Reached {
    reach: Reach,
}

#[derive(Deserialize)]
struct About {
    principal: Principal,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TagAsked {
    principal: Principal,
    finding_id: String,
    remediation_date: String,
}

#[derive(Deserialize)]
struct Judged {
    finding: Option<Finding>,
}

#[derive(Deserialize)]
struct LeftBehind {
    stored: Option<Stored>,
}

#[derive(Deserialize)]
struct Tagged {
    tagged: bool,
}

impl History {
    fn take(&mut self, done: &Done<'_>) -> Result<(), Failure> {
        match done.state {
            "Classify" => {
                let Judged { finding } = read_as(&done.answered)?;
                let finding = finding.map(|one| Finding { types: types(&done.asked), ..one });
                self.finding = finding.or(self.finding.take());
            }
            "AssumeRole" => {
                if let Ok(Reached { reach }) = Reached::deserialize(&done.answered) {
                    let met = Met { denied: false, reach };
                    self.met.entry(met.reach.id.clone()).or_insert(met);
                }
            }
            "Quarantine" => {
                let About { principal } = read_as(&done.asked)?;
                let denial = Denial::deserialize(&done.answered);
                let denies = denial.is_ok_and(|denial| denial.by.is_some() && !denial.already);
                if denies
                    && self.of(&principal.id).is_none()
                    && let Some(met) = self.met.get_mut(&principal.id)
                {
                    met.denied = true;
                }
            }
            "Preserve" => {
                let About { principal } = read_as(&done.asked)?;
                self.preserve(principal, read_as(&done.answered)?);
            }
            "PreserveLeft" => {
                let About { principal } = read_as(&done.asked)?;
                let LeftBehind { stored } = read_as(&done.answered)?;
                if let Some(preserved) = self.of_mut(&principal.id) {
                    preserved.left = stored.or(preserved.left.take());
                }
            }
            "Tag" => {
                let TagAsked { principal, finding_id, remediation_date } = read_as(&done.asked)?;
                let Tagged { tagged } = read_as(&done.answered)?;
                let execution = self.execution.clone();
                if let Some(preserved) = self.of_mut(&principal.id).filter(|_| tagged) {
                    preserved.tagged = Some(Tagging { execution, finding_id, remediation_date });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A later pass may have opened another case: then what was left of the earlier is not its.
    fn preserve(&mut self, principal: Principal, evidence: Evidence) {
        let (original, snapshot) = (evidence.original.clone(), evidence.snapshot.clone());
        match self.of_mut(&principal.id) {
            Some(known) if known.evidence.original == original => {
                *known = Preserved {
                    principal,
                    evidence,
                    stored: [known.stored.clone(), vec![snapshot]].concat(),
                    left: known.left.take(),
                    tagged: known.tagged.take(),
                };
            }
            other => {
                let new = Preserved {
                    principal,
                    evidence,
                    stored: vec![original, snapshot],
                    left: None,
                    tagged: None,
                };
                match other {
                    Some(known) => *known = new,
                    None => self.preserved.push(new),
                }
            }
        }
    }

    /// How the principal was before the execution put it under a deny, of which it had stored no
    /// evidence when a redrive met it again: that one takes the deny for another's.
    pub(crate) fn before_its_deny(&self, id: &str) -> Option<&Reach> {
        self.met.get(id).filter(|met| met.denied).map(|met| &met.reach)
    }

    pub(crate) fn of(&self, id: &str) -> Option<&Preserved> {
        self.preserved.iter().find(|one| one.principal.id == id)
    }

    fn of_mut(&mut self, id: &str) -> Option<&mut Preserved> {
        self.preserved.iter_mut().find(|one| one.principal.id == id)
    }
}

/// The types of the finding that was judged, as it was read or sent.
fn types(asked: &Value) -> Vec<String> {
    let places = ["/record/0/Types", "/event/detail/findings/0/Types"];
    let types = places.iter().find_map(|place| asked.pointer(place)?.as_array());
    let types = types.into_iter().flatten().take(5);
    types.filter_map(|one| one.as_str()).map(|one| cut(one, 200)).collect()
}

fn read_as<T: DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| {
        Failure::NothingToRestore(format!(
            "the history of the execution is of another form: {error}"
        ))
    })
}
