use std::collections::{BTreeMap, BTreeSet};

use incident::{DenyBy, Holdings, Outcome, Proof, Verdict, cut, one_line};

use crate::facts::{Facts, Standing, denied_before, is_retired, is_unclear, named, standing};
use crate::input::Kind;
use crate::sentences::{earlier_case, why};

/// Characters of a note at most.
///
/// Source: Security Hub API Reference, `NoteUpdate` (`Text`).
const MOST_OF_A_NOTE: usize = 512;

/// Of how many principals a finding has fields: it takes 50 in all.
///
/// Source: ASFF, `UserDefinedFields`.
const PRINCIPALS: usize = 8;

/// Whom an answer has left to people that has left nobody: a field has a value.
const NOBODY: &str = "nobody";

/// The finding's note. It is written before Security Hub has taken the update, and claims
/// nothing of it; of what an earlier pass read back, and this one did not, it says nothing.
pub(crate) fn note(facts: Facts<'_>) -> String {
    let input = facts.input;
    let mut parts: Vec<String> = Vec::new();
    let nobody = facts.fresh().next().is_none();
    if let Some(verdict) = &input.verdict
        && (nobody || matches!(input.kind, Kind::Overflow))
        && !verdict.reason.is_empty()
    {
        parts.push(match input.outcomes.iter().find(|one| facts.is_earlier(one)) {
            None => format!("Not contained by machine: {}.", verdict.reason),
            Some(_) => format!(
                "Left to people: {}. What was done before the redrive was not read back again.",
                verdict.reason
            ),
        });
    }
    parts.extend(facts.fresh().map(|one| describe(facts, one)));
    if input.kind != Kind::Contained {
        parts.push("People were told.".to_owned());
    }
    let end = format!("Execution {}.", one_line(facts.execution().name(), 80));
    let room = MOST_OF_A_NOTE.saturating_sub(1 + end.chars().count());
    format!("{} {end}", one_line(&parts.join(" "), room)).trim_start().to_owned()
}

fn describe(facts: Facts<'_>, one: &Outcome) -> String {
    let session = facts.session(one);
    let role = session.and_then(|session| session.role.as_deref());
    let who = match (named(one), role) {
        (Some(named), _) => format!("{} {}", named.kind.noun(), named.name),
        (None, Some(role)) => {
            let on = session.and_then(|session| session.instance.as_deref());
            let on = on.map_or_else(String::new, |id| format!(" on the instance {id}"));
            format!("a session of the role {role}{on} ({})", cut(&one.resource, 150))
        }
        (None, None) => cut(&one.resource, 150),
    };
    let evidence = one.evidence.as_ref().map(in_the_evidence).unwrap_or_default();
    let tags = if one.tagged == Some(false) { " It has no room for tags." } else { "" };
    match one.verdict {
        Verdict::Contained => {
            let deny = match one.read_back.as_ref().and_then(|read| read.denied_by) {
                Some(DenyBy::Boundary) => "AWSDenyAll as permissions boundary",
                _ => "AWSDenyAll attached",
            };
            let before = if denied_before(one) { ", as before this incident" } else { "" };
            format!(
                "{who} is contained, as read back: {deny}{before}; {}.{tags}{evidence} Sessions of roles \
                 that it assumed before may live on.",
                counted(one)
            )
        }
        Verdict::Retired => format!(
            "{who} has no unused access key that is active, as read back: {} made inactive.{tags}\
             {evidence}",
            done(one, |done| done.credentials.len())
        ),
        Verdict::Observed => {
            let before = earlier_case(one).map_or_else(String::new, |case| {
                format!(" What was done before is not undone: {case}.")
            });
            format!("{who} was observed, and not touched.{evidence}{before}")
        }
        Verdict::Escalated => {
            format!("{who} is left to people: {}.", why(facts, one))
        }
        Verdict::Pending => {
            let stands = match standing(one) {
                _ if is_retired(one) => "no unused access key is active, as read back",
                _ if one.unused_days.is_some() && one.read_back.is_some() => {
                    "its unused access keys are not all inactive, as read back"
                }
                _ if one.unused_days.is_some() => "its unused access keys may be active",
                Standing::Out => "it is denied, as read back",
                Standing::Denied => "it was denied, which was not read back",
                Standing::In if is_unclear(one) => "whether a deny stands on it is not known",
                Standing::In => "no deny stands on it",
            };
            let failed = one.failures.first();
            let failed = failed.map_or_else(String::new, |it| format!("; {} failed", it.state));
            format!("{who} is left to people: {stands}{failed}.")
        }
    }
}

/// For a note, which has no room for two addresses.
fn in_the_evidence(proof: &Proof) -> String {
    let Proof { original, snapshot, .. } = proof;
    if original == snapshot {
        return format!(" Evidence: {original}.");
    }
    let name = snapshot.rsplit_once('/').map_or(snapshot.as_str(), |(_, name)| name);
    format!(" Evidence: {original}, and beside it of this incident {name}.")
}

fn done(one: &Outcome, of: fn(&Holdings) -> usize) -> usize {
    one.read_back.as_ref().map_or(0, |read| of(&read.done))
}

/// What is counted, by the field that has it.
type Count = (&'static str, fn(&Holdings) -> usize);

const COUNTS: [Count; 4] = [
    ("CordonCredentialsDeactivated", |it| it.credentials.len()),
    ("CordonPoliciesDetached", |it| it.policies.len()),
    ("CordonInlinePoliciesDeleted", |it| it.inline_policies.len()),
    ("CordonGroupsLeft", |it| it.groups.len()),
];

fn counted(one: &Outcome) -> String {
    let [credentials, policies, inline, groups] = COUNTS.map(|(_, of)| done(one, of));
    let some = |count: usize, noun: &str, nouns: &str| match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {nouns}"),
    };
    format!(
        "{} deactivated, {} detached, {} deleted, {} left",
        some(credentials, "credential", "credentials"),
        some(policies, "policy", "policies"),
        some(inline, "inline policy", "inline policies"),
        some(groups, "group", "groups")
    )
}

/// The finding's user-defined fields, which lead to the execution and to the evidence. By them
/// `classify` knows a finding that was answered, and whether it says more since.
pub(crate) fn fields(facts: Facts<'_>) -> BTreeMap<String, String> {
    let input = facts.input;
    let mut fields =
        BTreeMap::from([("CordonExecution".to_owned(), facts.execution().arn().to_owned())]);
    if let Some(seen) = &input.finding.seen {
        fields.insert("CordonSeen".to_owned(), seen.clone());
        fields.insert("CordonSeverity".to_owned(), facts.severity().to_owned());
        let left = input.outcomes.iter().filter(|one| one.verdict == Verdict::Escalated);
        let left = left.filter_map(|one| input.finding.who.get(&one.resource));
        let left: BTreeSet<&str> = left.map(String::as_str).collect();
        let left = left.into_iter().collect::<Vec<_>>().join(",");
        let left = if left.is_empty() { NOBODY.to_owned() } else { left };
        fields.insert("CordonLeft".to_owned(), left);
    }
    if let Some(named) = &input.finding.named {
        fields.insert("CordonNamed".to_owned(), named.clone());
    }
    if input.kind == Kind::Contained {
        fields.extend(COUNTS.map(|(field, of)| {
            let sum: usize = input.outcomes.iter().map(|one| done(one, of)).sum();
            (field.to_owned(), sum.to_string())
        }));
    }
    let numbered = |field: &str, n: usize| match n {
        0 => field.to_owned(),
        _ => format!("{field}{}", n + 1),
    };
    let fresh: Vec<&Outcome> = facts.fresh().take(PRINCIPALS).collect();
    for (n, one) in fresh.iter().enumerate() {
        let mut set = |field: &str, value: &str| {
            fields.insert(numbered(field, n), value.to_owned());
        };
        if let Some(principal) = &one.principal {
            set("CordonPrincipal", &principal.arn);
        }
        if let Some(evidence) = &one.evidence {
            set("CordonEvidence", &evidence.original);
            set("CordonEvidenceSha256", &evidence.sha256);
            set("CordonSnapshot", &evidence.snapshot);
            set("CordonSnapshotSha256", &evidence.snapshot_sha256);
        }
    }
    // Whom this pass has not touched keeps the case by which it is known when it comes again.
    let told = fresh.iter().filter_map(|one| one.evidence.as_ref());
    let told: Vec<&str> = told.map(|evidence| holder(&evidence.original)).collect();
    let earlier = facts.recurrence().into_iter().flat_map(|recurrence| &recurrence.evidence);
    let kept = earlier.filter(|address| !told.contains(&holder(address)));
    for (n, address) in (fresh.len()..PRINCIPALS).zip(kept) {
        fields.insert(numbered("CordonEvidence", n), address.clone());
    }
    fields
}

/// Whose case it is: the address of an original without the case's number.
pub(crate) fn holder(original: &str) -> &str {
    original.rsplitn(3, '/').nth(2).unwrap_or(original)
}
