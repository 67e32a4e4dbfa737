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

  /** Whether there is nothing to judge terms by yet but what neighbours say. */
  get isNewcomer(): boolean {
    return !this.#hasKnownLeader;
  }

  /** From now on there is something to judge terms by. */
  decided(): void {
    this.#hasKnownLeader = true;
  }

  /**
   * Whether to let a message in. One that comes too soon may come in later: other members may have
   * taken it, and a ring must not stay divided.
   * @param own term of this peer
   * @param term of the message
   * @param isBorneOut whether the neighbour on the other edge has said as high a term, too
   * @returns `haste` for one that comes too soon, `leap` for one that no honest neighbour sends
   */
  judge(own: number, term: number, isBorneOut: boolean): 'fine' | 'leap' | 'haste' {
    if (!this.#hasKnownLeader && isFirstTerm(term, isBorneOut)) return 'fine';
    const base = Math.max(own, this.#floor);
    const rise = Math.max(0, term - base);
    // Where its neighbours contradict each other, a newcomer cannot tell which of them lies.
    if (!this.#hasKnownLeader && rise > MAX_TERM_LEAP) return 'haste';
    // Nor does such a one count for later: whoever came to take it would be blamed for it by the next.
    if (rise > 2 * MAX_TERM_LEAP) return 'leap';
    const allowed = this.#allowance.take(rise);
    if (allowed === rise) return 'fine';
    this.#floor = base + allowed;
    return 'haste';
  }

  /** How long it takes until one that came too soon may be let in, in milliseconds. */
  hasteOf(own: number, term: number): number {
    const rise = Math.max(0, term - Math.max(own, this.#floor));
    return Math.ceil((rise / TERM_RATE) * 1_000);
  }
}

/**
 * Who never knew a leader has to take the ring's term as it is; but one neighbour alone does not tell
 * it a term that the others would not follow to.
 */
function isFirstTerm(term: number, isBorneOut: boolean): boolean {
  return term <= MAX_TERM_LEAP || (isBorneOut && term <= MAX_FIRST_TERM);
}
