//! Reads who holds a policy that a finding reports as too wide, for the people who have
//! to mend it. Changes nothing.

use aws_sdk_iam::Client;
use incident::{AccountId, Execution, Failure, cut, listed};
use member::policy::holders;
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
    let holders = concurrently(policies.iter().map(|policy| line(&iam, policy))).await?;
    Ok(Output { holders })
}

async fn line(iam: &Client, policy: &str) -> Result<String, Failure> {
    let names = holders(iam, policy).await?;
    let policy = cut(policy, 200);
    Ok(match names.len() {
        0 => format!("{policy} is held by nobody"),
        _ => format!("{policy} is held by {}", listed(&names, NAMED)),
    })
}
