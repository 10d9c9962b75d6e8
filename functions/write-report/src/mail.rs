use incident::{
    Before, DenyBy, Execution, Holdings, Names, Outcome, Proof, ReadBack, Verdict, hex_digest,
    one_line,
};

use crate::advice::{Step, Whose, steps};
use crate::cause::Said;
use crate::errors::is_a_decision;
use crate::facts::{
    Ending, Facts, Standing, capitalized, denied_before, given_back, is_unclear, is_unknown, named,
    standing,
};
use crate::input::Kind;
use crate::page::Page;
use crate::sentences;

/// Characters of a subject at most.
///
/// Source: SNS API Reference, `Publish` (`Subject`): ASCII, fewer than 100 characters.
pub(crate) const MOST_OF_A_SUBJECT: usize = 99;

/// The subject: two incidents do not share one, and the verdict is never cut.
pub(crate) fn subject(facts: Facts<'_>) -> String {
    let severity = facts.severity();
    let verdict = facts.phrase();
    let account = facts.account();
    let account = account.as_ref().map_or("an unknown account", incident::AccountId::as_str);
    let number = number(facts);
    let outcomes = facts.sorted();
    let more = match outcomes.len() {
        0 | 1 => String::new(),
        all => format!(" and {} more", all - 1),
    };
    // Who is elsewhere is not in the account that the subject names.
    let (here, beside) = match outcomes.split_first() {
        Some((worst, others))
            if !facts.is_elsewhere(worst) && others.iter().any(|one| facts.is_elsewhere(one)) =>
        {
            (String::new(), more)
        }
        _ => (more, String::new()),
    };
    let frame = format!("[{severity}] {verdict}:  in {account}{beside} ({number})");
    let room = MOST_OF_A_SUBJECT.saturating_sub(frame.len());
    let who = whom(facts, &outcomes, here, room);
    format!("[{severity}] {verdict}: {who} in {account}{beside} ({number})")
}

/// Whom a subject names, in so many ASCII characters; a long name is cut.
fn whom(facts: Facts<'_>, outcomes: &[&Outcome], more: String, room: usize) -> String {
    let Some(worst) = outcomes.first() else {
        // Of whom it names nobody has judged: not even that it is nobody.
        let is_nobody = match facts.ending() {
            Ending::UnknownFinding => facts.input.finding.names.is_none(),
            ending => ending == Ending::Escalated || !facts.has_finding(),
        };
        return if is_nobody { "nobody named" } else { "a finding" }.to_owned();
    };
    let account = match facts.account_of(worst) {
        _ if !facts.is_elsewhere(worst) => String::new(),
        Some(account) => format!(" of {account}"),
        None => " elsewhere".to_owned(),
    };
    // Two accounts in a row would read as one place. Something of the name has to be left.
    let named = if account.is_empty() { "" } else { ", named" };
    let tails = [format!("{account}{more}{named}"), format!("{account}{more}")];
    let (name, more) = match tails.into_iter().find(|tail| tail.len() + 8 <= room) {
        Some(tail) => (facts.short(worst), tail),
        None if account.is_empty() => (facts.short(worst), more),
        None => ("one elsewhere".to_owned(), more),
    };
    let room = room.saturating_sub(more.len());
    if name.len() <= room {
        return format!("{name}{more}");
    }
    let cut: String = name.chars().take(room.saturating_sub(3)).collect();
    format!("{cut}...{more}")
}

/// Twelve digits that tell the incident's execution from others.
pub(crate) fn number(facts: Facts<'_>) -> String {
    number_of(facts.execution())
}

/// Twelve digits that tell an execution from others: those that its name begins with, where
/// EventBridge gave it one (a UUID), or else of the name's digest.
pub(crate) fn number_of(execution: &Execution) -> String {
    let name = execution.name();
    let begin: String = name.chars().take(13).collect();
    let is_uuid = begin.char_indices().all(|(at, c)| match at {
        8 => c == '-',
        _ => c.is_ascii_digit() || ('a'..='f').contains(&c),
    });
    if is_uuid && begin.len() == 13 && name.len() >= 36 {
        return begin.replace('-', "");
    }
    hex_digest(name.as_bytes()).chars().take(12).collect()
}

/// The mail's text; the first `most` principals are told of in full.
pub(crate) fn text(facts: Facts<'_>, most: usize) -> String {
    let mut page = Page::default();
    page.prose(sentences::first(facts).join(" "));
    why(facts, &mut page);
    let outcomes = facts.sorted();
    for outcome in outcomes.iter().copied().take(most) {
        principal(facts, outcome, &mut page);
    }
    holders(facts, &mut page);
    if outcomes.len() > most {
        page.heading(&format!("{} more principals", outcomes.len() - most));
        page.prose(
            "There is no room here to tell them in full. All of it is in the execution, which is \
             named at the end.",
        );
        for outcome in outcomes.iter().copied().skip(most) {
            page.item(sentences::of(facts, outcome, false));
        }
    }
    if let Some(failed) = &facts.input.failure {
        page.heading("What failed");
        failure(&mut page, failed);
    }
    page.heading("What to do now");
    for (number, step) in (1..).zip(steps(facts, most)) {
        self::step(&mut page, number, &step);
    }
    the_end(facts, most, &mut page);
    page.to_string()
}

fn why(facts: Facts<'_>, page: &mut Page) {
    let finding = &facts.input.finding;
    if facts.input.kind == Kind::Abandoned && !facts.has_finding() {
        return;
    }
    page.heading("Why");
    if facts.input.kind != Kind::Abandoned
        && let Some(reason) = facts.input.verdict.as_ref().map(|verdict| verdict.reason.as_str())
        && !reason.is_empty()
    {
        page.indented(2, capitalized(&format!("{}.", one_line(reason, 500))));
    }
    page.indented(2, format!("The finding ({}) says of itself:", facts.severity()));
    page.quote(2, one_line(&finding.title, 256));
    if let Some(names) = &finding.names {
        page.indented(2, "It names:");
        page.quote(2, one_line(names, 512));
    }
    for session in &finding.sessions {
        let role = session.role.as_ref().map(|role| format!("of the role `{role}`"));
        let name = session.name.as_ref().map(|name| format!("named `{name}`"));
        let instance = session.instance.as_ref().map(|id| format!("on the instance `{id}`"));
        let key = session.key.as_ref().map(|key| format!("with the key `{key}`"));
        let user = session.user.as_ref().map(|user| format!("of the user `{user}`"));
        let said: Vec<String> = [user, role, name, instance, key].into_iter().flatten().collect();
        let is_session = session.key.as_ref().is_none_or(|key| !key.starts_with("AKIA"));
        if is_session {
            page.indented(2, format!("It is about a session {}.", said.join(", ")));
        }
    }
}

fn principal(facts: Facts<'_>, outcome: &Outcome, page: &mut Page) {
    let title = match named(outcome) {
        Some(named) => format!("{} {}", capitalized(named.kind.noun()), one_line(&named.name, 50)),
        None => capitalized(&facts.called(outcome)),
    };
    let when = if facts.is_earlier(outcome) { ", before the redrive" } else { "" };
    page.heading(&format!("{title}{when}"));
    match named(outcome) {
        Some(named) => page.word(2, one_line(&named.arn, 700)),
        None => page.quote(2, one_line(&outcome.resource, 700)),
    }
    if let Some(by) = &outcome.identified_by {
        page.indented(2, format!("Identified by {}.", one_line(by, 400)));
    } else if let Some(user) = facts.session(outcome).and_then(|session| session.user.as_ref())
        && let Some(named) = named(outcome)
        && named.kind == incident::Kind::User
        && named.name != *user
    {
        page.indented(2, format!("The finding calls it the user `{}`.", one_line(user, 128)));
    }
    match (&outcome.read_back, outcome.verdict) {
        (_, Verdict::Observed) => would(facts, outcome, page),
        (Some(read), _) => read_back(facts, outcome, read, page),
        (None, Verdict::Pending) => not_read_back(outcome, page),
        (None, _) => {}
    }
    if matches!(outcome.verdict, Verdict::Escalated | Verdict::Pending) {
        for failed in &outcome.failures {
            failure(page, failed);
        }
    }
    if outcome.tagged == Some(false) {
        page.part(
            "Not tagged: it has no room for more tags. Without the tag Cordon gives nothing back; \
             the plan of a restore has the command for it.",
        );
    }
    if outcome.read_back.as_ref().is_some_and(|read| read.unused_password) {
        page.part("It has a console password, as unused as its keys. Cordon leaves that to you.");
    }
    if outcome.read_back.as_ref().is_some_and(|read| read.key_still_active) {
        page.part(
            "It has an active access key that the finding may mean. Cordon leaves that to you.",
        );
    }
}

fn failure(page: &mut Page, failed: &incident::Failed) {
    let said = Said::of(failed);
    let call = said.call.map_or_else(String::new, |call| format!(" at the call {call}"));
    let (state, error) = (one_line(&failed.state, 80), one_line(&failed.error, 120));
    if is_a_decision(&error) {
        let end = if said.words.is_empty() { "." } else { ":" };
        page.part(format!("Left to you, {error}{end}"));
        if !said.words.is_empty() {
            page.quote(2, said.words);
        }
        return;
    }
    let end = if said.words.is_empty() { "." } else { ":" };
    page.part(format!("Failed: {state}{call}, with {error}{end}"));
    if !said.words.is_empty() {
        page.quote(2, said.words);
    }
}

fn read_back(facts: Facts<'_>, outcome: &Outcome, read: &ReadBack, page: &mut Page) {
    page.part("Done, as read back:");
    let deny = facts.deny();
    let as_boundary = read.boundary.as_deref() == Some(&deny);
    let before = if denied_before(outcome) { ", as before this incident" } else { "" };
    let stands = match (read.denied_by, as_boundary) {
        (None, _) => None,
        (Some(DenyBy::Policy), true) => Some("attached, and as permissions boundary"),
        (Some(DenyBy::Policy), false) => Some("attached"),
        (Some(DenyBy::Boundary), _) => Some("as permissions boundary"),
    };
    let mut any = stands.is_some();
    if let Some(stands) = stands {
        page.item(format!("denied everything by AWSDenyAll ({stands}{before})"));
    }
    let boundary = outcome.reach.as_ref().and_then(|reach| reach.boundary.as_deref());
    if let Some(boundary) = boundary.filter(|one| as_boundary && *one != deny) {
        page.item("its own permissions boundary is replaced by that:");
        page.word(2, one_line(boundary, 700));
    }
    let taken = holdings(page, &read.done, Tense::Done);
    any |= taken;
    if !any {
        page.item("nothing");
    }
    let before = outcome.evidence.as_ref().and_then(|proof| proof.before);
    if let Some(Before::Joined { gone, .. }) = before {
        if any && !taken {
            page.item("nothing was taken away in this incident");
        }
        if gone > 0 {
            page.item(format!(
                "gone before this incident: {gone} of what it had when its case began; the case's \
                 original, under `Evidence`, names all of it"
            ));
        }
    }
    page.part("Left:");
    let mut any = false;
    if read.denied_by.is_none() && outcome.unused_days.is_none() {
        page.item("no deny stands on it");
        any = true;
    }
    any |= holdings(page, &read.left, Tense::Left);
    if !any {
        page.item(match outcome.unused_days {
            Some(_) => "no access key that is active and unused",
            None => "nothing that a containment takes away",
        });
    }
    if outcome.unused_days.is_none() {
        console_password(outcome, page);
        let roles = outcome.evidence.iter().map(|proof| &proof.assumable_roles);
        if roles.clone().any(|roles| !roles.is_empty()) {
            page.item("sessions of roles that it assumed before, if it did: they live on");
        }
    }
}

/// What a containment leaves, and a deny holds in check.
fn console_password(outcome: &Outcome, page: &mut Page) {
    if !outcome.evidence.as_ref().is_some_and(|proof| proof.console_password) {
        return;
    }
    page.item(match standing(outcome) {
        Standing::Out => {
            "by the evidence a console password, which is not taken away: who signs in is denied \
             everything, too"
        }
        Standing::Denied => {
            "by the evidence a console password, which is not taken away: who signs in is denied \
             everything, if the deny stands"
        }
        Standing::In if is_unclear(outcome) => {
            "by the evidence a console password, which opens the account unless a deny stands"
        }
        Standing::In => "by the evidence a console password, which opens the account",
    });
}

/// How a mail tells of what a principal has.
#[derive(Debug, Clone, Copy)]
enum Tense {
    Done,
    Left,
    Had,
    Would,
}

/// Names what a principal has or had; whether there is anything.
fn holdings(page: &mut Page, holdings: &Holdings, tense: Tense) -> bool {
    for one in &holdings.credentials.first {
        let what = format!("{} `{}`", one.kind.noun(), one_line(&one.id, 128));
        page.item(match tense {
            Tense::Done => format!("{what} is inactive"),
            Tense::Left => format!("{what} is active"),
            Tense::Had => format!("{what} was active"),
            Tense::Would => format!("make the {what} inactive"),
        });
    }
    more(page, &holdings.credentials, "credentials");
    for arn in &holdings.policies.first {
        page.item(match tense {
            Tense::Done => "policy detached:",
            Tense::Left => "policy is attached:",
            Tense::Had => "policy was attached:",
            Tense::Would => "detach the policy:",
        });
        page.word(2, one_line(arn, 700));
    }
    more(page, &holdings.policies, "policies");
    for name in &holdings.inline_policies.first {
        let what = format!("inline policy `{}`", one_line(name, 128));
        page.item(match tense {
            Tense::Done => format!("{what} deleted"),
            Tense::Left => format!("{what} is there"),
            Tense::Had => format!("{what} was there"),
            Tense::Would => format!("delete the {what}"),
        });
    }
    more(page, &holdings.inline_policies, "inline policies");
    for name in &holdings.groups.first {
        let what = format!("the group `{}`", one_line(name, 128));
        page.item(match tense {
            Tense::Done => format!("taken out of {what}"),
            Tense::Left => format!("is in {what}"),
            Tense::Had => format!("was in {what}"),
            Tense::Would => format!("take it out of {what}"),
        });
    }
    more(page, &holdings.groups, "groups");
    !holdings.is_empty()
}

fn more<T>(page: &mut Page, names: &Names<T>, noun: &str) {
    if names.more > 0 {
        page.item(format!("and {} more {noun}", names.more));
    }
}

fn not_read_back(outcome: &Outcome, page: &mut Page) {
    let begun = outcome.failures.first().is_none_or(|first| first.state != "AssumeRole");
    let untouched = outcome.denial.is_none() && outcome.evidence.is_none();
    if !begun && untouched && outcome.principal.is_none() {
        page.part("Nothing was changed: Cordon could not identify it.");
        return;
    }
    page.part("Done and left: not read back.");
    match (&outcome.denial, standing(outcome)) {
        (Some(denial), _) if denial.by.is_some() => {
            let by = match denial.by {
                Some(DenyBy::Boundary) => "as permissions boundary",
                _ if denial.boundary => "attached, and as permissions boundary",
                _ => "attached",
            };
            page.item(format!("Quarantine says: denied everything by AWSDenyAll ({by})"));
        }
        (_, Standing::Denied) => page.item("a deny stood on it when it was identified"),
        _ if is_unclear(outcome) => page.item("whether a deny stands on it is not known"),
        (Some(denial), _) if denial.by.is_none() => page.item(
            "no deny stands on it: no more policies can be attached, and its own boundary is not \
             replaced before the evidence is stored",
        ),
        _ => page.item("no step has put a deny on it"),
    }
    if is_unknown(outcome) && outcome.evidence.is_some() {
        page.item("what more was taken away before the redrive failed is not known");
    } else if is_unknown(outcome) {
        page.item("what was taken away, if anything, and its evidence are not known");
    } else if outcome.evidence.is_none() {
        page.item("no evidence is stored, so nothing was taken away");
    } else if let Some(had) = outcome.evidence.as_ref().and_then(|proof| proof.had.as_ref()) {
        page.prose("By the evidence it had:");
        if !holdings(page, had, Tense::Had) {
            page.item("nothing that a containment takes away");
        }
        console_password(outcome, page);
    }
}

fn would(facts: Facts<'_>, outcome: &Outcome, page: &mut Page) {
    let mut had = outcome.evidence.as_ref().and_then(|proof| proof.had.clone());
    if let Some(days) = outcome.unused_days {
        page.part(format!("Cordon would make inactive what of this is unused for {days} days:"));
        let keys = had.map(|had| Holdings { credentials: had.credentials, ..Holdings::default() });
        had = keys;
        if !had.as_ref().is_some_and(|had| holdings(page, had, Tense::Left)) {
            page.item("nothing: no access key is active");
        }
        return;
    }
    page.part("Cordon would:");
    page.item("deny it everything, with the policy:");
    page.alone(2, facts.deny());
    let boundary = outcome.reach.as_ref().and_then(|reach| reach.boundary.as_deref());
    if let Some(boundary) = boundary.filter(|one| *one != facts.deny()) {
        page.item("make that its permissions boundary, too, in the place of its own:");
        page.word(2, one_line(boundary, 700));
    } else {
        page.item("make that its permissions boundary, too");
    }
    match had {
        Some(had) if holdings(page, &had, Tense::Would) => {}
        Some(_) => page.item("take nothing away, since it has nothing of that"),
        None => page.item("take away what it has; that could not be read"),
    }
    if outcome.evidence.as_ref().is_some_and(|proof| proof.console_password) {
        page.item("leave its console password: who signs in is denied everything, too");
    }
}

fn holders(facts: Facts<'_>, page: &mut Page) {
    if facts.input.holders.is_empty() {
        return;
    }
    page.heading("Who has the policy");
    for holder in facts.input.holders.iter().take(60) {
        page.quote(2, one_line(holder, 700));
    }
    if let more @ 1.. = facts.input.holders.len().saturating_sub(60) {
        page.item(format!("and {more} more lines, in the execution"));
    }
}

/// What to do, with the commands for it.
pub(crate) fn step(page: &mut Page, number: usize, step: &Step) {
    page.numbered(number, &step.text);
    for (whose, commands) in &step.run {
        let lines: Vec<&str> = commands.iter().filter_map(|command| command.line()).collect();
        let whose = match whose {
            Whose::Security => "the security account, where Cordon runs".to_owned(),
            Whose::Restorer => {
                "one of `restorers`, or of the security account if the configuration names none"
                    .to_owned()
            }
            Whose::RestorerAlone => "one of `restorers`, where there are any".to_owned(),
            Whose::Restoring => {
                "this role, or of the security account if the configuration names no `restorers`"
                    .to_owned()
            }
            Whose::Account(account) => format!("account {account}"),
            Whose::GuardDuty => "the account that administers GuardDuty".to_owned(),
            Whose::Management => "the management account, or who manages root access".to_owned(),
        };
        if !lines.is_empty() {
            page.indented(3, format!("With credentials of {whose}:"));
        }
        for line in &lines {
            page.alone(5, *line);
        }
        if lines.len() < commands.len() {
            page.indented(
                3,
                "A name here holds what a shell or `make` would not take as it is: its command is \
                 left out.",
            );
        }
    }
}

fn the_end(facts: Facts<'_>, most: usize, page: &mut Page) {
    let outcomes = facts.sorted().into_iter().take(most);
    let proofs: Vec<&Proof> = outcomes.filter_map(|one| one.evidence.as_ref()).collect();
    if !proofs.is_empty() {
        page.heading("Evidence");
    }
    for proof in proofs {
        page.word(2, one_line(&proof.original, 1_000));
        page.alone(2, format!("SHA-256 {}", one_line(&proof.sha256, 64)));
        if proof.snapshot != proof.original {
            page.indented(2, "and of this incident:");
            page.word(2, one_line(&proof.snapshot, 1_000));
            page.alone(2, format!("SHA-256 {}", one_line(&proof.snapshot_sha256, 64)));
        }
        for told in &proof.told {
            page.quote(2, one_line(told, 400));
        }
    }
    for restored in facts.sorted().into_iter().take(most).filter_map(given_back) {
        page.indented(2, "and of when, by whom and why it had been given back before:");
        page.word(2, one_line(&restored, 1_000));
    }
    for case in facts.sorted().into_iter().take(most).filter_map(sentences::earlier_case) {
        page.indented(2, "and of what was done before the redrive:");
        page.word(2, one_line(case, 1_000));
    }
    roles(facts, most, page);
    page.heading("Finding");
    if facts.input.kind == Kind::Abandoned && !facts.has_finding() {
        page.indented(2, "None: what was sent carries no finding.");
    } else {
        page.id(2, facts.label());
    }
    if let Some(url) = &facts.input.finding.source_url {
        page.indented(2, "GuardDuty shows it here:");
        page.alone(2, one_line(url, 1_000));
    }
    page.heading("Execution");
    page.alone(2, facts.execution().arn());
    page.alone(2, facts.link());
    if let Some(seconds) = facts.seconds() {
        let told = sentences::lasted(seconds);
        page.indented(2, format!("Told {told} after {}.", facts.beginning()));
    }
}

fn roles(facts: Facts<'_>, most: usize, page: &mut Page) {
    let outcomes = facts.sorted().into_iter().take(most);
    let roles: Vec<&Names> = outcomes
        .filter(|one| one.verdict != Verdict::Retired)
        .filter_map(|one| one.evidence.as_ref())
        .map(|proof| &proof.assumable_roles)
        .filter(|roles| !roles.first.is_empty())
        .collect();
    if roles.is_empty() {
        return;
    }
    page.heading("Roles");
    for names in roles {
        for pattern in &names.first {
            match pattern.as_str() {
                "*" => page.indented(2, "`*`: any role that lets it in"),
                _ => page.word(2, one_line(pattern, 700)),
            }
        }
        more(page, names, "roles");
    }
}
