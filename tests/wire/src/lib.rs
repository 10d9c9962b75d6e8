//! The SDK's real clients over a wire on which a unit test's rules answer, and whom unit tests
//! are about.
//!
//! A call for which a test has no rule fails it. So what a step must not call has no rule.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "what fails here is to fail the test"
)]

use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::Credentials;
use aws_smithy_mocks::{MockResponseInterceptor, RuleMode, create_mock_http_client};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use incident::{AccountId, Execution, Kind, Principal};

pub use aws_smithy_mocks::{Rule, mock};
pub use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// `AWSDenyAll`.
pub const DENY: &str = "arn:aws:iam::aws:policy/AWSDenyAll";

/// A client's configuration in which `rules` answer, whatever the order of the calls, and
/// nothing is tried again. `aws_smithy_mocks::mock_client` would do, if it did not take a
/// feature that the SDKs are built without.
macro_rules! over_the_wire {
    ($sdk:ident, $rules:expr) => {{
        let answers = MockResponseInterceptor::new().rule_mode(RuleMode::MatchAny);
        let answers = $rules.iter().fold(answers, |answers, rule| answers.with_rule(rule));
        $sdk::Config::builder()
            .behavior_version($sdk::config::BehaviorVersion::latest())
            .region($sdk::config::Region::new("us-east-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(create_mock_http_client())
            .interceptor(answers)
    }};
}

/// What clients of IAM are made from. The connection that `member` opens ahead is refused.
#[must_use]
pub fn iam(rules: &[&Rule]) -> aws_sdk_iam::config::Builder {
    let refused = mock!(aws_sdk_iam::Client::get_account_summary)
        .then_http_response(|| error("MissingAuthenticationToken"));
    over_the_wire!(aws_sdk_iam, [rules, &[&refused]].concat())
}

/// A client of STS.
#[must_use]
pub fn sts(rules: &[&Rule]) -> aws_sdk_sts::Client {
    aws_sdk_sts::Client::from_conf(over_the_wire!(aws_sdk_sts, rules).build())
}

/// A client of S3.
#[must_use]
pub fn s3(rules: &[&Rule]) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(over_the_wire!(aws_sdk_s3, rules).build())
}

/// A client of Step Functions.
#[must_use]
pub fn states(rules: &[&Rule]) -> aws_sdk_sfn::Client {
    aws_sdk_sfn::Client::from_conf(over_the_wire!(aws_sdk_sfn, rules).build())
}

/// A client of Security Hub.
#[must_use]
pub fn security_hub(rules: &[&Rule]) -> aws_sdk_securityhub::Client {
    aws_sdk_securityhub::Client::from_conf(over_the_wire!(aws_sdk_securityhub, rules).build())
}

/// An answer.
#[must_use]
pub fn respond(status: u16, body: &str) -> HttpResponse {
    HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(body))
}

/// The answer of a call that is served and has nothing to say.
#[must_use]
pub fn done() -> HttpResponse {
    respond(200, "")
}

/// The answer of IAM or STS to this action, with this XML in its result.
///
/// Source: Smithy, "AWS Query protocol" (response serialization).
#[must_use]
pub fn answer(action: &str, result: &str) -> HttpResponse {
    let result = format!("<{action}Result>{result}</{action}Result>");
    respond(200, &format!("<{action}Response>{result}</{action}Response>"))
}

/// An error of IAM or STS with this code.
#[must_use]
pub fn error(code: &str) -> HttpResponse {
    error_of(code, "m")
}

/// The same, in these words.
///
/// Source: Smithy, "AWS Query protocol" (operation error serialization).
#[must_use]
pub fn error_of(code: &str, message: &str) -> HttpResponse {
    let error = format!(
        "<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    respond(400, &format!("<ErrorResponse>{error}</ErrorResponse>"))
}

/// STS lets in whoever asks.
#[must_use]
pub fn lets_in() -> Rule {
    mock!(aws_sdk_sts::Client::assume_role).then_http_response(credentials)
}

/// The same, and keeps the policies of the sessions that are asked for.
#[must_use]
pub fn lets_in_with(policies: &Arc<Mutex<Vec<String>>>) -> Rule {
    let policies = Arc::clone(policies);
    mock!(aws_sdk_sts::Client::assume_role)
        .match_requests(move |ask| {
            let mut policies = policies.lock().unwrap_or_else(PoisonError::into_inner);
            policies.extend(ask.policy().map(str::to_owned));
            true
        })
        .then_http_response(credentials)
}

/// The answer of STS with credentials.
#[must_use]
pub fn credentials() -> HttpResponse {
    let credentials = "<Credentials><AccessKeyId>key</AccessKeyId>\
                       <SecretAccessKey>secret</SecretAccessKey><SessionToken>token</SessionToken>\
                       <Expiration>1970-01-01T00:15:00Z</Expiration></Credentials>";
    answer("AssumeRole", credentials)
}

/// IAM shows the principal under its name: [`shown`].
#[must_use]
pub fn shows(principal: &Principal, boundary: Option<&'static str>) -> Rule {
    let (principal, name) = (principal.clone(), principal.name.clone());
    match principal.kind {
        Kind::User => mock!(aws_sdk_iam::Client::get_user)
            .match_requests(move |get| get.user_name() == Some(&name))
            .then_http_response(move || shown(&principal, boundary)),
        Kind::Role => mock!(aws_sdk_iam::Client::get_role)
            .match_requests(move |get| get.role_name() == Some(&name))
            .then_http_response(move || shown(&principal, boundary)),
    }
}

/// IAM's answer about the principal, which was made at the beginning of 1970 and is under this
/// permissions boundary.
#[must_use]
pub fn shown(principal: &Principal, boundary: Option<&str>) -> HttpResponse {
    let Principal { arn, name, path, id, .. } = principal;
    let kind = match principal.kind {
        Kind::User => "User",
        Kind::Role => "Role",
    };
    let boundary = boundary.map_or_else(String::new, |arn| {
        let arn = format!("<PermissionsBoundaryArn>{arn}</PermissionsBoundaryArn>");
        format!("<PermissionsBoundary>{arn}</PermissionsBoundary>")
    });
    let entity = format!(
        "<{kind}><Arn>{arn}</Arn><{kind}Name>{name}</{kind}Name><{kind}Id>{id}</{kind}Id>\
         <Path>{path}</Path><CreateDate>1970-01-01T00:00:00Z</CreateDate>{boundary}</{kind}>"
    );
    answer(&format!("Get{kind}"), &entity)
}

/// These policies are attached to users.
#[must_use]
pub fn attached(policies: &[&str]) -> Rule {
    let member = |arn| format!("<member><PolicyArn>{arn}</PolicyArn></member>");
    let policies: Vec<_> = policies.iter().map(member).collect();
    let policies = format!("<AttachedPolicies>{}</AttachedPolicies>", policies.concat());
    mock!(aws_sdk_iam::Client::list_attached_user_policies)
        .then_http_response(move || answer("ListAttachedUserPolicies", &policies))
}

/// Users have no credential that IAM could make inactive: access keys, SSH public keys, signing
/// certificates, service-specific credentials.
#[must_use]
pub fn no_credentials() -> [Rule; 4] {
    [
        mock!(aws_sdk_iam::Client::list_access_keys)
            .then_http_response(|| answer("ListAccessKeys", "")),
        mock!(aws_sdk_iam::Client::list_ssh_public_keys)
            .then_http_response(|| answer("ListSSHPublicKeys", "")),
        mock!(aws_sdk_iam::Client::list_signing_certificates)
            .then_http_response(|| answer("ListSigningCertificates", "")),
        mock!(aws_sdk_iam::Client::list_service_specific_credentials)
            .then_http_response(|| answer("ListServiceSpecificCredentials", "")),
    ]
}

/// The execution.
#[must_use]
pub fn execution() -> Execution {
    let arn = "arn:aws:states:us-east-1:111111111111:execution:cordon-incident-response:incident";
    Execution::try_from(arn.to_owned()).expect("an execution")
}

/// The account that the incident is in.
#[must_use]
pub fn account() -> AccountId {
    AccountId::try_from("222222222222".to_owned()).expect("an account")
}

/// The user `eve`, without a boundary.
#[must_use]
pub fn eve() -> Principal {
    principal(Kind::User, "eve", "AIDAEVE")
}

/// The role `builder`, without a boundary.
#[must_use]
pub fn builder() -> Principal {
    principal(Kind::Role, "builder", "AROABUILDER")
}

/// A user `eve` made since: another one.
#[must_use]
pub fn namesake() -> Principal {
    principal(Kind::User, "eve", "AIDAOTHER")
}

fn principal(kind: Kind, name: &str, id: &str) -> Principal {
    Principal {
        arn: format!("arn:aws:iam::{}:{}/{name}", account(), kind.noun()),
        account: account(),
        kind,
        name: name.to_owned(),
        path: "/".to_owned(),
        id: id.to_owned(),
        boundary: None,
        denied_before: None,
        access_keys: Vec::new(),
    }
}
