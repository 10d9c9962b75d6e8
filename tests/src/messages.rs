//! What people are told: the topics, read through queues of the harness's own.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use aws_sdk_sqs::types::QueueAttributeName;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use crate::clients::Clients;
use crate::deployment::Outputs;
use crate::wait::{self, PATIENCE};

/// One message, as a subscriber gets it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message {
    /// What the topic's mails are headed, if anything.
    #[serde(default)]
    pub subject: String,
    /// What it says.
    #[serde(rename = "Message")]
    pub text: String,
}

/// The topics and what was sent to them since the harness listens.
pub struct Topics {
    /// For the responders.
    pub alerts: Inbox,
    /// For those who run Cordon.
    pub operations: Inbox,
}

impl Topics {
    pub(crate) async fn subscribe(
        security: &Clients,
        outputs: &Outputs,
        name: &str,
    ) -> Result<Self> {
        let (alerts, operations) = tokio::try_join!(
            Inbox::subscribe(security, &outputs.alert_topic_arn, format!("{name}-alerts")),
            Inbox::subscribe(security, &outputs.operations_topic_arn, format!("{name}-operations")),
        )?;
        Ok(Self { alerts, operations })
    }
}

/// The messages of one topic.
pub struct Inbox {
    topic: String,
    messages: Arc<Mutex<Vec<Message>>>,
    arrived: watch::Receiver<usize>,
}

impl Inbox {
    async fn subscribe(security: &Clients, topic: &str, queue: String) -> Result<Self> {
        let sqs = security.sqs();
        let arn = topic.replacen(":sns:", ":sqs:", 1);
        let arn = format!("{}:{queue}", arn.rsplit_once(':').context("no ARN")?.0);
        let allowed = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "sns.amazonaws.com" },
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": { "ArnEquals": { "aws:SourceArn": topic } },
            }],
        });
        let url = sqs
            .create_queue()
            .queue_name(queue)
            .attributes(QueueAttributeName::Policy, allowed.to_string())
            .send()
            .await
            .context("cannot make a queue for messages")?
            .queue_url
            .context("the queue for messages has no URL")?;
        security
            .sns()
            .subscribe()
            .topic_arn(topic)
            .protocol("sqs")
            .endpoint(arn)
            .send()
            .await
            .with_context(|| format!("cannot subscribe to `{topic}`"))?;

        let messages = Arc::default();
        let (count, arrived) = watch::channel(0);
        tokio::spawn(read(sqs, url, Arc::clone(&messages), count));
        Ok(Self { topic: topic.to_owned(), messages, arrived })
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
                arrived.changed().await.context("nobody reads the topic's queue any more")?;
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

/// Reads a queue for as long as there is one.
async fn read(
    sqs: aws_sdk_sqs::Client,
    url: String,
    messages: Arc<Mutex<Vec<Message>>>,
    count: watch::Sender<usize>,
) {
    loop {
        let received = sqs
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(10)
            .wait_time_seconds(5)
            .send()
            .await;
        // Whoever waits for a message is told by the closed channel.
        let Ok(received) = received else { return };
        for message in received.messages.unwrap_or_default() {
            let body = message.body.unwrap_or_default();
            let read = serde_json::from_str(&body)
                .unwrap_or(Message { subject: String::new(), text: body });
            keep(&messages, &count, read);
            if let Some(handle) = message.receipt_handle {
                // A message read twice is still one that was sent.
                let _ = sqs.delete_message().queue_url(&url).receipt_handle(handle).send().await;
            }
        }
    }
}

fn keep(messages: &Mutex<Vec<Message>>, count: &watch::Sender<usize>, message: Message) {
    let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
    messages.push(message);
    count.send_replace(messages.len());
}
