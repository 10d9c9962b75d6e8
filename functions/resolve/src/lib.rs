//! Writes the outcome to the finding: its workflow status, a note for people, and
//! fields that lead to the execution and the evidence.

use std::collections::HashMap;

use aws_calls::{SdkConfig, failure};
use aws_sdk_securityhub::Client;
use aws_sdk_securityhub::operation::batch_update_findings::BatchUpdateFindingsOutput;
use aws_sdk_securityhub::operation::batch_update_findings::builders::BatchUpdateFindingsFluentBuilder;
use aws_sdk_securityhub::types::{
    AwsSecurityFindingIdentifier, NoteUpdate, WorkflowStatus, WorkflowUpdate,
};
use incident::{DenyBy, Execution, Failure, Found, Kind, cut, one_line};
use serde::{Deserialize, Serialize};

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    execution: Execution,
    finding: Finding,
    workflow: Workflow,
    /// Why nothing was done, where nothing was.
    reason: Option<String>,
    outcomes: Vec<Outcome>,
}

/// The finding's identity, as Security Hub gave it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    id: String,
    product_arn: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Workflow {
    Notified,
    Resolved,
}

/// How it ended for one principal.
#[derive(Debug, Deserialize)]
struct Outcome {
    /// What the finding calls it.
    resource: String,
    /// The principal as its account knows it, where it was identified.
    #[serde(default)]
    principal: Option<Identified>,
    #[serde(rename = "outcome")]
    state: State,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    denied: Option<DenyBy>,
    #[serde(default)]
    evidence: Option<Kept>,
    /// What it has lost since the original evidence, by whatever execution.
    #[serde(default)]
    taken: Found,
    #[serde(default)]
    tagged: bool,
}

/// Of the principal what the finding is told: outcomes are small, since an execution
/// carries those of up to 32 principals at once.
#[derive(Debug, Deserialize)]
struct Identified {
    arn: String,
    kind: Kind,
    name: String,
}

/// Where the evidence of its case lies, and beside it this incident's own.
#[derive(Debug, Deserialize)]
struct Kept {
    original: Original,
    snapshot: Snapshot,
}

#[derive(Debug, Deserialize)]
struct Original {
    uri: String,
    sha256: String,
}

#[derive(Debug, Deserialize)]
struct Snapshot {
    name: String,
    sha256: String,
}

impl Kept {
    /// For a note, which has no room for two URIs.
    fn describe(&self) -> String {
        let Self { original, snapshot } = self;
        if self.snapshot_uri() == original.uri {
            return format!(" Evidence: {}.", original.uri);
        }
        format!(" Evidence: {}, and beside it of this incident {}.", original.uri, snapshot.name)
    }

    fn snapshot_uri(&self) -> String {
        let folder = self.original.uri.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/{}", self.snapshot.name)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum State {
    Contained,
    /// Its unused access keys are inactive; no more was to be done.
    Retired,
    Escalated,
    Pending,
}

/// The step's output.
#[derive(Debug, Serialize)]
pub struct Output {
    /// The note, as the finding carries it now; none, where it is too large to take one.
    note: Option<String>,
}

/// The function's client of Security Hub.
#[must_use]
pub fn client(config: &SdkConfig) -> Client {
    Client::new(config)
}

/// Updates the finding, by its own `Id` and `ProductArn`. It becomes RESOLVED only with
/// at least one principal, and all of them contained: anything else fails with
/// [`Failure::InvalidInput`]. A finding that Security Hub leaves unprocessed fails with
/// [`Failure::FindingBusy`] or [`Failure::FindingNotUpdated`], one that it does not know
/// with [`Failure::FindingNotFound`]; one without room for note and fields gets the
/// workflow status alone. Done twice, the finding is the same.
///
/// Source: Security Hub API Reference, `BatchUpdateFindings`.
pub async fn resolve(hub: &Client, input: Input) -> Result<Output, Failure> {
    let done = |one: &Outcome| matches!(one.state, State::Contained | State::Retired);
    let all_done = !input.outcomes.is_empty() && input.outcomes.iter().all(done);
    if input.workflow == Workflow::Resolved && !all_done {
        return Err(Failure::InvalidInput("only what is contained is resolved".to_owned()));
    }
    let note = note(&input);
    let finding = AwsSecurityFindingIdentifier::builder()
        .id(&input.finding.id)
        .product_arn(&input.finding.product_arn)
        .build();
    let status = match input.workflow {
        Workflow::Notified => WorkflowStatus::Notified,
        Workflow::Resolved => WorkflowStatus::Resolved,
    };
    let update = hub
        .batch_update_findings()
        .finding_identifiers(finding)
        .workflow(WorkflowUpdate::builder().status(status).build());
    let explained = update
        .clone()
        .note(NoteUpdate::builder().text(&note).updated_by("cordon").build())
        .set_user_defined_fields(Some(fields(&input)));
    let answer = send(explained).await?;
    if left_out(&answer).is_some_and(|(code, _)| code == "FindingSizeExceeded") {
        processed(&send(update).await?)?;
        return Ok(Output { note: None });
    }
    processed(&answer)?;
    Ok(Output { note: Some(note) })
}

async fn send(
    update: BatchUpdateFindingsFluentBuilder,
) -> Result<BatchUpdateFindingsOutput, Failure> {
    update.send().await.map_err(|error| failure("securityhub:BatchUpdateFindings", error))
}

/// An answer of 200 may still say that the finding was left out, and why.
fn left_out(answer: &BatchUpdateFindingsOutput) -> Option<(&str, &str)> {
    let left_out = answer.unprocessed_findings().first()?;
    let code = left_out.error_code().unwrap_or("no error code");
    Some((code, left_out.error_message().unwrap_or("no message")))
}

fn processed(answer: &BatchUpdateFindingsOutput) -> Result<(), Failure> {
    if let Some((code, message)) = left_out(answer) {
        let why = format!("{code}: {message}");
        return Err(match code {
            "ConcurrentUpdateError" | "InternalFailure" => Failure::FindingBusy(why),
            "FindingNotFound" => Failure::FindingNotFound,
            _ => Failure::FindingNotUpdated(why),
        });
    }
    if answer.processed_findings().is_empty() {
        return Err(Failure::FindingNotUpdated("Security Hub says nothing of it".to_owned()));
    }
    Ok(())
}

/// At most 512 characters, the most that a note takes.
fn note(input: &Input) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts
        .extend(input.reason.as_ref().map(|reason| format!("Not contained by machine: {reason}.")));
    parts.extend(input.outcomes.iter().map(describe));
    if input.workflow == Workflow::Notified {
        parts.push("People were told.".to_owned());
    }
    let end = format!("Execution {}.", input.execution.name());
    let text = one_line(&parts.join(" "), 511 - end.chars().count());
    format!("{text} {end}")
}

fn describe(one: &Outcome) -> String {
    let who = match &one.principal {
        Some(principal) => format!("{} {}", principal.kind.noun(), principal.name),
        None => cut(&one.resource, 150),
    };
    let Found { credentials, policies, inline_policies, groups } = one.taken;
    let tags = if one.tagged { "" } else { " It has no room for tags." };
    let evidence = one.evidence.as_ref().map(Kept::describe).unwrap_or_default();
    match one.state {
        State::Contained => {
            let deny = match one.denied {
                Some(DenyBy::Boundary) => "AWSDenyAll as permissions boundary",
                _ => "AWSDenyAll attached",
            };
            format!(
                "{who} is contained, as read back: {deny}; {credentials} credentials deactivated, \
                 {policies} policies detached, {inline_policies} inline policies deleted, \
                 {groups} groups left.{tags}{evidence} Sessions of roles that it assumed before live on."
            )
        }
        State::Retired => format!(
            "{who} has no unused access key that is active, as read back: {credentials} \
             deactivated.{tags}{evidence}"
        ),
        State::Escalated | State::Pending => {
            let reason = one.reason.as_deref().unwrap_or("no reason given");
            format!("{who} is left to people: {reason}.")
        }
    }
}

fn fields(input: &Input) -> HashMap<String, String> {
    let sum = |of: fn(Found) -> usize| {
        input.outcomes.iter().map(|one| of(one.taken)).sum::<usize>().to_string()
    };
    let mut fields =
        HashMap::from([("CordonExecution".to_owned(), input.execution.arn().to_owned())]);
    if input.workflow == Workflow::Resolved {
        fields.extend([
            ("CordonCredentialsDeactivated".to_owned(), sum(|taken| taken.credentials)),
            ("CordonPoliciesDetached".to_owned(), sum(|taken| taken.policies)),
            ("CordonInlinePoliciesDeleted".to_owned(), sum(|taken| taken.inline_policies)),
            ("CordonGroupsLeft".to_owned(), sum(|taken| taken.groups)),
        ]);
    }
    // A finding takes 50 fields; the execution has the rest.
    for (n, one) in input.outcomes.iter().take(9).enumerate() {
        let mut set = |field: &str, value: &str| {
            let suffix = if n == 0 { String::new() } else { (n + 1).to_string() };
            fields.insert(format!("{field}{suffix}"), value.to_owned());
        };
        if let Some(principal) = &one.principal {
            set("CordonPrincipal", &principal.arn);
        }
        if let Some(evidence) = &one.evidence {
            set("CordonEvidence", &evidence.original.uri);
            set("CordonEvidenceSha256", &evidence.original.sha256);
            set("CordonSnapshot", &evidence.snapshot_uri());
            set("CordonSnapshotSha256", &evidence.snapshot.sha256);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use aws_sdk_securityhub::types::BatchUpdateFindingsUnprocessedFinding;
    use serde_json::json;
    use wire::{Rule, mock, respond};

    use super::*;

    fn answer(code: Option<&str>) -> BatchUpdateFindingsOutput {
        let finding = AwsSecurityFindingIdentifier::builder().id("f").product_arn("p").build();
        let answer = BatchUpdateFindingsOutput::builder();
        match code {
            None => answer.processed_findings(finding).build(),
            Some(code) => {
                let left_out = BatchUpdateFindingsUnprocessedFinding::builder()
                    .finding_identifier(finding)
                    .error_code(code);
                answer.unprocessed_findings(left_out.build()).build()
            }
        }
    }

    #[test]
    fn a_finding_that_is_left_out_is_not_updated() {
        let name = |answer| processed(&answer).map_err(|failure| failure.name());
        assert_eq!(name(answer(None)), Ok(()));
        assert_eq!(name(answer(Some("ConcurrentUpdateError"))), Err("FindingBusy"));
        assert_eq!(name(answer(Some("InternalFailure"))), Err("FindingBusy"));
        assert_eq!(name(answer(Some("FindingNotFound"))), Err("FindingNotFound"));
        assert_eq!(name(answer(Some("InvalidInput"))), Err("FindingNotUpdated"));
        assert_eq!(name(BatchUpdateFindingsOutput::builder().build()), Err("FindingNotUpdated"));
    }

    fn input(workflow: &str, outcomes: &serde_json::Value) -> Input {
        let execution = format!(
            "arn:aws:states:us-east-1:111111111111:execution:cordon-incident-response:{}",
            "x".repeat(80)
        );
        let input = json!({
            "execution": execution,
            "finding": { "id": "f", "productArn": "p" },
            "workflow": workflow,
            "reason": null,
            "outcomes": outcomes,
        });
        serde_json::from_value(input).unwrap()
    }

    #[test]
    fn a_note_fits_and_names_the_execution_however_much_there_is_to_say() {
        let one = json!({ "resource": "é".repeat(600), "outcome": "escalated", "reason": "r".repeat(900) });
        let note = note(&input("NOTIFIED", &json!(vec![one; 32])));
        assert_eq!(note.chars().count(), 512);
        assert!(note.ends_with(&format!("{}.", "x".repeat(80))), "{note}");
    }

    #[test]
    fn a_finding_has_at_most_fifty_fields() {
        let evidence = json!({
            "original": { "uri": "s3://b/e/0001/original.json", "sha256": "0" },
            "snapshot": { "name": "x.json", "sha256": "1" },
        });
        let principal = json!({
            "arn": "arn:aws:iam::222222222222:user/eve", "kind": "User", "name": "eve",
            "id": "AIDA", "boundary": null, "deniedBefore": null,
        });
        let taken = json!({ "credentials": 1, "policies": 2, "inlinePolicies": 3, "groups": 4 });
        let one = json!({ "resource": "r", "outcome": "contained", "principal": principal, "taken": taken, "evidence": evidence });
        let fields = fields(&input("RESOLVED", &json!(vec![one; 32])));
        assert_eq!(fields.len(), 50);
        assert_eq!(fields["CordonInlinePoliciesDeleted"], "96");
        assert_eq!(fields["CordonEvidence9"], "s3://b/e/0001/original.json");
        assert_eq!(fields["CordonSnapshot"], "s3://b/e/0001/x.json");
    }

    #[tokio::test]
    async fn only_what_is_contained_is_resolved() {
        let nobody_listens = Client::from_conf(
            aws_sdk_securityhub::Config::builder().behavior_version_latest().build(),
        );
        for outcomes in [
            json!([]),
            json!([{ "resource": "r", "outcome": "pending" }]),
            json!([{ "resource": "r", "outcome": "contained" }, { "resource": "s", "outcome": "escalated" }]),
        ] {
            let refused = resolve(&nobody_listens, input("RESOLVED", &outcomes)).await.unwrap_err();
            assert_eq!(refused.name(), "InvalidInput");
        }
    }

    /// What becomes of the finding where Security Hub answers so.
    async fn notified(rules: &[&Rule]) -> Result<(), &'static str> {
        let hub = wire::security_hub(rules);
        let resolved = resolve(&hub, input("NOTIFIED", &json!([]))).await;
        resolved.map(drop).map_err(|failure| failure.name())
    }

    #[tokio::test]
    async fn a_finding_without_room_for_a_note_becomes_what_it_is_to_be_without_one() {
        let of_the_finding = r#"{"Id": "f", "ProductArn": "p"}"#;
        let explained = mock!(Client::batch_update_findings)
            .match_requests(|update| update.note().is_some())
            .then_http_response(move || {
                let why = format!(
                    r#"{{"FindingIdentifier": {of_the_finding}, "ErrorCode": "FindingSizeExceeded",
                    "ErrorMessage": "m"}}"#
                );
                let why = format!(r#"{{"ProcessedFindings": [], "UnprocessedFindings": [{why}]}}"#);
                respond(200, &why)
            });
        let bare = mock!(Client::batch_update_findings)
            .match_requests(|update| {
                let workflow = update.workflow().and_then(|workflow| workflow.status());
                let [finding] = update.finding_identifiers() else { return false };
                update.note().is_none()
                    && update.user_defined_fields().is_none()
                    && workflow == Some(&WorkflowStatus::Notified)
                    && (finding.id(), finding.product_arn()) == (Some("f"), Some("p"))
            })
            .then_http_response(move || {
                let processed = format!("[{of_the_finding}]");
                let processed = format!(r#""ProcessedFindings": {processed}"#);
                respond(200, &format!(r#"{{{processed}, "UnprocessedFindings": []}}"#))
            });
        assert_eq!(notified(&[&explained, &bare]).await, Ok(()));
        assert_eq!((explained.num_calls(), bare.num_calls()), (1, 1));
    }

    #[tokio::test]
    async fn what_security_hub_refuses_is_said_as_what_it_means() {
        for (status, code, name) in [
            (429, "TooManyRequestsException", "Throttled"),
            (429, "LimitExceededException", "Throttled"),
            (403, "AccessDeniedException", "AccessDenied"),
            (500, "InternalException", "ServiceUnavailable"),
            (400, "InvalidInputException", "RequestRejected"),
        ] {
            let refused = mock!(Client::batch_update_findings)
                .then_http_response(move || respond(status, &format!(r#"{{"__type": "{code}"}}"#)));
            assert_eq!(notified(&[&refused]).await, Err(name), "{code}");
        }
    }
}
