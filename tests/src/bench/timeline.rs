//! What times say: how many calls followed each other, and when there was none.

/// A stretch of time, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) begun: f64,
    pub(super) ended: f64,
}

impl Span {
    /// Its length in milliseconds.
    pub(super) fn milliseconds(self) -> f64 {
        (self.ended - self.begun) * 1000.0
    }
}

/// The most spans of which each begins once the one before has ended: with calls that all take
/// about the same time, those that had to wait for each other.
pub(super) fn in_a_row(spans: &[Span]) -> u32 {
    let mut spans = spans.to_vec();
    spans.sort_by(|one, other| one.ended.total_cmp(&other.ended));
    let mut row = 0;
    let mut ended = f64::NEG_INFINITY;
    for span in spans {
        if span.begun >= ended {
            row += 1;
            ended = span.ended;
        }
    }
    row
}

/// How many milliseconds of `whole` are in none of the spans.
pub(super) fn outside(spans: &[Span], whole: Span) -> f64 {
    let mut spans = spans.to_vec();
    spans.sort_by(|one, other| one.begun.total_cmp(&other.begun));
    let mut outside = 0.0;
    let mut covered = whole.begun;
    for span in spans {
        let until = span.begun.min(whole.ended);
        outside += (until - covered).max(0.0);
        covered = covered.max(span.ended);
    }
    (outside + (whole.ended - covered).max(0.0)) * 1000.0
}

/// The middle one of some values, or the mean of both in the middle; nothing of none.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = *values.get(middle.checked_sub(1)?)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans<const N: usize>(ends: [(f64, f64); N]) -> [Span; N] {
        ends.map(|(begun, ended)| Span { begun, ended })
    }

    #[test]
    fn what_runs_at_the_same_time_counts_once_in_a_row() {
        assert_eq!(in_a_row(&[]), 0);
        // Three calls after each other, the middle one beside two others.
        let calls = spans([(0.0, 1.0), (1.0, 2.0), (1.1, 2.1), (1.2, 2.0), (2.1, 3.0)]);
        assert_eq!(in_a_row(&calls), 3);
        // A long one beside two short ones: the short ones are the longer row.
        assert_eq!(in_a_row(&spans([(0.0, 5.0), (0.0, 2.0), (2.0, 4.0)])), 2);
    }

    #[test]
    fn what_no_call_covers_is_outside() {
        let whole = Span { begun: 10.0, ended: 11.0 };
        assert!((outside(&[], whole) - 1000.0).abs() < 1e-6);
        let calls = spans([(10.1, 10.3), (10.2, 10.4), (10.25, 10.3), (10.6, 12.0)]);
        assert!((outside(&calls, whole) - 300.0).abs() < 1e-6);
        // What lies before it and after it is none of its time.
        let others = spans([(9.0, 9.5), (11.5, 12.0)]);
        assert!((outside(&others, whole) - 1000.0).abs() < 1e-6);
    }

    #[test]
    fn one_run_that_went_astray_does_not_move_the_median() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 900.0, 1.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 900.0]), Some(3.0));
    }
}
