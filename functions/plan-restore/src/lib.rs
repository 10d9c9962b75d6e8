//! Plans what a restore would give back: by the history of the incident's own execution, by the
//! evidence that it names, and by the principal as it is now. Changes nothing in any account.

mod case;
mod history;

use aws_sdk_sfn::Client;
use bucket::Bucket;
use bucket::schema::canonical;
use incident::restore::{Choice, Now, Plan, Sources, compare};
use incident::{Execution, Failure, Principal, Stored, cut};
use serde::{Deserialize, Serialize};

use case::{Case, Reader, mismatch};
use history::{History, Preserved};

/// The machine whose executions are taken back.
const MACHINE: &str = "cordon-incident-response";

const NOW: &str = "cordon/now/1";

/// So many bytes of a plan the state machine carries: with all that is around it, twice, a state
/// has 256 KiB.
///
/// Source: Step Functions Developer Guide, "Service quotas".
const LARGEST: usize = 100 * 1024;

/// So many characters of a text are left where a plan has more bytes than that.
const TEXT: usize = 300;

/// The step's input.
#[derive(Debug, Deserialize)]
#[serde(tag = "purpose", rename_all = "camelCase")]
pub enum Input {
    /// Whom the incident is about is asked, and what it had.
    Find(Asked),
    /// What a restore would do.
    Plan(Chosen),
}

/// Which incident is to be taken back.
#[derive(Debug, Deserialize)]
pub struct Asked {
    /// The ARN of the execution that plans.
    execution: Execution,
    /// The ARN of the incident's execution, as a person gives it.
    incident: String,
    /// Whom, where the incident has several: a unique id, an ARN or a name.
    principal: Option<String>,
}

/// What a restore is planned by.
#[derive(Debug, Deserialize)]
pub struct Chosen {
    /// Which incident.
    #[serde(flatten)]
    asked: Asked,
    /// Names of items that have drifted and are to become as before.
    accept: Vec<String>,
    /// Ids of credentials that are to be active again.
    activate: Vec<String>,
    /// How often the execution was redriven.
    pass: u32,
    /// Where the principal lies as it is now.
    now: Stored,
}

/// The step's output.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Output {
    /// Whom, and what it had.
    Found {
        /// The principal, as the incident identified it.
        principal: Principal,
        /// Names of its groups.
        groups: Vec<String>,
        /// ARNs of the policies that it and its groups had.
        policies: Vec<String>,
    },
    /// The plan, and where it lies.
    Planned {
        /// The plan; of a large one a copy with long texts cut.
        plan: Box<Plan>,
        /// Where it lies whole. Its SHA-256 is the plan's digest.
        stored: Stored,
    },
}

/// Says whom an incident is about, or plans its restore and stores the plan, once for each pass:
/// what a retry finds stored by its own pass, it returns.
///
/// Fails with [`Failure::IncidentForeign`] for an execution of another machine or account, with
/// [`Failure::NothingToRestore`] where it has stored no evidence, or its history is gone; with
/// [`Failure::IncidentPending`] and [`Failure::CaseNotNewest`] where a restore is not to be; with
/// [`Failure::EvidenceMismatch`] where the evidence is not what the history says; and with
/// [`Failure::ChoiceUnclear`] where a person has to choose otherwise.
pub async fn plan_restore(
    states: &Client,
    bucket: &Bucket,
    input: Input,
) -> Result<Output, Failure> {
    let reader = Reader { states, bucket };
    match input {
        Input::Find(asked) => {
            let history = incident(states, &asked).await?;
            let preserved = chosen(&history, asked.principal.as_deref())?;
            let Case { past, .. } = Box::pin(reader.read(&history, preserved)).await?;
            let (groups, policies) = past.behind();
            Ok(Output::Found { principal: preserved.principal.clone(), groups, policies })
        }
        Input::Plan(chosen) => Box::pin(plan(&reader, chosen)).await,
    }
}

async fn plan(reader: &Reader<'_>, chosen: Chosen) -> Result<Output, Failure> {
    let Chosen { asked, accept, activate, pass, now } = chosen;
    let history = incident(reader.states, &asked).await?;
    let preserved = self::chosen(&history, asked.principal.as_deref())?;
    let Case { past, left, shown } = Box::pin(reader.read(&history, preserved)).await?;
    let present: Now = reader.document(&now, NOW).await?;
    let principal = &preserved.principal;
    if present.principal.id != principal.id || present.execution != asked.execution {
        return Err(mismatch(&now, "it is of another principal or execution"));
    }
    let choice =
        Choice { accept: accept.into_iter().collect(), activate: activate.into_iter().collect() };
    let compared = compare(&past, &present, &choice)?;
    let finding = history.finding.clone();
    let finding = finding.ok_or_else(|| nothing("the execution has judged no finding"))?;
    let is = present.principal;
    let plan = Plan {
        schema: Plan::SCHEMA.to_owned(),
        execution: asked.execution,
        at: present.at,
        incident: history.execution.clone(),
        finding,
        case: past.original.case.clone(),
        principal: Principal { arn: is.arn, name: is.name, path: is.path, ..principal.clone() },
        evidence: Sources { original: past.at, left, now },
        changes: compared.changes,
        inactive: compared.inactive,
        drift: compared.drift,
        kept: compared.kept,
        lost: compared.lost,
        shown: [shown, compared.shown].concat(),
        cut: false,
    };
    let (plan, stored) = store(reader.bucket, plan, pass).await?;
    Ok(Output::Planned { plan: Box::new(carried(plan)), stored })
}

/// Stores the plan. What a former attempt of this pass has stored is the plan.
async fn store(bucket: &Bucket, plan: Plan, pass: u32) -> Result<(Plan, Stored), Failure> {
    let Principal { account, id, .. } = &plan.principal;
    let key = format!("plans/{account}/{id}/{}-{pass}.json", plan.execution.name());
    if let Some(object) = bucket.create(&key, &canonical(&plan)?).await? {
        return Ok((plan, object.stored));
    }
    let object = bucket.read(&key).await?;
    let stored: Plan = object.document()?;
    let same = stored.schema == Plan::SCHEMA
        && stored.execution == plan.execution
        && stored.evidence.now == plan.evidence.now;
    if !same {
        return Err(mismatch(&object.stored, "it is another execution's plan"));
    }
    Ok((stored, object.stored))
}

/// The plan as a state can carry it.
fn carried(mut plan: Plan) -> Plan {
    let size = |plan: &Plan| serde_json::to_vec(plan).map_or(usize::MAX, |json| json.len());
    if size(&plan) > LARGEST {
        plan.cut = true;
        plan.each_text(|text| *text = cut(text, TEXT));
    }
    plan
}

/// The history of the incident that a person names.
async fn incident(states: &Client, asked: &Asked) -> Result<History, Failure> {
    let foreign = |_| Failure::IncidentForeign(cut(&asked.incident, 200));
    let incident = Execution::try_from(asked.incident.clone()).map_err(foreign)?;
    let same_place = |one: &Execution| {
        (one.partition().to_owned(), one.region().to_owned(), one.account().clone())
    };
    if same_place(&incident) != same_place(&asked.execution) || incident.machine() != MACHINE {
        return Err(foreign(String::new()));
    }
    match history::read(states, &incident).await {
        Err(Failure::NotFound { .. }) => Err(nothing(
            "Step Functions does not know the execution, whose history it keeps for 90 days",
        )),
        read => read,
    }
}

/// Whom a person means of those whose evidence an incident has stored.
fn chosen<'a>(history: &'a History, wanted: Option<&str>) -> Result<&'a Preserved, Failure> {
    let named = |one: &&Preserved| {
        let Principal { id, arn, name, .. } = &one.principal;
        wanted.is_none_or(|wanted| [id, arn, name].iter().any(|known| *known == wanted))
    };
    let found: Vec<&Preserved> = history.preserved.iter().filter(named).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] if history.preserved.is_empty() => {
            Err(nothing("the execution has stored no evidence of anybody to be contained"))
        }
        several => {
            let all = if several.is_empty() { &history.preserved.iter().collect() } else { &found };
            let ids: Vec<_> = all
                .iter()
                .map(|one| format!("`{}` ({})", one.principal.id, one.principal.arn))
                .collect();
            Err(Failure::ChoiceUnclear(format!("name one of {}", incident::listed(&ids, 5))))
        }
    }
}

fn nothing(why: &str) -> Failure {
    Failure::NothingToRestore(why.to_owned())
}
