/** Attempts to connect that go on for long without an answer: a proxy may hold them, or the network is slow. */

/** How long an attempt goes on before it is told of, in milliseconds. */
const SLOW = 2_500;

/** What is told of it. */
export const UNANSWERED = `no answer for ${SLOW / 1_000} s`;

/** What Socket.IO says of one that it has given up for want of an answer. */
export const TIMED_OUT = 'timeout';

export class SlowAttempts {
  readonly #onSlow: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param onSlow called once for each attempt that is slow; it may still succeed */
  constructor(onSlow: () => void) {
    this.#onSlow = onSlow;
  }

  begin(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onSlow, SLOW);
  }

  /** It has succeeded or failed. */
  end(): void {
    clearTimeout(this.#timer);
  }
}
