//! Reads who holds a policy that a finding reports as too wide, for the people who have
//! to mend it. Changes nothing.

use aws_sdk_iam::Client;
use incident::{AccountId, Execution, Failure, cut, listed};
use member::policy::holders;
use member::{Entry, Grant, Readiness, concurrently};
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

/// Readiness tries the way into the account alone: this step changes nothing there.
pub const READINESS: Readiness = Readiness::entry_alone(include_str!("../member-policy.json"));

#[cfg(test)]
mod tests {
    use wire::{Rule, answer, error, mock};

    use super::*;

    const WIDE: &str = "arn:aws:iam::222222222222:policy/wide";
    const UNUSED: &str = "arn:aws:iam::222222222222:policy/unused";

    async fn find(rules: &[&Rule], policies: &[&str]) -> Result<Vec<String>, Failure> {
        let sts = wire::sts(&[&wire::lets_in()]);
        let entry = Entry::new(sts, wire::iam(rules), "role".into(), "id".into());
        let policies = policies.iter().map(|arn| (*arn).to_owned()).collect();
        let input = Input { execution: wire::execution(), account: wire::account(), policies };
        find_holders(&entry, input).await.map(|output| output.holders)
    }

    /// The page of the policy's holders that `marker` leads to.
    fn page(arn: &'static str, marker: Option<&'static str>, page: &'static str) -> Rule {
        mock!(Client::list_entities_for_policy)
            .match_requests(move |list| list.policy_arn() == Some(arn) && list.marker() == marker)
            .then_http_response(move || answer("ListEntitiesForPolicy", page))
    }

    #[tokio::test]
    async fn who_holds_a_policy_is_named_to_the_last_page() {
        let first = "<PolicyUsers><member><UserName>eve</UserName></member></PolicyUsers>\
                     <PolicyGroups><member><GroupName>all</GroupName></member></PolicyGroups>\
                     <IsTruncated>true</IsTruncated><Marker>2</Marker>";
        let second = "<PolicyRoles><member><RoleName>builder</RoleName></member></PolicyRoles>\
                      <PolicyUsers><member><UserName>adam</UserName></member></PolicyUsers>";
        let (first, second) = (page(WIDE, None, first), page(WIDE, Some("2"), second));
        let none = page(UNUSED, None, "");
        let holders = find(&[&first, &second, &none], &[WIDE, UNUSED]).await.unwrap();
        assert_eq!(
            holders,
            [
                format!("{WIDE} is held by group all, role builder, user adam, user eve"),
                format!("{UNUSED} is held by nobody"),
            ]
        );
    }

    #[tokio::test]
    async fn who_can_not_be_read_is_not_nobody() {
        let refused =
            mock!(Client::list_entities_for_policy).then_http_response(|| error("AccessDenied"));
        assert_eq!(find(&[&refused], &[WIDE]).await.unwrap_err().name(), "AccessDenied");
    }
}
