//! The function `plan-restore`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let config = aws_calls::sdk_config();
    let states = aws_sdk_sfn::Client::new(&config);
    let bucket = bucket::Bucket::from_env(&config)?;
    lambda::run(async |input| plan_restore::plan_restore(&states, &bucket, input).await).await
}
