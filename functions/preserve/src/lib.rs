//! Stores the principal as it was, before anything is taken away: what later steps
//! could change, and what a restore would need. Changes nothing in the member account.
//!
//! Evidence of a containment lies in cases, `evidence/<account>/<principal id>/<0001>/`:
//! `original.json`, the principal as the case's first incident found it; a snapshot for
//! each later pass, `<execution>[-<pass>].json`; and `left.json`, what was read back when it
//! was contained. Retirements lie under `retired/`, observations under `observed/`; neither
//! is a case. Everything is written once.

mod assumable;
mod bucket;
mod cases;
mod document;
mod schema;
mod snapshot;

use incident::{Denial, Evidence, Execution, Failure, Held, Principal, Reach, Stored, cut};
use member::Entry;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use bucket::Object;
use cases::{Case, Decision, Left, Opened, Reached};
use document::{Document, Incident, LeftBehind, Place, Read, Verified, canonical, left_at, time};
use snapshot::Snapshot;

pub use bucket::Bucket;

/// So many of the roles that a principal could assume are named; the others are counted.
const NAMED: usize = 20;

/// How often a case is opened beside others who open one, before it is left to a retry.
const ATTEMPTS: usize = 4;

/// The step's input: what is stored, and why.
#[derive(Debug, Deserialize)]
#[serde(tag = "purpose", rename_all = "camelCase")]
pub enum Input {
    /// The principal, which is to be contained.
    Containment(Accusation),
    /// The user, whose unused access keys are to be made inactive.
    Retirement(Accusation),
    /// The principal, with whom nothing is to be done.
    Observation(Accusation),
    /// What was read back of the principal, which is contained.
    Left(ReadBack),
}

/// What the step is to know of an incident before it reads the principal.
#[derive(Debug, Deserialize)]
pub struct Accusation {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
    /// When the incident reached it, and what stood on it then.
    reach: Reach,
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

/// What was read back of a contained principal.
#[derive(Debug, Deserialize)]
pub struct ReadBack {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
    /// The number of the case.
    case: String,
    /// Which pass of the execution this is.
    pass: u32,
    /// What Verify read, and when.
    verified: Verified,
}

/// The step's output.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Output {
    /// Where the evidence lies, and what it holds.
    Evidence(Box<Evidence>),
    /// Where it is written what the principal was left with.
    Left(Written),
}

/// A document that was written, now or before.
#[derive(Debug, Serialize)]
pub struct Written {
    /// Where it lies; nowhere, where something else lies there.
    stored: Option<Stored>,
    /// What people have to know of it.
    told: Vec<String>,
}

/// Stores the principal's snapshot and returns where it lies and what it holds.
///
/// Of a containment it opens a case or joins the newest, as [`cases`] decides; the snapshot
/// that opens a case is its original. What a retry finds stored by its own pass, it returns.
/// What lies in the way and is no evidence is told in [`Evidence::told`], and stops nothing:
/// of an unreadable original the next case is opened.
///
/// With [`Input::Left`], it stores what Verify read as the case's `left.json`; where there is
/// one, that stays.
pub async fn preserve(entry: &Entry, bucket: &Bucket, input: Input) -> Result<Output, Failure> {
    let (input, folder) = match input {
        Input::Left(read) => return Box::pin(leave(bucket, read)).await.map(Output::Left),
        Input::Containment(input) => (input, "evidence"),
        Input::Retirement(input) => (input, "retired"),
        Input::Observation(input) => (input, "observed"),
    };
    let snapshot = Snapshot::read(entry, &input.execution, &input.principal).await?;
    let Accusation { execution, principal, reach, denial, finding, pass, started, entered } = input;
    let incident = Incident { execution, pass, started, entered, reach };
    let of_principal = format!("{folder}/{}/{}/", principal.account, principal.id);
    let (finding, denial) = (&finding, denial.as_ref());
    let deposit =
        Deposit { bucket, principal: &principal, snapshot: &snapshot, incident, finding, denial };
    let stock = match folder {
        "evidence" => Box::pin(deposit.in_a_case(&of_principal)).await?,
        _ => Box::pin(deposit.apart(&of_principal)).await?,
    };
    let evidence = stock.evidence(deposit.incident.execution.partition());
    Ok(Output::Evidence(Box::new(evidence)))
}

/// A principal as it was found, on its way into the bucket.
struct Deposit<'a> {
    bucket: &'a Bucket,
    principal: &'a Principal,
    snapshot: &'a Snapshot,
    incident: Incident,
    finding: &'a Value,
    denial: Option<&'a Denial>,
}

/// An object with the document in it.
struct Kept {
    stored: Stored,
    document: Read,
}

impl Kept {
    /// With what it says as the original of a case, all of whose times have to be some.
    fn opened(self) -> Result<(Self, Opened), Failure> {
        let Incident { entered, reach, .. } = &self.document.incident;
        let at = time(entered).and_then(|at| time(&reach.since).map(|_| at));
        let at = at.map_err(|failure| bucket::unreadable(&self.stored.uri, failure))?;
        let denied = self.document.denied();
        Ok((self, Opened { at, denied }))
    }
}

/// What an incident has in the bucket.
struct Stock {
    case: Option<String>,
    original: Kept,
    /// Nothing, where the original is of this pass.
    snapshot: Option<Kept>,
    told: Vec<String>,
}

impl Stock {
    fn evidence(self, partition: &str) -> Evidence {
        let Self { case, original, snapshot, told } = self;
        let stored = original.stored.clone();
        let (original, snapshot, at) = match snapshot {
            Some(snapshot) => {
                (original.document.principal, snapshot.document.principal, snapshot.stored)
            }
            None => {
                (original.document.principal.clone(), original.document.principal, original.stored)
            }
        };
        let assumable = &snapshot.assumable_roles;
        Evidence {
            case,
            original: stored,
            snapshot: at,
            found: snapshot.together_with(&original, partition),
            assumable_roles: assumable.iter().take(NAMED).map(|role| cut(role, 300)).collect(),
            more_assumable_roles: assumable.len().saturating_sub(NAMED),
            told,
            held: Held {
                managed_policies: snapshot.attached_policies,
                inline_policies: snapshot.inline_policies.into_iter().map(Into::into).collect(),
                groups: snapshot.groups.into_iter().map(|group| group.name).collect(),
            },
        }
    }
}

impl Deposit<'_> {
    async fn in_a_case(&self, of_principal: &str) -> Result<Stock, Failure> {
        let reached = Reached {
            since: time(&self.incident.reach.since)?,
            denied_before: self.incident.reach.denied_before.is_some(),
        };
        let now = time(&self.incident.entered)?;
        for _ in 0..ATTEMPTS {
            let mut told = Vec::new();
            let newest = self.newest(of_principal, &mut told).await?;
            let case = newest.as_ref().map(|newest| &newest.case);
            match (cases::decide(case, reached, now)?, newest) {
                (Decision::Join(number), Some(Newest { original: Some(original), .. })) => {
                    return self.joined(of_principal, number, original, told).await;
                }
                (Decision::Open(number) | Decision::Join(number), _) => {
                    let case = format!("{number:04}");
                    let key = format!("{of_principal}{case}/original.json");
                    let bytes = self.document(Place::Opens(&case))?;
                    // Taken meanwhile: whose case it is decides anew.
                    let Some(opened) = self.bucket.create(&key, &bytes).await? else { continue };
                    let original = self.kept(&opened)?;
                    return Ok(Stock { case: Some(case), original, snapshot: None, told });
                }
            }
        }
        Err(Failure::ServiceUnavailable {
            call: "s3:PutObject",
            source: format!("`{}`: others open cases all the time", self.bucket.uri(of_principal))
                .into(),
        })
    }

    async fn joined(
        &self,
        of_principal: &str,
        number: u16,
        original: Kept,
        mut told: Vec<String>,
    ) -> Result<Stock, Failure> {
        let case = format!("{number:04}");
        if original.document.is_of(&self.incident) {
            return Ok(Stock { case: Some(case), original, snapshot: None, told });
        }
        let place = Place::Joins(&case, &original.document, &original.stored.uri);
        let bytes = self.document(place)?;
        let snapshot = self.own(&format!("{of_principal}{case}/"), &bytes, &mut told).await?;
        Ok(Stock { case: Some(case), original, snapshot: Some(snapshot), told })
    }

    /// Apart from all cases. Of a later pass, the execution's first snapshot is the original.
    async fn apart(&self, of_principal: &str) -> Result<Stock, Failure> {
        let mut told = Vec::new();
        let bytes = self.document(Place::NoCase)?;
        let own = self.own(of_principal, &bytes, &mut told).await?;
        let name = format!("{}.json", self.incident.execution.name());
        if self.incident.pass > 0 && self.bucket.list(of_principal).await?.contains(&name) {
            match self.read(&format!("{of_principal}{name}")).await {
                Ok(original) => {
                    return Ok(Stock { case: None, original, snapshot: Some(own), told });
                }
                Err(failure) => told.push(told_of(failure)?),
            }
        }
        Ok(Stock { case: None, original: own, snapshot: None, told })
    }

    /// Stores the snapshot under this pass's own name, or returns what a former attempt of
    /// this pass has stored there. What else lies there was planted: it is told, and the name
    /// gets a number.
    async fn own(
        &self,
        folder: &str,
        bytes: &[u8],
        told: &mut Vec<String>,
    ) -> Result<Kept, Failure> {
        let name = self.incident.execution.name();
        let name = match self.incident.pass {
            0 => name.to_owned(),
            pass => format!("{name}-{pass}"),
        };
        for n in 1..=ATTEMPTS {
            let again = if n == 1 { String::new() } else { format!(".{n}") };
            let key = format!("{folder}{name}{again}.json");
            if let Some(stored) = self.bucket.create(&key, bytes).await? {
                return self.kept(&stored);
            }
            match self.read(&key).await {
                Ok(kept) if kept.document.is_of(&self.incident) => return Ok(kept),
                Ok(kept) => told.push(format!("`{}` is another pass's", kept.stored.uri)),
                Err(failure) => told.push(told_of(failure)?),
            }
        }
        Err(bucket::unreadable(&self.bucket.uri(folder), told.join("; ")))
    }

    fn document(&self, place: Place<'_>) -> Result<Vec<u8>, Failure> {
        let incident = self.incident.clone();
        canonical(&Document::new(incident, place, self.finding, self.snapshot, self.denial)?)
    }

    fn kept(&self, object: &Object) -> Result<Kept, Failure> {
        let document = Read::of(object, self.principal)?;
        Ok(Kept { stored: object.stored.clone(), document })
    }

    async fn read(&self, key: &str) -> Result<Kept, Failure> {
        self.kept(&self.bucket.read(key).await?)
    }

    /// The principal's newest case, if it has one.
    async fn newest(
        &self,
        of_principal: &str,
        told: &mut Vec<String>,
    ) -> Result<Option<Newest>, Failure> {
        let keys = self.bucket.list(of_principal).await?;
        let (newest, beyond) = cases::newest(keys.iter().filter_map(|key| cases::number_of(key)));
        if let Some(first) = beyond.first() {
            let uri = self.bucket.uri(of_principal);
            told.push(format!("`{uri}{first:04}/` lies beyond the last case: it was planted"));
        }
        let Some(number) = newest else { return Ok(None) };
        let key = |file| format!("{of_principal}{number:04}/{file}");
        let has = |file| keys.contains(&format!("{number:04}/{file}"));
        let original = self.read(&key("original.json")).await;
        let original = match original.and_then(Kept::opened) {
            Ok(original) => Some(original),
            Err(failure) => {
                let what = told_of(failure)?;
                told.push(format!("{what}; the next case was opened"));
                None
            }
        };
        let left =
            if has("left.json") { self.left(&key("left.json"), told).await? } else { Left::NotYet };
        let (original, opened) = original.unzip();
        let case = Case { number, opened, left, restored: has("restored.json") };
        Ok(Some(Newest { case, original }))
    }

    async fn left(&self, key: &str, told: &mut Vec<String>) -> Result<Left, Failure> {
        match self.bucket.read(key).await.and_then(|object| left_at(&object)) {
            Ok(at) => Ok(Left::At(at)),
            Err(failure) => {
                told.push(told_of(failure)?);
                Ok(Left::Unreadable)
            }
        }
    }
}

/// Writes down what a case was left with, unless that is written already: two incidents of
/// one case leave it once.
async fn leave(bucket: &Bucket, read: ReadBack) -> Result<Written, Failure> {
    let ReadBack { execution, principal, case, pass, verified } = read;
    if cases::number_of(&format!("{case}/")).is_none() {
        return Err(Failure::InvalidInput(format!("`{case}` is no case")));
    }
    let key = format!("evidence/{}/{}/{case}/left.json", principal.account, principal.id);
    let left = LeftBehind::new(&case, &execution, pass, &principal, &verified);
    if let Some(left) = bucket.create(&key, &canonical(&left)?).await? {
        return Ok(Written { stored: Some(left.stored), told: Vec::new() });
    }
    let left = bucket.read(&key).await;
    match left.and_then(|left| left_at(&left).map(|_| left.stored)) {
        Ok(stored) => Ok(Written { stored: Some(stored), told: Vec::new() }),
        Err(failure) => Ok(Written { stored: None, told: vec![told_of(failure)?] }),
    }
}

/// The newest case, and its original if that can be read.
struct Newest {
    case: Case,
    original: Option<Kept>,
}

/// The words for what lies where evidence should; any other failure is the step's own.
fn told_of(failure: Failure) -> Result<String, Failure> {
    match failure {
        Failure::EvidenceUnreadable { .. } => Ok(cut(&failure.chain(), 400)),
        other => Err(other),
    }
}
