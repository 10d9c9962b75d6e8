//! The function `remove-groups`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let entry = member::Entry::from_env(&aws_calls::sdk_config())?;
    member::run(&entry, remove_groups::READINESS, async |input| {
        remove_groups::remove_groups(&entry, input).await
    })
    .await
}
