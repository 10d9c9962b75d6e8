//! What a person starts is read from Security Hub first: nobody can choose a finding that does
//! not exist, or another's resources for one that does; and a redrive ends where a person has
//! closed the finding meanwhile.

use anyhow::{Context, Result, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use harness::MEMBERS;
use harness::calls::source_identity;
use harness::execution::Execution;
use harness::faults::Strike;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::{Message, Telling};
use serde_json::json;

use crate::incident::workflow;
use crate::judged::{End, ends};
use crate::suspect::{Case, Suspect};
use crate::trials::Trials;
use crate::verdicts::{administrator, mark};

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("an import that Security Hub does not know is told as that", unknown_import);
    trials.add("a choice of a finding that does not exist touches nobody", unknown_choice);
    trials.add("a choice touches only whom Security Hub's record names", other_resources);
    trials.add("a choice that is read late is no less a choice", read_late);
    trials.add("a redrive ends where a person has closed the finding meanwhile", closed);
    trials.add("a redrive ends where the finding was taken back meanwhile", taken_back);
    trials.add("a redrive keeps to whom it began with, whatever the finding names now", renamed);
}

/// The mail that says that Security Hub has no such finding.
async fn told_as_unknown(aws: &LocalAws, execution: &Execution) -> Result<Message> {
    let end = execution.ends(ExecutionStatus::Failed).await?;
    ensure!(end.error.as_deref() == Some("States.NoChoiceMatched"), "it failed with {end:?}");
    let told = aws.topics().alerts.message("that there is no such finding", |mail| {
        mail.subject.contains("no such finding") && mail.tells(Telling::Failed, &execution.arn)
    });
    let told = told.await?;
    for part in ["Security Hub", "by hand"] {
        ensure!(told.text.contains(part), "`{part}` is not in the mail: {}", told.text);
    }
    Ok(told)
}

/// An import must not wait for Security Hub: who can start an execution by hand has somebody
/// contained, within the limits, and people are told what it was.
async fn unknown_import(aws: &LocalAws) -> Result<()> {
    let (user, _) = administrator(aws, MEMBERS[0]).await?;
    let execution = aws.start(&Finding::about(&user).new_event()).await?;
    let told = told_as_unknown(aws, &execution).await?.text;
    ensure!(told.contains(&user.arn) && told.contains("contained"), "{told}");
    let left = user.read_back().await?.left();
    ensure!(left.is_empty(), "left: {left:?}");
    // Redriven, it is read first: it does not exist any more than before.
    execution.redrive().await?;
    execution.ends(ExecutionStatus::Failed).await?;
    let history = execution.history().await?;
    ensure!(history.entered("ReadFinding"), "{:?}", history.path());
    Ok(())
}

async fn unknown_choice(aws: &LocalAws) -> Result<()> {
    let (user, _) = administrator(aws, MEMBERS[0]).await?;
    let before = user.read_back().await?;
    let execution = aws.start(&Finding::about(&user).chosen()).await?;
    told_as_unknown(aws, &execution).await?;
    ensure!(aws.calls_of(&execution).await?.is_empty(), "somebody entered the account");
    ensure!(user.read_back().await? == before, "the user has changed");
    Ok(())
}

async fn other_resources(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let (bystander, _) = administrator(aws, MEMBERS[0]).await?;
    let before = bystander.read_back().await?;
    let forged = suspect.finding.clone().and(&bystander).with("Title", "forged");
    let resources = json!([forged.asff()["Resources"].as_array().and_then(|all| all.last())]);
    let execution = aws.execution_to_be();
    aws.start_as(&execution, &forged.with("Resources", resources).chosen()).await?;
    let judged = ends(aws, execution, &suspect.finding, End::Contained).await?;
    Box::pin(suspect.is_dealt_with(&judged.execution, true)).await?;
    ensure!(!judged.told.contains("forged"), "{}", judged.told);
    let evidence = suspect.original().await?.context("there is no evidence")?.json()?;
    ensure!(!evidence.to_string().contains("forged"), "{evidence:#}");
    ensure!(bystander.read_back().await? == before, "the bystander has changed");
    Ok(())
}

/// Security Hub allows three reads a second in the whole account.
async fn read_late(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let execution = aws.execution_to_be();
    let busy = aws.fault("securityhub:GetFindings", Strike::Throttled);
    let busy = busy.caller(execution.name()).times(3).stand().await?;
    suspect.choose(&execution).await?;
    execution.succeeds().await?;
    Box::pin(suspect.is_dealt_with(&execution, true)).await?;
    ensure!(busy.lift().await? == 3, "it was not throttled");
    Ok(())
}

/// A suspect whose execution has failed before anything was done, and may go on.
pub(crate) async fn failed(aws: &LocalAws) -> Result<(Suspect<'_>, Execution)> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let execution = aws.execution_to_be();
    let session = source_identity(&execution);
    let entry = aws.fault("sts:AssumeRole", Strike::Denied).about(session).always();
    let entry = entry.stand().await?;
    suspect.start(&execution).await?;
    execution.fails().await?;
    entry.lift().await?;
    Ok((suspect, execution))
}

/// Redriven, it has done nothing more, and said so.
pub(crate) async fn abandoned(
    aws: &LocalAws,
    it: &(Suspect<'_>, Execution),
    because: &str,
) -> Result<()> {
    let (suspect, execution) = it;
    execution.redrive().await?;
    execution.succeeds().await?;
    let told = aws.topics().alerts.message("that nothing more is done", |mail| {
        mail.tells(Telling::Abandoned, &execution.arn)
    });
    let told = told.await?.text;
    ensure!(told.contains(because), "`{because}` is not in the mail: {told}");
    ensure!(suspect.read_back().await? == suspect.before, "the user has changed");
    Ok(())
}

async fn closed(aws: &LocalAws) -> Result<()> {
    for status in ["SUPPRESSED", "RESOLVED"] {
        let it = failed(aws).await?;
        mark(aws, &it.0.finding, status).await?;
        abandoned(aws, &it, &format!("{status} meanwhile")).await?;
        let now = it.0.workflow().await?;
        ensure!(now == status, "the finding is {now}");
    }
    // Somebody was told, which is no reason to leave it.
    let (suspect, execution) = failed(aws).await?;
    mark(aws, &suspect.finding, "NOTIFIED").await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    Box::pin(suspect.is_dealt_with(&execution, true)).await
}

async fn taken_back(aws: &LocalAws) -> Result<()> {
    let it = failed(aws).await?;
    aws.store(&it.0.finding.clone().with("RecordState", "ARCHIVED")).await?;
    abandoned(aws, &it, "RecordState is `ARCHIVED`").await
}

async fn renamed(aws: &LocalAws) -> Result<()> {
    let (suspect, execution) = failed(aws).await?;
    let (other, _) = administrator(aws, MEMBERS[0]).await?;
    let resources = json!([{ "Type": "AwsIamUser", "Id": other.arn }]);
    aws.store(&suspect.finding.clone().with("Resources", resources)).await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    Box::pin(suspect.is_dealt_with(&execution, false)).await?;
    let left = other.read_back().await?.left();
    ensure!(left.is_empty(), "left: {left:?}");
    let found = aws.in_security_hub(&suspect.finding).await?;
    ensure!(workflow(&found) == "RESOLVED", "the finding is {}", workflow(&found));
    Ok(())
}
