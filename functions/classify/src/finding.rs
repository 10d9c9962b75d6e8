use std::collections::BTreeMap;

use incident::{AccountId, Execution, Severity, is_in_ocsf, matches_pattern, one_line};
use serde::Deserialize;
use serde_json::Value;

use crate::Brief;
use crate::ocsf;
use crate::subject::{Part, Subject, session};

/// How many sessions people are told of; GuardDuty names one.
const MOST_SESSIONS: usize = 4;

/// Resources of a finding at most.
///
/// Source: ASFF, `Resources`.
pub(crate) const MOST_RESOURCES: usize = 32;

/// Characters of a link at most.
const MOST_OF_A_URL: usize = 1_000;

/// A finding of which no field is trusted, but for those that Security Hub guarantees.
#[derive(Debug)]
pub(crate) struct Finding<'a> {
    pub(crate) brief: Brief,
    pub(crate) severity: Severity,
    pub(crate) raw: &'a Value,
    /// Whether it is about an account from which the organisation is run.
    pub(crate) central: bool,
}

/// How the finding reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Security Hub imported or updated it.
    Imported,
    /// A person sent it with a custom action.
    CustomAction,
}

/// An event that carries no finding to judge.
#[derive(Debug)]
pub(crate) struct Unjudged {
    /// Why, for a person.
    pub(crate) reason: String,
    /// Whether a person sent it, who waits for an answer.
    pub(crate) by_person: bool,
}

/// The event's one finding, or why there is none to judge.
///
/// Source: Security Hub User Guide, "EventBridge event formats for Security Hub CSPM".
pub(crate) fn of_event(event: &Value) -> Result<(Occasion, Finding<'_>), Unjudged> {
    let text = |field| event.get(field).and_then(Value::as_str).unwrap_or_default();
    let (occasion, by_person) = match (text("source"), text("detail-type")) {
        ("aws.securityhub", "Security Hub Findings - Imported" | ocsf::DETAIL_TYPE) => {
            (Occasion::Imported, false)
        }
        ("aws.securityhub", "Security Hub Findings - Custom Action") => {
            (Occasion::CustomAction, true)
        }
        ("aws.securityhub", "Security Hub Insight Results") => {
            return Err(Unjudged { reason: of_an_insight(event), by_person: true });
        }
        _ => {
            let reason = "the event is no finding that Security Hub sent".to_owned();
            return Err(Unjudged { reason, by_person: false });
        }
    };
    let findings = event.pointer("/detail/findings").and_then(Value::as_array);
    let finding = match findings.map(Vec::as_slice) {
        Some([finding]) => Finding::read(finding),
        None | Some([]) => Err("the event carries no finding".to_owned()),
        Some(more) => Err(format!(
            "the event carries {} findings, and Security Hub sends them singly",
            more.len()
        )),
    };
    let finding = finding.map_err(|reason| Unjudged { reason, by_person })?;
    Ok((occasion, finding))
}

/// That a person sent an insight's results: counts of findings by resource, account or the
/// like, of which none says what was found.
fn of_an_insight(event: &Value) -> String {
    let name = event.pointer("/detail/insightName").and_then(Value::as_str).unwrap_or_default();
    let name = one_line(name, 100);
    let insight =
        if name.is_empty() { "an insight".to_owned() } else { format!("the insight `{name}`") };
    format!("a person chose {insight}, which only counts findings; the findings have to be chosen")
}

impl<'a> Finding<'a> {
    fn read(raw: &'a Value) -> Result<Self, String> {
        let required = |field: &str| {
            let value = raw.get(field).and_then(Value::as_str).filter(|value| !value.is_empty());
            value.map(str::to_owned).ok_or_else(|| format!("the finding has no `{field}`"))
        };
        let severity = severity(raw);
        let id = required("Id")?;
        let brief = Brief {
            label: one_line(&id, 512),
            id,
            product_arn: required("ProductArn")?,
            metadata_uid: None,
            account: AccountId::try_from(required("AwsAccountId")?)?,
            title: one_line(&required("Title")?, 256),
            severity: severity.label().to_owned(),
            source_url: None,
            seen: None,
            named: None,
            who: BTreeMap::new(),
            sessions: Vec::new(),
        };
        let resources = raw.get("Resources").and_then(Value::as_array).map_or(0, Vec::len);
        if resources > MOST_RESOURCES && !is_in_ocsf(&brief.product_arn) {
            return Err(format!(
                "the finding names {resources} resources, and ASFF allows {MOST_RESOURCES}"
            ));
        }
        if brief.id.chars().count() > 512 || brief.product_arn.chars().count() > 2048 {
            return Err("the finding's `Id` or `ProductArn` is longer than ASFF allows".to_owned());
        }
        let mut finding = Self { brief, severity, raw, central: false };
        finding.brief.source_url = finding.source_url();
        finding.brief.seen = finding.seen();
        finding.brief.named = finding.named();
        finding.brief.who = finding.who();
        finding.brief.sessions = finding.resources().filter_map(|one| session(one, raw)).collect();
        finding.brief.sessions.truncate(MOST_SESSIONS);
        Ok(finding)
    }

    /// Why nobody is to be touched for the finding any more, though an earlier pass began
    /// to: a person has closed it meanwhile, or its provider has taken it back. What was
    /// so already when the event came (`came_as`) is no objection, nor is a status that bears
    /// this execution's mark.
    pub(crate) fn withdrawn(
        &self,
        execution: &Execution,
        occasion: Occasion,
        came_as: &str,
    ) -> Option<String> {
        let mark = self.text("/UserDefinedFields/CordonExecution");
        match self.text("/Workflow/Status") {
            status if status == came_as && occasion == Occasion::CustomAction => None,
            "SUPPRESSED" => Some("the finding has been made SUPPRESSED meanwhile".to_owned()),
            "RESOLVED" if mark != execution.arn() && came_as != "RESOLVED" => {
                Some("the finding has become RESOLVED meanwhile, not by this execution".to_owned())
            }
            _ => {
                let status = self.compliance_status();
                let passed = occasion == Occasion::Imported && !["", "FAILED"].contains(&status);
                passed.then(|| {
                    format!("{} meanwhile", self.said(("Compliance.Status", status, None)))
                })
            }
        }
    }

    /// Why nobody is to be touched for the finding, whatever it says.
    /// `whatever_workflow`: also where its workflow is not `NEW`.
    pub(crate) fn not_to_act_on(
        &self,
        occasion: Occasion,
        whatever_workflow: bool,
    ) -> Option<String> {
        if self.is_sample() {
            return Some("the finding is a sample".to_owned());
        }
        let record = self.text("/RecordState");
        if record != "ACTIVE" {
            return Some(self.said(("RecordState", record, Some("ACTIVE"))));
        }
        let workflow = self.text("/Workflow/Status");
        if workflow != "NEW" && occasion == Occasion::Imported && !whatever_workflow {
            return Some(self.said(("Workflow.Status", workflow, Some("NEW"))));
        }
        // A person may choose what a check says of them; a check that did not fail accuses
        // nobody: PASSED, WARNING (muted, or not to be decided), NOT_AVAILABLE.
        if !self.may_accuse() && occasion == Occasion::Imported {
            let status = self.compliance_status();
            return Some(self.said(("Compliance.Status", status, Some("FAILED"))));
        }
        None
    }

    /// That a field has this value and not that, in the words of the finding's own form.
    fn said(&self, (field, is, wanted): (&str, &str, Option<&str>)) -> String {
        let in_ocsf = is_in_ocsf(&self.brief.product_arn);
        let caption = |asff| match (in_ocsf, field) {
            (true, "Compliance.Status") => ocsf::compliance(asff),
            (true, _) if asff == "ACTIVE" => "New",
            (true, _) => ocsf::status(asff),
            (false, _) => asff,
        };
        let name = match (in_ocsf, field) {
            (true, "Compliance.Status") => "compliance.status",
            (true, _) => "status",
            (false, _) => field,
        };
        let is = one_line(caption(is), 40);
        match wanted {
            Some(wanted) => {
                format!("the finding's {name} is `{is}`, not `{}`", caption(wanted))
            }
            None => format!("the finding's {name} is `{is}`"),
        }
    }

    /// Whether it is of no check, or of one that failed.
    ///
    /// Source: ASFF, `Compliance.Status`.
    fn may_accuse(&self) -> bool {
        let status = self.raw.pointer("/Compliance/Status");
        status.is_none_or(|status| status.is_null() || status == "FAILED")
    }

    /// GuardDuty marks samples of its own in `additionalInfo`, as a field of its own or
    /// within JSON, and not all of them in `Sample` too. What lies deeper within that JSON
    /// is the attacker's own word, such as a user agent.
    ///
    /// Sources: GuardDuty User Guide, "Sample findings"; ASFF, `Sample`.
    fn is_sample(&self) -> bool {
        let info = "/ProductFields/aws~1guardduty~1service~1additionalInfo";
        let within = |field: &str| {
            let info = serde_json::from_str::<Value>(self.text(&format!("{info}{field}")));
            info.is_ok_and(|info| info.get("sample") == Some(&Value::Bool(true)))
        };
        self.raw.get("Sample") == Some(&Value::Bool(true))
            || self.text(&format!("{info}~1sample")) == "true"
            || within("")
            || within("~1value")
    }

    /// Where GuardDuty shows the finding. Only of GuardDuty: a link in a mail that anybody
    /// who may import findings could choose would be one to fish with.
    ///
    /// Source: ASFF, `SourceUrl`.
    fn source_url(&self) -> Option<String> {
        let url = self.text("/SourceUrl");
        let is_url = url.starts_with("https://")
            && (10..=MOST_OF_A_URL).contains(&url.len())
            && url.bytes().all(|byte| byte.is_ascii_graphic());
        let guardduty = ["product", "productv2"].into_iter().any(|product| {
            let arn = format!("arn:*:securityhub:*::{product}/aws/guardduty");
            matches_pattern(&arn, &self.brief.product_arn)
        });
        (is_url && guardduty).then(|| url.to_owned())
    }

    /// Whether `GuardDuty` sent the finding.
    pub(crate) fn is_of_guardduty(&self, execution: &Execution) -> bool {
        let guardduty =
            format!("arn:{}:securityhub:*::product*/aws/guardduty", execution.partition());
        matches_pattern(&guardduty, &self.brief.product_arn)
    }

    /// Whether a default product sent it: whoever may import findings in an account has its
    /// account's.
    pub(crate) fn is_of_a_default_product(&self) -> bool {
        matches_pattern("*/default", &self.brief.product_arn)
    }

    /// Whether an AWS service sent the finding. Nobody else can import findings under
    /// such a product.
    pub(crate) fn is_of_aws(&self, execution: &Execution) -> bool {
        self.is_of_service(execution, "*")
    }

    /// Whether this AWS service sent it, to Security Hub CSPM (`product`) or to Security Hub
    /// (`productv2`).
    pub(crate) fn is_of_service(&self, execution: &Execution, name: &str) -> bool {
        let partition = execution.partition();
        ["product", "productv2"].into_iter().any(|product| {
            let arn = format!("arn:{partition}:securityhub:*::{product}/aws/{name}");
            matches_pattern(&arn, &self.brief.product_arn)
        })
    }

    /// The title as it came.
    pub(crate) fn title(&self) -> &'a str {
        self.text("/Title")
    }

    /// The title without what its resources are called: whoever makes users chooses their names.
    pub(crate) fn title_beside_names(&self) -> String {
        let subjects: Vec<_> = self.subjects().collect();
        let mut names: Vec<&str> = subjects.iter().flat_map(Subject::names).collect();
        names.sort_unstable_by_key(|name| std::cmp::Reverse(name.len()));
        names.dedup();
        names.into_iter().fold(self.title().to_owned(), |title, name| without(&title, name))
    }

    /// The id of the Security Hub control, where the finding is of one.
    pub(crate) fn control(&self) -> &'a str {
        self.text("/Compliance/SecurityControlId")
    }

    /// What the control found.
    pub(crate) fn compliance_status(&self) -> &'a str {
        self.text("/Compliance/Status")
    }

    /// `GeneratorId`: of AWS Health, the event's type code.
    ///
    /// Source: Security Hub User Guide, "AWS service integrations" (AWS Health).
    pub(crate) fn generator(&self) -> &'a str {
        self.text("/GeneratorId")
    }

    /// The finding's types.
    pub(crate) fn types(&self) -> impl Iterator<Item = &'a str> {
        self.list("Types").filter_map(Value::as_str)
    }

    /// The finding's resources, in its order.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &'a Value> {
        self.list("Resources")
    }

    /// What its resources are to us, in its order.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = Subject<'a>> {
        self.resources().map(Subject::of)
    }

    /// Whether one of its resources is, or says that it is, a principal or a key of one.
    pub(crate) fn names_somebody(&self) -> bool {
        self.subjects().any(|subject| subject.kind.is_somebody())
    }

    /// What a custom product calls the actor of what it reports, where it says so. Of AWS's
    /// own findings the role says nothing: GuardDuty's keys are always the target.
    ///
    /// Source: ASFF, `Resources` (`ResourceRole`).
    pub(crate) fn actor(&self, execution: &Execution) -> Option<String> {
        if self.is_of_aws(execution) {
            return None;
        }
        let mut actors = self.resources().filter(|one| Part::of(one) == Some(Part::Actor));
        actors.next().map(|actor| Subject::of(actor).label())
    }

    fn list(&self, field: &str) -> impl Iterator<Item = &'a Value> {
        self.raw.get(field).and_then(Value::as_array).into_iter().flatten()
    }

    pub(crate) fn text(&self, pointer: &str) -> &'a str {
        self.raw.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The text with a space for each time that the name stands in it as a word, in any case.
fn without(text: &str, name: &str) -> String {
    let (lower, name) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut left = String::with_capacity(text.len());
    let mut kept = 0;
    for (at, found) in lower.match_indices(&name).filter(|(_, found)| !found.is_empty()) {
        let end = at + found.len();
        let before = lower.get(..at).and_then(|it| it.chars().next_back());
        let after = lower.get(end..).and_then(|it| it.chars().next());
        let is_word = ![before, after].into_iter().flatten().any(char::is_alphanumeric);
        if is_word {
            left.push_str(text.get(kept..at).unwrap_or_default());
            left.push(' ');
            kept = end;
        }
    }
    left.push_str(text.get(kept..).unwrap_or_default());
    left
}

/// `Severity.Label`; where it is missing, what `Severity.Normalized` stands for.
///
/// Source: ASFF, `Severity`.
fn severity(finding: &Value) -> Severity {
    let label = finding.pointer("/Severity/Label");
    if let Some(Ok(label)) = label.map(Severity::deserialize) {
        return label;
    }
    match finding.pointer("/Severity/Normalized").and_then(Value::as_u64) {
        Some(90..) => Severity::Critical,
        Some(70..90) => Severity::High,
        Some(40..70) => Severity::Medium,
        Some(1..40) => Severity::Low,
        Some(0) | None => Severity::Informational,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_severity_without_a_label_is_what_its_number_stands_for() {
        for (severity, is) in [
            (json!({ "Label": "LOW", "Normalized": 90 }), Severity::Low),
            (json!({ "Label": "high", "Normalized": 90 }), Severity::Critical),
            (json!({ "Normalized": 100 }), Severity::Critical),
            (json!({ "Normalized": 89 }), Severity::High),
            (json!({ "Normalized": 70 }), Severity::High),
            (json!({ "Normalized": 69 }), Severity::Medium),
            (json!({ "Normalized": 40 }), Severity::Medium),
            (json!({ "Normalized": 39 }), Severity::Low),
            (json!({ "Normalized": 1 }), Severity::Low),
            (json!({ "Normalized": 0 }), Severity::Informational),
            (json!({ "Normalized": -1 }), Severity::Informational),
            (json!({}), Severity::Informational),
            (json!("CRITICAL"), Severity::Informational),
        ] {
            assert_eq!(super::severity(&json!({ "Severity": severity })), is, "{severity}");
        }
    }

    #[test]
    fn only_a_product_without_an_account_is_of_aws() {
        let execution = "arn:aws:states:us-east-1:111111111111:execution:m:n".to_owned();
        let execution = Execution::try_from(execution).unwrap();
        for (product, is) in [
            ("arn:aws:securityhub:us-east-1::product/aws/guardduty", true),
            ("arn:aws:securityhub:eu-west-1::product/aws/securityhub", true),
            ("arn:aws:securityhub:us-east-1::productv2/aws/guardduty", true),
            ("arn:aws:securityhub:us-east-1::productv3/aws/guardduty", false),
            ("arn:aws:securityhub:us-east-1:222222222222:productv2/aws/guardduty", false),
            ("arn:aws-cn:securityhub:cn-north-1::product/aws/guardduty", false),
            ("arn:aws:securityhub:us-east-1:222222222222:product/aws/guardduty", false),
            ("arn:aws:securityhub:us-east-1::product/example-corp/aws", false),
            ("arn:aws:securityhub:us-east-1:222222222222:product/222222222222/default", false),
        ] {
            let finding = json!({
                "Id": "1",
                "ProductArn": product,
                "AwsAccountId": "222222222222",
                "Title": "t",
            });
            assert_eq!(Finding::read(&finding).unwrap().is_of_aws(&execution), is, "{product}");
        }
    }

    #[test]
    fn a_name_is_taken_out_of_a_text_where_it_is_a_word() {
        for (text, name, is) in [
            ("IAM user admin-x has no MFA", "admin-x", "IAM user   has no MFA"),
            ("WILLIAM failed, william too", "William", "  failed,   too"),
            ("administrators and admin's", "admin", "administrators and  's"),
            ("\u{e9}admin \u{e9} admin", "admin", "\u{e9}admin \u{e9}  "),
            ("admin", "", "admin"),
            ("", "admin", ""),
        ] {
            assert_eq!(without(text, name), is, "{text}");
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        for field in ["Id", "ProductArn", "AwsAccountId", "Title"] {
            let mut finding = json!({
                "Id": "1",
                "ProductArn": "p",
                "AwsAccountId": "222222222222",
                "Title": "t",
            });
            finding[field] = json!("");
            let reason = Finding::read(&finding).unwrap_err();
            assert_eq!(reason, format!("the finding has no `{field}`"));
        }
    }
}
