use std::sync::LazyLock;

use incident::{Execution, Meaning, Refusal, ResponsePolicy, Severity, matches_pattern};
use serde::Deserialize;

use crate::finding::Finding;
use crate::subject::{Subject, SubjectKind};

/// Which findings lead to which response. The first rule that is for one of the finding's
/// resources decides about that resource, whatever comes of it: what a rule finds not severe
/// enough no later rule takes up.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rule {
    /// The rule's name; cases and README name it.
    pub(crate) name: String,
    /// Why the response is right, for a person.
    pub(crate) reason: String,
    /// Who sent the finding.
    pub(crate) product: Product,
    /// Security Hub control ids, of which the finding has one. Control findings count
    /// only where their compliance status is FAILED.
    #[serde(default)]
    pub(crate) controls: Vec<String>,
    /// Patterns of finding types, of which one of the finding's matches one; both as
    /// Security Hub spells GuardDuty's types (`TTPs/Discovery:S3-TorIPCaller`) and as
    /// GuardDuty does (`Discovery:S3/TorIPCaller`).
    #[serde(default)]
    pub(crate) types: Vec<String>,
    /// Patterns of `GeneratorId`, of which it matches one.
    #[serde(default)]
    pub(crate) generators: Vec<String>,
    /// What the response policy says that one of the finding's types means, where it names
    /// the product with its types.
    #[serde(default)]
    pub(crate) trusted_types: Option<Meaning>,
    /// Texts that the title holds, all of them, in this case.
    #[serde(default)]
    pub(crate) title_has: Vec<String>,
    /// Texts that the title holds, all of them, in any case.
    #[serde(default)]
    pub(crate) title_has_in_any_case: Vec<String>,
    /// Whether it is for findings alone of which no resource is a principal, a session or a key.
    #[serde(default)]
    pub(crate) names_nobody: bool,
    /// What the resource is.
    pub(crate) subjects: Vec<SubjectKind>,
    /// The lowest severity, unless the response policy sets another for the response.
    pub(crate) lowest_severity: Severity,
    /// What is to be done.
    pub(crate) response: Response,
    /// Of a containment: from which severity on people are told where it is not severe enough
    /// to contain, unless the response policy sets another for escalations. Unset: nobody is.
    #[serde(default)]
    pub(crate) escalate_from: Option<Severity>,
    /// Of a retirement: for how many days what is unused has to be so.
    #[serde(default)]
    pub(crate) unused_days: Option<u16>,
    /// Of an escalation: whether people are told however many others there are.
    #[serde(default)]
    pub(crate) urgent: bool,
    /// Of an escalation: by what name it stands in the outcome, where the resource does not
    /// say it better.
    #[serde(default)]
    pub(crate) refusal: Option<Refusal>,
    /// Of an escalation: what the person is to do.
    #[serde(default)]
    pub(crate) instruction: Option<String>,
}

/// Who sends findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Product {
    /// Amazon GuardDuty.
    GuardDuty,
    /// Security Hub's own controls.
    SecurityHub,
    /// IAM Access Analyzer.
    AccessAnalyzer,
    /// AWS Health.
    Health,
    /// AWS Config.
    Config,
    /// Security Hub's exposure findings.
    ///
    /// Source: Security Hub User Guide, "Sample exposure finding" (`metadata.product.uid`).
    Exposure,
    /// Any AWS service.
    Service,
    /// A custom product that the response policy trusts.
    Custom,
}

/// What is to be done about a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Response {
    /// Contain the user.
    ContainUser,
    /// Contain the role, and with it all of its sessions.
    ContainRole,
    /// Make the user's unused access keys inactive.
    RetireUnusedCredentials,
    /// Tell people.
    Escalate,
    /// Nothing, for the rule's reason.
    Ignore,
}

static TABLE: LazyLock<Result<Vec<Rule>, serde_json::Error>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../rules.json")));

/// The reviewed table, `rules.json`.
pub(crate) fn table() -> Result<&'static [Rule], &'static serde_json::Error> {
    TABLE.as_deref()
}

impl Rule {
    /// Whether the rule is for the resource, however severe the finding is, if its title were
    /// this.
    pub(crate) fn is_for(
        &self,
        execution: &Execution,
        policy: &ResponsePolicy,
        finding: &Finding<'_>,
        subject: &Subject<'_>,
        title: &str,
    ) -> bool {
        let has_in_any_case = |texts: &[String]| {
            let lower = title.to_lowercase();
            texts.iter().all(|text| lower.contains(text))
        };
        self.subjects.contains(&subject.kind)
            && self.product.sent(execution, policy, finding)
            && (self.controls.is_empty() || self.is_failed_control(finding))
            && (self.types.is_empty() || self.has_type(finding))
            && (self.generators.is_empty() || self.has_generator(finding))
            && self.trusted_types.is_none_or(|meaning| {
                let product = &finding.brief.product_arn;
                let means = |kind| policy.means(product, kind, meaning);
                // A pattern for whatever type there is holds of a finding without one.
                finding.types().any(means) || finding.types().next().is_none() && means("")
            })
            && !(self.names_nobody && finding.names_somebody())
            && self.title_has.iter().all(|text| title.contains(text))
            && has_in_any_case(&self.title_has_in_any_case)
    }

    /// What is to be done about a finding of this severity; nothing, where it is not severe
    /// enough.
    pub(crate) fn response(&self, policy: &ResponsePolicy, severity: Severity) -> Option<Response> {
        let set = self.response.lowest_severity(policy);
        if severity >= set.unwrap_or(self.lowest_severity) {
            return Some(self.response);
        }
        // What the response policy alone finds not severe enough to contain is told.
        let contains = matches!(self.response, Response::ContainUser | Response::ContainRole);
        let raised = set.filter(|_| contains).map(|_| self.lowest_severity);
        let told = self.escalate_from.or(raised)?;
        let told = Response::Escalate.lowest_severity(policy).unwrap_or(told);
        (severity >= told).then_some(Response::Escalate)
    }

    /// Whether it goes by what a title holds.
    pub(crate) fn goes_by_title(&self) -> bool {
        !self.title_has.is_empty() || !self.title_has_in_any_case.is_empty()
    }

    fn is_failed_control(&self, finding: &Finding<'_>) -> bool {
        finding.compliance_status() == "FAILED"
            && self.controls.iter().any(|control| control == finding.control())
    }

    fn has_generator(&self, finding: &Finding<'_>) -> bool {
        self.generators.iter().any(|pattern| matches_pattern(pattern, finding.generator()))
    }

    fn has_type(&self, finding: &Finding<'_>) -> bool {
        finding.types().any(|kind| self.types.iter().any(|pattern| matches_pattern(pattern, kind)))
    }
}

impl Response {
    /// The lowest severity that the response policy sets for it.
    pub(crate) fn lowest_severity(self, policy: &ResponsePolicy) -> Option<Severity> {
        let lowest = &policy.lowest_severity;
        match self {
            Self::ContainUser => lowest.contain_user,
            Self::ContainRole => lowest.contain_role,
            Self::RetireUnusedCredentials => lowest.retire_unused_credentials,
            Self::Escalate => lowest.escalate,
            Self::Ignore => None,
        }
    }
}

impl Product {
    pub(crate) fn sent(
        self,
        execution: &Execution,
        policy: &ResponsePolicy,
        finding: &Finding<'_>,
    ) -> bool {
        let product = &finding.brief.product_arn;
        let partition = execution.partition();
        let service = |name| finding.is_of_service(execution, name);
        match self {
            Self::GuardDuty => service("guardduty"),
            Self::SecurityHub => service("securityhub"),
            Self::AccessAnalyzer => service("access-analyzer"),
            Self::Health => service("health"),
            Self::Config => service("config"),
            Self::Exposure => service("securityhub-risk"),
            Self::Service => service("*"),
            Self::Custom => {
                let account = &finding.brief.account;
                let default =
                    format!("arn:{partition}:securityhub:*:{account}:product/{account}/default");
                let trusted = match &policy.trusted_products {
                    Some(products) => products.iter().any(|one| one.is(product)),
                    None => matches_pattern(&default, product),
                };
                // Where the organisation is run from, no policy makes up for who may import.
                let barred = finding.central && finding.is_of_a_default_product();
                !service("*") && trusted && !barred
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_rule_is_whole() {
        let mut names = HashSet::new();
        for rule in table().unwrap() {
            let Rule { name, response, .. } = rule;
            assert!(names.insert(name), "{name}: twice");
            assert!(!rule.reason.is_empty() && !rule.subjects.is_empty(), "{name}");
            let titles = rule.title_has.len() + rule.title_has_in_any_case.len();
            let meant = usize::from(rule.trusted_types.is_some());
            let lists = [rule.controls.len(), rule.types.len(), rule.generators.len()];
            let matches = lists.into_iter().chain([titles, meant]).filter(|count| *count > 0);
            // An AWS service's rule may be for whatever none before it is for.
            let rest = usize::from(rule.product != Product::Custom);
            assert!((1 - rest..=1).contains(&matches.count()), "{name}");
            assert_eq!(rule.instruction.is_some(), *response == Response::Escalate, "{name}");
            let told = *response == Response::Escalate || rule.escalate_from.is_some();
            assert_eq!(rule.refusal.is_some(), told, "{name}");
            let contains = matches!(response, Response::ContainUser | Response::ContainRole);
            let before = rule.escalate_from.is_none_or(|from| from < rule.lowest_severity);
            assert!(before && (contains || rule.escalate_from.is_none()), "{name}");
            assert!(!rule.urgent || *response == Response::Escalate, "{name}");
            let retires = *response == Response::RetireUnusedCredentials;
            assert_eq!(rule.unused_days.is_some(), retires, "{name}");
            let lower = |text: &String| *text == text.to_lowercase();
            assert!(rule.title_has_in_any_case.iter().all(lower), "{name}: would never match");
        }
    }

    #[test]
    fn a_response_is_for_what_it_can_act_on() {
        for rule in table().unwrap() {
            let can: &[SubjectKind] = match rule.response {
                Response::ContainUser => &[SubjectKind::User, SubjectKind::UserKey],
                Response::ContainRole => &[SubjectKind::Role, SubjectKind::RoleSession],
                Response::RetireUnusedCredentials => &[SubjectKind::User],
                Response::Escalate | Response::Ignore => continue,
            };
            assert!(rule.subjects.iter().all(|kind| can.contains(kind)), "{}", rule.name);
        }
    }
}
