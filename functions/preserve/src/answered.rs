//! Whether an incident was answered before: by how the principal's cases were left, and the
//! findings that they are about. Reads the evidence alone, and changes nothing.

use aws_sdk_s3::primitives::DateTime;
use incident::{Execution, Failure, Principal, case_number, newest_case};
use serde::Deserialize;

use crate::document::{left_at, time};
use bucket::Bucket;

/// Seconds in which Security Hub may show a finding as it was before an update: it says
/// minutes.
///
/// Source: Security Hub API Reference, `BatchUpdateFindings`.
const SETTLES: i64 = 15 * 60;

/// So many documents of a case are read for one that is about the finding.
const READ: usize = 8;

/// What the step is to know of a finding that may have been answered.
#[derive(Debug, Deserialize)]
pub struct Answered {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
    /// The finding's identity.
    finding: Identity,
    /// What the finding says of its answer, where it bears one; otherwise it comes as new.
    recurrence: Option<Recurrence>,
    /// Whether nobody knows what an earlier pass of the execution did with the principal.
    #[serde(default)]
    unknown: bool,
    /// When this pass entered the step (RFC 3339).
    entered: String,
}

/// A finding's identity, as the finding has it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(alias = "Id")]
    id: String,
    #[serde(alias = "ProductArn")]
    product_arn: String,
}

/// A finding's mark, and what it says beyond it. Hostile, but for the last activity.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recurrence {
    execution: Execution,
    evidence: Vec<String>,
    last_seen: Option<String>,
}

/// Whether nothing is to be done, since what was done holds.
///
/// Of a finding that bears a mark, whether the deny stands, as the principal was met, or its
/// last activity is not later than its case was left, or the newest case of the principal if
/// that was left since. Fails with
/// [`Failure::RecurrenceUnclear`] where the finding does not say when it was, or no case of
/// the principal that was left is about the finding.
///
/// Of one that comes as new, whether the newest case was left just now and is about this very
/// finding: then Security Hub does not show the answer yet.
///
/// What the execution itself may have done before is no answer: then the deny alone counts for
/// nothing, nor does the newest case under it, where one of its documents is the execution's.
pub(crate) async fn answered(bucket: &Bucket, input: &Answered) -> Result<bool, Failure> {
    let Answered { execution: own, principal, finding, recurrence, unknown, entered } = input;
    if recurrence.is_some() && principal.denied_before.is_some() && !unknown {
        return Ok(true);
    }
    let cases = Cases::of(bucket, principal, entered).await?;
    let denied = principal.denied_before.is_some();
    let mut newest = cases.newest();
    // Where it has left a case, and the deny is gone, people have given it back.
    if let Some(number) = newest
        && *unknown
        && (denied || cases.left(newest).await?.is_none())
        && cases.is_of(number, own).await?
    {
        newest = None;
    }
    let Some(recurrence) = recurrence else {
        let Some((number, left)) = cases.left(newest).await? else { return Ok(false) };
        let since = cases.entered - left.secs();
        return Ok((0..SETTLES).contains(&since) && cases.is_about(number, finding, None).await?);
    };
    let Recurrence { execution, evidence, last_seen } = recurrence;
    let unclear = |why: &str| {
        // The execution has put none there: it left it to people, or found it answered.
        if denied { Ok(true) } else { Err(Failure::RecurrenceUnclear(why.to_owned())) }
    };
    let marked = evidence.iter().find_map(|uri| cases.number_in(uri));
    let Some((number, left)) = cases.left(marked).await? else {
        return unclear("no case of the principal that its mark names was left");
    };
    if !cases.is_about(number, finding, Some(execution)).await? {
        return unclear("the case that its mark names is of another finding");
    }
    let newer = cases.left(newest.filter(|newest| *newest > number)).await?;
    let left = newer.map_or(left, |(_, newer)| newer);
    let Some(last_seen) = last_seen else {
        return unclear("the finding does not say when the last activity was");
    };
    let last_seen = time(last_seen)?;
    Ok((last_seen.secs(), last_seen.subsec_nanos()) <= (left.secs(), left.subsec_nanos()))
}

/// The cases of a principal.
struct Cases<'a> {
    bucket: &'a Bucket,
    id: &'a str,
    prefix: String,
    /// Below the prefix.
    keys: Vec<String>,
    /// When the step was entered, in seconds since 1970.
    entered: i64,
}

impl<'a> Cases<'a> {
    async fn of(
        bucket: &'a Bucket,
        principal: &'a Principal,
        entered: &str,
    ) -> Result<Self, Failure> {
        let prefix = format!("evidence/{}/{}/", principal.account, principal.id);
        let keys = bucket.list(&prefix).await?;
        Ok(Self { bucket, id: &principal.id, prefix, keys, entered: time(entered)?.secs() })
    }

    fn newest(&self) -> Option<u16> {
        newest_case(self.keys.iter().filter_map(|key| case_number(key))).0
    }

    /// The number of the case whose original has this address.
    fn number_in(&self, uri: &str) -> Option<u16> {
        case_number(uri.strip_prefix(&self.bucket.uri(&self.prefix))?)
    }

    /// The case, and when it was left, if it was. None without an original was ever left, nor
    /// at a time that is to come.
    async fn left(&self, number: Option<u16>) -> Result<Option<(u16, DateTime)>, Failure> {
        let Some(number) = number else { return Ok(None) };
        let key = format!("{number:04}/left.json");
        let original = format!("{number:04}/original.json");
        if !self.keys.contains(&key) || !self.keys.contains(&original) {
            return Ok(None);
        }
        let left = self.bucket.read(&format!("{}{key}", self.prefix)).await;
        match left.and_then(|left| left_at(&left, self.id, number)) {
            Ok(at) => Ok(Some((number, at)).filter(|_| at.secs() <= self.entered)),
            Err(Failure::EvidenceUnreadable { .. }) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Whether the execution has opened the case, or joined it.
    async fn is_of(&self, number: u16, execution: &Execution) -> Result<bool, Failure> {
        #[derive(Deserialize)]
        struct Document {
            incident: Opener,
        }
        #[derive(Deserialize)]
        struct Opener {
            execution: Execution,
        }
        let joined = format!("{number:04}/{}", execution.name());
        if self.keys.iter().any(|key| key.starts_with(&joined)) {
            return Ok(true);
        }
        let original = format!("{}{number:04}/original.json", self.prefix);
        let original = self.bucket.read(&original).await;
        match original.and_then(|original| original.document::<Document>()) {
            Ok(document) => Ok(document.incident.execution == *execution),
            Err(Failure::EvidenceUnreadable { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Whether a document of the case holds this finding; those of an execution are read
    /// first.
    async fn is_about(
        &self,
        number: u16,
        finding: &Identity,
        first: Option<&Execution>,
    ) -> Result<bool, Failure> {
        let case = format!("{number:04}/");
        let files = self.keys.iter().filter_map(|key| Some((key, key.strip_prefix(&case)?)));
        let mut files: Vec<_> =
            files.filter(|(_, file)| !["left.json", "restored.json"].contains(file)).collect();
        files.sort_by_key(|(_, file)| {
            let of_first = first.is_some_and(|first| file.starts_with(first.name()));
            (!of_first, *file != "original.json")
        });
        for (key, _) in files.into_iter().take(READ) {
            #[derive(Deserialize)]
            struct Document {
                finding: Identity,
            }
            let object = self.bucket.read(&format!("{}{key}", self.prefix)).await;
            match object.and_then(|object| object.document::<Document>()) {
                Ok(document) if document.finding == *finding => return Ok(true),
                Ok(_) | Err(Failure::EvidenceUnreadable { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(false)
    }
}
