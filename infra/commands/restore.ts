import {
  type HistoryEvent,
  paginateGetExecutionHistory,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { Failure } from './failure.ts';
import { DeployedMachine } from './machines.ts';

/** Plans now what a restore of an incident would give back, and prints the plan. */
export async function restore(config: string, variables: NodeJS.ProcessEnv): Promise<void> {
  const { EXECUTION, PRINCIPAL, ACCEPT, ACTIVATE } = variables;
  if (!EXECUTION) {
    throw new Failure("no incident: give its execution, as in `EXECUTION='arn:…'`");
  }
  const machine = await DeployedMachine.find(config, 'cordon-restore');
  const { executionArn = '' } = await machine.client.send(
    new StartExecutionCommand({
      stateMachineArn: machine.arn,
      input: JSON.stringify({
        execution: EXECUTION,
        ...(PRINCIPAL && { principal: PRINCIPAL }),
        accept: words(ACCEPT),
        activate: words(ACTIVATE),
      }),
    }),
  );
  console.error(`${executionArn} …`);
  const { status, output = '{}' } = await machine.ended(executionArn);
  if (status !== 'SUCCEEDED') {
    throw new Failure(`nothing is planned: ${await whatFailed(machine, executionArn)}`);
  }
  const { text, digest } = JSON.parse(output) as { text: string; digest: string };
  console.log(text);
  console.log(`Plan ${digest}`);
}

/** Names with space between them; an item's own name may have some, after a backslash. */
function words(text = ''): string[] {
  const found = text.match(/(?:\\.|\S)+/g) ?? [];
  return found.map((word) => word.replace(/\\(.)/g, '$1'));
}

/** The failure that people were told of, in the words of the function or service. */
async function whatFailed(machine: DeployedMachine, executionArn: string): Promise<string> {
  const pages = paginateGetExecutionHistory(
    { client: machine.client },
    { executionArn, reverseOrder: true },
  );
  for await (const { events = [] } of pages) {
    const found = events.map(failureOf).find((failure) => failure !== undefined);
    if (found !== undefined) return found;
  }
  return `see ${executionArn}`;
}

function failureOf(event: HistoryEvent): string | undefined {
  const failed = event.taskFailedEventDetails ?? event.taskTimedOutEventDetails;
  if (failed === undefined) return undefined;
  const { error = '', cause = '' } = failed;
  return `${error}: ${message(cause)}`;
}

/** A function's cause is JSON. */
function message(cause: string): string {
  try {
    const { errorMessage } = JSON.parse(cause) as { errorMessage?: string };
    return errorMessage ?? cause;
  } catch {
    return cause;
  }
}
