import { Fn } from 'aws-cdk-lib';
import { CfnRole } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import type { Configuration } from './config.ts';
import { securityRoleName, memberRoleName, ROLE_PATH, SESSION_PREFIX } from './names.ts';
import { forTemplate } from './policy-file.ts';
import type { MemberStepFolder } from './step-folder.ts';

export interface MemberRoleProps {
  readonly step: MemberStepFolder;
  readonly configuration: Configuration;
  /** ARNs of managed policies that it carries besides its own. */
  readonly managedPolicies: readonly string[];
}

/** What one step may do in a member account, open to that step's function alone. */
export class MemberRole extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { step, configuration, managedPolicies }: MemberRoleProps,
  ) {
    super(scope, id);
    // The account, and the role by a condition: as principal, the role would be kept by its unique
    // id, and once the security stack has made it anew nobody could enter here any more. It may
    // not exist yet either (IAM User Guide, "AWS JSON policy elements: Principal", "Role
    // principals").
    const caller = { AWS: configuration.securityAccount };
    const onlyThisFunction = {
      'aws:PrincipalArn': Fn.sub(
        `arn:\${AWS::Partition}:iam::${configuration.securityAccount}:role${ROLE_PATH}${securityRoleName(step.state)}`,
      ),
    };
    const sourceIdentity = { 'sts:SourceIdentity': `${SESSION_PREFIX}*` };
    new CfnRole(this, 'Role', {
      path: ROLE_PATH,
      roleName: memberRoleName(step.state),
      description: `Cordon: what the step ${step.state} may do in this account`,
      maxSessionDuration: 3600,
      // Two statements, so that naming the source identity, which opens nothing by itself, does not
      // hang on whether STS presents the external id for that permission too.
      assumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [
          {
            Sid: 'OnlyThisStepForOneIncident',
            Effect: 'Allow',
            Principal: caller,
            Action: 'sts:AssumeRole',
            Condition: {
              ArnEquals: onlyThisFunction,
              StringEquals: {
                'sts:ExternalId': configuration.externalId,
                'aws:PrincipalOrgID': configuration.organizationId,
              },
              StringLike: sourceIdentity,
            },
          },
          {
            Sid: 'NameTheIncident',
            Effect: 'Allow',
            Principal: caller,
            Action: 'sts:SetSourceIdentity',
            Condition: {
              ArnEquals: onlyThisFunction,
              StringEquals: { 'aws:PrincipalOrgID': configuration.organizationId },
              StringLike: sourceIdentity,
            },
          },
        ],
      },
      policies: [
        {
          policyName: step.state,
          policyDocument: forTemplate(step.memberPolicy, {}),
        },
        ...(configuration.restoreGroups && step.groupsPolicy !== undefined
          ? [{ policyName: 'Groups', policyDocument: forTemplate(step.groupsPolicy, {}) }]
          : []),
      ],
      ...(managedPolicies.length > 0 && { managedPolicyArns: [...managedPolicies] }),
    });
  }
}
