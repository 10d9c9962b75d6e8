import { Duration } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { EventRule, quotedLines } from './event-rule.ts';

export interface OperationsProps {
  readonly operations: Topic;
  readonly responders: Topic;
  readonly stateMachineArn: string;
  readonly responsePolicyName: string;
  readonly readinessMachineArn: string;
  readonly restoreMachineArn: string;
  /** The rules that start the state machines, and tell of findings. */
  readonly starting: readonly EventRule[];
}

interface ExecutionRuleProps {
  readonly name: string;
  /** What the event's detail says. */
  readonly ended: Readonly<Record<string, unknown>>;
  /** How they ended, in the words of the event. */
  readonly how: string;
  readonly paths: Readonly<Record<string, string>>;
}

interface AlarmProps {
  readonly namespace: string;
  readonly metricName: string;
  /** None for what is counted in the whole account. */
  readonly dimensions?: Readonly<Record<string, string>>;
  readonly statistic: 'Sum' | 'Maximum';
  /** What happened, and what a person should do. */
  readonly description: string;
}

/**
 * The second signal, for what the state machine cannot report itself. Step Functions delivers
 * status changes on a best-effort basis, so alarms stand beside the rule.
 */
export class Operations extends Construct {
  /** Every alarm of it. */
  readonly alarms: Alarm[] = [];
  private readonly action: SnsAction;

  constructor(scope: Construct, id: string, props: OperationsProps) {
    super(scope, id);
    this.action = new SnsAction(props.operations);

    this.executionAlarm(
      'ExecutionsFailed',
      props.stateMachineArn,
      'An incident response failed. Responders were told which step and why, unless the rule cordon-execution-failed reported it here: open the execution, fix what blocked it, redrive it.',
    );
    this.executionAlarm(
      'ExecutionsTimedOut',
      props.stateMachineArn,
      'An incident response ran out of time, and nobody else was told. Open the execution, find the state that hung, fix it, redrive the execution.',
    );
    this.executionAlarm(
      'ExecutionsAborted',
      props.stateMachineArn,
      'Somebody stopped an incident response. Find out who and why (CloudTrail: StopExecution); redrive the execution unless it was meant.',
    );
    // One that somebody stopped comes again, unlike an incident.
    for (const metricName of ['ExecutionsFailed', 'ExecutionsTimedOut']) {
      this.executionAlarm(
        metricName,
        props.readinessMachineArn,
        'Nobody knows which accounts can be entered, or which failed executions wait for a redrive: a check of it did not end. Unless a mail says what failed, open the execution of cordon-readiness; mend it, then check again: make readiness, make pending.',
        `Readiness${metricName}`,
      );
    }
    for (const rule of [
      ...props.starting,
      ...this.executionRules(props),
      this.responsePolicyRule(props),
    ]) {
      this.alarm(`Undelivered-${rule.ruleName}`, {
        namespace: 'AWS/SQS',
        metricName: 'ApproximateNumberOfMessagesVisible',
        dimensions: { QueueName: rule.undelivered.queueName },
        statistic: 'Maximum',
        description: rule.ifUndelivered,
      });
      if (rule.recurs) continue;
      this.alarm(`Failing-${rule.ruleName}`, {
        namespace: 'AWS/Events',
        metricName: 'FailedInvocations',
        dimensions: { RuleName: rule.ruleName },
        statistic: 'Sum',
        description: `The rule ${rule.ruleName} failed to invoke its target for good. Check the target, its policy, the rule's role and the topics' key; the events are in the rule's dead-letter queue, but for those that its metric InvocationsFailedToBeSentToDlq counts: find these findings or executions by the time.`,
      });
    }
    this.alarm('RespondersUnreachable', {
      namespace: 'AWS/SNS',
      metricName: 'NumberOfNotificationsFailed',
      dimensions: { TopicName: props.responders.topicName },
      statistic: 'Sum',
      description:
        'Responders were not told of an incident: SNS could not deliver to a subscriber. Tell them, then check the subscriptions of the topic.',
    });
    // No alarm on Errors: a step's named error is how it answers the state machine, which
    // retries it, and tells the responders when that does not help.
    this.alarm('Throttled', {
      namespace: 'AWS/Lambda',
      metricName: 'Throttles',
      statistic: 'Sum',
      description:
        "Lambda throttled functions of this account in this Region, of which Cordon's share the concurrency, so containment may have been late. See on the dashboard Cordon whether they were Cordon's, check the concurrency, redrive executions that failed.",
    });
  }

  /**
   * How executions ended without having told the responders: one rule for those that failed with
   * an error, one for those of which there is none to tell.
   */
  private executionRules(props: OperationsProps): EventRule[] {
    return [
      // States.NoChoiceMatched is how an execution fails once the responders have been told.
      this.executionRule(props, 'ExecutionFailed', {
        name: 'cordon-execution-failed',
        ended: { status: ['FAILED'], error: [{ 'anything-but': ['States.NoChoiceMatched'] }] },
        how: 'FAILED with <error>',
        paths: { error: '$.detail.error' },
      }),
      // The field is null or absent where Step Functions has nothing to say, or leaves it out, as
      // it does under a customer key for the state machine (Step Functions Developer Guide, "Data
      // at rest encryption").
      this.executionRule(props, 'ExecutionEnded', {
        name: 'cordon-execution-ended',
        ended: {
          $or: [
            { status: ['TIMED_OUT', 'ABORTED'] },
            { status: ['FAILED'], error: [null] },
            { status: ['FAILED'], error: [{ exists: false }] },
          ],
        },
        how: '<status>',
        paths: { status: '$.detail.status' },
      }),
    ];
  }

  private executionRule(
    { stateMachineArn, restoreMachineArn, operations }: OperationsProps,
    id: string,
    { name, ended, how, paths }: ExecutionRuleProps,
  ): EventRule {
    return new EventRule(this, id, {
      name,
      description: 'Cordon: executions that ended without having told the responders',
      pattern: {
        source: ['aws.states'],
        'detail-type': ['Step Functions Execution Status Change'],
        detail: { stateMachineArn: [stateMachineArn, restoreMachineArn], ...ended },
      },
      targets: [
        {
          id: 'Operations',
          arn: operations.topicArn,
          inputTransformer: {
            inputPathsMap: {
              ...paths,
              execution: '$.detail.executionArn',
              region: '$.region',
              when: '$.time',
            },
            inputTemplate:
              `"${how} at <when>: <execution>. Responders may not know. With credentials of the security account, see whom it is about: ` +
              '`aws stepfunctions describe-execution --region <region> --execution-arn <execution>`; tell them, mend what blocked it, then redrive it: `aws stepfunctions redrive-execution --region <region> --execution-arn <execution>`"',
          },
        },
      ],
      ifUndelivered:
        'The news of a failed execution could not be published here. Read the messages in the queue, open the executions that they name, mend what the attributes name.',
    });
  }

  /**
   * Whoever may write the response policy can switch everything off, so a change of it never goes
   * unseen. Both topics are told: those who answer incidents, and those who watch over them.
   */
  private responsePolicyRule({ responsePolicyName, ...topics }: OperationsProps): EventRule {
    return new EventRule(this, 'ResponsePolicyChange', {
      name: 'cordon-response-policy',
      description: 'Cordon: changes of the response policy',
      pattern: {
        source: ['aws.ssm'],
        'detail-type': ['Parameter Store Change'],
        detail: { name: [responsePolicyName] },
      },
      targets: [topics.operations, topics.responders].map((topic) => ({
        id: topic.node.id,
        arn: topic.topicArn,
        // Not the parameter's description, which whoever changes it may choose.
        inputTransformer: {
          inputPathsMap: {
            name: '$.detail.name',
            operation: '$.detail.operation',
            account: '$.account',
            region: '$.region',
            when: '$.time',
          },
          inputTemplate: quotedLines(
            'The response policy of Cordon was changed (<operation>).',
            'It happened at <when>, in the account <account>, <region>.',
            'What it says counts for each finding and redrive from then on.',
            'This message has neither the new value nor who set it.',
            'With credentials of that account, see both (Value, LastModifiedUser), the newest last; paste without the quotation marks:',
            'aws ssm get-parameter-history --region <region> --name <name>',
            'The value that counts, alone:',
            'aws ssm get-parameter --region <region> --name <name>',
            'If you did not expect this, find out who did it (also in CloudTrail: PutParameter, DeleteParameter).',
            'Then put back the right one of that history.',
            'After a Delete there is no history, and every incident waits for a policy.',
            '`make deploy` writes that of the configuration, which may be the one of a pilot.',
            'See what it says, and set what people had changed since, by `make policy`, before you redrive anything.',
          ),
        },
      })),
      ifUndelivered:
        'The news of a changed response policy could not be published. Read the policy, and see whether its change was meant; mend what the attributes of the messages in the queue name.',
    });
  }

  private executionAlarm(
    metricName: string,
    stateMachineArn: string,
    description: string,
    id = metricName,
  ): void {
    this.alarm(id, {
      namespace: 'AWS/States',
      metricName,
      dimensions: { StateMachineArn: stateMachineArn },
      statistic: 'Sum',
      description,
    });
  }

  /** One is too many of everything here. */
  private alarm(id: string, props: AlarmProps): void {
    const alarm = new Alarm(this, id, {
      alarmDescription: props.description,
      metric: new Metric({
        namespace: props.namespace,
        metricName: props.metricName,
        ...(props.dimensions && { dimensionsMap: props.dimensions }),
        statistic: props.statistic,
        period: Duration.minutes(1),
      }),
      threshold: 1,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(this.action);
    this.alarms.push(alarm);
  }
}
