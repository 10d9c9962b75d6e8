//! The benchmark: how soon the attacker is out, what that takes, and what the functions weigh.
//!
//! What is measured is what is deployed: release binaries, the real machine, on a local AWS of
//! its own. As that answers at once, each call of a function is held for as long as it may
//! take on AWS.

mod attacker;
mod functions;
mod report;
mod scenario;
mod timeline;

use std::path::Path;

use anyhow::Result;

use crate::faults::{ANY_FUNCTION, Strike};
use crate::local_aws::LocalAws;
use crate::place::{self, Place, repository};
use crate::progress::Progress;
use crate::steps::Step;
use crate::tools::{self, Build};

use report::{Calls, Group, Report};
use scenario::{Scenario, Size};

/// Of so many runs the median counts.
const RUNS: usize = 7;

const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "a small user", size: Size::Small, findings: 1, users: 1, runs: RUNS },
    Scenario { name: "a large user", size: Size::Large, findings: 1, users: 1, runs: RUNS },
    // As many resources as a finding may have.
    Scenario {
        name: "a finding about 32 small users",
        size: Size::Small,
        findings: 1,
        users: 32,
        runs: RUNS,
    },
    Scenario {
        name: "200 findings in a burst (once)",
        size: Size::Small,
        findings: 200,
        users: 1,
        runs: 1,
    },
];

/// Measures, writes `target/bench.json`, and prints a table, with each call of a function held
/// for so many milliseconds. A former report, if there is one, stands beside. Fails in the end
/// if a package is too large.
pub async fn run(hold_milliseconds: u32, former: Option<&Path>, progress: &Progress) -> Result<()> {
    // First, since it may be the very file that is written in the end.
    let former = former.map(|path| Report::read(path, hold_milliseconds)).transpose()?;
    let place = Place::of_a_test_run()?;
    let (binaries, python) = tools::prepare(progress, Build::Release).await?;
    let aws = LocalAws::with(&place, &binaries, &python, progress).await?;
    let held = aws
        .fault("*", Strike::Held { milliseconds: hold_milliseconds })
        .caller(ANY_FUNCTION)
        .always()
        .stand()
        .await?;

    let mut report = Report { hold_milliseconds, ..Report::default() };
    for scenario in SCENARIOS {
        let run = progress.step(scenario.name, Box::pin(scenario.measure(&aws))).await?;
        let name = scenario.name.to_owned();
        report.groups.push(Group { name: name.clone(), figures: run.figures });
        // Of many principals it is the same, many times.
        if scenario.findings * scenario.users == 1 {
            report.calls.push(Calls { of: format!("{name}: until the deny"), steps: run.before });
            report.calls.push(Calls { of: format!("{name}: after the deny"), steps: run.after });
        }
    }
    held.lift().await?;
    let functions = functions::measure(&aws, &place, &binaries, RUNS);
    report.groups.extend(progress.step("the functions", functions).await?);

    let path = repository().join("target/bench.json");
    place::write_json(&path, &report)?;
    println!(
        "\neach call of a function held {hold_milliseconds} ms; medians of {RUNS} runs\n{}",
        report.table(former.as_ref(), &Step::all()?)
    );
    println!("written to `{}`", path.display());
    functions::are_small(&report.groups)
}
