import {
  CloudFormationClient,
  DescribeOrganizationsAccessCommand,
} from '@aws-sdk/client-cloudformation';
import type { Configuration } from '../../lib/config.ts';
import { type Account, clientOf } from '../accounts.ts';
import { type Check, ok, wrong } from './check.ts';
import { delegation } from './organization.ts';

/** StackSets, as Organizations knows them. */
const STACK_SETS = 'member.org.stacksets.cloudformation.amazonaws.com';

/** Whether the account may put member roles into whole OUs. */
export function stackSets({ securityAccount }: Configuration, account: Account): Check {
  const isDelegate = account.id === securityAccount;
  return {
    about: 'whether StackSets may reach the organization',
    ask: async () => {
      if (isDelegate) {
        const register = `aws organizations register-delegated-administrator --account-id ${account.id} --service-principal ${STACK_SETS}`;
        const remedy = `${register}, in the management account`;
        const delegated = await delegation(account, account.id, STACK_SETS, remedy);
        if (delegated.verdict !== 'ok') return [delegated];
      }
      const client = new CloudFormationClient(clientOf(account));
      const { Status } = await client.send(
        new DescribeOrganizationsAccessCommand({ CallAs: isDelegate ? 'DELEGATED_ADMIN' : 'SELF' }),
      );
      return [judgeAccess(Status)];
    },
  };
}

export function judgeAccess(status: string | undefined) {
  return status === 'ENABLED'
    ? ok('trusted access of StackSets is on')
    : wrong(
        `trusted access of StackSets is ${status}`,
        'aws cloudformation activate-organizations-access, in the management account',
      );
}
