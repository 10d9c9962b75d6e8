import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { App, type Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { type Configuration, parseConfiguration } from '../lib/config.ts';

/** A temporary folder with these files, gone when the process ends. */
export function folder(files: Readonly<Record<string, unknown>>): string {
  const root = mkdtempSync(join(tmpdir(), 'cordon-infra-'));
  process.on('exit', () => rmSync(root, { recursive: true }));
  for (const [path, content] of Object.entries(files)) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  }
  return root;
}

export const CONFIGURATION = {
  securityAccount: '111111111111',
  region: 'eu-west-1',
  organizationId: 'o-a1b2c3d4e5',
  externalId: 'cordon-f00d-f00d-f00d',
  binaries: '/nowhere',
  responders: [
    {
      protocol: 'email',
      endpoint: 'oncall@cordon.test',
      filterPolicy: { severity: ['CRITICAL'] },
    },
  ],
  operations: [{ protocol: 'https', endpoint: 'https://cordon.test/hook' }],
  protectedPrincipals: ['arn:aws:iam::*:role/break-glass', 'arn:aws:iam::*:user/break-glass'],
  evidenceRetentionDays: 400,
  responsePolicy: { mode: 'contain' },
  customAction: 'Isolate',
};

export function configuration(changes: Readonly<Record<string, unknown>> = {}): Configuration {
  return parseConfiguration({ ...CONFIGURATION, ...changes }, '/');
}

/** A folder with a binary for each of the functions; what it holds matters to nobody here. */
export function binaries(functions: readonly string[]): string {
  return folder(
    Object.fromEntries(functions.map((name) => [`${name}/bootstrap`, `the binary of ${name}`])),
  );
}

/** An app that synthesizes as the real one does. */
export function app(outdir?: string): App {
  const { context } = JSON.parse(readFileSync(new URL('../cdk.json', import.meta.url), 'utf8')) as {
    context: Record<string, unknown>;
  };
  return new App({
    context,
    analyticsReporting: false,
    ...(outdir !== undefined && { outdir }),
  });
}

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly [attribute: string]: unknown;
}

/** A synthesized template, looked at as data. */
export class Synthesized {
  readonly resources: Readonly<Record<string, Resource>>;
  readonly json: Readonly<Record<string, unknown>>;

  constructor(stack: Stack) {
    this.json = Template.fromStack(stack).toJSON();
    this.resources = this.json['Resources'] as Record<string, Resource>;
  }

  ids(type: string): string[] {
    return Object.keys(this.resources).filter((id) => this.resources[id]?.Type === type);
  }

  all(type: string): Resource[] {
    return Object.values(this.resources).filter((resource) => resource.Type === type);
  }

  /** The one resource of this type whose properties include these, and its logical id. */
  one(type: string, properties: Readonly<Record<string, unknown>> = {}): Resource & { id: string } {
    const found = this.ids(type).filter((id) =>
      Object.entries(properties).every(
        ([key, value]) =>
          JSON.stringify(this.resources[id]?.Properties[key]) === JSON.stringify(value),
      ),
    );
    const [id] = found;
    const resource = id === undefined ? undefined : this.resources[id];
    if (id === undefined || resource === undefined || found.length > 1) {
      throw new Error(`${found.length} resources are ${type} ${JSON.stringify(properties)}`);
    }
    return { id, ...resource };
  }

  /** How many resources there are of each type. */
  census(): Record<string, number> {
    const census: Record<string, number> = {};
    for (const { Type } of Object.values(this.resources)) census[Type] = (census[Type] ?? 0) + 1;
    return census;
  }
}

export const arnOf = (id: string): unknown => ({ 'Fn::GetAtt': [id, 'Arn'] });
export const ref = (id: string): unknown => ({ Ref: id });
