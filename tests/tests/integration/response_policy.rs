//! The response policy: what each of its fields does, from the next finding on.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use harness::alone::Alone;
use harness::execution::Execution;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Telling;
use harness::user::{DENY_ALL, Snapshot, User};
use harness::{MEMBERS, REGION, SECURITY};
use serde_json::{Value, json};

use crate::cases;
use crate::incident::workflow;
use crate::judged::{End, Judged, ends, leads_to};
use crate::trials::Trials;
use crate::verdicts::{administrator, choose};

/// How often a test may run over the full hour that it counts within.
const ATTEMPTS: usize = 2;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_alone("a mode is in force from the next finding on", mode);
    trials.add_alone("observing changes nothing, and says what would be done", observing);
    trials.add_alone("who is observed is told of once a day, and reported", observing_on);
    trials.add_alone("observing, what is left to people is told of once a day", left_on);
    trials.add_alone("with a policy that is no policy nobody is contained, until mended", mended);
    trials.add_alone("a changed response policy is told to responders and operations", changed);
    trials.add_alone("a redrive goes by the policy of its day", redriven);
    trials.add_alone("who is exempt is left to people, whatever the case", exempt);
    trials.add_alone("an exemption ends by itself", exempt_until);
    trials.add_alone("findings of accounts out of scope are ignored", out_of_scope);
    trials.add_alone("a custom product counts if it is trusted", trusted);
    trials.add_alone("a custom product's finding types mean what the policy says", types);
    trials.add_alone("the lowest severity of a response can be set", lowest_severity);
    trials
        .add_alone("unused credentials are left alone if they are not to be retired", not_retired);
    trials.add_alone("the account is read back after the settling time", settling);
    trials.add_alone("beyond so many containments an hour people decide", limit);
}

/// Puts other values in force for some of the policy's fields.
pub(crate) async fn amend(alone: &Alone<'_>, fields: &Value) -> Result<()> {
    let mut policy: Value = serde_json::from_str(&alone.response_policy().await?)?;
    for (field, value) in fields.as_object().context("fields are an object")? {
        policy[field] = value.clone();
    }
    alone.set_response_policy(&policy).await
}

/// A user, how it was, and GuardDuty's finding on its key.
struct Suspect {
    user: User,
    before: Snapshot,
    finding: Finding,
}

impl Suspect {
    async fn of(aws: &LocalAws) -> Result<Self> {
        Self::in_account(aws, MEMBERS[0]).await
    }

    async fn in_account(aws: &LocalAws, account: &str) -> Result<Self> {
        let (user, key) = administrator(aws, account).await?;
        let finding = cases::finding_in(aws, account, "guardduty-user-key")?;
        let finding = cases::about_key(&finding, &key.id, &user.name);
        Ok(Self { before: user.read_back().await?, finding, user })
    }

    fn of_severity(mut self, label: &str) -> Self {
        self.finding = self.finding.with("Severity", json!({ "Label": label }));
        self
    }

    async fn is_contained(&self, aws: &LocalAws) -> Result<Judged> {
        let judged = leads_to(aws, &self.finding, End::Contained).await?;
        self.has_been_contained().await?;
        Ok(judged)
    }

    async fn has_been_contained(&self) -> Result<()> {
        let left = self.user.read_back().await?.left();
        ensure!(left.is_empty(), "left: {left:?}");
        Ok(())
    }

    /// The finding ends like this, and nothing is different with the user.
    async fn is_untouched(&self, aws: &LocalAws, end: End) -> Result<Judged> {
        let judged = leads_to(aws, &self.finding, end).await?;
        self.has_not_changed().await?;
        Ok(judged)
    }

    async fn has_not_changed(&self) -> Result<()> {
        let (before, after) = (&self.before, self.user.read_back().await?);
        ensure!(after == *before, "the user was {before:?} and is {after:?}");
        Ok(())
    }
}

async fn mode(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "mode": "off" })).await?;
    let suspect = Suspect::of(alone).await?;
    let ignored = suspect.is_untouched(alone, End::Ignored).await?;
    ensure!(alone.calls_of(&ignored.execution).await?.is_empty(), "somebody entered the account");
    // A person who chose the finding waits for what comes of it.
    choose(alone, &suspect.finding, End::Abandoned).await?.told(&["mode is `off`"])?;
    suspect.has_not_changed().await?;

    amend(alone, &json!({ "mode": "observe" })).await?;
    Suspect::of(alone).await?.is_untouched(alone, End::Observed).await?;
    amend(alone, &json!({ "mode": "contain" })).await?;
    Suspect::of(alone).await?.is_contained(alone).await?;
    Ok(())
}

/// Whoever may write the policy can switch everything off: that is never unseen.
async fn changed(alone: &Alone<'_>) -> Result<()> {
    let policy: Value = serde_json::from_str(&alone.response_policy().await?)?;
    let topics = [&alone.topics().alerts, &alone.topics().operations];
    let whose = format!("in the account {SECURITY}, {REGION}.");
    for operation in ["Update", "Delete", "Create"] {
        let says = format!("The response policy of Cordon was changed ({operation})");
        let before = topics.map(|topic| topic.mentioning(&says).len());
        match operation {
            "Update" => alone.set_response_policy(&policy).await?,
            "Delete" => alone.remove_response_policy().await?,
            _ => alone.undo().await?,
        }
        for (topic, before) in topics.into_iter().zip(before) {
            topic.count(before + 1, |mail| mail.text.contains(&says)).await?;
            let told = topic.mentioning(&says);
            let all = told.iter().all(|mail| mail.text.contains(&whose));
            ensure!(all, "`{whose}` is not in each of {told:?}");
        }
    }
    Ok(())
}

async fn observing(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "mode": "observe", "containRoles": true })).await?;
    let suspect = Suspect::of(alone).await?;
    let judged = suspect.is_untouched(alone, End::Observed).await?;
    judged.told(&["would", &suspect.user.arn, "AdministratorAccess"])?;
    let below = format!("observed/{}/{}/", suspect.user.account, suspect.user.id);
    let own = format!("{}.json", judged.execution.name());
    let stored = alone.evidence_below(&below).await?;
    let (seen, told): (Vec<_>, Vec<_>) = stored.iter().partition(|one| one.name() == own);
    let ([seen], [told]) = (seen.as_slice(), told.as_slice()) else {
        anyhow::bail!("{own} is not stored, or not who has people told: {stored:?}")
    };
    ensure!(told.json()?["execution"] == judged.execution.arn.as_str(), "{:#}", told.json()?);
    judged.told(&[&seen.uri])?;
    ensure!(seen.json()?["principal"]["id"] == suspect.user.id.as_str(), "{:#}", seen.json()?);
    let evidence = alone.evidence_about(&suspect.user).await?;
    ensure!(evidence.is_empty(), "there is evidence: {evidence:?}");
    reads_alone(alone, &judged.execution).await?;

    let role = alone.role().create().await?;
    let role_before = role.read_back().await?;
    let finding = cases::finding(alone, "guardduty-role-session")?;
    let finding = cases::about_key_of(&finding, "ASIA2222222222SESSIO", &role.name, &role.id);
    let judged = leads_to(alone, &finding, End::Observed).await?;
    judged.told(&["would", &role.arn])?;
    reads_alone(alone, &judged.execution).await?;
    ensure!(role.read_back().await? == role_before, "the role has changed");

    let user = alone.user().create().await?;
    user.access_key().await?;
    alone.age(&user, 100).await?;
    let before = user.read_back().await?;
    let finding = cases::finding(alone, "control-unused-90-days")?;
    let finding = cases::about(&finding, "AwsIamUser", &user.arn);
    let judged = leads_to(alone, &finding, End::Observed).await?;
    judged.told(&["would", &user.arn, "access key"])?;
    reads_alone(alone, &judged.execution).await?;
    ensure!(user.read_back().await? == before, "the unused user has changed");

    // What is for people anyway stays as it is, too.
    let finding = cases::finding(alone, "control-root-access-key")?;
    alone.send(&finding).await?;
    let execution = alone.execution_of(&finding).await?;
    execution.succeeds().await?;
    ensure!(execution.history().await?.last_state() == "Observed");
    let told = alone.topics().alerts.mention(&execution.arn).await?.text;
    ensure!(told.contains("The finding stays as it is"), "{told}");
    is_new(alone, &finding).await
}

async fn observing_on(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "mode": "observe" })).await?;
    for _ in 0..ATTEMPTS {
        if Box::pin(observed_within_a_day(alone)).await? {
            return Ok(());
        }
    }
    anyhow::bail!("a new day began, {ATTEMPTS} times")
}

/// Its product sends a finding again and again that nobody updates.
async fn left_on(alone: &Alone<'_>) -> Result<()> {
    let exempt = alone.user().create().await?;
    amend(alone, &json!({ "mode": "observe", "exemptPrincipals": [exempt.arn] })).await?;
    // By `classify`, and by whoever has identified the principal.
    for finding in [cases::finding(alone, "control-root-access-key")?, Finding::about(&exempt)] {
        is_told_once_a_day(alone, &finding).await?;
    }
    Ok(())
}

async fn is_told_once_a_day(alone: &Alone<'_>, finding: &Finding) -> Result<()> {
    for _ in 0..ATTEMPTS {
        let finding = &finding.clone().with("Id", alone.unique("left"));
        let (mut ends, mut executions) = (Vec::new(), Vec::new());
        for finding in [finding, finding, &finding.clone().with("Id", alone.unique("other"))] {
            alone.store(finding).await?;
            let execution = alone.start(&finding.new_event()).await?;
            execution.succeeds().await?;
            ends.push(execution.history().await?.last_state().to_owned());
            executions.push(execution);
        }
        if ends == ["Observed", "ObservedToday", "Observed"] {
            let chosen = alone.start(&finding.chosen()).await?;
            chosen.succeeds().await?;
            let told = alone.topics().alerts.mention(&chosen.arn).await?.text;
            ensure!(told.contains("The finding stays as it is"), "{told}");
            // The silent one was long before the last mail.
            let alerts = &alone.topics().alerts;
            for (execution, end) in executions.iter().zip(&ends) {
                let silent = end == "ObservedToday";
                if !silent {
                    alerts.mention(&execution.arn).await?;
                }
                let mails = alerts.mentioning(&execution.arn).len();
                ensure!(mails == usize::from(!silent), "{end}: {mails} mails");
            }
            return Ok(());
        }
        ensure!(ends == ["Observed"; 3], "they ended {ends:?}");
    }
    anyhow::bail!("a new day began, {ATTEMPTS} times")
}

/// Whether all of it was on one day.
async fn observed_within_a_day(alone: &Alone<'_>) -> Result<bool> {
    let (user, key) = administrator(alone, MEMBERS[0]).await?;
    let before = user.read_back().await?;
    let accuses = || {
        let finding = cases::finding_in(alone, MEMBERS[0], "guardduty-user-key")?;
        anyhow::Ok(cases::about_key(&finding, &key.id, &user.name))
    };
    let below = format!("observed/{}/{}/", user.account, user.id);
    let then = json!({
        "schema": "cordon/told/1", "execution": alone.execution_to_be().arn,
        "at": "2020-01-01T00:00:00Z", "arn": user.arn, "id": user.id,
    });
    alone.plant_evidence(&format!("{below}2020-01-01.json"), then.to_string().as_bytes()).await?;

    let findings = [accuses()?, Finding::about(&user), accuses()?];
    let mut executions = Vec::new();
    for finding in &findings {
        alone.send(finding).await?;
        let execution = alone.execution_of(finding).await?;
        execution.succeeds().await?;
        executions.push(execution);
    }
    let names = alone.evidence_below(&below).await?.into_iter().map(|one| one.name().to_owned());
    let (days, seen): (BTreeSet<_>, BTreeSet<_>) =
        names.partition(|name| name.len() == "2020-01-01.json".len());
    let (2, Some(today)) = (days.len(), days.last()) else { return Ok(false) };
    let those: BTreeSet<_> = executions.iter().map(|one| format!("{}.json", one.name())).collect();
    ensure!(seen == those, "seen: {seen:?}, not {those:?}");
    let ended = [End::Observed, End::ObservedToday, End::ObservedToday];
    for (execution, (finding, end)) in executions.into_iter().zip(findings.iter().zip(ended)) {
        ends(alone, execution, finding, end).await?;
    }
    let mails = alone.topics().alerts.mentioning(&user.arn).len();
    ensure!(mails == 1, "{mails} mails");
    // Whoever chose it waits for an answer.
    choose(alone, &findings[0], End::Observed).await?.told(&[&user.arn])?;

    alone.refuse_evidence_under(&format!("{below}{today}")).await?;
    let judged = leads_to(alone, &accuses()?, End::Observed).await?;
    judged.told(&[&user.arn, "told today?"])?;
    let after = user.read_back().await?;
    ensure!(after == before, "the user was {before:?} and is {after:?}");

    let since = today.trim_end_matches(".json");
    let printed = alone.command("observe-report", &[("SINCE", since)]).await?;
    ensure!(printed.status.success(), "{}", printed.text);
    let block = printed.text.split("\n\n").find(|block| block.contains(&user.arn));
    let block = block.with_context(|| format!("nobody is in {}", printed.text))?;
    let counts = [format!("5 findings on {since}"), "guardduty-user-key (3)".to_owned()];
    for part in counts.iter().chain(&before.attached).chain(before.credentials.keys()) {
        ensure!(block.contains(part), "`{part}` is not in {block}");
    }
    Ok(true)
}

/// In member accounts, an execution only read, and it did read.
async fn reads_alone(aws: &LocalAws, execution: &Execution) -> Result<()> {
    let calls = aws.calls_of(execution).await?;
    ensure!(!calls.is_empty(), "no call was recorded");
    let changes: Vec<_> = calls.iter().filter(|call| !call.read_only).collect();
    ensure!(changes.is_empty(), "it changed something: {changes:#?}");
    Ok(())
}

async fn is_new(aws: &LocalAws, finding: &Finding) -> Result<()> {
    let found = aws.in_security_hub(finding).await?;
    ensure!(workflow(&found) == "NEW", "the finding is {}", workflow(&found));
    Ok(())
}

/// Sends the finding, which must fail without a change and tell people this.
async fn fails(aws: &LocalAws, suspect: &Suspect, part: &str) -> Result<Execution> {
    aws.send(&suspect.finding).await?;
    let execution = aws.execution_of(&suspect.finding).await?;
    execution.fails().await?;
    let told = aws
        .topics()
        .alerts
        .message(format_args!("that `{}` failed", execution.name()), |message| {
            message.tells(Telling::Failed, &execution.arn)
        })
        .await?;
    ensure!(told.text.contains(part), "`{part}` is not in the mail: {}", told.text);
    ensure!(told.text.contains("redrive-execution"), "{}", told.text);
    is_new(aws, &suspect.finding).await?;
    suspect.has_not_changed().await?;
    Ok(execution)
}

async fn mended(alone: &Alone<'_>) -> Result<()> {
    let good = alone.response_policy().await?;
    for (broken, told) in [
        ("{\"mode\": \"contain\"", "ResponsePolicyInvalid"),
        ("[]", "ResponsePolicyInvalid"),
        (r#"{"mode": "on"}"#, "field `mode`"),
        (r#"{"containmentsPerHour": "many"}"#, "field `containmentsPerHour`"),
        (r#"{"lowestSeverity": {"containUser": "SEVERE"}}"#, "field `lowestSeverity.containUser`"),
        (r#"{"exemptAccount": []}"#, "field `exemptAccount`"),
    ] {
        alone.write_response_policy(broken).await?;
        let suspect = Suspect::of(alone).await?;
        let execution =
            fails(alone, &suspect, told).await.with_context(|| format!("with `{broken}`"))?;
        ensure!(alone.calls_of(&execution).await?.is_empty(), "somebody entered the account");
        if told == "field `mode`" {
            alone.write_response_policy(&good).await?;
            execution.redrive().await?;
            ends(alone, execution, &suspect.finding, End::Contained).await?;
            suspect.has_been_contained().await?;
        }
    }
    Ok(())
}

async fn redriven(alone: &Alone<'_>) -> Result<()> {
    let good = alone.response_policy().await?;
    let suspects =
        [Suspect::of(alone).await?, Suspect::of(alone).await?, Suspect::of(alone).await?];
    alone.write_response_policy("none").await?;
    let mut executions = Vec::new();
    for suspect in &suspects {
        executions.push(fails(alone, suspect, "ResponsePolicyInvalid").await?);
    }
    let [to_off, to_observe, to_contain] = suspects;
    alone.write_response_policy(&good).await?;

    amend(alone, &json!({ "mode": "observe" })).await?;
    let execution = executions.remove(1);
    execution.redrive().await?;
    ends(alone, execution, &to_observe.finding, End::Observed).await?;
    to_observe.has_not_changed().await?;

    amend(alone, &json!({ "mode": "off" })).await?;
    let execution = executions.remove(0);
    execution.redrive().await?;
    ends(alone, execution, &to_off.finding, End::Abandoned).await?;
    to_off.has_not_changed().await?;

    amend(alone, &json!({ "mode": "contain" })).await?;
    let execution = executions.remove(0);
    execution.redrive().await?;
    ends(alone, execution, &to_contain.finding, End::Contained).await?;
    to_contain.has_been_contained().await
}

async fn exempt(alone: &Alone<'_>) -> Result<()> {
    let glass = Suspect::of(alone).await?;
    let pattern = format!("arn:aws:iam::*:USER/{}", glass.user.name.to_uppercase());
    amend(alone, &json!({ "exemptPrincipals": [pattern], "exemptAccounts": [MEMBERS[1]] })).await?;
    let judged = glass.is_untouched(alone, End::Escalated).await?;
    judged.told(&[&glass.user.arn, &pattern])?;
    choose(alone, &glass.finding, End::Escalated).await?.told(&[&pattern])?;
    glass.has_not_changed().await?;
    glass.user.attach(DENY_ALL).await?;
    let denied = "It was denied everything before this incident";
    choose(alone, &glass.finding, End::Escalated).await?.told(&[&pattern, denied])?;

    let elsewhere = Suspect::in_account(alone, MEMBERS[1]).await?;
    let judged = elsewhere.is_untouched(alone, End::Escalated).await?;
    judged.told(&[&format!("exempts account {}", MEMBERS[1])])?;
    ensure!(alone.calls_of(&judged.execution).await?.is_empty(), "somebody entered the account");

    Suspect::of(alone).await?.is_contained(alone).await?;

    // Whose the key is counts, whomever the finding names: nobody is told to deny the other.
    let (owner, key) = administrator(alone, MEMBERS[0]).await?;
    amend(alone, &json!({ "exemptPrincipals": [owner.arn] })).await?;
    let finding = cases::finding_in(alone, MEMBERS[0], "guardduty-user-key")?;
    let finding = cases::about_key(&finding, &key.id, "somebody-else");
    let judged = leads_to(alone, &finding, End::Escalated).await?;
    judged.told(&[&owner.arn, &format!("the user `{}`", owner.name)])?;
    ensure!(!judged.told.contains("'somebody-else'"), "{}", judged.told);
    Ok(())
}

async fn exempt_until(alone: &Alone<'_>) -> Result<()> {
    let exemptions = |until: &str, user: &User| {
        json!({
            "exemptPrincipals": [{ "principal": user.arn, "until": until, "reason": "a release" }],
            "exemptAccounts": [{ "account": MEMBERS[1], "until": until }],
        })
    };
    let glass = Suspect::of(alone).await?;
    amend(alone, &exemptions("2999-12-31T00:00:00Z", &glass.user)).await?;
    let noted = "until 2999-12-31T00:00:00Z (`a release`)";
    glass.is_untouched(alone, End::Escalated).await?.told(&[&glass.user.arn, noted])?;
    let elsewhere = Suspect::in_account(alone, MEMBERS[1]).await?;
    let judged = elsewhere.is_untouched(alone, End::Escalated).await?;
    judged.told(&["until 2999-12-31T00:00:00Z"])?;

    let glass = Suspect::of(alone).await?;
    amend(alone, &exemptions("2020-12-31T00:00:00Z", &glass.user)).await?;
    glass.is_contained(alone).await?;
    Suspect::in_account(alone, MEMBERS[1]).await?.is_contained(alone).await?;
    Ok(())
}

async fn out_of_scope(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "accountsInScope": [MEMBERS[0]] })).await?;
    let elsewhere = Suspect::in_account(alone, MEMBERS[1]).await?;
    let judged = elsewhere.is_untouched(alone, End::Ignored).await?;
    ensure!(alone.calls_of(&judged.execution).await?.is_empty(), "somebody entered the account");
    Suspect::of(alone).await?.is_contained(alone).await?;
    Ok(())
}

async fn trusted(alone: &Alone<'_>) -> Result<()> {
    let third_party = async || {
        let (user, _) = administrator(alone, MEMBERS[0]).await?;
        let finding =
            cases::about(&cases::finding(alone, "custom-third-party")?, "AwsIamUser", &user.arn);
        anyhow::Ok((user, finding))
    };
    let (user, finding) = third_party().await?;
    let before = user.read_back().await?;
    leads_to(alone, &finding, End::Ignored).await?;
    ensure!(user.read_back().await? == before, "the user has changed");

    amend(alone, &json!({ "trustedProducts": ["arn:aws:securityhub:*::product/example-corp/*"] }))
        .await?;
    let (user, finding) = third_party().await?;
    leads_to(alone, &finding, End::Contained).await?;
    let left = user.read_back().await?.left();
    ensure!(left.is_empty(), "left: {left:?}");

    // A list of one's own replaces the default.
    let (user, _) = administrator(alone, MEMBERS[0]).await?;
    let before = user.read_back().await?;
    leads_to(alone, &Finding::about(&user), End::Ignored).await?;
    ensure!(user.read_back().await? == before, "the user has changed");
    Ok(())
}

async fn types(alone: &Alone<'_>) -> Result<()> {
    let exposed = async || {
        let (user, key) = administrator(alone, MEMBERS[0]).await?;
        let finding = cases::finding(alone, "custom-type-to-contain-whatever-the-title")?;
        anyhow::Ok((user, cases::about(&finding, "AwsIamAccessKey", &key.id)))
    };
    let (user, finding) = exposed().await?;
    let before = user.read_back().await?;
    leads_to(alone, &finding, End::Ignored).await?;
    ensure!(user.read_back().await? == before, "the user has changed");

    let product = format!("arn:aws:securityhub:*:{0}:product/{0}/default", MEMBERS[0]);
    let named = json!({ "product": product, "contain": ["TTPs/Decoy"], "escalate": ["*/Seen"] });
    amend(alone, &json!({ "trustedProducts": [named] })).await?;
    let (user, finding) = exposed().await?;
    let seen = finding.clone().with("Types", json!(["TTPs/Decoy", "TTPs/Decoy/Seen"]));
    let seen = seen.with("Id", alone.unique("finding"));
    leads_to(alone, &seen, End::Escalated)
        .await?
        .told(&["leaves such findings of this product"])?;
    leads_to(alone, &finding, End::Contained).await?;
    let left = user.read_back().await?.left();
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(())
}

async fn lowest_severity(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "lowestSeverity": { "containUser": "HIGH" } })).await?;
    let medium = Suspect::of(alone).await?.of_severity("MEDIUM");
    medium.is_untouched(alone, End::Escalated).await?;
    Suspect::of(alone).await?.of_severity("HIGH").is_contained(alone).await?;
    amend(alone, &json!({ "lowestSeverity": { "containUser": "LOW" } })).await?;
    Suspect::of(alone).await?.of_severity("LOW").is_contained(alone).await?;
    Ok(())
}

async fn not_retired(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "retireUnusedCredentials": false })).await?;
    let user = alone.user().create().await?;
    user.access_key().await?;
    alone.age(&user, 100).await?;
    let before = user.read_back().await?;
    let finding = cases::finding(alone, "control-unused-90-days")?;
    let finding = cases::about(&finding, "AwsIamUser", &user.arn);
    leads_to(alone, &finding, End::Ignored).await?;
    ensure!(user.read_back().await? == before, "the user has changed");
    Ok(())
}

async fn settling(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "settlingSeconds": 3 })).await?;
    let judged = Suspect::of(alone).await?.is_contained(alone).await?;
    let history = judged.execution.history().await?;
    let time_of = |name: &str| {
        let mut events = history.events.iter();
        let event = events.find(|event| {
            event.state_entered_event_details.as_ref().is_some_and(|entered| entered.name == name)
        });
        event.map(|event| event.timestamp.as_secs_f64()).with_context(|| format!("no `{name}`"))
    };
    let settled = time_of("Verify")? - time_of("Settle")?;
    ensure!(settled >= 2.9, "it settled for {settled} s");
    Ok(())
}

async fn limit(alone: &Alone<'_>) -> Result<()> {
    for _ in 0..ATTEMPTS {
        if Box::pin(limit_within_an_hour(alone)).await? {
            return Ok(());
        }
    }
    anyhow::bail!("a new hour began, {ATTEMPTS} times")
}

/// Whether all of it was within one hour, in which nothing was counted before.
async fn limit_within_an_hour(alone: &Alone<'_>) -> Result<bool> {
    const LIMIT: usize = 2;
    let account = MEMBERS[1];
    let told =
        format!("the limit of {LIMIT} containments an hour is reached for account {account}");

    alone.forget(account, &["service", "custom"]).await?;

    // Counted where it fails, and not again where it is redriven.
    let first = Suspect::in_account(alone, account).await?;
    alone.refuse_entry(account, "AssumeRole").await?;
    amend(alone, &json!({ "containmentsPerHour": LIMIT })).await?;
    let execution = fails(alone, &first, "EntryRefused").await?;
    let hour = hour_of(&execution).await?;
    alone.undo().await?;
    amend(alone, &json!({ "containmentsPerHour": LIMIT })).await?;
    execution.redrive().await?;
    ends(alone, execution, &first.finding, End::Contained).await?;
    first.has_been_contained().await?;

    let mut escalated = false;
    for _ in 0..=LIMIT {
        let (user, _) = administrator(alone, account).await?;
        let finding = Finding::about(&user);
        let execution = alone.respond_to(&finding).await?;
        execution.succeeds().await?;
        escalated = execution.history().await?.last_state() == "Escalated";
        if escalated {
            let judged = ends(alone, execution, &finding, End::Escalated).await?;
            judged.told(&[&told, "custom products"])?;
            let left = user.read_back().await?.left();
            ensure!(left.contains(&"no deny".to_owned()), "left: {left:?}");
            break;
        }
    }

    Suspect::in_account(alone, account).await?.is_contained(alone).await?;
    let third = Suspect::in_account(alone, account).await?;
    alone.send(&third.finding).await?;
    let execution = alone.execution_of(&third.finding).await?;
    if hour_of(&execution).await? != hour {
        execution.end().await?;
        alone.undo().await?;
        return Ok(false);
    }
    ensure!(escalated, "custom products have no limit");
    let judged = ends(alone, execution, &third.finding, End::Escalated).await?;
    judged.told(&[&told, "AWS services"])?;
    third.has_not_changed().await?;

    // A person needs no budget.
    choose(alone, &third.finding, End::Contained).await?;
    third.has_been_contained().await?;
    Ok(true)
}

/// The hour in which an execution counts: that of its start.
async fn hour_of(execution: &Execution) -> Result<i64> {
    Ok(execution.describe().await?.start_date.secs() / 3600)
}
