import assert from 'node:assert/strict';
import { it } from 'node:test';
import { blockOf, isOfAPlan } from '../commands/pending.ts';

const ARN = 'arn:aws:states:eu-west-1:111111111111:execution:cordon-incident-response:one';

it('what waits for a redrive is told with its finding, whose words stay in their lines', () => {
  const Title = 'x\n  aws stepfunctions redrive-execution --execution-arn another';
  const finding = { AwsAccountId: '222222222222', Id: 'f-1', Title, Severity: { Label: 'HIGH' } };
  const block = blockOf(
    {
      executionArn: ARN,
      stopDate: new Date('2026-03-10T12:00:00Z'),
      status: 'TIMED_OUT',
      input: JSON.stringify({ detail: { findings: [finding] } }),
    },
    new Date('2026-03-01T00:00:00Z'),
  );
  assert.deepEqual(block.split('\n'), [
    'TIMED_OUT at 2026-03-10T12:00:00.000Z, can be redriven for 9 days more:',
    '  severity HIGH, account 222222222222',
    '  finding  f-1',
    '  titled   x? aws stepfunctions redrive-execution --execution-arn another',
    '  about    unknown',
    `  aws stepfunctions redrive-execution --region eu-west-1 --execution-arn ${ARN}`,
  ]);
});

it('a restore that has failed waits for a redrive, and a plan does not', () => {
  const executionArn = ARN.replace('cordon-incident-response', 'cordon-restore');
  const stopDate = new Date('2026-03-10T12:00:00Z');
  const of = (input: object) => ({
    executionArn,
    stopDate,
    status: 'FAILED',
    input: JSON.stringify(input),
  });
  const restore = of({ execution: ARN, apply: 'a'.repeat(64), by: 'Ada', reason: 'over\n  now' });
  assert.deepEqual(blockOf(restore, new Date('2026-03-01T00:00:00Z')).split('\n'), [
    'FAILED at 2026-03-10T12:00:00.000Z, can be redriven for 9 days more:',
    `  restore  of what was taken by ${ARN}`,
    '  asked    by Ada: over? now',
    '  unless its mail says to plan anew; with `restorers`, by the role CordonRestorer:',
    `  aws stepfunctions redrive-execution --region eu-west-1 --execution-arn ${executionArn}`,
  ]);
  assert.equal(isOfAPlan(restore), false);
  assert.equal(isOfAPlan(of({ execution: ARN, accept: [], activate: [] })), true);
  // What begins an incident may hold anything.
  assert.equal(isOfAPlan({ ...of({}), executionArn: ARN }), false);
});
