//! Inputs of earlier releases. A redriven execution goes on by the definition with which it
//! started, and calls today's functions, so each of them reads what a release before had sent.
//!
//! `tests/released/<version>/<state>.json` has what the state machine called a state's function
//! with in that release, and what it was answered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use harness::MEMBERS;
use harness::alone::Alone;
use harness::execution::Execution;
use harness::place::{files_below, read_json, repository, write_json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::chosen::{abandoned, failed};
use crate::response_policy::amend;
use crate::suspect::{Case, Suspect};
use crate::trials::Trials;
use crate::verdicts::mark;

/// A call of a function in a release.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Call {
    /// The arguments of the task.
    arguments: Value,
    /// What the function answered.
    answer: Value,
}

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_alone("what a release before has sent, each function of today reads", read);
}

fn folder() -> PathBuf {
    repository().join("tests/released")
}

async fn read(alone: &Alone<'_>) -> Result<()> {
    if std::env::var_os("BLESS").is_some() {
        record(alone).await?;
    }
    let files = files_below(&folder(), &[])?;
    ensure!(!files.is_empty(), "there is no release");
    let calls = files.iter().map(|file| read_json::<Call>(file)?.context("no call"));
    let calls = calls.collect::<Result<Vec<_>>>()?;
    let arguments: Vec<Value> = calls.iter().map(|call| call.arguments.clone()).collect();
    let answers = alone.invoke_each(&arguments).await?;
    ensure!(answers.len() == calls.len(), "{} answers", answers.len());
    for ((file, call), now) in files.iter().zip(&calls).zip(&answers) {
        let file = file.display();
        // Whom it was about does not exist here, which each function says in its own way.
        ensure!(now["error"] != "InvalidInput", "`{file}`: {now:#}");
        let error = now["error"].as_str().unwrap_or_default();
        ensure!(!error.contains('.'), "`{file}`: {now:#}");
        let fields = |answer: &Value| -> BTreeSet<String> {
            answer.as_object().into_iter().flat_map(|object| object.keys().cloned()).collect()
        };
        if now["answer"].is_object() {
            let (then, now) = (fields(&call.answer), fields(&now["answer"]));
            ensure!(then.is_subset(&now), "`{file}`: it answered {then:?}, and now {now:?}");
        }
    }
    Ok(())
}

/// Writes what the state machine of this version sends to each function. Done once, at its
/// release.
async fn record(alone: &Alone<'_>) -> Result<()> {
    let mut executions = Vec::new();
    for case in
        [Case::User, Case::BoundedUser, Case::DeniedUser, Case::Role, Case::Unused, Case::Policy]
    {
        executions.push(started(alone, case).await?);
    }
    let it = failed(alone).await?;
    mark(alone, &it.0.finding, "SUPPRESSED").await?;
    abandoned(alone, &it, "SUPPRESSED meanwhile").await?;
    executions.push(it.1);
    amend(alone, &json!({ "escalationsPerHour": 0 })).await?;
    executions.push(started(alone, Case::Policy).await?);
    amend(alone, &json!({ "mode": "observe" })).await?;
    executions.push(started(alone, Case::User).await?);

    let mut calls = BTreeMap::new();
    for execution in executions {
        for (state, call) in execution.history().await?.invocations_by_state()? {
            calls.entry(state).or_insert(call);
        }
    }
    let missing: Vec<_> = invoking(&alone.definition().await?)
        .into_iter()
        .filter(|it| !calls.contains_key(it))
        .collect();
    ensure!(missing.is_empty(), "nothing calls {missing:?}");
    let folder = folder().join(env!("CARGO_PKG_VERSION"));
    fs::create_dir_all(&folder)?;
    for (state, (arguments, answer)) in calls {
        write_json(&folder.join(format!("{state}.json")), &Call { arguments, answer })?;
    }
    Ok(())
}

async fn started(alone: &Alone<'_>, case: Case) -> Result<Execution> {
    let suspect = Suspect::new(alone, MEMBERS[0], case).await?;
    let execution = alone.execution_to_be();
    suspect.start(&execution).await?;
    execution.succeeds().await?;
    Ok(execution)
}

/// The states of a definition that call functions.
fn invoking(machine: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (name, state) in machine["States"].as_object().into_iter().flatten() {
        if state["Resource"].as_str().is_some_and(|resource| resource.ends_with("lambda:invoke")) {
            found.push(name.clone());
        }
        let inner = state["Branches"].as_array().into_iter().flatten();
        found.extend(inner.chain([&state["ItemProcessor"]]).flat_map(invoking));
    }
    found
}
