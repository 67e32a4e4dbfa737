/** Simulated links: two ends find each other by their signals, as in WebRTC. */
import type { Signal } from '../protocol/signaling.ts';
import type { Link, LinkHandlers, OpenLink } from '../driver/ports.ts';
import type { SimulatedClock } from './clock.ts';
import type { Device } from './device.ts';

/** The duration of one hop, in milliseconds, to a neighbour or to the server. */
export interface Delays {
  readonly least: number;
  readonly most: number;
  /** One direction of a link or connection may take up to so much longer than the other. */
  readonly asymmetry?: number;
  /** A share of the hops, from 0 to 1, takes up to this long. */
  readonly tail?: { readonly share: number; readonly most: number };
}

/** Which end of a breaking link is told; here: the end of the device whose links break. */
export type Told = 'both' | 'here' | 'neither';

/** Devices that reach only their own group for a while, each with the number of its group. */
interface Partition {
  readonly groups: ReadonlyMap<Device, number>;
  readonly until: number;
}

/** The group of the server, and of each device that is in no other. */
export const MAINLAND = 0;

/**
 * How long a browser's link outlives the network below it, in milliseconds: what was sent meanwhile still
 * arrives. Chromium and Firefox take from 15 to 30 s.
 */
const ICE_PATIENCE = 20_000;

/** One end of a simulated link. */
class SimulatedLink implements Link {
  readonly device: Device;
  readonly #network: SimulatedNetwork;
  readonly #handlers: LinkHandlers;
  /** How much longer than the least its direction takes, in milliseconds. */
  readonly #lag: number;
  #other: SimulatedLink | null = null;
  #isClosed = false;
  /** Nothing gets through any more, and no end is told. */
  #isDead = false;
  /** Nothing that it sends gets through, but it still hears. */
  #isMuted = false;
  /** Frames arrive in order: none before the one ahead of it. */
  #lastArrival = 0;

  constructor(network: SimulatedNetwork, device: Device, handlers: LinkHandlers) {
    this.#network = network;
    this.device = device;
    this.#handlers = handlers;
    this.#lag = network.lag();
  }

  get isOpen(): boolean {
    return this.#other !== null && !this.#isClosed && !this.#isDead;
  }

  /** The device at the other end, once that is known. */
  get otherDevice(): Device | null {
    return this.#other?.device ?? null;
  }

  /** Makes the offer; the name in it leads the answering end to this one. */
  offer(name: string): void {
    this.#network.later(this.device, () => {
      if (!this.#isClosed) this.#handlers.onSignal({ type: 'offer', sdp: name });
    });
  }

  signal(signal: Signal): void {
    if (this.#isClosed || signal.type === 'candidate') return;
    const isDescription = signal.type === 'offer' || signal.type === 'answer';
    const other = isDescription ? this.#network.find(signal.sdp) : undefined;
    if (!isDescription || other === undefined) {
      this.#failLater('a signal that is none of a direct link');
      return;
    }
    if (other.#isClosed) return;
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
    this.#inOrder((other) => other.#handlers.onFrame(frame));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#inOrder((other) => other.#fail('closed by the other end'));
  }

  /** The connection breaks. An end that is not told finds only silence. */
  break(told: Told): void {
    for (const end of [this, this.#other]) {
      if (end === null || end.#isClosed) continue;
      if (told === 'both' || (told === 'here' && end === this))
        this.#network.later(end.device, () => end.#fail('broken'));
      else end.#isDead = true;
    }
  }

  /** From now on frames get through in the other direction only. */
  mute(): void {
    this.#isMuted = true;
  }

  /** Not while its own method is still running. */
  #failLater(reason: string): void {
    this.device.after(0, () => {
      this.#fail(reason);
    });
  }

  #fail(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handlers.onClose(reason);
  }

  #inOrder(call: (other: SimulatedLink) => void): void {
    const other = this.#other;
    if (other === null || this.#isDead || this.#isMuted) return;
    const { clock } = this.#network;
    const sent = Math.max(clock.now(), this.#network.separatedUntil(this.device, other.device));
    this.#lastArrival = Math.max(sent + this.#lag + this.#network.delay(), this.#lastArrival);
    clock.after(this.#lastArrival - clock.now(), () => {
      other.device.run(() => {
        if (!other.#isClosed && !other.#isDead) call(other);
      });
    });
  }
}

export class SimulatedNetwork {
  readonly clock: SimulatedClock;
  readonly #random: () => number;
  #delays: Delays;
  readonly #ends = new Map<string, SimulatedLink>();
  readonly #names = new Map<SimulatedLink, string>();
  #blocked: (readonly [Device, Device])[] = [];
  #partitions: readonly Partition[] = [];
  #made = 0;

  constructor(clock: SimulatedClock, random: () => number, delays: Delays) {
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

  /** Whether a direct link can be made between the two now. */
  canReach(one: Device, other: Device): boolean {
    if (this.separatedUntil(one, other) > this.clock.now()) return false;
    return !this.#blocked.some((pair) => pair.includes(one) && pair.includes(other));
  }

  /** Breaks every link that ends at the device. */
  break(device: Device, told: Told): void {
    for (const link of this.#linksOf(device)) link.break(told);
  }

  /** Nothing that the device sends on its present links gets through any more. */
  mute(device: Device): void {
    for (const link of this.#linksOf(device)) link.mute();
  }

  /**
   * Nothing gets through between the groups. What was sent arrives afterwards, unless the partition lasts
   * so long that links break.
   * @param groups the number of each device's group; {@link MAINLAND} is that of the server and of every
   * device that is not named
   * @param milliseconds until it is over
   */
  separate(groups: ReadonlyMap<Device, number>, milliseconds: number): void {
    const partition = { groups, until: this.clock.now() + milliseconds };
    this.#partitions = [...this.#partitions, partition];
    this.clock.after(Math.min(milliseconds, ICE_PATIENCE), () => {
      if (milliseconds > ICE_PATIENCE)
        for (const link of this.#ends.values())
          if (link.isOpen && areApart(partition, link.device, link.otherDevice)) link.break('both');
    });
    this.clock.after(milliseconds, () => {
      this.#partitions = this.#partitions.filter((each) => each !== partition);
    });
  }

  /**
   * Until when nothing gets through between two devices; a past time where frames get through.
   * @param other null for the server
   */
  separatedUntil(one: Device, other: Device | null): number {
    let until = 0;
    for (const partition of this.#partitions)
      if (areApart(partition, one, other)) until = Math.max(until, partition.until);
    return until;
  }

  /** No hop takes longer than most hops do. */
  hasten(): void {
    const { least, most, asymmetry = 0 } = this.#delays;
    this.#delays = { least, most, asymmetry };
  }

  find(name: string): SimulatedLink | undefined {
    return this.#ends.get(name);
  }

  name(link: SimulatedLink): string {
    return this.#names.get(link) ?? '';
  }

  /** One hop's delay in milliseconds. */
  delay(): number {
    const { least, most, tail } = this.#delays;
    const isInTail = tail !== undefined && this.#random() < tail.share;
    return least + this.#random() * ((isInTail ? tail.most : most) - least);
  }

  /** The average duration of a hop, in milliseconds, without the slow tail. */
  get meanHop(): number {
    const { least, most, asymmetry = 0 } = this.#delays;
    return (least + most + asymmetry) / 2;
  }

  /** How much longer one direction takes than another, in milliseconds. */
  lag(): number {
    const { asymmetry } = this.#delays;
    return asymmetry === undefined ? 0 : this.upTo(asymmetry);
  }

  /** Any duration up to the given one. */
  upTo(milliseconds: number): number {
    return this.#random() * milliseconds;
  }

  later(device: Device, call: () => void): void {
    this.clock.after(this.delay(), () => device.run(call));
  }

  #linksOf(device: Device): SimulatedLink[] {
    return [...this.#ends.values()].filter((link) => link.device === device && link.isOpen);
  }
}

/** Whether a partition lies between two devices, or between one and the server. */
function areApart({ groups }: Partition, one: Device, other: Device | null): boolean {
  const groupOf = (device: Device | null) =>
    device === null ? MAINLAND : (groups.get(device) ?? MAINLAND);
  return groupOf(one) !== groupOf(other);
}
