use std::collections::BTreeMap;

use incident::{Holdings, Outcome, Principal, Verdict, cut, one_line};
use serde::Serialize;
use serde_json::Error;

use crate::advice::{Step, steps};
use crate::cause::Said;
use crate::facts::{Facts, Standing, is_unclear, named, standing};
use crate::{mail, sentences};

/// Characters of a short message at most: one SMS of GSM's alphabet, with room for the
/// sender's name that SNS puts before it.
///
/// Source: SNS Developer Guide, "Mobile text messaging" (140 bytes for a part).
const MOST_OF_AN_SMS: usize = 140;

/// Of how many principals a document has facts of their own.
const PRINCIPALS: usize = 10;

/// A message for all protocols.
///
/// Source: SNS API Reference, `Publish` (`MessageStructure`).
#[derive(Debug, Serialize)]
pub(crate) struct Message<'a> {
    default: &'a str,
    email: &'a str,
    sms: &'a str,
    https: &'a str,
    sqs: &'a str,
    lambda: &'a str,
}

/// A custom notification of AWS's chat integration (Amazon Q Developer in chat
/// applications, before: AWS Chatbot).
///
/// Source: Amazon Q Developer in chat applications Administrator Guide, "Custom
/// notifications".
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Notification {
    pub(crate) version: &'static str,
    pub(crate) source: &'static str,
    pub(crate) content: Content,
    pub(crate) metadata: Metadata,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Content {
    pub(crate) text_type: &'static str,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) next_steps: Vec<String>,
    pub(crate) keywords: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) thread_id: String,
    pub(crate) summary: String,
    pub(crate) event_type: String,
    pub(crate) related_resources: Vec<String>,
    pub(crate) additional_context: BTreeMap<String, String>,
}

/// The message as SNS takes it for `MessageStructure=json`.
pub(crate) fn message(facts: Facts<'_>, most: usize) -> Result<String, Error> {
    let text = mail::text(facts, most);
    let document = serde_json::to_string(&notification(facts, most))?;
    serde_json::to_string(&Message::of(&text, &sms(facts), &document))
}

impl<'a> Message<'a> {
    /// The copy of each protocol: the mail's text, the short line, or the document.
    pub(crate) fn of(text: &'a str, sms: &'a str, document: &'a str) -> Self {
        Self { default: text, email: text, sms, https: document, sqs: document, lambda: document }
    }
}

/// The subject, and where there is room how it stands with the attacker.
fn sms(facts: Facts<'_>) -> String {
    let subject = format!("Cordon {}", mail::subject(facts));
    let attacks = || facts.input.outcomes.iter().filter(|one| one.verdict == Verdict::Pending);
    let mut who_is_in =
        attacks().filter(|one| one.unused_days.is_none() && standing(one) == Standing::In);
    let more = match (who_is_in.clone().next(), who_is_in.all(is_unclear)) {
        (None, _) => "",
        (_, true) => " ATTACKER MAY STILL BE IN",
        (_, false) => " ATTACKER STILL IN",
    };
    let text = format!("{subject}{more}");
    text.chars().filter(char::is_ascii).take(MOST_OF_AN_SMS).collect()
}

fn notification(facts: Facts<'_>, most: usize) -> Notification {
    let subject = mail::subject(facts);
    let said = sentences::first(facts).iter().map(|one| escaped(one)).collect::<Vec<_>>();
    let mut description = said.join("\n");
    let shown = most.min(PRINCIPALS);
    for outcome in facts.sorted().into_iter().take(shown).filter(|_| facts.input.outcomes.len() > 1)
    {
        description.push_str("\n- ");
        description.push_str(&escaped(&sentences::of(facts, outcome, false)));
    }
    let all = steps(facts, 1);
    let next_steps = all.iter().take(6).map(|step| brief(&step.text)).collect();
    let keywords = vec![
        facts.severity().to_owned(),
        facts.ending().word().to_owned(),
        cut(&facts.account().map(String::from).unwrap_or_default(), 12),
    ];
    Notification {
        version: "1.0",
        source: "custom",
        content: Content {
            text_type: "client-markdown",
            title: cut(&escaped(&subject), 250),
            description: cut(&description, 4_000),
            next_steps,
            keywords: keywords.into_iter().filter(|word| !word.is_empty()).collect(),
        },
        metadata: Metadata {
            thread_id: mail::number(facts),
            summary: cut(&escaped(&subject), 250),
            event_type: facts.ending().word().to_owned(),
            related_resources: related(facts),
            additional_context: context(facts, shown),
        },
    }
}

/// What a restore, planned or carried out, is told as to machines.
pub(crate) struct OfARestore<'a> {
    pub(crate) subject: &'a str,
    pub(crate) verdict: &'a str,
    /// What all messages about one incident have in common.
    pub(crate) thread: String,
    /// The first sentences of the mail.
    pub(crate) said: &'a [String],
    pub(crate) steps: &'a [Step],
    pub(crate) principal: Option<&'a Principal>,
    /// Facts, each as a text, beside the principal's.
    pub(crate) facts: Vec<(&'static str, String)>,
}

impl OfARestore<'_> {
    pub(crate) fn notification(self) -> Notification {
        let Self { subject, verdict, thread, said, steps, principal, facts } = self;
        let said: Vec<String> = said.iter().map(|one| escaped(one)).collect();
        let of_the_principal = principal.into_iter().flat_map(|one| {
            let (arn, id) = (one_line(&one.arn, 700), one_line(&one.id, 128));
            [("account", one.account.to_string()), ("principalArn", arn), ("principalId", id)]
        });
        let all =
            facts.into_iter().chain(of_the_principal).chain([("verdict", verdict.to_owned())]);
        let context = all.map(|(field, value)| (field.to_owned(), escaped(&value))).collect();
        let related = principal.map(|one| escaped(&one_line(&one.arn, 700)));
        Notification {
            version: "1.0",
            source: "custom",
            content: Content {
                text_type: "client-markdown",
                title: cut(&escaped(subject), 250),
                description: cut(&said.join("\n"), 4_000),
                next_steps: steps.iter().take(6).map(|step| brief(&step.text)).collect(),
                keywords: vec!["restore".to_owned(), verdict.to_owned()],
            },
            metadata: Metadata {
                thread_id: thread,
                summary: cut(&escaped(subject), 250),
                event_type: verdict.to_owned(),
                related_resources: related.into_iter().collect(),
                additional_context: context,
            },
        }
    }
}

/// What is to be done, without the commands that a mail has.
pub(crate) fn brief(text: &str) -> String {
    let text = text.strip_suffix(':').map_or_else(|| text.to_owned(), |text| format!("{text}."));
    cut(&escaped(&text), 350)
}

fn related(facts: Facts<'_>) -> Vec<String> {
    let named = facts.sorted().into_iter().take(PRINCIPALS).filter_map(named);
    let execution = facts.execution().arn().to_owned();
    named.map(|one| escaped(&one.arn)).chain([execution]).collect()
}

/// The facts, each as a text.
fn context(facts: Facts<'_>, shown: usize) -> BTreeMap<String, String> {
    let input = facts.input;
    let finding = &input.finding;
    let mut context = BTreeMap::new();
    let mut set = |field: &str, value: &str| {
        if !value.is_empty() {
            context.insert(field.to_owned(), escaped(value));
        }
    };
    set("verdict", facts.ending().word());
    set("severity", facts.severity());
    set("account", &facts.account().map(String::from).unwrap_or_default());
    set("findingId", &facts.label());
    set("findingTitle", &one_line(&finding.title, 256));
    set("findingUrl", finding.source_url.as_deref().unwrap_or_default());
    set("execution", facts.execution().arn());
    set("executionUrl", &facts.link());
    set("redrives", &input.redrives.to_string());
    set("sent", &one_line(&input.sent, 40));
    set("told", &one_line(&input.now, 40));
    if let Some(verdict) = &input.verdict {
        set("reason", &one_line(&verdict.reason, 500));
    }
    if let Some(failed) = &input.failure {
        set("failedState", &one_line(&failed.state, 80));
        set("failedWith", &one_line(&failed.error, 120));
        set("failedBecause", &Said::of(failed).words);
    }
    set("principals", &input.outcomes.len().to_string());
    if input.outcomes.len() > shown {
        set("cut", &format!("only the first {shown} principals are told: the execution has all"));
    }
    for (n, outcome) in (1..).zip(facts.sorted().into_iter().take(shown)) {
        for (field, value) in of_principal(outcome) {
            set(&format!("principal{n}{field}"), &value);
        }
    }
    context
}

fn of_principal(outcome: &Outcome) -> Vec<(&'static str, String)> {
    let verdict = match outcome.verdict {
        Verdict::Contained => "contained",
        Verdict::Retired => "retired",
        Verdict::Observed => "observed",
        Verdict::Escalated => "escalated",
        Verdict::Pending => "pending",
    };
    let mut facts = vec![
        ("Resource", one_line(&outcome.resource, 700)),
        ("Verdict", verdict.to_owned()),
        ("Pass", outcome.pass.to_string()),
    ];
    if let Some(one) = &outcome.principal {
        facts.push(("Arn", one.arn.clone()));
        facts.push(("Id", one.id.clone()));
    }
    if let Some(read) = &outcome.read_back {
        facts.push(("Denied", read.denied_by.is_some().to_string()));
        facts.push(("Done", list(&read.done)));
        facts.push(("Left", list(&read.left)));
    }
    if let Some(proof) = &outcome.evidence {
        facts.push(("Evidence", proof.original.clone()));
        facts.push(("EvidenceSha256", proof.sha256.clone()));
    }
    let failures: Vec<String> = outcome
        .failures
        .iter()
        .map(|failed| format!("{} {}", failed.state, failed.error))
        .collect();
    facts.push(("Failures", one_line(&failures.join(", "), 500)));
    facts
}

fn list(holdings: &Holdings) -> String {
    let Holdings { credentials, policies, inline_policies, groups } = holdings;
    let mut all: Vec<&str> = credentials.first.iter().map(|one| one.id.as_str()).collect();
    for names in [policies, inline_policies, groups] {
        all.extend(names.first.iter().map(String::as_str));
    }
    let more = credentials.more + policies.more + inline_policies.more + groups.more;
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", one_line(&all.join(", "), 1_000))
}

/// Words for a chat: what others wrote can mention nobody and make no link.
///
/// Source: Slack API, "Formatting text for app surfaces" (escaping `&`, `<` and `>`).
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_mention_nobody() {
        assert_eq!(
            escaped("<!channel> & <http://x|y>"),
            "&lt;!channel&gt; &amp; &lt;http://x|y&gt;"
        );
    }
}
