//! Findings of Security Hub without CSPM, which are in OCSF, put as ASFF would have them, so
//! that there is one reader and one table of rules. As hostile as any other finding: what is
//! put wrongly here still meets every check of ASFF's.
//!
//! Sources: Security Hub User Guide, "OCSF findings in Security Hub" and "EventBridge event
//! formats for Security Hub"; OCSF schema, "Detection Finding" (2004), "Compliance Finding"
//! (2003).

use incident::is_in_ocsf;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::finding::MOST_RESOURCES;
use crate::subject::Subject;

/// The type of the events that carry such findings.
pub(crate) const DETAIL_TYPE: &str = "Findings Imported V2";

/// What `severity_id` stands for. Fatal has no counterpart: it is as bad as it gets.
const SEVERITIES: [(u64, &str, &str); 6] = [
    (1, "Informational", "INFORMATIONAL"),
    (2, "Low", "LOW"),
    (3, "Medium", "MEDIUM"),
    (4, "High", "HIGH"),
    (5, "Critical", "CRITICAL"),
    (6, "Fatal", "CRITICAL"),
];

/// What `status_id` stands for. Unknown is what a finding is of which nobody has said more.
const STATUSES: [(u64, &str, &str); 6] = [
    (0, "Unknown", "NEW"),
    (1, "New", "NEW"),
    (2, "In Progress", "NOTIFIED"),
    (3, "Suppressed", "SUPPRESSED"),
    (4, "Resolved", "RESOLVED"),
    (5, "Archived", "ARCHIVED"),
];

/// What `compliance.status_id` stands for.
const COMPLIANCES: [(u64, &str, &str); 3] =
    [(1, "Pass", "PASSED"), (2, "Warning", "WARNING"), (3, "Fail", "FAILED")];

/// CloudFormation's names of what can be accused, and ASFF's.
const TYPES: [(&str, &str); 7] = [
    ("AWS::IAM::User", "AwsIamUser"),
    ("AWS::IAM::Role", "AwsIamRole"),
    ("AWS::IAM::AccessKey", "AwsIamAccessKey"),
    ("AWS::IAM::Policy", "AwsIamPolicy"),
    ("AWS::IAM::ManagedPolicy", "AwsIamPolicy"),
    ("AWS::::Account", "AwsAccount"),
    ("AWS::EC2::Instance", "AwsEc2Instance"),
];

/// The products of Security Hub itself that accuse nobody: whether services are on, and what
/// an attacker might reach.
///
/// Source: Security Hub User Guide, "Coverage findings" and "Sample exposure finding"
/// (`metadata.product.uid`).
const ACCUSING_NOBODY: [(&str, &str); 2] = [
    ("::productv2/aws/securityhub-coverage", "coverage"),
    ("::productv2/aws/securityhub-risk", "exposure"),
];

/// What Security Hub without CSPM calls a workflow status or a record state of ASFF's.
pub(crate) fn status(asff: &str) -> &str {
    caption(&STATUSES[1..], asff)
}

/// What OCSF calls a compliance status of ASFF's.
pub(crate) fn compliance(asff: &str) -> &str {
    caption(&COMPLIANCES, asff)
}

fn caption<'a>(table: &[(u64, &'static str, &'static str)], asff: &'a str) -> &'a str {
    table.iter().find(|(_, _, it)| *it == asff).map_or(asff, |(_, caption, _)| caption)
}

/// Puts an event's one finding as ASFF would have it, where it is in OCSF, and returns its
/// `metadata.uid`, by which Security Hub finds it. Other events stay as they are. The finding
/// may be none to judge; then the answer says why.
pub(crate) fn translate(event: &mut Value) -> Result<Option<String>, String> {
    if event.get("detail-type").and_then(Value::as_str) != Some(DETAIL_TYPE) {
        return Ok(None);
    }
    let findings = event.pointer_mut("/detail/findings").and_then(Value::as_array_mut);
    let Some([finding]) = findings.map(Vec::as_mut_slice) else { return Ok(None) };
    let uid = text(finding, "/metadata/uid").map(str::to_owned);
    *finding = asff(finding)?;
    Ok(uid)
}

fn asff(finding: &Value) -> Result<Value, String> {
    let required = |field: &str| {
        let found = text(finding, &format!("/{}", field.replace('.', "/")));
        found.ok_or_else(|| format!("the finding has no `{field}`"))
    };
    let id = required("finding_info.uid")?;
    let product = required("metadata.product.uid")?;
    let account = required("cloud.account.uid")?;
    if !is_in_ocsf(product) {
        return Err("the finding's `metadata.product.uid` is no product of Security Hub".to_owned());
    }
    for (accuses_nobody, what) in ACCUSING_NOBODY {
        if product.ends_with(accuses_nobody) {
            return Err(format!("it is Security Hub's {what} finding, which accuses nobody"));
        }
    }
    if let Some(class) = finding.get("class_uid").filter(|class| !is_class(class)) {
        let class =
            class.as_u64().map_or_else(|| "something".to_owned(), |class| class.to_string());
        return Err(format!("the finding's `class_uid` is `{class}`, which no rule is for"));
    }
    let types = list(finding, "/finding_info/types");
    let named = [text(finding, "/finding_info/title"), types.first().and_then(|it| it.as_str())];
    let title = named.into_iter().flatten().find(|title| !title.is_empty()).unwrap_or(id);
    let (workflow, record) = state(finding);
    let mut asff = json!({
        "Id": id,
        "ProductArn": product,
        "AwsAccountId": account,
        "Title": title,
        "Types": types,
        "Severity": { "Label": meaning(finding, "/severity", &SEVERITIES) },
        "Workflow": { "Status": workflow },
        "RecordState": record,
        "Resources": resources(finding, account),
        "Sample": is_sample(finding, title),
        "UserDefinedFields": mark(text(finding, "/comment").unwrap_or_default()),
    });
    let mut set = |field: &str, value: Value| {
        if let Some(asff) = asff.as_object_mut() {
            asff.insert(field.to_owned(), value);
        }
    };
    let checked = finding.get("compliance").and_then(Value::as_object);
    if checked.is_some_and(|checked| !checked.is_empty())
        || finding.get("class_uid") == Some(&json!(2003))
    {
        let status = meaning(finding, "/compliance/status", &COMPLIANCES);
        let control = text(finding, "/compliance/control");
        let status = status.unwrap_or("NOT_AVAILABLE");
        set("Compliance", json!({ "Status": status, "SecurityControlId": control }));
    }
    if let Some(url) = text(finding, "/finding_info/src_url") {
        set("SourceUrl", json!(url));
    }
    let rule = ["uid", "name"].map(|field| format!("/finding_info/analytic/{field}"));
    if let Some(generator) = rule.iter().find_map(|pointer| text(finding, pointer)) {
        set("GeneratorId", json!(generator));
    }
    if let Some(seen) = last_seen(finding).filter(|_| product.ends_with("/aws/guardduty")) {
        set("ProductFields", json!({ "aws/guardduty/service/eventLastSeen": seen }));
    }
    Ok(asff)
}

/// Vulnerability, compliance, detection and data security findings: all that Security Hub
/// sends.
fn is_class(class: &Value) -> bool {
    class.as_u64().is_some_and(|class| [2002, 2003, 2004, 2006].contains(&class))
}

/// The workflow status and the record state. A finding is closed by its provider, or archived;
/// one that is resolved is closed by that alone.
fn state(finding: &Value) -> (&str, &'static str) {
    let said = meaning(finding, "/status", &STATUSES);
    let closed = finding.get("activity_id").and_then(Value::as_u64) == Some(3);
    match said {
        Some("ARCHIVED") => ("NEW", "ARCHIVED"),
        Some("RESOLVED") => ("RESOLVED", "ACTIVE"),
        _ => {
            let unsaid = if finding.get("status_id").is_none() { "NEW" } else { "" };
            let caption = text(finding, "/status").unwrap_or(unsaid);
            (said.unwrap_or(caption), if closed { "ARCHIVED" } else { "ACTIVE" })
        }
    }
}

/// What the id beside a caption stands for; where it says nothing, what the caption does.
fn meaning(
    finding: &Value,
    caption: &str,
    table: &[(u64, &'static str, &'static str)],
) -> Option<&'static str> {
    let id = finding.pointer(&format!("{caption}_id")).and_then(Value::as_u64);
    let by_id = table.iter().find(|(it, _, _)| Some(*it) == id);
    let said = text(finding, caption).filter(|_| by_id.is_none() && id.is_none());
    let by_caption =
        || table.iter().find(|(_, it, _)| said.is_some_and(|said| said.eq_ignore_ascii_case(it)));
    by_id.or_else(by_caption).map(|(_, _, asff)| *asff)
}

/// GuardDuty's samples are about a key of no account, and their titles say so. Neither can an
/// attacker choose: the ids of keys are AWS's, and no name in AWS begins with a bracket.
///
/// Source: GuardDuty User Guide, "Sample findings".
fn is_sample(finding: &Value, title: &str) -> bool {
    let resources = list(finding, "/resources");
    let keys = resources.iter().filter(|one| {
        let kind = text(one, "/type").unwrap_or_default();
        TYPES.iter().any(|(ocsf, asff)| *ocsf == kind && *asff == "AwsIamAccessKey")
    });
    let mut keys = keys.filter_map(|one| text(one, "/uid"));
    title.starts_with("[SAMPLE]") || keys.any(|key| key == "GeneratedFindingAccessKeyId")
}

/// What the comment says in the form in which Cordon writes it there: `CordonExecution=…` and
/// the like, which CSPM has user-defined fields for.
fn mark(comment: &str) -> Value {
    let fields = comment.split(' ').filter_map(|word| word.split_once('='));
    let fields = fields.filter(|(field, _)| field.starts_with("Cordon"));
    fields.map(|(field, value)| (field.to_owned(), json!(value))).collect::<Map<_, _>>().into()
}

/// When the activity was last seen (RFC 3339).
fn last_seen(finding: &Value) -> Option<String> {
    if let Some(seen) = text(finding, "/finding_info/last_seen_time_dt") {
        return Some(seen.to_owned());
    }
    let milliseconds = finding.pointer("/finding_info/last_seen_time")?.as_i64()?;
    let seen = OffsetDateTime::from_unix_timestamp(milliseconds.div_euclid(1000)).ok()?;
    let (date, time) = (seen.date(), seen.time());
    Some(format!("{date}T{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second()))
}

/// All of them; of more than a finding has in ASFF, all that it can accuse, and of the others
/// as many as there is room for.
fn resources(finding: &Value, account: &str) -> Vec<Value> {
    let all = list(finding, "/resources").iter().map(|one| resource(one, account));
    let (accused, others): (Vec<_>, Vec<_>) =
        all.partition(|one| Subject::of(one).kind.is_somebody());
    let room = MOST_RESOURCES.saturating_sub(accused.len());
    accused.into_iter().chain(others.into_iter().take(room)).collect()
}

fn resource(one: &Value, account: &str) -> Value {
    let uids = ["/uid", "/uid_alt"].map(|pointer| text(one, pointer));
    let arn = uids.iter().flatten().find(|uid| uid.starts_with("arn:")).copied();
    let bare = uids.iter().flatten().find(|uid| !uid.starts_with("arn:")).copied();
    let given = text(one, "/type").unwrap_or_default();
    let kind = TYPES.iter().find(|(it, _)| *it == given).map_or(given, |(_, asff)| *asff);
    let id = match (kind, bare) {
        ("AwsIamAccessKey" | "AwsAccount", Some(bare)) if !bare.contains(':') => {
            format!("{given}:{bare}")
        }
        ("AwsEc2Instance", Some(bare)) if arn.is_none() => {
            let partition = text(one, "/cloud_partition").unwrap_or("aws");
            let region = text(one, "/region").unwrap_or_default();
            format!("arn:{partition}:ec2:{region}:{account}:instance/{bare}")
        }
        _ => arn.or(bare).unwrap_or_default().to_owned(),
    };
    let mut of_a_key = if kind == "AwsIamAccessKey" { key(one) } else { Map::new() };
    // The reader refuses what its details put into another account.
    if let Some(owner) = text(one, "/owner/account/uid").filter(|owner| *owner != account) {
        of_a_key.insert("AccountId".to_owned(), json!(owner));
    }
    let details = [
        ("AwsIamAccessKey", json!(of_a_key), !of_a_key.is_empty()),
        ("AwsIamUser", json!({ "UserId": bare }), kind == "AwsIamUser"),
        ("AwsIamRole", json!({ "RoleId": bare }), kind == "AwsIamRole"),
    ];
    let details = details.into_iter().filter(|(_, _, has)| *has);
    let details: Map<_, _> = details.map(|(of, its, _)| (of.to_owned(), its)).collect();
    let role = role(one).map(|role| ("ResourceRole".to_owned(), json!(role)));
    let fields = [("Type", json!(kind)), ("Id", json!(id)), ("Details", json!(details))];
    let fields = fields.map(|(field, value)| (field.to_owned(), value));
    fields.into_iter().chain(role).collect::<Map<_, _>>().into()
}

/// Whose key it is, by what the finding says. IAM knows better.
fn key(one: &Value) -> Map<String, Value> {
    let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| text(one, pointer));
    let mut details = Map::new();
    for (field, found) in [
        ("AccessKeyId", first(&["/data/access_key_id"])),
        ("PrincipalName", first(&["/data/user_name", "/data/name", "/user/name"])),
        ("PrincipalId", first(&["/data/principal_id", "/user/uid"])),
        ("PrincipalType", first(&["/data/user_type", "/user/type"])),
    ] {
        if let Some(found) = found {
            details.insert(field.to_owned(), json!(found));
        }
    }
    // What the finding calls the resource goes before what it says of it.
    if text(one, "/uid").is_some_and(is_key) {
        details.remove("AccessKeyId");
    }
    details
}

/// Source: IAM User Guide, "IAM identifiers" (unique id prefixes).
fn is_key(id: &str) -> bool {
    (id.starts_with("AKIA") || id.starts_with("ASIA")) && !id.contains(':')
}

/// What the resource has to do with it, where it is the one who did it or whom it was done to.
///
/// Source: OCSF schema, `resource_details.role_id`.
fn role(one: &Value) -> Option<&'static str> {
    match (one.get("role_id").and_then(Value::as_u64), text(one, "/role")) {
        (Some(1), _) | (None, Some("Target")) => Some("Target"),
        (Some(2), _) | (None, Some("Actor")) => Some("Actor"),
        _ => None,
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_goes_before_its_caption_and_a_caption_before_nothing() {
        for (finding, is) in [
            (json!({ "severity_id": 4, "severity": "Low" }), Some("HIGH")),
            (json!({ "severity_id": 6 }), Some("CRITICAL")),
            (json!({ "severity": "critical" }), Some("CRITICAL")),
            (json!({ "severity_id": "4", "severity": "High" }), Some("HIGH")),
            (json!({ "severity_id": 99, "severity": "High" }), None),
            (json!({ "severity_id": 0, "severity": "Unknown" }), None),
            (json!({ "severity": ["High"] }), None),
            (json!({}), None),
        ] {
            assert_eq!(meaning(&finding, "/severity", &SEVERITIES), is, "{finding}");
        }
    }

    #[test]
    fn what_is_resolved_is_closed_by_that_alone() {
        for (status, activity, is) in [
            (4, 3, ("RESOLVED", "ACTIVE")),
            (4, 2, ("RESOLVED", "ACTIVE")),
            (1, 3, ("NEW", "ARCHIVED")),
            (5, 2, ("NEW", "ARCHIVED")),
            (2, 1, ("NOTIFIED", "ACTIVE")),
        ] {
            let finding = json!({ "status_id": status, "activity_id": activity });
            assert_eq!(state(&finding), is, "{finding}");
        }
    }

    #[test]
    fn the_last_activity_is_the_same_moment_in_either_form() {
        let dt = "2026-03-02T09:09:40.000Z";
        for (info, is) in [
            (json!({ "last_seen_time_dt": dt, "last_seen_time": 7 }), Some(dt)),
            (json!({ "last_seen_time": 1_772_442_580_999_u64 }), Some("2026-03-02T09:09:40Z")),
            (json!({ "last_seen_time": -1 }), Some("1969-12-31T23:59:59Z")),
            (json!({ "last_seen_time": i64::MAX }), None),
            (json!({ "last_seen_time": i64::MIN }), None),
            (json!({ "last_seen_time": "now" }), None),
        ] {
            let seen = last_seen(&json!({ "finding_info": info }));
            assert_eq!(seen.as_deref(), is, "{info}");
        }
    }

    #[test]
    fn the_mark_is_read_from_the_comment_and_nothing_else_is() {
        let fields =
            mark("user eve is contained: a=b. CordonExecution=arn:x CordonEvidence=s3://b/c=d");
        assert_eq!(fields, json!({ "CordonExecution": "arn:x", "CordonEvidence": "s3://b/c=d" }));
        assert_eq!(mark(""), json!({}));
        assert_eq!(mark("seen by Cordon\nCordonExecution"), json!({}));
    }
}
