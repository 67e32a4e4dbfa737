/** What nobody may lose while nobody leaves: its id, its place in the ring's order, its leader. */
import { compareClaims } from '../../election/claim.ts';
import type { PeerId } from '../../protocol/ids.ts';
import type { SimulatedPeer, World } from '../world.ts';

export class Keepsakes {
  readonly #world: World;
  readonly #problems: string[] = [];
  /** The members of the ring that all agreed on last, in its order, and whom they followed. */
  #ring: readonly PeerId[] = [];
  #ids: ReadonlyMap<SimulatedPeer, PeerId> = new Map();
  #leader: PeerId | null = null;
  /** What of the world's trace has been read. */
  #read = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** What was lost so far, in words. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Compares with the last agreement, and takes note of the present one, if it is one. */
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

  /** Whether members have followed anybody else than their leader and newcomers that outrank it. */
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

/** A ring in its order. */
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
