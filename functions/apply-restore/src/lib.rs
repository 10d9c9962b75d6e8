//! Gives back to a principal what a plan says, a stage at a time. The one function that grants:
//! whoever has its credentials can give anything to whoever carries our tag, where its role
//! stands.

mod change;

use std::collections::BTreeSet;

use bucket::{Bucket, unreadable};
use incident::restore::{Item, Plan, Stage, States};
use incident::{Execution, Failure, Stored, listed};
use member::{Entry, concurrently};
use serde::{Deserialize, Serialize};

use change::Restorer;

/// The step's input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The ARN of the execution that restores.
    execution: Execution,
    /// What of the plan is done.
    stage: Stage,
    /// The plan, which was found to hold.
    plan: Stored,
    /// Whether groups are given back.
    groups: bool,
    /// Of the stage that lifts the deny, the other way round: it is put back.
    #[serde(default)]
    deny_again: bool,
}

/// The step's output.
#[derive(Debug, Serialize)]
pub struct Output {
    /// The names of the items that are as they were before, as far as IAM has confirmed it.
    done: Vec<String>,
}

/// Does one stage of a plan: each change in a session of its own, which may make that change of
/// that principal and nothing else. What is done already, is done again and changes nothing. One
/// change that fails keeps none of its kind from being made, but all that comes after.
///
/// Before and after the deny is lifted, and before the tag goes without which nobody can put it
/// back, it fails with [`Failure::IncidentMeanwhile`] where something has come to lie in the
/// folder of the principal's cases since the plan was made.
///
/// Fails with [`Failure::EvidenceMismatch`] where the plan is not the one of the digest, and with
/// [`Failure::PrincipalVanished`] where its name is not that of its unique id.
pub async fn apply_restore(
    entry: &Entry,
    bucket: &Bucket,
    input: Input,
) -> Result<Output, Failure> {
    let Input { execution, stage, plan, groups, deny_again } = input;
    let plan: Plan = read(bucket, &plan).await?;
    let restorer = Restorer { entry, execution: &execution, principal: &plan.principal };
    let changes = plan.of_stage(stage);
    let changes: Vec<&States> = changes
        .into_iter()
        .filter(|one| groups || !matches!(one.item, Item::Group { .. }))
        .collect();
    if deny_again {
        for change in changes.iter().rev() {
            restorer.change(&change.item, change.now.as_deref()).await?;
        }
        return Ok(Output { done: Vec::new() });
    }
    if stage >= Stage::LiftDeny {
        nobody_came(bucket, &plan).await?;
    }
    for alike in changes.chunk_by(|one, next| one.order() == next.order()) {
        make(&restorer, alike).await?;
    }
    if stage == Stage::LiftDeny {
        nobody_came(bucket, &plan).await?;
    }
    Ok(Output { done: changes.into_iter().map(|one| one.item.to_string()).collect() })
}

async fn read(bucket: &Bucket, stored: &Stored) -> Result<Plan, Failure> {
    let plan: Plan = bucket.read_stored(stored).await?.document()?;
    if plan.schema != Plan::SCHEMA {
        return Err(unreadable(&stored.uri, format!("it is `{}`", plan.schema)));
    }
    Ok(plan)
}

/// Makes changes of one kind at once; tags go in one call.
async fn make(restorer: &Restorer<'_>, changes: &[&States]) -> Result<(), Failure> {
    if changes.iter().all(|one| matches!(one.item, Item::Tag { .. } | Item::Incident)) {
        return restorer.tag(changes).await;
    }
    concurrently(
        changes.iter().map(async |one| restorer.change(&one.item, one.before.as_deref()).await),
    )
    .await
    .map(drop)
}

/// That nothing has come to lie in the folder of the principal's cases since the plan was made.
async fn nobody_came(bucket: &Bucket, plan: &Plan) -> Result<(), Failure> {
    let folder = format!("evidence/{}/{}/", plan.principal.account, plan.principal.id);
    let known: BTreeSet<&String> = plan.files.iter().collect();
    let files = bucket.list(&folder).await?;
    let new = files.iter().filter(|key| !known.contains(key));
    let new: Vec<_> =
        new.map(|key| format!("`{}`", bucket.uri(&format!("{folder}{key}")))).collect();
    if new.is_empty() { Ok(()) } else { Err(Failure::IncidentMeanwhile(listed(&new, 3))) }
}
