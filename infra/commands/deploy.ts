import { isDeepStrictEqual } from 'node:util';
import { type Configuration, readConfiguration } from '../lib/config.ts';
import { RESPONSE_POLICY } from '../lib/names.ts';
import { type Account, accountsToTouch } from './accounts.ts';
import { isBootstrapped } from './bootstrap.ts';
import { Failure, inALine } from './failure.ts';
import { buildPackages } from './packages.ts';
import {
  createResponsePolicy,
  type Policy,
  readResponsePolicy,
  saidOfFirst,
} from './response-policy.ts';
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
import { called, eachInTurn, type Turn } from './turns.ts';

/**
 * Deploys all stacks for whose accounts there are credentials, or those of `ACCOUNT`. One that fails
 * keeps no other from its turn that does not need it.
 */
export async function deploy(config: string, { ACCOUNT }: NodeJS.ProcessEnv): Promise<void> {
  const configuration = readConfiguration(config);
  const { accounts, lacking } = await accountsToTouch(configuration, ACCOUNT);
  const failed = await everywhere(config, configuration, accounts, async (turn, assembly) => {
    if (turn.stack === SECURITY_STACK) await prepare(turn.account, config, configuration);
    await deployStack(turn, assembly);
  });
  for (const account of accounts) {
    if (!failed.some((turn) => turn.account === account)) {
      await nameWhatGrantsStill(account, config, configuration);
    }
  }
  nameLacking(lacking, 'deploy', config, configuration);
  console.log(
    `what is missing still, such as confirmed subscriptions: make preflight CONFIG=${shellWord(config)}`,
  );
  failFor(failed, 'not deployed');
}

/** Shows what `deploy` would change. */
export async function diff(config: string, { ACCOUNT }: NodeJS.ProcessEnv): Promise<void> {
  const configuration = readConfiguration(config);
  const { accounts, lacking } = await accountsToTouch(configuration, ACCOUNT);
  const failed = await everywhere(config, configuration, accounts, async (turn, assembly) => {
    console.log(`${called(turn)}:`);
    await cdkIn(turn.account, assembly, 'diff', turn.stack, '--exclusively');
  });
  nameLacking(lacking, 'diff', config, configuration);
  failFor(failed, 'not looked at');
}

/** Builds and synthesizes what these accounts are to have; each stack then takes its turn. */
async function everywhere(
  config: string,
  configuration: Configuration,
  accounts: readonly Account[],
  take: (turn: Turn, assembly: string) => Promise<void>,
): Promise<readonly Turn[]> {
  const hasSecurity = accounts.some(({ id }) => id === configuration.securityAccount);
  if (hasSecurity) await buildPackages(configuration);
  // Whoever deploys members alone needs no packages, and no security stack.
  const context: Readonly<Record<string, string>> = hasSecurity ? {} : { membersOnly: 'true' };
  const turns = accounts.flatMap((account) =>
    stacksOf(configuration, account.id).map((stack) => ({ account, stack })),
  );
  const assembly = await synthesize(config, context);
  return eachInTurn(turns, (turn) => take(turn, assembly));
}

/** Names the stack that no configuration asks for any more. */
async function nameWhatGrantsStill(
  account: Account,
  config: string,
  configuration: Configuration,
): Promise<void> {
  if (stacksOf(configuration, account.id).includes(RESTORE_STACK)) return;
  const what = called({ account, stack: RESTORE_STACK });
  try {
    if (!(await stands(account, RESTORE_STACK))) return;
    console.log(
      `${what} stands, and admits a role that is of no use any more. Delete it: make destroy CONFIG=${shellWord(config)} ACCOUNT=${account.id} STACK=${RESTORE_STACK}`,
    );
  } catch (error) {
    console.error(`warning: whether ${what} stands still is not known: ${inALine(error)}`);
  }
}

/** Names what is left out, and the command for whoever has credentials. */
function nameLacking(
  lacking: readonly string[],
  command: string,
  config: string,
  configuration: Configuration,
): void {
  for (const id of lacking) {
    console.log(
      `left out, for want of credentials: ${stacksOf(configuration, id).join(', ')} in ${id}. Whoever has them: make ${command} CONFIG=${shellWord(config)} ACCOUNT=${id}`,
    );
  }
}

function failFor(failed: readonly Turn[], how: string): void {
  if (failed.length === 0) return;
  throw new Failure(
    `${how}, for the reasons above: ${failed.map(called).join(', ')}. Mend them, then run this again`,
  );
}

/** What the security stack finds when it is deployed. */
async function prepare(
  account: Account,
  config: string,
  { responsePolicy }: Configuration,
): Promise<void> {
  if (!(await isBootstrapped(account))) await cdkBootstrap(account);
  await letGoOfResponsePolicy(account, config);
  await giveResponsePolicy(account, responsePolicy);
}

/** Before the stack, so that the first finding finds one. Says so, where people have changed it since. */
async function giveResponsePolicy(account: Account, policy: object): Promise<void> {
  if (await createResponsePolicy(account, policy)) {
    const [says, ...warnings] = saidOfFirst(policy as Policy);
    console.log(`the response policy is created, as \`${RESPONSE_POLICY}\`: ${says}`);
    for (const each of warnings) console.error(`warning: ${each}`);
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
  const assembly = await synthesize(config, { former: JSON.stringify(former) });
  await deployStack({ account, stack: SECURITY_STACK }, assembly);
}

async function deployStack(turn: Turn, assembly: string): Promise<void> {
  const { account, stack } = turn;
  console.log(`${called(turn)}:`);
  // Log groups that a deleted stack has left are taken up again: their names are fixed.
  const always = ['--exclusively', '--import-existing-resources'];
  // Where nobody can answer, `make diff` is the review.
  const approval = ['--require-approval', process.stdin.isTTY ? 'broadening' : 'never'];
  await cdkIn(account, assembly, 'deploy', stack, ...always, ...approval);
}
