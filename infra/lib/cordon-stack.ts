import { PermissionsBoundary, Stack, type StackProps, Tags } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Configuration } from './config.ts';

/** What holds of each of our stacks: every resource has the tags, every role the boundary. */
export class CordonStack extends Stack {
  constructor(scope: Construct, id: string, configuration: Configuration, props: StackProps) {
    const { tags, permissionsBoundary } = configuration;
    super(scope, id, {
      ...props,
      ...(permissionsBoundary !== undefined && {
        permissionsBoundary: permissionsBoundary.startsWith('arn:')
          ? PermissionsBoundary.fromArn(permissionsBoundary)
          : PermissionsBoundary.fromName(permissionsBoundary),
      }),
    });
    for (const [name, value] of Object.entries(tags)) Tags.of(this).add(name, value);
  }
}
