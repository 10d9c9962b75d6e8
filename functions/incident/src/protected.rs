use std::borrow::Cow;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::principal::matches_exactly;
use crate::{AccountId, Execution, Failure, Organization, Principal, matches_pattern};

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
    /// In which accounts it is protected.
    #[serde(default)]
    pub accounts: Place,
}

/// Accounts, by what they are to the organisation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// All of them.
    #[default]
    All,
    /// The security account, where Cordon runs.
    Security,
    /// The accounts from which the organisation is run: [`Organization::is_run_from`].
    Central,
}

impl Place {
    fn has(self, execution: &Execution, organization: &Organization, account: &AccountId) -> bool {
        match self {
            Self::All => true,
            Self::Security => account == execution.account(),
            Self::Central => organization.is_run_from(execution, account),
        }
    }
}

static LIST: LazyLock<Result<Vec<Protection>, serde_json::Error>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../protected.json")));

/// Why no machine is to contain this principal, where that is so: AWS or the
/// organisation can't be operated without it, or it is Cordon's own, or its configuration
/// protects it, or, where the organisation is run from its account, it is an operator's.
///
/// The member roles' policies deny the same list, `protected.json`, and the same patterns. A
/// name that anybody could give a principal protects only as far as that:
/// [`Protection::impostor`].
///
/// Fails with [`Failure::InvalidInput`] where the list itself can't be read.
///
/// Sources: IAM User Guide, "Service-linked roles"; IAM Identity Center User Guide,
/// "IAM roles created by IAM Identity Center"; AWS Control Tower User Guide, "Roles and
/// accounts"; AWS Organizations User Guide, "Accessing member accounts"; CloudFormation
/// User Guide, "Grant self-managed permissions" and StackSets' service-managed roles; CDK
/// Developer Guide, "Customize AWS CDK bootstrapping" (names of its roles).
pub fn protection(
    execution: &Execution,
    organization: &Organization,
    principal: &Principal,
) -> Result<Option<Protection>, Failure> {
    let Principal { account, kind, path, name, .. } = principal;
    let resource = format!("{}{path}{name}", kind.noun());
    let is_meant = |one: &&Protection| {
        matches_exactly(&one.resource, &resource)
            && one.accounts.has(execution, organization, account)
    };
    if let Some(one) = list()?.iter().find(is_meant) {
        return Ok(Some(one.clone()));
    }
    if organization.protects(&resource, principal) {
        return Ok(Some(Protection {
            resource: resource.into(),
            reason: "it is configured as protected (`protectedPrincipals`)".into(),
            impostor: true,
            accounts: Place::All,
        }));
    }
    let operates = Place::Central.has(execution, organization, account)
        && organization.has_operator(&resource, principal);
    Ok(operates.then(|| Protection {
        resource: resource.into(),
        reason: "it is configured as an operator's".into(),
        impostor: true,
        accounts: Place::Central,
    }))
}

/// What the roles' names begin with that AWS makes under paths of its own. Elsewhere anybody
/// may give such a name.
///
/// Sources: IAM User Guide, "Service-linked roles"; IAM Identity Center User Guide, "IAM roles
/// created by IAM Identity Center".
const OF_AWS: [(&str, &str); 2] = [
    ("AWSServiceRoleFor*", "role/aws-service-role/*"),
    ("AWSReservedSSO_*", "role/aws-reserved/*"),
];

/// The same of a role that is only claimed, by whoever describes a session or a resource: its
/// name decides, in any case of its letters and whatever path is claimed, since a command finds
/// the role by that alone. Of the management account and of what is configured this knows nothing.
pub fn protection_by_name(
    execution: &Execution,
    account: &AccountId,
    path: &str,
    name: &str,
) -> Result<Option<Protection>, Failure> {
    let resource = format!("role{path}{name}");
    let is_meant = |one: &&Protection| {
        let listed = one.resource.rsplit('/').next().filter(|listed| *listed != "*");
        let of_aws = OF_AWS.iter().find(|(_, paths)| *paths == one.resource).map(|(name, _)| *name);
        let by_name = listed.or(of_aws).is_some_and(|listed| matches_pattern(listed, name));
        (by_name || matches_pattern(&one.resource, &resource))
            && one.accounts.has(execution, &Organization::default(), account)
    };
    Ok(list()?.iter().find(is_meant).cloned())
}

fn list() -> Result<&'static [Protection], Failure> {
    LIST.as_deref().map_err(|error| {
        Failure::InvalidInput(format!("the list of protected principals is unusable: {error}"))
    })
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
        let operators =
            r#"["arn:aws:iam::*:user/operators/*", "arn:aws:iam::999999999999:role/Ops"]"#;
        let organization = Organization::new(
            Some("999999999999".to_owned()),
            Some(operators),
            Some(
                r#"["arn:aws:iam::*:user/break-glass-*", "arn:aws:iam::222222222222:role/x/Keep"]"#,
            ),
        );
        let execution = Execution::try_from(execution).unwrap();
        protection(&execution, &organization.unwrap(), &principal).unwrap()
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
    fn where_the_organisation_is_run_from_what_runs_it_is_protected_and_nowhere_else() {
        let (security, management, member) = ("111111111111", "999999999999", "222222222222");
        for (kind, path, name, accounts) in [
            (Kind::Role, "/cordon/", "Cordon-Verify", vec![security]),
            (Kind::Role, "/", "Cordon-Verify", vec![]),
            (Kind::Role, "/", "cdk-hnb659fds-deploy-role-1-eu-west-1", vec![security, management]),
            (Kind::Role, "/x/", "cdk-hnb659fds-deploy-role-1-eu-west-1", vec![]),
            (Kind::User, "/", "cdk-hnb659fds-deploy-role-1-eu-west-1", vec![]),
            (Kind::User, "/operators/", "olga", vec![security, management]),
            (Kind::User, "/Operators/", "olga", vec![]),
            (Kind::User, "/", "olga", vec![]),
            (Kind::User, "/x:user/operators/", "eve", vec![]),
            (Kind::Role, "/operators/", "olga", vec![]),
            (Kind::Role, "/", "Ops", vec![management]),
        ] {
            for account in [security, management, member] {
                let found = protection_of(account, kind, path, name);
                let expected = accounts.contains(&account).then_some(true);
                assert_eq!(found.map(|one| one.impostor), expected, "{account} {path}{name}");
            }
        }
    }

    #[test]
    fn whom_the_configuration_protects_no_machine_contains_in_any_account_it_names() {
        for (account, kind, path, name, is_protected) in [
            ("222222222222", Kind::User, "/", "break-glass-1", true),
            ("111111111111", Kind::User, "/", "break-glass-1", true),
            ("222222222222", Kind::User, "/", "Break-glass-1", false),
            ("222222222222", Kind::User, "/x/", "break-glass-1", false),
            ("222222222222", Kind::Role, "/", "break-glass-1", false),
            ("222222222222", Kind::Role, "/x/", "Keep", true),
            ("333333333333", Kind::Role, "/x/", "Keep", false),
            ("222222222222", Kind::Role, "/", "Keep", false),
        ] {
            let found = protection_of(account, kind, path, name).map(|one| one.impostor);
            assert_eq!(found, is_protected.then_some(true), "{account} {path}{name}");
        }
    }

    #[test]
    fn a_role_that_is_only_claimed_is_known_by_its_name() {
        let by_name = |account: &str, path: &str, name: &str| {
            let execution = "arn:aws:states:us-east-1:111111111111:execution:m:n".to_owned();
            let execution = Execution::try_from(execution).unwrap();
            let account = AccountId::try_from(account.to_owned()).unwrap();
            protection_by_name(&execution, &account, path, name).unwrap().map(|one| one.impostor)
        };
        let (security, member) = ("111111111111", "222222222222");
        for (path, name, impostor) in [
            ("/", "AWSReservedSSO_Admin_1", Some(false)),
            ("/", "AWSServiceRoleForAutoScaling", Some(false)),
            ("/aws-service-role/autoscaling.amazonaws.com/", "x", Some(false)),
            ("/", "OrganizationAccountAccessRole", Some(true)),
            ("/", "organizationaccountaccessrole", Some(true)),
            ("/x/y/", "stacksets-exec-0a1b", Some(true)),
            ("/", "SecurityRemediation-Verify", Some(true)),
            ("/", "SecurityRemediation-Verify2", None),
            ("/", "MyAWSReservedSSO_Admin_1", None),
            ("/", "app", None),
        ] {
            assert_eq!(by_name(member, path, name), impostor, "{path}{name}");
        }
        for name in ["Cordon-Verify", "cdk-hnb659fds-deploy-role-1-eu-west-1"] {
            assert_eq!(by_name(security, "/", name), Some(true), "{name}");
            assert_eq!(by_name(member, "/", name), None, "{name}");
        }
    }
}
