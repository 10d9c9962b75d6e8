use std::collections::BTreeSet;

use incident::{
    Credential, CredentialKind, DenyBy, Failed, Mode, Outcome, Protection, Verdict, one_line,
};
use serde_json::json;

use crate::cause::Said;
use crate::commands::{About, events, search, taken};
use crate::errors::{DENIED_BY_A_ROLE, TAKEN_FOR_ROOT, UNKNOWN, meaning};
use crate::facts::{
    Ending, Facts, Named, Standing, capitalized, denied_before, first_error, given_back,
    has_lost_keys, has_regained, hidden, is_lost, is_retired, is_unclear, is_unknown, key_in,
    named, seen_by, standing,
};
use crate::input::Kind;
use crate::mail::number;
use crate::restore::{EXEMPT, exempt};
use crate::shell::Command;

/// Errors that no redrive gets over.
const HOPELESS: [&str; 2] = ["DenyUnavailable", "States.DataLimitExceeded"];

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) text: String,
    /// What to run, in this order, with whose credentials.
    pub(crate) run: Vec<(Whose, Vec<Command>)>,
}

/// Whose credentials a command takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Of the account that Cordon runs in.
    Security,
    /// Of whoever may have a restore planned.
    Restorer,
    /// Of whoever may take on the role that carries it out.
    RestorerAlone,
    /// Of that role.
    Restoring,
    /// Of a member account.
    Account(String),
    /// Of the account that administers GuardDuty for the organization.
    GuardDuty,
    /// Of the organization's management account, or who administers root access for it.
    Management,
}

impl Step {
    pub(crate) fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), run: Vec::new() }
    }

    pub(crate) fn run(mut self, whose: Whose, commands: Vec<Command>) -> Self {
        if !commands.is_empty() {
            self.run.push((whose, commands));
        }
        self
    }
}

/// What people have to do now, in this order. Of the principals, the first `most` have
/// commands of their own.
pub(crate) fn steps(facts: Facts<'_>, most: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    match facts.ending() {
        Ending::Contained => {
            after_a_containment(facts, most, &mut steps);
            keys_back(facts, most, &mut steps);
        }
        Ending::Retired => {
            let any = facts.input.outcomes.iter().any(has_lost_keys);
            steps.push(Step::of(if any {
                "Nothing at once. Tell the owner, who may have forgotten the keys."
            } else {
                "Nothing: no access key was left to be made inactive."
            }));
            keys_back(facts, most, &mut steps);
        }
        Ending::Observed => after_an_observation(facts, most, &mut steps),
        Ending::Overflow => {
            after_an_overflow(facts, &mut steps);
            if facts.recurrence().is_some() {
                steps.push(Step::of(
                    "The first one was answered before, and is not in that list: look at it by its \
                     id, below.",
                ));
            }
            left_to_people(facts, most, &mut steps);
        }
        Ending::Escalated => left_to_people(facts, most, &mut steps),
        Ending::Abandoned if !facts.has_finding() => steps.push(Step::of(
            "Open the insight in Security Hub, or the list of findings. Select the findings that are \
             meant, at most 20 at a time, and send these to the custom action.",
        )),
        Ending::Abandoned => {
            let by_people = facts.input.outcomes.iter().filter(|it| is_for_people(facts, it));
            of_each(facts, by_people, most, &mut steps, |outcome, steps| {
                by_hand(facts, outcome, steps);
            });
            if steps.is_empty() {
                let text = "Read the finding, and act by hand on whom it names if that is dangerous:";
                steps.push(Step::of(text).run(Whose::Security, vec![the_finding(facts)]));
            }
        }
        _ => after_a_failure(facts, most, &mut steps),
    }
    steps.dedup();
    steps
}

/// What there is to say of each: of the first `most`. The others are named, if there is any
/// more to say of them.
fn of_each<'a>(
    facts: Facts<'_>,
    outcomes: impl Iterator<Item = &'a Outcome>,
    most: usize,
    steps: &mut Vec<Step>,
    say: impl Fn(&'a Outcome, &mut Vec<Step>),
) {
    let mut beyond = Vec::new();
    for (n, outcome) in outcomes.enumerate() {
        if n < most {
            say(outcome, steps);
            continue;
        }
        let mut own = Vec::new();
        say(outcome, &mut own);
        if own.iter().any(|step| !steps.contains(step)) {
            beyond.push(outcome);
        }
    }
    steps.extend(go_on_with(facts, &beyond));
}

/// That those are not done with for whose steps there is no room.
fn go_on_with(facts: Facts<'_>, beyond: &[&Outcome]) -> Option<Step> {
    let names: Vec<String> = beyond.iter().map(|outcome| facts.called(outcome)).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        Step::of(format!("Go on with {names}: there is no room here for what to do about each."))
    })
}

fn after_a_failure(facts: Facts<'_>, most: usize, steps: &mut Vec<Step>) {
    // Whatever failed, an attacker who is in is put out first.
    let out_first = matches!(facts.ending(), Ending::NotContained | Ending::Unclear);
    let is_in = |outcome: &&Outcome| out_first && standing(outcome) == Standing::In;
    let by_people = || left(facts).filter(|outcome| is_for_people(facts, outcome));
    of_each(facts, by_people().filter(is_in), most, steps, |outcome, steps| {
        by_hand(facts, outcome, steps);
    });
    let mut told: Vec<(&str, &str)> = Vec::new();
    if let Some(failed) = &facts.input.failure {
        told.push((&failed.error, ""));
        steps.push(of_a_step(facts, failed));
    }
    let mut beyond: Vec<&Outcome> = Vec::new();
    for outcome in left(facts) {
        for failed in causes(outcome) {
            // Two principals that fail at one step for one reason are mended once.
            let principal = match failed.error.as_str() {
                error if is_about_one(error) => outcome.resource.as_str(),
                _ if is_denied_by_a_role(failed) => "protected",
                _ => "",
            };
            if told.contains(&(&failed.error, principal)) {
                continue;
            }
            if told.len() >= most + 4 && !principal.is_empty() {
                beyond.push(outcome);
                continue;
            }
            told.push((&failed.error, principal));
            let step = of_a_principal(facts, outcome, failed);
            if !steps.contains(&step) {
                steps.push(step);
            }
        }
    }
    beyond.dedup();
    steps.extend(go_on_with(facts, &beyond));
    let is_unread = facts.input.failure.is_none()
        && left(facts).any(|one| one.failures.is_empty() && one.verdict == Verdict::Pending);
    if is_unread {
        let meaning = meaning("NotContained").unwrap_or(UNKNOWN);
        steps.push(Step::of(meaning.todo));
    }
    let redriven = facts.ending() != Ending::UnknownFinding && !is_hopeless(facts);
    if redriven {
        steps.push(redrive(facts));
    }
    let before = steps.len();
    of_each(facts, by_people().filter(|outcome| !is_in(outcome)), most, steps, |outcome, steps| {
        by_hand(facts, outcome, steps);
    });
    if facts.ending() == Ending::Failed {
        by_hand_for_names(facts, steps);
    }
    if redriven
        && steps.len() > before
        && let Some(first) = steps.get_mut(before)
    {
        let policy = "service control policy";
        let refuses = |failed: &Failed| failed.cause.contains(policy);
        let exempt = if left(facts).flat_map(causes).any(refuses) {
            " The service control policy refuses others, too, unless it exempts them."
        } else {
            ""
        };
        first.text = format!("If that can't be mended soon, act by hand.{exempt} {}", first.text);
    }
    if facts.fresh().any(|one| one.verdict == Verdict::Contained) {
        after_a_containment(facts, most, steps);
    }
}

/// Whether something failed, and nothing of it is such that a redrive gets over it.
pub(crate) fn is_hopeless(facts: Facts<'_>) -> bool {
    let failed = facts.input.failure.iter().chain(left(facts).flat_map(causes));
    let mut errors = failed.map(|failed| failed.error.as_str()).peekable();
    errors.peek().is_some() && errors.all(|error| HOPELESS.contains(&error))
}

/// What failed, without what failed only in consequence.
fn causes(outcome: &Outcome) -> impl Iterator<Item = &Failed> {
    let consequences = ["BoundaryMissing", "DenyMissing", "NotContained"];
    let first = |failed: &Failed| ["AssumeRole", "Quarantine"].contains(&failed.state.as_str());
    let explained = outcome.failures.iter().any(first);
    outcome.failures.iter().filter(move |failed| {
        first(failed) || !explained || !consequences.contains(&failed.error.as_str())
    })
}

/// Those who are not dealt with, the worst first.
fn left(facts: Facts<'_>) -> impl Iterator<Item = &Outcome> {
    facts
        .sorted()
        .into_iter()
        .filter(|one| matches!(one.verdict, Verdict::Pending | Verdict::Escalated))
}

/// Whether what is to be done hangs on the principal.
fn is_about_one(error: &str) -> bool {
    error.starts_with("Principal") || incident::Refusal::ALL.iter().any(|it| it.name() == error)
}

fn redrive(facts: Facts<'_>) -> Step {
    let command = Command::aws("stepfunctions redrive-execution", facts.region())
        .with("--execution-arn", facts.execution().arn());
    let text = if facts.observes() {
        "Then redrive the execution, within 14 days. It observes again, unless the mode was changed \
         by then."
    } else {
        "Then redrive the execution, within 14 days. It goes by the response policy of that day, \
         reads back what was done, and does what is left."
    };
    Step::of(text).run(Whose::Security, vec![command])
}

/// What to do about a step of the whole incident.
fn of_a_step(facts: Facts<'_>, failed: &Failed) -> Step {
    let meaning = meaning(&failed.error).unwrap_or(UNKNOWN);
    let region = facts.region();
    let commands = match failed.error.as_str() {
        "ResponsePolicyInvalid" => vec![
            Command::aws("ssm get-parameter", region).with("--name", "/cordon/response-policy"),
        ],
        error if error.contains("ParameterNotFound") => vec![
            Command::make("deploy"),
            Command::aws("ssm put-parameter", region)
                .with("--name", "/cordon/response-policy")
                .with("--type", "String")
                .with("--value", r#"{"mode":"observe"}"#),
        ],
        _ if failed.state == "Principals" => vec![
            Command::aws("stepfunctions get-execution-history", region)
                .with("--execution-arn", facts.execution().arn()),
        ],
        "FindingNotFound" => vec![
            Command::aws("stepfunctions describe-execution", region)
                .with("--execution-arn", facts.execution().arn()),
            events(region, "EventName", "StartExecution"),
        ],
        _ => Vec::new(),
    };
    let text = match failed.state.as_str() {
        "Principals" => format!("{} What each step did stands in its history:", meaning.todo),
        _ if failed.error == "AccessDenied" => refused(failed),
        _ => meaning.todo.to_owned(),
    };
    Step::of(text).run(Whose::Security, commands)
}

/// What the finding is about was done in its Region, which is not always Cordon's.
fn calls_by(facts: Facts<'_>, key: &str) -> Command {
    events(facts.finding_region().unwrap_or(facts.region()), "AccessKeyId", key)
}

/// By what CloudTrail finds what a user did; and who assumed a role, and who changed it.
///
/// Source: CloudTrail User Guide, "Viewing recent management events with the AWS CLI". What a role
/// did bears its sessions' names; `AssumeRole` has the role's ARN, and IAM's own calls its name.
fn traces(facts: Facts<'_>, named: &Named) -> Vec<Command> {
    let global = facts.global_region();
    if named.kind == incident::Kind::User {
        return vec![events(global, "Username", &named.name)];
    }
    let region = facts.finding_region().unwrap_or(facts.region());
    let assumed = Some(&named.arn).filter(|arn| arn.starts_with("arn:"));
    let assumed = assumed.map(|arn| events(region, "ResourceName", arn));
    assumed.into_iter().chain([events(global, "ResourceName", &named.name)]).collect()
}

/// Says of a step that asks what a key did, or who assumed a role, that this is for one Region,
/// and not for the finding's where that is not known; and what the look-ups of a role find.
fn in_its_region(facts: Facts<'_>, step: Step) -> Step {
    let asks = |by: &str| {
        let mut commands = step.run.iter().flat_map(|(_, commands)| commands);
        commands.any(|command| command.line().is_some_and(|line| line.contains(by)))
    };
    let known = "The finding does not tell its Region";
    let each = "CloudTrail answers for one Region at a time";
    let by_key = asks(r#""AttributeKey":"AccessKeyId""#);
    let by_role = asks(r#""AttributeKey":"ResourceName","AttributeValue":"arn:"#);
    if step.text.starts_with(known) || !(by_key || by_role) {
        return step;
    }
    let (bare, end) = match step.text.strip_suffix(':') {
        Some(text) => (text, ":"),
        None => (step.text.trim_end_matches('.'), "."),
    };
    let text = match end {
        _ if bare.contains(each) => bare.to_owned(),
        ":" => format!("{bare} ({each})"),
        _ => format!("{} {each}", step.text),
    };
    let of_a_role = if by_role {
        ". A look-up by the role's ARN finds who assumed it, and each session's access key; by \
         that key, what the session did; by the role's name, who changed the role"
    } else {
        ""
    };
    let text = format!("{text}{of_a_role}{end}");
    let asked = if by_key { "what the key did" } else { "who assumed the role" };
    let text = match facts.finding_region() {
        Some(_) => text,
        None => {
            format!("{known}: to ask {asked}, use that in place of {}. {text}", facts.region())
        }
    };
    Step { text, ..step }
}

/// What to do about what failed for a principal, or about why it is left to people.
fn of_a_principal(facts: Facts<'_>, outcome: &Outcome, failed: &Failed) -> Step {
    let meaning = meaning(&failed.error).unwrap_or(UNKNOWN);
    if facts.is_elsewhere(outcome) && meaning.todo.ends_with(':') {
        return Step::of(self::meaning("Elsewhere").unwrap_or(UNKNOWN).todo);
    }
    if failed.error == "RolesNotContained"
        && let Some(known) = facts.protection(outcome)
    {
        return of_the_claimed(facts, outcome, &known);
    }
    if failed.error == "PrincipalExempt" {
        return of_the_exempt(facts, failed);
    }
    in_its_region(facts, by_its_error(facts, outcome, failed))
}

/// The roles of the account that let their steps' functions not in.
fn closed(facts: Facts<'_>, outcome: &Outcome) -> BTreeSet<String> {
    let failed = left(facts).filter(|one| one.account == outcome.account).flat_map(causes);
    let failed = failed.filter(|failed| failed.error == "EntryRefused");
    failed.map(|failed| format!("SecurityRemediation-{}", function(&failed.state))).collect()
}

fn by_its_error(facts: Facts<'_>, outcome: &Outcome, failed: &Failed) -> Step {
    let error = failed.error.as_str();
    let meaning = meaning(error).unwrap_or(UNKNOWN);
    let (region, global) = (facts.region(), facts.global_region());
    let account = Whose::Account(outcome.account.to_string());
    let is_here = !facts.is_elsewhere(outcome);
    let session = facts.session(outcome).filter(|_| is_here);
    let given = key_in(&outcome.resource).filter(|_| is_here && session.is_none());
    let key = session.and_then(|session| session.key.as_deref()).or(given);
    let of_key = || -> Vec<Command> { key.map(|key| calls_by(facts, key)).into_iter().collect() };
    let named = named(outcome).filter(|_| is_here);
    let about = named.as_ref().map(|named| About::of(facts, named));
    let name = about.map(|about| about.name);
    if error == "PrincipalVanished"
        && let Some(step) =
            of_the_hidden(facts, outcome).or_else(|| of_the_restless(facts, outcome, failed))
    {
        return step;
    }
    match error {
        "PrincipalProtected" => of_the_protected(facts, outcome, failed),
        "AccessDenied" => Step::of(refused(failed)),
        "PrincipalMayBeImpostor" => {
            let made = name.map(|name| events(global, "ResourceName", name));
            let commands = about.map(About::get).into_iter().chain(made).collect();
            Step::of(meaning.todo).run(account, commands)
        }
        "EntryRefused" => {
            let look =
                |role: &String| Command::aws("iam get-role", region).with("--role-name", role);
            Step::of(meaning.todo).run(account, closed(facts, outcome).iter().map(look).collect())
        }
        "DenyNotVisible" => {
            let command = name.map(|name| events(global, "ResourceName", name));
            Step::of(meaning.todo).run(account, command.into_iter().collect())
        }
        "PrincipalNotFound" | "PrincipalMismatch" | "PrincipalVanished" => {
            let id = id_in(&failed.cause).or(outcome.principal.as_ref().map(|one| one.id.as_str()));
            let id = id.map(|id| search(region, id));
            let changed = name.map(|name| events(global, "ResourceName", name));
            let did = key.filter(|_| name.is_none());
            let did = did.map(|key| calls_by(facts, key));
            let commands = id.into_iter().chain(changed).chain(did).collect();
            Step::of(meaning.todo).run(account, commands)
        }
        "RootUser" if facts.taken_for_root(outcome) => {
            let seen = named.iter().flat_map(|named| traces(facts, named));
            of_taken_for_root(facts, outcome, of_key().into_iter().chain(seen).collect())
        }
        "RootKey" => of_a_root_key(facts, outcome, key),
        "RootUser" => of_a_root_key(facts, outcome, None),
        "RootMfa" => {
            let command = Command::aws("iam get-account-summary", region);
            Step::of(meaning.todo).run(account, vec![command])
        }
        "FederatedSession" => {
            let mut commands: Vec<Command> = of_key();
            let region = facts.finding_region().unwrap_or(region);
            commands.push(events(region, "EventName", "GetFederationToken"));
            Step::of(meaning.todo).run(account, commands)
        }
        "UnknownKey" => {
            let last = key.filter(|key| key.starts_with("AKIA")).map(|key| last_used(region, key));
            let commands = last.into_iter().chain(of_key()).collect();
            Step::of(meaning.todo).run(account, commands)
        }
        "RolesNotContained" => {
            let role = session.and_then(|session| session.role.as_deref()).or(name);
            let revoke = role.map(|name| {
                About::named(facts.execution(), incident::Kind::Role, name).revoke(&facts.input.now)
            });
            Step::of(meaning.todo).run(account, of_key().into_iter().chain(revoke).collect())
        }
        "RootSession" | "NoUniqueId" | "Unnamed" | "Contradictory" => {
            let id = id_in(&failed.cause).map(|id| search(region, id));
            Step::of(meaning.todo).run(account, id.into_iter().chain(of_key()).collect())
        }
        "UnusualBehavior" | "MayBeIntended" | "NoRule" | "LeftByPolicy" => {
            let seen = named.iter().flat_map(|named| traces(facts, named));
            let seen = of_key().into_iter().chain(seen).collect();
            Step::of(meaning.todo).run(account, seen)
        }
        "ExposedKey" => of_an_exposed_key(facts, outcome, key),
        "WidePolicy" => Step::of(meaning.todo).run(account, of_a_policy(facts, outcome)),
        "KeyStillActive" => Step::of(meaning.todo).run(account, last_uses(facts, outcome, about)),
        "RecurrenceUnclear" => {
            Step::of(meaning.todo).run(account, done_since(facts, outcome, named.as_ref()))
        }
        "UnusedPassword" => {
            let command = about.map(About::delete_password);
            Step::of(meaning.todo).run(account, command.into_iter().collect())
        }
        _ => Step::of(meaning.todo),
    }
}

/// When the keys of a user were last used.
fn last_uses(facts: Facts<'_>, outcome: &Outcome, about: Option<About<'_>>) -> Vec<Command> {
    let keys = outcome.principal.iter().flat_map(|one| &one.access_keys);
    let used = keys.take(2).map(|key| last_used(facts.region(), key));
    about.and_then(About::list_keys).into_iter().chain(used).collect()
}

/// What a principal did, and what was done to it.
fn done_since(facts: Facts<'_>, outcome: &Outcome, named: Option<&Named>) -> Vec<Command> {
    let keys = outcome.principal.iter().flat_map(|one| &one.access_keys);
    let mut commands: Vec<Command> = keys.map(|key| calls_by(facts, key)).collect();
    if let Some(named) = named {
        commands.extend(traces(facts, named));
        commands.push(events(facts.global_region(), "ResourceName", &named.name));
    }
    commands.dedup();
    commands
}

/// What to do about a call that AWS refuses.
pub(crate) fn refused(failed: &Failed) -> String {
    if is_denied_by_a_role(failed) {
        return DENIED_BY_A_ROLE.to_owned();
    }
    let call = Said::of(failed).call.unwrap_or_default();
    let more = match call.split(':').next() {
        Some("s3" | "kms") => {
            " It may also be the policy of the evidence bucket or of its key, or that they are gone."
        }
        Some("securityhub") => {
            " Or this account is no administrator of Security Hub for the finding's any more."
        }
        _ => "",
    };
    format!("{}{more}", meaning("AccessDenied").unwrap_or(UNKNOWN).todo)
}

/// Whether it is a policy of a role of ours that denies a call about the principal, as it does of
/// whom the configuration protects.
fn is_denied_by_a_role(failed: &Failed) -> bool {
    let is_of_iam = Said::of(failed).call.is_some_and(|call| call.starts_with("iam:"));
    let phrase = "explicit deny in an identity-based policy";
    failed.error == "AccessDenied" && is_of_iam && failed.cause.contains(phrase)
}

/// Whom the response policy exempts. For a while it may be by an earlier mail's own advice.
fn of_the_exempt(facts: Facts<'_>, failed: &Failed) -> Step {
    let todo = meaning("PrincipalExempt").unwrap_or(UNKNOWN).todo;
    let words = Said::of(failed).words;
    let pattern =
        words.rsplit_once("` matches `").and_then(|(_, pattern)| pattern.strip_suffix('`'));
    let Some(pattern) = pattern.filter(|_| words.contains("exempts it until ")) else {
        return Step::of(todo);
    };
    let end = Command::make("policy").set("SET", &format!("exemptPrincipals-={pattern}"));
    let then = if facts.observes() {
        "it counts like any other"
    } else if facts.without_cspm() {
        "Cordon contains it with the next finding about it"
    } else {
        "Cordon contains it once you send this finding to the custom action, or with the next one \
         about it"
    };
    let text = format!(
        "{todo} Or end the exemption now, which may be of others, too. Unless another one matches, \
         {then}:"
    );
    Step::of(text).run(Whose::Security, vec![end])
}

/// What people do about credentials that were found where they should not be.
fn of_an_exposed_key(facts: Facts<'_>, outcome: &Outcome, key: Option<&str>) -> Step {
    let account = Whose::Account(outcome.account.to_string());
    let is_of_health = facts.input.finding.product_arn.ends_with("/aws/health");
    let long_term = key.filter(|key| key.starts_with("AKIA"));
    if is_of_health && long_term.is_none() {
        return Step::of(
            "See whose credentials they are: in AWS Health's console, in the account's event log, \
             or by its API, which takes a support plan:",
        )
        .run(account, vec![of_health(facts.global_region(), &facts.input.finding.label)]);
    }
    let last = long_term.map(|key| last_used(facts.region(), key));
    let did = key.map(|key| calls_by(facts, key));
    let named = named(outcome);
    let seen = named.iter().filter(|_| key.is_none()).flat_map(|named| traces(facts, named));
    let commands: Vec<Command> = last.into_iter().chain(did).chain(seen).collect();
    let todo = meaning("ExposedKey").unwrap_or(UNKNOWN).todo;
    if commands.is_empty() {
        return Step::of(format!("{}.", todo.trim_end_matches(':')));
    }
    Step::of(todo).run(account, commands)
}

/// What people do about a user or a role that a rule has taken for root.
fn of_taken_for_root(facts: Facts<'_>, outcome: &Outcome, seen: Vec<Command>) -> Step {
    let region = facts.region();
    let key = facts.session(outcome).and_then(|session| session.key.as_deref());
    let last = key.filter(|key| key.starts_with("AKIA")).map(|key| last_used(region, key));
    let root = Command::aws("iam get-account-summary", region);
    let commands = last.into_iter().chain(seen).chain([root]).collect();
    Step::of(TAKEN_FOR_ROOT.todo).run(Whose::Account(outcome.account.to_string()), commands)
}

/// Whose a long-term key is.
fn last_used(region: &str, key: &str) -> Command {
    Command::aws("iam get-access-key-last-used", region).with("--access-key-id", key)
}

/// What AWS Health tells the account: which credentials its event is about, or where that is not
/// known, which events there are.
///
/// Source: AWS Health API Reference, `DescribeAffectedEntities`, `DescribeEvents`.
fn of_health(region: &str, finding: &str) -> Command {
    match event_of_health(finding) {
        Some(arn) => Command::aws("health describe-affected-entities", region)
            .with("--filter", &format!(r#"{{"eventArns":["{arn}"]}}"#)),
        None => Command::aws("health describe-events", region)
            .with("--filter", r#"{"services":["RISK"]}"#),
    }
}

/// The ARN of the event, of which a finding's id has the account and more at its end.
///
/// Source: AWS Health API Reference, `Event` (`arn`).
fn event_of_health(finding: &str) -> Option<String> {
    let mut parts = finding.splitn(6, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, _account, event) = (parts.next()?, parts.next()?, parts.next()?);
    let event: Vec<&str> = event.split('/').take(4).collect();
    let plain = |part: &&str| {
        let mut all = part.chars();
        !part.is_empty() && all.all(|one| one.is_ascii_alphanumeric() || "_-".contains(one))
    };
    let sound = (arn, service) == ("arn", "health")
        && event.len() == 4
        && event.first() == Some(&"event")
        && event.iter().chain([&partition, &region]).all(plain);
    sound.then(|| format!("arn:{partition}:health:{region}::{}", event.join("/")))
}

/// Whom no machine contains. What people may do instead hangs on why.
fn of_the_protected(facts: Facts<'_>, outcome: &Outcome, failed: &Failed) -> Step {
    let is = |text: &str| failed.cause.contains(text) || outcome.resource.contains(text);
    let account = Whose::Account(outcome.account.to_string());
    let person = facts.session(outcome).and_then(|session| session.name.as_deref());
    if let Some(text) = of_a_role_of_aws(is, person) {
        return Step::of(capitalized(&text));
    }
    if is("root user") {
        return of_a_root_key(facts, outcome, None);
    }
    let named = named(outcome).filter(|_| !facts.is_elsewhere(outcome));
    let revoke = named.as_ref().map(|named| About::of(facts, named).revoke(&facts.input.now));
    Step::of(
        "AWS or your organization enters the account through it: contained, it locks you out. End \
         its sessions instead, and find out who used it.",
    )
    .run(account, revoke.into_iter().collect())
}

/// What people do about a role that only AWS can change, as the rest of a sentence.
fn of_a_role_of_aws(is: impl Fn(&str) -> bool, person: Option<&str>) -> Option<String> {
    if is("/aws-reserved/") {
        let who = person.map_or_else(|| "the person".to_owned(), |name| format!("`{name}`"));
        return Some(format!(
            "IAM Identity Center manages this role, and nobody else can change it. In Identity \
             Center, disable {who}, end that person's sessions, and take the assignment away."
        ));
    }
    is("/aws-service-role/").then(|| {
        "an AWS service owns this role, and nobody else can change it. Find out in that service \
         what makes it act, and stop that."
            .to_owned()
    })
}

/// The same of a role that nobody has looked up, and that its name protects if it is genuine.
fn of_the_claimed(facts: Facts<'_>, outcome: &Outcome, known: &Protection) -> Step {
    let session = facts.session(outcome);
    let named = named(outcome);
    let role = named.as_ref().map(|named| named.name.as_str());
    let role = role.or(facts.role_by_the_finding(outcome));
    let person = session.and_then(|session| session.name.as_deref());
    let (text, looks) = of_a_protected_name(facts, known, role, person);
    let key = session.and_then(|session| session.key.as_deref());
    let did = key.map(|key| calls_by(facts, key));
    let account = Whose::Account(outcome.account.to_string());
    in_its_region(facts, Step::of(text).run(account, did.into_iter().chain(looks).collect()))
}

fn of_a_protected_name(
    facts: Facts<'_>,
    known: &Protection,
    role: Option<&str>,
    person: Option<&str>,
) -> (String, Vec<Command>) {
    let is = |text: &str| known.resource.contains(text);
    if let Some(text) = of_a_role_of_aws(is, person) {
        return (format!("If its name is genuine, {text}"), Vec::new());
    }
    let todo = meaning("PrincipalMayBeImpostor").unwrap_or(UNKNOWN).todo;
    let text = format!("By its name no machine is to contain it: {}. {todo}", known.reason);
    let looks = role.map_or_else(Vec::new, |name| {
        let about = About::named(facts.execution(), incident::Kind::Role, name);
        vec![about.get(), events(facts.global_region(), "ResourceName", name)]
    });
    (text, looks)
}

/// Root's keys are deleted with root's own credentials, which the management account may
/// lend for that alone.
///
/// Sources: STS API Reference, `AssumeRoot`; IAM User Guide, "Perform a privileged task on
/// a member account".
fn of_a_root_key(facts: Facts<'_>, outcome: &Outcome, key: Option<&str>) -> Step {
    let region = facts.region();
    let partition = facts.execution().partition();
    let task = format!(
        "arn={}",
        format_args!("arn:{partition}:iam::aws:policy/root-task/IAMDeleteRootUserCredentials")
    );
    let assume = Command::aws("sts assume-root", region)
        .with("--target-principal", outcome.account.as_str())
        .with("--task-policy-arn", &task);
    let mut with_root = vec![Command::aws("iam list-access-keys", region)];
    with_root.extend(
        key.map(|key| Command::aws("iam delete-access-key", region).with("--access-key-id", key)),
    );
    let mut seen: Vec<Command> = key.map(|key| calls_by(facts, key)).into_iter().collect();
    seen.push(events(facts.global_region(), "Username", "root"));
    Step::of(
        "Take the root user's key away. The first command lends root's credentials for that, if \
         your organization manages root access centrally; otherwise sign in as root. Then, with \
         root's credentials, list the keys and delete those that you do not know. Last, see in \
         CloudTrail what root did, change its password, and check its MFA devices and the account's \
         contacts.",
    )
    .run(Whose::Management, vec![assume])
    .run(Whose::Account(format!("{} (root)", outcome.account)), with_root)
    .run(Whose::Account(outcome.account.to_string()), seen)
}

fn of_a_policy(facts: Facts<'_>, outcome: &Outcome) -> Vec<Command> {
    let arn = outcome.resource.as_str();
    if !arn.starts_with("arn:") {
        return Vec::new();
    }
    let of = |operation| Command::aws(operation, facts.region()).with("--policy-arn", arn);
    vec![of("iam get-policy"), of("iam list-entities-for-policy")]
}

/// The function that a state calls, which several do under names of their own.
fn function(state: &str) -> &str {
    match state {
        "ReplaceBoundary" => "Quarantine",
        "DetachRolePolicies" => "DetachPolicies",
        "RetireCredentials" => "DeactivateKeys",
        "PreserveLeft" | "Observe" => "Preserve",
        state => state,
    }
}

/// The unique id that a failure gives the search for.
fn id_in(cause: &str) -> Option<&str> {
    let (_, rest) = cause.rsplit_once(" of the id `")?;
    let (id, _) = rest.split_once('`')?;
    let is_id = (16..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    is_id.then_some(id)
}

/// What a person does in the machine's place, as far as the facts allow it.
fn by_hand(facts: Facts<'_>, outcome: &Outcome, steps: &mut Vec<Step>) {
    if facts.is_elsewhere(outcome) {
        return;
    }
    if let Some(known) = facts.protection(outcome) {
        let step = of_the_claimed(facts, outcome, &known);
        if !steps.contains(&step) {
            steps.push(step);
        }
        if !known.impostor {
            return;
        }
    }
    let hidden = hidden(outcome);
    // Under its name may be somebody else by now.
    let lost = ["PrincipalVanished", "PrincipalNotFound", "PrincipalMismatch"];
    let lost = outcome.failures.iter().any(|failed| lost.contains(&failed.error.as_str()));
    if lost && hidden.is_none() {
        steps.extend(of_the_vanished(facts, outcome));
        return;
    }
    let named = hidden.or_else(|| named(outcome)).or_else(|| facts.user_by_the_finding(outcome));
    let Some(named) = named else { return };
    let about = About::of(facts, &named);
    let account = Whose::Account(outcome.account.to_string());
    let who = format!("the {} `{}`", named.kind.noun(), one_line(&named.name, 128));
    let left = outcome.read_back.as_ref().map(|read| &read.left).filter(|left| !left.is_empty());
    if is_retired(outcome) {
        return;
    }
    if outcome.unused_days.is_some() {
        let commands =
            left.map(|left| about.take(left, outcome.evidence.is_some())).unwrap_or_default();
        let commands =
            if commands.is_empty() { about.list_keys().into_iter().collect() } else { commands };
        let text = match left {
            Some(_) => format!("Make the unused keys of {who} inactive:"),
            None => format!("Look at the keys of {who}:"),
        };
        steps.push(Step::of(text).run(account, commands));
        return;
    }
    match (standing(outcome), left) {
        _ if matches!(outcome.verdict, Verdict::Contained | Verdict::Retired) => {}
        (Standing::Out, None) => {}
        (Standing::Out, Some(left)) => {
            let commands = about.take(left, outcome.evidence.is_some());
            let text = if outcome.evidence.is_none() {
                format!(
                    "Make the keys of {who} inactive. Take nothing else without evidence of it:"
                )
            } else {
                let shown = commands.len() - taken(left);
                let all = if taken(left) < left.len() { "; this is not all of it" } else { "" };
                let keep = if shown > 0 {
                    " Save what the first of these commands print, before you run the others: a \
                     policy that was made after the evidence was stored is in no evidence."
                } else {
                    ""
                };
                if keep.is_empty() {
                    format!("Take from {who} what it has left{all}:")
                } else {
                    format!("Take from {who} what it has left{all}.{keep}")
                }
            };
            steps.push(Step::of(text).run(account, commands));
        }
        (Standing::Denied, _) => {
            steps.push(see_the_deny(&who, about, account.clone()));
            if first_error(outcome) == "PrincipalExempt" {
                steps.extend(what_was_taken(facts, outcome));
                steps.extend(out_of_the_deny(facts, outcome, about, account.clone()));
            }
            if outcome.verdict == Verdict::Pending {
                let step = containing(facts, outcome, about);
                let text = match step.text.strip_prefix("Deny") {
                    Some(rest) => format!("If it does not, deny{rest}"),
                    None => format!("If it does not: {}", step.text),
                };
                steps.push(Step { text, ..step });
            }
        }
        (Standing::In, _) => {
            if is_unclear(outcome) && facts.ending() != Ending::NotContained {
                steps.push(see_the_deny(&who, about, account));
            }
            steps.push(containing(facts, outcome, about));
        }
    }
}

/// How an exempt principal gets out of a deny, whoever put that there.
fn out_of_the_deny(
    facts: Facts<'_>,
    outcome: &Outcome,
    about: About<'_>,
    account: Whose,
) -> Vec<Step> {
    if outcome.evidence.is_some() && !denied_before(outcome) {
        let who = if outcome.unknown { "Maybe Cordon" } else { "Cordon" };
        let text = format!(
            "{who} put the deny there before this redrive. If no attacker uses it, have the way back \
             planned, where Cordon's sources are. That changes nothing:"
        );
        return vec![Step::of(text).run(Whose::Restorer, vec![plan_of_restore(facts, outcome)])];
    }
    let is_boundary = seen_by(outcome) == Some(DenyBy::Boundary)
        || outcome.denial.as_ref().is_some_and(|denial| denial.boundary);
    let is_attached = seen_by(outcome) != Some(DenyBy::Boundary);
    let attached = is_attached.then(|| about.policy(&facts.deny(), false));
    let boundary = is_boundary.then(|| about.boundary(None));
    let who = if is_lost(outcome) { " (maybe Cordon, before this redrive)" } else { "" };
    let text = format!(
        "Once it is known who put the deny there{who}, and that no attacker uses it, take it away. \
         The boundary that it had before, if any, does not come back by that:"
    );
    let commands = attached.into_iter().chain(boundary).collect();
    let mut steps = vec![Step::of(text).run(account.clone(), commands)];
    if is_lost(outcome) && !is_boundary {
        let text = "Only where `get` above shows AWSDenyAll as its permissions boundary, take that \
                    away, too. Any other boundary is its own:";
        let get = match about.kind {
            incident::Kind::User => "get-user",
            incident::Kind::Role => "get-role",
        };
        let text = text.replace("`get`", &format!("`{get}`"));
        steps.push(Step::of(text).run(account, vec![about.boundary(None)]));
    }
    steps
}

fn see_the_deny(who: &str, about: About<'_>, account: Whose) -> Step {
    let text = format!("See whether the deny stands on {who} (AWSDenyAll):");
    Step::of(text).run(account, vec![about.get(), about.list_attached()])
}

/// Whether no more policies can be attached, and the boundary is the customer's, or refused: by
/// Quarantine's own word, or since it fails at the boundary only where there is no room.
fn has_no_room_beside_its_boundary(outcome: &Outcome) -> bool {
    let at_the_boundary = |failed: &incident::Failed| {
        let call = Said::of(failed).call;
        failed.state == "Quarantine"
            && call.is_some_and(|call| call.ends_with("PermissionsBoundary"))
    };
    outcome.denial.as_ref().is_some_and(|denial| denial.by.is_none())
        || outcome.failures.iter().any(at_the_boundary)
}

/// Whether Quarantine could put the deny there as the boundary alone.
fn is_by_boundary(outcome: &Outcome) -> bool {
    outcome.denial.as_ref().is_some_and(|denial| denial.by == Some(DenyBy::Boundary))
}

/// Whether it is known of a user that it has no access key that is active.
fn has_no_keys(outcome: &Outcome) -> bool {
    let had = outcome.evidence.as_ref().and_then(|proof| proof.had.as_ref());
    let found = outcome.identified_by.as_ref().and(outcome.principal.as_ref());
    had.is_some_and(|had| had.credentials.is_empty())
        || found.is_some_and(|found| found.access_keys.is_empty())
}

/// How the keys of a user become inactive whose ids nobody has read.
const EACH_KEY: &str = " Then make its keys inactive: the last two commands take the first that \
     is active, and show all. Run both again until none of them is Active; an error about the \
     length of `accessKeyId` says that none is.";

fn each_key(about: About<'_>) -> impl Iterator<Item = Command> {
    about.deactivate_first_key().into_iter().chain(about.list_keys())
}

/// Denies a principal everything by hand.
fn containing(facts: Facts<'_>, outcome: &Outcome, about: About<'_>) -> Step {
    let failed = |error: &str| outcome.failures.iter().any(|one| one.error == error);
    let mut commands = about.deny();
    if failed("DenyUnavailable") || has_no_room_beside_its_boundary(outcome) {
        commands = vec![about.deny_inline()];
    } else if failed("LimitExceeded") || is_by_boundary(outcome) {
        // No more policies fit: the boundary has no such limit.
        commands.remove(0);
    } else {
        commands.truncate(1);
    }
    let known: Vec<Command> =
        keys(facts, outcome).iter().map(|key| about.set(key, "Inactive")).collect();
    let is_read = outcome.read_back.is_some();
    let claimed = named(outcome).is_none();
    let may_have_keys = !is_read && !has_no_keys(outcome);
    let more = match about.kind {
        incident::Kind::User if is_read => "",
        incident::Kind::User if known.is_empty() && !may_have_keys => "",
        incident::Kind::User if known.is_empty() => EACH_KEY,
        incident::Kind::User => " Then make its keys inactive.",
        incident::Kind::Role => " That ends all of its sessions, of whoever uses it.",
    };
    // Temporary ones are in no list.
    let is_listed = claimed && !known.is_empty();
    if is_listed {
        commands.splice(0..0, about.list_keys());
    } else if may_have_keys && known.is_empty() {
        commands.extend(each_key(about));
    } else if !is_read && outcome.principal.is_none() {
        commands.extend(about.list_keys());
    }
    commands.extend(known);
    let noun = about.kind.noun();
    let who = format!("the {noun} `{}`", one_line(about.name, 128));
    let of = match outcome.verdict {
        _ if facts.observes() => "To contain it by hand, deny",
        _ if failed("PrincipalMayBeImpostor") || facts.protection(outcome).is_some() => {
            "If it is an impostor, deny"
        }
        _ if outcome.failures.iter().any(is_denied_by_a_role) => {
            "Where the configuration does not protect it, or it is an impostor, deny"
        }
        Verdict::Escalated => "If it is dangerous, deny",
        // Whether it may be contained at all AssumeRole has said, and its answer is lost.
        _ if is_unknown(outcome) => "If it does not, and nothing exempts or protects it, deny",
        _ if outcome.principal.is_none() => "If nothing exempts or protects it, deny",
        _ => "Deny",
    };
    let text = if is_listed {
        format!(
            "The finding says that the key is one of {who}. The first command shows whether it is. \
             If so, and if it is dangerous, deny the {noun} everything.{more}"
        )
    } else if claimed {
        format!(
            "The finding says that the key is a temporary one of {who}, which only CloudTrail \
             knows. If it is, and if it is dangerous, deny the {noun} everything.{more}"
        )
    } else {
        format!("{of} {who} everything.{more}")
    };
    Step::of(text).run(Whose::Account(outcome.account.to_string()), commands)
}

/// The same for whom the finding names by its own word, where nobody has judged it.
fn by_hand_for_names(facts: Facts<'_>, steps: &mut Vec<Step>) {
    let (Some(names), Some(account), true) =
        (&facts.input.finding.names, facts.account(), facts.input.outcomes.is_empty())
    else {
        return;
    };
    // The machine cuts the list, maybe within an ARN, and then makes it printable.
    let is_cut = names.len() >= 512 || names.contains('?');
    let names = if is_cut { names.rsplit_once(", ").map_or("", |(whole, _)| whole) } else { names };
    let arns = names.split(", ").filter_map(|name| incident::PrincipalArn::parse(name).ok());
    let is_key = |arn: &incident::PrincipalArn<'_>| {
        arn.resource == "user" && arn.path.ends_with("/access-key/")
    };
    let here = arns.filter(|arn| arn.account == account.as_str() && !is_key(arn));
    let (here, beyond): (Vec<_>, Vec<_>) = here.enumerate().partition(|(n, _)| *n < 4);
    for (_, arn) in here {
        let kind = if arn.resource == "user" { incident::Kind::User } else { incident::Kind::Role };
        let account = Whose::Account(account.to_string());
        if let Some(known) = facts.protection_of(&arn) {
            let (text, looks) = of_a_protected_name(facts, &known, Some(arn.name), None);
            let text = format!("The finding names the role `{}`. {text}", arn.name);
            steps.push(Step::of(text).run(account, looks));
            continue;
        }
        let about = About::named(facts.execution(), kind, arn.name);
        let mut commands = about.deny();
        commands.truncate(1);
        commands.extend(each_key(about));
        let more = if kind == incident::Kind::User { EACH_KEY } else { "" };
        steps.push(
            Step::of(format!(
                "The finding names the {} `{}`. If it accuses that one of an attack and is right, and \
                 nothing exempts or protects it, deny that one everything.{more}",
                kind.noun(),
                arn.name
            ))
            .run(account, commands),
        );
    }
    if !beyond.is_empty() {
        let names: Vec<_> = beyond.iter().map(|(_, arn)| format!("`{}`", arn.name)).collect();
        steps.push(Step::of(format!("The same of {}, which it names too.", names.join(", "))));
    }
}

/// The keys that are active, as far as is known; by the finding's word where nobody has
/// looked.
fn keys(facts: Facts<'_>, outcome: &Outcome) -> Vec<Credential> {
    if let Some(read) = &outcome.read_back {
        return read.left.credentials.first.clone();
    }
    if let Some(had) = outcome.evidence.as_ref().and_then(|proof| proof.had.as_ref()) {
        return had.credentials.first.clone();
    }
    let given = facts.session(outcome).filter(|session| session.user.is_some());
    let given = given.and_then(|session| session.key.as_ref());
    let given = given.filter(|key| key.starts_with("AKIA") && outcome.principal.is_none());
    let keys = outcome.principal.iter().flat_map(|one| &one.access_keys).chain(given);
    keys.map(|id| Credential { kind: CredentialKind::AccessKey, id: id.clone() }).collect()
}

fn left_to_people(facts: Facts<'_>, most: usize, steps: &mut Vec<Step>) {
    let verdict = facts.input.verdict.as_ref();
    let instruction = verdict.and_then(|verdict| verdict.instruction.as_deref());
    let instruction = instruction.filter(|_| is_instructed(facts));
    let instruction = instruction.map(|text| instructed(facts, text));
    steps.extend(instruction.map(|text| Step::of(one_line(&text, 600))));
    let all = left(facts).filter(|one| one.verdict == Verdict::Escalated);
    of_each(facts, all, most, steps, |outcome, steps| left_to_you(facts, outcome, steps));
    if steps.is_empty() {
        let named = left(facts).next().is_some() || facts.input.outcomes.is_empty();
        steps.push(if named {
            Step::of("Read the finding, and decide. Cordon does nothing more about it:")
                .run(Whose::Security, vec![the_finding(facts)])
        } else {
            Step::of("Cordon does nothing more about the finding, for the reason above.")
        });
    }
    if facts.observes() && !facts.by_person() && facts.input.redrives == 0 {
        steps.push(Step::of(
            "While Cordon observes, this mail comes once a day (UTC), however often the finding \
             does, unless its severity changes, or whom it names. A first notice, if it has one, \
             still comes each time.",
        ));
    }
    steps.extend(of_the_holders(facts));
    if facts.input.outcomes.iter().any(|one| one.verdict == Verdict::Contained) {
        after_a_containment(facts, most, steps);
    }
    keys_back(facts, most, steps);
}

/// What kept Cordon from reading who has a policy.
fn of_the_holders(facts: Facts<'_>) -> Option<Step> {
    let failed = facts.input.failure.as_ref().filter(|failed| failed.state == "FindHolders")?;
    let text = match failed.error.as_str() {
        "AccessDenied" => refused(failed),
        error => meaning(error).unwrap_or(UNKNOWN).todo.to_owned(),
    };
    let step = Step::of(format!("Cordon could not read who has the policy. {text}"));
    let (Some(account), "EntryRefused") = (facts.account(), failed.error.as_str()) else {
        return Some(step);
    };
    let role = Command::aws("iam get-role", facts.region())
        .with("--role-name", "SecurityRemediation-FindHolders");
    Some(step.run(Whose::Account(account.to_string()), vec![role]))
}

fn left_to_you(facts: Facts<'_>, outcome: &Outcome, steps: &mut Vec<Step>) {
    for failed in outcome.failures.iter().rev().take(2).rev() {
        let step = of_a_principal(facts, outcome, failed);
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    steps.extend(end_the_sessions(facts, outcome));
    if custom_action_helps(facts, outcome) {
        let (who, more) = whom_it_contains(facts, outcome);
        steps.push(Step::of(format!(
            "To have Cordon contain {who} all the same, unless it is exempt or protected, choose \
             the finding in Security Hub and send it to Cordon's custom action.{more}"
        )));
    }
    if may_be_contained_by_hand(facts, outcome) {
        by_hand(facts, outcome, steps);
    }
    steps.extend(of_its_instance(facts, outcome));
    steps.extend(what_was_taken(facts, outcome).filter(|step| !steps.contains(step)));
}

/// How people learn what the passes did of which nobody has said anything.
fn what_was_taken(facts: Facts<'_>, outcome: &Outcome) -> Option<Step> {
    let text = "This is a redrive: before it, Cordon had begun, and may have taken something away. \
                Have the way back planned, where Cordon's sources are. That changes nothing, and \
                tells what is gone; where it is refused since no evidence was stored, nothing was \
                taken away:";
    let plan = || Step::of(text).run(Whose::Restorer, vec![plan_of_restore(facts, outcome)]);
    is_unknown(outcome).then(plan)
}

/// What there is to do about the EC2 instance whose credentials were used, where it was one's.
fn of_its_instance(facts: Facts<'_>, outcome: &Outcome) -> Option<Step> {
    let instance = facts.session(outcome).and_then(|session| session.instance.as_deref());
    let instance = instance.filter(|_| !facts.is_elsewhere(outcome))?;
    let region = facts.finding_region();
    let command = Command::aws("ec2 describe-instances", region.unwrap_or(facts.region()))
        .with("--instance-ids", instance);
    let which = match region {
        Some(_) => String::new(),
        None => format!(", which the finding does not tell, in place of {}", facts.region()),
    };
    let text = format!(
        "The credentials are those of an EC2 instance, which may be the attacker's too. Isolate \
         it; look in the finding's Region{which}:"
    );
    let account = Whose::Account(outcome.account.to_string());
    Some(Step::of(text).run(account, vec![command]))
}

/// What ends a role's sessions, whoever's they are, where people are to ask first.
fn end_the_sessions(facts: Facts<'_>, outcome: &Outcome) -> Option<Step> {
    let is_asked = ["UnusualBehavior", "MayBeIntended", "NoRule", "LeftByPolicy"];
    if !is_asked.contains(&first_error(outcome)) || facts.is_elsewhere(outcome) {
        return None;
    }
    let name =
        facts.role_by_the_finding(outcome).filter(|_| facts.protection(outcome).is_none())?;
    let role = About::named(facts.execution(), incident::Kind::Role, name);
    let text = format!(
        "If it is not meant, end the sessions of the role `{}`. This refuses all that began before \
         this mail, of whoever uses the role; later, put the time of then into it:",
        one_line(name, 128)
    );
    let account = Whose::Account(outcome.account.to_string());
    Some(Step::of(text).run(account, vec![role.revoke(&facts.input.now)]))
}

/// Whom a custom action would contain, and what that means for others.
fn whom_it_contains(facts: Facts<'_>, outcome: &Outcome) -> (String, &'static str) {
    let of_a_role = " That denies everything to whoever uses the role, now and later.";
    if let Some(Named { kind, name, .. }) =
        named(outcome).or_else(|| facts.user_by_the_finding(outcome))
    {
        let more = if kind == incident::Kind::Role { of_a_role } else { "" };
        return (format!("the {} `{}`", kind.noun(), one_line(&name, 128)), more);
    }
    match facts.role_by_the_finding(outcome) {
        Some(role) => (format!("the role `{}`", one_line(role, 128)), of_a_role),
        None => (facts.called(outcome), ""),
    }
}

/// Who was identified, and has got away under a name that protects it.
fn of_the_hidden(facts: Facts<'_>, outcome: &Outcome) -> Option<Step> {
    let now = hidden(outcome)?;
    let was = outcome.principal.as_ref()?;
    let before = incident::PrincipalArn::parse(&was.arn).ok().filter(|arn| arn.path != "/.../")?;
    let back = Command::aws("iam update-user", facts.region())
        .with("--user-name", &now.name)
        .with("--new-user-name", &was.name)
        .with("--new-path", &before.path);
    Some(
        Step::of(format!(
            "It is the user `{}` now, whose name protects it. Find out in CloudTrail (UpdateUser) \
             who renamed it, and rename it back:",
            one_line(&now.name, 128)
        ))
        .run(Whose::Account(outcome.account.to_string()), vec![back]),
    )
}

/// Whose key it is changes names faster than it can be looked for.
fn of_the_restless(facts: Facts<'_>, outcome: &Outcome, failed: &Failed) -> Option<Step> {
    let words = Said::of(failed).words;
    let key = words.strip_prefix("the owner of the access key `")?.split('`').next()?;
    let denied = if outcome.unused_days.is_none() {
        "Deny whoever has the key everything, and make the key inactive,"
    } else {
        "Make the key inactive"
    };
    let text = format!(
        "Its owner has another name each time. {denied} under the name of the moment, again if \
         need be. Stop who renames it (CloudTrail: UpdateUser):"
    );
    let commands = by_its_key(facts, outcome, key);
    Some(Step::of(text).run(Whose::Account(outcome.account.to_string()), commands))
}

/// Who was identified and is not to be found by its name may have one of its keys still.
fn of_the_vanished(facts: Facts<'_>, outcome: &Outcome) -> Option<Step> {
    let vanished = |failed: &Failed| failed.error == "PrincipalVanished";
    let failed = outcome.failures.iter().find(|failed| vanished(failed))?;
    let keys = &outcome.principal.as_ref()?.access_keys;
    let is_other = keys.is_empty() || outcome.unused_days.is_some();
    if is_other || of_the_restless(facts, outcome, failed).is_some() {
        return None;
    }
    let text = "If it lives on, any key that it has still tells its name of the moment. Deny this \
                user everything, and make the keys inactive:";
    let commands = keys.iter().flat_map(|key| by_its_key(facts, outcome, key)).collect();
    Some(Step::of(text).run(Whose::Account(outcome.account.to_string()), commands))
}

/// Denies the user everything that has the key, whatever its name, and makes the key inactive; of
/// whom only unused keys are to be taken, that alone.
///
/// Source: IAM API Reference, `GetAccessKeyLastUsed`.
fn by_its_key(facts: Facts<'_>, outcome: &Outcome, key: &str) -> Vec<Command> {
    let whose = last_used(facts.region(), key).with("--query", "UserName").with("--output", "text");
    let Some(whose) = whose.line() else { return Vec::new() };
    let user = |operation: &str| {
        let command = Command::aws(operation, facts.region());
        command.flag("--user-name").flag(&format!("\"$({whose})\""))
    };
    let deny = user("iam attach-user-policy").with("--policy-arn", &facts.deny());
    let set = user("iam update-access-key");
    let set = set.with("--access-key-id", key).with("--status", "Inactive");
    let deny = outcome.unused_days.is_none().then_some(deny);
    deny.into_iter().chain([set]).collect()
}

/// Whether what a rule has people do is for anybody here.
fn is_instructed(facts: Facts<'_>) -> bool {
    let mut left = left(facts).peekable();
    left.peek().is_none() || left.any(|outcome| !facts.taken_for_root(outcome))
}

/// The rule's instruction, without what it says of custom actions where there are none.
fn instructed(facts: Facts<'_>, text: &str) -> String {
    let sentences = text.split_inclusive(". ");
    let there_is = |sentence: &&str| !facts.without_cspm() || !sentence.contains("custom action");
    sentences.filter(there_is).collect()
}

/// Whether a person's choice would have it contained. Never advised to somebody who has just
/// made that choice.
fn custom_action_helps(facts: Facts<'_>, outcome: &Outcome) -> bool {
    let errors = [
        "RolesNotContained",
        "Untrusted",
        "SeverityTooLow",
        "ContainmentLimit",
        "TooMany",
        "RecurrenceUnclear",
    ];
    let error = first_error(outcome);
    let can = errors.contains(&error)
        || is_weighed(error) && is_containable(facts, outcome)
        || facts.taken_for_root(outcome);
    !facts.by_person()
        && !facts.without_cspm()
        && facts.input.mode == Some(Mode::Contain)
        && outcome.unused_days.is_none()
        && !facts.is_elsewhere(outcome)
        && facts.protection(outcome).is_none()
        && can
}

/// Whether it was left to people because its finding alone does not tell whether to contain it.
fn is_weighed(error: &str) -> bool {
    ["UnusualBehavior", "MayBeIntended", "ExposedKey", "NoRule", "LeftByPolicy"].contains(&error)
}

/// Whether the finding names a user, a role or a long-term key.
fn is_containable(facts: Facts<'_>, outcome: &Outcome) -> bool {
    let by_session = facts.session(outcome).is_some_and(|session| {
        let key = session.key.as_ref().is_some_and(|key| key.starts_with("AKIA"));
        key || session.user.is_some() || session.role.is_some()
    });
    by_session || named(outcome).is_some()
}

/// Whether people do something about it in Cordon's place.
fn is_for_people(facts: Facts<'_>, outcome: &Outcome) -> bool {
    outcome.verdict != Verdict::Escalated || may_be_contained_by_hand(facts, outcome)
}

/// Whether the facts leave containing it to a person's decision.
fn may_be_contained_by_hand(facts: Facts<'_>, outcome: &Outcome) -> bool {
    let errors = [
        "RolesNotContained",
        "Untrusted",
        "SeverityTooLow",
        "ContainmentLimit",
        "AccountExempt",
        "Target",
        "Actor",
        "PrincipalExempt",
        "PrincipalMayBeImpostor",
        "RecurrenceUnclear",
    ];
    let error = first_error(outcome);
    errors.contains(&error) || is_weighed(error) || facts.taken_for_root(outcome)
}

fn after_a_containment(facts: Facts<'_>, most: usize, steps: &mut Vec<Step>) {
    let all = || facts.input.outcomes.iter().filter(|one| one.verdict == Verdict::Contained);
    let contained = || all().take(most);
    for outcome in contained() {
        steps.extend(how_it_came_back(facts, outcome));
        steps.extend(who_gave_it(facts, outcome));
        steps.push(look_back(facts, outcome));
        steps.extend(of_its_instance(facts, outcome));
    }
    for outcome in contained() {
        let Some(proof) = &outcome.evidence else { continue };
        if proof.assumable_roles.first.is_empty() {
            continue;
        }
        let roles = &proof.assumable_roles;
        let sessions: Vec<Command> = roles
            .first
            .iter()
            .filter_map(|pattern| role_of(facts, pattern, outcome))
            .take(4)
            .map(|name| {
                About::named(facts.execution(), incident::Kind::Role, name).revoke(&facts.input.now)
            })
            .collect();
        let who = facts.called(outcome);
        let which = if roles.first.iter().any(|pattern| pattern == "*") {
            "any role that lets it in"
        } else {
            "the roles under `Roles` below"
        };
        let how = match sessions.len() {
            0 => "",
            ended if ended == roles.len() => {
                " Of those, and of no others, end every session that began before this mail (later, \
                 put the time of then into it), whoever uses it:"
            }
            _ => {
                " Of those, and of no others, end every session that began before this mail (later, \
                 put the time of then into it), whoever uses it. Here are the commands for some; for any other, do the same with \
                 its name, in its account:"
            }
        };
        let account = Whose::Account(outcome.account.to_string());
        let text = format!(
            "Sessions of roles that {who} assumed before live on. Its policies let it assume \
             {which}. The lookups above show which it assumed (AssumeRole), Region by Region.{how}"
        );
        steps.push(Step::of(text).run(account, sessions));
    }
    // What ends a pass before it reaches anybody may be that they are exempt already.
    let exempted = contained().filter(|one| !facts.is_earlier(one));
    let exempted: Vec<Command> = exempted.filter_map(|one| exempted_by(facts, one)).collect();
    let planned = contained().map(|one| plan_of_restore(facts, one));
    let first = if exempted.is_empty() {
        "now"
    } else {
        "exempt the principal first, here for two days from this mail on, since the finding may \
         come again. Then"
    };
    steps.push(
        Step::of(format!(
            "If it was a false alarm: {first}{} have the way back planned, where Cordon's sources \
             are. That changes nothing, and tells what can be given back, and by which commands:",
            once_it_ends(facts)
        ))
        .run(Whose::Security, exempted)
        .run(Whose::Restorer, planned.collect()),
    );
    let beyond: Vec<_> = all().skip(most).collect();
    steps.extend(go_on_with(facts, &beyond));
}

/// What exempts a contained principal for a while.
fn exempted_by(facts: Facts<'_>, outcome: &Outcome) -> Option<Command> {
    let reason = format!("a false alarm in execution {}", number(facts));
    exempt(&outcome.principal.as_ref()?.arn, &facts.input.now, EXEMPT, &reason)
}

/// What plans how a principal gets back what this execution took: the principal is named
/// where the execution is about several.
fn plan_of_restore(facts: Facts<'_>, outcome: &Outcome) -> Command {
    let command = Command::make("restore").set("EXECUTION", facts.execution().arn());
    let whom = outcome.principal.as_ref().map(|one| one.id.clone());
    match whom.or_else(|| Some(named(outcome)?.arn)) {
        Some(whom) if facts.input.outcomes.len() > 1 => command.set("PRINCIPAL", &whom),
        _ => command,
    }
}

/// No way back is planned while a redrive would contain again.
fn once_it_ends(facts: Facts<'_>) -> &'static str {
    match facts.input.kind {
        Kind::Failed => ", once this execution was redriven to its end,",
        _ => "",
    }
}

/// The name of an unprotected role of the same account that a pattern means and no other.
fn role_of<'a>(facts: Facts<'_>, pattern: &'a str, outcome: &Outcome) -> Option<&'a str> {
    if pattern.contains(['*', '?', '$']) {
        return None;
    }
    let arn = incident::PrincipalArn::parse(pattern).ok()?;
    let is_here = arn.resource == "role" && arn.account == outcome.account.as_str();
    // By those the organization lives, and maybe whoever reads this.
    (is_here && facts.protection_of(&arn).is_none()).then_some(arn.name)
}

/// How the attacker got in again, where what was taken had been given back.
fn how_it_came_back(facts: Facts<'_>, outcome: &Outcome) -> Option<Step> {
    let is_back = given_back(outcome).is_some() || facts.attacker_is_back_with(outcome);
    let text = format!(
        "What was taken from {} had been given back. Find out how the attacker got in again, if one \
         did: by a key that was made active again, the console password, or credentials made \
         since. Whatever it was, replace it, and do not give it back another time.",
        facts.called(outcome)
    );
    is_back.then(|| Step::of(text))
}

/// Who gave back what was taken away.
fn who_gave_it(facts: Facts<'_>, outcome: &Outcome) -> Option<Step> {
    let named = named(outcome).filter(|_| has_regained(outcome))?;
    let text = format!(
        "Find out who gave {} something again since it was contained: an attacker with other \
         credentials, or somebody who did not know.",
        facts.called(outcome)
    );
    let account = Whose::Account(outcome.account.to_string());
    let changes = events(facts.global_region(), "ResourceName", &named.name);
    Some(Step::of(text).run(account, vec![changes]))
}

/// What the attacker did with it.
fn look_back(facts: Facts<'_>, outcome: &Outcome) -> Step {
    let who = facts.called(outcome);
    let global = facts.global_region();
    let had = outcome.evidence.iter().filter_map(|proof| proof.had.as_ref());
    let read = outcome.read_back.iter().flat_map(|read| [&read.done, &read.left]);
    let had = had.chain(read).flat_map(|had| &had.credentials.first);
    let had = had.filter(|one| one.kind == CredentialKind::AccessKey).map(|one| &one.id);
    let known = outcome.principal.iter().flat_map(|one| &one.access_keys);
    let mut keys: Vec<&String> = had.chain(known).collect();
    keys.dedup();
    keys.truncate(2);
    let session = facts.session(outcome).and_then(|session| session.key.as_deref());
    let mut commands: Vec<Command> = keys.into_iter().map(|key| calls_by(facts, key)).collect();
    commands.extend(session.map(|key| calls_by(facts, key)));
    commands.extend(named(outcome).iter().flat_map(|named| traces(facts, named)));
    commands.dedup();
    let step = Step::of(format!(
        "Find out what was done with {who}: new users, keys, roles, instances. CloudTrail answers \
         for one Region at a time; IAM's own calls are in {global}."
    ));
    in_its_region(facts, step.run(Whose::Account(outcome.account.to_string()), commands))
}

/// How keys that are inactive because they were unused become active again.
fn keys_back(facts: Facts<'_>, most: usize, steps: &mut Vec<Step>) {
    let retired = facts.fresh().filter(|one| one.unused_days.is_some() && has_lost_keys(one));
    of_each(facts, retired, most, steps, |outcome, steps| {
        let made = outcome.read_back.iter().flat_map(|read| &read.done.credentials.first);
        let keys: Vec<&str> = made.map(|one| one.id.as_str()).collect();
        let text = format!(
            "If {} still needs a key, have the way back planned for that one, where Cordon's \
             sources are. That changes nothing, and tells the command that makes it active again:",
            facts.called(outcome)
        );
        let plan = plan_of_restore(facts, outcome).set("ACTIVATE", &keys.join(" "));
        steps.push(Step::of(text).run(Whose::Restorer, vec![plan]));
    });
}

fn after_an_observation(facts: Facts<'_>, most: usize, steps: &mut Vec<Step>) {
    steps.push(Step::of(
        "Act by hand if somebody here is dangerous: Cordon only observes, and the finding stays as \
         it is.",
    ));
    of_each(facts, left(facts), most, steps, |outcome, steps| {
        let failed = outcome.failures.iter().take(2);
        steps.extend(failed.map(|failed| of_a_principal(facts, outcome, failed)));
        steps.extend(of_its_instance(facts, outcome));
    });
    let observed: Vec<_> = facts.fresh().filter(|one| one.verdict == Verdict::Observed).collect();
    of_each(facts, observed.iter().copied(), most, steps, |outcome, steps| {
        if let Some(named) = named(outcome)
            && outcome.unused_days.is_none()
        {
            steps.push(containing(facts, outcome, About::of(facts, &named)));
        }
        steps.extend(of_its_instance(facts, outcome));
    });
    if !observed.is_empty() && !facts.fresh().any(|one| one.verdict == Verdict::Escalated) {
        steps.push(Step::of(
            "More findings of that kind on the same principal are not mailed today (UTC): `make \
             observe-report` counts them all.",
        ));
    }
}

/// Prints the finding, by its id.
///
/// Source: Security Hub API Reference, `AwsSecurityFindingFilters`, `OcsfStringFilter`.
fn the_finding(facts: Facts<'_>) -> Command {
    let is = json!({ "Comparison": "EQUALS", "Value": facts.input.finding.label });
    let (operation, filters) = if facts.without_cspm() {
        let by_id = json!([{ "FieldName": "finding_info.uid", "Filter": is }]);
        ("securityhub get-findings-v2", json!({ "CompositeFilters": [{ "StringFilters": by_id }] }))
    } else {
        ("securityhub get-findings", json!({ "Id": [is] }))
    };
    Command::aws(operation, facts.region()).with("--filters", &filters.to_string())
}

fn after_an_overflow(facts: Facts<'_>, steps: &mut Vec<Step>) {
    let account = &facts.input.finding.account;
    if facts.without_cspm() {
        let of_account = json!([{
            "FieldName": "cloud.account.uid",
            "Filter": { "Comparison": "EQUALS", "Value": account },
        }]);
        let new = json!([{ "FieldName": "status_id", "Filter": { "Eq": 1 } }]);
        let filters = json!({ "CompositeFilters": [
            { "NumberFilters": new, "Operator": "AND", "StringFilters": of_account },
        ] });
        let command = Command::aws("securityhub get-findings-v2", facts.region())
            .with("--filters", &filters.to_string());
        steps.push(
            Step::of("List the account's findings that nobody has dealt with: they stay New.")
                .run(Whose::Security, vec![command]),
        );
        return;
    }
    let equals = |value: &str| json!([{ "Comparison": "EQUALS", "Value": value }]);
    let filters = json!({
        "AwsAccountId": equals(account),
        "RecordState": equals("ACTIVE"),
        "WorkflowStatus": equals("NEW"),
    });
    let command = Command::aws("securityhub get-findings", facts.region())
        .with("--filters", &filters.to_string());
    steps.push(
        Step::of("List the account's findings that nobody has dealt with: they stay NEW.")
            .run(Whose::Security, vec![command]),
    );
}
