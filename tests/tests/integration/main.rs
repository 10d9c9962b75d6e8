//! Cordon against a local AWS: every part is the real one but AWS itself.
//!
//! One local AWS serves all tests that run side by side: each makes its own users and looks at
//! its own executions. Those that change what all depend on have another, one at a time.
//!
//! - [`guide`]: the guide's own test, from the user to the finding that is RESOLVED.
//! - [`users`]: users of every kind.
//! - [`boundaries`]: the deny as permissions boundary, and the customer's own.
//! - [`repetition`]: what happens twice, at the same time, or in between.
//! - [`evidence`]: which case an incident's evidence belongs to.
//! - [`at_once`]: many findings at once.
//! - [`bad_findings`]: findings that are hostile, mistaken or broken.
//! - [`failures`]: steps that fail, and redrives after the mend.
//! - [`faults`]: every task of the state machine, made to fail in every way.
//! - [`between`]: what no Catch sees, and what never becomes an execution.
//! - [`twice`]: every step run twice.
//! - [`kinds`]: kinds of mails that nothing else causes.
//! - [`verdicts`]: every row of the verdict table, and who is meant.
//! - [`forms`]: whom a resource means, in the forms that products write.
//! - [`identity`]: who is meant, whatever the accused does about its name.
//! - [`response_policy`]: what each field of the response policy does.
//! - [`chosen`]: what people start, and what somebody starts by hand.
//! - [`counted`]: the limits of an hour.
//! - [`recurrence`]: findings that come again once they were answered.
//! - [`events`]: which of Security Hub's events start an execution.
//! - [`organization`]: the accounts from which the organisation is run.
//! - [`cost`]: what an execution takes that AWS has a price for.
//! - [`measured`]: what Cordon measures of itself.
//! - [`released`]: inputs of earlier releases.
//! - [`grants`]: what a thief of one function's credentials can do.
//! - [`granting`]: what can be done with the role that grants, and by whom.
//! - [`stolen`]: the README's table of what each function's stolen credentials can do.
//! - [`without_cspm`]: Security Hub without CSPM, whose findings are in OCSF.
//! - [`readiness`]: which accounts can be entered, asked before an incident.
//! - [`restore`]: what a restore would give back, planned.
//! - [`restore_by_hand`]: the way back, by the commands that are printed.
//! - [`restore_applied`]: what a restore gives back itself.
//! - [`restore_faults`]: every call of an applied restore, made to fail in every way.
//! - [`deployed`]: the commands that deploy, change, delete and upgrade.
//! - [`drill`]: what only AWS can settle, tried by a command that leaves nothing.
//! - [`mails`]: what a developer sees, the mails and the demo.
//! - [`aftermath`]: what the whole run has left behind.

#![expect(clippy::indexing_slicing, reason = "indexed JSON is null where it has nothing")]

mod aftermath;
mod at_once;
mod bad_findings;
mod between;
mod boundaries;
mod cases;
mod chosen;
mod cost;
mod counted;
mod deployed;
mod drill;
mod events;
mod evidence;
mod failures;
mod faults;
mod forms;
mod granting;
mod grants;
mod guide;
mod identity;
mod incident;
mod judged;
mod kinds;
mod mails;
mod measured;
mod organization;
mod readiness;
mod recurrence;
mod released;
mod repetition;
mod response_policy;
mod restore;
mod restore_applied;
mod restore_by_hand;
mod restore_faults;
mod restore_watch;
mod stolen;
mod suspect;
mod trials;
mod truth;
mod twice;
mod users;
mod verdicts;
mod ways;
mod without_cspm;

use std::process::ExitCode;

use libtest_mimic::Arguments;

use crate::trials::Trials;

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::from_args();
    let mut trials = Trials::new(&arguments);
    // Those that take minutes begin first.
    restore_faults::add_to(&mut trials);
    restore_by_hand::add_to(&mut trials);
    restore_applied::add_to(&mut trials);
    restore::add_to(&mut trials);
    deployed::add_to(&mut trials);
    mails::add_to(&mut trials);
    guide::add_to(&mut trials);
    users::add_to(&mut trials);
    boundaries::add_to(&mut trials);
    repetition::add_to(&mut trials);
    evidence::add_to(&mut trials);
    at_once::add_to(&mut trials);
    bad_findings::add_to(&mut trials);
    failures::add_to(&mut trials);
    faults::add_to(&mut trials);
    between::add_to(&mut trials);
    twice::add_to(&mut trials);
    kinds::add_to(&mut trials);
    verdicts::add_to(&mut trials);
    forms::add_to(&mut trials);
    identity::add_to(&mut trials);
    response_policy::add_to(&mut trials);
    chosen::add_to(&mut trials);
    counted::add_to(&mut trials);
    recurrence::add_to(&mut trials);
    events::add_to(&mut trials);
    organization::add_to(&mut trials);
    cost::add_to(&mut trials);
    measured::add_to(&mut trials);
    released::add_to(&mut trials);
    granting::add_to(&mut trials);
    grants::add_to(&mut trials);
    stolen::add_to(&mut trials);
    without_cspm::add_to(&mut trials);
    readiness::add_to(&mut trials);
    drill::add_to(&mut trials);
    aftermath::add_to(&mut trials);

    let runtime = tokio::runtime::Runtime::new()?;
    if arguments.list {
        return Ok(trials.list(&arguments));
    }
    Ok(trials.run(&arguments, runtime.handle(), faults::print_table))
}
