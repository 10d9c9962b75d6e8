//! Executions of the state machine: found, awaited, read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::{ExecutionStatus, HistoryEvent};
use serde_json::{Value, json};

use crate::finding::Finding;
use crate::local_aws::LocalAws;
use crate::user::ADMINISTRATOR_ACCESS;
use crate::wait::{self, PATIENCE};

/// How many of its last events are told about an execution that is not as expected.
const LAST_EVENTS: usize = 12;

/// One execution of the state machine.
#[derive(Clone)]
pub struct Execution {
    pub(crate) states: aws_sdk_sfn::Client,
    /// Its ARN.
    pub arn: String,
}

/// The id of the finding that an execution is about.
fn finding_id(input: &Value) -> Option<&str> {
    let ids = ["Id", "finding_info/uid"].map(|id| format!("/detail/findings/0/{id}"));
    ids.iter().find_map(|id| input.pointer(id)?.as_str())
}

impl LocalAws {
    /// Waits for the execution that a finding starts.
    pub async fn execution_of(&self, finding: &Finding) -> Result<Execution> {
        wait::until(
            format_args!("an execution for the finding `{}`", finding.id()),
            PATIENCE,
            async || {
                for execution in self.executions_of(finding).await? {
                    if !is_of_an_answer(&execution.input().await?) {
                        return Ok(Some(execution));
                    }
                }
                Ok(None)
            },
        )
        .await
    }

    /// The executions that a finding has started so far, the newest first.
    pub async fn executions_of(&self, finding: &Finding) -> Result<Vec<Execution>> {
        self.executions_about(finding.id()).await
    }

    /// Waits until nothing runs any more about the finding of an incident, which has this ARN:
    /// Cordon's own update of it starts an execution, too, and while one runs, no restore is
    /// planned.
    pub async fn quiet(&self, incident: &str) -> Result<()> {
        let incident = Execution { states: self.security().states(), arn: incident.to_owned() };
        let input = incident.input().await?;
        let id = finding_id(&input).context("the incident has no finding")?;
        for execution in self.executions_about(id).await? {
            execution.end().await?;
        }
        Ok(())
    }

    async fn executions_about(&self, id: &str) -> Result<Vec<Execution>> {
        let mut found = Vec::new();
        let mut known = self.findings_of_executions.lock().await;
        for execution in self.executions().await? {
            if !known.contains_key(&execution.arn) {
                let input = execution.input().await?;
                known.insert(execution.arn.clone(), finding_id(&input).map(str::to_owned));
            }
            if known.get(&execution.arn).and_then(Option::as_deref) == Some(id) {
                found.push(execution);
            }
        }
        Ok(found)
    }

    /// All executions so far, the newest first.
    pub async fn executions(&self) -> Result<Vec<Execution>> {
        self.executions_by(&self.outputs().state_machine_arn).await
    }

    /// All executions of a state machine so far, the newest first.
    pub async fn executions_by(&self, machine: &str) -> Result<Vec<Execution>> {
        let states = self.security().states();
        let mut executions =
            states.list_executions().state_machine_arn(machine).into_paginator().items().send();
        let mut all = Vec::new();
        while let Some(execution) = executions.try_next().await? {
            all.push((execution.start_date, execution.execution_arn));
        }
        // Step Functions lists by when they ended.
        all.sort_by(|one, other| other.cmp(one));
        let executions = all.into_iter().map(|(_, arn)| Execution { states: states.clone(), arn });
        Ok(executions.collect())
    }

    /// Imports a finding and waits for the end of the execution that it starts.
    pub async fn respond_to(&self, finding: &Finding) -> Result<Execution> {
        self.import(finding).await?;
        let execution = self.execution_of(finding).await?;
        execution.end().await?;
        Ok(execution)
    }

    /// Starts an execution by hand, with any input.
    pub async fn start(&self, input: &Value) -> Result<Execution> {
        let execution = self.execution_to_be();
        self.start_as(&execution, input).await?;
        Ok(execution)
    }

    /// An execution that is not started yet, for whoever has to know its name before.
    pub fn execution_to_be(&self) -> Execution {
        let machine = &self.outputs().state_machine_arn;
        let of_machine = machine.replacen(":stateMachine:", ":execution:", 1);
        let arn = format!("{of_machine}:{}", self.unique("by-hand"));
        Execution { states: self.security().states(), arn }
    }

    /// Starts an execution to be, with any input.
    pub async fn start_as(&self, execution: &Execution, input: &Value) -> Result<()> {
        let states = self.security().states();
        states
            .start_execution()
            .state_machine_arn(&self.outputs().state_machine_arn)
            .name(execution.name())
            .input(input.to_string())
            .send()
            .await
            .context("cannot start an execution")?;
        Ok(())
    }
}

impl LocalAws {
    /// The state machine as it is deployed.
    pub async fn definition(&self) -> Result<Value> {
        let states = self.security().states();
        let machine = &self.outputs().state_machine_arn;
        let machine = states.describe_state_machine().state_machine_arn(machine).send().await;
        let machine = machine.context("cannot read the state machine")?;
        Ok(serde_json::from_str(&machine.definition)?)
    }

    /// Has a state machine of its own make one call, such as `dynamodb:deleteItem`, for what
    /// the harness has no client for. Returns the result.
    pub async fn perform(&self, call: &str, arguments: &Value) -> Result<Value> {
        let task = json!({
            "Type": "Task",
            "Resource": format!("arn:aws:states:::{call}"),
            "Arguments": arguments,
            "End": true,
        });
        self.run_state(task, &json!({})).await
    }

    /// Invokes functions as a state machine does, with its arguments for each. Returns for each
    /// an object with the function's `answer`, or with its `error` and `cause`.
    pub async fn invoke_each(&self, arguments: &[Value]) -> Result<Vec<Value>> {
        let invoke = json!({
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": "{% $states.input %}",
            "Output": { "answer": "{% $states.result.Payload %}" },
            "Catch": [{
                "ErrorEquals": ["States.ALL"],
                "Output": {
                    "error": "{% $states.errorOutput.Error %}",
                    "cause": "{% $states.errorOutput.Cause %}",
                },
                "Next": "Failed",
            }],
            "End": true,
        });
        let map = json!({
            "Type": "Map",
            "MaxConcurrency": 4,
            "Items": "{% $states.input %}",
            "ItemProcessor": {
                "ProcessorConfig": { "Mode": "INLINE" },
                "StartAt": "Invoke",
                "States": { "Invoke": invoke, "Failed": { "Type": "Succeed" } },
            },
            "End": true,
        });
        Ok(serde_json::from_value(self.run_state(map, &json!(arguments)).await?)?)
    }

    /// Has a state machine of its own run one state to its end. Returns the output.
    async fn run_state(&self, state: Value, input: &Value) -> Result<Value> {
        let states = self.security().states();
        let name = self.unique("perform");
        let definition = json!({
            "QueryLanguage": "JSONata",
            "StartAt": "Perform",
            "States": { "Perform": state },
        });
        let made = states
            .create_state_machine()
            .name(&name)
            .definition(definition.to_string())
            .role_arn(self.administrator_of_machines(&name).await?)
            .send()
            .await
            .context("cannot make a state machine")?;
        let started = states.start_execution().state_machine_arn(made.state_machine_arn);
        let started = started.input(input.to_string()).send().await;
        let started = started.context("cannot start a state machine")?;
        let execution = Execution { states, arn: started.execution_arn };
        let result = execution.succeeds().await?.output.unwrap_or_default();
        Ok(serde_json::from_str(&result)?)
    }

    /// A role with which a state machine of the security account may do anything there.
    async fn administrator_of_machines(&self, name: &str) -> Result<String> {
        let iam = self.security().iam();
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "states.amazonaws.com" },
                "Action": "sts:AssumeRole",
            }],
        });
        let role = iam.create_role().role_name(name).assume_role_policy_document(trust.to_string());
        let role = role.send().await.context("cannot create a role")?;
        iam.attach_role_policy()
            .role_name(name)
            .policy_arn(ADMINISTRATOR_ACCESS)
            .send()
            .await
            .context("cannot give a role a policy")?;
        Ok(role.role.context("IAM created no role")?.arn)
    }
}

impl Execution {
    /// Its name, the last part of its ARN.
    pub fn name(&self) -> &str {
        self.arn.rsplit(':').next().unwrap_or_default()
    }

    /// What Step Functions says about it now.
    pub async fn describe(&self) -> Result<DescribeExecutionOutput> {
        self.states
            .describe_execution()
            .execution_arn(&self.arn)
            .send()
            .await
            .with_context(|| format!("cannot describe `{}`", self.arn))
    }

    /// What it was started with.
    pub async fn input(&self) -> Result<Value> {
        let described = self.describe().await?;
        Ok(serde_json::from_str(&described.input.unwrap_or_default())?)
    }

    /// Waits for its end, whatever that is.
    pub async fn end(&self) -> Result<DescribeExecutionOutput> {
        self.end_within(PATIENCE).await
    }

    /// Waits for its end, whatever that is, for so long.
    pub async fn end_within(&self, limit: Duration) -> Result<DescribeExecutionOutput> {
        let ended = wait::until(
            format_args!("the end of the execution `{}`", self.name()),
            limit,
            async || {
                let described = self.describe().await?;
                Ok((described.status != ExecutionStatus::Running).then_some(described))
            },
        )
        .await;
        match ended {
            Ok(described) => Ok(described),
            Err(error) => Err(error.context(self.history().await?.last_events())),
        }
    }

    /// Waits for its end, and fails unless it is this one.
    pub async fn ends(&self, status: ExecutionStatus) -> Result<DescribeExecutionOutput> {
        let described = self.end().await?;
        if described.status != status {
            bail!(
                "the execution `{}` ended {} instead of {status}: {} {}\n{}",
                self.name(),
                described.status,
                described.error.as_deref().unwrap_or_default(),
                described.cause.as_deref().unwrap_or_default(),
                self.history().await?.last_events()
            );
        }
        Ok(described)
    }

    /// Waits for its end, and fails unless it succeeded.
    pub async fn succeeds(&self) -> Result<DescribeExecutionOutput> {
        self.ends(ExecutionStatus::Succeeded).await
    }

    /// Waits for its end, and fails unless it failed.
    pub async fn fails(&self) -> Result<DescribeExecutionOutput> {
        self.ends(ExecutionStatus::Failed).await
    }

    /// Ends it, as a person does.
    pub async fn stop(&self) -> Result<()> {
        self.states
            .stop_execution()
            .execution_arn(&self.arn)
            .send()
            .await
            .with_context(|| format!("cannot stop `{}`", self.arn))?;
        Ok(())
    }

    /// Waits until it has entered a state.
    pub async fn enters(&self, state: &str) -> Result<()> {
        wait::until(format_args!("`{}` to enter `{state}`", self.name()), PATIENCE, async || {
            Ok(self.history().await?.entered(state).then_some(()))
        })
        .await
    }

    /// Runs it again from where it failed.
    pub async fn redrive(&self) -> Result<()> {
        self.states
            .redrive_execution()
            .execution_arn(&self.arn)
            .send()
            .await
            .with_context(|| format!("cannot redrive `{}`", self.arn))?;
        Ok(())
    }

    /// All events so far.
    pub async fn history(&self) -> Result<History> {
        let mut pages = self
            .states
            .get_execution_history()
            .execution_arn(&self.arn)
            .include_execution_data(true)
            .max_results(1000)
            .into_paginator()
            .items()
            .send();
        let mut events = Vec::new();
        while let Some(event) = pages.try_next().await? {
            events.push(event);
        }
        Ok(History { events })
    }
}

/// What happened in an execution.
pub struct History {
    /// Its events, the first one first.
    pub events: Vec<HistoryEvent>,
}

impl History {
    /// The names of the states in the order in which they were entered.
    pub fn path(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| event.state_entered_event_details.as_ref())
            .map(|entered| entered.name.as_str())
            .collect()
    }

    /// Whether a state was entered.
    pub fn entered(&self, state: &str) -> bool {
        self.path().contains(&state)
    }

    /// The state that was entered last.
    pub fn last_state(&self) -> &str {
        self.path().last().copied().unwrap_or_default()
    }

    /// What its Lambda functions were called with, the first one first.
    pub fn invocations(&self) -> Result<Vec<Value>> {
        let scheduled =
            self.events.iter().filter_map(|it| it.task_scheduled_event_details.as_ref());
        scheduled
            .filter(|task| task.resource_type == "lambda")
            .map(|task| Ok(serde_json::from_str(&task.parameters)?))
            .collect()
    }

    /// What each state's Lambda function was called with, and what it answered, the first time:
    /// arguments and payload.
    pub fn invocations_by_state(&self) -> Result<BTreeMap<String, (Value, Value)>> {
        let mut found = BTreeMap::new();
        for event in &self.events {
            let Some(done) = event.task_succeeded_event_details.as_ref() else { continue };
            let earlier = |id: i64| self.events.iter().find(|event| event.id == id);
            let (mut at, mut arguments) = (earlier(event.previous_event_id), None);
            while let Some(event) = at {
                if let Some(scheduled) = event.task_scheduled_event_details.as_ref() {
                    arguments = (scheduled.resource_type == "lambda")
                        .then(|| serde_json::from_str(&scheduled.parameters))
                        .transpose()?;
                }
                if let Some(entered) = event.state_entered_event_details.as_ref() {
                    let answer: Value =
                        serde_json::from_str(done.output.as_deref().unwrap_or_default())?;
                    if let Some(arguments) = arguments.take() {
                        let answer = answer["Payload"].clone();
                        found.entry(entered.name.clone()).or_insert((arguments, answer));
                    }
                    break;
                }
                at = earlier(event.previous_event_id);
            }
        }
        Ok(found)
    }

    /// What a state was left with, the last time it was.
    pub fn output_of(&self, state: &str) -> Result<Value> {
        let output = self
            .events
            .iter()
            .rev()
            .filter_map(|event| event.state_exited_event_details.as_ref())
            .find(|exited| exited.name == state)
            .and_then(|exited| exited.output.as_deref())
            .with_context(|| format!("`{state}` was never left:\n{}", self.last_events()))?;
        Ok(serde_json::from_str(output)?)
    }

    /// Everything that anybody who may read the history can read in it.
    pub fn text(&self) -> String {
        self.events.iter().fold(String::new(), |mut text, event| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{event:?}");
            text
        })
    }

    /// The last events in words, for whoever looks for the reason of a failure.
    pub fn last_events(&self) -> String {
        let mut text = "its last events:".to_owned();
        let from = self.events.len().saturating_sub(LAST_EVENTS);
        for event in self.events.iter().skip(from) {
            let details = describe(event);
            let _ = write!(text, "\n  {:>4} {} {details}", event.id, event.r#type);
        }
        text
    }
}

/// What is worth knowing about an event beside its type.
pub(crate) fn describe(event: &HistoryEvent) -> String {
    if let Some(entered) = &event.state_entered_event_details {
        return entered.name.clone();
    }
    if let Some(exited) = &event.state_exited_event_details {
        return exited.name.clone();
    }
    let failure = [
        event.task_failed_event_details.as_ref().map(|it| (&it.error, &it.cause)),
        event.task_timed_out_event_details.as_ref().map(|it| (&it.error, &it.cause)),
        event.lambda_function_failed_event_details.as_ref().map(|it| (&it.error, &it.cause)),
        event.execution_failed_event_details.as_ref().map(|it| (&it.error, &it.cause)),
        event.evaluation_failed_event_details.as_ref().map(|it| (&it.error, &it.cause)),
    ];
    let failure = failure.into_iter().flatten().next();
    failure.map_or_else(String::new, |(error, cause)| {
        format!(
            "{}: {}",
            error.as_deref().unwrap_or_default(),
            cause.as_deref().unwrap_or_default()
        )
    })
}

/// Whether the event is that of Cordon's own update of a finding, which it ignores.
fn is_of_an_answer(event: &Value) -> bool {
    let finding = &event["detail"]["findings"][0];
    let is_import = event["detail-type"] != "Security Hub Findings - Custom Action";
    let is_answered = finding["Workflow"]["Status"].as_str().is_some_and(|status| status != "NEW")
        || finding["status_id"].as_u64().is_some_and(|status| status > 1);
    is_import && is_answered
}
