//! Gives back to a principal what a plan says, a stage at a time. The one function that grants:
//! whoever has its credentials can give anything to whoever carries our tag, where its role
//! stands.

mod change;

use std::collections::BTreeSet;

use bucket::{Bucket, unreadable};
use incident::restore::{Item, Plan, Stage, States};
use incident::{Execution, Failure, Stored, listed};
use member::{Entry, concurrently};
use serde::{Deserialize, Serialize};

use change::Restorer;

/// The step's input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The ARN of the execution that restores.
    execution: Execution,
    /// What of the plan is done.
    stage: Stage,
    /// The plan, which was found to hold.
    plan: Stored,
    /// Whether groups are given back.
    groups: bool,
    /// Of the stage that lifts the deny, the other way round: it is put back.
    #[serde(default)]
    deny_again: bool,
}

/// The step's output.
#[derive(Debug, Serialize)]
pub struct Output {
    /// The names of the items that are as they were before, as far as IAM has confirmed it; or, of
    /// the deny, as it was.
    done: Vec<String>,
}

/// Does one stage of a plan: each change in a session of its own, which may make that change of
/// that principal and nothing else. What is done already, is done again and changes nothing. One
/// change that fails keeps none of its kind from being made, but all that comes after.
///
/// Before a deny is detached, before and after the last one is lifted, before the tag goes without
/// which nobody can put it back, and where a quota is used up, it fails with
/// [`Failure::IncidentMeanwhile`] where something has come to lie in the folder of the principal's
/// cases since the plan was made.
///
/// Where the deny is detached to make room, it fails with [`Failure::AccountChanged`] unless it
/// stands as the boundary.
///
/// Fails with [`Failure::EvidenceMismatch`] where the plan is not the one of the digest, and with
/// [`Failure::PrincipalVanished`] where its name is not that of its unique id.
pub async fn apply_restore(
    entry: &Entry,
    bucket: &Bucket,
    input: Input,
) -> Result<Output, Failure> {
    let Input { execution, stage, plan, groups, deny_again } = input;
    let plan: Plan = read(bucket, &plan).await?;
    let restorer = Restorer { entry, execution: &execution, principal: &plan.principal };
    let changes = plan.of_stage(stage);
    let changes: Vec<&States> = changes
        .into_iter()
        .filter(|one| groups || !matches!(one.item, Item::Group { .. }))
        .collect();
    if deny_again {
        for change in changes.iter().rev() {
            restorer.change(&change.item, change.now.as_deref()).await?;
        }
        return Ok(done(changes));
    }
    let makes_room = plan.makes_room && changes.iter().any(|one| one.item == Item::Deny);
    if stage >= Stage::LiftDeny || makes_room {
        nobody_came(bucket, &plan).await?;
    }
    if makes_room {
        restorer.expect_boundary().await?;
    }
    for alike in changes.chunk_by(|one, next| plan.order(one) == plan.order(next)) {
        let made = make(&restorer, alike).await;
        if let Err(Failure::LimitExceeded { .. }) = made {
            // The deny of another incident takes up room, which people are not to make by taking
            // it away.
            nobody_came(bucket, &plan).await?;
        }
        made?;
    }
    if stage == Stage::LiftDeny {
        nobody_came(bucket, &plan).await?;
    }
    Ok(done(changes))
}

fn done(changes: Vec<&States>) -> Output {
    Output { done: changes.into_iter().map(|one| one.item.to_string()).collect() }
}

async fn read(bucket: &Bucket, stored: &Stored) -> Result<Plan, Failure> {
    let plan: Plan = bucket.read_stored(stored).await?.document()?;
    if plan.schema != Plan::SCHEMA {
        return Err(unreadable(&stored.uri, format!("it is `{}`", plan.schema)));
    }
    Ok(plan)
}

/// Makes changes of one kind at once; tags go in one call.
async fn make(restorer: &Restorer<'_>, changes: &[&States]) -> Result<(), Failure> {
    let tags = changes.iter().map(|one| Some((one.item.tag_key()?, one.before.as_deref())));
    if let Some(tags) = tags.collect::<Option<Vec<_>>>() {
        return restorer.tags(&tags).await;
    }
    concurrently(
        changes.iter().map(async |one| restorer.change(&one.item, one.before.as_deref()).await),
    )
    .await
    .map(drop)
}

/// That nothing has come to lie in the folder of the principal's cases since the plan was made.
async fn nobody_came(bucket: &Bucket, plan: &Plan) -> Result<(), Failure> {
    let folder = format!("evidence/{}/{}/", plan.principal.account, plan.principal.id);
    let known: BTreeSet<&String> = plan.files.iter().collect();
    let files = bucket.list(&folder).await?;
    let new = files.iter().filter(|key| !known.contains(key));
    let new: Vec<_> =
        new.map(|key| format!("`{}`", bucket.uri(&format!("{folder}{key}")))).collect();
    if new.is_empty() { Ok(()) } else { Err(Failure::IncidentMeanwhile(listed(&new, 3))) }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use aws_sdk_iam::Client;
    use incident::hex_digest;
    use serde_json::{Value, json};
    use wire::{DENY, Rule, builder, done, error, eve, mock, namesake, respond, shows};

    use super::*;

    const OWN: &str = "arn:aws:iam::222222222222:policy/own";
    const KNOWN: &str = "0001/original.json";

    /// A plan of these changes: item, before, now.
    fn plan(principal: &incident::Principal, changes: &[(Value, Value, Value)]) -> Value {
        let stored = json!({ "uri": "s3://b/k", "version": null, "sha256": "ab" });
        let changes = changes.iter().map(|(item, before, now)| {
            json!({ "item": item, "before": before, "left": now, "now": now, "accepted": false })
        });
        json!({
            "schema": Plan::SCHEMA, "execution": wire::execution(), "at": "t",
            "incident": wire::execution(), "case": "0001", "principal": principal,
            "finding": { "id": "f", "title": "", "severity": "", "account": "222222222222" },
            "evidence": { "original": stored, "left": null, "now": stored }, "files": [KNOWN],
            "changes": changes.collect::<Vec<_>>(), "inactive": [], "drift": [], "kept": [],
            "lost": [], "shown": [],
        })
    }

    fn is_stored(plan: &Value) -> Rule {
        let bytes = plan.to_string();
        mock!(aws_sdk_s3::Client::get_object).then_http_response(move || respond(200, &bytes))
    }

    /// What the folder holds, the first time and then.
    fn lists(first: &'static [&'static str], then: &'static [&'static str]) -> Rule {
        let asked = Mutex::new(false);
        mock!(aws_sdk_s3::Client::list_objects_v2).then_http_response(move || {
            let mut asked = asked.lock().unwrap();
            let keys = if *asked { then } else { first };
            *asked = true;
            let folder = "evidence/222222222222/AIDAEVE";
            let keys =
                keys.iter().map(|key| format!("<Contents><Key>{folder}/{key}</Key></Contents>"));
            let keys = keys.collect::<String>();
            respond(200, &format!("<ListBucketResult>{keys}</ListBucketResult>"))
        })
    }

    fn input(stage: Stage, plan: &Value) -> Input {
        let sha256 = hex_digest(plan.to_string().as_bytes());
        let plan = Stored { uri: "s3://b/plans/p.json".into(), version: None, sha256 };
        Input { execution: wire::execution(), stage, plan, groups: true, deny_again: false }
    }

    /// Does a stage, where these rules are all that may be called.
    async fn does(
        stage: Stage,
        plan: &Value,
        list: &Rule,
        iam: &[&Rule],
    ) -> (Result<Vec<String>, Failure>, Vec<Value>) {
        let policies = std::sync::Arc::default();
        let sts = wire::sts(&[&wire::lets_in_with(&policies)]);
        let entry = Entry::new(sts, wire::iam(iam), "role".into(), "id".into());
        let bucket = Bucket::new(wire::s3(&[&is_stored(plan), list]), "b".into());
        let output = apply_restore(&entry, &bucket, input(stage, plan)).await;
        let policies = policies.lock().unwrap();
        let policies = policies.iter().map(|policy| serde_json::from_str(policy).unwrap());
        let policies = policies.collect();
        (output.map(|output| output.done), policies)
    }

    fn statement(action: &str, resources: &[&str], condition: Option<Value>) -> Value {
        let mut statement = json!({ "Effect": "Allow", "Action": [action], "Resource": resources });
        if let Some(condition) = condition {
            statement["Condition"] = json!({ "ArnEquals": condition });
        }
        statement
    }

    #[tokio::test]
    async fn each_change_has_a_session_that_may_make_it_and_nothing_else() {
        let eve_alone =
            ["arn:aws:iam::222222222222:user/eve", "arn:aws:iam::222222222222:user/*/eve"];
        let group = ["arn:aws:iam::222222222222:group/g", "arn:aws:iam::222222222222:group/*/g"];
        let policy = |arn: &str| Some(json!({ "iam:PolicyARN": arn }));
        let own_key = json!({ "type": "credential", "kind": "accessKey", "id": "AKIA" });
        let nothing = Value::Null;
        let rules = [
            mock!(Client::add_user_to_group)
                .match_requests(|add| {
                    (add.user_name(), add.group_name()) == (Some("eve"), Some("g"))
                })
                .then_http_response(done),
            mock!(Client::attach_user_policy)
                .match_requests(|to| to.policy_arn() == Some(OWN))
                .then_http_response(done),
            mock!(Client::put_user_policy)
                .match_requests(|put| put.policy_document() == Some("{ }\n"))
                .then_http_response(done),
            mock!(Client::untag_user)
                .match_requests(|untag| untag.tag_keys() == ["FindingId"])
                .then_http_response(done),
            mock!(Client::update_access_key)
                .match_requests(|update| {
                    update.user_name() == Some("eve")
                        && update.status().is_some_and(|status| status.as_str() == "Active")
                })
                .then_http_response(done),
            mock!(Client::delete_user_permissions_boundary).then_http_response(done),
        ];
        for (stage, change, action, resources, condition) in [
            (
                Stage::GiveBack,
                (json!({ "type": "group", "name": "g" }), json!("g"), nothing.clone()),
                "iam:AddUserToGroup",
                group,
                None,
            ),
            (
                Stage::GiveBack,
                (json!({ "type": "policy", "arn": OWN }), json!(OWN), nothing.clone()),
                "iam:AttachUserPolicy",
                eve_alone,
                policy(OWN),
            ),
            (
                Stage::GiveBack,
                (json!({ "type": "inline", "name": "i" }), json!("{ }\n"), nothing.clone()),
                "iam:PutUserPolicy",
                eve_alone,
                None,
            ),
            (
                Stage::GiveBack,
                (json!({ "type": "tag", "key": "FindingId" }), nothing.clone(), json!("f")),
                "iam:UntagUser",
                eve_alone,
                None,
            ),
            (
                Stage::SetStatuses,
                (own_key, json!("Active"), json!("Inactive")),
                "iam:UpdateAccessKey",
                eve_alone,
                None,
            ),
            (
                Stage::LiftDeny,
                (json!({ "type": "boundary" }), nothing.clone(), json!(DENY)),
                "iam:DeleteUserPermissionsBoundary",
                eve_alone,
                None,
            ),
        ] {
            let plan = plan(&eve(), &[change]);
            let shows = bears("FindingId");
            let all: Vec<&Rule> = std::iter::once(&shows).chain(&rules).collect();
            let (output, policies) = does(stage, &plan, &lists(&[KNOWN], &[KNOWN]), &all).await;
            assert_eq!(output.unwrap().len(), 1, "{action}");
            let see = statement("iam:GetUser", &eve_alone, None);
            let may = statement(action, &resources, condition);
            let expected = json!({ "Version": "2012-10-17", "Statement": [see, may] });
            assert_eq!(policies, [expected], "{action}");
        }
        assert_eq!(rules.each_ref().map(Rule::num_calls), [1; 6]);
    }

    /// IAM shows `eve` with a tag.
    fn bears(key: &'static str) -> Rule {
        mock!(Client::get_user).then_http_response(move || eve_with(key))
    }

    fn eve_with(key: &str) -> wire::HttpResponse {
        let tag = format!("<member><Key>{key}</Key><Value>v</Value></member>");
        let incident::Principal { arn, name, path, id, .. } = eve();
        let user = format!(
            "<Arn>{arn}</Arn><UserName>{name}</UserName><UserId>{id}</UserId><Path>{path}</Path>\
             <CreateDate>1970-01-01T00:00:00Z</CreateDate><Tags>{tag}</Tags>"
        );
        wire::answer("GetUser", &format!("<User>{user}</User>"))
    }

    /// Once the tag is gone, IAM would refuse to take it away again.
    #[tokio::test]
    async fn a_tag_that_is_gone_already_is_not_taken_away_again() {
        let incident = (json!({ "type": "incident" }), Value::Null, json!("true"));
        let plan = plan(&eve(), &[incident]);
        for (key, calls) in [("SecurityIncident", 1), ("team", 0)] {
            let untag = mock!(Client::untag_user)
                .match_requests(|untag| untag.tag_keys() == ["SecurityIncident"])
                .then_http_response(done);
            let list = lists(&[KNOWN], &[KNOWN]);
            let rules = [&bears(key), &untag];
            let (output, _) = does(Stage::RemoveTag, &plan, &list, &rules).await;
            assert_eq!(output.unwrap(), ["tag/SecurityIncident"]);
            assert_eq!(untag.num_calls(), calls, "{key}");
        }
    }

    /// As where the answer was lost, and the SDK has asked again.
    #[tokio::test]
    async fn a_tag_whose_removal_is_refused_may_be_gone_all_the_same() {
        let incident = (json!({ "type": "incident" }), Value::Null, json!("true"));
        let plan = plan(&eve(), &[incident]);
        for (then, expected) in [("team", None), ("SecurityIncident", Some("AccessDenied"))] {
            let untag = mock!(Client::untag_user).then_http_response(|| error("AccessDenied"));
            let asked = Mutex::new(false);
            let shows = mock!(Client::get_user).then_http_response(move || {
                let mut asked = asked.lock().unwrap();
                eve_with(if std::mem::replace(&mut *asked, true) {
                    then
                } else {
                    "SecurityIncident"
                })
            });
            let list = lists(&[KNOWN], &[KNOWN]);
            let (output, _) = does(Stage::RemoveTag, &plan, &list, &[&shows, &untag]).await;
            assert_eq!(output.err().map(|it| it.name()), expected);
            assert_eq!(untag.num_calls(), 1);
        }
    }

    #[tokio::test]
    async fn a_namesake_is_given_nothing() {
        let attach = mock!(Client::attach_user_policy).then_http_response(done);
        let change = (json!({ "type": "policy", "arn": OWN }), json!(OWN), Value::Null);
        let rules = [&shows(&namesake(), None), &attach];
        let list = lists(&[KNOWN], &[KNOWN]);
        let (output, _) = does(Stage::GiveBack, &plan(&eve(), &[change]), &list, &rules).await;
        assert_eq!(output.unwrap_err().name(), "PrincipalVanished");
        assert_eq!(attach.num_calls(), 0);
    }

    #[tokio::test]
    async fn what_is_done_already_is_no_failure_and_what_is_gone_is_one() {
        let gone = || error("NoSuchEntity");
        for (before, rule, expected) in [
            (Value::Null, mock!(Client::detach_role_policy).then_http_response(gone), Ok(1)),
            (
                json!(OWN),
                mock!(Client::attach_role_policy).then_http_response(gone),
                Err("NotFound"),
            ),
        ] {
            let now = if before.is_null() { json!(OWN) } else { Value::Null };
            let change = (json!({ "type": "policy", "arn": OWN }), before, now);
            let rules = [&shows(&builder(), None), &rule];
            let list = lists(&[KNOWN], &[KNOWN]);
            let plan = plan(&builder(), &[change]);
            let (output, _) = does(Stage::GiveBack, &plan, &list, &rules).await;
            assert_eq!(output.map(|done| done.len()).map_err(|failure| failure.name()), expected);
        }
    }

    #[tokio::test]
    async fn the_deny_is_lifted_only_while_no_other_incident_has_come() {
        let deny = (json!({ "type": "deny" }), Value::Null, json!(DENY));
        for (first, then, lifted, expected) in [
            (&[KNOWN][..], &[KNOWN][..], 1, Ok(1)),
            (&[KNOWN, "0001/other.json"], &[KNOWN], 0, Err("IncidentMeanwhile")),
            (&[KNOWN], &[KNOWN, "0002/original.json"], 1, Err("IncidentMeanwhile")),
        ] {
            let detach = mock!(Client::detach_user_policy).then_http_response(done);
            let rules = [&shows(&eve(), None), &detach];
            let plan = plan(&eve(), std::slice::from_ref(&deny));
            let (output, _) = does(Stage::LiftDeny, &plan, &lists(first, then), &rules).await;
            let output = output.map(|done| done.len()).map_err(|failure| failure.name());
            assert_eq!(output, expected, "{first:?} {then:?}");
            assert_eq!(detach.num_calls(), lifted);
        }
    }

    #[tokio::test]
    async fn room_is_made_only_while_the_boundary_denies() {
        let changes = [
            (json!({ "type": "boundary" }), Value::Null, json!(DENY)),
            (json!({ "type": "deny" }), Value::Null, json!(DENY)),
        ];
        for (boundary, files, expected) in [
            (Some(DENY), &[KNOWN][..], Ok(vec!["deny".to_owned()])),
            (Some(DENY), &[KNOWN, "0001/other.json"], Err("IncidentMeanwhile")),
            (Some(OWN), &[KNOWN], Err("AccountChanged")),
            (None, &[KNOWN], Err("AccountChanged")),
        ] {
            let mut plan = plan(&eve(), &changes);
            plan["makesRoom"] = json!(true);
            let detach = mock!(Client::detach_user_policy).then_http_response(done);
            let rules = [&shows(&eve(), boundary), &detach];
            let (output, _) = does(Stage::GiveBack, &plan, &lists(files, files), &rules).await;
            assert_eq!(detach.num_calls(), usize::from(expected.is_ok()), "{boundary:?}");
            assert_eq!(output.map_err(|failure| failure.name()), expected, "{boundary:?}");
        }
    }

    #[tokio::test]
    async fn where_no_room_is_left_an_incident_that_has_come_is_why() {
        for (files, expected) in
            [(&[KNOWN][..], "LimitExceeded"), (&[KNOWN, "0001/other.json"], "IncidentMeanwhile")]
        {
            let full =
                mock!(Client::attach_user_policy).then_http_response(|| error("LimitExceeded"));
            let change = (json!({ "type": "policy", "arn": OWN }), json!(OWN), Value::Null);
            let rules = [&shows(&eve(), None), &full];
            let plan = plan(&eve(), &[change]);
            let (output, _) = does(Stage::GiveBack, &plan, &lists(files, files), &rules).await;
            assert_eq!(output.unwrap_err().name(), expected);
        }
    }

    #[tokio::test]
    async fn the_deny_is_put_back_whoever_has_come() {
        let changes = [
            (json!({ "type": "boundary" }), json!(OWN), json!(DENY)),
            (json!({ "type": "deny" }), Value::Null, json!(DENY)),
        ];
        let attach = mock!(Client::attach_user_policy)
            .match_requests(|to| to.policy_arn() == Some(DENY))
            .then_http_response(done);
        let input = Input { deny_again: true, ..input(Stage::LiftDeny, &plan(&eve(), &changes)) };
        let entry = Entry::new(
            wire::sts(&[&wire::lets_in()]),
            wire::iam(&[&shows(&eve(), None), &attach]),
            "role".into(),
            "id".into(),
        );
        let bucket = Bucket::new(wire::s3(&[&is_stored(&plan(&eve(), &changes))]), "b".into());
        apply_restore(&entry, &bucket, input).await.unwrap();
        assert_eq!(attach.num_calls(), 1);
    }

    #[tokio::test]
    async fn another_plan_than_that_of_the_digest_is_not_carried_out() {
        let forged = plan(&eve(), &[]);
        let bucket = Bucket::new(wire::s3(&[&is_stored(&forged)]), "b".into());
        let entry = Entry::new(wire::sts(&[]), wire::iam(&[]), "role".into(), "id".into());
        let uri = "s3://b/plans/p.json".into();
        let stored = Stored { uri, version: None, sha256: "5e".repeat(32) };
        let input = Input {
            execution: wire::execution(),
            stage: Stage::GiveBack,
            plan: stored,
            groups: true,
            deny_again: false,
        };
        let failure = apply_restore(&entry, &bucket, input).await.unwrap_err();
        assert_eq!(failure.name(), "EvidenceMismatch");
    }
}
