import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { inputOfClassify, largest, typical } from './incident.ts';
import { bytes, computed, type Json, state, STATES, type Values } from './machine.ts';

// AWS Step Functions Developer Guide, "Service quotas": 256 KiB for a state's input or output, for
// the arguments of a task, for a variable and for all that one state assigns. Beyond it the
// execution fails, and no Catch sees it.
const LIMIT = 256 * 1024;

/** The largest payload of each state, and where it is. */
class Sizes {
  readonly #largest: [number, string][] = [];

  add(what: string, payload: Json): void {
    const size = bytes(payload);
    assert.ok(size < LIMIT, `${what} has ${size} bytes`);
    this.#largest.push([size, what]);
  }

  report(test: TestContext): void {
    this.#largest.sort(([one], [other]) => other - one);
    for (const [size, what] of this.#largest.slice(0, 5)) test.diagnostic(`${size} bytes: ${what}`);
  }
}

const { variables, results, context, left } = largest();
const CAUSE = `{"errorMessage":"${'\\"'.repeat(16_000)}"}`;

/** How an iteration ends at `end`, with the largest values that each variable may have. */
function outcome(end: string, values: Values): Promise<Json> {
  return computed(state(end).Output, values, { input: {}, context });
}

async function measured(sizes: Sizes, all: Values, bring: typeof results): Promise<void> {
  const read = await inputOfClassify(all, bring, context);
  for (const [name, fields] of STATES) {
    // An iteration is for a principal without an outcome that is kept.
    const values = name === 'Principals' ? { ...all, outcomes: [] } : all;
    const result = bring[name] ?? {};
    const input = { principal: values['accused'] ?? null, prior: {}, ...read };
    const states = { input, result, context };
    sizes.add(`the result of ${name}`, result);
    sizes.add(`the arguments of ${name}`, await computed(fields.Arguments, values, states));
    sizes.add(`what ${name} assigns`, await computed(fields.Assign, values, states));
    sizes.add(`the output of ${name}`, await computed(fields.Output, values, states));
    sizes.add(`the items of ${name}`, await computed(fields.Items, values, states));
    sizes.add(`an item of ${name}`, await computed(fields.ItemSelector, values, states));
    for (const rule of fields.Choices ?? []) {
      if ((await computed(rule.Condition, values, states)) !== true) continue;
      sizes.add(`what ${name} assigns`, await computed(rule.Assign, values, states));
      break;
    }
    for (const catcher of fields.Catch ?? []) {
      const caught = {
        input: read,
        errorOutput: { Error: 'x'.repeat(256), Cause: CAUSE },
        context,
      };
      sizes.add(`what a catch of ${name} assigns`, await computed(catcher.Assign, values, caught));
      sizes.add(`the output of a catch of ${name}`, await computed(catcher.Output, values, caught));
    }
  }
}

describe('an outcome has at most 5 KiB', () => {
  /** As many names as fit so many bytes of JSON, as `Holdings::cut` leaves them. */
  const holdings = (room: number): Json => {
    const [none, all] = [
      { first: [] as string[], more: 0 },
      { first: [] as string[], more: 1_000 },
    ];
    const cut = { credentials: none, policies: all, inlinePolicies: none, groups: none };
    all.first.push('p'.repeat(room - bytes(cut) - 2));
    return cut;
  };

  for (const principals of [1, 2, 8, 11, 16, 32]) {
    it(`where ${principals} principals have and fail with whatever they may`, async (test) => {
      const { variables } = typical();
      const [least, most] = [350, 760];
      const room = Math.min(Math.max(Math.floor(11_200 / principals), least), most);
      const readBack = { done: holdings(least), left: holdings(room) };
      const one = await outcome('PrincipalPending', {
        ...variables,
        principals: Array.from({ length: principals }, () => null),
        failures: Array.from({ length: 6 }, () => ({
          state: 'DetachRolePolicies',
          error: 'PrincipalMayBeImpostor',
          cause: 'c'.repeat(1_200),
        })),
        identifiedBy: 'i'.repeat(250),
        denial: { by: 'policy', already: true, boundary: false, refused: 'r'.repeat(300) },
        evidence: {
          proof: {
            ...(variables['evidence'] as { proof: object }).proof,
            had: holdings(most),
            assumableRoles: { first: ['r'.repeat(197)], more: 200 },
            told: ['t'.repeat(200)],
          },
        },
        verified: {
          readBack: { ...(variables['verified'] as { readBack: object }).readBack, ...readBack },
        },
      });
      test.diagnostic(`${bytes(one)} bytes`);
      assert.ok(bytes(one) <= 5 * 1024, `${bytes(one)} bytes`);
    });
  }
});

describe('no payload reaches 256 KiB', () => {
  const ends = [...STATES.keys()].filter((name) => /^Principal[A-Z]/.test(name));
  const accused = variables['principals'] as Json[];

  for (const end of ends) {
    it(`where all 32 principals end at ${end}`, async (test) => {
      const sizes = new Sizes();
      const one = await outcome(end, variables);
      test.diagnostic(`${bytes(one)} bytes: the outcome of one principal`);
      assert.ok(bytes(one) <= 7.5 * 1024, `${bytes(one)} bytes`);
      const outcomes = accused.map(() => one);
      await measured(
        sizes,
        { ...variables, outcomes, prior: one },
        { ...results, Principals: outcomes },
      );
      sizes.report(test);
    });
  }

  it('where nobody could be identified', async () => {
    const nobody = { ...variables, target: null, evidence: null, denial: null };
    const one = await outcome('PrincipalPending', nobody);
    const outcomes = accused.map(() => one);
    await measured(new Sizes(), { ...variables, outcomes }, { ...results, Principals: outcomes });
  });

  it('where an import is judged by its event', async () => {
    await measured(new Sizes(), { ...variables, principals: [], record: null }, results);
  });

  it('where the finding names 32 policies, each with many holders', async (test) => {
    const sizes = new Sizes();
    const { holders } = (results['FindHolders'] as { Payload: { holders: Json } }).Payload;
    const { refused, policies, Classify } = left;
    await measured(
      sizes,
      { ...variables, principals: [], refused, policies, outcomes: refused, holders },
      { ...results, Classify },
    );
    sizes.report(test);
  });
});
