/**
 * A whole ring in one process: real ring members and the real broker on a simulated network and
 * clock. The same seed gives the same run, message for message.
 */
import { compareClaims } from '../election/claim.ts';
import {
  parsePeerId,
  parseRoomName,
  type Parsed,
  type PeerId,
  type RoomName,
} from '../protocol/ids.ts';
import { Fence } from '../election/fence.ts';
import type { Claim } from '../protocol/messages.ts';
import type { RingEvent, RingState } from '../ring/events.ts';
import type { OpenLink, Random } from '../ring/ports.ts';
import { RingPeer, type RingPeerOptions } from '../ring/ring-peer.ts';
import { SimulatedClock } from './clock.ts';
import { Device } from './device.ts';
import { SimulatedNetwork, type Delays } from './network.ts';
import { randomUuid, seededRandom } from './random.ts';
import { SimulatedServer, SOCKET_CLOSE, type Route } from './server.ts';

/** A line of the trace: who, when, what. */
export interface TraceEntry {
  readonly at: number;
  readonly peer: PeerId;
  readonly event: RingEvent;
}

/** What somebody may want to choose that is left to the dice otherwise. */
export interface WorldOptions {
  /** In place of the dice of the seed. */
  readonly random?: Random;
  /** Of each hop, also to the server. */
  readonly delays?: Delays;
  /** Of all peers. */
  readonly peers?: RingPeerOptions;
}

/** The same for one peer. */
export interface PeerOptions {
  readonly random?: Random;
  readonly newId?: () => PeerId;
  /** In place of that of all peers. */
  readonly priority?: number;
  /** Puts something of one's own between the peer and its links. */
  readonly tap?: (openLink: OpenLink) => OpenLink;
}

/** A peer of the world. Its id changes when it has to come back as a new one. */
export interface SimulatedPeer {
  readonly ring: RingPeer;
  readonly priority: number;
  readonly device: Device;
  /** Its ways to the server; the last one is that of its present membership. */
  readonly routes: readonly Route[];
}

/** A local network. */
const QUICK: Delays = { least: 1, most: 21 };

export class World {
  readonly clock = new SimulatedClock();
  readonly trace: TraceEntry[] = [];
  readonly random: () => number;
  readonly #options: RingPeerOptions;
  readonly #network: SimulatedNetwork;
  readonly #server: SimulatedServer;
  readonly #room: RoomName;
  readonly #peers = new Set<SimulatedPeer>();
  /** Whom each peer held for the leader of each term. */
  readonly #decisions = new Map<string, PeerId>();
  /** Who was elected, and in which term. */
  readonly #elected = new Set<string>();
  readonly #pretenders: string[] = [];
  readonly #terms = new Map<string, number>();
  /** Something that only the leader may use, and every leader does as soon as it is one. */
  readonly #fence = new Fence();
  readonly #violations: string[] = [];
  /** Messages of elections that were sent, laps included. */
  #sent = 0;
  #devices = 0;
  readonly #seated = new Set<PeerId>();
  #placesLost = 0;

  /** @param seed repeats the run exactly */
  constructor(
    seed: number,
    { random = seededRandom(seed), delays = QUICK, peers = {} }: WorldOptions = {},
  ) {
    this.random = random;
    this.#options = peers;
    this.#network = new SimulatedNetwork(this.clock, random, delays);
    this.#room = expect(parseRoomName('lobby'));
    this.#server = new SimulatedServer(this.#network, this.#room);
  }

  /** Link ends made so far, on both sides of every attempt. */
  get linkEnds(): number {
    return this.#network.made;
  }

  /** Election messages sent so far. */
  get messages(): number {
    return this.#sent;
  }

  get peers(): readonly SimulatedPeer[] {
    return [...this.#peers];
  }

  get states(): readonly RingState[] {
    return this.peers.map(({ ring }) => ring.state);
  }

  /** Leaders that were followed and not elected, in words: there are none where nobody lies. */
  get pretenders(): readonly string[] {
    return this.#pretenders;
  }

  /** How often a member that had not left was refused its place. */
  get placesLost(): number {
    return this.#placesLost;
  }

  /** Safety broken so far, in words. */
  get violations(): readonly string[] {
    return this.#violations;
  }

  /** An id that nobody had before. */
  newId(): PeerId {
    return expect(parsePeerId(randomUuid(this.random)));
  }

  /** A peer appears and joins. */
  join({
    random = this.random,
    newId = () => this.newId(),
    priority = this.#options.priority ?? 1,
    tap = (openLink) => openLink,
  }: PeerOptions = {}): SimulatedPeer {
    this.#devices += 1;
    // As good as any other way to have some of both kinds.
    const isBusy = this.#devices % 3 === 0;
    const device = new Device(this.clock, this.#devices);
    const routes: Route[] = [];
    const ring = new RingPeer(
      this.#room,
      {
        clock: device,
        random,
        openLink: tap(this.#network.port(device)),
        newSignaling: () => {
          const route: Route = { device, isLeft: false, connection: null };
          routes.push(route);
          return this.#server.port(route);
        },
        newId,
        newSecret: () => randomUuid(this.random),
        onEvent: (event, state) => {
          this.#watch(device, event, state);
        },
      },
      { isBusy, ...this.#options, priority },
    );
    const peer = { ring, priority, device, routes };
    this.#peers.add(peer);
    ring.join();
    return peer;
  }

  /** A peer leaves with a goodbye. */
  leave(peer: SimulatedPeer): void {
    this.#peers.delete(peer);
    peer.ring.leave();
  }

  /** A peer vanishes without a word, as a killed process does; the server sees its socket close. */
  crash(peer: SimulatedPeer): void {
    this.#peers.delete(peer);
    peer.device.die();
    for (const route of peer.routes) this.#server.lose(route, SOCKET_CLOSE, Infinity);
  }

  /** A peer does by itself what a killed process does. It may join again. */
  vanish(peer: SimulatedPeer): void {
    this.#peers.delete(peer);
    peer.ring.vanish();
  }

  /** One that has vanished or left is here again, as a new peer. */
  rejoin(peer: SimulatedPeer): void {
    this.#peers.add(peer);
    peer.ring.join();
  }

  /**
   * A peer's device falls asleep: it neither hears nor says anything, and its sockets stay open.
   * @param milliseconds until it wakes up
   */
  freeze(peer: SimulatedPeer, milliseconds: number): void {
    peer.device.freeze();
    for (const route of peer.routes) this.#server.sleep(route);
    this.clock.after(milliseconds, () => {
      peer.device.thaw();
    });
  }

  /**
   * A peer loses its connection to the server, and no link.
   * @param noticed milliseconds until the server knows, if it has not come back by then
   * @param back milliseconds until it has come back
   */
  blip(peer: SimulatedPeer, noticed: number, back: number): void {
    for (const route of peer.routes) this.#server.lose(route, noticed, back);
  }

  /** All direct links of a peer break; both ends are told of it, or neither. */
  breakLinks(peer: SimulatedPeer, isTold: boolean): void {
    this.#network.break(peer.device, isTold);
  }

  /** No direct link can be made between two peers from now on. */
  block(one: SimulatedPeer, other: SimulatedPeer): void {
    this.#network.block(one.device, other.device);
  }

  /** It can be made again. */
  unblock(one: SimulatedPeer, other: SimulatedPeer): void {
    this.#network.unblock(one.device, other.device);
  }

  /**
   * The server cannot be reached.
   * @param downFor milliseconds until it is back
   * @param keepsMemory whether it knows its rooms then
   */
  crashServer(downFor: number, keepsMemory: boolean): void {
    this.#server.crash(downFor, keepsMemory);
  }

  /** Lets time pass. */
  run(milliseconds: number): void {
    const limit = this.clock.now() + milliseconds;
    while (this.clock.advance(limit));
  }

  /** Runs until all is well or the time is over. Returns what is still wrong, in words. */
  settle(milliseconds: number): readonly string[] {
    const limit = this.clock.now() + milliseconds;
    while (this.clock.now() < limit && this.problems().length > 0) this.run(LOOK);
    return this.problems();
  }

  /** What keeps the ring from being one circle with one living leader that all agree on. */
  problems(): string[] {
    const states = this.states;
    const [first] = states;
    if (first === undefined) return [];
    const problems = cycleProblems(states);
    const leader = this.#rightfulLeader();
    for (const state of states) {
      const { id, term, size, role } = state;
      if (state.server !== 'connected') problems.push(`${id} has lost the server`);
      if (state.leader !== leader)
        problems.push(`${id} follows ${String(state.leader)}, not ${String(leader)}`);
      if (term !== first.term) problems.push(`${id} is in term ${term}, not ${first.term}`);
      if (size !== states.length)
        problems.push(`${id} counts ${String(size)}, not ${states.length}`);
      if ((role === 'leader') !== (id === leader)) problems.push(`${id} is ${role}`);
      const links = [state.successorLink, state.predecessorLink];
      if (states.length > 1 && links.some((link) => link === 'connecting' || link === 'none'))
        problems.push(`${id} is not linked to both neighbours`);
    }
    return problems;
  }

  /** The greatest peer that may lead, or under `incumbent` any one that is there. */
  #rightfulLeader(): PeerId | null {
    const claims: Claim[] = this.peers.map(({ ring, priority }) => ({
      priority,
      id: ring.state.id,
    }));
    if (this.#options.policy === 'incumbent') {
      const followed = this.states[0]?.leader ?? null;
      return claims.some(({ id }) => id === followed) ? followed : null;
    }
    const [greatest] = claims
      .filter(({ priority }) => priority > 0)
      .sort((a, b) => (compareClaims(a, b) === 'greater' ? -1 : 1));
    return greatest?.id ?? null;
  }

  /** Whether the leader may do now what only the leader may do. */
  get isLeaderAdmitted(): boolean {
    const state = this.states.find(({ role }) => role === 'leader');
    if (state === undefined) return this.#peers.size === 0;
    return this.#isAdmitted(state);
  }

  /** A leader acts once it knows the era. Until then it has nothing to say to the fence. */
  #isAdmitted({ id: leader, era, term }: RingState): boolean {
    return era === null || this.#fence.admit({ leader, era, term: term ?? 0 });
  }

  #watch(device: Device, event: RingEvent, state: RingState): void {
    const { id, term, role } = state;
    this.trace.push({ at: this.clock.now(), peer: id, event });
    if (event.type === 'sent') this.#sent += 1;
    if (event.type === 'dropped') this.#violations.push(`${id} dropped a frame: ${event.reason}`);
    if (event.type === 'complained' && event.fault === 'misbehaves')
      this.#violations.push(`${id} accuses ${event.about}`);
    if (event.type === 'joined') this.#seated.add(id);
    const isPlaceLost = event.type === 'refused' && event.code === 'place-lost';
    if (isPlaceLost && this.#seated.has(id)) this.#placesLost += 1;
    if (role === 'offline') return;
    // An id alone does not name a peer: somebody may try another's.
    const name = `${id} on device ${device.number}`;
    if ((term ?? 0) < (this.#terms.get(name) ?? 0))
      this.#violations.push(`the term of ${name} fell to ${String(term)}`);
    this.#terms.set(name, term ?? 0);
    if (event.type === 'era' && role === 'leader') this.#isAdmitted(state);
    if (event.type !== 'leader') return;
    const office = `${event.leader} in term ${event.term}`;
    if (event.isSelf) {
      this.#elected.add(office);
      this.#isAdmitted(state);
    } else if (!this.#elected.has(office))
      this.#pretenders.push(`${name} follows ${office}, who was not elected in it`);
    const held = `${name} in term ${event.term}`;
    const before = this.#decisions.get(held) ?? event.leader;
    this.#decisions.set(held, before);
    if (before !== event.leader)
      this.#violations.push(`${held} followed ${before}, then ${event.leader}`);
  }
}

/** How often the world is looked at while it settles, in milliseconds. */
const LOOK = 20;

/** Whether successors lead through all peers and back, and predecessors the other way. */
function cycleProblems(states: readonly RingState[]): string[] {
  const byId = new Map(states.map((state) => [state.id, state]));
  const problems: string[] = [];
  for (const { id, successor } of states) {
    const next = successor === null ? undefined : byId.get(successor);
    if (next === undefined)
      problems.push(`the successor of ${id} is ${String(successor)}, not a peer`);
    else if (next.predecessor !== id)
      problems.push(`${next.id} does not hold ${id} for its predecessor`);
  }
  const seen = new Set<PeerId>();
  for (let at = states[0]; at !== undefined && !seen.has(at.id);) {
    seen.add(at.id);
    at = at.successor === null ? undefined : byId.get(at.successor);
  }
  if (seen.size !== states.length)
    problems.push(`successors lead through ${seen.size} of ${states.length} peers`);
  return problems;
}

function expect<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.error);
  return parsed.value;
}
