import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { complexity, type Json, matches } from './event-ruler.ts';

interface Recorded {
  readonly scores: readonly { readonly complexity: number; readonly pattern: Json }[];
  readonly matches: readonly {
    readonly matches: boolean;
    readonly pattern: Json;
    readonly event: Json;
  }[];
}

/**
 * What the original says, at the commit named there: `MachineComplexityEvaluator` of the rules with
 * wildcards into which a pattern is spelled out, as its README has it for one rule, up to 100; and
 * `Machine.rulesForJSONEvent`. The first two patterns are of those that this product had.
 */
const RECORDED = JSON.parse(
  readFileSync(new URL('event-ruler.json', import.meta.url), 'utf8'),
) as Recorded;

describe('the port of event-ruler', () => {
  it('says how complex a pattern is as the original does, and never that it is less so', () => {
    const more = RECORDED.scores.map(
      ({ pattern, complexity: recorded }) => complexity(pattern) - recorded,
    );
    // Where several wildcards on one field are spelled out several times, the original may share
    // one more of their beginnings.
    assert.deepEqual(
      more.filter((difference) => difference !== 0),
      [1],
    );
  });

  it('says whether a pattern matches an event as the original does', () => {
    for (const { pattern, event, matches: recorded } of RECORDED.matches) {
      assert.equal(
        matches(pattern, event),
        recorded,
        `${JSON.stringify(pattern)} ${JSON.stringify(event)}`,
      );
    }
  });

  it('refuses what the original does not compile, and what is not ported', () => {
    for (const pattern of [
      { $or: [{ a: ['x'] }] },
      { a: ['x'], $or: [{ a: ['y'] }, { b: ['z'] }] },
    ] as readonly Json[]) {
      assert.throws(() => complexity(pattern));
    }
    assert.throws(() => matches({ a: [{ cidr: '10.0.0.0/8' }] }, { a: '10.0.0.1' }), /not ported/);
  });
});
