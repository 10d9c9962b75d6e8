//! Takes away the policies that the evidence holds, once the deny stands. Managed
//! policies are detached; inline ones, which can only be deleted, are deleted if the
//! evidence holds the very document.

use aws_calls::{failure, if_found};
use aws_sdk_iam::Client;
use futures::future::join;
use incident::{Execution, Failure, Held, InlinePolicy, Principal, hex_digest, is_kept};
use member::{Entry, Grant, concurrently, user};
use serde::{Deserialize, Serialize};

const ACTIONS: &[&str] = &[
    "iam:GetUser",
    "iam:ListAttachedUserPolicies",
    "iam:DetachUserPolicy",
    "iam:GetUserPolicy",
    "iam:DeleteUserPolicy",
];

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
    /// What the evidence holds. Nothing else is taken away.
    held: Held,
}

/// The step's output.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// ARNs of the managed policies that are detached now.
    detached: Vec<String>,
    /// Names of the inline policies that are deleted now.
    deleted: Vec<String>,
}

/// Detaches and deletes what the evidence holds, but for `AWSDenyAll` and the policies
/// of AWS's own quarantine. Fails with [`Failure::DenyMissing`], and changes nothing,
/// where no deny stands: what is attached may be all that restrains the user. One policy
/// that can't be taken away keeps none of the others. Done twice, the second changes
/// nothing.
pub async fn detach_policies(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input {
        execution,
        principal,
        held,
    } = input;
    let partition = execution.partition();
    let grant = Grant {
        actions: ACTIONS,
        resources: vec![principal.resource(partition)],
    };
    let iam = entry
        .enter(&execution, &principal.account, &[grant])
        .await?;
    let name = &principal.name;
    user::require_deny(&iam, partition, name).await?;
    let managed = held
        .managed_policies
        .iter()
        .filter(|policy| !is_kept(partition, policy));
    let (detached, deleted) = join(
        concurrently(managed.map(|policy| detach(&iam, name, policy))),
        concurrently(
            held.inline_policies
                .iter()
                .map(|policy| delete(&iam, name, policy)),
        ),
    )
    .await;
    let taken = |results: Vec<Result<Option<String>, Failure>>| {
        results
            .into_iter()
            .filter_map(Result::transpose)
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(Output {
        detached: taken(detached)?,
        deleted: taken(deleted)?,
    })
}

async fn detach(iam: &Client, name: &str, policy: &str) -> Result<Option<String>, Failure> {
    let detach = iam
        .detach_user_policy()
        .user_name(name)
        .policy_arn(policy)
        .send()
        .await;
    let detached = if_found(detach.map_err(|error| failure("iam:DetachUserPolicy", error)))?;
    Ok(detached.map(|_| policy.to_owned()))
}

/// Deletes the policy unless its document has changed since the evidence was stored;
/// then verification finds it, and it is preserved first.
async fn delete(
    iam: &Client,
    name: &str,
    policy: &InlinePolicy,
) -> Result<Option<String>, Failure> {
    let Some(document) = if_found(user::inline_document(iam, name, &policy.name).await)? else {
        return Ok(None);
    };
    if hex_digest(document.as_bytes()) != policy.sha256 {
        return Ok(None);
    }
    let delete = iam
        .delete_user_policy()
        .user_name(name)
        .policy_name(&policy.name)
        .send()
        .await;
    let deleted = if_found(delete.map_err(|error| failure("iam:DeleteUserPolicy", error)))?;
    Ok(deleted.map(|_| policy.name.clone()))
}
