//! The function `write-report`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let step = async |input| write_report::write_report(&input);
    lambda::run_measured(write_report::Input::measured, step).await
}
