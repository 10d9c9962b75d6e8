import { Duration, Stack } from 'aws-cdk-lib';
import {
  Alarm,
  AlarmStatusWidget,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  Metric,
  type MetricProps,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { Findings } from './config.ts';
import { findingPatterns } from './finding-patterns.ts';
import { measured, METRICS } from './metrics.ts';

export interface WatchProps {
  readonly operations: ITopic;
  readonly findings: Findings;
  readonly stateMachineArn: string;
  readonly functionNames: readonly string[];
  /** Those that there are beside the ones made here. */
  readonly alarms: readonly Alarm[];
}

interface WatchAlarmProps {
  readonly metric: MetricProps;
  readonly comparisonOperator?: ComparisonOperator;
  readonly threshold: number;
  readonly evaluationPeriods?: number;
  readonly treatMissingData?: TreatMissingData;
  /** What happened, and what a person should do. */
  readonly description: string;
}

/** The rule that matches what the feed says of other accounts, and does nothing. */
const MEMBER_FINDINGS = 'cordon-member-findings';

/** How soon it answers and how much, on one page; and whether there is anything to answer. */
export class Watch extends Construct {
  private readonly alarms: Alarm[] = [];
  private readonly action: SnsAction;

  constructor(scope: Construct, id: string, props: WatchProps) {
    super(scope, id);
    this.action = new SnsAction(props.operations);

    this.alarm('DeniedLate', {
      metric: { ...measured('TimeUntilDenied'), statistic: 'Maximum', period: Duration.minutes(1) },
      threshold: Duration.minutes(1).toMilliseconds(),
      description:
        'A principal was denied only a minute or more after its execution had started. Open the execution and see what it waited for: throttled functions, IAM, the limits of Security Hub.',
    });
    this.alarm('ContainedLate', {
      metric: {
        ...measured('TimeUntilContained'),
        statistic: 'Maximum',
        period: Duration.minutes(1),
      },
      threshold: Duration.minutes(15).toMilliseconds(),
      description:
        "An incident was contained only a quarter of an hour or more after Security Hub's event. Open the execution: it was redriven, or read back again and again.",
    });
    // Counted by who was denied, since a finding on unused keys is to contain, too, and comes from
    // each Region.
    this.alarm('ManyDenied', {
      metric: {
        ...measured('TimeUntilDenied'),
        statistic: 'SampleCount',
        period: Duration.hours(1),
      },
      threshold: 20,
      description:
        'Twenty principals or more were denied within an hour. Either somebody is all over the organisation, or a product reports what it should not: look at the dashboard Cordon, and set the response policy to observe if it is the latter.',
    });

    // On the default bus EventBridge counts what a rule matches, whether or not it has a target.
    const { partition, account } = Stack.of(this);
    new CfnRule(this, 'MemberFindings', {
      name: MEMBER_FINDINGS,
      description: 'Cordon: findings of other accounts than this one, to see that there are any',
      eventPattern: findingPatterns(props.findings, partition, account).ofMembers,
    });
    // Seven days is the longest that an alarm looks back (CloudWatch API Reference,
    // PutMetricAlarm).
    this.alarm('Silence', {
      metric: {
        namespace: 'AWS/Events',
        metricName: 'MatchedEvents',
        dimensionsMap: { RuleName: MEMBER_FINDINGS },
        statistic: 'Sum',
        period: Duration.days(1),
      },
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      threshold: 1,
      evaluationPeriods: 7,
      treatMissingData: TreatMissingData.BREACHING,
      description:
        'Security Hub has sent no finding of another account than this one for seven days, or none ever, so nobody there would be contained. Where Cordon has just been deployed, wait for the first. Otherwise see whether Security Hub is on and this account its administrator still, with the members associated; whether this Region is its home Region and aggregates the others; whether the feed is the one that is configured as findings; and whether the rules cordon-member-findings and cordon-findings are enabled. make preflight asks Security Hub.',
    });

    this.dashboard(props);
  }

  private dashboard({ stateMachineArn, functionNames, alarms }: WatchProps): void {
    const metric = (props: MetricProps): Metric =>
      new Metric({ statistic: 'Sum', period: Duration.hours(1), ...props });
    const times = ['TimeUntilDenied', 'TimeUntilContained'].flatMap((name) =>
      ['p50', 'Maximum'].map((statistic) =>
        metric({ ...measured(name), statistic, label: `${name} (${statistic})` }),
      ),
    );
    const executions = ['Started', 'Succeeded', 'Failed', 'TimedOut', 'Aborted'].map((how) =>
      metric({
        namespace: 'AWS/States',
        metricName: `Executions${how}`,
        dimensionsMap: { StateMachineArn: stateMachineArn },
        label: how,
      }),
    );
    const byFunction = (metricName: string): Metric[] =>
      functionNames.map((name) =>
        metric({
          namespace: 'AWS/Lambda',
          metricName,
          dimensionsMap: { FunctionName: name },
          label: name,
        }),
      );
    new Dashboard(this, 'Dashboard', {
      dashboardName: 'Cordon',
      defaultInterval: Duration.days(7),
      widgets: [
        [
          new AlarmStatusWidget({
            title: 'Alarms',
            width: 24,
            alarms: [...alarms, ...this.alarms],
          }),
        ],
        [
          new GraphWidget({
            title: 'Findings by verdict',
            left: METRICS.filter(({ metricName }) => metricName === 'Findings').map((one) =>
              metric({ ...one, label: one.dimensionsMap?.['Verdict'] ?? one.metricName }),
            ),
          }),
          new GraphWidget({ title: 'Until denied, until contained (ms)', left: times }),
          new GraphWidget({ title: 'Executions', left: executions }),
          new GraphWidget({
            title: "Members' findings",
            left: [
              metric({
                namespace: 'AWS/Events',
                metricName: 'MatchedEvents',
                dimensionsMap: { RuleName: MEMBER_FINDINGS },
              }),
            ],
          }),
        ],
        [
          new GraphWidget({
            title: 'Throttled',
            width: 12,
            left: byFunction('Throttles'),
          }),
          new GraphWidget({
            title: 'Errors, which the state machine answers',
            width: 12,
            left: byFunction('Errors'),
          }),
        ],
      ],
    });
  }

  private alarm(id: string, { metric, description, ...how }: WatchAlarmProps): void {
    const alarm = new Alarm(this, id, {
      alarmDescription: description,
      metric: new Metric(metric),
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      ...how,
    });
    alarm.addAlarmAction(this.action);
    this.alarms.push(alarm);
  }
}
