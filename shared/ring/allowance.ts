/** A token bucket: so much at once, and so much more in each second. */
import type { Clock } from '../driver/ports.ts';

export class Allowance {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #perSecond: number;
  #left: number;
  #reckonedAt: number;

  constructor(clock: Clock, most: number, perSecond: number) {
    this.#clock = clock;
    this.#most = most;
    this.#perSecond = perSecond;
    this.#left = most;
    this.#reckonedAt = clock.now();
  }

  /** Takes an amount, or what is left where that is less. Returns what it took. */
  take(amount: number): number {
    this.#reckon();
    const taken = Math.min(amount, this.#left);
    this.#left -= taken;
    return taken;
  }

  /** Whether there is one whole. */
  get hasOne(): boolean {
    this.#reckon();
    return this.#left >= 1;
  }

  /** Takes one whole, if there is one. */
  takeOne(): boolean {
    if (!this.hasOne) return false;
    this.#left -= 1;
    return true;
  }

  /** Whether as much is left as there may be at once. */
  get isFull(): boolean {
    this.#reckon();
    return this.#left === this.#most;
  }

  /** Puts one back. */
  give(): void {
    this.#reckon();
    this.#left = Math.min(this.#left + 1, this.#most);
  }

  #reckon(): void {
    const now = this.#clock.now();
    const earned = ((now - this.#reckonedAt) / 1_000) * this.#perSecond;
    this.#left = Math.min(this.#left + earned, this.#most);
    this.#reckonedAt = now;
  }
}
