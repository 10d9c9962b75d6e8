//! The session in a member account, and what is read there.
//!
//! The only crate that assumes roles. Credentials live as long as the client of one
//! step and are never written anywhere.

mod entry;
pub mod principal;
pub mod user;

use futures::StreamExt;

pub use entry::{Entry, Grant};

/// Runs calls at once, at most eight at a time, and gives their answers in order. IAM
/// throttles by account, so one principal is not to use up what all share.
pub async fn concurrently<F: Future>(calls: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    futures::stream::iter(calls).buffered(8).collect().await
}
