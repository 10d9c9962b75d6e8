//! Whether a principal still is as a plan was made by, and what of the plan is left to be done.
//! Pure.

use std::collections::BTreeSet;

use super::compare::is_of_a_retirement;
use super::record::{ACTIVE, Device, INACTIVE, Now};
use super::{Change, Drift, Item, Lost, Plan, Stage, States};
use crate::{Failure, listed};

/// So many differences are named.
const MOST: usize = 5;

/// What of a plan is left to be done, in its order, of a principal that was `then` as the plan
/// was made by: it may have been done in part.
///
/// Each item is as it was then; one that the plan changes may also be as it was before the case,
/// which is what the plan makes of it. What was made since, and people have to see to, may be gone
/// or inactive by now. Anything else fails with [`Failure::AccountChanged`]; an active credential
/// that was made since with [`Failure::CredentialMadeSince`].
pub fn hold<'a>(plan: &'a Plan, then: &Now, now: &Now) -> Result<Vec<&'a Change>, Failure> {
    let mut differs = Vec::new();
    if then.principal.arn != now.principal.arn {
        differs.push("its name or path".to_owned());
    }
    if plan.case.is_some() {
        differs.extend(around(plan, then, now));
    }
    let partition = plan.execution.partition();
    let (was, is) = (then.principal.holds(partition), now.principal.holds(partition));
    let mut left = Vec::new();
    for change in &plan.changes {
        let States { item, before, now, .. } = &change.states;
        let is = is.get(item);
        if is == before.as_ref() {
            continue;
        }
        left.push(change);
        if is != now.as_ref() {
            differs.push(format!("`{item}`"));
        }
    }
    let stage = |change: &Change| plan.stage(&change.states);
    let lifted = |change: &&Change| stage(change) == Stage::LiftDeny && !left.contains(change);
    let earlier = |change: &&Change| {
        stage(change) < Stage::LiftDeny && !matches!(change.states.item, Item::Group { .. })
    };
    // Whoever has lifted the deny meanwhile has not waited for what comes before.
    if left.iter().any(earlier)
        && let Some(change) = plan.changes.iter().find(lifted)
    {
        differs.push(format!("`{}`", change.states.item));
    }
    let mut made_since = Vec::new();
    let changes = |item: &Item| plan.changes.iter().any(|change| change.states.item == *item);
    let items: BTreeSet<&Item> = was.keys().chain(is.keys()).collect();
    for item in items.into_iter().filter(|item| plan.is_about(item) && !changes(item)) {
        let (was, is) = (was.get(item).map(String::as_str), is.get(item).map(String::as_str));
        match is {
            Some(ACTIVE) if plan.is_made_since(item) => made_since.push(format!("`{item}`")),
            None | Some(INACTIVE) if plan.is_made_since(item) => {}
            _ if was == is => {}
            _ => differs.push(format!("`{item}`")),
        }
    }
    if !differs.is_empty() {
        return Err(Failure::AccountChanged(listed(&differs, MOST)));
    }
    // A retired user has all along been able to act, and to make keys.
    if plan.case.is_some() && !made_since.is_empty() {
        return Err(Failure::CredentialMadeSince(listed(&made_since, MOST)));
    }
    Ok(left)
}

/// What differs of that which hangs on the principal or stands behind what it had.
fn around(plan: &Plan, then: &Now, now: &Now) -> Vec<String> {
    let (was, is) = (&then.principal, &now.principal);
    let mut differs = Vec::new();
    if was.trust_policy != is.trust_policy {
        differs.push("whom it trusts".to_owned());
    }
    if was.login_profile != is.login_profile {
        differs.push("its console password".to_owned());
    }
    let (were, are) = (&was.instance_profiles, &is.instance_profiles);
    let left_since = |arn: &String| {
        !are.contains(arn)
            && plan.lost.contains(&Lost::InstanceProfileMadeSince { arn: arn.clone() })
    };
    let others = were.symmetric_difference(are).filter(|arn| !left_since(arn));
    differs.extend(others.map(|arn| format!("the instance profile `{arn}`")));
    let serials = |devices: &[Device]| -> BTreeSet<String> {
        devices.iter().map(|device| device.serial_number.clone()).collect()
    };
    let (had, has) = (serials(&was.mfa_devices), serials(&is.mfa_devices));
    let may_be_gone =
        |serial: &String| plan.lost.contains(&Lost::MfaMadeSince { serial: serial.clone() });
    let devices = had.symmetric_difference(&has);
    let devices = devices.filter(|serial| has.contains(*serial) || !may_be_gone(serial));
    differs.extend(devices.map(|serial| format!("the MFA device `{serial}`")));
    let groups = then.groups.iter().filter(|(name, group)| now.groups.get(*name) != Some(*group));
    differs.extend(groups.map(|(name, _)| format!("the group `{name}`")));
    let policies = then.policies.iter().filter(|(arn, is)| now.policies.get(*arn) != Some(*is));
    differs.extend(policies.map(|(arn, _)| format!("the policy `{arn}`")));
    differs
}

impl Plan {
    /// Of a retirement, its access keys and its tag alone.
    fn is_about(&self, item: &Item) -> bool {
        self.case.is_some() || is_of_a_retirement(item)
    }

    /// Whether the case did not know this credential, or as one that was inactive before and is
    /// active all the same.
    fn is_made_since(&self, item: &Item) -> bool {
        let since = |lost: &Lost| match (lost, item) {
            (Lost::CredentialMadeSince { credential, .. }, Item::Credential(one)) => {
                credential == one
            }
            _ => false,
        };
        let risen = |Drift { states, .. }: &Drift| {
            let of_a_credential = matches!(item, Item::Credential(_)) && states.item == *item;
            of_a_credential && states.now.as_deref() == Some(ACTIVE)
        };
        self.lost.iter().any(since) || self.drift.iter().any(risen)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::restore::{Stage, record};

    const DENY: &str = "arn:aws:iam::aws:policy/AWSDenyAll";
    const OWN: &str = "arn:aws:iam::222222222222:policy/own";
    const EXECUTION: &str = "arn:aws:states:us-east-1:111111111111:execution:cordon-restore:plan";

    /// A user as a containment left it, with these fields otherwise.
    fn now(changes: &Value) -> record::Now {
        let mut principal = json!({
            "kind": "User", "arn": "arn:aws:iam::222222222222:user/eve", "name": "eve",
            "path": "/", "id": "AIDAEVE", "boundary": DENY, "tags": { "SecurityIncident": "true" },
            "attachedPolicies": [DENY], "customerPolicies": {}, "inlinePolicies": [],
            "trustPolicy": null, "groups": [], "loginProfile": null, "instanceProfiles": [], "mfaDevices": [],
            "credentials": [
                { "kind": "accessKey", "id": "AKIA", "active": false },
                { "kind": "accessKey", "id": "SINCE", "active": false },
            ],
        });
        for (field, value) in changes.as_object().unwrap() {
            principal[field] = value.clone();
        }
        let now = json!({
            "schema": "cordon/now/1", "execution": EXECUTION, "at": "t", "principal": principal,
            "groups": { "g": { "name": "g", "attachedPolicies": [], "inlinePolicies": [] } },
            "policies": { OWN: { "version": "v1", "document": "{}" } },
        });
        serde_json::from_value(now).unwrap()
    }

    fn plan() -> Plan {
        let stored = json!({ "uri": "s3://b/k", "version": null, "sha256": "ab" });
        let change = |item: Value, before: Option<&str>, now: Option<&str>| json!({ "item": item, "before": before, "left": now, "now": now, "accepted": false });
        let since = json!({ "kind": "accessKey", "id": "SINCE" });
        serde_json::from_value(json!({
            "schema": Plan::SCHEMA, "execution": EXECUTION, "at": "t", "incident": EXECUTION,
            "case": "0001", "finding": { "id": "f", "title": "", "severity": "", "account": "" },
            "principal": {
                "arn": "arn:aws:iam::222222222222:user/eve", "account": "222222222222",
                "kind": "User", "name": "eve", "path": "/", "id": "AIDAEVE", "boundary": null,
                "deniedBefore": null, "accessKeys": [],
            },
            "evidence": { "original": stored, "left": null, "now": stored }, "files": [],
            "changes": [
                change(json!({ "type": "policy", "arn": OWN }), Some(OWN), None),
                change(json!({ "type": "boundary" }), None, Some(DENY)),
                change(json!({ "type": "deny" }), None, Some(DENY)),
                change(json!({ "type": "incident" }), None, Some("true")),
            ],
            "inactive": [{ "kind": "accessKey", "id": "AKIA" }], "drift": [], "kept": [],
            "lost": [
                { "type": "credentialMadeSince", "active": true, "kind": since["kind"], "id": since["id"] },
                { "type": "mfaMadeSince", "serial": "m" },
            ],
            "shown": [],
        }))
        .unwrap()
    }

    fn left(then: &Value, changes: &Value) -> Result<Vec<String>, &'static str> {
        let plan = plan();
        let held = hold(&plan, &now(then), &now(changes));
        held.map(|left| left.into_iter().map(|one| one.states.item.to_string()).collect())
            .map_err(|failure| failure.name())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_as_it_was_planned_or_was_done_since_holds() {
        let policy = format!("policy/{OWN}");
        let all = [policy.as_str(), "boundary", "deny", "tag/SecurityIncident"];
        let then = json!({});
        assert_eq!(left(&then, &then), Ok(names(&all)));
        let attached = json!({ "attachedPolicies": [DENY, OWN] });
        assert_eq!(left(&then, &attached), Ok(names(&all[1..])));
        let bound = json!({ "attachedPolicies": [DENY, OWN], "boundary": null });
        assert_eq!(left(&then, &bound), Ok(names(&all[2..])));
        let lifted = json!({ "attachedPolicies": [OWN], "boundary": null });
        assert_eq!(left(&then, &lifted), Ok(names(&all[3..])));
        let done = json!({ "attachedPolicies": [OWN], "boundary": null, "tags": {} });
        assert_eq!(left(&then, &done), Ok(names(&[])));
    }

    #[test]
    fn whatever_else_has_changed_ends_it() {
        for changes in [
            json!({ "arn": "arn:aws:iam::222222222222:user/adam" }),
            json!({ "attachedPolicies": [DENY, "arn:aws:iam::aws:policy/other"] }),
            json!({ "boundary": "arn:aws:iam::222222222222:policy/boundary" }),
            json!({ "tags": { "SecurityIncident": "false" } }),
            json!({ "tags": { "SecurityIncident": "true", "team": "a" } }),
            json!({ "inlinePolicies": [{ "name": "p", "document": "{}" }] }),
            json!({ "groups": [{ "name": "g", "attachedPolicies": [], "inlinePolicies": [] }] }),
            json!({ "loginProfile": { "created": "1" } }),
            json!({ "mfaDevices": [{ "serialNumber": "n" }] }),
            json!({ "trustPolicy": "{}" }),
            json!({ "instanceProfiles": ["arn"] }),
            // One was made active, one was deleted, one is new.
            json!({ "credentials": [{ "kind": "accessKey", "id": "AKIA", "active": true }] }),
            json!({ "credentials": [{ "kind": "accessKey", "id": "SINCE", "active": false }] }),
            json!({ "credentials": [
                { "kind": "accessKey", "id": "AKIA", "active": false },
                { "kind": "accessKey", "id": "NEW", "active": false },
            ] }),
        ] {
            assert_eq!(left(&json!({}), &changes), Err("AccountChanged"), "{changes}");
        }
        for (part, changes) in [
            ("policies", json!({ OWN: { "version": "v2", "document": "{\"a\": 1}" } })),
            ("policies", json!({ OWN: null })),
            (
                "groups",
                json!({ "g": { "name": "g", "attachedPolicies": [OWN], "inlinePolicies": [] } }),
            ),
            ("groups", json!({ "g": null })),
        ] {
            let mut behind = now(&json!({}));
            match part {
                "policies" => behind.policies = serde_json::from_value(changes).unwrap(),
                _ => behind.groups = serde_json::from_value(changes).unwrap(),
            }
            let failure = hold(&plan(), &now(&json!({})), &behind).unwrap_err();
            assert_eq!(failure.name(), "AccountChanged", "{part}");
        }
    }

    /// Who lifts it has not waited for what comes before, and the boundary may be all that is left.
    #[test]
    fn a_deny_that_somebody_else_has_lifted_ends_it() {
        for changes in [
            json!({ "attachedPolicies": [] }),
            json!({ "attachedPolicies": [OWN] }),
            json!({ "attachedPolicies": [], "boundary": null }),
        ] {
            assert_eq!(left(&json!({}), &changes), Err("AccountChanged"), "{changes}");
        }
    }

    #[test]
    fn a_key_that_was_inactive_before_may_not_be_active() {
        let mut plan = plan();
        let risen = json!({
            "item": { "type": "credential", "kind": "accessKey", "id": "AKIA" },
            "before": "Inactive", "left": "Inactive", "now": "Active", "why": "changed",
        });
        plan.drift = vec![serde_json::from_value(risen).unwrap()];
        let key = |active: bool| json!({ "credentials": [{ "kind": "accessKey", "id": "AKIA", "active": active }] });
        let held = |is: bool| hold(&plan, &now(&key(true)), &now(&key(is)));
        assert_eq!(held(true).unwrap_err().name(), "CredentialMadeSince");
        assert_eq!(held(false).unwrap().len(), 4);
    }

    #[test]
    fn what_was_made_since_may_go_and_may_not_be_active() {
        let credentials = |active: Option<bool>| {
            let since = active
                .map(|active| json!({ "kind": "accessKey", "id": "SINCE", "active": active }));
            let all = [Some(json!({ "kind": "accessKey", "id": "AKIA", "active": false })), since];
            json!({ "credentials": all.into_iter().flatten().collect::<Vec<_>>() })
        };
        let then = credentials(Some(true));
        for (is, expected) in
            [(Some(true), Err("CredentialMadeSince")), (Some(false), Ok(4)), (None, Ok(4))]
        {
            assert_eq!(left(&then, &credentials(is)).map(|left| left.len()), expected, "{is:?}");
        }
        let device = json!({ "mfaDevices": [{ "serialNumber": "m" }] });
        assert_eq!(left(&device, &json!({})).map(|left| left.len()), Ok(4));
        let other = json!({ "mfaDevices": [{ "serialNumber": "n" }] });
        assert_eq!(left(&other, &json!({})), Err("AccountChanged"));
    }

    #[test]
    fn a_retired_user_has_lived_on() {
        let mut plan = plan();
        plan.case = None;
        plan.changes = serde_json::from_value(json!([{
            "item": { "type": "credential", "kind": "accessKey", "id": "AKIA" },
            "before": "Active", "left": "Inactive", "now": "Inactive", "accepted": false,
        }]))
        .unwrap();
        let lived = json!({
            "tags": { "team": "a" }, "attachedPolicies": [OWN], "loginProfile": { "created": "1" },
            "credentials": [
                { "kind": "accessKey", "id": "AKIA", "active": false },
                { "kind": "accessKey", "id": "SINCE", "active": true },
            ],
        });
        assert_eq!(hold(&plan, &now(&json!({})), &now(&lived)).unwrap().len(), 1);
        let retired = json!({ "tags": { "CordonRetirement": "elsewhere" } });
        let failure = hold(&plan, &now(&json!({})), &now(&retired)).unwrap_err();
        assert_eq!(failure.name(), "AccountChanged");
    }

    #[test]
    fn the_deny_comes_off_after_all_that_it_holds_in_check() {
        let stages = |plan: &Plan| -> Vec<Stage> {
            plan.changes.iter().map(|change| plan.stage(&change.states)).collect()
        };
        let mut plan = plan();
        let [give, set, lift, tag] = Stage::ALL;
        assert_eq!(stages(&plan), [give, set, lift, tag]);
        // At the limit of policies the boundary is the deny.
        plan.changes.retain(|change| change.states.item != Item::Deny);
        assert_eq!(stages(&plan), [give, lift, tag]);
        plan.changes.retain(|change| change.states.item != Item::Incident);
        plan.changes.push(plan.changes[0].clone());
        let retirement = Item::Tag { key: "CordonRetirement".into() };
        plan.changes[0].states.item = retirement;
        assert_eq!(stages(&plan)[0], give);
        plan.case = None;
        assert_eq!(stages(&plan)[0], tag);
    }
}
