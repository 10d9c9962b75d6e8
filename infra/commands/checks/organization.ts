import {
  DescribeOrganizationCommand,
  OrganizationsClient,
  paginateListDelegatedAdministrators,
} from '@aws-sdk/client-organizations';
import type { Configuration } from '../../lib/config.ts';
import { type Account, clientOf } from '../accounts.ts';
import { type Check, type Finding, isRefusal, ok, unknown, unless, wrong } from './check.ts';

/** Both Security Hubs. */
const SECURITY_HUB = 'securityhub.amazonaws.com';

/** What Organizations knows of it. */
export interface Organization {
  readonly id: string;
  readonly management: string;
}

/** Whether the configuration is of this organization. Every account of it may ask. */
export function organization(configuration: Configuration, account: Account): Check {
  return {
    about: 'which organization this is',
    ask: async () => {
      const client = new OrganizationsClient(clientOf(account));
      const described = client.send(new DescribeOrganizationCommand({}));
      const found = await unless(['AWSOrganizationsNotInUseException'], described);
      const { Id, MasterAccountId } = found?.Organization ?? {};
      if (Id === undefined || MasterAccountId === undefined) {
        return [
          wrong(`${account.id} is in no organization`, 'Cordon is for accounts of one: invite it'),
        ];
      }
      return judgeOrganization(configuration, { id: Id, management: MasterAccountId });
    },
  };
}

export function judgeOrganization(
  { organizationId, managementAccount, securityAccount, profiles }: Configuration,
  { id, management }: Organization,
): readonly Finding[] {
  const isThis =
    id === organizationId
      ? ok(`the organization is ${id}`)
      : wrong(
          `\`organizationId\` is ${organizationId}, and the organization is ${id}`,
          `write \`"organizationId": "${id}"\``,
        );
  if (securityAccount === management) {
    const both = `${management} is the management account, where no service control policy would guard Cordon's roles`;
    const remedy =
      'have another account administer Security Hub, and name that as `securityAccount`';
    return [isThis, wrong(both, remedy)];
  }
  if (managementAccount === undefined && profiles[management] !== undefined) {
    const unguarded = `\`profiles\` has one for ${management}, the management account, whose users would be contained without what is kept from them there`;
    return [isThis, wrong(unguarded, `write \`"managementAccount": "${management}"\`, too`)];
  }
  if (managementAccount === undefined || managementAccount === management) return [isThis];
  const another = `\`managementAccount\` is ${managementAccount}, and ${management} is it`;
  return [isThis, wrong(another, `write \`"managementAccount": "${management}"\``)];
}

/** Whether the security account administers Security Hub. */
export function administration({ securityAccount }: Configuration, account: Account): Check {
  return {
    about: 'who administers Security Hub',
    ask: async () => {
      const enable = `aws securityhub enable-organization-admin-account --region ${account.region} --admin-account-id ${securityAccount}`;
      return [
        await delegation(
          account,
          securityAccount,
          SECURITY_HUB,
          `${enable}, in the management account`,
        ),
      ];
    },
  };
}

/**
 * Whether the service is delegated to `delegate`. Besides the management account, only delegated
 * administrators may ask.
 */
export async function delegation(
  account: Account,
  delegate: string,
  service: string,
  remedy: string,
): Promise<Finding> {
  const list = `aws organizations list-delegated-administrators --service-principal ${service}`;
  try {
    const ids = await delegates(account, service);
    if (ids.includes(delegate)) return ok(`${delegate} is delegated administrator of ${service}`);
    const others = ids.length === 0 ? 'nobody is' : `${ids.join(', ')} is`;
    return wrong(`${delegate} is no delegated administrator of ${service}, ${others}`, remedy);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return unknown(
      `whether ${delegate} is delegated administrator of ${service} is refused to ${account.id}`,
      `whoever has credentials of the management account: ${list}`,
    );
  }
}

async function delegates(account: Account, ServicePrincipal: string): Promise<readonly string[]> {
  const client = new OrganizationsClient(clientOf(account));
  const ids: string[] = [];
  for await (const page of paginateListDelegatedAdministrators({ client }, { ServicePrincipal })) {
    ids.push(...(page.DelegatedAdministrators ?? []).flatMap(({ Id }) => Id ?? []));
  }
  return ids;
}
