use incident::{PrincipalArn, is_name};
use serde_json::Value;

/// Whose a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// An IAM user's.
    User,
    /// An IAM role's.
    Role,
    /// The account's root user's.
    Root,
    /// A federated user's.
    FederatedUser,
    /// Somebody's of a type that is unknown here.
    Unknown,
}

/// An access key id, by its form.
///
/// Source: IAM User Guide, "IAM identifiers" (unique id prefixes).
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    /// No key is named: GuardDuty writes `null` where a console password was used.
    #[default]
    None,
    /// A key of a user or of root (`AKIA…`).
    LongTerm(&'a str),
    /// A session's (`ASIA…`).
    Session(&'a str),
    /// What stands in a key's place, and is none.
    Malformed,
}

impl<'a> Key<'a> {
    fn of(id: &'a str) -> Self {
        let is_key =
            (16..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match id {
            "" | "null" => Self::None,
            _ if is_key && id.starts_with("AKIA") => Self::LongTerm(id),
            _ if is_key && id.starts_with("ASIA") => Self::Session(id),
            _ => Self::Malformed,
        }
    }

    /// The id, where it has the form of one.
    pub(crate) fn id(self) -> Option<&'a str> {
        match self {
            Self::LongTerm(id) | Self::Session(id) => Some(id),
            Self::None | Self::Malformed => None,
        }
    }
}

/// What one part of a resource says of whom the resource means.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) whose: Option<Whose>,
    pub(crate) partition: Option<&'a str>,
    pub(crate) account: Option<&'a str>,
    /// A name that IAM could have.
    pub(crate) name: Option<&'a str>,
    pub(crate) key: Key<'a>,
    /// A unique id of a user (`AIDA…`) or a role (`AROA…`).
    pub(crate) principal_id: Option<&'a str>,
    /// The session's name; of a federated user's, that user's.
    pub(crate) session: Option<&'a str>,
    /// Why the name that it gives is none.
    pub(crate) malformed: Option<&'static str>,
}

impl Claim<'_> {
    /// Whether it names a role as such, not a session of one.
    pub(crate) fn is_a_role(&self) -> bool {
        self.whose == Some(Whose::Role) && self.name.is_some() && self.session.is_none()
    }
}

/// What a resource's `Id` says, whatever its form. `is_user`, where the resource's type is
/// that of a user: then `user/eve/access-key/AKIA…` is the user of that name and path.
///
/// Sources: ASFF, `Resources` (`Id`); IAM User Guide, "IAM identifiers" (ARNs, unique id
/// prefixes); STS API Reference, `AssumedRoleUser` and `FederatedUser` (`Arn`, and the ids
/// `AROA…:session` and `account:name`).
pub(crate) fn of_id(id: &str, is_user: bool) -> Claim<'_> {
    if let Some(key) = id.strip_prefix("AWS::IAM::AccessKey:") {
        return Claim { key: Key::of(key), ..Claim::default() };
    }
    if id.starts_with("arn:") {
        return of_arn(id, is_user);
    }
    if ["AKIA", "ASIA"].iter().any(|prefix| id.starts_with(prefix)) {
        return Claim { key: Key::of(id), ..Claim::default() };
    }
    of_principal_id(id)
}

fn of_arn(arn: &str, is_user: bool) -> Claim<'_> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, partition, service @ ("iam" | "sts"), _, account, resource] = parts.as_slice() else {
        return Claim::default();
    };
    let claim = Claim { partition: Some(*partition), account: Some(*account), ..Claim::default() };
    let of_principal = |whose, arn| match PrincipalArn::parse(arn) {
        Ok(PrincipalArn { name, .. }) => Claim { whose: Some(whose), name: Some(name), ..claim },
        Err(reason) => Claim { whose: Some(whose), malformed: Some(reason), ..claim },
    };
    match (*service, resource.split_once('/')) {
        ("iam", None) if *resource == "root" => Claim { whose: Some(Whose::Root), ..claim },
        ("iam", Some(("user", _))) => match arn.rsplit_once("/access-key/") {
            Some((user, key)) if !is_user && Key::of(key).id().is_some() => {
                Claim { key: Key::of(key), ..of_principal(Whose::User, user) }
            }
            _ => of_principal(Whose::User, arn),
        },
        ("iam", Some(("role", _))) => of_principal(Whose::Role, arn),
        ("iam", Some(("access-key", key))) => Claim { key: Key::of(key), ..claim },
        ("sts", Some(("assumed-role", names))) => {
            let (role, session) = names.split_once('/').unwrap_or((names, ""));
            let malformed = (!is_name(role)).then_some("its role's name is outside IAM's grammar");
            let name = Some(role).filter(|role| is_name(role));
            let session = Some(session).filter(|name| is_session(name));
            Claim { whose: Some(Whose::Role), name, session, malformed, ..claim }
        }
        ("sts", Some(("federated-user", name))) => {
            let session = Some(name).filter(|name| is_session(name));
            Claim { whose: Some(Whose::FederatedUser), session, ..claim }
        }
        _ => Claim::default(),
    }
}

/// What `AIDA…`, `AROA…` or `AROA…:session` says.
fn of_principal_id(id: &str) -> Claim<'_> {
    let (id, session) = id.split_once(':').unwrap_or((id, ""));
    let is_id = (16..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let whose = match id.get(..4) {
        Some("AIDA") if is_id => Whose::User,
        Some("AROA") if is_id => Whose::Role,
        _ => return Claim::default(),
    };
    let session = Some(session).filter(|name| is_session(name));
    Claim { whose: Some(whose), principal_id: Some(id), session, ..Claim::default() }
}

/// What `Details.AwsIamAccessKey` says: whose the key is, GuardDuty tells in `PrincipalType`,
/// or the prefix of the unique id; in 2019 it gave the user's name alone, as `UserName`.
///
/// Sources: ASFF, `AwsIamAccessKeyDetails`, `AwsIamAccessKeySessionContext`; GuardDuty User
/// Guide, "Finding details" (user type).
pub(crate) fn of_key<'a>(details: &'a Value) -> Vec<Claim<'a>> {
    let of = |holder: Option<&'a Value>, field: &str| -> &'a str {
        holder.and_then(|holder| holder.get(field)).and_then(Value::as_str).unwrap_or_default()
    };
    let text = |field: &str| of(Some(details), field);
    let issuer = |field: &str| of(details.pointer("/SessionContext/SessionIssuer"), field);
    let given = |field| Some(text(field)).filter(|text| !text.is_empty());
    let principal_id = text("PrincipalId");
    let (_, session) = principal_id.split_once(':').unwrap_or_default();
    let by_id = of_principal_id(principal_id);
    let whose = match text("PrincipalType") {
        "IAMUser" => Some(Whose::User),
        "AssumedRole" | "Role" => Some(Whose::Role),
        "Root" => Some(Whose::Root),
        "FederatedUser" => Some(Whose::FederatedUser),
        "" if issuer("Type") == "Role" => Some(Whose::Role),
        "" => by_id.whose.or(match text("UserName") {
            "" => None,
            "Root" | "root" => Some(Whose::Root),
            _ => Some(Whose::User),
        }),
        _ => Some(Whose::Unknown),
    };
    let key = Claim {
        whose,
        account: given("AccountId"),
        key: Key::of(text("AccessKeyId")),
        ..Claim::default()
    };
    let made_by = Some(issuer("AccountId")).filter(|account| !account.is_empty());
    let made_by = Claim { account: made_by, ..Claim::default() };
    match whose {
        Some(Whose::User | Whose::Role) => {}
        // A federated user's session is issued by a user who is not accused.
        Some(Whose::FederatedUser) => {
            let named = [session, text("PrincipalName")].into_iter().find(|name| is_session(name));
            return vec![Claim { session: named, ..key }, made_by];
        }
        Some(Whose::Root) => {
            let is_account =
                |id: &&str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
            let account = given("AccountId").or(Some(principal_id).filter(is_account));
            return vec![Claim { account, ..key }, made_by];
        }
        _ => return vec![key, made_by],
    }
    let name =
        |name: &'a str| Claim { name: Some(name).filter(|name| is_name(name)), ..Claim::default() };
    // GuardDuty may call a session's principal `role/session`.
    let called = text("PrincipalName");
    let called = match called.split_once('/') {
        Some((role, of)) if of == session && whose == Some(Whose::Role) => role,
        _ => called,
    };
    let mut claims = vec![
        key,
        by_id,
        made_by,
        name(called),
        name(text("UserName")),
        name(issuer("UserName")),
        Claim { session: Some(session).filter(|name| is_session(name)), ..Claim::default() },
        of_principal_id(issuer("PrincipalId")),
    ];
    claims.extend(
        Some(issuer("Arn")).filter(|arn| arn.starts_with("arn:")).map(|arn| of_arn(arn, true)),
    );
    claims
}

/// What `Details.AwsIamUser` or `Details.AwsIamRole` says.
///
/// Source: ASFF, `AwsIamUserDetails`, `AwsIamRoleDetails`.
pub(crate) fn of_principal(whose: Whose, details: &Value) -> Vec<Claim<'_>> {
    let text = |field| details.get(field).and_then(Value::as_str).unwrap_or_default();
    let (name, id) = match whose {
        Whose::Role => (text("RoleName"), text("RoleId")),
        _ => (text("UserName"), text("UserId")),
    };
    let says = !name.is_empty() || !id.is_empty();
    let name = Some(name).filter(|name| is_name(name));
    let own = Claim { whose: Some(whose).filter(|_| says), name, ..Claim::default() };
    vec![own, of_principal_id(id)]
}

/// Source: STS API Reference, `AssumeRole` (`RoleSessionName`).
fn is_session(name: &str) -> bool {
    is_name(name) && name.len() <= 64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

    #[test]
    fn an_id_says_whose_it_is_in_every_form() {
        let (user, role) = (Some(Whose::User), Some(Whose::Role));
        for (id, whose, name, key) in [
            ("arn:aws:iam::222222222222:user/a/eve", user, Some("eve"), None),
            ("arn:aws:iam::222222222222:role/a/app", role, Some("app"), None),
            ("arn:aws:sts::222222222222:assumed-role/app/i-0abc", role, Some("app"), None),
            ("arn:aws:sts::222222222222:assumed-role/app", role, Some("app"), None),
            ("arn:aws:iam::222222222222:root", Some(Whose::Root), None, None),
            (
                "arn:aws:sts::222222222222:federated-user/bob",
                Some(Whose::FederatedUser),
                None,
                None,
            ),
            (
                &format!("arn:aws:iam::222222222222:user/eve/access-key/{KEY}"),
                user,
                Some("eve"),
                Some(KEY),
            ),
            (&format!("arn:aws:iam::222222222222:access-key/{KEY}"), None, None, Some(KEY)),
            (&format!("AWS::IAM::AccessKey:{KEY}"), None, None, Some(KEY)),
            (KEY, None, None, Some(KEY)),
            ("AIDACKCEVSQ6C2EXAMPLE", user, None, None),
            ("AROACKCEVSQ6C2EXAMPLE:i-0abc", role, None, None),
            ("AROA", None, None, None),
            ("AIDA\u{e9}CKCEVSQ6C2EXAMPLE", None, None, None),
            ("AWS::IAM::AccessKey:null", None, None, None),
            ("arn:aws:s3:::bucket", None, None, None),
            ("arn:aws:iam::222222222222:group/g", None, None, None),
            ("eve", None, None, None),
            ("", None, None, None),
        ] {
            let claim = of_id(id, false);
            assert_eq!((claim.whose, claim.name, claim.key.id()), (whose, name, key), "{id}");
        }
        // IAM could have such a user.
        let id = format!("arn:aws:iam::222222222222:user/eve/access-key/{KEY}");
        let literal = of_id(&id, true);
        assert_eq!((literal.name, literal.key), (Some(KEY), Key::None));
    }

    #[test]
    fn a_key_is_long_term_a_sessions_or_none() {
        let longest = format!("AKIA{}", "A".repeat(124));
        for id in [KEY, "AKIA567890123456", &longest] {
            assert_eq!(Key::of(id), Key::LongTerm(id));
        }
        assert_eq!(Key::of("ASIAIOSFODNN7EXAMPLE"), Key::Session("ASIAIOSFODNN7EXAMPLE"));
        assert_eq!([Key::of(""), Key::of("null")], [Key::None; 2]);
        let too_long = format!("{longest}A");
        for id in
            ["AKIA", "AKIA56789012345", "AKIAIOSFODNN7EXAMPL*", "AIDACKCEVSQ6C2EXAMPLE", &too_long]
        {
            assert_eq!(Key::of(id), Key::Malformed, "{id}");
        }
    }

    #[test]
    fn details_of_a_key_say_whose_it_is_by_type_or_id_or_name() {
        for (details, whose) in [
            (json!({ "PrincipalType": "IAMUser" }), Some(Whose::User)),
            (json!({ "PrincipalType": "AssumedRole" }), Some(Whose::Role)),
            (json!({ "PrincipalType": "Root" }), Some(Whose::Root)),
            (json!({ "PrincipalType": "FederatedUser" }), Some(Whose::FederatedUser)),
            // Whatever GuardDuty may call others one day, they are not a user's.
            (json!({ "PrincipalType": "AWSAccount" }), Some(Whose::Unknown)),
            (json!({ "PrincipalType": "iamuser" }), Some(Whose::Unknown)),
            (json!({ "PrincipalId": "AROACKCEVSQ6C2EXAMPLE:s" }), Some(Whose::Role)),
            (json!({ "UserName": "dana" }), Some(Whose::User)),
            (json!({ "UserName": "Root" }), Some(Whose::Root)),
            (
                json!({ "PrincipalId": "AROACKCEVSQ6C2EXAMPLE", "UserName": "app" }),
                Some(Whose::Role),
            ),
            (
                json!({ "SessionContext": { "SessionIssuer": { "Type": "Role" } } }),
                Some(Whose::Role),
            ),
            (json!({ "PrincipalName": "dana" }), None),
            (json!({}), None),
            (json!([]), None),
        ] {
            assert_eq!(of_key(&details)[0].whose, whose, "{details}");
        }
    }
}
