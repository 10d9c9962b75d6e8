//! Compares which member accounts can be entered with what the last run has found, and stores
//! it: people are told only what is new.

mod answering;
mod news;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use answering::Switches;
use bucket::Bucket;
use incident::{AccountId, Answering, Execution, Failure};
use news::{Gone, Lines, News};
use record::Record;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Where results lie in the evidence bucket.
const FOLDER: &str = "readiness/";

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// When it was started (RFC 3339).
    started: String,
    /// Whether write calls were tried.
    deep: bool,
    /// The accounts that were asked about.
    accounts: Vec<AccountId>,
    /// What each step answered about each page of them.
    pages: Vec<Page>,
    /// What there has to be before any account is entered; nothing in an execution that began
    /// before this was read.
    switches: Option<Switches>,
    /// What is to be done.
    call: Call,
}

/// Two calls, since what people were not told is not to count as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Call {
    /// Say what is new. Changes nothing.
    Compare,
    /// Store it, and report the metric.
    Store,
}

/// What a step answered about a page of accounts.
#[derive(Debug, Deserialize)]
struct Page {
    step: String,
    from: usize,
    size: usize,
    refused: Vec<Refused>,
    unproved: Vec<String>,
}

/// Accounts of a page that refuse alike, as `member` answers it.
#[derive(Debug, Deserialize)]
struct Refused {
    error: String,
    calls: Vec<String>,
    cause: String,
    accounts: String,
}

/// The step's output.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Whether people have to be told.
    news: bool,
    /// How many accounts were asked about.
    accounts: usize,
    /// How many steps were asked.
    steps: usize,
    /// How many accounts some step can't enter.
    not_entered: usize,
    /// What is refused and was not when it was last asked.
    began: Lines,
    /// What was refused and is not any more.
    ended: Lines,
    /// All that is refused.
    standing: Lines,
    /// Who was asked about when it was last asked, and is not any more.
    gone: Gone,
    /// When the write calls were last tried.
    proved: Option<String>,
    /// The actions of each step's role that were not tried then.
    unproved: BTreeMap<String, Vec<String>>,
    /// Where the result is, or is to be, stored.
    result: String,
    /// Why the last result can't be compared with.
    last_unreadable: Option<String>,
    /// Whether findings are answered at all.
    answering: Option<Answering>,
}

/// Compares a run with the last one before it, by the results in the evidence bucket, or stores
/// its result there, where nothing is overwritten. What was not found out in this run, because
/// it was not deep, or because the account could not be entered, goes on as it was. Done twice,
/// each says and stores the same.
///
/// Results are named for the time at which their execution began, so the last one is found by
/// its key. One that is none is told, and all that is refused with it, as if it were new. So is
/// who is not asked about any more, and that nobody is. What keeps findings from being answered at
/// all is told by each run.
pub async fn compare_readiness(bucket: &Bucket, input: Input) -> Result<Output, Failure> {
    let Input { execution, started, deep, accounts, pages, switches, call } = input;
    let own = format!("{started}-{}.json", execution.name());
    let (last, last_unreadable) = match last(bucket, &own).await {
        Ok(last) => (last, None),
        Err(failure @ Failure::EvidenceUnreadable { .. }) => (None, Some(failure.chain())),
        Err(failure) => return Err(failure),
    };
    let record = Record::of(execution.arn(), &started, &accounts, &pages)?;
    let record = record.with_calls(deep, &pages, last.as_ref(), &accounts);
    let key = format!("{FOLDER}{own}");
    if call == Call::Store {
        let document = serde_json::to_vec(&record)
            .map_err(|error| Failure::InvalidInput(error.to_string()))?;
        bucket.create(&key, &document).await?;
        report(&record)?;
    }
    let listed: BTreeSet<&str> = accounts.iter().map(AccountId::as_str).collect();
    let News { began, ended, standing } = News::between(last.as_ref(), &record, &listed);
    let gone = Gone::since(last.as_ref(), &listed);
    let nobody = listed.is_empty() && last.as_ref().is_none_or(|last| last.accounts > 0);
    let answering = switches.as_ref().map(Switches::answering);
    Ok(Output {
        news: answering.as_ref().is_some_and(|it| !it.hindered.is_empty())
            || !began.first.is_empty()
            || !ended.first.is_empty()
            || !gone.first.is_empty()
            || nobody
            || last_unreadable.is_some(),
        accounts: record.accounts,
        steps: record.steps.len(),
        not_entered: record.not_entered().len(),
        began,
        ended,
        standing,
        gone,
        proved: record.proved,
        unproved: record.unproved,
        result: bucket.uri(&key),
        last_unreadable,
        answering,
    })
}

/// The newest result of an execution that began before this one.
async fn last(bucket: &Bucket, own: &str) -> Result<Option<Record>, Failure> {
    let keys = bucket.list(FOLDER).await?;
    let Some(last) = keys.iter().filter(|key| key.as_str() < own).max() else { return Ok(None) };
    bucket.read(&format!("{FOLDER}{last}")).await?.document().map(Some)
}

/// The metric, as a line of the log from which AWS reads it.
///
/// Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format".
fn report(record: &Record) -> Result<(), Failure> {
    let unusable = |error: &dyn std::fmt::Display| Failure::InvalidInput(error.to_string());
    let time =
        OffsetDateTime::parse(&record.started, &Rfc3339).map_err(|error| unusable(&error))?;
    let names = ["AccountsAsked", "AccountsNotEntered"];
    let metrics = names.map(|name| json!({ "Name": name, "Unit": "Count" }));
    let line = json!({
        "_aws": {
            "Timestamp": time.unix_timestamp() * 1000,
            "CloudWatchMetrics": [
                { "Namespace": "Cordon", "Dimensions": [[]], "Metrics": metrics },
            ],
        },
        "AccountsAsked": record.accounts,
        "AccountsNotEntered": record.not_entered().len(),
    });
    writeln!(std::io::stdout(), "{line}").map_err(|error| unusable(&error))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::Client;
    use serde_json::Value;
    use wire::{HttpResponse, Rule, mock, respond};

    use super::*;

    const ACCOUNTS: [&str; 3] = ["222222222222", "333333333333", "444444444444"];
    const OWN: &str = "2026-03-11T06:00:00.000Z-incident.json";

    fn input(call: &str, deep: bool, accounts: &[&str], refused: &Value) -> Input {
        let page = json!({
            "step": "Tag", "from": 0, "size": 250, "refused": refused,
            "unproved": if deep { json!(["iam:GetUser"]) } else { json!([]) },
        });
        let input = json!({
            "execution": wire::execution(), "started": "2026-03-11T06:00:00.000Z", "deep": deep,
            "accounts": accounts, "pages": [page], "call": call,
        });
        serde_json::from_value(input).unwrap()
    }

    fn refused(error: &str, calls: &[&str], accounts: &str) -> Value {
        json!([{ "error": error, "calls": calls, "cause": "c", "accounts": accounts }])
    }

    fn keys(keys: &'static [&'static str]) -> Rule {
        mock!(Client::list_objects_v2)
            .match_requests(|list| list.prefix() == Some(FOLDER))
            .then_http_response(move || {
                let keys =
                    keys.iter().map(|key| format!("<Contents><Key>{FOLDER}{key}</Key></Contents>"));
                respond(
                    200,
                    &format!("<ListBucketResult>{}</ListBucketResult>", keys.collect::<String>()),
                )
            })
    }

    /// What is said after a run that found `before`.
    async fn said(before: Option<Input>, now: Input) -> Value {
        let none = keys(&[]);
        let one = keys(&["2026-03-04T06:00:00.000Z-earlier.json", OWN]);
        let document = before.map(|before| {
            let Input { started, deep, accounts, pages, .. } = before;
            let record = Record::of("e", &started, &accounts, &pages).unwrap();
            serde_json::to_string(&record.with_calls(deep, &pages, None, &accounts)).unwrap()
        });
        let list = if document.is_some() { one } else { none };
        let get = mock!(Client::get_object)
            .match_requests(|get| {
                get.key() == Some("readiness/2026-03-04T06:00:00.000Z-earlier.json")
            })
            .then_http_response(move || respond(200, document.as_deref().unwrap_or("no JSON")));
        let bucket = Bucket::new(wire::s3(&[&list, &get]), "b".into());
        serde_json::to_value(compare_readiness(&bucket, now).await.unwrap()).unwrap()
    }

    fn accounts_of(lines: &Value) -> Value {
        let lines = lines["first"].as_array().unwrap().iter();
        lines.map(|line| json!([line["accounts"], line["error"], line["listed"]])).collect()
    }

    #[tokio::test]
    async fn people_are_told_what_is_new_and_nothing_twice() {
        let entry = |accounts: &str| refused("EntryRefused", &["sts:AssumeRole"], accounts);
        let busy = refused("Throttled", &["sts:AssumeRole"], "4");
        let all = ACCOUNTS.as_slice();
        let now = |accounts, refused: &Value| input("compare", false, accounts, refused);
        let (one, none) = (json!(["333333333333"]), json!([]));
        for (before, after, began, ended) in [
            (None, now(all, &json!([])), none.clone(), none.clone()),
            (None, now(all, &entry("4")), json!([[one, "EntryRefused", true]]), none.clone()),
            (Some(now(all, &entry("4"))), now(all, &entry("4")), none.clone(), none.clone()),
            (
                Some(now(all, &entry("4"))),
                now(all, &json!([])),
                none.clone(),
                json!([[one, "EntryRefused", true]]),
            ),
            (
                Some(now(all, &entry("4"))),
                now(all, &entry("c")),
                json!([[["222222222222"], "EntryRefused", true]]),
                none.clone(),
            ),
            // Refused in another way is new, and not mended.
            (
                Some(now(all, &entry("4"))),
                now(all, &busy),
                json!([[one, "Throttled", true]]),
                none.clone(),
            ),
            // Who is no member any more is not asked any more.
            (
                Some(now(all, &entry("4"))),
                now(&["222222222222"], &json!([])),
                none.clone(),
                json!([[one, "EntryRefused", false]]),
            ),
        ] {
            let said = said(before, after).await;
            assert_eq!(accounts_of(&said["began"]), began);
            assert_eq!(accounts_of(&said["ended"]), ended);
            assert_eq!(said["news"], json!(began != none || ended != none));
        }
    }

    #[tokio::test]
    async fn what_keeps_findings_from_being_answered_is_told_each_time() {
        for (rule, news) in [("ENABLED", false), ("DISABLED", true)] {
            let now = || {
                let policy = "{}".to_owned();
                let switches = json!({ "policy": policy, "rule": rule, "responders": 1 });
                let switches = Some(serde_json::from_value(switches).unwrap());
                Input { switches, ..input("compare", false, &ACCOUNTS, &json!([])) }
            };
            assert_eq!(said(Some(now()), now()).await["news"], json!(news), "{rule}");
        }
    }

    #[tokio::test]
    async fn who_is_not_asked_about_any_more_is_told_once() {
        let now = |accounts: &[&str]| input("compare", false, accounts, &json!([]));
        let [one, two, three] = ACCOUNTS;
        for (before, after, news, gone) in [
            (Some(now(&ACCOUNTS)), now(&[one]), true, vec![two, three]),
            (Some(now(&ACCOUNTS)), now(&[]), true, vec![one, two, three]),
            (Some(now(&[one])), now(&[one]), false, vec![]),
            (Some(now(&[one])), now(&ACCOUNTS), false, vec![]),
            (None, now(&[]), true, vec![]),
            (Some(now(&[])), now(&[]), false, vec![]),
        ] {
            let said = said(before, after).await;
            assert_eq!(said["news"], json!(news), "{said}");
            assert_eq!(said["gone"], json!({ "first": gone, "more": 0 }));
        }
    }

    #[tokio::test]
    async fn what_was_not_tried_goes_on_as_it_was() {
        let calls = refused("AccessDenied", &["iam:TagUser"], "4");
        let entry = refused("EntryRefused", &["sts:AssumeRole"], "4");
        let all = ACCOUNTS.as_slice();
        let deep = |refused: &Value| input("compare", true, all, refused);
        let shallow = input("compare", false, all, &json!([]));
        let silent = said(Some(deep(&calls)), shallow).await;
        assert_eq!((&silent["news"], &silent["notEntered"]), (&json!(false), &json!(0)));
        let kept = json!([[["333333333333"], "AccessDenied", true]]);
        assert_eq!(accounts_of(&silent["standing"]), kept);
        assert_eq!(silent["unproved"], json!({ "Tag": ["iam:GetUser"] }));
        // Deep, an account that can't be entered can't have its calls tried either.
        let closed = said(Some(deep(&calls)), deep(&entry)).await;
        assert_eq!(closed["ended"]["first"], json!([]));
        let mended = said(Some(deep(&calls)), deep(&json!([]))).await;
        assert_eq!(accounts_of(&mended["ended"]), kept);
    }

    #[tokio::test]
    async fn a_last_result_that_is_none_is_told_with_all_that_is_refused() {
        let (list, get) =
            (keys(&["2026-03-04T06:00:00.000Z-earlier.json"]), || respond(200, "no JSON"));
        let get = mock!(Client::get_object).then_http_response(get);
        let bucket = Bucket::new(wire::s3(&[&list, &get]), "b".into());
        let now = input("compare", false, &ACCOUNTS, &json!([]));
        let said = compare_readiness(&bucket, now).await.unwrap();
        assert!(said.news && said.last_unreadable.is_some_and(|why| why.contains("earlier.json")));
    }

    #[tokio::test]
    async fn a_result_is_stored_once_under_the_time_of_its_execution() {
        let taken = || respond(412, "<Error><Code>PreconditionFailed</Code></Error>");
        for answer in [wire::done as fn() -> HttpResponse, taken] {
            let list = keys(&[]);
            let put = mock!(Client::put_object)
                .match_requests(|put| {
                    put.key() == Some(&format!("{FOLDER}{OWN}")) && put.if_none_match() == Some("*")
                })
                .then_http_response(answer);
            let bucket = Bucket::new(wire::s3(&[&list, &put]), "b".into());
            let now = input("store", false, &ACCOUNTS, &json!([]));
            let said = compare_readiness(&bucket, now).await.unwrap();
            assert_eq!(said.result, format!("s3://b/{FOLDER}{OWN}"));
        }
    }
}
