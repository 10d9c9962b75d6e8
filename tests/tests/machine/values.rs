use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use harness::place::{files_below, repository};
use serde_json::{Map, Value};

use crate::graph::{By, Scope, State};

/// What the name of a field that carries a credential would contain.
const SECRETS: [&str; 4] = ["secret", "token", "password", "credentials"];

/// The variables that an expression reads: neither functions, nor what it names itself.
fn reads(expression: &str) -> BTreeSet<String> {
    let mut read = BTreeSet::new();
    let mut own = BTreeSet::from(["states".to_owned()]);
    for (at, _) in expression.match_indices('$') {
        let rest = expression.get(at + 1..).unwrap_or_default();
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let parameter = expression
            .get(..at)
            .and_then(|before| before.rsplit_once("function("))
            .is_some_and(|(_, list)| !list.contains(')'));
        if parameter || after.starts_with(" := ") {
            own.insert(name.to_owned());
        } else if !name.is_empty() && !after.starts_with('(') {
            read.insert(name.to_owned());
        }
    }
    read.retain(|name| !own.contains(name));
    read
}

/// What is surely assigned when each state of the scope is entered.
fn assigned_before<'a>(
    scope: &'a Scope,
    outer: &BTreeSet<&'a str>,
) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut before = BTreeMap::from([(scope.start_at.as_str(), outer.clone())]);
    let mut open = vec![scope.start_at.as_str()];
    while let Some(name) = open.pop() {
        for edge in scope.state(name).edges() {
            let mut then = before[name].clone();
            then.extend(edge.assign.keys().map(String::as_str));
            // Entered in several ways: what all of them have assigned.
            let known = before.get(edge.to);
            let both = known.map_or_else(|| then.clone(), |known| known & &then);
            if known != Some(&both) {
                before.insert(edge.to, both);
                open.push(edge.to);
            }
        }
    }
    before
}

fn assigns(state: &State) -> Vec<&Map<String, Value>> {
    let rules = state.choices.iter().map(|rule| &rule.assign);
    let catches = state.catch.iter().map(|catch| &catch.assign);
    rules.chain(catches).chain([&state.assign]).collect()
}

fn assigned_in(scope: &Scope) -> BTreeSet<&str> {
    let names = scope.states.values().flat_map(assigns).flat_map(Map::keys);
    names.map(String::as_str).collect()
}

fn check(scope: &Scope, outer: &BTreeSet<&str>) {
    let before = assigned_before(scope, outer);
    let own = assigned_in(scope);
    for state in scope.states.values() {
        let known = &before[state.name.as_str()];
        for expression in state.expressions() {
            for name in reads(expression) {
                let name = name.as_str();
                assert!(
                    known.contains(name),
                    "`{}` may read `${name}` before it is set",
                    state.name
                );
            }
        }
        for inner in state.inner() {
            let inner_own = assigned_in(inner);
            let twice: Vec<_> = own.intersection(&inner_own).collect();
            assert!(twice.is_empty(), "{twice:?} would hide an outer variable");
            check(inner, known);
        }
    }
}

#[test]
fn every_variable_is_set_before_it_is_read_and_hides_no_other() {
    check(&Scope::machine(), &BTreeSet::new());
}

#[test]
fn every_variable_is_read_somewhere() {
    let machine = Scope::machine();
    let states = machine.all();
    let expressions = states.iter().flat_map(|state| state.expressions());
    let read: BTreeSet<String> = expressions.flat_map(reads).collect();
    for name in machine.scopes().into_iter().flat_map(assigned_in) {
        assert!(read.contains(name), "nobody reads `${name}`");
    }
}

#[test]
fn a_variable_is_read_unless_the_expression_names_it_itself() {
    for (expression, expected) in [
        ("{% $a.b[c = $d] & $e %}", ["a", "d", "e"].as_slice()),
        ("{% $count($a) + $states.input.b %}", &["a"]),
        ("{% ($m := $a; $m & '${Name}') %}", &["a"]),
        ("{% $map($a, function($x, $y) { $x.b & $c }) %}", &["a", "c"]),
    ] {
        assert!(reads(expression).iter().eq(expected), "{expression}");
    }
}

#[test]
fn what_is_caught_is_kept() {
    for scope in Scope::machine().scopes() {
        for edge in scope.edges() {
            // A cause that nobody keeps is one that nobody is told.
            if matches!(edge.by, By::Catch(_)) {
                let output = edge.from.catch.iter().any(|catch| !catch.output.is_null());
                assert!(!edge.assign.is_empty() || output, "{edge} forgets the error");
            }
        }
    }
}

#[test]
fn no_step_has_a_credential_in_what_it_returns() {
    let mut outputs = 0;
    for file in files_below(&repository().join("functions"), &["target", "cases", "tests"]).unwrap()
    {
        if file.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        for (name, field, kind) in fields_that_are_written(&fs::read_to_string(&file).unwrap()) {
            outputs += 1;
            let suspicious = SECRETS.iter().any(|secret| field.contains(secret));
            let harmless = match field.as_str() {
                // Of a password when it was used last.
                "password_last_used" => kind == "Option<String>",
                // The ids, kinds and dates of credentials, and how many there are.
                "credentials" => {
                    ["Vec<Used>", "Vec<Credential>", "Names<Credential>"].contains(&kind.as_str())
                }
                _ => matches!(kind.as_str(), "bool" | "usize" | "Option<Severity>"),
            };
            assert!(!suspicious || harmless, "`{name}` has the field `{field}: {kind}`");
        }
    }
    assert!(outputs > 80, "only {outputs} fields were found");
}

/// The fields of each type of the source file that is serialized: type, field, its type.
fn fields_that_are_written(source: &str) -> Vec<(String, String, String)> {
    let mut fields = Vec::new();
    for item in source.split("#[derive(").skip(1) {
        let (derived, rest) = item.split_once(")]").unwrap();
        let Some((_, body)) = rest.split_once("struct ") else { continue };
        let head = rest.lines().find(|line| line.contains("struct ") || line.contains("enum "));
        if !derived.contains("Serialize") || head.is_none_or(|head| !head.ends_with('{')) {
            continue;
        }
        let name = body.split([' ', '<', '(', '{']).next().unwrap_or_default();
        for line in body.lines().skip(1).take_while(|line| *line != "}") {
            let line = line.trim().trim_end_matches(',');
            let Some((field, kind)) = line.split_once(": ") else { continue };
            if line.starts_with("//") || line.starts_with('#') {
                continue;
            }
            let field = field.rsplit(' ').next().unwrap_or_default();
            fields.push((name.to_owned(), field.to_owned(), kind.to_owned()));
        }
    }
    fields
}

#[test]
fn the_machine_hands_on_no_credential() {
    for state in Scope::machine().all() {
        for expression in state.expressions() {
            // What people read is no data.
            let code: String = expression.split('\'').step_by(2).collect();
            let code = code.to_lowercase();
            for secret in ["secret", "token", "$states.result.credentials", "payload.credentials"] {
                assert!(!code.contains(secret), "`{}`: {expression}", state.name);
            }
        }
    }
}
