import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Synthesized } from './fixture.ts';
import { OPTIONAL, product, WITH_ALL_OPTIONS } from './product.ts';

describe('with all that is optional', () => {
  const { app, security, member } = product(WITH_ALL_OPTIONS);
  const stacks = [new Synthesized(security), new Synthesized(member)];
  const resources = stacks.flatMap((stack) => Object.values(stack.resources));
  const all = (type: string) => resources.filter(({ Type }) => Type === type);

  it('every resource that can have tags has them', () => {
    const expected = Object.entries(OPTIONAL.tags).map(([Key, Value]) => ({ Key, Value }));
    const without = new Set<string>();
    for (const { Type, Properties } of resources) {
      const tags = Properties['Tags'];
      if (tags === undefined) without.add(Type);
      else assert.deepEqual(tags, Type === 'AWS::SSM::Parameter' ? OPTIONAL.tags : expected, Type);
    }
    // What has no `Tags` in CloudFormation's resource reference.
    assert.deepEqual([...without].sort(), [
      'AWS::IAM::ManagedPolicy',
      'AWS::S3::BucketPolicy',
      'AWS::SNS::Subscription',
      'AWS::SNS::TopicPolicy',
      'AWS::SQS::QueuePolicy',
    ]);
  });

  it('each stack hands the tags on to CloudFormation', () => {
    for (const { tags } of app.synth().stacks) assert.deepEqual(tags, OPTIONAL.tags);
  });

  it('every role is bounded by the policy of its own account', () => {
    const [ofSecurity, ofMembers] = stacks.map((stack) => {
      const roles = stack.all('AWS::IAM::Role');
      return new Set(
        roles.map(({ Properties }) => JSON.stringify(Properties['PermissionsBoundary'])),
      );
    });
    const { account } = security;
    assert.deepEqual(
      [...(ofSecurity ?? [])],
      [`"arn:aws:iam::${account}:policy/boundaries/Cordon"`],
    );
    assert.deepEqual(
      [...(ofMembers ?? [])],
      [
        JSON.stringify({
          'Fn::Join': [
            '',
            [
              'arn:',
              { Ref: 'AWS::Partition' },
              ':iam::',
              { Ref: 'AWS::AccountId' },
              ':policy/boundaries/Cordon',
            ],
          ],
        }),
      ],
    );
  });

  it('every log group keeps its logs for the days that are set', () => {
    const kept = all('AWS::Logs::LogGroup').map(({ Properties }) => Properties['RetentionInDays']);
    assert.deepEqual(new Set(kept), new Set([OPTIONAL.logRetentionDays]));
  });

  it('evidence is locked as it is set', () => {
    const [bucket] = all('AWS::S3::Bucket');
    assert.deepEqual(bucket?.Properties['ObjectLockConfiguration'], {
      ObjectLockEnabled: 'Enabled',
      Rule: {
        DefaultRetention: { Days: WITH_ALL_OPTIONS.evidenceRetentionDays, Mode: 'COMPLIANCE' },
      },
    });
  });
});
