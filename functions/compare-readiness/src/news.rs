//! What is new, in as few lines as it takes.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::record::{Record, Refusal};

/// So many accounts of one line are named.
const NAMED: usize = 20;

/// So many lines are told of each kind; all of them are in the result.
const LINES: usize = 20;

/// What has changed since the last run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) began: Lines,
    pub(crate) ended: Lines,
    pub(crate) standing: Lines,
}

/// The first lines, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Lines {
    pub(crate) first: Vec<Told>,
    pub(crate) more: usize,
}

/// The first of the accounts that are not asked about any more, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Gone {
    pub(crate) first: Vec<String>,
    pub(crate) more: usize,
}

impl Gone {
    pub(crate) fn since(last: Option<&Record>, listed: &BTreeSet<&str>) -> Self {
        let before = last.into_iter().flat_map(|last| &last.listed);
        let gone = before.filter(|account| !listed.contains(account.as_str()));
        let mut first: Vec<_> = gone.cloned().collect();
        let more = first.split_off(first.len().min(NAMED)).len();
        Self { first, more }
    }
}

/// Accounts that refuse the same steps alike, as people are told of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    steps: Vec<String>,
    /// The failure's name.
    error: String,
    /// The calls that are refused.
    calls: Vec<String>,
    /// What the service said of the first of them.
    cause: String,
    /// The first of them.
    accounts: Vec<String>,
    /// How many more there are.
    more: usize,
    /// Whether the account is asked about at all.
    listed: bool,
}

/// What a refusal is for, whichever accounts it is about.
type Way<'a> = (&'a str, &'a str, &'a [String]);

impl News {
    /// What is refused in `now` and was not in `last`, and the other way round. An account that
    /// is `listed` no more refuses nothing, and that is told of it.
    pub(crate) fn between(last: Option<&Record>, now: &Record, listed: &BTreeSet<&str>) -> Self {
        let before: Vec<&Refusal> = last.into_iter().flat_map(Record::all).collect();
        let after: Vec<&Refusal> = now.all().collect();
        let began = less(&after, |one, account| {
            before.iter().any(|known| way(known) == way(one) && known.accounts.contains(account))
        });
        // Refused in another way now is not allowed.
        let ended = less(&before, |one, account| {
            after.iter().any(|still| {
                still.step == one.step
                    && still.is_of_the_entry() == one.is_of_the_entry()
                    && still.accounts.contains(account)
            })
        });
        let standing = less(&after, |_, _| false);
        Self {
            began: lines(&began, listed),
            ended: lines(&ended, listed),
            standing: lines(&standing, listed),
        }
    }
}

fn way(refusal: &Refusal) -> Way<'_> {
    (&refusal.step, &refusal.error, &refusal.calls)
}

/// The refusals without the accounts of which this holds.
fn less<'a>(
    refusals: &[&'a Refusal],
    holds: impl Fn(&Refusal, &str) -> bool,
) -> Vec<(&'a Refusal, BTreeSet<&'a str>)> {
    let left = refusals.iter().map(|one| {
        let accounts = one.accounts.iter().map(String::as_str);
        (*one, accounts.filter(|account| !holds(one, account)).collect::<BTreeSet<_>>())
    });
    left.filter(|(_, accounts)| !accounts.is_empty()).collect()
}

/// One line for all steps that the same accounts refuse alike; those that are not listed any
/// more apart.
fn lines(refusals: &[(&Refusal, BTreeSet<&str>)], listed: &BTreeSet<&str>) -> Lines {
    let mut lines: BTreeMap<_, (BTreeSet<&str>, &str)> = BTreeMap::new();
    for (one, accounts) in refusals {
        let (here, gone): (BTreeSet<&str>, BTreeSet<&str>) =
            accounts.iter().partition(|account| listed.contains(*account));
        for (accounts, listed) in [(here, true), (gone, false)] {
            if accounts.is_empty() {
                continue;
            }
            let alike = (one.error.as_str(), one.calls.as_slice(), accounts, listed);
            let line = lines.entry(alike).or_insert_with(|| (BTreeSet::new(), &one.cause));
            line.0.insert(&one.step);
        }
    }
    let told = lines.into_iter().map(|((error, calls, accounts, listed), (steps, cause))| Told {
        steps: steps.into_iter().map(str::to_owned).collect(),
        error: error.to_owned(),
        calls: calls.to_vec(),
        cause: cause.to_owned(),
        accounts: accounts.iter().take(NAMED).map(|account| (*account).to_owned()).collect(),
        more: accounts.len().saturating_sub(NAMED),
        listed,
    });
    let mut first: Vec<_> = told.collect();
    let more = first.split_off(first.len().min(LINES)).len();
    Lines { first, more }
}
