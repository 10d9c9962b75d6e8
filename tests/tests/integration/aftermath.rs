//! What the whole run has left behind.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt};
use harness::alone::THIEF;
use harness::calls::Call;
use harness::execution::Execution;
use harness::local_aws::LocalAws;
use harness::steps::{Step, allowed};

use crate::trials::Trials;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_last("no secret is in any history, log, mail, note or evidence", no_secret_shows);
    trials.add_last("every action that is granted was used", granted_is_used);
}

/// An execution's name, and all that it tells.
async fn told_by(execution: Execution) -> Result<(String, String)> {
    let described = execution.describe().await?;
    let ends = [described.input, described.output, described.cause].into_iter().flatten();
    let history = execution.history().await?.text();
    Ok((execution.name().to_owned(), format!("{history}\n{}", ends.collect::<Vec<_>>().join("\n"))))
}

/// What somebody who may only read sees, by where it stands.
async fn readable(aws: &LocalAws) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    let outputs = aws.outputs();
    for machine in
        [&outputs.state_machine_arn, &outputs.restore_machine_arn, &outputs.readiness_machine_arn]
    {
        let executions = stream::iter(aws.executions_by(machine).await?);
        let mut told = executions.map(|it| tokio::spawn(told_by(it))).buffered(8);
        while let Some(told) = told.next().await {
            let (name, text) = told??;
            texts.insert(format!("the execution `{name}`"), text);
        }
    }
    for evidence in aws.evidence_below("").await? {
        let text = String::from_utf8(evidence.bytes).context("evidence is text")?;
        texts.insert(format!("the evidence `{}`", evidence.uri), text);
    }
    texts.insert("the logs".to_owned(), aws.log_lines().await?.join("\n"));
    for (topic, inbox) in
        [("responders", &aws.topics().alerts), ("operations", &aws.topics().operations)]
    {
        let mails = inbox.all().into_iter().map(|mail| format!("{}\n{}", mail.subject, mail.text));
        texts.insert(format!("the mails to {topic}"), mails.collect::<Vec<_>>().join("\n"));
    }
    let findings = aws.security().security_hub().get_findings().into_paginator().items().send();
    let findings = findings.collect::<Result<Vec<_>, _>>().await?;
    texts.insert("the findings".to_owned(), format!("{findings:?}"));
    Ok(texts)
}

/// Finds secrets by their first characters, which nothing else begins with.
struct Secrets {
    begins: HashSet<Vec<u8>>,
    /// By their first three bytes, which most texts don't have: hundreds of megabytes are searched.
    perhaps: Vec<bool>,
}

impl Secrets {
    const ENOUGH: usize = 16;

    fn new(secrets: &[String]) -> Self {
        let begins = secrets.iter().filter_map(|secret| secret.as_bytes().get(..Self::ENOUGH));
        let begins = begins.map(<[u8]>::to_vec).collect::<HashSet<_>>();
        let mut perhaps = vec![false; 1 << 24];
        for begin in &begins {
            perhaps[three(begin)] = true;
        }
        Self { begins, perhaps }
    }

    fn show_in(&self, text: &str) -> bool {
        let mut windows = text.as_bytes().windows(Self::ENOUGH);
        windows.any(|window| self.perhaps[three(window)] && self.begins.contains(window))
    }
}

fn three(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2])
}

/// What stands before a secret in AWS's answers and in settings.
const NAMES: [&str; 4] = ["SecretAccessKey", "SessionToken", "SECRET_ACCESS_KEY", "SESSION_TOKEN"];

async fn no_secret_shows(all: &[&LocalAws]) -> Result<()> {
    try_join_all(all.iter().map(|aws| no_secret_shows_in(aws))).await.map(drop)
}

async fn no_secret_shows_in(aws: &LocalAws) -> Result<()> {
    let known = aws.secrets().await?;
    let secrets = Secrets::new(&known);
    let texts = readable(aws).await?;
    for secret in &known {
        ensure!(secrets.show_in(&format!("a{secret}z")), "the search does not find secrets");
    }
    for part in ["the execution", "the evidence", "the logs", "the mails to responders"] {
        let found = texts.iter().any(|(place, text)| place.starts_with(part) && !text.is_empty());
        ensure!(found, "nothing was searched of {part}");
    }
    for (place, text) in &texts {
        ensure!(!secrets.show_in(text), "a secret is in {place}");
        // Policies name the operation, and plans of restores hold policies.
        let text = text.replace("GetSessionToken", "");
        let name = NAMES.iter().find(|name| text.contains(*name));
        ensure!(name.is_none(), "`{}` is in {place}", name.unwrap_or(&""));
    }
    Ok(())
}

/// What the local AWS does itself where AWS has the function or the machine do it.
const DELIVERY: [&str; 3] = ["logs:", "xray:", "kms:"];

async fn granted_is_used(all: &[&LocalAws]) -> Result<()> {
    let mut calls = Vec::new();
    for aws in all {
        calls.extend(aws.calls().await?);
    }
    let mut unused = Vec::new();
    for step in Step::all()? {
        let roles = [
            (format!("Cordon-{}", step.state), Some(&step.execution_policy)),
            (format!("SecurityRemediation-{}", step.state), step.member_policy.as_ref()),
        ];
        for (role, policy) in roles {
            let Some(policy) = policy else { continue };
            let used = used_by(&calls, &role);
            unused.extend(
                allowed(policy)
                    .into_iter()
                    .filter(|action| !DELIVERY.iter().any(|it| action.starts_with(it)))
                    .filter(|action| !used.contains(action))
                    .map(|action| format!("{role}: {action}")),
            );
        }
    }
    ensure!(unused.is_empty(), "granted, but never used: {unused:#?}");
    Ok(())
}

fn used_by(calls: &[Call], role: &str) -> BTreeSet<String> {
    let sessions = format!(":assumed-role/{role}/");
    let mut used: BTreeSet<String> = calls
        .iter()
        .filter(|call| call.principal.contains(&sessions) && !call.refused())
        .filter(|call| !call.principal.ends_with(THIEF))
        .map(Call::name)
        .collect();
    // Part of each AssumeRole with a source identity, which all of ours have.
    if used.contains("sts:AssumeRole") {
        used.insert("sts:SetSourceIdentity".to_owned());
    }
    used
}
