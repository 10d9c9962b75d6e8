//! Whether accounts can be entered, asked as the schedule asks it.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::execution::Execution;
use crate::local_aws::LocalAws;

impl LocalAws {
    /// Starts the readiness machine, and waits until it has succeeded.
    pub async fn check_readiness(&self, input: &Value) -> Result<Execution> {
        let execution = self.start_readiness(input).await?;
        execution.succeeds().await?;
        Ok(execution)
    }

    /// Starts the readiness machine.
    pub async fn start_readiness(&self, input: &Value) -> Result<Execution> {
        let states = self.security().states();
        let started = states
            .start_execution()
            .state_machine_arn(&self.outputs().readiness_machine_arn)
            .name(self.unique("readiness"))
            .input(input.to_string())
            .send()
            .await
            .context("cannot start the readiness machine")?;
        Ok(Execution { states, arn: started.execution_arn })
    }
}
