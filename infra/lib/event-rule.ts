import { Duration, Stack } from 'aws-cdk-lib';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';

/** An event pattern, as EventBridge's PutRule takes it. */
export type EventPattern = Readonly<Record<string, unknown>>;

/** What a rule waits for: events, or a time. */
export type Occasion = { readonly pattern: EventPattern } | { readonly schedule: string };

export interface EventRuleOptions {
  readonly name: string;
  readonly description: string;
  readonly targets: readonly Pick<
    CfnRule.TargetProperty,
    'id' | 'arn' | 'roleArn' | 'input' | 'inputTransformer'
  >[];
  /** What it means that events are in the queue, and what a person should do about them. */
  readonly ifUndelivered: string;
}

export type EventRuleProps = EventRuleOptions & Occasion;

/**
 * A template of several lines, which a mail then has, each with its quotes (GuardDuty User Guide,
 * "Creating an EventBridge rule to send SNS notifications").
 */
export function quotedLines(...lines: readonly string[]): string {
  return lines.map((line) => `"${line}"`).join('\n');
}

/** A rule, and a queue for the events that did not reach a target of it. */
export class EventRule extends Construct {
  readonly ruleName: string;
  readonly undelivered: Queue;
  readonly ifUndelivered: string;
  /** Whether it comes again by itself, so that nothing is lost where it fails. */
  readonly recurs: boolean;

  constructor(scope: Construct, id: string, props: EventRuleProps) {
    super(scope, id);
    this.ruleName = props.name;
    this.ifUndelivered = props.ifUndelivered;
    this.recurs = 'schedule' in props;

    this.undelivered = new Queue(this, 'Undelivered', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    this.undelivered.addToResourcePolicy(
      new PolicyStatement({
        sid: 'TheRuleSends',
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal('events.amazonaws.com')],
        actions: ['sqs:SendMessage'],
        resources: [this.undelivered.queueArn],
        conditions: { ArnEquals: { 'aws:SourceArn': ruleArn(this, props.name) } },
      }),
    );

    new CfnRule(this, 'Rule', {
      name: props.name,
      description: props.description,
      ...('pattern' in props
        ? { eventPattern: props.pattern }
        : { scheduleExpression: props.schedule }),
      targets: props.targets.map((target) => ({
        ...target,
        deadLetterConfig: { arn: this.undelivered.queueArn },
        // An hour, not EventBridge's day: by then a person should be looking after the event,
        // and is told by the alarm on the queue.
        retryPolicy: { maximumEventAgeInSeconds: Duration.hours(1).toSeconds() },
      })),
    });
  }
}

/** By its name, so that the role and the queue of a rule can name it before it exists. */
export function ruleArn(scope: Construct, name: string): string {
  return Stack.of(scope).formatArn({ service: 'events', resource: 'rule', resourceName: name });
}
