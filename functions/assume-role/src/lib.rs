//! Enters the member account and identifies the accused principal: the finding's ARN
//! is only a claim. Changes nothing.

use futures::try_join;
use incident::{
    Accused, Execution, Failure, Kind, Principal, ResponsePolicy, is_own, matches_pattern,
};
use member::{Entry, Grant, user};
use serde::{Deserialize, Serialize};

const ACTIONS: &[&str] = &["iam:GetUser", "iam:ListAttachedUserPolicies"];

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The principal that the finding names.
    principal: Accused,
    /// The response policy of this pass.
    policy: ResponsePolicy,
}

/// The step's output.
#[derive(Debug, Serialize)]
pub struct Output {
    /// The principal as its account knows it.
    principal: Principal,
    /// The name of the execution's sessions in the account's CloudTrail.
    session: String,
}

/// Identifies the principal.
///
/// Fails with [`Failure::PrincipalNotFound`] where the account has none of this name,
/// and with [`Failure::PrincipalProtected`] where it is Cordon's own or exempt.
pub async fn assume_role(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input {
        execution,
        principal: accused,
        policy,
    } = input;
    let partition = execution.partition();
    if accused.kind != Kind::User {
        return Err(Failure::InvalidInput(format!(
            "`{}` is no user",
            accused.arn
        )));
    }
    let grant = Grant {
        actions: ACTIONS,
        resources: accused.resources(partition),
    };
    let iam = entry.enter(&execution, &accused.account, &[grant]).await?;
    let (user, attached) = try_join!(
        user::user(&iam, &accused.name),
        user::attached_policies(&iam, &accused.name)
    )?;
    let boundary = user::boundary(&user);
    let principal = Principal {
        denied_before: user::denied(partition, boundary.as_deref(), &attached),
        boundary,
        arn: user.arn,
        account: accused.account,
        kind: accused.kind,
        name: user.user_name,
        path: user.path,
        id: user.user_id,
    };
    refuse_protected(&principal, &policy)?;
    Ok(Output {
        principal,
        session: execution.session_name(),
    })
}

fn refuse_protected(principal: &Principal, policy: &ResponsePolicy) -> Result<(), Failure> {
    let exempt = policy
        .exempt_principals
        .iter()
        .find(|pattern| matches_pattern(pattern, &principal.arn));
    let reason = match exempt {
        Some(pattern) => format!("the response policy exempts `{pattern}`"),
        None if is_own(principal) => "it is Cordon's own".to_owned(),
        None => return Ok(()),
    };
    Err(Failure::PrincipalProtected {
        arn: principal.arn.clone(),
        reason,
    })
}
