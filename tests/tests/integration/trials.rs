//! How a test of this binary is written: an async function that gets the local AWS.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use harness::alone::Alone;
use harness::local_aws::LocalAws;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Handle;

type Test = Box<dyn FnOnce(&Handle, &LocalAws) -> Result<()> + Send>;

/// The tests of a run.
#[derive(Default)]
pub(crate) struct Trials {
    tests: Vec<(&'static str, Test)>,
}

impl Trials {
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

    /// Names the tests without running any.
    pub(crate) fn list(self, arguments: &Arguments) -> ExitCode {
        let named = self.tests.into_iter();
        let trials = named.map(|(name, _)| Trial::test(name, || Ok(())));
        libtest_mimic::run(arguments, trials.collect()).exit_code()
    }

    /// Runs the tests that the arguments ask for.
    pub(crate) fn run(self, arguments: &Arguments, runtime: &Handle, aws: LocalAws) -> ExitCode {
        let aws = Arc::new(aws);
        let trials = self.tests.into_iter().map(|(name, test)| {
            let (runtime, aws) = (runtime.clone(), Arc::clone(&aws));
            Trial::test(name, move || {
                test(&runtime, &aws).map_err(|error| Failed::from(format!("{error:#}")))
            })
        });
        libtest_mimic::run(arguments, trials.collect()).exit_code()
    }
}
