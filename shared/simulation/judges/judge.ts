/** Observes everything that happens in a world, as it happens, and reports violations. */
import type { Mandate } from '../../election/fence.ts';
import type { RingEvent, RingState } from '../../member/events.ts';

/** Something that happened to a peer. */
export interface Sight {
  readonly at: number;
  /** Identifies the peer: its id alone does not, because another peer may try the same id. */
  readonly name: string;
  readonly event: RingEvent;
  /** The peer's state after it. */
  readonly state: RingState;
}

export interface Judge {
  see(sight: Sight): void;
  /** The violations so far, in words. */
  readonly problems: readonly string[];
}

/** Tells of each leader when its mandate changes: at its election, or in a new era. */
export class Mandates {
  readonly #last = new Map<string, string>();

  /** The mandate by which the peer may act from now on, if it could not before. */
  newOf({ name, state: { id: leader, role, era, term } }: Sight): Mandate | null {
    if (role !== 'leader' || era === null || term === null) return null;
    const mandate = `${era}/${term}`;
    if (this.#last.get(name) === mandate) return null;
    this.#last.set(name, mandate);
    return { leader, era, term };
  }
}
