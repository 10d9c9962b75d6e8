//! Which access keys and passwords count as unused. Changes nothing.

use aws_calls::{Answer, all};
use aws_sdk_iam::Client;
use aws_sdk_iam::primitives::{DateTime, DateTimeFormat};
use incident::Failure;
use serde::Deserialize;

use crate::concurrently;
use crate::credential::{Credential, CredentialKind, is_active, last_used};
use crate::user::login_profile;

/// Which access keys count as unused, as a step's input says it.
#[derive(Debug, Clone, Deserialize)]
pub struct Unused {
    /// For so many days.
    days: u16,
    /// Counted back from then (RFC 3339).
    at: String,
}

impl Unused {
    /// The time since when an unused key was neither used nor made.
    ///
    /// Source: Security Hub User Guide, controls IAM.8 and IAM.22.
    pub fn since(&self) -> Result<UnusedSince, Failure> {
        let at = DateTime::from_str(&self.at, DateTimeFormat::DateTime)
            .map_err(|error| Failure::InvalidInput(format!("`{}` is no time: {error}", self.at)))?;
        Ok(UnusedSince(DateTime::from_secs(at.secs() - i64::from(self.days) * 24 * 60 * 60)))
    }
}

/// The time since when nothing happened with what is unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnusedSince(DateTime);

impl UnusedSince {
    fn is_after(self, last: Option<DateTime>) -> bool {
        last.is_none_or(|last| last.secs() < self.0.secs())
    }
}

/// The user's active access keys that are unused since then.
pub async fn unused_keys(
    iam: &Client,
    name: &str,
    since: UnusedSince,
) -> Result<Vec<Credential>, Failure> {
    let pages = iam.list_access_keys().user_name(name).into_paginator().items();
    let keys = all("iam:ListAccessKeys", pages.send()).await?;
    let active = keys.into_iter().filter(|key| key.status.as_ref().is_none_or(is_active));
    let unused = active.map(async |key| {
        let Some(id) = key.access_key_id else { return Ok(None) };
        let used = last_used(iam, &id).await?.and_then(|used| used.last_used_date);
        let unused = since.is_after(used) && since.is_after(key.create_date);
        let created = key.create_date.map(|date| date.to_string());
        let kind = CredentialKind::AccessKey;
        Ok(unused.then_some(Credential { kind, id, active: true, created, service: None }))
    });
    Ok(concurrently(unused).await?.into_iter().flatten().collect())
}

/// Whether the user has a console password that is unused since then.
pub async fn has_unused_password(
    iam: &Client,
    name: &str,
    since: UnusedSince,
) -> Result<bool, Failure> {
    let Some(profile) = login_profile(iam, name).await? else { return Ok(false) };
    let user = iam.get_user().user_name(name).send().await.to("iam:GetUser")?.user;
    let last_used = user.and_then(|user| user.password_last_used);
    Ok(since.is_after(last_used) && since.is_after(Some(profile.create_date)))
}
