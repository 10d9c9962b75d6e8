//! The plans of restores, asked for as a person does.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::execution::Execution;
use crate::local_aws::LocalAws;

impl LocalAws {
    /// Starts the restore machine.
    pub async fn start_restore(&self, input: &Value) -> Result<Execution> {
        let states = self.security().states();
        let started = states
            .start_execution()
            .state_machine_arn(&self.outputs().restore_machine_arn)
            .name(self.unique("restore"))
            .input(input.to_string())
            .send()
            .await
            .context("cannot start the restore machine")?;
        Ok(Execution { states, arn: started.execution_arn })
    }
}
