//! The findings of `classify`'s cases, about principals that a test made.

use std::fs;

use anyhow::{Context, Result};
use harness::MEMBERS;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::place::repository;
use serde_json::{Value, json};

/// The finding of a case, in the first member account and under an id of its own.
pub(crate) fn finding(aws: &LocalAws, case: &str) -> Result<Finding> {
    finding_in(aws, MEMBERS[0], case)
}

/// What Security Hub adds to a finding that it imports.
///
/// <https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html>
const ADDED: [&str; 7] = [
    "ProductName",
    "CompanyName",
    "Region",
    "WorkflowState",
    "Workflow",
    "ProcessedAt",
    "FindingProviderFields",
];

/// The finding of a case as its product sent it, in an account and under an id of its own.
pub(crate) fn finding_in(aws: &LocalAws, account: &str, case: &str) -> Result<Finding> {
    let asff = &event(case)?["detail"]["findings"][0];
    let own = asff["AwsAccountId"].as_str().context("the finding has no account")?;
    let mut asff: Value = serde_json::from_str(&asff.to_string().replace(own, account))?;
    if let Some(fields) = asff.as_object_mut() {
        fields.retain(|field, _| !ADDED.contains(&field.as_str()));
    }
    let id = asff["Id"].as_str().context("the finding has no id")?;
    let family = id.rsplit_once('/').map_or(id, |(family, _)| family);
    asff["Id"] = json!(format!("{family}/{}", aws.unique("finding")));
    Ok(Finding::of(asff))
}

/// The event of a case.
pub(crate) fn event(case: &str) -> Result<Value> {
    let path = repository().join("functions/classify/cases").join(case).join("event.json");
    let text = fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("`{}` is no JSON", path.display()))
}

/// The finding, with another id for its resources of a type, and no details of another's.
pub(crate) fn about(finding: &Finding, kind: &str, id: &str) -> Finding {
    changed(finding, kind, |resource| {
        resource["Id"] = json!(id);
        if let Some(resource) = resource.as_object_mut() {
            resource.remove("Details");
        }
    })
}

/// The finding, about another access key of a principal with a name and a unique id. It says
/// of them what it said before.
pub(crate) fn about_key_of(finding: &Finding, key: &str, name: &str, id: &str) -> Finding {
    changed(&about_key(finding, key, name), "AwsIamAccessKey", |resource| {
        let session = if id.starts_with("AROA") { ":at-work" } else { "" };
        let given = json!(format!("{id}{session}"));
        resource["Details"]["AwsIamAccessKey"]["PrincipalId"] = given;
    })
}

/// The finding, about another access key. Where it says whose the key is, it gives a name, and
/// no unique id.
pub(crate) fn about_key(finding: &Finding, key: &str, name: &str) -> Finding {
    changed(finding, "AwsIamAccessKey", |resource| {
        resource["Id"] = json!(format!("AWS::IAM::AccessKey:{key}"));
        let details = &mut resource["Details"]["AwsIamAccessKey"];
        for (pointer, value) in [
            ("/AccessKeyId", key),
            ("/UserName", name),
            ("/PrincipalName", name),
            ("/SessionContext/SessionIssuer/UserName", name),
        ] {
            if let Some(field) = details.pointer_mut(pointer) {
                *field = json!(value);
            }
        }
        if let Some(arn) = details.pointer_mut("/SessionContext/SessionIssuer/Arn") {
            let path = arn.as_str().and_then(|arn| arn.rsplit_once('/')).map(|(path, _)| path);
            *arn = json!(path.map(|path| format!("{path}/{name}")));
        }
        for holder in ["", "/SessionContext/SessionIssuer"] {
            if let Some(holder) = details.pointer_mut(holder).and_then(Value::as_object_mut) {
                holder.remove("PrincipalId");
            }
        }
    })
}

/// The finding, with a change to its resources of a type.
pub(crate) fn changed(finding: &Finding, kind: &str, change: impl Fn(&mut Value)) -> Finding {
    let mut asff = finding.asff().clone();
    let resources = asff["Resources"].as_array_mut().into_iter().flatten();
    resources.filter(|resource| resource["Type"] == kind).for_each(change);
    Finding::of(asff)
}
