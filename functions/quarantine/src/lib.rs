//! Puts the principal under a deny: from here on AWS refuses its keys and all of its
//! sessions. Only adds; takes nothing away.

use aws_calls::failure;
use aws_sdk_iam::Client;
use incident::{Denial, DenyBy, Execution, Failure, Kind, Principal, deny_policy};
use member::principal::vanished;
use member::{Entry, Grant};
use serde::Deserialize;

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
}

/// Attaches `AWSDenyAll` to the principal; where no more policies fit, it becomes the
/// permissions boundary instead, which has no such limit. The boundary that it
/// replaces is in [`Principal::boundary`]. Done twice, the second changes nothing.
///
/// Fails with [`Failure::PrincipalVanished`] where nobody has the principal's name. Whether
/// somebody else has it is not asked here: nothing may stand before the deny, and Preserve
/// asks next.
pub async fn quarantine(entry: &Entry, input: Input) -> Result<Denial, Failure> {
    let Input { execution, principal } = input;
    let partition = execution.partition();
    let grant = Grant {
        actions: match principal.kind {
            Kind::User => &["iam:AttachUserPolicy", "iam:PutUserPermissionsBoundary"],
            Kind::Role => &["iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"],
        },
        resources: principal.resources(partition),
    };
    let iam = entry.enter(&execution, &principal.account, &[grant]).await?;
    let deny = deny_policy(partition);
    let by = match attach(&iam, &principal, &deny).await {
        Ok(()) => DenyBy::Policy,
        Err(Failure::LimitExceeded { .. }) => {
            let bounded = bound(&iam, &principal, &deny).await;
            bounded.map_err(|failure| vanished(failure, &principal))?;
            DenyBy::Boundary
        }
        Err(failure) => return Err(vanished(failure, &principal)),
    };
    Ok(Denial { by, already: principal.denied_before == Some(by) })
}

async fn attach(iam: &Client, principal: &Principal, deny: &str) -> Result<(), Failure> {
    let name = &principal.name;
    match principal.kind {
        Kind::User => {
            let attach = iam.attach_user_policy().user_name(name).policy_arn(deny).send().await;
            attach.map(drop).map_err(|error| failure("iam:AttachUserPolicy", error))
        }
        Kind::Role => {
            let attach = iam.attach_role_policy().role_name(name).policy_arn(deny).send().await;
            attach.map(drop).map_err(|error| failure("iam:AttachRolePolicy", error))
        }
    }
}

async fn bound(iam: &Client, principal: &Principal, deny: &str) -> Result<(), Failure> {
    let name = &principal.name;
    match principal.kind {
        Kind::User => {
            let put = iam.put_user_permissions_boundary().user_name(name);
            let put = put.permissions_boundary(deny).send().await;
            put.map(drop).map_err(|error| failure("iam:PutUserPermissionsBoundary", error))
        }
        Kind::Role => {
            let put = iam.put_role_permissions_boundary().role_name(name);
            let put = put.permissions_boundary(deny).send().await;
            put.map(drop).map_err(|error| failure("iam:PutRolePermissionsBoundary", error))
        }
    }
}
