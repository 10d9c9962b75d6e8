//! Finds the words for what became of an incident: a mail, a short line, the finding's note
//! and fields, and a document for machines. Pure: the same facts always have the same words.

mod advice;
mod cause;
mod commands;
mod errors;
mod facts;
mod give_back;
mod input;
mod mail;
mod message;
mod note;
mod page;
mod readiness;
mod restore;
mod restored;
mod sentences;
mod shell;
mod told;

use std::collections::BTreeMap;

use incident::Failure;
use incident::restore::Restored;
use lambda::Measured;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use errors::OF_THE_MACHINE;
use facts::{Ending, Facts};
pub use input::{Finding, Input, Judged, Kind, Recurrence, Source};
pub use readiness::{Mail, Readiness};
pub use restore::{Planned, RestorePlan};
pub use restored::{RestoreFailure, Told};

/// How large the answer is at most, as JSON: SNS takes 256 KiB for all copies of a message
/// together, and a state carries no more.
///
/// Sources: SNS API Reference, `Publish`; Step Functions Developer Guide, "Quotas".
pub const LARGEST: usize = 200 * 1024;

/// The step's output.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The mail's subject: ASCII, fewer than 100 characters, nothing of the finding's text.
    pub subject: String,
    /// How it ended, in one word, for a message attribute: see this crate's README.
    pub verdict: &'static str,
    /// The finding's note: one line of at most 512 characters, which claims nothing of what
    /// Security Hub is to make of the finding.
    pub note: String,
    /// The finding's user-defined fields, at most 50.
    pub fields: BTreeMap<String, String>,
    /// The message, for `MessageStructure=json`: a copy for each protocol.
    pub message: String,
}

/// What words are to be found for.
#[derive(Debug)]
pub enum Asked {
    /// An incident.
    Incident(Box<Input>),
    /// What a readiness run has found.
    Readiness(Readiness),
    /// What a restore would give back.
    RestorePlan(Box<RestorePlan>),
    /// What a restore has given back.
    Restored(Box<Restored>),
    /// How a restore has failed.
    RestoreFailure(Box<RestoreFailure>),
}

impl Asked {
    /// What is measured of it: of an incident, [`Input::measured`].
    #[must_use]
    pub fn measured(&self) -> Option<Measured> {
        match self {
            Self::Incident(input) => input.measured(),
            Self::Readiness(_)
            | Self::RestorePlan(_)
            | Self::Restored(_)
            | Self::RestoreFailure(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Asked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut input = Value::deserialize(deserializer)?;
        let asked = if let Some(readiness) = input.get_mut("readiness") {
            serde_json::from_value(readiness.take()).map(Self::Readiness)
        } else if let Some(plan) = input.get_mut("restorePlan") {
            serde_json::from_value(plan.take()).map(Self::RestorePlan)
        } else if let Some(restored) = input.get_mut("restored") {
            serde_json::from_value(restored.take()).map(Self::Restored)
        } else if let Some(failure) = input.get_mut("restoreFailure") {
            serde_json::from_value(failure.take()).map(Self::RestoreFailure)
        } else {
            serde_json::from_value(input).map(Self::Incident)
        };
        asked.map_err(D::Error::custom)
    }
}

/// The step's output, for each.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Written {
    /// Of an incident.
    Report(Report),
    /// Of a readiness run.
    Mail(Mail),
    /// Of a restore's plan.
    Planned(Planned),
    /// Of a restore that was carried out, or failed.
    Told(Told),
}

/// Finds the words for whichever it is.
pub fn write(asked: &Asked) -> Result<Written, Failure> {
    match asked {
        Asked::Incident(input) => write_report(input).map(Written::Report),
        Asked::Readiness(found) => readiness::write(found).map(Written::Mail),
        Asked::RestorePlan(plan) => restore::write(plan).map(Written::Planned),
        Asked::Restored(restored) => restored::write(restored).map(Written::Told),
        Asked::RestoreFailure(failed) => restored::write_failure(failed).map(Written::Told),
    }
}

/// Writes the report. At most [`LARGEST`] bytes as JSON: where there is too much to tell,
/// the first principals are told in full and the others by name, and the mail says so.
///
/// Fails with [`Failure::InvalidInput`] only where its own text can't be put into JSON.
pub fn write_report(input: &Input) -> Result<Report, Failure> {
    let facts = Facts::of(input);
    let mut report = Report {
        subject: mail::subject(facts),
        verdict: facts.ending().word(),
        note: note::note(facts),
        fields: note::fields(facts),
        message: String::new(),
    };
    for most in [32, 12, 6, 3, 1, 0] {
        report.message = message::message(facts, most).map_err(|error| unwritable(&error))?;
        if serde_json::to_vec(&report).map_err(|error| unwritable(&error))?.len() <= LARGEST {
            break;
        }
    }
    Ok(report)
}

impl Input {
    /// What is measured of it: the time until all principals were contained, where they are.
    #[must_use]
    pub fn measured(&self) -> Option<Measured> {
        let contained = Facts::of(self).ending() == Ending::Contained;
        Measured::until_contained(&self.sent, &self.now).filter(|_| contained)
    }
}

fn unwritable(error: &serde_json::Error) -> Failure {
    Failure::InvalidInput(error.to_string())
}
