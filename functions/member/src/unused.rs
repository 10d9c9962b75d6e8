//! Which access keys and passwords count as unused. Changes nothing.

use aws_calls::Answer;
use aws_sdk_iam::Client;
use aws_sdk_iam::primitives::{DateTime, DateTimeFormat};
use incident::Failure;
use serde::Deserialize;

use crate::concurrently;
use crate::credential::{Credential, CredentialKind, credentials_of, last_used};
use crate::user::login_profile;

/// Which access keys count as unused, as a step's input says it.
#[derive(Debug, Clone, Deserialize)]
pub struct Unused {
    /// For so many days.
    days: u16,
    /// Counted back from then (RFC 3339).
    at: String,
}

/// Days that a key is to be unused at least for any finding to mean it.
const LEAST: u16 = 30;

impl Unused {
    /// The time since when the keys were neither used nor made that a finding may mean that
    /// does not say for how many days.
    pub fn since_at_the_latest(&self) -> Result<UnusedSince, Failure> {
        Self { days: self.days.min(LEAST), at: self.at.clone() }.since()
    }

    /// The time since when an unused key was neither used nor made.
    ///
    /// Source: Security Hub User Guide, controls IAM.8 and IAM.22.
    pub fn since(&self) -> Result<UnusedSince, Failure> {
        let at = time(&self.at)?;
        Ok(UnusedSince(DateTime::from_secs(at.secs() - i64::from(self.days) * 24 * 60 * 60)))
    }
}

fn time(text: &str) -> Result<DateTime, Failure> {
    DateTime::from_str(text, DateTimeFormat::DateTime)
        .map_err(|error| Failure::InvalidInput(format!("`{text}` is no time: {error}")))
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
    let keys = credentials_of(iam, name, CredentialKind::AccessKey).await?;
    unused_of(iam, &keys, since).await
}

/// The active access keys among a user's credentials that are unused since then.
pub async fn unused_of(
    iam: &Client,
    credentials: &[Credential],
    since: UnusedSince,
) -> Result<Vec<Credential>, Failure> {
    let keys = credentials.iter().filter(|one| one.kind == CredentialKind::AccessKey);
    let unused = keys.filter(|key| key.active).map(async |key| {
        let made = key.created.as_deref().map(time).transpose()?;
        let used = last_used(iam, &key.id).await?.and_then(|used| used.last_used_date);
        Ok((since.is_after(used) && since.is_after(made)).then(|| key.clone()))
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

#[cfg(test)]
mod tests {
    use wire::{answer, error, mock};

    use super::*;

    fn since() -> UnusedSince {
        Unused { days: 90, at: "2026-04-01T00:00:00Z".into() }.since().unwrap()
    }

    #[tokio::test]
    async fn a_key_is_unused_if_it_was_neither_used_nor_made_since() {
        let keys = mock!(Client::list_access_keys).then_http_response(|| {
            let key = |id, status, made| {
                let made = format!("<CreateDate>{made}T00:00:00Z</CreateDate>");
                let status = format!("<Status>{status}</Status>");
                format!("<member><AccessKeyId>{id}</AccessKeyId>{status}{made}</member>")
            };
            let keys = [
                key("used", "Active", "2020-01-01"),
                key("used-long-ago", "Active", "2020-01-01"),
                key("never-used", "Active", "2020-01-01"),
                key("just-made", "Active", "2026-03-31"),
                key("inactive", "Inactive", "2020-01-01"),
            ];
            let keys = format!("<AccessKeyMetadata>{}</AccessKeyMetadata>", keys.concat());
            answer("ListAccessKeys", &keys)
        });
        let used = |key: &'static str, date: &'static str| {
            let date = format!("<LastUsedDate>{date}T00:00:00Z</LastUsedDate>");
            let used = format!("<AccessKeyLastUsed>{date}</AccessKeyLastUsed>");
            mock!(Client::get_access_key_last_used)
                .match_requests(move |get| get.access_key_id() == Some(key))
                .then_http_response(move || answer("GetAccessKeyLastUsed", &used))
        };
        let never = mock!(Client::get_access_key_last_used).then_http_response(|| {
            answer("GetAccessKeyLastUsed", "<AccessKeyLastUsed></AccessKeyLastUsed>")
        });
        // 90 days before 1 April it was 1 January.
        let (used, long_ago) = (used("used", "2026-01-01"), used("used-long-ago", "2025-12-31"));
        let iam = Client::from_conf(wire::iam(&[&keys, &used, &long_ago, &never]).build());
        let unused = unused_keys(&iam, "eve", since()).await.unwrap();
        let unused: Vec<_> = unused.iter().map(|key| key.id.as_str()).collect();
        assert_eq!(unused, ["used-long-ago", "never-used"]);
    }

    #[tokio::test]
    async fn a_password_is_unused_likewise_and_who_has_none_has_no_unused_one() {
        for (made, used, expected) in [
            (Some("2020-01-01"), Some("2026-03-31"), false),
            (Some("2020-01-01"), Some("2025-12-31"), true),
            (Some("2020-01-01"), None, true),
            (Some("2026-03-31"), None, false),
            (None, None, false),
        ] {
            let profile = mock!(Client::get_login_profile).then_http_response(move || match made {
                Some(made) => {
                    let made = format!("<CreateDate>{made}T00:00:00Z</CreateDate>");
                    answer("GetLoginProfile", &format!("<LoginProfile>{made}</LoginProfile>"))
                }
                None => error("NoSuchEntity"),
            });
            let user = mock!(Client::get_user).then_http_response(move || {
                let used = used
                    .map(|used| format!("<PasswordLastUsed>{used}T00:00:00Z</PasswordLastUsed>"));
                answer("GetUser", &format!("<User>{}</User>", used.unwrap_or_default()))
            });
            let iam = Client::from_conf(wire::iam(&[&profile, &user]).build());
            let unused = has_unused_password(&iam, "eve", since()).await.unwrap();
            assert_eq!(unused, expected, "{made:?} {used:?}");
        }
    }
}
