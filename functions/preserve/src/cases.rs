//! Which case an incident belongs to. The deny is the mark of a containment: an incident
//! that met a standing deny joins the case, one that did not opens the next.
//!
//! All times are Step Functions': those of the states that reached, preserved and read
//! back. No I/O, no clock.

use aws_sdk_s3::primitives::DateTime;
use incident::Failure;

/// The most cases that a principal can have: their numbers have four digits.
const MOST: u16 = 9_999;

/// For so long an execution may be redriven, and a day more. An incident that was given up
/// before that has a case of its own.
///
/// Source: Step Functions Developer Guide, "Restarting state machine executions with
/// redrive" (14 days).
const REDRIVABLE: i64 = 15 * 24 * 60 * 60;

/// How a principal was reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached {
    pub(crate) since: DateTime,
    pub(crate) denied_before: bool,
}

/// The newest case of a principal, as the bucket has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) number: u16,
    /// What its original says; nothing, where that can't be read.
    pub(crate) opened: Option<Opened>,
    pub(crate) left: Left,
    /// Whether it was given back from this case's evidence.
    pub(crate) restored: bool,
}

/// What the original of a case says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opened {
    pub(crate) at: DateTime,
    /// Whether Quarantine had put the principal under the deny.
    pub(crate) denied: bool,
}

/// Whether a case was left: read back, and found contained.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Left {
    NotYet,
    At(DateTime),
    /// It says so, but not when.
    Unreadable,
}

/// Where the evidence goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Into a new case of this number.
    Open(u16),
    /// Into the case of this number.
    Join(u16),
}

/// The case of an incident that reached the principal so, and preserves it `now`.
///
/// Fails with [`Failure::LimitExceeded`] where no number is left.
pub(crate) fn decide(
    newest: Option<&Case>,
    reached: Reached,
    now: DateTime,
) -> Result<Decision, Failure> {
    let Some(case) = newest else { return Ok(Decision::Open(1)) };
    let Reached { since, denied_before } = reached;
    let joins = match (case.opened, case.left) {
        _ if case.restored => false,
        (None, _) => false,
        (Some(opened), Left::NotYet) => {
            now.secs() - opened.at.secs() < REDRIVABLE
                && (denied_before || since <= opened.at || !opened.denied)
        }
        (Some(_), Left::At(left)) => denied_before || since <= left,
        (Some(_), Left::Unreadable) => denied_before,
    };
    match (joins, case.number) {
        (true, number) => Ok(Decision::Join(number)),
        (false, number) if number < MOST => Ok(Decision::Open(number + 1)),
        (false, number) => Err(Failure::LimitExceeded {
            call: "another case of evidence",
            source: format!("the principal has {number} cases, and numbers have four digits")
                .into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    fn at(secs: i64) -> DateTime {
        DateTime::from_secs(secs)
    }

    fn case(denied: bool, left: Left) -> Case {
        let opened = Some(Opened { at: at(1_000), denied });
        Case { number: 7, opened, left, restored: false }
    }

    #[test]
    fn an_incident_joins_the_case_whose_deny_it_met_or_whose_beginning_it_shares() {
        let (open, left) = (case(true, Left::NotYet), case(true, Left::At(at(2_000))));
        let failed = case(false, Left::NotYet);
        let restored = Case { restored: true, ..left };
        let unreadable = Case { opened: None, ..left };
        let (join, next) = (Decision::Join(7), Decision::Open(8));
        let now = 1_010;
        let later = 1_000 + 15 * DAY;
        for (what, newest, since, denied_before, now, expected) in [
            ("nothing is known", None, 1_000, false, now, Decision::Open(1)),
            (
                "nothing is known, the customer's own deny",
                None,
                1_000,
                true,
                now,
                Decision::Open(1),
            ),
            // Not left yet.
            ("its own, again", Some(open), 999, false, now, join),
            ("beside it, before its deny", Some(open), 1_000, false, now, join),
            ("under its deny", Some(open), 1_001, true, now, join),
            ("given back, attacked again", Some(open), 1_001, false, now, next),
            ("its Quarantine failed", Some(failed), 1_001, false, now, join),
            ("redriven on the last day", Some(open), 999, true, later - 1, join),
            ("given up", Some(open), 2_000, true, later, next),
            ("given up, without a deny", Some(failed), 2_000, false, later, next),
            ("given up, and redriven nevertheless", Some(open), 999, false, later, next),
            // Left.
            ("found again long after, under its deny", Some(left), later, true, later, join),
            ("beside it, read back later", Some(left), 2_000, false, 2_010, join),
            ("given back by hand, attacked again", Some(left), 2_001, false, 2_010, next),
            (
                "left nobody knows when, denied",
                Some(case(true, Left::Unreadable)),
                2_001,
                true,
                2_010,
                join,
            ),
            ("left nobody knows when", Some(case(true, Left::Unreadable)), 999, false, 2_010, next),
            // Given back from the evidence, or no evidence.
            ("restored", Some(restored), 1_000, true, now, next),
            ("unreadable", Some(unreadable), 1_000, true, now, next),
        ] {
            let reached = Reached { since: at(since), denied_before };
            let decision = decide(newest.as_ref(), reached, at(now)).unwrap();
            assert_eq!(decision, expected, "{what}");
        }
    }

    #[test]
    fn parts_of_a_second_tell_times_apart() {
        let (opened, since) = (at(1_000), DateTime::from_secs_and_nanos(1_000, 1_000_000));
        let open =
            Case { opened: Some(Opened { at: opened, denied: true }), ..case(true, Left::NotYet) };
        let reached = Reached { since, denied_before: false };
        assert_eq!(decide(Some(&open), reached, at(1_010)).unwrap(), Decision::Open(8));
    }

    #[test]
    fn after_the_last_number_there_is_no_other() {
        let last = Case { number: 9_999, restored: true, ..case(true, Left::NotYet) };
        let reached = Reached { since: at(0), denied_before: false };
        let failure = decide(Some(&last), reached, at(0)).unwrap_err();
        assert!(failure.chain().contains("9999 cases"), "{}", failure.chain());
    }
}
