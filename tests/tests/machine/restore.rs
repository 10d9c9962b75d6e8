use std::collections::BTreeSet;

use incident::Failure;
use incident::restore::Stage;

use crate::errors::named;
use crate::graph::{By, Edge, Kind, Scope, State};

/// Who gives something back.
fn gives(state: &State) -> bool {
    state.function() == Some("ApplyRestore")
}

/// What people read last of a pass that failed.
fn tells(edge: &Edge<'_>) -> bool {
    edge.from.publishes() && edge.by == By::Next
}

/// Where it goes on, by what it reads then: because a person has redriven it, or what kept it from
/// that may have passed.
fn looks_anew(edge: &Edge<'_>) -> bool {
    let from = edge.from.name.as_str();
    ["WhetherStopped", "WhetherToWait"].contains(&from) && matches!(edge.by, By::Rule(_))
}

#[test]
fn what_may_fail_is_retried_caught_bounded_and_told() {
    let machine = Scope::restore();
    for state in machine.all() {
        let name = &state.name;
        let task = state.kind == Kind::Task;
        assert_eq!(!state.retry.is_empty(), task, "`{name}` and Retry");
        assert_eq!(state.timeout_seconds.is_some(), task, "`{name}` and TimeoutSeconds");
        let caught = state.catch.last().is_some_and(|last| last.error_equals == ["States.ALL"]);
        // Whoever can't tell people that it failed has nobody else to tell.
        assert_eq!(caught, task && name != "TellFailure", "`{name}` and States.ALL");
        for retrier in &state.retry {
            assert_eq!(retrier.jitter_strategy, "FULL", "`{name}`");
            assert!(!retrier.error_equals.iter().any(|error| error == "States.ALL"), "`{name}`");
        }
        if task {
            assert!(named(state).contains("States.Timeout"), "`{name}`");
        }
        if state.function().is_some() {
            for error in ["Throttled", "ServiceUnavailable", "Runtime.ExitError"] {
                assert!(named(state).contains(error), "`{name}` gives up at `{error}`");
            }
        }
        for error in named(state).iter().filter(|error| !error.contains('.')) {
            assert!(Failure::NAMES.contains(error), "nothing raises `{error}`");
        }
    }
    // But for a finding that is gone, which changes nothing of what was given back.
    // And for one that a plan can do without.
    let silent = |edge: &Edge<'_>| {
        let way = (edge.from.name.as_str(), edge.to);
        [("UpdateFinding", "TellRestored"), ("ReadFinding", "ReadPrincipal")].contains(&way)
    };
    let tells = |edge: &Edge<'_>| tells(edge) || looks_anew(edge);
    let mut catches = 0;
    for edge in machine.edges() {
        if !matches!(edge.by, By::Catch(_)) || silent(&edge) {
            continue;
        }
        catches += 1;
        let ends = machine.reachable(edge.to, tells).into_iter().filter(|state| state.may_end());
        let ends: Vec<_> = ends.map(|state| state.name.as_str()).collect();
        assert_eq!(ends, [""; 0], "{edge}");
    }
    assert!(catches > 15, "only {catches} were found");
}

#[test]
fn each_stage_is_done_only_where_the_principal_was_just_held_to_the_plan() {
    let machine = Scope::restore();
    let mut stages = BTreeSet::new();
    for state in machine.all().into_iter().filter(|state| gives(state)) {
        let payload = &state.arguments["Payload"];
        if payload["denyAgain"] == true {
            continue;
        }
        let stage = payload["stage"].as_str().unwrap().to_owned();
        let to = machine.edges().into_iter().filter(|edge| edge.to == state.name);
        for edge in to.collect::<Vec<_>>() {
            let By::Rule(rule) = edge.by else { panic!("{edge}") };
            assert_eq!(edge.from.name, "WhatIsNext");
            let rule = &edge.from.choices[rule];
            assert_eq!(rule.condition, format!("{{% $held.next = '{stage}' %}}"));
            assert_eq!(rule.assign["begun"], stage);
        }
        // What was done is read back before anything else is.
        assert_eq!(state.next.as_deref(), Some("ReadPrincipal"), "`{}`", state.name);
        stages.insert(stage);
    }
    let all = Stage::ALL.map(|stage| serde_json::to_value(stage).unwrap());
    assert_eq!(stages, all.iter().map(|stage| stage.as_str().unwrap().to_owned()).collect());
    let held = machine.after_success_of("HoldToPlan");
    let held: BTreeSet<_> = held.into_iter().map(|state| state.name.as_str()).collect();
    for name in ["GiveBack", "SetStatuses", "LiftDeny", "RemoveTag", "CloseCase"] {
        assert!(held.contains(name), "`{name}`");
        // And never twice by one look at it.
        let again = |edge: &Edge<'_>| edge.from.name == "HoldToPlan" && edge.by == By::Next;
        let next = machine.state(name).next.as_deref().unwrap();
        let without = machine.reachable(next, again);
        let without = without.into_iter().filter(|state| gives(state)).map(|state| &state.name);
        assert_eq!(without.filter(|name| *name != "DenyAgain").collect::<Vec<_>>(), [""; 0]);
    }
}

#[test]
fn only_a_failure_that_another_incident_explains_puts_the_deny_back() {
    let machine = Scope::restore();
    let to = machine.edges().into_iter().filter(|edge| edge.to == "WhetherToDenyAgain");
    let met = BTreeSet::from(["IncidentMeanwhile", "IncidentPending", "CaseNotNewest"]);
    let mut found = BTreeSet::new();
    for edge in to.collect::<Vec<_>>() {
        let By::Catch(n) = edge.by else {
            assert_eq!((edge.from.name.as_str(), edge.by), ("WhetherToWait", By::Default));
            continue;
        };
        let errors: BTreeSet<_> =
            edge.from.catch[n].error_equals.iter().map(String::as_str).collect();
        assert!(errors.is_subset(&met), "{edge}");
        found.insert(edge.from.name.as_str());
    }
    let may_meet = ["CloseCase", "HoldToPlan", "LiftDeny", "ReadIncident", "RemoveTag"];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), may_meet);
    // Whatever becomes of that, people are told, and nothing more is given back.
    let gives_on =
        machine.reachable("WhetherToDenyAgain", tells).into_iter().filter(|it| gives(it));
    assert_eq!(gives_on.map(|state| state.name.as_str()).collect::<Vec<_>>(), ["DenyAgain"]);
}

#[test]
fn a_plan_changes_nothing() {
    let machine = Scope::restore();
    let apply = |edge: &Edge<'_>| edge.to == "HoldToPlan";
    let planning = machine.reachable(&machine.start_at, apply).into_iter();
    // A redrive of what was applied comes this way, too, and lands where its first pass did.
    let again = planning.filter(|state| gives(state) && state.name != "DenyAgain");
    assert_eq!(again.map(|state| state.name.as_str()).collect::<Vec<_>>(), [""; 0]);
}
