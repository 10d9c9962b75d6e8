//! Rules about the repository itself. They take neither a local AWS nor a network.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here is to fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::place::{files_below, read_json, repository};
use harness::steps::{Step, allowed};
use incident::{Place, Protection, ResponsePolicy, matches_pattern};
use serde_json::{Value, json as value};

/// Beginnings of the names of what speaks to AWS.
const AWS: [&str; 3] = ["aws-sdk-", "aws-config", "aws-smithy-"];

#[test]
fn the_domain_the_shell_and_what_judges_and_words_have_no_aws_sdk_in_their_tree() {
    for name in ["incident", "lambda", "classify", "write-report"] {
        let tree = tree(name);
        assert!(tree.contains("serde"), "`cargo tree` shows nothing of `{name}`");
        let aws: Vec<_> =
            tree.iter().filter(|one| AWS.iter().any(|aws| one.starts_with(aws))).collect();
        assert!(aws.is_empty(), "`{name}` has {aws:?} in its tree");
    }
}

#[test]
fn only_the_entry_to_member_accounts_depends_on_sts() {
    for (name, manifest) in manifests() {
        let depends = manifest.lines().any(|line| line.starts_with("aws-sdk-sts"));
        let may = ["member", "assume-role"].contains(&name.as_str());
        assert!(!depends || may, "`{name}` depends on STS");
    }
}

#[test]
fn only_member_reads_iam() {
    let files = files_below(&repository().join("functions"), &["cases"]).unwrap();
    let sources = files.iter().filter(|file| file.extension().is_some_and(|end| end == "rs"));
    let reads = sources.filter(|file| {
        let source = text(file);
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        let source: String = source.split_whitespace().collect();
        source.contains("iam.get_") || source.contains("iam.list_")
    });
    let reads: BTreeSet<_> = reads
        .filter_map(|file| file.strip_prefix(repository().join("functions")).ok()?.iter().next())
        .collect();
    assert_eq!(reads, BTreeSet::from(["member".as_ref()]));
}

#[test]
fn each_main_is_ten_lines_or_fewer() {
    for step in steps() {
        let main = text(&folder(&step).join("src/main.rs"));
        let lines = main.lines().count();
        assert!(lines <= 10, "the main of `{}` has {lines} lines", step.folder);
    }
}

#[test]
fn each_function_has_the_same_files() {
    for step in steps() {
        for file in ["Cargo.toml", "execution-policy.json", "src/lib.rs", "src/main.rs"] {
            assert!(folder(&step).join(file).is_file(), "`{}` has no `{file}`", step.folder);
        }
        // A function that enters member accounts has a role there, and no other has.
        let enters = allowed(&step.execution_policy).contains("sts:AssumeRole");
        assert_eq!(enters, step.member_policy.is_some(), "`{}`", step.folder);
    }
}

#[test]
fn each_folder_below_functions_is_a_crate_of_its_name() {
    let manifests = manifests();
    for step in steps() {
        assert!(manifests.contains_key(&step.folder), "`{}` has no manifest", step.folder);
    }
    for (name, manifest) in manifests {
        let line = format!("name = \"{name}\"");
        let package = manifest.split("\n[").next().unwrap_or_default();
        assert!(package.contains(&line), "the crate in `{name}` has another name");
        // The binary has the crate's name unless the manifest says otherwise.
        assert!(!manifest.contains("[[bin]]"), "the binary in `{name}` has a name of its own");
    }
}

#[test]
fn each_function_is_called_by_a_state_of_its_name_and_by_no_other_placeholder() {
    let machines = ["incident-response", "readiness", "restore"].map(machine);
    let states = machines.iter().flat_map(|machine| {
        let mut states = BTreeMap::new();
        collect_states(machine, &mut states);
        states
    });
    let states: BTreeMap<_, _> = states.collect();
    let called: BTreeSet<_> = machines
        .iter()
        .flat_map(|machine| placeholders(&machine.to_string()))
        .filter_map(|name| Some(name.strip_suffix("FunctionArn")?.to_owned()))
        .collect();
    let named: BTreeSet<_> = steps().into_iter().map(|step| step.state).collect();
    assert_eq!(called, named, "the functions that the machines call are not those in functions/");
    for state in &named {
        let function = state;
        let state = match state.as_str() {
            // A report is written before each state that tells people.
            "WriteReport" => "ReportFailure",
            // A stage at a time.
            "ApplyRestore" => "GiveBack",
            own => own,
        };
        let own = states.get(state).map(|state| &state["Arguments"]["FunctionName"]);
        let expected = format!("${{{function}FunctionArn}}");
        assert_eq!(own.and_then(|own| own.as_str()), Some(&*expected), "the state `{state}`");
    }
}

#[test]
fn the_machine_may_invoke_the_functions_that_it_calls_and_no_others() {
    let policy: Value = json(&repository().join("statemachine/execution-policy.json"));
    let may = placeholders(&policy.to_string());
    let may: BTreeSet<_> = may.iter().filter(|name| name.ends_with("FunctionArn")).collect();
    let calls = placeholders(&machine("incident-response").to_string());
    let calls: BTreeSet<_> = calls.iter().filter(|name| name.ends_with("FunctionArn")).collect();
    assert_eq!(may, calls);
}

#[test]
fn each_guarantee_in_the_readme_names_tests_that_exist() {
    let sources = test_sources();
    for row in table_in("tests/README.md", "| Guarantee | Test |") {
        let names = quoted(row.last().unwrap());
        assert!(!names.is_empty(), "no test for: {row:?}");
        for name in names {
            let ways = [
                format!("\"{name}\""),
                format!("'{name}'"),
                format!("fn {name}("),
                format!("def {name}("),
            ];
            let exists = ways.iter().any(|way| sources.contains(way));
            assert!(exists, "no test is named `{name}`");
        }
    }
}

#[test]
fn each_kind_of_mail_is_caused_by_a_trial() {
    let trials = repository().join("tests/tests/integration");
    let trials: String = files_below(&trials, &[]).unwrap().iter().map(|file| text(file)).collect();
    let head = "| Kind | Verdict | Case | Trial | What it is for |";
    let mut told = BTreeSet::new();
    for row in table_in("functions/write-report/README.md", head) {
        let [_, _, case, trial, _] = row.as_slice() else { panic!("not five columns: {row:?}") };
        let (case, trial) = (quoted(case), quoted(trial));
        let ([case], [trial]) = (case.as_slice(), trial.as_slice()) else {
            panic!("not one case and one trial: {row:?}")
        };
        assert!(trials.contains(&format!("\"{trial}\"")), "`{case}`: no trial is named `{trial}`");
        assert!(told.insert(case.clone()), "`{case}` has two rows");
    }
    let cases = fs::read_dir(repository().join("functions/write-report/cases")).unwrap();
    let cases = cases.map(|case| case.unwrap().file_name().into_string().unwrap());
    assert_eq!(told, cases.collect());
}

#[test]
fn the_readme_has_the_verdict_table() {
    let rows = table_in("statemachine/README.md", "| Rule | Finding | Response |");
    let rules = json(&repository().join("functions/classify/rules.json"));
    let rules = rules.as_array().unwrap();
    for rule in rules {
        let name = rule["name"].as_str().unwrap();
        let row = rows.iter().find(|row| quoted(row.first().unwrap()).contains(&name.to_owned()));
        let row = row.unwrap_or_else(|| panic!("the README has no row for `{name}`")).join("|");
        let response = match rule["response"].as_str().unwrap() {
            "ContainUser" => "Contain user",
            "ContainRole" => "Contain role",
            "RetireUnusedCredentials" => "inactive",
            other => other,
        };
        assert!(row.contains(response), "`{name}`: the README does not say `{response}`");
        for control in rule["controls"].as_array().into_iter().flatten() {
            let control = control.as_str().unwrap();
            assert!(row.contains(control), "`{name}`: the README does not say `{control}`");
        }
        if let Some(days) = rule["unusedDays"].as_u64() {
            assert!(
                row.contains(&days.to_string()),
                "`{name}`: the README does not say {days} days"
            );
        }
        for code in rule["generators"].as_array().into_iter().flatten() {
            assert!(row.contains(code.as_str().unwrap()), "`{name}`: the README lacks {code}");
        }
        if let Some(from) = rule["escalateFrom"].as_str() {
            let told = format!("From {from} on: Escalate");
            assert!(row.contains(&told), "`{name}`: the README does not say `{told}`");
        }
        let severity = rule["lowestSeverity"].as_str().unwrap();
        assert!(
            ["INFORMATIONAL", "LOW"].contains(&severity)
                || row.contains(severity)
                || row.contains("the same"),
            "`{name}`: the README does not say {severity}"
        );
    }
    for name in rows.iter().flat_map(|row| quoted(row.first().unwrap())) {
        assert!(
            rules.iter().any(|rule| rule["name"] == name.as_str()),
            "no rule is called `{name}`"
        );
    }
}

#[test]
fn the_readme_has_the_finding_types_by_which_guardduty_knows() {
    let rows = table_in("statemachine/README.md", "| How GuardDuty knows | Rules | Types |");
    let mut described = BTreeMap::new();
    for row in rows {
        let [_, rules, types] = row.as_slice() else { panic!("not three columns: {row:?}") };
        for rule in quoted(rules) {
            let before = described.insert(rule, quoted(types));
            assert!(before.is_none(), "twice: {before:?}");
        }
    }
    let rules = json(&repository().join("functions/classify/rules.json"));
    let decides = |rule: &&Value| {
        let subjects = rule["subjects"].as_array().unwrap();
        let by_type = ["UserKey", "RoleSession"].map(Value::from);
        rule["product"] == "GuardDuty" && by_type.iter().any(|kind| subjects.contains(kind))
    };
    let rules: BTreeMap<String, Vec<String>> = rules
        .as_array()
        .unwrap()
        .iter()
        .filter(decides)
        .map(|rule| {
            let types = serde_json::from_value(rule["types"].clone()).unwrap_or_default();
            (rule["name"].as_str().unwrap().to_owned(), types)
        })
        .collect();
    assert_eq!(described, rules);
}

#[test]
fn the_readme_has_each_field_of_the_response_policy_with_its_default() {
    let policy = ResponsePolicy::default();
    let fields = serde_json::to_value(&policy).unwrap();
    let fields = fields.as_object().unwrap();
    let rows = table_in("infra/README.md", "| Field | Default | Meaning |");
    let described: BTreeSet<_> = rows.iter().flat_map(|row| quoted(row.first().unwrap())).collect();
    assert_eq!(described, fields.keys().cloned().collect());
    for row in rows {
        let [name, default, meaning] = row.as_slice() else { panic!("not three columns: {row:?}") };
        let name = &quoted(name)[0];
        if let [default] = quoted(default).as_slice() {
            let json = format!("{{\"{name}\": {default}}}");
            assert_eq!(
                ResponsePolicy::parse(&json).unwrap(),
                policy,
                "`{json}` is not the default"
            );
        } else {
            assert!(fields[name].is_null(), "the README does not say what `{name}` is by default");
        }
        for inner in fields[name].as_object().into_iter().flat_map(|inner| inner.keys()) {
            assert!(meaning.contains(&format!("`{inner}`")), "`{name}` does not say `{inner}`");
        }
    }
}

#[test]
fn the_schema_has_each_field_of_the_response_policy() {
    let schema = json(&repository().join("infra/cordon.schema.json"));
    let described = |pointer: &str| -> BTreeSet<String> {
        let properties = schema.pointer(pointer).unwrap_or_else(|| panic!("no `{pointer}`"));
        properties.as_object().unwrap().keys().cloned().collect()
    };
    let typed = ResponsePolicy::parse(r#"{"trustedProducts": [{"product": "p"}]}"#).unwrap();
    let policy = serde_json::to_value(typed).unwrap();
    for (pointer, object) in [
        ("/$defs/responsePolicy/properties", &policy),
        ("/$defs/responsePolicy/properties/lowestSeverity/properties", &policy["lowestSeverity"]),
        ("/$defs/trustedProduct/then/properties", &policy["trustedProducts"][0]),
    ] {
        let fields: BTreeSet<_> = object.as_object().unwrap().keys().cloned().collect();
        assert_eq!(described(pointer), fields, "{pointer}");
    }
}

#[test]
fn only_the_roles_that_the_steps_have_are_protected_as_ours() {
    let ours: BTreeSet<String> = protected()
        .into_iter()
        .map(|one| one.resource.into_owned())
        // Our functions' own are in the security account alone.
        .filter(|resource| resource.contains("cordon") && resource != "role/cordon/Cordon*")
        .collect();
    let roles = steps().into_iter().filter(|step| step.member_policy.is_some());
    let roles = roles.map(|step| format!("role/cordon/SecurityRemediation-{}", step.state));
    assert_eq!(ours, roles.collect());
}

#[test]
fn the_member_roles_deny_what_is_protected() {
    // What the infrastructure fills the placeholder with, from the very list that `incident`
    // reads, its own tests hold.
    let shared = json(&repository().join("functions/member/deny-policy.json"));
    let denies = |policy: &Value| {
        let statements = policy["Statement"].as_array().unwrap().clone();
        statements.into_iter().filter(|it| it["Effect"] == "Deny" && it["Action"] == "iam:*")
    };
    let resources: Vec<Value> = denies(&shared).map(|it| it["Resource"].clone()).collect();
    assert_eq!(resources, [value!(["${ProtectedArns}"])]);
    for step in steps() {
        let of_its_own = step.member_policy.iter().flat_map(denies).count();
        assert_eq!(of_its_own, 0, "{}", step.folder);
    }
}

/// Who meets it reads it to its end.
#[test]
fn the_readme_welcomes_and_leads_on() {
    let readme = text(&repository().join("README.md"));
    assert!(readme.lines().count() <= 150, "{} lines", readme.lines().count());
    let mut links = 0;
    for file in ["README.md", "infra/README.md", "statemachine/README.md", "tests/README.md"] {
        let file = repository().join(file);
        for link in text(&file).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap();
            if !link.starts_with("http") && !path.is_empty() {
                links += 1;
                let target = file.parent().unwrap().join(path);
                assert!(target.exists(), "`{}` leads to `{link}`", file.display());
            }
        }
    }
    assert!(links > 9, "only {links} were found");
}

/// A slip of the finger would deploy everywhere, or leave the kill switch as it was.
#[test]
fn make_takes_what_it_tells_of_and_nothing_else() {
    let makefile = text(&repository().join("Makefile"));
    let comments = makefile.lines().filter(|line| line.starts_with('#'));
    let words = comments.flat_map(|line| line.split([' ', '[']));
    let told = words.filter_map(|word| word.split_once('=')).map(|(name, _)| name);
    let told: BTreeSet<&str> = told.collect();
    assert!(told.len() > 20, "{told:?}");
    let make = |variables: &[String]| {
        let mut make = Command::new("make");
        let make = make.args(["--dry-run", "check"]).args(variables).current_dir(repository());
        let output = make.env_remove("MAKEFLAGS").output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let given: Vec<_> = told.iter().map(|name| format!("{name}=x")).collect();
    assert_eq!(make(&given), (true, String::new()));
    for slip in ["ACOUNT", "mode"] {
        let (taken, said) = make(&[format!("{slip}=x")]);
        assert!(!taken && said.contains(&format!("make knows no `{slip}`")), "{said}");
    }
}

#[test]
fn the_readme_keeps_others_from_making_what_is_protected() {
    let readme = text(&repository().join("infra/README.md"));
    let policies = readme.split("```json").skip(1).filter_map(|block| block.split("```").next());
    let mut policies = policies.filter(|block| block.contains("iam:CreateRole"));
    let policy = policies.next().unwrap();
    let policy: Value = serde_json::from_str(policy).unwrap();
    let named: Vec<String> =
        serde_json::from_value(policy["Statement"][0]["Resource"].clone()).unwrap();
    for Protection { resource, impostor, accounts, .. } in protected() {
        // No service control policy holds in the management account.
        let account = if accounts == Place::All { "*" } else { "111111111111" };
        let arn = format!("arn:aws:iam::{account}:{resource}");
        let is_named = named.iter().any(|pattern| matches_pattern(pattern, &arn));
        assert!(is_named || !impostor, "`{resource}`");
    }
}

/// What no machine contains.
fn protected() -> Vec<Protection> {
    let list = json(&repository().join("functions/incident/protected.json"));
    serde_json::from_value(list).unwrap()
}

/// The rows of the table in a README that has this head, by column.
fn table_in(readme: &str, head: &str) -> Vec<Vec<String>> {
    let text = text(&repository().join(readme));
    let table = text.split_once(head).unwrap_or_else(|| panic!("`{readme}` has no `{head}`")).1;
    let lines = table.trim_start().lines().take_while(|line| line.starts_with('|')).skip(1);
    let rows = lines.map(|line| {
        let columns = line.trim_matches('|').split('|');
        columns.map(|column| column.trim().to_owned()).collect()
    });
    let rows: Vec<_> = rows.collect();
    assert!(!rows.is_empty(), "nothing follows `{head}`");
    rows
}

/// What a text has between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// All files in which there are tests, one after the other.
fn test_sources() -> String {
    let root = repository();
    let generated = ["node_modules", "cdk.out", "__pycache__"];
    let files = ["functions", "tests", "infra/test"]
        .into_iter()
        .flat_map(|folder| files_below(&root.join(folder), &generated).unwrap());
    let sources = files.filter(|file| {
        let extension = file.extension().and_then(|extension| extension.to_str());
        matches!(extension, Some("rs" | "py" | "ts"))
    });
    sources.map(|file| text(&file)).collect()
}

fn steps() -> Vec<Step> {
    let steps = Step::all().unwrap();
    assert!(steps.len() > 9, "only {} functions were found", steps.len());
    steps
}

fn folder(step: &Step) -> PathBuf {
    repository().join("functions").join(&step.folder)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}

fn json(path: &Path) -> Value {
    read_json(path).unwrap().unwrap_or_else(|| panic!("no `{}`", path.display()))
}

fn machine(name: &str) -> Value {
    json(&repository().join(format!("statemachine/{name}.asl.json")))
}

/// The manifests of all crates below `functions/`, by their folders' names.
fn manifests() -> BTreeMap<String, String> {
    let files = files_below(&repository().join("functions"), &["src", "cases"]).unwrap();
    let manifests = files.into_iter().filter(|file| file.ends_with("Cargo.toml"));
    manifests
        .map(|file| {
            let name = file.parent().and_then(Path::file_name).unwrap_or_default();
            (name.to_string_lossy().into_owned(), text(&file))
        })
        .collect()
}

/// The names of all crates that end up in a crate's library or binary.
fn tree(name: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}", "--package", name])
        .current_dir(repository())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`cargo tree` failed: {said}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect()
}

/// All states of a machine, those of branches and iterations included, by name.
fn collect_states(machine: &Value, states: &mut BTreeMap<String, Value>) {
    for (name, state) in machine["States"].as_object().into_iter().flatten() {
        let before = states.insert(name.clone(), state.clone());
        assert!(before.is_none(), "two states are named `{name}`");
        collect_states(&state["ItemProcessor"], states);
        for branch in state["Branches"].as_array().into_iter().flatten() {
            collect_states(branch, states);
        }
    }
}

/// The names in `${Name}`.
fn placeholders(text: &str) -> BTreeSet<String> {
    let parts = text.split("${").skip(1);
    parts.filter_map(|part| Some(part.split_once('}')?.0.to_owned())).collect()
}
