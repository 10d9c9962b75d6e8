use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};
use write_report::{Asked, LARGEST, Planned, Written, write};

use crate::hostile::pasted;
use crate::limits;

/// The folders under one of this crate: `about.txt`, `input.json` and the mail.
pub(crate) fn folders_of(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind);
    let mut folders: Vec<_> =
        fs::read_dir(folder).unwrap().map(|one| one.unwrap().path()).collect();
    folders.sort();
    assert!(!folders.is_empty());
    folders
}

pub(crate) fn input(folder: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join("input.json")).unwrap()).unwrap()
}

fn folders() -> Vec<PathBuf> {
    folders_of("restore")
}

fn case(name: &str) -> Value {
    input(&Path::new(env!("CARGO_MANIFEST_DIR")).join("restore").join(name))
}

fn planned(input: &Value) -> Planned {
    let asked: Asked = serde_json::from_value(input.clone()).unwrap();
    match write(&asked).unwrap() {
        Written::Planned(planned) => planned,
        other => panic!("{other:?} is no plan"),
    }
}

/// What holds of every plan's words; the mail's text.
fn hold(planned: &Planned) -> String {
    let size = serde_json::to_vec(planned).unwrap().len();
    assert!(size <= LARGEST, "{size} bytes");
    let message: Value = serde_json::from_str(&planned.message).unwrap();
    limits::copies(&planned.subject, planned.verdict, &message);
    limits::mail(&planned.text);
    message["email"].as_str().unwrap().to_owned()
}

#[test]
fn every_plan_has_its_mail() {
    let bless = std::env::var_os("BLESS").is_some();
    for folder in folders() {
        let planned = planned(&input(&folder));
        let mail = hold(&planned);
        assert_eq!(mail, planned.text);
        let mail = format!("Subject: {}\n\n{mail}", planned.subject);
        if bless {
            fs::write(folder.join("email.txt"), &mail).unwrap();
        }
        let text = |file| fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(mail, text("email.txt"), "{}", text("about.txt"));
    }
}

#[test]
fn a_plan_says_first_that_nothing_has_been_changed() {
    for folder in folders() {
        let planned = planned(&input(&folder));
        let first = planned.text.split("\n\n").next().unwrap().replace('\n', " ");
        let plan = &input(&folder)["restorePlan"]["plan"];
        let name = format!("`{}`", plan["principal"]["name"].as_str().unwrap());
        assert!(first.to_lowercase().contains("nothing has been changed"), "{first}");
        assert!(first.contains(&name), "{first}");
    }
}

/// The role that gives back is for whoever bears the tag. What is to be chosen is chosen before.
#[test]
fn cordon_is_asked_only_for_what_it_can_do_and_last() {
    let planned_text = planned(&case("planned")).text;
    let (before, _) = planned_text.split_once(" APPLY=").unwrap();
    assert!(before.contains(" ACTIVATE="), "{planned_text}");
    let drifted = planned(&case("changed-since")).text;
    assert!(drifted.split_once(" APPLY=").unwrap().0.contains(" ACCEPT="), "{drifted}");
    let mut input = case("planned");
    let plan = &mut input["restorePlan"]["plan"];
    let changes = plan["changes"].as_array_mut().unwrap();
    changes.retain(|one| one["item"]["type"] != "incident");
    let unmarked = planned(&input).text;
    assert!(!unmarked.contains(" APPLY="), "{unmarked}");
    let tag = r#"aws iam tag-user --region us-east-1 --user-name 'bob' --tags '[{"Key":"SecurityIncident","Value":"true"}]'"#;
    assert!(unmarked.contains(tag), "{unmarked}");
}

#[test]
fn the_readme_names_every_plan_and_its_verdict() {
    let readme = include_str!("../../README.md");
    for folder in folders() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let row = format!("| `{}` | `restore/{name}` |", planned(&input(&folder)).verdict);
        assert!(readme.contains(&row), "no row has {row}");
    }
}

#[test]
fn two_plans_do_not_share_a_subject() {
    let mut subjects = BTreeMap::new();
    for folder in folders() {
        for number in ["3f9a2c41-d07e-4c0f-9c1a-000000000001", "drill-1", "drill-2"] {
            let mut input = input(&folder);
            let number = format!("{}{number}", folder.file_name().unwrap().to_str().unwrap());
            let machine = "arn:aws:states:us-east-1:111111111111:execution:cordon-restore";
            input["restorePlan"]["plan"]["execution"] = format!("{machine}:{number}").into();
            let subject = planned(&input).subject;
            assert_eq!(subjects.insert(subject, number.clone()), None, "{number}");
        }
    }
}

/// Whether a command takes the last deny of ours away.
fn lifts(command: &[String], is_boundary: bool) -> bool {
    let deny = command.last().is_some_and(|last| last.ends_with(":aws:policy/AWSDenyAll"));
    let is = |verb: &str| command[1].starts_with(verb);
    let boundary = ["put", "delete"].iter().any(|verb| is(verb))
        && command[1].ends_with("permissions-boundary")
        && !deny;
    if is_boundary { boundary } else { is("detach") && deny }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever order a plan has, and whatever it leaves out.
    #[test]
    fn no_command_lifts_the_deny_before_all_else_is_given_back(
        at in 0..folders().len(),
        order in prop::collection::vec(any::<(u32, bool)>(), 24),
    ) {
        let mut input = input(&folders()[at]);
        let changes = input["restorePlan"]["plan"]["changes"].as_array_mut().unwrap();
        let mut shuffled: Vec<_> = order.iter().zip(changes.drain(..)).collect();
        shuffled.sort_by_key(|((key, _), _)| *key);
        let kept = shuffled.into_iter().filter(|((_, kept), _)| *kept || at % 2 == 0);
        *changes = kept.map(|(_, change)| change).collect();
        let is = |kind: &str| changes.iter().any(|one| one["item"]["type"] == kind);
        let boundary = is("boundary");
        let attached = is("deny") && input["restorePlan"]["plan"]["makesRoom"] != true;
        let text = planned(&input).text;
        let steps = text.split_once("\nWhat to do now\n").unwrap().1;
        let commands = pasted(steps);
        if attached || boundary {
            let lift = commands.iter().position(|one| lifts(one, !attached)).unwrap();
            for later in &commands[lift + 1..] {
                let closes = later[1].starts_with("untag") && later.last().unwrap() == r#"["SecurityIncident"]"#;
                prop_assert!(closes, "{later:?} comes after the deny is lifted");
            }
        }
    }

    #[test]
    fn whatever_others_wrote_a_plan_holds(
        text in "(\\PC|[\n\r\t'\"`$\\\\ ]|\u{202e}|\u{85}){0,200}",
        at in 0..folders().len(),
    ) {
        let mut input = input(&folders()[at]);
        let plan = &mut input["restorePlan"]["plan"];
        for part in ["changes", "inactive", "drift", "kept", "lost", "shown", "finding"] {
            fill(&mut plan[part], &text);
        }
        for field in ["name", "arn", "id"] {
            plan["principal"][field] = json!(text);
        }
        let planned = planned(&input);
        hold(&planned);
        let headings = planned.text.lines().filter(|line| *line == "What to do now").count();
        prop_assert_eq!(headings, 1, "{}", planned.text);
        pasted(&planned.text);
    }
}

/// Puts a text into the place of each that others wrote.
pub(crate) fn fill(value: &mut Value, text: &str) {
    match value {
        Value::String(place) => text.clone_into(place),
        Value::Array(all) => all.iter_mut().for_each(|one| fill(one, text)),
        Value::Object(all) => {
            let ours = ["type", "kind", "why"];
            all.iter_mut()
                .filter(|(key, _)| !ours.contains(&key.as_str()))
                .for_each(|(_, one)| fill(one, text));
        }
        _ => {}
    }
}

/// What `aws` gets for an option, by itself or in the JSON that has all.
fn given(command: &[String], option: &str, member: &str) -> Option<String> {
    let at = |option: &str| command.iter().position(|one| one == option).map(|at| &command[at + 1]);
    let inner = || {
        let all: Value = serde_json::from_str(at("--cli-input-json")?).unwrap();
        Some(all[member].as_str()?.to_owned())
    };
    at(option).cloned().or_else(inner)
}

#[test]
fn a_document_and_a_tag_come_back_byte_for_byte() {
    let documents = [
        "{\r\n\t\"Sid\" : \"it's $(id>&2) `id>&2`\"\n}\n\n",
        "  {\"Sid\":\"Café\u{a0}\u{85}\u{7f}\u{1f600}\u{202e}\\u00e9\"}",
        "{}\n'; id>&2; '\\",
    ];
    let mut input = case("planned");
    let changes = input["restorePlan"]["plan"]["changes"].as_array_mut().unwrap();
    for (n, document) in documents.iter().enumerate() {
        let inline = json!({ "type": "inline", "name": format!("it's{n}") });
        changes.push(json!({
            "item": inline, "before": document, "left": null, "now": null, "accepted": false,
        }));
        let tag = json!({ "type": "tag", "key": format!("--{n}'{document}") });
        changes.push(json!({
            "item": tag, "before": document, "left": "x", "now": "x", "accepted": false,
        }));
    }
    let commands = pasted(&planned(&input).text);
    let put: BTreeSet<_> = commands
        .iter()
        .filter(|one| one[1] == "put-user-policy")
        .map(|one| {
            assert_eq!(given(one, "--user-name", "UserName").unwrap(), "bob");
            let name = given(one, "--policy-name", "PolicyName").unwrap();
            (name, given(one, "--policy-document", "PolicyDocument").unwrap())
        })
        .collect();
    let tags = commands.iter().find(|one| one[1] == "tag-user").unwrap();
    let tags: Value = serde_json::from_str(&given(tags, "--tags", "Tags").unwrap()).unwrap();
    for (n, document) in documents.iter().enumerate() {
        assert!(put.contains(&(format!("it's{n}"), (*document).to_owned())), "{n}: {put:?}");
        let tag = json!({ "Key": format!("--{n}'{document}"), "Value": document });
        assert!(tags.as_array().unwrap().contains(&tag), "{n}: {tags}");
    }
}

/// The README has people take each line that begins like a command.
#[test]
fn no_tag_and_no_document_forges_a_command() {
    let forged = "x aws iam create-user --user-name eve ".repeat(20);
    for folder in folders() {
        let mut input = input(&folder);
        let plan = &mut input["restorePlan"]["plan"];
        plan["finding"]["title"] = json!(forged);
        for part in ["changes", "drift", "kept", "lost", "shown"] {
            for one in plan[part].as_array_mut().unwrap() {
                let states = ["before", "left", "now", "says", "expected"];
                for state in states {
                    fill(&mut one[state], &forged);
                }
                if one["item"]["type"] == "tag" || one["type"] == "tagDiffers" {
                    fill(&mut one["item"]["key"], &forged);
                    fill(&mut one["key"], &forged);
                }
                if one["type"] == "tag" {
                    fill(&mut one["key"], &forged);
                }
            }
        }
        let text = planned(&input).text;
        let is_forged = |line: &&str| line.trim_start().starts_with("aws iam create-user");
        assert_eq!(text.lines().find(is_forged), None, "{text}");
    }
}

/// A role's inline policies have at most 10,240 characters, of which each may be escaped twice.
#[test]
fn a_mail_without_room_has_no_commands_and_the_text_has_all() {
    let mut input = case("boundary-is-the-deny");
    let changes = input["restorePlan"]["plan"]["changes"].as_array_mut().unwrap();
    let document = "\u{e9}".repeat(10_240);
    changes.push(json!({
        "item": { "type": "inline", "name": "long" }, "before": document, "left": null,
        "now": null, "accepted": false,
    }));
    let planned = planned(&input);
    let mail = hold(&planned);
    assert!(!mail.contains("     aws "), "{mail}");
    assert!(mail.contains("no room for the commands") && mail.contains("make restore"), "{mail}");
    assert!(mail.contains("put the inline policy `long` there"), "{mail}");
    let commands = pasted(&planned.text);
    let long = commands.iter().filter(|one| one[1] == "put-role-policy");
    let mut long = long.map(|one| given(one, "--policy-document", "PolicyDocument").unwrap());
    assert!(long.any(|one| one == document));
}

/// Where the state machine could carry no whole plan, nobody gets a command with half a text.
#[test]
fn no_command_has_a_document_that_came_cut() {
    let mut input = case("boundary-is-the-deny");
    let plan = &mut input["restorePlan"]["plan"];
    plan["cut"] = json!(true);
    assert!(!pasted(&planned(&input).text).is_empty());
    let changes = input["restorePlan"]["plan"]["changes"].as_array_mut().unwrap();
    changes.iter_mut().find(|one| one["item"]["type"] == "inline").unwrap()["before"] =
        json!("{\"Version\":\"2012-1…");
    let planned = planned(&input);
    hold(&planned);
    let commands = pasted(&planned.text);
    assert_eq!(commands.len(), 1, "{commands:?}");
    let uri = input["restorePlan"]["stored"]["uri"].as_str().unwrap();
    assert_eq!(commands[0], ["s3", "cp", "--region", "us-east-1", uri, "-"]);
}

/// More than IAM lets a principal have.
#[test]
fn a_plan_fits_however_much_there_is_to_tell() {
    for filling in ["\\", "😀"] {
        let mut input = case("changed-since");
        let plan = &mut input["restorePlan"]["plan"];
        for part in ["changes", "inactive", "drift", "kept", "lost", "shown"] {
            fill(&mut plan[part], &filling.repeat(500));
            let all = plan[part].as_array_mut().unwrap();
            let more: Vec<Value> = all.iter().cycle().take(all.len() * 20).cloned().collect();
            *all = more;
        }
        let mail = hold(&planned(&input));
        assert!(mail.contains("more, which are in the plan's object"), "{mail}");
    }
}
