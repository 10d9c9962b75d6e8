//! What becomes of a finding: the state in which its execution ends, the workflow status that
//! it then has, and what people are told. The three always go together.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use harness::execution::Execution;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Telling;
use harness::user::Snapshot;
use serde_json::Value;

use crate::incident::workflow;
use crate::truth;

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
    /// The same, line by line.
    page: String,
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

    /// Fails unless the mail is true of whom the finding names, who were like this before, and
    /// of whomever else it tells of.
    pub(crate) async fn is_true(
        &self,
        aws: &LocalAws,
        finding: &Finding,
        before: &Accused,
    ) -> Result<()> {
        let now = accused(aws, finding).await?;
        for (who, before) in before {
            // Who was renamed meanwhile has another ARN in the mail.
            if let Some(now) = now.get(who).filter(|_| !self.page.is_empty()) {
                truth::holds(&self.page, before, now)?;
            }
        }
        for (account, kind, name) in truth::told_of(&self.page) {
            let known = before.contains_key(&(kind.to_owned(), name.to_owned()));
            if !known && let Some(now) = principal(aws, account, kind, name).await? {
                truth::leaves(&self.page, &now)?;
            }
        }
        Ok(())
    }
}

/// Sends a finding as its product would, and waits for this end.
pub(crate) async fn leads_to(aws: &LocalAws, finding: &Finding, end: End) -> Result<Judged> {
    // The futures of the SDK are large.
    let before = Box::pin(accused(aws, finding)).await?;
    Box::pin(aws.send(finding)).await?;
    let execution = Box::pin(aws.execution_of(finding)).await?;
    let judged = Box::pin(ends(aws, execution, finding, end)).await?;
    Box::pin(judged.is_true(aws, finding, &before)).await?;
    Ok(judged)
}

/// The users and roles that a finding names and its account has, as they are, by kind and name.
pub(crate) type Accused = BTreeMap<(String, String), Snapshot>;

/// Reads whom a finding names, by ARN or as the owner of a key or a session.
pub(crate) async fn accused(aws: &LocalAws, finding: &Finding) -> Result<Accused> {
    let mut all = Accused::new();
    for resource in finding.asff()["Resources"].as_array().into_iter().flatten() {
        let named = named(finding.account(), resource).map(|(kind, name)| (kind, name.to_owned()));
        let owner = owner(aws, finding.account(), resource).await.map(|owner| ("user", owner));
        for (kind, name) in [named, owner].into_iter().flatten() {
            let found = principal(aws, finding.account(), kind, &name).await?;
            all.extend(found.map(|found| ((kind.to_owned(), name), found)));
        }
    }
    Ok(all)
}

/// A user or role as it is, if there is one.
async fn principal(
    aws: &LocalAws,
    account: &str,
    kind: &str,
    name: &str,
) -> Result<Option<Snapshot>> {
    Ok(match kind {
        "user" => aws.user_if_any(account, name).await?,
        _ => aws.role_if_any(account, name).await?.map(Snapshot::from),
    })
}

/// The user who has the access key of a resource, if there is one.
async fn owner(aws: &LocalAws, account: &str, resource: &Value) -> Option<String> {
    let by_id = || resource["Id"].as_str()?.strip_prefix("AWS::IAM::AccessKey:");
    let key = resource["Details"]["AwsIamAccessKey"]["AccessKeyId"].as_str().or_else(by_id)?;
    let iam = aws.account(account).iam();
    iam.get_access_key_last_used().access_key_id(key).send().await.ok()?.user_name
}

/// Whom a resource of a finding names in its account, if IAM allows such a name.
fn named<'a>(account: &str, resource: &'a Value) -> Option<(&'a str, &'a str)> {
    let by_arn = || {
        let arn = resource["Id"].as_str()?.strip_prefix("arn:aws:iam::")?;
        let (kind, path) = arn.strip_prefix(account)?.strip_prefix(':')?.split_once('/')?;
        Some((kind, path.rsplit('/').next()?))
    };
    let by_details = || {
        let key = &resource["Details"]["AwsIamAccessKey"];
        let name = key["PrincipalName"].as_str().or(key["UserName"].as_str())?;
        let is_role = key["PrincipalType"] == "AssumedRole" || key["PrincipalType"] == "Role";
        Some((if is_role { "role" } else { "user" }, name))
    };
    let is_name = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        (1..=64).contains(&name.len()) && name.bytes().all(plain)
    };
    by_arn()
        .or_else(by_details)
        .filter(|(kind, name)| ["user", "role"].contains(kind) && is_name(name))
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
        return Ok(Judged { execution, told: String::new(), page: String::new() });
    };
    let told = aws
        .topics()
        .alerts
        .message(format_args!("{telling:?} from `{}`", execution.name()), |message| {
            message.tells(telling, &execution.arn)
        })
        .await?;
    let judged = Judged { execution, told: told.text, page: told.page };
    judged.told(&[finding.id(), finding.account()])?;
    Ok(judged)
}
