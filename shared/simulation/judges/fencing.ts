/**
 * No leader is refused for good (election/SPEC.md, R9). When it is elected, or its era changes, one of these
 * holds: the fence lets it act; or some member knows the later mandate that the fence has seen, and will
 * make it known where the parts of a divided ring meet; or it has no connection to the server, which will
 * tell it of a later era.
 */
import { Fence, type Mandate } from '../../election/fence.ts';
import type { PeerId } from '../../protocol/ids.ts';
import type { RingState } from '../../member/events.ts';
import { Mandates, type Judge, type Sight } from './judge.ts';

/** After how many laps, a second each, a refused leader counts as refused for good. */
const LAPS = 3;

export class Fencing implements Judge {
  readonly problems: string[] = [];
  readonly #states: () => readonly RingState[];
  readonly #fence = new Fence();
  readonly #mandates = new Mandates();
  #latest: Mandate | null = null;
  /** Leaders that were refused, and how often they have sent something since. */
  readonly #refused = new Map<string, { readonly mandate: Mandate; acts: number }>();
  /** Peers that the server has removed. They may live, and join again as others. */
  readonly #letGo = new Set<PeerId>();

  /** @param states of all peers that are there at the time */
  constructor(states: () => readonly RingState[]) {
    this.#states = states;
  }

  see(sight: Sight): void {
    const { name, event } = sight;
    if (event.type === 'neighbours') for (const id of event.removed) this.#letGo.add(id);
    const mandate = this.#mandates.newOf(sight);
    if (mandate !== null) {
      this.#refused.delete(name);
      if (this.#fence.admit(mandate)) this.#latest = mandate;
      else this.#refused.set(name, { mandate, acts: 0 });
    }
    if (sight.state.server !== 'connected') this.#excuse(name);
    if (event.type === 'sent') this.#acts(sight);
  }

  /** Only the server tells of a later era; a later term comes from other peers, too. */
  #excuse(name: string): void {
    const refusal = this.#refused.get(name);
    if (refusal !== undefined && refusal.mandate.era < (this.#latest?.era ?? 0)) refusal.acts = 0;
  }

  /** A refused leader goes on leading: it was not late, nor about to learn of a later era. */
  #acts({ at, name, state }: Sight): void {
    const refusal = this.#refused.get(name);
    if (refusal === undefined || this.#latest === null) return;
    // In another memory of the server it has no mandate until it settles (R9c, R9g).
    const hasMandate = state.role === 'leader' && state.era !== null;
    const isOver = !hasMandate || this.#letGo.has(state.id);
    if (isOver || this.#isKnown(this.#latest)) {
      this.#refused.delete(name);
      return;
    }
    refusal.acts += 1;
    if (refusal.acts !== LAPS) return;
    const { mandate } = refusal;
    const { leader, era, term } = this.#latest;
    this.problems.push(
      `at ${at.toFixed(0)} ms ${mandate.leader}, leader of term ${mandate.term} in era ` +
        `${mandate.era}, is refused: ${leader} acted in term ${term} of era ${era}, ` +
        'which no member knows',
    );
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
