import { DeleteRolePolicyCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { memberRoleName } from '../../lib/names.ts';
import { isRefused, refusal, said } from './answers.ts';
import { whatIsNotContained } from './contain.ts';
import { ended, executionOf, redrive } from './executions.ts';
import { accuse } from './findings.ts';
import {
  harmlessUser,
  NAME,
  ours,
  policy,
  whyItCannotReadItself,
  withNewKey,
} from './principals.ts';
import type { Step } from './step.ts';

/** The step whose role is broken: without it there is no evidence, and nothing is taken away. */
const BROKEN = 'Preserve';

/** A role that is broken for the drill's own principals alone: real incidents go on. */
export const mendRole: Step = {
  title: `the role of ${BROKEN} is broken for users of the drill, mended, and the failed execution redriven`,
  claims: ['broken-role-fails-and-is-redriven', 'redriven-choice-sees-count'],
  needs: 'containment',
  async run(drill) {
    const { member, report } = drill;
    const role = { RoleName: memberRoleName(BROKEN), PolicyName: NAME };
    const deny = policy({ Effect: 'Deny', Action: 'iam:*', Resource: ours(drill) });
    const answer = await refusal(
      member.iam.send(new PutRolePolicyCommand({ ...role, PolicyDocument: deny })),
    );
    if (answer !== undefined) {
      // Most likely by the service control policy that keeps Cordon's roles.
      for (const claim of mendRole.claims) report.notTried(claim, said(answer));
      return;
    }
    const user = await harmlessUser(drill, 'broken');
    // Until the key works the deny will, too.
    const key = await withNewKey(drill, user);
    const finding = await accuse(drill, user);
    const arn = await executionOf(drill, finding);
    const failed = await ended(drill, arn);
    const denied = isRefused(await whyItCannotReadItself(key, user));
    await member.iam.send(new DeleteRolePolicyCommand(role));
    if (failed.status !== 'FAILED') {
      const why = `the execution is ${failed.status}: IAM did not know of the broken role yet`;
      for (const claim of mendRole.claims) report.notTried(claim, why);
      return;
    }
    await redrive(drill, arn);
    const again = await ended(drill, arn);
    const wrong = await whatIsNotContained(drill, user, again, finding);
    const all = denied ? wrong : ['its key worked while the role was broken', ...wrong];
    const how =
      all.length === 0 ? `failed, denied all the same, and contained by ${arn}` : all.join('; ');
    report.holds('broken-role-fails-and-is-redriven', all.length === 0, how);
    // The state in which it failed is a Choice, whose only rule reads the count.
    const { redriveCount, status } = again;
    report.holds(
      'redriven-choice-sees-count',
      status === 'SUCCEEDED',
      `redriven ${redriveCount} times, it is ${status}`,
    );
  },
};
