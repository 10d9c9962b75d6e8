import { fileURLToPath } from 'node:url';
import type { App } from 'aws-cdk-lib';
import type { Configuration } from '../lib/config.ts';
import { MemberStack } from '../lib/member-stack.ts';
import { OrganizationStack } from '../lib/organization-stack.ts';
import { RestoreStack } from '../lib/restore-stack.ts';
import { SecurityStack } from '../lib/security-stack.ts';
import { readProtection } from '../lib/shared-deny.ts';
import { discoverSteps } from '../lib/step-folder.ts';
import { app, binaries, configuration } from './fixture.ts';

const folder = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const STATE_MACHINE = folder('statemachine');
export const STEPS = discoverSteps(folder('functions'));
export const PROTECTION = readProtection(folder('functions'));

/**
 * A Region of each partition, with a configuration for it, in which restores are applied; and one
 * for the other Security Hub, without that.
 */
export const CONFIGURATIONS: readonly Configuration[] = [
  { region: 'us-east-1', partition: 'aws' },
  { region: 'cn-north-1', partition: 'aws-cn' },
  { region: 'us-gov-west-1', partition: 'aws-us-gov' },
  { region: 'us-east-1', partition: 'aws', findings: 'v2' },
].map(({ region, partition, findings = 'cspm' }) =>
  configuration({
    region,
    findings,
    binaries: binaries(STEPS.map(({ name }) => name)),
    protectedPrincipals: [`arn:${partition}:iam::*:role/break-glass`],
    profiles: { '999999999999': 'management', '444444444444': 'sandbox' },
    managementAccount: '999999999999',
    ...(findings === 'cspm' && {
      restorers: [`arn:${partition}:iam::111111111111:role/OnCall`],
      restoreGroups: partition === 'aws',
    }),
    operators: [
      `arn:${partition}:iam::*:user/operators/*`,
      `arn:${partition}:iam::999999999999:role/Ops`,
    ],
  }),
);

/** What no deployment needs, all of it. */
export const OPTIONAL = {
  evidenceLock: 'compliance',
  logRetentionDays: 30,
  tags: { 'cost centre': '4711', team: 'security' },
  permissionsBoundary: 'boundaries/Cordon',
  restorers: ['arn:aws:iam::111111111111:user/people/ann', 'arn:aws:iam::111111111111:role/OnCall'],
} as const;

export const WITH_ALL_OPTIONS = configuration({
  ...OPTIONAL,
  binaries: binaries(STEPS.map(({ name }) => name)),
});

/** The product as it is in this repository, but for the binaries. */
export function product(
  configuration: Configuration,
  outdir?: string,
): {
  app: App;
  security: SecurityStack;
  member: MemberStack;
  organization: OrganizationStack;
  /** Where restores are applied. */
  restore?: RestoreStack;
} {
  const scope = app(outdir);
  const roles = { configuration, steps: STEPS, protection: PROTECTION };
  const member = new MemberStack(scope, 'CordonMember', roles);
  const restore = configuration.restorers && {
    restore: new RestoreStack(scope, 'CordonRestore', roles),
  };
  return {
    app: scope,
    member,
    ...restore,
    organization: new OrganizationStack(scope, 'CordonOrganization', {
      configuration,
      member,
      ...restore,
      organizationalUnits: ['ou-ab12-11111111', 'ou-ab12-22222222', 'ou-ab12-33333333'],
    }),
    security: new SecurityStack(scope, 'CordonSecurity', {
      configuration,
      steps: STEPS,
      stateMachine: STATE_MACHINE,
    }),
  };
}
