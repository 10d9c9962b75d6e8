//! IAM users in member accounts: how a test makes them, and how they are read back.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use aws_credential_types::Credentials;
use aws_sdk_iam::error::SdkError;
use aws_sdk_iam::operation::get_user::GetUserError;
use aws_sdk_iam::types::{StatusType, Tag};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::clients::Clients;
use crate::local_aws::LocalAws;

/// AWS's policy for administrators.
pub const ADMINISTRATOR_ACCESS: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
/// AWS's policy that denies everything: what Quarantine attaches.
pub const DENY_ALL: &str = "arn:aws:iam::aws:policy/AWSDenyAll";

/// A public key that nobody has the private half of.
const SSH_PUBLIC_KEY: &str = include_str!("../material/ssh-public-key.pub");
/// A certificate that nobody has the private key of.
const SIGNING_CERTIFICATE: &str = include_str!("../material/signing-certificate.pem");

/// A policy document that allows everything.
pub fn allow_all() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }],
    })
}

/// A user to be.
#[must_use]
pub struct NewUser<'a> {
    aws: &'a LocalAws,
    account: String,
    name: String,
    path: String,
    boundary: Option<String>,
}

impl<'a> NewUser<'a> {
    pub(crate) fn new(aws: &'a LocalAws, account: &str) -> Self {
        Self {
            aws,
            account: account.to_owned(),
            name: aws.unique("user"),
            path: "/".to_owned(),
            boundary: None,
        }
    }

    /// In another account.
    pub fn account(mut self, account: &str) -> Self {
        account.clone_into(&mut self.account);
        self
    }

    /// With a name of the caller's choice.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// With a path, which begins and ends with a slash.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// With a permissions boundary.
    pub fn boundary(mut self, policy_arn: impl Into<String>) -> Self {
        self.boundary = Some(policy_arn.into());
        self
    }

    /// Makes the user, with nothing attached.
    pub async fn create(self) -> Result<User> {
        let clients = self.aws.account(&self.account);
        let created = clients
            .iam()
            .create_user()
            .user_name(&self.name)
            .path(&self.path)
            .set_permissions_boundary(self.boundary)
            .send()
            .await
            .with_context(|| format!("cannot create the user `{}`", self.name))?
            .user
            .context("IAM created no user")?;
        Ok(User {
            endpoint: self.aws.url().to_owned(),
            suffix: self.aws.suffix(),
            clients,
            account: self.account,
            name: self.name,
            arn: created.arn,
            id: created.user_id,
        })
    }
}

/// A user that a test made.
#[derive(Clone, Debug)]
pub struct User {
    endpoint: String,
    suffix: String,
    clients: Clients,
    /// The account it is in.
    pub account: String,
    /// Its name, without the path.
    pub name: String,
    /// Its ARN, path included.
    pub arn: String,
    /// The id that no other user ever has.
    pub id: String,
}

/// An access key with its secret.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The part that may be seen.
    pub id: String,
    /// The part that may not.
    pub secret: String,
}

/// A session of a user's, with all that its credentials consist of.
#[derive(Clone, Debug)]
pub struct Session {
    /// Clients that use it.
    pub clients: Clients,
    /// Its secret access key.
    pub secret: String,
    /// Its session token.
    pub token: String,
}

impl User {
    /// Clients of its account's root.
    pub fn account_root(&self) -> &Clients {
        &self.clients
    }

    /// Attaches a managed policy.
    pub async fn attach(&self, policy_arn: &str) -> Result<()> {
        self.clients
            .iam()
            .attach_user_policy()
            .user_name(&self.name)
            .policy_arn(policy_arn)
            .send()
            .await
            .with_context(|| format!("cannot attach `{policy_arn}` to `{}`", self.name))?;
        Ok(())
    }

    /// Makes managed policies of the account's own and attaches them. Returns their ARNs.
    pub async fn attach_new(&self, number: usize) -> Result<Vec<String>> {
        let mut arns = Vec::new();
        for count in 1..=number {
            let arn = self
                .clients
                .iam()
                .create_policy()
                .policy_name(format!("policy-{count}-{}", self.suffix))
                .policy_document(allow_all().to_string())
                .send()
                .await
                .context("cannot create a policy")?
                .policy
                .and_then(|policy| policy.arn)
                .context("IAM created no policy")?;
            self.attach(&arn).await?;
            arns.push(arn);
        }
        Ok(arns)
    }

    /// Gives it an inline policy.
    pub async fn put_inline(&self, name: &str, document: &Value) -> Result<()> {
        self.clients
            .iam()
            .put_user_policy()
            .user_name(&self.name)
            .policy_name(name)
            .policy_document(document.to_string())
            .send()
            .await
            .with_context(|| format!("cannot give `{}` an inline policy", self.name))?;
        Ok(())
    }

    /// Puts it into a new group that has a policy attached. Returns the group's name.
    pub async fn join_new_group(&self, kind: &str, policy_arn: &str) -> Result<String> {
        let iam = self.clients.iam();
        let group = format!("{kind}-{}", self.suffix);
        iam.create_group()
            .group_name(&group)
            .send()
            .await
            .with_context(|| format!("cannot create the group `{group}`"))?;
        iam.attach_group_policy()
            .group_name(&group)
            .policy_arn(policy_arn)
            .send()
            .await
            .with_context(|| format!("cannot attach `{policy_arn}` to `{group}`"))?;
        iam.add_user_to_group()
            .group_name(&group)
            .user_name(&self.name)
            .send()
            .await
            .with_context(|| format!("cannot put `{}` into `{group}`", self.name))?;
        Ok(group)
    }

    /// Makes an access key.
    pub async fn access_key(&self) -> Result<AccessKey> {
        let key = self
            .clients
            .iam()
            .create_access_key()
            .user_name(&self.name)
            .send()
            .await
            .with_context(|| format!("cannot make an access key for `{}`", self.name))?
            .access_key
            .context("IAM made no access key")?;
        Ok(AccessKey { id: key.access_key_id, secret: key.secret_access_key })
    }

    /// Makes an access key inactive.
    pub async fn deactivate(&self, key: &str) -> Result<()> {
        let update = self.clients.iam().update_access_key().user_name(&self.name);
        let update = update.access_key_id(key).status(StatusType::Inactive).send().await;
        update.map(drop).with_context(|| format!("cannot make `{key}` inactive"))
    }

    /// Uploads an SSH public key. Returns its id.
    pub async fn ssh_key(&self) -> Result<String> {
        let uploaded = self
            .clients
            .iam()
            .upload_ssh_public_key()
            .user_name(&self.name)
            .ssh_public_key_body(SSH_PUBLIC_KEY.trim())
            .send()
            .await
            .with_context(|| format!("cannot give `{}` an SSH key", self.name))?;
        let key = uploaded.ssh_public_key.context("IAM kept no SSH key")?;
        Ok(key.ssh_public_key_id)
    }

    /// Uploads a signing certificate. Returns its id.
    pub async fn signing_certificate(&self) -> Result<String> {
        let uploaded = self
            .clients
            .iam()
            .upload_signing_certificate()
            .user_name(&self.name)
            .certificate_body(SIGNING_CERTIFICATE)
            .send()
            .await
            .with_context(|| format!("cannot give `{}` a certificate", self.name))?;
        let certificate = uploaded.certificate.context("IAM kept no certificate")?;
        Ok(certificate.certificate_id)
    }

    /// Makes a password for one service. Returns the credential's id.
    pub async fn service_specific_credential(&self, service: &str) -> Result<String> {
        let made = self
            .clients
            .iam()
            .create_service_specific_credential()
            .user_name(&self.name)
            .service_name(service)
            .send()
            .await
            .with_context(|| format!("cannot give `{}` a password for `{service}`", self.name))?;
        let credential =
            made.service_specific_credential.context("IAM made no service-specific credential")?;
        Ok(credential.service_specific_credential_id)
    }

    /// Tags it.
    pub async fn tag(&self, key: &str, value: &str) -> Result<()> {
        self.clients
            .iam()
            .tag_user()
            .user_name(&self.name)
            .tags(Tag::builder().key(key).value(value).build()?)
            .send()
            .await
            .with_context(|| format!("cannot tag `{}`", self.name))?;
        Ok(())
    }

    /// Clients that use one of its access keys.
    pub fn with_key(&self, key: &AccessKey) -> Clients {
        let credentials = Credentials::new(&key.id, &key.secret, None, None, "access key");
        Clients::with(&self.endpoint, credentials)
    }

    /// A session of its own, which its key's end alone would not end.
    pub async fn session(&self, key: &AccessKey) -> Result<Session> {
        let made = self
            .with_key(key)
            .sts()
            .get_session_token()
            .send()
            .await
            .with_context(|| format!("`{}` gets no session", self.name))?
            .credentials
            .context("STS gave no credentials")?;
        let credentials = Credentials::new(
            &made.access_key_id,
            &made.secret_access_key,
            Some(made.session_token.clone()),
            None,
            "session",
        );
        Ok(Session {
            clients: Clients::with(&self.endpoint, credentials),
            secret: made.secret_access_key,
            token: made.session_token,
        })
    }

    /// Gives it another name. Its unique id and its keys stay.
    pub async fn rename(&mut self, name: impl Into<String>) -> Result<()> {
        let (old, new) = (self.name.clone(), name.into());
        let update = self.clients.iam().update_user().user_name(&old).new_user_name(&new);
        update.send().await.with_context(|| format!("cannot rename `{old}`"))?;
        self.arn = format!("{}{new}", self.arn.strip_suffix(&old).unwrap_or_default());
        self.name = new;
        Ok(())
    }

    /// The same user, found by its unique id, whatever its name and its path are now.
    pub async fn found_by_id(&self) -> Result<Self> {
        let mut users = self.clients.iam().list_users().into_paginator().items().send();
        while let Some(user) = users.try_next().await? {
            if user.user_id == self.id {
                return Ok(Self { name: user.user_name, arn: user.arn, ..self.clone() });
            }
        }
        bail!("no user has the id `{}`", self.id)
    }

    /// The user as its account has it now.
    pub async fn read_back(&self) -> Result<Snapshot> {
        Snapshot::of(&self.clients, &self.name)
            .await
            .with_context(|| format!("cannot read `{}` back", self.name))
    }
}

impl LocalAws {
    /// As if so many days had passed for a user's access keys, their last use and its password.
    pub async fn age(&self, user: &User, days: u32) -> Result<()> {
        let aged = json!({ "account": user.account, "userName": user.name, "days": days });
        self.beyond_aws().post("/_local/iam/age", &aged).await?;
        Ok(())
    }

    /// A user as its account has it now, if there is one of that name.
    pub async fn user_if_any(&self, account: &str, name: &str) -> Result<Option<Snapshot>> {
        let none = |error: &anyhow::Error| {
            let error = error.downcast_ref::<GetUserError>();
            error.is_some_and(GetUserError::is_no_such_entity_exception)
        };
        match Snapshot::of(&self.account(account), name).await {
            Err(error) if none(&error) => Ok(None),
            user => user.map(Some),
        }
    }

    /// Deletes a user with all that IAM wants deleted first, if there is such a user.
    /// It must have no other credentials than access keys.
    pub async fn remove_user(&self, account: &str, name: &str) -> Result<()> {
        let clients = self.account(account);
        let iam = clients.iam();
        let Some(user) = self.user_if_any(account, name).await? else { return Ok(()) };
        for arn in user.attached {
            let request = iam.detach_user_policy().user_name(name).policy_arn(arn);
            request.send().await?;
        }
        for policy in user.inline.into_keys() {
            let request = iam.delete_user_policy().user_name(name).policy_name(policy);
            request.send().await?;
        }
        for group in user.groups {
            let request = iam.remove_user_from_group().user_name(name).group_name(group);
            request.send().await?;
        }
        for key in user.credentials.into_keys() {
            let request = iam.delete_access_key().user_name(name).access_key_id(key);
            request.send().await?;
        }
        iam.delete_user().user_name(name).send().await?;
        Ok(())
    }
}

/// A user as its account has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The ARN, path included.
    pub arn: String,
    /// The ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// The ARNs of the attached policies.
    pub attached: BTreeSet<String>,
    /// The inline policies' documents by name.
    pub inline: BTreeMap<String, Value>,
    /// The names of its groups.
    pub groups: BTreeSet<String>,
    /// Every credential with a status, by id.
    pub credentials: BTreeMap<String, String>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

impl Snapshot {
    async fn of(clients: &Clients, name: &str) -> Result<Self> {
        let iam = clients.iam();
        let user = iam
            .get_user()
            .user_name(name)
            .send()
            .await
            .map_err(SdkError::into_service_error)?
            .user
            .context("IAM returned no user")?;
        let mut snapshot = Self {
            arn: user.arn,
            boundary: user
                .permissions_boundary
                .and_then(|boundary| boundary.permissions_boundary_arn),
            attached: BTreeSet::new(),
            inline: BTreeMap::new(),
            groups: BTreeSet::new(),
            credentials: BTreeMap::new(),
            tags: BTreeMap::new(),
        };
        snapshot.read_privileges(&iam, name).await?;
        snapshot.read_credentials(&iam, name).await?;
        let mut tags = iam.list_user_tags().user_name(name).into_paginator().items().send();
        while let Some(tag) = tags.try_next().await? {
            snapshot.tags.insert(tag.key, tag.value);
        }
        Ok(snapshot)
    }

    async fn read_privileges(&mut self, iam: &aws_sdk_iam::Client, name: &str) -> Result<()> {
        let mut attached =
            iam.list_attached_user_policies().user_name(name).into_paginator().items().send();
        while let Some(policy) = attached.try_next().await? {
            self.attached.extend(policy.policy_arn);
        }
        let mut inline = iam.list_user_policies().user_name(name).into_paginator().items().send();
        while let Some(policy) = inline.try_next().await? {
            let read = iam.get_user_policy().user_name(name).policy_name(&policy).send().await?;
            let document = serde_json::from_str(&decode(&read.policy_document)?)?;
            self.inline.insert(policy, document);
        }
        let mut groups = iam.list_groups_for_user().user_name(name).into_paginator().items().send();
        while let Some(group) = groups.try_next().await? {
            self.groups.insert(group.group_name);
        }
        Ok(())
    }

    async fn read_credentials(&mut self, iam: &aws_sdk_iam::Client, name: &str) -> Result<()> {
        let credentials = &mut self.credentials;
        let mut keys = iam.list_access_keys().user_name(name).into_paginator().items().send();
        while let Some(key) = keys.try_next().await? {
            credentials.insert(
                key.access_key_id.context("an access key has no id")?,
                key.status.context("an access key has no status")?.to_string(),
            );
        }
        let mut keys = iam.list_ssh_public_keys().user_name(name).into_paginator().items().send();
        while let Some(key) = keys.try_next().await? {
            credentials.insert(key.ssh_public_key_id, key.status.to_string());
        }
        let mut certificates =
            iam.list_signing_certificates().user_name(name).into_paginator().items().send();
        while let Some(certificate) = certificates.try_next().await? {
            credentials.insert(certificate.certificate_id, certificate.status.to_string());
        }
        let passwords = iam.list_service_specific_credentials().user_name(name).send().await?;
        for password in passwords.service_specific_credentials.unwrap_or_default() {
            credentials
                .insert(password.service_specific_credential_id, password.status.to_string());
        }
        Ok(())
    }

    /// What stands between this user and being contained, in words. Empty when contained.
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
        left.extend(self.groups.iter().map(|name| format!("group `{name}`")));
        for (id, status) in &self.credentials {
            if status != "Inactive" {
                left.push(format!("credential `{id}` is {status}"));
            }
        }
        left
    }
}

/// Undoes the URL encoding that IAM returns policy documents in.
pub fn decode(encoded: &str) -> Result<String> {
    let decoded = percent_encoding::percent_decode_str(encoded).decode_utf8()?;
    Ok(decoded.into_owned())
}
