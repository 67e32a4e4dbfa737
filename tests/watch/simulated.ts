/** The traces of the peers of a simulated ring, as their server passes them on. */
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { Policy } from '../../shared/protocol/messages.ts';
import type { Order, PeerTrace, Trace } from '../../shared/protocol/watch.ts';
import { TRACE_INTERVAL, Tracer } from '../../peer/tracer.ts';
import { World } from '../../shared/simulation/world.ts';
import { defined, peerId } from '../support.ts';

export interface RingOptions {
  readonly policy?: Policy;
  /** With the ids in the order for which an election that all start takes the most messages. */
  readonly isWorst?: boolean;
}

/** A ring whose members send traces, once it has settled. */
export class TracedRing {
  readonly world: World;
  readonly order: Order;
  readonly #tracers = new Map<PeerId, Tracer>();
  readonly #told: PeerTrace[] = [];
  #seen: number;

  constructor(size: number, { policy = 'highest', isWorst = false }: RingOptions = {}) {
    this.world = new World(1, { delays: { least: 1, most: 9 }, peers: { policy } });
    const { world } = this;
    for (let joined = 0; joined < size; joined += 1) {
      world.join(isWorst ? { newId: () => peerId(joined + 1) } : {});
      world.run(200);
    }
    const problems = world.settle(120_000);
    if (problems.length > 0) throw new Error(problems.join('\n'));
    this.#seen = world.trace.length;
    for (const { ring } of world.peers) {
      const { id } = ring.state;
      const send = (trace: Trace, onDone: () => void) => {
        this.#told.push({ peer: id, at: world.clock.now(), trace });
        world.clock.after(5, onDone);
      };
      this.#tracers.set(id, new Tracer(ring.state, { clock: world.clock, send }));
    }
    this.order = { peers: this.#peers(), policy };
    this.run(2 * TRACE_INTERVAL);
  }

  /** All are asked for an election at once; or only the first. */
  campaign(isAll: boolean): void {
    for (const { ring } of this.world.peers.slice(0, isAll ? undefined : 1)) ring.campaign();
  }

  setHopDelay(milliseconds: number): void {
    defined(this.world.peers[0]).ring.setHopDelay(milliseconds);
    this.run(1_000);
  }

  run(milliseconds: number): void {
    const { world } = this;
    for (let passed = 0; passed < milliseconds; passed += 1) {
      world.run(1);
      for (; this.#seen < world.trace.length; this.#seen += 1) {
        const { peer, event } = defined(world.trace[this.#seen]);
        const found = world.peers.find(({ ring }) => ring.state.id === peer);
        if (found !== undefined) this.#tracers.get(peer)?.note(event, found.ring.state);
      }
    }
  }

  /** The traces since the last call. */
  takeTraces(): PeerTrace[] {
    return this.#told.splice(0);
  }

  /** In ring order, the leader first. */
  #peers(): PeerId[] {
    const { states } = this.world;
    const successors = new Map(states.map(({ id, successor }) => [id, successor]));
    const peers: PeerId[] = [];
    let at = states.find(({ role }) => role === 'leader')?.id ?? null;
    while (at !== null && !peers.includes(at)) {
      peers.push(at);
      at = successors.get(at) ?? null;
    }
    return peers;
  }
}
