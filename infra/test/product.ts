import { fileURLToPath } from 'node:url';
import type { App } from 'aws-cdk-lib';
import type { Configuration } from '../lib/config.ts';
import { MemberStack } from '../lib/member-stack.ts';
import { SecurityStack } from '../lib/security-stack.ts';
import { readProtection } from '../lib/shared-deny.ts';
import { discoverSteps } from '../lib/step-folder.ts';
import { app, binaries, configuration } from './fixture.ts';

const folder = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const STATE_MACHINE = folder('statemachine');
export const STEPS = discoverSteps(folder('functions'));
export const PROTECTION = readProtection(folder('functions'));

/** A Region of each partition, with a configuration for it; and one for either Security Hub. */
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
  }),
);

/** What no deployment needs, all of it. */
export const OPTIONAL = {
  evidenceLock: 'compliance',
  logRetentionDays: 30,
  tags: { 'cost centre': '4711', team: 'security' },
  permissionsBoundary: 'boundaries/Cordon',
} as const;

export const WITH_ALL_OPTIONS = configuration({
  ...OPTIONAL,
  binaries: binaries(STEPS.map(({ name }) => name)),
});

/** The product as it is in this repository, but for the binaries. */
export function product(
  configuration: Configuration,
  outdir?: string,
): { app: App; security: SecurityStack; member: MemberStack } {
  const scope = app(outdir);
  return {
    app: scope,
    security: new SecurityStack(scope, 'CordonSecurity', {
      configuration,
      steps: STEPS,
      stateMachine: STATE_MACHINE,
    }),
    member: new MemberStack(scope, 'CordonMember', {
      configuration,
      steps: STEPS,
      protection: PROTECTION,
    }),
  };
}
