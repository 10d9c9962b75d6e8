//! The function `assume-role`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let entry = member::Entry::from_env(&aws_calls::sdk_config())?;
    let organization = lambda::organization()?;
    let step = async |input| assume_role::assume_role(&entry, &organization, input).await;
    member::run(&entry, assume_role::READINESS, step).await
}
