//! Writes the outcome to the finding: its workflow status, and the report's note and fields.

mod ocsf;

use std::collections::HashMap;

use aws_calls::{SdkConfig, failure};
use aws_sdk_securityhub::Client;
use aws_sdk_securityhub::operation::batch_update_findings::BatchUpdateFindingsOutput;
use aws_sdk_securityhub::operation::batch_update_findings::builders::BatchUpdateFindingsFluentBuilder;
use aws_sdk_securityhub::types::{
    AwsSecurityFindingIdentifier, NoteUpdate, WorkflowStatus, WorkflowUpdate,
};
use incident::{Execution, Failure, Verdict, one_line};
use serde::{Deserialize, Serialize};

/// The most that a note takes, and a comment.
///
/// Source: Security Hub API Reference, `NoteUpdate`, `BatchUpdateFindingsV2` (`Comment`).
const NOTE: usize = 512;

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    execution: Execution,
    finding: Finding,
    /// What it becomes; nothing, where it stays what it is, and gets a note alone.
    workflow: Option<Workflow>,
    /// How it ended for each principal.
    verdicts: Vec<Verdict>,
    /// The note for people; nothing, where no report could be written.
    note: Option<String>,
    /// The user-defined fields; nothing, where no report could be written.
    fields: Option<HashMap<String, String>>,
}

/// The finding's identity, as Security Hub gave it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    id: String,
    product_arn: String,
    account: String,
    /// Of a finding of Security Hub without CSPM, where it has one.
    metadata_uid: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Workflow {
    Notified,
    Resolved,
    Suppressed,
}

impl Workflow {
    /// Whether a containment has come to this, and not a restore.
    fn is_of_a_containment(self) -> bool {
        matches!(self, Self::Notified | Self::Resolved)
    }
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
/// [`Failure::InvalidInput`]. Without a report, note and fields lead to the execution. A
/// finding that Security Hub leaves unprocessed fails with [`Failure::FindingBusy`] or
/// [`Failure::FindingNotUpdated`], one that it does not know with
/// [`Failure::FindingNotFound`]; one without room for note and fields gets the workflow
/// status alone. A finding of Security Hub without CSPM gets a status and a comment. Done
/// twice, the finding is the same. After a restore it becomes SUPPRESSED, or stays what it is;
/// note alone is added.
///
/// Sources: Security Hub API Reference, `BatchUpdateFindings`, `BatchUpdateFindingsV2`.
pub async fn resolve(hub: &Client, input: Input) -> Result<Output, Failure> {
    let Input { execution, finding, workflow, verdicts, note, fields } = input;
    let done = |one: &Verdict| matches!(one, Verdict::Contained | Verdict::Retired);
    if workflow == Some(Workflow::Resolved) && (verdicts.is_empty() || !verdicts.iter().all(done)) {
        return Err(Failure::InvalidInput("only what is contained is resolved".to_owned()));
    }
    let note = note.unwrap_or_else(|| format!("No report. Execution {}.", execution.name()));
    // By the fields of a containment a recurrence is known: a restore leaves them as they are.
    let of_a_containment = workflow.is_some_and(Workflow::is_of_a_containment);
    let fields = fields.or_else(|| {
        let field = ("CordonExecution".to_owned(), execution.arn().to_owned());
        of_a_containment.then(|| HashMap::from([field]))
    });
    if incident::is_in_ocsf(&finding.product_arn) {
        return ocsf::update(hub, finding, workflow, &note, &fields.unwrap_or_default()).await;
    }
    let note = one_line(&note, NOTE);
    let finding = AwsSecurityFindingIdentifier::builder()
        .id(finding.id)
        .product_arn(finding.product_arn)
        .build();
    let status = workflow.map(|workflow| match workflow {
        Workflow::Notified => WorkflowStatus::Notified,
        Workflow::Resolved => WorkflowStatus::Resolved,
        Workflow::Suppressed => WorkflowStatus::Suppressed,
    });
    let workflow = status.map(|status| WorkflowUpdate::builder().status(status).build());
    let update =
        hub.batch_update_findings().finding_identifiers(finding).set_workflow(workflow.clone());
    let explained = update
        .clone()
        .note(NoteUpdate::builder().text(&note).updated_by("cordon").build())
        .set_user_defined_fields(fields);
    let answer = send(explained).await?;
    if left_out(&answer).is_some_and(|(code, _)| code == "FindingSizeExceeded") {
        if workflow.is_none() {
            return Ok(Output { note: None });
        }
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
    is_done(left_out(answer), !answer.processed_findings().is_empty())
}

/// Whether the finding was updated, by what the answer says of it; each Security Hub has its own
/// codes.
///
/// Sources: Security Hub API Reference, `BatchUpdateFindings` and `BatchUpdateFindingsV2`.
fn is_done(left_out: Option<(&str, &str)>, is_processed: bool) -> Result<(), Failure> {
    match left_out {
        Some((code, message)) => {
            let why = format!("{code}: {message}");
            Err(match code {
                "ConcurrentUpdateError"
                | "InternalFailure"
                | "ConflictException"
                | "InternalServerException" => Failure::FindingBusy(why),
                "FindingNotFound" | "ResourceNotFoundException" => Failure::FindingNotFound,
                _ => Failure::FindingNotUpdated(why),
            })
        }
        None if is_processed => Ok(()),
        None => Err(Failure::FindingNotUpdated("Security Hub says nothing of it".to_owned())),
    }
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

    fn input(workflow: &str, verdicts: &serde_json::Value) -> Input {
        let input = json!({
            "execution": "arn:aws:states:us-east-1:111111111111:execution:machine:name",
            "finding": { "id": "f", "productArn": "p", "account": "222222222222" },
            "workflow": workflow,
            "verdicts": verdicts,
            "note": null,
            "fields": null,
        });
        serde_json::from_value(input).unwrap()
    }

    #[tokio::test]
    async fn only_what_is_contained_is_resolved() {
        let nobody_listens = Client::from_conf(
            aws_sdk_securityhub::Config::builder().behavior_version_latest().build(),
        );
        for verdicts in [json!([]), json!(["pending"]), json!(["contained", "escalated"])] {
            let refused = resolve(&nobody_listens, input("RESOLVED", &verdicts)).await.unwrap_err();
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
    async fn a_restore_leaves_the_fields_of_its_containment_and_what_it_does_not_suppress() {
        for (workflow, expected) in
            [(json!("SUPPRESSED"), Some(WorkflowStatus::Suppressed)), (json!(null), None)]
        {
            let processed = r#"{"ProcessedFindings": [{"Id": "f", "ProductArn": "p"}],
                                "UnprocessedFindings": []}"#;
            let update = mock!(Client::batch_update_findings)
                .match_requests(move |update| {
                    let status = update.workflow().and_then(|workflow| workflow.status());
                    update.note().is_some_and(|note| note.text() == Some("given back"))
                        && update.user_defined_fields().is_none()
                        && status == expected.as_ref()
                })
                .then_http_response(move || respond(200, processed));
            let of_a_restore = json!({
                "execution": wire::execution(), "workflow": workflow, "verdicts": [],
                "finding": { "id": "f", "productArn": "p", "account": "222222222222" },
                "note": "given back",
            });
            let hub = wire::security_hub(&[&update]);
            resolve(&hub, serde_json::from_value(of_a_restore).unwrap()).await.unwrap();
        }
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
