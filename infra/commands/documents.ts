import { Ajv2020 } from 'ajv/dist/2020.js';
import { readFileSync } from 'node:fs';

/** What of `functions/bucket/evidence.schema.json` is read here, all of which is checked. */
type Document = Evidence | Left | Restored | Other;

interface Other {
  readonly schema: 'cordon/told/1' | 'cordon/now/1' | 'cordon/plan/1';
}

/** A principal as an incident found it. */
interface Evidence {
  readonly schema: 'cordon/evidence/2';
  readonly incident: { readonly execution: string; readonly entered: string };
  readonly case: string | null;
  readonly finding: object | null;
  readonly principal: {
    readonly arn: string;
    readonly id: string;
    readonly kind: string;
    readonly name: string;
  };
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

/** What a containment left it with. */
interface Left {
  readonly schema: 'cordon/left/2';
  readonly case: string;
  readonly execution: string;
  readonly arn: string;
  readonly id: string;
  readonly at: string;
}

/** That it was given back. */
interface Restored {
  readonly schema: 'cordon/restored/1';
  readonly case: string | null;
  readonly id: string;
  readonly at: string;
  readonly by: string;
  readonly reason: string;
}

interface Names<T = string> {
  readonly first: readonly T[];
}

const schema = new URL('../../functions/bucket/evidence.schema.json', import.meta.url);
const isDocument = new Ajv2020({ strict: false }).compile<Document>(
  JSON.parse(readFileSync(schema, 'utf8')),
);

/**
 * The document that a text is, with its texts printable, whatever names an attacker gave; nothing,
 * where it is none.
 */
export function documentIn(text: string): Document | undefined {
  const document = parse(text);
  return isDocument(document) ? document : undefined;
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
