use std::borrow::Cow;

use incident::{Accused, Execution, Kind, Refusal, Session, one_line};
use serde::Deserialize;
use serde_json::Value;

use crate::Because;
use crate::claim::{self, Claim, Key, Whose};
use crate::finding::Finding;

const ELSEWHERE: Because =
    Because(Refusal::Elsewhere, Cow::Borrowed("it is in another account than the finding"));

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

impl SubjectKind {
    /// Whether it is a principal, a session or a key.
    pub(crate) fn is_somebody(self) -> bool {
        !matches!(self, Self::Policy | Self::Account | Self::Other)
    }
}

/// What a resource's `Type` says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    User,
    Role,
    Key,
    Policy,
    Account,
    /// `Other`, or nothing: its `Id` has to say it.
    Unsaid,
    /// Something that is no principal.
    Else,
}

impl Type {
    /// ASFF's name of a type, or CloudFormation's.
    ///
    /// Sources: ASFF, `Resources` (`Type`); CloudFormation Template Reference, resource types
    /// of IAM.
    fn of(name: &str) -> Self {
        match name {
            "AwsIamUser" | "AWS::IAM::User" => Self::User,
            "AwsIamRole" | "AWS::IAM::Role" => Self::Role,
            "AwsIamAccessKey" | "AWS::IAM::AccessKey" => Self::Key,
            "AwsIamPolicy" | "AWS::IAM::ManagedPolicy" | "AWS::IAM::Policy" => Self::Policy,
            "AwsAccount" | "AWS::::Account" => Self::Account,
            "" | "Other" => Self::Unsaid,
            _ => Self::Else,
        }
    }

    fn is_no_principal(self) -> bool {
        matches!(self, Self::Policy | Self::Account | Self::Else)
    }

    fn whose(self) -> Option<Whose> {
        match self {
            Self::User => Some(Whose::User),
            Self::Role => Some(Whose::Role),
            _ => None,
        }
    }
}

/// What a resource does in what a finding reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// It is said to have done it.
    Actor,
    /// It was done to it.
    Target,
}

impl Part {
    /// Source: ASFF, `Resources` (`ResourceRole`).
    pub(crate) fn of(resource: &Value) -> Option<Self> {
        let role = resource.get("ResourceRole").and_then(Value::as_str)?;
        match role.to_ascii_lowercase().as_str() {
            "actor" => Some(Self::Actor),
            "target" => Some(Self::Target),
            _ => None,
        }
    }
}

/// A resource of a finding, and what it is to us.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) kind: SubjectKind,
    pub(crate) part: Option<Part>,
    id: &'a str,
    stated: Type,
    /// What its `Id` says, then what its `Details` say.
    claims: Vec<Claim<'a>>,
}

/// That two parts of a resource do not mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Contradiction;

impl<'a> Subject<'a> {
    /// Reads whom a resource means, by its type, its id in each form that products write, and
    /// its details. `Details.Other` is free text, in which no field means anything.
    pub(crate) fn of(resource: &'a Value) -> Self {
        let text = |field| resource.get(field).and_then(Value::as_str).unwrap_or_default();
        let (id, stated) = (text("Id"), Type::of(text("Type")));
        let mut claims = vec![claim::of_id(id, stated == Type::User)];
        let details = |field| resource.get("Details").and_then(|details| details.get(field));
        claims.extend(details("AwsIamAccessKey").map(claim::of_key).into_iter().flatten());
        for (field, whose) in [("AwsIamUser", Whose::User), ("AwsIamRole", Whose::Role)] {
            let said = details(field).map(|details| claim::of_principal(whose, details));
            claims.extend(said.into_iter().flatten());
        }
        let part = Part::of(resource);
        let mut subject = Self { kind: SubjectKind::Other, part, id, stated, claims };
        subject.kind = subject.kind();
        subject
    }

    /// The kind by which a rule is found; whom a resource means that contradicts itself,
    /// nobody believes.
    fn kind(&self) -> SubjectKind {
        let by_id = self.claims.first();
        let is_bare = self.key() == Ok(Key::None);
        match (self.stated, self.said(|claim| claim.whose)) {
            (Type::User, _) => SubjectKind::User,
            (Type::Role, _) => SubjectKind::Role,
            // The account's root is what some call the account.
            (Type::Account, Some(Whose::Root)) => SubjectKind::Account,
            (Type::Policy, _) if !self.is_somebodys_id() => SubjectKind::Policy,
            (Type::Account, _) if !self.is_somebodys_id() => SubjectKind::Account,
            (Type::Else, _) if !self.is_somebodys_id() => SubjectKind::Other,
            // What says but in its details that it is a principal starts no execution.
            (Type::Unsaid, _) if !self.id_says() => match self.id {
                id if id.contains(":policy/") => SubjectKind::Policy,
                id if id.starts_with("AWS::::Account:") => SubjectKind::Account,
                _ => SubjectKind::Other,
            },
            (_, Some(Whose::User)) if is_bare => SubjectKind::User,
            (_, Some(Whose::User)) => SubjectKind::UserKey,
            (_, Some(Whose::Role)) if by_id.is_some_and(Claim::is_a_role) => SubjectKind::Role,
            (_, Some(Whose::Role)) => SubjectKind::RoleSession,
            (_, Some(Whose::Root)) => SubjectKind::RootKey,
            (_, Some(Whose::FederatedUser)) => SubjectKind::FederatedSession,
            (_, None) if matches!(self.key(), Ok(Key::LongTerm(_))) => SubjectKind::UserKey,
            (Type::Key, _) | (_, Some(Whose::Unknown) | None) => SubjectKind::UnknownKey,
        }
    }

    /// Who it is as far as the finding says: the same in each update of a finding.
    pub(crate) fn who(&self) -> String {
        let name = self.said(|claim| claim.name).map(str::to_ascii_lowercase);
        let id = || self.said(|claim| claim.principal_id.or(claim.key.id())).map(str::to_owned);
        let whose = self.said(|claim| claim.whose);
        format!("{whose:?} {}", name.or_else(id).unwrap_or_else(|| self.label()))
    }

    /// By what the finding calls it: its `Id`, and the names of principals and sessions.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        let named = self.claims.iter().flat_map(|claim| [claim.name, claim.session]);
        named.flatten().chain([self.id]).filter(|name| !name.is_empty())
    }

    /// Whether its `Id` is that of a principal, a session or a key.
    fn is_somebodys_id(&self) -> bool {
        let says = |id: &Claim<'_>| id.whose.is_some() || id.key != Key::None;
        self.claims.first().is_some_and(says)
    }

    /// Whether its `Id` is that of a principal, a session or a key, or says that it is one.
    fn id_says(&self) -> bool {
        self.is_somebodys_id() || self.id.starts_with("AWS::IAM::")
    }

    /// What the parts say of one thing: details before the id, which may be but a label.
    fn said<T>(&self, of: impl Fn(&Claim<'a>) -> Option<T>) -> Option<T> {
        let (id, details) = self.claims.split_first()?;
        details.iter().find_map(&of).or_else(|| of(id))
    }

    /// What all parts that say something of one thing say.
    fn agreed<T>(
        &self,
        of: impl Fn(&Claim<'a>) -> Option<T>,
        is_same: impl Fn(&T, &T) -> bool,
    ) -> Result<Option<T>, Contradiction> {
        let mut said = self.claims.iter().filter_map(of);
        let Some(first) = said.next() else { return Ok(None) };
        if said.all(|other| is_same(&first, &other)) { Ok(Some(first)) } else { Err(Contradiction) }
    }

    fn key(&self) -> Result<Key<'a>, Contradiction> {
        let said = |claim: &Claim<'a>| Some(claim.key).filter(|key| *key != Key::None);
        Ok(self.agreed(said, PartialEq::eq)?.unwrap_or_default())
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
            SubjectKind::RootKey => Some(self.of_root()),
            SubjectKind::FederatedSession => Some(Refusal::FederatedSession),
            SubjectKind::UnknownKey => Some(Refusal::UnknownKey),
            _ => None,
        }
    }

    fn of_root(&self) -> Refusal {
        let by_arn = self.claims.first().is_some_and(|id| id.whose == Some(Whose::Root));
        match self.key() {
            Ok(Key::LongTerm(_)) => Refusal::RootKey,
            Ok(Key::None) if by_arn => Refusal::RootUser,
            _ => Refusal::RootSession,
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

    /// Whether it is, or says that it is, a principal or a key of one.
    pub(crate) fn is_of_a_principal(&self) -> bool {
        let says = |claim: &Claim<'_>| claim.whose.is_some() || claim.key != Key::None;
        matches!(self.stated, Type::User | Type::Role | Type::Key) || self.claims.iter().any(says)
    }

    /// The principal that the resource accuses, or why it can't be acted on. Whoever may
    /// import findings chooses what they name: only principals of the finding's own
    /// account, in our partition, are acted on, and none whom two parts of the resource
    /// describe differently.
    pub(crate) fn accuse(
        &self,
        execution: &Execution,
        finding: &Finding<'_>,
        unused_days: Option<u16>,
    ) -> Result<Accused, Because> {
        let account = finding.brief.account.clone();
        self.is_here(execution, account.as_str())?;
        if let Some(reason) = self.claims.iter().find_map(|claim| claim.malformed) {
            return Err(Because::of(Refusal::Malformed, reason));
        }
        let (kind, key) = self.whose()?;
        let access_key = match key {
            Key::LongTerm(id) => Some(id.to_owned()),
            _ => None,
        };
        let of_id = |claim: &Claim<'a>| claim.principal_id;
        let principal_id = self
            .agreed(of_id, PartialEq::eq)
            .map_err(|_| contradiction("its details give two unique ids"))?;
        let of_name = |claim: &Claim<'a>| claim.name;
        let name = match self.agreed(of_name, |one, other| one.eq_ignore_ascii_case(other)) {
            Ok(name) => name,
            // A long-term key has an owner whom IAM knows, whatever a finding calls it.
            Err(_) if access_key.is_some() => self.said(of_name),
            Err(_) => return Err(contradiction("it gives two names")),
        };
        if access_key.is_some() && name == access_key.as_deref() {
            let reason = "what it names may be an access key, or a user who is called like one";
            return Err(Because::of(Refusal::Ambiguous, reason));
        }
        if name.is_none() && access_key.is_none() {
            let search = principal_id.map(|id| format!("; {}", kind.search(id)));
            let noun = kind.noun();
            let reason = format!("it does not name the {noun}{}", search.unwrap_or_default());
            return Err(Because(Refusal::Unnamed, reason.into()));
        }
        if access_key.is_none() && principal_id.is_none() && self.is_known_by_session(kind, key) {
            let reason = "it gives no unique id, and the name alone of a session's principal may \
                          be somebody else's by now";
            return Err(Because::of(Refusal::NoUniqueId, reason));
        }
        let resource = self.label();
        let (name, principal_id) = (name.map(str::to_owned), principal_id.map(str::to_owned));
        Ok(Accused {
            resource,
            account,
            kind,
            name,
            access_key,
            principal_id,
            unused_days,
            days_assumed: false,
            newly: false,
            told: false,
        })
    }

    /// Whether only a session's key leads to the principal: IAM tells nobody whose that is, and
    /// its principal may have another name by now, or a namesake. An ARN names its principal.
    fn is_known_by_session(&self, kind: Kind, key: Key<'_>) -> bool {
        let by_arn = self.claims.first().is_some_and(|id| id.name.is_some());
        let of_a_role = kind == Kind::Role && self.kind != SubjectKind::Role;
        !by_arn && (of_a_role || matches!(key, Key::Session(_) | Key::Malformed))
    }

    /// Whose it is, and by which key, or why it is nobody's who can be acted on.
    fn whose(&self) -> Result<(Kind, Key<'a>), Because> {
        let key = self.key().map_err(|_| contradiction("it names two access keys"))?;
        let said = self.agreed(|claim| claim.whose, PartialEq::eq).map_err(|_| {
            contradiction("its id and its details mean different kinds of principals")
        })?;
        let by_type = self.stated.whose();
        let whose = by_type.or(said);
        let id_is_else = self.id.starts_with("arn:") && !self.id_says();
        if id_is_else && (whose.is_some() || key != Key::None) {
            return Err(contradiction("its id is that of something else"));
        }
        match (whose, key) {
            _ if said == Some(Whose::Root) => {
                Err(Because::of(self.of_root(), "it is the account's root user, or a key of it"))
            }
            _ if self.stated.is_no_principal() && self.is_of_a_principal() => Err(contradiction(
                "its type is that of no principal, and its id or details are a principal's",
            )),
            _ if by_type.is_some() && said.is_some() && by_type != said => Err(contradiction(
                "its type and its id or details mean different kinds of principals",
            )),
            (Some(Whose::Role), Key::LongTerm(_)) => Err(contradiction(
                "it is a role's by its type or details, and roles have no such key",
            )),
            (Some(Whose::Role), key) => Ok((Kind::Role, key)),
            (Some(Whose::User), key) | (None, key @ Key::LongTerm(_)) => Ok((Kind::User, key)),
            (Some(Whose::FederatedUser), _) => {
                let reason = "it is a federated user's, who has no policies to take away";
                Err(Because::of(Refusal::FederatedSession, reason))
            }
            (Some(Whose::Root | Whose::Unknown), _) | (None, Key::Session(_) | Key::Malformed) => {
                Err(Because::of(Refusal::UnknownKey, "the finding does not say whose the key is"))
            }
            (None, Key::None) => Err(match self.stated {
                Type::Key => {
                    let reason = "the finding says neither which key it is nor whose";
                    Because::of(Refusal::UnknownKey, reason)
                }
                Type::Policy => Because::of(Refusal::NoPrincipal, "it is a policy"),
                Type::Account => Because::of(Refusal::NoPrincipal, "it is the account as such"),
                _ => Because::of(Refusal::NoPrincipal, "it is no user, role or key of one"),
            }),
        }
    }

    /// Refuses what any part puts into another account or partition, where its name would mean
    /// somebody else.
    fn is_here(&self, execution: &Execution, account: &str) -> Result<(), Because> {
        let is_strange = |said: Option<&str>, own: &str| said.is_some_and(|said| said != own);
        let partition = execution.partition();
        if self.claims.iter().any(|claim| is_strange(claim.partition, partition)) {
            return Err(Because::of(Refusal::Elsewhere, "it is in another partition"));
        }
        if self.claims.iter().any(|claim| is_strange(claim.account, account)) {
            return Err(ELSEWHERE);
        }
        Ok(())
    }
}

fn contradiction(reason: &'static str) -> Because {
    Because::of(Refusal::Contradictory, reason)
}

/// The session that a resource is, with the instance that the finding names beside it.
///
/// Sources: ASFF, `AwsIamAccessKeyDetails` (`PrincipalId`), `AwsEc2Instance`; IAM User
/// Guide, "IAM JSON policy elements: Principal" (a role session's `AROA…:session`, a
/// federated user's `account:name`); EC2 User Guide, "Retrieve security credentials" (the
/// session of an instance's role has the instance's id as its name).
pub(crate) fn session(resource: &Value, finding: &Value) -> Option<Session> {
    let subject = Subject::of(resource);
    if matches!(subject.kind, SubjectKind::Policy | SubjectKind::Account | SubjectKind::Other) {
        return None;
    }
    let key = subject.said(|claim| claim.key.id());
    let name = subject.said(|claim| claim.session);
    let of_a_role = subject.said(|claim| claim.whose) == Some(Whose::Role);
    let is_session = name.is_some() || subject.kind == SubjectKind::RoleSession;
    let role = subject.said(|claim| claim.name).filter(|_| of_a_role && is_session);
    let user = subject.said(|claim| claim.name);
    let user = user.filter(|_| subject.kind == SubjectKind::UserKey);
    let beside = finding.get("Resources").and_then(Value::as_array).into_iter().flatten();
    let beside = beside.filter_map(|other| other.get("Id").and_then(Value::as_str));
    let instance = beside.filter_map(|arn| arn.rsplit_once(":instance/")).map(|(_, id)| id);
    let instance = instance.chain(name).find(|id| is_instance(id));
    let session = Session {
        resource: one_line(subject.id, 200),
        key: key.map(str::to_owned),
        user: user.map(str::to_owned),
        role: role.map(str::to_owned),
        name: name.map(str::to_owned),
        instance: instance.filter(|_| of_a_role && is_session).map(str::to_owned),
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
