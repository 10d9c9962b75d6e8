use crate::principal::matches_exactly;
use crate::{AccountId, Execution, Principal};

/// From where the organisation is run, and who runs it. Neither is a matter of the response
/// policy: whoever may write that one would choose whom nobody contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Organization {
    management: Option<AccountId>,
    operators: Vec<String>,
}

impl Organization {
    /// The organisation by the settings of a function: the management account's id, where
    /// Cordon contains there, and a JSON list of ARN patterns of operators.
    pub fn new(management: Option<String>, operators: Option<&str>) -> Result<Self, String> {
        let operators = operators.map(serde_json::from_str).transpose();
        Ok(Self {
            management: management.map(AccountId::try_from).transpose()?,
            operators: operators.map_err(|error| error.to_string())?.unwrap_or_default(),
        })
    }

    /// Whether the organisation is run from the account: it is the security account, where
    /// the execution is, or the management account.
    #[must_use]
    pub fn is_run_from(&self, execution: &Execution, account: &AccountId) -> bool {
        account == execution.account() || Some(account) == self.management.as_ref()
    }

    /// Whether one of the patterns of operators means the principal. A pattern's account and
    /// the rest of it are compared apart: a path may hold what looks like another ARN.
    pub(crate) fn has_operator(&self, resource: &str, principal: &Principal) -> bool {
        let means = |pattern: &String| {
            let mut parts = pattern.splitn(6, ':').skip(4);
            let account = parts.next().unwrap_or_default();
            let operator = parts.next().unwrap_or_default();
            matches_exactly(account, principal.account.as_str())
                && matches_exactly(operator, resource)
        };
        self.operators.iter().any(means)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        assert_eq!(Organization::new(None, None), Ok(Organization::default()));
        assert!(Organization::new(Some("1".to_owned()), None).is_err());
        assert!(Organization::new(None, Some("arn:aws:iam::*:user/ops")).is_err());
    }
}
