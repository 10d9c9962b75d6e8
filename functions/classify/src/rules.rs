use incident::{Execution, ResponsePolicy, matches_pattern};
use serde::Deserialize;

use crate::finding::{Finding, Severity};

/// Which findings lead to which response. The first rule that applies decides.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Rule {
    /// The rule's name; its cases bear it.
    #[cfg_attr(not(test), expect(dead_code, reason = "for people and for the tests"))]
    name: String,
    /// Why the response is right, for a person.
    pub(crate) reason: String,
    product: Product,
    title: Title,
    /// Resource types of which the finding must name at least one.
    resources: Vec<String>,
    lowest_severity: Severity,
    pub(crate) response: Response,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum Product {
    /// A custom product that the response policy trusts.
    Custom,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Title {
    /// The title has this, in this case.
    has: String,
    /// The title has one of these, in any case.
    has_any_of: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) enum Response {
    /// Contain the IAM users that the finding names.
    ContainUser,
}

/// The reviewed table, `rules.json`.
pub(crate) fn table() -> Result<Vec<Rule>, serde_json::Error> {
    serde_json::from_str(include_str!("../rules.json"))
}

impl Rule {
    pub(crate) fn applies(
        &self,
        execution: &Execution,
        policy: &ResponsePolicy,
        finding: &Finding<'_>,
    ) -> bool {
        finding.severity >= self.lowest_severity
            && self.product.sent(execution, policy, finding)
            && self.title.matches(finding.title())
            && self
                .resources
                .iter()
                .any(|kind| !finding.resources(kind).is_empty())
    }
}

impl Product {
    fn sent(self, execution: &Execution, policy: &ResponsePolicy, finding: &Finding<'_>) -> bool {
        let (partition, account) = (execution.partition(), &finding.brief.account);
        let default = [format!(
            "arn:{partition}:securityhub:*:{account}:product/{account}/default"
        )];
        match self {
            Self::Custom => {
                let trusted = policy.trusted_products.as_deref().unwrap_or(&default);
                trusted
                    .iter()
                    .any(|pattern| matches_pattern(pattern, &finding.brief.product_arn))
            }
        }
    }
}

impl Title {
    fn matches(&self, title: &str) -> bool {
        let lower = title.to_lowercase();
        title.contains(&self.has)
            && self
                .has_any_of
                .iter()
                .any(|part| lower.contains(&part.to_lowercase()))
    }
}
