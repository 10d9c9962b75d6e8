import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Failure } from '../commands/failure.ts';
import { changed } from '../commands/policy.ts';

describe('one field of the response policy', () => {
  const policy = { mode: 'contain', exemptAccounts: ['222222222222'] };

  for (const [set, expected] of [
    ['mode=observe', { mode: 'observe' }],
    ['mode="observe"', { mode: 'observe' }],
    ['containRoles=true', { containRoles: true }],
    ['settlingSeconds=30', { settlingSeconds: 30 }],
    ['lowestSeverity={"escalate":"HIGH"}', { lowestSeverity: { escalate: 'HIGH' } }],
    ['exemptPrincipals=["a=b"]', { exemptPrincipals: ['a=b'] }],
    ['exemptPrincipals+=arn:aws:iam::*:user/x', { exemptPrincipals: ['arn:aws:iam::*:user/x'] }],
    ['exemptAccounts+="333333333333"', { exemptAccounts: ['222222222222', '333333333333'] }],
    ['exemptAccounts+="222222222222"', {}],
  ] as const) {
    it(`is changed by ${set}, and all others stay`, () => {
      assert.deepEqual(changed(policy, set), { ...policy, ...expected });
    });
  }

  it('is left out where nothing is set', () => {
    assert.deepEqual(changed(policy, 'exemptAccounts='), { mode: 'contain' });
  });

  for (const set of ['mode', '=observe', 'mode observe', 'mode+=observe']) {
    it(`is not changed by ${set}`, () => {
      assert.throws(() => changed(policy, set), Failure);
    });
  }
});
