import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withConfiguration } from '../commands/shell.ts';

describe('a configuration in a mail', () => {
  it('is named by our own commands, and nothing that is quoted is changed', () => {
    const quoted =
      "     aws iam put-user-policy --policy-name 'CONFIG=cordon.json' --policy-document 'make x CONFIG=cordon.json'";
    const text = `     make restore CONFIG=cordon.json EXECUTION='e' REASON='CONFIG=cordon.json'\n${quoted}\n     make pending CONFIG=cordon.json`;
    const expected = `     make restore CONFIG='/a b/c' EXECUTION='e' REASON='CONFIG=cordon.json'\n${quoted}\n     make pending CONFIG='/a b/c'`;
    assert.equal(withConfiguration(text, '/a b/c'), expected);
  });
});
