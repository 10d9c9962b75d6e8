//! IAM roles in member accounts: how a test makes them, and how they are read back.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use aws_credential_types::Credentials;
use aws_sdk_iam::error::SdkError;
use serde_json::{Value, json};

use crate::MEMBERS;
use crate::clients::Clients;
use crate::local_aws::LocalAws;
use crate::user::{DENY_ALL, Snapshot, User, allow_all, decode};

/// A role to be.
pub struct NewRole<'a> {
    aws: &'a LocalAws,
    account: String,
    name: String,
    path: String,
    boundary: Option<String>,
}

impl LocalAws {
    /// A role to be, in the first member account unless said otherwise.
    pub fn role(&self) -> NewRole<'_> {
        NewRole {
            aws: self,
            account: MEMBERS[0].to_owned(),
            name: self.unique("role"),
            path: "/".to_owned(),
            boundary: None,
        }
    }

    /// A role as its account has it now, if there is one of that name.
    pub async fn role_if_any(&self, account: &str, name: &str) -> Result<Option<RoleSnapshot>> {
        let clients = self.account(account);
        let found = clients.iam().get_role().role_name(name).send().await;
        let role = match found.map_err(SdkError::into_service_error) {
            Err(error) if error.is_no_such_entity_exception() => return Ok(None),
            found => found?.role.context("IAM returned no role")?,
        };
        Role::of(self, clients, account, role).read_back().await.map(Some)
    }

    /// A role that is there already.
    pub async fn existing_role(&self, account: &str, name: &str) -> Result<Role> {
        let clients = self.account(account);
        let found = clients.iam().get_role().role_name(name).send().await;
        let found = found.with_context(|| format!("cannot find the role `{name}`"))?;
        let role = found.role.context("IAM returned no role")?;
        Ok(Role::of(self, clients, account, role))
    }
}

impl NewRole<'_> {
    /// In another account.
    #[must_use]
    pub fn account(mut self, account: &str) -> Self {
        account.clone_into(&mut self.account);
        self
    }

    /// With a name of the caller's choice.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// With a path, which begins and ends with a slash.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// With a permissions boundary.
    #[must_use]
    pub fn boundary(mut self, policy_arn: impl Into<String>) -> Self {
        self.boundary = Some(policy_arn.into());
        self
    }

    /// Makes the role, with nothing attached. Its account and EC2 may assume it. In a path that is
    /// AWS's own it is made as AWS makes it.
    pub async fn create(self) -> Result<Role> {
        let clients = self.aws.account(&self.account);
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {
                    "AWS": format!("arn:aws:iam::{}:root", self.account),
                    "Service": "ec2.amazonaws.com",
                },
                "Action": "sts:AssumeRole",
            }],
        });
        let of_a_service = self.path.to_lowercase().starts_with("/aws-");
        let created = clients
            .iam()
            .create_role()
            .role_name(&self.name)
            .path(if of_a_service { "/" } else { &self.path })
            .set_permissions_boundary(self.boundary)
            .assume_role_policy_document(trust.to_string())
            .send()
            .await
            .with_context(|| format!("cannot create the role `{}`", self.name))?
            .role
            .context("IAM created no role")?;
        if of_a_service {
            let role = json!({
                "account": self.account, "roleName": self.name, "path": self.path,
            });
            self.aws.beyond_aws().post("/_local/iam/service-role", &role).await?;
            return self.aws.existing_role(&self.account, &self.name).await;
        }
        Ok(Role::of(self.aws, clients, &self.account, created))
    }
}

/// A role in a member account.
#[derive(Clone, Debug)]
pub struct Role {
    suffix: String,
    endpoint: String,
    clients: Clients,
    /// The account it is in.
    pub account: String,
    /// Its name, without the path.
    pub name: String,
    /// Its ARN, path included.
    pub arn: String,
    /// The id that no other role ever has.
    pub id: String,
}

impl Role {
    fn of(aws: &LocalAws, clients: Clients, account: &str, role: aws_sdk_iam::types::Role) -> Self {
        Self {
            suffix: aws.suffix(),
            endpoint: aws.url().to_owned(),
            clients,
            account: account.to_owned(),
            name: role.role_name,
            arn: role.arn,
            id: role.role_id,
        }
    }

    /// Clients of its account's root.
    pub fn account_root(&self) -> &Clients {
        &self.clients
    }

    /// Attaches a managed policy.
    pub async fn attach(&self, policy_arn: &str) -> Result<()> {
        self.clients
            .iam()
            .attach_role_policy()
            .role_name(&self.name)
            .policy_arn(policy_arn)
            .send()
            .await
            .with_context(|| format!("cannot attach `{policy_arn}` to `{}`", self.name))?;
        Ok(())
    }

    /// Makes managed policies of the account's own and attaches them.
    pub async fn attach_new(&self, number: usize) -> Result<()> {
        for count in 1..=number {
            let made = self
                .clients
                .iam()
                .create_policy()
                .policy_name(format!("role-policy-{count}-{}", self.suffix))
                .policy_document(allow_all().to_string())
                .send()
                .await
                .context("cannot create a policy")?;
            let arn = made.policy.and_then(|policy| policy.arn).context("IAM created no policy")?;
            self.attach(&arn).await?;
        }
        Ok(())
    }

    /// Gives it an inline policy.
    pub async fn put_inline(&self, name: &str, document: &Value) -> Result<()> {
        self.clients
            .iam()
            .put_role_policy()
            .role_name(&self.name)
            .policy_name(name)
            .policy_document(document.to_string())
            .send()
            .await
            .with_context(|| format!("cannot give `{}` an inline policy", self.name))?;
        Ok(())
    }

    /// Puts it into a new instance profile. Returns the profile's ARN.
    pub async fn join_new_instance_profile(&self) -> Result<String> {
        let iam = self.clients.iam();
        let name = format!("profile-{}", self.suffix);
        let made = iam.create_instance_profile().instance_profile_name(&name).send().await;
        let made = made.with_context(|| format!("cannot make the profile `{name}`"))?;
        let arn = made.instance_profile.context("IAM made no instance profile")?.arn;
        iam.add_role_to_instance_profile()
            .instance_profile_name(&name)
            .role_name(&self.name)
            .send()
            .await
            .with_context(|| format!("cannot put `{}` into `{name}`", self.name))?;
        Ok(arn)
    }

    /// Clients that use a session of the role's, which a user of its account makes.
    pub async fn session(&self, user: &User) -> Result<Clients> {
        let assume = json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": self.arn }],
        });
        user.put_inline(&format!("assume-{}", self.suffix), &assume).await?;
        let made = user
            .with_key(&user.access_key().await?)
            .sts()
            .assume_role()
            .role_arn(&self.arn)
            .role_session_name("at-work")
            .send()
            .await
            .with_context(|| format!("`{}` cannot become `{}`", user.name, self.name))?
            .credentials
            .context("STS gave no credentials")?;
        let credentials = Credentials::new(
            made.access_key_id,
            made.secret_access_key,
            Some(made.session_token),
            None,
            "role session",
        );
        Ok(Clients::with(&self.endpoint, credentials))
    }

    /// The role as its account has it now.
    pub async fn read_back(&self) -> Result<RoleSnapshot> {
        self.snapshot().await.with_context(|| format!("cannot read `{}` back", self.name))
    }

    async fn snapshot(&self) -> Result<RoleSnapshot> {
        let (iam, name) = (self.clients.iam(), &self.name);
        let role = iam.get_role().role_name(name).send().await?;
        let role = role.role.context("IAM returned no role")?;
        let trust = role.assume_role_policy_document.context("the role trusts nobody")?;
        let mut snapshot = RoleSnapshot {
            arn: role.arn,
            id: role.role_id,
            trust: serde_json::from_str(&decode(&trust)?)?,
            boundary: role
                .permissions_boundary
                .and_then(|boundary| boundary.permissions_boundary_arn),
            attached: BTreeSet::new(),
            inline: BTreeMap::new(),
            instance_profiles: BTreeSet::new(),
            tags: BTreeMap::new(),
        };
        let mut attached =
            iam.list_attached_role_policies().role_name(name).into_paginator().items().send();
        while let Some(policy) = attached.try_next().await? {
            snapshot.attached.extend(policy.policy_arn);
        }
        let mut inline = iam.list_role_policies().role_name(name).into_paginator().items().send();
        while let Some(policy) = inline.try_next().await? {
            let read = iam.get_role_policy().role_name(name).policy_name(&policy).send().await?;
            let document = serde_json::from_str(&decode(&read.policy_document)?)?;
            snapshot.inline.insert(policy, document);
        }
        let mut profiles =
            iam.list_instance_profiles_for_role().role_name(name).into_paginator().items().send();
        while let Some(profile) = profiles.try_next().await? {
            snapshot.instance_profiles.insert(profile.arn);
        }
        let mut tags = iam.list_role_tags().role_name(name).into_paginator().items().send();
        while let Some(tag) = tags.try_next().await? {
            snapshot.tags.insert(tag.key, tag.value);
        }
        Ok(snapshot)
    }
}

/// A role as its account has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleSnapshot {
    /// The ARN, path included.
    pub arn: String,
    /// The unique id.
    pub id: String,
    /// Who may assume it.
    pub trust: Value,
    /// The ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// The ARNs of the attached policies.
    pub attached: BTreeSet<String>,
    /// The inline policies' documents by name.
    pub inline: BTreeMap<String, Value>,
    /// The ARNs of the instance profiles that it is in.
    pub instance_profiles: BTreeSet<String>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

impl From<RoleSnapshot> for Snapshot {
    fn from(role: RoleSnapshot) -> Self {
        let RoleSnapshot { arn, boundary, attached, inline, tags, .. } = role;
        Self { arn, boundary, attached, inline, tags, ..Self::default() }
    }
}

impl RoleSnapshot {
    /// What stands between this role and being contained, in words. Empty when contained.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        let boundary_denies = self.boundary.as_deref() == Some(DENY_ALL);
        if !self.attached.contains(DENY_ALL) && !boundary_denies {
            left.push("no deny".to_owned());
        }
        if !boundary_denies {
            left.push(format!("the boundary {:?}", self.boundary));
        }
        for policy in self.attached.iter().filter(|policy| *policy != DENY_ALL) {
            left.push(format!("attached policy `{policy}`"));
        }
        left.extend(self.inline.keys().map(|name| format!("inline policy `{name}`")));
        left
    }
}
