//! The session in a member account, all that is read there, and the calls that change something.
//!
//! The only crate that assumes roles. Credentials live as long as the client of one
//! step and are never written anywhere.

pub mod change;
pub mod credential;
pub mod deny;
mod entry;
pub mod group;
pub mod policy;
pub mod principal;
pub mod readiness;
pub mod unused;
pub mod user;

use futures::StreamExt;
use incident::Failure;
use lambda::Measured;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use entry::{Entry, Grant, Only};
pub use readiness::Readiness;

use readiness::{Answered, Asked};

/// Runs the function of a step that acts in member accounts, until the process is ended: it does
/// the step, or says whether it could ([`readiness::check`]).
pub async fn run<I, O>(
    entry: &Entry,
    readiness: Readiness,
    step: impl AsyncFn(I) -> Result<O, Failure>,
) -> Result<(), lambda::Error>
where
    I: DeserializeOwned,
    O: Serialize,
{
    lambda::run(async |asked| match asked {
        Asked::Step(input) => step(input).await.map(Answered::Step),
        Asked::Readiness(input) => {
            readiness::check(entry, readiness, input).await.map(Answered::Readiness)
        }
    })
    .await
}

/// The same, with what is measured of the step's input written to the log before.
pub async fn run_measured<I, O>(
    entry: &Entry,
    readiness: Readiness,
    measured: impl Fn(&I) -> Option<Measured>,
    step: impl AsyncFn(I) -> Result<O, Failure>,
) -> Result<(), lambda::Error>
where
    I: DeserializeOwned,
    O: Serialize,
{
    run(entry, readiness, async |input| {
        lambda::measure(measured(&input).as_ref());
        step(input).await
    })
    .await
}

/// Runs calls at once, at most eight at a time: IAM throttles by account, so one principal is
/// not to use up what all share. One that fails keeps none of the others from being made.
/// Returns their answers in order, or the first failure.
pub async fn concurrently<T, F>(calls: impl IntoIterator<Item = F>) -> Result<Vec<T>, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let answers: Vec<_> = futures::stream::iter(calls).buffered(8).collect().await;
    answers.into_iter().collect()
}

/// The failure that an answer without its content means.
pub(crate) fn incomplete(call: &'static str) -> Failure {
    Failure::ServiceUnavailable { call, source: "the answer is incomplete".into() }
}

pub(crate) fn sorted(items: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut items: Vec<String> = items.into_iter().collect();
    items.sort();
    items
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn all_calls_are_made_eight_at_a_time_and_the_first_failure_is_told() {
        let (under_way, most, made) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let calls = (0..20).map(async |n| {
            under_way.set(under_way.get() + 1);
            most.set(most.get().max(under_way.get()));
            tokio::task::yield_now().await;
            under_way.set(under_way.get() - 1);
            made.set(made.get() + 1);
            match n {
                3 => Err(Failure::DenyMissing("3".to_owned())),
                7 => Err(Failure::FindingNotFound),
                _ => Ok(n),
            }
        });
        assert_eq!(concurrently(calls).await.unwrap_err().name(), "DenyMissing");
        assert_eq!((most.get(), made.get()), (8, 20));
        let calls = [2, 1].map(async |n| Ok(n));
        assert_eq!(concurrently(calls).await.unwrap(), [2, 1]);
    }
}
