//! A person of the security account who may have restores applied.

use anyhow::{Context, Result};
use aws_sdk_iam::error::SdkError;
use aws_sdk_iam::operation::create_role::CreateRoleError;
use serde_json::json;

use crate::clients::Clients;
use crate::local_aws::LocalAws;
use crate::{RESTORER, SECURITY};

/// Makes the role that the configuration names, unless it is there: no role may trust another
/// that is not.
pub(crate) async fn create(endpoint: &str) -> Result<()> {
    let iam = Clients::of_account(endpoint, SECURITY).iam();
    let statement = json!({
        "Effect": "Allow",
        "Principal": { "AWS": format!("arn:aws:iam::{SECURITY}:root") },
        "Action": "sts:AssumeRole",
    });
    let trust = json!({ "Version": "2012-10-17", "Statement": [statement] });
    let (path, name) = path_and_name()?;
    let created = iam
        .create_role()
        .path(path)
        .role_name(name)
        .assume_role_policy_document(trust.to_string())
        .send()
        .await;
    match created.map_err(SdkError::into_service_error) {
        Ok(_) | Err(CreateRoleError::EntityAlreadyExistsException(_)) => {}
        Err(error) => return Err(error).context("cannot make the restorers' role"),
    }
    let statement = json!({
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Resource": format!("arn:aws:iam::{SECURITY}:role/cordon/CordonRestorer"),
    });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
    let put = iam.put_role_policy().role_name(name).policy_name("restore");
    put.policy_document(policy.to_string()).send().await.context("cannot let restorers restore")?;
    Ok(())
}

fn path_and_name() -> Result<(&'static str, &'static str)> {
    let resource = RESTORER.split_once(":role").context("it is no role")?.1;
    let name = resource.rfind('/').context("it has no name")? + 1;
    Ok(resource.split_at(name))
}

impl LocalAws {
    /// The credentials of a restorer, as a command reads them.
    pub(crate) async fn restorer(&self) -> Result<[(&'static str, String); 3]> {
        let sts = self.security().sts();
        let session = sts.assume_role().role_arn(RESTORER).role_session_name("on-call");
        let made = session.send().await.context("nobody is a restorer")?.credentials;
        let made = made.context("STS gave no credentials")?;
        Ok([
            ("AWS_ACCESS_KEY_ID", made.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", made.secret_access_key),
            ("AWS_SESSION_TOKEN", made.session_token),
        ])
    }
}
