import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeStack } from '../commands/checks/account.ts';
import { answer, type Finding, isFailure, line } from '../commands/checks/check.ts';
import { judgeConcurrency } from '../commands/checks/concurrency.ts';
import { judgeOrganization } from '../commands/checks/organization.ts';
import { judgeAggregation, judgeHubs } from '../commands/checks/security-hub.ts';
import { judgeAccess } from '../commands/checks/stack-sets.ts';
import { judgeSubscribers } from '../commands/checks/subscribers.ts';
import { configuration } from './fixture.ts';

/** The finding's verdict, and that its line has these words. */
function isSaid(
  { verdict, ...finding }: Finding,
  expected: Finding['verdict'],
  ...words: string[]
) {
  const said = line({ verdict, ...finding });
  assert.equal(verdict, expected, said);
  for (const each of words) assert.ok(said.includes(each), `\`${each}\` is not in: ${said}`);
}

describe('preflight', () => {
  it('asks how a stack stands', () => {
    for (const [status, verdict] of [
      [undefined, 'warning'],
      ['CREATE_COMPLETE', 'ok'],
      ['UPDATE_ROLLBACK_COMPLETE', 'ok'],
      ['IMPORT_COMPLETE', 'ok'],
      ['UPDATE_COMPLETE_CLEANUP_IN_PROGRESS', 'warning'],
      ['REVIEW_IN_PROGRESS', 'warning'],
      ['ROLLBACK_COMPLETE', 'wrong'],
      ['DELETE_FAILED', 'wrong'],
    ] as const) {
      isSaid(judgeStack('CordonMember', status, 'make deploy'), verdict, 'CordonMember');
    }
  });

  it('asks for the Security Hub that is configured', () => {
    for (const [findings, cspm, v2, verdict, words] of [
      ['cspm', true, true, 'ok', 'CSPM in eu-west-1'],
      ['cspm', false, false, 'wrong', 'is off: turn it on'],
      ['cspm', false, true, 'wrong', 'or write `"findings": "v2"`'],
      ['v2', false, true, 'ok', 'without CSPM'],
      ['v2', true, false, 'wrong', 'or write `"findings": "cspm"`'],
      ['v2', true, true, 'warning', 'write `"findings": "cspm"`'],
    ] as const) {
      isSaid(judgeHubs(configuration({ findings }), { cspm, v2 }), verdict, words);
    }
  });

  it("asks whether findings of all Regions arrive, and AWS Health's among them", () => {
    const home = 'eu-west-1';
    const inChina = { region: 'cn-north-1', protectedPrincipals: [] };
    for (const [changes, aggregation, verdict, words] of [
      [{}, undefined, 'warning', 'create-finding-aggregator --region eu-west-1'],
      [{ findings: 'v2' }, undefined, 'warning', 'create-aggregator-v2 --region eu-west-1'],
      [{}, { home: 'eu-central-1', mode: 'ALL_REGIONS', regions: [] }, 'wrong', 'eu-central-1'],
      [{}, { home, mode: 'ALL_REGIONS', regions: [] }, 'ok', 'ALL_REGIONS'],
      [
        {},
        { home, mode: 'SPECIFIED_REGIONS', regions: ['us-east-1'] },
        'warning',
        'only findings of eu-west-1, us-east-1 arrive (SPECIFIED_REGIONS): link all',
      ],
      [{}, { home, mode: 'SPECIFIED_REGIONS', regions: ['us-east-2'] }, 'warning', 'us-east-1 is'],
      [
        {},
        { home, mode: 'ALL_REGIONS_EXCEPT_SPECIFIED', regions: ['us-east-1'] },
        'warning',
        'AWS Health tells of exposed keys',
      ],
      [
        {},
        { home, mode: 'ALL_REGIONS_EXCEPT_SPECIFIED', regions: ['sa-east-1'] },
        'warning',
        'findings of sa-east-1 do not arrive (ALL_REGIONS_EXCEPT_SPECIFIED): link all',
      ],
      [{}, { home, mode: 'NO_REGIONS', regions: [] }, 'warning', 'us-east-1 is not linked'],
      [
        inChina,
        { home: 'cn-north-1', mode: 'NO_REGIONS', regions: [] },
        'warning',
        'cn-northwest-1 is not linked',
      ],
      [
        { region: 'us-gov-west-1', protectedPrincipals: [] },
        { home: 'us-gov-west-1', mode: 'NO_REGIONS', regions: [] },
        'warning',
        'only findings of us-gov-west-1 arrive (NO_REGIONS): link all',
      ],
    ] as const) {
      isSaid(judgeAggregation(configuration(changes), aggregation), verdict, words);
    }
  });

  it('asks which organization it is, and which account manages it', () => {
    const found = { id: 'o-a1b2c3d4e5', management: '999999999999' };
    const judged = (changes: object) => judgeOrganization(configuration({ ...changes }), found);
    assert.deepEqual(judged({}), [{ verdict: 'ok', what: 'the organization is o-a1b2c3d4e5' }]);
    const [other] = judged({ organizationId: 'o-another111' });
    isSaid(other ?? assert.fail(), 'wrong', 'write `"organizationId": "o-a1b2c3d4e5"`');
    const [, manager] = judged({ managementAccount: '888888888888' });
    isSaid(manager ?? assert.fail(), 'wrong', 'write `"managementAccount": "999999999999"`');
    assert.equal(judged({ managementAccount: '999999999999' }).length, 1);
    const [, unguarded] = judged({ profiles: { '999999999999': 'management' } });
    isSaid(unguarded ?? assert.fail(), 'wrong', 'write `"managementAccount": "999999999999"`, too');
    const [, itself] = judged({ securityAccount: '999999999999' });
    isSaid(itself ?? assert.fail(), 'wrong', 'have another account administer Security Hub');
  });

  it('asks whether StackSets may reach the organization', () => {
    isSaid(judgeAccess('ENABLED'), 'ok');
    isSaid(judgeAccess('DISABLED'), 'wrong', 'activate-organizations-access');
  });

  it('warns below 200 functions at once', () => {
    isSaid(judgeConcurrency(200, 'eu-west-1'), 'ok');
    isSaid(judgeConcurrency(199, 'eu-west-1'), 'warning', 'only 199', '--region eu-west-1');
  });

  it('asks who has confirmed a subscription, and whose SNS has deleted', () => {
    const topic = 'arn:aws:sns:eu-west-1:111111111111:topic';
    const wanted = [
      { protocol: 'email', endpoint: 'OnCall@cordon.test' },
      { protocol: 'https', endpoint: 'https://cordon:secret@cordon.test/hook' },
    ];
    const subscription = (Protocol: string, Endpoint: string, SubscriptionArn: string) => ({
      Protocol,
      Endpoint,
      SubscriptionArn,
    });
    const mail = (arn: string) => subscription('email', 'oncall@cordon.test', arn);
    const [confirmed, pending] = [mail(`${topic}:1`), mail('PendingConfirmation')];
    const unsubscribed = mail('Deleted');
    const hook = subscription('https', 'https://cordon:****@cordon.test/hook', `${topic}:2`);
    for (const [subscriptions, expected] of [
      [[confirmed, hook], ['ok']],
      [
        [pending, hook],
        ['warning', 'ok'],
      ],
      [[hook], ['warning', 'ok']],
      [
        [unsubscribed, hook],
        ['warning', 'ok'],
      ],
      [[confirmed, unsubscribed, hook], ['ok']],
      [[pending], ['warning', 'warning', 'wrong']],
      [[unsubscribed], ['warning', 'warning', 'wrong']],
      [[], ['warning', 'warning', 'wrong']],
    ] as const) {
      const found = judgeSubscribers('responders', topic, wanted, subscriptions);
      assert.deepEqual(
        found.map(({ verdict }) => verdict),
        expected,
      );
    }
    const [gone] = judgeSubscribers('responders', topic, wanted, [hook]);
    isSaid(
      gone ?? assert.fail(),
      'warning',
      `aws sns subscribe --region eu-west-1 --topic-arn ${topic} --protocol email --notification-endpoint OnCall@cordon.test`,
    );
    const [asked] = judgeSubscribers('responders', topic, wanted, [pending, hook]);
    isSaid(
      asked ?? assert.fail(),
      'warning',
      '`oncall@cordon.test` of `responders` has not confirmed the subscription',
      `aws sns confirm-subscription --region eu-west-1 --topic-arn ${topic} --authenticate-on-unsubscribe true --token `,
    );
    const [left] = judgeSubscribers('responders', topic, wanted, [unsubscribed, hook]);
    isSaid(
      left ?? assert.fail(),
      'warning',
      '`OnCall@cordon.test` of `responders` has unsubscribed: aws sns subscribe ',
      ' OnCall@cordon.test, which SNS may refuse for three days',
    );
    const filtered = { ...wanted[0], protocol: 'email', endpoint: "o'neill@cordon.test" };
    const filterPolicy = { severity: ['CRITICAL'] };
    const [lost] = judgeSubscribers('responders', topic, [{ ...filtered, filterPolicy }], [hook]);
    isSaid(
      lost ?? assert.fail(),
      'warning',
      `'o'\\''neill@cordon.test' --attributes '{"FilterPolicy":"{\\"severity\\":[\\"CRITICAL\\"]}"}'`,
    );
  });

  it('takes a refusal for what it does not know, and fails where there is no answer', async () => {
    const found = async (name: string) => {
      const ask = () => Promise.reject(Object.assign(new Error('a\nb'), { name }));
      const [finding] = await answer({ about: 'what is asked', ask });
      return finding ?? assert.fail();
    };
    for (const name of ['AccessDenied', 'AccessDeniedException', 'AuthorizationErrorException']) {
      const refused = await found(name);
      isSaid(refused, 'unknown', 'what is asked is not known, since AWS refuses', 'a b');
      assert.ok(!isFailure(refused));
    }
    for (const name of ['ThrottlingException', 'ExpiredTokenException', 'Error']) {
      const unanswered = await found(name);
      isSaid(unanswered, 'unknown', 'what is asked is not known: a b: mend that');
      assert.ok(isFailure(unanswered));
    }
  });
});
