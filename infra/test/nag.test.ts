import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { App } from 'aws-cdk-lib';
import { CfnTopic } from 'aws-cdk-lib/aws-sns';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { Configuration } from '../lib/config.ts';
import { CONFIGURATIONS, product, STEPS, WITH_ALL_OPTIONS } from './product.ts';

/** What cdk-nag finds, and is all right. */
interface Acknowledged {
  readonly rule: string;
  /** Paths of the constructs, in which `${State}` is a step's. */
  readonly at: readonly string[];
  readonly reason: string;
}

const ACKNOWLEDGED = JSON.parse(
  readFileSync(new URL('nag.json', import.meta.url), 'utf8'),
) as readonly Acknowledged[];

/** A finding, in which the names of its own step stand for those of any. */
function finding(rule: string, path: string): string {
  const step = STEPS.find(({ state }) => path.split('/')[1] === state);
  if (!path.startsWith('CordonSecurity/') || step === undefined) return `${rule} at ${path}`;
  const { name, state } = step;
  const anyStep = rule
    .replace(`cordon-${name}:`, 'cordon-${name}:')
    .replace(`SecurityRemediation-${state}]`, 'SecurityRemediation-${State}]');
  return anyStep === rule
    ? `${rule} at ${path}`
    : `${anyStep} at ${path.replace(`/${state}/`, '/${State}/')}`;
}

function findings(app: App, { region, securityAccount }: Configuration): string[] {
  app.synth(); // Aspects, such as the boundary's, work as it synthesizes.
  const { violations } = new AwsSolutionsChecks().validateScope(app);
  return violations.flatMap(({ ruleName, violatingResources }) => {
    const rule = ruleName
      .replace(`:${region}:${securityAccount}:`, ':${Region}:${Account}:')
      .replace(/<\w+\.Arn>/, '${Bucket}');
    return violatingResources.map(({ constructPath = '' }) => finding(rule, constructPath));
  });
}

describe('cdk-nag', () => {
  const found = new Set(
    [...CONFIGURATIONS, WITH_ALL_OPTIONS]
      .filter(({ partition }) => partition === 'aws')
      .flatMap((configuration) => findings(product(configuration).app, configuration)),
  );
  const acknowledged = new Set(
    ACKNOWLEDGED.flatMap(({ rule, at }) => at.map((path) => `${rule} at ${path}`)),
  );

  it('finds nothing but what is acknowledged, each with its reason', () => {
    assert.deepEqual([...found].filter((one) => !acknowledged.has(one)).sort(), []);
    for (const { rule, reason } of ACKNOWLEDGED) assert.ok(reason.length > 20, rule);
  });

  it('looks at every stack, that of the OUs too', () => {
    const { app, ...stacks } = product(WITH_ALL_OPTIONS);
    for (const stack of Object.values(stacks)) new CfnTopic(stack, 'Open');
    const open = findings(app, WITH_ALL_OPTIONS).filter((one) => one.endsWith('/Open'));
    for (const stack of ['CordonSecurity', 'CordonMember', 'CordonRestore', 'CordonOrganization']) {
      assert.ok(open.includes(`AwsSolutions-SNS3 at ${stack}/Open`), open.join('\n'));
    }
  });

  it('finds all that is acknowledged still', () => {
    assert.deepEqual([...acknowledged].filter((one) => !found.has(one)).sort(), []);
  });
});
