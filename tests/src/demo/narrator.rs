//! What the demo prints.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use aws_sdk_sfn::types::{HistoryEvent, HistoryEventType};

use crate::execution::describe;

/// The columns of a line's time.
const BEFORE_A_LINE: usize = 13;

/// Colours, on a terminal that shows them.
#[derive(Clone, Copy)]
pub(super) struct Style {
    colours: bool,
}

impl Style {
    pub(super) fn of_standard_output() -> Self {
        let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colours }
    }

    pub(super) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Tells what happens, with the time since the finding was sent.
pub(super) struct Narrator {
    style: Style,
    begun: Duration,
    /// The states that were entered and not left yet.
    open: Vec<(String, Duration)>,
    told: usize,
}

impl Narrator {
    /// `begun` is the finding's moment, since 1970.
    pub(super) fn new(style: Style, begun: Duration) -> Self {
        Self { style, begun, open: Vec::new(), told: 0 }
    }

    /// Tells what is new in a history, with other news at their time in between.
    pub(super) fn tell(
        &mut self,
        out: &mut impl Write,
        history: &[HistoryEvent],
        news: Vec<(Duration, String)>,
    ) -> io::Result<()> {
        let mut lines: Vec<(Duration, String)> = news
            .into_iter()
            .map(|(time, text)| (time, self.style.strong(&format!("● {text}"))))
            .collect();
        for event in history.iter().skip(self.told) {
            let time = time_of(event);
            lines.extend(self.line(event, time).map(|line| (time, line)));
        }
        self.told = history.len();
        lines.sort_by_key(|(time, _)| *time);
        for (time, line) in lines {
            let since = time.saturating_sub(self.begun).as_millis();
            writeln!(out, "  {since:>6} ms  {line}")?;
        }
        Ok(())
    }

    fn line(&mut self, event: &HistoryEvent, time: Duration) -> Option<String> {
        if let Some(entered) = &event.state_entered_event_details {
            let line = format!("{}→ {}", self.indent(), entered.name);
            self.open.push((entered.name.clone(), time));
            return Some(line);
        }
        if let Some(exited) = &event.state_exited_event_details {
            let at = self.open.iter().rposition(|(name, _)| *name == exited.name)?;
            let (name, entered) = self.open.remove(at);
            let took = time.saturating_sub(entered).as_millis();
            let indent = self.indent();
            let width = 30_usize.saturating_sub(indent.len());
            return Some(format!(
                "{indent}{} {name:<width$}{}",
                self.style.good("✓"),
                self.style.faint(&format!("{took:>6} ms"))
            ));
        }
        let failed = matches!(
            event.r#type,
            HistoryEventType::TaskFailed
                | HistoryEventType::TaskTimedOut
                | HistoryEventType::ExecutionFailed
                | HistoryEventType::ExecutionTimedOut
                | HistoryEventType::EvaluationFailed
        );
        failed.then(|| {
            let indent = self.indent();
            let column = BEFORE_A_LINE + indent.len();
            self.style
                .bad(&format!("{indent}{}", wrapped(&format!("✗ {}", describe(event)), column)))
        })
    }

    /// States of a Map or a Parallel stand further in. Siblings that run at the same time
    /// stand side by side.
    fn indent(&self) -> String {
        const HOLD_OTHERS: [&str; 2] = ["Principals", "Contain"];
        let depth =
            self.open.iter().filter(|(name, _)| HOLD_OTHERS.contains(&name.as_str())).count();
        "  ".repeat(depth)
    }
}

/// Since 1970, as Step Functions has it.
fn time_of(event: &HistoryEvent) -> Duration {
    let nanoseconds = event.timestamp.as_nanos().max(0);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// Breaks a text that begins in a column into lines that end before the 80th, and all begin
/// there: between words where there are any.
pub(super) fn wrapped(text: &str, column: usize) -> String {
    let options = textwrap::Options::new(80_usize.saturating_sub(column))
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).join(&format!("\n{:column$}", ""))
}
