import { Stack } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { Findings } from './config.ts';
import { EventRule, quotedLines } from './event-rule.ts';
import { chosenFindings, findingPatterns } from './finding-patterns.ts';
import { StartingRule } from './starting-rule.ts';

export interface FindingRulesProps {
  readonly stateMachineArn: string;
  readonly alertTopicArn: string;
  readonly findings: Findings;
  /** None where Security Hub has none. */
  readonly customActionArn?: string;
}

/**
 * Takes findings to the state machine, and the bare fact of bad incidents to the responders, who so
 * hear of them even if nothing else works.
 */
export class FindingRules extends Construct {
  readonly rules: readonly EventRule[];

  constructor(scope: Construct, id: string, props: FindingRulesProps) {
    super(scope, id);
    const { stateMachineArn, alertTopicArn, customActionArn } = props;
    const { partition, account } = Stack.of(this);
    const { actionable, alerting, told } = findingPatterns(props.findings, partition, account);

    const ifUndelivered = (rule: string): string =>
      `Findings did not start the state machine, so nothing was contained. Read the messages in the queue, mend what their attributes name, then have each start its execution: make replay CONFIG=cordon.json RULE=${rule}`;
    const findings = new StartingRule(this, 'Findings', {
      name: 'cordon-findings',
      description: 'Cordon: new findings of Security Hub that it can act on',
      pattern: actionable,
      starts: 'IncidentResponse',
      stateMachineArn,
      ifUndelivered: ifUndelivered('cordon-findings'),
    });
    const customAction =
      customActionArn === undefined
        ? []
        : [
            new StartingRule(this, 'CustomAction', {
              name: 'cordon-custom-action',
              description: 'Cordon: findings for which somebody chose to contain what they name',
              pattern: chosenFindings(customActionArn),
              starts: 'IncidentResponse',
              stateMachineArn,
              ifUndelivered: ifUndelivered('cordon-custom-action'),
            }).rule,
          ];
    const alerts = new EventRule(this, 'Alerts', {
      name: 'cordon-alerts',
      description:
        'Cordon: the HIGH and CRITICAL ones of those findings that GuardDuty and Health sent',
      pattern: alerting,
      targets: [
        {
          id: 'Responders',
          arn: alertTopicArn,
          // A transformer escapes nothing, so this has what AWS says alone. The pattern admits
          // GuardDuty's and Health's own products, whose ids are theirs; their titles may hold names
          // that an attacker gave. Nothing is promised either: an execution may be late, ignore the
          // finding, or find the hour's limit of mails used up.
          inputTransformer: {
            inputPathsMap: { ...told, when: '$.time' },
            inputTemplate: quotedLines(
              'A <severity> finding has come in for account <account>. This first notice goes out before anything is judged or done.',
              'Security Hub sent it at <when>. Its id:',
              '<id>',
              'If no other message follows within minutes, look at the finding in Security Hub.',
            ),
          },
        },
      ],
      ifUndelivered:
        'Responders did not get the first notice of findings; what the state machine does about them is not affected. Tell the responders, mend what the attributes of the messages in the queue name, delete the messages.',
    });
    this.rules = [findings.rule, ...customAction, alerts];
  }
}
