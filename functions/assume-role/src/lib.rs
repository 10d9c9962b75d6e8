//! Enters the member account and identifies the accused principal: what the finding
//! says is only a claim. Changes nothing.

mod identity;

use aws_sdk_iam::Client;
use incident::{
    Accused, DenyBy, Execution, Failure, Identity, Kind, Organization, Principal, Reach,
    ResponsePolicy, cut, protection,
};
use member::deny::denied;
use member::{Entry, Grant, Readiness};
use serde::{Deserialize, Serialize};

use identity::{Identified, Known};

/// So many characters tell by what a principal was identified.
const IDENTIFIED_BY: usize = 250;

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
    /// How the execution reached the principal before.
    reach: Option<Reach>,
    /// Whether that was in this pass.
    again: bool,
}

/// The step's output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// The principal as its account knows it.
    principal: Principal,
    /// The same, as an outcome names it.
    identity: Identity,
    /// When the incident reached it, and what stood on it then.
    reach: Reach,
    /// By what it was identified, for a person.
    identified_by: String,
    /// The name of the execution's sessions in the account's CloudTrail.
    session: String,
}

/// Identifies the principal: by its access key's true owner where the finding is about
/// one that still exists, otherwise by the name that the finding gives, if whoever has it
/// has the unique id that the finding gives. Where IAM refuses to say whose the key is, that id
/// alone convicts the name; without it the step fails with [`Failure::AccessDenied`], which
/// people mend. Who was identified before is found again by its
/// unique id, under its name or as the owner of one of its access keys.
///
/// Fails with [`Failure::PrincipalNotFound`] where the account has no such principal, with
/// [`Failure::PrincipalMismatch`] where another one may have the name, with
/// [`Failure::PrincipalVanished`] where it is not to be found again, or under a name that
/// protects it and that it did not have before, with [`Failure::PrincipalExempt`] where the
/// response policy exempts it, and with [`Failure::PrincipalProtected`] or
/// [`Failure::PrincipalMayBeImpostor`] where no machine is to contain it.
pub async fn assume_role(
    entry: &Entry,
    organization: &Organization,
    input: Input,
) -> Result<Output, Failure> {
    let Input { execution, principal: accused, policy, known, entered, reach: earlier, again } =
        input;
    let iam = enter(entry, &execution, &accused).await?;
    let Identified { found, attached, access_keys, by } = match &known {
        Some(known) => identity::again(&iam, &accused, known).await?,
        None => identity::first(&iam, &accused).await?,
    };
    let denied = denied(execution.partition(), found.boundary.as_deref(), &attached);
    let reach = Reach {
        denied_before: denied,
        boundary: found.boundary,
        since: entered,
        id: found.id.clone(),
    };
    let reach = reach.after(earlier, again);
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
    let refused = refuse_protected(&execution, organization, &principal, denied, &policy);
    refused.map_err(|failure| {
        no_way_out(failure, &principal, known.as_ref().map(|known| known.arn.as_str()))
    })?;
    Ok(Output {
        identity: Identity::of(&principal, denied),
        principal,
        reach,
        identified_by: cut(&by, IDENTIFIED_BY),
        session: execution.session_name(),
    })
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
/// it is [`Failure::PrincipalVanished`]. Of a path too long for an outcome nobody knows any
/// more what it was, and the same is said.
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
    organization: &Organization,
    principal: &Principal,
    denied: Option<DenyBy>,
    policy: &ResponsePolicy,
) -> Result<(), Failure> {
    let arn = principal.arn.clone();
    let mut exempt = policy.exempt_principals.iter();
    if let Some((one, pattern)) = exempt.find_map(|one| Some((one, one.of(&arn)?))) {
        let (pattern, note) = (pattern.to_owned(), one.note());
        return Err(Failure::PrincipalExempt { arn, pattern, note, denied });
    }
    match protection(execution, organization, principal)? {
        None => Ok(()),
        Some(one) if one.impostor => {
            let reason = one.reason.into_owned();
            Err(Failure::PrincipalMayBeImpostor { arn, reason, denied })
        }
        Some(one) => {
            let reason = one.reason.into_owned();
            Err(Failure::PrincipalProtected { arn, reason, denied })
        }
    }
}

/// Readiness tries the way into the account alone: this step changes nothing there.
pub const READINESS: Readiness = Readiness::entry_alone(include_str!("../member-policy.json"));

#[cfg(test)]
mod tests {
    use incident::ExemptPrincipal;
    use wire::{
        DENY, HttpResponse, Rule, answer, attached, builder, error, eve, mock, namesake, shows,
    };

    use super::*;

    const KEY: &str = "AKIAEVE";

    fn user(name: Option<&str>, key: Option<&str>, id: Option<&str>) -> Accused {
        Accused {
            resource: "what the finding says".into(),
            account: wire::account(),
            kind: Kind::User,
            name: name.map(Into::into),
            access_key: key.map(Into::into),
            principal_id: id.map(Into::into),
            unused_days: None,
            days_assumed: false,
            newly: false,
            told: false,
        }
    }

    /// The step, by a response policy that exempts who is named `break-glass…`.
    async fn identify(
        rules: &[&Rule],
        principal: Accused,
        known: Option<Known>,
    ) -> Result<Output, Failure> {
        let sts = wire::sts(&[&wire::lets_in()]);
        let entry = Entry::new(sts, wire::iam(rules), "role".into(), "id".into());
        let pattern = "arn:aws:iam::*:user/break-glass*".to_owned();
        let exempt_principals = vec![ExemptPrincipal::Pattern(pattern)];
        let input = Input {
            execution: wire::execution(),
            principal,
            policy: ResponsePolicy { exempt_principals, ..ResponsePolicy::default() },
            known,
            entered: "2026-01-01T00:00:00Z".into(),
            reach: None,
            again: false,
        };
        assume_role(&entry, &Organization::default(), input).await
    }

    fn owner(answer: fn() -> HttpResponse) -> Rule {
        mock!(Client::get_access_key_last_used)
            .match_requests(|get| get.access_key_id() == Some(KEY))
            .then_http_response(answer)
    }

    fn owned_by_eve() -> HttpResponse {
        answer("GetAccessKeyLastUsed", "<UserName>eve</UserName>")
    }

    fn keys(keys: &'static str) -> Rule {
        mock!(Client::list_access_keys).then_http_response(move || {
            let member = |key| format!("<member><AccessKeyId>{key}</AccessKeyId></member>");
            let keys: Vec<_> = keys.split_whitespace().map(member).collect();
            let keys = format!("<AccessKeyMetadata>{}</AccessKeyMetadata>", keys.concat());
            answer("ListAccessKeys", &keys)
        })
    }

    fn nobody() -> Rule {
        mock!(Client::get_user).then_http_response(|| error("NoSuchEntity"))
    }

    #[tokio::test]
    async fn the_keys_true_owner_is_meant_whomever_the_finding_names() {
        let rules = [&owner(owned_by_eve), &shows(&eve(), None), &attached(&[]), &keys(KEY)];
        let found = identify(&rules, user(Some("adam"), Some(KEY), Some("AIDAADAM")), None).await;
        let found = found.unwrap();
        assert_eq!((found.principal.name, found.principal.id), ("eve".into(), "AIDAEVE".into()));
        assert!(found.identified_by.contains("the finding calls it `adam`"));
        assert!(found.identified_by.contains("the finding gives the id `AIDAADAM`"));
    }

    #[tokio::test]
    async fn who_is_called_like_a_key_is_not_its_owner() {
        let resource = format!("arn:aws:iam::222222222222:user/eve/access-key/{KEY}");
        let accused = Accused { resource, ..user(Some("eve"), Some(KEY), None) };
        let owner = || owner(owned_by_eve);
        let arn = accused.resource.clone();
        let thief = Principal { arn, name: KEY.to_owned(), id: "AIDATHIEF".to_owned(), ..eve() };
        let called_like = shows(&thief, None);
        let rules = [&called_like, &owner(), &shows(&eve(), None), &attached(&[]), &keys(KEY)];
        let failure = identify(&rules, accused.clone(), None).await.unwrap_err();
        assert_eq!(failure.name(), "PrincipalMismatch");

        // Of that name, but not of that ARN.
        let elsewhere = shows(&Principal { name: KEY.to_owned(), ..eve() }, None);
        let rules = [&elsewhere, &owner(), &shows(&eve(), None), &attached(&[]), &keys(KEY)];
        assert_eq!(identify(&rules, accused.clone(), None).await.unwrap().principal.name, "eve");

        let nobody = mock!(Client::get_user)
            .match_requests(|get| get.user_name() == Some(KEY))
            .then_http_response(|| error("NoSuchEntity"));
        let rules = [&nobody, &owner(), &shows(&eve(), None), &attached(&[]), &keys(KEY)];
        assert_eq!(identify(&rules, accused, None).await.unwrap().principal.name, "eve");
    }

    #[tokio::test]
    async fn who_has_a_key_owners_name_by_now_is_not_the_owner_without_the_key() {
        let shows = shows(&namesake(), None);
        let rules = [&owner(owned_by_eve), &shows, &attached(&[]), &keys("AKIAOTHER")];
        let failure = identify(&rules, user(None, Some(KEY), None), None).await.unwrap_err();
        assert_eq!(failure.name(), "PrincipalVanished");
        assert_eq!(shows.num_calls(), identity::LOOKS);
    }

    #[tokio::test]
    async fn without_an_owner_a_name_convicts_only_with_its_id() {
        let (gone, eves) = (owner(|| error("NoSuchEntity")), Some("AIDAEVE"));
        for (shows, key, id, expected) in [
            (shows(&eve(), None), None, None, Ok(())),
            (shows(&eve(), None), None, eves, Ok(())),
            (shows(&eve(), None), Some(KEY), eves, Ok(())),
            (shows(&eve(), None), Some(KEY), None, Err("PrincipalMismatch")),
            (shows(&namesake(), None), None, eves, Err("PrincipalMismatch")),
            (shows(&namesake(), None), Some(KEY), eves, Err("PrincipalMismatch")),
            (nobody(), None, eves, Err("PrincipalNotFound")),
        ] {
            let rules = [&gone, &shows, &attached(&[]), &keys("")];
            let found = identify(&rules, user(Some("eve"), key, id), None).await;
            let found = found.map(drop).map_err(|failure| failure.name());
            assert_eq!(found, expected, "{key:?} {id:?}");
        }
    }

    #[tokio::test]
    async fn whose_a_key_is_that_iam_refuses_to_say_only_name_and_id_tell() {
        let refused = owner(|| error("AccessDenied"));
        for (shows, name, id, expected) in [
            (shows(&eve(), None), Some("eve"), Some("AIDAEVE"), Ok(())),
            (shows(&eve(), None), Some("eve"), None, Err("AccessDenied")),
            (shows(&eve(), None), None, Some("AIDAEVE"), Err("AccessDenied")),
            (shows(&namesake(), None), Some("eve"), Some("AIDAEVE"), Err("AccessDenied")),
            (nobody(), Some("eve"), Some("AIDAEVE"), Err("AccessDenied")),
        ] {
            let rules = [&refused, &shows, &attached(&[]), &keys(KEY)];
            let found = identify(&rules, user(name, Some(KEY), id), None).await;
            if let Ok(found) = &found {
                assert!(found.identified_by.contains("IAM refuses to say"));
            }
            let found = found.map(drop).map_err(|failure| failure.name());
            assert_eq!(found, expected, "{name:?} {id:?}");
        }
    }

    #[tokio::test]
    async fn who_was_identified_is_found_again_under_another_name_by_a_key() {
        let known = |id: &str| Known {
            arn: "arn:aws:iam::222222222222:user/before".into(),
            id: id.into(),
            name: "before".into(),
            access_keys: vec![KEY.into()],
        };
        let rules =
            [&owner(owned_by_eve), &shows(&eve(), None), &nobody(), &attached(&[]), &keys(KEY)];
        let accused = || user(Some("before"), None, None);
        let found = identify(&rules, accused(), Some(known("AIDAEVE"))).await.unwrap();
        assert_eq!(found.principal.name, "eve");
        let other = identify(&rules, accused(), Some(known("AIDABEFORE"))).await.unwrap_err();
        assert_eq!(other.name(), "PrincipalVanished");
    }

    #[tokio::test]
    async fn what_stood_on_it_before_is_known() {
        for (boundary, policies, denied_before) in [
            (None, attached(&[]), None),
            (None, attached(&[DENY]), Some(DenyBy::Policy)),
            (Some(DENY), attached(&[]), Some(DenyBy::Boundary)),
        ] {
            let rules = [&shows(&eve(), boundary), &policies, &keys(KEY)];
            let found = identify(&rules, user(Some("eve"), None, None), None).await.unwrap();
            assert_eq!(found.principal.denied_before, denied_before);
            assert_eq!(found.principal.boundary.as_deref(), boundary);
            assert_eq!(found.principal.access_keys, [KEY]);
        }
    }

    #[tokio::test]
    async fn whom_no_machine_contains_is_left_to_people() {
        let root = owner(|| answer("GetAccessKeyLastUsed", "<UserName>&lt;root&gt;</UserName>"));
        let failure = identify(&[&root], user(None, Some(KEY), None), None).await.unwrap_err();
        assert_eq!(failure.name(), "PrincipalProtected");
        let exempt = Principal {
            name: "break-glass-1".into(),
            arn: "arn:aws:iam::222222222222:user/break-glass-1".into(),
            ..eve()
        };
        let rules = [&shows(&exempt, None), &attached(&[]), &keys("")];
        let failure = identify(&rules, user(Some("break-glass-1"), None, None), None).await;
        assert_eq!(failure.unwrap_err().name(), "PrincipalExempt");
        let impostor = Principal { name: "OrganizationAccountAccessRole".into(), ..builder() };
        let policies = mock!(Client::list_attached_role_policies)
            .then_http_response(|| answer("ListAttachedRolePolicies", ""));
        let role = Accused { kind: Kind::Role, ..user(Some(&impostor.name), None, None) };
        let failure = identify(&[&shows(&impostor, None), &policies], role, None).await;
        assert_eq!(failure.unwrap_err().name(), "PrincipalMayBeImpostor");
    }

    #[test]
    fn a_name_that_protects_is_no_way_out_once_it_is_identified() {
        let exempt = "arn:aws:iam::222222222222:user/break-glass-1";
        let principal =
            Principal { arn: exempt.to_owned(), name: "break-glass-1".to_owned(), ..eve() };
        for (known, name) in [
            (None, "PrincipalExempt"),
            // Exempted since, by whoever changed the response policy.
            (Some(exempt), "PrincipalExempt"),
            (Some("arn:aws:iam::222222222222:user/eve"), "PrincipalVanished"),
            (Some("arn:aws:iam::222222222222:user/x/break-glass-1"), "PrincipalVanished"),
        ] {
            let pattern = "arn:aws:iam::*:user/break-glass*".to_owned();
            let (arn, note) = (exempt.to_owned(), " until 2026-12-31T00:00:00Z".to_owned());
            let failure = Failure::PrincipalExempt { arn, pattern, note, denied: None };
            let failure = no_way_out(failure, &principal, known);
            assert_eq!(failure.name(), name, "{known:?}");
            assert!(failure.chain().contains("exempts it until 2026-12-31T00:00:00Z"));
        }
    }
}
