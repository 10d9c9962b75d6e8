import { Aws, BootstraplessSynthesizer, CfnCondition, Fn } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Configuration } from './config.ts';
import { CordonStack } from './cordon-stack.ts';
import type { MemberStack } from './member-stack.ts';
import type { RestoreStack } from './restore-stack.ts';
import { RolesStackSet } from './roles-stack-set.ts';

export interface OrganizationStackProps {
  readonly configuration: Configuration;
  readonly member: MemberStack;
  /** Where restores are applied. */
  readonly restore?: RestoreStack;
  readonly organizationalUnits: readonly string[];
}

/**
 * The member roles in every account of some OUs, as StackSets. It is deployed in the management
 * account, or in the security account where that one is a delegated administrator of StackSets.
 */
export class OrganizationStack extends CordonStack {
  constructor(scope: Construct, id: string, props: OrganizationStackProps) {
    const { configuration, member, restore, organizationalUnits } = props;
    super(scope, id, configuration, {
      description: 'Cordon: the roles that contain principals, in each account of some OUs',
      // The templates are in this one, which so needs no bucket, and no bootstrap.
      synthesizer: new BootstraplessSynthesizer(),
    });
    const delegated = new CfnCondition(this, 'Delegated', {
      expression: Fn.conditionEquals(Aws.ACCOUNT_ID, configuration.securityAccount),
    });
    const callAs = Fn.conditionIf(delegated.logicalId, 'DELEGATED_ADMIN', 'SELF').toString();
    const common = { configuration, organizationalUnits, callAs };
    new RolesStackSet(this, 'Members', { ...common, roles: member });
    if (restore !== undefined) new RolesStackSet(this, 'Restore', { ...common, roles: restore });
  }
}
