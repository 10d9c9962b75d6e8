import { documentIn, printable } from './documents.ts';

/** What one execution would have done with one principal. */
export interface Observation {
  readonly account: string;
  readonly id: string;
  readonly arn: string;
  readonly kind: string;
  readonly name: string;
  readonly execution: string;
  /** When it was observed: RFC 3339, in UTC. */
  readonly at: string;
  /** By which the finding counts; none, where a person chose it. */
  readonly rules: readonly string[];
  /** For how many days keys are unused that would be made inactive; of a containment none. */
  readonly unusedDays: number | null;
  readonly wouldTake: Holdings;
}

/** What would be taken away, by name. */
export interface Holdings {
  readonly keys: readonly string[];
  readonly policies: readonly string[];
  readonly inlinePolicies: readonly string[];
  readonly groups: readonly string[];
}

/**
 * What the object under the key says: an observation, that people were `told` on a day, or `none`
 * of both.
 */
export function observationOf(key: string, text: string): Observation | 'told' | 'none' {
  const document = documentIn(text);
  const [, account = '', id = ''] = key.split('/').map(printable);
  if (document?.schema === 'cordon/told/1') return 'told';
  if (document?.schema !== 'cordon/evidence/2') return 'none';
  const { incident, principal, observed } = document;
  if (observed === undefined || principal.id !== id) return 'none';
  const { arn, kind, name } = principal;
  const { credentials, policies, inlinePolicies, groups } = observed.wouldTake;
  return {
    account,
    id,
    arn,
    kind,
    name,
    execution: incident.execution,
    at: incident.entered,
    rules: observed.rules,
    unusedDays: observed.unusedDays,
    wouldTake: {
      keys: credentials.first.map((key) =>
        key.kind === 'accessKey' ? key.id : `${key.id} (${key.kind})`,
      ),
      policies: policies.first,
      inlinePolicies: inlinePolicies.first,
      groups: groups.first,
    },
  };
}
