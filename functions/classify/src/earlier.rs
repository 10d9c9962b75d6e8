use incident::{AccountId, Accused, Execution, Kind, Refusal};

use crate::finding::Finding;
use crate::rules::{Product, Response};
use crate::{Action, Because, NO_ROLES, Source, Verdict, is_joined};

/// How many principals and other resources an execution deals with at most: a finding
/// names no more, and outcomes of more would not fit a state of 256 KiB.
///
/// Source: AWS Security Finding Format, `Resources`.
const MOST: usize = 32;

impl Verdict {
    /// Adds whom earlier passes accused, whatever the finding names now: what was begun
    /// is finished. What the response policy of today does not allow is left to people.
    /// Beyond [`MOST`], what only the record names now is left to people as a number.
    pub(crate) fn keep_to(
        &mut self,
        earlier: Vec<Accused>,
        execution: &Execution,
        finding: &Finding<'_>,
    ) {
        let account = &finding.brief.account;
        let mut kept = Vec::new();
        for accused in earlier {
            let resource = accused.resource.clone();
            let known = self.accused.iter_mut().any(|other| is_joined(other, &accused));
            if known || self.refused.iter().any(|other| other.resource == resource) {
                continue;
            }
            // The state machine tells principals apart by what the finding calls them.
            if self.accused.iter().any(|other| other.resource == resource) {
                let reason = "before the redrive, the finding meant another by that name";
                self.leave(account, resource, accused.unused_days, Refusal::Ambiguous, reason);
            } else if let Some(Because(refusal, reason)) =
                self.objection(&accused, execution, finding)
            {
                self.leave(account, resource, accused.unused_days, refusal, &reason);
            } else {
                kept.push(accused);
            }
        }
        if !kept.is_empty() && self.response != Action::Contain {
            let now = std::mem::take(&mut self.reason);
            self.reason = format!("an earlier pass accused them, though now {now}");
            self.response = Action::Contain;
        }
        let first = kept.len();
        kept.append(&mut self.accused);
        self.accused = kept;
        self.bound(first, account);
    }

    /// Why the response policy does not let one of an earlier pass be dealt with now.
    fn objection(
        &self,
        accused: &Accused,
        execution: &Execution,
        finding: &Finding<'_>,
    ) -> Option<Because> {
        let (policy, source) = (&self.policy, self.source);
        let response = match (accused.unused_days, accused.kind) {
            (Some(_), _) => Response::RetireUnusedCredentials,
            (None, Kind::User) => Response::ContainUser,
            (None, Kind::Role) => Response::ContainRole,
        };
        if source == Source::Custom && !Product::Custom.sent(execution, policy, finding) {
            let reason = "the response policy does not trust the finding's product any more";
            return Some(Because::of(Refusal::Untrusted, reason));
        }
        match response {
            Response::RetireUnusedCredentials if !policy.retire_unused_credentials => {
                let reason =
                    "the response policy does not let unused credentials be retired any more";
                Some(Because::of(Refusal::RetirementsOff, reason))
            }
            Response::ContainRole if source != Source::Person && !policy.contain_roles => {
                Some(NO_ROLES)
            }
            _ if source == Source::Person => None,
            response => response
                .lowest_severity(policy)
                .is_some_and(|lowest| finding.severity < lowest)
                .then_some(Because::of(
                    Refusal::SeverityTooLow,
                    "the response policy asks for a higher severity by now",
                )),
        }
    }

    /// Leaves to people what is too much for one execution; of the accused, the `first`
    /// stay.
    fn bound(&mut self, first: usize, account: &AccountId) {
        let named = self.accused.len() + self.refused.len();
        if named <= MOST {
            return;
        }
        let room = MOST - 1;
        self.accused.truncate(first.max(room));
        self.refused.truncate(room.saturating_sub(self.accused.len()));
        let left = named - self.accused.len() - self.refused.len();
        let resource = format!("{left} more that the finding names by now");
        let reason = "that is more than one execution deals with";
        self.leave(account, resource, None, Refusal::TooMany, reason);
    }
}
