//! What a thief of one function's credentials can do in a member account: that step, no more.

use std::collections::BTreeSet;
use std::pin::Pin;

use anyhow::{Context, Result, ensure};
use aws_sdk_iam::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_iam::types::{StatusType, Tag};
use aws_sdk_securityhub::types::{
    AwsSecurityFindingIdentifier, NoteUpdate, RelatedFinding, SeverityLabel, SeverityUpdate,
    VerificationState, WorkflowStatus, WorkflowUpdate,
};
use aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder;
use harness::alone::{Alone, THIEF};
use harness::clients::Clients;
use harness::finding::Finding;
use harness::steps::{Step, allowed};
use harness::user::{ADMINISTRATOR_ACCESS, DENY_ALL, User, allow_all};
use harness::{EXTERNAL_ID, MEMBERS};

use crate::incident::workflow;
use crate::trials::Trials;
use crate::users::POWER_USER;

const OWN_TAG: &str = "SecurityIncident";
pub(crate) const AWS_QUARANTINE: &str = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add_alone(
        "the credentials of a step's function are good for that step alone",
        good_for_that_step_alone,
    );
    trials.add_alone(
        "nothing is taken from who is under no deny with the credentials of DetachPolicies",
        restraints_stay,
    );
    trials.add_alone(
        "a step's role in a member account opens to that step's function alone, with its name",
        opens_to_its_function_alone,
    );
    trials.add_alone(
        "the credentials of Resolve can give a finding a status that ends it, a note, and no more",
        marks_findings_and_no_more,
    );
}

/// The code of the error that a call ended with.
pub(crate) type Ended<'a> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;

/// What is tried: the action, whether its policy may allow just this use of it, the call.
pub(crate) struct Attempt<'a> {
    pub(crate) action: &'static str,
    harmful: bool,
    pub(crate) call: Ended<'a>,
}

pub(crate) fn attempt<'a, T, E: ProvideErrorMetadata>(
    action: &'static str,
    call: impl Future<Output = Result<T, SdkError<E>>> + Send + 'a,
) -> Attempt<'a> {
    let call = async { call.await.err().and_then(|error| error.code().map(str::to_owned)) };
    Attempt { action, harmful: false, call: Box::pin(call) }
}

/// A use of an action that no step may make, even if another use is its very task.
fn harm<'a, T, E: ProvideErrorMetadata>(
    action: &'static str,
    call: impl Future<Output = Result<T, SdkError<E>>> + Send + 'a,
) -> Attempt<'a> {
    Attempt { harmful: true, ..attempt(action, call) }
}

async fn good_for_that_step_alone(alone: &Alone<'_>) -> Result<()> {
    for step in Step::all()? {
        let Some(policy) = &step.member_policy else { continue };
        // Its task is what no other step may do: `granting` has what it may.
        if step.state == "ApplyRestore" {
            continue;
        }
        let function = alone.credentials_of(&step.state).await?;
        let victim = Victim::create(alone).await?;
        let clients = enter(alone, &function, &step.state).await?;
        let allowed = allowed(policy);
        let mut tried = BTreeSet::new();
        for attempt in victim.attempts(&clients.iam())? {
            let expected = allowed.contains(attempt.action) && !attempt.harmful;
            let error = attempt.call.await;
            let possible = error.as_deref() != Some("AccessDenied");
            ensure!(
                possible == expected,
                "with the role of `{}`, `{}` (harmful: {}) ended with {error:?}",
                step.state,
                attempt.action,
                attempt.harmful
            );
            tried.insert(attempt.action);
        }
        let untried: Vec<_> =
            allowed.iter().filter(|action| !tried.contains(action.as_str())).collect();
        ensure!(untried.is_empty(), "`{}` may do what no test tries: {untried:?}", step.state);
        victim.survives().await.with_context(|| format!("after `{}`", step.state))?;
    }
    Ok(())
}

/// A session of a step's role, as the function asks for it but for the session policy.
pub(crate) async fn enter(alone: &Alone<'_>, function: &Clients, step: &str) -> Result<Clients> {
    let made = request(function, MEMBERS[0], step)
        .external_id(EXTERNAL_ID)
        .source_identity(THIEF)
        .send()
        .await
        .with_context(|| format!("`{step}` can't enter"))?
        .credentials
        .context("STS gave no credentials")?;
    Ok(alone.with_session(&made.access_key_id, &made.secret_access_key, &made.session_token))
}

fn request(function: &Clients, account: &str, step: &str) -> AssumeRoleFluentBuilder {
    function
        .without_retries()
        .sts()
        .assume_role()
        .role_arn(format!("arn:aws:iam::{account}:role/cordon/SecurityRemediation-{step}"))
        .role_session_name(THIEF)
}

async fn opens_to_its_function_alone(alone: &Alone<'_>) -> Result<()> {
    let steps = Step::all()?;
    for step in &steps {
        let function = alone.credentials_of(&step.state).await?;
        for other in steps.iter().filter(|other| other.member_policy.is_some()) {
            let whole = || {
                request(&function, MEMBERS[0], &other.state)
                    .external_id(EXTERNAL_ID)
                    .source_identity(THIEF)
            };
            let entered = whole().send().await.is_ok();
            let (step, other) = (&step.state, &other.state);
            ensure!(entered == (step == other), "`{step}` as `{other}` entered: {entered}");
        }
        if step.member_policy.is_none() {
            continue;
        }
        let own = || request(&function, MEMBERS[0], &step.state);
        for (without, request) in [
            ("an external id", own().source_identity(THIEF)),
            ("the right external id", own().source_identity(THIEF).external_id("another")),
            ("a source identity", own().external_id(EXTERNAL_ID)),
            (
                "a source identity of Cordon's",
                own().external_id(EXTERNAL_ID).source_identity("somebody"),
            ),
        ] {
            let entered = request.send().await.is_ok();
            ensure!(!entered, "`{}` entered without {without}", step.state);
        }
    }
    Ok(())
}

/// A finding that is NEW again starts an execution, one of another severity or type may lead to
/// nothing.
async fn marks_findings_and_no_more(alone: &Alone<'_>) -> Result<()> {
    let user = alone.user().create().await?;
    let finding = Finding::about(&user).with("Title", "A drill that no rule is for");
    alone.import(&finding).await?;
    let hub = alone.credentials_of("Resolve").await?.without_retries().security_hub();
    let identity = AwsSecurityFindingIdentifier::builder()
        .id(finding.id())
        .product_arn(finding.product())
        .build();
    let update = || hub.batch_update_findings().finding_identifiers(identity.clone());
    let marked = |status| update().workflow(WorkflowUpdate::builder().status(status).build());
    let resolved = || marked(WorkflowStatus::Resolved);
    let severity = SeverityUpdate::builder().label(SeverityLabel::Informational).build();
    let another = RelatedFinding::builder().id("x").product_arn(finding.product()).build();
    for (what, refused) in [
        ("NEW", marked(WorkflowStatus::New)),
        ("a severity", resolved().severity(severity)),
        (
            "a severity's number",
            resolved().severity(SeverityUpdate::builder().normalized(0).build()),
        ),
        (
            "a product's severity",
            resolved().severity(SeverityUpdate::builder().product(0.0).build()),
        ),
        ("types", resolved().types("Effects")),
        ("a confidence", resolved().confidence(0)),
        ("a criticality", resolved().criticality(0)),
        ("a related finding", resolved().related_findings(another)),
        ("a verification", resolved().verification_state(VerificationState::FalsePositive)),
    ] {
        let code = refused.send().await.err().and_then(|error| error.code().map(str::to_owned));
        ensure!(code.as_deref() == Some("AccessDeniedException"), "{what}: {code:?}");
    }
    let found = alone.in_security_hub(&finding).await?;
    ensure!(workflow(&found) == "NEW", "the finding is {}", workflow(&found));
    update().note(note()).send().await?;
    for status in [WorkflowStatus::Notified, WorkflowStatus::Resolved, WorkflowStatus::Suppressed] {
        marked(status.clone()).note(note()).user_defined_fields("a", "b").send().await?;
        let found = alone.in_security_hub(&finding).await?;
        ensure!(workflow(&found) == status.as_str(), "the finding is {}", workflow(&found));
    }
    Ok(())
}

fn note() -> NoteUpdate {
    NoteUpdate::builder().text("by a thief").updated_by(THIEF).build()
}

/// Who may do more without a policy than with it is restrained by that policy.
async fn restraints_stay(alone: &Alone<'_>) -> Result<()> {
    let function = alone.credentials_of("DetachPolicies").await?;
    let iam = enter(alone, &function, "DetachPolicies").await?.iam();
    let restraint = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Deny", "Action": "s3:*", "Resource": "*" }],
    });
    for (boundary, denied) in [(None, false), (Some(POWER_USER), false), (None, true)] {
        let (mut user, mut role) = (alone.user(), alone.role());
        if let Some(boundary) = boundary {
            (user, role) = (user.boundary(boundary), role.boundary(boundary));
        }
        let (user, role) = (user.create().await?, role.create().await?);
        let attached = user.attach_new(1).await?.pop().context("no policy")?;
        role.attach(&attached).await?;
        user.put_inline("restraint", &restraint).await?;
        role.put_inline("restraint", &restraint).await?;
        if denied {
            user.attach(DENY_ALL).await?;
            role.attach(DENY_ALL).await?;
        }
        let before = (user.read_back().await?, role.read_back().await?);
        let (name, of_role) = (&user.name, &role.name);
        for attempt in [
            harm(
                "iam:DetachUserPolicy",
                iam.detach_user_policy().user_name(name).policy_arn(&attached).send(),
            ),
            harm(
                "iam:DeleteUserPolicy",
                iam.delete_user_policy().user_name(name).policy_name("restraint").send(),
            ),
            harm(
                "iam:DetachRolePolicy",
                iam.detach_role_policy().role_name(of_role).policy_arn(&attached).send(),
            ),
            harm(
                "iam:DeleteRolePolicy",
                iam.delete_role_policy().role_name(of_role).policy_name("restraint").send(),
            ),
        ] {
            let ended = attempt.call.await;
            let refused = ended.as_deref() == Some("AccessDenied");
            ensure!(refused, "under {boundary:?}, `{}` ended with {ended:?}", attempt.action);
        }
        let after = (user.read_back().await?, role.read_back().await?);
        ensure!(after == before, "{before:?} became {after:?}");
    }
    Ok(())
}

/// A user and a role with all that a thief could go for.
struct Victim {
    user: User,
    key: String,
    ssh_key: String,
    certificate: String,
    password: String,
    group: String,
    role: String,
    policy: String,
}

impl Victim {
    async fn create(alone: &Alone<'_>) -> Result<Self> {
        let user = alone.user().create().await?;
        user.attach(ADMINISTRATOR_ACCESS).await?;
        user.attach(DENY_ALL).await?;
        user.attach(AWS_QUARANTINE).await?;
        let policy = user.attach_new(1).await?.pop().context("no policy")?;
        user.put_inline("inline", &allow_all()).await?;
        let role = alone.unique("role");
        let boundary = user.account_root().iam().put_user_permissions_boundary();
        boundary.user_name(&user.name).permissions_boundary(DENY_ALL).send().await?;
        let iam = user.account_root().iam();
        let trust = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "ec2.amazonaws.com" },
                "Action": "sts:AssumeRole",
            }],
        });
        iam.create_role()
            .role_name(&role)
            .assume_role_policy_document(trust.to_string())
            .permissions_boundary(DENY_ALL)
            .send()
            .await?;
        for policy in [DENY_ALL, AWS_QUARANTINE] {
            iam.attach_role_policy().role_name(&role).policy_arn(policy).send().await?;
        }
        iam.put_role_policy()
            .role_name(&role)
            .policy_name("inline")
            .policy_document(allow_all().to_string())
            .send()
            .await?;
        Ok(Self {
            key: user.access_key().await?.id,
            ssh_key: user.ssh_key().await?,
            certificate: user.signing_certificate().await?,
            password: user.service_specific_credential("codecommit.amazonaws.com").await?,
            group: user.join_new_group("group", ADMINISTRATOR_ACCESS).await?,
            user,
            role,
            policy,
        })
    }

    /// Whoever had a step's credentials, user and role are still there, and so is the deny.
    async fn survives(&self) -> Result<()> {
        let after = self.user.read_back().await?;
        for policy in [DENY_ALL, AWS_QUARANTINE] {
            ensure!(after.attached.contains(policy), "`{policy}` is gone: {:?}", after.attached);
        }
        ensure!(after.credentials.len() == 4, "credentials: {:?}", after.credentials);
        let iam = self.user.account_root().iam();
        let attached =
            iam.list_attached_role_policies().role_name(&self.role).send().await?.attached_policies;
        let attached: Vec<_> =
            attached.unwrap_or_default().into_iter().filter_map(|one| one.policy_arn).collect();
        for policy in [DENY_ALL, AWS_QUARANTINE] {
            ensure!(attached.iter().any(|arn| arn == policy), "`{policy}` is gone: {attached:?}");
        }
        Ok(())
    }

    fn attempts<'a>(&'a self, iam: &'a aws_sdk_iam::Client) -> Result<Vec<Attempt<'a>>> {
        let mut attempts = self.reads(iam);
        attempts.extend(self.steps(iam)?);
        attempts.extend(self.deletions(iam));
        attempts.extend(self.raises(iam));
        attempts.extend(self.misuses(iam)?);
        Ok(attempts)
    }

    fn reads<'a>(&'a self, iam: &'a aws_sdk_iam::Client) -> Vec<Attempt<'a>> {
        let (user, role, group) = (&self.user.name, &self.role, &self.group);
        let policy = &self.policy;
        vec![
            attempt("iam:GetUser", iam.get_user().user_name(user).send()),
            attempt(
                "iam:ListAttachedUserPolicies",
                iam.list_attached_user_policies().user_name(user).send(),
            ),
            attempt("iam:ListUserPolicies", iam.list_user_policies().user_name(user).send()),
            attempt(
                "iam:GetUserPolicy",
                iam.get_user_policy().user_name(user).policy_name("inline").send(),
            ),
            attempt("iam:ListGroupsForUser", iam.list_groups_for_user().user_name(user).send()),
            attempt("iam:ListAccessKeys", iam.list_access_keys().user_name(user).send()),
            attempt(
                "iam:GetAccessKeyLastUsed",
                iam.get_access_key_last_used().access_key_id(&self.key).send(),
            ),
            attempt("iam:ListSSHPublicKeys", iam.list_ssh_public_keys().user_name(user).send()),
            attempt(
                "iam:ListSigningCertificates",
                iam.list_signing_certificates().user_name(user).send(),
            ),
            attempt(
                "iam:ListServiceSpecificCredentials",
                iam.list_service_specific_credentials().user_name(user).send(),
            ),
            attempt("iam:GetLoginProfile", iam.get_login_profile().user_name(user).send()),
            attempt("iam:ListMFADevices", iam.list_mfa_devices().user_name(user).send()),
            attempt("iam:GetRole", iam.get_role().role_name(role).send()),
            attempt(
                "iam:ListAttachedRolePolicies",
                iam.list_attached_role_policies().role_name(role).send(),
            ),
            attempt("iam:ListRolePolicies", iam.list_role_policies().role_name(role).send()),
            attempt(
                "iam:GetRolePolicy",
                iam.get_role_policy().role_name(role).policy_name("inline").send(),
            ),
            attempt(
                "iam:ListInstanceProfilesForRole",
                iam.list_instance_profiles_for_role().role_name(role).send(),
            ),
            attempt(
                "iam:ListAttachedGroupPolicies",
                iam.list_attached_group_policies().group_name(group).send(),
            ),
            attempt("iam:ListGroupPolicies", iam.list_group_policies().group_name(group).send()),
            attempt(
                "iam:GetGroupPolicy",
                iam.get_group_policy().group_name(group).policy_name("none").send(),
            ),
            attempt("iam:GetPolicy", iam.get_policy().policy_arn(policy).send()),
            attempt(
                "iam:GetPolicyVersion",
                iam.get_policy_version().policy_arn(policy).version_id("v1").send(),
            ),
            attempt(
                "iam:ListEntitiesForPolicy",
                iam.list_entities_for_policy().policy_arn(policy).send(),
            ),
            attempt("iam:ListUsers", iam.list_users().send()),
            attempt("iam:ListRoles", iam.list_roles().send()),
            attempt("iam:GetGroup", iam.get_group().group_name(group).send()),
        ]
    }

    /// What the steps are there for.
    fn steps<'a>(&'a self, iam: &'a aws_sdk_iam::Client) -> Result<Vec<Attempt<'a>>> {
        let (user, role) = (&self.user.name, &self.role);
        let tag = Tag::builder().key(OWN_TAG).value("true").build()?;
        Ok(vec![
            attempt(
                "iam:AttachUserPolicy",
                iam.attach_user_policy().user_name(user).policy_arn(DENY_ALL).send(),
            ),
            attempt(
                "iam:AttachRolePolicy",
                iam.attach_role_policy().role_name(role).policy_arn(DENY_ALL).send(),
            ),
            attempt(
                "iam:PutUserPermissionsBoundary",
                iam.put_user_permissions_boundary()
                    .user_name(user)
                    .permissions_boundary(DENY_ALL)
                    .send(),
            ),
            attempt(
                "iam:PutRolePermissionsBoundary",
                iam.put_role_permissions_boundary()
                    .role_name(role)
                    .permissions_boundary(DENY_ALL)
                    .send(),
            ),
            attempt(
                "iam:UpdateAccessKey",
                iam.update_access_key()
                    .user_name(user)
                    .access_key_id(&self.key)
                    .status(StatusType::Inactive)
                    .send(),
            ),
            attempt(
                "iam:UpdateSSHPublicKey",
                iam.update_ssh_public_key()
                    .user_name(user)
                    .ssh_public_key_id(&self.ssh_key)
                    .status(StatusType::Inactive)
                    .send(),
            ),
            attempt(
                "iam:UpdateSigningCertificate",
                iam.update_signing_certificate()
                    .user_name(user)
                    .certificate_id(&self.certificate)
                    .status(StatusType::Inactive)
                    .send(),
            ),
            attempt(
                "iam:UpdateServiceSpecificCredential",
                iam.update_service_specific_credential()
                    .user_name(user)
                    .service_specific_credential_id(&self.password)
                    .status(StatusType::Inactive)
                    .send(),
            ),
            attempt(
                "iam:DetachUserPolicy",
                iam.detach_user_policy().user_name(user).policy_arn(ADMINISTRATOR_ACCESS).send(),
            ),
            attempt(
                "iam:DetachRolePolicy",
                iam.detach_role_policy().role_name(role).policy_arn(ADMINISTRATOR_ACCESS).send(),
            ),
            attempt(
                "iam:DeleteUserPolicy",
                iam.delete_user_policy().user_name(user).policy_name("inline").send(),
            ),
            attempt(
                "iam:DeleteRolePolicy",
                iam.delete_role_policy().role_name(role).policy_name("inline").send(),
            ),
            attempt(
                "iam:RemoveUserFromGroup",
                iam.remove_user_from_group().user_name(user).group_name(&self.group).send(),
            ),
            attempt("iam:TagUser", iam.tag_user().user_name(user).tags(tag.clone()).send()),
            attempt("iam:TagRole", iam.tag_role().role_name(role).tags(tag).send()),
        ])
    }

    /// What could not be restored.
    fn deletions<'a>(&'a self, iam: &'a aws_sdk_iam::Client) -> Vec<Attempt<'a>> {
        let (user, role) = (&self.user.name, &self.role);
        vec![
            harm("iam:DeleteUser", iam.delete_user().user_name(user).send()),
            harm("iam:DeleteRole", iam.delete_role().role_name(role).send()),
            harm(
                "iam:DeleteAccessKey",
                iam.delete_access_key().user_name(user).access_key_id(&self.key).send(),
            ),
            harm(
                "iam:DeleteSSHPublicKey",
                iam.delete_ssh_public_key().user_name(user).ssh_public_key_id(&self.ssh_key).send(),
            ),
            harm(
                "iam:DeleteSigningCertificate",
                iam.delete_signing_certificate()
                    .user_name(user)
                    .certificate_id(&self.certificate)
                    .send(),
            ),
            harm(
                "iam:DeleteServiceSpecificCredential",
                iam.delete_service_specific_credential()
                    .user_name(user)
                    .service_specific_credential_id(&self.password)
                    .send(),
            ),
            harm("iam:DeleteLoginProfile", iam.delete_login_profile().user_name(user).send()),
        ]
    }

    /// What would give somebody more than they had.
    fn raises<'a>(&'a self, iam: &'a aws_sdk_iam::Client) -> Vec<Attempt<'a>> {
        let (user, role, group) = (&self.user.name, &self.role, &self.group);
        let document = allow_all().to_string();
        vec![
            harm("iam:CreateUser", iam.create_user().user_name("thief").send()),
            harm("iam:CreateAccessKey", iam.create_access_key().user_name(user).send()),
            harm(
                "iam:CreateLoginProfile",
                iam.create_login_profile().user_name(user).password("Correct-horse-1").send(),
            ),
            harm("iam:UpdateUser", iam.update_user().user_name(user).new_path("/x/").send()),
            harm(
                "iam:PutUserPolicy",
                iam.put_user_policy()
                    .user_name(user)
                    .policy_name("inline")
                    .policy_document(&document)
                    .send(),
            ),
            harm(
                "iam:PutRolePolicy",
                iam.put_role_policy()
                    .role_name(role)
                    .policy_name("inline")
                    .policy_document(&document)
                    .send(),
            ),
            harm(
                "iam:UpdateAssumeRolePolicy",
                iam.update_assume_role_policy().role_name(role).policy_document(&document).send(),
            ),
            harm(
                "iam:CreatePolicyVersion",
                iam.create_policy_version()
                    .policy_arn(&self.policy)
                    .policy_document(&document)
                    .set_as_default(true)
                    .send(),
            ),
            harm(
                "iam:AddUserToGroup",
                iam.add_user_to_group().user_name(user).group_name(group).send(),
            ),
            harm(
                "iam:AttachGroupPolicy",
                iam.attach_group_policy().group_name(group).policy_arn(ADMINISTRATOR_ACCESS).send(),
            ),
            harm(
                "iam:DetachGroupPolicy",
                iam.detach_group_policy().group_name(group).policy_arn(ADMINISTRATOR_ACCESS).send(),
            ),
            harm(
                "iam:DeleteUserPermissionsBoundary",
                iam.delete_user_permissions_boundary().user_name(user).send(),
            ),
            harm(
                "iam:DeleteRolePermissionsBoundary",
                iam.delete_role_permissions_boundary().role_name(role).send(),
            ),
            harm("iam:UntagUser", iam.untag_user().user_name(user).tag_keys(OWN_TAG).send()),
        ]
    }

    /// A step's own action, on another policy, boundary, tag or role than the step is for.
    fn misuses<'a>(&'a self, iam: &'a aws_sdk_iam::Client) -> Result<Vec<Attempt<'a>>> {
        let (user, role) = (&self.user.name, &self.role);
        let own = Tag::builder().key(OWN_TAG).value("true").build()?;
        let other = Tag::builder().key("Owner").value("somebody").build()?;
        let mut misuses = vec![
            harm(
                "iam:AttachUserPolicy",
                iam.attach_user_policy().user_name(user).policy_arn(ADMINISTRATOR_ACCESS).send(),
            ),
            harm(
                "iam:AttachRolePolicy",
                iam.attach_role_policy().role_name(role).policy_arn(ADMINISTRATOR_ACCESS).send(),
            ),
            harm(
                "iam:PutUserPermissionsBoundary",
                iam.put_user_permissions_boundary()
                    .user_name(user)
                    .permissions_boundary(ADMINISTRATOR_ACCESS)
                    .send(),
            ),
            harm(
                "iam:PutRolePermissionsBoundary",
                iam.put_role_permissions_boundary()
                    .role_name(role)
                    .permissions_boundary(ADMINISTRATOR_ACCESS)
                    .send(),
            ),
            harm("iam:TagUser", iam.tag_user().user_name(user).tags(other.clone()).send()),
            harm(
                "iam:TagUser",
                iam.tag_user().user_name(user).tags(own.clone()).tags(other.clone()).send(),
            ),
            harm("iam:TagRole", iam.tag_role().role_name(role).tags(own).tags(other).send()),
            harm(
                "iam:AttachRolePolicy",
                iam.attach_role_policy()
                    .role_name("SecurityRemediation-Quarantine")
                    .policy_arn(DENY_ALL)
                    .send(),
            ),
        ];
        for policy in [DENY_ALL, AWS_QUARANTINE] {
            misuses.push(harm(
                "iam:DetachUserPolicy",
                iam.detach_user_policy().user_name(user).policy_arn(policy).send(),
            ));
            misuses.push(harm(
                "iam:DetachRolePolicy",
                iam.detach_role_policy().role_name(role).policy_arn(policy).send(),
            ));
        }
        Ok(misuses)
    }
}
