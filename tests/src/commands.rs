//! The commands for whoever is on call, with credentials of the security account.

use std::process::ExitStatus;

use anyhow::{Context, Result};
use serde_json::json;
use tokio::process::Command;

use crate::local_aws::LocalAws;
use crate::place::{self, repository};
use crate::{EXTERNAL_ID, ORGANIZATION, REGION, SECURITY};

/// How a command has ended, and what it printed.
pub struct Printed {
    /// How it has ended.
    pub status: ExitStatus,
    /// Both streams, one after the other.
    pub text: String,
}

impl LocalAws {
    /// Runs `make <command>` with variables, as it stands in `infra/`, to whichever outcome.
    pub async fn command(&self, command: &str, variables: &[(&str, &str)]) -> Result<Printed> {
        let subscriber = |name| json!([{ "protocol": "email", "endpoint": name }]);
        let path = place::local().join(format!("{}.json", self.unique(command)));
        let configuration = json!({
            "securityAccount": SECURITY,
            "region": REGION,
            "organizationId": ORGANIZATION,
            "externalId": EXTERNAL_ID,
            "binaries": "nowhere",
            "responders": subscriber("on-call@example.com"),
            "operations": subscriber("platform@example.com"),
        });
        place::write_json(&path, &configuration)?;
        let output = Command::new("node")
            .args(["--import", "tsx", "commands/main.ts", command])
            .arg(&path)
            .env_clear()
            .current_dir(repository().join("infra"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs([
                ("AWS_ENDPOINT_URL", self.url()),
                ("AWS_ACCESS_KEY_ID", SECURITY),
                ("AWS_SECRET_ACCESS_KEY", "local"),
            ])
            .envs(variables.iter().copied())
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot run `node`")?;
        std::fs::remove_file(&path).context("cannot remove the configuration")?;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok(Printed { status: output.status, text })
    }
}
