use serde::{Deserialize, Serialize};

/// A session that a finding is about, as the finding describes it: whose temporary
/// credentials an attacker has. A claim, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// What the finding calls it; at most 200 characters.
    pub resource: String,
    /// The access key id of the session; at most 128 letters and digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The user whose key or session it is; a name that IAM could give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The role whose session it is; a name that IAM could give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The session's name. Of Identity Center's roles that is the name of the person, of
    /// `sts:GetFederationToken` the name that was given, of an instance's role the
    /// instance's id; at most 64 characters of IAM's grammar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The id of the EC2 instance whose credentials they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}
