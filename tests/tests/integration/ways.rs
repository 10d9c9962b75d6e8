//! What may become of a call that is made to fail, and which calls there are.

use std::fmt;

use anyhow::{Context, Result};
use harness::faults::Strike;
use harness::steps::{Step, allowed};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Throttled,
    InternalFailure,
    Unavailable,
    Denied,
    Code(&'static str),
    TimedOut,
    LostBefore,
    LostAfter,
    KilledBefore,
    KilledAfter,
    OutOfMemory,
    /// The function's answer is this.
    Answered(&'static str),
    OutOfTimeBefore,
    OutOfTimeAfter,
    Stale,
}

impl Way {
    pub(crate) fn strike(self) -> Strike {
        match self {
            Self::Throttled => Strike::Throttled,
            Self::InternalFailure => Strike::InternalFailure,
            Self::Unavailable => Strike::Unavailable,
            Self::Denied => Strike::Denied,
            Self::Code(code) => Strike::error(code),
            Self::TimedOut => Strike::TimedOut,
            Self::LostBefore | Self::LostAfter => Strike::Dropped,
            Self::KilledBefore | Self::KilledAfter => Strike::Killed,
            Self::OutOfMemory => Strike::OutOfMemory,
            Self::Answered(answer) => Strike::Answered { answer },
            Self::OutOfTimeBefore | Self::OutOfTimeAfter => Strike::OutOfTime,
            Self::Stale => Strike::Stale,
        }
    }

    pub(crate) fn takes_effect(self) -> bool {
        matches!(self, Self::LostAfter | Self::KilledAfter | Self::OutOfTimeAfter)
    }

    pub(crate) fn ends_the_function(self) -> bool {
        matches!(
            self,
            Self::KilledBefore
                | Self::KilledAfter
                | Self::OutOfMemory
                | Self::OutOfTimeBefore
                | Self::OutOfTimeAfter
        )
    }

    /// How many calls of a function have to be struck before the machine notices: SDKs make up
    /// to three attempts of their own, where they see a reason to.
    pub(crate) fn attempts(self) -> u32 {
        let once = self.ends_the_function() || matches!(self, Self::Code(_) | Self::Stale);
        if once { 1 } else { 3 }
    }

    /// Whether it is the function itself that is struck, and not a call of it.
    pub(crate) fn strikes_the_function(self) -> bool {
        self.ends_the_function() || matches!(self, Self::Answered(_))
    }
}

impl fmt::Display for Way {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Throttled => "throttled",
            Self::InternalFailure => "internal failure",
            Self::Unavailable => "unavailable",
            Self::Denied => "denied",
            Self::Code(code) => code,
            Self::TimedOut => "no answer",
            Self::LostBefore => "lost before it took effect",
            Self::LostAfter => "lost after it took effect",
            Self::KilledBefore => "killed before it took effect",
            Self::KilledAfter => "killed after it took effect",
            Self::OutOfMemory => "out of memory",
            Self::Answered(answer) => return write!(out, "answers {answer}"),
            Self::OutOfTimeBefore => "out of time before it took effect",
            Self::OutOfTimeAfter => "out of time after it took effect",
            Self::Stale => "stale",
        })
    }
}

/// Whether it is no read, as IAM names the call.
pub(crate) fn changes_something(call: &str) -> bool {
    let (_, operation) = call.split_once(':').unwrap_or_default();
    !["Get", "List", "Invoke", "Assume"].iter().any(|reads| operation.starts_with(reads))
}

/// What a function may call, but for what Lambda does for it.
pub(crate) fn calls_of(folder: &str) -> Result<Vec<String>> {
    let step = Step::all()?.into_iter().find(|step| step.folder == folder);
    let step = step.with_context(|| format!("there is no function `{folder}`"))?;
    let policies = [Some(step.execution_policy), step.member_policy];
    let calls = policies.iter().flatten().flat_map(allowed);
    let others = ["logs:", "xray:", "kms:", "sts:SetSourceIdentity"];
    Ok(calls.filter(|call| !others.iter().any(|other| call.starts_with(other))).collect())
}
