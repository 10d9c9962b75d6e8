import { join } from 'node:path';
import { Construct } from 'constructs';
import { type Configuration, enteredCentralAccounts } from './config.ts';
import type { EventRule } from './event-rule.ts';
import type { PlaceholderValues } from './policy-file.ts';
import { StartingRule } from './starting-rule.ts';
import { StateMachine } from './state-machine.ts';

export interface ReadinessProps {
  /** The folder with `readiness.asl.json` and its policies. */
  readonly folder: string;
  readonly configuration: Configuration;
  readonly substitutions: Readonly<Record<string, string>>;
  /** What the policy file's placeholders stand for. */
  readonly placeholders: PlaceholderValues;
}

/**
 * Asks, before an incident does, which accounts each step could enter; and which failed executions
 * will soon be beyond a redrive.
 */
export class Readiness extends Construct {
  readonly arn: string;
  readonly rules: readonly EventRule[];

  constructor(scope: Construct, id: string, props: ReadinessProps) {
    super(scope, id);
    const { folder, configuration, substitutions, placeholders } = props;
    const v2 = configuration.findings === 'v2';
    this.arn = new StateMachine(this, 'Machine', {
      name: 'readiness',
      description: 'Cordon: the state machine that checks which accounts can be entered',
      definition: join(folder, 'readiness.asl.json'),
      policy: join(folder, v2 ? 'readiness-policy-v2.json' : 'readiness-policy.json'),
      logRetentionDays: configuration.logRetentionDays,
      substitutions: {
        ...substitutions,
        ListAccounts: v2 ? 'organizations:listAccounts' : 'securityhub:listMembers',
        CentralAccounts: asJsonata(enteredCentralAccounts(configuration)),
      },
      placeholders,
    }).arn;

    const ifUndelivered =
      'Readiness was not checked when it was due. Mend what the attributes of the messages in the queue name, then check it: make readiness, make pending.';
    this.rules = [
      // Mondays, when people read their mails.
      new StartingRule(this, 'WeeklyReadiness', {
        name: 'cordon-readiness',
        description: 'Cordon: checks every week which accounts can be entered',
        schedule: 'cron(0 6 ? * MON *)',
        input: '{"deep": false}',
        starts: 'Readiness',
        stateMachineArn: this.arn,
        ifUndelivered,
      }),
      // Every day, since each execution is told on the one day on which it is ten days old.
      new StartingRule(this, 'DailyRedrives', {
        name: 'cordon-redrives',
        description: 'Cordon: looks every day for failed executions that wait for a redrive',
        schedule: 'cron(0 6 * * ? *)',
        input: '{"check": "redrives"}',
        starts: 'Readiness',
        stateMachineArn: this.arn,
        ifUndelivered,
      }),
    ].map(({ rule }) => rule);
  }
}

/** A list of texts, for an expression within the quotes of the definition. */
function asJsonata(texts: readonly string[]): string {
  return `[${texts.map((text) => `'${text}'`).join(', ')}]`;
}
