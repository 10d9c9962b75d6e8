//! The command that replays what a rule could not deliver.

use anyhow::{Context, Result};
use serde_json::json;
use tokio::process::Command;

use crate::local_aws::LocalAws;
use crate::place::{self, repository};
use crate::{EXTERNAL_ID, ORGANIZATION, REGION, SECURITY};

impl LocalAws {
    /// What the command says, of whichever outcome.
    pub async fn replay(&self, rule: &str) -> Result<String> {
        let subscriber = |name| json!([{ "protocol": "email", "endpoint": name }]);
        let path = place::local().join(format!("{}.json", self.unique("replay")));
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
            .args(["--import", "tsx", "commands/main.ts", "replay"])
            .arg(&path)
            .env_clear()
            .env("RULE", rule)
            .current_dir(repository().join("infra"))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs([
                ("AWS_ENDPOINT_URL", self.url()),
                ("AWS_ACCESS_KEY_ID", SECURITY),
                ("AWS_SECRET_ACCESS_KEY", "local"),
            ])
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot run `node`")?;
        std::fs::remove_file(&path).context("cannot remove the configuration")?;
        Ok(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    }
}
