//! Readiness: who can't be entered is known before an incident, told once, and told when it is
//! mended.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use harness::alone::Alone;
use harness::calls::Call;
use harness::commands::Printed;
use harness::execution::{Execution, History};
use harness::faults::Strike;
use harness::local_aws::LocalAws;
use harness::messages::Message;
use harness::wait::{self, PATIENCE};
use harness::{MANAGEMENT, MEMBERS, SECURITY};
use serde_json::{Value, json};

use crate::response_policy::amend;
use crate::trials::Trials;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_alone("readiness: who can't be entered is told once, and once it is mended", entry);
    trials.add_alone("readiness: deep, a permission taken from a role is found", deep);
    trials.add_alone("readiness: what keeps findings from being answered is told", answering);
    trials.add_alone("readiness: a check that fails is told", failing);
    trials.add_alone("readiness: the commands print what there is", commands);
}

/// The steps that act in member accounts.
const STEPS: usize = 9;

/// The write calls that can be tried on a name that nobody has.
const WRITES: [&str; 11] = [
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:PutRolePermissionsBoundary",
    "iam:PutUserPermissionsBoundary",
    "iam:RemoveUserFromGroup",
    "iam:TagRole",
    "iam:TagUser",
    "iam:UpdateAccessKey",
    "iam:UpdateSSHPublicKey",
    "iam:UpdateServiceSpecificCredential",
    "iam:UpdateSigningCertificate",
];

const ACCOUNT: &str = MEMBERS[1];

async fn entry(alone: &Alone<'_>) -> Result<()> {
    check(alone, false).await?;
    is_silent(&check(alone, false).await?)?;

    alone.refuse_entry(ACCOUNT, "Quarantine").await?;
    let mail = tells(alone, &check(alone, false).await?).await?;
    ensure!(mail.subject == "[NOT READY] cannot be entered: 1 of 4 accounts", "{}", mail.subject);
    for part in [
        ACCOUNT,
        "Quarantine",
        "EntryRefused",
        "is not authorized to perform: sts:",
        "Deploy the stack CordonMember there where it is missing",
        "aws iam get-role --region us-east-1 --role-name 'SecurityRemediation-Quarantine'",
    ] {
        ensure!(mail.text.contains(part), "`{part}` is not in the mail: {}", mail.page);
    }
    ensure!(!mail.text.contains(MEMBERS[0]), "the mail names another account: {}", mail.page);
    let metric = r#""AccountsAsked":4,"AccountsNotEntered":1}"#;
    wait::until(format_args!("the metric `{metric}`"), PATIENCE, async || {
        let lines = alone.log_lines().await?;
        Ok(lines.iter().any(|line| line.trim().ends_with(metric)).then_some(()))
    })
    .await?;
    is_silent(&check(alone, false).await?)?;

    alone.undo().await?;
    let mail = tells(alone, &check(alone, false).await?).await?;
    ensure!(mail.subject == "[READY] all 4 accounts can be entered", "{}", mail.subject);
    let again = format!("Can be entered again  - account {ACCOUNT}: Quarantine");
    ensure!(mail.text.contains(&again), "`{again}` is not in the mail: {}", mail.page);
    is_silent(&check(alone, false).await?)
}

/// That people were told nothing.
fn is_silent(check: &Check) -> Result<()> {
    ensure!(!check.history.entered("TellReadiness"), "what people know was told again");
    Ok(())
}

/// The one mail that people were sent.
async fn tells(aws: &LocalAws, check: &Check) -> Result<Message> {
    ensure!(check.history.entered("TellReadiness"), "nobody was told");
    let operations = &aws.topics().operations;
    let mail = operations.mention(check.execution.name()).await?;
    ensure!(operations.mentioning(check.execution.name()).len() == 1, "it was told twice");
    Ok(mail)
}

/// A run of the readiness machine that has ended.
struct Check {
    execution: Execution,
    history: History,
}

/// Checks, and holds against the record of calls that nothing was called in a member account
/// but, deep, what is to be tried there; and that each step has tried each account.
async fn check(aws: &LocalAws, deep: bool) -> Result<Check> {
    // The record forgets its oldest calls, so it is not counted from which one on.
    let from = aws.calls().await?.last().map_or(0.0, |call| call.time);
    let execution = aws.check_readiness(&json!({ "deep": deep })).await?;
    let calls = aws.calls().await?.into_iter().filter(|call| call.time > from);
    let (entering, other): (Vec<Call>, Vec<Call>) =
        calls.partition(|call| call.name() == "sts:AssumeRole");
    let tried = |account: &str| {
        let role = format!("arn:aws:iam::{account}:role/cordon/SecurityRemediation-");
        entering.iter().filter(|call| call.resource.starts_with(&role)).count()
    };
    // Here there are member roles where the organization is run from, too.
    for account in [MEMBERS[0], MEMBERS[1], MANAGEMENT, SECURITY] {
        ensure!(tried(account) == STEPS, "{} steps tried `{account}`", tried(account));
    }
    let in_members = aws.calls_of(&execution).await?;
    if !deep {
        ensure!(in_members.is_empty(), "in member accounts were called {in_members:?}");
        let others = other.iter().find(|call| call.account != SECURITY);
        ensure!(others.is_none(), "another account's credentials called {others:?}");
    }
    for call in &in_members {
        ensure!(call.error.is_some(), "{} was done in a member account", call.name());
    }
    let called: BTreeSet<_> = in_members.iter().map(Call::name).collect();
    let expected = if deep { BTreeSet::from(WRITES.map(str::to_owned)) } else { BTreeSet::new() };
    ensure!(called == expected, "in member accounts were called {called:?}");
    let history = execution.history().await?;
    Ok(Check { execution, history })
}

async fn deep(alone: &Alone<'_>) -> Result<()> {
    check(alone, true).await?;
    is_silent(&check(alone, true).await?)?;
    let unproved = result(alone).await?["unproved"].clone();
    let named = unproved["DetachPolicies"].to_string();
    ensure!(named.contains("iam:DetachUserPolicy"), "what is not proved is not named: {unproved}");

    alone.refuse_in_member(ACCOUNT, "Tag", &["iam:TagUser"]).await?;
    is_silent(&check(alone, false).await?)?;
    let mail = tells(alone, &check(alone, true).await?).await?;
    for part in [
        ACCOUNT,
        "iam:TagUser by Tag",
        "AccessDenied",
        "explicit deny",
        "aws iam get-role-policy",
        "DetachPolicies: iam:GetUser",
        "iam:DetachUserPolicy",
    ] {
        ensure!(mail.text.contains(part), "`{part}` is not in the mail: {}", mail.page);
    }
    ensure!(!mail.text.contains("iam:TagRole by"), "more was refused: {}", mail.page);
    // A check that does not try it knows no better.
    is_silent(&check(alone, false).await?)?;
    let kept = result(alone).await?;
    ensure!(kept["refusedCalls"][0]["accounts"] == json!([ACCOUNT]), "it was forgotten: {kept}");

    alone.undo().await?;
    let mail = tells(alone, &check(alone, true).await?).await?;
    ensure!(mail.text.contains("Allowed again"), "the mail says: {}", mail.page);
    Ok(())
}

/// People may forget what they have switched off.
async fn answering(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "mode": "observe" })).await?;
    let printed = alone.command("readiness", &[]).await?;
    ensure!(printed.status.success(), "it ended {}: {}", printed.status, printed.text);
    ensure!(printed.text.contains("nobody is contained"), "it printed {}", printed.text);

    amend(alone, &json!({ "mode": "off" })).await?;
    let mail = tells(alone, &check(alone, false).await?).await?;
    let subject = "[NOT READY] the response policy's mode is off";
    ensure!(mail.subject == subject, "{}", mail.subject);
    ensure!(mail.text.contains("SET='mode=contain'"), "{}", mail.page);
    // Again, since it is so still.
    let printed = alone.command("readiness", &[]).await?;
    ensure!(printed.status.code() == Some(1), "it ended {}: {}", printed.status, printed.text);
    alone.topics().operations.count(2, |mail| mail.subject == subject).await?;

    alone.remove_response_policy().await?;
    alone.start_readiness(&json!({ "deep": false })).await?.fails().await?;
    alone.topics().operations.mention("ReadResponsePolicy failed with").await?;
    alone.undo().await
}

async fn failing(alone: &Alone<'_>) -> Result<()> {
    let fault = alone.fault("securityhub:ListMembers", Strike::error("InvalidAccessException"));
    let fault = fault.always().stand().await?;
    let execution = alone.start_readiness(&json!({ "deep": true })).await?;
    execution.fails().await?;
    fault.lift().await?;
    let mail = alone.topics().operations.mention("ListAccounts failed with").await?;
    let again = r#"--input '{"deep": true}'"#;
    ensure!(mail.text.contains(again), "the mail says: {}", mail.page);
    ensure!(mail.subject.contains("could not be checked"), "it is headed {}", mail.subject);
    Ok(())
}

async fn commands(alone: &Alone<'_>) -> Result<()> {
    let Printed { status, text: printed } =
        alone.command("pending", &[("AWS_ACCESS_KEY_ID", ACCOUNT)]).await?;
    let whose = format!(
        "no credentials for the account {SECURITY}: those in the environment are of the account \
         {ACCOUNT}; "
    );
    ensure!(!status.success() && printed.starts_with(&whose), "it printed {printed}");
    alone.refuse_entry(ACCOUNT, "Verify").await?;
    let Printed { status, text: printed } = alone.command("readiness", &[]).await?;
    ensure!(status.code() == Some(1), "it ended {status}: {printed}");
    let page = format!("Account {ACCOUNT}:\n  Verify.");
    ensure!(printed.contains(&page), "it printed {printed}");
    alone.undo().await?;
    let Printed { status, text: printed } = alone.command("readiness", &[("DEEP", "1")]).await?;
    ensure!(status.success(), "it ended {status}: {printed}");
    ensure!(printed.contains("iam:DetachUserPolicy"), "it printed {printed}");

    alone.remove_response_policy().await?;
    let failed = alone.start(&json!({})).await?;
    failed.fails().await?;
    alone.undo().await?;
    let printed = alone.command("pending", &[]).await?.text;
    let redrive = format!(
        "aws stepfunctions redrive-execution --region us-east-1 --execution-arn {}",
        failed.arn
    );
    ensure!(printed.contains(&redrive), "it printed {printed}");
    Ok(())
}

/// The newest result in the evidence bucket.
async fn result(aws: &LocalAws) -> Result<Value> {
    let all = aws.evidence_below("readiness/").await?;
    all.last().context("no result is stored")?.json()
}
