//! Which of Security Hub's events start an execution: all that the verdict table can act on,
//! and of the thousands of others none.

use std::fs;

use anyhow::{Context, Result, ensure};
use harness::MEMBERS;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::place::repository;
use serde_json::{Value, json};

use crate::cases;
use crate::judged::{End, leads_to};
use crate::trials::Trials;

/// Has a severity that Security Hub takes from nobody.
const NEVER_IMPORTED: &str = "severity-label-unknown";

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("findings that no rule is for start no execution", nothing_to_do);
    trials.add("an update by Cordon itself starts no further execution", own_updates);
    trials.add("every finding that a rule is for starts an execution", every_case);
}

async fn nothing_to_do(aws: &LocalAws) -> Result<()> {
    let mut findings = Vec::new();
    for case in [
        "control-keys-not-rotated",
        "control-database-authentication",
        "control-warning",
        "control-root-access-key-passed",
        "control-root-access-key-passed-critical",
        "guardduty-instance-finding",
        "analyzer-unused-permissions",
        "analyzer-unused-role",
        "custom-database-authentication",
        "archived",
        "custom-check-passed",
        "custom-check-passed-trusted",
        "custom-check-muted",
        "custom-root-access-key-passed",
    ] {
        findings.push(cases::finding(aws, case)?);
    }
    let control = |id: &str, status: &str| {
        let compliance = json!({ "Status": status, "SecurityControlId": id });
        let finding = cases::finding(aws, "control-unused-90-days")?;
        anyhow::Ok(finding.with("Compliance", compliance))
    };
    findings.push(control("IAM.8", "PASSED")?);
    for id in ["IAM.2", "IAM.3", "IAM.5", "IAM.7", "IAM.10", "IAM.19", "IAM.24", "S3.1"] {
        findings.push(control(id, "FAILED")?);
    }
    for finding in &findings {
        aws.send(finding).await?;
    }
    // Once this has come through, those before it would have, too.
    leads_to(aws, &cases::finding(aws, "control-root-mfa")?, End::Escalated).await?;
    for finding in &findings {
        let executions = aws.executions_of(finding).await?.len();
        ensure!(executions == 0, "`{}` started an execution", finding.id());
        let mails = aws.topics().alerts.mentioning(finding.id());
        ensure!(mails.is_empty(), "people were told of `{}`: {mails:?}", finding.id());
    }
    Ok(())
}

async fn own_updates(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    let resolved = Finding::about(&user);
    leads_to(aws, &resolved, End::Contained).await?;
    let notified = cases::finding(aws, "control-root-access-key")?;
    leads_to(aws, &notified, End::Escalated).await?;
    leads_to(aws, &cases::finding(aws, "control-root-mfa")?, End::Escalated).await?;
    for finding in [&resolved, &notified] {
        let executions = aws.executions_of(finding).await?.len();
        ensure!(executions == 1, "`{}` started {executions} executions", finding.id());
    }
    Ok(())
}

/// A rule of the table that a rule of EventBridge does not know would never be asked.
async fn every_case(aws: &LocalAws) -> Result<()> {
    let mut sent = Vec::new();
    for case in fs::read_dir(repository().join("functions/classify/cases"))? {
        let case = case?.file_name();
        let case = case.to_str().context("a case has an odd name")?;
        let Some(finding) = with_a_rule(aws, case)? else { continue };
        aws.import_as_service(&finding).await.with_context(|| case.to_owned())?;
        sent.push(finding);
    }
    ensure!(sent.len() > 20, "there are only {} such cases", sent.len());
    for finding in &sent {
        let execution = aws.execution_of(finding).await?;
        execution.end().await?;
        let path = execution.history().await?;
        ensure!(path.entered("Classify"), "{}", path.last_events());
    }
    Ok(())
}

/// The finding of a case whose verdict names a rule, if it can be imported here.
fn with_a_rule(aws: &LocalAws, case: &str) -> Result<Option<Finding>> {
    let verdict = repository().join("functions/classify/cases").join(case).join("verdict.json");
    let text = fs::read(&verdict).with_context(|| format!("no `{}`", verdict.display()))?;
    let verdict: Value = serde_json::from_slice(&text)?;
    let event = cases::event(case)?;
    let here = case != NEVER_IMPORTED
        && event["region"] == "us-east-1"
        && event["detail-type"] == "Security Hub Findings - Imported"
        && event["detail"]["findings"][0]["AwsAccountId"] == MEMBERS[0];
    let named = verdict["rules"].as_array().is_some_and(|rules| !rules.is_empty());
    (here && named).then(|| cases::finding(aws, case)).transpose()
}
