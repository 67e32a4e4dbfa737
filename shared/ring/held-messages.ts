/**
 * The messages that a link holds for the room's hop delay (SPEC.md, C5). They are on this link and no
 * other: to the rules of the election the link is slow.
 */
import type { ElectionMessage } from '../protocol/messages.ts';
import type { Clock } from './ports.ts';

interface Held {
  readonly message: ElectionMessage;
  readonly due: number;
  readonly send: () => void;
}

export class HeldMessages {
  readonly #clock: Clock;
  /** In the order in which they are to be sent; due times never decrease. */
  #queue: readonly Held[] = [];
  #cancelTimer: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Sends a message after a delay, and after every message that is held already.
   * @param milliseconds to hold it for, 0 or more
   * @returns the milliseconds for which it is held; 0 where it was sent at once
   */
  add(message: ElectionMessage, milliseconds: number, send: () => void): number {
    const now = this.#clock.now();
    const due = Math.max(now + milliseconds, this.#queue.at(-1)?.due ?? 0);
    if (this.#queue.length === 0 && due <= now) {
      send();
      return 0;
    }
    this.#queue = [...this.#queue, { message, due, send }];
    this.#schedule();
    return due - now;
  }

  /** Sends all that is held, at once and in order. */
  flush(): void {
    const queue = this.#empty();
    for (const { send } of queue) send();
  }

  /** Takes out the messages for which `matches` holds, or all of them, and returns them. */
  discard(matches: (message: ElectionMessage) => boolean = () => true): readonly ElectionMessage[] {
    const queue = this.#empty();
    this.#queue = queue.filter(({ message }) => !matches(message));
    this.#schedule();
    return queue.map(({ message }) => message).filter(matches);
  }

  #empty(): readonly Held[] {
    const queue = this.#queue;
    this.#queue = [];
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    return queue;
  }

  #schedule(): void {
    const [first] = this.#queue;
    if (first === undefined || this.#cancelTimer !== null) return;
    this.#cancelTimer = this.#clock.after(first.due - this.#clock.now(), () => {
      this.#cancelTimer = null;
      this.#queue = this.#queue.slice(1);
      first.send();
      this.#schedule();
    });
  }
}
