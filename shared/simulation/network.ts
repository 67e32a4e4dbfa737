/** Simulated links: two ends find each other by their signals, as WebRTC's do. */
import type { Signal } from '../protocol/signaling.ts';
import type { Clock, Link, LinkHandlers, OpenLink, Random } from '../ring/ports.ts';

/** One end of a simulated link. */
class SimulatedLink implements Link {
  readonly #network: SimulatedNetwork;
  readonly #handlers: LinkHandlers;
  #other: SimulatedLink | null = null;
  #isClosed = false;
  /** Frames arrive in order: none before the one ahead of it. */
  #lastArrival = 0;

  constructor(network: SimulatedNetwork, handlers: LinkHandlers) {
    this.#network = network;
    this.#handlers = handlers;
  }

  /** Makes the offer; the name in it is how the answering end finds this one. */
  offer(name: string): void {
    this.#network.later(() => {
      if (!this.#isClosed) this.#handlers.onSignal({ type: 'offer', sdp: name });
    });
  }

  signal(signal: Signal): void {
    if (this.#isClosed || signal.type === 'candidate') return;
    if (signal.type === 'offer') {
      const other = this.#network.find(signal.sdp);
      if (other === undefined || other.#isClosed) return;
      this.#other = other;
      this.#network.later(() => {
        if (!this.#isClosed)
          this.#handlers.onSignal({ type: 'answer', sdp: this.#network.name(this) });
      });
      return;
    }
    const other = this.#network.find(signal.sdp);
    if (other === undefined || other.#isClosed) return;
    this.#other = other;
    for (const end of [this, other])
      this.#network.later(() => {
        if (!end.#isClosed) end.#handlers.onOpen();
      });
  }

  send(frame: Uint8Array): void {
    if (this.#isClosed) return;
    this.#inOrder((other) => {
      other.#handlers.onFrame(frame);
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#inOrder((other) => {
      other.#isClosed = true;
      other.#handlers.onClose('closed by the other end');
    });
  }

  /** As when the process is killed: nothing more is sent, not even a close. */
  sever(): void {
    this.#isClosed = true;
  }

  #inOrder(call: (other: SimulatedLink) => void): void {
    const now = this.#network.clock.now();
    const arrival = Math.max(now + this.#network.delay(), this.#lastArrival);
    this.#lastArrival = arrival;
    this.#network.clock.after(arrival - now, () => {
      if (this.#other !== null && !this.#other.#isClosed) call(this.#other);
    });
  }
}

export class SimulatedNetwork {
  readonly clock: Clock;
  readonly #random: Random;
  readonly #ends = new Map<string, SimulatedLink>();
  readonly #names = new Map<SimulatedLink, string>();
  #made = 0;

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.#random = random;
  }

  /** Number of link ends made so far. */
  get made(): number {
    return this.#made;
  }

  /** The port for one peer, and what cuts all its links at once. */
  port(): { readonly openLink: OpenLink; readonly sever: () => void } {
    const own: SimulatedLink[] = [];
    return {
      openLink: (initiator, handlers) => {
        const link = new SimulatedLink(this, handlers);
        this.#made += 1;
        const name = `end ${this.#made}`;
        this.#ends.set(name, link);
        this.#names.set(link, name);
        own.push(link);
        if (initiator) link.offer(name);
        return link;
      },
      sever: () => {
        for (const link of own) link.sever();
      },
    };
  }

  find(name: string): SimulatedLink | undefined {
    return this.#ends.get(name);
  }

  name(link: SimulatedLink): string {
    return this.#names.get(link) ?? '';
  }

  /** One hop's delay in milliseconds. */
  delay(): number {
    return 1 + this.#random() * 20;
  }

  later(call: () => void): void {
    this.clock.after(this.delay(), call);
  }
}
