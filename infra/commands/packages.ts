import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Configuration } from '../lib/config.ts';
import { run, TOP } from './run.ts';

const OURS = join(TOP, 'target', 'lambda');
const TOOLS = join(TOP, 'target', 'packaging');

/** Builds the production packages, unless the configuration names a folder of others. */
export async function buildPackages({ binaries, architecture }: Configuration): Promise<void> {
  if (binaries !== OURS) return;
  await run(join(TOP, 'tests', 'prerequisites'), []);
  if (!existsSync(TOOLS)) await run('python3', ['-m', 'venv', TOOLS]);
  const pinned = join(TOP, 'infra', 'packaging.txt');
  const install = ['install', '--quiet', '--disable-pip-version-check'];
  await run(join(TOOLS, 'bin', 'pip'), [...install, '--require-hashes', '--requirement', pinned]);
  const env = { ...process.env, PATH: `${join(TOOLS, 'bin')}:${process.env['PATH']}` };
  const which = ['--workspace', '--exclude', 'harness', '--exclude', 'wire'];
  const flags = ['--release', '--locked', ...which, `--${architecture.replace('_', '-')}`];
  await run('cargo', ['lambda', 'build', ...flags], { env });
}
