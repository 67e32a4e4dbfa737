/**
 * Spectators of rooms, for the signaling server. At each tick it passes on the traces of the members, as
 * one message to all spectators of a room, and drops what exceeds the limits.
 */
import type { PeerId, RoomName } from '../shared/protocol/ids.ts';
import type { Order, Traces, Trace } from '../shared/protocol/watch.ts';
import { fullBucket, isFull, takeOne, type TokenBucket } from '../shared/machine/token-bucket.ts';
import type { Clock } from '../shared/driver/ports.ts';
import { Tally } from './tally.ts';

export interface WatchLimits {
  readonly spectatorsPerRoom: number;
  readonly spectators: number;
}

export interface WatchPorts {
  readonly clock: Clock;
  /** The members of a room, in ring order, and its policy; none where there is no such room. */
  order(room: RoomName): Order;
  /** Tells all members of a room whether it has spectators. */
  tell(room: RoomName, isWatched: boolean): void;
  /** Milliseconds since 1970. */
  date(): number;
}

/** A spectator's connection. Both messages call back once they have been taken. */
export interface SpectatorPort {
  order(order: Order, onTaken: () => void): void;
  traces(traces: Traces, onTaken: () => void): void;
}

/** What one network may have of the spectators of a room, and of all: the rest is for others. */
const SHARE_OF_ROOM = 1 / 2;
const SHARE_OF_ALL = 1 / 4;

/** Milliseconds between two looks at a room, and two messages to its spectators. */
const TICK = 100;

/** The most entries of a room that are passed on in one tick; more are only counted. */
export const MAX_ENTRIES_PER_TICK = 1_024;

/** The most entries on their way to a spectator; one with more misses those that come. */
export const MAX_UNTAKEN = 4 * MAX_ENTRIES_PER_TICK;

/**
 * The least that a message counts, in entries. It allows as many small messages as come in 25 s; a page
 * that takes nothing for 15 s is found dead.
 */
const LEAST_PER_MESSAGE = 16;

/**
 * How often a room's members are told that it has spectators (each then states what it is), or that it has
 * none: at once, and in each second after that. Spectators that come in between are served together.
 */
export const MAX_TELLS_AT_ONCE = 4;
const TELLS = { burst: MAX_TELLS_AT_ONCE, perSecond: 1 };

interface Spectator {
  /** Where its page is. */
  readonly network: string;
  readonly port: SpectatorPort;
  /** Whether limits count it. */
  readonly isCounted: boolean;
  /** The order it was last told. */
  order: Order;
  isOrderTaken: boolean;
  /** Entries. */
  untaken: number;
  missed: number;
}

interface WatchedRoom {
  readonly spectators: Set<Spectator>;
  traces: Traces['traces'];
  entries: number;
  missed: number;
  /** Whether a spectator is here that has not seen what members state only when they are told. */
  isStale: boolean;
  /** Whether members were last told that they have spectators. */
  isTold: boolean;
  /** Limits how often they are told. */
  readonly tells: TokenBucket;
}

export class Watching {
  readonly #ports: WatchPorts;
  readonly #limits: WatchLimits;
  /** Rooms that have spectators, or whose members were told so lately. */
  readonly #rooms = new Map<RoomName, WatchedRoom>();
  #spectators = 0;
  /** Of them those that limits count. */
  #counted = 0;
  readonly #networks = new Tally();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(ports: WatchPorts, limits: WatchLimits) {
    this.#ports = ports;
    this.#limits = limits;
  }

  get size(): number {
    return this.#spectators;
  }

  /** Why a room takes no further spectator; null where it does. */
  problem(room: RoomName): string | null {
    const { spectatorsPerRoom, spectators } = this.#limits;
    const here = this.#countedIn(room).length;
    if (here >= spectatorsPerRoom)
      return `the limit of spectators for room ${room} is ${spectatorsPerRoom}`;
    if (this.#counted >= spectators)
      return `the limit of spectators for this server is ${spectators}`;
    return null;
  }

  /** Whether a network has as many spectators of a room, or in all, as one may have. */
  hasMost(room: RoomName, network: string): boolean {
    const { spectatorsPerRoom, spectators } = this.#limits;
    const there = this.#countedIn(room);
    const here = there.filter((spectator) => spectator.network === network).length;
    return (
      here >= Math.ceil(spectatorsPerRoom * SHARE_OF_ROOM) ||
      this.#networks.of(network) >= Math.ceil(spectators * SHARE_OF_ALL)
    );
  }

  /**
   * Adds a spectator. Call it only where `problem` returned null and `hasMost` false, or for one that limits do
   * not count.
   * @returns the room's order, and a function to call when the spectator goes
   */
  add(
    room: RoomName,
    network: string,
    port: SpectatorPort,
    isCounted: boolean,
  ): { order: Order; remove: () => void } {
    const watched = this.#rooms.get(room) ?? this.#open(room);
    const { spectators } = watched;
    const order = this.#ports.order(room);
    const fresh = { isOrderTaken: true, untaken: 0, missed: 0 };
    const spectator: Spectator = { network, port, order, isCounted, ...fresh };
    spectators.add(spectator);
    this.#spectators += 1;
    if (isCounted) {
      this.#counted += 1;
      this.#networks.add(network);
    }
    // Also where the room has other spectators: each must learn the present state of the peers, which they
    // state at the start.
    watched.isStale = true;
    this.#tell(room, watched);
    this.#timer ??= setInterval(() => this.#tick(), TICK);
    return {
      order,
      remove: () => {
        if (!spectators.delete(spectator)) return;
        this.#spectators -= 1;
        if (isCounted) {
          this.#counted -= 1;
          this.#networks.remove(network);
        }
        if (spectators.size === 0) this.#tell(room, watched);
      },
    };
  }

  #countedIn(room: RoomName): readonly Spectator[] {
    const there = this.#rooms.get(room)?.spectators ?? [];
    return [...there].filter(({ isCounted }) => isCounted);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Takes a member's trace. */
  take(room: RoomName, peer: PeerId, trace: Trace): void {
    const open = this.#rooms.get(room);
    if (open === undefined) return;
    const size = trace.entries.length;
    if (open.entries + size > MAX_ENTRIES_PER_TICK) {
      open.missed += size;
      return;
    }
    open.entries += size;
    open.traces.push({ peer, at: this.#ports.date(), trace });
  }

  #open(room: RoomName): WatchedRoom {
    const open: WatchedRoom = {
      spectators: new Set(),
      traces: [],
      entries: 0,
      missed: 0,
      isStale: false,
      isTold: false,
      tells: fullBucket(TELLS, this.#ports.clock.now()),
    };
    this.#rooms.set(room, open);
    return open;
  }

  #tick(): void {
    for (const [room, open] of this.#rooms) {
      this.#passOn(open);
      this.#tell(room, open);
      if (open.spectators.size === 0) {
        // Until then the token bucket that limits `#tell` is kept.
        if (!open.isTold && isFull(open.tells, TELLS, this.#ports.clock.now()))
          this.#rooms.delete(room);
        continue;
      }
      const order = this.#ports.order(room);
      for (const spectator of open.spectators) this.#tellOrder(spectator, order);
    }
    if (this.#rooms.size === 0) this.stop();
  }

  #passOn(open: WatchedRoom): void {
    const { traces, entries, missed } = open;
    if (entries === 0) return;
    open.traces = [];
    open.entries = 0;
    open.missed = 0;
    const size = Math.max(LEAST_PER_MESSAGE, entries);
    for (const spectator of open.spectators) {
      spectator.missed += missed;
      if (spectator.untaken + size > MAX_UNTAKEN) {
        spectator.missed += entries;
        continue;
      }
      if (spectator.missed > 0) open.isStale = true;
      spectator.untaken += size;
      spectator.port.traces({ traces, missed: spectator.missed }, () => {
        spectator.untaken -= size;
      });
      spectator.missed = 0;
    }
  }

  /** Tells members that they have spectators, where a spectator needs it, or that they have none any more. */
  #tell(room: RoomName, open: WatchedRoom): void {
    const isWatched = open.spectators.size > 0;
    if (isWatched ? !open.isStale : !open.isTold) return;
    if (!takeOne(open.tells, TELLS, this.#ports.clock.now())) return;
    open.isStale = false;
    open.isTold = isWatched;
    this.#ports.tell(room, isWatched);
  }

  /** A spectator that has not taken the last order gets the next one when it has. */
  #tellOrder(spectator: Spectator, order: Order): void {
    if (!spectator.isOrderTaken || isSame(spectator.order, order)) return;
    spectator.order = order;
    spectator.isOrderTaken = false;
    spectator.port.order(order, () => {
      spectator.isOrderTaken = true;
    });
  }
}

function isSame(one: Order, other: Order): boolean {
  return (
    one.policy === other.policy &&
    one.peers.length === other.peers.length &&
    one.peers.every((id, at) => id === other.peers[at])
  );
}
