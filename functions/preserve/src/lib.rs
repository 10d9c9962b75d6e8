//! Stores the principal as it was, before anything is taken away: what later steps
//! could change, and what a restore would need. Changes nothing in the member account.

mod assumable;
mod bucket;
mod snapshot;

use incident::{Denial, Evidence, Execution, Failure, Held, InlinePolicy, Principal, hex_digest};
use member::Entry;
use serde::Deserialize;
use serde_json::{Value, json};

pub use bucket::Bucket;
use snapshot::Snapshot;

/// The step's input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
    /// What Quarantine did; nothing, where it failed.
    denial: Option<Denial>,
    /// The finding, whole.
    finding: Value,
    /// Which pass of the execution this is: 0 the first, one more for each redrive and
    /// each repetition after a read-back. A retry has its pass's number.
    pass: u32,
    /// When the execution started (RFC 3339).
    started: String,
    /// When this pass entered the step (RFC 3339).
    entered: String,
}

/// Stores the principal's snapshot and returns where it lies and what it holds.
///
/// The first snapshot of a principal is its original evidence,
/// `evidence/<account>/<principal id>/original.json`; it is never overwritten. While it
/// stands, later incidents and later passes store theirs beside it, under the
/// execution's name. What a retry finds stored by its own pass, it returns.
pub async fn preserve(entry: &Entry, bucket: &Bucket, input: Input) -> Result<Evidence, Failure> {
    let Input {
        execution,
        principal,
        denial,
        finding,
        pass,
        started,
        entered,
    } = input;
    let taken_by = json!({
        "execution": execution.arn(),
        "pass": pass,
        "started": started,
        "entered": entered,
    });
    let snapshot = Snapshot::read(entry, &execution, &principal).await?;
    let document = json!({
        "schema": "cordon/evidence/1",
        "incident": taken_by,
        "finding": finding,
        "principal": snapshot,
        "boundaryBefore": principal.boundary,
        "deniedBefore": principal.denied_before,
        "quarantine": denial,
    });
    let folder = format!("evidence/{}/{}", principal.account, principal.id);
    let original_key = format!("{folder}/original.json");
    let original = bucket
        .put_once(&original_key, canonical(&document)?)
        .await?;
    let original_sha256 = hex_digest(&original);
    let by_this_pass = |stored: &Value| {
        stored
            .pointer("/incident/execution")
            .and_then(Value::as_str)
            == Some(execution.arn())
            && stored.pointer("/incident/pass").and_then(Value::as_u64) == Some(pass.into())
    };
    let stored = parse(&original_key, &original)?;
    let (snapshot_key, snapshot_sha256, stored) = if by_this_pass(&stored) {
        (original_key.clone(), original_sha256.clone(), stored)
    } else {
        let suffix = if pass == 0 {
            String::new()
        } else {
            format!("-{pass}")
        };
        let key = format!("{folder}/{}{suffix}.json", execution.name());
        let bytes = bucket.put_once(&key, canonical(&document)?).await?;
        let stored = parse(&key, &bytes)?;
        (key, hex_digest(&bytes), stored)
    };
    let held = Snapshot::of(&snapshot_key, &stored)?;
    Ok(Evidence {
        original: bucket.uri(&original_key),
        original_sha256,
        snapshot: bucket.uri(&snapshot_key),
        snapshot_sha256,
        assumable_roles: held.assumable_roles.iter().take(20).cloned().collect(),
        held: Held {
            managed_policies: held.attached_policies,
            inline_policies: held
                .inline_policies
                .into_iter()
                .map(|policy| InlinePolicy {
                    sha256: hex_digest(policy.document.as_bytes()),
                    name: policy.name,
                })
                .collect(),
            groups: held.groups.into_iter().map(|group| group.name).collect(),
        },
    })
}

/// Keys sorted, no white space: the same content has the same digest.
fn canonical(document: &Value) -> Result<Vec<u8>, Failure> {
    // `serde_json::Map` sorts its keys unless the feature `preserve_order` is on.
    serde_json::to_vec(document).map_err(|error| Failure::InvalidInput(error.to_string()))
}

fn parse(key: &str, bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::EvidenceUnreadable {
        key: key.to_owned(),
        source: error.into(),
    })
}
