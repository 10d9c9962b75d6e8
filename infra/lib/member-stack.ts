import { BootstraplessSynthesizer } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Configuration } from './config.ts';
import { CordonStack } from './cordon-stack.ts';
import { MemberRole } from './member-role.ts';
import { changesSomething, type Protection, SharedDeny } from './shared-deny.ts';
import { actsInMembers, type StepFolder } from './step-folder.ts';

export interface MemberStackProps {
  readonly configuration: Configuration;
  readonly steps: readonly StepFolder[];
  readonly protection: Protection;
}

/**
 * The roles that the steps assume in a member account, one for each, and what none of them may do
 * that change something.
 *
 * It names no account and no Region, has no assets and needs no bootstrap, so its template serves
 * as a StackSet for the whole organization as it is:
 * `npx cdk synth CordonMember -c config=<file> --quiet` leaves it in
 * `target/cdk.out/CordonMember.template.json`. IAM is global: one Region is enough.
 */
export class MemberStack extends CordonStack {
  constructor(
    scope: Construct,
    id: string,
    { configuration, steps, protection }: MemberStackProps,
  ) {
    super(scope, id, configuration, {
      description: 'Cordon: the roles that contain principals in this account, one for each step',
      synthesizer: new BootstraplessSynthesizer(),
    });
    const principals = configuration.protectedPrincipals;
    const { arns } = new SharedDeny(this, 'Deny', { protection, principals });
    for (const step of steps.filter(actsInMembers)) {
      const managedPolicies = changesSomething(step) ? arns : [];
      new MemberRole(this, step.state, { step, configuration, managedPolicies });
    }
  }
}
