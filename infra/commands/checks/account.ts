import { GetPolicyCommand, GetRoleCommand, GetUserCommand, IAMClient } from '@aws-sdk/client-iam';
import type { Configuration } from '../../lib/config.ts';
import { type Account, clientOf } from '../accounts.ts';
import { isBootstrapped } from '../bootstrap.ts';
import { stacksOf, statusOf } from '../stacks.ts';
import { type Check, type Finding, ok, unknown, unless, warning, wrong } from './check.ts';
import { shellWord } from '../shell.ts';

/** Whether what `make deploy` puts into the account is there. */
export function stacks(configuration: Configuration, config: string, account: Account): Check {
  return {
    about: `what stands in ${account.id}`,
    ask: () =>
      Promise.all(
        stacksOf(configuration, account.id).map(async (stack) =>
          judgeStack(
            `${stack} in ${account.id}`,
            await statusOf(account, stack),
            `make deploy CONFIG=${shellWord(config)}`,
          ),
        ),
      ),
  };
}

/** What a stack's status says of what it should have made; none, where there is no stack. */
export function judgeStack(where: string, status: string | undefined, remedy: string): Finding {
  if (status === undefined) return warning(`${where} is not deployed`, remedy);
  // Its first change set was made, and whoever was asked to approve it has not answered.
  if (status === 'REVIEW_IN_PROGRESS') return warning(`${where} is not approved yet`, remedy);
  // What was rolled back to where an update began is whole.
  const whole = ['CREATE', 'IMPORT', 'UPDATE', 'UPDATE_ROLLBACK'].map((each) => `${each}_COMPLETE`);
  if (whole.includes(status)) return ok(`${where} is deployed`);
  if (status.endsWith('_IN_PROGRESS')) return warning(`${where} is ${status}`, 'wait for it');
  return wrong(`${where} is ${status}`, `see its events in CloudFormation, then ${remedy}`);
}

/** Whether CDK can deploy what has packages. */
export function bootstrap(config: string, account: Account): Check {
  return {
    about: `whether ${account.id} is bootstrapped`,
    ask: async () => {
      const what = `${account.id} is bootstrapped for CDK in ${account.region}`;
      if (await isBootstrapped(account)) return [ok(what)];
      return [
        warning(
          what.replace(' is ', ' is not '),
          `make deploy CONFIG=${shellWord(config)} does it`,
        ),
      ];
    },
  };
}

/** Whether AWS's policy is in the partition with which Quarantine denies everything. */
export function denyAll({ partition }: Configuration, account: Account): Check {
  const arn = `arn:${partition}:iam::aws:policy/AWSDenyAll`;
  return policy(account, arn, 'without it nobody can be contained: ask AWS');
}

/** Whether the policy is there that is to bound each role. */
export function permissionsBoundary(
  { partition, permissionsBoundary: name }: Configuration,
  account: Account,
): readonly Check[] {
  if (name === undefined) return [];
  const arn = name.startsWith('arn:') ? name : `arn:${partition}:iam::${account.id}:policy/${name}`;
  return [policy(account, arn, 'make it, since `permissionsBoundary` names it, or name another')];
}

/** Whether those are there whom the role of restores is to trust: it can't be made without them. */
export function restorers(
  { restorers = [] }: Configuration,
  accounts: readonly Account[],
): readonly Check[] {
  return restorers.map((arn) => {
    const [, , , , id = '', resource = ''] = arn.split(':');
    const name = resource.slice(resource.lastIndexOf('/') + 1);
    const account = accounts.find((one) => one.id === id);
    const ask = async (): Promise<readonly Finding[]> => {
      if (account === undefined) {
        return [unknown(`whether there is ${arn} is not known`, `ask whoever may look into ${id}`)];
      }
      const found = await unless(['NoSuchEntityException'], arnOf(account, resource, name));
      if (found === arn) return [ok(`${arn} is there, who may have restores applied`)];
      return [
        wrong(
          `there is no ${arn}, whom \`restorers\` names`,
          found === undefined
            ? 'make it before `make deploy`, which fails without it, or name another'
            : `write ${found}, if that is meant`,
        ),
      ];
    };
    return { about: `whether there is ${arn}`, ask };
  });
}

/** The ARN of the user or role of that name, whose path may be another. */
async function arnOf(
  account: Account,
  resource: string,
  name: string,
): Promise<string | undefined> {
  const iam = new IAMClient(clientOf(account));
  return resource.startsWith('role/')
    ? (await iam.send(new GetRoleCommand({ RoleName: name }))).Role?.Arn
    : (await iam.send(new GetUserCommand({ UserName: name }))).User?.Arn;
}

function policy(account: Account, PolicyArn: string, remedy: string): Check {
  return {
    about: `whether there is a policy ${PolicyArn}`,
    ask: async (): Promise<readonly Finding[]> => {
      const get = new IAMClient(clientOf(account)).send(new GetPolicyCommand({ PolicyArn }));
      const found = await unless(['NoSuchEntityException'], get);
      return [
        found === undefined
          ? wrong(`there is no policy ${PolicyArn}`, remedy)
          : ok(`the policy ${PolicyArn} is there`),
      ];
    },
  };
}
