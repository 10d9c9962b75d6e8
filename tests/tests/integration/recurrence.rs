//! A finding that comes again once it was answered: by GuardDuty, because the attacker is back
//! or because it is late, or by its product, before the answer shows. And keys that are unused
//! by the finding's measure.

use anyhow::{Context, Result, ensure};
use harness::MEMBERS;
use harness::alone::Alone;
use harness::execution::Execution;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Telling;
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, User};
use harness::wait::{self, PATIENCE};
use serde_json::json;

use crate::cases;
use crate::incident::workflow;
use crate::response_policy::amend;
use crate::restore_applied;
use crate::trials::Trials;
use crate::verdicts::administrator;

const LAST_SEEN: &str = "aws/guardduty/service/eventLastSeen";
/// Long before anything here, and long after.
const BEFORE: &str = "2020-01-01T00:00:00.000Z";
const AFTER: &str = "2099-01-01T00:00:00.000Z";
/// Keys of sessions of one role.
const SESSIONS: [&str; 2] = ["ASIAIOSFODNN7EXAMPLE", "ASIAI44QH8DHBEXAMPLE"];

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("recurrence: given back and attacked again, it is contained again, and told", again);
    trials.add("recurrence: restored as recovered, it is contained again", recovered);
    trials.add("recurrence: restored as a false positive, it is left alone", false_positive);
    trials.add("recurrence: while the deny stands nothing is touched or told", while_denied);
    trials.add("recurrence: without a last activity people decide, once", without_activity);
    trials.add("recurrence: what a person has closed, and what is suppressed, stays so", closed);
    trials.add("recurrence: what was left to people is told again when it is worse", risen);
    trials.add("recurrence: who is left to people beside one that was answered is told", beside);
    trials.add("recurrence: whom it did not name when it was answered is contained", grown);
    trials.add_alone("recurrence: who is exempt by now is told of once", exempt);
    trials.add_alone("recurrence: a redrive takes no deny of its own for an answer", half_done);
    trials.add("recurrence: a planted case does not pass for an answer", planted);
    trials.add(
        "a product's import that does not show the answer yet is not answered twice",
        unsettled,
    );
    trials.add("an active key that a finding calls unused is left to people", still_active);
    trials.add("a key that a finding may mean, and is active, is left to people", other_meant);
    trials.add("a window that the finding says is the one that counts", said_window);
}

/// A user that GuardDuty's finding has had contained, and given back by a person.
struct Answered {
    user: User,
    finding: Finding,
    executions: usize,
}

impl Answered {
    async fn contained(aws: &LocalAws) -> Result<Self> {
        let (user, key) = administrator(aws, MEMBERS[0]).await?;
        let finding = cases::finding(aws, "guardduty-user-key")?;
        let finding = cases::about_key_of(&finding, &key.id, &user.name, &user.id);
        let finding = seen(finding, "1", Some(BEFORE));
        let mut answered = Self { user, finding, executions: 0 };
        let execution = Box::pin(answered.comes(aws, "RESOLVED")).await?;
        ensure!(execution.history().await?.last_state() == "Contained", "it was not contained");
        Ok(answered)
    }

    /// The finding comes, and its answer, if it leads to one, as an import of its own, which
    /// ends without a word. Returns the first execution, once all have ended.
    async fn comes(&mut self, aws: &LocalAws, workflow_then: &str) -> Result<Execution> {
        aws.import_as_service(&self.finding).await?;
        self.executions += 1;
        let all = self.executed(aws).await?;
        let execution = all.into_iter().next().context("none has started")?;
        execution.succeeds().await?;
        let found = aws.in_security_hub(&self.finding).await?;
        ensure!(workflow(&found) == workflow_then, "the finding is {}", workflow(&found));
        if execution.history().await?.entered("Resolve")
            || execution.history().await?.entered("MarkNotified")
        {
            self.executions += 1;
            let own = self.executed(aws).await?.into_iter().next().context("no own update")?;
            own.succeeds().await?;
            let path = own.history().await?;
            ensure!(path.last_state() == "Ignored", "our own update: {:?}", path.path());
            ensure!(!path.entered("Principals"), "our own update: {:?}", path.path());
        }
        Ok(execution)
    }

    /// The executions of the finding, the newest first, of which there are as many as expected.
    async fn executed(&self, aws: &LocalAws) -> Result<Vec<Execution>> {
        let wanted = self.executions;
        let what = format!("{wanted} executions for the finding `{}`", self.finding.id());
        wait::until(what, PATIENCE, async || {
            let all = aws.executions_of(&self.finding).await?;
            // Our own update may have come already.
            ensure!(all.len() <= wanted + 1, "{} executions, not {wanted}", all.len());
            let later = all.len().saturating_sub(wanted);
            Ok((all.len() >= wanted).then(|| all.into_iter().skip(later).collect()))
        })
        .await
    }

    async fn give_back(&self) -> Result<()> {
        let iam = self.user.account_root().iam();
        let name = &self.user.name;
        iam.delete_user_permissions_boundary().user_name(name).send().await?;
        self.user.attach(ADMINISTRATOR_ACCESS).await?;
        iam.detach_user_policy().user_name(name).policy_arn(DENY_ALL).send().await?;
        Ok(())
    }

    /// From now on the finding names a session of a role too, by such a key.
    fn names_a_session(&mut self, key: &str) -> Result<()> {
        let mut resources = self.finding.asff()["Resources"].clone();
        resources.as_array_mut().context("no resources")?.push(json!({
            "Type": "AwsIamAccessKey",
            "Id": format!("AWS::IAM::AccessKey:{key}"),
            "Details": { "AwsIamAccessKey": {
                "PrincipalId": "AROACKCEVSQ6C2EXAMPLE:at-work",
                "PrincipalType": "AssumedRole",
                "PrincipalName": "orders-app",
            } },
        }));
        self.finding = self.finding.clone().with("Resources", resources);
        Ok(())
    }

    /// What `GuardDuty` makes of the finding next.
    fn update(&mut self, count: &str, last_seen: Option<&str>) {
        self.finding = seen(self.finding.clone(), count, last_seen);
    }

    /// The mails of a kind about all of the finding's executions.
    async fn mails(&self, aws: &LocalAws, telling: Telling) -> Result<usize> {
        let mut mails = 0;
        for execution in aws.executions_of(&self.finding).await? {
            let about = aws.topics().alerts.all();
            mails += about.iter().filter(|mail| mail.tells(telling, &execution.arn)).count();
        }
        Ok(mails)
    }

    async fn is_denied(&self) -> Result<bool> {
        Ok(self.user.read_back().await?.attached.contains(DENY_ALL))
    }
}

fn seen(finding: Finding, count: &str, last_seen: Option<&str>) -> Finding {
    let mut fields = finding.asff()["ProductFields"].clone();
    fields["aws/guardduty/service/count"] = json!(count);
    match (last_seen, fields.as_object_mut()) {
        (Some(at), _) => fields[LAST_SEEN] = json!(at),
        (None, Some(fields)) => drop(fields.remove(LAST_SEEN)),
        (None, None) => {}
    }
    finding.with("ProductFields", fields)
}

async fn again(aws: &LocalAws) -> Result<()> {
    let mut it = Box::pin(Answered::contained(aws)).await?;
    it.give_back().await?;
    // GuardDuty sends late what it saw before.
    it.update("2", Some(BEFORE));
    let late = Box::pin(it.comes(aws, "RESOLVED")).await?;
    ensure!(late.history().await?.last_state() == "Ignored", "old activity is no recurrence");
    ensure!(!it.is_denied().await?, "old activity has had it denied");
    ensure!(aws.cases(&it.user).await? == 1, "old activity has opened a case");

    it.update("3", Some(AFTER));
    let again = Box::pin(it.comes(aws, "RESOLVED")).await?;
    let path = again.history().await?;
    ensure!(path.last_state() == "Contained", "{:?}", path.path());
    ensure!(it.user.read_back().await?.left().is_empty(), "it is not contained");
    ensure!(aws.cases(&it.user).await? == 2, "it has {} cases", aws.cases(&it.user).await?);
    let which = "the recurrence";
    let told = aws.topics().alerts.message(which, |mail| mail.tells(Telling::Done, &again.arn));
    let told = told.await?;
    ensure!(told.subject.contains("] contained again: user/"), "it is headed `{}`", told.subject);
    for part in ["This is a recurrence", AFTER] {
        ensure!(told.text.contains(part), "`{part}` is not in the mail: {}", told.text);
    }
    // Contained, its own update, the late update, contained again, its own update.
    ensure!(it.executions == 5 && it.executed(aws).await?.len() == 5, "{}", it.executions);
    ensure!(it.mails(aws, Telling::Done).await? == 2, "not two mails");
    Ok(())
}

/// Has Cordon give everything back, and the finding become what it is to be by that.
async fn restored(aws: &LocalAws, disposition: &str) -> Result<Answered> {
    let mut it = Box::pin(Answered::contained(aws)).await?;
    let all = it.executed(aws).await?;
    let incident = all.last().context("none has started")?;
    let keys: Vec<_> = it.user.read_back().await?.credentials.into_keys().collect();
    let digest = restore_applied::plan(aws, incident, &json!({ "activate": keys })).await?;
    let asks = restore_applied::asks(incident, &digest, disposition);
    restore_applied::restore(aws, &asks).await?;
    ensure!(!it.is_denied().await?, "it is not given back");
    it.update("2", Some(AFTER));
    Ok(it)
}

async fn recovered(aws: &LocalAws) -> Result<()> {
    let mut it = Box::pin(restored(aws, "recovered")).await?;
    // The finding's note is an import of its own.
    it.executions += 1;
    let own = it.executed(aws).await?.into_iter().next().context("no own update")?;
    own.succeeds().await?;
    ensure!(own.history().await?.last_state() == "Ignored", "our own update is answered");
    let found = aws.in_security_hub(&it.finding).await?;
    let note = found.note().map(|note| note.text().unwrap_or_default().to_owned());
    let note = note.unwrap_or_default();
    ensure!(note.contains("Ada of the security team"), "the note says: {note}");
    let again = Box::pin(it.comes(aws, "RESOLVED")).await?;
    let path = again.history().await?;
    ensure!(path.last_state() == "Contained", "{:?}", path.path());
    ensure!(it.user.read_back().await?.left().is_empty(), "it is not contained");
    ensure!(aws.cases(&it.user).await? == 2, "it has {} cases", aws.cases(&it.user).await?);
    Ok(())
}

async fn false_positive(aws: &LocalAws) -> Result<()> {
    let it = Box::pin(restored(aws, "falsePositive")).await?;
    let (before, executions) = (it.user.read_back().await?, aws.executions_of(&it.finding).await?);
    let found = aws.in_security_hub(&it.finding).await?;
    ensure!(workflow(&found) == "SUPPRESSED", "the finding is {}", workflow(&found));
    aws.import_as_service(&it.finding).await?;
    // Whatever came before this one's has come, too.
    Box::pin(Answered::contained(aws)).await?;
    let now = aws.executions_of(&it.finding).await?;
    ensure!(now.len() == executions.len(), "what is suppressed has started an execution");
    ensure!(it.user.read_back().await? == before, "the user has changed");
    Ok(())
}

async fn while_denied(aws: &LocalAws) -> Result<()> {
    let mut it = Box::pin(Answered::contained(aws)).await?;
    let before = it.user.read_back().await?;
    let note =
        |found: &aws_sdk_securityhub::types::AwsSecurityFinding| format!("{:?}", found.note());
    let said = note(&aws.in_security_hub(&it.finding).await?);
    for (count, at) in [("2", Some(AFTER)), ("3", None)] {
        it.update(count, at);
        let execution = Box::pin(it.comes(aws, "RESOLVED")).await?;
        let path = execution.history().await?;
        ensure!(path.last_state() == "Ignored", "{:?}", path.path());
        for state in ["CountContainments", "Quarantine"] {
            ensure!(!path.entered(state), "it went on to `{state}`");
        }
    }
    ensure!(it.user.read_back().await? == before, "the user has changed");
    ensure!(note(&aws.in_security_hub(&it.finding).await?) == said, "the finding has changed");
    ensure!(it.mails(aws, Telling::Done).await? == 1, "it was told again");
    Ok(())
}

async fn without_activity(aws: &LocalAws) -> Result<()> {
    let mut it = Box::pin(Answered::contained(aws)).await?;
    it.give_back().await?;
    let key = it.user.access_key().await?;
    it.finding = cases::about_key_of(&it.finding, &key.id, &it.user.name, &it.user.id);
    it.update("7", None);
    let asked = Box::pin(it.comes(aws, "NOTIFIED")).await?;
    ensure!(asked.history().await?.last_state() == "Escalated", "nobody was asked");
    ensure!(!it.is_denied().await?, "it was denied");
    let told = aws
        .topics()
        .alerts
        .message("the question", |mail| mail.tells(Telling::LeftToPeople, &asked.arn));
    let told = told.await?.text;
    for part in ["This is a recurrence", "RecurrenceUnclear", "last activity", &it.user.name] {
        ensure!(told.contains(part), "`{part}` is not in the mail: {told}");
    }
    it.update("8", None);
    let silent = Box::pin(it.comes(aws, "NOTIFIED")).await?;
    ensure!(silent.history().await?.last_state() == "Ignored", "people were asked twice");
    ensure!(it.mails(aws, Telling::LeftToPeople).await? == 1, "people were told twice");
    Ok(())
}

async fn closed(aws: &LocalAws) -> Result<()> {
    for (status, marked) in [("RESOLVED", false), ("NOTIFIED", false), ("SUPPRESSED", true)] {
        let (user, key) = administrator(aws, MEMBERS[0]).await?;
        let before = user.read_back().await?;
        let finding = cases::finding(aws, "guardduty-user-key")?;
        let finding = cases::about_key_of(&finding, &key.id, &user.name, &user.id);
        let mark = json!({
            "CordonExecution": aws.execution_to_be().arn, "CordonSeen": "0", "CordonSeverity": "LOW",
            "CordonEvidence": "s3://b/evidence/222222222222/AIDA/0001/original.json",
        });
        let fields = if marked { mark } else { json!({}) };
        let event = finding
            .clone()
            .with("Workflow", json!({ "Status": status }))
            .with("UserDefinedFields", fields)
            .event();
        let execution = aws.start(&event).await?;
        execution.succeeds().await?;
        let path = execution.history().await?;
        ensure!(path.last_state() == "Ignored", "{status}: {:?}", path.path());
        ensure!(user.read_back().await? == before, "{status}: the user has changed");
    }
    Ok(())
}

async fn risen(aws: &LocalAws) -> Result<()> {
    let finding = cases::finding(aws, "guardduty-federated-user")?;
    let severity = |finding: &Finding, label: &str| {
        finding.clone().with("Severity", json!({ "Label": label }))
    };
    let user = aws.user().create().await?;
    let mut it = Answered { user, finding: severity(&finding, "MEDIUM"), executions: 0 };
    Box::pin(it.comes(aws, "NOTIFIED")).await?;
    it.update("2", Some(AFTER));
    let same = Box::pin(it.comes(aws, "NOTIFIED")).await?;
    ensure!(same.history().await?.last_state() == "Ignored", "it was told, and is no worse");
    it.finding = severity(&it.finding, "HIGH");
    let worse = Box::pin(it.comes(aws, "NOTIFIED")).await?;
    ensure!(worse.history().await?.last_state() == "Escalated", "it is worse, and nobody knows");
    let told = aws
        .topics()
        .alerts
        .message("that it is worse", |mail| mail.tells(Telling::LeftToPeople, &worse.arn));
    let told = told.await?.text.replace('\n', " ");
    ensure!(told.contains("risen from MEDIUM to HIGH"), "it is not told why: {told}");
    ensure!(it.mails(aws, Telling::LeftToPeople).await? == 2, "not two mails");
    Ok(())
}

async fn beside(aws: &LocalAws) -> Result<()> {
    let mut it = Box::pin(Answered::contained(aws)).await?;
    // The same role with another key is nobody else.
    let updates = [("2", SESSIONS[0], "Escalated"), ("3", SESSIONS[1], "Ignored")];
    for (count, key, ends) in updates {
        it.names_a_session(key)?;
        it.update(count, Some(AFTER));
        let execution = Box::pin(it.comes(aws, "NOTIFIED")).await?;
        let path = execution.history().await?;
        ensure!(path.last_state() == ends, "update {count}: {:?}", path.path());
        ensure!(!path.entered("Quarantine"), "update {count}: {:?}", path.path());
    }
    ensure!(it.mails(aws, Telling::LeftToPeople).await? == 1, "people were not told once");
    it.give_back().await?;
    it.update("4", Some(AFTER));
    let again = Box::pin(it.comes(aws, "NOTIFIED")).await?;
    let path = again.history().await?;
    ensure!(path.last_state() == "Escalated", "with the attacker back: {:?}", path.path());
    ensure!(it.user.read_back().await?.left().is_empty(), "it is not contained");
    let told = aws
        .topics()
        .alerts
        .message("both", |mail| mail.tells(Telling::LeftToPeople, &again.arn))
        .await?
        .text;
    for part in [it.user.name.as_str(), "orders-app", "Part of this is left to you"] {
        ensure!(told.contains(part), "`{part}` is not in the mail: {told}");
    }
    Ok(())
}

async fn grown(aws: &LocalAws) -> Result<()> {
    let mut it = Box::pin(Answered::contained(aws)).await?;
    let (other, key) = administrator(aws, MEMBERS[0]).await?;
    let others = cases::finding(aws, "guardduty-user-key")?;
    let others = cases::about_key_of(&others, &key.id, &other.name, &other.id);
    let mut resources = it.finding.asff()["Resources"].clone();
    resources.as_array_mut().context("no resources")?.push(others.asff()["Resources"][0].clone());
    it.finding = it.finding.clone().with("Resources", resources);
    it.update("2", Some(AFTER));
    let execution = Box::pin(it.comes(aws, "RESOLVED")).await?;
    let path = execution.history().await?;
    ensure!(path.last_state() == "Contained", "{:?}", path.path());
    ensure!(path.path().iter().filter(|state| **state == "Quarantine").count() == 1, "both");
    let left = other.read_back().await?.left();
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(())
}

async fn exempt(alone: &Alone<'_>) -> Result<()> {
    let mut it = Box::pin(Answered::contained(alone)).await?;
    // People are told of somebody else first.
    it.names_a_session(SESSIONS[0])?;
    it.update("1", Some(AFTER));
    Box::pin(it.comes(alone, "NOTIFIED")).await?;
    amend(alone, &json!({ "exemptPrincipals": [it.user.arn] })).await?;
    it.give_back().await?;
    let before = it.user.read_back().await?;
    for (count, ends) in [("2", "Escalated"), ("3", "Ignored"), ("4", "Ignored")] {
        it.update(count, Some(AFTER));
        let execution = Box::pin(it.comes(alone, "NOTIFIED")).await?;
        let path = execution.history().await?;
        ensure!(path.last_state() == ends, "update {count}: {:?}", path.path());
    }
    let mails = it.mails(alone, Telling::LeftToPeople).await?;
    ensure!(mails == 2, "{mails} mails, not one of each");
    ensure!(it.user.read_back().await? == before, "the user has changed");
    Ok(())
}

/// The iterations fail as a whole, once with the deny alone, and once with all done: the
/// redrive finishes what was begun.
async fn half_done(alone: &Alone<'_>) -> Result<()> {
    let within = "/States/Principals/ItemProcessor/States";
    let fails_once = "{% $redrives = 0 ? $error('no outcome') : $redrives %}";
    for (n, state) in ["Preserve", "PrincipalContained"].into_iter().enumerate() {
        let mut it = Box::pin(Answered::contained(alone)).await?;
        it.give_back().await?;
        if state == "Preserve" {
            fails_before_evidence(alone).await?;
        } else {
            alone.redefine(&format!("{within}/{state}/Output/pass"), json!(fails_once)).await?;
        }
        it.update("2", Some(AFTER));
        alone.import_as_service(&it.finding).await?;
        it.executions += 1;
        let execution = it.executed(alone).await?.into_iter().next().context("none has started")?;
        execution.fails().await?;
        ensure!(it.is_denied().await?, "{n}: the deny was not put there");
        execution.redrive().await?;
        execution.succeeds().await?;
        let path = execution.history().await?;
        ensure!(path.last_state() == "Contained", "{n}: {:?}", path.path());
        let left = it.user.read_back().await?.left();
        ensure!(left.is_empty(), "{n}: left: {left:?}");
        alone.undo().await?;
    }
    Ok(())
}

/// The iterations fail as a whole once the deny stands, and succeed when they are redriven.
pub(crate) async fn fails_before_evidence(alone: &Alone<'_>) -> Result<()> {
    let preserve = "/States/Principals/ItemProcessor/States/Preserve";
    let fails_once = "{% $redrives = 0 ? $error('no pass') : $redrives * 10 + $rounds %}";
    alone.redefine(&format!("{preserve}/Catch"), json!([])).await?;
    alone.redefine(&format!("{preserve}/Arguments/Payload/pass"), json!(fails_once)).await
}

async fn planted(aws: &LocalAws) -> Result<()> {
    let mut it = Box::pin(Answered::contained(aws)).await?;
    let planted = format!("evidence/{}/{}/0002/left.json", it.user.account, it.user.id);
    let left = json!({ "schema": "cordon/left/2", "at": AFTER }).to_string();
    aws.plant_evidence(&planted, left.as_bytes()).await?;
    it.give_back().await?;
    it.update("2", Some(AFTER));
    let again = Box::pin(it.comes(aws, "RESOLVED")).await?;
    let path = again.history().await?;
    ensure!(path.last_state() == "Contained", "{:?}", path.path());
    ensure!(it.user.read_back().await?.left().is_empty(), "it is not contained");
    Ok(())
}

async fn unsettled(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let finding = Finding::about(&user);
    let first = aws.respond_to(&finding).await?;
    first.succeeds().await?;
    let (before, cases) = (user.read_back().await?, aws.evidence_about(&user).await?.len());
    aws.import_unsettled(&finding).await?;
    let second = wait::until("another execution", PATIENCE, async || {
        let all = aws.executions_of(&finding).await?;
        Ok((all.len() == 2).then(|| all.into_iter().next()).flatten())
    })
    .await?;
    second.succeeds().await?;
    let path = second.history().await?;
    ensure!(path.last_state() == "Ignored", "{:?}", path.path());
    for state in ["CountContainments", "Quarantine", "Resolve"] {
        ensure!(!path.entered(state), "it went on to `{state}`");
    }
    ensure!(user.read_back().await? == before, "the user has changed");
    ensure!(aws.evidence_about(&user).await?.len() == cases, "more evidence was stored");
    let told = aws.topics().alerts.all();
    ensure!(!told.iter().any(|mail| mail.tells(Telling::Done, &second.arn)), "it was told twice");
    // Another finding about the same user is no repetition.
    let other = Finding::about(&user).with("Id", aws.unique("other"));
    let other = aws.respond_to(&other).await?;
    other.succeeds().await?;
    ensure!(other.history().await?.last_state() == "Contained", "another finding was left alone");
    Ok(())
}

/// A user with a key that was made and used so many days ago, and the finding of a case on it.
async fn unused_for(aws: &LocalAws, days: u32, case: &str) -> Result<(User, Finding)> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    user.access_key().await?;
    aws.age(&user, days).await?;
    let finding = cases::about(&cases::finding(aws, case)?, "AwsIamUser", &user.arn);
    Ok((user, finding))
}

async fn still_active(aws: &LocalAws) -> Result<()> {
    for case in ["analyzer-unused-key", "custom-unused-user"] {
        let (user, finding) = unused_for(aws, 60, case).await?;
        let before = user.read_back().await?;
        aws.send(&finding).await?;
        let execution = aws.execution_of(&finding).await?;
        execution.succeeds().await?;
        let found = aws.in_security_hub(&finding).await?;
        ensure!(workflow(&found) == "NOTIFIED", "{case}: the finding is {}", workflow(&found));
        let after = user.read_back().await?;
        ensure!(after.credentials == before.credentials, "{case}: {:?}", after.credentials);
        ensure!(!after.tags.contains_key("SecurityIncident"), "{case}: {:?}", after.tags);
        let told = aws
            .topics()
            .alerts
            .message("the active key", |mail| mail.tells(Telling::LeftToPeople, &execution.arn));
        let told = told.await?.text;
        ensure!(told.contains("aws iam list-access-keys"), "{case}: {told}");
    }
    Ok(())
}

/// One key is made inactive, and yet the finding may have meant the other.
async fn other_meant(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    let old = user.access_key().await?;
    aws.age(&user, 40).await?;
    let doubtful = user.access_key().await?;
    aws.age(&user, 60).await?;
    let finding = cases::finding(aws, "analyzer-unused-key")?;
    let finding = cases::about(&finding, "AwsIamUser", &user.arn);
    aws.send(&finding).await?;
    let execution = aws.execution_of(&finding).await?;
    execution.succeeds().await?;
    let found = aws.in_security_hub(&finding).await?;
    ensure!(workflow(&found) == "NOTIFIED", "the finding is {}", workflow(&found));
    let credentials = user.read_back().await?.credentials;
    let status = |key: &str| credentials.get(key).map(String::as_str);
    ensure!(status(&old.id) == Some("Inactive"), "{credentials:?}");
    ensure!(status(&doubtful.id) == Some("Active"), "{credentials:?}");
    Ok(())
}

async fn said_window(aws: &LocalAws) -> Result<()> {
    let (user, finding) = unused_for(aws, 60, "custom-unused-user-for-45-days").await?;
    let execution = aws.respond_to(&finding).await?;
    execution.succeeds().await?;
    let found = aws.in_security_hub(&finding).await?;
    ensure!(workflow(&found) == "RESOLVED", "the finding is {}", workflow(&found));
    let after = user.read_back().await?;
    ensure!(after.credentials.values().all(|status| status == "Inactive"), "{after:?}");
    let tags: Vec<&String> = after.tags.keys().collect();
    ensure!(tags == ["CordonRetirement"], "its tags are {tags:?}");
    Ok(())
}
