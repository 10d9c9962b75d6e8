import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Synthesized } from './fixture.ts';
import { CONFIGURATIONS, product } from './product.ts';

/** AWS CloudFormation quotas: bytes of a template's body in a request, and in a StackSet. */
const MOST_BYTES = 51_200;

const [configuration] = CONFIGURATIONS;
assert.ok(configuration);
const { member, organization } = product(configuration);
const stack = new Synthesized(organization);

describe('the stack for an organization', () => {
  it('is a StackSet for the accounts of some OUs, and nothing else', () => {
    const { Description, Resources, Conditions, ...rest } = stack.json;
    assert.deepEqual(stack.census(), { 'AWS::CloudFormation::StackSet': 1 });
    assert.deepEqual(rest, {});
    const { TemplateBody, ...properties } = stack.one('AWS::CloudFormation::StackSet').Properties;
    assert.deepEqual(properties, {
      StackSetName: 'CordonMember',
      Description: 'Cordon: the roles that contain principals in this account, one for each step',
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
    assert.deepEqual(Conditions, {
      Delegated: { 'Fn::Equals': [{ Ref: 'AWS::AccountId' }, '111111111111'] },
    });
  });

  it("gives each account the member stack's template", () => {
    const body = stack.one('AWS::CloudFormation::StackSet').Properties['TemplateBody'];
    assert.deepEqual(JSON.parse(body as string), new Synthesized(member).json);
  });

  it('fits into a request, however many principals people protect', () => {
    const many = product({
      ...configuration,
      protectedPrincipals: Array.from({ length: 100 }, (_, n) =>
        `arn:aws:iam::*:role/${n}`.padEnd(80, 'p'),
      ),
    });
    const synthesized = new Synthesized(many.organization);
    const body = synthesized.one('AWS::CloudFormation::StackSet').Properties['TemplateBody'];
    assert.ok(Buffer.byteLength(body as string) < MOST_BYTES);
    // As CDK writes it, which sends it as it is.
    assert.ok(Buffer.byteLength(JSON.stringify(synthesized.json, null, 1)) < MOST_BYTES);
  });
});
