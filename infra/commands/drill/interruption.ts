import { Failure } from '../failure.ts';

/**
 * A signal that ends the drill: its next call is not made, so that the clean-up removes what
 * stands, and nothing comes after it.
 */
export class Interruption {
  #signal: NodeJS.Signals | undefined;

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      // A second one ends the process at once.
      process.once(signal, () => {
        this.#signal = signal;
        console.error(`${signal}: what the drill has made is removed …`);
      });
    }
  }

  /** Fails once there was a signal. */
  check(): void {
    if (this.#signal !== undefined) throw new Interrupted(`the drill was ended by ${this.#signal}`);
  }
}

export class Interrupted extends Failure {}
