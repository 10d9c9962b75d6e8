//! The function `classify`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let organization = lambda::organization()?;
    let judge = |input| classify::classify(&organization, input);
    lambda::run(async |input| judge(input).inspect(|it| lambda::measure(it.measured().as_ref())))
        .await
}
