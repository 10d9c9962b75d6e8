//! The function `tag`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let entry = member::Entry::from_env(&aws_calls::sdk_config())?;
    member::run(&entry, tag::READINESS, async |input| tag::tag(&entry, input).await).await
}
