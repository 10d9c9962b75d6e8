//! How a test of this binary is written: an async function that gets the local AWS.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use harness::alone::{Alone, Apart};
use harness::local_aws::LocalAws;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Handle;

type Test = Box<dyn FnOnce(&Handle, &LocalAws) -> Result<()> + Send>;

/// A test and its name.
struct Named {
    name: String,
    /// Whether it takes so long that it runs only where asked for.
    thorough: bool,
    test: Test,
}

/// The tests of a run.
pub(crate) struct Trials {
    all: bool,
    beside_others: Vec<Named>,
    /// These come after, so that nobody waits for them and they for nobody.
    alone: Vec<Named>,
    last: Vec<Named>,
}

impl Trials {
    /// No tests yet.
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let all = arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.ignored;
        Self { all, beside_others: Vec::new(), alone: Vec::new(), last: Vec::new() }
    }

    /// Adds a test that runs beside others.
    pub(crate) fn add<F>(&mut self, name: impl Into<String>, test: F)
    where
        F: AsyncFnOnce(&LocalAws) -> Result<()> + Send + 'static,
    {
        let test = beside_others(test);
        self.beside_others.push(Named { name: name.into(), thorough: false, test });
    }

    /// Adds a test that runs beside others, but for its length only with `--ignored`.
    pub(crate) fn add_thorough<F>(&mut self, name: impl Into<String>, test: F)
    where
        F: AsyncFnOnce(&LocalAws) -> Result<()> + Send + 'static,
    {
        let test = beside_others(test);
        self.beside_others.push(Named { name: name.into(), thorough: true, test });
    }

    /// Adds a test that runs alone. What it changes for all is put back after it.
    pub(crate) fn add_alone<F>(&mut self, name: impl Into<String>, test: F)
    where
        F: AsyncFnOnce(&Alone<'_>) -> Result<()> + Send + 'static,
    {
        self.alone.push(Named { name: name.into(), thorough: false, test: alone(test) });
    }

    /// Adds a test that runs alone, but for its length only with `--ignored`.
    pub(crate) fn add_thorough_alone<F>(&mut self, name: impl Into<String>, test: F)
    where
        F: AsyncFnOnce(&Alone<'_>) -> Result<()> + Send + 'static,
    {
        self.alone.push(Named { name: name.into(), thorough: true, test: alone(test) });
    }

    /// Adds a test that changes what incidents in the second member account depend on. It runs
    /// beside those that keep to the first. What it changes is put back after it.
    pub(crate) fn add_apart<F>(&mut self, name: impl Into<String>, test: F)
    where
        F: AsyncFnOnce(&Apart<'_>) -> Result<()> + Send + 'static,
    {
        let test: Test = Box::new(move |runtime, aws| {
            runtime.block_on(async {
                let apart = aws.apart().await;
                let result = test(&apart).await;
                apart.undo().await?;
                result
            })
        });
        self.beside_others.push(Named { name: name.into(), thorough: false, test });
    }

    /// Adds a test that looks at what all the others left behind. It runs only if they all do.
    pub(crate) fn add_last<F>(&mut self, name: impl Into<String>, test: F)
    where
        F: AsyncFnOnce(&LocalAws) -> Result<()> + Send + 'static,
    {
        if self.all {
            let test: Test = Box::new(move |runtime, aws| runtime.block_on(test(aws)));
            self.last.push(Named { name: name.into(), thorough: false, test });
        }
    }

    /// Names the tests without running any.
    pub(crate) fn list(self, arguments: &Arguments) -> ExitCode {
        let all = self.beside_others.into_iter().chain(self.alone).chain(self.last);
        let trials = all.map(|it| Trial::test(it.name, || Ok(())).with_ignored_flag(it.thorough));
        libtest_mimic::run(arguments, trials.collect()).exit_code()
    }

    /// Runs the tests that the arguments ask for, and calls `report` before those that run
    /// last, so that the runner's summary ends the output.
    pub(crate) fn run(
        self,
        arguments: &Arguments,
        runtime: &Handle,
        aws: LocalAws,
        report: impl FnOnce(),
    ) -> ExitCode {
        let aws = Arc::new(aws);
        let thorough = arguments.ignored || arguments.include_ignored;
        let run = |tests: Vec<Named>| {
            let tests = tests.into_iter().filter(|it| thorough || !it.thorough);
            let trials = tests.map(|Named { name, thorough, test }| {
                let (runtime, aws) = (runtime.clone(), Arc::clone(&aws));
                let trial = Trial::test(name, move || {
                    on_a_large_stack(move || test(&runtime, &aws))
                        .map_err(|error| Failed::from(format!("{error:#}")))
                });
                trial.with_ignored_flag(thorough)
            });
            libtest_mimic::run(arguments, trials.collect())
        };
        let tests = self.beside_others.into_iter().chain(self.alone);
        let mut failed = run(tests.collect()).has_failed();
        report();
        if !self.last.is_empty() {
            failed |= run(self.last).has_failed();
        }
        if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

fn beside_others<F>(test: F) -> Test
where
    F: AsyncFnOnce(&LocalAws) -> Result<()> + Send + 'static,
{
    Box::new(move |runtime, aws| {
        runtime.block_on(async {
            let _turn = aws.beside_others().await;
            test(aws).await
        })
    })
}

fn alone<F>(test: F) -> Test
where
    F: AsyncFnOnce(&Alone<'_>) -> Result<()> + Send + 'static,
{
    Box::new(move |runtime, aws| {
        runtime.block_on(async {
            let alone = aws.alone().await;
            let result = test(&alone).await;
            alone.undo().await?;
            result
        })
    })
}

/// Unoptimized, the futures of the SDKs outgrow the stack that a thread has by default.
fn on_a_large_stack(test: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(test)?
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
