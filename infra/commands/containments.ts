import { documentIn, printable } from './documents.ts';
import { brief, linesOf, type Said, saidOf } from './findings.ts';
import { compare, count } from './observe-rows.ts';

/** A case of a principal, or the retirement of a user's unused keys, as its evidence has it. */
export interface Containment {
  readonly account: string;
  readonly arn: string;
  readonly id: string;
  /** The number of the case; none of a retirement. */
  readonly case: string | null;
  /** When the evidence was stored: RFC 3339, in UTC. */
  readonly at: string;
  readonly execution: string;
  readonly finding: Said;
  /** The newest incident that has found it in this case already, and joined that. */
  readonly joined: Incident | null;
  /** When it was read back as contained, and by which execution. */
  readonly readBack: Incident | null;
  readonly givenBack: GivenBack | null;
  /** Whether what lies in the case is not all evidence, so that how it stands is not known. */
  readonly unclear: boolean;
}

interface Incident {
  readonly at: string;
  readonly execution: string;
}

interface GivenBack {
  readonly at: string;
  readonly by: string;
  readonly reason: string;
}

/** What began with the object under the key, a case or a retirement; nothing, where it is none. */
export function begunBy(key: string, text: string): Containment | undefined {
  const [folder, account = '', id = '', number = ''] = key.split('/').map(printable);
  const document = documentIn(text);
  if (document?.schema !== 'cordon/evidence/2') return undefined;
  const { incident, principal, finding, case: stated } = document;
  const isIts = principal.id === id && accountOf(principal.arn) === account;
  if (!isIts || stated !== (folder === 'evidence' ? number : null)) return undefined;
  return {
    account,
    arn: principal.arn,
    id,
    case: stated,
    at: incident.entered,
    execution: incident.execution,
    finding: saidOf(finding),
    joined: null,
    readBack: null,
    givenBack: null,
    unclear: false,
  };
}

/**
 * The case with what its `left.json`, its `restored.json` or the evidence of a later incident says;
 * nothing, where that is none.
 */
export function goneOn(begun: Containment, key: string, text: string): Containment | undefined {
  const document = documentIn(text);
  switch (document?.schema) {
    case 'cordon/left/2': {
      const isIts = accountOf(document.arn) === begun.account && isOf(document, begun);
      if (!isIts || !key.endsWith('/left.json')) return undefined;
      const { at, execution } = document;
      return { ...begun, readBack: { at, execution } };
    }
    case 'cordon/evidence/2': {
      const later = /\/(left|restored)\.json$/.test(key) ? undefined : begunBy(key, text);
      if (later === undefined) return undefined;
      const { at, execution } = later;
      const isNewer = execution !== begun.execution && at > (begun.joined?.at ?? begun.at);
      return isNewer ? { ...begun, joined: { at, execution } } : begun;
    }
    case 'cordon/restored/1': {
      if (!isOf(document, begun) || !key.endsWith('/restored.json')) return undefined;
      const { at, by, reason } = document;
      return { ...begun, givenBack: { at, by: brief(by), reason: brief(reason) } };
    }
    default:
      return undefined;
  }
}

/** Of a retirement's passes the first one, and all in the order of time. */
export function inOrder(all: readonly Containment[]): Containment[] {
  const found = new Map<string, Containment>();
  for (const one of [...all].sort((a, b) => compare(a.at, b.at))) {
    const what = `${one.account}/${one.id}/${one.case ?? one.execution}`;
    if (!found.has(what)) found.set(what, one);
  }
  return [...found.values()];
}

/** For a terminal, a block for each. */
export function textOf(all: readonly Containment[], since: string): string {
  if (all.length === 0) return `No evidence says that anybody was contained since ${since}.`;
  const cases = all.filter((one) => one.case !== null).length;
  const sum = `${count(cases, 'case')} and ${count(all.length - cases, 'retirement')} since ${since}.`;
  return [...all.map(blockOf), sum].join('\n\n');
}

function blockOf(one: Containment): string {
  // Whom the finding is about is known better by now.
  const finding = linesOf(one.finding).slice(0, 3);
  return [
    `${one.account}  ${one.arn}`,
    `  ${one.at}  ${standing(one).join('; ')}`,
    ...finding.map((line) => `  ${line}`),
    `  by       ${one.execution}`,
    ...(one.joined === null ? [] : [`  again    ${one.joined.at}  by ${one.joined.execution}`]),
  ].join('\n');
}

/** How it stands, by the evidence. */
function standing(one: Containment): string[] {
  const { case: number, execution, readBack, givenBack, unclear } = one;
  if (number === null) return ['unused keys to be made inactive: its execution says what was done'];
  if (unclear) return ['not known: something else lies in the place of its evidence'];
  const { at, by, reason } = givenBack ?? {};
  // Who began a case may have failed, and another one have finished it.
  const reader =
    readBack === null || readBack.execution === execution ? '' : ` by ${readBack.execution}`;
  return [
    ...(readBack === null ? [] : [`contained, as read back at ${readBack.at}${reader}`]),
    ...(givenBack === null ? [] : [`given back at ${at}, by ${by}: ${reason}`]),
    ...((readBack ?? givenBack)
      ? []
      : ['begun, not read back: its execution says how far it came']),
  ];
}

type Named = Pick<Containment, 'case' | 'id'>;

function isOf(document: Named, begun: Named): boolean {
  return document.case === begun.case && document.id === begun.id;
}

function accountOf(arn: string): string | undefined {
  return arn.split(':')[4];
}
