//! Whom a resource means, in the forms that products write.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use harness::MEMBERS;
use harness::execution::Execution;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Telling;
use harness::user::User;
use harness::wait::{self, PATIENCE};
use serde_json::{Value, json};

use crate::cases;
use crate::judged::{End, leads_to};
use crate::trials::Trials;
use crate::verdicts::{administrator, choose, powerful_role, role_is_contained};

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("a resource in any form means whom it names: imported", imported);
    trials.add("a resource in any form means whom it names: chosen", chosen);
    trials.add("a resource in any form means whom it names: a session its role", session);
    trials.add("one user in several forms is contained once", several_forms);
    trials.add("an instance's session is told by its role and the instance", instance);
    trials.add("a target is left to people, and its actor is contained", target);
    trials.add("who chooses an actor and its target is asked again", asked_again);
    trials.add("who chooses what names nobody is told why", nobody);
    trials.add("who chooses an insight is told to choose findings", insight);
}

/// A case's finding, about others: texts in it and what stands in their place.
fn about(aws: &LocalAws, case: &str, others: &[(&str, &str)]) -> Result<Finding> {
    let mut text = cases::finding(aws, case)?.asff().to_string();
    for (other, one) in others {
        text = text.replace(other, one);
    }
    Ok(Finding::of(serde_json::from_str(&text)?))
}

async fn is_contained(user: &User) -> Result<()> {
    let left = user.read_back().await?.left();
    ensure!(left.is_empty(), "left of `{}`: {left:?}", user.name);
    Ok(())
}

async fn imported(aws: &LocalAws) -> Result<()> {
    for (case, name) in [
        ("guardduty-key-named-by-its-user", "compromised-user"),
        ("guardduty-bare-key", "compromised-user"),
        ("guardduty-console-login-of-2019", "dana"),
    ] {
        let (user, key) = administrator(aws, MEMBERS[0]).await?;
        let others = [(name, user.name.as_str()), ("AKIAIOSFODNN7EXAMPLE", &key.id)];
        let finding = about(aws, case, &others)?;
        let judged = leads_to(aws, &finding, End::Contained).await.context(case)?;
        is_contained(&user).await.context(case)?;
        judged.told(&[&user.arn])?;
    }
    Ok(())
}

async fn chosen(aws: &LocalAws) -> Result<()> {
    for (case, name) in [
        ("action-on-a-user-of-type-other", "c7n-user2"),
        ("action-on-a-key-named-by-its-user", "pr3-user"),
    ] {
        let (user, _) = administrator(aws, MEMBERS[0]).await?;
        let finding = about(aws, case, &[(name, &user.name)])?;
        aws.store(&finding).await?;
        let judged = choose(aws, &finding, End::Contained).await.context(case)?;
        is_contained(&user).await.context(case)?;
        judged.told(&[&user.arn, "a person chose it"])?;
    }
    Ok(())
}

async fn session(aws: &LocalAws) -> Result<()> {
    let role = powerful_role(aws).await?;
    let before = role.read_back().await?;
    let finding = about(aws, "action-on-a-session-by-arn", &[("app-server-role", &role.name)])?;
    aws.store(&finding).await?;
    let judged = choose(aws, &finding, End::Contained).await?;
    role_is_contained(aws, &role, &before, &judged).await?;
    judged.told(&["i-0abc123def4567890"])
}

async fn several_forms(aws: &LocalAws) -> Result<()> {
    let (user, key) = administrator(aws, MEMBERS[0]).await?;
    let others = [
        ("user/eve", format!("user/{}", user.name)),
        (r#""eve""#, format!(r#""{}""#, user.name)),
        ("AKIAIOSFODNN7EXAMPLE", key.id),
        ("AIDACKCEVSQ6C2EXAMPLE", user.id.clone()),
    ];
    let others: Vec<(&str, &str)> = others.iter().map(|(a, b)| (*a, b.as_str())).collect();
    let finding = about(aws, "guardduty-user-and-its-key", &others)?;
    let judged = leads_to(aws, &finding, End::Contained).await?;
    is_contained(&user).await?;
    let output = judged.execution.describe().await?.output.unwrap_or_default();
    let output: Value = serde_json::from_str(&output)?;
    let outcomes = output["outcomes"].as_array().map_or(0, Vec::len);
    ensure!(outcomes == 1, "{output:#}");
    Ok(())
}

async fn instance(aws: &LocalAws) -> Result<()> {
    let role = powerful_role(aws).await?;
    let before = role.read_back().await?;
    let finding = about(aws, "guardduty-instance-credentials", &[("app-server-role", &role.name)])?;
    let judged = leads_to(aws, &finding, End::Escalated).await?;
    judged.told(&[&role.name, "i-0abc123def4567890"])?;
    let found = aws.in_security_hub(&finding).await?;
    let note = found.note.and_then(|note| note.text).unwrap_or_default();
    for part in [&role.name, "i-0abc123def4567890"] {
        ensure!(note.contains(part), "`{part}` is not in the note: {note}");
    }
    ensure!(role.read_back().await? == before, "the role has changed");
    Ok(())
}

/// A custom product's finding about what a user did to another.
async fn attack(aws: &LocalAws) -> Result<(Finding, User, User)> {
    let (actor, _) = administrator(aws, MEMBERS[0]).await?;
    let (target, _) = administrator(aws, MEMBERS[0]).await?;
    let others = [
        ("user/mallory", format!("user/{}", actor.name)),
        ("user/victim", format!("user/{}", target.name)),
    ];
    let others: Vec<(&str, &str)> = others.iter().map(|(a, b)| (*a, b.as_str())).collect();
    Ok((about(aws, "custom-actor-and-target", &others)?, actor, target))
}

async fn target(aws: &LocalAws) -> Result<()> {
    let (finding, actor, target) = attack(aws).await?;
    let before = target.read_back().await?;
    let judged = leads_to(aws, &finding, End::Escalated).await?;
    is_contained(&actor).await?;
    ensure!(target.read_back().await? == before, "the target has changed");
    judged.told(&[&actor.arn, &target.arn, "the target of what the finding reports"])
}

async fn asked_again(aws: &LocalAws) -> Result<()> {
    let (finding, actor, target) = attack(aws).await?;
    let before = (actor.read_back().await?, target.read_back().await?);
    aws.store(&finding).await?;
    let judged = choose(aws, &finding, End::Escalated).await?;
    judged.told(&["Which of them is dangerous?", "its actor is", &actor.arn, &target.arn])?;
    let after = (actor.read_back().await?, target.read_back().await?);
    ensure!(after == before, "somebody has changed: {after:?}");
    Ok(())
}

async fn nobody(aws: &LocalAws) -> Result<()> {
    for (case, told) in [
        ("action-on-a-database", vec!["cluster:orders", "it is no user, role or key of one"]),
        ("action-on-a-policy", vec!["policy/ops-everything", "it is a policy"]),
        ("action-on-contradictions", vec!["contradicts itself", "it names two access keys"]),
        ("action-on-unique-ids", vec!["iam list-users", "iam list-roles", "AROACKCEVSQ6C2EXAMPLE"]),
    ] {
        let finding = cases::finding(aws, case)?;
        aws.store(&finding).await.context(case)?;
        let judged = choose(aws, &finding, End::Escalated).await.context(case)?;
        judged.told(&told).context(case)?;
        let calls = aws.calls_of(&judged.execution).await?;
        ensure!(calls.is_empty(), "{case}: somebody entered the account");
    }
    Ok(())
}

async fn insight(aws: &LocalAws) -> Result<()> {
    let event = cases::event("action-on-an-insight")?;
    let insight = aws.unique("insight");
    let mut detail = event["detail"].clone();
    detail["insightName"] = json!(insight);
    let known: HashSet<String> =
        aws.executions().await?.into_iter().map(|execution| execution.arn).collect();
    aws.send_insight_to_action(&aws.outputs().custom_action_arn, &detail).await?;
    let execution = wait::until("an execution for the insight", PATIENCE, async || {
        for execution in aws.executions().await? {
            if !known.contains(&execution.arn) && is_of(&execution, &insight).await? {
                return Ok(Some(execution));
            }
        }
        Ok(None)
    })
    .await?;
    execution.succeeds().await?;
    let history = execution.history().await?;
    ensure!(history.last_state() == "Ignored", "{:?}", history.path());
    let told = aws.topics().alerts.message("that an insight was chosen", |mail| {
        mail.tells(Telling::Abandoned, &execution.arn)
    });
    let told = told.await?.text;
    for part in [insight.as_str(), "the findings have to be chosen", "Nobody was touched"] {
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(told.contains(part), "`{part}` is not in the mail: {told}");
    }
    Ok(())
}

async fn is_of(execution: &Execution, insight: &str) -> Result<bool> {
    Ok(execution.input().await?["detail"]["insightName"] == insight)
}
