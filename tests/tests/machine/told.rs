use std::collections::BTreeSet;

use crate::graph::{By, Edge, Kind, Scope};

/// How many redrives there were. The context object has no count before the first.
const REDRIVES: &str = "($exists($states.context.Execution.RedriveCount) ? $states.context.Execution.RedriveCount : 0)";

fn tells(edge: &Edge<'_>) -> bool {
    edge.from.publishes() && edge.by == By::Next
}

/// The way back to the response policy of a redrive that began in the middle. It ends nothing in
/// silence: `Judge` then tells people what it ignores.
fn begins_again(edge: &Edge<'_>) -> bool {
    edge.to == "ReadResponsePolicy"
        && edge.by == By::Rule(0)
        && edge.from.choices[0].condition == format!("{{% {REDRIVES} > $redrives %}}")
}

/// Beyond the limit of escalations, another execution has claimed the mail of the hour.
fn is_claimed_by_another(edge: &Edge<'_>) -> bool {
    edge.from.name == "ClaimOverflowMail"
        && edge.by == By::Catch(0)
        && edge.from.catch[0].error_equals == ["DynamoDB.ConditionalCheckFailedException"]
}

/// Where the machine may end after `start` without anybody having been told.
fn silent_ends<'a>(machine: &'a Scope, start: &'a str) -> Vec<&'a str> {
    let closed = |edge: &Edge<'_>| tells(edge) || begins_again(edge) || is_claimed_by_another(edge);
    let reached = machine.reachable(start, closed).into_iter();
    reached.filter(|state| state.may_end()).map(|state| state.name.as_str()).collect()
}

#[test]
fn people_are_told_after_every_catch_before_the_execution_ends() {
    let machine = Scope::machine();
    let mut catches = 0;
    for edge in machine.edges() {
        if matches!(edge.by, By::Catch(_)) && !is_claimed_by_another(&edge) {
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
    for name in ["ClaimUrgentMail", "CountEscalations", "ClaimOverflowMail"] {
        let [refused, unreachable] = machine.state(name).catch.as_slice() else {
            panic!("`{name}` has another number of catches")
        };
        assert_eq!(refused.error_equals, ["DynamoDB.ConditionalCheckFailedException"]);
        assert_eq!(unreachable.next, "TellHumans", "`{name}`");
    }
    let before: Vec<_> =
        machine.edges().into_iter().filter(|edge| edge.to == "TellHumans").collect();
    let before: BTreeSet<_> = before.iter().map(|edge| edge.from.name.as_str()).collect();
    let counted = ["ClaimOverflowMail", "ClaimUrgentMail", "CountEscalations", "WhetherToMail"];
    assert_eq!(before, BTreeSet::from(counted));
}

#[test]
fn a_failed_execution_waits_for_its_redrive() {
    let machine = Scope::machine();
    let await_redrive = machine.state("AwaitRedrive");
    assert_eq!(await_redrive.kind, Kind::Choice);
    assert_eq!(await_redrive.default, None);
    let [rule] = await_redrive.choices.as_slice() else { panic!("it has more than one rule") };
    assert_eq!(rule.condition, format!("{{% {REDRIVES} > $alertedAt %}}"));
    // Today's response policy is what a redrive goes by.
    assert_eq!(rule.next, "ReadResponsePolicy");
    assert_eq!(rule.assign["failure"], serde_json::Value::Null);
    for state in machine.all() {
        let without = state.kind == Kind::Choice && state.default.is_none();
        assert_eq!(without, state.name == "AwaitRedrive", "`{}`", state.name);
    }
}

/// A redrive goes on with the very state that was stopped, or that ran out of time.
#[test]
fn a_redrive_that_begins_in_the_middle_acts_only_by_the_policy_of_its_day() {
    let machine = Scope::machine();
    let read = machine.state("ReadResponsePolicy");
    assert_eq!(read.assign["redrives"], format!("{{% {REDRIVES} %}}"));
    for state in machine.all() {
        let sets = state.assign.contains_key("redrives");
        assert_eq!(sets, ["Begin", "ReadResponsePolicy"].contains(&state.name.as_str()));
    }
    let again: Vec<_> = machine.edges().into_iter().filter(begins_again).collect();
    let again: Vec<_> = again.iter().map(|edge| edge.from.name.as_str()).collect();
    assert_eq!(again, ["Judge", "Outcome"]);
    let judge = machine.state("Judge");
    let told = judge.choices.iter().position(|rule| rule.next == "TellAbandoned").unwrap();
    let ignored = judge.choices.iter().position(|rule| rule.next == "Ignored").unwrap();
    assert!(told < ignored && judge.choices[told].condition.contains(&format!("{REDRIVES} > 0)")));

    let guard = format!("{{% {REDRIVES} = $redrives ? $states.context.Execution.Id : $error('");
    for state in machine.all() {
        let execution = state.arguments["Payload"]["execution"].as_str();
        let Some(execution) = execution else { continue };
        // `Judge` asks after the one, and the other only reads.
        let free = ["Classify", "FindHolders"].contains(&state.name.as_str());
        assert_eq!(!execution.starts_with(&guard), free, "`{}`", state.name);
    }
}

#[test]
fn every_way_to_an_alert_notes_the_redrives_until_then_and_what_failed() {
    let machine = Scope::machine();
    let mut ways = 0;
    for edge in machine.edges() {
        if edge.to == "AlertResponders" {
            ways += 1;
            assert_eq!(edge.assign["alertedAt"], format!("{{% {REDRIVES} %}}"), "{edge}");
            assert!(edge.assign.contains_key("failure"), "{edge}");
        }
        assert!(edge.to != "AwaitRedrive" || edge.from.name == "AlertResponders", "{edge}");
    }
    assert!(ways > 9, "only {ways} were found");
}

#[test]
fn an_alert_says_how_to_redrive() {
    let machine = Scope::machine();
    let message = machine.state("AlertResponders").arguments["Message"].as_str().unwrap();
    let command =
        "aws stepfunctions redrive-execution --execution-arn ' & $states.context.Execution.Id";
    assert!(message.contains(command), "{message}");
}
