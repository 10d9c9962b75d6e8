import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  GetUserCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { AssumeRoleCommand } from '@aws-sdk/client-sts';
import { randomUUID } from 'node:crypto';
import { isRefused, refusal, until } from './answers.ts';
import type { Configuration } from '../../lib/config.ts';
import type { Clients } from './clients.ts';
import type { Drill } from './step.ts';

/** What the name of everything begins with that the drill makes, and the key of its tag. */
export const NAME = 'cordon-drill';

/** The path of every user and role that the drill makes: nobody else's is below it. */
export const PATH = `/${NAME}/`;

/** The value of the tag of what a drill leaves for a later one. */
export const FOR_LATER = 'for a later drill';

export interface Principal {
  readonly name: string;
  readonly arn: string;
  readonly id: string;
}

/** A statement of a policy. */
export type Statement = Readonly<Record<string, unknown>>;

export function policy(...statements: readonly Statement[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

/** A name that no other run has. */
export function newName(purpose: string): string {
  return `${NAME}-${purpose}-${randomUUID().slice(0, 8)}`;
}

/** All users and roles of the drill in the member account. */
export function ours({ member, configuration }: Drill): readonly string[] {
  const account = `arn:${configuration.partition}:iam::${member.account.id}`;
  return [`${account}:user${PATH}*`, `${account}:role${PATH}*`];
}

/** A user of the member account that may read itself, and nothing else. */
export async function harmlessUser(
  { member: { iam } }: Drill,
  purpose: string,
  tag = purpose,
): Promise<Principal> {
  const name = newName(purpose);
  const Tags = [{ Key: NAME, Value: tag }];
  const { User } = await iam.send(new CreateUserCommand({ UserName: name, Path: PATH, Tags }));
  const { Arn: arn = '', UserId: id = '' } = User ?? {};
  const readItself = policy({ Effect: 'Allow', Action: 'iam:GetUser', Resource: arn });
  await iam.send(
    new PutUserPolicyCommand({ UserName: name, PolicyName: NAME, PolicyDocument: readItself }),
  );
  return { name, arn, id };
}

/** The user with a new key, once IAM knows both. */
export async function withNewKey({ member }: Drill, user: Principal): Promise<Clients> {
  const { AccessKey } = await member.iam.send(new CreateAccessKeyCommand({ UserName: user.name }));
  const { AccessKeyId: accessKeyId = '', SecretAccessKey: secretAccessKey = '' } = AccessKey ?? {};
  const key = member.as({ accessKeyId, secretAccessKey });
  await until(`that the key of ${user.name} works`, 60, async () =>
    (await whyItCannotReadItself(key, user)) === undefined ? true : undefined,
  );
  return key;
}

/** What AWS answers a user who reads itself; nothing, where it may. */
export function whyItCannotReadItself(
  { iam }: Clients,
  { name }: Principal,
): Promise<Error | undefined> {
  return refusal(iam.send(new GetUserCommand({ UserName: name })));
}

/** A role of an account, which trusts whom the statement says: its own account, unless told. */
export async function newRole(
  { partition }: Configuration,
  { account, iam }: Clients,
  purpose: string,
  statements: readonly Statement[],
  trusted: Statement = {
    Effect: 'Allow',
    Principal: { AWS: `arn:${partition}:iam::${account.id}:root` },
    Action: ['sts:AssumeRole', 'sts:SetSourceIdentity'],
  },
): Promise<Principal> {
  const name = newName(purpose);
  const { Role } = await iam.send(
    new CreateRoleCommand({
      RoleName: name,
      Path: PATH,
      AssumeRolePolicyDocument: policy(trusted),
      Tags: [{ Key: NAME, Value: purpose }],
    }),
  );
  if (statements.length > 0) {
    const PolicyDocument = policy(...statements);
    await iam.send(new PutRolePolicyCommand({ RoleName: name, PolicyName: NAME, PolicyDocument }));
  }
  return { name, arn: Role?.Arn ?? '', id: Role?.RoleId ?? '' };
}

/** A session of a role, once IAM knows the role. */
export async function session(
  account: Clients,
  role: Principal,
  sourceIdentity?: string,
): Promise<Clients> {
  return until(`a session of ${role.name}`, 60, async () => {
    const asked = assume(account, role, sourceIdentity);
    return isRefused(await refusal(asked)) ? undefined : await asked;
  });
}

/** Assumes a role. */
export async function assume(
  caller: Clients,
  { arn }: Principal,
  SourceIdentity?: string,
): Promise<Clients> {
  const asked = { RoleArn: arn, RoleSessionName: NAME, DurationSeconds: 900 };
  const { Credentials } = await caller.sts.send(
    new AssumeRoleCommand(SourceIdentity === undefined ? asked : { ...asked, SourceIdentity }),
  );
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = Credentials ?? {};
  return caller.as({
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
  });
}

/** Paths in which nobody but AWS makes roles, in a case that is AWS's and in one that is not. */
export const SERVICES_PATHS = [
  `/aws-service-role/${NAME}.amazonaws.com/`,
  `/AWS-Service-Role/${NAME}.amazonaws.com/`,
  `/aws-reserved/${NAME}/`,
  `/AWS-Reserved/${NAME}/`,
];
