//! What is known of a principal from before: what the history of its incident has stored, checked
//! to the byte, and what else lies in its case.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_sfn::Client;
use aws_sdk_sfn::primitives::DateTime;
use bucket::{Bucket, Object, schema};
use incident::restore::{Finding, Found, Left, Now, Past, RETIREMENT, Shown};
use incident::{
    AccountId, Execution, Failure, Stored, case_number, deny_policy, newest_case, tag_value,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::history::{self, History, Preserved};
use crate::pending;

/// So many objects of a case are read: whoever plants a thousand gets no thousand calls.
const MOST: usize = 100;

/// So many of a case's other findings are named.
const OTHERS: usize = 10;

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
    /// Where the retirements lie that came after it.
    pub(crate) retired_since: Vec<Stored>,
    pub(crate) shown: Vec<Shown>,
}

impl Case {
    /// Refuses with [`Failure::CaseNotNewest`] what a later retirement stands over: the
    /// principal bears its tag, which only its restore takes away. Without the tag it was given
    /// back, and is only shown.
    pub(crate) fn refuse_retired(&mut self, present: &Now) -> Result<(), Failure> {
        let bears = present.principal.tags.get(RETIREMENT);
        for Stored { uri, .. } in std::mem::take(&mut self.retired_since) {
            if bears == Some(&tag_value(&uri)) {
                let why = format!("its unused keys were retired after it, and `{uri}` is first");
                return Err(Failure::CaseNotNewest(why));
            }
            self.shown.push(Shown::RetiredSince { uri });
        }
        Ok(())
    }
}

/// What reads the case.
pub(crate) struct Reader<'a> {
    pub(crate) states: &'a Client,
    pub(crate) bucket: &'a Bucket,
    /// The execution that plans or restores.
    pub(crate) by: &'a Execution,
    /// When the step was entered, where it says so.
    pub(crate) entered: Option<DateTime>,
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
        let mut original: Found = self.document(&of.evidence.original, EVIDENCE).await?;
        let at = &of.evidence.original;
        is_of(&original, of)?;
        let (id, case) = (&of.principal.id, &of.evidence.case);
        if original.incident.execution == own.execution
            && let Some(before) = own.before_its_deny(id)
        {
            original.denied_before = before.denied_before;
            if original.boundary_before == Some(deny_policy(own.execution.partition())) {
                original.boundary_before.clone_from(&before.boundary);
            }
        }
        let mut past = Past {
            partition: own.execution.partition().to_owned(),
            at: at.clone(),
            original,
            later: Vec::new(),
            left: None,
            tagged: Vec::new(),
        };
        let (mut left, mut shown) = (of.left.clone(), Vec::new());
        let mut asked = Asked { reader: self, own, id, writers: Writers::new() };
        let folder = folder(&of.principal.account, id);
        let all = self.bucket.list(&folder).await?;
        let files = asked.files(of, &past.original, &all, &mut shown).await?;
        for key in files.iter().take(MOST) {
            match asked.written(key).await? {
                Ok((object, wrote)) if wrote.evidence.original.uri == at.uri => {
                    if object.stored.uri != at.uri {
                        let found: Found = document(&object, EVIDENCE)?;
                        is_of(&found, of)?;
                        past.later.push(found);
                    }
                }
                Ok((object, _)) => shown.push(Shown::Planted { uri: object.stored.uri }),
                Err(other) => shown.push(other),
            }
        }
        for uri in files.iter().skip(MOST).take(1).map(|key| self.bucket.uri(key)) {
            shown.push(Shown::Planted { uri });
        }
        if case.is_some() {
            for wrote in asked.writers.values().flatten().filter_map(|other| other.of(id)) {
                left = left.or(wrote.left.clone());
                past.tagged.extend(wrote.tagged.clone());
            }
        }
        past.tagged.extend(of.tagged.clone());
        if case.is_some() {
            shown.extend(asked.other_findings());
        }
        if let Some(stored) = left.as_ref().filter(|_| case.is_some()) {
            let read: Left = self.document(stored, LEFT).await?;
            if read.id != *id || Some(&read.case) != case.as_ref() {
                return Err(mismatch(stored, "it is of another principal or case"));
            }
            past.left = Some(read);
        }
        let retired_since = asked.retired_since(of, &past.original, &mut shown).await?;
        let known = asked.writers.keys().map(String::as_str).chain([own.execution.arn()]).collect();
        let (own, principal) = (&own.execution, &of.principal);
        let pending = pending::refuse(self.states, own, principal, &known, self.entered).await?;
        shown.extend(pending);
        Ok(Case { past, left, files: all, retired_since, shown })
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

/// The first of a case's other findings, and how many more there are.
fn first(mut findings: Vec<Shown>) -> Vec<Shown> {
    if let more @ 1.. = findings.len().saturating_sub(OTHERS) {
        findings.truncate(OTHERS);
        findings.push(Shown::MoreFindings { more });
    }
    findings
}

/// The folder of a principal's cases.
pub(crate) fn folder(account: &AccountId, id: &str) -> String {
    format!("evidence/{account}/{id}/")
}

/// Who is asked what has been stored of a principal.
struct Asked<'a> {
    reader: &'a Reader<'a>,
    own: &'a History,
    /// The principal's unique id.
    id: &'a str,
    writers: Writers,
}

impl Asked<'_> {
    /// The findings of the case's other incidents that have read it back, each once: the first,
    /// and how many more.
    fn other_findings(&self) -> Vec<Shown> {
        let mut known: BTreeSet<&str> =
            self.own.finding.iter().map(|finding| finding.id.as_str()).collect();
        let is_left = |other: &&History| other.of(self.id).is_some_and(|of| of.left.is_some());
        let others = self.writers.values().flatten().filter(is_left);
        let others = others.filter_map(|other| {
            let of = other.finding.as_ref()?;
            known.insert(&of.id).then(|| Shown::OtherFinding {
                // By these it is named; a plan has no room for all that others say.
                finding: Finding { title: String::new(), types: Vec::new(), ..of.clone() },
                execution: other.execution.arn().to_owned(),
            })
        });
        first(others.collect())
    }

    /// The objects of the case that is planned, but for how it was left; of a retirement there
    /// are none. It has to be the newest, and not given back yet.
    async fn files(
        &mut self,
        of: &Preserved,
        original: &Found,
        all: &[String],
        shown: &mut Vec<Shown>,
    ) -> Result<Vec<String>, Failure> {
        let bucket = self.reader.bucket;
        let folder = folder(&of.principal.account, self.id);
        let (newest, _) = newest_case(all.iter().filter_map(|key| case_number(key)));
        let newest = newest.map(|number| format!("{number:04}"));
        let restored = match &newest {
            Some(newest) => self.was_restored(&folder, all, newest).await?,
            None => false,
        };
        let Some(case) = &of.evidence.case else {
            let opened = newest.map(|newest| format!("{newest}/original.json"));
            if let Some(opened) = opened.filter(|opened| !restored && all.contains(opened)) {
                self.refuse_contained(&format!("{folder}{opened}"), original, shown).await?;
            }
            return Ok(Vec::new());
        };
        if let Some(newest) = newest.filter(|newest| newest > case) {
            let newest = format!("{}{newest}/", bucket.uri(&folder));
            return Err(Failure::CaseNotNewest(format!("`{newest}` is its newest case")));
        }
        if restored {
            let uri = bucket.uri(&folder);
            return Err(Failure::NothingToRestore(format!("`{uri}{case}/` was given back")));
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
        let object = self.reader.bucket.read(&format!("{folder}{key}")).await;
        match object.and_then(|object| object.document::<Restored>()) {
            Ok(restored) => Ok(restored.execution != *self.reader.by),
            Err(Failure::EvidenceUnreadable { .. }) => Ok(true),
            Err(failure) => Err(failure),
        }
    }

    /// Refuses a retirement after which the case was opened. One whose history is gone is
    /// older than any whose history is not.
    async fn refuse_contained(
        &mut self,
        opened: &str,
        original: &Found,
        shown: &mut Vec<Shown>,
    ) -> Result<(), Failure> {
        match self.written(opened).await? {
            Ok((object, _)) => {
                let case: Found = document(&object, EVIDENCE)?;
                if case.since() > original.since() {
                    let why = format!("`{}` is its case, and is first", object.stored.uri);
                    return Err(Failure::CaseNotNewest(why));
                }
            }
            Err(other) => shown.push(other),
        }
        Ok(())
    }

    /// Where the retirements lie that came after what is planned.
    async fn retired_since(
        &mut self,
        of: &Preserved,
        original: &Found,
        shown: &mut Vec<Shown>,
    ) -> Result<Vec<Stored>, Failure> {
        let bucket = self.reader.bucket;
        let folder = format!("retired/{}/{}/", of.principal.account, self.id);
        let keys = bucket.list(&folder).await?;
        let mut since = Vec::new();
        for key in keys.iter().take(MOST) {
            match self.written(&format!("{folder}{key}")).await? {
                Ok((_, wrote)) if wrote.evidence.original == of.evidence.original => {}
                Ok((object, wrote)) => {
                    let stored = wrote.evidence.original.clone();
                    let found: Found = document(&object, EVIDENCE)?;
                    if found.since() > original.since() && !since.contains(&stored) {
                        since.push(stored);
                    }
                }
                Err(other) => shown.push(other),
            }
        }
        for uri in keys.iter().skip(MOST).take(1).map(|key| bucket.uri(&format!("{folder}{key}"))) {
            shown.push(Shown::Planted { uri });
        }
        Ok(since)
    }

    /// An object, with what the history of the execution that has written it says of the
    /// principal; or else what people have to know of it.
    async fn written(&mut self, key: &str) -> Result<Result<(Object, &Preserved), Shown>, Failure> {
        let object = self.reader.bucket.read(key).await?;
        let planted = Shown::Planted { uri: object.stored.uri.clone() };
        let id = self.id;
        let history = match self.writer(&object).await? {
            None => return Ok(Err(planted)),
            Some(Writer::Gone(execution)) => return Ok(Err(Shown::HistoryGone { execution })),
            Some(Writer::Of(history)) => history,
        };
        let wrote = history.of(id).filter(|one| one.stored.contains(&object.stored));
        Ok(wrote.map(|wrote| (object, wrote)).ok_or(planted))
    }

    /// The execution that an object says has written it, if that is one of ours.
    async fn writer(&mut self, object: &Object) -> Result<Option<Writer<'_>>, Failure> {
        let Ok(Claim { incident: ClaimedIncident { execution } }) = object.document() else {
            return Ok(None);
        };
        if execution == self.own.execution {
            return Ok(Some(Writer::Of(self.own)));
        }
        if !is_ours(&execution, &self.own.execution) {
            return Ok(None);
        }
        let arn = execution.arn().to_owned();
        if !self.writers.contains_key(&arn) {
            let known = match self.reader.refuse_pending(&execution).await {
                Ok(()) => Some(history::read(self.reader.states, &execution).await?),
                Err(Failure::NotFound { .. }) => None,
                Err(failure) => return Err(failure),
            };
            self.writers.insert(arn.clone(), known);
        }
        Ok(Some(match self.writers.get(&arn).and_then(Option::as_ref) {
            Some(history) => Writer::Of(history),
            None => Writer::Gone(arn),
        }))
    }
}

enum Writer<'a> {
    Of(&'a History),
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wire::{Rule, eve, respond};

    use super::*;
    use crate::tests::{ORIGINAL, alone, described, has_at, history_at, holds, knows_of, original};

    const RETIRED: &str = "retired/222222222222/AIDAEVE/one.json";
    const AGAIN: &str = "retired/222222222222/AIDAEVE/two.json";

    fn execution(name: &str) -> Execution {
        let own = wire::execution();
        let machine = own.arn().strip_suffix(own.name()).unwrap();
        Execution::try_from(format!("{machine}{name}")).unwrap()
    }

    #[test]
    fn of_many_other_findings_the_first_are_named_and_the_others_counted() {
        for (all, named, more) in [(1, 1, None), (OTHERS, OTHERS, None), (100, OTHERS, Some(90))] {
            let findings = (0..all).map(|n| Shown::NotCompared { arn: n.to_string() }).collect();
            let mut shown = first(findings);
            let counted = match shown.pop_if(|last| matches!(last, Shown::MoreFindings { .. })) {
                Some(Shown::MoreFindings { more }) => Some(more),
                _ => None,
            };
            assert_eq!((shown.len(), counted), (named, more));
        }
    }

    /// What an execution has stored under the key when it reached the principal on that day.
    fn document(key: &str, by: &Execution, day: u8) -> Value {
        let mut document = original();
        document["incident"]["execution"] = json!(by);
        document["incident"]["reach"]["since"] = json!(format!("2026-01-{day:02}T00:00:00Z"));
        if key != ORIGINAL {
            document["case"] = Value::Null;
        }
        document
    }

    /// What becomes of the plan of what was stored first where another was stored later, and
    /// the principal bears this tag of a retirement.
    async fn planned(
        first: (&'static str, u8),
        later: (&'static str, u8),
        is_known: bool,
        bears: Option<&str>,
    ) -> Result<Vec<Shown>, Failure> {
        let (own, other) = (wire::execution(), execution("other"));
        let stored = [(first, &own), (later, &other)];
        let [one, two] = stored.map(|((key, day), by)| document(key, by, day));
        let of_own = knows_of(own.clone(), &history_at(first.0, &[eve()], &one));
        let of_other = history_at(later.0, &[eve()], &two);
        let of_other = knows_of(other, if is_known { &of_other } else { &[] });
        let ended = described("SUCCEEDED", "NOT_REDRIVABLE");
        let states = wire::states(&[&of_own, &of_other, &ended, &alone()]);
        let keys: &'static [&'static str] = Box::leak(Box::new([first.0, later.0]));
        let bucket = [&holds(keys), &has_at(first.0, &one), &has_at(later.0, &two)];
        let bucket = Bucket::new(wire::s3(&bucket), "b".into());
        let by = wire::execution();
        let reader = Reader { states: &states, bucket: &bucket, by: &by, entered: None };
        let history = history::read(&states, &own).await?;
        let mut case = reader.read(&history, history.of("AIDAEVE").unwrap()).await?;
        let mut principal = one["principal"].clone();
        principal["tags"] = bears.map_or(json!({}), |uri| json!({ "CordonRetirement": uri }));
        let present = json!({
            "schema": "cordon/now/1", "execution": own, "at": "t", "principal": principal,
            "groups": {}, "policies": {},
        });
        case.refuse_retired(&serde_json::from_value(present).unwrap())?;
        Ok(case.shown)
    }

    #[tokio::test]
    async fn of_cases_and_retirements_only_the_newest_is_planned() {
        let uri = |key: &str| format!("s3://b/{key}");
        let (retired, again) = (uri(RETIRED), uri(AGAIN));
        for (first, later, bears, expected) in [
            // Retired twice: while the tag of the later stands, only that one.
            ((RETIRED, 1), (AGAIN, 2), Some(&again), Err("CaseNotNewest")),
            ((RETIRED, 1), (AGAIN, 2), Some(&retired), Ok(Some(AGAIN))),
            ((RETIRED, 1), (AGAIN, 2), None, Ok(Some(AGAIN))),
            ((RETIRED, 2), (AGAIN, 1), Some(&again), Ok(None)),
            // Contained, then retired.
            ((ORIGINAL, 1), (RETIRED, 2), Some(&retired), Err("CaseNotNewest")),
            ((ORIGINAL, 1), (RETIRED, 2), None, Ok(Some(RETIRED))),
            ((ORIGINAL, 2), (RETIRED, 1), Some(&retired), Ok(None)),
            // Retired, then contained.
            ((RETIRED, 1), (ORIGINAL, 2), Some(&retired), Err("CaseNotNewest")),
            ((RETIRED, 2), (ORIGINAL, 1), Some(&retired), Ok(None)),
        ] {
            let found = planned(first, later, true, bears.map(String::as_str)).await;
            let expected = expected.map(|key| key.map(|key| Shown::RetiredSince { uri: uri(key) }));
            let expected = expected.map(|shown| shown.into_iter().collect());
            assert_eq!(found.map_err(|it| it.name()), expected, "{first:?} {later:?} {bears:?}");
        }
    }

    #[tokio::test]
    async fn what_no_history_knows_keeps_nothing_from_being_planned() {
        for (first, later) in [((RETIRED, 1), (ORIGINAL, 2)), ((ORIGINAL, 1), (RETIRED, 2))] {
            let uri = format!("s3://b/{}", later.0);
            let found = planned(first, later, false, Some(&uri)).await.unwrap();
            assert_eq!(found, [Shown::Planted { uri }]);
        }
    }

    #[tokio::test]
    async fn a_retirement_that_may_go_on_is_waited_for() {
        let (own, other) = (wire::execution(), execution("other"));
        let (case, retired) = (document(ORIGINAL, &own, 1), document(RETIRED, &other, 1));
        let of_own = knows_of(own.clone(), &history_at(ORIGINAL, &[eve()], &case));
        let describe = |one: Execution, status: &'static str| {
            wire::mock!(Client::describe_execution)
                .match_requests(move |get| get.execution_arn() == Some(one.arn()))
                .then_http_response(move || {
                    let described = json!({
                        "executionArn": "e", "stateMachineArn": "m", "startDate": 0,
                        "status": status,
                    });
                    respond(200, &described.to_string())
                })
        };
        let ended = describe(own.clone(), "SUCCEEDED");
        let runs = describe(other, "RUNNING");
        let states = wire::states(&[&of_own, &ended, &runs, &alone()] as &[&Rule]);
        let bucket =
            [&holds(&[ORIGINAL, RETIRED]), &has_at(ORIGINAL, &case), &has_at(RETIRED, &retired)];
        let bucket = Bucket::new(wire::s3(&bucket), "b".into());
        let by = wire::execution();
        let reader = Reader { states: &states, bucket: &bucket, by: &by, entered: None };
        let history = history::read(&states, &own).await.unwrap();
        let read = reader.read(&history, history.of("AIDAEVE").unwrap()).await;
        assert_eq!(read.err().map(|it| it.name()), Some("IncidentPending"));
    }
}
