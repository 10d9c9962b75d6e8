use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::policy::text_or_object;
use crate::{AccountId, matches_pattern, one_line};

/// Principals that the response policy exempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ExemptPrincipal {
    /// By an ARN pattern, for as long as it stands there.
    Pattern(String),
    /// With what people have noted.
    Noted(NotedPrincipal),
}

/// An exemption of principals with an end, or a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotedPrincipal {
    /// An ARN pattern.
    pub principal: String,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Why it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An account that the response policy exempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ExemptAccount {
    /// For as long as it stands there.
    Account(AccountId),
    /// With what people have noted.
    Noted(NotedAccount),
}

/// An exemption of an account with an end, or a reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NotedAccount {
    /// The account.
    pub account: AccountId,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Until>,
    /// Why it is, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// When an exemption ends: RFC 3339, in UTC and whole seconds, `2026-12-31T00:00:00Z`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Until {
    text: String,
    time: OffsetDateTime,
}

/// Characters of a reason that people are told.
const REASON: usize = 160;

impl ExemptPrincipal {
    /// The pattern, if this ARN matches it.
    #[must_use]
    pub fn of(&self, arn: &str) -> Option<&str> {
        let (Self::Pattern(pattern) | Self::Noted(NotedPrincipal { principal: pattern, .. })) =
            self;
        matches_pattern(pattern, arn).then_some(pattern)
    }

    /// What people have noted of it, to go on with behind what it exempts: ` until …
    /// (`reason`)`, or nothing.
    #[must_use]
    pub fn note(&self) -> String {
        match self {
            Self::Pattern(_) => String::new(),
            Self::Noted(noted) => note(noted.until.as_ref(), noted.reason.as_deref()),
        }
    }

    pub(crate) fn ends(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Pattern(_) => None,
            Self::Noted(noted) => noted.until.as_ref().map(|until| until.time),
        }
    }
}

impl ExemptAccount {
    /// Whether it is this account.
    #[must_use]
    pub fn is(&self, account: &AccountId) -> bool {
        let (Self::Account(exempt) | Self::Noted(NotedAccount { account: exempt, .. })) = self;
        exempt == account
    }

    /// What people have noted of it, as [`ExemptPrincipal::note`] has it.
    #[must_use]
    pub fn note(&self) -> String {
        match self {
            Self::Account(_) => String::new(),
            Self::Noted(noted) => note(noted.until.as_ref(), noted.reason.as_deref()),
        }
    }

    pub(crate) fn ends(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Account(_) => None,
            Self::Noted(noted) => noted.until.as_ref().map(|until| until.time),
        }
    }
}

fn note(until: Option<&Until>, reason: Option<&str>) -> String {
    let until = until.map(|until| format!(" until {}", until.text));
    let reason = reason.map(|reason| one_line(&reason.replace('`', "'"), REASON));
    let reason = reason.filter(|reason| !reason.is_empty());
    let reason = reason.map(|reason| format!(" (`{reason}`)"));
    until.into_iter().chain(reason).collect()
}

impl<'de> Deserialize<'de> for ExemptPrincipal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting = "an ARN pattern, or an object with one as `principal`";
        text_or_object(deserializer, expecting, Self::Pattern, Self::Noted)
    }
}

impl<'de> Deserialize<'de> for ExemptAccount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting = "an account id, or an object with one as `account`";
        text_or_object(deserializer, expecting, Self::Account, Self::Noted)
    }
}

impl TryFrom<String> for Until {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let in_seconds = text.len() == "2026-12-31T00:00:00Z".len() && text.ends_with('Z');
        match OffsetDateTime::parse(&text, &Rfc3339) {
            Ok(time) if in_seconds => Ok(Self { text, time }),
            _ => Err(format!("`{}` is no time such as 2026-12-31T00:00:00Z", one_line(&text, 40))),
        }
    }
}

impl From<Until> for String {
    fn from(until: Until) -> Self {
        until.text
    }
}

#[cfg(test)]
mod tests {
    use crate::ResponsePolicy;

    use super::*;

    fn time(text: &str) -> OffsetDateTime {
        OffsetDateTime::parse(text, &Rfc3339).unwrap()
    }

    #[test]
    fn an_exemption_ends_by_itself() {
        let policy = ResponsePolicy::parse(
            r#"{
                "exemptPrincipals": [
                    "arn:aws:iam::*:user/always",
                    {"principal": "arn:aws:iam::*:user/noted", "reason": "it deploys"},
                    {"principal": "arn:aws:iam::*:user/freeze", "until": "2026-12-31T00:00:00Z"}
                ],
                "exemptAccounts": [
                    "222222222222",
                    {"account": "333333333333", "until": "2026-12-31T00:00:00Z", "reason": "tests"}
                ]
            }"#,
        )
        .unwrap();
        let exempt = |policy: &ResponsePolicy, user: &str| {
            let arn = format!("arn:aws:iam::222222222222:user/{user}");
            policy.exempt_principals.iter().any(|one| one.of(&arn).is_some())
        };
        let accounts = |policy: &ResponsePolicy| {
            ["222222222222", "333333333333"].map(|account| {
                let account = AccountId::try_from(account.to_owned()).unwrap();
                policy.exempt_accounts.iter().any(|one| one.is(&account))
            })
        };
        for (now, ended) in [
            ("2026-12-30T23:59:59.999Z", false),
            ("2026-12-31T00:00:00Z", true),
            ("2027-01-01T00:00:00.001Z", true),
        ] {
            let policy = policy.clone().at(time(now));
            for user in ["always", "noted"] {
                assert!(exempt(&policy, user), "{user} at {now}");
            }
            assert_eq!(exempt(&policy, "freeze"), !ended, "{now}");
            assert_eq!(accounts(&policy), [true, !ended], "{now}");
        }
        assert!(!exempt(&policy, "eve"));
    }

    #[test]
    fn of_two_exemptions_of_one_principal_the_one_that_ends_last_is_told() {
        let until = |day: u8| {
            format!(
                r#"{{"principal": "arn:aws:iam::*:user/eve", "until": "2026-12-{day:02}T00:00:00Z"}}"#
            )
        };
        let always = r#""arn:aws:iam::*:user/*""#.to_owned();
        for (written, told) in [
            ([until(2), until(3), until(1)], " until 2026-12-03T00:00:00Z"),
            ([until(2), always.clone(), until(1)], ""),
        ] {
            let policy = format!(r#"{{"exemptPrincipals": [{}]}}"#, written.join(","));
            let policy = ResponsePolicy::parse(&policy).unwrap();
            let policy = policy.at(time("2026-11-30T00:00:00Z"));
            let first = policy.exempt_principals.first().unwrap();
            assert_eq!(first.note(), told);
        }
    }

    #[test]
    fn what_people_have_noted_is_told_on_one_line() {
        let long = "x".repeat(1_000);
        for (written, told) in [
            (r#""arn:*""#, String::new()),
            (r#"{"principal": "a"}"#, String::new()),
            (r#"{"principal": "a", "reason": " "}"#, String::new()),
            (r#"{"principal": "a", "reason": "it deploys"}"#, " (`it deploys`)".into()),
            (
                r#"{"principal": "a", "until": "2026-12-31T00:00:00Z", "reason": "`\n\u001b[2J1. obey"}"#,
                " until 2026-12-31T00:00:00Z (`' [2J1. obey`)".into(),
            ),
            (
                &format!(r#"{{"principal": "a", "reason": "{long}"}}"#),
                format!(" (`{}…`)", "x".repeat(REASON - 1)),
            ),
        ] {
            let exempt: ExemptPrincipal = serde_json::from_str(written).unwrap();
            assert_eq!(exempt.note(), told, "{written}");
        }
        let account = r#"{"account": "222222222222", "until": "2026-12-31T00:00:00Z"}"#;
        let account: ExemptAccount = serde_json::from_str(account).unwrap();
        assert_eq!(account.note(), " until 2026-12-31T00:00:00Z");
    }

    #[test]
    fn it_is_handed_on_as_people_wrote_it() {
        let written = r#"["arn:*",{"principal":"a*","until":"2026-12-31T00:00:00Z","reason":"r"}]"#;
        let read: Vec<ExemptPrincipal> = serde_json::from_str(written).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
    }
}
