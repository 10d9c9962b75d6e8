//! Makes credentials of the user inactive: access keys, SSH public keys, signing
//! certificates, service-specific credentials. Each can be made active again.

use aws_calls::if_found;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::StatusType;
use futures::future::join_all;
use incident::{Execution, Failure, Principal};
use member::change::{set_status, update_of};
use member::credential::{Credential, CredentialKind, credentials_of};
use member::principal::{find_same, vanished};
use member::readiness::{Done, Nobody};
use member::unused::{Unused, unused_keys};
use member::{Entry, Grant, Readiness, concurrently};
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

async fn deactivate(iam: &Client, name: &str, credential: &Credential) -> Result<(), Failure> {
    set_status(iam, name, credential.kind, &credential.id, StatusType::Inactive).await
}

/// Readiness makes credentials inactive that are none, of nobody.
pub const READINESS: Readiness = Readiness {
    policy: include_str!("../member-policy.json"),
    writes: &[
        "iam:UpdateAccessKey",
        "iam:UpdateSSHPublicKey",
        "iam:UpdateSigningCertificate",
        "iam:UpdateServiceSpecificCredential",
    ],
    probe: |iam, nobody| Box::pin(probe(iam, nobody)),
};

async fn probe(iam: &Client, nobody: &Nobody) -> Vec<(&'static str, Done)> {
    let probes = CredentialKind::ALL.map(async |kind| {
        let id = Nobody::CREDENTIAL.to_owned();
        let credential = Credential { kind, id, active: true, created: None, service: None };
        (update_of(kind), deactivate(iam, &nobody.user.name, &credential).await)
    });
    join_all(probes).await
}

#[cfg(test)]
mod tests {
    use wire::{HttpResponse, Rule, answer, done, error, eve, mock, namesake, shows};

    use super::*;

    async fn deactivate(rules: &[&Rule], unused: Option<Unused>) -> Result<Vec<String>, Failure> {
        let sts = wire::sts(&[&wire::lets_in()]);
        let entry = Entry::new(sts, wire::iam(rules), "role".into(), "id".into());
        let input = Input { execution: wire::execution(), principal: eve(), unused };
        let output = deactivate_keys(&entry, input).await?;
        assert!(output.deactivated.iter().all(|credential| !credential.active));
        Ok(output.deactivated.into_iter().map(|credential| credential.id).collect())
    }

    /// One active access key, `key`, and one that is inactive.
    fn lists_keys() -> Rule {
        mock!(Client::list_access_keys).then_http_response(|| {
            let key = |id, status| {
                format!("<member><AccessKeyId>{id}</AccessKeyId><Status>{status}</Status></member>")
            };
            let keys = key("key", "Active") + &key("old", "Inactive");
            answer("ListAccessKeys", &format!("<AccessKeyMetadata>{keys}</AccessKeyMetadata>"))
        })
    }

    fn lists_ssh_keys() -> Rule {
        mock!(Client::list_ssh_public_keys).then_http_response(|| {
            let key = "<SSHPublicKeyId>ssh</SSHPublicKeyId><Status>Active</Status>";
            let key = format!("<SSHPublicKeys><member>{key}</member></SSHPublicKeys>");
            answer("ListSSHPublicKeys", &key)
        })
    }

    fn lists_certificates() -> Rule {
        mock!(Client::list_signing_certificates).then_http_response(|| {
            let one = "<CertificateId>certificate</CertificateId><Status>Active</Status>";
            let one = format!("<Certificates><member>{one}</member></Certificates>");
            answer("ListSigningCertificates", &one)
        })
    }

    fn lists_service_specific() -> Rule {
        mock!(Client::list_service_specific_credentials).then_http_response(|| {
            let one = "<member><ServiceSpecificCredentialId>git</ServiceSpecificCredentialId>\
                       <Status>Active</Status><ServiceName>codecommit</ServiceName></member>";
            let one = format!("<ServiceSpecificCredentials>{one}</ServiceSpecificCredentials>");
            answer("ListServiceSpecificCredentials", &one)
        })
    }

    /// The calls that make each of them inactive, all of which name the user.
    fn updates(answer_to_keys: fn() -> HttpResponse) -> [Rule; 4] {
        let inactive = Some(&StatusType::Inactive);
        [
            mock!(Client::update_access_key)
                .match_requests(move |update| {
                    (update.user_name(), update.access_key_id(), update.status())
                        == (Some("eve"), Some("key"), inactive)
                })
                .then_http_response(answer_to_keys),
            mock!(Client::update_ssh_public_key)
                .match_requests(move |update| {
                    (update.user_name(), update.ssh_public_key_id(), update.status())
                        == (Some("eve"), Some("ssh"), inactive)
                })
                .then_http_response(done),
            mock!(Client::update_signing_certificate)
                .match_requests(move |update| {
                    (update.user_name(), update.certificate_id(), update.status())
                        == (Some("eve"), Some("certificate"), inactive)
                })
                .then_http_response(done),
            mock!(Client::update_service_specific_credential)
                .match_requests(move |update| {
                    (update.user_name(), update.service_specific_credential_id(), update.status())
                        == (Some("eve"), Some("git"), inactive)
                })
                .then_http_response(done),
        ]
    }

    async fn deactivate_all_kinds(
        lists_ssh_keys: &Rule,
        updates: &[Rule; 4],
    ) -> Result<Vec<String>, Failure> {
        let (shows, keys, certificates) = (shows(&eve(), None), lists_keys(), lists_certificates());
        let service_specific = lists_service_specific();
        let mut rules = vec![&shows, &keys, lists_ssh_keys, &certificates, &service_specific];
        rules.extend(updates);
        deactivate(&rules, None).await
    }

    #[tokio::test]
    async fn every_kind_is_made_inactive_and_what_is_inactive_is_left_alone() {
        let deactivated = deactivate_all_kinds(&lists_ssh_keys(), &updates(done)).await.unwrap();
        assert_eq!(deactivated, ["key", "ssh", "certificate", "git"]);
    }

    #[tokio::test]
    async fn a_key_that_is_gone_by_now_is_no_failure() {
        let updates = updates(|| error("NoSuchEntity"));
        let deactivated = deactivate_all_kinds(&lists_ssh_keys(), &updates).await.unwrap();
        assert_eq!(deactivated, ["ssh", "certificate", "git"]);
    }

    #[tokio::test]
    async fn what_can_not_be_changed_or_read_keeps_none_of_the_others() {
        let updates = updates(|| error("Throttling"));
        let refused =
            mock!(Client::list_ssh_public_keys).then_http_response(|| error("AccessDenied"));
        let failure = deactivate_all_kinds(&refused, &updates).await.unwrap_err();
        assert_eq!(failure.name(), "Throttled");
        assert_eq!(updates.each_ref().map(Rule::num_calls), [1, 0, 1, 1]);
    }

    #[tokio::test]
    async fn nothing_of_a_namesake_is_made_inactive() {
        let failure = deactivate(&[&shows(&namesake(), None)], None).await.unwrap_err();
        assert_eq!(failure.name(), "PrincipalVanished");
    }

    #[tokio::test]
    async fn where_only_the_unused_is_meant_nothing_else_is_listed() {
        let unused = serde_json::from_str(r#"{"days": 90, "at": "2026-01-01T00:00:00Z"}"#).unwrap();
        let never_used = mock!(Client::get_access_key_last_used)
            .then_http_response(|| answer("GetAccessKeyLastUsed", ""));
        let updates = updates(done);
        let rules = [&shows(&eve(), None), &lists_keys(), &never_used, &updates[0]];
        assert_eq!(deactivate(&rules, Some(unused)).await.unwrap(), ["key"]);
    }
}
