/** How long to wait for news of a leader (SPEC.md, R7), by what a circuit of the ring takes. */
import type { Clock } from './ports.ts';
import type { Wait } from '../election/step.ts';
import {
  LAP_PAUSE,
  LEADER_SILENCE,
  LONGEST_HOP,
  LONGEST_SILENCE,
  SHORTEST_LONG_WAIT,
  SILENT_LAPS,
} from './timing.ts';

/** What is known of the ring at the moment. */
export interface RingSight {
  /** Peers, as far as they are known, with some to spare. */
  readonly peers: number;
  /** What a hop takes on the slower of this peer's own links, in milliseconds; 0 before it is measured. */
  readonly latency: number;
  /** The room's hop delay in milliseconds. */
  readonly hopDelay: number;
}

export class Patience {
  readonly #clock: Clock;
  readonly #sight: () => RingSight;
  /** When the claim that this peer has sent last in this term left it. */
  #claimAt: number | null = null;
  /** When the leader's last lap was sent, at the leader, or came by, elsewhere. */
  #lapAt: number | null = null;
  /** What the last circuit took, as far as this peer has measured it. */
  #circuit = 0;
  /** Terms since a leader was last heard for more than one lap. */
  #vainTerms = 0;

  constructor(clock: Clock, sight: () => RingSight) {
    this.#clock = clock;
    this.#sight = sight;
  }

  termRose(): void {
    this.#vainTerms += 1;
    this.#claimAt = null;
  }

  claimSent(): void {
    this.#claimAt = this.#clock.now();
  }

  /** A leader is known. Where its claim has passed here, that and its announcement make one circuit. */
  decided(): void {
    const now = this.#clock.now();
    // In slow motion claims are held and laps are not: that measures nothing.
    if (this.#claimAt !== null && this.#sight().hopDelay === 0) this.#circuit = now - this.#claimAt;
    this.#lapAt = now;
  }

  /** The leader sends a lap. */
  lapSent(): void {
    this.#lapAt = this.#clock.now();
  }

  /** Takes the time from lap to lap: its own round trip at the leader, their distance elsewhere. */
  lapPassed(lap: number): void {
    if (lap > 0) this.#vainTerms = 0;
    const now = this.#clock.now();
    if (this.#lapAt !== null) this.#circuit = now - this.#lapAt;
    this.#lapAt = now;
  }

  /**
   * Milliseconds for which to wait in all, by what is known now.
   * @param luck from 0 to 1, so that not all start at once
   */
  for(until: Wait, luck: number): number {
    switch (until) {
      case 'lap':
        return LAP_PAUSE;
      case 'return':
        return this.#silence + this.#slowness;
      case 'leader':
        return this.#silence * (1 + luck / 2) + this.#slowness;
    }
  }

  /** The longest that an honest peer waits in such a ring, in milliseconds. */
  longest({ peers, latency, hopDelay }: RingSight): number {
    const silence = Math.max(SHORTEST_LONG_WAIT, LONGEST_HOP * peers, 2 * latency * peers);
    return 1.5 * silence + slownessOf(hopDelay, peers * 2 ** MOST_DOUBLINGS);
  }

  /** How long an election may take for no other reason than the hop delay, in milliseconds. */
  get #slowness(): number {
    const { peers, hopDelay } = this.#sight();
    return slownessOf(hopDelay, peers * 2 ** Math.min(this.#vainTerms, MOST_DOUBLINGS));
  }

  /** The time without news after which something must be lost, in milliseconds. */
  get #silence(): number {
    const { peers, latency } = this.#sight();
    const doubled = Math.min(LEADER_SILENCE * 2 ** this.#vainTerms, this.#mostDoubled);
    return Math.max(doubled, 2 * peers * latency, this.#measured);
  }

  /** In a ring that is larger, or slower elsewhere, than this peer can tell, patience grows up to this. */
  get #mostDoubled(): number {
    return Math.max(SHORTEST_LONG_WAIT, this.#sight().peers * LONGEST_HOP);
  }

  /**
   * Several circuits as measured: four of a quick one, two of a slow one. What a ring of this size can
   * hardly take was the device's own sleep.
   */
  get #measured(): number {
    const most = Math.max(LONGEST_SILENCE, this.#sight().peers * LONGEST_HOP);
    const circuits = Math.min(
      SILENT_LAPS * this.#circuit,
      Math.max(LONGEST_SILENCE, 2 * this.#circuit),
    );
    return Math.min(circuits, most);
  }
}

/** How often what the hop delay adds is doubled, once for each term in vain. */
const MOST_DOUBLINGS = 3;

/** What a hop delay adds to a wait in a ring of so many peers, in milliseconds. */
export function slownessOf(hopDelay: number, peers: number): number {
  return 2 * hopDelay * peers;
}
