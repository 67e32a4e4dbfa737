/** Rings in which a circuit takes longer than any wait for a leader in a quick ring (election/SPEC.md, R7). */
import { World } from './world.ts';

/** More than any ring needs: a ring that has not agreed by then never will. */
const MOST_CIRCUITS = 12;

export class SlowRing {
  readonly world: World;
  readonly #hop: number;

  /**
   * @param hop duration of a message on each link, and to the server, in milliseconds, plus or minus a
   * tenth
   */
  constructor(seed: number, hop: number) {
    this.#hop = hop;
    this.world = new World(seed, { delays: { least: 0.9 * hop, most: 1.1 * hop } });
  }

  /** The duration of a message's way round the whole ring, in milliseconds. */
  get circuit(): number {
    return this.world.peers.length * this.#hop;
  }

  get isAgreed(): boolean {
    const { states } = this.world;
    const [first] = states;
    if (first === undefined || first.leader === null) return false;
    return (
      states.every(({ leader, term }) => leader === first.leader && term === first.term) &&
      states.some(({ id, role }) => role === 'leader' && id === first.leader)
    );
  }

  /** Runs until all agree. Returns how many circuits that took; Infinity where they do not. */
  agree(): number {
    const { clock } = this.world;
    const began = clock.now();
    const limit = began + MOST_CIRCUITS * this.circuit;
    while (!this.isAgreed && clock.now() < limit) this.world.run(this.circuit / 100);
    return this.isAgreed ? (clock.now() - began) / this.circuit : Infinity;
  }

  /** Continues the run. Returns by how much the terms have risen. */
  rest(milliseconds: number): number {
    const highest = () => Math.max(...this.world.states.map(({ term }) => term ?? 0));
    const before = highest();
    this.world.run(milliseconds);
    return highest() - before;
  }
}
