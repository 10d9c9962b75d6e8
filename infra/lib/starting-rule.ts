import { Construct } from 'constructs';
import { type EventPattern, EventRule, ruleArn } from './event-rule.ts';
import { ServiceRole } from './service-role.ts';

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

    const role = new ServiceRole(this, 'Role', {
      purpose: id,
      description: `Cordon: the rule ${name}, which starts the state machine`,
      service: 'events.amazonaws.com',
      trust: 'OnlyThisRule',
      sourceArn: ruleArn(this, name),
      policy: {
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
    });
    this.rule = new EventRule(this, 'Rule', {
      name,
      description,
      pattern,
      targets: [{ id: 'IncidentResponse', arn: stateMachineArn, roleArn: role.arn }],
      ifUndelivered: `Findings did not start the state machine, so nothing was contained. Read the messages in the queue, mend what their attributes name, then have each start its execution: make replay CONFIG=cordon.json RULE=${name}`,
    });
  }
}
