import {
  AttachRolePolicyCommand,
  GetAccessKeyLastUsedCommand,
  GetRoleCommand,
  ListAccessKeysCommand,
  PutRolePermissionsBoundaryCommand,
  RemoveUserFromGroupCommand,
  TagRoleCommand,
  TagUserCommand,
  UpdateAccessKeyCommand,
} from '@aws-sdk/client-iam';
import { isMissing, isRefused, PATIENCE, refusal, said, within } from './answers.ts';
import type { Clients } from './clients.ts';
import {
  assume,
  harmlessUser,
  NAME,
  newName,
  newRole,
  ours,
  type Principal,
  session,
  withNewKey,
} from './principals.ts';
import type { Drill, Step } from './step.ts';

/** The calls that readiness makes on nobody. */
const TAGS = [{ Key: NAME, Value: 'nobody' }];
const WRITES = ['TagUser', 'TagRole', 'RemoveUserFromGroup', 'UpdateAccessKey'] as const;

/** What IAM and STS answer a session of a role that may little. */
export const askAsRole: Step = {
  title: 'sessions of a role are refused what they may not, and end when the role is denied',
  claims: [
    'refused-before-missing',
    'refused-key-names-user',
    'source-identity-stays',
    'refusal-names-source-identity',
    'boundary-ends-sessions',
  ],
  async run(drill) {
    const nothing = await newRole(drill.configuration, drill.member, 'nothing', []);
    const none = await session(drill.member, nothing);
    await refusedBeforeMissing(drill, none);
    await refusedKey(drill, none);
    await sourceIdentity(drill);
    await denied(drill);
  },
};

/** On names that nobody has, by a role that may and one that may not. */
async function refusedBeforeMissing(drill: Drill, none: Clients): Promise<void> {
  const {
    configuration: { partition },
    member: { account },
    report,
  } = drill;
  const nobody = newName('nobody');
  const user = await harmlessUser(drill, 'keyless');
  const of = (kind: string, name: string) => `arn:${partition}:iam::${account.id}:${kind}/${name}`;
  const all = [of('user', nobody), of('role', nobody), of('group', nobody), ...ours(drill)];
  const may = await newRole(drill.configuration, drill.member, 'something', [
    { Effect: 'Allow', Action: WRITES.map((name) => `iam:${name}`), Resource: all },
  ]);
  const some = await session(drill.member, may);
  const calls: readonly (readonly [string, (by: Clients) => Promise<unknown>])[] = [
    ['user', ({ iam }) => iam.send(new TagUserCommand({ UserName: nobody, Tags: TAGS }))],
    ['role', ({ iam }) => iam.send(new TagRoleCommand({ RoleName: nobody, Tags: TAGS }))],
    [
      'group',
      ({ iam }) =>
        iam.send(new RemoveUserFromGroupCommand({ GroupName: nobody, UserName: user.name })),
    ],
    [
      'key',
      ({ iam }) =>
        iam.send(
          new UpdateAccessKeyCommand({
            UserName: user.name,
            AccessKeyId: 'AKIAIOSFODNN7EXAMPLE',
            Status: 'Inactive',
          }),
        ),
    ],
  ];
  const wrong: string[] = [];
  for (const [what, call] of calls) {
    const refused = await refusal(call(none));
    if (!isRefused(refused)) wrong.push(`${what}, who may not: ${said(refused)}`);
    const missing = await within(PATIENCE, async () => {
      const answer = await refusal(call(some));
      return isMissing(answer) ? answer : undefined;
    });
    if (missing === undefined) wrong.push(`${what}, who may: ${said(await refusal(call(some)))}`);
  }
  const how = wrong.length === 0 ? calls.map(([what]) => what).join(', ') : wrong.join('; ');
  report.holds('refused-before-missing', wrong.length === 0, how);
}

async function refusedKey(drill: Drill, none: Clients): Promise<void> {
  const {
    member: { iam },
    report,
  } = drill;
  const user = await harmlessUser(drill, 'keyed');
  await withNewKey(drill, user);
  const { AccessKeyMetadata: [key] = [] } = await iam.send(
    new ListAccessKeysCommand({ UserName: user.name }),
  );
  const asked = new GetAccessKeyLastUsedCommand({ AccessKeyId: key?.AccessKeyId });
  const answer = await refusal(none.iam.send(asked));
  const names = isRefused(answer) && answer?.message.includes(user.arn);
  report.holds('refused-key-names-user', names === true, said(answer));
}

/** A session with one source identity asks for another, and for a role that trusts it in nothing. */
async function sourceIdentity(drill: Drill): Promise<void> {
  const {
    configuration: { securityAccount, partition },
    report,
  } = drill;
  const target = await newRole(drill.configuration, drill.member, 'target', []);
  const closed = await newRole(drill.configuration, drill.member, 'closed', [], {
    Effect: 'Deny',
    Principal: { AWS: `arn:${partition}:iam::${securityAccount}:root` },
    Action: 'sts:AssumeRole',
  });
  const both = ['sts:AssumeRole', 'sts:SetSourceIdentity'];
  const asker = await newRole(drill.configuration, drill.member, 'asker', [
    { Effect: 'Allow', Action: both, Resource: ours(drill) },
  ]);
  const caller = await session(drill.member, asker, `${NAME}-one`);
  await within(PATIENCE, async () =>
    isRefused(await refusal(assume(caller, target, `${NAME}-one`))) ? undefined : true,
  );
  const changed = await refusal(assume(caller, target, `${NAME}-other`));
  report.holds('source-identity-stays', isRefused(changed), said(changed));
  const refused = await refusal(assume(caller, closed, `${NAME}-one`));
  const names = isRefused(refused) && refused?.message.includes('sts:SetSourceIdentity');
  report.holds('refusal-names-source-identity', names === true, said(refused));
}

/** Two running sessions: one of a role that gets the deny attached, one that gets it as boundary. */
async function denied(drill: Drill): Promise<void> {
  const {
    configuration: { partition },
    member: { iam },
    report,
  } = drill;
  const deny = `arn:${partition}:iam::aws:policy/AWSDenyAll`;
  const attached = await untilRefused(drill, 'attached', ({ name: RoleName }) =>
    iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn: deny })),
  );
  const bounded = await untilRefused(drill, 'boundary', ({ name: RoleName }) =>
    iam.send(new PutRolePermissionsBoundaryCommand({ RoleName, PermissionsBoundary: deny })),
  );
  const [one, other] = [attached, bounded].map((seconds) =>
    seconds === undefined ? `not within ${PATIENCE} s` : `after ${seconds} s`,
  );
  const how = `refused ${other} by the boundary, ${one} by the attached policy`;
  report.holds('boundary-ends-sessions', bounded !== undefined, how);
}

/** Seconds from the deny until a session of the role is refused. */
async function untilRefused(
  drill: Drill,
  purpose: string,
  deny: (role: Principal) => Promise<unknown>,
): Promise<number | undefined> {
  const role = await newRole(drill.configuration, drill.member, purpose, [
    { Effect: 'Allow', Action: 'iam:GetRole', Resource: ours(drill) },
  ]);
  const by = await session(drill.member, role);
  const read = () => refusal(by.iam.send(new GetRoleCommand({ RoleName: role.name })));
  await within(PATIENCE, async () => ((await read()) === undefined ? true : undefined));
  await deny(role);
  const refused = await within(PATIENCE, async () => (isRefused(await read()) ? true : undefined));
  return refused?.seconds;
}
