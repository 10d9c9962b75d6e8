import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Architecture } from '../lib/config.ts';
import { Failure } from './failure.ts';
import {
  buildFor,
  FUNCTIONS_ONLY,
  installTools,
  refuseNamedPlaces,
  TOOLS,
  toolsEnvironment,
} from './packages.ts';
import { run, TOP } from './run.ts';
import { onlyBuilt, type Sbom } from './sbom.ts';
import { zipped } from './zipped.ts';

/** What makes the SBOM of a crate from Cargo's own knowledge of it (OWASP CycloneDX). */
const CYCLONEDX = '0.5.9';

const TARGETS: Readonly<Record<Architecture, string>> = {
  arm64: 'aarch64-unknown-linux-gnu',
  x86_64: 'x86_64-unknown-linux-gnu',
};

const FUNCTIONS = join(TOP, 'functions');

/** A file of the release, and what is told of it. */
interface Package {
  readonly architecture: Architecture;
  readonly name: string;
  /** Bytes of the package, and of the binary in it. */
  readonly zip: number;
  readonly binary: number;
}

/**
 * Makes the packages of all functions for both architectures, in a folder of the version's: the same
 * bytes from the same commit and toolchain, whoever makes them and wherever. Beside each is its SBOM;
 * `SHA256SUMS` has all of them, `built-with.txt` the commit and the toolchain.
 */
export async function release(): Promise<void> {
  refuseNamedPlaces();
  const commit = committed();
  await installTools();
  const cyclonedx = ['cargo-cyclonedx', '--version', `=${CYCLONEDX}`, '--locked'];
  const env = toolsEnvironment();
  await run('cargo', ['install', '--quiet', ...cyclonedx, '--root', TOOLS], { env });
  const folder = join(TOP, 'target', 'release-packages', `cordon-${version()}`);
  rmSync(folder, { recursive: true, force: true });
  const packages: Package[] = [];
  for (const architecture of Object.keys(TARGETS) as Architecture[]) {
    packages.push(...(await packagesFor(architecture, join(folder, architecture))));
    await sbomsFor(architecture, join(folder, architecture));
  }
  const versions = (
    [
      ['rustc', '-vV'],
      ['cargo', '-V'],
    ] as const
  ).map(([program, flag]) =>
    execFileSync(program, [flag], { cwd: TOP, env, encoding: 'utf8' }).trim(),
  );
  const pinned = readFileSync(join(TOP, 'infra', 'packaging.txt'), 'utf8').match(/^\S+==\S+/gm);
  writeFileSync(
    join(folder, 'built-with.txt'),
    [`commit ${commit}`, ...versions, ...(pinned ?? []), ''].join('\n'),
  );
  writeFileSync(join(folder, 'SHA256SUMS'), sums(folder));
  for (const { architecture, name, zip, binary } of packages) {
    console.log(`${architecture.padEnd(7)} ${name.padEnd(20)} ${mib(zip)} zipped, ${mib(binary)}`);
  }
  console.log(folder);
}

/** The commit, which has to hold all that a package is made of. */
function committed(): string {
  const git = (...args: readonly string[]) =>
    execFileSync('git', ['-C', TOP, ...args], { encoding: 'utf8' }).trim();
  // Whatever git is set to show.
  if (git('status', '--porcelain', '--untracked-files=normal') !== '') {
    throw new Failure('a release is made of a commit: commit or put away what is changed');
  }
  return git('rev-parse', 'HEAD');
}

function version(): string {
  const manifest = readFileSync(join(TOP, 'Cargo.toml'), 'utf8');
  const found = /^version = "(.*)"$/m.exec(manifest)?.[1];
  if (found === undefined) throw new Failure('`Cargo.toml` has no version');
  return found;
}

async function packagesFor(architecture: Architecture, folder: string): Promise<Package[]> {
  const binaries = join(TOP, 'target', 'release-binaries', architecture);
  rmSync(binaries, { recursive: true, force: true });
  await buildFor(architecture, binaries);
  mkdirSync(folder, { recursive: true });
  return readdirSync(binaries)
    .sort()
    .map((name) => {
      const binary = readFileSync(join(binaries, name, 'bootstrap'));
      const zip = zipped(binary);
      writeFileSync(join(folder, `${name}.zip`), zip);
      return { architecture, name, zip: zip.length, binary: binary.length };
    });
}

/** The tool writes each beside its crate's manifest, from where they are taken. */
async function sbomsFor(architecture: Architecture, folder: string): Promise<void> {
  const file = 'release.cdx';
  const form = ['--format', 'json', '--spec-version', '1.5', '--quiet'];
  const what = ['--target', TARGETS[architecture], '--override-filename', file];
  // With it, neither a serial number nor the time is in them.
  const env = { ...toolsEnvironment(), SOURCE_DATE_EPOCH: '0' };
  const crates = readdirSync(FUNCTIONS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join('functions', name));
  const sbomOf = (crate: string) => join(TOP, crate, `${file}.json`);
  const edges = ['--edges', 'normal,build', '--target', TARGETS[architecture]];
  const tree = execFileSync(
    'cargo',
    ['tree', '--locked', ...FUNCTIONS_ONLY, ...edges, '--prefix', 'none', '--format', '{p}'],
    { cwd: TOP, env, encoding: 'utf8' },
  );
  try {
    await run('cargo', ['cyclonedx', ...form, ...what], { env });
    for (const crate of crates) {
      const name = basename(crate);
      if (!existsSync(join(folder, `${name}.zip`))) continue;
      const text = readFileSync(sbomOf(crate), 'utf8').replaceAll(TOP, '/cordon/');
      const sbom = onlyBuilt(JSON.parse(text) as Sbom, tree);
      writeFileSync(join(folder, `${name}.cdx.json`), `${JSON.stringify(sbom, null, 2)}\n`);
    }
  } finally {
    for (const crate of ['tests', 'tests/wire', ...crates]) rmSync(sbomOf(crate), { force: true });
  }
}

/** As `sha256sum --check` reads them. */
function sums(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
  const sum = (file: string) =>
    createHash('sha256')
      .update(readFileSync(join(folder, file)))
      .digest('hex');
  return files.map((file) => `${sum(file)}  ${file}\n`).join('');
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1).padStart(5)} MiB`;
}
