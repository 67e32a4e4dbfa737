/**
 * One room of the signaling server: an ordered ring of peers and what each must be told when it
 * changes. A data structure; it sends nothing itself.
 */
import type { PeerId } from '../protocol/ids.ts';
import { joinFragments, neighbourOf, type Place, type Report } from './recovery.ts';
import {
  mostMembers,
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
  | { readonly to: PeerId; readonly type: 'signal'; readonly signal: SignalDelivery }
  /** Its neighbour's connection is lost: is there life on the links with it? */
  | { readonly to: PeerId; readonly type: 'check'; readonly peer: PeerId };

/** What a newcomer brings. */
export type Newcomer = Pick<JoinRequest, 'id' | 'offers'>;

/** How many departures a room remembers, to tell of them and to refuse their ids. */
const MAX_DEPARTURES = 256;

/** How many of its former neighbours a member may still pass signals to, on each edge. */
const MAX_FORMER = 4;

/** That a member has lost its connection. */
interface Loss {
  readonly at: number;
  /** Who its neighbours were then. */
  readonly neighbours: readonly PeerId[];
  /** Which of them have said since that they do not hear it, and whether they could. */
  readonly words: Map<PeerId, 'silent' | 'cannot tell'>;
}

interface Member {
  readonly id: PeerId;
  /** Whether it has said that it knows the ring's term. Until then it is a newcomer. */
  isSettled: boolean;
  /** When it got its place in this memory, whatever it says of another one. */
  readonly seated: number;
  /** Whether it has a connection to the server. */
  isPresent: boolean;
  /** When the edge to its successor was made, by the room's own count of edges. */
  edgeMade: number;
  /** Where it was last told to be; null for a newcomer. */
  place: Place | null;
  lost: Loss | null;
  /** Its neighbours before: a relayed link stays in use until another can replace it. */
  readonly former: Record<Edge, readonly PeerId[]>;
  /** The version of the last view it was given, and the era and the size that it was told last. */
  told: number;
  toldEra: number;
  toldSize: number;
}

/** The link that a newcomer offers on an edge. */
interface Brought {
  readonly from: PeerId;
  readonly offer: Offer;
}

/** Two kinds of time: the date may be set back or forward, so durations are not told by it. */
export interface RoomTime {
  /** Milliseconds since any fixed moment; never falls. */
  now(): number;
  /** Milliseconds since 1970, for eras. */
  date(): number;
}

type Offers = ReadonlyMap<PeerId, JoinRequest['offers']>;

export class Room {
  /** Names the memory that this room is in. */
  readonly epoch: string;
  /** In ring order: each one's successor is the next, the last one's the first. */
  #ring: Member[] = [];
  #departures: { readonly id: PeerId; readonly version: number }[] = [];
  #version = 0;
  #edgesMade = 0;
  /** What members say who held places in a memory that the server has lost. */
  #recovery: Report[] | null = null;
  readonly #time: RoomTime;
  #era: number;

  /**
   * @param epoch names this memory of the server; another one means that it was lost
   * @param eraBefore an era after which its own are to be
   */
  constructor(epoch: string, time: RoomTime, eraBefore = 0) {
    this.epoch = epoch;
    this.#time = time;
    this.#era = eraBefore;
  }

  /** The latest that any member was told, or that came before all of them. */
  get era(): number {
    return this.#era;
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
   * Gives the newcomers their places, all in one new version of the view and next to each other: with
   * an edge for each, twice as many links would have to be made.
   * @param newcomers with ids that are new to the room
   * @returns a view for each newcomer and each peer with a new neighbour, and the newcomers' offers
   */
  join(newcomers: readonly Newcomer[]): Delivery[] {
    this.#version += 1;
    let at = this.#oldestEdge();
    for (const { id } of newcomers) {
      this.#insertAt(at, this.#newMember(id));
      at += 1;
    }
    return this.#announce(new Map(newcomers.map(({ id, offers }) => [id, offers])));
  }

  /**
   * Closes the ring over a peer.
   * @param isGoodbye whether it went by its own word; one that did not may go on speaking on old links
   * @returns views for those whose neighbour it was; nothing where it was not a member
   */
  leave(id: PeerId, isGoodbye = true): Delivery[] {
    const at = this.#ring.findIndex((member) => member.id === id);
    const leaving = this.#ring[at];
    if (leaving === undefined) return [];
    if (this.#wasElsewhere(at, leaving)) this.#startEra();
    this.#ring.splice(at, 1);
    this.#version += 1;
    this.#depart([id]);
    const before = this.#ring.at(at - 1);
    if (before !== undefined) before.edgeMade = this.#nextEdge();
    return this.#announce(new Map(), isGoodbye ? null : id);
  }

  /**
   * A member knows the ring's term. Where no member did, the term began anew among newcomers: they
   * could not know in which one the last leader acted, so another era begins.
   * @param id of a member
   * @returns the era in which it acts, if it leads
   */
  settle(id: PeerId): number {
    if (!this.#ring.some(({ isSettled }) => isSettled)) this.#startEra();
    const member = this.#find(id);
    if (member !== undefined) {
      member.isSettled = true;
      member.toldEra = this.#era;
    }
    return this.#era;
  }

  /**
   * Whether a member without a connection has got neighbours that it was not told of. It may have been
   * elected in a ring without them, in a term that nobody else here knows.
   */
  #wasElsewhere(at: number, member: Member): boolean {
    if (member.lost === null) return false;
    const { successor, predecessor } = this.#placeAt(at, member);
    const { neighbours } = member.lost;
    return [successor, predecessor].some(
      (peer) => peer !== member.id && !neighbours.includes(peer),
    );
  }

  #startEra(): void {
    this.#era = Math.max(this.#time.date(), this.#era + 1);
  }

  /**
   * A member's connection is lost; its place is kept.
   * @returns what to ask its neighbours
   */
  lose(id: PeerId): Delivery[] {
    const member = this.#find(id);
    if (member === undefined) return [];
    member.isPresent = false;
    member.lost = this.#lostNow(member);
    // Others may have waited for this one's word alone.
    const waiting = this.#ring.filter(({ lost }) => lost?.neighbours.includes(id) === true);
    const absent = new Set([id, ...waiting.map((each) => each.id)]);
    return this.#ring.flatMap((other) => this.#checksOf(other, absent));
  }

  /** A member has a connection again. */
  regain(id: PeerId): void {
    const member = this.#find(id);
    if (member === undefined) return;
    member.isPresent = true;
    member.lost = null;
  }

  /**
   * A member that was only named by its neighbours is here. The room is in a later era than the one that
   * it brings: see {@link tellEra}.
   * @param era that it was told last; null where it was told none
   */
  identify(id: PeerId, era: number | null): void {
    if (this.has(id) && era !== null) this.#era = Math.max(this.#era, era + 1);
  }

  /** Nobody was here, so nobody could come back: all who are lost have time to from now on. */
  wake(): void {
    const at = this.#time.now();
    for (const member of this.#ring)
      if (member.lost !== null) member.lost = { ...member.lost, at, words: new Map() };
  }

  #lostNow({ id, place }: Member): Loss {
    const neighbours = place === null ? [] : [place.successor, place.predecessor];
    return {
      at: this.#time.now(),
      neighbours: neighbours.filter((neighbour) => neighbour !== id),
      words: new Map(),
    };
  }

  /**
   * Takes a neighbour's word that it does not hear an absent member. The member is gone if none that
   * was its neighbour when the connection was lost, and has one itself, might still hear it, and one
   * that had a link with it does not; or if all who were are gone, or there has been time enough to
   * come back. Until then one liar does not turn it out, nor one whose own link has broken.
   * @param hadLink whether the neighbour can tell
   * @param before the moment before which the loss was long ago
   * @returns whether the member is gone
   */
  isGoneByWordOf(from: PeerId, hadLink: boolean, about: PeerId, before: number): boolean {
    const lost = this.#find(about)?.lost ?? null;
    if (lost === null || lost.at <= before) return true;
    const { neighbours, words } = lost;
    if (neighbours.includes(from)) words.set(from, hadLink ? 'silent' : 'cannot tell');
    if (neighbours.length > 0 && !neighbours.some((id) => this.has(id))) return true;
    const mayHear = neighbours.some((id) => this.isPresent(id) && !words.has(id));
    return !mayHear && [...words.values()].includes('silent');
  }

  /** What to ask the neighbours of all members without a connection. */
  checks(): Delivery[] {
    const lost = this.#lost();
    return this.#ring.flatMap((other) => this.#checksOf(other, lost));
  }

  /** Whether a member has a connection. */
  isPresent(id: PeerId): boolean {
    return this.#find(id)?.isPresent === true;
  }

  /** Whether a peer had its place here at that moment already. */
  hasBeenHereSince(id: PeerId, moment: number): boolean {
    return (this.#find(id)?.seated ?? Infinity) <= moment;
  }

  get hasAbsent(): boolean {
    return this.#ring.some(({ isPresent }) => !isPresent);
  }

  /** Whether no member has a connection. */
  get isDeserted(): boolean {
    return this.#ring.every(({ isPresent }) => !isPresent);
  }

  /** Whether members of a lost memory are being gathered. Nobody is told of changes meanwhile. */
  get isRecovering(): boolean {
    return this.#recovery !== null;
  }

  /** Whether all peers that were named as neighbours have come back. */
  get isWhole(): boolean {
    const named = this.#reports.flatMap((report) => [
      neighbourOf(report, 'successor'),
      neighbourOf(report, 'predecessor'),
    ]);
    return named.every((id) => id === null || this.has(id) || this.hasLeft(id));
  }

  /** What those say who have come back and are still here. */
  get #reports(): readonly Report[] {
    return (this.#recovery ?? []).filter(({ id }) => this.has(id));
  }

  /**
   * From now on members of a lost memory are gathered. Who is here already had no way to know of
   * them, and may lead a ring of its own: it has to come again.
   * @returns who is let go
   */
  startRecovery(): readonly PeerId[] {
    const strangers = this.peers;
    this.#recovery = [];
    this.#version += 1;
    this.#ring = [];
    return strangers;
  }

  /**
   * Takes a member of a lost memory. While the room is recovering it keeps its place as it says;
   * later it gets one beside its old neighbours. The room is in a later era than any that is brought:
   * see {@link tellEra}.
   * @param era that it was told last; null where it was told none
   * @returns what to tell its neighbours
   */
  readmit(report: Report, era: number | null): Delivery[] {
    const { id, place } = report;
    if (era !== null) this.#era = Math.max(this.#era, era + 1);
    const member = { ...this.#newMember(id), place };
    if (this.#recovery !== null) {
      this.#recovery.push(report);
      this.#ring.push(member);
      return [];
    }
    this.#version += 1;
    this.#depart(report.removed.filter((peer) => !this.has(peer) && !this.hasLeft(peer)));
    this.#insertAt(this.#gapFor(place), member);
    return this.#announce(new Map());
  }

  /**
   * Ends the recovery: one ring of all who have come back and of all whom they named as neighbours.
   * @param mayAdd whether the room can take one more who has not come back yet
   * @returns views for those whose neighbours are others than they said, checks for the absent,
   *   and who is known to have left before
   */
  recover(mayAdd: () => boolean): {
    deliveries: Delivery[];
    absent: readonly PeerId[];
    gone: readonly PeerId[];
  } {
    const { order, gone } = joinFragments(this.#reports, (id) => this.hasLeft(id));
    this.#recovery = null;
    this.#version += 1;
    const members = new Map(this.#ring.map((member) => [member.id, member]));
    const absent: PeerId[] = [];
    this.#ring = [];
    this.#depart(gone);
    for (const id of order) {
      const member = members.get(id);
      if (member !== undefined) this.#ring.push(member);
      else if (mayAdd()) {
        absent.push(id);
        this.#ring.push({ ...this.#newMember(id), isPresent: false });
      }
    }
    for (const member of this.#ring) member.edgeMade = this.#nextEdge();
    this.#ring.forEach((member, at) => {
      if (!member.isPresent && member.lost === null)
        member.lost = this.#lostNow({ ...member, place: this.#placeAt(at, member) });
    });
    const announced = this.#announce(new Map());
    const told = new Set(announced.map(({ to }) => to));
    const asked = this.checks().filter(({ to }) => !told.has(to));
    return { deliveries: [...announced, ...asked], absent, gone };
  }

  /**
   * The view of a member as it stands, for one whose connection was lost. It names all departures:
   * what was sent last may have been lost with the connection.
   */
  view(id: PeerId): View | undefined {
    const member = this.#find(id);
    return member?.place ? this.#viewOf(member, member.place, 0) : undefined;
  }

  /** Whether the two were told that they are next to each other. */
  areNeighbours(id: PeerId, other: PeerId): boolean {
    const place = this.#find(id)?.place;
    return id !== other && (place?.successor === other || place?.predecessor === other);
  }

  /**
   * Brokers a signal between neighbours.
   * @param from the sender as the server knows it
   * @returns the delivery, or null where the addressee is not the sender's neighbour on that edge
   */
  signal(from: PeerId, { to, edge, link, signals }: SignalRequest): Delivery | null {
    const member = this.#find(from);
    if (member === undefined || to === from || !this.has(to)) return null;
    if (member.place?.[edge] !== to && !member.former[edge].includes(to)) return null;
    return { to, type: 'signal', signal: { from, edge: opposite(edge), link, signals } };
  }

  #find(id: PeerId): Member | undefined {
    return this.#ring.find((member) => member.id === id);
  }

  #nextEdge(): number {
    this.#edgesMade += 1;
    return this.#edgesMade;
  }

  /** Members without a connection. */
  #lost(): Set<PeerId> {
    return new Set(this.#ring.filter(({ isPresent }) => !isPresent).map(({ id }) => id));
  }

  #depart(ids: readonly PeerId[]): void {
    const left = ids.map((id) => ({ id, version: this.#version }));
    this.#departures = [...this.#departures, ...left].slice(-MAX_DEPARTURES);
  }

  #newMember(id: PeerId): Member {
    return {
      id,
      isSettled: false,
      seated: this.#time.now(),
      isPresent: true,
      edgeMade: this.#nextEdge(),
      lost: null,
      place: null,
      former: { successor: [], predecessor: [] },
      told: this.#version,
      toldEra: this.#era,
      toldSize: this.size,
    };
  }

  /**
   * Which member's edge is to be split next. Every edge is split once before any is split twice, so
   * that a peer makes two links for each doubling of the ring, however many join after it. Best one
   * between two that can be told at once.
   */
  #oldestEdge(): number {
    let oldest = -1;
    let age = Infinity;
    this.#ring.forEach(({ edgeMade, isPresent }, at) => {
      const isBesideAbsent =
        !isPresent || (this.#ring[at + 1] ?? this.#ring[0])?.isPresent === false;
      const rank = edgeMade + (isBesideAbsent ? this.#edgesMade : 0);
      if (rank >= age) return;
      oldest = at;
      age = rank;
    });
    return oldest;
  }

  /** Which member's edge leads to where the place was. */
  #gapFor({ successor, predecessor }: Place): number {
    const before = this.#ring.findIndex(({ id }) => id === predecessor);
    if (before >= 0) return before;
    const after = this.#ring.findIndex(({ id }) => id === successor);
    return after >= 0 ? (after || this.#ring.length) - 1 : this.#oldestEdge();
  }

  /** Puts a member behind the one at `at`; -1 for a room that is empty. */
  #insertAt(at: number, member: Member): void {
    const before = this.#ring[at];
    if (before !== undefined) before.edgeMade = this.#nextEdge();
    this.#ring.splice(at + 1, 0, member);
  }

  /** What to ask one member about those of its neighbours that have lost their connections. */
  #checksOf({ id, isPresent, place }: Member, lost: ReadonlySet<PeerId>): Delivery[] {
    if (!isPresent || place === null || lost.size === 0) return [];
    return [...new Set([place.successor, place.predecessor])]
      .filter((peer) => peer !== id && lost.has(peer))
      .map((peer) => ({ to: id, type: 'check' as const, peer }));
  }

  /** Whether there are members that have not been told of the present era. */
  get hasUntoldEra(): boolean {
    return this.#recovery === null && this.#ring.some((member) => this.#hasOldEra(member));
  }

  /**
   * What is to be told of the present era to those whose places are as they were. It is not a part of
   * what a change returns: that concerns a few, and this everyone.
   */
  tellEra(): Delivery[] {
    if (this.#recovery !== null) return [];
    const lost = this.#lost();
    return this.#ring.flatMap((member) =>
      member.place !== null && this.#hasOldEra(member)
        ? [this.#tell(member, member.place), ...this.#checksOf(member, lost)]
        : [],
    );
  }

  /**
   * Tells every member whose place has changed, together with the newcomers' offers to it.
   * @param evicted whom those are told of as well who may still listen to it
   */
  #announce(offers: Offers, evicted: PeerId | null = null): Delivery[] {
    if (this.#recovery !== null) return [];
    const lost = this.#lost();
    const placed = this.#ring.map((member, at) => {
      const place = this.#placeAt(at, member);
      const before = member.place;
      const isSame =
        before?.successor === place.successor && before.predecessor === place.predecessor;
      return { member, place, before, isSame };
    });
    // Those who have links to make come first: the ring waits for them.
    placed.sort((one, other) => Number(one.isSame) - Number(other.isSame));
    return placed.flatMap(({ member, place, before, isSame }) => {
      const mayListen = evicted !== null && member.former.predecessor.includes(evicted);
      const knowsSize = this.size <= mostMembers(member.toldSize);
      if (isSame && knowsSize && !mayListen) return [];
      member.place = place;
      const brought: Record<Edge, Brought | null> = { successor: null, predecessor: null };
      if (before?.successor !== place.successor) {
        brought.successor = broughtTo(offers, member.id, place.successor);
        remember(member, 'successor', before);
      }
      if (before?.predecessor !== place.predecessor) {
        brought.predecessor = broughtTo(offers, place.predecessor, member.id);
        remember(member, 'predecessor', before);
      }
      return [
        this.#tell(member, place, brought),
        ...offerFor(member.id, 'successor', brought.successor),
        ...offerFor(member.id, 'predecessor', brought.predecessor),
        ...this.#checksOf(member, lost),
      ];
    });
  }

  /** A newcomer knows no era: it asks for one when it settles. */
  #hasOldEra({ isSettled, toldEra }: Member): boolean {
    return isSettled && toldEra !== this.#era;
  }

  /** The next view of a member. */
  #tell(member: Member, place: Place, brought?: Record<Edge, Brought | null>): Delivery {
    const view = this.#viewOf(member, place, member.told, brought);
    member.told = this.#version;
    member.toldEra = this.#era;
    member.toldSize = this.size;
    return { to: member.id, type: 'view', view };
  }

  #placeAt(at: number, member: Member): Place {
    return {
      successor: (this.#ring[at + 1] ?? this.#ring[0] ?? member).id,
      predecessor: (this.#ring.at(at - 1) ?? member).id,
    };
  }

  /** @param since the version after which departures are named */
  #viewOf(
    { isSettled }: Member,
    place: Place,
    since: number,
    brought?: Record<Edge, Brought | null>,
  ): View {
    return {
      epoch: this.epoch,
      era: isSettled ? this.#era : null,
      version: this.#version,
      size: this.#ring.length,
      successor: { id: place.successor, link: brought?.successor?.offer.link ?? null },
      predecessor: { id: place.predecessor, link: brought?.predecessor?.offer.link ?? null },
      removed: this.#departures.filter(({ version }) => version > since).map(({ id }) => id),
    };
  }
}

/** Notes who was the neighbour on an edge. */
function remember(member: Member, edge: Edge, before: Place | null): void {
  if (before === null || before[edge] === member.id) return;
  member.former[edge] = [...member.former[edge], before[edge]].slice(-MAX_FORMER);
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
