import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { CONFIGURATIONS, product } from './product.ts';

const SNAPSHOT = new URL('snapshot.json', import.meta.url);

/**
 * The template without what is a file of its own: of the definition its name, of a role's policy
 * the Sids.
 */
function reviewable(stack: Stack): unknown {
  const template = JSON.stringify(Template.fromStack(stack).toJSON());
  return JSON.parse(template, function (this: Partial<Machine>, key, value: unknown) {
    if (key === 'DefinitionString')
      return `${this.StateMachineName}.asl.json`.replace('cordon-', 'statemachine/');
    if (key !== 'Policies') return value;
    return (value as Inline[]).map(({ PolicyName, PolicyDocument: { Statement } }) => ({
      PolicyName,
      Sids: Statement.map(({ Sid }) => Sid),
    }));
  });
}

interface Machine {
  readonly StateMachineName: string;
}

interface Inline {
  readonly PolicyName: string;
  readonly PolicyDocument: { readonly Statement: readonly { readonly Sid: string }[] };
}

describe('the templates', () => {
  it('are what was reviewed: after a change, BLESS=1 npm test, and read what changed', () => {
    const [configuration] = CONFIGURATIONS;
    assert.ok(configuration);
    const { security, member, restore } = product(configuration);
    assert.ok(restore);
    const templates = {
      CordonSecurity: reviewable(security),
      CordonMember: reviewable(member),
      CordonRestore: reviewable(restore),
    };
    if (process.env['BLESS'] !== undefined) {
      writeFileSync(SNAPSHOT, `${JSON.stringify(templates, null, 1)}\n`);
    }
    assert.deepEqual(templates, JSON.parse(readFileSync(SNAPSHOT, 'utf8')));
  });
});
