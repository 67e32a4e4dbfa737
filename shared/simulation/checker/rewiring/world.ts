/** A ring at one moment, whose successors change for no reason: values that are never changed in place. */
import { initialElection, type ElectionState } from '../../../election/state.ts';
import type { Policy } from '../../../protocol/messages.ts';
import type { Wait } from '../../../election/step.ts';
import { numberedId } from '../ids.ts';
import type { Known, Parcel, Space } from './space.ts';

/** Peers are numbered by the rank of their uuid. */
export type PeerNumber = number;

/** No peer. */
export const NOBODY = -1;

export interface Peer {
  readonly isMember: boolean;
  readonly election: Known<ElectionState>;
  /** Where its messages go: over its one link with use `used`, back to itself, or nowhere. */
  readonly outlet: 'none' | 'loopback' | 'link';
  readonly successor: PeerNumber;
  readonly timer: Wait | 'none';
  readonly isViewDue: boolean;
  /** Departures that the view due will name, and those named by all views so far: bits. */
  readonly due: number;
  readonly told: number;
}

/** One link, as both its ends see it. `from` is the predecessor. */
export interface Link {
  readonly from: PeerNumber;
  readonly to: PeerNumber;
  /** At `from`. */
  readonly use: 'used' | 'closed';
  /** Whether `to` still reads it. */
  readonly isRead: boolean;
  readonly forth: readonly Known<Parcel>[];
  readonly back: readonly Known<Parcel>[];
}

/** How often each event may still happen. */
export interface Budget {
  readonly starts: number;
  readonly timeouts: number;
  readonly leaves: number;
  /** Links that close while both ends live. */
  readonly drops: number;
  /** Single messages that vanish, as at a peer that freezes. */
  readonly losses: number;
  /** Successors that change for no reason, to any peer. */
  readonly rewirings: number;
  /** All of these together. */
  readonly all: number;
}

export interface World {
  readonly peers: readonly Peer[];
  readonly links: readonly Link[];
  /** The members in ring order, as the server has them. */
  readonly ring: readonly PeerNumber[];
  readonly budget: Budget;
  /** The peers elected in each term: bits. */
  readonly elected: readonly number[];
  /**
   * Which peers have sent which claims, by term. One bit for each peer and claimant; see {@link circuitBits}.
   */
  readonly circuits: readonly number[];
}

export interface Configuration {
  readonly name: string;
  readonly policy: Policy;
  /** For each peer, by number. */
  readonly priorities: readonly number[];
  /** The members in ring order, linked and without a leader. */
  readonly ring: readonly PeerNumber[];
  readonly budget: Budget;
}

/** In a term's {@link World.circuits}: these peers have sent this peer's claim. Up to four peers. */
export function circuitBits(claimant: PeerNumber, peers: number): number {
  return peers << (4 * claimant);
}

/** Which peers have sent this peer's claim. */
export function circuitOf(bits: number, claimant: PeerNumber): number {
  return (bits >> (4 * claimant)) & 0b1111;
}

/** The first world of a configuration. */
export function beginning(
  space: Space,
  { policy, priorities, ring, budget }: Configuration,
): World {
  const peers = priorities.map((priority, number): Peer => {
    return {
      isMember: true,
      election: space.state(initialElection({ priority, id: numberedId(number) }, policy)),
      outlet: 'link',
      successor: neighbour(ring, ring.indexOf(number), 1),
      timer: 'none',
      isViewDue: false,
      due: 0,
      told: 0,
    };
  });
  const links = ring.map((from, at) => usedLink(from, neighbour(ring, at, 1)));
  return { peers, links, ring, budget, elected: [], circuits: [] };
}

/** The member so many places further. */
export function neighbour(ring: readonly PeerNumber[], at: number, distance: number): PeerNumber {
  return ring[(at + distance + ring.length) % ring.length] ?? NOBODY;
}

/** A link that is in use already. */
export function usedLink(from: PeerNumber, to: PeerNumber): Link {
  return { from, to, use: 'used', isRead: true, forth: [], back: [] };
}

const OUTLETS = ['none', 'loopback', 'link'] as const;
const TIMERS = ['none', 'leader', 'return', 'lap'] as const;

/** Two worlds have the same key exactly if they cannot be told apart; the order of links does not count. */
export function keyOf(world: World): string {
  const { peers, links, ring, budget, elected, circuits } = world;
  const { starts, timeouts, leaves, drops, losses, rewirings, all } = budget;
  const codes = [
    starts + 8 * (timeouts + 8 * (leaves + 8 * drops)),
    all + 16 * (losses + 16 * rewirings),
    ring.length,
    ...ring,
    elected.length,
    ...elected,
    circuits.length,
    ...circuits,
  ];
  for (const peer of peers) pushPeer(codes, peer);
  return String.fromCharCode(...codes) + links.map(linkKey).sort().join('');
}

function pushPeer(codes: number[], peer: Peer): void {
  const flags =
    Number(peer.isMember) +
    2 * Number(peer.isViewDue) +
    4 * (OUTLETS.indexOf(peer.outlet) + 4 * TIMERS.indexOf(peer.timer));
  codes.push(
    flags,
    peer.election.id & 0x7fff,
    peer.election.id >> 15,
    peer.successor + 1,
    peer.due + 256 * peer.told,
  );
}

function linkKey(link: Link): string {
  const flags = Number(link.use === 'used') + 2 * Number(link.isRead);
  const codes = [link.from + 16 * link.to, flags, link.forth.length, link.back.length];
  for (const { id } of link.forth) codes.push(id);
  for (const { id } of link.back) codes.push(id);
  return String.fromCharCode(...codes);
}
