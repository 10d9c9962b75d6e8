//! `local`: Cordon on one machine. See `make up`, `make down`, `make demo`.

use std::process::ExitCode;

use harness::instance::Instance;
use harness::place::Place;
use harness::progress::Progress;
use harness::{REGION, SECURITY, demo, tools};

const USAGE: &str = "\
usage: local COMMAND

  up      start the local AWS and deploy Cordon to it, or bring both up to date
  demo    show an incident from the finding to the proof that it is contained
  status  say what runs where
  env     print the shell's settings for the AWS CLI
  down    end the local AWS
  install install what the local AWS and the checks of the templates need";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = async {
        match command.as_slice() {
            ["up"] => up().await,
            ["demo"] => Box::pin(demo()).await,
            ["status"] => status().await,
            ["env"] => env().await,
            ["down"] => down().await,
            ["install"] => install().await,
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

async fn demo() -> anyhow::Result<ExitCode> {
    let place = Place::of_the_developer()?;
    let instance = Instance::up(&place, &Progress::new()).await?;
    let proven = Box::pin(demo::run(&instance.connect().await?)).await?;
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

async fn env() -> anyhow::Result<ExitCode> {
    let Some(instance) = Instance::running(&Place::of_the_developer()?).await? else {
        anyhow::bail!("no local AWS runs: start it with `make up`");
    };
    println!("export AWS_ENDPOINT_URL={}", instance.endpoint);
    println!("export AWS_DEFAULT_REGION={REGION}");
    println!("export AWS_ACCESS_KEY_ID={SECURITY}");
    println!("export AWS_SECRET_ACCESS_KEY=local");
    println!("unset AWS_SESSION_TOKEN AWS_PROFILE");
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
