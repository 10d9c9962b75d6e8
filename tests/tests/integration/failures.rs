//! Steps that fail: people are told which and why, nothing gets worse, and a redrive after the
//! mend ends as if nothing had been.

use anyhow::{Result, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use harness::MEMBERS;
use harness::alone::{Alone, Apart};
use harness::execution::Execution;
use harness::faults::Strike;
use harness::local_aws::LocalAws;
use harness::messages::{Message, Telling};
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, Snapshot};
use serde_json::json;

use crate::guide::dangerous_user;
use crate::incident::{Incident, workflow};
use crate::judged::{End, ends};
use crate::response_policy::amend;
use crate::suspect::{Case, Suspect};
use crate::trials::Trials;
use crate::truth;
use crate::verdicts::choose;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_apart("an account that lets nobody in is told of, and redriven", entry_refused);
    trials.add_apart("without the deny nothing is detached, and keys end Inactive", deny_refused);
    trials.add_apart("a step that fails stops none of the steps beside it", detaching_refused);
    trials.add_alone("a bucket that refuses evidence is told of, and redriven", evidence_refused);
    trials.add("a bucket that is gone is told of, and redriven", bucket_gone);
    trials.add_alone("a missing response policy is told of, and redriven", policy_gone);
    trials.add_alone("a Security Hub that refuses is told of, and redriven", update_refused);
    trials.add_alone("a function's own role that is short of a right is told of", role_short);
    trials.add_alone("redriven after its principal was exempted, nothing more changes", exempted);
    trials.add_alone(
        "redriven after its principal hid under an exempt name, people know where",
        hidden,
    );
    trials.add_alone("redriven after the mode became off, nothing more changes", switched_off);
    trials.add("redriven, what was contained before is read back again", restored);
    trials.add_alone("redriven while only observing, nothing more changes", only_observing);
}

/// FAILED at `WaitForPeopleToRedrive`, after people were told of a step and its error.
async fn awaits_redrive(
    aws: &LocalAws,
    incident: &Incident<'_>,
    execution: &Execution,
    because: &[&str],
) -> Result<()> {
    let end = execution.ends(ExecutionStatus::Failed).await?;
    ensure!(end.error.as_deref() == Some("States.NoChoiceMatched"), "it failed with {end:?}");
    let history = execution.history().await?;
    ensure!(
        history.last_state() == "WaitForPeopleToRedrive",
        "it failed at `{}`",
        history.last_state()
    );
    let told = aws
        .topics()
        .alerts
        .message(format_args!("that `{}` failed", execution.name()), |message| {
            message.tells(Telling::Failed, &execution.arn)
        })
        .await?;
    let (user, finding) = (incident.user, &incident.finding);
    let known = [finding.id(), &user.arn, &user.account, "redrive-execution"];
    for part in known.iter().chain(because) {
        ensure!(told.text.contains(part), "`{part}` is not in the mail: {}", told.text);
    }
    let found = Box::pin(aws.in_security_hub(finding)).await?;
    ensure!(workflow(&found) == "NEW", "the finding is {}", workflow(&found));
    truth::holds(&told.page, &incident.before, &user.read_back().await?)
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
    // What was done all the same is told by name.
    let keys = incident.before.credentials.keys().map(|id| format!("`{id}` is inactive"));
    let keys: Vec<String> = keys.collect();
    let because = ["Quarantine", "AccessDenied", "iam:AttachUserPolicy", "no deny stands"];
    let because: Vec<&str> = because.into_iter().chain(keys.iter().map(String::as_str)).collect();
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

/// Starts an execution, which people must be told of that it failed, and by what.
async fn is_told_of(aws: &LocalAws, suspect: &Suspect<'_>, because: &[&str]) -> Result<Execution> {
    let execution = aws.execution_to_be();
    suspect.start(&execution).await?;
    execution.fails().await?;
    let told = told_of_failure(aws, &execution).await?;
    for part in because {
        ensure!(told.text.contains(part), "`{part}` is not in the mail: {}", told.text);
    }
    let (now, _) = suspect.is_no_worse().await?;
    truth::holds(&told.page, &suspect.before, &now)?;
    Ok(execution)
}

async fn told_of_failure(aws: &LocalAws, execution: &Execution) -> Result<Message> {
    let which = format!("that `{}` failed", execution.name());
    let told =
        aws.topics().alerts.message(which, |mail| mail.tells(Telling::Failed, &execution.arn));
    told.await
}

async fn goes_on(suspect: &Suspect<'_>, execution: &Execution) -> Result<()> {
    execution.redrive().await?;
    execution.succeeds().await?;
    Box::pin(suspect.is_dealt_with(execution, true)).await
}

async fn evidence_refused(alone: &Alone<'_>) -> Result<()> {
    alone.refuse_evidence().await?;
    let suspect = Suspect::new(alone, MEMBERS[0], Case::User).await?;
    let bucket = &alone.outputs().evidence_bucket_name;
    let because = ["Preserve", "AccessDenied", "s3:PutObject", bucket];
    let execution = is_told_of(alone, &suspect, &because).await?;
    alone.undo().await?;
    goes_on(&suspect, &execution).await
}

async fn bucket_gone(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let fault = aws.fault("s3:PutObject", Strike::error("NoSuchBucket")).about(suspect.id());
    let fault = fault.always().stand().await?;
    let bucket = &aws.outputs().evidence_bucket_name;
    let because = ["Preserve", "s3:PutObject", "NoSuchBucket", bucket];
    let execution = is_told_of(aws, &suspect, &because).await?;
    fault.lift().await?;
    goes_on(&suspect, &execution).await
}

async fn policy_gone(alone: &Alone<'_>) -> Result<()> {
    alone.remove_response_policy().await?;
    let suspect = Suspect::new(alone, MEMBERS[0], Case::User).await?;
    let parameter = &alone.outputs().response_policy_parameter;
    // Nobody has judged the finding yet, but people have to know whom it is about.
    let event = suspect.finding.event();
    let names = event["detail"]["findings"][0]["Resources"][0]["Id"].as_str();
    let names = format!("It names: {}", names.unwrap_or_default());
    let because = ["ReadResponsePolicy", "Ssm.ParameterNotFoundException", parameter, &names];
    let execution = is_told_of(alone, &suspect, &because).await?;
    alone.undo().await?;
    goes_on(&suspect, &execution).await
}

async fn update_refused(alone: &Alone<'_>) -> Result<()> {
    const CALL: &str = "securityhub:BatchUpdateFindings";
    alone.refuse_actions("Cordon-Resolve", &[CALL]).await?;
    let suspect = Suspect::new(alone, MEMBERS[0], Case::User).await?;
    let because = ["Resolve", "AccessDenied", CALL, "Cordon-Resolve"];
    let execution = is_told_of(alone, &suspect, &because).await?;
    ensure!(suspect.workflow().await? == "NEW");
    alone.undo().await?;
    goes_on(&suspect, &execution).await
}

async fn role_short(alone: &Alone<'_>) -> Result<()> {
    alone.refuse_actions("Cordon-Tag", &["sts:AssumeRole"]).await?;
    let suspect = Suspect::new(alone, MEMBERS[0], Case::User).await?;
    let because = ["Tag", "EntryRefused", "SecurityRemediation-Tag", "Cordon-Tag"];
    let execution = is_told_of(alone, &suspect, &because).await?;
    alone.undo().await?;
    goes_on(&suspect, &execution).await
}

/// A suspect under the deny, whose execution could not store the evidence and waits.
async fn held<'a>(alone: &'a Alone<'_>) -> Result<(Suspect<'a>, Execution, Snapshot)> {
    let suspect = Suspect::new(alone, MEMBERS[0], Case::User).await?;
    let fault = alone.fault("s3:PutObject", Strike::Denied).about(suspect.id());
    let fault = fault.always().stand().await?;
    let execution = is_told_of(alone, &suspect, &["Preserve", "AccessDenied"]).await?;
    fault.lift().await?;
    let held = suspect.read_back().await?;
    ensure!(held.attached.contains(DENY_ALL), "no deny stands: {held:?}");
    Ok((suspect, execution, held))
}

/// What an execution has changed in the member account.
async fn changes(aws: &LocalAws, execution: &Execution) -> Result<usize> {
    let calls = aws.calls_of(execution).await?;
    Ok(calls.iter().filter(|call| !call.read_only).count())
}

async fn exempted(alone: &Alone<'_>) -> Result<()> {
    let (suspect, execution, held) = held(alone).await?;
    let changed = changes(alone, &execution).await?;
    amend(alone, &json!({ "exemptPrincipals": [suspect.before.arn] })).await?;
    execution.redrive().await?;
    let judged = ends(alone, execution, &suspect.finding, End::Escalated).await?;
    let denied = "It was denied everything before, and that is not undone";
    judged.told(&[&suspect.before.arn, "the response policy exempts", denied])?;
    ensure!(changes(alone, &judged.execution).await? == changed, "it has changed something");
    ensure!(suspect.read_back().await? == held, "the user has changed");
    ensure!(suspect.original().await?.is_none(), "there is evidence");

    // Nor is anything claimed of whom an earlier pass contained.
    for field in ["exemptPrincipals", "exemptAccounts"] {
        let (suspect, execution) = unresolved(alone).await?;
        let held = suspect.read_back().await?;
        let exempt = match field {
            "exemptAccounts" => suspect.account(),
            _ => &suspect.before.arn,
        };
        amend(alone, &json!({ "exemptPrincipals": [], field: [exempt] })).await?;
        execution.redrive().await?;
        let judged = ends(alone, execution, &suspect.finding, End::Escalated).await?;
        judged.told(&[&suspect.before.arn, "the response policy exempts"])?;
        let before = ["as read back before the redrive", "It was denied everything before"];
        ensure!(before.iter().any(|said| judged.told.contains(said)), "{}", judged.told);
        let found = alone.in_security_hub(&suspect.finding).await?;
        let note = found.note().and_then(|note| note.text()).unwrap_or_default();
        ensure!(note.contains("exempts") && !note.contains("is contained"), "the note is `{note}`");
        ensure!(suspect.read_back().await? == held, "the user has changed");
    }
    Ok(())
}

/// Renamed by whoever has its sessions still, or an accomplice.
async fn hidden(alone: &Alone<'_>) -> Result<()> {
    let (suspect, execution, _) = held(alone).await?;
    let name = suspect.before.arn.rsplit('/').next().unwrap_or_default();
    let hiding = alone.unique("break-glass");
    let iam = alone.user().create().await?.account_root().iam();
    iam.update_user().user_name(name).new_user_name(&hiding).send().await?;
    amend(alone, &json!({ "exemptPrincipals": ["arn:aws:iam::*:user/break-glass*"] })).await?;
    execution.redrive().await?;
    execution.fails().await?;
    let is_of = |mail: &Message| {
        mail.text.contains(&execution.arn) && mail.text.contains("has hidden since")
    };
    let mail = alone.topics().alerts.message("where it has hidden", is_of).await?;
    let back = format!("--user-name '{hiding}' --new-user-name '{name}' --new-path '/'");
    for part in [&back, "AWSDenyAll is attached to it", &format!("--user-name '{hiding}'")] {
        ensure!(mail.text.contains(part), "no `{part}`: {}", mail.page);
    }
    for untrue in ["it was deleted", "no step has put a deny on it", "could not put a deny"] {
        ensure!(!mail.text.contains(untrue), "{}", mail.page);
    }
    // Under its own name it is contained.
    iam.update_user().user_name(&hiding).new_user_name(name).send().await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    let left = suspect.read_back().await?.left();
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(())
}

async fn switched_off(alone: &Alone<'_>) -> Result<()> {
    let (suspect, execution, held) = held(alone).await?;
    let calls = alone.calls_of(&execution).await?.len();
    amend(alone, &json!({ "mode": "off" })).await?;
    execution.redrive().await?;
    let judged = ends(alone, execution, &suspect.finding, End::Abandoned).await?;
    // That the deny stands all the same is for people to know.
    judged.told(&[&suspect.before.arn, "before the redrive", "AWSDenyAll", "`off`"])?;
    let now = alone.calls_of(&judged.execution).await?.len();
    ensure!(now == calls, "somebody entered the account");
    ensure!(suspect.read_back().await? == held, "the user has changed");
    Ok(())
}

/// A suspect who is contained, whose execution could not resolve the finding and waits.
async fn unresolved(aws: &LocalAws) -> Result<(Suspect<'_>, Execution)> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let fault = aws.fault("securityhub:BatchUpdateFindings", Strike::Denied);
    let fault = fault.about(suspect.finding.id()).always().stand().await?;
    let execution =
        is_told_of(aws, &suspect, &["Resolve", "AccessDenied", "The attacker is out"]).await?;
    fault.lift().await?;
    Ok((suspect, execution))
}

/// Between the passes somebody gives the user back what it had.
async fn restored(aws: &LocalAws) -> Result<()> {
    let (suspect, execution) = unresolved(aws).await?;
    let iam = aws.account(suspect.account()).iam();
    let name = suspect.before.arn.rsplit('/').next().unwrap_or_default();
    iam.detach_user_policy().user_name(name).policy_arn(DENY_ALL).send().await?;
    iam.attach_user_policy().user_name(name).policy_arn(ADMINISTRATOR_ACCESS).send().await?;
    goes_on(&suspect, &execution).await
}

/// All is done but for the finding, which observers leave as it is.
async fn only_observing(alone: &Alone<'_>) -> Result<()> {
    let (suspect, execution) = unresolved(alone).await?;
    let (held, calls) = (suspect.read_back().await?, alone.calls_of(&execution).await?.len());
    amend(alone, &json!({ "mode": "observe" })).await?;
    execution.redrive().await?;
    let judged = ends(alone, execution, &suspect.finding, End::Observed).await?;
    judged.told(&[&suspect.before.arn, "before the redrive", "The finding stays as it is"])?;
    let now = alone.calls_of(&judged.execution).await?.len();
    ensure!(now == calls, "somebody entered the account");
    ensure!(suspect.read_back().await? == held, "the user has changed");

    // Once the policy lets it act again, a person's choice ends it.
    amend(alone, &json!({ "mode": "contain" })).await?;
    choose(alone, &suspect.finding, End::Contained).await?;
    Ok(())
}
