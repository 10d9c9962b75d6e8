import { computed, type Json, state, type Values } from './machine.ts';

/** How long the parts of an incident are, and of which character names and paths are made. */
interface Size {
  readonly principals: number;
  /** Characters of an IAM path; of a finding's id; of the cause of a failure. */
  readonly path: number;
  readonly id: number;
  readonly cause: number;
  /** Policies, inline policies and groups of one principal; failures of one round. */
  readonly each: number;
  readonly failures: number;
  /** What paths, ids and causes are made of. JSON writes a quotation mark in two bytes. */
  readonly of: string;
  /** Bytes of the whole finding. */
  readonly finding: number;
}

const TYPICAL: Size = {
  principals: 2,
  path: 2,
  id: 90,
  cause: 200,
  each: 1,
  failures: 1,
  of: 'x',
  finding: 4_000,
};

/**
 * The most that AWS lets each be: paths of 512 printable characters, names of 128 (IAM API
 * Reference, `CreateUser`, `CreatePolicy`), ids of 512, 32 resources and 240 KB in a finding (AWS
 * Security Finding Format). The worst character there is.
 */
const LARGEST: Size = {
  principals: 32,
  path: 512,
  id: 512,
  cause: 32_000,
  each: 20,
  failures: 5,
  of: '"',
  finding: 240 * 1024,
};

export interface Incident {
  /** The variables as they are once all of them are set. */
  readonly variables: Values;
  /** What each task brings, by the state's name. */
  readonly results: Readonly<Record<string, Json>>;
  readonly context: { readonly [member: string]: Json };
  /** What Classify brings where each resource is a policy that is left to people. */
  readonly left: { refused: Json[]; policies: Json[]; Classify: Json };
}

const EXECUTION = `arn:aws-us-gov:states:us-gov-west-1:111111111111:execution:cordon-incident-response:${'e'.repeat(80)}`;

export const CONTEXT = {
  Execution: {
    Id: EXECUTION,
    Name: 'e'.repeat(80),
    StartTime: '2026-11-23T06:25:38.123Z',
    Input: { detail: { findings: [{ Id: 'f', ProductArn: 'p', AwsAccountId: '222222222222' }] } },
  },
  State: { Name: 'State', EnteredTime: '2026-11-23T06:26:08.000Z', RetryCount: 0 },
};

const POLICY = {
  mode: 'contain',
  lowestSeverity: {
    containUser: null,
    containRole: null,
    retireUnusedCredentials: null,
    escalate: null,
  },
  containRoles: false,
  retireUnusedCredentials: true,
  exemptAccounts: [],
  accountsInScope: null,
  trustedProducts: null,
  settlingSeconds: 10,
  containmentsPerHour: 20,
  customActionsPerHour: 50,
  retirementsPerHour: 20,
  escalationsPerHour: 20,
};

function principal(size: Size) {
  const path = `/${size.of.repeat(size.path - 2)}/`;
  const named = (kind: string, name: string): string =>
    `arn:aws-us-gov:iam::222222222222:${kind}${path}${name}`;
  const longest = size.path > 2;
  const name = longest ? 'n'.repeat(128) : 'eve';
  return {
    named,
    identified: {
      arn: named('user', name),
      account: '222222222222',
      kind: 'User',
      name,
      path,
      id: `AIDA${'I'.repeat(longest ? 124 : 17)}`,
      boundary: longest ? named('policy', name) : null,
      deniedBefore: longest ? 'boundary' : null,
      accessKeys: longest ? [`AKIA${'K'.repeat(124)}`, `AKIA${'L'.repeat(124)}`] : ['AKIA1'],
    },
    reach: {
      id: `AIDA${'I'.repeat(longest ? 124 : 17)}`,
      since: '2026-11-23T06:25:39.000Z',
      boundary: longest ? named('policy', name) : null,
      deniedBefore: longest ? 'boundary' : null,
    },
  };
}

/** The states that find the words for people. */
export const REPORTS: readonly string[] = [
  'ReportAbandoned',
  'ReportContained',
  'ReportOverflow',
  'ReportEscalated',
  'ReportObserved',
  'ReportFailure',
];

export const PRINCIPAL: Json = principal(TYPICAL).identified;

/** The states that run only once the principal is identified. */
export const IDENTIFIED: readonly string[] = [
  'WhetherToCount',
  'ReadCase',
  'WhetherAnswered',
  'CountContainments',
  'Observe',
  'Quarantine',
  'Preserve',
  'WhetherToReplaceBoundary',
  'ReplaceBoundary',
  'ChooseRemoval',
  'DeactivateKeys',
  'DetachPolicies',
  'RemoveGroups',
  'DetachRolePolicies',
  'RetireCredentials',
  'Verify',
  'IsContained',
  'WhetherToPreserveLeft',
  'PreserveLeft',
  'Tag',
  'ChooseEnding',
  'PrincipalContained',
  'PrincipalRetired',
  'PrincipalObserved',
  'PrincipalAnswered',
];

function incident(size: Size): Incident {
  const { named, identified, reach } = principal(size);
  const times = <T>(count: number, make: (n: number) => T): T[] =>
    Array.from({ length: count }, (_, n) => make(n));
  const text = (length: number): string => size.of.repeat(length);
  const name = identified.name;
  const {
    account: _,
    path: __,
    boundary: ___,
    ...identity
  } = {
    ...identified,
    // A long path stands in no outcome.
    ...(size.path > 2 && { arn: `arn:aws-us-gov:iam::222222222222:user/.../${identified.name}` }),
  };
  const longest = size.path > 2;

  // Classify cuts what a finding calls a principal to 700 ASCII characters.
  const resource = (n: number): string =>
    longest ? `${n}:`.padEnd(700, size.of) : `arn:aws:iam::222222222222:user/eve-${n}`;
  const accused = times(size.principals, (n) => ({
    resource: resource(n),
    account: '222222222222',
    kind: 'User',
    name,
    accessKey: longest ? `AKIA${'K'.repeat(124)}` : null,
    ...(longest ? { principalId: `AIDA${'J'.repeat(124)}` } : {}),
  }));
  const refused = (n: number): Json => ({
    resource: resource(n),
    account: '222222222222',
    verdict: 'escalated',
    failures: [{ state: 'Classify', error: 'FederatedSession', cause: text(100) }],
    pass: 0,
  });
  const exemptPrincipals = longest ? [text(4_000)] : [];
  const held = {
    managedPolicies: times(size.each, () => named('policy', name)),
    // A role's inline policies have 10,240 characters in all, and the shortest of use has 58.
    inlinePolicies: times(longest ? 176 : 1, () => ({ name, sha256: '0'.repeat(64) })),
    groups: times(size.each, () => name),
  };
  // S3's version ids have 32 characters, and may have 1,024 (S3 User Guide, "How S3 Versioning
  // works").
  const stored = (file: string) => ({
    uri: `s3://${'b'.repeat(63)}/evidence/222222222222/${identified.id}/0001/${file}`,
    version: 'v'.repeat(longest ? 1_024 : 32),
    sha256: '0'.repeat(64),
  });
  const names = <T extends Json>(first: T[]) => ({ first, more: longest ? 200 : 0 });
  const credential = () => ({ kind: 'serviceSpecific', id: 'A'.repeat(128) });
  // Of 32 principals what people are told is cut to 350 bytes (`incident::room`).
  // What was done and what is left share them, but for a name or two.
  const holdings = {
    credentials: names(longest ? [{ kind: 'accessKey', id: 'A'.repeat(100) }] : [credential()]),
    policies: names(longest ? [] : held.managedPolicies),
    inlinePolicies: names(longest ? [] : ['i']),
    groups: names(longest ? [] : held.groups),
  };
  const evidence = {
    case: '0001',
    original: stored('original.json'),
    snapshot: stored(`${'e'.repeat(80)}-22.json`),
    held,
    // Once as it was, and once as it is now.
    had: {
      credentials: names(times(longest ? 100 : 1, credential)),
      policies: names([...held.managedPolicies, ...held.managedPolicies]),
      inlinePolicies: names(held.inlinePolicies.flatMap((one) => [one.name, one.name])),
      groups: names([...held.groups, ...held.groups]),
    },
    proof: {
      case: '0001',
      original: stored('original.json').uri,
      sha256: '0'.repeat(64),
      snapshot: stored(`${'e'.repeat(80)}-22.json`).uri,
      snapshotSha256: '0'.repeat(64),
      had: holdings,
      before: { joined: { gone: longest ? 1_000 : 3, regained: true } },
      bare: true,
      assumableRoles: names(longest ? ['r'.repeat(197)] : ['arn:aws:iam::222222222222:role/app']),
      told: times(longest ? 1 : 0, () => 't'.repeat(200)),
    },
  };
  const finding = {
    id: text(size.id),
    label: text(size.id),
    productArn: longest ? text(2_048) : 'arn:aws:securityhub:us-east-1::product/aws/guardduty',
    account: '222222222222',
    title: longest ? '\u{1f600}'.repeat(256) : 'A finding',
    severity: 'INFORMATIONAL',
  };
  const limit = (window: string) => ({
    window: `222222222222#${window}`,
    most: 4_294_967_295,
    beyond: 'b'.repeat(500),
  });
  const limits = {
    contain: limit('service'),
    retire: limit('retirement'),
    escalate: limit('service#escalations'),
    urgent: `222222222222#urgent#service#${'0'.repeat(40)}`,
  };
  const verdict: Json = {
    response: 'Contain',
    reason: text(500),
    instruction: text(longest ? 600 : 40),
    rules: times(size.principals, () => 'control-unused-credentials-of-a-user'),
    source: 'service',
    beyond: limits.escalate.beyond,
    recurrence: longest
      ? {
          execution: EXECUTION,
          evidence: times(4, () => 's'.repeat(300)),
          lastSeen: CONTEXT.Execution.StartTime,
        }
      : null,
    unanswered: false,
  };
  const judged = (who: { accused: Json[]; refused: Json[]; policies: Json[] }): Json => ({
    ...(verdict as object),
    ...who,
    urgent: false,
    limits,
  });
  // A finding is large by what it tells of its resources.
  const raw = (Other: string) => ({
    Id: text(size.id),
    ProductArn: finding.productArn,
    AwsAccountId: '222222222222',
    Workflow: { Status: 'NEW' },
    Resources: [{ Type: 'AwsIamUser', Id: 'eve', Details: { Other } }],
  });
  const rest = Buffer.byteLength(JSON.stringify(raw('')));
  const whole = raw('d'.repeat(size.finding - rest));
  const event = {
    version: '0',
    id: '0'.repeat(36),
    'detail-type': 'Security Hub Findings - Imported',
    source: 'aws.securityhub',
    account: '111111111111',
    time: '2026-11-23T06:25:37Z',
    region: 'us-gov-west-1',
    resources: [
      `arn:aws-us-gov:securityhub:us-gov-west-1::product/aws/securityhub/${'r'.repeat(512)}`,
    ],
    detail: { findings: [whole] },
  };
  const failure = (n: number) => ({
    state: 'DetachRolePolicies',
    error: 'PrincipalProtected',
    // No cause that a function of ours gives holds what JSON escapes.
    cause: `${n}`.padEnd(Math.min(size.cause, 1_200), 'c'),
  });
  const read = { ...credential(), active: false, created: null, service: null };
  const deactivated = { deactivated: times(longest ? 100 : 1, () => read) };
  const detached = {
    detached: held.managedPolicies,
    deleted: held.inlinePolicies.map((policy) => policy.name),
  };
  const removed = { left: held.groups };
  const policy = { ...POLICY, exemptPrincipals };
  const denial = {
    by: 'policy',
    already: true,
    boundary: false,
    refused: 'r'.repeat(longest ? 300 : 40),
  };
  const verified = {
    readBack: {
      contained: true,
      deniedBy: 'boundary',
      boundary: text(longest ? 100 : 40),
      done: holdings,
      left: holdings,
      unusedPassword: false,
      keyStillActive: false,
    },
    deniedBy: 'boundary',
    at: '2026-11-23T06:26:20.000Z',
    keptPolicies: [],
    boundary: longest ? named('policy', name) : null,
    credentials: times(longest ? 100 : 1, () => read),
  };

  // A report has 200 KiB at most.
  const report = {
    subject: 's'.repeat(99),
    verdict: 'contained',
    note: text(longest ? 512 : 40),
    fields: { CordonExecution: EXECUTION },
    message: 'm'.repeat(longest ? 200 * 1024 - 2_000 : 400),
  };
  const variables: Values = {
    sent: '2026-11-23T06:25:37Z',
    policy,
    verdict,
    principals: accused,
    refused: [],
    policies: [],
    urgent: false,
    limits,
    report,
    answered: [],
    outcomes: accused.map(({ resource }, n) => ({
      resource,
      verdict: n % 2 === 0 ? 'pending' : 'contained',
      failures: [failure(n)],
      pass: 0,
    })),
    holders: ['a policy is held by user eve'],
    failure: { ...failure(0), state: 'Classify', error: 'ResponsePolicyInvalid' },
    redrives: 0,
    counter: 'DynamoDB.ConditionalCheckFailedException',
    record: [whole],
    cut: state('Begin').Assign?.['cut'] ?? null,
    filters: {},
    finding,
    accused: accused[0] ?? null,
    limit: limits.contain,
    known: identity,
    prior: { denial, evidence: evidence.proof },
    target: identified,
    identity,
    reach,
    identifiedBy: longest ? 'i'.repeat(250) : 'the finding',
    denial,
    evidence,
    verified,
    tagged: true,
    failures: times(size.failures, failure),
    counted: true,
    asked: true,
    rounds: 1,
    looks: 2,
  };
  const payload = (Payload: Json): Json => ({
    ExecutedVersion: '$LATEST',
    Payload,
    SdkHttpMetadata: {
      AllHttpHeaders: { 'x-amzn-RequestId': ['0'.repeat(36)] },
      HttpStatusCode: 200,
    },
    SdkResponseMetadata: { RequestId: '0'.repeat(36) },
    StatusCode: 200,
  });
  const classified = (who: { accused: Json[]; refused: Json[]; policies: Json[] }): Json =>
    payload({ ...(judged(who) as object), finding, sent: '2026-11-23T06:25:37Z', policy });
  const results: Record<string, Json> = {
    ReadResponsePolicy: { Parameter: { Value: text(longest ? 4_096 : 20) } },
    ReadFinding: { Findings: [whole] },
    Classify: classified({ accused, refused: [], policies: [] }),
    AssumeRole: payload({
      principal: identified,
      identity,
      reach,
      identifiedBy: 'the finding',
      session: 's',
    }),
    Quarantine: payload(denial),
    ReplaceBoundary: payload(denial),
    Observe: payload(evidence),
    ReadCase: payload({ answered: false }),
    Preserve: payload(evidence),
    DeactivateKeys: payload(deactivated),
    DetachPolicies: payload(detached),
    DetachRolePolicies: payload(detached),
    RetireCredentials: payload(deactivated),
    RemoveGroups: payload(removed),
    Contain: [deactivated, detached, removed],
    Verify: payload(verified),
    PreserveLeft: payload({ stored: stored('left.json'), told: [] }),
    Tag: payload({ tagged: true }),
    Principals: [],
    // FindHolders names 40 of a policy's holders, and cuts the policy's ARN.
    FindHolders: payload({
      holders: times(size.principals, () => `${text(200)} is held by ${'user name, '.repeat(40)}`),
    }),
  };
  const context = {
    ...CONTEXT,
    Execution: { ...CONTEXT.Execution, Input: event },
    Map: { Item: { Index: 31, Value: accused[0] ?? null } },
  };
  const policies = times(size.principals, () => text(longest ? 700 : 40));
  const left = { accused: [], refused: times(size.principals, refused), policies };
  for (const name of REPORTS) results[name] = payload(report);
  return { variables, results, context, left: { ...left, Classify: classified(left) } };
}

/** What Classify is entered with, whether or not Security Hub was asked for the finding. */
export async function inputOfClassify(
  variables: Values,
  results: Readonly<Record<string, Json>>,
  context: Json,
): Promise<{ [member: string]: Json }> {
  const of = async (name: string, input: Json): Promise<Json> => {
    const result = results[name] ?? null;
    return computed(state(name).Output, variables, { input, result, context });
  };
  const policy = await of('ReadResponsePolicy', {});
  const read = variables['record'] === null ? policy : await of('ReadFinding', policy);
  return read as { [member: string]: Json };
}

export const typical = (): Incident => incident(TYPICAL);
export const largest = (): Incident => incident(LARGEST);
