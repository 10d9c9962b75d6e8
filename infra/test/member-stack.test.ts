import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemberStack } from '../lib/member-stack.ts';
import { readProtection } from '../lib/shared-deny.ts';
import { discoverSteps } from '../lib/step-folder.ts';
import { app, configuration, folder, Synthesized } from './fixture.ts';

const functions = folder({
  'classify/execution-policy.json': {},
  'detach-policies/execution-policy.json': {},
  'detach-policies/member-policy.json': {
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'Detach',
        Effect: 'Allow',
        Action: 'iam:DetachUserPolicy',
        Resource: 'arn:${AWS::Partition}:iam::${AWS::AccountId}:user/*',
      },
    ],
  },
  'verify/execution-policy.json': {},
  'verify/member-policy.json': {
    Version: '2012-10-17',
    Statement: [{ Sid: 'Read', Effect: 'Allow', Action: ['iam:GetUser'], Resource: '*' }],
  },
  'incident/protected.json': [{ resource: 'role/aws-reserved/*', reason: 'r', impostor: false }],
  'member/deny-policy.json': {
    Version: '2012-10-17',
    Statement: [
      { Sid: 'NeverThis', Effect: 'Deny', Action: 'iam:DeleteUser', Resource: '*' },
      { Sid: 'NeverThese', Effect: 'Deny', Action: 'iam:*', Resource: ['${ProtectedArns}'] },
    ],
  },
});

describe('the member stack', () => {
  const stack = new Synthesized(
    new MemberStack(app(), 'CordonMember', {
      configuration: configuration(),
      steps: discoverSteps(functions),
      protection: readProtection(functions),
    }),
  );

  it('is a role for each step that acts in members, a shared Deny, and nothing else', () => {
    const { Description, Resources, ...rest } = stack.json;
    assert.deepEqual(stack.census(), { 'AWS::IAM::ManagedPolicy': 1, 'AWS::IAM::Role': 2 });
    assert.deepEqual(rest, {});
  });

  it('opens each role to one function, for one incident at a time', () => {
    const caller = { AWS: '111111111111' };
    const onlyThisFunction = {
      'aws:PrincipalArn': {
        'Fn::Sub': 'arn:${AWS::Partition}:iam::111111111111:role/cordon/Cordon-DetachPolicies',
      },
    };
    const RoleName = 'SecurityRemediation-DetachPolicies';
    assert.deepEqual(stack.one('AWS::IAM::Role', { RoleName }).Properties, {
      Path: '/cordon/',
      RoleName,
      Description: 'Cordon: what the step DetachPolicies may do in this account',
      MaxSessionDuration: 3600,
      AssumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [
          {
            Sid: 'OnlyThisStepForOneIncident',
            Effect: 'Allow',
            Principal: caller,
            Action: 'sts:AssumeRole',
            Condition: {
              ArnEquals: onlyThisFunction,
              StringEquals: {
                'sts:ExternalId': 'cordon-f00d-f00d-f00d',
                'aws:PrincipalOrgID': 'o-a1b2c3d4e5',
              },
              StringLike: { 'sts:SourceIdentity': 'cordon-*' },
            },
          },
          {
            Sid: 'NameTheIncident',
            Effect: 'Allow',
            Principal: caller,
            Action: 'sts:SetSourceIdentity',
            Condition: {
              ArnEquals: onlyThisFunction,
              StringEquals: { 'aws:PrincipalOrgID': 'o-a1b2c3d4e5' },
              StringLike: { 'sts:SourceIdentity': 'cordon-*' },
            },
          },
        ],
      },
      Policies: [
        {
          PolicyName: 'DetachPolicies',
          PolicyDocument: {
            Version: '2012-10-17',
            Statement: [
              {
                Sid: 'Detach',
                Effect: 'Allow',
                Action: 'iam:DetachUserPolicy',
                Resource: {
                  'Fn::Sub': 'arn:${AWS::Partition}:iam::${AWS::AccountId}:user/*',
                },
              },
            ],
          },
        },
      ],
      ManagedPolicyArns: [{ Ref: stack.one('AWS::IAM::ManagedPolicy').id }],
    });
  });

  it('denies by one policy what no role may do that changes something', () => {
    assert.deepEqual(stack.one('AWS::IAM::ManagedPolicy').Properties, {
      Path: '/cordon/',
      ManagedPolicyName: 'SecurityRemediation-Deny-1',
      Description: 'Cordon: what none of its roles may do that change something',
      PolicyDocument: {
        Version: '2012-10-17',
        Statement: [
          { Sid: 'NeverThis', Effect: 'Deny', Action: 'iam:DeleteUser', Resource: '*' },
          {
            Sid: 'NeverThese',
            Effect: 'Deny',
            Action: 'iam:*',
            Resource: [
              {
                'Fn::Sub': 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/aws-reserved/*',
              },
              'arn:aws:iam::*:role/break-glass',
              'arn:aws:iam::*:user/break-glass',
            ],
          },
        ],
      },
    });
  });

  it('leaves roles that only read without the Deny', () => {
    const reading = stack.one('AWS::IAM::Role', { RoleName: 'SecurityRemediation-Verify' });
    assert.equal(reading.Properties['ManagedPolicyArns'], undefined);
  });
});
