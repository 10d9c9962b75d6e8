use serde_json::Value;
use write_report::{LARGEST, Report};

use crate::case::message;

/// What holds of every report, whatever it tells.
pub(crate) fn hold(report: &Report) {
    let size = serde_json::to_vec(report).unwrap().len();
    assert!(size <= LARGEST, "{size} bytes");
    let message = message(report);
    copies(&report.subject, report.verdict, &message);
    let note = &report.note;
    assert!(note.chars().count() <= 512 && !note.contains(char::is_control), "{note}");
    assert!(note.contains("Execution ") && note.ends_with('.'), "{note}");
    assert!(!note.contains("RESOLVED"), "{note}");
    assert!(report.fields.len() <= 50);
}

/// What holds of every message, whatever it tells.
pub(crate) fn copies(subject: &str, verdict: &str, message: &Value) {
    let text = |protocol: &str| message[protocol].as_str().unwrap();
    assert_eq!(text("default"), text("email"));
    self::subject(subject);
    mail(text("email"));
    let sms = text("sms");
    assert!(sms.is_ascii() && sms.len() <= 140 && !sms.contains('\n'), "{sms}");
    assert!(sms.contains(subject), "{sms}");
    for protocol in ["https", "sqs", "lambda"] {
        document(&serde_json::from_str(text(protocol)).unwrap(), verdict);
    }
}

fn subject(subject: &str) {
    let printable = subject.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    assert!(printable && subject.len() < 100, "{subject} ({})", subject.len());
    assert!(subject.starts_with('[') && subject.ends_with(')'), "{subject}");
}

/// Prose within its width; what a person copies alone on its line, and whole.
pub(crate) fn mail(text: &str) {
    assert!(!text.contains("\n\n\n") && !text.contains(|c: char| c.is_control() && c != '\n'));
    for line in text.lines() {
        assert_eq!(line.trim_end(), line, "{line:?}");
        let words: Vec<&str> = line.split_whitespace().collect();
        let quoted = words.first() == Some(&">");
        let content = &words[usize::from(quoted)..];
        let command = matches!(content.first(), Some(&("aws" | "make"))) && !quoted;
        let arn = content.iter().any(|word| word.contains("arn:aws"));
        if command {
            continue;
        }
        assert!(
            line.chars().count() <= 80 || content.len() == 1 || line.contains("s3://"),
            "{line}"
        );
        assert!(!arn || content.len() == 1, "an ARN is not alone: {line}");
    }
    let order = ["What to do now", "\nFinding\n", "\nExecution\n"];
    let at: Vec<_> = order.iter().map(|heading| text.find(heading).unwrap()).collect();
    assert!(at.is_sorted(), "{text}");
}

/// Source: Amazon Q Developer in chat applications, "Custom notifications".
fn document(document: &Value, verdict: &str) {
    assert_eq!((&document["version"], &document["source"]), (&"1.0".into(), &"custom".into()));
    let (content, metadata) = (&document["content"], &document["metadata"]);
    let length = |value: &Value| value.as_str().unwrap().chars().count();
    assert!((1..=250).contains(&length(&content["title"])));
    assert!((1..=8_000).contains(&length(&content["description"])));
    let steps = content["nextSteps"].as_array().unwrap();
    assert!((1..=10).contains(&steps.len()) && steps.iter().all(|step| length(step) <= 350));
    assert_eq!(metadata["eventType"], verdict);
    let facts = metadata["additionalContext"].as_object().unwrap();
    assert!(facts.values().all(Value::is_string), "{facts:?}");
    for field in ["verdict", "severity", "execution", "findingId"] {
        assert!(facts.contains_key(field), "{field}");
    }
}
