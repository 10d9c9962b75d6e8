import type { Holdings, Observation } from './observations.ts';

const WIDTH = 96;

/** What would have been done with one principal, over all findings. */
export interface Row {
  readonly account: string;
  readonly principal: string;
  readonly id: string;
  readonly would: 'contain' | 'retire';
  /** Of keys that would be made inactive: for how many days they are unused. */
  readonly unusedDays: number | null;
  /** How many findings accused it. */
  readonly findings: number;
  readonly first: string;
  readonly last: string;
  /** How many of the findings counted by each rule. */
  readonly rules: Readonly<Record<string, number>>;
  /** As the last of those observations has it that would have taken the most. */
  readonly wouldTake: Holdings;
}

/**
 * A row for each principal, by account and ARN. A later pass of an execution counts no finding
 * more.
 */
export function rowsOf(observations: readonly Observation[]): Row[] {
  const principals = new Map<string, Map<string, Observation>>();
  for (const one of [...observations].sort((a, b) => compare(a.at, b.at))) {
    const principal = `${one.account}/${one.id}`;
    const executions = principals.get(principal) ?? new Map<string, Observation>();
    principals.set(principal, executions.set(one.execution, one));
  }
  const rows = [...principals.values()].flatMap((executions) => rowOf([...executions.values()]));
  return rows.sort((a, b) => compare(a.account, b.account) || compare(a.principal, b.principal));
}

/** The row of one principal, of whom there is one observation for each execution. */
function rowOf(observations: readonly Observation[]): Row[] {
  const byTime = [...observations].sort((a, b) => compare(a.at, b.at));
  const [first] = byTime;
  const most = byTime.filter((one) => one.unusedDays === null).at(-1) ?? byTime.at(-1);
  if (first === undefined || most === undefined) return [];
  const rules: Record<string, number> = {};
  for (const { rules: by } of byTime) {
    for (const rule of by.length > 0 ? by : ['chosen by a person']) {
      rules[rule] = (rules[rule] ?? 0) + 1;
    }
  }
  return [
    {
      account: most.account,
      principal: most.arn,
      id: most.id,
      would: most.unusedDays === null ? 'contain' : 'retire',
      unusedDays: most.unusedDays,
      findings: byTime.length,
      first: first.at,
      last: byTime.at(-1)?.at ?? first.at,
      rules,
      wouldTake: most.wouldTake,
    },
  ];
}

/** The rows for a terminal. Only a word that is longer than a line runs over. */
export function textOf(rows: readonly Row[]): string {
  if (rows.length === 0) return 'Nobody was observed.';
  const accounts = new Set(rows.map(({ account }) => account)).size;
  const findings = rows.reduce((sum, row) => sum + row.findings, 0);
  const sum = `${count(findings, 'finding')} on ${count(rows.length, 'principal')} in ${count(accounts, 'account')}.`;
  return [...rows.map(blockOf), sum].join('\n\n');
}

function blockOf(row: Row): string {
  const { wouldTake, unusedDays } = row;
  const would =
    unusedDays === null
      ? 'would be contained'
      : `keys unused for ${unusedDays} days would be made inactive`;
  const [from, to] = [row.first.slice(0, 10), row.last.slice(0, 10)];
  const days = from === to ? `on ${from}` : `from ${from} to ${to}`;
  const rules = Object.entries(row.rules).sort((a, b) => b[1] - a[1] || compare(a[0], b[0]));
  return [
    `${row.account}  ${row.principal}`,
    `  ${would}: ${count(row.findings, 'finding')} ${days}`,
    ...listed(
      'rules',
      rules.map(([rule, times]) => `${rule} (${times})`),
    ),
    ...listed('keys', wouldTake.keys),
    ...listed('policies', wouldTake.policies),
    ...listed('inline', wouldTake.inlinePolicies),
    ...listed('groups', wouldTake.groups),
  ].join('\n');
}

/** The words under a heading, in lines that fit; none, where there are none. */
function listed(heading: string, words: readonly string[]): string[] {
  const lines: string[] = [];
  let line = `  ${heading.padEnd(8)}`;
  const indent = ' '.repeat(line.length);
  for (const [index, word] of words.entries()) {
    const next = index + 1 < words.length ? `${word},` : word;
    if (index > 0 && line.length + 1 + next.length > WIDTH) {
      lines.push(line);
      line = indent;
    }
    line = `${line} ${next}`;
  }
  return words.length > 0 ? [...lines, line] : [];
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
