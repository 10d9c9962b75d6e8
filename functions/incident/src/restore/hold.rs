//! Whether a principal still is as a plan was made by, and what of the plan is left to be done.
//! Pure.

use std::collections::BTreeSet;

use super::compare::is_of_a_retirement;
use super::record::{ACTIVE, Device, INACTIVE, Now};
use super::{Change, Item, Lost, Plan, States};
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

    /// Whether the case did not know this credential.
    fn is_made_since(&self, item: &Item) -> bool {
        let since = |lost: &Lost| match (lost, item) {
            (Lost::CredentialMadeSince { credential, .. }, Item::Credential(one)) => {
                credential == one
            }
            _ => false,
        };
        self.lost.iter().any(since)
    }
}
