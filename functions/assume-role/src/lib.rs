//! Enters the member account and identifies the accused principal: what the finding
//! says is only a claim. Changes nothing.

mod identity;

use aws_sdk_iam::Client;
use incident::{
    Accused, Execution, Failure, Kind, Principal, Reach, ResponsePolicy, matches_pattern,
    protection,
};
use member::deny::denied;
use member::{Entry, Grant};
use serde::{Deserialize, Serialize};

use identity::{Identified, Known};

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The principal that the finding names.
    principal: Accused,
    /// The response policy of this pass.
    policy: ResponsePolicy,
    /// The principal as it was identified before, in this pass or an earlier one.
    known: Option<Known>,
    /// When this pass entered the step (RFC 3339).
    entered: String,
    /// How an earlier pass of the execution reached the principal.
    reach: Option<Reach>,
}

/// The step's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The principal as its account knows it.
    principal: Principal,
    /// When the incident reached it, and what stood on it then.
    reach: Reach,
    /// By what it was identified, for a person.
    identified_by: String,
    /// The name of the execution's sessions in the account's CloudTrail.
    session: String,
}

/// Identifies the principal: by its access key's true owner where the finding is about
/// one that still exists, otherwise by the name that the finding gives, if whoever has it
/// has the unique id that the finding gives. Who was identified before is found again by its
/// unique id, under its name or as the owner of one of its access keys.
///
/// Fails with [`Failure::PrincipalNotFound`] where the account has no such principal, with
/// [`Failure::PrincipalMismatch`] where another one may have the name, with
/// [`Failure::PrincipalVanished`] where it is not to be found again, or under a name that
/// protects it and that it did not have before, and with [`Failure::PrincipalProtected`] or
/// [`Failure::PrincipalMayBeImpostor`] where no machine is to contain it.
pub async fn assume_role(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input { execution, principal: accused, policy, known, entered, reach: earlier } = input;
    let iam = enter(entry, &execution, &accused).await?;
    let Identified { found, attached, access_keys, by } = match &known {
        Some(known) => identity::again(&iam, &accused, known).await?,
        None => identity::first(&iam, &accused).await?,
    };
    let reach = Reach {
        denied_before: denied(execution.partition(), found.boundary.as_deref(), &attached),
        boundary: found.boundary,
        since: entered,
        id: found.id.clone(),
    };
    let reach = reach.after(earlier);
    let principal = Principal {
        denied_before: reach.denied_before,
        boundary: reach.boundary.clone(),
        arn: found.arn,
        account: accused.account,
        kind: accused.kind,
        name: found.name,
        path: found.path,
        id: found.id,
        access_keys,
    };
    let refused = refuse_protected(&execution, &principal, &policy);
    refused.map_err(|failure| {
        no_way_out(failure, &principal, known.as_ref().map(|known| known.arn.as_str()))
    })?;
    Ok(Output { principal, reach, identified_by: by, session: execution.session_name() })
}

/// The session reaches every principal of its kind in the account: which of them is
/// meant, and how IAM spells its name, is the question.
async fn enter(entry: &Entry, execution: &Execution, accused: &Accused) -> Result<Client, Failure> {
    let (partition, account, kind) = (execution.partition(), &accused.account, accused.kind);
    let grant = Grant {
        actions: match kind {
            Kind::User => &[
                "iam:GetAccessKeyLastUsed",
                "iam:GetUser",
                "iam:ListAttachedUserPolicies",
                "iam:ListAccessKeys",
            ],
            Kind::Role => &["iam:GetRole", "iam:ListAttachedRolePolicies"],
        },
        resources: vec![format!("arn:{partition}:iam::{account}:{}/*", kind.noun())],
    };
    entry.enter(execution, account, &[grant]).await
}

/// Who was identified under a name that protects nobody, and has since been renamed or moved
/// into one that does, has got away by that, and is not one for people to decide about alone:
/// it is [`Failure::PrincipalVanished`].
fn no_way_out(failure: Failure, principal: &Principal, known: Option<&str>) -> Failure {
    match known {
        Some(arn) if arn != principal.arn => Failure::PrincipalVanished(format!(
            "the {} of the id `{}` was `{arn}` when it was identified, and has hidden since under \
             a name that protects it; rename it back: {}",
            principal.kind.noun(),
            principal.id,
            failure.chain()
        )),
        _ => failure,
    }
}

fn refuse_protected(
    execution: &Execution,
    principal: &Principal,
    policy: &ResponsePolicy,
) -> Result<(), Failure> {
    let arn = principal.arn.clone();
    let exempt = policy.exempt_principals.iter().find(|pattern| matches_pattern(pattern, &arn));
    if let Some(pattern) = exempt {
        let reason = format!("the response policy exempts `{pattern}`");
        return Err(Failure::PrincipalProtected { arn, reason });
    }
    match protection(execution, principal)? {
        None => Ok(()),
        Some(one) if one.impostor => {
            Err(Failure::PrincipalMayBeImpostor { arn, reason: one.reason.into_owned() })
        }
        Some(one) => Err(Failure::PrincipalProtected { arn, reason: one.reason.into_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use incident::AccountId;

    use super::*;

    #[test]
    fn a_name_that_protects_is_no_way_out_once_it_is_identified() {
        let exempt = "arn:aws:iam::222222222222:user/break-glass-1";
        let principal = Principal {
            arn: exempt.to_owned(),
            account: AccountId::try_from("222222222222".to_owned()).unwrap(),
            kind: Kind::User,
            name: "break-glass-1".to_owned(),
            path: "/".to_owned(),
            id: "AIDA".to_owned(),
            boundary: None,
            denied_before: None,
            access_keys: Vec::new(),
        };
        for (known, name) in [
            (None, "PrincipalProtected"),
            // Exempted since, by whoever changed the response policy.
            (Some(exempt), "PrincipalProtected"),
            (Some("arn:aws:iam::222222222222:user/eve"), "PrincipalVanished"),
            (Some("arn:aws:iam::222222222222:user/x/break-glass-1"), "PrincipalVanished"),
        ] {
            let reason = "the response policy exempts it".to_owned();
            let failure = Failure::PrincipalProtected { arn: exempt.to_owned(), reason };
            let failure = no_way_out(failure, &principal, known);
            assert_eq!(failure.name(), name, "{known:?}");
            assert!(failure.chain().contains("the response policy exempts it"));
        }
    }
}
