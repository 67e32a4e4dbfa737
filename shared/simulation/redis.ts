/** What several instances share in a simulation: a directory and channels, which are slow and may fail. */
import {
  answer,
  LEASE_LASTS,
  newDirectory,
  type Answer,
  type Directory,
  type InstanceId,
  type Question,
} from '../instances/directory.ts';
import { nameIn, type Envelope } from '../instances/envelope.ts';
import type { RoomName } from '../protocol/ids.ts';
import type { SimulatedNetwork } from './network.ts';

/** An instance, as the channels see it. */
export interface Subscriber {
  /** Its process has this name; see `idOf` of shared/instances/state.ts. */
  readonly name: string;
  onDirectory(uptime: number): void;
  onEnvelope(envelope: Envelope): void;
}

/** The connection of an instance. */
interface Wire {
  readonly subscriber: Subscriber;
  /** Until when it is cut; Infinity for a process that has died. */
  cutUntil: number;
  /** When the last message arrives, there and back: both ways keep the order. */
  lastThere: number;
  lastBack: number;
  /** Counts its connections: what was on its way on an earlier one is lost. */
  connection: number;
  /** Which start of the directory it knows. */
  knownStart: number;
}

/** What its memory is after a restart. */
export type Kept = 'all' | 'older' | 'nothing';

/** How long an instance waits for an answer, in milliseconds. */
const PATIENCE = 1_000;

/** A hop to the directory, in milliseconds. */
const MOST = 3;

/** How long an instance takes to connect again, in milliseconds. */
const RECONNECTION = 500;

/** How long it has been there when a simulation begins, in milliseconds. */
const UPTIME = 86_400_000;

export class SimulatedRedis {
  readonly #network: SimulatedNetwork;
  readonly #date: () => number;
  readonly #wires = new Map<string, Wire>();
  #directory: Directory = newDirectory(LEASE_LASTS);
  /** What it knew a while ago. */
  #snapshot: Directory = newDirectory(LEASE_LASTS);
  #downUntil = 0;
  #starts = 1;
  #startedAt = -UPTIME;
  /** Until when two may own a room: promises were forgotten, or its clock was set. */
  #soundFrom = 0;

  /** @param date by its clock, in milliseconds since 1970 */
  constructor(network: SimulatedNetwork, date: () => number) {
    this.#network = network;
    this.#date = date;
  }

  /** Whose a room is, as it knows; null where it is nobody's. */
  ownerOf(room: RoomName): InstanceId | null {
    return this.#directory.owners.get(room)?.owner ?? null;
  }

  /** Whether all that was promised by leases holds. */
  get isSound(): boolean {
    return this.#network.clock.now() >= this.#soundFrom;
  }

  connect(subscriber: Subscriber): void {
    const wire: Wire = {
      subscriber,
      cutUntil: 0,
      lastThere: 0,
      lastBack: 0,
      connection: 0,
      knownStart: 0,
    };
    this.#wires.set(subscriber.name, wire);
    this.#reconnect(wire);
  }

  /** The process of an instance has died. */
  disconnect({ name }: Pick<Subscriber, 'name'>): void {
    const wire = this.#wires.get(name);
    if (wire !== undefined) wire.cutUntil = Infinity;
    this.#wires.delete(name);
  }

  /** An instance cannot reach it for a while: what is on its way is lost. */
  cut(name: string, milliseconds: number): void {
    const wire = this.#wires.get(name);
    if (wire === undefined) return;
    wire.cutUntil = Math.max(wire.cutUntil, this.#network.clock.now() + milliseconds);
    wire.connection += 1;
    this.#reconnect(wire);
  }

  /** What an instance says to it, and hears, comes late. */
  stall(name: string, milliseconds: number): void {
    const wire = this.#wires.get(name);
    if (wire === undefined) return;
    const until = this.#network.clock.now() + milliseconds;
    wire.lastThere = Math.max(wire.lastThere, until);
    wire.lastBack = Math.max(wire.lastBack, until);
  }

  /** Keeps what it knows for a restart with older memory. */
  save(): void {
    this.#snapshot = structuredCopy(this.#directory);
  }

  /** @param downFor milliseconds until it is back */
  restart(downFor: number, kept: Kept): void {
    const { clock } = this.#network;
    this.#downUntil = Math.max(this.#downUntil, clock.now() + downFor);
    if (kept === 'nothing') this.#directory = newDirectory(LEASE_LASTS);
    if (kept === 'older') this.#directory = structuredCopy(this.#snapshot);
    this.#starts += 1;
    this.#startedAt = this.#downUntil;
    if (kept !== 'all') this.unsettle(downFor);
    for (const wire of this.#wires.values()) this.cut(wire.subscriber.name, downFor);
  }

  /** Leases do not hold what they promise, for as long as one lasts, and so many milliseconds. */
  unsettle(milliseconds: number): void {
    const until = this.#network.clock.now() + milliseconds + LEASE_LASTS + RECONNECTION;
    this.#soundFrom = Math.max(this.#soundFrom, until);
  }

  ask(name: string, question: Question, onAnswer: (answer: Answer | null) => void): void {
    let isAnswered = false;
    const say = (said: Answer | null) => {
      if (!isAnswered) onAnswer(said);
      isAnswered = true;
    };
    this.#network.clock.after(PATIENCE, () => say(null));
    this.#send(name, (wire) => {
      const said = answer(this.#directory, question, this.#date());
      this.#sendBack(wire, () => say(said));
    });
  }

  publish(envelope: Envelope, onUndelivered: () => void): void {
    const from = nameIn(envelope.from);
    let isDone = false;
    const say = () => {
      if (!isDone) onUndelivered();
      isDone = true;
    };
    this.#network.clock.after(PATIENCE, say);
    this.#send(from, (wire) => {
      const to = this.#wires.get(nameIn(envelope.to));
      const isThere = to !== undefined && this.#reaches(to);
      if (isThere) this.#sendBack(to, () => to.subscriber.onEnvelope(envelope));
      this.#sendBack(wire, () => {
        if (!isThere) say();
        isDone = true;
      });
    });
  }

  /** An instance is connected, again: to the one that it knows, or to another. */
  #reconnect(wire: Wire): void {
    const wait = this.#network.upTo(RECONNECTION);
    const { connection } = wire;
    this.#network.clock.after(wait, () => {
      // Another attempt is under way, or its process has died.
      if (wire.connection !== connection || wire.cutUntil === Infinity) return;
      if (!this.#reaches(wire)) {
        this.#reconnect(wire);
        return;
      }
      if (wire.knownStart === this.#starts) return;
      wire.knownStart = this.#starts;
      wire.subscriber.onDirectory(this.#network.clock.now() - this.#startedAt);
    });
  }

  #reaches({ cutUntil }: Wire): boolean {
    return Math.max(cutUntil, this.#downUntil) <= this.#network.clock.now();
  }

  #send(name: string, call: (wire: Wire) => void): void {
    const wire = this.#wires.get(name);
    if (wire === undefined || !this.#reaches(wire)) return;
    wire.lastThere = this.#carry(wire, wire.lastThere, () => call(wire));
  }

  #sendBack(wire: Wire, call: () => void): void {
    wire.lastBack = this.#carry(wire, wire.lastBack, call);
  }

  /** Returns when it arrives. */
  #carry(wire: Wire, last: number, call: () => void): number {
    const { clock } = this.#network;
    const { connection } = wire;
    const arrival = Math.max(clock.now() + this.#network.upTo(MOST), last);
    clock.after(arrival - clock.now(), () => {
      if (wire.connection === connection && this.#reaches(wire)) call();
    });
    return arrival;
  }
}

function structuredCopy(directory: Directory): Directory {
  const { leases, owners } = directory;
  return { ...directory, leases: new Map(leases), owners: new Map(owners) };
}
