//! What a run has found: account by step, as it is stored.

use std::collections::{BTreeMap, BTreeSet};

use incident::{AccountId, Failure};
use serde::{Deserialize, Serialize};

use crate::Page;

/// The call that enters an account, and the one that asks a step about it.
const ENTERING: [&str; 2] = ["sts:AssumeRole", "lambda:InvokeFunction"];

/// A run's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) execution: String,
    pub(crate) started: String,
    /// How many accounts were asked about.
    pub(crate) accounts: usize,
    /// Which they were. Results of before have none.
    #[serde(default)]
    pub(crate) listed: BTreeSet<String>,
    /// The steps that were asked.
    pub(crate) steps: BTreeSet<String>,
    /// Which accounts can't be entered.
    pub(crate) refused: Vec<Refusal>,
    /// When the write calls were last tried.
    pub(crate) proved: Option<String>,
    /// Which accounts refuse write calls, as of then.
    pub(crate) refused_calls: Vec<Refusal>,
    /// The actions of each step's role that were not tried, as of then.
    pub(crate) unproved: BTreeMap<String, Vec<String>>,
}

/// Accounts that refuse a step alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    pub(crate) step: String,
    pub(crate) error: String,
    pub(crate) calls: Vec<String>,
    /// What the service said of the first of them.
    pub(crate) cause: String,
    pub(crate) accounts: BTreeSet<String>,
}

impl Refusal {
    /// Whether it is the account that can't be entered, and not a call there that is refused.
    pub(crate) fn is_of_the_entry(&self) -> bool {
        self.calls.iter().any(|call| ENTERING.contains(&call.as_str()))
    }
}

impl Record {
    /// What a run has found that was not deep; of the write calls it knows nothing.
    pub(crate) fn of(
        execution: &str,
        started: &str,
        accounts: &[AccountId],
        pages: &[Page],
    ) -> Result<Self, Failure> {
        let mut refusals: Vec<Refusal> = Vec::new();
        for page in pages {
            for refused in &page.refused {
                let accounts = members(accounts, page, &refused.accounts)?;
                let known = refusals.iter_mut().find(|known| {
                    known.step == page.step
                        && known.error == refused.error
                        && known.calls == refused.calls
                });
                match known {
                    Some(known) => known.accounts.extend(accounts),
                    None => refusals.push(Refusal {
                        step: page.step.clone(),
                        error: refused.error.clone(),
                        calls: refused.calls.clone(),
                        cause: refused.cause.clone(),
                        accounts,
                    }),
                }
            }
        }
        let (refused, refused_calls) = refusals.into_iter().partition(Refusal::is_of_the_entry);
        Ok(Self {
            execution: execution.to_owned(),
            started: started.to_owned(),
            accounts: accounts.len(),
            listed: accounts.iter().map(ToString::to_string).collect(),
            steps: pages.iter().map(|page| page.step.clone()).collect(),
            refused,
            proved: None,
            refused_calls,
            unproved: BTreeMap::new(),
        })
    }

    /// The same with what was found of the write calls, if it was deep; otherwise with what the
    /// last run knew of them, and where an account can't be entered with that in any case.
    pub(crate) fn with_calls(
        mut self,
        deep: bool,
        pages: &[Page],
        last: Option<&Self>,
        listed: &[AccountId],
    ) -> Self {
        let listed: BTreeSet<&str> = listed.iter().map(AccountId::as_str).collect();
        let entered = |step: &str, account: &str| {
            let refuses = |one: &Refusal| one.step == step && one.accounts.contains(account);
            !self.refused.iter().any(refuses)
        };
        let known = last.map(|last| last.refused_calls.clone()).unwrap_or_default();
        let kept = known.into_iter().filter_map(|mut refusal| {
            let step = &refusal.step;
            refusal.accounts.retain(|account| {
                listed.contains(account.as_str()) && !(deep && entered(step, account))
            });
            (!refusal.accounts.is_empty()).then_some(refusal)
        });
        let kept: Vec<_> = kept.collect();
        self.refused_calls.extend(kept);
        if deep {
            self.proved = Some(self.started.clone());
            let unproved = pages.iter().filter(|page| !page.unproved.is_empty());
            self.unproved =
                unproved.map(|page| (page.step.clone(), page.unproved.clone())).collect();
        } else if let Some(last) = last {
            self.proved.clone_from(&last.proved);
            self.unproved.clone_from(&last.unproved);
        }
        self
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Refusal> {
        self.refused.iter().chain(&self.refused_calls)
    }

    /// The accounts that some step can't enter.
    pub(crate) fn not_entered(&self) -> BTreeSet<&str> {
        self.refused.iter().flat_map(|one| one.accounts.iter().map(String::as_str)).collect()
    }
}

/// The accounts of a page whose bits are set, the first account's first.
fn members(accounts: &[AccountId], page: &Page, bits: &str) -> Result<BTreeSet<String>, Failure> {
    let digits = bits.chars().map(|digit| {
        digit.to_digit(16).ok_or_else(|| Failure::InvalidInput(format!("`{bits}` is no number")))
    });
    let digits: Vec<u32> = digits.collect::<Result<_, _>>()?;
    let bits = digits.into_iter().flat_map(|digit| [8, 4, 2, 1].map(|bit| digit & bit != 0));
    let of_page = accounts.iter().skip(page.from).take(page.size);
    Ok(of_page.zip(bits).filter(|(_, set)| *set).map(|(one, _)| one.to_string()).collect())
}
