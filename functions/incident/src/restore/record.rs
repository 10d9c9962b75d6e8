//! What lies in the evidence bucket, as far as a plan goes by it: the documents of
//! `evidence.schema.json`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Item, MARK, Version};
use crate::{Credential, DenyBy, Execution, Kind, Reach, deny_policy, is_kept};

/// A principal as a pass of an execution found it: `cordon/evidence/2`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// The form.
    pub schema: String,
    /// Of which pass it is.
    pub incident: Pass,
    /// The number of the case; none of a retirement.
    pub case: Option<String>,
    /// The principal.
    pub principal: Snapshot,
    /// Its permissions boundary before the case.
    pub boundary_before: Option<String>,
    /// The deny that stood before the case.
    pub denied_before: Option<DenyBy>,
}

impl Found {
    /// When its incident reached the principal.
    #[must_use]
    pub fn since(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(&self.incident.reach.since, &Rfc3339).ok()
    }
}

/// Of which pass of which execution a document is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pass {
    /// The execution's ARN.
    pub execution: Execution,
    /// What it met.
    pub reach: Reach,
}

/// What a case left its principal with, as it was read back: `cordon/left/2`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// The form.
    pub schema: String,
    /// The number of the case.
    pub case: String,
    /// The principal's unique id.
    pub id: String,
    /// Its permissions boundary.
    pub boundary: Option<String>,
    /// ARNs of the policies that stayed attached.
    pub kept_policies: Vec<String>,
    /// Its credentials.
    pub credentials: Vec<Status>,
}

/// A principal as it is now, and what stands behind that which it had: `cordon/now/1`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Now {
    /// The form.
    pub schema: String,
    /// The execution that read it.
    pub execution: Execution,
    /// When it was read (RFC 3339).
    pub at: String,
    /// The principal.
    pub principal: Snapshot,
    /// The groups that were asked for; nothing of one that does not exist.
    pub groups: BTreeMap<String, Option<Group>>,
    /// The default versions of the policies that were asked for; nothing of one that does not
    /// exist.
    pub policies: BTreeMap<String, Option<Version>>,
}

/// A principal, and all that hangs on it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// A user or a role.
    pub kind: Kind,
    /// Its ARN, with its path.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its unique id.
    pub id: String,
    /// Its permissions boundary.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// ARNs of its attached policies.
    pub attached_policies: Vec<String>,
    /// The default versions of the customer's policies, its own, its groups' and its boundary's,
    /// by ARN.
    pub customer_policies: BTreeMap<String, Version>,
    /// Its inline policies.
    pub inline_policies: Vec<Inline>,
    /// Of a role: whom it trusts.
    pub trust_policy: Option<String>,
    /// Of a role: ARNs of the instance profiles that it is in.
    pub instance_profiles: BTreeSet<String>,
    /// Of a user: its groups.
    pub groups: Vec<Group>,
    /// Of a user: what it signs in with.
    pub credentials: Vec<Status>,
    /// Of a user: its console password.
    pub login_profile: Option<Password>,
    /// Of a user: its MFA devices.
    pub mfa_devices: Vec<Device>,
}

/// An inline policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Inline {
    /// Its name.
    pub name: String,
    /// What it says, as its author wrote it.
    pub document: String,
}

/// A group, and what its members may do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// Its name.
    pub name: String,
    /// ARNs of its attached policies.
    pub attached_policies: Vec<String>,
    /// Its inline policies.
    pub inline_policies: Vec<Inline>,
}

/// A credential, and whether AWS accepts it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// The credential.
    #[serde(flatten)]
    pub credential: Credential,
    /// Whether AWS accepts it.
    pub active: bool,
}

impl Status {
    pub(super) fn word(&self) -> String {
        if self.active { ACTIVE } else { INACTIVE }.to_owned()
    }
}

/// The state of a credential that AWS accepts.
pub(super) const ACTIVE: &str = "Active";

/// The state of one that it does not.
pub(super) const INACTIVE: &str = "Inactive";

/// A console password.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Password {
    /// When it was made (RFC 3339).
    pub created: String,
}

/// An MFA device.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its serial number.
    pub serial_number: String,
}

/// The items that a principal has, each with what it holds.
pub(super) type Holds = BTreeMap<Item, String>;

impl Snapshot {
    /// All items. AWS's own quarantine is none: nobody but AWS puts it there or takes it away.
    pub(super) fn holds(&self, partition: &str) -> Holds {
        let deny = deny_policy(partition);
        let groups = self.groups.iter().map(|group| {
            let name = group.name.clone();
            (Item::Group { name: name.clone() }, name)
        });
        let attached = self.attached_policies.iter().filter_map(|arn| {
            let item = match arn {
                deny_all if *deny_all == deny => Item::Deny,
                kept if is_kept(partition, kept) => return None,
                arn => Item::Policy { arn: arn.clone() },
            };
            Some((item, arn.clone()))
        });
        let inline = self
            .inline_policies
            .iter()
            .map(|policy| (Item::Inline { name: policy.name.clone() }, policy.document.clone()));
        let credentials = self
            .credentials
            .iter()
            .map(|one| (Item::Credential(one.credential.clone()), one.word()));
        let boundary = self.boundary.iter().map(|arn| (Item::Boundary, arn.clone()));
        let tags = self.tags.iter().map(|(key, value)| (Item::tag(key), value.clone()));
        groups
            .chain(attached)
            .chain(inline)
            .chain(credentials)
            .chain(boundary)
            .chain(tags)
            .collect()
    }
}

impl Item {
    /// The tag of this key.
    pub(super) fn tag(key: &str) -> Self {
        match key {
            MARK => Self::Incident,
            key => Self::Tag { key: key.to_owned() },
        }
    }

    /// The key of what is a tag.
    #[must_use]
    pub fn tag_key(&self) -> Option<&str> {
        match self {
            Self::Incident => Some(MARK),
            Self::Tag { key } => Some(key),
            _ => None,
        }
    }

    /// Whether it is a tag of this key in whatever case: a principal has one of them.
    ///
    /// Source: IAM User Guide, "Tags for IAM resources", on case sensitivity.
    pub(super) fn is_tag(&self, key: &str) -> bool {
        self.tag_key().is_some_and(|own| own.eq_ignore_ascii_case(key))
    }
}
