/** The device of a simulated ring member: it may be slow, fall asleep and wake up again, or die. */
import type { Clock } from '../driver/ports.ts';
import type { SimulatedClock } from './clock.ts';

export class Device implements Clock {
  readonly number: number;
  readonly #clock: SimulatedClock;
  #condition: 'awake' | 'asleep' | 'dead' = 'awake';
  #naps = 0;
  /** Whether its page is hidden: browsers run the timers of those at full seconds. */
  #isHidden = false;
  /** How late everything is handled, in milliseconds, and when the last of it will be. */
  #lateness = 0;
  #busyUntil = 0;
  /** What came while it was asleep: timers, frames, messages from the server. */
  #missed: (() => void)[] = [];

  /** @param number identifies it */
  constructor(clock: SimulatedClock, number: number) {
    this.number = number;
    this.#clock = clock;
  }

  /** How often it has fallen asleep. */
  get naps(): number {
    return this.#naps;
  }

  get isAsleep(): boolean {
    return this.#condition === 'asleep';
  }

  get isDead(): boolean {
    return this.#condition === 'dead';
  }

  now(): number {
    return this.#clock.now();
  }

  after(milliseconds: number, call: () => void): () => void {
    let isCancelled = false;
    const cancel = this.#clock.after(this.#timer(milliseconds), () => {
      this.run(() => {
        // A timer cancelled after the device has woken up does not run, either.
        if (!isCancelled) call();
      });
    });
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  /** Something happens to the device, now or when the device gets to it. */
  run(call: () => void): void {
    const now = this.#clock.now();
    if (this.#lateness === 0 && this.#busyUntil < now) {
      this.#handle(call);
      return;
    }
    this.#busyUntil = Math.max(now + this.#lateness, this.#busyUntil);
    this.#clock.after(this.#busyUntil - now, () => this.#handle(call));
  }

  /**
   * From now on everything is handled this much later, in its order.
   * @param milliseconds 0 for a device that is quick again
   */
  slowDown(milliseconds: number): void {
    this.#lateness = milliseconds;
  }

  #handle(call: () => void): void {
    switch (this.#condition) {
      case 'awake':
        return call();
      case 'asleep':
        this.#missed.push(call);
        return;
      case 'dead':
        return;
    }
  }

  /** What a timer takes on this device; what is to happen at once is no timer. */
  #timer(milliseconds: number): number {
    if (!this.#isHidden || milliseconds <= 0) return milliseconds;
    const now = this.#clock.now();
    return Math.ceil((now + milliseconds) / 1_000) * 1_000 - now;
  }

  /** Its page is hidden from now on, or shown again. */
  hide(isHidden: boolean): void {
    this.#isHidden = isHidden;
  }

  freeze(): void {
    if (this.#condition !== 'awake') return;
    this.#condition = 'asleep';
    this.#naps += 1;
  }

  /** Everything that was missed happens now, in its order. */
  thaw(): void {
    if (this.#condition !== 'asleep') return;
    this.#condition = 'awake';
    const missed = this.#missed;
    this.#missed = [];
    for (const call of missed) this.#handle(call);
  }

  die(): void {
    this.#condition = 'dead';
    this.#missed = [];
  }
}
