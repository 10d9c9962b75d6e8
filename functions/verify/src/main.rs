//! The function `verify`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let entry = member::Entry::from_env(&aws_calls::sdk_config())?;
    member::run(&entry, verify::READINESS, async |input| verify::verify(&entry, input).await).await
}
