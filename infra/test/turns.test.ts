import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Failure } from '../commands/failure.ts';
import { called, eachInTurn } from '../commands/turns.ts';

const turn = (stack: string, id: string) => ({ account: { id, region: 'eu-west-1' }, stack });

/** Which stacks took their turn, which did not come to their end, and what was told of it. */
async function after(t: TestContext, fails: Readonly<Record<string, Error>>) {
  const told = t.mock.method(console, 'error', () => {});
  const taken: string[] = [];
  const turns = [
    turn('CordonSecurity', '111111111111'),
    ...['222222222222', '333333333333'].flatMap((id) => [
      turn('CordonMember', id),
      turn('CordonRestore', id),
      turn('CordonOrganization', id),
    ]),
  ];
  const failed = await eachInTurn(turns, async (one) => {
    const why = fails[called(one)];
    if (why !== undefined) throw why;
    taken.push(called(one));
  });
  return {
    taken,
    failed: failed.map(called),
    told: told.mock.calls.map(({ arguments: [line] }) => String(line)),
  };
}

describe('The stacks of a deployment', () => {
  it('keep none from its turn but what needs the one that failed', async (t) => {
    const found = await after(t, { 'CordonMember in 222222222222': new Failure('no') });
    assert.deepEqual(found.failed, [
      'CordonMember in 222222222222',
      'CordonRestore in 222222222222',
    ]);
    assert.deepEqual(found.taken, [
      'CordonSecurity in 111111111111',
      'CordonOrganization in 222222222222',
      'CordonMember in 333333333333',
      'CordonRestore in 333333333333',
      'CordonOrganization in 333333333333',
    ]);
    assert.deepEqual(found.told, [
      'no',
      'CordonRestore in 222222222222 is left as it is, since CordonMember failed',
    ]);
  });

  it('go on whatever the reason is, and tell it in a line', async (t) => {
    const lost = Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' });
    const found = await after(t, {
      'CordonSecurity in 111111111111': new Error('getaddrinfo\nENOTFOUND'),
      'CordonOrganization in 222222222222': lost,
    });
    assert.equal(found.taken.length, 5);
    assert.deepEqual(found.told, [
      'CordonSecurity in 111111111111: getaddrinfo ENOTFOUND',
      'CordonOrganization in 222222222222: AggregateError ECONNREFUSED',
    ]);
  });
});
