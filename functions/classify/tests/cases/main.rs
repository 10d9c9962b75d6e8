//! What `classify` makes of the events that Security Hub sends.
//!
//! - [`case`]: the folders under `cases/`; a new case needs no Rust.
//! - [`verdicts`]: every case has its verdict, every rule its cases.
//! - [`mutations`]: every field of every case damaged, one at a time.
//! - [`properties`]: whatever the bytes.
//! - [`limits`]: what holds of every verdict, right or wrong.

mod case;
mod limits;
mod mutations;
mod properties;
mod verdicts;
