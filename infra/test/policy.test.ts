import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Failure } from '../commands/failure.ts';
import { changed, madeBy, replaced } from '../commands/policy.ts';
import { policyIn, saidOfFirst } from '../commands/response-policy.ts';
import { configuration } from './fixture.ts';

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
    ['exemptAccounts+=333333333333', { exemptAccounts: ['222222222222', '333333333333'] }],
    ['exemptAccounts-=222222222222', { exemptAccounts: [] }],
    ['exemptAccounts-="222222222222"', { exemptAccounts: [] }],
  ] as const) {
    it(`is changed by ${set}, and all others stay`, () => {
      assert.deepEqual(changed(policy, set), { ...policy, ...expected });
    });
  }

  it('is left out where nothing is set', () => {
    assert.deepEqual(changed(policy, 'exemptAccounts='), { mode: 'contain' });
  });

  it('is without an exemption that is named by whom it is about', () => {
    const whom = 'arn:aws:iam::222222222222:user/deploy';
    const until = '2026-12-31T00:00:00Z';
    const exempt = { exemptPrincipals: [{ principal: whom, until }, `${whom}er`] };
    const left = { exemptPrincipals: [`${whom}er`] };
    assert.deepEqual(changed(exempt, `exemptPrincipals-=${whom}`), left);
    const whole = JSON.stringify({ until, principal: whom });
    assert.deepEqual(changed(exempt, `exemptPrincipals-=${whole}`), left);
    assert.throws(() => changed(exempt, 'exemptPrincipals-=arn:aws:iam::*:user/deploy'), Failure);
  });

  it('has one exemption with an end for one principal or account, the last that was given', () => {
    const whom = 'arn:aws:iam::222222222222:user/deploy';
    const [first, second] = ['2026-12-31T00:00:00Z', '2027-01-31T00:00:00Z'].map((until) => ({
      principal: whom,
      until,
    }));
    const former = { exemptPrincipals: [whom, first, 'arn:aws:iam::*:user/x'] };
    const after = changed(former, `exemptPrincipals+=${JSON.stringify(second)}`);
    assert.deepEqual(after, { exemptPrincipals: [whom, 'arn:aws:iam::*:user/x', second] });
    assert.deepEqual(replaced(former, after), [JSON.stringify(first)]);
    assert.deepEqual(changed(after, `exemptPrincipals+=${JSON.stringify(second)}`), after);
    const accounts = {
      exemptAccounts: [{ account: '222222222222', until: '2026-12-31T00:00:00Z' }],
    };
    const account = { account: '222222222222', reason: 'tests' };
    const noted = changed(accounts, `exemptAccounts+=${JSON.stringify(account)}`);
    assert.deepEqual(noted, { exemptAccounts: [account] });
    // One that stands longer is not cut short.
    const shorter = changed(after, `exemptPrincipals+=${JSON.stringify(first)}`);
    assert.deepEqual(shorter, { exemptPrincipals: [whom, 'arn:aws:iam::*:user/x', second, first] });
    assert.deepEqual(replaced(after, shorter), []);
    const twice = { exemptPrincipals: [first, { ...first, reason: 'r' }] };
    const once = changed(twice, `exemptPrincipals+=${JSON.stringify(second)}`);
    assert.equal(replaced(twice, once).length, 2);
  });

  it('is not kept from a change by what was wrong before', () => {
    const former = { exemptPrincipals: [{ principal: '*', until: '2020-01-01T00:00:00Z' }] };
    const off = madeBy(configuration({}), former, changed(former, 'mode=off'));
    assert.deepEqual(off.made, []);
    assert.match(off.kept.join(), /fits everybody/);
    const of = madeBy(configuration({}), former, changed(former, 'mode=of'));
    assert.match(of.made.join(), /^`responsePolicy.mode` is/);
  });

  it('may be taken from before what was wrong before, and added to with nothing else wrong', () => {
    const good = 'arn:aws:iam::222222222222:user/a';
    const former = { exemptPrincipals: [good, '*'] };
    const less = madeBy(configuration({}), former, changed(former, `exemptPrincipals-=${good}`));
    assert.deepEqual(less.made, []);
    assert.match(less.kept.join(), /^`responsePolicy.exemptPrincipals\[0\]` .* fits everybody/);
    const twice = { exemptPrincipals: [good, '*', '*'] };
    assert.equal(madeBy(configuration({}), former, twice).made.length, 1);
    const other = { exemptPrincipals: [good, '?*'] };
    assert.equal(madeBy(configuration({}), former, other).made.length, 1);
  });

  for (const set of [
    'mode',
    'exemptAccounts-=',
    'exemptAccounts+=',
    'mode-=contain',
    '=observe',
    'mode observe',
    'mode+=observe',
  ]) {
    it(`is not changed by ${set}`, () => {
      assert.throws(() => changed(policy, set), Failure);
    });
  }

  it('is of an object alone, or a line says what to do', () => {
    assert.deepEqual(policyIn('{"mode": "off"}'), { mode: 'off' });
    for (const text of ['', '{"mode": "off"', '[]', 'null', '"off"']) {
      assert.throws(
        () => policyIn(text),
        /no JSON object, so nobody is contained: put a right one/,
      );
    }
  });
});

describe('the response policy that a deployment creates', () => {
  for (const [says, policy, nobody] of [
    ['mode `contain`, all accounts in scope, exemptions: 0', {}],
    [
      'mode `contain`, all accounts in scope, exemptions: 3',
      { mode: 'contain', exemptPrincipals: ['a', 'b'], exemptAccounts: ['222222222222'] },
    ],
    ['mode `observe`, all accounts in scope, exemptions: 0', { mode: 'observe' }, 'nobody'],
    ['mode `off`, all accounts in scope, exemptions: 0', { mode: 'off' }, 'nobody'],
    [
      'mode `contain`, accounts in scope: 2, exemptions: 0',
      { accountsInScope: ['222222222222', '333333333333'] },
      'nobody in other accounts',
    ],
    [
      'mode `observe`, accounts in scope: 0, exemptions: 0',
      { mode: 'observe', accountsInScope: [] },
      'nobody',
    ],
    ['mode `contain`, accounts in scope: 0, exemptions: 0', { accountsInScope: [] }, 'nobody'],
  ] as const) {
    it(`is told: ${says}`, () => {
      const [first, ...warnings] = saidOfFirst(policy);
      assert.equal(first, says);
      assert.deepEqual(
        warnings.map((warning) => warning.split(':')[0]),
        nobody === undefined ? [] : [`${nobody} is contained by it`],
      );
    });
  }
});
