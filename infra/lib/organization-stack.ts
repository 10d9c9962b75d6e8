import { Aws, BootstraplessSynthesizer, CfnCondition, CfnStackSet, Fn, Lazy } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Configuration } from './config.ts';
import { CordonStack } from './cordon-stack.ts';
import type { MemberStack } from './member-stack.ts';

export interface OrganizationStackProps {
  readonly configuration: Configuration;
  readonly member: MemberStack;
  readonly organizationalUnits: readonly string[];
}

/**
 * The member roles in every account of some OUs, those that join later included, as a StackSet. It
 * is deployed in the management account, or in the security account where that one is a delegated
 * administrator of StackSets.
 */
export class OrganizationStack extends CordonStack {
  constructor(scope: Construct, id: string, props: OrganizationStackProps) {
    const { configuration, member, organizationalUnits } = props;
    const { region, securityAccount, profiles } = configuration;
    super(scope, id, configuration, {
      description: 'Cordon: the roles that contain principals, in each account of some OUs',
      // The template is in this one, which so needs no bucket, and no bootstrap.
      synthesizer: new BootstraplessSynthesizer(),
    });
    const delegated = new CfnCondition(this, 'Delegated', {
      expression: Fn.conditionEquals(Aws.ACCOUNT_ID, securityAccount),
    });
    new CfnStackSet(this, 'Members', {
      stackSetName: member.stackName,
      description: 'Cordon: the roles that contain principals in this account, one for each step',
      permissionModel: 'SERVICE_MANAGED',
      callAs: Fn.conditionIf(delegated.logicalId, 'DELEGATED_ADMIN', 'SELF').toString(),
      capabilities: ['CAPABILITY_NAMED_IAM'],
      // An account that leaves takes no door for us along, and one that comes back finds the
      // roles' names free.
      autoDeployment: { enabled: true, retainStacksOnAccountRemoval: false },
      managedExecution: { Active: true },
      // One account that refuses the roles keeps no other from them; what is wrong in many is
      // seen by the operation's failure.
      operationPreferences: {
        failureTolerancePercentage: 10,
        maxConcurrentPercentage: 25,
        concurrencyMode: 'SOFT_FAILURE_TOLERANCE',
      },
      stackInstancesGroup: [
        {
          deploymentTargets: {
            organizationalUnitIds: [...organizationalUnits],
            accountFilterType: 'DIFFERENCE',
            // These have a stack of their own, if any. No filter holds for accounts that join an
            // OU later (CloudFormation User Guide, "Enable or disable automatic deployments").
            accounts: [...new Set([securityAccount, ...Object.keys(profiles)])].sort(),
          },
          // IAM is global.
          regions: [region],
        },
      ],
      templateBody: Lazy.string({ produce: () => JSON.stringify(member.template) }),
    });
  }
}
