//! What IAM says of a principal, user or role alike. Every list is read to its last
//! page. Changes nothing.

use std::collections::BTreeMap;

use aws_calls::failure;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{AttachedPermissionsBoundary, AttachedPolicy, Tag};
use incident::{Denial, DenyBy, Failure, Kind, Principal, deny_policy};
use percent_encoding::percent_decode_str;

/// A principal as IAM knows it. Times are RFC 3339.
#[derive(Debug)]
pub struct Found {
    /// Its ARN, with its path.
    pub arn: String,
    /// Its name, as IAM spells it.
    pub name: String,
    /// Its path, with slashes at both ends.
    pub path: String,
    /// Its unique id.
    pub id: String,
    /// When it was made.
    pub created: String,
    /// The ARN of its permissions boundary.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Of a user: when its console password was last used.
    pub password_last_used: Option<String>,
    /// Of a role: who may assume it, as the policy's author wrote it.
    pub trust_policy: Option<String>,
}

/// Whoever has the name, or [`Failure::NotFound`].
pub async fn find(iam: &Client, kind: Kind, name: &str) -> Result<Found, Failure> {
    match kind {
        Kind::User => find_user(iam, name).await,
        Kind::Role => find_role(iam, name).await,
    }
}

/// The principal as it is now, or [`Failure::PrincipalVanished`] where its name is not that
/// of its unique id: calls name a principal by its name alone, and names change hands.
pub async fn find_same(iam: &Client, principal: &Principal) -> Result<Found, Failure> {
    let found = find(iam, principal.kind, &principal.name).await;
    let found = found.map_err(|failure| vanished(failure, principal))?;
    if found.id != principal.id {
        return Err(principal.vanished(Some(&found.id)));
    }
    Ok(found)
}

/// The failure of a step about a principal: where the principal is all that the call names,
/// or all that it names and may be missing, [`Failure::PrincipalVanished`].
///
/// Source: IAM API Reference, `NoSuchEntity` of each action.
#[must_use]
pub fn vanished(failure: Failure, principal: &Principal) -> Failure {
    match failure {
        Failure::NotFound { call, .. } if ABOUT_IT_ALONE.contains(&call) => {
            principal.vanished(None)
        }
        other => other,
    }
}

/// `AWSDenyAll`, which some of them name too, always exists.
const ABOUT_IT_ALONE: [&str; 19] = [
    "iam:GetUser",
    "iam:GetRole",
    "iam:ListAttachedUserPolicies",
    "iam:ListAttachedRolePolicies",
    "iam:ListUserPolicies",
    "iam:ListRolePolicies",
    "iam:ListGroupsForUser",
    "iam:ListAccessKeys",
    "iam:ListSSHPublicKeys",
    "iam:ListSigningCertificates",
    "iam:ListServiceSpecificCredentials",
    "iam:ListMFADevices",
    "iam:ListInstanceProfilesForRole",
    "iam:AttachUserPolicy",
    "iam:AttachRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutRolePermissionsBoundary",
    "iam:TagUser",
    "iam:TagRole",
];

async fn find_user(iam: &Client, name: &str) -> Result<Found, Failure> {
    let call = "iam:GetUser";
    let answer =
        iam.get_user().user_name(name).send().await.map_err(|error| failure(call, error))?;
    let user = answer.user.ok_or_else(|| incomplete(call))?;
    Ok(Found {
        arn: user.arn,
        name: user.user_name,
        path: user.path,
        id: user.user_id,
        created: user.create_date.to_string(),
        boundary: boundary(user.permissions_boundary),
        tags: tags(user.tags),
        password_last_used: user.password_last_used.map(|date| date.to_string()),
        trust_policy: None,
    })
}

async fn find_role(iam: &Client, name: &str) -> Result<Found, Failure> {
    let call = "iam:GetRole";
    let answer =
        iam.get_role().role_name(name).send().await.map_err(|error| failure(call, error))?;
    let role = answer.role.ok_or_else(|| incomplete(call))?;
    let trust_policy = role.assume_role_policy_document.map(|document| decoded(call, &document));
    Ok(Found {
        arn: role.arn,
        name: role.role_name,
        path: role.path,
        id: role.role_id,
        created: role.create_date.to_string(),
        boundary: boundary(role.permissions_boundary),
        tags: tags(role.tags),
        password_last_used: None,
        trust_policy: trust_policy.transpose()?,
    })
}

fn boundary(boundary: Option<AttachedPermissionsBoundary>) -> Option<String> {
    boundary?.permissions_boundary_arn
}

fn tags(tags: Option<Vec<Tag>>) -> BTreeMap<String, String> {
    tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// The failure that an answer without its content means.
#[must_use]
pub fn incomplete(call: &'static str) -> Failure {
    Failure::ServiceUnavailable { call, source: "the answer is incomplete".into() }
}

/// ARNs of the managed policies attached to the principal, sorted.
pub async fn attached_policies(
    iam: &Client,
    kind: Kind,
    name: &str,
) -> Result<Vec<String>, Failure> {
    let policies: Vec<AttachedPolicy> = match kind {
        Kind::User => {
            let pages = iam.list_attached_user_policies().user_name(name).into_paginator().items();
            let policies = pages.send().collect::<Result<_, _>>().await;
            policies.map_err(|error| failure("iam:ListAttachedUserPolicies", error))?
        }
        Kind::Role => {
            let pages = iam.list_attached_role_policies().role_name(name).into_paginator().items();
            let policies = pages.send().collect::<Result<_, _>>().await;
            policies.map_err(|error| failure("iam:ListAttachedRolePolicies", error))?
        }
    };
    Ok(sorted(policies.into_iter().filter_map(|policy| policy.policy_arn)))
}

/// Names of the principal's inline policies, sorted.
pub async fn inline_policies(iam: &Client, kind: Kind, name: &str) -> Result<Vec<String>, Failure> {
    let names: Vec<String> = match kind {
        Kind::User => {
            let pages = iam.list_user_policies().user_name(name).into_paginator().items();
            let names = pages.send().collect::<Result<_, _>>().await;
            names.map_err(|error| failure("iam:ListUserPolicies", error))?
        }
        Kind::Role => {
            let pages = iam.list_role_policies().role_name(name).into_paginator().items();
            let names = pages.send().collect::<Result<_, _>>().await;
            names.map_err(|error| failure("iam:ListRolePolicies", error))?
        }
    };
    Ok(sorted(names))
}

/// The document of an inline policy, as its author wrote it.
pub async fn inline_document(
    iam: &Client,
    kind: Kind,
    name: &str,
    policy: &str,
) -> Result<String, Failure> {
    match kind {
        Kind::User => {
            let call = "iam:GetUserPolicy";
            let answer = iam.get_user_policy().user_name(name).policy_name(policy).send().await;
            decoded(call, &answer.map_err(|error| failure(call, error))?.policy_document)
        }
        Kind::Role => {
            let call = "iam:GetRolePolicy";
            let answer = iam.get_role_policy().role_name(name).policy_name(policy).send().await;
            decoded(call, &answer.map_err(|error| failure(call, error))?.policy_document)
        }
    }
}

/// A policy document as its author wrote it; IAM returns it percent-encoded.
///
/// Source: IAM API Reference, `GetUserPolicy` (`PolicyDocument`).
pub fn decoded(call: &'static str, document: &str) -> Result<String, Failure> {
    let document = percent_decode_str(document).decode_utf8();
    document
        .map(Into::into)
        .map_err(|error| Failure::RequestRejected { call, source: error.into() })
}

/// Where a deny stands, if it does.
#[must_use]
pub fn denied(partition: &str, boundary: Option<&str>, attached: &[String]) -> Option<DenyBy> {
    if attached.contains(&deny_policy(partition)) {
        Some(DenyBy::Policy)
    } else if is_denied_by_boundary(partition, boundary) {
        Some(DenyBy::Boundary)
    } else {
        None
    }
}

/// Whether this permissions boundary is `AWSDenyAll`.
#[must_use]
pub fn is_denied_by_boundary(partition: &str, boundary: Option<&str>) -> bool {
    boundary == Some(deny_policy(partition).as_str())
}

/// Fails unless a deny stands on the principal now: with [`Failure::DenyNotVisible`] if
/// Quarantine has put one there, with [`Failure::DenyMissing`] if it has not; and with
/// [`Failure::PrincipalVanished`] where it is not the one that was identified.
pub async fn require_deny(
    iam: &Client,
    partition: &str,
    principal: &Principal,
    denial: Option<Denial>,
) -> Result<(), Failure> {
    let attached = attached_policies(iam, principal.kind, &principal.name);
    // Whichever answer comes first, that the principal has vanished is what counts.
    let (found, attached) = futures::join!(find_same(iam, principal), attached);
    let (found, attached) = (found?, attached.map_err(|failure| vanished(failure, principal))?);
    if denied(partition, found.boundary.as_deref(), &attached).is_some() {
        return Ok(());
    }
    match denial.and_then(|denial| denial.by) {
        Some(_) => Err(not_shown(found.arn)),
        None => Err(Failure::DenyMissing(found.arn)),
    }
}

/// Fails unless `AWSDenyAll` is the principal's permissions boundary now: with
/// [`Failure::DenyNotVisible`] if Quarantine has set it, with
/// [`Failure::BoundaryMissing`] if it has not; and with [`Failure::PrincipalVanished`] where
/// the principal is not the one that was identified.
pub async fn require_boundary(
    iam: &Client,
    partition: &str,
    principal: &Principal,
    denial: Option<Denial>,
) -> Result<(), Failure> {
    let found = find_same(iam, principal).await?;
    if is_denied_by_boundary(partition, found.boundary.as_deref()) {
        return Ok(());
    }
    match denial {
        Some(Denial { boundary: true, .. }) => Err(not_shown(found.arn)),
        Some(Denial { refused: Some(refused), .. }) => {
            Err(Failure::BoundaryMissing { why: exempt_us(partition, &refused) })
        }
        _ => Err(Failure::BoundaryMissing { why: "it could not be set".to_owned() }),
    }
}

fn not_shown(arn: String) -> Failure {
    Failure::DenyNotVisible { arn, why: "IAM does not show it, so nothing was taken away".into() }
}

/// What people have to know where IAM refuses the boundary: it is refused only beside a
/// deny that stands. The advice comes first, since what IAM says may be cut.
fn exempt_us(partition: &str, refused: &str) -> String {
    format!(
        "IAM refuses it; but the attached AWSDenyAll stands, the attacker is out. If a service \
         control policy demands another boundary, exempt \
         arn:{partition}:iam::*:role/cordon/SecurityRemediation-Quarantine from it, and redrive. \
         {refused}"
    )
}

pub(crate) fn sorted(items: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut items: Vec<String> = items.into_iter().collect();
    items.sort();
    items
}
