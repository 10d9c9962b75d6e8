//! What only users have beside their credentials: groups, a console password, MFA devices.
//! Every list is read to its last page. Changes nothing.

use aws_calls::{Answer, all, if_found};
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{LoginProfile, MfaDevice};
use incident::Failure;

use crate::sorted;

/// Names of the user's groups, sorted.
pub async fn groups(iam: &Client, name: &str) -> Result<Vec<String>, Failure> {
    let pages = iam.list_groups_for_user().user_name(name).into_paginator().items();
    let groups = all("iam:ListGroupsForUser", pages.send()).await?;
    Ok(sorted(groups.into_iter().map(|group| group.group_name)))
}

/// What IAM says of the user's console password, where it has one.
pub async fn login_profile(iam: &Client, name: &str) -> Result<Option<LoginProfile>, Failure> {
    let answer = iam.get_login_profile().user_name(name).send().await;
    let answer = if_found(answer.to("iam:GetLoginProfile"))?;
    Ok(answer.and_then(|answer| answer.login_profile))
}

/// The user's MFA devices.
pub async fn mfa_devices(iam: &Client, name: &str) -> Result<Vec<MfaDevice>, Failure> {
    let pages = iam.list_mfa_devices().user_name(name).into_paginator().items();
    all("iam:ListMFADevices", pages.send()).await
}
