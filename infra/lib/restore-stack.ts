import type { Construct } from 'constructs';
import type { MemberStackProps } from './member-stack.ts';
import { RolesStack } from './roles-stack.ts';
import { actsInMembers, grants } from './step-folder.ts';

/** The one role that grants, for accounts in which restores are applied. */
export class RestoreStack extends RolesStack {
  constructor(scope: Construct, id: string, { steps, ...props }: MemberStackProps) {
    super(scope, id, {
      ...props,
      steps: steps.filter(actsInMembers).filter(grants),
      description: 'Cordon: the role that gives contained principals back what they had',
      deny: 'RestoreDeny',
    });
  }
}
