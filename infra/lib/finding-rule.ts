import { Duration, Stack } from 'aws-cdk-lib';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import { CfnRole } from 'aws-cdk-lib/aws-iam';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { securityRoleName, ROLE_PATH } from './names.ts';
import { UndeliveredEvents } from './undelivered-events.ts';

export interface FindingRuleProps {
  readonly stateMachineArn: string;
  readonly alertTopicArn: string;
}

/**
 * Takes each new HIGH or CRITICAL finding to the state machine, and the bare fact of it to the
 * responders, who so hear of it even if nothing else works.
 */
export class FindingRule extends Construct {
  readonly ruleName = 'cordon-findings';
  readonly undelivered: Queue;

  constructor(scope: Construct, id: string, { stateMachineArn, alertTopicArn }: FindingRuleProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const ruleArn = stack.formatArn({
      service: 'events',
      resource: 'rule',
      resourceName: this.ruleName,
    });
    this.undelivered = new UndeliveredEvents(this, 'Undelivered', { ruleArn }).queue;
    const delivery = {
      deadLetterConfig: { arn: this.undelivered.queueArn },
      // An hour, not EventBridge's day: by then a person should be looking after the finding, and
      // is told by the alarm on the queue.
      retryPolicy: { maximumEventAgeInSeconds: Duration.hours(1).toSeconds() },
    };

    const role = new CfnRole(this, 'Role', {
      path: ROLE_PATH,
      roleName: securityRoleName('Findings'),
      description: 'Cordon: the rule that starts the state machine',
      assumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [
          {
            Sid: 'OnlyThisRule',
            Effect: 'Allow',
            Principal: { Service: 'events.amazonaws.com' },
            Action: 'sts:AssumeRole',
            Condition: {
              StringEquals: { 'aws:SourceAccount': stack.account },
              ArnEquals: { 'aws:SourceArn': ruleArn },
            },
          },
        ],
      },
      policies: [
        {
          policyName: 'Findings',
          policyDocument: {
            Version: '2012-10-17',
            Statement: [
              {
                Sid: 'StartTheIncidentResponse',
                Effect: 'Allow',
                Action: 'states:StartExecution',
                Resource: stateMachineArn,
              },
            ],
          },
        },
      ],
    });

    new CfnRule(this, 'Rule', {
      name: this.ruleName,
      description: 'Cordon: new HIGH and CRITICAL findings of Security Hub',
      eventPattern: {
        source: ['aws.securityhub'],
        'detail-type': ['Security Hub Findings - Imported'],
        detail: {
          findings: {
            Severity: { Label: ['HIGH', 'CRITICAL'] },
            Workflow: { Status: ['NEW'] },
            RecordState: ['ACTIVE'],
          },
        },
      },
      targets: [
        { id: 'IncidentResponse', arn: stateMachineArn, roleArn: role.attrArn, ...delivery },
        {
          id: 'Responders',
          arn: alertTopicArn,
          // No titles or descriptions: whoever may import findings chooses them, and a
          // transformer cleans nothing. The type comes last, because a finding without types
          // leaves its place empty.
          inputTransformer: {
            inputPathsMap: {
              id: '$.detail.findings[0].Id',
              account: '$.detail.findings[0].AwsAccountId',
              severity: '$.detail.findings[0].Severity.Label',
              type: '$.detail.findings[0].Types[0]',
            },
            inputTemplate:
              '"New <severity> finding in account <account>: <id>. Cordon has been started for it; what it did follows. Type: <type>"',
          },
          ...delivery,
        },
      ],
    });
  }
}
