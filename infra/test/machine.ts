import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import jsonata from 'jsonata';
import { STATE_MACHINE } from './product.ts';

export type Json = null | boolean | number | string | Json[] | { [member: string]: Json };
export type Values = Readonly<Record<string, Json>>;

/** What a state's fields are computed from: its input, result or error, and the context object. */
export interface States {
  readonly input?: Json;
  readonly result?: Json;
  readonly errorOutput?: { readonly Error: string; readonly Cause?: string };
  readonly context?: Json;
}

interface Rule {
  readonly Condition: string;
  readonly Assign?: Json;
  readonly Next: string;
}

interface Catcher {
  readonly ErrorEquals: readonly string[];
  readonly Assign?: { readonly [name: string]: Json };
  readonly Output?: Json;
  readonly Next: string;
}

export interface State {
  readonly Type: string;
  readonly Resource?: string;
  readonly TimeoutSeconds?: number;
  readonly Retry?: readonly { readonly MaxAttempts: number }[];
  readonly MaxConcurrency?: number;
  readonly Arguments?: Json;
  readonly Assign?: { readonly [name: string]: Json };
  readonly Output?: Json;
  readonly Items?: Json;
  readonly ItemSelector?: { readonly [name: string]: Json };
  readonly Choices?: readonly Rule[];
  readonly Default?: string;
  readonly Catch?: readonly Catcher[];
  readonly States?: Readonly<Record<string, State>>;
  readonly Branches?: readonly Machine[];
  readonly ItemProcessor?: Machine;
}

interface Machine {
  readonly States: Readonly<Record<string, State>>;
}

/**
 * Every state of a state machine's file, those of iterations and branches too, by name; with these
 * of its placeholders filled.
 */
export function statesIn(
  file: string,
  values: Readonly<Record<string, string>>,
): ReadonlyMap<string, State> {
  let definition = readFileSync(join(STATE_MACHINE, file), 'utf8');
  for (const [name, value] of Object.entries(values)) {
    definition = definition.replaceAll(`\${${name}}`, value);
  }
  return new Map(statesOf(JSON.parse(definition) as Machine));
}

/** The states of the machine that answers findings. */
export const STATES = statesIn('incident-response.asl.json', {
  ConsoleUrl: 'https://us-gov-west-1.console.amazonaws-us-gov.com',
});

function statesOf(machine: Machine): [string, State][] {
  return Object.entries(machine.States).flatMap(([name, state]) => [
    [name, state],
    ...[...(state.Branches ?? []), ...(state.ItemProcessor ? [state.ItemProcessor] : [])].flatMap(
      statesOf,
    ),
  ]);
}

export function state(name: string): State {
  return STATES.get(name) ?? assert.fail(`there is no state \`${name}\``);
}

/**
 * A field as Step Functions computes it: each `{% … %}` in it is replaced by its value. An
 * expression without a value is an error (Step Functions Developer Guide, "Transforming data with
 * JSONata in Step Functions").
 */
export async function computed(
  template: Json | undefined,
  variables: Values,
  states: States,
): Promise<Json> {
  if (typeof template === 'string') {
    const expression = /^\{%(.*)%\}$/s.exec(template)?.[1];
    if (expression === undefined) return template;
    // `$eval` is the one function of JSONata that Step Functions lacks.
    const bindings = { ...variables, states, eval: undefined };
    const value: unknown = await jsonata(expression).evaluate(undefined, bindings);
    assert.notEqual(value, undefined, `\`${expression}\` has no value`);
    return JSON.parse(JSON.stringify(value));
  }
  if (Array.isArray(template)) {
    return Promise.all(template.map((element) => computed(element, variables, states)));
  }
  if (typeof template !== 'object' || template === null) return template ?? null;
  const members = Object.entries(template).map(
    async ([name, member]) => [name, await computed(member, variables, states)] as const,
  );
  return Object.fromEntries(await Promise.all(members));
}

/** The variables after the state has assigned its own, all computed from those before. */
export async function assigned(
  template: Json | undefined,
  variables: Values,
  states: States,
): Promise<Values> {
  return { ...variables, ...((await computed(template ?? {}, variables, states)) as Values) };
}

/** Bytes of a payload, as Step Functions counts them: the UTF-8 of its JSON. */
export function bytes(payload: Json): number {
  return Buffer.byteLength(JSON.stringify(payload));
}
