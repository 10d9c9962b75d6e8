import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { linesOf, saidInInput, saidOf } from '../commands/findings.ts';

/** The very event that a case of `functions/classify` is about. */
function eventOf(name: string): string {
  const path = `../../functions/classify/cases/${name}/event.json`;
  return readFileSync(new URL(path, import.meta.url), 'utf8');
}

const GUARDDUTY =
  'arn:aws:guardduty:us-east-1:222222222222:detector/d4b040365221be2b54a6264dc9a4bc64/finding/85dd9dbbb7ec4875e9a4665f7b42fca7';

describe('what is said of a finding', () => {
  it('is read in ASFF', () => {
    assert.deepEqual(linesOf(saidInInput(eventOf('guardduty-user-key'))), [
      'severity MEDIUM, account 222222222222',
      `finding  ${GUARDDUTY}`,
      'titled   API GetCallerIdentity was invoked from an IP address on a custom threat list.',
      'about    AWS::IAM::AccessKey:AKIAIOSFODNN7EXAMPLE',
    ]);
  });

  it('is read in OCSF', () => {
    assert.deepEqual(linesOf(saidInInput(eventOf('ocsf-guardduty-user-key'))).slice(0, 3), [
      'severity Medium, account 222222222222',
      `finding  ${GUARDDUTY}`,
      'titled   The API GetCallerIdentity was invoked from an IP address on a custom threat list.',
    ]);
    const resources = [{ uid: 'arn:aws:iam::222222222222:user/eve' }, { uid_alt: 'x' }];
    const said = saidOf({ metadata: { uid: 'm' }, resources });
    assert.deepEqual([said.id, ...said.resources], ['m', resources[0]?.uid, 'unknown']);
  });

  it('is cut, and moves no cursor', () => {
    const hostile = `\u001b[2J\r\n  aws \u202e${'x'.repeat(500)}`;
    const Resources = Array.from({ length: 9 }, () => ({ Id: hostile }));
    const Severity = { Label: hostile };
    const finding = { AwsAccountId: hostile, Id: hostile, Title: hostile, Severity, Resources };
    const lines = linesOf(saidInInput(JSON.stringify({ detail: { findings: [finding] } })));
    assert.deepEqual(
      lines.map((line) => line.split(' ')[0]),
      ['severity', 'finding', 'titled', 'about', 'about', 'about', 'about'],
    );
    assert.equal(lines.at(-1), 'about    and 6 more');
    for (const line of lines) assert.match(line, /^[ -~]{1,450}$/);
    assert.match(lines[1] ?? '', /^finding {2}\?\[2J\?\? aws \?x+\.\.\.$/);
  });

  for (const [what, input] of [
    ['there is none', undefined],
    ['it is no JSON', '{'],
    ['it is no event', '{}'],
    ['it has no finding', '{"detail": {"findings": []}}'],
    ['its finding is none', '{"detail": {"findings": [7]}}'],
    ['all is of another type', '{"detail": {"findings": [{"Id": 7, "Severity": null}]}}'],
    ['its resources are none', '{"detail": {"findings": [{"Resources": {"0": "x"}}]}}'],
    ['what it says is empty', '{"detail": {"findings": [{"Id": "", "Title": ""}]}}'],
  ] as const) {
    it(`is unknown where ${what}`, () => {
      assert.deepEqual(linesOf(saidInInput(input)), [
        'severity unknown, account unknown',
        'finding  unknown',
        'titled   unknown',
        'about    unknown',
      ]);
    });
  }
});
