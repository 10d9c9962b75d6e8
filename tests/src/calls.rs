//! Who called what: the record that the local AWS keeps of every call, refused ones included.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

use crate::execution::Execution;
use crate::local_aws::LocalAws;
use crate::place::sha256;

/// One call of an API.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// When it was authorised or refused, in seconds since 1970.
    pub time: f64,
    /// When it was answered, in seconds since 1970; nothing if the local AWS noted it for a
    /// state machine.
    pub answered: Option<f64>,
    /// The account whose credentials made it.
    pub account: String,
    /// The ARN that made it.
    pub principal: String,
    /// The service, as IAM names it.
    pub service: String,
    /// The operation.
    pub action: String,
    /// The ARN that it was authorised on.
    pub resource: String,
    /// Whether it changes nothing.
    pub read_only: bool,
    /// The error's code, if it failed.
    pub error: Option<String>,
    /// What a change of IAM was asked for, as the query protocol has it.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The same in each attempt that an SDK makes at one call of its caller.
    pub sdk_invocation_id: Option<String>,
}

impl Call {
    /// The operation as policies name it, such as `iam:GetUser`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service, self.action)
    }

    /// Whether a policy was in its way.
    pub fn refused(&self) -> bool {
        self.error.as_deref().is_some_and(|error| error.starts_with("AccessDenied"))
    }
}

#[derive(Deserialize)]
struct Record {
    calls: Vec<Call>,
}

impl LocalAws {
    /// All calls so far, the first one first.
    pub async fn calls(&self) -> Result<Vec<Call>> {
        self.calls_where("").await
    }

    /// The calls that an execution's functions made in member accounts, where each session
    /// bears the execution's source identity.
    pub async fn calls_of(&self, execution: &Execution) -> Result<Vec<Call>> {
        self.calls_where(&format!("sourceIdentity={}", source_identity(execution))).await
    }

    /// Every secret access key and session token that the local AWS has given to anybody.
    pub async fn secrets(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Given {
            secrets: Vec<String>,
        }
        let given: Given = serde_json::from_value(self.beyond_aws().get("/_local/secrets").await?)?;
        Ok(given.secrets)
    }

    async fn calls_where(&self, query: &str) -> Result<Vec<Call>> {
        let record = self.beyond_aws().get(&format!("/_local/calls?{query}")).await?;
        let record: Record = serde_json::from_value(record)?;
        Ok(record.calls)
    }
}

/// What CloudTrail in the member account has of an execution, in each of its calls.
pub fn source_identity(execution: &Execution) -> String {
    let digest = sha256(execution.name().as_bytes());
    format!("cordon-{}", digest.get(..40).unwrap_or(&digest))
}
