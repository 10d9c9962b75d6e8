//! What a user signs in to AWS with and IAM can make inactive. Every list is read to its last
//! page. Changes nothing.

use aws_calls::{Answer, all};
use aws_sdk_iam::Client;
use aws_sdk_iam::primitives::DateTime;
use aws_sdk_iam::types::{AccessKeyLastUsed, ServiceSpecificCredentialMetadata, StatusType};
use futures::future::try_join_all;
pub use incident::CredentialKind;
use incident::Failure;
use serde::{Deserialize, Serialize};

use crate::sorted;

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

impl Credential {
    /// By what people know it.
    #[must_use]
    pub fn named(&self) -> incident::Credential {
        incident::Credential { kind: self.kind, id: self.id.clone() }
    }
}

/// Ids of the user's access keys, sorted.
pub async fn access_keys(iam: &Client, name: &str) -> Result<Vec<String>, Failure> {
    let keys = credentials_of(iam, name, CredentialKind::AccessKey).await?;
    Ok(sorted(keys.into_iter().map(|key| key.id)))
}

/// The name of the user to whom an access key belongs, if the account has the key.
///
/// IAM names the account for the root user's key. Of a key that the account does not have it
/// refuses to tell, as it does where the caller may not ask; but that is about the key, since
/// there is no user whom it could be about. Any other refusal, and any that a policy asks for
/// explicitly, is [`Failure::AccessDenied`]: the key may well be known.
///
/// Sources: IAM API Reference, `GetAccessKeyLastUsed`; IAM User Guide, "Troubleshoot access
/// denied error messages".
pub async fn owner(iam: &Client, key: &str) -> Result<Option<String>, Failure> {
    let answer = iam.get_access_key_last_used().access_key_id(key).send().await;
    match answer.to("iam:GetAccessKeyLastUsed") {
        Ok(answer) => Ok(answer.user_name),
        Err(Failure::NotFound { .. }) => Ok(None),
        Err(Failure::AccessDenied { source, .. }) if has_no_such_key(&source.to_string(), key) => {
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

fn has_no_such_key(refusal: &str, key: &str) -> bool {
    refusal.contains(&format!("on resource: access key {key}"))
        && !refusal.contains("explicit deny")
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
            let pages = iam.list_access_keys().user_name(name).into_paginator().items();
            let keys = all("iam:ListAccessKeys", pages.send()).await?.into_iter();
            let keys = keys.filter_map(|key| {
                let status = key.status.unwrap_or(StatusType::Active);
                Some(credential(key.access_key_id?, &status, key.create_date.as_ref()))
            });
            Ok(keys.collect())
        }
        CredentialKind::SshPublicKey => {
            let pages = iam.list_ssh_public_keys().user_name(name).into_paginator().items();
            let keys = all("iam:ListSSHPublicKeys", pages.send()).await?.into_iter();
            let keys = keys
                .map(|key| credential(key.ssh_public_key_id, &key.status, Some(&key.upload_date)));
            Ok(keys.collect())
        }
        CredentialKind::SigningCertificate => {
            let pages = iam.list_signing_certificates().user_name(name).into_paginator().items();
            let certificates = all("iam:ListSigningCertificates", pages.send()).await?.into_iter();
            let certificates = certificates
                .map(|one| credential(one.certificate_id, &one.status, one.upload_date.as_ref()));
            Ok(certificates.collect())
        }
        CredentialKind::ServiceSpecific => {
            let found = service_specific(iam, name).await?.into_iter();
            let found = found.map(|one| Credential {
                service: Some(one.service_name),
                ..credential(
                    one.service_specific_credential_id,
                    &one.status,
                    Some(&one.create_date),
                )
            });
            Ok(found.collect())
        }
    }
}

/// The one list that the SDK has no paginator for.
async fn service_specific(
    iam: &Client,
    name: &str,
) -> Result<Vec<ServiceSpecificCredentialMetadata>, Failure> {
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let page = iam.list_service_specific_credentials().user_name(name).set_marker(marker);
        let page = page.send().await.to("iam:ListServiceSpecificCredentials")?;
        found.extend(page.service_specific_credentials.unwrap_or_default());
        marker = page.marker;
        if marker.is_none() {
            return Ok(found);
        }
    }
}

/// Whether AWS accepts a credential of this status. An expired one it does not, and no call
/// makes it inactive; of what is not known yet, the worst is assumed.
///
/// Source: IAM API Reference, `ServiceSpecificCredentialMetadata` (`Status`).
pub(crate) fn is_active(status: &StatusType) -> bool {
    !matches!(status, StatusType::Inactive | StatusType::Expired)
}

/// When, where and for what an access key was last used; nothing, where it never was.
pub async fn last_used(iam: &Client, key: &str) -> Result<Option<AccessKeyLastUsed>, Failure> {
    let answer = iam.get_access_key_last_used().access_key_id(key).send().await;
    let answer = answer.to("iam:GetAccessKeyLastUsed")?;
    // A key that was never used has no date.
    Ok(answer.access_key_last_used.filter(|used| used.last_used_date.is_some()))
}

#[cfg(test)]
mod tests {
    use wire::{HttpResponse, answer, error, error_of, mock};

    use super::*;

    #[test]
    fn what_is_expired_is_as_good_as_inactive() {
        for (status, active) in
            [("Active", true), ("Inactive", false), ("Expired", false), ("Suspended", true)]
        {
            assert_eq!(is_active(&StatusType::from(status)), active, "{status}");
        }
    }

    #[tokio::test]
    async fn service_specific_credentials_are_read_to_the_last_page() {
        let page = |marker: Option<&'static str>, id: &'static str, next: &'static str| {
            let id = format!("<ServiceSpecificCredentialId>{id}</ServiceSpecificCredentialId>");
            let one = format!("<member>{id}<Status>Active</Status></member>");
            let page = format!("<ServiceSpecificCredentials>{one}</ServiceSpecificCredentials>");
            mock!(Client::list_service_specific_credentials)
                .match_requests(move |list| list.marker() == marker)
                .then_http_response(move || {
                    answer("ListServiceSpecificCredentials", &format!("{page}{next}"))
                })
        };
        let (first, second) = (page(None, "a", "<Marker>2</Marker>"), page(Some("2"), "b", ""));
        let iam = Client::from_conf(wire::iam(&[&first, &second]).build());
        let found = credentials_of(&iam, "eve", CredentialKind::ServiceSpecific).await.unwrap();
        assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }

    const UNKNOWN: &str = "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: \
                           iam:GetAccessKeyLastUsed on resource: access key AKIAEVE";

    fn refused(why: &str) -> HttpResponse {
        error_of("AccessDenied", why)
    }

    #[tokio::test]
    async fn a_key_that_the_account_does_not_have_has_no_owner() {
        for (answer, expected) in [
            ((|| error("NoSuchEntity")) as fn() -> _, Ok(None)),
            (|| refused(UNKNOWN), Ok(None)),
            (
                || {
                    refused(&format!(
                        "{UNKNOWN} because no identity-based policy allows the \
                         iam:GetAccessKeyLastUsed action"
                    ))
                },
                Ok(None),
            ),
            (|| error("Throttling"), Err("Throttled")),
            (
                || answer("GetAccessKeyLastUsed", "<UserName>eve</UserName>"),
                Ok(Some("eve".to_owned())),
            ),
        ] {
            assert_eq!(owner_by(answer).await, expected);
        }
    }

    #[tokio::test]
    async fn of_a_key_that_iam_refuses_to_tell_of_nobody_knows_that_it_is_unknown() {
        for answer in [
            (|| error("AccessDenied")) as fn() -> _,
            || refused(&UNKNOWN.replace("access key AKIAEVE", "user eve")),
            || refused(&UNKNOWN.replace("AKIAEVE", "AKIAOTHER")),
            || refused(&format!("{UNKNOWN} with an explicit deny in a service control policy")),
        ] {
            assert_eq!(owner_by(answer).await, Err("AccessDenied"));
        }
    }

    async fn owner_by(answer: fn() -> HttpResponse) -> Result<Option<String>, &'static str> {
        let asked = mock!(Client::get_access_key_last_used).then_http_response(answer);
        let iam = Client::from_conf(wire::iam(&[&asked]).build());
        owner(&iam, "AKIAEVE").await.map_err(|failure| failure.name())
    }
}
