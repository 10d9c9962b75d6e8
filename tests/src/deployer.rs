//! Somebody who deploys Cordon by the commands of the Makefile.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};
use tokio::process::Command;

use crate::deployment::{self, Outputs};
use crate::endpoint::Endpoint;
use crate::local_aws::{LocalAws, free_port};
use crate::place::{self, Place, repository};
use crate::progress::Progress;
use crate::server::{self, Life};
use crate::tools::{self, Build};
use crate::{MEMBERS, REGION, SECURITY, restorer};

/// A deployer with a local AWS in which there is nothing yet, a configuration, and a profile of
/// the AWS CLI for each account. Both last until the process ends.
pub struct Deployer {
    place: Place,
    port: u16,
    url: String,
}

impl Deployer {
    /// Starts the local AWS, and copies the configuration from `infra/README.md`.
    pub async fn new(progress: &Progress) -> Result<Self> {
        let place = Place::of_a_test_run()?;
        let (binaries, python) = tools::prepare(progress, Build::Debug).await?;
        let port = free_port()?;
        server::start(&place, &python, port, Life::WithThisProcess).await?;
        deployment::put_packages(&place.path("target/lambda"), &binaries)?;
        let accounts = [SECURITY, MEMBERS[0], MEMBERS[1]];
        place::write_profiles(&place.path("credentials"), &accounts)?;
        let url = Endpoint::at_port(port).url().to_owned();
        restorer::create(&url).await?;
        let deployer = Self { place, port, url };
        deployer.write(&deployment::configuration()?)?;
        deployer.configure(&json!({ "profiles": deployer.profiles() }))?;
        Ok(deployer)
    }

    /// The profile of each account.
    pub fn profiles(&self) -> Value {
        let of = |account: &str| (account.to_owned(), json!(format!("of-{account}")));
        [SECURITY, MEMBERS[0], MEMBERS[1]].map(of).into_iter().collect()
    }

    /// Changes fields of the configuration; one that is null is left out.
    pub fn configure(&self, fields: &Value) -> Result<()> {
        let mut configuration: Map<String, Value> =
            place::read_json(&self.configuration())?.context("there is no configuration")?;
        configuration.extend(fields.as_object().context("no fields")?.clone());
        configuration.retain(|_, value| !value.is_null());
        self.write(&Value::Object(configuration))
    }

    /// The folder of one function's package.
    pub fn package(&self, function: &str) -> PathBuf {
        self.place.path("target/lambda").join(function)
    }

    /// Runs `make` with a goal and variables, and returns what it prints.
    pub async fn make(&self, arguments: &[&str]) -> Result<String> {
        let (succeeded, said) = self.made(arguments).await?;
        if !succeeded {
            bail!("`make {}` failed: {said}", arguments.join(" "));
        }
        Ok(said)
    }

    /// Runs `make` with what it has to refuse, and returns what it prints.
    pub async fn make_refuses(&self, arguments: &[&str]) -> Result<String> {
        let (succeeded, said) = self.made(arguments).await?;
        if succeeded {
            bail!("`make {}` succeeded: {said}", arguments.join(" "));
        }
        Ok(said)
    }

    async fn made(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let mut make = self.command("make");
        make.arg("--silent").args(arguments).current_dir(repository());
        make.arg(format!("CONFIG={}", self.configuration().display()));
        let output = make.kill_on_drop(true).output().await.context("cannot run `make`")?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// Deploys what a former release had of the security stack: its response policy.
    pub async fn deploy_former_release(&self) -> Result<()> {
        let mut cdk = self.command("node");
        cdk.arg("node_modules/aws-cdk/bin/cdk")
            .args(["deploy", "CordonSecurity", "--app", "node --import tsx test/former-release.ts"])
            .args(["--method", "direct", "--require-approval", "never", "--output"])
            .arg(self.place.path("former-release"))
            .args(["--profile", &format!("of-{SECURITY}")])
            .current_dir(repository().join("infra"));
        tools::run(&mut cdk, &self.place.path("former-release.log")).await
    }

    /// The local AWS with the security stack of which `make deploy` said this.
    pub fn deployed(&self, said: &str) -> Result<LocalAws> {
        let outputs: HashMap<&str, &str> = said
            .lines()
            .filter_map(|line| line.strip_prefix("CordonSecurity.")?.split_once(" = "))
            .collect();
        let outputs: Outputs = serde_json::from_value(json!(outputs))
            .with_context(|| format!("`make deploy` told no outputs: {said}"))?;
        Ok(LocalAws::at_port(self.port, outputs))
    }

    fn configuration(&self) -> PathBuf {
        self.place.path("cordon.json")
    }

    fn write(&self, configuration: &Value) -> Result<()> {
        place::write_json(&self.configuration(), configuration)
    }

    /// A program with an environment of its own, so that no setting of the developer's shell can
    /// lead it to a real account.
    fn command(&self, program: &str) -> Command {
        let home = env::home_dir().unwrap_or_default();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", place::local().join("home"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.place.path("credentials"))
            .env("AWS_CONFIG_FILE", self.place.path("config"))
            .envs([("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")].map(|(name, folder)| {
                (name, env::var_os(name).unwrap_or_else(|| home.join(folder).into()))
            }))
            .envs([
                ("AWS_ENDPOINT_URL", self.url.as_str()),
                ("AWS_REGION", REGION),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                ("CDK_DISABLE_CLI_TELEMETRY", "true"),
                ("CDK_DISABLE_VERSION_CHECK", "true"),
                ("CI", "true"),
            ]);
        command
    }
}
