//! The words of a restore that was carried out, or that failed on the way.

use incident::restore::{Disposition, Finding, Item, Lost, Plan, Restored, Shown};
use incident::{
    Execution, Failed, Failure, Kind, Principal, Stored, ascii, cut, is_in_ocsf, listed, one_line,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::Duration;

use crate::advice::{self, Step, Whose};
use crate::cause::Said;
use crate::commands::{self, search};
use crate::errors::{UNKNOWN, meaning};
use crate::give_back::about;
use crate::message::{Message, Notification, OfARestore};
use crate::page::Page;
use crate::restore::{
    activated, boundary_stays, exempt, new_rights, object, severity, stays_denied, word,
};
use crate::shell::Command;
use crate::told::{Room, after};
use crate::{LARGEST, mail, unwritable};

/// For so long an exemption is proposed after a false positive.
const EXEMPT: Duration = Duration::days(30);

/// What failed of a restore, and how far it had come.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreFailure {
    /// The execution that restores, or plans.
    execution: Execution,
    /// What failed.
    failure: Failed,
    /// Which incident was to be taken back. As a person gave it.
    incident: String,
    /// Whom, if that is known.
    principal: Option<Principal>,
    /// The incident's finding, if that is known.
    finding: Option<Finding>,
    /// The digest of the plan that was to be carried out; none, where only a plan was to be made.
    apply: Option<String>,
    /// What was begun last, if anything was.
    begun: Option<Begun>,
    /// The plan, if it was read.
    plan: Option<Stored>,
}

/// What a restore does, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Begun {
    GiveBack,
    SetStatuses,
    LiftDeny,
    DenyAgain,
    RemoveTag,
    Close,
}

/// The step's output for both.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The mail's subject: ASCII, fewer than 100 characters.
    pub subject: String,
    /// How it ended, in one word, for a message attribute.
    pub verdict: &'static str,
    /// The finding's note.
    pub note: String,
    /// The message, for `MessageStructure=json`: a copy for each protocol.
    pub message: String,
    /// The mail's text.
    pub text: String,
}

/// The words for what was given back. All that was read of the principal is hostile.
struct Words<'a>(&'a Restored);

/// Whom and what a message is about.
struct About<'a> {
    execution: &'a Execution,
    incident: &'a str,
    principal: Option<&'a Principal>,
    finding: Option<&'a Finding>,
    verdict: &'static str,
    phrase: &'static str,
    /// What the subject begins with.
    mark: &'static str,
}

/// Writes what was given back.
pub(crate) fn write(restored: &Restored) -> Result<Told, Failure> {
    let Restored { plan, execution, by, reason, disposition, .. } = restored;
    let is_whole = restored.by_hand.is_empty() && plan.drift.is_empty();
    let about = About {
        execution,
        incident: plan.incident.arn(),
        principal: Some(&plan.principal),
        finding: Some(&plan.finding),
        verdict: if is_whole { "restored" } else { "restoredInPart" },
        phrase: match (closes_alone(plan), is_whole) {
            (true, _) => "case closed",
            (false, true) => "given back",
            (false, false) => "given back in part",
        },
        mark: "RESTORE",
    };
    let what = match disposition {
        Disposition::FalsePositive => "false positive",
        Disposition::Recovered => "recovered",
    };
    let did = if closes_alone(plan) {
        "has nothing left to be given back, and its case is closed"
    } else if is_whole && plan.inactive.is_empty() && plan.lost.is_empty() {
        "was given back what it had"
    } else {
        "was given back in part what it had"
    };
    let note = format!(
        "{} `{}` {did} ({what}), by {}: {}",
        plan.principal.kind.noun(),
        one_line(&plan.principal.name, 64),
        one_line(by, 100),
        one_line(reason, 200)
    );
    let note = cut(&note, 512);
    let words = Words(restored);
    let of = |items| about.told(&words.first(), &words.steps(), note.clone(), words.text(items));
    let mut told = of(20)?;
    for items in [6, 1] {
        if serde_json::to_vec(&told).map_err(|error| unwritable(&error))?.len() <= LARGEST {
            break;
        }
        told = of(items)?;
    }
    Ok(told)
}

/// Writes what failed.
pub(crate) fn write_failure(failed: &RestoreFailure) -> Result<Told, Failure> {
    let about = About {
        execution: &failed.execution,
        incident: &failed.incident,
        principal: failed.principal.as_ref(),
        finding: failed.finding.as_ref(),
        verdict: if failed.apply.is_some() { "restoreFailed" } else { "planFailed" },
        phrase: match failed.apply {
            Some(_) if failed.not_denied_again() => "restore failed, NOT DENIED",
            Some(_) => "restore failed",
            None => "no restore is planned",
        },
        mark: if failed.apply.is_some() { "RESTORE" } else { "PLAN" },
    };
    about.told(&failed.first(), &failed.steps(), String::new(), failed.text())
}

impl About<'_> {
    fn told(
        &self,
        said: &[String],
        steps: &[Step],
        note: String,
        text: String,
    ) -> Result<Told, Failure> {
        let subject = self.subject();
        let document = serde_json::to_string(&self.document(&subject, said, steps));
        let document = document.map_err(|error| unwritable(&error))?;
        let short = cut(&format!("Cordon {subject}"), 140);
        let message = serde_json::to_string(&Message::of(&text, &short, &document));
        let message = message.map_err(|error| unwritable(&error))?;
        Ok(Told { subject, verdict: self.verdict, note, message, text })
    }

    /// The subject: no two executions share one.
    fn subject(&self) -> String {
        let number = mail::number_of(self.execution);
        let begin = format!("[{}] {}: ", self.mark, self.phrase);
        let Some(Principal { account, kind, name, .. }) = self.principal else {
            let incident = Execution::try_from(self.incident.to_owned()).ok();
            let of = incident.map(|one| format!("incident {}", mail::number_of(&one)));
            let of = of.as_deref().unwrap_or("an unknown incident");
            return format!("{begin}{of} ({number})");
        };
        let (noun, end) = (kind.noun(), format!(" in {account} ({number})"));
        let room = mail::MOST_OF_A_SUBJECT.saturating_sub(begin.len() + noun.len() + 1 + end.len());
        format!("{begin}{noun}/{}{end}", ascii(name, room))
    }

    fn document(&self, subject: &str, said: &[String], steps: &[Step]) -> Notification {
        let (id, label) = self.finding.map_or(("", ""), |one| (&one.id, &one.severity));
        let incident = Execution::try_from(self.incident.to_owned());
        OfARestore {
            subject,
            verdict: self.verdict,
            thread: mail::number_of(incident.as_ref().unwrap_or(self.execution)),
            said,
            steps,
            principal: self.principal,
            facts: vec![
                ("severity", severity(label)),
                ("findingId", one_line(id, 512)),
                ("execution", self.execution.arn().to_owned()),
                ("incident", one_line(self.incident, 700)),
            ],
        }
        .notification()
    }
}

/// Whether a case is only closed, of which nothing was left to be given back.
fn closes_alone(plan: &Plan) -> bool {
    plan.case.is_some() && plan.changes.is_empty()
}

/// The findings of the case's other incidents.
fn other_findings(plan: &Plan) -> impl Iterator<Item = &Finding> {
    plan.shown.iter().filter_map(|one| match one {
        Shown::OtherFinding { finding, .. } => Some(finding),
        _ => None,
    })
}

fn who(principal: &Principal) -> String {
    let name = one_line(&principal.name, 128);
    format!("the {} `{name}` in account {}", principal.kind.noun(), principal.account)
}

impl Words<'_> {
    fn first(&self) -> Vec<String> {
        let plan = &self.0.plan;
        let who = who(&plan.principal);
        let mut said = vec![match plan.case {
            Some(_) if closes_alone(plan) => {
                let deny = if stays_denied(plan) { "" } else { "no " };
                format!(
                    "The case of {who} is closed, and Cordon has changed nothing there: the plan \
                     found nothing to give back, and {deny}AWSDenyAll on it."
                )
            }
            Some(_) if boundary_stays(plan) => format!(
                "All that the plan gives back to {who} is given back, as read back, and Cordon's \
                 attached deny is off; AWSDenyAll, which Cordon made its boundary, stays, and \
                 denies it everything."
            ),
            Some(_) if stays_denied(plan) => format!(
                "All that the plan gives back to {who} is given back, as read back, and Cordon's \
                 deny is off; another AWSDenyAll stands on it all the same."
            ),
            Some(_) => format!(
                "All that the plan gives back to {who} is given back, and Cordon's deny is off, as \
                 read back: it can act again."
            ),
            None => format!("The keys of {who} are as the plan has them, as read back."),
        }];
        said.extend(match self.0.by_hand.len() {
            0 => None,
            1 => Some("One group is left to you.".to_owned()),
            n => Some(format!("{n} groups are left to you.")),
        });
        said.extend(match plan.drift.len() {
            0 => None,
            1 => Some("One thing has changed since, and was left alone.".to_owned()),
            n => Some(format!("{n} things have changed since, and were left alone.")),
        });
        said.extend(
            new_rights(plan).map(|many| format!("It has {many} that it did not have before.")),
        );
        said.push(match self.0.disposition {
            Disposition::Recovered if plan.case.is_none() => {
                "The finding stays what it was, with a note.".to_owned()
            }
            Disposition::FalsePositive => {
                "The finding was called a false positive: where Security Hub still has it, it is \
                 SUPPRESSED, and leads to nothing more. Another finding does."
                    .to_owned()
            }
            // What other products send again of a finding that was dealt with, starts nothing.
            Disposition::Recovered if guardduty_sent(plan) => {
                "The finding stays what it was, with a note: if the attack goes on, GuardDuty sends \
                 it again, and the principal is contained again, but not while an exemption holds."
                    .to_owned()
            }
            Disposition::Recovered => {
                "The finding stays what it was, with a note, and leads to nothing more by itself. \
                 Another finding has the principal contained again, but not while an exemption \
                 holds."
                    .to_owned()
            }
        });
        said
    }

    /// The mail, with so many items of each kind.
    fn text(&self, items: usize) -> String {
        let plan = &self.0.plan;
        let mut page = Page::default();
        page.prose(self.first().join(" "));
        page.heading("Who asked for it, as stated");
        page.quote(2, one_line(&self.0.by, 300));
        page.quote(2, one_line(&self.0.reason, 300));
        after(plan, &self.0.by_hand, Room { commands: false, items }, &mut page);
        page.heading("What to do now");
        for (number, step) in (1..).zip(&self.steps()) {
            mail::step(&mut page, number, step);
        }
        page.heading("Record");
        object(&self.0.record, &mut page);
        page.heading("Plan");
        object(&self.0.stored, &mut page);
        page.heading("Finding");
        page.id(2, one_line(&plan.finding.id, 512));
        let others: Vec<_> = other_findings(plan).collect();
        if !others.is_empty() {
            page.indented(2, "and others of the case:");
        }
        for other in others.iter().take(items) {
            page.id(2, one_line(&other.id, 512));
        }
        let unnamed = plan.shown.iter().map(|one| match one {
            Shown::MoreFindings { more } => *more,
            _ => 0,
        });
        if let more @ 1.. = others.len().saturating_sub(items) + unnamed.sum::<usize>() {
            page.indented(
                2,
                format!("and {more} more, by whose executions evidence lies beside the original"),
            );
        }
        page.heading("Execution");
        page.indented(2, "This one:");
        page.alone(2, self.0.execution.arn());
        page.indented(2, "The incident's:");
        page.alone(2, plan.incident.arn());
        page.to_string()
    }

    fn steps(&self) -> Vec<Step> {
        let plan = &self.0.plan;
        let mut steps = Vec::new();
        if plan.lost.iter().any(|one| matches!(one, Lost::PasswordToChange { .. })) {
            let account = Whose::Account(plan.principal.account.to_string());
            let text = "If that is not done yet, set a new console password in the place of \
                        `<new>`, and hand it over in person. Leave `--password-reset-required` out \
                        for whoever may not change it:";
            steps.push(Step::of(text).run(account, vec![about(plan).set_password()]));
        }
        if !self.0.by_hand.is_empty() {
            let back = plan.changes.iter().map(|change| &change.states);
            let commands = back.filter(|states| self.0.by_hand.contains(&states.item));
            let commands = commands.filter_map(|states| match &states.item {
                Item::Group { name } => Some(about(plan).group(name, states.before.is_some())),
                _ => None,
            });
            let account = Whose::Account(plan.principal.account.to_string());
            let text = "Put it into its groups, which Cordon may not (`restoreGroups`):";
            steps.push(Step::of(text).run(account, commands.collect()));
        }
        if self.0.disposition == Disposition::FalsePositive {
            steps.extend(self.never_again());
        }
        if new_rights(plan).is_some() {
            steps.push(Step::of(
                "See to the policies and groups that were left alone, and that it did not have \
                 before (`before: nothing`): unless somebody knows them, take them away.",
            ));
        }
        if !plan.inactive.is_empty() {
            steps.push(Step::of(
                "Give whoever needs a credential a new one: the old ones stay inactive, since they \
                 may be known to others.",
            ));
        }
        if plan.lost.iter().any(|one| !matches!(one, Lost::PasswordToChange { .. })) {
            steps.push(Step::of("See to what does not come back, if that is not done yet."));
        }
        steps.extend(self.other_findings());
        let activated: Vec<String> =
            activated(plan).map(|one| format!("`{}`", one_line(&one.id, 128))).collect();
        steps.push(Step::of(match activated.len() {
            0 => "Tell the principal's owner.".to_owned(),
            _ => format!(
                "Tell the principal's owner, and have what is active again replaced, since an \
                 attacker may know it: {}.",
                listed(&activated, 10)
            ),
        }));
        steps
    }

    /// The notes of other findings of the case, which only people correct.
    fn other_findings(&self) -> Option<Step> {
        let Restored { plan, execution, by, .. } = self.0;
        let findings: Vec<_> = other_findings(plan).collect();
        if findings.is_empty() {
            return None;
        }
        // What Security Hub without CSPM has for a note holds our mark, too.
        let (others, noted): (Vec<&Finding>, Vec<&Finding>) =
            findings.iter().copied().partition(|one| is_in_ocsf(&one.product_arn));
        let ids: Vec<_> = noted
            .iter()
            .take(4)
            .map(|one| json!({ "Id": one.id, "ProductArn": one.product_arn }))
            .collect();
        let note = json!({
            "Text": format!(
                "{} {} was given back what that execution's record says. Execution {}.",
                plan.principal.kind.noun(),
                one_line(&plan.principal.name, 64),
                one_line(execution.name(), 80)
            ),
            "UpdatedBy": one_line(by, 100),
        });
        let command = Command::aws("securityhub batch-update-findings", execution.region())
            .with("--finding-identifiers", &json!(ids).to_string())
            .with("--note", &note.to_string());
        let which = match findings.len() {
            1 => "Another finding of the case may still say that it is contained; it stands below."
                .to_owned(),
            _ => "Other findings of the case may still say that it is contained; they stand below."
                .to_owned(),
        };
        let how = match (ids.is_empty(), ids.len() < noted.len(), others.is_empty()) {
            (true, ..) => "Leave their comments as they are: Cordon knows them by those.",
            (false, true, _) => {
                "Read the notes, and replace those that do, where Security Hub CSPM has them; for \
                 the first:"
            }
            (false, false, true) => "Read the notes, and replace those that do:",
            (false, false, false) => {
                "Read the notes, and replace those that do, where Security Hub CSPM has them:"
            }
        };
        let command = (!ids.is_empty()).then_some(command);
        let step = Step::of(format!("{which} {how}"));
        Some(step.run(Whose::Security, command.into_iter().collect()))
    }

    /// What keeps a false positive from coming again, since the next finding has another id.
    fn never_again(&self) -> Vec<Step> {
        let exempt =
            exempt(&self.0.plan.principal.arn, &self.0.at, EXEMPT, &self.0.reason).map(|command| {
                Step::of(
                "The next finding has another id, and would be contained. If the same is bound to \
                 come again, exempt the principal, here for 30 days:",
            )
            .run(Whose::Security, vec![command])
            });
        exempt.into_iter().chain(self.suppress()).collect()
    }
}

impl Words<'_> {
    /// GuardDuty's own suppression rule, for this type of finding about this user.
    ///
    /// Source: GuardDuty User Guide, "Suppression rules".
    fn suppress(&self) -> Option<Step> {
        let Principal { account, kind, name, .. } = &self.0.plan.principal;
        let type_of_finding = guardduty_type(&self.0.plan).filter(|_| *kind == Kind::User)?;
        let region = self.0.plan.finding.id.split(':').nth(3)?;
        let criteria = json!({ "Criterion": {
            "accountId": { "Eq": [account] },
            "resource.accessKeyDetails.userName": { "Eq": [name] },
            "type": { "Eq": [type_of_finding] },
        }});
        let filter = format!("cordon-{}", mail::number_of(&self.0.execution));
        let command = Command::aws("guardduty create-filter", region)
            .flag("--detector-id")
            .flag(&detector(region)?)
            .with("--name", &filter)
            .with("--action", "ARCHIVE")
            .with("--finding-criteria", &criteria.to_string());
        let text = "Or have GuardDuty itself suppress this type of finding about this user, in the \
                    account that administers GuardDuty:";
        Some(Step::of(text).run(Whose::GuardDuty, vec![command]))
    }
}

/// The detector of the account and Region, of which there is one.
///
/// Source: GuardDuty API Reference, `ListDetectors`.
fn detector(region: &str) -> Option<String> {
    let list = Command::aws("guardduty list-detectors", region)
        .with("--query", "DetectorIds[0]")
        .with("--output", "text");
    Some(format!("\"$({})\"", list.line()?))
}

/// The type of the finding, as GuardDuty spells it, where it is one of GuardDuty's.
///
/// Source: GuardDuty User Guide, "GuardDuty finding format"; ASFF has `TTPs/` before it and a dash
/// for the slash.
fn guardduty_type(plan: &Plan) -> Option<String> {
    let finding = &plan.finding;
    if !guardduty_sent(plan) {
        return None;
    }
    finding.types.iter().find_map(|kind| {
        let kind = kind.rsplit('/').next()?;
        let (purpose, rest) = kind.split_once(':')?;
        let (resource, family) = rest.split_once('-')?;
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(is_of_a_type);
        let all = [purpose, resource, family].into_iter().all(is_word);
        all.then(|| format!("{purpose}:{resource}/{family}"))
    })
}

fn guardduty_sent(plan: &Plan) -> bool {
    plan.finding.product_arn.ends_with(":product/aws/guardduty")
}

fn is_of_a_type(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".!&-".contains(&byte)
}

impl RestoreFailure {
    fn met_another(&self) -> bool {
        MEANWHILE.contains(&self.failure.error.as_str())
    }

    /// Whether `DenyAgain` has failed in its turn, of which the machine says so.
    fn not_denied_again(&self) -> bool {
        self.failure.cause.starts_with("The deny could not be put back: ")
    }

    fn first(&self) -> Vec<String> {
        let who = self.principal.as_ref().map_or_else(|| "the principal".to_owned(), who);
        if self.apply.is_none() {
            return vec![
                "No restore could be planned. Nothing was changed in any account.".to_owned(),
            ];
        }
        let how_far = match self.begun {
            Some(_) if self.not_denied_again() => format!(
                "THE ATTACKER MAY BE IN: another incident has reached {who} meanwhile, or may reach \
                 it, and the deny could not be put back."
            ),
            None => format!("Nothing was given back to {who}, and nothing was changed."),
            Some(Begun::GiveBack | Begun::SetStatuses) => format!(
                "Some may be given back to {who} already. The deny was not lifted: it stands if it \
                 stood."
            ),
            Some(Begun::DenyAgain) if self.failure.error == "IncidentPending" => {
                format!("An execution that may contain {who} has not ended: the deny was put back.")
            }
            Some(Begun::DenyAgain) => {
                format!("Another incident has reached {who} meanwhile: the deny was put back.")
            }
            Some(Begun::LiftDeny) => format!(
                "All else was given back to {who}, and the deny may be lifted already: look."
            ),
            Some(Begun::RemoveTag | Begun::Close) if self.failure.error == "IncidentPending" => {
                format!(
                    "All was given back to {who}, and no deny of ours stands on it. An execution \
                     that may contain it has not ended: see that one's mail."
                )
            }
            Some(Begun::RemoveTag | Begun::Close) if self.met_another() => format!(
                "All was given back to {who} before another incident reached it, which contains \
                 it by itself: see its mail."
            ),
            Some(Begun::RemoveTag) => format!(
                "All was given back to {who}, and no deny of ours stands on it; its tag may be \
                 left."
            ),
            Some(Begun::Close) => format!(
                "All was given back to {who}, and no deny of ours stands on it. What comes after \
                 that is not all done."
            ),
        };
        let failed = "A restore has failed on its way.".to_owned();
        if self.not_denied_again() { vec![how_far, failed] } else { vec![failed, how_far] }
    }

    fn text(&self) -> String {
        let mut page = Page::default();
        page.prose(self.first().join(" "));
        page.heading("What failed");
        let said = Said::of(&self.failure);
        page.indented(
            2,
            format!(
                "{} failed{} with {}:",
                one_line(&self.failure.state, 80),
                said.call.map_or_else(String::new, |call| format!(" at the call {call},")),
                one_line(&self.failure.error, 120)
            ),
        );
        page.quote(2, said.words);
        page.heading("What to do now");
        for (number, step) in (1..).zip(&self.steps()) {
            mail::step(&mut page, number, step);
        }
        if let Some(plan) = &self.plan {
            page.heading("Plan");
            object(plan, &mut page);
        }
        page.heading("Finding");
        let finding = self.finding.as_ref();
        page.id(2, finding.map_or_else(|| "unknown".into(), |one| one_line(&one.id, 512)));
        page.heading("Execution");
        page.indented(2, "This one:");
        page.alone(2, self.execution.arn());
        page.indented(2, "The incident's, as it was given:");
        page.word(2, one_line(&self.incident, 700));
        page.to_string()
    }

    /// How the execution stands that is waited for, by the failure's words, and what redrives it.
    fn pending(&self, region: &str) -> Vec<Command> {
        let words = Said::of(&self.failure).words;
        let arn = words.split('`').nth(1).map(str::to_owned);
        let Some(pending) = arn.and_then(|arn| Execution::try_from(arn).ok()) else {
            return Vec::new();
        };
        let of = |operation| Command::aws(operation, region).with("--execution-arn", pending.arn());
        vec![of("stepfunctions describe-execution"), of("stepfunctions redrive-execution")]
    }

    fn steps(&self) -> Vec<Step> {
        let region = self.execution.region();
        let mut steps = Vec::new();
        let looks = !matches!(self.begun, None | Some(Begun::RemoveTag | Begun::Close))
            || self.not_denied_again();
        if let Some(principal) = self.principal.as_ref().filter(|_| looks) {
            let about = commands::About::named(&self.execution, principal.kind, &principal.name);
            let account = || Whose::Account(principal.account.to_string());
            steps.push(
                Step::of("See whether the deny stands:")
                    .run(account(), vec![about.get(), about.list_attached()]),
            );
            if self.not_denied_again() {
                let deny = about.deny().into_iter().take(1).collect();
                steps.push(
                    Step::of("If it does not, put it back, for the other incident:")
                        .run(account(), deny),
                );
            }
        }
        let error = self.failure.error.as_str();
        let todo = match error {
            "EntryRefused" if self.begun.is_some() => NOT_ENTERED,
            "LimitExceeded" if self.begun.is_some() => NO_ROOM,
            "InvalidInput" => NOT_READ,
            _ => meaning(error).unwrap_or(UNKNOWN).todo,
        };
        let mut step = Step::of(match error {
            "AccessDenied" => advice::refused(&self.failure),
            _ => todo.to_owned(),
        });
        match &self.principal {
            _ if error == "IncidentPending" => {
                let commands = self.pending(region);
                if !commands.is_empty() {
                    let how = "The first command shows how it stands, the second redrives it:";
                    step.text = format!("{} {how}", step.text);
                }
                step = step.run(Whose::Security, commands);
            }
            Some(principal) if error == "PrincipalVanished" => {
                let account = Whose::Account(principal.account.to_string());
                step = step.run(account, vec![search(region, &principal.id)]);
            }
            // Its commands are for another mail.
            _ if todo.ends_with(':') => step.text = format!("{}.", todo.trim_end_matches(':')),
            _ => {}
        }
        steps.push(step);
        if error == "NothingToRestore" && self.apply.is_none() {
            // The same plan would be refused again.
        } else if PLAN_AGAIN.contains(&error) || self.apply.is_none() {
            let mut plan = Command::make("restore").set("EXECUTION", &self.incident);
            if let Some(principal) = &self.principal {
                plan = plan.set("PRINCIPAL", &word(&principal.id));
            }
            steps.push(
                Step::of(
                    "Then plan anew, with the same ACTIVATE and ACCEPT where you had named any, and \
                     read the plan:",
                )
                .run(Whose::Restorer, vec![plan]),
            );
        } else {
            let (partition, here) = (self.execution.partition(), self.execution.account());
            let role = format!("arn:{partition}:iam::{here}:role/cordon/CordonRestorer");
            let enter = Command::aws("sts assume-role", region)
                .with("--role-arn", &role)
                .with("--role-session-name", "redrive");
            let redrive = Command::aws("stepfunctions redrive-execution", region)
                .with("--execution-arn", self.execution.arn());
            steps.push(
                Step::of(
                    "Then redrive this execution, which goes on where the account is. Where the \
                     configuration has `restorers`, only this role may, whose credentials the first \
                     command prints:",
                )
                .run(Whose::RestorerAlone, vec![enter])
                .run(Whose::Restoring, vec![redrive]),
            );
        }
        steps
    }
}

/// What people do where the one role is missing that grants.
const NOT_ENTERED: &str = "The account has no role that may give anything back, or does not let Cordon in through it. \
     Deploy the stack CordonRestore there, or do by hand what the plan's own mail has as commands.";

/// What people do where a quota keeps something from being given back.
const NO_ROOM: &str = "A quota is used up; the words above name it. Make room, or have it raised, but leave every \
     AWSDenyAll where it is: one that the plan does not know is of another incident, which the \
     redrive then says.";

/// What people do where a function can't read what the machine gives it.
const NOT_READ: &str = "Start it with `make restore`, which says what it takes. If that is how it was started, the \
     parts of Cordon are of different versions: deploy all of it again, from one.";

/// Failures of a restore that another incident has met.
const MEANWHILE: [&str; 3] = ["CaseNotNewest", "IncidentMeanwhile", "IncidentPending"];

/// Failures after which the same would fail again.
const PLAN_AGAIN: [&str; 9] = [
    "AccountChanged",
    "CaseNotNewest",
    "ChoiceUnclear",
    "EvidenceMismatch",
    "IncidentForeign",
    "IncidentMeanwhile",
    "InvalidInput",
    "NothingToRestore",
    "PrincipalVanished",
];
