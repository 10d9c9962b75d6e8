//! Which policies a group has, and what they say. Every list is read to its last page. Changes
//! nothing.

use aws_calls::{Answer, all};
use aws_sdk_iam::Client;
use incident::Failure;

use crate::policy::decoded;

/// ARNs of the managed policies attached to the group.
pub async fn attached_policies(iam: &Client, group: &str) -> Result<Vec<String>, Failure> {
    let pages = iam.list_attached_group_policies().group_name(group).into_paginator().items();
    let policies = all("iam:ListAttachedGroupPolicies", pages.send()).await?;
    Ok(policies.into_iter().filter_map(|policy| policy.policy_arn).collect())
}

/// Names of the group's inline policies.
pub async fn inline_policies(iam: &Client, group: &str) -> Result<Vec<String>, Failure> {
    let pages = iam.list_group_policies().group_name(group).into_paginator().items();
    all("iam:ListGroupPolicies", pages.send()).await
}

/// The document of an inline policy, as its author wrote it.
pub async fn inline_document(iam: &Client, group: &str, policy: &str) -> Result<String, Failure> {
    let call = "iam:GetGroupPolicy";
    let answer = iam.get_group_policy().group_name(group).policy_name(policy).send().await;
    decoded(call, &answer.to(call)?.policy_document)
}
