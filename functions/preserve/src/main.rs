//! The function `preserve`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let config = aws_calls::sdk_config();
    let entry = member::Entry::from_env(&config)?;
    let bucket = preserve::Bucket::from_env(&config)?;
    let step = async |input| preserve::preserve(&entry, &bucket, input).await;
    member::run_measured(&entry, preserve::READINESS, preserve::Input::measured, step).await
}
