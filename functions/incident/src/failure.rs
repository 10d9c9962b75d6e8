use std::error::Error;

use crate::DenyBy;

type Source = Box<dyn Error + Send + Sync>;

/// How a step fails, named for the decision that the state machine takes on it.
///
/// The variant's name is the error's name in the state machine (`ErrorEquals`).
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The step's input is not what the state machine is to pass. Not retried.
    #[error("the step's input is unusable: {0}")]
    InvalidInput(String),
    /// People have redriven the execution, and the response policy of today was not read
    /// since. Nothing is done, and the machine reads it first.
    #[error("the execution was redriven, and the response policy of today is to be read first")]
    PolicyUnread,
    /// The response policy can't be understood; nobody is contained. Not retried:
    /// once it is mended, the execution is redriven.
    #[error("the response policy is unusable: {0}")]
    ResponsePolicyInvalid(String),
    /// The member account does not let the step's function in. Not retried.
    #[error(
        "the account can't be entered as `{role}`, which must exist and trust this step's \
         function, the external id and the organization"
    )]
    EntryRefused {
        /// The member role that was to be assumed.
        role: String,
        /// What STS answered.
        source: Source,
    },
    /// AWS refuses the call. Not retried: a policy has to be mended first.
    #[error("{call} is refused")]
    AccessDenied {
        /// The call, as IAM names the action.
        call: &'static str,
        /// What the service answered.
        source: Source,
    },
    /// AWS throttles the call. Retried with jitter.
    #[error("{call} is throttled")]
    Throttled {
        /// The call, as IAM names the action.
        call: &'static str,
        /// What the service answered.
        source: Source,
    },
    /// AWS can't serve the call now: an error of the service, a conflicting change,
    /// a time-out, no connection. Retried.
    #[error("{call} could not be served")]
    ServiceUnavailable {
        /// The call, as IAM names the action.
        call: &'static str,
        /// What the service answered.
        source: Source,
    },
    /// A quota is used up. Not retried.
    #[error("{call} would exceed a quota")]
    LimitExceeded {
        /// The call, as IAM names the action.
        call: &'static str,
        /// What the service answered.
        source: Source,
    },
    /// Something that the call names does not exist. Not retried.
    #[error("{call} names what does not exist")]
    NotFound {
        /// The call, as IAM names the action.
        call: &'static str,
        /// What the service answered.
        source: Source,
    },
    /// AWS refuses the request for another reason. Not retried.
    #[error("{call} is rejected")]
    RequestRejected {
        /// The call, as IAM names the action.
        call: &'static str,
        /// What the service answered.
        source: Source,
    },
    /// The account has no such principal. Escalated.
    #[error("the account has no {0}")]
    PrincipalNotFound(String),
    /// Somebody else may have the name that the finding gives: its unique id is not the
    /// one that the finding gives, or the finding gives none that could tell. Escalated.
    #[error("{0}")]
    PrincipalMismatch(String),
    /// The principal that was identified is not to be found: under its name is nobody, or
    /// somebody with another unique id. Nothing is done. Identified again, by its keys.
    #[error("{0}")]
    PrincipalVanished(String),
    /// The response policy exempts this principal. Escalated.
    #[error(
        "{}the response policy exempts it{note}: `{arn}` matches `{pattern}`",
        DenyBy::begins(*.denied)
    )]
    PrincipalExempt {
        /// The principal's ARN.
        arn: String,
        /// The pattern of `exemptPrincipals` that it matches.
        pattern: String,
        /// What people have noted of it ([`ExemptPrincipal::note`](crate::ExemptPrincipal::note)).
        note: String,
        /// The deny that stands on it all the same.
        denied: Option<DenyBy>,
    },
    /// Machines must not contain this principal. Escalated.
    #[error("{}`{arn}` is never contained by machine: {reason}", DenyBy::begins(*.denied))]
    PrincipalProtected {
        /// The principal's ARN.
        arn: String,
        /// Why not.
        reason: String,
        /// The deny that stands on it all the same.
        denied: Option<DenyBy>,
    },
    /// Machines must not contain a principal of this name, but an attacker could have made
    /// one. Escalated as urgent.
    #[error(
        "{}it may be an impostor, since whoever may create users or roles in the account could \
         have made `{arn}`; it is never contained by machine: {reason}",
        DenyBy::begins(*.denied)
    )]
    PrincipalMayBeImpostor {
        /// The principal's ARN.
        arn: String,
        /// Why not.
        reason: String,
        /// The deny that stands on it all the same.
        denied: Option<DenyBy>,
    },
    /// No deny stands, so taking a policy or a group away might raise the
    /// principal's privilege. Nothing is taken away.
    #[error("no deny stands on `{0}`: nothing was taken away")]
    DenyMissing(String),
    /// This partition has no `AWSDenyAll` that could be put on a principal. Not retried.
    #[error("IAM has no policy `{policy}`, by which everything would be denied")]
    DenyUnavailable {
        /// Its ARN.
        policy: String,
        /// What the service answered.
        source: Source,
    },
    /// The deny that Quarantine has put on the principal is not to be seen everywhere.
    /// Retried: IAM may show it later.
    ///
    /// Source: IAM User Guide, "Changes that I make are not always immediately visible".
    #[error("the deny on `{arn}` is not to be seen everywhere: {why}")]
    DenyNotVisible {
        /// The principal's ARN.
        arn: String,
        /// Where it is not to be seen.
        why: String,
    },
    /// `AWSDenyAll` is not the principal's permissions boundary, without which IAM lets
    /// nobody of ours take a policy away. No policy is taken away. Not retried: people
    /// have to mend the cause.
    #[error("no policy was taken away, since AWSDenyAll is not the permissions boundary: {why}")]
    BoundaryMissing {
        /// Why not, and what to do.
        why: String,
    },
    /// What lies in the evidence bucket under this key is no evidence. Not retried.
    #[error("the evidence `{key}` is unreadable")]
    EvidenceUnreadable {
        /// The object's key.
        key: String,
        /// What is wrong with it.
        source: Source,
    },
    /// Security Hub does not have the finding that the execution is about. Not retried:
    /// people have to find out who made it up.
    #[error(
        "Security Hub has no such finding: was this execution started by hand? CloudTrail knows \
         who called states:StartExecution"
    )]
    FindingNotFound,
    /// A finding that was answered says more by now, but not whether the attacker is back.
    /// Escalated.
    #[error("it is not known whether the attacker is back: {0}")]
    RecurrenceUnclear(String),
    /// Security Hub did not update the finding, and a repetition will not help.
    #[error("the finding was not updated: {0}")]
    FindingNotUpdated(String),
    /// Security Hub could not update the finding just now. Retried.
    #[error("the finding could not be updated now: {0}")]
    FindingBusy(String),
    /// What is to be taken back is no execution of our own machine. Nothing is planned.
    #[error("`{0}` is no execution of our machine `cordon-incident-response`")]
    IncidentForeign(String),
    /// The execution has taken nothing away that could be given back, or its history is gone.
    #[error("there is nothing to give back: {0}")]
    NothingToRestore(String),
    /// It is not clear what a person has chosen: whom, or which item. Nothing is planned.
    #[error("what is to be planned is not clear: {0}")]
    ChoiceUnclear(String),
    /// An execution about the principal runs, or waits for a redrive that would contain it
    /// again. Nothing is planned.
    #[error("`{execution}` is {status}, and may contain the principal again")]
    IncidentPending {
        /// The execution's ARN.
        execution: String,
        /// Its status, and whether it waits for a redrive.
        status: String,
    },
    /// The principal has been contained again since, or its unused keys retired. Nothing is
    /// planned of an older case or retirement.
    #[error("it is not the newest: {0}")]
    CaseNotNewest(String),
    /// What lies in the evidence bucket is not what the execution's history says was stored.
    #[error("`{uri}` is not what the history of the execution says: {why}")]
    EvidenceMismatch {
        /// Where it lies.
        uri: String,
        /// In what it differs.
        why: String,
    },
    /// The account is not any more as the plan was made by. What is not given back yet is not
    /// given back: a person plans anew, and reads it.
    #[error("the account has changed since it was planned: {0}")]
    AccountChanged(String),
    /// Another incident has stored evidence of the principal since it was planned. The deny
    /// stands, or is put back.
    #[error("another incident has reached it since it was planned: {0}")]
    IncidentMeanwhile(String),
    /// A credential that nobody knew is active: lifting the deny would let in whoever made it.
    #[error("what was made since is active, and to be removed or made inactive first: {0}")]
    CredentialMadeSince(String),
}

impl Failure {
    /// The name of each failure, in the order of the variants.
    pub const NAMES: [&str; 34] = [
        "InvalidInput",
        "PolicyUnread",
        "ResponsePolicyInvalid",
        "EntryRefused",
        "AccessDenied",
        "Throttled",
        "ServiceUnavailable",
        "LimitExceeded",
        "NotFound",
        "RequestRejected",
        "PrincipalNotFound",
        "PrincipalMismatch",
        "PrincipalVanished",
        "PrincipalExempt",
        "PrincipalProtected",
        "PrincipalMayBeImpostor",
        "DenyMissing",
        "DenyUnavailable",
        "DenyNotVisible",
        "BoundaryMissing",
        "EvidenceUnreadable",
        "FindingNotFound",
        "RecurrenceUnclear",
        "FindingNotUpdated",
        "FindingBusy",
        "IncidentForeign",
        "NothingToRestore",
        "ChoiceUnclear",
        "IncidentPending",
        "CaseNotNewest",
        "EvidenceMismatch",
        "AccountChanged",
        "IncidentMeanwhile",
        "CredentialMadeSince",
    ];

    /// The name under which the state machine knows this failure.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::InvalidInput(_) => "InvalidInput",
            Self::PolicyUnread => "PolicyUnread",
            Self::ResponsePolicyInvalid(_) => "ResponsePolicyInvalid",
            Self::EntryRefused { .. } => "EntryRefused",
            Self::AccessDenied { .. } => "AccessDenied",
            Self::Throttled { .. } => "Throttled",
            Self::ServiceUnavailable { .. } => "ServiceUnavailable",
            Self::LimitExceeded { .. } => "LimitExceeded",
            Self::NotFound { .. } => "NotFound",
            Self::RequestRejected { .. } => "RequestRejected",
            Self::PrincipalNotFound(_) => "PrincipalNotFound",
            Self::PrincipalMismatch(_) => "PrincipalMismatch",
            Self::PrincipalVanished(_) => "PrincipalVanished",
            Self::PrincipalExempt { .. } => "PrincipalExempt",
            Self::PrincipalProtected { .. } => "PrincipalProtected",
            Self::PrincipalMayBeImpostor { .. } => "PrincipalMayBeImpostor",
            Self::DenyMissing(_) => "DenyMissing",
            Self::DenyUnavailable { .. } => "DenyUnavailable",
            Self::DenyNotVisible { .. } => "DenyNotVisible",
            Self::BoundaryMissing { .. } => "BoundaryMissing",
            Self::EvidenceUnreadable { .. } => "EvidenceUnreadable",
            Self::FindingNotFound => "FindingNotFound",
            Self::RecurrenceUnclear(_) => "RecurrenceUnclear",
            Self::FindingNotUpdated(_) => "FindingNotUpdated",
            Self::FindingBusy(_) => "FindingBusy",
            Self::IncidentForeign(_) => "IncidentForeign",
            Self::NothingToRestore(_) => "NothingToRestore",
            Self::ChoiceUnclear(_) => "ChoiceUnclear",
            Self::IncidentPending { .. } => "IncidentPending",
            Self::CaseNotNewest(_) => "CaseNotNewest",
            Self::EvidenceMismatch { .. } => "EvidenceMismatch",
            Self::AccountChanged(_) => "AccountChanged",
            Self::IncidentMeanwhile(_) => "IncidentMeanwhile",
            Self::CredentialMadeSince(_) => "CredentialMadeSince",
        }
    }

    /// The same failure, its cause with the place that the call was about, for calls of
    /// which the service's answer does not say so itself.
    #[must_use]
    pub fn at(mut self, place: &str) -> Self {
        if let Self::AccessDenied { source, .. }
        | Self::Throttled { source, .. }
        | Self::ServiceUnavailable { source, .. }
        | Self::LimitExceeded { source, .. }
        | Self::NotFound { source, .. }
        | Self::RequestRejected { source, .. } = &mut self
        {
            *source = format!("`{place}`: {}", chain_of(source.as_ref())).into();
        }
        self
    }

    /// The failure with all its causes, outermost first, on one line. It travels as JSON in
    /// JSON in JSON, each of which escapes quotation marks again.
    #[must_use]
    pub fn chain(&self) -> String {
        crate::text::one_line(&chain_of(self), 1_000).replace('"', "'").replace('\\', "/")
    }
}

fn chain_of(error: &dyn Error) -> String {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        chain = format!("{chain}: {cause}");
        source = cause.source();
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_failure_lacks_its_name() {
        let arms = include_str!("failure.rs").lines().filter_map(|line| line.split_once(" => \""));
        let names: Vec<_> = arms.filter_map(|(_, name)| name.strip_suffix("\",")).collect();
        assert_eq!(names, Failure::NAMES);
    }
}
