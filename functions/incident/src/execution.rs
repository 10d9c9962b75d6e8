use serde::{Deserialize, Serialize};

use crate::{AccountId, hex_digest};

/// The execution that handles the incident: `arn:<partition>:states:<region>:<account>:execution:<machine>:<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Execution {
    arn: String,
    partition: String,
    region: String,
    account: AccountId,
    machine: String,
    name: String,
}

impl Execution {
    /// The execution's ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// The partition that the incident belongs to.
    #[must_use]
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// The Region that Cordon runs in.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The security account.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The name of its state machine.
    #[must_use]
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// The execution's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the sessions in member accounts, session name and source identity
    /// alike: `cordon-` and 40 hexadecimal digits of the SHA-256 of the execution's
    /// name. STS takes 64 characters, execution names have up to 80.
    ///
    /// Source: STS API Reference, `AssumeRole` (`RoleSessionName`, `SourceIdentity`).
    #[must_use]
    pub fn session_name(&self) -> String {
        let digest: String = hex_digest(self.name.as_bytes()).chars().take(40).collect();
        format!("cordon-{digest}")
    }
}

impl TryFrom<String> for Execution {
    type Error = String;

    fn try_from(arn: String) -> Result<Self, String> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "states", region, account, "execution", machine, name] =
            parts.as_slice()
        else {
            return Err(format!("`{arn}` is no execution ARN"));
        };
        let [partition, region, machine, name] =
            [partition, region, machine, name].map(|part| (*part).to_owned());
        let account = AccountId::try_from((*account).to_owned())?;
        Ok(Self { arn, partition, region, account, machine, name })
    }
}

impl From<Execution> for String {
    fn from(execution: Execution) -> Self {
        execution.arn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_for_its_execution_whatever_its_length() {
        let of = |name: &str| {
            Execution::try_from(format!(
                "arn:aws:states:us-east-1:111111111111:execution:cordon-incident-response:{name}"
            ))
            .unwrap()
        };
        let longest = of(&"x".repeat(80));
        assert_eq!(longest.session_name().len(), 47);
        assert_ne!(longest.session_name(), of("y").session_name());
        assert_eq!(of("y").partition(), "aws");
        assert_eq!(of("y").region(), "us-east-1");
        assert_eq!(of("y").account().as_str(), "111111111111");
        assert_eq!(of("y").machine(), "cordon-incident-response");
    }

    #[test]
    fn what_is_no_execution_is_refused() {
        for arn in [
            "",
            "arn:aws:states:us-east-1:111111111111:stateMachine:cordon-incident-response",
            "arn:aws:states:us-east-1:1:execution:cordon-incident-response:y",
            "arn:aws:states:us-east-1:111111111111:execution:cordon-incident-response:y:z",
        ] {
            assert!(Execution::try_from(arn.to_owned()).is_err(), "{arn}");
        }
    }
}
