import {
  GetParameterCommand,
  ParameterAlreadyExists,
  ParameterNotFound,
  PutParameterCommand,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { RESPONSE_POLICY } from '../lib/names.ts';
import { type Account, clientOf } from './accounts.ts';
import { Failure } from './failure.ts';

/** What Parameter Store takes in its larger tier, in bytes. */
const MOST_BYTES = 8_192;

export interface LivePolicy {
  readonly text: string;
  readonly version: number;
}

/** Its fields, as they are written. */
export type Policy = Readonly<Record<string, unknown>>;

/** The fields of a live response policy, or a line that says that it has none. */
export function policyIn(text: string): Policy {
  try {
    const policy: unknown = JSON.parse(text);
    if (typeof policy === 'object' && policy !== null && !Array.isArray(policy)) {
      return policy as Policy;
    }
  } catch {
    // It is told below, like any other text that is no object.
  }
  throw new Failure(
    'the live response policy is no JSON object, so nobody is contained: put a right one back (`aws ssm get-parameter-history --name /cordon/response-policy` has the former ones)',
  );
}

/** Writes the first response policy, and says whether it did: one that is there stays. */
export async function createResponsePolicy(account: Account, policy: object): Promise<boolean> {
  try {
    await put(account, policy, false);
    return true;
  } catch (error) {
    if (error instanceof ParameterAlreadyExists) return false;
    throw error;
  }
}

/**
 * What the first response policy does, and a warning where it contains fewer than everybody: it is
 * the configuration's, which may still have what a pilot began with, while incidents wait for one.
 */
export function saidOfFirst(policy: Policy): readonly string[] {
  const mode = policy['mode'] ?? 'contain';
  const [scope, principals, accounts] = (
    ['accountsInScope', 'exemptPrincipals', 'exemptAccounts'] as const
  ).map((field) => policy[field] as readonly unknown[] | null | undefined);
  const inScope = scope ? `accounts in scope: ${scope.length}` : 'all accounts in scope';
  const exemptions = (principals?.length ?? 0) + (accounts?.length ?? 0);
  const says = `mode \`${mode}\`, ${inScope}, exemptions: ${exemptions}`;
  if (mode === 'contain' && !scope) return [says];
  const nobody = mode === 'contain' && scope?.length ? 'nobody in other accounts' : 'nobody';
  return [
    says,
    `${nobody} is contained by it: if that is not meant, change it by \`make policy\` before anything is redriven, and write the same into the configuration`,
  ];
}

export async function readResponsePolicy(account: Account): Promise<LivePolicy> {
  try {
    const get = new GetParameterCommand({ Name: RESPONSE_POLICY });
    const { Parameter } = await new SSMClient(clientOf(account)).send(get);
    return { text: Parameter?.Value ?? '', version: Parameter?.Version ?? 0 };
  } catch (error) {
    if (!(error instanceof ParameterNotFound)) throw error;
    throw new Failure(
      `there is no parameter \`${RESPONSE_POLICY}\` in ${account.id}: \`make deploy\` creates it`,
    );
  }
}

/** Replaces the response policy, and returns its version. */
export async function writeResponsePolicy(account: Account, policy: object): Promise<number> {
  return put(account, policy, true);
}

async function put(account: Account, policy: object, overwrite: boolean): Promise<number> {
  const value = JSON.stringify(policy);
  const bytes = Buffer.byteLength(value);
  if (bytes > MOST_BYTES) {
    throw new Failure(
      `the response policy has ${bytes} bytes, and Parameter Store takes ${MOST_BYTES}: shorten it, by patterns for several principals or \`accountsInScope\``,
    );
  }
  const request = new PutParameterCommand({
    Name: RESPONSE_POLICY,
    Value: value,
    Type: 'String',
    // Standard up to 4 KiB, which costs nothing, and Advanced above.
    Tier: 'Intelligent-Tiering',
    Description: 'Cordon: mode, exemptions and thresholds, read at the start of each execution',
    Overwrite: overwrite,
  });
  const { Version = 0 } = await new SSMClient(clientOf(account)).send(request);
  return Version;
}
