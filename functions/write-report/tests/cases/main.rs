//! What `write-report` makes of what the state machine knows.
//!
//! - [`case`]: the folders under `cases/`; a new case needs no Rust.
//! - [`reports`]: every case has its report, and the README names it.
//! - [`advice`]: what is advised, for each verdict and error, and what never is.
//! - [`hostile`]: the worst names, titles and sizes.
//! - [`limits`]: what holds of every report.
//! - [`readiness`]: the folders under `readiness/`, each with its mail.
//! - [`restore`]: the folders under `restore/`, and in which order a plan's commands stand.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy takes only the functions marked as tests for tests"
)]

mod advice;
mod case;
mod hostile;
mod limits;
mod readiness;
mod reports;
mod restore;
mod restored;
