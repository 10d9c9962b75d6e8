//! What people are told, and machines: the copies that the subscribers of topics get.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use serde::Deserialize;
use tokio::sync::watch;

use crate::deployment::Outputs;
use crate::endpoint::Endpoint;
use crate::wait::{self, PATIENCE};

/// Seconds for which the local AWS holds the question what came after the last delivery.
const HOLD: u8 = 5;

/// A message, as one subscriber got it.
#[derive(Debug, Deserialize)]
struct Delivery {
    number: u64,
    topic: String,
    protocol: String,
    endpoint: String,
    /// Mails have one.
    subject: Option<String>,
    body: String,
}

/// What was delivered after the one of a number. If there is nothing, whatever comes within
/// `hold` seconds.
async fn delivered(local_aws: &Endpoint, after: u64, hold: u8) -> Result<Vec<Delivery>> {
    #[derive(Deserialize)]
    struct Answer {
        deliveries: Vec<Delivery>,
    }
    let path = format!("/_local/sns/deliveries?after={after}&wait={hold}");
    let answer: Answer = serde_json::from_value(local_aws.get(&path).await?)?;
    Ok(answer.deliveries)
}

/// Writes all that subscribers got so far, each copy as its reader sees it; to follow is to go
/// on with what they get from then on, for as long as there is the local AWS.
pub async fn write(local_aws: &Endpoint, follow: bool, out: &mut impl Write) -> Result<()> {
    let (mut last, mut hold) = (0, 0);
    loop {
        for delivery in delivered(local_aws, last, hold).await? {
            let Delivery { number, protocol, endpoint, subject, body, .. } = delivery;
            writeln!(out, "{}\n{protocol} to {endpoint}", "─".repeat(80))?;
            if let Some(subject) = subject {
                writeln!(out, "Subject: {subject}")?;
            }
            writeln!(out, "\n{body}\n")?;
            last = number;
        }
        out.flush()?;
        if !follow {
            return Ok(());
        }
        hold = HOLD;
    }
}

/// A mail, as a person gets it.
#[derive(Clone, Debug)]
pub struct Message {
    /// What it is headed.
    pub subject: String,
    /// What it says, in one line, however its own lines are broken.
    pub text: String,
    /// The same as it stands.
    pub page: String,
}

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Everybody is dealt with.
    Done,
    /// A finding is left to people.
    LeftToPeople,
    /// Too many are, to be mailed.
    Overflow,
    /// What would have been done.
    Observed,
    /// Nothing more is done.
    Abandoned,
    /// Something failed.
    Failed,
}

impl Telling {
    /// How an incident stands by its subject: `[HIGH] contained: user/eve in …`, or, where no
    /// report could be written, `Cordon: contained, but …`.
    fn of(subject: &str) -> Option<Self> {
        let (_, rest) = subject.split_once(['[', ':'])?;
        let ending = match subject.strip_prefix("Cordon: ") {
            Some(rest) => rest.split_once(", but ")?.0,
            None => rest.split_once("] ")?.1.split_once(':')?.0,
        };
        Some(match ending {
            "contained" | "contained again" | "unused keys inactive" | "no unused key left" => {
                Self::Done
            }
            "left to you" | "contained again, part left to you" => Self::LeftToPeople,
            "too many escalations" => Self::Overflow,
            "observed" => Self::Observed,
            "nothing more is done" => Self::Abandoned,
            "FAILED"
            | "FAILED, not clear"
            | "NOT CONTAINED"
            | "not observed"
            | "denied, not finished"
            | "failed, nothing done"
            | "finding not updated"
            | "no such finding"
            | "told late"
            | "redrive failed"
            | "unused keys inactive, not finished"
            | "unused keys still active" => Self::Failed,
            _ => return None,
        })
    }
}

impl Message {
    fn new(subject: String, page: String) -> Self {
        let lines = page.lines().map(|line| line.trim().trim_start_matches("> "));
        let text = lines.collect::<Vec<_>>().join(" ");
        Self { subject, text, page }
    }

    /// Whether it is about this, and about the execution.
    pub fn tells(&self, telling: Telling, execution: &str) -> bool {
        Telling::of(&self.subject) == Some(telling) && self.text.contains(execution)
    }
}

/// The topics and what was mailed to their subscribers.
pub struct Topics {
    /// For the responders.
    pub alerts: Inbox,
    /// For those who run Cordon.
    pub operations: Inbox,
}

impl Topics {
    pub(crate) fn read(local_aws: &Endpoint, outputs: &Outputs) -> Self {
        Self {
            alerts: Inbox::read(local_aws, &outputs.alert_topic_arn),
            operations: Inbox::read(local_aws, &outputs.operations_topic_arn),
        }
    }
}

/// The mails of one topic.
pub struct Inbox {
    topic: String,
    messages: Arc<Mutex<Vec<Message>>>,
    arrived: watch::Receiver<usize>,
}

impl Inbox {
    fn read(local_aws: &Endpoint, topic: &str) -> Self {
        let messages = Arc::default();
        let (count, arrived) = watch::channel(0);
        tokio::spawn(read(local_aws.clone(), topic.to_owned(), Arc::clone(&messages), count));
        Self { topic: topic.to_owned(), messages, arrived }
    }

    /// The messages so far.
    pub fn all(&self) -> Vec<Message> {
        self.matching(|_| true)
    }

    /// The messages so far that mention something.
    pub fn mentioning(&self, something: &str) -> Vec<Message> {
        self.matching(|message| message.text.contains(something))
    }

    /// Waits for a message that mentions something.
    pub async fn mention(&self, something: &str) -> Result<Message> {
        self.message(format_args!("that mentions `{something}`"), |message| {
            message.text.contains(something)
        })
        .await
    }

    /// Waits for a message. `which` says in words what `wanted` looks for.
    pub async fn message(
        &self,
        which: impl std::fmt::Display,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Message> {
        let mut arrived = self.arrived.clone();
        let found = async {
            loop {
                if let Some(message) = self.matching(&wanted).into_iter().next() {
                    return Ok(message);
                }
                arrived.changed().await.context("nobody reads the topic's mails any more")?;
            }
        };
        tokio::time::timeout(PATIENCE, found).await.with_context(|| {
            format!("waited {} s for a message {which} at `{}`", PATIENCE.as_secs(), self.topic)
        })?
    }

    /// Waits until there are at least so many messages of a kind.
    pub async fn count(&self, number: usize, wanted: impl Fn(&Message) -> bool) -> Result<()> {
        wait::until(format_args!("{number} messages at `{}`", self.topic), PATIENCE, async || {
            Ok((self.matching(&wanted).len() >= number).then_some(()))
        })
        .await
    }

    fn matching(&self, wanted: impl Fn(&Message) -> bool) -> Vec<Message> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.iter().filter(|&message| wanted(message)).cloned().collect()
    }
}

/// Reads a topic's mails for as long as there is the local AWS.
async fn read(
    local_aws: Endpoint,
    topic: String,
    messages: Arc<Mutex<Vec<Message>>>,
    count: watch::Sender<usize>,
) {
    let mut last = 0;
    // Whoever waits for a message is told of the end by the closed channel.
    while let Ok(new) = delivered(&local_aws, last, HOLD).await {
        last = new.last().map_or(last, |delivery| delivery.number);
        let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.extend(new.into_iter().filter_map(|delivery| {
            let subject = delivery.subject.filter(|_| delivery.topic == topic)?;
            (delivery.protocol == "email").then(|| Message::new(subject, delivery.body))
        }));
        count.send_replace(messages.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_tells_how_it_stands() {
        let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../functions/write-report/cases");
        let mut subjects = 0;
        for case in std::fs::read_dir(cases).unwrap() {
            let mail = std::fs::read_to_string(case.unwrap().path().join("email.txt")).unwrap();
            let subject = mail.lines().next().and_then(|line| line.strip_prefix("Subject: "));
            assert!(Telling::of(subject.unwrap()).is_some(), "{subject:?}");
            subjects += 1;
        }
        assert!(subjects > 80, "only {subjects} were found");
    }
}
