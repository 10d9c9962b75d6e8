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
use harness::messages::Message;
use harness::steps::state;
use harness::user::Snapshot;
use harness::wait::{self, PATIENCE};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::between::reported;
use crate::faults::{AT_ONCE, BROKEN, note};
use crate::restore_watch::{has_no_more, holds, is_denied, is_given_back, replay};
use crate::suspect::{Case, Suspect};
use crate::trials::Trials;
use crate::ways::{Way, calls_of, changes_something};

const INVOKE: &str = "lambda:InvokeFunction";
const PUBLISH: &str = "sns:Publish";
const READ: &str = "securityhub:GetFindings";

/// The longest that a pass takes whose fault lasts.
const LONGEST: Duration = Duration::from_mins(4);

/// Longer than a function waits for a call's answer, all attempts together.
const LONGEST_CALL: Duration = Duration::from_secs(10);

/// The functions of the restore machine, once a plan is applied.
const FUNCTIONS: [&str; 5] =
    ["plan-restore", "preserve", "apply-restore", "resolve", "write-report"];

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
    then: Snapshot,
    /// As it is to be in the end.
    wanted: Snapshot,
    digest: String,
    /// What is to apply the plan.
    restore: Execution,
}

/// Whether a state that changes the account was entered.
fn has_changed(history: &History) -> bool {
    ["GiveBack", "SetStatuses", "LiftDeny", "RemoveTag"].iter().any(|it| history.entered(it))
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
        aws.quiet(&incident.arn).await?;

        // One of its access keys, and another credential: the same in each cell.
        let mut wanted = suspect.before.clone();
        wanted.tags.remove("SecurityIncident");
        let first = |kind: &str| wanted.credentials.keys().find(|id| id.starts_with(kind)).cloned();
        let activate: Vec<_> = [first("AKIA"), first("ACCA")].into_iter().flatten().collect();
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
        Ok(Self { aws, suspect, incident, then: contained, wanted, digest, restore })
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
            (Caller::Function(folder), Some("s3")) => {
                fault.caller(name(folder)).about(suspect.id())
            }
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
        let mails = self.aws.topics().alerts.all();
        mails.iter().filter(|mail| self.is_of_a_failure(mail)).count()
    }

    /// People are told of so many failures, and of no more.
    async fn is_told(&self, failures: usize) -> Result<()> {
        let which = |mail: &Message| self.is_of_a_failure(mail);
        self.aws.topics().alerts.count(failures, which).await?;
        let told = self.failures_told();
        ensure!(told == failures, "people were told {told} times of {failures} failures");
        Ok(())
    }

    fn is_of_a_failure(&self, mail: &Message) -> bool {
        mail.subject.contains("restore failed") && mail.text.contains(&self.restore.arn)
    }

    /// What each change was made of the principal, and that nothing else has changed it.
    async fn was_never_worse(&self) -> Result<Snapshot> {
        // A function whose execution was stopped lives on, and may act between the two.
        let (calls, now) = loop {
            let calls = self.aws.calls_of(&self.restore).await?;
            let now = self.suspect.read_back().await?;
            if self.aws.calls_of(&self.restore).await?.len() == calls.len() {
                break (calls, now);
            }
        };
        let made = replay(&self.then, &calls, |_, now| holds(now, &self.wanted))?;
        ensure!(now == made, "its calls make of it {made:?}, and it is {now:?}");
        Ok(now)
    }

    /// It is as it was before, but for the statuses of keys.
    async fn is_given_back(&self) -> Result<()> {
        let now = self.was_never_worse().await?;
        ensure!(now == self.wanted, "it was to be {:?}, and is {now:?}", self.wanted);
        let (account, id) = (self.suspect.account(), self.suspect.id());
        let key = format!("evidence/{account}/{id}/0001/restored.json");
        let [record] = &self.aws.evidence_below(&key).await?[..] else {
            bail!("no record closes the case")
        };
        let said = record.json()?;
        ensure!(said["execution"] == self.restore.arn, "it is closed by {}", said["execution"]);
        let restored = |mail: &Message| {
            mail.subject.contains("given back") && mail.text.contains(&self.restore.arn)
        };
        self.aws.topics().alerts.message("of what was given back", restored).await?;
        Ok(())
    }

    /// The mail about the one failure that there is, and what failed.
    async fn told(&self, history: &History) -> Result<(Message, String, String)> {
        let failed = |mail: &Message| self.is_of_a_failure(mail);
        let mail = self.aws.topics().alerts.message("of the failure", failed).await?;
        let told = self.failures_told();
        ensure!(told == 1, "people were told {told} times of one failure");
        let (state, error) = last_failure(history).context("no task has failed")?;
        let with = format!("with {error}:");
        let in_the_mail = mail.text.split(&format!("{state} failed ")).skip(1).any(|how| {
            let after_the_call =
                how.strip_prefix("at the call ").and_then(|it| it.split_once(", "));
            how.starts_with(&with) || after_the_call.is_some_and(|(_, how)| how.starts_with(&with))
        });
        let said = in_the_mail
            || mail.text.contains(&format!("A restore failed in {state} with {error}."));
        ensure!(said, "the mail does not say that {state} failed with {error}: {}", mail.page);
        Ok((mail, state, error))
    }

    /// What the mail about a failure says is so, as read back.
    async fn was_told_truly(&self, history: &History) -> Result<String> {
        let (mail, state, error) = self.told(history).await?;
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
        says("nothing was changed", *now == self.then)?;
        says("The deny was not lifted", denied)?;
        says("the deny was put back", denied)?;
        says("All else was given back", given_back)?;
        says("no deny of ours stands", !denied && given_back)?;
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
        let evaluated = event.evaluation_failed_event_details.as_ref();
        let failed = failed.or_else(|| evaluated.and_then(|it| it.error.clone()));
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

    /// Whether the machine does not try again what lasts, so that another end comes soon.
    fn fails_at_once(&self) -> bool {
        let at_once = matches!(self.way, Way::Denied | Way::Code(_));
        self.lasts && at_once && self.expected() == End::Told
    }

    fn expected(&self) -> End {
        match (self.called.by, self.called.call.as_str()) {
            _ if !self.lasts => End::Well,
            // What is gone is not taken away again.
            (Caller::Function(_), "iam:UntagUser" | "iam:UntagRole") if self.way.takes_effect() => {
                End::Well
            }
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
        let mut told = usize::from(end != End::Well);
        if self.fails_at_once() {
            it.restore.redrive().await?;
            let (end, history) = it.ends().await?;
            ensure!(end == End::Told, "redriven, it ended {end:?}: {}", history.last_events());
            told += 1;
            it.is_told(told).await?;
        }
        fault.lift().await?;
        if end != End::Well {
            it.restore.redrive().await?;
            let (end, history) = it.ends().await?;
            ensure!(end == End::Well, "redriven, it ended {end:?}: {}", history.last_events());
        }
        it.is_given_back().await?;
        it.is_told(told).await?;
        Ok(outcome)
    }
}

/// The calls of a restore in which nothing fails.
async fn learn(aws: &LocalAws, case: Case) -> Result<Vec<Called>> {
    let it = Contained::new(aws, case).await?;
    let mut candidates =
        vec![(Caller::Machine, PUBLISH.to_owned()), (Caller::Machine, READ.to_owned())];
    for folder in FUNCTIONS {
        candidates.push((Caller::Invoking(folder), INVOKE.to_owned()));
        candidates
            .extend(calls_of(folder)?.into_iter().map(|call| (Caller::Function(folder), call)));
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
        cell(apply, "iam:PutUserPolicy", 0, Way::Denied, true),
        cell(apply, "iam:DetachUserPolicy", 0, Way::LostAfter, false),
        cell(apply, "iam:DetachUserPolicy", 0, Way::KilledAfter, true),
        cell(Caller::Function("plan-restore"), "states:GetExecutionHistory", 0, Way::Denied, true),
    ]
}

impl Called {
    /// The ways in which it is struck, and whether that lasts.
    fn ways(&self) -> Vec<(Way, bool)> {
        let (passes, lasts) = self.passing_and_lasting();
        let passes = passes.iter().map(|way| (*way, false));
        passes.chain(lasts.iter().map(|way| (*way, true))).collect()
    }

    fn passing_and_lasting(&self) -> (&'static [Way], &'static [Way]) {
        use Way::{Code, Denied, KilledAfter, KilledBefore, LostAfter, LostBefore};
        use Way::{OutOfMemory, OutOfTimeAfter, Throttled, TimedOut, Unavailable};
        let ends = self.number == 0 || self.last;
        match (self.by, self.call.as_str()) {
            (Caller::Machine, PUBLISH) => (&[Throttled, LostBefore], &[Denied]),
            (Caller::Machine, _) => {
                (&[Throttled, LostBefore], &[Code("InvalidAccessException"), TimedOut])
            }
            (Caller::Invoking("write-report"), _) => {
                (&[Throttled, KilledBefore, KilledAfter], &[KilledBefore, Way::Answered("null")])
            }
            (Caller::Invoking(_), _) => (
                &[Throttled, LostBefore, KilledBefore, KilledAfter, OutOfMemory, OutOfTimeAfter],
                &[KilledBefore, KilledAfter],
            ),
            (Caller::Function("apply-restore"), call) if changes_something(call) => {
                (&[Throttled, LostAfter, KilledBefore, KilledAfter], &[Denied, KilledAfter])
            }
            (Caller::Function(_), call) if ends && changes_something(call) => (
                &[Throttled, Unavailable, LostAfter, KilledBefore, KilledAfter],
                &[Denied, KilledAfter],
            ),
            (Caller::Function("apply-restore"), _) => (&[KilledBefore], &[Denied]),
            (Caller::Function(_), _) if ends => (&[Throttled, KilledBefore], &[Denied]),
            _ => (&[], &[]),
        }
    }

    /// Whether another incident is told apart by coming before it: of reads that are many, before
    /// the first.
    fn is_a_moment(&self) -> bool {
        match self.by {
            Caller::Function("apply-restore") | Caller::Invoking(_) | Caller::Machine => true,
            Caller::Function("plan-restore") => self.number == 0 || self.last,
            Caller::Function(_) => self.number == 0 && changes_something(&self.call),
        }
    }
}

/// What of a restore is struck: all that a function does and the machine does with it, or what
/// the machine does otherwise.
fn is_of(called: &Called, part: &str) -> bool {
    match called.by {
        Caller::Machine => part == MACHINE,
        Caller::Invoking(folder) | Caller::Function(folder) => part == folder,
    }
}

const MACHINE: &str = "the machine";

/// What is struck, of whom. What differs by the principal is what is given back.
const PARTS: [(Case, &str); 10] = [
    (Case::BoundedUser, "apply-restore"),
    (Case::BoundedUser, "plan-restore"),
    (Case::BoundedUser, "preserve"),
    (Case::BoundedUser, "resolve"),
    (Case::BoundedUser, "write-report"),
    (Case::BoundedUser, MACHINE),
    (Case::User, "apply-restore"),
    (Case::BoundedRole, "apply-restore"),
    (Case::FullUser, "apply-restore"),
    (Case::FullRole, "apply-restore"),
];

async fn all_cells(aws: &LocalAws, case: Case, part: &str) -> Result<Vec<Cell>> {
    let all = learn(aws, case).await?.into_iter().filter(|called| is_of(called, part));
    let lifts = |called: &Called| called.call.contains("PermissionsBoundary");
    let detaches = |called: &Called| called.call.contains("Detach");
    let chosen = all.filter(|called| match case {
        Case::User => detaches(called),
        Case::FullUser | Case::FullRole => lifts(called),
        _ => true,
    });
    Ok(chosen
        .flat_map(|called| {
            let ways = called.ways().into_iter();
            ways.map(move |(way, lasts)| Cell { case, called: called.clone(), way, lasts })
        })
        .collect())
}

/// A call before which another incident comes.
struct Meanwhile {
    case: Case,
    called: Called,
}

impl fmt::Display for Meanwhile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {:?}, another incident before", self.called, self.case)
    }
}

/// With what a restore fails that another incident has met.
const MET: [&str; 3] = ["IncidentMeanwhile", "IncidentPending", "CaseNotNewest"];

impl Meanwhile {
    /// Holds the call until the incident has stored its evidence, and lets it go through then.
    async fn run(&self, aws: &LocalAws) -> Result<String> {
        let it = Contained::new(aws, self.case).await?;
        let Called { by, call, number, .. } = &self.called;
        let strike = Strike::Held { milliseconds: 60_000 };
        let held = it.fault(*by, call, strike).after(*number).always().stand().await?;
        let known = it.objects().await?;
        it.start().await?;
        wait::until(format_args!("`{call}` to be held"), PATIENCE, async || {
            Ok((held.struck().await? > 0).then_some(()))
        })
        .await?;
        let incident = aws.execution_to_be();
        it.suspect.accuse_again(&incident).await?;
        wait::until(format_args!("evidence of `{}`", incident.name()), PATIENCE, async || {
            Ok((it.objects().await? > known).then_some(()))
        })
        .await?;
        held.lift().await?;
        let (end, history) = it.ends().await?;
        if incident.end_within(LONGEST).await?.status != ExecutionStatus::Succeeded {
            incident.redrive().await?;
            incident.succeeds().await.context("the other incident")?;
        }
        it.stays_denied(&incident).await?;
        if end == End::Well {
            // It had lifted the deny before, and the incident has put it there again.
            let left = it.suspect.read_back().await?.left();
            ensure!(left.is_empty(), "contained again, it has {left:?}");
            return Ok("given back before, and contained again".to_owned());
        }
        ensure!(end == End::Told, "it ended {end:?}: {}", history.last_events());
        let (mail, state, error) = it.told(&history).await?;
        // A call that is held for longer than its attempts last is given up as one of AWS's.
        let met = MET.contains(&error.as_str()) || error == "ServiceUnavailable";
        ensure!(met, "{state} failed with {error}: {}", mail.page);
        let says = |words: &str| mail.text.contains(words);
        let untrue = ["may be lifted", "no deny of ours stands", "could not be put back"];
        let untrue = untrue.iter().any(|words| says(words))
            || says("nothing was changed") && has_changed(&history)
            || says("The deny was not lifted") && history.entered("LiftDeny");
        ensure!(!untrue, "it does not say what is: {}", mail.page);

        // Redriven, it meets the same.
        it.restore.redrive().await?;
        let (end, history) = it.ends().await?;
        ensure!(end == End::Told, "redriven, it ended {end:?}: {}", history.last_events());
        let (_, again) = last_failure(&history).context("no task has failed")?;
        ensure!(MET.contains(&again.as_str()), "redriven, it fails with {again}");
        it.is_told(2).await?;
        it.stays_denied(&incident).await?;
        Ok(format!("{state}: {error}"))
    }
}

impl Contained<'_> {
    /// How many objects lie in the cases of the principal, but for what closes one.
    async fn objects(&self) -> Result<usize> {
        let (account, id) = (self.suspect.account(), self.suspect.id());
        let all = self.aws.evidence_below(&format!("evidence/{account}/{id}/")).await?;
        Ok(all.iter().filter(|one| one.name() != "restored.json").count())
    }

    /// The deny stands although another incident and the restore have met: the restore has not
    /// lifted it before it had given back all, and both together have never given more than there
    /// was.
    async fn stays_denied(&self, incident: &Execution) -> Result<()> {
        let own = self.aws.calls_of(&self.restore).await?;
        replay(&self.then, &own, |_, now| holds(now, &self.wanted))?;
        let others = self.aws.calls_of(incident).await?;
        let all = [own, others].concat();
        let made = replay(&self.then, &all, |_, now| has_no_more(now, &self.wanted))?;
        let now = self.suspect.read_back().await?;
        ensure!(now == made, "the calls make of it {made:?}, and it is {now:?}");
        ensure!(is_denied(&now), "the deny is off: {now:?}");
        Ok(())
    }
}

/// So many at once where another incident is to come in time.
static MEANWHILE_AT_ONCE: Semaphore = Semaphore::const_new(4);

async fn hold_meanwhile(aws: &LocalAws, cells: Vec<Meanwhile>) -> Result<()> {
    let results = stream::iter(&cells).map(async |cell| {
        let _turn = MEANWHILE_AT_ONCE.acquire().await?;
        let outcome = Box::pin(cell.run(aws)).await;
        note(cell, outcome.as_ref().map_or_else(|_| BROKEN.to_owned(), Clone::clone));
        outcome.with_context(|| format!("{cell}"))
    });
    all_hold(results.buffer_unordered(cells.len().max(1)).collect().await)
}

/// Right before the deny is lifted, after it was looked for other incidents; and right after.
fn some_moments() -> Vec<Meanwhile> {
    let apply = Caller::Function("apply-restore");
    let moment = |by, call: &str, number| Meanwhile {
        case: Case::BoundedUser,
        called: Called { by, call: call.to_owned(), number, last: false },
    };
    vec![
        moment(apply, "iam:DetachUserPolicy", 0),
        moment(apply, "s3:ListBucket", 1),
        moment(Caller::Invoking("preserve"), INVOKE, 3),
    ]
}

pub(crate) fn add_to(trials: &mut Trials) {
    trials.add("restore: one that a person stops is reported, and redriven", stopped);
    trials.add("restore: stopped at the deny, it reads all anew before it lifts it", changed_while);
    trials.add(
        "restore: what fails passes, or is told, held and redriven",
        async |aws: &LocalAws| hold(aws, some_cells()).await,
    );
    trials.add("restore: another incident meanwhile keeps the deny", async |aws: &LocalAws| {
        hold_meanwhile(aws, some_moments()).await
    });
    for (case, part) in PARTS {
        let name = format!("restore of {case:?}, {part}: whatever fails");
        trials.add_thorough(name, async move |aws: &LocalAws| {
            hold(aws, all_cells(aws, case, part).await?).await
        });
    }
    for case in [Case::BoundedUser, Case::BoundedRole, Case::FullUser] {
        let name = format!("restore of {case:?}: another incident before each call");
        trials.add_thorough(name, async move |aws: &LocalAws| {
            let all = learn(aws, case).await?.into_iter();
            let moments = all.filter(Called::is_a_moment);
            hold_meanwhile(aws, moments.map(|called| Meanwhile { case, called }).collect()).await
        });
    }
}

async fn stopped(aws: &LocalAws) -> Result<()> {
    let it = Contained::new(aws, Case::User).await?;
    let entry = it.fault(Caller::Function("apply-restore"), "sts:AssumeRole", Strike::TimedOut);
    let entry = entry.always().stand().await?;
    it.start().await?;
    it.restore.enters("GiveBack").await?;
    it.restore.stop().await?;
    it.restore.ends(ExecutionStatus::Aborted).await?;
    reported(aws, &it.restore, "ABORTED").await?;
    // The function that was called lives on, and would act once it is let in.
    tokio::time::sleep(LONGEST_CALL).await;
    entry.lift().await?;
    it.was_never_worse().await?;
    it.restore.redrive().await?;
    it.restore.succeeds().await?;
    it.is_given_back().await
}

/// What somebody does while it is stopped is seen before anything is done. The function that was
/// called lives on when its execution is stopped, so its call hangs all the while.
async fn changed_while(aws: &LocalAws) -> Result<()> {
    let mut it = Contained::new(aws, Case::User).await?;
    let apply = Caller::Function("apply-restore");
    let detach = it.fault(apply, "iam:DetachUserPolicy", Strike::TimedOut);
    let detach = detach.always().stand().await?;
    it.start().await?;
    wait::until("the deny to be about to go", PATIENCE, async || {
        Ok((detach.struck().await? > 0).then_some(()))
    })
    .await?;
    it.restore.stop().await?;
    it.restore.ends(ExecutionStatus::Aborted).await?;
    it.suspect.tag("since", "then").await?;
    it.restore.redrive().await?;
    let (end, history) = it.ends().await?;
    ensure!(end == End::Told, "it ended {end:?}: {}", history.last_events());
    let (_, error) = last_failure(&history).context("no task has failed")?;
    ensure!(error == "AccountChanged", "it failed with {error}");
    let now = it.suspect.read_back().await?;
    ensure!(is_denied(&now), "the deny is off: {now:?}");
    it.is_told(1).await?;
    detach.lift().await?;
    Ok(())
}
