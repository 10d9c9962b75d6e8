/**
 * Names that both stacks must agree on: a member role admits a function's role by its ARN, and a
 * function finds its member role by its name.
 */

/** The path of every role of ours, so that one ARN pattern names them all. */
export const ROLE_PATH = '/cordon/';

/** A role in the security account: a state's function runs as the one named after the state. */
export function securityRoleName(purpose: string): string {
  return `Cordon-${purpose}`;
}

/** The role in each member account that only that function may assume. */
export function memberRoleName(state: string): string {
  return `SecurityRemediation-${state}`;
}

/** The role in the security account by which people have restores planned and applied. */
export const RESTORER_ROLE = 'CordonRestorer';

/** The Deny that all roles of a member stack share which change something, in parts. */
export function denyPolicyName(deny: string, part: number): string {
  return `SecurityRemediation-${deny}-${part}`;
}

/** The parameter that holds the response policy. */
export const RESPONSE_POLICY = '/cordon/response-policy';

/** What STS session names and source identities of all functions begin with. */
export const SESSION_PREFIX = 'cordon-';
