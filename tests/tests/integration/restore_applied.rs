//! A restore that Cordon carries out itself, by a plan that a person has read: exactly that, or
//! nothing. What becomes of it when calls fail, [`crate::restore_faults`] tries.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, ensure};
use aws_sdk_iam::types::{StatusType, Tag};
use aws_sdk_sfn::types::ExecutionStatus;
use futures::future::try_join_all;
use harness::alone::{Alone, Apart};
use harness::commands::Printed;
use harness::evidence::Evidence;
use harness::execution::Execution;
use harness::faults::Strike;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::{Message, Telling};
use harness::place::repository;
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, Snapshot, User, allow_all};
use serde_json::{Value, json};

use crate::cases;
use crate::recurrence;
use crate::restore::retire;
use crate::restore_by_hand::{Everybody, given, lines};
use crate::trials::Trials;
use crate::users::POWER_USER;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_apart("restore: the README's three commands give back all but keys", commands);
    trials.add("restore: a tag of one's own and a key that rose are left to people", own_tag);
    trials.add("restore: keys retired twice come back by the second", retired_twice);
    trials.add("restore: without Security Hub it is planned and done", without_hub);
    trials.add("restore: what has changed since the plan ends it, whatever it is", stale);
    trials.add("restore: what has drifted stays, or goes where it was accepted by name", drifted);
    trials.add("restore: what has come to a role since goes where it was accepted", drifted_role);
    trials.add("restore: contained and restored twice, it is exact twice", twice);
    trials
        .add_alone("restore: the deny goes that a pass without evidence had put there", lost_pass);
    trials.add_alone("restore: groups are left to people unless Cordon may", by_hand);
    trials.add("restore: whoever asks says who it is and why, and for a plan of its own", unclear);
}

/// Plans the restore of an incident, and returns the plan's digest.
pub(crate) async fn plan(aws: &LocalAws, incident: &Execution, chosen: &Value) -> Result<String> {
    let mut input = chosen.clone();
    input["execution"] = json!(incident.arn);
    aws.quiet(&incident.arn).await?;
    let ended = aws.start_restore(&input).await?.succeeds().await?;
    let output: Value = serde_json::from_str(&ended.output.unwrap_or_default())?;
    Ok(output["digest"].as_str().context("the plan has no digest")?.to_owned())
}

/// How a person asks for a plan to be carried out.
pub(crate) fn asks(incident: &Execution, digest: &str, disposition: &str) -> Value {
    json!({
        "execution": incident.arn, "apply": digest, "disposition": disposition,
        "by": "Ada of the security team", "reason": "It was a test of our own.",
    })
}

/// Carries a plan out, and returns the text that people are told.
pub(crate) async fn restore(aws: &LocalAws, input: &Value) -> Result<String> {
    let execution = aws.start_restore(input).await?;
    let ended = execution.end().await?;
    let mail = aws.topics().alerts.mention(execution.name()).await?;
    ensure!(ended.status.as_str() == "SUCCEEDED", "it is not restored: {}", mail.page);
    let output: Value = serde_json::from_str(&ended.output.unwrap_or_default())?;
    let text = output["text"].as_str().context("nothing is told")?;
    ensure!(mail.page.contains(text.trim_end()), "the mail says: {}", mail.page);
    Ok(text.to_owned())
}

/// Has it fail with an error of this name, of which people are told.
async fn is_refused(aws: &LocalAws, input: &Value, name: &str, words: &str) -> Result<()> {
    let execution = aws.start_restore(input).await?;
    execution.fails().await?;
    let mail = aws.topics().alerts.mention(execution.name()).await?;
    let said = mail.page.split_whitespace().collect::<Vec<_>>().join(" ").replace("> ", "");
    ensure!(said.contains(name) && said.contains(words), "the mail says: {}", mail.page);
    Ok(())
}

async fn contain(aws: &LocalAws, user: &User) -> Result<Execution> {
    let incident = aws.respond_to(&Finding::about(user).with("Id", aws.unique("applied"))).await?;
    incident.succeeds().await?;
    ensure!(user.read_back().await?.left().is_empty(), "it is not contained");
    Ok(incident)
}

/// Its redrive meets the deny of its own first pass, which nothing but its history tells.
async fn lost_pass(alone: &Alone<'_>) -> Result<()> {
    let user = alone.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let before = user.read_back().await?;
    recurrence::fails_before_evidence(alone).await?;
    let finding = Finding::about(&user).with("Id", alone.unique("applied"));
    let incident = alone.respond_to(&finding).await?;
    incident.fails().await?;
    ensure!(user.read_back().await?.attached.contains(DENY_ALL), "it is under no deny");
    ensure!(alone.cases(&user).await? == 0, "it has evidence already");
    incident.redrive().await?;
    incident.succeeds().await?;
    ensure!(user.read_back().await?.left().is_empty(), "it is not contained");
    let digest = plan(alone, &incident, &json!({})).await?;
    restore(alone, &asks(&incident, &digest, "recovered")).await?;
    let now = user.read_back().await?;
    ensure!(now == before, "it was {before:?} and is {now:?}");
    Ok(())
}

/// The block of commands in the chapter for whoever is on call.
fn chapter() -> Result<Vec<String>> {
    let readme = fs::read_to_string(repository().join("statemachine/README.md"))?;
    let (_, chapter) = readme.split_once("\n## The way back").context("there is no way back")?;
    let (_, block) = chapter.split_once("```sh\n").context("it has no commands")?;
    let (block, _) = block.split_once("```").context("the block does not end")?;
    let commands: Vec<String> = block.lines().map(str::to_owned).collect();
    ensure!(commands.len() == 3, "they are {commands:?}");
    Ok(commands)
}

/// Runs a line of the README, in which these values stand for what is in angle brackets.
async fn run(apart: &Apart<'_>, line: &str, values: &[(&str, &str)]) -> Result<Printed> {
    let line = values
        .iter()
        .fold(line.to_owned(), |line, (place, value)| line.replace(&format!("<{place}>"), value));
    let arguments = given("make", &line).await?;
    let [target, config, variables @ ..] = arguments.as_slice() else {
        anyhow::bail!("it is no command: {line}")
    };
    ensure!(config == "CONFIG=cordon.json", "{line}");
    let variables: Vec<(&str, &str)> =
        variables.iter().filter_map(|variable| variable.split_once('=')).collect();
    apart.command(target, &variables).await
}

async fn commands(apart: &Apart<'_>) -> Result<()> {
    let everybody = Everybody::new(apart).await?;
    try_join_all(everybody.all.iter().map(async |(subject, activate)| {
        let incident = subject.contain(apart).await?;
        give_back(apart, &incident, activate).await
    }))
    .await?;
    everybody.is_back().await
}

async fn give_back(apart: &Apart<'_>, incident: &Execution, activate: &str) -> Result<()> {
    let [first, second, third] = chapter()?.try_into().ok().context("there are not three")?;
    let values = [("execution", incident.arn.as_str())];
    let pending = run(apart, &first, &values).await?;
    ensure!(!pending.text.contains(incident.name()), "it printed {}", pending.text);
    let second = match activate {
        "" => second,
        ids => second.replace("EXECUTION=", &format!("ACTIVATE='{ids}' EXECUTION=")),
    };
    let planned = run(apart, &second, &values).await?;
    ensure!(planned.status.success(), "nothing is planned: {}", planned.text);
    let apply = lines(&planned.text, "make");
    let apply = apply.iter().find(|line| line.contains("APPLY=")).context("it has no digest")?;
    let (_, digest) = apply.split_once("APPLY='").context("it has no digest")?;
    let (digest, _) = digest.split_once('\'').context("the digest does not end")?;
    ensure!(planned.text.contains(&format!("Plan {digest}")), "it printed {}", planned.text);
    let values = [values[0], ("digest", digest), ("why", "w"), ("who", "w")];
    let applied = run(apart, &third, &values).await?;
    ensure!(applied.status.success(), "nothing is given back: {}", applied.text);
    // What the deny kept from opening anything opens the account again.
    let has_password = planned.text.contains("the console password, made");
    let is_told = applied.text.contains("aws iam update-login-profile ");
    ensure!(has_password == is_told, "of a password it says: {}", applied.text);

    let all = apart.evidence_below("evidence/").await?;
    let records = all.iter().filter(|one| one.name() == "restored.json");
    let mut records = records.map(Evidence::json).collect::<Result<Vec<_>>>()?.into_iter();
    let record = records.find(|record| record["incident"] == incident.arn);
    let record = record.context("the case is not closed")?;
    ensure!(record["plan"]["sha256"] == digest, "{record:#}");
    ensure!(record["disposition"] == "recovered" && record["by"] == "w", "{record:#}");
    ensure!(record["leftOut"]["byHand"] == json!([]), "{record:#}");
    Ok(())
}

/// What is changed of whom after its restore was planned.
type Change = (&'static str, &'static str);

const CHANGES: [Change; 10] = [
    ("right", "policy/"),
    ("inline", "inline/"),
    ("group", "group/"),
    ("policy", "the policy"),
    ("boundary", "boundary"),
    ("tag", "tag/team"),
    ("key", "accessKey/"),
    ("new key", "accessKey/"),
    ("password", "console password"),
    ("name", "name or path"),
];

fn only_listing() -> Value {
    let statement = json!({ "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [statement] })
}

async fn change(user: &mut User, what: &str, aws: &LocalAws, policy: &str) -> Result<()> {
    let iam = user.account_root().iam();
    let name = user.name.clone();
    match what {
        "right" => user.attach(POWER_USER).await?,
        "inline" => user.put_inline("since", &allow_all()).await?,
        "group" => _ = user.join_new_group("since", POWER_USER).await?,
        "policy" => {
            let version = iam.create_policy_version().policy_arn(policy).set_as_default(true);
            version.policy_document(only_listing().to_string()).send().await?;
        }
        "boundary" => {
            let put = iam.put_user_permissions_boundary().user_name(name);
            put.permissions_boundary(ADMINISTRATOR_ACCESS).send().await?;
        }
        "tag" => user.tag("team", "other").await?,
        "key" => {
            let keys = iam.list_access_keys().user_name(&name).send().await?.access_key_metadata;
            let key = keys.into_iter().next().and_then(|key| key.access_key_id);
            iam.delete_access_key()
                .user_name(name)
                .access_key_id(key.context("it has no key")?)
                .send()
                .await?;
        }
        "new key" => _ = user.access_key().await?,
        "password" => {
            iam.create_login_profile().user_name(name).password("Correct-horse-1").send().await?;
        }
        "name" => user.rename(aws.unique("renamed")).await?,
        other => anyhow::bail!("nothing is known of `{other}`"),
    }
    Ok(())
}

async fn stale(aws: &LocalAws) -> Result<()> {
    let mut user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let policy = user.attach_new(1).await?.remove(0);
    user.access_key().await?;
    user.access_key().await?;
    let incident = contain(aws, &user).await?;
    for (what, named) in CHANGES {
        let digest = plan(aws, &incident, &json!({})).await?;
        change(&mut user, what, aws, &policy).await?;
        let before = user.read_back().await?;
        let asks = asks(&incident, &digest, "recovered");
        is_refused(aws, &asks, "AccountChanged", named).await.context(what)?;
        ensure!(user.read_back().await? == before, "{what}: it was changed all the same");
    }
    // Somebody's key is active by now, and is looked into first.
    let digest = plan(aws, &incident, &json!({})).await?;
    let asks = asks(&incident, &digest, "recovered");
    is_refused(aws, &asks, "CredentialMadeSince", "accessKey/").await?;
    let iam = user.account_root().iam();
    let keys = iam.list_access_keys().user_name(&user.name).send().await?.access_key_metadata;
    for key in keys.into_iter().filter_map(|key| key.access_key_id) {
        user.deactivate(&key).await?;
    }
    restore(aws, &asks).await?;
    let after = user.read_back().await?;
    // What came since is there, and what was taken is back, but for the policy that says
    // something else.
    ensure!(after.attached == set(&[ADMINISTRATOR_ACCESS, POWER_USER]), "{after:#?}");
    ensure!(after.boundary.as_deref() == Some(ADMINISTRATOR_ACCESS), "{after:#?}");
    ensure!(!after.tags.contains_key("SecurityIncident"), "{after:#?}");
    Ok(())
}

fn set(arns: &[&str]) -> BTreeSet<String> {
    arns.iter().map(|arn| (*arn).to_owned()).collect()
}

async fn drifted(aws: &LocalAws) -> Result<()> {
    for accepts in [false, true] {
        let user = aws.user().boundary(POWER_USER).create().await?;
        user.attach(ADMINISTRATOR_ACCESS).await?;
        user.put_inline("own", &only_listing()).await?;
        user.tag("team", "a").await?;
        let before = user.read_back().await?;
        let incident = contain(aws, &user).await?;
        let iam = user.account_root().iam();
        user.attach("arn:aws:iam::aws:policy/ReadOnlyAccess").await?;
        user.put_inline("own", &allow_all()).await?;
        let group = user.join_new_group("since", POWER_USER).await?;
        user.tag("team", "b").await?;
        let put = iam.put_user_permissions_boundary().user_name(&user.name);
        put.permissions_boundary(ADMINISTRATOR_ACCESS).send().await?;
        user.put_inline("since", &only_listing()).await?;
        let since = user.read_back().await?;
        let items = [
            "inline/since".to_owned(),
            "policy/arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned(),
            "inline/own".to_owned(),
            format!("group/{group}"),
            "tag/team".to_owned(),
            "boundary".to_owned(),
        ];
        let accept = if accepts { json!(items) } else { json!([]) };
        let digest = plan(aws, &incident, &json!({ "accept": accept })).await?;
        restore(aws, &asks(&incident, &digest, "recovered")).await?;
        let after = user.read_back().await?;
        if accepts {
            ensure!(after == before, "{after:#?}\n{before:#?}");
            continue;
        }
        let attached = [ADMINISTRATOR_ACCESS, "arn:aws:iam::aws:policy/ReadOnlyAccess"];
        let left = Snapshot {
            attached: set(&attached),
            tags: before.tags.clone().into_iter().chain([("team".into(), "b".into())]).collect(),
            ..since
        };
        ensure!(after == left, "{after:#?}\n{left:#?}");
    }
    Ok(())
}

async fn drifted_role(aws: &LocalAws) -> Result<()> {
    let role = aws.role().create().await?;
    role.attach(ADMINISTRATOR_ACCESS).await?;
    let own = Tag::builder().key("FindingId").value("its owner's").build()?;
    role.account_root().iam().tag_role().role_name(&role.name).tags(own).send().await?;
    let before = role.read_back().await?;
    let finding = cases::finding(aws, "custom-administrator-role")?;
    let finding = cases::about(&finding, "AwsIamRole", &role.arn);
    aws.store(&finding).await?;
    let incident = aws.execution_to_be();
    aws.start_as(&incident, &finding.chosen()).await?;
    incident.succeeds().await?;
    role.put_inline("since", &only_listing()).await?;
    let digest = plan(aws, &incident, &json!({ "accept": ["inline/since"] })).await?;
    restore(aws, &asks(&incident, &digest, "recovered")).await?;
    let after = role.read_back().await?;
    ensure!(after == before, "{after:#?}\n{before:#?}");
    Ok(())
}

async fn twice(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.put_inline("allow-all", &allow_all()).await?;
    user.join_new_group("admins", POWER_USER).await?;
    let mut keys = Vec::new();
    for case in 1..=2 {
        keys.push(user.access_key().await?.id);
        let before = user.read_back().await?;
        let incident = contain(aws, &user).await?;
        let is_it = |mail: &Message| mail.tells(Telling::Done, &incident.arn);
        let mail = aws.topics().alerts.message("that it is contained", is_it).await?;
        let said = mail.text.contains("0001/restored.json");
        ensure!(said == (case == 2), "case {case}: {}", mail.text);
        let digest = plan(aws, &incident, &json!({ "activate": keys })).await?;
        restore(aws, &asks(&incident, &digest, "recovered")).await?;
        let after = user.read_back().await?;
        ensure!(after == before, "case {case}: {after:#?}\n{before:#?}");
        ensure!(!after.attached.contains(DENY_ALL), "{after:#?}");
        let files = aws.case(&user, case).await?;
        ensure!(files.contains_key("restored.json"), "case {case} is not closed");
        let over = json!({ "execution": incident.arn });
        is_refused(aws, &over, "NothingToRestore", "was given back").await?;
    }
    Ok(())
}

async fn by_hand(alone: &Alone<'_>) -> Result<()> {
    let user = alone.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let group = user.join_new_group("admins", POWER_USER).await?;
    let before = user.read_back().await?;
    let incident = contain(alone, &user).await?;
    alone.leave_groups_to_people().await?;
    let digest = plan(alone, &incident, &json!({})).await?;
    let text = restore(alone, &asks(&incident, &digest, "recovered")).await?;
    let after = user.read_back().await?;
    ensure!(after == Snapshot { groups: BTreeSet::new(), ..before.clone() }, "{after:#?}");
    let record = alone.case(&user, 1).await?;
    let record = record.get("restored.json").context("the case is not closed")?.json()?;
    ensure!(record["leftOut"]["byHand"] == json!([format!("group/{group}")]), "{record:#}");
    let commands = lines(&text, "aws");
    let [line] = commands.as_slice() else { anyhow::bail!("the mail says: {text}") };
    let arguments = given("aws", line).await?;
    let (begin, end) = (&arguments[..2], &arguments[arguments.len() - 4..]);
    ensure!(begin == ["iam", "add-user-to-group"], "{arguments:?}");
    ensure!(end == ["--user-name", &user.name, "--group-name", &group], "{arguments:?}");
    let add = user.account_root().iam().add_user_to_group();
    add.user_name(&user.name).group_name(&group).send().await?;
    ensure!(user.read_back().await? == before, "it is not as it was");
    Ok(())
}

async fn unclear(aws: &LocalAws) -> Result<()> {
    let (user, other) = (aws.user().create().await?, aws.user().create().await?);
    user.attach(ADMINISTRATOR_ACCESS).await?;
    other.attach(ADMINISTRATOR_ACCESS).await?;
    let incident = contain(aws, &user).await?;
    let others = contain(aws, &other).await?;
    let digest = plan(aws, &incident, &json!({})).await?;
    let before = user.read_back().await?;
    for (field, value, words) in [
        ("by", " ", "BY says nothing"),
        ("reason", "\n", "REASON says nothing"),
        ("apply", "latest", "no digest of a plan"),
        ("apply", &"5e".repeat(32), "no plan of this principal has the digest"),
    ] {
        let mut asks = asks(&incident, &digest, "recovered");
        asks[field] = json!(value);
        is_refused(aws, &asks, "ChoiceUnclear", words).await?;
    }
    // A plan of somebody else's.
    let foreign = plan(aws, &others, &json!({})).await?;
    let asks = asks(&incident, &foreign, "recovered");
    is_refused(aws, &asks, "ChoiceUnclear", "no plan of this principal").await?;
    ensure!(user.read_back().await? == before, "it was changed all the same");
    for variables in [
        [("APPLY", digest.as_str()), ("REASON", "why"), ("BY", "")],
        [("APPLY", digest.as_str()), ("REASON", ""), ("BY", "who")],
        [("APPLY", "latest"), ("REASON", "why"), ("BY", "who")],
    ] {
        let variables = [&[("EXECUTION", incident.arn.as_str())], variables.as_slice()].concat();
        let Printed { status, text } = aws.command("restore", &variables).await?;
        ensure!(!status.success() && text.lines().count() == 1, "it printed {text}");
    }
    Ok(())
}

/// Nobody may set the tag that marks the contained, and no key may be used that could not before.
async fn own_tag(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.tag("SecurityIncident", "INC-123").await?;
    let key = user.access_key().await?.id;
    let iam = user.account_root().iam();
    let set = async |status| {
        let update = iam.update_access_key().user_name(&user.name).access_key_id(&key);
        update.status(status).send().await
    };
    set(StatusType::Inactive).await?;
    let before = user.read_back().await?;
    let incident = contain(aws, &user).await?;
    set(StatusType::Active).await?;
    let digest = plan(aws, &incident, &json!({})).await?;
    let mail = aws.topics().alerts.mention(&digest).await?;
    ensure!(mail.text.contains("INC-123"), "{}", mail.page);
    let execution = aws.start_restore(&asks(&incident, &digest, "recovered")).await?;
    execution.ends(ExecutionStatus::Failed).await?;
    let mail = aws.topics().alerts.mention(execution.name()).await?;
    ensure!(mail.text.contains("CredentialMadeSince"), "{}", mail.page);
    let attached = user.read_back().await?.attached;
    ensure!(attached.contains(DENY_ALL), "the deny is off: {attached:?}");

    set(StatusType::Inactive).await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    let mut now = user.read_back().await?;
    now.tags.insert("SecurityIncident".into(), "INC-123".into());
    ensure!(now == before, "it was {before:?}, and is {now:?}");
    Ok(())
}

async fn retired_twice(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.access_key().await?;
    aws.age(&user, 100).await?;
    let new = user.access_key().await?.id;
    retire(aws, &user).await?;
    let between = user.read_back().await?;
    aws.age(&user, 100).await?;
    let second = retire(aws, &user).await?;
    let digest = plan(aws, &second, &json!({ "activate": [new] })).await?;
    restore(aws, &asks(&second, &digest, "recovered")).await?;
    let mut now = user.read_back().await?;
    let mark = |tags: &BTreeMap<String, String>| tags.contains_key("CordonRetirement");
    ensure!(mark(&between.tags) && !mark(&now.tags), "the mark stays: {now:?}");
    now.tags.clone_from(&between.tags);
    ensure!(now == between, "it was {between:?}, and is {now:?}");
    Ok(())
}

async fn without_hub(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let incident = contain(aws, &user).await?;
    aws.quiet(&incident.arn).await?;
    let planning = aws.restore_to_be();
    let off = aws.fault("securityhub:GetFindings", Strike::error("InvalidAccessException"));
    let off = off.caller(planning.name()).always().stand().await?;
    aws.start_restore_as(&planning, &json!({ "execution": incident.arn })).await?;
    planning.succeeds().await?;
    off.lift().await?;
    let mail = aws.topics().alerts.mention(planning.name()).await?;
    let unread = "It could not be read: SecurityHub.InvalidAccessException";
    ensure!(mail.text.contains(unread), "{}", mail.page);
    let output: Value = serde_json::from_str(&planning.end().await?.output.unwrap_or_default())?;
    let digest = output["digest"].as_str().context("no digest")?;
    let applying = aws.restore_to_be();
    let off = aws.fault("securityhub:GetFindings", Strike::error("InvalidAccessException"));
    let off = off.caller(applying.name()).always().stand().await?;
    aws.start_restore_as(&applying, &asks(&incident, digest, "recovered")).await?;
    applying.succeeds().await?;
    ensure!(off.lift().await? == 0, "the finding was read");
    Ok(())
}
