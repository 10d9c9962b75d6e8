import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { execution, fixed, month, readiness, USAGE } from './cost.ts';
import { Synthesized } from './fixture.ts';
import { CONFIGURATIONS, product } from './product.ts';

const dollars = (amount: number, digits: number): string => `$${amount.toFixed(digits)}`;

describe('what it costs', () => {
  const standing = Math.max(
    ...CONFIGURATIONS.map((one) => fixed(new Synthesized(product(one).security))),
  );

  it('is at most a cent for an incident, and ten dollars a month where nothing happens', () => {
    for (const usage of Object.values(USAGE)) assert.ok(execution(usage) <= 0.01);
    assert.ok(standing <= 10, dollars(standing, 2));
  });

  it('is what the README says', async () => {
    const sizes = [10, 300, 5_000];
    const checked = sizes.map(async (accounts) => [
      `readiness of ${accounts.toLocaleString('en')} accounts, a month of it beyond its alarms`,
      dollars(await readiness(accounts), 2),
    ]);
    const rows = [
      ['a user is contained', dollars(execution(USAGE.contained), 4)],
      ['a finding is left to people', dollars(execution(USAGE.left), 4)],
      ['a finding is ignored', dollars(execution(USAGE.ignored), 4)],
      ['a month in which nothing happens, at any number of accounts', dollars(standing, 2)],
      ...sizes.map((accounts) => [
        `a month of ${accounts.toLocaleString('en')} accounts`,
        dollars(standing + month(accounts), 2),
      ]),
      ...(await Promise.all(checked)),
    ].map(([what, price]) => `| ${what} | ${price} |`);
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    assert.ok(readme.includes(`${rows.join('\n')}\n`), `the README lacks\n${rows.join('\n')}`);
  });
});
