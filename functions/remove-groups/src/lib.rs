//! Leaves the groups that the evidence holds, once the deny stands.

use aws_calls::if_found;
use aws_sdk_iam::Client;
use incident::{Denial, Execution, Failure, Held, Principal};
use member::change::leave;
use member::deny::require_deny;
use member::readiness::{Done, Nobody};
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
    /// What the evidence holds. No other group is left.
    held: Held,
}

/// The step's output.
#[derive(Debug, Serialize)]
pub struct Output {
    /// Names of the groups that the user is not in any more.
    left: Vec<String>,
}

/// Takes the user out of the groups. Fails with [`Failure::DenyMissing`] or
/// [`Failure::DenyNotVisible`], and changes nothing, where no deny stands: a group may be
/// all that restrains the user; likewise with [`Failure::PrincipalVanished`], where it is not
/// the one that was identified. One group that can't be left keeps none of the others. Done
/// twice, the second changes nothing.
pub async fn remove_groups(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input { execution, principal, denial, held } = input;
    let partition = execution.partition();
    let reads = Grant {
        actions: &["iam:GetUser", "iam:ListAttachedUserPolicies"],
        resources: principal.resources(partition),
    };
    // IAM authorises the removal on the group, not on the user. Source: Service
    // Authorization Reference, "Actions defined by AWS IAM", RemoveUserFromGroup.
    let removal = Grant {
        actions: &["iam:RemoveUserFromGroup"],
        resources: vec![format!("arn:{partition}:iam::{}:group/*", principal.account)],
    };
    let iam = entry.enter(&execution, &principal.account, &[reads, removal]).await?;
    require_deny(&iam, partition, &principal, denial).await?;
    let removals = held.groups.into_iter().map(async |group| {
        let removed = if_found(leave(&iam, &principal, &group).await)?;
        Ok(removed.map(|()| group))
    });
    Ok(Output { left: concurrently(removals).await?.into_iter().flatten().collect() })
}

/// Readiness takes nobody out of a group that is none.
pub const READINESS: Readiness = Readiness {
    policy: include_str!("../member-policy.json"),
    writes: &["iam:RemoveUserFromGroup"],
    probe: |iam, nobody| Box::pin(probe(iam, nobody)),
};

async fn probe(iam: &Client, nobody: &Nobody) -> Vec<(&'static str, Done)> {
    vec![("iam:RemoveUserFromGroup", leave(iam, &nobody.user, &nobody.group).await)]
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::Client;
    use incident::DenyBy;
    use wire::{DENY, Rule, attached, done, error, eve, mock, namesake, shows};

    use super::*;

    /// The step on `eve`, whose evidence holds the groups `a` and `b`.
    async fn remove(rules: &[&Rule], denial: Option<Denial>) -> Result<Vec<String>, Failure> {
        let sts = wire::sts(&[&wire::lets_in()]);
        let entry = Entry::new(sts, wire::iam(rules), "role".into(), "id".into());
        let held = Held { groups: vec!["a".into(), "b".into()], ..Held::default() };
        let execution = wire::execution();
        let input = Input { execution, principal: eve(), denial, held };
        remove_groups(&entry, input).await.map(|output| output.left)
    }

    fn removal(group: &'static str, answer: fn() -> wire::HttpResponse) -> Rule {
        mock!(Client::remove_user_from_group)
            .match_requests(move |request| {
                request.user_name() == Some("eve") && request.group_name() == Some(group)
            })
            .then_http_response(answer)
    }

    #[tokio::test]
    async fn no_group_is_left_without_the_deny() {
        let put =
            Denial { by: Some(DenyBy::Policy), already: false, boundary: true, refused: None };
        for (denial, name) in [(None, "DenyMissing"), (Some(put), "DenyNotVisible")] {
            let failure = remove(&[&shows(&eve(), None), &attached(&[])], denial).await;
            assert_eq!(failure.unwrap_err().name(), name);
        }
    }

    #[tokio::test]
    async fn no_namesake_leaves_a_group() {
        let failure = remove(&[&shows(&namesake(), Some(DENY)), &attached(&[DENY])], None).await;
        assert_eq!(failure.unwrap_err().name(), "PrincipalVanished");
    }

    #[tokio::test]
    async fn either_deny_will_do() {
        let (a, b) = (removal("a", done), removal("b", done));
        for (boundary, policies) in [(None, attached(&[DENY])), (Some(DENY), attached(&[]))] {
            let left = remove(&[&shows(&eve(), boundary), &policies, &a, &b], None).await.unwrap();
            assert_eq!(left, ["a", "b"]);
        }
    }

    #[tokio::test]
    async fn a_group_that_is_left_already_is_no_failure() {
        let (a, b) = (removal("a", || error("NoSuchEntity")), removal("b", done));
        let left = remove(&[&shows(&eve(), Some(DENY)), &attached(&[]), &a, &b], None).await;
        assert_eq!(left.unwrap(), ["b"]);
    }

    #[tokio::test]
    async fn a_group_that_can_not_be_left_keeps_none_of_the_others() {
        let (a, b) = (removal("a", || error("AccessDenied")), removal("b", done));
        let left = remove(&[&shows(&eve(), Some(DENY)), &attached(&[]), &a, &b], None).await;
        assert_eq!(left.unwrap_err().name(), "AccessDenied");
        assert_eq!(b.num_calls(), 1);
    }
}
