import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemberStack } from '../lib/member-stack.ts';
import { discoverSteps } from '../lib/steps.ts';
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
      {
        Sid: 'NeverThese',
        Effect: 'Deny',
        Action: '*',
        Resource: ['arn:${AWS::Partition}:iam::*:role/cordon/*', '${ProtectedPrincipalArns}'],
      },
    ],
  },
});

describe('the member stack', () => {
  const stack = new Synthesized(
    new MemberStack(app(), 'CordonMember', {
      configuration: configuration(),
      steps: discoverSteps(functions),
    }),
  );

  it('is a role for each step that acts in members, and nothing else', () => {
    const { Description, Resources, ...rest } = stack.json;
    assert.deepEqual(stack.census(), { 'AWS::IAM::Role': 1 });
    assert.deepEqual(rest, {});
  });

  it('opens each role to one function, for one incident at a time', () => {
    const caller = {
      AWS: {
        'Fn::Join': [
          '',
          [
            'arn:',
            { Ref: 'AWS::Partition' },
            ':iam::111111111111:role/cordon/Cordon-DetachPolicies',
          ],
        ],
      },
    };
    assert.deepEqual(stack.one('AWS::IAM::Role').Properties, {
      Path: '/cordon/',
      RoleName: 'SecurityRemediation-DetachPolicies',
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
              StringEquals: {
                'sts:ExternalId': 'cordon-f00d',
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
                  'Fn::Join': [
                    '',
                    [
                      'arn:',
                      { Ref: 'AWS::Partition' },
                      ':iam::',
                      { Ref: 'AWS::AccountId' },
                      ':user/*',
                    ],
                  ],
                },
              },
              {
                Sid: 'NeverThese',
                Effect: 'Deny',
                Action: '*',
                Resource: [
                  {
                    'Fn::Join': ['', ['arn:', { Ref: 'AWS::Partition' }, ':iam::*:role/cordon/*']],
                  },
                  'arn:aws:iam::*:role/break-glass',
                  'arn:aws:iam::*:user/break-glass',
                ],
              },
            ],
          },
        },
      ],
    });
  });
});
