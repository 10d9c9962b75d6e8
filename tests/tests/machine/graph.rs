//! The state machine's file as a graph.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use harness::place::repository;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The machine, the iterations of a Map, or a branch of a Parallel: states that lead to
/// one another.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Scope {
    pub(crate) start_at: String,
    pub(crate) states: BTreeMap<String, State>,
    pub(crate) timeout_seconds: Option<u64>,
    #[serde(rename = "Comment")]
    _comment: Option<String>,
    #[serde(rename = "QueryLanguage")]
    _query_language: Option<String>,
    #[serde(rename = "ProcessorConfig")]
    _processor_config: Option<Value>,
}

/// A state. A field that is not here is one that no rule has been thought of for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct State {
    #[serde(skip)]
    pub(crate) name: String,
    #[serde(rename = "Type")]
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) comment: String,
    #[serde(default)]
    pub(crate) resource: String,
    #[serde(default)]
    pub(crate) arguments: Value,
    pub(crate) timeout_seconds: Option<u64>,
    #[serde(default)]
    pub(crate) retry: Vec<Retrier>,
    #[serde(default)]
    pub(crate) catch: Vec<Catcher>,
    #[serde(default)]
    pub(crate) assign: Map<String, Value>,
    #[serde(default)]
    pub(crate) output: Value,
    pub(crate) next: Option<String>,
    #[serde(default)]
    pub(crate) end: bool,
    #[serde(default)]
    pub(crate) choices: Vec<Rule>,
    pub(crate) default: Option<String>,
    #[serde(default)]
    pub(crate) branches: Vec<Scope>,
    pub(crate) item_processor: Option<Scope>,
    #[serde(default)]
    pub(crate) items: Value,
    #[serde(default)]
    pub(crate) item_selector: Value,
    #[serde(default)]
    pub(crate) seconds: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Kind {
    Choice,
    Map,
    Parallel,
    Pass,
    Succeed,
    Task,
    Wait,
}

/// All its fields are required: a retry without a cap or jitter is none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Retrier {
    pub(crate) error_equals: Vec<String>,
    pub(crate) interval_seconds: u64,
    pub(crate) backoff_rate: u64,
    pub(crate) max_attempts: u64,
    pub(crate) max_delay_seconds: u64,
    pub(crate) jitter_strategy: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Catcher {
    pub(crate) error_equals: Vec<String>,
    #[serde(default)]
    pub(crate) assign: Map<String, Value>,
    #[serde(default)]
    pub(crate) output: Value,
    pub(crate) next: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) condition: String,
    #[serde(default)]
    pub(crate) assign: Map<String, Value>,
    pub(crate) next: String,
}

/// By which field of a state its successor is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// `Next`: a task succeeded.
    Next,
    /// The Catch of this number.
    Catch(usize),
    /// The rule of this number.
    Rule(usize),
    /// `Default`: no rule holds.
    Default,
}

/// A way from a state to its successor.
#[derive(Clone, Copy)]
pub(crate) struct Edge<'a> {
    pub(crate) from: &'a State,
    pub(crate) by: By,
    pub(crate) to: &'a str,
    /// What is assigned on the way.
    pub(crate) assign: &'a Map<String, Value>,
}

impl fmt::Display for Edge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} –{:?}→ {}", self.from.name, self.by, self.to)
    }
}

impl State {
    pub(crate) fn edges(&self) -> Vec<Edge<'_>> {
        let edge = |by, to, assign| Edge { from: self, by, to, assign };
        let next = self.next.iter().map(|to| edge(By::Next, to, &self.assign));
        let rules = self.choices.iter().enumerate();
        let rules = rules.map(|(n, rule)| edge(By::Rule(n), &rule.next, &rule.assign));
        let default = self.default.iter().map(|to| edge(By::Default, to, &self.assign));
        let catches = self.catch.iter().enumerate();
        let catches = catches.map(|(n, catch)| edge(By::Catch(n), &catch.next, &catch.assign));
        next.chain(rules).chain(default).chain(catches).collect()
    }

    /// Whether the scope may end here: in success, in failure, or because no rule holds.
    pub(crate) fn may_end(&self) -> bool {
        self.end
            || self.kind == Kind::Succeed
            || (self.kind == Kind::Choice && self.default.is_none())
    }

    /// Whether it tells people.
    pub(crate) fn publishes(&self) -> bool {
        self.resource.ends_with(":states:::sns:publish")
    }

    /// The function that it calls: `DetachPolicies`.
    pub(crate) fn function(&self) -> Option<&str> {
        let arn = self.arguments["FunctionName"].as_str()?;
        arn.strip_prefix("${")?.strip_suffix("FunctionArn}")
    }

    /// The AWS service that it calls.
    pub(crate) fn service(&self) -> &str {
        let parts: Vec<&str> = self.resource.split(':').collect();
        match parts.as_slice() {
            [.., "aws-sdk", service, _] | [.., service, _] => service,
            _ => "",
        }
    }

    /// The scopes inside it.
    pub(crate) fn inner(&self) -> impl Iterator<Item = &Scope> {
        self.branches.iter().chain(&self.item_processor)
    }

    /// All that it computes, as text.
    pub(crate) fn expressions(&self) -> Vec<&str> {
        let mut found = Vec::new();
        let whole =
            [&self.arguments, &self.output, &self.items, &self.item_selector, &self.seconds];
        for value in whole.into_iter().chain(self.assign.values()) {
            collect(value, &mut found);
        }
        for rule in &self.choices {
            found.push(&rule.condition);
            rule.assign.values().for_each(|value| collect(value, &mut found));
        }
        for catch in &self.catch {
            collect(&catch.output, &mut found);
            catch.assign.values().for_each(|value| collect(value, &mut found));
        }
        found.retain(|text| text.starts_with("{%"));
        found
    }
}

/// All texts in `value`.
fn collect<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => into.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
        Value::Object(members) => members.values().for_each(|value| collect(value, into)),
        _ => {}
    }
}

impl Scope {
    /// The machine's file.
    pub(crate) fn machine() -> Self {
        Self::of("incident-response")
    }

    /// The file of the machine that gives back.
    pub(crate) fn restore() -> Self {
        Self::of("restore")
    }

    fn of(name: &str) -> Self {
        let path = repository().join(format!("statemachine/{name}.asl.json"));
        let text = fs::read_to_string(&path).unwrap();
        let mut machine: Self = serde_json::from_str(&text).unwrap();
        machine.name_states();
        machine
    }

    fn name_states(&mut self) {
        for (name, state) in &mut self.states {
            state.name.clone_from(name);
            let iteration = state.item_processor.iter_mut();
            state.branches.iter_mut().chain(iteration).for_each(Self::name_states);
        }
    }

    pub(crate) fn state(&self, name: &str) -> &State {
        self.states.get(name).unwrap_or_else(|| panic!("there is no state `{name}`"))
    }

    /// This scope and all scopes inside it.
    pub(crate) fn scopes(&self) -> Vec<&Self> {
        let inner = self.states.values().flat_map(State::inner);
        let mut scopes = vec![self];
        scopes.extend(inner.flat_map(Self::scopes));
        scopes
    }

    /// All states, those of inner scopes too.
    pub(crate) fn all(&self) -> Vec<&State> {
        self.scopes().into_iter().flat_map(|scope| scope.states.values()).collect()
    }

    pub(crate) fn edges(&self) -> Vec<Edge<'_>> {
        self.states.values().flat_map(State::edges).collect()
    }

    /// The states of this scope that can be reached from `start` without an edge that
    /// `closed` names.
    pub(crate) fn reachable<'a>(
        &'a self,
        start: &'a str,
        closed: impl Fn(&Edge<'_>) -> bool,
    ) -> Vec<&'a State> {
        let (mut found, mut open) = (Vec::new(), vec![start]);
        while let Some(name) = open.pop() {
            if found.iter().any(|state: &&State| state.name == name) {
                continue;
            }
            let state = self.state(name);
            found.push(state);
            open.extend(state.edges().iter().filter(|edge| !closed(edge)).map(|edge| edge.to));
        }
        found
    }

    /// The states of this scope that can be reached only by the success of `task`.
    pub(crate) fn after_success_of(&self, task: &str) -> Vec<&State> {
        let success = |edge: &Edge<'_>| edge.from.name == task && edge.by == By::Next;
        let without = self.reachable(&self.start_at, success);
        let states = self.states.values();
        states.filter(|state| without.iter().all(|other| other.name != state.name)).collect()
    }
}
