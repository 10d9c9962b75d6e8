//! Enters the member account and identifies the accused principal: what the finding
//! says is only a claim. Changes nothing.

use aws_calls::failure;
use aws_sdk_iam::Client;
use futures::join;
use incident::{
    Accused, Execution, Failure, Kind, Principal, Reach, ResponsePolicy, is_name, matches_pattern,
    protected,
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
    /// When this pass entered the step (RFC 3339).
    entered: String,
    /// How an earlier pass of the execution reached the principal.
    reach: Option<Reach>,
}

/// The step's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The principal as its account knows it.
    principal: Principal,
    /// When the incident reached it, and what stood on it then.
    reach: Reach,
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
    let Input { execution, principal: accused, policy, entered, reach: earlier } = input;
    let iam = enter(entry, &execution, &accused).await?;
    let (name, identified_by) = match (&accused.access_key, &accused.name) {
        (Some(key), name) => owner(&iam, key, name.as_deref()).await?,
        (None, Some(name)) => (name.clone(), "the finding".to_owned()),
        (None, None) => return Err(nameless("none")),
    };
    let kind = accused.kind;
    // Whichever answer comes first, that there is no such principal is what counts.
    let (found, attached) = join!(find(&iam, kind, &name), attached_policies(&iam, kind, &name));
    let (found, attached) = (found?, attached?);
    let reach = Reach {
        denied_before: denied(execution.partition(), found.boundary.as_deref(), &attached),
        boundary: found.boundary,
        since: entered,
        id: found.id.clone(),
    };
    let reach = reach.after(earlier);
    let principal = Principal {
        denied_before: reach.denied_before,
        boundary: reach.boundary.clone(),
        arn: found.arn,
        account: accused.account,
        kind,
        name: found.name,
        path: found.path,
        id: found.id,
    };
    refuse_protected(&principal, &policy)?;
    Ok(Output { principal, reach, identified_by, session: execution.session_name() })
}

/// The session reaches every principal of its kind in the account: which of them is
/// meant, and how IAM spells its name, is the question.
async fn enter(entry: &Entry, execution: &Execution, accused: &Accused) -> Result<Client, Failure> {
    let (partition, account, kind) = (execution.partition(), &accused.account, accused.kind);
    let grant = Grant {
        actions: match kind {
            Kind::User => {
                &["iam:GetAccessKeyLastUsed", "iam:GetUser", "iam:ListAttachedUserPolicies"]
            }
            Kind::Role => &["iam:GetRole", "iam:ListAttachedRolePolicies"],
        },
        resources: vec![format!("arn:{partition}:iam::{account}:{}/*", kind.noun())],
    };
    entry.enter(execution, account, &[grant]).await
}

/// The name of the user to whom the access key belongs, and by what it was found.
async fn owner(
    iam: &Client,
    key: &str,
    claimed: Option<&str>,
) -> Result<(String, String), Failure> {
    let answer = iam.get_access_key_last_used().access_key_id(key).send().await;
    let owner = match answer.map_err(|error| failure("iam:GetAccessKeyLastUsed", error)) {
        Ok(answer) => answer.user_name,
        // Of a key that the account does not have, IAM says either.
        Err(Failure::NotFound { .. } | Failure::AccessDenied { .. }) => None,
        Err(failure) => return Err(failure),
    };
    match (owner, claimed) {
        (Some(owner), _) if !is_name(&owner) => Err(Failure::PrincipalProtected {
            arn: format!("the owner of the access key {key}"),
            reason: "IAM names no user as such, so it may be the account's root user".to_owned(),
        }),
        (Some(owner), Some(claimed)) if !owner.eq_ignore_ascii_case(claimed) => {
            let by = format!("its access key `{key}`; the finding calls it `{claimed}`");
            Ok((owner, by))
        }
        (Some(owner), _) => Ok((owner, format!("its access key `{key}`"))),
        (None, Some(claimed)) => {
            let by = format!("the finding; IAM knows no owner of the access key `{key}`");
            Ok((claimed.to_owned(), by))
        }
        (None, None) => Err(nameless(key)),
    }
}

fn nameless(key: &str) -> Failure {
    Failure::PrincipalNotFound(format!(
        "principal that the finding could mean: it gives no name, and its access key is `{key}`"
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
