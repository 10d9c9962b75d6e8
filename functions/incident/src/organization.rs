use crate::principal::matches_exactly;
use crate::{AccountId, Execution, Principal};

/// From where the organisation is run, who runs it, and whom its configuration protects. None is
/// a matter of the response policy: whoever may write that one would choose whom nobody contains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Organization {
    management: Option<AccountId>,
    operators: Vec<String>,
    protected: Vec<String>,
}

impl Organization {
    /// The organisation by the settings of a function: the management account's id, where
    /// Cordon contains there, and JSON lists of ARN patterns, of operators and of whom no step
    /// touches in any account.
    pub fn new(
        management: Option<String>,
        operators: Option<&str>,
        protected: Option<&str>,
    ) -> Result<Self, String> {
        let patterns = |list: Option<&str>| {
            let list = list.map(serde_json::from_str).transpose();
            list.map(Option::unwrap_or_default).map_err(|error| error.to_string())
        };
        Ok(Self {
            management: management.map(AccountId::try_from).transpose()?,
            operators: patterns(operators)?,
            protected: patterns(protected)?,
        })
    }

    /// Whether the organisation is run from the account: it is the security account, where
    /// the execution is, or the management account.
    #[must_use]
    pub fn is_run_from(&self, execution: &Execution, account: &AccountId) -> bool {
        account == execution.account() || Some(account) == self.management.as_ref()
    }

    /// Whether one of the patterns of operators means the principal.
    pub(crate) fn has_operator(&self, resource: &str, principal: &Principal) -> bool {
        means(&self.operators, resource, principal)
    }

    /// Whether one of the patterns of whom no step touches means the principal.
    pub(crate) fn protects(&self, resource: &str, principal: &Principal) -> bool {
        means(&self.protected, resource, principal)
    }
}

/// A pattern's account and the rest of it are compared apart: a path may hold what looks like
/// another ARN.
fn means(patterns: &[String], resource: &str, principal: &Principal) -> bool {
    patterns.iter().any(|pattern| {
        let mut parts = pattern.splitn(6, ':').skip(4);
        let account = parts.next().unwrap_or_default();
        let meant = parts.next().unwrap_or_default();
        matches_exactly(account, principal.account.as_str()) && matches_exactly(meant, resource)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let pattern = Some("arn:aws:iam::*:user/ops");
        assert_eq!(Organization::new(None, None, None), Ok(Organization::default()));
        assert!(Organization::new(Some("1".to_owned()), None, None).is_err());
        assert!(Organization::new(None, pattern, None).is_err());
        assert!(Organization::new(None, None, pattern).is_err());
    }
}
