//! Reads the principal back: the only judge of a containment. Changes nothing.

use aws_sdk_iam::Client;
use futures::try_join;
use incident::{
    CredentialKind, DenyBy, Execution, Failure, Holdings, Kind, Names, Principal, ReadBack, cut,
    is_kept, room,
};
use member::credential::{Credential, credentials};
use member::deny::{denied, is_denied_by_boundary};
use member::policy::{attached_policies, inline_policies};
use member::principal::{find_same, vanished};
use member::unused::{Unused, has_unused_password, unused_of};
use member::user::groups;
use member::{Entry, Grant, Readiness};
use serde::{Deserialize, Serialize};

/// So many characters of a permissions boundary are told.
const BOUNDARY: usize = 100;

/// The step's input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The identified principal.
    principal: Principal,
    /// Set where only unused access keys were to be made inactive.
    unused: Option<Unused>,
    /// Of unused access keys, the one that the finding names, where it names one.
    #[serde(default)]
    key: Option<String>,
    /// Whether nobody said for how many days they are unused.
    #[serde(default)]
    days_assumed: bool,
    /// What the principal had by the evidence; nothing, where there is none.
    had: Option<Holdings>,
    /// How many principals the incident has.
    principals: usize,
}

/// The step's output: the principal as read back.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Whether what was to be done is done, what of it is, and what is not.
    read_back: ReadBack,
    /// Where the deny stands; nowhere, where none was to stand.
    denied_by: Option<DenyBy>,
    /// ARNs of the policies that stay attached to what is contained: the deny, AWS's own
    /// quarantine.
    kept_policies: Vec<String>,
    /// The permissions boundary of what is to be contained.
    boundary: Option<String>,
    /// The credentials of what is to be contained.
    credentials: Vec<Credential>,
}

/// Says whether the principal is contained, and what of it is: it is the one that was
/// identified, `AWSDenyAll` is its permissions boundary, nothing else is attached, no inline
/// policy and no group is left, and no credential is active. With [`Input::unused`], it is
/// enough that no unused access key is active; whether one that the finding accuses is active
/// all the same, [`ReadBack::key_still_active`] says. Fails with [`Failure::PrincipalVanished`]
/// where it is not the one that was identified, before or after the lists were read.
pub async fn verify(entry: &Entry, input: Input) -> Result<Output, Failure> {
    let Input { execution, principal, unused, key, days_assumed, had, principals } = input;
    let had = Had { holdings: had.unwrap_or_default(), room: room(principals) };
    let meant = Meant { key, days_assumed };
    let partition = execution.partition();
    let grant = Grant {
        actions: match principal.kind {
            Kind::User => &[
                "iam:GetUser",
                "iam:ListAttachedUserPolicies",
                "iam:ListUserPolicies",
                "iam:ListGroupsForUser",
                "iam:ListAccessKeys",
                "iam:GetAccessKeyLastUsed",
                "iam:ListSSHPublicKeys",
                "iam:ListSigningCertificates",
                "iam:ListServiceSpecificCredentials",
                "iam:GetLoginProfile",
            ],
            Kind::Role => &["iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies"],
        },
        resources: principal.resources(partition),
    };
    let iam = entry.enter(&execution, &principal.account, &[grant]).await?;
    // Whichever answer comes first, that the principal has vanished is what counts.
    let gone = |failure| vanished(failure, &principal);
    let output = match unused {
        None => contained(&iam, partition, &principal, &had).await,
        Some(unused) => retired(&iam, &principal, &unused, &meant, &had).await,
    };
    let output = output.map_err(gone)?;
    // The lists are read by name: they are the principal's if the name still is.
    find_same(&iam, &principal).await?;
    Ok(output)
}

/// Which unused key the finding means.
struct Meant {
    key: Option<String>,
    days_assumed: bool,
}

/// What the principal had, and in how many bytes it may be told.
struct Had {
    holdings: Holdings,
    room: usize,
}

async fn contained(
    iam: &Client,
    partition: &str,
    principal: &Principal,
    Had { holdings: had, room }: &Had,
) -> Result<Output, Failure> {
    let (kind, name) = (principal.kind, principal.name.as_str());
    let of_users = async {
        match kind {
            Kind::User => try_join!(groups(iam, name), credentials(iam, name)),
            Kind::Role => Ok((Vec::new(), Vec::new())),
        }
    };
    let (found, attached, inline, (groups, credentials)) = try_join!(
        find_same(iam, principal),
        attached_policies(iam, kind, name),
        inline_policies(iam, kind, name),
        of_users,
    )?;
    let denied_by = denied(partition, found.boundary.as_deref(), &attached);
    let (kept_policies, surplus): (Vec<_>, Vec<_>) =
        attached.into_iter().partition(|policy| is_kept(partition, policy));
    let left = Holdings {
        credentials: active(&credentials),
        policies: surplus.into_iter().collect(),
        inline_policies: inline.into_iter().collect(),
        groups: groups.into_iter().collect(),
    };
    let contained = denied_by.is_some()
        && is_denied_by_boundary(partition, found.boundary.as_deref())
        && left.is_empty();
    // What is left is acted on: it is told first.
    let (done, left) = (had.without(&left), left.cut(*room));
    let read_back = ReadBack {
        contained,
        denied_by,
        boundary: found.boundary.as_deref().map(|boundary| cut(boundary, BOUNDARY)),
        done: done.cut(left.beside(*room)),
        left,
        unused_password: false,
        key_still_active: false,
    };
    Ok(Output { read_back, denied_by, kept_policies, boundary: found.boundary, credentials })
}

async fn retired(
    iam: &Client,
    principal: &Principal,
    unused: &Unused,
    meant: &Meant,
    Had { holdings: had, room }: &Had,
) -> Result<Output, Failure> {
    let (since, name) = (unused.since()?, principal.name.as_str());
    let of_keys = async {
        // Of one list, or what is done and what is left may be of two times.
        let all = credentials(iam, name).await?;
        let doubtful = async {
            if !meant.days_assumed || meant.key.is_some() {
                return Ok(Vec::new());
            }
            unused_of(iam, &all, unused.since_at_the_latest()?).await
        };
        let (unused, doubtful) = try_join!(unused_of(iam, &all, since), doubtful)?;
        Ok((all, unused, doubtful))
    };
    let (_, (all, unused, doubtful), unused_password) =
        try_join!(find_same(iam, principal), of_keys, has_unused_password(iam, name, since))?;
    let of_credentials = |credentials| Holdings { credentials, ..Holdings::default() };
    let (had, active_now) = (of_credentials(had.credentials.clone()), of_credentials(active(&all)));
    let left = of_credentials(active(&unused)).cut(*room);
    let done = had.without(&active_now);
    let read_back = ReadBack {
        contained: left.is_empty(),
        denied_by: None,
        boundary: None,
        key_still_active: is_accused_active(meant, &active_now, &done) || !doubtful.is_empty(),
        done: done.cut(left.beside(*room)),
        left,
        unused_password,
    };
    Ok(Output {
        read_back,
        denied_by: None,
        kept_policies: Vec::new(),
        boundary: None,
        credentials: Vec::new(),
    })
}

/// Whether a key that the finding accuses is active. Where it names none, and nobody said
/// for how many days, each that is active may be meant, unless one was made inactive; then
/// those that are unused for [`Unused::since_at_the_latest`].
fn is_accused_active(meant: &Meant, active: &Holdings, done: &Holdings) -> bool {
    let active = &active.credentials.first;
    let mut keys = active.iter().filter(|one| one.kind == CredentialKind::AccessKey);
    match &meant.key {
        Some(key) => keys.any(|one| one.id == *key),
        None => meant.days_assumed && done.is_empty() && keys.next().is_some(),
    }
}

fn active(credentials: &[Credential]) -> Names<incident::Credential> {
    credentials.iter().filter(|credential| credential.active).map(Credential::named).collect()
}

/// Readiness tries the way into the account alone: this step changes nothing there.
pub const READINESS: Readiness = Readiness::entry_alone(include_str!("../member-policy.json"));

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wire::{
        DENY, HttpResponse, Rule, answer, attached, builder, error, eve, mock, namesake, shown,
    };

    use super::*;

    async fn verified(rules: &[&Rule], input: Input) -> Result<Output, Failure> {
        let sts = wire::sts(&[&wire::lets_in()]);
        let entry = Entry::new(sts, wire::iam(rules), "role".into(), "id".into());
        verify(&entry, input).await
    }

    fn input(principal: Principal) -> Input {
        Input {
            execution: wire::execution(),
            principal,
            unused: None,
            key: None,
            days_assumed: false,
            had: None,
            principals: 1,
        }
    }

    fn lists_groups(answer: fn() -> HttpResponse) -> Rule {
        mock!(Client::list_groups_for_user).then_http_response(answer)
    }

    /// Neither inline policies nor credentials.
    fn lists() -> [Rule; 5] {
        let [keys, ssh_keys, certificates, service_specific] = wire::no_credentials();
        let inline =
            mock!(Client::list_user_policies).then_http_response(|| answer("ListUserPolicies", ""));
        [inline, keys, ssh_keys, certificates, service_specific]
    }

    /// A user under both denies whom IAM shows so, first and last.
    async fn read_back(
        looks: [fn() -> HttpResponse; 2],
        groups: &Rule,
        lists: &[Rule],
    ) -> Result<Output, Failure> {
        let [first, last] = looks;
        let shows =
            mock!(Client::get_user).sequence().http_response(first).http_response(last).build();
        let attached = attached(&[DENY]);
        let mut rules = vec![&shows, &attached, groups];
        rules.extend(lists);
        verified(&rules, input(eve())).await
    }

    fn as_eve() -> HttpResponse {
        shown(&eve(), Some(DENY))
    }

    #[tokio::test]
    async fn everything_that_could_be_left_is_read_between_two_looks_at_who_it_is() {
        let (groups, lists) = (lists_groups(|| answer("ListGroupsForUser", "")), lists());
        read_back([as_eve, as_eve], &groups, &lists).await.unwrap();
        assert_eq!(groups.num_calls(), 1);
        assert_eq!(lists.each_ref().map(Rule::num_calls), [1; 5]);
    }

    /// IAM may still show a key as it was, and then no more.
    #[tokio::test]
    async fn of_unused_keys_what_is_done_and_what_is_left_are_of_one_time() {
        let [_, ssh_keys, certificates, service_specific] = wire::no_credentials();
        let key = |status: &str| {
            let key = format!("<AccessKeyId>AKIA</AccessKeyId><Status>{status}</Status>");
            let key =
                format!("<member>{key}<CreateDate>2020-01-01T00:00:00Z</CreateDate></member>");
            answer("ListAccessKeys", &format!("<AccessKeyMetadata>{key}</AccessKeyMetadata>"))
        };
        let keys = mock!(Client::list_access_keys)
            .sequence()
            .http_response(move || key("Active"))
            .http_response(move || key("Inactive"))
            .build();
        let shows = mock!(Client::get_user).then_http_response(as_eve);
        let never = mock!(Client::get_access_key_last_used).then_http_response(|| {
            answer("GetAccessKeyLastUsed", "<AccessKeyLastUsed></AccessKeyLastUsed>")
        });
        let no_password =
            mock!(Client::get_login_profile).then_http_response(|| error("NoSuchEntity"));
        let rules =
            [&shows, &keys, &ssh_keys, &certificates, &service_specific, &never, &no_password];
        let unused = json!({ "days": 90, "at": "2026-04-01T00:00:00Z" });
        let key = incident::Credential { kind: CredentialKind::AccessKey, id: "AKIA".into() };
        let had = Holdings { credentials: [key].into_iter().collect(), ..Holdings::default() };
        let unused = Some(serde_json::from_value(unused).unwrap());
        let input = Input { unused, had: Some(had.clone()), ..input(eve()) };
        let read = verified(&rules, input).await.unwrap().read_back;
        assert_eq!((read.contained, read.left, read.done), (false, had, Holdings::default()));
    }

    #[tokio::test]
    async fn a_role_is_read_as_a_role() {
        let rules = [
            &wire::shows(&builder(), Some(DENY)),
            &mock!(Client::list_attached_role_policies).then_http_response(|| {
                let deny = format!("<member><PolicyArn>{DENY}</PolicyArn></member>");
                let deny = format!("<AttachedPolicies>{deny}</AttachedPolicies>");
                answer("ListAttachedRolePolicies", &deny)
            }),
            &mock!(Client::list_role_policies)
                .then_http_response(|| answer("ListRolePolicies", "")),
        ];
        verified(&rules, input(builder())).await.unwrap();
    }

    #[tokio::test]
    async fn nobody_else_is_verified_in_the_place_of_who_was_identified() {
        let groups = lists_groups(|| answer("ListGroupsForUser", ""));
        let [as_eve, as_other, as_nobody]: [fn() -> HttpResponse; 3] =
            [as_eve, || shown(&namesake(), Some(DENY)), || error("NoSuchEntity")];
        for looks in [[as_other, as_other], [as_eve, as_other], [as_eve, as_nobody]] {
            let failure = read_back(looks, &groups, &lists()).await.unwrap_err();
            assert_eq!(failure.name(), "PrincipalVanished");
        }
        // Gone while the lists are read.
        let gone = lists_groups(|| error("NoSuchEntity"));
        let failure = read_back([as_eve, as_eve], &gone, &lists()).await.unwrap_err();
        assert_eq!(failure.name(), "PrincipalVanished");
    }

    #[tokio::test]
    async fn what_can_not_be_read_is_not_taken_for_nothing() {
        for (groups, name) in [
            (lists_groups(|| error("AccessDenied")), "AccessDenied"),
            (lists_groups(|| error("Throttling")), "Throttled"),
        ] {
            let failure = read_back([as_eve, as_eve], &groups, &lists()).await.unwrap_err();
            assert_eq!(failure.name(), name);
        }
    }
}
