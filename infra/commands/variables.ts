import { Failure } from './failure.ts';

/** Whether a variable of make's that is 1 or not given is 1. */
export function isSet(name: string, variables: NodeJS.ProcessEnv): boolean {
  const value = variables[name] ?? '';
  if (!['', '1'].includes(value)) {
    throw new Failure(`\`${name}\` is \`${value}\`: write \`${name}=1\`, or leave it out`);
  }
  return value === '1';
}
