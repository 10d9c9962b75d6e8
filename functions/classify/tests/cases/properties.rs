use std::sync::LazyLock;

use incident::Mode;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::case::{Case, EXECUTION, judged};
use crate::limits;

const ACCOUNT: &str = "222222222222";
static CASES: LazyLock<Vec<Case>> = LazyLock::new(Case::all);

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn any_json_is_judged(event in any_json()) {
        let verdict = judged(EXECUTION, &event, "{}");
        limits::hold(EXECUTION, &event, &verdict);
    }

    #[test]
    fn any_json_in_place_of_a_finding_is_judged(finding in any_json(), chosen: bool) {
        let event = event(chosen, &finding);
        limits::hold(EXECUTION, &event, &judged(EXECUTION, &event, "{}"));
    }

    #[test]
    fn nobody_is_accused_beyond_the_finding_and_the_policy(
        finding in findings(),
        chosen: bool,
        policy in policies(),
    ) {
        let event = event(chosen, &finding);
        let verdict = judged(EXECUTION, &event, &policy.to_string());
        limits::hold(EXECUTION, &event, &verdict);
        if verdict.policy.mode == Mode::Off {
            prop_assert!(verdict.accused.is_empty());
        }
    }

    #[test]
    fn any_field_of_any_case_may_hold_anything(
        at in any::<prop::sample::Index>(),
        field in any::<prop::sample::Index>(),
        value in any_json(),
    ) {
        let case = at.get(&CASES);
        let mut event = case.event.clone();
        if let Some(finding) = event.pointer_mut("/detail/findings/0").and_then(Value::as_object_mut) {
            let names: Vec<String> = finding.keys().cloned().collect();
            finding.insert(field.get(&names).clone(), value);
        }
        let verdict = judged(&case.execution, &event, &case.policy);
        limits::hold(&case.execution, &event, &verdict);
    }
}

proptest! {
    #![proptest_config(config(16))]

    #[test]
    fn the_largest_finding_has_a_small_verdict(
        chosen: bool,
        kind in kinds(),
        filling in select(vec!["x", "/", "é", "😀", "\"", "\u{7}", " "]),
        titled in titles(),
        own: bool,
    ) {
        // Security Hub takes findings of up to 240 KB.
        let filling = filling.repeat(7_000 / filling.len());
        let resources: Vec<Value> = (0..32)
            .map(|n| {
                let path = "p".repeat(510);
                let noun = if kind == "AwsIamPolicy" { "policy" } else { "user" };
                let id = format!("arn:aws:iam::{ACCOUNT}:{noun}/{path}/{n:0>128}");
                resource(kind, if own { &id } else { &filling }, &json!({}))
            })
            .collect();
        let product = if kind == "AwsIamPolicy" {
            "arn:aws:securityhub:us-east-1::product/aws/securityhub".to_owned()
        } else {
            format!("arn:aws:securityhub:us-east-1:{ACCOUNT}:product/{ACCOUNT}/default")
        };
        let mut finding = finding(&product, &titled, &resources);
        finding["Id"] = json!("😀".repeat(512));
        finding["Compliance"] = json!({ "Status": "FAILED", "SecurityControlId": "IAM.1" });
        let event = event(chosen, &finding);
        limits::hold(EXECUTION, &event, &judged(EXECUTION, &event, "{}"));
    }
}

fn event(chosen: bool, finding: &Value) -> Value {
    let kind = if chosen { "Custom Action" } else { "Imported" };
    json!({
        "source": "aws.securityhub",
        "detail-type": format!("Security Hub Findings - {kind}"),
        "time": "2026-03-02T09:14:27Z",
        "detail": { "findings": [finding] },
    })
}

fn finding(product: &str, title: &str, resources: &[Value]) -> Value {
    json!({
        "Id": "1",
        "ProductArn": product,
        "AwsAccountId": ACCOUNT,
        "Title": title,
        "Types": ["TTPs/UnauthorizedAccess:IAMUser-MaliciousIPCaller"],
        "Severity": { "Label": "CRITICAL" },
        "Workflow": { "Status": "NEW" },
        "RecordState": "ACTIVE",
        "Resources": resources,
    })
}

fn resource(kind: &str, id: &str, details: &Value) -> Value {
    json!({ "Type": kind, "Id": id, "Details": { "AwsIamAccessKey": details } })
}

/// Findings that are mostly what Security Hub would send, so that many of them lead to
/// a containment, with anything in between.
fn findings() -> impl Strategy<Value = Value> {
    let product = prop_oneof![
        9 => select(vec![
            "arn:aws:securityhub:us-east-1::product/aws/guardduty".to_owned(),
            "arn:aws:securityhub:us-east-1::product/aws/securityhub".to_owned(),
            "arn:aws:securityhub:us-east-1::product/aws/access-analyzer".to_owned(),
            format!("arn:aws:securityhub:us-east-1:{ACCOUNT}:product/{ACCOUNT}/default"),
        ]),
        1 => any::<String>(),
    ];
    let resources = prop::collection::vec(resources(), 0..34);
    let account =
        prop_oneof![8 => Just(ACCOUNT.to_owned()), 1 => any::<String>(), 1 => "[0-9]{11,13}"];
    (product, titles(), resources, account, any::<String>()).prop_map(
        |(product, title, resources, account, id)| {
            let mut finding = finding(&product, &title, &resources);
            finding["AwsAccountId"] = json!(account);
            finding["Id"] = json!(id);
            finding["Compliance"] = json!({ "Status": "FAILED", "SecurityControlId": "IAM.8" });
            finding
        },
    )
}

fn titles() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just("IAM user has AdministratorAccess".to_owned()),
        1 => Just("unused user".to_owned()),
        2 => any::<String>().prop_map(|text| format!("IAM admin {text}")),
        1 => any::<String>(),
    ]
}

fn kinds() -> impl Strategy<Value = &'static str> {
    select(vec![
        "AwsIamUser",
        "AwsIamRole",
        "AwsIamAccessKey",
        "AwsIamPolicy",
        "AwsAccount",
        "AWS::IAM::User",
        "AWS::IAM::AccessKey",
        "Other",
        "",
        "AwsS3Bucket",
    ])
}

fn resources() -> impl Strategy<Value = Value> {
    let partition = prop_oneof![7 => Just("aws"), 1 => Just("aws-cn")];
    let account = prop_oneof![7 => Just(ACCOUNT), 1 => Just("333333333333")];
    let noun = select(vec![
        "user",
        "role",
        "policy",
        "group",
        "assumed-role",
        "access-key",
        "federated-user",
    ]);
    let arn = (partition, account, noun, "(/[!-~]{0,8}){0,2}", names()).prop_map(
        |(partition, account, noun, path, name)| {
            let of_sts = ["assumed-role", "federated-user"].contains(&noun);
            let service = if of_sts { "sts" } else { "iam" };
            format!("arn:{partition}:{service}::{account}:{noun}{path}/{name}")
        },
    );
    let key =
        select(vec!["AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "AKIA"]).prop_flat_map(|key| {
            let user = format!("arn:aws:iam::{ACCOUNT}:user/eve/access-key/{key}");
            select(vec![format!("AWS::IAM::AccessKey:{key}"), key.to_owned(), user])
        });
    let unique =
        select(vec!["", "", "AIDACKCEVSQ6C2EXAMPLE", "AROACKCEVSQ6C2EXAMPLE:session", "AIDA"]);
    let id = prop_oneof![
        4 => arn,
        2 => key,
        1 => unique.clone().prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let principal = select(vec!["IAMUser", "AssumedRole", "Root", "FederatedUser", ""]);
    let part = select(vec!["", "", "Actor", "Target"]);
    let issuer =
        prop_oneof![4 => Just(json!({})), 1 => Just(json!({ "AccountId": "333333333333" }))];
    (kinds(), id, principal, names(), names(), issuer, unique, part).prop_map(
        |(kind, id, principal, name, issued, mut issuer, unique, part)| {
            issuer["UserName"] = json!(issued);
            let details = json!({
                "PrincipalType": principal,
                "PrincipalName": name,
                "PrincipalId": unique,
                "SessionContext": { "SessionIssuer": issuer },
            });
            let mut resource = resource(kind, &id, &details);
            resource["ResourceRole"] = json!(part);
            resource
        },
    )
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-zA-Z0-9+=,.@_-]{1,5}", 1 => "[!-~]{0,4}", 1 => any::<String>()]
}

fn policies() -> impl Strategy<Value = Value> {
    let mode = prop_oneof![6 => Just("contain"), 2 => Just("observe"), 1 => Just("off")];
    let accounts = || prop::collection::vec(select(vec![ACCOUNT, "333333333333"]), 1..3);
    let exempt = prop::option::weighted(0.2, accounts());
    let scope = prop::option::weighted(0.3, accounts());
    let trusted = prop::option::of(select(vec!["*", "arn:aws:securityhub:*"]));
    (mode, exempt, scope, trusted, any::<bool>(), any::<bool>()).prop_map(
        |(mode, exempt, scope, trusted, roles, retire)| {
            json!({
                "mode": mode,
                "exemptAccounts": exempt.unwrap_or_default(),
                "accountsInScope": scope,
                "trustedProducts": trusted.map(|pattern| vec![pattern]),
                "containRoles": roles,
                "retireUnusedCredentials": retire,
            })
        },
    )
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let name = prop_oneof![
            select(vec!["detail", "findings", "source", "detail-type", "Id", "Resources", "Type"])
                .prop_map(str::to_owned),
            any::<String>(),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}
