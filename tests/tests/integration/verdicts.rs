//! Every row of the verdict table, and who is meant where a finding says it badly.
//!
//! The findings are those of `classify`'s cases, about principals made for the test.

use anyhow::{Context, Result, ensure};
use harness::alone::Alone;
use harness::execution::Execution;
use harness::finding::Finding;
use harness::local_aws::LocalAws;
use harness::messages::Message;
use harness::role::{Role, RoleSnapshot};
use harness::user::{ADMINISTRATOR_ACCESS, AccessKey, DENY_ALL, User, allow_all};
use harness::wait::{self, PATIENCE};
use harness::{MEMBERS, SECURITY};
use serde_json::{Value, json};

use crate::cases;
use crate::incident::{Incident, document, named, texts};
use crate::judged::{self, End, Judged, ends, leads_to};
use crate::response_policy::amend;
use crate::trials::Trials;

const READ_ONLY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";
const ROOT: &str = "whether this is theirs";

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("GuardDuty's finding on a user's key contains the user", user_key);
    trials.add("GuardDuty's attack sequence contains the user whose key took part", sequence);
    trials.add("GuardDuty's finding on S3 contains the user whose key was used", on_data);
    trials.add("unusual behaviour is left to people, who learn how to contain", unusual);
    trials.add("what may be a user's own work is left to people", may_be_intended);
    trials.add("a custom product's exposed key is left to people", exposed_by_custom);
    trials.add("AWS Health's exposed key contains its owner", exposed_key);
    trials.add("an AWS service's accusation without a rule is left to people", no_rule);
    trials.add("a user's key is found behind an instance in the finding", instance_first);
    trials.add("a user is found by the key where GuardDuty gives no name", name_missing);
    trials.add("a user is found by name where its key is deleted, and people know", key_deleted);
    trials.add("the key's true owner is contained, and the one named is not", true_owner);
    trials.add("a key without owner and name is left to people", nobody);
    trials.add("a session of a user's contains the user that the finding names", user_session);
    trials.add("GuardDuty's finding of LOW severity touches nobody", low_severity);
    trials.add("a session of a role is left to people unless the policy says else", role_session);
    trials.add_alone("a session of a role contains the role if the policy says so", role_allowed);
    trials.add("root and federated users are left to people", root_and_federated);
    trials.add("people learn who has a policy that allows too much", wide_policy);
    trials.add("whatever is root's is left to people, with what they have to do", root);
    trials.add("IAM.8 makes keys Inactive that were not used for 90 days", unused_for_90_days);
    trials.add("IAM.22 makes keys Inactive that were not used for 45 days", unused_for_45_days);
    trials.add("Access Analyzer's unused key is made Inactive", unused_by_analyzer);
    trials.add("a custom finding on an unused user makes its keys Inactive", unused_by_custom);
    trials.add("an unused password is left to people, beside the keys", unused_password);
    trials.add("Access Analyzer's unused password is left to people", password_by_analyzer);
    trials.add("a role that a custom finding names is left to people until chosen", custom_role);
    trials.add_alone("a role that a custom finding names is contained if wanted", custom_allowed);
    trials.add("a role at its policy limit gets the deny as boundary", role_at_its_limit);
    trials.add("roles that AWS and the organization live by are left to people", protected_roles);
    trials.add("what a person chose is contained, whatever its severity and status", chosen);
    trials.add("a person's choice contains a role's session", chosen_role);
    trials.add("a person's choice does not get past the guards", chosen_in_vain);
}

/// A user that is worth containing, with an access key.
pub(crate) async fn administrator(aws: &LocalAws, account: &str) -> Result<(User, AccessKey)> {
    let user = aws.user().account(account).create().await?;
    user.attach(ADMINISTRATOR_ACCESS).await?;
    let key = user.access_key().await?;
    Ok((user, key))
}

/// A role that is worth containing.
pub(crate) async fn powerful_role(aws: &LocalAws) -> Result<Role> {
    let role = aws.role().path("/services/").create().await?;
    role.attach(ADMINISTRATOR_ACCESS).await?;
    role.put_inline("allow-all", &allow_all()).await?;
    role.join_new_instance_profile().await?;
    Ok(role)
}

/// Sends a case's finding about a key, which must end with its user contained.
async fn contains(aws: &LocalAws, user: &User, finding: Finding, told: &[&str]) -> Result<()> {
    let incident = Incident::with(aws, user, finding).await?;
    let judged = leads_to(aws, &incident.finding, End::Contained).await?;
    incident.is_contained().await?;
    incident.is_resolved(&judged.execution).await?;
    incident.shows_the_user(&incident.original().await?.json()?)?;
    judged.told(&[&user.arn])?;
    judged.told(told)
}

async fn user_key(aws: &LocalAws) -> Result<()> {
    let (user, key) = administrator(aws, MEMBERS[0]).await?;
    let session = user.session(&key).await?.clients.without_retries().s3();
    let finding = cases::finding(aws, "guardduty-user-key")?;
    contains(aws, &user, cases::about_key(&finding, &key.id, &user.name), &[&key.id]).await?;
    ensure!(session.list_buckets().send().await.is_err(), "the user's session still works");
    Ok(())
}

async fn sequence(aws: &LocalAws) -> Result<()> {
    for case in ["guardduty-user-attack-sequence", "guardduty-user-attack-sequence-on-data"] {
        let (user, key) = administrator(aws, MEMBERS[0]).await?;
        let finding = cases::finding(aws, case)?;
        contains(aws, &user, cases::about_key(&finding, &key.id, &user.name), &[]).await?;
    }
    Ok(())
}

async fn on_data(aws: &LocalAws) -> Result<()> {
    for case in ["guardduty-s3-malicious-caller", "guardduty-s3-tor-caller"] {
        let (user, key) = administrator(aws, MEMBERS[0]).await?;
        let finding = cases::finding(aws, case)?;
        contains(aws, &user, cases::about_key(&finding, &key.id, &user.name), &[&key.id]).await?;
    }
    let notice = "A HIGH finding has come in for account 222222222222.";
    let is_notice = |message: &Message| message.text.contains(notice);
    aws.topics().alerts.message("the first notice", is_notice).await?;
    Ok(())
}

/// Sends a case's finding about a user's key, which must be left to people.
async fn is_left(aws: &LocalAws, case: &str, told: &[&str]) -> Result<()> {
    let (user, key) = administrator(aws, MEMBERS[0]).await?;
    let before = user.read_back().await?;
    let finding = cases::about_key(&cases::finding(aws, case)?, &key.id, &user.name);
    let judged = leads_to(aws, &finding, End::Escalated).await?;
    ensure!(user.read_back().await? == before, "the user has changed");
    let contain = [
        format!("attach-user-policy --region us-east-1 --user-name '{}'", user.name),
        format!("--access-key-id '{}' --status 'Inactive'", key.id),
    ];
    judged.told(&contain.each_ref().map(String::as_str))?;
    judged.told(told)?;
    choose(aws, &finding, End::Contained).await?;
    Ok(())
}

async fn unusual(aws: &LocalAws) -> Result<()> {
    Box::pin(is_left(aws, "guardduty-unusual-medium", &["need not be an attack"])).await
}

async fn may_be_intended(aws: &LocalAws) -> Result<()> {
    Box::pin(is_left(aws, "guardduty-policy", &["may be intended"])).await
}

/// Whoever may import an account's findings may say of any key that it is exposed.
async fn exposed_by_custom(aws: &LocalAws) -> Result<()> {
    let (user, key) = administrator(aws, MEMBERS[0]).await?;
    let before = user.read_back().await?;
    let finding = cases::finding(aws, "custom-exposed-key")?;
    let finding = cases::about(&finding, "AwsIamAccessKey", &key.id);
    let judged = leads_to(aws, &finding, End::Escalated).await?;
    ensure!(user.read_back().await? == before, "the user has changed");
    judged.told(&["iam get-access-key-last-used", &key.id, "`trustedProducts`"])?;
    choose(aws, &finding, End::Contained).await?;
    Ok(())
}

async fn exposed_key(aws: &LocalAws) -> Result<()> {
    let (user, key) = administrator(aws, MEMBERS[0]).await?;
    let finding = cases::finding(aws, "health-exposed-key")?;
    contains(aws, &user, cases::about_key(&finding, &key.id, &user.name), &[&key.id]).await?;
    let account = cases::finding(aws, "health-exposed-account")?;
    leads_to(aws, &account, End::Escalated).await?.told(&["health describe-affected-entities"])
}

async fn no_rule(aws: &LocalAws) -> Result<()> {
    let (user, _) = administrator(aws, MEMBERS[0]).await?;
    let before = user.read_back().await?;
    let finding = cases::about(&cases::finding(aws, "service-accuses")?, "AwsIamUser", &user.arn);
    let judged = leads_to(aws, &finding, End::Escalated).await?;
    ensure!(user.read_back().await? == before, "the user has changed");
    judged.told(&["no rule", &user.arn, "attach-user-policy"])
}

async fn instance_first(aws: &LocalAws) -> Result<()> {
    let (user, key) = administrator(aws, MEMBERS[0]).await?;
    let finding = cases::finding(aws, "guardduty-instance-comes-first")?;
    contains(aws, &user, cases::about_key(&finding, &key.id, &user.name), &[&key.id]).await
}

async fn name_missing(aws: &LocalAws) -> Result<()> {
    let (user, key) = administrator(aws, MEMBERS[0]).await?;
    let finding = cases::finding(aws, "guardduty-user-without-name")?;
    contains(aws, &user, cases::about_key(&finding, &key.id, "unused"), &[&key.id]).await
}

async fn key_deleted(aws: &LocalAws) -> Result<()> {
    let (user, key) = administrator(aws, MEMBERS[0]).await?;
    let iam = user.account_root().iam();
    iam.delete_access_key().user_name(&user.name).access_key_id(&key.id).send().await?;
    let finding = cases::finding(aws, "guardduty-user-key")?;
    let finding = cases::about_key_of(&finding, &key.id, &user.name, &user.id);
    let told = [&format!("no owner of the access key `{}`", key.id), "and its id `"];
    contains(aws, &user, finding, &told).await
}

async fn true_owner(aws: &LocalAws) -> Result<()> {
    let (owner, key) = administrator(aws, MEMBERS[0]).await?;
    let (named, _) = administrator(aws, MEMBERS[0]).await?;
    let before = named.read_back().await?;
    let finding = cases::finding(aws, "guardduty-user-key")?;
    let finding = cases::about_key(&finding, &key.id, &named.name);
    let told = format!("its access key `{}`; the finding calls it `{}`", key.id, named.name);
    contains(aws, &owner, finding, &[&told]).await?;
    let after = named.read_back().await?;
    ensure!(after == before, "the one named was {before:?} and is {after:?}");
    Ok(())
}

async fn nobody(aws: &LocalAws) -> Result<()> {
    let finding = cases::finding(aws, "guardduty-user-without-name")?;
    let finding = cases::about_key(&finding, "AKIA2222222222NOBODY", "nobody");
    let judged = leads_to(aws, &finding, End::Escalated).await?;
    judged.told(&["AKIA2222222222NOBODY", "it gives no name"])
}

/// IAM tells nobody whose session a key is of, so the name counts if the id agrees.
async fn user_session(aws: &LocalAws) -> Result<()> {
    let (user, _) = administrator(aws, MEMBERS[0]).await?;
    let finding = cases::finding(aws, "guardduty-user-session")?;
    let finding = cases::about_key_of(&finding, "ASIA2222222222SESSIO", &user.name, &user.id);
    let told = format!("identified by the name that the finding gives, and its id `{}`", user.id);
    contains(aws, &user, finding, &[&told]).await
}

async fn low_severity(aws: &LocalAws) -> Result<()> {
    let (user, key) = administrator(aws, MEMBERS[0]).await?;
    let before = user.read_back().await?;
    let finding = cases::finding(aws, "guardduty-low-severity")?;
    let finding = cases::about_key(&finding, &key.id, &user.name);
    leads_to(aws, &finding, End::Ignored).await?;
    ensure!(user.read_back().await? == before, "the user has changed");
    Ok(())
}

/// GuardDuty's finding on a key of a role's session.
fn about_session(aws: &LocalAws, role: &Role, case: &str) -> Result<Finding> {
    let finding = cases::finding(aws, case)?;
    Ok(cases::about_key_of(&finding, "ASIA2222222222SESSIO", &role.name, &role.id))
}

async fn role_session(aws: &LocalAws) -> Result<()> {
    let role = powerful_role(aws).await?;
    let before = role.read_back().await?;
    let finding = about_session(aws, &role, "guardduty-role-session")?;
    let judged = leads_to(aws, &finding, End::Escalated).await?;
    judged.told(&["ASIA2222222222SESSIO", "does not let findings contain roles"])?;
    ensure!(role.read_back().await? == before, "the role has changed");
    Ok(())
}

/// The role under a deny and with nothing else, its evidence stored, its session refused.
pub(crate) async fn role_is_contained(
    aws: &LocalAws,
    role: &Role,
    before: &RoleSnapshot,
    judged: &Judged,
) -> Result<RoleSnapshot> {
    let after = role.read_back().await?;
    ensure!(after.left().is_empty(), "left: {:?}", after.left());
    ensure!(
        after.id == before.id
            && after.trust == before.trust
            && after.instance_profiles == before.instance_profiles,
        "the role was {before:?} and is {after:?}"
    );
    ensure!(
        after.tags.get("SecurityIncident").is_some_and(|tag| tag == "true")
            && after.tags.get("CordonExecution") == Some(&judged.execution.arn),
        "its tags are {:?}",
        after.tags
    );
    judged.told(&[&role.arn, "AWSDenyAll"])?;

    let evidence = aws.newest_original(&role.account, &role.id).await?;
    let kept = evidence.context("no evidence was stored")?.json()?;
    let principal = &kept["principal"];
    let trust = principal["trustPolicy"].as_str().context("no trust policy")?;
    ensure!(serde_json::from_str::<Value>(trust)? == before.trust, "{kept:#}");
    ensure!(texts(&principal["instanceProfiles"], "") == before.instance_profiles, "{kept:#}");
    ensure!(texts(&principal["attachedPolicies"], "").is_superset(&before.attached), "{kept:#}");
    for (name, original) in &before.inline {
        let inline = document(named(&principal["inlinePolicies"], name)?)?;
        ensure!(&inline == original, "{inline:#}");
    }
    Ok(after)
}

async fn role_allowed(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "containRoles": true })).await?;
    for case in ["guardduty-role-session", "guardduty-role-session-by-issuer"] {
        let role = powerful_role(alone).await?;
        let user = alone.user().create().await?;
        let session = role.session(&user).await?.without_retries().s3();
        session.list_buckets().send().await.context("the session is refused too soon")?;
        let before = role.read_back().await?;
        let finding = about_session(alone, &role, case)?;
        let judged = leads_to(alone, &finding, End::Contained).await?;
        role_is_contained(alone, &role, &before, &judged).await?;
        ensure!(session.list_buckets().send().await.is_err(), "the session still works");
    }
    Ok(())
}

async fn root_and_federated(aws: &LocalAws) -> Result<()> {
    for (case, told) in [
        ("guardduty-root", ROOT),
        ("guardduty-root-long-term-key", ROOT),
        ("guardduty-federated-user", "sts:GetFederationToken"),
        ("guardduty-session-without-owner", "Find in CloudTrail whose the access key is"),
    ] {
        let judged = leads_to(aws, &cases::finding(aws, case)?, End::Escalated).await;
        judged.and_then(|judged| judged.told(&[told])).context(case)?;
    }
    Ok(())
}

async fn wide_policy(aws: &LocalAws) -> Result<()> {
    let (user, role) = (aws.user().create().await?, aws.role().create().await?);
    let policy = user.attach_new(1).await?.pop().context("no policy")?;
    role.attach(&policy).await?;
    let group = user.join_new_group("holders", &policy).await?;
    let bounded = aws.user().boundary(&policy).create().await?;
    let before = (user.read_back().await?, role.read_back().await?, bounded.read_back().await?);
    for case in ["control-wide-policy", "control-wide-service-policy"] {
        let finding = cases::about(&cases::finding(aws, case)?, "AwsIamPolicy", &policy);
        let judged = leads_to(aws, &finding, End::Escalated).await?;
        judged.told(&[
            &policy,
            &format!("user {}", user.name),
            &format!("role {}", role.name),
            &format!("group {group}"),
            &format!("user {}", bounded.name),
            "Narrow the policy",
        ])?;
    }
    let after = (user.read_back().await?, role.read_back().await?, bounded.read_back().await?);
    ensure!(after == before, "holders were {before:?} and are {after:?}");
    Ok(())
}

async fn root(aws: &LocalAws) -> Result<()> {
    let mfa = ["Root is never touched by machine", "register an MFA device"];
    let key = [ROOT, "delete those that you do not know"];
    for (case, told) in [
        ("control-root-access-key", key),
        ("control-root-mfa", mfa),
        ("control-root-hardware-mfa", mfa),
        ("custom-root-access-key", key),
    ] {
        let judged = leads_to(aws, &cases::finding(aws, case)?, End::Escalated).await;
        judged.and_then(|judged| judged.told(&told)).context(case)?;
    }
    Ok(())
}

async fn unused_for_90_days(aws: &LocalAws) -> Result<()> {
    retires(aws, "control-unused-90-days", 90, 89).await
}

async fn unused_for_45_days(aws: &LocalAws) -> Result<()> {
    retires(aws, "control-unused-45-days", 45, 44).await
}

async fn unused_by_analyzer(aws: &LocalAws) -> Result<()> {
    retires(aws, "analyzer-unused-key", 90, 29).await
}

async fn unused_by_custom(aws: &LocalAws) -> Result<()> {
    retires(aws, "custom-unused-user", 90, 29).await
}

/// A key that was used and made longer ago becomes Inactive, one that is so many days old stays
/// Active, and nothing else changes but tags.
async fn retires(aws: &LocalAws, case: &str, days: u32, young_days: u32) -> Result<()> {
    let user = aws.user().create().await?;
    user.attach(READ_ONLY).await?;
    user.join_new_group("readers", READ_ONLY).await?;
    user.put_inline("allow-all", &allow_all()).await?;
    user.ssh_key().await?;
    let old = user.access_key().await?;
    user.with_key(&old).s3().list_buckets().send().await?;
    aws.age(&user, days + 1 - young_days).await?;
    let young = user.access_key().await?;
    aws.age(&user, young_days).await?;
    let before = user.read_back().await?;
    let finding = cases::about(&cases::finding(aws, case)?, "AwsIamUser", &user.arn);
    let judged = leads_to(aws, &finding, End::Contained).await?;

    let after = user.read_back().await?;
    let mut expected = before.clone();
    expected.credentials.insert(old.id.clone(), "Inactive".to_owned());
    expected.tags = after.tags.clone();
    ensure!(after == expected, "it was {before:?} and is {after:?}");
    ensure!(after.credentials.get(&young.id).is_some_and(|status| status == "Active"));
    let tags: Vec<_> = after.tags.iter().collect();
    let [(tag, retired)] = tags.as_slice() else { anyhow::bail!("its tags are {tags:?}") };
    ensure!(*tag == "CordonRetirement" && retired.contains(judged.execution.name()), "{tags:?}");
    judged.told(&[&user.arn, &format!("unused for {days} days")])?;
    let below = format!("retired/{}/{}/", user.account, user.id);
    let kept = aws.evidence_below(&below).await?;
    let [kept] = kept.as_slice() else { anyhow::bail!("kept: {kept:?}") };
    let kept = kept.json()?;
    let credentials = kept["principal"]["credentials"].as_array().context("no credentials")?;
    let kept_old = credentials.iter().find(|one| one["id"] == old.id.as_str());
    ensure!(kept_old.is_some_and(|one| one["active"] == true), "{kept:#}");
    Ok(())
}

async fn unused_password(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    let iam = user.account_root().iam();
    iam.create_login_profile().user_name(&user.name).password("Correct-horse-1").send().await?;
    let key = user.access_key().await?;
    aws.age(&user, 100).await?;
    let finding = cases::finding(aws, "control-unused-90-days")?;
    let finding = cases::about(&finding, "AwsIamUser", &user.arn);
    let judged = leads_to(aws, &finding, End::Escalated).await?;
    judged.told(&[&user.arn, "console password", "aws iam delete-login-profile"])?;
    let after = user.read_back().await?;
    ensure!(after.credentials.get(&key.id).is_some_and(|it| it == "Inactive"), "{after:?}");
    ensure!(after.attached.is_empty() && after.boundary.is_none(), "{after:?}");
    iam.get_login_profile().user_name(&user.name).send().await.context("its password is gone")?;
    Ok(())
}

async fn password_by_analyzer(aws: &LocalAws) -> Result<()> {
    let user = aws.user().create().await?;
    user.access_key().await?;
    aws.age(&user, 100).await?;
    let before = user.read_back().await?;
    let finding = cases::finding(aws, "analyzer-unused-password")?;
    let finding = cases::about(&finding, "AwsIamUser", &user.arn);
    let judged = leads_to(aws, &finding, End::Escalated).await?;
    judged.told(&[&user.arn, "delete-login-profile"])?;
    ensure!(user.read_back().await? == before, "the user has changed");
    Ok(())
}

/// The guide's finding, about a role.
pub(crate) fn about_role(aws: &LocalAws, role: &Role) -> Result<Finding> {
    let finding = cases::finding_in(aws, &role.account, "custom-administrator-role")?;
    Ok(cases::about(&finding, "AwsIamRole", &role.arn))
}

async fn custom_role(aws: &LocalAws) -> Result<()> {
    let role = powerful_role(aws).await?;
    let user = aws.user().create().await?;
    let session = role.session(&user).await?.without_retries().s3();
    session.list_buckets().send().await.context("the session is refused too soon")?;
    let before = role.read_back().await?;
    let finding = about_role(aws, &role)?;
    let judged = leads_to(aws, &finding, End::Escalated).await?;
    judged.told(&[&role.arn, "does not let findings contain roles"])?;
    ensure!(role.read_back().await? == before, "the role has changed");
    let judged = choose(aws, &finding, End::Contained).await?;
    let after = role_is_contained(aws, &role, &before, &judged).await?;
    ensure!(after.boundary.as_deref() == Some(DENY_ALL), "boundary: {:?}", after.boundary);
    ensure!(session.list_buckets().send().await.is_err(), "the session still works");
    Ok(())
}

async fn custom_allowed(alone: &Alone<'_>) -> Result<()> {
    amend(alone, &json!({ "containRoles": true })).await?;
    let role = powerful_role(alone).await?;
    let before = role.read_back().await?;
    let judged = leads_to(alone, &about_role(alone, &role)?, End::Contained).await?;
    role_is_contained(alone, &role, &before, &judged).await?;
    Ok(())
}

async fn role_at_its_limit(aws: &LocalAws) -> Result<()> {
    let role = aws.role().create().await?;
    for policy in aws.user().create().await?.attach_new(10).await? {
        role.attach(&policy).await?;
    }
    let before = role.read_back().await?;
    let finding = about_role(aws, &role)?;
    leads_to(aws, &finding, End::Escalated).await?;
    let judged = choose(aws, &finding, End::Contained).await?;
    let after = role_is_contained(aws, &role, &before, &judged).await?;
    ensure!(after.boundary.is_some(), "it has no boundary");
    judged.told(&["permissions boundary"])
}

async fn protected_roles(aws: &LocalAws) -> Result<()> {
    let new = |path: &str, name: String| aws.role().path(path).name(name);
    // Those that nobody in the account could have made, and those that somebody could have.
    for (role, impostor) in [
        (new("/aws-service-role/support.amazonaws.com/", aws.unique("AWSServiceRole")), false),
        (new("/aws-reserved/sso.amazonaws.com/", aws.unique("AWSReservedSSO_Admin")), false),
        (new("/", aws.unique("stacksets-exec")), true),
        (new("/", "OrganizationAccountAccessRole".to_owned()), true),
        (new("/ours/", "AWSControlTowerExecution".to_owned()), true),
    ] {
        let role = role.create().await?;
        role.attach(ADMINISTRATOR_ACCESS).await?;
        Box::pin(is_protected(aws, &role, impostor)).await.context(role.arn.clone())?;
    }
    let ours = aws.existing_role(MEMBERS[0], "SecurityRemediation-Preserve").await?;
    Box::pin(is_protected(aws, &ours, true)).await
}

/// Whoever chooses it, nothing changes; and a possible impostor is urgent.
async fn is_protected(aws: &LocalAws, role: &Role, impostor: bool) -> Result<()> {
    let before = role.read_back().await?;
    let finding = about_role(aws, role)?;
    leads_to(aws, &finding, End::Escalated).await?;
    let judged = choose(aws, &finding, End::Escalated).await?;
    judged.told(&[&role.arn, "never contained by machine"])?;
    ensure!(judged.told.contains("impostor") == impostor, "{}", judged.told);
    let end = judged.execution.describe().await?.output.unwrap_or_default();
    let end: Value = serde_json::from_str(&end)?;
    let urgent = end["outcomes"][0]["failures"][0]["error"] == "PrincipalMayBeImpostor";
    ensure!(urgent == impostor, "{end:#}");
    let after = role.read_back().await?;
    ensure!(after == before, "it was {before:?} and is {after:?}");
    Ok(())
}

/// Chooses a finding that Security Hub has, as a person does, and waits for what comes of it.
pub(crate) async fn choose(aws: &LocalAws, finding: &Finding, end: End) -> Result<Judged> {
    let accused = Box::pin(judged::accused(aws, finding)).await?;
    let before = by_choice(aws, finding).await?.len();
    aws.send_to_action(&aws.outputs().custom_action_arn, &[finding]).await?;
    let what = format!("an execution for the chosen finding `{}`", finding.id());
    let execution = wait::until(what, PATIENCE, async || {
        let executions = by_choice(aws, finding).await?;
        Ok((executions.len() > before).then(|| executions.into_iter().next()).flatten())
    })
    .await?;
    let judged = ends(aws, execution, finding, end).await?;
    Box::pin(judged.is_true(aws, finding, &accused)).await?;
    Ok(judged)
}

/// The executions that people's choice of a finding has started, the newest first: that of its
/// import may start late.
async fn by_choice(aws: &LocalAws, finding: &Finding) -> Result<Vec<Execution>> {
    let mut chosen = Vec::new();
    for execution in aws.executions_of(finding).await? {
        let event = execution.input().await?;
        if event["detail-type"] == "Security Hub Findings - Custom Action" {
            chosen.push(execution);
        }
    }
    Ok(chosen)
}

/// Sets a finding's workflow status, as a person does in the console.
pub(crate) async fn mark(aws: &LocalAws, finding: &Finding, status: &str) -> Result<()> {
    let identifier = aws_sdk_securityhub::types::AwsSecurityFindingIdentifier::builder()
        .id(finding.id())
        .product_arn(finding.product())
        .build();
    let workflow =
        aws_sdk_securityhub::types::WorkflowUpdate::builder().status(status.into()).build();
    let update = aws.account(SECURITY).security_hub().batch_update_findings();
    update.finding_identifiers(identifier).workflow(workflow).send().await?;
    Ok(())
}

async fn chosen(aws: &LocalAws) -> Result<()> {
    for status in ["NEW", "SUPPRESSED"] {
        let (user, _) = administrator(aws, MEMBERS[0]).await?;
        let finding = Finding::about(&user)
            .with("Title", "Something odd about a user")
            .with("Severity", json!({ "Label": "INFORMATIONAL" }));
        let incident = Incident::with(aws, &user, finding).await?;
        leads_to(aws, &incident.finding, End::Ignored).await?;
        if status != "NEW" {
            mark(aws, &incident.finding, status).await?;
        }
        let judged = choose(aws, &incident.finding, End::Contained).await?;
        incident.is_contained().await?;
        incident.is_resolved(&judged.execution).await?;
        judged.told(&[&user.arn, "a person chose it"])?;
    }
    Ok(())
}

async fn chosen_role(aws: &LocalAws) -> Result<()> {
    let role = powerful_role(aws).await?;
    let before = role.read_back().await?;
    let finding = about_session(aws, &role, "guardduty-role-session")?;
    leads_to(aws, &finding, End::Escalated).await?;
    let judged = choose(aws, &finding, End::Contained).await?;
    role_is_contained(aws, &role, &before, &judged).await?;
    Ok(())
}

async fn chosen_in_vain(aws: &LocalAws) -> Result<()> {
    let own = aws.existing_role(MEMBERS[0], "SecurityRemediation-Tag").await?;
    let before = own.read_back().await?;
    let about_ours = about_role(aws, &own)?;
    let (user, key) = administrator(aws, MEMBERS[0]).await?;
    let user_before = user.read_back().await?;
    let sample = cases::finding(aws, "guardduty-user-key")?.with("Sample", true);
    let sample = cases::about_key(&sample, &key.id, &user.name);
    for (finding, imported, reason) in [
        (about_ours, End::Escalated, "is never contained by machine"),
        (cases::finding(aws, "guardduty-root")?, End::Escalated, "the account's root user"),
        (cases::finding(aws, "control-wide-policy")?, End::Escalated, "it is a policy"),
    ] {
        leads_to(aws, &finding, imported).await?;
        choose(aws, &finding, End::Escalated).await?.told(&[reason])?;
    }
    aws.send(&sample).await?;
    choose(aws, &sample, End::Escalated).await?.told(&["the finding is a sample"])?;
    ensure!(own.read_back().await? == before, "a role of ours has changed");
    ensure!(user.read_back().await? == user_before, "the sample's user has changed");
    Ok(())
}
