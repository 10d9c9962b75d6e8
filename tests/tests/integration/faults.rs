//! Every task of the state machine, made to fail in every way that it can meet.
//!
//! A cell of the matrix is a task, a call behind it, what becomes of that call, and for how
//! long. Whatever the cell: the machine ends where it should, people are told once for each
//! failed pass, the account is no worse, what could be done is done, the finding is RESOLVED
//! only where the read-back says contained; and once the fault is lifted, a redrive finishes
//! the job, with the original evidence as it was.
//!
//! Without `--ignored`, a part of the cells runs; with it, all of them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_sfn::types::ExecutionStatus;
use futures::stream::{self, StreamExt};
use harness::MEMBERS;
use harness::alone::Alone;
use harness::calls::source_identity;
use harness::execution::Execution;
use harness::faults::{Fault, Strike};
use harness::local_aws::LocalAws;
use harness::messages::{Message, Telling};
use harness::steps::state;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::response_policy::amend;
use crate::suspect::{Case, Part, Suspect};
use crate::trials::Trials;
use crate::truth;
use crate::ways::{Way, calls_of, changes_something};

/// What is done although a task fails for good: what comes before it and stands beside it.
struct Task {
    state: &'static str,
    case: Case,
    /// The call that says most about it.
    call: &'static str,
    /// The folder of its function, if it is one.
    function: Option<&'static str>,
    /// Parts that are done all the same.
    done: &'static [Part],
    /// Parts that are its own, and may be done by halves.
    own: &'static [Part],
    /// What the mail is about, if it sends one.
    tells: Option<Telling>,
}

const INVOKE: &str = "lambda:InvokeFunction";
const ENTER: &str = "sts:AssumeRole";
const PUBLISH: &str = "sns:Publish";
const READ: &str = "securityhub:GetFindings";

const TASKS: [Task; 30] = {
    use Part::{Boundary, Deny, Evidence, Groups, Keys, Policies, Tags};
    [
        Task::service("ReadResponsePolicy", Case::User, "ssm:GetParameter"),
        Task::service("ReadFinding", Case::User, READ),
        Task::function("Classify", Case::User, INVOKE, "classify"),
        Task::service("CountContainments", Case::User, "dynamodb:UpdateItem"),
        Task::function("AssumeRole", Case::User, "iam:GetUser", "assume-role"),
        Task::function("ReadCase", Case::DeniedUser, "s3:ListBucket", "preserve"),
        Task::function("Quarantine", Case::User, "iam:AttachUserPolicy", "quarantine")
            .leaves(&[Evidence, Keys], &[Deny, Boundary]),
        Task::function("Preserve", Case::User, "s3:PutObject", "preserve")
            .leaves(&[Deny, Boundary], &[Evidence]),
        Task::function(
            "ReplaceBoundary",
            Case::BoundedUser,
            "iam:PutUserPermissionsBoundary",
            "quarantine",
        )
        .leaves(&[Deny, Evidence, Keys, Groups], &[Boundary]),
        Task::function("DeactivateKeys", Case::User, "iam:UpdateAccessKey", "deactivate-keys")
            .leaves(&[Deny, Boundary, Evidence, Policies, Groups], &[Keys]),
        Task::function("DetachPolicies", Case::User, "iam:DetachUserPolicy", "detach-policies")
            .leaves(&[Deny, Boundary, Evidence, Keys, Groups], &[Policies]),
        Task::function("RemoveGroups", Case::User, "iam:RemoveUserFromGroup", "remove-groups")
            .leaves(&[Deny, Boundary, Evidence, Keys, Policies], &[Groups]),
        Task::function("DetachRolePolicies", Case::Role, "iam:DetachRolePolicy", "detach-policies")
            .leaves(&[Deny, Boundary, Evidence], &[Policies]),
        Task::function("RetireCredentials", Case::Unused, "iam:UpdateAccessKey", "deactivate-keys")
            .leaves(&[Evidence], &[Keys]),
        Task::function("Verify", Case::User, "iam:ListAccessKeys", "verify")
            .leaves(&[Deny, Boundary, Evidence, Keys, Policies, Groups], &[]),
        Task::function("PreserveLeft", Case::User, "s3:PutObject", "preserve")
            .leaves(&[Deny, Boundary, Evidence, Keys, Policies, Groups], &[]),
        Task::function("Tag", Case::User, "iam:TagUser", "tag")
            .leaves(&[Deny, Boundary, Evidence, Keys, Policies, Groups], &[Tags]),
        Task::function("Resolve", Case::User, "securityhub:BatchUpdateFindings", "resolve")
            .leaves(&Part::ALL, &[]),
        Task::service("TellContained", Case::User, PUBLISH)
            .leaves(&Part::ALL, &[])
            .sends(Telling::Done),
        Task::service("CountRepetitions", Case::BareUser, "dynamodb:UpdateItem")
            .leaves(&Part::ALL, &[]),
        Task::function("FindHolders", Case::Policy, "iam:ListEntitiesForPolicy", "find-holders"),
        Task::service("ClaimUrgentMail", Case::Policy, "dynamodb:UpdateItem"),
        Task::service("CountEscalations", Case::Policy, "dynamodb:UpdateItem"),
        Task::service("TellHumans", Case::Policy, PUBLISH).sends(Telling::LeftToPeople),
        Task::function("MarkNotified", Case::Policy, "securityhub:BatchUpdateFindings", "resolve"),
        Task::service("AlertResponders", Case::User, PUBLISH).sends(Telling::Failed),
        Task::service("AlertPlainly", Case::User, PUBLISH).sends(Telling::Failed),
        Task::function("ReportContained", Case::User, INVOKE, "write-report")
            .leaves(&Part::ALL, &[]),
        Task::function("ReportEscalated", Case::Policy, INVOKE, "write-report"),
        Task::function("ReportFailure", Case::User, INVOKE, "write-report"),
    ]
};

/// What of a mail's subject tells it from those that tell something else.
fn subject(telling: Telling) -> &'static str {
    match telling {
        Telling::Done => "contained:",
        // Other mails say of somebody that it is left to you.
        Telling::LeftToPeople => "left to you: a policy in",
        Telling::Overflow => "too many escalations:",
        Telling::Observed => "observed:",
        Telling::Abandoned => "nothing more is done:",
        // What `AssumeRole` failing leads to.
        Telling::Failed => "NOT CONTAINED:",
    }
}

/// The same tasks for other principals than the first that they come to.
const OTHERWISE: [Task; 10] = {
    use Part::{Boundary, Deny, Evidence, Groups, Keys, Policies, Tags};
    [
        Task::function("AssumeRole", Case::Role, "iam:GetRole", "assume-role"),
        Task::function("Quarantine", Case::Role, "iam:AttachRolePolicy", "quarantine")
            .leaves(&[Evidence], &[Deny, Boundary]),
        Task::function(
            "Quarantine",
            Case::FullUser,
            "iam:PutUserPermissionsBoundary",
            "quarantine",
        )
        .leaves(&[Evidence, Keys], &[Deny, Boundary]),
        Task::function(
            "Quarantine",
            Case::FullRole,
            "iam:PutRolePermissionsBoundary",
            "quarantine",
        )
        .leaves(&[Evidence], &[Deny, Boundary]),
        Task::function(
            "ReplaceBoundary",
            Case::BoundedRole,
            "iam:PutRolePermissionsBoundary",
            "quarantine",
        )
        .leaves(&[Deny, Evidence], &[Boundary]),
        Task::function("Preserve", Case::Role, "iam:GetRolePolicy", "preserve")
            .leaves(&[Deny, Boundary], &[Evidence]),
        Task::function("Verify", Case::Role, "iam:ListRolePolicies", "verify")
            .leaves(&[Deny, Boundary, Evidence, Keys, Policies, Groups], &[]),
        Task::function("Verify", Case::Unused, "iam:GetAccessKeyLastUsed", "verify")
            .leaves(&[Evidence, Keys], &[]),
        Task::function("Tag", Case::Role, "iam:TagRole", "tag")
            .leaves(&[Deny, Boundary, Evidence, Policies], &[Tags]),
        Task::function("Tag", Case::Unused, "iam:TagUser", "tag")
            .leaves(&[Evidence, Keys], &[Tags]),
    ]
};

/// Those that are reached only under another response policy.
const OBSERVING: [Task; 4] = [
    Task::service("ClaimObservedMail", Case::Policy, "dynamodb:UpdateItem"),
    Task::function("ReportObserved", Case::User, INVOKE, "write-report"),
    Task::function("Observe", Case::User, "s3:PutObject", "preserve"),
    Task::service("TellObserved", Case::User, PUBLISH).sends(Telling::Observed),
];

/// Those that are reached only by the first escalation of an hour beyond the limit.
const OVERFLOWING: [Task; 3] = [
    Task::service("ClaimOverflowMail", Case::Policy, "dynamodb:UpdateItem"),
    Task::function("ReportOverflow", Case::Policy, INVOKE, "write-report"),
    Task::service("TellOverflow", Case::Policy, PUBLISH).sends(Telling::Overflow),
];

/// That is reached only where a redrive finds that nothing more is to be done.
const ABANDONING: [Task; 2] = [
    Task::function("ReportAbandoned", Case::User, INVOKE, "write-report"),
    Task::service("TellAbandoned", Case::User, PUBLISH).sends(Telling::Abandoned),
];

impl Task {
    const fn service(state: &'static str, case: Case, call: &'static str) -> Self {
        Self { state, case, call, function: None, done: &[], own: &[], tells: None }
    }

    const fn function(
        state: &'static str,
        case: Case,
        call: &'static str,
        folder: &'static str,
    ) -> Self {
        Self { function: Some(folder), ..Self::service(state, case, call) }
    }

    /// Whether it is part of telling that something else has failed.
    fn tells_of_failure(&self) -> bool {
        ["AlertResponders", "AlertPlainly", "ReportFailure"].contains(&self.state)
    }

    /// The call by which alone it learns whether the deny stands, if it must stand.
    fn deny_read(&self) -> Option<&'static str> {
        match self.state {
            "DetachPolicies" => Some("iam:GetUser"),
            "DetachRolePolicies" => Some("iam:GetRole"),
            _ => None,
        }
    }

    const fn leaves(self, done: &'static [Part], own: &'static [Part]) -> Self {
        Self { done, own, ..self }
    }

    const fn sends(self, telling: Telling) -> Self {
        Self { tells: Some(telling), ..self }
    }
}

/// One cell of the matrix.
struct Cell {
    task: &'static Task,
    call: String,
    way: Way,
    /// Until it is lifted; otherwise as often as it takes for the machine to notice.
    lasts: bool,
}

/// How a pass ends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// As if nothing had failed.
    Well,
    /// People are to decide.
    Escalated,
    /// People are told what failed, and the execution waits for a redrive.
    Told,
    /// People could not be told, but those who run Cordon are.
    Untold,
}

impl Cell {
    /// Whether a function calls a service, by its SDK. Otherwise the machine does the calling.
    fn is_by_function(&self) -> bool {
        self.task.function.is_some() && self.call != INVOKE
    }

    /// The error's name in the machine.
    fn error(&self) -> &'static str {
        let service = self.call.split(':').next().unwrap_or_default();
        match self.way {
            Way::KilledBefore | Way::KilledAfter => return "Runtime.ExitError",
            Way::OutOfMemory => return "Runtime.OutOfMemory",
            Way::Answered(_) => return "States.QueryEvaluationError",
            Way::OutOfTimeBefore | Way::OutOfTimeAfter => return "Sandbox.Timedout",
            _ if self.is_by_function() => (),
            Way::TimedOut => return "States.Timeout",
            way => {
                return match (service, way) {
                    ("lambda", Way::Throttled) => "Lambda.TooManyRequestsException",
                    ("lambda", Way::InternalFailure) => "Lambda.ServiceException",
                    ("lambda", Way::LostBefore | Way::LostAfter) => "Lambda.SdkClientException",
                    ("lambda", _) => "Lambda.AWSLambdaException",
                    ("ssm", Way::InternalFailure) => "Ssm.InternalServerErrorException",
                    ("ssm", Way::LostBefore | Way::LostAfter) => "Ssm.SdkClientException",
                    ("ssm", Way::Code("ParameterNotFound")) => "Ssm.ParameterNotFoundException",
                    ("ssm", _) => "Ssm.SsmException",
                    ("securityhub", Way::InternalFailure) => "SecurityHub.InternalException",
                    ("securityhub", Way::LostBefore | Way::LostAfter) => {
                        "SecurityHub.SdkClientException"
                    }
                    ("securityhub", Way::Code("InvalidAccessException")) => {
                        "SecurityHub.InvalidAccessException"
                    }
                    ("securityhub", _) => "SecurityHub.SecurityHubException",
                    ("dynamodb", Way::Throttled) => "DynamoDB.ThrottlingException",
                    ("dynamodb", Way::InternalFailure) => "DynamoDB.InternalServerErrorException",
                    ("dynamodb", Way::LostBefore | Way::LostAfter) => "DynamoDB.SdkClientException",
                    ("dynamodb", Way::Code("ResourceNotFoundException")) => {
                        "DynamoDB.ResourceNotFoundException"
                    }
                    ("dynamodb", _) => "DynamoDB.AmazonDynamoDBException",
                    ("sns", Way::Throttled) => "SNS.ThrottledException",
                    ("sns", Way::InternalFailure) => "SNS.InternalErrorException",
                    ("sns", Way::Denied) => "SNS.AuthorizationErrorException",
                    ("sns", Way::LostBefore | Way::LostAfter) => "SNS.SdkClientException",
                    ("sns", _) => "SNS.AmazonSNSException",
                    _ => "of a service that no task calls",
                };
            }
        }
        match self.way {
            Way::Throttled => "Throttled",
            Way::Denied if self.call == ENTER => "EntryRefused",
            Way::Denied if takes_away(&self.call) => "DenyNotVisible",
            Way::Denied => "AccessDenied",
            Way::Code("LimitExceeded") => "LimitExceeded",
            Way::Code("NoSuchEntity") if self.names_the_principal_alone() => "PrincipalVanished",
            Way::Code("NoSuchEntity") => "NotFound",
            Way::Code("InvalidInput") => "RequestRejected",
            Way::Stale if self.hides_the_deny() => "DenyNotVisible",
            Way::Stale => "no error at all",
            _ => "ServiceUnavailable",
        }
    }

    /// Whether what does not exist can only be the principal, which was identified before.
    fn names_the_principal_alone(&self) -> bool {
        let (_, operation) = self.call.split_once(':').unwrap_or_default();
        let reads = ["GetUser", "GetRole"].contains(&operation);
        let verbs = ["Attach", "Put", "Tag", "List"];
        reads || verbs.iter().any(|verb| operation.starts_with(verb))
    }

    /// Whether a task that needs the deny can't see it.
    fn hides_the_deny(&self) -> bool {
        self.way == Way::Stale && self.task.deny_read() == Some(self.call.as_str())
    }

    /// Whether the machine tries again.
    fn is_retried(&self) -> bool {
        !matches!(
            self.error(),
            "AccessDenied"
                | "EntryRefused"
                | "LimitExceeded"
                | "NotFound"
                | "PrincipalVanished"
                | "RequestRejected"
                | "States.QueryEvaluationError"
                | "Ssm.ParameterNotFoundException"
                | "SecurityHub.InvalidAccessException"
                | "DynamoDB.ResourceNotFoundException"
                | "SNS.AuthorizationErrorException"
        )
    }

    /// How many calls have to be struck before the machine notices.
    fn strikes(&self) -> u32 {
        if self.is_by_function() { self.way.attempts() } else { 1 }
    }

    /// How the first pass must end; nothing, where several ends are right as long as all that
    /// is said is true.
    fn expected(&self) -> Option<End> {
        match self.way {
            // What a reader is told is believed, and may be no news.
            Way::Code("NoSuchEntity") => None,
            Way::Stale if self.lasts && !self.hides_the_deny() => None,
            // The boundary, set side by side, may be a deny already.
            _ if self.lasts && self.way.ends_the_function() && self.attaches_the_deny() => None,
            // What took effect may be all that was to be done.
            _ if self.lasts && self.way.takes_effect() => None,
            _ if self.lasts && self.task.state == "AlertPlainly" => Some(End::Untold),
            // What it had to tell of is still there; and what can't be told is told plainly.
            _ if self.task.tells_of_failure() => Some(End::Told),
            _ if self.is_no_obstacle() => Some(End::Well),
            _ if !self.lasts && self.is_retried() => Some(End::Well),
            _ => Some(End::Told),
        }
    }

    /// Whether it is about the second task of a function that has two.
    fn is_left(&self) -> bool {
        self.task.state == "PreserveLeft"
    }

    /// Whether the machine goes its way although the call fails.
    fn is_no_obstacle(&self) -> bool {
        match (self.task.state, self.call.as_str()) {
            // The boundary is the deny then.
            _ if self.attaches_the_deny() => !self.way.ends_the_function(),
            // Name and id by the finding's word count then.
            ("AssumeRole", "iam:GetAccessKeyLastUsed")
            // What can't be read is no evidence: it is told, and the next case is opened.
            | ("Preserve" | "PreserveLeft", "s3:GetObject") => self.way == Way::Denied,
            // A principal without room for tags is contained all the same.
            ("Tag", "iam:TagUser" | "iam:TagRole") => self.way == Way::Code("LimitExceeded"),
            // What can't be written is told plainly.
            _ if self.task.function == Some("write-report") => true,
            // People learn that the holders could not be read; and where nobody can count,
            // they are told all the same.
            (
                "FindHolders" | "ClaimObservedMail" | "ClaimUrgentMail" | "ClaimOverflowMail"
                | "CountEscalations" | "CountRepetitions",
                _,
            ) => true,
            _ => false,
        }
    }

    /// Whether nobody could find the words for what is told, nor for the finding's note.
    fn has_no_report(&self) -> bool {
        self.lasts && self.task.function == Some("write-report")
    }

    fn attaches_the_deny(&self) -> bool {
        let attaches = ["iam:AttachUserPolicy", "iam:AttachRolePolicy"];
        self.task.state == "Quarantine" && attaches.contains(&self.call.as_str())
    }

    /// Whether IAM refuses the boundary, which is no failure of the step that sets it.
    fn refuses_the_boundary(&self) -> bool {
        self.task.state == "ReplaceBoundary"
            && self.call == self.task.call
            && matches!(self.way, Way::Denied | Way::Code("LimitExceeded" | "InvalidInput"))
    }

    /// Whether the tags may be missing in the end.
    fn may_lack_tags(&self) -> bool {
        self.task.state == "Tag" && self.way == Way::Code("LimitExceeded")
    }

    /// Lets the fault stand, for one execution alone.
    async fn stand(&self, aws: &LocalAws, suspect: &Suspect<'_>, it: &Execution) -> Result<Fault> {
        let function = format!("cordon-{}", self.task.function.unwrap_or_default());
        let (service, session) = (self.call.split(':').next(), source_identity(it));
        let fault = aws.fault(&self.call, self.way.strike());
        let fault = match (service, self.task.function) {
            // Its function is called once before, for the evidence.
            (Some("lambda"), _) if self.is_left() && self.way.strikes_the_function() => {
                fault.caller(function).about(it.name()).after(1)
            }
            (Some("lambda"), _) if self.is_left() => fault.caller(it.name()).about("left"),
            (Some("s3"), _) if self.is_left() => {
                fault.caller(function).about(format!("{}/0001/left.json", suspect.id()))
            }
            (Some("lambda"), _) if self.way.strikes_the_function() => {
                fault.caller(function).about(it.name())
            }
            (Some("lambda"), _) => fault.caller(it.name()).about(function),
            (Some("sts"), Some(_)) => fault.caller(function).about(session),
            (Some("iam"), Some(folder)) => {
                let role = format!("assumed-role/SecurityRemediation-{}", state(folder));
                fault.caller(format!("arn:aws:sts::{}:{role}/{session}", suspect.account()))
            }
            (Some("s3"), Some(_)) => fault.caller(function).about(suspect.id()),
            (_, Some(_)) => fault.caller(function).about(suspect.finding.id()),
            (_, None) => match self.task.tells {
                Some(Telling::Failed) if self.task.state == "AlertPlainly" => {
                    fault.caller(it.name())
                }
                // Of the subject, so that what is told plainly instead is not struck.
                Some(telling) => fault.caller(it.name()).about(subject(telling)),
                None => fault.caller(it.name()),
            },
        };
        // Quarantine calls the same function before, and enters the account with it.
        let again = self.task.state == "ReplaceBoundary" && [INVOKE, ENTER].contains(&&*self.call);
        // That counts before it claims.
        let again = again || self.task.state == "ClaimOverflowMail";
        let fault = if again { fault.after(1) } else { fault };
        let fault = if self.way.takes_effect() { fault.after_it_took_effect() } else { fault };
        let fault = if self.lasts { fault.always() } else { fault.times(self.strikes()) };
        fault.stand().await
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, call, way, lasts } = self;
        let lasting = if *lasts { ", lasting" } else { "" };
        write!(out, "{} {call} {way}{lasting}", task.state)
    }
}

/// What is no report: nothing, something else, and one of which a part is of another type.
const NONSENSE: [&str; 3] = [
    "null",
    r#"["subject"]"#,
    r#"{"subject":"s","verdict":"v","note":"n","message":{"default":"m"},"fields":{}}"#,
];

/// The cells of a task that always run: an error that passes, another that does not, an answer
/// that is lost, the end of its function in mid-call, and a deny that IAM does not show yet or
/// does not go by. Of what finds the words, whatever may keep it from that.
fn some_cells(task: &'static Task) -> Vec<Cell> {
    let cell = |way, lasts| Cell { task, call: task.call.to_owned(), way, lasts };
    let mut cells = vec![
        cell(Way::Throttled, false),
        cell(Way::InternalFailure, false),
        cell(lasting(task), true),
    ];
    if changes_something(task.call) {
        cells.push(cell(Way::LostAfter, false));
    }
    if task.function.is_some() {
        cells.push(cell(Way::KilledBefore, false));
        cells.push(cell(Way::KilledAfter, false));
    }
    if ["ReportContained", "ReportEscalated", "ReportFailure"].contains(&task.state) {
        let ways = [Way::Throttled, Way::OutOfMemory, Way::TimedOut].into_iter();
        let ways = ways.chain(NONSENSE.map(Way::Answered));
        cells.extend(ways.map(|way| cell(way, true)));
    }
    if let Some(call) = task.deny_read() {
        let stale = |lasts| Cell { task, call: call.to_owned(), way: Way::Stale, lasts };
        cells.extend([stale(false), stale(true), cell(Way::Denied, false)]);
    }
    if task.state == "Quarantine" {
        // One call that fails leaves the other; without an entry there is none.
        cells.push(Cell { task, call: ENTER.to_owned(), way: Way::Denied, lasts: true });
    }
    cells
}

/// An error that the machine does not try to outlast, so that its end comes soon.
fn lasting(task: &Task) -> Way {
    match task.call {
        "ssm:GetParameter" => Way::Code("ParameterNotFound"),
        // Security Hub is not enabled.
        READ => Way::Code("InvalidAccessException"),
        "dynamodb:UpdateItem" => Way::Code("ResourceNotFoundException"),
        INVOKE => Way::KilledBefore,
        call if takes_away(call) => Way::Code("InvalidInput"),
        _ => Way::Denied,
    }
}

/// Whether IAM allows the call only under the deny as boundary.
fn takes_away(call: &str) -> bool {
    let policies = ["UserPolicy", "RolePolicy"].iter().any(|policy| call.ends_with(policy));
    policies && (call.starts_with("iam:Detach") || call.starts_with("iam:Delete"))
}

/// All cells of a task.
fn all_cells(task: &'static Task) -> Result<Vec<Cell>> {
    const ALWAYS: [Way; 7] = [
        Way::Throttled,
        Way::InternalFailure,
        Way::Unavailable,
        Way::Denied,
        Way::TimedOut,
        Way::LostBefore,
        Way::LostAfter,
    ];
    const OF_FUNCTIONS: [Way; 4] =
        [Way::KilledBefore, Way::KilledAfter, Way::OutOfTimeBefore, Way::OutOfTimeAfter];
    const OF_IAM: [Way; 5] = [
        Way::Code("ConcurrentModification"),
        Way::Code("EntityTemporarilyUnmodifiable"),
        Way::Code("LimitExceeded"),
        Way::Code("NoSuchEntity"),
        Way::Code("InvalidInput"),
    ];
    let mut cells = Vec::new();
    let mut add = |task: &'static Task, call: &str, ways: &[Way]| {
        for &way in ways {
            for lasts in [false, true] {
                let cell = Cell { task, call: call.to_owned(), way, lasts };
                if lasts || cell.is_retried() {
                    cells.push(cell);
                }
            }
        }
    };
    add(task, task.call, &ALWAYS);
    match task.call {
        "ssm:GetParameter" => add(task, task.call, &[Way::Code("ParameterNotFound")]),
        READ => add(task, task.call, &[Way::Code("InvalidAccessException")]),
        "dynamodb:UpdateItem" => add(task, task.call, &[Way::Code("ResourceNotFoundException")]),
        _ => (),
    }
    let Some(folder) = task.function else { return Ok(cells) };
    add(task, task.call, &OF_FUNCTIONS);
    if task.call != INVOKE {
        add(task, INVOKE, &ALWAYS);
        add(task, INVOKE, &OF_FUNCTIONS);
    }
    add(task, INVOKE, &[Way::OutOfMemory]);
    if folder == "write-report" {
        add(task, INVOKE, &NONSENSE.map(Way::Answered));
    }
    if task.call.starts_with("iam:") {
        add(task, task.call, &OF_IAM);
    }
    // Every other call that the function makes in this case.
    for call in calls_of(folder)? {
        if call.starts_with("iam:") && !changes_something(&call) && is_made(task, &call) {
            add(task, &call, &[Way::Stale]);
        }
        if call != task.call && is_made(task, &call) {
            add(task, &call, &[Way::Throttled, Way::Denied, Way::KilledBefore]);
            if changes_something(&call) {
                add(task, &call, &[Way::LostAfter]);
            }
        }
    }
    Ok(cells)
}

/// Whether the call is made for a task's kind of principal.
fn is_made(task: &Task, call: &str) -> bool {
    let (_, operation) = call.split_once(':').unwrap_or_default();
    let of_roles = operation.contains("Role") && call != ENTER;
    match (task.case, operation) {
        // A first observation finds nothing in its place.
        _ if task.state == "Observe" && ["ListBucket", "GetObject"].contains(&operation) => false,
        // The account is not entered, nor are the cases looked at.
        _ if task.state == "PreserveLeft" => ["PutObject", "GetObject"].contains(&operation),
        // The account is not entered, and there is no case to read.
        _ if task.state == "ReadCase" => operation == "ListBucket",
        // That has tasks of its own.
        (_, "PutUserPermissionsBoundary" | "PutRolePermissionsBoundary") => false,
        (_, "AttachUserPolicy" | "AttachRolePolicy") if task.state == "ReplaceBoundary" => false,
        // Nothing is read before the deny.
        (_, "GetUser" | "GetRole") if task.state == "Quarantine" => false,
        (Case::Unused, _) => {
            ["AssumeRole", "GetUser", "ListAccessKeys", "GetAccessKeyLastUsed"].contains(&operation)
        }
        (Case::Role | Case::FullRole | Case::BoundedRole, _) => of_roles || call == ENTER,
        _ if of_roles => false,
        (Case::User, "GetAccessKeyLastUsed") => ["AssumeRole", "Preserve"].contains(&task.state),
        (Case::User, "GetLoginProfile") => task.state != "Verify",
        _ => true,
    }
}

pub(crate) fn add_to(trials: &mut Trials) {
    for task in &TASKS {
        let name = format!("{}: what fails passes, or is told, held and redriven", task.state);
        trials.add(name, async |aws: &LocalAws| hold(aws, some_cells(task)).await);
    }
    trials.add_alone(
        "observing: what fails passes, or is told, held and redriven",
        async |alone: &Alone<'_>| {
            amend(alone, &json!({ "mode": "observe" })).await?;
            hold(alone, OBSERVING.iter().flat_map(some_cells).collect()).await
        },
    );
    trials.add_alone(
        "abandoning: what fails passes, or is told, held and redriven",
        async |alone: &Alone<'_>| {
            hold_abandoning(alone, ABANDONING.iter().flat_map(some_cells).collect()).await
        },
    );
    trials.add_alone(
        "overflowing: what fails passes, or is told, held and redriven",
        async |alone: &Alone<'_>| {
            hold_overflowing(alone, OVERFLOWING.iter().flat_map(some_cells).collect()).await
        },
    );
    trials.add("each task of the machine has its row", async |_: &LocalAws| has_each_task());
    for task in TASKS.iter().chain(&OTHERWISE) {
        let name = format!("{} of {:?}: whatever fails", task.state, task.case);
        trials.add_thorough(name, async |aws: &LocalAws| hold(aws, all_cells(task)?).await);
    }
    trials.add_thorough_alone("observing: whatever fails", async |alone: &Alone<'_>| {
        amend(alone, &json!({ "mode": "observe" })).await?;
        for task in &OBSERVING {
            hold(alone, all_cells(task)?).await?;
        }
        Ok(())
    });
    trials.add_thorough_alone("overflowing: whatever fails", async |alone: &Alone<'_>| {
        for task in &OVERFLOWING {
            hold_overflowing(alone, all_cells(task)?).await?;
        }
        Ok(())
    });
    trials.add_thorough_alone("abandoning: whatever fails", async |alone: &Alone<'_>| {
        for task in &ABANDONING {
            amend(alone, &json!({ "mode": "contain" })).await?;
            hold_abandoning(alone, all_cells(task)?).await?;
        }
        Ok(())
    });
}

/// So many cells at once: they wait most of the time, but each has a principal to make and to
/// look at.
pub(crate) static AT_ONCE: Semaphore = Semaphore::const_new(32);

/// Runs cells side by side. Fails with all that do not hold.
async fn hold(aws: &LocalAws, cells: Vec<Cell>) -> Result<()> {
    let results = stream::iter(&cells).map(async |cell| {
        let _turn = AT_ONCE.acquire().await?;
        let outcome = Box::pin(run(aws, cell)).await;
        note(cell, outcome.as_ref().map_or_else(|_| BROKEN.to_owned(), Clone::clone));
        outcome.with_context(|| format!("{cell}"))
    });
    let results: Vec<Result<String>> = results.buffer_unordered(cells.len().max(1)).collect().await;
    let broken: Vec<String> =
        results.into_iter().filter_map(|it| it.err().map(|it| format!("{it:#}"))).collect();
    ensure!(broken.is_empty(), "{} cells do not hold:\n\n{}", broken.len(), broken.join("\n\n"));
    Ok(())
}

/// Fails with each task of the machine that nothing here makes fail.
fn has_each_task() -> Result<()> {
    fn tasks(states: &Value, all: &mut BTreeSet<String>) {
        for (name, state) in states.as_object().into_iter().flatten() {
            if state["Type"] == "Task" {
                all.insert(name.clone());
            }
            tasks(&state["ItemProcessor"]["States"], all);
            for branch in state["Branches"].as_array().into_iter().flatten() {
                tasks(&branch["States"], all);
            }
        }
    }
    let machine = include_str!("../../../statemachine/incident-response.asl.json");
    let machine: Value = serde_json::from_str(machine)?;
    let mut all = BTreeSet::new();
    tasks(&machine["States"], &mut all);
    let rows = TASKS.iter().chain(&OTHERWISE).chain(&OBSERVING).chain(&OVERFLOWING);
    for task in rows.chain(&ABANDONING) {
        all.remove(task.state);
    }
    ensure!(all.is_empty(), "nothing makes these fail: {all:?}");
    Ok(())
}

/// Runs cells one after the other, each as the first of its hour beyond the limit.
async fn hold_overflowing(alone: &Alone<'_>, cells: Vec<Cell>) -> Result<()> {
    amend(alone, &json!({ "escalationsPerHour": 0 })).await?;
    for cell in cells {
        alone.forget(MEMBERS[0], &["service#escalations"]).await?;
        hold(alone, vec![cell]).await?;
    }
    Ok(())
}

/// Runs cells side by side whose execution has failed before, and is redriven when the response
/// policy lets nothing more be done.
async fn hold_abandoning(alone: &Alone<'_>, cells: Vec<Cell>) -> Result<()> {
    let mut executions = Vec::new();
    for cell in &cells {
        let suspect = Suspect::new(alone, MEMBERS[0], cell.task.case).await?;
        let execution = alone.execution_to_be();
        let session = source_identity(&execution);
        let entry = alone.fault(ENTER, Strike::Denied).about(session).always().stand().await?;
        suspect.start(&execution).await?;
        executions.push((cell, suspect, execution, entry));
    }
    for (_, _, execution, entry) in &mut executions {
        execution.fails().await?;
        ensure!(entry.struck().await? > 0, "nobody was kept out");
    }
    amend(alone, &json!({ "mode": "off" })).await?;
    for (cell, suspect, execution, _entry) in &executions {
        let pass = Pass { aws: alone, cell, suspect, execution };
        let outcome = Box::pin(pass.abandons()).await;
        let said = outcome.as_ref().map_or_else(|_| BROKEN.to_owned(), Clone::clone);
        note(cell, said);
        outcome.with_context(|| format!("{cell}"))?;
    }
    Ok(())
}

pub(crate) const BROKEN: &str = "DOES NOT HOLD";

pub(crate) fn note(cell: &impl fmt::Display, outcome: String) {
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    table.push((cell.to_string(), outcome));
}

/// Each cell that ran, and its outcome.
static TABLE: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Prints what was made to fail, and what came of it.
pub(crate) fn print_table() {
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    table.sort();
    let width = table.iter().map(|(cell, _)| cell.len()).max().unwrap_or_default();
    for (cell, outcome) in table.iter() {
        println!("{cell:width$}  {outcome}");
    }
}

/// The longest that a pass takes whose fault lasts: all retries, each until its time is over.
const LONGEST: Duration = Duration::from_mins(8);

/// Runs one cell from the finding to the end of its redrive. Returns its outcome in words.
async fn run(aws: &LocalAws, cell: &Cell) -> Result<String> {
    let mut suspect = Suspect::new(aws, MEMBERS[0], cell.task.case).await?;
    let execution = aws.execution_to_be();
    if cell.task.state == "ClaimUrgentMail" {
        suspect.finding = suspect.finding.with("Severity", json!({ "Label": "CRITICAL" }));
    }
    let occasion = match (cell.task.state, cell.call.as_str()) {
        // Who tells of a failure has something to tell only where there is one.
        _ if cell.task.tells_of_failure() => {
            let session = source_identity(&execution);
            Some(aws.fault(ENTER, Strike::Denied).about(session).always().stand().await?)
        }
        // What is stored already is read where the answer to its storing was lost.
        (state, "s3:GetObject") => {
            let stored = match state {
                "PreserveLeft" => format!("{}/0001/left.json", suspect.id()),
                _ => suspect.id().to_owned(),
            };
            let lost = aws.fault("s3:PutObject", Strike::Dropped).about(stored);
            Some(lost.after_it_took_effect().stand().await?)
        }
        _ => None,
    };
    let fault = cell.stand(aws, &suspect, &execution).await?;
    match cell.task.state {
        "ReadFinding" => suspect.choose(&execution).await?,
        _ => suspect.start(&execution).await?,
    }

    let pass = Pass { aws, cell, suspect: &suspect, execution: &execution };
    let end = pass.ends().await?;
    if let Some(expected) = cell.expected() {
        ensure!(end == expected, "it ended {end:?}, not {expected:?}: {}", pass.path().await?);
    }
    let outcome = match end {
        End::Well => {
            Box::pin(pass.ended_well(0)).await?;
            if cell.lasts { "done all the same" } else { "passes" }.to_owned()
        }
        End::Escalated => {
            pass.was_left_to_people().await?;
            "left to people".to_owned()
        }
        End::Told => {
            pass.was_told_and_held().await?;
            let passed = if cell.lasts { "" } else { "passes; " };
            format!("{passed}{} told, redriven", pass.failure().1)
        }
        End::Untold => {
            let told = aws.topics().operations.mention(&execution.arn).await?;
            ensure!(told.text.contains("Responders may not know"), "{}", told.text);
            suspect.is_no_worse().await?;
            "the operations' topic told, redriven".to_owned()
        }
    };
    let evidence = suspect.original().await?;
    let struck = fault.lift().await?;
    let may_be_no_news = cell.way == Way::Stale && !cell.hides_the_deny();
    ensure!(struck > 0 || may_be_no_news, "no call was struck");
    ensure!(cell.lasts || struck <= cell.strikes(), "{struck} calls were struck");
    if let Some(occasion) = occasion {
        occasion.lift().await?;
    }

    if matches!(end, End::Told | End::Untold) {
        execution.redrive().await?;
        let end = pass.ends().await?;
        ensure!(end == End::Well, "redriven, it ended {end:?}: {}", pass.path().await?);
        Box::pin(pass.ended_well(1)).await?;
    }
    if let Some(evidence) = evidence {
        let now = suspect.original().await?.context("the original evidence is gone")?;
        ensure!(now.bytes == evidence.bytes, "the original evidence has changed");
    }
    pass.repeated_no_harm().await?;
    Ok(outcome)
}

/// The execution of a cell, once it has begun.
struct Pass<'a> {
    aws: &'a LocalAws,
    cell: &'a Cell,
    suspect: &'a Suspect<'a>,
    execution: &'a Execution,
}

impl Pass<'_> {
    /// Waits for its end, which is one of those that there may be.
    async fn ends(&self) -> Result<End> {
        let ended = self.execution.end_within(LONGEST).await?;
        let history = self.execution.history().await?;
        let error = ended.error.as_deref();
        Ok(match (ended.status, history.last_state()) {
            (
                ExecutionStatus::Succeeded,
                "Contained" | "Observed" | "ObservedToday" | "EscalatedUnmailed" | "Ignored",
            ) => End::Well,
            (ExecutionStatus::Succeeded, "Escalated") if self.cell.task.case == Case::Policy => {
                End::Well
            }
            (ExecutionStatus::Succeeded, "Escalated") => End::Escalated,
            (ExecutionStatus::Failed, "WaitForPeopleToRedrive")
                if error == Some("States.NoChoiceMatched") =>
            {
                End::Told
            }
            (ExecutionStatus::Failed, "AlertPlainly") => End::Untold,
            (status, state) => bail!("{status} at `{state}`: {}", history.last_events()),
        })
    }

    async fn path(&self) -> Result<String> {
        let history = self.execution.history().await?;
        Ok(format!("{}\n{}", history.path().join(", "), history.last_events()))
    }

    /// The state that failed for good, and its error.
    fn failure(&self) -> (&'static str, &'static str) {
        match self.cell.task.state {
            _ if self.cell.task.tells_of_failure() => ("AssumeRole", "EntryRefused"),
            _ if self.cell.refuses_the_boundary() && self.cell.task.case == Case::BoundedRole => {
                ("DetachRolePolicies", "BoundaryMissing")
            }
            _ if self.cell.refuses_the_boundary() => ("DetachPolicies", "BoundaryMissing"),
            // What was stored, whatever its caller was told, the repetition finds stored. The
            // last object, which no repetition reads, is the one that fails.
            "Preserve"
                if self.cell.lasts
                    && self.cell.way == Way::LostAfter
                    && self.cell.call == "s3:PutObject" =>
            {
                ("PreserveLeft", self.cell.error())
            }
            state => (state, self.cell.error()),
        }
    }

    fn mails(&self, telling: Telling) -> Vec<String> {
        let alerts = self.aws.topics().alerts.all();
        let told = alerts.into_iter().filter(|mail| self.is_of(mail, telling));
        told.map(|mail| mail.subject).collect()
    }

    fn is_of(&self, mail: &Message, telling: Telling) -> bool {
        mail.tells(telling, &self.execution.arn)
    }

    /// Waits for a mail about the execution. Returns what it says.
    async fn mail(&self, telling: Telling) -> Result<Message> {
        let (alerts, arn) = (&self.aws.topics().alerts, &self.execution.arn);
        let which = format_args!("{telling:?} of `{arn}`");
        alerts.message(which, |mail| self.is_of(mail, telling)).await
    }

    /// All is as if nothing had failed, but that people were told of so many failures.
    async fn ended_well(&self, failures: usize) -> Result<()> {
        let (cell, suspect) = (self.cell, self.suspect);
        let observing = OBSERVING.iter().any(|task| task.state == cell.task.state);
        let overflowing = OVERFLOWING.iter().any(|task| task.state == cell.task.state);
        // A redrive is answered, and where nobody can claim the one mail, people are told in full.
        let unclaimed = failures > 0 || cell.lasts && cell.task.state == "ClaimOverflowMail";
        let (telling, wanted) = match cell.task.case {
            Case::Policy if overflowing && !unclaimed => (Telling::Overflow, "NEW"),
            Case::Policy if observing => (Telling::LeftToPeople, "NEW"),
            _ if observing => (Telling::Observed, "NEW"),
            Case::Policy => (Telling::LeftToPeople, "NOTIFIED"),
            _ => (Telling::Done, "RESOLVED"),
        };
        let mail = self.mail(telling).await?;
        let status = suspect.workflow().await?;
        ensure!(status == wanted, "the finding is {status}");
        if cell.task.state == "FindHolders" {
            let parts = ["Who has the policy", "Failed: FindHolders"];
            let said = parts.iter().filter(|part| mail.text.contains(*part)).count();
            ensure!(said == 1, "the holders are told {said} times: {}", mail.page);
        }
        if telling == Telling::Done {
            let tagged = !cell.may_lack_tags();
            if cell.has_no_report() {
                let left = suspect.read_back().await?.left();
                ensure!(left.is_empty(), "left: {left:?}");
            } else {
                Box::pin(suspect.is_dealt_with(self.execution, tagged)).await?;
                truth::holds(&mail.page, &suspect.before, &suspect.read_back().await?)?;
            }
        } else {
            let now = suspect.read_back().await?;
            ensure!(now == suspect.before, "it was {:?} and is {now:?}", suspect.before);
        }
        // A mail may come twice only where nobody knows whether it was sent, or where what
        // follows it failed.
        let again = cell.way.takes_effect() && cell.task.tells == Some(telling)
            || cell.task.state == "MarkNotified";
        let told = self.mails(telling);
        ensure!(told.len() == 1 || again, "people were told that it is done by {told:?}");
        self.failures_told(failures)
    }

    /// People were told of so many failures, and those who run Cordon of what people were not.
    fn failures_told(&self, failures: usize) -> Result<()> {
        let told = self.mails(Telling::Failed);
        let again = self.cell.way.takes_effect() && self.cell.task.tells == Some(Telling::Failed);
        let as_often = told.len() == failures || again;
        ensure!(as_often, "people were told of {failures} failures by {told:?}");
        let untold = self.aws.topics().operations.mentioning(&self.execution.arn).len();
        let expected = usize::from(self.cell.lasts && self.cell.task.state == "AlertPlainly");
        ensure!(untold == expected, "those who run Cordon were told {untold} times");
        Ok(())
    }

    /// Redriven after a failure, but to do nothing more: people are told that, too.
    async fn abandons(&self) -> Result<String> {
        let cell = self.cell;
        let fault = cell.stand(self.aws, self.suspect, self.execution).await?;
        self.execution.redrive().await?;
        let end = self.ends().await?;
        let expected = cell.expected().unwrap_or_else(|| end.clone());
        ensure!(end == expected, "it ended {end:?}: {}", self.path().await?);
        let struck = fault.lift().await?;
        ensure!(struck > 0, "no call was struck");
        let mut failures = 1;
        if end == End::Told {
            failures += 1;
            let failed = |mail: &Message| self.is_of(mail, Telling::Failed);
            self.aws.topics().alerts.count(failures, failed).await?;
            self.execution.redrive().await?;
            let end = self.ends().await?;
            ensure!(end == End::Well, "redriven, it ended {end:?}: {}", self.path().await?);
        }
        let told = self.mail(Telling::Abandoned).await?.text;
        ensure!(told.contains("EntryRefused"), "{told}");
        let told = self.mails(Telling::Failed);
        ensure!(told.len() == failures, "people were told of {failures} failures by {told:?}");
        let (now, status) = (self.suspect.read_back().await?, self.suspect.workflow().await?);
        ensure!(now == self.suspect.before, "it was {:?} and is {now:?}", self.suspect.before);
        ensure!(status == "NEW", "the finding is {status}");
        Ok(match end {
            End::Told => format!("{} told, redriven", cell.error()),
            _ => "passes".to_owned(),
        })
    }

    async fn was_left_to_people(&self) -> Result<()> {
        self.mail(Telling::LeftToPeople).await?;
        let status = self.suspect.workflow().await?;
        ensure!(status == "NOTIFIED", "the finding is {status}");
        self.suspect.is_no_worse().await?;
        self.failures_told(0)
    }

    /// People know what failed and how to go on, what could be done is done, and no more.
    async fn was_told_and_held(&self) -> Result<()> {
        let (task, cell) = (self.cell.task, self.cell);
        let told = self.mail(Telling::Failed).await?.text;
        let (failed, why) = self.failure();
        // What appeared, or seems to have, is Verify's to report, by name.
        let reported = cell.expected().is_none() && told.contains(" Left: - ");
        // Whoever is told plainly reads the facts.
        let plainly = format!(r#""state":"{failed}","error":"{why}""#);
        let said = told.split("Failed: ").skip(1).any(|said| {
            let words = said.split([' ', ',']).next() == Some(failed);
            words && said.contains(&format!(", with {why}"))
        });
        // The SDK gives up a call that a busy machine takes seconds to answer, with whatever.
        let timed_out = format!("at the call {}, with ServiceUnavailable: request has", cell.call);
        let late =
            cell.is_by_function() && told.contains(&format!("{failed} {timed_out} timed out"));
        ensure!(
            reported || said || late || told.contains(&plainly),
            "the mail does not say that `{failed}` failed with `{why}`: {told}"
        );
        let redrive = if told.contains(&plainly) { "" } else { "redrive-execution " };
        for part in [self.suspect.finding.id(), self.suspect.account(), redrive] {
            ensure!(told.contains(part), "`{part}` is not in the mail: {told}");
        }
        self.failures_told(1)?;

        let (now, evidence) = self.suspect.is_no_worse().await?;
        let evidence = evidence.as_ref();
        let status = self.suspect.workflow().await?;
        let updated = match task.state {
            "Resolve" if cell.way.takes_effect() => "RESOLVED",
            "TellContained" => "RESOLVED",
            "MarkNotified" if cell.way.takes_effect() => "NOTIFIED",
            _ => "NEW",
        };
        ensure!(status == updated, "the finding is {status}");
        if cell.expected().is_none() {
            return Ok(());
        }
        for part in Part::ALL {
            if task.done.contains(&part) {
                let done = self.suspect.is_done(part, &now, evidence);
                ensure!(done, "{part:?} could have been done: {now:?}");
            } else if !task.own.contains(&part) {
                let untouched = self.suspect.is_untouched(part, &now, evidence);
                ensure!(untouched, "{part:?} is not as before: {now:?}");
            }
        }
        Ok(())
    }

    /// Nothing was taken away more often than there was something to take away.
    async fn repeated_no_harm(&self) -> Result<()> {
        let before = &self.suspect.before;
        let calls = self.aws.calls_of(self.execution).await?;
        let done = |action: &str| {
            calls.iter().filter(|call| call.action == action && call.error.is_none()).count()
        };
        for (action, most) in [
            ("DetachUserPolicy", before.attached.len()),
            ("DetachRolePolicy", before.attached.len()),
            ("DeleteUserPolicy", before.inline.len()),
            ("DeleteRolePolicy", before.inline.len()),
            ("RemoveUserFromGroup", before.groups.len()),
        ] {
            ensure!(done(action) <= most, "`{action}` was done {} times", done(action));
        }
        if self.cell.way.takes_effect() {
            // What was Inactive already may have become so again.
            return Ok(());
        }
        for kind in ["AccessKey", "SSHPublicKey", "SigningCertificate", "ServiceSpecificCredential"]
        {
            let action = format!("Update{kind}");
            let updates = calls.iter().filter(|call| call.action == action && call.error.is_none());
            // An SDK that heard no answer in time asks again, which is still one update.
            let asked =
                updates.clone().map(|call| &call.sdk_invocation_id).collect::<BTreeSet<_>>();
            let updates = updates.collect::<Vec<_>>();
            ensure!(!asked.contains(&None), "a call is of no SDK: {updates:?}");
            ensure!(asked.len() <= 1, "its one {kind} was updated more than once: {updates:?}");
        }
        Ok(())
    }
}
