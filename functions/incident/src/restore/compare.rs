//! The three-way comparison. Pure: the same records always lead to the same plan.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{ACTIVE, Found, Group, Holds, INACTIVE, Left, Now, Snapshot};
use super::{Change, Drift, Item, Lost, MARK, Order, RETIREMENT, Shown, States, Version, Why};
use crate::{
    Credential, CredentialKind, DenyBy, Execution, Failure, Stored, deny_policy, is_kept, listed,
    one_line, tag_value,
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
    /// [`super::Plan::makes_room`].
    pub makes_room: bool,
}

/// Compares the principal as it is now with what is known of it from before. Of a retirement
/// its access keys and its tag alone are compared: it has changed nothing else.
///
/// Fails with [`Failure::ChoiceUnclear`] where a person chose what is not to be chosen.
pub fn compare(past: &Past, now: &Now, choice: &Choice) -> Result<Comparison, Failure> {
    let mut before = past.before();
    let holds = now.principal.holds(&past.partition);
    // Its value hangs on the right to take it away, and nobody has one to set it.
    let own = before.iter().find(|(item, own)| item.is_tag(MARK) && holds.get(*item) != Some(own));
    let own = own.map(|(item, value)| (item.clone(), value.clone()));
    let overwritten = own.map(|(item, value)| {
        before.remove(&item);
        Lost::TagOverwritten { value }
    });
    let left = match past.original.case {
        Some(_) => past.left(&before, &now.principal),
        None => past.retired(&before, &holds),
    };
    let mut comparison = Comparison::default();
    let boundary = before.get(&Item::Boundary);
    let behind = Behind::of(&past.original.principal, boundary, now);
    let mut chosen = Choice::default();
    let items: BTreeSet<&Item> =
        [&before, &left, &holds].into_iter().flat_map(Holds::keys).collect();
    for item in items.into_iter().filter(|item| past.is_about(item)) {
        let of = |holds: &Holds| holds.get(item).cloned();
        let (before, left, now) = (of(&before), of(&left), of(&holds));
        let states = States { item: item.clone(), before, left, now };
        comparison.judge(states, &behind, choice, &mut chosen)?;
    }
    comparison.refuse_unknown(choice, &chosen)?;
    comparison.makes_room = comparison.lacks_room(past, &now.principal);
    let makes_room = comparison.makes_room;
    comparison
        .changes
        .sort_by_key(|change| (change.states.order(makes_room), change.states.item.clone()));
    if past.original.case.is_some() {
        comparison.lost.extend(behind.lost);
        comparison.lost.extend(overwritten);
        comparison.lost.extend(people_see_to(&past.original.principal, &now.principal));
    }
    comparison.shown.extend(past.shown(&now.principal));
    Ok(comparison)
}

impl States {
    /// Where it comes in a restore: rights first, what shows whose it is, what may use them, and
    /// last what holds all of it in check; of two denies the boundary, then the attached one. Of
    /// one kind what is taken away comes before what is given, lest a quota be in the way; of two
    /// denies the attached one comes before all else where it [`super::Plan::makes_room`].
    pub(super) fn order(&self, makes_room: bool) -> Order {
        let class = match self.item {
            Item::Deny if makes_room => 0,
            Item::Group { .. } => 1,
            Item::Policy { .. } => 2,
            Item::Inline { .. } => 3,
            Item::Tag { .. } => 4,
            Item::Credential(_) => 5,
            Item::Boundary => 6,
            Item::Deny => 7,
            Item::Incident => 8,
        };
        (class, self.before.is_some())
    }
}

/// So many names people are told of that may be chosen.
const CHOICES: usize = 10;

/// So many managed policies a principal has, unless its account has asked for more.
///
/// Source: IAM User Guide, "IAM and AWS STS quotas".
const POLICIES: usize = 10;

impl Comparison {
    /// Refuses what a person chose that is not to be chosen, and says what is.
    fn refuse_unknown(&self, choice: &Choice, chosen: &Choice) -> Result<(), Failure> {
        let says = |unknown: &String, why: &str, rest: Vec<String>| {
            let rest = match rest.len() {
                0 => "there is none that can be named".to_owned(),
                _ => format!("those that can be named are {}", listed(&rest, CHOICES)),
            };
            Err(Failure::ChoiceUnclear(format!("`{}` {why}; {rest}", one_line(unknown, 200))))
        };
        let quoted = |name: String| format!("`{}`", one_line(&name, 300));
        if let Some(unknown) = choice.activate.difference(&chosen.activate).next() {
            let ids = self.inactive.iter().map(|one| one.id.clone());
            let ids = ids.chain(chosen.activate.iter().cloned()).map(quoted).collect();
            let why = "is no credential that was active before and is not";
            return says(unknown, why, ids);
        }
        if let Some(unknown) = choice.accept.difference(&chosen.accept).next() {
            let drift = self.drift.iter().filter(|one| one.why != Why::Gone);
            let names = drift.map(|one| one.states.item.to_string());
            let names = names.chain(chosen.accept.iter().cloned()).map(quoted).collect();
            return says(unknown, "has not drifted", names);
        }
        Ok(())
    }

    /// Whether the policies that a principal is to have may have no room beside our deny, which is
    /// its boundary as well: no incident has seen it beside as many.
    fn lacks_room(&self, past: &Past, now: &Snapshot) -> bool {
        let (partition, deny) = (past.partition.as_str(), deny_policy(&past.partition));
        let is_policy = |item: &&Item| matches!(item, Item::Policy { .. });
        let detaches = |one: &Change| one.states.item == Item::Deny && one.states.before.is_none();
        let comes = self.changes.iter().map(|one| &one.states).filter(|one| one.before.is_some());
        let stays = self.drift.iter().map(|one| &one.states).filter(|one| one.now.is_some());
        let others = now.attached_policies.iter().filter(|arn| **arn != deny);
        let policies = comes.chain(stays).map(|one| &one.item).chain(&self.kept).filter(is_policy);
        let all = policies.count() + others.filter(|arn| is_kept(partition, arn)).count();
        let found = std::iter::once(&past.original).chain(&past.later);
        let found = found.map(|one| &one.principal.attached_policies);
        let seen = found.filter(|all| all.contains(&deny)).map(Vec::len).max().unwrap_or_default();
        now.boundary.as_ref() == Some(&deny)
            && self.changes.iter().any(detaches)
            && all >= POLICIES.max(seen)
    }

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
    lost: Vec<Lost>,
}

impl Behind {
    fn of(before: &Snapshot, boundary: Option<&String>, now: &Now) -> Self {
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
        let attached = before.attached_policies.iter();
        let attached = attached.map(|arn| (arn, Item::Policy { arn: arn.clone() }));
        for (arn, item) in attached.chain(boundary.map(|arn| (arn, Item::Boundary))) {
            let arn = arn.clone();
            let told = match (before.customer_policies.get(&arn), now.policies.get(&arn)) {
                (_, Some(None)) => {
                    gone.insert(item);
                    Lost::PolicyGone { arn }
                }
                (Some(was), Some(Some(is))) if was.document != is.document => {
                    changed.insert(item);
                    Lost::PolicyChanged { arn, before: was.clone(), now: is.clone() }
                }
                _ => continue,
            };
            if !lost.contains(&told) {
                lost.push(told);
            }
        }
        Self { gone, changed, lost }
    }

    /// Why the item can't be given back as it was, though it is as it was left.
    fn why(&self, states: &States) -> Option<Why> {
        if self.gone.contains(&states.item) {
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
    let (were, are) = (&before.instance_profiles, &now.instance_profiles);
    let since = are.difference(were).cloned();
    lost.extend(since.map(|arn| Lost::InstanceProfileMadeSince { arn }));
    lost.extend(were.difference(are).cloned().map(|arn| Lost::InstanceProfileGone { arn }));
    if before.trust_policy != now.trust_policy {
        let (before, now) = (before.trust_policy.clone(), now.trust_policy.clone());
        lost.push(Lost::TrustChanged { before, now });
    }
    lost
}

impl Past {
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
            // An earlier retirement's mark is ours as well, and no tag of the principal's own.
            before.remove(&Item::tag(RETIREMENT));
            return before;
        }
        let all = std::iter::once(&self.original).chain(&self.later);
        let first = all.filter(|one| one.since().is_some()).min_by_key(|one| one.since());
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
                // A later incident may have found room for it, after that was read.
                if read.kept_policies.contains(&deny) || self.attached_later() {
                    left.insert(Item::Deny, deny);
                }
            }
            None => left.extend([(Item::Boundary, deny.clone()), (Item::Deny, deny)]),
        }
        let ours = self.our_tags(now);
        for key in ours.iter().filter_map(|(item, _)| item.tag_key()) {
            left.retain(|other, _| !other.is_tag(key));
        }
        left.extend(ours);
        left
    }

    /// Whether a later incident or pass of the case attached the deny: it found the principal
    /// without, and preserved it with one.
    fn attached_later(&self) -> bool {
        let deny = deny_policy(&self.partition);
        self.later.iter().any(|one| {
            one.incident.reach.denied_before != Some(DenyBy::Policy)
                && one.principal.attached_policies.contains(&deny)
        })
    }

    /// The tags of the execution that tagged it last: of whom the principal itself says so, if
    /// that one is of the case. Where none has, people may have put the one there without which
    /// nothing is given back.
    fn our_tags(&self, now: &Snapshot) -> Vec<(Item, String)> {
        let says = now.tags.get("CordonExecution");
        let by = self.tagged.iter().find(|one| says == Some(&tag_value(one.execution.arn())));
        let Some(by) = by.or(self.tagged.last()) else {
            let mark = self.original.case.as_ref().map(|_| (Item::tag(MARK), "true".to_owned()));
            return mark.into_iter().collect();
        };
        let tags = [
            (MARK, "true"),
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
        left.insert(Item::tag(RETIREMENT), tag_value(&self.at.uri));
        left
    }

    /// Whether a restore is about such an item.
    fn is_about(&self, item: &Item) -> bool {
        self.original.case.is_some() || is_of_a_retirement(item)
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
            None => vec![(RETIREMENT, &self.at.uri)],
        };
        for (key, value) in tags {
            let (says, expected) = (now.tags.get(key), tag_value(value));
            if let Some(says) = says.filter(|says| **says != expected) {
                shown.push(Shown::TagDiffers { key: key.to_owned(), expected, says: says.clone() });
            }
        }
        let before = was.holds(&self.partition);
        let mut later: Vec<&Found> = self.later.iter().collect();
        later.sort_by_key(|one| one.since());
        let mut taken: BTreeMap<Item, &Execution> = BTreeMap::new();
        for one in later {
            let rights = |item: &Item| {
                matches!(item, Item::Group { .. } | Item::Policy { .. } | Item::Inline { .. })
            };
            let items = one.principal.holds(&self.partition).into_keys();
            for item in items.filter(|item| rights(item) && !before.contains_key(item)) {
                taken.entry(item).or_insert(&one.incident.execution);
            }
        }
        shown.extend(taken.into_iter().map(|(item, by)| {
            let execution = Some(by.arn().to_owned());
            Shown::TakenLater { item, execution }
        }));
        let by_aws = format!("arn:{}:iam::aws:", self.partition);
        let boundary = self.before().remove(&Item::Boundary);
        let unknown = boundary
            .filter(|arn| !arn.starts_with(&by_aws) && !was.customer_policies.contains_key(arn))
            .filter(|_| self.original.case.is_some());
        shown.extend(unknown.map(|arn| Shown::NotCompared { arn }));
        let deny = deny_policy(&self.partition);
        let denies = |boundary: Option<&String>| boundary == Some(&deny);
        if self.original.case.is_some()
            && denies(self.before().get(&Item::Boundary))
            && denies(now.boundary.as_ref())
        {
            shown.push(Shown::BoundaryDenies);
        }
        let by_aws = now.attached_policies.iter();
        let by_aws = by_aws.filter(|arn| **arn != deny && is_kept(&self.partition, arn));
        shown.extend(by_aws.cloned().map(|arn| Shown::QuarantinedByAws { arn }));
        shown
    }
}

/// Whether a retirement changes such an item.
pub(super) fn is_of_a_retirement(item: &Item) -> bool {
    match item {
        Item::Tag { key } => key == RETIREMENT,
        other => is_access_key(other),
    }
}

fn is_access_key(item: &Item) -> bool {
    matches!(item, Item::Credential(Credential { kind: CredentialKind::AccessKey, .. }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::restore::Status;

    const DENY: &str = "arn:aws:iam::aws:policy/AWSDenyAll";
    const OWN: &str = "arn:aws:iam::222222222222:policy/own";
    const BOUNDARY: &str = "arn:aws:iam::222222222222:policy/boundary";
    const QUARANTINE: &str = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
    const URI: &str = "s3://bucket/evidence/222222222222/AIDAEVE/0001/original.json";

    fn execution(name: &str) -> Execution {
        let machine = "arn:aws:states:us-east-1:111111111111:execution:cordon-incident-response";
        Execution::try_from(format!("{machine}:{name}")).unwrap()
    }

    fn snapshot(changes: &Value) -> Snapshot {
        let mut snapshot = json!({
            "kind": "User", "arn": "arn:aws:iam::222222222222:user/eve", "name": "eve",
            "path": "/", "id": "AIDAEVE", "boundary": null, "tags": {}, "attachedPolicies": [],
            "customerPolicies": {}, "inlinePolicies": [], "trustPolicy": null,
            "instanceProfiles": [], "groups": [], "credentials": [], "loginProfile": null, "mfaDevices": [],
        });
        for (field, value) in changes.as_object().unwrap() {
            snapshot[field] = value.clone();
        }
        serde_json::from_value(snapshot).unwrap()
    }

    fn found(principal: Snapshot) -> Found {
        let incident = json!({
            "execution": execution("incident"),
            "reach": {
                "id": "AIDAEVE", "since": "2026-01-01T00:00:00.5Z", "deniedBefore": null,
                "boundary": null,
            },
        });
        Found {
            schema: "cordon/evidence/2".into(),
            incident: serde_json::from_value(incident).unwrap(),
            case: Some("0001".into()),
            principal,
            boundary_before: None,
            denied_before: None,
        }
    }

    fn past(before: &Value) -> Past {
        Past {
            partition: "aws".into(),
            at: Stored { uri: URI.into(), version: None, sha256: "ab".into() },
            original: found(snapshot(before)),
            later: Vec::new(),
            left: Some(Left {
                schema: "cordon/left/2".into(),
                case: "0001".into(),
                id: "AIDAEVE".into(),
                boundary: Some(DENY.into()),
                kept_policies: vec![DENY.into()],
                credentials: Vec::new(),
            }),
            tagged: Vec::new(),
        }
    }

    fn now(principal: &Value) -> Now {
        Now {
            schema: "cordon/now/1".into(),
            execution: execution("plan"),
            at: "2026-01-02T00:00:00Z".into(),
            principal: snapshot(principal),
            groups: BTreeMap::new(),
            policies: BTreeMap::new(),
        }
    }

    /// Under the deny, with what else there is.
    fn denied(mut with: Value) -> Value {
        with["boundary"] = json!(DENY);
        let attached = with["attachedPolicies"].as_array().cloned().unwrap_or_default();
        with["attachedPolicies"] = json!([attached, vec![json!(DENY)]].concat());
        with
    }

    /// As many policies, each with the number of its place.
    fn policies(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("{OWN}{n}")).collect()
    }

    fn planned(past: &Past, now: &Now) -> Comparison {
        compare(past, now, &Choice::default()).unwrap()
    }

    fn accepting(past: &Past, now: &Now, accept: &[&str]) -> Result<Comparison, Failure> {
        let accept = accept.iter().map(|name| (*name).to_owned()).collect();
        compare(past, now, &Choice { accept, ..Choice::default() })
    }

    fn activating(past: &Past, now: &Now, id: &str) -> Result<Comparison, Failure> {
        let activate = [id.to_owned()].into();
        compare(past, now, &Choice { activate, ..Choice::default() })
    }

    fn changes(comparison: &Comparison) -> Vec<String> {
        comparison.changes.iter().map(|one| one.states.item.to_string()).collect()
    }

    fn drift(comparison: &Comparison) -> Vec<(String, Why)> {
        comparison.drift.iter().map(|one| (one.states.item.to_string(), one.why)).collect()
    }

    fn inline(documents: Option<&str>) -> Value {
        let policy = |document| json!([{ "name": "p", "document": document }]);
        json!({ "inlinePolicies": documents.map_or(json!([]), policy) })
    }

    fn credential(active: Option<bool>) -> Value {
        let key = |active| json!([{ "kind": "accessKey", "id": "AKIA", "active": active }]);
        json!({ "credentials": active.map_or(json!([]), key) })
    }

    #[derive(Debug, PartialEq, Eq)]
    enum Judged {
        Nothing,
        Kept,
        Changed,
        Drifted,
        Inactive,
        MadeSince,
        Gone,
    }

    fn judged(comparison: &Comparison, item: &str) -> Judged {
        let is = |one: &Item| one.to_string() == item;
        let lost = comparison.lost.iter().find_map(|lost| match lost {
            Lost::CredentialMadeSince { .. } => Some(Judged::MadeSince),
            Lost::CredentialGone(_) => Some(Judged::Gone),
            _ => None,
        });
        let found = [
            comparison.kept.iter().any(is).then_some(Judged::Kept),
            comparison.changes.iter().any(|one| is(&one.states.item)).then_some(Judged::Changed),
            comparison.drift.iter().any(|one| is(&one.states.item)).then_some(Judged::Drifted),
            comparison.inactive.first().map(|_| Judged::Inactive),
            lost,
        ];
        let mut found = found.into_iter().flatten();
        let one = found.next().unwrap_or(Judged::Nothing);
        assert_eq!(found.next(), None, "told twice");
        one
    }

    #[test]
    fn an_inline_policy_is_given_back_only_where_it_is_as_it_was_left() {
        let (a, b) = (Some("a"), Some("b"));
        for (before, now_is, expected) in [
            (None, None, Judged::Nothing),
            // Added since.
            (None, a, Judged::Drifted),
            (a, None, Judged::Changed),
            (a, a, Judged::Kept),
            (a, b, Judged::Drifted),
            // White space is content.
            (a, Some("a "), Judged::Drifted),
        ] {
            let comparison = planned(&past(&inline(before)), &now(&denied(inline(now_is))));
            assert_eq!(judged(&comparison, "inline/p"), expected, "{before:?} {now_is:?}");
        }
    }

    #[test]
    fn a_boundary_is_given_back_only_where_the_deny_is_in_its_place() {
        let (mine, other) = (Some(BOUNDARY), Some("arn:aws:iam::aws:policy/other"));
        for (before, now_is, expected) in [
            (None, None, Judged::Nothing),
            (None, Some(DENY), Judged::Changed),
            (None, other, Judged::Drifted),
            (mine, Some(DENY), Judged::Changed),
            (mine, mine, Judged::Kept),
            (mine, other, Judged::Drifted),
            (mine, None, Judged::Drifted),
            // The customer's own deny is not ours to lift.
            (Some(DENY), Some(DENY), Judged::Kept),
            (Some(DENY), None, Judged::Drifted),
        ] {
            // Quarantine may have come before the evidence: what the incident met counts.
            let mut past = past(&json!({ "boundary": DENY }));
            past.original.boundary_before = before.map(str::to_owned);
            let comparison = planned(&past, &now(&json!({ "boundary": now_is })));
            assert_eq!(judged(&comparison, "boundary"), expected, "{before:?} {now_is:?}");
            let denies = comparison.shown.contains(&Shown::BoundaryDenies);
            assert_eq!(denies, before == Some(DENY) && now_is == before, "{before:?} {now_is:?}");
        }
    }

    /// Of whom had no room for our tags people make some for the one that a restore asks for.
    #[test]
    fn the_mark_that_people_put_there_is_taken_away_with_the_deny() {
        for (value, expected) in [("true", Judged::Changed), ("false", Judged::Drifted)] {
            let marked = now(&denied(json!({ "tags": { "SecurityIncident": value } })));
            let comparison = planned(&past(&json!({})), &marked);
            assert_eq!(judged(&comparison, "tag/SecurityIncident"), expected, "{value}");
        }
    }

    #[test]
    fn the_deny_is_lifted_only_where_the_case_has_put_it_there() {
        for (before, left, now_is, expected) in [
            (false, true, true, Judged::Changed),
            (false, true, false, Judged::Nothing),
            (true, true, true, Judged::Kept),
            (true, true, false, Judged::Drifted),
            // At the policy limit the boundary alone is the deny: then another one attached it.
            (false, false, true, Judged::Drifted),
        ] {
            let mut past = past(&json!({ "attachedPolicies": [DENY] }));
            past.original.denied_before = before.then_some(DenyBy::Policy);
            let kept = if left { vec![DENY.to_owned()] } else { Vec::new() };
            past.left.as_mut().unwrap().kept_policies = kept;
            let attached = if now_is { json!([DENY]) } else { json!([]) };
            let comparison = planned(&past, &now(&json!({ "attachedPolicies": attached })));
            assert_eq!(judged(&comparison, "deny"), expected, "{before} {left} {now_is}");
        }
    }

    #[test]
    fn a_credential_stays_inactive_unless_it_was_active_and_a_person_names_it() {
        let (yes, no) = (Some(true), Some(false));
        for (before, now_is, expected, activated) in [
            (yes, yes, Judged::Kept, false),
            (yes, no, Judged::Inactive, true),
            (yes, None, Judged::Gone, false),
            (no, no, Judged::Kept, false),
            (no, yes, Judged::Drifted, false),
            (no, None, Judged::Gone, false),
            (None, yes, Judged::MadeSince, false),
            (None, no, Judged::MadeSince, false),
            (None, None, Judged::Nothing, false),
        ] {
            let (past, now) = (past(&credential(before)), now(&denied(credential(now_is))));
            let comparison = planned(&past, &now);
            assert_eq!(judged(&comparison, "accessKey/AKIA"), expected, "{before:?} {now_is:?}");
            match activating(&past, &now, "AKIA") {
                Ok(active) => {
                    assert!(activated, "{before:?} {now_is:?}");
                    assert_eq!(judged(&active, "accessKey/AKIA"), Judged::Changed);
                }
                Err(failure) => {
                    assert_eq!((failure.name(), activated), ("ChoiceUnclear", false));
                }
            }
        }
    }

    #[test]
    fn a_tag_is_ours_only_with_the_value_that_the_case_has_set() {
        let before = json!({ "tags": { "FindingId": "theirs", "team": "a" } });
        let mut past = past(&before);
        let tagging = |name: &str, finding: &str| Tagging {
            execution: execution(name),
            finding_id: finding.into(),
            remediation_date: "2026-01-01T00:00:00Z".into(),
        };
        past.tagged = vec![tagging("first", "one"), tagging("second", "two")];
        let set = |by: &str, finding: &str| {
            denied(json!({ "tags": {
                "SecurityIncident": "true", "RemediationDate": "2026-01-01T00:00:00Z",
                "FindingId": finding, "CordonExecution": execution(by).arn(),
                "CordonEvidence": URI, "CordonEvidenceSha256": "ab", "team": "a",
            }}))
        };
        let ours = [
            "tag/CordonEvidence",
            "tag/CordonEvidenceSha256",
            "tag/CordonExecution",
            "tag/RemediationDate",
            "tag/FindingId",
            "boundary",
            "deny",
            "tag/SecurityIncident",
        ];
        // Whichever of the case's executions has tagged it, and what it has overwritten comes back.
        for (by, finding) in [("first", "one"), ("second", "two")] {
            let comparison = planned(&past, &now(&set(by, finding)));
            assert_eq!(changes(&comparison), ours);
            assert_eq!((drift(&comparison), comparison.shown), (vec![], vec![]));
        }
        let mut poisoned = set("second", "two");
        poisoned["tags"]["CordonEvidence"] = json!("s3://elsewhere");
        let comparison = planned(&past, &now(&poisoned));
        assert_eq!(drift(&comparison), [("tag/CordonEvidence".to_owned(), Why::Changed)]);
        let key = "CordonEvidence".to_owned();
        let differs =
            Shown::TagDiffers { key, expected: URI.into(), says: "s3://elsewhere".into() };
        assert_eq!(comparison.shown, [differs]);
        // One that never was tagged has its own tags.
        past.tagged = Vec::new();
        let comparison = planned(&past, &now(&denied(before)));
        assert_eq!(changes(&comparison), ["boundary", "deny"]);
    }

    #[test]
    fn what_stands_behind_an_item_has_to_be_as_it_was() {
        let version = |document: &str| json!({ "version": "v1", "document": document });
        let group = |policy: &str, document: &str| {
            json!({
                "name": "g", "attachedPolicies": [policy],
                "inlinePolicies": [{ "name": "i", "document": document }],
            })
        };
        let before = json!({
            "attachedPolicies": [OWN], "groups": [group(OWN, "i")],
            "customerPolicies": { OWN: version("a"), BOUNDARY: version("b") },
        });
        let mut past = past(&before);
        past.original.boundary_before = Some(BOUNDARY.into());
        let (own, member) = (format!("policy/{OWN}"), "group/g".to_owned());
        let (gone, behind) = (Some(Why::Gone), Some(Why::ChangedBehind));
        let today = |groups: Value, own: Value, boundary: Value| {
            let mut now = now(&denied(json!({})));
            now.groups = serde_json::from_value(json!({ "g": groups })).unwrap();
            let policies = json!({ OWN: own, BOUNDARY: boundary });
            now.policies = serde_json::from_value(policies).unwrap();
            now
        };
        let same = || (group(OWN, "i"), version("a"), version("b"));
        let cases = [
            (same(), None, None, None),
            ((json!(null), version("a"), version("b")), None, gone, None),
            ((group(OWN, "other"), version("a"), version("b")), None, behind, None),
            ((group(QUARANTINE, "i"), version("a"), version("b")), None, behind, None),
            ((group(OWN, "i"), version("other"), version("b")), behind, behind, None),
            ((group(OWN, "i"), json!(null), version("b")), gone, behind, None),
            ((group(OWN, "i"), version("a"), json!(null)), None, None, gone),
            ((group(OWN, "i"), version("a"), version("other")), None, None, behind),
        ];
        for ((groups, policy, boundary), of_policy, of_group, of_boundary) in cases {
            let now = today(groups, policy, boundary);
            let comparison = planned(&past, &now);
            let found = |name: &str| {
                let all = drift(&comparison);
                all.into_iter().find(|(item, _)| item == name).map(|(_, why)| why)
            };
            assert_eq!(
                (found(&own), found(&member), found("boundary")),
                (of_policy, of_group, of_boundary),
                "{now:?}"
            );
            // What it said and says is told, and of a boundary alone, too.
            let told = |arn: &str, lost: &Lost| match lost {
                Lost::PolicyGone { arn: of } | Lost::PolicyChanged { arn: of, .. } => of == arn,
                _ => false,
            };
            for (arn, why) in [(OWN, of_policy), (BOUNDARY, of_boundary)] {
                let count = comparison.lost.iter().filter(|lost| told(arn, lost)).count();
                assert_eq!(count, usize::from(why.is_some()), "{arn} {:?}", comparison.lost);
            }
            assert_eq!(comparison.shown, []);
            for (name, why) in
                [(own.as_str(), of_policy), (&member, of_group), ("boundary", of_boundary)]
            {
                let accepted = accepting(&past, &now, &[name]);
                let by_person = accepted.map(|it| it.changes.iter().any(|one| one.accepted));
                let expected = if why == behind { Ok(true) } else { Err("ChoiceUnclear") };
                assert_eq!(by_person.map_err(|failure| failure.name()), expected, "{name} {why:?}");
            }
        }
    }

    #[test]
    fn a_boundary_that_is_attached_too_is_told_once_and_one_that_is_unknown_not_compared() {
        let version = |document: &str| json!({ "version": "v1", "document": document });
        let mut past = past(&json!({
            "attachedPolicies": [OWN], "customerPolicies": { OWN: version("a") },
        }));
        let mut now = now(&denied(json!({})));
        now.policies =
            serde_json::from_value(json!({ OWN: version("b"), BOUNDARY: version("b") })).unwrap();
        past.original.boundary_before = Some(OWN.into());
        let comparison = planned(&past, &now);
        assert_eq!(comparison.lost.len(), 1, "{:?}", comparison.lost);
        assert_eq!(
            drift(&comparison),
            [
                (format!("policy/{OWN}"), Why::ChangedBehind),
                ("boundary".into(), Why::ChangedBehind)
            ]
        );
        // Of what the evidence does not hold that is said, unless AWS writes the policy.
        let unknown = Shown::NotCompared { arn: BOUNDARY.into() };
        for (arn, shown) in [
            (OWN, vec![]),
            (BOUNDARY, vec![unknown]),
            ("arn:aws:iam::aws:policy/PowerUserAccess", vec![]),
        ] {
            past.original.boundary_before = Some(arn.into());
            assert_eq!(planned(&past, &now).shown, shown, "{arn}");
        }
    }

    #[test]
    fn the_deny_comes_after_what_it_holds_in_check_and_what_is_taken_before_what_is_given() {
        let before = json!({
            "attachedPolicies": [OWN], "groups": [{ "name": "g", "attachedPolicies": [], "inlinePolicies": [] }],
            "inlinePolicies": [{ "name": "a", "document": "{}" }],
            "credentials": [{ "kind": "accessKey", "id": "AKIA", "active": true }],
            "tags": { "team": "a" },
        });
        let past = past(&before);
        let other = "arn:aws:iam::aws:policy/other";
        let added = json!({
            "attachedPolicies": [other], "tags": { "extra": "b" },
            "credentials": [{ "kind": "accessKey", "id": "AKIA", "active": false }],
        });
        let mut now = now(&denied(added));
        now.groups = serde_json::from_value(json!({
            "g": { "name": "g", "attachedPolicies": [], "inlinePolicies": [] },
        }))
        .unwrap();
        let accept = [format!("policy/{other}"), "tag/extra".into(), "tag/team".into()];
        let choice = Choice { accept: accept.into(), activate: ["AKIA".to_owned()].into() };
        let comparison = compare(&past, &now, &choice).unwrap();
        let expected = [
            "group/g",
            &format!("policy/{other}"),
            &format!("policy/{OWN}"),
            "inline/a",
            "tag/extra",
            "tag/team",
            "accessKey/AKIA",
            "boundary",
            "deny",
        ];
        assert_eq!(changes(&comparison), expected);
    }

    #[test]
    fn of_two_incidents_at_once_the_first_to_reach_it_says_what_stood_before() {
        let mut past = past(&json!({ "boundary": DENY, "attachedPolicies": [DENY] }));
        past.original.denied_before = Some(DenyBy::Policy);
        past.original.boundary_before = Some(DENY.into());
        let mut earlier = found(snapshot(&json!({})));
        // Written with more digits, and a text that sorts after the other.
        earlier.incident.reach.since = "2026-01-01T00:00:00.250000Z".into();
        earlier.boundary_before = Some(BOUNDARY.into());
        past.later = vec![earlier];
        let comparison = planned(&past, &now(&denied(json!({}))));
        assert_eq!(changes(&comparison), ["boundary", "deny"]);
        assert_eq!(comparison.changes[0].states.before.as_deref(), Some(BOUNDARY));
    }

    #[test]
    fn what_a_later_incident_took_was_not_there_before() {
        let mut past = past(&json!({}));
        let added = json!({
            "attachedPolicies": [OWN], "inlinePolicies": [{ "name": "p", "document": "{}" }],
            "credentials": [{ "kind": "accessKey", "id": "AKIA", "active": true }],
        });
        past.later = vec![found(snapshot(&added))];
        let comparison = planned(&past, &now(&denied(credential(Some(false)))));
        assert_eq!(changes(&comparison), ["boundary", "deny"]);
        let taken = [Item::Policy { arn: OWN.into() }, Item::Inline { name: "p".into() }];
        let execution = Some(execution("incident").arn().to_owned());
        let taken = taken.map(|item| Shown::TakenLater { item, execution: execution.clone() });
        assert_eq!(comparison.shown, taken);
        assert_eq!(judged(&comparison, "accessKey/AKIA"), Judged::MadeSince);
    }

    #[test]
    fn a_case_that_was_not_read_back_is_taken_for_contained() {
        let mut past = past(&json!({
            "attachedPolicies": [OWN],
            "credentials": [{ "kind": "accessKey", "id": "AKIA", "active": true }],
        }));
        past.left = None;
        let comparison = planned(&past, &now(&denied(credential(Some(false)))));
        assert_eq!(
            changes(&comparison),
            [format!("policy/{OWN}"), "boundary".into(), "deny".into()]
        );
        assert_eq!(judged(&comparison, "accessKey/AKIA"), Judged::Inactive);
        let untouched = json!({
            "attachedPolicies": [OWN],
            "credentials": [{ "kind": "accessKey", "id": "AKIA", "active": true }],
        });
        assert_eq!(changes(&planned(&past, &now(&untouched))), Vec::<String>::new());
    }

    #[test]
    fn what_aws_itself_restricts_stays() {
        let past = past(&json!({}));
        let now = now(&denied(json!({ "attachedPolicies": [QUARANTINE] })));
        let comparison = planned(&past, &now);
        assert_eq!(
            (changes(&comparison), drift(&comparison)),
            (vec!["boundary".into(), "deny".into()], vec![])
        );
        assert_eq!(comparison.shown, [Shown::QuarantinedByAws { arn: QUARANTINE.into() }]);
        let refused = accepting(&past, &now, &[&format!("policy/{QUARANTINE}")]);
        assert_eq!(refused.unwrap_err().name(), "ChoiceUnclear");
    }

    #[test]
    fn what_no_restore_gives_back_is_told() {
        let password = |created: &str| json!({ "created": created });
        let device = |serial: &str| json!([{ "serialNumber": serial }]);
        let serial = |serial: &str| serial.to_owned();
        for (before, now_is, expected) in [
            (json!({}), json!({}), vec![]),
            (
                json!({ "loginProfile": password("1") }),
                json!({ "loginProfile": password("1") }),
                vec![Lost::PasswordToChange { created: "1".into(), since: false }],
            ),
            (
                json!({ "loginProfile": password("1") }),
                json!({ "loginProfile": password("2") }),
                vec![Lost::PasswordToChange { created: "2".into(), since: true }],
            ),
            (
                json!({}),
                json!({ "loginProfile": password("2") }),
                vec![Lost::PasswordToChange { created: "2".into(), since: true }],
            ),
            (json!({ "loginProfile": password("1") }), json!({}), vec![Lost::PasswordGone]),
            (
                json!({ "mfaDevices": device("a") }),
                json!({ "mfaDevices": device("b") }),
                vec![
                    Lost::MfaMadeSince { serial: serial("b") },
                    Lost::MfaGone { serial: serial("a") },
                ],
            ),
            (
                json!({ "instanceProfiles": ["same", "a"] }),
                json!({ "instanceProfiles": ["b", "same"] }),
                vec![
                    Lost::InstanceProfileMadeSince { arn: serial("b") },
                    Lost::InstanceProfileGone { arn: serial("a") },
                ],
            ),
            (
                json!({ "trustPolicy": "a" }),
                json!({ "trustPolicy": "b" }),
                vec![Lost::TrustChanged { before: Some("a".into()), now: Some("b".into()) }],
            ),
        ] {
            assert_eq!(planned(&past(&before), &now(&denied(now_is))).lost, expected);
        }
    }

    #[test]
    fn a_retirement_is_about_access_keys_and_its_tag_alone() {
        let credentials = |active: bool| {
            json!([
                { "kind": "accessKey", "id": "AKIA", "active": active },
                { "kind": "sshPublicKey", "id": "APKA", "active": active },
            ])
        };
        let before = json!({ "credentials": credentials(true), "attachedPolicies": [OWN] });
        let mut past = past(&before);
        past.original.case = None;
        past.left = None;
        let tags = json!({ "CordonRetirement": URI, "team": "a" });
        let now = now(&json!({ "credentials": credentials(false), "tags": tags }));
        let comparison = planned(&past, &now);
        assert_eq!(changes(&comparison), ["tag/CordonRetirement"]);
        assert_eq!((drift(&comparison), comparison.lost), (vec![], vec![]));
        let ids: Vec<_> = comparison.inactive.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids, ["AKIA"]);
        let active = activating(&past, &now, "AKIA").unwrap();
        assert_eq!(changes(&active), ["tag/CordonRetirement", "accessKey/AKIA"]);
    }

    #[test]
    fn a_renamed_principal_is_shown_under_both_names() {
        let past = past(&json!({}));
        let now = now(&json!({ "arn": "arn:aws:iam::222222222222:user/adam", "name": "adam" }));
        let before = past.original.principal.arn.clone();
        assert_eq!(planned(&past, &now).shown, [Shown::Renamed { before }]);
    }

    #[test]
    fn a_status_that_was_read_back_counts() {
        let mut past = past(&credential(Some(false)));
        let key = Credential { kind: CredentialKind::AccessKey, id: "AKIA".into() };
        let read = past.left.as_mut().unwrap();
        read.credentials = vec![Status { credential: key, active: true }];
        // It was left active, though it had been inactive: then it is made so again.
        let comparison = planned(&past, &now(&denied(credential(Some(true)))));
        assert_eq!(judged(&comparison, "accessKey/AKIA"), Judged::Changed);
    }

    #[test]
    fn a_deny_that_a_later_incident_found_room_for_goes_first() {
        for (had, goes_first) in [(10, true), (9, false)] {
            let mut past = past(&json!({ "attachedPolicies": policies(had) }));
            past.left.as_mut().unwrap().kept_policies.clear();
            let now = now(&denied(json!({})));
            let is_deny = |one: &Change| one.states.item == Item::Deny;
            let alone = planned(&past, &now);
            assert!(alone.drift.iter().any(|one| one.states.item == Item::Deny), "{alone:#?}");

            past.later = vec![found(snapshot(&denied(json!({}))))];
            let met_twice = planned(&past, &now);
            assert_eq!(met_twice.drift, []);
            assert_eq!(met_twice.makes_room, goes_first);
            assert_eq!(
                met_twice.changes.iter().position(is_deny),
                Some(if goes_first { 0 } else { 10 })
            );

            // It stood before that incident: somebody else has attached it.
            past.later[0].incident.reach.denied_before = Some(DenyBy::Policy);
            assert!(!planned(&past, &now).changes.iter().any(is_deny));
        }
    }

    #[test]
    fn where_there_was_room_for_the_deny_beside_all_policies_it_goes_last() {
        let mut past = past(&json!({ "attachedPolicies": policies(12) }));
        past.original.principal.attached_policies.push(DENY.into());
        let plan = planned(&past, &now(&denied(json!({}))));
        assert!(!plan.makes_room);
        assert_eq!(plan.changes.last().unwrap().states.item, Item::Deny);
        // Beside eleven there was.
        past.original.principal.attached_policies.pop();
        past.later = vec![found(snapshot(&denied(json!({ "attachedPolicies": policies(11) }))))];
        assert!(planned(&past, &now(&denied(json!({})))).makes_room);
    }

    #[test]
    fn without_the_deny_as_boundary_the_attached_one_goes_last() {
        let past = past(&json!({ "attachedPolicies": policies(10), "boundary": BOUNDARY }));
        let attached = json!({ "attachedPolicies": [DENY], "boundary": BOUNDARY });
        let plan = planned(&past, &now(&attached));
        assert!(!plan.makes_room);
        assert_eq!(plan.changes.last().unwrap().states.item, Item::Deny);
    }

    #[test]
    fn a_tag_of_ones_own_in_another_case_comes_back_but_for_the_mark() {
        let mut past = past(&json!({ "tags": { "findingid": "own", "SECURITYINCIDENT": "own" } }));
        past.tagged = vec![Tagging {
            execution: execution("incident"),
            finding_id: "finding".into(),
            remediation_date: "2026-01-01T00:00:00Z".into(),
        }];
        let tags = json!({ "tags": {
            "SecurityIncident": "true", "RemediationDate": "2026-01-01T00:00:00Z",
            "FindingId": "finding",
        }});
        let plan = planned(&past, &now(&denied(tags)));
        assert_eq!(plan.drift, []);
        assert_eq!(plan.lost, [Lost::TagOverwritten { value: "own".into() }]);
        let tags = plan.changes.iter().filter(|one| one.states.item.tag_key().is_some());
        let tags: Vec<_> =
            tags.map(|one| (one.states.item.to_string(), one.states.before.clone())).collect();
        let expected = [
            ("tag/FindingId", None),
            ("tag/RemediationDate", None),
            ("tag/findingid", Some("own")),
            ("tag/SecurityIncident", None),
        ];
        assert_eq!(tags, expected.map(|(item, value)| (item.into(), value.map(str::to_owned))));
    }
}
