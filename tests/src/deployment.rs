//! Puts Cordon's stacks into a local AWS, the way they get into a real one: with CDK.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use aws_sdk_ssm::error::SdkError;
use aws_sdk_ssm::operation::put_parameter::PutParameterError;
use aws_sdk_ssm::types::ParameterType;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::clients::Clients;
use crate::place::{self, Place, repository};
use crate::progress::Progress;
use crate::steps::Step;
use crate::{
    EXTERNAL_ID, MANAGEMENT, MEMBERS, OPERATORS, ORGANIZATION, REGION, RESTORER, SECURITY, UNITS,
    restorer, tools,
};

/// What the security stack says about itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Outputs {
    pub evidence_bucket_name: String,
    pub alert_topic_arn: String,
    pub operations_topic_arn: String,
    pub state_machine_arn: String,
    pub readiness_machine_arn: String,
    pub restore_machine_arn: String,
    pub response_policy_parameter: String,
    /// Empty where Security Hub without CSPM sends the findings.
    #[serde(default)]
    pub custom_action_arn: String,
}

/// Which Security Hub sends the findings, as the configuration says it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Feed {
    /// With CSPM, in ASFF.
    Cspm,
    /// Without it, in OCSF.
    V2,
}

/// All files that decide what is deployed.
pub(crate) fn inputs(binaries: &Path) -> Result<Vec<PathBuf>> {
    let mut files =
        place::files_below(&repository().join("infra"), &["node_modules", "test", "cdk.out"])?;
    files.extend(place::files_below(&repository().join("statemachine"), &[])?);
    for Step { folder: function, .. } in Step::all()? {
        files.push(binaries.join(&function));
        let policies =
            place::files_below(&repository().join("functions").join(function), &["src"])?;
        files.extend(
            policies
                .into_iter()
                .filter(|file| file.extension().is_some_and(|extension| extension == "json")),
        );
    }
    Ok(files)
}

/// Deploys Cordon, the member roles into each account. IAM's reads are never
/// stale here, so there is no need to let them settle for long.
pub(crate) async fn deploy(
    place: &Place,
    endpoint: &str,
    binaries: &Path,
    progress: &Progress,
) -> Result<Outputs> {
    let policy = json!({ "settlingSeconds": 1 });
    deploy_with(place, endpoint, binaries, (Feed::Cspm, &policy), progress).await
}

/// Deploys Cordon with a response policy, for findings of this feed.
pub(crate) async fn deploy_with(
    place: &Place,
    endpoint: &str,
    binaries: &Path,
    (feed, response_policy): (Feed, &Value),
    progress: &Progress,
) -> Result<Outputs> {
    lay_out(place, binaries, feed, response_policy)?;
    let cdk = Cdk { place, endpoint };
    tokio::try_join!(
        progress.step("bootstrapping CDK in the security account", cdk.bootstrap()),
        progress.step("synthesizing the stacks", cdk.synthesize()),
    )?;
    if matches!(feed, Feed::Cspm) {
        restorer::create(endpoint).await?;
    }
    let policy = Box::pin(cdk.response_policy(response_policy));
    progress
        .step("deploying the security stack", async {
            tokio::try_join!(policy, cdk.deploy("CordonSecurity", SECURITY))
        })
        .await?;
    progress.step("deploying the member roles", members(&cdk, feed)).await?;
    cdk.outputs()
}

/// The member roles, in one of the two ways there are. By `StackSet`, with the two accounts that no
/// `StackSet` is for; or as a stack of each member's own, and nowhere else.
async fn members(cdk: &Cdk<'_>, feed: Feed) -> Result<()> {
    let stacks = match feed {
        Feed::Cspm => vec![
            ("CordonOrganization", SECURITY),
            ("CordonMember", SECURITY),
            ("CordonMember", MANAGEMENT),
            ("CordonRestore", SECURITY),
            ("CordonRestore", MANAGEMENT),
        ],
        Feed::V2 => MEMBERS.map(|member| ("CordonMember", member)).to_vec(),
    };
    try_join_all(stacks.into_iter().map(|(stack, account)| cdk.deploy(stack, account))).await?;
    Ok(())
}

/// Writes the configuration, and puts each binary where production packages have it.
fn lay_out(place: &Place, binaries: &Path, feed: Feed, response_policy: &Value) -> Result<()> {
    let mut configuration = configuration()?;
    configuration["responsePolicy"] = response_policy.clone();
    match feed {
        Feed::Cspm => {
            configuration["organizationalUnits"] = json!(UNITS);
            configuration["managementAccount"] = json!(MANAGEMENT);
            configuration["securityAccountUsers"] = json!(true);
            configuration["restorers"] = json!([RESTORER]);
            configuration["restoreGroups"] = json!(true);
            configuration["operators"] = json!([format!("arn:aws:iam::*:user{OPERATORS}*")]);
        }
        Feed::V2 => {
            configuration["findings"] = json!("v2");
            // And what need not be said, which most deployments do without.
            configuration["tags"] = json!({ "cost centre": "4711", "team": "security" });
            configuration["logRetentionDays"] = json!(30);
        }
    }
    let packages = configuration["binaries"].as_str().context("it has no `binaries`")?;
    put_packages(&place.path(packages), binaries)?;
    place::write_json(&place.path("cordon.json"), &configuration)
}

/// The example of `infra/README.md`, but for what is true of this local AWS alone.
pub(crate) fn configuration() -> Result<Value> {
    let mut configuration = example()?;
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    for (field, value) in [
        ("securityAccount", json!(SECURITY)),
        ("region", json!(REGION)),
        ("organizationId", json!(ORGANIZATION)),
        ("externalId", json!(EXTERNAL_ID)),
        ("architecture", json!(architecture)),
    ] {
        *configuration.get_mut(field).with_context(|| format!("it has no `{field}`"))? = value;
    }
    Ok(configuration)
}

/// Puts each binary where production packages have it.
pub(crate) fn put_packages(packages: &Path, binaries: &Path) -> Result<()> {
    for Step { folder: function, .. } in Step::all()? {
        let from = binaries.join(&function);
        let to = packages.join(&function).join("bootstrap");
        fs::create_dir_all(packages.join(&function))
            .and_then(|()| fs::copy(&from, &to))
            .with_context(|| format!("cannot copy `{}` to `{}`", from.display(), to.display()))?;
    }
    Ok(())
}

/// The configuration that `infra/README.md` gives as an example.
fn example() -> Result<Value> {
    let readme = fs::read_to_string(repository().join("infra/README.md"))?;
    let example = readme
        .split("```json\n")
        .skip(1)
        .filter_map(|text| text.split("```").next())
        .find(|text| text.contains("\"securityAccount\""))
        .context("the README has no example of a configuration")?;
    serde_json::from_str(example).context("the README's example of a configuration is no JSON")
}

struct Cdk<'a> {
    place: &'a Place,
    endpoint: &'a str,
}

impl Cdk<'_> {
    async fn bootstrap(&self) -> Result<()> {
        let environment = format!("aws://{SECURITY}/{REGION}");
        let mut command = self.command(SECURITY);
        // Anywhere but in `infra/`, where it would synthesize the stacks first.
        command.args(["bootstrap", &environment]).current_dir(place::local());
        self.run("bootstrap", command).await
    }

    async fn synthesize(&self) -> Result<()> {
        let config = self.place.path("cordon.json");
        let mut command = self.command(SECURITY);
        command
            .args(["synth", "--quiet", "--no-staging", "--context"])
            .arg(format!("config={}", config.display()))
            .arg("--output")
            .arg(self.place.path("cdk.out"))
            .current_dir(repository().join("infra"));
        self.run("synth", command).await
    }

    /// Creates the response policy, of which no stack knows. One that is there stays.
    async fn response_policy(&self, policy: &Value) -> Result<()> {
        let created = Clients::of_account(self.endpoint, SECURITY)
            .ssm()
            .put_parameter()
            .name("/cordon/response-policy")
            .r#type(ParameterType::String)
            .value(policy.to_string())
            .send()
            .await;
        match created.map_err(SdkError::into_service_error) {
            Ok(_) | Err(PutParameterError::ParameterAlreadyExists(_)) => Ok(()),
            Err(error) => Err(error).context("cannot create the response policy"),
        }
    }

    async fn deploy(&self, stack: &str, account: &str) -> Result<()> {
        let mut command = self.command(account);
        command
            .args(["deploy", stack, "--app"])
            .arg(self.place.path("cdk.out"))
            .args(["--require-approval", "never", "--method", "direct"])
            .args(["--asset-parallelism", "--progress", "events", "--outputs-file"])
            .arg(self.outputs_file(stack, account))
            .current_dir(place::local());
        self.run(&format!("{stack}-{account}"), command).await
    }

    fn outputs(&self) -> Result<Outputs> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Stacks {
            cordon_security: Outputs,
        }
        let path = self.outputs_file("CordonSecurity", SECURITY);
        let stacks: Stacks = place::read_json(&path)?
            .with_context(|| format!("CDK wrote no `{}`", path.display()))?;
        Ok(stacks.cordon_security)
    }

    fn outputs_file(&self, stack: &str, account: &str) -> PathBuf {
        self.place.path(&format!("outputs-{stack}-{account}.json"))
    }

    /// `cdk` as an account's root, with an environment of its own, so that no setting of the
    /// developer's shell can lead it to a real account.
    fn command(&self, account: &str) -> Command {
        let mut command = Command::new("node");
        command
            .arg(repository().join("infra/node_modules/aws-cdk/bin/cdk"))
            .arg("--no-notices")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", place::local().join("home"))
            .envs([
                ("AWS_ENDPOINT_URL", self.endpoint),
                ("AWS_REGION", REGION),
                ("AWS_ACCESS_KEY_ID", account),
                ("AWS_SECRET_ACCESS_KEY", "local"),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                ("CDK_DISABLE_CLI_TELEMETRY", "true"),
                ("CDK_DISABLE_VERSION_CHECK", "true"),
                ("CI", "true"),
            ]);
        command
    }

    async fn run(&self, name: &str, mut command: Command) -> Result<()> {
        let log = self.place.path(&format!("cdk-{name}.log"));
        tools::run(&mut command, &log).await
    }
}
