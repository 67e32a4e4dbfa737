/**
 * One room of the signaling server: an ordered ring of peers. Plain data, and what may be asked of it;
 * places.ts changes it, and views.ts says what each member must be told then.
 */
import type { PeerId } from '../protocol/ids.ts';
import {
  opposite,
  type Edge,
  type JoinRequest,
  type SignalDelivery,
  type SignalRequest,
  type View,
} from '../protocol/signaling.ts';
import type { Place, Recollection } from './ring-fragments.ts';

/** A view without its ticket, which it gets where it is told. */
export type UnsealedView = Omit<View, 'ticket'>;

/** Something a member is to be told. */
export type Told<OneView = View> =
  | { readonly type: 'view'; readonly view: OneView }
  | { readonly type: 'signal'; readonly signal: SignalDelivery }
  /** Its neighbour's connection is lost: is there life on the links with it? */
  | { readonly type: 'check'; readonly peer: PeerId };

/** The same, with the member. */
export type Notice = Told<UnsealedView> & { readonly to: PeerId };

/** What a newcomer brings. */
export type Newcomer = Pick<JoinRequest, 'id' | 'offers'>;

/** That a member has lost its connection. */
export interface Loss {
  readonly at: number;
  /** Its neighbours then. */
  readonly neighbours: readonly PeerId[];
  /** Which of them have said since that they do not hear it, and whether they could. */
  readonly words: Readonly<Record<string, 'silent' | 'cannot tell'>>;
}

export interface Member {
  readonly id: PeerId;
  /** Whether it has said that it knows the ring's term. Until then it is a newcomer. */
  isSettled: boolean;
  /** When it got its place in this memory, whatever it says of another one. */
  readonly seated: number;
  /** When the edge to its successor was made, by the room's own count of edges. */
  edgeMade: number;
  /** Where it was last told to be; alone, where it was told nothing yet. */
  place: Place;
  /** null while it has a connection to the server. */
  lost: Loss | null;
  /** Its neighbours before: a relayed link stays in use until another can replace it. */
  readonly former: Record<Edge, readonly PeerId[]>;
  /** What it was told last: the version of its view, the era, and the size, which is 0 before the first. */
  told: { readonly version: number; readonly era: number; readonly size: number };
}

export interface Room {
  /** Names the memory that this room is in; another one means that the server has lost it. */
  readonly incarnation: string;
  /** The latest that any member was told, or that came before all of them. */
  era: number;
  /** In ring order: each one's successor is the next, the last one's the first. */
  ring: Member[];
  departures: readonly { readonly id: PeerId; readonly version: number }[];
  version: number;
  edgesMade: number;
  /** What members of a lost memory say while they are gathered. Nobody is told of changes meanwhile. */
  recollections: readonly Recollection[] | null;
}

/** @param eraBefore an era after which its own are to be */
export function newRoom(incarnation: string, eraBefore = 0): Room {
  return {
    incarnation,
    era: eraBefore,
    ring: [],
    departures: [],
    version: 0,
    edgesMade: 0,
    recollections: null,
  };
}

export function lossOf(id: PeerId, { successor, predecessor }: Place, now: number): Loss {
  const neighbours = [successor, predecessor];
  return { at: now, neighbours: neighbours.filter((neighbour) => neighbour !== id), words: {} };
}

export function find({ ring }: Room, id: PeerId): Member | undefined {
  return ring.find((member) => member.id === id);
}

export function has(room: Room, id: PeerId): boolean {
  return find(room, id) !== undefined;
}

/** What a member knows that is told of the room now. */
export function toldNow({ version, era, ring }: Room): Member['told'] {
  return { version, era, size: ring.length };
}

/** The peers in ring order, each followed by its successor. */
export function peersOf({ ring }: Room): readonly PeerId[] {
  return ring.map(({ id }) => id);
}

/** Whether the id was used by a peer that is gone. An id names one membership. */
export function hasLeft({ departures }: Room, id: PeerId): boolean {
  return departures.some((departure) => departure.id === id);
}

/** Whether a member has a connection. */
export function isPresent(room: Room, id: PeerId): boolean {
  return find(room, id)?.lost === null;
}

/** Whether no member has a connection. */
export function isDeserted({ ring }: Room): boolean {
  return ring.every(({ lost }) => lost !== null);
}

/** Whether the two were told that they are next to each other. */
export function areNeighbours(room: Room, id: PeerId, other: PeerId): boolean {
  const place = find(room, id)?.place;
  return id !== other && (place?.successor === other || place?.predecessor === other);
}

/** Whether all peers that were named as neighbours have come back. */
export function isWhole(room: Room): boolean {
  return (room.recollections ?? []).every(({ place, removed }) =>
    [place.successor, place.predecessor].every(
      (id) => removed.includes(id) || has(room, id) || hasLeft(room, id),
    ),
  );
}

/** Where a member is in the ring as it stands. */
export function placeAt({ ring }: Room, at: number, member: Member): Place {
  return {
    successor: (ring[at + 1] ?? ring[0] ?? member).id,
    predecessor: (ring.at(at - 1) ?? member).id,
  };
}

/**
 * Brokers a signal between neighbours.
 * @param from the sender as the server knows it
 * @returns what the addressee is told, or null where it is not the sender's neighbour on that edge
 */
export function passSignal(
  room: Room,
  from: PeerId,
  { to, edge, link, signals }: SignalRequest,
): Notice | null {
  const member = find(room, from);
  if (member === undefined || to === from || !has(room, to)) return null;
  if (member.place[edge] !== to && !member.former[edge].includes(to)) return null;
  return { to, type: 'signal', signal: { from, edge: opposite(edge), link, signals } };
}
