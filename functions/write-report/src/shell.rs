use incident::is_plain;
use serde_json::Value;

use crate::facts::capitalized;

/// A command, of the AWS CLI or of Cordon's own, that a person may paste into a POSIX shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    text: String,
    /// Whether each of its arguments is one that a person may trust a terminal with.
    is_plain: bool,
}

impl Command {
    /// `aws <operation> --region <region>`; `operation` is ours.
    pub(crate) fn aws(operation: &str, region: &str) -> Self {
        let command = Self { text: format!("aws {operation}"), is_plain: true };
        let is_region = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if is_region && !region.starts_with('-') {
            command.flag("--region").flag(region)
        } else {
            command.with("--region", region)
        }
    }

    /// `make <target>` with the configuration as the README calls it; `target` is ours.
    pub(crate) fn make(target: &str) -> Self {
        Self { text: format!("make {target} CONFIG=cordon.json"), is_plain: true }
    }

    /// With a variable of ours and anybody's value, in which `make` would expand a `$`.
    pub(crate) fn set(mut self, variable: &str, value: &str) -> Self {
        self.text = format!("{} {variable}={}", self.text, quoted(value));
        self.is_plain &= is_plain(value) && !value.contains('$');
        self
    }

    /// With an option of ours and anybody's value.
    pub(crate) fn with(mut self, option: &str, value: &str) -> Self {
        // The CLI would take a value with a dash in front for an option.
        let joint = if value.starts_with('-') { '=' } else { ' ' };
        self.text = format!("{} {option}{joint}{}", self.text, quoted(value));
        self.is_plain &= is_plain(value);
        self
    }

    /// With anybody's value, which does not begin with a dash.
    pub(crate) fn and(mut self, value: &str) -> Self {
        self.text = format!("{} {}", self.text, quoted(value));
        self.is_plain &= is_plain(value) && !value.starts_with('-');
        self
    }

    /// With an option of ours and JSON of anybody's texts, in ASCII.
    pub(crate) fn with_json(self, option: &str, value: &Value) -> Self {
        self.with(option, &in_ascii(value))
    }

    /// `aws <operation>` with options of ours and anybody's values, each handed on byte for
    /// byte: where one holds what a terminal would not show, or not hand on as it is, all stand
    /// in one JSON, in which each such character is escaped.
    ///
    /// Source: AWS CLI User Guide, "AWS CLI skeletons and input files" (`--cli-input-json`).
    pub(crate) fn exact(operation: &str, region: &str, options: &[(&str, &str)]) -> Self {
        let command = Self::aws(operation, region);
        let is_shown = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if options.iter().all(|(_, value)| is_shown(value)) {
            return options
                .iter()
                .fold(command, |command, (option, value)| command.with(option, value));
        }
        let members = options.iter().map(|(option, value)| (member(option), Value::from(*value)));
        command.with_json("--cli-input-json", &Value::Object(members.collect()))
    }

    /// With a flag of ours.
    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.text = format!("{} {flag}", self.text);
        self
    }

    /// The line; none, where an argument holds what a terminal would not show as it is.
    pub(crate) fn line(&self) -> Option<&str> {
        self.is_plain.then_some(&self.text)
    }
}

/// An option as the API calls the member of its request: `--user-name`, `UserName`.
fn member(option: &str) -> String {
    let words = option.split('-').map(capitalized);
    words.collect()
}

/// JSON of printable ASCII alone, which says the same.
///
/// Source: RFC 8259, 7.
fn in_ascii(value: &Value) -> String {
    let mut units = [0; 2];
    let mut text = String::new();
    for c in value.to_string().chars() {
        if (' '..='~').contains(&c) {
            text.push(c);
            continue;
        }
        text.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
    }
    text
}

/// `value` as one word of a POSIX shell: in single quotes nothing is special but the quote
/// itself.
///
/// Source: POSIX.1-2017, Shell Command Language, 2.2.2.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command as Process, Stdio};

    use super::*;

    /// What a program `aws` gets for arguments, if `sh` runs the line.
    fn arguments(line: &str) -> Vec<String> {
        let mut shell =
            Process::new("sh").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let script = format!("aws() {{ printf '%s\\n' \"$@\"; }}\n{line}\n");
        shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = shell.wait_with_output().unwrap();
        assert!(output.status.success(), "{line}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_shell_hands_on_the_very_arguments() {
        for name in [
            "bob",
            "it's",
            "'; rm -rf /; '",
            "$(id)",
            "`id`",
            "a b  c",
            "\\",
            "\\'",
            "!!",
            "*",
            "~",
            "é😀",
            "\"",
            "",
            "#",
            "x=y,z",
        ] {
            let command = Command::aws("iam get-user", "us-east-1").with("--user-name", name);
            let line = command.line().unwrap();
            let expected = ["iam", "get-user", "--region", "us-east-1", "--user-name", name];
            assert_eq!(arguments(line), expected, "{line}");
        }
        let dashed = Command::aws("iam get-user", "us-east-1").with("--user-name", "--x'");
        assert_eq!(arguments(dashed.line().unwrap()).last().unwrap(), "--user-name=--x'");
    }

    /// The documents that are worst to carry: each reaches the program as it was written.
    #[test]
    fn a_document_is_handed_on_byte_for_byte() {
        for document in [
            "{}",
            "{ \"Sid\": \"it's\" }",
            "\n{\r\n\t\"Sid\": \"`id` $(id)\"\n}\n\n",
            "{\"Sid\": \"\u{e9}\u{a0}\u{85}\u{7f}\u{1f600}\u{202e}\\u00e9\\n\"}  ",
            "\u{0}\\'\\",
        ] {
            let options = [("--user-name", "b'ob"), ("--policy-document", document)];
            let command = Command::exact("iam put-user-policy", "us-east-1", &options);
            let line = command.line().unwrap();
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
            let given = arguments(line);
            let (begin, own) = given.split_at(4);
            assert_eq!(begin, ["iam", "put-user-policy", "--region", "us-east-1"]);
            let [name, carried] = match own {
                [_, name, _, document] => [name.clone(), document.clone()],
                [option, json] => {
                    assert_eq!(option, "--cli-input-json");
                    let all: Value = serde_json::from_str(json).unwrap();
                    ["UserName", "PolicyDocument"].map(|it| all[it].as_str().unwrap().to_owned())
                }
                _ => panic!("{own:?}"),
            };
            assert_eq!([name.as_str(), carried.as_str()], ["b'ob", document]);
        }
    }

    #[test]
    fn no_value_is_expanded_by_make() {
        let command = Command::make("restore").set("EXECUTION", "it's");
        assert_eq!(command.line(), Some(r"make restore CONFIG=cordon.json EXECUTION='it'\''s'"));
        assert_eq!(Command::make("restore").set("ACCEPT", "$(shell id)").line(), None);
    }

    #[test]
    fn what_a_terminal_would_not_show_is_in_no_command() {
        for name in ["a\nb", "\u{1b}[2K", "a\rb", "a\u{202e}b", "\u{0}", "a\u{85}b"] {
            let command = Command::aws("iam get-user", "us-east-1").with("--user-name", name);
            assert_eq!(command.line(), None, "{name:?}");
        }
    }
}
