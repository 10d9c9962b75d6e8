//! The function `classify`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let organization = lambda::organization()?;
    lambda::run(async |input| classify::classify(&organization, input)).await
}
