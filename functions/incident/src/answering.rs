use serde::{Deserialize, Serialize};

use crate::Mode;

/// Whether anything would come of a finding at all, however well accounts can be entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answering {
    /// The response policy's mode; none, where it is unusable.
    pub mode: Option<Mode>,
    /// How many accounts the response policy is limited to, if it is.
    pub scope: Option<usize>,
    /// What keeps findings from being answered.
    pub hindered: Vec<Hindrance>,
    /// What is wrong with the response policy.
    pub why: Option<String>,
}

/// What keeps findings from being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Hindrance {
    /// The response policy's mode is `off`.
    ModeOff,
    /// The response policy can't be understood.
    PolicyUnusable,
    /// The rule that starts an execution for each finding is disabled.
    RuleDisabled,
    /// No subscription to what responders are told is confirmed.
    NobodySubscribed,
}
