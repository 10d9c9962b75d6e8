//! Enters the member account and identifies the accused principal: what the finding
//! says is only a claim. Changes nothing.

use aws_calls::failure;
use aws_sdk_iam::Client;
use futures::try_join;
use incident::{
    Accused, Execution, Failure, Kind, Principal, ResponsePolicy, matches_pattern, protected,
    resources_named,
};
use member::principal::{attached_policies, denied, find};
use member::{Entry, Grant};
use serde::{Deserialize, Serialize};

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
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The principal as its account knows it.
    principal: Principal,
    /// By what it was identified, for a person.
    identified_by: String,
    /// The name of the execution's sessions in the account's CloudTrail.
    session: String,
}

/// Identifies the principal: by its access key's true owner where the finding is about
/// one that still exists, otherwise by the name that the finding gives.
///
/// Fails with [`Failure::PrincipalNotFound`] where the account has no such principal,
/// and with [`Failure::PrincipalProtected`] where no machine is to contain it.
pub async fn assume_role(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input { execution, principal: accused, policy } = input;
    let (iam, name, identified_by) = if let Some(key) = &accused.access_key {
        owner(entry, &execution, &accused, key).await?
    } else {
        let name = accused.name.clone().ok_or_else(|| nameless(&accused))?;
        (enter(entry, &execution, &accused, &name).await?, name, "the finding".to_owned())
    };
    let kind = accused.kind;
    let (found, attached) =
        try_join!(find(&iam, kind, &name), attached_policies(&iam, kind, &name))?;
    let principal = Principal {
        denied_before: denied(execution.partition(), found.boundary.as_deref(), &attached),
        boundary: found.boundary,
        arn: found.arn,
        account: accused.account,
        kind,
        name: found.name,
        path: found.path,
        id: found.id,
    };
    refuse_protected(&principal, &policy)?;
    Ok(Output { principal, identified_by, session: execution.session_name() })
}

async fn enter(
    entry: &Entry,
    execution: &Execution,
    accused: &Accused,
    name: &str,
) -> Result<Client, Failure> {
    let grant = Grant {
        actions: match accused.kind {
            Kind::User => &["iam:GetUser", "iam:ListAttachedUserPolicies"],
            Kind::Role => &["iam:GetRole", "iam:ListAttachedRolePolicies"],
        },
        resources: resources_named(execution.partition(), &accused.account, accused.kind, name),
    };
    entry.enter(execution, &accused.account, &[grant]).await
}

/// The user to whom the access key belongs. The session reaches every user of the
/// account, since which of them it is, is the question.
async fn owner(
    entry: &Entry,
    execution: &Execution,
    accused: &Accused,
    key: &str,
) -> Result<(Client, String, String), Failure> {
    let grant = Grant {
        actions: &["iam:GetAccessKeyLastUsed", "iam:GetUser", "iam:ListAttachedUserPolicies"],
        resources: vec![format!("arn:{}:iam::{}:user/*", execution.partition(), accused.account)],
    };
    let iam = entry.enter(execution, &accused.account, &[grant]).await?;
    let answer = iam.get_access_key_last_used().access_key_id(key).send().await;
    let owner = match answer.map_err(|error| failure("iam:GetAccessKeyLastUsed", error)) {
        Ok(answer) => answer.user_name,
        // Of a key that the account does not have, IAM says either.
        Err(Failure::NotFound { .. } | Failure::AccessDenied { .. }) => None,
        Err(failure) => return Err(failure),
    };
    let (name, by) = match (owner, &accused.name) {
        (Some(owner), Some(claimed)) if !owner.eq_ignore_ascii_case(claimed) => {
            let by = format!("its access key `{key}`; the finding calls it `{claimed}`");
            (owner, by)
        }
        (Some(owner), _) => (owner, format!("its access key `{key}`")),
        (None, Some(claimed)) => {
            (claimed.clone(), format!("the finding; IAM knows no owner of the access key `{key}`"))
        }
        (None, None) => return Err(nameless(accused)),
    };
    Ok((iam, name, by))
}

fn nameless(accused: &Accused) -> Failure {
    let key = accused.access_key.as_deref().unwrap_or("none");
    Failure::PrincipalNotFound(format!(
        "{} that the finding could mean: it gives no name, and its access key is `{key}`",
        accused.kind.noun()
    ))
}

fn refuse_protected(principal: &Principal, policy: &ResponsePolicy) -> Result<(), Failure> {
    let arn = &principal.arn;
    let exempt = policy.exempt_principals.iter().find(|pattern| matches_pattern(pattern, arn));
    let reason = match exempt {
        Some(pattern) => format!("the response policy exempts `{pattern}`"),
        None => match protected(principal.kind, &principal.path, &principal.name) {
            Some(reason) => reason.to_owned(),
            None => return Ok(()),
        },
    };
    Err(Failure::PrincipalProtected { arn: arn.clone(), reason })
}
