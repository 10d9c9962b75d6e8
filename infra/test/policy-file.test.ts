import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fillPolicy, forTemplate, PolicyFileError, readPolicyFile } from '../lib/policy-file.ts';
import { folder } from './fixture.ts';

function policyFile(document: unknown) {
  return readPolicyFile(join(folder({ 'policy.json': document }), 'policy.json'));
}

describe('a policy file', () => {
  it('is filled wherever a placeholder stands', () => {
    const file = policyFile({
      Statement: [{ Resource: ['${A}/*', 'x'], Condition: { StringEquals: { k: '${A}${B::C}' } } }],
    });
    assert.deepEqual([...file.placeholders], ['A', 'B::C']);
    assert.deepEqual(fillPolicy(file, { A: 'a', 'B::C': 'c' }), {
      Statement: [{ Resource: ['a/*', 'x'], Condition: { StringEquals: { k: 'ac' } } }],
    });
  });

  it('takes a list in the place of the element that names it', () => {
    const file = policyFile({ Resource: ['first', '${List}', 'last'] });
    assert.deepEqual(fillPolicy(file, { List: ['a', 'b'] }), {
      Resource: ['first', 'a', 'b', 'last'],
    });
    assert.deepEqual(fillPolicy(file, { List: [] }), { Resource: ['first', 'last'] });
  });

  it('leaves to IAM what IAM fills in', () => {
    const document = { Resource: ['u/${aws:username}', '${*}', '${?}', '${$}'] };
    const file = policyFile(document);
    assert.deepEqual([...file.placeholders], []);
    assert.deepEqual(fillPolicy(file, {}), document);
  });

  it('takes a value as it is, whatever is in it', () => {
    assert.deepEqual(fillPolicy(policyFile({ Resource: '${A}' }), { A: "$& $' ${B}" }), {
      Resource: "$& $' ${B}",
    });
  });

  it("leaves to CloudFormation what is its own, and nothing that is IAM's", () => {
    const file = policyFile({ Resource: ['${AWS::Partition}:${A}/${*}', '${*}', '*'] });
    assert.deepEqual(forTemplate(file, { A: 'a' }), {
      Resource: [{ 'Fn::Sub': '${AWS::Partition}:a/${!*}' }, '${*}', '*'],
    });
  });

  it('is refused with an unknown placeholder', () => {
    const file = policyFile({ Resource: '${Bukcet}' });
    assert.throws(
      () => fillPolicy(file, { Bucket: 'b' }),
      new PolicyFileError(`\`${file.path}\` has the unknown placeholder \`\${Bukcet}\``),
    );
  });

  it('is refused with a list inside a string', () => {
    const file = policyFile({ Resource: '${List}' });
    assert.throws(
      () => fillPolicy(file, { List: ['a'] }),
      new PolicyFileError(
        `\`${file.path}\` uses the list \`\${List}\` otherwise than as an array element`,
      ),
    );
  });

  it('is refused if nothing is left of a list', () => {
    const file = policyFile({ Resource: ['${List}'] });
    assert.throws(
      () => fillPolicy(file, { List: [] }),
      new PolicyFileError(`\`${file.path}\` has a list that is empty once filled`),
    );
  });

  it('is refused if it cannot be read', () => {
    assert.throws(() => readPolicyFile('/nowhere/policy.json'), {
      name: 'PolicyFileError',
      message: 'cannot read `/nowhere/policy.json`',
    });
    const path = join(folder({ 'policy.json': '[' }), 'policy.json');
    assert.throws(() => readPolicyFile(path), {
      name: 'PolicyFileError',
      message: `\`${path}\` is not JSON`,
    });
  });
});
