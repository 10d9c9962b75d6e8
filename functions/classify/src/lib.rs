//! Judges a Security Hub event: whom to contain, what to escalate, what to leave alone.
//! Pure: the same event and policy always have the same verdict.

mod finding;
mod principals;
mod rules;

use incident::{AccountId, Accused, Execution, Failure, Mode, ResponsePolicy, cut, one_line};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use finding::Finding;
use rules::Response;

/// The step's input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// The event that started the execution, as it came. Hostile.
    event: Value,
    /// The response policy, as the parameter holds it.
    policy: String,
}

/// The step's output.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// What is to be done.
    pub response: Action,
    /// Why, for a person; at most 500 characters.
    pub reason: String,
    /// The finding in brief, where the event carries one that can be named.
    pub finding: Option<Brief>,
    /// When Security Hub sent the event (RFC 3339), where it says so.
    pub sent: Option<String>,
    /// The response policy, with all its defaults.
    pub policy: ResponsePolicy,
    /// Whom to contain.
    pub accused: Vec<Accused>,
    /// Whom the finding names in a way that can't be acted on.
    pub refused: Vec<Refused>,
}

/// What is to be done with a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Action {
    /// Contain all of `accused`.
    Contain,
    /// Tell people; touch nobody.
    Escalate,
    /// Nothing, and the finding stays as it is.
    Ignore,
}

/// A finding in brief: cleaned, for notes and mails, but for what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Brief {
    /// `Id`, as it came.
    pub id: String,
    /// `Id`, on one line, for people.
    pub label: String,
    /// `ProductArn`, as it came.
    pub product_arn: String,
    /// `AwsAccountId`.
    pub account: AccountId,
    /// `Title`, on one line.
    pub title: String,
    /// `Severity.Label`, or what `Severity.Normalized` means.
    pub severity: String,
}

/// A principal that is left to people, as an outcome of the state machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// What the finding calls it, on one line.
    pub arn: String,
    /// Always `escalated`.
    pub outcome: &'static str,
    /// Why it is not acted on.
    pub reason: String,
}

/// Judges the event. Fails only with [`Failure::ResponsePolicyInvalid`]: whatever the
/// event holds, there is a verdict.
pub fn classify(input: Input) -> Result<Verdict, Failure> {
    let Input {
        execution,
        event,
        policy,
    } = input;
    let policy = ResponsePolicy::parse(&policy)?;
    let sent = event.get("time").and_then(Value::as_str);
    let sent = sent
        .filter(|time| OffsetDateTime::parse(time, &Rfc3339).is_ok())
        .map(str::to_owned);
    let (finding, judgement) = match finding::of_event(&event) {
        Ok(finding) => {
            let judgement = judge(&execution, &policy, &finding);
            (Some(finding.brief), judgement)
        }
        Err(reason) => (None, Judgement::Ignore(reason)),
    };
    let (response, reason, accused, refused) = match judgement {
        Judgement::Ignore(reason) => (Action::Ignore, reason, Vec::new(), Vec::new()),
        Judgement::Escalate(reason) => (Action::Escalate, reason, Vec::new(), Vec::new()),
        Judgement::Contain {
            reason,
            accused,
            refused,
        } => (Action::Contain, reason, accused, refused),
    };
    let reason = one_line(&reason, 500);
    Ok(Verdict {
        response,
        reason,
        finding,
        sent,
        policy,
        accused,
        refused,
    })
}

enum Judgement {
    Ignore(String),
    Escalate(String),
    Contain {
        reason: String,
        accused: Vec<Accused>,
        refused: Vec<Refused>,
    },
}

fn judge(execution: &Execution, policy: &ResponsePolicy, finding: &Finding<'_>) -> Judgement {
    if policy.mode == Mode::Off {
        return Judgement::Ignore("the response policy's mode is `off`".to_owned());
    }
    if let Some(reason) = finding.not_to_act_on() {
        return Judgement::Ignore(reason);
    }
    let account = &finding.brief.account;
    if policy
        .accounts_in_scope
        .as_ref()
        .is_some_and(|scope| !scope.contains(account))
    {
        return Judgement::Ignore(format!(
            "account {account} is not in the response policy's scope"
        ));
    }
    let rules = match rules::table() {
        Ok(rules) => rules,
        Err(error) => return Judgement::Escalate(format!("the rule table is unusable: {error}")),
    };
    let Some(rule) = rules
        .iter()
        .find(|rule| rule.applies(execution, policy, finding))
    else {
        return Judgement::Ignore("no rule is for such a finding".to_owned());
    };
    if policy.exempt_accounts.contains(account) {
        return Judgement::Escalate(format!(
            "{}, but the response policy exempts account {account}",
            rule.reason
        ));
    }
    match rule.response {
        Response::ContainUser => {
            let (accused, refused) = principals::users(execution, finding);
            if accused.is_empty() {
                let refusals = refused
                    .iter()
                    .map(|one| format!("`{}`: {}", cut(&one.arn, 100), one.reason));
                let refusals = refusals.collect::<Vec<_>>().join("; ");
                return Judgement::Escalate(format!(
                    "{}, but names nobody to contain: {refusals}",
                    rule.reason
                ));
            }
            Judgement::Contain {
                reason: rule.reason.clone(),
                accused,
                refused,
            }
        }
    }
}
