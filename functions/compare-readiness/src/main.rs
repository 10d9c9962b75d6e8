//! The function `compare-readiness`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let bucket = bucket::Bucket::from_env(&aws_calls::sdk_config())?;
    lambda::run(async |input| compare_readiness::compare_readiness(&bucket, input).await).await
}
