use std::collections::BTreeMap;

use aws_calls::{failure, if_found};
use aws_sdk_iam::Client;
use futures::{FutureExt, try_join};
use incident::{Execution, Failure, Principal};
use member::user::{self, Credential, CredentialKind};
use member::{Entry, Grant, concurrently};
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
const OF_GROUPS: &[&str] = &[
    "iam:ListAttachedGroupPolicies",
    "iam:ListGroupPolicies",
    "iam:GetGroupPolicy",
];
const OF_POLICIES: &[&str] = &["iam:GetPolicy", "iam:GetPolicyVersion"];

/// The user as it is now. Times are RFC 3339; documents are as their authors wrote them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Snapshot {
    arn: String,
    name: String,
    path: String,
    id: String,
    created: String,
    password_last_used: Option<String>,
    boundary: Option<String>,
    tags: BTreeMap<String, String>,
    pub(crate) attached_policies: Vec<String>,
    /// The default versions of the customer-managed ones among the attached policies,
    /// the user's and its groups'.
    customer_policies: BTreeMap<String, PolicyVersion>,
    pub(crate) inline_policies: Vec<Inline>,
    pub(crate) groups: Vec<Group>,
    credentials: Vec<Used>,
    login_profile: Option<LoginProfile>,
    mfa_devices: Vec<MfaDevice>,
    /// `Resource` patterns for which a policy of the user or of its groups allows
    /// `sts:AssumeRole`.
    pub(crate) assumable_roles: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct PolicyVersion {
    version: String,
    document: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Inline {
    pub(crate) name: String,
    pub(crate) document: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Group {
    pub(crate) name: String,
    attached_policies: Vec<String>,
    inline_policies: Vec<Inline>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    #[serde(flatten)]
    credential: Credential,
    last_used: Option<LastUsed>,
}

#[derive(Debug, Serialize, Deserialize)]
struct LastUsed {
    date: String,
    service: String,
    region: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LoginProfile {
    created: String,
    password_reset_required: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MfaDevice {
    serial_number: String,
    enabled: String,
}

impl Snapshot {
    /// Reads the user and all that hangs on it, each list to its last page.
    pub(crate) async fn read(
        entry: &Entry,
        execution: &Execution,
        principal: &Principal,
    ) -> Result<Self, Failure> {
        let (partition, account) = (execution.partition(), &principal.account);
        let grants = [
            Grant {
                actions: OF_THE_USER,
                resources: vec![principal.resource(partition)],
            },
            Grant {
                actions: OF_GROUPS,
                resources: vec![format!("arn:{partition}:iam::{account}:group/*")],
            },
            Grant {
                actions: OF_POLICIES,
                resources: vec![format!("arn:{partition}:iam::*:policy/*")],
            },
        ];
        let iam = &entry.enter(execution, account, &grants).await?;
        let name = principal.name.as_str();
        let (
            user,
            (attached_policies, mut versions),
            inline_policies,
            (groups, of_groups),
            credentials,
            login,
            mfa,
        ) = try_join!(
            user::user(iam, name),
            attached(iam, name).boxed_local(),
            inline(iam, name).boxed_local(),
            groups(iam, name).boxed_local(),
            credentials(iam, name).boxed_local(),
            login_profile(iam, name),
            mfa_devices(iam, name),
        )?;
        if user.user_id != principal.id {
            return Err(Failure::PrincipalReplaced {
                arn: user.arn,
                found: user.user_id,
                identified: principal.id.clone(),
            });
        }
        versions.extend(of_groups);
        let in_groups = groups.iter().flat_map(|group| &group.inline_policies);
        let documents = versions.values().map(|version| &version.document);
        let documents = documents.chain(
            inline_policies
                .iter()
                .chain(in_groups)
                .map(|policy| &policy.document),
        );
        let mut assumable_roles: Vec<String> = documents
            .flat_map(|document| assumable::roles(document))
            .collect();
        assumable_roles.sort();
        assumable_roles.dedup();
        let by_aws = format!("arn:{partition}:iam::aws:");
        versions.retain(|arn, _| !arn.starts_with(&by_aws));
        let tags = user.tags.as_deref().unwrap_or_default().iter();
        Ok(Self {
            boundary: user::boundary(&user),
            tags: tags
                .map(|tag| (tag.key.clone(), tag.value.clone()))
                .collect(),
            password_last_used: user.password_last_used.map(|date| date.to_string()),
            created: user.create_date.to_string(),
            arn: user.arn,
            name: user.user_name,
            path: user.path,
            id: user.user_id,
            attached_policies,
            customer_policies: versions,
            inline_policies,
            groups,
            credentials,
            login_profile: login,
            mfa_devices: mfa,
            assumable_roles,
        })
    }

    /// The snapshot in a stored document.
    pub(crate) fn of(key: &str, stored: &Value) -> Result<Self, Failure> {
        let snapshot = stored.get("principal").cloned().unwrap_or_default();
        serde_json::from_value(snapshot).map_err(|error| Failure::EvidenceUnreadable {
            key: key.to_owned(),
            source: error.into(),
        })
    }
}

type Versions = BTreeMap<String, PolicyVersion>;

async fn attached(iam: &Client, name: &str) -> Result<(Vec<String>, Versions), Failure> {
    let arns = user::attached_policies(iam, name).await?;
    let versions = versions(iam, &arns).await?;
    Ok((arns, versions))
}

async fn versions(iam: &Client, arns: &[String]) -> Result<Versions, Failure> {
    let versions = concurrently(
        arns.iter()
            .map(async |arn| Ok((arn.clone(), version(iam, arn).await?))),
    )
    .await;
    versions.into_iter().collect()
}

async fn version(iam: &Client, arn: &str) -> Result<PolicyVersion, Failure> {
    let policy = iam
        .get_policy()
        .policy_arn(arn)
        .send()
        .await
        .map_err(|error| failure("iam:GetPolicy", error))?;
    let version = policy
        .policy
        .and_then(|policy| policy.default_version_id)
        .ok_or_else(|| missing("iam:GetPolicy"))?;
    let call = "iam:GetPolicyVersion";
    let answer = iam
        .get_policy_version()
        .policy_arn(arn)
        .version_id(&version)
        .send()
        .await;
    let answer = answer.map_err(|error| failure(call, error))?;
    let document = answer
        .policy_version
        .and_then(|version| version.document)
        .ok_or_else(|| missing(call))?;
    Ok(PolicyVersion {
        version,
        document: user::decoded(call, &document)?,
    })
}

fn missing(call: &'static str) -> Failure {
    Failure::ServiceUnavailable {
        call,
        source: "the answer is incomplete".into(),
    }
}

async fn inline(iam: &Client, name: &str) -> Result<Vec<Inline>, Failure> {
    let names = user::inline_policies(iam, name).await?;
    let documents = names.into_iter().map(async |policy| {
        let document = user::inline_document(iam, name, &policy).await?;
        Ok(Inline {
            name: policy,
            document,
        })
    });
    concurrently(documents).await.into_iter().collect()
}

async fn groups(iam: &Client, name: &str) -> Result<(Vec<Group>, Versions), Failure> {
    let names = user::groups(iam, name).await?;
    let groups = concurrently(names.into_iter().map(|name| group(iam, name))).await;
    let groups = groups.into_iter().collect::<Result<Vec<_>, Failure>>()?;
    let mut arns: Vec<String> = groups
        .iter()
        .flat_map(|group| group.attached_policies.clone())
        .collect();
    arns.sort();
    arns.dedup();
    let versions = versions(iam, &arns).await?;
    Ok((groups, versions))
}

async fn group(iam: &Client, name: String) -> Result<Group, Failure> {
    let attached = async {
        let pages = iam
            .list_attached_group_policies()
            .group_name(&name)
            .into_paginator();
        let policies = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        policies.map_err(|error| failure("iam:ListAttachedGroupPolicies", error))
    };
    let inline = async {
        let pages = iam.list_group_policies().group_name(&name).into_paginator();
        let names = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        let names = names.map_err(|error| failure("iam:ListGroupPolicies", error))?;
        let documents = names.into_iter().map(async |policy| {
            let call = "iam:GetGroupPolicy";
            let answer = iam
                .get_group_policy()
                .group_name(&name)
                .policy_name(&policy)
                .send()
                .await;
            let answer = answer.map_err(|error| failure(call, error))?;
            Ok(Inline {
                document: user::decoded(call, &answer.policy_document)?,
                name: policy,
            })
        });
        concurrently(documents)
            .await
            .into_iter()
            .collect::<Result<Vec<_>, Failure>>()
    };
    let (attached, inline_policies) = try_join!(attached, inline)?;
    let attached_policies = attached
        .into_iter()
        .filter_map(|policy| policy.policy_arn)
        .collect();
    Ok(Group {
        name,
        attached_policies,
        inline_policies,
    })
}

async fn credentials(iam: &Client, name: &str) -> Result<Vec<Used>, Failure> {
    let credentials = user::credentials(iam, name).await?;
    let used = credentials.into_iter().map(async |credential| {
        // IAM knows the last use of access keys alone.
        let last_used = match credential.kind {
            CredentialKind::AccessKey => last_used(iam, &credential.id).await?,
            _ => None,
        };
        Ok(Used {
            credential,
            last_used,
        })
    });
    concurrently(used).await.into_iter().collect()
}

async fn last_used(iam: &Client, key: &str) -> Result<Option<LastUsed>, Failure> {
    let answer = iam
        .get_access_key_last_used()
        .access_key_id(key)
        .send()
        .await;
    let answer = answer.map_err(|error| failure("iam:GetAccessKeyLastUsed", error))?;
    Ok(answer.access_key_last_used.and_then(|used| {
        // A key that was never used has no date.
        Some(LastUsed {
            date: used.last_used_date?.to_string(),
            service: used.service_name,
            region: used.region,
        })
    }))
}

async fn login_profile(iam: &Client, name: &str) -> Result<Option<LoginProfile>, Failure> {
    let answer = iam.get_login_profile().user_name(name).send().await;
    let answer = if_found(answer.map_err(|error| failure("iam:GetLoginProfile", error)))?;
    Ok(answer
        .and_then(|answer| answer.login_profile)
        .map(|profile| LoginProfile {
            created: profile.create_date.to_string(),
            password_reset_required: profile.password_reset_required,
        }))
}

async fn mfa_devices(iam: &Client, name: &str) -> Result<Vec<MfaDevice>, Failure> {
    let pages = iam.list_mfa_devices().user_name(name).into_paginator();
    let devices = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let devices = devices.map_err(|error| failure("iam:ListMFADevices", error))?;
    Ok(devices
        .into_iter()
        .map(|device| MfaDevice {
            serial_number: device.serial_number,
            enabled: device.enable_date.to_string(),
        })
        .collect())
}
