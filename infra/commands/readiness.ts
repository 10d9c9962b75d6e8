import { StartExecutionCommand } from '@aws-sdk/client-sfn';
import { Failure } from './failure.ts';
import { DeployedMachine } from './machines.ts';
import { withConfiguration } from './shell.ts';
import { isSet } from './variables.ts';

/**
 * Checks now which accounts can be entered, and prints what the check says; fails where some can't,
 * where there are none, or where no finding would be answered.
 */
export async function readiness(config: string, variables: NodeJS.ProcessEnv): Promise<void> {
  const deep = isSet('DEEP', variables);
  const machine = await DeployedMachine.find(config, 'cordon-readiness');
  const { executionArn = '' } = await machine.client.send(
    new StartExecutionCommand({
      stateMachineArn: machine.arn,
      input: JSON.stringify({ deep }),
    }),
  );
  console.error(`${executionArn} …`);
  const { status, output = '{}', error = '', cause = '' } = await machine.ended(executionArn);
  if (status !== 'SUCCEEDED') throw new Failure(`the check ended ${status}: ${error} ${cause}`);
  const { message, notReady } = JSON.parse(output) as { message: string; notReady: boolean };
  const { email } = JSON.parse(message) as { email: string };
  console.log(withConfiguration(email, config));
  if (notReady) process.exitCode = 1;
}
