//! Which roles a policy lets its principal assume. Sessions of such roles outlive the
//! principal's own containment, so people have to know of them.

use incident::matches_pattern;
use serde_json::Value;

/// The `Resource` patterns of the document's statements that allow `sts:AssumeRole`.
/// Conditions and denies are not weighed: it is a list to look into, not a verdict.
pub(crate) fn roles(document: &str) -> Vec<String> {
    let Ok(document) = serde_json::from_str::<Value>(document) else {
        return Vec::new();
    };
    each(document.get("Statement"))
        .filter(|statement| statement.get("Effect").and_then(Value::as_str) == Some("Allow"))
        .filter(|statement| allows(statement))
        .flat_map(|statement| match statement.get("Resource") {
            Some(resources) => {
                each(Some(resources)).filter_map(Value::as_str).map(str::to_owned).collect()
            }
            None => vec!["*".to_owned()],
        })
        .collect()
}

fn allows(statement: &Value) -> bool {
    let names = |key| {
        each(statement.get(key))
            .filter_map(Value::as_str)
            .any(|action| matches_pattern(action, "sts:AssumeRole"))
    };
    match statement.get("Action") {
        Some(_) => names("Action"),
        None => !names("NotAction"),
    }
}

/// IAM takes one of a thing for a list of one.
fn each(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    match value {
        Some(Value::Array(values)) => values.iter(),
        Some(one) => std::slice::from_ref(one).iter(),
        None => [].iter(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roles_are_those_of_allowing_statements() {
        let document = r#"{"Statement": [
            {"Effect": "Allow", "Action": ["s3:*", "STS:assume*"], "Resource": ["arn:aws:iam::222222222222:role/a", "arn:aws:iam::*:role/b"]},
            {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:iam::222222222222:role/no"},
            {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"},
            {"Effect": "Allow", "NotAction": "sts:*", "Resource": "arn:aws:iam::222222222222:role/no"}]}"#;
        assert_eq!(
            roles(document),
            ["arn:aws:iam::222222222222:role/a", "arn:aws:iam::*:role/b", "*"]
        );
        assert_eq!(
            roles(r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#),
            ["*"]
        );
        assert!(roles("no policy").is_empty());
    }
}
