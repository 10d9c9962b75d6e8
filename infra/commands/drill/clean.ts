import { Failure } from '../failure.ts';
import { executionsLeft } from './left-executions.ts';
import { brokenRoles, machinesLeft, rolesLeft, rulesLeft, usersLeft } from './left-resources.ts';
import { findingsLeft } from './left-findings.ts';
import type { Drill } from './step.ts';

/** What a drill has made and not removed. */
export interface Leftover {
  readonly what: string;
  remove(): Promise<unknown>;
}

/** Which of what was left on purpose for a later drill is removed. */
export type ForLater = 'kept' | 'removed once it has expired' | 'removed';

/**
 * Removes whatever drills have left, this one or an earlier one that was killed: what is below the
 * drill's path or has its name or generator, as the accounts list it. One that can't be removed
 * stops no other.
 */
export async function clean(drill: Drill, forLater: ForLater): Promise<number> {
  // The roles first, since real incidents go through them; users last, when nothing is about them.
  const kinds = [
    brokenRoles(drill),
    rulesLeft(drill),
    findingsLeft(drill),
    executionsLeft(drill),
    machinesLeft(drill.security),
    usersLeft(drill, forLater),
    rolesLeft(drill.member),
    rolesLeft(drill.security),
  ];
  let removed = 0;
  const mistakes: string[] = [];
  for (const kind of kinds) {
    try {
      for await (const { what, remove } of kind) {
        try {
          await remove();
          removed += 1;
        } catch (error) {
          mistakes.push(`${what}: ${(error as Error).message}`);
        }
      }
    } catch (error) {
      mistakes.push((error as Error).message);
    }
  }
  if (mistakes.length > 0) {
    throw new Failure(
      ['not all of the drill could be removed; `CLEAN=1` tries again:', ...mistakes].join('\n'),
    );
  }
  return removed;
}
