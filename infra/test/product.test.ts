import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import validateDefinition from 'asl-validator';
import type { Configuration } from '../lib/config.ts';
import { type PolicyFile, readPolicyFile } from '../lib/policy-file.ts';
import { actsInMembers, executionPolicy, grants } from '../lib/step-folder.ts';
import { Synthesized } from './fixture.ts';
import { CONFIGURATIONS, product, PROTECTION, STATE_MACHINE, STEPS } from './product.ts';

const CONTAINING = STEPS.filter(actsInMembers).filter((step) => !grants(step));

const DEFINITIONS = ['incident-response', 'readiness', 'restore'].map((name) =>
  readFileSync(join(STATE_MACHINE, `${name}.asl.json`), 'utf8'),
);

interface Statement {
  readonly Sid?: string;
}

/** Puts names and literals where the template has references, so that it reads like the file. */
function readable(node: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(node)) return node.map((element) => readable(element, names));
  if (typeof node !== 'object' || node === null) return node;
  const name = names.get(JSON.stringify(node));
  if (name !== undefined) return name;
  if ('Fn::Sub' in node) {
    const text = (node['Fn::Sub'] as string).replaceAll('${!', '${');
    return text.replace(
      /\$\{(AWS::\w+)\}/g,
      (parameter, name) => names.get(`{"Ref":"${name}"}`) ?? parameter,
    );
  }
  if ('Fn::Join' in node) {
    const [separator, parts] = node['Fn::Join'] as [string, unknown[]];
    return parts.map((part) => readable(part, names)).join(separator);
  }
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [key, readable(value, names)]),
  );
}

/** The file with what is known before deployment filled in, spelled out for each test. */
function asDeployed(file: PolicyFile, known: Readonly<Record<string, string>>): unknown {
  let text = readFileSync(file.path, 'utf8');
  for (const [name, value] of Object.entries(known)) text = text.replaceAll(name, value);
  return JSON.parse(text);
}

/** A policy that may invoke one function less. */
function withoutFunction(policy: unknown, state: string): unknown {
  const text = JSON.stringify(policy);
  const without = text.replace(new RegExp(`,?"\\$\\{${state}FunctionArn\\}"`), '');
  assert.notEqual(without, text);
  return JSON.parse(without.replace('[,', '['));
}

function onlyPolicy(stack: Synthesized, RoleName: string): unknown {
  const policies = stack.one('AWS::IAM::Role', { RoleName }).Properties['Policies'];
  const [policy] = policies as [{ PolicyDocument: unknown }];
  assert.deepEqual(policies, [policy]);
  return policy.PolicyDocument;
}

for (const configuration of CONFIGURATIONS) {
  const { partition, region, securityAccount, findings, restorers } = configuration;
  const deployed = STEPS.filter((step) => !grants(step) || restorers !== undefined);
  describe(`in the partition ${partition}, with findings of ${findings}`, () => {
    const { security, member, restore } = product(configuration);
    const securityStack = new Synthesized(security);
    const memberStack = new Synthesized(member);
    const restoreStack = restore && new Synthesized(restore);
    const memberStacks = [memberStack, ...(restoreStack ? [restoreStack] : [])];

    it("each role's policy in the security account is its file", () => {
      const names = new Map([
        [
          `{"Fn::GetAtt":["${securityStack.one('AWS::S3::Bucket').id}","Arn"]}`,
          '${EvidenceBucketArn}',
        ],
        [`{"Fn::GetAtt":["${securityStack.one('AWS::KMS::Key').id}","Arn"]}`, '${TopicKeyArn}'],
        [
          `{"Fn::GetAtt":["${securityStack.one('AWS::DynamoDB::Table').id}","Arn"]}`,
          '${ContainmentsTableArn}',
        ],
        [
          `{"Ref":"${securityStack.one('AWS::SNS::Topic', { DisplayName: 'Cordon incidents' }).id}"}`,
          '${AlertTopicArn}',
        ],
        [
          `{"Ref":"${securityStack.one('AWS::SNS::Topic', { DisplayName: 'Cordon operations' }).id}"}`,
          '${OperationsTopicArn}',
        ],
        [
          `{"Fn::GetAtt":["${securityStack.one('AWS::StepFunctions::StateMachine', { StateMachineName: 'cordon-incident-response' }).id}","Arn"]}`,
          '${IncidentResponseArn}',
        ],
        [
          `{"Fn::GetAtt":["${securityStack.one('AWS::StepFunctions::StateMachine', { StateMachineName: 'cordon-restore' }).id}","Arn"]}`,
          '${RestoreArn}',
        ],
        ...deployed.map(({ name, state }): [string, string] => {
          const { id } = securityStack.one('AWS::Lambda::Function', {
            FunctionName: `cordon-${name}`,
          });
          return [`{"Fn::GetAtt":["${id}","Arn"]}`, `\${${state}FunctionArn}`];
        }),
      ]);
      const known = {
        '${AWS::Partition}': partition,
        '${AWS::AccountId}': securityAccount,
        '${AWS::Region}': region,
        '${HubArn}': `arn:${partition}:securityhub:${region}:${securityAccount}:${findings === 'v2' ? 'hubv2/*' : 'hub/default'}`,
        '${ResponsePolicyParameterArn}': `arn:${partition}:ssm:${region}:${securityAccount}:parameter/cordon/response-policy`,
      };
      for (const step of deployed) {
        const { name, state } = step;
        assert.deepEqual(
          readable(onlyPolicy(securityStack, `Cordon-${state}`), names),
          asDeployed(executionPolicy(step, findings), {
            ...known,
            '${LogGroupArn}': `arn:${partition}:logs:${region}:${securityAccount}:log-group:/aws/lambda/cordon-${name}`,
          }),
        );
      }
      assert.deepEqual(
        readable(onlyPolicy(securityStack, 'Cordon-IncidentResponse'), names),
        asDeployed(readPolicyFile(join(STATE_MACHINE, 'execution-policy.json')), known),
      );
      const ofRestore = asDeployed(
        readPolicyFile(join(STATE_MACHINE, 'restore-policy.json')),
        known,
      );
      assert.deepEqual(
        readable(onlyPolicy(securityStack, 'Cordon-Restore'), names),
        restorers === undefined ? withoutFunction(ofRestore, 'ApplyRestore') : ofRestore,
      );
      if (restorers !== undefined) {
        assert.deepEqual(
          readable(onlyPolicy(securityStack, 'CordonRestorer'), names),
          asDeployed(readPolicyFile(join(STATE_MACHINE, 'restorer-policy.json')), known),
        );
      }
      const file = findings === 'v2' ? 'readiness-policy-v2.json' : 'readiness-policy.json';
      assert.deepEqual(
        readable(onlyPolicy(securityStack, 'Cordon-Readiness'), names),
        asDeployed(readPolicyFile(join(STATE_MACHINE, file)), known),
      );
    });

    it("each role's policy in a member account is its file", () => {
      const names = new Map([
        ['{"Ref":"AWS::Partition"}', '${AWS::Partition}'],
        ['{"Ref":"AWS::AccountId"}', '${AWS::AccountId}'],
      ]);
      for (const { state, memberPolicy } of CONTAINING) {
        assert.deepEqual(
          readable(onlyPolicy(memberStack, `SecurityRemediation-${state}`), names),
          asDeployed(memberPolicy, {}),
        );
      }
      const [granting] = STEPS.filter(grants).filter(actsInMembers);
      assert.ok(granting?.groupsPolicy);
      const policies = restoreStack?.one('AWS::IAM::Role').Properties['Policies'];
      const { memberPolicy, groupsPolicy } = granting;
      assert.deepEqual(
        readable(policies, names),
        restorers && [
          { PolicyName: 'ApplyRestore', PolicyDocument: asDeployed(memberPolicy, {}) },
          ...(configuration.restoreGroups
            ? [{ PolicyName: 'Groups', PolicyDocument: asDeployed(groupsPolicy, {}) }]
            : []),
        ],
      );
    });

    it('nothing that grants is deployed unless people name restorers', () => {
      const names = [securityStack, memberStack].flatMap((stack) =>
        [...stack.all('AWS::IAM::Role'), ...stack.all('AWS::Lambda::Function')].map(
          ({ Properties }) => Properties['RoleName'] ?? Properties['FunctionName'],
        ),
      );
      assert.deepEqual(
        names.filter((name) => /(Restorer|ApplyRestore|apply-restore)$/.test(name as string)),
        restorers ? ['Cordon-ApplyRestore', 'CordonRestorer', 'cordon-apply-restore'] : [],
      );
      const { Properties } = securityStack.one('AWS::StepFunctions::StateMachine', {
        StateMachineName: 'cordon-restore',
      });
      const { ApplyRestoreFunctionArn, RestoreGroups } = Properties[
        'DefinitionSubstitutions'
      ] as Record<string, unknown>;
      assert.deepEqual(
        [typeof ApplyRestoreFunctionArn, RestoreGroups],
        restorers ? ['object', `${configuration.restoreGroups}`] : ['string', 'false'],
      );
    });

    it('only the restorers may have one applied, by a role that can do no more', () => {
      if (restorers === undefined) return;
      const role = securityStack.one('AWS::IAM::Role', { RoleName: 'CordonRestorer' }).Properties;
      assert.deepEqual(
        [role['Path'], role['MaxSessionDuration'], role['AssumeRolePolicyDocument']],
        [
          '/cordon/',
          3600,
          {
            Version: '2012-10-17',
            Statement: [
              {
                Sid: 'OnlyTheRestorers',
                Effect: 'Allow',
                Principal: { AWS: restorers },
                Action: 'sts:AssumeRole',
              },
            ],
          },
        ],
      );
      assert.equal(role['ManagedPolicyArns'], undefined);
    });

    it('the roles that change something, and no others, carry the shared Deny', () => {
      const arns = memberStack.ids('AWS::IAM::ManagedPolicy').map((id) => ({ Ref: id }));
      const carrying = memberStack.all('AWS::IAM::Role').flatMap(({ Properties }) => {
        const carried = Properties['ManagedPolicyArns'];
        if (carried === undefined) return [];
        assert.deepEqual(carried, arns);
        return [Properties['RoleName']];
      });
      assert.deepEqual(
        carrying,
        ['DeactivateKeys', 'DetachPolicies', 'Quarantine', 'RemoveGroups', 'Tag'].map(
          (state) => `SecurityRemediation-${state}`,
        ),
      );
    });

    it('the role that grants carries a Deny of its own, for CordonMember may not be there', () => {
      if (restoreStack === undefined) return;
      const { id, Properties } = restoreStack.one('AWS::IAM::ManagedPolicy');
      const ofMembers = memberStack.one('AWS::IAM::ManagedPolicy').Properties;
      assert.deepEqual(Properties, {
        ...ofMembers,
        ManagedPolicyName: 'SecurityRemediation-RestoreDeny-1',
      });
      const { ManagedPolicyArns } = restoreStack.one('AWS::IAM::Role').Properties;
      assert.deepEqual(ManagedPolicyArns, [{ Ref: id }]);
    });

    it('the shared Deny is its file, with the list of what is protected and with the configured', () => {
      const names = new Map([
        ['{"Ref":"AWS::Partition"}', partition],
        ['{"Ref":"AWS::AccountId"}', '222222222222'],
      ]);
      const { Properties } = memberStack.one('AWS::IAM::ManagedPolicy');
      const { Statement } = JSON.parse(readFileSync(PROTECTION.policy.path, 'utf8')) as {
        Statement: [object, object];
      };
      const Resource = [...listed(partition, configuration.protectedPrincipals)];
      assert.deepEqual(readable(Properties['PolicyDocument'], names), {
        Version: '2012-10-17',
        Statement: [Statement[0], { ...Statement[1], Resource }],
      });
    });

    it('each member role admits the role of one function', () => {
      const roles = memberStacks.flatMap((stack) => stack.all('AWS::IAM::Role'));
      const admitted = roles.map(({ Properties }) => {
        const { Statement } = Properties['AssumeRolePolicyDocument'] as {
          Statement: { Principal: unknown; Condition: { ArnEquals: unknown } }[];
        };
        return [
          Properties['RoleName'],
          Statement.map(({ Principal, Condition }) => [
            Principal,
            readable(Condition.ArnEquals, new Map([['{"Ref":"AWS::Partition"}', partition]])),
          ]),
        ];
      });
      assert.deepEqual(
        admitted,
        [...CONTAINING, ...deployed.filter(grants)].map(({ state }) => {
          const role = `arn:${partition}:iam::${securityAccount}:role/cordon/Cordon-${state}`;
          const one = [{ AWS: securityAccount }, { 'aws:PrincipalArn': role }];
          return [`SecurityRemediation-${state}`, [one, one]];
        }),
      );
    });

    it('every ARN is of that partition', () => {
      const partitions = [securityStack, ...memberStacks].flatMap(({ json }) => [
        ...JSON.stringify(
          readable(json, new Map([['{"Ref":"AWS::Partition"}', partition]])),
        ).matchAll(/\barn:([^:]+):/g),
      ]);
      assert.deepEqual(
        new Set(partitions.map(([, found]) => found)),
        new Set([partition, '${Partition}']),
      );
    });

    it('no event pattern is longer than EventBridge takes', () => {
      for (const { Properties } of securityStack.all('AWS::Events::Rule')) {
        // Amazon EventBridge quotas: event pattern size.
        assert.ok(JSON.stringify(Properties['EventPattern'] ?? {}).length <= 2_048);
      }
    });

    if (findings === 'cspm') {
      it('the custom action is one of the security account, in the home Region', () => {
        const { Value } = (securityStack.json['Outputs'] as { CustomActionArn: { Value: string } })
          .CustomActionArn;
        assert.equal(
          Value,
          `arn:${partition}:securityhub:${region}:${securityAccount}:action/custom/Isolate`,
        );
        const { EventPattern } = securityStack.one('AWS::Events::Rule', {
          Name: 'cordon-custom-action',
        }).Properties;
        assert.deepEqual((EventPattern as { resources: unknown }).resources, [Value]);
      });
    }

    it('the definitions, filled in, are valid state machines', () => {
      for (const definition of DEFINITIONS) {
        const { isValid, errorsText } = validateDefinition(filledIn(definition, configuration));
        assert.equal(isValid, true, errorsText('\n'));
      }
    });
  });
}

/** What is protected in the account 222222222222, and where the organization is run from. */
function listed(partition: string, principals: readonly string[] = []): string[] {
  const everywhere = PROTECTION.resources.filter(({ accounts }) => accounts === undefined);
  const arn = (account: string, resource: string) => `arn:${partition}:iam::${account}:${resource}`;
  return [
    ...everywhere.map(({ resource }) => arn('222222222222', resource)),
    arn('111111111111', 'role/cordon/Cordon*'),
    arn('111111111111', 'role/cdk-*'),
    arn('999999999999', 'role/cdk-*'),
    arn('111111111111', 'user/operators/*'),
    arn('999999999999', 'user/operators/*'),
    arn('999999999999', 'role/Ops'),
    ...principals,
  ];
}

function filledIn(
  definition: string,
  { partition, region, securityAccount, findings }: Configuration,
): object {
  const arn = (rest: string) =>
    `arn:${partition}:${rest.replace('-:-', `${region}:${securityAccount}`)}`;
  const values: Record<string, string> = {
    Partition: partition,
    AlertTopicArn: arn('sns:-:-:Responders'),
    OperationsTopicArn: arn('sns:-:-:Operations'),
    IncidentResponseArn: arn('states:-:-:stateMachine:cordon-incident-response'),
    ListAccounts: findings === 'v2' ? 'organizations:listAccounts' : 'securityhub:listMembers',
    CentralAccounts: "['111111111111', '999999999999']",
    ResponsePolicyParameter: '/cordon/response-policy',
    ContainmentsTable: 'cordon-containments',
    ConsoleUrl: 'https://console.example.com',
    GetFindings: findings === 'v2' ? 'getFindingsV2' : 'getFindings',
    RestoreGroups: 'true',
    ...Object.fromEntries(
      STEPS.map(({ name, state }) => [
        `${state}FunctionArn`,
        arn(`lambda:-:-:function:cordon-${name}`),
      ]),
    ),
  };
  return JSON.parse(
    definition.replace(/\$\{(\w+)\}/g, (_, name) => values[name] ?? assert.fail(name)),
  );
}

describe('the policy files', () => {
  const files = [
    ...[
      'execution-policy.json',
      'readiness-policy.json',
      'readiness-policy-v2.json',
      'restore-policy.json',
      'restorer-policy.json',
    ].map((file) => readPolicyFile(join(STATE_MACHINE, file))),
    PROTECTION.policy,
    ...STEPS.flatMap(({ executionPolicy, executionPolicyV2, memberPolicy, groupsPolicy }) =>
      [executionPolicy, executionPolicyV2, memberPolicy, groupsPolicy].filter(
        (file) => file !== undefined,
      ),
    ),
  ];

  it('say of each statement what it is for', () => {
    for (const { path, document } of files) {
      const sids = (document as { Statement: Statement[] }).Statement.map(({ Sid }) => Sid);
      assert.equal(sids.includes(undefined), false, `a statement of \`${path}\` has no Sid`);
      assert.equal(new Set(sids).size, sids.length, `two statements of \`${path}\` share a Sid`);
    }
  });

  it('fit into a role', () => {
    // IAM and STS quotas: a role's inline policies have 10,240 characters, white space not counted.
    for (const { path, document } of files) {
      const { length } = JSON.stringify(document);
      assert.ok(length < 8_000, `\`${path}\` has ${length} characters before it is filled`);
    }
  });
});

describe('what is protected', () => {
  it('are all of our member roles, by their exact names', () => {
    assert.deepEqual(
      PROTECTION.resources
        .filter(({ resource, accounts }) => resource.includes('cordon') && accounts === undefined)
        .map(({ resource }) => resource),
      STEPS.filter(actsInMembers).map(({ state }) => `role/cordon/SecurityRemediation-${state}`),
    );
  });

  const principal = (n: number): string => `arn:aws:iam::*:role/${n}`.padEnd(80, 'p');
  const [configuration] = CONFIGURATIONS;
  assert.ok(configuration);
  const many = {
    ...configuration,
    protectedPrincipals: Array.from({ length: 100 }, (_, n) => principal(n)),
  };
  const { member, security } = product(many);
  const stack = new Synthesized(member);

  it('are told to the functions, as many as Lambda takes beside them', () => {
    // Lambda quotas: 4 KB of environment variables.
    const environments = new Synthesized(security).all('AWS::Lambda::Function').map((fn) => {
      const { Variables } = (fn.Properties['Environment'] ?? {}) as {
        Variables?: Record<string, unknown>;
      };
      return Variables ?? {};
    });
    for (const variables of environments) {
      assert.ok(Object.entries(variables).flat().join('').length < 4_000);
    }
    const told = environments.flatMap(({ PROTECTED_PRINCIPALS: told }) => told ?? []);
    assert.equal(told.length, 2);
    for (const list of told) {
      const principals = JSON.parse(String(list)) as string[];
      assert.ok(principals.length > 20);
      assert.deepEqual(principals, many.protectedPrincipals.slice(0, principals.length));
    }
  });

  it('are as many as people configure, in policies that IAM takes', () => {
    const names = new Map([
      ['{"Ref":"AWS::Partition"}', 'aws-us-gov'],
      ['{"Ref":"AWS::AccountId"}', '222222222222'],
    ]);
    const policies = stack
      .all('AWS::IAM::ManagedPolicy')
      .map(({ Properties }) => readable(Properties['PolicyDocument'], names)) as {
      Statement: { Sid: string; Resource: string | string[] }[];
    }[];
    for (const policy of policies) assert.ok(JSON.stringify(policy).length <= 6_000);
    const denied = policies.flatMap(({ Statement }) =>
      Statement.filter(({ Resource }) => Resource !== '*').flatMap(({ Resource }) => Resource),
    );
    assert.deepEqual(denied, [
      ...listed('aws-us-gov').map((arn) =>
        arn.includes('::222222222222:') ? arn : arn.replace('aws-us-gov', 'aws'),
      ),
      ...many.protectedPrincipals,
    ]);
    const sids = policies.map(({ Statement }) => Statement.map(({ Sid }) => Sid));
    assert.deepEqual(sids[0], [
      'NeverDeletePrincipalsOrCredentials',
      'NeverTouchWhatAWSAndTheOrganisationLiveBy',
    ]);
    // IAM and AWS STS quotas: ten managed policies for each role, unless raised.
    assert.ok(policies.length > 1 && policies.length <= 10);
    const roles = stack.all('AWS::IAM::Role').map((role) => role.Properties['ManagedPolicyArns']);
    const carried = roles.filter((arns) => arns !== undefined) as unknown[][];
    for (const arns of carried) assert.equal(arns.length, policies.length);
  });

  it('leave the member template small enough to be deployed without a bucket', () => {
    // AWS CloudFormation quotas: 51,200 bytes in a request; some are left for what is to come.
    const { length } = JSON.stringify(stack.json, null, 1);
    assert.ok(length < 45_000, `${length} bytes`);
  });
});
