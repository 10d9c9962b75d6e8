//! The function `deactivate-keys`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let entry = member::Entry::from_env(&aws_calls::sdk_config())?;
    member::run(&entry, deactivate_keys::READINESS, async |input| {
        deactivate_keys::deactivate_keys(&entry, input).await
    })
    .await
}
