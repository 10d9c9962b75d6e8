import { type Configuration, readConfiguration } from '../lib/config.ts';
import { warn } from '../lib/say-mistakes.ts';
import { type Account, accountsToTouch } from './accounts.ts';
import { bootstrap, denyAll, permissionsBoundary, restorers, stacks } from './checks/account.ts';
import { answer, type Check, type Finding, isFailure, line, unknown } from './checks/check.ts';
import { concurrency } from './checks/concurrency.ts';
import { administration, organization } from './checks/organization.ts';
import { securityHub } from './checks/security-hub.ts';
import { stackSets } from './checks/stack-sets.ts';
import { subscribers } from './checks/subscribers.ts';
import { stackSetAccount } from './stacks.ts';
import { shellWord } from './shell.ts';

/**
 * Says what Cordon needs of AWS, as far as the credentials at hand see it: a line for each check.
 * Changes nothing; fails where something keeps Cordon from working, or a check had no answer.
 */
export async function preflight(config: string): Promise<void> {
  const configuration = readConfiguration(config);
  warn(configuration);
  const { accounts, lacking } = await accountsToTouch(configuration);
  const found: Finding[] = [];
  for (const check of checks(configuration, config, accounts)) {
    for (const finding of await answer(check)) {
      found.push(finding);
      console.log(line(finding));
    }
  }
  for (const id of lacking) console.log(line(unseen(configuration, config, id)));
  if (found.some(isFailure)) process.exitCode = 1;
}

function checks(
  configuration: Configuration,
  config: string,
  accounts: readonly Account[],
): readonly Check[] {
  const { securityAccount, managementAccount, organizationalUnits } = configuration;
  const of = (id: string | undefined) => accounts.find((account) => account.id === id);
  const [first] = accounts;
  const security = of(securityAccount);
  const administrator = of(managementAccount) ?? security;
  const ofStackSets = organizationalUnits && of(stackSetAccount(configuration));
  return [
    ...(first ? [organization(configuration, first), denyAll(configuration, first)] : []),
    ...(administrator ? [administration(configuration, administrator)] : []),
    ...(security ? [securityHub(configuration, security), concurrency(security)] : []),
    ...(ofStackSets ? [stackSets(configuration, ofStackSets)] : []),
    ...accounts.flatMap((account) => permissionsBoundary(configuration, account)),
    ...restorers(configuration, accounts),
    ...(security ? [bootstrap(config, security)] : []),
    ...accounts.map((account) => stacks(configuration, config, account)),
    ...(security ? [subscribers(configuration, security)] : []),
  ];
}

/** That there are no credentials for an account, and who can see what is not seen. */
function unseen({ securityAccount }: Configuration, config: string, id: string): Finding {
  const whole =
    id === securityAccount
      ? "Security Hub, Lambda's concurrency, bootstrap, CordonSecurity and its subscribers"
      : 'what stands there';
  return unknown(
    `of ${id} there are no credentials, so ${whole} was not looked at`,
    `whoever has them: make preflight CONFIG=${shellWord(config)}`,
  );
}
