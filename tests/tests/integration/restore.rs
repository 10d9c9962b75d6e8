//! What a restore would give back: planned by the incident's own history, shown item by item,
//! and nothing of it done.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use aws_sdk_iam::types::Tag;
use aws_sdk_securityhub::types::AwsSecurityFindingIdentifier;
use harness::commands::Printed;
use harness::evidence::Evidence;
use harness::execution::Execution;
use harness::faults::Strike;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, User, allow_all};
use harness::{MEMBERS, SECURITY};
use serde_json::{Value, json};

use crate::cases;
use crate::trials::Trials;
use crate::users::POWER_USER;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("restore: a plan gives back each item, and drift stays as it is", whole);
    trials.add("restore: what stands behind a policy or a group is compared", behind);
    trials.add("restore: a role is planned, and whom it trusts now is told", role);
    trials.add("restore: who was retired is planned with its keys alone", retired);
    trials.add("restore: an older case and a running or waiting incident are refused", refused);
    trials.add("restore: what is planted or poisoned is shown, and a namesake refused", poisoned);
}

/// A plan, and where it lies.
pub(crate) struct Planned {
    execution: Execution,
    pub(crate) plan: Value,
    object: Evidence,
}

/// Plans, and holds against the record of calls that nothing was changed in the member account,
/// and that nothing but plans was written.
pub(crate) async fn plan(aws: &LocalAws, input: &Value) -> Result<Planned> {
    aws.quiet(input["execution"].as_str().context("it names no incident")?).await?;
    let execution = aws.start_restore(input).await?;
    let ended = execution.succeeds().await?;
    let output: Value = serde_json::from_str(&ended.output.unwrap_or_default())?;
    changes_nothing(aws, &execution).await?;
    let uri = output["plan"]["uri"].as_str().context("the plan lies nowhere")?;
    ensure!(uri.contains("/plans/"), "the plan lies at `{uri}`");
    let object = aws.evidence_at(uri).await?;
    ensure!(output["digest"] == object.sha256(), "its digest is {}", output["digest"]);
    let plan = object.json()?;
    ensure!(plan["execution"] == execution.arn, "it is {}'s", plan["execution"]);
    Ok(Planned { execution, plan, object })
}

async fn changes_nothing(aws: &LocalAws, execution: &Execution) -> Result<()> {
    let calls = aws.calls_of(execution).await?;
    let changing: Vec<_> = calls.iter().filter(|call| !call.read_only).collect();
    ensure!(changing.is_empty(), "planning has called {changing:?}");
    Ok(())
}

/// The name of the failure, of which people are told, and its words.
async fn refusal(aws: &LocalAws, input: &Value) -> Result<(String, String)> {
    let execution = aws.start_restore(input).await?;
    execution.fails().await?;
    changes_nothing(aws, &execution).await?;
    let history = execution.history().await?;
    let mail = aws.topics().alerts.mention(execution.name()).await?;
    // What comes after it may fail as well before it is served, the report above all.
    let mut failed = history.events.iter().filter_map(|it| it.task_failed_event_details.as_ref());
    let failed = failed.rfind(|it| it.error.as_ref().is_some_and(|it| mail.text.contains(it)));
    let failed = failed.with_context(|| format!("the mail says: {}", mail.page))?;
    let [error, cause] = [&failed.error, &failed.cause].map(|it| it.clone().unwrap_or_default());
    Ok((error, cause))
}

async fn is_refused(aws: &LocalAws, input: &Value, name: &str, words: &str) -> Result<()> {
    let (error, cause) = refusal(aws, input).await?;
    ensure!(error == name && cause.contains(words), "refused with {error}: {cause}");
    Ok(())
}

/// Items by their names, each with its three states.
fn items(plan: &Value, part: &str) -> Vec<(String, [Value; 3])> {
    let all = plan[part].as_array().into_iter().flatten();
    let states = |it: &Value| ["before", "left", "now"].map(|state| it[state].clone());
    all.map(|it| (name(&it["item"]), states(it))).collect()
}

/// An item's name, as a person gives it.
fn name(item: &Value) -> String {
    let field = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
    match item["type"].as_str().unwrap_or_default() {
        "group" => format!("group/{}", field("name")),
        "policy" => format!("policy/{}", field("arn")),
        "inline" => format!("inline/{}", field("name")),
        "tag" => format!("tag/{}", field("key")),
        "credential" => format!("{}/{}", field("kind"), field("id")),
        "incident" => "tag/SecurityIncident".to_owned(),
        other => other.to_owned(),
    }
}

fn names(plan: &Value, part: &str) -> BTreeSet<String> {
    items(plan, part).into_iter().map(|(name, _)| name).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Who is lost or shown of a kind.
pub(crate) fn of_kind<'a>(plan: &'a Value, part: &str, kind: &str) -> Vec<&'a Value> {
    plan[part].as_array().into_iter().flatten().filter(|one| one["type"] == kind).collect()
}

fn state_of(plan: &Value, part: &str, item: &str) -> Result<[Value; 3]> {
    let found = items(plan, part).into_iter().find(|(name, _)| name == item);
    let (_, states) = found.with_context(|| format!("`{item}` is not in `{part}`: {plan:#}"))?;
    Ok(states)
}

/// A policy document as nobody would write it who is not a person.
const ODD: &str = "{ \"Version\":\t\"2012-10-17\",\n  \"Statement\" : [ {\"Sid\": \"\",\r\n\
                   \"Effect\":\"Allow\",  \"Action\":\"s3:*\",\"Resource\":\"arn:aws:s3:::caf\u{e9}/*\" } ]\n }\n";

const OURS: [&str; 5] = [
    "tag/RemediationDate",
    "tag/FindingId",
    "tag/CordonExecution",
    "tag/CordonEvidence",
    "tag/CordonEvidenceSha256",
];

async fn put_inline(user: &User, name: &str, document: &str) -> Result<()> {
    let put = user.account_root().iam().put_user_policy().user_name(&user.name);
    put.policy_name(name).policy_document(document).send().await?;
    Ok(())
}

async fn contain(aws: &LocalAws, user: &User) -> Result<Execution> {
    let execution = aws.respond_to(&Finding::about(user).with("Id", aws.unique("restore"))).await?;
    execution.succeeds().await?;
    ensure!(user.read_back().await?.left().is_empty(), "it is not contained");
    Ok(execution)
}

async fn whole(aws: &LocalAws) -> Result<()> {
    let boundary = POWER_USER;
    let user = aws.user().path("/a team/*/".replace(' ', "-")).boundary(boundary).create().await?;
    let iam = user.account_root().iam();
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let own = user.attach_new(1).await?.remove(0);
    put_inline(&user, "odd", ODD).await?;
    put_inline(&user, "second", ODD).await?;
    let group = user.join_new_group("admins", ADMINISTRATOR_ACCESS).await?;
    let key = user.access_key().await?.id;
    let old = user.access_key().await?.id;
    user.deactivate(&old).await?;
    let ssh = user.ssh_key().await?;
    let certificate = user.signing_certificate().await?;
    let password = user.service_specific_credential("codecommit.amazonaws.com").await?;
    user.tag("team", "caf\u{e9} bleu").await?;
    user.tag("FindingId", "set by the customer").await?;
    iam.create_login_profile().user_name(&user.name).password("Correct-horse-1").send().await?;
    let device = mfa(&user, "one").await?;
    let incident = contain(aws, &user).await?;
    let input = json!({ "execution": incident.arn });

    let Planned { execution, plan: first, object } = plan(aws, &input).await?;
    ensure!(first["incident"] == incident.arn && first["case"] == "0001", "{first:#}");
    ensure!(first["principal"]["id"] == user.id && first["principal"]["arn"] == user.arn);
    let policies = [ADMINISTRATOR_ACCESS, &own].map(|arn| format!("policy/{arn}"));
    let group_item = format!("group/{group}");
    let expected = set(&[
        &[group_item.as_str(), &policies[0], &policies[1], "inline/odd", "inline/second"],
        OURS.as_slice(),
        &["boundary", "deny", "tag/SecurityIncident"],
    ]
    .concat());
    ensure!(names(&first, "changes") == expected, "{first:#}");
    let order: Vec<_> = items(&first, "changes").into_iter().map(|(name, _)| name).collect();
    ensure!(order[0] == group_item, "it begins with {order:?}");
    ensure!(order[order.len() - 3..] == ["boundary", "deny", "tag/SecurityIncident"], "{order:?}");
    let nothing = Value::Null;
    for (item, states) in [
        ("inline/odd", [json!(ODD), nothing.clone(), nothing.clone()]),
        ("boundary", [json!(boundary), json!(DENY_ALL), json!(DENY_ALL)]),
        ("deny", [nothing.clone(), json!(DENY_ALL), json!(DENY_ALL)]),
        ("tag/SecurityIncident", [nothing.clone(), json!("true"), json!("true")]),
    ] {
        ensure!(state_of(&first, "changes", item)? == states, "`{item}` of {first:#}");
    }
    let [before, left, now] = state_of(&first, "changes", "tag/FindingId")?;
    ensure!(before == "set by the customer" && left == now, "{before} {left} {now}");
    let ids = |part: &str| -> BTreeSet<String> {
        let all = first[part].as_array().into_iter().flatten();
        all.filter_map(|one| one["id"].as_str().map(str::to_owned)).collect()
    };
    ensure!(ids("inactive") == set(&[&key, &ssh, &certificate, &password]), "{first:#}");
    let kept: BTreeSet<_> = first["kept"].as_array().into_iter().flatten().map(name).collect();
    ensure!(kept == set(&["tag/team", &format!("accessKey/{old}")]), "kept: {kept:?}");
    // How many executions of other trials wait for a redrive, nobody knows.
    let shown = first["shown"].as_array().into_iter().flatten();
    let shown: Vec<_> = shown.filter(|one| one["type"] != "notAsked").collect();
    ensure!(first["drift"] == json!([]) && shown.is_empty(), "{first:#}");
    let lost = of_kind(&first, "lost", "passwordToChange");
    ensure!(lost.len() == 1 && lost[0]["since"] == false, "{first:#}");
    ensure!(first["lost"].as_array().is_some_and(|lost| lost.len() == 1), "{first:#}");
    let told = aws.topics().alerts.mention(&object.sha256()).await?;
    ensure!(told.text.contains(&user.name), "the mail says: {}", told.page);
    // What is planned is written once for a pass: a step that runs again answers the same.
    for (arguments, answer) in execution.history().await?.invocations_by_state()?.into_values() {
        let again = aws.perform("lambda:invoke", &arguments).await?;
        ensure!(again["Payload"] == answer, "the second time, {again:#}");
    }

    // Of what has changed since, everything is shown, and nothing touched.
    user.attach(POWER_USER).await?;
    put_inline(&user, "odd", &allow_all().to_string()).await?;
    iam.put_user_permissions_boundary()
        .user_name(&user.name)
        .permissions_boundary(ADMINISTRATOR_ACCESS)
        .send()
        .await?;
    user.tag("team", "other").await?;
    user.tag("CordonEvidence", "s3://elsewhere/original.json").await?;
    iam.delete_access_key().user_name(&user.name).access_key_id(&key).send().await?;
    let new = user.access_key().await?.id;
    let second = mfa(&user, "two").await?;
    let mut renamed = user.clone();
    renamed.rename(aws.unique("renamed")).await?;
    let before = renamed.read_back().await?;
    let drifted = plan(aws, &input).await?.plan;
    ensure!(renamed.read_back().await? == before, "planning has changed the user");
    let right = format!("policy/{POWER_USER}");
    let drift = ["inline/odd", "boundary", "tag/team", "tag/CordonEvidence", right.as_str()];
    ensure!(names(&drifted, "drift") == set(&drift), "{drifted:#}");
    let states = [json!(ODD), nothing.clone(), json!(allow_all().to_string())];
    ensure!(state_of(&drifted, "drift", "inline/odd")? == states, "{drifted:#}");
    let states = [json!(boundary), json!(DENY_ALL), json!(ADMINISTRATOR_ACCESS)];
    ensure!(state_of(&drifted, "drift", "boundary")? == states, "{drifted:#}");
    ensure!(drifted["principal"]["arn"] == renamed.arn, "{:#}", drifted["principal"]);
    ensure!(of_kind(&drifted, "shown", "renamed")[0]["before"] == user.arn, "{drifted:#}");
    let says = of_kind(&drifted, "shown", "tagDiffers");
    ensure!(says[0]["says"] == "s3://elsewhere/original.json", "{drifted:#}");
    for (kind, field, value) in [
        ("credentialGone", "id", &key),
        ("credentialMadeSince", "id", &new),
        ("mfaMadeSince", "serial", &second),
    ] {
        let lost = of_kind(&drifted, "lost", kind);
        ensure!(lost.len() == 1 && lost[0][field] == *value, "{kind}: {drifted:#}");
    }
    ensure!(!drifted["lost"].to_string().contains(&device), "{drifted:#}");

    // Accepted by name it is done, and what is named that has not drifted is refused.
    let chosen = json!({
        "execution": incident.arn, "accept": drift, "activate": [ssh],
    });
    let accepted = plan(aws, &chosen).await?.plan;
    ensure!(accepted["drift"] == json!([]), "{accepted:#}");
    let all = accepted["changes"].as_array().into_iter().flatten();
    let by_person = all.filter(|one| one["accepted"] == true).map(|one| name(&one["item"]));
    ensure!(by_person.collect::<BTreeSet<_>>() == set(&drift), "{accepted:#}");
    let states = [json!("Active"), json!("Inactive"), json!("Inactive")];
    let item = format!("sshPublicKey/{ssh}");
    ensure!(state_of(&accepted, "changes", &item)? == states, "{accepted:#}");
    for (field, wrong) in [("accept", "inline/second"), ("activate", old.as_str())] {
        let mut input = input.clone();
        input[field] = json!([wrong]);
        is_refused(aws, &input, "ChoiceUnclear", wrong).await?;
    }

    let variables = [("EXECUTION", incident.arn.as_str()), ("ACTIVATE", &ssh)];
    let Printed { status, text } = aws.command("restore", &variables).await?;
    ensure!(status.success() && text.contains(&renamed.name), "it printed {text}");
    let variables = [("EXECUTION", incident.arn.as_str()), ("ACCEPT", "tag/no\\ such")];
    let Printed { status, text } = aws.command("restore", &variables).await?;
    ensure!(!status.success() && text.contains("ChoiceUnclear: "), "it printed {text}");
    ensure!(text.contains("`tag/no such`"), "it printed {text}");
    Ok(())
}

/// A virtual MFA device of the user's. Returns its serial number.
async fn mfa(user: &User, suffix: &str) -> Result<String> {
    let iam = user.account_root().iam();
    let name = format!("{}-{suffix}", user.id);
    let made = iam.create_virtual_mfa_device().virtual_mfa_device_name(name).send().await?;
    let serial = made.virtual_mfa_device.context("no device")?.serial_number;
    let enable = iam.enable_mfa_device().user_name(&user.name).serial_number(&serial);
    enable.authentication_code1("123456").authentication_code2("654321").send().await?;
    Ok(serial)
}

async fn behind(aws: &LocalAws) -> Result<()> {
    let iam = aws.account(MEMBERS[0]).iam();
    let made = iam.create_policy().policy_name(aws.unique("boundary"));
    let made = made.policy_document(allow_all().to_string()).send().await?;
    let boundary = made.policy.and_then(|policy| policy.arn).context("IAM made no policy")?;
    let user = aws.user().boundary(&boundary).create().await?;
    let policies = user.attach_new(2).await?;
    let gone_group = user.join_new_group("gone", ADMINISTRATOR_ACCESS).await?;
    let changed_group = user.join_new_group("changed", POWER_USER).await?;
    let same_group = user.join_new_group("same", POWER_USER).await?;
    let incident = contain(aws, &user).await?;

    let [gone, changed] = policies.as_slice() else { anyhow::bail!("{policies:?}") };
    iam.delete_policy().policy_arn(gone).send().await?;
    for policy in [changed, &boundary] {
        let version = iam.create_policy_version().policy_arn(policy).policy_document(ODD);
        version.set_as_default(true).send().await?;
    }
    let detach = iam.detach_group_policy().group_name(&gone_group);
    detach.policy_arn(ADMINISTRATOR_ACCESS).send().await?;
    iam.delete_group().group_name(&gone_group).send().await?;
    iam.attach_group_policy()
        .group_name(&changed_group)
        .policy_arn(ADMINISTRATOR_ACCESS)
        .send()
        .await?;

    let input = json!({ "execution": incident.arn });
    let planned = plan(aws, &input).await?.plan;
    let why = |name: &str| {
        let all = planned["drift"].as_array().into_iter().flatten();
        let found = all.into_iter().find(|one| self::name(&one["item"]) == name);
        found.map(|one| one["why"].clone())
    };
    let changed_item = format!("policy/{changed}");
    for (item, expected) in [
        (format!("policy/{gone}"), "gone"),
        (changed_item.clone(), "changedBehind"),
        (format!("group/{gone_group}"), "gone"),
        (format!("group/{changed_group}"), "changedBehind"),
        ("boundary".to_owned(), "changedBehind"),
    ] {
        ensure!(why(&item) == Some(json!(expected)), "`{item}` of {planned:#}");
    }
    ensure!(names(&planned, "changes").contains(&format!("group/{same_group}")), "{planned:#}");
    for (kind, field, value) in [
        ("policyGone", "arn", gone),
        ("groupGone", "name", &gone_group),
        ("groupChanged", "name", &changed_group),
    ] {
        let lost = of_kind(&planned, "lost", kind);
        ensure!(lost.len() == 1 && lost[0][field] == *value, "{kind}: {planned:#}");
    }
    let says: Vec<_> = of_kind(&planned, "lost", "policyChanged")
        .into_iter()
        .map(|lost| (lost["arn"].as_str().unwrap_or_default(), lost["now"].clone()))
        .collect();
    let now = json!({ "version": "v2", "document": ODD });
    ensure!(says == [(changed.as_str(), now.clone()), (&boundary, now)], "{says:#?}");
    let lost = of_kind(&planned, "lost", "groupChanged")[0];
    ensure!(lost["policies"] == json!([ADMINISTRATOR_ACCESS]), "{lost:#}");

    let chosen = json!({ "execution": incident.arn, "accept": [changed_item] });
    let accepted = plan(aws, &chosen).await?.plan;
    ensure!(names(&accepted, "changes").contains(&changed_item), "{accepted:#}");
    let chosen = json!({ "execution": incident.arn, "accept": [format!("policy/{gone}")] });
    is_refused(aws, &chosen, "ChoiceUnclear", "does not exist any more").await
}

async fn role(aws: &LocalAws) -> Result<()> {
    let role = aws.role().path("/builders/").create().await?;
    let iam = role.account_root().iam();
    role.attach(ADMINISTRATOR_ACCESS).await?;
    role.put_inline("allow-all", &allow_all()).await?;
    let finding = cases::finding(aws, "custom-administrator-role")?;
    let finding = cases::about(&finding, "AwsIamRole", &role.arn);
    aws.store(&finding).await?;
    let incident = aws.execution_to_be();
    aws.start_as(&incident, &finding.chosen()).await?;
    incident.succeeds().await?;
    ensure!(role.read_back().await?.left().is_empty(), "it is not contained");
    let profile = role.join_new_instance_profile().await?;
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{}:root", MEMBERS[1]) },
            "Action": "sts:AssumeRole",
        }],
    });
    iam.update_assume_role_policy()
        .role_name(&role.name)
        .policy_document(trust.to_string())
        .send()
        .await?;
    let planned = plan(aws, &json!({ "execution": incident.arn })).await?.plan;
    let policy = format!("policy/{ADMINISTRATOR_ACCESS}");
    let expected = [
        &[policy.as_str(), "inline/allow-all", "boundary", "deny", "tag/SecurityIncident"],
        OURS.as_slice(),
    ];
    ensure!(names(&planned, "changes") == set(&expected.concat()), "{planned:#}");
    ensure!(planned["inactive"] == json!([]) && planned["drift"] == json!([]), "{planned:#}");
    let lost = of_kind(&planned, "lost", "instanceProfileMadeSince");
    ensure!(lost.len() == 1 && lost[0]["arn"] == profile, "{planned:#}");
    let lost = of_kind(&planned, "lost", "trustChanged");
    ensure!(lost.len() == 1, "{planned:#}");
    let now: Value = serde_json::from_str(lost[0]["now"].as_str().unwrap_or_default())?;
    ensure!(now == trust, "{planned:#}");
    Ok(())
}

async fn retired(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let old = user.access_key().await?.id;
    aws.age(&user, 100).await?;
    let new = user.access_key().await?.id;
    let retirement = retire(aws, &user).await?;
    let planned = plan(aws, &json!({ "execution": retirement.arn })).await?.plan;
    ensure!(planned["case"].is_null() && planned["evidence"]["left"].is_null(), "{planned:#}");
    ensure!(names(&planned, "changes") == set(&["tag/CordonRetirement"]), "{planned:#}");
    ensure!(planned["inactive"][0]["id"] == old, "{planned:#}");
    ensure!(planned["drift"] == json!([]) && planned["lost"] == json!([]), "{planned:#}");
    let chosen = json!({ "execution": retirement.arn, "activate": [old] });
    let active = plan(aws, &chosen).await?.plan;
    ensure!(names(&active, "changes").contains(&format!("accessKey/{old}")), "{active:#}");
    let chosen = json!({ "execution": retirement.arn, "activate": [new] });
    is_refused(aws, &chosen, "ChoiceUnclear", &new).await?;

    // Retired again since: then that is first, until it was given back.
    aws.age(&user, 100).await?;
    let second = retire(aws, &user).await?;
    let input = json!({ "execution": retirement.arn });
    is_refused(aws, &input, "CaseNotNewest", second.name()).await?;
    let planned = plan(aws, &json!({ "execution": second.arn })).await?.plan;
    ensure!(planned["inactive"][0]["id"] == new, "{planned:#}");
    let untag = user.account_root().iam().untag_user().user_name(&user.name);
    untag.tag_keys("CordonRetirement").send().await?;
    let planned = plan(aws, &input).await?.plan;
    ensure!(of_kind(&planned, "shown", "retiredSince").len() == 1, "{planned:#}");

    // Contained since: then its case is first.
    contain(aws, &user).await?;
    is_refused(aws, &input, "CaseNotNewest", "/0001/").await
}

pub(crate) async fn retire(aws: &LocalAws, user: &User) -> Result<Execution> {
    let unused = cases::finding(aws, "control-unused-90-days")?;
    let unused = cases::about(&unused, "AwsIamUser", &user.arn);
    aws.import_as_service(&unused).await?;
    let retirement = aws.execution_of(&unused).await?;
    retirement.succeeds().await?;
    Ok(retirement)
}

async fn refused(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.access_key().await?;
    let first = contain(aws, &user).await?;
    // Given back by hand, and contained again.
    let iam = user.account_root().iam();
    iam.detach_user_policy().user_name(&user.name).policy_arn(DENY_ALL).send().await?;
    iam.delete_user_permissions_boundary().user_name(&user.name).send().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let second = contain(aws, &user).await?;
    is_refused(aws, &json!({ "execution": first.arn }), "CaseNotNewest", "/0002/").await?;
    plan(aws, &json!({ "execution": second.arn })).await?;

    // Another incident fails, and waits for its redrive: one of the case, and one that has not
    // even identified the user.
    let input = json!({ "execution": second.arn });
    for (step, action, own) in [
        ("Verify", "iam:ListAccessKeys", "IncidentPending"),
        ("AssumeRole", "iam:GetUser", "NothingToRestore"),
    ] {
        let later = Finding::about(&user).with("Id", aws.unique("later"));
        let refusing = aws.fault(action, Strike::Denied);
        let role = format!("arn:aws:sts::{}:assumed-role/SecurityRemediation-{step}", user.account);
        aws.store(&later).await?;
        let waiting = aws.execution_to_be();
        let session = format!("{role}/{}", harness::calls::source_identity(&waiting));
        let refusing = refusing.caller(session).always().stand().await?;
        aws.start_as(&waiting, &later.new_event()).await?;
        waiting.fails().await?;
        refusing.lift().await?;
        is_refused(aws, &input, "IncidentPending", waiting.name()).await?;
        let of_it = json!({ "execution": waiting.arn });
        is_refused(aws, &of_it, own, "").await?;
        let held = Strike::Held { milliseconds: 60_000 };
        let held = aws.fault("lambda:InvokeFunction", held).caller(waiting.name()).always();
        let held = held.stand().await?;
        waiting.redrive().await?;
        is_refused(aws, &input, "IncidentPending", "RUNNING").await?;
        held.lift().await?;
        waiting.succeeds().await?;
        plan(aws, &input).await?;
    }

    // What is none of ours, or has contained nobody.
    let foreign = second.arn.replace("cordon-incident-response", "cordon-readiness");
    for (incident, error) in [
        (foreign, "IncidentForeign"),
        (second.arn.replace(SECURITY, MEMBERS[0]), "IncidentForeign"),
        ("no ARN".to_owned(), "IncidentForeign"),
        (aws.execution_to_be().arn, "NothingToRestore"),
    ] {
        is_refused(aws, &json!({ "execution": incident }), error, "").await?;
    }
    let other = json!({ "execution": second.arn, "principal": "AIDAOTHER" });
    is_refused(aws, &other, "ChoiceUnclear", &user.id).await
}

async fn poisoned(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let finding = Finding::about(&user);
    let incident = aws.respond_to(&finding).await?;
    incident.succeeds().await?;
    let input = json!({ "execution": incident.arn, "principal": user.name });
    let folder = format!("evidence/{}/{}/0001/", user.account, user.id);
    let case = aws.case(&user, 1).await?;
    // Over the evidence, and beside it: more rights than there ever were.
    let mut forged = case.get("original.json").context("no original")?.json()?;
    forged["principal"]["inlinePolicies"] =
        json!([{ "name": "forged", "document": allow_all().to_string() }]);
    for key in ["original.json", "by-hand.json"] {
        aws.plant_evidence(&format!("{folder}{key}"), forged.to_string().as_bytes()).await?;
    }
    aws.plant_evidence(&format!("{folder}junk.json"), b"junk").await?;
    let elsewhere = "s3://elsewhere/original.json";
    let identifier = AwsSecurityFindingIdentifier::builder()
        .id(finding.id())
        .product_arn(finding.product())
        .build();
    aws.security()
        .security_hub()
        .batch_update_findings()
        .finding_identifiers(identifier)
        .user_defined_fields("CordonEvidence", elsewhere)
        .send()
        .await?;
    let planned = plan(aws, &input).await?.plan;
    ensure!(!planned["changes"].to_string().contains("forged"), "{planned:#}");
    let says = of_kind(&planned, "shown", "findingDiffers");
    ensure!(says.len() == 1 && says[0]["says"] == elsewhere, "{planned:#}");
    let strange: BTreeSet<_> = of_kind(&planned, "shown", "planted")
        .into_iter()
        .filter_map(|one| one["uri"].as_str().and_then(|uri| uri.rsplit('/').next()))
        .collect();
    ensure!(
        strange == BTreeSet::from(["original.json", "by-hand.json", "junk.json"]),
        "{strange:?}"
    );

    // Somebody else has the name: that is nobody to give anything to.
    let iam = user.account_root().iam();
    for policy in user.read_back().await?.attached {
        iam.detach_user_policy().user_name(&user.name).policy_arn(policy).send().await?;
    }
    iam.delete_user_permissions_boundary().user_name(&user.name).send().await?;
    iam.delete_user().user_name(&user.name).send().await?;
    iam.create_user()
        .user_name(&user.name)
        .tags(Tag::builder().key("SecurityIncident").value("true").build()?)
        .send()
        .await?;
    is_refused(aws, &input, "PrincipalVanished", &user.id).await
}
