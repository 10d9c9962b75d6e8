//! Judges a Security Hub event: whom to contain, what to escalate, what to leave alone.
//! Pure: the same event and policy always have the same verdict.

mod claim;
mod earlier;
mod finding;
mod limits;
mod ocsf;
mod recurrence;
mod rules;
mod subject;
mod window;

use std::borrow::Cow;
use std::collections::BTreeMap;

use incident::{
    AccountId, Accused, Execution, ExemptAccount, Failed, Failure, Mode, Organization, Outcome,
    Refusal, ResponsePolicy, Session, Severity, Verdict as End, cut, one_line,
};
use lambda::Measured;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use finding::{Finding, Occasion, Unjudged};
pub use limits::{Limit, Limits};
use recurrence::Again;
pub use recurrence::Recurrence;
use rules::{Response, Rule};
use subject::{Part, Subject, SubjectKind};
use window::Window;

/// The step's input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// The execution's ARN.
    pub execution: Execution,
    /// The event that started the execution, as it came. Hostile. Where `read` is set,
    /// without its finding.
    pub event: Value,
    /// The finding as Security Hub has it, where it was asked and has it.
    #[serde(default)]
    pub record: Vec<Value>,
    /// The response policy, as the parameter holds it.
    pub policy: String,
    /// When this pass judges (RFC 3339): exemptions that have ended by then count no more.
    /// Executions that a former release has started don't say it, and go by all of them.
    #[serde(default)]
    pub now: Option<String>,
    /// Whether Security Hub was asked for the finding.
    #[serde(default)]
    pub read: bool,
    /// Whether people have redriven the execution.
    #[serde(default)]
    pub redriven: bool,
    /// `Workflow.Status` of the finding that the event carried.
    #[serde(default)]
    pub chosen_as: String,
    /// Whom earlier passes accused.
    #[serde(default)]
    pub earlier: Vec<Accused>,
}

/// The step's output.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// What is to be done.
    pub response: Action,
    /// Why, for a person; at most 500 characters.
    pub reason: String,
    /// What the person is to do, where the rule says so.
    pub instruction: Option<String>,
    /// The names of the rules that applied, in the order of the finding's resources.
    pub rules: Vec<String>,
    /// The finding in brief, where the event carries one that can be named.
    pub finding: Option<Brief>,
    /// When Security Hub sent the event (RFC 3339), where it says so.
    pub sent: Option<String>,
    /// The response policy, with all its defaults.
    pub policy: ResponsePolicy,
    /// Whose word it is.
    pub source: Source,
    /// Whom to contain, or whose unused credentials to retire.
    pub accused: Vec<Accused>,
    /// What the finding names and is left to people: escalated, with a [`Refusal`]'s name.
    pub refused: Vec<Outcome>,
    /// ARNs of the policies whose holders people have to know.
    pub policies: Vec<String>,
    /// Whether people are told of an escalation however many others there are: it is
    /// CRITICAL, or the account's root user's.
    pub urgent: bool,
    /// Against what it is counted.
    pub limits: Limits,
    /// Set where Cordon has contained whom the finding accuses, and the finding says more by
    /// now: the account judges whether the attacker is back.
    pub recurrence: Option<Recurrence>,
    /// Whether it is an import that comes as new. Its sender may have sent it again before
    /// an answer of Cordon's showed on it, which takes Security Hub minutes.
    ///
    /// Source: Security Hub API Reference, `BatchUpdateFindings`.
    pub unanswered: bool,
    /// Whether people have redriven the execution. The state machine knows.
    #[serde(skip)]
    pub redriven: bool,
}

/// What is to be done with a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Action {
    /// Contain all of `accused`.
    Contain,
    /// Tell people; touch nobody.
    Escalate,
    /// Nothing, and the finding stays as it is.
    Ignore,
}

/// Whose word a finding is; each has a budget of containments of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// An AWS service's.
    Service,
    /// A custom product's.
    Custom,
    /// A person's, by custom action.
    Person,
}

/// A finding in brief: cleaned, for notes and mails, but for what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Brief {
    /// `Id`, as it came.
    pub id: String,
    /// `Id`, on one line, for people.
    pub label: String,
    /// `ProductArn`, as it came.
    pub product_arn: String,
    /// `metadata.uid`, as it came: of a finding in OCSF, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_uid: Option<String>,
    /// `AwsAccountId`.
    pub account: AccountId,
    /// `Title`, on one line.
    pub title: String,
    /// `Severity.Label`, or what `Severity.Normalized` means.
    pub severity: String,
    /// Where GuardDuty shows the finding: an https URL of at most 1,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
    /// What tells the finding as it was judged from what its provider sends later; set of
    /// findings that may recur.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// What tells whom it names from whom its provider names later; set of the same findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// By what it calls them, what tells each of them from others; set of the same findings. Two
    /// of one name are not told apart.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub who: BTreeMap<String, String>,
    /// The first four sessions that the finding is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<Session>,
}

/// Judges the event. What people start, a custom action or a redrive, is judged by
/// Security Hub's record of the finding: nobody can choose a finding that does not exist,
/// or another's resources for one that does. An import is judged by the event. Of an account
/// from which the organisation is run, no default product is believed, whatever the response
/// policy trusts.
///
/// Fails with [`Failure::ResponsePolicyInvalid`], with [`Failure::FindingNotFound`] where
/// Security Hub has no record, and with [`Failure::InvalidInput`] where it was not asked.
/// Otherwise there is a verdict, whatever the event holds.
pub fn classify(organization: &Organization, input: Input) -> Result<Verdict, Failure> {
    let Input { execution, mut event, record, policy, now, read, redriven, chosen_as, earlier } =
        input;
    let mut policy = ResponsePolicy::parse(&policy)?;
    if let Some(now) = now {
        let time = OffsetDateTime::parse(&now, &Rfc3339);
        policy = policy.at(time.map_err(|_| Failure::InvalidInput(format!("`{now}` is no time")))?);
    }
    if read {
        if record.is_empty() {
            return Err(Failure::FindingNotFound);
        }
        if let Some(event) = event.as_object_mut() {
            event.insert("detail".to_owned(), json!({ "findings": record }));
        }
    }
    let sent = event.get("time").and_then(Value::as_str);
    let sent = sent.filter(|time| OffsetDateTime::parse(time, &Rfc3339).is_ok());
    let mut verdict = Verdict {
        response: Action::Ignore,
        reason: String::new(),
        instruction: None,
        rules: Vec::new(),
        finding: None,
        sent: sent.map(str::to_owned),
        policy,
        source: Source::Service,
        accused: Vec::new(),
        refused: Vec::new(),
        policies: Vec::new(),
        urgent: false,
        limits: Limits::default(),
        recurrence: None,
        unanswered: false,
        redriven,
    };
    let translated = ocsf::translate(&mut event);
    let translated = translated.map_err(|reason| Unjudged { reason, by_person: false });
    let found = translated.and_then(|uid| Ok((uid, finding::of_event(&event)?)));
    let found = found.map(|(uid, (occasion, mut finding))| {
        finding.central = organization.is_run_from(&execution, &finding.brief.account);
        finding.brief.metadata_uid = uid.filter(|uid| uid.chars().count() <= MOST_OF_A_UID);
        (occasion, finding)
    });
    match found {
        Ok((occasion, _)) if !read && (redriven || occasion == Occasion::CustomAction) => {
            let why = "Security Hub was not asked for a finding that a person's word is about";
            return Err(Failure::InvalidInput(why.to_owned()));
        }
        Ok((occasion, finding)) => {
            verdict.finding = Some(finding.brief.clone());
            let withdrawn =
                if redriven { finding.withdrawn(&execution, occasion, &chosen_as) } else { None };
            let came_as = if redriven { &chosen_as } else { finding.text("/Workflow/Status") };
            let again = match occasion {
                Occasion::Imported => finding.again(&execution, came_as, redriven),
                Occasion::CustomAction => Again::No,
            };
            let pass = Pass { occasion, redriven, withdrawn, again, earlier };
            judge(&execution, pass, &finding, &mut verdict)?;
        }
        Err(Unjudged { reason, by_person }) => {
            verdict.reason = reason;
            // Nothing can be done, and people wait for an answer.
            if by_person {
                verdict.source = Source::Person;
            }
        }
    }
    verdict.reason = one_line(&verdict.reason, 500);
    verdict.limits = Limits::of(&verdict);
    Ok(verdict)
}

/// Characters of a `metadata.uid` at most; Security Hub's own are digests of 64.
const MOST_OF_A_UID: usize = 128;

/// Why the finding is judged, and what came before.
struct Pass {
    occasion: Occasion,
    redriven: bool,
    /// Why it is not to be dealt with any more.
    withdrawn: Option<String>,
    /// What it is beside a first import.
    again: Again,
    /// Whom earlier passes accused.
    earlier: Vec<Accused>,
}

/// Why what a finding names is left to people, by name and for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Because(Refusal, Cow<'static, str>);

impl Because {
    fn of(refusal: Refusal, reason: &'static str) -> Self {
        Self(refusal, Cow::Borrowed(reason))
    }
}

/// Why a role is left to people that no person chose.
const NO_ROLES: Because = Because(
    Refusal::RolesNotContained,
    Cow::Borrowed("the response policy does not let findings contain roles"),
);

/// The state in whose name refusals stand in outcomes.
const STATE: &str = "Classify";

fn judge(
    execution: &Execution,
    pass: Pass,
    finding: &Finding<'_>,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let occasion = pass.occasion;
    verdict.source = match occasion {
        Occasion::CustomAction => Source::Person,
        Occasion::Imported if finding.is_of_aws(execution) => Source::Service,
        Occasion::Imported => Source::Custom,
    };
    if verdict.policy.mode == Mode::Off {
        "the response policy's mode is `off`".clone_into(&mut verdict.reason);
        return Ok(());
    }
    verdict.urgent = finding.severity == Severity::Critical;
    if let Some(reason) = pass.withdrawn {
        verdict.reason = reason;
        return Ok(());
    }
    let whatever_workflow = pass.redriven || pass.again != Again::No;
    if let Some(reason) = held_back(&verdict.policy, occasion, whatever_workflow, finding) {
        // A person who chose the finding has to be told that nothing was done.
        if occasion == Occasion::CustomAction {
            verdict.response = Action::Escalate;
        }
        verdict.reason = reason;
        return Ok(());
    }
    if let Again::Silent(reason) = pass.again {
        verdict.reason = reason;
        return Ok(());
    }
    match occasion {
        Occasion::Imported => by_rules(execution, finding, verdict)?,
        Occasion::CustomAction => by_choice(execution, finding, verdict),
    }
    verdict.unanswered = occasion == Occasion::Imported
        && !pass.redriven
        && (!finding.is_marked(execution) || matches!(pass.again, Again::Risen(_)));
    // What comes again is not left to the hour's last mail: its finding is no longer new.
    verdict.urgent |= matches!(pass.again, Again::Risen(_) | Again::Recurs(_));
    let exempt = exemption(&verdict.policy, &finding.brief.account).is_some();
    let newly = if matches!(pass.again, Again::Recurs(_)) { finding.newly_named() } else { vec![] };
    let is_new = |resource: &String| newly.contains(resource);
    let told = matches!(pass.again, Again::Recurs(Recurrence { told: true, .. })) && !pass.redriven;
    let know = |resource: &String| told && !is_new(resource) && finding.was_left(resource);
    for accused in &mut verdict.accused {
        accused.newly = is_new(&accused.resource);
        accused.told = know(&accused.resource);
    }
    for one in &mut verdict.refused {
        one.told = know(&one.resource);
    }
    let all_are_told = told
        && newly.is_empty()
        && verdict.accused.iter().all(|one| one.told)
        && verdict.refused.iter().all(|one| one.told);
    match pass.again {
        Again::Risen(risen) => verdict.reason = format!("{}; {risen}", verdict.reason),
        // Whom no machine contains is told of once.
        Again::Recurs(_) if (verdict.response == Action::Escalate || exempt) && all_are_told => {
            verdict.response = Action::Ignore;
            verdict.reason = format!("{}; people were told", verdict.reason);
            verdict.refused.clear();
            verdict.accused.clear();
        }
        Again::Recurs(recurrence) => {
            verdict.recurrence = Some(recurrence);
            verdict.unanswered = false;
        }
        Again::No | Again::Silent(_) => {}
    }
    verdict.keep_to(pass.earlier, execution, finding);
    let account = &finding.brief.account;
    let note = exemption(&verdict.policy, account).map(ExemptAccount::note);
    if let Some(note) = note.filter(|_| verdict.response != Action::Ignore) {
        let reason = format!("the response policy exempts account {account}{note}");
        verdict.reason = format!("{}, but {reason}", verdict.reason);
        verdict.response = Action::Escalate;
        for accused in std::mem::take(&mut verdict.accused) {
            let (resource, unused_days) = (accused.resource, accused.unused_days);
            verdict.leave(account, resource, unused_days, Refusal::AccountExempt, &reason);
        }
    }
    Ok(())
}

fn exemption<'a>(policy: &'a ResponsePolicy, account: &AccountId) -> Option<&'a ExemptAccount> {
    policy.exempt_accounts.iter().find(|one| one.is(account))
}

/// Why nothing is to be done, whatever the finding says.
fn held_back(
    policy: &ResponsePolicy,
    occasion: Occasion,
    whatever_workflow: bool,
    finding: &Finding<'_>,
) -> Option<String> {
    let account = &finding.brief.account;
    match &policy.accounts_in_scope {
        Some(scope) if !scope.contains(account) => {
            Some(format!("account {account} is not in the response policy's scope"))
        }
        _ => finding.not_to_act_on(occasion, whatever_workflow),
    }
}

/// The first rule that applies decides about each resource.
fn by_rules(
    execution: &Execution,
    finding: &Finding<'_>,
    verdict: &mut Verdict,
) -> Result<(), Failure> {
    let rules = rules::table()
        .map_err(|error| Failure::InvalidInput(format!("the rule table is unusable: {error}")))?;
    let mut reasons: Vec<&str> = Vec::new();
    let actor = finding.actor(execution);
    let actor = actor.as_deref();
    let mut ignored: Option<&str> = None;
    let title = finding.title_beside_names();
    let mut subjects: Vec<_> = finding.subjects().collect();
    if actor.is_some() {
        subjects.sort_by_key(|subject| subject.part != Some(Part::Actor));
    }
    for subject in subjects {
        let policy = &verdict.policy;
        let is_for = |rule: &&Rule, title| rule.is_for(execution, policy, finding, &subject, title);
        let Some(rule) = rules.iter().find(|rule| is_for(rule, &title)) else {
            let by_name = rules.iter().filter(|rule| rule.goes_by_title());
            let by_name = by_name.filter_map(|rule| {
                is_for(&rule, finding.title()).then(|| rule.response(policy, finding.severity))?
            });
            if by_name.count() > 0 {
                reasons.push(BY_NAME);
                verdict.refuse(&subject, finding, Refusal::NoRule, BY_NAME);
            }
            continue;
        };
        let Some(response) = rule.response(policy, finding.severity) else { continue };
        if response == Response::Ignore {
            ignored = ignored.or(Some(&rule.reason));
            continue;
        }
        let retires = response == Response::RetireUnusedCredentials;
        if retires && !verdict.policy.retire_unused_credentials {
            continue;
        }
        if !reasons.contains(&rule.reason.as_str()) {
            reasons.push(&rule.reason);
        }
        verdict.rules.push(rule.name.clone());
        verdict.urgent |= rule.urgent || subject.kind == SubjectKind::RootKey;
        match response {
            Response::ContainRole | Response::Escalate
                if !verdict.policy.contain_roles && rule.response == Response::ContainRole =>
            {
                let Because(refusal, reason) = NO_ROLES;
                verdict.refuse(&subject, finding, refusal, &reason);
            }
            Response::Escalate => {
                verdict.instruction = verdict.instruction.take().or(rule.instruction.clone());
                let policy = subject.policy(execution, finding);
                verdict.policies.extend(policy.filter(|arn| !verdict.policies.contains(arn)));
                let refusal = subject.refusal().or(rule.refusal).unwrap_or(Refusal::SeverityTooLow);
                verdict.refuse(&subject, finding, refusal, &rule.reason);
            }
            // The actor under another form of its own is nobody else.
            _ if actor.is_some() && verdict.joins(&subject, execution, finding) => {}
            _ if actor.is_some() && subject.part == Some(Part::Target) => {
                verdict.refuse(&subject, finding, Refusal::Target, &of_a_target(actor));
            }
            _ if actor.is_some() && subject.part.is_none() => {
                verdict.refuse(&subject, finding, Refusal::Actor, NO_PART);
            }
            _ => verdict.accuse(&subject, execution, finding, Window::of(rule, finding)),
        }
    }
    let nothing = ignored.unwrap_or("no rule is for such a finding");
    verdict.conclude(&reasons.join("; "), nothing, Action::Ignore);
    Ok(())
}

/// A person chose the finding: what can be contained is, whatever the rules say. Where the
/// finding has a target beside its actor, the person is asked which of them is meant. Where it
/// names nobody, each of its resources is told with the reason.
fn by_choice(execution: &Execution, finding: &Finding<'_>, verdict: &mut Verdict) {
    let subjects: Vec<_> = finding.subjects().collect();
    let (named, others): (Vec<_>, Vec<_>) =
        subjects.iter().partition(|subject| subject.is_of_a_principal());
    let actor = finding.actor(execution);
    let actor =
        actor.as_deref().filter(|_| named.iter().any(|subject| subject.part == Some(Part::Target)));
    for subject in &named {
        match (actor, subject.part) {
            (None, _) => verdict.accuse(subject, execution, finding, None),
            (Some(_), Some(Part::Target)) => {
                verdict.refuse(subject, finding, Refusal::Target, &of_a_target(actor));
            }
            (Some(_), Some(Part::Actor)) => {
                let reason = "the finding calls it the actor, and names a target beside it";
                verdict.refuse(subject, finding, Refusal::Actor, reason);
            }
            (Some(_), None) => {
                verdict.refuse(subject, finding, Refusal::Actor, NO_PART);
            }
        }
    }
    for subject in others.iter().filter(|_| named.is_empty()) {
        verdict.accuse(subject, execution, finding, None);
    }
    let (chosen, nobody) = (
        "a person chose it by custom action",
        "a person chose it by custom action, but it names nobody whom a machine could contain",
    );
    let reason = if named.is_empty() { nobody } else { chosen };
    verdict.conclude(reason, nobody, Action::Escalate);
}

/// Why is left to people whom a title accuses by the very name that it has.
const BY_NAME: &str = "only by a name in its title a rule would be for the finding";

/// Why who stands beside an actor is left to people.
const NO_PART: &str = "the finding calls it neither the actor nor the target";

/// Why the target of an actor is left to people.
fn of_a_target(actor: Option<&str>) -> String {
    format!(
        "it is the target of what the finding reports; its actor is `{}`",
        actor.unwrap_or("unknown")
    )
}

impl Verdict {
    /// Whether it is one who is accused already, in another form.
    fn joins(
        &mut self,
        subject: &Subject<'_>,
        execution: &Execution,
        finding: &Finding<'_>,
    ) -> bool {
        let accused = subject.accuse(execution, finding, None);
        accused.is_ok_and(|accused| self.accused.iter_mut().any(|it| is_joined(it, &accused)))
    }

    /// What is measured of it: one finding, where it is judged for the first time.
    #[must_use]
    pub fn measured(&self) -> Option<Measured> {
        let verdict = match self.response {
            Action::Contain => "Contain",
            Action::Escalate => "Escalate",
            Action::Ignore => "Ignore",
        };
        let sent = self.sent.as_deref().filter(|_| !self.redriven)?;
        Measured::finding(verdict, sent)
    }

    fn accuse(
        &mut self,
        subject: &Subject<'_>,
        execution: &Execution,
        finding: &Finding<'_>,
        unused: Option<Window>,
    ) {
        let accused = subject.accuse(execution, finding, unused.map(|window| window.days));
        let days_assumed = unused.is_some_and(|window| window.assumed);
        match accused.map(|accused| Accused { days_assumed, ..accused }) {
            Ok(accused) if self.accused.iter_mut().any(|other| is_joined(other, &accused)) => {}
            // The state machine tells principals apart by what the finding calls them.
            Ok(accused) if self.accused.iter().any(|other| other.resource == accused.resource) => {
                let reason = "the finding gives it the name of another principal";
                self.refuse(subject, finding, Refusal::Ambiguous, reason);
            }
            Ok(accused) => self.accused.push(accused),
            Err(Because(refusal, reason)) => self.refuse(subject, finding, refusal, &reason),
        }
    }

    fn refuse(
        &mut self,
        subject: &Subject<'_>,
        finding: &Finding<'_>,
        refusal: Refusal,
        reason: &str,
    ) {
        self.leave(&finding.brief.account, subject.label(), None, refusal, reason);
    }

    /// Leaves to people, once, what the finding calls so: of unused credentials, unused for how
    /// many days.
    fn leave(
        &mut self,
        account: &AccountId,
        resource: String,
        unused_days: Option<u16>,
        refusal: Refusal,
        reason: &str,
    ) {
        if self.refused.iter().all(|other| other.resource != resource) {
            self.refused.push(Outcome {
                resource,
                account: account.clone(),
                verdict: End::Escalated,
                principal: None,
                identified_by: None,
                reach: None,
                denial: None,
                evidence: None,
                earlier_evidence: None,
                read_back: None,
                tagged: None,
                unused_days,
                failures: vec![Failed {
                    state: STATE.to_owned(),
                    error: refusal.name().to_owned(),
                    cause: cut(reason, 200),
                }],
                told: false,
                unknown: false,
                pass: 0,
            });
        }
    }

    fn conclude(&mut self, reason: &str, reason_for_nothing: &str, nothing: Action) {
        self.response = match (self.accused.is_empty(), self.refused.is_empty()) {
            (false, _) => Action::Contain,
            (true, false) => Action::Escalate,
            (true, true) => nothing,
        };
        let named = !self.accused.is_empty() || !self.refused.is_empty();
        (if named { reason } else { reason_for_nothing }).clone_into(&mut self.reason);
    }
}

/// Whether both are the same principal, in one form or in two: by a name and, where both give
/// one, the same key and the same id. Then the one knows what the other says beyond it. IAM's
/// names are unique in an account, whatever their path and case.
fn is_joined(one: &mut Accused, other: &Accused) -> bool {
    let name = |accused: &Accused| accused.name.as_deref().map(str::to_ascii_lowercase);
    let agree = |one: &Option<String>, other: &Option<String>| {
        one.is_none() || other.is_none() || one == other
    };
    let by_key = one.access_key.is_some() && one.access_key == other.access_key;
    let same = one.kind == other.kind
        && agree(&one.access_key, &other.access_key)
        && agree(&one.principal_id, &other.principal_id)
        && agree(&name(one), &name(other))
        && (by_key || one.name.is_some() && other.name.is_some());
    if same {
        for (known, said) in [
            (&mut one.access_key, &other.access_key),
            (&mut one.name, &other.name),
            (&mut one.principal_id, &other.principal_id),
        ] {
            if known.is_none() {
                known.clone_from(said);
            }
        }
    }
    same
}
