//! A running local AWS with Cordon in it, as tests and the demo use it.

use std::collections::HashMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use aws_credential_types::Credentials;
use serde_json::json;
use tokio::sync::Mutex;

use crate::alone::{Alone, Apart};
use crate::clients::Clients;
use crate::deployment::{self, Feed, Outputs};
use crate::endpoint::Endpoint;
use crate::messages::Topics;
use crate::place::Place;
use crate::progress::Progress;
use crate::server::{self, Life};
use crate::tools::{self, Build};
use crate::user::NewUser;
use crate::{MEMBERS, SECURITY};

/// A local AWS with Cordon deployed.
pub struct LocalAws {
    endpoint: Endpoint,
    outputs: Outputs,
    topics: Topics,
    started: u128,
    names: AtomicU64,
    /// Finding ids by execution ARN: an input, once read, does not change.
    pub(crate) findings_of_executions: Mutex<HashMap<String, Option<String>>>,
    turns: Mutex<()>,
    second_member: Mutex<()>,
}

impl LocalAws {
    /// What is deployed at a port of this machine.
    pub fn at_port(port: u16, outputs: Outputs) -> Self {
        let endpoint = Endpoint::at_port(port);
        Self {
            topics: Topics::read(&endpoint, &outputs),
            endpoint,
            outputs,
            started: now().as_millis(),
            names: AtomicU64::new(0),
            findings_of_executions: Mutex::default(),
            turns: Mutex::default(),
            second_member: Mutex::default(),
        }
    }

    /// A local AWS for this process alone, which ends when the process does.
    pub async fn for_tests(progress: &Progress) -> Result<Self> {
        Self::for_tests_of(Feed::Cspm, progress).await
    }

    /// The same, where Security Hub without CSPM sends the findings.
    pub async fn for_tests_without_cspm(progress: &Progress) -> Result<Self> {
        Self::for_tests_of(Feed::V2, progress).await
    }

    async fn for_tests_of(feed: Feed, progress: &Progress) -> Result<Self> {
        let place = Place::of_a_test_run()?;
        let (binaries, python) = tools::prepare(progress, Build::Debug).await?;
        let aws = Self::fed_by(feed, &place, &binaries, &python, progress).await?;
        // Held as long as the server lives: until the process ends.
        std::mem::forget(place);
        Ok(aws)
    }

    /// A local AWS at a place, with these functions, which ends when the process does.
    pub(crate) async fn with(
        place: &Place,
        binaries: &Path,
        python: &Path,
        progress: &Progress,
    ) -> Result<Self> {
        Self::fed_by(Feed::Cspm, place, binaries, python, progress).await
    }

    async fn fed_by(
        feed: Feed,
        place: &Place,
        binaries: &Path,
        python: &Path,
        progress: &Progress,
    ) -> Result<Self> {
        let port = free_port()?;
        progress
            .step("starting a local AWS", server::start(place, python, port, Life::WithThisProcess))
            .await?;
        let url = Endpoint::at_port(port).url().to_owned();
        // A test run sees more incidents within an hour than life does.
        let mut policy = json!({
            "settlingSeconds": 1,
            "containmentsPerHour": 1_000_000,
            "customActionsPerHour": 1_000_000,
            "retirementsPerHour": 1_000_000,
            "escalationsPerHour": 1_000_000,
        });
        if matches!(feed, Feed::V2) {
            // Unset, it is the default product that only CSPM has.
            policy["trustedProducts"] = json!(["arn:aws:securityhub:*:*:productv2/*/default"]);
        }
        let settings = (feed, &policy);
        let outputs = deployment::deploy_with(place, &url, binaries, settings, progress).await?;
        Ok(Self::at_port(port, outputs))
    }

    /// What the security stack says about itself.
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
    }

    /// The URL for SDKs and the AWS CLI.
    pub fn url(&self) -> &str {
        self.endpoint.url()
    }

    /// The paths that AWS does not have.
    pub fn beyond_aws(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What was sent to the people who are told.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// Clients that act as the root of an account.
    pub fn account(&self, account: &str) -> Clients {
        Clients::of_account(self.url(), account)
    }

    /// Clients that use a session.
    pub fn with_session(&self, key_id: &str, secret: &str, token: &str) -> Clients {
        let token = Some(token.to_owned());
        Clients::with(self.url(), Credentials::new(key_id, secret, token, None, "session"))
    }

    /// Clients that act as the root of the security account.
    pub fn security(&self) -> Clients {
        self.account(SECURITY)
    }

    /// A user to be, in the first member account unless said otherwise.
    pub fn user(&self) -> NewUser<'_> {
        NewUser::new(self, MEMBERS[0])
    }

    /// A name that nothing else has here, not even from an earlier run.
    pub fn unique(&self, kind: &str) -> String {
        format!("{kind}-{}", self.suffix())
    }

    pub(crate) fn suffix(&self) -> String {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        // Of one length, so that no name begins another.
        format!("{:x}-{number:05}", self.started)
    }

    /// Waits until nobody else has it alone. Only then may be changed what all depend on, and
    /// only where none run that don't ask for it.
    pub async fn alone(&self) -> Alone<'_> {
        Alone::new(self, self.turns.lock().await)
    }

    /// Waits until nobody else changes the second member account. Only then may be changed
    /// what incidents there depend on.
    pub async fn apart(&self) -> Apart<'_> {
        Apart::new(self, self.second_member.lock().await)
    }
}

/// The time since 1970.
#[expect(clippy::disallowed_methods, reason = "a finding bears the time at which it is made")]
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
