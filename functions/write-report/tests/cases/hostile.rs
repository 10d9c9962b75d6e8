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
    let lines = mail.lines().filter_map(|line| line.strip_prefix("     aws "));
    let lines: Vec<String> = lines.map(|line| format!("aws {line}")).collect();
    let stub = "aws() { printf '%s\\0' \"$@\"; printf '\\n\\0'; }";
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

#[test]
fn pasted_commands_hand_on_the_very_names() {
    let names = ["it's", "$(id>&2)", "`id>&2`", "a\"b\\", "'; id>&2; '", "*"];
    let mut input = Case::named("failed-after-the-deny").input;
    input["outcomes"][0]["principal"]["name"] = json!("-o'$(id)");
    input["outcomes"][0]["readBack"]["left"]["inlinePolicies"]["first"] = json!(names);
    let commands = pasted(&mail(&report(&input)));
    let deletes = |name: &str| {
        let region = ["--region", "us-east-1"];
        let begin = ["iam", "delete-user-policy"].into_iter().chain(region);
        let own = ["--user-name=-o'$(id)", "--policy-name", name];
        begin.chain(own).map(str::to_owned).collect::<Vec<_>>()
    };
    for name in names {
        assert!(commands.contains(&deletes(name)), "{name}: {commands:?}");
    }
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
