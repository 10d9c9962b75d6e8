import { spawnSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Architecture, Configuration } from '../lib/config.ts';
import { Failure } from './failure.ts';
import { run, TOP } from './run.ts';

const OURS = join(TOP, 'target', 'lambda');

/** Where the pinned tools are that make packages. */
export const TOOLS = join(TOP, 'target', 'packaging');

/** Of the workspace, the functions, without what only tests use. */
export const FUNCTIONS_ONLY = ['--workspace', '--exclude', 'harness', '--exclude', 'wire'];

/** Builds the production packages, unless the configuration names a folder of others. */
export async function buildPackages({ binaries, architecture }: Configuration): Promise<void> {
  if (real(binaries) !== real(OURS)) return;
  await installTools();
  await buildFor(architecture, OURS);
}

/** The path without links, of what may not be there yet. */
export function real(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(real(dirname(path)), basename(path));
}

/** Puts the pinned tools in their place, which is made anew where its Python does not work. */
export async function installTools(): Promise<void> {
  await run(join(TOP, 'tests', 'prerequisites'), []);
  const python = join(TOOLS, 'bin', 'python3');
  const { status } = spawnSync(python, ['-m', 'pip', '--version'], { stdio: 'ignore' });
  if (status !== 0) await run('python3', ['-m', 'venv', '--clear', TOOLS]);
  const pinned = join(TOP, 'infra', 'packaging.txt');
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  await run(python, [...install, '--require-hashes', '--requirement', pinned], { name: 'pip' });
}

/** Puts `<function>/bootstrap` of each function into the folder. */
export async function buildFor(architecture: Architecture, folder: string): Promise<void> {
  const flags = ['--release', '--locked', ...FUNCTIONS_ONLY, `--${architecture.replace('_', '-')}`];
  const env = { ...toolsEnvironment(), ...anywhere() };
  await run('cargo', ['lambda', 'build', ...flags, '--lambda-dir', folder], { env });
}

export function toolsEnvironment(): NodeJS.ProcessEnv {
  return {
    ...withoutBuildSettings(process.env),
    PATH: `${join(TOOLS, 'bin')}:${process.env['PATH']}`,
  };
}

/**
 * What changes a package, whoever set it for another build: what Cargo is told, but for where crates
 * come from and what it prints; what rustc is, but for rustup's choice; compilers of C, archivers and
 * their flags, for whichever target; and what crates and tools take for their builds.
 */
const BUILD_SETTINGS = new RegExp(
  [
    'CARGO_(?!HOME$|HTTP_|NET_|REGISTR|SOURCE_|CREDENTIAL_|TERM_).*',
    'RUST(?!UP_).*',
    '((HOST|TARGET)_)?(C|CC|CPP|CXX|AR|AS|ASM|NM|RANLIB|STRIP|CMAKE)(FLAGS)?(_.*)?',
    'LD(FLAGS)?|CPATH|(AWS_LC|BINDGEN|CRATE_CC|ZIG)_.*|SOURCE_DATE_EPOCH',
  ]
    .map((names) => `^(${names})$`)
    .join('|'),
);

/** The environment without them: proxies, registries, CARGO_HOME and RUSTUP_* stay. */
export function withoutBuildSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !BUILD_SETTINGS.test(name)),
  );
}

/** Refuses what would put the names of this machine's folders into packages and SBOMs. */
export function refuseNamedPlaces(): void {
  const named = [TOP, cratesFolder()].filter((place) => !isPlain(place));
  if (named.length === 0) return;
  throw new Failure(
    `packages would be others than elsewhere, since a path has white space or a character that URLs escape: have the repository and CARGO_HOME in folders without: \`${named.join('`, `')}\``,
  );
}

/** Whether compilers' flags can have it, and it is the same in a URL. */
export function isPlain(path: string): boolean {
  return !/[\s%]/.test(path) && new URL(`file://${path}`).pathname === path;
}

/** Where crates are; an empty CARGO_HOME is none, for Cargo too. */
function cratesFolder(): string {
  return process.env['CARGO_HOME'] || join(process.env['HOME'] ?? '', '.cargo');
}

/** Has the same source become the same bytes, wherever it and its crates lie. */
function anywhere(): NodeJS.ProcessEnv {
  const all = [`${TOP.replace(/\/$/, '')}=/cordon`, `${cratesFolder()}=/cargo`];
  // Flags are split at spaces: a place that has one stays as it is.
  const places = all.filter((place) => !/\s/.test(place));
  return {
    RUSTFLAGS: places.map((place) => `--remap-path-prefix=${place}`).join(' '),
    CFLAGS: places.map((place) => `-ffile-prefix-map=${place}`).join(' '),
  };
}
