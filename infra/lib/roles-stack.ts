import { BootstraplessSynthesizer } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Configuration } from './config.ts';
import { CordonStack } from './cordon-stack.ts';
import { MemberRole } from './member-role.ts';
import { changesSomething, protectedArns, type Protection, SharedDeny } from './shared-deny.ts';
import type { MemberStepFolder } from './step-folder.ts';

export interface RolesStackProps {
  readonly configuration: Configuration;
  readonly steps: readonly MemberStepFolder[];
  readonly protection: Protection;
  readonly description: string;
  /** What its shared Deny is named after. */
  readonly deny: string;
}

/**
 * Roles that steps assume in a member account, one for each, and what none of them may do that
 * change something.
 *
 * It is for any account, has no assets and needs no bootstrap, so its template serves as it is:
 * as a stack of one account's own, and as a StackSet (`OrganizationStack`). IAM is global: one
 * Region is enough.
 */
export class RolesStack extends CordonStack {
  constructor(scope: Construct, id: string, props: RolesStackProps) {
    const { configuration, steps, protection, description, deny } = props;
    super(scope, id, configuration, { description, synthesizer: new BootstraplessSynthesizer() });
    const { arns } = new SharedDeny(this, 'Deny', {
      name: deny,
      policy: protection.policy,
      arns: protectedArns(protection, configuration),
    });
    for (const step of steps) {
      const managedPolicies = changesSomething(step) ? arns : [];
      new MemberRole(this, step.state, { step, configuration, managedPolicies });
    }
  }

  /** Its template, once all else of the app is there: what only synthesis adds is in it. */
  get template(): object {
    return this.resolve(this._toCloudFormation()) as object;
  }
}
