/**
 * Until when this peer may count on the leader that it names (SPEC.md, R10), by its own clocks: by two of
 * them, as one that never falls may stand still while the device sleeps.
 */
import type { Clock } from './ports.ts';

export class Lease {
  readonly #clock: Clock;
  readonly #date: () => number;
  #end: { readonly at: number; readonly date: number } | null = null;

  /** @param date tells the milliseconds since 1970 */
  constructor(clock: Clock, date: () => number) {
    this.#clock = clock;
    this.#date = date;
  }

  /** In milliseconds since 1970; null where there is no leader. */
  get until(): number | null {
    return this.#end?.date ?? null;
  }

  /** Whether there is a leader, and neither clock is past the end. */
  get isValid(): boolean {
    return this.#end !== null && this.#clock.now() < this.#end.at && this.#date() < this.#end.date;
  }

  /** @param milliseconds from now on */
  renew(milliseconds: number): void {
    this.#end = { at: this.#clock.now() + milliseconds, date: this.#date() + milliseconds };
  }

  /** There is no leader any more. */
  end(): void {
    this.#end = null;
  }
}
