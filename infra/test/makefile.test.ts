import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';

const TOP = fileURLToPath(new URL('../../', import.meta.url));

it('make hands on what people say as they say it', () => {
  const said = {
    REASON: 'ticket $500 paid, see $HOME $(HOLD) # ${BY}',
    BY: "o'neill $$1",
    HOLD: '$1',
  };
  const { MAKEFLAGS, MAKELEVEL, MFLAGS, ...env } = process.env;
  const given = Object.entries(said).map(([name, value]) => `${name}=${value}`);
  const show = `show:\n\t@printenv ${Object.keys(said).join(' ')}\n`;
  const shown = execFileSync('make', ['-f', 'Makefile', '-f', '-', 'show', ...given], {
    cwd: TOP,
    env,
    input: show,
    encoding: 'utf8',
  });
  assert.deepEqual(shown.trimEnd().split('\n'), Object.values(said));
});
