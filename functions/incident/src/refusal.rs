use serde::{Deserialize, Serialize};

/// Why what a finding names is left to people without a look into its account, named for
/// what people have to do about it.
///
/// The variant's name is the error's name in an [`Outcome`](crate::Outcome) of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Refusal {
    /// The root user, of which no key is named.
    RootUser,
    /// A long-term access key of the root user.
    RootKey,
    /// A session of the root user.
    RootSession,
    /// The root user lacks an MFA device.
    RootMfa,
    /// A session that a user made for somebody (`sts:GetFederationToken`).
    FederatedSession,
    /// A key of which the finding does not say whose it is.
    UnknownKey,
    /// A customer-managed policy that allows too much.
    WidePolicy,
    /// A console password, which can only be deleted.
    UnusedPassword,
    /// A behaviour that is unusual for the principal, and need not be an attack.
    UnusualBehavior,
    /// A call that weakens the account or that nobody expects there, whoever made it.
    MayBeIntended,
    /// Credentials that somebody found where they should not be.
    ExposedKey,
    /// An AWS service accuses it, and no rule says what that means.
    NoRule,
    /// The response policy has people told of such findings.
    LeftByPolicy,
    /// A role, and the response policy lets no finding contain one.
    RolesNotContained,
    /// The response policy exempts the account.
    AccountExempt,
    /// It is in another account or partition than the finding.
    Elsewhere,
    /// The finding does not say by which name or key it is to be found.
    Unnamed,
    /// Its name or path is none that IAM could have.
    Malformed,
    /// The name alone may be somebody else's by now, and the finding gives no unique id.
    NoUniqueId,
    /// The finding means two by one name.
    Ambiguous,
    /// What the finding says of one principal means two.
    Contradictory,
    /// It is no user, role or key of one.
    NoPrincipal,
    /// A custom product calls it the target, and names an actor.
    Target,
    /// A person chose a finding of a custom product that names a target beside it.
    Actor,
    /// The response policy does not trust the finding's product any more.
    Untrusted,
    /// The response policy asks for a higher severity by now.
    SeverityTooLow,
    /// The response policy does not let unused credentials be retired any more.
    RetirementsOff,
    /// There are more than one execution deals with.
    TooMany,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::RootUser,
        Self::RootKey,
        Self::RootSession,
        Self::RootMfa,
        Self::FederatedSession,
        Self::UnknownKey,
        Self::WidePolicy,
        Self::UnusedPassword,
        Self::UnusualBehavior,
        Self::MayBeIntended,
        Self::ExposedKey,
        Self::NoRule,
        Self::LeftByPolicy,
        Self::RolesNotContained,
        Self::AccountExempt,
        Self::Elsewhere,
        Self::Unnamed,
        Self::Malformed,
        Self::NoUniqueId,
        Self::Ambiguous,
        Self::Contradictory,
        Self::NoPrincipal,
        Self::Target,
        Self::Actor,
        Self::Untrusted,
        Self::SeverityTooLow,
        Self::RetirementsOff,
        Self::TooMany,
    ];

    /// The error's name in an outcome.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RootUser => "RootUser",
            Self::RootKey => "RootKey",
            Self::RootSession => "RootSession",
            Self::RootMfa => "RootMfa",
            Self::FederatedSession => "FederatedSession",
            Self::UnknownKey => "UnknownKey",
            Self::WidePolicy => "WidePolicy",
            Self::UnusedPassword => "UnusedPassword",
            Self::UnusualBehavior => "UnusualBehavior",
            Self::MayBeIntended => "MayBeIntended",
            Self::ExposedKey => "ExposedKey",
            Self::NoRule => "NoRule",
            Self::LeftByPolicy => "LeftByPolicy",
            Self::RolesNotContained => "RolesNotContained",
            Self::AccountExempt => "AccountExempt",
            Self::Elsewhere => "Elsewhere",
            Self::Unnamed => "Unnamed",
            Self::Malformed => "Malformed",
            Self::NoUniqueId => "NoUniqueId",
            Self::Ambiguous => "Ambiguous",
            Self::Contradictory => "Contradictory",
            Self::NoPrincipal => "NoPrincipal",
            Self::Target => "Target",
            Self::Actor => "Actor",
            Self::Untrusted => "Untrusted",
            Self::SeverityTooLow => "SeverityTooLow",
            Self::RetirementsOff => "RetirementsOff",
            Self::TooMany => "TooMany",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refusal_lacks_its_name() {
        let arms = include_str!("refusal.rs").lines().filter_map(|line| line.split_once(" => \""));
        let arms: Vec<_> = arms.filter_map(|(_, name)| name.strip_suffix("\",")).collect();
        assert_eq!(arms, Refusal::ALL.map(Refusal::name));
        for refusal in Refusal::ALL {
            assert_eq!(serde_json::to_value(refusal).unwrap(), refusal.name());
        }
    }
}
