//! Every call of an applied restore, made to fail in every way that it can meet, and another
//! incident before each of them.
//!
//! Which calls there are, a restore tells in which nothing fails. Whatever is struck: at no moment
//! has the principal more than it had, or is the deny off while something is not given back; what
//! passes, passes; what lasts, people are told once, and truly; and once it is mended, a redrive
//! gives back the rest.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use futures::stream::{self, StreamExt};
use harness::MEMBERS;
use harness::calls::source_identity;
use harness::execution::{Execution, History};
use harness::faults::{Fault, NewFault, Strike};
use harness::local_aws::LocalAws;
use harness::steps::state;
use harness::user::Snapshot;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::faults::{AT_ONCE, BROKEN, LONGEST, note};
use crate::restore_watch::{has_no_more, holds, is_denied, is_given_back, replay};
use crate::suspect::{Case, Suspect};
use crate::trials::Trials;
use crate::ways::{Way, calls_of, changes_something};

const INVOKE: &str = "lambda:InvokeFunction";
const PUBLISH: &str = "sns:Publish";
const READ: &str = "securityhub:GetFindings";

/// The functions of the restore machine, once a plan is applied.
const FUNCTIONS: [&str; 5] = ["plan-restore", "preserve", "apply-restore", "resolve", "write-report"];

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// The machine itself, by a task.
    Machine,
    /// The machine, which invokes this function.
    Invoking(&'static str),
    /// A function.
    Function(&'static str),
}

/// A call of an applied restore: the n-th of its kind by its caller.
#[derive(Clone, Debug)]
struct Called {
    by: Caller,
    call: String,
    number: u32,
    /// Whether it is the last of its kind.
    last: bool,
}

impl fmt::Display for Called {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, call, number, .. } = self;
        match by {
            Caller::Machine => write!(out, "restore {call} {number}"),
            Caller::Invoking(folder) => write!(out, "restore invokes {folder} {number}"),
            Caller::Function(folder) => write!(out, "restore {folder} {call} {number}"),
        }
    }
}

/// A call that is struck.
struct Cell {
    case: Case,
    called: Called,
    way: Way,
    /// Until it is lifted; otherwise as often as it takes for the machine to notice.
    lasts: bool,
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, called, way, lasts } = self;
        let lasting = if *lasts { ", lasting" } else { "" };
        write!(out, "{called} of {case:?} {way}{lasting}")
    }
}

/// A principal that was contained, and the plan of its restore.
struct Contained<'a> {
    aws: &'a LocalAws,
    suspect: Suspect<'a>,
    incident: Execution,
    /// As it is, contained.
    contained: Snapshot,
    /// As it is to be in the end.
    wanted: Snapshot,
    digest: String,
    /// What is to apply the plan.
    restore: Execution,
}

impl<'a> Contained<'a> {
    async fn new(aws: &'a LocalAws, case: Case) -> Result<Self> {
        let mut suspect = Suspect::new(aws, MEMBERS[0], case).await?;
        suspect.tag("team", "caf\u{e9} bleu").await?;
        suspect.tag("FindingId", "of its owner").await?;
        let incident = aws.execution_to_be();
        suspect.start(&incident).await?;
        incident.succeeds().await?;
        let contained = suspect.read_back().await?;
        ensure!(contained.left().is_empty(), "it is not contained: {:?}", contained.left());

        // One of its access keys, and another credential.
        let mut wanted = suspect.before.clone();
        wanted.tags.remove("SecurityIncident");
        let credentials = wanted.credentials.clone().into_keys();
        let (keys, others): (Vec<_>, Vec<_>) = credentials.partition(|id| id.starts_with("AKIA"));
        let activate: Vec<_> = keys.into_iter().take(1).chain(others.into_iter().take(1)).collect();
        for (id, status) in &mut wanted.credentials {
            if !activate.contains(id) {
                "Inactive".clone_into(status);
            }
        }
        let asked = json!({
            "execution": incident.arn, "principal": suspect.id(), "activate": activate,
        });
        let planned = aws.start_restore(&asked).await?.succeeds().await?;
        let output: Value = serde_json::from_str(&planned.output.unwrap_or_default())?;
        let digest = output["digest"].as_str().context("the plan has no digest")?.to_owned();
        let restore = aws.restore_to_be();
        Ok(Self { aws, suspect, incident, contained, wanted, digest, restore })
    }

    async fn start(&self) -> Result<()> {
        let asked = json!({
            "execution": self.incident.arn, "principal": self.suspect.id(), "apply": self.digest,
            "by": "Ada of the security team", "reason": "It was our own test.",
            "disposition": "recovered",
        });
        self.aws.start_restore_as(&self.restore, &asked).await
    }

    /// A fault of the restore's own calls alone.
    fn fault(&self, by: Caller, call: &str, strike: Strike) -> NewFault<'a> {
        let (it, suspect) = (&self.restore, &self.suspect);
        let fault = self.aws.fault(call, strike);
        let session = source_identity(it);
        let name = |folder: &str| format!("cordon-{folder}");
        match (by, call.split(':').next()) {
            (Caller::Machine, _) => fault.caller(it.name()),
            (Caller::Invoking(folder), _) => fault.caller(it.name()).about(name(folder)),
            (Caller::Function(folder), Some("lambda")) => {
                fault.caller(name(folder)).about(it.name())
            }
            (Caller::Function(folder), Some("sts")) => fault.caller(name(folder)).about(session),
            (Caller::Function(folder), Some("iam")) => {
                let role = format!("assumed-role/SecurityRemediation-{}", state(folder));
                fault.caller(format!("arn:aws:sts::{}:{role}/{session}", suspect.account()))
            }
            (Caller::Function(folder), Some("states")) => {
                fault.caller(name(folder)).about(&self.incident.arn)
            }
            (Caller::Function(folder), Some("s3")) => fault.caller(name(folder)).about(suspect.id()),
            (Caller::Function(folder), _) => fault.caller(name(folder)).about(suspect.finding.id()),
        }
    }

    /// Waits for the end of a pass.
    async fn ends(&self) -> Result<(End, History)> {
        let ended = self.restore.end_within(LONGEST).await?;
        let history = self.restore.history().await?;
        let end = match (ended.status, history.last_state()) {
            (ExecutionStatus::Succeeded, "Restored") => End::Well,
            (ExecutionStatus::Failed, "WaitForPeopleToRedrive") => End::Told,
            (ExecutionStatus::Failed, "TellFailure") => End::Untold,
            (status, state) => bail!("{status} at `{state}`: {}", history.last_events()),
        };
        Ok((end, history))
    }

    /// How often people were told that it failed.
    fn failures_told(&self) -> usize {
        let mails = self.aws.topics().alerts.mentioning(&self.restore.arn);
        mails.iter().filter(|mail| mail.subject.contains("restore failed")).count()
    }

    /// What each change was made of the principal, and that nothing else has changed it.
    async fn was_never_worse(&self) -> Result<Snapshot> {
        let calls = self.aws.calls_of(&self.restore).await?;
        let made = replay(&self.contained, &calls, |_, now| holds(now, &self.wanted))?;
        let now = self.suspect.read_back().await?;
        ensure!(now == made, "its calls make of it {made:?}, and it is {now:?}");
        Ok(now)
    }

    /// It is as it was before, but for the statuses of keys.
    async fn is_given_back(&self) -> Result<()> {
        let now = self.was_never_worse().await?;
        ensure!(now == self.wanted, "it was to be {:?}, and is {now:?}", self.wanted);
        let (account, id) = (self.suspect.account(), self.suspect.id());
        let key = format!("evidence/{account}/{id}/0001/restored.json");
        let [record] = &self.aws.evidence_below(&key).await?[..] else { bail!("no record closes the case") };
        let said = record.json()?;
        ensure!(said["execution"] == self.restore.arn, "it is closed by {}", said["execution"]);
        let restored = |mail: &harness::messages::Message| {
            mail.subject.contains("given back") && mail.text.contains(&self.restore.arn)
        };
        self.aws.topics().alerts.message("of what was given back", restored).await?;
        Ok(())
    }

    /// What the mail about a failure says is so, as read back.
    async fn was_told_truly(&self, history: &History) -> Result<String> {
        let failed = |mail: &harness::messages::Message| {
            mail.subject.contains("restore failed") && mail.text.contains(&self.restore.arn)
        };
        let mail = self.aws.topics().alerts.message("of the failure", failed).await?;
        let told = self.failures_told();
        ensure!(told == 1, "people were told {told} times of one failure");
        let (state, error) = last_failure(history).context("no task has failed")?;
        let said = mail.text.contains(&format!("{state} failed with {error}:"))
            || mail.text.contains(&format!("A restore failed in {state} with {error}."));
        ensure!(said, "the mail does not say that {state} failed with {error}: {}", mail.page);
        let now = self.was_never_worse().await?;
        self.is_true(&mail.text, &now).with_context(|| mail.page.clone())?;
        Ok(format!("{state}: {error}"))
    }

    /// Holds the words of a mail against the account.
    fn is_true(&self, said: &str, now: &Snapshot) -> Result<()> {
        let mut words = 0;
        let mut says = |what: &str, is: bool| {
            if !said.contains(what) {
                return Ok(());
            }
            words += 1;
            ensure!(is, "it says `{what}`, and it is {now:?}");
            Ok(())
        };
        let given_back = is_given_back(now, &self.wanted);
        let denied = is_denied(now);
        says("nothing was changed", *now == self.contained)?;
        says("The deny was not touched", denied)?;
        says("the deny was put back", denied)?;
        says("All else is given back", given_back)?;
        says("our deny is lifted", !denied && given_back)?;
        says("How far it has come, its history says", true)?;
        ensure!(words == 1, "it says {words} times how far it has come");
        Ok(())
    }
}

/// How a pass ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// All is given back.
    Well,
    /// People are told what failed, and the execution waits for a redrive.
    Told,
    /// People could not be told.
    Untold,
}

/// The state that failed for good last, but for those that find the words for it, and its error.
fn last_failure(history: &History) -> Option<(String, String)> {
    let mut state = "";
    let mut failure = None;
    for event in &history.events {
        if let Some(entered) = &event.state_entered_event_details {
            state = &entered.name;
        }
        let failed = event.task_failed_event_details.as_ref().and_then(|it| it.error.clone());
        let timed_out = event.task_timed_out_event_details.as_ref();
        let failed = failed.or_else(|| timed_out.and_then(|it| it.error.clone()));
        if let Some(error) = failed
            && !["ReportFailure", "TellFailure"].contains(&state)
        {
            failure = Some((state.to_owned(), error));
        }
    }
    failure
}

impl Cell {
    /// Who is struck, of the two that have a part in an invocation.
    fn by(&self) -> Caller {
        match self.called.by {
            Caller::Invoking(folder) if self.way.strikes_the_function() => Caller::Function(folder),
            by => by,
        }
    }

    fn strikes(&self) -> u32 {
        match self.called.by {
            Caller::Function(_) => self.way.attempts(),
            _ => 1,
        }
    }

    async fn stand(&self, it: &Contained<'_>) -> Result<Fault> {
        let fault = it.fault(self.by(), &self.called.call, self.way.strike());
        let fault = fault.after(self.called.number);
        let fault = if self.way.takes_effect() { fault.after_it_took_effect() } else { fault };
        let fault = if self.lasts { fault.always() } else { fault.times(self.strikes()) };
        fault.stand().await
    }

    fn expected(&self) -> End {
        match (self.called.by, self.called.call.as_str()) {
            _ if !self.lasts => End::Well,
            (Caller::Machine, PUBLISH) => End::Untold,
            _ => End::Told,
        }
    }

    /// Runs it from the containment to the end of its redrive. Returns its outcome in words.
    async fn run(&self, aws: &LocalAws) -> Result<String> {
        let it = Contained::new(aws, self.case).await?;
        let fault = self.stand(&it).await?;
        it.start().await?;
        let (end, history) = it.ends().await?;
        let struck = fault.struck().await?;
        ensure!(struck > 0, "no call was struck");
        let expected = self.expected();
        ensure!(end == expected, "it ended {end:?}, not {expected:?}: {}", history.last_events());
        let outcome = match end {
            End::Well => "passes".to_owned(),
            End::Told => format!("{} told, redriven", it.was_told_truly(&history).await?),
            End::Untold => {
                it.was_never_worse().await?;
                "nobody told, redriven".to_owned()
            }
        };
        fault.lift().await?;
        if end != End::Well {
            it.restore.redrive().await?;
            let (end, history) = it.ends().await?;
            ensure!(end == End::Well, "redriven, it ended {end:?}: {}", history.last_events());
        }
        it.is_given_back().await?;
        let (told, most) = (it.failures_told(), usize::from(end != End::Well));
        ensure!(told == most, "people were told {told} times of {most} failures");
        Ok(outcome)
    }
}

/// The calls of a restore in which nothing fails.
async fn learn(aws: &LocalAws, case: Case) -> Result<Vec<Called>> {
    let it = Contained::new(aws, case).await?;
    let mut candidates = vec![(Caller::Machine, PUBLISH.to_owned()), (Caller::Machine, READ.to_owned())];
    for folder in FUNCTIONS {
        candidates.push((Caller::Invoking(folder), INVOKE.to_owned()));
        candidates.extend(calls_of(folder)?.into_iter().map(|call| (Caller::Function(folder), call)));
    }
    let mut counting = Vec::new();
    for (by, call) in candidates {
        // Strikes nothing, but counts.
        let fault = it.fault(by, &call, Strike::Held { milliseconds: 0 }).always().stand().await?;
        counting.push((by, call, fault));
    }
    it.start().await?;
    let (end, history) = it.ends().await?;
    ensure!(end == End::Well, "it ended {end:?}: {}", history.last_events());
    it.is_given_back().await?;
    let mut all = Vec::new();
    for (by, call, fault) in counting {
        let times = fault.lift().await?;
        all.extend((0..times).map(|number| Called {
            by,
            call: call.clone(),
            number,
            last: number + 1 == times,
        }));
    }
    Ok(all)
}

/// Runs cells side by side. Fails with all that do not hold.
async fn hold(aws: &LocalAws, cells: Vec<Cell>) -> Result<()> {
    let results = stream::iter(&cells).map(async |cell| {
        let _turn = AT_ONCE.acquire().await?;
        let outcome = Box::pin(cell.run(aws)).await;
        note(cell, outcome.as_ref().map_or_else(|_| BROKEN.to_owned(), Clone::clone));
        outcome.with_context(|| format!("{cell}"))
    });
    all_hold(results.buffer_unordered(cells.len().max(1)).collect().await)
}

fn all_hold(results: Vec<Result<String>>) -> Result<()> {
    let broken: Vec<String> =
        results.into_iter().filter_map(|it| it.err().map(|it| format!("{it:#}"))).collect();
    ensure!(broken.is_empty(), "{} cells do not hold:\n\n{}", broken.len(), broken.join("\n\n"));
    Ok(())
}

/// Some that stand for all.
fn some_cells() -> Vec<Cell> {
    let cell = |by, call: &str, number, way, lasts| Cell {
        case: Case::BoundedUser,
        called: Called { by, call: call.to_owned(), number, last: false },
        way,
        lasts,
    };
    let apply = Caller::Function("apply-restore");
    vec![
        cell(apply, "iam:AttachUserPolicy", 0, Way::KilledAfter, false),
        cell(apply, "iam:DetachUserPolicy", 0, Way::LostAfter, false),
        cell(apply, "iam:DetachUserPolicy", 0, Way::Denied, true),
        cell(apply, "iam:PutUserPolicy", 0, Way::Denied, true),
    ]
}

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("restore: what fails passes, or is told, held and redriven", async |aws: &LocalAws| {
        hold(aws, some_cells()).await
    });
}
