import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { containments } from '../commands/contained.ts';
import { type Containment, textOf } from '../commands/containments.ts';
import { day, isJson } from '../commands/evidence.ts';
import { Failure } from '../commands/failure.ts';
import { EVE, evidence, incident } from './evidence.ts';

const EXECUTION = 'arn:aws:states:us-east-1:111111111111:execution:cordon-incident-response:';
const OF_EVE = 'evidence/222222222222/AIDAEVE/';
const RETIRED = 'retired/222222222222/AIDAEVE/';
const SINCE = '2026-03-02';
const AT = '2026-03-02T09:14:27.123Z';

type Changes = Readonly<Record<string, unknown>>;

const FINDING = {
  AwsAccountId: '222222222222',
  Id: 'f-1',
  Title: 'a key is out',
  Severity: { Label: 'HIGH' },
};

function original(changes: Changes = {}, entered = AT, execution = 'one'): string {
  const own = { case: '0001', finding: FINDING, incident: incident(entered, execution) };
  return evidence({ ...own, ...changes });
}

/** As `functions/preserve` stores it. */
const left = (changes: Changes = {}): string =>
  JSON.stringify({
    schema: 'cordon/left/2',
    case: '0001',
    execution: `${EXECUTION}one`,
    pass: 0,
    arn: 'arn:aws:iam::222222222222:user/eve',
    id: 'AIDAEVE',
    at: '2026-03-02T09:14:40Z',
    deniedBy: 'policy',
    boundary: null,
    keptPolicies: [],
    credentials: [],
    ...changes,
  });

/** As `functions/plan-restore` stores it. */
const restored = (changes: Changes = {}): string => {
  const stored = { uri: 's3://b/k', version: null, sha256: '0f'.repeat(32) };
  return JSON.stringify({
    schema: 'cordon/restored/1',
    execution: EXECUTION.replace('incident-response', 'restore') + 'back',
    at: '2026-03-03T10:00:00Z',
    incident: `${EXECUTION}one`,
    case: '0001',
    id: 'AIDAEVE',
    plan: stored,
    by: 'ann@example.com',
    reason: 'it was us',
    disposition: 'recovered',
    given: [],
    leftOut: { byHand: [], inactive: [], drift: [], lost: [] },
    readBack: stored,
    ...changes,
  });
};

/** What is said of a bucket with these objects in it. */
async function said(objects: Readonly<Record<string, string>>) {
  const bucket = {
    keys: (prefix: string) =>
      Promise.resolve(Object.keys(objects).filter((key) => key.startsWith(prefix))),
    async *texts(keys: readonly string[]): AsyncGenerator<[string, string]> {
      for (const key of keys) yield [key, objects[key] ?? ''];
    },
  };
  return containments(bucket, SINCE);
}

const eve: Containment = {
  account: '222222222222',
  arn: 'arn:aws:iam::222222222222:user/eve',
  id: 'AIDAEVE',
  case: '0001',
  at: AT,
  execution: `${EXECUTION}one`,
  finding: {
    severity: 'HIGH',
    account: '222222222222',
    id: 'f-1',
    title: 'a key is out',
    resources: [],
  },
  joined: null,
  readBack: null,
  givenBack: null,
  unclear: false,
};
const by = (execution: string, at: string) => ({ at, execution: `${EXECUTION}${execution}` });
const READ = by('one', '2026-03-02T09:14:40Z');
const givenBack = { at: '2026-03-03T10:00:00Z', by: 'ann@example.com', reason: 'it was us' };

describe('who was contained', () => {
  const begun = { [`${OF_EVE}0001/original.json`]: original() };
  const readBack = { ...begun, [`${OF_EVE}0001/left.json`]: left() };

  it('is whose case was opened, as its evidence says that it stands', async () => {
    for (const [objects, stands] of [
      [begun, {}],
      [readBack, { readBack: READ }],
      [
        { ...readBack, [`${OF_EVE}0001/restored.json`]: restored() },
        { readBack: READ, givenBack },
      ],
      // Of a later pass of the execution.
      [{ ...begun, [`${OF_EVE}0001/one-1.json`]: original({}, '2026-03-02T10:00:00Z') }, {}],
      // Of a later incident, which has joined the case, and has finished it.
      [
        {
          ...begun,
          [`${OF_EVE}0001/two.json`]: original({}, '2026-03-02T10:00:00Z', 'two'),
          [`${OF_EVE}0001/left.json`]: left(by('two', '2026-03-02T10:00:20Z')),
        },
        {
          joined: by('two', '2026-03-02T10:00:00Z'),
          readBack: by('two', '2026-03-02T10:00:20Z'),
        },
      ],
    ] as const) {
      assert.deepEqual(await said(objects), { all: [{ ...eve, ...stands }], others: [] });
    }
  });

  it('is whose case was begun before, and contained since', async () => {
    const earlier = original({}, '2026-02-20T09:00:00Z');
    const objects = { [`${OF_EVE}0001/original.json`]: earlier };
    const at = '2026-02-20T09:00:00Z';
    assert.deepEqual(await said(objects), { all: [], others: [] });
    assert.deepEqual(await said({ ...objects, [`${OF_EVE}0001/left.json`]: left() }), {
      all: [{ ...eve, at, readBack: READ }],
      others: [],
    });
    const was = { ...objects, [`${OF_EVE}0001/left.json`]: left({ at: '2026-02-20T09:00:20Z' }) };
    const readBack = by('one', '2026-02-20T09:00:20Z');
    const two = original({}, AT, 'two');
    assert.deepEqual(await said({ ...was, [`${OF_EVE}0001/two.json`]: two }), {
      all: [{ ...eve, at, joined: by('two', AT), readBack }],
      others: [],
    });
    assert.deepEqual(await said({ ...objects, [`${OF_EVE}0001/left.json`]: '{' }), {
      all: [{ ...eve, at, unclear: true }],
      others: [`${OF_EVE}0001/left.json`],
    });
  });

  it('names what was planted in a case, which stands as it stands', async () => {
    const key = `${OF_EVE}0001/planted.json`;
    const expected = { all: [{ ...eve, readBack: READ }], others: [key] };
    for (const text of ['{', original({ case: '0002' }), left()]) {
      assert.deepEqual(await said({ ...readBack, [key]: text }), expected);
    }
  });

  it('names what was planted where no case was begun', async () => {
    const key = `${OF_EVE}0007/left.json`;
    const { all, others } = await said({ [key]: left({ case: '0007' }) });
    assert.deepEqual([all, others], [[], [key]]);
  });

  it('goes by what the evidence says of time, and is told in that order', async () => {
    const first = original({ case: '0002' }, '2026-03-02T00:00:00Z');
    const { all, others } = await said({
      ...begun,
      [`${OF_EVE}0002/original.json`]: first,
      [`${OF_EVE}0003/original.json`]: original({ case: '0003' }, '2026-03-01T23:59:59.999Z'),
      [`${OF_EVE}0003/left.json`]: left({ case: '0003', at: '2026-03-01T23:59:59.999Z' }),
    });
    assert.deepEqual(
      all.map((one) => one.case),
      ['0002', '0001'],
    );
    assert.deepEqual(others, []);
  });

  it('has whose unused keys were retired, once for all passes of an execution', async () => {
    const retirement = (entered: string, execution: string) =>
      original({ case: null }, entered, execution);
    const { all, others } = await said({
      [`${RETIRED}one-1.json`]: retirement('2026-03-02T11:00:00Z', 'one'),
      [`${RETIRED}one.json`]: retirement('2026-03-02T10:00:00Z', 'one'),
      [`${RETIRED}two.json`]: retirement('2026-03-02T12:00:00Z', 'two'),
      [`${RETIRED}old.json`]: retirement('2026-03-01T12:00:00Z', 'old'),
    });
    assert.deepEqual(
      all.map((one) => [one.case, one.at]),
      [
        [null, '2026-03-02T10:00:00Z'],
        [null, '2026-03-02T12:00:00Z'],
      ],
    );
    assert.deepEqual(others, []);
  });

  for (const [what, key, text] of [
    ['no JSON', `${OF_EVE}0001/original.json`, '{'],
    ['anything', `${OF_EVE}0001/original.json`, '{"schema": "cordon/evidence/2"}'],
    ['what was left', `${OF_EVE}0001/original.json`, left()],
    ['of another case', `${OF_EVE}0002/original.json`, original()],
    ['of another principal', 'evidence/222222222222/AIDABOB/0001/original.json', original()],
    ['of another account', 'evidence/333333333333/AIDAEVE/0001/original.json', original()],
    ['a retirement', `${OF_EVE}0001/original.json`, original({ case: null })],
    ["a case's, and lies with retirements", `${RETIRED}one.json`, original()],
  ] as const) {
    it(`is not whose evidence is ${what}, which is named`, async () => {
      assert.deepEqual(await said({ [key]: text }), { all: [], others: [key] });
    });
  }

  for (const [file, what, text] of [
    ['left', 'no JSON', '{'],
    ['left', 'of another case', left({ case: '0002' })],
    ['left', 'of another principal', left({ id: 'AIDABOB' })],
    ['left', 'of another account', left({ arn: 'arn:aws:iam::333333333333:user/eve' })],
    ['left', 'that of a restore', restored()],
    ['left', 'the evidence', original()],
    ['left', 'of another incident', original({}, '2026-03-02T10:00:00Z', 'two')],
    ['restored', 'no JSON', '{'],
    ['restored', 'of another case', restored({ case: null })],
    ['restored', 'of another principal', restored({ id: 'AIDABOB' })],
    ['restored', 'what was left', left()],
    ['restored', 'of another incident', original({}, '2026-03-02T10:00:00Z', 'two')],
  ] as const) {
    it(`stands nobody knows how where ${file}.json is ${what}`, async () => {
      const key = `${OF_EVE}0001/${file}.json`;
      const expected = { all: [{ ...eve, unclear: true }], others: [key] };
      assert.deepEqual(await said({ ...begun, [key]: text }), expected);
    });
  }

  it('reads like this', async () => {
    const of = (key: string) => ({ account: '333333333333', arn: `arn:…:user/${key}` });
    const all: Containment[] = [
      { ...eve, readBack: READ, givenBack },
      { ...eve, ...of('a') },
      { ...eve, ...of('b'), readBack: READ },
      { ...eve, ...of('c'), unclear: true },
      { ...eve, ...of('d'), case: null },
      { ...eve, ...of('e'), readBack: by('two', AT), joined: by('two', AT) },
    ];
    const blocks = textOf(all, SINCE).split('\n\n');
    assert.deepEqual(blocks[0]?.split('\n'), [
      '222222222222  arn:aws:iam::222222222222:user/eve',
      `  ${AT}  contained, as read back at 2026-03-02T09:14:40Z; given back at 2026-03-03T10:00:00Z, by ann@example.com: it was us`,
      '  severity HIGH, account 222222222222',
      '  finding  f-1',
      '  titled   a key is out',
      `  by       ${EXECUTION}one`,
    ]);
    assert.deepEqual(
      blocks.slice(1, -1).map((block) => block.split('\n')[1]?.split('  ')[2]),
      [
        'begun, not read back: its execution says how far it came',
        'contained, as read back at 2026-03-02T09:14:40Z',
        'not known: something else lies in the place of its evidence',
        'unused keys to be made inactive: its execution says what was done',
        `contained, as read back at ${AT} by ${EXECUTION}two`,
      ],
    );
    assert.equal(blocks.at(-2)?.split('\n').at(-1), `  again    ${AT}  by ${EXECUTION}two`);
    assert.equal(blocks.at(-1), '5 cases and 1 retirement since 2026-03-02.');
    assert.equal(
      textOf([], SINCE),
      'No evidence says that anybody was contained since 2026-03-02.',
    );
  });

  it('moves no cursor and reverses no line, whatever it says', async () => {
    const hostile = '\u001b[2J\r\n\u202eeve';
    const arn = `arn:aws:iam::222222222222:user/${hostile}`;
    const { all } = await said({
      [`${OF_EVE}0001/original.json`]: original({
        principal: { ...EVE, arn, name: hostile },
        finding: { Id: hostile, Title: 'é'.repeat(999) },
      }),
      [`${OF_EVE}0001/restored.json`]: restored({ by: hostile, reason: hostile }),
    });
    for (const text of [textOf(all, SINCE), JSON.stringify(all)]) {
      assert.match(text, /^[ -~\n]*$/);
      assert.equal(text.split('\n').filter((line) => line.includes('[2J')).length > 0, true);
    }
    assert.equal(textOf(all, SINCE).split('\n').length, 8);
  });
});

describe('what reads the evidence bucket', () => {
  it('takes a day, and no format but JSON', () => {
    assert.equal(day('2026-02-28'), '2026-02-28');
    for (const none of ['2026-02-30', '2026-2-3', 'yesterday', '2026-02-28T00:00:00Z']) {
      assert.throws(() => day(none), Failure);
    }
    assert.deepEqual([isJson(undefined), isJson(''), isJson('json')], [false, false, true]);
    assert.throws(() => isJson('xml'), Failure);
  });
});
