import { readFileSync } from 'node:fs';
import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  /** What to write instead, which VS Code shows, too. */
  readonly errorMessage?: string;
}

/** Something that a document says, or leaves out. */
export interface Mistake {
  /** Where: `responders[0].endpoint`. */
  readonly at: string;
  readonly wrong: string;
  /** What to write instead. */
  readonly remedy: string;
}

/** A mistake in one line. */
export function line({ at, wrong, remedy }: Mistake): string {
  return `${at === '' ? 'the configuration' : `\`${at}\``} ${wrong}: ${remedy}`;
}

/** A value as it was written, cut where it is long. */
export function quoted(value: unknown): string {
  const json = JSON.stringify(value);
  return `\`${json.length > 60 ? `${json.slice(0, 60)}…` : json}\``;
}

const schema = JSON.parse(
  readFileSync(new URL('../cordon.schema.json', import.meta.url), 'utf8'),
) as Schema;

const validate = new Ajv2020({
  allErrors: true,
  verbose: true,
  useDefaults: true,
  allowUnionTypes: true,
  // Types and required properties stand beside `if`, not again under it.
  strictTypes: false,
  strictRequired: false,
})
  .addVocabulary(['errorMessage'])
  .compile(schema);

/** The document with the schema's defaults, and its mistakes, one for each place. */
export function againstSchema(document: unknown): { complete: unknown; mistakes: Mistake[] } {
  const complete = structuredClone(document);
  validate(complete);
  const mistakes = new Map<string, Mistake>();
  for (const found of (validate.errors ?? []).flatMap(mistake)) {
    if (!mistakes.has(found.at)) mistakes.set(found.at, found);
  }
  return { complete, mistakes: [...mistakes.values()] };
}

function mistake(error: ErrorObject): Mistake[] {
  const { keyword, data, params, propertyName } = error;
  const schema = (error.parentSchema ?? {}) as Schema;
  const at = path(error.instancePath);
  const remedy = schema.errorMessage ?? error.message ?? keyword;
  switch (keyword) {
    // Each says only that another keyword, which has its own error, does not hold.
    case 'if':
    case 'propertyNames':
      return [];
    case 'required': {
      const name = params['missingProperty'] as string;
      const what = schema.properties?.[name]?.errorMessage ?? remedy;
      return [{ at: within(at, name), wrong: 'is missing', remedy: what }];
    }
    case 'additionalProperties': {
      const known = Object.keys(schema.properties ?? {}).map((name) => `\`${name}\``);
      return [
        {
          at: within(at, params['additionalProperty'] as string),
          wrong: 'is unknown',
          remedy: `remove it, or write one of ${known.join(', ')}`,
        },
      ];
    }
    default:
      return propertyName === undefined
        ? [{ at, wrong: `is ${quoted(data)}`, remedy }]
        : [{ at: within(at, propertyName), wrong: 'is misnamed', remedy }];
  }
}

/** `/responders/0/endpoint` as `responders[0].endpoint`. */
function path(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((at, name) => (/^\d{1,9}$/.test(name) ? `${at}[${name}]` : within(at, name)), '');
}

function within(at: string, name: string): string {
  const plain = /^[\w$-]+$/.test(name) ? name : JSON.stringify(name);
  return at === '' ? plain : `${at}.${plain}`;
}
