//! The function `detach-policies`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let entry = member::Entry::from_env(&aws_calls::sdk_config())?;
    member::run(&entry, detach_policies::READINESS, async |input| {
        detach_policies::detach_policies(&entry, input).await
    })
    .await
}
