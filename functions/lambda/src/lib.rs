//! The shell that every function runs in.
//!
//! A step is an async function from its input to its output or a [`Failure`]. The
//! shell reads the input, runs the step, logs how it ended in one JSON line, and
//! hands a failure to Step Functions under the failure's own name.
//!
//! A redrive may begin with any step. Where the state machine says that the response policy
//! was not read since (`policyUnread`), no step does anything: [`Failure::PolicyUnread`].

mod measured;

use incident::{Failure, Organization};
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use lambda_runtime::Error;
pub use measured::{Measured, measure};

/// Runs `step` for every invocation, until the process is ended.
pub async fn run<I, O>(step: impl AsyncFn(I) -> Result<O, Failure>) -> Result<(), Error>
where
    I: DeserializeOwned,
    O: Serialize,
{
    tracing_subscriber::fmt().json().with_target(false).with_max_level(tracing::Level::INFO).init();
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
        let subject = Subject::of(&event.payload);
        let result = invoke(&step, event.payload).await;
        subject.log(result.as_ref().err());
        result.map_err(Named)
    }))
    .await
}

/// The same, with what is measured of the input written to the log before.
pub async fn run_measured<I, O>(
    measured: impl Fn(&I) -> Option<Measured>,
    step: impl AsyncFn(I) -> Result<O, Failure>,
) -> Result<(), Error>
where
    I: DeserializeOwned,
    O: Serialize,
{
    run(async |input| {
        measure(measured(&input).as_ref());
        step(input).await
    })
    .await
}

/// A setting of the function, by the name of its environment variable.
pub fn setting(name: &str) -> Result<String, Error> {
    std::env::var(name).map_err(|_| format!("the environment variable `{name}` is not set").into())
}

/// The organisation, as the function's settings `MANAGEMENT_ACCOUNT`, `OPERATORS` and
/// `PROTECTED_PRINCIPALS` say it; each may be unset.
pub fn organization() -> Result<Organization, Error> {
    let setting = |name| std::env::var(name).ok();
    let [operators, protected] = ["OPERATORS", "PROTECTED_PRINCIPALS"].map(setting);
    let management = setting("MANAGEMENT_ACCOUNT");
    Ok(Organization::new(management, operators.as_deref(), protected.as_deref())?)
}

async fn invoke<I, O>(
    step: impl AsyncFn(I) -> Result<O, Failure>,
    input: Value,
) -> Result<O, Failure>
where
    I: DeserializeOwned,
{
    if input.get("policyUnread").and_then(Value::as_bool) == Some(true) {
        return Err(Failure::PolicyUnread);
    }
    let input =
        serde_json::from_value(input).map_err(|error| Failure::InvalidInput(error.to_string()))?;
    // On the heap: the runtime moves its futures about, and those of a step are large.
    Box::pin(step(input)).await
}

/// A failure as Lambda reports it: its own name, and the whole chain of causes.
#[derive(Debug)]
struct Named(Failure);

impl From<Named> for Diagnostic {
    fn from(Named(failure): Named) -> Self {
        Self { error_type: failure.name().to_owned(), error_message: failure.chain() }
    }
}

/// What an invocation is about, for its log line.
struct Subject {
    execution: String,
    principal: String,
}

impl Subject {
    fn of(input: &Value) -> Self {
        let text = |pointer: &str| {
            let found = input.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            incident::one_line(found, 700)
        };
        Self { execution: text("/execution"), principal: text("/principal/arn") }
    }

    fn log(&self, failure: Option<&Failure>) {
        let Self { execution, principal } = self;
        match failure {
            None => tracing::info!(execution, principal, "done"),
            Some(failure) => {
                tracing::error!(
                    execution,
                    principal,
                    error = failure.name(),
                    cause = failure.chain(),
                    "failed"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_arrives_under_its_own_name_with_all_its_causes() {
        let refused =
            Failure::AccessDenied { call: "iam:AttachUserPolicy", source: "explicit deny".into() };
        let diagnostic = Diagnostic::from(Named(refused));
        assert_eq!(diagnostic.error_type, "AccessDenied");
        assert_eq!(diagnostic.error_message, "iam:AttachUserPolicy is refused: explicit deny");
    }

    #[tokio::test]
    async fn nothing_is_done_before_the_response_policy_of_today_is_read() {
        let step = async |_: Value| Ok::<_, Failure>(());
        for (unread, named) in [
            (serde_json::json!(true), Err("PolicyUnread")),
            (serde_json::json!(false), Ok(())),
            (Value::Null, Ok(())),
        ] {
            let done = invoke(&step, serde_json::json!({ "policyUnread": unread })).await;
            assert_eq!(done.map_err(|failure| failure.name()), named);
        }
    }

    #[tokio::test]
    async fn input_that_does_not_fit_is_a_named_failure() {
        let step = async |_: u8| Ok::<_, Failure>(());
        let failure = invoke(step, Value::String("x".into())).await.unwrap_err();
        assert_eq!(failure.name(), "InvalidInput");
    }
}
