import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findingPatterns } from '../lib/finding-patterns.ts';
import { METRICS } from '../lib/metrics.ts';
import { ref, Synthesized } from './fixture.ts';
import { CONFIGURATIONS, product } from './product.ts';

const [configuration] = CONFIGURATIONS;
assert.ok(configuration);
const stack = new Synthesized(product(configuration).security);
const operations = stack.one('AWS::SNS::Topic', { DisplayName: 'Cordon operations' }).id;

/** What an alarm goes by, without its words. */
function alarm(MetricName: string, Statistic: string): Readonly<Record<string, unknown>> {
  const { AlarmDescription, ...how } = stack.one('AWS::CloudWatch::Alarm', {
    MetricName,
    Statistic,
  }).Properties;
  assert.equal(typeof AlarmDescription, 'string');
  assert.deepEqual(how['AlarmActions'], [ref(operations)]);
  return how;
}

describe('how soon and how much it answers', () => {
  it('is measured by what the functions write', () => {
    assert.deepEqual(
      METRICS.map(({ namespace, metricName, dimensionsMap }) => [
        namespace,
        metricName,
        dimensionsMap?.['Verdict'],
      ]),
      [
        ['Cordon', 'Findings', 'Contain'],
        ['Cordon', 'Findings', 'Escalate'],
        ['Cordon', 'Findings', 'Ignore'],
        ['Cordon', 'TimeUntilDenied', undefined],
        ['Cordon', 'TimeUntilContained', undefined],
      ],
    );
  });

  it('is told to operations where it is late, or too much', () => {
    for (const [metric, statistic, Period, Threshold] of [
      ['TimeUntilDenied', 'Maximum', 60, 60_000],
      ['TimeUntilContained', 'Maximum', 60, 900_000],
      ['TimeUntilDenied', 'SampleCount', 3_600, 20],
    ] as const) {
      const { Namespace, ...how } = alarm(metric, statistic);
      assert.equal(Namespace, 'Cordon');
      assert.deepEqual(how, {
        AlarmActions: [ref(operations)],
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
        EvaluationPeriods: 1,
        MetricName: metric,
        Period,
        Statistic: statistic,
        Threshold,
        TreatMissingData: 'notBreaching',
      });
    }
  });

  it('is told to operations where there has been nothing for seven days', () => {
    assert.deepEqual(alarm('MatchedEvents', 'Sum'), {
      AlarmActions: [ref(operations)],
      ComparisonOperator: 'LessThanThreshold',
      Dimensions: [{ Name: 'RuleName', Value: 'cordon-member-findings' }],
      EvaluationPeriods: 7,
      MetricName: 'MatchedEvents',
      Namespace: 'AWS/Events',
      Period: 86_400,
      Statistic: 'Sum',
      Threshold: 1,
      TreatMissingData: 'breaching',
    });
  });

  for (const configuration of CONFIGURATIONS) {
    const { findings, partition, securityAccount } = configuration;
    it(`knows that the feed is on by the findings of members (${findings}, ${partition})`, () => {
      const { security } = product(configuration);
      const name = 'cordon-member-findings';
      const { Properties } = new Synthesized(security).one('AWS::Events::Rule', { Name: name });
      assert.deepEqual(Properties, {
        Name: name,
        Description: 'Cordon: findings of other accounts than this one, to see that there are any',
        EventPattern: findingPatterns(findings, partition, securityAccount).ofMembers,
      });
    });
  }

  it('is on one dashboard, with every alarm', () => {
    const { Properties } = stack.one('AWS::CloudWatch::Dashboard');
    assert.equal(Properties['DashboardName'], 'Cordon');
    const body = JSON.stringify(Properties['DashboardBody']).replaceAll('\\', '');
    for (const { metricName, dimensionsMap } of METRICS) {
      const dimension = dimensionsMap ? `,"Verdict","${dimensionsMap['Verdict']}"` : '';
      assert.ok(body.includes(`"Cordon","${metricName}"${dimension}`), metricName);
    }
    for (const id of stack.ids('AWS::CloudWatch::Alarm')) {
      assert.ok(body.includes(JSON.stringify({ 'Fn::GetAtt': [id, 'Arn'] })), id);
    }
  });
});
