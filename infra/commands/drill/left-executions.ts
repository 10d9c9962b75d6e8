import { paginateListExecutions } from '@aws-sdk/client-sfn';
import type { Leftover } from './clean.ts';
import { ended, isOfTheDrill, redrive } from './executions.ts';
import type { Drill } from './step.ts';

const STATUSES = ['RUNNING', 'FAILED', 'TIMED_OUT', 'ABORTED'] as const;

/** The drill's executions that run, or wait for a redrive. */
export async function* executionsLeft(drill: Drill): AsyncGenerator<Leftover> {
  const { machine, member, security } = drill;
  for (const statusFilter of STATUSES) {
    const asked = { stateMachineArn: machine.arn, statusFilter };
    for await (const page of paginateListExecutions({ client: security.states }, asked)) {
      for (const { executionArn = '' } of page.executions ?? []) {
        const execution = await machine.describe(executionArn);
        if (!isOfTheDrill(execution, member.account.id)) continue;
        if (statusFilter !== 'RUNNING' && execution.redriveStatus !== 'REDRIVABLE') continue;
        yield { what: executionArn, remove: () => end(drill, executionArn) };
      }
    }
  }
}

/** A redrive finds the finding archived, and ends the execution without doing anything. */
async function end(drill: Drill, arn: string): Promise<void> {
  const { status } = await ended(drill, arn);
  if (status === 'SUCCEEDED') return;
  await redrive(drill, arn);
  await ended(drill, arn);
}
