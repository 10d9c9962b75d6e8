//! One incident, from the user as it was to all that must be true in the end.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use harness::evidence::Evidence;
use harness::execution::Execution;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Telling;
use harness::user::{DENY_ALL, Snapshot, User};
use serde_json::Value;

use crate::truth;

/// A user, how it was, and the finding about it.
pub(crate) struct Incident<'a> {
    aws: &'a LocalAws,
    pub(crate) user: &'a User,
    pub(crate) before: Snapshot,
    pub(crate) finding: Finding,
}

impl<'a> Incident<'a> {
    /// The guide's finding about a user as it is now. Nobody knows of it yet.
    pub(crate) async fn about(aws: &'a LocalAws, user: &'a User) -> Result<Self> {
        Self::with(aws, user, Finding::about(user)).await
    }

    /// Another finding about a user as it is now.
    pub(crate) async fn with(aws: &'a LocalAws, user: &'a User, finding: Finding) -> Result<Self> {
        Ok(Self { aws, user, before: user.read_back().await?, finding })
    }

    /// A finding about a user that was like this when it was sent.
    pub(crate) fn of(
        aws: &'a LocalAws,
        user: &'a User,
        before: Snapshot,
        finding: Finding,
    ) -> Self {
        Self { aws, user, before, finding }
    }

    /// Imports the finding, and looks at everything when the execution has SUCCEEDED.
    pub(crate) async fn ends_well(&self) -> Result<Execution> {
        let execution = self.aws.respond_to(&self.finding).await?;
        execution.succeeds().await?;
        Box::pin(self.ended_well(&execution)).await?;
        Ok(execution)
    }

    /// Looks at everything.
    pub(crate) async fn ended_well(&self, execution: &Execution) -> Result<()> {
        self.is_dealt_with(execution).await?;
        self.was_told(execution).await
    }

    /// Contained, tagged, RESOLVED, its evidence stored.
    pub(crate) async fn is_dealt_with(&self, execution: &Execution) -> Result<()> {
        let after = self.is_contained().await?;
        self.is_tagged(&after, execution)?;
        self.is_resolved(execution).await?;
        self.is_preserved(execution).await
    }

    /// The same user, under a deny and with nothing else. Returns it.
    pub(crate) async fn is_contained(&self) -> Result<Snapshot> {
        let after = self.user.read_back().await?;
        ensure!(after.left().is_empty(), "left: {:?}", after.left());
        let (had, has): (Vec<_>, Vec<_>) =
            (self.before.credentials.keys().collect(), after.credentials.keys().collect());
        ensure!(had == has, "its credentials were {had:?} and are {has:?}");
        let iam = self.user.account_root().iam();
        let user = iam.get_user().user_name(&self.user.name).send().await?;
        let id = user.user.context("no user")?.user_id;
        ensure!(id == self.user.id, "it is another user: `{id}`");
        Ok(after)
    }

    fn is_tagged(&self, after: &Snapshot, execution: &Execution) -> Result<()> {
        let tag = |key| after.tags.get(key).map(String::as_str).unwrap_or_default();
        let (incident, date) = (tag("SecurityIncident"), tag("RemediationDate"));
        ensure!(
            incident == "true"
                && date.starts_with("20")
                && tag("FindingId") == self.finding.id()
                && tag("CordonExecution") == execution.arn
                && tag("CordonEvidence").starts_with("s3://"),
            "its tags are {:?}",
            after.tags
        );
        let kept = self.before.tags.iter().all(|(key, value)| after.tags.get(key) == Some(value));
        ensure!(kept, "its own tags are gone: {:?}", after.tags);
        Ok(())
    }

    /// RESOLVED under its own product, with a note and with fields that lead to the evidence.
    pub(crate) async fn is_resolved(&self, execution: &Execution) -> Result<()> {
        let finding = self.aws.in_security_hub(&self.finding).await?;
        ensure!(
            finding.product_arn() == Some(self.finding.product()),
            "its product is {:?}",
            finding.product_arn()
        );
        ensure!(workflow(&finding) == "RESOLVED", "the finding is {}", workflow(&finding));
        let note = finding.note().and_then(|note| note.text()).context("no note")?;
        ensure!(
            note.contains(execution.name()) && note.contains(&self.user.name),
            "its note is `{note}`"
        );
        ensure!(note.chars().count() <= 512, "the note has {} characters", note.chars().count());
        let fields = finding.user_defined_fields().context("no fields")?;
        ensure!(fields.get("CordonExecution") == Some(&execution.arn), "its fields are {fields:?}");
        let evidence = self.original().await?;
        ensure!(
            fields.get("CordonEvidence") == Some(&evidence.uri)
                && fields.get("CordonEvidenceSha256") == Some(&evidence.sha256()),
            "the evidence is `{}` with digest `{}`, the fields are {fields:?}",
            evidence.uri,
            evidence.sha256()
        );
        let counts = fields.iter().filter(|(_, value)| value.parse::<u32>().is_ok()).count();
        ensure!(counts >= 4, "the fields count nothing: {fields:?}");
        Ok(())
    }

    /// The original evidence of the newest case, which has been written once and never again.
    pub(crate) async fn original(&self) -> Result<Evidence> {
        let evidence = self.aws.newest_original(&self.user.account, &self.user.id).await?;
        let evidence = evidence.context("no evidence was stored")?;
        let key = evidence.uri.splitn(4, '/').nth(3).unwrap_or_default();
        let versions = Box::pin(self.aws.evidence_versions(key)).await?;
        ensure!(versions == 1, "the original evidence has {versions} versions");
        Ok(evidence)
    }

    async fn is_preserved(&self, execution: &Execution) -> Result<()> {
        let kept = self.original().await?.json()?;
        self.shows_the_user(&kept)?;
        ensure!(kept["incident"]["execution"] == execution.arn, "{kept:#}");
        ensure!(kept["finding"]["Id"] == self.finding.id(), "{kept:#}");
        Ok(())
    }

    /// Whether a restore finds in the evidence everything that the user had.
    pub(crate) fn shows_the_user(&self, kept: &Value) -> Result<()> {
        shows(kept, &self.user.id, &self.before)
    }

    /// The mail is true of the user.
    pub(crate) async fn was_told(&self, execution: &Execution) -> Result<()> {
        let outcome = self.outcome(execution).await?;
        ensure!(outcome.contains(DENY_ALL_NAME), "{outcome}");
        truth::holds(&outcome, &self.before, &self.user.read_back().await?)
    }

    /// What people were told in the end.
    pub(crate) async fn outcome(&self, execution: &Execution) -> Result<String> {
        let told = self
            .aws
            .topics()
            .alerts
            .message(format_args!("that `{}` contained the user", execution.name()), |message| {
                message.tells(Telling::Done, &execution.arn)
            })
            .await?;
        // A path of hundreds of characters is left out.
        let long = self.user.arn.len() > 150;
        let who = if long { format!("/.../{}", self.user.name) } else { self.user.arn.clone() };
        for part in [self.finding.id(), &who, &self.user.account] {
            ensure!(told.text.contains(part), "`{part}` is not in the mail: {}", told.text);
        }
        Ok(told.page)
    }
}

/// Whether a restore finds in the evidence everything that a principal had.
pub(crate) fn shows(kept: &Value, id: &str, before: &Snapshot) -> Result<()> {
    let principal = &kept["principal"];
    ensure!(principal["arn"] == before.arn && principal["id"] == id, "{kept:#}");
    ensure!(principal["tags"] == serde_json::to_value(&before.tags)?, "{kept:#}");
    ensure!(kept["boundaryBefore"] == serde_json::to_value(&before.boundary)?, "{kept:#}");
    let attached = texts(&principal["attachedPolicies"], "");
    ensure!(attached.is_superset(&before.attached), "{kept:#}");
    for policy in before.attached.iter().filter(|arn| !arn.contains("::aws:")) {
        document(&principal["customerPolicies"][policy])
            .with_context(|| format!("`{policy}` is not in the evidence: {kept:#}"))?;
    }
    for (name, original) in &before.inline {
        let inline = named(&principal["inlinePolicies"], name)?;
        ensure!(&document(inline)? == original, "{inline:#}");
    }
    for group in &before.groups {
        named(&principal["groups"], group)?;
    }
    let credentials = principal["credentials"].as_array().context("no credentials")?;
    for (id, status) in &before.credentials {
        let found = credentials.iter().find(|credential| credential["id"] == id.as_str());
        let found = found.with_context(|| format!("no credential `{id}`: {kept:#}"))?;
        ensure!(found["active"] == (status == "Active"), "{found:#}");
    }
    Ok(())
}

/// The name of the policy that a contained user is left with.
const DENY_ALL_NAME: &str = "AWSDenyAll";

/// The only policy that is attached to a contained user, unless AWS has its own on it.
pub(crate) fn deny_alone() -> BTreeSet<String> {
    [DENY_ALL.to_owned()].into()
}

/// A finding's workflow status.
pub(crate) fn workflow(finding: &aws_sdk_securityhub::types::AwsSecurityFinding) -> &str {
    let status = finding.workflow().and_then(|workflow| workflow.status());
    status.map_or("without a status", |status| status.as_str())
}

/// The strings of a list, or of one field of its objects.
pub(crate) fn texts(list: &Value, field: &str) -> BTreeSet<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item.as_str().or_else(|| item[field].as_str()))
        .map(str::to_owned)
        .collect()
}

/// The object of a list that has a name.
pub(crate) fn named<'a>(list: &'a Value, name: &str) -> Result<&'a Value> {
    let mut items = list.as_array().into_iter().flatten();
    items
        .find(|item| item["name"] == name)
        .with_context(|| format!("nothing named `{name}` in {list:#}"))
}

/// A policy document, which the evidence keeps as its author wrote it.
pub(crate) fn document(policy: &Value) -> Result<Value> {
    let text = policy["document"].as_str().context("a policy without its document")?;
    Ok(serde_json::from_str(text)?)
}
