import { CfnStackSet, Lazy } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { Configuration } from './config.ts';
import type { RolesStack } from './roles-stack.ts';

export interface RolesStackSetProps {
  readonly configuration: Configuration;
  /** What each account gets. */
  readonly roles: RolesStack;
  readonly organizationalUnits: readonly string[];
  /** As whom CloudFormation is called: its administrator, or the administrator's delegate. */
  readonly callAs: string;
}

/** A stack of roles in every account of some OUs, those that join later included. */
export class RolesStackSet extends Construct {
  constructor(scope: Construct, id: string, props: RolesStackSetProps) {
    super(scope, id);
    const { configuration, roles, organizationalUnits, callAs } = props;
    const { region, securityAccount, profiles } = configuration;
    // The id keeps it out of the logical id: a StackSet has a name, so none is made beside its like.
    new CfnStackSet(this, 'Default', {
      stackSetName: roles.stackName,
      ...(roles.templateOptions.description !== undefined && {
        description: roles.templateOptions.description,
      }),
      permissionModel: 'SERVICE_MANAGED',
      callAs,
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
      templateBody: Lazy.string({ produce: () => JSON.stringify(roles.template) }),
    });
  }
}
