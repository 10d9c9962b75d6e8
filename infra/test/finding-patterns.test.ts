import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ACTIONABLE_FINDINGS } from '../lib/finding-patterns.ts';

interface Rule {
  readonly product: string;
  readonly response: string;
  readonly types?: readonly string[];
  readonly controls?: readonly string[];
}

interface Alternative {
  readonly ProductArn: readonly object[];
  readonly Types?: readonly { readonly wildcard: string }[];
  readonly Compliance?: { readonly SecurityControlId: readonly string[] };
}

const TABLE = JSON.parse(
  readFileSync(new URL('../../functions/classify/rules.json', import.meta.url), 'utf8'),
) as readonly Rule[];

/** What the table's rules about a product say of it, each once. */
function ruled(product: string, what: (rule: Rule) => readonly string[] | undefined): string[] {
  const rules = TABLE.filter((rule) => rule.product === product);
  return [...new Set(rules.flatMap((rule) => what(rule) ?? []))].sort();
}

function alternative(product: string): Alternative {
  const { detail } = ACTIONABLE_FINDINGS as { detail: { findings: { $or: Alternative[] } } };
  const [found, ...others] = detail.findings.$or.filter(
    ({ ProductArn: [arn] }) => JSON.stringify(arn) === `{"suffix":"::product/aws/${product}"}`,
  );
  assert.ok(found);
  assert.deepEqual(others, []);
  return found;
}

describe('the findings that start an execution', () => {
  for (const [product, name] of [['AccessAnalyzer', 'access-analyzer']] as const) {
    it(`are those whose types the verdict table has for ${product}`, () => {
      const types = ruled(product, (rule) => rule.types);
      const wildcards = (alternative(name).Types ?? []).map(({ wildcard }) => wildcard);
      // Without the stars at their ends, one is wider than another if it is part of it.
      const wider = (one: string, other: string) => other.includes(one.slice(1, -1));
      for (const type of types) {
        assert.ok(
          wildcards.some((wildcard) => wider(wildcard, type)),
          `no execution would start for \`${type}\``,
        );
      }
      for (const wildcard of wildcards) {
        assert.ok(
          types.some((type) => wider(wildcard, type)),
          `the table has no rule for \`${wildcard}\``,
        );
      }
    });
  }

  it('are those of the controls that the verdict table has', () => {
    assert.deepEqual(
      [...(alternative('securityhub').Compliance?.SecurityControlId ?? [])].sort(),
      ruled('SecurityHub', (rule) => (rule.response === 'Ignore' ? [] : rule.controls)),
    );
  });
});
