//! What can be done with the role that grants, and by whom: tried with the real credentials, and
//! read back from the account.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{StatusType, Tag};
use aws_sdk_sts::types::Credentials;
use harness::alone::{Alone, THIEF};
use harness::clients::Clients;
use harness::local_aws::LocalAws;
use harness::place::{read_json, repository};
use harness::role::Role;
use harness::steps::{Step, allowed};
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, User, allow_all};
use harness::{RESTORER, SECURITY};
use serde_json::json;

use crate::grants::{AWS_QUARANTINE, Attempt, attempt, enter};
use crate::trials::Trials;
use crate::users::POWER_USER;

/// What a containment leaves on whom it contained, and a retirement on whose keys it retired.
const CONTAINED: &str = "SecurityIncident";
const RETIRED: &str = "CordonRetirement";
const CUSTOMERS: &str = "Owner";

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_alone(
        "ApplyRestore's credentials give anything to who has our tag, and nothing to others",
        under_our_tag_alone,
    );
    trials.add(
        "only a restorer may have a restore done, by a role that can do nothing else",
        restorers_alone,
    );
}

async fn under_our_tag_alone(alone: &Alone<'_>) -> Result<()> {
    let step = Step::all()?.into_iter().find(|step| step.state == "ApplyRestore");
    let step = step.context("nothing grants")?;
    let function = alone.credentials_of(&step.state).await?;
    let iam = enter(alone, &function, &step.state).await?.without_retries().iam();

    let granted = allowed(&step.member_policy.context("it acts in no member")?);
    let tried = to_the_contained(alone, &iam).await?;
    let untried: Vec<_> = granted.iter().filter(|one| !tried.contains(one.as_str())).collect();
    ensure!(untried.is_empty(), "it may do what no test tries: {untried:?}");

    let protected = format!("break-glass-{}", alone.unique("thief"));
    for (who, victim) in [
        ("untagged", Victim::create(alone, &[(CUSTOMERS, "them")]).await?),
        ("tagged otherwise", Victim::create(alone, &[(CONTAINED, "false")]).await?),
        ("protected", Victim::named(alone, Some(protected), &[(CONTAINED, "true")]).await?),
    ] {
        let before = victim.user.read_back().await?;
        let role = victim.role.read_back().await?;
        for attempt in victim.of_user(&iam)? {
            is_refused(attempt).await.with_context(|| format!("to a user, {who}"))?;
        }
        ensure!(victim.user.read_back().await? == before, "a user, {who}, is another");
        if who != "protected" {
            for attempt in victim.of_role(&iam)? {
                is_refused(attempt).await.with_context(|| format!("to a role, {who}"))?;
            }
            ensure!(victim.role.read_back().await? == role, "a role, {who}, is another");
        }
        in_groups(&victim.user, &iam).await?;
    }
    to_whose_keys_were_retired(alone, &iam).await?;
    with_tags_credentials(alone, &iam).await
}

/// All but to lift AWS's own quarantine, and to mark anybody. Returns what was tried.
async fn to_the_contained(alone: &Alone<'_>, iam: &Client) -> Result<BTreeSet<&'static str>> {
    let victim = Victim::create(alone, &[(CONTAINED, "true")]).await?;
    let (user, role) = (victim.user.name.as_str(), victim.role.name.as_str());
    for key in [CONTAINED, RETIRED, "securityincident"] {
        let tag = tag(key, "true")?;
        let marks = iam.tag_user().user_name(user).tags(tag.clone());
        is_refused(attempt("iam:TagUser", marks.send())).await?;
        let among = iam.tag_role().role_name(role).tags(self::tag(CUSTOMERS, "x")?).tags(tag);
        is_refused(attempt("iam:TagRole", among.send())).await?;
    }
    let quarantine = iam.detach_user_policy().user_name(user).policy_arn(AWS_QUARANTINE);
    is_refused(attempt("iam:DetachUserPolicy", quarantine.send())).await?;
    let quarantine = iam.detach_role_policy().role_name(role).policy_arn(AWS_QUARANTINE);
    is_refused(attempt("iam:DetachRolePolicy", quarantine.send())).await?;

    let mut tried = BTreeSet::from(["iam:GetUser", "iam:GetRole"]);
    iam.get_user().user_name(user).send().await?;
    iam.get_role().role_name(role).send().await?;
    for attempt in victim.of_user(iam)?.into_iter().chain(victim.of_role(iam)?) {
        tried.insert(attempt.action);
        let error = attempt.call.await;
        ensure!(error.is_none(), "to the contained, `{}` ended with {error:?}", attempt.action);
    }

    let expected = BTreeSet::from([ADMINISTRATOR_ACCESS, AWS_QUARANTINE].map(str::to_owned));
    let after = victim.user.read_back().await?;
    ensure!(after.attached == expected && after.boundary.is_none(), "the user is {after:?}");
    ensure!(after.inline.keys().eq(["given"]), "its inline policies are {:?}", after.inline);
    ensure!(after.tags.keys().eq([CUSTOMERS]), "its tags are {:?}", after.tags);
    let active = after.credentials.iter().filter(|(_, status)| *status == "Active");
    ensure!(active.map(|(id, _)| id).eq([&victim.key]), "{:?}", after.credentials);
    let after = victim.role.read_back().await?;
    ensure!(after.attached == expected && after.boundary.is_none(), "the role is {after:?}");
    ensure!(after.inline.keys().eq(["given"]), "its inline policies are {:?}", after.inline);
    ensure!(after.tags.keys().eq([CUSTOMERS]), "its tags are {:?}", after.tags);
    Ok(tried)
}

/// IAM knows no condition for it: with `restoreGroups`, whoever has the role has this of anybody.
async fn in_groups(user: &User, iam: &Client) -> Result<()> {
    let policy = repository().join("functions/apply-restore/groups-policy.json");
    let policy = read_json(&policy)?.context("there is no policy for groups")?;
    let both = ["iam:AddUserToGroup", "iam:RemoveUserFromGroup"].map(str::to_owned);
    ensure!(allowed(&policy) == BTreeSet::from(both), "no test tries {:?}", allowed(&policy));
    let group = user.join_new_group("group", ADMINISTRATOR_ACCESS).await?;
    iam.remove_user_from_group().user_name(&user.name).group_name(&group).send().await?;
    ensure!(user.read_back().await?.groups.is_empty(), "it is in a group still");
    iam.add_user_to_group().user_name(&user.name).group_name(&group).send().await?;
    ensure!(user.read_back().await?.groups.contains(&group), "it is in no group");
    Ok(())
}

/// Its access keys' status, and the mark: no more than a retirement has done.
async fn to_whose_keys_were_retired(alone: &Alone<'_>, iam: &Client) -> Result<()> {
    let tags = [(RETIRED, "s3://evidence"), (CUSTOMERS, "them")];
    let victim = Victim::create(alone, &tags).await?;
    let (user, key) = (victim.user.name.as_str(), victim.key.as_str());
    let before = victim.user.read_back().await?;
    for attempt in victim.of_user(iam)?.into_iter().chain(victim.of_role(iam)?) {
        if attempt.action != "iam:UpdateAccessKey" {
            is_refused(attempt).await.context("to whose keys were retired")?;
        }
    }
    let untag = || iam.untag_user().user_name(user).tag_keys(CUSTOMERS);
    is_refused(attempt("iam:UntagUser", untag().send())).await?;
    is_refused(attempt("iam:UntagUser", untag().tag_keys(RETIRED).send())).await?;
    iam.update_access_key()
        .user_name(user)
        .access_key_id(key)
        .status(StatusType::Active)
        .send()
        .await?;
    iam.untag_user().user_name(user).tag_keys(RETIRED).send().await?;
    let mut expected = before;
    expected.tags.remove(RETIRED);
    expected.credentials.insert(victim.key.clone(), "Active".to_owned());
    let after = victim.user.read_back().await?;
    ensure!(after == expected, "{after:?} is not {expected:?}");
    Ok(())
}

/// The tag is a brake, not a wall: who can set it, too, can give anything to anyone unprotected.
async fn with_tags_credentials(alone: &Alone<'_>, granting: &Client) -> Result<()> {
    let user = alone.user().create().await?;
    let attach =
        || granting.attach_user_policy().user_name(&user.name).policy_arn(ADMINISTRATOR_ACCESS);
    is_refused(attempt("iam:AttachUserPolicy", attach().send())).await?;
    let tagging = enter(alone, &alone.credentials_of("Tag").await?, "Tag").await?;
    tagging.iam().tag_user().user_name(&user.name).tags(tag(CONTAINED, "true")?).send().await?;
    attach().send().await?;
    let after = user.read_back().await?;
    ensure!(after.attached.contains(ADMINISTRATOR_ACCESS), "the user is {after:?}");
    Ok(())
}

async fn is_refused(attempt: Attempt<'_>) -> Result<()> {
    let ended = attempt.call.await;
    ensure!(ended.as_deref() == Some("AccessDenied"), "`{}` ended with {ended:?}", attempt.action);
    Ok(())
}

fn tag(key: &str, value: &str) -> Result<Tag> {
    Ok(Tag::builder().key(key).value(value).build()?)
}

/// A user and a role as a containment leaves them, and AWS's quarantine on both.
struct Victim {
    user: User,
    role: Role,
    key: String,
    ssh_key: String,
    certificate: String,
    password: String,
}

impl Victim {
    async fn create(alone: &Alone<'_>, tags: &[(&str, &str)]) -> Result<Self> {
        Self::named(alone, None, tags).await
    }

    /// The user with a name of the caller's choice.
    async fn named(alone: &Alone<'_>, name: Option<String>, tags: &[(&str, &str)]) -> Result<Self> {
        let user = alone.user().boundary(DENY_ALL);
        let user = match name {
            Some(name) => user.name(name),
            None => user,
        };
        let user = user.create().await?;
        let role = alone.role().boundary(DENY_ALL).create().await?;
        for policy in [DENY_ALL, AWS_QUARANTINE] {
            user.attach(policy).await?;
            role.attach(policy).await?;
        }
        user.put_inline("since", &allow_all()).await?;
        role.put_inline("since", &allow_all()).await?;
        let iam = user.account_root().iam();
        for (key, value) in tags {
            iam.tag_user().user_name(&user.name).tags(tag(key, value)?).send().await?;
            iam.tag_role().role_name(&role.name).tags(tag(key, value)?).send().await?;
        }
        let key = user.access_key().await?.id;
        user.deactivate(&key).await?;
        Ok(Self {
            key,
            ssh_key: user.ssh_key().await?,
            certificate: user.signing_certificate().await?,
            password: user.service_specific_credential("codecommit.amazonaws.com").await?,
            user,
            role,
        })
    }

    /// All that the role may do to a user, its mark last of all.
    fn of_user<'a>(&'a self, iam: &'a Client) -> Result<Vec<Attempt<'a>>> {
        let user = self.user.name.as_str();
        let (active, inactive) = (StatusType::Active, StatusType::Inactive);
        Ok(vec![
            attempt(
                "iam:AttachUserPolicy",
                iam.attach_user_policy().user_name(user).policy_arn(ADMINISTRATOR_ACCESS).send(),
            ),
            attempt(
                "iam:PutUserPolicy",
                iam.put_user_policy()
                    .user_name(user)
                    .policy_name("given")
                    .policy_document(allow_all().to_string())
                    .send(),
            ),
            attempt(
                "iam:DeleteUserPolicy",
                iam.delete_user_policy().user_name(user).policy_name("since").send(),
            ),
            attempt(
                "iam:TagUser",
                iam.tag_user().user_name(user).tags(tag(CUSTOMERS, "theirs")?).send(),
            ),
            attempt(
                "iam:UpdateAccessKey",
                iam.update_access_key()
                    .user_name(user)
                    .access_key_id(&self.key)
                    .status(active)
                    .send(),
            ),
            attempt(
                "iam:UpdateSSHPublicKey",
                iam.update_ssh_public_key()
                    .user_name(user)
                    .ssh_public_key_id(&self.ssh_key)
                    .status(inactive.clone())
                    .send(),
            ),
            attempt(
                "iam:UpdateSigningCertificate",
                iam.update_signing_certificate()
                    .user_name(user)
                    .certificate_id(&self.certificate)
                    .status(inactive.clone())
                    .send(),
            ),
            attempt(
                "iam:UpdateServiceSpecificCredential",
                iam.update_service_specific_credential()
                    .user_name(user)
                    .service_specific_credential_id(&self.password)
                    .status(inactive)
                    .send(),
            ),
            attempt(
                "iam:PutUserPermissionsBoundary",
                iam.put_user_permissions_boundary()
                    .user_name(user)
                    .permissions_boundary(POWER_USER)
                    .send(),
            ),
            attempt(
                "iam:DeleteUserPermissionsBoundary",
                iam.delete_user_permissions_boundary().user_name(user).send(),
            ),
            attempt(
                "iam:DetachUserPolicy",
                iam.detach_user_policy().user_name(user).policy_arn(DENY_ALL).send(),
            ),
            attempt("iam:UntagUser", iam.untag_user().user_name(user).tag_keys(CONTAINED).send()),
        ])
    }

    /// The same of a role.
    fn of_role<'a>(&'a self, iam: &'a Client) -> Result<Vec<Attempt<'a>>> {
        let role = self.role.name.as_str();
        Ok(vec![
            attempt(
                "iam:AttachRolePolicy",
                iam.attach_role_policy().role_name(role).policy_arn(ADMINISTRATOR_ACCESS).send(),
            ),
            attempt(
                "iam:PutRolePolicy",
                iam.put_role_policy()
                    .role_name(role)
                    .policy_name("given")
                    .policy_document(allow_all().to_string())
                    .send(),
            ),
            attempt(
                "iam:DeleteRolePolicy",
                iam.delete_role_policy().role_name(role).policy_name("since").send(),
            ),
            attempt(
                "iam:TagRole",
                iam.tag_role().role_name(role).tags(tag(CUSTOMERS, "theirs")?).send(),
            ),
            attempt(
                "iam:PutRolePermissionsBoundary",
                iam.put_role_permissions_boundary()
                    .role_name(role)
                    .permissions_boundary(POWER_USER)
                    .send(),
            ),
            attempt(
                "iam:DeleteRolePermissionsBoundary",
                iam.delete_role_permissions_boundary().role_name(role).send(),
            ),
            attempt(
                "iam:DetachRolePolicy",
                iam.detach_role_policy().role_name(role).policy_arn(DENY_ALL).send(),
            ),
            attempt("iam:UntagRole", iam.untag_role().role_name(role).tag_keys(CONTAINED).send()),
        ])
    }
}

async fn restorers_alone(aws: &LocalAws) -> Result<()> {
    let restorer = format!("arn:aws:iam::{SECURITY}:role/cordon/CordonRestorer");
    let other = aws.user().account(SECURITY).create().await?;
    let assume = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*" }],
    });
    other.put_inline("assume", &assume).await?;
    let other = other.with_key(&other.access_key().await?).without_retries();
    let refused = other.sts().assume_role().role_arn(&restorer).role_session_name(THIEF);
    ensure!(refused.send().await.is_err(), "anybody is a restorer");

    let on_call = session(aws, &aws.security(), RESTORER).await?;
    let states = session(aws, &on_call, &restorer).await?.without_retries();
    let outputs = aws.outputs();
    let start = |machine: &str| {
        states.states().start_execution().state_machine_arn(machine).input("{}").send()
    };
    for machine in [&outputs.state_machine_arn, &outputs.readiness_machine_arn] {
        ensure!(start(machine).await.is_err(), "a restorer has started {machine}");
    }
    let started = start(&outputs.restore_machine_arn).await?.execution_arn;
    states.states().describe_execution().execution_arn(&started).send().await?;
    states.states().get_execution_history().execution_arn(&started).send().await?;
    let stopped = states.states().stop_execution().execution_arn(&started).send().await;
    ensure!(stopped.is_err(), "a restorer has stopped an execution");
    let bucket = &outputs.evidence_bucket_name;
    let listed = states.s3().list_objects_v2().bucket(bucket).send().await;
    ensure!(listed.is_err(), "a restorer has read the evidence");
    let listed = states.iam().list_users().send().await;
    ensure!(listed.is_err(), "a restorer has listed users");
    Ok(())
}

async fn session(aws: &LocalAws, clients: &Clients, role: &str) -> Result<Clients> {
    let asked = clients.sts().assume_role().role_arn(role).role_session_name("ann");
    let made = asked.send().await.with_context(|| format!("cannot become `{role}`"))?.credentials;
    let Credentials { access_key_id, secret_access_key, session_token, .. } =
        made.context("STS gave no credentials")?;
    Ok(aws.with_session(&access_key_id, &secret_access_key, &session_token))
}
