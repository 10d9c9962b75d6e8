//! Waiting for something to become true, without sleeping longer than needed.

use std::fmt::Display;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long a test waits for something that takes a second or two when all is well, and a
/// machine that is busy with something else may take long for.
pub const PATIENCE: Duration = Duration::from_mins(3);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Asks `probe` again and again until it answers.
pub async fn until<T>(
    what: impl Display,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        if let Some(answer) = probe().await? {
            return Ok(answer);
        }
        if begun.elapsed() >= limit {
            bail!("waited {} s for {what}", limit.as_secs());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
