//! Puts the principal under a deny: from here on AWS refuses its keys and all sessions
//! made with them. Only adds; takes nothing away.

use aws_calls::failure;
use incident::{Denial, DenyBy, Execution, Failure, Principal, deny_policy};
use member::{Entry, Grant};
use serde::Deserialize;

const ACTIONS: &[&str] = &["iam:AttachUserPolicy", "iam:PutUserPermissionsBoundary"];

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
}

/// Attaches `AWSDenyAll` to the user; where no more policies fit, it becomes the
/// permissions boundary instead, which has no such limit. The boundary that it
/// replaces is in [`Principal::boundary`]. Done twice, the second changes nothing.
pub async fn quarantine(entry: &Entry, input: Input) -> Result<Denial, Failure> {
    let Input {
        execution,
        principal,
    } = input;
    let partition = execution.partition();
    let deny = deny_policy(partition);
    let grant = Grant {
        actions: ACTIONS,
        resources: vec![principal.resource(partition)],
    };
    let iam = entry
        .enter(&execution, &principal.account, &[grant])
        .await?;
    let attach = iam
        .attach_user_policy()
        .user_name(&principal.name)
        .policy_arn(&deny);
    let by = match attach
        .send()
        .await
        .map_err(|error| failure("iam:AttachUserPolicy", error))
    {
        Ok(_) => DenyBy::Policy,
        Err(Failure::LimitExceeded { .. }) => {
            let put = iam
                .put_user_permissions_boundary()
                .user_name(&principal.name)
                .permissions_boundary(&deny);
            let put = put
                .send()
                .await
                .map_err(|error| failure("iam:PutUserPermissionsBoundary", error));
            put.map_err(|failure| gone(failure, &principal))?;
            DenyBy::Boundary
        }
        Err(failure) => return Err(gone(failure, &principal)),
    };
    Ok(Denial {
        by,
        already: principal.denied_before == Some(by),
    })
}

/// `AWSDenyAll` always exists, so what does not exist is the user.
fn gone(failure: Failure, principal: &Principal) -> Failure {
    match failure {
        Failure::NotFound { .. } => {
            Failure::PrincipalNotFound(format!("user `{}`", principal.name))
        }
        other => other,
    }
}
