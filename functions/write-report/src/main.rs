//! The function `write-report`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let step = async |asked| write_report::write(&asked);
    lambda::run_measured(write_report::Asked::measured, step).await
}
