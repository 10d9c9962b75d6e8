import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Synthesized } from './fixture.ts';
import { CONFIGURATIONS, product } from './product.ts';

/** AWS CloudFormation quotas: bytes of a template's body in a request, and in a StackSet. */
const MOST_BYTES = 51_200;

const [configuration] = CONFIGURATIONS;
assert.ok(configuration);
const { member, restore, organization } = product(configuration);
assert.ok(restore);
const stack = new Synthesized(organization);
const stackSet = (StackSetName: string) =>
  stack.one('AWS::CloudFormation::StackSet', { StackSetName }).Properties;

describe('the stack for an organization', () => {
  it('is two StackSets for the accounts of some OUs, and nothing else', () => {
    const { Description, Resources, Conditions, ...rest } = stack.json;
    assert.deepEqual(stack.census(), { 'AWS::CloudFormation::StackSet': 2 });
    assert.deepEqual(rest, {});
    for (const [name, roles] of [
      ['CordonMember', 'the roles that contain principals in this account, one for each step'],
      ['CordonRestore', 'the role that gives contained principals back what they had'],
    ] as const) {
      const { TemplateBody, ...properties } = stackSet(name);
      assert.deepEqual(properties, {
        StackSetName: name,
        Description: `Cordon: ${roles}`,
        PermissionModel: 'SERVICE_MANAGED',
        CallAs: { 'Fn::If': ['Delegated', 'DELEGATED_ADMIN', 'SELF'] },
        Capabilities: ['CAPABILITY_NAMED_IAM'],
        AutoDeployment: { Enabled: true, RetainStacksOnAccountRemoval: false },
        ManagedExecution: { Active: true },
        OperationPreferences: {
          FailureTolerancePercentage: 10,
          MaxConcurrentPercentage: 25,
          ConcurrencyMode: 'SOFT_FAILURE_TOLERANCE',
        },
        StackInstancesGroup: [
          {
            DeploymentTargets: {
              OrganizationalUnitIds: ['ou-ab12-11111111', 'ou-ab12-22222222', 'ou-ab12-33333333'],
              AccountFilterType: 'DIFFERENCE',
              Accounts: ['111111111111', '444444444444', '999999999999'],
            },
            Regions: ['us-east-1'],
          },
        ],
      });
    }
    assert.deepEqual(Conditions, {
      Delegated: { 'Fn::Equals': [{ Ref: 'AWS::AccountId' }, '111111111111'] },
    });
  });

  it("gives each account the member stacks' templates", () => {
    for (const roles of [member, restore]) {
      const { TemplateBody } = stackSet(roles.stackName);
      assert.deepEqual(JSON.parse(TemplateBody as string), new Synthesized(roles).json);
    }
  });

  it('gives no account the role that grants unless restorers are named', () => {
    const { restorers, ...others } = configuration;
    const without = new Synthesized(product({ ...others, restoreGroups: false }).organization);
    assert.ok(restorers);
    const { StackSetName } = without.one('AWS::CloudFormation::StackSet').Properties;
    assert.equal(StackSetName, 'CordonMember');
  });

  it('fits into a request, however many principals people protect', () => {
    const many = product({
      ...configuration,
      protectedPrincipals: Array.from({ length: 100 }, (_, n) =>
        `arn:aws:iam::*:role/${n}`.padEnd(80, 'p'),
      ),
    });
    const synthesized = new Synthesized(many.organization);
    for (const { Properties } of synthesized.all('AWS::CloudFormation::StackSet')) {
      assert.ok(Buffer.byteLength(Properties['TemplateBody'] as string) < MOST_BYTES);
    }
    // As CDK writes it, which sends it as it is.
    assert.ok(Buffer.byteLength(JSON.stringify(synthesized.json, null, 1)) < MOST_BYTES);
  });
});
