use crate::graph::{By, Edge, Kind, Scope};

/// How many redrives there were. The context object has no count before the first.
const REDRIVES: &str = "($exists($states.context.Execution.RedriveCount) ? $states.context.Execution.RedriveCount : 0)";

fn tells(edge: &Edge<'_>) -> bool {
    edge.from.publishes() && edge.by == By::Next
}

/// Where the machine may end after `start` without having told anybody.
fn silent_ends<'a>(machine: &'a Scope, start: &'a str) -> Vec<&'a str> {
    let reached = machine.reachable(start, tells).into_iter();
    reached.filter(|state| state.may_end()).map(|state| state.name.as_str()).collect()
}

#[test]
fn people_are_told_after_every_catch_before_the_execution_ends() {
    let machine = Scope::machine();
    let mut catches = 0;
    for edge in machine.edges() {
        if matches!(edge.by, By::Catch(_)) {
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
