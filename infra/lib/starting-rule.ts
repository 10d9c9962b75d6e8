import { Stack } from 'aws-cdk-lib';
import { CfnRole } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { type EventPattern, EventRule, ruleArn } from './event-rule.ts';
import { ROLE_PATH, securityRoleName } from './names.ts';

export interface StartingRuleProps {
  readonly name: string;
  readonly description: string;
  readonly pattern: EventPattern;
  readonly stateMachineArn: string;
}

/** Starts one execution of the state machine for each event, with the whole event as its input. */
export class StartingRule extends Construct {
  readonly rule: EventRule;

  constructor(scope: Construct, id: string, props: StartingRuleProps) {
    super(scope, id);
    const { name, description, pattern, stateMachineArn } = props;

    const role = new CfnRole(this, 'Role', {
      path: ROLE_PATH,
      roleName: securityRoleName(id),
      description: `Cordon: the rule ${name}, which starts the state machine`,
      assumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [
          {
            Sid: 'OnlyThisRule',
            Effect: 'Allow',
            Principal: { Service: 'events.amazonaws.com' },
            Action: 'sts:AssumeRole',
            Condition: {
              StringEquals: { 'aws:SourceAccount': Stack.of(this).account },
              ArnEquals: { 'aws:SourceArn': ruleArn(this, name) },
            },
          },
        ],
      },
      policies: [
        {
          policyName: id,
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
    this.rule = new EventRule(this, 'Rule', {
      name,
      description,
      pattern,
      targets: [{ id: 'IncidentResponse', arn: stateMachineArn, roleArn: role.attrArn }],
      ifUndelivered: `Findings did not start the state machine, so nothing was contained. Read the messages in the queue, mend what their attributes name, then have each start its execution: make replay CONFIG=cordon.json RULE=${name}`,
    });
  }
}
