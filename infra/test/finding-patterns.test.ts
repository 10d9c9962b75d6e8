import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { Findings } from '../lib/config.ts';
import { findingPatterns } from '../lib/finding-patterns.ts';
import { complexity, type Json, matches, subRules } from './event-ruler.ts';

const CLASSIFY = new URL('../../functions/classify/', import.meta.url);
const PARTITIONS = ['aws', 'aws-cn', 'aws-us-gov'] as const;
const FEEDS = ['cspm', 'v2'] as const;
const ACCOUNT = '222222222222';
const SECURITY = '111111111111';

type Fields = Readonly<Record<string, Json>>;

function patterns(feed: Findings, partition = 'aws') {
  const { told, ...patterns } = findingPatterns(feed, partition, SECURITY);
  const { actionable, alerting, ofMembers } = patterns as Readonly<
    Record<keyof typeof patterns, Fields>
  >;
  return { actionable, alerting, ofMembers, told };
}

const event = (feed: Findings, finding: Json): Fields => ({
  source: 'aws.securityhub',
  'detail-type': feed === 'cspm' ? 'Security Hub Findings - Imported' : 'Findings Imported V2',
  detail: { findings: [finding] },
});

/** What the verdict table goes by. */
interface Finding {
  readonly product: string;
  readonly severity?: string;
  readonly workflow?: string;
  readonly types?: readonly string[];
  readonly title?: string;
  readonly generator?: string;
  readonly control?: string;
  readonly compliance?: string;
  readonly fields?: Fields;
  readonly resource: { readonly type: string; readonly id: string };
}

const STATUSES = ['UNKNOWN', 'NEW', 'NOTIFIED', 'SUPPRESSED', 'RESOLVED', 'ARCHIVED'];
const SEVERITIES = ['UNKNOWN', 'INFORMATIONAL', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'];
const COMPLIANCES = ['UNKNOWN', 'PASSED', 'WARNING', 'FAILED'];

function asff(finding: Finding): Fields {
  const { product, severity = 'HIGH', workflow = 'NEW', control, compliance } = finding;
  const { types = [], title = 'A finding', generator = 'a-generator', resource } = finding;
  return {
    ProductArn: product,
    AwsAccountId: ACCOUNT,
    GeneratorId: generator,
    Title: title,
    Types: types,
    Severity: { Label: severity },
    Workflow: { Status: workflow },
    RecordState: 'ACTIVE',
    Resources: [
      { Type: 'AwsEc2Instance', Id: `arn:aws:ec2:us-east-1:${ACCOUNT}:instance/i-0` },
      { Type: resource.type, Id: resource.id },
    ],
    ...(compliance === undefined
      ? {}
      : {
          Compliance: {
            Status: compliance,
            ...(control === undefined ? {} : { SecurityControlId: control }),
          },
        }),
    ...finding.fields,
  };
}

function ocsf(finding: Finding): Fields {
  const { product, severity = 'HIGH', workflow = 'NEW', control, compliance } = finding;
  const { types = [], title = 'A finding', resource } = finding;
  const type = resource.type
    .replace(/^AwsIam/, 'AWS::IAM::')
    .replace('AwsAccount', 'AWS::::Account');
  const uid = resource.id.replace(/^AWS::(?:IAM::AccessKey|::Account):/, '');
  return {
    metadata: { product: { uid: product.replace(':product/', ':productv2/') } },
    cloud: { account: { uid: ACCOUNT } },
    finding_info: { title, types },
    severity_id: SEVERITIES.indexOf(severity),
    status_id: STATUSES.indexOf(workflow),
    resources: [
      { type: 'AWS::EC2::Instance', uid: 'i-0' },
      { type, uid },
    ],
    ...(compliance === undefined
      ? {}
      : {
          compliance: {
            status_id: COMPLIANCES.indexOf(compliance),
            ...(control === undefined ? {} : { control }),
          },
        }),
  };
}

/** The finding, as the feed has it. */
const sent = (feed: Findings, finding: Finding): Fields =>
  event(feed, feed === 'cspm' ? asff(finding) : ocsf(finding));

const service = (name: string, partition = 'aws'): string =>
  `arn:${partition}:securityhub:us-east-1::product/aws/${name}`;
const custom = (partition = 'aws'): string =>
  `arn:${partition}:securityhub:us-east-1:${ACCOUNT}:product/${ACCOUNT}/default`;

const user = { type: 'AwsIamUser', id: `arn:aws:iam::${ACCOUNT}:user/eve` };
const key = { type: 'AwsIamAccessKey', id: 'AWS::IAM::AccessKey:AKIAIOSFODNN7EXAMPLE' };
const bucket = { type: 'AwsS3Bucket', id: 'arn:aws:s3:::orders' };

describe('the patterns of findings', () => {
  for (const feed of FEEDS) {
    for (const partition of PARTITIONS) {
      it(`are such as EventBridge takes (${feed}, ${partition})`, () => {
        const { actionable, alerting, ofMembers } = patterns(feed, partition);
        for (const pattern of [actionable, alerting, ofMembers]) {
          assert.ok(complexity(pattern) <= 6, `${complexity(pattern)}`);
          // Amazon EventBridge quotas: event pattern size.
          assert.ok(JSON.stringify(pattern).length <= 2_048, `${JSON.stringify(pattern).length}`);
          // EventBridge User Guide, "$or".
          assert.ok(subRules(pattern).length <= 1_000);
        }
      });
    }
  }
});

interface Case {
  readonly name: string;
  readonly event: {
    readonly 'detail-type': string;
    readonly detail: { readonly findings: readonly Asff[] };
  };
  readonly response: string;
  readonly partition: string;
}

interface Asff {
  readonly ProductArn: string;
  readonly Title?: string;
  readonly Types?: readonly string[];
  readonly Severity?: { readonly Label?: string; readonly Normalized?: number };
  readonly Workflow?: { readonly Status?: string };
  readonly Compliance?: { readonly Status?: string; readonly SecurityControlId?: string };
  readonly Resources?: readonly { readonly Type: string; readonly Id: string }[];
}

/** The cases of `classify` that Security Hub imported, and that something is to be done about. */
function cases(): readonly Case[] {
  const folder = new URL('cases/', CLASSIFY);
  return readdirSync(folder).flatMap((name) => {
    const read = (file: string): string => readFileSync(new URL(`${name}/${file}`, folder), 'utf8');
    const event = JSON.parse(read('event.json')) as Case['event'];
    const { response } = JSON.parse(read('verdict.json')) as Case;
    const execution = existsSync(new URL(`${name}/execution.txt`, folder))
      ? read('execution.txt')
      : 'arn:aws:';
    const imported = ['Security Hub Findings - Imported', 'Findings Imported V2'];
    return response !== 'Ignore' && imported.includes(event['detail-type'])
      ? [{ name, event, response, partition: execution.split(':')[1] ?? '' }]
      : [];
  });
}

/** The severity's label, which OCSF has as a number. */
function label({ Label, Normalized = 0 }: NonNullable<Asff['Severity']>): string {
  const numbers = [0, 1, 40, 70, 90].filter((least) => Normalized >= least);
  return Label !== undefined && SEVERITIES.includes(Label)
    ? Label
    : (SEVERITIES[numbers.length] ?? 'UNKNOWN');
}

describe('no pattern is narrower than the verdict table', () => {
  const all = cases();

  it('there are cases to try', () => {
    assert.ok(all.length > 50, `${all.length}`);
  });

  for (const { name, event: it_, partition } of all) {
    it(`${name} starts an execution`, () => {
      const feed = it_['detail-type'] === 'Findings Imported V2' ? 'v2' : 'cspm';
      assert.ok(matches(patterns(feed, partition).actionable, it_ as unknown as Json));
    });
  }

  for (const { name, event: it_, partition } of all) {
    const [finding] = it_.detail.findings;
    if (it_['detail-type'] !== 'Security Hub Findings - Imported' || finding === undefined)
      continue;
    it(`${name} starts an execution without CSPM`, () => {
      const { Compliance, Resources = [], Severity = {}, Title, Types, Workflow } = finding;
      const started = Resources.some(({ Type, Id }) =>
        matches(
          patterns('v2', partition).actionable,
          sent('v2', {
            product: finding.ProductArn,
            severity: label(Severity),
            workflow: Workflow?.Status ?? 'UNKNOWN',
            types: Types ?? [],
            title: Title ?? '',
            ...(Compliance?.Status === undefined ? {} : { compliance: Compliance.Status }),
            ...(Compliance?.SecurityControlId === undefined
              ? {}
              : { control: Compliance.SecurityControlId }),
            resource: { type: Type, id: Id },
          }),
        ),
      );
      assert.ok(started);
    });
  }

  const table = JSON.parse(
    readFileSync(new URL('rules.json', CLASSIFY), 'utf8'),
  ) as readonly Rule[];
  for (const rule of table.filter(({ response }) => response !== 'Ignore')) {
    it(`what the rule ${rule.name} is for starts an execution`, () => {
      const found = findings(rule);
      assert.ok(found.length > 0);
      for (const feed of FEEDS) {
        for (const [partition, finding] of found) {
          assert.ok(
            matches(patterns(feed, partition).actionable, sent(feed, finding)),
            `${feed}: ${JSON.stringify(finding)}`,
          );
        }
      }
    });
  }
});

/** Of a rule of the verdict table, what says which findings it is for, and what does not. */
interface Rule {
  readonly name: string;
  readonly response: string;
  readonly product: string;
  readonly subjects: readonly string[];
  readonly lowestSeverity: string;
  readonly escalateFrom?: string;
  readonly controls?: readonly string[];
  readonly types?: readonly string[];
  readonly generators?: readonly string[];
  readonly trustedTypes?: string;
  readonly titleHas?: readonly string[];
  readonly titleHasInAnyCase?: readonly string[];
}

const KNOWN = [
  ...['name', 'response', 'product', 'subjects', 'lowestSeverity', 'escalateFrom', 'controls'],
  ...['types', 'generators', 'trustedTypes', 'titleHas', 'titleHasInAnyCase'],
  ...['reason', 'instruction', 'urgent', 'refusal', 'unusedDays', 'namesNobody'],
];

const PRODUCTS: Readonly<Record<string, (partition: string) => readonly string[]>> = {
  GuardDuty: (partition) => [service('guardduty', partition)],
  SecurityHub: (partition) => [service('securityhub', partition)],
  AccessAnalyzer: (partition) => [service('access-analyzer', partition)],
  Health: (partition) => [service('health', partition)],
  // Of Access Analyzer and Config, other rules ignore the rest.
  Service: (partition) =>
    ['securityhub', 'inspector', 'new'].map((name) => service(name, partition)),
  Custom: (partition) => [
    custom(partition),
    `arn:${partition}:securityhub:us-east-1::product/example-corp/iam-scanner`,
  ],
};

const SUBJECTS: Readonly<Record<string, (partition: string) => readonly Finding['resource'][]>> = {
  User: (partition) => [
    { type: 'AwsIamUser', id: `arn:${partition}:iam::${ACCOUNT}:user/staff/eve` },
    { type: 'AwsIamUser', id: 'AIDACKCEVSQ6C2EXAMPLE' },
    { type: 'Other', id: `arn:${partition}:iam::${ACCOUNT}:user/staff/eve` },
  ],
  Role: (partition) => [
    { type: 'AwsIamRole', id: `arn:${partition}:iam::${ACCOUNT}:role/deploy` },
    { type: 'Other', id: `arn:${partition}:iam::${ACCOUNT}:role/deploy` },
  ],
  UserKey: (partition) => [
    key,
    { type: 'AwsIamAccessKey', id: 'AWS::IAM::AccessKey:null' },
    { type: 'AwsIamAccessKey', id: `arn:${partition}:iam::${ACCOUNT}:user/eve` },
    { type: 'AWS::IAM::AccessKey', id: 'AKIAIOSFODNN7EXAMPLE' },
    { type: 'Other', id: 'AKIAIOSFODNN7EXAMPLE' },
    { type: 'Other', id: `arn:${partition}:iam::${ACCOUNT}:access-key/AKIAIOSFODNN7EXAMPLE` },
  ],
  RoleSession: (partition) => [
    { type: 'AwsIamAccessKey', id: 'AWS::IAM::AccessKey:ASIAIOSFODNN7EXAMPLE' },
    { type: 'Other', id: `arn:${partition}:sts::${ACCOUNT}:assumed-role/deploy/i-0` },
    { type: 'Other', id: 'AROACKCEVSQ6C2EXAMPLE:i-0' },
  ],
  RootKey: (partition) => [key, { type: 'Other', id: `arn:${partition}:iam::${ACCOUNT}:root` }],
  FederatedSession: (partition) => [
    { type: 'Other', id: `arn:${partition}:sts::${ACCOUNT}:federated-user/eve` },
  ],
  UnknownKey: () => [{ type: 'Other', id: 'ASIAIOSFODNN7EXAMPLE' }],
  Policy: (partition) => [
    { type: 'AwsIamPolicy', id: `arn:${partition}:iam::${ACCOUNT}:policy/wide` },
  ],
  Account: () => [{ type: 'AwsAccount', id: `AWS::::Account:${ACCOUNT}` }],
  Other: () => [bucket],
};

/** Findings that the rule is for, as wide apart as it lets them be, with their partitions. */
function findings(rule: Rule): readonly (readonly [string, Finding])[] {
  assert.deepEqual(
    Object.keys(rule).filter((field) => !KNOWN.includes(field)),
    [],
    'whether a field of a rule widens what it is for, has to be said here',
  );
  const { controls, types = [''], generators = [''], titleHas = [], titleHasInAnyCase = [] } = rule;
  const filledIn = (pattern: string): string => pattern.replaceAll(/[*?]/g, '');
  // In the ways in which titles are written.
  const titles = [
    (text: string): string => text,
    (text: string): string => text.toUpperCase(),
    (text: string): string => text.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase()),
    (text: string): string => text.replace(/^[a-z]/, (letter) => letter.toUpperCase()),
  ].map((written) => [...titleHas, ...titleHasInAnyCase.map(written)].join(' '));
  return PARTITIONS.flatMap((partition) => {
    const products = PRODUCTS[rule.product];
    assert.ok(products, `a product that is not here: \`${rule.product}\``);
    return products(partition).flatMap((product) =>
      rule.subjects
        .flatMap((subject) => SUBJECTS[subject]?.(partition) ?? [])
        .flatMap((resource) =>
          (controls ?? [undefined]).flatMap((control) =>
            types.flatMap((type) =>
              generators.flatMap((generator) =>
                titles.map((title): readonly [string, Finding] => [
                  partition,
                  {
                    product,
                    // The response policy may ask for less than the table does, but not of services
                    // that find something wrong with most principals.
                    severity: rule.product === 'Service' ? rule.lowestSeverity : 'LOW',
                    types: [`Software and Configuration Checks/${filledIn(type)}`],
                    generator: filledIn(generator),
                    title,
                    resource,
                    ...(control === undefined ? {} : { control, compliance: 'FAILED' }),
                  },
                ]),
              ),
            ),
          ),
        ),
    );
  });
}

describe('no execution starts', () => {
  const quiet: Readonly<Record<string, Finding>> = {
    'for a key that is not rotated': {
      product: service('securityhub'),
      severity: 'MEDIUM',
      control: 'IAM.3',
      compliance: 'FAILED',
      resource: user,
    },
    'for a grave control that is on no principal': {
      product: service('securityhub'),
      severity: 'CRITICAL',
      control: 'EC2.2',
      compliance: 'FAILED',
      resource: { type: 'AwsAccount', id: `AWS::::Account:${ACCOUNT}` },
    },
    'for what a control passed': {
      product: service('securityhub'),
      severity: 'CRITICAL',
      control: 'IAM.4',
      compliance: 'PASSED',
      resource: { type: 'AwsAccount', id: `AWS::::Account:${ACCOUNT}` },
    },
    'for what a check of another product passed': {
      product: custom(),
      compliance: 'PASSED',
      title: 'Root access key',
      resource: user,
    },
    'for permissions that are unused': {
      product: service('access-analyzer'),
      severity: 'LOW',
      types: ['Software and Configuration Checks/AWS Security Best Practices/Unused Permission'],
      resource: user,
    },
    'for a role that others may assume': {
      product: service('access-analyzer'),
      resource: { type: 'AwsIamRole', id: `arn:aws:iam::${ACCOUNT}:role/shared` },
    },
    'for a rule of AWS Config': { product: service('config'), resource: user },
    'for an instance that GuardDuty reports': { product: service('guardduty'), resource: bucket },
    'for a bucket that another product reports': { product: custom(), resource: bucket },
    'for what is suppressed': {
      product: service('guardduty'),
      workflow: 'SUPPRESSED',
      resource: key,
    },
    'for what another product updates after it was resolved': {
      product: custom(),
      workflow: 'RESOLVED',
      fields: { UserDefinedFields: { CordonExecution: 'arn' } },
      resource: user,
    },
  };
  for (const feed of FEEDS) {
    for (const [why, finding] of Object.entries(quiet)) {
      it(`${why} (${feed})`, () => {
        assert.ok(!matches(patterns(feed).actionable, sent(feed, finding)));
      });
    }
  }

  it('for what people resolved, or Health says of something else', () => {
    const { actionable } = patterns('cspm');
    for (const finding of [
      { product: service('guardduty'), workflow: 'RESOLVED', resource: key },
      { product: service('health'), generator: 'AWS_EC2_RETIREMENT', resource: bucket },
    ]) {
      assert.ok(!matches(actionable, sent('cspm', finding)));
    }
  });

  it('for coverage and risks', () => {
    const { actionable } = patterns('v2');
    for (const product of ['securityhub-coverage', 'securityhub-risk']) {
      assert.ok(!matches(actionable, sent('v2', { product: service(product), resource: user })));
    }
  });
});

describe('what Cordon has answered', () => {
  for (const feed of FEEDS) {
    it(`starts an execution where GuardDuty updates it (${feed})`, () => {
      for (const workflow of ['NOTIFIED', 'RESOLVED']) {
        const again = {
          product: service('guardduty'),
          workflow,
          fields: { UserDefinedFields: { CordonExecution: 'arn' } },
          resource: key,
        };
        assert.ok(matches(patterns(feed).actionable, sent(feed, again)));
        assert.ok(!matches(patterns(feed).alerting, sent(feed, again)));
      }
    });
  }
});

describe('the first notice', () => {
  const root = { type: 'AwsAccount', id: `AWS::::Account:${ACCOUNT}` };
  const grave: Readonly<Record<string, Finding>> = {
    'a key that GuardDuty reports': { product: service('guardduty'), resource: key },
    'a key that Health says is exposed': {
      product: service('health'),
      generator: 'AWS_RISK_CREDENTIALS_EXPOSED',
      resource: { type: 'Other', id: 'AKIAIOSFODNN7EXAMPLE' },
    },
  };
  for (const feed of FEEDS) {
    for (const [what, finding] of Object.entries(grave)) {
      it(`tells of ${what}, if it is grave (${feed})`, () => {
        const { actionable, alerting } = patterns(feed);
        for (const severity of ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL']) {
          const it_ = sent(feed, { ...finding, severity });
          assert.equal(matches(alerting, it_), ['HIGH', 'CRITICAL'].includes(severity), severity);
          assert.ok(matches(actionable, it_));
        }
      });
    }

    it(`does not tell what a control finds, which comes with each check (${feed})`, () => {
      for (const control of ['IAM.1', 'IAM.4', 'IAM.6', 'IAM.9', 'IAM.21']) {
        const failed = {
          product: service('securityhub'),
          severity: 'CRITICAL',
          control,
          compliance: 'FAILED',
          resource: root,
        };
        const { actionable, alerting } = patterns(feed);
        assert.equal(matches(alerting, sent(feed, failed)), false, control);
        assert.equal(matches(actionable, sent(feed, failed)), true, control);
      }
    });

    it(`does not tell what other products say, or what passed (${feed})`, () => {
      for (const finding of [
        { product: custom(), resource: user },
        { product: 'arn:aws:securityhub:us-east-1::product/prowler/prowler', resource: user },
        { product: service('inspector'), resource: user },
        { product: service('guardduty'), compliance: 'PASSED', resource: key },
      ]) {
        assert.ok(!matches(patterns(feed).alerting, sent(feed, finding)));
      }
    });

    it(`tells of no product that poses as one of AWS's, whose ids it tells (${feed})`, () => {
      const generator = 'AWS_RISK_CREDENTIALS_EXPOSED';
      for (const name of ['guardduty', 'health']) {
        const real = service(name);
        assert.ok(
          matches(patterns(feed).alerting, sent(feed, { product: real, generator, resource: key })),
        );
        for (const product of [
          real.replace('::', `:${ACCOUNT}:`),
          real.replace('/aws/', `/${ACCOUNT}/`),
          real.replace('/aws/', '/another/'),
          real.replace('/aws/', '/another/aws/'),
          `${real}/default`,
          `${real}-2`,
        ]) {
          const poses = sent(feed, { product, generator, resource: key });
          assert.ok(!matches(patterns(feed).alerting, poses), product);
        }
      }
    });

    it(`has the account, the severity and the id (${feed})`, () => {
      const { told } = patterns(feed);
      assert.deepEqual(
        told,
        feed === 'cspm'
          ? {
              account: '$.detail.findings[0].AwsAccountId',
              severity: '$.detail.findings[0].Severity.Label',
              id: '$.detail.findings[0].Id',
            }
          : {
              account: '$.detail.findings[0].cloud.account.uid',
              severity: '$.detail.findings[0].severity',
              id: '$.detail.findings[0].finding_info.uid',
            },
      );
    });
  }
});

for (const feed of FEEDS) {
  describe(`what says that the feed is on (${feed})`, () => {
    const { ofMembers } = patterns(feed);
    const passed = { product: service('securityhub'), compliance: 'PASSED', resource: bucket };

    it('is any finding of another account than the security account', () => {
      for (const finding of [passed, { product: service('guardduty'), resource: key }]) {
        assert.equal(matches(ofMembers, sent(feed, finding)), true);
      }
    });

    it("is none of the security account's own", () => {
      const own =
        feed === 'cspm'
          ? { ...asff(passed), AwsAccountId: SECURITY }
          : { ...ocsf(passed), cloud: { account: { uid: SECURITY } } };
      assert.equal(matches(ofMembers, event(feed, own)), false);
    });

    it('is none of the other feed, and nothing that somebody chose', () => {
      const others = FEEDS.filter((other) => other !== feed).map((other) => sent(other, passed));
      const chosen = { 'detail-type': 'Security Hub Findings - Custom Action' };
      for (const one of [...others, { ...sent(feed, passed), ...chosen }]) {
        assert.equal(matches(ofMembers, one), false);
      }
    });
  });
}
