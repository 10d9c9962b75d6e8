import type { Findings } from './config.ts';
import type { EventPattern } from './event-rule.ts';

/**
 * Which of Security Hub's events go where. EventBridge's matcher reads these, so they may be wider
 * than the verdict table of `classify`, which judges whatever they let through, but never narrower.
 *
 * What they build on (EventBridge User Guide, "Comparison operators for use in event patterns" and
 * "Arrays in event patterns"): all fields of an object must match; of a list in the event, here the
 * findings, their resources and types, one element is enough; `$or` is spelled out into one pattern
 * for each combination of alternatives, of which there may be 1,000. Quotas: a pattern has 2,048
 * characters, and a bus 30 rules with wildcards; one of these is one. EventBridge refuses patterns
 * of too many wildcards too, so there are none where a field's beginning, end or whole says it.
 */
export interface FindingPatterns {
  /** The findings that Cordon can act on; the thousands of others start no execution. */
  readonly actionable: EventPattern;
  /**
   * The incidents that AWS's services see, worth a mail before anything is known of them: of products
   * alone that nobody else can import findings for, so that their ids may be told. What a control
   * finds is none: it has been so for long, and comes again with each check while it is NEW.
   */
  readonly alerting: EventPattern;
  /**
   * Whatever the feed says of other accounts than the security account, whose own checks go on
   * where it is the administrator of nobody any more. There is always some, so silence is news.
   */
  readonly ofMembers: EventPattern;
  /** Where the event has what such a mail says of it. */
  readonly told: { readonly account: string; readonly severity: string; readonly id: string };
}

export function findingPatterns(
  findings: Findings,
  partition: string,
  securityAccount: string,
): FindingPatterns {
  const form = findings === 'cspm' ? asff(partition) : ocsf(partition);
  const imported = (finding: EventPattern): EventPattern => ({
    source: ['aws.securityhub'],
    'detail-type': [form.detailType],
    detail: { findings: finding },
  });
  return {
    actionable: imported({
      $or: [
        {
          ...form.onPrincipals,
          $or: [
            // Whatever GuardDuty, Health, another service or a custom product says of a principal:
            // which products are trusted is for the response policy to say.
            { ...form.accusing, $or: [form.ofOthers, { ...form.ofSecurityHub, ...form.grave }] },
            form.again,
          ],
        },
        {
          ...form.accusing,
          $or: [
            { ...form.ofOthers, $or: [form.onAccounts, form.aboutRoot] },
            // Health names the account where it does not say which key is exposed.
            form.ofHealth,
            { ...form.ofSecurityHub, ...form.onControls },
            form.aboutUnused,
          ],
        },
      ],
    }),
    alerting: imported({
      ...form.accusing,
      ...form.alarming,
      $or: [{ ...form.ofGuardDuty, ...form.onPrincipals }, form.ofHealth],
    }),
    ofMembers: imported(form.of([{ 'anything-but': securityAccount }])),
    told: form.told,
  };
}

/** What the patterns ask of a finding, in the names of its format. */
interface Form extends Pick<FindingPatterns, 'told'> {
  readonly detailType: string;
  /** Of an account that is one of these. */
  readonly of: (accounts: readonly unknown[]) => EventPattern;
  /**
   * New, and of no check or of one that failed. Each update comes again as an import: what Cordon
   * has answered is not new, so it does not start itself, and what passed accuses nobody.
   */
  readonly accusing: EventPattern;
  readonly onPrincipals: EventPattern;
  readonly onAccounts: EventPattern;
  /** Of GuardDuty, that which Cordon has answered: it updates it when the attacker comes back. */
  readonly again: EventPattern;
  readonly ofGuardDuty: EventPattern;
  readonly ofHealth: EventPattern;
  readonly ofSecurityHub: EventPattern;
  /** Of any product but the services of `OF_HYGIENE`. */
  readonly ofOthers: EventPattern;
  /** Not said to be of MEDIUM severity or less. */
  readonly grave: EventPattern;
  /** Said to be of HIGH severity or more. */
  readonly alarming: EventPattern;
  readonly onControls: EventPattern;
  readonly aboutRoot: EventPattern;
  readonly aboutUnused: EventPattern;
}

/**
 * The AWS services that find what is wrong with thousands of principals, most of which is for
 * nobody to act on at once: of theirs, only what is said to be so goes on.
 */
const OF_HYGIENE = ['securityhub', 'access-analyzer', 'config'];

/**
 * The controls on too wide policies, root, and unused credentials. A control's id is the same
 * whether consolidated findings are on or off (Security Hub User Guide, "Consolidation").
 */
const CONTROLS = ['IAM.1', 'IAM.4', 'IAM.6', 'IAM.8', 'IAM.9', 'IAM.21', 'IAM.22'];

/**
 * How Access Analyzer's types end that are about what users left unused; unused roles and
 * permissions are nobody's intrusion.
 */
const UNUSED = ['Unused IAM User Access Key', 'Unused IAM User Password'];

/**
 * What a title on root's access key holds. Wildcards cannot disregard case, and more than two on
 * one field would be near what EventBridge refuses.
 */
const ROOT = ['*oot*', '*OOT*'];

/** CloudFormation's names of types; ASFF has others beside them. */
const OF_IAM = 'AWS::IAM::';
const ACCOUNT = 'AWS::::Account';

/** How a resource's id begins that is a principal, a session or a key, whatever its type says. */
const principalIds = (partition: string): readonly string[] => [
  `arn:${partition}:iam::`,
  `arn:${partition}:sts::`,
  OF_IAM,
  'AKIA',
  'ASIA',
  'AIDA',
  'AROA',
];

const beginning = (texts: readonly string[]) => texts.map((prefix) => ({ prefix }));
const ending = (texts: readonly string[]) => texts.map((suffix) => ({ suffix }));
const holding = (texts: readonly string[]) => texts.map((wildcard) => ({ wildcard }));
const endingOtherwise = (texts: readonly string[]) => [{ 'anything-but': { suffix: texts } }];

const ABSENT = { exists: false };

/**
 * Findings as Security Hub CSPM sends them.
 *
 * Sources: Security Hub User Guide, "EventBridge event formats for Security Hub CSPM"; ASFF.
 */
function asff(partition: string): Form {
  // By the end of its ARN, which no Region and no partition changes. The account is empty for AWS
  // and its partners alone, so no custom product can pose as a service of AWS.
  const arn = (name: string) => `::product/aws/${name}`;
  return {
    detailType: 'Security Hub Findings - Imported',
    of: (accounts) => ({ AwsAccountId: accounts }),
    accusing: {
      RecordState: ['ACTIVE'],
      Workflow: { Status: ['NEW'] },
      Compliance: { Status: ['FAILED', ABSENT] },
    },
    onPrincipals: {
      Resources: {
        $or: [{ Type: beginning(['AwsIam', OF_IAM]) }, { Id: beginning(principalIds(partition)) }],
      },
    },
    onAccounts: {
      Resources: {
        $or: [{ Type: ['AwsAccount', ACCOUNT] }, { Id: beginning([ACCOUNT]) }],
      },
    },
    again: {
      RecordState: ['ACTIVE'],
      ProductArn: ending([arn('guardduty')]),
      Workflow: { Status: ['NOTIFIED', 'RESOLVED'] },
      UserDefinedFields: { CordonExecution: [{ exists: true }] },
    },
    ofGuardDuty: { ProductArn: ending([arn('guardduty')]) },
    // Of the codes of its events, those about credentials that are known to others.
    ofHealth: {
      ProductArn: ending([arn('health')]),
      GeneratorId: beginning(['AWS_RISK_CREDENTIALS_']),
    },
    ofSecurityHub: { ProductArn: ending([arn('securityhub')]) },
    ofOthers: { ProductArn: endingOtherwise(OF_HYGIENE.map(arn)) },
    grave: {
      Severity: { Label: [{ 'anything-but': ['INFORMATIONAL', 'LOW', 'MEDIUM'] }, ABSENT] },
    },
    alarming: { Severity: { Label: ['HIGH', 'CRITICAL'] } },
    onControls: { Compliance: { SecurityControlId: CONTROLS } },
    aboutRoot: { Title: holding(ROOT) },
    aboutUnused: { ProductArn: ending([arn('access-analyzer')]), Types: ending(UNUSED) },
    told: {
      account: '$.detail.findings[0].AwsAccountId',
      severity: '$.detail.findings[0].Severity.Label',
      id: '$.detail.findings[0].Id',
    },
  };
}

/**
 * Findings as the Security Hub sends them that is not CSPM.
 *
 * Sources: Security Hub User Guide, "EventBridge event formats" (`Findings Imported V2`), "OCSF
 * findings in Security Hub CSPM", "Sample exposure finding" (`securityhub-risk`); OCSF schema,
 * `status_id`, `severity_id`, `compliance.status_id`.
 */
function ocsf(partition: string): Form {
  const arn = (name: string) => `::productv2/aws/${name}`;
  const of = (uid: unknown) => ({ metadata: { product: { uid } } });
  const ids = beginning(principalIds(partition));
  return {
    detailType: 'Findings Imported V2',
    of: (accounts) => ({ cloud: { account: { uid: accounts } } }),
    // Not in progress, suppressed, resolved or archived; neither passed nor warned of.
    accusing: {
      status_id: [{ 'anything-but': [2, 3, 4, 5] }, ABSENT],
      compliance: { status_id: [{ 'anything-but': [1, 2] }, ABSENT] },
    },
    onPrincipals: {
      resources: { $or: [{ type: beginning([OF_IAM]) }, { uid: ids }, { uid_alt: ids }] },
    },
    onAccounts: { resources: { type: [ACCOUNT] } },
    // In progress, and resolved. Cordon's mark is in the comment, which comes in no event known.
    again: { ...of(ending([arn('guardduty')])), status_id: [2, 4] },
    ofGuardDuty: of(ending([arn('guardduty')])),
    ofHealth: of(ending([arn('health')])),
    ofSecurityHub: of(ending([arn('securityhub')])),
    // Coverage tells which services are on; a risk is what others could do to a principal.
    ofOthers: of(
      endingOtherwise([...OF_HYGIENE, 'securityhub-coverage', 'securityhub-risk'].map(arn)),
    ),
    grave: { severity_id: [{ 'anything-but': [0, 1, 2, 3] }, ABSENT] },
    alarming: { severity_id: [4, 5, 6] },
    onControls: { compliance: { control: CONTROLS } },
    aboutRoot: { finding_info: { title: holding(ROOT) } },
    aboutUnused: {
      ...of(ending([arn('access-analyzer')])),
      finding_info: { types: ending(UNUSED) },
    },
    told: {
      account: '$.detail.findings[0].cloud.account.uid',
      severity: '$.detail.findings[0].severity',
      // That which all other mails about the finding have.
      id: '$.detail.findings[0].finding_info.uid',
    },
  };
}

/**
 * Findings for which somebody chose this custom action in the console, whatever their state: a
 * person has judged them already. Other custom actions of the account send the same kind of event.
 * An insight's results carry no finding; who chose the action for them is told so.
 */
export const chosenFindings = (customActionArn: string): EventPattern => ({
  source: ['aws.securityhub'],
  'detail-type': ['Security Hub Findings - Custom Action', 'Security Hub Insight Results'],
  resources: [customActionArn],
});
