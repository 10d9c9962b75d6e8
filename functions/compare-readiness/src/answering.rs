//! Whether anything would come of a finding at all, however well accounts can be entered.

use incident::{Mode, ResponsePolicy};
use serde::{Deserialize, Serialize};

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

/// Whether findings are answered.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Answering {
    /// The response policy's mode; none, where it is unusable.
    mode: Option<Mode>,
    /// How many accounts the response policy is limited to, if it is.
    scope: Option<usize>,
    /// What keeps findings from being answered.
    hindered: Vec<Hindrance>,
    /// What is wrong with the response policy.
    why: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Hindrance {
    ModeOff,
    PolicyUnusable,
    RuleDisabled,
    NobodySubscribed,
}

impl Answering {
    pub(crate) fn by(switches: &Switches) -> Self {
        let policy = ResponsePolicy::parse(&switches.policy);
        let (mode, scope, why) = match policy {
            Ok(policy) => (Some(policy.mode), policy.accounts_in_scope.map(|all| all.len()), None),
            Err(failure) => (None, None, Some(failure.chain())),
        };
        let hindered = [
            (mode == Some(Mode::Off), Hindrance::ModeOff),
            (mode.is_none(), Hindrance::PolicyUnusable),
            (switches.rule == "DISABLED", Hindrance::RuleDisabled),
            (switches.responders == 0, Hindrance::NobodySubscribed),
        ];
        let hindered = hindered.into_iter().filter(|(is, _)| *is).map(|(_, one)| one).collect();
        Self { mode, scope, hindered, why }
    }

    pub(crate) fn is_hindered(&self) -> bool {
        !self.hindered.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn hindered(policy: &str, rule: &str, responders: u64) -> Value {
        let switches = Switches { policy: policy.into(), rule: rule.into(), responders };
        serde_json::to_value(Answering::by(&switches)).unwrap()
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
