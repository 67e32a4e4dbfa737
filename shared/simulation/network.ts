/** Simulated links: two ends find each other by their signals, as WebRTC's do. */
import type { Signal } from '../protocol/signaling.ts';
import type { Link, LinkHandlers, OpenLink, Random } from '../ring/ports.ts';
import type { SimulatedClock } from './clock.ts';
import type { Device } from './device.ts';

/** The range of one hop's delay in milliseconds. */
export interface Delays {
  readonly least: number;
  readonly most: number;
}

/** One end of a simulated link. */
class SimulatedLink implements Link {
  readonly device: Device;
  readonly #network: SimulatedNetwork;
  readonly #handlers: LinkHandlers;
  #other: SimulatedLink | null = null;
  #isClosed = false;
  /** Nothing gets through any more, and nobody is told. */
  #isDead = false;
  /** Frames arrive in order: none before the one ahead of it. */
  #lastArrival = 0;

  constructor(network: SimulatedNetwork, device: Device, handlers: LinkHandlers) {
    this.#network = network;
    this.device = device;
    this.#handlers = handlers;
  }

  get isOpen(): boolean {
    return this.#other !== null && !this.#isClosed && !this.#isDead;
  }

  /** Makes the offer; the name in it is how the answering end finds this one. */
  offer(name: string): void {
    this.#network.later(this.device, () => {
      if (!this.#isClosed) this.#handlers.onSignal({ type: 'offer', sdp: name });
    });
  }

  signal(signal: Signal): void {
    if (this.#isClosed || (signal.type !== 'offer' && signal.type !== 'answer')) return;
    const other = this.#network.find(signal.sdp);
    if (other === undefined || other.#isClosed) return;
    if (signal.type === 'offer') {
      this.#other = other;
      this.#network.later(this.device, () => {
        if (this.#isClosed) return;
        this.#handlers.onSignal({ type: 'answer', sdp: this.#network.name(this) });
      });
      return;
    }
    if (!this.#network.canReach(this.device, other.device)) return;
    this.#other = other;
    for (const end of [this, other])
      this.#network.later(end.device, () => {
        if (!end.#isClosed && !end.#isDead) end.#handlers.onOpen();
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
      other.#fail('closed by the other end');
    });
  }

  /** The connection breaks. Both ends are told of it, or neither. */
  break(isTold: boolean): void {
    for (const end of [this, this.#other]) {
      if (end === null || end.#isClosed) continue;
      if (isTold)
        this.#network.later(end.device, () => {
          end.#fail('broken');
        });
      else end.#isDead = true;
    }
  }

  #fail(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handlers.onClose(reason);
  }

  #inOrder(call: (other: SimulatedLink) => void): void {
    const other = this.#other;
    if (other === null || this.#isDead) return;
    const { clock } = this.#network;
    this.#lastArrival = Math.max(clock.now() + this.#network.delay(), this.#lastArrival);
    clock.after(this.#lastArrival - clock.now(), () => {
      other.device.run(() => {
        if (!other.#isClosed && !other.#isDead) call(other);
      });
    });
  }
}

export class SimulatedNetwork {
  readonly clock: SimulatedClock;
  readonly #random: Random;
  readonly #delays: Delays;
  readonly #ends = new Map<string, SimulatedLink>();
  readonly #names = new Map<SimulatedLink, string>();
  #blocked: (readonly [Device, Device])[] = [];
  #made = 0;

  constructor(clock: SimulatedClock, random: Random, delays: Delays) {
    this.clock = clock;
    this.#random = random;
    this.#delays = delays;
  }

  /** Number of link ends made so far. */
  get made(): number {
    return this.#made;
  }

  /** The port for the member that runs on a device. */
  port(device: Device): OpenLink {
    return (initiator, handlers) => {
      const link = new SimulatedLink(this, device, handlers);
      this.#made += 1;
      const name = `end ${this.#made}`;
      this.#ends.set(name, link);
      this.#names.set(link, name);
      if (initiator) link.offer(name);
      return link;
    };
  }

  /** No direct link can be made between the two from now on. */
  block(one: Device, other: Device): void {
    this.#blocked.push([one, other]);
  }

  unblock(one: Device, other: Device): void {
    this.#blocked = this.#blocked.filter((pair) => !(pair.includes(one) && pair.includes(other)));
  }

  canReach(one: Device, other: Device): boolean {
    return !this.#blocked.some((pair) => pair.includes(one) && pair.includes(other));
  }

  /** Breaks every link that ends at the device. */
  break(device: Device, isTold: boolean): void {
    for (const link of this.#ends.values())
      if (link.device === device && link.isOpen) link.break(isTold);
  }

  find(name: string): SimulatedLink | undefined {
    return this.#ends.get(name);
  }

  name(link: SimulatedLink): string {
    return this.#names.get(link) ?? '';
  }

  /** One hop's delay in milliseconds. */
  delay(): number {
    const { least, most } = this.#delays;
    return least + this.#random() * (most - least);
  }

  /** Any time up to the given one. */
  upTo(milliseconds: number): number {
    return this.#random() * milliseconds;
  }

  later(device: Device, call: () => void): void {
    this.clock.after(this.delay(), () => {
      device.run(call);
    });
  }
}
