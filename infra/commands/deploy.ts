import { isDeepStrictEqual } from 'node:util';
import { readConfiguration } from '../lib/config.ts';
import { RESPONSE_POLICY } from '../lib/names.ts';
import { type Account, accountsToTouch } from './accounts.ts';
import { isBootstrapped } from './bootstrap.ts';
import { Failure, isForPeople } from './failure.ts';
import { buildPackages } from './packages.ts';
import { createResponsePolicy, readResponsePolicy } from './response-policy.ts';
import { cdkBootstrap, cdkIn, synthesize } from './run.ts';
import {
  deployedResources,
  deployedTags,
  RESTORE_STACK,
  SECURITY_STACK,
  stacksOf,
  stands,
} from './stacks.ts';
import { shellWord } from './shell.ts';

/**
 * Deploys all stacks for whose accounts there are credentials, or those of `ACCOUNT`. One that fails
 * keeps no other account from its turn.
 */
export async function deploy(config: string, { ACCOUNT }: NodeJS.ProcessEnv): Promise<void> {
  const configuration = readConfiguration(config);
  const { accounts, lacking } = await accountsToTouch(configuration, ACCOUNT);
  const security = accounts.find(({ id }) => id === configuration.securityAccount);
  if (security !== undefined) {
    await buildPackages(configuration);
    if (!(await isBootstrapped(security))) await cdkBootstrap(security);
    await letGoOfResponsePolicy(security, config);
    await giveResponsePolicy(security, configuration.responsePolicy);
  }
  await synthesize(config, contextFor(security));
  const failed: string[] = [];
  for (const account of accounts) {
    const stacks = stacksOf(configuration, account.id);
    try {
      for (const stack of stacks) await deployStack(account, stack);
      if (!stacks.includes(RESTORE_STACK) && (await stands(account, RESTORE_STACK))) {
        console.log(
          `${RESTORE_STACK} in ${account.id} stands, and admits a role that is of no use any more. Delete it: make destroy CONFIG=${shellWord(config)} ACCOUNT=${account.id} STACK=${RESTORE_STACK}`,
        );
      }
    } catch (error) {
      if (!isForPeople(error)) throw error;
      console.error(error.message);
      failed.push(account.id);
    }
  }
  for (const id of lacking) {
    console.log(
      `left out, for want of credentials: ${stacksOf(configuration, id).join(', ')} in ${id}. Whoever has them: make deploy CONFIG=${shellWord(config)} ACCOUNT=${id}`,
    );
  }
  console.log(
    `what is missing still, such as confirmed subscriptions: make preflight CONFIG=${shellWord(config)}`,
  );
  if (failed.length > 0) {
    throw new Failure(
      `not deployed in ${failed.join(', ')}, for the reasons above. Mend them, then run this again`,
    );
  }
}

/** Shows what `deploy` would change. */
export async function diff(config: string, { ACCOUNT }: NodeJS.ProcessEnv): Promise<void> {
  const configuration = readConfiguration(config);
  const { accounts } = await accountsToTouch(configuration, ACCOUNT);
  const security = accounts.find(({ id }) => id === configuration.securityAccount);
  if (security !== undefined) await buildPackages(configuration);
  await synthesize(config, contextFor(security));
  for (const account of accounts) {
    console.log(`in ${account.id}:`);
    await cdkIn(account, 'diff', ...stacksOf(configuration, account.id));
  }
}

/** Whoever deploys members alone needs no packages, and no security stack. */
function contextFor(security: Account | undefined): Readonly<Record<string, string>> {
  return security === undefined ? { membersOnly: 'true' } : {};
}

/** Before the stack, so that the first finding finds one. Says so, where people have changed it since. */
async function giveResponsePolicy(account: Account, policy: object): Promise<void> {
  if (await createResponsePolicy(account, policy)) {
    console.log(`the response policy is created, as \`${RESPONSE_POLICY}\``);
    return;
  }
  const { text } = await readResponsePolicy(account);
  const differs = isSame(text, policy) ? '' : ', not as the configuration has it';
  console.log(`the response policy stays as it is${differs}: \`make policy\` shows and changes it`);
}

function isSame(text: string, policy: object): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(text), JSON.parse(JSON.stringify(policy)));
  } catch {
    return false;
  }
}

/**
 * The stack of a former release has the response policy as a resource, and would delete it with the
 * next deployment. It is told to retain it first, by a deployment of its own that changes nothing
 * of it: what a resource's removal does is said by the template that stands.
 */
async function letGoOfResponsePolicy(account: Account, config: string): Promise<void> {
  const { ResponsePolicy } = await deployedResources(account, SECURITY_STACK);
  if (ResponsePolicy?.Type !== 'AWS::SSM::Parameter') return;
  // Other tags of the stack would change the parameter, too.
  const tags = await deployedTags(account, SECURITY_STACK);
  const former = { responsePolicy: ResponsePolicy.Properties, tags };
  await synthesize(config, { former: JSON.stringify(former) });
  await deployStack(account, SECURITY_STACK);
}

async function deployStack(account: Account, stack: string): Promise<void> {
  console.log(`${stack} in ${account.id}:`);
  // Log groups that a deleted stack has left are taken up again: their names are fixed.
  const always = ['--exclusively', '--import-existing-resources'];
  // Where nobody can answer, `make diff` is the review.
  const approval = ['--require-approval', process.stdin.isTTY ? 'broadening' : 'never'];
  await cdkIn(account, 'deploy', stack, ...always, ...approval);
}
