import type { AwsSecurityFinding } from '@aws-sdk/client-securityhub';
import {
  CreateServiceSpecificCredentialCommand,
  GetRoleCommand,
  GetUserCommand,
  ListAccessKeysCommand,
  ListAttachedUserPoliciesCommand,
  ListServiceSpecificCredentialsCommand,
  ListUserPoliciesCommand,
  ListUserTagsCommand,
} from '@aws-sdk/client-iam';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { securityRoleName } from '../../lib/names.ts';
import { isRefused, within } from './answers.ts';
import type { Clients } from './clients.ts';
import { ended, executionOf, type Execution, history } from './executions.ts';
import { accuse, recorded } from './findings.ts';
import { harmlessUser, type Principal, whyItCannotReadItself, withNewKey } from './principals.ts';
import type { Drill, Step } from './step.ts';

/** The guide's incident, with a user that has no rights to lose. */
export const contain: Step = {
  title: 'a harmless user with a key is contained',
  claims: [
    'user-is-contained',
    'key-is-refused',
    'bedrock-key-is-inactivated',
    'finding-is-found-at-once',
    'administrators-event-account',
    'update-keeps-updated-at',
    'lambda-presents-source-account',
  ],
  needs: 'containment',
  async run(drill) {
    const { member, report } = drill;
    const user = await harmlessUser(drill, 'contained');
    const key = await withNewKey(drill, user);
    await member.iam.send(
      new CreateServiceSpecificCredentialCommand({
        UserName: user.name,
        ServiceName: 'bedrock.amazonaws.com',
        CredentialAgeDays: 1,
      }),
    );
    const finding = await accuse(drill, user);
    const arn = await executionOf(drill, finding);
    const found = await recorded(drill.security, finding);
    report.holds('finding-is-found-at-once', found !== undefined, `asked as soon as ${arn} ran`);
    await triedUntilRefused(drill, key, user);
    const execution = await ended(drill, arn);
    await containedAsReadBack(drill, user, execution, finding);
    bedrock(drill, await serviceCredentials(drill, user));
    const { account } = JSON.parse(execution.input ?? '{}') as { account?: string };
    const isAdministrators = account === drill.configuration.securityAccount;
    report.holds('administrators-event-account', isAdministrators, `it is ${account}`);
    const updated = (await recorded(drill.security, finding))?.UpdatedAt ?? '';
    const isTheImports = Date.parse(updated) === Date.parse(finding.UpdatedAt ?? '');
    report.holds('update-keeps-updated-at', isTheImports, `${finding.UpdatedAt} is ${updated} now`);
    await sourceAccount(drill, execution);
  },
};

/** The user's own key, from the import on until AWS refuses it. */
export async function triedUntilRefused(
  { report }: Drill,
  key: Clients,
  user: Principal,
): Promise<void> {
  const refused = await within(120, async () => {
    const answer = await whyItCannotReadItself(key, user);
    return isRefused(answer) ? answer : undefined;
  });
  if (refused === undefined) report.refuted('key-is-refused', 'it works after two minutes still');
  else report.held('key-is-refused', `${refused.seconds} s after its execution was found`);
}

/** What Cordon says it has done, as the account and Security Hub say it. */
async function containedAsReadBack(
  drill: Drill,
  user: Principal,
  execution: Execution,
  finding: AwsSecurityFinding,
): Promise<void> {
  const wrong = await whatIsNotContained(drill, user, execution, finding);
  const how = wrong.length === 0 ? `by ${execution.executionArn}` : wrong.join('; ');
  drill.report.holds('user-is-contained', wrong.length === 0, how);
}

/** What is missing for the user to be contained, in words. */
export async function whatIsNotContained(
  drill: Drill,
  { name }: Principal,
  { status, output = '{}', error = '', cause = '' }: Execution,
  finding: AwsSecurityFinding,
): Promise<readonly string[]> {
  const { iam } = drill.member;
  const UserName = name;
  const [{ User }, { AttachedPolicies = [] }, { PolicyNames = [] }, { AccessKeyMetadata = [] }] =
    await Promise.all([
      iam.send(new GetUserCommand({ UserName })),
      iam.send(new ListAttachedUserPoliciesCommand({ UserName })),
      iam.send(new ListUserPoliciesCommand({ UserName })),
      iam.send(new ListAccessKeysCommand({ UserName })),
    ]);
  const attached = AttachedPolicies.map(({ PolicyName }) => PolicyName).join(', ');
  const boundary = User?.PermissionsBoundary?.PermissionsBoundaryArn ?? 'none';
  const workflow = (await recorded(drill.security, finding))?.Workflow?.Status;
  const facts: readonly (readonly [string, boolean])[] = [
    [`the execution is ${status}: ${error} ${cause} ${output}`, status === 'SUCCEEDED'],
    [`attached: ${attached}`, attached === 'AWSDenyAll'],
    [`boundary: ${boundary}`, boundary.endsWith(':policy/AWSDenyAll')],
    [`inline policies: ${PolicyNames.join(', ')}`, PolicyNames.length === 0],
    ['a key is active', AccessKeyMetadata.every(({ Status }) => Status === 'Inactive')],
    [`the finding is ${workflow}`, workflow === 'RESOLVED'],
    ['the evidence is not what its tags say', await hasEvidence(drill, name)],
  ];
  return facts.filter(([, so]) => !so).map(([fact]) => fact);
}

/** Whether the evidence lies where the user's tags say, and is what was stored. */
async function hasEvidence(
  { member: { iam }, security: { objects } }: Drill,
  UserName: string,
): Promise<boolean> {
  const { Tags = [] } = await iam.send(new ListUserTagsCommand({ UserName }));
  const tag = (key: string): string => Tags.find(({ Key }) => Key === key)?.Value ?? '';
  const [, Bucket, Key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(tag('CordonEvidence')) ?? [];
  if (Bucket === undefined || Key === undefined) return false;
  const { Body } = await objects.send(new GetObjectCommand({ Bucket, Key }));
  const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
  return createHash('sha256').update(bytes).digest('hex') === tag('CordonEvidenceSha256');
}

async function serviceCredentials(
  { member: { iam } }: Drill,
  { name }: Principal,
): Promise<string> {
  const { ServiceSpecificCredentials = [] } = await iam.send(
    new ListServiceSpecificCredentialsCommand({ UserName: name }),
  );
  return ServiceSpecificCredentials.map(({ Status }) => Status).join(', ');
}

function bedrock({ report }: Drill, statuses: string): void {
  report.holds('bedrock-key-is-inactivated', statuses === 'Inactive', `it is ${statuses}`);
}

/** Whether a function ran whose role admits Lambda for the functions of this account alone. */
async function sourceAccount(drill: Drill, { executionArn = '' }: Execution): Promise<void> {
  const { security, report } = drill;
  const RoleName = securityRoleName('Classify');
  const { Role } = await security.iam.send(new GetRoleCommand({ RoleName }));
  const trust = decodeURIComponent(Role?.AssumeRolePolicyDocument ?? '');
  const events = await history(drill, executionArn);
  const ran = events.some(({ taskSucceededEventDetails: task }) => task?.resourceType === 'lambda');
  const asked = trust.includes('"aws:SourceAccount"');
  if (!asked) report.notTried('lambda-presents-source-account', `${RoleName} does not ask for it`);
  else report.holds('lambda-presents-source-account', ran, ran ? RoleName : 'no function ran');
}
