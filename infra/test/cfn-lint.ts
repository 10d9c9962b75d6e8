import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { folder } from './fixture.ts';
import { CONFIGURATIONS, product, WITH_ALL_OPTIONS } from './product.ts';

/** Runs cfn-lint, from the project's virtual environment, on the templates for each partition. */
const templates = [...CONFIGURATIONS, WITH_ALL_OPTIONS].flatMap((configuration) => {
  const outdir = folder({});
  const { app, ...stacks } = product(configuration, outdir);
  app.synth();
  return Object.values(stacks).map(({ templateFile }) => join(outdir, templateFile));
});
const { status, error } = spawnSync(
  fileURLToPath(new URL('../../target/local/venv/bin/cfn-lint', import.meta.url)),
  ['--regions', ...CONFIGURATIONS.map(({ region }) => region), '--', ...templates],
  { stdio: 'inherit' },
);
if (error) throw error;
process.exitCode = status ?? 1;
