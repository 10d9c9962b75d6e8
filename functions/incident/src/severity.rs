use serde::{Deserialize, Serialize};

/// How bad a finding is. Source: ASFF, `Severity.Label`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// No issue was found.
    Informational,
    /// No action on its own.
    Low,
    /// To be dealt with, though not at once.
    Medium,
    /// To be dealt with first.
    High,
    /// To be dealt with at once.
    Critical,
}

impl Severity {
    /// The label in ASFF.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Informational => "INFORMATIONAL",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}
