import type { Configuration } from '../../lib/config.ts';
import type { DeployedMachine } from '../machines.ts';
import type { Clients } from './clients.ts';
import type { Report } from './report.ts';

/** A part of the drill, and the claims that it settles. */
export interface Step {
  /** What it does. */
  readonly title: string;
  /** The ids of the claims in `tests/local-aws/README.md`. */
  readonly claims: readonly string[];
  /** What it can't do without: that findings can be imported, or also that Cordon acts on them. */
  readonly needs?: 'imports' | 'containment';
  /**
   * Makes what it needs below the drill's path or with its name, and reports on each of its
   * claims. It removes nothing: the clean-up does, whatever happens.
   */
  run(drill: Drill): Promise<void>;
}

/** What a step has. */
export interface Drill {
  readonly configuration: Configuration;
  readonly security: Clients;
  readonly member: Clients;
  /** The state machine that contains. */
  readonly machine: DeployedMachine;
  readonly report: Report;
  /** Whether to make what only a later drill can try. */
  readonly expiring: boolean;
}
