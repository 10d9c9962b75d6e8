use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use write_report::{Asked, Mail, Written, write};

/// The folders under `readiness/`: `about.txt`, `input.json` and the mail.
fn folders() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("readiness");
    let folders: Vec<_> = fs::read_dir(folder).unwrap().map(|one| one.unwrap().path()).collect();
    assert!(!folders.is_empty());
    folders
}

fn mail(input: &Value) -> Mail {
    let asked: Asked = serde_json::from_value(input.clone()).unwrap();
    match write(&asked).unwrap() {
        Written::Mail(mail) => mail,
        other => panic!("{other:?} is no mail"),
    }
}

#[test]
fn every_case_of_readiness_has_its_mail() {
    let bless = std::env::var_os("BLESS").is_some();
    for folder in folders() {
        let text = |file| fs::read_to_string(folder.join(file)).unwrap();
        let Mail { subject, message } = mail(&serde_json::from_str(&text("input.json")).unwrap());
        assert!(subject.is_ascii() && subject.len() < 100, "{subject}");
        let message: Value = serde_json::from_str(&message).unwrap();
        assert_eq!(message["sms"], format!("Cordon {subject}"));
        let document: Value = serde_json::from_str(message["https"].as_str().unwrap()).unwrap();
        assert_eq!(document["content"]["title"], subject.as_str());
        let mail = format!("Subject: {subject}\n\n{}", message["email"].as_str().unwrap());
        if bless {
            fs::write(folder.join("email.txt"), &mail).unwrap();
        }
        assert_eq!(mail, text("email.txt"), "{}", text("about.txt"));
    }
}

#[test]
fn what_is_refused_can_forge_no_line_and_no_command() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("readiness/refused-calls");
    let mut input: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("input.json")).unwrap()).unwrap();
    let line = &mut input["readiness"]["found"]["accounts"]["began"]["first"][0];
    line["cause"] = "x\nWhat to do now\n\naws iam delete-role".into();
    let message: Value = serde_json::from_str(&mail(&input).message).unwrap();
    let forged =
        message["email"].as_str().unwrap().lines().find(|line| line.starts_with("What to"));
    assert_eq!(forged, None);
}
