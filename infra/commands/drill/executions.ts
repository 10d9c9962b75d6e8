import type { AwsSecurityFinding } from '@aws-sdk/client-securityhub';
import {
  DescribeExecutionCommand,
  type DescribeExecutionCommandOutput,
  GetExecutionHistoryCommand,
  type HistoryEvent,
  ListExecutionsCommand,
  paginateGetExecutionHistory,
  RedriveExecutionCommand,
} from '@aws-sdk/client-sfn';
import { until } from './answers.ts';
import { NAME } from './principals.ts';
import type { Drill } from './step.ts';

/** How long an execution may take, with all that it tries again. */
const LONGEST = 600;

export type Execution = DescribeExecutionCommandOutput;

/** The finding of the drill that an execution is about. */
export function isOfTheDrill({ input = '{}' }: Execution, account: string): boolean {
  return finding(input)?.GeneratorId === NAME && finding(input)?.AwsAccountId === account;
}

function finding(input: string): AwsSecurityFinding | undefined {
  type Event = { detail?: { findings?: readonly AwsSecurityFinding[] } } | null;
  return (JSON.parse(input) as Event)?.detail?.findings?.[0];
}

/** The execution that a finding starts. */
export function executionOf(drill: Drill, finding: AwsSecurityFinding): Promise<string> {
  const what = `an execution for the finding ${finding.Id}`;
  return until(what, 120, () => findExecution(drill, finding));
}

/** The execution that a finding has started, if there is one yet. */
export async function findExecution(
  { security: { states }, machine }: Drill,
  { Id, CreatedAt = '' }: AwsSecurityFinding,
): Promise<string | undefined> {
  // Clocks may differ.
  const since = new Date(Date.parse(CreatedAt) - 60_000);
  const { executions = [] } = await states.send(
    new ListExecutionsCommand({ stateMachineArn: machine.arn, maxResults: 100 }),
  );
  for (const { executionArn = '', startDate = since } of executions) {
    if (startDate < since) continue;
    const { input = '{}' } = await machine.describe(executionArn);
    if (finding(input)?.Id === Id) return executionArn;
  }
  return undefined;
}

/** The execution as it has ended. */
export async function ended(
  { security: { states } }: Drill,
  executionArn: string,
): Promise<Execution> {
  return until(`the end of ${executionArn}`, LONGEST, async () => {
    const execution = await states.send(new DescribeExecutionCommand({ executionArn }));
    return execution.status === 'RUNNING' ? undefined : execution;
  });
}

export async function redrive({ security: { states } }: Drill, arn: string): Promise<void> {
  await states.send(new RedriveExecutionCommand({ executionArn: arn }));
}

/** Its history, the oldest event first. */
export async function history(
  { security: { states } }: Drill,
  arn: string,
): Promise<readonly HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  const pages = paginateGetExecutionHistory({ client: states }, { executionArn: arn });
  for await (const { events: some = [] } of pages) events.push(...some);
  return events;
}

/** The newest events of its history, the newest first. */
export async function newestEvents(
  { security: { states } }: Drill,
  executionArn: string,
): Promise<readonly HistoryEvent[]> {
  const asked = { executionArn, reverseOrder: true, maxResults: 3 };
  const { events = [] } = await states.send(new GetExecutionHistoryCommand(asked));
  return events;
}
