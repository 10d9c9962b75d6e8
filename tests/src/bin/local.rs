//! `local`: Cordon on one machine. See `make up`, `make down`, `make demo`.

use std::io::{self, ErrorKind::BrokenPipe};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use harness::instance::Instance;
use harness::place::Place;
use harness::progress::Progress;
use harness::{REGION, SECURITY, bench, demo, messages, tools};

const USAGE: &str = "\
usage: local COMMAND

  up      start the local AWS and deploy Cordon to it, or bring both up to date
  demo [restore]
          show an incident from the finding to the proof that it is contained; and its way back
  status  say what runs where
  mails   print what the subscribers of Cordon's topics got so far;
          with --follow, what they get from then on as well
  env     print the shell's settings for the AWS CLI
  down    end the local AWS
  install install what the local AWS and the checks of the templates need
  bench MILLISECONDS [FILE]
          measure the release binaries, with each call of a function held for so long,
          and compare them with what an earlier run has written";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = async {
        match command.as_slice() {
            ["up"] => up().await,
            ["demo"] => Box::pin(demo(false)).await,
            ["demo", "restore"] => Box::pin(demo(true)).await,
            ["status"] => status().await,
            ["mails"] => mails(false).await,
            ["mails", "--follow"] => mails(true).await,
            ["env"] => env().await,
            ["down"] => down().await,
            ["install"] => install().await,
            ["bench", hold] => Box::pin(bench(hold, None)).await,
            ["bench", hold, former] => Box::pin(bench(hold, Some(former))).await,
            _ => {
                eprintln!("{USAGE}");
                Ok(ExitCode::from(2))
            }
        }
    };
    // What is under way when somebody interrupts it is ended with it.
    let result = tokio::select! {
        result = done => result,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn up() -> anyhow::Result<ExitCode> {
    Instance::up(&Place::of_the_developer()?, &Progress::new()).await?;
    Ok(ExitCode::SUCCESS)
}

async fn demo(restore: bool) -> anyhow::Result<ExitCode> {
    let place = Place::of_the_developer()?;
    let instance = Instance::up(&place, &Progress::new()).await?;
    let proven = Box::pin(demo::run(&instance.connect()?, &mut io::stdout(), restore)).await?;
    Ok(if proven { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn status() -> anyhow::Result<ExitCode> {
    let Some(instance) = Instance::running(&Place::of_the_developer()?).await? else {
        println!("no local AWS runs");
        return Ok(ExitCode::FAILURE);
    };
    println!("{}", serde_json::to_string_pretty(&instance)?);
    Ok(ExitCode::SUCCESS)
}

async fn mails(follow: bool) -> anyhow::Result<ExitCode> {
    // Let go of the place: other commands are free to work while somebody follows.
    let local_aws = running().await?.beyond_aws();
    match messages::write(&local_aws, follow, &mut std::io::stdout()).await {
        // Whoever reads has seen enough.
        Err(error) if error.downcast_ref().map(io::Error::kind) == Some(BrokenPipe) => {}
        result => result?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn running() -> anyhow::Result<Instance> {
    let running = Instance::running(&Place::of_the_developer()?).await?;
    running.context("no local AWS runs: start it with `make up`")
}

async fn env() -> anyhow::Result<ExitCode> {
    let instance = running().await?;
    println!("export AWS_ENDPOINT_URL={}", instance.endpoint);
    println!("export AWS_DEFAULT_REGION={REGION}");
    println!("export AWS_ACCESS_KEY_ID={SECURITY}");
    println!("export AWS_SECRET_ACCESS_KEY=local");
    println!("unset AWS_SESSION_TOKEN AWS_PROFILE");
    // One's own CLI, where there is one, comes first.
    println!("export PATH=\"$PATH:{}\"", tools::aws_cli().display());
    Ok(ExitCode::SUCCESS)
}

async fn down() -> anyhow::Result<ExitCode> {
    if Instance::down(&Place::of_the_developer()?).await? {
        println!("the local AWS is down");
    } else {
        println!("no local AWS runs");
    }
    Ok(ExitCode::SUCCESS)
}

async fn install() -> anyhow::Result<ExitCode> {
    let _place = Place::of_the_developer()?;
    tools::install(&Progress::new()).await?;
    Ok(ExitCode::SUCCESS)
}

async fn bench(hold: &str, former: Option<&str>) -> anyhow::Result<ExitCode> {
    let hold = hold.parse().map_err(|_| anyhow::anyhow!("`{hold}` is no time in milliseconds"))?;
    bench::run(hold, former.map(Path::new), &Progress::new()).await?;
    Ok(ExitCode::SUCCESS)
}
