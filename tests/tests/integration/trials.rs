//! How a test of this binary is written: an async function that gets the local AWS.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Result, anyhow};
use harness::alone::{Alone, Apart};
use harness::local_aws::LocalAws;
use harness::progress::Progress;
use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, Semaphore};

type Test = Box<dyn FnOnce(&Handle, &Clouds) -> Result<()> + Send>;

/// Tests mostly wait for the local AWS, so there may be more of them beside each other than cores.
const BESIDE_OTHERS: usize = 8;

/// The local AWS of the tests that run beside each other, another for every second of the
/// thorough ones, and the one of those that run alone, so that none wait for the others. Each is
/// started for the first test that needs it.
struct Clouds {
    turns: Semaphore,
    order: tokio::sync::Mutex<()>,
    shared: [Cloud; 2],
    exclusive: Cloud,
}

#[derive(Default)]
struct Cloud(OnceCell<Result<LocalAws, String>>);

impl Cloud {
    /// Where it did not start, no test starts it again.
    async fn started(&self) -> Result<&LocalAws> {
        let start = async || {
            LocalAws::for_tests(&Progress::new()).await.map_err(|error| format!("{error:#}"))
        };
        self.0.get_or_init(start).await.as_ref().map_err(|error| anyhow!("{error}"))
    }
}

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
        let test = beside_others(0, test);
        self.beside_others.push(Named { name: name.into(), thorough: false, test });
    }

    /// Adds a test that runs beside others, but for its length only with `--ignored`.
    pub(crate) fn add_thorough<F>(&mut self, name: impl Into<String>, test: F)
    where
        F: AsyncFnOnce(&LocalAws) -> Result<()> + Send + 'static,
    {
        let test = beside_others(self.beside_others.len() % 2, test);
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
        let test: Test = Box::new(move |runtime, clouds| {
            runtime.block_on(async {
                let apart = clouds.shared[0].started().await?.apart().await;
                let _turn = clouds.turns.acquire().await?;
                let result = test(&apart).await;
                apart.undo().await?;
                result
            })
        });
        self.beside_others.push(Named { name: name.into(), thorough: false, test });
    }

    /// Adds a test that looks at what all the others left behind, in each local AWS. It runs
    /// only if they all do.
    pub(crate) fn add_last<F>(&mut self, name: impl Into<String>, test: F)
    where
        F: AsyncFnOnce(&[&LocalAws]) -> Result<()> + Send + 'static,
    {
        if self.all {
            let test: Test = Box::new(move |runtime, clouds| {
                runtime.block_on(async {
                    let all =
                        [clouds.shared[0].started().await?, clouds.exclusive.started().await?];
                    test(&all).await
                })
            });
            self.last.push(Named { name: name.into(), thorough: false, test });
        }
    }

    /// Names the tests without running any.
    pub(crate) fn list(self, arguments: &Arguments) -> ExitCode {
        let all = self.beside_others.into_iter().chain(self.alone).chain(self.last);
        let trials = all.map(|it| Trial::test(it.name, || Ok(())).with_ignored_flag(it.thorough));
        libtest_mimic::run(arguments, trials.collect()).exit_code()
    }

    /// Runs the tests that the arguments ask for. Before those that run last it calls `report`
    /// and names once more what has failed, so that this stands near the end of the output.
    pub(crate) fn run(
        self,
        arguments: &Arguments,
        runtime: &Handle,
        report: impl FnOnce(),
    ) -> ExitCode {
        let clouds = Arc::new(Clouds {
            turns: Semaphore::new(arguments.test_threads.unwrap_or(BESIDE_OTHERS)),
            order: tokio::sync::Mutex::default(),
            shared: Default::default(),
            exclusive: Cloud::default(),
        });
        // Whoever waits to run alone keeps no other from running.
        let threads = arguments.test_threads.or(Some(self.alone.len() + BESIDE_OTHERS));
        let arguments = &Arguments { test_threads: threads, ..arguments.clone() };
        let failures = Arc::new(Mutex::new(Vec::new()));
        let thorough = arguments.ignored || arguments.include_ignored;
        let run = |tests: Vec<Named>| {
            let tests = tests.into_iter().filter(|it| thorough || !it.thorough);
            let trials = tests.map(|Named { name, thorough, test }| {
                let (runtime, clouds) = (runtime.clone(), Arc::clone(&clouds));
                let failures = Arc::clone(&failures);
                let trial = Trial::test(name.clone(), move || {
                    on_a_large_stack(move || test(&runtime, &clouds)).map_err(|error| {
                        let error = format!("{error:#}");
                        lock(&failures).push(format!("{name}: {error}"));
                        Failed::from(error)
                    })
                });
                trial.with_ignored_flag(thorough)
            });
            libtest_mimic::run(arguments, trials.collect())
        };
        let tests = self.alone.into_iter().chain(self.beside_others);
        let mut failed = run(tests.collect()).has_failed();
        report();
        for failure in lock(&failures).iter() {
            println!(
                "failed: {}",
                failure.replace('\n', " ").chars().take(400).collect::<String>()
            );
        }
        if !self.last.is_empty() {
            failed |= run(self.last).has_failed();
        }
        if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

fn beside_others<F>(cloud: usize, test: F) -> Test
where
    F: AsyncFnOnce(&LocalAws) -> Result<()> + Send + 'static,
{
    Box::new(move |runtime, clouds| {
        runtime.block_on(async {
            let _turn = clouds.turns.acquire().await?;
            test(clouds.shared[cloud].started().await?).await
        })
    })
}

fn alone<F>(test: F) -> Test
where
    F: AsyncFnOnce(&Alone<'_>) -> Result<()> + Send + 'static,
{
    Box::new(move |runtime, clouds| {
        runtime.block_on(async {
            // In the order of the list, which those that wait for the start would not keep.
            let _turn = clouds.order.lock().await;
            let alone = clouds.exclusive.started().await?.alone().await;
            let result = test(&alone).await;
            alone.undo().await?;
            result
        })
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Unoptimized, the futures of the SDKs outgrow the stack that a thread has by default. A panic,
/// which the thread has printed by then, is a failure.
fn on_a_large_stack(test: impl FnOnce() -> Result<()> + Send + 'static) -> Result<()> {
    std::thread::Builder::new().stack_size(64 << 20).spawn(test)?.join().unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(anyhow!("panicked: {}", words.unwrap_or("without a word")))
    })
}
