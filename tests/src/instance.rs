//! The one local AWS that `make up` keeps running.

use std::net::TcpListener;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::deployment::{self, Outputs};
use crate::endpoint::Endpoint;
use crate::local_aws::LocalAws;
use crate::place::{self, Place, repository};
use crate::progress::{Progress, Seconds};
use crate::server::{self, Life, Process};
use crate::tools::{self, Build};

const RECORD: &str = "stack.json";

/// The port unless `CORDON_PORT` says otherwise; the one that AWS emulators share.
const PORT: u16 = 4566;

/// What is known of the running local AWS, kept in `target/local/stack.json`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Where it answers.
    pub endpoint: String,
    port: u16,
    process: Process,
    server_inputs: String,
    deployed: Option<Deployed>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Deployed {
    inputs: String,
    /// [`Outputs`], read when they are needed: those of another version are no obstacle to
    /// deploying this one over it.
    outputs: Value,
}

impl Instance {
    /// Starts the local AWS and deploys Cordon, or brings both up to date.
    pub async fn up(place: &Place, progress: &Progress) -> Result<Self> {
        let begun = Instant::now();
        let port = port()?;
        let running = Self::running(place).await?;
        if running.as_ref().is_none_or(|instance| instance.port != port) {
            require_free(port)?;
        }
        let (binaries, python) = tools::prepare(progress, Build::Debug).await?;
        let server_inputs = place::fingerprint(&server_inputs()?)?;
        let inputs = place::fingerprint(&deployment::inputs(&binaries)?)?;

        let mut instance = match running {
            Some(instance) if instance.port == port && instance.server_inputs == server_inputs => {
                if instance.deployed.as_ref().is_some_and(|it| it.inputs == inputs) {
                    progress.say(format_args!("Cordon is up at {}", instance.endpoint));
                    return Ok(instance);
                }
                instance
            }
            other => {
                if let Some(old) = other {
                    progress.step("ending the old local AWS", old.process.stop()).await?;
                }
                let process = progress
                    .step(
                        "starting the local AWS",
                        server::start(place, &python, port, Life::Detached),
                    )
                    .await?;
                Self {
                    endpoint: Endpoint::at_port(port).url().to_owned(),
                    port,
                    process,
                    server_inputs,
                    deployed: None,
                }
            }
        };
        // Before the deployment, so that `down` finds it however that goes.
        instance.deployed = None;
        instance.record(place)?;
        let outputs = deployment::deploy(place, &instance.endpoint, &binaries, progress).await?;
        let outputs = serde_json::to_value(outputs)?;
        instance.deployed = Some(Deployed { inputs, outputs });
        instance.record(place)?;
        progress.say(format_args!(
            "Cordon is up at {}, after {}",
            instance.endpoint,
            Seconds(begun.elapsed())
        ));
        Ok(instance)
    }

    /// Ends the local AWS, if one runs, and says whether one did.
    pub async fn down(place: &Place) -> Result<bool> {
        let Some(instance) = Self::running(place).await? else {
            return Ok(false);
        };
        instance.process.stop().await?;
        std::fs::remove_file(place.path(RECORD)).context("cannot forget the local AWS")?;
        Ok(true)
    }

    /// The local AWS that runs now.
    pub async fn running(place: &Place) -> Result<Option<Self>> {
        let Some(instance) = place::read_json::<Self>(&place.path(RECORD))? else {
            return Ok(None);
        };
        Ok(instance.process.is_alive().await.then_some(instance))
    }

    /// Clients and more for what is deployed there.
    pub fn connect(&self) -> Result<LocalAws> {
        let deployed =
            self.deployed.as_ref().context("Cordon is not deployed yet: run `make up`")?;
        let outputs: Outputs = serde_json::from_value(deployed.outputs.clone())?;
        Ok(LocalAws::at_port(self.port, outputs))
    }

    /// The paths that AWS does not have.
    pub fn beyond_aws(&self) -> Endpoint {
        Endpoint::at_port(self.port)
    }

    fn record(&self, place: &Place) -> Result<()> {
        place::write_json(&place.path(RECORD), self)
    }
}

fn port() -> Result<u16> {
    match std::env::var("CORDON_PORT") {
        Ok(text) => text.parse().with_context(|| format!("`CORDON_PORT` is no port: `{text}`")),
        Err(_) => Ok(PORT),
    }
}

fn require_free(port: u16) -> Result<()> {
    if TcpListener::bind(("127.0.0.1", port)).is_err() {
        bail!(
            "port {port} is taken by another program: \
             end it, or choose a port, as in `CORDON_PORT={} make up`",
            port.wrapping_add(1)
        );
    }
    Ok(())
}

/// The sources of the local AWS: a running one does not see them change.
fn server_inputs() -> Result<Vec<std::path::PathBuf>> {
    let local_aws: &Path = &repository().join("tests/local-aws");
    place::files_below(local_aws, &["tests", "__pycache__"])
}
