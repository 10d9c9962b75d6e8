//! What happens twice, at the same time, or in between.

use anyhow::{Result, bail, ensure};
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::user::ADMINISTRATOR_ACCESS;
use harness::wait::{self, PATIENCE};

use crate::guide::dangerous_user;
use crate::incident::{Incident, workflow};
use crate::trials::Trials;

/// How often a test may come too late for the moment that it is about.
const ATTEMPTS: usize = 3;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("the same event twice does no harm", same_event_twice);
    trials.add("the same event again, when all is done, does no harm", same_event_later);
    trials.add("a second finding for the same user beside the first ends well too", second_finding);
    trials.add("a finding for a user contained long ago leaves its evidence", later_finding);
    trials.add("a key made in between is found and made Inactive", key_in_between);
}

/// EventBridge delivers at least once.
async fn same_event_twice(aws: &LocalAws) -> Result<()> {
    let user = dangerous_user(aws.user().create().await?).await?;
    let incident = Incident::about(aws, &user).await?;
    aws.import(&incident.finding).await?;
    let first = aws.execution_of(&incident.finding).await?;
    let second = aws.start(&first.input().await?).await?;
    first.succeeds().await?;
    second.succeeds().await?;

    incident.is_contained().await?;
    incident.shows_the_user(&incident.original().await?.json()?)?;
    for execution in [&first, &second] {
        incident.outcome(execution).await?;
    }
    let found = aws.in_security_hub(&incident.finding).await?;
    ensure!(workflow(&found) == "RESOLVED", "the finding is {}", workflow(&found));
    Ok(())
}

async fn same_event_later(aws: &LocalAws) -> Result<()> {
    let user = dangerous_user(aws.user().create().await?).await?;
    let incident = Incident::about(aws, &user).await?;
    let first = incident.ends_well().await?;
    let (user_then, evidence) = (incident.is_contained().await?, incident.original().await?);

    let second = aws.start(&first.input().await?).await?;
    second.succeeds().await?;
    let now = incident.is_contained().await?;
    ensure!(now.attached == user_then.attached, "attached: {:?}", now.attached);
    ensure!(incident.original().await?.bytes == evidence.bytes, "the evidence has changed");
    let path = second.history().await?;
    ensure!(path.last_state() == "Ignored", "it went on: {:?}", path.path());
    Ok(())
}

async fn second_finding(aws: &LocalAws) -> Result<()> {
    let user = dangerous_user(aws.user().create().await?).await?;
    let incidents = [
        Incident::about(aws, &user).await?,
        Incident::with(aws, &user, another_finding(aws, &user)).await?,
    ];
    aws.import(&incidents[0].finding).await?;
    aws.import(&incidents[1].finding).await?;
    for incident in &incidents {
        let execution = aws.execution_of(&incident.finding).await?;
        execution.succeeds().await?;
        incident.is_contained().await?;
        incident.is_resolved(&execution).await?;
        incident.outcome(&execution).await?;
    }
    // Whichever came first has it as it was.
    incidents[0].shows_the_user(&incidents[0].original().await?.json()?)
}

async fn later_finding(aws: &LocalAws) -> Result<()> {
    let user = dangerous_user(aws.user().create().await?).await?;
    let first = Incident::about(aws, &user).await?;
    first.ends_well().await?;
    let evidence = first.original().await?;

    user.attach(ADMINISTRATOR_ACCESS).await?;
    let second = Incident::with(aws, &user, another_finding(aws, &user)).await?;
    let execution = aws.respond_to(&second.finding).await?;
    execution.succeeds().await?;
    second.is_contained().await?;
    second.is_resolved(&execution).await?;
    ensure!(first.original().await?.bytes == evidence.bytes, "the evidence has changed");
    let all = aws.evidence_about(&user).await?;
    let own = all.iter().find(|one| one.uri.contains(execution.name()));
    let Some(own) = own else { bail!("the second incident kept nothing of its own") };
    let attached = &own.json()?["principal"]["attachedPolicies"];
    ensure!(attached.to_string().contains(ADMINISTRATOR_ACCESS), "{attached:#}");
    Ok(())
}

async fn key_in_between(aws: &LocalAws) -> Result<()> {
    for _ in 0..ATTEMPTS {
        let user = aws.user().create().await?;
        user.attach(ADMINISTRATOR_ACCESS).await?;
        let finding = Finding::about(&user);
        aws.import(&finding).await?;
        let execution = aws.execution_of(&finding).await?;
        wait::until("everything to be taken away", PATIENCE, async || {
            Ok(execution.history().await?.entered("Settle").then_some(()))
        })
        .await?;
        let key = user.access_key().await?;
        execution.succeeds().await?;
        if execution.history().await?.path().iter().filter(|state| **state == "Verify").count() < 2
        {
            // Made after it was read back: too late to be what this is about.
            continue;
        }
        let after = user.read_back().await?;
        ensure!(after.left().is_empty(), "left: {:?}", after.left());
        ensure!(after.credentials.contains_key(&key.id), "{:?}", after.credentials);
        let evidence = aws.evidence_about(&user).await?;
        let kept = evidence.iter().any(|one| String::from_utf8_lossy(&one.bytes).contains(&key.id));
        ensure!(kept, "the key is in no evidence");
        let found = aws.in_security_hub(&finding).await?;
        ensure!(workflow(&found) == "RESOLVED", "the finding is {}", workflow(&found));
        return Ok(());
    }
    bail!("no key was made in time, {ATTEMPTS} times")
}

fn another_finding(aws: &LocalAws, user: &harness::user::User) -> Finding {
    Finding::about(user).with("Id", aws.unique("another-finding"))
}
