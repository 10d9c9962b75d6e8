//! The function `find-holders`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let entry = member::Entry::from_env(&aws_calls::sdk_config())?;
    member::run(&entry, find_holders::READINESS, async |input| {
        find_holders::find_holders(&entry, input).await
    })
    .await
}
