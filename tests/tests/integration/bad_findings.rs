//! Findings that are hostile, mistaken or broken. Each ends in a state with a name, for a
//! reason that a person understands, and nobody is touched whom it is not about.

use anyhow::{Context, Result, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use harness::MEMBERS;
use harness::alone::Apart;
use harness::execution::Execution;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Telling;
use harness::user::{ADMINISTRATOR_ACCESS, User};
use serde_json::{Value, json};

use crate::incident::{Incident, workflow};
use crate::trials::Trials;

/// What Security Hub takes, in bytes.
///
/// <https://docs.aws.amazon.com/securityhub/latest/userguide/finding-update-batchimportfindings.html>
const LARGEST_FINDING: usize = 240 * 1024;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("an event without a finding is ignored", without_finding);
    trials.add("an event that is no event is ignored", no_event);
    trials.add("a finding without resources is ignored", without_resources);
    trials.add("a finding with fields of other types than its own is ignored", of_other_types);
    trials.add("a sample is ignored and stays NEW", sample);
    trials.add("a user that does not exist is left to people", missing_user);
    trials.add_apart("a user of another account is left to people", of_another_account);
    trials.add("a user of another partition is left to people", of_another_partition);
    trials.add("a name outside IAM's grammar is left to people", outside_grammar);
    trials.add("the one user that exists is contained, the other left to people", one_of_two);
    trials.add("a title can forge no line of a mail", forged_title);
    trials.add("any id of a finding fits the user's tags", hostile_id);
    trials.add("a finding of almost 240 KB ends RESOLVED", almost_largest);
    trials.add("a finding without room for a note ends RESOLVED all the same", largest);
}

/// The guide's user of an account, with a key.
async fn administrator(aws: &LocalAws, account: &str, name: String) -> Result<User> {
    let user = aws.user().account(account).name(name).create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.access_key().await?;
    Ok(user)
}

/// Starts the machine by hand, as no import could.
async fn is_ignored(aws: &LocalAws, input: &Value, because: &str) -> Result<()> {
    let execution = aws.start(input).await?;
    ends(aws, &execution, "Ignored", because).await?;
    nothing_was_called(aws, &execution).await
}

/// SUCCEEDED in a state, for a reason.
async fn ends(aws: &LocalAws, execution: &Execution, state: &str, because: &str) -> Result<()> {
    let end = execution.ends(ExecutionStatus::Succeeded).await?;
    let history = execution.history().await?;
    ensure!(history.last_state() == state, "it ended in `{}`", history.last_state());
    let output: Value = serde_json::from_str(&end.output.unwrap_or_default())?;
    let reason = output["reason"].as_str().unwrap_or_default();
    ensure!(!reason.is_empty(), "it gave no reason: {output:#}");
    let text = output.to_string();
    ensure!(text.contains(because), "`{because}` is not in {output:#}");
    if state == "Escalated" {
        let told = aws.topics().alerts.mention(&execution.arn).await?;
        ensure!(told.tells(Telling::LeftToPeople, &execution.arn), "{told:?}");
        ensure!(told.text.contains(because), "`{because}` is not in the mail: {}", told.text);
    }
    Ok(())
}

async fn nothing_was_called(aws: &LocalAws, execution: &Execution) -> Result<()> {
    let calls = aws.calls_of(execution).await?;
    ensure!(calls.is_empty(), "member accounts saw calls: {calls:#?}");
    Ok(())
}

/// Imports a finding that people have to look at, and says how it was told.
async fn is_left_to_people(aws: &LocalAws, finding: &Finding, because: &str) -> Result<Execution> {
    let execution = aws.respond_to(finding).await?;
    ends(aws, &execution, "Escalated", because).await?;
    let found = aws.in_security_hub(finding).await?;
    ensure!(workflow(&found) == "NOTIFIED", "the finding is {}", workflow(&found));
    Ok(execution)
}

async fn is_untouched(user: &User, before: &harness::user::Snapshot) -> Result<()> {
    let after = user.read_back().await?;
    ensure!(after == *before, "`{}` was {before:?} and is {after:?}", user.arn);
    Ok(())
}

async fn without_finding(aws: &LocalAws) -> Result<()> {
    let mut event = Finding::of_account(MEMBERS[0], "nobody").event();
    event["detail"]["findings"] = json!([]);
    is_ignored(aws, &event, "no finding").await?;
    event["detail"] = json!({});
    is_ignored(aws, &event, "no finding").await?;
    event["detail"]["findings"] = Value::Null;
    is_ignored(aws, &event, "no finding").await
}

async fn no_event(aws: &LocalAws) -> Result<()> {
    for input in [json!({}), json!([]), json!("finding"), json!(1), Value::Null] {
        is_ignored(aws, &input, "").await.with_context(|| format!("for `{input}`"))?;
    }
    Ok(())
}

async fn without_resources(aws: &LocalAws) -> Result<()> {
    let finding = new_by_hand(Finding::of_account(MEMBERS[0], &aws.unique("nobody")));
    is_ignored(aws, &finding.event(), "").await?;
    for resources in [Value::Null, json!({}), json!("all"), json!([null, 1, {}, { "Type": 1 }])] {
        let finding = finding.clone().with("Resources", resources.clone());
        is_ignored(aws, &finding.event(), "")
            .await
            .with_context(|| format!("for the resources {resources}"))?;
    }
    Ok(())
}

async fn of_other_types(aws: &LocalAws) -> Result<()> {
    let user = administrator(aws, MEMBERS[0], aws.unique("user")).await?;
    let before = user.read_back().await?;
    let finding = new_by_hand(Finding::about(&user));
    for field in ["Id", "ProductArn", "AwsAccountId", "Title", "Severity", "RecordState"] {
        for value in [Value::Null, json!(1), json!([]), json!({ "a": "b" })] {
            let finding = finding.clone().with(field, value.clone());
            is_ignored(aws, &finding.event(), "")
                .await
                .with_context(|| format!("for the `{field}` {value}"))?;
        }
    }
    is_untouched(&user, &before).await
}

/// Security Hub fills this in for what it imports.
fn new_by_hand(finding: Finding) -> Finding {
    finding.with("Workflow", json!({ "Status": "NEW" }))
}

async fn sample(aws: &LocalAws) -> Result<()> {
    let user = administrator(aws, MEMBERS[0], aws.unique("user")).await?;
    let before = user.read_back().await?;
    let finding = Finding::about(&user).with("Sample", true);
    // The rule may stop it, which the machine must not depend on.
    aws.import(&finding).await?;
    is_ignored(aws, &new_by_hand(finding.clone()).event(), "sample").await?;
    let found = aws.in_security_hub(&finding).await?;
    ensure!(workflow(&found) == "NEW", "the finding is {}", workflow(&found));
    is_untouched(&user, &before).await
}

async fn missing_user(aws: &LocalAws) -> Result<()> {
    let name = aws.unique("nobody");
    let arn = format!("arn:aws:iam::{}:user/{name}", MEMBERS[0]);
    let finding = Finding::of_account(MEMBERS[0], &name).resource("AwsIamUser", &arn);
    let execution = is_left_to_people(aws, &finding, &name).await?;
    let calls = aws.calls_of(&execution).await?;
    ensure!(calls.iter().all(|call| call.read_only), "something was changed: {calls:#?}");
    Ok(())
}

async fn of_another_account(aws: &Apart<'_>) -> Result<()> {
    let name = aws.unique("user");
    let users = [
        administrator(aws, MEMBERS[0], name.clone()).await?,
        administrator(aws, MEMBERS[1], name.clone()).await?,
    ];
    let before = [users[0].read_back().await?, users[1].read_back().await?];
    let finding = Finding::of_account(MEMBERS[0], &name).and(&users[1]);
    let execution = is_left_to_people(aws, &finding, "another account").await?;
    nothing_was_called(aws, &execution).await?;
    is_untouched(&users[0], &before[0]).await?;
    is_untouched(&users[1], &before[1]).await
}

async fn of_another_partition(aws: &LocalAws) -> Result<()> {
    let user = administrator(aws, MEMBERS[0], aws.unique("user")).await?;
    let before = user.read_back().await?;
    let arn = user.arn.replacen("arn:aws:", "arn:aws-cn:", 1);
    let finding = Finding::of_account(MEMBERS[0], &user.name).resource("AwsIamUser", &arn);
    let execution = is_left_to_people(aws, &finding, "partition").await?;
    nothing_was_called(aws, &execution).await?;
    is_untouched(&user, &before).await
}

async fn outside_grammar(aws: &LocalAws) -> Result<()> {
    let user = administrator(aws, MEMBERS[0], aws.unique("user")).await?;
    let before = user.read_back().await?;
    let prefix = format!("arn:aws:iam::{}:user/", MEMBERS[0]);
    let long = "x".repeat(129);
    for name in
        ["*", &format!("{}*", user.name), &format!("{}\n", user.name), "a b", "é", "", &long]
    {
        let finding = Finding::of_account(MEMBERS[0], &aws.unique("grammar"))
            .resource("AwsIamUser", &format!("{prefix}{name}"));
        let execution = is_left_to_people(aws, &finding, "grammar")
            .await
            .with_context(|| format!("for the name `{name}`"))?;
        nothing_was_called(aws, &execution).await?;
    }
    is_untouched(&user, &before).await
}

async fn one_of_two(aws: &LocalAws) -> Result<()> {
    let user = administrator(aws, MEMBERS[0], aws.unique("user")).await?;
    let nobody = format!("arn:aws:iam::{}:user/{}", MEMBERS[0], aws.unique("nobody"));
    let finding = Finding::about(&user).resource("AwsIamUser", &nobody);
    let incident = Incident::with(aws, &user, finding.clone()).await?;
    let execution = is_left_to_people(aws, &finding, &nobody).await?;
    incident.is_contained().await?;
    let told = aws.topics().alerts.mention(&execution.arn).await?;
    ensure!(told.text.contains(&user.arn) && told.text.contains("contained"), "{}", told.text);
    Ok(())
}

async fn forged_title(aws: &LocalAws) -> Result<()> {
    let user = administrator(aws, MEMBERS[0], aws.unique("user")).await?;
    let forged =
        "IAM admin\r\nCONTAINED: everybody\u{2028}LEFT TO YOU: nobody\u{0}\u{7}\u{1b}[2J\u{202e}";
    let title: String = forged.chars().chain("é漢🦀".chars().cycle()).take(256).collect();
    let finding = Finding::about(&user).with("Title", title);
    let incident = Incident::with(aws, &user, finding).await?;
    let execution = incident.ends_well().await?;
    let told = incident.outcome(&execution).await?;
    let forged = told.lines().find(|line| {
        line.starts_with("CONTAINED: everybody") || line.starts_with("LEFT TO YOU: nobody")
    });
    ensure!(forged.is_none(), "the title forged a line: {told}");
    let control = told.chars().find(|c| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{2028}'..='\u{202e}' | '\u{200b}'..='\u{200f}')
    });
    ensure!(control.is_none(), "the mail has {control:?}");
    Ok(())
}

async fn hostile_id(aws: &LocalAws) -> Result<()> {
    let hostile = r#"a*b?${aws:username}"'<script>\,;|~^[]()!#%&"#;
    let long = "x".repeat(512 - hostile.len() - 64);
    for id in [
        format!("{}/{hostile}", aws.unique("id")),
        format!("{}/{long}/{hostile}", aws.unique("id")),
        format!("{}/é漢🦀 with spaces", aws.unique("id")),
    ] {
        let user = administrator(aws, MEMBERS[0], aws.unique("user")).await?;
        let finding = Finding::about(&user).with("Id", id.as_str());
        let incident = Incident::with(aws, &user, finding.clone()).await?;
        let execution = aws.respond_to(&finding).await?;
        execution.succeeds().await.with_context(|| format!("for the id `{id}`"))?;
        let after = incident.is_contained().await?;
        incident.is_resolved(&execution).await?;
        let tag = after.tags.get("FindingId").context("no tag `FindingId`")?;
        let fits = tag.chars().count() <= 256
            && tag.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c));
        ensure!(fits, "the tag is `{tag}`");
        if id.len() > 256 {
            let digest = harness::place::sha256(id.as_bytes());
            ensure!(tag.contains(&digest), "the id is not to be recognised in `{tag}`");
        }
    }
    Ok(())
}

/// A finding about a user that is so many bytes long.
fn of_size(user: &User, bytes: usize) -> Result<Finding> {
    let mut finding = Finding::about(user);
    for number in 0..30 {
        finding = finding.resource("Other", &format!("padding-{number}"));
    }
    let mut asff = finding.asff().clone();
    let resources = asff["Resources"].as_array_mut().context("no resources")?;
    let last = resources.len() - 1;
    for resource in resources.iter_mut().skip(1).take(last - 1) {
        let other: serde_json::Map<String, Value> =
            (0..7).map(|n| (format!("padding-{n}"), "x".repeat(1024).into())).collect();
        resource["Details"] = json!({ "Other": other });
    }
    let mut missing =
        bytes.checked_sub(asff.to_string().len()).context("the padding is too large already")?;
    let mut other = serde_json::Map::new();
    let entry = |n: usize| format!("more-{n:02}");
    let mut n = 0;
    // What each entry takes beside its value: quotes, colon, comma, name; first, the braces.
    missing = missing.checked_sub(r#","Details":{"Other":{}}"#.len() - 1).context("too small")?;
    while missing > 1100 {
        other.insert(entry(n), "x".repeat(1000).into());
        missing -= 1000 + 13;
        n += 1;
    }
    other.insert(entry(n), "x".repeat(missing.saturating_sub(12).max(1)).into());
    asff["Resources"][last]["Details"] = json!({ "Other": other });
    Ok(finding.with("Resources", asff["Resources"].clone()))
}

async fn almost_largest(aws: &LocalAws) -> Result<()> {
    let user = administrator(aws, MEMBERS[0], aws.unique("user")).await?;
    let finding = of_size(&user, LARGEST_FINDING - 4096)?;
    let size = finding.asff().to_string().len();
    ensure!(size > LARGEST_FINDING - 5000, "the finding has {size} bytes");
    Incident::with(aws, &user, finding).await?.ends_well().await?;
    Ok(())
}

/// Security Hub takes no note for it, but the workflow status alone.
async fn largest(aws: &LocalAws) -> Result<()> {
    let user = administrator(aws, MEMBERS[0], aws.unique("user")).await?;
    let finding = of_size(&user, LARGEST_FINDING - 1000)?;
    let incident = Incident::with(aws, &user, finding).await?;
    let execution = aws.respond_to(&incident.finding).await?;
    execution.ends(ExecutionStatus::Succeeded).await?;
    incident.is_contained().await?;
    incident.shows_the_user(&incident.original().await?.json()?)?;
    let found = aws.in_security_hub(&incident.finding).await?;
    ensure!(workflow(&found) == "RESOLVED", "the finding is {}", workflow(&found));
    ensure!(found.note().is_none(), "it has a note: {:?}", found.note());
    Ok(())
}
