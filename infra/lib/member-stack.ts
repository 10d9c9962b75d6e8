import type { Construct } from 'constructs';
import type { Configuration } from './config.ts';
import { RolesStack } from './roles-stack.ts';
import type { Protection } from './shared-deny.ts';
import { actsInMembers, grants, type StepFolder } from './step-folder.ts';

export interface MemberStackProps {
  readonly configuration: Configuration;
  readonly steps: readonly StepFolder[];
  readonly protection: Protection;
}

/** The roles that contain principals in a member account: none of them grants anything. */
export class MemberStack extends RolesStack {
  constructor(scope: Construct, id: string, { steps, ...props }: MemberStackProps) {
    super(scope, id, {
      ...props,
      steps: steps.filter(actsInMembers).filter((step) => !grants(step)),
      description: 'Cordon: the roles that contain principals in this account, one for each step',
      deny: 'Deny',
    });
  }
}
