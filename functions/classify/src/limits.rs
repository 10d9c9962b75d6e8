use incident::{Mode, hex_digest};
use serde::Serialize;

use crate::{Source, Verdict};

/// What the state machine counts in an hour, each in a window of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Principals that are contained.
    pub contain: Limit,
    /// Users whose unused credentials are retired.
    pub retire: Limit,
    /// Escalations that are mailed.
    pub escalate: Limit,
    /// The window in which one urgent mail about the same principals, or by the same
    /// rule on findings of custom products, is sent whatever else there is.
    pub urgent: String,
}

/// How many there may be in an hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// Where they are counted; the hour comes behind it.
    pub window: String,
    /// How many there may be.
    pub most: u32,
    /// What people are told beyond it.
    pub beyond: String,
}

impl Limits {
    /// The limits that count for a verdict: for each account, and for each class of
    /// source. Whoever may import an account's findings can use up what custom products
    /// have there, and nothing else.
    pub(crate) fn of(verdict: &Verdict) -> Self {
        let Some(finding) = &verdict.finding else { return Self::default() };
        let (account, policy) = (&finding.account, &verdict.policy);
        let (class, whose, contained) = match verdict.source {
            Source::Service => ("service", "AWS services", policy.containments_per_hour),
            Source::Custom => ("custom", "custom products", policy.containments_per_hour),
            Source::Person => ("person", "people's choice", policy.custom_actions_per_hour),
        };
        let (retired, told) = (policy.retirements_per_hour, policy.escalations_per_hour);
        Self {
            contain: Limit {
                window: format!("{account}#{class}"),
                most: contained,
                beyond: format!(
                    "the limit of {contained} containments an hour is reached for account \
                     {account} and the findings of {whose}"
                ),
            },
            retire: Limit {
                window: format!("{account}#retirement"),
                most: retired,
                beyond: format!(
                    "the limit of {retired} retirements an hour is reached for account {account}"
                ),
            },
            escalate: Limit {
                window: format!("{account}#{class}#escalations"),
                most: told,
                beyond: format!(
                    "{told} findings of {whose} about account {account} were left to people in \
                     this hour; further ones of this hour are not mailed{}, unless they are urgent",
                    if policy.mode == Mode::Observe { " today (UTC)" } else { "" }
                ),
            },
            urgent: format!("{account}#urgent#{class}#{}", subject(verdict)),
        }
    }
}

/// Whom the verdict is about, as a digest: names are long, and hostile. Whoever may import the
/// findings of a custom product invents as many names as it takes: what such a product calls
/// urgent is told by itself once for each rule, and counted from then on.
fn subject(verdict: &Verdict) -> String {
    if verdict.source == Source::Custom {
        return digest(verdict.rules.first().map_or("", String::as_str));
    }
    let mut named: Vec<&str> = verdict.accused.iter().map(|one| one.resource.as_str()).collect();
    named.extend(verdict.refused.iter().map(|one| one.resource.as_str()));
    named.extend(verdict.policies.iter().map(String::as_str));
    named.sort_unstable();
    digest(&named.join("\n"))
}

fn digest(text: &str) -> String {
    hex_digest(text.as_bytes()).chars().take(40).collect()
}
