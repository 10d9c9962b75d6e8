//! Marks the principal with the incident, its date, its finding and its evidence, for
//! whoever meets it in the console.

use aws_calls::Answer;
use aws_sdk_iam::error::BuildError;
use aws_sdk_iam::types::Tag;
use incident::{Evidence, Execution, Failure, Kind, Principal, tag_value};
use member::principal::{find_same, vanished};
use member::{Entry, Grant};
use serde::{Deserialize, Serialize};

/// The step's input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
    /// The finding's `Id`.
    finding_id: String,
    /// When the principal was contained (RFC 3339).
    remediation_date: String,
    /// Where the evidence of its case lies.
    evidence: Evidence,
}

/// The step's output.
#[derive(Debug, Serialize)]
pub struct Output {
    /// Whether the tags are on the principal. They are not where it has no room left
    /// for them; it is contained all the same.
    tagged: bool,
}

/// Sets the tags `SecurityIncident`, `RemediationDate`, `FindingId`, `CordonExecution`,
/// `CordonEvidence` and `CordonEvidenceSha256`. Other tags stay. Done twice, the second
/// changes nothing. Fails with [`Failure::PrincipalVanished`], and changes nothing, where
/// it is not the one that was identified.
pub async fn tag(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input { execution, principal, finding_id, remediation_date, evidence } = input;
    let grant = Grant::on(
        &principal,
        execution.partition(),
        &["iam:GetUser", "iam:TagUser"],
        &["iam:GetRole", "iam:TagRole"],
    );
    let iam = entry.enter(&execution, &principal.account, &[grant]).await?;
    let tags = [
        ("SecurityIncident", "true"),
        ("RemediationDate", &remediation_date),
        ("FindingId", &finding_id),
        ("CordonExecution", execution.arn()),
        ("CordonEvidence", &evidence.original.uri),
        ("CordonEvidenceSha256", &evidence.original.sha256),
    ]
    .into_iter()
    .map(|(key, value)| Tag::builder().key(key).value(tag_value(value)).build())
    .collect::<Result<Vec<_>, BuildError>>()
    .map_err(|error| Failure::InvalidInput(error.to_string()))?;
    find_same(&iam, &principal).await?;
    let name = &principal.name;
    let tagged = match principal.kind {
        Kind::User => {
            let tag = iam.tag_user().user_name(name).set_tags(Some(tags));
            tag.send().await.done("iam:TagUser")
        }
        Kind::Role => {
            let tag = iam.tag_role().role_name(name).set_tags(Some(tags));
            tag.send().await.done("iam:TagRole")
        }
    };
    match tagged {
        Ok(()) => Ok(Output { tagged: true }),
        Err(Failure::LimitExceeded { .. }) => Ok(Output { tagged: false }),
        Err(failure) => Err(vanished(failure, &principal)),
    }
}
