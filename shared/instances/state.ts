/** What an instance remembers, what it is told, and what it has done: all of it plain data. */
import { newBroker, type Broker, type BrokerLimits, type Delivery } from '../broker/state.ts';
import type { SessionId } from '../broker/state.ts';
import type { BrokerPorts } from '../broker/turn.ts';
import type { Moment } from '../machine/moment.ts';
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { LeaveRequest, Reply, Request } from '../protocol/signaling.ts';
import type { Order, Trace, Traces, WatchReply } from '../protocol/watch.ts';
import type { Answer, InstanceId, Question } from './directory.ts';
import {
  instanceId,
  type Ask,
  type Asked,
  type Envelope,
  type Item,
  type Said,
} from './envelope.ts';

/** A spectator's wish to follow a room: see `Ask`. */
type WatchAsk = Extract<Ask, { readonly type: 'watch' }>;

export type Input =
  /**
   * There is a directory, or another one in place of the one before: what that has granted is void.
   * `uptime` is since when it remembers, in milliseconds before now.
   */
  | { readonly type: 'directory'; readonly uptime: number }
  /** null where no answer came in time: the question may have been answered. */
  | { readonly type: 'answer'; readonly asked: Questioned; readonly answer: Answer | null }
  | { readonly type: 'envelope'; readonly envelope: Envelope }
  /** An envelope has not arrived, as far as can be known. */
  | { readonly type: 'undelivered'; readonly envelope: Envelope }
  /** A client has connected here, by an address as limits count it; and its connection has ended. */
  | { readonly type: 'opened'; readonly session: SessionId; readonly address: string }
  | { readonly type: 'closed'; readonly session: SessionId }
  | {
      readonly type: 'ask';
      readonly session: SessionId;
      readonly number: number;
      readonly ask: LocalAsk;
      /** What the client was let in by; null where that has no name. */
      readonly grant: string | null;
    }
  /** A spectator has taken what had this number. */
  | { readonly type: 'taken'; readonly session: SessionId; readonly number: number }
  | HostInput
  /** Others take over from here. */
  | { readonly type: 'stop' }
  /** The earliest due time is over. */
  | { readonly type: 'time' };

/** What a client of this instance asks: of its own room, unless it names one. */
export type LocalAsk =
  | Request
  | { readonly type: 'trace'; readonly body: Trace }
  | { readonly type: 'goodbye'; readonly body: LeaveRequest }
  | (WatchAsk & { readonly room: RoomName });

/** From those who serve the spectators of the rooms that this instance owns. */
export type HostInput =
  | {
      readonly type: 'host reply';
      readonly session: SessionId;
      readonly number: number;
      readonly reply: WatchReply | Reply;
    }
  | {
      readonly type: 'host order';
      readonly session: SessionId;
      readonly number: number;
      readonly order: Order;
    }
  | {
      readonly type: 'host traces';
      readonly session: SessionId;
      readonly number: number;
      readonly traces: Traces;
    }
  /** A spectator may not watch any more. */
  | { readonly type: 'host end'; readonly session: SessionId }
  /** Whether a room has spectators, which its members are to know. */
  | { readonly type: 'host watched'; readonly room: RoomName; readonly isWatched: boolean };

/** A question, and when it was asked. */
export interface Questioned {
  readonly question: Question;
  readonly at: Moment;
}

/** What a carrier is to do, in order. */
export type Output =
  /** To clients that are connected here. */
  | Said
  /** The connection of a client is to be closed, so that it comes again, here or elsewhere. */
  | { readonly type: 'cut'; readonly session: SessionId }
  | { readonly type: 'question'; readonly asked: Questioned }
  | { readonly type: 'publish'; readonly envelope: Envelope }
  /** For the log. */
  | Extract<Delivery, { readonly type: 'note' }>
  /** The same: it has lost all its rooms; and a client has to ask again. */
  | { readonly type: 'lease lost' | 'put off' }
  | { readonly type: 'left'; readonly room: RoomName; readonly id: PeerId }
  | ToHost;

/** To those who serve spectators. Sessions are the owner's. */
export type ToHost =
  | {
      readonly type: 'host watch';
      readonly session: SessionId;
      readonly number: number;
      readonly room: RoomName;
      readonly address: string;
      /** What it was let in by; null where that has no name. */
      readonly grant: string | null;
      readonly watch: WatchAsk['body'];
    }
  | {
      readonly type: 'host trace';
      readonly session: SessionId;
      readonly number: number;
      readonly room: RoomName;
      readonly id: PeerId;
      readonly trace: Trace;
    }
  | { readonly type: 'host taken'; readonly session: SessionId; readonly number: number }
  | { readonly type: 'host closed'; readonly session: SessionId };

/** The room that a client has a place in, or watches, or has asked for either by an ask of this number. */
export type Binding = { readonly room: RoomName; readonly number: number } & (
  { readonly type: 'member'; readonly id: PeerId } | { readonly type: 'spectator' }
);

/** A client that is connected here. */
export interface Client {
  readonly address: string;
  binding: Binding | null;
  /** What it has asked and not been answered, by number, and when. */
  readonly asks: Map<
    number,
    { readonly type: Ask['type']; readonly room: RoomName | null; readonly at: number }
  >;
}

/** A link with another instance: see envelope.ts. */
interface Link {
  readonly other: InstanceId;
  readonly number: number;
  readonly openedAt: number;
  /** What is in the next envelope. */
  batch: Item[];
  /** The numbers of the next envelopes. */
  nextSent: number;
  nextHeard: number;
  sentAt: number;
}

export interface UpLink extends Link {
  readonly way: 'up';
  /** Those of this instance's clients that the other one knows of. */
  readonly clients: Set<SessionId>;
}

export interface DownLink extends Link {
  readonly way: 'down';
  /** By the edge's number for a client: the broker's. */
  readonly sessions: Map<SessionId, SessionId>;
}

/** A room that this instance owns. */
export interface Owned {
  /** Whether its members were told that they have spectators. */
  isWatched: boolean;
  spectators: number;
  /** When the directory was last told to keep its record. */
  keptAt: number;
}

type Lease =
  | { readonly type: 'none' }
  /** Until these, whichever clock is first; `asked` is when it was asked for. */
  | { readonly type: 'held'; readonly asked: Moment; readonly until: Moment };

/** Asks for a room whose owner is not known. */
export interface Waiting {
  readonly asks: Asked[];
  /** Whether the directory has been asked. */
  isClaimed: boolean;
}

export interface Instance {
  /** Of the process; ids begin with it. */
  readonly name: string;
  readonly limits: BrokerLimits;
  /** How often it has begun anew. */
  generation: number;
  lease: Lease;
  /** Before it began anew; null where the directory knows that it is no more. */
  former: InstanceId | null;
  /** When the directory began to remember; null before there is one. */
  since: number | null;
  isStopped: boolean;
  /** Of the rooms that it owns. */
  broker: Broker;
  readonly clients: Map<SessionId, Client>;
  readonly owned: Map<RoomName, Owned>;
  /** By session: the room of its own that each spectator watches, or has asked for. */
  readonly spectators: Map<SessionId, RoomName>;
  /** Rooms of others, as far as needed here. */
  readonly elsewhere: Map<RoomName, InstanceId>;
  /** What waits until the directory has said whose a room is, and until that one can be reached. */
  readonly waiting: Map<RoomName, Waiting>;
  readonly up: Map<InstanceId, UpLink>;
  readonly down: Map<InstanceId, DownLink>;
  /** By the broker's number: clients of other instances. Those are below 0. */
  readonly remote: Map<SessionId, { readonly edge: InstanceId; readonly session: SessionId }>;
  /** How many there were. */
  remotes: number;
  links: number;
  nextTick: number | null;
}

type Named = Pick<Instance, 'name' | 'generation'>;

/** Names this instance: another one whenever it has begun anew. */
export function idOf({ name, generation }: Named): InstanceId {
  return instanceId(name, generation);
}

/** Names what it remembers of rooms. */
export function memoryOf({ name, generation }: Named): string {
  return `${name}.${generation}`;
}

/** @param name that no other process has */
export function newInstance(name: string, limits: BrokerLimits, now: number): Instance {
  const first = { name, generation: 1 };
  return {
    ...first,
    limits,
    lease: { type: 'none' },
    former: null,
    since: null,
    isStopped: false,
    broker: newBroker(memoryOf(first), limits, now),
    clients: new Map(),
    owned: new Map(),
    spectators: new Map(),
    elsewhere: new Map(),
    waiting: new Map(),
    up: new Map(),
    down: new Map(),
    remote: new Map(),
    remotes: 0,
    links: 0,
    nextTick: null,
  };
}

/** One input's worth of work. */
export interface Turn {
  readonly moment: Moment;
  readonly ports: BrokerPorts;
  readonly state: Instance;
  readonly outputs: Output[];
  /** Links that have something to send. */
  readonly touched: Set<UpLink | DownLink>;
}
