/**
 * How far messages may lift a peer's term. Honest terms rise one by one; whoever lets them leap as
 * they like has used up the 32 bits there are in a minute.
 */
import { Allowance } from './allowance.ts';
import type { Clock } from './ports.ts';
import { MAX_FIRST_TERM, MAX_TERM_LEAP, TERM_RATE } from './timing.ts';

export class TermGate {
  /** What messages may lift the term by. */
  readonly #allowance: Allowance;
  /** How far the term might be by now, had messages not come that were too far above it. */
  #floor = 0;
  #hasKnownLeader = false;

  constructor(clock: Clock) {
    this.#allowance = new Allowance(clock, MAX_TERM_LEAP, TERM_RATE);
  }

  /** From now on there is something to judge terms by. */
  decided(): void {
    this.#hasKnownLeader = true;
  }

  /**
   * Whether to let a message in. One that is refused is let in later, when it comes again: other
   * members may have taken it, and a ring must not stay divided.
   * @param own term of this peer
   * @param term of the message
   * @returns `haste` for one that comes too soon, `leap` for one that no honest neighbour sends
   */
  judge(own: number, term: number): 'fine' | 'leap' | 'haste' {
    // Who never knew a leader has to take the ring's term as it is.
    if (!this.#hasKnownLeader && term <= MAX_FIRST_TERM) return 'fine';
    const base = Math.max(own, this.#floor);
    const rise = Math.max(0, term - base);
    const allowed = this.#allowance.take(rise);
    if (allowed === rise) return 'fine';
    this.#floor = base + allowed;
    return term > own + 2 * MAX_TERM_LEAP ? 'leap' : 'haste';
  }
}
