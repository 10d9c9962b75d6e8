//! Whether the deny stands: nothing is taken away from who is not under it. Changes nothing.

use aws_sdk_iam::Client;
use incident::{Denial, DenyBy, Failure, Principal, deny_policy};

use crate::policy::attached_policies;
use crate::principal::{find_same, vanished};

/// Where a deny stands, if it does.
#[must_use]
pub fn denied(partition: &str, boundary: Option<&str>, attached: &[String]) -> Option<DenyBy> {
    if attached.contains(&deny_policy(partition)) {
        Some(DenyBy::Policy)
    } else if is_denied_by_boundary(partition, boundary) {
        Some(DenyBy::Boundary)
    } else {
        None
    }
}

/// Whether this permissions boundary is `AWSDenyAll`.
#[must_use]
pub fn is_denied_by_boundary(partition: &str, boundary: Option<&str>) -> bool {
    boundary == Some(deny_policy(partition).as_str())
}

/// Fails unless a deny stands on the principal now: with [`Failure::DenyNotVisible`] if
/// Quarantine has put one there, with [`Failure::DenyMissing`] if it has not; and with
/// [`Failure::PrincipalVanished`] where it is not the one that was identified.
pub async fn require_deny(
    iam: &Client,
    partition: &str,
    principal: &Principal,
    denial: Option<Denial>,
) -> Result<(), Failure> {
    let attached = attached_policies(iam, principal.kind, &principal.name);
    // Whichever answer comes first, that the principal has vanished is what counts.
    let (found, attached) = futures::join!(find_same(iam, principal), attached);
    let (found, attached) = (found?, attached.map_err(|failure| vanished(failure, principal))?);
    if denied(partition, found.boundary.as_deref(), &attached).is_some() {
        return Ok(());
    }
    match denial.and_then(|denial| denial.by) {
        Some(_) => Err(not_shown(found.arn)),
        None => Err(Failure::DenyMissing(found.arn)),
    }
}

/// Fails unless `AWSDenyAll` is the principal's permissions boundary now: with
/// [`Failure::DenyNotVisible`] if Quarantine has set it, with
/// [`Failure::BoundaryMissing`] if it has not; and with [`Failure::PrincipalVanished`] where
/// the principal is not the one that was identified.
pub async fn require_boundary(
    iam: &Client,
    partition: &str,
    principal: &Principal,
    denial: Option<Denial>,
) -> Result<(), Failure> {
    let found = find_same(iam, principal).await?;
    if is_denied_by_boundary(partition, found.boundary.as_deref()) {
        return Ok(());
    }
    match denial {
        Some(Denial { boundary: true, .. }) => Err(not_shown(found.arn)),
        Some(Denial { refused: Some(refused), .. }) => {
            Err(Failure::BoundaryMissing { why: exempt_us(partition, &refused) })
        }
        _ => Err(Failure::BoundaryMissing { why: "it could not be set".to_owned() }),
    }
}

fn not_shown(arn: String) -> Failure {
    Failure::DenyNotVisible { arn, why: "IAM does not show it, so nothing was taken away".into() }
}

/// What people have to know where IAM refuses the boundary: it is refused only beside a
/// deny that stands. The advice comes first, since what IAM says may be cut.
fn exempt_us(partition: &str, refused: &str) -> String {
    format!(
        "IAM refuses it; but the attached AWSDenyAll stands, the attacker is out. If a service \
         control policy demands another boundary, exempt \
         arn:{partition}:iam::*:role/cordon/SecurityRemediation-Quarantine from it, and redrive. \
         {refused}"
    )
}

#[cfg(test)]
mod tests {
    use wire::{DENY, attached, eve, shows};

    use super::*;

    #[test]
    fn a_deny_is_aws_deny_all_of_the_partition_and_nothing_that_is_called_like_it() {
        let attached = |arn: &str| vec!["arn:aws:iam::aws:policy/a".to_owned(), arn.to_owned()];
        let own = "arn:aws:iam::222222222222:policy/AWSDenyAll";
        for (partition, boundary, policies, expected) in [
            ("aws", None, attached(DENY), Some(DenyBy::Policy)),
            ("aws", Some(DENY), attached(DENY), Some(DenyBy::Policy)),
            ("aws", Some(DENY), Vec::new(), Some(DenyBy::Boundary)),
            ("aws", Some(own), attached(own), None),
            ("aws-cn", Some(DENY), attached(DENY), None),
            (
                "aws-cn",
                None,
                attached("arn:aws-cn:iam::aws:policy/AWSDenyAll"),
                Some(DenyBy::Policy),
            ),
        ] {
            assert_eq!(denied(partition, boundary, &policies), expected, "{boundary:?}");
        }
    }

    #[tokio::test]
    async fn a_boundary_that_is_refused_is_told_with_what_to_do_about_it() {
        let refused = "iam:PutUserPermissionsBoundary is refused: AccessDenied";
        let denial = Denial {
            by: Some(DenyBy::Policy),
            already: false,
            boundary: false,
            refused: Some(refused.to_owned()),
        };
        let iam = Client::from_conf(wire::iam(&[&shows(&eve(), None), &attached(&[DENY])]).build());
        require_deny(&iam, "aws", &eve(), Some(denial.clone())).await.unwrap();
        let failure = require_boundary(&iam, "aws", &eve(), Some(denial)).await.unwrap_err();
        assert_eq!(failure.name(), "BoundaryMissing");
        let said = failure.chain();
        assert!(said.contains("role/cordon/SecurityRemediation-Quarantine"), "{said}");
        assert!(said.ends_with(refused), "{said}");
    }
}
