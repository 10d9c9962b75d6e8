//! Takes away the policies that the evidence holds, once the deny is the permissions boundary. Managed
//! policies are detached; inline ones, which can only be deleted, are deleted if the
//! evidence holds the very document.

use aws_calls::{Answer, if_found};
use aws_sdk_iam::Client;
use futures::future::join;
use incident::{
    Denial, Execution, Failure, Held, InlinePolicy, Kind, Principal, hex_digest, is_kept,
};
use member::deny::require_boundary;
use member::policy::inline_document;
use member::{Entry, Grant, concurrently};
use serde::{Deserialize, Serialize};

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
    /// What Quarantine did; nothing, where it failed.
    denial: Option<Denial>,
    /// What the evidence holds. Nothing else is taken away.
    held: Held,
}

/// The step's output.
#[derive(Debug, Serialize)]
pub struct Output {
    /// ARNs of the managed policies that are detached now.
    detached: Vec<String>,
    /// Names of the inline policies that are deleted now.
    deleted: Vec<String>,
}

/// Detaches and deletes what the evidence holds, but for `AWSDenyAll` and the policies
/// of AWS's own quarantine. Fails with [`Failure::BoundaryMissing`] or
/// [`Failure::DenyNotVisible`], and changes nothing, where `AWSDenyAll` is not the permissions
/// boundary: what is attached may be all that restrains the principal, and IAM lets this
/// step's role take something away only under that boundary. IAM authorises by a new boundary
/// some time after it shows it: a refusal until then is [`Failure::DenyNotVisible`] too.
/// Fails with [`Failure::PrincipalVanished`], and changes nothing, where the principal is not
/// the one that was identified. One policy that can't be taken away keeps none of the others. Done twice, the second changes
/// nothing.
pub async fn detach_policies(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input { execution, principal, denial, held } = input;
    let partition = execution.partition();
    let grant = Grant::on(
        &principal,
        partition,
        &["iam:GetUser", "iam:DetachUserPolicy", "iam:GetUserPolicy", "iam:DeleteUserPolicy"],
        &["iam:GetRole", "iam:DetachRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy"],
    );
    let iam = entry.enter(&execution, &principal.account, &[grant]).await?;
    require_boundary(&iam, partition, &principal, denial).await?;
    let managed = held.managed_policies.iter().filter(|policy| !is_kept(partition, policy));
    let (detached, deleted) = join(
        concurrently(managed.map(|policy| detach(&iam, &principal, policy))),
        concurrently(held.inline_policies.iter().map(|policy| delete(&iam, &principal, policy))),
    )
    .await;
    let taken = |names: Vec<Option<String>>| names.into_iter().flatten().collect();
    Ok(Output { detached: taken(detached?), deleted: taken(deleted?) })
}

async fn detach(
    iam: &Client,
    principal: &Principal,
    policy: &str,
) -> Result<Option<String>, Failure> {
    let name = &principal.name;
    let detached = match principal.kind {
        Kind::User => {
            let detach = iam.detach_user_policy().user_name(name).policy_arn(policy);
            detach.send().await.done("iam:DetachUserPolicy")
        }
        Kind::Role => {
            let detach = iam.detach_role_policy().role_name(name).policy_arn(policy);
            detach.send().await.done("iam:DetachRolePolicy")
        }
    };
    let detached = detached.map_err(|failure| unseen(failure, principal));
    Ok(if_found(detached)?.map(|()| policy.to_owned()))
}

/// Deletes the policy unless its document has changed since the evidence was stored;
/// then verification finds it, and it is preserved first.
async fn delete(
    iam: &Client,
    principal: &Principal,
    policy: &InlinePolicy,
) -> Result<Option<String>, Failure> {
    let (kind, name) = (principal.kind, &principal.name);
    let Some(document) = if_found(inline_document(iam, kind, name, &policy.name).await)? else {
        return Ok(None);
    };
    if hex_digest(document.as_bytes()) != policy.sha256 {
        return Ok(None);
    }
    let policy = &policy.name;
    let deleted = match kind {
        Kind::User => {
            let delete = iam.delete_user_policy().user_name(name).policy_name(policy);
            delete.send().await.done("iam:DeleteUserPolicy")
        }
        Kind::Role => {
            let delete = iam.delete_role_policy().role_name(name).policy_name(policy);
            delete.send().await.done("iam:DeleteRolePolicy")
        }
    };
    let deleted = deleted.map_err(|failure| unseen(failure, principal));
    Ok(if_found(deleted)?.map(|()| policy.clone()))
}

/// The boundary reads as `AWSDenyAll`, so IAM refuses because it does not go by it yet.
/// Whether anything else is in the way, its own words say, once nothing is tried again.
fn unseen(failure: Failure, principal: &Principal) -> Failure {
    match failure {
        Failure::AccessDenied { call, source } => Failure::DenyNotVisible {
            arn: principal.arn.clone(),
            why: format!("it is the permissions boundary, but {call} is refused: {source}"),
        },
        other => other,
    }
}
