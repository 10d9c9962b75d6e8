use incident::{
    AccountId, Before, DenyBy, Execution, Failed, Failure, Kind as Noun, Mode, Outcome,
    PrincipalArn, Protection, Session, Severity, Verdict, deny_policy, is_name, one_line,
    protection_by_name,
};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cause::Said;
use crate::input::{Input, Kind, Recurrence, Source};
use crate::note::holder;

/// Between whom `AssumeRole` looked for and what protects it now.
const HIDDEN: &str = " and has hidden since under a name that protects it; rename it back: ";

/// What is known, as the words are chosen by it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) input: &'a Input,
}

/// How the incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All are dealt with, at least one of them contained.
    Contained,
    /// Unused keys were made inactive, and no more was to be done.
    Retired,
    /// People have to decide.
    Escalated,
    /// The same, and further ones are not mailed.
    Overflow,
    /// Nobody was touched, on purpose.
    Observed,
    /// Nothing more is done.
    Abandoned,
    /// Security Hub does not have the finding.
    UnknownFinding,
    /// The finding was not updated.
    NotUpdated,
    /// People were not told at first.
    Untold,
    /// It failed before anybody was dealt with.
    Failed,
    /// It failed, and nobody knows what was done.
    Unclear,
    /// All who are to be contained are denied, but not all is done.
    Denied,
    /// Somebody who is to be contained is under no deny.
    NotContained,
    /// Unused keys were not all made inactive.
    NotRetired,
}

impl Ending {
    /// The message attribute `verdict`, and the notification's event type.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Contained => "contained",
            Self::Retired => "retired",
            Self::Escalated => "escalated",
            Self::Overflow => "overflow",
            Self::Observed => "observed",
            Self::Abandoned => "abandoned",
            Self::UnknownFinding => "unknownFinding",
            Self::NotUpdated => "notUpdated",
            Self::Untold => "untold",
            Self::Failed => "failed",
            Self::Unclear => "unclear",
            Self::Denied => "denied",
            Self::NotContained => "notContained",
            Self::NotRetired => "notRetired",
        }
    }

    /// The same, in a subject.
    pub(crate) fn phrase(self) -> &'static str {
        match self {
            Self::Contained => "contained",
            Self::Retired => "unused keys inactive",
            Self::Escalated => "left to you",
            Self::Overflow => "too many escalations",
            Self::Observed => "observed",
            Self::Abandoned => "nothing more is done",
            Self::UnknownFinding => "no such finding",
            Self::NotUpdated => "finding not updated",
            Self::Untold => "told late",
            Self::Failed => "failed, nothing done",
            Self::Unclear => "FAILED, not clear",
            Self::Denied => "denied, not finished",
            Self::NotContained => "NOT CONTAINED",
            Self::NotRetired => "unused keys still active",
        }
    }
}

/// How a principal stands that is to be contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The deny stands, as read back.
    Out,
    /// The deny was put there, but not read back.
    Denied,
    /// No deny stands, as far as is known.
    In,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(input: &'a Input) -> Self {
        Self { input }
    }

    pub(crate) fn execution(self) -> &'a Execution {
        &self.input.execution
    }

    /// Where IAM's calls are recorded, and every command of ours may be sent to.
    pub(crate) fn region(self) -> &'a str {
        self.execution().region()
    }

    /// The Region that has the partition's global events.
    ///
    /// Source: CloudTrail User Guide, "Global service events".
    pub(crate) fn global_region(self) -> &'a str {
        match self.execution().partition() {
            "aws" => "us-east-1",
            "aws-us-gov" => "us-gov-west-1",
            "aws-cn" => "cn-north-1",
            _ => self.region(),
        }
    }

    /// The finding's Region: its product's.
    ///
    /// Source: ASFF, `ProductArn`.
    pub(crate) fn finding_region(self) -> Option<&'a str> {
        let region = self.input.finding.product_arn.split(':').nth(3)?;
        let (begin, number) = region.rsplit_once('-')?;
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
        let is_region = region.len() <= 32
            && begin.contains('-')
            && begin.split('-').all(plain)
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit());
        is_region.then_some(region)
    }

    pub(crate) fn deny(self) -> String {
        deny_policy(self.execution().partition())
    }

    /// The label, where it is one.
    pub(crate) fn severity(self) -> &'static str {
        let label = Value::from(self.input.finding.severity.as_str());
        serde_json::from_value::<Severity>(label).map_or("UNKNOWN", Severity::label)
    }

    /// The finding's account, where it is one.
    pub(crate) fn account(self) -> Option<AccountId> {
        AccountId::try_from(self.input.finding.account.clone()).ok()
    }

    /// The finding's id, on one line.
    pub(crate) fn label(self) -> String {
        let label = one_line(&self.input.finding.label, 512);
        if label.is_empty() { "unknown".to_owned() } else { label }
    }

    /// Whether it is about a finding: a person may have sent an event that carries none.
    pub(crate) fn has_finding(self) -> bool {
        self.account().is_some()
    }

    /// With what the execution began, as what comes after "after".
    pub(crate) fn beginning(self) -> &'static str {
        if self.by_person() {
            "a person chose the finding"
        } else {
            "Security Hub sent the finding"
        }
    }

    /// Seconds since then.
    pub(crate) fn seconds(self) -> Option<i64> {
        let [sent, now] = [&self.input.sent, &self.input.now]
            .map(|time| OffsetDateTime::parse(time, &Rfc3339).ok());
        let seconds = (now? - sent?).whole_seconds();
        (seconds >= 0).then_some(seconds)
    }

    /// The execution in the console.
    pub(crate) fn link(self) -> String {
        let (region, arn) = (self.region(), self.execution().arn());
        format!("{}/states/home?region={region}#/v2/executions/details/{arn}", self.input.console)
    }

    /// Whether Security Hub without CSPM sent the finding, which has other words for its
    /// status, and no custom actions.
    pub(crate) fn without_cspm(self) -> bool {
        incident::is_in_ocsf(&self.input.finding.product_arn)
    }

    pub(crate) fn by_person(self) -> bool {
        let source = self.input.verdict.as_ref().and_then(|verdict| verdict.source);
        source == Some(Source::Person)
    }

    /// What the finding says beyond an answer of Cordon's, where it had one.
    pub(crate) fn recurrence(self) -> Option<&'a Recurrence> {
        self.input.verdict.as_ref().and_then(|verdict| verdict.recurrence.as_ref())
    }

    /// Whether the attacker is back with somebody whom the earlier answer had contained: the
    /// account was asked before the deny was put there anew. Who was not named then is new.
    pub(crate) fn attacker_is_back(self) -> bool {
        self.input.outcomes.iter().any(|outcome| self.attacker_is_back_with(outcome))
    }

    /// The same of one.
    pub(crate) fn attacker_is_back_with(self, outcome: &Outcome) -> bool {
        let answers = self.recurrence().map(|recurrence| recurrence.evidence.as_slice());
        let mut had = answers.unwrap_or_default().iter().map(|one| holder(one));
        let now = outcome.evidence.as_ref().map(|proof| holder(&proof.original));
        // Under the deny of the earlier answer nobody is back.
        let met_denied = outcome.reach.as_ref().is_some_and(|reach| reach.denied_before.is_some());
        outcome.verdict == Verdict::Contained && !met_denied && had.any(|had| now == Some(had))
    }

    /// How it ended, in a subject.
    pub(crate) fn phrase(self) -> &'static str {
        match self.ending() {
            Ending::Contained if self.attacker_is_back() => "contained again",
            Ending::Escalated if self.attacker_is_back() => "contained again, part left to you",
            Ending::Failed if self.input.redrives > 0 => "redrive failed",
            // No pass was to contain anybody.
            Ending::NotContained if self.observes() && self.input.redrives == 0 => "not observed",
            Ending::Retired if !self.input.outcomes.iter().any(has_lost_keys) => {
                "no unused key left"
            }
            Ending::NotRetired if self.keys_are_inactive() => "unused keys inactive, not finished",
            ending => ending.phrase(),
        }
    }

    /// Whether of all whose unused keys were to be made inactive none is active, as read back,
    /// whatever else is not done.
    pub(crate) fn keys_are_inactive(self) -> bool {
        let pending = self.input.outcomes.iter().filter(|one| one.verdict == Verdict::Pending);
        pending.filter(|one| one.unused_days.is_some()).all(is_retired)
    }

    pub(crate) fn observes(self) -> bool {
        self.input.mode == Some(Mode::Observe)
    }

    /// Everybody, the worst first.
    pub(crate) fn sorted(self) -> Vec<&'a Outcome> {
        let mut outcomes: Vec<&Outcome> = self.input.outcomes.iter().collect();
        outcomes.sort_by_key(|one| match (one.verdict, standing(one)) {
            (Verdict::Pending, Standing::In) => 0,
            (Verdict::Pending, Standing::Denied) => 1,
            (Verdict::Pending, Standing::Out) => 2,
            // Whoever attacked it is worse.
            (Verdict::Escalated, _) if !one.told && first_error(one) == "Target" => 4,
            (Verdict::Escalated, _) if !one.told => 3,
            (Verdict::Contained, _) => 5,
            // People know of it, and it is no worse.
            (Verdict::Escalated, _) => 6,
            (Verdict::Observed | Verdict::Retired, _) => 7,
        });
        outcomes
    }

    /// Those of this pass.
    pub(crate) fn fresh(self) -> impl Iterator<Item = &'a Outcome> {
        self.input.outcomes.iter().filter(move |one| !self.is_earlier(one))
    }

    /// Whether it was read back before the redrive, and not since.
    pub(crate) fn is_earlier(self, outcome: &Outcome) -> bool {
        // What `classify` leaves to people, it does in each pass anew, and knows no passes.
        outcome.pass < self.input.redrives && !is_refused(outcome)
    }

    /// The session that the finding describes by the name that it gives to an outcome.
    pub(crate) fn session(self, outcome: &Outcome) -> Option<&'a Session> {
        self.input.finding.sessions.iter().find(|one| one.resource == outcome.resource)
    }

    /// The user whose key or session an outcome is, by the finding's own word.
    pub(crate) fn user_by_the_finding(self, outcome: &Outcome) -> Option<Named> {
        if words_at_the_door(outcome).is_some() {
            return None;
        }
        let name = self.session(outcome)?.user.clone().filter(|name| is_name(name))?;
        Some(Named { kind: Noun::User, name, arn: outcome.resource.clone() })
    }

    /// Whether the finding puts it into another account or partition than its own. There the
    /// name means somebody else, if anybody: no command is for it.
    pub(crate) fn is_elsewhere(self, outcome: &Outcome) -> bool {
        let strange = |said: &Place<'_>| {
            let of_the_account = said.account == outcome.account.as_str();
            said.is_of_iam && !(of_the_account && said.partition == self.execution().partition())
        };
        outcome.principal.is_none()
            && (first_error(outcome) == "Elsewhere"
                || Place::of(&outcome.resource).is_some_and(|said| strange(&said)))
    }

    /// The account that it is in; none, where it is elsewhere and nobody says where.
    pub(crate) fn account_of(self, outcome: &Outcome) -> Option<AccountId> {
        if !self.is_elsewhere(outcome) {
            return Some(outcome.account.clone());
        }
        let said = Place::of(&outcome.resource);
        let said = said.filter(|said| said.partition == self.execution().partition())?;
        AccountId::try_from(said.account.to_owned()).ok().filter(|said| *said != outcome.account)
    }

    /// Why no machine is to contain the role that the finding's word means, by the role's name.
    /// Nothing where its account's own word is known, which counts more.
    pub(crate) fn protection(self, outcome: &Outcome) -> Option<Protection> {
        let asked = ["PrincipalProtected", "PrincipalMayBeImpostor"];
        let is_known = outcome.failures.iter().any(|it| asked.contains(&it.error.as_str()));
        if outcome.principal.is_some() || is_known {
            return None;
        }
        match PrincipalArn::parse(&outcome.resource) {
            Ok(arn) => self.protection_of(&arn),
            Err(_) => self.protection_by(&outcome.account, "/", self.role_by_the_finding(outcome)?),
        }
    }

    /// The same of an ARN, as a finding gives it.
    pub(crate) fn protection_of(self, arn: &PrincipalArn<'_>) -> Option<Protection> {
        let account = AccountId::try_from(arn.account.to_owned()).ok()?;
        (arn.resource == "role").then(|| self.protection_by(&account, &arn.path, arn.name))?
    }

    fn protection_by(self, account: &AccountId, path: &str, name: &str) -> Option<Protection> {
        protection_by_name(self.execution(), account, path, name).ok()?
    }

    /// The role whose session an outcome is, by the finding's own word.
    pub(crate) fn role_by_the_finding(self, outcome: &Outcome) -> Option<&'a str> {
        self.session(outcome)?.role.as_deref()
    }

    /// Whether a rule for the root user's keys has taken it for root by the finding's title
    /// alone: what the finding names is a user's or a role's.
    pub(crate) fn taken_for_root(self, outcome: &Outcome) -> bool {
        let is_named = named(outcome).is_some()
            || self.user_by_the_finding(outcome).is_some()
            || self.role_by_the_finding(outcome).is_some();
        is_named && first_error(outcome) == "RootUser"
    }

    /// What a sentence calls it.
    pub(crate) fn called(self, outcome: &Outcome) -> String {
        if let Some(Named { kind, name, .. }) = named(outcome) {
            return format!("the {} `{}`", kind.noun(), one_line(&name, 128));
        }
        if let Some(Named { name, .. }) = self.user_by_the_finding(outcome) {
            let key = self.session(outcome).and_then(|session| session.key.as_deref());
            return match key.filter(|key| is_key(key)) {
                Some(key) => format!("the access key `{key}` of the user `{name}`"),
                None => format!("a key of the user `{name}`"),
            };
        }
        if let Some(session) = self.session(outcome) {
            match (&session.role, &session.name) {
                (Some(role), _) => return format!("a session of the role `{role}`"),
                (None, Some(name)) if first_error(outcome) == "FederatedSession" => {
                    return format!("a session of the federated user `{name}`");
                }
                (None, Some(name)) => return format!("a session named `{name}`"),
                (None, None) => {}
            }
        }
        match first_error(outcome) {
            "RootUser" | "RootKey" | "RootSession" | "RootMfa" => "the root user".to_owned(),
            "NoPrincipal" if !outcome.resource.contains(":policy/") => {
                "what the finding names".to_owned()
            }
            error => match (key_in(&outcome.resource), outcome.resource.rsplit_once(':')) {
                (Some(key), _) => format!("the access key `{key}`"),
                (_, Some((_, policy))) if policy.starts_with("policy/") => called_policy(policy),
                _ if error == "ExposedKey" => "a key that the finding does not name".to_owned(),
                _ => "a principal that the finding names".to_owned(),
            },
        }
    }

    /// What a subject calls it, in ASCII: of the finding's own words nothing but names that
    /// IAM could give.
    pub(crate) fn short(self, outcome: &Outcome) -> String {
        if let Some(Named { kind, name, .. }) = named(outcome) {
            return format!("{}/{name}", kind.noun());
        }
        if let Some(role) = self.session(outcome).and_then(|session| session.role.as_ref()) {
            return format!("a session of role/{role}");
        }
        if let Some(Named { name, .. }) = self.user_by_the_finding(outcome) {
            return format!("a key of user/{name}");
        }
        match first_error(outcome) {
            "RootUser" | "RootKey" | "RootSession" | "RootMfa" => "root".to_owned(),
            "FederatedSession" => "a federated user".to_owned(),
            "UnknownKey" | "ExposedKey" => "an unknown key".to_owned(),
            "WidePolicy" => "a policy".to_owned(),
            "NoPrincipal" => "no principal".to_owned(),
            _ => "a principal".to_owned(),
        }
    }

    pub(crate) fn ending(self) -> Ending {
        let outcomes = &self.input.outcomes;
        let all = |verdict| !outcomes.is_empty() && outcomes.iter().all(|it| it.verdict == verdict);
        let any = |verdict| outcomes.iter().any(|it| it.verdict == verdict);
        match self.input.kind {
            Kind::Contained if all(Verdict::Retired) => Ending::Retired,
            Kind::Contained => Ending::Contained,
            Kind::Escalated if any(Verdict::Observed) => Ending::Observed,
            Kind::Escalated => Ending::Escalated,
            Kind::Overflow => Ending::Overflow,
            Kind::Observed => Ending::Observed,
            Kind::Abandoned => Ending::Abandoned,
            Kind::Failed => match &self.input.failure {
                Some(failed) => ending_of(failed),
                None => self.ending_of_principals(),
            },
        }
    }

    fn ending_of_principals(self) -> Ending {
        let mut pending =
            self.input.outcomes.iter().filter(|one| one.verdict == Verdict::Pending).peekable();
        if pending.peek().is_none() {
            return Ending::Unclear;
        }
        let (attacks, unused): (Vec<_>, Vec<_>) = pending.partition(|it| it.unused_days.is_none());
        let somebody_is_in = attacks.iter().any(|one| standing(one) == Standing::In);
        match (attacks.is_empty(), unused.is_empty()) {
            (true, _) => Ending::NotRetired,
            _ if somebody_is_in => Ending::NotContained,
            _ => Ending::Denied,
        }
    }
}

fn ending_of(failed: &Failed) -> Ending {
    match (failed.state.as_str(), failed.error.as_str()) {
        (_, "FindingNotFound") => Ending::UnknownFinding,
        ("Resolve" | "MarkNotified", _) => Ending::NotUpdated,
        (state, _) if state.starts_with("Tell") => Ending::Untold,
        ("Principals", _) => Ending::Unclear,
        _ => Ending::Failed,
    }
}

pub(crate) fn standing(outcome: &Outcome) -> Standing {
    let seen = seen_denied(outcome);
    match (&outcome.read_back, &outcome.denial) {
        (Some(read), _) if read.denied_by.is_some() => Standing::Out,
        // Quarantine's word is of an earlier pass, and AssumeRole's of this one.
        (None, _) if outcome.verdict != Verdict::Pending && seen == Some(false) => Standing::In,
        (None, Some(denial)) if denial.by.is_some() => Standing::Denied,
        (None, _) if seen == Some(true) => Standing::Denied,
        _ => Standing::In,
    }
}

/// Whether `classify` leaves it to people: what else is known of it is of an earlier pass.
fn is_refused(outcome: &Outcome) -> bool {
    outcome.failures.first().is_some_and(|failed| failed.state == "Classify")
}

/// Whether a deny stood when `AssumeRole` read the principal in this pass; nothing, where it did
/// not, or found somebody else.
fn seen_denied(outcome: &Outcome) -> Option<bool> {
    if is_refused(outcome) {
        return None;
    }
    if let Some(words) = words_at_the_door(outcome) {
        return Some(DenyBy::in_words(&words).is_some());
    }
    if outcome.failures.iter().any(|failed| failed.error == "PrincipalVanished") {
        return None;
    }
    let answered = outcome.identified_by.as_ref().and(outcome.principal.as_ref())?;
    Some(answered.denied_by.is_some())
}

/// By what a deny stood on whom `AssumeRole` leaves to people, by its words.
pub(crate) fn seen_by(outcome: &Outcome) -> Option<DenyBy> {
    DenyBy::in_words(&words_at_the_door(outcome)?)
}

/// Why `AssumeRole` leaves whom it has found to people.
fn refused_at_the_door(outcome: &Outcome) -> Option<&Failed> {
    let refused = ["PrincipalExempt", "PrincipalProtected", "PrincipalMayBeImpostor"];
    let last = outcome.failures.last()?;
    (last.state == "AssumeRole" && refused.contains(&last.error.as_str())).then_some(last)
}

/// What `AssumeRole` says of whom it has found, and does not hand on: who is left to people, or
/// has got away under a name that protects it.
fn words_at_the_door(outcome: &Outcome) -> Option<String> {
    if let Some(failed) = refused_at_the_door(outcome) {
        return Some(Said::of(failed).words);
    }
    let vanished = outcome.failures.iter().rev().find(|one| one.error == "PrincipalVanished")?;
    let words = Said::of(vanished).words;
    words.split_once(HIDDEN).map(|(_, rest)| rest.to_owned())
}

/// Who has got away under a name that protects it, as it is called now.
pub(crate) fn hidden(outcome: &Outcome) -> Option<Named> {
    let is_refused = refused_at_the_door(outcome).is_some();
    words_at_the_door(outcome).filter(|_| !is_refused).and_then(|words| found(outcome, &words))
}

/// What follows the ARN in the words of a refusal at the door.
const AFTER_THE_ARN: [&str; 3] =
    ["` matches `", "` is never contained by machine: ", "`; it is never contained by machine: "];

/// Whom its words are about. No ARN has a blank, but its path may have backticks: it goes from the
/// last backtick that begins a word to what follows it. An exemption's note may quote something
/// before it. Of words that are cut within it nothing is believed.
fn found(outcome: &Outcome, words: &str) -> Option<Named> {
    let before = AFTER_THE_ARN.iter().find_map(|after| Some(words.rsplit_once(after)?.0))?;
    let arn = before.rsplit_once(" `").map_or_else(|| before.strip_prefix('`'), |it| Some(it.1))?;
    let parsed = PrincipalArn::parse(arn).ok()?;
    let kind = if parsed.resource == "user" { Noun::User } else { Noun::Role };
    let is_here = parsed.account == outcome.account.as_str();
    is_here.then(|| Named { kind, name: parsed.name.to_owned(), arn: arn.to_owned() })
}

/// Whether nobody knows if a deny stands: the answer was lost of the step that puts it there, or
/// an earlier pass has reached the principal, and it was not read again, or nothing is known of
/// what became of it.
pub(crate) fn is_unclear(outcome: &Outcome) -> bool {
    let lost = |failed: &Failed| {
        let puts_it_there = ["Quarantine", "ReplaceBoundary"].contains(&failed.state.as_str());
        let may_have_acted = ["PolicyUnread", "ServiceUnavailable"];
        let is_named = Failure::NAMES.contains(&failed.error.as_str());
        puts_it_there && (!is_named || may_have_acted.contains(&failed.error.as_str()))
    };
    let stood = seen_denied(outcome).is_none()
        && outcome.identified_by.is_none()
        && outcome.principal.as_ref().is_some_and(|one| one.denied_by.is_some());
    let vanished = outcome.failures.iter().any(|failed| failed.error == "PrincipalVanished");
    let vanished = vanished && outcome.principal.is_some() && hidden(outcome).is_none();
    outcome.read_back.is_none()
        && outcome.unused_days.is_none()
        && standing(outcome) == Standing::In
        && (stood
            || vanished
            || is_refused(outcome) && outcome.principal.is_some()
            || is_lost(outcome) && seen_denied(outcome).is_none()
            || outcome.failures.iter().any(lost))
}

/// Whether nobody knows what was done with it: the machine failed while it was dealt with.
pub(crate) fn is_lost(outcome: &Outcome) -> bool {
    outcome.unknown && outcome.read_back.is_none()
}

/// Whether not even what it had is known, of which something may be taken away.
pub(crate) fn is_unknown(outcome: &Outcome) -> bool {
    let had = outcome.evidence.as_ref().and_then(|proof| proof.had.as_ref());
    is_lost(outcome) && had.is_none()
}

/// Whether a deny stood on it before the incident. Where nobody knows what an earlier pass did,
/// the deny may be that one's.
pub(crate) fn denied_before(outcome: &Outcome) -> bool {
    let known = match &outcome.principal {
        Some(one) => one.denied_before.is_some(),
        // No earlier pass has identified it, so none has touched it.
        None => refused_at_the_door(outcome).is_some(),
    };
    !outcome.unknown && (known || outcome.denial.as_ref().is_some_and(|denial| denial.already))
}

/// Whether it had something again since it was read back, and found contained.
pub(crate) fn has_regained(outcome: &Outcome) -> bool {
    let before = outcome.evidence.as_ref().and_then(|proof| proof.before);
    let acted = matches!(outcome.verdict, Verdict::Contained | Verdict::Pending);
    acted && matches!(before, Some(Before::Joined { regained: true, .. }))
}

/// What says how an earlier case was given back, where one was before the execution opened
/// another: the address of its `restored.json`.
pub(crate) fn given_back(outcome: &Outcome) -> Option<String> {
    let proof = outcome.evidence.as_ref()?;
    let Some(Before::Restored) = proof.before else { return None };
    let before = proof.case.as_ref()?.parse::<u16>().ok()?.checked_sub(1)?;
    Some(format!("{}/{before:04}/restored.json", holder(&proof.original)))
}

/// Whether no access key is active that was to be made inactive, as read back.
pub(crate) fn is_retired(outcome: &Outcome) -> bool {
    outcome.unused_days.is_some() && outcome.read_back.as_ref().is_some_and(|read| read.contained)
}

/// Whether a key was made inactive, as read back.
pub(crate) fn has_lost_keys(outcome: &Outcome) -> bool {
    outcome.read_back.as_ref().is_some_and(|read| !read.done.credentials.is_empty())
}

/// A principal as people call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) kind: Noun,
    pub(crate) name: String,
    /// Its ARN, or what the finding takes for that.
    pub(crate) arn: String,
}

/// Who it is: by its account's word, or else by the finding's, where that is an ARN.
pub(crate) fn named(outcome: &Outcome) -> Option<Named> {
    if let Some(one) = &outcome.principal {
        return Some(Named { kind: one.kind, name: one.name.clone(), arn: one.arn.clone() });
    }
    // Not whom the finding says, where AssumeRole has found out whose the key is.
    if let Some(words) = words_at_the_door(outcome) {
        match found(outcome, &words) {
            // Which role's session it is the finding says.
            Some(Named { kind: Noun::Role, .. }) => {}
            other => return other,
        }
    }
    let arn = PrincipalArn::parse(&outcome.resource).ok()?;
    if arn.resource == "user" && arn.path.ends_with("/access-key/") {
        return None;
    }
    let kind = if arn.resource == "user" { Noun::User } else { Noun::Role };
    Some(Named { kind, name: arn.name.to_owned(), arn: outcome.resource.clone() })
}

/// Where an ARN says that something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place<'a> {
    partition: &'a str,
    account: &'a str,
    /// Whether it is a principal of IAM, root or a session; policies may be AWS's own.
    is_of_iam: bool,
}

impl<'a> Place<'a> {
    fn of(resource: &'a str) -> Option<Self> {
        let parts: Vec<&str> = resource.splitn(6, ':').collect();
        let ["arn", partition, service, _, account, rest] = parts.as_slice() else { return None };
        let is_of_iam = *service == "sts" || *service == "iam" && !rest.starts_with("policy/");
        Some(Self { partition, account, is_of_iam })
    }
}

fn called_policy(resource: &str) -> String {
    match resource.rsplit_once('/') {
        Some((_, name)) if is_name(name) => format!("the policy `{name}`"),
        _ => "a policy".to_owned(),
    }
}

/// The access key that a resource is, bare or at the end of an ARN.
pub(crate) fn key_in(resource: &str) -> Option<&str> {
    resource.rsplit([':', '/']).next().filter(|id| is_key(id))
}

/// Source: IAM User Guide, "IAM identifiers" (unique id prefixes).
fn is_key(id: &str) -> bool {
    let of_a_key = id.starts_with("AKIA") || id.starts_with("ASIA");
    of_a_key && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `text` as the beginning of a sentence.
pub(crate) fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    first.into_iter().chain([characters.collect()]).collect()
}

/// The error that decides what people are told first.
pub(crate) fn first_error(outcome: &Outcome) -> &str {
    outcome.failures.first().map_or("", |failed| failed.error.as_str())
}
