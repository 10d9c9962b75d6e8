import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { NOT_TRIED } from '../commands/drill/not-tried.ts';
import { STEPS } from '../commands/drill/steps.ts';

const README = new URL('../../tests/local-aws/README.md', import.meta.url);

/** The ids of the claims that the README has. */
function claimed(): readonly string[] {
  const [, claims = ''] = readFileSync(README, 'utf8').split(
    '\n## Claims that only AWS can settle\n',
  );
  const lines = claims.split('\n').filter((line) => line.startsWith('- '));
  return lines.map((line) => /^- `([a-z0-9-]+)`: \S/.exec(line)?.[1] ?? line);
}

describe('The drill', () => {
  it('tries each claim that only AWS can settle, or says why it does not', () => {
    const known = [...STEPS.flatMap(({ claims }) => claims), ...Object.keys(NOT_TRIED)];
    assert.deepEqual([...claimed()].sort(), [...known].sort());
    assert.equal(new Set(known).size, known.length);
  });
});
