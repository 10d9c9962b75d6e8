//! A restore that Cordon carries out itself, by a plan that a person has read: exactly that, or
//! nothing; under the standing deny, and read back before it is lifted.

use anyhow::{Context, Result, ensure};
use harness::alone::Apart;
use harness::execution::Execution;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::user::User;
use serde_json::{Value, json};

use crate::restore_by_hand::{account, user};
use crate::trials::Trials;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_apart("restore: an applied plan gives back all but keys", applied);
}

/// An incident that is contained, and how to ask for its restore.
struct Contained {
    incident: Execution,
    principal: String,
}

async fn contain(aws: &LocalAws, user: &User) -> Result<Contained> {
    let incident = aws.respond_to(&Finding::about(user)).await?;
    incident.succeeds().await?;
    ensure!(user.read_back().await?.left().is_empty(), "it is not contained");
    Ok(Contained { incident, principal: user.id.clone() })
}

impl Contained {
    /// The digest of the plan.
    async fn plan(&self, aws: &LocalAws, chosen: &Value) -> Result<String> {
        let mut input = chosen.clone();
        input["execution"] = json!(self.incident.arn);
        input["principal"] = json!(self.principal);
        let ended = aws.start_restore(&input).await?.succeeds().await?;
        let output: Value = serde_json::from_str(&ended.output.unwrap_or_default())?;
        Ok(output["digest"].as_str().context("the plan has no digest")?.to_owned())
    }

    /// Carries the plan out, and returns the output.
    async fn restore(&self, aws: &LocalAws, digest: &str) -> Result<Value> {
        let execution = aws.start_restore(&self.asks(digest)).await?;
        if let Err(failed) = execution.succeeds().await {
            let mail = aws.topics().alerts.mention(execution.name()).await?;
            return Err(failed.context(mail.page));
        }
        let ended = execution.succeeds().await?;
        Ok(serde_json::from_str(&ended.output.unwrap_or_default())?)
    }

    fn asks(&self, digest: &str) -> Value {
        json!({
            "execution": self.incident.arn, "principal": self.principal, "apply": digest,
            "by": "Ada of the security team", "reason": "It was our own test.",
            "disposition": "recovered",
        })
    }
}

async fn applied(apart: &Apart<'_>) -> Result<()> {
    let user = user(apart).await?;
    let credentials = [
        user.ssh_key().await?,
        user.signing_certificate().await?,
        user.service_specific_credential("codecommit.amazonaws.com").await?,
    ];
    let before = account(&user).await?;
    let contained = contain(apart, &user).await?;
    let digest = contained.plan(apart, &json!({ "activate": credentials })).await?;
    let ended = contained.restore(apart, &digest).await?;
    let after = account(&user).await?;
    let changed: Vec<_> = before.symmetric_difference(&after).collect();
    let is_status = |line: &&String| line.starts_with("AccessKeyMetadata");
    ensure!(changed.len() == 2 && changed.iter().all(is_status), "it differs in {changed:#?}");
    println!("{}", ended["text"].as_str().unwrap_or_default());
    Ok(())
}
