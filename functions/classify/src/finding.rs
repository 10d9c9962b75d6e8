use incident::{AccountId, one_line};
use serde::Deserialize;
use serde_json::Value;

use crate::Brief;

/// How bad a finding is. Source: ASFF, `Severity.Label`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

/// A finding of which no field is trusted, but for those that Security Hub guarantees.
#[derive(Debug)]
pub(crate) struct Finding<'a> {
    pub(crate) brief: Brief,
    pub(crate) severity: Severity,
    raw: &'a Value,
}

/// The event's one finding, or why there is none to judge.
pub(crate) fn of_event(event: &Value) -> Result<Finding<'_>, String> {
    let source = event
        .get("source")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let kind = event
        .get("detail-type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if source != "aws.securityhub" || kind != "Security Hub Findings - Imported" {
        return Err("the event is no finding that Security Hub imported".to_owned());
    }
    let findings = event.pointer("/detail/findings").and_then(Value::as_array);
    match findings.map(Vec::as_slice) {
        Some([finding]) => Finding::read(finding),
        None | Some([]) => Err("the event carries no finding".to_owned()),
        Some(more) => Err(format!(
            "the event carries {} findings, and Security Hub sends them singly",
            more.len()
        )),
    }
}

impl<'a> Finding<'a> {
    fn read(raw: &'a Value) -> Result<Self, String> {
        let required = |field: &str| {
            let value = raw
                .get(field)
                .and_then(Value::as_str)
                .filter(|value| !value.is_empty());
            value
                .map(str::to_owned)
                .ok_or_else(|| format!("the finding has no `{field}`"))
        };
        let severity = severity(raw);
        let id = required("Id")?;
        let brief = Brief {
            label: one_line(&id, 512),
            id,
            product_arn: required("ProductArn")?,
            account: AccountId::try_from(required("AwsAccountId")?)?,
            title: one_line(&required("Title")?, 256),
            severity: format!("{severity:?}").to_uppercase(),
        };
        if brief.id.chars().count() > 512 || brief.product_arn.chars().count() > 2048 {
            return Err("the finding's `Id` or `ProductArn` is longer than ASFF allows".to_owned());
        }
        Ok(Self {
            brief,
            severity,
            raw,
        })
    }

    /// Why nobody is to act on the finding, whatever it says.
    pub(crate) fn not_to_act_on(&self) -> Option<String> {
        if self.raw.get("Sample") == Some(&Value::Bool(true)) {
            return Some("the finding is a sample".to_owned());
        }
        let record = self.text("/RecordState");
        if record != "ACTIVE" {
            return Some(format!(
                "the finding's RecordState is `{}`, not `ACTIVE`",
                one_line(record, 40)
            ));
        }
        let workflow = self.text("/Workflow/Status");
        if workflow != "NEW" {
            return Some(format!(
                "the finding's Workflow.Status is `{}`, not `NEW`",
                one_line(workflow, 40)
            ));
        }
        None
    }

    /// The title as it came.
    pub(crate) fn title(&self) -> &'a str {
        self.text("/Title")
    }

    /// The `Id`s of the finding's resources of this type, in its order.
    pub(crate) fn resources(&self, kind: &str) -> Vec<&'a str> {
        let resources = self.raw.get("Resources").and_then(Value::as_array);
        resources
            .into_iter()
            .flatten()
            .filter(|resource| resource.get("Type").and_then(Value::as_str) == Some(kind))
            .map(|resource| {
                resource
                    .get("Id")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            })
            .collect()
    }

    fn text(&self, pointer: &str) -> &'a str {
        self.raw
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// `Severity.Label`; where it is missing, what `Severity.Normalized` stands for.
///
/// Source: ASFF, `Severity`.
fn severity(finding: &Value) -> Severity {
    let label = finding.pointer("/Severity/Label");
    if let Some(Ok(label)) = label.map(Severity::deserialize) {
        return label;
    }
    match finding
        .pointer("/Severity/Normalized")
        .and_then(Value::as_u64)
    {
        Some(90..) => Severity::Critical,
        Some(70..90) => Severity::High,
        Some(40..70) => Severity::Medium,
        Some(1..40) => Severity::Low,
        Some(0) | None => Severity::Informational,
    }
}
