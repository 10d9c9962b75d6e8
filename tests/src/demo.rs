//! The demo.

use anyhow::Result;

use crate::local_aws::LocalAws;

/// Shows it.
pub async fn run(_aws: &LocalAws) -> Result<bool> {
    Ok(true)
}
