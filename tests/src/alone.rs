//! Changes to what every incident depends on.

use std::ops::Deref;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::sync::{Mutex, RwLockWriteGuard};

use crate::local_aws::LocalAws;

/// The local AWS while nobody else uses it.
pub struct Alone<'a> {
    aws: &'a LocalAws,
    _turn: RwLockWriteGuard<'a, ()>,
    undo: Mutex<Vec<Undo>>,
}

enum Undo {
    ResponsePolicy(String),
    Trust { account: String, role: String, document: String },
    RolePolicy { account: String, role: String, policy: String },
}

impl Deref for Alone<'_> {
    type Target = LocalAws;

    fn deref(&self) -> &LocalAws {
        self.aws
    }
}

impl<'a> Alone<'a> {
    pub(crate) fn new(aws: &'a LocalAws, turn: RwLockWriteGuard<'a, ()>) -> Self {
        Self { aws, _turn: turn, undo: Mutex::default() }
    }

    /// The response policy in force, as the parameter has it.
    pub async fn response_policy(&self) -> Result<String> {
        let parameter = self
            .security()
            .ssm()
            .get_parameter()
            .name(&self.outputs().response_policy_parameter)
            .send()
            .await
            .context("cannot read the response policy")?;
        parameter
            .parameter
            .and_then(|parameter| parameter.value)
            .context("the response policy's parameter has no value")
    }

    /// Puts another response policy in force.
    pub async fn set_response_policy(&self, policy: &Value) -> Result<()> {
        let before = self.response_policy().await?;
        self.undo.lock().await.push(Undo::ResponsePolicy(before));
        self.put_response_policy(&policy.to_string()).await
    }

    /// Lets nobody into a step's role in a member account.
    pub async fn refuse_entry(&self, account: &str, step: &str) -> Result<()> {
        let role = format!("SecurityRemediation-{step}");
        let document = self.trust(account, &role).await?;
        self.undo.lock().await.push(Undo::Trust {
            account: account.to_owned(),
            role: role.clone(),
            document,
        });
        let nobody = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Deny",
                "Principal": { "AWS": "*" },
                "Action": "sts:AssumeRole",
            }],
        });
        self.put_trust(account, &role, &nobody.to_string()).await
    }

    /// Refuses a step's role in a member account some actions, whatever its policy allows.
    pub async fn refuse_actions(&self, account: &str, step: &str, actions: &[&str]) -> Result<()> {
        let role = format!("SecurityRemediation-{step}");
        let policy = "refused-by-a-test";
        self.account(account)
            .iam()
            .put_role_policy()
            .role_name(&role)
            .policy_name(policy)
            .policy_document(
                json!({
                    "Version": "2012-10-17",
                    "Statement": [{ "Effect": "Deny", "Action": actions, "Resource": "*" }],
                })
                .to_string(),
            )
            .send()
            .await
            .with_context(|| format!("cannot refuse `{role}` anything"))?;
        self.undo.lock().await.push(Undo::RolePolicy {
            account: account.to_owned(),
            role,
            policy: policy.to_owned(),
        });
        Ok(())
    }

    /// Puts everything back as it was.
    pub async fn undo(&self) -> Result<()> {
        let mut changes = self.undo.lock().await;
        while let Some(change) = changes.pop() {
            match change {
                Undo::ResponsePolicy(policy) => self.put_response_policy(&policy).await?,
                Undo::Trust { account, role, document } => {
                    self.put_trust(&account, &role, &document).await?
                }
                Undo::RolePolicy { account, role, policy } => {
                    self.account(&account)
                        .iam()
                        .delete_role_policy()
                        .role_name(&role)
                        .policy_name(policy)
                        .send()
                        .await
                        .with_context(|| format!("cannot put the policy of `{role}` back"))?;
                }
            }
        }
        Ok(())
    }

    async fn put_response_policy(&self, policy: &str) -> Result<()> {
        self.security()
            .ssm()
            .put_parameter()
            .name(&self.outputs().response_policy_parameter)
            .value(policy)
            .overwrite(true)
            .send()
            .await
            .context("cannot write the response policy")?;
        Ok(())
    }

    async fn trust(&self, account: &str, role: &str) -> Result<String> {
        let answer = self
            .account(account)
            .iam()
            .get_role()
            .role_name(role)
            .send()
            .await
            .with_context(|| format!("cannot read `{role}`"))?;
        let document = answer
            .role
            .and_then(|role| role.assume_role_policy_document)
            .with_context(|| format!("`{role}` trusts nobody"))?;
        crate::user::decode(&document)
    }

    async fn put_trust(&self, account: &str, role: &str, document: &str) -> Result<()> {
        self.account(account)
            .iam()
            .update_assume_role_policy()
            .role_name(role)
            .policy_document(document)
            .send()
            .await
            .with_context(|| format!("cannot change the trust of `{role}`"))?;
        Ok(())
    }
}
