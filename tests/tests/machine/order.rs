use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use harness::steps::{Step, allowed};

use crate::graph::{By, Edge, Kind, Scope, State};
use crate::walk::ways;

/// The beginnings of the names of actions that only read.
const READS: [&str; 3] = ["iam:Get", "iam:List", "sts:"];
/// Actions that only add a deny: the member role's conditions allow no other policy.
const DENIES: [&str; 4] = [
    "iam:AttachUserPolicy",
    "iam:AttachRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutRolePermissionsBoundary",
];
/// The beginnings of the names of actions by which something that is attached goes.
const DETACHES: [&str; 3] = ["iam:Detach", "iam:Delete", "iam:Remove"];

/// What each function may do in a member account, besides reading.
static CHANGES: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let steps = Step::all().unwrap().into_iter();
    let changes = steps.filter_map(|step| {
        let mut actions = allowed(&step.member_policy?);
        actions.retain(|action| READS.iter().all(|read| !action.starts_with(read)));
        Some((step.state, actions))
    });
    changes.collect()
});

/// What the task may change in a member account.
fn changes(task: &State) -> BTreeSet<&str> {
    let of_function = task.function().and_then(|function| CHANGES.get(function));
    of_function.into_iter().flatten().map(String::as_str).collect()
}

fn detaches(task: &State) -> bool {
    changes(task).iter().any(|action| DETACHES.iter().any(|taken| action.starts_with(taken)))
}

/// The iterations for each principal.
fn iteration(machine: &Scope) -> &Scope {
    machine.state("Principals").item_processor.as_ref().unwrap()
}

/// The state and all states inside it.
fn with_inner(state: &State) -> Vec<&State> {
    let mut states = vec![state];
    states.extend(state.inner().flat_map(Scope::all));
    states
}

fn names<'a>(states: impl IntoIterator<Item = &'a State>) -> Vec<&'a str> {
    states.into_iter().map(|state| state.name.as_str()).collect()
}

#[test]
fn every_state_is_named_once_explained_and_reachable() {
    let machine = Scope::machine();
    let mut seen = BTreeSet::new();
    for scope in machine.scopes() {
        let reached = scope.reachable(&scope.start_at, |_| false);
        for state in scope.states.values() {
            let name = state.name.as_str();
            assert!(seen.insert(name.to_owned()), "two states are named `{name}`");
            assert!(!state.comment.is_empty(), "`{name}` does not say why it is there");
            assert!(names(reached.iter().copied()).contains(&name), "`{name}` is never reached");
            let camel = name.starts_with(|first: char| first.is_ascii_uppercase())
                && name.chars().all(|letter| letter.is_ascii_alphabetic());
            assert!(camel, "`{name}` is not UpperCamelCase");
            let leads = !state.edges().is_empty();
            assert!(leads || state.may_end(), "`{name}` neither ends nor goes on");
        }
    }
}

#[test]
fn every_task_is_a_verb() {
    let verbs = [
        "Alert",
        "Assume",
        "Claim",
        "Classify",
        "Count",
        "Deactivate",
        "Detach",
        "Find",
        "Mark",
        "Observe",
        "Preserve",
        "Quarantine",
        "Read",
        "Remove",
        "Replace",
        "Report",
        "Resolve",
        "Retire",
        "Tag",
        "Tell",
        "Verify",
    ];
    for state in Scope::machine().all().into_iter().filter(|state| state.kind == Kind::Task) {
        assert!(verbs.iter().any(|verb| state.name.starts_with(verb)), "`{}`", state.name);
    }
}

#[test]
fn a_finding_is_resolved_only_by_outcome_after_the_iterations() {
    let machine = Scope::machine();
    for state in machine.all() {
        let workflow = &state.arguments["Payload"]["workflow"];
        assert_eq!(workflow == "RESOLVED", state.name == "Resolve", "`{}`", state.name);
        let resolves = state.function() == Some("Resolve");
        assert_eq!(resolves, workflow.is_string(), "`{}`", state.name);
    }
    let by_outcome = |edge: &Edge<'_>| edge.from.name == "Outcome" && edge.by == By::Rule(4);
    let without = machine.reachable(&machine.start_at, by_outcome);
    assert!(!names(without).contains(&"Resolve"));
    assert!(names(machine.after_success_of("Principals")).contains(&"Outcome"));
}

#[test]
fn a_principal_is_dealt_with_only_after_it_is_verified() {
    let machine = Scope::machine();
    let iteration = iteration(&machine);
    let verified = names(iteration.after_success_of("Verify"));
    let judged = iteration.state("IsContained");
    assert!(verified.contains(&judged.name.as_str()));
    assert_eq!(judged.choices[0].condition, "{% $verified.readBack.contained %}");
    let content = |edge: &Edge<'_>| edge.from.name == judged.name && edge.by == By::Rule(0);
    let otherwise = names(iteration.reachable(&iteration.start_at, content));
    let mut dealt_with = Vec::new();
    for state in iteration.states.values().filter(|state| state.may_end()) {
        let outcome = state.output["verdict"].as_str().unwrap();
        match outcome {
            "contained" | "retired" => {
                dealt_with.push(outcome);
                assert!(!otherwise.contains(&state.name.as_str()), "`{}`", state.name);
            }
            _ => assert!(
                ["observed", "escalated", "pending", "answered"].contains(&outcome),
                "{outcome}"
            ),
        }
    }
    assert_eq!(dealt_with, ["contained", "retired"]);
}

#[test]
fn an_outcome_says_that_a_principal_is_dealt_with_only_where_an_iteration_did() {
    let kept = "{% ($kept := $outcomes[verdict in ['contained', 'retired'] or $not(resource in \
                $refused.resource)]; [$kept, $refused[$not(resource in $kept.resource)]]) %}";
    let read_back = "{% ($now := [$states.result[verdict != 'answered'], $refused]; [$outcomes[verdict in \
                     ['contained', 'retired'] and $not(resource in $now.resource)], $now]) %}";
    let missing = "{% ($o := $outcomes; [$o, $principals[$not(resource in $o.resource)].{'resource': \
                   resource, 'account': account, 'verdict': 'pending', 'pass': $redrives, \
                   'unusedDays': unusedDays}]) %}";
    let marked = "{% [$outcomes.$merge([$, $policy.mode != 'observe' and resource in \
                  $principals.resource and $not(verdict in ['contained', 'retired']) ? \
                  $unknown])] %}";
    let mut assignments = 0;
    for state in Scope::machine().all() {
        let rules = state.choices.iter().map(|rule| (&rule.assign, kept));
        let catches = state.catch.iter().map(|catch| (&catch.assign, missing));
        let own = match state.name.as_str() {
            "Principals" => read_back,
            "MarkUnknown" => marked,
            _ => kept,
        };
        for (assign, expected) in rules.chain(catches).chain([(&state.assign, own)]) {
            let Some(outcomes) = assign.get("outcomes") else { continue };
            assignments += 1;
            let Some(text) = outcomes.as_str() else {
                assert_eq!(*outcomes, serde_json::json!([]), "`{}`", state.name);
                continue;
            };
            assert_eq!(text, expected, "`{}`", state.name);
        }
    }
    assert!(assignments > 3, "only {assignments} were found");
}

#[test]
fn nothing_is_changed_before_the_evidence_but_for_the_deny() {
    let machine = Scope::machine();
    let iteration = iteration(&machine);
    let preserved = names(iteration.after_success_of("Preserve"));
    let mut changing = 0;
    for state in iteration.states.values() {
        for task in with_inner(state) {
            let changes = changes(task);
            if changes.is_empty() || changes.iter().all(|one| DENIES.contains(one)) {
                continue;
            }
            changing += 1;
            assert!(preserved.contains(&state.name.as_str()), "`{}` does {changes:?}", task.name);
        }
    }
    assert_eq!(changing, 6);
    // And nobody outside of the iterations changes anything.
    for state in machine.states.values() {
        assert_eq!(changes(state), BTreeSet::new(), "`{}`", state.name);
    }
}

/// The deny is set before, but in the place of no boundary of the customer's.
#[test]
fn a_boundary_is_replaced_only_after_the_evidence() {
    let machine = Scope::machine();
    let iteration = iteration(&machine);
    let preserved = names(iteration.after_success_of("Preserve"));
    let mut calls = BTreeSet::new();
    for state in iteration.all() {
        let call = &state.arguments["Payload"]["call"];
        assert_eq!(call.is_string(), state.function() == Some("Quarantine"), "`{}`", state.name);
        let Some(call) = call.as_str() else { continue };
        let after = preserved.contains(&state.name.as_str());
        assert!(call == "deny" || after, "`{}`", state.name);
        calls.insert(call.to_owned());
    }
    assert_eq!(calls, BTreeSet::from(["boundary".to_owned(), "deny".to_owned()]));
}

#[test]
fn nobody_is_changed_before_it_is_counted() {
    let machine = Scope::machine();
    let iteration = iteration(&machine);
    let count = iteration.state("CountContainments");
    let uncounted = |edge: &Edge<'_>| edge.from.name == count.name && edge.by == By::Next;
    let asked = iteration.state("WhetherToCount");
    let again = iteration.state("WhetherAnswered");
    let condition = "{% $counted or $policy.mode = 'observe' or \
                     $type($target.deniedBefore) = 'string' %}";
    let skipped = |edge: &Edge<'_>| {
        [asked, again].iter().any(|state| state.name == edge.from.name)
            && matches!(edge.by, By::Rule(n) if edge.from.choices[n].condition == condition)
    };
    assert_eq!(iteration.edges().iter().filter(|edge| skipped(edge)).count(), 2);
    for state in iteration.all() {
        let says = state.assign.get("counted").is_some_and(|counted| *counted != false);
        assert_eq!(says, state.name == count.name, "`{}`", state.name);
    }
    let closed = |edge: &Edge<'_>| uncounted(edge) || skipped(edge);
    for state in iteration.reachable(&iteration.start_at, closed) {
        for task in with_inner(state) {
            assert_eq!(changes(task), BTreeSet::new(), "`{}`", task.name);
        }
    }
    let refused: Vec<_> = count.catch.iter().map(|catch| catch.next.as_str()).collect();
    assert_eq!(refused, ["PrincipalEscalated", "PrincipalPending"]);
}

#[test]
fn what_a_person_starts_is_read_from_security_hub_first() {
    let machine = Scope::machine();
    let whose = machine.state("WhetherToReadFinding");
    let next: Vec<_> = whose.choices.iter().map(|rule| rule.next.as_str()).collect();
    assert_eq!(next, ["Classify", "Classify", "ReadFinding", "ReadFinding", "ReadFinding"]);
    for rule in &whose.choices {
        assert_eq!(rule.assign.contains_key("filters"), rule.next == "ReadFinding");
    }
    assert!(whose.choices[0].condition.starts_with("{% $redrives = 0 and $not("));
    let payload = &machine.state("Classify").arguments["Payload"];
    assert_eq!(payload["redriven"], "{% $redrives > 0 %}");
    assert_eq!(payload["read"], "{% $type($record) = 'array' %}");
}

#[test]
fn nothing_is_detached_before_the_deny_was_tried() {
    let machine = Scope::machine();
    let mut detaching = 0;
    for way in ways(iteration(&machine)) {
        let first = way.iter().position(|state| with_inner(state).into_iter().any(detaches));
        let Some(first) = first else { continue };
        detaching += 1;
        let before = names(way.iter().take(first).copied());
        assert!(before.contains(&"Quarantine"), "{before:?}");
    }
    assert!(detaching > 2, "only {detaching} were found");
}

#[test]
fn observing_changes_nothing() {
    let machine = Scope::machine();
    let iteration = iteration(&machine);
    let choice = iteration.state("ChooseResponse");
    let [first, ..] = choice.choices.as_slice() else { panic!("it has no rule") };
    assert_eq!(first.condition, "{% $policy.mode = 'observe' %}");
    // No state of the iterations sets the policy, so the same rule holds again.
    let otherwise = |edge: &Edge<'_>| edge.from.name == choice.name && edge.by != By::Rule(0);
    for state in iteration.reachable(&first.next, otherwise) {
        for task in with_inner(state) {
            assert_eq!(changes(task), BTreeSet::new(), "`{}`", task.name);
        }
    }
    // Whatever is changed is changed after it has been asked.
    for way in ways(iteration) {
        let asked = way.iter().position(|state| state.name == choice.name);
        let changed = way
            .iter()
            .position(|state| with_inner(state).iter().any(|task| !changes(task).is_empty()));
        assert!(changed.is_none_or(|changed| asked.is_some_and(|asked| asked < changed)));
    }
}
