use incident::Severity;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::{Case, EXECUTION, judged};

/// GuardDuty's list of finding types, by what they lead to where a user's long-term key is
/// their resource.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    /// The pages of AWS's that have it.
    sources: Vec<String>,
    families: Vec<Family>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Family {
    /// How GuardDuty knows.
    how: String,
    /// What the types are about.
    about: String,
    /// Whether a finding of the types has an IAM principal as resource.
    principal: Has,
    /// The verdict at MEDIUM.
    medium: String,
    /// The verdict at HIGH and CRITICAL.
    high: String,
    types: Vec<Type>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Has {
    Always,
    May,
    Never,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Type {
    /// As GuardDuty spells it.
    r#type: String,
    /// As Security Hub CSPM spells it in `Types`, where AWS says so.
    security_hub: Option<String>,
}

fn list() -> List {
    let list: List = serde_json::from_str(include_str!("../guardduty-finding-types.json")).unwrap();
    assert!(!list.sources.is_empty());
    assert!(list.families.iter().all(|family| !family.about.is_empty()));
    list
}

/// A finding of GuardDuty's on a user's key, of this type and severity.
fn event(case: &Case, kind: &str, severity: Severity) -> Value {
    let mut event = case.event.clone();
    let finding = &mut event["detail"]["findings"][0];
    finding["Types"] = json!([kind]);
    finding["Severity"] = json!({ "Label": severity.label() });
    event
}

#[test]
fn each_finding_type_of_guardduty_has_its_verdict() {
    let cases = Case::all();
    let named = |name: &str| cases.iter().find(|case| case.name == name).unwrap();
    let (key, instance) = (named("guardduty-user-key"), named("guardduty-instance-finding"));
    for family in list().families {
        let case = if family.principal == Has::Never { instance } else { key };
        for kind in &family.types {
            for spelling in [Some(&kind.r#type), kind.security_hub.as_ref()].into_iter().flatten() {
                for (severity, expected) in [
                    (Severity::Low, "Ignore"),
                    (Severity::Medium, family.medium.as_str()),
                    (Severity::High, family.high.as_str()),
                    (Severity::Critical, family.high.as_str()),
                ] {
                    let verdict = judged(EXECUTION, &event(case, spelling, severity), "{}");
                    let response = serde_json::to_value(verdict.response).unwrap();
                    assert_eq!(response, expected, "{}: {spelling} {severity:?}", family.how);
                }
            }
        }
    }
}

#[test]
fn what_security_hub_sends_in_ocsf_leads_to_the_same() {
    let cases = Case::all();
    let key = cases.iter().find(|case| case.name == "guardduty-user-key").unwrap();
    let native = event(key, "UnauthorizedAccess:IAMUser/TorIPCaller", Severity::Medium);
    let mut v2 = native.clone();
    let product = "arn:aws:securityhub:us-east-1::productv2/aws/guardduty";
    v2["detail"]["findings"][0]["ProductArn"] = json!(product);
    let [native, v2] = [native, v2].map(|event| judged(EXECUTION, &event, "{}"));
    assert_eq!(v2.accused, native.accused);
    assert_eq!((v2.rules, v2.source), (native.rules, native.source));
    assert_eq!(v2.finding.unwrap().source_url, native.finding.unwrap().source_url);
}

#[test]
fn a_finding_type_leads_to_the_same_however_it_is_spelt() {
    let cases = Case::all();
    let key = cases.iter().find(|case| case.name == "guardduty-user-key").unwrap();
    for kind in list().families.iter().flat_map(|family| &family.types) {
        let Some(spelt) = &kind.security_hub else { continue };
        let rules = |kind: &str| judged(EXECUTION, &event(key, kind, Severity::High), "{}").rules;
        assert_eq!(rules(&kind.r#type), rules(spelt), "{spelt}");
    }
}
