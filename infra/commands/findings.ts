import { printable } from './documents.ts';

/** What is said of a finding, in either form. Whoever sent it may have chosen each of these. */
export interface Said {
  readonly severity: string;
  readonly account: string;
  readonly id: string;
  readonly title: string;
  /** The ids of its resources. */
  readonly resources: readonly string[];
}

/** The most characters of each: the ids of AWS's services have fewer. */
const LONGEST = 200;

/** So many resources are named; the others are counted. */
const NAMED = 3;

const UNKNOWN = 'unknown';

/**
 * What a finding in ASFF or in OCSF says, as `functions/classify` reads both: printable, cut, and
 * `unknown` where it does not say it.
 */
export function saidOf(finding: unknown): Said {
  const first = (...paths: readonly string[]): string =>
    paths.map((path) => text(at(finding, path))).find((said) => said !== undefined) ?? UNKNOWN;
  const resources = [at(finding, 'Resources'), at(finding, 'resources')].find(Array.isArray) ?? [];
  return {
    severity: first('Severity.Label', 'severity'),
    account: first('AwsAccountId', 'cloud.account.uid'),
    id: first('Id', 'finding_info.uid', 'metadata.uid'),
    title: first('Title', 'finding_info.title'),
    resources: resources.map((one) => text(at(one, 'Id')) ?? text(at(one, 'uid')) ?? UNKNOWN),
  };
}

/** The finding of an execution, which its input has: an event of Security Hub's. */
export function saidInInput(input: string | undefined): Said {
  try {
    return saidOf(at(JSON.parse(input ?? ''), 'detail.findings.0'));
  } catch {
    return saidOf(undefined);
  }
}

/** The finding in lines, each of which begins with our own words. */
export function linesOf({ severity, account, id, title, resources }: Said): string[] {
  const more = resources.length > NAMED ? [`and ${resources.length - NAMED} more`] : [];
  const named = resources.length === 0 ? [UNKNOWN] : resources.slice(0, NAMED);
  return [
    `severity ${severity}, account ${account}`,
    `finding  ${id}`,
    `titled   ${title}`,
    ...[...named, ...more].map((one) => `about    ${one}`),
  ];
}

/** The text, cut, without what a terminal would not print; nothing of what is none, or empty. */
function text(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return brief(value);
}

/** The text as it may be printed, cut; no room in it sets a part of it off as a line of its own. */
export function brief(value: string): string {
  const clean = printable(value).replace(/ {2,}/g, ' ');
  return clean.length > LONGEST ? `${clean.slice(0, LONGEST)}...` : clean;
}

/** What is under the names, of objects or lists, with dots between them. */
function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (found, name) =>
        typeof found === 'object' && found !== null && Object.hasOwn(found, name)
          ? (found as Record<string, unknown>)[name]
          : undefined,
      value,
    );
}
