//! The function `classify`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::run(async |input| classify::classify(input)).await
}
