import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { RegionInfo } from 'aws-cdk-lib/region-info';

/** The configuration is missing, unreadable, or says something that cannot be deployed. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

export interface Subscriber {
  readonly protocol: string;
  readonly endpoint: string;
  /** Which messages it gets, by their attributes; all of them, where there is none. */
  readonly filterPolicy?: FilterPolicy;
}

/**
 * An SNS filter policy on message attributes. Its operators are SNS's to check (Amazon SNS
 * Developer Guide, "Amazon SNS subscription filter policies").
 */
export type FilterPolicy = Readonly<Record<string, readonly unknown[]>>;

/** The attributes of what the state machine tells. */
const ATTRIBUTES = ['account', 'severity', 'verdict'];

export type Architecture = 'arm64' | 'x86_64';

export type Partition = 'aws' | 'aws-cn' | 'aws-us-gov';

/** Which Security Hub sends findings: CSPM in ASFF, or the one without it in OCSF. */
export type Findings = 'cspm' | 'v2';

export interface Configuration {
  /** The account that administers Security Hub, where everything but the member roles lives. */
  readonly securityAccount: string;
  /** The administrator's home Region: findings of all linked Regions arrive there. */
  readonly region: string;
  readonly partition: Partition;
  readonly organizationId: string;
  readonly externalId: string;
  /** The folder that holds `<function>/bootstrap` for each function. */
  readonly binaries: string;
  readonly architecture: Architecture;
  /** One feed: with both, each issue would come twice, under two products. */
  readonly findings: Findings;
  /** Told of each incident. */
  readonly responders: readonly Subscriber[];
  /** Told when the machinery itself fails. */
  readonly operations: readonly Subscriber[];
  /** ARN patterns of principals that no step may touch. */
  readonly protectedPrincipals: readonly string[];
  /** OUs whose accounts get the member roles from a StackSet. */
  readonly organizationalUnits: readonly string[];
  /** The organization's management account, if principals are contained there too. */
  readonly managementAccount?: string;
  /** Whether principals of the security account are contained. */
  readonly securityAccountUsers: boolean;
  /** ARN patterns of those who operate the organization from these two accounts. */
  readonly operators: readonly string[];
  readonly evidenceRetentionDays: number;
  /** What the response-policy parameter holds at first. */
  readonly responsePolicy: object;
  /**
   * The id of the Security Hub custom action with which a person has a finding contained. Security
   * Hub without CSPM has none.
   */
  readonly customAction: string;
}

/** The accounts from which the organization is run. */
export function centralAccounts({
  securityAccount,
  managementAccount,
}: Configuration): readonly string[] {
  return managementAccount === undefined ? [securityAccount] : [securityAccount, managementAccount];
}

const KEYS = [
  'securityAccount',
  'region',
  'organizationId',
  'externalId',
  'binaries',
  'architecture',
  'findings',
  'responders',
  'operations',
  'protectedPrincipals',
  'organizationalUnits',
  'managementAccount',
  'securityAccountUsers',
  'operators',
  'evidenceRetentionDays',
  'responsePolicy',
  'customAction',
];

/**
 * Protocols of the SNS API's Subscribe action, without `http`, which would send incidents in the
 * clear, and `firehose`, which needs a role of its own.
 */
const PROTOCOLS = ['application', 'email', 'email-json', 'https', 'lambda', 'sms', 'sqs'];

export function readConfiguration(path: unknown): Configuration {
  if (typeof path !== 'string') {
    throw new ConfigurationError('no configuration file: name it with `-c config=<file>`');
  }
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigurationError(`cannot read \`${path}\``, { cause });
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new ConfigurationError(`\`${path}\` is not JSON`, { cause });
  }
  return parseConfiguration(document, dirname(path));
}

/** Relative `binaries` are relative to `folder`, the one that the configuration lies in. */
export function parseConfiguration(document: unknown, folder: string): Configuration {
  const values = object('the configuration', document);
  for (const key of Object.keys(values)) {
    if (!KEYS.includes(key)) throw new ConfigurationError(`unknown key \`${key}\``);
  }
  const region = matching(values, 'region', /^[a-z]{2}(-[a-z]+)+-\d$/, 'a Region');
  return {
    securityAccount: matching(values, 'securityAccount', /^\d{12}$/, 'an account id'),
    region,
    partition: partition(region),
    organizationId: matching(values, 'organizationId', /^o-[a-z0-9]{10,32}$/, 'an organization id'),
    externalId: matching(
      values,
      'externalId',
      /^[\w+=,.@:/-]{2,1224}$/,
      'an external id as STS accepts it',
    ),
    binaries: resolve(folder, matching(values, 'binaries', /./, 'a folder')),
    architecture: architecture(values['architecture'] ?? 'arm64'),
    findings: findings(values['findings'] ?? 'cspm'),
    responders: list(values, 'responders').map(subscriber),
    operations: list(values, 'operations').map(subscriber),
    protectedPrincipals: list({ protectedPrincipals: [], ...values }, 'protectedPrincipals').map(
      protectedPrincipal,
    ),
    organizationalUnits: (values['organizationalUnits'] ?? []) as string[],
    ...(values['managementAccount'] !== undefined && {
      managementAccount: values['managementAccount'] as string,
    }),
    securityAccountUsers: (values['securityAccountUsers'] ?? false) as boolean,
    operators: (values['operators'] ?? []) as string[],
    evidenceRetentionDays: retentionDays(values['evidenceRetentionDays'] ?? 365),
    responsePolicy: responsePolicy(values['responsePolicy'] ?? {}),
    // The grammar is that of Security Hub's CreateActionTarget.
    customAction: matching(
      { customAction: 'CordonContain', ...values },
      'customAction',
      /^[A-Za-z0-9]{1,20}$/,
      'a custom action id of up to 20 letters and digits',
    ),
  };
}

function object(what: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ConfigurationError(`${what} is no JSON object: ${quoted(value)}`);
  }
  return value as Record<string, unknown>;
}

function list(values: Readonly<Record<string, unknown>>, key: string): readonly unknown[] {
  const value = values[key];
  if (!Array.isArray(value)) {
    throw new ConfigurationError(`\`${key}\` is no list: ${quoted(value)}`);
  }
  return value;
}

function matching(
  values: Readonly<Record<string, unknown>>,
  key: string,
  grammar: RegExp,
  meaning: string,
): string {
  const value = values[key];
  if (typeof value !== 'string' || !grammar.test(value)) {
    throw new ConfigurationError(`\`${key}\` is not ${meaning}: ${quoted(value)}`);
  }
  return value;
}

function partition(region: string): Partition {
  const partition = RegionInfo.get(region).partition;
  switch (partition) {
    case 'aws':
    case 'aws-cn':
    case 'aws-us-gov':
      return partition;
    default:
      throw new ConfigurationError(`\`region\` is in no supported partition: \`${region}\``);
  }
}

function architecture(value: unknown): Architecture {
  if (value !== 'arm64' && value !== 'x86_64') {
    throw new ConfigurationError(`\`architecture\` is not arm64 or x86_64: ${quoted(value)}`);
  }
  return value;
}

function findings(value: unknown): Findings {
  if (value !== 'cspm' && value !== 'v2') {
    throw new ConfigurationError(`\`findings\` is not cspm or v2: ${quoted(value)}`);
  }
  return value;
}

function subscriber(value: unknown): Subscriber {
  const { protocol, endpoint, filterPolicy, ...rest } = object('a subscriber', value);
  if (typeof protocol !== 'string' || !PROTOCOLS.includes(protocol)) {
    throw new ConfigurationError(`a subscriber's \`protocol\` is unknown: ${quoted(protocol)}`);
  }
  if (typeof endpoint !== 'string' || endpoint === '') {
    throw new ConfigurationError(`a subscriber has no \`endpoint\`: ${quoted(value)}`);
  }
  for (const key of Object.keys(rest)) {
    throw new ConfigurationError(`unknown key \`${key}\` of a subscriber`);
  }
  if (filterPolicy === undefined) return { protocol, endpoint };
  return { protocol, endpoint, filterPolicy: parsedFilterPolicy(filterPolicy) };
}

function parsedFilterPolicy(value: unknown): FilterPolicy {
  const policy = object("a subscriber's `filterPolicy`", value);
  const entries = Object.entries(policy).map(([attribute, values]) => {
    if (!ATTRIBUTES.includes(attribute)) {
      throw new ConfigurationError(`no message has the attribute \`${attribute}\``);
    }
    if (!Array.isArray(values) || values.length === 0) {
      throw new ConfigurationError(
        `\`${attribute}\` of a \`filterPolicy\` is no list of values: ${quoted(values)}`,
      );
    }
    return [attribute, values as readonly unknown[]] as const;
  });
  if (entries.length === 0) {
    throw new ConfigurationError("a subscriber's `filterPolicy` names no attribute");
  }
  return Object.fromEntries(entries);
}

function protectedPrincipal(value: unknown): string {
  if (
    typeof value !== 'string' ||
    !/^arn:[\w*-]+:iam::(\d{12}|\*):(user|role|\*)(\/.+)?$/.test(value)
  ) {
    throw new ConfigurationError(
      `\`protectedPrincipals\` has something else than the ARN of a user or role: ${quoted(value)}`,
    );
  }
  return value;
}

/**
 * Of what the parameter holds at first, the entries of `trustedProducts` are read here too: where
 * one is wrong, nobody is contained until somebody mends it. The rest is read by `classify` alone.
 */
function responsePolicy(value: unknown): object {
  const policy = object('`responsePolicy`', value);
  const products = policy['trustedProducts'] ?? [];
  list({ trustedProducts: products }, 'trustedProducts').forEach(trustedProduct);
  return policy;
}

function trustedProduct(value: unknown): void {
  if (typeof value === 'string') return;
  const { product, contain, escalate, ...rest } = object('an entry of `trustedProducts`', value);
  if (typeof product !== 'string') {
    throw new ConfigurationError(`a trusted product has no \`product\`: ${quoted(value)}`);
  }
  for (const [key, types] of Object.entries({ contain, escalate })) {
    const isList = Array.isArray(types) && types.every((type) => typeof type === 'string');
    if (types !== undefined && !isList) {
      throw new ConfigurationError(
        `\`${key}\` of a trusted product is no list of finding types: ${quoted(types)}`,
      );
    }
  }
  for (const key of Object.keys(rest)) {
    throw new ConfigurationError(`unknown key \`${key}\` of a trusted product`);
  }
}

function retentionDays(value: unknown): number {
  // The limit is that of S3's DefaultRetention.
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 36500) {
    throw new ConfigurationError(
      `\`evidenceRetentionDays\` is no whole number from 1 to 36500: ${quoted(value)}`,
    );
  }
  return value;
}

function quoted(value: unknown): string {
  return value === undefined ? 'it is missing' : `\`${JSON.stringify(value)}\``;
}
