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
  /** Whose credentials the environment has; not known, where every account has a profile. */
  readonly environment?: string;
}

/**
 * The accounts for which there are credentials, each asked whose it is. A profile that does not
 * work, or is another account's, is a mistake; all of them are told at once.
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
  const mistakes = asked.flatMap((one) => (one.status === 'rejected' ? [message(one.reason)] : []));
  if (mistakes.length > 0) throw new Failure(mistakes.join('\n'));
  const [first] = asked;
  const environment = first?.status === 'fulfilled' ? first.value : undefined;
  const accounts = ids.flatMap((id): Account[] => {
    const profile = profiles[id];
    if (profile !== undefined) return [{ id, region, profile }];
    return id === environment ? [{ id, region }] : [];
  });
  const lacking = ids.filter((id) => !accounts.some((account) => account.id === id));
  return { accounts, lacking, ...(environment !== undefined && { environment }) };
}

/** The accounts that a command touches: the one that is asked for, or all with credentials. */
export async function accountsToTouch(
  configuration: Configuration,
  only?: string,
): Promise<AtHand> {
  if (only) return { accounts: [await theAccount(configuration, only)], lacking: [] };
  const { securityAccount, managementAccount, profiles } = configuration;
  const named = [securityAccount, managementAccount, ...Object.keys(profiles)];
  const found = await atHand(configuration, [...new Set(named.filter((id) => id !== undefined))]);
  if (found.accounts.length === 0) {
    throw new Failure(
      `no credentials for ${found.lacking.join(', ')}: ${whose(found)}; name profiles of the AWS CLI under \`profiles\`, or have those of the security account, ${securityAccount}, in the environment`,
    );
  }
  return found;
}

/** The one account, or a line that says what is missing. */
export async function theAccount(configuration: Configuration, id: string): Promise<Account> {
  const found = await atHand(configuration, [id]);
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
    throw new Failure(`${of} does not work: ${message(error)}`);
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
