//! The session in a member account, and all that is read there.
//!
//! The only crate that assumes roles. Credentials live as long as the client of one
//! step and are never written anywhere.

pub mod credential;
pub mod deny;
mod entry;
pub mod group;
pub mod policy;
pub mod principal;
pub mod unused;
pub mod user;

use futures::StreamExt;
use incident::Failure;

pub use entry::{Entry, Grant};

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
