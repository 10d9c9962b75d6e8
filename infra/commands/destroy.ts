import { type Configuration, readConfiguration } from '../lib/config.ts';
import { RESPONSE_POLICY } from '../lib/names.ts';
import { accountsToTouch, theAccount } from './accounts.ts';
import { Failure } from './failure.ts';
import {
  deleteStack,
  MEMBER_STACK,
  ORGANIZATION_STACK,
  RESTORE_STACK,
  SECURITY_STACK,
  stands,
  whatStays,
} from './stacks.ts';
import { shellWord } from './shell.ts';
import { isSet } from './variables.ts';

/**
 * Deletes one stack: `STACK` in `ACCOUNT`, which is the security account's, or the member stack of
 * another account. Says what stays.
 */
export async function destroy(
  config: string,
  { ACCOUNT, STACK, ...variables }: NodeJS.ProcessEnv,
): Promise<void> {
  const isForced = isSet('FORCE', variables);
  const configuration = readConfiguration(config);
  const { securityAccount } = configuration;
  const id = ACCOUNT || securityAccount;
  const stack = STACK || (id === securityAccount ? SECURITY_STACK : MEMBER_STACK);
  const account = await theAccount(configuration, id);
  if (stack === SECURITY_STACK && !isForced) await refuseWhileMembersStand(config, configuration);
  if (!(await stands(account, stack))) throw new Failure(`there is no ${stack} in ${id}`);
  const ofStack = await whatStays(account, stack);
  const parameter = `AWS::SSM::Parameter ${RESPONSE_POLICY}`;
  const stays = stack === SECURITY_STACK ? [...ofStack, parameter] : ofStack;
  await deleteStack(account, stack);
  console.log(`${stack} in ${id} is deleted`);
  if (stack === MEMBER_STACK && (await stands(account, RESTORE_STACK))) {
    console.log(
      `${RESTORE_STACK} in ${id} stands still, and lets its role grant: make destroy CONFIG=${shellWord(config)} ACCOUNT=${id} STACK=${RESTORE_STACK}`,
    );
  }
  if (stays.length === 0) return;
  console.log(
    `these stay, and keep no deployment from being made again:\n${stays.map((each) => `  ${each}`).join('\n')}`,
  );
}

/**
 * Member roles admit the function roles of the security account by their ARNs: without the
 * security stack, whoever may create roles of these ARNs there may enter.
 */
async function refuseWhileMembersStand(
  config: string,
  configuration: Configuration,
): Promise<void> {
  const { accounts, lacking } = await accountsToTouch(configuration);
  if (lacking.length > 0) {
    throw new Failure(
      `member roles may stand in ${lacking.join(', ')} or be put into accounts from there, and nobody could look, for want of credentials: name profiles under \`profiles\`, or add FORCE=1 where you know better`,
    );
  }
  const left: string[] = [];
  for (const account of accounts) {
    for (const stack of [ORGANIZATION_STACK, RESTORE_STACK, MEMBER_STACK]) {
      if (await stands(account, stack)) left.push(`ACCOUNT=${account.id} STACK=${stack}`);
    }
  }
  if (left.length === 0) return;
  const commands = left.map((one) => `make destroy CONFIG=${shellWord(config)} ${one}`);
  throw new Failure(
    [
      `member roles stand, and would be open to whoever may create roles of ${configuration.securityAccount} with the names of Cordon's. Delete them first, or add FORCE=1 where the security stack is to be made anew:`,
      ...commands,
    ].join('\n'),
  );
}
