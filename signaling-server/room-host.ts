/** The rooms that live on this server: the broker of shared/broker with its timer, and their spectators. */
import { randomInt } from 'node:crypto';
import { orderOf, placeOf, sessionsIn, sizeOf } from '../shared/broker/broker.ts';
import { run, type BrokerLoop } from '../shared/broker/run.ts';
import { mayLeave } from '../shared/broker/sessions.ts';
import {
  newBroker,
  type Broker,
  type Delivery,
  type Input,
  type Membership,
  type SessionId,
} from '../shared/broker/state.ts';
import type { Tickets } from '../shared/broker/tickets.ts';
import type { Clock } from '../shared/driver/ports.ts';
import type { PeerId, RoomName } from '../shared/protocol/ids.ts';
import type { LeaveRequest } from '../shared/protocol/signaling.ts';
import { Watching, type WatchLimits } from './watch.ts';

export interface HostLimits extends WatchLimits {
  readonly peersPerRoom: number;
  readonly rooms: number;
  /** Whether frames may go through the server, and how many bytes of them in a second in each room. */
  readonly relays: boolean;
  readonly relayedBytes: number;
}

interface HostPorts {
  readonly clock: Clock;
  readonly tickets: Tickets;
  /** Does what the broker says. */
  perform(delivery: Delivery): void;
  /** Tells a member whether its room has spectators. */
  tellWatched(session: SessionId, isWatched: boolean): void;
}

/** Of the random numbers. */
const RANGE = 2 ** 32;

/** How long a newcomer of a burst waits for the next one, in milliseconds. */
const BURST_WINDOW = 50;

/** A number from [0, 1) that nobody can foretell. */
function unforeseen(): number {
  return randomInt(RANGE) / RANGE;
}

export class RoomHost {
  readonly watching: Watching;
  readonly #broker: Broker;
  readonly #loop: BrokerLoop;

  /** @param memory names this memory of the rooms */
  constructor(memory: string, limits: HostLimits, ports: HostPorts) {
    const { clock, tickets } = ports;
    this.#broker = newBroker(memory, { ...limits, burstWindow: BURST_WINDOW }, clock.now());
    const perform = (delivery: Delivery) => ports.perform(delivery);
    const times = { clock, date: Date.now };
    this.#loop = run(this.#broker, perform, times, { tickets, random: unforeseen });
    this.watching = new Watching(
      {
        order: (room) => orderOf(this.#broker, room),
        tell: (room, isWatched) => {
          for (const session of sessionsIn(this.#broker, room))
            ports.tellWatched(session, isWatched);
        },
        clock,
        date: Date.now,
      },
      limits,
    );
  }

  /** Rooms and peers at this moment. */
  get size(): { readonly rooms: number; readonly peers: number } {
    return sizeOf(this.#broker);
  }

  has(room: RoomName): boolean {
    return this.#broker.rooms.has(room);
  }

  /** A room's peers in ring order. */
  peers(room: RoomName): readonly PeerId[] {
    return orderOf(this.#broker, room).peers;
  }

  /** The place that a session has, or is about to get. */
  placeOf(session: SessionId): Membership | null {
    return placeOf(this.#broker, session);
  }

  /** Whether somebody who has no connection may speak for a member. */
  mayLeave(request: LeaveRequest): boolean {
    return mayLeave(this.#broker, request);
  }

  give(input: Input): void {
    this.#loop.give(input);
  }

  /** Nobody has left: the rings go on. */
  stop(): void {
    this.#loop.stop();
    this.watching.stop();
  }
}
