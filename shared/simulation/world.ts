/**
 * A whole ring in one process: real ring members and the real broker on a simulated network and
 * clock. The same seed gives the same run, message for message.
 */
import {
  parsePeerId,
  parseRoomName,
  type Parsed,
  type PeerId,
  type RoomName,
} from '../protocol/ids.ts';
import { Broker } from '../ring/broker.ts';
import type { RingEvent, RingState } from '../ring/events.ts';
import type { Signaling, SignalingHandlers } from '../ring/ports.ts';
import { RingPeer } from '../ring/ring-peer.ts';
import type { Delivery } from '../ring/room.ts';
import { SimulatedClock } from './clock.ts';
import { SimulatedNetwork } from './network.ts';
import { randomUuid, seededRandom } from './random.ts';

/** A line of the trace: who, when, what. */
export interface TraceEntry {
  readonly at: number;
  readonly peer: PeerId;
  readonly event: RingEvent;
}

/** A peer of the world. Its id changes when it has to come back as a new one. */
export interface SimulatedPeer {
  readonly ring: RingPeer;
  /** Vanishes without a word, as a killed process does; the server's socket closes. */
  readonly crash: () => void;
  /**
   * Loses its connection to the server, and no link.
   * @param noticed milliseconds until the server knows, if it has not come back by then
   * @param back milliseconds until it has come back
   */
  readonly blip: (noticed: number, back: number) => void;
}

/** A member's way to the server: at most one connection at a time, until it leaves. */
interface Route {
  isLeft: boolean;
  connection: Connection | null;
}

/** A connection to the server. Each reconnection is another one. */
interface Connection {
  readonly handlers: SignalingHandlers;
  isOpen: boolean;
  /** Whose place it took at the server. */
  seat: PeerId | null;
  /** When the last message to the peer arrives; a connection keeps the order. */
  lastArrival: number;
}

/** How long the server takes to see that a socket is closed, in milliseconds. */
const SOCKET_CLOSE = 50;

export class World {
  readonly clock = new SimulatedClock();
  readonly trace: TraceEntry[] = [];
  readonly random: () => number;
  readonly #network: SimulatedNetwork;
  readonly #room: RoomName;
  readonly #peers = new Set<SimulatedPeer>();
  #broker: Broker;
  #memories = 0;
  #isServerUp = true;
  /** Whom the server talks to, by the id that has the seat. */
  readonly #seats = new Map<PeerId, Connection>();
  /** Whom each peer held for the leader of each term. */
  readonly #decisions = new Map<string, PeerId>();
  readonly #terms = new Map<PeerId, number>();
  readonly #violations: string[] = [];

  /** @param seed repeats the run exactly */
  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.#network = new SimulatedNetwork(this.clock, this.random);
    this.#room = expect(parseRoomName('lobby'));
    this.#broker = this.#newBroker();
  }

  /** Link ends made so far, on both sides of every attempt. */
  get linkEnds(): number {
    return this.#network.made;
  }

  get peers(): readonly SimulatedPeer[] {
    return [...this.#peers];
  }

  get states(): readonly RingState[] {
    return this.peers.map(({ ring }) => ring.state);
  }

  /** Safety broken so far, in words. */
  get violations(): readonly string[] {
    return this.#violations;
  }

  /** A peer appears and joins. */
  join(): SimulatedPeer {
    const { openLink, sever } = this.#network.port();
    const routes: Route[] = [];
    let isHere = true;
    const ring = new RingPeer(this.#room, {
      clock: this.clock,
      random: this.random,
      openLink,
      newSignaling: () => {
        const route: Route = { isLeft: false, connection: null };
        routes.push(route);
        return this.#signaling(route);
      },
      newId: () => expect(parsePeerId(randomUuid(this.random))),
      newSecret: () => randomUuid(this.random),
      onEvent: (event, state) => {
        if (isHere) this.#watch(event, state);
      },
    });
    const peer: SimulatedPeer = {
      ring,
      crash: () => {
        isHere = false;
        sever();
        this.#peers.delete(peer);
        for (const route of routes) {
          route.isLeft = true;
          this.#cut(route, SOCKET_CLOSE);
        }
      },
      blip: (noticed, back) => {
        for (const route of routes) {
          const handlers = this.#cut(route, noticed);
          if (handlers === null) continue;
          handlers.onDisconnect('lost');
          this.#connect(route, handlers, back);
        }
      },
    };
    this.#peers.add(peer);
    ring.join();
    return peer;
  }

  /** A peer leaves with a goodbye. */
  leave(peer: SimulatedPeer): void {
    this.#peers.delete(peer);
    peer.ring.leave();
  }

  /**
   * The server dies and loses its memory.
   * @param downFor milliseconds until it is back
   */
  restartServer(downFor: number): void {
    if (!this.#isServerUp) return;
    this.#isServerUp = false;
    this.#seats.clear();
    this.clock.after(downFor, () => {
      this.#broker = this.#newBroker();
      this.#isServerUp = true;
    });
    for (const peer of this.#peers) peer.blip(Infinity, downFor + this.random() * 2_000);
  }

  /** Lets time pass. */
  run(milliseconds: number): void {
    const limit = this.clock.now() + milliseconds;
    while (this.clock.advance(limit));
  }

  /** Runs until all is well or the time is over. Returns what is still wrong, in words. */
  settle(milliseconds: number): readonly string[] {
    const limit = this.clock.now() + milliseconds;
    while (this.problems().length > 0 && this.clock.advance(limit));
    return this.problems();
  }

  /** What keeps the ring from being one circle with one living leader that all agree on. */
  problems(): string[] {
    const states = this.states;
    const [first] = states;
    if (first === undefined) return [];
    const problems = cycleProblems(states);
    const greatest = states.map(({ id }) => id).reduce((a, b) => (a > b ? a : b));
    for (const state of states) {
      const { id, leader, term, size, role } = state;
      if (state.server !== 'connected') problems.push(`${id} has lost the server`);
      if (leader !== greatest) problems.push(`${id} follows ${String(leader)}, not ${greatest}`);
      if (term !== first.term) problems.push(`${id} is in term ${term}, not ${first.term}`);
      if (size !== states.length)
        problems.push(`${id} counts ${String(size)}, not ${states.length}`);
      if ((role === 'leader') !== (id === greatest)) problems.push(`${id} is ${role}`);
      if (
        states.length > 1 &&
        (state.successorLink !== 'direct' || state.predecessorLink !== 'direct')
      )
        problems.push(`${id} is not linked to both neighbours`);
    }
    return problems;
  }

  #newBroker(): Broker {
    this.#memories += 1;
    const memory = this.#memories;
    return new Broker(
      `memory ${memory}`,
      {
        clock: this.clock,
        deliver: (_room, delivery) => {
          // What a dead server had yet to do stays undone.
          if (memory === this.#memories && this.#isServerUp) this.#deliver(delivery);
        },
      },
      { peersPerRoom: 1_000, rooms: 1, burstWindow: 30 },
    );
  }

  #watch(event: RingEvent, { id, term, role }: RingState): void {
    this.trace.push({ at: this.clock.now(), peer: id, event });
    if (role === 'offline') return;
    if ((term ?? 0) < (this.#terms.get(id) ?? 0))
      this.#violations.push(`the term of ${id} fell to ${String(term)}`);
    this.#terms.set(id, term ?? 0);
    if (event.type === 'received' && event.judgement.reason === 'a second leader in one term')
      this.#violations.push(`${id} heard of a second leader in term ${event.message.term}`);
    if (event.type !== 'leader') return;
    const held = `${id} in term ${event.term}`;
    const before = this.#decisions.get(held) ?? event.leader;
    this.#decisions.set(held, before);
    if (before !== event.leader)
      this.#violations.push(`${held} followed ${before}, then ${event.leader}`);
  }

  #signaling(route: Route): Signaling {
    /** Runs at the server, where the connection still exists by then. */
    const atServer = (call: (connection: Connection) => void) => {
      const { connection } = route;
      if (connection === null) return;
      this.#network.later(() => {
        if (connection.isOpen && this.#isServerUp) call(connection);
      });
    };
    return {
      connect: (handlers) => {
        this.#connect(route, handlers, 0);
      },
      join: (request, onReply) => {
        atServer((connection) => {
          this.#broker.join(request, (reply) => {
            if (!connection.isOpen) return;
            if (reply.ok) this.#seat(request.id, connection);
            this.#toPeer(connection, () => {
              onReply(reply);
            });
          });
          // A burst is placed a little later; whoever goes before must be taken out again.
          connection.seat ??= request.id;
        });
      },
      resume: (request, onReply) => {
        atServer((connection) => {
          const reply = this.#broker.resume(request);
          if (reply.ok) this.#seat(request.id, connection);
          this.#toPeer(connection, () => {
            onReply(reply);
          });
        });
      },
      signal: (request, onReply) => {
        atServer((connection) => {
          if (connection.seat === null) return;
          const reply = this.#broker.signal(this.#room, connection.seat, request);
          this.#toPeer(connection, () => {
            onReply(reply);
          });
        });
      },
      leave: () => {
        route.isLeft = true;
        this.#cut(route, this.#network.delay());
      },
    };
  }

  #connect(route: Route, handlers: SignalingHandlers, wait: number): void {
    this.clock.after(wait, () => {
      if (route.isLeft) return;
      if (!this.#isServerUp) {
        this.#connect(route, handlers, 500);
        return;
      }
      const connection = { handlers, isOpen: true, seat: null, lastArrival: 0 };
      route.connection = connection;
      this.#toPeer(connection, handlers.onConnect);
    });
  }

  #seat(id: PeerId, connection: Connection): void {
    connection.seat = id;
    this.#seats.set(id, connection);
  }

  /**
   * Ends a connection, if there is one, and returns whose it was. The server takes its peer out
   * when it notices, unless another connection has the seat by then.
   */
  #cut(route: Route, noticed: number): SignalingHandlers | null {
    const { connection } = route;
    if (connection === null) return null;
    route.connection = null;
    connection.isOpen = false;
    const broker = this.#broker;
    if (noticed < Infinity)
      this.clock.after(noticed, () => {
        const { seat } = connection;
        const isAnothers = seat !== null && (this.#seats.get(seat) ?? connection) !== connection;
        if (seat !== null && !isAnothers) broker.leave(this.#room, seat);
      });
    return connection.handlers;
  }

  #deliver(delivery: Delivery): void {
    const connection = this.#seats.get(delivery.to);
    if (connection === undefined) return;
    const { handlers } = connection;
    this.#toPeer(connection, () => {
      if (delivery.type === 'view') handlers.onView(delivery.view);
      else handlers.onSignal(delivery.signal);
    });
  }

  #toPeer(connection: Connection, call: () => void): void {
    const now = this.clock.now();
    const arrival = Math.max(now + this.#network.delay(), connection.lastArrival);
    connection.lastArrival = arrival;
    this.clock.after(arrival - now, () => {
      if (connection.isOpen) call();
    });
  }
}

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
