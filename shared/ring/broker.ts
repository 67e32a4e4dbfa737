/**
 * The signaling server's mind: rooms, places and brokering, without its network. The Socket.IO
 * server and the simulated one both run it.
 */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { Policy } from '../protocol/messages.ts';
import type {
  JoinReply,
  JoinRequest,
  LeaveRequest,
  MembershipReply,
  Refusal,
  RefusalCode,
  Reply,
  Report,
  ResumeRequest,
  SettleReply,
  SignalRequest,
} from '../protocol/signaling.ts';
import type { Clock } from '../driver/ports.ts';
import { Room, type Delivery } from './room.ts';
import { RELAYED_PROBE_SILENCE } from '../protocol/timeouts.ts';

export interface BrokerPorts {
  readonly clock: Clock;
  /** Milliseconds since 1970. */
  readonly date: () => number;
  /** Brings something to a member, if it has a connection. */
  deliver(room: RoomName, delivery: Delivery): void;
  /**
   * Finds out whether a member that has a connection is awake.
   * @param onAnswer called once, with false after {@link PROBE_PATIENCE} at most
   */
  probe(room: RoomName, id: PeerId, onAnswer: (isAwake: boolean) => void): void;
  /** Ends the connection of one that is no member any more. */
  disconnect(room: RoomName, id: PeerId): void;
}

/** How many times the window of a burst its first newcomer waits at most for those that follow. */
const WINDOWS_PER_BURST = 10;

/** How long a member may take to answer a probe, in milliseconds: 8 s of silence with what was before. */
export const PROBE_PATIENCE = 4_500;

/** How often neighbours are asked about a member without a connection, in milliseconds. */
const CHECK_INTERVAL = 4_000;

/**
 * What lies at least between two times that all members of a room are told of a later era, in
 * milliseconds: each takes a view for every one of them, and anyone can bring an era.
 */
const ERA_INTERVAL = 250;

/** How long a room is remembered in which no member has a connection, in milliseconds. */
const DESERTED_PATIENCE = 30_000;

/** How long the members of a lost memory are waited for, in milliseconds, once one is back. */
const RECOVERY_PATIENCE = 5_000;

/** How long after its opening, or the server's start, a room may stop to gather those of a lost memory. */
const RECOVERY_PERIOD = 60_000;

/**
 * How far the clock of an earlier server may have been ahead, in milliseconds. Anyone can name an era,
 * and where a server forgets that it took it up, leaders are refused until its clock is that far.
 */
const CLOCK_SKEW = 300_000;

/**
 * How long an absent member is safe from the word of those who cannot know: as long as a neighbour on a
 * relayed link, who is one of them, listens before it complains.
 */
const GRACE = RELAYED_PROBE_SILENCE;

/** How long a peer must have been a member before it is believed that another misbehaves. */
const STANDING = 10_000;

/** For how long an accusation counts, and one of silence, in milliseconds. */
const ACCUSATION_MEMORY = 600_000;
const SILENCE_MEMORY = 120_000;

/** How often a neighbour that answers the server may be silent on its links before that is a fault. */
const MAX_SILENCES = 3;

/** What lies between two such times at least, in milliseconds: one fault is told of again and again. */
const SILENCE_INTERVAL = 4_000;

/** How many forgotten rooms are told from those that were empty at the end. */
const MAX_FORGOTTEN = 1_000;

/** Neighbours that one member may get rid of by its word alone; with one more it goes itself. */
const MAX_ACCUSATIONS = 2;

export interface BrokerLimits {
  /** Members of one room. */
  readonly peersPerRoom: number;
  /** Rooms at a time. */
  readonly rooms: number;
  /** Milliseconds within which arrivals after a first one are given their places together. */
  readonly burstWindow: number;
}

type OnJoined = (reply: JoinReply) => void;

interface Pending {
  readonly request: JoinRequest;
  readonly onJoined: OnJoined;
  /** When it came. */
  readonly since: number;
}

/** A complaint that was taken. */
interface Complaint {
  readonly about: PeerId;
  readonly at: number;
}

interface Seat {
  /** null for one that was only named by its neighbours: the first that comes for it has it. */
  secret: string | null;
  /** Neighbours it got rid of by its word, and times it found one silent that was awake. */
  accusations: readonly Complaint[];
  silences: readonly Complaint[];
  /** How often it has come back over another connection. */
  resumed: number;
  /** What waits for it to show that it is awake; to be called when its connection is lost. */
  readonly probes: Set<() => void>;
}

interface OpenRoom {
  readonly room: Room;
  policy: Policy;
  readonly openedAt: number;
  /** When a member with a connection was last seen, while there are others. */
  presentAt: number;
  /** Everyone who has a place or is about to get one. */
  readonly seats: Map<PeerId, Seat>;
  pending: Pending[];
  /** When some were given their places last. */
  assignedAt: number;
  cancelAssign: (() => void) | null;
  cancelChecks: (() => void) | null;
  cancelRecovery: (() => void) | null;
  /** When all were told of a later era last, and what waits for it. */
  eraToldAt: number;
  cancelEra: (() => void) | null;
  hasRecovered: boolean;
  /** Questions that wait for the end of the recovery. */
  lookups: (() => void)[];
}

export class Broker {
  readonly #epoch: string;
  readonly #ports: BrokerPorts;
  readonly #limits: BrokerLimits;
  readonly #rooms = new Map<RoomName, OpenRoom>();
  /** Rooms whose names differ in case alone, by the name in small letters. */
  readonly #spellings = new Map<string, Set<RoomName>>();
  #opened = 0;
  /**
   * The latest era of the rooms that are closed, and of any that members of a lost memory have named:
   * a room that is opened anew may be one of theirs.
   */
  #latestEra = 0;
  readonly #startedAt: number;
  /** Rooms that were forgotten with their members in them, not closed behind the last. */
  #forgotten: readonly { readonly name: RoomName; readonly epoch: string }[] = [];

  /**
   * @param epoch names this memory of the server; another one at each start
   * @param ports the network and the time
   * @param limits what it takes in
   */
  constructor(epoch: string, ports: BrokerPorts, limits: BrokerLimits) {
    this.#epoch = epoch;
    this.#ports = ports;
    this.#limits = limits;
    this.#startedAt = ports.clock.now();
  }

  /** Rooms and members at this moment. */
  get size(): { readonly rooms: number; readonly peers: number } {
    let peers = 0;
    for (const { room } of this.#rooms.values()) peers += room.size;
    return { rooms: this.#rooms.size, peers };
  }

  /** A room's peers in ring order, each followed by its successor. */
  peers(name: RoomName): readonly PeerId[] {
    return this.#rooms.get(name)?.room.peers ?? [];
  }

  /** Whom a room prefers; null where there is no such room. */
  policy(name: RoomName): Policy | null {
    return this.#rooms.get(name)?.policy ?? null;
  }

  /**
   * Takes a newcomer in: at once where none came just before, else with all others of its burst.
   * @param onJoined called once, unless the newcomer leaves before
   */
  join(request: JoinRequest, onJoined: OnJoined): void {
    const open = this.#rooms.get(request.room);
    const refused = this.#refuse(request, open);
    if (refused !== null) {
      // Its own earlier self, whose reply was lost with the connection: no one is there any more.
      if (open?.seats.get(request.id)?.secret === request.secret)
        this.leave(request.room, request.id);
      onJoined(refused);
      return;
    }
    const room = open ?? this.#open(request.room, request.policy);
    room.seats.set(request.id, newSeat(request.secret));
    room.pending.push({ request, onJoined, since: this.#ports.clock.now() });
    this.#schedule(request.room, room);
  }

  /**
   * Gives a member its view again, over another connection. Its place is as it was, also where this
   * memory is another than the one that it was in.
   */
  resume(request: ResumeRequest): JoinReply {
    const { room: name, id, secret } = request;
    const open = this.#rooms.get(name);
    const seat = open?.seats.get(id);
    if (open !== undefined && seat !== undefined) {
      const isPending = open.room.view(id) === undefined;
      if (isPending || (seat.secret !== null && seat.secret !== secret)) return placeLost(request);
      if (seat.secret === null) {
        open.room.identify(id, this.#eraOf(request.place));
        this.#announce(name, open, []);
      }
      seat.secret = secret;
      seat.resumed += 1;
      this.#wake(name, open);
      open.room.regain(id);
      open.presentAt = this.#ports.clock.now();
      return this.#viewFor(open, request);
    }
    const refused = this.#refuseReturn(request, open);
    return refused ?? this.#readmit(request, open ?? this.#open(name, request.policy));
  }

  /** A connection is lost: its peer keeps its place while its neighbours hear from it. */
  lose(name: RoomName, id: PeerId): void {
    const open = this.#rooms.get(name);
    if (open === undefined) return;
    if (!open.room.has(id)) {
      // It was about to become a member; nobody knows it yet.
      this.leave(name, id);
      return;
    }
    const checks = open.room.lose(id);
    this.#endProbes(open, id);
    this.#deliver(name, checks);
    if (open.cancelChecks === null) open.presentAt = this.#ports.clock.now();
    this.#keepChecking(name, open);
  }

  /** A connection that is lost does not answer; its neighbours are asked again as it ends. */
  #endProbes(open: OpenRoom, id: PeerId): void {
    const probes = open.seats.get(id)?.probes ?? new Set();
    const ends = [...probes];
    probes.clear();
    for (const end of ends) end();
  }

  /** Lets a member, or one about to become it, go. Nothing happens where it was neither. */
  leave(name: RoomName, id: PeerId): void {
    this.#remove(name, id, true);
  }

  #remove(name: RoomName, id: PeerId, isGoodbye: boolean): void {
    const open = this.#rooms.get(name);
    if (open?.seats.delete(id) !== true) return;
    open.pending = open.pending.filter(({ request }) => request.id !== id);
    this.#announce(name, open, open.room.leave(id, isGoodbye));
    if (open.seats.size === 0) this.#close(name, open);
    else this.#endRecovery(name, open);
  }

  /** Whether somebody who has no connection may speak for a member, or there is none to speak for. */
  mayLeave({ room, id, secret }: LeaveRequest): boolean {
    const seat = this.#rooms.get(room)?.seats.get(id);
    return seat === undefined || seat.secret === secret;
  }

  /** A member knows the ring's term (SPEC.md, R9). Returns the era in which it acts, if it leads. */
  settle(name: RoomName, id: PeerId): SettleReply {
    const room = this.#rooms.get(name)?.room;
    if (room?.has(id) !== true) return refusal('not-joined', `${id} is no member of ${name}`);
    return { ok: true, era: room.settle(id) };
  }

  /** Passes a signal on to a neighbour, or says why not. */
  signal(name: RoomName, from: PeerId, request: SignalRequest): Reply {
    const delivery = this.#rooms.get(name)?.room.signal(from, request) ?? null;
    if (delivery === null)
      return refusal('not-a-neighbour', `${request.to} is not your ${request.edge}`);
    this.#ports.deliver(name, delivery);
    return { ok: true };
  }

  /**
   * Takes a complaint about a neighbour. A silent one goes if it does not answer the server, or has no
   * connection and its other neighbour does not hear it, either; one that misbehaves goes at once, but
   * whoever says so too often goes itself.
   */
  report(
    name: RoomName,
    from: PeerId,
    { about, fault }: Report,
    onReply: (reply: MembershipReply) => void,
  ): void {
    const open = this.#rooms.get(name);
    const isMember = open?.room.has(about) === true;
    if (open === undefined || !isMember || !open.room.areNeighbours(from, about)) {
      onReply({ ok: true, isMember });
      return;
    }
    // Who is whose neighbour is only said so yet; and anyone can come in to accuse others.
    const isHeard =
      !open.room.isRecovering &&
      open.room.hasBeenHereSince(from, this.#ports.clock.now() - STANDING);
    if (fault === 'misbehaves') {
      const goes = isHeard ? this.#blame(open, from, about) : null;
      onReply({ ok: true, isMember: goes !== about });
      if (goes !== null) this.#evict(name, goes);
      return;
    }
    const seat = open.seats.get(about);
    if (seat === undefined || !open.room.isPresent(about)) {
      const before = this.#ports.clock.now() - GRACE;
      const isGone = open.room.isGoneByWordOf(from, fault === 'silent', about, before);
      onReply({ ok: true, isMember: !isGone });
      if (isGone) this.#evict(name, about);
      return;
    }
    const { probes, resumed } = seat;
    const end = () => {
      onReply({ ok: true, isMember: true });
    };
    probes.add(end);
    this.#ports.probe(name, about, (isAwake) => {
      if (!probes.delete(end)) return;
      const isStillThere = this.#rooms.get(name) === open && open.room.has(about);
      // Over another connection than the one that was asked, it has spoken meanwhile.
      const hasSpoken = isAwake || seat.resumed !== resumed;
      if (!isStillThere || !hasSpoken) {
        onReply({ ok: true, isMember: false });
        if (isStillThere) this.#evict(name, about);
        return;
      }
      const isBlamed = isHeard && this.#isNoNeighbour(open, from, about);
      const goes = isBlamed ? this.#blame(open, from, about) : null;
      onReply({ ok: true, isMember: goes !== about });
      if (goes !== null) this.#evict(name, goes);
    });
  }

  /** Whether a peer is a member. While a room is recovering the answer has to wait. */
  lookup(name: RoomName, id: PeerId, onReply: (reply: MembershipReply) => void): void {
    const open = this.#rooms.get(name);
    if (open?.room.isRecovering === true)
      open.lookups.push(() => {
        this.lookup(name, id, onReply);
      });
    else onReply({ ok: true, isMember: open?.room.has(id) === true });
  }

  /** Who of the two has to go. */
  #blame(open: OpenRoom, from: PeerId, about: PeerId): PeerId {
    const accuser = open.seats.get(from);
    if (accuser === undefined) return about;
    const at = this.#ports.clock.now();
    const recent = accuser.accusations.filter((each) => at - each.at < ACCUSATION_MEMORY);
    accuser.accusations = [...recent, { about, at }];
    return accuser.accusations.length > MAX_ACCUSATIONS ? from : about;
  }

  /** Whether a neighbour that is awake was found silent so often that it will not be a neighbour. */
  #isNoNeighbour(open: OpenRoom, from: PeerId, about: PeerId): boolean {
    const seat = open.seats.get(from);
    if (seat === undefined) return false;
    const at = this.#ports.clock.now();
    const recent = seat.silences.filter(
      (each) => each.about === about && at - each.at < SILENCE_MEMORY,
    );
    const last = recent.at(-1);
    if (last !== undefined && at - last.at < SILENCE_INTERVAL) return false;
    seat.silences = [...recent, { about, at }];
    return seat.silences.length >= MAX_SILENCES;
  }

  #evict(name: RoomName, id: PeerId): void {
    this.#remove(name, id, false);
    this.#ports.disconnect(name, id);
  }

  #refuse(request: JoinRequest, open: OpenRoom | undefined): Refusal | null {
    const { room: name, id } = request;
    if (open !== undefined && (open.seats.has(id) || open.room.hasLeft(id)))
      return idTaken(request);
    return this.#refuseOneMore(name, open);
  }

  #refuseOneMore(name: RoomName, open: OpenRoom | undefined): Refusal | null {
    if (open === undefined)
      return this.#rooms.size < this.#limits.rooms
        ? null
        : refusal('room-full', 'this server has as many rooms as it takes');
    if (open.seats.size >= this.#limits.peersPerRoom)
      return refusal('room-full', `room ${name} is full with ${open.seats.size} peers`);
    return null;
  }

  /** Who had a place in this very memory, and has it no more, was let go. */
  #refuseReturn(request: ResumeRequest, open: OpenRoom | undefined): Refusal | null {
    const { room, id, place } = request;
    const isOfThisMemory = place.epoch.startsWith(`${this.#epoch}.`);
    if (isOfThisMemory && !this.#hasForgotten(room, place.epoch)) return placeLost(request);
    if (open?.room.hasLeft(id) === true) return placeLost(request);
    return this.#refuseOneMore(room, open);
  }

  /** Takes in a member of a memory that is lost. */
  #readmit(request: ResumeRequest, open: OpenRoom): JoinReply {
    const { room: name, id, secret, place, removed } = request;
    const { version, successor, predecessor } = place;
    const era = this.#eraOf(place);
    if (this.#mayRecover(name, open, place.epoch)) this.#startRecovery(name, open);
    // The room may have been opened by a newcomer who could not know.
    if (open.room.isRecovering) open.policy = request.policy;
    open.seats.set(id, newSeat(secret));
    this.#wake(name, open);
    const report = { id, place: { successor, predecessor }, version, removed };
    this.#announce(name, open, open.room.readmit(report, era));
    const reply = this.#viewFor(open, request);
    this.#endRecovery(name, open);
    return reply;
  }

  /** The era that a member of a lost memory was told last; null where it was told none. */
  #eraOf({ era }: ResumeRequest['place']): number | null {
    if (era === null) return null;
    // No honest room was opened in the future; but clocks differ.
    if (era > this.#ports.date() + CLOCK_SKEW) return 0;
    this.#latestEra = Math.max(this.#latestEra, era);
    return era;
  }

  /** Anyone can make up a memory: it must not turn out those who have nothing to do with it. */
  #mayRecover(name: RoomName, open: OpenRoom, epoch: string): boolean {
    if (open.hasRecovered || open.room.isRecovering) return false;
    if (open.seats.size === 0) return true;
    const since = this.#ports.clock.now() - RECOVERY_PERIOD;
    if (this.#startedAt > since) return true;
    return open.openedAt > since && this.#hasForgotten(name, epoch);
  }

  #startRecovery(name: RoomName, open: OpenRoom): void {
    for (const id of open.room.startRecovery()) {
      open.seats.delete(id);
      this.#ports.disconnect(name, id);
    }
    this.#awaitReturns(name, open);
  }

  #awaitReturns(name: RoomName, open: OpenRoom): void {
    open.cancelRecovery?.();
    open.cancelRecovery = this.#ports.clock.after(RECOVERY_PATIENCE, () => {
      open.cancelRecovery = null;
      // Where nobody has a connection nobody could come back, either.
      if (open.room.isDeserted && open.pending.length === 0) this.#awaitReturns(name, open);
      else this.#recover(name, open);
    });
  }

  #viewFor({ room, policy }: OpenRoom, request: ResumeRequest): JoinReply {
    const view = room.view(request.id);
    return view === undefined ? placeLost(request) : { ok: true, view, policy };
  }

  /** Ends a recovery in which nobody is missing any more. */
  #endRecovery(name: RoomName, open: OpenRoom): void {
    if (open.cancelRecovery === null || !open.room.isWhole) return;
    open.cancelRecovery();
    // Not in the midst of a reply: what the recovery has to tell comes after it.
    open.cancelRecovery = this.#ports.clock.after(0, () => {
      open.cancelRecovery = null;
      this.#recover(name, open);
    });
  }

  #recover(name: RoomName, open: OpenRoom): void {
    open.hasRecovered = true;
    let free = this.#limits.peersPerRoom - open.seats.size;
    const { deliveries, absent, gone } = open.room.recover(() => free-- > 0);
    // Somebody else may have come with an id that turns out to be taken, or to have been.
    const taken = new Set([...absent, ...gone]);
    const refused = open.pending.filter(({ request }) => taken.has(request.id));
    open.pending = open.pending.filter(({ request }) => !taken.has(request.id));
    for (const id of absent) open.seats.set(id, newSeat(null));
    for (const { request, onJoined } of refused) onJoined(idTaken(request));
    this.#announce(name, open, deliveries);
    for (const id of gone) {
      open.seats.delete(id);
      this.#ports.disconnect(name, id);
    }
    if (absent.length > 0) this.#keepChecking(name, open);
    for (const answer of open.lookups.splice(0)) answer();
    if (open.seats.size === 0) this.#close(name, open);
    else this.#schedule(name, open);
  }

  /**
   * Somebody comes. In a room where nobody has a connection it may have been the server that could
   * not be reached: the absent are waited for and asked about as if it had begun now.
   */
  #wake(name: RoomName, open: OpenRoom): void {
    if (!open.room.isDeserted) return;
    open.room.wake();
    if (open.room.isRecovering && open.pending.length === 0) this.#awaitReturns(name, open);
    open.cancelChecks?.();
    open.cancelChecks = null;
    if (open.room.hasAbsent) this.#keepChecking(name, open);
  }

  /** Asks about members without a connection, again and again, as long as there are any. */
  #keepChecking(name: RoomName, open: OpenRoom): void {
    open.cancelChecks ??= this.#ports.clock.after(CHECK_INTERVAL, () => {
      open.cancelChecks = null;
      const now = this.#ports.clock.now();
      if (!open.room.isDeserted || open.pending.length > 0) open.presentAt = now;
      if (now - open.presentAt >= DESERTED_PATIENCE) {
        this.#forget(name, open);
        return;
      }
      this.#deliver(name, open.room.checks());
      if (open.room.hasAbsent) this.#keepChecking(name, open);
    });
  }

  /** A room that was empty counts its versions anew: that takes another epoch. */
  #open(name: RoomName, policy: Policy): OpenRoom {
    this.#opened += 1;
    const open: OpenRoom = {
      room: new Room(
        `${this.#epoch}.${this.#opened}`,
        { now: () => this.#ports.clock.now(), date: () => this.#ports.date() },
        this.#latestEra,
      ),
      policy,
      openedAt: this.#ports.clock.now(),
      presentAt: this.#ports.clock.now(),
      seats: new Map(),
      pending: [],
      assignedAt: -Infinity,
      cancelAssign: null,
      cancelChecks: null,
      cancelRecovery: null,
      eraToldAt: -Infinity,
      cancelEra: null,
      hasRecovered: false,
      lookups: [],
    };
    this.#rooms.set(name, open);
    this.#spellingsOf(name).add(name);
    return open;
  }

  /** Closes a room that may still be a ring, somewhere out of reach. */
  #forget(name: RoomName, open: OpenRoom): void {
    this.#close(name, open);
    this.#forgotten = [...this.#forgotten, { name, epoch: open.room.epoch }].slice(-MAX_FORGOTTEN);
  }

  #hasForgotten(name: RoomName, epoch: string): boolean {
    return this.#forgotten.some((room) => room.name === name && room.epoch === epoch);
  }

  #close(name: RoomName, open: OpenRoom): void {
    open.cancelAssign?.();
    open.cancelChecks?.();
    open.cancelRecovery?.();
    open.cancelEra?.();
    this.#latestEra = Math.max(this.#latestEra, open.room.era);
    this.#rooms.delete(name);
    const spellings = this.#spellingsOf(name);
    spellings.delete(name);
    if (spellings.size === 0) this.#spellings.delete(name.toLowerCase());
  }

  #spellingsOf(name: RoomName): Set<RoomName> {
    const spellings = this.#spellings.get(name.toLowerCase()) ?? new Set();
    this.#spellings.set(name.toLowerCase(), spellings);
    return spellings;
  }

  /** The fullest room of another spelling, for one that is alone in its own: phones capitalise. */
  #otherSpelling(name: RoomName): { readonly otherSpelling?: RoomName } {
    if (this.peers(name).length !== 1) return {};
    const others = [...this.#spellingsOf(name)].filter(
      (other) => other !== name && this.peers(other).length > 0,
    );
    const [otherSpelling] = others.toSorted(
      (one, other) => this.peers(other).length - this.peers(one).length,
    );
    return otherSpelling === undefined ? {} : { otherSpelling };
  }

  /** A lone newcomer waits for nothing; those of a burst wait for each other, but not without end. */
  #schedule(name: RoomName, open: OpenRoom): void {
    open.cancelAssign?.();
    open.cancelAssign = null;
    const [first] = open.pending;
    if (first === undefined || open.room.isRecovering) return;
    const now = this.#ports.clock.now();
    const { burstWindow } = this.#limits;
    const isBurst = open.pending.length > 1 || now < open.assignedAt + burstWindow;
    const waited = now - first.since;
    const wait = Math.min(burstWindow, WINDOWS_PER_BURST * burstWindow - waited);
    if (!isBurst || wait <= 0) {
      this.#assign(name, open);
      return;
    }
    open.cancelAssign = this.#ports.clock.after(wait, () => {
      open.cancelAssign = null;
      this.#assign(name, open);
    });
  }

  #assign(name: RoomName, open: OpenRoom): void {
    if (open.pending.length === 0 || open.room.isRecovering) return;
    open.assignedAt = this.#ports.clock.now();
    this.#wake(name, open);
    const arrived = new Map(open.pending.map((pending) => [pending.request.id, pending]));
    open.pending = [];
    for (const delivery of open.room.join([...arrived.values()].map(({ request }) => request))) {
      const newcomer = arrived.get(delivery.to);
      if (delivery.type === 'view' && newcomer !== undefined)
        newcomer.onJoined({
          ok: true,
          view: delivery.view,
          policy: open.policy,
          ...this.#otherSpelling(name),
        });
      else this.#ports.deliver(name, delivery);
    }
  }

  /** Hands out what a change brings to those whom it concerns, and to all the era that it has begun. */
  #announce(name: RoomName, open: OpenRoom, deliveries: readonly Delivery[]): void {
    this.#deliver(name, deliveries);
    if (open.cancelEra !== null || !open.room.hasUntoldEra) return;
    const now = this.#ports.clock.now();
    const wait = open.eraToldAt + ERA_INTERVAL - now;
    if (wait > 0) {
      open.cancelEra = this.#ports.clock.after(wait, () => {
        open.cancelEra = null;
        this.#announce(name, open, []);
      });
      return;
    }
    open.eraToldAt = now;
    this.#deliver(name, open.room.tellEra());
  }

  #deliver(name: RoomName, deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) this.#ports.deliver(name, delivery);
  }
}

function idTaken({ id }: JoinRequest): Refusal {
  return refusal('id-taken', `the id ${id} is or was another peer's`);
}

function placeLost({ room, id }: ResumeRequest): Refusal {
  return refusal('place-lost', `the place of ${id} in room ${room} is not kept any more`);
}

function newSeat(secret: string | null): Seat {
  return { secret, accusations: [], silences: [], resumed: 0, probes: new Set() };
}

function refusal(code: RefusalCode, message: string): Refusal {
  return { ok: false, code, message };
}
