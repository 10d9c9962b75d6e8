/** Why a command can't be done: a line for each reason, which says what to do. */
export class Failure extends Error {
  override readonly name = 'Failure';
}
