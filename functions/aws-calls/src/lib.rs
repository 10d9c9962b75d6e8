//! How functions call AWS: the configuration of every client, and what a failed call
//! means for the state machine.

use std::env;
use std::error::Error;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::future::pagination_stream::PaginationStream;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use incident::Failure;

pub use aws_config::SdkConfig;

/// The configuration of every client: what has no answer after seconds is tried again,
/// and three attempts together stay below the function's own time-out of 20 seconds. All
/// clients made from it, of whatever credentials, share one pool of connections.
///
/// Whose calls they are, and where they go, Lambda says in the environment, and nothing else:
/// neither a profile nor a metadata service is asked. Of other endpoints, `AWS_ENDPOINT_URL` and
/// `AWS_USE_FIPS_ENDPOINT` are heeded; one for a single service is not, nor dual-stack ones.
///
/// Sources: Lambda Developer Guide, "Defined runtime environment variables"; AWS SDKs and Tools
/// Reference Guide, "Service-specific endpoints" and "Dual-stack and FIPS endpoints".
#[must_use]
pub fn sdk_config() -> SdkConfig {
    configured(|name| env::var(name).ok())
}

fn configured(set: impl Fn(&str) -> Option<String>) -> SdkConfig {
    let credentials = EnvironmentVariableCredentialsProvider::new();
    let tls = tls::Provider::Rustls(CryptoMode::AwsLc);
    let mut config = SdkConfig::builder();
    config
        .set_endpoint_url(set("AWS_ENDPOINT_URL"))
        .set_use_fips(set("AWS_USE_FIPS_ENDPOINT").map(|fips| fips.eq_ignore_ascii_case("true")));
    config
        .behavior_version(BehaviorVersion::latest())
        .region(set("AWS_REGION").map(Region::new))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(aws_smithy_http_client::Builder::new().tls_provider(tls).build_https())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(Duration::from_millis(200)),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(2))
                .operation_attempt_timeout(Duration::from_secs(4))
                .operation_timeout(Duration::from_secs(9))
                .build(),
        )
        .build()
}

/// The failure that `error` means, for the call that IAM names `call`.
///
/// Sources: IAM API Reference, "Common Errors" and the errors of each action; S3 API
/// Reference, "Error responses"; Security Hub API Reference, the errors of each action.
pub fn failure<E, R>(call: &'static str, error: SdkError<E, R>) -> Failure
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let SdkError::ServiceError(answer) = &error else {
        // No answer, or none that makes sense: the call may even have taken effect.
        return Failure::ServiceUnavailable { call, source: error.into() };
    };
    let code = answer.err().code().unwrap_or("no error code").to_owned();
    let message = answer.err().message().unwrap_or("no message");
    let source = format!("{code}: {message}").into();
    match code.as_str() {
        "AccessDenied"
        | "AccessDeniedException"
        | "InvalidClientTokenId"
        | "ExpiredToken"
        | "ExpiredTokenException" => {
            let source = format!("{code}: {}", why_first(message)).into();
            Failure::AccessDenied { call, source }
        }
        "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "LimitExceededException"
        | "SlowDown"
        | "RequestLimitExceeded" => Failure::Throttled { call, source },
        "ServiceFailure"
        | "ServiceUnavailable"
        | "InternalFailure"
        | "InternalError"
        | "InternalException"
        | "InternalServerException"
        | "ConcurrentModification"
        | "ConflictException"
        | "EntityTemporarilyUnmodifiable"
        | "RequestTimeout"
        | "RequestExpired"
        | "ConditionalRequestConflict"
        | "no error code" => Failure::ServiceUnavailable { call, source },
        "LimitExceeded" => Failure::LimitExceeded { call, source },
        "NoSuchEntity" | "NoSuchKey" | "ExecutionDoesNotExist" => {
            Failure::NotFound { call, source }
        }
        _ => Failure::RequestRejected { call, source },
    }
}

/// A refusal with what decides it first: all that a principal's failures say has to fit, and is
/// cut at its end.
///
/// Source: IAM User Guide, "Troubleshoot access denied error messages".
#[must_use]
pub fn why_first(message: &str) -> String {
    let decides = [" with an explicit deny ", " because "];
    let at = decides.iter().find_map(|begin| message.find(begin));
    match at.and_then(|at| message.split_at_checked(at)) {
        Some((who, why)) if who.starts_with("User: ") => format!("{}; {who}", why.trim_start()),
        _ => message.to_owned(),
    }
}

/// What AWS answers to a call, under the name that IAM has for the call.
pub trait Answer<T> {
    /// The answer, or the [`failure`] that its error means.
    fn to(self, call: &'static str) -> Result<T, Failure>;

    /// That the call was served, for those whose answer says no more.
    fn done(self, call: &'static str) -> Result<(), Failure>
    where
        Self: Sized,
    {
        self.to(call).map(drop)
    }
}

impl<T, E, R> Answer<T> for Result<T, SdkError<E, R>>
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    fn to(self, call: &'static str) -> Result<T, Failure> {
        self.map_err(|error| failure(call, error))
    }
}

/// All of a list, to its last page, or the [`failure`] of the first page that can't be had.
pub async fn all<T, E, R>(
    call: &'static str,
    pages: PaginationStream<Result<T, SdkError<E, R>>>,
) -> Result<Vec<T>, Failure>
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    pages.collect::<Result<_, _>>().await.to(call)
}

/// The call's answer, or nothing where what it names does not exist.
pub fn if_found<T>(result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Err(Failure::NotFound { .. }) => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::Client;
    use wire::{HttpResponse, answer, error, mock, respond};

    use super::*;

    /// What a call means that is answered so.
    async fn failed(answer: impl Fn() -> HttpResponse + Send + Sync + 'static) -> Failure {
        let rule = mock!(Client::get_user).then_http_response(answer);
        let iam = Client::from_conf(wire::iam(&[&rule]).build());
        iam.get_user().send().await.to("iam:GetUser").unwrap_err()
    }

    #[test]
    fn where_calls_go_is_what_lambda_says() {
        let of = |variables: &'static [(&str, &str)]| {
            let value = |name: &str| variables.iter().find(|(each, _)| *each == name);
            configured(|name| value(name).map(|(_, value)| (*value).to_owned()))
        };
        let here = of(&[("AWS_REGION", "us-gov-west-1")]);
        assert_eq!(here.region().unwrap().as_ref(), "us-gov-west-1");
        assert_eq!((here.endpoint_url(), here.use_fips()), (None, None));
        let there =
            of(&[("AWS_ENDPOINT_URL", "https://vpce.invalid"), ("AWS_USE_FIPS_ENDPOINT", "True")]);
        assert_eq!(
            (there.endpoint_url(), there.use_fips()),
            (Some("https://vpce.invalid"), Some(true))
        );
        assert_eq!(of(&[("AWS_USE_FIPS_ENDPOINT", "false")]).use_fips(), Some(false));
    }

    #[tokio::test]
    async fn an_error_of_aws_means_what_the_state_machine_decides_on() {
        for (name, codes) in [
            (
                "AccessDenied",
                "AccessDenied AccessDeniedException InvalidClientTokenId ExpiredToken \
                 ExpiredTokenException",
            ),
            (
                "Throttled",
                "Throttling ThrottlingException TooManyRequestsException LimitExceededException \
                 SlowDown RequestLimitExceeded",
            ),
            (
                "ServiceUnavailable",
                "ServiceFailure ServiceUnavailable InternalFailure InternalError \
                 InternalException InternalServerException ConcurrentModification \
                 ConflictException EntityTemporarilyUnmodifiable RequestTimeout RequestExpired ConditionalRequestConflict",
            ),
            ("LimitExceeded", "LimitExceeded"),
            ("NotFound", "NoSuchEntity NoSuchKey"),
            ("RequestRejected", "ValidationError UnmodifiableEntity MalformedPolicyDocument"),
        ] {
            for code in codes.split_whitespace() {
                let failure = failed(move || error(code)).await;
                assert_eq!(failure.name(), name, "{code}");
                let said = failure.chain();
                assert!(said.starts_with("iam:GetUser ") && said.contains(code), "{said}");
            }
        }
    }

    #[test]
    fn why_a_call_is_refused_comes_before_whose_call_it_was() {
        let who = "User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: \
                   iam:TagUser on resource: user eve";
        for why in [
            "with an explicit deny in an identity-based policy: arn:aws:iam::1:policy/p",
            "because no identity-based policy allows the iam:TagUser action",
        ] {
            assert_eq!(why_first(&format!("{who} {why}")), format!("{why}; {who}"));
        }
        for whole in [who, "The security token is expired", "it is so because it is"] {
            assert_eq!(why_first(whole), whole);
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_tried_again_later() {
        for (status, body) in [(503, ""), (500, "<html>"), (200, "no XML")] {
            let failure = failed(move || respond(status, body)).await;
            assert_eq!(failure.name(), "ServiceUnavailable", "{status} {body}");
        }
    }

    #[tokio::test]
    async fn what_does_not_exist_may_be_nothing() {
        let missing = failed(|| error("NoSuchEntity")).await;
        assert!(if_found::<()>(Err(missing)).unwrap().is_none());
        let refused = failed(|| error("AccessDenied")).await;
        assert_eq!(if_found::<()>(Err(refused)).unwrap_err().name(), "AccessDenied");
        let rule =
            mock!(Client::get_user).then_http_response(|| answer("GetUser", "<User></User>"));
        let iam = Client::from_conf(wire::iam(&[&rule]).build());
        assert!(if_found(iam.get_user().send().await.done("iam:GetUser")).unwrap().is_some());
    }
}
