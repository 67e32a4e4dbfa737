/** Rings in which a circuit takes longer than any wait for a leader in a quick one (SPEC.md, R7). */
import { describe, expect, test } from 'vitest';
import { World } from '../../shared/simulation/world.ts';
import { defined } from '../support.ts';

function isAgreed({ states }: World): boolean {
  const [first] = states;
  if (first === undefined || first.leader === null) return false;
  return (
    states.every(({ leader, term }) => leader === first.leader && term === first.term) &&
    states.some(({ id, role }) => role === 'leader' && id === first.leader)
  );
}

/** Circuits until all agree. */
function circuitsToAgree(world: World, circuit: number): number {
  const began = world.clock.now();
  while (!isAgreed(world) && world.clock.now() - began < 5 * circuit) world.run(circuit / 100);
  return (world.clock.now() - began) / circuit;
}

function slowWorld(seed: number, hop: number): World {
  return new World(seed, { delays: { least: 0.9 * hop, most: 1.1 * hop } });
}

describe('R7: a ring with slow hops', () => {
  test.each([
    [100, 300],
    [300, 50],
  ])('of %i peers at %i ms has a leader within four circuits, and keeps it', (peers, hop) => {
    const world = slowWorld(1, hop);
    for (let joined = 0; joined < peers; joined += 1) world.join();
    expect(circuitsToAgree(world, peers * hop)).toBeLessThan(4);
    const before = defined(world.states[0]);
    world.run(60_000);
    for (const { leader, term } of world.states) {
      expect(leader).toBe(before.leader);
      expect(term).toBe(before.term);
    }
    expect(world.violations).toEqual([]);
  });

  test.each([100, 1_000])(
    'that grows by a peer each %i ms agrees after the last, and replaces a killed leader',
    (pause) => {
      const world = slowWorld(2, 300);
      for (let joined = 0; joined < 60; joined += 1) {
        world.join();
        world.run(2 * pause * world.random());
      }
      expect(circuitsToAgree(world, 60 * 300)).toBeLessThan(4);
      const { term } = defined(world.states[0]);
      world.run(60_000);
      for (const state of world.states) expect(state.term).toBe(term);
      world.crash(defined(world.peers.find(({ ring }) => ring.state.role === 'leader')));
      world.run(1_000);
      expect(circuitsToAgree(world, 60 * 300)).toBeLessThan(4);
      expect(world.violations).toEqual([]);
    },
  );
});
