//! Somebody who tries stolen credentials again and again, until none of them works any more.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use aws_sdk_s3::error::SdkError;

use crate::clients::Clients;
use crate::local_aws::now;

/// Between two rounds of tries, so that the local AWS has time for what is measured.
const PAUSE: Duration = Duration::from_millis(10);

/// A credential of a principal.
pub(super) struct Credential {
    /// The principal's ARN.
    pub(super) of: String,
    s3: aws_sdk_s3::Client,
    /// When the last try that succeeded was made, in seconds since 1970.
    pub(super) worked: f64,
    /// When the first try that did not was answered, in seconds since 1970.
    pub(super) refused: f64,
}

impl Credential {
    pub(super) fn new(of: &str, clients: &Clients) -> Self {
        let s3 = clients.without_retries().s3();
        Self { of: of.to_owned(), s3, worked: 0.0, refused: 0.0 }
    }

    /// Whether it works now, or may: what was not answered is not refused.
    async fn works(&mut self) -> Result<bool> {
        let tried = now().as_secs_f64();
        let Err(error) = self.s3.list_buckets().send().await else {
            self.worked = tried;
            return Ok(true);
        };
        // A connection that broke under the burst has told nothing: the next round asks again.
        if matches!(error, SdkError::DispatchFailure(_)) {
            return Ok(true);
        }
        // An inactive key gets another code than a denied one.
        let status = error.raw_response().map(|response| response.status().as_u16());
        if !matches!(status, Some(401 | 403)) {
            bail!("a credential of `{}` got: {error:?}", self.of);
        }
        self.refused = now().as_secs_f64();
        Ok(false)
    }
}

/// Fails unless each credential works now.
pub(super) async fn all_work(credentials: &mut [Credential]) -> Result<()> {
    for credential in credentials {
        let works = credential.works().await? && credential.worked > 0.0;
        ensure!(works, "a credential of `{}` never worked", credential.of);
    }
    Ok(())
}

/// Tries credentials in turn, one at a time, and returns them once all are refused.
pub(super) async fn until_refused(
    mut working: Vec<Credential>,
    limit: Duration,
) -> Result<Vec<Credential>> {
    let begun = Instant::now();
    let mut refused = Vec::new();
    while !working.is_empty() {
        ensure!(begun.elapsed() < limit, "{} credentials still work", working.len());
        for mut credential in std::mem::take(&mut working) {
            if credential.works().await? {
                working.push(credential);
            } else {
                refused.push(credential);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(refused)
}
