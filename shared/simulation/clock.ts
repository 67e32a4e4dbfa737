/** A clock that moves only when told to, and the events scheduled on it. */
import type { Clock } from '../driver/ports.ts';

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly call: () => void;
  cancelled: boolean;
}

export class SimulatedClock implements Clock {
  /** A binary heap by time, then by the order of scheduling. */
  readonly #heap: Scheduled[] = [];
  #now = 0;
  #scheduled = 0;

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, call: () => void): () => void {
    this.#scheduled += 1;
    const entry = {
      at: this.#now + Math.max(0, milliseconds),
      order: this.#scheduled,
      call,
      cancelled: false,
    };
    this.#push(entry);
    return () => {
      entry.cancelled = true;
    };
  }

  /** Runs the next event due. Returns false where there is none before `limit`. */
  advance(limit: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at > limit) {
        this.#now = Math.max(this.#now, limit);
        return false;
      }
      this.#pop();
      if (next.cancelled) continue;
      this.#now = Math.max(this.#now, next.at);
      next.call();
      return true;
    }
  }

  /** Moves on without running timers, as for a device that was asleep. What is due comes late. */
  skip(milliseconds: number): void {
    this.#now += milliseconds;
  }

  #push(entry: Scheduled): void {
    let at = this.#heap.length;
    this.#heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < this.#heap.length && this.#isBefore(child, least)) least = child;
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const first = this.#heap[a];
    const second = this.#heap[b];
    if (first === undefined || second === undefined) return false;
    return first.at < second.at || (first.at === second.at && first.order < second.order);
  }

  #swap(a: number, b: number): void {
    const first = this.#heap[a];
    const second = this.#heap[b];
    if (first === undefined || second === undefined) return;
    this.#heap[a] = second;
    this.#heap[b] = first;
  }
}
