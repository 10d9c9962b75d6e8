//! What each function weighs: its package, its start, its memory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::report::{Figure, Group, Unit};
use super::timeline::median;
use crate::local_aws::LocalAws;
use crate::place::{self, Place};
use crate::{REGION, SECURITY};

/// What a function may take to start on a busy machine.
const LONGEST_START: Duration = Duration::from_secs(10);

/// How the group of the packages is headed.
const PACKAGES: &str = "package, zipped as it is deployed";

/// What a package may weigh, in megabytes: a cold start loads it.
const LARGEST_PACKAGE: f64 = 4.0;

/// A function as the stack's template has it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Function {
    #[serde(rename = "FunctionName")]
    name: String,
    code: Code,
    environment: Environment,
}

#[derive(Deserialize)]
struct Code {
    #[serde(rename = "S3Bucket")]
    bucket: String,
    #[serde(rename = "S3Key")]
    key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    /// A value that is known at deployment only is no text.
    variables: BTreeMap<String, serde_json::Value>,
}

/// The functions, measured once Cordon has worked.
pub(super) async fn measure(
    aws: &LocalAws,
    place: &Place,
    binaries: &Path,
    runs: usize,
) -> Result<Vec<Group>> {
    let mut packages = Vec::new();
    let mut starts = Vec::new();
    let mut memory = Vec::new();
    let worked = most_memory(aws.url())?;
    for function in functions(place)? {
        let name = &function.name;
        packages.push(Figure::new(name, Unit::Megabytes, package(aws, &function.code).await?));
        let binary = binaries.join(name.trim_start_matches("cordon-"));
        let mut times = Vec::new();
        let mut held = worked.get(name).copied();
        for _ in 0..runs {
            let (time, at_start) = start(&binary, &function)
                .await
                .with_context(|| format!("`{name}` does not start"))?;
            times.push(time.as_secs_f64() * 1000.0);
            held = held.into_iter().chain(at_start).reduce(f64::max);
        }
        starts.extend(median(times).map(|time| Figure::new(name, Unit::Milliseconds, time)));
        memory.extend(held.map(|held| Figure::new(name, Unit::Megabytes, held)));
    }
    let group = |name: &str, figures| Group { name: name.to_owned(), figures };
    Ok(vec![
        group("start of a process, until it asks for work", starts),
        group("most memory that a process held", memory),
        group(PACKAGES, packages),
    ])
}

/// Fails if a package weighs too much.
pub(super) fn are_small(groups: &[Group]) -> Result<()> {
    let packages = groups.iter().filter(|group| group.name == PACKAGES);
    let packages = packages.flat_map(|group| &group.figures);
    let large = packages.filter(|package| package.value > LARGEST_PACKAGE);
    let large: Vec<&str> = large.map(|package| package.name.as_str()).collect();
    ensure!(large.is_empty(), "over {LARGEST_PACKAGE} MB: the packages of {}", large.join(", "));
    Ok(())
}

/// All functions of the security account's stack, by name.
fn functions(place: &Place) -> Result<Vec<Function>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Template {
        resources: BTreeMap<String, Resource>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Resource {
        r#type: String,
        properties: Option<serde_json::Value>,
    }
    let path = place.path("cdk.out/CordonSecurity.template.json");
    let template: Template =
        place::read_json(&path)?.with_context(|| format!("there is no `{}`", path.display()))?;
    let resources = template.resources.into_values();
    let functions = resources.filter(|resource| resource.r#type == "AWS::Lambda::Function");
    let functions = functions.map(|function| {
        serde_json::from_value(function.properties.unwrap_or_default())
            .with_context(|| format!("cannot understand a function of `{}`", path.display()))
    });
    let mut functions: Vec<Function> = functions.collect::<Result<_>>()?;
    functions.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(functions)
}

/// The size of a package that CDK has made and uploaded, in megabytes.
async fn package(aws: &LocalAws, code: &Code) -> Result<f64> {
    let head = aws.security().s3().head_object().bucket(&code.bucket).key(&code.key);
    let head = head.send().await.with_context(|| format!("there is no package `{}`", code.key))?;
    let bytes = u32::try_from(head.content_length.unwrap_or_default())?;
    Ok(f64::from(bytes) / 1e6)
}

/// How long a new process takes until it asks for its first invocation, and how much memory
/// it has held until then.
///
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
async fn start(binary: &Path, function: &Function) -> Result<(Duration, Option<f64>)> {
    let api = TcpListener::bind(("127.0.0.1", 0)).await?;
    let mut command = Command::new(binary);
    command
        .env_clear()
        .envs([
            ("AWS_LAMBDA_RUNTIME_API", api.local_addr()?.to_string().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", &function.name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
            ("AWS_ACCESS_KEY_ID", SECURITY),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_REGION", REGION),
        ])
        .envs(
            function
                .environment
                .variables
                .iter()
                .map(|(name, value)| (name, value.as_str().unwrap_or("known-at-deployment"))),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    let begun = Instant::now();
    let mut process =
        command.spawn().with_context(|| format!("cannot run `{}`", binary.display()))?;
    // The connection is kept until the process is ended: it would complain about its loss.
    let (time, _connection) = tokio::select! {
        asked = asked(&api) => asked.map(|connection| (begun.elapsed(), connection))?,
        ended = process.wait() => bail!("it ended with {}", ended?),
        () = tokio::time::sleep(LONGEST_START) => {
            bail!("it asked for nothing within {} s", LONGEST_START.as_secs())
        }
    };
    let memory = process.id().and_then(memory_of);
    end(process).await?;
    Ok((time, memory))
}

/// Waits until somebody asks for an invocation. Returns the connection that waits for one.
async fn asked(api: &TcpListener) -> Result<TcpStream> {
    let (mut connection, _) = api.accept().await?;
    let mut request = [0; 1024];
    let length = connection.read(&mut request).await?;
    let request = String::from_utf8_lossy(request.get(..length).unwrap_or_default()).into_owned();
    let first = request.lines().next().unwrap_or_default();
    if !first.contains("/runtime/invocation/next") {
        bail!("it asked for `{first}`");
    }
    Ok(connection)
}

async fn end(mut process: Child) -> Result<()> {
    process.kill().await.context("cannot end a function")
}

/// The most memory, in megabytes, that a process of each function has held at once, of those
/// that the local AWS runs now.
fn most_memory(url: &str) -> Result<BTreeMap<String, f64>> {
    let mut most = BTreeMap::<String, f64>::new();
    let processes = match fs::read_dir("/proc") {
        Ok(processes) => processes,
        // Not on this system; the report goes without.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(most),
        Err(error) => return Err(error).context("cannot read `/proc`"),
    };
    for process in processes {
        let process = process?.file_name();
        let Some(id) = process.to_str().and_then(|name| name.parse().ok()) else { continue };
        // Processes of others are not to be read, and some end meanwhile.
        let Ok(environment) = fs::read(format!("/proc/{id}/environ")) else { continue };
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let variable = |name: &str| {
            let mut variables = environment.split('\0').filter_map(|one| one.split_once('='));
            variables.find(|(own, _)| *own == name).map(|(_, value)| value)
        };
        if variable("AWS_ENDPOINT_URL") == Some(url)
            && let Some(function) = variable("AWS_LAMBDA_FUNCTION_NAME")
            && let Some(held) = memory_of(id)
        {
            let most = most.entry(function.to_owned()).or_default();
            *most = most.max(held);
        }
    }
    Ok(most)
}

/// The most memory that a process has held, in megabytes, on systems that tell.
///
/// <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>
fn memory_of(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u32 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(f64::from(kibibytes) * 1024.0 / 1e6)
}
