/** What the members of a room are told of it: views, newcomers' offers, and questions. */
import type { PeerId } from '../protocol/ids.ts';
import { mostMembers, type Edge, type JoinRequest, type Offer } from '../protocol/signaling.ts';
import type { Place } from './ring-fragments.ts';
import {
  find,
  placeAt,
  toldNow,
  type Member,
  type Notice,
  type Room,
  type UnsealedView,
} from './room.ts';

/** How many of its former neighbours a member may still pass signals to, on each edge. */
const MAX_FORMER = 4;

/** What newcomers have brought, by their ids. */
type Offers = ReadonlyMap<PeerId, JoinRequest['offers']>;

/** The link that a newcomer offers on an edge. */
interface Brought {
  readonly from: PeerId;
  readonly offer: Offer;
}

/**
 * Tells every member whose place has changed, together with the newcomers' offers to it. Those who have
 * links to make come first: the ring waits for them.
 * @param offers of newcomers
 * @param evicted of whom those are told as well who may still listen to it
 */
export function tellPlaces(
  room: Room,
  offers: Offers = new Map(),
  evicted: PeerId | null = null,
): Notice[] {
  if (room.recollections !== null) return [];
  const absent = absentees(room);
  const placed = room.ring.map((member, at) => {
    const place = placeAt(room, at, member);
    const { successor, predecessor } = member.place;
    const isKnown = successor === place.successor && predecessor === place.predecessor;
    const isSame = isKnown && member.told.size > 0;
    return { member, place, isSame };
  });
  placed.sort((one, other) => Number(one.isSame) - Number(other.isSame));
  return placed.flatMap(({ member, place, isSame }) => {
    const mayListen = evicted !== null && member.former.predecessor.includes(evicted);
    const knowsSize = room.ring.length <= mostMembers(member.told.size);
    if (isSame && knowsSize && !mayListen) return [];
    const brought = move(member, place, offers);
    return [
      tell(room, member, brought),
      ...offerFor(member.id, 'successor', brought.successor),
      ...offerFor(member.id, 'predecessor', brought.predecessor),
      ...checksOf(member, absent),
    ];
  });
}

/**
 * The view of a member as it stands, for one whose connection was lost. It names all departures:
 * what was sent last may have been lost with the connection.
 */
export function viewFor(room: Room, id: PeerId): UnsealedView | undefined {
  const member = find(room, id);
  return member && viewOf(room, member, 0);
}

/** Whether there are members that have not been told of the present era. */
export function hasUntoldEra(room: Room): boolean {
  return room.ring.some((member) => hasOldEra(room, member));
}

/**
 * Tells of the present era those whose places are as they were. It is not a part of what a change
 * returns: that concerns a few, and this everyone.
 */
export function tellEra(room: Room): Notice[] {
  const absent = absentees(room);
  return room.ring.flatMap((member) =>
    hasOldEra(room, member) ? [tell(room, member), ...checksOf(member, absent)] : [],
  );
}

/**
 * What to ask the neighbours of members without a connection.
 * @param absent which of them
 */
export function checks(room: Room, absent: ReadonlySet<PeerId> = absentees(room)): Notice[] {
  return room.ring.flatMap((member) => checksOf(member, absent));
}

/** Members without a connection. */
function absentees({ ring }: Room): Set<PeerId> {
  return new Set(ring.filter(({ lost }) => lost !== null).map(({ id }) => id));
}

/** What to ask one member about those of its neighbours that have lost their connections. */
function checksOf({ id, lost, place }: Member, absent: ReadonlySet<PeerId>): Notice[] {
  if (lost !== null || absent.size === 0) return [];
  return [...new Set([place.successor, place.predecessor])]
    .filter((peer) => peer !== id && absent.has(peer))
    .map((peer) => ({ to: id, type: 'check' as const, peer }));
}

/** A newcomer knows no era: it asks for one when it settles. */
function hasOldEra({ era, recollections }: Room, { isSettled, told }: Member): boolean {
  return recollections === null && isSettled && told.era !== era;
}

/** Gives a member its new place. Returns what newcomers offer it on the edges that are new. */
function move(member: Member, place: Place, offers: Offers): Record<Edge, Brought | null> {
  const { id, place: before, former } = member;
  member.place = place;
  const broughtOn = (edge: Edge) => {
    if (before[edge] === place[edge]) return null;
    if (before[edge] !== id) former[edge] = [...former[edge], before[edge]].slice(-MAX_FORMER);
    return edge === 'successor'
      ? broughtTo(offers, id, place.successor)
      : broughtTo(offers, place.predecessor, id);
  };
  return { successor: broughtOn('successor'), predecessor: broughtOn('predecessor') };
}

/** The offer to use between two neighbours: the predecessor's own where it is a newcomer. */
function broughtTo(offers: Offers, predecessor: PeerId, successor: PeerId): Brought | null {
  if (predecessor === successor) return null;
  const forward = offers.get(predecessor)?.successor;
  if (forward !== undefined) return { from: predecessor, offer: forward };
  const backward = offers.get(successor)?.predecessor;
  return backward === undefined ? null : { from: successor, offer: backward };
}

/** Hands on an offer to the peer at the other end of the edge; `edge` is the recipient's. */
function offerFor(to: PeerId, edge: Edge, brought: Brought | null): Notice[] {
  if (brought === null || brought.from === to) return [];
  const { from, offer } = brought;
  return [{ to, type: 'signal', signal: { from, edge, ...offer } }];
}

/** The next view of a member. */
function tell(room: Room, member: Member, brought?: Record<Edge, Brought | null>): Notice {
  const view = viewOf(room, member, member.told.version, brought);
  member.told = toldNow(room);
  return { to: member.id, type: 'view', view };
}

/** @param since the version after which departures are named */
function viewOf(
  { incarnation, era, version, ring, departures }: Room,
  { isSettled, place }: Member,
  since: number,
  brought?: Record<Edge, Brought | null>,
): UnsealedView {
  return {
    incarnation,
    era: isSettled ? era : null,
    version,
    size: ring.length,
    successor: { id: place.successor, link: brought?.successor?.offer.link ?? null },
    predecessor: { id: place.predecessor, link: brought?.predecessor?.offer.link ?? null },
    removed: departures.filter((departure) => departure.version > since).map(({ id }) => id),
  };
}
