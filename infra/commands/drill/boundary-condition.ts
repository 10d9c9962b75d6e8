import {
  AttachRolePolicyCommand,
  AttachUserPolicyCommand,
  DeleteRolePolicyCommand,
  DeleteUserPolicyCommand,
  DetachRolePolicyCommand,
  DetachUserPolicyCommand,
  PutRolePermissionsBoundaryCommand,
  PutRolePolicyCommand,
  PutUserPermissionsBoundaryCommand,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import { isRefused, PATIENCE, refusal, said, within } from './answers.ts';
import type { Clients } from './clients.ts';
import { harmlessUser, newRole, ours, policy, session } from './principals.ts';
import type { Step } from './step.ts';

/** Whom it takes a policy from, and how. */
type Call = readonly [name: string, take: (by: Clients) => Promise<unknown>];

/**
 * A role with DetachPolicies' condition takes policies away from a user and a role, both without
 * the deny as boundary and with it.
 */
export const boundaryCondition: Step = {
  title: 'policies are taken away by a role that may only under `AWSDenyAll` as boundary',
  claims: ['boundary-condition'],
  async run(drill) {
    const {
      configuration: { partition },
      member: { iam },
      report,
    } = drill;
    const of = (name: string) => `arn:${partition}:iam::aws:policy/${name}`;
    const [deny, harmless] = [of('AWSDenyAll'), of('AWSCompromisedKeyQuarantineV2')];
    const user = await harmlessUser(drill, 'bounded');
    const role = await newRole(drill.configuration, drill.member, 'bounded', []);
    const inline = {
      PolicyName: 'inline',
      PolicyDocument: policy({ Effect: 'Deny', Action: '*', Resource: '*' }),
    };
    const [ofUser, ofRole] = [{ UserName: user.name }, { RoleName: role.name }];
    await iam.send(new AttachUserPolicyCommand({ ...ofUser, PolicyArn: harmless }));
    await iam.send(new AttachRolePolicyCommand({ ...ofRole, PolicyArn: harmless }));
    await iam.send(new PutUserPolicyCommand({ ...ofUser, ...inline }));
    await iam.send(new PutRolePolicyCommand({ ...ofRole, ...inline }));
    const calls: readonly Call[] = [
      [
        'DetachUserPolicy',
        ({ iam }) => iam.send(new DetachUserPolicyCommand({ ...ofUser, PolicyArn: harmless })),
      ],
      [
        'DeleteUserPolicy',
        ({ iam }) => iam.send(new DeleteUserPolicyCommand({ ...ofUser, PolicyName: 'inline' })),
      ],
      [
        'DetachRolePolicy',
        ({ iam }) => iam.send(new DetachRolePolicyCommand({ ...ofRole, PolicyArn: harmless })),
      ],
      [
        'DeleteRolePolicy',
        ({ iam }) => iam.send(new DeleteRolePolicyCommand({ ...ofRole, PolicyName: 'inline' })),
      ],
    ];
    const taker = await newRole(drill.configuration, drill.member, 'taker', [
      {
        Effect: 'Allow',
        Action: calls.map(([name]) => `iam:${name}`),
        Resource: ours(drill),
        Condition: { ArnEquals: { 'iam:PermissionsBoundary': deny } },
      },
    ]);
    const by = await session(drill.member, taker);

    const wrong: string[] = [];
    for (const [name, take] of calls) {
      const answer = await refusal(take(by));
      if (!isRefused(answer)) wrong.push(`${name} without the boundary: ${said(answer)}`);
    }
    await iam.send(new PutUserPermissionsBoundaryCommand({ ...ofUser, PermissionsBoundary: deny }));
    await iam.send(new PutRolePermissionsBoundaryCommand({ ...ofRole, PermissionsBoundary: deny }));
    const times: string[] = [];
    for (const [name, take] of wrong.length === 0 ? calls : []) {
      let answer: Error | undefined;
      const came = await within(PATIENCE, async () => {
        answer = await refusal(take(by));
        return answer === undefined ? true : undefined;
      });
      if (came === undefined) wrong.push(`${name} under the boundary: ${said(answer)}`);
      else times.push(`${name} after ${came.seconds} s`);
    }
    report.holds('boundary-condition', wrong.length === 0, [...wrong, ...times].join('; '));
  },
};
