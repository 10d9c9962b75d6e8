//! The way back: what of a principal a restore would give back, and what it would not. Each
//! item is told apart three ways: as it was *before* the case, as the case *left* it, and as it
//! is *now*. What is now as it was before needs nothing; what is as it was left can be given
//! back; anything else is drift, and stays as it is unless a person accepts it by name.

mod compare;
mod hold;
mod record;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Credential, CredentialKind, Execution, Principal, Stored, deny_policy};

pub use compare::{Choice, Comparison, Past, Tagging, compare};
pub use hold::hold;
pub use record::{Device, Found, Group, Inline, Left, Now, Pass, Password, Snapshot, Status};

/// What a restore would do, by what was read of the principal at one time. Its object in the
/// evidence bucket is written once, and a restore does exactly that or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// `cordon/plan/1`.
    pub schema: String,
    /// The execution that planned it.
    pub execution: Execution,
    /// When the principal was read that it goes by (RFC 3339).
    pub at: String,
    /// The execution whose containment or retirement is to be taken back.
    pub incident: Execution,
    /// The finding of that execution, as it was judged.
    pub finding: Finding,
    /// The number of the case; none of a retirement.
    pub case: Option<String>,
    /// The principal, under the name and path that it has now.
    pub principal: Principal,
    /// What the plan was made from.
    pub evidence: Sources,
    /// What lay in the folder of the principal's cases then, below `evidence/<account>/<id>/`:
    /// what comes to lie there since is of another incident.
    pub files: Vec<String>,
    /// What is done, in this order. The deny comes after all that it holds in check, and the tag
    /// `SecurityIncident` last.
    pub changes: Vec<Change>,
    /// What stays inactive, since nobody asked for it to be made active: `activate` names them.
    pub inactive: Vec<Credential>,
    /// What is neither as it was before nor as it was left, and stays as it is.
    pub drift: Vec<Drift>,
    /// What is as it was before, and needs nothing.
    pub kept: Vec<Item>,
    /// What no restore gives back, and people have to see to.
    pub lost: Vec<Lost>,
    /// What people have to know of the evidence and of the principal.
    pub shown: Vec<Shown>,
    /// Whether the attached deny goes first: it may stand in the room of one of the principal's
    /// policies. Until `LiftDeny` the boundary is the deny.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub makes_room: bool,
    /// Whether long texts are cut in this copy, which show as `…` at their end, since a state
    /// carries 256 KiB: what is put into an account is taken from the object, which has all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl Plan {
    /// The form of a plan that this is.
    pub const SCHEMA: &'static str = "cordon/plan/1";

    /// When a restore deals with a change. What marks the principal as one that a restore may
    /// change goes last.
    #[must_use]
    pub fn stage(&self, change: &States) -> Stage {
        let deny = deny_policy(self.execution.partition());
        let detaches = |one: &Change| one.states.item == Item::Deny && one.states.before.is_none();
        match &change.item {
            Item::Incident => Stage::RemoveTag,
            Item::Tag { key } if self.case.is_none() && key == RETIREMENT => Stage::RemoveTag,
            Item::Group { .. } | Item::Policy { .. } | Item::Inline { .. } | Item::Tag { .. } => {
                Stage::GiveBack
            }
            Item::Deny if change.before.is_none() && self.makes_room => Stage::GiveBack,
            Item::Deny if change.before.is_none() => Stage::LiftDeny,
            // Where none of ours is attached until then, the boundary is the deny.
            Item::Boundary
                if change.now.as_ref() == Some(&deny)
                    && (self.makes_room || !self.changes.iter().any(detaches)) =>
            {
                Stage::LiftDeny
            }
            Item::Credential(_) | Item::Boundary | Item::Deny => Stage::SetStatuses,
        }
    }

    /// What is done in a stage, in this order.
    #[must_use]
    pub fn of_stage(&self, stage: Stage) -> Vec<&States> {
        let all = self.changes.iter().map(|change| &change.states);
        let mut changes: Vec<&States> = all.filter(|one| self.stage(one) == stage).collect();
        changes.sort_by_key(|one| self.order(one));
        changes
    }

    /// Where a change comes in a restore.
    #[must_use]
    pub fn order(&self, change: &States) -> Order {
        change.order(self.makes_room)
    }

    /// Does something with each text of a kind that may be long.
    pub fn each_text(&mut self, kind: Text, mut each: impl FnMut(&mut String)) {
        let states: Vec<&mut Option<String>> = match kind {
            Text::Told => {
                let drift = self.drift.iter_mut().map(|one| &mut one.states);
                drift.flat_map(|of| [&mut of.before, &mut of.left, &mut of.now]).collect()
            }
            Text::Replaced => {
                let changes = self.changes.iter_mut().map(|one| &mut one.states);
                changes.flat_map(|of| [&mut of.left, &mut of.now]).collect()
            }
            Text::GivenBack => self.changes.iter_mut().map(|one| &mut one.states.before).collect(),
        };
        states.into_iter().flatten().for_each(&mut each);
        for lost in self.lost.iter_mut().filter(|_| kind == Text::Told) {
            match lost {
                Lost::PolicyChanged { before, now, .. } => {
                    [&mut before.document, &mut now.document].into_iter().for_each(&mut each);
                }
                Lost::TrustChanged { before, now } => {
                    [before, now].into_iter().flatten().for_each(&mut each);
                }
                _ => {}
            }
        }
    }
}

/// The place of a change among others: those of one place are made at once.
pub type Order = (u8, bool);

/// The tag by which people, and the role that gives back, know a contained principal.
const MARK: &str = "SecurityIncident";

/// The tag that a retirement leaves.
pub const RETIREMENT: &str = "CordonRetirement";

/// What a restore does together, and reads back before it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Groups, policies and tags, while the deny stands.
    GiveBack,
    /// Statuses of credentials and the boundary, while the attached deny stands.
    SetStatuses,
    /// The deny, if it is ours: from then on the principal can act again.
    LiftDeny,
    /// The tag by which people know who is contained.
    RemoveTag,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::GiveBack, Self::SetStatuses, Self::LiftDeny, Self::RemoveTag];
}

/// What a finding was, in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Disposition {
    /// It was wrong: it becomes SUPPRESSED, and is not contained again.
    FalsePositive,
    /// It was right, and is over: a recurrence is contained again.
    Recovered,
}

/// What a text of a plan is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// It is only told: of drift, and of what does not come back.
    Told,
    /// It is what a change takes away, or what it was left with.
    Replaced,
    /// It is what a change puts into the account.
    GivenBack,
}

impl Text {
    /// All, in the order in which a copy can do without them.
    pub const ALL: [Self; 3] = [Self::Told, Self::Replaced, Self::GivenBack];
}

/// What was given back by a plan: as it is recorded, and as people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Restored {
    /// The plan, which was carried out; of a large one a copy with long texts cut.
    pub plan: Plan,
    /// Where it lies.
    pub stored: Stored,
    /// What a person has to do yet.
    pub by_hand: Vec<Item>,
    /// Who asked for it, as stated, on one line.
    pub by: String,
    /// Why, as stated, on one line.
    pub reason: String,
    /// What the finding was.
    pub disposition: Disposition,
    /// The execution that gave it back.
    pub execution: Execution,
    /// When it was read back (RFC 3339).
    pub at: String,
    /// The record that closes the case.
    pub record: Stored,
}

/// A finding, as the execution judged it. Texts are hostile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `Id`.
    pub id: String,
    /// `ProductArn`.
    #[serde(default)]
    pub product_arn: String,
    /// `Types`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// `Title` on one line.
    pub title: String,
    /// The severity's label.
    pub severity: String,
    /// The account's id.
    pub account: String,
}

/// The objects in the evidence bucket that a plan was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// The principal as its case found it, by the history of the execution.
    pub original: Stored,
    /// How the case was left; nothing where it was not read back, or of a retirement.
    pub left: Option<Stored>,
    /// The principal as it is now.
    pub now: Stored,
}

/// Something that a principal has, and a containment takes away or puts there. People name it
/// as it is displayed: `group/admins`, `policy/arn:…`, `inline/name`, `tag/key`,
/// `accessKey/AKIA…`, `boundary`, `deny`.
///
/// In the order in which a restore deals with them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Item {
    /// That a user is in a group.
    Group {
        /// The group's name.
        name: String,
    },
    /// An attached managed policy, but `AWSDenyAll`.
    Policy {
        /// Its ARN.
        arn: String,
    },
    /// An inline policy.
    Inline {
        /// Its name.
        name: String,
    },
    /// A tag. Ours but `SecurityIncident` are among them.
    Tag {
        /// Its key.
        key: String,
    },
    /// The status of a credential.
    Credential(Credential),
    /// The permissions boundary.
    Boundary,
    /// `AWSDenyAll`, attached.
    Deny,
    /// The tag `SecurityIncident`, by which people know a contained principal.
    Incident,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group { name } => write!(f, "group/{name}"),
            Self::Policy { arn } => write!(f, "policy/{arn}"),
            Self::Inline { name } => write!(f, "inline/{name}"),
            Self::Tag { key } => write!(f, "tag/{key}"),
            Self::Credential(Credential { kind, id }) => {
                let kind = match kind {
                    CredentialKind::AccessKey => "accessKey",
                    CredentialKind::SshPublicKey => "sshPublicKey",
                    CredentialKind::SigningCertificate => "signingCertificate",
                    CredentialKind::ServiceSpecific => "serviceSpecific",
                };
                write!(f, "{kind}/{id}")
            }
            Self::Boundary => f.write_str("boundary"),
            Self::Deny => f.write_str("deny"),
            Self::Incident => f.write_str("tag/SecurityIncident"),
        }
    }
}

/// An item in its three states. A state is what the item holds, or nothing where the principal
/// does not have it: of an inline policy its document as its author wrote it, of a tag its
/// value, of a boundary, a policy and the deny its ARN, of a group its name, of a credential
/// `Active` or `Inactive`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct States {
    /// What it is.
    pub item: Item,
    /// As it was before the case.
    pub before: Option<String>,
    /// As the case left it.
    pub left: Option<String>,
    /// As it is now.
    pub now: Option<String>,
}

/// What is done with an item: it becomes as it was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The item: from `now` to `before`.
    #[serde(flatten)]
    pub states: States,
    /// Whether it has drifted, and a person has accepted it by name.
    pub accepted: bool,
}

/// An item that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The item.
    #[serde(flatten)]
    pub states: States,
    /// What has changed.
    pub why: Why,
}

/// What has changed of an item since the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Why {
    /// It is neither as it was before nor as it was left.
    Changed,
    /// What stands behind it has changed, so that it would be something else that is given back:
    /// the default version of a policy, of the boundary, or the policies of a group. What,
    /// [`Plan::lost`] says.
    ChangedBehind,
    /// It does not exist any more, and nobody can accept it.
    Gone,
}

/// What no restore gives back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Lost {
    /// A credential that was deleted since: its secret does not come back.
    CredentialGone(Credential),
    /// A credential that the case did not know, to be removed first where nobody knows it.
    CredentialMadeSince {
        /// The credential.
        #[serde(flatten)]
        credential: Credential,
        /// Whether AWS accepts it.
        active: bool,
    },
    /// A console password, which may be known to others: to be changed before the deny is lifted.
    PasswordToChange {
        /// When it was made (RFC 3339).
        created: String,
        /// Whether it was made since.
        since: bool,
    },
    /// A console password that was deleted since.
    PasswordGone,
    /// An MFA device that the case did not know, to be removed first where nobody knows it.
    MfaMadeSince {
        /// Its serial number.
        serial: String,
    },
    /// An MFA device that was deactivated since.
    MfaGone {
        /// Its serial number.
        serial: String,
    },
    /// A policy that does not exist any more. What it said stands in the evidence.
    PolicyGone {
        /// Its ARN.
        arn: String,
    },
    /// A policy whose default version says something else now.
    PolicyChanged {
        /// Its ARN.
        arn: String,
        /// What was in force before.
        before: Version,
        /// What is in force now.
        now: Version,
    },
    /// A group that does not exist any more.
    GroupGone {
        /// Its name.
        name: String,
    },
    /// A group whose policies are others now, or say something else.
    GroupChanged {
        /// Its name.
        name: String,
        /// The policies that have changed, came or went, by ARN or name.
        policies: Vec<String>,
    },
    /// An instance profile that the role was not in, to be emptied first where nobody knows it:
    /// instances act as the role through it.
    InstanceProfileMadeSince {
        /// Its ARN.
        arn: String,
    },
    /// An instance profile that the role is not in any more.
    InstanceProfileGone {
        /// Its ARN.
        arn: String,
    },
    /// A role that trusts others now.
    TrustChanged {
        /// Its trust policy before.
        before: Option<String>,
        /// Its trust policy now.
        now: Option<String>,
    },
    /// A tag `SecurityIncident` of the principal's own, over which the containment has put its mark:
    /// no restore may set it.
    TagOverwritten {
        /// What it said.
        value: String,
    },
}

/// A version of a managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its id: `v1`, `v2` and so on.
    pub version: String,
    /// What it says, as its author wrote it.
    pub document: String,
}

/// What people have to know, though nothing is done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Shown {
    /// The principal has another name or path now.
    Renamed {
        /// Its ARN before.
        before: String,
    },
    /// A tag names other evidence than the execution's history does.
    TagDiffers {
        /// The tag's key.
        key: String,
        /// What it should say.
        expected: String,
        /// What it says.
        says: String,
    },
    /// The finding names other evidence than the execution's history does.
    FindingDiffers {
        /// What it says.
        says: String,
    },
    /// A later incident of the case found this, and took it away: the principal did not have it
    /// before.
    TakenLater {
        /// What it found.
        item: Item,
        /// The ARN of its execution. Plans before this was kept have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        execution: Option<String>,
    },
    /// Another incident of the case had a finding of its own, whose note may say that the
    /// principal is contained: a restore does not change it.
    OtherFinding {
        /// The finding.
        finding: Finding,
        /// The ARN of its execution.
        execution: String,
    },
    /// The same of so many more, which are not named.
    MoreFindings {
        /// How many.
        more: usize,
    },
    /// AWS itself restricts the user, and no restore touches that.
    QuarantinedByAws {
        /// The policy's ARN.
        arn: String,
    },
    /// Its boundary was `AWSDenyAll` before the case, and is it still: no restore lifts that.
    BoundaryDenies,
    /// The evidence does not hold what a policy said that was the boundary, so nobody knows
    /// whether it says something else now.
    NotCompared {
        /// Its ARN.
        arn: String,
    },
    /// Unused keys of the user were retired after what is planned, and it bears no tag of that
    /// any more.
    RetiredSince {
        /// The URI of what the retirement has stored.
        uri: String,
    },
    /// Executions that run or may wait for a redrive were too many to be asked whether they are
    /// about the principal.
    NotAsked {
        /// How many, at least.
        executions: usize,
    },
    /// An object lies among the evidence that none of our executions has written.
    Planted {
        /// Its URI.
        uri: String,
    },
    /// The history of an execution that wrote in the case is gone: what it wrote is not used.
    HistoryGone {
        /// The execution's ARN.
        execution: String,
    },
}
