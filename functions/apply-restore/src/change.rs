//! The calls by which an item becomes what it is to be.

use aws_calls::if_found;
use aws_sdk_iam::Client;
use aws_sdk_iam::error::BuildError;
use aws_sdk_iam::types::{StatusType, Tag};
use incident::restore::Item;
use incident::{Credential, Execution, Failure, Principal, deny_policy};
use member::change;
use member::deny::is_denied_by_boundary;
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
            Item::Tag { .. } | Item::Incident => {
                let tag = item.tag_key().map(|key| (key, value));
                self.tags(tag.as_slice()).await
            }
        }
    }

    /// Fails with [`Failure::AccountChanged`] unless the boundary is the deny.
    pub(crate) async fn expect_boundary(&self) -> Result<(), Failure> {
        let partition = self.execution.partition();
        let see = Grant::on(self.principal, partition, &["iam:GetUser"], &["iam:GetRole"]);
        let iam = self.entry.enter(self.execution, &self.principal.account, &[see]).await?;
        let seen = find_same(&iam, self.principal).await?;
        if is_denied_by_boundary(partition, seen.boundary.as_deref()) {
            return Ok(());
        }
        Err(Failure::AccountChanged("`boundary`".to_owned()))
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
        let of =
            format!("arn:{}:iam::{}:group", self.execution.partition(), self.principal.account);
        let action = if member { "iam:AddUserToGroup" } else { "iam:RemoveUserFromGroup" };
        // IAM authorises both on the group, not on the user. Source: Service Authorization
        // Reference, "Actions defined by AWS IAM".
        let resources = vec![format!("{of}/{group}"), format!("{of}/*/{group}")];
        let (iam, _) = self.enter(Grant { actions: &[action], resources }, None).await?;
        if member {
            return change::join(&iam, self.principal, group).await;
        }
        if_found(change::leave(&iam, self.principal, group).await).map(drop)
    }

    async fn policy(&self, arn: &str, attached: bool) -> Result<(), Failure> {
        let only = Some(("iam:PolicyARN", arn));
        if attached {
            let iam = self.session(ATTACH, only).await?;
            return change::attach(&iam, self.principal, arn).await;
        }
        let iam = self.session(DETACH, only).await?;
        if_found(change::detach(&iam, self.principal, arn).await).map(drop)
    }

    async fn inline(&self, policy: &str, document: Option<&str>) -> Result<(), Failure> {
        if let Some(document) = document {
            let iam = self.session(PUT_INLINE, None).await?;
            return change::put_inline(&iam, self.principal, policy, document).await;
        }
        let iam = self.session(DELETE_INLINE, None).await?;
        if_found(change::delete_inline(&iam, self.principal, policy).await).map(drop)
    }

    async fn boundary(&self, arn: Option<&str>) -> Result<(), Failure> {
        if let Some(arn) = arn {
            let iam = self.session(PUT_BOUNDARY, Some(("iam:PermissionsBoundary", arn))).await?;
            return change::bound(&iam, self.principal, arn).await;
        }
        let iam = self.session(DELETE_BOUNDARY, None).await?;
        if_found(change::unbound(&iam, self.principal).await).map(drop)
    }

    /// No credential comes or goes: a plan never says so.
    async fn credential(
        &self,
        Credential { kind, id }: &Credential,
        status: Option<&str>,
    ) -> Result<(), Failure> {
        let status = match status {
            Some("Active") => StatusType::Active,
            Some("Inactive") => StatusType::Inactive,
            other => {
                return Err(Failure::InvalidInput(format!("no status of a credential: {other:?}")));
            }
        };
        let call = change::update_of(*kind);
        let iam = self.session([call, call], None).await?;
        change::set_status(&iam, &self.principal.name, *kind, id, status).await
    }

    /// Takes tags away, or else sets them: all of them come, or all of them go.
    pub(crate) async fn tags(&self, tags: &[(&str, Option<&str>)]) -> Result<(), Failure> {
        let set: Vec<_> = tags.iter().filter_map(|(key, value)| Some((*key, (*value)?))).collect();
        if set.is_empty() {
            let keys = tags.iter().map(|(key, _)| *key).collect::<Vec<_>>();
            return self.untag(&keys).await;
        }
        let set = set.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let set = set.collect::<Result<_, BuildError>>();
        let set = set.map_err(|error| Failure::InvalidInput(error.to_string()))?;
        let iam = self.session(TAG, None).await?;
        change::tag(&iam, self.principal, set).await
    }

    /// Takes tags away. Without the one that marks the principal, IAM refuses what is done already:
    /// in a later attempt, and in the SDK's own where an answer was lost.
    async fn untag(&self, keys: &[&str]) -> Result<(), Failure> {
        let (iam, seen) = self.session_with(UNTAG, None).await?;
        let there = |seen: &Entity| {
            let there = keys.iter().filter(|key| seen.tags.contains_key(**key));
            there.map(|key| (*key).to_owned()).collect::<Vec<_>>()
        };
        let keys = there(&seen);
        if keys.is_empty() {
            return Ok(());
        }
        let result = change::untag(&iam, self.principal, keys).await;
        if matches!(result, Err(Failure::AccessDenied { .. }))
            && there(&find_same(&iam, self.principal).await?).is_empty()
        {
            return Ok(());
        }
        result
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
