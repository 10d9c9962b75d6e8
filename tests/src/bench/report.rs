//! The figures: as a file for the next run, and as a table for people.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::place;

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

    /// The table; with a former report, both figures of each and by what factor they differ.
    pub(super) fn table(&self, former: Option<&Self>) -> String {
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
            for (step, calls) in &calls.steps {
                let calls = calls.iter().map(|(call, count)| format!("{call} {count}"));
                wrapped(&mut table, step, calls);
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

// Writing to a string cannot fail.

fn heading(table: &mut String, text: &str) {
    let _ = writeln!(table, "\n{text}");
}

fn line(table: &mut String, name: &str, [now, before, ratio]: [&str; 3]) {
    let line = format!("  {name:<42}{now:>12}{before:>13}{ratio:>8}");
    let _ = writeln!(table, "{}", line.trim_end());
}

fn wrapped(table: &mut String, name: &str, items: impl Iterator<Item = String>) {
    const INDENT: usize = 20;
    let mut items = items.peekable();
    let mut line = format!("  {name:<width$}", width = INDENT - 2);
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
            report.table(None),
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
            report.table(Some(&former)),
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
        let calls = ["DeleteUserPolicy", "GetUser", "ListAttachedUserPolicies", "UpdateAccessKey"];
        let calls = calls.map(|call| (format!("iam:{call}"), 10.0)).into();
        let report = Report {
            calls: vec![Calls {
                of: "a large user: after the deny".to_owned(),
                steps: [("DeactivateKeys".to_owned(), calls)].into(),
            }],
            ..Report::default()
        };
        let table = report.table(None);
        assert_eq!(
            table,
            "
a large user: after the deny
  DeactivateKeys    iam:DeleteUserPolicy 10, iam:GetUser 10,
                    iam:ListAttachedUserPolicies 10, iam:UpdateAccessKey 10
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
