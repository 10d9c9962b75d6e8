import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { STSClient } from '@aws-sdk/client-sts';
import { Failure } from '../commands/failure.ts';
import { letIn, requestOf, sessionName } from '../commands/restore.ts';
import { assigned, computed, type Json, statesIn, type Values } from './machine.ts';
import { STATE_MACHINE } from './product.ts';

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

const EXECUTION = 'arn:aws:states:eu-west-1:111111111111:execution:cordon-restore:by-hand';
const INCIDENT = EXECUTION.replace('cordon-restore:by-hand', 'cordon-incident-response:incident');
const context = {
  Execution: { Id: EXECUTION, RedriveCount: 0 },
  State: { Name: 'AState', EnteredTime: '2026-03-11T06:00:08.000Z' },
};

const STATES = statesIn('restore.asl.json', { GetFindings: 'getFindings' });
const state = (name: string) => STATES.get(name) ?? assert.fail(`there is no state \`${name}\``);

/** What deals with a failure of its own otherwise. */
const INSTEAD: Record<string, string> = {
  ReportFailure: 'TellFailure',
  // A plan can do without.
  ReadFinding: 'ReadPrincipal',
};

const begun = (input: Json): Promise<Values> =>
  assigned(state('Begin').Assign, {}, { input, context });

async function payload(name: string, variables: Values): Promise<Json> {
  const asked = await computed(state(name).Arguments, variables, { context });
  return (asked as { Payload: Json }).Payload;
}

describe('the restore machine', () => {
  it('plans what a person has named, and nothing that nobody has', async () => {
    const principal = { id: 'AIDA', account: '222222222222' };
    const found = { principal, groups: ['g'], policies: [], finding: { id: 'f' } };
    for (const [input, chosen] of [
      [{ execution: INCIDENT }, { principal: null, accept: [], activate: [] }],
      [
        { execution: INCIDENT, principal: 'eve', accept: ['boundary'], activate: ['AKIA'] },
        { principal: 'eve', accept: ['boundary'], activate: ['AKIA'] },
      ],
    ] as const) {
      let variables = await begun(input as unknown as Json);
      assert.deepEqual(await payload('ReadIncident', variables), {
        execution: EXECUTION,
        purpose: 'find',
        incident: INCIDENT,
        principal: chosen.principal,
        entered: context.State.EnteredTime,
      });
      variables = { ...variables, found, now: { uri: 'u' }, says: ['s3://e'] };
      assert.deepEqual(await payload('ReadPrincipal', variables), {
        execution: EXECUTION,
        purpose: 'present',
        principal,
        groups: ['g'],
        policies: [],
        pass: 0,
        reads: 0,
        entered: context.State.EnteredTime,
      });
      assert.deepEqual(await payload('PlanRestore', variables), {
        execution: EXECUTION,
        purpose: 'plan',
        incident: INCIDENT,
        principal: 'AIDA',
        accept: chosen.accept,
        activate: chosen.activate,
        entered: context.State.EnteredTime,
        now: { uri: 'u' },
        findingSays: ['s3://e'],
      });
    }
  });

  it('takes of the finding where it says that evidence lies, and no more', async () => {
    const fields = { CordonEvidence: 'a', CordonEvidence2: 'b', CordonEvidenceSha256: 'c', x: 'd' };
    for (const [Findings, expected] of [
      [[{ UserDefinedFields: fields }], ['a', 'b']],
      [[{ UserDefinedFields: { CordonEvidence: 'a' } }], ['a']],
      [[{ UserDefinedFields: null }], []],
      [
        [{ comment: 'contained. CordonExecution=x CordonEvidence=a CordonEvidenceSha256=c' }],
        ['a'],
      ],
      [[{ comment: 'a word of a person' }], []],
      [[{ comment: 7 }], []],
      [[{}], []],
      [[], []],
    ] as const) {
      const result = { Findings } as unknown as Json;
      const { says } = await assigned(state('ReadFinding').Assign, {}, { result, context });
      assert.deepEqual(says, expected, JSON.stringify(Findings));
    }
  });

  it('asks each Security Hub for the finding in its own form', async () => {
    const found = { finding: { id: 'i', productArn: 'p', account: '222222222222' } };
    const equals = (Value: string) => ({ Value, Comparison: 'EQUALS' });
    const by = (FieldName: string, value: string) => ({ FieldName, Filter: equals(value) });
    const StringFilters = [
      by('finding_info.uid', 'i'),
      by('metadata.product.uid', 'p'),
      by('cloud.account.uid', '222222222222'),
    ];
    for (const [GetFindings, expected] of [
      [
        'getFindings',
        { Id: [equals('i')], ProductArn: [equals('p')], AwsAccountId: [equals('222222222222')] },
      ],
      ['getFindingsV2', { CompositeFilters: [{ Operator: 'AND', StringFilters }] }],
    ] as const) {
      const how = statesIn('restore.asl.json', { GetFindings }).get('HowToFindFinding');
      const [applies, rule] = how?.Choices ?? [];
      assert.equal(applies?.Next, 'ReadPrincipal');
      for (const apply of [null, 'a'.repeat(64)]) {
        const skipped = await computed(applies?.Condition, { apply }, { context });
        assert.equal(skipped, apply !== null);
      }
      const isFirst = await computed(rule?.Condition, {}, { context });
      const chosen = isFirst === true ? rule?.Assign : how?.Assign;
      const variables = await assigned(chosen, { found }, { context });
      const asked = await computed(state('ReadFinding').Arguments, variables, { context });
      assert.deepEqual((asked as { Filters: Json }).Filters, expected, GetFindings);
    }
  });

  it('waits for no task forever, tries each again, and tells of each that fails', async () => {
    for (const [name, { Type, TimeoutSeconds, Retry, Catch }] of STATES) {
      if (Type !== 'Task') continue;
      assert.ok(TimeoutSeconds && Retry?.length, name);
      const all = Catch?.find(({ ErrorEquals }) => ErrorEquals.includes('States.ALL'));
      assert.equal(
        all?.Next,
        name === 'TellFailure' ? undefined : (INSTEAD[name] ?? 'ReportFailure'),
        name,
      );
    }
    const caught = state('HoldToPlan').Catch?.at(-1);
    const variables = await begun({ execution: INCIDENT, apply: 'a'.repeat(64) });
    const errorOutput = { Error: 'AccountChanged', Cause: 'a\nb' };
    const failed = await assigned(caught?.Assign, variables, { errorOutput, context });
    const asked = (await payload('ReportFailure', failed)) as { restoreFailure: Json };
    assert.deepEqual(asked.restoreFailure, {
      execution: EXECUTION,
      failure: { state: 'AState', error: 'AccountChanged', cause: 'a?b' },
      incident: INCIDENT,
      principal: null,
      finding: null,
      apply: 'a'.repeat(64),
      begun: null,
      plan: null,
    });
    const said = await assigned(state('ReportFailure').Catch?.[0]?.Assign, failed, { context });
    const told = await computed(state('TellFailure').Arguments, said, { context });
    const { Message } = told as { Message: string };
    for (const part of ['failed in AState with AccountChanged', EXECUTION, '> a?b']) {
      assert.ok(Message.includes(part), Message);
    }
  });

  it('takes for a report what is one, and nothing else', async () => {
    const report = { subject: 's', verdict: 'v', message: '{}', note: '', text: 't' };
    for (const name of ['Report', 'ReportRestored', 'ReportFailure']) {
      const took = (Payload: Json) =>
        assigned(state(name).Assign, {}, { result: { Payload }, context });
      assert.deepEqual(await took(report), { report });
      for (const nonsense of [null, ['subject'], { ...report, message: { default: 'm' } }]) {
        await assert.rejects(took(nonsense), name);
      }
    }
  });

  it('puts the deny back once another incident has met what was about to lift it', async () => {
    for (const name of ['ReadIncident', 'HoldToPlan', 'LiftDeny', 'RemoveTag', 'CloseCase']) {
      for (const error of ['IncidentMeanwhile', 'IncidentPending', 'CaseNotNewest']) {
        const caught = state(name).Catch?.find(({ ErrorEquals }) => ErrorEquals.includes(error));
        // What merely runs may end without a word.
        const waits = error === 'IncidentPending' && ['HoldToPlan', 'CloseCase'].includes(name);
        assert.equal(caught?.Next, waits ? 'WhetherToWait' : 'WhetherToDenyAgain', name);
      }
    }
    const wait = state('WhetherToWait');
    assert.deepEqual([wait.Choices?.[0]?.Next, wait.Default], ['WaitForIam', 'WhetherToDenyAgain']);
    for (const [waits, expected] of [
      [0, true],
      [4, false],
    ] as const) {
      assert.equal(await computed(wait.Choices?.[0]?.Condition, { waits }, { context }), expected);
    }
    for (const [done, expected] of [
      [['deny'], 'denyAgain'],
      [[], 'liftDeny'],
    ] as const) {
      const states = { result: { Payload: { done } } as unknown as Json, context };
      const { begun } = await assigned(state('DenyAgain').Assign, { begun: 'liftDeny' }, states);
      assert.equal(begun, expected);
    }
    const { Choices = [], Default } = state('WhetherToDenyAgain');
    assert.deepEqual([Choices[0]?.Next, Default], ['DenyAgain', 'ReportFailure']);
    for (const [begun, expected] of [
      [null, false],
      ['setStatuses', false],
      ['liftDeny', true],
      ['denyAgain', true],
      ['removeTag', true],
      ['close', false],
    ] as const) {
      assert.equal(await computed(Choices[0]?.Condition, { begun }, { context }), expected);
    }
  });

  it('goes by nothing that was read before it was stopped', async () => {
    for (const [name, { Arguments, Catch }] of STATES) {
      const { Payload = {} } = (Arguments ?? {}) as { Payload?: Record<string, Json> };
      const guarded = Catch?.some(({ Next }) => Next === 'WhetherStopped') ?? false;
      // What begins anew, and what only tells or puts the deny back, needs nothing read.
      const goesBy = 'now' in Payload || 'plan' in Payload || 'groups' in Payload;
      assert.equal(guarded, goesBy && name !== 'DenyAgain', name);
      if (!guarded) continue;
      const [first] = Catch ?? [];
      assert.deepEqual(first?.ErrorEquals, ['States.QueryEvaluationError'], name);
      for (const RedriveCount of [0, 1]) {
        const states = {
          context: { ...context, Execution: { ...context.Execution, RedriveCount } },
        };
        const execution = computed(Payload['execution'], { redrives: 0 }, states);
        if (RedriveCount === 0) assert.equal(await execution, EXECUTION);
        else await assert.rejects(execution, name);
      }
    }
    const { redrives } = await assigned(
      state('ReadIncident').Assign,
      {},
      {
        result: { Payload: { finding: { severity: 'HIGH' }, principal: { account: '2' } } },
        context: { ...context, Execution: { ...context.Execution, RedriveCount: 2 } },
      },
    );
    assert.equal(redrives, 2);
  });

  it('ends where it failed, and begins anew where it is redriven', async () => {
    assert.equal(state('WhetherStopped').Default, 'ReportFailure');
    assert.deepEqual(state('WhetherStopped').Choices, state('WaitForPeopleToRedrive').Choices);
    const { Choices = [], Default } = state('WaitForPeopleToRedrive');
    assert.deepEqual([Choices.length, Choices[0]?.Next, Default], [1, 'ReadIncident', undefined]);
    for (const [RedriveCount, redrives, expected] of [
      [0, 0, false],
      [1, 0, true],
      [1, 1, false],
    ] as const) {
      const Execution = { ...context.Execution, RedriveCount };
      const states = { context: { ...context, Execution } };
      assert.equal(await computed(Choices[0]?.Condition, { redrives }, states), expected);
      // However far the redrive comes, the next failure waits for the next redrive.
      const after = await assigned(Choices[0]?.Assign, { redrives }, states);
      assert.equal(after['redrives'], RedriveCount);
    }
  });
});

describe('make restore', () => {
  const restorers = ['arn:aws:iam::111111111111:role/OnCall'];
  const plan = { EXECUTION: INCIDENT, PRINCIPAL: 'AIDAEVE' };
  const apply = { ...plan, APPLY: '0f'.repeat(32), REASON: 'it was us', BY: 'ann@example.com' };

  it('plans, whoever may have it done', () => {
    const input = { execution: INCIDENT, principal: 'AIDAEVE', accept: ['a b', 'c'], activate: [] };
    for (const configuration of [{}, { restorers }]) {
      assert.deepEqual(requestOf({ ...plan, ACCEPT: 'a\\ b  c', APPLY: '' }, configuration), input);
    }
  });

  it('has a plan done, for a reason and in a name', () => {
    const input = {
      execution: INCIDENT,
      principal: 'AIDAEVE',
      apply: '0f'.repeat(32),
      reason: 'it was us',
      by: 'ann@example.com',
    };
    for (const [DISPOSITION, disposition] of [
      ['false-positive', 'falsePositive'],
      ['recovered', 'recovered'],
      // Then a recurrence is contained again.
      [undefined, 'recovered'],
    ] as const) {
      const asked = requestOf({ ...apply, ...(DISPOSITION && { DISPOSITION }) }, { restorers });
      assert.deepEqual(asked, { ...input, disposition });
    }
  });

  for (const [why, changes, configuration, message] of [
    ['no incident', { EXECUTION: '' }, { restorers }, /^no incident: give its execution/],
    ['a name', { EXECUTION: 'incident' }, { restorers }, /^`EXECUTION` is no incident's: give the/],
    ["a restore's", { EXECUTION }, { restorers }, /^`EXECUTION` is no incident's: give the ARN/],
    ['no restorers', {}, {}, /^no restore is applied here: name who may .+ as `restorers`/],
    ['a short digest', { APPLY: '0f' }, { restorers }, /^`APPLY` is no digest of a plan/],
    [
      'another digest',
      { APPLY: '0g'.repeat(32) },
      { restorers },
      /^`APPLY` is no digest of a plan/,
    ],
    ['a choice of drift', { ACCEPT: 'boundary' }, { restorers }, /^`ACCEPT` and `ACTIVATE` belong/],
    ['a choice of keys', { ACTIVATE: 'AKIA' }, { restorers }, /^`ACCEPT` and `ACTIVATE` belong/],
    ['no reason', { REASON: '' }, { restorers }, /^say why, and who you are: `REASON=/],
    ["the mail's own word", { REASON: 'why' }, { restorers }, /will have these words for good/],
    ["the README's own word", { BY: '<who>' }, { restorers }, /will have these words for good/],
    ['no name', { BY: '' }, { restorers }, /^say why, and who you are: `REASON=/],
    [
      'a typo',
      { DISPOSITION: 'constructor' },
      { restorers },
      /^`DISPOSITION` is `constructor`: write/,
    ],
  ] as const) {
    it(`refuses in one line, given ${why}`, () => {
      assert.throws(
        () => requestOf({ ...apply, ...changes }, configuration),
        (error) =>
          error instanceof Failure && /^.+$/.test(error.message) && message.test(error.message),
      );
    });
  }

  /** STS, as it answers each action: with this status and body. */
  async function sts(t: TestContext, answers: Record<string, [number, string]>) {
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (some) => (body += some));
      request.on('end', () => {
        const [status, text] = answers[new URLSearchParams(body).get('Action') ?? ''] ?? [500, ''];
        response.writeHead(status, { 'content-type': 'text/xml' }).end(text);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const credentials = { accessKeyId: 'AKIA', secretAccessKey: 'none' };
    const endpoint = `http://127.0.0.1:${port}`;
    return new STSClient({ region: 'eu-west-1', endpoint, credentials, maxAttempts: 1 });
  }

  const says = (action: string, result: string): [number, string] => [
    200,
    `<${action}Response><${action}Result>${result}</${action}Result></${action}Response>`,
  ];
  const refuses = (status: number, code: string, why: string): [number, string] => [
    status,
    `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${why}</Message></Error></ErrorResponse>`,
  ];
  const session = {
    RoleArn: 'arn:aws:iam::111111111111:role/cordon/CordonRestorer',
    RoleSessionName: 'ann',
  };
  const denied = refuses(403, 'AccessDenied', 'User: bob may not: sts:AssumeRole');

  it('takes on the role of the restorers', async (t) => {
    const keys =
      '<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken></Credentials>';
    const person = await sts(t, { AssumeRole: says('AssumeRole', keys) });
    const admitted = await letIn(person, session, restorers);
    assert.equal(admitted?.AccessKeyId, 'ASIA');
  });

  it('says to whom is not let in who is, and what else there is to do', async (t) => {
    const bob = 'arn:aws:iam::111111111111:user/bob';
    const others = [...restorers, 'arn:aws:iam::222222222222:user/ann'];
    for (const [identity, whose] of [
      [says('GetCallerIdentity', `<Arn>${bob}</Arn>`), `, those of \`${bob}\`,`],
      [refuses(403, 'AccessDenied', 'no'), ''],
    ] as const) {
      const person = await sts(t, { AssumeRole: denied, GetCallerIdentity: identity });
      await assert.rejects(letIn(person, session, others), (error) => {
        assert.ok(error instanceof Failure);
        const [who = '', only = '', again = '', byHand = ''] = error.message.split('\n');
        assert.equal(
          who,
          `the credentials at hand${whose} are not let into \`${session.RoleArn}\`, by which restores are planned and applied: User: bob may not: sts:AssumeRole`,
        );
        assert.match(only, new RegExp(`\`restorers\` .+: ${others.join(', ')}\\. `));
        assert.match(again, /`make deploy`; whoever was made again under such a name is taken out/);
        assert.match(byHand, /where there is a plan, its own mail has the commands/);
        return true;
      });
    }
  });

  it('leaves every other refusal as it is', async (t) => {
    for (const [code, status] of [
      ['ExpiredToken', 400],
      ['InvalidClientTokenId', 403],
      ['RegionDisabledException', 403],
    ] as const) {
      const person = await sts(t, { AssumeRole: refuses(status, code, 'as it is') });
      await assert.rejects(letIn(person, session, restorers), (error) => {
        assert.ok(error instanceof Error && !(error instanceof Failure));
        assert.match(error.message, /as it is/);
        return true;
      });
    }
  });

  it('takes the refusal of a role that a profile takes on first for no other', async () => {
    const refusal = Object.assign(new Error('of the profile'), { name: 'AccessDenied' });
    const credentials = () => Promise.reject(refusal);
    const person = new STSClient({ region: 'eu-west-1', credentials });
    await assert.rejects(letIn(person, session, restorers), refusal);
  });

  it('names the session after who it is, as far as STS takes that', () => {
    for (const [by, name] of [
      ['ann@example.com', 'ann@example.com'],
      ['Ann (on call) / Öttö', 'Ann-on-call-tt-'],
      ['a'.repeat(65), 'a'.repeat(64)],
      ['安', 'restorer--'],
      ['', 'restorer-'],
      [undefined, 'restorer-'],
    ] as const) {
      assert.equal(sessionName(by), name);
      // AWS STS API Reference, AssumeRole, RoleSessionName.
      assert.match(name, /^[\w+=,.@-]{2,64}$/);
    }
  });
});

it('the role of the restore machine can not reach a principal or evidence', () => {
  const { Statement } = JSON.parse(
    readFileSync(join(STATE_MACHINE, 'restore-policy.json'), 'utf8'),
  ) as { Statement: { Action: string | string[] }[] };
  const actions = Statement.flatMap(({ Action }) => Action).filter(
    (action) => !/^(logs|xray):/.test(action),
  );
  assert.deepEqual(actions, [
    'lambda:InvokeFunction',
    'securityhub:GetFindings',
    'sns:Publish',
    'kms:Decrypt',
    'kms:GenerateDataKey',
  ]);
});
