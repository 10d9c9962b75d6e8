//! Which policies a principal has, what policies say, and who holds one. Every list is read to
//! its last page. Changes nothing.

use aws_calls::{Answer, all};
use aws_sdk_iam::Client;
use incident::{Failure, Kind};
use percent_encoding::percent_decode_str;

use crate::{incomplete, sorted};

/// ARNs of the managed policies attached to the principal, sorted.
pub async fn attached_policies(
    iam: &Client,
    kind: Kind,
    name: &str,
) -> Result<Vec<String>, Failure> {
    let policies = match kind {
        Kind::User => {
            let pages = iam.list_attached_user_policies().user_name(name).into_paginator().items();
            all("iam:ListAttachedUserPolicies", pages.send()).await?
        }
        Kind::Role => {
            let pages = iam.list_attached_role_policies().role_name(name).into_paginator().items();
            all("iam:ListAttachedRolePolicies", pages.send()).await?
        }
    };
    Ok(sorted(policies.into_iter().filter_map(|policy| policy.policy_arn)))
}

/// Names of the principal's inline policies, sorted.
pub async fn inline_policies(iam: &Client, kind: Kind, name: &str) -> Result<Vec<String>, Failure> {
    let names = match kind {
        Kind::User => {
            let pages = iam.list_user_policies().user_name(name).into_paginator().items();
            all("iam:ListUserPolicies", pages.send()).await?
        }
        Kind::Role => {
            let pages = iam.list_role_policies().role_name(name).into_paginator().items();
            all("iam:ListRolePolicies", pages.send()).await?
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
            decoded(call, &answer.to(call)?.policy_document)
        }
        Kind::Role => {
            let call = "iam:GetRolePolicy";
            let answer = iam.get_role_policy().role_name(name).policy_name(policy).send().await;
            decoded(call, &answer.to(call)?.policy_document)
        }
    }
}

/// A version of a managed policy.
#[derive(Debug)]
pub struct Version {
    /// Its id: `v1`, `v2` and so on.
    pub id: String,
    /// What it says, as its author wrote it.
    pub document: String,
}

/// The version of the managed policy that is in force.
pub async fn default_version(iam: &Client, arn: &str) -> Result<Version, Failure> {
    let call = "iam:GetPolicy";
    let policy = iam.get_policy().policy_arn(arn).send().await.to(call)?.policy;
    let id = policy.and_then(|policy| policy.default_version_id);
    let id = id.ok_or_else(|| incomplete(call))?;
    let call = "iam:GetPolicyVersion";
    let answer = iam.get_policy_version().policy_arn(arn).version_id(&id).send().await.to(call)?;
    let document = answer.policy_version.and_then(|version| version.document);
    let document = decoded(call, &document.ok_or_else(|| incomplete(call))?)?;
    Ok(Version { id, document })
}

/// A policy document as its author wrote it; IAM returns it percent-encoded.
///
/// Source: IAM API Reference, `GetUserPolicy` (`PolicyDocument`).
pub(crate) fn decoded(call: &'static str, document: &str) -> Result<String, Failure> {
    let document = percent_decode_str(document).decode_utf8();
    document
        .map(Into::into)
        .map_err(|error| Failure::RequestRejected { call, source: error.into() })
}

/// Who holds a policy, attached or as permissions boundary: `user eve`, sorted.
pub async fn holders(iam: &Client, arn: &str) -> Result<Vec<String>, Failure> {
    let pages = iam.list_entities_for_policy().policy_arn(arn).into_paginator().send();
    let pages = all("iam:ListEntitiesForPolicy", pages).await?;
    let names = pages.into_iter().flat_map(|page| {
        let users = page.policy_users.unwrap_or_default().into_iter();
        let users = users.filter_map(|one| Some(format!("user {}", one.user_name?)));
        let roles = page.policy_roles.unwrap_or_default().into_iter();
        let roles = roles.filter_map(|one| Some(format!("role {}", one.role_name?)));
        let groups = page.policy_groups.unwrap_or_default().into_iter();
        let groups = groups.filter_map(|one| Some(format!("group {}", one.group_name?)));
        users.chain(roles).chain(groups).collect::<Vec<_>>()
    });
    Ok(sorted(names))
}
