import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Installs what package-lock.json pins, unless it is there. */
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const stamp = at('node_modules/package-lock.sha256');
const wanted = createHash('sha256')
  .update(readFileSync(at('package-lock.json')))
  .digest('hex');

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  const quietly = ['ci', '--no-audit', '--no-fund', '--fetch-retries=1', '--loglevel=error'];
  const { status } = spawnSync('npm', quietly, { cwd: at('.'), stdio: 'inherit' });
  if (status !== 0) process.exit(1);
  writeFileSync(stamp, wanted);
}
