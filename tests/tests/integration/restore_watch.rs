//! A principal at each moment of its restore, by the record of the calls that changed it: no more
//! rights than it had, and no deny lifted while something is not given back.

use anyhow::{Context, Result, ensure};
use harness::calls::Call;
use harness::user::{DENY_ALL, Snapshot};

/// The tag that says who is contained.
const INCIDENT: &str = "SecurityIncident";

/// Whether a deny stands.
pub(crate) fn is_denied(now: &Snapshot) -> bool {
    now.attached.contains(DENY_ALL) || now.boundary.as_deref() == Some(DENY_ALL)
}

/// Whether all is given back that is to be before the deny is lifted.
pub(crate) fn is_given_back(now: &Snapshot, wanted: &Snapshot) -> bool {
    let (mut now, mut wanted) = (now.clone(), wanted.clone());
    for one in [&mut now, &mut wanted] {
        one.attached.remove(DENY_ALL);
        one.tags.remove(INCIDENT);
    }
    // The boundary may be the deny that is left.
    if now.boundary.as_deref() == Some(DENY_ALL) {
        now.boundary.clone_from(&wanted.boundary);
    }
    now == wanted
}

/// That it has no right, and no active credential, that it is not to have in the end.
pub(crate) fn has_no_more(now: &Snapshot, wanted: &Snapshot) -> Result<()> {
    let undenied = now.attached.iter().filter(|policy| *policy != DENY_ALL);
    let rights = undenied.into_iter().all(|policy| wanted.attached.contains(policy))
        && now.inline.iter().all(|(name, text)| wanted.inline.get(name) == Some(text))
        && now.groups.is_subset(&wanted.groups)
        && (now.boundary == wanted.boundary || now.boundary.as_deref() == Some(DENY_ALL));
    ensure!(rights, "it may do more than {wanted:?}: {now:?}");
    let active = |(id, status): (&String, &String)| {
        status != "Active" || wanted.credentials.get(id) == Some(status)
    };
    ensure!(now.credentials.iter().all(active), "too much is active for {wanted:?}: {now:?}");
    Ok(())
}

/// Replays the calls that changed a principal, in their order, and looks at it after each: `holds`
/// is asked what was called, and what that made of it. Returns what they made of it in the end.
pub(crate) fn replay(
    begin: &Snapshot,
    calls: &[Call],
    mut holds: impl FnMut(&Call, &Snapshot) -> Result<()>,
) -> Result<Snapshot> {
    let mut changes: Vec<_> = calls
        .iter()
        .filter(|call| call.service == "iam" && !call.read_only && call.error.is_none())
        .collect();
    let when = |call: &Call| call.answered.unwrap_or(call.time);
    changes.sort_by(|one, other| when(one).total_cmp(&when(other)));
    let mut now = begin.clone();
    for (number, call) in changes.iter().enumerate() {
        change(&mut now, call)?;
        holds(call, &now).with_context(|| {
            let before = changes.iter().take(number + 1).map(|call| call.action.as_str());
            format!("after {}", before.collect::<Vec<_>>().join(", "))
        })?;
    }
    Ok(now)
}

/// That no moment of a restore is one at which it has too much, or is not denied too early.
pub(crate) fn holds(now: &Snapshot, wanted: &Snapshot) -> Result<()> {
    has_no_more(now, wanted)?;
    let early = !is_denied(now) && !is_given_back(now, wanted);
    ensure!(!early, "the deny is off too early: {now:?}, for {wanted:?}");
    Ok(())
}

fn change(now: &mut Snapshot, call: &Call) -> Result<()> {
    let asked = |name: &str| {
        let value = call.parameters.get(name).cloned();
        value.with_context(|| format!("`{}` names no {name}", call.action))
    };
    match call.action.as_str() {
        "AttachUserPolicy" | "AttachRolePolicy" => {
            now.attached.insert(asked("PolicyArn")?);
        }
        "DetachUserPolicy" | "DetachRolePolicy" => {
            now.attached.remove(&asked("PolicyArn")?);
        }
        "PutUserPolicy" | "PutRolePolicy" => {
            let document = serde_json::from_str(&asked("PolicyDocument")?)?;
            now.inline.insert(asked("PolicyName")?, document);
        }
        "DeleteUserPolicy" | "DeleteRolePolicy" => {
            now.inline.remove(&asked("PolicyName")?);
        }
        "PutUserPermissionsBoundary" | "PutRolePermissionsBoundary" => {
            now.boundary = Some(asked("PermissionsBoundary")?);
        }
        "DeleteUserPermissionsBoundary" | "DeleteRolePermissionsBoundary" => now.boundary = None,
        "AddUserToGroup" => {
            now.groups.insert(asked("GroupName")?);
        }
        "RemoveUserFromGroup" => {
            now.groups.remove(&asked("GroupName")?);
        }
        "UpdateAccessKey" => status(now, asked("AccessKeyId")?, asked("Status")?),
        "UpdateSSHPublicKey" => status(now, asked("SSHPublicKeyId")?, asked("Status")?),
        "UpdateSigningCertificate" => status(now, asked("CertificateId")?, asked("Status")?),
        "UpdateServiceSpecificCredential" => {
            status(now, asked("ServiceSpecificCredentialId")?, asked("Status")?);
        }
        "TagUser" | "TagRole" => {
            for number in 1.. {
                let of = |what: &str| format!("Tags.member.{number}.{what}");
                let Some(key) = call.parameters.get(&of("Key")) else { break };
                now.tags.insert(key.clone(), asked(&of("Value"))?);
            }
        }
        "UntagUser" | "UntagRole" => {
            for number in 1.. {
                let key = call.parameters.get(&format!("TagKeys.member.{number}"));
                let Some(key) = key else { break };
                now.tags.remove(key);
            }
        }
        other => anyhow::bail!("nobody knows what `{other}` changes"),
    }
    Ok(())
}

fn status(now: &mut Snapshot, id: String, status: String) {
    now.credentials.insert(id, status);
}
