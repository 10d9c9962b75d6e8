use std::collections::BTreeSet;

use incident::Failure;

use crate::graph::{Kind, Scope, State};

/// Errors that Step Functions and the services themselves raise.
///
/// Sources: Step Functions Developer Guide, "Handling errors in Step Functions workflows",
/// "Handle transient Lambda service exceptions" and "Integrating services with Step
/// Functions" (a service's exception is named `<Service>.<Exception>`); the API References
/// of Systems Manager (`GetParameter`), Security Hub (`GetFindings`), Amazon SNS
/// (`Publish`) and `DynamoDB` (`UpdateItem`). `Runtime.ExitError`, `Runtime.OutOfMemory` and
/// `Sandbox.Timedout` are the `errorType` of Lambda's answer for a function that exits or runs
/// out of memory or time.
const OF_AWS: [&str; 36] = [
    "States.ALL",
    "States.Timeout",
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Sandbox.Timedout",
    "Ssm.InternalServerErrorException",
    "Ssm.SdkClientException",
    "Ssm.SsmException",
    "Ssm.ThrottlingException",
    "SecurityHub.ConflictException",
    "SecurityHub.InternalException",
    "SecurityHub.InternalServerException",
    "SecurityHub.LimitExceededException",
    "SecurityHub.SdkClientException",
    "SecurityHub.SecurityHubException",
    "SecurityHub.ThrottlingException",
    "SNS.InternalErrorException",
    "SNS.KmsThrottlingException",
    "SNS.KMSThrottlingException",
    "SNS.ThrottledException",
    "SNS.SdkClientException",
    "SNS.SnsException",
    "SNS.AmazonSNSException",
    "DynamoDB.ConditionalCheckFailedException",
    "DynamoDB.InternalServerErrorException",
    "DynamoDB.ProvisionedThroughputExceededException",
    "DynamoDB.ThrottlingException",
    "DynamoDB.RequestLimitExceededException",
    "DynamoDB.SdkClientException",
    "DynamoDB.AmazonDynamoDBException",
];

/// Failures that no state expects by name, and why they are like any other to it: people
/// are told at once, and mend what the message names.
const LIKE_ANY_OTHER: [(&str, &str); 21] = [
    ("InvalidInput", "a bug, or a machine and functions of different versions"),
    ("ResponsePolicyInvalid", "a person has to mend the parameter"),
    ("EntryRefused", "a person has to mend the member role's trust"),
    ("AccessDenied", "a person has to mend a policy, or the account is closed to us on purpose"),
    ("LimitExceeded", "the steps that expect a quota deal with it themselves"),
    ("NotFound", "the steps that expect an absence deal with it themselves"),
    ("RequestRejected", "the same request would be rejected again"),
    ("DenyUnavailable", "a person has to contain in a partition without the policy"),
    ("DenyMissing", "Verify finds what is left, and Quarantine's own failure is told"),
    ("BoundaryMissing", "Verify finds what is left, and a person has to let Quarantine set it"),
    ("EvidenceUnreadable", "nothing is taken away without evidence, and a person has to look"),
    ("FindingNotUpdated", "Security Hub would refuse the same update again"),
    ("IncidentForeign", "it is the restore machine's, and a person has to name another execution"),
    ("NothingToRestore", "it is the restore machine's, and a person has to name another execution"),
    ("ChoiceUnclear", "it is the restore machine's, and a person has to choose otherwise"),
    ("IncidentPending", "it is the restore machine's, and a person has to end the other execution"),
    ("CaseNotNewest", "it is the restore machine's, and a person has to name another execution"),
    ("AccountChanged", "it is the restore machine's, and a person has to plan anew"),
    ("IncidentMeanwhile", "it is the restore machine's, which expects it by name"),
    ("CredentialMadeSince", "it is the restore machine's, and a person has to remove it first"),
    ("EvidenceMismatch", "it is the restore machine's, and a person has to find out who did it"),
];

pub(crate) fn named(state: &State) -> BTreeSet<&str> {
    let retried = state.retry.iter().flat_map(|retrier| &retrier.error_equals);
    let caught = state.catch.iter().flat_map(|catch| &catch.error_equals);
    retried.chain(caught).map(String::as_str).collect()
}

#[test]
fn what_may_fail_is_retried_caught_and_bounded() {
    for state in Scope::machine().all() {
        let name = &state.name;
        let fails = matches!(state.kind, Kind::Task | Kind::Map | Kind::Parallel);
        let caught = state.catch.last().is_some_and(|last| last.error_equals == ["States.ALL"]);
        // Whoever can't tell people that it failed has nobody else to tell.
        assert_eq!(caught, fails && name != "AlertPlainly", "`{name}` and States.ALL");
        let tasks = state.kind == Kind::Task;
        assert_eq!(!state.retry.is_empty(), tasks, "`{name}` and Retry");
        assert_eq!(state.timeout_seconds.is_some(), tasks, "`{name}` and TimeoutSeconds");
    }
}

#[test]
fn retries_are_spread_out_and_capped() {
    for state in Scope::machine().all() {
        let mut seen = BTreeSet::new();
        for retrier in &state.retry {
            // IAM shows late what it shows late: who waits for that waits as long as it takes.
            let waits = retrier.error_equals == ["DenyNotVisible"];
            let jitter = if waits { "NONE" } else { "FULL" };
            assert_eq!(retrier.jitter_strategy, jitter, "`{}`", state.name);
            assert!(retrier.max_attempts > 0, "`{}`: {retrier:?}", state.name);
            assert!(retrier.max_delay_seconds > retrier.interval_seconds, "`{}`", state.name);
            for error in &retrier.error_equals {
                assert!(seen.insert(error), "`{}` retries `{error}` twice", state.name);
                // States.ALL has to stand alone; and what a person has to mend is no
                // better for a repetition.
                assert_ne!(error, "States.ALL", "`{}`", state.name);
            }
        }
    }
}

#[test]
fn whatever_may_pass_is_retried() {
    let by_functions = [
        "Throttled",
        "ServiceUnavailable",
        "Lambda.TooManyRequestsException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.Unknown",
        "Runtime.ExitError",
        "Runtime.OutOfMemory",
        "Sandbox.Timedout",
        "States.Timeout",
    ];
    let machine = Scope::machine();
    for state in machine.all().into_iter().filter(|state| state.kind == Kind::Task) {
        let errors = named(state);
        assert!(errors.contains("States.Timeout"), "`{}`", state.name);
        if let Some(function) = state.function() {
            for error in by_functions {
                assert!(errors.contains(error), "`{}` gives up at `{error}`", state.name);
            }
            // Security Hub may show a finding later than it sends it.
            for error in ["FindingBusy", "FindingNotFound"] {
                assert_eq!(errors.contains(error), function == "Resolve", "`{}`", state.name);
            }
            let needs_the_deny = ["DetachPolicies", "RemoveGroups"].contains(&function);
            assert_eq!(errors.contains("DenyNotVisible"), needs_the_deny, "`{}`", state.name);
        }
    }
}

#[test]
fn each_error_is_one_that_somebody_raises() {
    for state in Scope::machine().all() {
        for error in named(state) {
            let known = Failure::NAMES.contains(&error) || OF_AWS.contains(&error);
            assert!(known, "nothing raises `{error}`, which `{}` expects", state.name);
        }
    }
    let machine = Scope::machine();
    let expected: BTreeSet<&str> = machine.all().into_iter().flat_map(named).collect();
    for error in OF_AWS {
        assert!(expected.contains(error), "no state expects `{error}`");
    }
}

#[test]
fn each_failure_is_expected_by_name_or_like_any_other_for_a_reason() {
    let machine = Scope::machine();
    let expected: BTreeSet<&str> = machine.all().into_iter().flat_map(named).collect();
    for name in Failure::NAMES {
        // What is caught by a condition is expected, too.
        let condition = machine.all().into_iter().flat_map(State::expressions);
        let asked_for = condition.into_iter().any(|text| text.contains(&format!("'{name}' in ")));
        let like_any_other = LIKE_ANY_OTHER.iter().any(|(other, _)| *other == name);
        assert_ne!(expected.contains(name) || asked_for, like_any_other, "`{name}`");
        // Step Functions keeps names of this kind for itself and for Lambda.
        assert!(!name.contains('.'), "`{name}` poses as an error of AWS");
    }
    for (name, _) in LIKE_ANY_OTHER {
        assert!(Failure::NAMES.contains(&name), "there is no failure `{name}`");
    }
}
