//! The words of readiness: which accounts can't be entered, or can again, and which failed
//! executions will soon be beyond a redrive. No incident is told here.

use std::collections::BTreeMap;

use incident::{Answering, Execution, Failure, Hindrance, Mode, listed, one_line};
use serde::{Deserialize, Serialize};

use crate::errors::{UNKNOWN, meaning};
use crate::message::{self, Content, Message, Metadata, Notification};
use crate::page::Page;
use crate::shell::Command;
use crate::unwritable;

/// What a readiness run has to tell.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// The execution of the readiness machine.
    execution: Execution,
    /// What it has found.
    found: Found,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Found {
    /// Which accounts can be entered: the answer of `compare-readiness`.
    Accounts(Box<Checked>),
    /// Failed executions of the incident machine that can be redriven for a few days more.
    Waiting(Vec<Waiting>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    accounts: usize,
    steps: usize,
    not_entered: usize,
    began: Lines,
    ended: Lines,
    standing: Lines,
    /// Who is not asked about any more.
    #[serde(default)]
    gone: Gone,
    proved: Option<String>,
    unproved: BTreeMap<String, Vec<String>>,
    result: String,
    last_unreadable: Option<String>,
    /// The accounts from which the organization is run, where they have no member roles.
    #[serde(default)]
    left_out: Vec<String>,
    /// Whether findings are answered at all, where that was asked.
    answering: Option<Answering>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Gone {
    first: Vec<String>,
    more: usize,
}

#[derive(Debug, Clone, Deserialize)]
struct Lines {
    first: Vec<Line>,
    more: usize,
}

/// Accounts that refuse the same steps alike.
#[derive(Debug, Clone, Deserialize)]
struct Line {
    steps: Vec<String>,
    error: String,
    calls: Vec<String>,
    cause: String,
    accounts: Vec<String>,
    more: usize,
    listed: bool,
}

#[derive(Debug, Clone, Deserialize)]
struct Waiting {
    execution: String,
    /// When it ended (RFC 3339).
    ended: String,
}

/// A mail, as a message for all protocols.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// ASCII, fewer than 100 characters.
    pub subject: String,
    /// The message, for `MessageStructure=json`: a copy for each protocol.
    pub message: String,
}

/// Writes what a readiness run has to tell. Bounded, since what it is told of is: the first
/// accounts are named, and how many more there are, and where all of them are.
///
/// Fails with [`Failure::InvalidInput`] only where its own text can't be put into JSON.
pub(crate) fn write(input: &Readiness) -> Result<Mail, Failure> {
    let (subject, first, page) = match &input.found {
        Found::Accounts(accounts) => accounts.told(input.execution.region()),
        Found::Waiting(waiting) => told_waiting(waiting, input.execution.region()),
    };
    let text = page.to_string();
    let document = document(&subject, &first, &input.execution);
    let document = serde_json::to_string(&document).map_err(|error| unwritable(&error))?;
    let short = format!("Cordon {subject}");
    let message = Message::of(&text, &short, &document);
    let message = serde_json::to_string(&message).map_err(|error| unwritable(&error))?;
    Ok(Mail { subject, message })
}

fn document(subject: &str, first: &str, execution: &Execution) -> Notification {
    Notification::of(
        Content::of(subject, first),
        Metadata::of(execution.name(), subject, "readiness", execution.arn()),
    )
}

type Told = (String, String, Page);

impl Checked {
    fn told(&self, region: &str) -> Told {
        let Self { accounts, steps, not_entered, .. } = self;
        let calls = self.standing.first.iter().any(|line| !line.is_of_the_entry());
        let gone = self.gone.first.len() + self.gone.more;
        let hindered = self.answering.iter().flat_map(|it| &it.hindered).next();
        let observes = self.answering.as_ref().is_some_and(|it| it.mode == Some(Mode::Observe));
        let only = if observes { ", mode observe" } else { "" };
        let subject = match (not_entered, calls) {
            _ if *accounts == 0 => "[NOT READY] there is no account to enter".to_owned(),
            (0, false) if gone > 0 => {
                format!("[READY] all {accounts} accounts can be entered, {gone} are gone{only}")
            }
            (0, false) => format!("[READY] all {accounts} accounts can be entered{only}"),
            (0, true) => "[NOT READY] some accounts refuse what containment takes".to_owned(),
            (some, _) => format!("[NOT READY] cannot be entered: {some} of {accounts} accounts"),
        };
        let first = match (not_entered, calls) {
            _ if *accounts == 0 => "Security Hub's administrator, or the organization, lists no \
                 account that could be entered: nothing in a member account is contained, and its \
                 findings may not even arrive. `make preflight CONFIG=cordon.json` says who \
                 administers Security Hub."
                .to_owned(),
            (0, false) => format!(
                "Each of Cordon's {steps} steps can enter each of the {accounts} accounts. {}",
                self.what_comes_of_it()
            ),
            (0, true) => format!(
                "Each of Cordon's {steps} steps can enter each of the {accounts} accounts, but calls \
                 are refused there that a containment makes."
            ),
            (some, _) => format!(
                "Not all of Cordon's {steps} steps get into {some} of {accounts} accounts: an \
                 incident there would fail, and wait for somebody to mend this."
            ),
        };
        let (subject, first) = match hindered {
            Some(one) => {
                let phrase = phrase(*one);
                (
                    format!("[NOT READY] {phrase}"),
                    format!("{}. {first}", crate::facts::capitalized(phrase)),
                )
            }
            None => (subject, first),
        };
        let first = first.trim_end().to_owned();
        let mut page = Page::default();
        page.prose(first.clone());
        self.what_hinders(&mut page, region);
        if let Some(why) = &self.last_unreadable {
            page.part("The last result can't be read, so all that is refused is told as new:");
            page.quote(0, one_line(why, 700));
        }
        let (entries, calls) = split(&self.began);
        lines(&mut page, "Cannot be entered", &entries, self.began.more, region);
        lines(&mut page, "Refused in the account", &calls, 0, region);
        let (entries, calls) = split(&self.ended);
        ended(&mut page, "Can be entered again", &entries, self.ended.more);
        ended(&mut page, "Allowed again", &calls, 0);
        self.who_is_gone(&mut page);
        self.what_stands(&mut page);
        self.what_is_left_out(&mut page);
        self.what_is_not_proved(&mut page);
        page.heading("All of it, account by step");
        page.alone(2, self.result.as_str());
        (subject, first, page)
    }

    /// What would come of a finding where all accounts can be entered.
    fn what_comes_of_it(&self) -> String {
        let Some(Answering { mode: Some(mode), scope, hindered, .. }) = &self.answering else {
            return String::new();
        };
        let scope = scope.map(|accounts| {
            let noun = if accounts == 1 { "account" } else { "accounts" };
            format!("the response policy's scope is {accounts} {noun}: nobody else is contained")
        });
        match (mode, scope) {
            _ if !hindered.is_empty() => String::new(),
            (Mode::Contain, None) => {
                "Nothing is known that would keep it from containing anybody there.".to_owned()
            }
            (Mode::Contain, Some(scope)) => format!("But {scope}."),
            (_, None) => "But it only observes (mode `observe`): nobody is contained.".to_owned(),
            (_, Some(_)) => {
                "But it only observes (mode `observe`), and not all accounts: nobody is contained."
                    .to_owned()
            }
        }
    }

    /// What keeps findings from being answered, and what to do.
    fn what_hinders(&self, page: &mut Page, region: &str) {
        let Some(Answering { hindered, why, .. }) = &self.answering else { return };
        if hindered.is_empty() {
            return;
        }
        page.heading("What keeps findings from being answered");
        for one in hindered {
            page.part(format!("{}.", crate::facts::capitalized(phrase(*one))));
            if let (Hindrance::PolicyUnusable, Some(why)) = (one, why) {
                page.quote(2, one_line(why, 700));
            }
            let (todo, command) = todo(*one, region);
            page.indented(2, todo);
            command.line().into_iter().for_each(|line| page.alone(2, line));
        }
    }

    /// Who was asked about before, and is not any more.
    fn who_is_gone(&self, page: &mut Page) {
        let Gone { first, more } = &self.gone;
        if first.is_empty() {
            return;
        }
        page.heading("Not asked about any more");
        let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
        page.indented(2, format!("{}{more}.", listed(first, first.len())));
        page.indented(
            2,
            "Security Hub, or the organization, does not list them as active members any more. \
             Unless that is meant, nothing of them is contained.",
        );
    }

    /// What people were told before, in a line each.
    fn what_stands(&self, page: &mut Page) {
        let new = |line: &&Line| {
            let same = |began: &Line| began.steps == line.steps && began.accounts == line.accounts;
            self.began.first.iter().any(same)
        };
        let old: Vec<_> = self.standing.first.iter().filter(|line| !new(line)).collect();
        if old.is_empty() {
            return;
        }
        page.heading("As before");
        for line in old {
            page.item(format!("{}: {} ({})", line.who(), line.what(), line.error));
        }
        and_more(page, self.standing.more);
    }

    fn what_is_left_out(&self, page: &mut Page) {
        if self.left_out.is_empty() {
            return;
        }
        page.heading("Left out");
        page.indented(
            2,
            format!(
                "{}, from where the organization is run: nobody is contained there unless \
                 `securityAccountUsers` and `managementAccount` are set.",
                listed(&self.left_out, self.left_out.len()),
            ),
        );
    }

    fn what_is_not_proved(&self, page: &mut Page) {
        page.heading("What this does not prove");
        let Some(proved) = &self.proved else {
            page.indented(
                2,
                "Each step's way into the account, and no call there. This tries the write calls, \
                 too, on a name that nobody has:",
            );
            let deep = Command::make("readiness").set("DEEP", "1");
            deep.line().into_iter().for_each(|line| page.alone(2, line));
            return;
        };
        page.indented(2, format!("Write calls were last tried at {proved}. These were not:"));
        for (step, calls) in &self.unproved {
            page.item(format!("{step}: {}", calls.join(", ")));
        }
        page.indented(
            2,
            "Those that take policies away IAM allows only on a principal under AWSDenyAll, and \
             nobody who is contained is used to try them; the others read.",
        );
    }
}

fn phrase(one: Hindrance) -> &'static str {
    match one {
        Hindrance::ModeOff => "the response policy's mode is off",
        Hindrance::PolicyUnusable => "the response policy is unusable",
        Hindrance::RuleDisabled => "the rule that starts Cordon is disabled",
        Hindrance::NobodySubscribed => "no responder is subscribed",
    }
}

/// What to do, with credentials of the security account.
fn todo(one: Hindrance, region: &str) -> (&'static str, Command) {
    match one {
        Hindrance::ModeOff => (
            "No finding is answered until somebody sets it, to `contain` or to `observe`, where \
             Cordon's sources are. Those that have come since are not answered by that:",
            Command::make("policy").set("SET", "mode=contain"),
        ),
        Hindrance::PolicyUnusable => (
            "Each finding is told, and nobody is contained. This shows it, and sets one field with \
             `SET`:",
            Command::make("policy"),
        ),
        Hindrance::RuleDisabled => (
            "Nothing starts for a finding. CloudTrail knows who disabled it \
             (events:DisableRule). With credentials of the security account:",
            Command::aws("events enable-rule", region).with("--name", "cordon-findings"),
        ),
        Hindrance::NobodySubscribed => (
            "Cordon answers findings, and no responder hears of it. This names who has not \
             confirmed, or has unsubscribed, and what to do:",
            Command::make("preflight"),
        ),
    }
}

fn split(lines: &Lines) -> (Vec<&Line>, Vec<&Line>) {
    lines.first.iter().partition(|line| line.is_of_the_entry())
}

impl Line {
    fn is_of_the_entry(&self) -> bool {
        self.calls.iter().any(|call| call == "sts:AssumeRole" || call == "lambda:InvokeFunction")
    }

    fn who(&self) -> String {
        let accounts = listed(&self.accounts, self.accounts.len());
        match (self.more, self.accounts.len()) {
            (0, 1) => format!("account {accounts}"),
            (0, _) => format!("accounts {accounts}"),
            (more, _) => format!("accounts {accounts} and {more} more"),
        }
    }

    fn what(&self) -> String {
        if self.is_of_the_entry() {
            return self.steps.join(", ");
        }
        format!("{} by {}", self.calls.join(", "), self.steps.join(", "))
    }
}

fn lines(page: &mut Page, heading: &str, lines: &[&Line], more: usize, region: &str) {
    if lines.is_empty() {
        return;
    }
    page.heading(heading);
    for line in lines {
        page.part(format!("{}:", crate::facts::capitalized(&line.who())));
        page.indented(2, format!("{}.", line.what()));
        page.indented(2, format!("{}, in the service's words of the first of them:", line.error));
        page.quote(2, one_line(&line.cause, 300));
        page.indented(2, meaning(&line.error).unwrap_or(UNKNOWN).todo);
        let commands = line.commands(region);
        if let (Some(account), false) = (line.accounts.first(), commands.is_empty()) {
            page.indented(2, format!("With credentials of account {account}:"));
        }
        for command in commands {
            if let Some(command) = command.line() {
                page.alone(2, command);
            }
        }
    }
    and_more(page, more);
}

fn ended(page: &mut Page, heading: &str, lines: &[&Line], more: usize) {
    if lines.is_empty() {
        return;
    }
    page.heading(heading);
    for line in lines {
        let left = if line.listed { "" } else { ", not among the members any more" };
        page.item(format!("{}: {}{left}", line.who(), line.what()));
    }
    and_more(page, more);
}

fn and_more(page: &mut Page, more: usize) {
    if more > 0 {
        page.item(format!("and {more} more lines, which are in the result named below"));
    }
}

impl Line {
    /// What shows the first account's role, with that account's credentials.
    fn commands(&self, region: &str) -> Vec<Command> {
        let role = |step: &String| format!("SecurityRemediation-{step}");
        let Some(step) = self.steps.first() else { return Vec::new() };
        match self.error.as_str() {
            "EntryRefused" => {
                vec![Command::aws("iam get-role", region).with("--role-name", &role(step))]
            }
            "AccessDenied" => vec![
                Command::aws("iam get-role-policy", region)
                    .with("--role-name", &role(step))
                    .with("--policy-name", step),
            ],
            _ => Vec::new(),
        }
    }
}

fn told_waiting(waiting: &[Waiting], region: &str) -> Told {
    let count = waiting.len();
    let noun = if count == 1 { "execution" } else { "executions" };
    let subject = format!("[REDRIVE] {count} failed {noun} can be redriven for four days more");
    let first = format!(
        "{count} {noun} of the incident response failed ten days ago and were not redriven. Step \
         Functions redrives none that ended more than 14 days ago."
    );
    let mut page = Page::default();
    page.prose(first.clone());
    page.heading("What to do now");
    page.indented(
        2,
        "Mend what the mail about each has named, then redrive it, with credentials of the security \
         account. What is left undone after that is to be done by hand.",
    );
    for one in waiting {
        page.part(format!("Ended at {}:", one_line(&one.ended, 40)));
        let redrive = Command::aws("stepfunctions redrive-execution", region)
            .with("--execution-arn", &one.execution);
        if let Some(redrive) = redrive.line() {
            page.alone(2, redrive);
        }
    }
    (subject, first, page)
}

impl Notification {
    fn of(content: Content, metadata: Metadata) -> Self {
        Self { version: "1.0", source: "custom", content, metadata }
    }
}

impl Content {
    fn of(title: &str, description: &str) -> Self {
        Self {
            text_type: "client-markdown",
            title: message::escaped(title),
            description: message::escaped(description),
            next_steps: Vec::new(),
            keywords: vec!["readiness".to_owned()],
        }
    }
}

impl Metadata {
    fn of(thread: &str, summary: &str, event_type: &str, resource: &str) -> Self {
        Self {
            thread_id: thread.to_owned(),
            summary: message::escaped(summary),
            event_type: event_type.to_owned(),
            related_resources: vec![resource.to_owned()],
            additional_context: BTreeMap::new(),
        }
    }
}
