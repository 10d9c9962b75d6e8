use std::collections::BTreeMap;

use incident::matches_pattern;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::case::{Case, judged};

/// What is excused of many cases at once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Excuse {
    /// The cases, by what they hold: `source`, `response`, a pattern of a `rule` or a `product`.
    of: BTreeMap<String, String>,
    /// Why a field does not move their verdicts.
    unmoved: BTreeMap<String, String>,
}

#[test]
fn each_qualifying_field_moves_the_verdict_or_the_case_says_why_not() {
    let excuses: Vec<Excuse> = serde_json::from_str(include_str!("unmoved.json")).unwrap();
    let wrong: Vec<String> = Case::all().iter().flat_map(|case| wrong(case, &excuses)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a case has to say of itself, and does not, or says and is not so.
fn wrong(case: &Case, excuses: &[Excuse]) -> Vec<String> {
    let own = &case.expected.unmoved;
    let of_many: Vec<&Excuse> = excuses.iter().filter(|one| is_of(case, one)).collect();
    let is_moot = |field: &str| {
        let all = of_many.iter().map(|one| &one.unmoved).chain([own]);
        all.into_iter().any(|said| said.contains_key(field) || said.contains_key("*"))
    };
    let say = |field: &str| format!("{}: \"unmoved\": {{ \"{field}\": \"why?\" }}", case.name);
    let decision_of_it = decision(case, &case.event);
    let (mut wrong, mut moved, mut fields) = (Vec::new(), Vec::new(), vec!["*"]);
    for (field, flipped) in flips(&case.event) {
        fields.push(field);
        if flipped.iter().any(|event| decision(case, event) != decision_of_it) {
            moved.push(field);
        } else if !is_moot(field) {
            wrong.push(say(field));
        }
    }
    if moved.is_empty() && !own.contains_key("*") {
        wrong.push(say("*"));
    }
    let stale = |field: &str| moved.contains(&field) || !fields.contains(&field);
    let stale = own.keys().filter(|field| stale(field));
    wrong.extend(
        stale.map(|field| format!("{}: `{field}` is no field of it, or moves it", case.name)),
    );
    wrong
}

fn is_of(case: &Case, excuse: &Excuse) -> bool {
    let expected = &case.expected;
    excuse.of.iter().all(|(field, value)| match field.as_str() {
        "source" => value == &expected.source,
        "response" => value == &expected.response,
        "rule" => expected.rules.iter().any(|rule| matches_pattern(value, rule)),
        "product" => {
            let product = case.event.pointer("/detail/findings/0/ProductArn");
            product.and_then(Value::as_str).is_some_and(|product| matches_pattern(value, product))
        }
        other => panic!("no excuse goes by `{other}`"),
    })
}

/// What is done, to whom, and whom people are told of.
fn decision(case: &Case, event: &Value) -> Value {
    let verdict = serde_json::to_value(judged(&case.execution, event, &case.policy)).unwrap();
    json!([verdict["response"], verdict["rules"], verdict["accused"], verdict["refused"]])
}

/// The event with one field of its finding in each other state that it may have.
fn flips(event: &Value) -> Vec<(&'static str, Vec<Value>)> {
    let Some(finding) = event.pointer("/detail/findings/0") else { return Vec::new() };
    let with = |finding: Value| {
        let mut event = event.clone();
        event["detail"]["findings"][0] = finding;
        event
    };
    let set = |pointers: &[&str], values: &[Value]| -> Vec<Value> {
        let set = |value: &Value| {
            let mut finding = finding.clone();
            for pointer in pointers {
                put(&mut finding, pointer, value);
            }
            with(finding)
        };
        values.iter().map(set).collect()
    };
    if finding.get("finding_info").is_some() {
        let nobody = || with(nobody_in_ocsf(finding));
        return in_ocsf(&set, nobody);
    }
    let account = finding["AwsAccountId"].as_str().unwrap_or_default();
    let products = ["product/aws/guardduty", "product/aws/securityhub", "product/example/other"];
    let mut products: Vec<Value> =
        products.iter().map(|it| json!(format!("arn:aws:securityhub:us-east-1::{it}"))).collect();
    products
        .push(json!(format!("arn:aws:securityhub:us-east-1:{account}:product/{account}/default")));
    let guardduty = "TTPs/UnauthorizedAccess:IAMUser-MaliciousIPCaller";
    vec![
        (
            "Workflow.Status",
            set(
                &["Workflow/Status"],
                &["NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"].map(Value::from),
            ),
        ),
        ("RecordState", set(&["RecordState"], &["ACTIVE", "ARCHIVED"].map(Value::from))),
        (
            "Compliance.Status",
            set(&["Compliance/Status"], &["FAILED", "PASSED", "WARNING"].map(Value::from)),
        ),
        ("Sample", set(&["Sample"], &[true, false].map(Value::from))),
        (
            "Severity",
            set(&["Severity"], &["INFORMATIONAL", "CRITICAL"].map(|it| json!({ "Label": it }))),
        ),
        (
            "AwsAccountId",
            set(&["AwsAccountId"], &["222222222222", "333333333333"].map(Value::from)),
        ),
        ("ProductArn", set(&["ProductArn"], &products)),
        ("Types", set(&["Types"], &[json!(["Effects"]), json!([guardduty])])),
        ("Resources.Id", vec![with(nobody(finding))]),
        ("Resources.ResourceRole", vec![with(target(finding))]),
    ]
}

/// The same of a finding in OCSF, under ASFF's names of the fields.
fn in_ocsf(
    set: &impl Fn(&[&str], &[Value]) -> Vec<Value>,
    nobody: impl Fn() -> Value,
) -> Vec<(&'static str, Vec<Value>)> {
    let products = ["guardduty", "securityhub", "other"];
    let products =
        products.map(|it| json!(format!("arn:aws:securityhub:us-east-1::productv2/aws/{it}")));
    let guardduty = json!(["UnauthorizedAccess:IAMUser/MaliciousIPCaller"]);
    vec![
        ("Workflow.Status", set(&["status_id"], &[1, 2, 3, 4].map(Value::from))),
        ("RecordState", set(&["status_id"], &[1, 5].map(Value::from))),
        ("Compliance.Status", set(&["compliance/status_id"], &[1, 2, 3].map(Value::from))),
        ("Sample", set(&["finding_info/title"], &[json!("[SAMPLE] A finding")])),
        ("Severity", set(&["severity_id"], &[1, 5].map(Value::from))),
        (
            "AwsAccountId",
            set(&["cloud/account/uid"], &["222222222222", "333333333333"].map(Value::from)),
        ),
        ("ProductArn", set(&["metadata/product/uid"], &products)),
        ("Types", set(&["finding_info/types"], &[json!(["Effects"]), guardduty])),
        ("Resources.Id", vec![nobody()]),
    ]
}

fn put(finding: &mut Value, pointer: &str, value: &Value) {
    let field = pointer.split('/').fold(finding, |value, field| {
        if !value[field].is_null() || value.is_object() {
            return &mut value[field];
        }
        *value = json!({});
        &mut value[field]
    });
    *field = value.clone();
}

/// The finding, about nobody whom IAM could know.
fn nobody(finding: &Value) -> Value {
    let mut finding = finding.clone();
    for resource in finding["Resources"].as_array_mut().into_iter().flatten() {
        resource["Id"] = json!("arn:aws:iam::222222222222:group/nobody");
        resource["Details"] = Value::Null;
    }
    finding
}

fn nobody_in_ocsf(finding: &Value) -> Value {
    let mut finding = finding.clone();
    for resource in finding["resources"].as_array_mut().into_iter().flatten() {
        let uid = json!("arn:aws:iam::222222222222:group/nobody");
        *resource = json!({ "type": resource["type"], "uid": uid });
    }
    finding
}

/// The finding, with all that it names as the target of somebody at an address.
fn target(finding: &Value) -> Value {
    let mut finding = finding.clone();
    let resources = finding["Resources"].as_array_mut();
    let Some(resources) = resources else { return finding };
    for resource in resources.iter_mut() {
        resource["ResourceRole"] = json!("Target");
    }
    // A finding names at most 32.
    resources.truncate(31);
    let actor = json!({ "Type": "Other", "Id": "203.0.113.7", "ResourceRole": "Actor" });
    resources.push(actor);
    finding
}
