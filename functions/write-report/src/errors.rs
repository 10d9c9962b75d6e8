//! What each error means, and what people do about it.

/// The errors of the state machine itself and of Lambda, beside
/// [`incident::Failure::NAMES`] and [`incident::Refusal::ALL`].
pub const OF_THE_MACHINE: [&str; 17] = [
    "ContainmentLimit",
    "UnusedPassword",
    "KeyStillActive",
    "NotVisible",
    "PolicyUnread",
    "DenyUnavailable",
    "UnknownResponse",
    "States.Timeout",
    "States.DataLimitExceeded",
    "States.QueryEvaluationError",
    "Lambda.TooManyRequestsException",
    "Lambda.ResourceNotFoundException",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Sandbox.Timedout",
    "DynamoDB.ProvisionedThroughputExceededException",
    "Ssm.ParameterNotFoundException",
];

/// What is known of an error by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// Why nobody was touched, as the end of a sentence.
    pub(crate) why: &'static str,
    /// What people do about it.
    pub(crate) todo: &'static str,
}

/// Whether the error is no failure, but names why people have to decide.
pub(crate) fn is_a_decision(error: &str) -> bool {
    let decisions = [
        "PrincipalNotFound",
        "PrincipalMismatch",
        "PrincipalExempt",
        "PrincipalProtected",
        "PrincipalMayBeImpostor",
        "ContainmentLimit",
        "KeyStillActive",
        "RecurrenceUnclear",
    ];
    decisions.contains(&error) || incident::Refusal::ALL.iter().any(|one| one.name() == error)
}

/// The meaning of `RootUser` where the finding names a user or a role.
pub(crate) const TAKEN_FOR_ROOT: Meaning = Meaning {
    why: "the finding's title reads like one about the root user's access key, and what it names \
          is not root's",
    todo: "What the finding names is not the root user's, whatever its title says. See what was \
           done with that, and whether root has an access key at all (AccountAccessKeysPresent):",
};

/// What is done about `AccessDenied` where a role's own policy denies the call: Cordon's deny
/// those whom the configuration protects.
pub(crate) const DENIED_BY_A_ROLE: &str = "A policy of Cordon's own role denies the call. The roles \
     deny them of whomever `operators` or `protectedPrincipals` of the configuration names: if that \
     is one of these, nothing is to be mended, and it is left to you. Otherwise somebody has changed \
     the role: mend that.";

/// What any other error comes to.
pub(crate) const UNKNOWN: Meaning = Meaning {
    why: "a step failed",
    todo: "Read the service's words above, and in the execution what the step was given. Mend what \
           they name.",
};

/// The meaning of an error that has a name of ours, of Lambda's or of Step Functions';
/// nothing, where none of them uses the name.
pub(crate) fn meaning(error: &str) -> Option<Meaning> {
    let (why, todo) = of_steps(error)
        .or_else(|| of_principals(error))
        .or_else(|| of_refusals(error))
        .or_else(|| of_decisions(error))
        .or_else(|| of_the_policy(error))
        .or_else(|| of_restores(error))
        .or_else(|| of_the_machine(error))?;
    Some(Meaning { why, todo })
}

type Words = (&'static str, &'static str);

fn of_steps(error: &str) -> Option<Words> {
    Some(match error {
        "InvalidInput" => (
            "the parts of Cordon do not fit together",
            "The parts of Cordon are of different versions. Deploy all of it again, from one.",
        ),
        "ResponsePolicyInvalid" => (
            "the response policy can't be understood",
            "Mend the response policy: the words above name the field. See what it is now:",
        ),
        "EntryRefused" => (
            "the account does not let Cordon in",
            "The account does not let the functions of these steps in. Deploy the stack \
             CordonMember there where it is missing. Where it is there, compare its external id and \
             organization id with the security account's. A role that somebody has changed or \
             deleted comes back only if the stack, or the StackSet's instance, is deleted first. See \
             each role and whom it trusts:",
        ),
        "AccessDenied" => (
            "AWS refuses a call",
            "Find what refuses the call: a service control policy, a permissions boundary, or a \
             changed policy of Cordon's role. Mend that.",
        ),
        "Throttled" => (
            "AWS throttles a call",
            "Something calls AWS so often that Cordon gets no turn. Find out what, or wait some \
             minutes.",
        ),
        "ServiceUnavailable" => (
            "AWS could not serve a call",
            "AWS could not serve the call for minutes. Look at the AWS Health Dashboard, and wait \
             until it can.",
        ),
        "LimitExceeded" => (
            "a quota is used up",
            "A quota is used up; the words above name it. Make room, or have it raised.",
        ),
        "NotFound" => (
            "something that a call names is gone",
            "What the call names is gone. Somebody changes the principal at the same time, or has \
             deleted a part of Cordon. Find out who.",
        ),
        "RequestRejected" => (
            "AWS does not take a call",
            "AWS does not take the call, however often it is made. The words above say why. Mend \
             that.",
        ),
        "DenyMissing" => (
            "no deny stands",
            "No deny stands, so no policy was detached and no group left. Mend what kept Quarantine \
             from putting AWSDenyAll there.",
        ),
        "DenyNotVisible" => (
            "the deny is not to be seen",
            "Cordon put AWSDenyAll there, but IAM does not show it or does not go by it. Either \
             somebody takes it away again, or another policy refuses Cordon's call. Find out who \
             took it away (DetachUserPolicy, DeleteUserPermissionsBoundary, and the same of roles):",
        ),
        "BoundaryMissing" => (
            "AWSDenyAll is not the permissions boundary",
            "AWSDenyAll could not become the permissions boundary, so no policy was detached. Most \
             likely a service control policy asks for another boundary. Exempt from it \
             role/cordon/SecurityRemediation-Quarantine.",
        ),
        "NotContained" => (
            "it is not contained",
            "Something gives the principal its rights back: a pipeline, or another administrator. \
             Stop that.",
        ),
        "EvidenceUnreadable" => (
            "the evidence is unreadable",
            "What lies there in the evidence bucket is no evidence of Cordon's. Find out who wrote \
             it. Leave it where it is.",
        ),
        "FindingNotFound" => (
            "Security Hub does not have the finding",
            "Find out who started this execution. If it was not Security Hub, somebody has made the \
             finding up; who put an event on the bus (PutEvents) is recorded only where a trail has \
             its data events. If it was, the finding has been deleted since.",
        ),
        "FindingNotUpdated" => (
            "Security Hub did not update the finding",
            "Security Hub does not take the update; the words above have its code. Mend that.",
        ),
        "FindingBusy" => (
            "Security Hub could not update the finding",
            "Security Hub was busy for minutes. Wait until it is not.",
        ),
        _ => return None,
    })
}

fn of_principals(error: &str) -> Option<Words> {
    Some(match error {
        "PrincipalNotFound" => (
            "it was deleted or renamed before, or never was in the account",
            "Find out what became of it, and what it had made: keys, users, roles. If you find it under \
             another name, it may be in still: deny that one everything.",
        ),
        "PrincipalMismatch" => (
            "who has that name now may be somebody else",
            "Who has the name now was left alone, since it may be a namesake. Find the one who is \
             meant. Search for the unique id, and in CloudTrail for who renamed or deleted it. If \
             you find that one under another name, it may be in still: deny it everything.",
        ),
        "PrincipalVanished" => (
            "it vanished while it was dealt with",
            "It was renamed or deleted while Cordon dealt with it. If this finds it, stop who \
             renames it. If it finds nobody, it was deleted, and whoever has the name by now is \
             somebody else, who may be under a deny that is not meant for them:",
        ),
        "PrincipalExempt" => (
            "the response policy exempts it",
            "The response policy exempts it (`exemptPrincipals`), and for as long as it does, Cordon \
             does not touch it. If an attacker uses it, act by hand.",
        ),
        "RecurrenceUnclear" => (
            "it was contained before and given back, and it is not known whether the attacker is \
             back",
            "GuardDuty has sent the finding again, and no deny stands any more. See what the \
             principal did since it was given back, and contain it if the attacker is back:",
        ),
        "PrincipalProtected" => ("no machine may contain it", "Decide whether to contain it."),
        "PrincipalMayBeImpostor" => (
            "it has a protected name, though an attacker could have made it",
            "Find out who made it, and when. If it is an impostor, contain it by hand. If it is \
             genuine, containing it may lock you out of the account: end its sessions, or replace \
             a user's keys, instead.",
        ),
        _ => return None,
    })
}

fn of_refusals(error: &str) -> Option<Words> {
    Some(match error {
        "RootUser" | "RootKey" => (
            "the root user is never contained by machine",
            "Take the key away from whoever has it. From the management account:",
        ),
        "RootSession" => (
            "a session of the root user can't be ended by machine",
            "Change the root user's password and its MFA device, and delete its access keys. A \
             session that is open ends within hours. A service control policy that denies the root \
             user everything ends what it may do at once, but in the management account.",
        ),
        "RootMfa" => (
            "what the root user lacks can only be given by whoever signs in as root",
            "See what the account has of the root user:",
        ),
        "FederatedSession" => (
            "a federated user has no policies of its own to take away",
            "See in CloudTrail what the session did. The call GetFederationToken names the user that \
             made it:",
        ),
        "UnknownKey" => {
            ("the finding does not say whose the key is", "See who has the key, and what it did:")
        }
        "WidePolicy" => (
            "a policy is narrowed by whoever knows what it is for",
            "See what the policy allows, and who has it:",
        ),
        "UnusedPassword" => (
            "a console password can only be deleted, and would be lost",
            "If nobody needs the console password, delete it: it can't be made inactive.",
        ),
        "KeyStillActive" => (
            "an active access key may be the one that the finding means",
            "No access key is unused for as many days as Cordon measured, and the finding does not \
             say how many it means. See when each was last used, and make the unused one inactive:",
        ),
        "RolesNotContained" => (
            "the response policy lets no finding contain a role",
            "Others may use the role beside the attacker: to contain it ends all of their sessions, \
             and those that begin later. See what this session did (CloudTrail answers for one \
             Region at a time). To end by hand only those sessions that have begun before this \
             mail, put this policy on the role; later, put the time of then into it:",
        ),
        "Unnamed" => (
            "the finding does not say who is meant",
            "Read the finding, and find out in CloudTrail who is meant.",
        ),
        "Malformed" => (
            "the finding gives a name that IAM can't have",
            "Read the finding, and ask whoever sends such findings. The name may be meant to \
             deceive you.",
        ),
        "NoUniqueId" => (
            "the name alone may be somebody else's by now",
            "Find out whose session it is, and whether the name is still that one's.",
        ),
        "Ambiguous" => (
            "the finding means two by one name",
            "Read the finding, and decide which of the two is meant.",
        ),
        "Contradictory" => (
            "the finding contradicts itself about who is meant",
            "Type, id and details of the resource do not mean the same; the words above say how. \
             Find out which of them is true, and contain that one by hand. Whoever sends such \
             findings may want you to contain somebody else.",
        ),
        "NoPrincipal" => (
            "it is no user, role or access key, and nothing else can be contained",
            "Read the finding, and find out who did it. Contain that user or role by hand, or choose \
             a finding that names it.",
        ),
        "Target" => (
            "the finding calls it the target, not the actor",
            "Whoever sent the finding says that this is what was attacked; the words above have who \
             did it. Contain it only if you know better.",
        ),
        "Actor" => (
            "the finding names another beside it, so which of them is meant is not clear",
            "The finding tells who did it from what it was done to; the words above say what it \
             calls this one. Which of them is dangerous? Whoever sent it may be wrong.",
        ),
        _ => return None,
    })
}

/// Of what a finding says something that a person has to weigh.
fn of_decisions(error: &str) -> Option<Words> {
    Some(match error {
        "UnusualBehavior" => (
            "its behaviour is unusual, and need not be an attack",
            "Ask whoever is responsible whether this is meant, and see what was done:",
        ),
        "MayBeIntended" => {
            ("what it did may be intended", "See what it did, and undo what nobody meant:")
        }
        "ExposedKey" => (
            "its credentials may be in the wrong hands, and a person has to see whose they are",
            "See whose key it is, and what was done with it:",
        ),
        "NoRule" => ("no rule of Cordon's says what such a finding means", "See what it did:"),
        "LeftByPolicy" => (
            "the response policy leaves such findings of this product to people",
            "See what it did:",
        ),
        _ => return None,
    })
}

fn of_the_policy(error: &str) -> Option<Words> {
    Some(match error {
        "AccountExempt" => (
            "the response policy exempts the account",
            "The response policy exempts the account, so Cordon touches nobody there, whoever \
             asks. Act by hand.",
        ),
        "Elsewhere" => (
            "it is in another account than the finding",
            "Cordon acts only in the finding's own account. If the principal is yours, act by hand \
             in its account.",
        ),
        "Untrusted" => (
            "the response policy does not trust the finding's product any more",
            "Decide whether the finding is true. It was begun with before the redrive.",
        ),
        "SeverityTooLow" => {
            ("the response policy asks for a higher severity", "Decide whether it is bad enough.")
        }
        "RetirementsOff" => (
            "the response policy does not let unused credentials be retired any more",
            "Decide whether the unused keys are to be made inactive.",
        ),
        "TooMany" => (
            "there are more than one execution deals with",
            "The finding names more principals than one execution deals with.",
        ),
        "ContainmentLimit" => (
            "the limit of the hour is reached",
            "Cordon contains only so many principals of an account in an hour. So many may mean \
             that the findings are forged, or that the account is lost. Decide which.",
        ),
        _ => return None,
    })
}

fn of_the_machine(error: &str) -> Option<Words> {
    Some(match error {
        "PolicyUnread" => (
            "the response policy of today was not read",
            "The redrive began in the middle, where nothing acts before the response policy of \
             today is read. One more redrive begins with that.",
        ),
        "DenyUnavailable" => (
            "this partition has no policy AWSDenyAll",
            "This partition has no managed policy AWSDenyAll: until AWS has it there, Cordon can \
             deny nobody, and each principal takes an inline policy by hand.",
        ),
        "UnknownResponse" => (
            "the verdict is none that the machine knows",
            "Classify and the state machine are of different versions. Deploy all of Cordon again, \
             from one.",
        ),
        "States.Timeout" | "Sandbox.Timedout" => (
            "a step took too long",
            "The step took too long. AWS was slow, or the account is very large. Look at the AWS \
             Health Dashboard and at the function's log.",
        ),
        "Runtime.OutOfMemory" => (
            "a function ran out of memory",
            "The step's function ran out of memory. Give it more, and look at its log.",
        ),
        "Runtime.ExitError" => (
            "a function crashed",
            "The step's function crashed. Look at its log; deploy Cordon again if its package is \
             broken.",
        ),
        "Lambda.TooManyRequestsException" => (
            "Lambda had no room for a function",
            "The security account's Lambda concurrency was used up for minutes. Find out by what, \
             or have the quota raised.",
        ),
        "States.DataLimitExceeded" => (
            "the incident is too large for the machine",
            "What the machine carries is larger than Step Functions allows, and will be again. \
             Act by hand.",
        ),
        "States.QueryEvaluationError" => (
            "the machine could not compute a value",
            "The state machine does not understand what a step answered. Deploy all of Cordon \
             again, from one version.",
        ),
        _ if is_of("Ssm", error) && error.contains("ParameterNotFound") => (
            "the response policy is missing",
            "The parameter /cordon/response-policy is missing. Put the policy back: the first \
             command deploys the configuration's, which may be the one of a pilot. Where nobody has \
             that, the second puts a policy there that only observes, everywhere, and exempts \
             nobody. Write into it what is to be:",
        ),
        _ if is_of("Ssm", error) => (
            "the response policy could not be read",
            "The parameter /cordon/response-policy could not be read. The words above say why. Mend \
             that.",
        ),
        _ if is_of("DynamoDB", error) => (
            "what is contained could not be counted",
            "The table that counts containments could not be written, and nobody is contained \
             uncounted. The words above say why. Mend that.",
        ),
        _ if is_of("Sns", error) => (
            "the topic of the mails took none",
            "The responders' topic took no mail. The words above say why. Mend the topic, its key \
             or its policy.",
        ),
        _ if is_of("SecurityHub", error) => (
            "Security Hub could not be asked",
            "Security Hub could not be asked for the finding. The words above say why. Mend that.",
        ),
        _ if is_of("Lambda", error) || is_of("Runtime", error) => (
            "a function could not be run",
            "The step's function could not be run. Look at its log and its settings; deploy Cordon \
             again if it is gone or broken.",
        ),
        _ if is_of("States", error) => (
            "the state machine could not go on",
            "Step Functions could not go on here. The words above say why.",
        ),
        _ => return None,
    })
}

fn of_restores(error: &str) -> Option<Words> {
    Some(match error {
        "IncidentForeign" => (
            "the execution is none of Cordon's",
            "Give the ARN of an execution of `cordon-incident-response` in this account and Region.",
        ),
        "NothingToRestore" => (
            "there is nothing to give back",
            "Nothing was taken away by the execution, or it was given back already, or its history \
             is gone: then the evidence in the bucket says what there was.",
        ),
        "ChoiceUnclear" => {
            ("what was chosen is not clear", "Choose one of what the words above name.")
        }
        "IncidentPending" => (
            "an execution may contain the principal again",
            "Wait until the execution ends. One that failed, redrive until it succeeds: first \
             exempt the principal in the response policy, if it is not to be contained.",
        ),
        "CaseNotNewest" => (
            "the principal was contained again since, or its unused keys retired",
            "Plan the restore of the newest incident.",
        ),
        "EvidenceMismatch" => (
            "the evidence is not what the execution's history says",
            "Somebody has planted or changed evidence. Give nothing back by it. Who called \
             s3:PutObject is recorded only where a trail has the bucket's data events.",
        ),
        "AccountChanged" => (
            "the account has changed since the plan",
            "Find out who changed what the words above name, and whether it is an attacker's.",
        ),
        "IncidentMeanwhile" => (
            "another incident has reached the principal since the plan",
            "Read the other incident's mail: it may be the attacker. Give nothing back before \
             that is clear.",
        ),
        "CredentialMadeSince" => (
            "a credential that was made since is active",
            "Find out who made what the words above name. Make it inactive, or delete it: whoever \
             needs it makes it active once the deny is lifted.",
        ),
        "NotVisible" => (
            "IAM does not show what was given back",
            "IAM does not show what was given back, after more than half a minute. Look at the AWS \
             Health Dashboard, and for whoever takes it away again.",
        ),
        _ => return None,
    })
}

/// Whether it is an error of a service, whose name Step Functions spells in two ways
/// (`Sns.`, `SNS.`).
fn is_of(service: &str, error: &str) -> bool {
    error.split_once('.').is_some_and(|(name, _)| name.eq_ignore_ascii_case(service))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use incident::{Failure, Refusal};
    use serde_json::Value;

    use super::*;

    /// The errors that a machine's states name: those that they expect, and their own.
    fn named(machine: &Value, errors: &mut BTreeSet<String>) {
        let Value::Object(fields) = machine else {
            return machine.as_array().into_iter().flatten().for_each(|each| named(each, errors));
        };
        for (name, value) in fields {
            let expected = value.as_array().filter(|_| name == "ErrorEquals");
            let said = Some(value).filter(|_| name == "error");
            let said = said.into_iter().chain(expected.into_iter().flatten());
            errors.extend(said.filter_map(Value::as_str).map(str::to_owned));
            named(value, errors);
        }
    }

    #[test]
    fn every_error_has_a_meaning_of_its_own() {
        let names = Failure::NAMES.into_iter().chain(Refusal::ALL.map(Refusal::name));
        for error in names.chain(OF_THE_MACHINE) {
            let meaning = meaning(error).unwrap_or_else(|| panic!("`{error}` has no advice"));
            assert!(meaning.todo.ends_with(['.', ':']), "{error}");
            assert!(!meaning.why.ends_with('.'), "{error}");
        }
        assert_eq!(meaning("SNS.AmazonSNSException"), meaning("Sns.KmsAccessDeniedException"));
        for error in ["", "Custom.Error", "NoSuchError", "timeout"] {
            assert_eq!(meaning(error), None, "{error}");
        }
    }

    #[test]
    fn what_the_machines_name_has_a_meaning() {
        for machine in ["incident-response", "restore"] {
            let path = format!("../../statemachine/{machine}.asl.json");
            let mut errors = BTreeSet::new();
            named(&serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap(), &mut errors);
            assert!(errors.remove("States.ALL"));
            errors.retain(|error| !error.starts_with("{%"));
            assert!(errors.contains("Runtime.OutOfMemory"), "{errors:?}");
            for error in &errors {
                let known = meaning(error).is_some() || of_restores(error).is_some();
                assert!(known, "`{error}` has no advice");
            }
        }
    }
}
