/**
 * Sends this peer's trace to the spectators of its room. The code for it is loaded when the first spectator
 * comes.
 */
import type { RingEvent, RingState } from '../shared/member/events.ts';
import type { Clock } from '../shared/driver/ports.ts';
import type { Tracer } from './tracer.ts';
import type { SendTrace, SocketOptions } from './socket-signaling.ts';

export class LazyTracer {
  readonly #clock: Clock;
  readonly #state: () => RingState;
  #tracer: Tracer | null = null;
  /** Counts the requests: only the last one is in force. */
  #asked = 0;

  /** @param state of the peer at present */
  constructor(clock: Clock, state: () => RingState) {
    this.#clock = clock;
    this.#state = state;
  }

  /** For the connection of a new membership, which has no spectators yet. */
  options(): Pick<SocketOptions, 'onWatched'> {
    this.#stop();
    return {
      onWatched: (send) => {
        if (send === null) this.#stop();
        else if (this.#tracer === null) void this.#begin(send);
        else this.#tracer.restate();
      },
    };
  }

  note(event: RingEvent, state: RingState): void {
    this.#tracer?.note(event, state);
  }

  #stop(): void {
    this.#asked += 1;
    this.#tracer?.stop();
    this.#tracer = null;
  }

  async #begin(send: SendTrace): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const { Tracer } = await import('./tracer.ts');
      if (asked !== this.#asked) return;
      this.#tracer = new Tracer(this.#state(), { clock: this.#clock, send });
    } catch {
      // The server has just gone; it asks again when it is back.
    }
  }
}
