//! The function `resolve`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let hub = resolve::client(&aws_calls::sdk_config());
    lambda::run(async |input| resolve::resolve(&hub, input).await).await
}
