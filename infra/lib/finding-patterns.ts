import type { EventPattern } from './event-rule.ts';

/**
 * Which of Security Hub's events go where. EventBridge's matcher reads these, so they may be wider
 * than the verdict table of `classify`, which judges whatever they let through, but never narrower.
 *
 * What they build on (EventBridge User Guide, "Comparison operators for use in event patterns" and
 * "Arrays in event patterns"): all fields of an object must match; of a list in the event, here the
 * findings, their resources and types, one element is enough; `$or` is spelled out into one pattern
 * for each alternative, of which there may be 1,000. Quotas: a pattern has 2,048 characters, and a
 * bus 30 rules with wildcards; these are two of them.
 */

/**
 * A product of AWS, by the end of its ARN, which no Region and no partition changes. The account is
 * empty for AWS and its partners alone, so no custom product can pose as one.
 */
const productOfAws = (name: string) => [{ suffix: `::product/aws/${name}` }];

const OF_OTHERS = [{ 'anything-but': { wildcard: '*::product/aws/*' } }];

/** Of a check that failed, or of no check: what passed, or was muted, accuses nobody. */
const ACCUSING = { Status: ['FAILED', { exists: false }] };

const containing = (text: string) => ({ wildcard: `*${text}*` });

/** What a finding must have for the verdict table to have a rule for it. */
const ACTIONABLE: readonly EventPattern[] = [
  // GuardDuty on the credentials of users, roles and root, which it calls IAMUser one and all, and
  // sequences of attack that go through credentials.
  {
    ProductArn: productOfAws('guardduty'),
    Types: ['IAMUser', 'AttackSequence:IAM', 'AttackSequence:S3'].map(containing),
  },
  // The controls on too wide policies, root, and unused credentials. A control's id is the same
  // whether consolidated findings are on or off (Security Hub User Guide, "Consolidation").
  {
    ProductArn: productOfAws('securityhub'),
    Compliance: {
      SecurityControlId: ['IAM.1', 'IAM.4', 'IAM.6', 'IAM.8', 'IAM.9', 'IAM.21', 'IAM.22'],
      Status: ['FAILED'],
    },
  },
  // Access Analyzer on what users left unused; unused roles and permissions are nobody's intrusion.
  {
    ProductArn: productOfAws('access-analyzer'),
    Types: ['Unused IAM User Access Key', 'Unused IAM User Password'].map(containing),
  },
  // Whatever any other product says of a principal: which products are trusted is for the response
  // policy to say, and what their titles mean for the table.
  {
    ProductArn: OF_OTHERS,
    Resources: { Type: ['AwsIamUser', 'AwsIamRole', 'AwsIamAccessKey', 'AwsAccount'] },
    Compliance: ACCUSING,
  },
  // What such a product says of root's access key, under a resource of whatever type. Wildcards
  // cannot disregard case: these are the ways in which titles are written.
  {
    ProductArn: OF_OTHERS,
    Title: ['ccess key', 'ccess Key', 'ACCESS KEY'].map(containing),
    Compliance: ACCUSING,
  },
];

/** Findings that are imported and updated, one event for each time. */
const imported = (finding: EventPattern): EventPattern => ({
  source: ['aws.securityhub'],
  'detail-type': ['Security Hub Findings - Imported'],
  detail: {
    findings: {
      // Each update comes again as an import. What Cordon has answered is no longer NEW, so it
      // does not start itself.
      Workflow: { Status: ['NEW'] },
      RecordState: ['ACTIVE'],
      ...finding,
      $or: ACTIONABLE,
    },
  },
});

/** The findings that Cordon can act on; the thousands of others start no execution. */
export const ACTIONABLE_FINDINGS = imported({});

/** Those of them that are worth a mail before anything is known of them. */
export const ALERTING_FINDINGS = imported({ Severity: { Label: ['HIGH', 'CRITICAL'] } });

/**
 * Findings of Security Hub without CSPM, in OCSF, that are new and name what can be accused; but not
 * whether services are on, and what an attacker might reach.
 */
const importedV2 = (finding: EventPattern): EventPattern => ({
  source: ['aws.securityhub'],
  'detail-type': ['Findings Imported V2'],
  detail: {
    findings: {
      status_id: [0, 1, { exists: false }],
      metadata: {
        product: {
          uid: [{ 'anything-but': { suffix: ['/securityhub-coverage', '/securityhub-risk'] } }],
        },
      },
      resources: {
        type: [{ prefix: 'AWS::IAM::' }, 'AWS::::Account'],
      },
      compliance: { status: ['Fail', { exists: false }] },
      ...finding,
    },
  },
});

/** The findings of Security Hub without CSPM that Cordon can act on. */
export const ACTIONABLE_FINDINGS_V2 = importedV2({});

/** Those of them that are worth a mail before anything is known of them. */
export const ALERTING_FINDINGS_V2 = importedV2({ severity_id: [4, 5, 6] });

/**
 * Findings for which somebody chose this custom action in the console, whatever their state: a
 * person has judged them already. Other custom actions of the account send the same kind of event.
 */
export const chosenFindings = (customActionArn: string): EventPattern => ({
  source: ['aws.securityhub'],
  'detail-type': ['Security Hub Findings - Custom Action'],
  resources: [customActionArn],
});
