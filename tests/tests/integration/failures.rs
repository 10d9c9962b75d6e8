//! Steps that fail: people are told which and why, nothing gets worse, and a redrive after the
//! mend ends as if nothing had been.

use anyhow::{Result, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use harness::alone::Apart;
use harness::execution::Execution;
use harness::local_aws::LocalAws;

use crate::guide::dangerous_user;
use crate::incident::{Incident, workflow};
use crate::trials::Trials;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_apart("an account that lets nobody in is told of, and redriven", entry_refused);
    trials.add_apart("without the deny nothing is detached, and keys end Inactive", deny_refused);
    trials.add_apart("a step that fails stops none of the steps beside it", detaching_refused);
}

/// FAILED at `AwaitRedrive`, after people were told of a step and its error.
async fn awaits_redrive(
    aws: &LocalAws,
    incident: &Incident<'_>,
    execution: &Execution,
    because: &[&str],
) -> Result<()> {
    let end = execution.ends(ExecutionStatus::Failed).await?;
    ensure!(end.error.as_deref() == Some("States.NoChoiceMatched"), "it failed with {end:?}");
    let history = execution.history().await?;
    ensure!(history.last_state() == "AwaitRedrive", "it failed at `{}`", history.last_state());
    let told = aws
        .topics()
        .alerts
        .message(format_args!("that `{}` failed", execution.name()), |message| {
            message.text.contains(&execution.arn) && message.subject == "Cordon: containment failed"
        })
        .await?;
    let (user, finding) = (incident.user, &incident.finding);
    let known = [finding.id(), &user.arn, &user.account, "redrive-execution"];
    for part in known.iter().chain(because) {
        ensure!(told.text.contains(part), "`{part}` is not in the mail: {}", told.text);
    }
    let found = Box::pin(aws.in_security_hub(finding)).await?;
    ensure!(workflow(&found) == "NEW", "the finding is {}", workflow(&found));
    Ok(())
}

async fn entry_refused(apart: &Apart<'_>) -> Result<()> {
    let user = dangerous_user(apart.user().create().await?).await?;
    apart.refuse_entry("AssumeRole").await?;
    let incident = Incident::about(apart, &user).await?;
    let execution = apart.respond_to(&incident.finding).await?;
    let because = ["AssumeRole", "EntryRefused", "SecurityRemediation-AssumeRole"];
    awaits_redrive(apart, &incident, &execution, &because).await?;
    let after = user.read_back().await?;
    ensure!(after == incident.before, "the user was {:?} and is {after:?}", incident.before);

    // Redriven before it is mended, it fails as before, and people are told again.
    let told = apart.topics().alerts.mentioning(&execution.arn).len();
    execution.redrive().await?;
    awaits_redrive(apart, &incident, &execution, &because).await?;
    apart.topics().alerts.count(told + 1, |message| message.text.contains(&execution.arn)).await?;

    apart.undo().await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    incident.ended_well(&execution).await
}

async fn deny_refused(apart: &Apart<'_>) -> Result<()> {
    let user = dangerous_user(apart.user().create().await?).await?;
    let actions = ["iam:AttachUserPolicy", "iam:PutUserPermissionsBoundary"];
    apart.refuse_actions("Quarantine", &actions).await?;
    let incident = Incident::about(apart, &user).await?;
    let execution = apart.respond_to(&incident.finding).await?;
    let because = ["Quarantine", "AccessDenied", "iam:AttachUserPolicy", "NOT denied"];
    awaits_redrive(apart, &incident, &execution, &because).await?;
    let (before, after) = (&incident.before, user.read_back().await?);
    ensure!(
        after.attached == before.attached
            && after.inline == before.inline
            && after.groups == before.groups
            && after.boundary == before.boundary,
        "something was taken away without the deny: {after:?}"
    );
    ensure!(
        after.credentials.len() == 2
            && after.credentials.values().all(|status| status == "Inactive"),
        "its keys are {:?}",
        after.credentials
    );

    apart.undo().await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    incident.ended_well(&execution).await
}

async fn detaching_refused(apart: &Apart<'_>) -> Result<()> {
    let user = dangerous_user(apart.user().create().await?).await?;
    apart.refuse_actions("DetachPolicies", &["iam:DetachUserPolicy"]).await?;
    let incident = Incident::about(apart, &user).await?;
    let execution = apart.respond_to(&incident.finding).await?;
    awaits_redrive(apart, &incident, &execution, &["DetachPolicies", "AccessDenied"]).await?;
    let after = user.read_back().await?;
    ensure!(after.attached.is_superset(&incident.before.attached), "{:?}", after.attached);
    ensure!(
        after.groups.is_empty() && after.credentials.values().all(|status| status == "Inactive"),
        "the other steps did not do theirs: {after:?}"
    );

    apart.undo().await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    incident.ended_well(&execution).await
}
