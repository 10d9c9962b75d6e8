//! The process of a local AWS.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::endpoint::Endpoint;
use crate::place::{self, Place, repository};
use crate::wait;

/// Time for the emulator to come up on a busy machine.
const START: Duration = Duration::from_mins(1);
const STOP: Duration = Duration::from_secs(30);

/// How long a local AWS lives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// Until `stop`.
    Detached,
    /// Until `stop`, or this process ends, however it ends.
    WithThisProcess,
}

/// Starts a local AWS at a port and waits until it answers. Returns its process.
///
/// The server gets a clean environment: what is in ours, secrets included, would reach
/// every Lambda function.
pub(crate) async fn start(place: &Place, python: &Path, port: u16, life: Life) -> Result<Process> {
    let log_path = place.path("local-aws.log");
    let log = File::create(&log_path)
        .with_context(|| format!("cannot write `{}`", log_path.display()))?;
    let mut command = Command::new(python);
    command
        .args(["-m", "cordon_local", "--port", &port.to_string(), "--dir"])
        .arg(place.path("aws"))
        .current_dir(repository().join("tests/local-aws"))
        .env_clear()
        .envs(["PATH", "HOME"].map(|name| (name, std::env::var_os(name).unwrap_or_default())))
        .env("PYTHONPYCACHEPREFIX", place::local().join("pycache"))
        .stdout(log.try_clone()?)
        .stderr(log)
        // Its own group: Ctrl-C in our terminal is not meant for it.
        .process_group(0);
    if life == Life::WithThisProcess {
        command.arg("--until-stdin-closes").stdin(Stdio::piped());
    } else {
        command.stdin(Stdio::null());
    }
    let mut child =
        command.spawn().with_context(|| format!("cannot run `{}`", python.display()))?;
    let id = i32::try_from(child.id())?;
    let starting = Starting(Process { id });
    let endpoint = Endpoint::at_port(port);
    wait::until("the local AWS to answer", START, async || {
        if let Some(status) = child.try_wait()? {
            let log = std::fs::read_to_string(&log_path)?;
            let last = log.lines().last().unwrap_or("it said nothing");
            bail!("the local AWS ended with {status}: {last} (see `{}`)", log_path.display());
        }
        Ok(endpoint.is_ready().await.then_some(()))
    })
    .await?;
    // The pipe to its standard input closes with this process, not with this value.
    std::mem::forget(child.stdin.take());
    let process = starting.0;
    std::mem::forget(starting);
    Ok(process)
}

/// A process that is not ready yet: ended, unless it gets so far.
struct Starting(Process);

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// The process of a local AWS, by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Process {
    id: i32,
}

impl Process {
    /// Whether it lives and still is a local AWS: process ids are used again.
    pub(crate) async fn is_alive(self) -> bool {
        let listed = tokio::process::Command::new("ps")
            .args(["-o", "command=", "-p", &self.id.to_string()])
            .output()
            .await;
        listed.is_ok_and(|ps| {
            let command = String::from_utf8_lossy(&ps.stdout);
            command.contains("cordon_local") && !command.contains("<defunct>")
        })
    }

    /// Ends the local AWS and the Lambda functions that it runs.
    pub(crate) async fn stop(self) -> Result<()> {
        match kill(Pid::from_raw(self.id), Signal::SIGTERM) {
            Ok(()) => (),
            Err(Errno::ESRCH) => return Ok(()),
            Err(error) => return Err(error).context("cannot end the local AWS"),
        }
        let ended = wait::until("the local AWS to end", STOP, async || {
            Ok((!self.is_alive().await).then_some(()))
        })
        .await;
        // Whatever of it is still there has had its time.
        self.kill();
        ended
    }

    fn kill(self) {
        // An error says that nothing of it is left.
        let _ = killpg(Pid::from_raw(self.id), Signal::SIGKILL);
    }
}
