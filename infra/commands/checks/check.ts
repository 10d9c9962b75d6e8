import { inALine } from '../failure.ts';

/** What a check has found, and what to do about it. */
export interface Finding {
  /** `unknown` is what these credentials do not let anybody see, or what had no answer. */
  readonly verdict: 'ok' | 'warning' | 'wrong' | 'unknown';
  readonly what: string;
  readonly remedy?: string;
  /** Whether nothing was found out that others may know: the next run may. */
  readonly unanswered?: true;
}

/** A question that somebody's credentials answer. */
export interface Check {
  readonly about: string;
  readonly ask: () => Promise<readonly Finding[]>;
}

export function ok(what: string): Finding {
  return { verdict: 'ok', what };
}

/** What Cordon works without, though not as it might be meant. */
export function warning(what: string, remedy: string): Finding {
  return { verdict: 'warning', what, remedy };
}

/** What keeps Cordon from working. */
export function wrong(what: string, remedy: string): Finding {
  return { verdict: 'wrong', what, remedy };
}

export function unknown(what: string, remedy: string): Finding {
  return { verdict: 'unknown', what, remedy };
}

/** In one line. */
export function line({ verdict, what, remedy }: Finding): string {
  return `${verdict.padEnd(8)} ${what}${remedy === undefined ? '' : `: ${remedy}`}`;
}

/** What it finds; where AWS refuses to say, or says nothing, that. */
export async function answer({ about, ask }: Check): Promise<readonly Finding[]> {
  try {
    return await ask();
  } catch (error) {
    const why = inALine(error);
    if (isRefusal(error)) {
      return [unknown(`${about} is not known, since AWS refuses to say: ${why}`, 'ask who may')];
    }
    const remedy = 'mend that, then run this again';
    return [{ ...unknown(`${about} is not known: ${why}`, remedy), unanswered: true }];
  }
}

/** Whether a preflight that finds it fails. */
export function isFailure({ verdict, unanswered }: Finding): boolean {
  return verdict === 'wrong' || unanswered === true;
}

/** Of any service: each has a name of its own for it. */
export function isRefusal(error: unknown): boolean {
  const { name } = error as Error;
  return /^(AccessDenied|AuthorizationError|NotAuthorized|Unauthorized)/.test(name);
}

/** What is asked for; nothing, where the service says by one of these errors that there is none. */
export async function unless<T>(
  errors: readonly string[],
  asked: Promise<T>,
): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (errors.includes((error as Error).name)) return undefined;
    throw error;
  }
}
