/** All of a function's environment variables together (Lambda Developer Guide, "Lambda quotas"). */
const MOST_BYTES = 4_096;

/** The names of all of them, and the values but for the external id and the lists. */
const OTHERS = 500;

/** Whom no step touches by configuration, as ARN patterns. */
export interface ToldPrincipals {
  readonly operators: readonly string[];
  readonly protectedPrincipals: readonly string[];
}

/**
 * Those of them of whom the steps that identify a principal are told, the operators first: as many
 * as fit. The roles' policies deny all of them; who is past these ends as a step that was refused.
 */
export function toldPrincipals(all: ToldPrincipals, externalId: string): ToldPrincipals {
  let room = MOST_BYTES - OTHERS - externalId.length;
  const fits = (pattern: string): boolean => {
    room -= Buffer.byteLength(`${JSON.stringify(pattern)},`);
    return room >= 0;
  };
  const operators = all.operators.filter(fits);
  return { operators, protectedPrincipals: all.protectedPrincipals.filter(fits) };
}
