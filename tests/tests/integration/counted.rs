//! The limits of an hour: by distinct principal, for each account and class of source.

use std::future::Future;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use futures::future::try_join_all;
use harness::MEMBERS;
use harness::alone::Alone;
use harness::execution::Execution;
use harness::faults::Strike;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Telling;
use harness::user::{DENY_ALL, User};
use serde_json::json;

use crate::cases;
use crate::incident::workflow;
use crate::judged::{End, ends, leads_to};
use crate::response_policy::amend;
use crate::trials::Trials;
use crate::verdicts::{administrator, choose, mark};

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_alone("a finding set back to NEW ten times counts once", set_back);
    trials.add_alone("twenty users who do not exist count nothing", imaginary);
    trials.add_alone("executions started by hand contain no more than the limit", by_hand);
    trials.add_alone("what people choose has a limit of its own", chosen);
    trials.add_alone("retirements have a limit of their own", retired);
    trials.add_alone("of a flood of escalations one mail tells, and what is urgent", flood);
    trials.add_alone("of who is contained already people are told so often an hour", repeated);
    trials.add_alone("where an overflow can't be claimed, people are told in full", unclaimed);
    trials.add_alone("who redrives where nothing more would be mailed is answered", asked);
    trials.add_alone("an overflow that could not be told is told, and redriven", untold);
}

/// How often a test may run over the full hour that it counts within.
const ATTEMPTS: usize = 2;

const ACCOUNT: &str = MEMBERS[1];

/// Runs a test within one hour, in which nothing was counted before.
async fn within_an_hour<F>(alone: &Alone<'_>, windows: &[&str], test: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    for _ in 0..ATTEMPTS {
        let hour = alone.forget(ACCOUNT, windows).await?;
        let result = Box::pin(test()).await;
        if alone.forget(ACCOUNT, windows).await? == hour {
            return result;
        }
    }
    bail!("a new hour began, {ATTEMPTS} times")
}

/// A custom product's finding on a new user, that ends like this.
async fn custom(aws: &LocalAws, end: End) -> Result<(User, Finding)> {
    let (user, _) = administrator(aws, ACCOUNT).await?;
    let before = user.read_back().await?;
    let finding = Finding::about(&user);
    let judged = leads_to(aws, &finding, end).await?;
    let now = user.read_back().await?;
    if end == End::Contained {
        ensure!(now.left().is_empty(), "left: {:?}", now.left());
    } else {
        judged.told(&["containments an hour is reached", ACCOUNT])?;
        ensure!(now == before, "the user has changed");
        let output = judged.execution.describe().await?.output.unwrap_or_default();
        ensure!(output.contains("\"ContainmentLimit\""), "{output}");
    }
    Ok((user, finding))
}

async fn set_back(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "containmentsPerHour": 2 })).await?;
    within_an_hour(alone, &["custom"], async || {
        let (user, finding) = custom(alone, End::Contained).await?;
        for before in 1..=10 {
            // Given back, or else it would not be counted at all.
            let deny = user.account_root().iam().detach_user_policy().user_name(&user.name);
            deny.policy_arn(DENY_ALL).send().await?;
            mark(alone, &finding, "NEW").await?;
            let execution = nth(alone, &finding, before + 1).await?;
            ends(alone, execution, &finding, End::Contained).await?;
        }
        let _ = custom(alone, End::Contained).await?;
        let _ = custom(alone, End::Escalated).await?;
        Ok(())
    })
    .await
}

/// The newest execution of a finding, once there are so many.
async fn nth(aws: &LocalAws, finding: &Finding, number: usize) -> Result<Execution> {
    harness::wait::until("another execution", harness::wait::PATIENCE, async || {
        let executions = aws.executions_of(finding).await?;
        Ok((executions.len() >= number).then(|| executions.into_iter().next()).flatten())
    })
    .await
}

/// A custom product's finding on a user whom the account does not have.
fn about_nobody(aws: &LocalAws, severity: &str) -> Finding {
    let name = aws.unique("nobody");
    let finding = Finding::of_account(ACCOUNT, &name);
    finding
        .resource("AwsIamUser", &format!("arn:aws:iam::{ACCOUNT}:user/{name}"))
        .with("Severity", json!({ "Label": severity }))
}

async fn imaginary(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "containmentsPerHour": 1 })).await?;
    within_an_hour(alone, &["custom"], async || {
        let findings: Vec<_> = (0..20).map(|_| about_nobody(alone, "HIGH")).collect();
        let judged = findings.iter().map(|finding| leads_to(alone, finding, End::Escalated));
        for judged in try_join_all(judged).await? {
            judged.told(&["has no user"])?;
        }
        let _ = custom(alone, End::Contained).await?;
        let _ = custom(alone, End::Escalated).await?;
        Ok(())
    })
    .await
}

async fn by_hand(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "containmentsPerHour": 2 })).await?;
    within_an_hour(alone, &["custom"], async || {
        let mut contained = 0;
        for _ in 0..4 {
            let (user, _) = administrator(alone, ACCOUNT).await?;
            let execution = alone.start(&Finding::about(&user).new_event()).await?;
            // Nor can a finding that Security Hub does not know become NOTIFIED.
            execution.ends(ExecutionStatus::Failed).await?;
            contained += usize::from(user.read_back().await?.left().is_empty());
        }
        ensure!(contained == 2, "{contained} were contained");
        Ok(())
    })
    .await
}

async fn chosen(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "containmentsPerHour": 0, "customActionsPerHour": 1 })).await?;
    within_an_hour(alone, &["custom", "person"], async || {
        let (first, finding) = custom(alone, End::Escalated).await?;
        choose(alone, &finding, End::Contained).await?;
        let left = first.read_back().await?.left();
        ensure!(left.is_empty(), "left: {left:?}");
        let (second, finding) = custom(alone, End::Escalated).await?;
        let before = second.read_back().await?;
        let judged = choose(alone, &finding, End::Escalated).await?;
        judged.told(&["the limit of 1 containments an hour", "people's choice"])?;
        ensure!(second.read_back().await? == before, "the user has changed");
        Ok(())
    })
    .await
}

async fn retired(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "containmentsPerHour": 0, "retirementsPerHour": 1 })).await?;
    within_an_hour(alone, &["retirement"], async || {
        for end in [End::Contained, End::Escalated] {
            let user = alone.user().account(ACCOUNT).create().await?;
            user.access_key().await?;
            alone.age(&user, 100).await?;
            let before = user.read_back().await?;
            let finding = cases::finding_in(alone, ACCOUNT, "control-unused-90-days")?;
            let judged =
                leads_to(alone, &cases::about(&finding, "AwsIamUser", &user.arn), end).await?;
            if end == End::Escalated {
                judged.told(&["the limit of 1 retirements an hour"])?;
                ensure!(user.read_back().await? == before, "the user has changed");
            }
        }
        Ok(())
    })
    .await
}

async fn flood(alone: &Alone<'_>) -> Result<()> {
    const MOST: usize = 2;
    amend(alone, &json!({ "escalationsPerHour": MOST })).await?;
    // Digests of the rules that the urgent ones are told by.
    let windows = [
        "custom#escalations",
        "urgent#custom#db3e630cc28e19722ab98c8b5ef54a21897819ec",
        "urgent#custom#8337d7fa23c7b98ee282593b25d9b43442e1f62d",
    ];
    within_an_hour(alone, &windows, async || {
        let findings: Vec<_> = (0..7).map(|_| about_nobody(alone, "HIGH")).collect();
        try_join_all(findings.iter().map(|finding| alone.import(finding))).await?;
        let (mut mailed, mut overflows, mut unmailed) = (0, 0, Vec::new());
        for finding in &findings {
            let execution = alone.execution_of(finding).await?;
            execution.succeeds().await?;
            let found = alone.in_security_hub(finding).await?;
            let history = execution.history().await?;
            match (history.last_state(), workflow(&found)) {
                ("Escalated", "NOTIFIED") => mailed += 1,
                ("EscalatedUnmailed", "NEW") => {
                    unmailed.push(finding);
                    if history.entered("TellOverflow") {
                        overflows += 1;
                        let told = alone.topics().alerts.mention(&execution.arn).await?;
                        ensure!(told.tells(Telling::Overflow, &execution.arn), "{told:?}");
                        let listing = "aws securityhub get-findings";
                        ensure!(told.text.contains(listing), "{}", told.text);
                    }
                }
                end => bail!("it ended {end:?}"),
            }
        }
        ensure!((mailed, overflows, unmailed.len()) == (MOST, 1, 5), "{mailed} {overflows}");

        // What is urgent comes through, and whoever asks is answered.
        leads_to(alone, &about_nobody(alone, "CRITICAL"), End::Escalated).await?;
        // Names that do not exist anybody can invent who may import findings.
        let invented = alone.start(&about_nobody(alone, "CRITICAL").new_event()).await?;
        invented.succeeds().await?;
        let history = invented.history().await?;
        ensure!(history.last_state() == "EscalatedUnmailed", "{:?}", history.path());
        let root = cases::finding_in(alone, ACCOUNT, "custom-root-access-key")?;
        leads_to(alone, &root, End::Escalated).await?;
        choose(alone, unmailed[0], End::Escalated).await?;
        // A mail about the same principal as an urgent one counts like any other.
        let again = alone.start(&root.new_event()).await?;
        again.succeeds().await?;
        let history = again.history().await?;
        ensure!(history.last_state() == "EscalatedUnmailed", "{:?}", history.path());
        Ok(())
    })
    .await
}

async fn repeated(alone: &Alone<'_>) -> Result<()> {
    const MOST: usize = 2;
    amend(alone, &json!({ "escalationsPerHour": MOST })).await?;
    let windows = ["custom", "custom#escalations", "custom#escalations#repetitions"];
    within_an_hour(alone, &windows, async || {
        let (user, first) = custom(alone, End::Contained).await?;
        let (mut mailed, mut unmailed) = (0, 0);
        let another = || Finding::about(&user).with("Id", alone.unique("another-finding"));
        for _ in 0..5 {
            let finding = another();
            alone.import(&finding).await?;
            let execution = alone.execution_of(&finding).await?;
            execution.succeeds().await?;
            let found = alone.in_security_hub(&finding).await?;
            ensure!(workflow(&found) == "RESOLVED", "{found:?}");
            match execution.history().await?.last_state() {
                "Contained" => mailed += 1,
                "ContainedUnmailed" => unmailed += 1,
                end => bail!("it ended with {end}"),
            }
        }
        ensure!((mailed, unmailed) == (MOST, 3), "{mailed} mailed, {unmailed} not");

        // They use up nothing of what others are told by, and whoever asks is answered.
        leads_to(alone, &about_nobody(alone, "HIGH"), End::Escalated).await?;
        choose(alone, &first, End::Contained).await?;
        let lost = another();
        alone.store(&lost).await?;
        let execution = alone.execution_to_be();
        let gone = alone.fault("dynamodb:UpdateItem", Strike::error("ResourceNotFoundException"));
        let gone = gone.caller(execution.name()).always().stand().await?;
        alone.start_as(&execution, &lost.new_event()).await?;
        ends(alone, execution, &lost, End::Contained).await?;
        ensure!(gone.lift().await? == 1, "nothing was struck");
        Ok(())
    })
    .await
}

/// The first write, which finds no room, is answered; the second, which claims the mail, is not.
async fn unclaimed(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "escalationsPerHour": 0 })).await?;
    within_an_hour(alone, &["custom#escalations"], async || {
        let finding = about_nobody(alone, "HIGH");
        alone.store(&finding).await?;
        let execution = alone.execution_to_be();
        let gone = alone.fault("dynamodb:UpdateItem", Strike::error("ResourceNotFoundException"));
        let gone = gone.caller(execution.name()).after(1).always().stand().await?;
        alone.start_as(&execution, &finding.new_event()).await?;
        let judged = ends(alone, execution, &finding, End::Escalated).await?;
        ensure!(gone.lift().await? == 1, "nothing was struck");
        let history = judged.execution.history().await?;
        ensure!(history.entered("ClaimOverflowMail"), "{:?}", history.path());
        Ok(())
    })
    .await
}

/// Stopped where the count is asked that finds no room, and redriven there.
async fn asked(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "escalationsPerHour": 0 })).await?;
    let windows = ["custom", "custom#escalations", "custom#escalations#repetitions"];
    within_an_hour(alone, &windows, async || {
        let (user, _) = custom(alone, End::Contained).await?;
        let again = Finding::about(&user).with("Id", alone.unique("another-finding"));
        // The hour's mail is another's.
        let claims = alone.start(&about_nobody(alone, "HIGH").new_event()).await?;
        claims.succeeds().await?;
        ensure!(claims.history().await?.entered("TellOverflow"), "nobody was told");
        for (finding, state, before, end) in [
            (about_nobody(alone, "HIGH"), "ClaimOverflowMail", 1, End::Escalated),
            (again, "CountRepetitions", 0, End::Contained),
        ] {
            alone.store(&finding).await?;
            let execution = alone.execution_to_be();
            let held = alone.fault("dynamodb:UpdateItem", Strike::TimedOut);
            let held = held.caller(execution.name()).after(before).always().stand().await?;
            alone.start_as(&execution, &finding.new_event()).await?;
            execution.enters(state).await?;
            execution.stop().await?;
            held.lift().await?;
            execution.redrive().await?;
            ends(alone, execution, &finding, end).await.context(state)?;
        }
        Ok(())
    })
    .await
}

async fn untold(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "escalationsPerHour": 0 })).await?;
    within_an_hour(alone, &["custom#escalations"], async || {
        let finding = about_nobody(alone, "HIGH");
        alone.store(&finding).await?;
        let execution = alone.execution_to_be();
        let lost = alone.fault("sns:Publish", Strike::Denied);
        let lost =
            lost.caller(execution.name()).about("too many escalations:").always().stand().await?;
        alone.start_as(&execution, &finding.new_event()).await?;
        execution.ends(ExecutionStatus::Failed).await?;
        let told = alone.topics().alerts.mention(&execution.arn).await?;
        ensure!(told.text.contains("TellOverflow"), "{}", told.text);
        lost.lift().await?;
        // A redrive is a person's wish.
        execution.redrive().await?;
        ends(alone, execution, &finding, End::Escalated).await?;
        Ok(())
    })
    .await
}
