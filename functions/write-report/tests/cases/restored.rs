use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use write_report::{Asked, LARGEST, Told, Written, write};

use crate::hostile::pasted;
use crate::limits;
use crate::restore::{fill, folders_of, input};

fn folders() -> Vec<PathBuf> {
    folders_of("restored")
}

fn case(name: &str) -> Value {
    input(&Path::new(env!("CARGO_MANIFEST_DIR")).join("restored").join(name))
}

fn told(input: &Value) -> Told {
    let asked: Asked = serde_json::from_value(input.clone()).unwrap();
    match write(&asked).unwrap() {
        Written::Told(told) => told,
        other => panic!("{other:?} tells of no restore"),
    }
}

/// What holds of all of them; the mail's text.
fn hold(told: &Told) -> String {
    let size = serde_json::to_vec(told).unwrap().len();
    assert!(size <= LARGEST, "{size} bytes");
    let message: Value = serde_json::from_str(&told.message).unwrap();
    limits::copies(&told.subject, told.verdict, &message);
    assert_eq!(message["email"], told.text);
    assert!(told.note.chars().count() <= 512 && !told.note.contains(char::is_control));
    told.text.clone()
}

#[test]
fn every_restore_has_its_mail() {
    let bless = std::env::var_os("BLESS").is_some();
    for folder in folders() {
        let told = told(&input(&folder));
        let mail = format!("Subject: {}\nNote: {}\n\n{}", told.subject, told.note, hold(&told));
        if bless {
            fs::write(folder.join("email.txt"), &mail).unwrap();
        }
        let text = |file| fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(mail, text("email.txt"), "{}", text("about.txt"));
    }
}

#[test]
fn the_readme_names_every_restore_and_its_verdict() {
    let readme = include_str!("../../README.md");
    for folder in folders() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let about = fs::read_to_string(folder.join("about.txt")).unwrap();
        let row = format!(
            "| `{}` | `restored/{name}` | {} |",
            told(&input(&folder)).verdict,
            about.trim()
        );
        assert!(readme.contains(&row), "no row has {row}");
    }
}

/// What people read first, by how far it had come.
#[test]
fn a_failure_never_says_less_than_may_have_been_done() {
    let mut failed = case("under-the-deny");
    for (begun, says, never) in [
        (json!(null), "nothing was changed", "Some may"),
        (json!("giveBack"), "The deny was not lifted", "nothing was changed"),
        (json!("setStatuses"), "The deny was not lifted", "nothing was changed"),
        (json!("liftDeny"), "the deny may be lifted", "was not touched"),
        (json!("denyAgain"), "the deny was put back", "was not touched"),
        (json!("removeTag"), "no deny of ours stands", "was not touched"),
        (json!("close"), "no deny of ours stands", "was not touched"),
    ] {
        failed["restoreFailure"]["begun"] = begun.clone();
        let text = told(&failed).text;
        let first = text.split("\n\n").next().unwrap().replace('\n', " ");
        assert!(first.contains(says) && !first.contains(never), "{begun}: {first}");
    }
}

/// What changes nothing by a redrive is planned anew; all else goes on where it was.
#[test]
fn whoever_is_told_of_a_failure_has_the_command_that_goes_on() {
    for folder in folders() {
        let input = input(&folder);
        let Some(failed) = input.get("restoreFailure") else { continue };
        let text = told(&input).text;
        let commands: BTreeSet<&str> = text.lines().map(str::trim).collect();
        let execution = failed["execution"].as_str().unwrap();
        let redrives = commands.iter().any(|line| {
            line.starts_with("aws stepfunctions redrive-execution") && line.contains(execution)
        });
        let plans = commands.iter().any(|line| line.starts_with("make restore CONFIG=cordon.json"));
        assert!(redrives != plans, "{text}");
    }
}

#[test]
fn after_a_false_positive_the_next_finding_is_thought_of() {
    let told = told(&case("false-positive"));
    let commands = pasted(&told.text);
    let criteria = commands.iter().find(|one| one[1] == "create-filter").unwrap();
    let criteria: Value = serde_json::from_str(criteria.last().unwrap()).unwrap();
    let expected = json!({
        "accountId": { "Eq": ["222222222222"] },
        "resource.accessKeyDetails.userName": { "Eq": ["bob"] },
        "type": { "Eq": ["UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom"] },
    });
    assert_eq!(criteria["Criterion"], expected);
    let exempt = told.text.lines().find(|line| line.contains("make policy")).unwrap();
    assert!(exempt.contains(r#""until":"2026-04-02T09:10:11Z""#), "{exempt}");
    for group in ["admins", "developers"] {
        let adds = commands.iter().any(|one| {
            one[1] == "add-user-to-group" && one.last().is_some_and(|last| last == group)
        });
        assert!(adds, "{commands:?}");
    }
    let text = self::told(&case("recovered")).text;
    assert!(!text.contains("make policy") && !text.contains("create-filter"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_others_wrote_the_mail_holds(
        text in "(\\PC|[\n\r\t'\"`$\\\\ ]|\u{202e}|\u{85}){0,200}",
        at in 0..folders().len(),
    ) {
        let mut input = input(&folders()[at]);
        if let Some(restored) = input.get_mut("restored") {
            for part in ["by", "reason", "byHand"] {
                fill(&mut restored[part], &text);
            }
            for part in ["changes", "inactive", "drift", "kept", "lost", "shown", "finding"] {
                fill(&mut restored["plan"][part], &text);
            }
            for field in ["name", "arn", "id"] {
                restored["plan"]["principal"][field] = json!(text);
            }
        } else {
            let failed = &mut input["restoreFailure"];
            for part in ["failure", "incident", "finding"] {
                fill(&mut failed[part], &text);
            }
        }
        let told = told(&input);
        hold(&told);
        let headings = told.text.lines().filter(|line| *line == "What to do now").count();
        prop_assert_eq!(headings, 1, "{}", told.text);
        pasted(&told.text);
    }
}

#[test]
fn the_mail_fits_however_much_there_is_to_tell() {
    for filling in ["\\", "😀"] {
        let mut input = case("in-part");
        let plan = &mut input["restored"]["plan"];
        for part in ["changes", "inactive", "drift", "kept", "lost", "shown"] {
            fill(&mut plan[part], &filling.repeat(500));
            let all = plan[part].as_array_mut().unwrap();
            let more: Vec<Value> = all.iter().cycle().take(all.len() * 20).cloned().collect();
            *all = more;
        }
        let mail = hold(&told(&input));
        assert!(mail.contains("more, which are in the plan's object"), "{mail}");
    }
}
