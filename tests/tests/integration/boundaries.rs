//! Permissions boundaries: the deny becomes one before policies are taken away, and a
//! customer's is gone only once the evidence holds it.

use anyhow::{Context, Result, ensure};
use harness::MEMBERS;
use harness::calls::source_identity;
use harness::execution::Execution;
use harness::faults::Strike;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Telling;
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, NewUser, User, allow_all};
use harness::wait::{self, PATIENCE};

use crate::guide::dangerous_user;
use crate::incident::{Incident, workflow};
use crate::suspect::{Case, Suspect};
use crate::trials::Trials;
use crate::users::POWER_USER;

const SET: &str = "iam:PutUserPermissionsBoundary";

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("a boundary is replaced only once the evidence holds it", replaced);
    trials.add("a role's boundary is replaced only once the evidence holds it", replaced_on_role);
    trials.add("a boundary is replaced for a user at its policy limit, too", at_the_limit);
    trials.add("a boundary set between two passes is preserved before it goes", set_in_between);
    trials.add("of two incidents at once the evidence has the customer's boundary", two_at_once);
    trials.add("an incident that meets the deny as boundary knows the evidence's", met);
    trials.add("a boundary that IAM goes by late is waited for", late);
    trials.add("where IAM refuses the boundary, policies stay and people know", refused);
    trials.add("where IAM refuses to replace a boundary, policies stay too", not_replaced);
}

/// When a call about a principal succeeded first, in seconds since 1970.
async fn time_of(aws: &LocalAws, action: &str, about: &str) -> Result<f64> {
    let calls = aws.calls().await?;
    let ours = |principal: &str| principal.contains(":assumed-role/");
    let mut calls = calls.iter().filter(|call| ours(&call.principal) && call.error.is_none());
    let call = calls.find(|call| call.name() == action && call.resource.contains(about));
    Ok(call.with_context(|| format!("nobody called `{action}` about `{about}`"))?.time)
}

async fn replaced(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::BoundedUser).await?;
    is_replaced(aws, &suspect, "User").await
}

async fn replaced_on_role(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::BoundedRole).await?;
    is_replaced(aws, &suspect, "Role").await
}

async fn is_replaced(aws: &LocalAws, suspect: &Suspect<'_>, kind: &str) -> Result<()> {
    let execution = aws.execution_to_be();
    suspect.start(&execution).await?;
    execution.succeeds().await?;
    Box::pin(suspect.is_dealt_with(&execution, true)).await?;
    let evidence = suspect.original().await?.context("no evidence")?.json()?;
    ensure!(evidence["principal"]["boundary"] == POWER_USER, "{evidence:#}");
    let arn = &suspect.before.arn;
    let denied = time_of(aws, &format!("iam:Attach{kind}Policy"), arn).await?;
    let stored = time_of(aws, "s3:PutObject", suspect.id()).await?;
    let bounded = time_of(aws, &format!("iam:Put{kind}PermissionsBoundary"), arn).await?;
    let detached = time_of(aws, &format!("iam:Detach{kind}Policy"), arn).await?;
    let order = [denied, stored, bounded, detached];
    ensure!(order.is_sorted(), "denied, stored, bounded, detached at {order:?}");
    let alerts = &aws.topics().alerts;
    let told = alerts.message("of it", |mail| mail.tells(Telling::Done, &execution.arn)).await?;
    let gone = format!("its own permissions boundary is replaced by that: {POWER_USER}");
    ensure!(told.text.contains(&gone), "{}", told.text);
    Ok(())
}

async fn at_the_limit(aws: &LocalAws) -> Result<()> {
    let user = aws.user().boundary(POWER_USER).create().await?;
    user.attach_new(10).await?;
    let key = user.access_key().await?;
    let by_session = user.session(&key).await?.clients.without_retries().s3();
    let incident = Incident::about(aws, &user).await?;
    incident.ends_well().await?;
    ensure!(by_session.list_buckets().send().await.is_err(), "its session still works");
    let stored = time_of(aws, "s3:PutObject", &user.id).await?;
    let bounded = time_of(aws, SET, &user.arn).await?;
    ensure!(stored < bounded, "stored at {stored}, bounded at {bounded}");
    Ok(())
}

/// Who had no boundary when the incident reached it is given one before the redrive.
async fn set_in_between(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let fault = aws.fault("s3:PutObject", Strike::Denied).about(suspect.id());
    let fault = fault.always().stand().await?;
    let execution = aws.execution_to_be();
    suspect.start(&execution).await?;
    execution.fails().await?;
    fault.lift().await?;
    let boundary = suspect.read_back().await?.boundary;
    ensure!(boundary.as_deref() == Some(DENY_ALL), "the boundary is {boundary:?}");

    let name = suspect.before.arn.rsplit('/').next().unwrap_or_default();
    let iam = aws.account(suspect.account()).iam();
    let put = iam.put_user_permissions_boundary().user_name(name);
    put.permissions_boundary(POWER_USER).send().await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    let now = suspect.read_back().await?;
    ensure!(now.left().is_empty(), "left: {:?}", now.left());
    let evidence = suspect.original().await?.context("no evidence")?.json()?;
    ensure!(evidence["boundaryBefore"] == POWER_USER, "{evidence:#}");
    ensure!(evidence["principal"]["boundary"] == POWER_USER, "{evidence:#}");
    Ok(())
}

async fn bounded_user(aws: &LocalAws) -> Result<User> {
    let user = aws.user().boundary(POWER_USER).create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.put_inline("allow-all", &allow_all()).await?;
    user.access_key().await?;
    Ok(user)
}

/// Both ended well, and the one piece of original evidence shows the user as it was.
async fn both_end_well(incident: &Incident<'_>, executions: &[Execution]) -> Result<()> {
    for execution in executions {
        execution.succeeds().await?;
    }
    incident.is_contained().await?;
    let evidence = incident.original().await?.json()?;
    incident.shows_the_user(&evidence)?;
    ensure!(evidence["boundaryBefore"] == POWER_USER, "{evidence:#}");
    Ok(())
}

fn another(aws: &LocalAws, user: &User) -> Finding {
    Finding::about(user).with("Id", aws.unique("another-finding"))
}

async fn two_at_once(aws: &LocalAws) -> Result<()> {
    let user = bounded_user(aws).await?;
    let incident = Incident::about(aws, &user).await?;
    let another = another(aws, &user);
    aws.import(&incident.finding).await?;
    aws.import(&another).await?;
    let executions =
        [aws.execution_of(&incident.finding).await?, aws.execution_of(&another).await?];
    both_end_well(&incident, &executions).await
}

/// The second one identifies the user when the first one has replaced its boundary.
async fn met(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::BoundedUser).await?;
    let (first, second) = (aws.execution_to_be(), aws.execution_to_be());
    let fault = aws.fault("sts:AssumeRole", Strike::TimedOut).caller("cordon-detach-policies");
    let fault = fault.about(source_identity(&first)).always().stand().await?;
    suspect.start(&first).await?;
    wait::until("the deny as boundary", PATIENCE, async || {
        let boundary = suspect.read_back().await?.boundary;
        Ok((boundary.as_deref() == Some(DENY_ALL)).then_some(()))
    })
    .await?;
    suspect.start(&second).await?;
    second.succeeds().await?;
    fault.lift().await?;
    first.succeeds().await?;
    let now = suspect.read_back().await?;
    ensure!(now.left().is_empty(), "left: {:?}", now.left());
    let evidence = suspect.original().await?.context("no evidence")?.json()?;
    ensure!(evidence["boundaryBefore"] == POWER_USER, "{evidence:#}");
    Ok(())
}

async fn late(aws: &LocalAws) -> Result<()> {
    let user = dangerous_user(aws.user().create().await?).await?;
    let incident = Incident::about(aws, &user).await?;
    let faults = ["iam:DetachUserPolicy", "iam:DeleteUserPolicy"]
        .map(|call| aws.fault(call, Strike::Unbounded).about(&user.name).times(2).stand());
    let faults = futures::future::try_join_all(faults).await?;
    let execution = incident.ends_well().await?;
    for fault in faults {
        let struck = fault.lift().await?;
        ensure!(struck == 2, "{struck} calls were refused");
    }
    let calls = aws.calls_of(&execution).await?;
    let refused = calls.iter().filter(|call| call.refused()).count();
    ensure!(refused == 4, "{refused} calls were refused");
    Ok(())
}

async fn refused(aws: &LocalAws) -> Result<()> {
    Box::pin(is_refused(aws, aws.user())).await
}

async fn not_replaced(aws: &LocalAws) -> Result<()> {
    Box::pin(is_refused(aws, aws.user().boundary(POWER_USER))).await
}

/// As by a service control policy that demands another boundary.
async fn is_refused(aws: &LocalAws, new: NewUser<'_>) -> Result<()> {
    let user = new.create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.put_inline("allow-all", &allow_all()).await?;
    user.join_new_group("admins", ADMINISTRATOR_ACCESS).await?;
    let key = user.access_key().await?;
    let by_key = user.with_key(&key).without_retries().s3();
    let fault = aws.fault(SET, Strike::Denied).about(&user.name).always().stand().await?;
    let incident = Incident::about(aws, &user).await?;
    let execution = aws.respond_to(&incident.finding).await?;
    execution.fails().await?;
    let told = aws
        .topics()
        .alerts
        .message("that it failed", |mail| mail.tells(Telling::Failed, &execution.arn));
    let told = told.await?.text;
    let attached = incident.before.attached.iter().chain(incident.before.inline.keys());
    let parts = [
        "DetachPolicies, with BoundaryMissing",
        "The attacker is out",
        "denied everything by AWSDenyAll (attached)",
        "exempt arn:aws:iam::*:role/cordon/SecurityRemediation-Quarantine",
        "redrive-execution",
    ];
    for part in parts.into_iter().chain(attached.map(String::as_str)) {
        ensure!(told.contains(part), "`{part}` is not in the mail: {told}");
    }

    let (before, after) = (&incident.before, user.read_back().await?);
    ensure!(after.attached.is_superset(&before.attached), "policies are gone: {after:?}");
    ensure!(after.attached.contains(DENY_ALL), "no deny stands: {after:?}");
    ensure!(after.inline == before.inline, "inline policies are gone: {after:?}");
    ensure!(after.boundary == before.boundary, "the boundary is {:?}", after.boundary);
    ensure!(after.groups.is_empty(), "it is in groups: {after:?}");
    let inactive = after.credentials.values().all(|status| status == "Inactive");
    ensure!(inactive, "its keys are {:?}", after.credentials);
    ensure!(by_key.list_buckets().send().await.is_err(), "its key still works");
    let status = aws.in_security_hub(&incident.finding).await?;
    ensure!(workflow(&status) == "NEW", "the finding is {}", workflow(&status));

    fault.lift().await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    Box::pin(incident.ended_well(&execution)).await
}
