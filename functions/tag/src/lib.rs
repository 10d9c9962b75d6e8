//! Marks the principal with the incident, its date, its finding and its evidence, for
//! whoever meets it in the console.

use aws_sdk_iam::Client;
use aws_sdk_iam::error::BuildError;
use aws_sdk_iam::types::Tag;
use futures::future::join_all;
use incident::{Evidence, Execution, Failure, Principal, tag_value};
use member::change;
use member::principal::{find_same, vanished};
use member::readiness::{Done, Nobody};
use member::{Entry, Grant, Readiness};
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
    /// When the principal was dealt with (RFC 3339).
    remediation_date: String,
    /// What was done to it.
    purpose: Purpose,
    /// Where the evidence of its case lies.
    evidence: Evidence,
}

/// What was done to a principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Purpose {
    /// It was contained.
    Containment,
    /// Unused access keys of it were made inactive; it is accused of no incident.
    Retirement,
}

/// The step's output.
#[derive(Debug, Serialize)]
pub struct Output {
    /// Whether the tags are on the principal. They are not where it has no room left
    /// for them; it is contained all the same.
    tagged: bool,
}

/// Sets the tags `SecurityIncident`, `RemediationDate`, `FindingId`, `CordonExecution`,
/// `CordonEvidence` and `CordonEvidenceSha256`; after a retirement `CordonRetirement` alone,
/// which leads to what was kept of the user, and leaves those of an incident as they are. Other tags stay. Done twice, the second
/// changes nothing. Fails with [`Failure::PrincipalVanished`], and changes nothing, where
/// it is not the one that was identified.
pub async fn tag(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input { execution, principal, finding_id, remediation_date, purpose, evidence } = input;
    let grant = Grant::on(
        &principal,
        execution.partition(),
        &["iam:GetUser", "iam:TagUser"],
        &["iam:GetRole", "iam:TagRole"],
    );
    let iam = entry.enter(&execution, &principal.account, &[grant]).await?;
    let of_an_incident = [
        ("SecurityIncident", "true"),
        ("RemediationDate", &remediation_date),
        ("FindingId", &finding_id),
        ("CordonExecution", execution.arn()),
        ("CordonEvidence", &evidence.original.uri),
        ("CordonEvidenceSha256", &evidence.original.sha256),
    ];
    let of_a_retirement = [("CordonRetirement", evidence.original.uri.as_str())];
    let tags = match purpose {
        Purpose::Containment => of_an_incident.as_slice(),
        Purpose::Retirement => &of_a_retirement,
    };
    let tags = self::tags(tags)?;
    find_same(&iam, &principal).await?;
    match change::tag(&iam, &principal, tags).await {
        Ok(()) => Ok(Output { tagged: true }),
        Err(Failure::LimitExceeded { .. }) => Ok(Output { tagged: false }),
        Err(failure) => Err(vanished(failure, &principal)),
    }
}

/// Readiness tags nobody.
pub const READINESS: Readiness = Readiness {
    policy: include_str!("../member-policy.json"),
    writes: &["iam:TagUser", "iam:TagRole"],
    probe: |iam, nobody| Box::pin(probe(iam, nobody)),
};

async fn probe(iam: &Client, nobody: &Nobody) -> Vec<(&'static str, Done)> {
    let probes = [("iam:TagUser", &nobody.user), ("iam:TagRole", &nobody.role)];
    let probes = probes.map(async |(call, principal)| {
        let tags = tags(&[("SecurityIncident", "false")]);
        let done = async { change::tag(iam, principal, tags?).await };
        (call, done.await)
    });
    join_all(probes).await
}

fn tags(tags: &[(&str, &str)]) -> Result<Vec<Tag>, Failure> {
    let tags = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(*key).value(tag_value(value)).build())
        .collect::<Result<_, BuildError>>();
    tags.map_err(|error| Failure::InvalidInput(error.to_string()))
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::Client;
    use incident::{Held, Holdings, Names, Proof, Stored};
    use wire::{HttpResponse, Rule, builder, done, error, eve, mock, namesake, shows};

    use super::*;

    async fn tag(rules: &[&Rule], principal: Principal) -> Result<bool, Failure> {
        tag_after(Purpose::Containment, rules, principal).await
    }

    async fn tag_after(
        purpose: Purpose,
        rules: &[&Rule],
        principal: Principal,
    ) -> Result<bool, Failure> {
        let sts = wire::sts(&[&wire::lets_in()]);
        let entry = Entry::new(sts, wire::iam(rules), "role".into(), "id".into());
        let sha256 = "5e".repeat(32);
        let original = Stored { uri: "s3://b/original.json".into(), version: None, sha256 };
        let input = Input {
            execution: wire::execution(),
            principal,
            finding_id: "finding".into(),
            remediation_date: "2026-01-01T00:00:00Z".into(),
            purpose,
            evidence: Evidence {
                case: Some("0001".into()),
                snapshot: original.clone(),
                original,
                held: Held::default(),
                had: Holdings::default(),
                proof: Proof {
                    case: None,
                    original: String::new(),
                    sha256: String::new(),
                    snapshot: String::new(),
                    snapshot_sha256: String::new(),
                    had: None,
                    before: None,
                    bare: false,
                    console_password: false,
                    assumable_roles: Names::default(),
                    told: Vec::new(),
                    told_today: false,
                },
            },
        };
        super::tag(&entry, input).await.map(|output| output.tagged)
    }

    fn tags_the_user(answer: fn() -> HttpResponse) -> Rule {
        mock!(Client::tag_user).then_http_response(answer)
    }

    #[tokio::test]
    async fn the_tags_lead_to_the_execution_the_finding_and_the_evidence() {
        let says = |tags: &[Tag]| {
            let of = |key| tags.iter().find(|tag| tag.key() == key).map(Tag::value);
            tags.len() == 6
                && of("SecurityIncident") == Some("true")
                && of("RemediationDate") == Some("2026-01-01T00:00:00Z")
                && of("FindingId") == Some("finding")
                && of("CordonExecution") == Some(wire::execution().arn())
                && of("CordonEvidence") == Some("s3://b/original.json")
                && of("CordonEvidenceSha256") == Some(&"5e".repeat(32))
        };
        let tags_eve = mock!(Client::tag_user)
            .match_requests(move |tag| tag.user_name() == Some("eve") && says(tag.tags()));
        let tags_eve = tags_eve.then_http_response(done);
        assert!(tag(&[&shows(&eve(), None), &tags_eve], eve()).await.unwrap());
        let tags_builder = mock!(Client::tag_role)
            .match_requests(move |tag| tag.role_name() == Some("builder") && says(tag.tags()));
        let tags_builder = tags_builder.then_http_response(done);
        assert!(tag(&[&shows(&builder(), None), &tags_builder], builder()).await.unwrap());
    }

    #[tokio::test]
    async fn after_a_retirement_nobody_is_tagged_as_an_incident() {
        let tags_eve = mock!(Client::tag_user).match_requests(|tag| {
            let [one] = tag.tags() else { return false };
            (one.key(), one.value()) == ("CordonRetirement", "s3://b/original.json")
        });
        let tags_eve = tags_eve.then_http_response(done);
        let rules = [&shows(&eve(), None), &tags_eve];
        assert!(tag_after(Purpose::Retirement, &rules, eve()).await.unwrap());
    }

    #[tokio::test]
    async fn who_has_no_room_for_tags_is_contained_all_the_same() {
        let full = tags_the_user(|| error("LimitExceeded"));
        assert!(!tag(&[&shows(&eve(), None), &full], eve()).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_but_the_identified_is_tagged() {
        let other = tag(&[&shows(&namesake(), None)], eve()).await;
        assert_eq!(other.unwrap_err().name(), "PrincipalVanished");
        let gone = tags_the_user(|| error("NoSuchEntity"));
        let gone = tag(&[&shows(&eve(), None), &gone], eve()).await;
        assert_eq!(gone.unwrap_err().name(), "PrincipalVanished");
    }

    #[tokio::test]
    async fn any_other_failure_is_the_steps() {
        let refused = tags_the_user(|| error("AccessDenied"));
        let refused = tag(&[&shows(&eve(), None), &refused], eve()).await;
        assert_eq!(refused.unwrap_err().name(), "AccessDenied");
    }
}
