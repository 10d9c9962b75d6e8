//! How everything is given back: planned, carried out, and read back.

use std::io::Write;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::narrator::{Narrator, Style, wrapped};
use super::proof::Incident;
use super::{show_change, watch};
use crate::execution::Execution;
use crate::local_aws::now;
use crate::user::Snapshot;

/// Shows it, and says whether it has become as it is to be.
pub(super) async fn show(
    out: &mut impl Write,
    style: Style,
    incident: &Incident<'_>,
) -> Result<bool> {
    writeln!(out, "\n{}\n", style.strong("The way back"))?;
    let Incident { aws, user, execution, before, .. } = incident;
    let contained = user.read_back().await?;
    aws.quiet(&execution.arn).await?;
    let plan = aws.start_restore(&json!({ "execution": execution.arn })).await?;
    let digest = output(&plan).await?["digest"].as_str().context("no plan")?.to_owned();
    ensure!(user.read_back().await? == contained, "planning has changed the user");
    let said = format!("A person plans it, reads the plan, and names it by its digest: {digest}");
    writeln!(out, "  {}\n", wrapped(&said, 2))?;

    let apply = json!({
        "execution": execution.arn, "apply": digest, "disposition": "recovered",
        "by": "the demo", "reason": "It was a demo.",
    });
    let begun = now();
    let restore = aws.start_restore(&apply).await?;
    watch(out, &restore, Vec::new, Narrator::new(style, begun)).await?;
    output(&restore).await?;
    let after = user.read_back().await?;
    show_change(out, style, &contained, &after)?;
    let credentials = contained.credentials.clone();
    let is_back = after == Snapshot { credentials, ..(*before).clone() };
    let (mark, said) = if is_back {
        (style.good("✓"), "but for its key, the user is as it was")
    } else {
        (style.bad("✗"), "the user is not as it was")
    };
    writeln!(out, "\n  {mark} {said}")?;
    Ok(is_back)
}

/// The output of an execution that has succeeded.
async fn output(execution: &Execution) -> Result<Value> {
    let ended = execution.succeeds().await?;
    Ok(serde_json::from_str(&ended.output.unwrap_or_default())?)
}
