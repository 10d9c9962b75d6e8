import {
  AttachUserPolicyCommand,
  CreateRoleCommand,
  DeleteUserPermissionsBoundaryCommand,
  DetachUserPolicyCommand,
  GetAccessKeyLastUsedCommand,
  GetUserCommand,
  IAMClient,
  ListAccessKeysCommand,
  ListAttachedUserPoliciesCommand,
  PutUserPermissionsBoundaryCommand,
  UpdateUserCommand,
} from '@aws-sdk/client-iam';
import { clientOf } from '../accounts.ts';
import type { Clients } from './clients.ts';
import { isMissing, isRefused, PATIENCE, refusal, said, within } from './answers.ts';
import {
  harmlessUser,
  NAME,
  newName,
  policy,
  type Principal,
  SERVICES_PATHS,
  withNewKey,
} from './principals.ts';
import type { Drill, Step } from './step.ts';

/** An access key that AWS's documentation has, and no account. */
const NOBODYS_KEY = 'AKIAIOSFODNN7EXAMPLE';

/** How often two calls are sent at the same time. */
const ROUNDS = 5;

/** What IAM answers about a user that nobody accuses. */
export const askIam: Step = {
  title: 'IAM is asked about names, keys, paths and policies, on a user of the drill',
  claims: [
    'unknown-key-is-refused',
    'missing-policy-is-named',
    'name-in-any-case',
    'service-paths-are-closed',
    'attached-policy-is-listed',
    'deny-and-boundary-at-once',
    'rename-is-known',
  ],
  async run(drill) {
    const user = await harmlessUser(drill, 'asked');
    const key = await withNewKey(drill, user);
    await unknownKey(drill);
    await missingPolicy(drill, user);
    await inAnyCase(drill, user, key);
    await servicesPaths(drill);
    await listed(drill, user);
    await atOnce(drill, user);
    await renamed(drill, user);
  },
};

async function unknownKey({ member: { iam }, report }: Drill): Promise<void> {
  const asked = new GetAccessKeyLastUsedCommand({ AccessKeyId: NOBODYS_KEY });
  const answer = await refusal(iam.send(asked));
  report.holds('unknown-key-is-refused', isRefused(answer), said(answer));
}

async function missingPolicy(drill: Drill, { name }: Principal): Promise<void> {
  const {
    configuration: { partition },
    member: { iam },
    report,
  } = drill;
  const arn = `arn:${partition}:iam::aws:policy/${NAME}-is-no-policy`;
  const answers = [
    await refusal(iam.send(new AttachUserPolicyCommand({ UserName: name, PolicyArn: arn }))),
    await refusal(
      iam.send(new PutUserPermissionsBoundaryCommand({ UserName: name, PermissionsBoundary: arn })),
    ),
  ];
  const named = answers.every((answer) => isMissing(answer) && answer?.message.includes(arn));
  report.holds('missing-policy-is-named', named, answers.map(said).join('; '));
}

/** The user's own policy names it as it is spelt. */
async function inAnyCase({ report }: Drill, { name }: Principal, key: Clients): Promise<void> {
  const asked = key.iam.send(new GetUserCommand({ UserName: name.toUpperCase() }));
  const answer = await refusal(asked);
  const found = answer === undefined ? (await asked).User?.UserName : said(answer);
  report.holds('name-in-any-case', found === name, `${name.toUpperCase()} is ${found}`);
}

async function servicesPaths(drill: Drill): Promise<void> {
  const {
    configuration: { partition },
    member: { account, iam },
    report,
  } = drill;
  const Principal = { AWS: `arn:${partition}:iam::${account.id}:root` };
  const AssumeRolePolicyDocument = policy({ Effect: 'Deny', Principal, Action: 'sts:AssumeRole' });
  const made: string[] = [];
  for (const Path of SERVICES_PATHS) {
    const asked = { RoleName: newName('path'), Path, AssumeRolePolicyDocument };
    const Tags = [{ Key: NAME, Value: 'path' }];
    const answer = await refusal(iam.send(new CreateRoleCommand({ ...asked, Tags })));
    if (answer === undefined) made.push(Path);
  }
  const how = made.length === 0 ? SERVICES_PATHS.join(', ') : `a role was made in ${made}`;
  report.holds('service-paths-are-closed', made.length === 0, how);
}

async function listed(drill: Drill, { name: UserName }: Principal): Promise<void> {
  const {
    member: { iam },
    report,
  } = drill;
  const PolicyArn = denyOf(drill);
  await iam.send(new AttachUserPolicyCommand({ UserName, PolicyArn }));
  const came = await within(PATIENCE, async () => {
    const answer = await iam.send(new ListAttachedUserPoliciesCommand({ UserName }));
    return answer.AttachedPolicies?.find((attached) => attached.PolicyArn === PolicyArn);
  });
  const how = came ? `after ${came.seconds} s` : `not within ${PATIENCE} s`;
  report.holds('attached-policy-is-listed', came !== undefined, how);
}

/** Without the SDK's retries, which would hide a refusal. */
async function atOnce(drill: Drill, { name: UserName }: Principal): Promise<void> {
  const {
    member: { account, iam },
    report,
  } = drill;
  const deny = denyOf(drill);
  const once = new IAMClient({ ...clientOf(account), maxAttempts: 1 });
  const refused: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await iam.send(new DetachUserPolicyCommand({ UserName, PolicyArn: deny }));
    const removed = new DeleteUserPermissionsBoundaryCommand({ UserName });
    if (round > 0) await iam.send(removed);
    const answers = await Promise.all([
      refusal(once.send(new AttachUserPolicyCommand({ UserName, PolicyArn: deny }))),
      refusal(
        once.send(new PutUserPermissionsBoundaryCommand({ UserName, PermissionsBoundary: deny })),
      ),
    ]);
    refused.push(...answers.filter((answer) => answer !== undefined).map(said));
    if (refused.length > 0) break;
  }
  const how = refused.length === 0 ? `${ROUNDS} times` : refused.join('; ');
  report.holds('deny-and-boundary-at-once', refused.length === 0, how);
}

async function renamed(drill: Drill, { name }: Principal): Promise<void> {
  const {
    member: { iam },
    report,
  } = drill;
  const { AccessKeyMetadata: [key] = [] } = await iam.send(
    new ListAccessKeysCommand({ UserName: name }),
  );
  const NewUserName = newName('renamed');
  await iam.send(new UpdateUserCommand({ UserName: name, NewUserName }));
  const byName = await within(PATIENCE, async () =>
    (await refusal(iam.send(new GetUserCommand({ UserName: NewUserName })))) ? undefined : true,
  );
  const asked = new GetAccessKeyLastUsedCommand({ AccessKeyId: key?.AccessKeyId });
  const byKey = await within(PATIENCE, async () =>
    (await iam.send(asked)).UserName === NewUserName ? true : undefined,
  );
  const when = (came: typeof byName) => (came ? `after ${came.seconds} s` : 'not');
  const how = `GetUser knows the new name ${when(byName)}, GetAccessKeyLastUsed ${when(byKey)}`;
  report.holds('rename-is-known', byName !== undefined && byKey !== undefined, how);
}

function denyOf({ configuration: { partition } }: Drill): string {
  return `arn:${partition}:iam::aws:policy/AWSDenyAll`;
}
