/** The ring as this peer can draw it: its places and links. Knows nothing of drawing. */
import type { PeerId } from '../shared/protocol/ids.ts';
import type { NeighbourLinkState, RingState, Seat } from '../shared/member/events.ts';

/** `unknown`: of a peer that the ring has not described. */
export type EdgeKind = Seat['link'] | 'broken' | 'unknown';

export interface PicturedPeer {
  /** How many successors after this peer; 0 is this peer, size - 1 its predecessor. */
  readonly place: number;
  /** null where only the place is known. */
  readonly id: PeerId | null;
  /** The kind of its link to its successor. */
  readonly link: EdgeKind;
}

export interface Picture {
  readonly size: number;
  /** In the order of their places; some are left out of a crowd of which little is known. */
  readonly peers: readonly PicturedPeer[];
}

/** With more peers than this that are not known one by one, they are not drawn one by one. */
const CROWD = 48;

/** What to draw: the whole ring, where the ring has described it, or else what this peer knows. */
export function pictureOf(ring: RingState): Picture {
  const seats = seatsFromHere(ring);
  if (seats === null) return sketchOf(ring);
  const peers = seats.map(({ id, link }, place) => ({
    place,
    id,
    link: ownEdge(place, seats.length, ring) ?? link,
  }));
  return { size: peers.length, peers };
}

/**
 * The seats as the ring last described them, this peer's first, updated with its neighbours, which it
 * learns sooner. null where this peer is not among them yet.
 */
function seatsFromHere(ring: RingState): readonly Seat[] | null {
  const { id, successor, predecessor } = ring;
  if (successor === null || predecessor === null || ring.ring === null) return null;
  const told = ring.ring.seats;
  const own = told.findIndex((seat) => seat.id === id);
  const self = told[own];
  if (self === undefined) return null;
  if (successor === id) return [self];
  const others = [...told.slice(own + 1), ...told.slice(0, own)];
  return [self, ...endingWith(predecessor, startingWith(successor, others))];
}

/** The peers before the new successor have gone, unless the successor itself has just come. */
function startingWith(successor: PeerId, others: readonly Seat[]): readonly Seat[] {
  const at = others.findIndex(({ id }) => id === successor);
  return at === -1 ? [{ id: successor, link: 'connecting' }, ...others] : others.slice(at);
}

function endingWith(predecessor: PeerId, others: readonly Seat[]): readonly Seat[] {
  const at = others.findIndex(({ id }) => id === predecessor);
  return at === -1 ? [...others, { id: predecessor, link: 'connecting' }] : others.slice(0, at + 1);
}

/** A peer knows more of its own two links than the ring does. */
function ownEdge(place: number, size: number, ring: RingState): EdgeKind | null {
  if (size === 1) return 'unknown';
  if (place === 0) return edgeKind(ring.successorLink);
  return place === size - 1 ? edgeKind(ring.predecessorLink) : null;
}

function edgeKind(link: NeighbourLinkState): EdgeKind {
  return link === 'none' ? 'broken' : link;
}

/** The places of the ring, with the peers that are known: neighbours and leader. */
function sketchOf(ring: RingState): Picture {
  const size = sizeOf(ring);
  const known = new Map<number, PeerId>();
  // A neighbour stands where it is now, wherever it was counted at the announcement.
  const isNear = [ring.id, ring.successor, ring.predecessor].includes(ring.leader);
  if (ring.leader !== null && ring.hopsFromLeader !== null && !isNear)
    known.set((size - (ring.hopsFromLeader % size)) % size, ring.leader);
  if (size > 1 && ring.predecessor !== null) known.set(size - 1, ring.predecessor);
  if (size > 1 && ring.successor !== null) known.set(1, ring.successor);
  known.set(0, ring.id);
  const peers = Array.from({ length: size }, (_, place) => ({
    place,
    id: known.get(place) ?? null,
    link: ownEdge(place, size, ring) ?? ('unknown' as const),
  }));
  return { size, peers: size > CROWD ? peers.filter(({ id }) => id !== null) : peers };
}

/** Before a first circuit is complete, at least the neighbours are known. */
function sizeOf({ id, successor, predecessor, size }: RingState): number {
  if (successor === null || successor === id) return 1;
  return successor === predecessor ? 2 : Math.max(size ?? 0, 3);
}
