use aws_calls::{SdkConfig, failure, why_first};
use aws_credential_types::Credentials;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_sts::error::ProvideErrorMetadata;
use incident::{AccountId, Execution, Failure, Kind, Principal};
use serde_json::{Value, json};

/// The way into member accounts, through the role that is this step's own.
#[derive(Debug)]
pub struct Entry {
    sts: aws_sdk_sts::Client,
    iam: aws_sdk_iam::config::Builder,
    anonymous: aws_sdk_iam::Client,
    role: String,
    external_id: String,
}

/// What a session may do: its role's permissions, narrowed to these actions on these
/// resources. It contains our own bugs and hostile findings; a thief of the function's
/// credentials would simply not ask for it.
#[derive(Debug)]
pub struct Grant<'a> {
    /// Actions, as IAM names them.
    pub actions: &'a [&'a str],
    /// ARN patterns.
    pub resources: Vec<String>,
}

/// A grant for one policy alone, the one that the call names.
#[derive(Debug)]
pub struct Only<'a> {
    /// What may be done.
    pub grant: Grant<'a>,
    /// `iam:PolicyARN` or `iam:PermissionsBoundary`.
    pub key: &'static str,
    /// The policy's ARN.
    pub arn: &'a str,
}

impl<'a> Grant<'a> {
    /// The actions of the principal's kind, on it and nothing else.
    #[must_use]
    pub fn on(
        principal: &Principal,
        partition: &str,
        of_user: &'a [&'a str],
        of_role: &'a [&'a str],
    ) -> Self {
        let actions = match principal.kind {
            Kind::User => of_user,
            Kind::Role => of_role,
        };
        Self { actions, resources: principal.resources(partition) }
    }

    fn statement(&self) -> Value {
        json!({"Effect": "Allow", "Action": self.actions, "Resource": self.resources})
    }
}

impl Entry {
    /// The way in, by the function's settings `MEMBER_ROLE` and `EXTERNAL_ID`.
    pub fn from_env(config: &SdkConfig) -> Result<Self, lambda::Error> {
        let role = lambda::setting("MEMBER_ROLE")?;
        let external_id = lambda::setting("EXTERNAL_ID")?;
        Ok(Self::new(aws_sdk_sts::Client::new(config), config.into(), role, external_id))
    }

    /// The way in through the role of this name below `cordon/`, with clients of IAM made from
    /// `iam`.
    #[must_use]
    pub fn new(
        sts: aws_sdk_sts::Client,
        iam: aws_sdk_iam::config::Builder,
        role: String,
        external_id: String,
    ) -> Self {
        let mut anonymous = iam.clone();
        anonymous.set_credentials_provider(None).set_allow_no_auth();
        let anonymous = anonymous.retry_config(RetryConfig::disabled()).build();
        let anonymous = aws_sdk_iam::Client::from_conf(anonymous);
        Self { sts, iam, anonymous, role, external_id }
    }

    /// An IAM client of the account, good for 15 minutes and for `grants` alone. Its
    /// session name and source identity tie each of its calls to the execution in the
    /// account's CloudTrail. Changes nothing.
    pub async fn enter(
        &self,
        execution: &Execution,
        account: &AccountId,
        grants: &[Grant<'_>],
    ) -> Result<aws_sdk_iam::Client, Failure> {
        self.enter_with(execution, account, statements(grants)).await
    }

    /// The same, for `grants` and `only` alone.
    pub async fn enter_only(
        &self,
        execution: &Execution,
        account: &AccountId,
        grants: &[Grant<'_>],
        only: &Only<'_>,
    ) -> Result<aws_sdk_iam::Client, Failure> {
        let Only { grant: Grant { actions, resources }, key, arn } = only;
        let mut all = statements(grants);
        // IAM lets no `*` into a policy's name, which the condition would take for a wildcard.
        all.push(json!({
            "Effect": "Allow", "Action": actions, "Resource": resources,
            "Condition": { "ArnEquals": { *key: arn } },
        }));
        self.enter_with(execution, account, all).await
    }

    async fn enter_with(
        &self,
        execution: &Execution,
        account: &AccountId,
        statements: Vec<Value>,
    ) -> Result<aws_sdk_iam::Client, Failure> {
        self.open_connection();
        let credentials = self.assume(execution, account, policy(&statements)).await?;
        let iam = self.iam.clone().credentials_provider(credentials);
        Ok(aws_sdk_iam::Client::from_conf(iam.build()))
    }

    /// Whether the account lets the step in: the same way in, with a session that may do
    /// nothing, of which no use is made. Changes nothing.
    pub async fn try_to_enter(
        &self,
        execution: &Execution,
        account: &AccountId,
    ) -> Result<(), Failure> {
        let nothing = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
        self.assume(execution, account, policy(&[nothing])).await.map(drop)
    }

    async fn assume(
        &self,
        execution: &Execution,
        account: &AccountId,
        session_policy: String,
    ) -> Result<Credentials, Failure> {
        let partition = execution.partition();
        let role = format!("arn:{partition}:iam::{account}:role/cordon/{}", self.role);
        let session = execution.session_name();
        let answer = self
            .sts
            .assume_role()
            .role_arn(&role)
            .role_session_name(&session)
            .source_identity(&session)
            .external_id(&self.external_id)
            // The least that STS gives.
            .duration_seconds(900)
            .policy(session_policy)
            .send()
            .await
            .map_err(|error| match error.code() {
                Some("AccessDenied") => Failure::EntryRefused {
                    role: role.clone(),
                    source: why_first(error.message().unwrap_or("AccessDenied")).into(),
                },
                _ => failure("sts:AssumeRole", error),
            })?;
        let credentials = answer.credentials.ok_or_else(|| Failure::ServiceUnavailable {
            call: "sts:AssumeRole",
            source: "the answer carries no credentials".into(),
        })?;
        Ok(Credentials::new(
            credentials.access_key_id,
            credentials.secret_access_key,
            Some(credentials.session_token),
            None,
            "cordon-member",
        ))
    }

    /// Opens the connection to IAM while STS is still at work, by a call that IAM refuses:
    /// a new connection costs as much as two or three calls. What comes of it is of no
    /// interest; without it, the first call opens the connection itself.
    fn open_connection(&self) {
        let refused = self.anonymous.get_account_summary();
        tokio::spawn(async move { drop(refused.send().await) });
    }
}

fn statements(grants: &[Grant<'_>]) -> Vec<Value> {
    grants.iter().map(Grant::statement).collect()
}

fn policy(statements: &[Value]) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

#[cfg(test)]
mod tests {
    use aws_sdk_sts::operation::assume_role::AssumeRoleInput;
    use wire::{Rule, answer, error, eve, mock};

    use super::*;

    /// Whether a session is for this execution alone, and may tag `eve` and no more.
    fn is_narrow(ask: &AssumeRoleInput) -> bool {
        let session = wire::execution().session_name();
        let policy = ask.policy().and_then(|policy| serde_json::from_str(policy).ok());
        let may = json!({
            "Effect": "Allow",
            "Action": ["iam:GetUser", "iam:TagUser"],
            "Resource": [
                "arn:aws:iam::222222222222:user/eve",
                "arn:aws:iam::222222222222:user/*/eve",
            ],
        });
        ask.role_arn() == Some("arn:aws:iam::222222222222:role/cordon/Step")
            && ask.external_id() == Some("external id")
            && ask.role_session_name() == Some(&session)
            && ask.source_identity() == Some(&session)
            && ask.duration_seconds() == Some(900)
            && policy == Some(json!({ "Version": "2012-10-17", "Statement": [may] }))
    }

    async fn enter(asked: &Rule) -> Result<aws_sdk_iam::Client, Failure> {
        let entry =
            Entry::new(wire::sts(&[asked]), wire::iam(&[]), "Step".into(), "external id".into());
        let (of_user, of_role) = (["iam:GetUser", "iam:TagUser"], ["iam:GetRole"]);
        let grant = Grant::on(&eve(), "aws", &of_user, &of_role);
        entry.enter(&wire::execution(), &wire::account(), &[grant]).await
    }

    #[tokio::test]
    async fn a_session_is_the_executions_and_may_what_is_granted_alone() {
        let asked = mock!(aws_sdk_sts::Client::assume_role)
            .match_requests(is_narrow)
            .then_http_response(wire::credentials);
        enter(&asked).await.unwrap();
    }

    #[tokio::test]
    async fn who_is_not_let_in_knows_why() {
        for (answer, name) in [
            ((|| error("AccessDenied")) as fn() -> _, "EntryRefused"),
            (|| error("ExpiredToken"), "AccessDenied"),
            (|| error("Throttling"), "Throttled"),
            (|| error("PackedPolicyTooLarge"), "RequestRejected"),
            (|| answer("AssumeRole", ""), "ServiceUnavailable"),
        ] {
            let asked = mock!(aws_sdk_sts::Client::assume_role).then_http_response(answer);
            assert_eq!(enter(&asked).await.unwrap_err().name(), name);
        }
    }
}
