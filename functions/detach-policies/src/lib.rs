//! Takes away the policies that the evidence holds, once the deny is the permissions boundary. Managed
//! policies are detached; inline ones, which can only be deleted, are deleted if the
//! evidence holds the very document.

use aws_calls::if_found;
use aws_sdk_iam::Client;
use futures::future::join;
use incident::{Denial, Execution, Failure, Held, InlinePolicy, Principal, hex_digest, is_kept};
use member::change;
use member::deny::require_boundary;
use member::policy::inline_document;
use member::{Entry, Grant, Readiness, concurrently};
use serde::{Deserialize, Serialize};

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
    /// What Quarantine did; nothing, where it failed.
    denial: Option<Denial>,
    /// What the evidence holds. Nothing else is taken away.
    held: Held,
}

/// The step's output.
#[derive(Debug, Serialize)]
pub struct Output {
    /// ARNs of the managed policies that are detached now.
    detached: Vec<String>,
    /// Names of the inline policies that are deleted now.
    deleted: Vec<String>,
}

/// Detaches and deletes what the evidence holds, but for `AWSDenyAll` and the policies
/// of AWS's own quarantine. Fails with [`Failure::BoundaryMissing`] or
/// [`Failure::DenyNotVisible`], and changes nothing, where `AWSDenyAll` is not the permissions
/// boundary: what is attached may be all that restrains the principal, and IAM lets this
/// step's role take something away only under that boundary. IAM authorises by a new boundary
/// some time after it shows it: a refusal until then is [`Failure::DenyNotVisible`] too.
/// Fails with [`Failure::PrincipalVanished`], and changes nothing, where the principal is not
/// the one that was identified. One policy that can't be taken away keeps none of the others. Done twice, the second changes
/// nothing.
pub async fn detach_policies(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input { execution, principal, denial, held } = input;
    let partition = execution.partition();
    let grant = Grant::on(
        &principal,
        partition,
        &["iam:GetUser", "iam:DetachUserPolicy", "iam:GetUserPolicy", "iam:DeleteUserPolicy"],
        &["iam:GetRole", "iam:DetachRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy"],
    );
    let iam = entry.enter(&execution, &principal.account, &[grant]).await?;
    require_boundary(&iam, partition, &principal, denial).await?;
    let managed = held.managed_policies.iter().filter(|policy| !is_kept(partition, policy));
    let (detached, deleted) = join(
        concurrently(managed.map(|policy| detach(&iam, &principal, policy))),
        concurrently(held.inline_policies.iter().map(|policy| delete(&iam, &principal, policy))),
    )
    .await;
    let taken = |names: Vec<Option<String>>| names.into_iter().flatten().collect();
    Ok(Output { detached: taken(detached?), deleted: taken(deleted?) })
}

async fn detach(
    iam: &Client,
    principal: &Principal,
    policy: &str,
) -> Result<Option<String>, Failure> {
    let detached = change::detach(iam, principal, policy).await;
    let detached = detached.map_err(|failure| unseen(failure, principal));
    Ok(if_found(detached)?.map(|()| policy.to_owned()))
}

/// Deletes the policy unless its document has changed since the evidence was stored;
/// then verification finds it, and it is preserved first.
async fn delete(
    iam: &Client,
    principal: &Principal,
    policy: &InlinePolicy,
) -> Result<Option<String>, Failure> {
    let (kind, name) = (principal.kind, &principal.name);
    let Some(document) = if_found(inline_document(iam, kind, name, &policy.name).await)? else {
        return Ok(None);
    };
    if hex_digest(document.as_bytes()) != policy.sha256 {
        return Ok(None);
    }
    let policy = &policy.name;
    let deleted = change::delete_inline(iam, principal, policy).await;
    let deleted = deleted.map_err(|failure| unseen(failure, principal));
    Ok(if_found(deleted)?.map(|()| policy.clone()))
}

/// The boundary reads as `AWSDenyAll`, so IAM refuses because it does not go by it yet.
/// Whether anything else is in the way, its own words say, once nothing is tried again.
fn unseen(failure: Failure, principal: &Principal) -> Failure {
    match failure {
        Failure::AccessDenied { call, source } => Failure::DenyNotVisible {
            arn: principal.arn.clone(),
            why: format!("it is the permissions boundary, but {call} is refused: {source}"),
        },
        other => other,
    }
}

/// Readiness tries the way into the account alone: IAM allows what this step takes away only
/// under the deny's boundary, which nobody who does not exist has.
pub const READINESS: Readiness = Readiness::entry_alone(include_str!("../member-policy.json"));

#[cfg(test)]
mod tests {
    use incident::DenyBy;
    use wire::{DENY, Rule, answer, builder, done, error, eve, mock, namesake, shows};

    use super::*;

    const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
    const POWER_USER: &str = "arn:aws:iam::aws:policy/PowerUserAccess";

    async fn detach(rules: &[&Rule], denial: Option<Denial>) -> Result<Output, Failure> {
        detach_from(eve(), rules, denial).await
    }

    /// The step on who has, by the evidence, two policies beside those that stay, and one inline
    /// policy, `{}`.
    async fn detach_from(
        principal: Principal,
        rules: &[&Rule],
        denial: Option<Denial>,
    ) -> Result<Output, Failure> {
        let sts = wire::sts(&[&wire::lets_in()]);
        let entry = Entry::new(sts, wire::iam(rules), "role".into(), "id".into());
        let quarantine = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
        let held = Held {
            managed_policies: [DENY, quarantine, ADMINISTRATOR, POWER_USER].map(Into::into).into(),
            inline_policies: vec![InlinePolicy { name: "all".into(), sha256: hex_digest(b"{}") }],
            groups: Vec::new(),
        };
        let execution = wire::execution();
        detach_policies(&entry, Input { execution, principal, denial, held }).await
    }

    fn detaches(policies: &'static [&str]) -> Rule {
        mock!(Client::detach_user_policy)
            .match_requests(|request| policies.contains(&request.policy_arn().unwrap()))
            .then_http_response(done)
    }

    fn inline(document: &'static str) -> Rule {
        let document = format!("<PolicyDocument>{document}</PolicyDocument>");
        mock!(Client::get_user_policy)
            .then_http_response(move || answer("GetUserPolicy", &document))
    }

    fn deletes() -> Rule {
        mock!(Client::delete_user_policy).then_http_response(done)
    }

    #[tokio::test]
    async fn nothing_is_taken_away_unless_the_deny_is_the_boundary() {
        let set =
            Denial { by: Some(DenyBy::Policy), already: false, boundary: true, refused: None };
        let refused = Denial { boundary: false, refused: Some("no".into()), ..set.clone() };
        for (boundary, denial, name) in [
            (None, None, "BoundaryMissing"),
            (Some("arn:aws:iam::222222222222:policy/AWSDenyAll"), None, "BoundaryMissing"),
            (None, Some(refused), "BoundaryMissing"),
            (None, Some(set), "DenyNotVisible"),
        ] {
            let failure = detach(&[&shows(&eve(), boundary)], denial).await.unwrap_err();
            assert_eq!(failure.name(), name, "{boundary:?}");
        }
    }

    #[tokio::test]
    async fn nothing_is_taken_from_a_namesake() {
        let failure = detach(&[&shows(&namesake(), Some(DENY))], None).await.unwrap_err();
        assert_eq!(failure.name(), "PrincipalVanished");
    }

    #[tokio::test]
    async fn what_the_evidence_holds_goes_and_what_restrains_stays() {
        let (shows, detaches) = (shows(&eve(), Some(DENY)), detaches(&[ADMINISTRATOR, POWER_USER]));
        let taken =
            detach(&[&shows, &detaches, &inline("%7B%7D"), &deletes()], None).await.unwrap();
        assert_eq!(taken.detached, [ADMINISTRATOR, POWER_USER]);
        assert_eq!(taken.deleted, ["all"]);
    }

    #[tokio::test]
    async fn a_roles_policies_are_taken_from_the_role() {
        let detaches = mock!(Client::detach_role_policy)
            .match_requests(|request| request.role_name() == Some("builder"))
            .then_http_response(done);
        let inline = mock!(Client::get_role_policy).then_http_response(|| {
            answer("GetRolePolicy", "<PolicyDocument>%7B%7D</PolicyDocument>")
        });
        let deletes = mock!(Client::delete_role_policy)
            .match_requests(|request| request.role_name() == Some("builder"))
            .then_http_response(done);
        let rules = [&shows(&builder(), Some(DENY)), &detaches, &inline, &deletes];
        let taken = detach_from(builder(), &rules, None).await.unwrap();
        assert_eq!((detaches.num_calls(), deletes.num_calls()), (2, 1));
        assert_eq!((taken.detached.len(), taken.deleted.len()), (2, 1));
    }

    #[tokio::test]
    async fn an_inline_policy_that_has_changed_is_not_deleted() {
        let (shows, detaches) = (shows(&eve(), Some(DENY)), detaches(&[ADMINISTRATOR, POWER_USER]));
        let taken = detach(&[&shows, &detaches, &inline("%7B%20%7D")], None).await.unwrap();
        assert!(taken.deleted.is_empty());
    }

    #[tokio::test]
    async fn what_is_gone_already_is_no_failure() {
        let gone = || error("NoSuchEntity");
        let detach_gone = mock!(Client::detach_user_policy).then_http_response(gone);
        let inline_gone = mock!(Client::get_user_policy).then_http_response(gone);
        let rules = [&shows(&eve(), Some(DENY)), &detach_gone, &inline_gone];
        let taken = detach(&rules, None).await.unwrap();
        assert!(taken.detached.is_empty() && taken.deleted.is_empty());
    }

    #[tokio::test]
    async fn a_policy_that_stays_keeps_none_of_the_others() {
        for (code, name) in [
            ("Throttling", "Throttled"),
            ("UnmodifiableEntity", "RequestRejected"),
            // IAM shows the boundary, and does not go by it yet.
            ("AccessDenied", "DenyNotVisible"),
        ] {
            let fails = mock!(Client::detach_user_policy)
                .match_requests(|request| request.policy_arn() == Some(ADMINISTRATOR))
                .then_http_response(move || error(code));
            let (others, deletes) = (detaches(&[POWER_USER]), deletes());
            let rules = [&shows(&eve(), Some(DENY)), &fails, &others, &inline("%7B%7D"), &deletes];
            assert_eq!(detach(&rules, None).await.unwrap_err().name(), name);
            assert_eq!((others.num_calls(), deletes.num_calls()), (1, 1), "{code}");
        }
    }
}
