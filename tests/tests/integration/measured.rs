//! What Cordon measures of itself, as lines of its functions' logs.

use anyhow::{Context, Result, ensure};
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::guide::dangerous_user;
use crate::judged::{End, leads_to};
use crate::trials::Trials;

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("how soon it answered is what its history says", measured);
}

fn millis(time: &Value) -> Result<i128> {
    let text = time.as_str().with_context(|| format!("`{time}` is no time"))?;
    Ok(OffsetDateTime::parse(text, &Rfc3339)?.unix_timestamp_nanos() / 1_000_000)
}

async fn measured(aws: &LocalAws) -> Result<()> {
    let user = dangerous_user(aws.user().create().await?).await?;
    let judged = leads_to(aws, &Finding::about(&user), End::Contained).await?;
    let invocations = judged.execution.history().await?.invocations()?;
    let one = |is: &dyn Fn(&Value) -> bool| {
        let mut payloads = invocations.iter().map(|invocation| &invocation["Payload"]);
        payloads.find(|payload| is(payload)).context("no such invocation")
    };
    let judging = one(&|payload| payload["event"].is_object())?;
    let preserved = one(&|payload| payload["purpose"] == "containment")?;
    let reported = one(&|payload| payload["kind"] == "contained")?;
    let sent = millis(&judging["event"]["time"])?;
    let (entered, now) = (millis(&preserved["entered"])?, millis(&reported["now"])?);

    let lines = aws.log_lines().await?;
    let lines: Vec<Value> = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Cordon")
        .collect();
    for (metric, verdict, at, value) in [
        ("Findings", "Contain", sent, 1),
        ("TimeUntilDenied", "", entered, entered - millis(&preserved["started"])?),
        ("TimeUntilContained", "", now, now - millis(&reported["sent"])?),
    ] {
        let is_it = |line: &&Value| {
            line[metric].as_i64().map(i128::from) == Some(value)
                && line["_aws"]["Timestamp"].as_i64().map(i128::from) == Some(at)
                && line["Verdict"].as_str().unwrap_or_default() == verdict
        };
        let found = lines.iter().find(is_it);
        ensure!(found.is_some(), "no line says `{metric}` {value} at {at}: {lines:#?}");
    }
    Ok(())
}
