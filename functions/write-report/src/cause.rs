use incident::{Failed, one_line};

/// Characters of a service's own words that people are told.
const MOST: usize = 600;

/// What a failure's cause says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The call, as IAM names the action, where it was one.
    pub(crate) call: Option<String>,
    /// The words, of the service where it was one, on one line.
    pub(crate) words: String,
}

impl Said {
    /// Reads a cause: of a function, Lambda's JSON, which may be cut in the middle; of any
    /// other task, the service's text.
    pub(crate) fn of(failed: &Failed) -> Self {
        let message = message(&failed.cause);
        let words = one_line(&message, usize::MAX);
        match split_call(&words) {
            Some((call, rest)) => Self { call: Some(call.to_owned()), words: one_line(rest, MOST) },
            None => Self { call: None, words: one_line(&words, MOST) },
        }
    }
}

/// The value of `errorMessage`, as far as it is there; the whole cause, where it is none of
/// a function.
fn message(cause: &str) -> String {
    if let Ok(serde_json::Value::Object(of_lambda)) = serde_json::from_str(cause)
        && let Some(message) = of_lambda.get("errorMessage").and_then(|it| it.as_str())
    {
        return message.to_owned();
    }
    let begun = cause.trim_start().starts_with('{').then(|| cause.split_once("\"errorMessage\""));
    let Some(Some((_, rest))) = begun else { return cause.to_owned() };
    let Some(rest) = rest.trim_start().strip_prefix(':') else { return cause.to_owned() };
    let Some(rest) = rest.trim_start().strip_prefix('"') else { return cause.to_owned() };
    unescaped(rest)
}

/// A JSON string's text up to its end or to where it was cut.
fn unescaped(rest: &str) -> String {
    let mut text = String::new();
    let mut characters = rest.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => break,
            '\\' => match characters.next() {
                Some('u') => {
                    let digits: String = characters.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                    text.push(code.unwrap_or('?'));
                }
                Some('n' | 'r' | 't' | 'b' | 'f') => text.push(' '),
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    text
}

/// The call that a [`Failure`](incident::Failure) begins with, and what the service said.
fn split_call(words: &str) -> Option<(&str, &str)> {
    let (call, rest) = words.split_once(' ')?;
    let (service, action) = call.split_once(':')?;
    let is_service = service.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_action = action.bytes().all(|b| b.is_ascii_alphanumeric());
    if service.is_empty() || action.is_empty() || !is_service || !is_action {
        return None;
    }
    let said = [
        "is refused",
        "is throttled",
        "could not be served",
        "would exceed a quota",
        "names what does not exist",
        "is rejected",
    ];
    let rest = said.iter().find_map(|said| rest.strip_prefix(said))?;
    Some((call, rest.trim_start_matches(':').trim_start()))
}

#[cfg(test)]
mod tests {
    use incident::Failure;
    use serde_json::json;

    use super::*;

    fn said(cause: &str) -> Said {
        let [state, error] = ["Quarantine", "AccessDenied"].map(str::to_owned);
        Said::of(&Failed { state, error, cause: cause.to_owned() })
    }

    #[test]
    fn a_functions_failure_is_told_by_call_and_by_the_services_words() {
        let failure = Failure::AccessDenied {
            call: "iam:AttachUserPolicy",
            source: "AccessDenied: not \"authorized\" \\ here".into(),
        };
        let cause = json!({ "errorType": failure.name(), "errorMessage": failure.chain() });
        let whole = said(&cause.to_string());
        assert_eq!(whole.call.as_deref(), Some("iam:AttachUserPolicy"));
        assert_eq!(whole.words, "AccessDenied: not 'authorized' / here");
        // Cut anywhere, what is left of the words is what they begin with.
        let cause = cause.to_string();
        let begin = cause.find("AccessDenied: ").unwrap() + 1;
        for end in begin..cause.len() {
            let cut = said(cause.get(..end).unwrap());
            assert_eq!(cut.call, whole.call, "{cut:?}");
            assert!(whole.words.starts_with(&cut.words), "{cut:?}");
        }
    }

    #[test]
    fn a_tasks_failure_is_told_in_the_services_words() {
        let cause = "User: arn:aws:sts::1:x is not authorized to perform: ssm:GetParameter";
        assert_eq!(said(cause), Said { call: None, words: cause.to_owned() });
        for cause in ["", "{", "{\"errorMessage\"", "{\"errorMessage\":7}", "null", "[]"] {
            assert_eq!(said(cause).words, cause);
        }
        assert_eq!(said("{\"errorMessage\":\"a\\u000ab\\nc").words, "a b c");
    }
}
