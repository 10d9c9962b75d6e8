//! Many findings at once.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};
use harness::MEMBERS;
use harness::alone::Alone;
use harness::faults::Strike;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Telling;
use harness::user::{ADMINISTRATOR_ACCESS, Snapshot, User, allow_all};
use harness::wait;
use serde_json::json;

use crate::guide::dangerous_user;
use crate::incident::{Incident, workflow};
use crate::response_policy::amend;
use crate::trials::Trials;

/// How often a test may run over the full hour that it counts within.
const ATTEMPTS: usize = 2;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("two findings about a user in the same second both end well", same_second);
    trials.add_alone("50 users at once all end contained, though AWS throttles", throttled);
    trials.add_alone("beyond a limit of 20, people decide about the others", limit);
    trials.add_alone("100 findings in a burst all end contained", async |alone: &Alone<'_>| {
        all_end_contained(alone, 100).await
    });
    trials.add_thorough_alone("200 findings in a burst all end contained", async |alone| {
        all_end_contained(alone, 200).await
    });
}

/// Whoever is first does the work, and the other finds it done.
async fn same_second(aws: &LocalAws) -> Result<()> {
    let user = dangerous_user(aws.user().create().await?).await?;
    let another = Finding::about(&user).with("Id", aws.unique("another-finding"));
    let incidents =
        [Incident::about(aws, &user).await?, Incident::with(aws, &user, another).await?];
    try_join_all(incidents.iter().map(|incident| aws.import(&incident.finding))).await?;
    for incident in &incidents {
        let execution = aws.execution_of(&incident.finding).await?;
        execution.succeeds().await?;
        incident.is_contained().await?;
        incident.is_resolved(&execution).await?;
        incident.outcome(&execution).await?;
    }
    incidents[0].shows_the_user(&incidents[0].original().await?.json()?)
}

/// Users, how they were, and the findings about them.
struct Burst<'a> {
    aws: &'a LocalAws,
    users: Vec<(User, Snapshot, Finding)>,
}

/// How many users are made or looked at at once.
const SIDE_BY_SIDE: usize = 8;

/// What an execution may take when there are hundreds of them: this machine is busy.
const LONGEST: Duration = Duration::from_mins(8);

impl<'a> Burst<'a> {
    /// So many users in an account, of whom Security Hub is told all at once.
    async fn begin(aws: &'a LocalAws, account: &str, number: usize) -> Result<Self> {
        let users = stream::iter(0..number).map(async |_| {
            let user = aws.user().account(account).create().await?;
            user.attach(ADMINISTRATOR_ACCESS).await?;
            user.put_inline("allow-all", &allow_all()).await?;
            user.access_key().await?;
            let (before, finding) = (user.read_back().await?, Finding::about(&user));
            anyhow::Ok((user, before, finding))
        });
        let users: Vec<_> = users.buffered(SIDE_BY_SIDE).try_collect().await?;
        try_join_all(users.iter().map(|(_, _, finding)| aws.import(finding))).await?;
        Ok(Self { aws, users })
    }

    /// Waits until as many executions as findings have ended, and returns how many of the
    /// findings are RESOLVED and how many NOTIFIED. Of each it is true.
    async fn ends(&self) -> Result<(usize, usize)> {
        let ended = stream::iter(&self.users).map(async |(user, before, finding)| {
            let execution = wait::until(
                format_args!("an execution for the finding `{}`", finding.id()),
                LONGEST,
                async || Ok(self.aws.executions_of(finding).await?.into_iter().next()),
            )
            .await?;
            execution.end_within(LONGEST).await?;
            execution.succeeds().await?;
            let found = self.aws.in_security_hub(finding).await?;
            let incident = Incident::of(self.aws, user, before.clone(), finding.clone());
            match workflow(&found) {
                "RESOLVED" => {
                    Box::pin(incident.ended_well(&execution)).await?;
                    Ok((1, 0))
                }
                "NOTIFIED" => {
                    let told = self.aws.topics().alerts.message("left to people", |mail| {
                        mail.tells(Telling::LeftToPeople, &execution.arn)
                    });
                    let told = told.await?.text;
                    ensure!(told.contains("the limit of 20 containments an hour"), "{told}");
                    let now = user.read_back().await?;
                    ensure!(now == *before, "the user was {before:?} and is {now:?}");
                    Ok((0, 1))
                }
                status => bail!("the finding `{}` is {status}", finding.id()),
            }
        });
        let ended: Vec<_> = ended.buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
        Ok(ended.iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d)))
    }
}

/// More calls than all executions together make at first, so that each has to try again.
async fn throttled(alone: &Alone<'_>) -> Result<()> {
    const STRIKES: u32 = 100;
    let faults = [
        ("sts:AssumeRole", "cordon-assume-role"),
        ("iam:AttachUserPolicy", "SecurityRemediation-Quarantine"),
        ("iam:UpdateAccessKey", "SecurityRemediation-DeactivateKeys"),
    ];
    let faults = faults.map(|(call, caller)| {
        alone.fault(call, Strike::Throttled).caller(caller).times(STRIKES).stand()
    });
    let faults = try_join_all(faults).await?;
    all_end_contained(alone, 50).await?;
    for fault in faults {
        let struck = fault.lift().await?;
        ensure!(struck == STRIKES, "{struck} calls were throttled");
    }
    Ok(())
}

async fn all_end_contained(alone: &Alone<'_>, number: usize) -> Result<()> {
    amend(alone, &json!({ "containmentsPerHour": 1_000_000 })).await?;
    let burst = Burst::begin(alone, MEMBERS[0], number).await?;
    let (contained, left) = burst.ends().await?;
    ensure!((contained, left) == (number, 0), "{contained} contained, {left} left to people");
    for (user, ..) in &burst.users {
        let failed = alone.topics().alerts.mentioning(&user.arn);
        let failed = failed.iter().find(|mail| mail.tells(Telling::Failed, &user.arn));
        ensure!(failed.is_none(), "{failed:?}");
    }
    Ok(())
}

async fn limit(alone: &Alone<'_>) -> Result<()> {
    for _ in 0..ATTEMPTS {
        if Box::pin(limit_within_an_hour(alone)).await? {
            return Ok(());
        }
    }
    bail!("a new hour began, {ATTEMPTS} times")
}

/// Whether all of it was within one hour.
async fn limit_within_an_hour(alone: &Alone<'_>) -> Result<bool> {
    let hour = alone.forget(MEMBERS[0], &["custom"]).await?;
    amend(alone, &json!({ "containmentsPerHour": 20 })).await?;
    let burst = Burst::begin(alone, MEMBERS[0], 26).await?;
    let (contained, left) = burst.ends().await?;
    alone.undo().await?;
    if alone.forget(MEMBERS[0], &["custom"]).await? != hour {
        return Ok(false);
    }
    ensure!((contained, left) == (20, 6), "{contained} contained, {left} left to people");
    Ok(true)
}
