import type { Account } from './accounts.ts';
import { Failure, inALine } from './failure.ts';
import { MEMBER_STACK, RESTORE_STACK } from './stacks.ts';

/** A stack in an account that has it, or is to have it. */
export interface Turn {
  readonly account: Account;
  readonly stack: string;
}

/** The role that grants comes only where the roles stand that contain. All else needs no other stack. */
const NEEDS: Readonly<Record<string, string>> = { [RESTORE_STACK]: MEMBER_STACK };

/**
 * Has each stack take its turn. Why one fails is told, whatever the reason, and keeps no other from
 * its turn but what needs it in that account. Returns those that failed, or were kept from it.
 */
export async function eachInTurn(
  turns: readonly Turn[],
  take: (turn: Turn) => Promise<void>,
): Promise<readonly Turn[]> {
  const failed: Turn[] = [];
  for (const turn of turns) {
    const needed = failed.find(
      ({ account, stack }) => account.id === turn.account.id && stack === NEEDS[turn.stack],
    );
    try {
      if (needed)
        throw new Failure(`${called(turn)} is left as it is, since ${needed.stack} failed`);
      await take(turn);
    } catch (error) {
      console.error(
        error instanceof Failure ? error.message : `${called(turn)}: ${inALine(error)}`,
      );
      failed.push(turn);
    }
  }
  return failed;
}

export function called({ account, stack }: Turn): string {
  return `${stack} in ${account.id}`;
}
