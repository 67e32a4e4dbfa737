/** What no peer may lose while no peer leaves: its id, its place in the ring's order, its leader. */
import { compareClaims } from '../../election/claim.ts';
import type { PeerId } from '../../protocol/ids.ts';
import type { SimulatedPeer, World } from '../world.ts';

export class Keepsakes {
  readonly #world: World;
  readonly #problems: string[] = [];
  /** The members of the ring that last agreed, in its order, and their leader. */
  #ring: readonly PeerId[] = [];
  #ids: ReadonlyMap<SimulatedPeer, PeerId> = new Map();
  #leader: PeerId | null = null;
  /** How much of the world's trace has been read. */
  #read = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** The losses so far, in words. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Compares with the last agreement, and records the present one, if there is one. */
  look(): void {
    this.#checkLeaders();
    if (this.#world.problems().length > 0) return;
    const { peers, states } = this.#world;
    const ring = walk(new Map(states.map(({ id, successor }) => [id, successor])));
    for (const [peer, id] of this.#ids)
      if (peer.ring.state.id !== id) this.#problems.push(`${id} came again under another id`);
    if (
      !isRotation(
        ring.filter((id) => this.#ring.includes(id)),
        this.#ring,
      )
    )
      this.#problems.push(`the ring of ${this.#ring.join(', ')} has become ${ring.join(', ')}`);
    this.#ring = ring;
    this.#ids = new Map(peers.map((peer) => [peer, peer.ring.state.id]));
    this.#leader = states[0]?.leader ?? null;
  }

  /** Whether members have followed a peer other than their leader and newcomers that outrank it. */
  #checkLeaders(): void {
    for (const { at, peer, event } of this.#world.trace.slice(this.#read)) {
      if (event.type !== 'leader' || !this.#ring.includes(peer)) continue;
      if (this.#mayLead(event.leader)) continue;
      this.#problems.push(`${peer} followed ${event.leader} at ${at}, not ${String(this.#leader)}`);
    }
    this.#read = this.#world.trace.length;
  }

  #outranks(newcomer: PeerId, leader: PeerId): boolean {
    const [claim, base] = [this.#world.baseOf(newcomer), this.#world.baseOf(leader)];
    if (claim === undefined || base === undefined) return false;
    return compareClaims(claim, this.#world.claimInOffice(base)) === 'greater';
  }

  #mayLead(id: PeerId): boolean {
    if (id === this.#leader || this.#leader === null) return true;
    if (this.#ring.includes(id)) return false;
    return this.#outranks(id, this.#leader);
  }
}

/** A ring, starting at a fixed peer. */
function walk(successors: ReadonlyMap<PeerId, PeerId | null>): PeerId[] {
  const ring = new Set<PeerId>();
  let [at = null] = successors.keys();
  while (at !== null && !ring.has(at)) {
    ring.add(at);
    at = successors.get(at) ?? null;
  }
  return [...ring];
}

function isRotation(ring: readonly PeerId[], of: readonly PeerId[]): boolean {
  const [first] = of;
  const turn = first === undefined ? 0 : ring.indexOf(first);
  return of.every((id, at) => ring[(turn + at) % ring.length] === id);
}
