//! Security Hub without CSPM: its events, calls and findings, on a local AWS of their own, since
//! one deployment has one feed.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use aws_sdk_cloudwatchlogs::types::LogGroup;
use harness::execution::Execution;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::{Message, Telling};
use harness::progress::Progress;
use harness::user::{ADMINISTRATOR_ACCESS, User};
use harness::{MANAGEMENT, MEMBERS, SECURITY};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::guide::dangerous_user;
use crate::incident::Incident;
use crate::restore;
use crate::trials::Trials;

/// Started by the first test that needs it.
static WITHOUT_CSPM: OnceCell<LocalAws> = OnceCell::const_new();

const NEW: u64 = 1;
const IN_PROGRESS: u64 = 2;
const RESOLVED: u64 = 4;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("without CSPM the guide's user ends contained and its finding Resolved", guide);
    trials.add("without CSPM GuardDuty's finding on a key ends Resolved", key);
    trials.add("without CSPM what is left to people is In Progress", left_to_people);
    trials.add("without CSPM a redrive goes by the finding that Security Hub has", redriven);
    trials.add("an account that is not asked for is not entered, and people know", not_asked_for);
    trials.add("without CSPM what accuses nobody starts no execution", accuses_nobody);
    trials.add("without CSPM readiness asks the organization's accounts", readiness);
    trials.add("tags and the retention of logs are in the accounts as configured", tags);
}

async fn without_cspm() -> Result<&'static LocalAws> {
    WITHOUT_CSPM
        .get_or_try_init(async || LocalAws::for_tests_without_cspm(&Progress::new()).await)
        .await
}

/// This deployment has tags, and its logs are kept for another time.
async fn tags(_cspm: &LocalAws) -> Result<()> {
    let aws = without_cspm().await?;
    for (account, name) in
        [(SECURITY, "Cordon-Preserve"), (MEMBERS[0], "SecurityRemediation-Preserve")]
    {
        let role = aws.account(account).iam().get_role().role_name(name).send().await?;
        let role = role.role.with_context(|| format!("no role `{name}`"))?;
        // CloudFormation's own are there, too.
        let ours = role.tags().iter().filter(|tag| !tag.key().starts_with("aws:"));
        let tags: Vec<_> = ours.map(|tag| (tag.key(), tag.value())).collect();
        ensure!(tags == [("cost centre", "4711"), ("team", "security")], "`{name}`: {tags:?}");
    }
    let logs = aws.security().logs();
    let groups =
        logs.describe_log_groups().log_group_name_prefix("/aws/lambda/cordon-").send().await?;
    let kept: BTreeSet<_> = groups.log_groups().iter().map(LogGroup::retention_in_days).collect();
    ensure!(kept == BTreeSet::from([Some(30)]), "{kept:?}");
    Ok(())
}

/// A finding of GuardDuty's, about nothing yet.
fn guardduty(user: &User, kind: &str) -> Value {
    let uid = format!(
        "arn:aws:guardduty:us-east-1:{}:detector/d4b040365221be2b54a6264dc9a4bc64/finding/{}",
        user.account, user.name
    );
    json!({
        "activity_id": 1,
        "class_uid": 2004,
        "cloud": { "account": { "uid": user.account } },
        "finding_info": {
            "uid": uid,
            "title": "The API GetCallerIdentity was invoked from a malicious IP address.",
            "types": [kind],
            "last_seen_time_dt": "2026-03-02T09:09:40.000Z",
        },
        "metadata": { "product": {
            "name": "GuardDuty",
            "uid": "arn:aws:securityhub:us-east-1::productv2/aws/guardduty",
        } },
        "resources": [],
        "severity": "High",
        "severity_id": 4,
    })
}

/// A resource of a finding.
fn resource(user: &User, kind: &str, uid: &str) -> Value {
    json!({
        "cloud_partition": "aws",
        "region": "us-east-1",
        "owner": { "account": { "uid": user.account } },
        "type": kind,
        "uid": uid,
    })
}

/// GuardDuty's finding that a user's key was used from a threat list.
async fn on_a_key_of(user: &User) -> Result<Finding> {
    let key = user.access_key().await?.id;
    let mut accused = resource(user, "AWS::IAM::AccessKey", &key);
    accused["data"] = json!({
        "access_key_id": key,
        "principal_id": user.id,
        "user_name": user.name,
        "user_type": "IAMUser",
    });
    let mut finding = guardduty(user, "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom");
    finding["resources"] = json!([accused]);
    Ok(Finding::of(finding))
}

/// Sends the finding, and waits for the end of its execution.
async fn respond_to(aws: &LocalAws, finding: &Finding) -> Result<Execution> {
    aws.send_in_ocsf(finding).await?;
    let execution = aws.execution_of(finding).await?;
    execution.end().await?;
    Ok(execution)
}

/// What people were told of the end, on one line.
async fn told(aws: &LocalAws, telling: Telling, execution: &Execution) -> Result<String> {
    let what = format!("{telling:?} from `{}`", execution.name());
    let tells = |message: &_| Message::tells(message, telling, &execution.arn);
    let page = aws.topics().alerts.message(format_args!("{what}"), tells).await?.page;
    Ok(page.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Contained, RESOLVED under its own product, with a comment that leads to execution and evidence,
/// and told. The event of
/// Cordon's own update, where it starts anything, is ignored.
async fn ended_well(aws: &LocalAws, incident: &Incident<'_>, execution: &Execution) -> Result<()> {
    execution.succeeds().await?;
    incident.is_contained().await?;
    let finding = aws.in_ocsf(&incident.finding).await?;
    ensure!(
        finding["status_id"] == RESOLVED && finding["status"] == "Resolved",
        "the finding is {}",
        finding["status"]
    );
    let comment = finding["comment"].as_str().context("no comment")?;
    ensure!(comment.chars().count() <= 512, "the comment is `{comment}`");
    let evidence = incident.original().await?;
    for part in [
        incident.user.name.clone(),
        format!("CordonExecution={}", execution.arn),
        format!("CordonEvidence={}", evidence.uri),
        format!("CordonEvidenceSha256={}", evidence.sha256()),
    ] {
        ensure!(comment.contains(&part), "`{part}` is not in the comment: {comment}");
    }
    let kept = evidence.json()?;
    incident.shows_the_user(&kept)?;
    ensure!(kept["finding"]["finding_info"]["uid"] == incident.finding.id(), "{kept:#}");
    let page = told(aws, Telling::Done, execution).await?;
    ensure!(page.contains("The finding is Resolved."), "{page}");
    incident.was_told(execution).await?;
    let started = aws.executions_of(&incident.finding).await?;
    ensure!(started.len() <= 2, "{} executions were started", started.len());
    for other in started.iter().filter(|one| one.arn != execution.arn) {
        other.succeeds().await?;
        let path = other.history().await?;
        ensure!(path.last_state() == "Ignored", "Cordon's own update: {:?}", path.path());
    }
    Ok(())
}

async fn guide(_cspm: &LocalAws) -> Result<()> {
    let aws = without_cspm().await?;
    let user = dangerous_user(aws.user().create().await?).await?;
    let product = format!("arn:aws:securityhub:us-east-1:{0}:productv2/{0}/default", user.account);
    let mut finding = guardduty(&user, "Software and Configuration Checks");
    finding["finding_info"]["title"] = json!("IAM user has AdministratorAccess");
    finding["metadata"]["product"] = json!({ "name": "Default", "uid": product });
    finding["severity_id"] = json!(5);
    finding["severity"] = json!("Critical");
    finding["resources"] = json!([resource(&user, "AWS::IAM::User", &user.arn)]);
    let incident = Incident::with(aws, &user, Finding::of(finding)).await?;
    let execution = respond_to(aws, &incident.finding).await?;
    Box::pin(ended_well(aws, &incident, &execution)).await
}

async fn key(_cspm: &LocalAws) -> Result<()> {
    let aws = without_cspm().await?;
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let finding = on_a_key_of(&user).await?;
    let incident = Incident::with(aws, &user, finding).await?;
    let execution = respond_to(aws, &incident.finding).await?;
    Box::pin(ended_well(aws, &incident, &execution)).await?;
    says_of_its_evidence(aws, &incident.finding, &execution).await
}

/// A restore compares what the comment says with the execution's history, and only shows it.
async fn says_of_its_evidence(
    aws: &LocalAws,
    finding: &Finding,
    execution: &Execution,
) -> Result<()> {
    let input = json!({ "execution": execution.arn });
    let planned = restore::plan(aws, &input).await?.plan;
    ensure!(restore::of_kind(&planned, "shown", "findingDiffers").is_empty(), "{planned:#}");
    let elsewhere = "s3://elsewhere/original.json";
    let found = aws.in_ocsf(finding).await?;
    let uid = found["metadata"]["uid"].as_str().context("it has no metadata.uid")?;
    let hub = aws.security().security_hub();
    let comment = format!("mine. CordonEvidence={elsewhere}");
    hub.batch_update_findings_v2().metadata_uids(uid).comment(comment).send().await?;
    let planned = restore::plan(aws, &input).await?.plan;
    let says = restore::of_kind(&planned, "shown", "findingDiffers");
    ensure!(says.len() == 1 && says[0]["says"] == elsewhere, "{planned:#}");
    Ok(())
}

async fn left_to_people(_cspm: &LocalAws) -> Result<()> {
    let aws = without_cspm().await?;
    let user = aws.user().create().await?;
    let mut session = resource(&user, "AWS::IAM::AccessKey", "ASIA2222222222SESSIO");
    session["data"] = json!({
        "principal_id": "AROACKCEVSQ6C2EXAMPLE:session",
        "user_name": "orders-app",
        "user_type": "AssumedRole",
    });
    let mut finding = guardduty(&user, "UnauthorizedAccess:IAMUser/TorIPCaller");
    finding["resources"] = json!([session]);
    let finding = Finding::of(finding);
    let execution = respond_to(aws, &finding).await?;
    execution.succeeds().await?;
    let page = told(aws, Telling::LeftToPeople, &execution).await?;
    ensure!(page.contains("The finding becomes In Progress, not Resolved."), "{page}");
    ensure!(!page.contains("custom action"), "{page}");
    let found = aws.in_ocsf(&finding).await?;
    ensure!(found["status_id"] == IN_PROGRESS, "the finding is {}", found["status"]);
    let mark = format!("CordonExecution={}", execution.arn);
    ensure!(found["comment"].as_str().is_some_and(|it| it.contains(&mark)), "{found:#}");
    Ok(())
}

async fn redriven(_cspm: &LocalAws) -> Result<()> {
    let apart = without_cspm().await?.apart().await;
    let result = redriven_in(&apart).await;
    apart.undo().await?;
    result
}

async fn redriven_in(apart: &harness::alone::Apart<'_>) -> Result<()> {
    apart.refuse_entry("Preserve").await?;
    let user = apart.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let finding = on_a_key_of(&user).await?;
    let incident = Incident::with(apart, &user, finding).await?;
    let execution = respond_to(apart, &incident.finding).await?;
    execution.fails().await?;
    let found = apart.in_ocsf(&incident.finding).await?;
    ensure!(found["status_id"] == NEW, "the finding is {}", found["status"]);

    apart.undo().await?;
    execution.redrive().await?;
    Box::pin(ended_well(apart, &incident, &execution)).await?;
    let history = execution.history().await?;
    ensure!(history.entered("ReadFinding"), "{:?}", history.path());
    Ok(())
}

/// This deployment has neither the security account nor the management account in it.
async fn not_asked_for(_cspm: &LocalAws) -> Result<()> {
    let aws = without_cspm().await?;
    let user = aws.user().account(SECURITY).create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let finding = on_a_key_of(&user).await?;
    let before = user.read_back().await?;
    let execution = respond_to(aws, &finding).await?;
    execution.fails().await?;
    let page = told(aws, Telling::Failed, &execution).await?;
    ensure!(page.contains(&user.name) && page.contains("EntryRefused"), "{page}");
    ensure!(user.read_back().await? == before, "the user has changed");
    Ok(())
}

async fn accuses_nobody(_cspm: &LocalAws) -> Result<()> {
    let aws = without_cspm().await?;
    let user = aws.user().create().await?;
    let named = resource(&user, "AWS::IAM::User", &user.arn);
    let mut silent = Vec::new();
    for product in ["securityhub-coverage", "securityhub-risk"] {
        let mut finding = guardduty(&user, "Exposure");
        let arn = format!("arn:aws:securityhub:us-east-1::productv2/aws/{product}");
        finding["finding_info"]["uid"] = json!(format!("{product}/{}", user.name));
        finding["metadata"]["product"]["uid"] = json!(arn);
        finding["resources"] = json!([named]);
        silent.push(Finding::of(finding));
    }
    let mut closed = guardduty(&user, "UnauthorizedAccess:IAMUser/TorIPCaller");
    closed["status_id"] = json!(3);
    closed["resources"] = json!([named]);
    silent.push(Finding::of(closed));
    for finding in &silent {
        aws.send_in_ocsf(finding).await?;
    }
    // Events are handed on in their order: once this one is dealt with, those are.
    let last = on_a_key_of(&aws.user().create().await?).await?;
    respond_to(aws, &last).await?;
    for finding in &silent {
        let started = aws.executions_of(finding).await?;
        ensure!(started.is_empty(), "`{}` started {} executions", finding.id(), started.len());
    }
    Ok(())
}

async fn readiness(_: &LocalAws) -> Result<()> {
    // No other test may close an account meanwhile.
    let aws = without_cspm().await?.apart().await;
    let execution = aws.check_readiness(&json!({ "deep": false })).await?;
    let history = execution.history().await?;
    ensure!(!history.entered("TellReadiness"), "it was told that all is well");
    let result = aws.evidence_below("readiness/").await?;
    let result = result.last().context("no result is stored")?.json()?;
    ensure!(result["accounts"] == MEMBERS.len(), "it asked about {}", result["accounts"]);
    let said = execution.describe().await?.output.unwrap_or_default();
    let left_out = format!("{SECURITY}, {MANAGEMENT}, from where the organization is run");
    ensure!(said.contains(&left_out), "who is left out is not said: {said}");
    Ok(())
}
