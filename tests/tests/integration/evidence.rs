//! Which case an incident's evidence belongs to, and what may lie in the bucket beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_iam::types::StatusType;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetention};
use futures::future::try_join;
use harness::alone::Alone;
use harness::calls::source_identity;
use harness::evidence::Evidence;
use harness::execution::Execution;
use harness::faults::{Fault, Strike};
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Telling;
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, Snapshot, User, allow_all};
use serde_json::{Value, json};

use crate::cases;
use crate::incident::{Incident, shows, texts, workflow};
use crate::trials::Trials;
use crate::truth;

/// A boundary of the customer's own.
const POWER_USER: &str = "arn:aws:iam::aws:policy/PowerUserAccess";

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("given back by hand and contained again: a case for each", given_back);
    trials.add("retired, then contained: the retirement is no case", retired);
    trials.add("failed and given up for 16 days, then found again: another case", given_up);
    trials.add("the same event twice at once: one case", same_event_at_once);
    trials.add("two incidents at once: one case, whichever comes first", two_at_once);
    trials.add("two at once on a boundary of its own: the case holds the true one", own_boundary);
    trials.add("redriven under the deny: the same case", redriven);
    trials.add("redriven after it was given back: another case", redriven_after_giving_back);
    trials.add("a right added under the standing deny: the same case", added_right);
    trials.add("the customer's own deny before: the case does not take it for ours", own_deny);
    trials.add("denied, failed, given back, attacked again: another case", attacked_again);
    trials.add("a planted original is told and stops nothing: the next case is opened", planted);
    trials.add_alone("a case is written once, whoever has Preserve's credentials", thief);
}

/// A user with one of what a containment takes away.
async fn user(aws: &LocalAws) -> Result<User> {
    armed(aws.user().create().await?).await
}

async fn armed(user: User) -> Result<User> {
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.put_inline("allow-all", &allow_all()).await?;
    user.access_key().await?;
    Ok(user)
}

/// Gives a contained user back what it had, as a person does by hand who forgets the tags.
async fn give_back(user: &User, before: &Snapshot) -> Result<()> {
    let iam = user.account_root().iam();
    let name = &user.name;
    for policy in before.attached.iter().filter(|policy| *policy != DENY_ALL) {
        user.attach(policy).await?;
    }
    for (policy, document) in &before.inline {
        user.put_inline(policy, document).await?;
    }
    for (id, status) in &before.credentials {
        let status = StatusType::from(status.as_str());
        iam.update_access_key().user_name(name).access_key_id(id).status(status).send().await?;
    }
    let now = user.read_back().await?;
    if now.boundary != before.boundary {
        match &before.boundary {
            Some(boundary) => {
                let put = iam.put_user_permissions_boundary().user_name(name);
                put.permissions_boundary(boundary).send().await?;
            }
            None => {
                iam.delete_user_permissions_boundary().user_name(name).send().await?;
            }
        }
    }
    if now.attached.contains(DENY_ALL) && !before.attached.contains(DENY_ALL) {
        iam.detach_user_policy().user_name(name).policy_arn(DENY_ALL).send().await?;
    }
    Ok(())
}

/// A finding about the user, which Security Hub has but has not sent, and the execution that a
/// test starts for it itself, so that it knows its name before.
async fn incident(aws: &LocalAws, user: &User) -> Result<(Finding, Execution)> {
    let finding = Finding::about(user).with("Id", aws.unique("case"));
    aws.store(&finding).await?;
    Ok((finding, aws.execution_to_be()))
}

/// What Security Hub would send.
fn event(finding: &Finding) -> Value {
    finding.clone().with("Workflow", json!({ "Status": "NEW" })).event()
}

/// Contained and RESOLVED by an incident of its own, whose finding names this case.
async fn contained(aws: &LocalAws, user: &User, number: u16) -> Result<Execution> {
    let (finding, execution) = incident(aws, user).await?;
    aws.start_as(&execution, &event(&finding)).await?;
    execution.succeeds().await?;
    is_contained(aws, user, &finding, &execution, number).await?;
    Ok(execution)
}

async fn is_contained(
    aws: &LocalAws,
    user: &User,
    finding: &Finding,
    execution: &Execution,
    number: u16,
) -> Result<()> {
    let after = user.read_back().await?;
    ensure!(after.left().is_empty(), "left: {:?}", after.left());
    let case = aws.case(user, number).await?;
    let original = file(&case, "original.json")?;
    let own = case.iter().find(|(name, _)| name.starts_with(execution.name()));
    let own = own.map_or(original, |(_, own)| own);
    let found = aws.in_security_hub(finding).await?;
    ensure!(workflow(&found) == "RESOLVED", "the finding is {}", workflow(&found));
    let fields = found.user_defined_fields().context("no fields")?;
    for (field, value) in [
        ("CordonEvidence", original.uri.clone()),
        ("CordonEvidenceSha256", original.sha256()),
        ("CordonSnapshot", own.uri.clone()),
        ("CordonSnapshotSha256", own.sha256()),
    ] {
        ensure!(fields.get(field) == Some(&value), "`{field}` is not `{value}`: {fields:?}");
    }
    let note = found.note().and_then(|note| note.text()).unwrap_or_default();
    ensure!(note.contains(&original.uri) && note.contains(own.name()), "the note is `{note}`");
    let tag = after.tags.get("CordonEvidence");
    ensure!(tag == Some(&original.uri), "its tags are {:?}", after.tags);
    let alerts = &aws.topics().alerts;
    let about = format_args!("what `{}` has kept", execution.name());
    let told = alerts.message(about, |mail| mail.tells(Telling::Done, &execution.arn));
    let told = told.await?.text;
    for part in [&original.uri, &original.sha256(), &own.uri, &own.sha256()] {
        ensure!(told.contains(part.as_str()), "`{part}` is not in the mail: {told}");
    }
    Ok(())
}

/// A file of a case, which has been written once.
fn file<'a>(case: &'a BTreeMap<String, Evidence>, name: &str) -> Result<&'a Evidence> {
    case.get(name).with_context(|| format!("no `{name}`, only {:?}", case.keys()))
}

/// The case's original shows the user as it was, and what of it the case has added.
async fn original(
    aws: &LocalAws,
    user: &User,
    number: u16,
    before: &Snapshot,
    added: &[&str],
) -> Result<Value> {
    let case = aws.case(user, number).await?;
    let original = file(&case, "original.json")?;
    let key = original.uri.splitn(4, '/').nth(3).unwrap_or_default();
    ensure!(aws.evidence_versions(key).await? == 1, "`{key}` was written more than once");
    let kept = original.json()?;
    shows(&kept, &user.id, before)?;
    ensure!(kept["case"] == format!("{number:04}"), "{kept:#}");
    ensure!(kept["added"]["policies"] == json!(added), "{:#}", kept["added"]);
    Ok(kept)
}

async fn number_of_cases(aws: &LocalAws, user: &User, number: usize) -> Result<()> {
    let cases = aws.cases(user).await?;
    ensure!(cases == number, "it has {cases} cases");
    Ok(())
}

/// Fails Verify of an execution for as long as it stands.
async fn verify_refused(aws: &LocalAws, user: &User, execution: &Execution) -> Result<Fault> {
    let role = format!("arn:aws:sts::{}:assumed-role/SecurityRemediation-Verify", user.account);
    let session = format!("{role}/{}", source_identity(execution));
    aws.fault("iam:ListAccessKeys", Strike::Denied).caller(session).always().stand().await
}

/// A user under the deny, with evidence, whose execution could not read it back.
async fn failed(aws: &LocalAws, user: &User) -> Result<(Finding, Execution)> {
    let (finding, execution) = incident(aws, user).await?;
    let refused = verify_refused(aws, user, &execution).await?;
    aws.start_as(&execution, &event(&finding)).await?;
    execution.fails().await?;
    ensure!(refused.lift().await? > 0, "Verify was not refused");
    ensure!(user.read_back().await?.attached.contains(DENY_ALL), "no deny stands");
    Ok((finding, execution))
}

async fn given_back(aws: &LocalAws) -> Result<()> {
    let user = user(aws).await?;
    let before = user.read_back().await?;
    let first = contained(aws, &user, 1).await?;
    let case = aws.case(&user, 1).await?;
    let left = file(&case, "left.json")?.json()?;
    ensure!(left["execution"] == first.arn && left["deniedBy"] == "policy", "{left:#}");
    ensure!(texts(&left["keptPolicies"], "").contains(DENY_ALL), "{left:#}");
    let statuses = left["credentials"].as_array().context("no statuses")?;
    ensure!(statuses.len() == 1 && statuses[0]["active"] == false, "{left:#}");

    give_back(&user, &before).await?;
    // Our tags of the first case are still there: it was there before the second.
    let again = user.read_back().await?;
    contained(aws, &user, 2).await?;
    number_of_cases(aws, &user, 2).await?;
    original(aws, &user, 1, &before, &[DENY_ALL]).await?;
    let second = original(aws, &user, 2, &again, &[DENY_ALL]).await?;
    ensure!(second["added"]["tags"] == json!([]), "{:#}", second["added"]);
    Ok(())
}

async fn retired(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.access_key().await?;
    aws.age(&user, 100).await?;
    user.access_key().await?;
    let unused = cases::finding(aws, "control-unused-90-days")?;
    let unused = cases::about(&unused, "AwsIamUser", &user.arn);
    aws.import_as_service(&unused).await?;
    let retirement = aws.execution_of(&unused).await?;
    retirement.succeeds().await?;
    number_of_cases(aws, &user, 0).await?;
    let below = format!("retired/{}/{}/", user.account, user.id);
    let kept = aws.evidence_below(&below).await?;
    let [kept] = kept.as_slice() else { anyhow::bail!("kept: {kept:?}") };
    ensure!(kept.name() == format!("{}.json", retirement.name()), "it is `{}`", kept.uri);
    let found = aws.in_security_hub(&unused).await?;
    let fields = found.user_defined_fields().context("no fields")?;
    ensure!(fields.get("CordonEvidence") == Some(&kept.uri), "its fields are {fields:?}");

    let before = user.read_back().await?;
    contained(aws, &user, 1).await?;
    original(aws, &user, 1, &before, &[DENY_ALL]).await?;
    ensure!(aws.evidence_below(&below).await?.len() == 1, "more was retired");
    Ok(())
}

async fn given_up(aws: &LocalAws) -> Result<()> {
    let user = user(aws).await?;
    let _held = failed(aws, &user).await?;
    let met = user.read_back().await?;
    // As if the incident had been 16 days ago.
    let case = aws.case(&user, 1).await?;
    let key = format!("evidence/{}/{}/0001/original.json", user.account, user.id);
    let mut old = file(&case, "original.json")?.json()?;
    let long_ago = json!("2020-01-01T00:00:00.000Z");
    old["incident"]["entered"] = long_ago.clone();
    old["incident"]["reach"]["since"] = long_ago;
    aws.plant_evidence(&key, old.to_string().as_bytes()).await?;

    contained(aws, &user, 2).await?;
    // What it met is what stood before its case, the deny of the first one included.
    let kept = original(aws, &user, 2, &met, &[]).await?;
    ensure!(kept["deniedBefore"] == "policy", "{kept:#}");
    Ok(())
}

async fn same_event_at_once(aws: &LocalAws) -> Result<()> {
    let user = user(aws).await?;
    let before = user.read_back().await?;
    let (finding, first) = incident(aws, &user).await?;
    let second = aws.execution_to_be();
    let event = event(&finding);
    try_join(aws.start_as(&first, &event), aws.start_as(&second, &event)).await?;
    for execution in [&first, &second] {
        execution.succeeds().await?;
    }
    number_of_cases(aws, &user, 1).await?;
    let case = aws.case(&user, 1).await?;
    // The one's original and the other's snapshot.
    let by = ["original.json", "left.json"].len() + 1;
    ensure!(case.len() == by, "it has {:?}", case.keys());
    let kept = file(&case, "original.json")?.json()?;
    let opened = if kept["incident"]["execution"] == first.arn { &second } else { &first };
    file(&case, &format!("{}.json", opened.name()))?;
    shows(&kept, &user.id, &before)
}

/// An execution whose steps a test calls itself, at times of its own.
struct Steps<'a> {
    aws: &'a LocalAws,
    finding: Value,
    execution: String,
    accused: Value,
}

/// A step of 26 November 2026, at noon and so many seconds.
fn at(seconds: u32) -> Value {
    json!(format!("2026-11-26T12:00:{seconds:02}.000Z"))
}

impl<'a> Steps<'a> {
    fn new(aws: &'a LocalAws, user: &User) -> Self {
        let accused = json!({
            "resource": user.arn, "account": user.account, "kind": "User", "name": user.name,
            "accessKey": null,
        });
        let finding = Finding::about(user).asff().clone();
        Self { aws, finding, execution: aws.execution_to_be().arn, accused }
    }

    async fn call(&self, function: &str, payload: Value) -> Result<Value> {
        let mut payload = payload;
        payload["execution"] = json!(self.execution);
        let arguments = json!({ "FunctionName": format!("cordon-{function}"), "Payload": payload });
        let mut result = self.aws.perform("lambda:invoke", &arguments).await?;
        Ok(result["Payload"].take())
    }

    /// Reaches the user. Returns it, and how it was reached.
    async fn reaches(&self, seconds: u32) -> Result<Value> {
        let input = json!({
            "principal": self.accused, "policy": {}, "entered": at(seconds), "reach": null,
            "again": false,
        });
        self.call("assume-role", input).await
    }

    async fn denies(&self, reached: &Value) -> Result<Value> {
        let input = json!({ "principal": reached["principal"], "call": "deny", "denial": null });
        self.call("quarantine", input).await
    }

    /// Replaces the customer's boundary, which the evidence holds by now.
    async fn replaces_boundary(&self, reached: &Value, denial: &Value) -> Result<Value> {
        let input =
            json!({ "principal": reached["principal"], "call": "boundary", "denial": denial });
        self.call("quarantine", input).await
    }

    /// Stores the evidence. Returns where it lies.
    async fn preserves(&self, reached: &Value, denial: &Value, seconds: u32) -> Result<Value> {
        let input = json!({
            "purpose": "containment", "principal": reached["principal"],
            "reach": reached["reach"], "denial": denial, "finding": self.finding, "pass": 0,
            "principals": 1,
            "started": at(0), "entered": at(seconds),
        });
        self.call("preserve", input).await
    }
}

/// Both reach the user before the first deny, or the second under it; and either preserves
/// first.
async fn two_at_once(aws: &LocalAws) -> Result<()> {
    for (beside, first_opens) in [(true, true), (true, false), (false, true), (false, false)] {
        let user = user(aws).await?;
        let before = user.read_back().await?;
        let (one, other) = (Steps::new(aws, &user), Steps::new(aws, &user));
        let reached = one.reaches(1).await?;
        let beside_it = if beside { Some(other.reaches(2).await?) } else { None };
        let denial = one.denies(&reached).await?;
        let also_reached = match beside_it {
            Some(reached) => reached,
            None => other.reaches(3).await?,
        };
        let also_denial = other.denies(&also_reached).await?;
        let (opened, joined);
        if first_opens {
            opened = one.preserves(&reached, &denial, 4).await?;
            joined = other.preserves(&also_reached, &also_denial, 5).await?;
        } else {
            opened = other.preserves(&also_reached, &also_denial, 4).await?;
            joined = one.preserves(&reached, &denial, 5).await?;
        }
        let what = format!("beside it: {beside}, in its order: {first_opens}");
        number_of_cases(aws, &user, 1).await.with_context(|| what.clone())?;
        ensure!(joined["original"] == opened["original"], "{what}: {joined:#}");
        ensure!(opened["snapshot"] == opened["original"], "{what}: {opened:#}");
        ensure!(joined["original"]["version"].is_string(), "{what}: {joined:#}");

        // Whoever reached it first says what stood before the case.
        let uri = if first_opens { &opened["original"]["uri"] } else { &joined["snapshot"]["uri"] };
        let kept = aws.evidence_at(uri.as_str().context("no uri")?).await?.json()?;
        ensure!(kept["incident"]["reach"]["since"] == at(1), "{what}: {kept:#}");
        shows(&kept, &user.id, &before).context(what.clone())?;
        ensure!(kept["deniedBefore"].is_null(), "{what}: {kept:#}");
        ensure!(kept["added"]["policies"] == json!([DENY_ALL]), "{what}: {kept:#}");
        if first_opens || beside {
            let uri = joined["snapshot"]["uri"].as_str().context("no uri")?;
            let snapshot = aws.evidence_at(uri).await?.json()?;
            ensure!(snapshot["deniedBefore"].is_null(), "{what}: {snapshot:#}");
            ensure!(snapshot["added"]["policies"] == json!([DENY_ALL]), "{what}: {snapshot:#}");
        }
    }
    Ok(())
}

async fn own_boundary(aws: &LocalAws) -> Result<()> {
    let user = armed(aws.user().boundary(POWER_USER).create().await?).await?;
    let before = user.read_back().await?;
    let (one, other) = (Steps::new(aws, &user), Steps::new(aws, &user));
    let reached = one.reaches(1).await?;
    let denial = one.denies(&reached).await?;
    let opened = one.preserves(&reached, &denial, 2).await?;
    one.replaces_boundary(&reached, &denial).await?;
    let met = other.reaches(3).await?;
    ensure!(met["reach"]["boundary"] == DENY_ALL, "{met:#}");
    let denial = other.denies(&met).await?;
    let joined = other.preserves(&met, &denial, 4).await?;
    ensure!(joined["original"] == opened["original"], "{joined:#}");
    original(aws, &user, 1, &before, &[DENY_ALL]).await?;
    let uri = joined["snapshot"]["uri"].as_str().context("no uri")?;
    let snapshot = aws.evidence_at(uri).await?.json()?;
    ensure!(snapshot["boundaryBefore"] == POWER_USER, "{snapshot:#}");
    ensure!(snapshot["added"]["boundary"] == true, "{snapshot:#}");
    Ok(())
}

async fn redriven(aws: &LocalAws) -> Result<()> {
    let user = user(aws).await?;
    let before = user.read_back().await?;
    let (finding, execution) = failed(aws, &user).await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    number_of_cases(aws, &user, 1).await?;
    original(aws, &user, 1, &before, &[DENY_ALL]).await?;
    is_contained(aws, &user, &finding, &execution, 1).await?;
    let case = aws.case(&user, 1).await?;
    let again = file(&case, &format!("{}-10.json", execution.name()))?.json()?;
    let reached = |kept: &Value| kept["incident"]["reach"].clone();
    let first = file(&case, "original.json")?.json()?;
    ensure!(reached(&again) == reached(&first), "it was reached anew: {again:#}");
    ensure!(again["deniedBefore"].is_null(), "{again:#}");
    Ok(())
}

async fn redriven_after_giving_back(aws: &LocalAws) -> Result<()> {
    let user = user(aws).await?;
    let before = user.read_back().await?;
    let (finding, execution) = failed(aws, &user).await?;
    give_back(&user, &before).await?;
    let again = user.read_back().await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    number_of_cases(aws, &user, 2).await?;
    original(aws, &user, 1, &before, &[DENY_ALL]).await?;
    original(aws, &user, 2, &again, &[DENY_ALL]).await?;
    is_contained(aws, &user, &finding, &execution, 2).await
}

async fn added_right(aws: &LocalAws) -> Result<()> {
    let user = user(aws).await?;
    let before = user.read_back().await?;
    contained(aws, &user, 1).await?;
    let added = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    // For so long IAM may show what was taken away.
    tokio::time::sleep(Duration::from_secs(32)).await;
    user.attach(added).await?;
    let between = user.read_back().await?;
    let second = contained(aws, &user, 1).await?;
    is_told_apart(aws, &user, &between, &second).await?;
    number_of_cases(aws, &user, 1).await?;
    original(aws, &user, 1, &before, &[DENY_ALL]).await?;
    let case = aws.case(&user, 1).await?;
    let snapshot = file(&case, &format!("{}.json", second.name()))?.json()?;
    let attached = &snapshot["principal"]["attachedPolicies"];
    ensure!(texts(attached, "") == [added, DENY_ALL].map(str::to_owned).into(), "{attached:#}");
    // The deny and the tags that it met are of its own case.
    ensure!(snapshot["incident"]["reach"]["deniedBefore"] == "policy", "{snapshot:#}");
    ensure!(snapshot["deniedBefore"].is_null(), "{snapshot:#}");
    ensure!(snapshot["added"]["policies"] == json!([DENY_ALL]), "{:#}", snapshot["added"]);
    let tags = snapshot["added"]["tags"].as_array().map(Vec::len);
    ensure!(tags == Some(6), "{:#}", snapshot["added"]);
    Ok(())
}

/// What this incident took, and not what an earlier one of its case did.
async fn is_told_apart(
    aws: &LocalAws,
    user: &User,
    between: &Snapshot,
    execution: &Execution,
) -> Result<()> {
    let alerts = &aws.topics().alerts;
    let mail = alerts.message("what is new", |mail| mail.tells(Telling::Done, &execution.arn));
    let mail = mail.await?;
    truth::holds(&mail.page, between, &user.read_back().await?)?;
    let text = mail.text.split_whitespace().collect::<Vec<_>>().join(" ");
    let given = format!("somebody gave the user `{}` rights or keys again", user.name);
    for part in [&given, "gone before this incident: 3 of", "Find out who gave the user"] {
        ensure!(text.contains(part), "`{part}` is not in the mail: {text}");
    }
    for taken_before in between.credentials.keys() {
        let told = format!("`{taken_before}` is inactive");
        ensure!(!text.contains(&told), "not now: {text}");
    }
    Ok(())
}

async fn own_deny(aws: &LocalAws) -> Result<()> {
    let user = user(aws).await?;
    user.attach(DENY_ALL).await?;
    let before = user.read_back().await?;
    contained(aws, &user, 1).await?;
    let kept = original(aws, &user, 1, &before, &[]).await?;
    ensure!(kept["deniedBefore"] == "policy", "{kept:#}");
    contained(aws, &user, 1).await?;
    number_of_cases(aws, &user, 1).await
}

async fn attacked_again(aws: &LocalAws) -> Result<()> {
    let user = user(aws).await?;
    let before = user.read_back().await?;
    let _held = failed(aws, &user).await?;
    give_back(&user, &before).await?;
    let again = user.read_back().await?;
    contained(aws, &user, 2).await?;
    original(aws, &user, 1, &before, &[DENY_ALL]).await?;
    original(aws, &user, 2, &again, &[DENY_ALL]).await?;
    ensure!(!aws.case(&user, 1).await?.contains_key("left.json"), "the first case was left");
    Ok(())
}

async fn planted(aws: &LocalAws) -> Result<()> {
    for (what, file, bytes) in [
        ("no JSON", "0001/original.json", "no evidence".to_owned()),
        ("of nobody", "0001/original.json", json!({ "schema": "cordon/evidence/2" }).to_string()),
        ("no original", "0001/left.json", json!({ "schema": "cordon/left/2" }).to_string()),
    ] {
        let user = user(aws).await?;
        let before = user.read_back().await?;
        let folder = format!("evidence/{}/{}", user.account, user.id);
        aws.plant_evidence(&format!("{folder}/{file}"), bytes.as_bytes()).await?;
        let second = contained(aws, &user, 2).await.with_context(|| what.to_owned())?;
        let told = aws.topics().alerts.mentioning(&second.arn);
        let uri = format!("{folder}/0001/original.json");
        let said = told.iter().any(|mail| mail.text.contains(&uri));
        ensure!(said, "{what}: nobody was told of `{uri}`: {told:?}");
        original(aws, &user, 2, &before, &[DENY_ALL]).await.with_context(|| what.to_owned())?;
    }

    // Nor does the last number that there is stand in the way of the first.
    let user = user(aws).await?;
    let folder = format!("evidence/{}/{}", user.account, user.id);
    aws.plant_evidence(&format!("{folder}/9999/original.json"), b"{}").await?;
    let execution = contained(aws, &user, 1).await?;
    let told = aws.topics().alerts.mentioning(&execution.arn);
    ensure!(told.iter().any(|mail| mail.text.contains("/9999/")), "{told:?}");
    Ok(())
}

/// What a thief of Preserve's credentials can do in the bucket: write what is not there yet.
async fn thief(alone: &Alone<'_>) -> Result<()> {
    let user = user(alone).await?;
    let incident = Incident::about(alone, &user).await?;
    incident.ends_well().await?;
    let kept = incident.original().await?;
    let bucket = &alone.outputs().evidence_bucket_name;
    let key = kept.uri.splitn(4, '/').nth(3).context("no key")?;
    let s3 = alone.credentials_of("Preserve").await?.without_retries().s3();
    let put = || s3.put_object().bucket(bucket).key(key).body(b"forged".to_vec().into());
    let retained = ObjectLockRetention::builder().build();
    let released = ObjectLockLegalHold::builder().status(ObjectLockLegalHoldStatus::Off).build();
    let code = |error: Option<&str>| error.unwrap_or_default().to_owned();
    let mut tried = Vec::new();
    macro_rules! attempt {
        ($what:literal, $call:expr) => {
            let error = $call.send().await.err();
            tried.push(($what, error.map(|error| code(error.code()))));
        };
    }
    attempt!("overwrite", put());
    attempt!("overwrite what is not there", put().if_none_match("*"));
    attempt!("overwrite by its tag", put().if_match("\"0\""));
    let copy = s3.copy_object().bucket(bucket).key(key).copy_source(format!("{bucket}/{key}"));
    attempt!("copy", copy);
    attempt!("upload in parts", s3.create_multipart_upload().bucket(bucket).key(key));
    attempt!("delete", s3.delete_object().bucket(bucket).key(key));
    let retain = s3.put_object_retention().bucket(bucket).key(key).retention(retained);
    attempt!("retain", retain.bypass_governance_retention(true));
    attempt!("release", s3.put_object_legal_hold().bucket(bucket).key(key).legal_hold(released));
    attempt!("list all", s3.list_objects_v2().bucket(bucket));
    attempt!("list elsewhere", s3.list_objects_v2().bucket(bucket).prefix("plans/"));
    for (what, error) in tried {
        let expected = if what == "overwrite what is not there" {
            "PreconditionFailed"
        } else {
            "AccessDenied"
        };
        ensure!(error.as_deref() == Some(expected), "`{what}` ended with {error:?}");
    }
    ensure!(incident.original().await?.bytes == kept.bytes, "the evidence has changed");
    Ok(())
}
