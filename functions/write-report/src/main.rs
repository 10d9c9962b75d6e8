//! The function `write-report`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::run(async |input| write_report::write_report(&input)).await
}
