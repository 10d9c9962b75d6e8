import {
  CreateServiceSpecificCredentialCommand,
  ListServiceSpecificCredentialsCommand,
  ListUsersCommand,
} from '@aws-sdk/client-iam';
import { FOR_LATER, harmlessUser, PATH } from './principals.ts';
import type { Drill, Step } from './step.ts';

/** A key of Bedrock expires a day after it was made, at the soonest. */
export const expiredKey: Step = {
  title: 'a key of Bedrock that has expired is read',
  claims: ['expired-key-is-shown-so'],
  async run(drill) {
    const { report, expiring } = drill;
    const expired = await expiredStatuses(drill);
    if (expired.length > 0) {
      const so = expired.every((status) => status === 'Expired');
      report.holds('expired-key-is-shown-so', so, `it is ${expired.join(', ')}`);
    } else if (expiring) {
      await forLater(drill);
      report.notTried(
        'expired-key-is-shown-so',
        'a key was made, and expires tomorrow: drill again then',
      );
    } else {
      report.notTried(
        'expired-key-is-shown-so',
        'it takes a day: `EXPIRING=1` makes one for the drill of tomorrow',
      );
    }
  },
};

/** The statuses of what has expired of the drill's users. */
async function expiredStatuses({ member: { iam } }: Drill): Promise<readonly string[]> {
  const { Users = [] } = await iam.send(new ListUsersCommand({ PathPrefix: PATH }));
  const lists = await Promise.all(
    Users.map(({ UserName }) => iam.send(new ListServiceSpecificCredentialsCommand({ UserName }))),
  );
  const all = lists.flatMap(({ ServiceSpecificCredentials = [] }) => ServiceSpecificCredentials);
  const expired = all.filter(({ ExpirationDate }) => ExpirationDate && ExpirationDate < new Date());
  return expired.map(({ Status = 'unknown' }) => Status);
}

async function forLater(drill: Drill): Promise<void> {
  const { name: UserName } = await harmlessUser(drill, 'expiring', FOR_LATER);
  await drill.member.iam.send(
    new CreateServiceSpecificCredentialCommand({
      UserName,
      ServiceName: 'bedrock.amazonaws.com',
      CredentialAgeDays: 1,
    }),
  );
}
