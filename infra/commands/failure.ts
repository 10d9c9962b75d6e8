import { ConfigurationError } from '../lib/config.ts';

/** Why a command can't be done: a line for each reason, which says what to do. */
export class Failure extends Error {
  override readonly name = 'Failure';
}

/** Whether it says in words what is wrong, and needs no stack trace. */
export function isForPeople(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const ours = error instanceof ConfigurationError || error instanceof Failure;
  // Credentials that expire while a command runs.
  const credentials = ['CredentialsProviderError', 'TokenProviderError'].includes(error.name);
  // The exceptions of all clients have it.
  return ours || credentials || '$fault' in error;
}

/** What an error says, in a line; of one without words, what it is called. */
export function inALine(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { name, message } = error;
  return (message || ('code' in error ? `${name} ${String(error.code)}` : name)).replace(
    /\s+/g,
    ' ',
  );
}
