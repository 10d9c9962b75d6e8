//! Kinds of mails that no other trial causes, each for real, and held against the account as
//! read back. `functions/write-report/README.md` says which trial causes which.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use harness::MEMBERS;
use harness::alone::Alone;
use harness::calls::source_identity;
use harness::execution::Execution;
use harness::faults::Strike;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::{Message, Telling};
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, User};
use harness::wait::{self, PATIENCE};
use serde_json::json;

use crate::judged::{End, leads_to};
use crate::response_policy::amend;
use crate::suspect::{Case, Suspect};
use crate::trials::Trials;
use crate::truth;
use crate::verdicts::{administrator, powerful_role};

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("told: denied, and not read back", not_read_back);
    trials.add("told: denied, and something gives the user its rights back", given_back);
    trials.add("told: the partition has no policy by which everything is denied", no_deny);
    trials.add("told: no room for the deny, beside a boundary that stays", no_room);
    trials.add("told: of two users one is contained, and the other can't be read", two_ends);
    trials.add("told: an unused key that can't be made inactive", not_retired);
    trials.add("told: Security Hub can't be asked for what a person chose", unread);
    trials.add("told: contained, though the first mail was lost", told_late);
    trials.add_alone("told: a role contained, and a user's unused key inactive", retired_beside);
    trials.add_alone("told: it failed, and nobody knows what was done", nobody_knows);
    trials.add_alone("told: a redrive failed, and what stood before it may be past", past);
    trials.add_alone("told: nobody knows what became of who is exempt no more", exempt_before);
}

/// The mail of an execution that has failed, which is headed like this and says all of it.
async fn told(
    aws: &LocalAws,
    execution: &Execution,
    head: &str,
    parts: &[&str],
) -> Result<Message> {
    execution.fails().await?;
    let which = format!("that `{}` failed", execution.name());
    let mail =
        aws.topics().alerts.message(which, |mail| mail.tells(Telling::Failed, &execution.arn));
    let mail = mail.await?;
    ensure!(mail.subject.contains(head), "it is headed: {}", mail.subject);
    for part in parts {
        ensure!(mail.text.contains(part), "`{part}` is not in the mail: {}", mail.text);
    }
    Ok(mail)
}

async fn is_true(mail: &Message, suspect: &Suspect<'_>) -> Result<()> {
    truth::holds(&mail.page, &suspect.before, &suspect.read_back().await?)
}

async fn not_read_back(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let execution = aws.execution_to_be();
    let entry = aws.fault("sts:AssumeRole", Strike::Denied).caller("cordon-verify");
    let entry = entry.about(source_identity(&execution)).always().stand().await?;
    suspect.start(&execution).await?;
    let parts = ["The attacker is most likely out", "Verify", "EntryRefused"];
    told(aws, &execution, "denied, not finished:", &parts).await?;
    entry.lift().await?;
    let left = suspect.read_back().await?.left();
    ensure!(left.is_empty(), "left: {left:?}");
    Ok(())
}

async fn given_back(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let execution = aws.execution_to_be();
    let iam = aws.account(suspect.account()).iam();
    let name = suspect.before.arn.rsplit('/').next().unwrap_or_default().to_owned();
    let give_back = async {
        loop {
            let attach = iam.attach_user_policy().user_name(&name).policy_arn(ADMINISTRATOR_ACCESS);
            attach.send().await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let told = async {
        suspect.start(&execution).await?;
        let parts = ["The attacker is out, but not all is done", "its rights back"];
        told(aws, &execution, "denied, not finished:", &parts).await
    };
    let mail = tokio::select! {
        ended = give_back => { let ended: Result<()> = ended; bail!("nothing is given back: {ended:?}") }
        mail = told => mail?,
    };
    is_true(&mail, &suspect).await
}

async fn no_deny(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let name = suspect.before.arn.rsplit('/').next().unwrap_or_default();
    let missing = async |action| {
        let missing = aws.fault(action, Strike::error("NoSuchEntity")).about(name).always();
        missing.message(format!("Policy {DENY_ALL} does not exist.")).stand().await
    };
    let attached = missing("iam:AttachUserPolicy").await?;
    let bounded = missing("iam:PutUserPermissionsBoundary").await?;
    let execution = aws.execution_to_be();
    suspect.start(&execution).await?;
    let parts = ["THE ATTACKER IS STILL IN", "DenyUnavailable", "a redrive would fail again"];
    let mail = told(aws, &execution, "NOT CONTAINED:", &parts).await?;
    ensure!(!mail.text.contains("redrive-execution"), "{}", mail.text);
    is_true(&mail, &suspect).await?;
    attached.lift().await?;
    bounded.lift().await?;
    Ok(())
}

/// Nor can the evidence be stored, without which the boundary is not replaced. What people are
/// told to run is what IAM has room for, and keeps the boundary.
async fn no_room(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::BoundedUser).await?;
    let name = suspect.before.arn.rsplit('/').next().unwrap_or_default();
    let full = aws.fault("iam:AttachUserPolicy", Strike::error("LimitExceeded"));
    let full = full.about(name).always().stand().await?;
    let bucket = aws.fault("s3:PutObject", Strike::Denied).about(suspect.id()).always();
    let bucket = bucket.stand().await?;
    let execution = aws.execution_to_be();
    suspect.start(&execution).await?;
    let command = format!("aws iam put-user-policy --region us-east-1 --user-name '{name}'");
    let parts = ["THE ATTACKER IS STILL IN", command.as_str()];
    let mail = told(aws, &execution, "NOT CONTAINED:", &parts).await?;
    for worse in ["attach-user-policy", "put-user-permissions-boundary"] {
        ensure!(!mail.text.contains(worse), "{}", mail.text);
    }
    is_true(&mail, &suspect).await?;
    full.lift().await?;
    bucket.lift().await?;
    Ok(())
}

async fn two_ends(aws: &LocalAws) -> Result<()> {
    let (first, _) = administrator(aws, MEMBERS[0]).await?;
    let (second, _) = administrator(aws, MEMBERS[0]).await?;
    let before = [first.read_back().await?, second.read_back().await?];
    let refused = aws.fault("iam:GetUser", Strike::Denied).about(&second.name).always();
    let refused = refused.caller(harness::faults::ANY_FUNCTION).stand().await?;
    let finding = Finding::about(&first).and(&second);
    aws.store(&finding).await?;
    let execution = aws.execution_to_be();
    aws.start_as(&execution, &finding.new_event()).await?;
    let contained = format!("The user `{}` in account {} is contained", first.name, first.account);
    let parts = ["THE ATTACKER IS STILL IN", &contained, "iam:GetUser", "AccessDenied"];
    let mail = told(aws, &execution, "NOT CONTAINED:", &parts).await?;
    refused.lift().await?;
    let users: [&User; 2] = [&first, &second];
    for (user, before) in users.into_iter().zip(&before) {
        let now = user.read_back().await?;
        ensure!(now.left().is_empty() == (user.name == first.name), "{now:?}");
        let mut page = mail.page.clone();
        if user.name == first.name {
            // These are about the other.
            for said in ["THE ATTACKER IS STILL IN", "Nothing was changed"] {
                page = page.replace(said, "");
            }
        }
        truth::holds(&page, before, &now)?;
    }
    Ok(())
}

async fn not_retired(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::Unused).await?;
    let name = suspect.before.arn.rsplit('/').next().unwrap_or_default();
    let refused = aws.fault("iam:UpdateAccessKey", Strike::Denied).about(name).always();
    let refused = refused.stand().await?;
    let execution = aws.execution_to_be();
    suspect.start(&execution).await?;
    let parts = ["No attack is reported here", "RetireCredentials", "AccessDenied", "is active"];
    let mail = told(aws, &execution, "unused keys still active:", &parts).await?;
    is_true(&mail, &suspect).await?;
    refused.lift().await?;
    Ok(())
}

async fn unread(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let execution = aws.execution_to_be();
    let call = "securityhub:GetFindings";
    let refused = aws.fault(call, Strike::error("InvalidAccessException"));
    let refused = refused.caller(execution.name()).always().stand().await?;
    suspect.choose(&execution).await?;
    let parts = ["Nothing was changed", "ReadFinding", "SecurityHub.InvalidAccessException"];
    let mail = told(aws, &execution, "failed, nothing done:", &parts).await?;
    is_true(&mail, &suspect).await?;
    refused.lift().await?;
    Ok(())
}

async fn told_late(aws: &LocalAws) -> Result<()> {
    let suspect = Suspect::new(aws, MEMBERS[0], Case::User).await?;
    let execution = aws.execution_to_be();
    let lost = aws.fault("sns:Publish", Strike::Denied).caller(execution.name());
    let lost = lost.about("contained:").always().stand().await?;
    suspect.start(&execution).await?;
    let parts = ["The attacker is out", "could not be sent at first", "TellContained"];
    let mail = told(aws, &execution, "told late:", &parts).await?;
    is_true(&mail, &suspect).await?;
    lost.lift().await?;
    let status = suspect.workflow().await?;
    ensure!(status == "RESOLVED", "the finding is {status}");
    Ok(())
}

/// Two rules of custom findings, each for one of the two whom a finding names.
async fn retired_beside(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "containRoles": true })).await?;
    let (user, key) = administrator(alone, MEMBERS[0]).await?;
    alone.age(&user, 100).await?;
    let role = powerful_role(alone).await?;
    let before = user.read_back().await?;
    let finding = Finding::about(&user)
        .resource("AwsIamRole", &role.arn)
        .with("Title", "IAM administrator, and an unused user");
    let judged = leads_to(alone, &finding, End::Contained).await?;
    judged.told(&[&role.arn, "The attacker is out: 1 principal is contained", &key.id])?;
    let left = role.read_back().await?.left();
    ensure!(left.is_empty(), "left: {left:?}");
    let mut expected = before;
    expected.credentials.insert(key.id, "Inactive".to_owned());
    let now = user.read_back().await?;
    expected.tags = now.tags.clone();
    ensure!(now == expected, "it was to be {expected:?} and is {now:?}");
    Ok(())
}

/// What fails the iterations as a whole, no step of ours does: here all is done by then. Nor is
/// it forgotten by a redrive that does nothing more.
async fn nobody_knows(alone: &Alone<'_>) -> Result<()> {
    let end = "/States/Principals/ItemProcessor/States/PrincipalContained/Output/pass";
    let fails_once = "{% $redrives = 0 ? $error('no outcome') : $redrives %}";
    alone.redefine(end, json!(fails_once)).await?;
    let account = MEMBERS[0];
    for (said, by_account) in [
        ("Cordon had begun with it, and nobody knows whether a deny stands", true),
        ("It was denied everything before, and that is not undone", false),
    ] {
        let suspect = Suspect::new(alone, account, Case::User).await?;
        let execution = alone.execution_to_be();
        suspect.start(&execution).await?;
        let name = suspect.before.arn.rsplit('/').next().unwrap_or_default();
        let deny = format!("aws iam attach-user-policy --region us-east-1 --user-name '{name}'");
        let parts = [
            "It is not known whether the attacker is out",
            "Principals",
            "get-execution-history",
            "See whether the deny stands",
            &deny,
        ];
        let mail = told(alone, &execution, "FAILED, not clear:", &parts).await?;
        is_true(&mail, &suspect).await?;
        ensure!(suspect.read_back().await?.left().is_empty(), "it was contained");
        let exempt = if by_account {
            json!({ "exemptAccounts": [account] })
        } else {
            json!({ "exemptPrincipals": [suspect.before.arn] })
        };
        amend(alone, &exempt).await?;
        execution.redrive().await?;
        execution.succeeds().await?;
        let left = |mail: &Message| mail.tells(Telling::LeftToPeople, &execution.arn);
        let mail = alone.topics().alerts.message("that it is left to people", left).await?;
        is_true(&mail, &suspect).await?;
        let text = mail.text.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(text.contains(said), "`{said}` is not in the mail: {text}");
        ensure!(!text.contains("before this incident"), "{text}");
        amend(alone, &json!({ "exemptAccounts": [], "exemptPrincipals": [] })).await?;
    }
    Ok(())
}

/// What an earlier pass has read back is past, once the iterations fail as a whole in a redrive.
async fn past(alone: &Alone<'_>) -> Result<()> {
    let account = MEMBERS[0];
    let end = "/States/Principals/ItemProcessor/States/PrincipalContained/Output/pass";
    alone.redefine(end, json!("{% $redrives = 1 ? $error('no outcome') : $redrives %}")).await?;
    let suspect = Suspect::new(alone, account, Case::User).await?;
    let name = suspect.before.arn.rsplit('/').next().unwrap_or_default();
    let refused = alone.fault("iam:DetachUserPolicy", Strike::Denied).about(name).always();
    let refused = refused.stand().await?;
    let execution = alone.execution_to_be();
    suspect.start(&execution).await?;
    is_true(&told(alone, &execution, "denied, not finished:", &[]).await?, &suspect).await?;
    refused.lift().await?;
    execution.redrive().await?;
    execution.fails().await?;
    let unclear = |mail: &Message| {
        mail.tells(Telling::Failed, &execution.arn) && mail.subject.contains("FAILED, not clear:")
    };
    is_true(&alone.topics().alerts.message("of the redrive", unclear).await?, &suspect).await?;
    ensure!(suspect.read_back().await?.left().is_empty(), "it was contained");
    amend(alone, &json!({ "exemptPrincipals": [suspect.before.arn] })).await?;
    execution.redrive().await?;
    execution.succeeds().await?;
    let left = |mail: &Message| mail.tells(Telling::LeftToPeople, &execution.arn);
    let mail = alone.topics().alerts.message("that it is left to people", left).await?;
    is_true(&mail, &suspect).await
}

/// An earlier pass left it to people, who have ended the exemption since.
async fn exempt_before(alone: &Alone<'_>) -> Result<()> {
    let end = "/States/Principals/ItemProcessor/States/PrincipalContained/Output/pass";
    alone.redefine(end, json!("{% $error('no outcome') %}")).await?;
    let [exempt, other] = [alone.user().create().await?, alone.user().create().await?];
    amend(alone, &json!({ "exemptPrincipals": [exempt.arn] })).await?;
    let resources = [&exempt, &other].map(|user| json!({ "Type": "AwsIamUser", "Id": user.arn }));
    let finding = Finding::about(&exempt).with("Resources", json!(resources));
    let execution = alone.respond_to(&finding).await?;
    execution.fails().await?;
    amend(alone, &json!({ "exemptPrincipals": [] })).await?;
    execution.redrive().await?;
    execution.fails().await?;
    ensure!(exempt.read_back().await?.left().is_empty(), "it was contained");
    let alerts = &alone.topics().alerts;
    let failed = || {
        let mut all = alerts.mentioning(&execution.arn);
        all.retain(|mail| mail.tells(Telling::Failed, &execution.arn));
        all
    };
    wait::until("a mail of each pass", PATIENCE, async || Ok((failed().len() == 2).then_some(())))
        .await?;
    let last = failed().pop().context("there is no mail")?;
    for untrue in ["exempts it", "no deny stands on", "Nobody was touched"] {
        ensure!(!last.text.contains(untrue), "`{untrue}`: {}", last.text);
    }
    Ok(())
}
