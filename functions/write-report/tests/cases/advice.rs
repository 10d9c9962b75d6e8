use incident::{Failure, Refusal};
use serde_json::{Value, json};
use write_report::OF_THE_MACHINE;

use crate::case::{Case, mail, report};
use crate::limits;

/// All errors that an outcome or a step may bear, and one that nobody knows.
fn errors() -> impl Iterator<Item = &'static str> {
    let refusals = Refusal::ALL.map(Refusal::name);
    Failure::NAMES.into_iter().chain(refusals).chain(OF_THE_MACHINE).chain(["Custom.Unheard"])
}

/// What no redrive gets over.
const HOPELESS: [&str; 2] = ["DenyUnavailable", "States.DataLimitExceeded"];

/// What the mail says under its heading.
fn to_do(mail: &str) -> &str {
    let (_, rest) = mail.split_once("What to do now\n").unwrap();
    rest.split_once("\nFinding\n").unwrap().0
}

fn failed(case: &str, error: &str, verdict: &str) -> Value {
    let mut input = Case::named(case).input;
    input["outcomes"][0]["verdict"] = json!(verdict);
    input["outcomes"][0]["failures"] =
        json!([{ "state": "Quarantine", "error": error, "cause": "because" }]);
    input
}

#[test]
fn each_verdict_and_error_has_its_advice() {
    for error in errors() {
        for (case, verdict) in
            [("failed-before-the-deny", "pending"), ("escalated-exempt", "escalated")]
        {
            let report = report(&failed(case, error, verdict));
            limits::hold(&report);
            let mail = mail(&report);
            assert!(to_do(&mail).contains("1. "), "{verdict} {error}: {mail}");
            assert!(mail.contains(error), "{verdict} {error}: {mail}");
            let mends = verdict == "pending" && !HOPELESS.contains(&error);
            assert_eq!(to_do(&mail).contains("redrive-execution"), mends, "{error}: {mail}");
        }
        let mut input = Case::named("failed-response-policy").input;
        input["failure"]["error"] = json!(error);
        let report = report(&input);
        limits::hold(&report);
        let mail = mail(&report);
        assert!(to_do(&mail).contains("1. "), "{error}: {mail}");
        let mends = error != "FindingNotFound" && !HOPELESS.contains(&error);
        assert_eq!(to_do(&mail).contains("redrive-execution"), mends, "{error}: {mail}");
    }
}

#[test]
fn no_custom_action_is_advised_to_whom_it_would_not_help() {
    let advised = |input: &Value| to_do(&mail(&report(input))).contains("custom action");
    let mut helped = Vec::new();
    for error in errors() {
        let mut input = failed("escalated-exempt", error, "escalated");
        input["verdict"]["instruction"] = Value::Null;
        if advised(&input) {
            helped.push(error);
        }
        input["verdict"]["source"] = json!("person");
        assert!(!advised(&input), "{error}: a person has just used it");
    }
    assert_eq!(
        helped,
        [
            "RecurrenceUnclear",
            "UnusualBehavior",
            "MayBeIntended",
            "ExposedKey",
            "NoRule",
            "LeftByPolicy",
            "RolesNotContained",
            "Untrusted",
            "SeverityTooLow",
            "TooMany",
            "ContainmentLimit",
        ]
    );
}

#[test]
fn nothing_is_said_to_be_given_back_by_itself() {
    for case in Case::all() {
        let mail = mail(&case.report());
        assert!(!mail.to_lowercase().contains("restore"), "{}: {mail}", case.name);
    }
}

#[test]
fn who_is_out_is_not_to_be_denied_again() {
    let denied = mail(&Case::named("failed-after-the-deny").report());
    assert!(!to_do(&denied).contains("aws iam attach-user-policy"), "{denied}");
    let is_in = mail(&Case::named("failed-before-the-deny").report());
    assert!(to_do(&is_in).contains("aws iam attach-user-policy"), "{is_in}");
}
