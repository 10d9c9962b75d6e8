import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import type { Configuration } from '../lib/config.ts';
import { Failure } from './failure.ts';

/** An account, and whose credentials a command has for it. */
export interface Account {
  readonly id: string;
  readonly region: string;
  /** A profile of the AWS CLI; without one it is the environment that has the credentials. */
  readonly profile?: string;
}

export interface AtHand {
  readonly accounts: readonly Account[];
  /** The ids of those for which there are no credentials. */
  readonly lacking: readonly string[];
  /** Why profiles of some of these do not work, in a line each. */
  readonly unusable: readonly string[];
  /** Whose credentials the environment has; not known, where every account has a profile. */
  readonly environment?: string;
}

/** A profile that has no credentials now, as where somebody has to sign in again. */
class Unusable extends Failure {}

/**
 * The accounts for which there are credentials, each asked whose it is. A profile of another account
 * is a mistake; all of them are told at once.
 */
export async function atHand(
  configuration: Configuration,
  ids: readonly string[],
): Promise<AtHand> {
  const { profiles, region } = configuration;
  const needed = ids.some((id) => profiles[id] === undefined);
  const asked = await Promise.allSettled([
    needed ? environmentsAccount(region) : undefined,
    ...ids.flatMap((id) => (profiles[id] === undefined ? [] : [expect(id, profiles[id], region)])),
  ]);
  const reasons = asked.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
  const [unusable, mistakes] = [true, false].map((is) =>
    reasons.filter((reason) => reason instanceof Unusable === is).map(message),
  ) as [string[], string[]];
  if (mistakes.length > 0) throw new Failure([...mistakes, ...unusable].join('\n'));
  const [first] = asked;
  const environment = first?.status === 'fulfilled' ? first.value : undefined;
  const works = new Set(
    asked.slice(1).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
  );
  const accounts = ids.flatMap((id): Account[] => {
    const profile = profiles[id];
    if (profile === undefined) return id === environment ? [{ id, region }] : [];
    return works.has(id) ? [{ id, region, profile }] : [];
  });
  const lacking = ids.filter((id) => !accounts.some((account) => account.id === id));
  return { accounts, lacking, unusable, ...(environment !== undefined && { environment }) };
}

/**
 * The accounts that a command touches: the one that is asked for, or all with credentials. Where a
 * profile does not work, it goes on without that account, and fails in the end.
 */
export async function accountsToTouch(
  configuration: Configuration,
  only?: string,
): Promise<AtHand> {
  if (only) return { accounts: [await theAccount(configuration, only)], lacking: [], unusable: [] };
  const { securityAccount, managementAccount, profiles } = configuration;
  const named = [securityAccount, managementAccount, ...Object.keys(profiles)];
  const found = await atHand(configuration, [...new Set(named.filter((id) => id !== undefined))]);
  if (found.accounts.length === 0) {
    if (found.unusable.length > 0) throw new Failure(found.unusable.join('\n'));
    throw new Failure(
      `no credentials for ${found.lacking.join(', ')}: ${whose(found)}; name profiles of the AWS CLI under \`profiles\`, or have those of the security account, ${securityAccount}, in the environment`,
    );
  }
  for (const why of found.unusable) console.error(`warning: ${why}`);
  if (found.unusable.length > 0) process.exitCode = 1;
  return found;
}

/** The one account, or a line that says what is missing. */
export async function theAccount(configuration: Configuration, id: string): Promise<Account> {
  const found = await atHand(configuration, [id]);
  if (found.unusable.length > 0) throw new Failure(found.unusable.join('\n'));
  const [account] = found.accounts;
  if (account === undefined) {
    throw new Failure(
      `no credentials for the account ${id}: ${whose(found)}; name a profile of it under \`profiles\`, or have its credentials in the environment`,
    );
  }
  return account;
}

/** What a client of the AWS SDK needs to act in the account. */
export function clientOf({ region, profile }: Account): { region: string; profile?: string } {
  return profile === undefined ? { region } : { region, profile };
}

/** Why the environment's credentials are not those that are needed. */
function whose({ environment }: AtHand): string {
  return environment === undefined
    ? 'there are none in the environment'
    : `those in the environment are of the account ${environment}`;
}

/** Has the profile be of that account. */
async function expect(id: string, profile: string, region: string): Promise<string> {
  const of = `the profile \`${profile}\`, which \`profiles\` has for ${id},`;
  const found = await callersAccount({ id, region, profile }).catch((error: unknown) => {
    throw new Unusable(`${of} does not work: ${message(error)}`);
  });
  if (found !== id) throw new Failure(`${of} is of the account ${found}`);
  return id;
}

/** Whose credentials the environment has, if it has any that work. */
async function environmentsAccount(region: string): Promise<string | undefined> {
  try {
    return await callersAccount({ id: '', region });
  } catch (error) {
    // What the SDK says when each of its sources has none; of one that has, but expired, it says that.
    if (/^Could not load credentials from any providers/.test((error as Error).message)) {
      return undefined;
    }
    throw new Failure(`the environment's credentials do not work: ${message(error)}`);
  }
}

async function callersAccount(account: Account): Promise<string | undefined> {
  const { Account } = await new STSClient(clientOf(account)).send(new GetCallerIdentityCommand());
  return Account;
}

function message(error: unknown): string {
  return (error as Error).message.replace(/\s+/g, ' ');
}
