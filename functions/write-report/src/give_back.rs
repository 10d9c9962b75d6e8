use incident::restore::{Item, Lost, Plan, Stage, States};
use incident::{Credential, deny_policy};

use crate::commands::About;
use crate::shell::Command;

/// A restore as commands, in the order in which they are safe: while anything is missing that
/// the principal had before, the deny stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GiveBack {
    /// What may let an attacker in again, and is to be gone first.
    pub(crate) remove: Vec<Command>,
    /// What becomes as it was, under the standing deny.
    pub(crate) under_the_deny: Vec<Command>,
    /// What shows all that is given back.
    pub(crate) look: Vec<Command>,
    /// What lifts the deny; nothing, where none of ours stands.
    pub(crate) lift: Vec<Command>,
    /// What takes the tag away by which people know it.
    pub(crate) close: Vec<Command>,
}

impl GiveBack {
    /// The commands of a plan, in an order that does not hang on the plan's own.
    pub(crate) fn of(plan: &Plan) -> Self {
        let about = about(plan);
        let under_the_deny = [Stage::GiveBack, Stage::SetStatuses];
        let rest = under_the_deny.map(|stage| plan.of_stage(stage)).concat();
        let lift = plan.of_stage(Stage::LiftDeny);
        // Whoever runs them has not read the boundary right before.
        let boundary = deny_policy(about.partition);
        let denied = plan.makes_room.then(|| about.boundary(Some(&boundary)));
        let close = plan.of_stage(Stage::RemoveTag);
        Self {
            remove: plan.lost.iter().filter_map(|lost| removed(about, lost)).collect(),
            under_the_deny: denied.into_iter().chain(commands(about, &rest)).collect(),
            look: if rest.is_empty() { Vec::new() } else { about.look() },
            lift: commands(about, &lift),
            close: commands(about, &close),
        }
    }
}

/// The principal of a plan.
pub(crate) fn about(plan: &Plan) -> About<'_> {
    About::named(&plan.execution, plan.principal.kind, &plan.principal.name)
}

/// What takes away a credential, a device or an instance profile that the case did not know, and
/// has a role trust whom it trusted.
fn removed(about: About<'_>, lost: &Lost) -> Option<Command> {
    match lost {
        Lost::CredentialMadeSince { credential, .. } => Some(about.delete(credential)),
        Lost::MfaMadeSince { serial } => Some(about.deactivate_mfa(serial)),
        Lost::InstanceProfileMadeSince { arn } => Some(about.leave_instance_profile(arn)),
        // A text that was cut for want of room ends with an ellipsis.
        Lost::TrustChanged { before: Some(before), .. } if !before.ends_with('…') => {
            Some(about.trust(before))
        }
        _ => None,
    }
}

/// One command for each change, in their order, but for tags, which go together: IAM takes fifty at
/// once.
fn commands(about: About<'_>, changes: &[&States]) -> Vec<Command> {
    let is_tag = |one: &&States| matches!(one.item, Item::Tag { .. });
    let (first, rest) = changes.split_at(changes.iter().take_while(|one| !is_tag(one)).count());
    let (tags, last) = rest.split_at(rest.iter().take_while(|one| is_tag(one)).count());
    let of = |changes: &[&States]| -> Vec<Command> {
        changes.iter().filter_map(|one| command(about, one)).collect()
    };
    [of(first), of_tags(about, tags), of(last)].concat()
}

fn command(about: About<'_>, change: &States) -> Option<Command> {
    let before = change.before.as_deref();
    Some(match &change.item {
        Item::Group { name } => about.group(name, before.is_some()),
        Item::Policy { arn } => about.policy(arn, before.is_some()),
        Item::Inline { name } => about.inline(name, before),
        Item::Credential(one) => set(about, one, before)?,
        Item::Boundary => about.boundary(before),
        Item::Deny => about.policy(&deny_policy(about.partition), before.is_some()),
        Item::Incident => tag(about, "SecurityIncident", before),
        Item::Tag { key } => tag(about, key, before),
    })
}

/// A credential that was not there before stays what it is: it is told among what people have to
/// see to.
fn set(about: About<'_>, credential: &Credential, before: Option<&str>) -> Option<Command> {
    before.map(|status| about.set(credential, status))
}

fn tag(about: About<'_>, key: &str, value: Option<&str>) -> Command {
    match value {
        Some(value) => about.tag(&[(key, value)]),
        None => about.untag(&[key]),
    }
}

/// Takes tags away before it sets others: a principal has room for fifty.
///
/// Source: IAM User Guide, "IAM and AWS STS quotas".
fn of_tags(about: About<'_>, changes: &[&States]) -> Vec<Command> {
    let mut gone = Vec::new();
    let mut kept = Vec::new();
    for change in changes {
        match (&change.item, &change.before) {
            (Item::Tag { key }, None) => gone.push(key.as_str()),
            (Item::Tag { key }, Some(value)) => kept.push((key.as_str(), value.as_str())),
            _ => {}
        }
    }
    let untag = (!gone.is_empty()).then(|| about.untag(&gone));
    let tag = (!kept.is_empty()).then(|| about.tag(&kept));
    untag.into_iter().chain(tag).collect()
}
