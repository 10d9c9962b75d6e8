import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { actsInMembers, grants } from '../lib/step-folder.ts';
import { assigned, bytes, computed, type Json, statesIn, type Values } from './machine.ts';
import { STATE_MACHINE, STEPS } from './product.ts';

// AWS Step Functions Developer Guide, "Service quotas".
const PAYLOAD = 256 * 1024;
const EVENTS = 25_000;

const EXECUTION = 'arn:aws:states:eu-west-1:111111111111:execution:cordon-readiness:weekly';
const context = {
  Execution: { Id: EXECUTION, StartTime: '2026-03-11T06:00:07.123Z', Input: {} },
  State: { Name: 'AState', EnteredTime: '2026-03-11T06:00:08.000Z' },
  StateMachine: { Id: EXECUTION.replace('execution', 'stateMachine').replace(':weekly', '') },
};

const FEEDS = ['securityhub:listMembers', 'organizations:listAccounts'] as const;
const machineOf = (ListAccounts: string, CentralAccounts = '[]') => {
  const states = statesIn('readiness.asl.json', { ListAccounts, CentralAccounts });
  return (name: string) => states.get(name) ?? assert.fail(`there is no state \`${name}\``);
};
const STATES = statesIn('readiness.asl.json', { ListAccounts: FEEDS[0], CentralAccounts: '[]' });
const state = machineOf(FEEDS[0]);

async function begun(input: Json = {}, machine = state): Promise<Values> {
  return assigned(machine('Begin').Assign, {}, { input, context });
}

const accountsOf = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => String(100_000_000_000 + n));

/** After it has asked which organization this is. */
async function ofOrganization(machine = state): Promise<Values> {
  const { Assign } = machine('DescribeOrganization');
  const result = { Organization: { Id: 'o-a1b2c3d4e5', MasterAccountId: '999999999999' } };
  const variables = await begun({}, machine);
  return { ...variables, ...(await assigned(Assign, variables, { result, context })) };
}

/** As the machine keeps them. */
const listed = (accounts: readonly string[]): string => accounts.map((id) => `,${id}`).join('');

/** After all accounts are listed. */
async function ofPages(accounts: readonly string[]): Promise<Values> {
  const variables = { ...(await begun()), ids: listed(accounts) };
  return assigned(state('AreThereMore').Assign, variables, { context });
}

interface Item {
  readonly step: string;
  readonly from: number;
  readonly size: number;
}

async function items(accounts: readonly string[]): Promise<readonly Item[]> {
  return (await computed(state('Steps').Items, await ofPages(accounts), { context })) as never;
}

describe('the readiness machine', () => {
  it('asks the steps that contain in member accounts, all of them and no others', async () => {
    const { functions } = await begun();
    const containing = STEPS.filter(actsInMembers).filter((step) => !grants(step));
    const acting = containing.map((step) => step.state);
    assert.deepEqual(
      functions,
      Object.fromEntries(acting.map((step) => [step, `\${${step}FunctionArn}`])),
    );
    const asked = await items(accountsOf(1));
    assert.deepEqual(
      asked.map(({ step }) => step),
      acting,
    );
  });

  it('waits for no task forever, tries each again, and tells of each that fails', () => {
    for (const [name, { Type, TimeoutSeconds, Retry, Catch }] of STATES) {
      if (Type !== 'Task' && Type !== 'Map') continue;
      if (Type === 'Task') assert.ok(TimeoutSeconds && Retry?.length, name);
      const all = Catch?.find(({ ErrorEquals }) => ErrorEquals.includes('States.ALL'));
      const next = { AskStep: 'NotAsked', TellFailure: undefined }[name] ?? 'TellFailure';
      assert.equal(all?.Next, name === 'TellFailure' ? undefined : next, name);
    }
  });

  it('asks a step of each account once, in at most twenty pages', async () => {
    for (const count of [0, 1, 249, 250, 251, 300, 5_000, 10_000]) {
      const accounts = accountsOf(count);
      const variables = { ...(await begun()), ids: listed(accounts) };
      const ofOne = (await items(accounts)).filter(({ step }) => step === 'Verify');
      assert.ok(ofOne.length <= 20, `${ofOne.length} pages of ${count}`);
      const pages = ofOne.map(async (input) => {
        const asked = await computed(state('AskStep').Arguments, variables, {
          input: { ...input },
          context,
        });
        return (asked as { Payload: { readiness: { accounts: string[] } } }).Payload.readiness;
      });
      const asked = (await Promise.all(pages)).flatMap((page) => page.accounts);
      assert.deepEqual(asked, accounts);
    }
  });

  it('goes on with the accounts that are enabled, page by page', async () => {
    for (const [feed, answers] of [
      [
        FEEDS[0],
        [
          {
            Members: [
              { AccountId: '1', MemberStatus: 'Enabled', Email: 'e' },
              { AccountId: '2', MemberStatus: 'Created' },
              { AccountId: '111111111111', MemberStatus: 'Enabled' },
              { AccountId: '999999999999', MemberStatus: 'Enabled' },
            ],
            NextToken: 'n',
          },
          { Members: [{ AccountId: '3', MemberStatus: 'Enabled' }] },
        ],
      ],
      [
        FEEDS[1],
        [
          {
            Accounts: [
              { Id: '1', State: 'ACTIVE' },
              { Id: '111111111111', State: 'ACTIVE' },
              { Id: '999999999999', State: 'ACTIVE' },
              { Id: '2', Status: 'SUSPENDED', State: 'SUSPENDED' },
            ],
            NextToken: 'n',
          },
          { Accounts: [{ Id: '3', Status: 'ACTIVE' }], NextToken: null },
        ],
      ],
    ] as const) {
      const machine = machineOf(feed);
      const list = machine('ListAccounts');
      let variables = await ofOrganization(machine);
      assert.deepEqual(variables['leftOut'], ['111111111111', '999999999999']);
      const asked: Json[] = [];
      for (const result of answers) {
        asked.push(await computed(list.Arguments, variables, { context }));
        variables = await assigned(list.Assign, variables, { result: result as never, context });
      }
      assert.deepEqual([variables['ids'], variables['token']], [',1,3', '']);
      const own = feed === FEEDS[0] ? { MaxResults: 50, OnlyAssociated: true } : { MaxResults: 20 };
      assert.deepEqual(asked, [own, { ...own, NextToken: 'n' }]);
    }
  });

  it('asks those from which the organization is run where they have member roles', async () => {
    for (const [entered, leftOut] of [
      [['111111111111', '999999999999'], []],
      [['111111111111'], ['999999999999']],
      [['999999999999'], ['111111111111']],
    ]) {
      const ids = ['999999999999', '222222222222', '111111111111'];
      const Members = ids.map((AccountId) => ({ AccountId, MemberStatus: 'Enabled' }));
      const Accounts = ids.map((Id) => ({ Id, State: 'ACTIVE' }));
      for (const [feed, result] of [
        [FEEDS[0], { Members }],
        [FEEDS[1], { Accounts }],
      ] as const) {
        const machine = machineOf(feed, JSON.stringify(entered).replaceAll('"', "'"));
        const before = await ofOrganization(machine);
        assert.deepEqual(before['leftOut'], leftOut);
        const { Assign } = machine('ListAccounts');
        const after = await assigned(Assign, before, { result, context });
        assert.equal(after['ids'], listed([...(entered ?? []), '222222222222']));
      }
    }
  });

  it('counts those as subscribed who have confirmed it, and have not ended it', async () => {
    const { Assign } = state('CountResponders');
    const of = (...arns: string[]) => ({
      Subscriptions: arns.map((SubscriptionArn) => ({ SubscriptionArn })),
    });
    for (const [result, responders] of [
      [of(), 0],
      [of('PendingConfirmation', 'Deleted'), 0],
      [of('Deleted', 'arn:aws:sns:eu-west-1:111111111111:alerts:1'), 1],
    ] as const) {
      const after = await assigned(Assign, await begun(), { result: result as never, context });
      assert.equal(after['responders'], responders);
    }
  });

  it('takes far fewer events than an execution may have, for 5,000 accounts', async (test) => {
    // A task has five events when it is done at once, and three more for each further attempt.
    const task = (name: string, attempts: number): number =>
      5 + 3 * Math.min(attempts - 1, state(name).Retry?.[0]?.MaxAttempts ?? 0);
    const asked = (await items(accountsOf(5_000))).length;
    for (const [feed, page] of [
      [FEEDS[0], 50],
      [FEEDS[1], 20],
    ] as const) {
      const all = (attempts: number): number =>
        (5_000 / page) * (task('ListAccounts', attempts) + 2) +
        asked * (task('AskStep', attempts) + 2) +
        [
          'ReadResponsePolicy',
          'DescribeRule',
          'CountResponders',
          'DescribeOrganization',
          'CompareReadiness',
          'WriteReadiness',
          'TellReadiness',
          'StoreReadiness',
        ].reduce(
          (sum, name) => sum + task(name, attempts),
          // The execution, Begin, WhatToCheck, the Map, WhetherToTell, Ready.
          2 + 2 + 2 + 4 + 2 + 2,
        );
      test.diagnostic(`${feed}: ${all(1)} events, ${all(Infinity)} if all is tried to the last`);
      assert.ok(all(1) < 4_000, `${all(1)} events`);
      assert.ok(all(Infinity) < EVENTS, `${all(Infinity)} events`);
    }
  });

  it('has no payload of 256 KiB, though every step is refused everywhere', async (test) => {
    const accounts = accountsOf(5_000);
    const asked = await items(accounts);
    // What `member` answers at most: two ways of refusing, cut.
    const way = (calls: readonly string[]) => ({
      error: 'ServiceUnavailable',
      calls: [...calls],
      cause: 'c'.repeat(220),
      accounts: 'f'.repeat(63),
    });
    const writes = [
      'iam:UpdateAccessKey',
      'iam:UpdateSSHPublicKey',
      'iam:UpdateSigningCertificate',
      'iam:UpdateServiceSpecificCredential',
    ];
    const unproved = Array.from({ length: 22 }, () => 'iam:ListServiceSpecificCredentials');
    const pages = await Promise.all(
      asked.map((input) =>
        computed(
          state('AskStep').Output,
          {},
          {
            input: { ...input },
            result: { Payload: { refused: [way(['sts:AssumeRole']), way(writes)], unproved } },
            context,
          },
        ),
      ),
    );
    const variables = { ...(await begun()), ids: listed(accounts), pages };
    const sizes = {
      accounts: bytes(listed(accounts)),
      'items of the steps': bytes([...asked] as never),
      'output of the steps': bytes(pages),
      'arguments of CompareReadiness': bytes(
        await computed(state('CompareReadiness').Arguments, variables, { context }),
      ),
    };
    for (const [what, size] of Object.entries(sizes)) {
      test.diagnostic(`${what}: ${size} bytes`);
      assert.ok(size < PAYLOAD, `the ${what} have ${size} bytes`);
    }
  });

  it('takes a step that could not be asked for one that enters none of the page', async () => {
    const [caught] = state('AskStep').Catch ?? [];
    const answer = await computed(caught?.Output, await begun(), {
      input: { step: 'Tag', from: 250, size: 250 },
      errorOutput: { Error: 'Lambda.TooManyRequestsException', Cause: 'slow\ndown' },
      context,
    });
    assert.deepEqual(answer, {
      step: 'Tag',
      from: 250,
      size: 250,
      refused: [
        {
          error: 'Lambda.TooManyRequestsException',
          calls: ['lambda:InvokeFunction'],
          cause: 'slow?down',
          accounts: 'f'.repeat(63),
        },
      ],
      unproved: [],
    });
  });

  it('tells how to check again what could not be checked', async () => {
    for (const [Input, again] of [
      [{ deep: true }, `--input '{"deep": true}'`],
      [{ check: 'redrives' }, `--input '{"check": "redrives"}'`],
    ] as const) {
      const variables = {
        ...(await begun(Input)),
        failure: { state: 'ListAccounts', error: 'SecurityHub.InvalidAccessException', cause: 'c' },
      };
      const told = (await computed(state('TellFailure').Arguments, variables, {
        context: { ...context, Execution: { ...context.Execution, Input } },
      })) as { Message: string };
      assert.ok(told.Message.includes(`${context.StateMachine.Id} ${again}\n\n> c`), told.Message);
    }
  });
});

describe('what waits for a redrive', () => {
  it('is each failed execution that ended ten days ago, of every status and page', async () => {
    let variables = await begun({ check: 'redrives' });
    const list = state('ListFailed');
    const asked: Json[] = [];
    const one = (name: string, StopDate: string) => ({ ExecutionArn: name, StopDate });
    for (const result of [
      {
        Executions: [one('old', '2026-02-28T23:59:59.999Z'), one('a', '2026-03-01T00:00:00.000Z')],
        NextToken: 'n',
      },
      { Executions: [one('b', '2026-03-01T23:59:59.999Z'), one('new', '2026-03-02T00:00:00Z')] },
      { Executions: [] },
      { Executions: [one('c', '2026-03-01T12:00:00.000Z')] },
    ]) {
      const { StatusFilter, NextToken } = (await computed(list.Arguments, variables, {
        context,
      })) as { StatusFilter: string; NextToken?: string };
      asked.push([StatusFilter, NextToken ?? '']);
      variables = await assigned(list.Assign, variables, { result: result as never, context });
    }
    assert.deepEqual(asked, [
      ['FAILED', ''],
      ['FAILED', 'n'],
      ['TIMED_OUT', ''],
      ['ABORTED', ''],
    ]);
    assert.deepEqual(variables['waiting'], [
      { execution: 'a', ended: '2026-03-01T00:00:00.000Z' },
      { execution: 'b', ended: '2026-03-01T23:59:59.999Z' },
      { execution: 'c', ended: '2026-03-01T12:00:00.000Z' },
    ]);
    assert.deepEqual(variables['statuses'], []);
  });

  it('is looked for only where the schedule asks for it', async () => {
    const [rule] = state('WhatToCheck').Choices ?? [];
    for (const [Input, expected] of [
      [{ check: 'redrives' }, true],
      [{ deep: true }, false],
      [{}, false],
    ] as const) {
      const Execution = { ...context.Execution, Input };
      const states = { context: { ...context, Execution } as never };
      assert.equal(await computed(rule?.Condition, {}, states), expected);
    }
  });
});

it('the role of the readiness machine can not reach a principal, a finding or evidence', () => {
  for (const file of ['readiness-policy.json', 'readiness-policy-v2.json']) {
    const { Statement } = JSON.parse(readFileSync(join(STATE_MACHINE, file), 'utf8')) as {
      Statement: { Action: string | string[] }[];
    };
    const actions = Statement.flatMap(({ Action }) => Action).filter(
      (action) => !/^(logs|xray):/.test(action),
    );
    const lists = file.includes('v2') ? 'organizations:ListAccounts' : 'securityhub:ListMembers';
    assert.deepEqual(actions, [
      'lambda:InvokeFunction',
      lists,
      'organizations:DescribeOrganization',
      'ssm:GetParameter',
      'events:DescribeRule',
      'sns:ListSubscriptionsByTopic',
      'states:ListExecutions',
      'sns:Publish',
      'kms:Decrypt',
      'kms:GenerateDataKey',
    ]);
  }
});
