//! The rules that the state machine's file keeps. They need no local AWS, and take
//! milliseconds.
//!
//! - [`errors`]: what may fail is retried, caught and known by name.
//! - [`order`]: what comes before what.
//! - [`told`]: people are told, and the execution can be redriven.
//! - [`restore`]: the same of the machine that gives back.
//! - [`values`]: variables, and what is in them.
//! - [`limits`]: how long people wait at most, and how many events there are at most.
//!
//! What the expressions in the file amount to, and how large the payloads get, is tested
//! in `infra/test`, with the library `jsonata` itself.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails here is to fail the test"
)]

mod errors;
mod graph;
mod limits;
mod order;
mod restore;
mod told;
mod values;
mod walk;
