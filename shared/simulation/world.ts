/**
 * A whole ring in one process: real ring members and the real broker on a simulated network and clock. The
 * same seed gives the same run, message for message.
 */
import { compareClaims } from '../election/claim.ts';
import { initialElection, sittingClaim } from '../election/state.ts';
import {
  parsePeerId,
  parseRoomName,
  type Parsed,
  type PeerId,
  type RoomName,
} from '../protocol/ids.ts';
import type { Claim } from '../protocol/messages.ts';
import type { OpenLink } from '../driver/ports.ts';
import { countedRandom } from '../driver/random.ts';
import { recordedPorts, type RunningRecording } from './recording.ts';
import { RingPeer, type RingPeerOptions, type RingPeerPorts } from '../driver/ring-peer.ts';
import type { RingEvent, RingState } from '../member/events.ts';
import { LINK_SILENCE, SILENCE_MARGIN } from '../member/neighbour-patience.ts';
import type { Random } from '../member/turn.ts';
import { PROBE_PATIENCE } from '../broker/complaints.ts';
import { SimulatedClock } from './clock.ts';
import { Device } from './device.ts';
import { Farewells } from './judges/farewells.ts';
import { Fencing } from './judges/fencing.ts';
import type { Judge } from './judges/judge.ts';
import { Offices } from './judges/offices.ts';
import { Pretenders } from './judges/pretenders.ts';
import { Terms } from './judges/terms.ts';
import { MAINLAND, SimulatedNetwork, type Delays, type Told } from './network.ts';
import { randomUuid, seededRandom } from './random.ts';
import type { Kept } from './redis.ts';
import { LEASE_LASTS } from '../instances/directory.ts';
import { SimulatedServer, SOCKET_CLOSE, type Route } from './server.ts';

/** A line of the trace: who, when, what. */
export interface TraceEntry {
  readonly at: number;
  readonly peer: PeerId;
  readonly event: RingEvent;
}

/** Settings that are otherwise drawn at random. */
export interface WorldOptions {
  /** In place of the seed's random numbers. */
  readonly random?: () => number;
  /** Of each hop, also to the server. */
  readonly delays?: Delays;
  /** Of all peers. */
  readonly peers?: RingPeerOptions;
  /** Given the recording of each peer that appears; without it nothing is recorded. */
  /** Servers that share rooms by a simulated Redis; 1 for one that is alone. */
  readonly instances?: number;
  readonly onRecording?: ((recording: RunningRecording) => void) | undefined;
}

/** The same for one peer. */
export interface PeerOptions {
  readonly random?: Random;
  readonly newId?: () => PeerId;
  /** In place of that of all peers. */
  readonly priority?: number;
  /** Wraps the links of the peer. */
  readonly tap?: (openLink: OpenLink) => OpenLink;
}

/** A peer of the world. Its id changes when it has to come back as a new one. */
export interface SimulatedPeer {
  readonly ring: RingPeer;
  readonly priority: number;
  readonly device: Device;
  /** Its connections to the server; the last one is that of its present membership. */
  readonly routes: readonly Route[];
}

/**
 * How long the ring may take a broken link for alive, in milliseconds: the link is silent for too long, the
 * server finds both ends awake, and the link stays silent.
 */
const SILENT_BREAK = LINK_SILENCE + PROBE_PATIENCE + SILENCE_MARGIN;

/** How long the rooms of a server that has died are still its own, in milliseconds. */
const TAKEOVER = LEASE_LASTS;

/** A local network. */
const QUICK: Delays = { least: 1, most: 21 };

export class World {
  readonly clock = new SimulatedClock();
  readonly trace: TraceEntry[] = [];
  readonly random: () => number;
  readonly #options: RingPeerOptions;
  readonly #onRecording: WorldOptions['onRecording'];
  readonly #network: SimulatedNetwork;
  readonly #server: SimulatedServer;
  readonly #room: RoomName;
  readonly #peers = new Set<SimulatedPeer>();
  readonly #terms = new Terms();
  readonly #fencing = new Fencing(() => this.states);
  /** Those that report what is impossible where no peer lies. */
  readonly #judges: readonly Judge[] = [
    new Pretenders(),
    new Offices(),
    this.#fencing,
    new Farewells((id) => this.states.some((state) => state.id === id)),
  ];
  /** The claim with which each peer joined, also of peers that have gone. */
  readonly #bases = new Map<PeerId, Claim>();
  readonly #violations: string[] = [];
  /** Election messages sent, laps included. */
  #sent = 0;
  #devices = 0;
  readonly #seated = new Set<PeerId>();
  #placesLost = 0;
  #faultsEnd = 0;
  #longestAbsence = 0;

  /** @param seed repeats the run exactly */
  constructor(
    seed: number,
    {
      random = seededRandom(seed),
      delays = QUICK,
      peers = {},
      instances = 1,
      onRecording,
    }: WorldOptions = {},
  ) {
    this.random = random;
    this.#options = peers;
    this.#onRecording = onRecording;
    this.#network = new SimulatedNetwork(this.clock, random, delays);
    this.#room = expect(parseRoomName('lobby'));
    this.#server = new SimulatedServer(this.#network, instances);
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

  /** What has happened so far that is impossible where no peer lies, in words. */
  get contradictions(): readonly string[] {
    return [...this.#judges.flatMap(({ problems }) => problems), ...this.#server.problems];
  }

  /** How often a member that had not left was refused its place. */
  get placesLost(): number {
    return this.#placesLost;
  }

  /** Violations of safety so far, in words. */
  get violations(): readonly string[] {
    return [...this.#violations, ...this.#terms.problems];
  }

  /** When the last fault so far ends, of those faults of devices and networks that end on their own. */
  get faultsEnd(): number {
    return this.#faultsEnd;
  }

  /** The longest time that a peer was asleep or cut off, in milliseconds. */
  get longestAbsence(): number {
    return this.#longestAbsence;
  }

  /** The duration of one circuit of the ring, in milliseconds, where nothing is late or held. */
  get circuit(): number {
    return this.#peers.size * this.#network.meanHop;
  }

  /** The base claim of a peer, present or gone; undefined for an id that never was a member's. */
  baseOf(id: PeerId): Claim | undefined {
    return this.#bases.get(id);
  }

  /** What an incumbent of such a base claims under this world's policy. */
  claimInOffice(base: Claim): Claim {
    return sittingClaim(initialElection(base, this.#options.policy ?? 'highest'));
  }

  /** Random numbers for one peer: none of them depends on what other peers draw. */
  #newRandom(): Random {
    return countedRandom(Math.floor(this.random() * 0x1_0000_0000));
  }

  /** A fresh id. */
  newId(): PeerId {
    return expect(parsePeerId(randomUuid(this.random)));
  }

  /** A peer appears and joins. */
  join({
    random = this.#newRandom(),
    newId = () => this.newId(),
    priority = this.#options.priority ?? 1,
    tap = (openLink) => openLink,
  }: PeerOptions = {}): SimulatedPeer {
    this.#devices += 1;
    const device = new Device(this.clock, this.#devices);
    const routes: Route[] = [];
    const ports: RingPeerPorts = {
      clock: device,
      date: () => this.clock.now(),
      random,
      openLink: tap(this.#network.port(device)),
      newSignaling: () => {
        const route: Route = { device, isLeft: false, connection: null, holder: null };
        routes.push(route);
        return this.#server.port(route);
      },
      newId,
      newSecret: () => randomUuid(this.random),
      onEvent: (event, state) => {
        this.#watch(device, priority, event, state);
      },
    };
    const ring = new RingPeer(this.#room, this.#recorded(ports), { ...this.#options, priority });
    const peer = { ring, priority, device, routes };
    this.#peers.add(peer);
    ring.join();
    return peer;
  }

  #recorded(ports: RingPeerPorts): RingPeerPorts {
    return this.#onRecording === undefined ? ports : recordedPorts(ports, this.#onRecording);
  }

  /** A peer leaves with a goodbye. */
  leave(peer: SimulatedPeer): void {
    this.#peers.delete(peer);
    peer.ring.leave();
  }

  /** A peer vanishes without a goodbye, as a killed process does; the server sees its socket close. */
  crash(peer: SimulatedPeer): void {
    this.#peers.delete(peer);
    peer.device.die();
    for (const route of peer.routes) this.#server.lose(route, SOCKET_CLOSE, Infinity);
  }

  /** A peer does on purpose what a killed process does. It may join again. */
  vanish(peer: SimulatedPeer): void {
    this.#peers.delete(peer);
    peer.ring.vanish();
  }

  /** A peer that has vanished or left joins again, as a new peer. */
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
    this.#longestAbsence = Math.max(this.#longestAbsence, milliseconds);
    this.#faultFor(milliseconds, () => peer.device.thaw());
  }

  /**
   * A peer's device handles everything late for a while.
   * @param lateness delay in milliseconds
   * @param milliseconds until it is quick again
   */
  slowDown(peer: SimulatedPeer, lateness: number, milliseconds: number): void {
    peer.device.slowDown(lateness);
    this.#faultFor(milliseconds + lateness, () => peer.device.slowDown(0));
  }

  /**
   * A peer's page is hidden for a while: its timers come at full seconds.
   * @param milliseconds until it is shown again; Infinity for good
   */
  hide(peer: SimulatedPeer, milliseconds: number): void {
    peer.device.hide(true);
    this.#faultFor(milliseconds, () => peer.device.hide(false));
  }

  /**
   * A peer vanishes, or leaves, and comes back later, as a new one.
   * @param milliseconds until it joins
   */
  comeAgain(peer: SimulatedPeer, how: 'vanish' | 'leave', milliseconds: number): void {
    this[how](peer);
    this.#faultFor(milliseconds, () => this.rejoin(peer));
  }

  /**
   * A peer loses its connection to the server, and no link.
   * @param noticed milliseconds until the server knows, if the peer has not come back by then
   * @param back milliseconds until the peer has come back
   */
  blip(peer: SimulatedPeer, noticed: number, back: number): void {
    for (const route of peer.routes) this.#server.lose(route, noticed, back);
    this.#faultFor(Math.max(noticed, back));
  }

  /**
   * Messages between a peer and the server on their present connection arrive later. If that connection is
   * lost meanwhile, they arrive after those of the next one.
   */
  stall(peer: SimulatedPeer, milliseconds: number): void {
    for (const route of peer.routes) this.#server.stall(route, milliseconds);
    this.#faultFor(milliseconds);
  }

  /** All direct links of a peer break; both ends are told, or neither, or only its own. */
  breakLinks(peer: SimulatedPeer, told: boolean | Told): void {
    const ends = typeof told === 'string' ? told : told ? 'both' : 'neither';
    this.#network.break(peer.device, ends);
    if (ends !== 'both') this.#faultFor(SILENT_BREAK);
  }

  /** What a peer sends on its present direct links is lost from now on; it still hears. */
  mute(peer: SimulatedPeer): void {
    this.#network.mute(peer.device);
    this.#faultFor(SILENT_BREAK);
  }

  /**
   * Groups of peers reach neither each other nor the server.
   * @param groups the number of each peer's group; {@link MAINLAND} is the server's, and that of every peer
   * that is not named
   * @param milliseconds until they reach each other again
   */
  partition(groups: ReadonlyMap<SimulatedPeer, number>, milliseconds: number): void {
    const devices = new Map([...groups].map(([peer, group]) => [peer.device, group]));
    this.#network.separate(devices, milliseconds);
    for (const [peer, group] of groups)
      if (group !== MAINLAND) for (const route of peer.routes) this.#server.cutOff(route);
    this.#longestAbsence = Math.max(this.#longestAbsence, milliseconds);
    this.#faultFor(milliseconds);
  }

  /** No hop takes longer than most hops do from now on. */
  hasten(): void {
    this.#network.hasten();
  }

  /** The server's clock is so many milliseconds ahead of true time from now on. */
  setServerClock(error: number): void {
    this.#server.setClock(error);
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
   * @param keepsMemory whether it still knows its rooms then
   */
  crashServer(downFor: number, keepsMemory: boolean): void {
    this.#server.crash(downFor, keepsMemory);
    this.#faultFor(downFor);
  }

  /** One of several servers dies, or is asked to end; another starts in its place. */
  killInstance(downFor: number, isStopped: boolean): void {
    this.#server.kill(downFor, isStopped);
    this.#faultFor(downFor + TAKEOVER);
  }

  /**
   * The process of one of several servers stops for a while.
   * @param atOutput whether just before the next thing that it does, rather than now
   */
  pauseInstance(milliseconds: number, atOutput: boolean): void {
    this.#server.pause(milliseconds, atOutput);
    this.#longestAbsence = Math.max(this.#longestAbsence, milliseconds);
    this.#faultFor(milliseconds + TAKEOVER);
  }

  /** One of several servers cannot reach Redis for a while, or what it says and hears is late. */
  troubleRedis(milliseconds: number, how: 'cut' | 'stall'): void {
    if (how === 'cut') this.#server.cutFromRedis(milliseconds);
    else this.#server.stallRedis(milliseconds);
    this.#faultFor(milliseconds + TAKEOVER);
  }

  /** What Redis knows now is what it knows after a restart with older memory. */
  saveRedis(): void {
    this.#server.saveRedis();
  }

  restartRedis(downFor: number, kept: Kept): void {
    this.#server.restartRedis(downFor, kept);
    this.#faultFor(downFor + TAKEOVER);
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

  /** What keeps the ring from being one circle with one living leader on which all agree. */
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

  /**
   * Under `highest` the greatest peer that may lead. Under `incumbent` the present leader, unless the base
   * claim of another peer outranks the leader's claim in office (election/SPEC.md, Policies).
   */
  #rightfulLeader(): PeerId | null {
    const bases = this.peers.map(({ ring, priority }) => ({ priority, id: ring.state.id }));
    const greatest = bases
      .filter(({ priority }) => priority > 0)
      .reduce<Claim | null>((best, base) => (isGreater(base, best) ? base : best), null);
    if (this.#options.policy !== 'incumbent') return greatest?.id ?? null;
    const followed = bases.find(({ id }) => id === this.states[0]?.leader);
    const isEligible = followed !== undefined && followed.priority > 0;
    if (!isEligible || isGreater(greatest, this.claimInOffice(followed)))
      return greatest?.id ?? null;
    return followed.id;
  }

  /** Whether the leader may do now what only the leader may do. */
  get isLeaderAdmitted(): boolean {
    const state = this.states.find(({ role }) => role === 'leader');
    if (state === undefined) return this.#peers.size === 0;
    return this.#fencing.admits(state);
  }

  /** A fault lasts this long, and is undone then. */
  #faultFor(milliseconds: number, undo: () => void = () => undefined): void {
    if (milliseconds === Infinity) return;
    this.#faultsEnd = Math.max(this.#faultsEnd, this.clock.now() + milliseconds);
    this.clock.after(milliseconds, undo);
  }

  #watch(device: Device, priority: number, event: RingEvent, state: RingState): void {
    const { id } = state;
    const at = this.clock.now();
    this.trace.push({ at, peer: id, event });
    if (event.type === 'sent') this.#sent += 1;
    if (event.type === 'dropped') this.#violations.push(`${id} dropped a frame: ${event.reason}`);
    if (event.type === 'complained' && event.fault === 'misbehaves')
      this.#violations.push(`${id} accuses ${event.about}`);
    if (event.type === 'joined') {
      this.#seated.add(id);
      this.#bases.set(id, { priority, id });
    }
    const isPlaceLost = event.type === 'refused' && event.code === 'place-lost';
    if (isPlaceLost && this.#seated.has(id)) this.#placesLost += 1;
    const sight = { at, name: `${id} on device ${device.number}`, event, state };
    this.#terms.see(sight);
    for (const judge of this.#judges) judge.see(sight);
  }
}

function isGreater(claim: Claim | null, other: Claim | null): boolean {
  if (claim === null || other === null) return claim !== null;
  return compareClaims(claim, other) === 'greater';
}

/** How often the world is inspected while it settles, in milliseconds. */
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
