//! The principal as it is when its restore is planned or carried out, and what stands behind that which it had.

use std::collections::BTreeMap;

use aws_calls::if_found;
use aws_sdk_iam::Client;
use bucket::schema::canonical;
use bucket::{Bucket, unreadable};
use incident::{AccountId, Execution, Failure, Kind, Principal, Stored, hex_digest};
use member::credential::owner;
use member::principal::find;
use member::{Entry, Grant, concurrently};
use serde::{Deserialize, Serialize};

use crate::snapshot::{self, Group, OF_GROUPS, OF_POLICIES, PolicyVersion, Snapshot};

const PRESENT: &str = "cordon/now/1";

/// Whom a restore is planned for.
#[derive(Debug, Deserialize)]
pub struct Present {
    /// The ARN of the execution that plans.
    execution: Execution,
    /// The principal, as the incident identified it.
    principal: Principal,
    /// Names of the groups that it was in.
    groups: Vec<String>,
    /// ARNs of the policies that it and its groups had.
    policies: Vec<String>,
    /// How often the execution was redriven.
    pass: u32,
    /// How often this pass has read it before.
    #[serde(default)]
    reads: u32,
    /// When this pass entered the step (RFC 3339).
    entered: String,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    execution: &'a Execution,
    at: &'a str,
    principal: &'a Snapshot,
    groups: BTreeMap<String, Option<Group>>,
    policies: BTreeMap<String, Option<PolicyVersion>>,
}

/// Stores the principal as it is now, once for each reading: what a retry has read itself counts.
/// Fails with [`Failure::EvidenceUnreadable`] where something else lies in its place, and with
/// [`Failure::PrincipalVanished`] where nobody has its unique id.
pub(crate) async fn keep(
    entry: &Entry,
    bucket: &Bucket,
    asked: Present,
) -> Result<Stored, Failure> {
    let Present { execution, principal, groups, policies, pass, reads, entered } = asked;
    let snapshot = match Snapshot::read(entry, &execution, &principal).await {
        Err(vanished @ Failure::PrincipalVanished(_)) => {
            let renamed = renamed(entry, &execution, &principal).await?.ok_or(vanished)?;
            Snapshot::read(entry, &execution, &renamed).await?
        }
        read => read?,
    };
    let iam = &behind(entry, &execution, &principal.account).await?;
    let groups = groups.into_iter().map(async |name| {
        let group = snapshot::group(iam, name.clone()).await;
        Ok((name, if_found(group)?))
    });
    let policies = policies.into_iter().map(async |arn| {
        let version = snapshot::version(iam, &arn).await;
        Ok((arn, if_found(version)?))
    });
    let groups = concurrently(groups).await?.into_iter().collect();
    let policies = concurrently(policies).await?.into_iter().collect();
    let bytes = canonical(&Document {
        schema: PRESENT,
        execution: &execution,
        at: &entered,
        principal: &snapshot,
        groups,
        policies,
    })?;
    let Principal { account, id, .. } = &principal;
    let reading = format!("plans/{account}/{id}/{}-{pass}-{reads}", execution.name());
    store(bucket, &reading, &bytes).await
}

/// By its digest in the key nobody can have put another reading in its place.
async fn store(bucket: &Bucket, reading: &str, bytes: &[u8]) -> Result<Stored, Failure> {
    let sha256 = hex_digest(bytes);
    let key = format!("{reading}-{sha256}.now.json");
    if let Some(object) = bucket.create(&key, bytes).await? {
        return Ok(object.stored);
    }
    let object = bucket.read(&key).await?;
    if object.stored.sha256 != sha256 {
        return Err(unreadable(&object.stored.uri, "it is not what was read of the principal"));
    }
    Ok(object.stored)
}

/// The principal under the name that it has now, where one of its access keys leads to it.
async fn renamed(
    entry: &Entry,
    execution: &Execution,
    principal: &Principal,
) -> Result<Option<Principal>, Failure> {
    if principal.kind != Kind::User {
        return Ok(None);
    }
    let (partition, account) = (execution.partition(), &principal.account);
    let users = Grant {
        actions: &["iam:GetAccessKeyLastUsed", "iam:GetUser"],
        resources: vec![format!("arn:{partition}:iam::{account}:user/*")],
    };
    let iam = entry.enter(execution, account, &[users]).await?;
    for key in &principal.access_keys {
        let Some(name) = owner(&iam, key).await? else { continue };
        if let Some(found) = if_found(find(&iam, Kind::User, &name).await)?
            && found.id == principal.id
        {
            let (arn, name, path) = (found.arn, found.name, found.path);
            return Ok(Some(Principal { arn, name, path, ..principal.clone() }));
        }
    }
    Ok(None)
}

async fn behind(
    entry: &Entry,
    execution: &Execution,
    account: &AccountId,
) -> Result<Client, Failure> {
    let partition = execution.partition();
    let grants = [
        Grant {
            actions: OF_GROUPS,
            resources: vec![format!("arn:{partition}:iam::{account}:group/*")],
        },
        Grant { actions: OF_POLICIES, resources: vec![format!("arn:{partition}:iam::*:policy/*")] },
    ];
    entry.enter(execution, account, &grants).await
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::Client;
    use wire::{mock, respond};

    use super::*;

    #[tokio::test]
    async fn a_reading_is_stored_by_its_digest_and_none_takes_its_place() {
        let key = format!("plans/reading-{}.now.json", hex_digest(b"{}"));
        for (lies, expected) in [("{}", None), ("{ }", Some("EvidenceUnreadable"))] {
            let (put_to, got_from) = (key.clone(), key.clone());
            let put = mock!(Client::put_object)
                .match_requests(move |put| put.key() == Some(put_to.as_str()))
                .then_http_response(|| respond(412, ""));
            let get = mock!(Client::get_object)
                .match_requests(move |get| get.key() == Some(got_from.as_str()))
                .then_http_response(move || respond(200, lies));
            let bucket = Bucket::new(wire::s3(&[&put, &get]), "b".into());
            let stored = store(&bucket, "plans/reading", b"{}").await;
            assert_eq!(stored.err().map(|failure| failure.name()), expected, "{lies}");
        }
    }
}
