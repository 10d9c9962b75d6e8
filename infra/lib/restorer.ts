import { CfnRole } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { RESTORER_ROLE, ROLE_PATH } from './names.ts';

export interface RestorerProps {
  /** ARNs of who may take the role on. */
  readonly restorers: readonly string[];
  readonly policy: unknown;
}

/**
 * The role by which people have restores planned and applied, and nothing else.
 *
 * Its principals are those people themselves, whom IAM keeps by their unique ids: whoever is made
 * again under the name of one is not let in.
 */
export class Restorer extends Construct {
  constructor(scope: Construct, id: string, { restorers, policy }: RestorerProps) {
    super(scope, id);
    new CfnRole(this, 'Default', {
      path: ROLE_PATH,
      roleName: RESTORER_ROLE,
      description: 'Cordon: has restores planned and applied',
      maxSessionDuration: 3600,
      assumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [
          {
            Sid: 'OnlyTheRestorers',
            Effect: 'Allow',
            Principal: { AWS: [...restorers] },
            Action: 'sts:AssumeRole',
          },
        ],
      },
      policies: [{ policyName: 'Restorer', policyDocument: policy }],
    });
  }
}
