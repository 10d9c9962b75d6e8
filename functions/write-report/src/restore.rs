//! The words of a restore's plan: what it would give back, what stays as it is, what does not
//! come back, and the same as commands. Nothing has been changed where these are read.

use incident::restore::{Change, Drift, Item, Lost, Plan, RETIREMENT, Shown, States, Why};
use incident::{Credential, Failure, PrincipalArn, Stored, ascii, cut, deny_policy, one_line};
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::advice::{Step, Whose};
use crate::commands;
use crate::give_back::GiveBack;
use crate::message::{Message, Notification, OfARestore};
use crate::page::Page;
use crate::shell::Command;
use crate::told::{Room, told};
use crate::{LARGEST, mail, unwritable};

/// A restore's plan, and where it lies.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestorePlan {
    /// What it would do. All that was read of the principal is hostile.
    plan: Plan,
    /// Its object in the evidence bucket, with the digest by which a person names the plan.
    stored: Stored,
}

/// The step's output.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// The mail's subject: ASCII, fewer than 100 characters.
    pub subject: String,
    /// What the plan comes to, in one word, for a message attribute.
    pub verdict: &'static str,
    /// The message, for `MessageStructure=json`: a copy for each protocol. Where there is too
    /// much to tell, its mail has no commands, and says where they are.
    pub message: String,
    /// The whole text, with every command, for whoever has asked for the plan.
    pub text: String,
}

/// Writes what a restore would do. At most [`LARGEST`] bytes as JSON.
///
/// Fails with [`Failure::InvalidInput`] only where its own text can't be put into JSON.
pub(crate) fn write(input: &RestorePlan) -> Result<Planned, Failure> {
    let of = |room| input.text(room);
    let mut planned = input.planned(of(ROOMS[0]), &of(ROOMS[0]))?;
    for (text, copy) in [(ROOMS[0], ROOMS[1]), (ROOMS[0], ROOMS[2]), (ROOMS[2], ROOMS[2])] {
        if serde_json::to_vec(&planned).map_err(|error| unwritable(&error))?.len() <= LARGEST {
            break;
        }
        planned = input.planned(of(text), &of(copy))?;
    }
    Ok(planned)
}

/// So many bytes of what was chosen for a plan are repeated in commands for another.
const MOST_CHOSEN: usize = 1_000;

/// All of it, none of the commands, and the first of what there is.
const ROOMS: [Room; 3] = [
    Room { commands: true, items: usize::MAX },
    Room { commands: false, items: usize::MAX },
    Room { commands: false, items: 6 },
];

/// What a plan comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// All comes back that a restore can give.
    Whole,
    /// Something has changed since, and stays as it is.
    Part,
    /// There is nothing to do.
    Nothing,
}

impl Ending {
    fn of(plan: &Plan) -> Self {
        match (plan.changes.is_empty(), plan.drift.is_empty()) {
            (true, _) => Self::Nothing,
            (false, true) => Self::Whole,
            (false, false) => Self::Part,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Whole => "restorePlanned",
            Self::Part => "restorePlannedInPart",
            Self::Nothing => "nothingToRestore",
        }
    }

    fn phrase(self) -> &'static str {
        match self {
            Self::Whole => "can be given back",
            Self::Part => "can be given back in part",
            Self::Nothing => "nothing to give back",
        }
    }
}

impl RestorePlan {
    fn planned(&self, text: String, copy: &str) -> Result<Planned, Failure> {
        let subject = self.subject();
        let document = serde_json::to_string(&self.document(&subject));
        let document = document.map_err(|error| unwritable(&error))?;
        let short = cut(&format!("Cordon {subject}"), 140);
        let message = serde_json::to_string(&Message::of(copy, &short, &document));
        let message = message.map_err(|error| unwritable(&error))?;
        Ok(Planned { subject, verdict: Ending::of(&self.plan).word(), message, text })
    }

    /// The subject: two plans do not share one, since no two have one execution.
    fn subject(&self) -> String {
        let principal = &self.plan.principal;
        let verdict = Ending::of(&self.plan).phrase();
        let end = format!(" in {} ({})", principal.account, mail::number_of(&self.plan.execution));
        let begin = format!("[PLAN] {verdict}: {}/", principal.kind.noun());
        let room = mail::MOST_OF_A_SUBJECT.saturating_sub(begin.len() + end.len());
        format!("{begin}{}{end}", ascii(&principal.name, room))
    }

    fn who(&self) -> String {
        let principal = &self.plan.principal;
        let name = one_line(&principal.name, 128);
        format!("the {} `{name}` in account {}", principal.kind.noun(), principal.account)
    }

    /// What it would give back to whom, and that nothing has been changed.
    fn first(&self) -> Vec<String> {
        let plan = &self.plan;
        let given = given(plan);
        let who = self.who();
        let mut said = vec![match (Ending::of(plan), given.is_empty()) {
            (Ending::Nothing, _) => {
                let denied = match (&plan.case, stays_denied(plan)) {
                    (Some(_), true) => " AWSDenyAll stands on it.",
                    (Some(_), false) => " No AWSDenyAll stands on it.",
                    (None, _) => "",
                };
                format!(
                    "There is nothing to give back to {who}, and nothing has been changed.{denied}"
                )
            }
            (_, false) => format!(
                "This plan gives back to {who}: {}. Nothing has been changed.",
                incident::listed(&given, given.len())
            ),
            (_, true) => format!(
                "This plan gives nothing back to {who}, but takes away what was put there. Nothing \
                 has been changed."
            ),
        }];
        if !GiveBack::of(plan).lift.is_empty() {
            let last = if boundary_stays(plan) {
                "Last Cordon's attached deny comes off; AWSDenyAll, which Cordon made its boundary, \
                 stays, and denies it everything."
            } else if stays_denied(plan) {
                "Last Cordon's deny comes off; another AWSDenyAll stands on it all the same."
            } else {
                "Last the deny comes off: from then on it can act again."
            };
            said.push(last.to_owned());
        }
        said.extend(match plan.inactive.len() {
            0 => None,
            1 => Some("One credential stays inactive, since nobody has named it.".to_owned()),
            n => Some(format!("{n} credentials stay inactive, since nobody has named them.")),
        });
        said.extend(match plan.drift.len() {
            0 => None,
            1 => Some("One thing has changed since, and is left alone.".to_owned()),
            n => Some(format!("{n} things have changed since, and are left alone.")),
        });
        said.extend(new_rights(plan).map(|many| {
            format!("It keeps {many} that it did not have before: look at those first.")
        }));
        let is_password = |one: &&Lost| matches!(one, Lost::PasswordToChange { .. });
        let passwords = plan.lost.iter().filter(is_password).count();
        if passwords > 0 {
            let when = if GiveBack::of(plan).lift.is_empty() || stays_denied(plan) {
                "The console password counts wherever nothing denies: set a new one."
            } else {
                "The console password counts again once the deny is off: set a new one before."
            };
            said.push(when.to_owned());
        }
        said.extend(match plan.lost.len() - passwords {
            0 => None,
            1 => Some("One thing does not come back, and people have to see to it.".to_owned()),
            n => Some(format!("{n} things do not come back, and people have to see to them.")),
        });
        said
    }

    fn text(&self, room: Room) -> String {
        let plan = &self.plan;
        let mut page = Page::default();
        page.prose(self.first().join(" "));
        self.subject_of_the_plan(&mut page);
        told(plan, room, &mut page);
        page.heading("What to do now");
        let steps = match (room.commands, self.is_cut()) {
            (true, false) => self.steps(),
            (false, false) => vec![self.elsewhere()],
            (_, true) => vec![self.in_the_object()],
        };
        for (number, step) in (1..).zip(&steps) {
            mail::step(&mut page, number, step);
        }
        self.the_end(&mut page);
        page.to_string()
    }

    fn subject_of_the_plan(&self, page: &mut Page) {
        let plan = &self.plan;
        let Plan { principal, finding, case, .. } = plan;
        let (noun, name) = (principal.kind.noun(), one_line(&principal.name, 50));
        page.heading(format!("{} {name}", crate::facts::capitalized(noun)).trim_end());
        page.word(2, one_line(&principal.arn, 700));
        page.indented(2, format!("As read at {}.", one_line(&self.plan.at, 40)));
        let what = match case {
            Some(case) if denied_before(plan) => {
                format!("It was denied already when case {} took the rest", one_line(case, 40))
            }
            Some(case) => format!("Case {} contained it", one_line(case, 40)),
            None => "A retirement made its unused keys inactive".to_owned(),
        };
        page.indented(2, format!("{what}, by the finding ({}):", severity(&finding.severity)));
        page.quote(2, one_line(&finding.title, 256));
    }

    /// The command that plans it anew.
    fn plan_again(&self) -> Command {
        Command::make("restore")
            .set("EXECUTION", self.plan.incident.arn())
            .set("PRINCIPAL", &self.plan.principal.id)
    }

    /// What was chosen for this one: names of items, and ids of credentials.
    fn chosen(&self) -> (Vec<String>, Vec<String>) {
        let accepted = self.plan.changes.iter().filter(|one| one.accepted);
        let accepted = accepted.map(|one| word(&one.states.item.to_string())).collect();
        (accepted, activated(&self.plan).map(|one| word(&one.id)).collect())
    }

    /// Plans it anew with these choices, beside those of this plan; it says so where there is no
    /// room for those.
    fn choose(&self, text: &str, items: &[&Item], credentials: &[Credential]) -> Step {
        let (mut accept, mut activate) = self.chosen();
        let size: usize = accept.iter().chain(&activate).map(String::len).sum();
        let has_room = size <= MOST_CHOSEN;
        if !has_room {
            (accept, activate) = (Vec::new(), Vec::new());
        }
        accept.extend(items.iter().map(|item| word(&item.to_string())));
        activate.extend(credentials.iter().map(|one| word(&one.id)));
        let named = [("ACTIVATE", activate), ("ACCEPT", accept)];
        let named = named.into_iter().filter(|(_, words)| !words.is_empty());
        let command = named
            .fold(self.plan_again(), |command, (name, words)| command.set(name, &words.join(" ")));
        let text = match text.strip_suffix(':').filter(|_| !has_room) {
            Some(text) => format!("{text}. Name what you had named for this plan, too:"),
            None => text.to_owned(),
        };
        Step::of(text).run(Whose::Restorer, vec![command])
    }

    /// The command that has Cordon carry it out.
    fn apply(&self) -> Command {
        self.plan_again().set("APPLY", &self.stored.sha256).set("REASON", "why").set("BY", "who")
    }

    fn steps(&self) -> Vec<Step> {
        let plan = &self.plan;
        let commands = GiveBack::of(plan);
        let account = || Whose::Account(plan.principal.account.to_string());
        let mut steps = Vec::new();
        if plan.case.is_some() && !plan.changes.is_empty() {
            let number: String = self.stored.sha256.chars().take(12).collect();
            let reason = format!("given back by plan {number}");
            let exempt = exempt(&plan.principal.arn, &plan.at, EXEMPT, &reason);
            steps.push(
                Step::of(
                    "Exempt it first, for two days, if its finding can come again: sessions that \
                     still live count as activity, and would have it contained again. Whoever has \
                     its credentials then is exempt, too.",
                )
                .run(Whose::Security, exempt.into_iter().collect()),
            );
        }
        if !plan.lost.is_empty() {
            let text = if commands.remove.is_empty() {
                SEE_TO.to_owned()
            } else {
                format!(
                    "{SEE_TO} What was made or changed since is an attacker's, unless somebody knows \
                     it. If nobody does:"
                )
            };
            steps.push(Step::of(text).run(account(), commands.remove));
        }
        self.choices(&mut steps);
        steps.extend(self.carry_out());
        let denied = !commands.lift.is_empty();
        let by_hand = steps.len();
        if !commands.under_the_deny.is_empty() {
            let text = self.under_the_deny(denied);
            steps.push(Step::of(text).run(account(), commands.under_the_deny));
        }
        if !commands.look.is_empty() {
            let text = if denied {
                "Read it back. Go on only if each command above has succeeded, and nothing is \
                 there that is not meant to be; IAM may take some seconds to show it:"
            } else {
                "Read it back; IAM may take some seconds to show it:"
            };
            steps.push(Step::of(text).run(account(), commands.look));
        }
        if denied {
            let text = if boundary_stays(plan) {
                "Last, take Cordon's attached deny away. AWSDenyAll stays its boundary, and denies it \
                 everything:"
            } else if stays_denied(plan) {
                "Last, take Cordon's deny away. Another AWSDenyAll stands on it all the same:"
            } else {
                "Last, lift the deny. From then on it can act again:"
            };
            steps.push(Step::of(text).run(account(), commands.lift));
        }
        if !commands.close.is_empty() {
            let text = if plan.case.is_some() {
                "Take the tag away by which people know who is contained:"
            } else {
                "Take the tag of the retirement away:"
            };
            steps.push(Step::of(text).run(account(), commands.close));
        }
        if let Some(first) = steps.get_mut(by_hand) {
            first.text = format!("Or by hand, in this step and those after it. {}", first.text);
        }
        steps.push(if !plan.changes.is_empty() {
            let text = "If you have done it by hand, plan again: that plan finds nothing to be \
                        given back, and tells how the case is closed.";
            Step::of(text).run(Whose::Restorer, vec![self.plan_again()])
        } else if plan.case.is_some() {
            let text = "If it was given back by hand, close the case, since until then \
                        `make contained` lists it as contained. This changes nothing in the \
                        account, and takes `restorers` in the configuration; say who you are, and \
                        why:";
            Step::of(text).run(Whose::RestorerAlone, vec![self.apply()])
        } else {
            Step::of("Nothing is to be done.")
        });
        steps
    }

    /// What may be chosen, in a plan that takes the place of this one.
    fn choices(&self, steps: &mut Vec<Step>) {
        let plan = &self.plan;
        if !plan.inactive.is_empty() {
            let text = "Whoever still needs a credential is given a new one. To have old ones made \
                        active all the same, name them in a new plan, before this one is carried \
                        out:";
            steps.push(self.choose(text, &[], &plan.inactive));
        }
        let can_be_printed = |one: &&Drift| {
            let name = word(&one.states.item.to_string());
            Command::make("restore").set("ACCEPT", &name).line().is_some()
        };
        let accepted = plan.drift.iter().filter(|one| one.why != Why::Gone);
        let (printed, left_out): (Vec<&Drift>, Vec<&Drift>) = accepted.partition(can_be_printed);
        let stands_alone = |one: &&Drift| {
            one.why == Why::ChangedBehind || matches!(one.states.item, Item::Deny | Item::Boundary)
        };
        let (apart, together): (Vec<&Drift>, Vec<&Drift>) =
            printed.into_iter().partition(stands_alone);
        if !together.is_empty() {
            let items: Vec<&Item> = together.iter().map(|one| &one.states.item).collect();
            let text = "What has changed since becomes as it was before where you accept it by \
                        name in a new plan, before this one is carried out. Leave out of `ACCEPT` \
                        what is to stay as it is now:";
            steps.push(self.choose(text, &items, &[]));
        }
        if !apart.is_empty() {
            let text = "Decide about each of these by itself. What stands behind a policy or a \
                        group says something else now, and that would be given back; a deny or a \
                        boundary may be of others, and would be lifted. To accept one, name it \
                        beside what else you accept:";
            let commands = apart.iter().filter_map(|one| {
                let step = self.choose(text, &[&one.states.item], &[]);
                step.run.into_iter().next()?.1.into_iter().next()
            });
            steps.push(Step::of(text).run(Whose::Restorer, commands.collect()));
        }
        if !left_out.is_empty() {
            steps.push(Step::of(
                "A name that has changed since holds what a shell or `make` would not take as it \
                 is: see to that one by hand.",
            ));
        }
    }

    /// How all of it is done by Cordon.
    fn carry_out(&self) -> Option<Step> {
        let plan = &self.plan;
        if plan.changes.is_empty() {
            return None;
        }
        if bears_the_tag(plan) {
            let is_group = |one: &Change| matches!(one.states.item, Item::Group { .. });
            let but = if plan.changes.iter().any(is_group) {
                " (without `restoreGroups` all but the groups)"
            } else {
                ""
            };
            let refused = if plan.case.is_some() && has_active_since(plan) {
                " It gives nothing back while a credential is active that was made since: make one \
                 that is known inactive until then."
            } else {
                ""
            };
            let text = format!(
                "Either by Cordon, which does exactly this{but}, where `restorers` of its \
                 configuration lets somebody.{refused} Say who you are, and why:"
            );
            return Some(Step::of(text).run(Whose::RestorerAlone, vec![self.apply()]));
        }
        let Plan { principal, execution, .. } = plan;
        let about = commands::About::named(execution, principal.kind, &principal.name);
        if plan.case.is_none() {
            let text = "Cordon itself makes no key active of a user without the tag of the \
                        retirement.";
            return Some(Step::of(text));
        }
        let text = "Cordon itself gives nothing back to whoever does not bear the tag \
                    `SecurityIncident`. Put it there, in the place of another where it has fifty, \
                    and plan again:";
        let tag = about.tag(&[("SecurityIncident", "true")]);
        let mut step = self.choose(text, &[], &[]);
        step.run.insert(0, (Whose::Account(principal.account.to_string()), vec![tag]));
        Some(step)
    }

    /// What is done while a deny stands, where one does.
    fn under_the_deny(&self, denied: bool) -> &'static str {
        match (given(&self.plan).is_empty(), denied) {
            _ if self.plan.makes_room => {
                "Give back what it had. AWSDenyAll is detached first, to make room, and denies all \
                 the while as the boundary:"
            }
            (false, true) => "Give back what it had. The deny stands all the while:",
            (false, false) => "Give back what it had:",
            (true, true) => "Take away what was put there. The deny stands all the while:",
            (true, false) => "Take away what was put there:",
        }
    }

    /// Whether what is to be put there did not come whole.
    fn is_cut(&self) -> bool {
        let is_short =
            |one: &Change| one.states.before.as_ref().is_some_and(|it| it.ends_with('…'));
        self.plan.cut && self.plan.changes.iter().any(is_short)
    }

    /// Where it is whole.
    fn in_the_object(&self) -> Step {
        let object = Command::aws("s3 cp", self.plan.execution.region()).and(&self.stored.uri);
        Step::of(
            "The plan is too large to be told with its commands. What is given back stands in the \
             plan's object, whole and in this order (`changes`, each with its `before`):",
        )
        .run(Whose::Security, vec![object.flag("-")])
    }

    /// Where the commands are that a mail has no room for.
    fn elsewhere(&self) -> Step {
        let text = "This mail has no room for the commands. Do nothing by it: the plan's object, \
                    which is named below, holds all of it, and this prints all of it, as it is then:";
        self.choose(text, &[], &[])
    }

    fn the_end(&self, page: &mut Page) {
        let Plan { evidence, finding, incident, execution, .. } = &self.plan;
        page.heading("Plan");
        object(&self.stored, page);
        page.heading("Evidence");
        object(&evidence.original, page);
        if let Some(left) = &evidence.left {
            page.indented(2, "and as the case left it:");
            object(left, page);
        }
        page.indented(2, "and as it is now:");
        object(&evidence.now, page);
        page.heading("Finding");
        page.id(2, one_line(&finding.id, 512));
        page.heading("Execution");
        page.indented(2, "This plan's:");
        page.alone(2, execution.arn());
        page.indented(2, "The incident's:");
        page.alone(2, incident.arn());
    }

    fn document(&self, subject: &str) -> Notification {
        let Plan { principal, incident, execution, finding, .. } = &self.plan;
        OfARestore {
            subject,
            verdict: Ending::of(&self.plan).word(),
            thread: mail::number_of(incident),
            said: &self.first(),
            steps: &self.steps(),
            principal: Some(principal),
            facts: vec![
                ("severity", severity(&finding.severity)),
                ("findingId", one_line(&finding.id, 512)),
                ("execution", execution.arn().to_owned()),
                ("incident", incident.arn().to_owned()),
                ("plan", one_line(&self.stored.uri, 1_000)),
                ("planSha256", one_line(&self.stored.sha256, 64)),
                ("changes", self.plan.changes.len().to_string()),
                ("inactive", self.plan.inactive.len().to_string()),
                ("drift", self.plan.drift.len().to_string()),
                ("lost", self.plan.lost.len().to_string()),
            ],
        }
        .notification()
    }
}

/// The credentials that a plan makes active again.
pub(crate) fn activated(plan: &Plan) -> impl Iterator<Item = &Credential> {
    let changes = plan.changes.iter().map(|one| &one.states);
    changes.filter_map(|states| match &states.item {
        Item::Credential(one) if states.before.as_deref() == Some("Active") => Some(one),
        _ => None,
    })
}

/// A name as one of several in a variable of `make restore`.
pub(crate) fn word(name: &str) -> String {
    let escaped = |c: char| {
        let backslash = (c.is_whitespace() || c == '\\').then_some('\\');
        backslash.into_iter().chain([c])
    };
    name.chars().flat_map(escaped).collect()
}

/// The label, where it is one.
pub(crate) fn severity(label: &str) -> String {
    let is_label = !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_label { cut(label, 20) } else { "UNKNOWN".to_owned() }
}

pub(crate) fn object(stored: &Stored, page: &mut Page) {
    page.word(2, one_line(&stored.uri, 1_000));
    page.alone(2, format!("SHA-256 {}", one_line(&stored.sha256, 64)));
}

/// What people do about what no restore gives back.
const SEE_TO: &str = "See to what counts again, and to what does not come back, as told above: \
     first to what may let an attacker in; to what the owner lacks, once all else is back. If you \
     change more of it than a password, or than the commands here do, plan again.";

/// For so long an exemption is proposed beside a plan: until sessions that live have ended, of
/// which the longest are 36 hours.
///
/// Source: AWS STS API Reference, `GetSessionToken`.
pub(crate) const EXEMPT: Duration = Duration::days(2);

/// Exempts a principal for a while from a time on (RFC 3339); nothing, where that is none.
pub(crate) fn exempt(arn: &str, at: &str, span: Duration, reason: &str) -> Option<Command> {
    let at = OffsetDateTime::parse(at, &Rfc3339).ok()?;
    let until = at.replace_nanosecond(0).ok()?.checked_add(span)?.format(&Rfc3339).ok()?;
    let reason = ascii(&one_line(reason, 100), 100);
    let exempt = json!({ "principal": pattern(arn), "until": until, "reason": reason });
    Some(Command::make("policy").set("SET", &format!("exemptPrincipals+={exempt}")))
}

/// The ARN, or where its path is cut or holds what `make` would take for more, a pattern with any
/// path: a name is one principal's of an account.
fn pattern(arn: &str) -> String {
    let Ok(parsed) = PrincipalArn::parse(arn) else { return arn.to_owned() };
    let is_typed = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.+=,@-".contains(&byte);
    if parsed.path != "/.../" && parsed.path.bytes().all(is_typed) {
        return arn.to_owned();
    }
    let end = format!("{}{}", parsed.path, parsed.name);
    arn.strip_suffix(&end)
        .map_or_else(|| arn.to_owned(), |begin| format!("{begin}/*/{}", parsed.name))
}

/// Whether it bears the tag without which the role that gives back may do nothing about it.
fn bears_the_tag(plan: &Plan) -> bool {
    let needed = match plan.case {
        Some(_) => Item::Incident,
        None => Item::Tag { key: RETIREMENT.to_owned() },
    };
    let is_there = |one: &States| one.item == needed && one.now.is_some();
    plan.changes.iter().any(|one| is_there(&one.states)) || plan.kept.contains(&needed)
}

/// Whether it was under `AWSDenyAll` before its case, and is it still.
fn denied_before(plan: &Plan) -> bool {
    plan.kept.contains(&Item::Deny) || plan.shown.contains(&Shown::BoundaryDenies)
}

/// Whether it can't act whatever a restore takes away: a deny was there before, or is no longer
/// as it was left, or stands in the place of a boundary that is not given back.
pub(crate) fn stays_denied(plan: &Plan) -> bool {
    let deny = deny_policy(plan.execution.partition());
    let stands = |one: &Drift| {
        matches!(one.states.item, Item::Deny | Item::Boundary)
            && one.states.now.as_deref() == Some(&deny)
    };
    denied_before(plan) || plan.drift.iter().any(stands)
}

/// Whether the deny stays that Cordon put in the place of its boundary, since that one is not given
/// back.
pub(crate) fn boundary_stays(plan: &Plan) -> bool {
    let deny = deny_policy(plan.execution.partition());
    plan.drift.iter().any(|one| {
        let States { item, left, now, .. } = &one.states;
        *item == Item::Boundary && left == now && now.as_deref() == Some(&deny)
    })
}

/// Whether a credential is active that the case did not know, or as one that was not.
fn has_active_since(plan: &Plan) -> bool {
    let is_active = |one: &Drift| {
        matches!(one.states.item, Item::Credential(_))
            && one.states.now.as_deref() == Some("Active")
    };
    plan.lost.iter().any(|one| matches!(one, Lost::CredentialMadeSince { active: true, .. }))
        || plan.drift.iter().any(is_active)
}

/// How many policies and groups a plan leaves where they are that the principal did not have
/// before; nothing, where there are none.
pub(crate) fn new_rights(plan: &Plan) -> Option<String> {
    let is_right = |item: &Item| {
        matches!(item, Item::Group { .. } | Item::Policy { .. } | Item::Inline { .. })
    };
    let all = plan.drift.iter().map(|one| &one.states);
    let new = all.filter(|one| is_right(&one.item) && one.before.is_none() && one.now.is_some());
    match new.count() {
        0 => None,
        1 => Some("1 policy or group".to_owned()),
        many => Some(format!("{many} policies or groups")),
    }
}

/// How many of what come back that the principal had and has not.
fn given(plan: &Plan) -> Vec<String> {
    let is_given = |one: &&States| match &one.item {
        Item::Credential(_) => one.before.as_deref() == Some("Active"),
        _ => one.before.is_some(),
    };
    let back = || plan.changes.iter().map(|one| &one.states).filter(is_given);
    let count = |is: fn(&Item) -> bool| back().filter(|one| is(&one.item)).count();
    let counts = [
        (count(|item| matches!(item, Item::Group { .. })), "group", "groups"),
        (count(|item| matches!(item, Item::Policy { .. })), "managed policy", "managed policies"),
        (count(|item| matches!(item, Item::Inline { .. })), "inline policy", "inline policies"),
        (count(|item| matches!(item, Item::Tag { .. })), "tag", "tags"),
        (count(|item| matches!(item, Item::Credential(_))), "credential", "credentials"),
        (count(|item| matches!(item, Item::Boundary)), "permissions boundary", ""),
    ];
    let there_are = counts.into_iter().filter(|(count, ..)| *count > 0);
    there_are
        .map(|(count, one, many)| match count {
            1 => format!("1 {one}"),
            _ => format!("{count} {many}"),
        })
        .collect()
}
