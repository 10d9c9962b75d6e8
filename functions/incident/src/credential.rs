use serde::{Deserialize, Serialize};

/// A credential, as far as people are told of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Credential {
    /// What it is.
    pub kind: CredentialKind,
    /// Its id: of an access key, the access key id. No secret.
    pub id: String,
}

/// The kinds of credentials that IAM can make inactive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CredentialKind {
    /// An access key.
    AccessKey,
    /// An SSH public key, for CodeCommit.
    SshPublicKey,
    /// An X.509 signing certificate.
    SigningCertificate,
    /// A user name and password, or an API key, for one service.
    ServiceSpecific,
}

impl CredentialKind {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::AccessKey, Self::SshPublicKey, Self::SigningCertificate, Self::ServiceSpecific];

    /// What people call one.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::AccessKey => "access key",
            Self::SshPublicKey => "SSH public key",
            Self::SigningCertificate => "signing certificate",
            Self::ServiceSpecific => "service-specific credential",
        }
    }
}
