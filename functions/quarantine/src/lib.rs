//! Puts the principal under a deny: from here on AWS refuses its keys and all of its
//! sessions. Takes nothing away but, once it is preserved, the customer's boundary.

use aws_calls::Answer;
use aws_sdk_iam::Client;
use futures::future::join;
use incident::{Denial, DenyBy, Execution, Failure, Kind, Principal, cut, deny_policy};
use member::deny::is_denied_by_boundary;
use member::principal::vanished;
use member::{Entry, Grant};
use serde::Deserialize;

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
/// Fails with [`Failure::PrincipalVanished`] where nobody has the principal's name. Whether
/// somebody else has it is not asked here: nothing may stand before the deny, and Preserve
/// asks next.
pub async fn quarantine(entry: &Entry, input: Input) -> Result<Denial, Failure> {
    let Input { execution, principal, call, denial } = input;
    let partition = execution.partition();
    let grant = Grant::on(
        &principal,
        partition,
        &["iam:AttachUserPolicy", "iam:PutUserPermissionsBoundary"],
        &["iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"],
    );
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
        | (_, Some(Err(failure @ Failure::NotFound { .. }))) => Err(vanished(failure, principal)),
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
            _ => Err(vanished(failure, principal)),
        },
    }
}

/// What IAM says, unless what it says may pass.
fn refusal(failure: &Failure) -> Option<String> {
    match failure {
        Failure::AccessDenied { .. }
        | Failure::LimitExceeded { .. }
        | Failure::RequestRejected { .. } => Some(cut(&failure.chain(), 300)),
        _ => None,
    }
}

async fn attach(iam: &Client, principal: &Principal, deny: &str) -> Result<(), Failure> {
    let name = &principal.name;
    match principal.kind {
        Kind::User => {
            let attach = iam.attach_user_policy().user_name(name).policy_arn(deny);
            attach.send().await.done("iam:AttachUserPolicy")
        }
        Kind::Role => {
            let attach = iam.attach_role_policy().role_name(name).policy_arn(deny);
            attach.send().await.done("iam:AttachRolePolicy")
        }
    }
}

async fn bound(iam: &Client, principal: &Principal, deny: &str) -> Result<(), Failure> {
    let name = &principal.name;
    match principal.kind {
        Kind::User => {
            let put = iam.put_user_permissions_boundary().user_name(name);
            let put = put.permissions_boundary(deny).send().await;
            put.done("iam:PutUserPermissionsBoundary")
        }
        Kind::Role => {
            let put = iam.put_role_permissions_boundary().role_name(name);
            let put = put.permissions_boundary(deny).send().await;
            put.done("iam:PutRolePermissionsBoundary")
        }
    }
}

#[cfg(test)]
mod tests {
    use incident::AccountId;

    use super::*;

    const PASSES: fn() -> Failure = || Failure::Throttled { call: "call", source: "t".into() };
    const REFUSED: fn() -> Failure = || Failure::AccessDenied { call: "call", source: "r".into() };
    const FULL: fn() -> Failure = || Failure::LimitExceeded { call: "call", source: "l".into() };
    const GONE: fn() -> Failure =
        || Failure::NotFound { call: "iam:AttachUserPolicy", source: "n".into() };

    fn principal(denied_before: Option<DenyBy>) -> Principal {
        Principal {
            arn: "arn:aws:iam::222222222222:user/eve".into(),
            account: AccountId::try_from("222222222222".to_owned()).unwrap(),
            kind: Kind::User,
            name: "eve".into(),
            path: "/".into(),
            id: "AIDA".into(),
            boundary: None,
            denied_before,
            access_keys: Vec::new(),
        }
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
}
