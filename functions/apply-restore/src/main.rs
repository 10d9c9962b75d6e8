//! The function `apply-restore`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let config = aws_calls::sdk_config();
    let entry = member::Entry::from_env(&config)?;
    let bucket = bucket::Bucket::from_env(&config)?;
    lambda::run(async |input| apply_restore::apply_restore(&entry, &bucket, input).await).await
}
