use std::cmp::Reverse;
use std::{fmt, marker::PhantomData};

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;

use crate::exemption::{ExemptAccount, ExemptPrincipal};
use crate::{AccountId, Failure, Severity, matches_pattern};

/// What Cordon may do, as the organisation sets it in one SSM parameter. Every field
/// has a default, so `{}` is a policy. Read anew by every execution and every redrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResponsePolicy {
    /// `contain` (the default), `observe`, or `off`.
    pub mode: Mode,
    /// The lowest severity that leads to each response. Unset: the rule's own.
    #[serde(deserialize_with = "object")]
    pub lowest_severity: LowestSeverity,
    /// Whether a finding contains the role that it names, or whose session, and with it
    /// all of its sessions; `false` unless set: it is escalated. A role that a person's
    /// custom action names is contained all the same.
    pub contain_roles: bool,
    /// Whether credentials that a finding reports as unused are made inactive; `true`
    /// unless set. Otherwise such findings are ignored.
    pub retire_unused_credentials: bool,
    /// ARN patterns (`*`, `?`) of principals that are escalated to people, never
    /// contained; matched against the identified principal, regardless of case.
    pub exempt_principals: Vec<ExemptPrincipal>,
    /// Accounts in which findings are escalated to people, never acted on.
    pub exempt_accounts: Vec<ExemptAccount>,
    /// Accounts in scope; findings of others are ignored. Unset: all.
    pub accounts_in_scope: Option<Vec<AccountId>>,
    /// Custom products whose findings are acted on. Unset: the default product of the
    /// finding's own account.
    pub trusted_products: Option<Vec<TrustedProduct>>,
    /// Seconds between the last change and the first read-back: 0 to 300, 10 unless set.
    pub settling_seconds: u16,
    /// How many principals of one member account may be contained within an hour, for
    /// AWS services' findings and for custom products' each; 20 unless set. Beyond it,
    /// principals are escalated.
    pub containments_per_hour: u32,
    /// How many principals of one member account people's custom actions may contain
    /// within an hour; 50 unless set. Beyond it, principals are escalated.
    pub custom_actions_per_hour: u32,
    /// Of how many users of one member account unused credentials may be retired within
    /// an hour; 20 unless set. Beyond it, users are escalated.
    pub retirements_per_hour: u32,
    /// How many escalations of imported findings are mailed within an hour, for each
    /// member account, and for AWS services' findings and custom products' each; 20
    /// unless set. What is urgent is mailed all the same.
    pub escalations_per_hour: u32,
}

/// A custom product whose findings are acted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum TrustedProduct {
    /// A `ProductArn` pattern: of what it finds, the titles say what it means.
    Pattern(String),
    /// With what some of its finding types mean, whatever the titles say.
    Typed(TypedProduct),
}

/// What a product's finding types mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TypedProduct {
    /// A `ProductArn` pattern.
    pub product: String,
    /// Patterns of finding types that accuse whom they name of an attack, such as the use of
    /// a honey token or a leaked key.
    #[serde(default)]
    pub contain: Vec<String>,
    /// Patterns of finding types of which people are told; they win over `contain`.
    #[serde(default)]
    pub escalate: Vec<String>,
}

/// What a finding type of a trusted product means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Meaning {
    /// Whom the finding accuses is contained.
    Contain,
    /// People are told.
    Escalate,
}

impl TrustedProduct {
    /// Whether it is the product of this ARN.
    #[must_use]
    pub fn is(&self, product_arn: &str) -> bool {
        let (Self::Pattern(pattern) | Self::Typed(TypedProduct { product: pattern, .. })) = self;
        matches_pattern(pattern, product_arn)
    }

    fn means(&self, kind: &str, meaning: Meaning) -> bool {
        let Self::Typed(typed) = self else { return false };
        let patterns = match meaning {
            Meaning::Contain => &typed.contain,
            Meaning::Escalate => &typed.escalate,
        };
        patterns.iter().any(|pattern| matches_pattern(pattern, kind))
    }
}

/// The lowest severity that leads to each response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LowestSeverity {
    /// To contain a user.
    pub contain_user: Option<Severity>,
    /// To contain a role.
    pub contain_role: Option<Severity>,
    /// To make unused credentials inactive.
    pub retire_unused_credentials: Option<Severity>,
    /// To tell people.
    pub escalate: Option<Severity>,
}

/// Whether Cordon acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// Contain what the rules say.
    Contain,
    /// Identify and preserve, change nothing, tell people what would have been done,
    /// and leave the finding as it is.
    Observe,
    /// Do nothing: every execution ends at once.
    Off,
}

impl Default for ResponsePolicy {
    fn default() -> Self {
        Self {
            mode: Mode::Contain,
            lowest_severity: LowestSeverity::default(),
            contain_roles: false,
            retire_unused_credentials: true,
            exempt_principals: Vec::new(),
            exempt_accounts: Vec::new(),
            accounts_in_scope: None,
            trusted_products: None,
            settling_seconds: 10,
            containments_per_hour: 20,
            custom_actions_per_hour: 50,
            retirements_per_hour: 20,
            escalations_per_hour: 20,
        }
    }
}

impl ResponsePolicy {
    /// Reads the policy, or names the field that is wrong.
    pub fn parse(json: &str) -> Result<Self, Failure> {
        let invalid = |why: String| Failure::ResponsePolicyInvalid(why);
        // A derived `Deserialize` would take an array for a struct.
        if !json.trim_start().starts_with('{') {
            return Err(invalid("it is no JSON object".to_owned()));
        }
        let mut json = serde_json::Deserializer::from_str(json);
        let policy: Self = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| invalid(format!("field `{}`: {}", error.path(), error.inner())))?;
        json.end().map_err(|error| invalid(error.to_string()))?;
        if policy.settling_seconds > 300 {
            return Err(invalid(format!(
                "field `settlingSeconds`: `{}` is more than 300",
                policy.settling_seconds
            )));
        }
        Ok(policy)
    }

    /// The policy as it is at this time: without the exemptions that have ended, and with those
    /// first that end last.
    #[must_use]
    pub fn at(mut self, now: OffsetDateTime) -> Self {
        self.exempt_principals.retain(|one| one.ends().is_none_or(|end| now < end));
        self.exempt_accounts.retain(|one| one.ends().is_none_or(|end| now < end));
        let last = |end: Option<OffsetDateTime>| (end.is_some(), Reverse(end));
        self.exempt_principals.sort_by_key(|one| last(one.ends()));
        self.exempt_accounts.sort_by_key(|one| last(one.ends()));
        self
    }

    /// Whether a finding type of a trusted product has this meaning.
    #[must_use]
    pub fn means(&self, product_arn: &str, kind: &str, meaning: Meaning) -> bool {
        let trusted = self.trusted_products.iter().flatten();
        trusted.filter(|one| one.is(product_arn)).any(|one| one.means(kind, meaning))
    }
}

impl<'de> Deserialize<'de> for TrustedProduct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expecting = "a `ProductArn` pattern, or an object with one as `product`";
        text_or_object(deserializer, expecting, Self::Pattern, Self::Typed)
    }
}

/// Reads a text or an object. By hand, since what serde derives names no field below an untagged
/// entry.
pub(crate) fn text_or_object<'de, D, Text, Object, Entry>(
    deserializer: D,
    expecting: &'static str,
    text: fn(Text) -> Entry,
    object: fn(Object) -> Entry,
) -> Result<Entry, D::Error>
where
    D: Deserializer<'de>,
    Text: Deserialize<'de>,
    Object: Deserialize<'de>,
{
    deserializer.deserialize_any(TextOrObject { expecting, text, object })
}

struct TextOrObject<Text, Object, Entry> {
    expecting: &'static str,
    text: fn(Text) -> Entry,
    object: fn(Object) -> Entry,
}

impl<'de, Text: Deserialize<'de>, Object: Deserialize<'de>, Entry> Visitor<'de>
    for TextOrObject<Text, Object, Entry>
{
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Entry, E> {
        Text::deserialize(StrDeserializer::new(text)).map(self.text)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
        Object::deserialize(MapAccessDeserializer::new(map)).map(self.object)
    }
}

/// Reads an object alone: a derived `Deserialize` would take an array for a struct.
fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_map(Object(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `infra/cordon.schema.json` is held to as well.
    const CASES: &str = include_str!("../cases/response-policy.json");

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Case {
        r#for: String,
        policy: serde_json::Value,
        /// The field that is named, if the policy is none.
        wrong: Option<String>,
    }

    #[test]
    fn every_field_has_a_default() {
        assert_eq!(ResponsePolicy::parse("{}").unwrap(), ResponsePolicy::default());
    }

    #[test]
    fn a_wrong_field_is_named() {
        let cases: Vec<Case> = serde_json::from_str(CASES).unwrap();
        for Case { r#for, policy, wrong } in cases {
            let read = ResponsePolicy::parse(&policy.to_string());
            let Some(field) = wrong else {
                read.unwrap_or_else(|failure| panic!("{}: {}", r#for, failure.chain()));
                continue;
            };
            let failure = read.expect_err(&r#for);
            assert_eq!(failure.name(), "ResponsePolicyInvalid");
            let named = format!("field `{field}`");
            assert!(failure.chain().contains(&named), "{}: {}", r#for, failure.chain());
        }
    }

    #[test]
    fn what_is_no_object_is_no_policy() {
        let twice = "{\"mode\": \"contain\", \"mode\": \"off\"}";
        for json in ["", "{} {}", "[]", "null", twice] {
            assert!(ResponsePolicy::parse(json).is_err(), "{json}");
        }
    }
}
