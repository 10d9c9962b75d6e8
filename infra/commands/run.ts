import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Account } from './accounts.ts';
import { Failure } from './failure.ts';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The repository. */
export const TOP = at('');

/** How a program is run. */
interface Running {
  /** What people call it. */
  readonly name?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program to its end, before the eyes of who called. */
export async function run(
  program: string,
  args: readonly string[],
  { name = program, cwd = TOP, env = process.env }: Running = {},
): Promise<void> {
  const child = spawn(program, args, { cwd, env, stdio: 'inherit' });
  const status = await new Promise((resolve, reject) =>
    child.on('error', reject).on('exit', resolve),
  ).catch((error: Error) => {
    throw new Failure(`\`${name}\` can't be run: ${error.message}`);
  });
  if (status !== 0) throw new Failure(`\`${name}\` failed: it says above why`);
}

/**
 * Makes the templates of all stacks, in a folder that no other run has, whose configuration may be
 * another.
 */
export async function synthesize(
  config: string,
  context: Readonly<Record<string, string>>,
): Promise<string> {
  const assembly = ownFolder();
  const all = Object.entries({ config, ...context });
  const contexts = all.flatMap(([key, value]) => ['--context', `${key}=${value}`]);
  // Unstaged: what is deployed right away needs no copy.
  await cdk(['synth', '--quiet', '--no-staging', '--output', assembly, ...contexts]);
  return assembly;
}

/** A folder that goes with this process, after Ctrl-C too. */
function ownFolder(): string {
  mkdirSync(at('target'), { recursive: true });
  const folder = mkdtempSync(at('target/cdk.out-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const) {
    process.once(signal, () => process.exit(128 + number));
  }
  return folder;
}

/** Prepares an account for stacks with assets. */
export async function cdkBootstrap(account: Account): Promise<void> {
  const environment = `aws://${account.id}/${account.region}`;
  // Anywhere but in `infra/`, where it would synthesize the stacks first.
  await cdk(['bootstrap', environment], account, at('target'));
}

/** Runs CDK on the synthesized stacks, with an account's credentials. */
export async function cdkIn(
  account: Account,
  assembly: string,
  ...args: readonly string[]
): Promise<void> {
  await cdk([...args, '--app', assembly], account);
}

async function cdk(args: readonly string[], account?: Account, cwd = at('infra')): Promise<void> {
  const call = [at('infra/node_modules/aws-cdk/bin/cdk'), ...args, '--no-notices'];
  if (account?.profile !== undefined) call.push('--profile', account.profile);
  await run(process.execPath, call, { name: `cdk ${args[0]}`, cwd, env: environment(account) });
}

/** Keys in the environment must not stand for an account that has a profile. */
function environment(account?: Account): NodeJS.ProcessEnv {
  if (account === undefined) return process.env;
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, ...others } = process.env;
  const env = account.profile === undefined ? process.env : others;
  return { ...env, AWS_REGION: account.region };
}
