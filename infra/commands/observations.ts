import { Ajv2020 } from 'ajv/dist/2020.js';
import { readFileSync } from 'node:fs';

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

interface Names<T = string> {
  readonly first: readonly T[];
}

/** As `functions/bucket/evidence.schema.json` has it, which is checked. */
interface Document {
  readonly schema: string;
  readonly incident: { readonly execution: string; readonly entered: string };
  readonly principal: Pick<Observation, 'arn' | 'id' | 'kind' | 'name'>;
  readonly observed?: {
    readonly rules: readonly string[];
    readonly unusedDays: number | null;
    readonly wouldTake: {
      readonly credentials: Names<{ readonly kind: string; readonly id: string }>;
      readonly policies: Names;
      readonly inlinePolicies: Names;
      readonly groups: Names;
    };
  };
}

const schema = new URL('../../functions/bucket/evidence.schema.json', import.meta.url);
const isDocument = new Ajv2020({ strict: false }).compile<Document>(
  JSON.parse(readFileSync(schema, 'utf8')),
);

/**
 * What the object under the key says: an observation, that people were `told` on a day, or `none`
 * of both. Its texts are printable, whatever names an attacker gave.
 */
export function observationOf(key: string, text: string): Observation | 'told' | 'none' {
  const document = parse(text);
  const [, account = '', id = ''] = key.split('/').map(printable);
  if (!isDocument(document)) return 'none';
  if (document.schema === 'cordon/told/1') return 'told';
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

/** The text without what moves a terminal's cursor, or changes the direction of writing. */
export function printable(text: string): string {
  return text.replace(/[^ -~]/gu, '?');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text, (_, value: unknown) =>
      typeof value === 'string' ? printable(value) : value,
    );
  } catch {
    return undefined;
  }
}
