import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { actsInMembers, discoverSteps } from '../lib/step-folder.ts';
import { folder } from './fixture.ts';

describe('the steps', () => {
  it('are the folders with policy files, in order', () => {
    const steps = discoverSteps(
      folder({
        'tag/execution-policy.json': {},
        'tag/member-policy.json': {},
        'incident/Cargo.toml': '',
        'detach-policies/execution-policy.json': {},
        'detach-policies/member-policy.json': {},
        'classify/execution-policy.json': {},
      }),
    );
    assert.deepEqual(
      steps.map((step) => [step.name, step.state, actsInMembers(step)]),
      [
        ['classify', 'Classify', false],
        ['detach-policies', 'DetachPolicies', true],
        ['tag', 'Tag', true],
      ],
    );
  });

  it('have an execution policy, all of them', () => {
    const functions = folder({ 'tag/member-policy.json': {} });
    assert.throws(() => discoverSteps(functions), {
      name: 'PolicyFileError',
      message: `cannot read \`${functions}/tag/execution-policy.json\``,
    });
  });
});
