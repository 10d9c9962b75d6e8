//! Every step run twice with the same input: the second time changes nothing.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use harness::MEMBERS;
use harness::alone::Alone;
use harness::evidence::Evidence;
use harness::faults::Strike;
use harness::local_aws::LocalAws;
use harness::steps::Step;
use harness::user::Snapshot;
use serde_json::{Value, json};

use crate::response_policy::amend;
use crate::suspect::{Case, Suspect};
use crate::trials::Trials;

pub(crate) fn add_to(trials: &mut Trials) {
    use Case::{BoundedRole, BoundedUser, FullRole, FullUser, Policy, Role, Unused, User};
    for case in [User, FullUser, BoundedUser, Role, FullRole, BoundedRole, Unused, Policy] {
        let name = format!("{case:?}: every step run twice has changed nothing the second time");
        trials.add(name, async move |aws: &LocalAws| Box::pin(twice(aws, case, true)).await);
    }
    trials.add_alone(
        "observing: every step run twice has changed nothing the second time",
        async |alone: &Alone<'_>| {
            amend(alone, &json!({ "mode": "observe" })).await?;
            Box::pin(twice(alone, Case::User, false)).await
        },
    );
}

/// Time for an execution in which each function is called again.
const LONGEST: Duration = Duration::from_mins(4);

/// All that a step could change.
#[derive(PartialEq)]
struct World {
    principal: Snapshot,
    evidence: Vec<(String, Vec<u8>)>,
    finding: (Option<String>, Option<String>, Value),
}

impl World {
    async fn of(aws: &LocalAws, suspect: &Suspect<'_>) -> Result<Self> {
        let mut evidence: Vec<Evidence> = Vec::new();
        if !suspect.id().is_empty() {
            for kind in ["evidence", "retired", "observed"] {
                let below = format!("{kind}/{}/{}/", suspect.account(), suspect.id());
                evidence.extend(aws.evidence_below(&below).await?);
            }
        }
        let found = aws.in_security_hub(&suspect.finding).await?;
        let status = found.workflow().and_then(|workflow| workflow.status());
        let note = found.note().and_then(|note| note.text());
        Ok(Self {
            principal: suspect.read_back().await?,
            evidence: evidence.into_iter().map(|one| (one.uri, one.bytes)).collect(),
            finding: (
                status.map(ToString::to_string),
                note.map(str::to_owned),
                json!(found.user_defined_fields()),
            ),
        })
    }
}

async fn twice(aws: &LocalAws, case: Case, acting: bool) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], case).await?;
    let execution = aws.execution_to_be();
    // In a row: each function's first answer is lost, so that the machine calls it again.
    let lost = try_join_all(Step::all()?.into_iter().map(|step| {
        aws.fault("lambda:InvokeFunction", Strike::Dropped)
            .caller(execution.name())
            .about(format!("cordon-{}", step.folder))
            .after_it_took_effect()
            .stand()
    }))
    .await?;
    suspect.start(&execution).await?;
    execution.end_within(LONGEST).await?;
    execution.succeeds().await?;
    drop(lost);
    let status = suspect.workflow().await?;
    match case {
        _ if !acting => ensure!(status == "NEW", "the finding is {status}"),
        Case::Policy => ensure!(status == "NOTIFIED", "the finding is {status}"),
        _ => Box::pin(suspect.is_dealt_with(&execution, true)).await?,
    }
    let world = World::of(aws, &suspect).await?;
    let stored = world.evidence.len();
    // Of a containment, what it was and what it was left with; of an observation, what was seen
    // and who has people told of it today.
    let most = if matches!(case, Case::Unused | Case::Policy) { 1 } else { 2 };
    ensure!(stored <= most, "{stored} pieces of evidence are stored");

    // And once more, when all is done.
    let history = execution.history().await?;
    let invocations = history.invocations()?;
    ensure!(invocations.len() >= 4, "only {} invocations", invocations.len());
    for invocation in &invocations {
        let function = invocation["FunctionName"].as_str().unwrap_or_default();
        if matches!(case, Case::FullUser | Case::FullRole) && function.ends_with("quarantine") {
            // Now there is room again, so it would attach the deny beside the boundary.
            continue;
        }
        aws.perform("lambda:invoke", invocation)
            .await
            .with_context(|| format!("`{function}` fails the second time"))?;
        ensure!(
            World::of(aws, &suspect).await? == world,
            "`{function}` has changed something: {:?} became {:?}",
            world.principal,
            suspect.read_back().await?
        );
    }
    Ok(())
}
