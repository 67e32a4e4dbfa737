/** Tells a late old leader from the present one (SPEC.md, R9). */
import type { PeerId } from '../protocol/ids.ts';

/** A leader, with the term and the era (the life of the room) in which it leads. */
export interface Mandate {
  readonly leader: PeerId;
  /** When this life of the room began: terms may start again from 1 in it. */
  readonly era: number;
  readonly term: number;
}

/**
 * What a resource remembers of the leaders that have used it. M. Kleppmann calls the term that comes with
 * each act a fencing token (Designing Data-Intensive Applications, 2017, chapter 8).
 */
export class Fence {
  #latest: Mandate | null = null;

  /** Whether to let the leader act. A leader of an earlier era or term than the latest is refused. */
  admit(mandate: Mandate): boolean {
    const latest = this.#latest;
    if (latest !== null) {
      const later = mandate.era - latest.era || mandate.term - latest.term;
      if (later < 0) return false;
      if (later === 0) return mandate.leader === latest.leader;
    }
    this.#latest = mandate;
    return true;
  }
}
