use incident::{Failure, Refusal};
use serde_json::{Value, json};
use write_report::OF_THE_MACHINE;

use crate::case::{Case, mail, report};
use crate::limits;

/// All errors that an outcome or a step may bear, and one that nobody knows.
fn errors() -> impl Iterator<Item = &'static str> {
    let refusals = Refusal::ALL.map(Refusal::name);
    Failure::NAMES.into_iter().chain(refusals).chain(OF_THE_MACHINE).chain(["Custom.Unheard"])
}

/// What no redrive gets over.
const HOPELESS: [&str; 2] = ["DenyUnavailable", "States.DataLimitExceeded"];

/// So many characters.
fn begin(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// What the mail says under its heading.
fn to_do(mail: &str) -> &str {
    let (_, rest) = mail.split_once("What to do now\n").unwrap();
    rest.split_once("\nFinding\n").unwrap().0
}

fn failed(case: &str, error: &str, verdict: &str) -> Value {
    let mut input = Case::named(case).input;
    input["outcomes"][0]["verdict"] = json!(verdict);
    input["outcomes"][0]["failures"] =
        json!([{ "state": "Quarantine", "error": error, "cause": "because" }]);
    input
}

#[test]
fn each_verdict_and_error_has_its_advice() {
    for error in errors() {
        for (case, verdict) in
            [("failed-before-the-deny", "pending"), ("escalated-exempt", "escalated")]
        {
            let report = report(&failed(case, error, verdict));
            limits::hold(&report);
            let mail = mail(&report);
            assert!(to_do(&mail).contains("1. "), "{verdict} {error}: {mail}");
            assert!(mail.contains(error), "{verdict} {error}: {mail}");
            let mends = verdict == "pending" && !HOPELESS.contains(&error);
            assert_eq!(to_do(&mail).contains("redrive-execution"), mends, "{error}: {mail}");
            assert!(!mends || !to_do(&mail).contains("will not help"), "{error}: {mail}");
        }
        let mut input = Case::named("failed-response-policy").input;
        input["failure"]["error"] = json!(error);
        let report = report(&input);
        limits::hold(&report);
        let mail = mail(&report);
        assert!(to_do(&mail).contains("1. "), "{error}: {mail}");
        let mends = error != "FindingNotFound" && !HOPELESS.contains(&error);
        assert_eq!(to_do(&mail).contains("redrive-execution"), mends, "{error}: {mail}");
    }
}

#[test]
fn no_custom_action_is_advised_to_whom_it_would_not_help() {
    let advised = |input: &Value| to_do(&mail(&report(input))).contains("custom action");
    let mut helped = Vec::new();
    for error in errors() {
        let mut input = failed("escalated-exempt", error, "escalated");
        input["verdict"]["instruction"] = Value::Null;
        if advised(&input) {
            helped.push(error);
        }
        input["verdict"]["source"] = json!("person");
        assert!(!advised(&input), "{error}: a person has just used it");
    }
    assert_eq!(
        helped,
        [
            "RecurrenceUnclear",
            // Of a user whom a finding's title has taken for root.
            "RootUser",
            "UnusualBehavior",
            "MayBeIntended",
            "ExposedKey",
            "NoRule",
            "LeftByPolicy",
            "RolesNotContained",
            "Untrusted",
            "SeverityTooLow",
            "TooMany",
            "ContainmentLimit",
        ]
    );
}

/// What is contained can be given back, and what is retired, too; of nobody else is there a way
/// back, and before a failed execution has ended well there is none.
#[test]
fn whom_something_was_taken_from_can_have_it_back_by_one_command() {
    for case in Case::all() {
        let mail = mail(&case.report());
        let outcomes = case.input["outcomes"].as_array().unwrap();
        let pass = case.input["redrives"].as_u64().unwrap();
        let is_taken = |one: &&Value| {
            let keys = one["readBack"]["done"]["credentials"]["first"].as_array();
            let retired = !one["unusedDays"].is_null() && keys.is_some_and(|it| !it.is_empty());
            let told = case.input["kind"] != "failed" && one["pass"].as_u64().unwrap() == pass;
            let maybe = one["unknown"] == true && one["verdict"] == "escalated";
            one["verdict"] == "contained" || retired && told || maybe
        };
        // Of a redrive that failed anew people are told what to mend, and no more.
        let is_new = |one: &Value| one["verdict"] == "contained" && one["pass"] == pass;
        let is_taken = |one: &&Value| {
            is_taken(one) && (outcomes.iter().any(is_new) || case.input["kind"] != "failed")
        };
        let taken: Vec<_> = outcomes.iter().filter(is_taken).collect();
        let execution = case.input["execution"].as_str().unwrap();
        for one in &taken {
            let whom = if outcomes.len() > 1 {
                format!(" PRINCIPAL='{}'", one["principal"]["id"].as_str().unwrap())
            } else {
                String::new()
            };
            let keys = one["readBack"]["done"]["credentials"]["first"].as_array();
            let keys = keys.into_iter().flatten().map(|key| key["id"].as_str().unwrap());
            let keys = keys.collect::<Vec<_>>().join(" ");
            let active = match one["unusedDays"] {
                Value::Null => String::new(),
                _ => format!(" ACTIVATE='{keys}'"),
            };
            let command = format!(
                "     make restore CONFIG=cordon.json EXECUTION='{execution}'{whom}{active}"
            );
            assert!(mail.lines().any(|line| line == command), "{}: {mail}", case.name);
        }
        assert_eq!(mail.matches("make restore").count(), taken.len(), "{}: {mail}", case.name);
        assert!(!mail.contains("give back by hand"), "{}: {mail}", case.name);
    }
}

#[test]
fn who_is_out_is_not_to_be_denied_again() {
    let denied = mail(&Case::named("failed-after-the-deny").report());
    assert!(!to_do(&denied).contains("aws iam attach-user-policy"), "{denied}");
    let is_in = mail(&Case::named("failed-before-the-deny").report());
    assert!(to_do(&is_in).contains("aws iam attach-user-policy"), "{is_in}");
}

/// IAM lists no temporary keys, and the user's own are to become inactive all the same.
#[test]
fn whether_a_key_is_the_users_is_asked_first_where_iam_can_tell() {
    let mut input = Case::named("escalated-unusual").input;
    let of_iam = mail(&report(&input));
    let list = "     aws iam list-access-keys --region us-east-1 --user-name 'eve'\n";
    let (first, then) = of_iam.split_once(list).expect("the keys are not listed");
    assert!(!first.contains("attach-user-policy"), "{of_iam}");
    assert!(then.contains("attach-user-policy"), "{of_iam}");
    input["finding"]["sessions"][0]["key"] = json!("ASIAIOSFODNN7EXAMPLE");
    let temporary = mail(&report(&input));
    let (first, _) = temporary.split_once("attach-user-policy").expect("it is not denied");
    assert!(!first.contains(list), "{temporary}");
    assert!(temporary.contains("--status 'Inactive' --access-key-id \"$("), "{temporary}");
}

/// IAM's paths may have backticks, and the words that name whom the account has set names between
/// them.
#[test]
fn a_path_makes_nobody_else_the_one_who_is_meant() {
    let arn = "arn:aws:iam::222222222222:user/break-glass-ann`/eve";
    let why = "the configuration protects `arn:aws:iam::*:user/break-glass-*`";
    let hidden = "the user of the id `AIDACKCEVSQ6C2EXAMPLE` was \
                  `arn:aws:iam::222222222222:user/eve` when it was identified, and has hidden \
                  since under a name that protects it; rename it back: ";
    let impostor = format!(
        "it may be an impostor, since whoever may create users or roles in the account could have \
         made `{arn}`; it is never contained by machine: {why}"
    );
    let protected = format!("`{arn}` is never contained by machine: {why}");
    let exempt = format!(
        "the response policy exempts it (`a release`): `{arn}` matches `arn:aws:iam::*:user/*`"
    );
    for (case, words) in [
        ("escalated-impostor", impostor.clone()),
        ("escalated-protected-by-configuration", protected.clone()),
        ("escalated-exempt", exempt.clone()),
        ("hidden", format!("{hidden}{impostor}")),
        ("hidden", format!("{hidden}{exempt}")),
    ] {
        // Of a long list of principals each cause is cut, wherever that is.
        let end = words.find(arn).unwrap() + arn.len();
        for words in [words.len(), end, end + 1, end - 4].map(|most| begin(&words, most)) {
            let mut input = Case::named(case).input;
            let failed = &mut input["outcomes"][0]["failures"][0];
            failed["cause"] = json!(json!({ "errorMessage": words }).to_string());
            let mail = mail(&report(&input));
            for command in ["--user-name 'break-glass-ann'", "user/break-glass-ann in"] {
                assert!(!mail.contains(command), "{words}: {mail}");
            }
        }
        let mut input = Case::named(case).input;
        input["outcomes"][0]["failures"][0]["cause"] =
            json!(json!({ "errorMessage": words }).to_string());
        let mail = mail(&report(&input));
        assert!(mail.contains("--user-name 'eve'"), "{words}: {mail}");
    }
}

#[test]
fn nobody_is_denied_who_has_only_unused_keys_to_lose() {
    for case in ["vanished", "restless"] {
        let mut input = Case::named(case).input;
        assert!(mail(&report(&input)).contains("aws iam attach-user-policy"), "{case}");
        input["outcomes"][0]["unusedDays"] = json!(90);
        let unused = mail(&report(&input));
        assert!(!unused.contains("aws iam attach-user-policy"), "{unused}");
    }
}

/// What is said of a deny that may not stand is said of it, whatever the name.
#[test]
fn a_name_is_no_word_of_a_sentence() {
    let text = Case::named("failed-not-read-back").input.to_string().replace("bob", "DenyBot");
    let mut input: Value = serde_json::from_str(&text).unwrap();
    for mode in ["contain", "observe"] {
        input["mode"] = json!(mode);
        let mail = mail(&report(&input)).replace("\n   ", " ");
        assert!(mail.contains("If it does not"), "{mail}");
        assert!(!mail.contains("`If it does not"), "{mail}");
    }
}

/// The machine keeps the first of the names.
#[test]
fn nobody_is_named_by_a_list_that_is_cut() {
    let mut input = Case::named("failed-response-policy").input;
    let arn = |name: &str| format!("arn:aws:iam::222222222222:user/{name}");
    let long = "x".repeat(512);
    for (names, denied) in [
        (format!("{}, {}", arn("bob"), arn("admin")), vec!["bob", "admin"]),
        (begin(&format!("{}, {long}", arn("bob")), 512), vec!["bob"]),
        (begin(&format!("{}, {}", begin(&long, 474), arn("admin-backup")), 512), vec![]),
        // Characters that are none of ASCII take the room of many, and are one by now.
        (format!("{}, ?, {}", arn("bob"), arn("admin")), vec!["bob"]),
        (arn("admin?"), vec![]),
    ] {
        input["finding"]["names"] = json!(names);
        let mail = mail(&report(&input));
        for name in ["bob", "admin"] {
            let deny =
                format!("aws iam attach-user-policy --region us-east-1 --user-name '{name}'");
            assert_eq!(mail.contains(&deny), denied.contains(&name), "{names}: {mail}");
        }
    }
}

#[test]
fn whom_the_configuration_may_protect_is_not_to_be_denied_at_once() {
    let mut input = Case::named("failed-before-the-deny").input;
    let refused = |role: &str| {
        let words = format!(
            "iam:AttachUserPolicy is refused: with an explicit deny in {role}: User: x is not \
             authorized to perform: iam:AttachUserPolicy on resource: user bob"
        );
        let cause = json!({ "errorType": "AccessDenied", "errorMessage": words }).to_string();
        json!({ "state": "Quarantine", "error": "AccessDenied", "cause": cause })
    };
    let by_a_role = refused("an identity-based policy");
    input["outcomes"][0]["failures"] = json!([by_a_role]);
    let words = |input: &Value| to_do(&mail(&report(input))).replace("\n   ", " ");
    let told = words(&input);
    assert!(told.contains("1. Where the configuration does not protect it"), "{told}");
    assert!(told.contains("it is left to you"), "{told}");
    // What else refuses a call is mended.
    let by_another = refused("a service control policy");
    input["outcomes"][0]["failures"] = json!([by_a_role, by_another]);
    let told = words(&input);
    assert!(told.contains("a service control policy, a permissions boundary"), "{told}");
}

/// AWS Health knows of what it reported alone.
#[test]
fn only_of_healths_own_findings_health_is_asked() {
    let mut input = Case::named("escalated-exposed-key").input;
    input["finding"]["sessions"] = json!([]);
    input["outcomes"][0]["resource"] = json!("arn:aws:iam::222222222222:user/eve");
    let custom = "arn:aws:securityhub:us-east-1:222222222222:product/222222222222/default";
    for (product, is_asked) in
        [("arn:aws:securityhub:us-east-1::product/aws/health", true), (custom, false)]
    {
        input["finding"]["productArn"] = json!(product);
        let mail = mail(&report(&input));
        assert_eq!(mail.contains("aws health "), is_asked, "{mail}");
        assert_eq!(
            mail.contains(r#""AttributeKey":"Username","AttributeValue":"eve""#),
            !is_asked,
            "{mail}"
        );
    }
}

/// A namesake in the finding's account is not to be taken for it.
#[test]
fn a_subject_puts_nobody_into_an_account_who_is_elsewhere() {
    let mut input = Case::named("escalated-unusual").input;
    input["finding"]["sessions"] = json!([]);
    for (resource, whom) in [
        ("arn:aws-cn:iam::222222222222:user/ceo", "user/ceo elsewhere, named in 222222222222"),
        ("arn:aws:iam::333333333333:user/ceo", "user/ceo of 333333333333, named in 222222222222"),
    ] {
        input["outcomes"][0]["resource"] = json!(resource);
        let subject = report(&input).subject;
        assert!(subject.contains(whom), "{subject}");
        assert!(subject.len() < 100, "{subject}");
    }
    let name = format!("arn:aws:iam::333333333333:user/{}", "n".repeat(64));
    let other = input["outcomes"][0].clone();
    input["outcomes"][0]["resource"] = json!(name);
    input["outcomes"].as_array_mut().unwrap().push(other);
    input["kind"] = json!("overflow");
    input["finding"]["severity"] = json!("INFORMATIONAL");
    let subject = report(&input).subject;
    assert!(subject.contains("one elsewhere and 1 more in 222222222222"), "{subject}");
}

#[test]
fn no_keys_are_to_be_made_inactive_that_are_known_not_to_be_there() {
    let mut input = Case::named("observed").input;
    let advised = |input: &Value| to_do(&mail(&report(input))).contains("update-access-key");
    assert!(advised(&input));
    input["outcomes"][0]["evidence"]["had"]["credentials"] = json!({ "first": [], "more": 0 });
    input["outcomes"][0]["principal"]["accessKeys"] = json!([]);
    assert!(!advised(&input));
}

/// What a person is asked to do to a principal in its own account.
fn denies(input: &Value) -> usize {
    let mail = mail(&report(input));
    ["attach-user-policy", "attach-role-policy", "put-role-policy", "list-attached-"]
        .iter()
        .map(|command| to_do(&mail).matches(command).count())
        .sum()
}

#[test]
fn whom_people_are_not_to_deny_no_failure_has_denied() {
    for error in errors() {
        let escalated = failed("escalated-exempt", error, "escalated");
        let mut late = escalated.clone();
        late["kind"] = json!("failed");
        late["failure"] = json!({ "state": "MarkNotified", "error": "Throttled", "cause": "no" });
        assert!(denies(&late) <= denies(&escalated), "{error}");
        let mut given_up = escalated.clone();
        given_up["kind"] = json!("abandoned");
        assert!(denies(&given_up) <= denies(&escalated), "{error}");
    }
}

#[test]
fn no_command_is_about_a_name_that_the_finding_puts_elsewhere() {
    let resources = [
        "arn:aws:iam::333333333333:user/admin",
        "arn:aws:iam::333333333333:role/admin",
        "arn:aws-cn:iam::222222222222:user/admin",
        "arn:aws:sts::333333333333:assumed-role/admin/i-0c10c2c7863d1a356",
    ];
    for (error, resource) in errors().flat_map(|error| resources.map(|it| (error, it))) {
        let mut input = failed("escalated-exempt", error, "escalated");
        input["outcomes"][0]["resource"] = json!(resource);
        input["outcomes"][0]["principal"] = Value::Null;
        input["finding"]["sessions"] = json!([{
            "resource": resource,
            "key": "ASIAIOSFODNN7EXAMPLE",
            "role": "admin",
            "instance": "i-0c10c2c7863d1a356",
        }]);
        for kind in ["escalated", "failed", "abandoned"] {
            input["kind"] = json!(kind);
            let mail = mail(&report(&input));
            let named = ["'admin'", "\"admin\"", "instance-ids", "custom action"];
            let named = named.iter().find(|name| to_do(&mail).contains(**name));
            assert_eq!(named, None, "{error} {kind}: {mail}");
            assert!(!mail.contains("admin` in account 222222222222"), "{error}: {mail}");
        }
    }
}

/// Of whom nobody has looked up yet, the name alone tells that no machine may contain it.
#[test]
fn whom_a_name_protects_nobody_is_told_to_deny() {
    let known = ["PrincipalProtected", "PrincipalMayBeImpostor"];
    for (name, impostor) in [
        ("OrganizationAccountAccessRole", true),
        ("organizationaccountaccessrole", true),
        ("SecurityRemediation-Verify", true),
        ("AWSReservedSSO_Admin_0123456789abcdef", false),
        ("AWSServiceRoleForAutoScaling", false),
    ] {
        let arn = format!("arn:aws:iam::222222222222:role/{name}");
        let session = json!({ "resource": "ASIAIOSFODNN7EXAMPLE", "role": name });
        for error in errors().filter(|error| !known.contains(error)) {
            for (resource, verdict) in [
                (arn.as_str(), "escalated"),
                (arn.as_str(), "pending"),
                ("ASIAIOSFODNN7EXAMPLE", "escalated"),
            ] {
                let mut input = failed("escalated-exempt", error, verdict);
                let kind = if verdict == "pending" { "failed" } else { "escalated" };
                input["kind"] = json!(kind);
                input["outcomes"][0]["resource"] = json!(resource);
                input["finding"]["sessions"] = json!([session]);
                let mail = mail(&report(&input));
                let to_do = to_do(&mail);
                assert!(!to_do.contains("AWSRevokeOlderSessions"), "{error}: {mail}");
                assert!(!to_do.contains("custom action"), "{error}: {mail}");
                let denies = to_do.contains("AWSDenyAll'") || to_do.contains("'DenyAll'");
                assert!(!denies || to_do.contains("If it is an impostor, deny"), "{error}: {mail}");
                assert!(!denies || impostor, "{error}: {mail}");
            }
        }
        let mut input = Case::named("failed-response-policy").input;
        input["finding"]["names"] = json!(arn);
        let mail = mail(&report(&input));
        assert!(!to_do(&mail).contains("attach-role-policy"), "{mail}");
        assert!(to_do(&mail).contains("The finding names the role"), "{mail}");
    }
}

/// Whoever works through the steps has dealt with everybody: by a command, or by name.
#[test]
fn nobody_who_is_in_is_left_out_of_the_steps() {
    let mut input = Case::named("two-ends").input;
    let eve = input["outcomes"][1].take();
    let mut large = Case::named("failed-after-the-deny").input["outcomes"][0]["readBack"].take();
    let names: Vec<String> = (0..10).map(|n| format!("{n}{}", "\"".repeat(240))).collect();
    large["left"]["policies"] = json!({ "first": names, "more": 90 });
    large["deniedBy"] = Value::Null;
    large["boundary"] = Value::Null;
    let all = |read: &Value| -> Value {
        let one = |n: usize| {
            let mut one = eve.clone();
            one["resource"] = json!(format!("arn:aws:iam::222222222222:user/eve-{n}-"));
            one["principal"]["arn"] = one["resource"].clone();
            one["principal"]["name"] = json!(format!("eve-{n}-"));
            one["readBack"] = read.clone();
            one
        };
        (0..32).map(one).collect()
    };
    for (read, fits) in [(Value::Null, true), (large, false)] {
        input["outcomes"] = all(&read);
        let mail = mail(&report(&input));
        let to_do = to_do(&mail);
        for n in 0..32 {
            let who = format!("the user `eve-{n}-`");
            let told = to_do.split_whitespace().collect::<Vec<_>>().join(" ").contains(&who);
            assert!(told, "{who}: {mail}");
        }
        assert_eq!(to_do.matches("attach-user-policy").count() == 32, fits, "{mail}");
        assert_eq!(to_do.contains("Go on with"), !fits, "{mail}");
    }
}

/// What the finding is about was done in the finding's Region; IAM's commands work in any.
#[test]
fn people_look_in_the_findings_region() {
    let case = Case::named("escalated-role");
    for (product, region) in [
        ("arn:aws:securityhub:eu-west-1::product/aws/guardduty", Some("eu-west-1")),
        ("arn:aws:securityhub:ap-southeast-2::productv2/aws/guardduty", Some("ap-southeast-2")),
        ("arn:aws-us-gov:securityhub:us-gov-west-1::product/aws/guardduty", Some("us-gov-west-1")),
        ("", None),
        ("arn:aws:securityhub:::product/aws/guardduty", None),
        ("arn:aws:securityhub:'; id; ':x:product/aws/guardduty", None),
        ("arn:aws:securityhub:--region-1:x:product/aws/guardduty", None),
    ] {
        for error in ["RolesNotContained", "NoRule", "UnknownKey", "FederatedSession"] {
            let mut input = case.input.clone();
            input["finding"]["productArn"] = json!(product);
            input["outcomes"][0]["failures"][0]["error"] = json!(error);
            let mail = mail(&report(&input));
            let used = region.unwrap_or("us-east-1");
            for begin in ["ec2 describe-instances", "cloudtrail lookup-events"] {
                let command = format!("aws {begin} --region {used} --");
                assert!(to_do(&mail).contains(&command), "{product} {error}: {mail}");
            }
            let said = to_do(&mail).split_whitespace().collect::<Vec<_>>().join(" ");
            let told = said.matches("use that in place of us-east-1").count()
                + said.matches("does not tell, in place of us-east-1:").count();
            assert_eq!(told == 0, region.is_some(), "{product} {error}: {mail}");
        }
    }
}

/// A key is deleted as root's only where it is known to be that.
#[test]
fn only_roots_own_key_is_to_be_deleted() {
    for error in errors() {
        let mut input = Case::named("escalated-user-taken-for-root").input;
        input["outcomes"][0]["failures"] =
            json!([{ "state": "Classify", "error": error, "cause": "because" }]);
        let mail = mail(&report(&input));
        assert_eq!(mail.contains("delete-access-key"), error == "RootKey", "{error}: {mail}");
        assert_eq!(mail.contains("assume-root"), error == "RootKey", "{error}: {mail}");
    }
}

/// `AssumeRole` is recorded where it is called, under the role's ARN; IAM's own calls elsewhere,
/// under its name.
#[test]
fn who_assumed_a_role_is_asked_where_it_was_assumed() {
    let mut input = Case::named("contained-role").input;
    let arn = "arn:aws:securityhub:eu-west-1::product/aws/guardduty";
    input["finding"]["productArn"] = json!(arn);
    let mail = mail(&report(&input));
    for (region, name) in
        [("eu-west-1", "arn:aws:iam::222222222222:role/orders-app"), ("us-east-1", "orders-app")]
    {
        let by = format!(r#"[{{"AttributeKey":"ResourceName","AttributeValue":"{name}"}}]"#);
        let command = format!("lookup-events --region {region} --lookup-attributes '{by}'");
        assert!(mail.contains(&command), "{command}: {mail}");
    }
    input["finding"]["productArn"] = json!("");
    let mail = self::mail(&report(&input)).replace(char::is_whitespace, " ");
    assert!(mail.contains("The finding does not tell its Region"), "{mail}");
}
