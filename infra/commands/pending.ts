import { DAY, DeployedMachine, redrivableSince } from './machines.ts';

/** Prints the failed executions that can be redriven, the one that can be for the shortest first. */
export async function pending(config: string): Promise<void> {
  const machine = await DeployedMachine.find(config, 'cordon-incident-response');
  const since = redrivableSince();
  const statuses = ['FAILED', 'TIMED_OUT', 'ABORTED'] as const;
  const ended = await Promise.all(statuses.map((status) => machine.endedSince(since, status)));
  const waiting = [];
  for (const { executionArn = '', stopDate = since, status } of ended.flat()) {
    const { redriveStatus } = await machine.describe(executionArn);
    if (redriveStatus === 'REDRIVABLE') waiting.push({ executionArn, stopDate, status });
  }
  waiting.sort((one, other) => one.stopDate.getTime() - other.stopDate.getTime());
  for (const { executionArn, stopDate, status } of waiting) {
    const left = Math.floor((stopDate.getTime() - since.getTime()) / DAY);
    console.log(`${status} at ${stopDate.toISOString()}, can be redriven for ${left} days more:`);
    console.log(
      `  aws stepfunctions redrive-execution --region ${executionArn.split(':')[3]} --execution-arn ${executionArn}`,
    );
  }
  if (waiting.length === 0) console.log('Nothing waits for a redrive.');
}
