//! How a test of this binary is written: an async function that gets the local AWS.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use harness::alone::{Alone, Apart};
use harness::local_aws::LocalAws;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Handle;

type Test = Box<dyn FnOnce(&Handle, &LocalAws) -> Result<()> + Send>;

/// The tests of a run.
pub(crate) struct Trials {
    all: bool,
    tests: Vec<(&'static str, Test)>,
    last: Vec<(&'static str, Test)>,
}

impl Trials {
    /// No tests yet.
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let all = arguments.filter.is_none() && arguments.skip.is_empty();
        Self { all, tests: Vec::new(), last: Vec::new() }
    }

    /// Adds a test that runs beside others.
    pub(crate) fn add<F>(&mut self, name: &'static str, test: F)
    where
        F: AsyncFnOnce(&LocalAws) -> Result<()> + Send + 'static,
    {
        self.tests.push((
            name,
            Box::new(move |runtime, aws| {
                runtime.block_on(async {
                    let _turn = aws.beside_others().await;
                    test(aws).await
                })
            }),
        ));
    }

    /// Adds a test that runs alone. What it changes for all is put back after it.
    pub(crate) fn add_alone<F>(&mut self, name: &'static str, test: F)
    where
        F: AsyncFnOnce(&Alone<'_>) -> Result<()> + Send + 'static,
    {
        self.tests.push((
            name,
            Box::new(move |runtime, aws| {
                runtime.block_on(async {
                    let alone = aws.alone().await;
                    let result = test(&alone).await;
                    alone.undo().await?;
                    result
                })
            }),
        ));
    }

    /// Adds a test that changes what incidents in the second member account depend on. It runs
    /// beside those that keep to the first. What it changes is put back after it.
    pub(crate) fn add_apart<F>(&mut self, name: &'static str, test: F)
    where
        F: AsyncFnOnce(&Apart<'_>) -> Result<()> + Send + 'static,
    {
        self.tests.push((
            name,
            Box::new(move |runtime, aws| {
                runtime.block_on(async {
                    let apart = aws.apart().await;
                    let result = test(&apart).await;
                    apart.undo().await?;
                    result
                })
            }),
        ));
    }

    /// Adds a test that looks at what all the others left behind. It runs only if they all do.
    pub(crate) fn add_last<F>(&mut self, name: &'static str, test: F)
    where
        F: AsyncFnOnce(&LocalAws) -> Result<()> + Send + 'static,
    {
        if self.all {
            self.last.push((name, Box::new(move |runtime, aws| runtime.block_on(test(aws)))));
        }
    }

    /// Names the tests without running any.
    pub(crate) fn list(self, arguments: &Arguments) -> ExitCode {
        let named = self.tests.into_iter().chain(self.last);
        let trials = named.map(|(name, _)| Trial::test(name, || Ok(())));
        libtest_mimic::run(arguments, trials.collect()).exit_code()
    }

    /// Runs the tests that the arguments ask for.
    pub(crate) fn run(self, arguments: &Arguments, runtime: &Handle, aws: LocalAws) -> ExitCode {
        let aws = Arc::new(aws);
        let run = |tests: Vec<(&'static str, Test)>| {
            let trials = tests.into_iter().map(|(name, test)| {
                let (runtime, aws) = (runtime.clone(), Arc::clone(&aws));
                Trial::test(name, move || {
                    on_a_large_stack(move || test(&runtime, &aws))
                        .map_err(|error| Failed::from(format!("{error:#}")))
                })
            });
            libtest_mimic::run(arguments, trials.collect())
        };
        let mut failed = run(self.tests).has_failed();
        if !self.last.is_empty() {
            failed |= run(self.last).has_failed();
        }
        if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// Unoptimized, the futures of the SDKs outgrow the stack that a thread has by default.
fn on_a_large_stack(test: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(test)?
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
