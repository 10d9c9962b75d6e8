use std::io::{self, Write};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The namespace of all metrics.
const NAMESPACE: &str = "Cordon";

/// A measurement, by times that the state machine and Security Hub gave. `metrics.json` lists
/// what is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    name: &'static str,
    unit: &'static str,
    value: i128,
    verdict: Option<&'static str>,
    /// Milliseconds since 1970.
    at: i128,
}

impl Measured {
    /// One finding of this verdict, at a time in RFC 3339; nothing, where it is none.
    #[must_use]
    pub fn finding(verdict: &'static str, at: &str) -> Option<Self> {
        let at = millis(at)?;
        Some(Self { name: "Findings", unit: "Count", value: 1, verdict: Some(verdict), at })
    }

    /// How long it took until a principal was denied.
    #[must_use]
    pub fn until_denied(from: &str, to: &str) -> Option<Self> {
        Self::between("TimeUntilDenied", from, to)
    }

    /// How long it took until all principals were read back as contained.
    #[must_use]
    pub fn until_contained(from: &str, to: &str) -> Option<Self> {
        Self::between("TimeUntilContained", from, to)
    }

    /// Nothing, where a time is none in RFC 3339, or they lie the wrong way round.
    fn between(name: &'static str, from: &str, to: &str) -> Option<Self> {
        let at = millis(to)?;
        let value = at - millis(from)?;
        let unit = "Milliseconds";
        (value >= 0).then_some(Self { name, unit, value, verdict: None, at })
    }

    /// In `CloudWatch`'s embedded metric format: a line of a function's log that becomes a metric.
    ///
    /// Source: Amazon `CloudWatch` User Guide, "Specification: Embedded metric format".
    fn line(&self) -> Value {
        let Self { name, unit, value, verdict, at } = self;
        let dimensions = if verdict.is_some() { json!(["Verdict"]) } else { json!([]) };
        let mut line = json!({
            "_aws": {
                "Timestamp": at,
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [dimensions],
                    "Metrics": [{ "Name": name, "Unit": unit }],
                }],
            },
        });
        if let Some(line) = line.as_object_mut() {
            line.insert((*name).to_owned(), json!(value));
            line.extend(verdict.map(|verdict| ("Verdict".to_owned(), json!(verdict))));
        }
        line
    }
}

fn millis(time: &str) -> Option<i128> {
    let time = OffsetDateTime::parse(time, &Rfc3339).ok()?;
    Some(time.unix_timestamp_nanos() / 1_000_000)
}

/// Writes a measurement to the function's log. Where that can't be written, nothing can be said.
pub fn measure(measured: Option<&Measured>) {
    if let Some(measured) = measured {
        let _ = writeln!(io::stdout(), "{}", measured.line());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_listed_with_its_verdicts() {
        let listed: Vec<Value> = serde_json::from_str(include_str!("../metrics.json")).unwrap();
        let (from, to) = ("2026-03-02T09:14:27Z", "2026-03-02T09:14:41.512Z");
        let measured = [
            Measured::finding("Contain", from),
            Measured::until_denied(from, to),
            Measured::until_contained(from, to),
        ];
        assert_eq!(listed.len(), measured.len());
        for (listed, measured) in listed.iter().zip(measured) {
            let line = measured.unwrap().line();
            let metric = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(metric["Metrics"][0]["Name"], listed["name"]);
            assert_eq!(metric["Metrics"][0]["Unit"], listed["unit"]);
            assert_eq!(
                metric["Dimensions"][0] == json!(["Verdict"]),
                !listed["verdicts"].is_null()
            );
        }
    }

    #[test]
    fn a_line_is_what_cloudwatch_reads() {
        let measured = Measured::finding("Ignore", "2026-03-02T09:14:27Z").unwrap();
        assert_eq!(
            measured.line(),
            json!({
                "_aws": {
                    "Timestamp": 1_772_442_867_000_i64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Cordon",
                        "Dimensions": [["Verdict"]],
                        "Metrics": [{ "Name": "Findings", "Unit": "Count" }],
                    }],
                },
                "Verdict": "Ignore",
                "Findings": 1,
            })
        );
    }

    #[test]
    fn what_is_no_time_measures_nothing() {
        let later = "2026-03-02T09:14:41.512Z";
        let took = Measured::until_denied("2026-03-02T09:14:27Z", later).unwrap();
        assert_eq!(took.value, 14_512);
        assert_eq!(Measured::until_contained(later, "2026-03-02T09:14:27Z"), None);
        assert_eq!(Measured::until_contained("soon", later), None);
        assert_eq!(Measured::finding("Contain", ""), None);
    }
}
