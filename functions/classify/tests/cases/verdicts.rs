use std::collections::BTreeSet;

use classify::Action;
use serde_json::{Value, json};

use crate::case::Case;
use crate::limits;

#[test]
fn every_case_has_its_verdict() {
    let wrong: Vec<String> = Case::all().iter().filter_map(difference).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn difference(case: &Case) -> Option<String> {
    let verdict = case.judged();
    limits::hold(&case.execution, &case.event, &verdict);
    let verdict = serde_json::to_value(&verdict).unwrap();
    let expected = &case.expected;
    assert!(!expected.about.is_empty(), "{}: what is it for?", case.name);
    let all = verdict["refused"].as_array().unwrap();
    let refused: Vec<&Value> = all.iter().map(|it| &it["resource"]).collect();
    let told = all.iter().filter(|it| it["told"] == true);
    let told: Vec<&Value> = told.map(|it| &it["resource"]).collect();
    let found = json!({
        "response": verdict["response"],
        "rules": verdict["rules"],
        "source": verdict["source"],
        "accused": verdict["accused"],
        "refused": refused,
        "told": told,
        "policies": verdict["policies"],
        "recurrence": verdict["recurrence"],
    });
    let wanted = json!({
        "response": expected.response,
        "rules": expected.rules,
        "source": expected.source,
        "accused": expected.accused,
        "refused": expected.refused,
        "told": expected.told,
        "policies": expected.policies,
        "recurrence": expected.recurrence,
    });
    let says = |field: &str, text: &str| verdict[field].as_str().unwrap_or_default().contains(text);
    let is_right = found == wanted
        && says("reason", &expected.reason)
        && expected.instruction.as_deref().is_none_or(|text| says("instruction", text));
    (!is_right)
        .then(|| format!("{}: {}\nwanted {wanted:#}\nfound {verdict:#}", case.name, expected.about))
}

#[test]
fn every_rule_has_a_case_and_every_case_rules_that_exist() {
    let rules: Value = serde_json::from_str(include_str!("../../rules.json")).unwrap();
    let (ignoring, acting): (Vec<_>, Vec<_>) =
        rules.as_array().unwrap().iter().partition(|rule| rule["response"] == "Ignore");
    let acting: BTreeSet<&str> =
        acting.into_iter().map(|rule| rule["name"].as_str().unwrap()).collect();
    let cases = Case::all();
    let used: BTreeSet<&str> =
        cases.iter().flat_map(|case| case.expected.rules.iter().map(String::as_str)).collect();
    assert_eq!(used, acting);
    // What is ignored on purpose says so by the rule's reason alone.
    let ignored: BTreeSet<String> = cases
        .iter()
        .map(Case::judged)
        .filter(|verdict| verdict.response == Action::Ignore)
        .map(|verdict| verdict.reason)
        .collect();
    for rule in ignoring {
        let reason = rule["reason"].as_str().unwrap();
        assert!(ignored.contains(reason), "no case is ignored by `{}`", rule["name"]);
    }
}

#[test]
fn a_verdict_is_the_same_a_second_time() {
    for case in Case::all() {
        assert_eq!(case.judged(), case.judged(), "{}", case.name);
    }
}
