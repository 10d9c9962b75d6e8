//! Makes credentials of the user inactive: access keys, SSH public keys, signing
//! certificates, service-specific credentials. Each can be made active again.

use aws_calls::{Answer, if_found};
use aws_sdk_iam::Client;
use aws_sdk_iam::types::StatusType;
use futures::future::join_all;
use incident::{Execution, Failure, Principal};
use member::credential::{Credential, CredentialKind, credentials_of};
use member::principal::{find_same, vanished};
use member::unused::{Unused, unused_keys};
use member::{Entry, Grant, concurrently};
use serde::{Deserialize, Serialize};

const ACTIONS: &[&str] = &[
    "iam:GetUser",
    "iam:ListAccessKeys",
    "iam:GetAccessKeyLastUsed",
    "iam:UpdateAccessKey",
    "iam:ListSSHPublicKeys",
    "iam:UpdateSSHPublicKey",
    "iam:ListSigningCertificates",
    "iam:UpdateSigningCertificate",
    "iam:ListServiceSpecificCredentials",
    "iam:UpdateServiceSpecificCredential",
];

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
    /// Which credentials; unset: all of them.
    unused: Option<Unused>,
}

/// The step's output.
#[derive(Debug, Serialize)]
pub struct Output {
    /// The credentials that were active and are inactive now.
    deactivated: Vec<Credential>,
}

/// Makes all credentials inactive that are not; with [`Input::unused`], the access keys
/// alone that were not used for so long. One that can't be changed keeps none of the
/// others from being changed; the first failure is then the step's. Done twice, the
/// second changes nothing. Fails with [`Failure::PrincipalVanished`], and changes nothing,
/// where it is not the one that was identified.
pub async fn deactivate_keys(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input { execution, principal, unused } = input;
    let grant = Grant { actions: ACTIONS, resources: principal.resources(execution.partition()) };
    let iam = entry.enter(&execution, &principal.account, &[grant]).await?;
    find_same(&iam, &principal).await?;
    let deactivated = match unused {
        Some(unused) => deactivate_unused(&iam, &principal.name, &unused).await,
        None => deactivate_kinds(&iam, &principal.name).await,
    };
    Ok(Output { deactivated: deactivated.map_err(|failure| vanished(failure, &principal))? })
}

async fn deactivate_unused(
    iam: &Client,
    name: &str,
    unused: &Unused,
) -> Result<Vec<Credential>, Failure> {
    let unused = unused_keys(iam, name, unused.since()?).await?;
    deactivate_all(iam, name, unused).await
}

async fn deactivate_kinds(iam: &Client, name: &str) -> Result<Vec<Credential>, Failure> {
    let kinds = CredentialKind::ALL.map(|kind| deactivate_kind(iam, name, kind));
    Ok(join_all(kinds).await.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

async fn deactivate_kind(
    iam: &Client,
    name: &str,
    kind: CredentialKind,
) -> Result<Vec<Credential>, Failure> {
    let credentials = credentials_of(iam, name, kind).await?;
    deactivate_all(iam, name, credentials).await
}

async fn deactivate_all(
    iam: &Client,
    name: &str,
    credentials: Vec<Credential>,
) -> Result<Vec<Credential>, Failure> {
    let active = credentials.into_iter().filter(|credential| credential.active);
    let attempts = active.map(async |credential| {
        // What does not exist any more needs no deactivation.
        let updated = if_found(deactivate(iam, name, &credential).await)?;
        Ok(updated.map(|()| Credential { active: false, ..credential }))
    });
    Ok(concurrently(attempts).await?.into_iter().flatten().collect())
}

/// Always names the user: without it these calls change the caller's own credentials.
///
/// Source: IAM API Reference, `UpdateAccessKey` (`UserName`).
async fn deactivate(iam: &Client, name: &str, credential: &Credential) -> Result<(), Failure> {
    let (id, inactive) = (&credential.id, StatusType::Inactive);
    match credential.kind {
        CredentialKind::AccessKey => {
            let update = iam.update_access_key().user_name(name).access_key_id(id).status(inactive);
            update.send().await.done("iam:UpdateAccessKey")
        }
        CredentialKind::SshPublicKey => {
            let update = iam.update_ssh_public_key().user_name(name);
            let update = update.ssh_public_key_id(id).status(inactive);
            update.send().await.done("iam:UpdateSSHPublicKey")
        }
        CredentialKind::SigningCertificate => {
            let update = iam.update_signing_certificate().user_name(name);
            let update = update.certificate_id(id).status(inactive);
            update.send().await.done("iam:UpdateSigningCertificate")
        }
        CredentialKind::ServiceSpecific => {
            let update = iam.update_service_specific_credential().user_name(name);
            let update = update.service_specific_credential_id(id).status(inactive);
            update.send().await.done("iam:UpdateServiceSpecificCredential")
        }
    }
}
