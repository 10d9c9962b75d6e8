import { PutRuleCommand } from '@aws-sdk/client-eventbridge';
import type { Findings } from '../../lib/config.ts';
import { findingPatterns } from '../../lib/finding-patterns.ts';
import { refusal, said } from './answers.ts';
import { NAME, newName } from './principals.ts';
import type { Step } from './step.ts';

const FEEDS: readonly Findings[] = ['cspm', 'v2'];

/** The rules that go by findings, without a target, and off. */
export const eventPatterns: Step = {
  title: 'the event patterns of both feeds are put, in rules that are off and have no target',
  claims: ['event-patterns-are-taken'],
  async run({ configuration: { partition, securityAccount }, security: { events }, report }) {
    const refused: string[] = [];
    for (const findings of FEEDS) {
      const patterns = findingPatterns(findings, partition, securityAccount);
      for (const [name, pattern] of Object.entries(patterns)) {
        if (name === 'told') continue;
        const answer = await refusal(
          events.send(
            new PutRuleCommand({
              Name: newName(findings),
              EventPattern: JSON.stringify(pattern),
              State: 'DISABLED',
              Tags: [{ Key: NAME, Value: name }],
            }),
          ),
        );
        if (answer !== undefined) refused.push(`${findings}, ${name}: ${said(answer)}`);
      }
    }
    const how = refused.length === 0 ? FEEDS.join(' and ') : refused.join('; ');
    report.holds('event-patterns-are-taken', refused.length === 0, how);
  },
};
