use std::collections::BTreeMap;

use crate::case::{Case, mail, rest};
use crate::limits;

/// With `BLESS=1` in the environment, what the cases expect becomes what there is.
#[test]
fn every_case_has_its_report() {
    let bless = std::env::var_os("BLESS").is_some();
    for case in Case::all() {
        let report = case.report();
        limits::hold(&report);
        let (mail, rest) = (mail(&report), rest(&report));
        if bless {
            case.keep(&mail, &rest);
        }
        let (expected, others) = case.expected();
        assert_eq!(mail, expected, "{}: {}", case.name, case.about);
        assert_eq!(rest, others, "{}: {}", case.name, case.about);
    }
}

#[test]
fn a_report_is_the_same_a_second_time() {
    for case in Case::all() {
        assert_eq!(case.report(), case.report(), "{}", case.name);
    }
}

#[test]
fn the_readme_names_every_case_and_every_verdict() {
    let readme = include_str!("../../README.md");
    for case in Case::all() {
        let row = readme.lines().find(|line| line.contains(&format!("`{}`", case.name)));
        let row = row.unwrap_or_else(|| panic!("no row names `{}`", case.name));
        let verdict = format!("`{}`", case.report().verdict);
        assert!(row.contains(&verdict), "{}: its row does not say {verdict}", case.name);
    }
}

#[test]
fn two_incidents_do_not_share_a_subject() {
    let mut subjects = BTreeMap::new();
    for case in Case::all() {
        for name in ["3f9a2c41-d07e-4c0f-9c1a-000000000001", "drill-1", "drill-2"] {
            let mut input = case.input.clone();
            let machine = "arn:aws:states:us-east-1:111111111111:execution:cordon";
            input["execution"] = format!("{machine}:{name}").into();
            let subject = crate::case::report(&input).subject;
            let incident = (case.input["kind"].clone(), case.report().verdict, name);
            // What they share, is the same incident told of the same principals.
            let earlier = subjects.insert(subject.clone(), incident.clone());
            assert!(
                earlier.as_ref().is_none_or(|earlier| *earlier == incident),
                "{subject}: {earlier:?} and {incident:?}"
            );
        }
    }
}
