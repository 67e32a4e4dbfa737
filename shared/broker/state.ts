/** What a broker remembers, what it is told, and what it has done: all of it plain data. */
import type { TokenBucket } from '../machine/token-bucket.ts';
import type { LinkId, PeerId, RoomName } from '../protocol/ids.ts';
import type { Policy } from '../protocol/messages.ts';
import type {
  Complaint,
  Facts,
  JoinRequest,
  LeaveRequest,
  ReplyTo,
  Request,
} from '../protocol/signaling.ts';
import type { Room, Told } from './room.ts';

/** A connection to the server, from its beginning to its end. */
export type SessionId = number;

/** Where a reply goes. The carrier chooses the number, which says to which request it is. */
export interface Asker {
  readonly session: SessionId;
  readonly number: number;
}

export type Input =
  /** `address` is the client's: connections with the same one may be the same person's. */
  | { readonly type: 'opened'; readonly session: SessionId; readonly address: string }
  | { readonly type: 'closed'; readonly session: SessionId }
  /** `grant` names what the client was let in by, if that has a name. */
  | (Asker & {
      readonly type: 'request';
      readonly request: Request;
      readonly grant?: string | undefined;
    })
  /** A member says over HTTP that it leaves. */
  | { readonly type: 'goodbye'; readonly request: LeaveRequest }
  /**
   * The room may be opened here from now on, in later eras than `era`. It `isLost` where it was another
   * server's that has died: it begins with a recovery.
   */
  | {
      readonly type: 'granted';
      readonly room: RoomName;
      readonly era: number;
      readonly isLost: boolean;
    }
  /** The earliest due time is over. */
  | { readonly type: 'time' };

/** What a carrier is to do, in order. */
export type Delivery =
  | (Asker & { readonly type: 'reply'; readonly reply: ReplyTo })
  | { readonly type: 'push'; readonly session: SessionId; readonly told: Told }
  /** The connection is to be ended; the broker knows nothing of it any more. */
  | { readonly type: 'end'; readonly session: SessionId; readonly why: Ending }
  /** For the log: a client came with a ticket that proves nothing here. */
  | { readonly type: 'ticket refused'; readonly session: SessionId }
  /** The same. */
  | { readonly type: 'note'; readonly room: RoomName; readonly note: Note };

/** What happens in a room that the people who run the server may want to know. */
export type Note =
  | { readonly type: 'recovery begun' }
  | { readonly type: 'recovery ended'; readonly members: number }
  | { readonly type: 'evicted'; readonly id: PeerId; readonly reason: Eviction };

/** Why a member was turned out. */
export type Eviction =
  /** It has not answered a probe. */
  | 'no answer'
  /** It has no connection, and its neighbours do not hear it. */
  | 'unheard'
  /** By the word of a neighbour. */
  | 'accused'
  /** By the host of the room. */
  | 'turned out'
  /** It was not in the ring that a room's members had before the server lost its memory. */
  | 'no place';

/** Why the server ends a session: its member has gone, or has come over another one. */
export type Ending = 'evicted' | 'replaced';

/** The place that a session has, or is about to get. */
export interface Membership {
  readonly room: RoomName;
  readonly id: PeerId;
}

/** What is known of a connection. */
interface Session {
  readonly address: string;
  /** null while it has none. */
  place: Membership | null;
}

/** A newcomer that waits for its place. */
interface Pending extends Asker {
  readonly request: JoinRequest;
  /** When it came. */
  readonly since: number;
}

/** What is known of one that has a place or is about to get one, besides the place. */
export interface Seat {
  /** null for one that was only named by its neighbours: it comes with its ticket. */
  secret: string | null;
  /** What its client was let in by; null where that has no name. */
  grant: string | null;
  /** Over which it asked for it last; null while it has no connection. */
  session: SessionId | null;
  /** When it found a neighbour silent that was awake, and which. */
  silences: readonly { readonly about: PeerId; readonly at: number }[];
  /** null while it is not probed. */
  probe: Probe | null;
  /** When it answered one last. */
  answeredAt: number;
  /** To which members it has lately offered links through the server, or answered such offers. */
  relays: readonly { readonly to: PeerId; readonly bucket: TokenBucket }[];
  /** Bytes that it may still have relayed; null while it has had none. */
  relayed: TokenBucket | null;
  /** What it asks of others, which waits for the end of a recovery. */
  lookups: Lookup[];
}

/** A complaint, and by whom. */
export interface Charge extends Complaint {
  readonly asker: Asker;
  readonly from: PeerId;
}

/** A link that the server offers to a member, to see whether it answers. */
export interface Probe {
  /** The time by which it has to answer. */
  readonly until: number;
  /** In whose name. */
  readonly from: PeerId;
  readonly link: LinkId;
  /** The complaints that wait for that, in order. */
  readonly charges: readonly Charge[];
}

/** A question: whether a peer is a member. */
interface Lookup extends Asker {
  readonly peer: PeerId;
}

/** What may be due in a room: one of each name at a time. */
export type RoomTask =
  /** Places for the newcomers of a burst. */
  | 'assign'
  /** Questions to neighbours of members without a connection. */
  | 'checks'
  /** The end of waiting for the members of a lost memory. */
  | 'recovery'
  /** The end of waiting for members that have not answered a probe. */
  | 'probes'
  /** A later era, told to all. */
  | 'era';

/** What is due at a time, and where. */
export interface Due {
  readonly at: number;
  readonly name: RoomTask;
  readonly room: RoomName;
}

export function newSeat(secret: string | null): Seat {
  return {
    secret,
    grant: null,
    session: null,
    silences: [],
    probe: null,
    answeredAt: -Infinity,
    relays: [],
    relayed: null,
    lookups: [],
  };
}

export interface OpenRoom extends Room {
  readonly name: RoomName;
  policy: Policy;
  facts: Facts;
  readonly openedAt: number;
  /** By peer: everyone who has a place or is about to get one. */
  readonly seats: Map<PeerId, Seat>;
  pending: readonly Pending[];
  /** When some were given their places last. */
  assignedAt: number | null;
  /** When all were told of a later era last. */
  eraToldAt: number | null;
  hasRecovered: boolean;
  /** The incarnations that members come from who were gathered. */
  readonly origins: Set<string>;
  /** Bytes that may still be relayed. */
  readonly relayed: TokenBucket;
  /** What is due in it: the broker's `dues` are many. */
  readonly tasks: Set<RoomTask>;
}

export interface BrokerLimits {
  /** Members of one room. */
  readonly peersPerRoom: number;
  /** Rooms at a time. */
  readonly rooms: number;
  /** Whether frames may go through the server between members that have no direct link. */
  readonly relays: boolean;
  /** Bytes of such frames in each second, for each room. */
  readonly relayedBytes: number;
  /** Milliseconds within which arrivals after a first one are given their places together. */
  readonly burstWindow: number;
}

export interface Broker {
  /** Names this memory of the server; another one at each start. */
  readonly incarnation: string;
  readonly limits: BrokerLimits;
  readonly startedAt: number;
  readonly sessions: Map<SessionId, Session>;
  readonly rooms: Map<RoomName, OpenRoom>;
  /** Rooms that were forgotten with their members in them, not closed behind the last. */
  forgotten: readonly { readonly name: RoomName; readonly incarnation: string }[];
  /**
   * The latest era of the rooms that are closed, and of any that members of a lost memory have named:
   * a room that is opened anew may be one of theirs.
   */
  latestEra: number;
  /** Rooms that were another server's, and have not been opened here yet. */
  readonly lost: Set<RoomName>;
  /** Rooms without members that have a host: what is so there, and until when it is kept. */
  readonly reserved: Map<
    RoomName,
    {
      readonly facts: Facts;
      readonly until: number;
      readonly isEarly: boolean;
      /** Whose claim it is; null where members have been there. */
      readonly address: string | null;
    }
  >;
  /** By room and address: when members there got rid of neighbours by their word. */
  readonly accusations: Map<string, readonly number[]>;
  dues: Due[];
  /** Rooms opened so far. */
  opened: number;
}

/** @param incarnation names this memory of the server */
export function newBroker(incarnation: string, limits: BrokerLimits, now: number): Broker {
  return {
    incarnation,
    limits,
    startedAt: now,
    sessions: new Map(),
    rooms: new Map(),
    forgotten: [],
    latestEra: 0,
    accusations: new Map(),
    lost: new Set(),
    reserved: new Map(),
    dues: [],
    opened: 0,
  };
}
