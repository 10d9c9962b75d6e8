//! Calls that fail on request: the local AWS strikes them between caller and service.

use std::io::Write;
use std::net::TcpStream;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::local_aws::LocalAws;

/// What becomes of a call that is struck.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "camelCase")]
pub enum Strike {
    /// An error of the service's own, with the status that its model gives it.
    Error {
        /// As it is on the wire, such as `ConcurrentModification`.
        code: String,
    },
    /// The service says in its own words that there are too many calls.
    Throttled,
    /// The service says in its own words that it failed, with status 500.
    InternalFailure,
    /// The service says that it is not there, with status 503.
    Unavailable,
    /// The service says in its own words that the caller may not do this.
    Denied,
    /// No answer until the caller gives up.
    TimedOut,
    /// The connection ends without an answer.
    Dropped,
    /// The function that makes the call ends in mid-call or, where the call is
    /// `lambda:InvokeFunction`, the function that is called.
    Killed,
    /// As `Killed`, but Lambda reports that the function had no memory left.
    OutOfMemory,
    /// As `Killed`, but Lambda reports that the function's time was over. Nobody waits for it.
    OutOfTime,
    /// The function that is called answers something else than it would have. Only on
    /// `lambda:InvokeFunction`.
    Answered {
        /// As JSON.
        answer: &'static str,
    },
    /// A read is answered as it was before the last change, if it was made while the rule stood.
    Stale,
    /// IAM decides as if the user or role had no permissions boundary yet.
    Unbounded,
    /// The call waits before it goes through.
    Held {
        /// For so long.
        milliseconds: u32,
    },
}

/// The caller that every function is.
pub const ANY_FUNCTION: &str = "lambda.amazonaws.com";

impl Strike {
    /// An error by its code on the wire.
    pub fn error(code: impl Into<String>) -> Self {
        Self::Error { code: code.into() }
    }
}

/// A fault to be: which calls it strikes. Unless said otherwise, the next one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use]
pub struct NewFault<'a> {
    #[serde(skip)]
    endpoint: &'a Endpoint,
    action: String,
    #[serde(flatten)]
    strike: Strike,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    takes_effect: bool,
    times: Times,
    after: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
enum Times {
    Number(u32),
    Word(&'static str),
}

impl LocalAws {
    /// A fault of an action such as `iam:GetUser`, of all actions of a service (`iam:*`), or of
    /// all (`*`).
    pub fn fault(&self, action: impl Into<String>, strike: Strike) -> NewFault<'_> {
        NewFault {
            endpoint: self.beyond_aws(),
            action: action.into(),
            strike,
            account: None,
            caller: None,
            about: None,
            status: None,
            message: None,
            takes_effect: false,
            times: Times::Number(1),
            after: 0,
        }
    }

    /// Lifts all faults, whoever made them.
    pub async fn lift_all_faults(&self) -> Result<()> {
        self.beyond_aws().delete("/_local/faults").await.context("cannot lift the faults")?;
        Ok(())
    }
}

impl NewFault<'_> {
    /// Only calls with the credentials of an account.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// Only calls by somebody: the name of a function, a role, a session or a user, or an ARN.
    /// What a function does in a role that it assumed, both of them do.
    pub fn caller(mut self, name: impl Into<String>) -> Self {
        self.caller = Some(name.into());
        self
    }

    /// Only calls whose resource or content has this name in it, such as a user's.
    pub fn about(mut self, name: impl Into<String>) -> Self {
        self.about = Some(name.into());
        self
    }

    /// With another status than the service's model has.
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// With a message of the error.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// The call takes effect all the same: the caller alone doesn't know.
    pub fn after_it_took_effect(mut self) -> Self {
        self.takes_effect = true;
        self
    }

    /// So often, and not only once.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Times::Number(times);
        self
    }

    /// Until it is lifted.
    pub fn always(mut self) -> Self {
        self.times = Times::Word("always");
        self
    }

    /// Spares the first calls that it is about.
    pub fn after(mut self, calls: u32) -> Self {
        self.after = calls;
        self
    }

    /// Lets the fault stand, until it is lifted or dropped.
    pub async fn stand(self) -> Result<Fault> {
        #[derive(Deserialize)]
        struct Made {
            id: String,
        }
        let made = self
            .endpoint
            .post("/_local/faults", &serde_json::to_value(&self)?)
            .await
            .with_context(|| format!("there can be no such fault of `{}`", self.action))?;
        let Made { id } = serde_json::from_value(made)?;
        Ok(Fault { endpoint: self.endpoint.clone(), action: self.action, id, stands: true })
    }
}

/// A fault that stands.
#[derive(Debug)]
#[must_use = "a fault is lifted when it is dropped"]
pub struct Fault {
    endpoint: Endpoint,
    action: String,
    id: String,
    stands: bool,
}

#[derive(Deserialize)]
struct Shown {
    id: String,
    struck: u32,
}

impl Fault {
    /// How many calls it has struck.
    pub async fn struck(&self) -> Result<u32> {
        #[derive(Deserialize)]
        struct Standing {
            faults: Vec<Shown>,
        }
        let standing: Standing =
            serde_json::from_value(self.endpoint.get("/_local/faults").await?)?;
        standing
            .faults
            .iter()
            .find(|fault| fault.id == self.id)
            .map(|fault| fault.struck)
            .with_context(|| format!("the fault of `{}` was lifted by somebody else", self.action))
    }

    /// Lifts it. The answer says how many calls it has struck.
    pub async fn lift(mut self) -> Result<u32> {
        let lifted = self
            .endpoint
            .delete(&self.path())
            .await
            .with_context(|| format!("cannot lift the fault of `{}`", self.action))?;
        self.stands = false;
        let Shown { struck, .. } = serde_json::from_value(lifted)?;
        Ok(struck)
    }

    fn path(&self) -> String {
        format!("/_local/faults/{}", self.id)
    }

    /// Without a future, for a test that ended early: the fault must not strike other tests.
    fn lift_at_once(&self) -> Result<()> {
        let authority = self.endpoint.url().trim_start_matches("http://");
        let mut connection = TcpStream::connect(authority)?;
        write!(
            connection,
            "DELETE {} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n",
            self.path()
        )?;
        std::io::copy(&mut connection, &mut std::io::sink())?;
        Ok(())
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        if self.stands
            && let Err(error) = self.lift_at_once()
        {
            eprintln!("cannot lift the fault of `{}`: {error}", self.action);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_fault_is_written_as_the_local_aws_reads_it() {
        let endpoint = Endpoint::at_port(0);
        let fault = |strike| NewFault {
            endpoint: &endpoint,
            action: "iam:GetUser".to_owned(),
            strike,
            account: None,
            caller: None,
            about: None,
            status: None,
            message: None,
            takes_effect: false,
            times: Times::Number(1),
            after: 0,
        };
        assert_eq!(
            json!(fault(Strike::OutOfTime)),
            json!({
                "action": "iam:GetUser", "fault": "outOfTime",
                "takesEffect": false, "times": 1, "after": 0,
            })
        );
        assert_eq!(
            json!(fault(Strike::Held { milliseconds: 40 }).caller(ANY_FUNCTION)),
            json!({
                "action": "iam:GetUser", "fault": "held", "milliseconds": 40,
                "caller": "lambda.amazonaws.com", "takesEffect": false, "times": 1, "after": 0,
            })
        );
        assert_eq!(
            json!(fault(Strike::Answered { answer: "null" })),
            json!({
                "action": "iam:GetUser", "fault": "answered", "answer": "null",
                "takesEffect": false, "times": 1, "after": 0,
            })
        );
        let chosen = fault(Strike::error("NoSuchEntity"))
            .account("222222222222")
            .caller("cordon-tag")
            .about("alice")
            .status(404)
            .message("gone")
            .after_it_took_effect()
            .always()
            .after(2);
        assert_eq!(
            json!(chosen),
            json!({
                "action": "iam:GetUser", "fault": "error", "code": "NoSuchEntity",
                "account": "222222222222", "caller": "cordon-tag", "about": "alice",
                "status": 404, "message": "gone",
                "takesEffect": true, "times": "always", "after": 2,
            })
        );
    }
}
