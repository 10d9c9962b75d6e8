//! What is known of a principal from before: what the history of its incident has stored, checked
//! to the byte, and what else lies in its case.

use std::collections::BTreeMap;

use aws_sdk_sfn::Client;
use bucket::{Bucket, Object, schema};
use incident::restore::{Found, Left, Now, Past, Shown};
use incident::{AccountId, Execution, Failure, Stored, case_number, newest_case};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::history::{self, History, Preserved};

/// So many objects of a case are read: whoever plants a thousand gets no thousand calls.
const MOST: usize = 100;

const EVIDENCE: &str = "cordon/evidence/2";
const LEFT: &str = "cordon/left/2";
const NOW: &str = "cordon/now/1";

/// What closes a case, in its folder.
pub(crate) const RESTORED: &str = "restored.json";

/// A principal's case or retirement.
pub(crate) struct Case {
    pub(crate) past: Past,
    /// How it was left, if it was read back.
    pub(crate) left: Option<Stored>,
    /// What lies in the folder of the principal's cases.
    pub(crate) files: Vec<String>,
    pub(crate) shown: Vec<Shown>,
}

/// What reads the case.
pub(crate) struct Reader<'a> {
    pub(crate) states: &'a Client,
    pub(crate) bucket: &'a Bucket,
    /// The execution that plans or restores.
    pub(crate) by: &'a Execution,
}

/// Who gave a case back.
#[derive(Deserialize)]
struct Restored {
    execution: Execution,
}

/// The executions that wrote in a case: their histories, or that theirs is gone.
type Writers = BTreeMap<String, Option<History>>;

/// Of whom and by whom an object says that it is. A claim.
#[derive(Deserialize)]
struct Claim {
    incident: ClaimedIncident,
}

#[derive(Deserialize)]
struct ClaimedIncident {
    execution: Execution,
}

impl Reader<'_> {
    /// Reads the case of a principal, or its retirement, and refuses one that is not to be
    /// planned: with [`Failure::CaseNotNewest`] where there is a newer case, with
    /// [`Failure::IncidentPending`] where an execution about it may contain it again.
    pub(crate) async fn read(&self, own: &History, of: &Preserved) -> Result<Case, Failure> {
        self.refuse_pending(&own.execution).await?;
        let original: Found = self.document(&of.evidence.original, EVIDENCE).await?;
        let at = &of.evidence.original;
        is_of(&original, of)?;
        let (principal, case) = (&of.principal, &of.evidence.case);
        let mut past = Past {
            partition: own.execution.partition().to_owned(),
            at: at.clone(),
            original,
            later: Vec::new(),
            left: None,
            tagged: Vec::new(),
        };
        let (mut left, mut shown) = (of.left.clone(), Vec::new());
        let folder = folder(&principal.account, &principal.id);
        let all = self.bucket.list(&folder).await?;
        let files = self.of_the_case(&folder, &all, case.as_deref()).await?;
        if case.is_none() {
            past.tagged.extend(of.tagged.clone());
            return Ok(Case { past, left, files: all, shown });
        }
        let mut writers = Writers::new();
        for key in files.iter().take(MOST) {
            let uri = self.bucket.uri(key);
            let object = self.bucket.read(key).await?;
            let Some(writer) = self.writer(&object, own, &mut writers).await? else {
                shown.push(Shown::Planted { uri });
                continue;
            };
            let writer = match writer {
                Writer::Own => own,
                Writer::Other(history) => history,
                Writer::Gone(execution) => {
                    shown.push(Shown::HistoryGone { execution });
                    continue;
                }
            };
            let wrote = writer.of(&principal.id).filter(|one| one.evidence.original.uri == at.uri);
            match wrote {
                Some(wrote) if wrote.stored.contains(&object.stored) => {
                    if object.stored.uri != at.uri {
                        let found: Found = document(&object, EVIDENCE)?;
                        is_of(&found, of)?;
                        past.later.push(found);
                    }
                }
                _ => shown.push(Shown::Planted { uri }),
            }
        }
        for uri in files.iter().skip(MOST).take(1).map(|key| self.bucket.uri(key)) {
            shown.push(Shown::Planted { uri });
        }
        for other in writers.values().flatten() {
            if let Some(wrote) = other.of(&principal.id) {
                left = left.or(wrote.left.clone());
                past.tagged.extend(wrote.tagged.clone());
            }
        }
        past.tagged.extend(of.tagged.clone());
        if let Some(stored) = &left {
            let read: Left = self.document(stored, LEFT).await?;
            if read.id != principal.id || Some(&read.case) != case.as_ref() {
                return Err(mismatch(stored, "it is of another principal or case"));
            }
            past.left = Some(read);
        }
        Ok(Case { past, left, files: all, shown })
    }

    /// The objects of the case that is planned, but for those of its end. It has to be the newest,
    /// and not given back yet; of a retirement there may be none.
    async fn of_the_case(
        &self,
        folder: &str,
        all: &[String],
        case: Option<&str>,
    ) -> Result<Vec<String>, Failure> {
        let (newest, _) = newest_case(all.iter().filter_map(|key| case_number(key)));
        let newest = newest.map(|number| format!("{number:04}"));
        let uri = |case: &str| format!("{}{case}/", self.bucket.uri(folder));
        let restored = match &newest {
            Some(newest) => self.was_restored(folder, all, newest).await?,
            None => false,
        };
        let Some(case) = case else {
            return match newest {
                Some(newest) if !restored => Err(Failure::CaseNotNewest(format!(
                    "`{}` is its case, and is to be restored first",
                    uri(&newest)
                ))),
                _ => Ok(Vec::new()),
            };
        };
        if let Some(newest) = newest.filter(|newest| newest.as_str() > case) {
            return Err(Failure::CaseNotNewest(format!("`{}` is its newest case", uri(&newest))));
        }
        if restored {
            return Err(Failure::NothingToRestore(format!("`{}` was given back", uri(case))));
        }
        let ends = [format!("{case}/left.json"), format!("{case}/{RESTORED}")];
        let own = all.iter().filter(|key| key.starts_with(&format!("{case}/")));
        let own = own.filter(|key| !ends.contains(key));
        Ok(own.map(|key| format!("{folder}{key}")).collect())
    }

    /// Whether a case was given back, unless it was by this very execution, which goes on.
    async fn was_restored(
        &self,
        folder: &str,
        all: &[String],
        case: &str,
    ) -> Result<bool, Failure> {
        let key = format!("{case}/{RESTORED}");
        if !all.contains(&key) {
            return Ok(false);
        }
        let object = self.bucket.read(&format!("{folder}{key}")).await;
        match object.and_then(|object| object.document::<Restored>()) {
            Ok(restored) => Ok(restored.execution != *self.by),
            Err(Failure::EvidenceUnreadable { .. }) => Ok(true),
            Err(failure) => Err(failure),
        }
    }

    /// The execution that an object says has written it, if that is one of ours.
    async fn writer<'a>(
        &self,
        object: &Object,
        own: &History,
        writers: &'a mut Writers,
    ) -> Result<Option<Writer<'a>>, Failure> {
        let Ok(Claim { incident: ClaimedIncident { execution } }) = object.document() else {
            return Ok(None);
        };
        if execution == own.execution {
            return Ok(Some(Writer::Own));
        }
        if !is_ours(&execution, &own.execution) {
            return Ok(None);
        }
        let arn = execution.arn().to_owned();
        if !writers.contains_key(&arn) {
            let known = match self.refuse_pending(&execution).await {
                Ok(()) => Some(history::read(self.states, &execution).await?),
                Err(Failure::NotFound { .. }) => None,
                Err(failure) => return Err(failure),
            };
            writers.insert(arn.clone(), known);
        }
        Ok(Some(match writers.get(&arn).and_then(Option::as_ref) {
            Some(history) => Writer::Other(history),
            None => Writer::Gone(arn),
        }))
    }

    async fn refuse_pending(&self, execution: &Execution) -> Result<(), Failure> {
        match history::pending(self.states, execution).await? {
            Some(status) => {
                Err(Failure::IncidentPending { execution: execution.arn().to_owned(), status })
            }
            None => Ok(()),
        }
    }

    /// The principal as this execution has read it.
    pub(crate) async fn present(
        &self,
        now: &Stored,
        id: &str,
        by: &Execution,
    ) -> Result<Now, Failure> {
        let present: Now = self.document(now, NOW).await?;
        if present.principal.id != id || present.execution != *by {
            return Err(mismatch(now, "it is of another principal or execution"));
        }
        Ok(present)
    }

    /// The document that was stored, in its form.
    pub(crate) async fn document<T: DeserializeOwned>(
        &self,
        stored: &Stored,
        form: &str,
    ) -> Result<T, Failure> {
        document(&self.bucket.read_stored(stored).await?, form)
    }
}

/// The folder of a principal's cases.
pub(crate) fn folder(account: &AccountId, id: &str) -> String {
    format!("evidence/{account}/{id}/")
}

enum Writer<'a> {
    Own,
    Other(&'a History),
    Gone(String),
}

/// Whether an execution is of the same machine as another, in the same account and Region.
fn is_ours(execution: &Execution, own: &Execution) -> bool {
    let of = |one: &Execution| {
        let arn = one.arn();
        arn.strip_suffix(one.name()).map(str::to_owned)
    };
    of(execution) == of(own)
}

pub(crate) fn document<T: DeserializeOwned>(object: &Object, form: &str) -> Result<T, Failure> {
    let stored = &object.stored;
    let value: Value = object.document()?;
    if value.get("schema").and_then(Value::as_str) != Some(form) {
        return Err(mismatch(stored, &format!("it is no `{form}`")));
    }
    schema::check(&value).map_err(|failure| mismatch(stored, &failure.to_string()))?;
    serde_json::from_value(value).map_err(|error| mismatch(stored, &error.to_string()))
}

fn is_of(found: &Found, of: &Preserved) -> Result<(), Failure> {
    let (id, case) = (&of.principal.id, &of.evidence.case);
    if found.principal.id != *id || found.case != *case {
        return Err(mismatch(&of.evidence.original, "it is of another principal or case"));
    }
    Ok(())
}

pub(crate) fn mismatch(stored: &Stored, why: &str) -> Failure {
    Failure::EvidenceMismatch { uri: stored.uri.clone(), why: why.to_owned() }
}
