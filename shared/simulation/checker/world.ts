/** A room at one moment: its peers, links and server, as values that are never changed in place. */
import { initialElection, type ElectionState } from '../../election/state.ts';
import type { Policy } from '../../protocol/messages.ts';
import type { Wait } from '../../election/step.ts';
import { numberedId, type Known, type Parcel, type Space } from './space.ts';

/** Peers are numbered by the rank of their uuid. */
export type PeerNumber = number;

/** No peer. */
export const NOBODY = -1;

export interface Peer {
  /** As the server sees it; a peer that is `in` may not know its place yet. */
  readonly membership: 'outside' | 'in' | 'left' | 'crashed';
  readonly election: Known<ElectionState>;
  /** Where its messages go: over its one link with use `used`, back to itself, or nowhere. */
  readonly outlet: 'none' | 'loopback' | 'link';
  /** The neighbours of the last view it obeyed. */
  readonly successor: PeerNumber;
  readonly predecessor: PeerNumber;
  /** Whether its predecessors have been told that it has a successor. */
  readonly wasReady: boolean;
  /** `late`: has heard nothing for as long as its time-out. Used when time passes. */
  readonly timer: Wait | 'none' | 'late';
  readonly isViewDue: boolean;
  /** Departures that the view due will name, and those named by all views so far: bits. */
  readonly due: number;
  readonly told: number;
}

/** One link, as both its ends see it. `from` is the predecessor. */
export interface Link {
  readonly from: PeerNumber;
  readonly to: PeerNumber;
  /** At `from`: in the making, in use, or closed. */
  readonly use: 'attempt' | 'used' | 'closed';
  readonly isOpen: boolean;
  /** Whether `to` still reads it. */
  readonly isRead: boolean;
  /** What `from` knows of `to` by its HELLO. */
  readonly greeting: 'none' | 'unready' | 'ready';
  readonly forth: readonly Known<Parcel>[];
  readonly back: readonly Known<Parcel>[];
}

/** How often each event may still happen. */
export interface Budget {
  readonly starts: number;
  readonly timeouts: number;
  readonly leaves: number;
  readonly crashes: number;
  /** Links that close while both ends live. */
  readonly drops: number;
  /** Single messages that vanish, as at a peer that freezes. */
  readonly losses: number;
  /** Successors that change for no reason, to any peer. */
  readonly rewirings: number;
  /** All of these and joins together. */
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
  /** How many messages were sent, where that is counted; otherwise {@link UNCOUNTED}. */
  readonly messages: number;
  /**
   * Where successors change for no reason: which peers have sent which claims, by term. One bit for each
   * peer and claimant; see {@link circuitBits}. Null elsewhere.
   */
  readonly circuits: readonly number[] | null;
}

export const UNCOUNTED = -1;

export interface Beginning {
  readonly policy: Policy;
  /** For each peer, by number. */
  readonly priorities: readonly number[];
  /** The first members in ring order, linked and without a leader; the others join. */
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
export function beginning(space: Space, { policy, priorities, ring, budget }: Beginning): World {
  const peers = priorities.map((priority, number): Peer => {
    const at = ring.indexOf(number);
    const isIn = at >= 0;
    return {
      membership: isIn ? 'in' : 'outside',
      election: space.state(initialElection({ priority, id: numberedId(number) }, policy)),
      outlet: !isIn ? 'none' : ring.length === 1 ? 'loopback' : 'link',
      successor: isIn ? neighbour(ring, at, 1) : NOBODY,
      predecessor: isIn ? neighbour(ring, at, -1) : NOBODY,
      wasReady: isIn,
      timer: 'none',
      isViewDue: false,
      due: 0,
      told: 0,
    };
  });
  const links =
    ring.length < 2 ? [] : ring.map((from, at) => usedLink(from, neighbour(ring, at, 1)));
  const circuits = budget.rewirings > 0 ? [] : null;
  return { peers, links, ring, budget, elected: [], messages: UNCOUNTED, circuits };
}

/** The member so many places further. */
export function neighbour(ring: readonly PeerNumber[], at: number, distance: number): PeerNumber {
  return ring[(at + distance + ring.length) % ring.length] ?? NOBODY;
}

/** A link that is in use already. */
export function usedLink(from: PeerNumber, to: PeerNumber): Link {
  return {
    ...{ from, to, use: 'used', isOpen: true, isRead: true, greeting: 'ready' },
    forth: [],
    back: [],
  };
}

const MEMBERSHIPS = ['outside', 'in', 'left', 'crashed'] as const;
const OUTLETS = ['none', 'loopback', 'link'] as const;
const TIMERS = ['none', 'leader', 'return', 'lap', 'late'] as const;
const USES = ['attempt', 'used', 'closed'] as const;
const GREETINGS = ['none', 'unready', 'ready'] as const;

/** Two worlds have the same key exactly if they cannot be told apart; the order of links does not count. */
export function keyOf(world: World): string {
  const { peers, links, ring, budget, elected, messages, circuits } = world;
  const { starts, timeouts, leaves, crashes, drops, losses, rewirings, all } = budget;
  const codes = [
    starts + 8 * (timeouts + 8 * (leaves + 8 * (crashes + 8 * drops))),
    all + 16 * (losses + 16 * rewirings),
    messages + 1,
    ring.length,
    ...ring,
    elected.length,
    ...elected,
    circuits?.length ?? 0,
    ...(circuits ?? []),
  ];
  for (const peer of peers) pushPeer(codes, peer);
  return String.fromCharCode(...codes) + links.map(linkKey).sort().join('');
}

function pushPeer(codes: number[], peer: Peer): void {
  const flags =
    MEMBERSHIPS.indexOf(peer.membership) +
    4 * (OUTLETS.indexOf(peer.outlet) + 4 * TIMERS.indexOf(peer.timer)) +
    128 * (Number(peer.wasReady) + 2 * Number(peer.isViewDue));
  codes.push(
    flags,
    peer.election.id & 0x7fff,
    peer.election.id >> 15,
    peer.successor + 1 + 16 * (peer.predecessor + 1),
    peer.due + 256 * peer.told,
  );
}

function linkKey(link: Link): string {
  const flags =
    USES.indexOf(link.use) +
    4 * GREETINGS.indexOf(link.greeting) +
    16 * (Number(link.isOpen) + 2 * Number(link.isRead));
  const codes = [link.from + 16 * link.to, flags, link.forth.length, link.back.length];
  for (const { id } of link.forth) codes.push(id);
  for (const { id } of link.back) codes.push(id);
  return String.fromCharCode(...codes);
}
