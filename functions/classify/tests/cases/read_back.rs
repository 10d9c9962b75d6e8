use classify::{Action, Input, Verdict};
use incident::{AccountId, Accused, Kind};
use serde_json::{Value, json};

use crate::case::{Case, EXECUTION, classify, input, read};

fn event_of(case: &str) -> Value {
    Case::all().into_iter().find(|one| one.name == case).unwrap().event
}

/// A redrive of an import, as the state machine passes it on once Security Hub was asked.
fn redriven(record: &Value, earlier: Vec<Accused>) -> Input {
    let mut event = event_of("guardduty-user-key");
    event["detail"]["findings"] = json!([record]);
    Input {
        redriven: true,
        chosen_as: "NEW".to_owned(),
        earlier,
        ..read(input(EXECUTION, &event, "{}"))
    }
}

fn record() -> Value {
    event_of("guardduty-user-key")["detail"]["findings"][0].clone()
}

fn user(resource: &str) -> Accused {
    Accused {
        resource: resource.to_owned(),
        account: AccountId::try_from("222222222222".to_owned()).unwrap(),
        kind: Kind::User,
        name: Some(resource.to_owned()),
        access_key: None,
        principal_id: None,
        unused_days: None,
        days_assumed: false,
        newly: false,
        told: false,
    }
}

fn names(verdict: &Verdict) -> Vec<&str> {
    verdict.accused.iter().map(|accused| accused.name.as_deref().unwrap()).collect()
}

#[test]
fn what_a_person_starts_is_judged_only_by_a_record() {
    for event in [event_of("action-on-a-new-finding"), event_of("guardduty-user-key")] {
        let asked = Input { redriven: true, ..read(input(EXECUTION, &event, "{}")) };
        assert_eq!(classify(asked).unwrap().response, Action::Contain);
        let unasked = Input { redriven: true, ..input(EXECUTION, &event, "{}") };
        assert_eq!(classify(unasked).unwrap_err().name(), "InvalidInput");
        let mut nothing = event.clone();
        nothing["detail"]["findings"] = json!([]);
        let nothing = read(input(EXECUTION, &nothing, "{}"));
        let failure = classify(nothing).unwrap_err();
        assert_eq!(failure.name(), "FindingNotFound");
        assert!(failure.chain().contains("started by hand?"), "{}", failure.chain());
    }
    let chosen = input(EXECUTION, &event_of("action-on-a-new-finding"), "{}");
    assert_eq!(classify(chosen).unwrap_err().name(), "InvalidInput");
}

#[test]
fn a_redrive_ends_where_the_finding_was_closed_meanwhile() {
    let ours = json!({ "CordonExecution": EXECUTION });
    for (fields, reason) in [
        (json!({ "Workflow": { "Status": "NEW" } }), None),
        (json!({ "Workflow": { "Status": "NOTIFIED" } }), None),
        (json!({ "Workflow": { "Status": "RESOLVED" }, "UserDefinedFields": ours }), None),
        (json!({ "Workflow": { "Status": "RESOLVED" } }), Some("RESOLVED meanwhile")),
        (
            json!({
                "Workflow": { "Status": "RESOLVED" },
                "UserDefinedFields": { "CordonExecution": format!("{EXECUTION}-2") },
            }),
            Some("RESOLVED meanwhile"),
        ),
        (
            json!({ "Workflow": { "Status": "SUPPRESSED" }, "UserDefinedFields": ours }),
            Some("SUPPRESSED meanwhile"),
        ),
        (json!({ "RecordState": "ARCHIVED" }), Some("`ARCHIVED`")),
        (json!({ "Compliance": { "Status": "PASSED" } }), Some("Compliance.Status is `PASSED`")),
    ] {
        let mut record = record();
        for (field, value) in fields.as_object().unwrap() {
            record[field] = value.clone();
        }
        let verdict = classify(redriven(&record, vec![user("mallory")])).unwrap();
        match reason {
            None => assert_eq!(verdict.response, Action::Contain, "{fields}"),
            Some(reason) => {
                assert_eq!(verdict.response, Action::Ignore, "{fields}");
                assert!(verdict.reason.contains(reason), "{}", verdict.reason);
                assert!(verdict.accused.is_empty(), "{fields}");
            }
        }
    }
}

#[test]
fn a_redrive_reads_in_the_comment_who_closed_a_finding_in_ocsf() {
    let ours = format!("user eve is contained. CordonExecution={EXECUTION}");
    for (status, comment, reason) in [
        (1, "", None),
        (2, "", None),
        (4, ours.as_str(), None),
        (4, "", Some("RESOLVED meanwhile")),
        (4, &format!("{ours}-2"), Some("RESOLVED meanwhile")),
        (3, &ours, Some("SUPPRESSED meanwhile")),
        (5, "", Some("status is `Archived`")),
    ] {
        let mut event = event_of("ocsf-guardduty-user-key");
        let finding = &mut event["detail"]["findings"][0];
        finding["status_id"] = json!(status);
        finding["comment"] = json!(comment);
        let input = Input { redriven: true, ..read(input(EXECUTION, &event, "{}")) };
        let verdict = classify(input).unwrap();
        let is = (verdict.response, verdict.reason.as_str());
        match reason {
            None => assert_eq!(is.0, Action::Contain, "{status} {comment}: {}", is.1),
            Some(reason) => {
                assert!(
                    is.0 == Action::Ignore && is.1.contains(reason),
                    "{status} {comment}: {is:?}"
                );
            }
        }
    }
}

#[test]
fn a_status_that_a_chosen_finding_had_already_is_no_objection() {
    for (chosen_as, is, response) in [
        ("RESOLVED", "RESOLVED", Action::Contain),
        ("SUPPRESSED", "SUPPRESSED", Action::Contain),
        ("NEW", "SUPPRESSED", Action::Ignore),
        ("NEW", "RESOLVED", Action::Ignore),
        ("NEW", "NOTIFIED", Action::Contain),
    ] {
        let mut event = event_of("action-on-a-new-finding");
        event["detail"]["findings"][0]["Workflow"]["Status"] = json!(is);
        let input = Input {
            redriven: true,
            chosen_as: chosen_as.to_owned(),
            ..read(input(EXECUTION, &event, "{}"))
        };
        assert_eq!(classify(input).unwrap().response, response, "{chosen_as}, then {is}");
    }
}

#[test]
fn whom_an_earlier_pass_accused_stays_in_the_work_whatever_the_finding_names_now() {
    let eve = classify(redriven(&record(), Vec::new())).unwrap().accused;
    let again = classify(redriven(&record(), eve.clone())).unwrap();
    assert_eq!(again.accused, eve);
    let more = classify(redriven(&record(), vec![user("mallory")])).unwrap();
    assert_eq!(names(&more), ["mallory", "eve"]);
    let mut others = record();
    others["Resources"] = json!([]);
    let nobody = classify(redriven(&others, vec![user("mallory")])).unwrap();
    assert_eq!(nobody.response, Action::Contain);
    assert_eq!(names(&nobody), ["mallory"]);
}

#[test]
fn whom_an_earlier_pass_accused_is_left_to_people_where_todays_policy_says_so() {
    let role = Accused { kind: Kind::Role, ..user("app") };
    let unused = Accused { unused_days: Some(90), ..user("mallory") };
    for (accused, policy) in [
        (user("mallory"), json!({ "exemptAccounts": ["222222222222"] })),
        (user("mallory"), json!({ "lowestSeverity": { "containUser": "CRITICAL" } })),
        (role, json!({})),
        (unused, json!({ "retireUnusedCredentials": false })),
    ] {
        let mut record = record();
        record["Severity"] = json!({ "Label": "HIGH" });
        let resource = accused.resource.clone();
        let input = Input { policy: policy.to_string(), ..redriven(&record, vec![accused]) };
        let verdict = classify(input).unwrap();
        assert!(!names(&verdict).contains(&resource.as_str()), "{policy}");
        let left: Vec<_> = verdict.refused.iter().map(|one| one.resource.as_str()).collect();
        assert!(left.contains(&resource.as_str()), "{policy}: {left:?}");
    }
}

#[test]
fn an_exemption_that_has_ended_leaves_nobody_to_people() {
    let until = json!({ "exemptAccounts": [{
        "account": "222222222222", "until": "2026-12-31T00:00:00Z", "reason": "a release",
    }] });
    for (now, exempt) in [
        (Some("2026-12-30T23:59:59.999Z"), true),
        (Some("2026-12-31T00:00:00.000Z"), false),
        (None, true),
    ] {
        let input = Input {
            policy: until.to_string(),
            now: now.map(str::to_owned),
            ..redriven(&record(), vec![])
        };
        let verdict = classify(input).unwrap();
        assert_eq!(names(&verdict).is_empty(), exempt, "{now:?}");
        assert_eq!(verdict.policy.exempt_accounts.is_empty(), !exempt, "{now:?}");
    }
    let input = Input { now: Some("today".to_owned()), ..redriven(&record(), vec![]) };
    assert_eq!(classify(input).unwrap_err().name(), "InvalidInput");
}

#[test]
fn there_are_never_more_principals_than_a_finding_names() {
    let earlier: Vec<_> = (0..32).map(|n| user(&format!("earlier-{n}"))).collect();
    let all = classify(redriven(&record(), earlier.clone())).unwrap();
    assert_eq!(all.accused, earlier);
    assert_eq!(all.refused.len(), 1, "{:?}", all.refused);
    let some = classify(redriven(&record(), earlier.into_iter().take(31).collect())).unwrap();
    assert_eq!(names(&some).len(), 32);
    assert!(some.refused.is_empty());
}

#[test]
fn root_and_what_is_critical_is_urgent() {
    for (case, urgent) in [
        ("guardduty-root", true),
        ("control-root-mfa", true),
        ("custom-administrator", true),
        ("guardduty-federated-user", false),
        ("control-wide-policy", false),
        ("health-exposed-account", true),
        ("guardduty-unusual-medium", false),
    ] {
        let verdict = classify(input(EXECUTION, &event_of(case), "{}")).unwrap();
        assert_eq!(verdict.urgent, urgent, "{case}");
    }
}

#[test]
fn each_account_and_class_of_source_is_counted_apart() {
    for (case, window) in [
        ("guardduty-user-key", "222222222222#service"),
        ("custom-administrator", "222222222222#custom"),
        ("control-wide-policy", "222222222222#service"),
    ] {
        let limits = classify(input(EXECUTION, &event_of(case), "{}")).unwrap().limits;
        assert_eq!(limits.contain.window, window, "{case}");
        assert_eq!(limits.escalate.window, format!("{window}#escalations"));
        assert_eq!(limits.retire.window, "222222222222#retirement");
        assert_eq!([limits.contain.most, limits.retire.most, limits.escalate.most], [20; 3]);
    }
    let chosen = event_of("action-on-a-new-finding");
    let chosen = read(input(EXECUTION, &chosen, "{}"));
    let limits = classify(chosen).unwrap().limits;
    assert_eq!((limits.contain.window.as_str(), limits.contain.most), ("222222222222#person", 50));
}
