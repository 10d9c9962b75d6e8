import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import validateDefinition from 'asl-validator';
import type { Configuration } from '../lib/config.ts';
import { type PolicyFile, readPolicyFile } from '../lib/policy-file.ts';
import { actsInMembers } from '../lib/steps.ts';
import { Synthesized } from './fixture.ts';
import { CONFIGURATIONS, product, STATE_MACHINE, STEPS } from './product.ts';

const DEFINITION = readFileSync(join(STATE_MACHINE, 'incident-response.asl.json'), 'utf8');

interface Statement {
  readonly Sid?: string;
}

/** Puts names and literals where the template has references, so that it reads like the file. */
function readable(node: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(node)) return node.map((element) => readable(element, names));
  if (typeof node !== 'object' || node === null) return node;
  const name = names.get(JSON.stringify(node));
  if (name !== undefined) return name;
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

function onlyPolicy(stack: Synthesized, RoleName: string): unknown {
  const policies = stack.one('AWS::IAM::Role', { RoleName }).Properties['Policies'];
  const [policy] = policies as [{ PolicyDocument: unknown }];
  assert.deepEqual(policies, [policy]);
  return policy.PolicyDocument;
}

for (const configuration of CONFIGURATIONS) {
  const { partition, region, securityAccount } = configuration;
  describe(`in the partition ${partition}`, () => {
    const { security, member } = product(configuration);
    const securityStack = new Synthesized(security);
    const memberStack = new Synthesized(member);

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
        ...STEPS.map(({ name, state }): [string, string] => {
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
        '${ResponsePolicyParameterArn}': `arn:${partition}:ssm:${region}:${securityAccount}:parameter/cordon/response-policy`,
      };
      for (const { name, state, executionPolicy } of STEPS) {
        assert.deepEqual(
          readable(onlyPolicy(securityStack, `Cordon-${state}`), names),
          asDeployed(executionPolicy, {
            ...known,
            '${LogGroupArn}': `arn:${partition}:logs:${region}:${securityAccount}:log-group:/aws/lambda/cordon-${name}`,
          }),
        );
      }
      assert.deepEqual(
        readable(onlyPolicy(securityStack, 'Cordon-IncidentResponse'), names),
        asDeployed(readPolicyFile(join(STATE_MACHINE, 'execution-policy.json')), known),
      );
    });

    it("each role's policy in a member account is its file", () => {
      const names = new Map([
        ['{"Ref":"AWS::Partition"}', '${AWS::Partition}'],
        ['{"Ref":"AWS::AccountId"}', '${AWS::AccountId}'],
      ]);
      for (const { state, memberPolicy } of STEPS.filter(actsInMembers)) {
        assert.deepEqual(
          readable(onlyPolicy(memberStack, `SecurityRemediation-${state}`), names),
          asDeployed(memberPolicy, {
            // One protected principal is configured, so the list is this one element.
            '${ProtectedPrincipalArns}': configuration.protectedPrincipals.join(),
          }),
        );
      }
    });

    it('each member role trusts the role of one function', () => {
      const trusted = memberStack.all('AWS::IAM::Role').map(({ Properties }) => {
        const { Statement } = Properties['AssumeRolePolicyDocument'] as {
          Statement: { Principal: unknown }[];
        };
        return [
          Properties['RoleName'],
          Statement.map(({ Principal }) =>
            readable(Principal, new Map([['{"Ref":"AWS::Partition"}', partition]])),
          ),
        ];
      });
      assert.deepEqual(
        trusted,
        STEPS.filter(actsInMembers).map(({ state }) => {
          const caller = {
            AWS: `arn:${partition}:iam::${securityAccount}:role/cordon/Cordon-${state}`,
          };
          return [`SecurityRemediation-${state}`, [caller, caller]];
        }),
      );
    });

    it('every ARN is of that partition', () => {
      const partitions = [securityStack, memberStack].flatMap(({ json }) => [
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
        assert.ok(JSON.stringify(Properties['EventPattern']).length <= 2_048);
      }
    });

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

    it('the definition, filled in, is a valid state machine', () => {
      const filled = filledIn(configuration);
      const { isValid, errorsText } = validateDefinition(filled);
      assert.equal(isValid, true, errorsText('\n'));
    });
  });
}

function filledIn({ partition, region, securityAccount }: Configuration): object {
  const arn = (rest: string) =>
    `arn:${partition}:${rest.replace('-:-', `${region}:${securityAccount}`)}`;
  const values: Record<string, string> = {
    Partition: partition,
    AlertTopicArn: arn('sns:-:-:Responders'),
    ResponsePolicyParameter: '/cordon/response-policy',
    ContainmentsTable: 'cordon-containments',
    ConsoleUrl: 'https://console.example.com',
    ...Object.fromEntries(
      STEPS.map(({ name, state }) => [
        `${state}FunctionArn`,
        arn(`lambda:-:-:function:cordon-${name}`),
      ]),
    ),
  };
  return JSON.parse(
    DEFINITION.replace(/\$\{(\w+)\}/g, (_, name) => values[name] ?? assert.fail(name)),
  );
}

describe('the policy files', () => {
  const files = [
    readPolicyFile(join(STATE_MACHINE, 'execution-policy.json')),
    ...STEPS.flatMap(({ executionPolicy, memberPolicy }) =>
      memberPolicy === undefined ? [executionPolicy] : [executionPolicy, memberPolicy],
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

it('the member template can be deployed without a bucket', () => {
  const [configuration] = CONFIGURATIONS;
  assert.ok(configuration);
  const template = new Synthesized(product(configuration).member).json;
  // AWS CloudFormation quotas: 51,200 bytes in a request.
  assert.ok(JSON.stringify(template).length < 51_200);
});
