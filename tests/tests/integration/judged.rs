//! What becomes of a finding: the state in which its execution ends, the workflow status that
//! it then has, and what people are told. The three always go together.

use anyhow::{Result, ensure};
use harness::execution::Execution;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Telling;

use crate::incident::workflow;

/// How an execution ends that SUCCEEDED.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Every principal is dealt with.
    Contained,
    /// People are to deal with it.
    Escalated,
    /// People know what would have been done.
    Observed,
    /// People knew that before, on this day.
    ObservedToday,
    /// Nobody cares.
    Ignored,
    /// People who asked for more know that nothing more is done.
    Abandoned,
}

impl End {
    fn workflow(self) -> &'static str {
        match self {
            Self::Contained => "RESOLVED",
            Self::Escalated => "NOTIFIED",
            Self::Observed | Self::ObservedToday | Self::Ignored | Self::Abandoned => "NEW",
        }
    }

    /// The state in which the execution ends.
    fn state(self) -> &'static str {
        match self {
            Self::Contained => "Contained",
            Self::Escalated => "Escalated",
            Self::Observed => "Observed",
            Self::ObservedToday => "ObservedToday",
            Self::Ignored | Self::Abandoned => "Ignored",
        }
    }

    /// What the mail is about, if there is one.
    fn telling(self) -> Option<Telling> {
        match self {
            Self::Contained => Some(Telling::Done),
            Self::Escalated => Some(Telling::LeftToPeople),
            Self::Observed => Some(Telling::Observed),
            Self::Abandoned => Some(Telling::Abandoned),
            Self::ObservedToday | Self::Ignored => None,
        }
    }
}

/// An execution that has ended as it should, and its mail.
pub(crate) struct Judged {
    pub(crate) execution: Execution,
    /// What people were told in the end; nothing, where nobody was.
    pub(crate) told: String,
}

impl Judged {
    /// Fails unless people were told all of this, in whatever case.
    pub(crate) fn told(&self, parts: &[&str]) -> Result<()> {
        let told = self.told.to_lowercase();
        for part in parts {
            let part = part.to_lowercase();
            ensure!(told.contains(&part), "`{part}` is not in the mail: {}", self.told);
        }
        Ok(())
    }
}

/// Sends a finding as its product would, and waits for this end.
pub(crate) async fn leads_to(aws: &LocalAws, finding: &Finding, end: End) -> Result<Judged> {
    // The futures of the SDK are large.
    Box::pin(aws.send(finding)).await?;
    let execution = Box::pin(aws.execution_of(finding)).await?;
    Box::pin(ends(aws, execution, finding, end)).await
}

/// Waits for this end of a finding's execution.
pub(crate) async fn ends(
    aws: &LocalAws,
    execution: Execution,
    finding: &Finding,
    end: End,
) -> Result<Judged> {
    let output = execution.succeeds().await?.output.unwrap_or_default();
    let history = execution.history().await?;
    let state = history.last_state();
    ensure!(state == end.state(), "it ended in `{state}`, not {end:?}: {output}");
    let found = aws.in_security_hub(finding).await?;
    ensure!(workflow(&found) == end.workflow(), "the finding is {}", workflow(&found));
    let Some(telling) = end.telling() else {
        let path = history.path();
        let mails =
            path.iter().any(|state| state.starts_with("Tell") || state.starts_with("Alert"));
        ensure!(!mails, "people were told: {path:?}");
        return Ok(Judged { execution, told: String::new() });
    };
    let told = aws
        .topics()
        .alerts
        .message(format_args!("{telling:?} from `{}`", execution.name()), |message| {
            message.tells(telling, &execution.arn)
        })
        .await?;
    let judged = Judged { execution, told: told.text };
    judged.told(&[finding.id(), finding.account()])?;
    Ok(judged)
}
