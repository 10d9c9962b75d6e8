//! The guide's own test: a user with `AdministratorAccess`, a CRITICAL finding about it.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use harness::alone::Apart;
use harness::local_aws::LocalAws;
use harness::user::{ADMINISTRATOR_ACCESS, User, allow_all};
use serde_json::{Value, json};

use crate::incident::{Incident, deny_alone};
use crate::trials::Trials;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("the guide's user ends contained and its finding RESOLVED", ends_contained);
    trials.add("the deny comes first, then the evidence, then what takes away", deny_comes_first);
    trials.add_apart(
        "a key and a session made with it are refused from Quarantine on",
        key_and_session_are_refused,
    );
}

/// The guide's user with all that a user may have of policies, groups and keys.
pub(crate) async fn dangerous_user(user: User) -> Result<User> {
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.attach_new(8).await?;
    user.join_new_group("admins", ADMINISTRATOR_ACCESS).await?;
    user.join_new_group("readers", "arn:aws:iam::aws:policy/ReadOnlyAccess").await?;
    user.put_inline("allow-all", &allow_all()).await?;
    user.put_inline("list-buckets", &list_buckets()).await?;
    user.access_key().await?;
    user.access_key().await?;
    user.tag("Team", "payments").await?;
    Ok(user)
}

async fn ends_contained(aws: &LocalAws) -> Result<()> {
    let user = dangerous_user(aws.user().create().await?).await?;
    let incident = Incident::about(aws, &user).await?;
    incident.ends_well().await?;
    let after = incident.is_contained().await?;
    ensure!(after.attached == deny_alone(), "attached: {:?}", after.attached);
    ensure!(after.credentials.len() == 2, "credentials: {:?}", after.credentials);
    Ok(())
}

async fn deny_comes_first(aws: &LocalAws) -> Result<()> {
    let user = dangerous_user(aws.user().create().await?).await?;
    let execution = Incident::about(aws, &user).await?.ends_well().await?;

    let calls = aws.calls_of(&execution).await?;
    let changes: Vec<_> = calls.iter().filter(|call| !call.read_only).collect();
    // Attached, and made the boundary, side by side.
    let (denies, others) = changes.split_at_checked(2).context("hardly anything was changed")?;
    let names: BTreeSet<_> = denies.iter().map(|call| call.name()).collect();
    let both = ["iam:AttachUserPolicy", "iam:PutUserPermissionsBoundary"].map(str::to_owned);
    ensure!(names == both.into(), "the first changes are {denies:?}");
    let calls = aws.calls().await?;
    let stored = calls
        .iter()
        .find(|call| call.action == "PutObject" && call.resource.contains(&user.id))
        .context("no evidence was stored")?;
    for change in others {
        ensure!(stored.time < change.time, "{change:?} came before the evidence");
    }
    for deny in denies {
        ensure!(deny.time < stored.time, "the evidence came before the deny: {deny:?}");
    }
    Ok(())
}

/// Evidence can't be taken here, so nothing comes after Quarantine.
async fn key_and_session_are_refused(apart: &Apart<'_>) -> Result<()> {
    apart.refuse_entry("Preserve").await?;
    let user = apart.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let key = user.access_key().await?;
    let by_key = user.with_key(&key).without_retries().s3();
    let by_session = user.session(&key).await?.clients.without_retries().s3();
    by_key.list_buckets().send().await.context("the key is refused too soon")?;
    by_session.list_buckets().send().await.context("the session is refused too soon")?;

    let incident = Incident::about(apart, &user).await?;
    let execution = apart.respond_to(&incident.finding).await?;
    execution.fails().await?;
    let after = user.read_back().await?;
    ensure!(
        after.credentials == incident.before.credentials
            && after.attached.is_superset(&incident.before.attached),
        "something was taken away without evidence: {after:?}"
    );
    ensure!(by_key.list_buckets().send().await.is_err(), "the key still works");
    ensure!(by_session.list_buckets().send().await.is_err(), "the session still works");

    apart.undo().await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    incident.ended_well(&execution).await?;
    ensure!(by_key.list_buckets().send().await.is_err(), "the key works again");
    ensure!(by_session.list_buckets().send().await.is_err(), "the session works again");
    Ok(())
}

fn list_buckets() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*" }],
    })
}
