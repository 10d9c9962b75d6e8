//! The drill: what it tries on real accounts holds here, and it leaves nothing, however it ends.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use harness::alone::Alone;
use harness::commands::{Printed, Running};
use harness::faults::Strike;
use harness::local_aws::LocalAws;
use harness::place;
use harness::{MEMBERS, SECURITY};
use serde_json::{Value, json};

use crate::trials::Trials;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_alone("the drill passes, and leaves nothing", passes);
    trials.add_thorough_alone("the drill leaves nothing, wherever it is killed", killed);
    trials.add_thorough_alone("the drill leaves nothing where it is ended", ended);
    trials.add_thorough_alone("the drill tells what does not hold", refuted);
    trials.add_thorough_alone("the drill of the next day tries what has expired", expired);
}

const MEMBER: &str = MEMBERS[1];

const IN_MEMBER: (&str, &str) = ("MEMBER", MEMBER);

/// What takes more than a call of the drill's own.
const INCIDENTS: [&str; 11] = [
    "user-is-contained",
    "key-is-refused",
    "bedrock-key-is-inactivated",
    "lambda-presents-source-account",
    "broken-role-fails-and-is-redriven",
    "redriven-choice-sees-count",
    "assign-error-is-caught",
    "stopped-execution-is-redriven",
    "entered-time-is-redrives",
    "redriven-task-evaluates-arguments",
    "boundary-condition",
];

async fn passes(alone: &Alone<'_>) -> Result<()> {
    let before = standing(alone).await?;
    let Printed { status, text } = alone.command("drill", &[IN_MEMBER]).await?;
    ensure!(status.success(), "it ended {status}: {text}");
    let outcomes = report()?;
    for claim in INCIDENTS {
        let outcome = outcomes.get(claim).map(String::as_str);
        ensure!(outcome == Some("held"), "{claim}: {outcome:?}: {text}");
    }
    is_all_gone(alone, &before).await
}

/// Killed at each line that it prints, which is at the beginning of each step, within it, and
/// while it removes all of it.
async fn killed(alone: &Alone<'_>) -> Result<()> {
    let before = standing(alone).await?;
    for lines in 1.. {
        let mut drill = alone.start_command("drill", &[IN_MEMBER])?;
        let last = last_of(&mut drill, lines).await?.context("it ended too soon")?;
        if last == "no drill tries:" {
            ensure!(lines > 2 * INCIDENTS.len(), "it printed hardly anything");
            return Ok(());
        }
        drill.kill().await?;
        let clean = alone.command("drill", &[IN_MEMBER, ("CLEAN", "1")]).await?;
        ensure!(clean.status.success(), "killed at `{last}`: {}", clean.text);
        is_all_gone(alone, &before).await.with_context(|| format!("killed at `{last}`"))?;
    }
    Ok(())
}

/// The last of so many lines, if there are so many.
async fn last_of(drill: &mut Running, lines: usize) -> Result<Option<String>> {
    let mut last = None;
    for _ in 0..lines {
        last = drill.line().await?;
        if last.is_none() {
            break;
        }
    }
    Ok(last)
}

/// By a signal that it can answer: it cleans up itself.
async fn ended(alone: &Alone<'_>) -> Result<()> {
    let before = standing(alone).await?;
    let mut drill = alone.start_command("drill", &[IN_MEMBER])?;
    while let Some(line) = drill.line().await? {
        if line.contains("finding-is-found-at-once") {
            drill.terminate()?;
        }
    }
    let status = drill.ends().await?;
    ensure!(status.code() == Some(1), "it ended {status}");
    is_all_gone(alone, &before).await
}

/// IAM refuses one of two calls that are made at the same time; the first is on another policy.
async fn refuted(alone: &Alone<'_>) -> Result<()> {
    let before = standing(alone).await?;
    let refusal = Strike::error("ConcurrentModification");
    let fault = alone.fault("iam:PutUserPermissionsBoundary", refusal);
    let fault = fault.after(1).stand().await?;
    let Printed { status, text } = alone.command("drill", &[IN_MEMBER]).await?;
    fault.lift().await?;
    ensure!(status.code() == Some(1), "it ended {status}: {text}");
    let told = "deny-and-boundary-at-once: did not hold: ConcurrentModification";
    ensure!(text.contains(told), "{text}");
    is_all_gone(alone, &before).await
}

async fn expired(alone: &Alone<'_>) -> Result<()> {
    let before = standing(alone).await?;
    let today = alone.command("drill", &[IN_MEMBER, ("EXPIRING", "1")]).await?;
    ensure!(today.status.success(), "{}", today.text);
    let left: Vec<_> =
        standing(alone).await?.into_keys().filter(|it| !before.contains_key(it)).collect();
    let [user] = left.as_slice() else { anyhow::bail!("it left {left:?}") };
    let name = user.rsplit('/').next().unwrap_or_default();
    let aged = json!({ "account": MEMBER, "userName": name, "days": 1 });
    alone.beyond_aws().post("/_local/iam/age", &aged).await?;
    let tomorrow = alone.command("drill", &[IN_MEMBER]).await?;
    ensure!(tomorrow.text.contains("expired-key-is-shown-so: held"), "{}", tomorrow.text);
    is_all_gone(alone, &before).await
}

/// The outcome of each claim, as the report has it.
fn report() -> Result<BTreeMap<String, String>> {
    let path = place::repository().join(format!("target/drill/{MEMBER}.json"));
    let lines: Vec<Value> = place::read_json(&path)?.context("there is no report")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(lines.iter().map(|line| (text(&line["claim"]), text(&line["outcome"]))).collect())
}

async fn is_all_gone(aws: &LocalAws, before: &BTreeMap<String, String>) -> Result<()> {
    let after = standing(aws).await?;
    for (what, how) in &after {
        ensure!(before.get(what) == Some(how), "{what} was left, or changed: {how}");
    }
    for what in before.keys() {
        ensure!(after.contains_key(what), "{what} is gone");
    }
    Ok(())
}

/// What stands in the security account and in the member that is drilled in, and what people
/// would have to deal with.
async fn standing(aws: &LocalAws) -> Result<BTreeMap<String, String>> {
    let mut standing = BTreeMap::new();
    for account in [SECURITY, MEMBER] {
        let iam = aws.account(account).iam();
        let pages = iam.get_account_authorization_details().into_paginator().send();
        for page in pages.collect::<Result<Vec<_>, _>>().await? {
            for user in page.user_detail_list() {
                standing.insert(user.arn.clone().unwrap_or_default(), format!("{user:?}"));
            }
            // `perform`, below, has roles of its own.
            let roles = page.role_detail_list().iter();
            for role in
                roles.filter(|it| !it.role_name().unwrap_or_default().starts_with("perform-"))
            {
                standing.insert(role.arn.clone().unwrap_or_default(), format!("{role:?}"));
            }
        }
    }
    let machines = aws.security().states().list_state_machines().send().await?;
    for machine in machines.state_machines {
        if !machine.name.starts_with("perform-") {
            standing.insert(machine.state_machine_arn, "stands".to_owned());
        }
    }
    let rules = aws.perform("aws-sdk:eventbridge:listRules", &json!({})).await?;
    ensure!(rules.to_string().contains("cordon-findings"), "no rules: {rules}");
    standing.insert("the rules".to_owned(), rules.to_string());
    for execution in aws.executions().await? {
        let status = execution.describe().await?.status.as_str().to_owned();
        if status != "SUCCEEDED" {
            standing.insert(execution.arn, status);
        }
    }
    let is = |value| json!([{ "Value": value, "Comparison": "EQUALS" }]);
    let open = json!({ "GeneratorId": is("cordon-drill"), "RecordState": is("ACTIVE") });
    let open = aws.perform("aws-sdk:securityhub:getFindings", &json!({ "Filters": open })).await?;
    standing.insert("open findings of drills".to_owned(), open["Findings"].to_string());
    Ok(standing)
}
