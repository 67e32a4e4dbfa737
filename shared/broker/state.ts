/** What a broker remembers, what it is told, and what it has done: all of it plain data. */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { Policy } from '../protocol/messages.ts';
import type { JoinRequest, LeaveRequest, ReplyTo, Request } from '../protocol/signaling.ts';
import { newDues, type Dues } from './dues.ts';
import type { Room, Told } from './room.ts';
import { newTable, type Table } from './table.ts';

/** A connection to the server, from its beginning to its end. */
export type SessionId = number;

/** Where a reply goes. The carrier chooses the number, which says to which request it is. */
export interface Asker {
  readonly session: SessionId;
  readonly number: number;
}

export type Input =
  | { readonly type: 'opened' | 'closed'; readonly session: SessionId }
  | (Asker & { readonly type: 'request'; readonly request: Request })
  /** A client has answered a probe. */
  | { readonly type: 'probed'; readonly session: SessionId; readonly probe: number }
  /** A member says over HTTP that it leaves. */
  | { readonly type: 'goodbye'; readonly request: LeaveRequest }
  /** The earliest due time is over. */
  | { readonly type: 'time' };

/** What a carrier is to do, in order. */
export type Delivery =
  | (Asker & { readonly type: 'reply'; readonly reply: ReplyTo })
  | { readonly type: 'push'; readonly session: SessionId; readonly told: Told }
  /** The client is to show that it is awake. */
  | { readonly type: 'probe'; readonly session: SessionId; readonly probe: number }
  /** The connection is to be ended; the broker knows nothing of it any more. */
  | { readonly type: 'end'; readonly session: SessionId; readonly why: Ending };

/** Why the server ends a session: its member was turned out, or has come over another one. */
export type Ending = 'evicted' | 'replaced';

/** The place that a session has, or is about to get. */
export interface Membership {
  readonly room: RoomName;
  readonly id: PeerId;
}

type Session = { readonly name: 'arrived' } | (Membership & { readonly name: 'placed' });

/** A newcomer that waits for its place. */
interface Pending extends Asker {
  readonly request: JoinRequest;
  /** When it came. */
  readonly since: number;
}

/** A complaint that was taken. */
interface Accusation {
  readonly about: PeerId;
  readonly at: number;
}

/** What is known of one that has a place or is about to get one, besides the place. */
export interface Seat {
  /** null for one that was only named by its neighbours: the first that comes for it has it. */
  secret: string | null;
  /** Over which it asked for it last; null while it has no connection. */
  session: SessionId | null;
  /** Neighbours it got rid of by its word, and times it found one silent that was awake. */
  accusations: readonly Accusation[];
  silences: readonly Accusation[];
  /** Which probes wait for it to show that it is awake. */
  probes: readonly number[];
}

/** A complaint that waits for its subject to show that it is awake. */
export interface Probe {
  readonly asker: Asker;
  readonly room: RoomName;
  readonly from: PeerId;
  readonly about: PeerId;
  /** The session that was asked. */
  readonly session: SessionId;
  /** Whether the member that complains is believed. */
  readonly isHeard: boolean;
}

/** A question that waits for the end of a recovery. */
export interface Lookup {
  readonly asker: Asker;
  readonly peer: PeerId;
}

export function newSeat(secret: string | null): Seat {
  return { secret, session: null, accusations: [], silences: [], probes: [] };
}

export interface OpenRoom {
  readonly name: RoomName;
  readonly room: Room;
  policy: Policy;
  readonly openedAt: number;
  /** When a member with a connection was last seen, while there are others. */
  presentAt: number;
  /** By peer: everyone who has a place or is about to get one. */
  readonly seats: Table<Seat>;
  pending: readonly Pending[];
  /** When some were given their places last. */
  assignedAt: number | null;
  /** When all were told of a later era last. */
  eraToldAt: number | null;
  hasRecovered: boolean;
  lookups: readonly Lookup[];
}

export interface BrokerLimits {
  /** Members of one room. */
  readonly peersPerRoom: number;
  /** Rooms at a time. */
  readonly rooms: number;
  /** Milliseconds within which arrivals after a first one are given their places together. */
  readonly burstWindow: number;
}

export interface Broker {
  /** Names this memory of the server; another one at each start. */
  readonly incarnation: string;
  readonly limits: BrokerLimits;
  readonly startedAt: number;
  readonly sessions: Table<Session>;
  readonly rooms: Table<OpenRoom>;
  /** Rooms whose names differ in case alone, by the name in small letters. */
  readonly spellings: Table<readonly RoomName[]>;
  /** Rooms that were forgotten with their members in them, not closed behind the last. */
  forgotten: readonly { readonly name: RoomName; readonly incarnation: string }[];
  /**
   * The latest era of the rooms that are closed, and of any that members of a lost memory have named:
   * a room that is opened anew may be one of theirs.
   */
  latestEra: number;
  readonly probes: Table<Probe>;
  readonly dues: Dues;
  /** Rooms opened and probes sent so far. */
  opened: number;
  probed: number;
}

/**
 * @param incarnation names this memory of the server
 * @param limits what it takes in
 * @param now see Moment of room.ts
 */
export function newBroker(incarnation: string, limits: BrokerLimits, now: number): Broker {
  return {
    incarnation,
    limits,
    startedAt: now,
    sessions: newTable(),
    rooms: newTable(),
    spellings: newTable(),
    forgotten: [],
    latestEra: 0,
    probes: newTable(),
    dues: newDues(),
    opened: 0,
    probed: 0,
  };
}
