import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Observation, observationOf } from '../commands/observations.ts';
import { rowsOf, textOf } from '../commands/observe-rows.ts';
import { EVE, evidence } from './evidence.ts';

const EXECUTION = 'arn:aws:states:us-east-1:111111111111:execution:cordon-incident-response:';
const KEY = 'observed/222222222222/AIDAEVE/one.json';

function stored(name: string, observed?: unknown): string {
  const principal = { ...EVE, arn: `arn:aws:iam::222222222222:user/${name}`, name };
  return evidence({ principal, ...(observed === undefined ? {} : { observed }) });
}

const takes = (...groups: string[]): unknown => ({
  rules: ['guardduty-user-key'],
  unusedDays: null,
  wouldTake: {
    credentials: {
      first: [
        { kind: 'accessKey', id: 'AKIAEVE' },
        { kind: 'sshPublicKey', id: 'APKAEVE' },
      ],
      more: 0,
    },
    policies: { first: ['arn:aws:iam::aws:policy/AdministratorAccess'], more: 0 },
    inlinePolicies: { first: [], more: 0 },
    groups: { first: groups, more: 0 },
  },
});

const eve: Observation = {
  account: '222222222222',
  id: 'AIDAEVE',
  arn: 'arn:aws:iam::222222222222:user/eve',
  kind: 'User',
  name: 'eve',
  execution: `${EXECUTION}one`,
  at: '2026-03-02T09:14:27.123Z',
  rules: ['guardduty-user-key'],
  unusedDays: null,
  wouldTake: {
    keys: ['AKIAEVE', 'APKAEVE (sshPublicKey)'],
    policies: ['arn:aws:iam::aws:policy/AdministratorAccess'],
    inlinePolicies: [],
    groups: ['admins'],
  },
};

describe('an object under observed/', () => {
  it('is an observation', () => {
    assert.deepEqual(observationOf(KEY, stored('eve', takes('admins'))), eve);
  });

  it('is the memory of a day', () => {
    const told = JSON.stringify({
      schema: 'cordon/told/1',
      execution: `${EXECUTION}one`,
      at: eve.at,
      arn: eve.arn,
      id: eve.id,
    });
    assert.equal(observationOf('observed/222222222222/AIDAEVE/2026-03-02.json', told), 'told');
  });

  it('moves no cursor and reverses no line, whatever it says', () => {
    const observed = observationOf(KEY, stored('\u001b[2J\r\n\u202eeve', takes('a\u0007', 'é')));
    assert.ok(typeof observed === 'object');
    const rows = rowsOf([observed]);
    for (const text of [textOf(rows), JSON.stringify(rows)]) assert.match(text, /^[ -~\n]*$/);
    assert.match(textOf(rows), /user\/\?\[2J\?\?\?eve\n/);
  });

  for (const [what, text] of [
    ['nothing', ''],
    ['no JSON', '{'],
    ['null', 'null'],
    ['anything', '{"schema": "cordon/evidence/2"}'],
    ['of a former release', stored('eve')],
    ['of another', stored('eve', takes()).replaceAll('AIDAEVE', 'AIDABOB')],
    ['damaged', stored('eve', { ...(takes() as object), rules: [7] })],
  ] as const) {
    it(`is none where it is ${what}`, () => {
      assert.equal(observationOf(KEY, text), 'none');
    });
  }
});

describe('the report of what was observed', () => {
  const again = { ...eve, execution: `${EXECUTION}two`, at: '2026-03-04T00:00:00Z' };
  const bob = { ...eve, account: '111111111111', id: 'AIDABOB', arn: 'arn:…:user/bob' };

  it('has a row for each principal, in the order of accounts', () => {
    const rows = rowsOf([{ ...again, rules: ['health-exposed-key'] }, bob, eve]);
    assert.deepEqual(
      rows.map(({ id, findings, first, last, rules }) => ({ id, findings, first, last, rules })),
      [
        {
          id: 'AIDABOB',
          findings: 1,
          first: bob.at,
          last: bob.at,
          rules: { 'guardduty-user-key': 1 },
        },
        {
          id: 'AIDAEVE',
          findings: 2,
          first: eve.at,
          last: again.at,
          rules: { 'guardduty-user-key': 1, 'health-exposed-key': 1 },
        },
      ],
    );
  });

  it('counts no pass of an execution twice, and knows whom a person chose', () => {
    const [row] = rowsOf([
      { ...eve, rules: [] },
      { ...eve, at: again.at, rules: [] },
    ]);
    assert.equal(row?.findings, 1);
    assert.deepEqual(row?.rules, { 'chosen by a person': 1 });
  });

  it('says the worst that would have been done, as it was last', () => {
    const retired = { ...again, unusedDays: 90, wouldTake: { ...eve.wouldTake, groups: [] } };
    assert.deepEqual(rowsOf([retired, eve])[0]?.wouldTake, eve.wouldTake);
    assert.match(textOf(rowsOf([retired])), /keys unused for 90 days would be made inactive/);
  });

  it('reads like this', () => {
    const groups = Array.from({ length: 12 }, (_, n) => `administrators-${n}`);
    const text = textOf(rowsOf([{ ...eve, wouldTake: { ...eve.wouldTake, groups } }, again]));
    assert.deepEqual(text.split('\n'), [
      '222222222222  arn:aws:iam::222222222222:user/eve',
      '  would be contained: 2 findings from 2026-03-02 to 2026-03-04',
      '  rules    guardduty-user-key (2)',
      '  keys     AKIAEVE, APKAEVE (sshPublicKey)',
      '  policies arn:aws:iam::aws:policy/AdministratorAccess',
      '  groups   admins',
      '',
      '2 findings on 1 principal in 1 account.',
    ]);
    const long = textOf(rowsOf([{ ...eve, wouldTake: { ...eve.wouldTake, groups } }]));
    assert.ok(long.split('\n').every((line) => line.length <= 96));
    for (const group of groups) assert.ok(long.includes(group));
    assert.equal(textOf([]), 'Nobody was observed.');
  });
});
