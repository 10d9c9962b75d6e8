import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { DefinitionError, readDefinition } from '../lib/definition.ts';
import { folder } from './fixture.ts';

const TEXT = '{ "StartAt": "${First}",  "Comment": "{% $x.{\'a\': $y} %}" }\n';

describe('the definition', () => {
  const path = join(folder({ 'machine.asl.json': TEXT }), 'machine.asl.json');

  it('is deployed verbatim', () => {
    assert.equal(readDefinition(path, { First: 'Begin' }), TEXT);
  });

  it('is refused with a placeholder that has no value', () => {
    assert.throws(
      () => readDefinition(path, {}),
      new DefinitionError(`\`${path}\` has the unknown placeholder \`\${First}\``),
    );
  });

  it('is refused if a value has no placeholder', () => {
    assert.throws(
      () => readDefinition(path, { First: 'Begin', Second: 'End' }),
      new DefinitionError(`\`${path}\` has no placeholder \`\${Second}\``),
    );
  });

  it('is refused if it cannot be read', () => {
    assert.throws(() => readDefinition('/nowhere/machine.asl.json', {}), {
      name: 'DefinitionError',
      message: 'cannot read `/nowhere/machine.asl.json`',
    });
  });
});
