//! Restores, planned or applied, asked for as a person does.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::execution::Execution;
use crate::local_aws::LocalAws;

impl LocalAws {
    /// Starts the restore machine.
    pub async fn start_restore(&self, input: &Value) -> Result<Execution> {
        let execution = self.restore_to_be();
        self.start_restore_as(&execution, input).await?;
        Ok(execution)
    }

    /// An execution of the restore machine that is not started yet, for whoever has to know its
    /// name before.
    pub fn restore_to_be(&self) -> Execution {
        let machine = &self.outputs().restore_machine_arn;
        let of_machine = machine.replacen(":stateMachine:", ":execution:", 1);
        let arn = format!("{of_machine}:{}", self.unique("restore"));
        Execution { states: self.security().states(), arn }
    }

    /// Starts an execution of the restore machine to be.
    pub async fn start_restore_as(&self, execution: &Execution, input: &Value) -> Result<()> {
        let states = self.security().states();
        states
            .start_execution()
            .state_machine_arn(&self.outputs().restore_machine_arn)
            .name(execution.name())
            .input(input.to_string())
            .send()
            .await
            .context("cannot start the restore machine")?;
        Ok(())
    }
}
