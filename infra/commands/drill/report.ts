/** What became of a claim. */
type Outcome = 'held' | 'did not hold' | 'not tried';

/** A line of the report. */
interface Line {
  readonly claim: string;
  readonly outcome: Outcome;
  readonly why: string;
}

/** A line for each claim, printed as soon as it is known. */
export class Report {
  readonly #lines = new Map<string, Line>();
  readonly #claims: ReadonlySet<string>;

  constructor(claims: Iterable<string>) {
    this.#claims = new Set(claims);
  }

  /** AWS does what is claimed. */
  held(claim: string, how = ''): void {
    this.#add({ claim, outcome: 'held', why: how });
  }

  /** AWS does something else: what it said. */
  refuted(claim: string, said: string): void {
    this.#add({ claim, outcome: 'did not hold', why: said });
  }

  /** Held, if so. */
  holds(claim: string, so: boolean, said: string): void {
    if (so) this.held(claim, said);
    else this.refuted(claim, said);
  }

  notTried(claim: string, why: string): void {
    this.#add({ claim, outcome: 'not tried', why });
  }

  knows(claim: string): boolean {
    return this.#lines.has(claim);
  }

  get lines(): readonly Line[] {
    return [...this.#lines.values()];
  }

  /** How many claims ended so. */
  count(outcome: Outcome): number {
    return this.lines.filter((line) => line.outcome === outcome).length;
  }

  #add(line: Line): void {
    if (!this.#claims.has(line.claim)) throw new Error(`no claim \`${line.claim}\``);
    this.#lines.set(line.claim, line);
    console.log(`  ${line.claim}: ${line.outcome}${line.why === '' ? '' : `: ${line.why}`}`);
  }
}
