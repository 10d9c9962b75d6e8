use serde_json::{Value, json};

use crate::case::{Case, judged};
use crate::limits;

#[test]
fn any_damaged_field_leads_to_a_verdict() {
    for case in Case::all() {
        for pointer in pointers(&case.event) {
            for damage in damages() {
                let mut event = case.event.clone();
                damage.apply(&mut event, &pointer);
                let verdict = judged(&case.execution, &event, &case.policy);
                limits::hold(&case.execution, &event, &verdict);
            }
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
    fn apply(&self, event: &mut Value, pointer: &str) {
        match self {
            Self::Replaced(value) => *event.pointer_mut(pointer).unwrap() = value.clone(),
            Self::Removed => {
                let (parent, field) = pointer.rsplit_once('/').unwrap();
                match event.pointer_mut(parent).unwrap() {
                    Value::Object(fields) => drop(fields.remove(&unescaped(field))),
                    Value::Array(items) => drop(items.remove(field.parse().unwrap())),
                    _ => unreachable!("only objects and lists have fields"),
                }
            }
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
