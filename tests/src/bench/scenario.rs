//! Containments from the event to their end, measured.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::attacker::{self, Credential};
use super::report::{Figure, Steps, Unit};
use super::timeline::{Span, in_a_row, median, outside};
use crate::MEMBERS;
use crate::calls::Call;
use crate::finding::Finding;
use crate::local_aws::{LocalAws, now};
use crate::user::{ADMINISTRATOR_ACCESS, User, allow_all};

/// How many users are made at once.
const SIDE_BY_SIDE: usize = 8;

/// What a burst may take until the last principal is contained.
const LIMIT: Duration = Duration::from_mins(15);

/// Who is to be contained.
#[derive(Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) size: Size,
    /// How many findings are sent at once.
    pub(super) findings: usize,
    /// How many users each of them is about.
    pub(super) users: usize,
    /// How often it is measured.
    pub(super) runs: usize,
}

/// What a user has that is to be taken away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// A policy, an inline policy, a group and a key.
    Small,
    /// As many policies and groups as a user may have, five inline policies and two keys.
    Large,
}

/// What one run has shown.
pub(super) struct Run {
    pub(super) figures: Vec<Figure>,
    /// What each step called until the deny took effect for the last principal.
    pub(super) before: Steps,
    /// What each step called from then on.
    pub(super) after: Steps,
}

impl Scenario {
    /// The medians of its runs. The first one starts the functions, and does not count if there
    /// are others.
    pub(super) async fn measure(&self, aws: &LocalAws) -> Result<Run> {
        if self.runs > 1 {
            self.run(aws).await?;
        }
        let mut runs = Vec::new();
        for _ in 0..self.runs {
            runs.push(self.run(aws).await?);
        }
        Run::median(&runs).with_context(|| format!("`{}` has no runs", self.name))
    }

    async fn run(&self, aws: &LocalAws) -> Result<Run> {
        let victims: Vec<_> = stream::iter(0..self.findings * self.users)
            .map(async |_| self.size.user(aws).await)
            .buffered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        let (users, credentials): (Vec<User>, Vec<Vec<Credential>>) = victims.into_iter().unzip();
        let mut credentials: Vec<_> = credentials.into_iter().flatten().collect();
        let findings: Vec<Finding> = users.chunks(self.users).filter_map(about).collect();
        attacker::all_work(&mut credentials).await?;

        let sent = now().as_secs_f64();
        let (_, refused) = tokio::try_join!(
            try_join_all(findings.iter().map(|finding| aws.import(finding))),
            attacker::until_refused(credentials, LIMIT),
        )?;
        let whole = ends(aws, &findings).await?;
        for user in &users {
            let left = user.read_back().await?.left();
            ensure!(left.is_empty(), "`{}` still has {}", user.name, left.join(", "));
        }
        let calls = aws.calls().await?.into_iter().filter_map(Made::of);
        let calls: Vec<_> = calls.filter(|call| call.span.begun >= sent).collect();
        Run::of(&calls, &refused, whole)
    }
}

/// The finding about some users.
fn about(users: &[User]) -> Option<Finding> {
    let (first, others) = users.split_first()?;
    Some(others.iter().fold(Finding::about(first), Finding::and))
}

/// Waits for the end of all executions: from the start of the first to the end of the last.
async fn ends(aws: &LocalAws, findings: &[Finding]) -> Result<Span> {
    let mut whole = Span { begun: f64::INFINITY, ended: 0.0 };
    for finding in findings {
        let execution = aws.execution_of(finding).await?;
        execution.end_within(LIMIT).await?;
        let ended = execution.succeeds().await?;
        let stopped = ended.stop_date.context("an execution that ended has an end")?;
        whole.begun = whole.begun.min(ended.start_date.as_secs_f64());
        whole.ended = whole.ended.max(stopped.as_secs_f64());
    }
    Ok(whole)
}

impl Size {
    /// A new user of this size, with all its credentials: its keys, and a session made with
    /// the first.
    async fn user(self, aws: &LocalAws) -> Result<(User, Vec<Credential>)> {
        let [policies, inline, groups, keys] = match self {
            Self::Small => [0, 1, 1, 1],
            Self::Large => [9, 5, 10, 2],
        };
        let user = aws.user().account(MEMBERS[0]).create().await?;
        user.attach(ADMINISTRATOR_ACCESS).await?;
        user.attach_new(policies).await?;
        for number in 0..inline {
            user.put_inline(&format!("allow-{number}"), &allow_all()).await?;
        }
        for number in 0..groups {
            user.join_new_group(&format!("group-{number}"), ADMINISTRATOR_ACCESS).await?;
        }
        let mut credentials = Vec::new();
        for number in 0..keys {
            let key = user.access_key().await?;
            credentials.push(Credential::new(&user.arn, &user.with_key(&key)));
            if number == 0 {
                let session = user.session(&key).await?;
                credentials.push(Credential::new(&user.arn, &session.clients));
            }
        }
        Ok((user, credentials))
    }
}

/// A call that a function made.
struct Made {
    /// The function's step, such as `DetachPolicies`.
    step: String,
    /// As IAM names it.
    name: String,
    /// The ARN that it is about, if it changed something.
    changed: Option<String>,
    span: Span,
}

impl Made {
    /// Nothing, if it was not a function that made the call.
    fn of(call: Call) -> Option<Self> {
        let role = call.principal.split(":assumed-role/").nth(1)?.split('/').next()?;
        let step = role.strip_prefix("SecurityRemediation-").or(role.strip_prefix("Cordon-"))?;
        let (step, name) = (step.to_owned(), call.name());
        let span = Span { begun: call.time, ended: call.answered? };
        let changed = (!call.read_only && call.error.is_none()).then_some(call.resource);
        Some(Self { step, name, changed, span })
    }
}

/// When a credential was refused: when the first change of its principal took effect after it
/// had worked for the last time.
fn denied(credential: &Credential, calls: &[Made]) -> Result<f64> {
    let changes = calls.iter().filter(|call| {
        call.changed.as_deref() == Some(&credential.of)
            && call.span.ended >= credential.worked
            && call.span.begun <= credential.refused
    });
    changes
        .map(|call| call.span.ended)
        .min_by(f64::total_cmp)
        .with_context(|| format!("`{}` is refused, and no call has changed it", credential.of))
}

impl Run {
    fn of(calls: &[Made], refused: &[Credential], whole: Span) -> Result<Self> {
        let denied: Vec<f64> =
            refused.iter().map(|credential| denied(credential, calls)).collect::<Result<_>>()?;
        let half = median(denied.clone()).context("there was no credential")?;
        let last = denied.into_iter().fold(whole.begun, f64::max);
        let until = Span { ended: last, ..whole };
        let (before, after): (Vec<&Made>, Vec<&Made>) =
            calls.iter().partition(|call| call.span.begun < last);
        let spans: Vec<Span> = before.iter().map(|call| call.span).collect();
        let ended: Vec<Span> = spans.iter().filter(|it| it.ended <= last).copied().collect();

        let milliseconds = |name, value| Figure::new(name, Unit::Milliseconds, value);
        let counted = |name, value| Figure::new(name, Unit::Calls, value);
        let mut figures = vec![milliseconds("last credential refused after", until.milliseconds())];
        if refused.iter().all(|credential| credential.of == refused[0].of) {
            figures.push(counted("  calls in a row until then", in_a_row(&ended).into()));
            figures.push(milliseconds("  time without a call until then", outside(&spans, until)));
        } else {
            let half = Span { ended: half, ..whole };
            figures.push(milliseconds("  half of them after", half.milliseconds()));
        }
        figures.push(counted("  calls begun until then", count(before.len())));
        figures.push(counted("calls in all", count(calls.len())));
        figures.push(milliseconds("end, of which 1 s settles, after", whole.milliseconds()));
        Ok(Self { figures, before: by_step(&before), after: by_step(&after) })
    }

    /// Each figure's median. All runs have the same figures; a call that a run has not made, it
    /// has made zero times.
    fn median(runs: &[Self]) -> Option<Self> {
        let first = runs.first()?;
        let figures = first.figures.iter().enumerate().map(|(place, figure)| {
            let all = runs.iter().filter_map(|run| run.figures.get(place));
            let value = median(all.map(|figure| figure.value).collect())?;
            Some(Figure::new(&*figure.name, figure.unit, value))
        });
        let before = median_of_calls(runs, |run| &run.before);
        let after = median_of_calls(runs, |run| &run.after);
        Some(Self { figures: figures.collect::<Option<_>>()?, before, after })
    }
}

fn by_step(calls: &[&Made]) -> Steps {
    let mut steps = Steps::new();
    for call in calls {
        let step = steps.entry(call.step.clone()).or_default();
        *step.entry(call.name.clone()).or_default() += 1.0;
    }
    steps
}

fn median_of_calls(runs: &[Run], which: impl Fn(&Run) -> &Steps) -> Steps {
    let mut medians = Steps::new();
    for (step, calls) in runs.iter().flat_map(&which) {
        for call in calls.keys() {
            let counted = |run| which(run).get(step)?.get(call).copied();
            let counts = runs.iter().map(|run| counted(run).unwrap_or_default());
            if let Some(median) = median(counts.collect()).filter(|median| *median > 0.0) {
                medians.entry(step.clone()).or_default().insert(call.clone(), median);
            }
        }
    }
    medians
}

fn count(number: usize) -> f64 {
    u32::try_from(number).unwrap_or(u32::MAX).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::Clients;

    const USER: &str = "arn:aws:iam::222222222222:user/alice";

    fn made(step: &str, name: &str, writes: bool, begun: f64, ended: f64) -> Made {
        let changed = writes.then(|| USER.to_owned());
        Made { step: step.into(), name: name.into(), changed, span: Span { begun, ended } }
    }

    fn credential(worked: f64, refused: f64) -> Credential {
        let clients = Clients::of_account("http://127.0.0.1:1", "222222222222");
        let mut credential = Credential::new(USER, &clients);
        (credential.worked, credential.refused) = (worked, refused);
        credential
    }

    fn shown(run: &Run) -> Vec<(&str, f64)> {
        let figures = run.figures.iter();
        figures.map(|it| (it.name.trim_start(), (it.value * 10.0).round() / 10.0)).collect()
    }

    #[test]
    fn a_principal_is_refused_when_the_change_takes_effect_that_ended_its_credentials() {
        let calls = [
            made("AssumeRole", "iam:GetUser", false, 10.1, 10.2),
            // Beside it, still under way when the deny takes effect.
            made("Quarantine", "iam:GetRole", false, 10.25, 10.6),
            made("Quarantine", "iam:AttachUserPolicy", true, 10.3, 10.5),
            made("Tag", "iam:TagUser", true, 10.7, 10.8),
            made("Tag", "iam:TagUser", true, 10.8, 10.9),
        ];
        // The key was tried seldom, the session often.
        let credentials = [credential(10.0, 10.75), credential(10.45, 10.55)];
        let run = Run::of(&calls, &credentials, Span { begun: 10.0, ended: 11.0 }).unwrap();
        assert_eq!(
            shown(&run),
            [
                ("last credential refused after", 500.0),
                ("calls in a row until then", 2.0),
                ("time without a call until then", 150.0),
                ("calls begun until then", 3.0),
                ("calls in all", 5.0),
                ("end, of which 1 s settles, after", 1000.0),
            ]
        );
        assert_eq!(run.before["Quarantine"]["iam:GetRole"].to_string(), "1");
        assert_eq!(
            run.after,
            [("Tag".to_owned(), [("iam:TagUser".to_owned(), 2.0)].into())].into()
        );
    }

    #[test]
    fn a_refusal_that_no_change_explains_is_no_figure() {
        let calls = [made("Tag", "iam:TagUser", true, 9.0, 9.5)];
        let whole = Span { begun: 9.0, ended: 12.0 };
        let error = Run::of(&calls, &[credential(10.0, 10.1)], whole).err().unwrap();
        assert_eq!(error.to_string(), format!("`{USER}` is refused, and no call has changed it"));
    }

    #[test]
    fn only_calls_of_functions_count() {
        let call = |principal: &str| Call {
            time: 1.0,
            answered: Some(2.0),
            account: "222222222222".to_owned(),
            principal: principal.to_owned(),
            service: "iam".to_owned(),
            action: "GetUser".to_owned(),
            resource: USER.to_owned(),
            read_only: true,
            error: None,
            parameters: std::collections::BTreeMap::new(),
            sdk_invocation_id: None,
        };
        let step = |principal: &str| Made::of(call(principal)).map(|made| made.step);
        let sts = "arn:aws:sts::222222222222:assumed-role";
        let of_a_member = step(&format!("{sts}/SecurityRemediation-Tag/cordon-1"));
        assert_eq!(of_a_member.as_deref(), Some("Tag"));
        assert_eq!(step(&format!("{sts}/Cordon-Preserve/x")).as_deref(), Some("Preserve"));
        assert_eq!(step(&format!("{sts}/Admin/Cordon-Tag")), None);
        assert_eq!(step("arn:aws:iam::222222222222:root"), None);
    }

    #[test]
    fn the_median_run_has_the_median_of_each_figure_and_of_each_call() {
        let run = |refused, calls: &[(&str, f64)]| Run {
            figures: vec![Figure::new("refused", Unit::Milliseconds, refused)],
            before: Steps::new(),
            after: [(
                "Verify".to_owned(),
                calls.iter().map(|(call, count)| ((*call).to_owned(), *count)).collect(),
            )]
            .into(),
        };
        let runs = [
            run(3.0, &[("iam:GetUser", 1.0)]),
            run(1.0, &[("iam:GetUser", 1.0), ("iam:GetRole", 1.0), ("iam:TagUser", 1.0)]),
            run(2.0, &[("iam:GetUser", 5.0), ("iam:GetRole", 1.0)]),
        ];
        let median = Run::median(&runs).unwrap();
        assert_eq!(shown(&median), [("refused", 2.0)]);
        let counts = [("iam:GetUser".to_owned(), 1.0), ("iam:GetRole".to_owned(), 1.0)];
        assert_eq!(median.after["Verify"], counts.into());
    }
}
