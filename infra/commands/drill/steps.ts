import { askAsRole } from './ask-as-role.ts';
import { askMachine } from './ask-machine.ts';
import { askIam } from './ask-iam.ts';
import { boundaryCondition } from './boundary-condition.ts';
import { contain } from './contain.ts';
import { eventPatterns } from './event-patterns.ts';
import { expiredKey } from './expired-key.ts';
import { foreignImport } from './foreign-import.ts';
import { mendRole } from './mend-role.ts';
import { resolvePaths } from './resolve-paths.ts';
import type { Step } from './step.ts';
import { stopAndRedrive } from './stop-and-redrive.ts';

/** In the order in which they are taken. */
export const STEPS: readonly Step[] = [
  eventPatterns,
  askIam,
  askAsRole,
  boundaryCondition,
  foreignImport,
  resolvePaths,
  expiredKey,
  contain,
  askMachine,
  mendRole,
  stopAndRedrive,
];
