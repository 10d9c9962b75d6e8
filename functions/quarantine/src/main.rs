//! The function `quarantine`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let entry = member::Entry::from_env(&aws_calls::sdk_config())?;
    member::run(&entry, quarantine::READINESS, async |input| {
        quarantine::quarantine(&entry, input).await
    })
    .await
}
