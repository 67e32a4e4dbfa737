/**
 * All that a ring member knows. Plain data: it can be copied, compared and hashed. Only `handle` changes
 * it, and only while it handles an input.
 */
import type { ElectionState } from '../election/state.ts';
import type { Wait } from '../election/step.ts';
import type { Frame } from '../protocol/frame.ts';
import type { LinkId, PeerId, RoomName } from '../protocol/ids.ts';
import type {
  ByeMessage,
  ElectionMessage,
  HelloMessage,
  PeerMessage,
  Policy,
} from '../protocol/messages.ts';
import type { Edge, Signal, View } from '../protocol/signaling.ts';
import type { Census } from './census.ts';
import type { LinkKind, ServerLink } from './events.ts';
import type { HopDelay } from './hop-delay.ts';
import type { Lease, Patience } from './leader-patience.ts';
import type { TokenBucket } from '../machine/token-bucket.ts';

/** What a member is given and never changes. */
export interface Config {
  readonly room: RoomName;
  /** 0 to 255; the same for all where the highest uuid is to win. 0 never leads. */
  readonly priority: number;
  /** Wanted for the room; one that is open already has its own. */
  readonly policy: Policy;
  /** WebRTC connections that the platform lets it make at once. */
  readonly connections: number;
}

/** An id names one membership. The secret is known to its peer and the server alone. */
export interface Identity {
  readonly id: PeerId;
  readonly secret: string;
}

export interface Member {
  readonly config: Config;
  readonly device: Device;
  identity: Identity;
  membership: Membership;
  server: ServerLink;
  place: Place;
  readonly successor: SuccessorEdge;
  readonly predecessor: PredecessorEdge;
  /** The links that this peer has offered last. */
  offered: readonly { readonly edge: Edge; readonly id: LinkId }[];
  /** What was made with each neighbour, the newest last. */
  shares: readonly LinkShare[];
  readonly election: Election;
  readonly hopDelay: HopDelay;
  readonly neighbours: Suspicions;
  readonly lookups: Lookups;
  readonly admission: Admission;
  /** Frames that could not be used. */
  droppedFrames: number;
  /** Everything that is to happen at some time. */
  dues: Due[];
}

/** What outlives a membership: it belongs to the device, and all of its memberships share it. */
interface Device {
  /** WebRTC connections that may still be made. */
  readonly connections: TokenBucket;
  wasSpent: boolean;
  /** How the last attempt at a direct link ended. */
  lastAttempt: 'none' | 'succeeded' | 'failed';
  /** Random numbers drawn so far. */
  drawn: number;
  /** When the present membership began, and how often one had to be begun anew just before. */
  joinedAt: number | null;
  returns: number;
  /** How often in a row the server has put it off. */
  delays: number;
  /** Whether the server passes frames on between peers, as far as it is known. */
  mayRelay: boolean;
}

export type Membership =
  /** Not yet asked to join. */
  | { readonly name: 'new' }
  /** Waits for a place. `isAsked`: the request for it was sent. */
  | { readonly name: 'joining'; readonly offers: Offers; isAsked: boolean }
  | { readonly name: 'member' }
  /** A member that asks for its place over a new connection; frames on these links may be lost. */
  | { readonly name: 'resuming'; readonly relayed: readonly LinkId[] }
  /** Left or refused; only links that are closing are left. */
  | { readonly name: 'gone' }
  /** The same, and joins again as a new peer. */
  | { readonly name: 'returning' };

/** What a newcomer offers on its two edges; null where an offer has failed. */
export type Offers = Record<Edge, Offer | null>;

/** A link that a newcomer offers before it knows its neighbours. */
export interface Offer {
  readonly id: LinkId;
  readonly edge: Edge;
  readonly kind: LinkKind;
  readonly madeAt: number;
  /** What is to go to the other end, and how many of these have gone with the join. */
  readonly signals: Signal[];
  asked: number;
}

/** What the server has said of this member's place in the ring. */
interface Place {
  view: View | null;
  /** Of the room, once this member has settled in the server's present memory. */
  era: number | null;
  /** Until when an answer to the question for the era may come; null where none was asked. */
  settlingUntil: number | null;
}

/** One end of a link with a neighbour. */
export interface Link {
  readonly id: LinkId;
  readonly edge: Edge;
  readonly kind: LinkKind;
  readonly peer: PeerId;
  /** Whether this end made the offer. */
  readonly isInitiator: boolean;
  readonly madeAt: number;
  stage: Stage;
  /** Signals of the other end that were taken. */
  signals: number;
  /** Frames that could not be used. */
  faults: number;
  /** Bytes of the frames of a relayed link. */
  bytesSent: number;
  bytesReceived: number;
}

export type Stage =
  | { readonly name: 'connecting' }
  /** Frames can be sent; the neighbour has not said HELLO yet. */
  | (Alive & { readonly name: 'open' })
  | (Alive & {
      readonly name: 'greeted';
      /** What the neighbour said last of itself. */
      hello: HelloMessage;
      /** Messages of the election that wait for the hop delay, in the order in which they are sent. */
      held: readonly Held[];
    })
  /** BYE was sent; the other end closes it. */
  | { readonly name: 'leaving' }
  /** Nothing is said or heard any more, and the other end is not told. */
  | { readonly name: 'silent' }
  | { readonly name: 'closed' };

/** Of a link that frames can be sent on. */
export interface Alive {
  /** When something was last heard, or this end began to listen. */
  heardAt: number;
  /** Measured round trips, in milliseconds, and when the last of them was. */
  roundTrips: readonly number[];
  measuredAt: number;
  /** The heartbeat that waits for its answer, and the number of heartbeats so far. */
  beat: { readonly count: number; readonly at: number } | null;
  beats: number;
  /** Frames that may come, and heartbeats that are answered. */
  readonly frames: TokenBucket;
  readonly answers: TokenBucket;
}

/** A message that a link holds for the room's hop delay (SPEC.md, C5). */
type Held = Frame<ElectionMessage> & { readonly due: number };

/** Where messages to the successor go: over a link, straight back in a ring of one, or nowhere. */
export type Outlet = Link | 'loopback' | 'none';

/** The edge that this peer speaks on. */
interface SuccessorEdge {
  /** The successor of the current view; may differ from the one still in use. */
  target: PeerId | null;
  outlet: Outlet;
  /** Links in the making, and those that wait to be used. */
  attempts: readonly Link[];
  /** Attempts at a link to this target that have failed. */
  failures: Record<LinkKind, number>;
  /** Links to this target, one after the other, that came into use and did not last. */
  shortLived: number;
  /** When the target was reached by the link in use. */
  reachedAt: number;
  /** Whether the predecessors were told that there is an outlet. */
  isReadyTold: boolean;
}

/** The edge that this peer listens on. */
interface PredecessorEdge {
  /** The predecessor of the current view. */
  target: PeerId | null;
  /** Every link that a predecessor, this one or an earlier one, may still speak on. */
  links: readonly Link[];
  /** Messages on a direct link that wait for the goodbye on the relayed one before (SPEC.md, L6). */
  waiting: readonly Arrival[];
}

/** A message that has come on a link. */
export type Arrival<Message extends PeerMessage = ElectionMessage | ByeMessage> = Frame<Message> & {
  readonly link: LinkId;
};

/** What one neighbour may still have made with it. */
export interface LinkShare {
  readonly peer: PeerId;
  readonly direct: TokenBucket;
  readonly relayed: TokenBucket;
}

export interface Election {
  state: ElectionState;
  readonly patience: Patience;
  readonly gate: TermGate;
  readonly census: Census;
  /** The one timer (election/SPEC.md, R7), while it runs; its due is named `election`. */
  wait: RunningWait | null;
  /** Until when what was heard confirms the leader. */
  lease: Lease | null;
  /** Whether it was said that the present leader is not confirmed any more. */
  isDoubted: boolean;
  /** Whether a message from the predecessor has told the ring's term and its leader. */
  isTold: boolean;
}

export interface RunningWait {
  readonly until: Wait;
  readonly since: number;
  readonly due: number;
  /** From 0 to 1: how much longer it takes than it must. */
  readonly share: number;
}

/** What the failure detector knows of neighbours. */
interface Suspicions {
  /** Peers with whom a direct link broke or ended with their goodbye, and no link has come up since. */
  broken: readonly PeerId[];
  /** Whom it has complained about, and when, where the server has not answered yet. */
  complaints: readonly PeerAt[];
}

export interface PeerAt {
  readonly peer: PeerId;
  readonly at: number;
}

/** Questions to the server about other peers. */
interface Lookups {
  /** Peers presumed departed that the server was asked about, and when. */
  doubts: readonly PeerAt[];
  /** The leader that the server knew last. */
  confirmed: PeerId | null;
}

/** How far messages may lift the term. */
export interface TermGate {
  readonly bucket: TokenBucket;
  /** How far the term might be by now, had it followed the messages that came too soon. */
  floor: number;
  hasKnownLeader: boolean;
}

/** Messages of the election that may come from the predecessor, and from those before it. */
export interface Admission {
  readonly present: TokenBucket;
  readonly earlier: TokenBucket;
}

/** Something that is to happen at a time. */
export type Due = { readonly at: number } & (
  | { readonly name: 'heartbeat' }
  /** The next attempt at a direct link to the successor, and at a relayed one. */
  | { readonly name: LinkKind }
  /** The end of a link that this end has said goodbye on, or fallen silent on. */
  | { readonly name: 'close'; readonly link: Link }
  /** The next held message of the link in use. */
  | { readonly name: 'send held'; readonly link: LinkId }
  | { readonly name: 'election' }
  | { readonly name: 'probe'; readonly probe: Probe }
  /** The goodbye that messages on another link wait for is overdue. */
  | { readonly name: 'goodbye' }
  /** A message whose term came too soon. */
  | { readonly name: 'put off'; readonly arrival: Arrival<ElectionMessage> }
  | { readonly name: 'lookup' }
  /** The membership begins anew. */
  | { readonly name: 'return' }
  /** The server is asked again for a place, after it has put this peer off. */
  | { readonly name: 'ask again' }
);

/** A question for a sign of life that is under way. */
export interface Probe {
  readonly of: 'check' | 'last chance';
  readonly peer: PeerId;
  readonly links: readonly LinkId[];
  readonly askedAt: number;
  /** How often it may still be asked, this time included. */
  readonly rounds: number;
  /** `answers`: of what has come meanwhile, everything is taken first. */
  readonly waitsFor: 'answers' | 'arrivals';
}
