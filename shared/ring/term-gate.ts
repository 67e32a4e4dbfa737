/**
 * How far messages may lift a peer's term. Honest terms rise one by one; whoever lets them leap as
 * they like has used up the 32 bits there are in a minute.
 */
import type { Clock } from './ports.ts';
import { MAX_FIRST_TERM, MAX_TERM_LEAP, TERM_RATE } from './timing.ts';

export class TermGate {
  readonly #clock: Clock;
  /** What messages may lift the term by now (a token bucket), and when that was reckoned. */
  #allowance = MAX_TERM_LEAP;
  #allowedAt: number;
  #hasKnownLeader = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#allowedAt = clock.now();
  }

  /** From now on there is something to judge terms by. */
  decided(): void {
    this.#hasKnownLeader = true;
  }

  /**
   * Whether to let a message in.
   * @param own term of this peer
   * @param term of the message
   * @returns `leap` for one that no honest neighbour sends, `haste` for one that comes too soon
   */
  judge(own: number, term: number): 'fine' | 'leap' | 'haste' {
    // Who never knew a leader has to take the ring's term as it is.
    if (!this.#hasKnownLeader && term <= MAX_FIRST_TERM) return 'fine';
    const rise = term - own;
    if (rise <= 0) return 'fine';
    if (rise > MAX_TERM_LEAP) return 'leap';
    const now = this.#clock.now();
    const earned = ((now - this.#allowedAt) / 1_000) * TERM_RATE;
    this.#allowance = Math.min(this.#allowance + earned, MAX_TERM_LEAP);
    this.#allowedAt = now;
    if (rise > this.#allowance) return 'haste';
    this.#allowance -= rise;
    return 'fine';
  }
}
