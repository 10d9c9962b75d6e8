//! The function `preserve`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let entry = member::Entry::from_env().await?;
    let bucket = preserve::Bucket::from_env(entry.config())?;
    lambda::run(async |input| preserve::preserve(&entry, &bucket, input).await).await
}
