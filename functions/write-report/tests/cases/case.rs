use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use write_report::{Input, Report, write_report};

/// A folder under `cases/`.
pub(crate) struct Case {
    /// The folder's name.
    pub(crate) name: String,
    /// `about.txt`: what the case is for, in a line.
    pub(crate) about: String,
    /// `input.json`: what the state machine passes on.
    pub(crate) input: Value,
    folder: PathBuf,
}

/// `report.json`: what the report is to be, but for the mail.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    verdict: String,
    note: String,
    fields: Value,
    sms: String,
    document: Value,
}

impl Case {
    /// All of them, by name.
    pub(crate) fn all() -> Vec<Self> {
        let mut cases: Vec<Self> = fs::read_dir(folder())
            .unwrap()
            .map(|entry| Self::read(entry.unwrap().path()))
            .collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(!cases.is_empty());
        cases
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::read(folder().join(name))
    }

    fn read(folder: PathBuf) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let files: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        let known = ["about.txt", "email.txt", "input.json", "report.json"];
        let other = files.iter().find(|file| !known.contains(&file.to_str().unwrap()));
        assert!(other.is_none(), "{name}: no case has {other:?}");
        let text = |file| {
            let text = fs::read_to_string(folder.join(file));
            text.unwrap_or_else(|error| panic!("{name}: {file}: {error}"))
        };
        let input = serde_json::from_str(&text("input.json"))
            .unwrap_or_else(|error| panic!("{name}: input.json: {error}"));
        let about = text("about.txt").trim().to_owned();
        Self { name, about, input, folder }
    }

    pub(crate) fn report(&self) -> Report {
        report(&self.input)
    }

    /// What is in the folder: the mail, and the rest.
    pub(crate) fn expected(&self) -> (String, Expected) {
        let text = |file| fs::read_to_string(self.folder.join(file)).unwrap();
        (text("email.txt"), serde_json::from_str(&text("report.json")).unwrap())
    }

    /// Puts a report into the folder, for a person to read before it is committed.
    pub(crate) fn keep(&self, mail: &str, rest: &Expected) {
        fs::write(self.folder.join("email.txt"), mail).unwrap();
        let rest = serde_json::to_string_pretty(rest).unwrap();
        fs::write(self.folder.join("report.json"), rest + "\n").unwrap();
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

pub(crate) fn report(input: &Value) -> Report {
    let input: Input = serde_json::from_value(input.clone()).unwrap();
    write_report(&input).unwrap()
}

/// The copies of a report's message.
pub(crate) fn message(report: &Report) -> Value {
    serde_json::from_str(&report.message).unwrap()
}

/// The mail as its reader sees it.
pub(crate) fn mail(report: &Report) -> String {
    format!("Subject: {}\n\n{}", report.subject, message(report)["email"].as_str().unwrap())
}

/// What a report is beside the mail.
pub(crate) fn rest(report: &Report) -> Expected {
    let message = message(report);
    let document = serde_json::from_str(message["https"].as_str().unwrap()).unwrap();
    Expected {
        verdict: report.verdict.to_owned(),
        note: report.note.clone(),
        fields: serde_json::to_value(&report.fields).unwrap(),
        sms: message["sms"].as_str().unwrap().to_owned(),
        document,
    }
}
