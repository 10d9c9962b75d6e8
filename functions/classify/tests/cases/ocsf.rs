use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::case::{EXECUTION, judged};
use crate::limits;

const ACCOUNT: &str = "222222222222";
const ANOTHER: &str = "333333333333";

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nobody_is_accused_beyond_a_finding_in_ocsf(finding in findings(), roles: bool) {
        let event = event(&finding);
        let policy = json!({ "containRoles": roles, "trustedProducts": ["*"] }).to_string();
        limits::hold(EXECUTION, &event, &judged(EXECUTION, &event, &policy));
    }
}

#[test]
fn the_largest_finding_in_ocsf_has_a_small_verdict() {
    for filling in ["x", "/", "é", "😀", "\"", "\u{7}", " "] {
        let long = filling.repeat(7_000 / filling.len());
        let resources: Vec<Value> = (0..40)
            .map(|n| {
                let path = "p".repeat(510);
                let arn = format!("arn:aws:iam::{ACCOUNT}:user/{path}/{n:0>128}");
                json!({ "type": "AWS::IAM::User", "uid": if n % 2 == 0 { &arn } else { &long } })
            })
            .collect();
        let mut finding = finding("guardduty", &resources);
        for field in ["/finding_info/title", "/metadata/uid", "/comment", "/status"] {
            if let Some(field) = finding.pointer_mut(field) {
                *field = json!(long);
            }
        }
        let event = event(&finding);
        limits::hold(EXECUTION, &event, &judged(EXECUTION, &event, "{}"));
    }
}

#[test]
fn the_two_accounts_of_a_finding_have_to_agree() {
    let user = format!("arn:aws:iam::{ACCOUNT}:user/eve");
    for (kind, uid) in [
        ("AWS::IAM::User", user.as_str()),
        ("AWS::IAM::AccessKey", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS::IAM::AccessKey", user.as_str()),
    ] {
        let owned = |owner: &str| {
            let owner = json!({ "account": { "uid": owner } });
            let one = json!({ "type": kind, "uid": uid, "owner": owner });
            let event = event(&finding("guardduty", &[one]));
            judged(EXECUTION, &event, "{}").accused
        };
        assert!(owned(ANOTHER).is_empty(), "{kind} {uid}");
        if !uid.starts_with("arn:") || kind.ends_with("User") {
            assert_eq!(owned(ACCOUNT).len(), 1, "{kind} {uid}");
        }
    }
}

fn event(finding: &Value) -> Value {
    json!({
        "source": "aws.securityhub",
        "detail-type": "Findings Imported V2",
        "time": "2026-03-02T09:14:27Z",
        "detail": { "findings": [finding] },
    })
}

fn finding(product: &str, resources: &[Value]) -> Value {
    let product = format!("arn:aws:securityhub:us-east-1::productv2/aws/{product}");
    json!({
        "activity_id": 1,
        "class_uid": 2004,
        "cloud": { "account": { "uid": ACCOUNT } },
        "comment": "",
        "finding_info": {
            "uid": "1",
            "title": "IAM user has AdministratorAccess",
            "types": ["UnauthorizedAccess:IAMUser/MaliciousIPCaller"],
        },
        "metadata": { "uid": "u", "product": { "uid": product } },
        "resources": resources,
        "severity_id": 5,
        "status": "New",
        "status_id": 1,
    })
}

/// Findings that are mostly what Security Hub would send, so that many of them lead to a
/// containment, with anything in between.
fn findings() -> impl Strategy<Value = Value> {
    let product = select(vec!["guardduty", "guardduty", "securityhub", "securityhub-risk", ""]);
    let account = prop_oneof![8 => Just(json!(ACCOUNT)), 1 => anything()];
    let status =
        prop_oneof![8 => Just(json!(1)), 1 => (0..7).prop_map(Value::from), 1 => anything()];
    let resources = prop::collection::vec(resources(), 0..40);
    (product, account, status, resources, anything(), 0_usize..9).prop_map(
        |(product, account, status, resources, odd, at)| {
            let mut finding = finding(product, &resources);
            finding["cloud"]["account"]["uid"] = account;
            finding["status_id"] = status;
            let fields = ["severity_id", "class_uid", "finding_info", "compliance", "metadata"];
            if let Some(field) = fields.get(at) {
                finding[*field] = odd;
            }
            finding
        },
    )
}

fn resources() -> impl Strategy<Value = Value> {
    let partition = prop_oneof![7 => Just("aws"), 1 => Just("aws-cn")];
    let account = prop_oneof![7 => Just(ACCOUNT), 1 => Just(ANOTHER)];
    let noun = select(vec!["user", "role", "policy"]);
    let arn = (partition, account, noun, "(/[!-~]{0,8}){0,2}", "[a-zA-Z0-9+=,.@_-]{1,5}").prop_map(
        |(partition, account, noun, path, name)| {
            json!(format!("arn:{partition}:iam::{account}:{noun}{path}/{name}"))
        },
    );
    let bare =
        select(vec!["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "AIDACKCEVSQ6C2EXAMPLE"]);
    let uid =
        || prop_oneof![4 => arn.clone(), 3 => bare.clone().prop_map(Value::from), 1 => anything()];
    let kind = select(vec![
        json!("AWS::IAM::User"),
        json!("AWS::IAM::Role"),
        json!("AWS::IAM::AccessKey"),
        json!("AWS::::Account"),
        json!("AwsIamUser"),
        json!(null),
    ]);
    let owner = prop_oneof![6 => Just(json!(ACCOUNT)), 1 => Just(json!(ANOTHER)), 1 => anything()];
    let user = select(vec!["IAMUser", "AssumedRole", "Root", ""]);
    let name = prop_oneof![4 => "[a-zA-Z0-9+=,.@_-]{1,5}", 1 => any::<String>()];
    (kind, uid(), uid(), owner, user, name).prop_map(|(kind, uid, alt, owner, user, name)| {
        json!({
            "type": kind,
            "uid": uid,
            "uid_alt": alt,
            "owner": { "account": { "uid": owner } },
            "data": { "user_name": name, "user_type": user, "principal_id": "AIDACKCEVSQ6C2EXAMPLE" },
        })
    })
}

fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!([])),
        Just(json!({})),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        any::<String>().prop_map(|text| json!({ "uid": text, "status": [text] })),
    ]
}
