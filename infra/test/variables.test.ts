import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Failure } from '../commands/failure.ts';
import { isSet } from '../commands/variables.ts';

it('what is set by 1 is taken for set by nothing else', () => {
  assert.ok(isSet('CLEAN', { CLEAN: '1' }));
  for (const variables of [{}, { CLEAN: '' }, { DEEP: '1' }]) assert.ok(!isSet('CLEAN', variables));
  for (const CLEAN of ['0', 'no', 'true', '11']) {
    assert.throws(() => isSet('CLEAN', { CLEAN }), Failure);
  }
});
