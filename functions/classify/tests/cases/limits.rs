use std::collections::HashSet;

use classify::{Action, Verdict};
use incident::{Accused, Kind, Mode, is_name};
use serde_json::Value;

/// A state takes 256 KiB in all, and the state machine keeps more than the verdict.
///
/// Source: Step Functions Developer Guide, "Quotas".
const LARGEST: usize = 64 * 1024;

/// What holds of every verdict on every event: nobody is accused whom the finding does
/// not name, or who is not of its account, its partition and the policy's scope.
pub(crate) fn hold(execution: &str, event: &Value, verdict: &Verdict) {
    let policy = &verdict.policy;
    let acts = verdict.response == Action::Contain;
    assert_eq!(acts, !verdict.accused.is_empty(), "{verdict:?}");
    assert!(!acts || policy.mode != Mode::Off, "{verdict:?}");

    assert!(!verdict.reason.is_empty());
    assert!(verdict.reason.chars().count() <= 500, "{}", verdict.reason);
    let brief = verdict.finding.iter();
    let texts = brief.flat_map(|brief| [&brief.title, &brief.label]).chain([&verdict.reason]);
    let refused = verdict.refused.iter().flat_map(|one| [&one.resource, &one.failures[0].cause]);
    let accused = verdict.accused.iter().map(|accused| &accused.resource);
    for text in texts.chain(refused).chain(accused) {
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    assert!(serde_json::to_vec(verdict).unwrap().len() < LARGEST);

    let finding = &event["detail"]["findings"][0];
    let in_ocsf = event["detail-type"] == "Findings Imported V2";
    let account =
        if in_ocsf { &finding["cloud"]["account"]["uid"] } else { &finding["AwsAccountId"] };
    let partition = execution.split(':').nth(1).unwrap();
    let mut called = HashSet::new();
    for accused in &verdict.accused {
        assert!(called.insert(&accused.resource), "`{}` twice", accused.resource);
        assert_eq!(account, accused.account.as_str());
        assert!(!policy.exempt_accounts.iter().any(|one| one.is(&accused.account)));
        assert!(policy.accounts_in_scope.iter().all(|scope| scope.contains(&accused.account)));
        assert!(accused.name.as_deref().is_none_or(is_name), "{accused:?}");
        assert!(accused.name.is_some() || accused.access_key.is_some(), "{accused:?}");

        let named = if in_ocsf {
            let mut resources = finding["resources"].as_array().unwrap().iter();
            resources.any(|resource| names_in_ocsf(resource, accused, partition))
        } else {
            let of_them = finding["Resources"].to_string();
            let said = [&accused.name, &accused.access_key, &accused.principal_id];
            assert!(said.into_iter().flatten().all(|it| of_them.contains(it)), "{accused:?}");
            let mut resources = finding["Resources"].as_array().unwrap().iter();
            resources.any(|resource| names(resource, accused, partition))
        };
        assert!(named, "{accused:?}");
    }
}

/// Whether this resource is a reason to accuse this principal: it is what the outcome calls
/// it, and of the kind, the account and the partition. What more is known of the principal,
/// another resource may have said.
fn names(resource: &Value, accused: &Accused, partition: &str) -> bool {
    let id = resource["Id"].as_str().unwrap_or_default();
    let label = incident::one_line(id, if id.is_ascii() { 700 } else { 170 });
    label == accused.resource && says(resource, accused) && is_own_if_arn(id, accused, partition)
}

/// The same of a resource in OCSF, whose owner has to be the finding's account too.
fn names_in_ocsf(resource: &Value, accused: &Accused, partition: &str) -> bool {
    let owner = resource["owner"]["account"]["uid"].as_str().unwrap_or_default();
    let uids = [&resource["uid"], &resource["uid_alt"]].map(|uid| uid.as_str().unwrap_or_default());
    ["", accused.account.as_str()].contains(&owner)
        && says(resource, accused)
        && uids.into_iter().any(|uid| is_own_if_arn(uid, accused, partition))
}

fn says(resource: &Value, accused: &Accused) -> bool {
    let text = resource.to_string();
    [&accused.name, &accused.access_key].into_iter().flatten().any(|it| text.contains(it))
}

fn is_own_if_arn(id: &str, accused: &Accused, partition: &str) -> bool {
    let own = ["iam", "sts"].map(|of| format!("arn:{partition}:{of}::{}:", accused.account));
    let nouns: &[&str] = match accused.kind {
        Kind::User => &["user/", "access-key/"],
        Kind::Role => &["role/", "assumed-role/", "access-key/"],
    };
    let mut own = own.iter().filter_map(|own| id.strip_prefix(own));
    !id.starts_with("arn:") || own.any(|rest| nouns.iter().any(|noun| rest.starts_with(noun)))
}
