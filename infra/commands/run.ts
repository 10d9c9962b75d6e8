import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Account } from './accounts.ts';
import { Failure } from './failure.ts';

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The repository. */
export const TOP = at('');

/** Where the synthesized stacks are, as `cdk.json` says it. */
const ASSEMBLY = at('target/cdk.out');

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
  );
  if (status !== 0) throw new Failure(`\`${name}\` failed: it says above why`);
}

/** Makes the templates of all stacks. */
export async function synthesize(
  config: string,
  context: Readonly<Record<string, string>> = {},
): Promise<void> {
  const all = Object.entries({ config, ...context });
  // Unstaged: what is deployed right away needs no copy.
  await cdk([
    'synth',
    '--quiet',
    '--no-staging',
    ...all.flatMap(([k, v]) => ['--context', `${k}=${v}`]),
  ]);
}

/** Prepares an account for stacks with assets. */
export async function cdkBootstrap(account: Account): Promise<void> {
  const environment = `aws://${account.id}/${account.region}`;
  // Anywhere but in `infra/`, where it would synthesize the stacks first.
  await cdk(['bootstrap', environment], account, at('target'));
}

/** Runs CDK on the synthesized stacks, with an account's credentials. */
export async function cdkIn(account: Account, ...args: readonly string[]): Promise<void> {
  await cdk([...args, '--app', ASSEMBLY], account);
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
