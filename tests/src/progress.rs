//! What a person sees while something takes a while.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Prints each finished step with the time it took. On a terminal, the steps under way
/// are shown on the last line.
pub struct Progress {
    terminal: bool,
    under_way: Mutex<Vec<String>>,
}

impl Progress {
    /// To standard error.
    pub fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), under_way: Mutex::new(Vec::new()) }
    }

    /// Runs a step and says how long it took, unless there was nothing to do. A step that
    /// fails prints nothing: its error is told once, at the end.
    pub async fn step<T, E>(
        &self,
        name: &str,
        step: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let begun = Instant::now();
        self.show(|under_way| under_way.push(name.to_owned()), None);
        let result = step.await;
        let worth_telling = result.is_ok() && begun.elapsed() >= Duration::from_millis(100);
        let line = worth_telling.then(|| format!("  {name:<52} {:>7}", Seconds(begun.elapsed())));
        self.show(|under_way| under_way.retain(|other| other != name), line);
        result
    }

    /// Prints a line of its own.
    pub fn say(&self, line: impl Display) {
        self.show(|_| (), Some(line.to_string()));
    }

    fn show(&self, change: impl FnOnce(&mut Vec<String>), line: Option<String>) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut under_way);
        let mut out = std::io::stderr().lock();
        let mut text = String::new();
        if self.terminal {
            text.push_str("\r\x1b[K");
        }
        if let Some(line) = line {
            text.push_str(&line);
            text.push('\n');
        }
        if self.terminal && !under_way.is_empty() {
            // A line that the terminal broke could not be taken back as a whole.
            let line = format!("  … {}", under_way.join(", "));
            text.extend(line.chars().take(79));
        }
        // Nobody is left to tell when standard error is closed.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

/// A time as a person reads it: `0.3 s`.
pub struct Seconds(pub Duration);

impl Display for Seconds {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(&format!("{:.1} s", self.0.as_secs_f64()))
    }
}
