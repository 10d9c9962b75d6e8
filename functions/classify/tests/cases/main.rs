//! What `classify` makes of the events that Security Hub sends.
//!
//! - [`case`]: the folders under `cases/`; a new case needs no Rust.
//! - [`verdicts`]: every case has its verdict, every rule its cases.
//! - [`flips`]: each field that qualifies a finding moves the verdict, or the case says why not.
//! - [`mutations`]: every field of every case damaged, one at a time.
//! - [`properties`]: whatever the bytes.
//! - [`hostile`]: findings as somebody would make them who means harm; `make fuzz` judges
//!   millions.
//! - [`ocsf`]: the same of findings in OCSF.
//! - [`read_back`]: what people start, and what earlier passes began.
//! - [`guardduty`]: each finding type of GuardDuty's.
//! - [`told`]: what people are told of a finding and of what is left to them.
//! - [`limits`]: what holds of every verdict, right or wrong.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy takes only the functions marked as tests for tests"
)]

mod case;
mod flips;
mod guardduty;
mod hostile;
mod limits;
mod mutations;
mod ocsf;
mod properties;
mod read_back;
mod told;
mod verdicts;
