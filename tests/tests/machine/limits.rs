use std::collections::BTreeSet;
use std::fs;

use harness::place::{read_json, repository};
use serde_json::Value;

use crate::graph::{By, Kind, Retrier, Scope, State};
use crate::walk::{Costs, Ending, Error};

/// Seconds that a task takes at most where nothing is wrong: a cold start and its calls.
const WELL: u64 = 3;
/// Seconds between the last change and the read-back, unless the response policy says
/// otherwise; and the most that it may say.
const SETTLING: u64 = 10;
const LONGEST_SETTLING: u64 = 300;
/// The most resources that a finding names (AWS Security Finding Format, `Resources`).
const PRINCIPALS: u64 = 32;
/// Events in the history of one execution; with more it fails, and can't be redriven
/// (Step Functions Developer Guide, "Service quotas" and "Restarting state machine
/// executions with redrive").
const EVENTS: u64 = 25_000;

/// What an outage does to each call of one service, for as long as it lasts.
struct Outage<'a> {
    service: &'a str,
    error: &'a str,
}

/// Seconds that the task's function may run, as it is deployed.
fn function_timeout(task: &State) -> u64 {
    let step = fs::read_to_string(repository().join("infra/lib/step.ts")).unwrap();
    let (_, timeout) = step.split_once(" timeout: step.state === 'WriteReport' ? ").unwrap();
    let (report, other) = timeout.split_once(',').unwrap().0.split_once(" : ").unwrap();
    let reports = task.function() == Some("WriteReport");
    if reports { report } else { other }.parse().unwrap()
}

/// The longest waits before all retries together. Jitter only shortens them.
fn backoff(retrier: &Retrier) -> u64 {
    let mut delay = retrier.interval_seconds;
    let mut sum = 0;
    for _ in 0..retrier.max_attempts {
        sum += delay.min(retrier.max_delay_seconds);
        delay = delay.saturating_mul(retrier.backoff_rate);
    }
    sum
}

fn retrier<'a>(task: &'a State, error: &str) -> Option<&'a Retrier> {
    task.retry.iter().find(|retrier| retrier.error_equals.iter().any(|one| one == error))
}

/// Seconds until the task gives up, if each attempt fails after `attempt` seconds.
fn until_given_up(task: &State, error: &str, attempt: u64) -> u64 {
    let retrier = retrier(task, error);
    let attempts = 1 + retrier.map_or(0, |retrier| retrier.max_attempts);
    attempts * attempt + retrier.map_or(0, backoff)
}

/// Seconds that an attempt takes at most before it fails with `error`.
fn longest_attempt(task: &State, error: &str) -> u64 {
    let limit = task.timeout_seconds.unwrap();
    let runs = error != "States.Timeout" && task.function().is_some();
    // A throttled invocation never starts.
    match error {
        "Lambda.TooManyRequestsException" if runs => WELL,
        _ if runs => limit.min(function_timeout(task)),
        _ => limit,
    }
}

fn catch_of(task: &State, error: &str) -> Option<By> {
    let catches = |errors: &[String]| errors.iter().any(|one| one == error || one == "States.ALL");
    task.catch.iter().position(|catch| catches(&catch.error_equals)).map(By::Catch)
}

/// How a task ends where nothing is wrong with AWS: it succeeds, or finds what the
/// machine expects by name.
fn ends_well(task: &State) -> Vec<Ending> {
    let named = task.catch.iter().enumerate();
    let named = named.filter(|(_, catch)| catch.error_equals != ["States.ALL"]);
    let ends = |by, error, cost| Ending { by, error, cost, fails: Some(false) };
    let expected = named.map(|(n, catch)| {
        let each = catch.error_equals.iter();
        let cost = each.map(|error| until_given_up(task, error, WELL)).max();
        ends(By::Catch(n), Error::Other, cost.unwrap())
    });
    let told_apart = Error::of(task).into_iter().filter(|error| *error != Error::Other);
    let told_apart = told_apart.map(|error| {
        let by = catch_of(task, error.name()).unwrap();
        ends(by, error, until_given_up(task, error.name(), WELL))
    });
    expected.chain(told_apart).chain([ends(By::Next, Error::Other, WELL)]).collect()
}

fn ends_in(outage: &Outage<'_>, task: &State) -> Vec<Ending> {
    let mut endings = ends_well(task);
    if task.service() == outage.service {
        let attempt = longest_attempt(task, outage.error);
        let cost = until_given_up(task, outage.error, attempt);
        // Uncaught, the execution fails here, and the operations topic says so.
        let by = catch_of(task, outage.error).unwrap_or(By::Next);
        endings.push(Ending { by, error: Error::Other, cost, fails: Some(true) });
    }
    endings
}

fn waits(seconds: u64) -> impl Fn(&State) -> u64 {
    move |state| {
        if state.kind != Kind::Wait {
            return 0;
        }
        if let Some(seconds) = state.seconds.as_u64() {
            return seconds;
        }
        assert_eq!(state.seconds, "{% $policy.settlingSeconds %}", "`{}`", state.name);
        seconds
    }
}

/// Seconds from the start of the execution until people are told, at most. Whichever of
/// the service's calls the outage hits, it hits them for good.
fn longest_silence(machine: &Scope, outage: &Outage<'_>) -> u64 {
    let task = |task: &State| ends_in(outage, task);
    let costs = Costs {
        task: &task,
        other: &waits(SETTLING),
        together: u64::max,
        principals: PRINCIPALS,
        until_told: true,
    };
    costs.worst(machine)
}

/// What is longer, nobody reads: it is for the functions, or for variables of their own.
#[test]
fn no_expression_has_more_than_two_hundred_characters() {
    fn expressions<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => fields.values().for_each(|one| expressions(one, found)),
            Value::Array(values) => values.iter().for_each(|one| expressions(one, found)),
            Value::String(text) if text.starts_with("{%") => found.push(text),
            _ => {}
        }
    }
    for name in ["incident-response", "readiness", "restore"] {
        let file = repository().join(format!("statemachine/{name}.asl.json"));
        let machine: Value = read_json(&file).unwrap().unwrap();
        let mut found = Vec::new();
        expressions(&machine, &mut found);
        assert!(found.len() > 20, "{name}: {} expressions", found.len());
        for expression in found {
            let length = expression.chars().count();
            assert!(length <= 200, "{name}: {length} characters in {expression}");
        }
    }
}

#[test]
fn a_lasting_outage_is_told_within_ten_minutes() {
    let machine = Scope::machine();
    let mut worst = Vec::new();
    for service in ["lambda", "ssm", "securityhub", "dynamodb", "sns"] {
        let tasks = machine.all().into_iter().filter(|task| task.service() == service);
        let retried = tasks.flat_map(|task| &task.retry).flat_map(|one| &one.error_equals);
        let mut errors: Vec<&str> = retried.map(String::as_str).collect();
        assert!(!errors.is_empty(), "no task calls `{service}`");
        // And one that nobody expects.
        errors.push("AccessDenied");
        errors.sort_unstable();
        errors.dedup();
        // Errors that cost each task the same are one to the walk.
        let mut costs = BTreeSet::new();
        errors.retain(|error| {
            let tasks = machine.all().into_iter().filter(|task| task.service() == service);
            let cost = |task| until_given_up(task, error, longest_attempt(task, error));
            let each = tasks.map(|task| (cost(task), format!("{:?}", catch_of(task, error))));
            costs.insert(each.collect::<Vec<_>>())
        });
        for error in errors {
            let seconds = longest_silence(&machine, &Outage { service, error });
            worst.push((seconds, service, error));
        }
    }
    worst.sort_unstable();
    for (seconds, service, error) in &worst {
        println!("{seconds:4} s: {service}, {error}");
    }
    let (seconds, service, error) = worst.last().unwrap();
    assert!(*seconds < 600, "{seconds} s if `{service}` fails with `{error}` for good");
}

/// Whatever becomes of the words, from the state that asks for them until the plain ones are
/// published.
#[test]
fn what_can_not_be_put_into_words_is_told_within_ten_seconds() {
    for report in Scope::machine().all() {
        if report.function() != Some("WriteReport") {
            continue;
        }
        let retried = report.retry.iter().flat_map(|one| &one.error_equals).map(String::as_str);
        // And what nobody tries again, such as an answer that is none.
        for error in retried.chain(["States.QueryEvaluationError"]) {
            let seconds = until_given_up(report, error, longest_attempt(report, error)) + WELL;
            assert!(seconds <= 10, "`{}`: {seconds} s by {error}", report.name);
        }
    }
}

#[test]
fn a_function_has_an_answer_before_its_task_gives_up() {
    for task in Scope::machine().all() {
        if task.function().is_some() {
            let limit = task.timeout_seconds.unwrap();
            assert!(limit > function_timeout(task), "`{}` waits for {limit} s", task.name);
        }
    }
}

/// Every retrier is used up, one after the other; then the task ends in any way.
fn ends_after_all_retries(task: &State, cost: u64) -> Vec<Ending> {
    let caught = (0..task.catch.len()).map(By::Catch);
    let caught = caught.flat_map(|by| Error::of(task).into_iter().map(move |error| (by, error)));
    let ended = caught.chain([(By::Next, Error::Other)]);
    ended.map(|(by, error)| Ending { by, error, cost, fails: None }).collect()
}

#[test]
fn no_pass_runs_into_the_time_limit_of_the_machine() {
    let machine = Scope::machine();
    let task = |task: &State| {
        let longest = task.timeout_seconds.unwrap();
        let retries = task.retry.iter().map(|one| one.max_attempts * longest + backoff(one));
        ends_after_all_retries(task, longest + retries.sum::<u64>())
    };
    let costs = Costs {
        task: &task,
        other: &waits(LONGEST_SETTLING),
        together: u64::max,
        principals: PRINCIPALS,
        until_told: false,
    };
    let (seconds, limit) = (costs.worst(&machine), machine.timeout_seconds.unwrap());
    println!("{seconds} s of {limit} s");
    assert!(seconds < limit, "{seconds} s");
}

/// Events of a task: entered, exited, one for its evaluation; and for each attempt that it
/// was scheduled, started and ended.
fn events_of(attempts: u64) -> u64 {
    3 + 3 * attempts
}

/// Events of any other state: entered and exited; of a Map and a Parallel that it was
/// started and ended, and of each iteration the same.
fn events(state: &State) -> u64 {
    match state.kind {
        Kind::Map => 4 + 2 * PRINCIPALS,
        Kind::Parallel => 4,
        _ => 2,
    }
}

fn events_of_a_pass(machine: &Scope, task: &dyn Fn(&State) -> Vec<Ending>) -> u64 {
    let costs = Costs {
        task,
        other: &events,
        together: u64::saturating_add,
        principals: PRINCIPALS,
        until_told: false,
    };
    // And that the execution was started or redriven, and ended.
    2 + costs.worst(machine)
}

#[test]
fn the_history_of_an_execution_stays_far_below_its_limit() {
    let machine = Scope::machine();
    // Everything fails as often as it is tried, with each error in turn, in each round.
    let everything = events_of_a_pass(&machine, &|task| {
        let retries: u64 = task.retry.iter().map(|retrier| retrier.max_attempts).sum();
        ends_after_all_retries(task, events_of(1 + retries))
    });
    // The same, with that error alone for which the task is tried most often.
    let longest = events_of_a_pass(&machine, &|task| {
        let retries = task.retry.iter().map(|retrier| retrier.max_attempts).max();
        ends_after_all_retries(task, events_of(1 + retries.unwrap_or(0)))
    });
    // An outage of whatever the functions call.
    let outage = Outage { service: "lambda", error: "Throttled" };
    let outage = events_of_a_pass(&machine, &|task| {
        let mut endings = ends_in(&outage, task);
        for ending in &mut endings {
            let fails = ending.fails == Some(true);
            let retries = retrier(task, "Throttled").map_or(0, |retrier| retrier.max_attempts);
            let expected = retrier(task, "DenyNotVisible").map_or(0, |one| one.max_attempts);
            ending.cost = events_of(1 + if fails { retries } else { expected });
        }
        endings
    });
    println!(
        "{everything} events where all goes wrong, {longest} by one error, {outage} in an outage"
    );
    // Whether it was answered before is asked in one pass alone, of each principal.
    let asked = PRINCIPALS * (events_of(1) + 2);
    let (redriven, twice) = (longest + outage, 3 * outage - 2 * asked);
    assert!(everything < EVENTS * 9 / 10, "{everything} events");
    assert!(redriven < EVENTS * 9 / 10, "{redriven} events, redriven into an outage");
    assert!(twice < EVENTS * 19 / 20, "{twice} events, redriven twice in an outage");
}
