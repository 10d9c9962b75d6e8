//! Runs Cordon on one machine, for real: the emulator, the stacks that CDK makes of `infra/`,
//! the functions as processes. What `make up` starts for a developer is what the tests start
//! for themselves.
//!
//! A test begins with [`LocalAws`](local_aws::LocalAws), makes a [`User`](user::User), imports
//! a [`Finding`](finding::Finding), and looks at the account, the
//! [`Execution`](execution::Execution), the mails and the evidence that come of it.

#![expect(clippy::indexing_slicing, reason = "indexed JSON is null where it has nothing")]
#![expect(clippy::must_use_candidate, reason = "an answer that a test ignores does no harm")]

pub mod alone;
pub mod bench;
pub mod calls;
pub mod clients;
pub mod commands;
pub mod demo;
pub mod deployer;
mod deployment;
pub mod endpoint;
pub mod evidence;
pub mod execution;
pub mod faults;
pub mod finding;
pub mod instance;
pub mod local_aws;
pub mod logs;
pub mod messages;
pub mod place;
pub mod progress;
mod readiness;
mod restore;
mod restorer;
pub mod role;
mod server;
pub mod steps;
pub mod tools;
pub mod user;
pub mod wait;

/// The account that administers Security Hub, where Cordon runs.
pub const SECURITY: &str = "111111111111";
/// The accounts that Cordon watches over.
pub const MEMBERS: [&str; 2] = ["222222222222", "333333333333"];
/// The organization's management account.
pub const MANAGEMENT: &str = "999999999999";
/// The organizational units of all accounts but the management account.
pub const UNITS: [&str; 3] = ["ou-cord-security", "ou-cord-payments", "ou-cord-research"];
/// The path of the users who operate the organization.
pub const OPERATORS: &str = "/operators/";
/// The role, in the security account, of those who may have restores applied.
pub const RESTORER: &str = "arn:aws:iam::111111111111:role/people/OnCall";
/// The organization that all accounts are in.
pub const ORGANIZATION: &str = "o-cordonlocal";
/// Where everything is.
pub const REGION: &str = "us-east-1";

/// Not a secret: it keeps third parties from having Cordon enter an account by mistake.
pub const EXTERNAL_ID: &str = "cordon-on-one-machine";
