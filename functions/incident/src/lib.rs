//! The domain of an incident: who is accused, who was identified, what the
//! response policy allows, and how a step may fail.
//!
//! No I/O, no SDK, no async, no clock: everything here is decided from its input.

mod answering;
mod arn;
mod case;
mod credential;
mod evidence;
mod execution;
mod exemption;
mod failure;
mod organization;
mod outcome;
mod policy;
mod principal;
mod protected;
mod refusal;
pub mod restore;
mod session;
mod severity;
mod text;

pub use answering::{Answering, Hindrance};
pub use arn::{AccountId, PrincipalArn, is_in_ocsf, is_name};
pub use case::{case_number, newest_case};
pub use credential::{Credential, CredentialKind};
pub use evidence::{Evidence, Reach, Stored};
pub use execution::Execution;
pub use exemption::{ExemptAccount, ExemptPrincipal, NotedAccount, NotedPrincipal, Until};
pub use failure::Failure;
pub use organization::Organization;
pub use outcome::{Before, Failed, Holdings, Identity, Names, Outcome, Proof, ReadBack};
pub use outcome::{Verdict, room};
pub use policy::{LowestSeverity, Meaning, Mode, ResponsePolicy, TrustedProduct, TypedProduct};
pub use principal::{Accused, Denial, DenyBy, Held, InlinePolicy, Kind, Principal};
pub use principal::{deny_policy, is_kept, matches_pattern};
pub use protected::{Place, Protection, protection, protection_by_name};
pub use refusal::Refusal;
pub use session::Session;
pub use severity::Severity;
pub use text::{ascii, cut, hex_digest, is_plain, listed, one_line, tag_value};
