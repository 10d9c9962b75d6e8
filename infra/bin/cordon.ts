import { fileURLToPath } from 'node:url';
import { App } from 'aws-cdk-lib';
import { readConfiguration } from '../lib/config.ts';
import { MemberStack } from '../lib/member-stack.ts';
import { OrganizationStack } from '../lib/organization-stack.ts';
import { RestoreStack } from '../lib/restore-stack.ts';
import { sayMistakes, warn } from '../lib/say-mistakes.ts';
import { type Former, SecurityStack } from '../lib/security-stack.ts';
import { readProtection } from '../lib/shared-deny.ts';
import { discoverSteps } from '../lib/step-folder.ts';

const folder = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

sayMistakes(() => {
  const app = new App();
  const configuration = readConfiguration(app.node.tryGetContext('config'));
  warn(configuration);
  const former = app.node.tryGetContext('former') as string | undefined;
  const steps = discoverSteps(folder('functions'));

  if (app.node.tryGetContext('membersOnly') === undefined) {
    new SecurityStack(app, 'CordonSecurity', {
      configuration,
      steps,
      stateMachine: folder('statemachine'),
      ...(former !== undefined && { former: JSON.parse(former) as Former }),
    });
  }
  const roles = { configuration, steps, protection: readProtection(folder('functions')) };
  const member = new MemberStack(app, 'CordonMember', roles);
  const { organizationalUnits, restorers } = configuration;
  const restore = restorers && new RestoreStack(app, 'CordonRestore', roles);
  if (organizationalUnits !== undefined) {
    new OrganizationStack(app, 'CordonOrganization', {
      configuration,
      member,
      ...(restore && { restore }),
      organizationalUnits,
    });
  }
});
