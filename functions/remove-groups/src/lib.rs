//! Leaves the groups that the evidence holds, once the deny stands.

use aws_calls::{Answer, if_found};
use incident::{Denial, Execution, Failure, Held, Principal};
use member::deny::require_deny;
use member::{Entry, Grant, concurrently};
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
        let removal = iam.remove_user_from_group().user_name(&principal.name).group_name(&group);
        let removed = if_found(removal.send().await.done("iam:RemoveUserFromGroup"))?;
        Ok(removed.map(|()| group))
    });
    Ok(Output { left: concurrently(removals).await?.into_iter().flatten().collect() })
}
