use std::collections::BTreeMap;

use aws_calls::if_found;
use aws_sdk_iam::Client;
use futures::{FutureExt, join, try_join};
use incident::{Execution, Failure, Holdings, InlinePolicy, Kind, Principal, hex_digest, is_kept};
use member::credential::{self, Credential, CredentialKind};
use member::policy::{
    Version, attached_policies, default_version, inline_document, inline_policies,
};
use member::principal::{find_same, instance_profiles, vanished};
use member::{Entry, Grant, concurrently, group, user};
use serde::{Deserialize, Serialize};

use crate::assumable;

const OF_THE_USER: &[&str] = &[
    "iam:GetUser",
    "iam:ListAttachedUserPolicies",
    "iam:ListUserPolicies",
    "iam:GetUserPolicy",
    "iam:ListGroupsForUser",
    "iam:ListAccessKeys",
    "iam:GetAccessKeyLastUsed",
    "iam:ListSSHPublicKeys",
    "iam:ListSigningCertificates",
    "iam:ListServiceSpecificCredentials",
    "iam:GetLoginProfile",
    "iam:ListMFADevices",
];
const OF_THE_ROLE: &[&str] = &[
    "iam:GetRole",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:GetRolePolicy",
    "iam:ListInstanceProfilesForRole",
];
pub(crate) const OF_GROUPS: &[&str] =
    &["iam:ListAttachedGroupPolicies", "iam:ListGroupPolicies", "iam:GetGroupPolicy"];
pub(crate) const OF_POLICIES: &[&str] = &["iam:GetPolicy", "iam:GetPolicyVersion"];

/// The principal as it is now. Times are RFC 3339; documents are as their authors wrote
/// them. What only users or only roles have is empty for the others.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Snapshot {
    kind: Kind,
    arn: String,
    name: String,
    path: String,
    pub(crate) id: String,
    created: String,
    password_last_used: Option<String>,
    pub(crate) boundary: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) attached_policies: Vec<String>,
    /// The default versions of the customer-managed ones among the attached policies, the
    /// principal's and its groups', and of its boundary.
    customer_policies: Versions,
    pub(crate) inline_policies: Vec<Inline>,
    trust_policy: Option<String>,
    instance_profiles: Vec<String>,
    pub(crate) groups: Vec<Group>,
    credentials: Vec<Used>,
    login_profile: Option<LoginProfile>,
    mfa_devices: Vec<MfaDevice>,
    /// `Resource` patterns for which a policy of the principal or of its groups allows
    /// `sts:AssumeRole`.
    pub(crate) assumable_roles: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PolicyVersion {
    version: String,
    document: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Inline {
    pub(crate) name: String,
    pub(crate) document: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    pub(crate) name: String,
    attached_policies: Vec<String>,
    inline_policies: Vec<Inline>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    #[serde(flatten)]
    credential: Credential,
    last_used: Option<LastUsed>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct LastUsed {
    date: String,
    service: String,
    region: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginProfile {
    created: String,
    password_reset_required: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MfaDevice {
    serial_number: String,
    enabled: String,
}

impl From<Inline> for InlinePolicy {
    fn from(policy: Inline) -> Self {
        Self { sha256: hex_digest(policy.document.as_bytes()), name: policy.name }
    }
}

/// What only users have.
#[derive(Default)]
struct OfUser {
    groups: Vec<Group>,
    group_policies: Versions,
    credentials: Vec<Used>,
    login_profile: Option<LoginProfile>,
    mfa_devices: Vec<MfaDevice>,
}

impl Snapshot {
    /// Reads the principal and all that hangs on it, each list to its last page. Fails with
    /// [`Failure::PrincipalVanished`] where it is not the one that was identified, before or
    /// after the lists were read.
    pub(crate) async fn read(
        entry: &Entry,
        execution: &Execution,
        principal: &Principal,
    ) -> Result<Self, Failure> {
        let (partition, account) = (execution.partition(), &principal.account);
        let all = |kind| vec![format!("arn:{partition}:iam::{account}:{kind}/*")];
        let policies = vec![format!("arn:{partition}:iam::*:policy/*")];
        let grants = [
            Grant::on(principal, partition, OF_THE_USER, OF_THE_ROLE),
            Grant { actions: OF_GROUPS, resources: all("group") },
            Grant { actions: OF_POLICIES, resources: policies },
        ];
        let iam = &entry.enter(execution, account, &grants).await?;
        let (kind, name) = (principal.kind, principal.name.as_str());
        let lists = async {
            try_join!(
                attached(iam, kind, name).boxed_local(),
                inline(iam, kind, name).boxed_local(),
                of_user(iam, kind, name).boxed_local(),
                of_role(iam, kind, name),
            )
        };
        let found = async {
            let found = find_same(iam, principal).await?;
            let boundary = of_boundary(iam, partition, found.boundary.as_deref()).await?;
            Ok((found, boundary))
        };
        // Whichever answer comes first, that the principal has vanished is what counts.
        let (found, lists) = join!(found, lists);
        let ((found, boundary), lists) =
            (found?, lists.map_err(|failure| vanished(failure, principal))?);
        let ((attached_policies, mut versions), inline_policies, of_user, instance_profiles) =
            lists;
        // The lists are read by name: they are the principal's if the name still is.
        find_same(iam, principal).await?;
        let OfUser { groups, group_policies, credentials, login_profile, mfa_devices } = of_user;
        versions.extend(group_policies);
        let in_groups = groups.iter().flat_map(|group| &group.inline_policies);
        let inline = inline_policies.iter().chain(in_groups).map(|policy| &policy.document);
        let documents = versions.values().map(|version| &version.document).chain(inline);
        let mut assumable_roles: Vec<String> =
            documents.flat_map(|document| assumable::roles(document)).collect();
        assumable_roles.sort();
        assumable_roles.dedup();
        versions.retain(|arn, _| !is_by_aws(partition, arn));
        versions.extend(boundary);
        Ok(Self {
            kind,
            arn: found.arn,
            name: found.name,
            path: found.path,
            id: found.id,
            created: found.created,
            password_last_used: found.password_last_used,
            boundary: found.boundary,
            tags: found.tags,
            attached_policies,
            customer_policies: versions,
            inline_policies,
            trust_policy: found.trust_policy,
            instance_profiles,
            groups,
            credentials,
            login_profile,
            mfa_devices,
            assumable_roles,
        })
    }

    pub(crate) fn has_console_password(&self) -> bool {
        self.login_profile.is_some()
    }
}

/// What snapshots hold together that a containment takes away.
pub(crate) fn holdings<'a>(
    snapshots: impl IntoIterator<Item = &'a Snapshot>,
    partition: &str,
) -> Holdings {
    let all: Vec<_> = snapshots.into_iter().collect();
    let credentials = all.iter().flat_map(|one| &one.credentials);
    let policies = all.iter().flat_map(|one| &one.attached_policies);
    let inline = all.iter().flat_map(|one| &one.inline_policies);
    let groups = all.iter().flat_map(|one| &one.groups);
    Holdings {
        credentials: credentials
            .filter(|one| one.credential.active)
            .map(|one| one.credential.named())
            .collect(),
        policies: policies.filter(|policy| !is_kept(partition, policy)).cloned().collect(),
        inline_policies: inline.map(|policy| policy.name.clone()).collect(),
        groups: groups.map(|group| group.name.clone()).collect(),
    }
}

type Versions = BTreeMap<String, PolicyVersion>;

/// Whether AWS writes the policy.
fn is_by_aws(partition: &str, arn: &str) -> bool {
    arn.starts_with(&format!("arn:{partition}:iam::aws:"))
}

/// What a boundary of the customer's says: it allows nothing by itself.
async fn of_boundary(
    iam: &Client,
    partition: &str,
    arn: Option<&str>,
) -> Result<Option<(String, PolicyVersion)>, Failure> {
    let Some(arn) = arn.filter(|arn| !is_by_aws(partition, arn)) else { return Ok(None) };
    let version = if_found(version(iam, arn).await)?;
    Ok(version.map(|version| (arn.to_owned(), version)))
}

async fn attached(
    iam: &Client,
    kind: Kind,
    name: &str,
) -> Result<(Vec<String>, Versions), Failure> {
    let arns = attached_policies(iam, kind, name).await?;
    let versions = versions(iam, &arns).await?;
    Ok((arns, versions))
}

async fn versions(iam: &Client, arns: &[String]) -> Result<Versions, Failure> {
    let versions = arns.iter().map(async |arn| Ok((arn.clone(), version(iam, arn).await?)));
    Ok(concurrently(versions).await?.into_iter().collect())
}

pub(crate) async fn version(iam: &Client, arn: &str) -> Result<PolicyVersion, Failure> {
    let Version { id, document } = default_version(iam, arn).await?;
    Ok(PolicyVersion { version: id, document })
}

async fn inline(iam: &Client, kind: Kind, name: &str) -> Result<Vec<Inline>, Failure> {
    let names = inline_policies(iam, kind, name).await?;
    let documents = names.into_iter().map(async |policy| {
        let document = inline_document(iam, kind, name, &policy).await?;
        Ok(Inline { name: policy, document })
    });
    concurrently(documents).await
}

async fn of_user(iam: &Client, kind: Kind, name: &str) -> Result<OfUser, Failure> {
    if kind != Kind::User {
        return Ok(OfUser::default());
    }
    let ((groups, group_policies), credentials, login_profile, mfa_devices) = try_join!(
        groups(iam, name),
        credentials(iam, name),
        user::login_profile(iam, name),
        user::mfa_devices(iam, name),
    )?;
    let login_profile = login_profile.map(|profile| LoginProfile {
        created: profile.create_date.to_string(),
        password_reset_required: profile.password_reset_required,
    });
    let mfa_devices = mfa_devices.into_iter().map(|device| MfaDevice {
        serial_number: device.serial_number,
        enabled: device.enable_date.to_string(),
    });
    let mfa_devices = mfa_devices.collect();
    Ok(OfUser { groups, group_policies, credentials, login_profile, mfa_devices })
}

async fn of_role(iam: &Client, kind: Kind, name: &str) -> Result<Vec<String>, Failure> {
    match kind {
        Kind::User => Ok(Vec::new()),
        Kind::Role => instance_profiles(iam, name).await,
    }
}

async fn groups(iam: &Client, name: &str) -> Result<(Vec<Group>, Versions), Failure> {
    let names = user::groups(iam, name).await?;
    let groups = concurrently(names.into_iter().map(|name| group(iam, name))).await?;
    let mut arns: Vec<String> =
        groups.iter().flat_map(|group| group.attached_policies.clone()).collect();
    arns.sort();
    arns.dedup();
    let versions = versions(iam, &arns).await?;
    Ok((groups, versions))
}

pub(crate) async fn group(iam: &Client, name: String) -> Result<Group, Failure> {
    let inline = async {
        let names = group::inline_policies(iam, &name).await?;
        let documents = names.into_iter().map(async |policy| {
            let document = group::inline_document(iam, &name, &policy).await?;
            Ok(Inline { name: policy, document })
        });
        concurrently(documents).await
    };
    let (attached_policies, inline_policies) =
        try_join!(group::attached_policies(iam, &name), inline)?;
    Ok(Group { name, attached_policies, inline_policies })
}

async fn credentials(iam: &Client, name: &str) -> Result<Vec<Used>, Failure> {
    let credentials = credential::credentials(iam, name).await?;
    let used = credentials.into_iter().map(async |credential| {
        // IAM knows the last use of access keys alone.
        let last_used = match credential.kind {
            CredentialKind::AccessKey => last_used(iam, &credential.id).await?,
            _ => None,
        };
        Ok(Used { credential, last_used })
    });
    concurrently(used).await
}

async fn last_used(iam: &Client, key: &str) -> Result<Option<LastUsed>, Failure> {
    Ok(credential::last_used(iam, key).await?.and_then(|used| {
        let date = used.last_used_date?.to_string();
        Some(LastUsed { date, service: used.service_name, region: used.region })
    }))
}
