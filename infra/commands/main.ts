import { ConfigurationError } from '../lib/config.ts';
import { deploy, diff } from './deploy.ts';
import { destroy } from './destroy.ts';
import { drill } from './drill.ts';
import { Failure } from './failure.ts';
import { observeReport } from './observe-report.ts';
import { pending } from './pending.ts';
import { policy } from './policy.ts';
import { preflight } from './preflight.ts';
import { readiness } from './readiness.ts';
import { release } from './release.ts';
import { replay } from './replay.ts';
import { restore } from './restore.ts';

/**
 * `node --import tsx commands/main.ts COMMAND CONFIG`, as the Makefile calls it; `release` is of no
 * configuration.
 */
const COMMANDS = {
  deploy,
  diff,
  destroy,
  drill,
  'observe-report': observeReport,
  pending,
  policy,
  preflight,
  readiness,
  replay,
  restore,
};

// Which Node.js is too old, package.json says.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';

const [name, config] = process.argv.slice(2);
try {
  if (name === 'release') await release();
  else await ofConfiguration(name, config);
} catch (error) {
  if (!(error instanceof Error) || !isForPeople(error)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function ofConfiguration(name?: string, config?: string): Promise<void> {
  const command = Object.entries(COMMANDS).find(([known]) => known === name)?.[1];
  if (command === undefined) throw new Failure(`no command \`${name}\``);
  if (!config) throw new Failure('no configuration: name its file, as in `CONFIG=cordon.json`');
  await command(config, process.env);
}

/** What says in words what is wrong, and needs no stack trace. */
function isForPeople(error: Error): boolean {
  const ours = error instanceof ConfigurationError || error instanceof Failure;
  // The exceptions of all clients have it.
  return ours || '$fault' in error;
}
