//! Which policies a principal has, what policies say, and who holds one. Every list is read to
//! its last page. Changes nothing.

use aws_calls::{Answer, all};
use aws_sdk_iam::Client;
use incident::{Failure, Kind};
use percent_encoding::percent_decode_str;

use crate::{incomplete, sorted};

/// ARNs of the managed policies attached to the principal, sorted.
pub async fn attached_policies(
    iam: &Client,
    kind: Kind,
    name: &str,
) -> Result<Vec<String>, Failure> {
    let policies = match kind {
        Kind::User => {
            let pages = iam.list_attached_user_policies().user_name(name).into_paginator().items();
            all("iam:ListAttachedUserPolicies", pages.send()).await?
        }
        Kind::Role => {
            let pages = iam.list_attached_role_policies().role_name(name).into_paginator().items();
            all("iam:ListAttachedRolePolicies", pages.send()).await?
        }
    };
    Ok(sorted(policies.into_iter().filter_map(|policy| policy.policy_arn)))
}

/// Names of the principal's inline policies, sorted.
pub async fn inline_policies(iam: &Client, kind: Kind, name: &str) -> Result<Vec<String>, Failure> {
    let names = match kind {
        Kind::User => {
            let pages = iam.list_user_policies().user_name(name).into_paginator().items();
            all("iam:ListUserPolicies", pages.send()).await?
        }
        Kind::Role => {
            let pages = iam.list_role_policies().role_name(name).into_paginator().items();
            all("iam:ListRolePolicies", pages.send()).await?
        }
    };
    Ok(sorted(names))
}

/// The document of an inline policy, as its author wrote it.
pub async fn inline_document(
    iam: &Client,
    kind: Kind,
    name: &str,
    policy: &str,
) -> Result<String, Failure> {
    match kind {
        Kind::User => {
            let call = "iam:GetUserPolicy";
            let answer = iam.get_user_policy().user_name(name).policy_name(policy).send().await;
            decoded(call, &answer.to(call)?.policy_document)
        }
        Kind::Role => {
            let call = "iam:GetRolePolicy";
            let answer = iam.get_role_policy().role_name(name).policy_name(policy).send().await;
            decoded(call, &answer.to(call)?.policy_document)
        }
    }
}

/// A version of a managed policy.
#[derive(Debug)]
pub struct Version {
    /// Its id: `v1`, `v2` and so on.
    pub id: String,
    /// What it says, as its author wrote it.
    pub document: String,
}

/// The version of the managed policy that is in force.
pub async fn default_version(iam: &Client, arn: &str) -> Result<Version, Failure> {
    let call = "iam:GetPolicy";
    let policy = iam.get_policy().policy_arn(arn).send().await.to(call)?.policy;
    let id = policy.and_then(|policy| policy.default_version_id);
    let id = id.ok_or_else(|| incomplete(call))?;
    let call = "iam:GetPolicyVersion";
    let answer = iam.get_policy_version().policy_arn(arn).version_id(&id).send().await.to(call)?;
    let document = answer.policy_version.and_then(|version| version.document);
    let document = decoded(call, &document.ok_or_else(|| incomplete(call))?)?;
    Ok(Version { id, document })
}

/// A policy document as its author wrote it; IAM returns it percent-encoded.
///
/// Source: IAM API Reference, `GetUserPolicy` (`PolicyDocument`).
pub(crate) fn decoded(call: &'static str, document: &str) -> Result<String, Failure> {
    let document = percent_decode_str(document).decode_utf8();
    document
        .map(Into::into)
        .map_err(|error| Failure::RequestRejected { call, source: error.into() })
}

/// Who holds a policy, attached or as permissions boundary: `user eve`, sorted.
pub async fn holders(iam: &Client, arn: &str) -> Result<Vec<String>, Failure> {
    let pages = iam.list_entities_for_policy().policy_arn(arn).into_paginator().send();
    let pages = all("iam:ListEntitiesForPolicy", pages).await?;
    let names = pages.into_iter().flat_map(|page| {
        let users = page.policy_users.unwrap_or_default().into_iter();
        let users = users.filter_map(|one| Some(format!("user {}", one.user_name?)));
        let roles = page.policy_roles.unwrap_or_default().into_iter();
        let roles = roles.filter_map(|one| Some(format!("role {}", one.role_name?)));
        let groups = page.policy_groups.unwrap_or_default().into_iter();
        let groups = groups.filter_map(|one| Some(format!("group {}", one.group_name?)));
        users.chain(roles).chain(groups).collect::<Vec<_>>()
    });
    Ok(sorted(names))
}

#[cfg(test)]
mod tests {
    use wire::{answer, mock};

    use super::*;

    #[tokio::test]
    async fn a_list_is_read_to_its_last_page_and_sorted() {
        let page = |marker: Option<&'static str>, page: &'static str| {
            mock!(Client::list_role_policies)
                .match_requests(move |list| {
                    list.role_name() == Some("builder") && list.marker() == marker
                })
                .then_http_response(move || answer("ListRolePolicies", page))
        };
        let rules = [
            &page(None, "<PolicyNames><member>b</member></PolicyNames><Marker>2</Marker>"),
            &page(Some("2"), "<PolicyNames></PolicyNames><Marker>3</Marker>"),
            &page(Some("3"), "<PolicyNames><member>a</member></PolicyNames>"),
        ];
        let iam = Client::from_conf(wire::iam(&rules).build());
        assert_eq!(inline_policies(&iam, Kind::Role, "builder").await.unwrap(), ["a", "b"]);
    }

    #[tokio::test]
    async fn a_page_that_can_not_be_had_leaves_no_half_of_a_list() {
        let first = mock!(Client::list_attached_role_policies)
            .match_requests(|list| list.marker().is_none())
            .then_http_response(|| {
                let policy = "<member><PolicyArn>p</PolicyArn></member>";
                let page = format!("<AttachedPolicies>{policy}</AttachedPolicies>");
                answer("ListAttachedRolePolicies", &format!("{page}<Marker>2</Marker>"))
            });
        let second = mock!(Client::list_attached_role_policies)
            .match_requests(|list| list.marker() == Some("2"))
            .then_http_response(|| wire::error("Throttling"));
        let iam = Client::from_conf(wire::iam(&[&first, &second]).build());
        let failure = attached_policies(&iam, Kind::Role, "builder").await.unwrap_err();
        assert_eq!(failure.name(), "Throttled");
    }

    #[test]
    fn a_document_is_what_its_author_wrote() {
        assert_eq!(decoded("call", "%7B%22a%22%3A+%22%C3%A9%22%7D").unwrap(), "{\"a\":+\"é\"}");
        assert_eq!(decoded("call", "%FF").unwrap_err().name(), "RequestRejected");
    }

    #[tokio::test]
    async fn of_a_managed_policy_the_version_in_force_is_read() {
        let policy = mock!(Client::get_policy).then_http_response(|| {
            answer("GetPolicy", "<Policy><DefaultVersionId>v3</DefaultVersionId></Policy>")
        });
        let version = mock!(Client::get_policy_version)
            .match_requests(|get| get.version_id() == Some("v3"))
            .then_http_response(|| {
                let document = "<PolicyVersion><Document>%7B%7D</Document></PolicyVersion>";
                answer("GetPolicyVersion", document)
            });
        let iam = Client::from_conf(wire::iam(&[&policy, &version]).build());
        let version = default_version(&iam, "arn").await.unwrap();
        assert_eq!((version.id.as_str(), version.document.as_str()), ("v3", "{}"));
    }
}
