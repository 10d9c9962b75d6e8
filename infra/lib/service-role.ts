import { Stack } from 'aws-cdk-lib';
import { CfnRole } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { ROLE_PATH, securityRoleName } from './names.ts';

export interface ServiceRoleProps {
  /** What the role and its only policy are named after. */
  readonly purpose: string;
  readonly description: string;
  /** The service that takes it on, such as `lambda.amazonaws.com`. */
  readonly service: string;
  /** What the statement that trusts the service says, as its Sid. */
  readonly trust: string;
  /** The one resource for which the service may take it on; any of the account, where unset. */
  readonly sourceArn?: string;
  readonly policy: unknown;
}

/**
 * A role in the security account that a service takes on, for this account alone, with one policy.
 *
 * Of the low-level construct, because the others add statements of their own.
 */
export class ServiceRole extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: ServiceRoleProps) {
    super(scope, id);
    const { purpose, description, service, trust, sourceArn, policy } = props;
    // The id keeps it out of the logical id: roles have names, so none can be made beside its like.
    const role = new CfnRole(this, 'Default', {
      path: ROLE_PATH,
      roleName: securityRoleName(purpose),
      description,
      assumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [
          {
            Sid: trust,
            Effect: 'Allow',
            Principal: { Service: service },
            Action: 'sts:AssumeRole',
            Condition: {
              StringEquals: { 'aws:SourceAccount': Stack.of(this).account },
              ...(sourceArn !== undefined && { ArnEquals: { 'aws:SourceArn': sourceArn } }),
            },
          },
        ],
      },
      policies: [{ policyName: purpose, policyDocument: policy }],
    });
    this.arn = role.attrArn;
  }
}
