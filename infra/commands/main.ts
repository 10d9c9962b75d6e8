import { resolve } from 'node:path';
import { contained } from './contained.ts';
import { deploy, diff } from './deploy.ts';
import { destroy } from './destroy.ts';
import { drill } from './drill.ts';
import { Failure, isForPeople } from './failure.ts';
import { observeReport } from './observe-report.ts';
import { pending } from './pending.ts';
import { policy } from './policy.ts';
import { preflight } from './preflight.ts';
import { readiness } from './readiness.ts';
import { release } from './release.ts';
import { replay } from './replay.ts';
import { restore } from './restore.ts';
import { TOP } from './run.ts';

/**
 * `node --import tsx commands/main.ts COMMAND`, as the Makefile calls it. `CONFIG` in the environment,
 * where make puts it, names the configuration, from the repository on; `release` is of none.
 */
const COMMANDS = {
  contained,
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

const name = process.argv[2];
try {
  if (name === 'release') await release();
  else await ofConfiguration(name, process.env['CONFIG']);
} catch (error) {
  if (!isForPeople(error)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function ofConfiguration(name?: string, config?: string): Promise<void> {
  const command = Object.entries(COMMANDS).find(([known]) => known === name)?.[1];
  if (command === undefined) throw new Failure(`no command \`${name}\``);
  if (!config) throw new Failure('no configuration: name its file, as in `CONFIG=cordon.json`');
  await command(resolve(TOP, config), process.env);
}
