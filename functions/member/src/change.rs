//! The calls by which a principal is changed. Each names it by its name: whoever calls has seen
//! that this still is the principal's. Done twice, the second changes nothing.

use aws_calls::Answer;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::{StatusType, Tag};
use incident::{CredentialKind, Failure, Kind, Principal};

/// Attaches the managed policy.
pub async fn attach(iam: &Client, principal: &Principal, arn: &str) -> Result<(), Failure> {
    let name = &principal.name;
    match principal.kind {
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

/// Detaches the managed policy, or fails with [`Failure::NotFound`] where it is not attached.
pub async fn detach(iam: &Client, principal: &Principal, arn: &str) -> Result<(), Failure> {
    let name = &principal.name;
    match principal.kind {
        Kind::User => {
            let detach = iam.detach_user_policy().user_name(name).policy_arn(arn);
            detach.send().await.done("iam:DetachUserPolicy")
        }
        Kind::Role => {
            let detach = iam.detach_role_policy().role_name(name).policy_arn(arn);
            detach.send().await.done("iam:DetachRolePolicy")
        }
    }
}

/// Puts the inline policy there, byte for byte.
pub async fn put_inline(
    iam: &Client,
    principal: &Principal,
    policy: &str,
    document: &str,
) -> Result<(), Failure> {
    let name = &principal.name;
    match principal.kind {
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

/// Deletes the inline policy, or fails with [`Failure::NotFound`] where there is none.
pub async fn delete_inline(
    iam: &Client,
    principal: &Principal,
    policy: &str,
) -> Result<(), Failure> {
    let name = &principal.name;
    match principal.kind {
        Kind::User => {
            let delete = iam.delete_user_policy().user_name(name).policy_name(policy);
            delete.send().await.done("iam:DeleteUserPolicy")
        }
        Kind::Role => {
            let delete = iam.delete_role_policy().role_name(name).policy_name(policy);
            delete.send().await.done("iam:DeleteRolePolicy")
        }
    }
}

/// Sets the permissions boundary.
pub async fn bound(iam: &Client, principal: &Principal, arn: &str) -> Result<(), Failure> {
    let name = &principal.name;
    match principal.kind {
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

/// Deletes the permissions boundary, or fails with [`Failure::NotFound`] where there is none.
pub async fn unbound(iam: &Client, principal: &Principal) -> Result<(), Failure> {
    let name = &principal.name;
    match principal.kind {
        Kind::User => {
            let delete = iam.delete_user_permissions_boundary().user_name(name);
            delete.send().await.done("iam:DeleteUserPermissionsBoundary")
        }
        Kind::Role => {
            let delete = iam.delete_role_permissions_boundary().role_name(name);
            delete.send().await.done("iam:DeleteRolePermissionsBoundary")
        }
    }
}

/// Sets tags; others stay.
pub async fn tag(iam: &Client, principal: &Principal, tags: Vec<Tag>) -> Result<(), Failure> {
    let name = &principal.name;
    match principal.kind {
        Kind::User => {
            let tag = iam.tag_user().user_name(name).set_tags(Some(tags));
            tag.send().await.done("iam:TagUser")
        }
        Kind::Role => {
            let tag = iam.tag_role().role_name(name).set_tags(Some(tags));
            tag.send().await.done("iam:TagRole")
        }
    }
}

/// Takes tags away.
pub async fn untag(iam: &Client, principal: &Principal, keys: Vec<String>) -> Result<(), Failure> {
    let name = &principal.name;
    match principal.kind {
        Kind::User => {
            let untag = iam.untag_user().user_name(name).set_tag_keys(Some(keys));
            untag.send().await.done("iam:UntagUser")
        }
        Kind::Role => {
            let untag = iam.untag_role().role_name(name).set_tag_keys(Some(keys));
            untag.send().await.done("iam:UntagRole")
        }
    }
}

/// Puts the user into the group.
pub async fn join(iam: &Client, user: &Principal, group: &str) -> Result<(), Failure> {
    let add = iam.add_user_to_group().user_name(&user.name).group_name(group);
    add.send().await.done("iam:AddUserToGroup")
}

/// Takes the user out of the group, or fails with [`Failure::NotFound`] where it is not in it.
pub async fn leave(iam: &Client, user: &Principal, group: &str) -> Result<(), Failure> {
    let removal = iam.remove_user_from_group().user_name(&user.name).group_name(group);
    removal.send().await.done("iam:RemoveUserFromGroup")
}

/// Sets the status of a credential. Always names the user: without it these calls change the
/// caller's own credentials.
///
/// Source: IAM API Reference, `UpdateAccessKey` (`UserName`).
pub async fn set_status(
    iam: &Client,
    user: &str,
    kind: CredentialKind,
    id: &str,
    status: StatusType,
) -> Result<(), Failure> {
    let call = update_of(kind);
    match kind {
        CredentialKind::AccessKey => {
            let update = iam.update_access_key().user_name(user).access_key_id(id);
            update.status(status).send().await.done(call)
        }
        CredentialKind::SshPublicKey => {
            let update = iam.update_ssh_public_key().user_name(user).ssh_public_key_id(id);
            update.status(status).send().await.done(call)
        }
        CredentialKind::SigningCertificate => {
            let update = iam.update_signing_certificate().user_name(user).certificate_id(id);
            update.status(status).send().await.done(call)
        }
        CredentialKind::ServiceSpecific => {
            let update = iam.update_service_specific_credential().user_name(user);
            let update = update.service_specific_credential_id(id).status(status);
            update.send().await.done(call)
        }
    }
}

/// The call that sets the status of such a credential.
#[must_use]
pub fn update_of(kind: CredentialKind) -> &'static str {
    match kind {
        CredentialKind::AccessKey => "iam:UpdateAccessKey",
        CredentialKind::SshPublicKey => "iam:UpdateSSHPublicKey",
        CredentialKind::SigningCertificate => "iam:UpdateSigningCertificate",
        CredentialKind::ServiceSpecific => "iam:UpdateServiceSpecificCredential",
    }
}
