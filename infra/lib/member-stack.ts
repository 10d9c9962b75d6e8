import { BootstraplessSynthesizer, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Configuration } from './config.ts';
import { MemberRole } from './member-role.ts';
import { actsInMembers, type StepFolder } from './steps.ts';

export interface MemberStackProps {
  readonly configuration: Configuration;
  readonly steps: readonly StepFolder[];
}

/**
 * The roles that the steps assume in a member account: one for each, and nothing else.
 *
 * It names no account and no Region, has no assets and needs no bootstrap, so its template serves
 * as a StackSet for the whole organization as it is:
 * `npx cdk synth CordonMember -c config=<file> --quiet` leaves it in
 * `target/cdk.out/CordonMember.template.json`. Deploy the security stack first: IAM refuses a
 * trust policy that names a role which does not exist. IAM is global: one Region is enough.
 */
export class MemberStack extends Stack {
  constructor(scope: Construct, id: string, { configuration, steps }: MemberStackProps) {
    super(scope, id, {
      description: 'Cordon: the roles that contain principals in this account, one for each step',
      synthesizer: new BootstraplessSynthesizer(),
    });
    for (const step of steps.filter(actsInMembers)) {
      new MemberRole(this, step.state, { step, configuration });
    }
  }
}
