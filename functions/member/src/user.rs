//! What IAM says of a user. Every list is read to its last page. Changes nothing.

use aws_calls::failure;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{StatusType, User};
use futures::future::try_join_all;
use incident::{DenyBy, Failure, deny_policy};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// The user itself, or [`Failure::PrincipalNotFound`].
pub async fn user(iam: &Client, name: &str) -> Result<User, Failure> {
    let answer = iam.get_user().user_name(name).send().await;
    match answer.map_err(|error| failure("iam:GetUser", error)) {
        Ok(answer) => answer.user.ok_or_else(|| Failure::ServiceUnavailable {
            call: "iam:GetUser",
            source: "the answer carries no user".into(),
        }),
        Err(Failure::NotFound { .. }) => Err(Failure::PrincipalNotFound(format!("user `{name}`"))),
        Err(other) => Err(other),
    }
}

/// The ARN of the user's permissions boundary.
#[must_use]
pub fn boundary(user: &User) -> Option<String> {
    user.permissions_boundary()?
        .permissions_boundary_arn()
        .map(str::to_owned)
}

/// ARNs of the managed policies attached to the user, sorted.
pub async fn attached_policies(iam: &Client, name: &str) -> Result<Vec<String>, Failure> {
    let pages = iam
        .list_attached_user_policies()
        .user_name(name)
        .into_paginator();
    let policies = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let policies = policies.map_err(|error| failure("iam:ListAttachedUserPolicies", error))?;
    Ok(sorted(
        policies.into_iter().filter_map(|policy| policy.policy_arn),
    ))
}

/// Names of the user's inline policies, sorted.
pub async fn inline_policies(iam: &Client, name: &str) -> Result<Vec<String>, Failure> {
    let pages = iam.list_user_policies().user_name(name).into_paginator();
    let names = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    Ok(sorted(
        names.map_err(|error| failure("iam:ListUserPolicies", error))?,
    ))
}

/// The document of an inline policy, as its author wrote it.
pub async fn inline_document(iam: &Client, name: &str, policy: &str) -> Result<String, Failure> {
    let answer = iam
        .get_user_policy()
        .user_name(name)
        .policy_name(policy)
        .send()
        .await;
    let answer = answer.map_err(|error| failure("iam:GetUserPolicy", error))?;
    decoded("iam:GetUserPolicy", &answer.policy_document)
}

/// A policy document as its author wrote it; IAM returns it percent-encoded.
///
/// Source: IAM API Reference, `GetUserPolicy` (`PolicyDocument`).
pub fn decoded(call: &'static str, document: &str) -> Result<String, Failure> {
    let document = percent_decode_str(document).decode_utf8();
    document
        .map(Into::into)
        .map_err(|error| Failure::RequestRejected {
            call,
            source: error.into(),
        })
}

/// Names of the user's groups, sorted.
pub async fn groups(iam: &Client, name: &str) -> Result<Vec<String>, Failure> {
    let pages = iam.list_groups_for_user().user_name(name).into_paginator();
    let groups = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let groups = groups.map_err(|error| failure("iam:ListGroupsForUser", error))?;
    Ok(sorted(groups.into_iter().map(|group| group.group_name)))
}

/// Where a deny stands, if it does.
#[must_use]
pub fn denied(partition: &str, boundary: Option<&str>, attached: &[String]) -> Option<DenyBy> {
    let deny = deny_policy(partition);
    if attached.contains(&deny) {
        Some(DenyBy::Policy)
    } else if boundary == Some(deny.as_str()) {
        Some(DenyBy::Boundary)
    } else {
        None
    }
}

/// Fails with [`Failure::DenyMissing`] unless a deny stands on the user now.
pub async fn require_deny(iam: &Client, partition: &str, name: &str) -> Result<(), Failure> {
    let (user, attached) = futures::try_join!(user(iam, name), attached_policies(iam, name))?;
    match denied(partition, boundary(&user).as_deref(), &attached) {
        Some(_) => Ok(()),
        None => Err(Failure::DenyMissing(user.arn)),
    }
}

/// A way of signing in to AWS that can be made inactive and active again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// What it is.
    pub kind: CredentialKind,
    /// Its id: of an access key, the access key id. No secret.
    pub id: String,
    /// Whether AWS accepts it.
    pub active: bool,
    /// When it was made (RFC 3339).
    pub created: Option<String>,
    /// The service it is for, where it is for one alone.
    pub service: Option<String>,
}

/// The kinds of credentials that IAM can make inactive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    pub const ALL: [Self; 4] = [
        Self::AccessKey,
        Self::SshPublicKey,
        Self::SigningCertificate,
        Self::ServiceSpecific,
    ];

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

/// All credentials of the user that IAM can make inactive.
pub async fn credentials(iam: &Client, name: &str) -> Result<Vec<Credential>, Failure> {
    let kinds = CredentialKind::ALL.map(|kind| credentials_of(iam, name, kind));
    Ok(try_join_all(kinds).await?.concat())
}

/// The user's credentials of one kind.
pub async fn credentials_of(
    iam: &Client,
    name: &str,
    kind: CredentialKind,
) -> Result<Vec<Credential>, Failure> {
    let credential =
        |id: String, status: &StatusType, created: Option<&aws_sdk_iam::primitives::DateTime>| {
            Credential {
                kind,
                id,
                active: *status != StatusType::Inactive,
                created: created.map(ToString::to_string),
                service: None,
            }
        };
    match kind {
        CredentialKind::AccessKey => {
            let pages = iam.list_access_keys().user_name(name).into_paginator();
            let keys = pages.items().send().collect::<Result<Vec<_>, _>>().await;
            let keys = keys.map_err(|error| failure("iam:ListAccessKeys", error))?;
            let keys = keys.into_iter().filter_map(|key| {
                let status = key.status.unwrap_or(StatusType::Active);
                Some(credential(
                    key.access_key_id?,
                    &status,
                    key.create_date.as_ref(),
                ))
            });
            Ok(keys.collect())
        }
        CredentialKind::SshPublicKey => {
            let pages = iam.list_ssh_public_keys().user_name(name).into_paginator();
            let keys = pages.items().send().collect::<Result<Vec<_>, _>>().await;
            let keys = keys.map_err(|error| failure("iam:ListSSHPublicKeys", error))?;
            let keys = keys
                .into_iter()
                .map(|key| credential(key.ssh_public_key_id, &key.status, Some(&key.upload_date)));
            Ok(keys.collect())
        }
        CredentialKind::SigningCertificate => {
            let pages = iam
                .list_signing_certificates()
                .user_name(name)
                .into_paginator();
            let certificates = pages.items().send().collect::<Result<Vec<_>, _>>().await;
            let certificates =
                certificates.map_err(|error| failure("iam:ListSigningCertificates", error))?;
            let certificates = certificates.into_iter().map(|certificate| {
                credential(
                    certificate.certificate_id,
                    &certificate.status,
                    certificate.upload_date.as_ref(),
                )
            });
            Ok(certificates.collect())
        }
        CredentialKind::ServiceSpecific => {
            let mut found = Vec::new();
            let mut marker = None;
            loop {
                let page = iam
                    .list_service_specific_credentials()
                    .user_name(name)
                    .set_marker(marker);
                let page = page.send().await;
                let page =
                    page.map_err(|error| failure("iam:ListServiceSpecificCredentials", error))?;
                found.extend(
                    page.service_specific_credentials
                        .unwrap_or_default()
                        .into_iter()
                        .map(|one| Credential {
                            service: Some(one.service_name),
                            ..credential(
                                one.service_specific_credential_id,
                                &one.status,
                                Some(&one.create_date),
                            )
                        }),
                );
                marker = page.marker;
                if marker.is_none() {
                    return Ok(found);
                }
            }
        }
    }
}

fn sorted(items: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut items: Vec<String> = items.into_iter().collect();
    items.sort();
    items
}
