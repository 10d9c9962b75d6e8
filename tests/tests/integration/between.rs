//! What falls between the cracks of the state machine: what no Catch sees, and what never
//! becomes an execution. Those who run Cordon learn of it, and nothing is lost.

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use aws_sdk_sqs::types::QueueAttributeName;
use harness::MEMBERS;
use harness::alone::Alone;
use harness::calls::source_identity;
use harness::execution::Execution;
use harness::faults::{Fault, Strike};
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::{Message, Telling};
use harness::user::DENY_ALL;
use harness::wait::{self, PATIENCE};
use serde_json::json;

use crate::guide::dangerous_user;
use crate::incident::{Incident, workflow};
use crate::judged::{End, ends};
use crate::response_policy::amend;
use crate::suspect::{Case, Suspect};
use crate::trials::Trials;

/// A payload may have so many bytes.
///
/// <https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html>
const LONGEST_PAYLOAD: usize = 262_144;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("an execution that a person stops is reported, and redriven", stopped);
    trials.add("an execution with a payload that is too large is reported", too_large);
    trials.add("an execution that is stopped while it resolves claims nothing", stopped_at_the_end);
    trials.add_alone("an execution that was stopped goes by the policy of its redrive", overruled);
    trials.add_alone("an execution that runs out of time is reported, and redriven", out_of_time);
    trials.add_alone("an execution that Step Functions can't go on with is reported", runtime);
    trials.add_alone("with a broken responders' topic, the operations' topic says so", untold);
    trials.add_alone("an event that starts no execution waits for one", undelivered);
    trials
        .add_alone("a redrive that begins at a mail reads back before it tells", stopped_at_a_mail);
    trials.add_alone("whom an earlier pass has denied nobody calls untouched", touched_before);
    trials.add_alone("whom a step has denied whose answer was lost nobody calls untouched", lost);
    trials.add_alone("observing does not forget whose keys were made inactive", acted_before);
    trials.add_alone("keys that were made inactive are told beyond every limit", keys_are_told);
    trials.add_alone("denied again in a second round: the same case", second_round);
    trials.add_alone("a deny that was read back as gone is told by no later mail", taken_away);
}

/// Those who run Cordon are told that an execution has ended, and how.
pub(crate) async fn reported(aws: &LocalAws, execution: &Execution, how: &str) -> Result<()> {
    let told = aws.topics().operations.mention(&execution.arn).await?.text;
    ensure!(told.contains(how), "`{how}` is not in the mail: {told}");
    for command in ["describe-execution", "redrive-execution"] {
        let command = format!("{command} --region us-east-1 --execution-arn {}", execution.arn);
        ensure!(told.contains(&command), "`{command}` is not in the mail: {told}");
    }
    Ok(())
}

/// A suspect whose execution hangs in Quarantine.
async fn hanging(aws: &LocalAws) -> Result<(Suspect<'_>, Execution, Fault)> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let execution = aws.execution_to_be();
    let session = source_identity(&execution);
    let fault = aws.fault("sts:AssumeRole", Strike::TimedOut).caller("cordon-quarantine");
    let fault = fault.about(session).always().stand().await?;
    suspect.start(&execution).await?;
    execution.enters("Quarantine").await?;
    Ok((suspect, execution, fault))
}

async fn goes_on_to_its_end(suspect: &Suspect<'_>, execution: &Execution) -> Result<()> {
    suspect.is_no_worse().await?;
    let status = suspect.workflow().await?;
    ensure!(status == "NEW", "the finding is {status}");
    execution.redrive().await?;
    execution.succeeds().await?;
    Box::pin(suspect.is_dealt_with(execution, true)).await
}

async fn stopped(aws: &LocalAws) -> Result<()> {
    let (suspect, execution, fault) = hanging(aws).await?;
    execution.stop().await?;
    execution.ends(ExecutionStatus::Aborted).await?;
    fault.lift().await?;
    reported(aws, &execution, "ABORTED").await?;
    goes_on_to_its_end(&suspect, &execution).await
}

/// A suspect whose execution was stopped before a state's function was invoked: one that is
/// goes on when the execution is stopped.
async fn stopped_at<'a>(
    aws: &'a LocalAws,
    state: &str,
    function: &str,
) -> Result<(Suspect<'a>, Execution)> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let execution = aws.execution_to_be();
    let fault = aws.fault("lambda:InvokeFunction", Strike::TimedOut);
    let fault = fault.caller(execution.name()).about(function).stand().await?;
    suspect.start(&execution).await?;
    execution.enters(state).await?;
    execution.stop().await?;
    fault.lift().await?;
    Ok((suspect, execution))
}

/// The redrive begins in the middle, under a policy that forbids to go on.
async fn overruled(alone: &Alone<'_>) -> Result<()> {
    let (suspect, execution) = stopped_at(alone, "Quarantine", "cordon-quarantine").await?;
    let calls = alone.calls_of(&execution).await?.len();
    amend(alone, &json!({ "mode": "off" })).await?;
    execution.redrive().await?;
    let judged = ends(alone, execution, &suspect.finding, End::Abandoned).await?;
    judged.told(&[&suspect.before.arn, "`off`"])?;
    let now = alone.calls_of(&judged.execution).await?.len();
    ensure!(now == calls, "somebody entered the account");
    ensure!(suspect.read_back().await? == suspect.before, "the user has changed");
    Ok(())
}

/// What was read back before it was stopped is of another day when it is redriven: it is read
/// back again before the finding is resolved.
async fn stopped_at_the_end(aws: &LocalAws) -> Result<()> {
    let (suspect, execution) = stopped_at(aws, "Resolve", "cordon-resolve").await?;
    goes_on_to_its_end(&suspect, &execution).await?;
    let path = execution.history().await?.path().join(" ");
    ensure!(path.matches(" ReadResponsePolicy").count() == 2, "{path}");
    ensure!(path.matches(" Verify ").count() == 2, "{path}");
    Ok(())
}

async fn out_of_time(alone: &Alone<'_>) -> Result<()> {
    alone.redefine("/TimeoutSeconds", json!(15)).await?;
    let (suspect, execution, fault) = hanging(alone).await?;
    execution.ends(ExecutionStatus::TimedOut).await?;
    fault.lift().await?;
    reported(alone, &execution, "TIMED_OUT").await?;
    goes_on_to_its_end(&suspect, &execution).await
}

/// No state of ours raises `States.Runtime`, which no Catch sees: this one leads nowhere.
async fn runtime(alone: &Alone<'_>) -> Result<()> {
    alone.redefine("/States/ReadResponsePolicy/Next", json!("Nowhere")).await?;
    let suspect = Suspect::new(alone, MEMBERS[0], Case::User).await?;
    let execution = alone.execution_to_be();
    suspect.start(&execution).await?;
    let end = execution.fails().await?;
    ensure!(end.error.as_deref() == Some("States.Runtime"), "it failed with {end:?}");
    reported(alone, &execution, "States.Runtime").await?;
    ensure!(suspect.read_back().await? == suspect.before, "the user has changed");
    Ok(())
}

/// Security Hub's findings are smaller, but anybody who may start an execution chooses its input.
async fn too_large(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    let before = user.read_back().await?;
    // The very event that is measured is filled up: another one's times may be a digit longer.
    let mut event = Finding::about(&user).with("Description", "").new_event();
    let rest = event.to_string().len();
    event["detail"]["findings"][0]["Description"] = json!("x".repeat(LONGEST_PAYLOAD - rest));
    let execution = aws.start(&event).await?;
    let end = execution.fails().await?;
    ensure!(end.error.as_deref() == Some("States.DataLimitExceeded"), "it failed with {end:?}");
    reported(aws, &execution, "States.DataLimitExceeded").await?;
    let after = user.read_back().await?;
    ensure!(after == before, "the user was {before:?} and is {after:?}");
    Ok(())
}

async fn untold(alone: &Alone<'_>) -> Result<()> {
    alone.refuse_alerts().await?;
    let suspect = Suspect::new(alone, MEMBERS[0], Case::User).await?;
    let execution = alone.execution_to_be();
    suspect.start(&execution).await?;
    let end = execution.fails().await?;
    ensure!(end.error.as_deref() == Some("SNS.AuthorizationErrorException"), "{end:?}");
    reported(alone, &execution, "SNS.AuthorizationErrorException").await?;
    // That nobody is told does not keep the attacker in.
    Box::pin(suspect.is_dealt_with(&execution, true)).await?;

    alone.undo().await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    Box::pin(suspect.is_dealt_with(&execution, true)).await?;
    for telling in [Telling::Failed, Telling::Done] {
        let alerts = &alone.topics().alerts;
        let wanted = format!("{telling:?} of `{}`", execution.name());
        alerts.message(wanted, |mail| mail.tells(telling, &execution.arn)).await?;
    }
    Ok(())
}

/// What `make replay` says, of whichever outcome.
async fn replay(aws: &LocalAws, rule: &str) -> Result<String> {
    Ok(aws.command("replay", &[("RULE", rule)]).await?.text)
}

async fn undelivered(alone: &Alone<'_>) -> Result<()> {
    let user = dangerous_user(alone.user().create().await?).await?;
    let incident = Incident::about(alone, &user).await?;
    alone.refuse_actions(STARTING_ROLE, &["states:StartExecution"]).await?;
    alone.import(&incident.finding).await?;
    let queue = is_in_a_dead_letter_queue(alone).await?;
    ensure!(alone.executions_of(&incident.finding).await?.is_empty(), "an execution has started");
    let found = alone.in_security_hub(&incident.finding).await?;
    ensure!(workflow(&found) == "NEW", "the finding is {}", workflow(&found));
    let refused = replay(alone, "cordon-alerts").await?;
    ensure!(refused.contains("start no execution"), "{refused}");

    alone.undo().await?;
    // Another run has it in its hands.
    let sqs = alone.security().sqs();
    let received = sqs.receive_message().queue_url(&queue).send().await?;
    let [message] = received.messages() else { bail!("not one message: {received:?}") };
    let hidden = replay(alone, "cordon-findings").await?;
    ensure!(hidden.contains("0 events of cordon-findings were replayed; 1 more are"), "{hidden}");
    let shown = sqs.change_message_visibility().queue_url(&queue).visibility_timeout(0);
    shown.set_receipt_handle(message.receipt_handle.clone()).send().await?;

    let replayed = replay(alone, "cordon-findings").await?;
    ensure!(replayed.contains("1 events of cordon-findings were replayed"), "{replayed}");
    let execution = alone.execution_of(&incident.finding).await?;
    ensure!(replayed.contains(execution.name()), "`{}` is not in: {replayed}", execution.name());
    execution.succeeds().await?;
    Box::pin(incident.ended_well(&execution)).await?;
    let again = replay(alone, "cordon-findings").await?;
    ensure!(again.contains("0 events of cordon-findings were replayed"), "{again}");
    Ok(())
}

/// The role by which the rule for findings starts executions.
const STARTING_ROLE: &str = "Cordon-Findings";

/// Waits until one of the queues for what was not delivered has a message, and returns that
/// queue's URL. The message is not received, which would hide it.
async fn is_in_a_dead_letter_queue(aws: &LocalAws) -> Result<String> {
    let sqs = aws.security().sqs();
    let queues = sqs.list_queues().send().await.context("cannot list the queues")?;
    let queues: Vec<_> =
        queues.queue_urls().iter().filter(|it| it.contains("Undelivered")).collect();
    let waiting = QueueAttributeName::ApproximateNumberOfMessages;
    wait::until("an event in a queue", PATIENCE, async || {
        for queue in &queues {
            let read =
                sqs.get_queue_attributes().queue_url(*queue).attribute_names(waiting.clone());
            let attributes = read.send().await?.attributes.unwrap_or_default();
            if attributes.get(&waiting).is_some_and(|messages| messages != "0") {
                return Ok(Some((*queue).clone()));
            }
        }
        Ok(None)
    })
    .await
}

/// What was read back before it was stopped may not be true on the day of the redrive.
async fn stopped_at_a_mail(alone: &Alone<'_>) -> Result<()> {
    let suspect = Suspect::new(alone, MEMBERS[0], Case::User).await?;
    let execution = alone.execution_to_be();
    let fault = alone.fault("sns:Publish", Strike::TimedOut).caller(execution.name());
    let fault = fault.about("contained:").always().stand().await?;
    suspect.start(&execution).await?;
    execution.enters("TellContained").await?;
    execution.stop().await?;
    fault.lift().await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    let path = execution.history().await?.path().join(" ");
    ensure!(path.matches(" Verify ").count() == 2, "{path}");
    let alerts = &alone.topics().alerts;
    alerts
        .message("that it is contained", |mail| mail.tells(Telling::Done, &execution.arn))
        .await?;
    Ok(())
}

/// A redrive that does nothing more knows what an earlier pass did.
async fn touched_before(alone: &Alone<'_>) -> Result<()> {
    for change in [json!({ "mode": "observe" }), json!({ "exemptAccounts": [MEMBERS[0]] })] {
        let (suspect, execution) = stopped_at(alone, "Tag", "cordon-tag").await?;
        amend(alone, &change).await?;
        execution.redrive().await?;
        execution.succeeds().await?;
        is_said_to_be_touched(alone, &suspect, &execution)
            .await
            .with_context(|| change.to_string())?;
        amend(alone, &json!({ "mode": "contain", "exemptAccounts": [] })).await?;
    }
    // And it is not forgotten by a redrive that can't enter the account.
    let (suspect, execution) = stopped_at(alone, "Tag", "cordon-tag").await?;
    alone.refuse_entry(MEMBERS[0], "AssumeRole").await?;
    execution.redrive().await?;
    execution.fails().await?;
    is_said_to_be_touched(alone, &suspect, &execution).await?;
    alone.undo().await?;
    amend(alone, &json!({ "exemptPrincipals": [suspect.before.arn] })).await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    is_said_to_be_touched(alone, &suspect, &execution).await
}

async fn is_said_to_be_touched(
    alone: &Alone<'_>,
    suspect: &Suspect<'_>,
    execution: &Execution,
) -> Result<()> {
    let now = suspect.read_back().await?;
    ensure!(now.left().is_empty(), "left: {:?}", now.left());
    alone.topics().alerts.mention(&execution.arn).await?;
    for mail in alone.topics().alerts.mentioning(&execution.arn) {
        for untrue in ["Nobody was touched", "THE ATTACKER IS STILL IN", "Nothing was changed"] {
            ensure!(!mail.text.contains(untrue), "{}", mail.text);
        }
    }
    Ok(())
}

/// Stopped inside of Quarantine, which goes on all the same, and redriven under a policy that
/// forbids to go on.
async fn lost(alone: &Alone<'_>) -> Result<()> {
    let iam = alone.user().create().await?.account_root().iam();
    for (said, change) in [
        ("was denied everything before", json!({ "mode": "observe" })),
        ("was denied everything before", json!({ "exemptPrincipals": ["arn:aws:iam::*:user/*"] })),
        ("nobody knows whether a deny stands", json!({ "exemptAccounts": [MEMBERS[0]] })),
        ("nobody knows whether a deny stands", json!({ "mode": "off" })),
    ] {
        let (suspect, execution) = stopped_at(alone, "Quarantine", "cordon-quarantine").await?;
        let name = suspect.before.arn.rsplit('/').next().unwrap_or_default();
        iam.attach_user_policy().user_name(name).policy_arn(DENY_ALL).send().await?;
        amend(alone, &change).await?;
        execution.redrive().await?;
        execution.succeeds().await?;
        alone.topics().alerts.mention(&execution.arn).await?;
        let mails = alone.topics().alerts.mentioning(&execution.arn);
        ensure!(mails.len() == 1, "{change}: {} mails", mails.len());
        for Message { text, .. } in mails {
            ensure!(text.contains(said), "{change}: {text}");
            for untrue in ["Nobody was touched", "no deny stands", "put a deny on it"] {
                ensure!(!text.contains(untrue), "{change}: {text}");
            }
        }
        let was = json!({ "mode": "contain", "exemptPrincipals": [], "exemptAccounts": [] });
        amend(alone, &was).await?;
    }
    Ok(())
}

/// Without the deny the keys alone are made inactive; then people stop Cordon.
async fn acted_before(alone: &Alone<'_>) -> Result<()> {
    let suspect = Suspect::new(alone, MEMBERS[0], Case::User).await?;
    let actions = ["iam:AttachUserPolicy", "iam:PutUserPermissionsBoundary"];
    alone.refuse_in_member(MEMBERS[0], "Quarantine", &actions).await?;
    let execution = alone.execution_to_be();
    suspect.start(&execution).await?;
    execution.fails().await?;
    amend(alone, &json!({ "mode": "observe" })).await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    let evidence = suspect.original().await?.context("there is no evidence")?;
    let alerts = &alone.topics().alerts;
    let told =
        alerts.message("of it", |mail| mail.tells(Telling::Observed, &execution.arn)).await?;
    for part in ["Nobody more was touched", "before is not undone", evidence.uri.as_str()] {
        ensure!(told.text.contains(part), "no `{part}`: {}", told.text);
    }
    let now = suspect.read_back().await?;
    ensure!(now.credentials.values().all(|status| status == "Inactive"), "{:?}", now.credentials);
    Ok(())
}

/// An unused password is left to people, but its owner's keys are inactive by then.
async fn keys_are_told(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "escalationsPerHour": 0 })).await?;
    for _ in 0..2 {
        let user = alone.user().create().await?;
        let iam = user.account_root().iam();
        iam.create_login_profile().user_name(&user.name).password("Correct-horse-1").send().await?;
        let key = user.access_key().await?;
        alone.age(&user, 100).await?;
        let finding = crate::cases::finding(alone, "control-unused-90-days")?;
        let finding = crate::cases::about(&finding, "AwsIamUser", &user.arn);
        alone.store(&finding).await?;
        let execution = alone.start(&finding.new_event()).await?;
        execution.succeeds().await?;
        let alerts = &alone.topics().alerts;
        let told =
            alerts.message("of its keys", |mail| mail.tells(Telling::LeftToPeople, &execution.arn));
        let told = told.await?.text;
        ensure!(told.contains(&format!("`{}` is inactive", key.id)), "{told}");
    }
    Ok(())
}

/// Somebody in the account takes the deny away before it is read back.
async fn without_its_deny<'a>(alone: &'a Alone<'_>) -> Result<(Suspect<'a>, Execution)> {
    amend(alone, &json!({ "settlingSeconds": 6 })).await?;
    let suspect = Suspect::new(alone, MEMBERS[0], Case::User).await?;
    let name = suspect.before.arn.rsplit('/').next().unwrap_or_default().to_owned();
    let iam = alone.user().create().await?.account_root().iam();
    let execution = alone.execution_to_be();
    suspect.start(&execution).await?;
    execution.enters("Settle").await?;
    iam.detach_user_policy().user_name(&name).policy_arn(DENY_ALL).send().await?;
    iam.delete_user_permissions_boundary().user_name(&name).send().await?;
    Ok((suspect, execution))
}

async fn second_round(alone: &Alone<'_>) -> Result<()> {
    let (suspect, execution) = without_its_deny(alone).await?;
    execution.succeeds().await?;
    ensure!(execution.history().await?.path().join(" ").matches(" AssumeRole ").count() == 2);
    Box::pin(suspect.is_dealt_with(&execution, true)).await?;
    let alerts = &alone.topics().alerts;
    let told = alerts.message("of it", |mail| mail.tells(Telling::Done, &execution.arn)).await?;
    ensure!(told.text.contains("/0001/original.json"), "{}", told.text);
    for id in suspect.before.credentials.keys() {
        ensure!(told.text.contains(&format!("`{id}` is inactive")), "{}", told.text);
    }
    Ok(())
}

/// Nor in the second round, nor in a redrive, can the account be entered.
async fn taken_away(alone: &Alone<'_>) -> Result<()> {
    let (suspect, execution) = without_its_deny(alone).await?;
    alone.refuse_entry(MEMBERS[0], "AssumeRole").await?;
    execution.fails().await?;
    execution.redrive().await?;
    execution.fails().await?;
    let is_denied = suspect.read_back().await?.attached.contains(DENY_ALL);
    ensure!(!is_denied, "somebody has put the deny on it again");
    let alerts = &alone.topics().alerts;
    alerts.count(2, |mail| mail.text.contains(&execution.arn)).await?;
    let mails = alerts.mentioning(&execution.arn);
    ensure!(mails.len() == 2, "{} mails", mails.len());
    for mail in mails {
        for part in ["THE ATTACKER IS STILL IN", "aws iam attach-user-policy"] {
            ensure!(mail.text.contains(part), "no `{part}`: {}", mail.text);
        }
    }
    Ok(())
}
