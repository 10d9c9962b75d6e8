//! What must be true at the end, looked up anew in the account, in Security Hub and in the
//! evidence bucket.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_securityhub::types::{AwsSecurityFinding, WorkflowStatus};

use super::attacker::Use;
use super::narrator::{Style, wrapped};
use crate::execution::Execution;
use crate::finding::Finding;
use crate::local_aws::LocalAws;
use crate::user::{AccessKey, DENY_ALL, Session, Snapshot, User};

/// All that is known when it is over.
pub(super) struct Incident<'a> {
    pub(super) aws: &'a LocalAws,
    pub(super) user: &'a User,
    pub(super) key: &'a AccessKey,
    pub(super) session: &'a Session,
    pub(super) finding: &'a Finding,
    pub(super) execution: &'a Execution,
    pub(super) before: &'a Snapshot,
    pub(super) begun: Duration,
    pub(super) refusals: &'a [Use],
}

/// Prints each proof and says whether all of them held.
pub(super) async fn show(
    out: &mut impl Write,
    style: Style,
    incident: &Incident<'_>,
) -> Result<bool> {
    writeln!(out, "\n{}\n", style.strong("Proofs"))?;
    let proofs = [
        incident.succeeded().await,
        incident.stopped(),
        incident.refused_now().await,
        incident.stripped().await,
        incident.tagged().await,
        incident.resolved().await,
        incident.kept_evidence().await,
        incident.told_people().await,
    ];
    for proof in &proofs {
        match proof {
            Ok(proven) => writeln!(out, "  {} {}", style.good("✓"), wrapped(proven, 4))?,
            Err(error) => {
                writeln!(out, "  {} {}", style.bad("✗"), wrapped(&format!("{error:#}"), 4))?;
            }
        }
    }
    Ok(proofs.iter().all(Result::is_ok))
}

impl Incident<'_> {
    async fn succeeded(&self) -> Result<String> {
        let described = self.execution.succeeds().await?;
        let start = described.start_date.to_millis()?;
        let end = described.stop_date.context("it has no end")?.to_millis()?;
        Ok(format!("the execution SUCCEEDED in {} ms", end - start))
    }

    fn stopped(&self) -> Result<String> {
        let mut last = Duration::ZERO;
        let mut calls = 0;
        for one in self.refusals {
            let (since, _) = one
                .refused
                .as_ref()
                .with_context(|| format!("the attacker's {} was never refused", one.name))?;
            last = last.max(*since);
            calls += one.calls;
        }
        Ok(format!(
            "the attacker's last credential stopped working {} ms after the finding was sent \
             ({calls} calls)",
            last.saturating_sub(self.begun).as_millis()
        ))
    }

    async fn refused_now(&self) -> Result<String> {
        let by_key = self.user.with_key(self.key).s3();
        ensure!(by_key.list_buckets().send().await.is_err(), "the access key works");
        let by_session = self.session.clients.s3();
        ensure!(by_session.list_buckets().send().await.is_err(), "the session works");
        Ok("key and session are refused, tried again now".to_owned())
    }

    async fn stripped(&self) -> Result<String> {
        let after = self.user.read_back().await?;
        let left = after.left();
        ensure!(left.is_empty(), "the user still has: {}", left.join(", "));
        ensure!(
            after.credentials.len() == self.before.credentials.len(),
            "credentials are gone instead of Inactive"
        );
        Ok("the user exists, with AWSDenyAll, attached and as its boundary, and nothing else; its key \
            is Inactive"
            .to_owned())
    }

    async fn tagged(&self) -> Result<String> {
        let after = self.user.read_back().await?;
        for tag in ["SecurityIncident", "RemediationDate", "FindingId"] {
            ensure!(after.tags.contains_key(tag), "the user has no tag `{tag}`");
        }
        Ok("the user is tagged with the incident".to_owned())
    }

    async fn resolved(&self) -> Result<String> {
        let finding = self.aws.in_security_hub(self.finding).await?;
        let status = finding.workflow().and_then(|workflow| workflow.status());
        ensure!(status == Some(&WorkflowStatus::Resolved), "the finding is {status:?}");
        let note = finding.note().and_then(|note| note.text()).context("it has no note")?;
        Ok(format!("the finding is RESOLVED, with the note: {note}"))
    }

    async fn kept_evidence(&self) -> Result<String> {
        let finding = self.aws.in_security_hub(self.finding).await?;
        let evidence = self.aws.evidence_at(field(&finding, "CordonEvidence")?).await?;
        let digest = field(&finding, "CordonEvidenceSha256")?;
        ensure!(evidence.sha256() == digest, "the evidence is not what the finding says");
        let text = evidence.json()?.to_string();
        let before = self.before;
        let lost = before
            .attached
            .iter()
            .chain(before.inline.keys())
            .chain(&before.groups)
            .chain(before.credentials.keys())
            .filter(|had| *had != DENY_ALL)
            .find(|had| !text.contains(had.as_str()));
        ensure!(lost.is_none(), "the evidence lacks `{}`", lost.map_or("", String::as_str));
        Ok(format!("the evidence is kept, with SHA-256 {digest}: {}", evidence.uri))
    }

    async fn told_people(&self) -> Result<String> {
        let alerts = &self.aws.topics().alerts;
        alerts.mention(self.finding.id()).await?;
        let outcome = alerts.mention(&self.execution.arn).await?;
        Ok(format!("responders were told: {}", outcome.subject))
    }
}

fn field<'a>(finding: &'a AwsSecurityFinding, name: &str) -> Result<&'a str> {
    let fields = finding.user_defined_fields().context("the finding has no fields")?;
    let value = fields.get(name).with_context(|| format!("the finding has no field `{name}`"))?;
    Ok(value)
}
