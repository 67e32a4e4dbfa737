/** Peers about whom something was done of late. */
import type { PeerId } from '../protocol/ids.ts';
import type { Clock } from './ports.ts';

export class RecentPeers {
  readonly #clock: Clock;
  readonly #interval: number;
  readonly #since = new Map<PeerId, number>();

  /** @param interval how long they are kept in mind, in milliseconds */
  constructor(clock: Clock, interval: number) {
    this.#clock = clock;
    this.#interval = interval;
  }

  has(peer: PeerId): boolean {
    this.#forget();
    return this.#since.has(peer);
  }

  get size(): number {
    this.#forget();
    return this.#since.size;
  }

  add(peer: PeerId): void {
    this.#since.set(peer, this.#clock.now());
  }

  delete(peer: PeerId): void {
    this.#since.delete(peer);
  }

  #forget(): void {
    const before = this.#clock.now() - this.#interval;
    for (const [peer, since] of this.#since) if (since <= before) this.#since.delete(peer);
  }
}
