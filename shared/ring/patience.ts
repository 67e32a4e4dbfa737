/** How long to wait for news of a leader (SPEC.md, R7), by how long laps have taken. */
import type { Clock, Random } from './ports.ts';
import type { Wait } from '../election/step.ts';
import {
  LAP_PAUSE,
  LEADER_SILENCE,
  LONGEST_SILENCE,
  MAX_DOUBLINGS,
  SILENT_LAPS,
} from './timing.ts';

export class Patience {
  readonly #clock: Clock;
  readonly #random: Random;
  /** When the leader's last lap was sent, at the leader, or came by, elsewhere. */
  #lapAt: number | null = null;
  #lapTook = 0;
  /** Terms since a leader was last heard for more than one lap; large rings need more patience. */
  #vainTerms = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  termRose(): void {
    this.#vainTerms += 1;
  }

  decided(): void {
    this.#lapAt = this.#clock.now();
    this.#lapTook = 0;
  }

  /** Takes the time from lap to lap: its own round trip at the leader, their distance elsewhere. */
  lapPassed(lap: number): void {
    if (lap > 0) this.#vainTerms = 0;
    const now = this.#clock.now();
    this.#lapTook = this.#lapAt === null ? 0 : now - this.#lapAt;
    this.#lapAt = now;
  }

  /** By how much waits are longer after terms in vain. */
  get doubling(): number {
    return 2 ** Math.min(this.#vainTerms, MAX_DOUBLINGS);
  }

  /** Milliseconds to wait from now on, where no hop delay is set. */
  for(until: Wait): number {
    const silence = Math.max(
      LEADER_SILENCE * this.doubling,
      Math.min(SILENT_LAPS * this.#lapTook, LONGEST_SILENCE),
    );
    switch (until) {
      case 'lap':
        return LAP_PAUSE;
      case 'return':
        this.#lapAt = this.#clock.now();
        return silence;
      case 'leader':
        return silence * (1 + this.#random() / 2);
    }
  }
}
