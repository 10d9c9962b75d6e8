import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { RegionInfo } from 'aws-cdk-lib/region-info';
import { mistakes as mistakesBeyondSchema } from './config-rules.ts';
import { againstSchema, line } from './schema.ts';

/** The configuration is missing, unreadable, or says what cannot be deployed: a line for each. */
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

export type Architecture = 'arm64' | 'x86_64';

export type Partition = 'aws' | 'aws-cn' | 'aws-us-gov';

/** Which Security Hub sends findings: CSPM in ASFF, or the one without it in OCSF. */
export type Findings = 'cspm' | 'v2';

/** S3 Object Lock's mode. */
export type EvidenceLock = 'governance' | 'compliance';

/** What `cordon.schema.json` describes, with its defaults. */
export interface Configuration {
  /** The account that administers Security Hub, where everything but the member roles lives. */
  readonly securityAccount: string;
  /** The administrator's home Region: findings of all linked Regions arrive there. */
  readonly region: string;
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
  /** ARN patterns of the principals that operate Cordon and deploy it. */
  readonly operators: readonly string[];
  /** ARNs of who may have a restore applied; unless set, nothing that grants is deployed. */
  readonly restorers?: readonly string[];
  /** Whether a restore puts users back into their groups, which no condition can bound. */
  readonly restoreGroups: boolean;
  readonly evidenceRetentionDays: number;
  readonly evidenceLock: EvidenceLock;
  readonly logRetentionDays: number;
  /** Tags of every resource of every stack. */
  readonly tags: Readonly<Record<string, string>>;
  /** The name, with its path, or the ARN of a managed policy that bounds every role. */
  readonly permissionsBoundary?: string;
  /** Organizational units, or the root, whose accounts get the member roles by StackSet. */
  readonly organizationalUnits?: readonly string[];
  /** The management account, if users of it are to be contained, too. */
  readonly managementAccount?: string;
  /** Whether users of the security account itself are to be contained, too. */
  readonly securityAccountUsers: boolean;
  /** The AWS CLI's profile for each account that a command touches, by account id. */
  readonly profiles: Readonly<Record<string, string>>;
  /** What the response-policy parameter holds at first. */
  readonly responsePolicy: object;
  /**
   * The id of the Security Hub custom action with which a person has a finding contained. Security
   * Hub without CSPM has none.
   */
  readonly customAction: string;
  /** That of the Region. */
  readonly partition: Partition;
}

/** The configuration as its file says it. */
type Document = Omit<Configuration, 'partition'> & { $schema?: string };

/** The accounts from which the organization is run. */
export function centralAccounts({
  securityAccount,
  managementAccount,
}: Configuration): readonly string[] {
  return managementAccount === undefined ? [securityAccount] : [securityAccount, managementAccount];
}

/** Those of them that have member roles. */
export function enteredCentralAccounts(configuration: Configuration): readonly string[] {
  const { securityAccount, securityAccountUsers } = configuration;
  return centralAccounts(configuration).filter(
    (account) => account !== securityAccount || securityAccountUsers,
  );
}

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
    // The cause quotes the file, with its line breaks.
    const why = (cause as SyntaxError).message.replace(/\s+/g, ' ');
    // Of some errors it says the position, of the others it quotes what is there.
    const position = /position (\d+)/.exec(why)?.[1];
    const line = text.slice(0, Number(position)).split('\n').length;
    const where = position === undefined ? '' : `, in line ${line}`;
    throw new ConfigurationError(`\`${path}\` is not JSON${where}: ${why}`, { cause });
  }
  return parseConfiguration(document, dirname(path));
}

/** Relative `binaries` are relative to `folder`, the one that the configuration lies in. */
export function parseConfiguration(document: unknown, folder: string): Configuration {
  const { complete, mistakes } = againstSchema(document);
  const known = new Set(mistakes.map(({ at }) => at));
  const all = [...mistakes, ...mistakesBeyondSchema(complete).filter(({ at }) => !known.has(at))];
  if (all.length > 0) throw new ConfigurationError(all.map(line).join('\n'));
  const { $schema: _, ...configuration } = complete as Document;
  return {
    ...configuration,
    binaries: resolve(folder, configuration.binaries),
    partition: RegionInfo.get(configuration.region).partition as Partition,
  };
}
