import { DeleteRuleCommand, ListRulesCommand } from '@aws-sdk/client-eventbridge';
import {
  DeleteAccessKeyCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DeleteServiceSpecificCredentialCommand,
  DeleteUserCommand,
  DeleteUserPolicyCommand,
  DetachRolePolicyCommand,
  DetachUserPolicyCommand,
  type IAMClient,
  ListAccessKeysCommand,
  ListAttachedRolePoliciesCommand,
  ListAttachedUserPoliciesCommand,
  ListRolePoliciesCommand,
  ListRoleTagsCommand,
  ListServiceSpecificCredentialsCommand,
  ListUserPoliciesCommand,
  ListUserTagsCommand,
  paginateListRoles,
  paginateListUsers,
  type Tag,
} from '@aws-sdk/client-iam';
import { DeleteStateMachineCommand, paginateListStateMachines } from '@aws-sdk/client-sfn';
import { ROLE_PATH } from '../../lib/names.ts';
import type { Clients } from './clients.ts';
import type { ForLater, Leftover } from './clean.ts';
import { FOR_LATER, NAME, PATH, SERVICES_PATHS } from './principals.ts';
import type { Drill } from './step.ts';

/** The drill's deny on roles of Cordon's. */
export async function* brokenRoles({ member: { iam } }: Drill): AsyncGenerator<Leftover> {
  for await (const RoleName of roleNames(iam, ROLE_PATH)) {
    const { PolicyNames = [] } = await iam.send(new ListRolePoliciesCommand({ RoleName }));
    if (!PolicyNames.includes(NAME)) continue;
    const mend = new DeleteRolePolicyCommand({ RoleName, PolicyName: NAME });
    yield { what: `the policy ${NAME} of ${RoleName}`, remove: () => iam.send(mend) };
  }
}

export async function* rulesLeft({ security: { events } }: Drill): AsyncGenerator<Leftover> {
  let NextToken: string | undefined;
  do {
    const page = await events.send(new ListRulesCommand({ NamePrefix: `${NAME}-`, NextToken }));
    for (const { Name } of page.Rules ?? []) {
      yield {
        what: `the rule ${Name}`,
        remove: () => events.send(new DeleteRuleCommand({ Name })),
      };
    }
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
}

/** Their executions go with them. */
export async function* machinesLeft({ states }: Clients): AsyncGenerator<Leftover> {
  for await (const { stateMachines = [] } of paginateListStateMachines({ client: states }, {})) {
    for (const { name = '', stateMachineArn } of stateMachines) {
      if (!name.startsWith(`${NAME}-`)) continue;
      const remove = new DeleteStateMachineCommand({ stateMachineArn });
      yield { what: `the state machine ${name}`, remove: () => states.send(remove) };
    }
  }
}

export async function* usersLeft(
  { member: { iam } }: Drill,
  forLater: ForLater,
): AsyncGenerator<Leftover> {
  for await (const { Users = [] } of paginateListUsers({ client: iam }, { PathPrefix: PATH })) {
    for (const { UserName = '' } of Users) {
      const { Tags = [] } = await iam.send(new ListUserTagsCommand({ UserName }));
      const tag = ofTheDrill(Tags);
      if (tag === undefined) continue;
      if (tag === FOR_LATER && !(await isDue(iam, UserName, forLater))) continue;
      yield { what: `the user ${UserName}`, remove: () => removeUser(iam, UserName) };
    }
  }
}

export async function* rolesLeft({ iam }: Clients): AsyncGenerator<Leftover> {
  for (const path of [PATH, ...SERVICES_PATHS]) {
    for await (const RoleName of roleNames(iam, path)) {
      const { Tags = [] } = await iam.send(new ListRoleTagsCommand({ RoleName }));
      if (ofTheDrill(Tags) === undefined) continue;
      yield { what: `the role ${RoleName}`, remove: () => removeRole(iam, RoleName) };
    }
  }
}

async function* roleNames(client: IAMClient, PathPrefix: string): AsyncGenerator<string> {
  for await (const { Roles = [] } of paginateListRoles({ client }, { PathPrefix })) {
    yield* Roles.map(({ RoleName = '' }) => RoleName);
  }
}

/** The value of the drill's tag. */
function ofTheDrill(tags: readonly Tag[]): string | undefined {
  return tags.find(({ Key }) => Key === NAME)?.Value;
}

/** Whether what was left for a later drill is removed. */
async function isDue(iam: IAMClient, UserName: string, forLater: ForLater): Promise<boolean> {
  if (forLater !== 'removed once it has expired') return forLater === 'removed';
  const { ServiceSpecificCredentials: all = [] } = await iam.send(
    new ListServiceSpecificCredentialsCommand({ UserName }),
  );
  return all.every(({ ExpirationDate }) => ExpirationDate && ExpirationDate < new Date());
}

async function removeUser(iam: IAMClient, UserName: string): Promise<void> {
  const [{ AccessKeyMetadata = [] }, { ServiceSpecificCredentials = [] }] = await Promise.all([
    iam.send(new ListAccessKeysCommand({ UserName })),
    iam.send(new ListServiceSpecificCredentialsCommand({ UserName })),
  ]);
  // Keys before the deny.
  for (const { AccessKeyId } of AccessKeyMetadata) {
    await iam.send(new DeleteAccessKeyCommand({ UserName, AccessKeyId }));
  }
  for (const { ServiceSpecificCredentialId } of ServiceSpecificCredentials) {
    const its = { UserName, ServiceSpecificCredentialId };
    await iam.send(new DeleteServiceSpecificCredentialCommand(its));
  }
  const [{ AttachedPolicies = [] }, { PolicyNames = [] }] = await Promise.all([
    iam.send(new ListAttachedUserPoliciesCommand({ UserName })),
    iam.send(new ListUserPoliciesCommand({ UserName })),
  ]);
  for (const { PolicyArn } of AttachedPolicies) {
    await iam.send(new DetachUserPolicyCommand({ UserName, PolicyArn }));
  }
  for (const PolicyName of PolicyNames) {
    await iam.send(new DeleteUserPolicyCommand({ UserName, PolicyName }));
  }
  await iam.send(new DeleteUserCommand({ UserName }));
}

async function removeRole(iam: IAMClient, RoleName: string): Promise<void> {
  const [{ AttachedPolicies = [] }, { PolicyNames = [] }] = await Promise.all([
    iam.send(new ListAttachedRolePoliciesCommand({ RoleName })),
    iam.send(new ListRolePoliciesCommand({ RoleName })),
  ]);
  for (const { PolicyArn } of AttachedPolicies) {
    await iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn }));
  }
  for (const PolicyName of PolicyNames) {
    await iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName }));
  }
  await iam.send(new DeleteRoleCommand({ RoleName }));
}
