use serde::{Deserialize, Serialize};

use crate::{AccountId, Credential, Denial, DenyBy, Kind, Reach};

/// What became of a principal, by what is known of it: what steps did or failed with, and
/// what was read back. The state machine puts it together, one for each principal of a
/// finding; `classify` does for what no machine acts on. At most 5 KiB as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// What the finding calls it.
    pub resource: String,
    /// The member account.
    pub account: AccountId,
    /// How it ended.
    pub verdict: Verdict,
    /// Who it is, where it was identified, by this execution or an earlier pass of it.
    #[serde(default)]
    pub principal: Option<Identity>,
    /// By what it was identified in this pass.
    #[serde(default)]
    pub identified_by: Option<String>,
    /// When the incident reached it.
    #[serde(default)]
    pub reach: Option<Reach>,
    /// What Quarantine did, by its own word.
    #[serde(default)]
    pub denial: Option<Denial>,
    /// Where the evidence lies, and what the principal had.
    #[serde(default)]
    pub evidence: Option<Proof>,
    /// What Verify read; nothing, where it never answered.
    #[serde(default)]
    pub read_back: Option<ReadBack>,
    /// Whether it carries the tags; nothing, where Tag never answered.
    #[serde(default)]
    pub tagged: Option<bool>,
    /// For how many days credentials are unused that were to be made inactive; nothing,
    /// where the principal was to be contained.
    #[serde(default)]
    pub unused_days: Option<u16>,
    /// What failed, and why it is left to people, in the order in which it came.
    #[serde(default)]
    pub failures: Vec<Failed>,
    /// The number of redrives of the pass that came to this.
    pub pass: u32,
}

/// How it ended for a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Read back, and contained.
    Contained,
    /// Read back: no access key is active that is unused for so long.
    Retired,
    /// Nobody was touched, since the response policy says so.
    Observed,
    /// It is left to people, for good.
    Escalated,
    /// A step failed: it is left to people, and to a redrive.
    Pending,
}

/// A principal that was identified, as far as an outcome names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Its true ARN, with its path.
    pub arn: String,
    /// A user or a role.
    pub kind: Kind,
    /// Its name, as IAM spells it.
    pub name: String,
    /// Its unique id.
    pub id: String,
    /// The access keys of a user, by which it is found again under another name.
    #[serde(default)]
    pub access_keys: Vec<String>,
    /// The deny that stood before the incident.
    #[serde(default)]
    pub denied_before: Option<DenyBy>,
}

/// Where the evidence of a principal lies, as far as an outcome names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The number of the case; none, where nobody is contained.
    pub case: Option<String>,
    /// `s3://bucket/key` of the original.
    pub original: String,
    /// SHA-256 of the original, in hexadecimal digits.
    pub sha256: String,
    /// `s3://bucket/key` of this incident's snapshot; the original's, where it is that.
    pub snapshot: String,
    /// SHA-256 of the snapshot.
    pub snapshot_sha256: String,
    /// What original and snapshot hold together, cut.
    pub had: Holdings,
    /// ARN patterns of roles that the principal could assume, cut.
    pub assumable_roles: Names,
    /// What people have to know of the evidence.
    pub told: Vec<String>,
}

/// What Verify read of a principal, cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadBack {
    /// Whether what was to be done is done.
    pub contained: bool,
    /// Where the deny stands.
    pub denied_by: Option<DenyBy>,
    /// The permissions boundary.
    pub boundary: Option<String>,
    /// What the principal had by the evidence and has no more.
    pub done: Holdings,
    /// What it has still that was to be taken away.
    pub left: Holdings,
    /// Whether the user has a console password that is as unused as its keys.
    pub unused_password: bool,
}

/// What a principal has that a containment takes away, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holdings {
    /// Active credentials.
    pub credentials: Names<Credential>,
    /// ARNs of attached managed policies, but for those that stay.
    pub policies: Names,
    /// Names of inline policies.
    pub inline_policies: Names,
    /// Names of groups.
    pub groups: Names,
}

/// A list of names, of which the first are given and the others counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names<T = String> {
    /// The first of them.
    pub first: Vec<T>,
    /// How many more there are.
    #[serde(default)]
    pub more: usize,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { first: Vec::new(), more: 0 }
    }
}

/// A step that failed, as its Catch keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The state.
    pub state: String,
    /// The error's name.
    pub error: String,
    /// The first of its cause, as Step Functions has it: of a function a JSON text, which
    /// may be cut.
    pub cause: String,
}
