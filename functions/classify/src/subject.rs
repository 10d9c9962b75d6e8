use incident::{Accused, Execution, Kind, PrincipalArn, Refusal, Session, is_name, one_line};
use serde::Deserialize;
use serde_json::Value;

use crate::Because;
use crate::finding::Finding;

const ELSEWHERE: Because = Because(Refusal::Elsewhere, "it is in another account than the finding");

/// What a resource of a finding is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum SubjectKind {
    /// An IAM user.
    User,
    /// An IAM role.
    Role,
    /// An access key of an IAM user, or a session made with one.
    UserKey,
    /// A key of a role's session.
    RoleSession,
    /// A key of the account's root user, or a session made with one.
    RootKey,
    /// A key of a federated user's session.
    FederatedSession,
    /// A key of which the finding does not say whose it is.
    UnknownKey,
    /// A customer-managed policy.
    Policy,
    /// The account as such.
    Account,
    /// Anything else.
    Other,
}

/// A resource of a finding, and what it is to us.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) kind: SubjectKind,
    id: &'a str,
    all_details: Option<&'a Value>,
    /// Of an access key.
    details: Option<&'a Value>,
}

impl<'a> Subject<'a> {
    pub(crate) fn of(resource: &'a Value) -> Self {
        let text = |field| resource.get(field).and_then(Value::as_str).unwrap_or_default();
        let all_details = resource.get("Details");
        let details = resource.pointer("/Details/AwsIamAccessKey");
        let mut subject = Self { kind: SubjectKind::Other, id: text("Id"), all_details, details };
        subject.kind = match text("Type") {
            "AwsIamUser" => SubjectKind::User,
            "AwsIamRole" => SubjectKind::Role,
            "AwsIamPolicy" => SubjectKind::Policy,
            "AwsAccount" => SubjectKind::Account,
            "AwsIamAccessKey" => subject.key(),
            _ => SubjectKind::Other,
        };
        subject
    }

    /// Whose key it is. GuardDuty says so in `PrincipalType`; the key's prefix tells
    /// long-term keys (`AKIA`) from sessions (`ASIA`).
    ///
    /// Sources: GuardDuty User Guide, "Finding details" (user type); IAM User Guide,
    /// "IAM identifiers" (unique id prefixes).
    fn key(&self) -> SubjectKind {
        match self.detail("PrincipalType") {
            "IAMUser" => SubjectKind::UserKey,
            "AssumedRole" | "Role" => SubjectKind::RoleSession,
            "Root" => SubjectKind::RootKey,
            "FederatedUser" => SubjectKind::FederatedSession,
            "" if self.key_id().starts_with("AKIA") => SubjectKind::UserKey,
            _ => SubjectKind::UnknownKey,
        }
    }

    fn detail(&self, field: &str) -> &'a str {
        let found = self.details.and_then(|details| details.get(field)).and_then(Value::as_str);
        found.unwrap_or_default()
    }

    /// The access key id, from the details or from `AWS::IAM::AccessKey:<id>`.
    fn key_id(&self) -> &'a str {
        match self.detail("AccessKeyId") {
            "" => self.id.rsplit(':').next().unwrap_or_default(),
            id => id,
        }
    }

    /// What the finding calls it, for people; in full for every ARN that IAM can make
    /// (512 characters of path, 128 of name), so that no two principals look the same.
    pub(crate) fn label(&self) -> String {
        // Beyond ASCII a character takes up to four bytes of the state's 256 KiB.
        one_line(self.id, if self.id.is_ascii() { 700 } else { 170 })
    }

    /// By what name it is left to people, where that hangs on the resource.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self.kind {
            SubjectKind::RootKey if is_long_term_key(self.key_id()) => Some(Refusal::RootKey),
            SubjectKind::RootKey => Some(Refusal::RootSession),
            SubjectKind::FederatedSession => Some(Refusal::FederatedSession),
            SubjectKind::UnknownKey => Some(Refusal::UnknownKey),
            _ => None,
        }
    }

    /// The ARN of the policy, if it is a customer-managed one of the finding's account.
    pub(crate) fn policy(&self, execution: &Execution, finding: &Finding<'_>) -> Option<String> {
        let account = &finding.brief.account;
        let own = format!("arn:{}:iam::{account}:policy/", execution.partition());
        let printable = self.id.bytes().all(|byte| byte.is_ascii_graphic());
        (self.kind == SubjectKind::Policy
            && printable
            && self.id.starts_with(&own)
            && self.id.len() <= 700)
            .then(|| self.id.to_owned())
    }

    /// The principal that the resource accuses, or why it can't be acted on. Whoever may
    /// import findings chooses what they name: only principals of the finding's own
    /// account, in our partition, are acted on.
    pub(crate) fn accuse(
        &self,
        execution: &Execution,
        finding: &Finding<'_>,
        unused_days: Option<u16>,
    ) -> Result<Accused, Because> {
        let account = finding.brief.account.clone();
        if self.is_elsewhere(account.as_str()) {
            return Err(ELSEWHERE);
        }
        let (kind, name, access_key) = match self.kind {
            SubjectKind::User => (Kind::User, Some(self.named(execution, finding, "user")?), None),
            SubjectKind::Role => (Kind::Role, Some(self.named(execution, finding, "role")?), None),
            SubjectKind::UserKey => {
                let key = self.key_id();
                let key = is_long_term_key(key).then(|| key.to_owned());
                let name = self.principal_name();
                if key.is_none() && name.is_none() {
                    let reason = "it names neither a long-term key nor a user";
                    return Err(Because(Refusal::Unnamed, reason));
                }
                (Kind::User, name, key)
            }
            SubjectKind::RoleSession => {
                let reason = "it does not name the session's role";
                let name = self.principal_name().ok_or(Because(Refusal::Unnamed, reason))?;
                (Kind::Role, Some(name), None)
            }
            _ => return Err(Because(Refusal::Unnamed, "it is no user, role or key of one")),
        };
        let principal_id = self.principal_id(kind);
        // IAM tells nobody whose a session's key is, and its principal may have another name
        // by now, or a namesake.
        let by_key = matches!(self.kind, SubjectKind::UserKey | SubjectKind::RoleSession);
        if by_key && access_key.is_none() && principal_id.is_none() {
            let reason = "it gives no unique id, and the name alone of a session's principal may \
                          be somebody else's by now";
            return Err(Because(Refusal::NoUniqueId, reason));
        }
        let resource = self.label();
        Ok(Accused {
            resource,
            account,
            kind,
            name,
            access_key,
            principal_id,
            unused_days,
            days_assumed: false,
        })
    }

    /// The unique id of the user or the role, if it has the form of one.
    ///
    /// Sources: ASFF, `AwsIamAccessKeyDetails` (`PrincipalId`), `AwsIamUserDetails`,
    /// `AwsIamRoleDetails`; IAM User Guide, "IAM identifiers" (unique id prefixes), and
    /// "IAM JSON policy elements: Principal" (a role session's `AROA…:session`).
    fn principal_id(&self, kind: Kind) -> Option<String> {
        let (prefix, own) = match kind {
            Kind::User => ("AIDA", "/AwsIamUser/UserId"),
            Kind::Role => ("AROA", "/AwsIamRole/RoleId"),
        };
        let own = self.all_details.and_then(|details| details.pointer(own));
        let own = own.and_then(Value::as_str).unwrap_or_default();
        let ids = [self.detail("PrincipalId"), self.issuer("PrincipalId"), own];
        let mut ids = ids.into_iter().filter_map(|id| id.split(':').next());
        let is_id = |id: &&str| {
            id.starts_with(prefix)
                && (16..=128).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        ids.find(is_id).map(str::to_owned)
    }

    fn named(
        &self,
        execution: &Execution,
        finding: &Finding<'_>,
        resource: &str,
    ) -> Result<String, Because> {
        let malformed = |reason| Because(Refusal::Malformed, reason);
        let arn = PrincipalArn::parse(self.id).map_err(malformed)?;
        if arn.resource != resource {
            return Err(malformed("it is not what its type says"));
        }
        if arn.partition != execution.partition() {
            return Err(Because(Refusal::Elsewhere, "it is in another partition"));
        }
        if arn.account != finding.brief.account.as_str() {
            return Err(ELSEWHERE);
        }
        Ok(arn.name.to_owned())
    }

    /// Whether the details put the key into another account, where its owner's name
    /// would mean somebody else.
    fn is_elsewhere(&self, account: &str) -> bool {
        let accounts = [self.detail("AccountId"), self.issuer("AccountId")];
        accounts.into_iter().any(|other| !other.is_empty() && other != account)
    }

    /// Of the role whose session the key is.
    fn issuer(&self, field: &str) -> &'a str {
        let issuer =
            self.details.and_then(|details| details.pointer("/SessionContext/SessionIssuer"));
        issuer.and_then(|issuer| issuer.get(field)).and_then(Value::as_str).unwrap_or_default()
    }

    /// The user's or the role's name in the details of a key, if it is one that IAM
    /// could have.
    fn principal_name(&self) -> Option<String> {
        let names =
            [self.issuer("UserName"), self.detail("PrincipalName"), self.detail("UserName")];
        names.into_iter().find(|name| is_name(name)).map(str::to_owned)
    }
}

/// The session that a resource is, with the instance that the finding names beside it.
///
/// Sources: ASFF, `AwsIamAccessKeyDetails` (`PrincipalId`), `AwsEc2Instance`; IAM User
/// Guide, "IAM JSON policy elements: Principal" (a role session's `AROA…:session`, a
/// federated user's `account:name`); EC2 User Guide, "Retrieve security credentials" (the
/// session of an instance's role has the instance's id as its name).
pub(crate) fn session(resource: &Value, finding: &Value) -> Option<Session> {
    let subject = Subject::of(resource);
    let role = match subject.kind {
        SubjectKind::RoleSession => subject.principal_name(),
        SubjectKind::FederatedSession
        | SubjectKind::UnknownKey
        | SubjectKind::RootKey
        | SubjectKind::UserKey => None,
        _ => return None,
    };
    let key = subject.key_id();
    let is_key = (16..=128).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric());
    let named = [subject.detail("PrincipalId"), subject.issuer("PrincipalId")];
    let after_colon = named.into_iter().find_map(|id| id.split_once(':')).map(|(_, name)| name);
    let given = match subject.kind {
        SubjectKind::FederatedSession => after_colon.or(Some(subject.detail("PrincipalName"))),
        SubjectKind::RoleSession => after_colon,
        _ => None,
    };
    let name = given.filter(|name| is_name(name) && name.len() <= 64);
    let beside = finding.get("Resources").and_then(Value::as_array).into_iter().flatten();
    let beside = beside.filter_map(|other| other.get("Id").and_then(Value::as_str));
    let instance = beside.filter_map(|arn| arn.rsplit_once(":instance/")).map(|(_, id)| id);
    let instance = instance.chain(name).find(|id| is_instance(id));
    let of_a_role = subject.kind == SubjectKind::RoleSession;
    let session = Session {
        resource: one_line(subject.id, 100),
        key: is_key.then(|| key.to_owned()),
        role,
        name: name.map(str::to_owned),
        instance: instance.filter(|_| of_a_role).map(str::to_owned),
    };
    let says_more = session.key.is_some() || session.role.is_some() || session.name.is_some();
    says_more.then_some(session)
}

/// Source: EC2 User Guide, "Resource IDs".
fn is_instance(id: &str) -> bool {
    id.strip_prefix("i-").is_some_and(|digits| {
        [8, 17].contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Source: IAM User Guide, "IAM identifiers" (unique id prefixes).
fn is_long_term_key(id: &str) -> bool {
    id.starts_with("AKIA")
        && (16..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(id: &str, details: &Value) -> SubjectKind {
        let details = json!({ "AwsIamAccessKey": details });
        let resource = json!({ "Type": "AwsIamAccessKey", "Id": id, "Details": details });
        Subject::of(&resource).kind
    }

    #[test]
    fn the_principal_type_says_whose_a_key_is_and_else_its_prefix() {
        let (long, session) = ("AWS::IAM::AccessKey:AKIA1", "AWS::IAM::AccessKey:ASIA1");
        for (id, principal_type, is) in [
            (long, "IAMUser", SubjectKind::UserKey),
            (session, "IAMUser", SubjectKind::UserKey),
            (session, "AssumedRole", SubjectKind::RoleSession),
            (long, "Root", SubjectKind::RootKey),
            (session, "FederatedUser", SubjectKind::FederatedSession),
            (session, "AWSAccount", SubjectKind::UnknownKey),
            // Whatever GuardDuty may call others one day, they are not a user's.
            (long, "iamuser", SubjectKind::UnknownKey),
            (long, "", SubjectKind::UserKey),
            ("AKIA1", "", SubjectKind::UserKey),
            (session, "", SubjectKind::UnknownKey),
            ("", "", SubjectKind::UnknownKey),
        ] {
            let found = kind(id, &json!({ "PrincipalType": principal_type }));
            assert_eq!(found, is, "{id} {principal_type}");
        }
        assert_eq!(kind("", &json!({ "AccessKeyId": "AKIA1" })), SubjectKind::UserKey);
        assert_eq!(kind(long, &json!([])), SubjectKind::UserKey);
    }

    #[test]
    fn only_long_term_keys_have_owners_that_iam_tells() {
        let longest = format!("AKIA{}", "A".repeat(124));
        for id in ["AKIAIOSFODNN7EXAMPLE", "AKIA567890123456", &longest] {
            assert!(is_long_term_key(id), "{id}");
        }
        let too_long = format!("{longest}A");
        for id in [
            "",
            "AKIA",
            "AKIA56789012345",
            "ASIAIOSFODNN7EXAMPLE",
            "AKIAIOSFODNN7EXAMPL*",
            &too_long,
        ] {
            assert!(!is_long_term_key(id), "{id}");
        }
    }
}
