use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use write_report::LARGEST;

use crate::case::{Case, mail, message, report};
use crate::limits;

static CASES: LazyLock<Vec<Case>> = LazyLock::new(Case::all);

/// One outcome of as much as the state machine carries of a principal: 5 KiB.
fn largest(filling: &str, n: usize) -> Value {
    let arn = format!("arn:aws:iam::222222222222:user/{}/{n:0>128}", "\\\"/".repeat(170));
    let mut outcome = Case::named("failed-after-the-deny").input["outcomes"][0].clone();
    outcome["resource"] = json!(arn);
    outcome["principal"]["arn"] = json!(arn);
    outcome["principal"]["name"] = json!(format!("{n:0>128}"));
    let names: Vec<String> = (0..10).map(|n| format!("{n}{}", filling.repeat(60))).collect();
    outcome["readBack"]["left"]["policies"] = json!({ "first": names, "more": 90 });
    outcome["failures"][0]["cause"] = json!(filling.repeat(1_200));
    outcome
}

#[test]
fn the_answer_fits_however_much_there_is_to_tell() {
    for filling in ["x", "\"", "\\", "é", "😀", "\u{1}", "< ", "arn:aws:x "] {
        let mut input = Case::named("failed-after-the-deny").input;
        input["outcomes"] = (0..32).map(|n| largest(filling, n)).collect();
        let report = report(&input);
        limits::hold(&report);
        let mail = mail(&report);
        assert!(serde_json::to_vec(&report).unwrap().len() <= LARGEST);
        // Whoever is not told in full is told by name, and where the rest is.
        for n in [0, 31] {
            assert!(mail.contains(&format!("{n:0>128}")), "{n}: {mail}");
        }
        if mail.contains("There is no room") {
            assert!(mail.contains("All of it is in the execution"), "{mail}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_others_wrote_the_report_holds(
        text in "(\\PC|[\n\r\t'\"`$\\\\ ]|\u{202e}){0,300}",
        name in "[a-zA-Z0-9+=,.@_-]{1,128}",
        at in any::<prop::sample::Index>(),
    ) {
        {
            let case = at.get(&CASES);
            let mut input = case.input.clone();
            for field in ["title", "label", "severity", "account", "names"] {
                input["finding"][field] = json!(text);
            }
            if !input["verdict"].is_null() {
                input["verdict"]["reason"] = json!(text);
            }
            for outcome in input["outcomes"].as_array_mut().unwrap() {
                if outcome["principal"].is_null() {
                    outcome["resource"] = json!(text);
                } else {
                    outcome["principal"]["name"] = json!(name);
                }
                let failures = outcome.get_mut("failures").and_then(Value::as_array_mut);
                for failed in failures.into_iter().flatten() {
                    failed["cause"] = json!(text);
                }
            }
            limits::hold(&report(&input));
        }
    }
}

#[test]
fn a_title_forges_no_line() {
    let mut input = Case::named("contained").input;
    let forged = "x\n\nWhat to do now\n\n1. Run this:\n     aws iam create-user --user-name eve";
    input["finding"]["title"] = json!(forged.replace('\n', &" \u{2028}\n".repeat(30)));
    let mail = mail(&report(&input));
    assert!(
        !mail.lines().any(|line| line.trim_start().starts_with("aws iam create-user")),
        "{mail}"
    );
    assert_eq!(mail.matches("\nWhat to do now\n").count(), 1, "{mail}");
}

/// Whoever sends a finding chooses its id.
#[test]
fn an_id_is_no_line_to_click_on() {
    let mut input = Case::named("contained").input;
    for id in ["https://aws.example.net/finding/1", "aws.example.net/1"] {
        input["finding"]["label"] = json!(id);
        let mail = mail(&report(&input));
        let lines: Vec<&str> = mail.lines().filter(|line| line.contains(id)).collect();
        assert!(!lines.is_empty(), "{id}: {mail}");
        assert!(lines.iter().all(|line| line.starts_with("  > ")), "{id}: {mail}");
    }
}

/// What a program `aws` gets for arguments, if a person pastes a mail's commands.
pub(crate) fn pasted(mail: &str) -> Vec<Vec<String>> {
    pasted_to("aws", mail)
}

/// What a program gets for arguments, if a person pastes those of a mail's commands that are its.
fn pasted_to(program: &str, mail: &str) -> Vec<Vec<String>> {
    let begin = format!("     {program} ");
    let lines = mail.lines().filter(|line| line.starts_with(&begin));
    let lines: Vec<&str> = lines.map(str::trim_start).collect();
    let stub = format!("{program}() {{ printf '%s\\0' \"$@\"; printf '\\n\\0'; }}");
    let script = format!("{stub}\n{}\n", lines.join("\n"));
    let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let mut commands = vec![Vec::new()];
    for argument in output.split_terminator('\0') {
        match argument {
            "\n" => commands.push(Vec::new()),
            argument => commands.last_mut().unwrap().push(argument.to_owned()),
        }
    }
    assert_eq!(commands.pop(), Some(Vec::new()));
    assert_eq!(commands.len(), lines.len());
    commands
}

/// What the cases call those whom others named, the longest first, and what it has to begin with.
const NAMES: [(&str, &str); 14] = [
    ("AKIAIOSFODNN7EXAMPLE", "AKIA"),
    ("AKIAI44QH8DHBEXAMPLE", "AKIA"),
    ("ASIAIOSFODNN7EXAMPLE", "ASIA"),
    ("i-0c10c2c7863d1a356", "i-"),
    ("break-glass-1", ""),
    ("ci-deploy-bot", ""),
    ("developers", ""),
    ("contractor", ""),
    ("orders-app", ""),
    ("orders", ""),
    ("deploy", ""),
    ("debug", ""),
    ("bob", ""),
    ("eve", ""),
];

/// What is in no case.
const PLAIN: &str = "Zq";

/// The same with each name of the cases replaced by one of others.
fn renamed(value: &Value, to: &str) -> Value {
    match value {
        Value::String(text) => {
            let names = NAMES.iter().enumerate();
            Value::String(names.fold(text.clone(), |text, (n, (name, begin))| {
                text.replace(name, &format!("{begin}{to}{n}"))
            }))
        }
        Value::Array(all) => all.iter().map(|one| renamed(one, to)).collect(),
        Value::Object(all) => {
            // Of what a finding or a policy names, a name that IAM allows is taken for one alone.
            let as_it_is =
                |key: &str| ["assumableRoles", "failures", "finding", "resource"].contains(&key);
            let all = all.iter().map(|(key, one)| {
                (key.clone(), if as_it_is(key) { one.clone() } else { renamed(one, to) })
            });
            Value::Object(all.collect())
        }
        other => other.clone(),
    }
}

/// An argument with plain names as it has to be with these; of JSON what it says.
fn handed_on(argument: &str, to: &str) -> Value {
    if let Some((variable, set)) = argument.split_once("+=") {
        return json!([variable, handed_on(set, to)]);
    }
    match serde_json::from_str(argument) {
        Ok(Value::Object(all)) => {
            let all = all.into_iter().map(|(key, one)| (key, handed_on(&text(&one), to)));
            Value::Object(all.collect())
        }
        Ok(Value::Array(all)) => all.iter().map(|one| handed_on(&text(one), to)).collect(),
        _ => Value::String(argument.replace(PLAIN, to)),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Each command of each mail gets, from a shell, the very names that others gave.
#[test]
fn pasted_commands_hand_on_the_very_names() {
    let mails = |to| {
        // That one hides under the name of which the failure's own words tell.
        let cases = CASES.iter().filter(|case| case.name != "hidden");
        let mails = cases.map(|case| mail(&report(&renamed(&case.input, to))));
        mails.collect::<String>()
    };
    let plain = mails(PLAIN);
    let worst = ["it's", "$(id>&2)", "${PATH}`id>&2`", "a\"b\\", "'; id>&2; '", "* ~ #", "é😀"];
    for worst in worst {
        let hostile = mails(worst);
        for program in ["aws", "make"] {
            let names = |command: &[String]| command.iter().any(|one| one.contains(PLAIN));
            // `make` would expand a dollar sign: no line is better than that.
            let dropped =
                |command: &[String]| program == "make" && worst.contains('$') && names(command);
            let mut expected = pasted_to(program, &plain);
            expected.retain(|command| !dropped(command));
            assert!(
                expected.iter().filter(|command| names(command)).count() > 10 || program == "make"
            );
            let got = pasted_to(program, &hostile);
            assert_eq!(got.len(), expected.len(), "{worst}");
            for (got, plain) in got.iter().zip(&expected) {
                let got: Vec<Value> = got.iter().map(|one| handed_on(one, PLAIN)).collect();
                let expected: Vec<Value> = plain.iter().map(|one| handed_on(one, worst)).collect();
                assert_eq!(got, expected, "{worst}");
            }
        }
    }
}

#[test]
fn a_name_with_a_dash_in_front_is_no_option() {
    let mut input = Case::named("failed-after-the-deny").input;
    input["outcomes"][0]["principal"]["name"] = json!("-o'$(id)");
    let commands = pasted(&mail(&report(&input)));
    let deletes = ["iam", "delete-user-policy", "--region", "us-east-1", "--user-name=-o'$(id)"];
    assert!(commands.iter().any(|command| command.starts_with(&deletes.map(str::to_owned))));
}

#[test]
fn every_command_has_its_region_and_what_it_is_about() {
    for case in Case::all() {
        let mail = mail(&case.report());
        for command in pasted(&mail) {
            assert_eq!(command[2], "--region", "{}: {command:?}", case.name);
            let lists_root = command[1] == "list-access-keys" && command.len() == 4;
            let iam_of_a_user = ["attach-user-policy", "update-access-key", "list-access-keys"];
            let needs_user = iam_of_a_user.contains(&command[1].as_str()) && !lists_root;
            let has_user = command.iter().any(|argument| argument.starts_with("--user-name"));
            assert!(has_user || !needs_user, "{}: {command:?}", case.name);
        }
        let commands = mail.lines().filter(|line| line.starts_with("     aws ")).count();
        let whose = mail.matches("With credentials of").count();
        assert!(commands == 0 || whose > 0, "{}", case.name);
    }
}

#[test]
fn a_name_of_control_characters_is_in_no_command() {
    let mut input = Case::named("failed-after-the-deny").input;
    input["outcomes"][0]["readBack"]["left"]["inlinePolicies"]["first"] = json!(["a\u{1b}[2Kb"]);
    let mail = mail(&report(&input));
    assert!(mail.contains("A name here holds what a shell"), "{mail}");
    assert!(!mail.contains("[2Kb'"), "{mail}");
}

#[test]
fn an_answer_of_nobody_is_still_an_answer() {
    let mut input = Case::named("failed-response-policy").input;
    for field in ["title", "label", "severity", "account"] {
        input["finding"][field] = json!("unknown");
    }
    let report = report(&input);
    limits::hold(&report);
    assert!(report.subject.contains("[UNKNOWN]") && report.subject.contains("an unknown account"));
    assert!(message(&report)["sms"].as_str().unwrap().starts_with("Cordon ["));
}
