//! What the developer sees: the mails, and the demo.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, bail, ensure};
use harness::local_aws::LocalAws;
use harness::user::ADMINISTRATOR_ACCESS;
use harness::wait::{self, PATIENCE};
use harness::{demo, messages};

use crate::incident::Incident;
use crate::trials::Trials;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("an incident's mail can be read as its readers have it", read);
    trials.add("who follows the mails sees what comes, by whichever protocol", followed);
    trials.add("the demo proves what it shows, in 80 columns", shown);
}

async fn read(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let incident = Incident::about(aws, &user).await?;
    let execution = incident.ends_well().await?;
    let outcome = incident.outcome(&execution).await?;

    let mut out = Vec::new();
    messages::write(aws.beyond_aws(), false, &mut out).await?;
    let out = String::from_utf8(out)?;
    let mail = out.split(&"─".repeat(80)).find(|mail| mail.contains(&execution.arn));
    let Some((head, text)) = mail.and_then(|mail| mail.split_once("\n\n")) else {
        bail!("there is no such mail: {out}")
    };
    ensure!(head.starts_with("\nemail to on-call@example.com\nSubject: "), "it is headed: {head}");
    ensure!(text == format!("{outcome}\n\n"), "it says: {text}");
    Ok(())
}

async fn followed(aws: &LocalAws) -> Result<()> {
    let sns = aws.security().sns();
    let topic = sns.create_topic().name(aws.unique("followed")).send().await?;
    let topic = topic.topic_arn().unwrap_or_default();
    let subscribe = sns.subscribe().topic_arn(topic).protocol("sms").endpoint("+15555550100");
    subscribe.send().await?;
    let publish = async |text: &str| sns.publish().topic_arn(topic).message(text).send().await;

    let screen = Screen::default();
    let mut written = screen.clone();
    let before = aws.unique("before");
    publish(&before).await?;
    let seen = async {
        screen.shows(&format!("sms to +15555550100\n\n{before}\n")).await?;
        let after = aws.unique("after");
        publish(&after).await?;
        screen.shows(&format!("sms to +15555550100\n\n{after}\n")).await
    };
    tokio::select! {
        seen = seen => seen,
        ended = messages::write(aws.beyond_aws(), true, &mut written) => {
            bail!("it ended: {ended:?}")
        }
    }
}

async fn shown(aws: &LocalAws) -> Result<()> {
    let mut out = Vec::new();
    let proven = Box::pin(demo::run(aws, &mut out, true)).await?;
    let out = String::from_utf8(out)?;
    ensure!(proven, "it failed to prove something:\n{out}");
    ensure!(out.contains("key and session are refused"), "{out}");
    ensure!(out.contains("but for its key, the user is as it was"), "{out}");
    let wide: Vec<_> = out.lines().filter(|line| line.chars().count() > 80).collect();
    ensure!(wide.is_empty(), "too wide:\n{}", wide.join("\n"));
    Ok(())
}

/// Where somebody reads what is written.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    async fn shows(&self, text: &str) -> Result<()> {
        wait::until(format_args!("`{text}`"), PATIENCE, async || {
            let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(String::from_utf8_lossy(&seen).contains(text).then_some(()))
        })
        .await
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
