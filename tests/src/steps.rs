//! The steps of the state machine that are Lambda functions, as their folders have them.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::place::{self, repository};

/// One folder below `functions/` that holds a function.
#[derive(Clone, Debug)]
pub struct Step {
    /// The folder's name, which is the crate's and the binary's too: `detach-policies`.
    pub folder: String,
    /// The state's name: `DetachPolicies`.
    pub state: String,
    /// What its function may do in the security account.
    pub execution_policy: Value,
    /// What it may do in member accounts, if it goes there.
    pub member_policy: Option<Value>,
}

impl Step {
    /// All of them, sorted by name.
    pub fn all() -> Result<Vec<Self>> {
        let functions = repository().join("functions");
        let mut steps = Vec::new();
        for entry in fs::read_dir(&functions)
            .with_context(|| format!("cannot read `{}`", functions.display()))?
        {
            let entry = entry?;
            let execution_policy = place::read_json(&entry.path().join("execution-policy.json"))?;
            let Some(execution_policy) = execution_policy else { continue };
            let folder = entry.file_name().to_string_lossy().into_owned();
            steps.push(Self {
                state: state(&folder),
                folder,
                execution_policy,
                member_policy: place::read_json(&entry.path().join("member-policy.json"))?,
            });
        }
        steps.sort_by(|one, other| one.folder.cmp(&other.folder));
        Ok(steps)
    }
}

/// The state's name of a folder's name.
#[must_use]
pub fn state(folder: &str) -> String {
    let words = folder.split('-').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

/// The actions that a policy allows somewhere.
#[must_use]
pub fn allowed(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().into_iter().flatten();
    statements
        .filter(|statement| statement["Effect"] == "Allow")
        .flat_map(|statement| match &statement["Action"] {
            Value::Array(actions) => actions.iter().collect(),
            action => vec![action],
        })
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
