//! Somebody who holds a user's credentials and uses them without a pause.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_s3::error::ProvideErrorMetadata;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clients::Clients;
use crate::local_aws::now;
use crate::wait::{self, PATIENCE};

/// The attacker's credentials at work.
pub(super) struct Attack {
    credentials: Vec<Credential>,
    over: watch::Sender<bool>,
}

struct Credential {
    name: &'static str,
    use_so_far: watch::Receiver<Use>,
    announced: bool,
    task: JoinHandle<Result<()>>,
}

/// What became of one credential. Times are since 1970.
#[derive(Clone, Debug, Default)]
pub(super) struct Use {
    pub(super) name: &'static str,
    pub(super) calls: u32,
    /// When it worked for the last time.
    pub(super) worked: Option<Duration>,
    /// Since when each call was refused, and what the first refusal was.
    pub(super) refused: Option<(Duration, String)>,
}

impl Attack {
    /// Returns once each credential has worked.
    pub(super) async fn begin<const N: usize>(
        credentials: [(&'static str, Clients); N],
    ) -> Result<Self> {
        let (over, until) = watch::channel(false);
        let mut attack = Self { credentials: Vec::new(), over };
        for (name, clients) in credentials {
            let (report, use_so_far) = watch::channel(Use { name, ..Use::default() });
            let task = tokio::spawn(attack_with(clients, report, until.clone()));
            attack.credentials.push(Credential { name, use_so_far, announced: false, task });
        }
        for credential in &mut attack.credentials {
            let worked = credential.use_so_far.wait_for(|so_far| so_far.worked.is_some());
            tokio::time::timeout(PATIENCE, worked)
                .await
                .map_err(anyhow::Error::from)
                .and_then(|changed| Ok(changed.map(drop)?))
                .with_context(|| format!("the attacker's {} does not work", credential.name))?;
        }
        Ok(attack)
    }

    /// The credentials that are refused and were not when last asked.
    pub(super) fn news(&mut self) -> Vec<(Duration, String)> {
        let mut news = Vec::new();
        for credential in self.credentials.iter_mut().filter(|one| !one.announced) {
            if let Some((since, error)) = &credential.use_so_far.borrow().refused {
                news.push((
                    *since,
                    format!("the attacker's {} is refused: {error}", credential.name),
                ));
                credential.announced = true;
            }
        }
        news
    }

    /// Ends the attack, once each credential has been refused or patience is at its end.
    pub(super) async fn end(self) -> Result<Vec<Use>> {
        let mut uses = Vec::new();
        for credential in &self.credentials {
            // A credential that still works is the proofs' to tell.
            let _ = wait::until("refusal", Duration::from_secs(2), async || {
                Ok(credential.use_so_far.borrow().refused.clone())
            })
            .await;
        }
        self.over.send_replace(true);
        for credential in self.credentials {
            credential
                .task
                .await?
                .with_context(|| format!("the attacker's {}", credential.name))?;
            uses.push(credential.use_so_far.borrow().clone());
        }
        Ok(uses)
    }
}

async fn attack_with(
    clients: Clients,
    report: watch::Sender<Use>,
    over: watch::Receiver<bool>,
) -> Result<()> {
    let s3 = clients.without_retries().s3();
    while !*over.borrow() {
        let answer = s3.list_buckets().send().await;
        let answered = now();
        let refusal = match answer {
            Ok(_) => None,
            Err(error) => match error.raw_response().map(|response| response.status().as_u16()) {
                Some(401 | 403) => Some(error.code().unwrap_or("refused").to_owned()),
                _ => bail!("got an answer that is no refusal: {error:?}"),
            },
        };
        report.send_modify(|so_far| {
            so_far.calls += 1;
            match refusal {
                None => {
                    so_far.worked = Some(answered);
                    so_far.refused = None;
                }
                Some(error) => {
                    so_far.refused.get_or_insert((answered, error));
                }
            }
        });
    }
    Ok(())
}
