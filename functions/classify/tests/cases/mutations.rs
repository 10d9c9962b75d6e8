use std::num::NonZero;
use std::thread;

use serde_json::{Value, json};

use crate::case::{Case, judged};
use crate::limits;

#[test]
fn any_damaged_field_leads_to_a_verdict() {
    let cases = Case::all();
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for cases in cases.chunks(cases.len().div_ceil(threads)) {
            scope.spawn(move || cases.iter().for_each(damage_each_field));
        }
    });
}

fn damage_each_field(case: &Case) {
    let mut event = case.event.clone();
    for pointer in pointers(&case.event) {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let _named = Named { case: &case.name, pointer: &pointer };
        for damage in damages() {
            let sound = event.pointer(parent).unwrap().clone();
            damage.apply(event.pointer_mut(parent).unwrap(), &unescaped(field));
            let verdict = judged(&case.execution, &event, &case.policy);
            limits::hold(&case.execution, &event, &verdict);
            *event.pointer_mut(parent).unwrap() = sound;
        }
    }
}

/// Says where it happened, should a check fail.
struct Named<'a> {
    case: &'a str,
    pointer: &'a str,
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("with `{}` of the case `{}` damaged", self.pointer, self.case);
        }
    }
}

enum Damage {
    Removed,
    Replaced(Value),
}

fn damages() -> Vec<Damage> {
    let values = [
        Value::Null,
        json!(7),
        json!(true),
        json!(""),
        json!([]),
        json!({}),
        json!("x".repeat(10_000)),
    ];
    values.into_iter().map(Damage::Replaced).chain([Damage::Removed]).collect()
}

impl Damage {
    fn apply(self, parent: &mut Value, field: &str) {
        match (self, parent) {
            (Self::Replaced(value), Value::Object(fields)) => {
                fields.insert(field.to_owned(), value);
            }
            (Self::Removed, Value::Object(fields)) => {
                fields.remove(field);
            }
            (Self::Replaced(value), Value::Array(items)) => {
                items[field.parse::<usize>().unwrap()] = value;
            }
            (Self::Removed, Value::Array(items)) => {
                items.remove(field.parse().unwrap());
            }
            _ => unreachable!("only objects and lists have fields"),
        }
    }
}

/// The JSON pointers to everything in `value`, but for itself. Of a long list of alike
/// elements, those to the first are enough.
fn pointers(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (escaped(name), value)).collect()
        }
        Value::Array(items) => {
            items.iter().take(3).enumerate().map(|(at, item)| (at.to_string(), item)).collect()
        }
        _ => Vec::new(),
    };
    let under = |(name, child): (String, &Value)| {
        let below = pointers(child).into_iter().map(|pointer| format!("/{name}{pointer}"));
        [format!("/{name}")].into_iter().chain(below).collect::<Vec<_>>()
    };
    children.into_iter().flat_map(under).collect()
}

/// Source: RFC 6901, section 3.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}
