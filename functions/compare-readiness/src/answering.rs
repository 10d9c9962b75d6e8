//! What there has to be before any account is entered.

use incident::{Answering, Hindrance, Mode, ResponsePolicy};
use serde::Deserialize;

/// What there has to be before any account is entered.
#[derive(Debug, Deserialize)]
pub(crate) struct Switches {
    /// The response policy, as it is.
    policy: String,
    /// The state of the rule that starts an execution for each finding: `ENABLED…` or `DISABLED`.
    rule: String,
    /// How many subscriptions to what responders are told are confirmed.
    responders: u64,
}

impl Switches {
    /// What comes of a finding where they stand so.
    pub(crate) fn answering(&self) -> Answering {
        let policy = ResponsePolicy::parse(&self.policy);
        let (mode, scope, why) = match policy {
            Ok(policy) => (Some(policy.mode), policy.accounts_in_scope.map(|all| all.len()), None),
            Err(failure) => (None, None, Some(failure.chain())),
        };
        let hindered = [
            (mode == Some(Mode::Off), Hindrance::ModeOff),
            (mode.is_none(), Hindrance::PolicyUnusable),
            (self.rule == "DISABLED", Hindrance::RuleDisabled),
            (self.responders == 0, Hindrance::NobodySubscribed),
        ];
        let hindered = hindered.into_iter().filter(|(is, _)| *is).map(|(_, one)| one).collect();
        Answering { mode, scope, hindered, why }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn hindered(policy: &str, rule: &str, responders: u64) -> Value {
        let switches = Switches { policy: policy.into(), rule: rule.into(), responders };
        serde_json::to_value(switches.answering()).unwrap()
    }

    #[test]
    fn what_keeps_findings_from_being_answered_is_named() {
        let scope = r#"{"mode": "observe", "accountsInScope": ["222222222222"]}"#;
        for (policy, rule, responders, mode, in_scope, expected) in [
            ("{}", "ENABLED", 1, json!("contain"), json!(null), json!([])),
            (scope, "ENABLED", 1, json!("observe"), json!(1), json!([])),
            (r#"{"mode": "off"}"#, "ENABLED", 2, json!("off"), json!(null), json!(["modeOff"])),
            (
                "[]",
                "DISABLED",
                0,
                json!(null),
                json!(null),
                json!(["policyUnusable", "ruleDisabled", "nobodySubscribed"]),
            ),
        ] {
            let found = hindered(policy, rule, responders);
            assert_eq!(found["hindered"], expected, "{policy}");
            assert_eq!((&found["mode"], &found["scope"]), (&mode, &in_scope), "{policy}");
            assert_eq!(found["why"].is_string(), mode.is_null());
        }
    }
}
