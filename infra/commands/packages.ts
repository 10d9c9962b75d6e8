import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Architecture, Configuration } from '../lib/config.ts';
import { run, TOP } from './run.ts';

const OURS = join(TOP, 'target', 'lambda');

/** Where the pinned tools are that make packages. */
export const TOOLS = join(TOP, 'target', 'packaging');

/** Of the workspace, the functions, without what only tests use. */
export const FUNCTIONS_ONLY = ['--workspace', '--exclude', 'harness', '--exclude', 'wire'];

/** Builds the production packages, unless the configuration names a folder of others. */
export async function buildPackages({ binaries, architecture }: Configuration): Promise<void> {
  if (binaries !== OURS) return;
  await installTools();
  await buildFor(architecture, OURS);
}

export async function installTools(): Promise<void> {
  await run(join(TOP, 'tests', 'prerequisites'), []);
  if (!existsSync(TOOLS)) await run('python3', ['-m', 'venv', TOOLS]);
  const pinned = join(TOP, 'infra', 'packaging.txt');
  const install = ['install', '--quiet', '--disable-pip-version-check'];
  await run(join(TOOLS, 'bin', 'pip'), [...install, '--require-hashes', '--requirement', pinned]);
}

/** Puts `<function>/bootstrap` of each function into the folder. */
export async function buildFor(architecture: Architecture, folder: string): Promise<void> {
  const flags = ['--release', '--locked', ...FUNCTIONS_ONLY, `--${architecture.replace('_', '-')}`];
  const env = { ...toolsEnvironment(), ...anywhere() };
  await run('cargo', ['lambda', 'build', ...flags, '--lambda-dir', folder], { env });
}

export function toolsEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${join(TOOLS, 'bin')}:${process.env['PATH']}` };
}

/** Has the same source become the same bytes, wherever it and its crates lie. */
function anywhere(): NodeJS.ProcessEnv {
  const crates = process.env['CARGO_HOME'] ?? join(process.env['HOME'] ?? '', '.cargo');
  const all = [`${TOP.replace(/\/$/, '')}=/cordon`, `${crates}=/cargo`];
  // Flags are split at spaces: a place that has one stays as it is.
  const places = all.filter((place) => !/\s/.test(place));
  return {
    RUSTFLAGS: places.map((place) => `--remap-path-prefix=${place}`).join(' '),
    CFLAGS: places.map((place) => `-ffile-prefix-map=${place}`).join(' '),
  };
}
