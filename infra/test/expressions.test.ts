import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { computed, type Json, type State, state, STATES, type Values } from './machine.ts';
import { CONTEXT, IDENTIFIED, PRINCIPAL, typical } from './incident.ts';

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

/** What Step Functions and Lambda may give as the cause of an error, and what people read of it. */
const CAUSES: readonly (readonly [string | undefined, string])[] = [
  [undefined, 'no cause given'],
  ['', ''],
  ['{}', '{}'],
  ['{not JSON}', '{not JSON}'],
  ['[1, 2]', '[1, 2]'],
  ['Rate Exceeded. (Service: Lambda)', 'Rate Exceeded. (Service: Lambda)'],
  [
    '{"errorType":"Throttled","errorMessage":"iam:GetUser is throttled"}',
    'iam:GetUser is throttled',
  ],
  ['{"errorMessage": "a \\"quoted\\" name", "errorType": "X"}', 'a "quoted" name'],
  ['{"errorMessage":""}', ''],
  ['{"errorMessage":null}', '{"errorMessage":null}'],
  [`{"errorMessage":"${'}"'.repeat(20_000)}`, '}'],
  [`{"errorMessage":"${'é'.repeat(30_000)}"}`, 'é'.repeat(500)],
  ['\u0000\ud83d\ude00'.repeat(16_000), '\u0000\ud83d\ude00'.repeat(250)],
];

describe('a cause', () => {
  const counts = (name: string): boolean => name === 'CountContainments';
  const { beyond } = typical().variables['limit'] as { beyond: string };
  for (const [cause, read] of CAUSES) {
    it(`is read and cut: ${JSON.stringify(cause)?.slice(0, 60)}`, async () => {
      const errorOutput = { Error: 'Failed', ...(cause !== undefined && { Cause: cause }) };
      for (const [name, { Catch = [] }] of STATES) {
        for (const catcher of Catch) {
          const context = { ...CONTEXT, State: { ...CONTEXT.State, Name: name } };
          const variables = { ...typical().variables, failures: [] };
          const caught = { input: {}, errorOutput, context };
          const values = await computed(catcher.Assign ?? {}, variables, caught);
          const output = await computed(catcher.Output ?? {}, variables, caught);
          // Beyond a limit, people are told of the limit.
          const expected = catcher.Next === 'PrincipalEscalated' && counts(name) ? beyond : read;
          for (const found of causesIn([values, output])) assert.equal(found, expected, name);
        }
      }
    });
  }
});

function causesIn(value: Json): Json[] {
  if (Array.isArray(value)) return value.flatMap(causesIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    name === 'cause' ? [member] : causesIn(member),
  );
}

describe('the way from Outcome', () => {
  const accused = (...resources: string[]): Json => resources.map((resource) => ({ resource }));
  const ended = (...outcomes: [string, Json][]): Json =>
    outcomes.map(([resource, outcome]) => ({ resource, outcome }));
  const refused = [{ resource: 'r', outcome: 'escalated', reason: 'none' }];

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
      next: 'Resolve',
    },
    { says: 'its unused keys are inactive', outcomes: ended(['a', 'retired']), next: 'Resolve' },
    {
      says: 'both are dealt with',
      outcomes: ended(['b', 'retired'], ['a', 'contained']),
      accused: accused('a', 'b'),
      next: 'Resolve',
    },
    { says: 'nobody is accused', outcomes: [], accused: [], next: 'AlertResponders' },
    { says: 'there is no outcome', outcomes: [], next: 'AlertResponders' },
    { says: 'an outcome has no field', outcomes: [{ resource: 'a' }], next: 'AlertResponders' },
    {
      says: 'the field is misspelt',
      outcomes: [{ resource: 'a', outcom: 'contained' }],
      next: 'AlertResponders',
    },
    {
      says: 'the value is misspelt',
      outcomes: ended(['a', 'Contained']),
      next: 'AlertResponders',
    },
    {
      says: 'the value is a list',
      outcomes: ended(['a', ['contained']]),
      next: 'AlertResponders',
    },
    { says: 'the value is null', outcomes: ended(['a', null]), next: 'AlertResponders' },
    { says: 'the value is true', outcomes: ended(['a', true]), next: 'AlertResponders' },
    { says: 'the outcomes are texts', outcomes: ['contained'], next: 'AlertResponders' },
    { says: 'the outcomes are a text', outcomes: 'contained', next: 'AlertResponders' },
    { says: 'an outcome is null', outcomes: [null], next: 'AlertResponders' },
    {
      says: 'there are fewer outcomes than accused',
      outcomes: ended(['a', 'contained']),
      accused: accused('a', 'b'),
      next: 'AlertResponders',
    },
    {
      says: 'somebody else is contained',
      outcomes: ended(['b', 'contained']),
      next: 'AlertResponders',
    },
    {
      says: 'one is contained twice, the other not at all',
      outcomes: ended(['a', 'contained'], ['a', 'contained']),
      accused: accused('a', 'b'),
      next: 'AlertResponders',
    },
    {
      says: 'two of the same name are accused, and one is contained',
      outcomes: ended(['a', 'contained']),
      accused: accused('a', 'a'),
      next: 'AlertResponders',
    },
    {
      says: 'one whom an earlier pass contained makes up for one that is pending',
      outcomes: ended(['old', 'contained'], ['a', 'pending']),
      next: 'AlertResponders',
    },
    {
      says: 'one whom an earlier pass contained makes up for a pending one beside an escalated',
      outcomes: ended(['old', 'contained'], ['a', 'pending'], ['b', 'escalated']),
      accused: accused('a', 'b'),
      next: 'AlertResponders',
    },
    {
      says: 'one whom an earlier pass contained is not accused any more',
      outcomes: ended(['old', 'contained'], ['a', 'contained']),
      next: 'Resolve',
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
      next: 'AlertResponders',
    },
    {
      says: 'one is observed',
      outcomes: ended(['a', 'observed']),
      mode: 'observe',
      next: 'TellObserved',
    },
    {
      says: 'an earlier pass contained the one principal, and nobody acts any more',
      outcomes: ended(['a', 'contained']),
      mode: 'observe',
      next: 'TellObserved',
    },
    {
      says: 'observing failed for one',
      outcomes: ended(['a', 'observed'], ['b', 'pending']),
      accused: accused('a', 'b'),
      mode: 'observe',
      next: 'AlertResponders',
    },
  ];
  for (const { says, outcomes, next, mode = 'contain', ...verdict } of cases) {
    it(`leads to ${next} where ${says}`, async () => {
      const variables: Values = {
        outcomes,
        policy: { mode },
        redrives: 0,
        verdict: { accused: accused('a'), refused: [], ...verdict },
      };
      assert.equal(await chosen(state('Outcome'), variables), next);
    });
  }
});

/** What a task hands its function as the execution. */
function executionOf(task: State): Json | undefined {
  return (task.Arguments as { Payload?: { execution?: Json } } | undefined)?.Payload?.execution;
}

async function chosen(choice: State, variables: Values, context: Json = CONTEXT): Promise<string> {
  for (const rule of choice.Choices ?? []) {
    const holds = await computed(rule.Condition, variables, { input: {}, context });
    assert.equal(typeof holds, 'boolean', rule.Condition);
    if (holds === true) return rule.Next;
  }
  return choice.Default ?? assert.fail('no rule holds');
}

describe('a redriven pass', () => {
  const [a, b, c] = [{ resource: 'a' }, { resource: 'b' }, { resource: 'c' }];
  const before = [
    { resource: 'a', outcome: 'contained' },
    { resource: 'b', outcome: 'pending' },
    { resource: 'c', outcome: 'retired' },
  ];
  const items = (accused: Json, outcomes: Json, mode = 'contain'): Promise<Json> =>
    computed(
      state('Principals').Items,
      { verdict: { accused }, outcomes, policy: { mode } },
      { input: {}, context: CONTEXT },
    );

  it('takes up everybody, also whom an earlier pass has dealt with', async () => {
    const several: Json[] = [[], before, [{ resource: 'a' }, { outcome: 'contained' }]];
    for (const outcomes of several) {
      assert.deepEqual(await items([a], outcomes), [a]);
      assert.deepEqual(await items([b, c, a], outcomes), [b, c, a]);
    }
    assert.deepEqual(await items([], before), []);
  });

  it('observes nobody who is dealt with', async () => {
    assert.deepEqual(await items([a], [], 'observe'), [a]);
    assert.deepEqual(await items([a, b, c], before, 'observe'), [b]);
    assert.deepEqual(await items([a], [{ resource: 'a', outcome: 'contained' }], 'observe'), []);
  });

  it('counts what it has read back, and not what an earlier pass has', async () => {
    const outcomes = async (result: Json, refused: Json): Promise<Json> => {
      const variables = { outcomes: before, verdict: { refused } };
      const { Assign } = state('Principals');
      return ((await computed(Assign, variables, { result })) as { outcomes: Json }).outcomes;
    };
    const [contained, , retired] = before;
    const pending = { resource: 'a', outcome: 'pending' };
    assert.deepEqual(await outcomes([pending], []), [retired, pending]);
    assert.deepEqual(await outcomes([], []), [contained, retired]);
    const refused = { resource: 'c', outcome: 'escalated' };
    assert.deepEqual(await outcomes([pending], [refused]), [pending, refused]);
    assert.deepEqual(await outcomes([], [refused]), [contained, refused]);
  });

  it('acts on nobody, and ends nothing, before the response policy was read again', async () => {
    const { Execution } = CONTEXT;
    const redriven = { ...CONTEXT, Execution: { ...Execution, RedriveCount: 1 } };
    const by = (context: typeof CONTEXT, name: string, redrives: number): Promise<Json> =>
      computed(executionOf(state(name)), { redrives }, { input: {}, context });
    for (const name of [...IDENTIFIED, 'AssumeRole', 'Resolve', 'ResolveAsNotified']) {
      if (executionOf(state(name)) === undefined) continue;
      assert.equal(await by(CONTEXT, name, 0), Execution.Id);
      assert.equal(await by(redriven, name, 1), Execution.Id);
      await assert.rejects(by(redriven, name, 0), { code: 'D3137' });
    }
    const { Assign } = state('ReadResponsePolicy');
    assert.deepEqual(await computed(Assign, {}, { context: redriven }), { redrives: 1 });
    assert.deepEqual(await computed(Assign, {}, { context: CONTEXT }), { redrives: 0 });
  });

  it('tells what was true before it as such, however often it is redriven', async () => {
    const [rule] = state('AwaitRedrive').Choices ?? [];
    const told = async (outcomes: Json): Promise<Json> => {
      const given = { outcomes, pass: 0 };
      const assigned = await computed(rule?.Assign, given, { input: {}, context: CONTEXT });
      return (assigned as { outcomes: Json }).outcomes;
    };
    const refused = { resource: 'b', outcome: 'escalated', reason: 'why' };
    const contained = { resource: 'a', outcome: 'contained', report: 'CONTAINED: a' };
    const once = [{ ...contained, report: 'BEFORE THE REDRIVE, CONTAINED: a' }, refused];
    assert.deepEqual(await told([contained, refused]), once);
    assert.deepEqual(await told(once), once);
    const { Arguments } = state('ResolveAsNotified');
    const noted = async (outcomes: Json): Promise<Json> => {
      const given = { ...typical().variables, outcomes };
      const computedArguments = await computed(Arguments, given, { input: {}, context: CONTEXT });
      return (computedArguments as { Payload: { outcomes: Json } }).Payload.outcomes;
    };
    assert.deepEqual(await noted(once), [refused]);
    assert.deepEqual(await noted([contained]), [{ resource: 'a', outcome: 'contained' }]);
    assert.deepEqual(await noted([]), []);
    assert.deepEqual(await told([refused]), [refused]);
    assert.deepEqual(await told([]), []);
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
    const mine = { resource: 'a', outcome: 'pending' };
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
    assert.equal(await handed({ resource: 'a', outcome: 'pending', reach: null }), null);
    const reach = typical().variables['reach'] ?? null;
    assert.deepEqual(await handed({ resource: 'a', outcome: 'pending', reach }), reach);
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
      const { Choices } = state('WhoseBoundary');
      const condition = Choices?.[0]?.Condition ?? null;
      assert.equal(await computed(condition, { accused, denial }, {}), replaces);
    });
  }
});

describe('the way to a mail', () => {
  const limits = { escalate: { most: 20 } };
  const quiet = { source: 'service', urgent: false, limits };
  const escalated = [{ resource: 'a', outcome: 'escalated', reason: 'why' }];
  for (const [says, verdict, outcomes, redrives, next] of [
    ['an escalation', quiet, escalated, 0, 'CountEscalations'],
    ['an escalation of nobody', quiet, [], 0, 'CountEscalations'],
    ['an urgent verdict', { ...quiet, urgent: true }, escalated, 0, 'ClaimUrgentMail'],
    [
      'an urgent outcome',
      quiet,
      [{ outcome: 'escalated' }, { urgent: true }],
      0,
      'ClaimUrgentMail',
    ],
    ['a containment beside it', quiet, [...escalated, { outcome: 'contained' }], 0, 'TellHumans'],
    ['a retirement beside it', quiet, [...escalated, { outcome: 'retired' }], 0, 'TellHumans'],
    ['an outcome that is not urgent', quiet, [{ urgent: false }], 0, 'CountEscalations'],
    ["a person's choice", { ...quiet, source: 'person' }, escalated, 0, 'TellHumans'],
    ['a redrive', { ...quiet, urgent: true }, escalated, 1, 'TellHumans'],
  ] as readonly (readonly [string, Json, Json, number, string])[]) {
    it(`leads to ${next} for ${says}`, async () => {
      assert.equal(await chosen(state('WhetherToMail'), { verdict, outcomes, redrives }), next);
    });
  }
});

describe('the finding that is judged', () => {
  const event = (finding: Json, kind = 'Imported'): { [member: string]: Json } => ({
    'detail-type': `Security Hub Findings - ${kind}`,
    detail: { findings: [finding] },
  });
  const named = { Id: 'i', ProductArn: 'p' };
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
      const choice = state('WhoseWord');
      assert.equal(await chosen(choice, { redrives }, given(Input)), next);
      const variables = { redrives, record: null, verdict: null };
      const states = { input: 'policy', context: given(Input) };
      const { Payload } = (await computed(state('Classify').Arguments, variables, states)) as {
        Payload: { [member: string]: Json };
      };
      assert.deepEqual(Payload['event'], Input);
      assert.deepEqual([Payload['read'], Payload['earlier']], [false, []]);
    });
  }

  it('is the record in the place of what the event carries', async () => {
    const key = { AwsIamAccessKey: { AccessKeyId: 'AKIA' } };
    const bulky = { text: 'd'.repeat(1000) };
    const user = { AwsIamUser: { UserId: 'AIDA' } };
    const details = { ...key, AwsIamUser: { ...user.AwsIamUser, ...bulky }, Other: bulky };
    const record: Json = { ...named, Resources: [{ Id: 'a', Details: details }, { Id: 'b' }] };
    const { Assign } = state('ReadFinding');
    const Input = event({ ...named, Title: 'forged', Workflow: { Status: 'RESOLVED' } });
    const payload = async (Findings: Json): Promise<{ [member: string]: Json }> => {
      const read = (await computed(Assign, {}, { result: { Findings } })) as Values;
      const variables = { ...read, redrives: 1, verdict: { accused: [{ resource: 'r' }] } };
      const states = { input: 'policy', context: given(Input) };
      const found = await computed(state('Classify').Arguments, variables, states);
      return (found as { Payload: { [member: string]: Json } }).Payload;
    };
    const judged = await payload([record]);
    const { Resources } = {
      Resources: [
        { Id: 'a', Details: { ...key, ...user, AwsIamRole: {} } },
        { Id: 'b', Details: { AwsIamUser: {}, AwsIamRole: {} } },
      ],
    };
    assert.deepEqual(judged['event'], event({ ...named, Resources }));
    assert.deepEqual(judged['earlier'], [{ resource: 'r' }]);
    assert.equal(judged['read'], true);
    assert.equal(judged['chosenAs'], 'RESOLVED');
    const nothing = await payload([]);
    assert.deepEqual(nothing['event'], { ...Input, detail: { findings: [] } });
    assert.equal(nothing['read'], true);
  });
});

describe('a principal that vanished', () => {
  const vanished = { state: 'Preserve', error: 'PrincipalVanished', cause: 'gone' };
  const other = { ...vanished, error: 'AccessDenied' };

  it('is looked for at once, whichever branch says so', async () => {
    for (const failures of [[vanished], [other, vanished], [vanished, vanished, other]]) {
      assert.equal(await chosen(state('IsStillThere'), { failures }), 'IdentifyAgain');
    }
    for (const failures of [[], [other], [other, other]]) {
      assert.equal(await chosen(state('IsStillThere'), { failures }), 'Settle');
    }
  });

  it('is identified again once, unless a step failed otherwise', async () => {
    const choice = state('IdentifyAgain');
    for (const rounds of [0, 1, 2]) {
      const next = rounds < 1 ? 'AssumeRole' : 'PrincipalPending';
      for (const failures of [[vanished], [vanished, vanished, vanished]]) {
        assert.equal(await chosen(choice, { rounds, failures }), next);
      }
      const otherwise = { rounds, failures: [other, vanished] };
      assert.equal(await chosen(choice, otherwise), 'PrincipalPending');
    }
  });

  it('is looked for as it was identified last, and nothing is said to deny it', async () => {
    const [rule] = state('IdentifyAgain').Choices ?? [];
    const assigned = (known: Json, target: Json): Promise<Json> =>
      computed(rule?.Assign, { known, target, rounds: 0 }, { input: {}, context: CONTEXT });
    const begun = { rounds: 1, denial: null, failures: [] };
    assert.deepEqual(await assigned(null, PRINCIPAL), { ...begun, known: PRINCIPAL });
    assert.deepEqual(await assigned({ id: 'AIDA1' }, null), { ...begun, known: { id: 'AIDA1' } });
    assert.deepEqual(await assigned(null, null), { ...begun, known: null });
  });

  it('is known by its keys in another pass, be they none, one or two', async () => {
    const { variables } = typical();
    for (const accessKeys of [[], ['AKIA1'], ['AKIA1', 'AKIA2']]) {
      const target = { ...(PRINCIPAL as object), accessKeys };
      const outcome = { Output: state('PrincipalPending').Output };
      const given = { ...variables, target };
      const ended = (await computed(outcome.Output, given, { input: {}, context: CONTEXT })) as {
        principal: { accessKeys: Json };
      };
      assert.deepEqual(ended.principal.accessKeys, accessKeys);
    }
  });

  it('is known in all later passes, though one of them did not find it', async () => {
    const known = { arn: 'a', kind: 'User', name: 'n', id: 'i', accessKeys: ['AKIA1'] };
    const { variables } = typical();
    for (const end of ['PrincipalPending', 'PrincipalEscalated']) {
      const given = { ...variables, target: null, known };
      const ended = await computed(state(end).Output, given, { input: {}, context: CONTEXT });
      assert.deepEqual((ended as { principal: Json }).principal, known, end);
    }
  });
});

it('only a possible impostor is urgent', async () => {
  for (const [error, urgent] of [
    ['PrincipalMayBeImpostor', true],
    ['PrincipalProtected', false],
    ['PrincipalMismatch', false],
  ] as const) {
    const failures = [{ state: 'AssumeRole', error, cause: 'why' }];
    const variables = { ...typical().variables, failures };
    const { Output } = state('PrincipalEscalated');
    const ended = (await computed(Output, variables, { input: {}, context: CONTEXT })) as Values;
    assert.equal(ended['urgent'], urgent);
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
      await computed(
        state('AlertResponders').Arguments,
        { ...variables, sent: after.sent },
        { context: CONTEXT },
      );
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
    ['known', 'target', 'identifiedBy', 'denial', 'evidence', 'verified', 'failure'].map((name) => [
      name,
      null,
    ]),
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
    evidence: [
      'DetachPolicies',
      'RemoveGroups',
      'DetachRolePolicies',
      'PreserveLeft',
      'Tag',
      'PrincipalContained',
      'PrincipalRetired',
    ],
    verified: ['PreserveLeft', 'WhatWasDone', 'PrincipalContained', 'PrincipalRetired'],
  };
  for (const [situation, values] of Object.entries(situations)) {
    it(situation, async () => {
      for (const [name, fields] of STATES) {
        const runs = Object.entries(needs).every(
          ([variable, names]) => values[variable] !== null || !names.includes(name),
        );
        if (!runs) continue;
        const context = { ...CONTEXT, State: { ...CONTEXT.State, Name: name } };
        const input = { principal: values['accused'] ?? null, prior: {} };
        const states = { input, result: results[name] ?? {}, context };
        for (const field of [fields.Arguments, fields.Assign, fields.Items, fields.Output]) {
          await computed(field, values, states);
        }
        for (const rule of fields.Choices ?? []) {
          const holds = await computed(rule.Condition, values, states);
          assert.equal(typeof holds, 'boolean', rule.Condition);
          await computed(rule.Assign, values, states);
        }
        for (const catcher of fields.Catch ?? []) {
          await computed(catcher.Assign, values, { input: {}, errorOutput: GONE, context });
          await computed(catcher.Output, values, { input: {}, errorOutput: GONE, context });
        }
      }
    });
  }
});
