//! A restore that is carried out: held to its plan between its steps, and recorded at its end.

use std::collections::BTreeSet;

use aws_sdk_sfn::Client;
use bucket::schema::canonical;
use bucket::{Bucket, Object};
use incident::restore::{Change, Disposition, Drift, Item, Lost, Plan, Restored, Stage};
use incident::{Credential, Execution, Failure, Stored, cut, listed, one_line};
use serde::{Deserialize, Serialize};

use crate::case::{RESTORED, Reader, document, folder, mismatch};
use crate::{Asked, carried, key_of, nothing};

const FORM: &str = "cordon/restored/1";

/// The most characters of what a person states.
const STATED: usize = 300;

/// Which plan is carried out, by whom, and how far.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Which incident.
    #[serde(flatten)]
    asked: Asked,
    /// The plan's digest.
    apply: String,
    /// Who asks for it, as stated.
    by: String,
    /// Why, as stated.
    reason: String,
    /// What the finding was.
    disposition: Disposition,
    /// Whether groups are given back; a person does it, where they are not.
    groups: bool,
    /// What was done last.
    did: Option<Stage>,
    /// Where the principal lies as it is now.
    now: Stored,
}

/// What is to be done next.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The next stage; nothing, where all is done.
    next: Option<Stage>,
    /// Whether that is what was done last: IAM may show it later.
    again: bool,
    /// The plan.
    plan: Stored,
}

/// What closes a case: `cordon/restored/1`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    schema: &'static str,
    /// The execution that restored.
    execution: &'a Execution,
    /// When what is read back was read.
    at: &'a str,
    incident: &'a Execution,
    case: Option<&'a str>,
    id: &'a str,
    plan: &'a Stored,
    by: &'a str,
    reason: &'a str,
    disposition: Disposition,
    given: Vec<String>,
    left_out: LeftOut<'a>,
    read_back: &'a Stored,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LeftOut<'a> {
    by_hand: Vec<String>,
    inactive: &'a [Credential],
    drift: &'a [Drift],
    lost: &'a [Lost],
}

#[derive(Deserialize)]
struct Recorded {
    execution: Execution,
    plan: Stored,
}

/// A plan that still holds.
struct Holding {
    plan: Plan,
    stored: Stored,
    /// What is left to be done.
    left: Vec<Change>,
    /// When the principal was read.
    at: String,
}

impl Holding {
    /// What of it a person does.
    fn by_hand(&self, groups: bool) -> Vec<Item> {
        let items = self.left.iter().map(|change| change.states.item.clone());
        items.filter(|item| is_by_hand(item, groups)).collect()
    }

    fn next(&self, groups: bool) -> Option<Stage> {
        let left = self.left.iter().map(|change| &change.states);
        let left = left.filter(|states| !is_by_hand(&states.item, groups));
        left.map(|states| self.plan.stage(states)).min()
    }
}

fn is_by_hand(item: &Item, groups: bool) -> bool {
    matches!(item, Item::Group { .. }) && !groups
}

/// Says what is to be done next of a plan, by the principal as it was read. Fails with
/// [`Failure::AccountChanged`] where it is not any more as the plan was made by, or what was given
/// back is gone again; with [`Failure::IncidentMeanwhile`] where an incident has stored evidence
/// since; and as planning does, where no restore is to be.
pub(crate) async fn hold(
    states: &Client,
    bucket: &Bucket,
    applied: Applied,
) -> Result<Held, Failure> {
    let holding = holding(states, bucket, &applied).await?;
    let (next, did) = (holding.next(applied.groups), applied.did);
    if did.is_some() && next.is_some() && next < did {
        let left: Vec<_> = holding.left.iter().map(|one| one.states.item.to_string()).collect();
        let left = listed(&left, 5);
        return Err(Failure::AccountChanged(format!("{left} was given back, and is gone again")));
    }
    Ok(Held { next, again: next.is_some() && next == did, plan: holding.stored })
}

/// Records what was done of a plan, once nothing is left to be done, and so closes the case: what
/// comes after it is another. Done twice, the first record counts.
pub(crate) async fn close(
    states: &Client,
    bucket: &Bucket,
    applied: Applied,
) -> Result<Restored, Failure> {
    let holding = holding(states, bucket, &applied).await?;
    if let Some(next) = holding.next(applied.groups) {
        return Err(Failure::AccountChanged(format!("not all is given back: {next:?}")));
    }
    let by_hand = holding.by_hand(applied.groups);
    let Holding { plan, stored, at, .. } = holding;
    let (by, reason) = (one_line(&applied.by, STATED), one_line(&applied.reason, STATED));
    let given = plan.changes.iter().map(|change| &change.states.item);
    let record = Record {
        schema: FORM,
        execution: &applied.asked.execution,
        at: &at,
        incident: &plan.incident,
        case: plan.case.as_deref(),
        id: &plan.principal.id,
        plan: &stored,
        by: &by,
        reason: &reason,
        disposition: applied.disposition,
        given: given.filter(|item| !by_hand.contains(item)).map(Item::to_string).collect(),
        left_out: LeftOut {
            by_hand: by_hand.iter().map(Item::to_string).collect(),
            inactive: &plan.inactive,
            drift: &plan.drift,
            lost: &plan.lost,
        },
        read_back: &applied.now,
    };
    let key = match &plan.case {
        Some(case) => {
            let folder = folder(&plan.principal.account, &plan.principal.id);
            format!("{folder}{case}/{RESTORED}")
        }
        None => key_of(&plan.principal, &stored.sha256, RESTORED),
    };
    let record = match bucket.create(&key, &canonical(&record)?).await? {
        Some(object) => object.stored,
        None => recorded(&bucket.read(&key).await?, &applied.asked.execution, &stored)?,
    };
    let Applied { asked: Asked { execution, .. }, disposition, .. } = applied;
    let plan = carried(plan);
    Ok(Restored { plan, stored, by_hand, by, reason, disposition, execution, at, record })
}

/// The record that lies there already, if it is of this execution and plan.
fn recorded(object: &Object, by: &Execution, plan: &Stored) -> Result<Stored, Failure> {
    let Recorded { execution, plan: of } = object.document()?;
    if execution != *by || of.sha256 != plan.sha256 {
        let (uri, by) = (&object.stored.uri, execution.arn());
        return Err(nothing(&format!("`{uri}` says that `{by}` has given it back")));
    }
    Ok(object.stored.clone())
}

async fn holding(states: &Client, bucket: &Bucket, applied: &Applied) -> Result<Holding, Failure> {
    for (what, stated) in [("BY", &applied.by), ("REASON", &applied.reason)] {
        if one_line(stated, STATED).is_empty() {
            return Err(Failure::ChoiceUnclear(format!("{what} says nothing")));
        }
    }
    let asked = &applied.asked;
    let reader = Reader { states, bucket, by: &asked.execution, entered: asked.entered()? };
    let history = crate::incident(states, asked).await?;
    let preserved = crate::chosen(&history, asked.principal.as_deref())?;
    let principal = &preserved.principal;
    let (plan, stored) =
        plan_of(bucket, &key_of(principal, &applied.apply, "json"), applied).await?;
    if plan.incident != history.execution || plan.principal.id != principal.id {
        return Err(mismatch(&stored, "it is of another incident or principal"));
    }
    let mut case = Box::pin(reader.read(&history, preserved)).await?;
    if let Some(uri) = since(bucket, &plan, &case.files) {
        return Err(Failure::IncidentMeanwhile(uri));
    }
    let now = reader.present(&applied.now, &principal.id, &asked.execution).await?;
    case.refuse_retired(&now)?;
    let then = reader.present(&plan.evidence.now, &principal.id, &plan.execution).await?;
    let left = incident::restore::hold(&plan, &then, &now)?;
    let left = left.into_iter().cloned().collect();
    Ok(Holding { left, stored, at: now.at, plan })
}

/// The plan that has this digest.
async fn plan_of(
    bucket: &Bucket,
    key: &str,
    Applied { apply, .. }: &Applied,
) -> Result<(Plan, Stored), Failure> {
    let is_digest = apply.len() == 64 && apply.bytes().all(|one| one.is_ascii_hexdigit());
    if !is_digest {
        let said = cut(&one_line(apply, 100), 100);
        return Err(Failure::ChoiceUnclear(format!("`{said}` is no digest of a plan")));
    }
    let named = Stored { uri: bucket.uri(key), version: None, sha256: apply.clone() };
    let object = bucket.read_stored(&named).await.map_err(|failure| match failure {
        Failure::EvidenceUnreadable { source, .. } => Failure::ChoiceUnclear(format!(
            "no plan of this principal has the digest `{apply}`: {source}"
        )),
        other => other,
    })?;
    Ok((document(&object, Plan::SCHEMA)?, object.stored))
}

/// What came to lie in the folder of the principal's cases since the plan, but for the record of
/// this restore.
fn since(bucket: &Bucket, plan: &Plan, files: &[String]) -> Option<String> {
    let known: BTreeSet<&String> = plan.files.iter().collect();
    let own = plan.case.as_ref().map(|case| format!("{case}/{RESTORED}"));
    let new = files.iter().filter(|key| !known.contains(key) && Some(*key) != own.as_ref());
    let folder = folder(&plan.principal.account, &plan.principal.id);
    let new: Vec<_> =
        new.map(|key| format!("`{}`", bucket.uri(&format!("{folder}{key}")))).collect();
    (!new.is_empty()).then(|| listed(&new, 3))
}
