use incident::restore::{Change, Drift, Item, Lost, Plan, Shown, States, Why};
use incident::{Credential, one_line};

use crate::give_back::GiveBack;
use crate::page::Page;
use crate::restore::stays_denied;

/// How much of a plan there is room for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) commands: bool,
    /// Of how many items of one kind.
    pub(crate) items: usize,
}

/// Tells a plan, item by item.
pub(crate) fn told(plan: &Plan, room: Room, page: &mut Page) {
    changes(plan, room, page);
    inactive(&plan.inactive, room, page);
    drift(&plan.drift, room, page);
    let lifts = !GiveBack::of(plan).lift.is_empty() && !stays_denied(plan);
    lost(&plan.lost, room, if lifts { Password::Counts } else { Password::MayCount }, page);
    kept(&plan.kept, room, page);
    shown(&plan.shown, room, page);
}

fn and_more(page: &mut Page, all: usize, room: Room) {
    if let more @ 1.. = all.saturating_sub(room.items) {
        page.item(format!("and {more} more, which are in the plan's object"));
    }
}

/// Tells what was done of a plan, and what was left out.
pub(crate) fn after(plan: &Plan, by_hand: &[Item], room: Room, page: &mut Page) {
    let done = plan.changes.iter().filter(|change| !by_hand.contains(&change.states.item));
    list("What was done, in this order", plan, done.collect(), room, page);
    inactive(&plan.inactive, room, page);
    drift(&plan.drift, room, page);
    let counts = if stays_denied(plan) { Password::MayCount } else { Password::CountsNow };
    lost(&plan.lost, room, counts, page);
}

/// What is done, in its order.
fn changes(plan: &Plan, room: Room, page: &mut Page) {
    list("What it does, in this order", plan, plan.changes.iter().collect(), room, page);
    if plan.makes_room {
        page.part(
            "AWSDenyAll is detached first, since the policies may have no room beside it; all the \
             while it stands as the boundary.",
        );
    }
}

fn list(heading: &str, plan: &Plan, mut sorted: Vec<&Change>, room: Room, page: &mut Page) {
    if sorted.is_empty() {
        return;
    }
    page.heading(heading);
    sorted.sort_by_key(|one| (plan.stage(&one.states), plan.order(&one.states)));
    for one in sorted.iter().take(room.items) {
        change(&one.states, if one.accepted { ", as you have accepted" } else { "" }, page);
    }
    and_more(page, sorted.len(), room);
}

fn change(states: &States, accepted: &str, page: &mut Page) {
    let before = states.before.as_deref();
    match (&states.item, before) {
        (Item::Group { name }, Some(_)) => {
            page.item(format!("put it into the group `{}`{accepted}", one_line(name, 128)));
        }
        (Item::Group { name }, None) => {
            page.item(format!("take it out of the group `{}`{accepted}", one_line(name, 128)));
        }
        (Item::Policy { arn }, before) => {
            let verb = if before.is_some() { "attach" } else { "detach" };
            page.item(format!("{verb} the policy{accepted}:"));
            page.word(2, one_line(arn, 700));
        }
        (Item::Inline { name }, Some(document)) => page.item(format!(
            "put the inline policy `{}` there, of {} characters{accepted}",
            one_line(name, 128),
            document.chars().count()
        )),
        (Item::Inline { name }, None) => {
            page.item(format!("delete the inline policy `{}`{accepted}", one_line(name, 128)));
        }
        (Item::Tag { key }, Some(value)) => {
            page.item(format!("set the tag{accepted}:"));
            page.word(2, one_line(key, 128));
            page.indented(2, "to:");
            page.quote(2, one_line(value, 256));
        }
        (Item::Tag { key }, None) => {
            page.item(format!("remove the tag{accepted}:"));
            page.word(2, one_line(key, 128));
        }
        (Item::Credential(one), before) => {
            let becomes = if before == Some("Active") { "active" } else { "inactive" };
            let (noun, id) = (one.kind.noun(), one_line(&one.id, 128));
            page.item(format!("make the {noun} `{id}` {becomes}{accepted}"));
            if becomes == "active" {
                page.indented(2, "whoever knows it can use it again, maybe an attacker, too");
            }
        }
        (Item::Boundary, Some(arn)) => {
            page.item(format!("set the permissions boundary{accepted} to:"));
            page.word(2, one_line(arn, 700));
        }
        (Item::Boundary, None) => page.item(format!("remove the permissions boundary{accepted}")),
        (Item::Deny, Some(_)) => page.item(format!("attach AWSDenyAll{accepted}")),
        (Item::Deny, None) => page.item(format!("detach AWSDenyAll{accepted}")),
        (Item::Incident, Some(value)) => {
            page.item(format!("set the tag `SecurityIncident`{accepted} to:"));
            page.quote(2, one_line(value, 256));
        }
        (Item::Incident, None) => page.item(format!("remove the tag `SecurityIncident`{accepted}")),
    }
}

fn inactive(credentials: &[Credential], room: Room, page: &mut Page) {
    if credentials.is_empty() {
        return;
    }
    page.heading("What stays inactive");
    for one in credentials.iter().take(room.items) {
        page.item(format!("{} `{}`", one.kind.noun(), one_line(&one.id, 128)));
    }
    and_more(page, credentials.len(), room);
    page.part("Active before, and maybe known to an attacker.");
}

/// What has changed since, in its three states.
fn drift(drift: &[Drift], room: Room, page: &mut Page) {
    if drift.is_empty() {
        return;
    }
    page.heading("What has changed since, and is left alone");
    for one in drift.iter().take(room.items) {
        page.part(match one.why {
            Why::Changed => "Neither as it was before nor as it was left:",
            Why::ChangedBehind => {
                "What stands behind it has changed, so that something else would be given back:"
            }
            Why::Gone => "It does not exist any more, so it can't be accepted:",
        });
        page.word(2, one_line(&one.states.item.to_string(), 700));
        let States { item, before, left, now } = &one.states;
        for (when, state) in [("before", before), ("left", left), ("now", now)] {
            self::state(item, when, state.as_deref(), page);
        }
    }
    and_more(page, drift.len(), room);
}

fn state(item: &Item, when: &str, state: Option<&str>, page: &mut Page) {
    let alone = matches!(item, Item::Group { .. } | Item::Policy { .. } | Item::Deny);
    match state {
        None => page.indented(2, format!("{when}: nothing")),
        Some(_) if alone => page.indented(2, format!("{when}: the principal has it")),
        Some(text) => {
            page.indented(2, format!("{when}:"));
            page.quote(4, one_line(text, 400));
        }
    }
}

/// When a console password opens the account that others may know.
#[derive(Debug, Clone, Copy)]
enum Password {
    /// Once the plan lifts the deny.
    Counts,
    /// Whenever nothing else denies.
    MayCount,
    /// Since the restore, unless somebody has set another.
    CountsNow,
}

/// What no restore gives back, and what a person does about it.
fn lost(lost: &[Lost], room: Room, password: Password, page: &mut Page) {
    let is_password = |one: &&Lost| matches!(one, Lost::PasswordToChange { .. });
    let (passwords, lost): (Vec<&Lost>, Vec<&Lost>) = lost.iter().partition(is_password);
    if !passwords.is_empty() {
        page.heading(match password {
            Password::Counts => "What comes back with the lift: change it before",
            Password::MayCount | Password::CountsNow => "What opens the account again: change it",
        });
        for one in passwords {
            one_lost(one, password, page);
        }
    }
    if lost.is_empty() {
        return;
    }
    page.heading("What does not come back");
    for one in lost.iter().take(room.items) {
        one_lost(one, password, page);
    }
    and_more(page, lost.len(), room);
}

fn one_lost(lost: &Lost, password: Password, page: &mut Page) {
    let called = |one: &Credential| format!("{} `{}`", one.kind.noun(), one_line(&one.id, 128));
    let first = if matches!(password, Password::CountsNow) { "" } else { " first" };
    match lost {
        Lost::CredentialGone(one) => page.item(format!(
            "the {} was deleted, and its secret with it: who needs one gets a new one",
            called(one)
        )),
        Lost::CredentialMadeSince { credential, active } => {
            let (is, first) = match (password, active) {
                (Password::CountsNow, true) => ("was active when the plan was made", ""),
                (_, true) => ("is active", " first"),
                (_, false) => ("is inactive", ""),
            };
            page.item(format!(
                "the {} was made since, and {is}: unless somebody knows it, remove it{first}",
                called(credential)
            ));
        }
        Lost::PasswordToChange { created, since } => {
            let since = if *since { "since the case" } else { "before the case" };
            let todo = match password {
                Password::Counts => {
                    "and counts again once the deny is off: set a new one before \
                     (UpdateLoginProfile), and hand it over in person"
                }
                Password::MayCount => {
                    "and counts wherever nothing denies: set a new one \
                     (UpdateLoginProfile), and hand it over in person"
                }
                Password::CountsNow => {
                    "and counts, unless it was changed since then: who knows it can sign in"
                }
            };
            page.item(format!(
                "the console password, made {since} ({}), may be known to others, {todo}",
                one_line(created, 40)
            ));
        }
        Lost::PasswordGone => {
            page.item("the console password was deleted: who needs one gets a new one");
        }
        Lost::MfaMadeSince { serial } => {
            page.item(format!(
                "an MFA device was added since: unless somebody knows it, remove it{first}"
            ));
            page.word(2, one_line(serial, 700));
        }
        Lost::MfaGone { serial } => {
            page.item("an MFA device was deactivated since: its owner has to enrol it anew");
            page.word(2, one_line(serial, 700));
        }
        Lost::PolicyGone { arn } => {
            page.item("a policy does not exist any more; what it said stands in the evidence:");
            page.word(2, one_line(arn, 700));
        }
        Lost::PolicyChanged { arn, before, now } => {
            page.item(format!(
                "a policy says something else now (default version {} before, {} now); both texts \
                 are in the plan's object:",
                one_line(&before.version, 20),
                one_line(&now.version, 20)
            ));
            page.word(2, one_line(arn, 700));
        }
        Lost::GroupGone { name } => {
            page.item(format!("the group `{}` does not exist any more", one_line(name, 128)));
        }
        Lost::GroupChanged { name, policies } => {
            page.item(format!("the group `{}` has other policies now:", one_line(name, 128)));
            for policy in policies.iter().take(20) {
                page.word(2, one_line(policy, 700));
            }
            if let more @ 1.. = policies.len().saturating_sub(20) {
                page.indented(2, format!("and {more} more"));
            }
        }
        Lost::InstanceProfileMadeSince { arn } => {
            page.item(format!(
                "the role was put into an instance profile since, through which instances act as \
                 it: unless somebody knows it, take it out{first}"
            ));
            page.word(2, one_line(arn, 700));
        }
        Lost::InstanceProfileGone { arn } => {
            page.item(
                "the role is not in an instance profile any more; whoever needs it, puts it back:",
            );
            page.word(2, one_line(arn, 700));
        }
        Lost::TagOverwritten { value } => {
            page.item("its tag SecurityIncident, which the containment has overwritten, said:");
            page.quote(2, one_line(value, 256));
        }
        Lost::TrustChanged { before, now } => {
            trust(before.as_deref(), now.as_deref(), first, page);
        }
    }
}

/// Whom a role trusts, where these are others than before.
fn trust(before: Option<&str>, now: Option<&str>, first: &str, page: &mut Page) {
    page.item(format!(
        "the role trusts others now: unless somebody knows them, put back{first} whom it trusted \
         before:"
    ));
    page.quote(2, one_line(before.unwrap_or_default(), 1_000));
    page.indented(2, "and now:");
    page.quote(2, one_line(now.unwrap_or_default(), 1_000));
}

fn kept(kept: &[Item], room: Room, page: &mut Page) {
    if kept.is_empty() {
        return;
    }
    page.heading("What is as it was before, and needs nothing");
    for item in kept.iter().take(room.items) {
        page.word(2, one_line(&item.to_string(), 700));
    }
    and_more(page, kept.len(), room);
}

fn shown(shown: &[Shown], room: Room, page: &mut Page) {
    if shown.is_empty() {
        return;
    }
    page.heading("What else there is to know");
    for one in shown.iter().take(room.items) {
        one_shown(one, page);
    }
    and_more(page, shown.len(), room);
}

fn one_shown(shown: &Shown, page: &mut Page) {
    match shown {
        Shown::Renamed { before } => {
            page.item("it has another name or path now; before, it was:");
            page.word(2, one_line(before, 700));
        }
        Shown::TagDiffers { key, expected, says } => {
            page.item("a tag does not say what the execution's history says:");
            page.word(2, one_line(key, 128));
            page.indented(2, "says:");
            page.quote(2, one_line(says, 256));
            page.indented(2, "and ought to say:");
            page.quote(2, one_line(expected, 256));
        }
        Shown::FindingDiffers { says } => {
            page.item("the finding does not name the evidence that the execution's history does:");
            page.quote(2, one_line(says, 700));
        }
        Shown::TakenLater { item, execution } => {
            page.item("it did not have this before, and a later incident took it away:");
            page.word(2, one_line(&item.to_string(), 700));
            if let Some(execution) = execution {
                page.indented(2, "by this execution, whose snapshot lies beside the original:");
                page.word(2, one_line(execution, 400));
            }
        }
        Shown::OtherFinding { finding, execution } => {
            page.item(
                "another finding led to the same case. Its note may say that the principal is \
                 contained, which no restore changes:",
            );
            page.id(2, one_line(&finding.id, 512));
            page.indented(2, "by this execution:");
            page.word(2, one_line(execution, 400));
        }
        Shown::MoreFindings { more } => page.item(format!(
            "{more} more findings led to the same case; their executions have stored evidence \
             beside the original"
        )),
        Shown::QuarantinedByAws { arn } => {
            page.item("AWS itself restricts the user, and will take that back at its own request:");
            page.word(2, one_line(arn, 700));
        }
        Shown::BoundaryDenies => page.item(
            "its boundary was AWSDenyAll before the case, and is it still: it can do nothing until \
             somebody takes that away",
        ),
        Shown::NotCompared { arn } => {
            page.item(
                "the evidence does not hold what the boundary policy said: read it before it is \
                 given back:",
            );
            page.word(2, one_line(arn, 700));
        }
        Shown::RetiredSince { uri } => {
            page.item("unused keys were retired after it, of which no tag is left:");
            page.word(2, one_line(uri, 1_000));
        }
        Shown::NotAsked { executions } => page.item(format!(
            "at least {executions} executions more run or may wait for a redrive; nobody has asked \
             whether they would contain it again (`make pending` lists those that have failed)"
        )),
        Shown::Planted { uri } => {
            page.item("an object lies among the evidence that no execution of ours has written:");
            page.word(2, one_line(uri, 1_000));
        }
        Shown::HistoryGone { execution } => {
            page.item("the history of an execution is gone, so what it wrote is not used:");
            page.word(2, one_line(execution, 400));
        }
    }
}
