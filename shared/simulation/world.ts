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
import { RingNode } from '../ring/ring-node.ts';
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

export interface SimulatedPeer {
  readonly id: PeerId;
  readonly node: RingNode;
  /** Vanishes without a word, as a killed process does; the server's socket closes. */
  crash(): void;
}

/** How long the server takes to see that a socket is closed, in milliseconds. */
const SOCKET_CLOSE = 50;

export class World {
  readonly clock = new SimulatedClock();
  readonly trace: TraceEntry[] = [];
  readonly random: () => number;
  readonly #network: SimulatedNetwork;
  readonly #broker: Broker;
  readonly #room: RoomName;
  readonly #peers = new Map<PeerId, SimulatedPeer>();
  readonly #sockets = new Map<PeerId, SignalingHandlers>();
  /** Whom each peer held for the leader of each term. */
  readonly #decisions = new Map<string, PeerId>();
  readonly #terms = new Map<PeerId, number>();
  readonly #violations: string[] = [];

  /** @param seed repeats the run exactly */
  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.#network = new SimulatedNetwork(this.clock, this.random);
    this.#room = expect(parseRoomName('lobby'));
    this.#broker = new Broker(
      'epoch 1',
      {
        clock: this.clock,
        deliver: (_room, delivery) => {
          this.#deliver(delivery);
        },
      },
      { peersPerRoom: 1_000, rooms: 1, burstWindow: 30 },
    );
  }

  /** Link ends made so far, on both sides of every attempt. */
  get linkEnds(): number {
    return this.#network.made;
  }

  get peers(): readonly SimulatedPeer[] {
    return [...this.#peers.values()];
  }

  get states(): readonly RingState[] {
    return this.peers.map(({ node }) => node.state);
  }

  /** Safety broken so far, in words. */
  get violations(): readonly string[] {
    return this.#violations;
  }

  /** A peer appears and joins. */
  join(): SimulatedPeer {
    const id = expect(parsePeerId(randomUuid(this.random)));
    const { openLink, sever } = this.#network.port();
    const node = new RingNode(
      { id, room: this.#room, secret: `the secret of ${id.slice(0, 8)}`, priority: 1 },
      {
        clock: this.clock,
        random: this.random,
        openLink,
        signaling: this.#signaling(id),
        onEvent: (event) => {
          this.#watch(id, node, event);
        },
      },
    );
    const peer = {
      id,
      node,
      crash: () => {
        sever();
        this.#forget(id);
        this.clock.after(SOCKET_CLOSE, () => {
          this.#broker.leave(this.#room, id);
        });
      },
    };
    this.#peers.set(id, peer);
    node.start();
    return peer;
  }

  /** A peer leaves with a goodbye. */
  leave(peer: SimulatedPeer): void {
    peer.node.leave();
    this.#forget(peer.id);
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

  #forget(id: PeerId): void {
    this.#peers.delete(id);
    this.#sockets.delete(id);
  }

  #watch(id: PeerId, node: RingNode, event: RingEvent): void {
    this.trace.push({ at: this.clock.now(), peer: id, event });
    if (!this.#peers.has(id)) return;
    const { term } = node.state;
    if (term < (this.#terms.get(id) ?? 0))
      this.#violations.push(`the term of ${id} fell to ${term}`);
    this.#terms.set(id, term);
    if (event.type === 'received' && event.judgement.reason === 'a second leader in one term')
      this.#violations.push(`${id} heard of a second leader in term ${event.message.term}`);
    if (event.type !== 'leader') return;
    const held = `${id} in term ${event.term}`;
    const before = this.#decisions.get(held) ?? event.leader;
    this.#decisions.set(held, before);
    if (before !== event.leader)
      this.#violations.push(`${held} followed ${before}, then ${event.leader}`);
    if (!event.isSelf) return;
    for (const other of this.states)
      if (other.id !== id && other.role === 'leader' && other.term === event.term)
        this.#violations.push(`${id} and ${other.id} both lead term ${event.term}`);
  }

  #signaling(id: PeerId): Signaling {
    const toServer = (call: () => void) => {
      this.#network.later(() => {
        if (this.#sockets.has(id)) call();
      });
    };
    return {
      connect: (handlers) => {
        this.#sockets.set(id, handlers);
        toServer(handlers.onConnect);
      },
      join: (request, onReply) => {
        toServer(() => {
          this.#broker.join(request, (reply) => {
            this.#toPeer(id, () => {
              onReply(reply);
            });
          });
        });
      },
      signal: (request, onReply) => {
        toServer(() => {
          const reply = this.#broker.signal(this.#room, id, request);
          this.#toPeer(id, () => {
            onReply(reply);
          });
        });
      },
      leave: () => {
        this.#sockets.delete(id);
        this.#network.later(() => {
          this.#broker.leave(this.#room, id);
        });
      },
    };
  }

  #deliver(delivery: Delivery): void {
    this.#toPeer(delivery.to, (handlers) => {
      if (delivery.type === 'view') handlers.onView(delivery.view);
      else handlers.onSignal(delivery.signal);
    });
  }

  /** When the last message to each peer arrives; a socket keeps the order. */
  readonly #lastArrival = new Map<PeerId, number>();

  #toPeer(id: PeerId, call: (handlers: SignalingHandlers) => void): void {
    const now = this.clock.now();
    const arrival = Math.max(now + this.#network.delay(), this.#lastArrival.get(id) ?? 0);
    this.#lastArrival.set(id, arrival);
    this.clock.after(arrival - now, () => {
      const handlers = this.#sockets.get(id);
      if (handlers !== undefined) call(handlers);
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
