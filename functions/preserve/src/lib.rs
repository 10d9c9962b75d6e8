//! Stores the principal as it was, before anything is taken away: what later steps
//! could change, and what a restore would need. Changes nothing in the member account.

mod assumable;
mod bucket;
mod snapshot;

use incident::{Denial, Evidence, Execution, Failure, Held, Principal, cut};
use member::Entry;
use serde::Deserialize;
use serde_json::{Value, json};

use bucket::Stored;

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
    /// Whether nobody is to be touched: then nothing is stored as original evidence.
    observe: bool,
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
/// execution's name. What a retry finds stored by its own pass, it returns. Where nobody
/// is to be touched, the snapshot goes to `observed/` instead.
pub async fn preserve(entry: &Entry, bucket: &Bucket, input: Input) -> Result<Evidence, Failure> {
    let Input { execution, principal, denial, finding, pass, observe, started, entered } = input;
    let snapshot = Snapshot::read(entry, &execution, &principal).await?;
    let document = json!({
        "schema": "cordon/evidence/1",
        "incident": {
            "execution": execution.arn(),
            "pass": pass,
            "started": started,
            "entered": entered,
        },
        "finding": finding,
        "principal": snapshot,
        "boundaryBefore": principal.boundary,
        "deniedBefore": principal.denied_before,
        "quarantine": denial,
    });
    let bytes = canonical(&document)?;
    let of_principal = format!("{}/{}", principal.account, principal.id);
    let own_name = match pass {
        0 => format!("{}.json", execution.name()),
        _ => format!("{}-{pass}.json", execution.name()),
    };
    let (original, snapshot) = if observe {
        let observed = bucket.store(&format!("observed/{of_principal}/{own_name}"), &bytes).await?;
        (observed.clone(), observed)
    } else {
        let original =
            bucket.store(&format!("evidence/{of_principal}/original.json"), &bytes).await?;
        let snapshot = if is_of_pass(&original, &execution, pass) {
            original.clone()
        } else {
            bucket.store(&format!("evidence/{of_principal}/{own_name}"), &bytes).await?
        };
        (original, snapshot)
    };
    let held = Snapshot::of(&snapshot)?;
    let found = held.together_with(&Snapshot::of(&original)?, execution.partition());
    Ok(Evidence {
        found,
        original: original.uri,
        original_sha256: original.sha256,
        snapshot: snapshot.uri,
        snapshot_sha256: snapshot.sha256,
        assumable_roles: held.assumable_roles.iter().take(20).map(|role| cut(role, 300)).collect(),
        held: Held {
            managed_policies: held.attached_policies,
            inline_policies: held.inline_policies.into_iter().map(Into::into).collect(),
            groups: held.groups.into_iter().map(|group| group.name).collect(),
        },
    })
}

fn is_of_pass(stored: &Stored, execution: &Execution, pass: u32) -> bool {
    let incident = stored.document.get("incident");
    let of = |field| incident.and_then(|incident| incident.get(field));
    of("execution").and_then(Value::as_str) == Some(execution.arn())
        && of("pass").and_then(Value::as_u64) == Some(pass.into())
}

/// Keys sorted, no white space: the same content has the same digest.
fn canonical(document: &Value) -> Result<Vec<u8>, Failure> {
    // `serde_json::Map` sorts its keys unless the feature `preserve_order` is on.
    serde_json::to_vec(document).map_err(|error| Failure::InvalidInput(error.to_string()))
}
