import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  assigned,
  computed,
  type Json,
  type State,
  state,
  STATES,
  type Values,
} from './machine.ts';
import {
  CONTEXT,
  IDENTIFIED,
  inputOfClassify,
  largest,
  PRINCIPAL,
  REPORTS,
  typical,
} from './incident.ts';

const GONE = { Error: 'States.Timeout' };

describe('the first state', () => {
  const hostile = 'x\r\nFinding: forged\u2028'.repeat(60);
  const inputs: Json[] = [
    null,
    true,
    7,
    'finding',
    [],
    [[1], { detail: { findings: [{ Id: 'a' }, { Id: 'b' }] } }],
    {},
    { detail: null },
    { detail: { findings: [] } },
    { detail: { findings: 'none' } },
    { detail: { findings: [null] } },
    { detail: { findings: { AwsAccountId: '2', Id: 'no list' } } },
    { detail: { findings: [{ AwsAccountId: 222222222222, Id: ['a', 'b'] }] } },
    { detail: { findings: [{ Title: ['a'], Severity: 'HIGH', Resources: 'none' }] } },
    { detail: { findings: [{ Title: 7, Severity: { Label: {} }, Resources: { Id: 'a' } }] } },
    { detail: { findings: [{ Severity: { Label: ['a', 'b'] }, Resources: [] }] } },
    { detail: { findings: [{ Resources: [{}, { Id: null }, { Id: ['a', 7] }, 'b', null] }] } },
    {
      detail: {
        findings: [
          {
            AwsAccountId: hostile,
            Id: hostile,
            Title: hostile,
            Severity: { Label: hostile },
            Resources: Array.from({ length: 32 }, () => ({ Id: hostile })),
          },
        ],
      },
    },
  ];
  for (const input of inputs) {
    it(`takes ${JSON.stringify(input).slice(0, 60)}`, async () => {
      const { finding } = (await computed(
        state('Begin').Assign,
        {},
        {
          input,
          context: CONTEXT,
        },
      )) as { finding: Record<string, string> };
      for (const text of Object.values(finding)) assert.match(text, /^[ -~]{1,512}$/);
      assert.ok((finding['account'] ?? '').length <= 12);
    });
  }
});

/** What Step Functions and Lambda may give as the cause of an error, and what is kept of it. */
const CAUSES: readonly (readonly [string | undefined, string])[] = [
  [undefined, 'no cause given'],
  ['', ''],
  ['{not JSON}', '{not JSON}'],
  ['Rate Exceeded. (Service: Lambda)', 'Rate Exceeded. (Service: Lambda)'],
  ['{"errorType":"Throttled","errorMessage":"m"}', '{"errorType":"Throttled","errorMessage":"m"}'],
  [`{"errorMessage":"${'é'.repeat(30_000)}"}`, `{"errorMessage":"${'?'.repeat(1_183)}`],
  ['a\nb\u0000\u2028', 'a?b??'],
];

describe('a cause', () => {
  const { beyond } = typical().variables['limit'] as { beyond: string };
  for (const [cause, kept] of CAUSES) {
    it(`is cut, and printable: ${JSON.stringify(cause)?.slice(0, 60)}`, async () => {
      const errorOutput = { Error: 'Failed', ...(cause !== undefined && { Cause: cause }) };
      for (const [name, { Catch = [] }] of STATES) {
        for (const catcher of Catch) {
          const context = { ...CONTEXT, State: { ...CONTEXT.State, Name: name } };
          const variables = { ...typical().variables, failures: [], failure: null, outcomes: [] };
          const caught = { input: {}, errorOutput, context };
          const values = await computed(catcher.Assign ?? {}, variables, caught);
          const output = await computed(catcher.Output ?? {}, variables, caught);
          // Beyond a limit, people are told of the limit.
          const limited = name === 'CountContainments' && catcher.Next === 'PrincipalEscalated';
          for (const failed of failuresIn([values, output])) {
            const error = limited ? 'ContainmentLimit' : 'Failed';
            assert.deepEqual(failed, { state: name, error, cause: limited ? beyond : kept }, name);
          }
        }
      }
    });
  }
});

function failuresIn(value: Json): Json[] {
  if (Array.isArray(value)) return value.flatMap(failuresIn);
  if (typeof value !== 'object' || value === null) return [];
  if ('cause' in value) return [value];
  return Object.values(value).flatMap(failuresIn);
}

describe('the way from Outcome', () => {
  const accused = (...resources: string[]): Json => resources.map((resource) => ({ resource }));
  const ended = (...outcomes: [string, Json][]): Json =>
    outcomes.map(([resource, verdict]) => ({ resource, verdict, pass: 1 }));
  const refused = [{ resource: 'r', verdict: 'escalated', pass: 0 }];

  const cases: readonly {
    says: string;
    outcomes: Json;
    accused?: Json;
    refused?: Json;
    mode?: string;
    next: string;
  }[] = [
    {
      says: 'the one principal is contained',
      outcomes: ended(['a', 'contained']),
      next: 'ReportContained',
    },
    {
      says: 'its unused keys are inactive',
      outcomes: ended(['a', 'retired']),
      next: 'ReportContained',
    },
    {
      says: 'both are dealt with',
      outcomes: ended(['b', 'retired'], ['a', 'contained']),
      accused: accused('a', 'b'),
      next: 'ReportContained',
    },
    { says: 'nobody is accused', outcomes: [], accused: [], next: 'ReportFailure' },
    { says: 'there is no outcome', outcomes: [], next: 'ReportFailure' },
    { says: 'an outcome has no field', outcomes: [{ resource: 'a' }], next: 'ReportFailure' },
    {
      says: 'the field is misspelt',
      outcomes: [{ resource: 'a', verdic: 'contained', pass: 1 }],
      next: 'ReportFailure',
    },
    {
      says: 'the value is misspelt',
      outcomes: ended(['a', 'Contained']),
      next: 'ReportFailure',
    },
    {
      says: 'the value is a list',
      outcomes: ended(['a', ['contained']]),
      next: 'ReportFailure',
    },
    { says: 'the value is null', outcomes: ended(['a', null]), next: 'ReportFailure' },
    { says: 'the value is true', outcomes: ended(['a', true]), next: 'ReportFailure' },
    { says: 'the outcomes are texts', outcomes: ['contained'], next: 'ReportFailure' },
    { says: 'the outcomes are a text', outcomes: 'contained', next: 'ReportFailure' },
    { says: 'an outcome is null', outcomes: [null], next: 'ReportFailure' },
    {
      says: 'there are fewer outcomes than accused',
      outcomes: ended(['a', 'contained']),
      accused: accused('a', 'b'),
      next: 'ReportFailure',
    },
    {
      says: 'somebody else is contained',
      outcomes: ended(['b', 'contained']),
      next: 'ReportFailure',
    },
    {
      says: 'one is contained twice, the other not at all',
      outcomes: ended(['a', 'contained'], ['a', 'contained']),
      accused: accused('a', 'b'),
      next: 'ReportFailure',
    },
    {
      says: 'two of the same name are accused, and one is contained',
      outcomes: ended(['a', 'contained']),
      accused: accused('a', 'a'),
      next: 'ReportFailure',
    },
    {
      says: 'one whom an earlier pass contained makes up for one that is pending',
      outcomes: ended(['old', 'contained'], ['a', 'pending']),
      next: 'ReportFailure',
    },
    {
      says: 'one whom an earlier pass contained makes up for a pending one beside an escalated',
      outcomes: ended(['old', 'contained'], ['a', 'pending'], ['b', 'escalated']),
      accused: accused('a', 'b'),
      next: 'ReportFailure',
    },
    {
      says: 'one whom an earlier pass contained is not accused any more',
      outcomes: ended(['old', 'contained'], ['a', 'contained']),
      next: 'ReportContained',
    },
    {
      says: 'what is contained was read back in an earlier pass',
      outcomes: [{ resource: 'a', verdict: 'contained', pass: 0 }],
      next: 'WhetherToMail',
    },
    {
      says: 'a pass is no number',
      outcomes: [{ resource: 'a', verdict: 'contained', pass: '1' }],
      next: 'WhetherToMail',
    },
    {
      says: 'one is refused',
      outcomes: [...(ended(['a', 'contained']) as Json[]), ...refused],
      refused,
      next: 'WhetherToMail',
    },
    {
      says: 'one is refused now whom an earlier pass contained',
      outcomes: [...(ended(['r', 'contained'], ['a', 'contained']) as Json[]), ...refused],
      refused,
      next: 'WhetherToMail',
    },
    {
      says: 'one is escalated',
      outcomes: ended(['a', 'contained'], ['b', 'escalated']),
      accused: accused('a', 'b'),
      next: 'WhetherToMail',
    },
    {
      says: 'one is observed, but nobody observes',
      outcomes: ended(['a', 'observed']),
      next: 'ReportFailure',
    },
    {
      says: 'one is observed',
      outcomes: ended(['a', 'observed']),
      mode: 'observe',
      next: 'ReportObserved',
    },
    {
      says: 'an earlier pass contained the one principal, and nobody acts any more',
      outcomes: ended(['a', 'contained']),
      mode: 'observe',
      next: 'ReportObserved',
    },
    {
      says: 'observing failed for one',
      outcomes: ended(['a', 'observed'], ['b', 'pending']),
      accused: accused('a', 'b'),
      mode: 'observe',
      next: 'ReportFailure',
    },
  ];
  for (const { says, outcomes, next, mode = 'contain', ...verdict } of cases) {
    it(`leads to ${next} where ${says}`, async () => {
      const variables: Values = {
        outcomes,
        policy: { mode },
        redrives: 1,
        principals: verdict.accused ?? accused('a'),
        refused: verdict.refused ?? [],
      };
      const { Execution } = CONTEXT;
      const redriven = { ...CONTEXT, Execution: { ...Execution, RedriveCount: 1 } };
      assert.equal(await chosen(state('Outcome'), variables, redriven), next);
    });
  }

  const observed = (toldToday?: Json): Record<string, Json> => ({
    verdict: 'observed',
    pass: 0,
    evidence: toldToday === undefined ? {} : { toldToday },
  });
  type How = { redrives?: number; source?: string | null; mode?: string };
  type Case = readonly [string, string, readonly Record<string, Json>[], How];
  for (const [says, next, outcomes, { redrives = 0, source = 'service', mode = 'observe' }] of [
    ['people were told of it today', 'ObservedToday', [observed(true)], {}],
    ['people were told of both', 'ObservedToday', [observed(true), observed(true)], {}],
    ['people were told of one', 'ReportObserved', [observed(true), observed()], {}],
    ['nobody was told', 'ReportObserved', [observed(false)], {}],
    ['it is not known', 'ReportObserved', [observed()], {}],
    ['no boolean says so', 'ReportObserved', [observed('true')], {}],
    ['there is no evidence', 'ReportObserved', [{ verdict: 'observed', evidence: null }], {}],
    ['one is left to people', 'WhetherToMail', [observed(true), { verdict: 'escalated' }], {}],
    ['one is left, of none told', 'ReportObserved', [observed(), { verdict: 'escalated' }], {}],
    ['observing failed for one', 'ReportFailure', [observed(true), { verdict: 'pending' }], {}],
    ['it is redriven', 'ReportObserved', [observed(true)], { redrives: 1 }],
    ['a person chose it', 'ReportObserved', [observed(true)], { source: 'person' }],
    ['nobody knows whose word it is', 'ReportObserved', [observed(true)], { source: null }],
    ['nobody observes', 'ReportFailure', [observed(true)], { mode: 'contain' }],
  ] as readonly Case[]) {
    it(`leads to ${next} where one is observed, and ${says}`, async () => {
      const named = outcomes.map((one, n) => ({ ...one, resource: `${n}` }));
      const variables: Values = {
        outcomes: named,
        policy: { mode },
        verdict: source === null ? {} : { source },
        redrives,
        principals: named.map(({ resource }) => ({ resource })),
        refused: [],
      };
      const { Execution } = CONTEXT;
      const context = { ...CONTEXT, Execution: { ...Execution, RedriveCount: redrives } };
      assert.equal(await chosen(state('Outcome'), variables, context), next);
    });
  }
});

/** Whether a task tells its function that the response policy of today is still to be read. */
function unreadOf(task: State): Json | undefined {
  return (task.Arguments as { Payload?: { policyUnread?: Json } } | undefined)?.Payload
    ?.policyUnread;
}

/** The first rule of a choice that holds; none, where it is the default's turn. */
async function rule(choice: State, variables: Values, context: Json = CONTEXT) {
  for (const one of choice.Choices ?? []) {
    const holds = await computed(one.Condition, variables, { input: {}, context });
    assert.equal(typeof holds, 'boolean', one.Condition);
    if (holds === true) return one;
  }
  return undefined;
}

async function chosen(choice: State, variables: Values, context: Json = CONTEXT): Promise<string> {
  const next = (await rule(choice, variables, context))?.Next;
  return next ?? choice.Default ?? assert.fail('no rule holds');
}

describe('a redriven pass', () => {
  const [a, b, c] = [{ resource: 'a' }, { resource: 'b' }, { resource: 'c' }];
  const before = [
    { resource: 'a', verdict: 'contained' },
    { resource: 'b', verdict: 'pending' },
    { resource: 'c', verdict: 'retired' },
  ];
  const items = (accused: Json, outcomes: Json, mode = 'contain'): Promise<Json> =>
    computed(
      state('Principals').Items,
      { principals: accused, outcomes, policy: { mode } },
      { input: {}, context: CONTEXT },
    );

  it('takes up everybody, also whom an earlier pass has dealt with', async () => {
    const several: Json[] = [[], before, [{ resource: 'a' }, { verdict: 'contained' }]];
    for (const outcomes of several) {
      assert.deepEqual(await items([a], outcomes), [a]);
      assert.deepEqual(await items([b, c, a], outcomes), [b, c, a]);
    }
    assert.deepEqual(await items([], before), []);
  });

  it('observes nobody who is dealt with', async () => {
    assert.deepEqual(await items([a], [], 'observe'), [a]);
    assert.deepEqual(await items([a, b, c], before, 'observe'), [b]);
    assert.deepEqual(await items([a], [{ resource: 'a', verdict: 'contained' }], 'observe'), []);
  });

  it('counts what it has read back, and not what an earlier pass has', async () => {
    const outcomes = async (result: Json, refused: Json): Promise<Json> => {
      const variables = { outcomes: before, refused };
      const { Assign } = state('Principals');
      return ((await computed(Assign, variables, { result })) as { outcomes: Json }).outcomes;
    };
    const [contained, , retired] = before;
    const pending = { resource: 'a', verdict: 'pending' };
    assert.deepEqual(await outcomes([pending], []), [retired, pending]);
    assert.deepEqual(await outcomes([], []), [contained, retired]);
    const refused = { resource: 'c', verdict: 'escalated' };
    assert.deepEqual(await outcomes([pending], [refused]), [pending, refused]);
    assert.deepEqual(await outcomes([], [refused]), [contained, refused]);
  });

  it('names all of whom nobody knows what became, where it fails as a whole', async () => {
    const outcomes = async (principals: Json, known: Json, mode = 'contain'): Promise<Json> => {
      const failed = { errorOutput: GONE, context: CONTEXT };
      const variables = { outcomes: known, principals, redrives: 1, policy: { mode } };
      const caught = await computed(state('Principals').Catch?.[0]?.Assign, variables, failed);
      const { outcomes: all, unknown } = caught as { outcomes: Json; unknown: Json };
      const assign = state('MarkUnknown').Assign;
      const marked = await computed(assign, { ...variables, outcomes: all, unknown }, {});
      return (marked as { outcomes: Json }).outcomes;
    };
    const accused = { account: '222222222222', told: true, newly: true };
    const user = { ...accused, resource: 'user', name: 'eve' };
    const unused = { ...accused, resource: 'unused', unusedDays: 90 };
    const told = { account: '222222222222', verdict: 'pending', pass: 1 };
    const mark = {
      unknown: true,
      verdict: 'pending',
      identifiedBy: null,
      readBack: null,
      failures: [],
      told: false,
      pass: 1,
    };
    const second = { ...told, resource: 'unused', unusedDays: 90, ...mark };
    assert.deepEqual(await outcomes([user], []), [{ ...told, resource: 'user', ...mark }]);
    assert.deepEqual(await outcomes([user, unused], []), [
      { ...told, resource: 'user', ...mark },
      second,
    ]);
    const known = { resource: 'user', verdict: 'contained', readBack: {} };
    assert.deepEqual(await outcomes([user, unused], [known]), [known, second]);
    assert.deepEqual(await outcomes([user], [known]), [known]);
    // What was read of whom an earlier pass has begun with is past, but for whom none deals with.
    const begun = { resource: 'user', verdict: 'escalated', evidence: {}, readBack: {}, pass: 0 };
    const refused = { resource: 'other', verdict: 'escalated', pass: 0 };
    assert.deepEqual(await outcomes([user], [begun, refused]), [{ ...begun, ...mark }, refused]);
    // Observing touches nobody.
    assert.deepEqual(await outcomes([user], [begun], 'observe'), [begun]);
    assert.deepEqual(await outcomes([user], [], 'observe'), [{ ...told, resource: 'user' }]);
  });

  it('acts on nobody, and ends nothing, before the response policy was read again', async () => {
    const { Execution } = CONTEXT;
    const redriven = { ...CONTEXT, Execution: { ...Execution, RedriveCount: 1 } };
    const by = (context: typeof CONTEXT, name: string, redrives: number): Promise<Json> =>
      computed(unreadOf(state(name)), { redrives }, { input: {}, context });
    for (const name of [...IDENTIFIED, ...REPORTS, 'AssumeRole', 'Resolve', 'MarkNotified']) {
      if (unreadOf(state(name)) === undefined) continue;
      assert.equal(await by(CONTEXT, name, 0), false);
      assert.equal(await by(redriven, name, 1), false);
      assert.equal(await by(redriven, name, 0), true);
    }
    for (const name of ['Judge', 'Outcome', 'WaitForPeopleToRedrive']) {
      const [rule] = state(name).Choices ?? [];
      const leads = (context: typeof CONTEXT, redrives: number): Promise<Json> =>
        computed(rule?.Condition, { redrives }, { input: {}, context });
      assert.equal(rule?.Next, 'ReadResponsePolicy');
      assert.equal(await leads(CONTEXT, 0), false);
      assert.equal(await leads(redriven, 1), false);
      assert.equal(await leads(redriven, 0), true);
    }
    const { Assign, Catch } = state('ReadResponsePolicy');
    assert.deepEqual(await computed(Assign, {}, { context: redriven }), { redrives: 1 });
    assert.deepEqual(await computed(Assign, {}, { context: CONTEXT }), { redrives: 0 });
    // So a redrive in which it can't be read is told once, and waits for the next.
    const unread = { errorOutput: GONE, context: redriven };
    assert.equal(((await computed(Catch?.[0]?.Assign, {}, unread)) as Values)['redrives'], 1);
  });

  it('tells of what an earlier pass has read back which pass that was', async () => {
    const outcome = await computed(
      state('PrincipalContained').Output,
      { ...typical().variables, redrives: 3 },
      { input: {}, context: CONTEXT },
    );
    assert.equal((outcome as { pass: Json }).pass, 3);
  });

  it('hands each principal its own earlier outcome, or none', async () => {
    const selected = (outcomes: Json): Promise<Json> =>
      computed(
        state('Principals').ItemSelector,
        { outcomes },
        { context: { ...CONTEXT, Map: { Item: { Index: 0, Value: { resource: 'a' } } } } },
      );
    const principal = { resource: 'a' };
    assert.deepEqual(await selected([]), { principal, prior: {} });
    const mine = { resource: 'a', verdict: 'pending' };
    for (const outcomes of [[mine], [{ resource: 'b' }, mine], [mine, { resource: 'a', n: 2 }]]) {
      assert.deepEqual(await selected(outcomes), { principal, prior: mine });
    }
  });

  it('hands on how an earlier pass reached the principal, or that none did', async () => {
    const handed = async (prior: Json): Promise<Json> => {
      const begun = await computed(state('BeginPrincipal').Assign, typical().variables, {
        input: { principal: { resource: 'a' }, prior },
        context: CONTEXT,
      });
      const given = { ...typical().variables, ...(begun as object) };
      const { Arguments } = state('AssumeRole');
      const asked = await computed(Arguments, given, { input: {}, context: CONTEXT });
      return (asked as { Payload: { reach: Json } }).Payload.reach;
    };
    assert.equal(await handed({}), null);
    assert.equal(await handed({ resource: 'a', verdict: 'pending', reach: null }), null);
    const reach = typical().variables['reach'] ?? null;
    assert.deepEqual(await handed({ resource: 'a', verdict: 'pending', reach }), reach);
  });

  // What AssumeRole has read since is newer than what Quarantine said in an earlier pass.
  it('forgets what an earlier pass denied once the principal is read again', async () => {
    const denial = { by: 'policy', already: false, boundary: true };
    const { Assign } = state('AssumeRole');
    const before = { ...typical().variables, prior: { denial, evidence: null }, denial: null };
    const result = { Payload: { principal: {}, reach: {}, identifiedBy: 'b', identity: {} } };
    const after = await assigned(Assign, before, { result, context: CONTEXT });
    const pending = async (variables: Values) =>
      (
        (await computed(
          state('PrincipalPending').Output,
          { ...variables, verified: null, lost: [], failures: [] },
          { input: {}, context: CONTEXT },
        )) as { denial: Json }
      ).denial;
    assert.deepEqual(await pending(before), denial);
    assert.equal(await pending(after), null);
  });

  it('knows in a second round that the deny was gone', async () => {
    const again = state('IsContained').Choices?.find(({ Next }) => Next === 'AssumeRole');
    for (const [deniedBy, expected] of [
      [null, null],
      ['policy', 'policy'],
    ] as const) {
      const identity = { name: 'eve', deniedBy: 'policy' };
      const verified = { readBack: { deniedBy } };
      const given = { ...typical().variables, identity, verified };
      const after = await assigned(again?.Assign, given, { context: CONTEXT });
      assert.deepEqual(after['identity'], { name: 'eve', deniedBy: expected });
    }
  });

  it('keeps an earlier reach where the account can not be entered again', async () => {
    const { reach = null, ...others } = typical().variables;
    const pending = await computed(
      state('PrincipalPending').Output,
      { ...others, reach, target: null, evidence: null, denial: null },
      { input: {}, context: CONTEXT },
    );
    assert.deepEqual((pending as { reach: Json }).reach, reach);
  });
});

it('an observation knows the evidence of the passes that acted', async () => {
  const states = { input: {}, context: CONTEXT };
  const knows = async (prior: Json): Promise<Json> => {
    const given = { ...typical().variables, prior };
    const outcome = (await computed(state('PrincipalObserved').Output, given, states)) as Values;
    return outcome['earlierEvidence'] ?? null;
  };
  const evidence = { original: 's3://evidence/a' };
  assert.equal(await knows({ denial: null, evidence: null }), null);
  assert.equal(await knows({ denial: null, evidence }), evidence.original);
  const observed = { original: 's3://evidence/observed/a' };
  assert.equal(await knows({ denial: null, evidence, earlierEvidence: null }), evidence.original);
  const again = { denial: null, evidence: observed, earlierEvidence: evidence.original };
  assert.equal(await knows(again), evidence.original);
});

describe('the second call of Quarantine', () => {
  for (const [why, accused, denial, replaces] of [
    ["is made for a boundary of the customer's", {}, { by: 'policy', boundary: false }, true],
    ['is made where no deny stands yet', {}, { by: null, boundary: false }, true],
    ['is made where the first one failed', {}, null, true],
    ['is not made where the deny is the boundary', {}, { by: 'policy', boundary: true }, false],
    ['is not made where IAM refuses', {}, { by: 'policy', boundary: false, refused: 'r' }, false],
    ['is not made for unused credentials', { unusedDays: 90 }, null, false],
  ] as const) {
    it(why, async () => {
      const { Choices } = state('WhetherToReplaceBoundary');
      const condition = Choices?.[0]?.Condition ?? null;
      assert.equal(await computed(condition, { accused, denial }, {}), replaces);
    });
  }
});

describe('a count beyond which nothing is mailed', () => {
  const claim = (name: string, redrives: number): Promise<Json> =>
    computed(
      (state(name).Arguments as Values)['ExpressionAttributeValues'],
      { redrives: 0, limits: { escalate: { most: 1 } } },
      {
        input: {},
        context: { ...CONTEXT, Execution: { ...CONTEXT.Execution, RedriveCount: redrives } },
      },
    );

  for (const name of ['ClaimObservedMail', 'ClaimOverflowMail', 'CountRepetitions']) {
    it(`is an execution's own: ${name}`, async () => {
      const values = (await claim(name, 0)) as { ':execution': Json };
      assert.deepEqual(values[':execution'], { S: CONTEXT.Execution.Name });
    });

    // People have asked for it: others' mails of that hour are no answer to them.
    it(`is made by no redrive that begins there: ${name}`, async () => {
      await assert.rejects(claim(name, 1), { message: 'redriven' });
    });
  }
});

describe('the way to a mail', () => {
  const of = (verdict: string, ...errors: string[]): Json => ({
    resource: verdict,
    verdict,
    failures: errors.map((error) => ({ state: 's', error, cause: 'c' })),
  });
  const escalated = of('escalated', 'PrincipalProtected');
  for (const [says, source, urgent, outcomes, redrives, next, mode = 'contain'] of [
    ['an escalation', 'service', false, [escalated], 0, 'CountEscalations'],
    ['an escalation of nobody', 'service', false, [], 0, 'CountEscalations'],
    ['an urgent verdict', 'service', true, [escalated], 0, 'ClaimUrgentMail'],
    ['what is observed', 'service', true, [escalated], 0, 'ClaimObservedMail', 'observe'],
    ["a person's choice while observing", 'person', false, [], 0, 'ReportEscalated', 'observe'],
    ['a redrive while observing', 'service', true, [escalated], 1, 'ReportEscalated', 'observe'],
    [
      'a possible impostor',
      'service',
      false,
      [escalated, of('escalated', 'PrincipalMayBeImpostor')],
      0,
      'ClaimUrgentMail',
    ],
    [
      'another principal',
      'service',
      false,
      [of('escalated', 'PrincipalMismatch')],
      0,
      'CountEscalations',
    ],
    [
      'a containment beside it',
      'service',
      false,
      [escalated, of('contained')],
      0,
      'ReportEscalated',
    ],
    [
      'keys that were made inactive',
      'service',
      false,
      [{ ...(escalated as object), readBack: { done: { credentials: { first: ['k'] } } } }],
      0,
      'ReportEscalated',
    ],
    ['a retirement beside it', 'service', false, [escalated, of('retired')], 0, 'ReportEscalated'],
    ["a person's choice", 'person', false, [escalated], 0, 'ReportEscalated'],
    ['a redrive', 'service', true, [escalated], 1, 'ReportEscalated'],
  ] as readonly (readonly [string, string, boolean, Json, number, string, string?])[]) {
    it(`leads to ${next} for ${says}`, async () => {
      const given = { verdict: { source }, urgent, outcomes, redrives, policy: { mode } };
      const first = await chosen(state('WhetherToMail'), given);
      const then = first === 'WhetherUrgent' ? await chosen(state(first), given) : first;
      assert.equal(then, next);
    });
  }
});

describe('what was contained', () => {
  const contained = (deniedBefore: Json, bare = true): Json => ({
    verdict: 'contained',
    principal: { deniedBefore },
    evidence: { bare },
  });
  const retired = (...first: Json[]): Json => ({
    verdict: 'retired',
    principal: { deniedBefore: null },
    evidence: { bare: false },
    readBack: { done: { credentials: { first } } },
  });
  const before = contained('policy');
  for (const [says, source, outcomes, redrives, next] of [
    ['whom the deny stood on', 'service', [before, before], 0, 'CountRepetitions'],
    ['whose keys are inactive already', 'service', [retired()], 0, 'CountRepetitions'],
    ['who was not denied before', 'custom', [before, contained(null)], 0, 'TellContained'],
    [
      'who had something still',
      'service',
      [before, contained('boundary', false)],
      0,
      'TellContained',
    ],
    ['whose key was retired', 'service', [retired({ id: 'k' })], 0, 'TellContained'],
    ['whom a person chose', 'person', [before], 0, 'TellContained'],
    ['a redrive is about', 'service', [before], 1, 'TellContained'],
  ] as readonly (readonly [string, string, Json, number, string])[]) {
    it(`leads to ${next} for one ${says}`, async () => {
      const given = { verdict: { source }, outcomes, redrives };
      assert.equal(await chosen(state('WhetherToTellContained'), given), next);
    });
  }
});

describe('a report', () => {
  const { variables } = typical();
  const report = { subject: 's', verdict: 'v', note: 'n', fields: {}, message: 'm' };
  it('is taken whole', async () => {
    for (const name of REPORTS) {
      const { Assign } = state(name);
      const result = { Payload: report };
      assert.deepEqual(await computed(Assign, variables, { result }), { report }, name);
    }
  });

  for (const nonsense of [
    null,
    'a text',
    [],
    [report, report],
    {},
    { ...report, subject: 7 },
    { ...report, message: null },
    { ...report, message: ['m'] },
    { ...report, fields: 'none' },
    { subject: 's', verdict: 'v', fields: {}, message: 'm' },
  ] as readonly Json[]) {
    it(`is refused, and caught, if it is ${JSON.stringify(nonsense).slice(0, 60)}`, async () => {
      for (const name of REPORTS) {
        const { Assign } = state(name);
        const taken = computed(Assign, variables, { result: { Payload: nonsense } });
        await assert.rejects(taken, { code: 'D3137' }, name);
      }
    });
  }

  it('that could not be written is one all the same, with what is known', async () => {
    for (const name of [...REPORTS, 'AlertResponders']) {
      const catcher = state(name).Catch?.at(-1);
      const caught = { errorOutput: GONE, context: CONTEXT };
      const { report } = (await computed(catcher?.Assign, variables, caught)) as {
        report: Record<string, Json>;
      };
      assert.deepEqual(Object.keys(report), ['subject', 'verdict', 'note', 'fields', 'message']);
      assert.match(String(report['subject']), /^[ -~]{1,99}$/);
      const { default: text } = JSON.parse(String(report['message'])) as { default: string };
      const told = JSON.parse(text) as Record<string, Json>;
      assert.deepEqual(told['outcomes'], variables['outcomes']);
      assert.deepEqual(told['finding'], variables['finding']);
      assert.equal(told['execution'], CONTEXT.Execution.Id);
    }
  });

  it('that could not be written fits a message, whatever there is to say', async () => {
    const { variables, context } = largest();
    const outcomes = Array.from({ length: 32 }, () => '"'.repeat(7_000));
    for (const name of REPORTS) {
      const catcher = state(name).Catch?.at(-1);
      const given = { ...variables, outcomes };
      const caught = (await computed(catcher?.Assign, given, { errorOutput: GONE, context })) as {
        report: { message: string };
      };
      assert.ok(Buffer.byteLength(caught.report.message) < 250 * 1024);
    }
  });
});

describe('the finding that is judged', () => {
  const event = (finding: Json, kind = 'Imported'): { [member: string]: Json } => ({
    'detail-type': `Security Hub Findings - ${kind}`,
    detail: { findings: [finding] },
  });
  const named = { Id: 'i', ProductArn: 'p', AwsAccountId: '222222222222' };
  const given = (Input: Json): Json => ({
    ...CONTEXT,
    Execution: { ...CONTEXT.Execution, Input },
  });
  for (const [says, Input, redrives, next] of [
    ['an import', event(named), 0, 'Classify'],
    ['a redriven import', event(named), 1, 'ReadFinding'],
    ["a person's choice", event(named, 'Custom Action'), 0, 'ReadFinding'],
    ['a choice of nothing', event({}, 'Custom Action'), 0, 'Classify'],
    ['a choice without a product', event({ Id: 'i' }, 'Custom Action'), 0, 'Classify'],
    [
      'a choice of two',
      { ...event(named, 'Custom Action'), detail: { findings: [named, named] } },
      0,
      'Classify',
    ],
    ['a redriven text', 'finding', 1, 'Classify'],
    ['a redriven list', [], 1, 'Classify'],
    ['a redriven null', null, 1, 'Classify'],
  ] as readonly (readonly [string, Json, number, string])[]) {
    it(`is that of ${next === 'ReadFinding' ? 'Security Hub' : 'the event'} for ${says}`, async () => {
      const choice = state('WhetherToReadFinding');
      assert.equal(await chosen(choice, { redrives }, given(Input)), next);
      const variables = { redrives, record: null, principals: [] };
      const states = { input: { policy: 'policy' }, context: given(Input) };
      const { Payload } = (await computed(state('Classify').Arguments, variables, states)) as {
        Payload: { [member: string]: Json };
      };
      assert.deepEqual(Payload['event'], Input);
      assert.deepEqual([Payload['read'], Payload['earlier']], [false, []]);
    });
  }

  /** What is judged where Security Hub answers so. */
  const classified = async (
    Findings: Json,
    Input: { [member: string]: Json },
  ): Promise<{ [member: string]: Json }> => {
    const { Assign, Output } = state('ReadFinding');
    const { cut = null } = await assigned(
      state('Begin').Assign,
      {},
      { input: Input, context: CONTEXT },
    );
    const states = { input: { policy: 'policy' }, result: { Findings }, context: given(Input) };
    const input = await computed(Output, { cut }, states);
    const read = (await computed(Assign, {}, states)) as Values;
    const variables = { ...read, redrives: 1, principals: [{ resource: 'r' }] };
    const asked = await computed(state('Classify').Arguments, variables, { ...states, input });
    return (asked as { Payload: { [member: string]: Json } }).Payload;
  };

  const inOcsf = {
    finding_info: { uid: 'i', title: 't', related_events: [{ uid: 'signal' }], types: ['a'] },
    metadata: { uid: 'u', product: { uid: 'p' } },
    cloud: { account: { uid: '222222222222' } },
    severity: 'High',
    resources: [{ uid: 'arn:one' }, { uid: 'two' }],
    evidences: [{ api: 'x' }],
  };
  const v2 = (finding: Json): { [member: string]: Json } => ({
    'detail-type': 'Findings Imported V2',
    detail: { findings: [finding] },
  });

  it('is asked for by what identifies it, in the form of the Security Hub that sent it', async () => {
    const equals = (Value: string): Json => ({ Value, Comparison: 'EQUALS' });
    const filters = async (Input: Json): Promise<Json> => {
      const [variables, states] = [{ redrives: 1 }, { context: given(Input) }];
      const asked = await rule(state('WhetherToReadFinding'), variables, given(Input));
      const assigned = (await computed(asked?.Assign, variables, states)) as Values;
      return ((await computed(state('ReadFinding').Arguments, assigned, states)) as Values)[
        'Filters'
      ] as Json;
    };
    assert.deepEqual(await filters(event(named)), {
      Id: [equals('i')],
      ProductArn: [equals('p')],
      AwsAccountId: [equals('222222222222')],
    });
    const by = (FieldName: string, value: string): Json => ({ FieldName, Filter: equals(value) });
    const three = [
      by('finding_info.uid', 'i'),
      by('metadata.product.uid', 'p'),
      by('cloud.account.uid', '222222222222'),
    ];
    const all = (StringFilters: Json): Json => ({
      CompositeFilters: [{ Operator: 'AND', StringFilters }],
    });
    assert.deepEqual(await filters(v2(inOcsf)), all([...three, by('metadata.uid', 'u')]));
    const without = { ...inOcsf, metadata: { product: { uid: 'p' } } };
    assert.deepEqual(await filters(v2(without)), all(three));
  });

  it('is asked for in OCSF only where it can be named', async () => {
    const choice = state('WhetherToReadFinding');
    for (const [Input, redrives, next] of [
      [v2(inOcsf), 0, 'Classify'],
      [v2(inOcsf), 1, 'ReadFinding'],
      [v2(named), 1, 'Classify'],
      [event(inOcsf), 1, 'Classify'],
      [v2({ ...inOcsf, cloud: {} }), 1, 'Classify'],
    ] as readonly (readonly [Json, number, string])[]) {
      assert.equal(await chosen(choice, { redrives }, given(Input)), next);
    }
  });

  it('is told by its OCSF fields where nothing else is known of it', async () => {
    const { Assign } = state('Begin');
    const { finding } = (await computed(Assign, {}, { input: v2(inOcsf), context: CONTEXT })) as {
      finding: Json;
    };
    assert.deepEqual(finding, {
      id: 'unknown',
      title: 't',
      severity: 'HIGH',
      names: 'arn:one, two',
      account: '222222222222',
      label: 'i',
    });
  });

  it('is passed on in OCSF without what nobody reads', async () => {
    const judged = await classified([inOcsf], v2(inOcsf));
    const { evidences, ...kept } = inOcsf;
    const { related_events, ...info } = kept.finding_info;
    assert.deepEqual(judged['record'], [{ ...kept, finding_info: info }]);
    assert.equal(evidences.length + related_events.length, 2);
  });

  it('is the record in the place of what the event carries', async () => {
    const key = { AwsIamAccessKey: { AccessKeyId: 'AKIA' } };
    const bulky = { text: 'd'.repeat(1000) };
    const user = { AwsIamUser: { UserId: 'AIDA' } };
    const role = { AwsIamRole: { RoleId: 'AROA', RoleName: 'r' } };
    const details = { ...key, AwsIamUser: { ...user.AwsIamUser, ...bulky }, Other: bulky };
    const ofRole = { AwsIamRole: { ...role.AwsIamRole, AssumeRolePolicyDocument: bulky.text } };
    const record: Json = {
      ...named,
      Resources: [{ Id: 'a', Details: details }, { Id: 'b' }, { Id: 'c', Details: ofRole }],
    };
    const Input = event({ ...named, Title: 'forged', Workflow: { Status: 'RESOLVED' } });
    const judged = await classified([record], Input);
    const withoutFinding = { ...Input, detail: null };
    assert.deepEqual(judged['event'], withoutFinding);
    const Resources = [
      { Id: 'a', Details: { ...key, ...user } },
      { Id: 'b' },
      { Id: 'c', Details: role },
    ];
    assert.deepEqual(judged['record'], [{ ...named, Resources }]);
    assert.deepEqual(judged['earlier'], [{ resource: 'r' }]);
    assert.deepEqual([judged['read'], judged['policy']], [true, 'policy']);
    assert.equal(judged['chosenAs'], 'RESOLVED');
    const nothing = await classified([], Input);
    assert.deepEqual([nothing['event'], nothing['record']], [withoutFinding, []]);
    assert.equal(nothing['read'], true);
  });
});

describe('a principal that vanished', () => {
  const vanished = { state: 'Preserve', error: 'PrincipalVanished', cause: 'gone' };
  const other = { ...vanished, error: 'AccessDenied' };

  it('is looked for at once, whichever branch says so', async () => {
    for (const failures of [[vanished], [other, vanished], [vanished, vanished, other]]) {
      const next = await chosen(state('IsStillThere'), { failures });
      assert.equal(next, 'WhetherToIdentifyAgain');
    }
    for (const failures of [[], [other], [other, other]]) {
      assert.equal(await chosen(state('IsStillThere'), { failures }), 'Settle');
    }
  });

  it('is identified again once, unless a step failed otherwise', async () => {
    const choice = state('WhetherToIdentifyAgain');
    for (const rounds of [0, 1, 2]) {
      const next = rounds < 1 ? 'AssumeRole' : 'PrincipalPending';
      for (const failures of [[vanished], [vanished, vanished, vanished]]) {
        assert.equal(await chosen(choice, { rounds, failures }), next);
      }
      const otherwise = { rounds, failures: [other, vanished] };
      assert.equal(await chosen(choice, otherwise), 'PrincipalPending');
    }
  });

  it('is no reason for another round if it did not vanish', async () => {
    const choice = state('WhetherToIdentifyAgain');
    for (const failures of [[], [other]]) {
      assert.equal(await chosen(choice, { rounds: 0, failures }), 'PrincipalPending');
    }
  });

  it('is looked for as it was identified last, and nothing is said to deny it', async () => {
    const [rule] = state('WhetherToIdentifyAgain').Choices ?? [];
    const failures = [vanished];
    const assigned = (known: Json, identity: Json): Promise<Json> =>
      computed(
        rule?.Assign,
        { known, identity, rounds: 0, failures },
        { input: {}, context: CONTEXT },
      );
    const begun = {
      rounds: 1,
      looks: 0,
      denial: null,
      verified: null,
      failures: [],
      lost: failures,
    };
    assert.deepEqual(await assigned(null, PRINCIPAL), { ...begun, known: PRINCIPAL });
    assert.deepEqual(await assigned({ id: 'AIDA1' }, null), { ...begun, known: { id: 'AIDA1' } });
    assert.deepEqual(await assigned(null, null), { ...begun, known: null });
  });

  it('is told of, and as denied by nobody, where it can not be identified again', async () => {
    const { denial = null } = typical().variables;
    const pending = (lost: Json): Promise<Json> =>
      computed(
        state('PrincipalPending').Output,
        { ...typical().variables, lost, denial: null, prior: { denial }, failures: [other] },
        { input: {}, context: CONTEXT },
      );
    const errors = (outcome: Json): Json =>
      (outcome as { failures: { error: Json }[] }).failures.map(({ error }) => error);
    const again = await pending([vanished]);
    assert.deepEqual(errors(again), ['PrincipalVanished', other.error]);
    assert.equal((again as Values)['denial'], null);
    const once = await pending([]);
    assert.deepEqual(errors(once), [other.error]);
    assert.deepEqual((once as Values)['denial'], denial);
    const { Assign } = state('AssumeRole');
    const { results, variables } = typical();
    const found = await computed(Assign, variables, {
      result: results['AssumeRole'] ?? null,
      context: CONTEXT,
    });
    assert.deepEqual((found as Values)['lost'], []);
  });

  it('is said to be denied only where it did not vanish', async () => {
    const { Assign } = state('WhetherToIdentifyAgain');
    const denial = { by: 'policy' };
    const told = (failures: Json): Promise<Json> =>
      computed(Assign, { denial, failures }, { input: {}, context: CONTEXT });
    assert.deepEqual(await told([other]), { denial });
    assert.deepEqual(await told([other, vanished]), { denial: null });
  });

  it('is known in all later passes, though one of them did not find it', async () => {
    const known = { arn: 'a', kind: 'User', name: 'n', id: 'i', accessKeys: ['AKIA1'] };
    const { variables } = typical();
    for (const end of ['PrincipalPending', 'PrincipalEscalated']) {
      const given = { ...variables, identity: null, known };
      const ended = await computed(state(end).Output, given, { input: {}, context: CONTEXT });
      assert.deepEqual((ended as { principal: Json }).principal, known, end);
    }
  });
});

describe('who is left to people', () => {
  for (const [says, told, error, known] of [
    ['for the first time', false, 'PrincipalExempt', false],
    ['again, as people were told', true, 'PrincipalExempt', true],
    ['again, since it is protected', true, 'PrincipalProtected', true],
    ['again, since nothing tells what it did', true, 'RecurrenceUnclear', true],
    ['since the attacker is back and the limit reached', true, 'ContainmentLimit', false],
  ] as const) {
    it(`is${known ? '' : ' not'} known to people when it is left ${says}`, async () => {
      const failures = [{ state: 's', error, cause: 'c' }];
      const { variables } = typical();
      const accused = { ...(variables['accused'] as Values), told };
      const given: Values = { ...variables, accused, failures };
      const { Output } = state('PrincipalEscalated');
      const states = { input: {}, context: CONTEXT };
      const ended = (await computed(Output, given, states)) as Values;
      assert.equal(ended['verdict'], 'escalated');
      assert.equal(ended['told'], known);
      // Whom a pass of this execution has dealt with, people are told of.
      const dealt = { ...given, prior: { denial: null, evidence: null, verdict: 'pending' } };
      assert.equal(((await computed(Output, dealt, states)) as Values)['told'], false);
    });
  }

  it('is known to people in the pass alone that was told so', async () => {
    const { results, variables } = typical();
    const left = { resource: 'r', verdict: 'escalated' };
    const before = { ...variables, outcomes: [{ ...left, told: true }], redrives: 1 };
    for (const [refused, known] of [
      [left, false],
      [{ ...left, told: true }, true],
    ] as const) {
      const { Payload } = results['Classify'] as { Payload: Values };
      const judged = { Payload: { ...Payload, refused: [refused] } };
      const states = { input: {}, result: judged, context: CONTEXT };
      const after = (await computed(state('Classify').Assign, before, states)) as Values;
      const [one] = after['refused'] as [Values];
      assert.equal(one['told'], known);
    }
  });

  const a = (verdict: string, more: Values = {}): Json => ({
    ...{ resource: 'a', verdict, pass: 0 },
    ...more,
  });
  const b = (told: boolean): Json => ({ resource: 'b', verdict: 'escalated', pass: 0, told });
  // GuardDuty has one name for whoever used a console password.
  const c = (told: boolean): Json => ({ ...(b(told) as Values), resource: 'a' });
  const seen = { evidence: { toldToday: true } };
  const OBSERVED = { mode: 'observe' };
  type Left = readonly [string, string, Json[], Json[], { mode?: string; redrives?: number }];
  for (const [says, next, results, refused, { mode = 'contain', redrives = 0 }] of [
    ['beside an answer that holds', 'Ignored', [a('answered')], [b(true)], {}],
    ['by its identity, beside such an answer', 'Ignored', [a('answered'), b(true)], [], {}],
    ['alone', 'Ignored', [b(true)], [], {}],
    ['beside whom the attacker is back with', 'WhetherToMail', [a('contained')], [b(true)], {}],
    ['by its identity, beside that', 'WhetherToMail', [a('contained'), b(true)], [], {}],
    ['beside one that failed', 'ReportFailure', [a('pending'), b(true)], [], {}],
    ['by the name of one that failed', 'ReportFailure', [a('pending')], [c(true)], {}],
    ['by the name of one contained', 'WhetherToMail', [a('contained')], [c(true)], {}],
    ['by the name of one that is left now', 'WhetherToMail', [a('escalated')], [c(true)], {}],
    ['by the name of one that is answered', 'Ignored', [a('answered')], [c(true)], {}],
    ['by that name, and nobody was told', 'WhetherToMail', [a('answered')], [c(false)], {}],
    ['by the name of one observed', 'ReportObserved', [a('observed')], [c(true)], OBSERVED],
    ['though nobody was told, beside an answer', 'WhetherToMail', [a('answered')], [b(false)], {}],
    ['in a redrive', 'ReportAbandoned', [a('answered'), b(true)], [], { redrives: 1 }],
    ['beside one observed', 'ObservedToday', [a('observed', seen)], [b(true)], OBSERVED],
    ['beside one new', 'ReportObserved', [a('observed'), b(true)], [], OBSERVED],
  ] as readonly Left[]) {
    it(`leads to ${next} where it is left ${says}`, async () => {
      const named = (all: Json[]): Json[] =>
        all.map((one) => ({ resource: (one as Values)['resource'] ?? null }));
      const given: Values = {
        ...{ refused, redrives, outcomes: [], policy: { mode }, verdict: { source: 'service' } },
        principals: named(results),
      };
      const { Assign } = state('Principals');
      const assigned = await computed(Assign, given, { result: results, context: CONTEXT });
      const variables = { ...given, ...(assigned as Values) };
      const { Execution } = CONTEXT;
      const context = { ...CONTEXT, Execution: { ...Execution, RedriveCount: redrives } };
      assert.equal(await chosen(state('Outcome'), variables, context), next);
    });
  }
});

describe('what was read back', () => {
  const failed = (...errors: string[]): Json[] =>
    errors.map((error) => ({ state: 's', error, cause: 'c' }));
  for (const [says, contained, looks, rounds, failures, next] of [
    ['all is done', true, 1, 0, [], 'WhetherToPreserveLeft'],
    ['all is done, whatever failed', true, 2, 1, failed('AccessDenied'), 'WhetherToPreserveLeft'],
    ['something is left', false, 1, 0, [], 'LookAgain'],
    ['something failed', false, 1, 0, failed('AccessDenied'), 'LookAgain'],
    ['something is left still', false, 2, 0, [], 'AssumeRole'],
    ['both missed the deny', false, 2, 0, failed('DenyNotVisible', 'DenyNotVisible'), 'AssumeRole'],
    [
      'one failed otherwise',
      false,
      2,
      0,
      failed('DenyNotVisible', 'AccessDenied'),
      'PrincipalPending',
    ],
    ['a step failed', false, 2, 0, failed('AccessDenied'), 'PrincipalPending'],
    ['something is left in the second round', false, 1, 1, [], 'LookAgain'],
    ['it was the second round', false, 2, 1, [], 'PrincipalPending'],
  ] as readonly (readonly [string, boolean, number, number, Json, string])[]) {
    it(`leads to ${next} where ${says}`, async () => {
      const verified = { readBack: { contained } };
      const given = { verified, looks, rounds, failures };
      assert.equal(await chosen(state('IsContained'), given), next);
    });
  }

  it('is read twice in each round', async () => {
    for (const name of ['IsContained', 'WhetherToIdentifyAgain']) {
      const again = state(name).Choices?.find(({ Next }) => Next === 'AssumeRole');
      const given = { ...typical().variables, known: null, rounds: 0, looks: 2 };
      const states = { input: {}, context: CONTEXT };
      const { looks } = (await computed(again?.Assign, given, states)) as { looks: Json };
      assert.equal(looks, 0, name);
    }
  });

  for (const [says, deniedBy, stands] of [
    ['which stands', 'policy', true],
    ['which somebody has taken away', null, false],
  ] as const) {
    it(`decides about a deny ${says}, not the word of a step`, async () => {
      const { variables } = typical();
      const { denial = null } = variables;
      const verified = { readBack: { contained: false, deniedBy } };
      // AssumeRole has put what it read in the place of what an earlier pass said.
      const prior = { denial: null, evidence: null };
      const left = stands ? denial : null;
      const states = { input: {}, context: CONTEXT };
      const again = state('IsContained').Choices?.find(({ Next }) => Next === 'AssumeRole');
      const before = { ...variables, verified, denial, prior };
      const round = (await computed(again?.Assign, before, states)) as Values;
      assert.deepEqual(round['denial'], left);
      // A redrive begins with what this one has told.
      const pending = (await computed(state('PrincipalPending').Output, before, states)) as Values;
      assert.deepEqual(pending['denial'], left);
      // Where the next round reads nothing back, it goes by what this one has read.
      const unread = { ...before, ...round };
      const ended = (await computed(state('PrincipalPending').Output, unread, states)) as Values;
      assert.deepEqual(ended['denial'], left);
    });
  }
});

it('causes of failures are shorter the more there are, of all principals', async () => {
  const { variables } = typical();
  for (const [principals, count, most] of [
    [1, 1, 1_200],
    [1, 6, 200],
    [8, 6, 200],
    [32, 1, 600],
    [32, 6, 100],
  ] as const) {
    const failures = Array.from({ length: count }, () => ({
      state: 's',
      error: 'e',
      cause: 'c'.repeat(1_200),
    }));
    const accused = Array.from({ length: principals }, () => variables['accused'] ?? null);
    const given = { ...variables, principals: accused, failures };
    const { Output } = state('PrincipalPending');
    const outcome = await computed(Output, given, { input: {}, context: CONTEXT });
    const kept = (outcome as { failures: { cause: string }[] }).failures;
    assert.deepEqual(
      kept.map(({ cause }) => cause.length),
      failures.map(() => most),
    );
  }
});

describe('the time that Classify gives', () => {
  for (const [sent, taken] of [
    ['2026-11-23T06:25:38Z', true],
    ['2026-11-23T06:25:38.123Z', true],
    ['2026-11-23t06:25:38z', false],
    ['2026-11-23T06:25:60Z', false],
    ['yesterday', false],
    [null, false],
    [undefined, false],
  ] as const) {
    it(`is ${taken ? 'taken' : 'left'}: ${sent}`, async () => {
      const { variables, results } = typical();
      const Payload = { ...(results['Classify'] as { Payload: object }).Payload, sent } as Json;
      const after = (await computed(state('Classify').Assign, variables, {
        result: { Payload },
        context: CONTEXT,
      })) as { sent: string };
      assert.equal(after.sent, taken ? sent : variables['sent']);
    });
  }
});

it('no variable hides a function', async () => {
  for (const fields of STATES.values()) {
    for (const name of Object.keys(fields.Assign ?? {})) {
      assert.equal(await computed(`{% $exists($${name}) %}`, {}, {}), false, name);
    }
  }
});

describe('every expression has a value', () => {
  const { variables, results } = typical();
  const nothing = Object.fromEntries(
    [
      'known',
      'target',
      'identity',
      'identifiedBy',
      'denial',
      'evidence',
      'verified',
      'failure',
    ].map((name) => [name, null]),
  );
  const situations: Readonly<Record<string, Values>> = {
    'once all is known': variables,
    'without evidence': { ...variables, evidence: null },
    'without a deny': { ...variables, denial: null },
    'before anybody is identified': { ...variables, ...nothing },
    'with one outcome': { ...variables, outcomes: (variables['outcomes'] as Json[]).slice(0, 1) },
    'with no outcome': { ...variables, outcomes: [], holders: [] },
    'for unused credentials': {
      ...variables,
      accused: { ...(variables['accused'] as object), unusedDays: 90 },
    },
  };
  /** What runs only once the principal is identified, and what only with evidence. */
  const needs: Readonly<Record<string, readonly string[]>> = {
    target: [...IDENTIFIED],
    evidence: ['DetachPolicies', 'RemoveGroups', 'DetachRolePolicies', 'PreserveLeft', 'Tag'],
    verified: ['PreserveLeft', 'IsContained', 'ChooseEnding'],
  };
  for (const [situation, values] of Object.entries(situations)) {
    it(situation, async () => {
      for (const [name, fields] of STATES) {
        const runs = Object.entries(needs).every(
          ([variable, names]) => values[variable] !== null || !names.includes(name),
        );
        if (!runs) continue;
        const context = { ...CONTEXT, State: { ...CONTEXT.State, Name: name } };
        const read = await inputOfClassify(values, results, context);
        const input = { principal: values['accused'] ?? null, prior: {}, ...read };
        const states = { input, result: results[name] ?? {}, context };
        for (const field of [fields.Arguments, fields.Assign, fields.Items, fields.Output]) {
          await computed(field, values, states);
        }
        for (const rule of fields.Choices ?? []) {
          const holds = await computed(rule.Condition, values, states);
          assert.equal(typeof holds, 'boolean', rule.Condition);
          // Which fields it reads hangs on the form of the finding.
          if (holds || name !== 'WhetherToReadFinding') {
            await computed(rule.Assign, values, states);
          }
        }
        for (const catcher of fields.Catch ?? []) {
          await computed(catcher.Assign, values, { input: {}, errorOutput: GONE, context });
          await computed(catcher.Output, values, { input: {}, errorOutput: GONE, context });
        }
      }
    });
  }
});
