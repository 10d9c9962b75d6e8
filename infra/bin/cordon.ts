import { fileURLToPath } from 'node:url';
import { App } from 'aws-cdk-lib';
import { readConfiguration } from '../lib/config.ts';
import { MemberStack } from '../lib/member-stack.ts';
import { OrganizationStack } from '../lib/organization-stack.ts';
import { SecurityStack } from '../lib/security-stack.ts';
import { readProtection } from '../lib/shared-deny.ts';
import { discoverSteps } from '../lib/steps.ts';

const folder = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const app = new App();
const configuration = readConfiguration(app.node.tryGetContext('config'));
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
if (configuration.organizationalUnits.length > 0) {
  new OrganizationStack(app, 'CordonOrganization', { configuration, member });
}
