/** What a ring member tells its observers: the page's log, the terminal, a test. */
import type { ElectionInput, Judgement } from '../election/step.ts';
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { ElectionMessage } from '../protocol/messages.ts';
import type { Edge, RefusalCode, Report } from '../protocol/signaling.ts';

/** Whether frames go from device to device or through the signaling server. */
export type LinkKind = 'direct' | 'relayed';

export type ServerLink = 'connected' | 'reconnecting' | 'offline';
export type NeighbourLinkState = 'none' | 'connecting' | 'direct' | 'relayed';

/**
 * `no such leader`: the server does not know the one that was elected. `announcement taken back`: it
 * was held, and the leader is gone.
 */
export type Cause = ElectionInput['type'] | 'no such leader' | 'announcement taken back';

export type RingEvent =
  | { readonly type: 'joined'; readonly id: PeerId; readonly room: RoomName }
  | {
      readonly type: 'neighbours';
      readonly successor: PeerId;
      readonly predecessor: PeerId;
      readonly removed: readonly PeerId[];
      readonly version: number;
    }
  | {
      readonly type: 'link';
      readonly edge: Edge;
      readonly kind: LinkKind;
      readonly peer: PeerId;
      readonly state: 'connecting' | 'open' | 'in use' | 'closed';
      readonly reason: string;
    }
  /** A new election, and what made this peer start it. */
  | { readonly type: 'started'; readonly term: number; readonly because: Cause }
  | { readonly type: 'sent'; readonly message: ElectionMessage; readonly to: PeerId }
  | {
      readonly type: 'received';
      readonly message: ElectionMessage;
      readonly from: PeerId;
      readonly judgement: Judgement;
    }
  | {
      readonly type: 'leader';
      readonly leader: PeerId;
      readonly term: number;
      readonly size: number;
      readonly isSelf: boolean;
    }
  /** A message that is to be sent once the room's hop delay is over: the token is here so long. */
  | { readonly type: 'holding'; readonly message: ElectionMessage; readonly milliseconds: number }
  /** What was heard of the leader confirms it no more, or does so again (SPEC.md, R10). */
  | { readonly type: 'confirmation'; readonly leader: PeerId; readonly isConfirmed: boolean }
  /** The server has named the era in which this peer acts when it leads (SPEC.md, R9). */
  | { readonly type: 'era'; readonly era: number }
  /** A message that was held is not sent: its origin, or the link that it was for, is gone. */
  | {
      readonly type: 'unsent';
      readonly message: ElectionMessage;
      readonly reason: 'its origin is gone' | 'the link is lost';
    }
  /** The room's hop delay has changed, by this peer or another. */
  | { readonly type: 'pace'; readonly hopDelay: number; readonly by: PeerId }
  /** What is known of the whole ring has changed: see {@link RingState.ring}. */
  | { readonly type: 'ring' }
  /** A frame that could not be used. `count` is the number of such frames so far. */
  | {
      readonly type: 'dropped';
      readonly from: PeerId | null;
      readonly reason: string;
      readonly count: number;
    }
  /** A direct link is not made: as many were as a page may make. */
  | { readonly type: 'spent' }
  /** A report about a neighbour was sent to the server. */
  | { readonly type: 'complained'; readonly about: PeerId; readonly fault: Report['fault'] }
  /** One that was presumed departed is a member, by the server's word. */
  | { readonly type: 'returned'; readonly peer: PeerId }
  /** The server was not told of a neighbour, as far as is known. */
  | {
      readonly type: 'unreported';
      readonly about: PeerId;
      readonly fault: Report['fault'];
      readonly reason: 'no connection' | 'no answer';
    }
  | { readonly type: 'server'; readonly state: ServerLink; readonly reason: string }
  | { readonly type: 'refused'; readonly code: RefusalCode; readonly message: string }
  | { readonly type: 'error'; readonly message: string }
  | { readonly type: 'left' }
  /** It is gone without a goodbye to anyone. */
  | { readonly type: 'vanished' };

/** A link to a neighbour at one moment. */
export interface LinkSight {
  readonly edge: Edge;
  readonly peer: PeerId;
  readonly kind: LinkKind;
  readonly state: 'connecting' | 'open' | 'in use';
  /** Milliseconds since this end was made. */
  readonly age: number;
  /** Milliseconds that a heartbeat took there and back, the mean of the last few; null before the first. */
  readonly roundTrip: number | null;
  /** What the platform counts of it, as WebRTC's statistics. Expensive; call on demand. */
  readonly stats: () => Promise<readonly unknown[]>;
}

/** A peer as the leader's lap counted it. */
export interface Seat {
  readonly id: PeerId;
  /** What it passed the lap on by; `connecting`: by a way round, while its link is being made. */
  readonly link: LinkKind | 'connecting';
}

/** The whole ring, as the leader's last lap but one found it. */
export interface WholeRing {
  /** Of the leader whose lap it was. */
  readonly term: number;
  /** In ring order, the leader first; empty where there are more than can be told. */
  readonly seats: readonly Seat[];
  /** Messages that the election of this term has taken, of all peers together. */
  readonly messages: number;
}

/** A ring member at one moment. */
export interface RingState {
  readonly id: PeerId;
  readonly room: RoomName;
  /** `candidate` as long as an election goes on, also for one whose claim is beaten already. */
  readonly role: 'joining' | 'follower' | 'candidate' | 'leader' | 'offline';
  /**
   * With the term it orders all leaders of the room: a leader acts in no other's name than (era, term).
   * Milliseconds since 1970 by the server's clock; null before the server has named it.
   */
  readonly era: number | null;
  /** null before the first election it hears of, and once it has left. */
  readonly term: number | null;
  readonly leader: PeerId | null;
  /** Whether what was heard of the leader still confirms it (SPEC.md, R10). */
  readonly isConfirmed: boolean;
  /** Until when it does, in milliseconds since 1970 by this peer's clock; null where no leader is known. */
  readonly confirmedUntil: number | null;
  /** Links between the leader and this peer in ring order, where a leader is known. */
  readonly hopsFromLeader: number | null;
  /** Peers on the last completed circuit, where one is known. */
  readonly size: number | null;
  readonly successor: PeerId | null;
  readonly predecessor: PeerId | null;
  readonly successorLink: NeighbourLinkState;
  readonly predecessorLink: NeighbourLinkState;
  readonly server: ServerLink;
  /** null before a leader's lap has told of it. */
  readonly ring: WholeRing | null;
  /** For how long each peer holds a message of an election before it passes it on, in milliseconds. */
  readonly hopDelay: number;
}
