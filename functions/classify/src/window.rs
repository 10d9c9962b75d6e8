//! For how long a finding says that a key is unused.

use std::ops::RangeInclusive;

use crate::finding::Finding;
use crate::rules::Rule;

/// Windows that a finding's own words may set. What is unused for a shorter time is too
/// little unused for a machine, whoever says so.
const SAID: RangeInclusive<u16> = 30..=365;

/// For how many days what is unused has to be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) days: u16,
    /// Whether neither the finding nor its control says so. Then a key may be accused that
    /// is unused for a shorter time.
    pub(crate) assumed: bool,
}

impl Window {
    /// The window of a retirement: the control's, or else what the finding says, or else the
    /// rule's. Access Analyzer's findings do not say the days that their analyzer was given;
    /// Prowler's do, in their description.
    ///
    /// Sources: Security Hub User Guide, controls IAM.8 and IAM.22; Access Analyzer API
    /// Reference, `UnusedAccessConfiguration`.
    pub(crate) fn of(rule: &Rule, finding: &Finding<'_>) -> Option<Self> {
        let days = rule.unused_days?;
        if !rule.controls.is_empty() {
            return Some(Self { days, assumed: false });
        }
        Some(match said(finding.text("/Description")) {
            Some(days) => Self { days, assumed: false },
            None => Self { days, assumed: true },
        })
    }
}

/// The days of `… in the last 45 days …`; the most, where more than one is said, since not
/// each need be about what is unused.
fn said(text: &str) -> Option<u16> {
    let after = text.split("in the last ").skip(1);
    let days = after.filter_map(|rest| rest.split_once(" days")?.0.parse().ok());
    days.filter(|days| SAID.contains(days)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_that_a_description_says_are_its_window_within_reason() {
        for (text, days) in [
            ("User eve has not used access key 1 in the last 45 days (100 days).", Some(45)),
            ("User eve has not used access key 2 in the last 90 days (never used).", Some(90)),
            ("in the last 30 days", Some(30)),
            ("seen in the last 30 days, and unused in the last 90 days", Some(90)),
            ("in the last 29 days", None),
            ("in the last 0 days", None),
            ("in the last 366 days", None),
            ("in the last 99999 days", None),
            ("in the last -45 days", None),
            ("in the last few days", None),
            ("contains unused IAM user access key", None),
            ("", None),
        ] {
            assert_eq!(said(text), days, "{text}");
        }
    }
}
