import { brief, linesOf, saidInInput } from './findings.ts';
import { DAY, DeployedMachine, redrivableSince } from './machines.ts';

/** Whose executions people redrive. */
const MACHINES = ['cordon-incident-response', 'cordon-restore'];

/**
 * Prints the failed executions that can be redriven, the one that can be for the shortest first, and
 * what each is about: the finding, in the words of whoever sent that, or the incident that was to be
 * given back. A restore that was only to be planned is planned anew, and is none of them.
 */
export async function pending(config: string): Promise<void> {
  const since = redrivableSince();
  const waiting: Waiting[] = [];
  for (const name of MACHINES) {
    waiting.push(...(await waitingOf(await DeployedMachine.find(config, name), since)));
  }
  waiting.sort((one, other) => one.stopDate.getTime() - other.stopDate.getTime());
  for (const one of waiting) console.log(blockOf(one, since));
  if (waiting.length === 0) console.log('Nothing waits for a redrive.');
}

async function waitingOf(machine: DeployedMachine, since: Date): Promise<Waiting[]> {
  const statuses = ['FAILED', 'TIMED_OUT', 'ABORTED'] as const;
  const ended = await Promise.all(statuses.map((status) => machine.endedSince(since, status)));
  const waiting: Waiting[] = [];
  for (const { executionArn = '', stopDate = since, status } of ended.flat()) {
    const { redriveStatus, input } = await machine.describe(executionArn);
    const one = { executionArn, stopDate, status, input };
    if (redriveStatus === 'REDRIVABLE' && !isOfAPlan(one)) waiting.push(one);
  }
  return waiting;
}

/** An execution that can be redriven still. */
export interface Waiting {
  readonly executionArn: string;
  readonly stopDate: Date;
  readonly status: string | undefined;
  readonly input: string | undefined;
}

/** What is said of it, and the command; it can be redriven if it has ended after `since`. */
export function blockOf(waiting: Waiting, since: Date): string {
  const { executionArn, stopDate, status } = waiting;
  const left = Math.floor((stopDate.getTime() - since.getTime()) / DAY);
  const region = executionArn.split(':')[3];
  return [
    `${status} at ${stopDate.toISOString()}, can be redriven for ${left} days more:`,
    ...[
      ...about(waiting),
      `aws stepfunctions redrive-execution --region ${region} --execution-arn ${executionArn}`,
    ].map((line) => `  ${line}`),
  ].join('\n');
}

/** Whether it is a restore that changes nothing: `make restore` without `APPLY`. */
export function isOfAPlan(waiting: Waiting): boolean {
  return isRestore(waiting) && typed(waiting.input)['apply'] === undefined;
}

function isRestore({ executionArn }: Waiting): boolean {
  return executionArn.split(':')[6] === 'cordon-restore';
}

function about(waiting: Waiting): string[] {
  if (!isRestore(waiting)) return linesOf(saidInInput(waiting.input));
  const { execution, by, reason } = typed(waiting.input);
  const said = (value: unknown) => (typeof value === 'string' ? brief(value) : 'unknown');
  return [
    `restore  of what was taken by ${said(execution)}`,
    `asked    by ${said(by)}: ${said(reason)}`,
    'unless its mail says to plan anew; with `restorers`, by the role CordonRestorer:',
  ];
}

function typed(input: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(input ?? '');
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
