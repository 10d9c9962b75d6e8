import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resourcesIn, retained } from '../commands/stacks.ts';

describe('A deployed stack', () => {
  it('has the resources of its template, and none before its first change set is executed', () => {
    const resources = { Topic: { Type: 'AWS::SNS::Topic' } };
    assert.deepEqual(resourcesIn(JSON.stringify({ Resources: resources })), resources);
    assert.deepEqual(resourcesIn('Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n'), resources);
    assert.deepEqual(resourcesIn(''), {});
  });

  it('leaves behind what is retained and was not rolled back', () => {
    const bucket = { Type: 'AWS::S3::Bucket', DeletionPolicy: 'Retain' };
    const logs = { Type: 'AWS::Logs::LogGroup', DeletionPolicy: 'RetainExceptOnCreate' };
    const topic = { Type: 'AWS::SNS::Topic' };
    const resources = { Evidence: bucket, Logs: logs, Gone: logs, Never: logs, Topic: topic };
    const summary = (
      LogicalResourceId: string,
      ResourceStatus: 'CREATE_COMPLETE' | 'CREATE_FAILED' | 'DELETE_COMPLETE' | 'DELETE_SKIPPED',
      PhysicalResourceId?: string,
    ) => ({
      LogicalResourceId,
      ResourceStatus,
      ...(PhysicalResourceId !== undefined && { PhysicalResourceId }),
      ResourceType: '',
      LastUpdatedTimestamp: new Date(0),
    });
    const stays = retained(resources, [
      summary('Logs', 'CREATE_COMPLETE', '/aws/lambda/cordon-verify'),
      summary('Evidence', 'DELETE_SKIPPED', 'evidence'),
      summary('Gone', 'DELETE_COMPLETE', '/aws/lambda/cordon-triage'),
      summary('Never', 'CREATE_FAILED'),
      summary('Topic', 'CREATE_COMPLETE', 'arn:aws:sns:eu-west-1:111111111111:topic'),
    ]);
    assert.deepEqual(stays, [
      'AWS::Logs::LogGroup /aws/lambda/cordon-verify',
      'AWS::S3::Bucket evidence',
    ]);
  });
});
