//! The function `verify`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let entry = member::Entry::from_env().await?;
    lambda::run(async |input| verify::verify(&entry, input).await).await
}
