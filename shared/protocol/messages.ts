/** What peers send each other over a link. Its encoding is in frame.ts. */
import type { LinkId, PeerId } from './ids.ts';

/**
 * What peers are compared by: first the priority (0 to 255), then the uuid, byte by byte.
 * Priority 0 relays and never leads.
 */
export interface Claim {
  readonly priority: number;
  readonly id: PeerId;
}

/**
 * How a room chooses its leader; fixed for the room. `highest`: always the greatest claim. `incumbent`: the
 * present leader, until a peer of a higher priority joins.
 */
export const POLICIES = ['highest', 'incumbent'] as const;
export type Policy = (typeof POLICIES)[number];

/** The most links that a message can count; the count stops there. */
export const MAX_HOPS = 0xffff;

/** The leader of a term, as received by the peer that holds it. */
export interface Decision {
  readonly leader: Claim;
  /** Which round of the announcement this is; 0 for the first, 0 <= lap < 2^32. */
  readonly lap: number;
  /** Number of peers on the leader's last completed circuit, 1 <= size < 2^16. */
  readonly size: number;
  /** Number of links between the leader and this peer, in ring order; 0 at the leader. */
  readonly hops: number;
}

/** A candidate's token: "I would lead". The uuid with flag 0 of the classic program. */
export interface ClaimMessage {
  readonly type: 'claim';
  /** 1 <= term < 2^32 */
  readonly term: number;
  readonly claim: Claim;
  /** Links travelled on arrival; 1 when sent by the candidate itself. */
  readonly hops: number;
}

/** The leader's announcement. The uuid with flag 1 of the classic program. */
export interface ElectedMessage {
  readonly type: 'elected';
  readonly term: number;
  /** `hops` is that of the recipient. */
  readonly decision: Decision;
}

export type ElectionMessage = ClaimMessage | ElectedMessage;

/** Whether a message only repeats, once a second, who the leader is. */
export function isLap(message: ElectionMessage): boolean {
  return message.type === 'elected' && message.decision.lap > 0;
}

/** First on each link, both ways, and again when `ready` changes. */
export interface HelloMessage {
  readonly type: 'hello';
  readonly id: PeerId;
  readonly link: LinkId;
  /** True once the sender has a successor of its own to relay to. */
  readonly ready: boolean;
  readonly term: number;
  /** The sender's own decision of that term, `hops` being the sender's. */
  readonly decision: Decision | null;
  readonly removed: readonly PeerId[];
}

/** Last on a link. */
export interface ByeMessage {
  readonly type: 'bye';
  /** `leaving`: the sender leaves the ring. `relinked`: only this link has been replaced. */
  readonly reason: 'leaving' | 'relinked';
}

/** Says "I am here". One that is not a reply is answered at once. Not passed on. */
export interface HeartbeatMessage {
  readonly type: 'heartbeat';
  readonly isReply: boolean;
  /** Number of the heartbeat, and of the one that a reply answers; 0 <= count < 2^16. */
  readonly count: number;
}

/** The longest hop delay, in milliseconds. */
export const MAX_HOP_DELAY = 2_000;

/** The most settings of the hop delay that can be told apart. */
export const MAX_PACE_COUNT = 0xffff_ffff;

/** How long each peer holds a message of an election; goes round once for each setting. */
export interface PaceMessage {
  readonly type: 'pace';
  /** In milliseconds, 0 <= hopDelay <= {@link MAX_HOP_DELAY}. */
  readonly hopDelay: number;
  /** Settings so far, this one included; 1 <= count < 2^32. */
  readonly count: number;
  /** The peer at which it was set. */
  readonly by: PeerId;
}

export type PeerMessage =
  ElectionMessage | HelloMessage | ByeMessage | HeartbeatMessage | PaceMessage;

/** The peer whose claim or leadership a message carries. */
export function originOf(message: ElectionMessage): PeerId {
  return message.type === 'claim' ? message.claim.id : message.decision.leader.id;
}
