//! The same for Security Hub without CSPM, which has one comment for a finding and no fields.

use std::collections::HashMap;

use aws_calls::Answer;
use aws_sdk_securityhub::Client;
use aws_sdk_securityhub::operation::batch_update_findings_v2::BatchUpdateFindingsV2Output;
use aws_sdk_securityhub::types::OcsfFindingIdentifier;
use incident::{Failure, one_line};

use crate::{Finding, NOTE, Output, Workflow, is_done};

/// `StatusId` of what people are told of: in progress.
const IN_PROGRESS: i32 = 2;

/// `StatusId` of what was wrong.
const SUPPRESSED: i32 = 3;

/// `StatusId` of what is done.
const RESOLVED: i32 = 4;

/// The fields that the comment ends with, the most important first: by them `classify` knows
/// whose work a finding is. The first principal that has evidence has its address here.
const FIELDS: [&str; 7] = [
    "CordonExecution",
    "CordonEvidence",
    "CordonSeverity",
    "CordonSeen",
    "CordonNamed",
    "CordonLeft",
    "CordonEvidenceSha256",
];

/// Updates the finding by `metadata.uid`, or, where none is known, by what else identifies it.
///
/// Source: Security Hub API Reference, `BatchUpdateFindingsV2`.
pub(crate) async fn update(
    hub: &Client,
    finding: Finding,
    workflow: Option<Workflow>,
    note: &str,
    fields: &HashMap<String, String>,
) -> Result<Output, Failure> {
    let comment = comment(note, fields);
    let status = workflow.map(|workflow| match workflow {
        Workflow::Notified => IN_PROGRESS,
        Workflow::Suppressed => SUPPRESSED,
        Workflow::Resolved => RESOLVED,
    });
    let update = hub.batch_update_findings_v2().set_status_id(status).comment(&comment);
    let Finding { id, product_arn, account, metadata_uid } = finding;
    let update = if let Some(uid) = metadata_uid {
        update.metadata_uids(uid)
    } else {
        let finding = OcsfFindingIdentifier::builder()
            .cloud_account_uid(account)
            .finding_info_uid(id)
            .metadata_product_uid(product_arn)
            .build();
        update.finding_identifiers(finding)
    };
    processed(&update.send().await.to("securityhub:BatchUpdateFindings")?)?;
    Ok(Output { note: Some(comment) })
}

/// The note, cut to what room the fields leave, and they.
fn comment(note: &str, fields: &HashMap<String, String>) -> String {
    let mut end = String::new();
    for field in FIELDS {
        let numbered = (2..=8).map(|n| fields.get(&format!("{field}{n}")));
        let mut values = std::iter::once(fields.get(field)).chain(numbered);
        let Some(value) = values.find_map(|value| value) else { continue };
        let more = format!(" {field}={value}");
        if end.chars().count() + more.chars().count() < NOTE {
            end.push_str(&more);
        }
    }
    let room = NOTE - end.chars().count();
    format!("{}{end}", one_line(note, room)).trim_start().to_owned()
}

fn processed(answer: &BatchUpdateFindingsV2Output) -> Result<(), Failure> {
    let left_out = answer.unprocessed_findings().first().map(|left_out| {
        let code = left_out.error_code().map_or("no error code", |code| code.as_str());
        (code, left_out.error_message().unwrap_or("no message"))
    });
    is_done(left_out, !answer.processed_findings().is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wire::{Rule, mock, respond};

    use super::*;
    use crate::{Input, resolve};

    const EXECUTION: &str = "arn:aws:states:us-east-1:111111111111:execution:machine:name";
    const PRODUCT: &str = "arn:aws:securityhub:us-east-1::productv2/aws/guardduty";
    const DONE: &str =
        r#"{"ProcessedFindings": [{"MetadataUid": "u"}], "UnprocessedFindings": []}"#;

    fn input(workflow: &str, uid: Option<&str>, fields: &Value) -> Input {
        serde_json::from_value(json!({
            "execution": EXECUTION,
            "finding": {
                "id": "f", "productArn": PRODUCT, "account": "222222222222", "metadataUid": uid,
            },
            "workflow": workflow,
            "verdicts": ["contained"],
            "note": "user eve is contained, as read back.",
            "fields": fields,
        }))
        .unwrap()
    }

    /// What becomes of the finding where Security Hub answers so.
    async fn updated(rule: &Rule, input: Input) -> Result<Option<String>, &'static str> {
        let hub = wire::security_hub(&[rule]);
        let output = resolve(&hub, input).await;
        output.map(|output| output.note).map_err(|failure| failure.name())
    }

    #[tokio::test]
    async fn it_becomes_resolved_or_in_progress_by_its_metadata_uid() {
        for (workflow, status) in [("RESOLVED", 4), ("NOTIFIED", 2)] {
            let rule = mock!(Client::batch_update_findings_v2)
                .match_requests(move |update| {
                    update.metadata_uids() == ["u"]
                        && update.status_id() == Some(status)
                        && update.severity_id().is_none()
                        && update.finding_identifiers().is_empty()
                })
                .then_http_response(|| respond(200, DONE));
            let fields = json!({ "CordonExecution": EXECUTION, "CordonGroupsLeft": "1" });
            let comment = updated(&rule, input(workflow, Some("u"), &fields)).await.unwrap();
            let mark = format!("user eve is contained, as read back. CordonExecution={EXECUTION}");
            assert_eq!(comment.as_deref(), Some(mark.as_str()), "{workflow}");
            assert_eq!(rule.num_calls(), 1);
        }
    }

    #[tokio::test]
    async fn without_a_metadata_uid_it_is_named_by_what_else_identifies_it() {
        let rule = mock!(Client::batch_update_findings_v2)
            .match_requests(|update| {
                let [finding] = update.finding_identifiers() else { return false };
                let named = [finding.finding_info_uid(), finding.metadata_product_uid()];
                update.metadata_uids().is_empty()
                    && named == [Some("f"), Some(PRODUCT)]
                    && finding.cloud_account_uid() == Some("222222222222")
            })
            .then_http_response(|| respond(200, DONE));
        updated(&rule, input("NOTIFIED", None, &Value::Null)).await.unwrap();
        assert_eq!(rule.num_calls(), 1);
    }

    #[tokio::test]
    async fn a_finding_that_is_left_out_is_not_updated() {
        for (code, name) in [
            ("ConflictException", "FindingBusy"),
            ("InternalServerException", "FindingBusy"),
            ("ResourceNotFoundException", "FindingNotFound"),
            ("ValidationException", "FindingNotUpdated"),
            ("SomethingNew", "FindingNotUpdated"),
        ] {
            let rule = mock!(Client::batch_update_findings_v2).then_http_response(move || {
                let why = format!(r#"[{{"MetadataUid": "u", "ErrorCode": "{code}"}}]"#);
                let why = format!(r#"{{"ProcessedFindings": [], "UnprocessedFindings": {why}}}"#);
                respond(200, &why)
            });
            let refused = updated(&rule, input("NOTIFIED", Some("u"), &Value::Null)).await;
            assert_eq!(refused, Err(name), "{code}");
        }
        let silent = mock!(Client::batch_update_findings_v2).then_http_response(|| {
            respond(200, r#"{"ProcessedFindings": [], "UnprocessedFindings": []}"#)
        });
        let refused = updated(&silent, input("NOTIFIED", Some("u"), &Value::Null)).await;
        assert_eq!(refused, Err("FindingNotUpdated"));
    }

    #[tokio::test]
    async fn what_security_hub_refuses_is_said_as_what_it_means() {
        for (status, code, name) in [
            (429, "ThrottlingException", "Throttled"),
            (403, "AccessDeniedException", "AccessDenied"),
            (409, "ConflictException", "ServiceUnavailable"),
            (500, "InternalServerException", "ServiceUnavailable"),
            (400, "ValidationException", "RequestRejected"),
        ] {
            let rule = mock!(Client::batch_update_findings_v2)
                .then_http_response(move || respond(status, &format!(r#"{{"__type": "{code}"}}"#)));
            let refused = updated(&rule, input("NOTIFIED", Some("u"), &Value::Null)).await;
            assert_eq!(refused, Err(name), "{code}");
        }
    }

    #[test]
    fn a_comment_keeps_the_fields_whole_whatever_the_words_are() {
        let fields = |execution: usize, evidence: usize| {
            HashMap::from([
                ("CordonExecution".to_owned(), "x".repeat(execution)),
                ("CordonEvidence".to_owned(), "e".repeat(evidence)),
                ("CordonEvidenceSha256".to_owned(), "5".repeat(64)),
            ])
        };
        let long = "w".repeat(1_000);
        let said = comment(&long, &fields(160, 130));
        assert_eq!(said.chars().count(), NOTE);
        assert!(said.ends_with(&format!(" CordonEvidenceSha256={}", "5".repeat(64))), "{said}");
        let said = comment(&long, &fields(160, 400));
        assert!(!said.contains("CordonEvidence=") && said.contains("CordonEvidenceSha256="));
        let said = comment(&long, &fields(600, 130));
        assert!(!said.contains("CordonExecution=") && said.chars().count() <= NOTE, "{said}");
        assert_eq!(comment("", &fields(3, 0)).split(' ').next(), Some("CordonExecution=xxx"));
        assert_eq!(comment("words", &HashMap::new()), "words");
        // Who was contained before, and has not been touched now, keeps a place behind the others.
        let behind = HashMap::from([("CordonEvidence3".to_owned(), "e".to_owned())]);
        assert_eq!(comment("words", &behind), "words CordonEvidence=e");
    }
}
