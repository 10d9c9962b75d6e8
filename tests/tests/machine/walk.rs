//! Every way through the machine, and the costliest of them. A way keeps to its facts: a
//! condition that held once holds again, as long as nothing that it reads has changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::graph::{By, Edge, Kind, Scope, State};

/// Where it is asked whether a finding was answered before: once, since who was asked about is
/// not asked about again.
const ASKS: &str = "$not($asked) and $not($accused.newly = true) and \
                    ($type($verdict.recurrence) = 'object' or $verdict.unanswered and \
                    $type($target.deniedBefore) = 'string' and $not($exists($accused.unusedDays)))";

/// What is known on a way.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Facts {
    /// Whether conditions hold, and whether states fail.
    held: BTreeMap<String, bool>,
    /// The variable `rounds`.
    rounds: u64,
    /// The variable `looks`.
    looks: u64,
    /// What errors the variable `failures` holds, as far as conditions tell them apart.
    errors: Errors,
    /// How grave the gravest outcome of a principal is.
    gravest: usize,
}

/// What a list of errors holds, besides each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Errors {
    vanished: bool,
    /// Another, and whether that was always the deny that is not to be seen.
    other: Option<bool>,
}

impl Errors {
    fn add(&mut self, error: Error) {
        match error {
            Error::Vanished => self.vanished = true,
            Error::NotVisible => self.other = Some(self.other.unwrap_or(!self.vanished)),
            Error::Other => self.other = Some(false),
        }
        if self.vanished {
            self.other = self.other.map(|_| false);
        }
    }

    fn extend(&mut self, others: Self) {
        if others.vanished {
            self.add(Error::Vanished);
        }
        match others.other {
            Some(true) => self.add(Error::NotVisible),
            Some(false) => self.add(Error::Other),
            None => {}
        }
    }

    fn hold(self, error: Error) -> bool {
        match error {
            Error::Vanished => self.vanished,
            Error::NotVisible => self.other == Some(true),
            Error::Other => self.other == Some(false),
        }
    }

    fn hold_none_but(self, error: Error) -> bool {
        match error {
            Error::Vanished => self.other.is_none(),
            Error::NotVisible => !self.vanished && self.other != Some(false),
            Error::Other => !self.vanished && self.other != Some(true),
        }
    }
}

/// The errors that the machine tells apart once they are caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Error {
    Vanished,
    NotVisible,
    Other,
}

impl Error {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Vanished => "PrincipalVanished",
            Self::NotVisible => "DenyNotVisible",
            Self::Other => "AnyOther",
        }
    }

    /// Those that the task may fail with: whoever acts on a principal may find that it
    /// vanished, and who waits for the deny may wait in vain.
    pub(crate) fn of(task: &State) -> Vec<Self> {
        let mut errors = vec![Self::Other];
        if task.arguments["Payload"]["principal"].is_string() {
            errors.push(Self::Vanished);
        }
        let waits = |one: &String| one == Self::NotVisible.name();
        if task.retry.iter().any(|retrier| retrier.error_equals.iter().any(waits)) {
            errors.push(Self::NotVisible);
        }
        errors
    }
}

/// How a task may end, and what that costs.
pub(crate) struct Ending {
    pub(crate) by: By,
    /// What is caught, where something is.
    pub(crate) error: Error,
    pub(crate) cost: u64,
    /// Set where the task fails, or does not, for as long as this way goes.
    pub(crate) fails: Option<bool>,
}

/// What a walk adds up.
pub(crate) struct Costs<'a> {
    pub(crate) task: &'a dyn Fn(&State) -> Vec<Ending>,
    /// Of any other state, by itself.
    pub(crate) other: &'a dyn Fn(&State) -> u64,
    /// Of the parts of a state that run at once.
    pub(crate) together: fn(u64, u64) -> u64,
    /// How many principals the finding names.
    pub(crate) principals: u64,
    /// Whether the walk ends once people are told.
    pub(crate) until_told: bool,
}

/// The costliest way to each end of the scope, by the state where it ends.
type Ends = BTreeMap<(String, Facts), u64>;

/// What is found already, by the state and what was known there. States are named once.
type Found = BTreeMap<(String, Facts), Ends>;

impl Costs<'_> {
    /// The costliest way from the machine's beginning to the end of its first pass.
    pub(crate) fn worst(&self, machine: &Scope) -> u64 {
        let ends = self.ends(machine, &machine.start_at, &Facts::default(), &mut Found::new());
        ends.into_values().max().unwrap()
    }

    fn ends(&self, scope: &Scope, at: &str, facts: &Facts, found: &mut Found) -> Ends {
        let facts = &facts.of_use(scope, at);
        let key = (at.to_owned(), facts.clone());
        if let Some(ends) = found.get(&key) {
            return ends.clone();
        }
        let state = scope.state(at);
        let mut ends = Ends::new();
        for (by, error, cost, facts) in self.ways(state, facts, found) {
            let edge = by.and_then(|by| state.edges().into_iter().find(|edge| edge.by == by));
            let told = self.until_told && state.publishes() && by == Some(By::Next);
            // A redrive begins another pass.
            let redriven = edge.as_ref().is_some_and(|edge| edge.to == "ReadResponsePolicy")
                && state.name != "Begin";
            let further = match edge {
                Some(edge) if !told && !redriven => {
                    let facts = facts.after(&edge, error);
                    self.ends(scope, edge.to, &facts, found)
                }
                _ => Ends::from([((at.to_owned(), facts), 0)]),
            };
            for (end, rest) in further {
                let worst = ends.entry(end).or_default();
                *worst = cost.saturating_add(rest).max(*worst);
            }
        }
        found.insert(key, ends.clone());
        ends
    }

    /// How the state may be left, at what cost, and what is known then. Nowhere: the scope
    /// ends.
    fn ways(
        &self,
        state: &State,
        facts: &Facts,
        found: &mut Found,
    ) -> Vec<(Option<By>, Error, u64, Facts)> {
        let other = |(by, cost, facts)| (by, Error::Other, cost, facts);
        match state.kind {
            Kind::Task => {
                let endings = (self.task)(state).into_iter();
                endings
                    .filter_map(|ending| {
                        let key = format!("{} fails", state.name);
                        let facts = facts.with(&key, ending.fails)?;
                        Some((Some(ending.by), ending.error, ending.cost, facts))
                    })
                    .collect()
            }
            Kind::Choice => {
                choices(state, facts, (self.other)(state)).into_iter().map(other).collect()
            }
            Kind::Parallel => {
                let mut ways = vec![((self.other)(state), facts.clone())];
                for branch in &state.branches {
                    let ends = self.ends(branch, &branch.start_at, facts, found);
                    ways = ways
                        .into_iter()
                        .flat_map(|(cost, facts)| {
                            ends.iter().map(move |((_, found), of_branch)| {
                                let mut facts = facts.clone();
                                facts.held.extend(found.held.clone());
                                facts.errors.extend(found.errors);
                                ((self.together)(cost, *of_branch), facts)
                            })
                        })
                        .collect();
                }
                let ways = ways.into_iter().map(|(cost, facts)| (Some(By::Next), cost, facts));
                ways.map(other).collect()
            }
            Kind::Map => {
                let scope = state.item_processor.as_ref().unwrap();
                let ends = self.ends(scope, &scope.start_at, &Facts::default(), found);
                let ways = [0, 1, 2].into_iter().filter_map(|gravest| {
                    let ends = ends.iter().map(|((end, _), cost)| (gravity(scope, end), *cost));
                    let ends: Vec<_> = ends.filter(|(gravity, _)| *gravity <= gravest).collect();
                    ends.iter().find(|(gravity, _)| *gravity == gravest)?;
                    let one = ends.into_iter().map(|(_, cost)| cost).max()?;
                    let all = (0..self.principals).fold(0, |all, _| (self.together)(all, one));
                    let facts = Facts { gravest, ..facts.clone() };
                    Some((Some(By::Next), (self.other)(state) + all, facts))
                });
                ways.map(other).collect()
            }
            Kind::Pass | Kind::Wait | Kind::Succeed => {
                let by = state.next.is_some().then_some(By::Next);
                vec![other((by, (self.other)(state), facts.clone()))]
            }
        }
    }
}

/// What the iteration that ends here asks for: nothing more, people, or a redrive.
fn gravity(scope: &Scope, end: &str) -> usize {
    match scope.state(end).output["verdict"].as_str() {
        Some("contained" | "retired") => 0,
        Some("observed" | "escalated") => 1,
        _ => 2,
    }
}

fn choices(state: &State, facts: &Facts, cost: u64) -> Vec<(Option<By>, u64, Facts)> {
    let mut ways = Vec::new();
    if state.name == "Outcome" {
        let by = match facts.gravest {
            0 => [By::Rule(4)].as_slice(),
            1 => &[By::Rule(5), By::Rule(6), By::Rule(7)],
            _ => &[By::Rule(3), By::Default],
        };
        return by.iter().map(|by| (Some(*by), cost, facts.clone())).collect();
    }
    let mut facts = facts.clone();
    for (n, rule) in state.choices.iter().enumerate() {
        let condition = rule.condition.trim_matches(['{', '%', '}', ' ']);
        let known = facts.knows(condition);
        if known != Some(false) {
            ways.push((Some(By::Rule(n)), cost, facts.believing(condition, true)));
        }
        if known == Some(true) {
            return ways;
        }
        facts = facts.believing(condition, false);
    }
    let default = state.default.is_some().then_some(By::Default);
    ways.push((default, cost, facts));
    ways
}

/// What ways from `at` may still ask after. A way that can't have another round does not
/// come back, and one on which it was asked once whether it was answered before does not ask
/// again.
fn asked_after<'a>(
    scope: &'a Scope,
    at: &'a str,
    repeats: bool,
    answered: bool,
) -> BTreeSet<String> {
    let again = |edge: &Edge<'_>| edge.assign.get("rounds").is_some_and(Value::is_string);
    let asks = |edge: &Edge<'_>| edge.to == "ReadCase";
    let mut asked = BTreeSet::new();
    let closed = |edge: &Edge<'_>| !repeats && again(edge) || answered && asks(edge);
    for state in scope.reachable(at, closed) {
        let inner = state.branches.iter().flat_map(Scope::all);
        let tasks = inner.chain([state]).filter(|state| state.kind == Kind::Task);
        asked.extend(tasks.map(|task| format!("{} fails", task.name)));
        for rule in &state.choices {
            let condition = rule.condition.trim_matches(['{', '%', '}', ' ']);
            asked.extend(conjuncts(condition).into_iter().chain([condition]).map(str::to_owned));
        }
    }
    asked
}

impl Facts {
    /// What of this counts from `at` on, so that ways that differ in nothing else are one.
    fn of_use(&self, scope: &Scope, at: &str) -> Self {
        let mut facts = self.clone();
        let repeats = self.rounds < 1 && !self.errors.hold(Error::Other);
        let answered = self.held.get(ASKS) == Some(&false);
        let asked = asked_after(scope, at, repeats, answered);
        facts.held.retain(|key, _| asked.contains(key));
        facts
    }

    fn with(&self, key: &str, holds: Option<bool>) -> Option<Self> {
        let mut facts = self.clone();
        if let Some(holds) = holds
            && facts.held.insert(key.to_owned(), holds) == Some(!holds)
        {
            return None;
        }
        Some(facts)
    }

    /// Whether the condition holds, as far as that is known.
    fn knows(&self, condition: &str) -> Option<bool> {
        for (name, value) in [("$rounds < ", self.rounds), ("$looks < ", self.looks)] {
            if let Some(most) = condition.strip_prefix(name)
                && let Ok(most) = most.parse::<u64>()
            {
                return Some(value < most);
            }
        }
        for error in [Error::Vanished, Error::NotVisible] {
            let name = error.name();
            if condition == format!("'{name}' in $failures.error") {
                return Some(self.errors.hold(error));
            }
            if condition == format!("$count($failures[error != '{name}']) = 0") {
                return Some(self.errors.hold_none_but(error));
            }
        }
        let parts = conjuncts(condition);
        if parts.len() > 1 {
            let known: Vec<_> = parts.iter().map(|part| self.knows(part)).collect();
            if known.contains(&Some(false)) {
                return Some(false);
            }
            if known.iter().all(|known| *known == Some(true)) {
                return Some(true);
            }
        }
        self.held.get(condition).copied()
    }

    fn believing(&self, condition: &str, holds: bool) -> Self {
        let mut facts = self.clone();
        facts.held.insert(condition.to_owned(), holds);
        if holds {
            for part in conjuncts(condition) {
                facts.held.insert(part.to_owned(), true);
            }
        }
        facts
    }

    /// What is known once what the edge assigns is done; a Catch has caught `error`.
    fn after(&self, edge: &Edge<'_>, error: Error) -> Self {
        let mut facts = self.clone();
        // A branch hands on as data what it caught.
        if let By::Catch(n) = edge.by
            && edge.from.catch.get(n).is_some_and(|catch| !catch.output.is_null())
        {
            facts.errors.add(error);
        }
        for (name, value) in edge.assign {
            let reads = format!("${name}");
            // What stood when the incident reached it is asked after once.
            facts.held.retain(|condition, _| condition == ASKS || !condition.contains(&reads));
            match (name.as_str(), value) {
                ("rounds", Value::Number(number)) => facts.rounds = number.as_u64().unwrap(),
                ("rounds", value) => {
                    assert_eq!(value, "{% $rounds + 1 %}");
                    facts.rounds += 1;
                }
                ("looks", Value::Number(number)) => facts.looks = number.as_u64().unwrap(),
                ("looks", value) => {
                    assert_eq!(value, "{% $looks + 1 %}");
                    facts.looks += 1;
                }
                ("asked", value) if value == "{% $states.result.Payload.answered = false %}" => {
                    facts.held.retain(|condition, _| !ASKS.contains(condition.as_str()));
                    facts.held.insert(ASKS.to_owned(), false);
                }
                ("failures", Value::Array(values)) => {
                    facts.errors = Errors::default();
                    if !values.is_empty() {
                        facts.errors.add(Error::Other);
                    }
                }
                // The walk knows the branches that failed.
                ("failures", value) if value == "{% [$failures, $states.result.failure] %}" => {}
                ("failures", value) => {
                    assert!(value.as_str().unwrap().starts_with("{% [$failures, {"), "{value}");
                    facts.errors.add(error);
                }
                _ => {}
            }
        }
        facts
    }
}

/// The parts of a condition that all have to hold.
fn conjuncts(condition: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_u32, 0);
    for (at, character) in condition.char_indices() {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => {
                let rest = condition.get(at..).unwrap_or_default();
                if rest.starts_with(" or ") {
                    return vec![condition];
                }
                if rest.starts_with(" and ") {
                    parts.push(condition.get(from..at).unwrap_or_default());
                    from = at + " and ".len();
                }
            }
            _ => {}
        }
    }
    parts.push(condition.get(from..).unwrap_or_default());
    parts
}

/// Every way through the scope, as the states that it passes, with what is known at the
/// end. Tasks may fail or not; a redrive is not taken.
pub(crate) fn ways<'a>(scope: &'a Scope) -> Vec<Vec<&'a State>> {
    let mut ways = Vec::new();
    let mut open = vec![(vec![scope.state(&scope.start_at)], Facts::default())];
    while let Some((way, facts)) = open.pop() {
        let state = *way.last().unwrap();
        let taken: Vec<(Option<By>, Error, Facts)> = if state.kind == Kind::Choice {
            let ways = choices(state, &facts, 0).into_iter();
            ways.map(|(by, _, facts)| (by, Error::Other, facts)).collect()
        } else {
            let errors = |by| match by {
                By::Catch(_) => Error::of(state),
                _ => vec![Error::Other],
            };
            let edges = state.edges().into_iter();
            let by = edges.flat_map(|edge| errors(edge.by).into_iter().map(move |e| (edge.by, e)));
            by.map(|(by, error)| (Some(by), error, facts.clone())).collect()
        };
        if taken.iter().all(|(by, ..)| by.is_none()) {
            ways.push(way.clone());
        }
        for (by, error, facts) in taken {
            let Some(edge) = state.edges().into_iter().find(|edge| Some(edge.by) == by) else {
                continue;
            };
            let mut further: Vec<&'a State> = way.clone();
            further.push(scope.state(edge.to));
            open.push((further, facts.after(&edge, error)));
        }
    }
    ways
}
