//! The calls by which an item becomes what it is to be.

use aws_calls::{Answer, if_found};
use aws_sdk_iam::Client;
use aws_sdk_iam::error::BuildError;
use aws_sdk_iam::types::{StatusType, Tag};
use incident::restore::{Item, States};
use incident::{Credential, CredentialKind, Execution, Failure, Kind, Principal, deny_policy};
use member::principal::{Entity, find_same};
use member::{Entry, Grant, Only};

/// Whoever makes changes of one principal.
pub(crate) struct Restorer<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) execution: &'a Execution,
    pub(crate) principal: &'a Principal,
}

/// An action for users, and the one for roles.
type Action = [&'static str; 2];

impl Restorer<'_> {
    /// Makes the item hold `value`, or not be there. Done twice, the second changes nothing. Fails
    /// with [`Failure::PrincipalVanished`], and changes nothing, where the name is another's.
    pub(crate) async fn change(&self, item: &Item, value: Option<&str>) -> Result<(), Failure> {
        match item {
            Item::Group { name } => self.group(name, value.is_some()).await,
            Item::Policy { arn } => self.policy(arn, value.is_some()).await,
            Item::Deny => {
                self.policy(&deny_policy(self.execution.partition()), value.is_some()).await
            }
            Item::Inline { name } => self.inline(name, value).await,
            Item::Credential(credential) => self.credential(credential, value).await,
            Item::Boundary => self.boundary(value).await,
            Item::Tag { key } => self.tags(&[(key, value)]).await,
            Item::Incident => self.tags(&[("SecurityIncident", value)]).await,
        }
    }

    /// Makes tags, all of which come or all of which go, hold what they held before.
    pub(crate) async fn tag(&self, changes: &[&States]) -> Result<(), Failure> {
        let tags: Vec<(&str, Option<&str>)> = changes
            .iter()
            .filter_map(|change| match &change.item {
                Item::Tag { key } => Some((key.as_str(), change.before.as_deref())),
                Item::Incident => Some(("SecurityIncident", change.before.as_deref())),
                _ => None,
            })
            .collect();
        self.tags(&tags).await
    }

    /// A session that may do this to the principal and nothing else, once it is seen to be the
    /// same.
    async fn session(
        &self,
        action: Action,
        only: Option<(&'static str, &str)>,
    ) -> Result<Client, Failure> {
        Ok(self.session_with(action, only).await?.0)
    }

    /// The same, and the principal as it is seen.
    async fn session_with(
        &self,
        action: Action,
        only: Option<(&'static str, &str)>,
    ) -> Result<(Client, Entity), Failure> {
        let partition = self.execution.partition();
        let [of_user, of_role] = action.map(|action| [action]);
        let grant = Grant::on(self.principal, partition, &of_user, &of_role);
        self.enter(grant, only).await
    }

    async fn enter(
        &self,
        grant: Grant<'_>,
        only: Option<(&'static str, &str)>,
    ) -> Result<(Client, Entity), Failure> {
        let partition = self.execution.partition();
        let see = Grant::on(self.principal, partition, &["iam:GetUser"], &["iam:GetRole"]);
        let account = &self.principal.account;
        let iam = match only {
            Some((key, arn)) => {
                let only = Only { grant, key, arn };
                self.entry.enter_only(self.execution, account, &[see], &only).await?
            }
            None => self.entry.enter(self.execution, account, &[see, grant]).await?,
        };
        let seen = find_same(&iam, self.principal).await?;
        Ok((iam, seen))
    }

    async fn group(&self, group: &str, member: bool) -> Result<(), Failure> {
        let Principal { account, name, .. } = self.principal;
        let of = format!("arn:{}:iam::{account}:group", self.execution.partition());
        let action = if member { "iam:AddUserToGroup" } else { "iam:RemoveUserFromGroup" };
        // IAM authorises both on the group, not on the user. Source: Service Authorization
        // Reference, "Actions defined by AWS IAM".
        let resources = vec![format!("{of}/{group}"), format!("{of}/*/{group}")];
        let (iam, _) = self.enter(Grant { actions: &[action], resources }, None).await?;
        if member {
            let add = iam.add_user_to_group().user_name(name).group_name(group);
            return add.send().await.done("iam:AddUserToGroup");
        }
        let remove = iam.remove_user_from_group().user_name(name).group_name(group);
        if_found(remove.send().await.done("iam:RemoveUserFromGroup")).map(drop)
    }

    async fn policy(&self, arn: &str, attached: bool) -> Result<(), Failure> {
        let name = &self.principal.name;
        let only = Some(("iam:PolicyARN", arn));
        match (attached, self.principal.kind) {
            (true, kind) => {
                let iam = self.session(ATTACH, only).await?;
                match kind {
                    Kind::User => {
                        let attach = iam.attach_user_policy().user_name(name).policy_arn(arn);
                        attach.send().await.done("iam:AttachUserPolicy")
                    }
                    Kind::Role => {
                        let attach = iam.attach_role_policy().role_name(name).policy_arn(arn);
                        attach.send().await.done("iam:AttachRolePolicy")
                    }
                }
            }
            (false, kind) => {
                let iam = self.session(DETACH, only).await?;
                let detached = match kind {
                    Kind::User => {
                        let detach = iam.detach_user_policy().user_name(name).policy_arn(arn);
                        detach.send().await.done("iam:DetachUserPolicy")
                    }
                    Kind::Role => {
                        let detach = iam.detach_role_policy().role_name(name).policy_arn(arn);
                        detach.send().await.done("iam:DetachRolePolicy")
                    }
                };
                if_found(detached).map(drop)
            }
        }
    }

    async fn inline(&self, policy: &str, document: Option<&str>) -> Result<(), Failure> {
        let name = &self.principal.name;
        let Some(document) = document else {
            let iam = self.session(DELETE_INLINE, None).await?;
            let deleted = match self.principal.kind {
                Kind::User => {
                    let delete = iam.delete_user_policy().user_name(name).policy_name(policy);
                    delete.send().await.done("iam:DeleteUserPolicy")
                }
                Kind::Role => {
                    let delete = iam.delete_role_policy().role_name(name).policy_name(policy);
                    delete.send().await.done("iam:DeleteRolePolicy")
                }
            };
            return if_found(deleted).map(drop);
        };
        let iam = self.session(PUT_INLINE, None).await?;
        match self.principal.kind {
            Kind::User => {
                let put = iam.put_user_policy().user_name(name).policy_name(policy);
                put.policy_document(document).send().await.done("iam:PutUserPolicy")
            }
            Kind::Role => {
                let put = iam.put_role_policy().role_name(name).policy_name(policy);
                put.policy_document(document).send().await.done("iam:PutRolePolicy")
            }
        }
    }

    async fn boundary(&self, arn: Option<&str>) -> Result<(), Failure> {
        let name = &self.principal.name;
        let Some(arn) = arn else {
            let iam = self.session(DELETE_BOUNDARY, None).await?;
            let deleted = match self.principal.kind {
                Kind::User => {
                    let delete = iam.delete_user_permissions_boundary().user_name(name);
                    delete.send().await.done("iam:DeleteUserPermissionsBoundary")
                }
                Kind::Role => {
                    let delete = iam.delete_role_permissions_boundary().role_name(name);
                    delete.send().await.done("iam:DeleteRolePermissionsBoundary")
                }
            };
            return if_found(deleted).map(drop);
        };
        let iam = self.session(PUT_BOUNDARY, Some(("iam:PermissionsBoundary", arn))).await?;
        match self.principal.kind {
            Kind::User => {
                let put = iam.put_user_permissions_boundary().user_name(name);
                let put = put.permissions_boundary(arn).send().await;
                put.done("iam:PutUserPermissionsBoundary")
            }
            Kind::Role => {
                let put = iam.put_role_permissions_boundary().role_name(name);
                let put = put.permissions_boundary(arn).send().await;
                put.done("iam:PutRolePermissionsBoundary")
            }
        }
    }

    /// No credential comes or goes: a plan never says so.
    async fn credential(
        &self,
        credential: &Credential,
        status: Option<&str>,
    ) -> Result<(), Failure> {
        let status = match status {
            Some("Active") => StatusType::Active,
            Some("Inactive") => StatusType::Inactive,
            other => {
                return Err(Failure::InvalidInput(format!("no status of a credential: {other:?}")));
            }
        };
        let (name, id) = (&self.principal.name, &credential.id);
        let call = match credential.kind {
            CredentialKind::AccessKey => "iam:UpdateAccessKey",
            CredentialKind::SshPublicKey => "iam:UpdateSSHPublicKey",
            CredentialKind::SigningCertificate => "iam:UpdateSigningCertificate",
            CredentialKind::ServiceSpecific => "iam:UpdateServiceSpecificCredential",
        };
        let iam = self.session([call, call], None).await?;
        match credential.kind {
            CredentialKind::AccessKey => {
                let update = iam.update_access_key().user_name(name).access_key_id(id);
                update.status(status).send().await.done(call)
            }
            CredentialKind::SshPublicKey => {
                let update = iam.update_ssh_public_key().user_name(name).ssh_public_key_id(id);
                update.status(status).send().await.done(call)
            }
            CredentialKind::SigningCertificate => {
                let update = iam.update_signing_certificate().user_name(name).certificate_id(id);
                update.status(status).send().await.done(call)
            }
            CredentialKind::ServiceSpecific => {
                let update = iam.update_service_specific_credential().user_name(name);
                let update = update.service_specific_credential_id(id).status(status);
                update.send().await.done(call)
            }
        }
    }

    /// Takes tags away, or else sets them.
    async fn tags(&self, tags: &[(&str, Option<&str>)]) -> Result<(), Failure> {
        let name = &self.principal.name;
        let set: Vec<_> = tags.iter().filter_map(|(key, value)| Some((*key, (*value)?))).collect();
        if set.is_empty() {
            let (iam, seen) = self.session_with(UNTAG, None).await?;
            let there = tags.iter().filter(|(key, _)| seen.tags.contains_key(*key));
            let keys: Vec<_> = there.map(|(key, _)| (*key).to_owned()).collect();
            if keys.is_empty() {
                // Without the tag that marks it, IAM would refuse what is done already.
                return Ok(());
            }
            let keys = Some(keys);
            return match self.principal.kind {
                Kind::User => {
                    let untag = iam.untag_user().user_name(name).set_tag_keys(keys);
                    untag.send().await.done("iam:UntagUser")
                }
                Kind::Role => {
                    let untag = iam.untag_role().role_name(name).set_tag_keys(keys);
                    untag.send().await.done("iam:UntagRole")
                }
            };
        }
        let set = set.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let set = set.collect::<Result<_, BuildError>>();
        let set = Some(set.map_err(|error| Failure::InvalidInput(error.to_string()))?);
        let iam = self.session(TAG, None).await?;
        match self.principal.kind {
            Kind::User => {
                let tag = iam.tag_user().user_name(name).set_tags(set);
                tag.send().await.done("iam:TagUser")
            }
            Kind::Role => {
                let tag = iam.tag_role().role_name(name).set_tags(set);
                tag.send().await.done("iam:TagRole")
            }
        }
    }
}

const ATTACH: Action = ["iam:AttachUserPolicy", "iam:AttachRolePolicy"];
const DETACH: Action = ["iam:DetachUserPolicy", "iam:DetachRolePolicy"];
const PUT_INLINE: Action = ["iam:PutUserPolicy", "iam:PutRolePolicy"];
const DELETE_INLINE: Action = ["iam:DeleteUserPolicy", "iam:DeleteRolePolicy"];
const PUT_BOUNDARY: Action = ["iam:PutUserPermissionsBoundary", "iam:PutRolePermissionsBoundary"];
const DELETE_BOUNDARY: Action =
    ["iam:DeleteUserPermissionsBoundary", "iam:DeleteRolePermissionsBoundary"];
const TAG: Action = ["iam:TagUser", "iam:TagRole"];
const UNTAG: Action = ["iam:UntagUser", "iam:UntagRole"];
