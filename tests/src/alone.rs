//! Changes to what others depend on. All of them are taken back in the end.

use std::marker::PhantomData;
use std::ops::Deref;

use anyhow::{Context, Result};
use aws_sdk_ssm::types::ParameterType;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::clients::Clients;
use crate::local_aws::LocalAws;
use crate::user::NewUser;
use crate::{MEMBERS, SECURITY};

/// Names the sessions of a thief, so that its calls are told from Cordon's own.
pub const THIEF: &str = "cordon-thief";

/// The local AWS while nobody else changes it.
pub type Alone<'a> = Reserved<'a, Everything>;

/// The local AWS while nobody else changes the second member account. Others use the first.
pub type Apart<'a> = Reserved<'a, SecondMember>;

/// What [`Alone`] may change.
pub struct Everything;

/// What [`Apart`] may change.
pub struct SecondMember;

/// The local AWS, and the right to change a part of it for as long as this lives.
pub struct Reserved<'a, Part> {
    aws: &'a LocalAws,
    part: PhantomData<Part>,
    _turn: MutexGuard<'a, ()>,
    undo: Mutex<Vec<Undo>>,
}

enum Undo {
    ResponsePolicy(String),
    Trust { account: String, role: String, document: String },
    RolePolicy { account: String, role: String },
    BucketPolicy(String),
    TopicPolicy(String),
    Definition { machine: String, definition: String },
}

/// The name of the policies by which a test refuses roles something.
const REFUSAL: &str = "refused-by-a-test";

impl<Part> Deref for Reserved<'_, Part> {
    type Target = LocalAws;

    fn deref(&self) -> &LocalAws {
        self.aws
    }
}

impl Alone<'_> {
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
        self.write_response_policy(&policy.to_string()).await
    }

    /// Writes anything where the response policy is expected.
    pub async fn write_response_policy(&self, text: &str) -> Result<()> {
        let before = self.response_policy().await?;
        self.undo.lock().await.push(Undo::ResponsePolicy(before));
        self.aws.put_response_policy(text).await
    }

    /// Forgets what was counted in this hour in some windows of an account: `custom`,
    /// `service#escalations`. Returns the hour.
    pub async fn forget(&self, account: &str, windows: &[&str]) -> Result<String> {
        let machine = self.definition().await?;
        let table = &machine["States"]["CountEscalations"]["Arguments"]["TableName"];
        let hour: String = crate::finding::time().chars().take(13).collect();
        for window in windows {
            let item = json!({
                "TableName": table,
                "Key": { "window": { "S": format!("{account}#{window}#{hour}") } },
            });
            self.perform("dynamodb:deleteItem", &item).await?;
        }
        Ok(hour)
    }

    /// Takes the response policy's parameter away.
    pub async fn remove_response_policy(&self) -> Result<()> {
        let before = self.response_policy().await?;
        self.undo.lock().await.push(Undo::ResponsePolicy(before));
        self.security()
            .ssm()
            .delete_parameter()
            .name(&self.outputs().response_policy_parameter)
            .send()
            .await
            .context("cannot take the response policy away")?;
        Ok(())
    }

    /// Refuses a role of the security account some actions, whatever its policy allows.
    pub async fn refuse_actions(&self, role: &str, actions: &[&str]) -> Result<()> {
        self.refuse_role(SECURITY, role, actions).await
    }

    /// Has the evidence bucket refuse whatever is put into it.
    pub async fn refuse_evidence(&self) -> Result<()> {
        self.refuse_evidence_under("*").await
    }

    /// Has the evidence bucket refuse whatever is put under a key of this pattern.
    pub async fn refuse_evidence_under(&self, pattern: &str) -> Result<()> {
        let bucket = &self.outputs().evidence_bucket_name;
        let before = self.security().s3().get_bucket_policy().bucket(bucket).send().await;
        let before = before.context("cannot read the bucket's policy")?.policy;
        let before = before.context("the bucket has no policy")?;
        let refused = json!({
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": format!("arn:aws:s3:::{bucket}/{pattern}"),
        });
        let policy = with_statement(&before, refused)?;
        self.undo.lock().await.push(Undo::BucketPolicy(before));
        self.put_bucket_policy(&policy).await
    }

    /// Has the responders' topic refuse whatever is sent to it.
    pub async fn refuse_alerts(&self) -> Result<()> {
        let topic = &self.outputs().alert_topic_arn;
        let before = self.security().sns().get_topic_attributes().topic_arn(topic).send().await;
        let before = before.context("cannot read the topic's policy")?.attributes;
        let before = before.and_then(|mut attributes| attributes.remove("Policy"));
        let before = before.context("the topic has no policy")?;
        let refused = json!({
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": topic,
        });
        let policy = with_statement(&before, refused)?;
        self.undo.lock().await.push(Undo::TopicPolicy(before));
        self.put_topic_policy(&policy).await
    }

    /// Changes one value of the state machine's definition, from the next execution on.
    pub async fn redefine(&self, pointer: &str, value: Value) -> Result<()> {
        let before = self.definition().await?;
        let mut definition = before.clone();
        *definition.pointer_mut(pointer).with_context(|| format!("no `{pointer}`"))? = value;
        let machine = self.outputs().state_machine_arn.clone();
        self.replace_definition(machine, before.to_string(), &definition.to_string()).await
    }

    /// Has the restore machine leave groups to people, as where `restoreGroups` is not set.
    pub async fn leave_groups_to_people(&self) -> Result<()> {
        let machine = self.outputs().restore_machine_arn.clone();
        let states = self.security().states();
        let described = states.describe_state_machine().state_machine_arn(&machine).send().await?;
        let before = described.definition;
        let without = before.replace("'true' = 'true'", "'false' = 'true'");
        anyhow::ensure!(without != before, "it leaves them to people already");
        self.replace_definition(machine, before, &without).await
    }

    async fn replace_definition(
        &self,
        machine: String,
        definition: String,
        with: &str,
    ) -> Result<()> {
        self.undo.lock().await.push(Undo::Definition { machine: machine.clone(), definition });
        self.put_definition(&machine, with).await
    }

    /// Lets nobody into a step's role in a member account.
    pub async fn refuse_entry(&self, account: &str, step: &str) -> Result<()> {
        self.close(account, step).await
    }

    /// Refuses a step's role in a member account some actions, whatever its policy allows.
    pub async fn refuse_in_member(
        &self,
        account: &str,
        step: &str,
        actions: &[&str],
    ) -> Result<()> {
        self.refuse_role(account, &member_role(step), actions).await
    }

    /// What a thief of a step's function would have: the credentials of the function's role.
    /// The role's trust is widened for it, to a new user of the security account.
    pub async fn credentials_of(&self, step: &str) -> Result<Clients> {
        let role = format!("Cordon-{step}");
        let thief = self.user().account(SECURITY).create().await?;
        let assume = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*" }],
        });
        thief.put_inline("assume", &assume).await?;
        let trusted = json!({
            "Effect": "Allow",
            "Principal": { "AWS": thief.arn },
            "Action": "sts:AssumeRole",
        });
        let document = with_statement(&self.trust(SECURITY, &role).await?, trusted)?;
        self.change_trust(SECURITY, &role, &document).await?;
        let made = thief
            .with_key(&thief.access_key().await?)
            .sts()
            .assume_role()
            .role_arn(format!("arn:aws:iam::{SECURITY}:role/cordon/{role}"))
            .role_session_name(THIEF)
            .send()
            .await
            .with_context(|| format!("cannot become `{role}`"))?
            .credentials
            .context("STS gave no credentials")?;
        Ok(self.with_session(&made.access_key_id, &made.secret_access_key, &made.session_token))
    }
}

impl Apart<'_> {
    const ACCOUNT: &'static str = MEMBERS[1];

    /// A user to be, in the second member account.
    pub fn user(&self) -> NewUser<'_> {
        self.aws.user().account(Self::ACCOUNT)
    }

    /// Lets nobody into a step's role in the second member account.
    pub async fn refuse_entry(&self, step: &str) -> Result<()> {
        self.close(Self::ACCOUNT, step).await
    }

    /// Refuses a step's role in the second member account some actions, whatever its policy
    /// allows.
    pub async fn refuse_actions(&self, step: &str, actions: &[&str]) -> Result<()> {
        self.refuse_role(Self::ACCOUNT, &member_role(step), actions).await
    }
}

fn member_role(step: &str) -> String {
    format!("SecurityRemediation-{step}")
}

impl<'a, Part> Reserved<'a, Part> {
    pub(crate) fn new(aws: &'a LocalAws, turn: MutexGuard<'a, ()>) -> Self {
        Self { aws, part: PhantomData, _turn: turn, undo: Mutex::default() }
    }

    /// Puts everything back as it was.
    pub async fn undo(&self) -> Result<()> {
        let mut changes = self.undo.lock().await;
        while let Some(change) = changes.pop() {
            match change {
                Undo::ResponsePolicy(policy) => self.aws.put_response_policy(&policy).await?,
                Undo::Trust { account, role, document } => {
                    self.put_trust(&account, &role, &document).await?;
                }
                Undo::RolePolicy { account, role } => {
                    self.account(&account)
                        .iam()
                        .delete_role_policy()
                        .role_name(&role)
                        .policy_name(REFUSAL)
                        .send()
                        .await
                        .with_context(|| format!("cannot put the policy of `{role}` back"))?;
                }
                Undo::BucketPolicy(policy) => self.put_bucket_policy(&policy).await?,
                Undo::TopicPolicy(policy) => self.put_topic_policy(&policy).await?,
                Undo::Definition { machine, definition } => {
                    self.put_definition(&machine, &definition).await?;
                }
            }
        }
        Ok(())
    }

    async fn refuse_role(&self, account: &str, role: &str, actions: &[&str]) -> Result<()> {
        let refused = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Deny", "Action": actions, "Resource": "*" }],
        });
        self.account(account)
            .iam()
            .put_role_policy()
            .role_name(role)
            .policy_name(REFUSAL)
            .policy_document(refused.to_string())
            .send()
            .await
            .with_context(|| format!("cannot refuse `{role}` anything"))?;
        let (account, role) = (account.to_owned(), role.to_owned());
        self.undo.lock().await.push(Undo::RolePolicy { account, role });
        Ok(())
    }

    async fn close(&self, account: &str, step: &str) -> Result<()> {
        let nobody = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Deny",
                "Principal": { "AWS": "*" },
                "Action": "sts:AssumeRole",
            }],
        });
        self.change_trust(account, &member_role(step), &nobody.to_string()).await
    }

    async fn change_trust(&self, account: &str, role: &str, document: &str) -> Result<()> {
        let before = self.trust(account, role).await?;
        self.undo.lock().await.push(Undo::Trust {
            account: account.to_owned(),
            role: role.to_owned(),
            document: before,
        });
        self.put_trust(account, role, document).await
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

/// A policy document with one more statement.
fn with_statement(document: &str, statement: Value) -> Result<String> {
    let mut document: Value = serde_json::from_str(document)?;
    let statements = document["Statement"].as_array_mut().context("a policy has statements")?;
    statements.push(statement);
    Ok(document.to_string())
}

impl LocalAws {
    async fn put_bucket_policy(&self, policy: &str) -> Result<()> {
        let bucket = &self.outputs().evidence_bucket_name;
        let put = self.security().s3().put_bucket_policy().bucket(bucket).policy(policy);
        put.send().await.context("cannot change the bucket's policy")?;
        Ok(())
    }

    async fn put_topic_policy(&self, policy: &str) -> Result<()> {
        self.security()
            .sns()
            .set_topic_attributes()
            .topic_arn(&self.outputs().alert_topic_arn)
            .attribute_name("Policy")
            .attribute_value(policy)
            .send()
            .await
            .context("cannot change the topic's policy")?;
        Ok(())
    }

    async fn put_definition(&self, machine: &str, definition: &str) -> Result<()> {
        self.security()
            .states()
            .update_state_machine()
            .state_machine_arn(machine)
            .definition(definition)
            .send()
            .await
            .context("cannot change the state machine")?;
        Ok(())
    }

    async fn put_response_policy(&self, policy: &str) -> Result<()> {
        self.security()
            .ssm()
            .put_parameter()
            .name(&self.outputs().response_policy_parameter)
            .value(policy)
            .r#type(ParameterType::String)
            .overwrite(true)
            .send()
            .await
            .context("cannot write the response policy")?;
        Ok(())
    }
}
