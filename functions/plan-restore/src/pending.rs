//! Executions that may contain a principal, though they have stored nothing of it yet: they have
//! not come so far, or have failed before. Whom one is about, its event says.

use std::collections::BTreeSet;

use aws_calls::Answer;
use aws_sdk_sfn::Client;
use aws_sdk_sfn::primitives::DateTime;
use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus};
use futures::future::try_join_all;
use futures::{TryStreamExt, stream};
use incident::restore::Shown;
use incident::{Execution, Failure, Kind, Principal};
use serde_json::Value;

use crate::history::waits;

/// So many executions are asked: Step Functions hands out a few hundred descriptions at once, and
/// fifteen a second from then on.
///
/// Source: Step Functions Developer Guide, "Service quotas" (`DescribeExecution`).
const MOST: usize = 100;

/// So many at once.
const AT_ONCE: usize = 10;

/// For so long an execution may be redriven after it has ended.
///
/// Source: Step Functions Developer Guide, "Restarting state machine executions with redrive".
const REDRIVABLE: i64 = 14 * 24 * 60 * 60;

/// Those that run, and those that can be redriven. `PENDING_REDRIVE` is a Map Run's.
///
/// Source: Step Functions API Reference, `ListExecutions` (`statusFilter`).
const STATUSES: [ExecutionStatus; 4] = [
    ExecutionStatus::Running,
    ExecutionStatus::Failed,
    ExecutionStatus::TimedOut,
    ExecutionStatus::Aborted,
];

/// Fails with [`Failure::IncidentPending`] where an execution of the incident's machine runs, or
/// waits for a redrive, whose event names the principal. `known` are asked already. Where there
/// are too many, it says how many were not asked. `now`, where it is known, spares those that
/// ended too long ago.
pub(crate) async fn refuse(
    states: &Client,
    own: &Execution,
    principal: &Principal,
    known: &BTreeSet<&str>,
    now: Option<DateTime>,
) -> Result<Option<Shown>, Failure> {
    let listed = try_join_all(STATUSES.map(|filter| page(states, own, filter))).await?;
    let and_more = listed.iter().filter(|(_, more)| *more).count();
    let oldest = now.map(|now| now.secs() - REDRIVABLE);
    let may_act = |one: &ExecutionListItem| {
        one.stop_date.is_none_or(|ended| oldest.is_none_or(|oldest| ended.secs() >= oldest))
            && !known.contains(one.execution_arn.as_str())
    };
    let mut open: Vec<_> =
        listed.into_iter().flat_map(|(page, _)| page).filter(|one| may_act(one)).collect();
    // Those that run first, then those that have ended last.
    open.sort_by_key(|one| one.stop_date.map(|ended| std::cmp::Reverse(ended.secs())));
    let left = open.len().saturating_sub(MOST) + and_more;
    stream::iter(open.into_iter().take(MOST).map(Ok))
        .try_for_each_concurrent(AT_ONCE, |one| async move {
            refuse_about(states, &one.execution_arn, principal).await
        })
        .await?;
    Ok((left > 0).then_some(Shown::NotAsked { executions: left }))
}

/// The newest thousand of a status, and whether there are more.
async fn page(
    states: &Client,
    own: &Execution,
    filter: ExecutionStatus,
) -> Result<(Vec<ExecutionListItem>, bool), Failure> {
    let (partition, region) = (own.partition(), own.region());
    let (account, machine) = (own.account(), own.machine());
    let page = states
        .list_executions()
        .state_machine_arn(format!(
            "arn:{partition}:states:{region}:{account}:stateMachine:{machine}"
        ))
        .status_filter(filter)
        .max_results(1_000)
        .send()
        .await
        .to("states:ListExecutions")?;
    Ok((page.executions, page.next_token.is_some()))
}

async fn refuse_about(states: &Client, arn: &str, principal: &Principal) -> Result<(), Failure> {
    let described = states.describe_execution().execution_arn(arn).send().await;
    let described = described.to("states:DescribeExecution")?;
    let event = described.input.as_deref().and_then(|input| serde_json::from_str(input).ok());
    match waits(&described) {
        Some(how) if event.is_some_and(|event| is_about(&event, principal)) => {
            Err(Failure::IncidentPending { execution: arn.to_owned(), status: how })
        }
        _ => Ok(()),
    }
}

/// Whether an event's finding is of the principal's account, and names it in any of its forms.
/// Rather one too many: who is called alike may be meant.
fn is_about(event: &Value, principal: &Principal) -> bool {
    let findings = event.pointer("/detail/findings").and_then(Value::as_array);
    let account = Some(principal.account.as_str());
    findings.into_iter().flatten().any(|finding| {
        let accounts = ["/AwsAccountId", "/cloud/account/uid"];
        let is_here = |at: &&str| finding.pointer(at).and_then(Value::as_str) == account;
        accounts.iter().any(is_here) && names("", finding, principal)
    })
}

fn names(field: &str, value: &Value, principal: &Principal) -> bool {
    match value {
        Value::Object(fields) => fields.iter().any(|(field, value)| names(field, value, principal)),
        Value::Array(values) => values.iter().any(|value| names(field, value, principal)),
        Value::String(text) => says(field, text, principal),
        _ => false,
    }
}

/// Whether a text is, or has among its parts, the unique id or an access key; whether it is an
/// ARN of the principal or of a session; or, in a field that holds a name, its name.
fn says(field: &str, text: &str, principal: &Principal) -> bool {
    let is_name = |part: &str| part.eq_ignore_ascii_case(&principal.name);
    let is_it =
        |part: &str| part == principal.id || principal.access_keys.iter().any(|key| key == part);
    let parts: Vec<&str> = text.split(['/', ':']).collect();
    let of_an_arn = match parts.as_slice() {
        ["arn", _, "iam", _, _, kind, path @ ..] if *kind == principal.kind.noun() => {
            path.iter().any(|part| is_name(part))
        }
        ["arn", _, "sts", _, _, "assumed-role", role, ..] => {
            principal.kind == Kind::Role && is_name(role)
        }
        _ => false,
    };
    let by_name = field.to_ascii_lowercase().ends_with("name");
    of_an_arn
        || parts.iter().any(|part| is_it(part))
        || (by_name && parts.first().is_some_and(|part| is_name(part)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wire::{Rule, eve, mock, respond};

    use super::*;

    /// An event whose finding has this resource.
    fn event(resource: &Value) -> Value {
        json!({ "detail": { "findings": [{
            "AwsAccountId": "222222222222", "Title": "eve", "Resources": [resource],
        }] } })
    }

    fn principal(kind: Kind) -> Principal {
        let access_keys = vec!["AKIAIOSFODNN7EXAMPLE".to_owned()];
        Principal { kind, access_keys, ..eve() }
    }

    #[test]
    fn an_event_is_about_whom_it_names_in_any_form() {
        let iam = |resource: &str| json!({ "Id": format!("arn:aws:iam::222222222222:{resource}") });
        let sts = |resource: &str| json!({ "Id": format!("arn:aws:sts::222222222222:{resource}") });
        let key = |details: Value| json!({ "Details": { "AwsIamAccessKey": details } });
        let (user, role) = (Kind::User, Kind::Role);
        for (kind, resource, expected) in [
            (user, iam("user/eve"), true),
            (user, iam("user/a/path/EVE"), true),
            (user, iam("user/eve/access-key/AKIAOTHER"), true),
            (user, iam("role/eve"), false),
            (user, iam("user/evelyn"), false),
            (user, json!({ "Id": "AWS::IAM::AccessKey:AKIAIOSFODNN7EXAMPLE" }), true),
            (user, json!({ "Id": "AIDAEVE" }), true),
            (user, key(json!({ "PrincipalId": "AIDAEVE:session" })), true),
            (user, key(json!({ "UserName": "Eve" })), true),
            (user, json!({ "Details": { "AwsIamUser": { "UserName": "eve" } } }), true),
            (user, json!({ "Details": { "AwsIamUser": { "Path": "/eve/" } } }), false),
            (role, iam("role/p/eve"), true),
            (role, sts("assumed-role/eve/session"), true),
            (role, sts("assumed-role/other/eve"), false),
            (role, key(json!({ "PrincipalName": "eve/session" })), true),
            (role, iam("user/eve"), false),
        ] {
            let is = is_about(&event(&resource), &principal(kind));
            assert_eq!(is, expected, "{kind:?} {resource}");
        }
        let in_ocsf = |account: &str| {
            json!({ "detail": { "findings": [{
                "cloud": { "account": { "uid": account } },
                "resources": [{ "type": "AWS::IAM::User", "uid": eve().arn }],
            }] } })
        };
        assert!(is_about(&in_ocsf("222222222222"), &eve()));
        // Nobody of another account is touched.
        assert!(!is_about(&in_ocsf("333333333333"), &eve()));
        for nothing in [json!(null), json!("eve"), json!({ "detail": "eve" })] {
            assert!(!is_about(&nothing, &eve()), "{nothing}");
        }
    }

    const NOW: i64 = 1_767_225_600;

    fn arn(name: &str) -> String {
        let own = wire::execution();
        format!("{}{name}", own.arn().strip_suffix(own.name()).unwrap())
    }

    /// Executions of a status, each by the seconds that have passed since it ended.
    fn lists(status: &'static str, names: &[(String, i64)], next: Option<&'static str>) -> Rule {
        let of = |(name, ago): &(String, i64)| {
            let mut one = json!({
                "executionArn": arn(name), "stateMachineArn": "m", "name": name,
                "status": status, "startDate": 0,
            });
            if status != "RUNNING" {
                one["stopDate"] = json!(NOW - ago);
            }
            one
        };
        let executions: Vec<Value> = names.iter().map(of).collect();
        let page = json!({ "executions": executions, "nextToken": next }).to_string();
        mock!(Client::list_executions)
            .match_requests(move |list| {
                list.status_filter().is_some_and(|it| it.as_str() == status)
                    && list.state_machine_arn().is_some_and(|it| it.contains(":stateMachine:"))
            })
            .then_http_response(move || respond(200, &page))
    }

    /// Each that is described is about the user.
    fn describes(status: &'static str, redrive: &'static str) -> Rule {
        let input = event(&json!({ "Id": eve().arn })).to_string();
        mock!(Client::describe_execution).then_http_response(move || {
            let described = json!({
                "executionArn": "e", "stateMachineArn": "m", "startDate": 0, "status": status,
                "redriveStatus": redrive, "input": input,
            });
            respond(200, &described.to_string())
        })
    }

    fn named(names: &[&str], ago: i64) -> Vec<(String, i64)> {
        names.iter().map(|name| ((*name).to_owned(), ago)).collect()
    }

    async fn refused(rules: &[&Rule], known: &[&str]) -> Result<Option<Shown>, &'static str> {
        let none = STATUSES.map(|status| {
            let status: &'static str = Box::leak(status.as_str().to_owned().into_boxed_str());
            lists(status, &[], None)
        });
        let rules = [rules, &none.iter().collect::<Vec<_>>()].concat();
        let known: Vec<_> = known.iter().map(|name| arn(name)).collect();
        let known = known.iter().map(String::as_str).collect();
        let (states, now) = (wire::states(&rules), Some(DateTime::from_secs(NOW)));
        let refused = refuse(&states, &wire::execution(), &eve(), &known, now).await;
        refused.map_err(|failure| failure.name())
    }

    #[tokio::test]
    async fn who_may_contain_it_is_found_by_its_event_though_it_has_stored_nothing() {
        let day = 24 * 60 * 60;
        for (status, redrive, ago, known, expected) in [
            ("RUNNING", "NOT_REDRIVABLE", 0, false, true),
            ("FAILED", "REDRIVABLE", day, false, true),
            ("TIMED_OUT", "REDRIVABLE", day, false, true),
            ("ABORTED", "REDRIVABLE", day, false, true),
            ("FAILED", "NOT_REDRIVABLE", day, false, false),
            ("FAILED", "REDRIVABLE", day, true, false),
        ] {
            let lists = lists(status, &named(&["other"], ago), None);
            let known: &[&str] = if known { &["other"] } else { &[] };
            let found = refused(&[&lists, &describes(status, redrive)], known).await;
            let expected = if expected { Err("IncidentPending") } else { Ok(None) };
            assert_eq!(found, expected, "{status} {redrive} {known:?}");
        }
        // What ended before can't be redriven, and is not described.
        let old = lists("FAILED", &named(&["other"], 15 * day), None);
        assert_eq!(refused(&[&old], &[]).await, Ok(None));
    }

    #[tokio::test]
    async fn those_that_are_too_many_are_counted_and_those_that_run_are_asked_first() {
        let many: Vec<_> = (0..MOST + 7).map(|n| (n.to_string(), 60)).collect();
        let failed = lists("FAILED", &many, None);
        let others = describes("FAILED", "NOT_REDRIVABLE");
        let not_asked = |executions| Ok(Some(Shown::NotAsked { executions }));
        assert_eq!(refused(&[&failed, &others], &[]).await, not_asked(7));
        assert_eq!(others.num_calls(), MOST);
        let and_more = lists("ABORTED", &[], Some("next"));
        assert_eq!(refused(&[&failed, &and_more, &others], &[]).await, not_asked(8));

        for status in ["RUNNING", "ABORTED"] {
            let one = lists(status, &named(&["fresh"], 1), None);
            let fresh = mock!(Client::describe_execution)
                .match_requests(|get| get.execution_arn() == Some(&arn("fresh")))
                .then_http_response(move || {
                    let input = event(&json!({ "Id": eve().arn })).to_string();
                    let described = json!({
                        "executionArn": "e", "stateMachineArn": "m", "startDate": 0,
                        "status": status, "redriveStatus": "REDRIVABLE", "input": input,
                    });
                    respond(200, &described.to_string())
                });
            let found = refused(&[&failed, &one, &fresh, &others], &[]).await;
            assert_eq!(found, Err("IncidentPending"), "{status}");
        }
    }
}
