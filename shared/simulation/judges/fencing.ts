/**
 * No leader is refused for good (SPEC.md, R9): when it is elected, or its era is another, the fence
 * lets it act, or some member knows the later mandate that the fence has seen and will make it known
 * where the parts of a divided ring meet.
 */
import { Fence, type Mandate } from '../../election/fence.ts';
import type { PeerId } from '../../protocol/ids.ts';
import type { RingState } from '../../ring/events.ts';
import { Mandates, type Judge, type Sight } from './judge.ts';

export class Fencing implements Judge {
  readonly problems: string[] = [];
  readonly #states: () => readonly RingState[];
  readonly #fence = new Fence();
  readonly #mandates = new Mandates();
  #latest: Mandate | null = null;
  /** Those whom the server has let go. They may live, and come again as others. */
  readonly #letGo = new Set<PeerId>();

  /** @param states of all peers that are there at the time */
  constructor(states: () => readonly RingState[]) {
    this.#states = states;
  }

  see(sight: Sight): void {
    const { event } = sight;
    if (event.type === 'neighbours') for (const id of event.removed) this.#letGo.add(id);
    const mandate = this.#mandates.newOf(sight);
    if (mandate === null) return;
    if (this.#fence.admit(mandate)) this.#latest = mandate;
    // A late old leader, which the ring has gone on without, is what the fence is there for.
    else if (this.#letGo.has(mandate.leader)) return;
    else if (this.#latest !== null && !this.#isKnown(this.#latest)) {
      const { leader, era, term } = this.#latest;
      this.problems.push(
        `at ${sight.at.toFixed(0)} ms ${mandate.leader}, leader of term ${mandate.term} in era ` +
          `${mandate.era}, is refused: ${leader} acted in term ${term} of era ${era}, ` +
          'which no member knows',
      );
    }
  }

  /** Whether a leader may do now what only the leader may do. */
  admits({ id: leader, era, term }: RingState): boolean {
    return era !== null && term !== null && this.#fence.admit({ leader, era, term });
  }

  /** Whether a member knows that mandate, or is in a later term. */
  #isKnown(latest: Mandate): boolean {
    return this.#states().some(({ id, leader, era, term }) => {
      if (this.#letGo.has(id) || era === null || term === null) return false;
      const later = era - latest.era || term - latest.term;
      return later > 0 || (later === 0 && leader === latest.leader);
    });
  }
}
