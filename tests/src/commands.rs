//! The commands for whoever is on call, with credentials of the security account.

use std::fs;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::local_aws::LocalAws;
use crate::place::{self, repository};
use crate::{EXTERNAL_ID, MEMBERS, ORGANIZATION, REGION, RESTORER, SECURITY};

/// How a command has ended, and what it printed.
pub struct Printed {
    /// How it has ended.
    pub status: ExitStatus,
    /// What it printed, its errors last.
    pub text: String,
}

/// A command that runs. It is killed when this is dropped.
pub struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    _files: Files,
}

impl Running {
    /// The next line that it prints, if it does not end before.
    pub async fn line(&mut self) -> Result<Option<String>> {
        self.lines.next_line().await.context("cannot read what a command prints")
    }

    /// Ends it in the midst of what it does, by SIGKILL, and waits until it has ended.
    pub async fn kill(&mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill a command")
    }

    /// Asks it to end, by SIGTERM.
    pub fn terminate(&self) -> Result<()> {
        let id = self.child.id().context("the command has ended")?;
        let process = nix::unistd::Pid::from_raw(i32::try_from(id)?);
        nix::sys::signal::kill(process, nix::sys::signal::SIGTERM).context("cannot end a command")
    }

    /// Waits until it has ended by itself.
    pub async fn ends(&mut self) -> Result<ExitStatus> {
        while self.line().await?.is_some() {}
        self.child.wait().await.context("cannot wait for a command")
    }
}

/// The configuration of a command, and its credentials. They last as long as this.
struct Files {
    configuration: PathBuf,
    credentials: PathBuf,
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in [&self.configuration, &self.credentials] {
            if let Err(error) = fs::remove_file(path) {
                eprintln!("cannot remove `{}`: {error}", path.display());
            }
        }
    }
}

impl LocalAws {
    /// Runs `make <command>` with variables, as it stands in `infra/`, to whichever outcome;
    /// `restore` as one who may have restores applied.
    pub async fn command(&self, command: &str, variables: &[(&str, &str)]) -> Result<Printed> {
        let restorer = if command == "restore" { Some(self.restorer().await?) } else { None };
        let own = restorer.iter().flatten().map(|(name, value)| (*name, value.as_str()));
        let variables: Vec<(&str, &str)> = own.chain(variables.iter().copied()).collect();
        let (mut node, _files) = self.node(command, &variables)?;
        let output = node.output().await.context("cannot run `node`")?;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok(Printed { status: output.status, text })
    }

    /// Starts it, to be read line by line.
    pub fn start_command(&self, command: &str, variables: &[(&str, &str)]) -> Result<Running> {
        let (mut node, files) = self.node(command, variables)?;
        let mut child = node
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start `node`")?;
        let stdout = child.stdout.take().context("the command has no output")?;
        Ok(Running { child, lines: BufReader::new(stdout).lines(), _files: files })
    }

    /// The process of a command: the security account's credentials are in its environment, and
    /// there is a profile for each member.
    fn node(&self, command: &str, variables: &[(&str, &str)]) -> Result<(Command, Files)> {
        let subscriber = |name| json!([{ "protocol": "email", "endpoint": name }]);
        let name = self.unique(command);
        let files = Files {
            configuration: place::local().join(format!("{name}.json")),
            credentials: place::local().join(format!("{name}.credentials")),
        };
        let of = |id: &str| (id.to_owned(), json!(format!("of-{id}")));
        let profiles: Map<String, Value> = MEMBERS.map(of).into_iter().collect();
        let configuration = json!({
            "securityAccount": SECURITY,
            "region": REGION,
            "organizationId": ORGANIZATION,
            "externalId": EXTERNAL_ID,
            "binaries": "nowhere",
            "responders": subscriber("on-call@example.com"),
            "operations": subscriber("platform@example.com"),
            "restorers": [RESTORER],
            "profiles": profiles,
        });
        place::write_json(&files.configuration, &configuration)?;
        place::write_profiles(&files.credentials, &MEMBERS)?;
        let mut node = Command::new("node");
        node.args(["--import", "tsx", "commands/main.ts", command])
            .env_clear()
            .current_dir(repository().join("infra"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("CONFIG", &files.configuration)
            .env("AWS_SHARED_CREDENTIALS_FILE", &files.credentials)
            .envs([
                ("AWS_ENDPOINT_URL", self.url()),
                ("AWS_ACCESS_KEY_ID", SECURITY),
                ("AWS_SECRET_ACCESS_KEY", "local"),
            ])
            .envs(variables.iter().copied())
            .kill_on_drop(true);
        Ok((node, files))
    }
}
