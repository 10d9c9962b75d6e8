/**
 * Says what is wrong with a configuration before anything is built for it:
 * `node --import tsx bin/check.ts cordon.json`.
 */
import { readConfiguration } from '../lib/config.ts';
import { sayMistakes, warn } from '../lib/say-mistakes.ts';

sayMistakes(() => warn(readConfiguration(process.argv[2])));
