//! The figures: as a file for the next run, and as a table for people.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::place;
use crate::steps::Step;

/// No line of the table is longer.
const WIDTH: usize = 80;

/// All that was measured.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Report {
    /// How long each call of a function was held.
    pub(super) hold_milliseconds: u32,
    pub(super) groups: Vec<Group>,
    pub(super) calls: Vec<Calls>,
}

/// Figures about one thing.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) figures: Vec<Figure>,
}

/// One figure.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Unit {
    Calls,
    Megabytes,
    Milliseconds,
}

/// What functions called at one time, by step and call.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Calls {
    pub(super) of: String,
    pub(super) steps: Steps,
}

/// How many calls there were of each name, by step.
pub(super) type Steps = BTreeMap<String, BTreeMap<String, f64>>;

impl Figure {
    pub(super) fn new(name: impl Into<String>, unit: Unit, value: f64) -> Self {
        Self { name: name.into(), unit, value }
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Calls => format!("{value}"),
            Self::Megabytes => format!("{value:.2} MB"),
            Self::Milliseconds if value < 100.0 => format!("{value:.1} ms"),
            Self::Milliseconds => format!("{value:.0} ms"),
        }
    }
}

impl Report {
    /// What an earlier run has written, if its calls were held as long.
    pub(super) fn read(path: &Path, hold_milliseconds: u32) -> Result<Self> {
        let former: Self =
            place::read_json(path)?.with_context(|| format!("there is no `{}`", path.display()))?;
        ensure!(
            former.hold_milliseconds == hold_milliseconds,
            "the calls of `{}` were held {} ms, not {hold_milliseconds}: compare with `HOLD={}`",
            path.display(),
            former.hold_milliseconds,
            former.hold_milliseconds
        );
        Ok(former)
    }

    /// The table; with a former report, both figures of each and by what factor they differ. Why
    /// a step makes a call, its own policies say.
    pub(super) fn table(&self, former: Option<&Self>, steps: &[Step]) -> String {
        let mut table = String::new();
        if former.is_some() {
            line(&mut table, "", ["now", "before", "ratio"]);
        }
        for group in &self.groups {
            heading(&mut table, &group.name);
            for figure in &group.figures {
                let shown = figure.unit.show(figure.value);
                let before = former.map(|former| former.find(&group.name, &figure.name));
                let [before, ratio] = match before {
                    None => [String::new(), String::new()],
                    Some(None) => ["-".to_owned(), "-".to_owned()],
                    Some(Some(before)) => {
                        [before.unit.show(before.value), ratio(figure.value, before.value)]
                    }
                };
                line(&mut table, &figure.name, [&shown, &before, &ratio]);
            }
            for gone in former.into_iter().flat_map(|former| former.gone(self, &group.name)) {
                line(&mut table, &gone.name, ["-", &gone.unit.show(gone.value), "-"]);
            }
        }
        for calls in &self.calls {
            heading(&mut table, &calls.of);
            for (state, calls) in &calls.steps {
                let _ = writeln!(table, "  {state}");
                let step = steps.iter().find(|step| step.state == *state);
                let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
                for (call, count) in calls {
                    let reason = step.and_then(|step| reason(step, call));
                    let reason = reason.unwrap_or_else(|| "nobody says why".to_owned());
                    reasons.entry(reason).or_default().push(format!("{call} {count}"));
                }
                for (reason, calls) in reasons {
                    let _ = writeln!(table, "    {reason}");
                    wrapped(&mut table, calls);
                }
            }
        }
        table
    }

    fn find(&self, group: &str, name: &str) -> Option<&Figure> {
        let group = self.groups.iter().find(|other| other.name == group)?;
        group.figures.iter().find(|figure| figure.name == name)
    }

    /// The figures of a group that a later report has no more.
    fn gone<'a>(&'a self, later: &'a Self, group: &'a str) -> impl Iterator<Item = &'a Figure> {
        let own = self.groups.iter().filter(move |other| other.name == group);
        let figures = own.flat_map(|group| &group.figures);
        figures.filter(move |figure| later.find(group, &figure.name).is_none())
    }
}

fn ratio(now: f64, before: f64) -> String {
    if before == 0.0 { "-".to_owned() } else { format!("{:.2}", now / before) }
}

/// Why a step makes a call: the name of the statement that allows it, in words.
fn reason(step: &Step, call: &str) -> Option<String> {
    if call == "iam:GetAccountSummary" {
        return Some("open the connection to IAM, by a call that is refused".to_owned());
    }
    let policies = [Some(&step.execution_policy), step.member_policy.as_ref()];
    let statements = policies.into_iter().flatten().filter_map(|it| it["Statement"].as_array());
    let is_it = |action: &Value| action == call;
    let mut allowing = statements.flatten().filter(|statement| statement["Effect"] == "Allow");
    let statement = allowing.find(|statement| match &statement["Action"] {
        Value::Array(actions) => actions.iter().any(is_it),
        action => is_it(action),
    })?;
    let mut words = String::new();
    let mut letters = statement["Sid"].as_str()?.chars().peekable();
    let mut ends_a_word = false;
    while let Some(letter) = letters.next() {
        let begins_one = letters.peek().is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && (ends_a_word || begins_one && !words.is_empty()) {
            words.push(' ');
        }
        ends_a_word = letter.is_ascii_lowercase();
        words.push(letter.to_ascii_lowercase());
    }
    Some(words)
}

// Writing to a string cannot fail.

fn heading(table: &mut String, text: &str) {
    let _ = writeln!(table, "\n{text}");
}

fn line(table: &mut String, name: &str, [now, before, ratio]: [&str; 3]) {
    let line = format!("  {name:<42}{now:>12}{before:>13}{ratio:>8}");
    let _ = writeln!(table, "{}", line.trim_end());
}

fn wrapped(table: &mut String, items: Vec<String>) {
    const INDENT: usize = 6;
    let mut items = items.into_iter().peekable();
    let mut line = " ".repeat(INDENT);
    while let Some(item) = items.next() {
        let item = if items.peek().is_some() { format!("{item},") } else { item };
        if line.len() > INDENT && line.len() + 1 + item.len() > WIDTH {
            let _ = writeln!(table, "{line}");
            line = " ".repeat(INDENT);
        }
        if line.len() > INDENT {
            line.push(' ');
        }
        line.push_str(&item);
    }
    let _ = writeln!(table, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(hold_milliseconds: u32, refused: f64, figures: &[(&str, Unit, f64)]) -> Report {
        let figures = figures.iter().map(|(name, unit, value)| Figure::new(*name, *unit, *value));
        let own = [Figure::new("refused after", Unit::Milliseconds, refused)];
        Report {
            hold_milliseconds,
            groups: vec![Group {
                name: "a small user".to_owned(),
                figures: own.into_iter().chain(figures).collect(),
            }],
            calls: Vec::new(),
        }
    }

    #[test]
    fn a_table_of_one_run_has_a_line_for_each_figure() {
        let report =
            report(40, 340.6, &[("in a row", Unit::Calls, 8.0), ("package", Unit::Megabytes, 3.9)]);
        assert_eq!(
            report.table(None, &[]),
            "
a small user
  refused after                                   341 ms
  in a row                                             8
  package                                        3.90 MB
"
        );
    }

    #[test]
    fn a_comparison_has_both_figures_and_their_ratio() {
        let former =
            report(40, 320.0, &[("start", Unit::Milliseconds, 0.0), ("dropped", Unit::Calls, 3.0)]);
        let report =
            report(40, 400.0, &[("start", Unit::Milliseconds, 2.25), ("new", Unit::Calls, 1.0)]);
        assert_eq!(
            report.table(Some(&former), &[]),
            "                                                     now       before   ratio

a small user
  refused after                                   400 ms       320 ms    1.25
  start                                           2.2 ms       0.0 ms       -
  new                                                  1            -       -
  dropped                                              -            3       -
"
        );
    }

    #[test]
    fn lists_of_calls_are_wrapped_at_the_width() {
        let calls = ["iam:GetUser", "iam:UpdateAccessKey", "iam:UpdateSigningCertificate"];
        let more = ["iam:UpdateServiceSpecificCredential", "iam:DeleteUser"];
        let calls = calls.iter().chain(&more).map(|call| ((*call).to_owned(), 10.0)).collect();
        let report = Report {
            calls: vec![Calls {
                of: "a large user: after the deny".to_owned(),
                steps: [("DeactivateKeys".to_owned(), calls)].into(),
            }],
            ..Report::default()
        };
        let table = report.table(None, &Step::all().unwrap());
        assert_eq!(
            table,
            "
a large user: after the deny
  DeactivateKeys
    change the status of credentials
      iam:UpdateAccessKey 10, iam:UpdateServiceSpecificCredential 10,
      iam:UpdateSigningCertificate 10
    nobody says why
      iam:DeleteUser 10
    see that it is the user that was identified
      iam:GetUser 10
"
        );
        assert!(table.lines().all(|line| line.len() <= WIDTH), "{table}");
    }

    #[test]
    fn a_report_is_read_back_as_written_and_only_compared_with_its_like() {
        let path = std::env::temp_dir().join(format!("cordon-bench-{}.json", std::process::id()));
        let written = report(40, 1.5, &[]);
        place::write_json(&path, &written).unwrap();
        let read = Report::read(&path, 40).unwrap();
        let other = Report::read(&path, 41).unwrap_err().to_string();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read, written);
        assert!(other.contains("were held 40 ms, not 41"), "{other}");
        let missing = Report::read(&path, 40).unwrap_err().to_string();
        assert!(missing.starts_with("there is no `"), "{missing}");
    }
}
