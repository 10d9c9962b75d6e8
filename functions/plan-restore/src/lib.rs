//! Plans what a restore would give back: by the history of the incident's own execution, by the
//! evidence that it names, and by the principal as it is now. Holds a restore that is carried out
//! to its plan, and closes the case after it. Changes nothing in any account.

mod apply;
mod case;
mod history;
mod pending;

use aws_sdk_sfn::Client;
use aws_sdk_sfn::primitives::{DateTime, DateTimeFormat};
use bucket::Bucket;
use bucket::schema::canonical;
use incident::restore::{Choice, Finding, Plan, Restored, Shown, Sources, Text, compare};
use incident::{Execution, Failure, Principal, Stored, cut, hex_digest, listed};
use serde::{Deserialize, Serialize};

pub use apply::{Applied, Held};
use case::{Case, Reader, mismatch};
use history::{History, Preserved};

/// The machine whose executions are taken back.
const MACHINE: &str = "cordon-incident-response";

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
    /// Whether the principal still is as a plan was made by, and what is to be done next.
    Hold(Applied),
    /// The plan is carried out: what was done is recorded, and the case is closed.
    Close(Applied),
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
    /// When this pass entered the step (RFC 3339).
    #[serde(default)]
    entered: Option<String>,
}

impl Asked {
    fn entered(&self) -> Result<Option<DateTime>, Failure> {
        let Some(entered) = &self.entered else { return Ok(None) };
        let time = DateTime::from_str(entered, DateTimeFormat::DateTime);
        time.map(Some).map_err(|error| Failure::InvalidInput(format!("`{entered}`: {error}")))
    }
}

/// What a restore is planned by.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chosen {
    /// Which incident.
    #[serde(flatten)]
    asked: Asked,
    /// Names of items that have drifted and are to become as before.
    accept: Vec<String>,
    /// Ids of credentials that are to be active again.
    activate: Vec<String>,
    /// Where the principal lies as it is now.
    now: Stored,
    /// Where the finding says that evidence lies. Hostile.
    finding_says: Vec<String>,
}

/// The step's output.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Output {
    /// Whom, and what it had.
    Found {
        /// The finding, as the incident judged it.
        finding: Finding,
        /// The principal, as the incident identified it.
        principal: Box<Principal>,
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
    /// What is to be done next of a plan that still holds.
    Held(Held),
    /// What was done.
    Closed(Box<Restored>),
}

/// Says whom an incident is about; plans its restore, and stores the plan under its digest; holds
/// a restore to its plan; or closes the case. A repetition finds stored what it would store.
///
/// Fails with [`Failure::IncidentForeign`] for an execution of another machine or account, with
/// [`Failure::NothingToRestore`] where it has stored no evidence, or its history is gone; with
/// [`Failure::IncidentPending`] and [`Failure::CaseNotNewest`] where a restore is not to be; with
/// [`Failure::EvidenceMismatch`] where the evidence is not what the history says; with
/// [`Failure::ChoiceUnclear`] where a person has to choose otherwise; and with
/// [`Failure::AccountChanged`], [`Failure::CredentialMadeSince`] or
/// [`Failure::IncidentMeanwhile`] where a plan does not hold any more.
pub async fn plan_restore(
    states: &Client,
    bucket: &Bucket,
    input: Input,
) -> Result<Output, Failure> {
    match input {
        Input::Find(asked) => {
            let reader = Reader { states, bucket, by: &asked.execution, entered: asked.entered()? };
            let history = incident(states, &asked).await?;
            let preserved = chosen(&history, asked.principal.as_deref())?;
            let Case { past, .. } = Box::pin(reader.read(&history, preserved)).await?;
            let (groups, policies) = past.behind();
            let (finding, principal) = (judged(&history)?, preserved.principal.clone());
            Ok(Output::Found { finding, principal: Box::new(principal), groups, policies })
        }
        Input::Plan(chosen) => Box::pin(plan(states, bucket, chosen)).await,
        Input::Hold(applied) => {
            Box::pin(apply::hold(states, bucket, applied)).await.map(Output::Held)
        }
        Input::Close(applied) => {
            let closed = Box::pin(apply::close(states, bucket, applied)).await?;
            Ok(Output::Closed(Box::new(closed)))
        }
    }
}

async fn plan(states: &Client, bucket: &Bucket, chosen: Chosen) -> Result<Output, Failure> {
    let Chosen { asked, accept, activate, now, finding_says } = chosen;
    let reader = Reader { states, bucket, by: &asked.execution, entered: asked.entered()? };
    let history = incident(states, &asked).await?;
    let preserved = self::chosen(&history, asked.principal.as_deref())?;
    let mut case = Box::pin(reader.read(&history, preserved)).await?;
    let principal = &preserved.principal;
    let present = reader.present(&now, &principal.id, &asked.execution).await?;
    case.refuse_retired(&present)?;
    let Case { past, left, files, mut shown, .. } = case;
    // A finding about several principals may name the evidence of one alone.
    let is_known =
        |says: &String| history.preserved.iter().any(|one| one.evidence.original.uri == *says);
    if !finding_says.iter().all(is_known) && !finding_says.contains(&past.at.uri) {
        let says = cut(&listed(&finding_says, 3), TEXT);
        shown.push(Shown::FindingDiffers { says });
    }
    let choice =
        Choice { accept: accept.into_iter().collect(), activate: activate.into_iter().collect() };
    let compared = compare(&past, &present, &choice)?;
    let finding = judged(&history)?;
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
        files,
        changes: compared.changes,
        inactive: compared.inactive,
        drift: compared.drift,
        kept: compared.kept,
        lost: compared.lost,
        shown: [shown, compared.shown].concat(),
        makes_room: compared.makes_room,
        cut: false,
    };
    let stored = store(bucket, &plan).await?;
    Ok(Output::Planned { plan: Box::new(carried(plan)), stored })
}

/// Stores the plan under its own digest, by which a person names it.
async fn store(bucket: &Bucket, plan: &Plan) -> Result<Stored, Failure> {
    let bytes = canonical(plan)?;
    let digest = hex_digest(&bytes);
    let key = key_of(&plan.principal, &digest, "json");
    if let Some(object) = bucket.create(&key, &bytes).await? {
        return Ok(object.stored);
    }
    let object = bucket.read(&key).await?;
    if object.stored.sha256 != digest {
        return Err(mismatch(&object.stored, "it is no plan"));
    }
    Ok(object.stored)
}

/// Where what belongs to a plan of the principal lies.
fn key_of(principal: &Principal, digest: &str, end: &str) -> String {
    format!("plans/{}/{}/{digest}.{end}", principal.account, principal.id)
}

/// The plan as a state can carry it.
fn carried(mut plan: Plan) -> Plan {
    let size = |plan: &Plan| serde_json::to_vec(plan).map_or(usize::MAX, |json| json.len());
    for kind in Text::ALL {
        if size(&plan) > LARGEST {
            plan.cut = true;
            plan.each_text(kind, |text| *text = cut(text, TEXT));
        }
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
            Err(Failure::ChoiceUnclear(format!("name one of {}", listed(&ids, 5))))
        }
    }
}

fn judged(history: &History) -> Result<Finding, Failure> {
    history.finding.clone().ok_or_else(|| nothing("the execution has judged no finding"))
}

fn nothing(why: &str) -> Failure {
    Failure::NothingToRestore(why.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use incident::hex_digest;
    use serde_json::{Value, json};
    use wire::{HttpResponse, Rule, eve, mock, respond};

    use super::*;

    pub(crate) const ORIGINAL: &str = "evidence/222222222222/AIDAEVE/0001/original.json";

    fn planning() -> Execution {
        let arn = "arn:aws:states:us-east-1:111111111111:execution:cordon-restore:plan";
        Execution::try_from(arn.to_owned()).unwrap()
    }

    /// The principal as its case found it.
    pub(crate) fn original() -> Value {
        let time = "2026-01-01T00:00:00Z";
        json!({
            "schema": "cordon/evidence/2", "case": "0001", "finding": {},
            "incident": {
                "execution": wire::execution(), "pass": 0, "started": time, "entered": time,
                "reach": { "id": "AIDAEVE", "since": time, "deniedBefore": null, "boundary": null },
            },
            "principal": {
                "kind": "User", "arn": eve().arn, "name": "eve", "path": "/", "id": "AIDAEVE",
                "created": time, "passwordLastUsed": null, "boundary": null, "tags": {},
                "attachedPolicies": ["arn:aws:iam::aws:policy/a"], "customerPolicies": {},
                "inlinePolicies": [], "trustPolicy": null, "instanceProfiles": [],
                "groups": [{ "name": "g", "attachedPolicies": [], "inlinePolicies": [] }],
                "credentials": [], "loginProfile": null, "mfaDevices": [], "assumableRoles": [],
            },
            "added": { "policies": [], "boundary": false, "tags": [] },
            "boundaryBefore": "arn:aws:iam::222222222222:policy/b", "deniedBefore": null,
            "quarantine": null,
        })
    }

    fn stored(document: &Value) -> Value {
        stored_at(ORIGINAL, document)
    }

    fn stored_at(key: &str, document: &Value) -> Value {
        let sha256 = hex_digest(document.to_string().as_bytes());
        json!({ "uri": format!("s3://b/{key}"), "version": "v1", "sha256": sha256 })
    }

    /// The history of an incident that has stored the evidence of these principals.
    fn history(of: &[Principal], document: &Value) -> Vec<Value> {
        history_at(ORIGINAL, of, document)
    }

    pub(crate) fn history_at(key: &str, of: &[Principal], document: &Value) -> Vec<Value> {
        let names = json!({ "first": [], "more": 0 });
        let had = json!({
            "credentials": names, "policies": names, "inlinePolicies": names, "groups": names,
        });
        let stored = stored_at(key, document);
        let case = if key == ORIGINAL { &json!("0001") } else { &document["case"] };
        let evidence = json!({
            "case": case, "original": stored, "snapshot": stored, "had": had,
            "held": { "managedPolicies": [], "inlinePolicies": [], "groups": [] },
            "proof": {
                "case": case, "original": "", "sha256": "", "snapshot": "", "snapshotSha256": "",
                "assumableRoles": names, "told": [],
            },
        });
        let finding = json!({ "finding": {
            "id": "finding", "title": "t", "severity": "HIGH", "account": "222222222222",
        }});
        let preserved = of.iter().map(|it| ("Preserve", json!({ "principal": it }), &evidence));
        let answered = std::iter::once(("Classify", json!({}), &finding)).chain(preserved);
        let events = answered.zip(0..).flat_map(|((state, asked, answer), n)| {
            let lambda = |field: &str, payload: &Value| {
                let text = json!({ "Payload": payload }).to_string();
                json!({ "resourceType": "lambda", "resource": "invoke", "region": "r", field: text })
            };
            let event = |id: i64, kind: &str, details: &str, value: Value| {
                let (id, before) = (n * 3 + id, n * 3 + id - 1);
                json!({
                    "id": id, "previousEventId": before, "timestamp": 0, "type": kind,
                    details: value,
                })
            };
            let (asked, answer) = (lambda("parameters", &asked), lambda("output", answer));
            [
                event(1, "TaskStateEntered", "stateEnteredEventDetails", json!({ "name": state })),
                event(2, "TaskScheduled", "taskScheduledEventDetails", asked),
                event(3, "TaskSucceeded", "taskSucceededEventDetails", answer),
            ]
        });
        events.collect()
    }

    fn knows(events: &[Value]) -> Rule {
        knows_of(wire::execution(), events)
    }

    pub(crate) fn knows_of(execution: Execution, events: &[Value]) -> Rule {
        let page = json!({ "events": events }).to_string();
        mock!(Client::get_execution_history)
            .match_requests(move |get| get.execution_arn() == Some(execution.arn()))
            .then_http_response(move || respond(200, &page))
    }

    pub(crate) fn described(status: &'static str, redrive: &'static str) -> Rule {
        mock!(Client::describe_execution).then_http_response(move || {
            let described = json!({
                "executionArn": wire::execution(), "stateMachineArn": "m", "startDate": 0,
                "status": status, "redriveStatus": redrive,
            });
            respond(200, &described.to_string())
        })
    }

    /// No other execution runs or has failed.
    pub(crate) fn alone() -> Rule {
        mock!(Client::list_executions)
            .then_http_response(|| respond(200, &json!({ "executions": [] }).to_string()))
    }

    pub(crate) fn holds(keys: &'static [&'static str]) -> Rule {
        mock!(aws_sdk_s3::Client::list_objects_v2).then_http_response(move || {
            let contents = keys.iter().map(|key| format!("<Contents><Key>{key}</Key></Contents>"));
            respond(
                200,
                &format!("<ListBucketResult>{}</ListBucketResult>", contents.collect::<String>()),
            )
        })
    }

    fn has(document: &Value) -> Rule {
        has_at(ORIGINAL, document)
    }

    pub(crate) fn has_at(key: &'static str, document: &Value) -> Rule {
        let bytes = document.to_string();
        let object = move || -> HttpResponse {
            let mut object = respond(200, &bytes);
            object.headers_mut().insert("x-amz-version-id", "v1");
            object
        };
        mock!(aws_sdk_s3::Client::get_object)
            .match_requests(move |get| {
                get.key() == Some(key) && get.version_id().is_none_or(|it| it == "v1")
            })
            .then_http_response(object)
    }

    async fn find(
        incident: &str,
        principal: Option<&str>,
        of_states: &[&Rule],
        of_bucket: &[&Rule],
    ) -> Result<Output, Failure> {
        let asked = Asked {
            execution: planning(),
            incident: incident.to_owned(),
            principal: principal.map(str::to_owned),
            entered: Some("2026-01-02T00:00:00.123Z".to_owned()),
        };
        let bucket = Bucket::new(wire::s3(of_bucket), "b".into());
        let alone = alone();
        let states = wire::states(&[of_states, &[&alone]].concat());
        plan_restore(&states, &bucket, Input::Find(asked)).await
    }

    async fn name_of(
        incident: &str,
        principal: Option<&str>,
        of_states: &[&Rule],
        of_bucket: &[&Rule],
    ) -> &'static str {
        find(incident, principal, of_states, of_bucket).await.unwrap_err().name()
    }

    #[tokio::test]
    async fn whom_an_incident_is_about_its_history_and_the_very_evidence_say() {
        let document = original();
        let rules =
            [&knows(&history(&[eve()], &document)), &described("SUCCEEDED", "NOT_REDRIVABLE")];
        let case = [&holds(&[ORIGINAL]), &has(&document)];
        for wanted in [None, Some("eve"), Some("AIDAEVE"), Some(eve().arn.as_str())] {
            let found = find(wire::execution().arn(), wanted, &rules, &case).await.unwrap();
            let Output::Found { principal, groups, policies, .. } = found else { panic!() };
            assert_eq!((*principal, groups), (eve(), vec!["g".to_owned()]));
            // And what stands behind the boundary that was there before.
            let expected = ["arn:aws:iam::222222222222:policy/b", "arn:aws:iam::aws:policy/a"];
            assert_eq!(policies, expected);
        }
    }

    #[tokio::test]
    async fn what_is_no_execution_of_our_machine_is_asked_for_nothing() {
        let own = wire::execution().arn().to_owned();
        for foreign in [
            "",
            "incident",
            &own.replace("cordon-incident-response", "other"),
            &own.replace("111111111111", "222222222222"),
            &own.replace("us-east-1", "us-east-2"),
            &own.replace("arn:aws:", "arn:aws-cn:"),
        ] {
            assert_eq!(name_of(foreign, None, &[], &[]).await, "IncidentForeign", "{foreign}");
        }
    }

    #[tokio::test]
    async fn what_has_stored_no_evidence_or_is_forgotten_gives_nothing_back() {
        let gone = mock!(Client::get_execution_history).then_http_response(|| {
            respond(400, &json!({ "__type": "ExecutionDoesNotExist" }).to_string())
        });
        let nobody = knows(&history(&[], &original()));
        for rule in [&gone, &nobody] {
            let name = name_of(wire::execution().arn(), None, &[rule], &[]).await;
            assert_eq!(name, "NothingToRestore");
        }
    }

    #[tokio::test]
    async fn of_several_a_person_names_one() {
        let other = Principal { id: "AIDAADAM".into(), name: "adam".into(), ..eve() };
        let rule = knows(&history(&[eve(), other], &original()));
        for wanted in [None, Some("nobody")] {
            let failure = find(wire::execution().arn(), wanted, &[&rule], &[]).await.unwrap_err();
            assert_eq!(failure.name(), "ChoiceUnclear");
            let said = failure.chain();
            assert!(said.contains("AIDAEVE") && said.contains("AIDAADAM"), "{said}");
        }
    }

    #[tokio::test]
    async fn nothing_is_planned_while_the_principal_may_be_contained_again() {
        for (status, redrive) in [
            ("RUNNING", "NOT_REDRIVABLE"),
            ("PENDING_REDRIVE", "NOT_REDRIVABLE"),
            ("FAILED", "REDRIVABLE"),
            ("ABORTED", "REDRIVABLE"),
            ("TIMED_OUT", "REDRIVABLE"),
        ] {
            let rules = [&knows(&history(&[eve()], &original())), &described(status, redrive)];
            let name = name_of(wire::execution().arn(), None, &rules, &[]).await;
            assert_eq!(name, "IncidentPending", "{status}");
        }
    }

    #[tokio::test]
    async fn evidence_that_is_not_what_the_history_says_ends_it() {
        let truth = original();
        let mut other = truth.clone();
        other["principal"]["id"] = json!("AIDAADAM");
        // Of the same principal and case, in the same form, with more than it had.
        let mut with_more = truth.clone();
        with_more["principal"]["attachedPolicies"] = json!(["arn:aws:iam::aws:policy/More"]);
        let mut of_another_case = truth.clone();
        of_another_case["case"] = json!("0002");
        let mut formless = truth.clone();
        formless["principal"]["rights"] = json!("all");
        let mut of_another_form = truth.clone();
        of_another_form["schema"] = json!("cordon/now/1");
        for (told, lies) in [
            (&truth, &with_more),
            (&truth, &other),
            (&other, &other),
            (&of_another_case, &of_another_case),
            (&formless, &formless),
            (&of_another_form, &of_another_form),
        ] {
            let rules =
                [&knows(&history(&[eve()], told)), &described("SUCCEEDED", "NOT_REDRIVABLE")];
            let case = [&holds(&[ORIGINAL]), &has(lies)];
            let name = name_of(wire::execution().arn(), None, &rules, &case).await;
            assert_eq!(name, "EvidenceMismatch", "{told} {lies}");
        }
    }

    #[tokio::test]
    async fn an_older_case_and_one_that_was_given_back_are_refused() {
        let document = original();
        let rules =
            [&knows(&history(&[eve()], &document)), &described("SUCCEEDED", "NOT_REDRIVABLE")];
        let next = "evidence/222222222222/AIDAEVE/0002/original.json";
        let restored = "evidence/222222222222/AIDAEVE/0001/restored.json";
        let beyond = "evidence/222222222222/AIDAEVE/0003/original.json";
        let (own, other) = (planning(), wire::execution());
        for (keys, by, expected) in [
            (&[ORIGINAL, next][..], &other, Some("CaseNotNewest")),
            (&[ORIGINAL, restored], &other, Some("NothingToRestore")),
            // Closed by this very execution, which was redriven.
            (&[ORIGINAL, restored], &own, None),
            // Planted, lest this one be the newest.
            (&[ORIGINAL, beyond], &other, None),
        ] {
            let closed = json!({ "execution": by }).to_string();
            let closed = mock!(aws_sdk_s3::Client::get_object)
                .match_requests(move |get| get.key() == Some(restored))
                .then_http_response(move || respond(200, &closed));
            let keys: &'static [&'static str] = Box::leak(keys.to_vec().into_boxed_slice());
            let case = [&holds(keys), &has(&document), &closed];
            let found = find(wire::execution().arn(), None, &rules, &case).await;
            assert_eq!(found.err().map(|failure| failure.name()), expected, "{keys:?}");
        }
    }

    #[test]
    fn a_plan_that_a_state_can_not_carry_is_cut_and_what_is_given_back_last() {
        let text = |length: usize| "x".repeat(length);
        let stored = stored(&json!({}));
        let plan = |before: usize, now: usize, told: usize| -> Plan {
            let inline = |before, now| {
                json!({
                    "item": { "type": "inline", "name": "p" }, "before": text(before), "left": null,
                    "now": text(now), "accepted": true, "why": "changed",
                })
            };
            let version = json!({ "version": "v1", "document": text(told) });
            serde_json::from_value(json!({
                "schema": Plan::SCHEMA, "execution": planning(), "at": "t",
                "incident": wire::execution(), "case": "0001", "principal": eve(),
                "finding": { "id": "", "title": "", "severity": "", "account": "" },
                "evidence": { "original": stored, "left": null, "now": stored }, "files": [],
                "changes": [inline(before, now)], "inactive": [], "drift": [inline(told, told)],
                "kept": [],
                "lost": [
                    { "type": "policyChanged", "arn": "a", "before": version, "now": version },
                    { "type": "trustChanged", "before": text(told), "now": null },
                ],
                "shown": [],
            }))
            .unwrap()
        };
        let small = plan(1_000, 1_000, 1_000);
        assert_eq!(carried(small.clone()), small);
        let part = LARGEST / 3;
        for (sizes, lengths) in [
            ((part, part, part), [part, part, TEXT]),
            ((part, LARGEST, 0), [part, TEXT, 0]),
            ((LARGEST, part, part), [TEXT, TEXT, TEXT]),
        ] {
            let cut = carried(plan(sizes.0, sizes.1, sizes.2));
            assert!(cut.cut && serde_json::to_vec(&cut).unwrap().len() <= LARGEST);
            let length = |text: &Option<String>| text.as_ref().unwrap().chars().count();
            let (change, drift) = (&cut.changes[0].states, &cut.drift[0].states);
            let of = [&change.before, &change.now, &drift.now];
            assert_eq!(of.map(length), lengths, "{sizes:?}");
            let told = serde_json::to_value(&cut.lost).unwrap();
            let told = [&told[0]["before"]["document"], &told[1]["before"]];
            assert!(told.iter().all(|it| it.as_str().unwrap().chars().count() == lengths[2]));
        }
    }
}
