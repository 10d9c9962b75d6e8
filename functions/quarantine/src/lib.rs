//! Puts the principal under a deny: from here on AWS refuses its keys and all of its
//! sessions. Takes nothing away but, once it is preserved, the customer's boundary.

use aws_sdk_iam::Client;
use futures::future::{join, join4};
use incident::{Denial, DenyBy, Execution, Failure, Principal, ascii, deny_policy};
use member::change::{attach, bound};
use member::deny::is_denied_by_boundary;
use member::principal::{find_same, vanished};
use member::readiness::{Done, Nobody};
use member::{Entry, Grant, Readiness};
use serde::Deserialize;

/// So many characters tell why a boundary is refused.
const REFUSAL: usize = 300;

/// The deny's ARN, but for the partition.
const DENY_IN_AN_ARN: &str = ":iam::aws:policy/AWSDenyAll";

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
    /// What is to be done.
    call: Call,
    /// What the first call did; nothing, where it failed, and in the first call itself.
    denial: Option<Denial>,
}

/// The step is called twice where the principal has a boundary of the customer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Call {
    /// The deny, as soon as may be. Only adds.
    Deny,
    /// The boundary, once the evidence holds the one that it replaces.
    Boundary,
}

/// Attaches `AWSDenyAll` to the principal and, side by side, makes it the permissions
/// boundary, which has no limit such as that of attached policies, and under which alone
/// IAM lets policies be taken away. Either of them is a deny.
///
/// A boundary of the customer's ([`Principal::boundary`]) is not replaced by the first
/// call: setting one takes the other away. The second call does that, after Preserve. Where
/// no more policies fit either, no deny stands until then.
///
/// Fails where no deny could be put there that could be had. IAM's refusal of the boundary
/// beside an attached deny is no failure, but told in [`Denial::refused`]. Done twice, the
/// second changes nothing.
///
/// Fails with [`Failure::DenyUnavailable`] where the partition has no such policy, and with
/// [`Failure::PrincipalVanished`] where nobody has the principal's name. Whether
/// somebody else has it the first call does not ask: nothing may stand before the deny, and
/// Preserve asks next. The second call does, and leaves a namesake its boundary.
pub async fn quarantine(entry: &Entry, input: Input) -> Result<Denial, Failure> {
    let Input { execution, principal, call, denial } = input;
    let partition = execution.partition();
    let (of_user, of_role): (&[_], &[_]) = match call {
        Call::Deny => (
            &["iam:AttachUserPolicy", "iam:PutUserPermissionsBoundary"],
            &["iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"],
        ),
        Call::Boundary => (
            &["iam:GetUser", "iam:PutUserPermissionsBoundary"],
            &["iam:GetRole", "iam:PutRolePermissionsBoundary"],
        ),
    };
    let grant = Grant::on(&principal, partition, of_user, of_role);
    let iam = entry.enter(&execution, &principal.account, &[grant]).await?;
    let deny = deny_policy(partition);
    match call {
        Call::Deny => {
            let boundary = async {
                match principal.boundary.as_deref() {
                    None => Some(bound(&iam, &principal, &deny).await),
                    already if is_denied_by_boundary(partition, already) => Some(Ok(())),
                    Some(_) => None,
                }
            };
            let (attached, bounded) = join(attach(&iam, &principal, &deny), boundary).await;
            denied(&principal, attached, bounded)
        }
        Call::Boundary => {
            find_same(&iam, &principal).await?;
            let bounded = bound(&iam, &principal, &deny).await;
            replaced(&principal, denial, bounded)
        }
    }
}

/// What became of the first call; `bounded` is nothing where the boundary is the customer's.
fn denied(
    principal: &Principal,
    attached: Result<(), Failure>,
    bounded: Option<Result<(), Failure>>,
) -> Result<Denial, Failure> {
    let denial = |by: Option<DenyBy>, boundary, refused| Denial {
        by,
        already: by.is_some() && principal.denied_before == by,
        boundary,
        refused,
    };
    match (attached, bounded) {
        (Err(failure @ Failure::NotFound { .. }), _)
        | (_, Some(Err(failure @ Failure::NotFound { .. }))) => Err(missing(failure, principal)),
        (Ok(()), Some(Ok(()))) => Ok(denial(Some(DenyBy::Policy), true, None)),
        (Ok(()), None) => Ok(denial(Some(DenyBy::Policy), false, None)),
        // What passes is tried again by the second call, when the evidence is stored.
        (Ok(()), Some(Err(failure))) => Ok(denial(Some(DenyBy::Policy), false, refusal(&failure))),
        (Err(_), Some(Ok(()))) => Ok(denial(Some(DenyBy::Boundary), true, None)),
        (Err(Failure::LimitExceeded { .. }), None) => Ok(denial(None, false, None)),
        // Where no more policies fit, it is the boundary that people can mend.
        (Err(Failure::LimitExceeded { .. }), Some(Err(failure))) | (Err(failure), _) => {
            Err(failure)
        }
    }
}

/// What became of the second call, after the first one left `denial`.
fn replaced(
    principal: &Principal,
    denial: Option<Denial>,
    bounded: Result<(), Failure>,
) -> Result<Denial, Failure> {
    let before =
        denial.unwrap_or(Denial { by: None, already: false, boundary: false, refused: None });
    match bounded {
        Ok(()) => Ok(Denial {
            by: before.by.or(Some(DenyBy::Boundary)),
            boundary: true,
            refused: None,
            ..before
        }),
        Err(failure) => match refusal(&failure) {
            Some(refused) if before.by.is_some() => {
                Ok(Denial { boundary: false, refused: Some(refused), ..before })
            }
            _ => Err(missing(failure, principal)),
        },
    }
}

/// Who or what is missing: the principal, or the deny. No name of a principal holds the
/// colons of an ARN.
///
/// Source: IAM API Reference, `AttachUserPolicy` (`NoSuchEntity`).
fn missing(failure: Failure, principal: &Principal) -> Failure {
    match failure {
        Failure::NotFound { source, .. } if source.to_string().contains(DENY_IN_AN_ARN) => {
            Failure::DenyUnavailable { policy: DENY_IN_AN_ARN.to_owned(), source }
        }
        other => vanished(other, principal),
    }
}

/// What IAM says, unless what it says may pass.
fn refusal(failure: &Failure) -> Option<String> {
    match failure {
        Failure::AccessDenied { .. }
        | Failure::LimitExceeded { .. }
        | Failure::RequestRejected { .. } => Some(ascii(&failure.chain(), REFUSAL)),
        _ => None,
    }
}

/// Readiness puts the deny on nobody, in each of its ways.
pub const READINESS: Readiness = Readiness {
    policy: include_str!("../member-policy.json"),
    writes: &[
        "iam:AttachUserPolicy",
        "iam:AttachRolePolicy",
        "iam:PutUserPermissionsBoundary",
        "iam:PutRolePermissionsBoundary",
    ],
    probe: |iam, nobody| Box::pin(probe(iam, nobody)),
};

async fn probe(iam: &Client, nobody: &Nobody) -> Vec<(&'static str, Done)> {
    let deny = deny_policy(&nobody.partition);
    let calls = join4(
        attach(iam, &nobody.user, &deny),
        attach(iam, &nobody.role, &deny),
        bound(iam, &nobody.user, &deny),
        bound(iam, &nobody.role, &deny),
    );
    let (attach_user, attach_role, bound_user, bound_role) = Box::pin(calls).await;
    vec![
        ("iam:AttachUserPolicy", attach_user),
        ("iam:AttachRolePolicy", attach_role),
        ("iam:PutUserPermissionsBoundary", bound_user),
        ("iam:PutRolePermissionsBoundary", bound_role),
    ]
}

#[cfg(test)]
mod tests {
    use wire::{DENY, HttpResponse, Rule, builder, done, error, eve, mock, namesake, shows};

    use super::*;

    const CUSTOMERS: &str = "arn:aws:iam::222222222222:policy/boundary";

    const PASSES: fn() -> Failure = || Failure::Throttled { call: "call", source: "t".into() };
    const REFUSED: fn() -> Failure = || Failure::AccessDenied { call: "call", source: "r".into() };
    const FULL: fn() -> Failure = || Failure::LimitExceeded { call: "call", source: "l".into() };
    const GONE: fn() -> Failure =
        || Failure::NotFound { call: "iam:AttachUserPolicy", source: "n".into() };

    fn principal(denied_before: Option<DenyBy>) -> Principal {
        Principal { denied_before, ..eve() }
    }

    /// Where the deny stands, whether it is the boundary, whether that was refused; or the
    /// failure's name.
    fn said(result: Result<Denial, Failure>) -> Result<(Option<DenyBy>, bool, bool), &'static str> {
        let said = result.map(|denial| (denial.by, denial.boundary, denial.refused.is_some()));
        said.map_err(|failure| failure.name())
    }

    #[test]
    fn one_of_both_is_a_deny() {
        use DenyBy::{Boundary, Policy};
        type Ended = Result<(), fn() -> Failure>;
        let cases: [(Ended, Option<Ended>, _); 14] = [
            (Ok(()), Some(Ok(())), Ok((Some(Policy), true, false))),
            (Ok(()), None, Ok((Some(Policy), false, false))),
            (Ok(()), Some(Err(REFUSED)), Ok((Some(Policy), false, true))),
            (Ok(()), Some(Err(PASSES)), Ok((Some(Policy), false, false))),
            (Ok(()), Some(Err(GONE)), Err("PrincipalVanished")),
            (Err(FULL), Some(Ok(())), Ok((Some(Boundary), true, false))),
            (Err(REFUSED), Some(Ok(())), Ok((Some(Boundary), true, false))),
            (Err(PASSES), Some(Ok(())), Ok((Some(Boundary), true, false))),
            (Err(GONE), Some(Ok(())), Err("PrincipalVanished")),
            (Err(FULL), None, Ok((None, false, false))),
            (Err(FULL), Some(Err(REFUSED)), Err("AccessDenied")),
            (Err(FULL), Some(Err(PASSES)), Err("Throttled")),
            (Err(PASSES), None, Err("Throttled")),
            (Err(REFUSED), Some(Err(PASSES)), Err("AccessDenied")),
        ];
        for (n, (attached, bounded, expected)) in cases.into_iter().enumerate() {
            let ended = |ended: Ended| ended.map_err(|failure| failure());
            let denial = denied(&principal(None), ended(attached), bounded.map(ended));
            assert_eq!(said(denial), expected, "case {n}");
        }
    }

    #[test]
    fn a_deny_from_before_is_known_where_it_stood() {
        for (before, bounded, already) in [
            (Some(DenyBy::Policy), None, true),
            (Some(DenyBy::Boundary), Some(Ok(())), false),
            (None, Some(Ok(())), false),
        ] {
            let denial = denied(&principal(before), Ok(()), bounded).unwrap();
            assert_eq!(denial.already, already, "{before:?}");
        }
        let before = principal(Some(DenyBy::Boundary));
        assert!(denied(&before, Err(FULL()), Some(Ok(()))).unwrap().already);
        assert!(!denied(&principal(None), Err(FULL()), None).unwrap().already);
    }

    #[test]
    fn a_boundary_is_refused_only_beside_a_deny_that_stands() {
        let of = |by| Some(Denial { by, already: true, boundary: false, refused: None });
        let (by_policy, nowhere) = (of(Some(DenyBy::Policy)), of(None));
        let replaced = |denial: &Option<Denial>, ended: Result<(), Failure>| {
            said(replaced(&principal(None), denial.clone(), ended))
        };
        let policy = Some(DenyBy::Policy);
        assert_eq!(replaced(&by_policy, Ok(())), Ok((policy, true, false)));
        assert_eq!(replaced(&by_policy, Err(REFUSED())), Ok((policy, false, true)));
        assert_eq!(replaced(&by_policy, Err(PASSES())), Err("Throttled"));
        assert_eq!(replaced(&by_policy, Err(GONE())), Err("PrincipalVanished"));
        for none in [nowhere, None] {
            assert_eq!(replaced(&none, Ok(())), Ok((Some(DenyBy::Boundary), true, false)));
            assert_eq!(replaced(&none, Err(REFUSED())), Err("AccessDenied"));
        }
    }
    /// The step, where these rules are all that may be called.
    async fn called(rules: &[&Rule], call: Call, principal: Principal) -> Result<Denial, Failure> {
        let sts = wire::sts(&[&wire::lets_in()]);
        let entry = Entry::new(sts, wire::iam(rules), "role".into(), "id".into());
        let execution = wire::execution();
        quarantine(&entry, Input { execution, principal, call, denial: None }).await
    }

    fn attaches(answer: fn() -> HttpResponse) -> Rule {
        mock!(Client::attach_user_policy)
            .match_requests(|to| to.user_name() == Some("eve") && to.policy_arn() == Some(DENY))
            .then_http_response(answer)
    }

    fn bounds(answer: fn() -> HttpResponse) -> Rule {
        mock!(Client::put_user_permissions_boundary)
            .match_requests(|to| {
                to.user_name() == Some("eve") && to.permissions_boundary() == Some(DENY)
            })
            .then_http_response(answer)
    }

    #[tokio::test]
    async fn nothing_is_called_before_the_deny_and_it_is_put_in_both_places() {
        let denial = called(&[&attaches(done), &bounds(done)], Call::Deny, eve()).await;
        assert_eq!(said(denial), Ok((Some(DenyBy::Policy), true, false)));
        let attaches = mock!(Client::attach_role_policy)
            .match_requests(|to| to.role_name() == Some("builder") && to.policy_arn() == Some(DENY))
            .then_http_response(done);
        let bounds = mock!(Client::put_role_permissions_boundary)
            .match_requests(|to| to.permissions_boundary() == Some(DENY))
            .then_http_response(done);
        let denial = called(&[&attaches, &bounds], Call::Deny, builder()).await;
        assert_eq!(said(denial), Ok((Some(DenyBy::Policy), true, false)));
    }

    #[tokio::test]
    async fn a_boundary_of_the_customers_stays_until_the_second_call() {
        let bounded = || Principal { boundary: Some(CUSTOMERS.to_owned()), ..eve() };
        let denial = called(&[&attaches(done)], Call::Deny, bounded()).await;
        assert_eq!(said(denial), Ok((Some(DenyBy::Policy), false, false)));
        let shows = shows(&eve(), Some(CUSTOMERS));
        let denial = called(&[&shows, &bounds(done)], Call::Boundary, bounded()).await;
        assert_eq!(said(denial), Ok((Some(DenyBy::Boundary), true, false)));
    }

    #[tokio::test]
    async fn a_namesake_keeps_its_boundary() {
        let (shows, bounds) = (shows(&namesake(), Some(CUSTOMERS)), bounds(done));
        let denial = called(&[&shows, &bounds], Call::Boundary, eve()).await;
        assert_eq!(said(denial), Err("PrincipalVanished"));
        assert_eq!(bounds.num_calls(), 0);
    }

    #[tokio::test]
    async fn a_deny_that_is_the_boundary_already_is_not_set_again() {
        let denied = Principal { boundary: Some(DENY.to_owned()), ..eve() };
        let denial = called(&[&attaches(done)], Call::Deny, denied).await;
        assert_eq!(said(denial), Ok((Some(DenyBy::Policy), true, false)));
    }

    #[tokio::test]
    async fn what_iam_refuses_is_said_as_what_it_means() {
        let (full, gone) = (|| error("LimitExceeded"), || error("NoSuchEntity"));
        for (attaches, bounds, expected) in [
            (attaches(full), bounds(done), Ok((Some(DenyBy::Boundary), true, false))),
            (
                attaches(done),
                bounds(|| error("AccessDenied")),
                Ok((Some(DenyBy::Policy), false, true)),
            ),
            (attaches(gone), bounds(gone), Err("PrincipalVanished")),
            (attaches(|| error("Throttling")), bounds(|| error("Throttling")), Err("Throttled")),
        ] {
            let denial = called(&[&attaches, &bounds], Call::Deny, eve()).await;
            assert_eq!(said(denial), expected);
        }
    }
}
