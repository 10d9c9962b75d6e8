/**
 * What EventBridge's matcher does with a pattern, ported from AWS's open-source `event-ruler`:
 * whether it matches an event, and how complex it is. `event-ruler.json` holds what the original
 * says of some hundred patterns; `event-ruler.test.ts` holds the port to it.
 *
 * Source: https://github.com/aws/event-ruler.
 */

export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** A pattern without `$or`: for each path, of which matchers one must hold. */
type SubRule = ReadonlyMap<string, readonly Json[]>;

/** The pattern, spelled out into one rule for each combination of the alternatives of its `$or`s. */
export function subRules(pattern: Json): readonly SubRule[] {
  return spellOut([new Map()], '', pattern);
}

function spellOut(rules: readonly SubRule[], path: string, pattern: Json): readonly SubRule[] {
  return Object.entries(pattern as object).reduce<readonly SubRule[]>(
    (rules, [name, value]: [string, Json]) => {
      if (name === '$or') {
        const alternatives = value as readonly Json[];
        if (alternatives.length < 2) throw new Error('a `$or` has two alternatives or more');
        return alternatives.flatMap((one) => spellOut(rules, path, one));
      }
      const inner = path === '' ? name : `${path}.${name}`;
      if (!Array.isArray(value)) return spellOut(rules, inner, value);
      return rules.map((rule) => {
        if (rule.has(inner)) throw new Error(`a path stands twice: \`${inner}\``);
        return new Map([...rule, [inner, value as readonly Json[]]]);
      });
    },
    rules,
  );
}

/** A leaf of an event: its path, and which element it lies in of each list on the way. */
interface Leaf {
  readonly path: string;
  readonly value: Json;
  readonly elements: ReadonlyMap<string, number>;
}

function leaves(event: Json, path = '', elements: Leaf['elements'] = new Map()): readonly Leaf[] {
  if (Array.isArray(event)) {
    return event.flatMap((one, index) => {
      const list = [...elements.keys()].filter((key) => key.startsWith(`${path}#`)).length;
      return leaves(one, path, new Map([...elements, [`${path}#${list}`, index]]));
    });
  }
  if (typeof event === 'object' && event !== null) {
    return Object.entries(event).flatMap(([name, value]: [string, Json]) =>
      leaves(value, path === '' ? name : `${path}.${name}`, elements),
    );
  }
  return [{ path, value: event, elements }];
}

/**
 * Whether the pattern matches the event. What lies in one list must lie in one element of it; a
 * field is absent if it is so in the elements in which the paths before it have matched.
 */
export function matches(pattern: Json, event: Json): boolean {
  const fields = leaves(event);
  const holds = (
    [first, ...rest]: readonly [string, readonly Json[]][],
    within: Leaf['elements'],
  ): boolean => {
    if (first === undefined) return true;
    const [path, matchers] = first;
    const found = fields.filter(
      ({ path: other, elements }) =>
        other === path &&
        [...elements].every(([list, index]) => (within.get(list) ?? index) === index),
    );
    if (found.length === 0) {
      return matchers.some((one) => operand(one, 'exists') === false) && holds(rest, within);
    }
    return found.some(
      ({ value, elements }) =>
        matchers.some((one) => matchesValue(one, value)) &&
        holds(rest, new Map([...within, ...elements])),
    );
  };
  return subRules(pattern).some((rule) => holds(inOrder(rule), new Map()));
}

/** Paths are matched in alphabetical order. */
const inOrder = (rule: SubRule): readonly [string, readonly Json[]][] =>
  [...rule].sort(([one], [other]) => (one < other ? -1 : 1));

function operand(matcher: Json, name: string): Json | undefined {
  return typeof matcher === 'object' && matcher !== null && !Array.isArray(matcher)
    ? (matcher as { readonly [name: string]: Json })[name]
    : undefined;
}

function matchesValue(matcher: Json, value: Json): boolean {
  if (typeof matcher !== 'object' || matcher === null) return matcher === value;
  const [[name, wanted] = ['', null], ...more] = Object.entries(matcher) as [string, Json][];
  if (more.length > 0)
    throw new Error(`no matcher has two operators: \`${JSON.stringify(matcher)}\``);
  const text = typeof value === 'string' ? value : undefined;
  switch (name) {
    case 'exists':
      return wanted === true;
    case 'prefix':
      return text?.startsWith(wanted as string) ?? false;
    case 'suffix':
      return text?.endsWith(wanted as string) ?? false;
    case 'wildcard':
      return text !== undefined && matchesWildcard(wanted as string, text);
    case 'anything-but': {
      const but = Array.isArray(wanted) ? wanted : [wanted];
      const [[inner, values] = ['', null]] =
        typeof wanted === 'object' && wanted !== null && !Array.isArray(wanted)
          ? (Object.entries(wanted) as [string, Json][])
          : [];
      const not = inner === '' ? but : [values].flat().map((one) => ({ [inner]: one as Json }));
      return !not.some((one) => matchesValue(one, value));
    }
    default:
      throw new Error(`an operator that is not ported: \`${name}\``);
  }
}

function matchesWildcard(wildcard: string, text: string): boolean {
  const parts = wildcard.split('*').map((part) => part.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}

/** A matcher of a field, and where a rule goes on once it has held. */
interface Transition {
  readonly matcher: string;
  readonly next: NameState;
}

type NameState = Map<string, Transition[]>;

/**
 * How many beginnings of wildcards one value of one field can match at once, at worst. EventBridge
 * refuses a rule whose pattern is more complex than it allows; it says no number, and 10 is the
 * original's example. The rules into which a pattern is spelled out share matchers as long as they agree, but for wildcards: each rule adds
 * its own, so one that stands beside a `$or` counts once for each alternative.
 *
 * Source: `MachineComplexityEvaluator`, and "Matching with a Machine" in the original's README.
 */
export function complexity(pattern: Json): number {
  const start: NameState = new Map();
  for (const rule of subRules(pattern)) {
    if ([...rule.values()].flat().some((matcher) => wildcardOf(matcher) !== undefined)) {
      addRule(start, inOrder(rule));
    }
  }
  return ofNames(start);
}

function addRule(state: NameState, [first, ...rest]: readonly [string, readonly Json[]][]): void {
  if (first === undefined) return;
  const [path, matchers] = first;
  const known = state.get(path) ?? [];
  state.set(path, known);
  let last: NameState | undefined;
  const reached = new Set<NameState>();
  for (const one of matchers) {
    const matcher = JSON.stringify(one);
    const wildcard = wildcardOf(one);
    const shared = wildcard === undefined || sharedCharacters(wildcard) === wildcard.length;
    const found = shared ? known.find((other) => other.matcher === matcher) : undefined;
    last = found?.next ?? last ?? new Map<string, Transition[]>();
    if (found === undefined) known.push({ matcher, next: last });
    reached.add(last);
  }
  for (const one of reached) addRule(one, rest);
}

function ofNames(state: NameState): number {
  const transitions = [...state.values()];
  // What follows the absence of a field is not counted.
  const next = transitions.flat().filter(({ matcher }) => matcher !== '{"exists":false}');
  return Math.max(
    0,
    ...transitions.map(ofValues),
    ...[...new Set(next.map((one) => one.next))].map(ofNames),
  );
}

/** A matcher's wildcard, in the quotation marks in which the original sees all strings. */
function wildcardOf(matcher: Json): string | undefined {
  const but = operand(matcher, 'anything-but');
  const wildcard = operand(matcher, 'wildcard') ?? operand(but ?? null, 'wildcard');
  if (wildcard === undefined) return undefined;
  if (typeof wildcard !== 'string') {
    throw new Error(`lists of wildcards are not ported: \`${JSON.stringify(matcher)}\``);
  }
  return `"${wildcard}"`;
}

/** How much of a wildcard is not added again: up to the first letter after a star. */
function sharedCharacters(wildcard: string): number {
  const letter = wildcard.slice(wildcard.indexOf('*')).search(/[a-z]/i);
  return letter === -1 ? wildcard.length : wildcard.indexOf('*') + letter;
}

/**
 * Follows all values that tell the wildcards apart, character by character. A state is how many
 * characters of each wildcard may be behind.
 */
function ofValues(transitions: readonly Transition[]): number {
  const added = transitions.map(({ matcher }) => matcher);
  const distinct = [...new Set(added)].flatMap((matcher) => {
    const wildcard = wildcardOf(JSON.parse(matcher) as Json);
    const times = added.filter((one) => one === matcher).length;
    return wildcard === undefined ? [] : [{ wildcard, times }];
  });
  const count = (state: readonly (readonly number[])[]): number =>
    state
      .flatMap((behind, index) => {
        const { wildcard = '', times = 0 } = distinct[index] ?? {};
        return behind.map((at) => (at <= sharedCharacters(wildcard) ? 1 : times));
      })
      .reduce((sum, one) => sum + one, 0);
  // Any other character is as good as none of these.
  const alphabet = [
    ...new Set([...distinct.map(({ wildcard }) => wildcard.replaceAll('*', '')).join(''), '']),
  ];
  const start: readonly (readonly number[])[] = distinct.map(() => [0]);
  const seen = new Map([[JSON.stringify(start), start]]);
  let most = 0;
  for (const [, state] of seen) {
    for (const character of alphabet) {
      const next = state.map((behind, index) =>
        step(distinct[index]?.wildcard ?? '', behind, character),
      );
      most = Math.max(most, count(next));
      seen.set(JSON.stringify(next), next);
    }
  }
  return most;
}

/** How many characters of a wildcard may be behind after one more of the value. */
function step(wildcard: string, behind: readonly number[], character: string): readonly number[] {
  const next = new Set<number>();
  for (const at of behind) {
    if (wildcard[at - 1] === '*') next.add(at);
    if (wildcard[at] === character) next.add(at + 1);
  }
  // A star may stand for nothing.
  for (const at of next) if (wildcard[at] === '*') next.add(at + 1);
  return [...next].sort((one, other) => one - other);
}
