//! The guide's own test: a user with AdministratorAccess, a CRITICAL finding about it.

use anyhow::{Context, Result, ensure};
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, allow_all};
use serde_json::{Value, json};

use crate::trials::Trials;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("the guide's user ends contained and its finding RESOLVED", ends_contained);
    trials.add(
        "a key and a session made with it are refused from Quarantine on",
        key_and_session_are_refused,
    );
}

async fn ends_contained(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let own_policies = user.attach_new(8).await?;
    let groups = [
        user.join_new_group("admins", ADMINISTRATOR_ACCESS).await?,
        user.join_new_group("readers", "arn:aws:iam::aws:policy/ReadOnlyAccess").await?,
    ];
    user.put_inline("allow-all", &allow_all()).await?;
    user.put_inline("list-buckets", &list_buckets()).await?;
    user.access_key().await?;
    user.access_key().await?;
    let before = user.read_back().await?;

    let finding = Finding::about(&user);
    let execution = aws.respond_to(&finding).await?;
    execution.succeeds().await?;

    let after = user.read_back().await?;
    ensure!(after.left().is_empty(), "left: {:?}", after.left());
    ensure!(after.attached == [DENY_ALL.to_owned()].into(), "attached: {:?}", after.attached);
    ensure!(after.credentials.len() == 2, "credentials: {:?}", after.credentials);
    for tag in ["SecurityIncident", "RemediationDate", "FindingId"] {
        ensure!(after.tags.contains_key(tag), "no tag `{tag}`: {:?}", after.tags);
    }

    let resolved = aws.in_security_hub(&finding).await?;
    let status = resolved.workflow().and_then(|workflow| workflow.status());
    ensure!(
        status.is_some_and(|status| status.as_str() == "RESOLVED"),
        "the finding is {status:?}"
    );
    let note = resolved.note().and_then(|note| note.text());
    ensure!(note.is_some_and(|text| text.contains(execution.name())), "its note is {note:?}");
    let fields = resolved.user_defined_fields().context("no fields")?;
    ensure!(fields.get("CordonExecution") == Some(&execution.arn), "its fields are {fields:?}");

    let evidence = aws.original_evidence(&user).await?;
    ensure!(
        fields.get("CordonEvidence") == Some(&evidence.uri)
            && fields.get("CordonEvidenceSha256") == Some(&evidence.sha256()),
        "the evidence is `{}` with digest `{}`, the fields are {fields:?}",
        evidence.uri,
        evidence.sha256()
    );
    let kept = evidence.json()?;
    let principal = &kept["principal"];
    ensure!(texts(&principal["attachedPolicies"], "").is_superset(&before.attached), "{kept:#}");
    for policy in &own_policies {
        ensure!(
            document(&principal["customerPolicies"][policy])? == allow_all(),
            "`{policy}` is not in the evidence: {kept:#}"
        );
    }
    for (name, original) in &before.inline {
        let inline = named(&principal["inlinePolicies"], name)?;
        ensure!(&document(inline)? == original, "{inline:#}");
    }
    for group in &groups {
        named(&principal["groups"], group)?;
    }
    ensure!(
        texts(&principal["credentials"], "id") == before.credentials.keys().cloned().collect(),
        "{kept:#}"
    );

    aws.topics()
        .alerts
        .message("that is the raw alert", |message| {
            message.text.contains(finding.id()) && !message.text.contains(&execution.arn)
        })
        .await?;
    aws.topics().alerts.mention(&execution.arn).await?;
    Ok(())
}

async fn key_and_session_are_refused(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let key = user.access_key().await?;
    let by_key = user.with_key(&key).s3();
    let by_session = user.session(&key).await?.clients.s3();
    by_key.list_buckets().send().await.context("the key is refused too soon")?;
    by_session.list_buckets().send().await.context("the session is refused too soon")?;

    let execution = aws.respond_to(&Finding::about(&user)).await?;
    execution.succeeds().await?;

    ensure!(by_key.list_buckets().send().await.is_err(), "the key still works");
    ensure!(by_session.list_buckets().send().await.is_err(), "the session still works");
    Ok(())
}

fn list_buckets() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*" }],
    })
}

/// The strings of a list, or of one field of its objects.
fn texts(list: &Value, field: &str) -> std::collections::BTreeSet<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item.as_str().or_else(|| item[field].as_str()))
        .map(str::to_owned)
        .collect()
}

/// The object of a list that has a name.
fn named<'a>(list: &'a Value, name: &str) -> Result<&'a Value> {
    let mut items = list.as_array().into_iter().flatten();
    items
        .find(|item| item["name"] == name)
        .with_context(|| format!("nothing named `{name}` in {list:#}"))
}

/// A policy document, which the evidence keeps as its author wrote it.
fn document(policy: &Value) -> Result<Value> {
    let text = policy["document"].as_str().context("a policy without its document")?;
    Ok(serde_json::from_str(text)?)
}
