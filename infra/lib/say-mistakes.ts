import { ConfigurationError } from './config.ts';
import { doubts } from './config-rules.ts';
import { line } from './schema.ts';

/** Runs a command, and says what is wrong with its configuration without a stack trace. */
export function sayMistakes(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

/** Warns of what may not be meant in a configuration, or in one field of it. */
export function warn(configuration: unknown, field = ''): void {
  const doubted = doubts(configuration).filter(({ at }) => at.startsWith(field));
  for (const doubt of doubted) console.error(`warning: ${line(doubt)}`);
}
