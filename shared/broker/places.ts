/** What changes a room. Each change returns what is to be told of it, and to whom. */
import type { PeerId } from '../protocol/ids.ts';
import { joinFragments, type Place, type Recollection } from './ring-fragments.ts';
import {
  find,
  has,
  hasLeft,
  lossOf,
  peersOf,
  placeAt,
  toldNow,
  type Member,
  type Newcomer,
  type Notice,
  type Room,
} from './room.ts';
import type { Moment } from '../machine/moment.ts';
import { checks, tellPlaces } from './views.ts';

/** How many departures a room remembers, to tell of them and to refuse their ids. */
const MAX_DEPARTURES = 256;

/**
 * Gives the newcomers their places, all in one new version of the view and next to each other: with
 * an edge for each, twice as many links would have to be made.
 * @param newcomers with ids that are new to the room
 * @returns a view for each newcomer and each peer with a new neighbour, and the newcomers' offers
 */
export function join(room: Room, newcomers: readonly Newcomer[], { now }: Moment): Notice[] {
  room.version += 1;
  let at = oldestEdge(room);
  for (const { id } of newcomers) {
    insertAt(room, at, newMember(room, id, now));
    at += 1;
  }
  return tellPlaces(room, new Map(newcomers.map(({ id, offers }) => [id, offers])));
}

/**
 * Closes the ring over a peer.
 * @param isGoodbye whether it went by its own word; one that did not may go on speaking on old links
 * @returns views for those whose neighbour it was; nothing where it was not a member
 */
export function leave(room: Room, id: PeerId, isGoodbye: boolean): Notice[] {
  const at = room.ring.findIndex((member) => member.id === id);
  const leaving = room.ring[at];
  if (leaving === undefined) return [];
  if (wasElsewhere(room, at, leaving)) room.era += 1;
  room.ring.splice(at, 1);
  room.version += 1;
  depart(room, [id]);
  room.recollections &&= room.recollections.filter((each) => each.id !== id);
  const before = room.ring.at(at - 1);
  if (before !== undefined) before.edgeMade = nextEdge(room);
  return tellPlaces(room, new Map(), isGoodbye ? null : id);
}

/**
 * A member knows the ring's term. Where no member did, the term began anew among newcomers: they
 * could not know in which one the last leader acted, so another era begins.
 * @param id of a member
 * @returns the era in which it acts, if it leads
 */
export function settle(room: Room, id: PeerId): number {
  if (!room.ring.some(({ isSettled }) => isSettled)) room.era += 1;
  const member = find(room, id);
  if (member !== undefined) {
    member.isSettled = true;
    member.told = { ...member.told, era: room.era };
  }
  return room.era;
}

/**
 * A member that was only named by its neighbours is here, or one of a lost memory. The room is in a later
 * era than the one that it brings: see `tellEra` of views.ts.
 * @param era that was the latest there
 */
export function outdo(room: Room, era: number): void {
  room.era = Math.max(room.era, era + 1);
}

/**
 * From now on members of a lost memory are gathered. Peers that are here already had no way to know
 * of them, and may lead a ring of their own: they have to come again.
 * @returns who is let go
 */
export function startRecovery(room: Room): readonly PeerId[] {
  const strangers = peersOf(room);
  room.recollections = [];
  room.version += 1;
  room.ring = [];
  return strangers;
}

/**
 * Takes a member of a lost memory. While the room is recovering it keeps its place as it says;
 * later it gets one beside its old neighbours.
 * @returns what to tell its neighbours
 */
export function readmit(room: Room, recollection: Recollection, { now }: Moment): Notice[] {
  const { id, place, removed, era } = recollection;
  outdo(room, era);
  const told = { ...toldNow(room), size: room.ring.length + 1 };
  const member = { ...newMember(room, id, now), place, told };
  if (room.recollections !== null) {
    room.recollections = [...room.recollections, recollection];
    room.ring.push(member);
    return [];
  }
  room.version += 1;
  // Of others than its neighbours it knows by hearsay, and anyone may have been a member once.
  const departed = [...new Set([place.successor, place.predecessor])].filter(
    (peer) => removed.includes(peer) && !has(room, peer) && !hasLeft(room, peer),
  );
  depart(room, departed);
  insertAt(room, gapFor(room, place), member);
  return tellPlaces(room);
}

/**
 * Ends the recovery: one ring of all who have come back and of all whom they named as neighbours.
 * @param free how many the room can take that have not come back yet
 * @returns views for those whose neighbours are others than they said, and checks for the absent; who
 *   is absent; and who is known to have left before
 */
export function recover(room: Room, free: number, { now }: Moment) {
  const { order, gone } = joinFragments(room.recollections ?? [], (id) => hasLeft(room, id));
  const members = new Map(room.ring.map((member) => [member.id, member]));
  const absent = order.filter((id) => !members.has(id)).slice(0, Math.max(0, free));
  room.recollections = null;
  room.version += 1;
  depart(room, gone);
  for (const id of absent) members.set(id, newMember(room, id, now));
  room.ring = order.flatMap((id) => members.get(id) ?? []);
  room.ring.forEach((member, at) => {
    member.edgeMade = nextEdge(room);
    if (absent.includes(member.id)) member.lost = lossOf(member.id, placeAt(room, at, member), now);
  });
  const announced = tellPlaces(room);
  const told = new Set(announced.map(({ to }) => to));
  const asked = checks(room).filter(({ to }) => !told.has(to));
  return { notices: [...announced, ...asked], absent, gone };
}

/**
 * Whether a member without a connection has got neighbours that it was not told of. It may have been
 * elected in a ring without them, in a term that nobody else here knows.
 */
function wasElsewhere(room: Room, at: number, member: Member): boolean {
  if (member.lost === null) return false;
  const { successor, predecessor } = placeAt(room, at, member);
  const { neighbours } = member.lost;
  return [successor, predecessor].some((peer) => peer !== member.id && !neighbours.includes(peer));
}

function depart(room: Room, ids: readonly PeerId[]): void {
  const left = ids.map((id) => ({ id, version: room.version }));
  room.departures = [...room.departures, ...left].slice(-MAX_DEPARTURES);
}

function newMember(room: Room, id: PeerId, now: number): Member {
  return {
    id,
    isSettled: false,
    seated: now,
    edgeMade: nextEdge(room),
    lost: null,
    place: { successor: id, predecessor: id },
    former: { successor: [], predecessor: [] },
    told: { ...toldNow(room), size: 0 },
  };
}

function nextEdge(room: Room): number {
  room.edgesMade += 1;
  return room.edgesMade;
}

/**
 * Which member's edge is to be split next. Every edge is split once before any is split twice, so
 * that a peer makes two links for each doubling of the ring, however many join after it. Best one
 * between two that can be told at once.
 */
function oldestEdge({ ring, edgesMade }: Room): number {
  const ranks = ring.map(({ edgeMade, lost }, at) => {
    const after = ring[at + 1] ?? ring[0];
    const isBesideAbsent = lost !== null || after?.lost !== null;
    return edgeMade + (isBesideAbsent ? edgesMade : 0);
  });
  return ranks.indexOf(Math.min(...ranks));
}

/** Which member's edge leads to where the place was. */
function gapFor(room: Room, { successor, predecessor }: Place): number {
  const { ring } = room;
  const before = ring.findIndex(({ id }) => id === predecessor);
  if (before >= 0) return before;
  const after = ring.findIndex(({ id }) => id === successor);
  return after >= 0 ? (after || ring.length) - 1 : oldestEdge(room);
}

/** Puts a member behind the one at `at`; -1 for a room that is empty. */
function insertAt(room: Room, at: number, member: Member): void {
  const before = room.ring[at];
  if (before !== undefined) before.edgeMade = nextEdge(room);
  room.ring.splice(at + 1, 0, member);
}
