import { linesOf, saidInInput } from './findings.ts';
import { DAY, DeployedMachine, redrivableSince } from './machines.ts';

/**
 * Prints the failed executions that can be redriven, the one that can be for the shortest first, and
 * what finding each is about, in the words of whoever sent that.
 */
export async function pending(config: string): Promise<void> {
  const machine = await DeployedMachine.find(config, 'cordon-incident-response');
  const since = redrivableSince();
  const statuses = ['FAILED', 'TIMED_OUT', 'ABORTED'] as const;
  const ended = await Promise.all(statuses.map((status) => machine.endedSince(since, status)));
  const waiting: Waiting[] = [];
  for (const { executionArn = '', stopDate = since, status } of ended.flat()) {
    const { redriveStatus, input } = await machine.describe(executionArn);
    if (redriveStatus === 'REDRIVABLE') waiting.push({ executionArn, stopDate, status, input });
  }
  waiting.sort((one, other) => one.stopDate.getTime() - other.stopDate.getTime());
  for (const one of waiting) console.log(blockOf(one, since));
  if (waiting.length === 0) console.log('Nothing waits for a redrive.');
}

/** An execution that can be redriven still. */
interface Waiting {
  readonly executionArn: string;
  readonly stopDate: Date;
  readonly status: string | undefined;
  readonly input: string | undefined;
}

/** What is said of it, and the command; it can be redriven if it has ended after `since`. */
export function blockOf({ executionArn, stopDate, status, input }: Waiting, since: Date): string {
  const left = Math.floor((stopDate.getTime() - since.getTime()) / DAY);
  const region = executionArn.split(':')[3];
  return [
    `${status} at ${stopDate.toISOString()}, can be redriven for ${left} days more:`,
    ...[
      ...linesOf(saidInInput(input)),
      `aws stepfunctions redrive-execution --region ${region} --execution-arn ${executionArn}`,
    ].map((line) => `  ${line}`),
  ].join('\n');
}
