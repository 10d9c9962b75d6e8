//! The function `find-holders`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let entry = member::Entry::from_env().await?;
    lambda::run(async |input| find_holders::find_holders(&entry, input).await).await
}
