use incident::{Session, Verdict};
use serde_json::{Value, json};

use crate::case::{Case, EXECUTION, judged};

fn case(name: &str) -> Case {
    Case::all().into_iter().find(|one| one.name == name).unwrap()
}

/// The finding of a case in brief, with one field of it as given.
fn brief(name: &str, field: &str, value: &Value) -> classify::Brief {
    let mut event = case(name).event;
    event["detail"]["findings"][0][field] = value.clone();
    judged(EXECUTION, &event, "{}").finding.unwrap()
}

#[test]
fn a_session_is_told_by_role_name_and_instance() {
    let sessions = |name: &str| case(name).judged().finding.unwrap().sessions;
    let session = |role: Option<&str>, name: Option<&str>, instance: Option<&str>| Session {
        resource: "AWS::IAM::AccessKey:ASIAIOSFODNN7EXAMPLE".to_owned(),
        key: Some("ASIAIOSFODNN7EXAMPLE".to_owned()),
        user: None,
        role: role.map(str::to_owned),
        name: name.map(str::to_owned),
        instance: instance.map(str::to_owned),
    };
    let instance = Some("i-0c10c2c7863d1a356");
    assert_eq!(
        sessions("guardduty-role-session"),
        [session(Some("orders-app"), instance, instance)]
    );
    let instance = Some("i-0abc123def4567890");
    let of_an_instance = |session: Session| {
        assert_eq!(session.role.as_deref(), Some("app-server-role"));
        assert_eq!((session.name.as_deref(), session.instance.as_deref()), (instance, instance));
    };
    for case in ["guardduty-instance-credentials", "action-on-a-session-by-arn"] {
        sessions(case).into_iter().for_each(of_an_instance);
        assert_eq!(sessions(case).len(), 1, "{case}");
    }
    assert_eq!(sessions("guardduty-federated-user"), [session(None, Some("contractor"), None)]);
    assert_eq!(sessions("guardduty-root"), [session(None, None, None)]);
    assert!(sessions("custom-administrator").is_empty());
    let of_a_user = &sessions("guardduty-unusual-medium")[0];
    assert_eq!(of_a_user.key.as_deref(), Some("AKIAIOSFODNN7EXAMPLE"));
    assert_eq!(of_a_user.user.as_deref(), Some("eve"));
}

#[test]
fn what_is_no_name_of_a_session_is_not_told() {
    for id in ["AROACKCEVSQ6C2EXAMPLE", "AROACKCEVSQ6C2EXAMPLE:", "A:a b", "A:x\ny", "A:é"] {
        let mut event = case("guardduty-role-session").event;
        let key = &mut event["detail"]["findings"][0]["Resources"][1];
        key["Details"]["AwsIamAccessKey"]["PrincipalId"] = json!(id);
        let finding = judged(EXECUTION, &event, "{}").finding.unwrap();
        assert_eq!(finding.sessions[0].name, None, "{id:?}");
    }
    let long = format!("A:{}", "n".repeat(65));
    let mut event = case("guardduty-role-session").event;
    let resources = event["detail"]["findings"][0]["Resources"].as_array_mut().unwrap();
    resources[1]["Details"]["AwsIamAccessKey"]["PrincipalId"] = json!(long);
    let many: Vec<Value> = (0..30).map(|_| resources[1].clone()).collect();
    resources.extend(many);
    let finding = judged(EXECUTION, &event, "{}").finding.unwrap();
    assert_eq!((finding.sessions.len(), &finding.sessions[0].name), (4, &None));
}

#[test]
fn only_guarddutys_own_link_is_told() {
    let url = "https://us-east-1.console.aws.amazon.com/guardduty/home?region=us-east-1#/findings";
    let of = |url: &str| brief("guardduty-user-key", "SourceUrl", &json!(url)).source_url;
    assert_eq!(of(url).as_deref(), Some(url));
    let long = format!("https://{}", "x".repeat(1_000));
    for other in
        ["", "https://", "http://example.com/", "javascript:x", "https://a b", "https://é/", &long]
    {
        assert_eq!(of(other), None, "{other}");
    }
    let custom = brief("custom-administrator", "SourceUrl", &json!(url));
    assert_eq!(custom.source_url, None, "anybody who imports findings could choose the link");
}

#[test]
fn what_is_left_to_people_is_an_outcome_with_its_refusals_name() {
    for (name, errors) in [
        ("guardduty-root", vec!["RootSession"]),
        ("guardduty-root-long-term-key", vec!["RootKey"]),
        ("control-root-access-key", vec!["RootUser"]),
        ("control-root-mfa", vec!["RootMfa"]),
        ("custom-root-access-key", vec!["RootUser"]),
        ("guardduty-federated-user", vec!["FederatedSession"]),
        ("action-on-a-federated-user", vec!["FederatedSession"]),
        ("guardduty-session-without-owner", vec!["UnknownKey"]),
        ("control-wide-policy", vec!["WidePolicy"]),
        ("analyzer-unused-password", vec!["UnusedPassword"]),
        ("guardduty-role-session", vec!["RolesNotContained"]),
        ("guardduty-role-unusual-not-contained", vec!["RolesNotContained"]),
        ("guardduty-role-unusual-medium", vec!["UnusualBehavior"]),
        ("guardduty-unusual-medium", vec!["UnusualBehavior"]),
        ("guardduty-policy", vec!["MayBeIntended"]),
        ("guardduty-custom-detection-rule", vec!["MayBeIntended"]),
        ("health-exposed-account", vec!["ExposedKey"]),
        ("custom-exposed-key", vec!["ExposedKey"]),
        ("service-accuses", vec!["NoRule"]),
        ("custom-type-to-escalate", vec!["LeftByPolicy"]),
        ("custom-type-to-contain-root", vec!["RootKey"]),
        ("account-exempt", vec!["AccountExempt"]),
        ("guardduty-role-of-another-account", vec!["Elsewhere"]),
        ("guardduty-role-session-without-name", vec!["Unnamed"]),
        ("guardduty-user-session-without-id", vec!["NoUniqueId"]),
        ("user-outside-the-grammar", vec!["Malformed"]),
        ("role-posing-as-a-user", vec!["Contradictory"]),
        ("custom-root-as-a-user", vec!["RootUser"]),
        ("action-on-contradictions", vec!["Contradictory"; 9]),
        ("action-on-others-accounts", vec!["Elsewhere"; 4]),
        ("action-on-unique-ids", vec!["Unnamed"; 2]),
        (
            "action-on-no-keys",
            vec!["UnknownKey", "NoUniqueId", "UnknownKey", "RootUser", "Malformed"],
        ),
        ("action-on-a-policy", vec!["NoPrincipal"]),
        ("action-on-a-database", vec!["NoPrincipal"]),
        ("action-on-an-actor-and-its-target", vec!["Target", "Actor"]),
        ("custom-target-of-an-address", vec!["Target"]),
    ] {
        let verdict = case(name).judged();
        let refused = &verdict.refused;
        assert!(refused.iter().all(|one| one.verdict == Verdict::Escalated), "{name}");
        let failures = refused.iter().flat_map(|one| &one.failures);
        let found: Vec<_> = failures.map(|failed| failed.error.as_str()).collect();
        assert_eq!(found, errors, "{name}: {refused:?}");
        assert!(refused.iter().all(|one| one.unused_days.is_none()), "{name}");
        let size = |one| serde_json::to_vec(one).unwrap().len();
        assert!(refused.iter().all(|one| size(one) <= 5 * 1_024), "{name}");
    }
}

/// Who has only unused keys to lose is accused of no attack, whoever deals with it.
#[test]
fn unused_keys_that_are_left_to_people_are_told_as_that() {
    let verdict = case("control-unused-exempt-account").judged();
    let [left] = verdict.refused.as_slice() else { panic!("{:?}", verdict.refused) };
    assert_eq!((left.failures[0].error.as_str(), left.unused_days), ("AccountExempt", Some(90)));
}
