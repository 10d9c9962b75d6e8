use std::borrow::Cow;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::principal::matches_exactly;
use crate::{Execution, Failure, Principal};

/// Why no machine is to contain a principal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protection {
    /// The end of its ARN, after the account, as a policy's `Resource` matches it.
    pub resource: Cow<'static, str>,
    /// Why, for a person.
    pub reason: Cow<'static, str>,
    /// Whether somebody of the account who may create roles could have made it.
    pub impostor: bool,
}

static LIST: LazyLock<Result<Vec<Protection>, serde_json::Error>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../protected.json")));

/// Why no machine is to contain this principal, where that is so: AWS or the
/// organisation can't be operated without it, or it is Cordon's own.
///
/// The member roles' policies deny the same list, `protected.json`. A name that anybody
/// could give a principal protects only as far as that: [`Protection::impostor`].
///
/// Fails with [`Failure::InvalidInput`] where the list itself can't be read.
///
/// Sources: IAM User Guide, "Service-linked roles"; IAM Identity Center User Guide,
/// "IAM roles created by IAM Identity Center"; AWS Control Tower User Guide, "Roles and
/// accounts"; AWS Organizations User Guide, "Accessing member accounts"; CloudFormation
/// User Guide, "Grant self-managed permissions" and StackSets' service-managed roles.
pub fn protection(
    execution: &Execution,
    principal: &Principal,
) -> Result<Option<Protection>, Failure> {
    let list = LIST.as_deref().map_err(|error| {
        Failure::InvalidInput(format!("the list of protected principals is unusable: {error}"))
    })?;
    let Principal { kind, path, name, account, .. } = principal;
    let resource = format!("{}{path}{name}", kind.noun());
    // Our functions' roles are in the security account alone.
    let ours = (account == execution.account()).then_some(Protection {
        resource: "role/cordon/Cordon-*".into(),
        reason: "it is the role of a part of Cordon".into(),
        impostor: true,
    });
    let mut all = list.iter().chain(&ours);
    Ok(all.find(|one| matches_exactly(&one.resource, &resource)).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountId, Kind};

    fn protection_of(account: &str, kind: Kind, path: &str, name: &str) -> Option<Protection> {
        let execution = "arn:aws:states:us-east-1:111111111111:execution:m:n".to_owned();
        let principal = Principal {
            arn: String::new(),
            account: AccountId::try_from(account.to_owned()).unwrap(),
            kind,
            name: name.to_owned(),
            path: path.to_owned(),
            id: String::new(),
            boundary: None,
            denied_before: None,
            access_keys: Vec::new(),
        };
        protection(&Execution::try_from(execution).unwrap(), &principal).unwrap()
    }

    #[test]
    fn what_aws_and_the_organisation_live_by_is_protected() {
        for (path, name, impostor) in [
            ("/aws-service-role/autoscaling.amazonaws.com/", "AWSServiceRoleForAutoScaling", false),
            ("/aws-reserved/sso.amazonaws.com/", "AWSReservedSSO_Admin_1", false),
            ("/", "OrganizationAccountAccessRole", true),
            ("/x/", "OrganizationAccountAccessRole", true),
            ("/", "AWSControlTowerExecution", true),
            ("/", "AWSCloudFormationStackSetExecutionRole", true),
            ("/x/", "AWSCloudFormationStackSetExecutionRole", true),
            ("/", "stacksets-exec-0a1b", true),
            ("/cordon/", "SecurityRemediation-Verify", true),
        ] {
            let found = protection_of("222222222222", Kind::Role, path, name);
            assert_eq!(found.map(|one| one.impostor), Some(impostor), "{path}{name}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_not() {
        for (kind, path, name) in [
            (Kind::Role, "/", "app"),
            (Kind::User, "/", "OrganizationAccountAccessRole"),
            (Kind::User, "/cordon/", "eve"),
            (Kind::User, "/cordon/", "SecurityRemediation-Verify"),
            (Kind::User, "/aws-service-role/x/", "eve"),
            (Kind::Role, "/cordon/", "eve"),
            (Kind::Role, "/cordon/", "SecurityRemediation-Verify2"),
            (Kind::Role, "/cordon/x/", "SecurityRemediation-Verify"),
            (Kind::Role, "/Cordon/", "SecurityRemediation-Verify"),
            // Of the security account, where our functions are.
            (Kind::Role, "/cordon/", "Cordon-Verify"),
            (Kind::Role, "/", "AWSReservedSSO_Admin_1"),
            (Kind::Role, "/", "AWSServiceRoleForNobody"),
            (Kind::Role, "/app/aws-service-role/", "eve"),
            (Kind::Role, "/AWS-Service-Role/x/", "eve"),
            (Kind::Role, "/", "my-stacksets-exec-0a1b"),
            (Kind::Role, "/", "OrganizationAccountAccessRole2"),
        ] {
            assert_eq!(protection_of("222222222222", kind, path, name), None, "{path}{name}");
        }
    }

    #[test]
    fn our_functions_roles_are_protected_in_the_security_account() {
        let found = protection_of("111111111111", Kind::Role, "/cordon/", "Cordon-Verify");
        assert!(found.is_some());
        assert_eq!(protection_of("111111111111", Kind::Role, "/", "Cordon-Verify"), None);
    }
}
