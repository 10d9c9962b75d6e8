import { Construct } from 'constructs';
import { EventRule } from './event-rule.ts';
import type { Findings } from './config.ts';
import {
  ACTIONABLE_FINDINGS,
  ACTIONABLE_FINDINGS_V2,
  ALERTING_FINDINGS,
  ALERTING_FINDINGS_V2,
  chosenFindings,
} from './finding-patterns.ts';
import { StartingRule } from './starting-rule.ts';

export interface FindingRulesProps {
  readonly stateMachineArn: string;
  readonly alertTopicArn: string;
  readonly findings: Findings;
  /** None where Security Hub has none. */
  readonly customActionArn?: string;
}

/** Severity and account, neither of which an importer words. */
const FIRST_NOTICE_V2 = {
  inputPathsMap: {
    account: '$.detail.findings[0].cloud.account.uid',
    severity: '$.detail.findings[0].severity',
  },
  inputTemplate:
    '"New <severity> finding in account <account>. Cordon has been started for it; what it did follows, unless that is beyond the hour\'s limit of mails."',
};

/**
 * Takes findings to the state machine, and the bare fact of the bad ones to the responders, who so
 * hear of them even if nothing else works.
 */
export class FindingRules extends Construct {
  readonly rules: readonly EventRule[];

  constructor(scope: Construct, id: string, props: FindingRulesProps) {
    super(scope, id);
    const { stateMachineArn, alertTopicArn, customActionArn } = props;
    const v2 = props.findings === 'v2';

    const findings = new StartingRule(this, 'Findings', {
      name: 'cordon-findings',
      description: 'Cordon: new findings of Security Hub that it can act on',
      pattern: v2 ? ACTIONABLE_FINDINGS_V2 : ACTIONABLE_FINDINGS,
      stateMachineArn,
    });
    const customAction =
      customActionArn === undefined
        ? []
        : [
            new StartingRule(this, 'CustomAction', {
              name: 'cordon-custom-action',
              description: 'Cordon: findings for which somebody chose to contain what they name',
              pattern: chosenFindings(customActionArn),
              stateMachineArn,
            }).rule,
          ];
    const alerts = new EventRule(this, 'Alerts', {
      name: 'cordon-alerts',
      description: 'Cordon: the HIGH and CRITICAL ones of the findings that it can act on',
      pattern: v2 ? ALERTING_FINDINGS_V2 : ALERTING_FINDINGS,
      targets: [
        {
          id: 'Responders',
          arn: alertTopicArn,
          // No titles or descriptions: whoever may import findings chooses them, and a transformer
          // cleans nothing. The type comes last, because a finding without types leaves its place
          // empty.
          inputTransformer: v2
            ? FIRST_NOTICE_V2
            : {
                inputPathsMap: {
                  id: '$.detail.findings[0].Id',
                  account: '$.detail.findings[0].AwsAccountId',
                  severity: '$.detail.findings[0].Severity.Label',
                  type: '$.detail.findings[0].Types[0]',
                },
                inputTemplate:
                  '"New <severity> finding in account <account>: <id>. Cordon has been started for it; what it did follows, unless that is beyond the hour\'s limit of mails. Type: <type>"',
              },
        },
      ],
      ifUndelivered:
        'Responders did not get the first notice of findings; what the state machine does about them is not affected. Tell the responders, mend what the attributes of the messages in the queue name, delete the messages.',
    });
    this.rules = [findings.rule, ...customAction, alerts];
  }
}
