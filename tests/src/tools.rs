//! Programs that the local AWS is built and deployed with: cargo, Python, CDK.
//!
//! What has to be installed is installed once, below `target/` and `infra/node_modules`,
//! and again when its list of pinned versions changes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, bail};
use tokio::process::Command;

use crate::place::{self, repository};
use crate::progress::Progress;

/// The folder of the build that this program is part of: `target/debug`.
fn build_folder() -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let folder = program
        .parent()
        .map(|folder| match folder.parent() {
            // Test programs lie one level deeper.
            Some(parent) if folder.ends_with("deps") => parent,
            _ => folder,
        })
        .context("this program's file is in no folder")?;
    Ok(folder.to_owned())
}

/// How the functions are built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    /// As this program is, which takes seconds.
    Debug,
    /// As they are deployed, which takes minutes.
    Release,
}

/// Builds and installs all that a local AWS needs. Returns the folder with the binaries and
/// the Python interpreter.
pub(crate) async fn prepare(progress: &Progress, build: Build) -> Result<(PathBuf, PathBuf)> {
    let (binaries, python) = tokio::try_join!(
        progress.step("building the functions", build_functions(build)),
        install(progress),
    )?;
    Ok((binaries, python))
}

/// Installs what is pinned in the lists of Python and npm packages, unless it is there.
/// Returns the Python interpreter.
pub async fn install(progress: &Progress) -> Result<PathBuf> {
    let _lock = place::lock("install")?;
    let (python, _, ()) = tokio::try_join!(
        progress.step("installing Python packages", install_python_packages()),
        progress.step("installing the AWS CLI", install_aws_cli()),
        progress.step("installing npm packages", install_node_packages()),
    )?;
    Ok(python)
}

/// The folder in which a program finds `aws`, AWS's own CLI.
pub fn aws_cli() -> PathBuf {
    place::local().join("aws-cli/bin")
}

/// Builds what the state machine calls and returns the folder with the binaries.
async fn build_functions(build: Build) -> Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--workspace", "--bins", "--locked", "--quiet"]);
    let folder = match build {
        Build::Debug => build_folder()?,
        Build::Release => {
            cargo.args(["--release", "--exclude", "harness", "--exclude", "wire"]);
            build_folder()?.with_file_name("release")
        }
    };
    let status = cargo
        .current_dir(repository())
        .stdin(Stdio::null())
        .status()
        .await
        .context("cannot run `cargo`")?;
    if !status.success() {
        bail!("the functions do not compile");
    }
    Ok(folder)
}

/// Makes the Python environment of the local AWS and returns its interpreter.
async fn install_python_packages() -> Result<PathBuf> {
    // The local AWS itself, and what checks the templates.
    install_for_python("venv", &["tests/local-aws/requirements.txt", "infra/requirements.txt"])
        .await
}

/// Makes the Python environment of AWS's CLI, which has other needs.
async fn install_aws_cli() -> Result<PathBuf> {
    install_for_python("aws-cli", &["tests/commands.txt"]).await
}

/// Makes a Python environment of what is pinned in some lists and returns its interpreter.
async fn install_for_python(name: &str, lists: &[&str]) -> Result<PathBuf> {
    let environment = place::local().join(name);
    let python = environment.join("bin/python");
    let requirements: Vec<PathBuf> = lists.iter().map(|it| repository().join(it)).collect();
    let stamp = Stamp::of(&requirements, environment.join("requirements.sha256"))?;
    if stamp.is_current() {
        return Ok(python);
    }
    let log = place::local().join(format!("{name}.pip.log"));
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"]).arg(&environment);
    run(&mut make, &log).await.context("python3 cannot make a virtual environment")?;
    let mut install = Command::new(&python);
    install
        .args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args(["--disable-pip-version-check", "--retries", "1", "--require-hashes"])
        .args(requirements.iter().flat_map(|it| [OsStr::new("--requirement"), it.as_os_str()]));
    download(&mut install, "Python packages", &log).await?;
    stamp.set()?;
    Ok(python)
}

/// Installs CDK into `infra/node_modules`.
async fn install_node_packages() -> Result<()> {
    let mut install = Command::new("node");
    install.arg(repository().join("infra/install.mjs"));
    download(&mut install, "npm packages", &place::local().join("npm.log")).await
}

/// Remembers for which list of pinned versions something was installed.
struct Stamp {
    digest: String,
    path: PathBuf,
}

impl Stamp {
    fn of(pins: &[PathBuf], path: PathBuf) -> Result<Self> {
        let mut all = Vec::new();
        for file in pins {
            let bytes = std::fs::read(file);
            all.extend(bytes.with_context(|| format!("cannot read `{}`", file.display()))?);
        }
        let digest = place::sha256(&all);
        Ok(Self { digest, path })
    }

    fn is_current(&self) -> bool {
        std::fs::read_to_string(&self.path).is_ok_and(|digest| digest == self.digest)
    }

    fn set(&self) -> Result<()> {
        std::fs::write(&self.path, &self.digest)
            .with_context(|| format!("cannot write `{}`", self.path.display()))
    }
}

/// Runs a program that needs the network. Its own words on that are many; ours are one line.
async fn download(install: &mut Command, what: &str, log: &Path) -> Result<()> {
    run(install, log).await.map_err(|_| {
        anyhow!(
            "cannot install the {what}: check the network and run this again (see `{}`)",
            log.display()
        )
    })
}

/// Runs a program to its end, with what it prints in `log`. Fails, with the end of what it
/// said, unless it succeeds.
pub(crate) async fn run(command: &mut Command, log: &Path) -> Result<()> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("cannot run `{program}`"))?;
    let said = [output.stdout, output.stderr].concat();
    std::fs::write(log, &said).with_context(|| format!("cannot write `{}`", log.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        let end = lines.iter().skip(lines.len().saturating_sub(20)).copied();
        bail!(
            "`{program}` failed, see `{}`, which ends\n  {}",
            log.display(),
            end.collect::<Vec<_>>().join("\n  ")
        );
    }
    Ok(())
}
