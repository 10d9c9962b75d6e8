//! The three-way comparison. Pure: the same records always lead to the same plan.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::record::{ACTIVE, Found, Group, Holds, INACTIVE, Left, Now, Snapshot};
use super::{Change, Drift, Item, Lost, Shown, States, Version, Why};
use crate::{
    Credential, CredentialKind, DenyBy, Execution, Failure, Stored, deny_policy, is_kept, tag_value,
};

/// What is known of a principal from before: its case or its retirement.
#[derive(Debug, Clone)]
pub struct Past {
    /// The partition.
    pub partition: String,
    /// Where the original lies, by the history of the execution.
    pub at: Stored,
    /// What it says.
    pub original: Found,
    /// What later incidents and passes of the case found, as far as their executions' histories
    /// know it.
    pub later: Vec<Found>,
    /// What was read back, if it was.
    pub left: Option<Left>,
    /// With what the executions of the case tagged it, the last one last.
    pub tagged: Vec<Tagging>,
}

/// That an execution tagged the principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagging {
    /// The execution.
    pub execution: Execution,
    /// Its finding's `Id`.
    pub finding_id: String,
    /// When (RFC 3339).
    pub remediation_date: String,
}

/// What a person chose, by the names of items ([`Item`]).
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// What has drifted, and is to become as it was before nevertheless.
    pub accept: BTreeSet<String>,
    /// The ids of credentials that were active before, and are to be so again.
    pub activate: BTreeSet<String>,
}

/// What of a plan follows from the comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// [`super::Plan::changes`].
    pub changes: Vec<Change>,
    /// [`super::Plan::inactive`].
    pub inactive: Vec<Credential>,
    /// [`super::Plan::drift`].
    pub drift: Vec<Drift>,
    /// [`super::Plan::kept`].
    pub kept: Vec<Item>,
    /// [`super::Plan::lost`].
    pub lost: Vec<Lost>,
    /// [`super::Plan::shown`].
    pub shown: Vec<Shown>,
}

/// Compares the principal as it is now with what is known of it from before. Of a retirement
/// its access keys and its tag alone are compared: it has changed nothing else.
///
/// Fails with [`Failure::ChoiceUnclear`] where a person chose what is not to be chosen.
pub fn compare(past: &Past, now: &Now, choice: &Choice) -> Result<Comparison, Failure> {
    let before = past.before();
    let holds = now.principal.holds(&past.partition);
    let left = match past.original.case {
        Some(_) => past.left(&before, &now.principal),
        None => past.retired(&before, &holds),
    };
    let mut comparison = Comparison::default();
    let behind = Behind::of(&past.original.principal, now);
    let mut chosen = Choice::default();
    let items: BTreeSet<&Item> =
        [&before, &left, &holds].into_iter().flat_map(Holds::keys).collect();
    for item in items.into_iter().filter(|item| past.is_about(item)) {
        let of = |holds: &Holds| holds.get(item).cloned();
        let (before, left, now) = (of(&before), of(&left), of(&holds));
        let states = States { item: item.clone(), before, left, now };
        comparison.judge(states, &behind, choice, &mut chosen)?;
    }
    for (asked, found) in [(&choice.accept, &chosen.accept), (&choice.activate, &chosen.activate)] {
        if let Some(unknown) = asked.difference(found).next() {
            return Err(Failure::ChoiceUnclear(format!(
                "`{unknown}` has not drifted, or was not active before"
            )));
        }
    }
    comparison.changes.sort_by_key(|change| (change.states.order(), change.states.item.clone()));
    if past.original.case.is_some() {
        comparison.lost.extend(behind.lost);
        comparison.lost.extend(people_see_to(&past.original.principal, &now.principal));
    }
    comparison.shown.extend(past.shown(&now.principal));
    Ok(comparison)
}

impl States {
    /// What is taken away comes before what is given, lest a quota be in the way.
    fn order(&self) -> (u8, bool) {
        let class = match self.item {
            Item::Group { .. } => 0,
            Item::Policy { .. } => 1,
            Item::Inline { .. } => 2,
            Item::Tag { .. } => 3,
            Item::Credential(_) => 4,
            Item::Boundary => 5,
            Item::Deny => 6,
            Item::Incident => 7,
        };
        (class, self.before.is_some())
    }
}

impl Comparison {
    fn judge(
        &mut self,
        states: States,
        behind: &Behind,
        choice: &Choice,
        chosen: &mut Choice,
    ) -> Result<(), Failure> {
        if states.now == states.before {
            if states.now.is_some() {
                self.kept.push(states.item);
            }
            return Ok(());
        }
        if let Item::Credential(credential) = &states.item {
            let credential = credential.clone();
            match (states.before.as_deref(), states.now.as_deref()) {
                (None, now) => {
                    let active = now == Some(ACTIVE);
                    self.lost.push(Lost::CredentialMadeSince { credential, active });
                    return Ok(());
                }
                (Some(_), None) => {
                    self.lost.push(Lost::CredentialGone(credential));
                    return Ok(());
                }
                // Who may use it again is never decided by what was. Not even where it was not
                // us who made it inactive.
                (Some(ACTIVE), Some(_)) => {
                    if choice.activate.contains(&credential.id) {
                        chosen.activate.insert(credential.id);
                        self.changes.push(Change { states, accepted: false });
                    } else {
                        self.inactive.push(credential);
                    }
                    return Ok(());
                }
                (Some(_), Some(_)) => {}
            }
        }
        let why = match behind.why(&states) {
            None if states.now == states.left => {
                self.changes.push(Change { states, accepted: false });
                return Ok(());
            }
            None => Why::Changed,
            Some(why) => why,
        };
        let name = states.item.to_string();
        if !choice.accept.contains(&name) {
            self.drift.push(Drift { states, why });
            return Ok(());
        }
        if why == Why::Gone {
            return Err(Failure::ChoiceUnclear(format!("`{name}` does not exist any more")));
        }
        chosen.accept.insert(name);
        self.changes.push(Change { states, accepted: true });
        Ok(())
    }
}

/// What stands behind that which the principal had: the groups, and the policies' documents.
struct Behind {
    gone: BTreeSet<Item>,
    changed: BTreeSet<Item>,
    gone_policies: BTreeSet<String>,
    lost: Vec<Lost>,
}

impl Behind {
    fn of(before: &Snapshot, now: &Now) -> Self {
        let (mut gone, mut changed, mut lost) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for group in &before.groups {
            let (name, item) = (group.name.clone(), Item::Group { name: group.name.clone() });
            match now.groups.get(&group.name).and_then(Option::as_ref) {
                None => {
                    gone.insert(item);
                    lost.push(Lost::GroupGone { name });
                }
                Some(today) => {
                    let policies = group.changed(today, &before.customer_policies, &now.policies);
                    if !policies.is_empty() {
                        changed.insert(item);
                        lost.push(Lost::GroupChanged { name, policies });
                    }
                }
            }
        }
        for arn in &before.attached_policies {
            let (arn, item) = (arn.clone(), Item::Policy { arn: arn.clone() });
            let was = before.customer_policies.get(&arn);
            match (was, now.policies.get(&arn)) {
                (_, Some(None)) => {
                    gone.insert(item);
                    lost.push(Lost::PolicyGone { arn });
                }
                (Some(was), Some(Some(is))) if was.document != is.document => {
                    changed.insert(item);
                    let (before, now) = (was.clone(), is.clone());
                    lost.push(Lost::PolicyChanged { arn, before, now });
                }
                _ => {}
            }
        }
        let missing = now.policies.iter().filter(|(_, version)| version.is_none());
        let gone_policies = missing.map(|(arn, _)| arn.clone()).collect();
        Self { gone, changed, gone_policies, lost }
    }

    /// Why the item can't be given back as it was, though it is as it was left.
    fn why(&self, states: &States) -> Option<Why> {
        let boundary = match (&states.item, &states.before) {
            (Item::Boundary, Some(arn)) => self.gone_policies.contains(arn),
            _ => false,
        };
        if boundary || self.gone.contains(&states.item) {
            return Some(Why::Gone);
        }
        // What it already is needs nothing given back.
        self.changed.contains(&states.item).then_some(Why::ChangedBehind)
    }
}

impl Group {
    /// The policies by which it is another group now, by ARN or name, sorted.
    fn changed(
        &self,
        now: &Self,
        versions: &BTreeMap<String, Version>,
        today: &BTreeMap<String, Option<Version>>,
    ) -> Vec<String> {
        let attached = |group: &Self| -> BTreeSet<String> {
            group.attached_policies.iter().cloned().collect()
        };
        let inline = |group: &Self| -> BTreeSet<(String, String)> {
            let policies = group.inline_policies.iter();
            policies.map(|policy| (policy.name.clone(), policy.document.clone())).collect()
        };
        let mut changed: BTreeSet<String> =
            attached(self).symmetric_difference(&attached(now)).cloned().collect();
        changed
            .extend(inline(self).symmetric_difference(&inline(now)).map(|(name, _)| name.clone()));
        let rewritten = self.attached_policies.iter().filter(|arn| {
            let document = |version: &Version| version.document.clone();
            let is = today.get(*arn).and_then(Option::as_ref).map(document);
            versions.get(*arn).map(document).is_some_and(|was| Some(was) != is)
        });
        changed.extend(rewritten.cloned());
        changed.into_iter().collect()
    }
}

/// What hangs on a principal that no containment touches, and that may be another's now.
fn people_see_to(before: &Snapshot, now: &Snapshot) -> Vec<Lost> {
    let mut lost = Vec::new();
    match (&before.login_profile, &now.login_profile) {
        (Some(was), Some(is)) => lost.push(Lost::PasswordToChange {
            created: is.created.clone(),
            since: was.created != is.created,
        }),
        (None, Some(is)) => {
            lost.push(Lost::PasswordToChange { created: is.created.clone(), since: true });
        }
        (Some(_), None) => lost.push(Lost::PasswordGone),
        (None, None) => {}
    }
    let serials = |snapshot: &Snapshot| -> BTreeSet<String> {
        snapshot.mfa_devices.iter().map(|device| device.serial_number.clone()).collect()
    };
    let (had, has) = (serials(before), serials(now));
    lost.extend(has.difference(&had).cloned().map(|serial| Lost::MfaMadeSince { serial }));
    lost.extend(had.difference(&has).cloned().map(|serial| Lost::MfaGone { serial }));
    if before.trust_policy != now.trust_policy {
        let (before, now) = (before.trust_policy.clone(), now.trust_policy.clone());
        lost.push(Lost::TrustChanged { before, now });
    }
    lost
}

impl Past {
    /// The tag that a retirement leaves.
    const RETIREMENT: &str = "CordonRetirement";

    /// The groups, by name, and the policies, by ARN, that stand behind what it had.
    #[must_use]
    pub fn behind(&self) -> (Vec<String>, Vec<String>) {
        let had = &self.original.principal;
        let groups = had.groups.iter().map(|group| group.name.clone()).collect();
        let of_groups = had.groups.iter().flat_map(|group| &group.attached_policies);
        let before = self.before();
        let policies =
            had.attached_policies.iter().chain(of_groups).chain(before.get(&Item::Boundary));
        let policies: BTreeSet<String> = policies.cloned().collect();
        (groups, policies.into_iter().collect())
    }

    /// What it was before the case. The deny and the boundary are what the document says whose
    /// incident reached the principal first: two incidents at once may preserve in either order.
    fn before(&self) -> Holds {
        let mut before = self.original.principal.holds(&self.partition);
        if self.original.case.is_none() {
            return before;
        }
        let since =
            |found: &&Found| OffsetDateTime::parse(&found.incident.reach.since, &Rfc3339).ok();
        let all = std::iter::once(&self.original).chain(&self.later);
        let first = all.filter(|one| since(one).is_some()).min_by_key(since);
        let first = first.unwrap_or(&self.original);
        let deny =
            (first.denied_before == Some(DenyBy::Policy)).then(|| deny_policy(&self.partition));
        for (item, holds) in [(Item::Deny, deny), (Item::Boundary, first.boundary_before.clone())] {
            match holds {
                Some(holds) => before.insert(item, holds),
                None => before.remove(&item),
            };
        }
        before
    }

    /// What the case left it with: as it was read back, or else as a containment leaves one.
    fn left(&self, before: &Holds, now: &Snapshot) -> Holds {
        let taken = |item: &Item| {
            matches!(item, Item::Group { .. } | Item::Policy { .. } | Item::Inline { .. })
        };
        let mut left: Holds = before
            .iter()
            .filter(|(item, _)| !taken(item))
            .map(|(i, h)| (i.clone(), h.clone()))
            .collect();
        let known =
            self.later.iter().chain([&self.original]).flat_map(|one| &one.principal.credentials);
        let known =
            known.map(|one| (Item::Credential(one.credential.clone()), INACTIVE.to_owned()));
        left.extend(known);
        let deny = deny_policy(&self.partition);
        match &self.left {
            Some(read) => {
                let credentials = read.credentials.iter();
                left.extend(
                    credentials.map(|one| (Item::Credential(one.credential.clone()), one.word())),
                );
                left.remove(&Item::Boundary);
                left.extend(read.boundary.clone().map(|arn| (Item::Boundary, arn)));
                left.remove(&Item::Deny);
                if read.kept_policies.contains(&deny) {
                    left.insert(Item::Deny, deny);
                }
            }
            None => left.extend([(Item::Boundary, deny.clone()), (Item::Deny, deny)]),
        }
        left.extend(self.our_tags(now));
        left
    }

    /// The tags of the execution that tagged it last: of whom the principal itself says so, if
    /// that one is of the case.
    fn our_tags(&self, now: &Snapshot) -> Vec<(Item, String)> {
        let says = now.tags.get("CordonExecution");
        let by = self.tagged.iter().find(|one| says == Some(&tag_value(one.execution.arn())));
        let Some(by) = by.or(self.tagged.last()) else { return Vec::new() };
        let tags = [
            ("SecurityIncident", "true"),
            ("RemediationDate", &by.remediation_date),
            ("FindingId", &by.finding_id),
            ("CordonExecution", by.execution.arn()),
            ("CordonEvidence", &self.at.uri),
            ("CordonEvidenceSha256", &self.at.sha256),
        ];
        tags.map(|(key, value)| (Item::tag(key), tag_value(value))).into()
    }

    /// What a retirement left: keys that are inactive by now, and its tag.
    fn retired(&self, before: &Holds, now: &Holds) -> Holds {
        let mut left = before.clone();
        left.extend(
            now.iter()
                .filter(|(item, holds)| is_access_key(item) && holds.as_str() == INACTIVE)
                .filter(|(item, _)| before.contains_key(*item))
                .map(|(item, holds)| (item.clone(), holds.clone())),
        );
        left.insert(Item::tag(Self::RETIREMENT), tag_value(&self.at.uri));
        left
    }

    /// Whether a restore is about such an item.
    fn is_about(&self, item: &Item) -> bool {
        let of_a_retirement = match item {
            Item::Tag { key } => key == Self::RETIREMENT,
            other => is_access_key(other),
        };
        self.original.case.is_some() || of_a_retirement
    }

    fn shown(&self, now: &Snapshot) -> Vec<Shown> {
        let was = &self.original.principal;
        let mut shown = Vec::new();
        if was.arn != now.arn {
            shown.push(Shown::Renamed { before: was.arn.clone() });
        }
        let tags = match self.original.case {
            Some(_) => {
                vec![("CordonEvidence", &self.at.uri), ("CordonEvidenceSha256", &self.at.sha256)]
            }
            None => vec![(Self::RETIREMENT, &self.at.uri)],
        };
        for (key, value) in tags {
            let (says, expected) = (now.tags.get(key), tag_value(value));
            if let Some(says) = says.filter(|says| **says != expected) {
                shown.push(Shown::TagDiffers { key: key.to_owned(), expected, says: says.clone() });
            }
        }
        let before = was.holds(&self.partition);
        let later = self.later.iter().flat_map(|one| one.principal.holds(&self.partition));
        let taken = later.map(|(item, _)| item).filter(|item| {
            let rights =
                matches!(item, Item::Group { .. } | Item::Policy { .. } | Item::Inline { .. });
            rights && !before.contains_key(item)
        });
        let taken: BTreeSet<Item> = taken.collect();
        shown.extend(taken.into_iter().map(|item| Shown::TakenLater { item }));
        let deny = deny_policy(&self.partition);
        let by_aws = now.attached_policies.iter();
        let by_aws = by_aws.filter(|arn| **arn != deny && is_kept(&self.partition, arn));
        shown.extend(by_aws.cloned().map(|arn| Shown::QuarantinedByAws { arn }));
        shown
    }
}

fn is_access_key(item: &Item) -> bool {
    matches!(item, Item::Credential(Credential { kind: CredentialKind::AccessKey, .. }))
}
