use incident::{Outcome, Verdict, listed, one_line};

use crate::advice::is_hopeless;
use crate::errors::{TAKEN_FOR_ROOT, UNKNOWN, meaning};
use crate::facts::{
    Ending, Facts, Standing, capitalized, denied_before, first_error, given_back, has_lost_keys,
    has_regained, hidden, is_lost, is_retired, is_unclear, named, standing,
};

/// How it stands with the attacker, by the facts: what a mail says first.
pub(crate) fn first(facts: Facts<'_>) -> Vec<String> {
    let mut said = match facts.ending() {
        Ending::Contained => contained(facts),
        Ending::Retired => retired(facts),
        Ending::Escalated => escalated(facts),
        Ending::Overflow => overflow(facts),
        Ending::Observed => observed(facts),
        Ending::Abandoned => abandoned(facts),
        Ending::UnknownFinding => vec![
            "Security Hub does not have the finding that this is about.".to_owned(),
            "Was this execution started by hand?".to_owned(),
            touched(facts),
        ],
        Ending::NotUpdated => {
            vec!["Security Hub did not update the finding.".to_owned(), touched(facts)]
        }
        Ending::Untold => {
            vec![touched(facts), "A mail that says so could not be sent at first.".to_owned()]
        }
        Ending::Failed => failed(facts),
        Ending::Unclear => vec![
            "It is not known whether the attacker is out: Cordon failed while it dealt with this \
             finding."
                .to_owned(),
            if facts.input.outcomes.is_empty() { String::new() } else { touched(facts) },
        ],
        Ending::Denied | Ending::NotContained => pending(facts),
        Ending::NotRetired => not_retired(facts),
    };
    said.extend(regained(facts));
    said.extend(after_a_restore(facts));
    said.extend(recurrence(facts));
    said.retain(|sentence| !sentence.is_empty());
    said.extend(of_the_finding(facts));
    said
}

/// That somebody has given it back what it can't use under the deny.
fn regained(facts: Facts<'_>) -> Option<String> {
    let regained = facts.sorted().into_iter().filter(|one| has_regained(one));
    let names: Vec<String> = regained.map(|one| facts.called(one)).collect();
    if names.is_empty() {
        return None;
    }
    let who = listed(&names, 2);
    Some(format!(
        "Since it was contained in an earlier incident, somebody gave {who} rights or keys again."
    ))
}

/// That what was given back is taken away again.
fn after_a_restore(facts: Facts<'_>) -> Option<String> {
    let given_back = facts.sorted().into_iter().filter(|one| given_back(one).is_some());
    let names: Vec<String> = given_back.map(|one| facts.called(one)).collect();
    (!names.is_empty()).then(|| {
        format!(
            "Cordon had contained {} before, and people had it given back what was taken then.",
            listed(&names, 2)
        )
    })
}

/// That it is not the first time.
fn recurrence(facts: Facts<'_>) -> Option<String> {
    let recurrence = facts.recurrence()?;
    let last = recurrence.last_seen.as_ref();
    let last = last.map(|at| one_line(at, 40));
    let since = match last {
        Some(last) if facts.attacker_is_back() => format!("seen activity since, last at {last}"),
        Some(last) => format!("sent it again, with the last activity at {last}"),
        None => "sent it again".to_owned(),
    };
    let by = one_line(recurrence.execution.name(), 80);
    Some(format!(
        "This is a recurrence: Cordon had answered this finding before (execution {by}), and \
         GuardDuty has {since}."
    ))
}

/// How one principal stands, in a sentence; `alone`, where the sentence says how it stands
/// with the attacker.
pub(crate) fn of(facts: Facts<'_>, outcome: &Outcome, alone: bool) -> String {
    let called = facts.called(outcome);
    let who = match facts.account_of(outcome) {
        Some(account) => format!("{called} in account {account}"),
        None => called,
    };
    let before = if facts.is_earlier(outcome) { ", as read back before the redrive" } else { "" };
    let sentence = match outcome.verdict {
        Verdict::Contained if alone && denied_before(outcome) => format!(
            "The attacker was out before this incident: {who} was denied already, and is \
             contained{before}."
        ),
        Verdict::Contained if alone => {
            format!("The attacker is out: {who} is contained{before}.")
        }
        Verdict::Contained => format!("{who} is contained{before}."),
        Verdict::Retired if !has_lost_keys(outcome) => {
            format!("{who} has no access key that is active and unused{before}.")
        }
        Verdict::Retired => format!("unused keys of {who} are inactive{before}."),
        Verdict::Observed if outcome.unused_days.is_some() => {
            format!("Cordon would make unused keys of {who} inactive.")
        }
        Verdict::Observed if standing(outcome) == Standing::Denied && !denied_before(outcome) => {
            format!("{who} was denied everything before; Cordon would contain it again.")
        }
        Verdict::Observed if earlier_case(outcome).is_some() => format!(
            "what Cordon took from {who} before is not undone; Cordon would contain it now."
        ),
        Verdict::Observed => format!("Cordon would contain {who}."),
        Verdict::Escalated if standing(outcome) == Standing::Denied => {
            let before = if denied_before(outcome) { "before this incident" } else { "before" };
            let why = why(facts, outcome);
            format!(
                "{who} is left to you: {why}. It was denied everything {before}, and that is not \
                 undone."
            )
        }
        Verdict::Escalated if is_unclear(outcome) => format!(
            "{who} is left to you: {}. {} had begun with it, and nobody knows whether a deny stands \
             on {}.",
            why(facts, outcome),
            if facts.input.redrives > 0 { "Before this redrive Cordon" } else { "Cordon" },
            if named(outcome).is_none() { "its owner" } else { "it" }
        ),
        Verdict::Escalated => format!("{who} is left to you: {}.", why(facts, outcome)),
        Verdict::Pending if is_retired(outcome) => {
            let read = if before.is_empty() { ", as read back" } else { before };
            format!("unused keys of {who} are inactive{read}, but not all is done.")
        }
        Verdict::Pending if outcome.unused_days.is_some() && is_lost(outcome) => {
            format!("nobody knows whether unused keys of {who} are inactive.")
        }
        Verdict::Pending if outcome.unused_days.is_some() => {
            format!("unused keys of {who} are not all inactive.")
        }
        Verdict::Pending if facts.observes() && standing(outcome) == Standing::In => format!(
            "Cordon only observes now (mode `observe`), and could not read all of {who}. If it is \
             an attacker's, the attacker is still in."
        ),
        Verdict::Pending => pending_one(outcome, &who, before, alone),
    };
    capitalized(&sentence)
}

fn pending_one(outcome: &Outcome, who: &str, before: &str, alone: bool) -> String {
    let vanished = outcome.failures.iter().any(|failed| failed.error == "PrincipalVanished");
    let read = outcome.read_back.is_some();
    match (standing(outcome), alone) {
        (Standing::Out, true) => {
            let read = if before.is_empty() { ", as read back" } else { before };
            format!("The attacker is out, but not all is done: {who} is denied everything{read}.")
        }
        (Standing::Out, false) => {
            format!("{who} is denied everything{before}, but not all is done.")
        }
        (Standing::Denied, true) => format!(
            "The attacker is most likely out: {who} was denied everything, but that was not read \
             back."
        ),
        (Standing::Denied, false) => {
            format!("{who} was denied everything, but that was not read back.")
        }
        (Standing::In, true) if hidden(outcome).is_some() => format!(
            "THE ATTACKER IS STILL IN: {who} has hidden under a name that protects it, and no deny \
             stands on it."
        ),
        (Standing::In, true) if vanished => {
            format!("THE ATTACKER MAY STILL BE IN: {who} vanished while Cordon dealt with it.")
        }
        (Standing::In, false) if vanished => format!("{who} vanished while Cordon dealt with it."),
        (Standing::In, true) if read => {
            let read = if before.is_empty() { ", as read back" } else { before };
            format!("THE ATTACKER IS STILL IN: no deny stands on {who}{read}.")
        }
        (Standing::In, true) if is_unclear(outcome) => {
            format!("THE ATTACKER MAY STILL BE IN: nobody knows whether a deny stands on {who}.")
        }
        (Standing::In, true) => {
            format!("THE ATTACKER IS STILL IN: Cordon could not put a deny on {who}.")
        }
        (Standing::In, false) if read => format!("no deny stands on {who}{before}."),
        (Standing::In, false) if is_unclear(outcome) => {
            format!("nobody knows whether a deny stands on {who}.")
        }
        (Standing::In, false) => format!("no deny stands on {who}."),
    }
}

/// Why a principal is left to people.
pub(crate) fn why(facts: Facts<'_>, outcome: &Outcome) -> &'static str {
    if facts.taken_for_root(outcome) {
        return TAKEN_FOR_ROOT.why;
    }
    meaning(first_error(outcome)).unwrap_or(UNKNOWN).why
}

fn of_all(facts: Facts<'_>, outcomes: &[&Outcome]) -> Vec<String> {
    let is_attack = facts.sorted().first().is_some_and(|one| one.verdict == Verdict::Pending);
    let alone = |n: usize| outcomes.len() == 1 || n == 0 && is_attack;
    let told = outcomes.iter().take(3).enumerate();
    let mut said: Vec<String> = told.map(|(n, one)| of(facts, one, alone(n))).collect();
    if let more @ 1.. = outcomes.len().saturating_sub(3) {
        said.push(format!("{more} more are told of below."));
    }
    said
}

fn contained(facts: Facts<'_>) -> Vec<String> {
    let mut said = match facts.sorted().as_slice() {
        [] => vec!["The attacker is out.".to_owned()],
        [one] => vec![of(facts, one, true)],
        all => {
            let contained = all.iter().filter(|one| one.verdict == Verdict::Contained).count();
            let mut said = vec![{
                let are = if contained == 1 { "principal is" } else { "principals are" };
                format!("The attacker is out: {contained} {are} contained.")
            }];
            if contained < all.len() {
                let lost = all.iter().any(|one| one.unused_days.is_some() && has_lost_keys(one));
                let are = if lost { "unused keys are inactive" } else { "no unused key is active" };
                said.push(format!("Of {} more, {are}.", all.len() - contained));
            }
            said
        }
    };
    let took = facts.seconds().map_or_else(String::new, |seconds| {
        format!(", {} after {}", lasted(seconds), facts.beginning())
    });
    said.push(format!("Denied by AWSDenyAll, and read back from the account{took}."));
    said
}

/// Seconds, as people say them.
pub(crate) fn lasted(seconds: i64) -> String {
    match seconds {
        1 => "1 second".to_owned(),
        0..300 => format!("{seconds} seconds"),
        300..7_200 => format!("{} minutes", seconds / 60),
        7_200..172_800 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn retired(facts: Facts<'_>) -> Vec<String> {
    let mut said = vec!["No attack is reported here.".to_owned()];
    said.extend(of_all(facts, &facts.sorted()));
    let mut retired = facts.input.outcomes.iter().filter(|one| has_lost_keys(one));
    let Some(one) = retired.next() else {
        said.push("All is as it was, as read back.".to_owned());
        return said;
    };
    said.extend(one.unused_days.map(|days| format!("They were unused for {days} days.")));
    said.push("All else is as it was, as read back.".to_owned());
    said
}

fn not_retired(facts: Facts<'_>) -> Vec<String> {
    // Beside somebody who was to be contained, each is told of.
    if facts.input.outcomes.iter().any(|one| one.unused_days.is_none()) {
        return of_all(facts, &facts.sorted());
    }
    let how = if facts.keys_are_inactive() {
        "unused keys were to be made inactive, and are, but not all is done."
    } else {
        "unused keys were to be made inactive, and not all are."
    };
    vec![format!("No attack is reported here: {how}")]
}

fn escalated(facts: Facts<'_>) -> Vec<String> {
    let all = facts.sorted();
    if !all.iter().any(|one| acted(one)) {
        let mut said = vec!["Nobody was touched.".to_owned()];
        if all.is_empty() {
            let reason = facts.input.verdict.as_ref().map_or("", |it| it.reason.as_str());
            said.push(format!("This is left to you: {}.", one_line(reason, 500)));
        }
        said.extend(of_all(facts, &all));
        return said;
    }
    let left = all.iter().filter(|one| one.verdict == Verdict::Escalated).count();
    let mut said = match left {
        0 => vec!["No more is done here, for the reason below.".to_owned()],
        left if left < all.len() => vec!["Part of this is left to you.".to_owned()],
        // Each one's own sentence says so.
        _ => Vec::new(),
    };
    said.extend(of_all(facts, &all));
    said
}

/// Whether anything was done to it, in this pass or before.
fn acted(outcome: &Outcome) -> bool {
    let read = outcome.read_back.as_ref();
    matches!(outcome.verdict, Verdict::Contained | Verdict::Retired)
        || standing(outcome) == Standing::Denied && !denied_before(outcome)
        || outcome.denial.as_ref().is_some_and(|denial| denial.by.is_some() && !denial.already)
        || is_unclear(outcome)
        || outcome.unknown
        || outcome.evidence.as_ref().is_some_and(|proof| !is_observation(&proof.original))
        || earlier_case(outcome).is_some()
        || read.is_some_and(|read| !read.done.is_empty())
}

/// The original of a pass that acted, of whom this pass only observes.
pub(crate) fn earlier_case(outcome: &Outcome) -> Option<&str> {
    outcome.earlier_evidence.as_deref().filter(|address| !is_observation(address))
}

fn is_observation(address: &str) -> bool {
    address.contains("/observed/")
}

fn overflow(facts: Facts<'_>) -> Vec<String> {
    let beyond = facts.input.verdict.as_ref().map_or("", |verdict| verdict.beyond.as_str());
    let beyond = beyond.lines().next().unwrap_or_default();
    let mut said = vec![
        "Nobody was touched, and this is the last mail of its kind in this hour.".to_owned(),
        format!("{}.", one_line(beyond, 400)),
    ];
    said.push("The first that was not mailed by itself is this one.".to_owned());
    said
}

fn observed(facts: Facts<'_>) -> Vec<String> {
    let all = facts.sorted();
    let whom = if all.iter().any(|one| acted(one)) { "Nobody more" } else { "Nobody" };
    let mut said = vec![format!("{whom} was touched: Cordon only observes now (mode `observe`).")];
    said.extend(of_all(facts, &facts.sorted()));
    said
}

fn abandoned(facts: Facts<'_>) -> Vec<String> {
    let reason = facts.input.verdict.as_ref().map_or("", |verdict| verdict.reason.as_str());
    let reason = match reason {
        "AnsweredBefore" => {
            "the finding was answered before, and nothing has come of it since".into()
        }
        reason => one_line(reason, 500),
    };
    let what = if facts.has_finding() {
        "Nothing more is done about this finding"
    } else {
        "Nothing is done"
    };
    vec![format!("{what}: {reason}."), touched(facts)]
}

fn failed(facts: Facts<'_>) -> Vec<String> {
    let what = match facts.input.redrives {
        0 => "Nothing was changed",
        _ => "Nothing more was changed in this redrive",
    };
    let mut said = vec![format!("{what}: Cordon failed before it dealt with anybody.")];
    if facts.input.outcomes.is_empty() {
        said.push("If there is an attacker, the attacker is still in.".to_owned());
    } else {
        said.push(touched(facts));
    }
    said
}

fn pending(facts: Facts<'_>) -> Vec<String> {
    let all = facts.sorted();
    let mut said = of_all(facts, &all);
    if let [one] = all.as_slice()
        && standing(one) == Standing::In
        && let Some(read) = &one.read_back
        && read.left.credentials.first.is_empty()
        && !read.done.credentials.first.is_empty()
    {
        said.push(
            "Its keys are inactive, but a session that was made with one before lives on for hours."
                .to_owned(),
        );
    }
    said
}

/// What became of everybody, where a mail is about something else first.
fn touched(facts: Facts<'_>) -> String {
    let all = facts.sorted();
    if all.is_empty() {
        return "Nobody was touched.".to_owned();
    }
    of_all(facts, &all).join(" ")
}

/// What becomes of the finding, which is as good as done when people read this.
fn of_the_finding(facts: Facts<'_>) -> Option<String> {
    let [resolved, notified] = if facts.without_cspm() {
        ["The finding is Resolved.", "The finding becomes In Progress, not Resolved."]
    } else {
        ["The finding is RESOLVED.", "The finding becomes NOTIFIED, not RESOLVED."]
    };
    let said = match facts.ending() {
        Ending::Contained | Ending::Retired => resolved,
        Ending::Escalated if facts.observes() => "The finding stays as it is.",
        Ending::Escalated => notified,
        Ending::Abandoned if !facts.has_finding() => return None,
        // What comes again was answered, and is NEW no more.
        Ending::Overflow | Ending::Observed | Ending::Abandoned => "The finding stays as it is.",
        Ending::UnknownFinding => return None,
        Ending::Untold => match facts.input.failure.as_ref().map(|failed| failed.state.as_str()) {
            Some("TellContained") => resolved,
            _ => "The finding stays as it is until a redrive.",
        },
        _ if is_hopeless(facts) => "The finding stays as it is: a redrive would fail again.",
        Ending::NotUpdated
        | Ending::Failed
        | Ending::Unclear
        | Ending::Denied
        | Ending::NotContained
        | Ending::NotRetired => "The finding stays as it is until a redrive.",
    };
    Some(said.to_owned())
}
