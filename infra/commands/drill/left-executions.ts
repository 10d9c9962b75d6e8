import { paginateListExecutions } from '@aws-sdk/client-sfn';
import { redrivableSince } from '../machines.ts';
import type { Leftover } from './clean.ts';
import { ended, isOfTheDrill, redrive } from './executions.ts';
import type { Drill } from './step.ts';

/** The drill's executions that run, or wait for a redrive. */
export async function* executionsLeft(drill: Drill): AsyncGenerator<Leftover> {
  for await (const executionArn of unfinished(drill)) {
    const execution = await drill.machine.describe(executionArn);
    if (!isOfTheDrill(execution, drill.member.account.id)) continue;
    if (execution.status !== 'RUNNING' && execution.redriveStatus !== 'REDRIVABLE') continue;
    yield { what: executionArn, remove: () => end(drill, executionArn) };
  }
}

/** Everybody's. */
async function* unfinished({ machine, security }: Drill): AsyncGenerator<string> {
  const running = { stateMachineArn: machine.arn, statusFilter: 'RUNNING' as const };
  for await (const page of paginateListExecutions({ client: security.states }, running)) {
    yield* (page.executions ?? []).map(({ executionArn = '' }) => executionArn);
  }
  for (const status of ['FAILED', 'TIMED_OUT', 'ABORTED'] as const) {
    const ended = await machine.endedSince(redrivableSince(), status);
    yield* ended.map(({ executionArn = '' }) => executionArn);
  }
}

/** A redrive finds the finding archived, and ends the execution without doing anything. */
async function end(drill: Drill, arn: string): Promise<void> {
  const { status } = await ended(drill, arn);
  if (status === 'SUCCEEDED') return;
  await redrive(drill, arn);
  await ended(drill, arn);
}
