/** What a ring member tells its observers: the page's log, the terminal, a test. */
import type { ElectionInput, Judgement } from '../election/step.ts';
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { ElectionMessage } from '../protocol/messages.ts';
import type { Edge, Fault, RefusalCode } from '../protocol/signaling.ts';

/** Whether frames go from device to device or through the signaling server. */
export type LinkKind = 'direct' | 'relayed';

/** How far a link has come; the predecessor of an edge decides which of its links is in use. */
type LinkState = 'connecting' | 'open' | 'in use' | 'closed';

export type ServerLink = 'connected' | 'reconnecting' | 'offline';
export type NeighbourLinkState = 'none' | 'connecting' | 'direct' | 'relayed';

/**
 * `no such leader`: the server does not know the one that was elected. `announcement taken back`: it
 * was held, and the leader is gone.
 */
export type Cause = ElectionInput['type'] | 'no such leader' | 'announcement taken back';

export type RingEvent = Readonly<
  | { type: 'joined'; id: PeerId; room: RoomName }
  | {
      type: 'neighbours';
      successor: PeerId;
      predecessor: PeerId;
      removed: readonly PeerId[];
      version: number;
    }
  | { type: 'link'; edge: Edge; kind: LinkKind; peer: PeerId; state: LinkState; reason: string }
  /** A new election, and what made this peer start it. */
  | { type: 'started'; term: number; because: Cause }
  | { type: 'sent'; message: ElectionMessage; to: PeerId }
  | { type: 'received'; message: ElectionMessage; from: PeerId; judgement: Judgement }
  | { type: 'leader'; leader: PeerId; term: number; size: number; isSelf: boolean }
  /** A message that is to be sent once the room's hop delay is over: the token is here so long. */
  | { type: 'holding'; message: ElectionMessage; milliseconds: number }
  /** What was heard of the leader confirms it no more, or does so again (election/SPEC.md, R10). */
  | { type: 'confirmation'; leader: PeerId; isConfirmed: boolean }
  /** The server has named the era in which this peer acts when it leads (election/SPEC.md, R9). */
  | { type: 'era'; era: number }
  /** A message that was held is not sent: its origin, or the link that it was for, is gone. */
  | { type: 'unsent'; message: ElectionMessage; reason: 'its origin is gone' | 'the link is lost' }
  /** The room's hop delay has changed, by this peer or another. */
  | { type: 'pace'; hopDelay: number; by: PeerId }
  /** What is known of the whole ring has changed: see {@link RingState.ring}. */
  | { type: 'ring' }
  /** A frame that could not be used. `count` is the number of such frames so far. */
  | { type: 'dropped'; from: PeerId; reason: string; count: number }
  /** A direct link is not made: as many were as a page may make. */
  | { type: 'spent' }
  /** A complaint about a neighbour was sent to the server. */
  | { type: 'complained'; about: PeerId; fault: Fault }
  /** One that was presumed departed is a member, by the server's word. */
  | { type: 'returned'; peer: PeerId }
  | { type: 'server'; state: ServerLink; reason: string }
  | { type: 'refused'; code: RefusalCode; message: string }
  | { type: 'error'; message: string }
  | { type: 'left' }
  /** It is gone without a goodbye to anyone. */
  | { type: 'vanished' }
>;

/** A link to a neighbour at one moment. */
export interface LinkSnapshot {
  readonly edge: Edge;
  readonly peer: PeerId;
  readonly kind: LinkKind;
  readonly state: Exclude<LinkState, 'closed'>;
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
  /** Whether what was heard of the leader still confirms it (election/SPEC.md, R10). */
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
