//! The demo: one incident, from an attacker at work to the proof that it is contained.

mod attacker;
mod narrator;
mod proof;
mod way_back;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

use anyhow::Result;
use aws_sdk_sfn::types::ExecutionStatus;

use crate::execution::Execution;
use crate::finding::Finding;
use crate::local_aws::{LocalAws, now};
use crate::user::{ADMINISTRATOR_ACCESS, Snapshot, User, allow_all};
use crate::{MEMBERS, REGION, SECURITY};

use attacker::Attack;
use narrator::{Narrator, Style, wrapped};
use proof::Incident;

/// The user that the attacker has got hold of.
const USER: &str = "dangerous-test-user";

/// How often the execution's history is read.
const GLANCE: Duration = Duration::from_millis(40);

/// Shows an incident, in lines of at most 80 columns, and how everything is given back if that
/// is wanted; says whether every proof held.
pub async fn run(aws: &LocalAws, out: &mut impl Write, restore: bool) -> Result<bool> {
    let style = Style::of_standard_output();
    let user = dangerous_user(aws).await?;
    let key = user.access_key().await?;
    let session = user.session(&key).await?;
    let before = user.read_back().await?;
    let name = aws.unique(USER);
    let finding = Finding::of_account(MEMBERS[0], &name).resource("AwsIamUser", &user.arn);

    writeln!(out, "\n{}\n", style.strong("An incident"))?;
    let scene = format!(
        "In account {}, the user {USER} may do everything. An attacker has its access key {}, and a \
         session made with it, and uses both without a pause. Now Security Hub gets a CRITICAL \
         finding: IAM user has AdministratorAccess.",
        user.account, key.id
    );
    writeln!(out, "  {}\n", wrapped(&scene, 2))?;

    let mut attack =
        Attack::begin([("access key", user.with_key(&key)), ("session", session.clients.clone())])
            .await?;
    let begun = now();
    aws.import(&finding).await?;
    let execution = aws.execution_of(&finding).await?;
    watch(out, &execution, || attack.news(), Narrator::new(style, begun)).await?;
    let refusals = attack.end().await?;

    show_change(out, style, &before, &user.read_back().await?)?;
    let incident = Incident {
        aws,
        user: &user,
        key: &key,
        session: &session,
        finding: &finding,
        execution: &execution,
        before: &before,
        begun,
        refusals: &refusals,
    };
    let mut proven = proof::show(out, style, &incident).await?;
    if restore {
        proven &= way_back::show(out, style, &incident).await?;
    }
    look_further(out, style, aws, restore)?;
    Ok(proven)
}

/// Makes the user anew: an earlier demo has left it contained.
async fn dangerous_user(aws: &LocalAws) -> Result<User> {
    aws.remove_user(MEMBERS[0], USER).await?;
    let user = aws.user().name(USER).create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.put_inline("allow-everything", &allow_all()).await?;
    user.join_new_group("admins", ADMINISTRATOR_ACCESS).await?;
    Ok(user)
}

/// Tells what happens as it happens, until the execution ends.
async fn watch(
    out: &mut impl Write,
    execution: &Execution,
    mut news: impl FnMut() -> Vec<(Duration, String)>,
    mut narrator: Narrator,
) -> Result<()> {
    loop {
        // In this order, so that the history that is told last is complete.
        let status = execution.describe().await?.status;
        let history = execution.history().await?;
        narrator.tell(out, &history.events, news())?;
        if status != ExecutionStatus::Running {
            return Ok(());
        }
        tokio::time::sleep(GLANCE).await;
    }
}

fn show_change(
    out: &mut impl Write,
    style: Style,
    before: &Snapshot,
    after: &Snapshot,
) -> io::Result<()> {
    writeln!(out, "\n{}\n", style.strong("The user, before and after"))?;
    let names = |arns: &BTreeSet<String>| {
        arns.iter().map(|arn| arn.rsplit('/').next().unwrap_or(arn).to_owned()).collect::<Vec<_>>()
    };
    let credentials = |user: &Snapshot| {
        user.credentials.iter().map(|(id, status)| format!("{id} {status}")).collect::<Vec<_>>()
    };
    let boundary = |user: &Snapshot| names(&user.boundary.iter().cloned().collect());
    let rows = [
        ("boundary", boundary(before), boundary(after)),
        ("policies", names(&before.attached), names(&after.attached)),
        (
            "inline policies",
            before.inline.keys().cloned().collect(),
            after.inline.keys().cloned().collect(),
        ),
        ("groups", names(&before.groups), names(&after.groups)),
        ("credentials", credentials(before), credentials(after)),
    ];
    let rows = rows.map(|(what, before, after)| (what, or_none(&before), or_none(&after)));
    let width = rows.iter().map(|(_, before, _)| before.len()).max().unwrap_or_default();
    for (what, before, after) in rows {
        writeln!(out, "  {what:<16} {before:<width$}   {after}")?;
    }
    for (key, value) in &after.tags {
        writeln!(out, "  {:<16} {}", "tag", wrapped(&format!("{key} = {value}"), 19))?;
    }
    Ok(())
}

fn or_none(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

/// Where to look. The user's tag names the execution, unless everything is given back.
fn look_further(
    out: &mut impl Write,
    style: Style,
    aws: &LocalAws,
    restored: bool,
) -> io::Result<()> {
    let (url, bucket, member) = (aws.url(), &aws.outputs().evidence_bucket_name, MEMBERS[0]);
    writeln!(out, "\n{}\n", style.strong("Look further"))?;
    writeln!(
        out,
        "  Everything is still there, at {url}, until `make down`.
  The mails: target/debug/local mails"
    )?;
    if restored {
        return Ok(());
    }
    write!(
        out,
        "  With the AWS CLI, or any SDK:

  export AWS_ENDPOINT_URL={url} AWS_DEFAULT_REGION={REGION}
  export AWS_ACCESS_KEY_ID={member} AWS_SECRET_ACCESS_KEY=local
  aws iam list-attached-user-policies --user-name {USER}
  execution=$(aws iam list-user-tags --user-name {USER} \\
    --query 'Tags[?Key==`CordonExecution`].Value' --output text)

  export AWS_ACCESS_KEY_ID={SECURITY}
  aws stepfunctions get-execution-history --execution-arn \"$execution\"
  aws securityhub get-findings --query 'Findings[].[Id, Workflow, Note.Text]'
  aws s3 ls --recursive \\
    s3://{bucket}/evidence/

"
    )
}
