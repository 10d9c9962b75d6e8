//! Reads who holds a policy that a finding reports as too wide, for the people who have
//! to mend it. Changes nothing.

use aws_calls::failure;
use aws_sdk_iam::Client;
use incident::{AccountId, Execution, Failure, cut, listed};
use member::{Entry, Grant, concurrently};
use serde::{Deserialize, Serialize};

/// How many holders of one policy are named; the count is of all of them.
const NAMED: usize = 40;

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The member account.
    account: AccountId,
    /// ARNs of customer-managed policies of that account.
    policies: Vec<String>,
}

/// The step's output.
#[derive(Debug, Serialize)]
pub struct Output {
    /// A line for each policy: its ARN, and by name the users, roles and groups that have
    /// it, attached or as permissions boundary.
    holders: Vec<String>,
}

/// Reads the holders of each policy, to the last page.
pub async fn find_holders(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input { execution, account, policies } = input;
    let of_account = format!("arn:{}:iam::{account}:policy/*", execution.partition());
    let grant = Grant { actions: &["iam:ListEntitiesForPolicy"], resources: vec![of_account] };
    let iam = entry.enter(&execution, &account, &[grant]).await?;
    let holders = concurrently(policies.iter().map(|policy| holders(&iam, policy))).await;
    Ok(Output { holders: holders.into_iter().collect::<Result<_, _>>()? })
}

async fn holders(iam: &Client, policy: &str) -> Result<String, Failure> {
    let pages = iam.list_entities_for_policy().policy_arn(policy).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await;
    let pages = pages.map_err(|error| failure("iam:ListEntitiesForPolicy", error))?;
    let mut names: Vec<String> = Vec::new();
    for page in pages {
        let users = page.policy_users.unwrap_or_default().into_iter();
        names.extend(users.filter_map(|one| Some(format!("user {}", one.user_name?))));
        let roles = page.policy_roles.unwrap_or_default().into_iter();
        names.extend(roles.filter_map(|one| Some(format!("role {}", one.role_name?))));
        let groups = page.policy_groups.unwrap_or_default().into_iter();
        names.extend(groups.filter_map(|one| Some(format!("group {}", one.group_name?))));
    }
    names.sort();
    let policy = cut(policy, 200);
    Ok(match names.len() {
        0 => format!("{policy} is held by nobody"),
        _ => format!("{policy} is held by {}", listed(&names, NAMED)),
    })
}
