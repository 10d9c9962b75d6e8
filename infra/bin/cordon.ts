import { fileURLToPath } from 'node:url';
import { App } from 'aws-cdk-lib';
import { ConfigurationError, readConfiguration } from '../lib/config.ts';
import { doubts } from '../lib/config-rules.ts';
import { MemberStack } from '../lib/member-stack.ts';
import { OrganizationStack } from '../lib/organization-stack.ts';
import { line } from '../lib/schema.ts';
import { SecurityStack } from '../lib/security-stack.ts';
import { readProtection } from '../lib/shared-deny.ts';
import { discoverSteps } from '../lib/steps.ts';

const folder = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

try {
  const app = new App();
  const configuration = readConfiguration(app.node.tryGetContext('config'));
  for (const doubt of doubts(configuration)) console.error(`warning: ${line(doubt)}`);
  const steps = discoverSteps(folder('functions'));

  new SecurityStack(app, 'CordonSecurity', {
    configuration,
    steps,
    stateMachine: folder('statemachine'),
  });
  const member = new MemberStack(app, 'CordonMember', {
    configuration,
    steps,
    protection: readProtection(folder('functions')),
  });
  const { organizationalUnits } = configuration;
  if (organizationalUnits !== undefined) {
    new OrganizationStack(app, 'CordonOrganization', {
      configuration,
      member,
      organizationalUnits,
    });
  }
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  console.error(error.message);
  process.exit(1);
}
