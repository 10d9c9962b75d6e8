//! Reads the principal back: the only judge of a containment. Changes nothing.

use futures::try_join;
use incident::{DenyBy, Execution, Failure, Principal, is_kept};
use member::{Entry, Grant, user};
use serde::{Deserialize, Serialize};

const ACTIONS: &[&str] = &[
    "iam:GetUser",
    "iam:ListAttachedUserPolicies",
    "iam:ListUserPolicies",
    "iam:ListGroupsForUser",
    "iam:ListAccessKeys",
    "iam:ListSSHPublicKeys",
    "iam:ListSigningCertificates",
    "iam:ListServiceSpecificCredentials",
];

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
}

/// The step's output: the user as read back. That there is one means it is contained.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Where the deny stands.
    denied_by: DenyBy,
    /// How many credentials it has, all of them inactive.
    inactive_credentials: usize,
    /// ARNs of the policies that stay attached: the deny, AWS's own quarantine.
    kept_policies: Vec<String>,
}

/// Fails with [`Failure::NotContained`], which says what is left, unless the user is the
/// one that was identified, a deny stands, nothing else is attached, no inline policy
/// and no group is left, and no credential is active.
pub async fn verify(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input {
        execution,
        principal,
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
    let (user, attached, inline, groups, credentials) = try_join!(
        user::user(&iam, name),
        user::attached_policies(&iam, name),
        user::inline_policies(&iam, name),
        user::groups(&iam, name),
        user::credentials(&iam, name),
    )?;
    if user.user_id != principal.id {
        return Err(Failure::PrincipalReplaced {
            arn: principal.arn,
            found: user.user_id,
            identified: principal.id,
        });
    }
    let denied_by = user::denied(partition, user::boundary(&user).as_deref(), &attached);
    let (kept_policies, surplus): (Vec<_>, Vec<_>) = attached
        .into_iter()
        .partition(|policy| is_kept(partition, policy));
    let active = credentials.iter().filter(|credential| credential.active);
    let mut left: Vec<String> = Vec::new();
    left.extend(surplus.iter().map(|arn| format!("policy `{arn}`")));
    left.extend(inline.iter().map(|name| format!("inline policy `{name}`")));
    left.extend(groups.iter().map(|name| format!("group `{name}`")));
    left.extend(
        active.map(|credential| format!("active {} `{}`", credential.kind.noun(), credential.id)),
    );
    match denied_by {
        Some(denied_by) if left.is_empty() => Ok(Output {
            denied_by,
            inactive_credentials: credentials.len(),
            kept_policies,
        }),
        denied_by => {
            if denied_by.is_none() {
                left.insert(0, "no deny stands".to_owned());
            }
            Err(Failure::NotContained {
                arn: principal.arn,
                left: left.join(", "),
            })
        }
    }
}
