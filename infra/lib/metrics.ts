import { readFileSync } from 'node:fs';
import type { MetricProps } from 'aws-cdk-lib/aws-cloudwatch';

/** The namespace of what the functions measure. */
export const NAMESPACE = 'Cordon';

interface Listed {
  readonly name: string;
  readonly unit: string;
  readonly about: string;
  /** The values of its dimension `Verdict`, if it has that. */
  readonly verdicts?: readonly string[];
}

const LIST = JSON.parse(
  readFileSync(new URL('../../functions/lambda/metrics.json', import.meta.url), 'utf8'),
) as readonly Listed[];

export type CustomMetric = Pick<MetricProps, 'namespace' | 'metricName' | 'dimensionsMap'>;

/** Every metric that the functions' logs become, of which each has its price. */
export const METRICS: readonly CustomMetric[] = LIST.flatMap(({ name, verdicts }) =>
  verdicts === undefined ? measured(name) : verdicts.map((verdict) => measured(name, verdict)),
);

/** One of them. */
export function measured(metricName: string, Verdict?: string): CustomMetric {
  return {
    namespace: NAMESPACE,
    metricName,
    ...(Verdict !== undefined && { dimensionsMap: { Verdict } }),
  };
}
