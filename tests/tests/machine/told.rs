use std::collections::BTreeSet;

use crate::graph::{By, Edge, Kind, Scope};

/// How many redrives there were. The context object has no count before the first.
const REDRIVES: &str = "[$states.context.Execution.RedriveCount, 0][0]";

/// The telling states, each with the state that finds its words. The last one is for what can't
/// be published as it is.
const TOLD: [(&str, &str); 7] = [
    ("ReportAbandoned", "TellAbandoned"),
    ("ReportContained", "TellContained"),
    ("ReportOverflow", "TellOverflow"),
    ("ReportEscalated", "TellHumans"),
    ("ReportObserved", "TellObserved"),
    ("ReportFailure", "AlertResponders"),
    ("AlertResponders", "AlertPlainly"),
];

fn tells(edge: &Edge<'_>) -> bool {
    edge.from.publishes() && edge.by == By::Next
}

/// The way back to the response policy of a redrive that began in the middle. It ends nothing in
/// silence: `Judge` then tells people what it ignores.
fn begins_again(edge: &Edge<'_>) -> bool {
    edge.to == "ReadResponsePolicy"
        && match edge.by {
            By::Rule(0) => {
                edge.from.choices[0].condition == format!("{{% {REDRIVES} > $redrives %}}")
            }
            By::Catch(n) => edge.from.catch[n].error_equals == ["PolicyUnread"],
            _ => false,
        }
}

/// Beyond the limit of escalations, another execution has claimed the mail of the hour.
fn is_claimed_by_another(edge: &Edge<'_>) -> bool {
    edge.from.name == "ClaimOverflowMail"
        && edge.by == By::Catch(0)
        && edge.from.catch[0].error_equals == ["DynamoDB.ConditionalCheckFailedException"]
}

/// While Cordon observes, another execution has told people of the same finding on the same day.
fn is_observed_today(edge: &Edge<'_>) -> bool {
    edge.from.name == "ClaimObservedMail"
        && edge.by == By::Catch(0)
        && edge.from.catch[0].error_equals == ["DynamoDB.ConditionalCheckFailedException"]
        && edge.to == "ObservedToday"
}

/// Of whom the deny stood on already and who had nothing more to lose, people were told as often
/// in this hour as they want to be.
fn is_told_often(edge: &Edge<'_>) -> bool {
    edge.from.name == "CountRepetitions"
        && edge.by == By::Catch(0)
        && edge.from.catch[0].error_equals == ["DynamoDB.ConditionalCheckFailedException"]
        && edge.to == "ContainedUnmailed"
}

/// Whom the finding accuses was dealt with and told before, by an answer that holds.
fn is_answered(edge: &Edge<'_>) -> bool {
    let By::Rule(n) = edge.by else { return false };
    edge.from.name == "Outcome"
        && edge.to == "Ignored"
        && edge.from.choices[n].condition.contains("$not(resource in $answered)")
        // Who redrives waits for word.
        && edge.from.choices[n - 1].next == "ReportAbandoned"
}

/// Each of whom is observed people were told of today, by another execution, as the bucket says.
/// Who redrives or chose the finding waits for word.
fn is_told_today(edge: &Edge<'_>) -> bool {
    let By::Rule(n) = edge.by else { return false };
    edge.from.name == "Outcome"
        && edge.to == "ObservedToday"
        && edge.from.choices[n].condition
            == "{% $policy.mode = 'observe' and $redrives = 0 and $verdict.source != 'person' and \
                $count($outcomes[$not(told = true or verdict = 'observed' and \
                evidence.toldToday = true)]) = 0 %}"
}

/// Where the machine may end after `start` without anybody having been told.
fn silent_ends<'a>(machine: &'a Scope, start: &'a str) -> Vec<&'a str> {
    let closed = |edge: &Edge<'_>| {
        tells(edge)
            || begins_again(edge)
            || is_claimed_by_another(edge)
            || is_observed_today(edge)
            || is_told_often(edge)
            || is_answered(edge)
            || is_told_today(edge)
    };
    let reached = machine.reachable(start, closed).into_iter();
    reached.filter(|state| state.may_end()).map(|state| state.name.as_str()).collect()
}

#[test]
fn people_are_told_after_every_catch_before_the_execution_ends() {
    let machine = Scope::machine();
    let mut catches = 0;
    for edge in machine.edges() {
        let silent = is_claimed_by_another(&edge)
            || is_observed_today(&edge)
            || is_told_often(&edge)
            || begins_again(&edge);
        if matches!(edge.by, By::Catch(_)) && !silent {
            catches += 1;
            assert_eq!(silent_ends(&machine, edge.to), [""; 0], "{edge}");
        }
    }
    assert!(catches > 9, "only {catches} were found");
}

#[test]
fn people_are_told_however_an_iteration_ended() {
    let machine = Scope::machine();
    for state in machine.states.values().filter(|state| state.inner().next().is_some()) {
        let next = state.next.as_deref().unwrap();
        assert_eq!(silent_ends(&machine, next), [""; 0], "after `{}`", state.name);
    }
}

#[test]
fn only_what_is_ignored_ends_in_silence() {
    let machine = Scope::machine();
    assert_eq!(silent_ends(&machine, &machine.start_at), ["Ignored"]);
}

#[test]
fn without_its_counter_an_escalation_is_mailed() {
    let machine = Scope::machine();
    let claims = ["ClaimObservedMail", "ClaimUrgentMail", "CountEscalations", "ClaimOverflowMail"];
    for name in claims {
        let [refused, unreachable] = machine.state(name).catch.as_slice() else {
            panic!("`{name}` has another number of catches")
        };
        assert_eq!(refused.error_equals, ["DynamoDB.ConditionalCheckFailedException"]);
        assert_eq!(unreachable.next, "ReportEscalated", "`{name}`");
    }
    let [_, unreachable] = machine.state("CountRepetitions").catch.as_slice() else {
        panic!("`CountRepetitions` has another number of catches")
    };
    assert_eq!(unreachable.next, "TellContained");
    let before: Vec<_> =
        machine.edges().into_iter().filter(|edge| edge.to == "ReportEscalated").collect();
    let before: BTreeSet<_> = before.iter().map(|edge| edge.from.name.as_str()).collect();
    assert_eq!(before, claims.into_iter().chain(["WhetherToMail"]).collect());
    // What is not observed only waits for no day.
    let claimed: Vec<_> =
        machine.edges().into_iter().filter(|edge| edge.to == "ClaimObservedMail").collect();
    let [claimed] = claimed.as_slice() else { panic!("another way leads there") };
    assert_eq!((claimed.from.name.as_str(), claimed.by), ("WhetherToMail", By::Rule(1)));
    assert_eq!(claimed.from.choices[1].condition, "{% $policy.mode = 'observe' %}");
}

#[test]
fn a_failed_execution_waits_for_its_redrive() {
    let machine = Scope::machine();
    let waits = machine.state("WaitForPeopleToRedrive");
    assert_eq!(waits.kind, Kind::Choice);
    assert_eq!(waits.default, None);
    let [rule] = waits.choices.as_slice() else { panic!("it has more than one rule") };
    assert_eq!(rule.condition, format!("{{% {REDRIVES} > $redrives %}}"));
    // Today's response policy is what a redrive goes by.
    assert_eq!(rule.next, "ReadResponsePolicy");
    assert_eq!(rule.assign["failure"], serde_json::Value::Null);
    for state in machine.all() {
        let without = state.kind == Kind::Choice && state.default.is_none();
        assert_eq!(without, state.name == "WaitForPeopleToRedrive", "`{}`", state.name);
    }
}

/// A redrive goes on with the very state that was stopped, or that ran out of time.
#[test]
fn a_redrive_that_begins_in_the_middle_acts_only_by_the_policy_of_its_day() {
    let machine = Scope::machine();
    let read = machine.state("ReadResponsePolicy");
    // Also where it can't be read: one mail is sent, and the execution waits for the next redrive.
    for assign in [&read.assign, &read.catch[0].assign] {
        assert_eq!(assign["redrives"], format!("{{% {REDRIVES} %}}"));
    }
    for state in machine.all() {
        let sets = state.assign.contains_key("redrives");
        assert_eq!(sets, ["Begin", "ReadResponsePolicy"].contains(&state.name.as_str()));
    }
    let again: Vec<_> = machine.edges().into_iter().filter(begins_again).collect();
    let again: BTreeSet<_> = again.iter().map(|edge| edge.from.name.as_str()).collect();
    // Inside the iterations it is an outcome, from which `Outcome` leads there.
    let functions = machine.states.values().filter(|state| state.function().is_some());
    let functions = functions.map(|state| state.name.as_str()).filter(|name| *name != "Classify");
    let choices = ["Judge", "Outcome", "WaitForPeopleToRedrive"];
    assert_eq!(again, functions.chain(choices).collect());
    let judge = machine.state("Judge");
    let told = judge.choices.iter().position(|rule| rule.next == "ReportAbandoned").unwrap();
    let ignored = judge.choices.iter().position(|rule| rule.next == "Ignored").unwrap();
    assert!(told < ignored && judge.choices[told].condition.contains("$redrives > 0)"));

    let unread = format!("{{% {REDRIVES} > $redrives %}}");
    for state in machine.all().into_iter().filter(|state| state.function().is_some()) {
        // `Judge` asks after this one.
        let asked = state.name == "Classify";
        let passed = &state.arguments["Payload"]["policyUnread"];
        assert_eq!(passed == &unread, !asked, "`{}`", state.name);
        let retried = state.retry.iter().flat_map(|retrier| &retrier.error_equals);
        assert!(!retried.into_iter().any(|error| error == "PolicyUnread"), "`{}`", state.name);
    }
}

/// What was written before the redrive is of another day. An alert asks for one.
#[test]
fn a_redrive_tells_nothing_that_was_written_before_it() {
    let machine = Scope::machine();
    for state in machine.all().into_iter().filter(|state| state.publishes()) {
        let alerts = state.name.starts_with("Alert");
        let subject = if alerts {
            "{% $report.subject %}".to_owned()
        } else {
            format!("{{% {REDRIVES} > $redrives ? $error('redriven') : $report.subject %}}")
        };
        assert_eq!(state.arguments["Subject"], subject, "`{}`", state.name);
        let caught = state.catch.last().map(|catch| catch.next.as_str());
        assert!(alerts || caught == Some("ReportFailure"), "`{}`", state.name);
    }
}

#[test]
fn every_way_to_an_alert_says_what_failed() {
    let machine = Scope::machine();
    let mut ways = 0;
    let edges = machine.edges();
    // On its way from a Catch.
    let marks = |edge: &&Edge<'_>| edge.from.name == "MarkUnknown" && edge.to == "ReportFailure";
    assert_eq!(edges.iter().filter(marks).count(), 1);
    let tells = |edge: &&Edge<'_>| ["ReportFailure", "MarkUnknown"].contains(&edge.to);
    for edge in edges.iter().filter(tells).filter(|edge| !marks(edge)) {
        ways += 1;
        assert!(edge.assign.contains_key("failure"), "{edge}");
    }
    assert!(ways > 9, "only {ways} were found");
}

/// So what reaches a telling state is what reaches its report.
#[test]
fn nobody_is_told_but_what_was_written_for_it() {
    let machine = Scope::machine();
    let telling = machine.all().into_iter().filter(|state| state.publishes());
    let telling: BTreeSet<_> = telling.map(|state| state.name.as_str()).collect();
    assert_eq!(telling, TOLD.into_iter().map(|(_, tells)| tells).collect());
    let mut kinds = BTreeSet::new();
    for (before, tells) in TOLD {
        // The finding's note is of the same report, and `RESOLVED` is claimed after it holds.
        let between = ["WhetherToTellContained", "CountRepetitions", "ClaimOverflowMail"];
        for edge in machine.edges().into_iter().filter(|edge| edge.to == tells) {
            assert!(
                edge.from.name == before || between.contains(&edge.from.name.as_str()),
                "{edge}"
            );
        }
        let report = machine.state(before);
        if report.function().is_none() {
            continue;
        }
        assert_eq!(report.function(), Some("WriteReport"));
        assert!(kinds.insert(report.arguments["Payload"]["kind"].as_str().unwrap()));
        // What can't be written is told plainly, and by the same state.
        let ways = report.edges().into_iter().filter(|edge| !begins_again(edge));
        let ways: BTreeSet<_> = ways.map(|edge| edge.to).collect();
        let next = if tells == "TellContained" { "Resolve" } else { tells };
        assert_eq!(ways, BTreeSet::from([next]), "`{before}`");
        for edge in report.edges().into_iter().filter(|edge| !begins_again(edge)) {
            assert!(edge.assign.contains_key("report"), "{edge}");
        }
    }
    for edge in machine.edges().into_iter().filter(|edge| edge.to == "WaitForPeopleToRedrive") {
        assert!(["AlertResponders", "AlertPlainly"].contains(&edge.from.name.as_str()), "{edge}");
    }
}
