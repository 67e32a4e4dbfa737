/**
 * One room of the signaling server: an ordered ring of peers and what each must be told when it
 * changes. A data structure; it sends nothing itself.
 */
import type { PeerId } from '../protocol/ids.ts';
import {
  opposite,
  type Edge,
  type JoinRequest,
  type Offer,
  type SignalDelivery,
  type SignalRequest,
  type View,
} from '../protocol/signaling.ts';

/** Something a peer is to be told. */
export type Delivery =
  | { readonly to: PeerId; readonly type: 'view'; readonly view: View }
  | { readonly to: PeerId; readonly type: 'signal'; readonly signal: SignalDelivery };

/** What a newcomer brings. */
export type Newcomer = Pick<JoinRequest, 'id' | 'offers'>;

/** How many departures a room remembers, to tell of them and to refuse their ids. */
const MAX_DEPARTURES = 256;

interface Place {
  readonly successor: PeerId;
  readonly predecessor: PeerId;
}

interface Member {
  readonly id: PeerId;
  /** When the edge to its successor was made, by the room's own count of edges. */
  edgeMade: number;
  /** Where it was last told to be; null for a newcomer. */
  place: Place | null;
  /** The version of the last view it was given. */
  told: number;
}

/** The link that a newcomer offers on an edge. */
interface Brought {
  readonly from: PeerId;
  readonly offer: Offer;
}

type Offers = ReadonlyMap<PeerId, JoinRequest['offers']>;

export class Room {
  readonly #epoch: string;
  /** In ring order: each one's successor is the next, the last one's the first. */
  #ring: Member[] = [];
  #departures: { readonly id: PeerId; readonly version: number }[] = [];
  #version = 0;
  #edgesMade = 0;

  /** @param epoch names this memory of the server; another one means that it was lost */
  constructor(epoch: string) {
    this.#epoch = epoch;
  }

  get size(): number {
    return this.#ring.length;
  }

  /** The peers in ring order, each followed by its successor. */
  get peers(): readonly PeerId[] {
    return this.#ring.map(({ id }) => id);
  }

  has(id: PeerId): boolean {
    return this.#find(id) !== undefined;
  }

  /** Whether the id was used by a peer that is gone. An id names one membership. */
  hasLeft(id: PeerId): boolean {
    return this.#departures.some((departure) => departure.id === id);
  }

  /**
   * Gives the newcomers their places, all in one new version of the view.
   * @param newcomers with ids that are new to the room
   * @returns a view for each newcomer and each peer with a new neighbour, and the newcomers' offers
   */
  join(newcomers: readonly Newcomer[]): Delivery[] {
    this.#version += 1;
    for (const { id } of newcomers) this.#insert(id);
    return this.#announce(new Map(newcomers.map(({ id, offers }) => [id, offers])));
  }

  /**
   * Closes the ring over a peer.
   * @returns views for those whose neighbour it was; nothing where it was not a member
   */
  leave(id: PeerId): Delivery[] {
    const at = this.#ring.findIndex((member) => member.id === id);
    if (at < 0) return [];
    this.#ring.splice(at, 1);
    this.#version += 1;
    this.#departures = [...this.#departures, { id, version: this.#version }].slice(-MAX_DEPARTURES);
    const before = this.#ring.at(at - 1);
    if (before !== undefined) before.edgeMade = this.#nextEdge();
    return this.#announce(new Map());
  }

  /**
   * The view of a member as it stands, for one whose connection was lost. It names all departures:
   * what was sent last may have been lost with the connection.
   */
  view(id: PeerId): View | undefined {
    const member = this.#find(id);
    return member?.place ? this.#viewOf(member.place, 0) : undefined;
  }

  /**
   * Brokers a signal between neighbours.
   * @param from the sender as the server knows it
   * @returns the delivery, or null where the addressee is not the sender's neighbour on that edge
   */
  signal(from: PeerId, { to, edge, link, signals }: SignalRequest): Delivery | null {
    if (this.#find(from)?.place?.[edge] !== to || to === from) return null;
    return { to, type: 'signal', signal: { from, edge: opposite(edge), link, signals } };
  }

  #find(id: PeerId): Member | undefined {
    return this.#ring.find((member) => member.id === id);
  }

  #nextEdge(): number {
    this.#edgesMade += 1;
    return this.#edgesMade;
  }

  /**
   * Splits the oldest edge. Every edge is split once before any is split twice, so that a peer
   * makes two links for each doubling of the ring, however many join after it.
   */
  #insert(id: PeerId): void {
    let oldest: Member | undefined;
    for (const member of this.#ring)
      if (oldest === undefined || member.edgeMade < oldest.edgeMade) oldest = member;
    if (oldest !== undefined) oldest.edgeMade = this.#nextEdge();
    const newcomer = { id, edgeMade: this.#nextEdge(), place: null, told: this.#version };
    const at = oldest === undefined ? 0 : this.#ring.indexOf(oldest) + 1;
    this.#ring.splice(at, 0, newcomer);
  }

  /** Tells every member whose place has changed, together with the newcomers' offers to it. */
  #announce(offers: Offers): Delivery[] {
    return this.#ring.flatMap((member, at) => {
      const place = this.#placeAt(at, member);
      const before = member.place;
      if (before?.successor === place.successor && before.predecessor === place.predecessor)
        return [];
      member.place = place;
      const brought: Record<Edge, Brought | null> = {
        successor:
          before?.successor === place.successor
            ? null
            : broughtTo(offers, member.id, place.successor),
        predecessor:
          before?.predecessor === place.predecessor
            ? null
            : broughtTo(offers, place.predecessor, member.id),
      };
      const view = this.#viewOf(place, member.told, brought);
      member.told = this.#version;
      return [
        { to: member.id, type: 'view' as const, view },
        ...offerFor(member.id, 'successor', brought.successor),
        ...offerFor(member.id, 'predecessor', brought.predecessor),
      ];
    });
  }

  #placeAt(at: number, member: Member): Place {
    return {
      successor: (this.#ring[at + 1] ?? this.#ring[0] ?? member).id,
      predecessor: (this.#ring.at(at - 1) ?? member).id,
    };
  }

  /** @param since the version after which departures are named */
  #viewOf(place: Place, since: number, brought?: Record<Edge, Brought | null>): View {
    return {
      epoch: this.#epoch,
      version: this.#version,
      successor: { id: place.successor, link: brought?.successor?.offer.link ?? null },
      predecessor: { id: place.predecessor, link: brought?.predecessor?.offer.link ?? null },
      removed: this.#departures.filter(({ version }) => version > since).map(({ id }) => id),
    };
  }
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
function offerFor(to: PeerId, edge: Edge, brought: Brought | null): Delivery[] {
  if (brought === null || brought.from === to) return [];
  const { from, offer } = brought;
  return [{ to, type: 'signal', signal: { from, edge, link: offer.link, signals: offer.signals } }];
}
