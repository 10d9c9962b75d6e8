//! Whether this step could act in member accounts at all: asked of many accounts, before an
//! incident asks it of one. Changes nothing.

use std::collections::BTreeMap;
use std::error::Error;

use aws_sdk_iam::Client;
use futures::StreamExt;
use futures::future::BoxFuture;
use incident::{AccountId, Execution, Failure, Kind, Principal, ascii};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{Entry, Grant};

/// So many accounts are entered at once. STS serves an account 600 calls a second in a Region,
/// incidents' too; at some 80 ms a call this takes half of them.
///
/// Source: IAM User Guide, "IAM and AWS STS quotas" (STS requests).
const AT_ONCE: usize = 25;

/// So many bytes of what the service says are kept.
const CAUSE: usize = 220;

/// So many different refusals of one page are told apart: all answers of a run travel in one
/// payload.
const MOST_REFUSALS: usize = 2;

/// The name of what is refused in more ways than are told apart.
const VARIOUS: &str = "Various";

/// The write calls of a step that can be made on what does not exist, and what becomes of each.
pub type Probe = for<'a> fn(&'a Client, &'a Nobody) -> BoxFuture<'a, Vec<(&'static str, Done)>>;

/// What became of a call.
pub type Done = Result<(), Failure>;

/// A step, as far as readiness asks about it.
#[derive(Debug, Clone, Copy)]
pub struct Readiness {
    /// Its policy in the member account: the file beside its code.
    pub policy: &'static str,
    /// Its write calls that IAM allows whoever they are about.
    pub writes: &'static [&'static str],
    /// Makes all of [`Self::writes`] on nobody.
    pub probe: Probe,
}

impl Readiness {
    /// A step that changes nothing, or nothing that could be tried on nobody.
    #[must_use]
    pub const fn entry_alone(policy: &'static str) -> Self {
        Self { policy, writes: &[], probe: |_, _| Box::pin(async { Vec::new() }) }
    }

    /// The actions that its policy allows and that no probe proves, in the policy's order.
    #[must_use]
    pub fn unproved(&self) -> Vec<String> {
        let policy: Value = serde_json::from_str(self.policy).unwrap_or_default();
        let statements = policy.get("Statement").and_then(Value::as_array).into_iter().flatten();
        let allowed = statements.filter(|statement| statement["Effect"] == "Allow");
        let actions = allowed.flat_map(|statement| match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            action => vec![action.clone()],
        });
        let actions = actions.filter_map(|action| action.as_str().map(str::to_owned));
        actions.filter(|action| !self.writes.contains(&action.as_str())).collect()
    }
}

/// Whom no account has: what a call about them would do is nothing, so it can be tried whether
/// IAM allows it. IAM answers whether the caller may before it answers whether they exist.
///
/// All bear the name of the execution's session, `cordon-` and 40 hexadecimal digits. IAM has no
/// name that is valid and can't exist: its calls about principals take none that is longer than
/// those that can be made. Of this one nobody knows before the execution begins; whoever makes a
/// principal of it in that very second gets the deny for that.
///
/// Source: IAM API Reference, `AttachUserPolicy` and `CreateUser` (`UserName`).
#[derive(Debug)]
pub struct Nobody {
    /// `aws`, `aws-cn`, `aws-us-gov` …
    pub partition: String,
    /// A user.
    pub user: Principal,
    /// A role.
    pub role: Principal,
    /// A group.
    pub group: String,
}

impl Nobody {
    /// The id of a credential that can't exist: IAM's own are capitals and digits.
    ///
    /// Source: IAM User Guide, "IAM identifiers" (unique identifiers).
    pub const CREDENTIAL: &'static str = "no_such_credential_exists";

    /// Nobody of this account.
    #[must_use]
    pub fn of(execution: &Execution, account: &AccountId) -> Self {
        let partition = execution.partition().to_owned();
        let name = execution.session_name();
        let principal = |kind: Kind| Principal {
            arn: format!("arn:{partition}:iam::{account}:{}/{name}", kind.noun()),
            account: account.clone(),
            kind,
            name: name.clone(),
            path: "/".to_owned(),
            id: String::new(),
            boundary: None,
            denied_before: None,
            access_keys: Vec::new(),
        };
        Self { user: principal(Kind::User), role: principal(Kind::Role), group: name, partition }
    }

    /// All that a probe may be about.
    fn resources(&self) -> Vec<String> {
        let group =
            format!("arn:{}:iam::{}:group/{}", self.partition, self.user.account, self.group);
        vec![self.user.arn.clone(), self.role.arn.clone(), group]
    }
}

/// What is asked of a step.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// The execution's ARN.
    execution: Execution,
    /// Which accounts, and how thoroughly.
    readiness: Page,
}

#[derive(Debug, Deserialize)]
struct Page {
    accounts: Vec<AccountId>,
    deep: bool,
}

/// What a step answers: who refuses it, and nothing of who does not.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// At most [`MOST_REFUSALS`].
    refused: Vec<Refused>,
    /// The actions of its role that were not proved.
    unproved: Vec<String>,
}

/// Accounts that refuse alike.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Refused {
    /// The failure's name.
    error: &'static str,
    /// The calls that are refused.
    calls: Vec<&'static str>,
    /// What the service says of the first of them, cut.
    cause: String,
    /// Which of the page, as the bits of this hexadecimal number, the first account first: the
    /// ids of all accounts and steps would not fit one payload.
    accounts: String,
}

/// Enters each account with the step's own role, as an incident does, with a session that may
/// do nothing, and leaves. Deep, the session may make the step's write calls on [`Nobody`], and
/// makes each. Fails only where the input is unusable; whatever an account or AWS refuses or can
/// not serve is told as a refusal of that account.
pub async fn check(entry: &Entry, step: Readiness, input: Input) -> Result<Answer, Failure> {
    let Input { execution, readiness: Page { accounts, deep } } = input;
    let checks = accounts.iter().map(|account| async {
        match check_one(entry, step, &execution, account, deep).await {
            Ok(refusals) => refusals,
            Err(failure) => vec![("sts:AssumeRole", failure)],
        }
    });
    let refusals: Vec<_> = futures::stream::iter(checks).buffered(AT_ONCE).collect().await;
    let unproved = if deep { step.unproved() } else { Vec::new() };
    Ok(Answer { refused: grouped(&refusals), unproved })
}

type Refusal = (&'static str, Failure);

async fn check_one(
    entry: &Entry,
    step: Readiness,
    execution: &Execution,
    account: &AccountId,
    deep: bool,
) -> Result<Vec<Refusal>, Failure> {
    if !deep || step.writes.is_empty() {
        entry.try_to_enter(execution, account).await?;
        return Ok(Vec::new());
    }
    let nobody = Nobody::of(execution, account);
    let grant = Grant { actions: step.writes, resources: nobody.resources() };
    let iam = entry.enter(execution, account, &[grant]).await?;
    let done = (step.probe)(&iam, &nobody).await;
    // That there is nobody whom it could be about only the allowed get to know.
    let refused = done.into_iter().filter_map(|(call, done)| match done {
        Ok(()) | Err(Failure::NotFound { .. }) => None,
        Err(failure) => Some((call, failure)),
    });
    Ok(refused.collect())
}

/// How an account refuses: with which failure, and which calls.
type Way = (&'static str, Vec<&'static str>);

/// The accounts by how they refuse, the most frequent way first.
fn grouped(refusals: &[Vec<Refusal>]) -> Vec<Refused> {
    let mut ways: BTreeMap<Way, (String, Vec<usize>)> = BTreeMap::new();
    for (index, refusals) in refusals.iter().enumerate() {
        let Some((_, first)) = refusals.first() else { continue };
        let calls = refusals.iter().map(|(call, _)| *call).collect();
        let way = ways.entry((first.name(), calls)).or_insert_with(|| (said(first), Vec::new()));
        way.1.push(index);
    }
    let mut ways: Vec<_> = ways.into_iter().collect();
    ways.sort_by_key(|(_, (_, accounts))| std::cmp::Reverse(accounts.len()));
    let rest = ways.split_off(ways.len().min(MOST_REFUSALS));
    if let (Some(((error, calls), (_, accounts))), false) = (ways.last_mut(), rest.is_empty()) {
        *error = VARIOUS;
        for ((_, more_calls), (_, more)) in rest {
            calls.extend(more_calls);
            accounts.extend(more);
        }
        calls.sort_unstable();
        calls.dedup();
    }
    let refused = ways.into_iter().map(|((error, calls), (cause, accounts))| Refused {
        error,
        calls,
        cause,
        accounts: bits(refusals.len(), &accounts),
    });
    refused.collect()
}

/// The service's own words, on one line. Of a refusal it is left out who called, which is known.
fn said(failure: &Failure) -> String {
    let words = failure.source().map_or_else(|| failure.to_string(), ToString::to_string);
    let refused = words.find(REFUSED).and_then(|at| words.get(at..));
    let why = words.split_once("; User: ").map_or_else(String::new, |(why, _)| format!("{why}; "));
    let words = refused.map_or_else(|| words.clone(), |refused| format!("{why}...{refused}"));
    ascii(&words, CAUSE).replace('"', "'").replace('\\', "/")
}

/// Source: IAM User Guide, "Troubleshoot access denied error messages".
const REFUSED: &str = " is not authorized to perform: ";

/// The members of a set of `length` as a hexadecimal number, the first as its highest bit.
fn bits(length: usize, members: &[usize]) -> String {
    let digit = |from: usize| {
        let bit = |index: usize| u32::from(members.contains(&index));
        (from..from + 4).fold(0, |digit, index| digit * 2 + bit(index))
    };
    (0..length).step_by(4).filter_map(|from| char::from_digit(digit(from), 16)).collect()
}

/// What the function of a step is asked: to do its step, or whether it could.
#[derive(Debug)]
pub(crate) enum Asked<I> {
    Step(I),
    Readiness(Input),
}

impl<'de, I: DeserializeOwned> Deserialize<'de> for Asked<I> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let input = Value::deserialize(deserializer)?;
        let asked = if input.get("readiness").is_some() {
            serde_json::from_value(input).map(Self::Readiness)
        } else {
            serde_json::from_value(input).map(Self::Step)
        };
        asked.map_err(D::Error::custom)
    }
}

/// The answer to either.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Answered<O> {
    Step(O),
    Readiness(Answer),
}

#[cfg(test)]
mod tests {
    use aws_sdk_sts::operation::assume_role::AssumeRoleInput;
    use serde_json::json;
    use wire::{Rule, error, error_of, mock};

    use super::*;

    const POLICY: &str = r#"{"Statement": [
        {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"},
        {"Effect": "Allow", "Action": ["iam:TagUser", "iam:TagRole"], "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:DeleteUser", "Resource": "*"}
    ]}"#;

    /// A step that tags users.
    const TAGS: Readiness = Readiness {
        policy: POLICY,
        writes: &["iam:TagUser"],
        probe: |iam, nobody| {
            Box::pin(async {
                let tag = iam.tag_user().user_name(&nobody.user.name).set_tags(Some(Vec::new()));
                let done = tag.send().await;
                vec![("iam:TagUser", aws_calls::Answer::done(done, "iam:TagUser"))]
            })
        },
    };

    fn entry(sts: &[&Rule], iam: &[&Rule]) -> Entry {
        Entry::new(wire::sts(sts), wire::iam(iam), "Step".into(), "external id".into())
    }

    fn asked(accounts: &[&str], deep: bool) -> Input {
        let execution = wire::execution();
        let readiness = json!({ "accounts": accounts, "deep": deep });
        serde_json::from_value(json!({ "execution": execution, "readiness": readiness })).unwrap()
    }

    async fn answer(entry: &Entry, input: Input) -> Value {
        serde_json::to_value(check(entry, TAGS, input).await.unwrap()).unwrap()
    }

    fn is_for(account: &'static str) -> impl Fn(&AssumeRoleInput) -> bool {
        move |ask| ask.role_arn().is_some_and(|role| role.contains(account))
    }

    #[tokio::test]
    async fn who_refuses_is_told_in_the_services_words_and_nobody_else() {
        let refusal = "User: arn:aws:sts::1:assumed-role/x/y is not authorized to perform: \
                       sts:AssumeRole on resource: z with an explicit deny in a service control \
                       policy";
        let nothing = |ask: &AssumeRoleInput| {
            let policy = ask.policy().and_then(|policy| serde_json::from_str::<Value>(policy).ok());
            policy.is_some_and(|policy| {
                policy["Statement"] == json!([{"Effect": "Deny", "Action": "*", "Resource": "*"}])
            })
        };
        let lets_in = |account: &'static str| {
            let is_for = is_for(account);
            mock!(aws_sdk_sts::Client::assume_role)
                .match_requests(move |ask| is_for(ask) && nothing(ask))
                .then_http_response(wire::credentials)
        };
        let closed = mock!(aws_sdk_sts::Client::assume_role)
            .match_requests(is_for("333333333333"))
            .then_http_response(move || error_of("AccessDenied", refusal));
        // IAM has no rule: nothing is called there.
        let (first, last) = (lets_in("222222222222"), lets_in("444444444444"));
        let entry = entry(&[&closed, &first, &last], &[]);
        let accounts = ["222222222222", "333333333333", "444444444444"];
        let refused = json!([{
            "error": "EntryRefused",
            "calls": ["sts:AssumeRole"],
            "cause": "with an explicit deny in a service control policy; ... is not authorized to \
                      perform: sts:AssumeRole on resource: z",
            "accounts": "4",
        }]);
        let said = answer(&entry, asked(&accounts, false)).await;
        assert_eq!(said, json!({ "refused": refused, "unproved": [] }));
    }

    #[tokio::test]
    async fn deep_a_write_call_is_made_on_nobody_by_whom_it_is_allowed_to() {
        let narrow = |ask: &AssumeRoleInput| {
            let session = wire::execution().session_name();
            ask.policy().is_some_and(|policy| {
                policy.contains(r#""Action":["iam:TagUser"]"#)
                    && policy.contains(&format!("arn:aws:iam::222222222222:user/{session}"))
                    && !policy.contains('*')
            })
        };
        for (code, refused) in [
            ("NoSuchEntity", json!([])),
            ("AccessDenied", json!("AccessDenied")),
            ("ServiceFailure", json!("ServiceUnavailable")),
        ] {
            let lets_in = mock!(aws_sdk_sts::Client::assume_role)
                .match_requests(narrow)
                .then_http_response(wire::credentials);
            let tag = mock!(Client::tag_user).then_http_response(move || error(code));
            let said = answer(&entry(&[&lets_in], &[&tag]), asked(&["222222222222"], true)).await;
            assert_eq!(said["unproved"], json!(["iam:GetUser", "iam:TagRole"]));
            let first = &said["refused"][0];
            match refused {
                Value::Array(_) => assert!(first.is_null(), "{code}: {first}"),
                error => assert_eq!(
                    (&first["error"], &first["calls"], &first["accounts"]),
                    (&error, &json!(["iam:TagUser"]), &json!("8"))
                ),
            }
        }
    }

    #[test]
    fn however_many_ways_there_are_to_refuse_the_answer_is_bounded_and_names_all_accounts() {
        let refuse = |call| {
            let source = "x".repeat(1_000).into();
            vec![(call, Failure::AccessDenied { call, source })]
        };
        let refusals: Vec<_> = ["a", "a", "b", "c", "d"].map(refuse).into_iter().collect();
        let told = serde_json::to_value(grouped(&refusals)).unwrap();
        assert_eq!(told.as_array().map(Vec::len), Some(MOST_REFUSALS));
        assert_eq!(
            (&told[0]["accounts"], &told[0]["error"]),
            (&json!("c0"), &json!("AccessDenied"))
        );
        assert_eq!((&told[1]["accounts"], &told[1]["error"]), (&json!("38"), &json!(VARIOUS)));
        assert_eq!(told[1]["calls"], json!(["b", "c", "d"]));
        assert!(told.to_string().len() < 800, "{told}");
    }

    #[test]
    fn an_input_is_the_steps_unless_it_asks_for_readiness() {
        let readiness = asked(&["222222222222"], false).readiness;
        assert!(!readiness.deep);
        let input = json!({ "execution": wire::execution(), "readiness": { "accounts": [] } });
        let unusable = serde_json::from_value::<Asked<Value>>(input).unwrap_err().to_string();
        assert!(unusable.contains("missing field `deep`"), "{unusable}");
        let step = serde_json::from_value(json!({ "principal": 1 })).unwrap();
        assert!(matches!(step, Asked::<Value>::Step(_)));
    }
}
