//! Stores the principal as it was, before anything is taken away: what later steps
//! could change, and what a restore would need. Changes nothing in the member account.
//!
//! Evidence of a containment lies in cases, `evidence/<account>/<principal id>/<0001>/`:
//! `original.json`, the principal as the case's first incident found it; a snapshot for
//! each later pass, `<execution>[-<pass>].json`; and `left.json`, what was read back when it
//! was contained. Retirements lie under `retired/`, observations under `observed/`, plans of
//! restores under `plans/`; none is a case. Everything is written once.
//!
//! An observation's object says by which rules it came, and what would be taken away; beside it,
//! `<date>.json` names the execution that has people told of the principal on that day.

mod answered;
mod assumable;
mod cases;
mod document;
mod present;
mod snapshot;
mod today;

use aws_sdk_s3::primitives::DateTime;
use incident::{
    Before, Denial, Evidence, Execution, Failure, Held, Names, Principal, Proof, Reach, Stored,
    ascii, case_number, cut, listed, newest_case, room,
};
use lambda::Measured;
use member::deny::is_denied_by_boundary;
use member::{Entry, Readiness};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use bucket::Object;
use bucket::schema::canonical;
use cases::{Case, Decision, Left, Opened, Reached};
use document::{
    Document, Incident, LeftBehind, Observed, Place, Read, Verified, is_restored, left_at, time,
};
use snapshot::{Snapshot, holdings};
use today::Would;

pub use answered::Answered;
pub use bucket::Bucket;
pub use present::Present;

/// So many bytes name the roles that a principal could assume; the others are counted.
const ROLES: usize = 200;

/// So many characters tell people what lies in the way of the evidence.
const TOLD: usize = 200;

/// So many seconds a session of a role lives at most that a principal has assumed.
///
/// Source: STS API Reference, `AssumeRole` (`DurationSeconds`).
const SESSION: i64 = 12 * 60 * 60;

/// So many seconds IAM may show what a containment has taken away.
///
/// Source: IAM User Guide, "Changes that I make are not always immediately visible".
const SETTLES: i64 = 30;

/// So many earlier passes count, the first and the last, lest names that change with each make an
/// answer too large.
const PASSES: usize = 4;

/// What closes a case that was given back, in its folder.
const RESTORED: &str = "restored.json";

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
    Observation(Observation),
    /// What was read back of the principal, which is contained.
    Left(ReadBack),
    /// Nothing: whether the finding was answered before is asked.
    Answered(Answered),
    /// The principal as it is now, for the plan of its restore.
    Present(Present),
}

impl Input {
    /// What is measured of an incident: the time until the principal was denied, since the state
    /// machine enters the step as soon as it is. In later passes a deny of the first may stand;
    /// of what failed before it, people are told.
    #[must_use]
    pub fn measured(&self) -> Option<Measured> {
        let Self::Containment(Accusation {
            denial: Some(denial), pass: 0, started, entered, ..
        }) = self
        else {
            return None;
        };
        let denied = denial.by.is_some() && !denial.already;
        Measured::until_denied(started, entered).filter(|_| denied)
    }
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
    /// How many principals the incident has.
    principals: usize,
    /// Which pass of the execution this is: 0 the first, one more for each redrive and
    /// each repetition after a read-back. A retry has its pass's number.
    pass: u32,
    /// When the execution started (RFC 3339).
    started: String,
    /// When this pass entered the step (RFC 3339).
    entered: String,
}

/// What the step is to know where nobody is to be touched.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// The incident.
    #[serde(flatten)]
    accusation: Accusation,
    /// The rules by which the finding counts; none, where a person chose it.
    #[serde(default)]
    rules: Vec<String>,
    /// For how many days keys are unused that would be made inactive; nothing, where the
    /// principal would be contained.
    #[serde(default)]
    unused_days: Option<u16>,
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
    /// Whether the finding was answered before.
    Answered {
        /// Whether nothing is to be done, since what was done holds.
        answered: bool,
    },
    /// Where the principal lies as it is now.
    Present(Stored),
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
/// Of an observation it says, too, whether another execution has people told of the principal
/// on the same day ([`Proof::told_today`]). Where that can't be known, people are told.
///
/// With [`Input::Left`], it stores what Verify read as the case's `left.json`; where there is
/// one, that stays. With [`Input::Answered`], it stores nothing, and says whether the cases
/// answer the finding already; it fails with [`Failure::RecurrenceUnclear`] where they can't
/// tell. With [`Input::Present`], it stores the principal under `plans/`, and what stands behind
/// that which it had; a principal with another name by now is found by its access keys.
pub async fn preserve(entry: &Entry, bucket: &Bucket, input: Input) -> Result<Output, Failure> {
    let (input, folder, observed) = match input {
        Input::Left(read) => return Box::pin(leave(bucket, read)).await.map(Output::Left),
        Input::Answered(asked) => {
            let answered = Box::pin(answered::answered(bucket, &asked)).await?;
            return Ok(Output::Answered { answered });
        }
        Input::Present(asked) => {
            return Box::pin(present::keep(entry, bucket, asked)).await.map(Output::Present);
        }
        Input::Containment(input) => (input, "evidence", None),
        Input::Retirement(input) => (input, "retired", None),
        Input::Observation(Observation { accusation, rules, unused_days }) => {
            (accusation, "observed", Some((rules, unused_days)))
        }
    };
    let snapshot = Snapshot::read(entry, &input.execution, &input.principal).await?;
    let Accusation {
        execution,
        principal,
        reach,
        denial,
        finding,
        principals,
        pass,
        started,
        entered,
    } = input;
    let incident = Incident { execution, pass, started, entered, reach };
    let of_principal = format!("{folder}/{}/{}/", principal.account, principal.id);
    let (finding, denial) = (&finding, denial.as_ref());
    let observed = observed.map(|(rules, unused_days)| {
        Observed::new(rules, unused_days, &snapshot, incident.execution.partition())
    });
    let observed = observed.as_ref();
    let deposit = Deposit {
        bucket,
        principal: &principal,
        snapshot: &snapshot,
        incident,
        finding,
        denial,
        observed,
    };
    let mut stock = match folder {
        "evidence" => Box::pin(deposit.in_a_case(&of_principal)).await?,
        _ => Box::pin(deposit.apart(&of_principal)).await?,
    };
    let told_today = match observed {
        Some(observed) => {
            let would = Would::of(observed.unused_days);
            let told = deposit.told_today(&of_principal, would).await;
            told.unwrap_or_else(|failure| {
                stock.told.push(format!("told today? {}", failure.chain()));
                false
            })
        }
        None => false,
    };
    let mut evidence = stock.evidence(deposit.incident.execution.partition(), room(principals))?;
    evidence.proof.told_today = told_today;
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
    observed: Option<&'a Observed>,
}

/// An object with the document in it.
struct Kept {
    stored: Stored,
    document: Read,
}

impl Kept {
    /// When it was stored.
    fn at(&self) -> Result<DateTime, Failure> {
        time(&self.document.incident.entered)
            .map_err(|failure| bucket::unreadable(&self.stored.uri, failure))
    }

    /// With what it says as the original of a case, all of whose times have to be some.
    fn opened(self) -> Result<(Self, Opened), Failure> {
        let at = self.at()?;
        time(&self.document.incident.reach.since)
            .map_err(|failure| bucket::unreadable(&self.stored.uri, failure))?;
        let denied = self.document.denied();
        Ok((self, Opened { at, denied }))
    }
}

/// What an incident has in the bucket.
struct Stock {
    case: Option<String>,
    original: Kept,
    /// What earlier passes of this execution have stored beside the original, in their order.
    earlier: Vec<Kept>,
    /// Nothing, where the original is of this pass.
    snapshot: Option<Kept>,
    met: Met,
    told: Vec<String>,
}

/// How an execution meets a case, or opens one.
enum Met {
    /// It is this execution's own.
    Own { after_restore: bool },
    /// Another execution has opened it.
    Others { left: Left },
}

impl Stock {
    fn of(case: Option<String>, original: Kept) -> Self {
        let (met, earlier) = (Met::Own { after_restore: false }, Vec::new());
        Self { case, original, earlier, snapshot: None, met, told: Vec::new() }
    }

    fn evidence(self, partition: &str, room: usize) -> Result<Evidence, Failure> {
        let Self { case, original, earlier, snapshot: own, met, told } = self;
        let now = own.as_ref().unwrap_or(&original);
        let snapshot = &now.document.principal;
        let together = |passes: &[&Kept]| {
            holdings(passes.iter().map(|one| &one.document.principal), partition)
        };
        let mut passes: Vec<&Kept> = earlier.iter().chain([now]).collect();
        if let Met::Own { .. } = met {
            passes.insert(0, &original);
        }
        let had = together(&passes);
        let before = match met {
            Met::Own { after_restore } => after_restore.then_some(Before::Restored),
            Met::Others { left } => {
                let of_original = together(&[&original]);
                let regained = match left {
                    Left::At(left) => {
                        let mut regained = false;
                        for one in &passes {
                            let since = one.at()?.secs() - left.secs();
                            regained |= since > SETTLES && !together(&[one]).is_empty();
                        }
                        regained
                    }
                    Left::NotYet | Left::Unreadable => false,
                };
                Some(Before::Joined { gone: of_original.without(&had).len(), regained })
            }
        };
        let mut roles = Vec::new();
        passes.push(&original);
        for one in passes {
            if now.at()?.secs() - one.at()?.secs() <= SESSION {
                roles.extend(&one.document.principal.assumable_roles);
            }
        }
        let roles = roles.into_iter().map(|role| cut(role, ROLES / 2));
        let proof = Proof {
            case: case.clone(),
            original: original.stored.uri.clone(),
            sha256: original.stored.sha256.clone(),
            snapshot: now.stored.uri.clone(),
            snapshot_sha256: now.stored.sha256.clone(),
            bare: together(&[now]).is_empty()
                && snapshot
                    .boundary
                    .as_deref()
                    .is_none_or(|boundary| is_denied_by_boundary(partition, Some(boundary))),
            console_password: snapshot.has_console_password(),
            had: Some(had.clone().cut(room)),
            before,
            assumable_roles: roles.collect::<Names>().cut(&mut ROLES.clone()),
            told: in_brief(&told),
            told_today: false,
        };
        let at = now.stored.clone();
        let original_at = original.stored.clone();
        let snapshot = own.unwrap_or(original).document.principal;
        Ok(Evidence {
            case,
            original: original_at,
            snapshot: at,
            had,
            proof,
            held: Held {
                managed_policies: snapshot.attached_policies,
                inline_policies: snapshot.inline_policies.into_iter().map(Into::into).collect(),
                groups: snapshot.groups.into_iter().map(|group| group.name).collect(),
            },
        })
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
                (Decision::Join(_), Some(Newest { original: Some(original), case, keys })) => {
                    return self.joined(of_principal, original, (case, &keys), told).await;
                }
                (Decision::Open(number) | Decision::Join(number), newest) => {
                    let case = format!("{number:04}");
                    let key = format!("{of_principal}{case}/original.json");
                    let bytes = self.document(Place::Opens(&case))?;
                    // Taken meanwhile: whose case it is decides anew.
                    let Some(opened) = self.bucket.create(&key, &bytes).await? else { continue };
                    let original = self.kept(&opened)?;
                    let case = Some(case);
                    let after_restore = match newest {
                        Some(Newest { case, .. }) if case.restored => {
                            self.was_restored(of_principal, case.number, &mut told).await?
                        }
                        _ => false,
                    };
                    let met = Met::Own { after_restore };
                    return Ok(Stock { met, told, ..Stock::of(case, original) });
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
        original: Kept,
        (case, keys): (Case, &[String]),
        mut told: Vec<String>,
    ) -> Result<Stock, Failure> {
        let number = format!("{:04}", case.number);
        let folder = format!("{of_principal}{number}/");
        let Incident { execution, .. } = &original.document.incident;
        let is_ours = *execution == self.incident.execution;
        let place = Place::Joins(&number, &original.document, &original.stored.uri);
        let snapshot = if original.document.is_of(&self.incident) {
            None
        } else {
            Some(self.own(&folder, &self.document(place)?, &mut told).await?)
        };
        let earlier = self.earlier(&folder, keys, &mut told).await?;
        let before = case.number.saturating_sub(1);
        let after_restore = is_ours
            && keys.contains(&format!("{of_principal}{before:04}/{RESTORED}"))
            && self.was_restored(of_principal, before, &mut told).await?;
        let met =
            if is_ours { Met::Own { after_restore } } else { Met::Others { left: case.left } };
        Ok(Stock { earlier, snapshot, met, told, ..Stock::of(Some(number), original) })
    }

    /// Apart from all cases. Of a later pass, the execution's first snapshot is the original.
    async fn apart(&self, of_principal: &str) -> Result<Stock, Failure> {
        let mut told = Vec::new();
        let bytes = self.document(Place::NoCase)?;
        let own = self.own(of_principal, &bytes, &mut told).await?;
        let keys = match self.incident.pass {
            0 => Vec::new(),
            _ => self.bucket.list(of_principal).await?,
        };
        let keys: Vec<String> = keys.iter().map(|key| format!("{of_principal}{key}")).collect();
        let mut earlier = self.earlier(of_principal, &keys, &mut told).await?;
        if earlier.is_empty() {
            return Ok(Stock { told, ..Stock::of(None, own) });
        }
        let original = earlier.remove(0);
        Ok(Stock { earlier, snapshot: Some(own), told, ..Stock::of(None, original) })
    }

    /// What earlier passes of this execution have stored in the folder, by these keys.
    async fn earlier(
        &self,
        folder: &str,
        keys: &[String],
        told: &mut Vec<String>,
    ) -> Result<Vec<Kept>, Failure> {
        let incidents =
            (0..self.incident.pass).map(|pass| Incident { pass, ..self.incident.clone() });
        let named = incidents.map(|one| (format!("{folder}{}.json", one.name()), one));
        let mut stored: Vec<_> = named.filter(|(key, _)| keys.contains(key)).collect();
        if let more @ 1.. = stored.len().saturating_sub(PASSES) {
            stored.drain(1..=more);
        }
        let mut all = Vec::new();
        for (key, earlier) in stored {
            match self.read(&key).await {
                Ok(kept) if kept.document.is_of(&earlier) && kept.at().is_ok() => all.push(kept),
                Ok(kept) => told.push(format!("`{}` is another pass's", kept.stored.uri)),
                Err(failure) => told.push(told_of(failure)?),
            }
        }
        Ok(all)
    }

    /// Whether the case was given back by a restore, by its record. What else lies there is told.
    async fn was_restored(
        &self,
        of_principal: &str,
        case: u16,
        told: &mut Vec<String>,
    ) -> Result<bool, Failure> {
        let record = self.bucket.read(&format!("{of_principal}{case:04}/{RESTORED}")).await;
        match record.and_then(|record| is_restored(&record, &self.principal.id, case)) {
            Ok(()) => Ok(true),
            Err(failure) => {
                told.push(told_of(failure)?);
                Ok(false)
            }
        }
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
        let name = self.incident.name();
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

    async fn told_today(&self, of_principal: &str, would: Would) -> Result<bool, Failure> {
        let Incident { execution, entered, .. } = &self.incident;
        let (bucket, principal) = (self.bucket, self.principal);
        Box::pin(today::told(bucket, of_principal, would, execution, principal, entered)).await
    }

    fn document(&self, place: Place<'_>) -> Result<Vec<u8>, Failure> {
        let incident = self.incident.clone();
        let document = Document::new(incident, place, self.finding, self.snapshot, self.denial)?;
        canonical(&document.observed(self.observed))
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
        let (newest, beyond) = newest_case(keys.iter().filter_map(|key| case_number(key)));
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
        let left = if has("left.json") {
            self.left(&key("left.json"), number, told).await?
        } else {
            Left::NotYet
        };
        let (original, opened) = original.unzip();
        let case = Case { number, opened, left, restored: has(RESTORED) };
        let keys = keys.iter().map(|key| format!("{of_principal}{key}")).collect();
        Ok(Some(Newest { case, original, keys }))
    }

    async fn left(&self, key: &str, case: u16, told: &mut Vec<String>) -> Result<Left, Failure> {
        let left = self.bucket.read(key).await;
        match left.and_then(|object| left_at(&object, &self.principal.id, case)) {
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
    let Some(number) = case_number(&format!("{case}/")) else {
        return Err(Failure::InvalidInput(format!("`{case}` is no case")));
    };
    let key = format!("evidence/{}/{}/{case}/left.json", principal.account, principal.id);
    let left = LeftBehind::new(&case, &execution, pass, &principal, &verified);
    if let Some(left) = bucket.create(&key, &canonical(&left)?).await? {
        return Ok(Written { stored: Some(left.stored), told: Vec::new() });
    }
    let left = bucket.read(&key).await;
    match left.and_then(|left| left_at(&left, &principal.id, number).map(|_| left.stored)) {
        Ok(stored) => Ok(Written { stored: Some(stored), told: Vec::new() }),
        Err(failure) => Ok(Written { stored: None, told: in_brief(&[told_of(failure)?]) }),
    }
}

/// The newest case, and its original if that can be read.
struct Newest {
    case: Case,
    original: Option<Kept>,
    /// Of all that lies about the principal.
    keys: Vec<String>,
}

/// What people are told, in one piece: whoever plants a thousand objects gets no thousand
/// lines.
fn in_brief(told: &[String]) -> Vec<String> {
    if told.is_empty() { Vec::new() } else { vec![ascii(&listed(told, 1), TOLD)] }
}

/// The words for what lies where evidence should; any other failure is the step's own.
fn told_of(failure: Failure) -> Result<String, Failure> {
    match failure {
        Failure::EvidenceUnreadable { .. } => Ok(cut(&failure.chain(), 400)),
        other => Err(other),
    }
}

/// Readiness tries the way into the account alone: this step changes nothing there.
pub const READINESS: Readiness = Readiness::entry_alone(include_str!("../member-policy.json"));

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_iam::Client;
    use aws_sdk_s3::operation::put_object::PutObjectOutput;
    use incident::{InlinePolicy, hex_digest};
    use serde_json::json;
    use wire::{
        HttpResponse, Rule, answer, attached, error, eve, mock, namesake, respond, shown, shows,
    };

    use super::*;

    const OWN: &str = "arn:aws:iam::222222222222:policy/own";
    const ORIGINAL: &str = "evidence/222222222222/AIDAEVE/0001/original.json";

    fn containment() -> Input {
        let reach = json!({
            "id": "AIDAEVE", "since": "2026-01-01T00:00:00Z", "deniedBefore": null,
            "boundary": null,
        });
        let denial = json!({ "by": "policy", "already": false, "boundary": true });
        let input = json!({
            "purpose": "containment", "execution": wire::execution(), "principal": eve(),
            "reach": reach, "denial": denial, "principals": 1,
            "finding": {}, "pass": 0,
            "started": "2026-01-01T00:00:00Z", "entered": "2026-01-01T00:00:01Z",
        });
        serde_json::from_value(input).unwrap()
    }

    /// A user with a policy of its own, an inline policy and a group.
    fn lists() -> Vec<Rule> {
        let own = || {
            let allow = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22*\
                         %22%2C%22Resource%22%3A%22arn%3Aaws%3Aiam%3A%3A*%3Arole%2Fa%22%7D%7D";
            let version = format!("<PolicyVersion><Document>{allow}</Document></PolicyVersion>");
            answer("GetPolicyVersion", &version)
        };
        vec![
            attached(&[OWN]),
            mock!(Client::get_policy).then_http_response(|| {
                answer("GetPolicy", "<Policy><DefaultVersionId>v1</DefaultVersionId></Policy>")
            }),
            mock!(Client::get_policy_version).then_http_response(own),
            mock!(Client::list_user_policies).then_http_response(|| {
                answer("ListUserPolicies", "<PolicyNames><member>inline</member></PolicyNames>")
            }),
            mock!(Client::get_user_policy).then_http_response(|| {
                answer("GetUserPolicy", "<PolicyDocument>%7B%7D</PolicyDocument>")
            }),
            mock!(Client::list_groups_for_user).then_http_response(|| {
                let group = "<Groups><member><GroupName>group</GroupName></member></Groups>";
                answer("ListGroupsForUser", group)
            }),
            mock!(Client::list_attached_group_policies)
                .then_http_response(|| answer("ListAttachedGroupPolicies", "")),
            mock!(Client::list_group_policies)
                .then_http_response(|| answer("ListGroupPolicies", "")),
            mock!(Client::get_login_profile).then_http_response(|| {
                let made = "<CreateDate>2026-01-01T00:00:00Z</CreateDate>";
                answer("GetLoginProfile", &format!("<LoginProfile>{made}</LoginProfile>"))
            }),
            mock!(Client::list_mfa_devices).then_http_response(|| answer("ListMFADevices", "")),
        ]
    }

    async fn run(shows: &Rule, in_bucket: &[&Rule], input: Input) -> Result<Output, Failure> {
        let lists = lists();
        let no_credentials = wire::no_credentials();
        let rules: Vec<&Rule> = lists.iter().chain(&no_credentials).chain([shows]).collect();
        let sts = wire::sts(&[&wire::lets_in()]);
        let entry = Entry::new(sts, wire::iam(&rules), "role".into(), "id".into());
        let bucket = Bucket::new(wire::s3(in_bucket), "b".into());
        preserve(&entry, &bucket, input).await
    }

    async fn evidence(in_bucket: &[&Rule]) -> Evidence {
        match run(&shows(&eve(), None), in_bucket, containment()).await.unwrap() {
            Output::Evidence(evidence) => *evidence,
            other => panic!("{other:?}"),
        }
    }

    fn holds(keys: &'static str) -> Rule {
        mock!(aws_sdk_s3::Client::list_objects_v2).then_http_response(move || {
            let content = |key| format!("<Contents><Key>{key}</Key></Contents>");
            let keys: Vec<_> = keys.split_whitespace().map(content).collect();
            respond(200, &format!("<ListBucketResult>{}</ListBucketResult>", keys.concat()))
        })
    }

    /// The key is free; what is put there can be had.
    fn takes(key: &'static str) -> (Rule, Arc<Mutex<String>>) {
        let stored = Arc::new(Mutex::new(String::new()));
        let put = Arc::clone(&stored);
        let takes = mock!(aws_sdk_s3::Client::put_object)
            .match_requests(move |object| {
                let bytes = object.body().bytes().unwrap_or_default().to_vec();
                *put.lock().unwrap() = String::from_utf8(bytes).unwrap();
                object.key() == Some(key) && object.if_none_match() == Some("*")
            })
            .then_output(|| PutObjectOutput::builder().version_id("1").build());
        (takes, stored)
    }

    fn taken() -> HttpResponse {
        respond(412, "<Error><Code>PreconditionFailed</Code></Error>")
    }

    #[tokio::test]
    async fn what_is_stored_is_what_may_be_taken_away() {
        let (takes, stored) = takes(ORIGINAL);
        let evidence = evidence(&[&holds(""), &takes]).await;
        let sha256 = hex_digest(b"{}");
        let held = Held {
            managed_policies: vec![OWN.into()],
            inline_policies: vec![InlinePolicy { name: "inline".into(), sha256 }],
            groups: vec!["group".into()],
        };
        assert_eq!(evidence.held, held);
        assert_eq!(evidence.proof.assumable_roles.first, ["arn:aws:iam::*:role/a"]);
        assert!(evidence.proof.console_password);
        let stored = stored.lock().unwrap().clone();
        assert_eq!(evidence.original.sha256, hex_digest(stored.as_bytes()));
        let stored: Value = serde_json::from_str(&stored).unwrap();
        assert_eq!(stored["principal"]["attachedPolicies"], json!([OWN]));
        let inline = json!([{ "name": "inline", "document": "{}" }]);
        assert_eq!(stored["principal"]["inlinePolicies"], inline);
        assert_eq!(stored["principal"]["groups"][0]["name"], "group");
    }

    #[tokio::test]
    async fn what_a_boundary_of_the_customers_says_is_stored_and_aws_own_is_not() {
        let by_aws = "arn:aws:iam::aws:policy/PowerUserAccess";
        let boundary = "arn:aws:iam::222222222222:policy/boundary";
        for (arn, expected) in [(boundary, vec![boundary, OWN]), (by_aws, vec![OWN])] {
            let (takes, stored) = takes(ORIGINAL);
            run(&shows(&eve(), Some(arn)), &[&holds(""), &takes], containment()).await.unwrap();
            let stored: Value = serde_json::from_str(&stored.lock().unwrap()).unwrap();
            let policies = stored["principal"]["customerPolicies"].as_object().unwrap();
            assert_eq!(policies.keys().collect::<Vec<_>>(), expected, "{arn}");
        }
    }

    #[tokio::test]
    async fn a_retry_finds_what_it_has_stored_and_stores_nothing() {
        let (takes, stored) = takes(ORIGINAL);
        let first = evidence(&[&holds(""), &takes]).await;
        let read = mock!(aws_sdk_s3::Client::get_object)
            .match_requests(|get| get.key() == Some(ORIGINAL))
            .then_http_response(move || {
                let mut object = respond(200, &stored.lock().unwrap());
                object.headers_mut().insert("x-amz-version-id", "1");
                object
            });
        assert_eq!(evidence(&[&holds(ORIGINAL), &read]).await, first);
    }

    /// What lies under these keys below the case's folder, and is read.
    fn lie(objects: &[(String, Value)]) -> Vec<Rule> {
        const FOLDER: &str = "evidence/222222222222/AIDAEVE/0001/";
        let keys: Vec<_> = objects.iter().map(|(key, _)| format!("{FOLDER}{key}")).collect();
        let content = |key: &String| format!("<Contents><Key>{key}</Key></Contents>");
        let list: String = keys.iter().map(content).collect();
        let list = mock!(aws_sdk_s3::Client::list_objects_v2).then_http_response(move || {
            respond(200, &format!("<ListBucketResult>{list}</ListBucketResult>"))
        });
        let reads = keys.into_iter().zip(objects).map(|(key, (_, object))| {
            let text = object.to_string();
            mock!(aws_sdk_s3::Client::get_object)
                .match_requests(move |get| get.key() == Some(&key))
                .then_http_response(move || respond(200, &text))
        });
        [list].into_iter().chain(reads).collect()
    }

    /// The evidence of a pass that finds these in its case, and what the first pass stores.
    async fn of_pass(pass: u32, entered: &str, objects: &[(String, Value)]) -> Evidence {
        let Input::Containment(mut input) = containment() else { panic!() };
        (input.pass, input.entered) = (pass, entered.to_owned());
        let put = mock!(aws_sdk_s3::Client::put_object)
            .then_output(|| PutObjectOutput::builder().version_id("1").build());
        let lie = lie(objects);
        let rules: Vec<_> = lie.iter().chain([&put]).collect();
        match run(&shows(&eve(), None), &rules, Input::Containment(input)).await.unwrap() {
            Output::Evidence(evidence) => *evidence,
            other => panic!("{other:?}"),
        }
    }

    async fn original() -> Value {
        let (takes, stored) = takes(ORIGINAL);
        evidence(&[&holds(""), &takes]).await;
        let stored = stored.lock().unwrap().clone();
        serde_json::from_str(&stored).unwrap()
    }

    #[tokio::test]
    async fn what_any_pass_has_found_counts_and_not_the_last_alone() {
        let original = original().await;
        let mut between = original.clone();
        between["incident"]["pass"] = json!(10);
        between["principal"]["groups"][0]["name"] = json!("between");
        let mut of_others = original.clone();
        of_others["incident"]["execution"] = json!(format!("{}-another", wire::execution().arn()));
        let between = (format!("{}-10.json", wire::execution().name()), between);
        for original in [original, of_others] {
            let objects = [("original.json".to_owned(), original), between.clone()];
            let evidence = of_pass(20, "2026-01-01T00:10:00Z", &objects).await;
            assert_eq!(evidence.had.groups.first, ["between", "group"]);
            assert_eq!(evidence.held.groups, ["group"]);
            assert_eq!(evidence.proof.told, Vec::<String>::new());
        }
    }

    #[tokio::test]
    async fn what_it_has_after_it_was_read_back_has_come_back_once_iam_has_settled() {
        let mut original = original().await;
        original["incident"]["execution"] = json!(format!("{}-another", wire::execution().arn()));
        let left = |id: &str, case: &str| json!({ "schema": "cordon/left/2", "id": id, "case": case, "at": "2026-01-01T00:01:00Z" });
        let ours = left("AIDAEVE", "0001");
        let late = "2026-01-01T00:01:31Z";
        for (original, left, entered, regained, told) in [
            (&original, &ours, "2026-01-01T00:01:01Z", false, 0),
            (&original, &ours, late, true, 0),
            (&original, &ours, "2026-01-01T00:01:30Z", false, 0),
            (&original, &ours, "2026-01-01T00:00:59Z", false, 0),
            (&original, &left("AIDAOTHER", "0001"), late, false, 1),
            (&original, &left("AIDAEVE", "0002"), late, false, 1),
        ] {
            let objects = [
                ("original.json".to_owned(), original.clone()),
                ("left.json".to_owned(), left.clone()),
            ];
            let proof = of_pass(0, entered, &objects).await.proof;
            let Some(Before::Joined { regained: said, .. }) = proof.before else {
                assert_eq!((proof.before, told), (None, 1), "{left}");
                continue;
            };
            assert_eq!((said, proof.told.len()), (regained, told), "{left}, {entered}");
        }
    }

    #[tokio::test]
    async fn a_restore_is_told_by_its_record_alone() {
        let original = original().await;
        let record = |id: &str, case: Option<&str>| json!({ "schema": "cordon/restored/1", "id": id, "case": case });
        for (record, expected) in [
            (record("AIDAEVE", Some("0001")), Some(Before::Restored)),
            (record("AIDAOTHER", Some("0001")), None),
            (record("AIDAEVE", Some("0002")), None),
            (record("AIDAEVE", None), None),
            (json!({}), None),
        ] {
            let objects = [
                ("original.json".to_owned(), original.clone()),
                ("restored.json".to_owned(), record.clone()),
            ];
            let mut input = containment();
            let Input::Containment(accusation) = &mut input else { panic!() };
            accusation.reach.since = "2026-01-02T00:00:00Z".into();
            accusation.entered = "2026-01-02T00:00:01Z".into();
            let (takes, _) = takes("evidence/222222222222/AIDAEVE/0002/original.json");
            let lie = lie(&objects);
            let rules: Vec<_> = lie.iter().chain([&takes]).collect();
            let output = run(&shows(&eve(), None), &rules, input).await.unwrap();
            let Output::Evidence(evidence) = output else { panic!("{output:?}") };
            assert_eq!(evidence.proof.before, expected, "{record}");
            assert_eq!(evidence.proof.told.is_empty(), expected.is_some(), "{record}");
        }
    }

    #[tokio::test]
    async fn of_a_namesake_nothing_is_stored() {
        let as_eve = || shown(&eve(), None);
        let as_other = || shown(&namesake(), None);
        let from_the_start = mock!(Client::get_user).then_http_response(as_other);
        let meanwhile =
            mock!(Client::get_user).sequence().http_response(as_eve).http_response(as_other);
        for shows in [from_the_start, meanwhile.build()] {
            let failure = run(&shows, &[], containment()).await.unwrap_err();
            assert_eq!(failure.name(), "PrincipalVanished");
        }
    }

    #[tokio::test]
    async fn how_a_case_was_left_is_written_once() {
        let read_back = || {
            let verified = json!({
                "at": "2026-01-01T00:01:00Z", "deniedBy": "policy", "boundary": wire::DENY,
                "keptPolicies": [wire::DENY], "credentials": [],
            });
            let input = json!({
                "purpose": "left", "execution": wire::execution(), "principal": eve(),
                "case": "0001", "pass": 0, "verified": verified,
            });
            serde_json::from_value(input).unwrap()
        };
        let (takes, stored) = takes("evidence/222222222222/AIDAEVE/0001/left.json");
        let nobody_asks = mock!(Client::get_user).then_http_response(|| error("AccessDenied"));
        let uri = |output| match output {
            Output::Left(Written { stored: Some(stored), told }) if told.is_empty() => stored.uri,
            other => panic!("{other:?}"),
        };
        let first = uri(run(&nobody_asks, &[&takes], read_back()).await.unwrap());
        let full = mock!(aws_sdk_s3::Client::put_object).then_http_response(taken);
        let read = mock!(aws_sdk_s3::Client::get_object)
            .then_http_response(move || respond(200, &stored.lock().unwrap()));
        let again = uri(run(&nobody_asks, &[&full, &read], read_back()).await.unwrap());
        assert_eq!(again, first);
        assert_eq!(nobody_asks.num_calls(), 0);
    }
}
