//! What only users have: groups and credentials. Every list is read to its last page. Changes nothing.

use aws_calls::{failure, if_found};
use aws_sdk_iam::Client;
use aws_sdk_iam::primitives::{DateTime, DateTimeFormat};
use aws_sdk_iam::types::{AccessKeyLastUsed, StatusType};
use futures::future::try_join_all;
use incident::Failure;
use serde::{Deserialize, Serialize};

use crate::concurrently;
use crate::principal::sorted;

/// Names of the user's groups, sorted.
pub async fn groups(iam: &Client, name: &str) -> Result<Vec<String>, Failure> {
    let pages = iam.list_groups_for_user().user_name(name).into_paginator();
    let groups = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let groups = groups.map_err(|error| failure("iam:ListGroupsForUser", error))?;
    Ok(sorted(groups.into_iter().map(|group| group.group_name)))
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

/// Ids of the user's access keys, sorted.
pub async fn access_keys(iam: &Client, name: &str) -> Result<Vec<String>, Failure> {
    let keys = credentials_of(iam, name, CredentialKind::AccessKey).await?;
    Ok(sorted(keys.into_iter().map(|key| key.id)))
}

/// The name of the user to whom an access key belongs, if the account has the key.
///
/// IAM names the account for the root user's key, and the call is refused for a key of
/// another account's.
///
/// Source: IAM API Reference, `GetAccessKeyLastUsed`.
pub async fn owner(iam: &Client, key: &str) -> Result<Option<String>, Failure> {
    let answer = iam.get_access_key_last_used().access_key_id(key).send().await;
    match answer.map_err(|error| failure("iam:GetAccessKeyLastUsed", error)) {
        Ok(answer) => Ok(answer.user_name),
        // Of a key that the account does not have, IAM says either.
        Err(Failure::NotFound { .. } | Failure::AccessDenied { .. }) => Ok(None),
        Err(failure) => Err(failure),
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
    let credential = |id: String, status: &StatusType, created: Option<&DateTime>| Credential {
        kind,
        id,
        active: is_active(status),
        created: created.map(ToString::to_string),
        service: None,
    };
    match kind {
        CredentialKind::AccessKey => {
            let pages = iam.list_access_keys().user_name(name).into_paginator();
            let keys = pages.items().send().collect::<Result<Vec<_>, _>>().await;
            let keys = keys.map_err(|error| failure("iam:ListAccessKeys", error))?;
            let keys = keys.into_iter().filter_map(|key| {
                let status = key.status.unwrap_or(StatusType::Active);
                Some(credential(key.access_key_id?, &status, key.create_date.as_ref()))
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
            let pages = iam.list_signing_certificates().user_name(name).into_paginator();
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
                let page =
                    iam.list_service_specific_credentials().user_name(name).set_marker(marker);
                let page = page.send().await;
                let page =
                    page.map_err(|error| failure("iam:ListServiceSpecificCredentials", error))?;
                found.extend(
                    page.service_specific_credentials.unwrap_or_default().into_iter().map(|one| {
                        Credential {
                            service: Some(one.service_name),
                            ..credential(
                                one.service_specific_credential_id,
                                &one.status,
                                Some(&one.create_date),
                            )
                        }
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

/// Whether AWS accepts a credential of this status. An expired one it does not, and no call
/// makes it inactive; of what is not known yet, the worst is assumed.
///
/// Source: IAM API Reference, `ServiceSpecificCredentialMetadata` (`Status`).
fn is_active(status: &StatusType) -> bool {
    !matches!(status, StatusType::Inactive | StatusType::Expired)
}

/// When, where and for what an access key was last used; nothing, where it never was.
pub async fn last_used(iam: &Client, key: &str) -> Result<Option<AccessKeyLastUsed>, Failure> {
    let answer = iam.get_access_key_last_used().access_key_id(key).send().await;
    let answer = answer.map_err(|error| failure("iam:GetAccessKeyLastUsed", error))?;
    // A key that was never used has no date.
    Ok(answer.access_key_last_used.filter(|used| used.last_used_date.is_some()))
}

/// Which access keys count as unused, as a step's input says it.
#[derive(Debug, Clone, Deserialize)]
pub struct Unused {
    /// For so many days.
    days: u16,
    /// Counted back from then (RFC 3339).
    at: String,
}

impl Unused {
    /// The time since when an unused key was neither used nor made.
    ///
    /// Source: Security Hub User Guide, controls IAM.8 and IAM.22.
    pub fn since(&self) -> Result<UnusedSince, Failure> {
        let at = DateTime::from_str(&self.at, DateTimeFormat::DateTime)
            .map_err(|error| Failure::InvalidInput(format!("`{}` is no time: {error}", self.at)))?;
        Ok(UnusedSince(DateTime::from_secs(at.secs() - i64::from(self.days) * 24 * 60 * 60)))
    }
}

/// The time since when nothing happened with what is unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnusedSince(DateTime);

impl UnusedSince {
    fn is_after(self, last: Option<DateTime>) -> bool {
        last.is_none_or(|last| last.secs() < self.0.secs())
    }
}

/// The user's active access keys that are unused since then.
pub async fn unused_keys(
    iam: &Client,
    name: &str,
    since: UnusedSince,
) -> Result<Vec<Credential>, Failure> {
    let pages = iam.list_access_keys().user_name(name).into_paginator().items();
    let keys = pages.send().collect::<Result<Vec<_>, _>>().await;
    let keys = keys.map_err(|error| failure("iam:ListAccessKeys", error))?;
    let active = keys.into_iter().filter(|key| key.status.as_ref().is_none_or(is_active));
    let unused = active.map(async |key| {
        let Some(id) = key.access_key_id else { return Ok(None) };
        let used = last_used(iam, &id).await?.and_then(|used| used.last_used_date);
        let unused = since.is_after(used) && since.is_after(key.create_date);
        let created = key.create_date.map(|date| date.to_string());
        let kind = CredentialKind::AccessKey;
        Ok(unused.then_some(Credential { kind, id, active: true, created, service: None }))
    });
    concurrently(unused).await.into_iter().filter_map(Result::transpose).collect()
}

/// Whether the user has a console password that is unused since then.
pub async fn has_unused_password(
    iam: &Client,
    name: &str,
    since: UnusedSince,
) -> Result<bool, Failure> {
    let profile = iam.get_login_profile().user_name(name).send().await;
    let profile = if_found(profile.map_err(|error| failure("iam:GetLoginProfile", error)))?;
    let Some(profile) = profile.and_then(|answer| answer.login_profile) else { return Ok(false) };
    let user = iam
        .get_user()
        .user_name(name)
        .send()
        .await
        .map_err(|error| failure("iam:GetUser", error))?;
    let last_used = user.user.and_then(|found| found.password_last_used);
    Ok(since.is_after(last_used) && since.is_after(Some(profile.create_date)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expired_is_as_good_as_inactive() {
        for (status, active) in
            [("Active", true), ("Inactive", false), ("Expired", false), ("Suspended", true)]
        {
            assert_eq!(is_active(&StatusType::from(status)), active, "{status}");
        }
    }
}
