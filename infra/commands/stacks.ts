import {
  CloudFormationClient,
  DeleteStackCommand,
  DescribeStacksCommand,
  GetTemplateCommand,
  paginateListStackResources,
  type StackResourceSummary,
  waitUntilStackDeleteComplete,
} from '@aws-sdk/client-cloudformation';
import { parse } from 'yaml';
import type { Configuration } from '../lib/config.ts';
import { type Account, clientOf } from './accounts.ts';
import { Failure } from './failure.ts';

export const SECURITY_STACK = 'CordonSecurity';
export const MEMBER_STACK = 'CordonMember';
/** The role that grants, where restores are applied. */
export const RESTORE_STACK = 'CordonRestore';
/** The member roles in whole OUs, by StackSet. */
export const ORGANIZATION_STACK = 'CordonOrganization';

/** The stacks that belong into an account, in the order in which they are deployed. */
export function stacksOf(configuration: Configuration, id: string): readonly string[] {
  const { securityAccount, securityAccountUsers, organizationalUnits, restorers } = configuration;
  const isSecurity = id === securityAccount;
  const isEntered = !isSecurity || securityAccountUsers;
  const runsStackSets = organizationalUnits !== undefined && id === stackSetAccount(configuration);
  return [
    ...(isSecurity ? [SECURITY_STACK] : []),
    ...(isEntered ? [MEMBER_STACK] : []),
    ...(isEntered && restorers !== undefined ? [RESTORE_STACK] : []),
    ...(runsStackSets ? [ORGANIZATION_STACK] : []),
  ];
}

/** Where the StackSet is: in the management account, or with its delegated administrator. */
export function stackSetAccount({ managementAccount, securityAccount }: Configuration): string {
  return managementAccount ?? securityAccount;
}

/** A resource as a template has it. */
interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
}

/** By logical id. */
type Resources = Readonly<Record<string, Resource>>;

export async function stands(account: Account, stack: string): Promise<boolean> {
  return (await statusOf(account, stack)) !== undefined;
}

/** How a stack stands, as CloudFormation calls it; nothing, where there is none. */
export async function statusOf(account: Account, stack: string): Promise<string | undefined> {
  const client = new CloudFormationClient(clientOf(account));
  const asked = client.send(new DescribeStacksCommand({ StackName: stack }));
  if (!(await exists(asked))) return undefined;
  return (await asked).Stacks?.[0]?.StackStatus;
}

/** What is deployed, by logical id; nothing, where there is no stack. */
export async function deployedResources(account: Account, stack: string): Promise<Resources> {
  if (!(await stands(account, stack))) return {};
  const client = new CloudFormationClient(clientOf(account));
  const { TemplateBody = '' } = await client.send(new GetTemplateCommand({ StackName: stack }));
  return resourcesIn(TemplateBody);
}

/** Of a stack whose first change set nobody has executed, there is an empty template. */
export function resourcesIn(template: string): Resources {
  // CDK sends small templates as YAML, and uploads the others as JSON, which is YAML, too.
  const { Resources = {} } = (parse(template) ?? {}) as { Resources?: Resources };
  return Resources;
}

/** The tags of a stack, which its resources inherit. */
export async function deployedTags(
  account: Account,
  stack: string,
): Promise<Readonly<Record<string, string>>> {
  const client = new CloudFormationClient(clientOf(account));
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: stack }));
  const tags = Stacks.flatMap(({ Tags = [] }) => Tags);
  return Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [Key, Value]));
}

/** The outputs of a stack; nothing, where there is none. */
export async function deployedOutputs(
  account: Account,
  stack: string,
): Promise<Readonly<Record<string, string>>> {
  if (!(await stands(account, stack))) return {};
  const client = new CloudFormationClient(clientOf(account));
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: stack }));
  const outputs = Stacks.flatMap(({ Outputs = [] }) => Outputs);
  return Object.fromEntries(
    outputs.map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
  );
}

/** What a deleted stack leaves behind: types, and what the resources are called. */
export async function whatStays(account: Account, stack: string): Promise<readonly string[]> {
  const resources = await deployedResources(account, stack);
  const client = new CloudFormationClient(clientOf(account));
  const there: StackResourceSummary[] = [];
  for await (const page of paginateListStackResources({ client }, { StackName: stack })) {
    there.push(...(page.StackResourceSummaries ?? []));
  }
  return retained(resources, there);
}

/** Those that are kept when their stack goes, without those that were made and rolled back. */
export function retained(
  resources: Resources,
  there: readonly StackResourceSummary[],
): readonly string[] {
  return there
    .filter(({ ResourceStatus }) => ResourceStatus !== 'DELETE_COMPLETE')
    .flatMap(({ LogicalResourceId = '', PhysicalResourceId }) => {
      const resource = resources[LogicalResourceId];
      if (!PhysicalResourceId || !resource?.DeletionPolicy?.startsWith('Retain')) return [];
      return [`${resource.Type} ${PhysicalResourceId}`];
    })
    .sort();
}

export async function deleteStack(account: Account, stack: string): Promise<void> {
  const client = new CloudFormationClient(clientOf(account));
  await client.send(new DeleteStackCommand({ StackName: stack }));
  const waiting = { client, minDelay: 1, maxDelay: 10, maxWaitTime: 3_600 };
  try {
    await waitUntilStackDeleteComplete(waiting, { StackName: stack });
  } catch (error) {
    // The waiter's own error is the stack as JSON.
    const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: stack }));
    const [{ StackStatus, StackStatusReason = 'CloudFormation gives no reason' } = {}] = Stacks;
    if (StackStatus === undefined) throw error;
    throw new Failure(
      `${stack} in ${account.id} is not deleted but ${StackStatus}: ${StackStatusReason}. See its events in CloudFormation, mend that, then run this again`,
    );
  }
}

/** Whether what is asked for exists: of a stack that does not, CloudFormation says so in words only. */
async function exists(asked: Promise<unknown>): Promise<boolean> {
  try {
    await asked;
    return true;
  } catch (error) {
    if (/ does not exist$/.test((error as Error).message)) return false;
    throw error;
  }
}
