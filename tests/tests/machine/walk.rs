//! Every way through the machine, and the costliest of them. A way keeps to its facts: a
//! condition that held once holds again, as long as nothing that it reads has changed.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::graph::{By, Edge, Kind, Scope, State};

/// What is known on a way.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Facts {
    /// Whether conditions hold, and whether states fail.
    held: BTreeMap<String, bool>,
    /// The variable `rounds`.
    rounds: u64,
    /// How many elements the variable `failures` has.
    failures: u64,
    /// How many of them are not that the principal vanished.
    others: u64,
    /// How grave the gravest outcome of a principal is.
    gravest: usize,
}

/// How a task may end, and what that costs.
pub(crate) struct Ending {
    pub(crate) by: By,
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
        let key = (at.to_owned(), facts.clone());
        if let Some(ends) = found.get(&key) {
            return ends.clone();
        }
        let state = scope.state(at);
        let mut ends = Ends::new();
        for (by, cost, facts) in self.ways(state, facts, found) {
            let edge = by.and_then(|by| state.edges().into_iter().find(|edge| edge.by == by));
            let told = self.until_told && state.publishes() && by == Some(By::Next);
            // A redrive begins another pass.
            let redriven = edge.as_ref().is_some_and(|edge| edge.to == "ReadResponsePolicy")
                && state.kind == Kind::Choice;
            let further = match edge {
                Some(edge) if !told && !redriven => {
                    let facts = facts.after(&edge);
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
    ) -> Vec<(Option<By>, u64, Facts)> {
        match state.kind {
            Kind::Task => {
                let endings = (self.task)(state).into_iter();
                endings
                    .filter_map(|ending| {
                        let key = format!("{} fails", state.name);
                        let facts = facts.with(&key, ending.fails)?;
                        Some((Some(ending.by), ending.cost, facts))
                    })
                    .collect()
            }
            Kind::Choice => choices(state, facts, (self.other)(state)),
            Kind::Parallel => {
                let mut ways = vec![((self.other)(state), facts.clone())];
                for branch in &state.branches {
                    let ends = self.ends(branch, &branch.start_at, facts, found);
                    ways = ways
                        .into_iter()
                        .flat_map(|(cost, facts)| {
                            ends.iter().map(move |((end, found), of_branch)| {
                                let mut facts = facts.clone();
                                facts.held.extend(found.held.clone());
                                // A branch that failed ends in a state after its task.
                                let failed = u64::from(*end != branch.start_at);
                                facts.failures += failed;
                                facts.others += failed;
                                ((self.together)(cost, *of_branch), facts)
                            })
                        })
                        .collect();
                }
                ways.into_iter().map(|(cost, facts)| (Some(By::Next), cost, facts)).collect()
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
                ways.collect()
            }
            Kind::Pass | Kind::Wait | Kind::Succeed => {
                let by = state.next.is_some().then_some(By::Next);
                vec![(by, (self.other)(state), facts.clone())]
            }
        }
    }
}

/// What the iteration that ends here asks for: nothing more, people, or a redrive.
fn gravity(scope: &Scope, end: &str) -> usize {
    match scope.state(end).output["outcome"].as_str() {
        Some("contained" | "retired") => 0,
        Some("observed" | "escalated") => 1,
        _ => 2,
    }
}

fn choices(state: &State, facts: &Facts, cost: u64) -> Vec<(Option<By>, u64, Facts)> {
    let mut ways = Vec::new();
    if state.name == "Outcome" {
        let by = match facts.gravest {
            0 => [By::Rule(1)].as_slice(),
            1 => &[By::Rule(2), By::Rule(3)],
            _ => &[By::Default],
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

impl Facts {
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
        if let Some(most) = condition.strip_prefix("$rounds < ")
            && let Ok(most) = most.parse::<u64>()
        {
            return Some(self.rounds < most);
        }
        if condition == "$count($failures) = 1" {
            return Some(self.failures == 1);
        }
        if condition == "$count($failures[error != 'PrincipalVanished']) = 0" {
            return Some(self.others == 0);
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

    /// What is known once what the edge assigns is done.
    fn after(&self, edge: &Edge<'_>) -> Self {
        let mut facts = self.clone();
        let vanished = match edge.by {
            By::Catch(n) => edge
                .from
                .catch
                .get(n)
                .is_some_and(|catch| catch.error_equals == ["PrincipalVanished"]),
            _ => false,
        };
        for (name, value) in edge.assign {
            let reads = format!("${name}");
            facts.held.retain(|condition, _| !condition.contains(&reads));
            match (name.as_str(), value) {
                ("rounds", Value::Number(number)) => facts.rounds = number.as_u64().unwrap(),
                ("rounds", value) => {
                    assert_eq!(value, "{% $rounds + 1 %}");
                    facts.rounds += 1;
                }
                ("failures", Value::Array(values)) => {
                    facts.failures = values.len() as u64;
                    facts.others = facts.failures;
                }
                // The walk has counted the branches that failed.
                ("failures", value) if value == "{% [$failures, $states.result.failure] %}" => {}
                ("failures", value) => {
                    assert!(value.as_str().unwrap().starts_with("{% [$failures, {"), "{value}");
                    facts.failures += 1;
                    facts.others += u64::from(!vanished);
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
        let taken: Vec<(Option<By>, Facts)> = if state.kind == Kind::Choice {
            let ways = choices(state, &facts, 0).into_iter();
            ways.map(|(by, _, facts)| (by, facts)).collect()
        } else {
            state.edges().iter().map(|edge| (Some(edge.by), facts.clone())).collect()
        };
        if taken.iter().all(|(by, _)| by.is_none()) {
            ways.push(way.clone());
        }
        for (by, facts) in taken {
            let Some(edge) = state.edges().into_iter().find(|edge| Some(edge.by) == by) else {
                continue;
            };
            let mut further: Vec<&'a State> = way.clone();
            further.push(scope.state(edge.to));
            open.push((further, facts.after(&edge)));
        }
    }
    ways
}
