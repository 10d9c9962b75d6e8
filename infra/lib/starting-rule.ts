import { Construct } from 'constructs';
import { EventRule, type Occasion, ruleArn } from './event-rule.ts';
import { ServiceRole } from './service-role.ts';

export interface StartingRuleOptions {
  readonly name: string;
  readonly description: string;
  /** The state machine's name, as that of a state. */
  readonly starts: string;
  readonly stateMachineArn: string;
  /** The execution's input; the whole event unless set. */
  readonly input?: string;
  /** What it means that events are in the queue, and what a person should do about them. */
  readonly ifUndelivered: string;
}

export type StartingRuleProps = StartingRuleOptions & Occasion;

/** Starts one execution of a state machine for each event. */
export class StartingRule extends Construct {
  readonly rule: EventRule;

  constructor(scope: Construct, id: string, props: StartingRuleProps) {
    super(scope, id);
    const { name, starts, stateMachineArn, input, ...rule } = props;

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
            Sid: `StartThe${starts}`,
            Effect: 'Allow',
            Action: 'states:StartExecution',
            Resource: stateMachineArn,
          },
        ],
      },
    });
    this.rule = new EventRule(this, 'Rule', {
      name,
      ...rule,
      targets: [
        {
          id: starts,
          arn: stateMachineArn,
          roleArn: role.arn,
          ...(input !== undefined && { input }),
        },
      ],
    });
  }
}
