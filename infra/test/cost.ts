import { readFileSync } from 'node:fs';
import { METRICS } from '../lib/metrics.ts';
import type { Synthesized } from './fixture.ts';
import { assigned, computed, statesIn } from './machine.ts';

/**
 * List prices of us-east-1 in dollars, without a free tier or a discount. eu-central-1 differs in
 * logs (0.63), DynamoDB, S3 and X-Ray by less than a third.
 */
const PRICES = {
  /** https://aws.amazon.com/step-functions/pricing/: 0.025 for 1,000. */
  transition: 0.025 / 1e3,
  /**
   * https://aws.amazon.com/lambda/pricing/: 0.20 for a million, and 0.0000166667 a GB and second on
   * x86, which is the dearer. A second each, which no step comes near, cold starts included.
   */
  function: 0.2 / 1e6 + 0.5 * 0.0000166667,
  /** https://aws.amazon.com/sns/pricing/: 0.50 for a million, and 2.00 for 100,000 mails. */
  publish: 0.5 / 1e6 + 2 * (2 / 1e5),
  /** https://aws.amazon.com/kms/pricing/: 0.03 for 10,000; a publish takes two. */
  decrypt: 0.03 / 1e4,
  key: 1,
  /** https://aws.amazon.com/dynamodb/pricing/on-demand/: 0.625 for a million. */
  count: 0.625 / 1e6,
  /** https://aws.amazon.com/s3/pricing/: 0.005 for 1,000, and 0.023 a GB and month; for a year. */
  object: 0.005 / 1e3 + (0.023 * 12 * 100) / 1e6,
  /** https://aws.amazon.com/cloudwatch/pricing/: 0.50 a GB, and 0.03 a GB and month; for a year. */
  logKilobyte: (0.5 + 0.03 * 12) / 1e6,
  alarmedMetric: 0.1,
  metric: 0.3,
  dashboard: 3,
  /** https://aws.amazon.com/xray/pricing/: 5.00 for a million. */
  trace: 5 / 1e6,
};

export interface Usage {
  readonly transitions: number;
  readonly functions: number;
  readonly publishes: number;
  readonly counted: number;
  readonly objects: number;
  readonly logKilobytes: number;
}

/** What executions were seen to take; an integration trial holds it. */
export const USAGE = JSON.parse(
  readFileSync(new URL('usage.json', import.meta.url), 'utf8'),
) as Readonly<Record<'contained' | 'left' | 'ignored', Usage>>;

/** What one execution costs; each mail goes to two people. */
export function execution(usage: Usage): number {
  return (
    usage.transitions * PRICES.transition +
    usage.functions * PRICES.function +
    usage.publishes * (PRICES.publish + 2 * PRICES.decrypt) +
    usage.counted * PRICES.count +
    usage.objects * PRICES.object +
    usage.logKilobytes * PRICES.logKilobyte +
    PRICES.trace
  );
}

/**
 * What a month costs in which nothing happens, in the years from the third on: a key costs a dollar
 * more from its first and from its second rotation on.
 */
export function fixed(security: Synthesized): number {
  const alarmed = security
    .all('AWS::CloudWatch::Alarm')
    .map(({ Properties }) => (Properties['Metrics'] as readonly unknown[] | undefined)?.length ?? 1)
    .reduce((sum, metrics) => sum + metrics, 0);
  return (
    alarmed * PRICES.alarmedMetric +
    METRICS.length * PRICES.metric +
    security.all('AWS::CloudWatch::Dashboard').length * PRICES.dashboard +
    security.all('AWS::KMS::Key').length * 3 * PRICES.key
  );
}

/** What happens in a month for each account, on the average of many. */
const A_MONTH = { contained: 0.1, left: 1, ignored: 50 } as const;

/** What a month costs beyond what is fixed. */
export function month(accounts: number): number {
  const ends = Object.entries(A_MONTH) as [keyof typeof A_MONTH, number][];
  return ends.reduce((sum, [end, times]) => sum + accounts * times * execution(USAGE[end]), 0);
}

const READINESS = statesIn('readiness.asl.json', {
  ListAccounts: 'securityhub:listMembers',
  CentralAccounts: '[]',
});

/**
 * What readiness costs in a month beyond its alarms, where each week there is something to tell:
 * a check a week, and each day a look for redrives. Its metrics are paid for in the hours in which
 * they are reported, so for next to nothing.
 */
export async function readiness(accounts: number): Promise<number> {
  const functions = READINESS.get('Begin')?.Assign?.['functions'] ?? null;
  const ids = ','.padEnd(accounts * ',111111111111'.length, '1');
  const { size = null } = await assigned(READINESS.get('AreThereMore')?.Assign, { ids }, {});
  const items = await computed(READINESS.get('Steps')?.Items, { functions, ids, size }, {});
  const asked = (items as readonly unknown[]).length;
  const listed = Math.ceil(accounts / 50);
  const idKilobytes = ids.length / 1e3;
  const check: Usage = {
    // What is entered once: Begin, WhatToCheck, ReadResponsePolicy, DescribeRule, CountResponders,
    // DescribeOrganization, Steps, CompareReadiness, WriteReadiness, WhetherToTell, TellReadiness,
    // StoreReadiness, Ready.
    transitions: 13 + 2 * listed + asked,
    functions: asked + 3,
    publishes: 1,
    counted: 0,
    objects: 1,
    // Each page leaves what it was answered and all ids so far; each step of a page its accounts.
    logKilobytes: 50 + listed * (15 + idKilobytes) + 10 * asked + 4 * idKilobytes,
  };
  const look: Usage = {
    transitions: 10,
    functions: 0,
    publishes: 0,
    counted: 0,
    objects: 0,
    logKilobytes: 50,
  };
  return (execution(check) * 52 + execution(look) * 365) / 12;
}
