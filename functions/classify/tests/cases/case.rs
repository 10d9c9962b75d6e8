use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use classify::{Input, Verdict};
use incident::{Execution, Failure, Organization};
use serde::Deserialize;
use serde_json::Value;

/// An execution in the partition `aws`.
pub(crate) const EXECUTION: &str =
    "arn:aws:states:us-east-1:111111111111:execution:cordon-incident-response:0a1b2c3d";

/// A folder under `cases/`.
pub(crate) struct Case {
    /// The folder's name.
    pub(crate) name: String,
    /// `event.json`: the event as EventBridge hands it on.
    pub(crate) event: Value,
    /// `policy.json`: the response policy; `{}` where there is none.
    pub(crate) policy: String,
    /// `execution.txt`: the execution's ARN, where it is not one of the partition `aws`.
    pub(crate) execution: String,
    /// `verdict.json`.
    pub(crate) expected: Expected,
}

/// What the verdict is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    /// What the case is for.
    pub(crate) about: String,
    pub(crate) response: String,
    /// Text within the reason.
    pub(crate) reason: String,
    /// Text within the instruction, where the case is about it.
    pub(crate) instruction: Option<String>,
    pub(crate) rules: Vec<String>,
    pub(crate) source: String,
    /// Exactly as the state machine gets them.
    pub(crate) accused: Vec<Value>,
    /// What the finding calls those that are left to people.
    pub(crate) refused: Vec<String>,
    /// Those of them of whom people were told before.
    #[serde(default)]
    pub(crate) told: Vec<String>,
    pub(crate) policies: Vec<String>,
    /// Why a field of the finding that qualifies others does not move this verdict; `*` for
    /// all of them.
    #[serde(default)]
    pub(crate) unmoved: BTreeMap<String, String>,
    /// What the finding says beyond an answer, where the account is to judge.
    #[serde(default)]
    pub(crate) recurrence: Value,
}

impl Case {
    /// All of them, by name.
    pub(crate) fn all() -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        let mut cases: Vec<Self> =
            fs::read_dir(folder).unwrap().map(|entry| Self::read(&entry.unwrap().path())).collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(!cases.is_empty());
        cases
    }

    fn read(folder: &Path) -> Self {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let mut files: Vec<_> =
            fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        files.retain(|file| {
            !["event.json", "policy.json", "execution.txt", "verdict.json"]
                .contains(&file.to_str().unwrap())
        });
        assert!(files.is_empty(), "{name}: no case has {files:?}");
        let text = |file| fs::read_to_string(folder.join(file)).ok();
        let parsed = |file| text(file).unwrap_or_else(|| panic!("{name}: no `{file}`"));
        Self {
            event: serde_json::from_str(&parsed("event.json"))
                .unwrap_or_else(|error| panic!("{name}: event.json: {error}")),
            expected: serde_json::from_str(&parsed("verdict.json"))
                .unwrap_or_else(|error| panic!("{name}: verdict.json: {error}")),
            policy: text("policy.json").unwrap_or_else(|| "{}".to_owned()),
            execution: text("execution.txt")
                .map_or_else(|| EXECUTION.to_owned(), |arn| arn.trim().to_owned()),
            name,
        }
    }

    pub(crate) fn judged(&self) -> Verdict {
        judged(&self.execution, &self.event, &self.policy)
    }
}

/// The verdict on an event; on a chosen finding, as if Security Hub's record were the same.
pub(crate) fn judged(execution: &str, event: &Value, policy: &str) -> Verdict {
    let mut input = input(execution, event, policy);
    let is_finding = event.pointer("/detail/findings/0").is_some();
    if event["detail-type"] == "Security Hub Findings - Custom Action" && is_finding {
        input = read(input);
    }
    classify(input).expect("whatever the event holds, there is a verdict")
}

/// The verdict in an organisation that is run from 111111111111 and 999999999999.
pub(crate) fn classify(input: Input) -> Result<Verdict, Failure> {
    let organization = Organization::new(Some("999999999999".to_owned()), None, None).unwrap();
    classify::classify(&organization, input)
}

/// The same once Security Hub was asked, and has the very finding of the event, if any.
pub(crate) fn read(mut input: Input) -> Input {
    let findings = input.event.pointer_mut("/detail/findings").map(Value::take);
    input.record = findings.and_then(|all| all.as_array().cloned()).unwrap_or_default();
    if let Some(detail) = input.event.get_mut("detail") {
        *detail = Value::Null;
    }
    Input { read: true, ..input }
}

/// What the state machine passes on in a first pass about an import.
pub(crate) fn input(execution: &str, event: &Value, policy: &str) -> Input {
    Input {
        execution: Execution::try_from(execution.to_owned()).unwrap(),
        event: event.clone(),
        record: Vec::new(),
        policy: policy.to_owned(),
        now: None,
        read: false,
        redriven: false,
        chosen_as: String::new(),
        earlier: Vec::new(),
    }
}
