import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONFIGURATIONS, product } from './product.ts';

/** Runs cfn-lint, from the project's virtual environment, on the templates for each partition. */
const cfnLint = fileURLToPath(new URL('../../target/local/venv/bin/cfn-lint', import.meta.url));
for (const configuration of CONFIGURATIONS) {
  const outdir = mkdtempSync(join(tmpdir(), 'cordon-cfn-lint-'));
  const { security, member } = (() => {
    const { app, security, member } = product(configuration, outdir);
    app.synth();
    return { security, member };
  })();
  const templates = [security, member].map(({ templateFile }) => join(outdir, templateFile));
  const { status, error } = spawnSync(
    cfnLint,
    ['--regions', configuration.region, '--', ...templates],
    { stdio: 'inherit' },
  );
  rmSync(outdir, { recursive: true });
  if (error) throw error;
  if (status !== 0) process.exitCode = 1;
}
