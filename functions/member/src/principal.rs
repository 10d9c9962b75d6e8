//! Who a principal is, user or role alike. Changes nothing.

use std::collections::BTreeMap;

use aws_calls::{Answer, all};
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{AttachedPermissionsBoundary, Tag};
use incident::{Failure, Kind, Principal};

use crate::incomplete;
use crate::policy::decoded;

/// A principal as IAM knows it. Times are RFC 3339.
///
/// Source: IAM User Guide, "Terms" (IAM entity).
#[derive(Debug)]
pub struct Entity {
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
pub async fn find(iam: &Client, kind: Kind, name: &str) -> Result<Entity, Failure> {
    match kind {
        Kind::User => find_user(iam, name).await,
        Kind::Role => find_role(iam, name).await,
    }
}

/// The principal as it is now, or [`Failure::PrincipalVanished`] where its name is not that
/// of its unique id: calls name a principal by its name alone, and names change hands.
pub async fn find_same(iam: &Client, principal: &Principal) -> Result<Entity, Failure> {
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

async fn find_user(iam: &Client, name: &str) -> Result<Entity, Failure> {
    let call = "iam:GetUser";
    let answer = iam.get_user().user_name(name).send().await.to(call)?;
    let user = answer.user.ok_or_else(|| incomplete(call))?;
    Ok(Entity {
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

async fn find_role(iam: &Client, name: &str) -> Result<Entity, Failure> {
    let call = "iam:GetRole";
    let answer = iam.get_role().role_name(name).send().await.to(call)?;
    let role = answer.role.ok_or_else(|| incomplete(call))?;
    let trust_policy = role.assume_role_policy_document.map(|document| decoded(call, &document));
    Ok(Entity {
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

/// ARNs of the instance profiles that a role is in: instances act as it through them.
pub async fn instance_profiles(iam: &Client, role: &str) -> Result<Vec<String>, Failure> {
    let profiles = iam.list_instance_profiles_for_role().role_name(role).into_paginator().items();
    let profiles = all("iam:ListInstanceProfilesForRole", profiles.send()).await?;
    Ok(profiles.into_iter().map(|profile| profile.arn).collect())
}

#[cfg(test)]
mod tests {
    use wire::{builder, error, eve, mock, namesake, shows};

    use super::*;

    #[tokio::test]
    async fn a_name_is_the_principals_only_with_its_id() {
        let nobody = mock!(Client::get_user).then_http_response(|| error("NoSuchEntity"));
        let refused = mock!(Client::get_user).then_http_response(|| error("AccessDenied"));
        for (rule, principal, expected) in [
            (shows(&eve(), None), eve(), Ok("AIDAEVE")),
            (shows(&builder(), None), builder(), Ok("AROABUILDER")),
            (shows(&namesake(), None), eve(), Err("PrincipalVanished")),
            (nobody, eve(), Err("PrincipalVanished")),
            (refused, eve(), Err("AccessDenied")),
        ] {
            let iam = Client::from_conf(wire::iam(&[&rule]).build());
            let found = find_same(&iam, &principal).await;
            let id = found.as_ref().map(|found| found.id.as_str());
            assert_eq!(id.map_err(Failure::name), expected);
        }
    }

    #[test]
    fn the_principal_has_not_vanished_because_something_else_has() {
        for (call, name) in [
            ("iam:ListGroupsForUser", "PrincipalVanished"),
            ("iam:TagRole", "PrincipalVanished"),
            ("iam:GetUserPolicy", "NotFound"),
            ("iam:DetachUserPolicy", "NotFound"),
            ("iam:GetLoginProfile", "NotFound"),
        ] {
            let missing = Failure::NotFound { call, source: "NoSuchEntity".into() };
            assert_eq!(vanished(missing, &eve()).name(), name, "{call}");
        }
    }
}
